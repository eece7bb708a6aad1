//! Who is wrong, by what was heard.

use std::net::{Ipv4Addr, SocketAddr};

use super::*;
use crate::record::limits::TAKEN_MAX;

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 60 * 60 * 1000;

fn at(machine: u8) -> Address {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, machine), 4000)).into()
}

/// What was heard in this order, from these machines, of clocks that show so many milliseconds more
/// than this one's.
fn heard(leads: &[(u8, i64)]) -> Offsets {
    let mut offsets = Offsets::NONE;
    for &(machine, lead) in leads {
        offsets.heard(at(machine), NOW.saturating_add_signed(lead), NOW);
    }
    offsets
}

const AHEAD: i64 = 3 * HOUR as i64;

#[test]
fn whoever_has_heard_nobody_trusts_itself() {
    assert_eq!(heard(&[]).wrong_by(NOW), None);
    assert_eq!(heard(&[]).right(NOW), NOW);
}

#[test]
fn one_wrong_neighbour_among_several_convinces_nobody() {
    assert_eq!(heard(&[(1, AHEAD)]).wrong_by(NOW), Some(-AHEAD));
    assert_eq!(heard(&[(1, AHEAD), (2, 0)]).wrong_by(NOW), None);
    assert_eq!(heard(&[(1, AHEAD), (2, 0), (3, 5)]).wrong_by(NOW), None);
    assert_eq!(
        heard(&[(1, AHEAD), (2, 0), (3, AHEAD + 9)]).wrong_by(NOW),
        Some(-AHEAD)
    );
    // They disagree with it, and with each other.
    assert_eq!(heard(&[(1, AHEAD), (2, -AHEAD)]).wrong_by(NOW), None);
}

#[test]
fn the_last_word_of_each_machine_counts_and_that_of_the_last_three() {
    assert_eq!(heard(&[(1, AHEAD), (1, 0)]).wrong_by(NOW), None);
    assert_eq!(
        heard(&[(1, 0), (2, 0), (3, 0), (4, -AHEAD), (5, -AHEAD)]).wrong_by(NOW),
        Some(AHEAD)
    );
    assert_eq!(
        heard(&[(4, -AHEAD), (5, -AHEAD), (1, 0), (2, 0), (3, 0)]).wrong_by(NOW),
        None
    );
}

#[test]
fn within_the_bound_nobody_is_wrong() {
    let most = TAKEN_MAX as i64;
    assert_eq!(heard(&[(1, most), (2, -most)]).wrong_by(NOW), None);
    assert_eq!(heard(&[(1, most + 1)]).wrong_by(NOW), Some(-most - 1));
    assert_eq!(heard(&[(1, most)]).right(NOW), NOW);
}

#[test]
fn what_others_agree_on_is_right_also_at_the_ends_of_time() {
    assert_eq!(heard(&[(1, -AHEAD)]).right(NOW), NOW - 3 * HOUR);
    assert_eq!(heard(&[(1, AHEAD)]).right(NOW), NOW + 3 * HOUR);
    let mut offsets = Offsets::NONE;
    offsets.heard(at(1), 0, u64::MAX);
    assert_eq!(offsets.wrong_by(u64::MAX), Some(i64::MAX));
    offsets.heard(at(1), u64::MAX, 0);
    assert_eq!(offsets.wrong_by(0), Some(-i64::MAX));
    assert_eq!(offsets.right(0), i64::MAX as u64);
}

#[test]
fn what_was_heard_before_a_clock_was_set_says_nothing() {
    let offsets = heard(&[(1, 0), (2, 0), (3, 0)]);
    assert!(offsets.agree(NOW + TAKEN_MAX) && offsets.agree(NOW - TAKEN_MAX));
    assert!(!offsets.agree(NOW + 3 * HOUR) && !offsets.agree(NOW - 3 * HOUR));
    // The first word after that decides.
    let mut offsets = offsets;
    offsets.heard(at(2), NOW, NOW + 3 * HOUR);
    assert_eq!(offsets.wrong_by(NOW + 3 * HOUR), Some(AHEAD));
}
