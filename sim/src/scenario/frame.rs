//! The whole run as its sections need to know it: how long it is and how many nodes begin it, and
//! the rates and times that are measured by these.

use std::time::Duration;

use super::diagnostic::{Problems, Reported};
use super::quantity::FASTEST;
use super::section::{Entry, Section};

/// What the sections need to know of the whole; missing where it could not be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// When the run ends.
    pub(super) end: Option<Duration>,
    /// How many nodes there are at t = 0.
    pub(super) nodes: Option<u32>,
}

impl Frame {
    /// A rate over the whole ring.
    pub(super) fn rate(self, entry: &Entry, problems: &mut Problems) -> Result<f64, Reported> {
        let rate = entry.rate(problems)?;
        // Without a number of nodes the scenario is refused anyway.
        let whole = rate.over(self.nodes.unwrap_or(1));
        if whole > FASTEST {
            return Err(entry.wrong(
                problems,
                format!("`{}` is {whole} a second over the whole ring", entry.key),
                format!("the greatest is {FASTEST} a second"),
            ));
        }
        Ok(whole)
    }

    /// From when until when something goes on; all the time by default.
    pub(super) fn window(
        self,
        section: &Section,
        problems: &mut Problems,
    ) -> Result<(Duration, Duration), Reported> {
        let from = section.get("from");
        let until = section.get("until");
        let from_time = from
            .as_ref()
            .map_or(Ok(Duration::ZERO), |entry| entry.moment(problems, self.end));
        let until_time = until.as_ref().map_or(self.end.ok_or(Reported), |entry| {
            entry.moment(problems, self.end)
        });
        let (from_time, until_time) = (from_time?, until_time?);
        if from_time >= until_time {
            let place = until
                .or(from)
                .map_or(section.span.clone(), |entry| entry.value.span());
            return Err(problems.report(
                place,
                "this ends before it begins",
                "`from` must be before `until`, which is the end of the run by default",
            ));
        }
        Ok((from_time, until_time))
    }
}
