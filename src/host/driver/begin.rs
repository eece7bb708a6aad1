//! How a host comes up.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Done, Host, Queue, SWEEP};
use crate::host::counters::Counters;
use crate::host::disk::Disk;
use crate::host::driver::clients::Clients;
use crate::host::frame::Handshake;
use crate::host::handle::Handle;
use crate::host::handshake::Handshaker;
use crate::host::hooks::Hooks;
use crate::host::hosted::Hosted;
use crate::host::limits;
use crate::host::links::Links;
use crate::host::node_context::Outbox;
use crate::host::protocol_name::{ProtocolName, UnfitName};
use crate::host::seeds::Seeker;
use crate::host::settings::{Begin, Security, Settings};
use crate::host::sockets::Sockets;
use crate::host::sqlite::StoreError;
use crate::host::timers::{Due, Timers};
use crate::host::tls::Tls;
use crate::host::trace::Traces;
use cuerda_core::Hint;
use cuerda_core::chord::ConfigError;
use cuerda_core::protocol::Input;
use cuerda_core::ring::{Id, Peer};

/// Why a host can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be listened on.
    #[error("can't listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// Others could not reach it at this address.
    #[error("nobody can reach a node at {0}")]
    Advertise(SocketAddr),
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// More virtual nodes than a process may host, or none.
    #[error("a process hosts 1 to {most} nodes, not {0}", most = limits::VIRTUAL_NODES)]
    VirtualNodes(u8),
    /// The holders of a record, which are different processes, may lie behind more nodes than an
    /// owner knows: how many successors there must be.
    #[error("with so many virtual nodes and `replicas` the list of successors must be {0} long")]
    Successors(u16),
    /// The settings of nodes of another protocol than Chord don't fit.
    #[error("{0}")]
    Unfit(String),
    /// Other processes would not read what the protocol is called.
    #[error(transparent)]
    Name(#[from] UnfitName),
    /// The key can't be used for TLS.
    #[error("the key can't be used for TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The records can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Hint for StartError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            StartError::Listen(..) => "choose another address, or stop who uses it",
            StartError::Advertise(_) => {
                "say where others reach it by `advertise`, as in `--advertise 192.0.2.7:4000`"
            }
            StartError::Successors(_) => {
                "raise `successors` on all nodes, or lower `virtual_nodes` or `replicas`"
            }
            StartError::Config(error) => return error.hint(),
            StartError::Store(error) => return error.hint(),
            StartError::Name(error) => return error.hint(),
            StartError::VirtualNodes(_) | StartError::Unfit(_) | StartError::Tls(_) => return None,
        }))
    }
}

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    /// Listens, and makes the nodes. Nothing is sent before [`Host::run`].
    ///
    /// # Errors
    /// If the address can't be listened on, the records can't be used, or the settings don't fit.
    pub async fn bind(
        sockets: S,
        hooks: H,
        settings: Settings<P>,
    ) -> Result<(Host<P, S, H>, Handle<P>), StartError> {
        if !(1..=limits::VIRTUAL_NODES).contains(&settings.virtual_nodes) {
            return Err(StartError::VirtualNodes(settings.virtual_nodes));
        }
        P::validate(&settings.node, settings.virtual_nodes)?;
        let basics = P::basics(&settings.node);
        let name = ProtocolName::of::<P>()?;
        let tls = match &settings.security {
            Security::None => None,
            Security::Tls(provider) => Some(Tls::new(&settings.identity, provider)?),
        };
        let listening = sockets.listen(settings.listen).await;
        let (listener, bound) =
            listening.map_err(|error| StartError::Listen(settings.listen, error))?;
        let mut address = settings.advertise.unwrap_or(bound);
        if address.port() == 0 {
            address.set_port(bound.port());
        }
        if address.ip().is_unspecified() {
            return Err(StartError::Advertise(address));
        }
        let handshake = Handshake {
            protocol: P::VERSIONS,
            cluster: Id::of_key(basics.cluster.as_bytes()),
            public_key: settings.identity.public_key(),
            address: address.into(),
            nodes: settings.virtual_nodes,
            incarnation: settings.incarnation,
            proof: None,
            name,
        };
        let nodes: Vec<P> = match &settings.begin {
            Begin::Resume(nodes) => nodes.clone(),
            _ => (0..settings.virtual_nodes)
                .map(|index| {
                    let me = Peer {
                        id: settings.identity.id(index),
                        address: address.into(),
                    };
                    P::new(me, Arc::clone(&settings.node), settings.incarnation)
                })
                .collect(),
        };
        let ids: Vec<Id> = nodes.iter().map(|node| node.me().id).collect();
        let disk = Disk::open(&settings.storage, &ids)?;
        let now = Instant::now();
        let host = Host {
            handshaker: Handshaker::new(tls, handshake, settings.admission.clone()),
            random: ChaCha8Rng::from_seed(settings.seed),
            sockets,
            hooks,
            settings,
            basics,
            listener,
            address,
            disk,
            nodes,
            links: Links::default(),
            timers: Timers::default(),
            outbox: Outbox::default(),
            local: VecDeque::new(),
            requests: BTreeMap::new(),
            clients: Clients::default(),
            traces: Traces::default(),
            inbox: Queue::new(limits::INBOX),
            calls: Queue::new(limits::CALLS),
            news: Queue::new(limits::NEWS),
            tasks: JoinSet::new(),
            carried: 0,
            handshakes: VecDeque::new(),
            accept_after: None,
            member: watch::Sender::new(false),
            waiting_for: None,
            counters: Arc::new(Counters::default()),
            started: now,
            now,
        };
        let handle = host.handle();
        Ok((host, handle))
    }

    /// Gives the nodes their first orders.
    pub(super) fn begin(&mut self) {
        self.timers.set(self.now + SWEEP, Due::Sweep);
        match self.settings.begin.clone() {
            Begin::Wait => {}
            Begin::Resume(_) => {
                for node in self.indices() {
                    self.hand(node, Input::Resume);
                }
            }
            Begin::Found => self.found(),
            Begin::Join(names) => {
                let seeker = Seeker {
                    sockets: self.sockets.clone(),
                    handshaker: self.handshaker.clone(),
                    names,
                    patience_max: self.settings.connect_timeout,
                    patience: self.settings.connect_timeout,
                    found_after: self.basics.found_after,
                    heartbeat: self.settings.heartbeat,
                    news: self.news.sender.clone(),
                    member: self.member.subscribe(),
                    random: ChaCha8Rng::from_rng(&mut self.random),
                };
                self.tasks.spawn(async move {
                    seeker.seek().await;
                    Done::Sought
                });
            }
        }
    }

    /// The first node founds a ring, the others join it.
    pub(super) fn found(&mut self) {
        let first = self.nodes[0].me();
        for node in self.indices() {
            let input = if node == 0 {
                Input::Found
            } else {
                Input::Join(vec![first])
            };
            self.hand(node, input);
        }
    }

    /// The indices of its nodes.
    pub(super) fn indices(&self) -> std::ops::Range<u8> {
        0..u8::try_from(self.nodes.len()).expect("a process hosts at most 64 nodes")
    }
}
