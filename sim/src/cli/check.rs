//! `check`: parses scenarios without playing them.

use std::path::PathBuf;

use cuerda_sim::report::words::{count, duration};
use cuerda_text::words::harmless_lines;
use serde_json::json;

use super::load::{self, Overrides, WorldName};
use super::{Exit, Failure, print, print_json};

/// Parse scenarios and say what is wrong with them, without playing them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenario files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print one line of JSON for each file
    #[arg(long)]
    pub(crate) json: bool,
}

/// Looks at every file, also after a mistake in one.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let mut worst = Exit::Held;
    for file in &args.files {
        let name = file.to_string_lossy();
        match load::load(file, None, &Overrides::default()) {
            Ok(loaded) if args.json => {
                print_json(&json!({ "file": name, "ok": true, "title": loaded.scenario.title }))?;
            }
            Ok(loaded) => {
                let scenario = loaded.scenario;
                print(&harmless_lines(&format!(
                    "ok  {name}: {} ({}, {}, {})",
                    scenario.title,
                    WorldName::of(scenario.world).name(),
                    count(u64::from(scenario.nodes), "node", "nodes"),
                    duration(scenario.duration)
                )))?;
                print("\n")?;
            }
            Err(failure) => {
                worst = Exit::Mistake;
                if args.json {
                    let error = failure.to_string();
                    let problems = match &failure {
                        Failure::Scenario(diagnostic) => diagnostic.for_programs(),
                        Failure::Other(_) => Vec::new(),
                    };
                    print_json(&json!({
                        "file": name, "ok": false, "error": error, "problems": problems,
                    }))?;
                }
                failure.show();
            }
        }
    }
    Ok(worst)
}
