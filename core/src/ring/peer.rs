//! Who a node is and where it is reached.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Id;

/// An IP address and a port, packed into 18 bytes.
///
/// IPv4 addresses are kept in their IPv6-mapped form and shown as IPv4; scope and flow of IPv6
/// addresses are left out, since they mean nothing to another machine. [`SocketAddr`] would
/// cost 32 bytes in each of the millions of entries that a large simulated ring holds.
///
/// It is written as `10.0.0.7:4000` for people, and as 18 bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    ip: [u8; 16],
    /// The most significant byte first. Not a number, so that every peer takes the same room on
    /// the wire.
    port: [u8; 2],
}

impl Address {
    /// The IP address.
    #[inline]
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        // As a number it is compared at once, and worlds ask for the address of every message.
        let bits = u128::from_be_bytes(self.ip);
        if bits >> 32 == 0xffff {
            IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    }

    /// The port.
    #[inline]
    #[must_use]
    pub const fn port(self) -> u16 {
        u16::from_be_bytes(self.port)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.ip, self.port).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            let address: SocketAddr = text.parse().map_err(D::Error::custom)?;
            Ok(address.into())
        } else {
            <([u8; 16], [u8; 2])>::deserialize(deserializer).map(|(ip, port)| Address { ip, port })
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Address {
            ip: ip.octets(),
            port: address.port().to_be_bytes(),
        }
    }
}

impl From<Address> for SocketAddr {
    fn from(address: Address) -> SocketAddr {
        SocketAddr::new(address.ip(), address.port())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A node as others know it: its place on the circle and its address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Peer {
    /// Its place on the circle, derived from its public key.
    pub id: Id,
    /// Where it listens.
    pub address: Address,
}

/// The first digits of the id and the address: `a9993e36@10.0.0.7:4000`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.8}@{}", self.id, self.address)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went_in() {
        for text in ["10.0.0.7:4000", "[fd00::7]:1", "255.255.255.255:65535"] {
            let socket: SocketAddr = text.parse().unwrap();
            assert_eq!(SocketAddr::from(Address::from(socket)), socket);
            assert_eq!(Address::from(socket).to_string(), text);
        }
    }

    #[test]
    fn an_ipv4_address_is_one_mapped_into_ipv6() {
        for text in [
            "::ffff:10.0.0.7",
            "::fffe:10.0.0.7",
            "::1:ffff:a00:7",
            "::10.0.0.7",
        ] {
            let ip = text.parse::<Ipv6Addr>().unwrap();
            let address = Address::from(SocketAddr::from((ip, 4000)));
            assert_eq!(address.ip(), ip.to_canonical());
        }
    }

    #[test]
    fn a_peer_is_forty_bytes() {
        // What worlds of a million nodes rest on.
        assert_eq!(size_of::<Peer>(), 40);
        assert_eq!(size_of::<Option<Peer>>(), 44);
    }

    #[test]
    fn a_peer_shows_where_it_is() {
        let address = "10.0.0.7:4000".parse::<SocketAddr>().unwrap().into();
        let peer = Peer {
            id: Id::of_key(b"abc"),
            address,
        };
        assert_eq!(peer.to_string(), "a9993e36@10.0.0.7:4000");
    }
}
