//! The stores of a host's nodes, the disk under them, and what must wait for it.
//!
//! ```text
//!   seal ──▶ Hooks::commit ──▶ memory: there at once ──────────────────▶ committed
//!                         └──▶ a file: all batches that wait, in one ──▶ in their order
//!                              transaction, beside the driver
//! ```
//!
//! The driver seals each store once after a batch of inputs. What a node said that depends on its
//! store is kept here until all of that store's batches up to then are on the disk; then it is
//! released, in its order. If nothing is on its way, nothing is kept. A commit that fails is the
//! end of the host: its nodes have read what is not there.

use std::collections::VecDeque;
use std::fmt;
use std::fs::OpenOptions;
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::limits;
use super::node_store::NodeStore;
use super::settings::Storage;
use crate::host::sqlite::{Database, LogState, StoreError};
use cuerda_core::protocol::{Event, Protocol, Wire as _};
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::{Batch, MemoryStore, Store as _};

/// Something a node said that depends on its store.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<P: Protocol> {
    Message(Peer, P::Message),
    Event(Event<P::Told>),
}

/// The stores, by node, and what is on its way from them to the disk.
#[derive(Debug)]
pub(super) struct Disk<P: Protocol> {
    places: Vec<Place<P>>,
    file: Option<Writer>,
    failure: Option<StoreError>,
    /// Something has been committed, or could not be, since the driver looked last.
    news: bool,
    /// What has been committed and not yet been told: node and number.
    told: Vec<(u8, u64)>,
    /// How long the transactions took that have not yet been told.
    times: Vec<Duration>,
    /// How large the file is, with its log.
    bytes: Option<u64>,
}

/// A node's store.
#[derive(Debug)]
struct Place<P: Protocol> {
    id: Id,
    store: NodeStore,
    /// The number of the last batch that was sealed, and of the last that is on the disk.
    sealed: u64,
    committed: u64,
    /// Batches that a harness holds back, in their order.
    held: VecDeque<Held>,
    /// With the number of the batch that each waits for.
    kept: VecDeque<(u64, Said<P>)>,
}

/// A batch, and until when it is held back.
struct Held {
    batch: Batch,
    until: BoxFuture<'static, Result<(), String>>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.batch).finish()
    }
}

/// Brings batches into a file.
#[derive(Debug)]
struct Writer {
    /// Away while it is written to.
    database: Option<Database>,
    /// What the next transaction is made of: node, its id, batch.
    waiting: Vec<(usize, Id, Batch)>,
    /// What clients want of the file besides, in its order. Transactions and these take turns.
    jobs: VecDeque<Job>,
    /// The last turn was a job's.
    was_job: bool,
    running: Option<JoinHandle<Written>>,
}

/// Something that a client wants of the file, for the node with this id. Each is short, since all
/// that the nodes write waits for it.
struct Job {
    id: Id,
    work: OnFile,
}

/// Done with the file, and the id of the node that it is about; without a file with nothing.
pub(super) type OnFile = Box<dyn FnOnce(Option<(&mut Database, Id)>) + Send>;

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.id).finish()
    }
}

/// A turn with the file that has ended.
#[derive(Debug)]
struct Written {
    database: Database,
    /// The nodes and numbers of its batches.
    numbers: Vec<(usize, u64)>,
    result: Result<(), StoreError>,
    /// How long the transaction took, if there was one.
    took: Option<Duration>,
    /// How large the file is then.
    bytes: Option<u64>,
}

impl<P: Protocol> Disk<P> {
    /// Opens the stores of these nodes, as they were left.
    pub(super) fn open(storage: &Storage, ids: &[Id]) -> Result<Disk<P>, StoreError> {
        let (mut file, mut bytes) = (None, None);
        let node_stores: Vec<NodeStore> = match storage {
            Storage::Memory => ids
                .iter()
                .map(|_| NodeStore::Memory(MemoryStore::default()))
                .collect(),
            Storage::Shared(stores) => {
                for store in stores {
                    // Whoever had it before is gone, and what was not on the disk with him.
                    store.lock().unwrap_or_else(PoisonError::into_inner).crash();
                }
                let mut stores = stores.iter().cloned().map(NodeStore::Shared);
                let fresh = || NodeStore::Memory(MemoryStore::default());
                ids.iter()
                    .map(|_| stores.next().unwrap_or_else(fresh))
                    .collect()
            }
            Storage::File(path) => {
                make_private(path)?;
                let mut database = Database::open(path)?;
                tell_log_state(&database);
                let node_stores = ids
                    .iter()
                    .map(|id| database.store(*id).map(NodeStore::File));
                let node_stores = node_stores.collect::<Result<_, _>>()?;
                bytes = database.bytes();
                file = Some(Writer {
                    database: Some(database),
                    waiting: Vec::new(),
                    jobs: VecDeque::new(),
                    was_job: false,
                    running: None,
                });
                node_stores
            }
        };
        let place = |(&id, store)| Place {
            id,
            store,
            sealed: 0,
            committed: 0,
            held: VecDeque::new(),
            kept: VecDeque::new(),
        };
        Ok(Disk {
            places: ids.iter().zip(node_stores).map(place).collect(),
            file,
            failure: None,
            news: false,
            told: Vec::new(),
            times: Vec::new(),
            bytes,
        })
    }

    /// The store of a node.
    pub(super) fn store(&mut self, node: u8) -> &mut NodeStore {
        &mut self.places[usize::from(node)].store
    }

    /// Closes the batch of what a node has staged, if it has staged anything.
    pub(super) fn seal(&mut self, node: u8) -> Option<Batch> {
        let place = &mut self.places[usize::from(node)];
        let trouble = place.store.take_trouble();
        let batch = place.store.seal();
        place.sealed = batch.as_ref().map_or(place.sealed, |batch| batch.number);
        if let Some(trouble) = trouble {
            self.fail(trouble);
        }
        batch
    }

    /// The first failure is the one that people are told of.
    fn fail(&mut self, error: StoreError) {
        self.failure.get_or_insert(error);
        self.news = true;
    }

    /// Sends a batch on its way, which begins when `until` has ended. [`Disk::start`] must follow.
    pub(super) fn bring(
        &mut self,
        node: u8,
        batch: Batch,
        until: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        let node = usize::from(node);
        let mut until = until.boxed();
        let held = &mut self.places[node].held;
        // Most often nobody holds anything back, and nothing has to wait for the next turn.
        if held.is_empty()
            && let Some(ended) = (&mut until).now_or_never()
        {
            self.no_longer_held(node, batch, ended);
        } else {
            held.push_back(Held { batch, until });
        }
    }

    fn no_longer_held(&mut self, node: usize, batch: Batch, ended: Result<(), String>) {
        let place = &mut self.places[node];
        match (ended, &mut self.file) {
            (Err(why), _) => self.fail(StoreError::Injected(why)),
            (Ok(()), Some(file)) => file.waiting.push((node, place.id, batch)),
            (Ok(()), None) => {
                place.has_committed(batch.number);
                self.told.push((node as u8, batch.number));
                self.news = true;
            }
        }
    }

    /// Lets a client do something with the file, in turn. Not about a node that is not there.
    pub(super) fn on_file(&mut self, node: u8, work: OnFile) {
        match (self.places.get(usize::from(node)), &mut self.file) {
            (Some(&Place { id, .. }), Some(file)) => file.jobs.push_back(Job { id, work }),
            _ => work(None),
        }
        self.start();
    }

    /// Begins to write what waits, or a job, unless the file is in use already.
    pub(super) fn start(&mut self) {
        let Some(file) = &mut self.file else { return };
        let nothing = file.waiting.is_empty() && file.jobs.is_empty();
        if nothing {
            return;
        }
        let Some(mut database) = file.database.take() else {
            return;
        };
        let turn = file.waiting.is_empty() || !file.was_job;
        let job = if turn { file.jobs.pop_front() } else { None };
        file.was_job = job.is_some();
        file.running = Some(match job {
            Some(Job { id, work }) => tokio::task::spawn_blocking(move || {
                work(Some((&mut database, id)));
                Written {
                    numbers: Vec::new(),
                    result: Ok(()),
                    took: None,
                    bytes: database.bytes(),
                    database,
                }
            }),
            None => {
                let batches = std::mem::take(&mut file.waiting);
                tokio::task::spawn_blocking(move || {
                    let began = Instant::now();
                    let result = database.commit(batches.iter().map(|(_, id, batch)| (*id, batch)));
                    let numbers = batches.iter().map(|(node, _, batch)| (*node, batch.number));
                    Written {
                        numbers: numbers.collect(),
                        result,
                        took: Some(began.elapsed()),
                        bytes: database.bytes(),
                        database,
                    }
                })
            }
        });
    }

    /// Whether anything is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.places.iter().any(Place::<P>::is_busy)
            || self
                .file
                .as_ref()
                .is_some_and(|file| file.running.is_some() || !file.jobs.is_empty())
    }

    /// Ends when something has reached the disk, or could not. May be dropped before.
    pub(super) fn progress(&mut self) -> impl Future<Output = ()> {
        poll_fn(|context| self.poll(context))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for node in 0..self.places.len() {
            while let Some(Held { batch, mut until }) = self.places[node].held.pop_front() {
                match until.poll_unpin(context) {
                    Poll::Ready(ended) => self.no_longer_held(node, batch, ended),
                    Poll::Pending => {
                        self.places[node].held.push_front(Held { batch, until });
                        break;
                    }
                }
            }
        }
        self.start();
        while let Some(file) = &mut self.file
            && let Some(running) = &mut file.running
            && let Poll::Ready(ended) = Pin::new(running).poll(context)
        {
            file.running = None;
            match ended {
                Ok(Written {
                    database,
                    numbers,
                    result: Ok(()),
                    took,
                    bytes,
                }) => {
                    file.database = Some(database);
                    self.times.extend(took);
                    self.bytes = bytes;
                    for (node, number) in numbers {
                        self.places[node].has_committed(number);
                        self.told.push((node as u8, number));
                    }
                    self.news = true;
                    self.start();
                }
                Ok(Written {
                    result: Err(error), ..
                }) => self.fail(error),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is about to end, and with it the host.
                Err(_) => {}
            }
        }
        if std::mem::take(&mut self.news) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Whether what a node says now about its records has to be kept.
    pub(super) fn keeps(&self, node: u8) -> bool {
        self.places[usize::from(node)].is_busy()
    }

    /// Whether a request of a node is among what is kept: nobody can have answered it.
    pub(super) fn keeps_request(&self, node: u8, number: u32) -> bool {
        let is_it = |(_, said): &(u64, Said<P>)| match said {
            Said::Message(_, message) => message.asks().is_some_and(|id| id.number == number),
            Said::Event(_) => false,
        };
        self.places[usize::from(node)].kept.iter().any(is_it)
    }

    /// Keeps what a node said until all of its batches up to now are on the disk. False if it was
    /// a message and there is no room for more.
    #[must_use]
    pub(super) fn keep(&mut self, node: u8, said: Said<P>) -> bool {
        let place = &mut self.places[usize::from(node)];
        // Events are answers to clients, whose number is bounded, and no answer may be lost.
        if matches!(said, Said::Message(..)) && place.kept.len() >= limits::KEPT {
            return false;
        }
        place.kept.push_back((place.sealed, said));
        true
    }

    /// Takes out what need not be kept any longer, by node.
    pub(super) fn released(&mut self) -> Vec<(u8, Said<P>)> {
        let mut released = Vec::new();
        for (node, place) in self.places.iter_mut().enumerate() {
            while place.is_releasing()
                && let Some((_, said)) = place.kept.pop_front()
            {
                released.push((node as u8, said));
            }
        }
        released
    }

    /// Takes out the batches that have reached the disk since the last call: node and number.
    pub(super) fn take_committed(&mut self) -> Vec<(u8, u64)> {
        std::mem::take(&mut self.told)
    }

    /// Takes out how long the transactions took that have ended since the last call.
    pub(super) fn take_times(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.times)
    }

    /// How large the file is, with its log; `None` without a file.
    pub(super) const fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Whether the host can't go on.
    pub(super) const fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Takes out why the host can't go on, if it can't.
    pub(super) fn take_failure(&mut self) -> Option<StoreError> {
        self.failure.take()
    }
}

impl<P: Protocol> Place<P> {
    fn is_busy(&self) -> bool {
        self.committed < self.sealed
    }

    fn is_releasing(&self) -> bool {
        let first = self.kept.front();
        first.is_some_and(|(number, _)| *number <= self.committed)
    }

    fn has_committed(&mut self, number: u64) {
        self.store.committed(number);
        self.committed = number;
    }
}

/// Says what SQLite does not.
fn tell_log_state(database: &Database) {
    let file = database.path().display();
    match database.log_state() {
        LogState::Sound => {}
        LogState::Unfinished => tracing::warn!(
            %file,
            "the last transaction in the log of this file (`-wal`) is not whole, as after a loss of \
             power: it is left out. If there was none, check the disk"
        ),
        LogState::Lost => tracing::error!(
            %file,
            "the log of this file (`-wal`) is DAMAGED: records that this node acknowledged are lost \
             from its disk. It goes on with what is left, and copies what other holders have; check \
             the disk"
        ),
    }
}

/// Makes the file if there is none, for its owner alone; SQLite gives the files beside it the
/// same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        // It is opened next, and whatever is wrong with it is told then.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Unusable {
            path: path.to_owned(),
            why: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests;
