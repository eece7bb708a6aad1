//! All bounds of a host in one place. What goes beyond is dropped or closed, and counted.

use std::time::Duration;

/// The longest frame, in bytes.
pub const FRAME: usize = 64 * 1024;
/// Nodes that one process can host.
pub const VIRTUAL_NODES: u8 = 64;
/// Peers that a process remembers on disk across its restarts.
pub const PEERS_KEPT: usize = 64;
/// Open connections. When one more comes, the one that was used longest ago is closed.
pub const CONNECTIONS: usize = 512;
/// Open connections to one process. Two come about when both ends dial at the same time.
pub const CONNECTIONS_PER_KEY: usize = 4;
/// Connections from outside that have not proved who they are. When one more comes, the
/// oldest of them is closed: a flood of silent ones does not lock honest ones out for long.
pub const HANDSHAKES: usize = 64;
/// How long a connection may take to prove who it is.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// Frames that wait to be written to one peer. More are lost, as on any network.
pub const OUTGOING: usize = 256;
/// Bytes that wait to be written to one peer, above which no more frames are taken.
pub const UNWRITTEN: usize = 256 * 1024;
/// How long a peer may refuse to read before its connection is closed.
pub const STALLED: Duration = Duration::from_secs(10);
/// How long a connection that is being closed goes on writing what it has.
pub const CLOSING: Duration = Duration::from_secs(1);
/// Frames from all peers that wait to be handled. Then they are not read any more.
pub const INBOX: usize = 1024;
/// Calls of clients that wait to be handled.
pub const CALLS: usize = 1024;
/// What the seeker of members has found out and waits to be handled.
pub const NEWS: usize = 64;
/// Envelopes that wait for a connection to one address.
pub const DIALING: usize = 64;
/// How long after something came from an address it is taken to belong to the same key. Messages
/// for another key there are lost; later the address is dialled again.
pub const PROVEN_FOR: Duration = Duration::from_secs(5);
/// Addresses being dialled, or waited for, at a time.
pub const DIALS: usize = 256;
/// The first wait after a failed dial, doubled each time.
pub const BACK_OFF: Duration = Duration::from_millis(100);
/// The longest wait after a failed dial.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(2);
/// Nodes that a bootstrap node knows.
pub const REGISTERED: usize = 4096;
/// Nodes that a bootstrap node names to one that asks.
pub const NAMED: usize = 8;
/// The longest that a bootstrap node remembers one it has not heard from.
pub const REGISTERED_FOR: Duration = Duration::from_secs(300);
/// How long a member waits until it asks an address that it was given again, where it has found one
/// of its own kind: for one connection and one question it need not be sooner.
pub const CONFIGURED_AGAIN: Duration = Duration::from_secs(300);
/// Members that a walk round the ring visits at most.
pub const WALK: usize = 10_000;
/// Members that are asked side by side where all of them are.
pub const ASKED_AT_A_TIME: usize = 16;
/// What a node said about its records and is kept until they are on the disk. Messages beyond are
/// lost, as on any network.
pub const KEPT: usize = 4096;
/// Keys in one page of a listing.
pub const KEYS_PAGE: usize = 4096;
/// Records in one page of a backup: some 4 MiB at most, unless merging has made them larger.
pub const EXPORT_PAGE: usize = 64;
/// Records of a backup that are brought to their holders side by side.
pub const RESTORES: usize = 16;
/// Lines of the stream of events that wait to be read.
pub const EVENTS: usize = 64 * 1024;
/// The same in bytes.
pub const EVENT_BYTES: usize = 16 * 1024 * 1024;
