//! One section of a scenario file, and the values in it: reads each as the type it must have.
//!
//! Knows TOML and how quantities are written, and nothing of what a scenario is.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use cuerda_text::suggest::nearest;
use cuerda_text::words::listed;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostic::{Problems, Reported};
use super::quantity::{
    Mistake, Rate, format_duration, parse_duration, parse_percentage, parse_size,
};
use super::schema;

/// A table of the file.
#[derive(Clone, Debug)]
pub(super) struct Section<'a> {
    /// As it is written: `[ring]`, `[[fault]]`, or the name of an inline table.
    pub(super) name: &'a str,
    /// Its header, or all of an inline table.
    pub(super) span: Range<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// The keys before the first section.
    pub(super) fn top(table: &'a DeTable<'a>) -> Section<'a> {
        Section {
            name: "",
            span: 0..0,
            table,
        }
    }

    /// The section of which `entry` is the header, such as `[ring]`.
    pub(super) fn single(
        name: &'a str,
        entry: Entry<'a>,
        problems: &mut Problems,
    ) -> Result<Section<'a>, Reported> {
        match entry.value.get_ref() {
            DeValue::Table(table) => Ok(Section {
                name,
                span: entry.value.span(),
                table,
            }),
            DeValue::Array(_) => Err(problems.report(
                entry.key_span,
                format!("there is only one section `{name}`"),
                format!("write `{name}` once, with single brackets"),
            )),
            _ => Err(entry.wrong_type(
                problems,
                "a section",
                &format!("write `{name}` on a line of its own and its keys below it"),
            )),
        }
    }

    /// The sections of which `entry` holds the headers, such as `[[fault]]`.
    pub(super) fn repeated(
        name: &'a str,
        entry: Entry<'a>,
        problems: &mut Problems,
    ) -> Result<Vec<Section<'a>>, Reported> {
        let help = format!("write `{name}` on a line of its own and its keys below it");
        match entry.value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::Table(table) => Ok(Section {
                        name,
                        span: item.span(),
                        table,
                    }),
                    _ => Err(entry.with_value(item).wrong_type(
                        problems,
                        "a list of sections",
                        &help,
                    )),
                })
                .collect(),
            DeValue::Table(_) => Err(problems.report(
                entry.value.span(),
                format!("`{}` may stand several times", entry.key),
                format!("write `{name}`, with double brackets"),
            )),
            _ => Err(entry.wrong_type(problems, "a list of sections", &help)),
        }
    }

    /// What the file says for `key`, if anything.
    pub(super) fn get(&self, key: &str) -> Option<Entry<'a>> {
        self.entries().find(|entry| entry.key == key)
    }

    /// What the file says for `key`, which it must. Comes after [`Section::only`]: where a key
    /// has been reported that was meant to be this one, nothing is missing.
    pub(super) fn require(
        &self,
        key: &str,
        problems: &mut Problems,
        help: &str,
    ) -> Result<Entry<'a>, Reported> {
        self.get(key).ok_or_else(|| {
            if self.has_misspelt(key, problems) {
                return Reported;
            }
            let place = match self.name {
                "" => String::new(),
                name => format!(" in `{name}`"),
            };
            problems.report(
                self.span.clone(),
                format!("`{key}` is missing{place}"),
                help,
            )
        })
    }

    /// Whether a key has been reported that was meant to be `key`.
    pub(super) fn has_misspelt(&self, key: &str, problems: &Problems) -> bool {
        self.entries()
            .any(|entry| problems.are_at(&entry.key_span) && nearest(entry.key, [key]).is_some())
    }

    /// All that the file says, in its order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let mut entries: Vec<Entry<'a>> = self
            .table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref(),
                key_span: key.span(),
                value,
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span.start);
        entries.into_iter()
    }

    /// Reports every key that is not one of `keys`.
    pub(super) fn only(&self, keys: &[&'static str], problems: &mut Problems) {
        for entry in self.entries() {
            if !keys.contains(&entry.key) {
                self.unknown(&entry, keys, problems);
            }
        }
    }

    /// Reports every key that this kind of section has not. `kinds` names all kinds, each with
    /// the keys that it has besides the `common` ones.
    pub(super) fn only_of_kind(
        &self,
        what: &str,
        kind: &str,
        common: &[&'static str],
        kinds: &[(&'static str, &'static [&'static str])],
        problems: &mut Problems,
    ) {
        let own = kinds.iter().find(|(known, _)| *known == kind);
        let keys = [common, own.map_or(&[], |(_, keys)| *keys)].concat();
        for entry in self.entries() {
            let key = entry.key;
            let owners = kinds.iter().filter(|(_, keys)| keys.contains(&key));
            let owners = listed(owners.map(|(kind, _)| *kind), "and");
            if keys.contains(&key) {
                continue;
            }
            if owners == "nothing" {
                self.unknown(&entry, &keys, problems);
                continue;
            }
            problems.report(
                entry.key_span,
                format!("a {what} of kind `{kind}` has no key `{key}`"),
                format!(
                    "`{key}` belongs to {owners}; `{kind}` has {}",
                    listed(keys.iter().copied(), "and")
                ),
            );
        }
    }

    /// Reports a key that is not one of `keys`.
    pub(super) fn unknown(&self, entry: &Entry, keys: &[&'static str], problems: &mut Problems) {
        let key = entry.key;
        let place = match self.name {
            "" => String::new(),
            name => format!(" in `{name}`"),
        };
        let homes = schema::homes(key);
        let is_section = [schema::SINGLE, schema::REPEATED].concat().contains(&key);
        let help = if !homes.is_empty() && !homes.contains(&self.name) {
            format!("`{key}` belongs in {}", listed(homes, "or"))
        } else if let Some(meant) = nearest(key, keys.iter().copied()) {
            format!("did you mean `{meant}`?")
        } else if is_section {
            format!("give the section `{key}` a header of its own, at the start of a line")
        } else if !self.name.is_empty() && schema::TOP.contains(&key) {
            format!("`{key}` belongs at the top, before the first section")
        } else {
            format!("known here: {}", listed(keys.iter().copied(), "and"))
        };
        problems.report(
            entry.key_span.clone(),
            format!("unknown key `{key}`{place}"),
            help,
        );
    }
}

/// A key and its value, or one entry of a list that stands under the key.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    pub(super) key_span: Range<usize>,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Entry<'a> {
    /// The entry for a value within this one.
    pub(super) fn with_value(&self, value: &'a Spanned<DeValue<'a>>) -> Entry<'a> {
        Entry {
            value,
            ..self.clone()
        }
    }

    /// Reports that the value is wrong.
    pub(super) fn wrong(
        &self,
        problems: &mut Problems,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Reported {
        problems.report(self.value.span(), message, help)
    }

    /// Reports that the value has not the type `wanted`.
    pub(super) fn wrong_type(&self, problems: &mut Problems, wanted: &str, help: &str) -> Reported {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "a truth value",
            DeValue::Datetime(_) => "a date or time of day",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(
            problems,
            format!("`{}` must be {wanted}, not {found}", self.key),
            help,
        )
    }

    fn quantity<T>(
        &self,
        problems: &mut Problems,
        read: Result<T, Mistake>,
    ) -> Result<T, Reported> {
        read.map_err(|error| self.wrong(problems, error.message, error.help))
    }

    /// The value as text.
    pub(super) fn text(&self, problems: &mut Problems, help: &str) -> Result<&'a str, Reported> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong_type(problems, "text", help)),
        }
    }

    /// The value as one of some words; its place among them is returned with it.
    pub(super) fn word<T: Copy>(
        &self,
        problems: &mut Problems,
        words: &[(&'static str, T)],
    ) -> Result<T, Reported> {
        let known = || words.iter().map(|(word, _)| *word);
        let choices = format!("it is {}", listed(known(), "or"));
        let text = self.text(problems, &choices)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meaning);
        }
        let help = match nearest(text, known()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => choices,
        };
        Err(self.wrong(problems, format!("unknown {} \"{text}\"", self.key), help))
    }

    /// The value as a list.
    pub(super) fn list(
        &self,
        problems: &mut Problems,
        help: &str,
    ) -> Result<&'a DeArray<'a>, Reported> {
        match self.value.get_ref() {
            DeValue::Array(items) => Ok(items),
            _ => Err(self.wrong_type(problems, "a list", help)),
        }
    }

    /// The value as an inline table.
    pub(super) fn table(
        &self,
        problems: &mut Problems,
        help: &str,
    ) -> Result<Section<'a>, Reported> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(Section {
                name: self.key,
                span: self.value.span(),
                table,
            }),
            _ => Err(self.wrong_type(problems, "a table", help)),
        }
    }

    /// The value as a whole number between two bounds.
    pub(super) fn whole(
        &self,
        problems: &mut Problems,
        bounds: RangeInclusive<u64>,
        help: &str,
    ) -> Result<u64, Reported> {
        let DeValue::Integer(number) = self.value.get_ref() else {
            return Err(self.wrong_type(problems, "a whole number", help));
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if bounds.contains(&number) => Ok(number),
            _ => Err(self.wrong(
                problems,
                format!(
                    "`{}` must be between {} and {}, not {number}",
                    self.key,
                    bounds.start(),
                    bounds.end()
                ),
                help,
            )),
        }
    }

    /// The value as a finite number.
    pub(super) fn number(&self, problems: &mut Problems, help: &str) -> Result<f64, Reported> {
        let text = match self.value.get_ref() {
            // Hexadecimal and its like are for bits; a bound is a quantity.
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return Err(self.wrong_type(problems, "a number", help)),
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self.wrong(
                problems,
                format!("`{}` must be a finite number, not {text}", self.key),
                help,
            )),
        }
    }

    /// The value as a share from 0 to 1.
    pub(super) fn share(&self, problems: &mut Problems) -> Result<f64, Reported> {
        const HELP: &str = "shares run from 0 for none to 1 for all, as in 0.05";
        let help = match self.value.get_ref() {
            DeValue::String(text) => parse_percentage(text).map_or_else(
                |_| HELP.to_owned(),
                |share| format!("here a share is a number: {share}"),
            ),
            _ => HELP.to_owned(),
        };
        let share = self.number(problems, &help)?;
        if (0.0..=1.0).contains(&share) {
            // The file may say minus zero.
            Ok(share.abs())
        } else {
            Err(self.wrong(
                problems,
                format!("`{}` must be between 0 and 1, not {share}", self.key),
                HELP,
            ))
        }
    }

    /// The value as `true` or `false`.
    pub(super) fn truth(&self, problems: &mut Problems) -> Result<bool, Reported> {
        match self.value.get_ref() {
            DeValue::Boolean(truth) => Ok(*truth),
            _ => Err(self.wrong_type(problems, "`true` or `false`", "neither has quotes")),
        }
    }

    /// The value as a duration.
    pub(super) fn duration(&self, problems: &mut Problems) -> Result<Duration, Reported> {
        let help = match self.value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => format!(
                "durations are text with a unit; seconds are \"{}s\"",
                number.as_str()
            ),
            _ => "durations are text with a unit, as in \"10m\" or \"500ms\"".to_owned(),
        };
        match self.value.get_ref() {
            DeValue::String(text) => self.quantity(problems, parse_duration(text)),
            _ => Err(self.wrong_type(problems, "a duration", &help)),
        }
    }

    /// The value as a duration that is not past the end of the run.
    pub(super) fn moment(
        &self,
        problems: &mut Problems,
        end: Option<Duration>,
    ) -> Result<Duration, Reported> {
        let moment = self.duration(problems)?;
        match end {
            Some(end) if moment > end => Err(self.wrong(
                problems,
                format!("`{}` is after the end", self.key),
                format!("the run ends after \"{}\"", format_duration(end)),
            )),
            _ => Ok(moment),
        }
    }

    /// The value as a number of bytes.
    pub(super) fn size(&self, problems: &mut Problems) -> Result<u64, Reported> {
        let help = match self.value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => {
                format!("sizes are text with a unit: \"{}B\"", number.as_str())
            }
            _ => "sizes are text with a unit, as in \"100B\" or \"1KiB\"".to_owned(),
        };
        match self.value.get_ref() {
            DeValue::String(text) => self.quantity(problems, parse_size(text)),
            _ => Err(self.wrong_type(problems, "a size", &help)),
        }
    }

    /// The value as a rate.
    pub(super) fn rate(&self, problems: &mut Problems) -> Result<Rate, Reported> {
        let help = match self.value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => {
                format!(
                    "rates are text with a unit; per second is \"{}/s\"",
                    number.as_str()
                )
            }
            DeValue::Float(number) => {
                format!(
                    "rates are text with a unit; per second is \"{}/s\"",
                    number.as_str()
                )
            }
            _ => "rates are text with a unit, as in \"1/s\" or \"30/min\"".to_owned(),
        };
        match self.value.get_ref() {
            DeValue::String(text) => self.quantity(problems, text.parse()),
            _ => Err(self.wrong_type(problems, "a rate", &help)),
        }
    }
}
