//! A judge that is told by hand what happens.

use std::sync::Arc;

use cuerda_core::chord::{Node, OwnerFound, Written};
use cuerda_core::protocol::Condition;
use cuerda_core::record::Stamp;
use cuerda_core::ring::{Id, Neighbours, Peer};

use super::super::judge::{Judge, Others};
use super::{ROOM, scenario};
use crate::report::Violation;
use crate::world::events::World;
use crate::world::{
    Cause, Effect, Gone, LookupEnd, Moment, Nobody, NodeView, SECOND, Time, Unheard, Watcher as _,
    World as _, WriteEnd, WriteIssue,
};

/// A judge of an ideal ring that nothing happens to but what is told by hand.
struct Bench {
    world: World,
    judge: Judge<'static, Node>,
}

fn bench(top: &str, nodes: u32, rest: &str) -> Bench {
    let scenario = Arc::new(scenario(top, nodes, rest));
    let world = World::new(&scenario, 1);
    let judge = Judge::new(&scenario, &world, Others::only(None));
    Bench { world, judge }
}

const CAUSE: Cause = Cause::Message {
    from: 2,
    to: 3,
    kind: "Neighbours",
};

/// What a member breaks that lists nobody alive.
const BROKEN: [&str; 3] = [
    "at-least-one-ring",
    "connected-appendages",
    "one-live-successor",
];

const fn at(seconds: Time) -> Moment {
    Moment {
        now: seconds * SECOND,
        cause: CAUSE,
    }
}

impl Bench {
    fn node(&self, number: u32) -> &Neighbours {
        let mut members = self.world.each_member();
        members.find(|node| node.number == number).unwrap().view
    }

    /// The node with another successor list.
    fn with_list(&self, number: u32, successors: &[Peer]) -> Neighbours {
        let neighbours = self.node(number);
        let (me, before) = (neighbours.me(), neighbours.predecessor());
        Neighbours::given(me, before, successors, ROOM)
    }

    /// The node with only dead successors.
    fn bereft(&self, number: u32) -> Neighbours {
        let me = self.node(number).me();
        let dead = |step| {
            let mut id = me.id;
            (0..step).for_each(|_| id = id.next());
            Peer {
                id,
                address: me.address,
            }
        };
        self.with_list(number, &[dead(1), dead(2)])
    }

    fn change(&mut self, seconds: Time, number: u32, view: &Neighbours) {
        let peer = view.me();
        let node = NodeView { number, peer, view };
        self.judge.changed(at(seconds), node);
    }

    fn end(&mut self, seconds: Time) -> (crate::report::Ring, Vec<Violation>, u64) {
        self.judge.ring(seconds * SECOND)
    }

    fn look_up(&mut self, from: Time, to: Time, named: u32, key: Id) {
        self.look_up_past_the_silent(from, to, named, key, 0);
    }

    fn look_up_past_the_silent(
        &mut self,
        from: Time,
        to: Time,
        named: u32,
        key: Id,
        timeouts: u32,
    ) {
        let asker = 3;
        self.judge.lookup_issued(at(from), 7, asker, key);
        let owner = self.node(named).me();
        let found = OwnerFound {
            owner,
            hops: 2,
            hops_to_predecessor: 1,
        };
        let end = LookupEnd {
            lookup: 7,
            asker,
            key,
            issued: from * SECOND,
            result: Ok((named, found)),
            timeouts,
        };
        self.judge.lookup_ended(at(to), &end);
    }
}

fn effect(kind: &'static str, until: Option<Time>) -> Effect {
    let until = until.map(|until| until * SECOND);
    Effect {
        index: 0,
        occurrence: 0,
        kind,
        groups: vec![vec![1]],
        hit: 1,
        until,
    }
}

#[test]
fn a_violation_is_described_with_its_node_and_its_cause() {
    let mut bench = bench("", 8, "");
    let wrong = bench.bereft(3);
    bench.change(12, 3, &wrong);
    let (ring, violations, grave) = bench.end(20);
    assert_eq!((ring.violations, ring.excused, grave), (3, 0, 3));
    let expected = |check: &str, node: Option<&str>, detail: &str| Violation {
        at_s: 12.0,
        check: check.to_owned(),
        detail: detail.to_owned(),
        node: node.map(str::to_owned),
        cause: "Neighbours from n2 to n3".to_owned(),
    };
    let (list, way, ring) = (
        "all the successors it lists are dead",
        "a member's way does not lead into the ring",
        "no member comes back to itself by way of best successors",
    );
    let expected = [
        expected("at-least-one-ring", None, ring),
        expected("connected-appendages", None, way),
        expected("one-live-successor", Some("n3"), list),
    ];
    let mut violations = violations;
    violations.sort_by(|one, other| one.check.cmp(&other.check));
    assert_eq!(violations, expected);
}

#[test]
fn an_untouched_ring_has_nothing_to_answer_for() {
    let mut bench = bench("", 8, "");
    let (ring, violations, grave) = bench.end(100);
    assert_eq!(
        (ring.violations, ring.excused, violations.len(), grave),
        (0, 0, 0, 0)
    );
    assert_eq!(
        (ring.members, ring.rings, ring.ideal),
        (8, Some(1), Some(true))
    );
    assert_eq!(ring.ideal_after_s, Some(0.0));
}

#[test]
fn the_first_violations_are_described_and_all_are_counted() {
    let mut bench = bench("", 8, "");
    let (wrong, right) = (bench.bereft(3), bench.node(3).clone());
    for round in 0..30 {
        bench.change(2 * round, 3, &wrong);
        bench.change(2 * round + 1, 3, &right);
    }
    let (ring, violations, grave) = bench.end(100);
    assert_eq!((ring.violations, violations.len(), grave), (90, 20, 90));
    assert_eq!(violations[19].at_s, 12.0);
    assert_eq!(ring.ideal, Some(true));
}

#[test]
fn what_a_partition_excuses_is_counted_and_called_in_when_it_lasts_too_long() {
    for mended in [true, false] {
        let mut bench = bench("", 8, "");
        bench
            .judge
            .fault_began(at(10), &effect("partition", Some(20)));
        let (bereft, right) = (bench.bereft(3), bench.node(3).clone());
        bench.change(12, 3, &bereft);
        bench
            .judge
            .fault_ended(at(20), &effect("partition", Some(20)));
        if mended {
            bench.change(39, 3, &right);
        }
        let (ring, violations, grave) = bench.end(50);
        let excuses = BROKEN.map(|property| (format!("partition: {property}"), 1));
        assert_eq!(ring.excuses, excuses.into());
        assert_eq!((ring.excused, ring.ideal), (3, Some(mended)));
        if mended {
            assert_eq!((violations.len(), grave), (0, 0));
        } else {
            // Twenty periods after its end.
            assert_eq!((violations.len(), grave), (3, 3));
            let late = "(excused by partition until now, and still broken)";
            for violation in &violations {
                assert_eq!(violation.at_s, 40.0);
                assert_eq!(violation.cause, "end of the run");
                assert!(violation.detail.ends_with(late), "{}", violation.detail);
            }
            let mut of_n3 = violations
                .iter()
                .filter(|violation| violation.node.is_some());
            assert_eq!(of_n3.next().unwrap().node.as_deref(), Some("n3"));
        }
    }
}

#[test]
fn each_disturbance_excuses_by_its_name() {
    for (kind, name) in [
        ("partition", Some("partition")),
        ("pause", Some("imperfect-detection")),
        ("slow", Some("imperfect-detection")),
        ("loss", Some("imperfect-detection")),
        ("one_way", Some("imperfect-detection")),
        ("crash", None),
        ("leave", None),
        ("join", None),
        ("skew", None),
    ] {
        let mut bench = bench("", 8, "");
        bench.judge.fault_began(at(10), &effect(kind, None));
        let bereft = bench.bereft(3);
        bench.change(12, 3, &bereft);
        let (ring, _, grave) = bench.end(15);
        let names: Vec<String> = ring.excuses.into_keys().collect();
        let expected = name.map(|name| BROKEN.map(|property| format!("{name}: {property}")));
        assert_eq!(
            names,
            expected.into_iter().flatten().collect::<Vec<_>>(),
            "{kind}"
        );
        assert_eq!(grave, if name.is_none() { 3 } else { 0 }, "{kind}");
    }
}

/// When the ring of a bench was ideal again, that was not from 12 s to 15 s.
fn ideal_after(tell: impl FnOnce(&mut Judge<'_, Node>)) -> Option<f64> {
    let mut bench = bench("", 8, "");
    tell(&mut bench.judge);
    let (wrong, right) = (bench.bereft(3), bench.node(3).clone());
    bench.change(12, 3, &wrong);
    bench.change(15, 3, &right);
    let (ring, ..) = bench.end(90);
    assert_eq!(ring.ideal_after_s, ring.ideal_after_periods);
    ring.ideal_after_s
}

#[test]
fn the_time_to_an_ideal_ring_counts_from_the_last_fault() {
    assert_eq!(ideal_after(|_| ()), Some(15.0));
    // From its begin, if it stays; from its end, if it ends.
    let stays = effect("slow", None);
    let began = |judge: &mut Judge<'_, Node>, seconds| judge.fault_began(at(seconds), &stays);
    assert_eq!(ideal_after(|judge| began(judge, 10)), Some(5.0));
    let ends = effect("slow", Some(11));
    let lasted = |judge: &mut Judge<'_, Node>, from, to| {
        judge.fault_began(at(from), &ends);
        judge.fault_ended(at(to), &ends);
    };
    assert_eq!(ideal_after(|judge| lasted(judge, 2, 11)), Some(4.0));
    let both = |judge: &mut Judge<'_, Node>| {
        lasted(judge, 2, 11);
        began(judge, 11);
    };
    assert_eq!(ideal_after(both), Some(4.0));
    // Ideal before its end is ideal at once.
    assert_eq!(ideal_after(|judge| lasted(judge, 10, 20)), Some(0.0));
}

#[test]
fn without_faults_it_counts_from_the_last_change_of_membership() {
    let mut bench = bench("", 2, "");
    bench.judge.gone(at(10), 1, Gone::Left);
    let alone = Neighbours::alone(bench.node(0).me(), ROOM);
    bench.change(14, 0, &alone);
    let (ring, ..) = bench.end(20);
    assert_eq!((ring.members, ring.ideal_after_s), (1, Some(4.0)));
}

#[test]
fn a_ring_that_is_not_ideal_at_the_end_never_was_for_good() {
    let mut bench = bench("", 8, "");
    let wrong = bench.bereft(3);
    bench.change(12, 3, &wrong);
    let (ring, ..) = bench.end(20);
    assert_eq!(
        (ring.ideal, ring.ideal_after_s, ring.ideal_after_periods),
        (Some(false), None, None)
    );
}

/// A key of n5's, and another member.
fn key_and_stranger(bench: &Bench) -> (Id, u32) {
    let owner = bench.node(5);
    let far = owner.successors()[2];
    let mut members = bench.world.each_member();
    let stranger = members.find(|node| node.peer == far).unwrap();
    (owner.me().id, stranger.number)
}

#[test]
fn a_wrong_lookup_is_a_violation_only_in_a_ring_ideal_throughout() {
    for (disturbed, grave) in [
        (None, 1),
        (Some((12, 22)), 0),
        (Some((2, 12)), 0),
        (Some((2, 10)), 1),
    ] {
        let mut bench = bench("", 8, "");
        let (key, stranger) = key_and_stranger(&bench);
        bench.judge.fault_began(at(1), &effect("crash", None));
        if let Some((from, to)) = disturbed {
            // A list that is too short is not ideal, but no property's business.
            let short = bench.node(3).successors()[..3].to_vec();
            let (short, right) = (bench.with_list(3, &short), bench.node(3).clone());
            let mut steps = vec![(from, short), (to, right)];
            steps.retain(|(when, _)| *when <= 14);
            for (when, node) in steps {
                bench.change(when, 3, &node);
            }
        }
        bench.look_up(11, 15, stranger, key);
        let lookups = bench.judge.tally.lookups(true);
        assert_eq!((lookups.issued, lookups.ok, lookups.wrong), (1, 0, Some(1)));
        assert_eq!(
            (lookups.wrong_share, lookups.missed_share),
            (Some(1.0), Some(1.0))
        );
        let (ring, violations, found) = bench.end(20);
        assert_eq!((found, ring.violations), (grave, 0), "{disturbed:?}");
        assert_eq!(violations.len() as u64, grave, "{disturbed:?}");
        for violation in violations {
            assert_eq!(
                (violation.check.as_str(), violation.at_s),
                ("lookups", 15.0)
            );
            assert_eq!(violation.node.as_deref(), Some("n3"));
            let told = format!("n3 was told that n{stranger} owns {key:.8}, ");
            assert!(violation.detail.starts_with(&told), "{}", violation.detail);
        }
    }
}

#[test]
fn a_right_lookup_is_counted_with_its_way() {
    let mut bench = bench("", 8, "");
    let (key, _) = key_and_stranger(&bench);
    bench.look_up(11, 15, 5, key);
    let lookups = bench.judge.tally.lookups(true);
    assert_eq!((lookups.ok, lookups.wrong, lookups.failed), (1, Some(0), 0));
    assert_eq!(lookups.hops.unwrap().mean, 2.0);
    assert_eq!(lookups.hops_to_predecessor.unwrap().max, 1);
    assert!((lookups.latency_ms.unwrap().mean / 4000.0 - 1.0).abs() < 0.01);
    assert_eq!(bench.end(20).2, 0);
}

#[test]
fn a_lossy_network_excuses_wrong_lookups_by_name() {
    let mut bench = bench("", 8, "loss = 0.001\n");
    let (key, stranger) = key_and_stranger(&bench);
    bench.look_up(11, 15, stranger, key);
    let (ring, violations, grave) = bench.end(20);
    assert_eq!((violations.len(), grave), (0, 0));
    assert_eq!(ring.excuses.get("imperfect-detection: lookups"), Some(&1));
    assert_eq!(ring.excused, 1);
}

#[test]
fn who_missed_a_reply_while_some_were_not_heard_is_excused_and_nobody_else() {
    // The fault is over at 13 s. Who began before and missed something may end after; who missed
    // nothing, or began later, has no excuse.
    for (from, to, timeouts, excused) in [
        (11, 12, 0, 1),
        (11, 15, 1, 1),
        (11, 15, 0, 0),
        (13, 15, 1, 0),
        (14, 15, 1, 0),
    ] {
        let mut bench = bench("", 8, "");
        let (key, stranger) = key_and_stranger(&bench);
        let fault = effect("one_way", Some(13));
        bench.judge.fault_began(at(2), &fault);
        let end = |bench: &mut Bench| bench.judge.fault_ended(at(13), &fault);
        if to < 13 {
            bench.look_up_past_the_silent(from, to, stranger, key, timeouts);
            end(&mut bench);
        } else {
            end(&mut bench);
            bench.look_up_past_the_silent(from, to, stranger, key, timeouts);
        }
        let (ring, _, grave) = bench.end(20);
        let name = "imperfect-detection: lookups";
        let counted = ring.excuses.get(name).copied().unwrap_or(0);
        let case = format!("{from} to {to}, {timeouts} missed");
        assert_eq!((counted, grave), (excused, 1 - excused), "{case}");
    }
}

#[test]
fn what_is_not_checked_is_no_violation() {
    let mut only_lookups = bench("checks = [\"lookups\"]", 8, "");
    let wrong = only_lookups.bereft(3);
    only_lookups.change(12, 3, &wrong);
    let (ring, _, grave) = only_lookups.end(20);
    assert_eq!((ring.violations, ring.ideal, grave), (0, Some(false), 0));
    let mut only_ring = bench("checks = [\"ring\"]", 8, "");
    let (key, stranger) = key_and_stranger(&only_ring);
    only_ring.look_up(11, 15, stranger, key);
    assert_eq!(only_ring.end(20).2, 0);
    assert_eq!(only_ring.judge.tally.lookups(false).wrong, None);
}

#[test]
fn traffic_is_counted_per_member_and_second() {
    let mut bench = bench("", 4, "");
    bench.world.run_until(20 * SECOND, &mut Nobody);
    bench.judge.gone_together(at(10), &[1, 2], Gone::Crashed);
    let traffic = bench.judge.tally.traffic(20 * SECOND, &bench.world);
    // Four members for ten seconds, two for another ten.
    assert_eq!(
        traffic.bytes_per_node_per_s,
        bench.world.bytes() as f64 / 60.0
    );
    assert!(traffic.bytes_per_node_per_s > 100.0);
    assert_eq!(
        (traffic.messages, traffic.lost),
        (bench.world.delivered(), bench.world.lost())
    );
}

#[test]
fn nobodys_traffic_is_none() {
    let mut bench = bench("", 1, "");
    bench.judge.gone(at(0), 0, Gone::Crashed);
    let traffic = bench.judge.tally.traffic(20 * SECOND, &bench.world);
    assert_eq!(traffic.bytes_per_node_per_s, 0.0);
}

#[test]
fn who_was_killed_before_it_told_is_excused_by_name_in_the_report() {
    let work = "[[workload]]\nkind = \"put\"\nrate = \"1/s\"\nkeys = 1\n";
    for (killed, expected) in [
        (
            true,
            (
                vec![("killed-before-telling: promises", 1)],
                1,
                vec!["writes: short acks"],
            ),
        ),
        (
            false,
            (vec![], 0, vec!["writes: short acks", "promises", "lost"]),
        ),
    ] {
        let mut bench = bench("", 8, work);
        let id = bench.node(5).me().id;
        let stamp = Stamp {
            milliseconds: 1,
            counter: 0,
            node: id,
        };
        let issue = WriteIssue {
            write: 1,
            asker: 3,
            key: Id::of_key(b"k0"),
            deletes: false,
            lives: None,
            condition: Condition::None,
            past: Stamp::ZERO,
        };
        bench.judge.write_issued(at(1), &issue);
        let copy = Unheard {
            number: 5,
            id,
            key: issue.key,
            stamp,
            killed: SECOND,
        };
        if killed {
            bench.judge.unheard(at(2), &copy);
        }
        let written = Written {
            stamp,
            holders: vec![id],
            wanted: 1,
            majority: true,
        };
        let end = WriteEnd {
            issue,
            issued: SECOND,
            result: Ok(written),
        };
        bench.judge.write_ended(at(2), &end);
        let (ring, violations, _) = bench.end(3);
        let excuses: Vec<(&str, u64)> = ring
            .excuses
            .iter()
            .map(|(name, &count)| (name.as_str(), count))
            .collect();
        let violated: Vec<&str> = violations.iter().map(|it| it.check.as_str()).collect();
        assert_eq!((excuses, ring.excused, violated), expected);
    }
}
