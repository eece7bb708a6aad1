//! Whom to join: finds members by the addresses that a node was given.
//!
//! An address may be that of a member, or of a bootstrap node that knows members. Attempts are
//! repeated, less and less often, until the nodes belong to a ring; with a bootstrap node, the
//! seeker goes on telling it that they are alive. Members too ask now and then whoever they were
//! given: after a long cut with turnover, nobody else may know of the other ring.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::frame::{Frame, Known, Registered, Registration, Start};
use super::handshake::{Handshaker, Proven, Refused};
use super::limits;
use super::node_context::fraction;
use super::sockets::Sockets;
use super::waiting::Sought;
use cuerda_core::Hint as _;
use cuerda_core::ring::{Address, Peer};

/// The first wait between two rounds, and the longest.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// An attempt may take so many times as long as the wait after its round.
const PATIENCE: u32 = 8;

/// What the seeker tells the driver.
#[derive(Debug)]
pub(super) enum News<T> {
    /// A process answered at this address; here is the connection to it.
    Met(SocketAddr, Box<Proven<T>>),
    /// A process answered that has this one's own key. Here are its start, and where others reach it.
    Own(Start, Address),
    /// A bootstrap node says that these are alive.
    Contacts(Vec<Peer>),
    /// This node is alive, as a bootstrap node says or an address that was given. If it is a member,
    /// it should belong to the same ring.
    Alive(Peer),
    /// A bootstrap node has known of nobody else for long: somebody must be the first.
    Alone,
    /// What is waited for, in words.
    WaitingFor(Option<Sought>),
}

/// Seeks members to join.
#[derive(Debug)]
pub(super) struct Seeker<S: Sockets> {
    pub(super) sockets: S,
    pub(super) handshaker: Handshaker,
    /// `host:port` of members and bootstrap nodes.
    pub(super) names: Vec<String>,
    /// How long one attempt may take at most.
    pub(super) patience_max: Duration,
    /// How long it may take in this round: at first less, so that an address where nobody is
    /// does not keep the others waiting for long.
    pub(super) patience: Duration,
    pub(super) found_after: Duration,
    /// How often a bootstrap node is told that these nodes are alive.
    pub(super) heartbeat: Duration,
    pub(super) news: mpsc::Sender<News<S::Stream>>,
    /// Whether the nodes belong to a ring.
    pub(super) member: watch::Receiver<bool>,
    pub(super) random: ChaCha8Rng,
}

/// What one round found.
#[derive(Debug, Default)]
struct Round {
    met: bool,
    /// Whether a bootstrap node answered, and whether one named anybody.
    bootstrap: bool,
    named: bool,
    /// Whether one that has heard of all that are alive named nobody.
    alone: bool,
    troubles: Vec<String>,
}

impl<S: Sockets> Seeker<S> {
    /// Never ends, as long as there is a bootstrap node to tell; else when the driver is gone.
    pub(super) async fn seek(mut self) {
        let mut pause = PAUSE;
        let mut alone_since = None;
        let mut ordinary = BTreeMap::new();
        loop {
            let member = *self.member.borrow_and_update();
            if !member {
                ordinary.clear();
            }
            self.patience = (pause * PATIENCE).min(self.patience_max);
            let round = self.round(member, &mut ordinary).await;
            let now = Instant::now();
            if member {
                alone_since = None;
            } else if round.alone && !round.met && !round.named {
                let since = *alone_since.get_or_insert(now);
                if now - since >= self.found_after && self.tell(News::Alone).await.is_err() {
                    return;
                }
            } else {
                alone_since = None;
            }
            let waiting_for = (!member).then(|| self.waiting_for(&round));
            if self.tell(News::WaitingFor(waiting_for)).await.is_err() {
                return;
            }
            let wait = if member {
                pause = PAUSE;
                self.heartbeat
            } else {
                let wait = pause;
                pause = (pause * 2).min(PAUSE_MAX);
                wait
            };
            let wait = wait.mul_f64(1.0 - fraction(&mut self.random) / 2.0);
            tokio::select! {
                biased;
                changed = self.member.changed() => if changed.is_err() {
                    return;
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn tell(&self, news: News<S::Stream>) -> Result<(), ()> {
        self.news.send(news).await.map_err(|_| ())
    }

    fn waiting_for(&self, round: &Round) -> Sought {
        Sought {
            words: self.words(round),
            answered: round.met || round.named,
        }
    }

    fn words(&self, round: &Round) -> String {
        if round.met {
            return "waiting for a member to let this node in, which says nothing; if that lasts, \
                    does it have the cluster's secret, or its key a place on the list? The \
                    member's log says"
                .to_owned();
        }
        if round.named {
            return "waiting for an answer of one of the nodes that the bootstrap node names"
                .to_owned();
        }
        if round.bootstrap {
            return format!(
                "waiting for other nodes to register with the bootstrap node; founds a ring after \
                 {:?} alone",
                self.found_after
            );
        }
        if round.troubles.is_empty() {
            return "waiting for somebody else to join: all the addresses given are this node's \
                    own; to found a ring, leave `join` out"
                .to_owned();
        }
        format!(
            "waiting for a member to answer: {}",
            round.troubles.join("; ")
        )
    }

    /// Tries all addresses once. Members go to `ordinary` nodes, as far as these are known, no sooner
    /// than when it says.
    async fn round(&mut self, member: bool, ordinary: &mut BTreeMap<SocketAddr, Instant>) -> Round {
        let mut round = Round::default();
        for name in self.names.clone() {
            let addresses = match self.sockets.resolve(&name).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    round.troubles.push(format!("{name}: {error}"));
                    continue;
                }
            };
            for address in addresses.into_iter().take(limits::NAMED) {
                let next = ordinary.get(&address);
                if next.is_some_and(|&next| Instant::now() < next) {
                    continue;
                }
                match self
                    .handshaker
                    .dial(&self.sockets, address, self.patience)
                    .await
                {
                    Ok(proven) => {
                        if self.is_own(&proven) {
                            // A bootstrap node has no place that this one could have as well.
                            if proven.handshake.nodes > 0 {
                                let address = proven.handshake.address;
                                let _ = self.tell(News::Own(proven.start, address)).await;
                            }
                        } else if member && let Some(&id) = proven.handshake.ids().first() {
                            ordinary.insert(address, Instant::now() + limits::CONFIGURED_AGAIN);
                            let address = proven.handshake.address;
                            let _ = self.tell(News::Alive(Peer { id, address })).await;
                        } else {
                            self.met(address, proven, member, &mut round).await;
                        }
                    }
                    Err(error) => round
                        .troubles
                        .push(format!("{name}: {}", error.with_hint())),
                }
            }
        }
        round
    }

    /// Whether the connection leads to this process itself, or to one with the same key.
    fn is_own(&self, proven: &Proven<S::Stream>) -> bool {
        proven.handshake.public_key == self.handshaker.handshake.public_key
    }

    async fn met(
        &self,
        address: SocketAddr,
        proven: Proven<S::Stream>,
        member: bool,
        round: &mut Round,
    ) {
        if proven.handshake.nodes > 0 {
            round.met = true;
            let _ = self.tell(News::Met(address, Box::new(proven))).await;
            return;
        }
        round.bootstrap = true;
        let exchanged = tokio::time::timeout(self.patience, self.register(proven, member)).await;
        match exchanged.unwrap_or(Err(Refused::TooSlow(self.patience))) {
            Ok(known) => {
                let nodes = &known.nodes;
                round.named |= !nodes.is_empty();
                round.alone |= nodes.is_empty() && known.complete;
                let news = match nodes.first() {
                    None => return,
                    // In the same ring, it costs one question. In another, the rings must meet.
                    Some(one) if member && one.member => News::Alive(one.peer),
                    Some(_) if member => return,
                    Some(_) => News::Contacts(nodes.iter().map(|one| one.peer).collect()),
                };
                let _ = self.tell(news).await;
            }
            Err(error) => round
                .troubles
                .push(format!("{address}: {}", error.with_hint())),
        }
    }

    /// Tells a bootstrap node that these nodes are alive, and hears of others.
    async fn register(
        &self,
        mut proven: Proven<S::Stream>,
        member: bool,
    ) -> Result<Known, Refused> {
        let handshake = &self.handshaker.handshake;
        let peers = handshake.ids().into_iter().map(|id| Registered {
            peer: Peer {
                id,
                address: handshake.address,
            },
            member,
        });
        let registration = Registration {
            nodes: peers.collect(),
            every_ms: u32::try_from(self.heartbeat.as_millis()).unwrap_or(u32::MAX),
        };
        proven.send(Frame::Register(registration)).await?;
        match proven.receive().await? {
            Some(Frame::Known(known)) => Ok(known),
            Some(_) => Err(Refused::Unopened),
            None => Err(Refused::Mute),
        }
    }
}
