//! A scenario file as a tree that can be changed and written out again.
//!
//! It knows where things stand in a file and nothing of what they mean: whether a changed document
//! is a scenario is [`Scenario::parse`]'s word alone. Comments of a file that was read are not kept.

use std::fmt::Write as _;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use crate::report::metrics;
use crate::scenario::{Diagnostic, Overrides, Scenario};

/// The sections that may stand several times, in the order in which they are written.
pub(super) const LISTS: &[&str] = &["workload", "churn", "reseed", "fault"];

/// The keys before the first list, in the order in which they are written.
const HEAD: &[&str] = &[
    "title",
    "world",
    "seed",
    "known_to_fail",
    "duration",
    "quiet",
    "checks",
    "ring",
    "node",
    "network",
    "groups",
];

/// The keys within a section that are written first, in this order; all others follow by name.
const FIRST: &[&str] = &[
    "at", "kind", "nodes", "from", "to", "split", "what", "count", "rate", "join", "leave",
    "crash", "for",
];

/// A scenario file as a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    top: Table,
    /// What it shows, in sentences that stand above everything.
    comment: Vec<String>,
}

impl Document {
    /// One with nothing in it.
    #[must_use]
    pub fn new() -> Document {
        Document {
            top: Table::new(),
            comment: Vec::new(),
        }
    }

    /// Reads a text that [`Scenario::parse`] has accepted.
    ///
    /// # Errors
    /// If it is no TOML, in a sentence.
    pub fn read(text: &str) -> Result<Document, String> {
        match text.parse::<Table>() {
            Ok(top) => Ok(Document {
                top,
                comment: Vec::new(),
            }),
            Err(error) => Err(error.message().to_owned()),
        }
    }

    /// The scenario that it describes.
    ///
    /// # Errors
    /// If it describes none.
    pub fn scenario(&self, name: &str) -> Result<Scenario, Diagnostic> {
        let text = self.text();
        Scenario::parse(name, &text, &metrics(), &Overrides::default())
    }

    /// All that it says.
    pub(super) const fn top(&self) -> &Table {
        &self.top
    }

    /// The same, to be changed.
    pub(super) const fn top_mut(&mut self) -> &mut Table {
        &mut self.top
    }

    /// Sets what stands under a key before the first section.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.top.insert(key.to_owned(), value.into());
    }

    /// The sections of this name that may stand several times.
    #[must_use]
    pub fn list(&self, name: &str) -> &[Value] {
        let list = self.top.get(name).and_then(Value::as_array);
        list.map_or(&[], |list| list)
    }

    /// Puts one more section of this name at the end.
    pub fn push(&mut self, name: &str, section: Table) {
        let list = self.top.entry(name.to_owned());
        let list = list.or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Table(section));
        }
    }

    /// The section of this name that stands once; it is made if it is not there.
    pub(super) fn section(&mut self, name: &str) -> Option<&mut Table> {
        let section = self.top.entry(name.to_owned());
        section
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
    }

    /// What is expected of a number of the report: one bound, such as `max` and 0.
    pub fn expect(&mut self, metric: &str, bound: &str, value: impl Into<Value>) {
        let bound = Table::from_iter([(bound.to_owned(), value.into())]);
        if let Some(section) = self.section("expect") {
            section.insert(metric.to_owned(), Value::Table(bound));
        }
    }

    /// Says above everything what the file shows.
    pub fn comment(&mut self, sentences: Vec<String>) {
        self.comment = sentences;
    }

    /// The file: short, with one line for each part, as a person would write it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for sentence in &self.comment {
            for line in textwrap::wrap(sentence, 98) {
                let _ = writeln!(text, "# {line}");
            }
        }
        let known = |key: &str| HEAD.contains(&key) || LISTS.contains(&key) || key == "expect";
        let others = self.top.keys().map(String::as_str);
        let others = others.filter(|key| !known(key));
        let keys = HEAD.iter().copied().chain(others);
        for name in keys.chain(LISTS.iter().copied()) {
            let Some(value) = self.top.get(name) else {
                continue;
            };
            match value {
                Value::Array(list) if LISTS.contains(&name) && list.len() > 1 => {
                    let _ = writeln!(text, "{name} = [");
                    for section in list {
                        let _ = writeln!(text, "  {},", inline(section));
                    }
                    text += "]\n";
                }
                _ => {
                    let _ = writeln!(text, "{} = {}", key(name), inline(value));
                }
            }
        }
        match self.top.get("expect") {
            Some(Value::Table(expected)) if !expected.is_empty() => {
                text += "[expect]\n";
                for (metric, bound) in expected {
                    let _ = writeln!(text, "{} = {}", key(metric), inline(bound));
                }
            }
            _ => {}
        }
        text
    }
}

/// As its text; what stands above everything is not kept.
impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Document, D::Error> {
        Document::read(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Default for Document {
    fn default() -> Document {
        Document::new()
    }
}

/// The keys of a section in the order in which they are written.
fn ordered(section: &Table) -> Vec<(&String, &Value)> {
    let place = |key: &str| FIRST.iter().position(|first| *first == key);
    let mut entries: Vec<_> = section.iter().collect();
    entries.sort_by_key(|(key, _)| (place(key).unwrap_or(FIRST.len()), *key));
    entries
}

/// A value in one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        // With its point, so that it stays a number with a fraction.
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(entries) => {
            let entries: Vec<String> = entries.iter().map(inline).collect();
            format!("[{}]", entries.join(", "))
        }
        Value::Table(section) if section.is_empty() => "{}".to_owned(),
        Value::Table(section) => {
            let entries = ordered(section).into_iter();
            let entries: Vec<String> = entries
                .map(|(name, value)| format!("{} = {}", key(name), inline(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// Text as TOML's basic strings write it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_is_written_with_one_line_for_each_part() {
        let text = r#"
            title = "Two go"
            [[fault]]
            kind = "leave"
            nodes = ["n1", 2]
            at = "1m"
            [[fault]]
            at = "2m"
            kind = "crash"
            nodes = "20%"
            for = "10s"
            [expect]
            "writes.lost" = { max = 0 }
            [ring]
            nodes = 5
            [[workload]]
            kind = "mixed"
            reads = 1.0
            rate = "20/s"
            keys = 4
        "#;
        let mut document = Document::read(text).unwrap();
        document.set("duration", "3m");
        document.comment(vec!["What it shows.".to_owned()]);
        insta::assert_snapshot!(document.text(), @r#"
        # What it shows.
        title = "Two go"
        duration = "3m"
        ring = { nodes = 5 }
        workload = [{ kind = "mixed", rate = "20/s", keys = 4, reads = 1.0 }]
        fault = [
          { at = "1m", kind = "leave", nodes = ["n1", 2] },
          { at = "2m", kind = "crash", nodes = "20%", for = "10s" },
        ]
        [expect]
        "writes.lost" = { max = 0 }
        "#);
        let mut again = Document::read(&document.text()).unwrap();
        again.comment = document.comment.clone();
        assert_eq!(again, document);
        assert!(again.scenario("two.toml").is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(
            name in "\\PC{0,8}", text in any::<String>(), number: i64, fraction in -1e12..1e12f64
        ) {
            let mut document = Document::new();
            document.set(&name, text.as_str());
            document.set("number", Value::Array(vec![number.into(), fraction.into()]));
            document.push("fault", Table::from_iter([(name, Value::String(text))]));
            prop_assert_eq!(Document::read(&document.text()), Ok(document));
        }
    }
}
