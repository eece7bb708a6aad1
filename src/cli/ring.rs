//! `ring`: walks round the ring and prints it.

use cuerda::host::Walk;

use super::client::Target;
use super::output::{self, Output, count};
use super::{Exit, Failure};

/// Walk round the ring and print its members
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
}

/// Asks the node, which asks every member.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let answer = args.target.get::<Walk>("/v1/ring")?;
    if output.json {
        output::print_json(&answer.document)?;
    } else {
        output::print(&shown(&answer.value))?;
    }
    // A walk that was cut short shows a part of the ring.
    Ok(if answer.value.closed {
        Exit::Done
    } else {
        Exit::Partly
    })
}

fn shown(walk: &Walk) -> String {
    let rows = walk.members.iter().map(|member| {
        [
            format!("{:.8}", member.peer.id),
            member.peer.address.to_string(),
            match &member.predecessor {
                Some(predecessor) => format!("{:.8}", predecessor.id),
                None => "no answer".to_owned(),
            },
            member.successors.len().to_string(),
            match member.faults.as_slice() {
                [] => "as it should be".to_owned(),
                faults => faults.join("; "),
            },
        ]
    });
    let head = ["id", "address", "predecessor", "successors", "tables"];
    let verdict = match (walk.closed, walk.ideal) {
        (true, true) => "the ring is ideal",
        (true, false) => "the ring is closed, and some tables are not yet what they should be",
        (false, _) => "the walk did not come back to where it began",
    };
    let members = count(walk.members.len(), "member", "members");
    format!(
        "{}\n{members}; {verdict}\n",
        output::table(head, rows.collect())
    )
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;
    use cuerda::host::Visited;

    #[test]
    fn members_stand_in_a_table_with_what_is_wrong_with_them() {
        let walk = Walk {
            members: vec![
                Visited {
                    peer: peer(10),
                    predecessor: Some(peer(20)),
                    successors: vec![peer(20)],
                    faults: Vec::new(),
                },
                Visited {
                    peer: peer(20),
                    predecessor: None,
                    successors: Vec::new(),
                    faults: vec!["it did not answer".to_owned()],
                },
            ],
            closed: true,
            ideal: false,
        };
        insta::assert_snapshot!(shown(&walk));
    }
}
