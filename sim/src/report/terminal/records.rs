//! How reads and writes fared, as a person reads it.

use std::fmt::Write as _;

use super::super::words::{count, grouped, moment, percent};
use super::super::{Reads, Report, Writes};
use super::{BOLD, RED, Run, fact, fold, plain_table, times_row};

/// Both, and how long they took.
pub(super) fn table(writes: &Writes, reads: &Reads) -> String {
    let unchecked = |number: Option<u64>| number.map_or_else(|| "not checked".to_owned(), grouped);
    let written = plain_table(
        &[
            "",
            "issued",
            "acked",
            "partial",
            "failed",
            "open",
            "lost",
            "conflicts",
            "copies missing",
        ],
        &[vec![
            "writes".to_owned(),
            grouped(writes.issued),
            grouped(writes.acked),
            grouped(writes.partial),
            grouped(writes.failed),
            grouped(writes.unfinished),
            unchecked(writes.lost),
            grouped(writes.conflicts),
            unchecked(writes.missing_copies),
        ]],
    );
    let share = reads.stale_share.map_or_else(|| "–".to_owned(), percent);
    let read = plain_table(
        &[
            "",
            "issued",
            "ok",
            "stale",
            "missing",
            "failed",
            "open",
            "stale or missing",
        ],
        &[vec![
            "reads".to_owned(),
            grouped(reads.issued),
            grouped(reads.ok),
            grouped(reads.stale),
            grouped(reads.missing),
            grouped(reads.failed),
            grouped(reads.unfinished),
            share,
        ]],
    );
    let times = [
        ("writes in ms", writes.latency_ms),
        ("reads in ms", reads.latency_ms),
    ];
    let measured: Vec<Vec<String>> = times
        .into_iter()
        .filter_map(|(name, summary)| {
            let mut row = times_row(&summary?);
            row[0] = name.to_owned();
            // The lowest percentiles are not told of times.
            row.drain(2..4);
            Some(row)
        })
        .collect();
    let timed = match measured.is_empty() {
        true => String::new(),
        false => plain_table(&["", "mean", "p50", "p90", "p99", "max"], &measured),
    };
    format!("{written}\n{read}\n{timed}\n")
}

/// What clients were told that they should not have been, and what became of the histories.
pub(super) fn facts(text: &mut String, report: &Report) {
    let (Some(writes), Some(reads)) = (&report.writes, &report.reads) else {
        return;
    };
    let counted = |parts: &[(u64, &str)]| {
        let parts = parts.iter().filter(|(number, _)| *number > 0);
        let parts = parts.map(|(number, what)| format!("{} {what}", grouped(*number)));
        parts.collect::<Vec<_>>().join(", ")
    };
    let said = [
        (
            "reads",
            counted(&[
                (reads.missing_certain, "missing for certain"),
                (reads.resurrected, "resurrected"),
                (reads.expired, "expired"),
                (reads.early, "ended too early"),
            ]),
        ),
        (
            "writes",
            counted(&[
                (writes.granted_twice.unwrap_or(0), "granted twice"),
                (writes.short_acks.unwrap_or(0), "with too few copies"),
                (writes.below_past.unwrap_or(0), "not above the past"),
            ]),
        ),
    ];
    for (name, said) in said.iter().filter(|(_, said)| !said.is_empty()) {
        fact(text, name, said);
    }
    if let Some(histories) = &report.histories {
        let checked = count(histories.checked, "history", "histories");
        let wrong = grouped(histories.not_linearizable);
        let unknown = match histories.unknown {
            0 => String::new(),
            unknown => format!(", {} unknown", grouped(unknown)),
        };
        let said = format!("{checked}, {wrong} not linearizable{unknown}");
        fact(text, "keys", &said);
    }
}

/// So many operations of a history are told before the rest is counted.
const OPERATIONS: usize = 8;

/// A history that is not that of one register.
pub(super) fn counterexample(text: &mut String, report: &Report, run: &Run<'_>) {
    let histories = report.histories.as_ref();
    let Some(shown) = histories.and_then(|it| it.counterexample.as_ref()) else {
        return;
    };
    let title = format!("{} is not linearizable", shown.key);
    let _ = writeln!(text, "\n{}", run.paint(BOLD, &title));
    for operation in shown.operations.iter().take(OPERATIONS) {
        let from = operation.from_s;
        let span = match operation.until_s {
            Some(until) => format!("{from:.3} s to {until:.3} s"),
            None => format!("from {from:.3} s on"),
        };
        let said = format!("{span}, {}: {}", operation.node, operation.what);
        fold(text, "  ", 4, &said);
    }
    if let Some(rest @ 1..) = shown.operations.len().checked_sub(OPERATIONS) {
        fold(
            text,
            "  ",
            4,
            &format!("… and {} more", grouped(rest as u64)),
        );
    }
}

/// So many losses are told before the rest is counted.
const TOLD: usize = 12;

/// What was lost and is excused; the rest is among the violations.
pub(super) fn losses(text: &mut String, report: &Report, run: &Run<'_>) {
    let excused: Vec<_> = report
        .losses
        .iter()
        .filter(|loss| loss.excuse.is_some())
        .collect();
    if excused.is_empty() {
        return;
    }
    let all = report
        .writes
        .as_ref()
        .and_then(|writes| writes.lost_excused);
    let all = all.unwrap_or(excused.len() as u64);
    let _ = writeln!(
        text,
        "\n{}",
        run.paint(
            RED,
            &format!("{}, excused", count(all, "write lost", "writes lost"))
        )
    );
    for loss in excused.iter().take(TOLD) {
        let excuse = loss.excuse.as_deref().unwrap_or_default();
        fold(
            text,
            "  ",
            4,
            &format!("{}, {}: {excuse}", loss.key, moment(loss.at_s)),
        );
        fold(text, "    ", 6, &loss.detail);
    }
    if excused.len() > TOLD {
        let rest = (excused.len() - TOLD) as u64;
        fold(text, "  ", 4, &format!("… and {} more", grouped(rest)));
    }
}
