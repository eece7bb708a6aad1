//! `config`: shows, checks and explains settings.

use std::path::PathBuf;

use serde_json::json;

use super::flags::Flags;
use super::layers::{Given, Settings};
use super::{check, layers, read, reference, settings};
use crate::cli::output::{self, Output};
use crate::cli::{Exit, Failure};

/// Show, check and explain the settings of a node
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the settings that `node run` would work with
    Show {
        /// Show where each value comes from
        #[arg(long)]
        origins: bool,
        /// As `node run --dev` has them
        #[arg(long)]
        dev: bool,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Check a configuration file, together with the defaults
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print all settings as a Markdown table
    Reference,
}

/// Does what the subcommand says.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    match args.command {
        Command::Show {
            origins,
            dev,
            flags,
        } => {
            let settings = settings(&flags, dev)?;
            // Settings that don't hold together are not shown as if they did.
            check::config(&settings)?;
            if output.json {
                output::print_json(&for_programs(&settings, origins))?;
            } else {
                output::print(&shown(&settings, origins))?;
            }
        }
        Command::Check { file } => {
            let given = Given {
                file: Some(read(&file)?),
                ..Given::default()
            };
            check::config(&layers::settings(&given)?)?;
            let file = file.display().to_string();
            if output.json {
                output::print_json(&json!({ "file": file, "ok": true }))?;
            } else if !output.quiet {
                output::print(&format!("ok  {file}\n"))?;
            }
        }
        Command::Reference if output.json => output::print_json(&reference::for_programs())?,
        Command::Reference => output::print(&reference::markdown())?,
    }
    Ok(Exit::Done)
}

/// A TOML file that says the same, with origins as comments.
fn shown(settings: &Settings, origins: bool) -> String {
    let mut lines = Vec::new();
    for setting in settings.all() {
        let name = setting.key.name;
        let line = match &setting.value {
            // JSON's strings, numbers and lists are TOML's too.
            Some(value) => format!("{name} = {}", value.json()),
            None => format!("# {name} has no value"),
        };
        lines.push((line, setting.origin.to_string()));
    }
    let width = lines.iter().map(|(line, _)| line.chars().count()).max();
    let width = width.unwrap_or_default();
    let one = |(line, origin): (String, String)| {
        if origins {
            format!("{line:width$}  # {origin}\n")
        } else {
            format!("{line}\n")
        }
    };
    lines.into_iter().map(one).collect()
}

fn for_programs(settings: &Settings, origins: bool) -> serde_json::Value {
    let entries = settings.all().iter().map(|setting| {
        let value = setting.value.as_ref().map(super::kind::Value::json);
        let told = if origins {
            json!({ "value": value, "origin": setting.origin.to_string() })
        } else {
            json!(value)
        };
        (setting.key.name.to_owned(), told)
    });
    serde_json::Value::Object(entries.collect())
}
