//! The circle and what a node knows of it: identifiers, arcs, peers, neighbours and fingers.
//!
//! Everything here is a plain value and every function a pure one. Nothing here sends, waits,
//! draws a random number or knows that messages exist; [`crate::chord`] does that with what it
//! finds here.

mod fingers;
mod id;
mod key_range;
mod neighbours;
mod peer;

pub use fingers::{Finger, Fingers};
pub use id::{BITS, Id, ParseIdError};
pub use key_range::KeyRange;
pub use neighbours::{AfterSuccessor, Neighbours, Rectify, SuccessorList};
pub use peer::{Address, Peer};

/// Peers that are easy to read, for tests: 256 places round the circle.
#[cfg(any(test, feature = "conformance"))]
pub mod test_peers {
    use super::{Id, Peer};
    use std::net::{Ipv4Addr, SocketAddr};

    /// The peer at this 256th of the circle, on `10.0.0.place:4000`.
    #[must_use]
    pub fn peer(place: u8) -> Peer {
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, place), 4000)).into();
        Peer {
            id: Id::from_high(u64::from(place) << 56),
            address,
        }
    }

    /// Several of them.
    #[must_use]
    pub fn peers(places: &[u8]) -> Vec<Peer> {
        places.iter().map(|&place| peer(place)).collect()
    }
}
