//! The three kinds of report a reader meets, as snapshots.

use super::*;
use crate::report::sample::sample;
use crate::report::{Counterexample, Operation, Unmet, Violation, judge};
use crate::scenario::{Bound, Expectation};
use crate::world::FailureObservations;
use serde_json::json;

fn run(colours: bool) -> Run<'static> {
    Run {
        title: "Nodes join and leave while look-ups run",
        expectations: 5,
        replay: "cargo sim run scenarios/churn.toml --seed 1",
        colours,
    }
}

fn names(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("n{number}")).collect()
}

fn fits(text: &str) {
    for line in text.lines() {
        let width = line.chars().count();
        assert!(width <= 80, "{width} columns: {line}");
        assert_eq!(line, line.trim_end(), "blanks at the end");
    }
    assert!(text.ends_with('\n'));
}

#[test]
fn passing() {
    let text = render(&sample(), &run(false));
    fits(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn failing_checks() {
    let mut report = sample();
    report.faults = vec![
        FaultFired {
            at_s: 120.0,
            until_s: Some(150.5),
            kind: "crash".to_owned(),
            nodes: vec![names(3..6)],
            hit: 3,
            seen: FailureObservations::default(),
        },
        FaultFired {
            at_s: 300.0,
            until_s: None,
            kind: "partition".to_owned(),
            nodes: vec![names(0..500), names(500..1000)],
            hit: 1000,
            seen: FailureObservations::default(),
        },
        FaultFired {
            at_s: 310.0,
            until_s: None,
            kind: "pause".to_owned(),
            nodes: vec![Vec::new()],
            hit: 0,
            seen: FailureObservations::default(),
        },
    ];
    report.ring.violations = 17;
    report.ring.rings = Some(2);
    report.ring.ideal = Some(false);
    report.ring.ideal_after_s = None;
    report.ring.excused = 41;
    report.ring.excuses = [
        ("partition, AtMostOneRing".to_owned(), 40),
        ("small ring, SufficientPrincipals".to_owned(), 1),
    ]
    .into();
    report.violations = vec![
        Violation {
            at_s: 312.407,
            check: "AtMostOneRing".to_owned(),
            detail: "n17 → n44 → n17 and n18 → n20 → n18 are two rings; n17 lost its successors \
                     n18, n19 and n20 within one period"
                .to_owned(),
            node: Some("n17".to_owned()),
            cause: "the silence of n18, asked for its neighbours 500 ms before".to_owned(),
        },
        Violation {
            at_s: 599.0,
            check: "lookups".to_owned(),
            detail: "named n4, but n5 owned the key throughout\u{1b}[2J".to_owned(),
            node: None,
            cause: "the reply of n4".to_owned(),
        },
    ];
    judge(&mut report, &[]);
    let text = render(&report, &run(false));
    fits(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn what_clients_were_told_wrongly() {
    let mut report = sample();
    if let (Some(writes), Some(reads)) = (&mut report.writes, &mut report.reads) {
        (reads.missing_certain, reads.resurrected) = (1, 2);
        (reads.expired, reads.early) = (3, 4);
        writes.granted_twice = Some(5);
        (writes.short_acks, writes.below_past) = (Some(6), Some(7));
    }
    let operation = |from_s: f64, until_s, what: &str| Operation {
        from_s,
        until_s,
        node: "n17".to_owned(),
        what: what.to_owned(),
    };
    let mut operations = vec![
        operation(12.5, None, "write 40 in place of write 31"),
        operation(13.0, Some(13.0625), "reading 41 finds write 40"),
        operation(13.25, Some(13.5), "reading 44 finds write 31"),
    ];
    operations.extend((50..57).map(|at| operation(f64::from(at), None, "write 60")));
    if let Some(histories) = &mut report.histories {
        histories.unknown = 8;
        let key = "k12".to_owned();
        histories.counterexample = Some(Counterexample { key, operations });
    }
    let text = render(&report, &run(false));
    fits(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn failing_expectations() {
    let mut report = sample();
    report.lookups = Lookups {
        issued: 3,
        ok: 0,
        wrong: None,
        failed: 3,
        failed_share: Some(1.0),
        ..Lookups::default()
    };
    report.ring.rings = None;
    report.ring.ideal = None;
    let range = |metric: &str, min, max| Expectation {
        metric: metric.to_owned(),
        bound: Bound::Range { min, max },
    };
    let expectations = [
        range("lookups.failed_share", None, Some(0.002)),
        range("lookups.hops.mean", Some(3.6), Some(4.2)),
        range("ring.members", Some(1000.0), None),
        Expectation {
            metric: "world".to_owned(),
            bound: Bound::Equals(json!("turmoil")),
        },
    ];
    judge(&mut report, &expectations);
    assert_eq!(report.unmet.len(), 3);
    assert!(report.unmet.contains(&Unmet {
        metric: "lookups.hops.mean".to_owned(),
        value: json!(null),
        bound: "between 3.6 and 4.2".to_owned(),
    }));
    let text = render(
        &report,
        &Run {
            expectations: expectations.len(),
            ..run(false)
        },
    );
    fits(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn colours_add_nothing_but_colours() {
    let mut report = sample();
    report.ring.violations = 1;
    judge(&mut report, &[]);
    let plain = render(&report, &run(false));
    let coloured = render(&report, &run(true));
    assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
    assert_eq!(cuerda_text::terminal::without_colours(&coloured), plain);
}

#[test]
fn the_replay_command_names_what_was_overridden() {
    let alias = ["cargo", "sim"].map(str::to_owned);
    assert_eq!(
        replay(&alias, "scenarios/churn.toml", 7, None, None),
        "cargo sim run scenarios/churn.toml --seed 7"
    );
    assert_eq!(
        replay(&alias, "my scenario.toml", 0, Some(64), Some("events")),
        "cargo sim run 'my scenario.toml' --seed 0 --nodes 64 --world events"
    );
    for file in ["it's.toml", "$HOME/a b.toml", "a\"b\\c.toml", "", "*.toml"] {
        let program = ["/my tools/cuerda-sim".to_owned()];
        let words = shlex::split(&replay(&program, file, 1, None, None));
        let words = words.expect("a shell reads it");
        assert_eq!(words, [&program[0], "run", file, "--seed", "1"]);
    }
}
