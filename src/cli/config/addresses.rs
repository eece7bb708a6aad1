//! Where others reach a node that listens on all addresses of its machine.

use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// The addresses of this machine that others might reach, with the port of `listen` and of its
/// family; both families where it listens on all of IPv6.
pub(super) fn of_this_machine(listen: SocketAddr) -> Vec<SocketAddr> {
    // Without a list of them, none is known, and somebody must say one.
    let Ok(interfaces) = getifaddrs() else {
        return Vec::new();
    };
    let addresses = interfaces.filter_map(|interface| ip(&interface.address?));
    reachable(listen, addresses)
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let four = address.as_sockaddr_in().map(|four| four.ip().into());
    four.or_else(|| address.as_sockaddr_in6().map(|six| six.ip().into()))
}

fn reachable(listen: SocketAddr, addresses: impl Iterator<Item = IpAddr>) -> Vec<SocketAddr> {
    let usable = |ip: &IpAddr| {
        let elsewhere = match ip {
            IpAddr::V4(four) => !four.is_link_local(),
            // One that only means something together with an interface.
            IpAddr::V6(six) => !six.is_unicast_link_local() && listen.is_ipv6(),
        };
        elsewhere && !ip.is_loopback() && !ip.is_unspecified()
    };
    let mut found: Vec<SocketAddr> = addresses
        .filter(usable)
        .map(|ip| SocketAddr::new(ip, listen.port()))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(listen: &str, addresses: &[&str]) -> Vec<String> {
        let listen = listen.parse().expect("an address");
        let ips = addresses.iter().map(|ip| ip.parse().expect("an address"));
        let found = reachable(listen, ips);
        found.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn what_others_cannot_reach_is_left_out() {
        let all = [
            "127.0.0.1",
            "10.0.0.7",
            "10.0.0.7",
            "169.254.1.1",
            "::1",
            "fe80::1",
            "2001:db8::7",
        ];
        assert_eq!(found("0.0.0.0:4000", &all), ["10.0.0.7:4000"]);
        assert_eq!(
            found("[::]:4000", &all),
            ["10.0.0.7:4000", "[2001:db8::7]:4000"]
        );
        assert_eq!(found("0.0.0.0:4000", &all[..1]), [""; 0]);
    }
}
