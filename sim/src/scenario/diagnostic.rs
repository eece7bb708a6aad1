//! Collects what is wrong with a scenario file while it is read.
//!
//! Nothing here knows what a scenario may say; the modules that read one report here.

use std::ops::Range;
use std::sync::Arc;

use cuerda_text::Mistake;
use cuerda_text::diagnostic::{Diagnostic, Place, Problem, Source};

/// Stands for a value that could not be read because of a problem that has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported;

/// The problems of one file.
pub(super) struct Problems {
    source: Arc<Source>,
    found: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: &str, text: &str) -> Problems {
        Problems {
            source: Source::new(file, text),
            found: Vec::new(),
        }
    }

    /// Notes that the bytes `span` of the file are wrong, and what would be right.
    pub(super) fn report(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Reported {
        let place = Place::new(&self.source, span);
        let mistake = Mistake::new(message, help);
        self.found.push(Problem::new(Some(place), mistake));
        Reported
    }

    /// Whether something has been reported of just these bytes.
    pub(super) fn are_at(&self, span: &Range<usize>) -> bool {
        let places = self.found.iter().filter_map(|found| found.place.as_ref());
        places.into_iter().any(|place| place.span() == span)
    }

    /// What was read, if nothing at all was wrong.
    ///
    /// # Panics
    /// If nothing was reported of what could not be read.
    pub(super) fn finish<T>(self, read: Result<T, Reported>) -> Result<T, Diagnostic> {
        Diagnostic::unless_empty(self.found)?;
        Ok(read.expect("what could not be read has been reported"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_a_problem_is_refused_whatever_was_read() {
        let mut problems = Problems::new("a.toml", "a = 1\nb = 2\n");
        problems.report(6..7, "wrong", "right");
        problems.report(0..1, "wrong", "right");
        assert!(problems.are_at(&(6..7)) && !problems.are_at(&(6..8)));
        let found = problems.finish(Ok(())).expect_err("reported");
        let lines: Vec<_> = found.problems().iter().map(Problem::line).collect();
        assert_eq!(lines, [Some(1), Some(2)]);
        assert!(found.to_string().contains(" a.toml:1:1\n"), "{found}");
        assert_eq!(Problems::new("a.toml", "").finish(Ok(1)), Ok(1));
    }
}
