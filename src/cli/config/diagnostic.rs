//! What is wrong with a setting, where it stands, and what would be right.
//!
//! A setting may stand in a file, in the environment or on the command line; each is a text
//! that can be shown with the wrong part underlined. Nothing here knows what settings there are.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

/// How many problems are shown; the others follow from these or wait for the next attempt.
const SHOWN: usize = 20;

/// Why a text is no value of its kind, and what would be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) help: String,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Wrong {
        Wrong {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// A text that holds settings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The path of a file, or what else it is.
    pub(super) name: String,
    pub(super) text: String,
}

/// A part of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Place {
    /// These bytes of the text, or as many of them as can be underlined: whole characters of
    /// one line, and the end of the last line instead of the end of the file.
    pub(super) fn new(source: &Arc<Source>, span: Range<usize>) -> Place {
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
    pub(super) fn alone(name: &str, before: &str, marked: &str) -> Place {
        let source = Source {
            name: name.to_owned(),
            text: format!("{before}{marked}"),
        };
        Place::new(&Arc::new(source), before.len()..before.len() + marked.len())
    }

    /// The line, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.source.text[..self.span.start].matches('\n').count() + 1
    }

    /// The character of the line, counted from 1.
    pub(super) fn column(&self) -> usize {
        let before = &self.source.text[..self.span.start];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        before[start..].chars().count() + 1
    }

    /// The text's name.
    pub(super) fn source(&self) -> &str {
        &self.source.name
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Where; a default that does not fit stands nowhere.
    pub(super) place: Option<Place>,
    pub(super) wrong: Wrong,
}

impl Problem {
    pub(super) fn new(place: Option<Place>, wrong: Wrong) -> Problem {
        Problem { place, wrong }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(&self.wrong.message);
        let help = Level::HELP.message(&self.wrong.help);
        match &self.place {
            Some(place) => {
                let marked = AnnotationKind::Primary.span(place.span.clone());
                let snippet = Snippet::source(&place.source.text)
                    .path(&place.source.name)
                    .annotation(marked);
                renderer.render(&[title.element(snippet).element(help)])
            }
            None => renderer.render(&[title.element(help)]),
        }
    }
}

/// Everything that is wrong with the settings, at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic(Vec<Problem>);

impl Diagnostic {
    /// `Ok` if nothing is wrong. Otherwise all that is, in the order of the texts.
    pub(super) fn unless_empty(mut problems: Vec<Problem>) -> Result<(), Diagnostic> {
        problems.sort_by_key(|problem| {
            let place = problem.place.as_ref();
            place.map(|place| (place.line(), place.column()))
        });
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Diagnostic(problems))
        }
    }

    /// The whole message; `colour` adds escape sequences for a terminal. Ends without a
    /// newline.
    pub(crate) fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let shown = self.0.iter().take(SHOWN);
        let mut text: Vec<String> = shown.map(|problem| problem.render(&renderer)).collect();
        if self.0.len() > SHOWN {
            text.push(format!("and {} more problems", self.0.len() - SHOWN));
        }
        text.join("\n\n")
    }

    /// The same for programs.
    pub(crate) fn for_programs(&self) -> Vec<Told<'_>> {
        let told = |problem| {
            let Problem { place, wrong }: &Problem = problem;
            let place = place.as_ref();
            Told {
                source: place.map(Place::source),
                line: place.map(Place::line),
                column: place.map(Place::column),
                message: &wrong.message,
                hint: &wrong.help,
            }
        };
        self.0.iter().map(told).collect()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostic {}

/// A problem as programs read it.
#[derive(Debug, Serialize)]
pub(crate) struct Told<'a> {
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
        let source = Arc::new(Source {
            name: "a.toml".to_owned(),
            text: text.to_owned(),
        });
        let place = Place::new(&source, span);
        let problem = Problem::new(Some(place.clone()), Wrong::new("wrong", "right"));
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
        assert!(found.render(true).contains('\u{1b}'));
        assert!(!found.render(false).contains('\u{1b}'));
    }

    #[test]
    fn there_is_an_end_to_problems() {
        let problem = Problem::new(None, Wrong::new("wrong", "right"));
        let found = Diagnostic::unless_empty(vec![problem; 30]).expect_err("there are many");
        assert!(found.to_string().ends_with("and 10 more problems"));
        assert_eq!(Diagnostic::unless_empty(Vec::new()), Ok(()));
    }
}
