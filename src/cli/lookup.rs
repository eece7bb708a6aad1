//! `lookup`: finds the owner of a key, and with `--trace` shows the way there.

use cuerda::http::control::Lookup;

use super::client::Target;
use super::key::{self, Key};
use super::output::{self, Output, count, milliseconds};
use super::{Exit, Failure};

/// Find the owner of a key
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    key: Key,
    /// Show every node that was asked, and how long it took
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    target: Target,
}

/// Asks the node, which asks its way through the ring.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let more: &[&str] = if args.trace { &["trace=true"] } else { &[] };
    let answer = args.target.get::<Lookup>(&args.key.path("lookup", more))?;
    if output.json {
        output::print_json(&answer.document)?;
    } else {
        output::print(&shown(&answer.value))?;
    }
    Ok(Exit::Done)
}

fn shown(found: &Lookup) -> String {
    let rows = found.trace.iter().map(|hop| {
        [
            milliseconds(hop.asked_after_ms),
            format!("{:.8}", hop.peer.id),
            hop.peer.address.to_string(),
            hop.took_ms.map_or_else(|| "none".to_owned(), milliseconds),
            hop.reply.clone(),
        ]
    });
    let trace = if found.trace.is_empty() {
        String::new()
    } else {
        let head = ["asked after", "id", "address", "answer after", "answer"];
        output::table(head, rows.collect()) + "\n"
    };
    format!(
        "{trace}{} is owned by {}: {}, {}, {}\n",
        key::words(found.name.as_deref(), found.key),
        found.owner,
        count(found.hops as usize, "hop", "hops"),
        count(found.timeouts as usize, "time-out", "time-outs"),
        milliseconds(found.took_ms)
    )
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;
    use cuerda::http::control::Hop;

    #[test]
    fn the_way_is_shown_with_its_times() {
        let hop = |place, asked_after_ms, took_ms, reply: &str| Hop {
            peer: peer(place),
            asked_after_ms,
            took_ms,
            reply: reply.to_owned(),
        };
        let mut found = Lookup {
            name: None,
            key: peer(25).id,
            owner: peer(30),
            hops: 2,
            hops_to_predecessor: 1,
            timeouts: 1,
            took_ms: 512.3,
            trace: Vec::new(),
        };
        let short = shown(&found);
        found.name = Some("song".to_owned());
        found.trace = vec![
            hop(20, 0.0, None, "silence"),
            hop(10, 500.2, Some(0.713), "covered"),
            hop(30, 501.0, Some(11.3), "owner"),
        ];
        insta::assert_snapshot!(short + "\n" + &shown(&found));
    }
}
