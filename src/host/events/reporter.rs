//! The driver's end of the stream: hooks that only listen.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, Ready, ready};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc;

use super::line::{By, Committed, Line, What};
use super::lines::Lines;
use super::queue::{Backlog, Queued, now};
use crate::host::hooks::Hooks;
use crate::host::lost_lines::LostLines;
use crate::host::{hex, limits};
use cuerda_core::chord::{Event, Node};
use cuerda_core::ring::Id;
use cuerda_core::store::Batch;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What becomes of the node and its neighbours.
    Ring,
    /// That, and each batch that is on its disk.
    All,
}

/// Watches a host and tells what it sees to [`Lines`].
#[derive(Clone, Debug)]
pub struct Reporter(Option<Reporting>);

#[derive(Clone, Debug)]
struct Reporting {
    detail: Detail,
    public_key: String,
    /// The nodes in their order.
    ids: Vec<Id>,
    /// Batches that have not reached the disk.
    on_their_way: BTreeMap<Id, VecDeque<Batch>>,
    queue: mpsc::Sender<Queued>,
    backlog: Arc<Backlog>,
}

impl Reporter {
    /// Tells nothing.
    #[must_use]
    pub const fn off() -> Reporter {
        Reporter(None)
    }

    /// Tells so much of the nodes of the process with this Ed25519 public key.
    #[must_use]
    pub fn new(detail: Detail, public_key: &[u8; 32]) -> (Reporter, Lines) {
        Reporter::with_room(detail, public_key, limits::EVENTS)
    }

    /// The same, and lines that are lost are counted here.
    #[must_use]
    pub fn counting(detail: Detail, public_key: &[u8; 32], lost: LostLines) -> (Reporter, Lines) {
        Reporter::with(detail, public_key, limits::EVENTS, lost)
    }

    pub(super) fn with_room(
        detail: Detail,
        public_key: &[u8; 32],
        room: usize,
    ) -> (Reporter, Lines) {
        Reporter::with(detail, public_key, room, LostLines::default())
    }

    fn with(
        detail: Detail,
        public_key: &[u8; 32],
        room: usize,
        lost: LostLines,
    ) -> (Reporter, Lines) {
        let (queue, lines) = mpsc::channel(room);
        let backlog = Arc::new(Backlog {
            lost,
            ..Backlog::default()
        });
        let lines = Lines::new(lines, Arc::clone(&backlog));
        let reporting = Reporting {
            detail,
            public_key: hex::encode(public_key),
            ids: Vec::new(),
            on_their_way: BTreeMap::new(),
            queue,
            backlog,
        };
        (Reporter(Some(reporting)), lines)
    }
}

impl Reporting {
    /// Takes out the next batch of a node that has reached the disk with this one.
    fn reached(&mut self, id: Id, number: u64) -> Option<Batch> {
        let waiting = self.on_their_way.get_mut(&id)?;
        let reached = waiting.front().is_some_and(|batch| batch.number <= number);
        reached.then(|| waiting.pop_front())?
    }

    fn tell(&mut self, node: &Node, what: What) {
        let id = node.me().id;
        let at = self.ids.iter().position(|other| *other == id);
        let weight = what.weight();
        let waiting = self.backlog.weight.load(Relaxed);
        let room = waiting.saturating_add(weight) <= limits::EVENT_BYTES;
        let Some(place) = room.then(|| self.queue.try_reserve().ok()).flatten() else {
            self.backlog.missed.fetch_add(1, Relaxed);
            self.backlog.lost.add_stdout(1);
            return;
        };
        self.backlog.weight.fetch_add(weight, Relaxed);
        place.send(Queued {
            line: Line {
                at_us: now(),
                by: at.map(|at| By { node: at as u8, id }),
                what,
            },
            weight,
            missed: self.backlog.missed.swap(0, Relaxed),
        });
    }
}

impl Hooks for Reporter {
    fn started(&mut self, node: &Node) {
        let Some(reporting) = &mut self.0 else { return };
        reporting.ids.push(node.me().id);
        let what = What::Started {
            incarnation: node.incarnation(),
            address: node.me().address,
            public_key: reporting.public_key.clone(),
        };
        reporting.tell(node, what);
    }

    fn commit(
        &mut self,
        node: &Node,
        batch: &Batch,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> + 'static {
        if let Some(reporting) = &mut self.0
            && reporting.detail == Detail::All
        {
            let batches = reporting.on_their_way.entry(node.me().id).or_default();
            batches.push_back(batch.clone());
        }
        nothing()
    }

    fn committed(&mut self, node: &Node, number: u64) {
        let Some(reporting) = &mut self.0 else { return };
        let id = node.me().id;
        while let Some(batch) = reporting.reached(id, number) {
            let what = What::Committed(Committed::new(&batch));
            reporting.tell(node, what);
        }
    }

    fn on_event(&mut self, node: &Node, event: &Event) {
        if let Some(reporting) = &mut self.0
            && let Some(what) = What::told(node, event)
        {
            reporting.tell(node, what);
        }
    }
}

/// Nothing is held back.
fn nothing() -> Ready<Result<(), String>> {
    ready(Ok(()))
}
