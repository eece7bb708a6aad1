//! Sums of digests, and arcs cut into sixteenths.

use super::super::tests::any_id;
use super::*;
use proptest::prelude::*;

fn any_entry() -> impl Strategy<Value = Entry> {
    (any_id(), any::<[u8; 20]>()).prop_map(|(key, bytes)| Entry {
        key,
        digest: Digest::from_bytes(bytes),
    })
}

fn number(value: u64) -> Id {
    let mut bytes = [0; 20];
    bytes[12..].copy_from_slice(&value.to_be_bytes());
    Id::from_bytes(bytes)
}

proptest! {
    #[test]
    fn the_parts_of_an_arc_are_the_arc(start in any_id(), end in any_id(), point in any_id()) {
        let arc = KeyRange::new(start, end);
        let Some(parts) = parts(arc) else {
            prop_assert!(arc.length() <= number(16) && arc.length() != Id::ZERO);
            return Ok(());
        };
        prop_assert_eq!((parts[0].start, parts[15].end), (start, end));
        prop_assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        prop_assert!(parts.iter().all(|part| part.start != part.end));
        let containing = parts.iter().filter(|part| part.contains(point)).count();
        prop_assert_eq!(containing, usize::from(arc.contains(point)));
        let lengths = parts.map(KeyRange::length);
        let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
        prop_assert!(least.distance_to(*most) <= number(1));
    }

    #[test]
    fn a_sum_has_no_order_and_can_be_continued(
        entries in prop::collection::vec(any_entry(), 1..20), cut in any::<prop::sample::Index>()
    ) {
        let all: RangeDigest = entries.iter().copied().collect();
        prop_assert_eq!(entries.iter().rev().copied().collect::<RangeDigest>(), all);
        let (left, right) = entries.split_at(cut.index(entries.len()));
        let sum = |part: &[Entry]| part.iter().copied().collect::<RangeDigest>();
        prop_assert_eq!(sum(left).and(sum(right)), all);
        prop_assert_eq!(all.with(entries[0]).without(entries[0]), all);
        prop_assert_ne!(all.without(entries[0]), all);
        prop_assert_eq!(all.records() as usize, entries.len());
    }

    #[test]
    fn it_tells_keys_and_digests_apart(a in any_entry(), b in any_entry()) {
        let of = |key: Entry, digest: Entry| {
            RangeDigest::default().with(Entry { key: key.key, digest: digest.digest })
        };
        prop_assert_eq!(of(a, a) == of(b, a), a.key == b.key);
        prop_assert_eq!(of(a, a) == of(a, b), a.digest == b.digest);
        // The sum of two is another if they change places.
        prop_assume!(a.key != b.key && a.digest != b.digest);
        prop_assert_ne!(of(a, a).and(of(b, b)), of(a, b).and(of(b, a)));
    }
}

#[test]
fn a_digest_is_sha1_of_the_encoding() {
    let value = (7_u8, "abc", vec![300_u64]);
    let encoded = postcard::to_stdvec(&value).unwrap();
    assert_eq!(
        Digest::of(&value).to_bytes(),
        Id::of_key(&encoded).to_bytes()
    );
    assert_eq!(
        Digest::of(&value).to_string(),
        Id::of_key(&encoded).to_string()
    );
}

#[test]
fn the_shortest_arcs_are_not_cut() {
    for (length, cut) in [(1, false), (16, false), (17, true), (31, true), (32, true)] {
        let parts = parts(KeyRange::new(Id::MAX, Id::MAX.plus(number(length))));
        assert_eq!(parts.is_some(), cut, "{length}");
    }
    assert!(
        parts(KeyRange::new(Id::MAX, Id::MAX)).is_some(),
        "the whole circle"
    );
}

#[test]
fn its_sizes_are_as_documented() {
    let entry = Entry {
        key: Id::MAX,
        digest: Digest(Id::MAX),
    };
    let size = |digest: RangeDigest| postcard::to_stdvec(&digest).unwrap().len();
    assert_eq!(postcard::to_stdvec(&entry).unwrap().len(), 40);
    assert_eq!(size_of::<RangeDigest>(), 24);
    assert_eq!(size(RangeDigest::default().with(entry)), 21);
    assert_eq!(
        size(RangeDigest::default().without(entry)),
        25,
        "2^32 - 1 records"
    );
}
