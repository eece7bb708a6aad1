//! What is wrong with a scenario file, where, and what would be right.
//!
//! Nothing here knows what a scenario may say; the modules that read one report here.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// How many problems of one file are shown; the others follow from these or wait for the next
/// attempt.
const SHOWN: usize = 20;

/// Why a scenario file was refused: all problems that were found, in the order of the file.
///
/// `Display` shows each with `file:line:column`, the line itself and what would be right,
/// without colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    file: String,
    text: String,
    problems: Vec<Problem>,
}

/// One thing that is wrong in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line where it is, counted from 1.
    pub line: usize,
    /// The character of that line where it begins, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
    /// The bytes of the file that are marked.
    span: Range<usize>,
}

impl Diagnostic {
    /// The problems, at least one, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The whole message; `colour` adds escape sequences for a terminal. Ends without a
    /// newline.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let shown = self.problems.iter().take(SHOWN).map(|problem| {
            let marked = AnnotationKind::Primary.span(problem.span.clone());
            let snippet = Snippet::source(&self.text)
                .path(&self.file)
                .annotation(marked);
            renderer.render(&[Level::ERROR
                .primary_title(&problem.message)
                .element(snippet)
                .element(Level::HELP.message(&problem.help))])
        });
        let mut text = shown.collect::<Vec<_>>().join("\n\n");
        let hidden = self.problems.len().saturating_sub(SHOWN);
        if hidden > 0 {
            text.push_str(&format!("\n\nand {hidden} more problems in {}", self.file));
        }
        text
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostic {}

/// Stands for a value that could not be read because of a problem that has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported;

/// Collects problems while a file is read.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Problems<'t> {
        Problems {
            text,
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
        let span = self.markable(span);
        let before = &self.text[..span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.found.push(Problem {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
            help: help.into(),
            span,
        });
        Reported
    }

    /// Whether something has been reported of just these bytes.
    pub(super) fn are_at(&self, span: &Range<usize>) -> bool {
        self.found.iter().any(|problem| problem.span == *span)
    }

    /// What was read, if nothing at all was wrong.
    pub(super) fn finish<T>(
        mut self,
        file: &str,
        read: Result<T, Reported>,
    ) -> Result<T, Diagnostic> {
        match read {
            Ok(value) if self.found.is_empty() => Ok(value),
            _ => {
                self.found.sort_by_key(|problem| problem.span.start);
                Err(Diagnostic {
                    file: file.to_owned(),
                    text: self.text.to_owned(),
                    problems: self.found,
                })
            }
        }
    }

    /// The part of `span` that can be underlined: whole characters of its first line, and the
    /// end of the last line instead of the end of the file.
    fn markable(&self, span: Range<usize>) -> Range<usize> {
        let whole = |mut at: usize| {
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let last = self.text.trim_end_matches(['\n', '\r']).len();
        let start = whole(span.start.min(last));
        let line = self.text[start..].lines().next().map_or(0, str::len);
        let end = whole(span.end.clamp(start, start + line));
        start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, span: Range<usize>) -> Diagnostic {
        let mut problems = Problems::new(text);
        let reported = problems.report(span, "wrong", "right");
        problems
            .finish::<()>("a.toml", Err(reported))
            .expect_err("reported")
    }

    #[test]
    fn the_place_counts_characters_and_lines_from_one() {
        let found = one("a = 1\r\n\"ä\" = 2\n", 13..14);
        assert_eq!((found.problems[0].line, found.problems[0].column), (2, 6));
        assert!(found.to_string().contains(" a.toml:2:6\n"), "{found}");
    }

    #[test]
    fn any_span_of_any_text_can_be_shown() {
        for text in [
            "",
            "\n",
            "ä",
            "a\n",
            "a\r\nb",
            "\u{feff}x",
            "\t\u{0}\u{202e}b\r",
        ] {
            for start in 0..text.len() + 2 {
                for end in start..text.len() + 2 {
                    let found = one(text, start..end);
                    let place = format!(
                        "a.toml:{}:{}\n",
                        found.problems[0].line, found.problems[0].column
                    );
                    assert!(
                        found.to_string().contains(&place),
                        "{text:?} {start}..{end}: {found} {place}"
                    );
                }
            }
        }
    }

    #[test]
    fn colours_come_only_when_asked_for() {
        let found = one("a = 1", 0..1);
        assert!(found.render(true).contains('\u{1b}'));
        assert!(!found.render(false).contains('\u{1b}'));
    }

    #[test]
    fn problems_come_in_the_order_of_the_file_and_not_without_end() {
        let text = "a\n".repeat(100);
        let mut problems = Problems::new(&text);
        for line in (0..100).rev() {
            problems.report(line * 2..line * 2 + 1, "wrong", "right");
        }
        let found = problems.finish("a.toml", Ok(())).expect_err("reported");
        assert!(found.problems().is_sorted_by_key(|problem| problem.line));
        assert!(
            found
                .to_string()
                .ends_with("and 80 more problems in a.toml")
        );
    }
}
