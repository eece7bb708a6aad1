//! `get`: prints what is stored under a key.

use std::io::IsTerminal as _;

use cuerda::http::control::{FoundField, FoundRecord, StampText};

use super::client::{Target, encoded};
use super::key::{self, Key};
use super::output::{self, Output, count, harmless_lines};
use super::{Exit, Failure};

/// Print what is stored under a key
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Into a file or a pipe the value goes byte by byte as it was stored; on a terminal, without what
would steer it. With --json all fields are printed, values in base64. Ends with 3 if nothing is
there.")]
pub(crate) struct Args {
    #[command(flatten)]
    key: Key,
    /// The field of the key's record; without it, the plain value
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// The last stamp you have seen
    #[arg(long, value_name = "STAMP", value_parser = key::stamp)]
    past: Option<StampText>,
    #[command(flatten)]
    target: Target,
}

/// Asks the node, which asks the key's owner.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let field = match (&args.field, output.json) {
        (None, true) => None,
        (field, _) => Some(field.as_deref().unwrap_or_default()),
    };
    let field = field.map(|field| format!("field={}", encoded(field)));
    let past = args.past.map(|stamp| format!("past={stamp}"));
    let parameters: Vec<String> = field.into_iter().chain(past).collect();
    let answer = args
        .target
        .get::<FoundRecord>(&args.key.path("records", &parameters))?;
    let found = answer.value;
    if !output.quiet && !found.authoritative {
        output::tell(
            "warning: the key's owner did not answer; this is the newest that other holders have",
        );
    }
    if output.json {
        output::print_json(&answer.document)?;
        return Ok(Exit::Done);
    }
    for value in found.fields.values() {
        if output.verbose > 0 {
            output::tell(&format!("stamp {}\nclock {}", value.stamp, found.clock));
        }
        if std::io::stdout().is_terminal() {
            output::print(&for_a_terminal(value))?;
        } else {
            output::print_bytes(&value.value.0)?;
        }
    }
    Ok(Exit::Done)
}

/// The value as text without what would steer the terminal, or words about it.
fn for_a_terminal(field: &FoundField) -> String {
    let Some(text) = &field.text else {
        let bytes = count(field.value.0.len(), "byte", "bytes");
        return format!("({bytes} that are no text; write them to a file with > FILE)\n");
    };
    harmless_lines(text) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuerda::http::control::ValueText;
    use cuerda::record::Stamp;

    #[test]
    fn a_value_does_not_steer_the_terminal() {
        let shown = |value: &'static [u8]| {
            let text = str::from_utf8(value).ok().map(str::to_owned);
            for_a_terminal(&FoundField {
                stamp: StampText(Stamp::ZERO),
                value: ValueText(value.into()),
                text,
                expires_ms: None,
            })
        };
        assert_eq!(shown(b"one\ntwo"), "one\ntwo\n");
        assert_eq!(shown(b"red \x1b[31m"), "red \\u{1b}[31m\n");
        assert_eq!(
            shown(&[0xff, 0xfe]),
            "(2 bytes that are no text; write them to a file with > FILE)\n"
        );
    }
}
