//! `fingers`: the finger table of a node.

use cuerda::host::FingerRow;
use cuerda::http::control::Fingers;

use super::client::Target;
use super::output::{self, Output, count};
use super::{Exit, Failure};

/// Print the finger table of a node
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which of the process's nodes, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    node: u8,
    #[command(flatten)]
    target: Target,
}

/// Asks the node.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let path = format!("/v1/fingers?node={}", args.node);
    let answer = args.target.get::<Fingers>(&path)?;
    if output.json {
        output::print_json(&answer.document)?;
    } else {
        output::print(&shown(&answer.value))?;
    }
    Ok(Exit::Done)
}

/// Fingers with the same owner stand in one row: there are 160, and few owners.
fn shown(table: &Fingers) -> String {
    if table.fingers.is_empty() {
        return format!(
            "node {:.8} has no fingers: its successors are all there are, or it has just joined\n",
            table.id
        );
    }
    let same = |one: &FingerRow, other: &FingerRow| one.owner == other.owner;
    let runs: Vec<&[FingerRow]> = table.fingers.chunk_by(same).collect();
    let rows = runs.iter().filter_map(|run| {
        let (first, last) = (run.first()?, run.last()?);
        let exponents = if first.exponent == last.exponent {
            format!("2^{}", first.exponent)
        } else {
            format!("2^{} to 2^{}", first.exponent, last.exponent)
        };
        Some([
            exponents,
            format!("{:.8}", first.start),
            format!("{:.8}", first.owner.id),
            first.owner.address.to_string(),
        ])
    });
    let head = ["distance", "from", "owner", "address"];
    let rows = output::table(head, rows.collect());
    let fingers = count(table.fingers.len(), "finger", "fingers");
    format!("{rows}\nnode {:.8} has {fingers}\n", table.id)
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;

    #[test]
    fn neighbouring_fingers_with_one_owner_share_a_row() {
        let row = |exponent, owner| FingerRow {
            exponent,
            start: peer(10).id.plus_power(exponent),
            owner: peer(owner),
        };
        let fingers = [
            row(0, 20),
            row(1, 20),
            row(2, 20),
            row(158, 90),
            row(159, 140),
        ];
        insta::assert_snapshot!(shown(&Fingers {
            node: 0,
            id: peer(10).id,
            fingers: fingers.into(),
        }));
    }

    #[test]
    fn a_ring_too_small_for_fingers_is_told() {
        let table = Fingers {
            node: 0,
            id: peer(10).id,
            fingers: Vec::new(),
        };
        assert!(shown(&table).starts_with("node 0a000000 has no fingers: "));
    }
}
