//! How a host comes up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Done, Host, Queue, SWEEP};
use crate::host::counters::Counters;
use crate::host::disk::Disk;
use crate::host::driver::clients::Clients;
use crate::host::frame::{Handshake, Start};
use crate::host::handle::Handle;
use crate::host::handshake::Handshaker;
use crate::host::hooks::Hooks;
use crate::host::hosted::Hosted;
use crate::host::limits;
use crate::host::links::Links;
use crate::host::node_context::Outbox;
use crate::host::protocol_name::ProtocolName;
use crate::host::reach::Reach;
use crate::host::seeds::Seeker;
use crate::host::settings::{Begin, Security, Settings};
use crate::host::sockets::Sockets;
use crate::host::start_error::StartError;
use crate::host::timers::{Due, Timers};
use crate::host::tls::Tls;
use crate::host::trace::Traces;
use crate::host::waiting::Waiting;
use cuerda_core::protocol::Input;
use cuerda_core::protocol::twins::Twins;
use cuerda_core::ring::{Id, Peer};

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
        let start = Start {
            at_ms: hooks.wall_clock(),
            instance: instance(settings.seed),
        };
        let admission = settings.admission.clone();
        let host = Host {
            handshaker: Handshaker::new(tls, handshake, start, admission),
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
            rumours: Queue::new(1),
            twins: Twins::default(),
            reach: Reach::default(),
            tasks: JoinSet::new(),
            carried: 0,
            handshakes: VecDeque::new(),
            accept_after: None,
            member: watch::Sender::new(false),
            waiting: Waiting::default(),
            stabilized: BTreeMap::new(),
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
                // Who has found nobody yet is on its way in as well: others that wait for a ring
                // may find it, at an address that it did not have before.
                for node in self.indices() {
                    self.hand(node, Input::Join(Vec::new()));
                }
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

/// What tells this start of a process from all others: drawn from the seed, but not from the
/// numbers that jitter is made of.
fn instance(seed: [u8; 32]) -> u64 {
    let mut random = ChaCha8Rng::from_seed(seed);
    random.set_stream(1);
    random.next_u64()
}
