//! Under which names an interface may be asked.
//!
//! A page from anywhere can let its own name point to loopback, or to any address that a browser
//! reaches, once it is loaded: then it asks a node in the name of its own origin, and may read the
//! answers. The browser still says in `Host` which name it was. Addresses are safe, since nobody
//! else's page has one of ours for its origin; names are only where somebody has allowed them.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::http::uri::Authority;

/// The names that are allowed besides addresses and `localhost`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Arc<BTreeSet<String>>);

impl Hosts {
    /// These, without ports: the one that a browser knows need not be the one that is listened on.
    #[must_use]
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Hosts {
        let names = names.into_iter().map(|name| plain(name.as_ref()));
        Hosts(Arc::new(names.collect()))
    }

    /// Whether a request may name this host, with or without a port.
    pub(super) fn allow(&self, host: &str) -> bool {
        // Who stands before an `@` is somebody, and no part of a host.
        let authority = match host.parse::<Authority>() {
            Ok(authority) if !host.contains('@') => authority,
            _ => return false,
        };
        let name = authority.host();
        let six = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        let is_address = match six {
            Some(six) => six.parse::<Ipv6Addr>().is_ok(),
            None => name.parse::<Ipv4Addr>().is_ok(),
        };
        let name = plain(name);
        is_address || name == "localhost" || self.0.contains(&name)
    }
}

/// As names are compared: case and the dot at the root make no difference.
fn plain(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_are_allowed_and_names_only_where_somebody_says_so() {
        let none = Hosts::default();
        for host in [
            "127.0.0.1",
            "127.0.0.1:4080",
            "10.0.0.7:80",
            "[::1]:4080",
            "[2001:db8::7]",
            "localhost",
            "LOCALHOST:4080",
        ] {
            assert!(none.allow(host), "{host}");
        }
        let some = Hosts::new(["node1", "Ring.Example."]);
        for host in [
            "node1",
            "NODE1:4080",
            "ring.example:4080",
            "ring.example.:1",
        ] {
            assert!(some.allow(host) && !none.allow(host), "{host}");
        }
        for host in [
            "",
            ":4080",
            "evil.example",
            "evil.example:4080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "node1.evil.example",
            "node1@evil.example",
            "127.0.0.1@evil.example:80",
            "evil@127.0.0.1",
            "::1",
            "[node1]",
            "127.0.0.1/evil",
            "node1, evil.example",
        ] {
            assert!(!some.allow(host), "{host}");
        }
    }
}
