//! The program with all worlds, for when this one was built without the world that is asked for.
//!
//! `cargo sim` builds what the `events` world needs, so that the first verdict comes soon. Whoever
//! asks it for another world gets the whole program built, which then does the same. Only a
//! program that cargo itself has started does so; any other says how to build the whole one.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use cuerda_sim::scenario::World;

use super::Failure;

/// Goes on as the whole program, with the same arguments. Comes back only if it can't.
pub(crate) fn instead(world: World) -> Failure {
    let world = world.name();
    let arguments = std::env::args_os().skip(1);
    let Some(mut command) = command(|name| std::env::var_os(name), arguments) else {
        return Failure::Other(format!(
            "this program was built without the `{world}` world; build it with all worlds by \
             `cargo install --path sim` in Cuerda's source, or play this with `--world events`"
        ));
    };
    super::tell(&format!(
        "this program was built without the `{world}` world, to be there soon; building the one \
         with all worlds, which goes on with this"
    ));
    let error = replace(&mut command);
    let cargo = command.get_program().to_string_lossy();
    Failure::Other(format!(
        "can't start {cargo} to build the `{world}` world: {error}"
    ))
}

/// What builds and runs the whole program, if cargo has started this one in its source.
fn command(
    variable: impl Fn(&str) -> Option<OsString>,
    arguments: impl IntoIterator<Item = OsString>,
) -> Option<Command> {
    let (cargo, folder) = variable("CARGO").zip(variable("CARGO_MANIFEST_DIR"))?;
    let ours = variable("CARGO_PKG_NAME")? == OsStr::new(env!("CARGO_PKG_NAME"));
    let manifest = Path::new(&folder).join("Cargo.toml");
    if !ours || !manifest.is_file() {
        return None;
    }
    let mut command = Command::new(cargo);
    command
        .args(["run", "--release", "--manifest-path"])
        .arg(manifest)
        .args(["--bin", env!("CARGO_BIN_NAME"), "--"])
        .args(arguments);
    Some(command)
}

/// Makes this process another one, so that signals and the exit code are that one's.
#[cfg(unix)]
fn replace(command: &mut Command) -> std::io::Error {
    use std::os::unix::process::CommandExt as _;
    command.exec()
}

/// Waits for the other process and ends as it does.
#[cfg(not(unix))]
fn replace(command: &mut Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(super::Exit::Mistake as i32)),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

    /// The command line that follows from these variables.
    fn line(variables: &[(&str, &str)]) -> Option<Vec<String>> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let command = command(variable, ["run", "a.toml"].map(OsString::from))?;
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        Some(words.map(|word| word.to_string_lossy().into()).collect())
    }

    #[test]
    fn started_by_cargo_it_asks_cargo_for_the_whole_program() {
        let found = line(&[
            ("CARGO", "/bin/cargo"),
            ("CARGO_MANIFEST_DIR", FOLDER),
            ("CARGO_PKG_NAME", "cuerda-sim"),
        ]);
        let manifest = format!("{FOLDER}/Cargo.toml");
        let expected = [
            "/bin/cargo",
            "run",
            "--release",
            "--manifest-path",
            &manifest,
            "--bin",
            "cuerda-sim",
            "--",
            "run",
            "a.toml",
        ];
        assert_eq!(found.expect("cargo has started it"), expected);
    }

    #[test]
    fn started_otherwise_it_builds_nothing() {
        assert_eq!(line(&[]), None);
        // The variables of a test of another package, which starts an installed program.
        let other = ("CARGO_PKG_NAME", "other");
        let cargo = ("CARGO", "/bin/cargo");
        assert_eq!(line(&[cargo, ("CARGO_MANIFEST_DIR", FOLDER), other]), None);
        // The source is gone.
        let gone = ("CARGO_MANIFEST_DIR", "/nowhere");
        let ours = ("CARGO_PKG_NAME", "cuerda-sim");
        assert_eq!(line(&[cargo, gone, ours]), None);
    }
}
