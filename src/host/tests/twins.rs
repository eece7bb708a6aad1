//! Two processes with one key: the younger one stops, and who was only started again does not. On
//! a paused clock.

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::memory::Memory;
use super::stranger::*;
use super::*;
use crate::host::sqlite::StoreError;
use crate::host::{Ended, Frame, Hooks, Sockets, Start};
use cuerda_core::chord::{Node, Request};
use cuerda_core::protocol::limits::TWIN_LOOKS;

/// When the first start of a test is, by the clocks of its machines.
const EPOCH: u64 = 1_700_000_000_000;

/// A clock that stands so many milliseconds after [`EPOCH`]: nothing here depends on records.
#[derive(Debug)]
struct At(u64);

impl Hooks<Node> for At {
    fn wall_clock(&self) -> u64 {
        EPOCH + self.0
    }
}

/// A host that runs, and how it ends.
struct Process {
    handle: Handle,
    address: SocketAddr,
    run: JoinHandle<Result<Ended, StoreError>>,
}

/// Starts the process with a key made of `seed`, at this moment of its clock.
async fn start(net: &Memory, seed: u8, at: u64, begin: Begin, security: &Security) -> Process {
    logs();
    let mut settings = settings(seed, begin);
    settings.security = security.clone();
    let host = Host::bind(net.clone(), At(at), settings).await;
    let (host, handle) = host.unwrap();
    let address = host.address();
    let run = tokio::spawn(host.run());
    Process {
        handle,
        address,
        run,
    }
}

fn joining(address: SocketAddr) -> Begin {
    Begin::Join(vec![address.to_string()])
}

/// A ring of three, whose second member was started after a second.
async fn ring(net: &Memory, security: &Security) -> [Process; 3] {
    let one = start(net, 1, 0, Begin::Found, security).await;
    let two = start(net, 2, 1000, joining(one.address), security).await;
    let three = start(net, 3, 2000, joining(one.address), security).await;
    until_ideal(&one.handle, 3).await;
    [one, two, three]
}

async fn ended(process: Process) -> Ended {
    let ended = tokio::time::timeout(Duration::from_secs(60), process.run).await;
    ended.expect("it ends").unwrap().unwrap()
}

/// Asserts that all of these stay members of one ring for a minute.
async fn stay(processes: &[Process]) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        assert!(processes.iter().all(|process| !process.run.is_finished()));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    until_ideal(&processes[0].handle, processes.len()).await;
}

fn found(process: &Process) -> u64 {
    count(&process.handle, "twins_found")
}

#[tokio::test(start_paused = true)]
async fn the_younger_of_two_with_one_key_is_sent_away_by_who_hears_both() {
    let net = Memory::default();
    let ring = ring(&net, &Security::tls()).await;
    // It is told of a member that is not its twin.
    let copy = start(&net, 2, 9000, joining(ring[0].address), &Security::tls()).await;
    assert_eq!(ended(copy).await, Ended::Twin(ring[1].address));
    assert!(found(&ring[0]) >= 1 && found(&ring[1]) >= 1);
    stay(&ring).await;
}

#[tokio::test(start_paused = true)]
async fn the_younger_one_has_to_go_also_where_it_was_heard_first() {
    let net = Memory::default();
    let ring = ring(&net, &Security::tls()).await;
    // By its clock it was running before, and could not be reached.
    let older = start(&net, 2, 500, joining(ring[0].address), &Security::tls()).await;
    let [one, two, three] = ring;
    assert_eq!(ended(two).await, Ended::Twin(older.address));
    stay(&[one, older, three]).await;
}

#[tokio::test(start_paused = true)]
async fn who_reaches_its_own_key_at_another_address_has_found_its_twin() {
    let net = Memory::default();
    let one = start(&net, 1, 0, Begin::Found, &Security::tls()).await;
    let copy = start(&net, 1, 1, joining(one.address), &Security::tls()).await;
    assert_eq!(ended(copy).await, Ended::Twin(one.address));
    assert!(found(&one) >= 1);
    // The other way round: who is called finds out as well.
    let older = start(&net, 1, 0, Begin::Wait, &Security::tls()).await;
    let copy = start(&net, 1, 1, Begin::Wait, &Security::tls()).await;
    let mut caller = Stranger::new(1, &Security::tls());
    caller.start = Start {
        at_ms: EPOCH,
        instance: 0,
    };
    caller.handshake.address = older.address.into();
    let _line = caller.call(&net, copy.address).await;
    assert_eq!(ended(copy).await, Ended::Twin(older.address));
}

#[tokio::test(start_paused = true)]
async fn who_was_started_again_elsewhere_is_no_twin_of_its_former_self() {
    // Where the former self was nobody listens, or somebody who says nothing any more; and the clock
    // may have been set back since.
    for (silent, started) in [(false, 0), (true, 0), (false, 9000), (true, 9000)] {
        let net = Memory::default();
        let one = start(&net, 1, 0, Begin::Found, &Security::tls()).await;
        let mut former = Stranger::new(2, &Security::tls());
        former.start = Start {
            at_ms: EPOCH + started,
            instance: 0,
        };
        let listening = net.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        if silent {
            former.handshake.address = listening.1.into();
        }
        // Its connection is still there, and said something just now.
        let mut line = former.call(&net, one.address).await;
        line.send(&question(1, Request::Ping)).await.unwrap();
        line.message().await;
        let again = start(&net, 2, 5000, joining(one.address), &Security::tls()).await;
        until_ideal(&one.handle, 2).await;
        let asked = net.calls(SocketAddr::from(former.handshake.address));
        assert!(!asked.is_empty(), "it was asked whether it is there");
        assert_eq!((found(&one), found(&again)), (0, 0));
        stay(&[one, again]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_suspended_when_it_was_asked_is_asked_again_once_it_says_something() {
    let net = Memory::default();
    let one = start(&net, 1, 0, Begin::Found, &Security::tls()).await;
    let mut older = Stranger::new(2, &Security::tls());
    older.start = Start {
        at_ms: EPOCH,
        instance: 0,
    };
    let (listener, address) = net.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    older.handshake.address = address.into();
    let mut line = older.call(&net, one.address).await;
    line.send(&question(1, Request::Ping)).await.unwrap();
    line.message().await;
    let younger = start(&net, 2, 5000, joining(one.address), &Security::tls()).await;
    until_ideal(&one.handle, 2).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!net.calls(address).is_empty() && !younger.run.is_finished());
    assert_eq!(found(&one), 0);
    // From now on it answers whoever connects; those who have given up hear nothing.
    let older = Arc::new(older);
    let answering = net.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = answering.accept(&listener).await {
            let older = Arc::clone(&older);
            tokio::spawn(async move {
                let _line = older.answer(stream).await;
                std::future::pending::<()>().await;
            });
        }
    });
    line.send(&question(2, Request::Ping)).await.unwrap();
    assert_eq!(ended(younger).await, Ended::Twin(address));
    assert!(found(&one) >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_the_same_address_finds_itself_there() {
    let net = Memory::default();
    let one = start(&net, 1, 0, Begin::Found, &Security::tls()).await;
    let mut former = Stranger::new(2, &Security::tls());
    let again = start(&net, 2, 5000, Begin::Wait, &Security::tls()).await;
    former.handshake.address = again.address.into();
    let _line = former.call(&net, one.address).await;
    let met = first_node(&one.handle).await;
    again.handle.ask(met, Request::Ping).await.unwrap();
    until_counted(&again.handle, "connections_accepted", 1).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!one.run.is_finished() && !again.run.is_finished());
    assert_eq!((found(&one), found(&again)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_stopped_by_those_who_only_say_that_there_is_a_twin() {
    let net = Memory::default();
    let ring = ring(&net, &Security::tls()).await;
    let (listener, address) = net.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut liar = Stranger::new(50, &Security::tls());
    liar.handshake.address = address.into();
    let mut line = liar.call(&net, ring[1].address).await;
    // At his own address, at that of another member, and at that of whom he tells.
    for twin in [address, ring[0].address, ring[1].address] {
        for _ in 0..100 {
            line.send(&Frame::Twin(twin.into())).await.unwrap();
        }
        if twin == address {
            let (stream, _) = net.accept(&listener).await.unwrap();
            let _answered = liar.answer(stream).await;
        }
        tokio::time::sleep(TWIN_LOOKS).await;
    }
    // It is not looked again at once.
    assert_eq!(net.calls(address).len(), 1);
    assert_eq!(ring.iter().map(found).sum::<u64>(), 0);
    // He can't claim the key either.
    let mut forger = Stranger::new(50, &Security::tls());
    forger.handshake.public_key = Identity::from_seed([2; 32]).public_key();
    let (mut line, handshake) = forger.connect(&net, ring[1].address).await;
    line.send(&Frame::Handshake(handshake)).await.unwrap();
    line.send(&Frame::Started(forger.start)).await.unwrap();
    line.until_closed().await;
    stay(&ring).await;
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_only_claimed_stop_nobody() {
    let net = Memory::default();
    let ring = ring(&net, &Security::None).await;
    let copy = start(&net, 2, 9000, joining(ring[0].address), &Security::None).await;
    let mut claimer = Stranger::new(2, &Security::None);
    claimer.handshake.address = ring[1].address.into();
    for process in &ring {
        let _line = claimer.call(&net, process.address).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    for process in ring.iter().chain([&copy]) {
        assert!(!process.run.is_finished());
        assert_eq!(found(process), 0);
    }
}
