//! The form of a file: how long it is, how it begins, what is never left in it.

use super::Complaint;
use super::source::Source;

/// Lines of code above which a file holds two ideas.
const CODE_LINES_MAX: usize = 500;

/// Lines of all kinds that nobody wants to scroll through.
const LINES_MAX: usize = 600;

/// Marks of what was meant to be finished, spelt so that this file holds none.
const UNFINISHED: [&str; 2] = [concat!("to", "do!"), concat!("FIX", "ME")];

/// Files that are too long.
pub(crate) fn length(source: &Source) -> Vec<Complaint> {
    let total = source.text.lines().count();
    let code = source.code_lines;
    if code > CODE_LINES_MAX || total > LINES_MAX {
        let why = format!(
            "{code} lines of code of {total}; {CODE_LINES_MAX} of {LINES_MAX} are the most"
        );
        vec![Complaint::of_file(source, why)]
    } else {
        Vec::new()
    }
}

/// Files that don't begin with what they are for.
pub(crate) fn head(source: &Source) -> Vec<Complaint> {
    let said = source
        .text
        .strip_prefix("//!")
        .and_then(|rest| rest.lines().next());
    if said.is_none_or(|line| line.trim().is_empty()) {
        let why = "begins without `//!` and what it is for".to_owned();
        vec![Complaint::of_file(source, why)]
    } else {
        Vec::new()
    }
}

/// Scenarios that don't begin with a comment on what they show.
pub(crate) fn scenario_head(file: &str, text: &str) -> Vec<Complaint> {
    let said = text.strip_prefix('#').and_then(|rest| rest.lines().next());
    if said.is_none_or(|line| line.trim().is_empty()) {
        let why = "begins without a comment on what it shows".to_owned();
        vec![Complaint::new(file, 1, why)]
    } else {
        Vec::new()
    }
}

/// Unfinished work, white space at the end of lines and no end of line at the end.
pub(crate) fn leftovers(file: &str, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut complain = |why: String| complaints.push(Complaint::new(file, index + 1, why));
        if line.ends_with(char::is_whitespace) {
            complain("white space at the end of the line".to_owned());
        }
        for mark in UNFINISHED.iter().filter(|mark| line.contains(*mark)) {
            complain(format!("unfinished: {mark}"));
        }
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        let why = "ends without an end of line, or with several".to_owned();
        complaints.push(Complaint::new(file, text.lines().count().max(1), why));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(code: usize, comments: usize, tests: usize) -> Source {
        let text = format!(
            "{}{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "const A: u8 = 0;\n".repeat(code),
            "// Why.\n".repeat(comments),
            "const A: u8 = 0;\n".repeat(tests),
        );
        Source::new("src/ring/arc.rs", &text)
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(length(&long(CODE_LINES_MAX, 0, 0)), []);
        assert_eq!(length(&long(CODE_LINES_MAX + 1, 0, 0)).len(), 1);
        assert_eq!(
            length(&long(300, 200, 97)),
            [],
            "comments and tests are not code"
        );
        assert_eq!(
            length(&long(300, 200, 98)).len(),
            1,
            "but there is an end to them"
        );
    }

    #[test]
    fn a_file_without_a_head_is_found() {
        assert_eq!(head(&Source::new("src/lib.rs", "//! What it is.\n")), []);
        for text in [
            "",
            "\n//! Late.\n",
            "//!\n//! Below.\n",
            "// Of no use.\n",
            "use a::b;\n",
        ] {
            assert_eq!(head(&Source::new("src/lib.rs", text)).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_scenario_without_a_head_is_found() {
        assert_eq!(scenario_head("scenarios/a.toml", "# What it shows.\n"), []);
        for text in ["", "#\n", "title = \"a\"\n# Late.\n"] {
            assert_eq!(scenario_head("scenarios/a.toml", text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn leftovers_are_found() {
        assert_eq!(leftovers("a.rs", "fn f() {}\n"), []);
        let text = format!("a \nb\n\t// {}\n{}()\nc", UNFINISHED[1], UNFINISHED[0]);
        let lines: Vec<usize> = leftovers("a.rs", &text)
            .iter()
            .map(|found| found.line)
            .collect();
        assert_eq!(lines, [1, 3, 4, 5]);
        assert_eq!(leftovers("a.rs", "a\n\n").len(), 1);
        assert_eq!(leftovers("a.rs", "").len(), 1);
    }
}
