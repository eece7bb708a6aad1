//! Gives an interface another address, as `ip address add` does: a message to the kernel
//! (rtnetlink), for an image that holds no such program.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::str::FromStr;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use crate::cli::Failure;

/// The lengths of the parts of the message, in bytes: the heads of a message, of what is said of
/// an address, and of an attribute.
const HEAD: u32 = 16;
const ABOUT: u32 = 8;
const ATTRIBUTE: u16 = 4 + 4;

/// An address and the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    address: Ipv4Addr,
    prefix: u8,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        let wrong = || "write an IPv4 address and a length, as in 10.81.1.2/24".to_owned();
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address = address.parse().map_err(|_| wrong())?;
        let prefix = prefix.parse().map_err(|_| wrong())?;
        match prefix {
            1..=32 => Ok(Place { address, prefix }),
            _ => Err(wrong()),
        }
    }
}

impl Place {
    fn holds(self, other: Ipv4Addr) -> bool {
        let mask = u32::MAX << (32 - self.prefix);
        self.address.to_bits() & mask == other.to_bits() & mask
    }

    /// The message that asks for it.
    fn message(self, interface: u32) -> Vec<u8> {
        let length = HEAD + ABOUT + 2 * u32::from(ATTRIBUTE);
        let flags =
            libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        let flags = u16::try_from(flags).expect("flags are 16 bits");
        let mut message = Vec::new();
        message.extend(length.to_ne_bytes());
        message.extend(libc::RTM_NEWADDR.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        // A number and a sender, for those who ask more than once.
        message.extend([0; 8]);
        let family = u8::try_from(libc::AF_INET).expect("a family is a byte");
        message.extend([family, self.prefix, 0, libc::RT_SCOPE_UNIVERSE]);
        message.extend(interface.to_ne_bytes());
        for kind in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
            message.extend(ATTRIBUTE.to_ne_bytes());
            message.extend(kind.to_ne_bytes());
            message.extend(self.address.octets());
        }
        message
    }
}

/// Takes it.
pub(super) fn take(place: Place) -> Result<(), Failure> {
    let Place { address, prefix } = place;
    let failed = |error: Errno| {
        Failure::failed(
            format!("can't take {address}/{prefix}: {error}"),
            "it takes root and the capability NET_ADMIN, and an interface in that network",
        )
    };
    let interface = interface(place).map_err(failed)?;
    ask(&place.message(interface)).map_err(failed)?;
    tracing::info!(%address, prefix, interface, "took an address");
    Ok(())
}

/// The interface that has an address in the same network.
fn interface(place: Place) -> Result<u32, Errno> {
    let found = getifaddrs()?.find(|interface| {
        let address = interface.address.as_ref();
        let four = address.and_then(|address| address.as_sockaddr_in());
        four.is_some_and(|four| place.holds(four.ip()))
    });
    if_nametoindex(found.ok_or(Errno::ENETUNREACH)?.interface_name.as_str())
}

/// Sends a message to the kernel and reads its verdict.
fn ask(message: &[u8]) -> Result<(), Errno> {
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    sendto(
        kernel.as_raw_fd(),
        message,
        &NetlinkAddr::new(0, 0),
        MsgFlags::empty(),
    )?;
    let mut answer = [0; 1024];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    verdict(&answer[..length])
}

/// What the kernel says to a message: a head and a number, 0 or an error's below it.
fn verdict(answer: &[u8]) -> Result<(), Errno> {
    let number = answer.get(16..20).and_then(|bytes| bytes.try_into().ok());
    match number.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(number) => Err(Errno::from_raw(-number)),
        None => Err(Errno::EPROTO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().expect("an address and a length")
    }

    #[test]
    fn a_place_is_an_address_and_a_length() {
        assert_eq!(place("10.0.0.2/24").address, Ipv4Addr::new(10, 0, 0, 2));
        for text in ["10.0.0.2", "10.0.0.2/0", "10.0.0.2/33", "::1/64", "/24", ""] {
            assert!(text.parse::<Place>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_network_holds_what_begins_like_it() {
        let holds = |text, other: [u8; 4]| place(text).holds(other.into());
        assert!(holds("10.0.1.2/24", [10, 0, 1, 200]));
        assert!(!holds("10.0.1.2/24", [10, 0, 2, 2]));
        assert!(holds("10.0.1.2/32", [10, 0, 1, 2]));
        assert!(!holds("10.0.1.2/32", [10, 0, 1, 3]));
        assert!(holds("10.0.1.2/1", [127, 0, 0, 1]));
    }

    #[test]
    fn the_kernel_refuses_an_interface_that_is_not_there() {
        // Without the right to add addresses it says so; with it, that there is none.
        let refused = ask(&place("192.0.2.1/24").message(u32::MAX >> 1));
        assert!(
            matches!(refused, Err(Errno::EPERM | Errno::ENODEV)),
            "{refused:?}"
        );
    }

    #[test]
    fn the_length_that_a_message_tells_is_its_own() {
        let message = place("10.0.0.2/24").message(7);
        let told = message[..4].try_into().map(u32::from_ne_bytes);
        assert_eq!(told.ok(), u32::try_from(message.len()).ok());
    }
}
