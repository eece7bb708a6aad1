//! How long messages are under way: what can be said of it, and how that is read.

use std::time::Duration;

use super::diagnostic::{Problems, Reported};
use super::matrix::matrix;
use super::quantity::format_duration;
use super::section::Entry;

/// How long a message is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Evenly between two bounds.
    Uniform(Duration, Duration),
    /// Exponential, with this mean.
    Exponential(Duration),
    /// By regions: the machines are spread over them in turn, so that of three regions the first
    /// has n0, n3, n6 and so on. From a region, which is a row, to each. A table with as many rows as
    /// there are machines gives each pair its own.
    Regions(Vec<Vec<Duration>>),
    /// By distance: the machines lie at random on a square, from whose one corner to the opposite
    /// one a message takes so long.
    Plane(Duration),
}

/// Reads how long messages are under way.
pub(super) fn latency(
    entry: &Entry,
    read: &dyn Fn(&str) -> Result<String, String>,
    problems: &mut Problems,
) -> Result<Latency, Reported> {
    const FORMS: &[&str] = &[
        "fixed",
        "uniform",
        "exponential",
        "regions",
        "matrix",
        "plane",
    ];
    const HELP: &str = "write `{ fixed = \"50ms\" }`, `{ uniform = [\"10ms\", \"90ms\"] }`, \
                        `{ exponential = \"50ms\" }`, `{ plane = \"90ms\" }` or `{ regions = \
                        [[\"2ms\", \"80ms\"], [\"80ms\", \"2ms\"]] }`";
    let table = entry.table(problems, HELP)?;
    table.only(FORMS, problems);
    let forms: Vec<Entry> = table
        .entries()
        .filter(|form| FORMS.contains(&form.key))
        .collect();
    let form = match &forms[..] {
        [form] => form,
        [first, second, ..] => {
            return Err(problems.report(
                second.key_span.clone(),
                format!("`latency` is `{}` already", first.key),
                "keep one of them",
            ));
        }
        // An unknown form has been reported, and says what was meant.
        [] if table.entries().next().is_some() => return Err(Reported),
        [] => return Err(entry.wrong(problems, "`latency` says nothing", HELP)),
    };
    match form.key {
        "fixed" => form.duration(problems).map(Latency::Fixed),
        "exponential" => form.duration(problems).map(Latency::Exponential),
        "plane" => form.duration(problems).map(Latency::Plane),
        "regions" => regions(form, problems).map(Latency::Regions),
        "matrix" => {
            let help = "name a file beside this one, with a square table of milliseconds";
            let file = form.text(problems, help)?;
            let table = read(file).and_then(|text| matrix(&text));
            let table = table.map_err(|why| form.wrong(problems, format!("{file}: {why}"), help));
            table.map(Latency::Regions)
        }
        _ => {
            let help = "name the least and the greatest, as in [\"10ms\", \"90ms\"]";
            let bounds = form.list(problems, help)?;
            let [least, greatest] = &bounds[..] else {
                return Err(form.wrong(problems, "`uniform` has two bounds", help));
            };
            let least = form.with_value(least).duration(problems);
            let greatest = form.with_value(greatest).duration(problems);
            let (least, greatest) = (least?, greatest?);
            if least > greatest {
                let help = "write the lesser first";
                return Err(form.wrong(problems, "the bounds of `uniform` are swapped", help));
            }
            Ok(Latency::Uniform(least, greatest))
        }
    }
}

/// A row for each region, each with as many entries as there are rows.
fn regions(form: &Entry, problems: &mut Problems) -> Result<Vec<Vec<Duration>>, Reported> {
    const HELP: &str = "write a row for each region: how long messages from there take to each, \
                        as in [[\"2ms\", \"80ms\"], [\"80ms\", \"2ms\"]]";
    let rows = form.list(problems, HELP)?;
    if rows.is_empty() {
        return Err(form.wrong(problems, "there is no region", HELP));
    }
    let mut read = Vec::new();
    for row in rows.iter() {
        let row = form.with_value(row);
        let cells = row.list(problems, HELP)?;
        if cells.len() != rows.len() {
            let message = format!(
                "this row has {} entries, and there are {} regions",
                cells.len(),
                rows.len()
            );
            return Err(row.wrong(problems, message, HELP));
        }
        let cells: Vec<_> = cells
            .iter()
            .map(|cell| form.with_value(cell).duration(problems))
            .collect();
        read.push(
            cells
                .into_iter()
                .collect::<Result<Vec<Duration>, Reported>>(),
        );
    }
    read.into_iter().collect()
}

/// Refuses a latency at which no reply can come while it is waited for: there and back take two. Of
/// an exponential one some are late whatever its mean is; it is refused where most are.
pub(super) fn in_time(
    latency: &Latency,
    patience: Option<Duration>,
    entry: &Entry,
    problems: &mut Problems,
) -> Result<(), Reported> {
    let (reply, how) = match latency {
        Latency::Fixed(time) => (time.saturating_mul(2), ""),
        Latency::Uniform(_, greatest) => (greatest.saturating_mul(2), "up to "),
        Latency::Exponential(mean) => (mean.saturating_mul(2), "on average "),
        Latency::Plane(across) => (across.saturating_mul(2), "up to "),
        Latency::Regions(regions) => (farthest(regions), "up to "),
    };
    match patience {
        Some(patience) if reply > patience => Err(entry.wrong(
            problems,
            format!(
                "a reply takes {how}\"{}\", and nodes wait for none longer than \"{}\"",
                format_duration(reply),
                format_duration(patience)
            ),
            "raise `request_timeout_max` in [node] above what there and back take",
        )),
        _ => Ok(()),
    }
}

/// There and back between the two regions that are farthest from each other.
fn farthest(regions: &[Vec<Duration>]) -> Duration {
    let round = |(from, row): (usize, &Vec<Duration>)| {
        let each = row.iter().zip(regions);
        let round = each.map(|(there, back)| there.saturating_add(back[from]));
        round.max().unwrap_or_default()
    };
    regions
        .iter()
        .enumerate()
        .map(round)
        .max()
        .unwrap_or_default()
}
