//! Reports of one scenario in several worlds, side by side: what a simulation is true to, and
//! what it is not.

use super::terminal::plain_table;
use super::words::{grouped, percent, seconds};
use super::{Report, Verdict};

/// A table with a column for each report, and for each fault what nodes saw of others; ends in a
/// newline.
#[must_use]
pub fn render(reports: &[Report]) -> String {
    let worlds: Vec<&str> = reports.iter().map(|report| report.world.as_str()).collect();
    let headings: Vec<&str> = [""].into_iter().chain(worlds.iter().copied()).collect();
    let rows: Vec<Vec<String>> = MEASURES
        .iter()
        .map(|(name, measure)| {
            let values = reports.iter().map(measure);
            let values = values.map(|value| value.unwrap_or_else(|| "–".to_owned()));
            [(*name).to_owned()].into_iter().chain(values).collect()
        })
        .filter(|row: &Vec<String>| row[1..].iter().any(|value| value != "–"))
        .collect();
    let mut text = plain_table(&headings, &rows);
    let faults = reports.iter().map(|report| report.faults.len()).max();
    for place in 0..faults.unwrap_or(0) {
        text.push('\n');
        text.push_str(&fault(reports, place, &headings));
    }
    text
}

type Measure = fn(&Report) -> Option<String>;

const MEASURES: &[(&str, Measure)] = &[
    ("verdict", |report| {
        let word = match report.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
        };
        Some(word.to_owned())
    }),
    ("members at the end", |report| {
        Some(grouped(report.ring.members))
    }),
    ("ideal after", |report| {
        report.ring.ideal_after_s.map(seconds)
    }),
    ("in periods", |report| {
        let periods = report.ring.ideal_after_periods?;
        Some(format!("{periods:.1}"))
    }),
    ("look-ups", |report| some(report.lookups.issued)),
    ("of these failed", |report| {
        report.lookups.failed_share.map(percent)
    }),
    ("of these wrong", |report| {
        report.lookups.wrong_share.map(percent)
    }),
    ("hops", |report| {
        Some(format!("{:.2}", report.lookups.hops?.mean))
    }),
    ("median ms", |report| {
        Some(format!("{:.1}", report.lookups.latency_ms?.p50))
    }),
    ("writes", |report| some(report.writes.as_ref()?.issued)),
    ("acknowledged", |report| some(report.writes.as_ref()?.acked)),
    ("in part", |report| {
        Some(grouped(report.writes.as_ref()?.partial))
    }),
    ("not done", |report| {
        Some(grouped(report.writes.as_ref()?.failed))
    }),
    ("lost", |report| report.writes.as_ref()?.lost.map(grouped)),
    ("readings", |report| some(report.reads.as_ref()?.issued)),
    ("stale or missing", |report| {
        report.reads.as_ref()?.stale_share.map(percent)
    }),
    ("failed", |report| {
        report.reads.as_ref()?.failed_share.map(percent)
    }),
    ("presumed dead", |report| {
        Some(grouped(report.events.presumed_dead))
    }),
    ("wrongly so", |report| {
        Some(grouped(report.events.presumed_dead_wrongly))
    }),
    ("stranded", |report| Some(grouped(report.events.stranded))),
    ("messages", |report| some(report.traffic.messages)),
    ("bytes/node/s", |report| {
        Some(format!("{:.0}", report.traffic.bytes_per_node_per_s))
    }),
    ("violations", |report| {
        let others = report.violations.len() as u64;
        Some(grouped(report.ring.violations.max(others)))
    }),
];

fn some(count: u64) -> Option<String> {
    (count > 0).then(|| grouped(count))
}

/// What nodes saw of others while a fault was in force.
fn fault(reports: &[Report], place: usize, headings: &[&str]) -> String {
    let fired = |report: &Report| report.faults.get(place).cloned();
    let Some(first) = reports.iter().find_map(fired) else {
        return String::new();
    };
    let hit: Vec<String> = first.nodes.iter().map(|group| group.join(" ")).collect();
    let until = first
        .until_s
        .map_or_else(String::new, |until| format!(" to {}", seconds(until)));
    let elsewhere = reports.iter().filter_map(fired);
    let elsewhere = elsewhere.filter(|fault| fault.nodes != first.nodes).count();
    let mut text = format!(
        "{} at {}{until}: {}{}\n",
        first.kind,
        seconds(first.at_s),
        hit.join(" | "),
        if elsewhere > 0 {
            ", and others in the other worlds"
        } else {
            ""
        }
    );
    let seen: Vec<_> = reports
        .iter()
        .map(|report| fired(report).map(|fault| fault.seen.words()))
        .collect();
    let words = first.seen.words().map(|(word, _)| word);
    let rows: Vec<Vec<String>> = (0..words.len())
        .map(|at| {
            let counts = seen.iter().map(|seen| match seen {
                Some(words) if words[at].1 > 0 => grouped(words[at].1),
                Some(_) => "·".to_owned(),
                None => "–".to_owned(),
            });
            [words[at].to_owned()].into_iter().chain(counts).collect()
        })
        .collect();
    text.push_str(&plain_table(headings, &rows));
    text
}

#[cfg(test)]
mod tests {
    use super::super::FaultFired;
    use super::super::sample::sample;
    use super::*;
    use crate::world::FailureObservations;

    #[test]
    fn worlds_stand_side_by_side() {
        let mut one = sample();
        one.world = "events".to_owned();
        one.faults = vec![FaultFired {
            at_s: 4.0,
            until_s: Some(10.0),
            kind: "one_way".to_owned(),
            nodes: vec![
                vec!["n3".to_owned()],
                vec!["n0".to_owned(), "n1".to_owned()],
            ],
            hit: 1,
            seen: FailureObservations {
                timed_out: 1234,
                ..FailureObservations::default()
            },
        }];
        let mut other = one.clone();
        other.world = "containers".to_owned();
        other.verdict = Verdict::Fail;
        other.writes = None;
        other.faults[0].seen = FailureObservations {
            refused: 7,
            timed_out: 40,
            ..FailureObservations::default()
        };
        insta::assert_snapshot!(render(&[one, other]));
    }
}
