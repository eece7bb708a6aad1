//! A bootstrap node: knows who is alive, so that newcomers need to know nobody but it.
//!
//! It takes no part in the ring and stores nothing on disk. Nodes register with it and go on
//! doing so; whoever has not for a while is forgotten. A ring outlives its bootstrap node:
//! nobody but newcomers asks it anything.
//!
//! It is of one cluster and one protocol, as a member is: whom it names, a newcomer can join.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::descriptors::tell_not_accepted;
use super::frame::{Frame, Handshake, Known, Registered, Registration, Start};
use super::handshake::{Handshaker, Refused};
use super::hosted::Hosted;
use super::limits;
use super::protocol_name::ProtocolName;
use super::settings::{Security, Settings};
use super::sockets::Sockets;
use super::start_error::StartError;
use super::tls::Tls;
use cuerda_core::Hint as _;
use cuerda_core::ring::{Id, Peer};

/// A bootstrap node that listens and is about to run.
#[derive(Debug)]
pub struct Bootstrap<S: Sockets> {
    sockets: S,
    listener: S::Listener,
    address: SocketAddr,
    desk: Desk,
}

/// What every connection needs.
#[derive(Clone, Debug)]
struct Desk {
    handshaker: Handshaker,
    table: Arc<Mutex<Table>>,
}

/// Who has registered.
#[derive(Debug)]
struct Table {
    since: Instant,
    known: BTreeMap<Id, (Registered, Instant)>,
    random: ChaCha8Rng,
}

impl<S: Sockets> Bootstrap<S> {
    /// Listens. Of the settings, those about the nodes themselves don't matter, but for the
    /// cluster's name. It serves nodes of one protocol, that of the settings, and refuses others as
    /// their members would.
    ///
    /// # Errors
    /// If the address can't be listened on, or the settings don't fit.
    pub async fn bind<P: Hosted>(
        sockets: S,
        settings: Settings<P>,
    ) -> Result<Bootstrap<S>, StartError> {
        let tls = match &settings.security {
            Security::None => None,
            Security::Tls(provider) => Some(Tls::new(&settings.identity, provider)?),
        };
        let listening = sockets.listen(settings.listen).await;
        let (listener, address) =
            listening.map_err(|error| StartError::Listen(settings.listen, error))?;
        let handshake = Handshake {
            protocol: P::VERSIONS,
            cluster: Id::of_key(P::basics(&settings.node).cluster.as_bytes()),
            public_key: settings.identity.public_key(),
            address: settings.advertise.unwrap_or(address).into(),
            nodes: 0,
            incarnation: settings.incarnation,
            proof: None,
            name: ProtocolName::of::<P>()?,
        };
        let table = Table {
            since: Instant::now(),
            known: BTreeMap::new(),
            random: ChaCha8Rng::from_seed(settings.seed),
        };
        Ok(Bootstrap {
            sockets,
            listener,
            address,
            desk: Desk {
                // It has no place on the circle that a twin could dispute.
                handshaker: Handshaker::new(tls, handshake, Start::default(), settings.admission),
                table: Arc::new(Mutex::new(table)),
            },
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for ever.
    ///
    /// # Panics
    /// If one of its own tasks did.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        let mut open: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            tokio::select! {
                biased;
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended
                        && error.is_panic()
                    {
                        std::panic::resume_unwind(error.into_panic());
                    }
                    open.retain(|task: &AbortHandle| !task.is_finished());
                }
                accepted = self.sockets.accept(&self.listener) => {
                    let (stream, from) = match accepted {
                        Ok(accepted) => accepted,
                        Err(error) => {
                            tell_not_accepted(&error);
                            tokio::time::sleep(limits::BACK_OFF).await;
                            continue;
                        }
                    };
                    if open.len() >= limits::HANDSHAKES
                        && let Some(oldest) = open.pop_front()
                    {
                        oldest.abort();
                    }
                    let desk = self.desk.clone();
                    open.push_back(tasks.spawn(async move { desk.serve(stream, from).await }));
                }
            }
        }
    }
}

impl Desk {
    async fn serve<T: AsyncRead + AsyncWrite + Unpin>(&self, stream: T, from: SocketAddr) {
        let served = tokio::time::timeout(limits::HANDSHAKE, self.register(stream)).await;
        match served.unwrap_or(Err(Refused::TooSlow(limits::HANDSHAKE))) {
            Ok(()) => {}
            Err(error) => {
                tracing::info!(%from, "a connection came to nothing: {}", error.with_hint());
            }
        }
    }

    /// One node, one registration, one answer.
    async fn register<T: AsyncRead + AsyncWrite + Unpin>(&self, stream: T) -> Result<(), Refused> {
        let mut proven = self.handshaker.accept(stream, limits::HANDSHAKE).await?;
        let registered = match proven.receive().await? {
            Some(Frame::Register(registered)) => registered,
            Some(_) => return Err(Refused::Unopened),
            // A node that looks for its own kind, and has seen that this is not one.
            None => return Ok(()),
        };
        let (handshake, now) = (&proven.handshake, Instant::now());
        let known = self.table().register(handshake, &registered, now);
        proven.send(Frame::Known(known)).await?;
        let closed = proven.channel.shutdown().await;
        closed.map_err(Refused::Unreachable)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Enters the nodes of a process, as far as they are its own, and names a few others:
    /// members if there are any.
    fn register(
        &mut self,
        handshake: &Handshake,
        registration: &Registration,
        now: Instant,
    ) -> Known {
        let every = Duration::from_millis(registration.every_ms.into());
        self.known.retain(|_, (_, until)| *until > now);
        let own = handshake.ids();
        let until = now + (every * 3).min(limits::REGISTERED_FOR);
        let nodes = registration.nodes.iter();
        for one in nodes.filter(|one| own.contains(&one.peer.id)) {
            let id = one.peer.id;
            if self.known.len() < limits::REGISTERED || self.known.contains_key(&id) {
                if !self.known.contains_key(&id) {
                    tracing::info!(peer = %one.peer, "registered");
                }
                let peer = Peer {
                    id,
                    address: handshake.address,
                };
                let member = one.member;
                self.known.insert(id, (Registered { peer, member }, until));
            }
        }
        let mut others: Vec<Registered> = self
            .known
            .values()
            .map(|(one, _)| *one)
            .filter(|one| !own.contains(&one.peer.id))
            .collect();
        if others.iter().any(|one| one.member) {
            others.retain(|one| one.member);
        }
        for at in (1..others.len()).rev() {
            let other = self.random.next_u64() % (at as u64 + 1);
            others.swap(at, other as usize);
        }
        others.truncate(limits::NAMED);
        Known {
            nodes: others,
            complete: now - self.since >= every * 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Identity;
    use cuerda_core::chord::{Node, Protocol as _};

    fn handshake(seed: u8) -> Handshake {
        let address = format!("127.0.0.{seed}:4000");
        Handshake {
            protocol: Node::VERSIONS,
            cluster: Id::ZERO,
            public_key: Identity::from_seed([seed; 32]).public_key(),
            address: address.parse::<SocketAddr>().unwrap().into(),
            nodes: 1,
            incarnation: 1,
            proof: None,
            name: ProtocolName::default(),
        }
    }

    fn registered(handshake: &Handshake, member: bool) -> Registered {
        let peer = Peer {
            id: handshake.ids()[0],
            address: handshake.address,
        };
        Registered { peer, member }
    }

    fn table() -> Table {
        Table {
            since: Instant::now(),
            known: BTreeMap::new(),
            random: ChaCha8Rng::from_seed([1; 32]),
        }
    }

    const EVERY: Duration = Duration::from_secs(10);

    fn register(table: &mut Table, one: &Handshake, nodes: &[Registered], now: Instant) -> Known {
        let registration = Registration {
            nodes: nodes.to_vec(),
            every_ms: 10_000,
        };
        table.register(one, &registration, now)
    }

    #[tokio::test(start_paused = true)]
    async fn it_names_members_and_else_those_that_want_to_be() {
        let (mut table, now) = (table(), Instant::now());
        let [one, two, three] = [1, 2, 3].map(handshake);
        let known = register(&mut table, &one, &[registered(&one, false)], now);
        assert!(known.nodes.is_empty());
        let known = register(&mut table, &two, &[registered(&two, false)], now);
        assert_eq!(known.nodes, [registered(&one, false)]);
        register(&mut table, &one, &[registered(&one, true)], now);
        let known = register(&mut table, &three, &[registered(&three, false)], now);
        assert_eq!(known.nodes, [registered(&one, true)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_heard_from_is_forgotten() {
        let (mut table, now) = (table(), Instant::now());
        let [one, two] = [1, 2].map(handshake);
        register(&mut table, &one, &[registered(&one, true)], now);
        let known = register(&mut table, &two, &[], now + EVERY * 2);
        assert_eq!(known.nodes.len(), 1);
        let known = register(&mut table, &two, &[], now + EVERY * 3);
        assert!(known.nodes.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_registers_for_others() {
        let (mut table, now) = (table(), Instant::now());
        let [one, two] = [1, 2].map(handshake);
        register(&mut table, &one, &[registered(&two, true)], now);
        assert!(table.known.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn just_started_it_says_that_it_may_not_know_all() {
        let (mut table, now) = (table(), Instant::now());
        let one = handshake(1);
        assert!(!register(&mut table, &one, &[], now + EVERY).complete);
        assert!(register(&mut table, &one, &[], now + EVERY * 2).complete);
    }

    #[tokio::test(start_paused = true)]
    async fn it_names_a_few_of_many() {
        let (mut table, now) = (table(), Instant::now());
        for seed in 1..=100 {
            let one = handshake(seed);
            register(&mut table, &one, &[registered(&one, true)], now);
        }
        let me = handshake(101);
        let named = register(&mut table, &me, &[], now).nodes;
        assert_eq!(named.len(), limits::NAMED);
        let again = register(&mut table, &me, &[], now).nodes;
        assert_ne!(named, again, "not always the same");
    }
}
