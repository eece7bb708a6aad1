//! The configuration of a node, and the commands that tell about it.
//!
//! ```text
//!   keys.rs    the table of all settings: flags, variables and keys of the file come from it
//!   kind.rs    what a value looks like
//!   layers.rs  flag > environment > file > default, with each value's origin
//!   check.rs   what must hold between settings; the typed Config
//!   addresses.rs  where others reach a node that listens on all addresses
//! ```
//!
//! Nothing here starts anything. A mistake ends in a [`Diagnostic`], which points at the flag,
//! the variable or the line of the file.

mod addresses;
mod check;
mod command;
mod flags;
mod keys;
mod kind;
mod layers;
mod reference;

use std::path::Path;
use std::time::Duration;

use cuerda_text::duration::parse_duration;

pub(crate) use check::{Config, LogFormat, OnTerminate};
pub(crate) use command::{Args, run};
pub(crate) use cuerda_text::diagnostic::{Diagnostic, Style};
pub(crate) use flags::Flags;

use super::Failure;
use layers::{Given, Settings};

/// Reads a duration of the command line.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text, kind::LONGEST)
        .map_err(|wrong| format!("{}; {}", wrong.message, wrong.help))
}

/// The file that is read, if it is there and no other is named.
const FILE: &str = "/etc/cuerda/node.toml";

/// Reads all layers and checks them.
pub(crate) fn load(flags: &Flags, dev: bool) -> Result<Config, Failure> {
    let settings = settings(flags, dev)?;
    Ok(check::config(&settings)?)
}

fn settings(flags: &Flags, dev: bool) -> Result<Settings, Failure> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("CUERDA_"))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(Failure::usage(
                format!("the environment variable {name} is not UTF-8"),
                "unset it or set it again",
            )),
        })
        .collect::<Result<_, _>>()?;
    let given = Given {
        flags: flags.given.clone(),
        file: file(flags, &environment, dev)?,
        environment,
        dev,
    };
    Ok(layers::settings(&given)?)
}

/// The path and the text of the file: `--config`, else `CUERDA_CONFIG`, else the usual one if
/// it is there. With `--dev` not the usual one, which is for the node that is deployed here.
fn file(
    flags: &Flags,
    environment: &[(String, String)],
    dev: bool,
) -> Result<Option<(String, String)>, Failure> {
    let of_environment = || {
        let found = environment
            .iter()
            .find(|(name, text)| name == "CUERDA_CONFIG" && !text.is_empty());
        found.map(|(_, path)| path.into())
    };
    match flags.config.clone().or_else(of_environment) {
        Some(path) => read(&path).map(Some),
        None if !dev && Path::new(FILE).exists() => read(Path::new(FILE)).map(Some),
        None => Ok(None),
    }
}

fn read(path: &Path) -> Result<(String, String), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(
            format!("can't read the configuration {}: {error}", path.display()),
            "name a file that can be read with --config FILE or CUERDA_CONFIG",
        )
    })?;
    Ok((path.display().to_string(), text))
}

/// Warnings about variables that look like a setting's and are none's. They are no errors:
/// container engines set variables of their own that begin like ours.
pub(crate) fn doubtful_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let doubtful = names.filter_map(|name| {
        let key = name.strip_prefix("CUERDA_")?.to_lowercase();
        let meant = layers::nearest(&key).filter(|meant| *meant != key && key != "config")?;
        Some(format!(
            "the environment variable {name} means nothing; did you mean CUERDA_{}?",
            meant.to_uppercase()
        ))
    });
    doubtful.collect()
}
