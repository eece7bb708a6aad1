//! Outcomes as JUnit XML, which build servers show.

use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Failure;

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Why it failed, in a line; `None` if it did not.
    pub(crate) failed: Option<String>,
    /// What is told of a run that failed.
    pub(crate) more: String,
    /// How long it took in real time, where that is known.
    pub(crate) took: Option<Duration>,
}

/// Writes the outcomes of runs to a file.
///
/// # Errors
/// If it can't be written.
pub(crate) fn write(
    path: &Path,
    name: &str,
    cases: impl Iterator<Item = Case>,
) -> Result<(), Failure> {
    let text = text(name, cases)
        .map_err(|error| Failure::Other(format!("can't write the outcome as XML: {error}")))?;
    std::fs::write(path, text)
        .map_err(|error| Failure::Other(format!("can't write {}: {error}", path.display())))
}

fn text(
    name: &str,
    cases: impl Iterator<Item = Case>,
) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(name);
    for case in cases {
        let status = match &case.failed {
            None => TestCaseStatus::success(),
            Some(why) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(why.as_str());
                status.set_description(case.more.as_str());
                status
            }
        };
        let mut shown = TestCase::new(case.name, status);
        shown.set_classname("cuerda-sim");
        if let Some(took) = case.took {
            shown.set_time(took);
        }
        suite.add_test_case(shown);
    }
    let mut report = Report::new("cuerda-sim");
    report.add_test_suite(suite);
    report.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_why_and_how_to_see_it_again() {
        let case = |name: &str, failed: Option<&str>| Case {
            name: name.to_owned(),
            failed: failed.map(str::to_owned),
            more: "cargo sim run a.toml --seed 2".to_owned(),
            took: Some(Duration::from_millis(1500)),
        };
        let cases = [
            case("a seed 1", None),
            case("a seed 2", Some("lost <3>, 2 s")),
        ];
        insta::assert_snapshot!(text("a", cases.into_iter()).unwrap());
    }
}
