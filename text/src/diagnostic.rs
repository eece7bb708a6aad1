//! What is wrong with what somebody wrote, where it stands, and what would be right.
//!
//! The text may be a file, a variable of the environment or a flag; each can be shown with the
//! wrong part underlined. Nothing here knows what may stand there.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::Mistake;
use crate::words::harmless;

/// How many problems are shown; the others follow from these or wait for the next attempt.
const SHOWN: usize = 20;

/// A text that somebody wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path of a file, or what else it is.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Source {
    /// A text and its name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source {
            name: name.into(),
            text: text.into(),
        })
    }
}

/// A part of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Place {
    /// These bytes of the text, or as many of them as can be underlined: whole characters of
    /// one line, and the end of the last line instead of the end of the file.
    #[must_use]
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Place {
        let text = &source.text;
        let whole = |mut at: usize| {
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let last = text.trim_end_matches(['\n', '\r']).len();
        let start = whole(span.start.min(last));
        let line = text[start..].lines().next().map_or(0, str::len);
        let end = whole(span.end.clamp(start, start + line));
        Place {
            source: Arc::clone(source),
            span: start..end,
        }
    }

    /// A text of its own, `before` and `marked` in one line, with the latter marked.
    #[must_use]
    pub fn alone(name: &str, before: &str, marked: &str) -> Place {
        let source = Source::new(name, format!("{before}{marked}"));
        Place::new(&source, before.len()..before.len() + marked.len())
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.source.text[..self.span.start].matches('\n').count() + 1
    }

    /// The character of the line, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        let before = &self.source.text[..self.span.start];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        before[start..].chars().count() + 1
    }

    /// The text's name.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source.name
    }

    /// The bytes of the text that are underlined.
    #[must_use]
    pub fn span(&self) -> &Range<usize> {
        &self.span
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; a default that does not fit stands nowhere.
    pub place: Option<Place>,
    /// What is wrong there, and what would be right.
    pub mistake: Mistake,
}

impl Problem {
    /// A mistake and its place.
    #[must_use]
    pub fn new(place: Option<Place>, mistake: Mistake) -> Problem {
        Problem { place, mistake }
    }

    /// The line where it is, counted from 1, if it is somewhere.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(Place::line)
    }

    /// The character of that line where it begins, counted from 1, if it is somewhere.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(Place::column)
    }

    fn source(&self) -> Option<&str> {
        self.place.as_ref().map(Place::source)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let message = harmless(&self.mistake.message);
        let title = Level::ERROR.primary_title(message);
        let help = Level::HELP.message(harmless(&self.mistake.help));
        let text = match &self.place {
            Some(place) => {
                let marked = AnnotationKind::Primary.span(place.span.clone());
                let snippet = Snippet::source(&place.source.text)
                    .path(harmless(&place.source.name))
                    .annotation(marked);
                renderer.render(&[title.element(snippet).element(help)])
            }
            None => renderer.render(&[title.element(help)]),
        };
        // The library makes sources harmless but for the control characters above ASCII. Escape
        // sequences are its own.
        let steers = |char: char| char.is_control() && !matches!(char, '\n' | '\u{1b}');
        text.replace(steers, "\u{fffd}")
    }
}

/// How a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As text and nothing else.
    Plain,
    /// With escape sequences for a terminal.
    Coloured,
}

/// Everything that is wrong with what was written, at least one thing.
///
/// `Display` shows each problem with `name:line:column`, the line itself and what would be right,
/// without colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic(Vec<Problem>);

impl Diagnostic {
    /// Puts the problems into the order of the texts.
    ///
    /// # Errors
    /// If there are any.
    pub fn unless_empty(mut problems: Vec<Problem>) -> Result<(), Diagnostic> {
        problems.sort_by_key(|problem| (problem.line(), problem.column()));
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Diagnostic(problems))
        }
    }

    /// The problems, at least one, in the order of the texts.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// The whole message. Ends without a newline.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Coloured => Renderer::styled(),
            Style::Plain => Renderer::plain(),
        };
        let (shown, hidden) = self.0.split_at(self.0.len().min(SHOWN));
        let mut text: Vec<String> = shown
            .iter()
            .map(|problem| problem.render(&renderer))
            .collect();
        if let Some(first) = hidden.first() {
            let source = first.source();
            let all_there = hidden.iter().all(|problem| problem.source() == source);
            let place = source
                .filter(|_| all_there)
                .map_or_else(String::new, |name| format!(" in {}", harmless(name)));
            text.push(format!("and {} more problems{place}", hidden.len()));
        }
        text.join("\n\n")
    }

    /// The same for programs.
    #[must_use]
    pub fn for_programs(&self) -> Vec<Told<'_>> {
        let told = |problem| {
            let Problem { mistake, .. }: &Problem = problem;
            Told {
                source: problem.source(),
                line: problem.line(),
                column: problem.column(),
                message: &mistake.message,
                hint: &mistake.help,
            }
        };
        self.0.iter().map(told).collect()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Diagnostic {}

/// A problem as programs read it.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    source: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    hint: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, span: Range<usize>) -> (Place, Diagnostic) {
        let place = Place::new(&Source::new("a.toml", text), span);
        let problem = Problem::new(Some(place.clone()), Mistake::new("wrong", "right"));
        let found = Diagnostic::unless_empty(vec![problem]).expect_err("there is one");
        (place, found)
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
                    let (place, found) = one(text, start..end);
                    let shown = format!("a.toml:{}:{}\n", place.line(), place.column());
                    assert!(
                        found.to_string().contains(&shown),
                        "{text:?} {start}..{end}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_place_counts_characters_and_lines_from_one() {
        let (place, _) = one("a = 1\r\n\"ä\" = 2\n", 13..14);
        assert_eq!((place.line(), place.column()), (2, 6));
    }

    #[test]
    fn colours_come_only_when_asked_for() {
        let (_, found) = one("a = 1", 0..1);
        assert!(found.render(Style::Coloured).contains('\u{1b}'));
        assert!(!found.render(Style::Plain).contains('\u{1b}'));
    }

    #[test]
    fn nothing_that_was_written_steers_a_terminal() {
        let evil = "a\u{1b}[31m\u{9b}2J";
        let place = Place::alone(evil, evil, evil);
        let problem = Problem::new(Some(place), Mistake::new(evil, evil));
        let found = Diagnostic::unless_empty(vec![problem; 30]).expect_err("there are many");
        let steers = |char: char| char.is_control() && char != '\n';
        let text = found.to_string();
        assert!(!text.contains(steers), "{text:?}");
    }

    #[test]
    fn problems_come_in_order_and_not_without_end() {
        let source = Source::new("a.toml", "a\n".repeat(100));
        let problem = |line: usize| {
            let place = Place::new(&source, line * 2..line * 2 + 1);
            Problem::new(Some(place), Mistake::new("wrong", "right"))
        };
        let mut problems: Vec<Problem> = (0..30).rev().map(problem).collect();
        let found = Diagnostic::unless_empty(problems.clone()).expect_err("there are many");
        assert!(found.problems().is_sorted_by_key(Problem::line));
        let text = found.to_string();
        assert!(text.ends_with("and 10 more problems in a.toml"), "{text}");
        // What stands elsewhere is not said to be in that file, either.
        let elsewhere = Place::alone("the environment", &"\n".repeat(50), "x");
        problems.push(Problem::new(
            Some(elsewhere),
            Mistake::new("wrong", "right"),
        ));
        let found = Diagnostic::unless_empty(problems).expect_err("there are many");
        assert!(found.to_string().ends_with("and 11 more problems"));
        assert_eq!(Diagnostic::unless_empty(Vec::new()), Ok(()));
    }
}
