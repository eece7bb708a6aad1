//! Puts the layers of the configuration on top of each other: flag, environment, file, default.
//!
//! Reading goes on after a problem, so that one look shows them all. Pure: whoever calls has
//! read the file and the environment.

use std::fmt;
use std::sync::Arc;

use cuerda_text::diagnostic::{Diagnostic, Place, Problem, Source};
use cuerda_text::{Mistake, suggest};
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key, key};
use super::kind::Value;

/// What was given, beside the defaults.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Flags by the key they stand for.
    pub(super) flags: Vec<(&'static Key, String)>,
    /// Variables that begin with `CUERDA_`, and their values.
    pub(super) environment: Vec<(String, String)>,
    /// The file's path and text.
    pub(super) file: Option<(String, String)>,
    /// Whether the defaults are those of `--dev`.
    pub(super) dev: bool,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    /// What `--dev` has instead of the default.
    Dev,
    File {
        path: String,
        line: usize,
    },
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Dev => f.write_str("--dev"),
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Environment(variable) => f.write_str(variable),
            Origin::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}

/// A setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: &'static Key,
    /// `None` if it has no value, which is the default of a few.
    pub(super) value: Option<Value>,
    pub(super) origin: Origin,
    /// Where it can be pointed at; defaults can't.
    pub(super) place: Option<Place>,
}

/// Every setting as it is in force, in the order of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings(Vec<Setting>);

impl Settings {
    /// All of them.
    pub(super) fn all(&self) -> &[Setting] {
        &self.0
    }

    /// The one of this name.
    ///
    /// # Panics
    /// If the table has none.
    pub(super) fn get(&self, name: &str) -> &Setting {
        let found = self.0.iter().find(|setting| setting.key.name == name);
        found.expect("settings are asked for by names of the table")
    }
}

/// What `--dev` has instead of some defaults: an identity that is thrown away, and ports that
/// are replaced by free ones if they are taken.
const DEV: &[(&str, Option<&str>)] = &[
    ("data", None),
    ("listen", Some("127.0.0.1:4000")),
    ("control", Some("127.0.0.1:4080")),
];

/// Puts the layers together.
pub(super) fn settings(given: &Given) -> Result<Settings, Diagnostic> {
    let mut problems = Vec::new();
    let mut settings: Vec<Setting> = KEYS.iter().map(|key| default(key, given.dev)).collect();
    let mut set = |key: &'static Key, value, origin, place| {
        let at = KEYS.iter().position(|other| other == key);
        settings[at.expect("keys come from the table")] = Setting {
            key,
            value: Some(value),
            origin,
            place: Some(place),
        };
    };

    if let Some((path, text)) = &given.file {
        let source = Source::new(path, text);
        for (key, value, place) in file(&source, &mut problems) {
            let line = place.line();
            let path = path.clone();
            set(key, value, Origin::File { path, line }, place);
        }
    }
    for key in KEYS {
        let variable = key.variable();
        // An empty variable is how many tools say that there is none.
        let found = given.environment.iter().find(|(name, _)| *name == variable);
        let Some((_, text)) = found.filter(|(_, text)| !text.is_empty()) else {
            continue;
        };
        let place = Place::alone("the environment", &format!("{variable}="), text);
        match key.kind.parse(text) {
            Ok(value) => set(key, value, Origin::Environment(variable), place),
            Err(wrong) => problems.push(Problem::new(Some(place), named(key, wrong))),
        }
    }
    for (key, text) in &given.flags {
        let flag = key.flag();
        let place = Place::alone("the command line", &format!("--{flag} "), text);
        match key.kind.parse(text) {
            Ok(value) => set(key, value, Origin::Flag(flag), place),
            Err(wrong) => problems.push(Problem::new(Some(place), named(key, wrong))),
        }
    }
    Diagnostic::unless_empty(problems)?;
    Ok(Settings(settings))
}

fn default(key: &'static Key, dev: bool) -> Setting {
    let of_dev = DEV.iter().find(|(name, _)| dev && *name == key.name);
    let (text, origin) = match of_dev {
        Some((_, text)) => (*text, Origin::Dev),
        None => (key.default, Origin::Default),
    };
    Setting {
        key,
        value: text.map(|text| {
            let value = key.kind.parse(text);
            value.expect("a test reads every default")
        }),
        origin,
        place: None,
    }
}

/// What the file says.
fn file(source: &Arc<Source>, problems: &mut Vec<Problem>) -> Vec<(&'static Key, Value, Place)> {
    let table = match DeTable::parse(&source.text) {
        Ok(table) => table,
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let marked = source.text.get(span.clone()).unwrap_or_default();
            let wrong = if error.message() == "duplicate key" {
                Mistake::new(
                    format!("`{marked}` stands here for the second time"),
                    "keep one of them",
                )
            } else {
                Mistake::new(
                    format!("this is not TOML: {}", error.message()),
                    "every line is a key, `=` and a value, and text stands in quotes, as in \
                     listen = \"127.0.0.1:4000\"",
                )
            };
            problems.push(Problem::new(Some(Place::new(source, span)), wrong));
            return Vec::new();
        }
    };
    let mut said = Vec::new();
    for (name, value) in table.get_ref() {
        let Some(key) = key(name.get_ref()) else {
            let wrong = unknown(name.get_ref(), value.get_ref());
            problems.push(Problem::new(Some(Place::new(source, name.span())), wrong));
            continue;
        };
        let place = Place::new(source, value.span());
        match key.kind.read(value.get_ref()) {
            Ok(value) => said.push((key, value, place)),
            Err(wrong) => problems.push(Problem::new(Some(place), named(key, wrong))),
        }
    }
    said
}

/// The same problem with the key's name before it.
fn named(key: &Key, wrong: Mistake) -> Mistake {
    Mistake::new(format!("`{}`: {}", key.name, wrong.message), wrong.help)
}

fn unknown(name: &str, value: &DeValue) -> Mistake {
    let message = match value {
        DeValue::Table(_) => format!("unknown section `{name}`"),
        _ => format!("unknown key `{name}`"),
    };
    let help = match (nearest(name), value) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, DeValue::Table(_)) => "this file has no sections, only keys".to_owned(),
        (None, _) => "`cuerda config reference` lists all keys".to_owned(),
    };
    Mistake::new(message, help)
}

/// The key that a misspelt name most likely means, if one is close.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    suggest::nearest(name, KEYS.iter().map(|key| key.name))
}

#[cfg(test)]
mod tests;
