//! The published tables beside ours: one table for each quantity, all of the same five columns.

use cuerda_sim::report::terminal::plain_table;
use cuerda_sim::report::{Lookups, Report, Summary};
use serde::Serialize;

use super::published::{self, Measure};

/// A published quantity beside ours.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Table {
    pub(super) title: &'static str,
    /// What the rows are told apart by.
    pub(super) key: &'static str,
    pub(super) rows: Vec<Row>,
    /// What one has to know to compare.
    pub(super) notes: &'static [&'static str],
}

/// One line of it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Row {
    key: String,
    remembered: Cell,
    reproduced: Option<Cell>,
    ours: Option<Cell>,
    /// How far ours is from each, in per cent of it.
    over_remembered_percent: Option<f64>,
    over_reproduced_percent: Option<f64>,
}

/// A mean, and the percentiles shown with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Cell {
    mean: f64,
    /// The values of single seeds, where there is more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seeds: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percentiles: Option<(u64, u64)>,
}

impl From<Measure> for Cell {
    fn from(measure: Measure) -> Cell {
        let percentiles = Some((measure.low, measure.high));
        Cell {
            mean: measure.mean,
            seeds: Vec::new(),
            percentiles,
        }
    }
}

impl From<f64> for Cell {
    fn from(mean: f64) -> Cell {
        Cell {
            mean,
            seeds: Vec::new(),
            percentiles: None,
        }
    }
}

impl Cell {
    fn of_seeds(values: &[f64]) -> Option<Cell> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let seeds = if values.len() > 1 {
            values.to_vec()
        } else {
            Vec::new()
        };
        (!values.is_empty()).then_some(Cell {
            mean,
            seeds,
            percentiles: None,
        })
    }

    fn shown(&self) -> String {
        let number = |number: f64| format!("{number:.2}");
        let mean = if self.seeds.is_empty() {
            number(self.mean)
        } else {
            let all: Vec<String> = self.seeds.iter().copied().map(number).collect();
            all.join(", ")
        };
        match self.percentiles {
            Some((low, high)) => format!("{mean} ({low},{high})"),
            None => mean,
        }
    }
}

impl Row {
    fn new(
        key: String,
        remembered: impl Into<Cell>,
        reproduced: Option<Cell>,
        ours: Option<Cell>,
    ) -> Row {
        let remembered = remembered.into();
        let over = |other: &Cell| {
            let (ours, other) = (ours.as_ref()?.mean, other.mean);
            (other != 0.0).then(|| (ours / other - 1.0) * 100.0)
        };
        Row {
            key,
            over_remembered_percent: over(&remembered),
            over_reproduced_percent: reproduced.as_ref().and_then(over),
            remembered,
            reproduced,
            ours,
        }
    }
}

impl Table {
    /// For people: within 80 columns.
    pub(super) fn shown(&self) -> String {
        let cell = |cell: &Option<Cell>, none: &str| {
            cell.as_ref().map_or_else(|| none.to_owned(), Cell::shown)
        };
        let over = |percent: Option<f64>| {
            percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent:+.1} %"))
        };
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                vec![
                    row.key.clone(),
                    row.remembered.shown(),
                    cell(&row.reproduced, "–"),
                    cell(&row.ours, "not run"),
                    over(row.over_remembered_percent),
                    over(row.over_reproduced_percent),
                ]
            })
            .collect();
        let headings = [
            self.key,
            "remembered",
            "reproduced",
            "ours",
            "vs rem.",
            "vs repr.",
        ];
        let mut text = format!("{}\n{}", self.title, plain_table(&headings, &rows));
        for note in self.notes {
            let options = textwrap::Options::new(80)
                .initial_indent("  ")
                .subsequent_indent("  ");
            text.push_str(&textwrap::fill(note, options));
            text.push('\n');
        }
        text
    }
}

/// Finds our report for a scenario of the folder, by the scenario's name.
pub(super) type Ours<'a> = dyn Fn(&str) -> Option<&'a Report> + 'a;

/// The name of the scenario for a row of a table.
pub(super) fn path_length_name(k: u8) -> String {
    format!("path-length-{k:02}")
}

/// How many rings a row's scenario is played with, one seed each. In a small ring the mean
/// depends on where its few nodes happen to lie; the published figures are means over many.
pub(super) fn rings(name: &str) -> u64 {
    let small = (3..=8).any(|k| name == path_length_name(k));
    if small { 40 } else { 1 }
}

fn failures_name(percent: u8) -> String {
    format!("failures-{percent:02}")
}

fn churn_name(rate_percent: u8) -> String {
    format!("churn-{rate_percent:02}")
}

/// The names of all scenarios that the tables want, in their order.
pub(super) fn wanted() -> Vec<String> {
    let paths = published::PATH_LENGTHS
        .iter()
        .map(|row| path_length_name(row.k));
    let failures = published::FAILURES
        .iter()
        .map(|row| failures_name(row.percent));
    let churn = published::CHURN
        .iter()
        .map(|row| churn_name(row.rate_percent));
    paths.chain(failures).chain(churn).collect()
}

/// Failed and wrong look-ups in 10,000.
fn missed(lookups: &Lookups) -> Option<Cell> {
    Some((lookups.missed_share? * 10_000.0).into())
}

/// With the 1st and 99th percentiles.
fn wide(summary: Option<Summary>) -> Option<Cell> {
    summary.map(|summary| {
        Measure {
            mean: summary.mean,
            low: summary.p1,
            high: summary.p99,
        }
        .into()
    })
}

/// With the 10th and 90th percentiles.
fn narrow(summary: Option<Summary>) -> Option<Cell> {
    summary.map(|summary| {
        Measure {
            mean: summary.mean,
            low: summary.p10,
            high: summary.p90,
        }
        .into()
    })
}

const OWNER_CONFIRMS: &str = "Ours contact the owner, which confirms that the key is its own: one \
    message exchange more than the papers' look-ups, by choice. The remembered path lengths fit \
    that count all the same; a dead owner costs us a time-out.";

/// All tables, from whatever reports there are.
pub(super) fn tables(ours: &Ours<'_>) -> Vec<Table> {
    let lookups = |name: String| ours(&name).map(|report| &report.lookups);
    let path_lengths = published::PATH_LENGTHS.iter().map(|row| {
        let found = lookups(path_length_name(row.k));
        Row::new(
            format!("2^{}", row.k),
            row.remembered(),
            Some(row.reproduced.into()),
            found.and_then(|found| wide(found.hops_to_predecessor)),
        )
    });
    let failures = |row_of: &dyn Fn(&published::Failures, Option<&Lookups>) -> Row| {
        let rows = published::FAILURES.iter();
        rows.map(|row| row_of(row, lookups(failures_name(row.percent))))
            .collect()
    };
    let churn = |row_of: &dyn Fn(&published::Churn, Option<&Lookups>) -> Row| {
        let rows = published::CHURN.iter();
        rows.map(|row| row_of(row, lookups(churn_name(row.rate_percent))))
            .collect()
    };
    let share = |row: &published::Failures| format!("{:.1}", f64::from(row.percent) / 100.0);
    let rate = |row: &published::Churn| format!("{:.2}", f64::from(row.rate_percent) / 100.0);
    vec![
        Table {
            title: "Path length in a ring of N nodes: mean (1st, 99th percentile)",
            key: "N",
            rows: path_lengths.collect(),
            notes: &[
                "Remembered: ½ log₂N (Stoica et al. 2003, figure 10). Reproduced: by an \
                independent simulation. All count hops up to the key's predecessor, with fingers \
                only; one more leads to the owner.",
            ],
        },
        Table {
            title: "A share p of 1,000 nodes fails: path length, mean (10th, 90th percentile)",
            key: "p",
            rows: failures(&|row, found| {
                Row::new(
                    share(row),
                    row.path,
                    Some(row.path_reproduced.into()),
                    found.and_then(|found| narrow(found.hops)),
                )
            }),
            notes: &[
                "Remembered: Stoica et al. 2001, Table II. Reproduced: by an independent \
                simulation that counts as we do.",
                OWNER_CONFIRMS,
            ],
        },
        Table {
            title: "A share p of 1,000 nodes fails: time-outs, mean (10th, 90th percentile)",
            key: "p",
            rows: failures(&|row, found| {
                Row::new(
                    share(row),
                    row.timeouts,
                    Some(row.timeouts_reproduced.into()),
                    found.and_then(|found| narrow(found.timeouts)),
                )
            }),
            notes: &["Sources as above."],
        },
        Table {
            title: "A share p of 1,000 nodes fails: failed or wrong look-ups in 10,000",
            key: "p",
            rows: failures(&|row, found| {
                Row::new(
                    share(row),
                    published::FAILED_IN_FAILURES,
                    Some(published::FAILED_IN_FAILURES.into()),
                    found.and_then(missed),
                )
            }),
            notes: &["Sources as above."],
        },
        Table {
            title: "R joins and R leaves a second, 1,000 nodes: path length, mean (1st, 99th)",
            key: "R",
            rows: churn(&|row, found| {
                Row::new(
                    rate(row),
                    row.path,
                    Cell::of_seeds(row.path_reproduced),
                    found.and_then(|found| wide(found.hops)),
                )
            }),
            notes: &[
                "Remembered: Stoica et al. 2001, Table III. Reproduced: by the simulator of \
                its authors (2001), which counts to the predecessor; two values are two seeds.",
                OWNER_CONFIRMS,
            ],
        },
        Table {
            title: "R joins and R leaves a second, 1,000 nodes: time-outs, mean (1st, 99th)",
            key: "R",
            rows: churn(&|row, found| {
                Row::new(
                    rate(row),
                    row.timeouts,
                    Cell::of_seeds(row.timeouts_reproduced),
                    found.and_then(|found| wide(found.timeouts)),
                )
            }),
            notes: &["Sources as above."],
        },
        Table {
            title: "R joins and R leaves a second, 1,000 nodes: failed or wrong in 10,000",
            key: "R",
            rows: churn(&|row, found| {
                Row::new(rate(row), row.failed, None, found.and_then(missed))
            }),
            notes: &[
                "Remembered only: the authors' simulator counts documents that were not \
                found, which is another thing.",
            ],
        },
    ]
}

#[cfg(test)]
mod tests;
