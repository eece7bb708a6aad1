//! Small circles: a handful of places, told apart by their index in clockwise order.

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
