//! One number for all that happened.

/// A rolling hash of every event, equal on every machine: two runs that differ anywhere end
/// with different digests, but for a chance of about 2⁻¹²⁸. Not against adversaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64, u64);

impl Digest {
    pub(super) const fn new() -> Digest {
        Digest(0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f)
    }

    /// Takes two words in.
    pub(super) const fn add(&mut self, a: u64, b: u64) {
        let product = ((self.0 ^ a) as u128) * 0xa076_1d64_78bd_642f_u128;
        self.0 = (product as u64) ^ ((product >> 64) as u64) ^ self.1.rotate_left(23);
        self.1 = (self.1 ^ b).wrapping_mul(0xe703_7ed1_a0b4_28db) ^ self.0;
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(words: &[(u64, u64)]) -> Digest {
        let mut digest = Digest::new();
        for &(a, b) in words {
            digest.add(a, b);
        }
        digest
    }

    proptest! {
        #[test]
        fn any_difference_shows(
            words in prop::collection::vec(any::<(u64, u64)>(), 1..20),
            at: prop::sample::Index, bit in 0u32..128,
        ) {
            let mut other = words.clone();
            let word = &mut other[at.index(words.len())];
            if bit < 64 { word.0 ^= 1 << bit } else { word.1 ^= 1 << (bit - 64) }
            prop_assert_ne!(of(&words), of(&other));
        }

        #[test]
        fn the_order_shows(a: (u64, u64), b: (u64, u64)) {
            prop_assume!(a != b);
            prop_assert_ne!(of(&[a, b]), of(&[b, a]));
        }
    }

    #[test]
    fn it_is_the_same_everywhere() {
        assert_eq!(
            of(&[(1, 2), (3, 4)]).to_string(),
            "29452a1f9ede183ea264d20be9be5535"
        );
    }
}
