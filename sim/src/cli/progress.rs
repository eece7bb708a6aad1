//! How far a command has come, on stderr: a bar for a person who watches, and a line now and then
//! where nobody does, so that a log shows that it is at work.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use cuerda_sim::report::words::{count, duration};
use cuerda_sim::run::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The time between two lines of a log.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A bar; it vanishes when dropped. Where stderr is no terminal, lines.
pub(crate) struct Bar {
    bar: ProgressBar,
    what: String,
    /// When the last line was told; `None` where none is.
    told: Option<Cell<Instant>>,
}

impl Bar {
    /// A bar for `length` steps named `what`, or none at all if `quiet`. Of 0 steps nobody knows how many
    /// there will be: they are counted.
    pub(crate) fn new(length: u64, what: &str, quiet: bool) -> Bar {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let template = match length {
            0 => "{prefix} {pos} {msg}",
            _ => "{prefix} {bar:24} {percent:>3} % {msg}",
        };
        let style =
            ProgressStyle::with_template(template).expect("the templates are constants and parse");
        bar.set_style(style);
        bar.set_prefix(what.to_owned());
        let lines = !quiet && !std::io::stderr().is_terminal();
        Bar {
            bar,
            what: what.to_owned(),
            told: lines.then(|| Cell::new(now())),
        }
    }

    /// A bar for the simulated time of one run.
    pub(crate) fn of_run(length: Duration, name: &str, quiet: bool) -> Bar {
        Bar::new(milliseconds(length), name, quiet)
    }

    /// Shows how far a run has come.
    pub(crate) fn show(&self, progress: &Progress) {
        let mut message = format!(
            "{}, {}",
            duration(Duration::from_secs(progress.simulated.as_secs())),
            count(progress.events, "event", "events"),
        );
        if progress.members > 0 {
            message += ", ";
            message += &count(progress.members.into(), "member", "members");
        }
        self.bar.set_message(message.clone());
        self.bar.set_position(milliseconds(progress.simulated));
        self.line(&message);
    }

    /// One step more.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
        self.line("");
    }

    /// A line for a log, if the last one was long ago.
    fn line(&self, message: &str) {
        let Some(told) = &self.told else { return };
        if told.get().elapsed() < LINE_EVERY {
            return;
        }
        told.set(now());
        let done = so_far(self.bar.position(), self.bar.length().unwrap_or(0));
        let comma = if message.is_empty() { "" } else { ", " };
        super::tell(&format!("{}: {done}{comma}{message}", self.what));
    }

    /// Takes the bar away while something else is printed.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

/// How far it is: of 0 steps nobody knows how many there will be.
fn so_far(done: u64, all: u64) -> String {
    match all {
        0 => format!("{done} so far"),
        all => format!("{} %", u128::from(done) * 100 / u128::from(all)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "lines of a log come after real time"
)]
fn now() -> Instant {
    Instant::now()
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::so_far;

    #[test]
    fn where_nobody_knows_the_end_steps_are_counted() {
        assert_eq!(so_far(641, 0), "641 so far");
        assert_eq!(so_far(641, 1282), "50 %");
        assert_eq!(so_far(u64::MAX, u64::MAX), "100 %");
    }
}
