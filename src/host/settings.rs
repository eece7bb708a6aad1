//! What a host is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::admission::Admission;
use super::hosted::Hosted;
use super::identity::Identity;
use super::lost_lines::LostLines;
use cuerda_core::chord::Node;
use cuerda_core::store::MemoryStore;

/// Everything a host must be told before it starts. [`Settings::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct Settings<P: Hosted = Node> {
    /// The nodes' own settings; [valid](Hosted::validate).
    pub node: Arc<P::Config>,
    /// Its key, from which its nodes' ids are derived.
    pub identity: Identity,
    /// Which keys and secrets it admits.
    pub admission: Admission,
    /// How connections are secured.
    pub security: Security,
    /// Where it listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where others reach it, if not at the address it listens on. Port 0 means the port it
    /// listens on.
    pub advertise: Option<SocketAddr>,
    /// How many nodes it hosts, 1 to [`super::limits::VIRTUAL_NODES`].
    pub virtual_nodes: u8,
    /// Counts its starts: must be greater at each.
    pub incarnation: u32,
    /// How it begins.
    pub begin: Begin<P>,
    /// Where its nodes keep their records. Default: in memory.
    pub storage: Storage,
    /// A connection that nobody has used for so long is closed. Default: five minutes.
    pub idle_after: Duration,
    /// How long opening a connection may take, the handshake included: at least four round trips
    /// to the slowest peer. Default: 10 s.
    pub connect_timeout: Duration,
    /// How often a bootstrap node is told that this process is alive. Default: 10 s.
    pub heartbeat: Duration,
    /// Where jitter and back-off come from; nothing secret is made of it.
    pub seed: [u8; 32],
    /// What the process counts the lines in that it can't tell. Default: a new one.
    pub lost_lines: LostLines,
}

impl<P: Hosted> Settings<P> {
    /// A host with this key, with one node, that listens here and begins so. All else is as
    /// documented at each setting: TLS, open to whoever proves a key, an incarnation of 1, and
    /// jitter that is the same in every run.
    #[must_use]
    pub fn new(
        node: Arc<P::Config>,
        identity: Identity,
        listen: SocketAddr,
        begin: Begin<P>,
    ) -> Settings<P> {
        Settings {
            node,
            identity,
            admission: Admission::open(),
            security: Security::tls(),
            listen,
            advertise: None,
            virtual_nodes: 1,
            incarnation: 1,
            begin,
            storage: Storage::Memory,
            idle_after: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(10),
            seed: [0; 32],
            lost_lines: LostLines::default(),
        }
    }
}

/// How long a successor list must be for a record's owner to know all of its holders, which are
/// different processes, if every process hosts so many nodes: in the worst case all nodes of one
/// process stand in a row.
#[must_use]
pub const fn successors_needed(replicas: u8, virtual_nodes: u8) -> u16 {
    (replicas as u16).saturating_sub(1) * virtual_nodes as u16
}

/// How a host's nodes come into a ring.
#[derive(Clone, Debug)]
pub enum Begin<P = Node> {
    /// They found one: the first node does, the others join it.
    Found,
    /// They join through a member or a bootstrap node at one of these `host:port`.
    Join(Vec<String>),
    /// They are members already, with these tables: for experiments.
    Resume(Vec<P>),
    /// They wait for [`super::Handle::order`].
    Wait,
}

/// Where a host's nodes keep their records.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In memory: they are gone with the process.
    Memory,
    /// In this SQLite file, which is made if there is none. It must belong to this process alone,
    /// as a [`super::DataDirectory`] does.
    File(PathBuf),
    /// In memory that outlives the host, as a disk does: for experiments. One for each node, in
    /// their order; a node for which there is none has memory of its own. Each
    /// [crashes](MemoryStore::crash) when a host begins to use it.
    Shared(Vec<Arc<Mutex<MemoryStore>>>),
}

/// How connections are secured.
#[derive(Clone, Debug)]
pub enum Security {
    /// TLS 1.3, both ends proving their keys.
    Tls(Arc<rustls::crypto::CryptoProvider>),
    /// Not at all: keys and ids are whatever the other end says. For experiments.
    None,
}

impl Security {
    /// TLS with the operating system's randomness.
    #[must_use]
    pub fn tls() -> Security {
        Security::Tls(Arc::new(rustls::crypto::ring::default_provider()))
    }
}
