//! The table of all settings. Flags, environment variables, keys of the file and the reference
//! are made from it and from nothing else.

use super::kind::Kind;
use cuerda::host::limits::VIRTUAL_NODES;
use cuerda::node::limits::{ATTEMPTS, REMEMBERED, SUCCESSORS};

/// No node's memory has room for the index of more.
const KEYS_MAX: u32 = 1_000_000_000;

/// A setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// What a value looks like.
    pub(super) kind: Kind,
    /// The value where nothing else says one; `None` for no value at all.
    pub(super) default: Option<&'static str>,
    /// What it does, in one line.
    pub(super) effect: &'static str,
}

impl Key {
    /// Its flag, without the dashes before it.
    pub(super) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Its environment variable.
    pub(super) fn variable(&self) -> String {
        format!("CUERDA_{}", self.name.to_uppercase())
    }
}

/// The setting of this name.
pub(super) fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

const fn row(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    effect: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        effect,
    }
}

/// All settings, in the order in which people are told of them.
pub(super) const KEYS: &[Key] = &[
    row(
        "listen",
        Kind::Socket,
        Some("127.0.0.1:4000"),
        "Where other nodes connect to; port 0 takes a free one",
    ),
    row(
        "advertise",
        Kind::Place,
        None,
        "Where others reach this node, if not where it listens; needed when it listens on all \
         addresses of a machine that has several",
    ),
    row(
        "control",
        Kind::Socket,
        Some("127.0.0.1:4080"),
        "Where commands, health checks and metrics are answered over HTTP; whoever reaches it \
         can make the node leave",
    ),
    row(
        "control_host",
        Kind::Names,
        Some(""),
        "Names under which `control` may be asked, besides addresses and localhost: a browser's \
         page under any other name is refused",
    ),
    row(
        "control_open",
        Kind::Switch,
        Some("false"),
        "Answer commands beyond loopback too, where whoever reaches `control` may read, write and \
         make the node leave, for nobody is asked who he is",
    ),
    row(
        "join",
        Kind::Places,
        Some(""),
        "Members or bootstrap nodes of the ring to join; without any, the node founds a ring",
    ),
    row(
        "data",
        Kind::Path,
        Some("cuerda-data"),
        "Folder for the node's key, its records and the peers it remembers, made if it is not there",
    ),
    row(
        "cluster",
        Kind::Text,
        Some("cuerda"),
        "The ring's name; nodes of another name are refused",
    ),
    row(
        "secret_file",
        Kind::Path,
        None,
        "File with the cluster's secrets, one a line, the one to use first: only who knows one \
         is let in",
    ),
    row(
        "admit_keys_file",
        Kind::Path,
        None,
        "File with public keys, one a line: only these are let in",
    ),
    row(
        "revoked_keys_file",
        Kind::Path,
        None,
        "File with public keys, one a line: these are never let in",
    ),
    row(
        "insecure",
        Kind::Switch,
        Some("false"),
        "Connect without TLS and believe whatever others claim to be; for experiments",
    ),
    row(
        "successors",
        Kind::Count(1, SUCCESSORS as u32),
        Some("8"),
        "Length of the successor list, the same on all nodes: one less may fail at once; about \
         2·log₂ of the number of nodes is comfortable",
    ),
    row(
        "replicas",
        Kind::Count(1, SUCCESSORS as u32),
        Some("3"),
        "How many processes hold a record, the same on all nodes; `successors` must be at least \
         one less times `virtual_nodes`",
    ),
    row(
        "acks",
        Kind::Count(1, SUCCESSORS as u32),
        None,
        "How many processes must have a write on disk before it counts as done; without it, \
         `replicas`; only for a ring that is meant to have fewer nodes than that",
    ),
    row(
        "keys_max",
        Kind::Count(1, KEYS_MAX),
        Some("1000000"),
        "How many keys a node owns at most; a write of one more is rejected",
    ),
    row(
        "repair_every",
        Kind::Duration,
        None,
        "How often a node compares its records with those of the other holders, give or take a \
         half; without it, twice `stabilize_every`",
    ),
    row(
        "scrub_every",
        Kind::Duration,
        Some("1d"),
        "The time in which a node reads all that it has on its disk once, to find what has rotted \
         and fetch it again; it reads about 1000 records or 4 MiB in `repair_every` at most",
    ),
    row(
        "tombstones_for",
        Kind::Duration,
        Some("10d"),
        "How long a deletion is remembered at least; a node that missed one which all have \
         forgotten comes back without its old records",
    ),
    row(
        "hand_over_within",
        Kind::Duration,
        Some("1m"),
        "How long a node that leaves waits until others have all its records",
    ),
    row(
        "virtual_nodes",
        Kind::Count(1, VIRTUAL_NODES as u32),
        Some("1"),
        "Places on the circle that this process takes; more even out the load",
    ),
    row(
        "stabilize_every",
        Kind::Duration,
        Some("2s"),
        "How often a node compares notes with its successor, give or take a half; shorter \
         repairs sooner and costs three messages each time",
    ),
    row(
        "fix_fingers_every",
        Kind::Duration,
        Some("30s"),
        "Time in which each finger is refreshed once, give or take a half",
    ),
    row(
        "request_timeout",
        Kind::Duration,
        Some("500ms"),
        "How long a reply may take at least before the asked node counts as silent",
    ),
    row(
        "request_timeout_max",
        Kind::Duration,
        Some("5s"),
        "How far measured round trips may lengthen that",
    ),
    row(
        "attempts",
        Kind::Count(1, ATTEMPTS as u32),
        Some("2"),
        "Silences in a row after which a neighbour is presumed dead",
    ),
    row(
        "remembered",
        Kind::Count(0, REMEMBERED as u32),
        Some("16"),
        "Peers presumed dead that are probed for a healed partition; 0 switches that off",
    ),
    row(
        "probe_every_max",
        Kind::Duration,
        None,
        "Longest time between two probes of one of them; without it, twice `stabilize_every`",
    ),
    row(
        "found_after",
        Kind::Duration,
        Some("5s"),
        "When no member can be reached for so long, the lowest of the nodes that reach each \
         other and want to join founds a ring",
    ),
    row(
        "connect_timeout",
        Kind::Duration,
        Some("10s"),
        "How long opening a connection may take, the handshake included: at least four round \
         trips to the slowest peer",
    ),
    row(
        "idle_after",
        Kind::Duration,
        Some("5m"),
        "A connection that nobody has used for so long is closed",
    ),
    row(
        "heartbeat",
        Kind::Duration,
        Some("10s"),
        "How often a bootstrap node is told that this process is alive",
    ),
    row(
        "on_terminate",
        Kind::Word(&["leave", "pause"]),
        Some("leave"),
        "What SIGTERM and Ctrl-C do: leave the ring first, or stop at once to come back soon",
    ),
    row(
        "events",
        Kind::Word(&["off", "ring", "all"]),
        Some("off"),
        "What the node tells on stdout, a JSON object a line: `ring`, what becomes of it and its \
         neighbours; `all`, also each batch of records that is on its disk",
    ),
    row(
        "log",
        Kind::Text,
        Some("info"),
        "What is logged: a level, or a filter such as `info,cuerda::host=debug`",
    ),
    row(
        "log_format",
        Kind::Word(&["auto", "human", "json"]),
        Some("auto"),
        "How it is logged; `auto` is human on a terminal and JSON elsewhere",
    ),
];

#[cfg(test)]
mod tests {
    use cuerda::host::{Begin, Identity, Settings};
    use cuerda::node::{Config, Node};

    use super::super::kind::Value;
    use super::*;

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for key in KEYS {
            if let Some(default) = key.default {
                let read = key.kind.parse(default).expect(key.name);
                assert_eq!(read.text(), default, "{}", key.name);
            }
        }
    }

    #[test]
    fn the_nodes_defaults_are_the_librarys() {
        let config = Config::default();
        let default = |name| {
            let key = key(name).expect(name);
            key.kind.parse(key.default.expect(name)).expect(name)
        };
        for (name, value) in [
            ("successors", config.successors),
            ("replicas", config.replicas),
            ("attempts", config.attempts),
            ("remembered", config.remembered),
        ] {
            assert_eq!(default(name), Value::Count(value.into()), "{name}");
        }
        assert_eq!(default("keys_max"), Value::Count(config.keys_max));
        for (name, value) in [
            ("scrub_every", config.scrub_every),
            ("tombstones_for", config.tombstones_for),
            ("hand_over_within", config.hand_over_within),
            ("stabilize_every", config.stabilize_every),
            ("fix_fingers_every", config.fix_fingers_every),
            ("request_timeout", config.request_timeout),
            ("request_timeout_max", config.request_timeout_max),
            ("found_after", config.found_after),
        ] {
            assert_eq!(default(name), Value::Duration(value), "{name}");
        }
        assert_eq!(default("cluster"), Value::Text(config.cluster));
        let identity = Identity::from_seed([0; 32]);
        let listen = ([127, 0, 0, 1], 4000).into();
        let host = Settings::<Node>::new(Config::default().into(), identity, listen, Begin::Found);
        for (name, value) in [
            ("connect_timeout", host.connect_timeout),
            ("idle_after", host.idle_after),
            ("heartbeat", host.heartbeat),
        ] {
            assert_eq!(default(name), Value::Duration(value), "{name}");
        }
        let virtual_nodes = Value::Count(host.virtual_nodes.into());
        assert_eq!(default("virtual_nodes"), virtual_nodes);
        assert_eq!(config.probe_every_max, None);
        assert_eq!((config.acks, config.repair_every), (None, None));
    }

    #[test]
    fn names_are_unique_and_plain() {
        let mut names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
        }
    }
}
