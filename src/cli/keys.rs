//! `keys`: lists the keys that a process holds records of.

use cuerda::host::HeldKey;
use cuerda::http::control::Keys;
use serde_json::json;

use super::client::Target;
use super::output::{self, Output, count};
use super::{Exit, Failure};

/// List the keys that a node holds records of
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Keys are listed by their places on the circle: the names that they were written by are not kept.
`cuerda get --id PLACE` reads one. Deleted keys are among them until they are forgotten.")]
pub(crate) struct Args {
    /// Which of the process's nodes, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    node: u8,
    /// Only those that lie on the node's own arc, no copies for others
    #[arg(long)]
    own: bool,
    #[command(flatten)]
    target: Target,
}

/// Asks the node, page by page.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let (mut all, mut own, mut copies) = (Vec::new(), 0, 0);
    let mut path = Some(format!("/v1/records?node={}", args.node));
    let mut id = None;
    while let Some(next) = path {
        let page = args.target.get::<Keys>(&next)?.value;
        own += page.keys.iter().filter(|held| held.own).count();
        copies += page.keys.iter().filter(|held| !held.own).count();
        let wanted = page.keys.into_iter().filter(|held| held.own || !args.own);
        let wanted: Vec<HeldKey> = wanted.collect();
        if output.json {
            all.extend(wanted);
        } else {
            output::print(&shown(&wanted))?;
        }
        id = Some(page.id);
        let node = args.node;
        path = page
            .next
            .map(|after| format!("/v1/records?node={node}&after={after}"));
    }
    if output.json {
        output::print_json(&json!({ "node": args.node, "id": id, "keys": all }))?;
    } else if !output.quiet {
        let copies = count(copies, "copy", "copies");
        let own = count(own, "key", "keys");
        output::tell(&format!("{own} of its own, {copies} for others"));
    }
    Ok(Exit::Done)
}

fn shown(keys: &[HeldKey]) -> String {
    let line = |held: &HeldKey| {
        let whose = if held.own { "own" } else { "copy" };
        format!("{}  {whose}\n", held.key)
    };
    keys.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;

    #[test]
    fn each_key_stands_on_a_line_with_whose_it_is() {
        let held = |place, own| HeldKey {
            key: peer(place).id,
            own,
        };
        insta::assert_snapshot!(shown(&[held(5, true), held(7, false)]));
    }
}
