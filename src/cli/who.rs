//! `who`: the processes that hold a key.

use cuerda::http::control::Holders;

use super::client::Target;
use super::key::{self, Key};
use super::output::{self, Output, count};
use super::{Exit, Failure};

/// Name the processes that hold a key, its owner first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    target: Target,
}

/// Asks the node.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let answer = args
        .target
        .get::<Holders>(&args.key.path("who", &[""; 0]))?;
    if output.json {
        output::print_json(&answer.document)?;
    } else {
        output::print(&shown(&answer.value))?;
    }
    Ok(Exit::Done)
}

fn shown(found: &Holders) -> String {
    let rows = found.holders.iter().enumerate().map(|(place, peer)| {
        [
            if place == 0 { "owner" } else { "replica" }.to_owned(),
            format!("{:.8}", peer.id),
            peer.address.to_string(),
        ]
    });
    let table = output::table(["role", "id", "address"], rows.collect());
    let key = key::words(found.name.as_deref(), found.key);
    let holders = count(found.holders.len(), "process", "processes");
    let short = if found.holders.len() < found.wanted {
        format!(", of {} wanted: the ring has no more", found.wanted)
    } else {
        String::new()
    };
    format!("{table}\n{key} belongs to {holders}{short}\n")
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;

    #[test]
    fn the_owner_comes_first_and_a_small_ring_is_told() {
        let found = Holders {
            name: Some("song".to_owned()),
            key: peer(5).id,
            wanted: 3,
            holders: vec![peer(10), peer(20)],
        };
        insta::assert_snapshot!(shown(&found));
    }
}
