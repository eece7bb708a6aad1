//! Numbers, lists and foreign text as a person reads them.
//!
//! All of it is for the eye: whoever wants to compute with a number takes the JSON form.

use std::borrow::Cow;

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 ring`, `2 rings`, `0 rings`; the plural is given.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

/// `a`, `b` and `c`, each in backticks; `and` is the word before the last.
#[must_use]
pub fn listed<'w>(words: impl IntoIterator<Item = &'w str>, and: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {and} {last}", others.join(", ")),
    }
}

/// Text from a file, a peer or another process, fit for a terminal: control characters, which
/// could move the cursor or change colours, are written out. Of several lines it makes one.
#[must_use]
pub fn harmless(text: &str) -> String {
    let shown = |char: char| -> Cow<'static, str> {
        if char.is_control() {
            char.escape_default().collect()
        } else {
            char.to_string().into()
        }
    };
    text.chars().map(shown).collect()
}

/// The same with text that has lines, which it keeps; without the last newline.
#[must_use]
pub fn harmless_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(harmless).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_the_right() {
        let all = [0, 7, 999, 1000, 999_999, 1_234_567];
        assert_eq!(
            all.map(grouped),
            ["0", "7", "999", "1,000", "999,999", "1,234,567"]
        );
    }

    #[test]
    fn one_is_no_plural() {
        let all = [0, 1, 1000].map(|number| count(number, "ring", "rings"));
        assert_eq!(all, ["0 rings", "1 ring", "1,000 rings"]);
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(listed([], "and"), "nothing");
        assert_eq!(listed(["a"], "and"), "`a`");
        assert_eq!(listed(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(harmless("a\u{1b}[31mä\n"), "a\\u{1b}[31mä\\n");
        assert_eq!(harmless_lines("a\tb\r\nc\u{9b}2J\n"), "a\\tb\nc\\u{9b}2J");
    }
}
