//! `list`: which scenarios there are, and which numbers they may bound.

use std::path::{Path, PathBuf};

use cuerda_sim::report::metric_paths;
use cuerda_sim::report::words::{duration, grouped, harmless};
use cuerda_text::table::Columns;
use serde_json::json;

use super::load::{self, FOLDER, Loaded, Overrides, WorldName};
use super::{Exit, Failure, print, print_json};

/// List the scenarios of a folder and those below it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder
    #[arg(value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
    /// List the numbers of a report that `[expect]` may name, instead
    #[arg(long, conflicts_with = "folder")]
    metrics: bool,
    /// Print one line of JSON for each
    #[arg(long)]
    pub(crate) json: bool,
}

/// Lists all that can be parsed, then tells of those that can't.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    if args.metrics {
        return metrics(&args);
    }
    let files = load::scenario_files(&args.folder).map_err(|error| {
        Failure::Other(format!(
            "can't list the folder {}: {error}",
            args.folder.display()
        ))
    })?;
    if files.is_empty() {
        return Err(Failure::Other(format!(
            "there are no scenarios in {}",
            args.folder.display()
        )));
    }
    let loaded: Vec<(&Path, Result<Loaded, Failure>)> = files
        .iter()
        .map(|file| {
            (
                file.as_path(),
                load::load(file, None, &Overrides::default()),
            )
        })
        .collect();
    if args.json {
        for (file, loaded) in &loaded {
            print_json(&line(file, loaded))?;
        }
    } else {
        print(&table(&args.folder, &loaded))?;
    }
    let mut exit = Exit::Held;
    for failure in loaded
        .iter()
        .filter_map(|(_, loaded)| loaded.as_ref().err())
    {
        failure.show();
        exit = Exit::Mistake;
    }
    Ok(exit)
}

fn metrics(args: &Args) -> Result<Exit, Failure> {
    for path in metric_paths() {
        if args.json {
            print_json(&json!({ "metric": path }))?;
        } else {
            print(&format!("{path}\n"))?;
        }
    }
    Ok(Exit::Held)
}

fn line(file: &Path, loaded: &Result<Loaded, Failure>) -> serde_json::Value {
    let file = file.to_string_lossy();
    match loaded {
        Ok(Loaded { scenario, .. }) => json!({
            "file": file,
            "title": scenario.title,
            "world": WorldName::of(scenario.world).name(),
            "nodes": scenario.nodes,
            "duration_s": scenario.duration.as_secs_f64(),
        }),
        Err(failure) => json!({ "file": file, "error": failure.to_string() }),
    }
}

/// Paths are shown from the folder on; titles are folded to keep within 80 columns.
fn table(folder: &Path, all: &[(&Path, Result<Loaded, Failure>)]) -> String {
    let headings = ["file", "world", "nodes", "duration", "title"];
    let mut table = Columns::new(&headings, 0).numbers([2, 3]).within(80);
    for (file, loaded) in all {
        let shown = file.strip_prefix(folder).unwrap_or(file).to_string_lossy();
        let mut row = vec![shown.into_owned()];
        match loaded {
            Ok(Loaded { scenario, .. }) => row.extend([
                WorldName::of(scenario.world).name().to_owned(),
                grouped(u64::from(scenario.nodes)),
                duration(scenario.duration),
                scenario.title.clone(),
            ]),
            Err(_) => row.extend(["", "", "", "has a mistake, see below"].map(str::to_owned)),
        }
        table.row(row);
    }
    format!("{}\n{}", harmless(&folder.to_string_lossy()), table.text())
}
