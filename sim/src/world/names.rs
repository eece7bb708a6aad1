//! How the harness names what the nodes know: machines by their numbers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cuerda_core::ring::Address;

/// The wall clock at the world's beginning: 2026-01-01 in milliseconds.
pub(crate) const EPOCH_MS: u64 = 1_767_225_600_000;

/// The port of a machine that has never moved.
pub(super) const PORT: u16 = 4000;

/// The address of node `number`: 10.x.y.z:4000, room for 2^24 nodes.
pub(super) fn address_of(number: u32) -> Address {
    let [_, x, y, z] = number.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, x, y, z), PORT)).into()
}

/// The next address of a machine that moves from this one: one that it has not had before, as far as
/// there are any.
pub(super) fn moved(address: Address) -> Address {
    let port = address.port().checked_add(1).unwrap_or(PORT);
    SocketAddr::new(address.ip(), port).into()
}

/// The node that is at this address, or was, if it is one that [`address_of`] and [`moved`] give.
pub(super) fn number_of(address: Address) -> Option<u32> {
    match address.ip() {
        IpAddr::V4(ip) if address.port() >= PORT && ip.octets()[0] == 10 => {
            let [_, x, y, z] = ip.octets();
            Some(u32::from_be_bytes([0, x, y, z]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_belong_together() {
        for node in [0, 1, 255, 256, 65_536, (1 << 24) - 1] {
            assert_eq!(number_of(address_of(node)), Some(node));
        }
        let home = address_of(7);
        let away = moved(moved(home));
        assert!(away != home && number_of(away) == Some(7));
        for elsewhere in ["127.0.0.1:4000", "10.0.0.1:3999", "[fd00::1]:4000"] {
            let elsewhere = elsewhere.parse::<SocketAddr>().unwrap().into();
            assert_eq!(number_of(elsewhere), None);
        }
    }
}
