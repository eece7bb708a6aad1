//! Comparing, on streams made up for the purpose: the shipped program never differs.

use super::*;

fn stream(events: &[(u64, &str)]) -> Digests {
    let mut digests = Digests::default();
    for &(at_ms, line) in events {
        digests.add(Duration::from_millis(at_ms), line);
    }
    digests
}

const REPORT_JSON: &str = r#"{"lookups":{"ok":3,"hops":null},"faults":[]}"#;

/// What another run prints.
fn printed(digests: &Digests, report: &str) -> Vec<String> {
    let mut lines: Vec<String> = digests.lines().lines().map(str::to_owned).collect();
    lines.push(format!("{REPORT}{report}"));
    lines
}

fn difference(one: &[(u64, &str)], other: &[(u64, &str)]) -> Option<Difference> {
    part(
        &stream(one),
        REPORT_JSON,
        &printed(&stream(other), REPORT_JSON),
    )
}

const EVENTS: [(u64, &str); 4] = [(100, "a"), (900, "b"), (2500, "c"), (9000, "d")];

#[test]
fn equal_streams_have_no_difference() {
    assert_eq!(difference(&EVENTS, &EVENTS), None);
    assert_eq!(difference(&[], &[]), None);
}

#[test]
fn the_first_second_that_differs_is_found() {
    let in_second = |second| {
        Some(Difference::Events {
            second,
            first: None,
        })
    };
    let mut other = EVENTS;
    other[2].1 = "x";
    other[3].1 = "y";
    assert_eq!(difference(&EVENTS, &other), in_second(2));
    let mut later = EVENTS;
    later[1].0 = 901;
    assert_eq!(
        difference(&EVENTS, &later),
        in_second(0),
        "the same event at another time"
    );
    let swapped = [(100, "b"), (900, "a"), (2500, "c"), (9000, "d")];
    assert_eq!(
        difference(&EVENTS, &swapped),
        in_second(0),
        "the order counts"
    );
    assert_eq!(
        difference(&EVENTS, &EVENTS[..3]),
        in_second(9),
        "one ends early"
    );
    assert_eq!(
        difference(&EVENTS[..3], &EVENTS),
        in_second(9),
        "or the other"
    );
    let without_third = [EVENTS[0], EVENTS[1], EVENTS[3]];
    assert_eq!(
        difference(&EVENTS, &without_third),
        in_second(2),
        "a second is missing"
    );
    assert_eq!(difference(&without_third, &EVENTS), in_second(2));
}

#[test]
fn equal_events_with_another_report_differ() {
    let other = r#"{"lookups":{"ok":4,"hops":null},"faults":[]}"#;
    let found = part(
        &stream(&EVENTS),
        REPORT_JSON,
        &printed(&stream(&EVENTS), other),
    );
    let expected = Difference::Report {
        metric: "lookups.ok".to_owned(),
        one: 3.into(),
        other: 4.into(),
    };
    assert_eq!(found, Some(expected));
    let lists = r#"{"lookups":{"ok":3,"hops":null},"faults":[1]}"#;
    let found = part(
        &stream(&EVENTS),
        REPORT_JSON,
        &printed(&stream(&EVENTS), lists),
    );
    assert!(matches!(found, Some(Difference::Report { metric, .. }) if metric == "a list"));
    let missing = part(
        &stream(&EVENTS),
        REPORT_JSON,
        &printed(&stream(&EVENTS), "")[..3],
    );
    assert!(matches!(missing, Some(Difference::Report { .. })));
}

#[test]
fn the_first_event_that_differs_comes_with_those_before() {
    let one = ["1", "2", "3", "4", "5", "6"];
    let other = ["1", "2", "3", "4", "five"];
    let found = parting(one, other).unwrap();
    assert_eq!(found.before, ["2", "3", "4"]);
    assert_eq!(
        (found.one.as_deref(), found.other.as_deref()),
        (Some("5"), Some("five"))
    );
    let found = parting(one, ["1", "2", "3", "4", "5"]).map(|found| (found.one, found.other));
    assert_eq!(found, Some((Some("6".to_owned()), None)));
    assert_eq!(parting(one, one), None);
    assert_eq!(parting([""; 0], [""; 0]), None);
}

#[test]
fn a_difference_is_shown_with_its_event() {
    let first = parting(
        ["event 1: a", "event 2: b"],
        ["event 1: a", "event 2: c\u{1b}[2J"],
    );
    let difference = Some(Difference::Events { second: 312, first });
    let shown = Comparison::new(2, difference).to_string();
    insta::assert_snapshot!(shown.trim_start(), @r"
    A second run of the same seed DIFFERED.
      First in the second that begins at 312 s:
        both   event 1: a
        one    event 2: b
        other  event 2: c\u{1b}[2J
    ");
    let same = Comparison::new(1200, None);
    assert!(same.same());
    assert_eq!(
        same.to_string(),
        "\nA second process agreed in all of 1,200 events.\n"
    );
}
