//! Reads `[[reseed]]` sections: from when on a run goes another way.

use super::Reseed;
use super::diagnostic::{Problems, Reported};
use super::frame::Frame;
use super::schema;
use super::section::Section;

/// Reads one of them.
pub(super) fn reseed(
    section: &Section,
    frame: Frame,
    problems: &mut Problems,
) -> Result<Reseed, Reported> {
    section.only(schema::RESEED, problems);
    let at = section
        .require("at", problems, "say when, as in `at = \"2m\"`")
        .and_then(|entry| entry.moment(problems, frame.end));
    let help = "any whole number will do, such as 1";
    let seed = section
        .require("seed", problems, help)
        .and_then(|entry| entry.whole(problems, 0..=u64::MAX, help));
    Ok(Reseed {
        at: at?,
        seed: seed?,
    })
}
