//! Small circles: a handful of places, told apart by their index in clockwise order.

use std::net::{Ipv4Addr, SocketAddr};

use cuerda_core::ring::{Id, Peer};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// Zave's `between` on indices: whether one meets `x` on the way from `a` to `b`.
pub(crate) const fn between(a: u8, x: u8, b: u8) -> bool {
    if a < b {
        a < x && x < b
    } else {
        a < x || x < b
    }
}

/// The indices between `a` and `b` as a set of bits, on a circle of `size` places.
pub(crate) const fn gap(a: u8, b: u8, size: u8) -> u32 {
    let (after_a, before_b) = (!((2u32 << a) - 1), (1u32 << b) - 1);
    let between = if a < b {
        after_a & before_b
    } else {
        after_a | before_b
    };
    between & ((1u32 << size) - 1)
}

/// The place on the real circle of an index: spread evenly, the first on its first point and the
/// last on its last, so that ways across zero are as common as others.
pub(crate) fn place(index: u8, size: u8) -> Id {
    if index + 1 == size {
        Id::MAX
    } else {
        Id::from_high(u64::from(index) * (u64::MAX / u64::from(size - 1)))
    }
}

/// A peer there. Its port is its index, by which [`index`] finds back.
pub(crate) fn peer(index: u8, size: u8) -> Peer {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, index.into())).into();
    Peer {
        id: place(index, size),
        address,
    }
}

/// Which of the places a peer is.
pub(crate) fn index(peer: Peer) -> u8 {
    peer.address.port() as u8
}

/// A number below `bound`.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    ((u64::from(rng.next_u32()) * bound as u64) >> 32) as usize
}

/// One of these, unless there is none.
pub(crate) fn pick(rng: &mut ChaCha8Rng, from: &[u8]) -> Option<u8> {
    (!from.is_empty()).then(|| from[below(rng, from.len())])
}

/// The same in a random order.
pub(crate) fn shuffled(rng: &mut ChaCha8Rng, mut items: Vec<u8>) -> Vec<u8> {
    for end in (1..items.len()).rev() {
        items.swap(end, below(rng, end + 1));
    }
    items
}

#[test]
fn indices_lie_as_their_places_do() {
    for size in [9, 12, 16] {
        for a in 0..size {
            assert_eq!(index(peer(a, size)), a);
            for b in 0..size {
                for x in 0..size {
                    let truth = place(x, size).is_between(place(a, size), place(b, size));
                    assert_eq!(between(a, x, b), truth);
                    assert_eq!(gap(a, b, size) & (1 << x) != 0, truth);
                }
            }
        }
    }
}
