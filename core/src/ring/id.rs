//! 160-bit identifiers and the arithmetic of the circle they lie on.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha1::{Digest, Sha1};

/// How many bits an identifier has; the circle has 2^160 points.
pub const BITS: u8 = 160;

/// A point on the circle of 2^160 identifiers, which both nodes and keys have.
///
/// `Ord` is the order of the numbers, with zero first; what lies *between* two points on the
/// circle is asked with [`Id::is_between`]. Five words, the most significant first: small
/// (20 bytes, alignment 4) because simulated worlds hold millions of them.
///
/// It is written, parsed and serialized for people as 40 hexadecimal digits, and as 20 bytes,
/// the most significant first, on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id([u32; 5]);

impl Id {
    /// The first point of the circle.
    pub const ZERO: Id = Id([0; 5]);
    /// The last point of the circle; [`Id::ZERO`] follows it.
    pub const MAX: Id = Id([u32::MAX; 5]);

    /// The identifier with these bytes, the most significant first.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 20]) -> Id {
        let mut words = [0; 5];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_be_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        Id(words)
    }

    /// The identifier's bytes, the most significant first.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(self.0) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// The place of a key: SHA-1 of its name (SIGCOMM 2001, section 4.1).
    #[must_use]
    pub fn of_key(name: &[u8]) -> Id {
        Id::from_bytes(Sha1::digest(name).into())
    }

    /// The place of a node: SHA-1 of its Ed25519 public key, followed by one byte for the
    /// virtual node's index (0 where a process hosts a single one; it stays below 64).
    #[must_use]
    pub fn of_node(public_key: &[u8; 32], virtual_node: u8) -> Id {
        let mut hash = Sha1::new();
        hash.update(public_key);
        hash.update([virtual_node]);
        Id::from_bytes(hash.finalize().into())
    }

    /// The point whose 64 most significant bits are `high` and whose others are zero: 0 is the
    /// start of the circle and 2^63 its opposite.
    #[must_use]
    pub const fn from_high(high: u64) -> Id {
        Id([(high >> 32) as u32, high as u32, 0, 0, 0])
    }

    /// The 64 most significant bits, enough to tell nearly all pairs of nodes apart.
    #[must_use]
    pub const fn high(self) -> u64 {
        ((self.0[0] as u64) << 32) | self.0[1] as u64
    }

    /// The 96 least significant bits.
    const fn low(self) -> u128 {
        ((self.0[2] as u128) << 64) | ((self.0[3] as u128) << 32) | self.0[4] as u128
    }

    const fn from_parts(high: u64, low: u128) -> Id {
        Id([
            (high >> 32) as u32,
            high as u32,
            (low >> 64) as u32,
            (low >> 32) as u32,
            low as u32,
        ])
    }

    /// How far one walks clockwise from `self` until `to`: `to − self` modulo 2^160. Zero only
    /// for the point itself.
    #[must_use]
    pub const fn distance_to(self, to: Id) -> Id {
        // 96 bits are subtracted in 128: a borrow shows above them, where it is cut off.
        let (low, borrow) = to.low().overflowing_sub(self.low());
        let high = to
            .high()
            .wrapping_sub(self.high())
            .wrapping_sub(borrow as u64);
        Id::from_parts(high, low)
    }

    /// The point `distance` further clockwise: `self + distance` modulo 2^160.
    #[must_use]
    pub const fn plus(self, distance: Id) -> Id {
        let low = self.low() + distance.low();
        let high = self
            .high()
            .wrapping_add(distance.high())
            .wrapping_add((low >> 96) as u64);
        Id::from_parts(high, low)
    }

    /// The point 2^`exponent` further clockwise: where finger `exponent` starts.
    ///
    /// # Panics
    /// If `exponent` is not below [`BITS`].
    #[must_use]
    pub const fn plus_power(self, exponent: u8) -> Id {
        assert!(exponent < BITS, "a finger's exponent is below 160");
        let mut words = [0; 5];
        words[4 - (exponent / 32) as usize] = 1 << (exponent % 32);
        self.plus(Id(words))
    }

    /// The next point clockwise.
    #[must_use]
    pub const fn next(self) -> Id {
        self.plus_power(0)
    }

    /// The point before this one.
    #[must_use]
    pub const fn previous(self) -> Id {
        self.plus(Id::MAX)
    }

    /// The exponent of the greatest power of two that is not above this distance; `None` for
    /// the distance zero.
    #[must_use]
    pub const fn log2(self) -> Option<u8> {
        let mut word = 0;
        while word < 5 {
            if self.0[word] != 0 {
                return Some((159 - 32 * word as u32 - self.0[word].leading_zeros()) as u8);
            }
            word += 1;
        }
        None
    }

    /// Whether one meets `self` on the way clockwise from `a` to `b`, neither end counted.
    /// From a point to itself the way goes all round, so everything else is between.
    ///
    /// This is Zave's `between(a, self, b)` (TSE 2017, section III).
    #[must_use]
    pub fn is_between(self, a: Id, b: Id) -> bool {
        if a < b {
            a < self && self < b
        } else {
            a < self || self < b
        }
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Id) -> Ordering {
        self.high()
            .cmp(&other.high())
            .then_with(|| self.low().cmp(&other.low()))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Id) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// All 40 digits, or with `{:.8}` the first 8.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e] = self.0;
        f.pad(&format!("{a:08x}{b:08x}{c:08x}{d:08x}{e:08x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:.8}…")
    }
}

/// Why a text is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is written as 40 hexadecimal digits")]
pub struct ParseIdError;

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Id, ParseIdError> {
        if text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseIdError);
        }
        let mut words = [0; 5];
        for (index, word) in words.iter_mut().enumerate() {
            *word = u32::from_str_radix(&text[index * 8..index * 8 + 8], 16)
                .map_err(|_| ParseIdError)?;
        }
        Ok(Id(words))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.to_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?
                .parse()
                .map_err(D::Error::custom)
        } else {
            <[u8; 20]>::deserialize(deserializer).map(Id::from_bytes)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Identifiers anywhere, and often at the seams where carries and wrap-around happen.
    pub(crate) fn any_id() -> impl Strategy<Value = Id> {
        prop_oneof![
            any::<[u32; 5]>().prop_map(Id),
            prop::array::uniform5(prop_oneof![Just(0), Just(1), Just(u32::MAX)]).prop_map(Id),
        ]
    }

    /// The same sums, word by word, as one learns them at school.
    fn slow_sum(a: Id, b: Id) -> Id {
        let mut words = [0; 5];
        let mut carry = 0;
        for index in (0..5).rev() {
            let sum = u64::from(a.0[index]) + u64::from(b.0[index]) + carry;
            words[index] = sum as u32;
            carry = sum >> 32;
        }
        Id(words)
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_bytes(a in any_id(), b in any_id()) {
            prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
        }

        #[test]
        fn plus_is_the_school_sum(a in any_id(), b in any_id()) {
            prop_assert_eq!(a.plus(b), slow_sum(a, b));
        }

        #[test]
        fn walking_the_distance_arrives(a in any_id(), b in any_id()) {
            prop_assert_eq!(a.plus(a.distance_to(b)), b);
            prop_assert_eq!(a.distance_to(b) == Id::ZERO, a == b);
        }

        #[test]
        fn both_ways_round_make_a_full_circle(a in any_id(), b in any_id()) {
            prop_assert_eq!(a.distance_to(b).plus(b.distance_to(a)), Id::ZERO);
        }

        #[test]
        fn between_means_met_on_the_way(a in any_id(), x in any_id(), b in any_id()) {
            let met = x != a && x != b
                && (a == b || a.distance_to(x) < a.distance_to(b));
            prop_assert_eq!(x.is_between(a, b), met);
        }

        #[test]
        fn all_but_the_point_itself_lie_between_it_and_itself(a in any_id(), x in any_id()) {
            prop_assert_eq!(x.is_between(a, a), x != a);
        }

        #[test]
        fn of_three_points_exactly_one_order_holds(a in any_id(), b in any_id(), c in any_id()) {
            prop_assume!(a != b && b != c && a != c);
            prop_assert!(b.is_between(a, c) != c.is_between(a, b));
            prop_assert_eq!(b.is_between(a, c), c.is_between(b, a));
        }

        #[test]
        fn log2_brackets_the_distance(a in any_id(), exponent in 0..BITS) {
            prop_assert_eq!(Id::ZERO.plus_power(exponent).log2(), Some(exponent));
            if let Some(log) = a.log2() {
                prop_assert!(Id::ZERO.plus_power(log) <= a);
                prop_assert!(log == BITS - 1 || Id::ZERO.plus_power(log + 1) > a);
            } else {
                prop_assert_eq!(a, Id::ZERO);
            }
        }

        #[test]
        fn powers_double(a in any_id(), exponent in 0..BITS - 1) {
            prop_assert_eq!(
                a.plus_power(exponent).plus_power(exponent), a.plus_power(exponent + 1)
            );
        }

        #[test]
        fn text_and_bytes_come_back(a in any_id()) {
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(Id::from_bytes(a.to_bytes()), a);
            let wire = postcard::to_stdvec(&a).unwrap();
            prop_assert_eq!(wire.as_slice(), &a.to_bytes()[..]);
            prop_assert_eq!(postcard::from_bytes::<Id>(&wire).unwrap(), a);
        }

        #[test]
        fn the_high_half_keeps_the_order(a in any_id(), b in any_id()) {
            if a.high() < b.high() { prop_assert!(a < b) }
            prop_assert_eq!(Id::from_high(a.high()).high(), a.high());
        }
    }

    #[test]
    fn the_circle_closes() {
        assert_eq!(Id::MAX.next(), Id::ZERO);
        assert!(Id::ZERO.is_between(Id::MAX, Id::ZERO.next()));
        assert!(!Id::MAX.is_between(Id::ZERO, Id::ZERO.next()));
    }

    #[test]
    fn keys_are_sha1_of_their_names() {
        // The example of FIPS 180, appendix A.1.
        assert_eq!(
            Id::of_key(b"abc").to_string(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
    }

    #[test]
    fn virtual_nodes_of_one_key_lie_apart() {
        let key = [7; 32];
        assert_ne!(Id::of_node(&key, 0), Id::of_node(&key, 1));
        let mut text = key.to_vec();
        text.push(1);
        assert_eq!(Id::of_node(&key, 1), Id::of_key(&text));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "abc",
            "+9993e364706816aba3e25717850c26c9cd0d89d",
            &"é".repeat(20),
        ] {
            assert_eq!(text.parse::<Id>(), Err(ParseIdError), "{text}");
        }
    }

    #[test]
    fn a_short_form_for_people() {
        let id = Id::of_key(b"abc");
        assert_eq!(format!("{id:.8} {id:?}"), "a9993e36 a9993e36…");
    }
}
