//! The driver: the one task that owns the nodes of a process.
//!
//! It waits for something to happen, then takes whatever has come in, a bounded batch of each
//! kind, and lets the nodes handle it; only then it releases what they sent, and later, when the
//! disk has it, what depends on their records. Nothing it does waits for a peer, a client or a
//! commit; each of these has a queue that may be full.

mod begin;
mod clients;
mod connections;
mod envelopes;
mod reach;
mod twins;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Rumour;
use super::counters::Counters;
use super::disk::Disk;
use super::frame::Envelope;
use super::handle::{Call, Handle};
use super::handshake::{Handshaker, Proven, Refused};
use super::hooks::Hooks;
use super::hosted::{Basics, Hosted};
use super::latencies::Latencies;
use super::limits;
use super::links::Links;
use super::node_context::{NodeContext, Outbox};
use super::reach::Reach;
use super::seeds::News;
use super::settings::Settings;
use super::sockets::Sockets;
use super::timers::{Due, Timers};
use super::trace::Traces;
use super::waiting::Waiting;
use crate::host::sqlite::StoreError;
use clients::Clients;
use cuerda_core::Hint as _;
use cuerda_core::protocol::twins::Twins;
use cuerda_core::protocol::{Event, Input};
use cuerda_core::ring::{Address, Id, Peer};

/// Envelopes handled in one batch.
const ENVELOPES: usize = 256;
/// Of everything else, as many are handled in one batch.
const OTHERS: usize = 16;
/// How often connections are looked through for those that nobody uses.
const SWEEP: Duration = Duration::from_secs(1);

/// Nodes on sockets: listens, and is about to run.
///
/// Dropped while it runs, it is as if the process had been killed.
#[derive(Debug)]
pub struct Host<P: Hosted, S: Sockets, H: Hooks<P>> {
    sockets: S,
    hooks: H,
    settings: Settings<P>,
    basics: Basics,
    listener: S::Listener,
    handshaker: Handshaker,
    address: SocketAddr,
    nodes: Vec<P>,
    disk: Disk<P>,
    links: Links<P::Message>,
    timers: Timers<P::Timer>,
    random: ChaCha8Rng,
    outbox: Outbox<P>,
    /// Messages between nodes of this host: sender, receiver, message.
    local: VecDeque<(u8, u8, P::Message)>,
    /// By who asks, a node or (`None`) a client, and the request's number.
    requests: BTreeMap<(Option<u8>, u32), Sent>,
    clients: Clients<P::Message>,
    traces: Traces,
    inbox: Queue<(u64, Envelope<P::Message>)>,
    calls: Queue<Call<P>>,
    news: Queue<News<S::Stream>>,
    /// What others say of this process, by the connections' numbers.
    rumours: Queue<(u64, Rumour)>,
    twins: Twins<[u8; 32]>,
    reach: Reach,
    tasks: JoinSet<Done<S::Stream>>,
    /// How many of them carry a connection.
    carried: usize,
    /// Connections from outside that have not proved who they are, the oldest first.
    handshakes: VecDeque<(u64, AbortHandle)>,
    /// No connection is accepted before this, since the last attempt failed.
    accept_after: Option<Instant>,
    member: watch::Sender<bool>,
    waiting: Waiting,
    /// When each node last stabilized with its successor.
    stabilized: BTreeMap<u8, Instant>,
    counters: Arc<Counters>,
    started: Instant,
    now: Instant,
}

/// Both ends of a queue: as long as the driver lives it is not closed.
struct Queue<T> {
    sender: mpsc::Sender<T>,
    receiver: mpsc::Receiver<T>,
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<T> Queue<T> {
    fn new(room: usize) -> Queue<T> {
        let (sender, receiver) = mpsc::channel(room);
        Queue { sender, receiver }
    }
}

/// A request given to a connection, whose reply has not come.
#[derive(Clone, Copy, Debug)]
struct Sent {
    to: Id,
    /// By which connection; `None` once the time for a reply is over.
    by: Option<u64>,
    at: Instant,
    /// It was sent before, under the same number: nobody knows which of the two a reply is to.
    again: bool,
}

/// How one of the driver's tasks ended.
#[derive(Debug)]
enum Done<T> {
    Carried(u64),
    Dialled(Address, Result<Box<Proven<T>>, Refused>),
    Accepted(u64, SocketAddr, Result<Box<Proven<T>>, Refused>),
    /// It was looked whether a process with this key is where it should be.
    Looked([u8; 32], Address, Result<Box<Proven<T>>, Refused>),
    /// Somebody beside a node, who had connected himself, was dialled back.
    DialledBack(Peer, Result<Box<Proven<T>>, Refused>),
    Sought,
}

/// How a host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All its nodes left the ring.
    Left,
    /// They did, but so many records may be nowhere but on its disk.
    LeftBehind(u64),
    /// It was told to stop without leaving.
    Stopped,
    /// Another process that is reached here has the same key, and had started before.
    Twin(SocketAddr),
}

/// What the driver waited for.
enum Woken<P: Hosted, S: Sockets> {
    Call(Option<Call<P>>),
    Envelope(Option<(u64, Envelope<P::Message>)>),
    Done(Option<Result<Done<S::Stream>, tokio::task::JoinError>>),
    News(Option<News<S::Stream>>),
    Rumour(Option<(u64, Rumour)>),
    Accepted(std::io::Result<(S::Stream, SocketAddr)>),
    Disk,
    Time,
}

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    /// Where others reach it.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A handle to it.
    #[must_use]
    pub fn handle(&self) -> Handle<P> {
        let counters = Arc::clone(&self.counters);
        Handle::new(self.calls.sender.clone(), counters, Handle::<P>::TIMEOUT)
    }

    /// Runs until its nodes have left or it is told to stop.
    ///
    /// # Errors
    /// If records can't be brought to the disk, or not be read from it. Then it has ended as if
    /// the process had been killed.
    ///
    /// # Panics
    /// If one of its own tasks did.
    pub async fn run(mut self) -> Result<Ended, StoreError> {
        self.now = Instant::now();
        for node in &self.nodes {
            self.hooks.started(node);
        }
        self.begin();
        self.release();
        let mut sleep = Box::pin(sleep_until(self.now));
        loop {
            if let Some(failure) = self.disk.take_failure() {
                return Err(failure);
            }
            if let Some(ended) = self.ended() {
                self.finish().await;
                return Ok(ended);
            }
            self.hooks.gate().await;
            let woken = self.wait(&mut sleep).await;
            // Whoever stands still does not notice what has woken him.
            self.hooks.gate().await;
            self.now = Instant::now();
            self.accept_after.take_if(|after| *after <= self.now);
            self.take(woken);
            self.take_more();
            self.take_timers();
            self.leave_next();
            self.release();
            self.tell_standing();
        }
    }

    async fn wait(&mut self, sleep: &mut std::pin::Pin<Box<Sleep>>) -> Woken<P, S> {
        if !self.local.is_empty() {
            // Nodes that talk among themselves don't keep the connections from their turn.
            tokio::task::yield_now().await;
            return Woken::Time;
        }
        // There is always a next timer: the sweep.
        let next = self.timers.next().into_iter().chain(self.accept_after);
        if let Some(next) = next.min()
            && sleep.deadline() != next
        {
            sleep.as_mut().reset(next);
        }
        let accepting = self.is_accepting();
        tokio::select! {
            biased;
            () = self.disk.progress(), if self.disk.is_busy() => Woken::Disk,
            call = self.calls.receiver.recv() => Woken::Call(call),
            envelope = self.inbox.receiver.recv() => Woken::Envelope(envelope),
            done = self.tasks.join_next(), if !self.tasks.is_empty() => Woken::Done(done),
            news = self.news.receiver.recv() => Woken::News(news),
            rumour = self.rumours.receiver.recv() => Woken::Rumour(rumour),
            accepted = self.sockets.accept(&self.listener), if accepting => {
                Woken::Accepted(accepted)
            }
            () = sleep.as_mut() => Woken::Time,
        }
    }

    fn take(&mut self, woken: Woken<P, S>) {
        match woken {
            Woken::Call(Some(call)) => self.called(call),
            Woken::Envelope(Some((by, envelope))) => self.envelope_came(by, envelope),
            Woken::Done(Some(done)) => self.done(done),
            Woken::News(Some(news)) => self.heard(news),
            Woken::Rumour(Some((by, rumour))) => self.rumoured(by, rumour),
            Woken::Accepted(accepted) => self.accepted(accepted),
            Woken::Call(None)
            | Woken::Envelope(None)
            | Woken::Done(None)
            | Woken::News(None)
            | Woken::Rumour(None)
            | Woken::Disk
            | Woken::Time => {}
        }
    }

    /// Takes what else is there, a bounded number of each kind, so that none starves another.
    fn take_more(&mut self) {
        for _ in 0..ENVELOPES {
            let Some((from, to, message)) = self.local.pop_front() else {
                break;
            };
            self.message_came(self.nodes[usize::from(from)].me(), to, message);
        }
        for _ in 0..ENVELOPES {
            let Ok((by, envelope)) = self.inbox.receiver.try_recv() else {
                break;
            };
            self.envelope_came(by, envelope);
        }
        for _ in 0..ENVELOPES {
            let Ok(call) = self.calls.receiver.try_recv() else {
                break;
            };
            self.called(call);
        }
        if self.disk.is_busy() {
            let _ = self.disk.progress().now_or_never();
        }
        for _ in 0..OTHERS {
            let Some(done) = self.tasks.try_join_next() else {
                break;
            };
            self.done(done);
        }
        if let Ok(news) = self.news.receiver.try_recv() {
            self.heard(news);
        }
        // A peer that never stops sending envelopes would else keep newcomers out.
        if self.is_accepting()
            && let Some(accepted) = self.sockets.accept(&self.listener).now_or_never()
        {
            self.accepted(accepted);
        }
    }

    fn take_timers(&mut self) {
        while let Some(due) = self.timers.take(self.now) {
            match due {
                Due::Node(node, timer) => self.hand(node, Input::Timer(timer)),
                Due::Request {
                    node,
                    timer,
                    number,
                    patience,
                    extended,
                } => {
                    if let Some(more) = self.more_time(node, number, patience, extended) {
                        let extended = true;
                        let due = Due::Request {
                            node,
                            timer,
                            number,
                            patience,
                            extended,
                        };
                        self.timers.set(more, due);
                    } else {
                        self.no_reply(Some(node), number);
                        self.hand(node, Input::Timer(timer));
                    }
                }
                Due::Dial(address) => {
                    if self.links.dial_planned(address) {
                        self.dial(address);
                    }
                }
                Due::Ask(number) => {
                    self.no_reply(None, number);
                    self.clients.give_up(number);
                }
                Due::Sweep => {
                    self.sweep();
                    self.look_who_is_in_reach();
                    self.timers.set(self.now + SWEEP, Due::Sweep);
                }
            }
        }
    }

    /// Lets a node handle an input, and looks after what it tells. What it sends stays in the
    /// outbox.
    fn hand(&mut self, node: u8, input: Input<P>) {
        match &input {
            Input::Leave => _ = self.clients.told_to_leave.insert(node),
            Input::Found | Input::Join(_) | Input::Resume => {
                self.clients.told_to_leave.remove(&node);
            }
            _ => {}
        }
        let at = usize::from(node);
        let mut context = NodeContext {
            node,
            now: self.now,
            wall_clock: self.hooks.wall_clock(),
            outbox: &mut self.outbox,
            timers: &mut self.timers,
            random: &mut self.random,
            store: self.disk.store(node),
        };
        self.nodes[at].handle(input, &mut context);
        for event in std::mem::take(&mut self.outbox.events) {
            if event.depends_on_store() {
                self.outbox.answers.push((node, event));
            } else {
                self.tell(node, event);
            }
        }
    }

    /// Tells whoever is concerned what a node told.
    fn tell(&mut self, node: u8, event: Event<P::Told>) {
        // What could not be read for want of the file is not damaged.
        if matches!(event, Event::Damaged(_)) && self.disk.store(node).has_trouble() {
            return;
        }
        self.hooks.on_event(&self.nodes[usize::from(node)], &event);
        self.on_event(node, event);
    }

    fn on_event(&mut self, node: u8, event: Event<P::Told>) {
        let me = self.nodes[usize::from(node)].me();
        match event {
            Event::Lookup {
                token,
                result,
                timeouts,
            } => {
                let trace = self.traces.end(token);
                if result.is_err() {
                    Counters::add(&self.counters.lookups_failed);
                } else if let Some(began) = self.clients.lookup_began(token) {
                    let latencies = &self.counters.latencies;
                    Latencies::observe(&latencies.lookups, self.now - began);
                }
                self.clients
                    .looked_up(token, result, timeouts, trace, self.now);
            }
            Event::Step { token, peer, step } => self.traces.step(token, peer, step, self.now),
            Event::Joined => tracing::info!(node = %me, "belongs to the ring"),
            Event::Left => {
                self.clients.left.insert(node);
                tracing::info!(node = %me, "has left the ring");
            }
            Event::Stranded => {
                Counters::add(&self.counters.stranded);
                tracing::warn!(node = %me, "all that it knew are silent; looking for a way back");
            }
            Event::PresumedDead(peer) => {
                Counters::add(&self.counters.peers_presumed_dead);
                tracing::info!(node = %me, %peer, "presumed dead");
            }
            Event::Refused(peer, refusal) => {
                Counters::add(&self.counters.peers_refused);
                let why = refusal.with_hint();
                tracing::warn!(node = %me, %peer, "does not fit: {why}");
                if !self.nodes[usize::from(node)].is_member() {
                    self.waiting.refused(peer, why, self.now);
                }
            }
            Event::Ignored(peer, why) => {
                Counters::add(&self.counters.messages_ignored);
                tracing::debug!(node = %me, %peer, ?why, "ignored a message");
            }
            Event::Written { token, result } => self.written(token, result),
            Event::Read { token, result } => self.has_read(token, result),
            Event::Conflict(key, conflict) => {
                Counters::add(&self.counters.conflicts);
                tracing::info!(node = %me, %key, ?conflict, "two writes did not know of each other");
            }
            Event::SetAside => {
                tracing::warn!(
                    node = %me,
                    "was away for longer than `tombstones_for`: its records are set aside \
                     (`cuerda set-aside list`)"
                );
            }
            Event::ClockWrong(Some(by_ms)) => {
                tracing::warn!(
                    node = %me, by_ms,
                    "this machine's clock is far from those of other nodes, and nothing can be written \
                     through this one: set the clock right"
                );
            }
            Event::ClockWrong(None) => {
                tracing::info!(node = %me, "this machine's clock is near those of other nodes again");
            }
            Event::LeftBehind { records } => {
                self.clients.left_behind += records;
                tracing::warn!(node = %me, records, "leaves, though others may lack what it has; its disk keeps it");
            }
            Event::Leaving => tracing::info!(node = %me, "says good-bye"),
            Event::Damaged(key) => {
                Counters::add(&self.counters.records_damaged);
                tracing::warn!(node = %me, %key, "a record on the disk is damaged");
            }
            Event::NeighboursChanged => {
                tracing::debug!(node = %me, "has other neighbours");
            }
            Event::Told(told) => tracing::debug!(node = %me, ?told, "told"),
        }
    }

    fn tell_standing(&mut self) {
        // Who is leaving does not look for a way in.
        let leaving = self.clients.is_leaving();
        let member = leaving || self.nodes.iter().all(P::is_member);
        self.member.send_if_modified(|known| {
            let changed = *known != member;
            *known = member;
            changed
        });
        if member {
            self.waiting = Waiting::default();
        }
    }

    fn ended(&self) -> Option<Ended> {
        if let Some(older) = self.twins.older() {
            return Some(Ended::Twin(older.into()));
        }
        if self.clients.is_stopping() {
            return Some(Ended::Stopped);
        }
        let over = self.indices().all(|node| self.is_out(node)) && !self.disk.is_busy();
        let left = match self.clients.left_behind {
            0 => Ended::Left,
            records => Ended::LeftBehind(records),
        };
        (self.clients.is_leaving() && over).then_some(left)
    }

    /// Lets the disk and the connections write what they have, and tells who waits for the end.
    async fn finish(&mut self) {
        self.links.close_all();
        let flushed = async {
            while self.disk.is_busy() && !self.disk.has_failed() {
                self.disk.progress().await;
            }
            while self.carried > 0
                && let Some(done) = self.tasks.join_next().await
            {
                self.carried -= usize::from(matches!(done, Ok(Done::Carried(..))));
            }
        };
        let _ = tokio::time::timeout(limits::CLOSING, flushed).await;
        self.tell_committed();
        self.clients.has_ended();
    }
}
