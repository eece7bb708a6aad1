//! A report as a person reads it: 80 columns, the verdict first, the way to replay it last.
//!
//! Returns text and prints nothing; colours are used only if asked for.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use cuerda_text::table::Columns;

use super::words::{bytes, count, grouped, harmless, moment, number, percent, seconds};
use super::{FaultFired, LatencySummary, Lookups, Program, Report, Summary, Verdict};

/// What a report does not know about its run.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The scenario's title.
    pub title: &'a str,
    /// How many expectations it has.
    pub expectations: usize,
    /// The command that runs it again, see [`replay`].
    pub replay: &'a str,
    /// Whether the reader sees colours.
    pub colours: bool,
}

/// The one command that runs a scenario again exactly so, for a shell. `program` is how the harness
/// is called, in one word or several; `nodes` and `world` are given only where they override the
/// file.
#[must_use]
pub fn replay(
    program: &[String],
    file: &str,
    seed: u64,
    nodes: Option<u32>,
    world: Option<&str>,
) -> String {
    let (seed, nodes) = (seed.to_string(), nodes.map(|nodes| nodes.to_string()));
    let mut words: Vec<&str> = program.iter().map(String::as_str).collect();
    words.extend(["run", file, "--seed", &seed]);
    if let Some(nodes) = &nodes {
        words.extend(["--nodes", nodes]);
    }
    if let Some(world) = world {
        words.extend(["--world", world]);
    }
    let quoter = shlex::Quoter::new().allow_nul(true);
    quoter
        .join(words)
        .expect("a NUL is all that could not be quoted")
}

/// A table without lines: names on the left, numbers under their headings on the right.
#[must_use]
pub fn plain_table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Columns::new(headings, 2).numbers(1..headings.len());
    for row in rows {
        table.row(row);
    }
    table.text()
}

/// The whole report, ending in a newline.
#[must_use]
pub fn render(report: &Report, run: &Run<'_>) -> String {
    let mut text = String::new();
    heading(&mut text, report, run);
    text.push_str(&lookups(&report.lookups));
    if let (Some(writes), Some(reads)) = (&report.writes, &report.reads) {
        text.push_str(&records::table(writes, reads));
    }
    facts(&mut text, report);
    faults(&mut text, &report.faults, run);
    records::losses(&mut text, report, run);
    records::counterexample(&mut text, report, run);
    notes(&mut text, report);
    violations(&mut text, report, run);
    unmet(&mut text, report, run);
    ending(&mut text, report, run);
    text
}

/// The world in which time is real.
const REAL: &str = crate::scenario::World::Containers.name();

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();

impl Run<'_> {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.colours {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// Adds a paragraph, folded at 80 columns; all lines but the first are indented by `hang`.
fn fold(text: &mut String, first: &str, hang: usize, paragraph: &str) {
    let indent = " ".repeat(hang);
    let options = textwrap::Options::new(80)
        .initial_indent(first)
        .subsequent_indent(&indent);
    for line in textwrap::wrap(&harmless(paragraph), options) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn heading(text: &mut String, report: &Report, run: &Run<'_>) {
    let verdict = match report.verdict {
        Verdict::Pass => run.paint(GREEN, "PASS"),
        Verdict::Fail => run.paint(RED, "FAIL"),
    };
    let mut title = String::new();
    fold(
        &mut title,
        "",
        6,
        &format!("     {}: {}", report.scenario, run.title),
    );
    let _ = writeln!(text, "{verdict}  {}", title.trim());
    let time = if report.world == REAL {
        "of real time"
    } else {
        "simulated"
    };
    let what = format!(
        "world {} · seed {} · {} · {} {time}",
        report.world,
        report.seed,
        count(u64::from(report.nodes), "node", "nodes"),
        seconds(report.simulated_s)
    );
    let _ = writeln!(text, "      {}\n", run.paint(DIM, &what));
}

fn lookups(lookups: &Lookups) -> String {
    let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
    let wrong = lookups
        .wrong
        .map_or_else(|| "not checked".to_owned(), grouped);
    let counted = plain_table(
        &[
            "",
            "issued",
            "ok",
            "wrong",
            "failed",
            "open",
            "wrong or failed",
        ],
        &[vec![
            "look-ups".to_owned(),
            grouped(lookups.issued),
            grouped(lookups.ok),
            wrong,
            grouped(lookups.failed),
            grouped(lookups.unfinished),
            share(lookups.missed_share.or(lookups.failed_share)),
        ]],
    );
    let rows = [
        ("hops", lookups.hops),
        ("hops to predecessor", lookups.hops_to_predecessor),
        ("time-outs", lookups.timeouts),
    ];
    let mut measured: Vec<Vec<String>> = rows
        .into_iter()
        .filter_map(|(name, summary)| Some(counts_row(name, &summary?)))
        .collect();
    measured.extend(lookups.latency_ms.map(|summary| times_row(&summary)));
    if measured.is_empty() {
        return counted + "\n";
    }
    let headings = ["", "mean", "p1", "p10", "p50", "p90", "p99", "max"];
    format!("{counted}\n{}\n", plain_table(&headings, &measured))
}

fn counts_row(name: &str, summary: &Summary) -> Vec<String> {
    let Summary {
        mean,
        p1,
        p10,
        p50,
        p90,
        p99,
        max,
    } = *summary;
    let percentiles = [p1, p10, p50, p90, p99, max].map(grouped);
    [name.to_owned(), format!("{mean:.2}")]
        .into_iter()
        .chain(percentiles)
        .collect()
}

fn times_row(summary: &LatencySummary) -> Vec<String> {
    let milliseconds = |time: f64| {
        if time < 100.0 {
            format!("{time:.1}")
        } else {
            grouped(time.round() as u64)
        }
    };
    let LatencySummary {
        mean,
        p50,
        p90,
        p99,
        max,
    } = *summary;
    let [mean, p50, p90, p99, max] = [mean, p50, p90, p99, max].map(milliseconds);
    let none = String::new;
    vec![
        "latency in ms".to_owned(),
        mean,
        none(),
        none(),
        p50,
        p90,
        p99,
        max,
    ]
}

fn facts(text: &mut String, report: &Report) {
    let ring = &report.ring;
    let mut said = vec![count(ring.members, "member", "members")];
    match ring.rings {
        Some(rings) => said.push(count(rings, "ring", "rings")),
        None => said.push("not checked".to_owned()),
    }
    match (ring.ideal, ring.ideal_after_s) {
        (Some(true), Some(after)) => {
            let periods = ring
                .ideal_after_periods
                .map_or_else(String::new, |periods| format!(" ({periods:.1} periods)"));
            let after = seconds(after);
            said.push(format!("ideal {after}{periods} after the last change"));
        }
        (Some(true), None) => said.push("ideal".to_owned()),
        (Some(false), _) => said.push("not ideal at the end".to_owned()),
        (None, _) => {}
    }
    fact(text, "ring", &said.join(", "));
    if ring.rings.is_some() || ring.violations > 0 {
        let violations = count(ring.violations, "violation", "violations");
        let said = format!("{violations}, {} excused", grouped(ring.excused));
        fact(text, "", &said);
    }
    for (excuse, times) in &ring.excuses {
        fact(text, "", &format!("{} excused: {excuse}", grouped(*times)));
    }

    records::facts(text, report);

    let events = &report.events;
    let said = format!(
        "{} joined, {} left, {} crashed; {} presumed dead, {} of them wrongly; {} stranded",
        grouped(events.joined),
        grouped(events.left),
        grouped(events.crashed),
        grouped(events.presumed_dead),
        grouped(events.presumed_dead_wrongly),
        grouped(events.stranded)
    );
    fact(text, "nodes", &said);

    let traffic = &report.traffic;
    let said = format!(
        "{} delivered, {} lost, {} ignored; {} bytes per node and second",
        count(traffic.messages, "message", "messages"),
        grouped(traffic.lost),
        grouped(events.ignored),
        number(traffic.bytes_per_node_per_s)
    );
    fact(text, "traffic", &said);
    if let Some(repair) = traffic.repair_bytes {
        let lost = traffic.lost_bytes.unwrap_or(0);
        let ratio = traffic.repair_ratio.map_or_else(String::new, |ratio| {
            format!(", {} for each lost", number(ratio))
        });
        let said = format!(
            "{} bytes of repair, {} bytes lost with disks{ratio}",
            grouped(repair),
            grouped(lost)
        );
        fact(text, "", &said);
    }
}

fn fact(text: &mut String, name: &str, said: &str) {
    fold(text, &format!("  {name:9}"), 11, said);
}

fn faults(text: &mut String, faults: &[FaultFired], run: &Run<'_>) {
    if faults.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{}",
        run.paint(BOLD, &count(faults.len() as u64, "fault", "faults"))
    );
    for fault in faults {
        let until = fault.until_s.map_or_else(|| "the end".to_owned(), moment);
        let groups: Vec<String> = fault.nodes.iter().map(|group| named(group)).collect();
        let said = format!(
            "{}, {} to {until}: {}{}",
            fault.kind,
            moment(fault.at_s),
            groups.join(" | "),
            if fault.hit == 0 { "; hit nobody" } else { "" }
        );
        fold(text, "  ", 4, &said);
    }
}

/// So many names are listed before the rest is counted.
const NAMES: usize = 8;

fn named(nodes: &[String]) -> String {
    let listed = nodes[..nodes.len().min(NAMES)].join(" ");
    match nodes.len() {
        0 => "no node".to_owned(),
        length if length > NAMES => {
            format!("{listed} … ({} nodes)", grouped(length as u64))
        }
        _ => listed,
    }
}

fn violations(text: &mut String, report: &Report, run: &Run<'_>) {
    let listed = report.violations.len() as u64;
    // Wrong look-ups are listed but not counted as the ring's.
    let all = report.ring.violations.max(listed);
    if all == 0 {
        return;
    }
    let of = if listed < all {
        format!("; the first {} of them", grouped(listed))
    } else {
        String::new()
    };
    let _ = writeln!(
        text,
        "\n{}{of}",
        run.paint(RED, &format!("violated: {}", grouped(all)))
    );
    for violation in &report.violations {
        let place = violation
            .node
            .as_ref()
            .map_or_else(String::new, |node| format!(" at {node}"));
        let said = format!("{}, {}{place}", violation.check, moment(violation.at_s));
        fold(text, "  ", 4, &said);
        fold(text, "    ", 6, &violation.detail);
        fold(
            text,
            "    ",
            6,
            &format!("while handling {}", violation.cause),
        );
    }
}

fn notes(text: &mut String, report: &Report) {
    if report.notes.is_empty() {
        return;
    }
    text.push('\n');
    text.push_str("in this world\n");
    for note in &report.notes {
        fold(text, "  ", 4, note);
    }
}

fn unmet(text: &mut String, report: &Report, run: &Run<'_>) {
    if report.unmet.is_empty() {
        return;
    }
    let length = report.unmet.len() as u64;
    let _ = writeln!(
        text,
        "\n{}",
        run.paint(RED, &format!("not met: {}", grouped(length)))
    );
    for unmet in &report.unmet {
        let value = if unmet.value.is_null() {
            "has no samples".to_owned()
        } else {
            format!("is {}", unmet.value)
        };
        fold(
            text,
            "  ",
            4,
            &format!("{} {value}, must be {}", unmet.metric, unmet.bound),
        );
    }
}

fn ending(text: &mut String, report: &Report, run: &Run<'_>) {
    let cost = &report.cost;
    let speed = if cost.cpu_s > 0.0 {
        format!(" ({:.2} M/s)", cost.events as f64 / cost.cpu_s / 1e6)
    } else {
        String::new()
    };
    let said = format!(
        "{} in {:.1} s of CPU{speed}, {}",
        count(cost.events, "event", "events"),
        cost.cpu_s,
        bytes(cost.peak_rss_bytes)
    );
    text.push('\n');
    let met = run.expectations.saturating_sub(report.unmet.len());
    if run.expectations > 0 {
        fact(
            text,
            "expected",
            &format!("{met} of {} held", run.expectations),
        );
    }
    fact(text, "digest", &report.digest);
    let _ = writeln!(text, "{}", run.paint(DIM, &format!("  {:9}{said}", "cost")));
    let said = format!("cuerda-sim {}", by(&report.program));
    let _ = writeln!(
        text,
        "{}",
        run.paint(DIM, &format!("  {:9}{said}", "program"))
    );
    if report.verdict == Verdict::Fail {
        // On a line of its own, and never folded, so that it can be copied.
        let _ = writeln!(
            text,
            "\nTo see it again:\n  {}",
            run.paint(BOLD, &harmless(run.replay))
        );
    }
}

/// What played a run: the version, the commit and what was built in.
fn by(program: &Program) -> String {
    let Program {
        version,
        commit,
        options,
    } = program;
    let commit = commit.map_or_else(String::new, |commit| format!(", {commit}"));
    let options: String = options.iter().map(|option| format!(" +{option}")).collect();
    format!("{version}{commit}{options}")
}

mod records;
#[cfg(test)]
mod tests;
