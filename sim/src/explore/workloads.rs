//! What may be drawn of what clients do, as `vocabulary.rs` has it for all else: a new kind is one
//! entry.

use toml::Table;

use super::hand::{Hand, MINUTE, SECOND, section, time, whole};
use super::vocabulary::{Kind, meant};

/// What clients do; each draws one or several `[[workload]]`s that go together.
pub(super) const WORKLOADS: &[Kind<Vec<Table>>] = &[
    Kind {
        name: "mixed",
        weight: 30,
        only_events: false,
        draw: |hand| {
            let rate = hand.pick(&[5, 10, 20, 40]);
            let mut mixed = access(hand, "mixed", rate);
            spice(hand, &mut mixed);
            vec![mixed]
        },
    },
    Kind {
        name: "written-then-read",
        weight: 25,
        only_events: false,
        draw: |hand| {
            let mut put = access(hand, "put", 20);
            let until = whole(hand.number(20 * SECOND, hand.calm / 2));
            put.insert("until".to_owned(), time(until));
            hand.happens(until);
            let mut get = access(hand, "get", 5);
            get.insert("from".to_owned(), time(until));
            vec![put, get]
        },
    },
    Kind {
        name: "deleted",
        weight: 25,
        only_events: false,
        draw: |hand| {
            let mut put = access(hand, "put", 20);
            let until = whole(hand.number(20 * SECOND, hand.calm / 3));
            put.insert("until".to_owned(), time(until));
            let mut delete = access(hand, "put", 20);
            let from = until + whole(hand.number(SECOND, hand.calm / 6));
            let over = whole(from + hand.number(10 * SECOND, hand.calm / 4));
            delete.insert("deletes".to_owned(), 1.0.into());
            delete.insert("from".to_owned(), time(from));
            delete.insert("until".to_owned(), time(over));
            for at in [until, from, over] {
                hand.happens(at);
            }
            let mut get = access(hand, "get", 5);
            get.insert("from".to_owned(), time(over));
            vec![put, delete, get]
        },
    },
    Kind {
        name: "short-lived",
        weight: 10,
        only_events: false,
        draw: |hand| {
            let mut mixed = access(hand, "mixed", 20);
            let ttl = meant(hand, 10 * SECOND, 2 * MINUTE);
            mixed.insert("ttl".to_owned(), ttl);
            vec![mixed]
        },
    },
    Kind {
        name: "dense",
        weight: 12,
        only_events: false,
        draw: |hand| {
            let mut mixed = access(hand, "mixed", 200);
            spice(hand, &mut mixed);
            mixed.insert("value".to_owned(), "20B".into());
            let until = hand.calm.min(MINUTE + MINUTE / 2);
            mixed.insert("until".to_owned(), time(until));
            vec![mixed]
        },
    },
    Kind {
        name: "look-ups",
        weight: 10,
        only_events: false,
        draw: |hand| {
            let rate = hand.pick(&["2/s", "10/s"]);
            vec![section([("kind", "lookup".into()), ("rate", rate.into())])]
        },
    },
    Kind {
        name: "nothing",
        weight: 4,
        only_events: false,
        draw: |_| Vec::new(),
    },
];

/// Reads, writes or both, at so many a second.
fn access(hand: &mut Hand, kind: &str, rate: u32) -> Table {
    section([
        ("kind", kind.into()),
        ("rate", format!("{rate}/s").into()),
        ("keys", i64::from(hand.keys.max(1)).into()),
    ])
}

/// What clients do now and then.
fn spice(hand: &mut Hand, mixed: &mut Table) {
    for (key, shares) in [
        ("deletes", &[0.02, 0.1, 0.5]),
        ("conditional", &[0.1, 0.3, 1.0]),
        ("reads", &[0.1, 0.3, 0.9]),
        ("reads_of_deleted", &[0.1, 0.5, 1.0]),
    ] {
        if hand.percent(30) {
            let share = hand.pick(shares);
            mixed.insert(key.to_owned(), share.into());
        }
    }
    if hand.percent(20) {
        mixed.insert("zipf".to_owned(), 1.0.into());
    }
    if mixed.contains_key("conditional") && hand.percent(40) {
        let most = u64::from(hand.keys.clamp(1, 3));
        let hot = hand.number(1, most) as i64;
        mixed.insert("conditional_keys".to_owned(), hot.into());
    }
    match hand.number(0, 19) {
        0 | 1 => {
            mixed.insert("forgetful".to_owned(), true.into());
        }
        2 => {
            let off = whole(hand.magnitude(SECOND, 29 * MINUTE));
            mixed.insert("client_clocks".to_owned(), time(off));
        }
        3 | 4 => {
            let clients = hand.pick(&[1_i64, 2, 30]);
            mixed.insert("clients".to_owned(), clients.into());
        }
        _ => {}
    }
}
