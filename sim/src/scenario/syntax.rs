//! From the text of a scenario file to its tree of values, and better words for what is no
//! TOML. Knows nothing of scenarios.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Problems, Reported};

/// The tree of the file.
pub(super) fn document<'t>(
    text: &'t str,
    problems: &mut Problems,
) -> Result<Spanned<DeTable<'t>>, Reported> {
    DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(text.len()..text.len());
        let (span, message, help) = explain(text, span, error.message());
        problems.report(span, message, help)
    })
}

/// Says what the parser's message means here.
fn explain(text: &str, span: Range<usize>, message: &str) -> (Range<usize>, String, String) {
    let marked = text.get(span.clone()).unwrap_or_default();
    if message == "duplicate key" {
        return (
            span,
            format!("`{marked}` stands here for the second time"),
            "keep one of them".to_owned(),
        );
    }
    let value = bare_value(text, span.start);
    let bare = &text[value.clone()];
    if bare.is_empty() && message.starts_with("string values must be quoted") {
        return (
            value,
            "a value is missing".to_owned(),
            "write one after the `=`, or take the key away".to_owned(),
        );
    }
    let hints_at_text = [
        "string values must be quoted",
        "invalid float",
        "invalid boolean",
        // What follows the comma in `successors(key:K, 3)`.
        "unexpected key or value",
    ];
    let is_text = !bare.contains(['"', '\'', '=']) && DeValue::parse(bare).is_err();
    if is_text && hints_at_text.iter().any(|hint| message.starts_with(hint)) {
        return (
            value.clone(),
            format!("`{bare}` is neither text nor a number"),
            format!("text stands in quotes: \"{bare}\""),
        );
    }
    if message.starts_with("invalid basic string") || message.starts_with("invalid literal string")
    {
        return (
            span,
            "this text does not end".to_owned(),
            "close it with the quote it begins with, on the same line".to_owned(),
        );
    }
    (
        span,
        format!("this is not TOML: {message}"),
        "the file's form is explained at https://toml.io".to_owned(),
    )
}

/// The value without quotes around `at`: up to a separator on either side that stands outside
/// parentheses.
fn bare_value(text: &str, at: usize) -> Range<usize> {
    let at = (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let separates = |char: char| matches!(char, '=' | '[' | '{' | ',' | '\n');
    let start = text[..at]
        .rfind(separates)
        .map_or(0, |separator| separator + 1);
    let mut depth = 0_u32;
    let length = text[start..].find(|char| {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        matches!(char, '\n' | '\r' | '#') || depth == 0 && matches!(char, ',' | ']' | '}')
    });
    let found = &text[start..length.map_or(text.len(), |length| start + length)];
    let start = start + found.len() - found.trim_start().len();
    start..start + found.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_want_quotes_are_found_whole() {
        for (text, value) in [
            ("duration = 10m # long", "10m"),
            (
                "nodes = successors(key:song, 3)\r\n",
                "successors(key:song, 3)",
            ),
            ("split = [arc(0..0.5), rest]", "arc(0..0.5)"),
            ("nodes = n7", "n7"),
            ("fixed = {fixed = 20ms}", "20ms"),
        ] {
            let error = DeTable::parse(text).expect_err(text);
            let (span, _, help) = explain(text, error.span().unwrap(), error.message());
            assert_eq!(&text[span], value);
            assert_eq!(help, format!("text stands in quotes: \"{value}\""));
        }
    }
}
