//! A slow disk and a broken one, under a whole host.

use std::future::Future;
use std::sync::Mutex;

use tokio::sync::{mpsc, watch};

use super::*;
use crate::host::sqlite::StoreError;
use crate::host::{Ended, Hooks, StartError, Storage};
use cuerda_core::chord::{Event, Input, Node, Reply, Request};
use cuerda_core::record::{Field, Record, Stamp};
use cuerda_core::ring::Id;
use cuerda_core::store::{Batch, MemoryStore, Store};

/// What the disk does with every commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Works {
    Yes,
    NotYet,
    No,
}

/// What a host tells its hooks.
#[derive(Debug, PartialEq)]
enum Told {
    Event(Event),
    Committed(u64),
}

/// A disk that does what the test says, and who writes down what is told.
struct Slow {
    works: watch::Receiver<Works>,
    told: mpsc::UnboundedSender<Told>,
}

impl Hooks for Slow {
    fn commit(
        &mut self,
        _: &Node,
        _: &Batch,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> + 'static {
        let mut works = self.works.clone();
        async move {
            let works = works.wait_for(|works| *works != Works::NotYet).await;
            match works.map(|works| *works) {
                Ok(Works::Yes) => Ok(()),
                _ => Err("the disk is broken".to_owned()),
            }
        }
    }

    fn on_event(&mut self, _: &Node, event: &Event) {
        let _ = self.told.send(Told::Event(event.clone()));
    }

    fn committed(&mut self, _: &Node, number: u64) {
        let _ = self.told.send(Told::Committed(number));
    }
}

/// A ring of one on a disk.
struct OnDisk {
    handle: Handle,
    host: tokio::task::JoinHandle<Result<Ended, StoreError>>,
    store: Arc<Mutex<MemoryStore>>,
    works: watch::Sender<Works>,
    told: mpsc::UnboundedReceiver<Told>,
}

impl OnDisk {
    async fn start() -> OnDisk {
        logs();
        let works = watch::Sender::new(Works::Yes);
        let (sender, told) = mpsc::unbounded_channel();
        let hooks = Slow {
            works: works.subscribe(),
            told: sender,
        };
        let store = Arc::new(Mutex::new(MemoryStore::default()));
        let settings = Settings {
            storage: Storage::Shared(vec![Arc::clone(&store)]),
            ..settings(1, Begin::Found)
        };
        let (host, handle) = Host::bind(Tcp, hooks, settings).await.unwrap();
        let host = tokio::spawn(host.run());
        handle.status().await.unwrap();
        OnDisk {
            handle,
            host,
            store,
            works,
            told,
        }
    }

    /// Stages a record in the node's place, and lets it tell something that depends on its store.
    fn write(&self, number: u8) {
        let record = Record::of("", Field::new(Stamp::ZERO, None, "x", None));
        self.store.lock().unwrap().put(key(number), record);
        let token = u64::from(number);
        let (key, past) = (key(number), Stamp::ZERO);
        assert!(self.handle.order(0, Input::Read { token, key, past }));
    }

    /// The answers to readings that have been told by now.
    fn answers(&mut self) -> Vec<u64> {
        let mut answers = Vec::new();
        while let Ok(told) = self.told.try_recv() {
            if let Told::Event(Event::Read { token, .. }) = told {
                answers.push(token);
            }
        }
        answers
    }

    /// The batches and the answers that are told, up to this answer, in their order.
    async fn until_answer(&mut self, last: u64) -> Vec<(&'static str, u64)> {
        let mut told = Vec::new();
        while told.last() != Some(&("answer", last)) {
            match self.told.recv().await {
                Some(Told::Committed(number)) => told.push(("batch", number)),
                Some(Told::Event(Event::Read { token, .. })) => told.push(("answer", token)),
                Some(Told::Event(_)) => {}
                None => panic!("the host has ended: {told:?}"),
            }
        }
        told
    }

    async fn next_answer(&mut self) -> u64 {
        loop {
            if let Some(Told::Event(Event::Read { token, .. })) = self.told.recv().await {
                return token;
            }
        }
    }
}

fn key(number: u8) -> Id {
    Id::of_key(&[number])
}

#[tokio::test]
async fn a_slow_disk_delays_what_is_said_about_records_and_nothing_else() {
    let mut node = OnDisk::start().await;
    node.works.send_replace(Works::NotYet);
    node.write(1);
    node.write(2);
    let answer = node.handle.lookup(key(9)).await.unwrap();
    // Another one, over the network.
    let (other, _) = start(settings(2, Begin::Wait)).await;
    assert_eq!(
        other.ask(answer.owner, Request::Ping).await.unwrap(),
        Reply::Pong
    );
    node.handle.lookup(key(9)).await.unwrap();
    assert!(node.answers().is_empty());
    node.works.send_replace(Works::Yes);
    assert_eq!((node.next_answer().await, node.next_answer().await), (1, 2));
    // With nothing on its way, nothing waits: it is told before the next call is answered.
    node.handle.lookup(key(9)).await.unwrap();
    node.write(3);
    node.handle.lookup(key(9)).await.unwrap();
    assert_eq!(node.answers(), [3]);
}

#[tokio::test]
async fn a_batch_is_told_once_it_is_on_the_disk_and_before_what_depends_on_it() {
    let mut node = OnDisk::start().await;
    node.write(1);
    let before = node.until_answer(1).await;
    let [.., ("batch", last), ("answer", 1)] = before[..] else {
        panic!("{before:?}");
    };
    node.works.send_replace(Works::NotYet);
    node.write(2);
    node.write(3);
    node.handle.lookup(key(9)).await.unwrap();
    while let Ok(told) = node.told.try_recv() {
        assert!(!matches!(told, Told::Committed(_)), "{told:?}");
    }
    node.works.send_replace(Works::Yes);
    let told = node.until_answer(3).await;
    let at = |what| told.iter().position(|told| *told == what);
    assert_eq!(at(("batch", last + 1)), Some(0), "{told:?}");
    assert!(at(("batch", last + 2)) < at(("answer", 3)), "{told:?}");
    let batches = told.iter().filter(|(what, _)| *what == "batch");
    let numbers: Vec<u64> = batches.map(|(_, number)| *number).collect();
    assert!(numbers.is_sorted() && numbers.len() <= 2, "{numbers:?}");
}

#[tokio::test]
async fn a_host_that_leaves_waits_for_its_disk() {
    let mut node = OnDisk::start().await;
    node.works.send_replace(Works::NotYet);
    node.write(1);
    node.handle.lookup(key(9)).await.unwrap();
    let handle = node.handle.clone();
    let leaving = tokio::spawn(async move { handle.leave().await });
    while node.handle.status().await.unwrap().nodes[0].standing
        != cuerda_core::chord::Membership::Outside
    {
        tokio::task::yield_now().await;
    }
    assert!(!node.host.is_finished());
    let told = |told: &Told| {
        matches!(
            told,
            Told::Event(Event::Left | Event::Read { .. }) | Told::Committed(_)
        )
    };
    while let Ok(event) = node.told.try_recv() {
        assert!(!told(&event), "{event:?}");
    }
    node.works.send_replace(Works::Yes);
    assert_eq!(node.host.await.unwrap(), Ok(Ended::Left));
    leaving.await.unwrap().unwrap();
    let mut both = Vec::new();
    while let Ok(event) = node.told.try_recv() {
        both.extend(Some(event).filter(told));
    }
    assert!(
        matches!(
            both[..],
            [
                Told::Committed(_),
                Told::Event(Event::Read { .. }),
                Told::Event(Event::Left)
            ]
        ),
        "{both:?}"
    );
}

#[tokio::test]
async fn a_broken_disk_is_the_end_of_a_host() {
    let mut node = OnDisk::start().await;
    node.works.send_replace(Works::No);
    node.write(1);
    let why = StoreError::Injected("the disk is broken".to_owned());
    assert_eq!((&mut node.host).await.unwrap(), Err(why));
    assert!(node.answers().is_empty(), "nothing is told of what is lost");
    node.store.lock().unwrap().crash();
    assert!(node.store.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_host_does_not_start_without_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        storage: Storage::File(folder.path().join("nowhere/records.db")),
        ..settings(1, Begin::Found)
    };
    let error = Host::bind(Tcp, NoHooks, settings).await.unwrap_err();
    assert!(matches!(error, StartError::Store(_)), "{error}");
}
