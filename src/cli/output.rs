//! How results and failures are shown: to people, and with `--json` to programs.
//!
//! Results go to stdout and all else to stderr. Nothing here knows what a result means.

use cuerda::host::LostLines;
use cuerda_text::table::Columns;
use cuerda_text::terminal;
use serde::Serialize;
use serde_json::json;

use super::Failure;
use super::config::{Diagnostic, Style};

pub(crate) use cuerda_text::terminal::{colours, print_no_more, tell, tell_no_more};
pub(crate) use cuerda_text::words::{harmless, harmless_lines};

/// What the command line says about the form of the output.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Output {
    /// One JSON document on stdout instead of words.
    pub(crate) json: bool,
    /// Nothing that was not asked for.
    pub(crate) quiet: bool,
    /// More than usual; counts.
    pub(crate) verbose: u8,
}

/// Writes to stdout. A reader that went away (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// The same for a process that has something else to do than to print: it goes on, and counts.
pub(crate) fn print_if_possible(text: &str, lost: &LostLines) {
    if let Err(failure) = print(text) {
        lost.add_stdout(text.lines().count() as u64);
        tracing::warn!("{}", failure.message);
    }
}

/// The same with bytes, as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    terminal::print(bytes).map_err(|error| {
        Failure::failed(
            format!("can't write the result: {error}"),
            "is the disk full?",
        )
    })
}

/// The same with a line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|error| {
        Failure::failed(
            format!("can't write the result as JSON: {error}"),
            "leave --json out",
        )
    })?;
    print(&format!("{line}\n"))
}

/// Tells why there is no result.
pub(crate) fn print_failure(failure: &Failure, output: Output) {
    if output.json {
        let problems = failure.diagnostic.as_deref().map(Diagnostic::for_programs);
        // Whoever reads JSON gets an answer in JSON, also when there is none.
        let mut answer = json!({
            "error": failure.message,
            "code": failure.code,
            "hint": failure.hint,
            "exit_code": failure.exit as u8,
        });
        if let Some(problems) = problems {
            answer["problems"] = json!(problems);
        }
        // With stdout gone too, nobody is left to tell.
        let _ = print_json(&answer);
    }
    if output.quiet {
        return;
    }
    match &failure.diagnostic {
        Some(diagnostic) => tell(&diagnostic.render(Style::Coloured)),
        None => {
            tell(&format!("error: {}", harmless(&failure.message)));
            if !failure.hint.is_empty() {
                tell(&format!("help: {}", harmless(&failure.hint)));
            }
        }
    }
}

/// A table without lines between its cells.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut table = Columns::new(&head, 0);
    for row in rows {
        table.row(row);
    }
    table.text()
}

/// Milliseconds with as many digits as a person wants of them.
pub(crate) fn milliseconds(time: f64) -> String {
    match time {
        0.0 => "0 ms".to_owned(),
        _ if time < 10.0 => format!("{time:.2} ms"),
        _ if time < 10_000.0 => format!("{time:.0} ms"),
        _ => format!("{:.1} s", time / 1000.0),
    }
}

/// Seconds in the units one would say them in: `42 s`, `3 min 20 s`, `5 h 2 min`, `12 d 3 h`.
pub(crate) fn uptime(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if minutes == 0 => format!("{seconds} s"),
        () if hours == 0 => format!("{minutes} min {} s", seconds % 60),
        () if days == 0 => format!("{hours} h {} min", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
}

/// `1 node`, `2 nodes`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    cuerda_text::words::count(number as u64, one, many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_do() {
        assert_eq!(uptime(42.9), "42 s");
        assert_eq!(uptime(200.0), "3 min 20 s");
        assert_eq!(uptime(18_120.0), "5 h 2 min");
        assert_eq!(uptime(1_047_600.0), "12 d 3 h");
        assert_eq!(milliseconds(0.0712), "0.07 ms");
        assert_eq!(milliseconds(72.4), "72 ms");
        assert_eq!(milliseconds(12_345.0), "12.3 s");
    }
}
