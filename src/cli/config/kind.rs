//! The kinds of settings: what a value of each looks like, as text and in a TOML file.
//!
//! Knows no setting by name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cuerda_text::Mistake;
use cuerda_text::duration::{format_duration, parse_duration};
use toml::Spanned;
use toml::de::{DeArray, DeValue};

/// The longest duration that can be configured. Sums of several must fit in what clocks count.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a setting is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An IP address and a port.
    Socket,
    /// A host, by name or address, and a port.
    Place,
    /// Several of these.
    Places,
    /// Names of hosts, without ports.
    Names,
    /// A whole number between these.
    Count(u32, u32),
    /// A time with its unit.
    Duration,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Yes or no.
    Switch,
    /// A file or folder.
    Path,
    /// Any text but none.
    Text,
}

/// A setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Socket(SocketAddr),
    Places(Vec<String>),
    Names(Vec<String>),
    Count(u32),
    Duration(Duration),
    Switch(bool),
    Path(PathBuf),
    Text(String),
}

impl Kind {
    /// Reads a value as flags and the environment have it.
    pub(super) fn parse(self, text: &str) -> Result<Value, Mistake> {
        let text = text.trim();
        match self {
            Kind::Socket => text.parse().map(Value::Socket).map_err(|_| {
                Mistake::new(
                    format!("\"{text}\" is not an address and a port"),
                    "write both, as in \"127.0.0.1:4000\" or \"[::1]:4000\"; port 0 takes a free one",
                )
            }),
            Kind::Place => place(text).map(Value::Text),
            Kind::Places => {
                let places: Result<_, _> = listed(text).map(place).collect();
                places.map(Value::Places)
            }
            Kind::Names => {
                let names: Result<_, _> = listed(text).map(name).collect();
                names.map(Value::Names)
            }
            Kind::Count(least, most) => match text.parse::<i64>() {
                Ok(number) => count(number, least, most),
                Err(_) => Err(Mistake::new(
                    format!("\"{text}\" is not a whole number"),
                    format!("write one between {least} and {most}"),
                )),
            },
            Kind::Duration => parse_duration(text, LONGEST).map(Value::Duration),
            Kind::Word(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::Word(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                Err(Mistake::new(
                    format!("\"{text}\" is not one of the words that can stand here"),
                    format!("they are {}", quoted.join(", ")),
                ))
            }
            Kind::Switch => match text {
                "true" | "1" | "yes" => Ok(Value::Switch(true)),
                "false" | "0" | "no" => Ok(Value::Switch(false)),
                _ => Err(Mistake::new(
                    format!("\"{text}\" is neither yes nor no"),
                    "write \"true\" or \"false\"",
                )),
            },
            Kind::Path if !text.is_empty() => Ok(Value::Path(text.into())),
            Kind::Text if !text.is_empty() => Ok(Value::Text(text.to_owned())),
            Kind::Path | Kind::Text => Err(Mistake::new(
                "this is empty",
                "write something between the quotes, or leave the key out",
            )),
        }
    }

    /// Reads a value as a TOML file has it.
    pub(super) fn read(self, value: &DeValue) -> Result<Value, Mistake> {
        match (self, value) {
            (Kind::Count(least, most), DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                count(number.unwrap_or(i64::MAX), least, most)
            }
            (Kind::Switch, DeValue::Boolean(yes)) => Ok(Value::Switch(*yes)),
            (Kind::Places, DeValue::Array(items)) => self.list(items, place).map(Value::Places),
            (Kind::Names, DeValue::Array(items)) => self.list(items, name).map(Value::Names),
            (Kind::Count(..) | Kind::Switch, _) => Err(self.unlike()),
            (_, DeValue::String(text)) => self.parse(text),
            _ => Err(self.unlike()),
        }
    }

    /// What an array in the file lists.
    fn list(
        self,
        items: &DeArray,
        one: fn(&str) -> Result<String, Mistake>,
    ) -> Result<Vec<String>, Mistake> {
        let read = |item: &Spanned<DeValue>| match item.get_ref() {
            DeValue::String(text) => one(text.trim()),
            _ => Err(self.unlike()),
        };
        items.iter().map(read).collect()
    }

    /// The value in the file is of another kind.
    fn unlike(self) -> Mistake {
        let (wanted, like) = match self {
            Kind::Socket => ("an address and a port in quotes", "\"127.0.0.1:4000\""),
            Kind::Place => ("a host and a port in quotes", "\"node1.example:4000\""),
            Kind::Places => ("a list of hosts and ports", "[\"node1.example:4000\"]"),
            Kind::Names => ("a list of hosts without ports", "[\"node1.example\"]"),
            Kind::Count(..) => ("a whole number without quotes", "8"),
            Kind::Duration => ("a time with its unit, in quotes", "\"30s\""),
            Kind::Word(words) => ("a word in quotes", words[0]),
            Kind::Switch => ("`true` or `false` without quotes", "true"),
            Kind::Path => ("a path in quotes", "\"/var/lib/cuerda\""),
            Kind::Text => ("text in quotes", "\"cuerda\""),
        };
        Mistake::new(format!("this must be {wanted}"), format!("as in {like}"))
    }

    /// What it is counted in or looks like, for the reference.
    pub(super) fn unit(self) -> String {
        match self {
            Kind::Socket => "address:port".to_owned(),
            Kind::Place => "host:port".to_owned(),
            Kind::Places => "list of host:port".to_owned(),
            Kind::Names => "list of hosts".to_owned(),
            Kind::Count(least, most) => format!("count, {least} to {most}"),
            Kind::Duration => "duration".to_owned(),
            Kind::Word(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                quoted.join(" or ")
            }
            Kind::Switch => "`true` or `false`".to_owned(),
            Kind::Path => "path".to_owned(),
            Kind::Text => "text".to_owned(),
        }
    }

    /// What stands for the value in `--help`.
    pub(super) const fn placeholder(self) -> &'static str {
        match self {
            Kind::Socket => "ADDRESS:PORT",
            Kind::Place => "HOST:PORT",
            Kind::Places => "HOST:PORT,…",
            Kind::Names => "HOST,…",
            Kind::Count(..) => "N",
            Kind::Duration => "DURATION",
            Kind::Word(_) => "WORD",
            Kind::Switch => "BOOL",
            Kind::Path => "PATH",
            Kind::Text => "TEXT",
        }
    }
}

impl Value {
    /// As flags and the environment have it: [`Kind::parse`] reads the same value.
    pub(super) fn text(&self) -> String {
        match self {
            Value::Socket(address) => address.to_string(),
            Value::Places(list) | Value::Names(list) => list.join(","),
            Value::Count(number) => number.to_string(),
            Value::Duration(duration) => format_duration(*duration),
            Value::Switch(yes) => yes.to_string(),
            Value::Path(path) => path.display().to_string(),
            Value::Text(text) => text.clone(),
        }
    }

    /// As a TOML file and JSON have it, which are the same for these kinds.
    pub(super) fn json(&self) -> serde_json::Value {
        match self {
            Value::Places(list) | Value::Names(list) => list.as_slice().into(),
            Value::Count(number) => (*number).into(),
            Value::Switch(yes) => (*yes).into(),
            _ => self.text().into(),
        }
    }
}

fn count(number: i64, least: u32, most: u32) -> Result<Value, Mistake> {
    match u32::try_from(number) {
        Ok(number) if (least..=most).contains(&number) => Ok(Value::Count(number)),
        _ => Err(Mistake::new(
            format!("{number} is out of range"),
            format!("write a whole number between {least} and {most}"),
        )),
    }
}

/// What stands between commas.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty())
}

/// The name of a host, as a browser says it.
fn name(text: &str) -> Result<String, Mistake> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !text.is_empty() && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Mistake::new(
        format!("\"{text}\" is no name of a host"),
        "write it without a port, as in \"node1.example\"; addresses need not be named",
    ))
}

/// A `host:port` whose port is a number and not zero.
fn place(text: &str) -> Result<String, Mistake> {
    let wrong = |problem: &str| {
        Err(Mistake::new(
            format!("\"{text}\" {problem}"),
            "write a host and its port, as in \"node1.example:4000\" or \"10.0.0.7:4000\"",
        ))
    };
    let Some((host, port)) = text.rsplit_once(':') else {
        return wrong("lacks a port");
    };
    if !matches!(port.parse::<u16>(), Ok(1..)) {
        return wrong("does not end in a port between 1 and 65535");
    }
    let in_brackets = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
        return wrong("names no host");
    }
    if host.contains(':') && !in_brackets {
        return Err(Mistake::new(
            format!("\"{text}\" does not tell the address from the port"),
            "IPv6 addresses stand in brackets, as in \"[fd00::7]:4000\"",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went_in() {
        let words = Kind::Word(&["leave", "pause"]);
        for (kind, text) in [
            (Kind::Socket, "127.0.0.1:0"),
            (Kind::Socket, "[::1]:4000"),
            (Kind::Place, "a.example:1"),
            (Kind::Places, "a.example:1,[fd00::7]:2"),
            (Kind::Places, ""),
            (Kind::Names, "node1,node2.example"),
            (Kind::Count(0, 9), "9"),
            (Kind::Duration, "1m30s"),
            (words, "pause"),
            (Kind::Switch, "true"),
            (Kind::Path, "/data"),
            (Kind::Text, "my ring"),
        ] {
            assert_eq!(
                kind.parse(text).map(|value| value.text()).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_help() {
        for (kind, text) in [
            (Kind::Socket, "localhost:4000"),
            (Kind::Socket, "127.0.0.1"),
            (Kind::Place, "a.example"),
            (Kind::Place, "a.example:0"),
            (Kind::Place, ":4000"),
            (Kind::Place, "http://a:4000"),
            (Kind::Place, "fd00::7:4000"),
            (Kind::Places, "a:1,b"),
            (Kind::Names, "node1:4080"),
            (Kind::Names, "http://node1"),
            (Kind::Count(1, 64), "65"),
            (Kind::Count(1, 64), "-1"),
            (Kind::Count(1, 64), "many"),
            (Kind::Count(1, 64), "300"),
            (Kind::Duration, "30"),
            (Kind::Word(&["leave", "pause"]), "stop"),
            (Kind::Switch, "maybe"),
            (Kind::Path, " "),
            (Kind::Text, ""),
        ] {
            let wrong = kind.parse(text).expect_err(text);
            assert!(!wrong.help.is_empty(), "{kind:?} {text}");
        }
    }

    #[test]
    fn a_file_says_numbers_as_numbers_and_all_else_in_quotes() {
        let read = |kind: Kind, text: &str| {
            kind.read(
                DeValue::parse(text)
                    .expect("the test writes TOML")
                    .get_ref(),
            )
        };
        assert_eq!(read(Kind::Count(1, 64), "8"), Ok(Value::Count(8)));
        assert_eq!(read(Kind::Count(1, 64), "0x10"), Ok(Value::Count(16)));
        assert_eq!(read(Kind::Switch, "true"), Ok(Value::Switch(true)));
        assert_eq!(
            read(Kind::Places, "['a:1', 'b:2']"),
            Ok(Value::Places(vec!["a:1".to_owned(), "b:2".to_owned()]))
        );
        assert_eq!(
            read(Kind::Names, "['node1', 'node2']"),
            Ok(Value::Names(vec!["node1".to_owned(), "node2".to_owned()]))
        );
        for (kind, text) in [
            (Kind::Names, "[1]"),
            (Kind::Count(1, 64), "'8'"),
            (Kind::Count(1, 64), "99999999999999999999"),
            (Kind::Switch, "'true'"),
            (Kind::Duration, "30"),
            (Kind::Places, "[1]"),
            (Kind::Places, "1"),
            (Kind::Text, "1.5"),
        ] {
            assert!(read(kind, text).is_err(), "{kind:?} {text}");
        }
    }
}
