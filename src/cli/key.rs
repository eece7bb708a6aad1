//! A key on the command line: a name, or a place on the circle.

use cuerda::Hint as _;
use cuerda::http::control::StampText;
use cuerda::record::NoStamp;

use super::client::encoded;

/// Which key.
#[derive(Debug, clap::Args)]
pub(crate) struct Key {
    /// The key's name; with --id its place, 40 hexadecimal digits
    #[arg(value_parser = name)]
    key: String,
    /// KEY is a place on the circle, not a name
    #[arg(long)]
    id: bool,
}

/// Which of the fields of a key's record is written.
#[derive(Debug, clap::Args)]
pub(crate) struct FieldName {
    /// The field of the key's record; without it, the plain value
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    field: String,
}

impl FieldName {
    /// The parameter that names it; the plain value needs none.
    pub(crate) fn parameter(&self) -> Option<String> {
        match self.field.as_str() {
            "" => None,
            field => Some(format!("field={}", encoded(field))),
        }
    }
}

/// The longest name of a key on the command line, in bytes: it travels in the head of a request.
const LONGEST: usize = 4096;

fn name(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a key has at least one character".to_owned()),
        1..=LONGEST => Ok(text.to_owned()),
        length => Err(format!("it has {length} bytes and {LONGEST} are the most")),
    }
}

/// A stamp as a node has told it.
pub(crate) fn stamp(text: &str) -> Result<StampText, String> {
    text.parse().map_err(|error: NoStamp| error.with_hint())
}

impl Key {
    /// The path of a question about it, with more parameters.
    pub(crate) fn path(&self, question: &str, more: &[impl AsRef<str>]) -> String {
        let id = if self.id { Some("id=true") } else { None };
        let more = more.iter().map(AsRef::as_ref);
        let parameters: Vec<&str> = id.into_iter().chain(more).collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!(
            "/v1/{question}/{}{mark}{}",
            encoded(&self.key),
            parameters.join("&")
        )
    }
}

/// A key in words: its name, if it has one, and its place.
pub(crate) fn words(name: Option<&str>, place: cuerda::ring::Id) -> String {
    match name {
        Some(name) => format!("{name:?} ({place:.8})"),
        None => place.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_part_of_the_path() {
        let key = |key: &str, id| Key {
            key: key.to_owned(),
            id,
        };
        assert_eq!(key("a/b", false).path("who", &[""; 0]), "/v1/who/a%2Fb");
        assert_eq!(
            key("00", true).path("lookup", &["trace=true"]),
            "/v1/lookup/00?id=true&trace=true"
        );
    }
}
