//! `health`: whether a node can do its work, in a word, an exit code and the reasons.

use cuerda::http::control::{Check, Health, Wellbeing};
use serde_json::{Value, json};

use super::client::Target;
use super::output::{self, Output, harmless};
use super::{Exit, Failure};

/// Say whether the node is healthy, degraded or unhealthy
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A degraded node does its work and ends with 0. An unhealthy one ends with 1, one that belongs
to no ring with 4, as does one that does not answer.")]
pub(crate) struct Args {
    /// Only whether it answers at all: what fails this needs to be started again, whatever it
    /// waits for
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    target: Target,
}

/// Asks the node.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    if args.live {
        let answer = args.target.get::<Value>("/health/live")?;
        if output.json {
            output::print_json(&answer.document)?;
        } else if !output.quiet {
            output::print("live\n")?;
        }
        return Ok(Exit::Done);
    }
    let (health, exit) = match args.target.get::<Health>("/health/ready") {
        Ok(answer) => (answer.value, Exit::Done),
        // It answers, and says why it is not ready.
        Err(failure) if !failure.checks.is_empty() => {
            let health = Health {
                status: Wellbeing::Unhealthy,
                checks: failure.checks,
            };
            (health, failure.exit)
        }
        Err(failure) => return Err(failure),
    };
    if output.json {
        let Health { status, checks } = &health;
        output::print_json(&json!({ "status": status, "checks": checks }))?;
    } else if !output.quiet {
        output::print(&shown(&health))?;
    }
    Ok(exit)
}

fn shown(health: &Health) -> String {
    let word = match health.status {
        Wellbeing::Healthy => "healthy",
        Wellbeing::Degraded => "degraded",
        Wellbeing::Unhealthy => "unhealthy",
    };
    let line = |check: &Check| {
        let mark = match (check.ok, check.required) {
            (true, _) => "ok  ",
            (false, true) => "FAIL",
            (false, false) => "warn",
        };
        format!(
            "  {mark}  {}: {}\n",
            harmless(&check.name),
            harmless(&check.detail)
        )
    };
    let lines: String = health.checks.iter().map(line).collect();
    format!("{word}\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_comes_first_and_then_the_reasons() {
        let check = |name: &str, ok, required| Check {
            name: name.to_owned(),
            ok,
            required,
            detail: "what was found".to_owned(),
        };
        let health = Health {
            status: Wellbeing::Unhealthy,
            checks: vec![
                check("running", true, true),
                check("member", false, true),
                check("successor_list", false, false),
            ],
        };
        assert_eq!(
            shown(&health),
            "unhealthy\n  ok    running: what was found\n  FAIL  member: what was found\n  \
             warn  successor_list: what was found\n"
        );
    }
}
