//! Where the log goes: to stderr, for people on a terminal and as JSON elsewhere.

use tracing_subscriber::EnvFilter;

use super::config::{self, Config, LogFormat};
use super::output::{Output, colours};

/// Starts logging for this process, with what is doubtful about its configuration.
pub(crate) fn start(config: &Config, output: Output) {
    let filter = match (output.quiet, output.verbose) {
        (true, _) => "warn",
        (_, 0) => &config.log,
        (_, 1) => "info,cuerda=debug",
        _ => "info,cuerda=trace",
    };
    let stderr = std::io::stderr();
    let terminal = std::io::IsTerminal::is_terminal(&stderr);
    let json = match config.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let log = tracing_subscriber::fmt()
        // What the check of the configuration has read, it reads again.
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(colours(&stderr));
    // An error means that somebody else has started a log: then that one is it.
    let _ = if json {
        log.json().flatten_event(true).try_init()
    } else {
        log.try_init()
    };
    for warning in config::doubtful_variables() {
        tracing::warn!("{warning}");
    }
}
