//! How a write or a deletion ended, in words and as an exit code.

use cuerda::http::control::Stored;

use super::Exit;
use super::client::NodeAnswer;
use super::key;
use super::output::{self, Output};
use super::{Failure, output::harmless};

/// How many must have a write for the command to end with 0.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Wait {
    /// End with 5 unless so many nodes have it on disk; without this, unless as many as the
    /// ring is set to
    #[arg(long, value_name = "replicas=N", value_parser = replicas)]
    wait: Option<u8>,
}

fn replicas(text: &str) -> Result<u8, String> {
    let number = text.strip_prefix("replicas=");
    let number = number.and_then(|number| number.parse().ok());
    let wanted = number.filter(|number| (1..=64).contains(number));
    wanted.ok_or_else(|| "write it as in --wait replicas=3, with 1 to 64 of them".to_owned())
}

impl Wait {
    /// How the command ends.
    fn exit(self, stored: &Stored) -> Exit {
        let enough = match self.wait {
            Some(wanted) => stored.stored >= usize::from(wanted),
            None => stored.complete,
        };
        if enough { Exit::Done } else { Exit::Partly }
    }

    /// Tells how the write ended, and ends.
    pub(crate) fn tell(self, answer: &NodeAnswer<Stored>, output: Output) -> Result<Exit, Failure> {
        let exit = self.exit(&answer.value);
        if output.json {
            output::print_json(&answer.document)?;
        } else if !output.quiet {
            output::print(&self.shown(&answer.value, exit))?;
        }
        Ok(exit)
    }

    fn shown(self, stored: &Stored, exit: Exit) -> String {
        let field = match stored.field.as_str() {
            "" => String::new(),
            field => format!(", field {field:?}"),
        };
        let key = key::words(stored.name.as_deref(), stored.key);
        let holders: Vec<String> = stored.holders.iter().map(|id| format!("{id:.8}")).collect();
        let said = harmless(&stored.said);
        let stamp = stored.stamp;
        let mut words = format!("{said}: {key}{field}\nstamp {stamp}\n");
        if exit == Exit::Partly {
            let next = match self.wait {
                Some(wanted) if stored.complete => format!(
                    "the ring keeps as many copies as `replicas` says, which is fewer than {wanted}"
                ),
                _ => "it is copied to others when there are any; start more nodes, or say how few \
                      will do with --wait replicas=N"
                    .to_owned(),
            };
            words.push_str(&format!("it is on {}\nnext: {next}\n", holders.join(", ")));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;
    use cuerda::http::control::StampText;
    use cuerda::record::Stamp;

    fn stored(on: &[u8]) -> Stored {
        Stored {
            name: Some("song".to_owned()),
            key: peer(5).id,
            field: String::new(),
            stamp: StampText(Stamp {
                milliseconds: 1_700_000_000_000,
                counter: 3,
                node: peer(10).id,
            }),
            stored: on.len(),
            wanted: 3,
            complete: on.len() >= 3,
            said: format!("stored on {} of 3", on.len()),
            holders: on.iter().map(|&place| peer(place).id).collect(),
        }
    }

    #[test]
    fn fewer_holders_than_wanted_are_told_and_end_with_5() {
        let exit = |on: &[u8], wait| Wait { wait }.exit(&stored(on));
        assert_eq!(exit(&[10, 20, 30], None), Exit::Done);
        assert_eq!(exit(&[10, 20], None), Exit::Partly);
        assert_eq!(exit(&[10, 20], Some(2)), Exit::Done);
        assert_eq!(exit(&[10, 20, 30], Some(4)), Exit::Partly);
        let mut field = stored(&[10, 20]);
        field.field = "artist".to_owned();
        let all = [
            Wait { wait: None }.shown(&stored(&[10, 20, 30]), Exit::Done),
            Wait { wait: None }.shown(&field, Exit::Partly),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn replicas_are_written_out() {
        assert_eq!(replicas("replicas=3"), Ok(3));
        for wrong in ["3", "replicas=0", "replicas=65", "replicas=", "copies=3"] {
            assert!(replicas(wrong).is_err(), "{wrong}");
        }
    }
}
