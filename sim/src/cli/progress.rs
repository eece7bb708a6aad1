//! How far a command has come, on stderr and only if a person watches it.

use std::time::Duration;

use cuerda_sim::report::words::{count, duration};
use cuerda_sim::run::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar; it vanishes when dropped. Hidden where stderr is no terminal.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for `length` steps named `what`, or none at all if `quiet`.
    pub(crate) fn new(length: u64, what: &str, quiet: bool) -> Bar {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = ProgressStyle::with_template("{prefix} {bar:24} {percent:>3} % {msg}")
            .expect("the template is a constant and parses");
        bar.set_style(style);
        bar.set_prefix(what.to_owned());
        Bar(bar)
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
        self.0.set_message(message);
        self.0.set_position(milliseconds(progress.simulated));
    }

    /// One step more.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }

    /// Takes the bar away while something else is printed.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
