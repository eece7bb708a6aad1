//! `lookup`: finds the owner of a key, and with `--trace` shows the way there.

use std::time::Duration;

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

fn shown(lookup: &Lookup) -> String {
    let found = &lookup.answer;
    let milliseconds = |time: Duration| milliseconds(1000.0 * time.as_secs_f64());
    let rows = found.trace.iter().map(|hop| {
        [
            milliseconds(hop.asked_after),
            format!("{:.8}", hop.peer.id),
            hop.peer.address.to_string(),
            hop.took.map_or_else(|| "none".to_owned(), milliseconds),
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
        key::words(lookup.name.as_deref(), found.key),
        found.owner,
        count(found.hops as usize, "hop", "hops"),
        count(found.timeouts as usize, "time-out", "time-outs"),
        milliseconds(found.took)
    )
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;
    use cuerda::http::control::{Hop, LookupAnswer};

    #[test]
    fn the_way_is_shown_with_its_times() {
        let milliseconds = |time: f64| Duration::from_secs_f64(time / 1000.0);
        let hop = |place, asked_after, took: Option<f64>, reply: &str| Hop {
            peer: peer(place),
            asked_after: milliseconds(asked_after),
            took: took.map(milliseconds),
            reply: reply.to_owned(),
        };
        let answer = LookupAnswer {
            key: peer(25).id,
            owner: peer(30),
            hops: 2,
            hops_to_predecessor: 1,
            timeouts: 1,
            took: milliseconds(512.3),
            trace: Vec::new(),
        };
        let mut found = Lookup { name: None, answer };
        let short = shown(&found);
        found.name = Some("song".to_owned());
        found.answer.trace = vec![
            hop(20, 0.0, None, "silence"),
            hop(10, 500.2, Some(0.713), "covered"),
            hop(30, 501.0, Some(11.3), "owner"),
        ];
        insta::assert_snapshot!(short + "\n" + &shown(&found));
    }
}
