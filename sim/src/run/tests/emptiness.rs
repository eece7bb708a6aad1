//! Runs in which nothing was tried, or nothing answered, do not pass.

use super::{run, scenario};
use crate::report::{Report, Verdict};
use crate::run::play;

/// Its verdict, and the checks that broke.
fn outcome(report: &Report) -> (Verdict, Vec<&str>) {
    let checks = report.violations.iter().map(|found| found.check.as_str());
    (report.verdict, checks.collect())
}

/// Cuts with nobody on one side (whoever is not named is in the last part), one from a node to itself, and damage to a disk on which there
/// is nothing.
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
    let report = run(6, "loss = 1.0\n");
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
