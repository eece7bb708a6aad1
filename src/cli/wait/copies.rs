//! Waits until all records of a ring have their copies: then any one node may be stopped.

use std::time::Duration;

use cuerda::host::RingCopies;
use tokio::time::{Instant, sleep};

use crate::cli::client::Target;
use crate::cli::output::{self, Output, count};
use crate::cli::{Code, Exit, Failure, in_runtime};

/// How long between two questions.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks again and again until all is well, or for so long.
pub(super) fn run(target: &Target, within: Duration, output: Output) -> Result<Exit, Failure> {
    in_runtime(ask_until_well(target, within, output))
}

/// Nothing else goes on in this process, so that it may stand still while a question is open.
async fn ask_until_well(
    target: &Target,
    within: Duration,
    output: Output,
) -> Result<Exit, Failure> {
    let until = Instant::now() + within;
    let mut told = String::new();
    loop {
        let asked = target.get::<RingCopies>("/v1/copies");
        let over = Instant::now() >= until;
        let (words, ended) = match asked {
            Ok(answer) if answer.value.are_complete() => {
                if output.json {
                    output::print_json(&answer.document)?;
                } else if !output.quiet {
                    output::print(&shown(&answer.value))?;
                }
                return Ok(Exit::Done);
            }
            Ok(answer) => {
                let words = shown(&answer.value);
                (
                    words.clone(),
                    Failure::partly(
                        format!("{} within {within:?}", words.trim_end()),
                        "`cuerda ring` shows who does not answer; wait longer with --within, or see \
                     whether there are as many nodes as `replicas` says",
                    ),
                )
            }
            // A node that has just been started, or has much to do, is asked again.
            Err(failure) if is_for_a_while(&failure) => (failure.message.clone() + "\n", failure),
            Err(failure) => return Err(failure),
        };
        if over {
            return Err(ended);
        }
        if words != told && !output.quiet && !output.json {
            output::tell(words.trim_end());
            told = words;
        }
        sleep(PAUSE.min(until.saturating_duration_since(Instant::now()))).await;
    }
}

/// Whether what a node says may be otherwise in a moment.
fn is_for_a_while(failure: &Failure) -> bool {
    let code = Code::named(&failure.code);
    let answered = !matches!(code, Some(Code::Unreachable) | None);
    answered && (failure.exit == Exit::Unreachable || code == Some(Code::Busy))
}

/// What is not as it should be, or that all is.
fn shown(copies: &RingCopies) -> String {
    let members = count(copies.members, "member", "members");
    if copies.are_complete() {
        return format!("all records of {members} have their copies\n");
    }
    let mut reasons = Vec::new();
    match copies.lacking {
        0 => {}
        1 => reasons.push("1 key lacks copies".to_owned()),
        keys => reasons.push(format!("{keys} keys lack copies")),
    }
    let peers = |peers: &[cuerda::ring::Peer]| {
        let words: Vec<String> = peers.iter().map(ToString::to_string).collect();
        words.join(", ")
    };
    if !copies.unsettled.is_empty() {
        let who = peers(&copies.unsettled);
        reasons.push(format!("not yet serving what they should: {who}"));
    }
    if !copies.silent.is_empty() {
        reasons.push(format!("no answer from {}", peers(&copies.silent)));
    }
    if !copies.ideal {
        reasons.push("the ring is not ideal".to_owned());
    }
    format!("{members}: {}\n", reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::tests::peer;

    #[test]
    fn what_is_missing_is_told_and_that_nothing_is() {
        let well = RingCopies {
            members: 5,
            ideal: true,
            ..RingCopies::default()
        };
        assert!(well.are_complete());
        let ill = RingCopies {
            ideal: false,
            lacking: 1541,
            under_way: 2,
            unsettled: vec![peer(5)],
            silent: vec![peer(7)],
            ..well.clone()
        };
        let one = RingCopies {
            lacking: 1,
            ..well.clone()
        };
        assert!(!ill.are_complete() && !one.are_complete());
        insta::assert_snapshot!([shown(&well), shown(&ill), shown(&one)].concat());
    }

    #[test]
    fn nobody_waits_for_a_node_that_is_not_there() {
        for (code, waits) in [
            (Code::Unreachable, false),
            (Code::NotANode, false),
            (Code::BadRequest, false),
            (Code::NotMember, true),
            (Code::Busy, true),
            (Code::TimedOut, true),
        ] {
            let failure = Failure::new(code, "", "");
            assert_eq!(is_for_a_while(&failure), waits, "{code}");
        }
    }
}
