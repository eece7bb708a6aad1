//! `leave`: makes a node leave the ring and stop.

use std::borrow::Cow;

use cuerda::http::control::Left;

use super::client::Target;
use super::output::{self, Output};
use super::{Exit, Failure};

/// Make the node leave the ring and stop
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
}

/// Tells the node, and waits until it has left.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let answer = args.target.post::<Left>("/v1/leave")?;
    if output.json {
        output::print_json(&answer.document)?;
    } else if !output.quiet {
        output::print(&shown(answer.value))?;
    }
    Ok(if answer.value.left && answer.value.left_behind == 0 {
        Exit::Done
    } else {
        Exit::Partly
    })
}

fn shown(answer: Left) -> Cow<'static, str> {
    let Left {
        left,
        left_behind,
        member,
    } = answer;
    let text = if left && left_behind > 0 {
        return Cow::Owned(format!(
            "the node has left the ring and stops, but others may lack {left_behind} of its records\n\
             next: they are on its disk; start it again beside the others, and it brings them back\n"
        ));
    } else if left && !member {
        "the node belonged to no ring, so there was none to leave; it stops\n"
    } else if left {
        "the node has left the ring and stops; its data directory stays as it is\n"
    } else {
        "the node is still handing over its records, and leaves when others have them\n\
         next: `cuerda status` answers until then; `hand_over_within` is the longest that it takes\n"
    };
    Cow::Borrowed(text)
}
