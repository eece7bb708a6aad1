//! The flags of `node run` and its kin, made from the table of settings.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::keys::{KEYS, Key};
use super::kind::Kind;

/// What the command line says about settings; not yet read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub(super) config: Option<PathBuf>,
    pub(super) given: Vec<(&'static Key, String)>,
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(format!(
                "TOML file with settings; default: ${{CUERDA_CONFIG}}, else {} if it is there",
                super::FILE
            ))
            .help_heading("Settings");
        command.arg(config).args(KEYS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(key: &'static Key) -> Arg {
    let default = match key.default {
        None | Some("") => String::new(),
        Some(default) => format!(" [default: {default}]"),
    };
    let arg = Arg::new(key.name)
        .long(key.flag())
        .value_name(key.kind.placeholder())
        .help(format!("{}{default}", key.effect))
        .help_heading("Settings");
    match key.kind {
        // `--insecure` alone means yes.
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        // `--join a:1 --join b:2` means the same as `--join a:1,b:2`.
        Kind::Places | Kind::Names => arg.action(ArgAction::Append),
        _ => arg,
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags, clap::Error> {
        let mut flags = Flags {
            config: matches.get_one::<PathBuf>("config").cloned(),
            given: Vec::new(),
        };
        for key in KEYS {
            let texts = matches.get_many::<String>(key.name).into_iter().flatten();
            let texts: Vec<&str> = texts.map(String::as_str).collect();
            if !texts.is_empty() {
                flags.given.push((key, texts.join(",")));
            }
        }
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Flags::from_arg_matches(matches)?;
        Ok(())
    }
}
