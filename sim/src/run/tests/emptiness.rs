//! Runs in which nothing was tried, or nothing answered, do not pass.

use super::{run, scenario};
use crate::report::{Report, Verdict, judge};
use crate::run::play;

/// Its verdict, and the checks that broke.
fn outcome(report: &Report) -> (Verdict, Vec<&str>) {
    let checks = report.violations.iter().map(|found| found.check.as_str());
    (report.verdict, checks.collect())
}

/// Cuts with nobody on one side (whoever is not named is in the last part), one from a node to
/// itself, and damage to a disk on which there is nothing.
const MISSES: [&str; 4] = [
    "kind = \"partition\"\nsplit = [\"arc(0.5..0.50001)\", \"n1\"]\nfor = \"10s\"\n",
    "kind = \"partition\"\nsplit = [\"arc(0.5..0.50001)\", \"rest\"]\nfor = \"10s\"\n",
    "kind = \"one_way\"\nfrom = \"n3\"\nto = [\"n3\"]\nfor = \"10s\"\n",
    "kind = \"disk\"\nnodes = \"n6\"\nwhat = \"flip\"\ncount = 3\n",
];

#[test]
fn a_fault_that_hits_nobody_fails_the_run_unless_it_may() {
    for misses in MISSES {
        let fault = format!("[[fault]]\nat = \"20s\"\n{misses}");
        let report = run(12, &fault);
        assert_eq!(
            outcome(&report),
            (Verdict::Fail, vec!["faults: missed"]),
            "{fault}"
        );
        assert_eq!(report.faults[0].hit, 0);
        // Also where nothing is checked besides.
        let unchecked = play(&scenario("checks = []", 12, &fault), &mut |_| ());
        assert_eq!(unchecked.verdict, Verdict::Fail, "{fault}");
        let allowed = run(12, &format!("{fault}may_miss = true\n"));
        assert_eq!(outcome(&allowed), (Verdict::Pass, vec![]), "{fault}");
    }
}

#[test]
fn a_fault_that_hits_somebody_says_how_many() {
    let faults = "[[fault]]\nat = \"10s\"\nkind = \"partition\"\nsplit = [\"n1\", \"rest\"]\n\
                  for = \"5s\"\n\
                  [[fault]]\nat = \"40s\"\nkind = \"one_way\"\nfrom = [\"n1\", \"n2\"]\nto = \"n3\"\n\
                  for = \"5s\"\n\
                  [[fault]]\nat = \"60s\"\nkind = \"crash\"\nnodes = 2\n";
    let report = run(12, faults);
    let hit: Vec<u32> = report.faults.iter().map(|fault| fault.hit).collect();
    assert_eq!(hit, [12, 2, 2]);
    assert_eq!(outcome(&report), (Verdict::Pass, vec![]));
}

#[test]
fn a_part_that_names_nobody_has_all_who_are_not_named_if_it_is_the_last() {
    let split = "kind = \"partition\"\nsplit = [\"n1\", \"arc(0.5..0.50001)\"]\nfor = \"10s\"\n";
    let report = run(12, &format!("[[fault]]\nat = \"20s\"\n{split}"));
    assert!(report.faults[0].nodes[1].is_empty());
    assert_eq!(report.faults[0].hit, 12, "n1 is cut off");
    assert_eq!(outcome(&report), (Verdict::Pass, vec![]));
}

#[test]
fn damage_to_a_disk_hits_it_only_with_something_on_it() {
    let work = "[[workload]]\nkind = \"put\"\nrate = \"20/s\"\nkeys = 40\nuntil = \"20s\"\n";
    let flip =
        "[[fault]]\nat = \"30s\"\nkind = \"disk\"\nnodes = \"n1\"\nwhat = \"flip\"\ncount = 1\n";
    let report = run(4, &format!("{work}{flip}"));
    assert_eq!(report.faults[0].hit, 1, "a quarter of forty keys and more");
}

#[test]
fn a_ring_without_members_is_not_ideal() {
    let crash = "[[fault]]\nat = \"50s\"\nkind = \"crash\"\nnodes = \"100%\"\n";
    let report = run(6, crash);
    assert_eq!(report.ring.members, 0);
    assert_eq!(report.ring.ideal, Some(false));
    assert_eq!(report.ring.ideal_after_s, None);
}

#[test]
fn operations_without_an_end_are_counted_and_the_columns_add_up() {
    let work = "[[workload]]\nkind = \"lookup\"\nrate = \"50/s\"\n\
                [[workload]]\nkind = \"mixed\"\nrate = \"100/s\"\nkeys = 50\n";
    let crash = "[[fault]]\nat = \"50s\"\nkind = \"crash\"\nnodes = 6\n";
    let report = run(12, &format!("{work}{crash}"));
    let (lookups, writes, reads) = (&report.lookups, &report.writes, &report.reads);
    let (writes, reads) = (writes.as_ref().unwrap(), reads.as_ref().unwrap());
    let wrong = lookups.wrong.unwrap();
    assert_eq!(
        lookups.issued,
        lookups.ok + wrong + lookups.failed + lookups.unfinished
    );
    assert_eq!(
        writes.issued,
        writes.acked + writes.partial + writes.failed + writes.unfinished
    );
    assert_eq!(
        reads.issued,
        reads.ok + reads.stale + reads.missing + reads.failed + reads.unfinished
    );
    for unfinished in [lookups.unfinished, writes.unfinished, reads.unfinished] {
        assert!(unfinished > 0, "six of twelve were asked and crashed");
    }
}

/// Forty keys, all written in the first twenty seconds.
const PUTS: &str = "[[workload]]\nkind = \"put\"\nrate = \"20/s\"\nkeys = 40\nuntil = \"20s\"\n";

/// A report with its verdict on what the scenario expects, too.
fn judged(top: &str, nodes: u32, rest: &str) -> Report {
    let scenario = scenario(top, nodes, rest);
    let mut report = play(&scenario, &mut |_| ());
    judge(&mut report, &scenario.expectations);
    report
}

#[test]
fn the_end_is_looked_at_though_the_network_goes_on_losing() {
    let report = judged("", 12, &format!("loss = 0.001\n{PUTS}"));
    assert_eq!(outcome(&report), (Verdict::Pass, vec![]));
    let (writes, reads) = (report.writes.unwrap(), report.reads.unwrap());
    assert_eq!(writes.missing_copies, Some(0));
    assert!(reads.checked_at_end > 30, "{reads:?}");
    assert_eq!((reads.unreadable, reads.issued), (0, 0));
    assert!(report.ring.settled_after_s.is_some());
}

#[test]
fn cuts_and_slow_disks_that_stay_end_with_the_run() {
    for stays in [
        "kind = \"partition\"\nsplit = [\"arc(0..0.5)\", \"rest\"]\n",
        "kind = \"loss\"\nnodes = 4\nshare = 0.5\n",
        "kind = \"slow\"\nnodes = 4\nextra = \"2s\"\n",
        "kind = \"skew\"\nnodes = 4\nby = \"-3s\"\n",
        "kind = \"disk\"\nnodes = 4\nwhat = \"slow\"\nextra = \"1s\"\n",
    ] {
        let report = judged("", 12, &format!("{PUTS}[[fault]]\nat = \"90s\"\n{stays}"));
        assert_eq!(outcome(&report), (Verdict::Pass, vec![]), "{stays}");
        assert_eq!(report.faults[0].until_s, None, "in the run it stayed");
        assert!(report.ring.settled_after_s.is_some(), "{stays}");
    }
}

#[test]
fn what_is_not_looked_at_is_named_and_fails_unless_the_scenario_says_so() {
    let report = judged("quiet = \"0s\"", 12, PUTS);
    let unchecked = [
        "reads.unreadable",
        "ring.settled_after_s",
        "writes.missing_copies",
    ];
    assert_eq!(
        (report.verdict, &report.unchecked[..]),
        (Verdict::Fail, &unchecked.map(str::to_owned)[..])
    );
    assert_eq!(report.unmet[0].metric, "unchecked");
    let allow = |names: &str| format!("{PUTS}[expect]\nunchecked = [{names}]\n");
    let some = judged("quiet = \"0s\"", 12, &allow("\"reads.unreadable\""));
    assert_eq!(some.verdict, Verdict::Fail);
    let names = unchecked.map(|name| format!("\"{name}\"")).join(", ");
    let all = judged("quiet = \"0s\"", 12, &allow(&names));
    assert_eq!((all.verdict, all.unmet.len()), (Verdict::Pass, 0));
    assert_eq!(
        (all.digest, all.ring.settled_after_s),
        (report.digest, None)
    );
    // Nobody asks for it where nothing is checked.
    let nothing = judged("quiet = \"0s\"\nchecks = []", 12, PUTS);
    assert_eq!(
        (nothing.verdict, nothing.unchecked.len()),
        (Verdict::Pass, 0)
    );
}

#[test]
fn a_quiet_phase_that_is_too_short_leaves_things_open() {
    let cut =
        "[[fault]]\nat = \"90s\"\nkind = \"partition\"\nsplit = [\"arc(0..0.5)\", \"rest\"]\n";
    let report = judged("quiet = \"1s\"", 12, &format!("{PUTS}{cut}"));
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(report.unchecked.len(), 3, "{:?}", report.unchecked);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}

#[test]
fn a_copy_on_a_machine_that_sleeps_for_good_is_no_copy() {
    let sleep = "[[fault]]\nat = \"40s\"\nkind = \"pause\"\nnodes = \"successors(key:k0, 3)\"\n";
    let expect = "[expect]\n\"writes.lost\" = { max = 0 }\n";
    let report = judged("", 16, &format!("{PUTS}{sleep}{expect}"));
    assert_eq!(report.verdict, Verdict::Fail);
    assert!(report.writes.unwrap().lost > Some(0));
    // Those who wake again still have what they had.
    let nap = format!("{PUTS}{sleep}for = \"40s\"\n{expect}");
    assert_eq!(judged("", 16, &nap).verdict, Verdict::Pass);
}

#[test]
fn a_ring_that_does_not_settle_is_a_violation() {
    // Nobody is left who could be as it should.
    let report = run(
        4,
        "[[fault]]\nat = \"40s\"\nkind = \"crash\"\nnodes = \"100%\"\n",
    );
    assert_eq!(outcome(&report), (Verdict::Fail, vec!["nobody-left"]));
    assert_eq!(report.violated["nobody-left"], 1);
    assert_eq!(report.ring.settled_after_s, None);
}

#[test]
fn only_one_who_can_know_of_no_ring_is_let_wait_for_others() {
    let all_but_one = "[[fault]]\nat = \"30s\"\nkind = \"leave\"\nnodes = \"n0..n2\"\n";
    let alone = |work: &str, disk: &str| {
        let crash = "[[fault]]\nat = \"60s\"\nkind = \"crash\"\nfor = \"3s\"\nnodes = \"n3\"";
        run(
            4,
            &format!("{work}{all_but_one}{crash}\ndisk = \"{disk}\"\n"),
        )
    };
    // Its disk is new: it waits, and nothing shows that it is wrong to.
    let lost = alone("", "lost");
    assert_eq!(outcome(&lost), (Verdict::Fail, vec!["nobody-left"]));
    // With its disk and what is on it it knows that it was a member, and goes on alone.
    let kept = alone(PUTS, "kept");
    assert_eq!(outcome(&kept), (Verdict::Pass, vec![]));
}

#[test]
fn checks_that_broke_are_counted_beyond_those_described() {
    let report = run(
        12,
        "[[fault]]\nat = \"20s\"\nkind = \"one_way\"\nfrom = \"n3\"\nto = \"n3\"\n",
    );
    let counted: Vec<(&str, u64)> = report
        .violated
        .iter()
        .map(|(check, &count)| (check.as_str(), count))
        .collect();
    assert_eq!(counted, [("faults: missed", 1)]);
}
