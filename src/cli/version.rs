//! `version`: which release this is, and which protocol it speaks.

use cuerda::host::FRAME_VERSION;
use cuerda::node::{PROTOCOL_OLDEST, PROTOCOL_VERSION, VERSIONS};
use serde_json::json;

use super::output::{self, Output};
use super::{Exit, Failure};

/// Print the release and the protocol it speaks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Says it.
pub(crate) fn run(_args: Args, output: Output) -> Result<Exit, Failure> {
    if output.json {
        output::print_json(&json!({
            "release": env!("CARGO_PKG_VERSION"),
            "protocol": PROTOCOL_VERSION,
            "protocol_oldest": PROTOCOL_OLDEST,
            "frames": FRAME_VERSION,
        }))?;
    } else {
        output::print(&shown())?;
    }
    Ok(Exit::Done)
}

fn shown() -> String {
    format!(
        "cuerda {} (protocol {}, frames version {FRAME_VERSION})\n",
        env!("CARGO_PKG_VERSION"),
        VERSIONS,
    )
}
