//! The engine: the `docker` command, and the labels by which all that a world made is found again.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Carried by all that a world makes; the value is its run.
const LABEL: &str = "dht.cuerda.world";

/// The image that nodes run from, unless this variable names another.
const IMAGE: &str = "cuerda:dev";
const IMAGE_VARIABLE: &str = "CUERDA_IMAGE";

/// Worlds of this process so far.
static WORLDS: AtomicU32 = AtomicU32::new(0);

/// What the engine did not do, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no `docker` command.
    #[error("the `containers` world needs Docker, and the command `docker` can't be run ({0})")]
    NoCommand(String),
    /// The engine does not answer.
    #[error("no Docker engine answers ({0}); start one, or play this with `--world turmoil`")]
    NoEngine(String),
    /// There is no image to run nodes from.
    #[error("there is no image {0}; build it with `docker/build`, or name another in CUERDA_IMAGE")]
    NoImage(String),
    /// A command failed.
    #[error("`docker {command}` failed: {said}")]
    Failed {
        /// The command's arguments.
        command: String,
        /// What it said about that.
        said: String,
    },
    /// The user wants no more.
    #[error("interrupted")]
    Interrupted,
    /// The nodes did not form a ring.
    #[error("the nodes formed no ring within {within_s} s: {said}")]
    NoRing {
        /// How long they had.
        within_s: u64,
        /// What is missing.
        said: String,
    },
    /// The kernel did not do what a fault needs.
    #[error("can't disturb the network: {0}")]
    NoWalls(String),
}

/// `docker` with these arguments. A Ctrl-C at the terminal is for this program alone: the command
/// ends what it has begun.
pub(super) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments).process_group(0);
    command
}

/// Runs `docker` with these arguments, and returns what it prints.
pub(super) fn docker(arguments: &[&str]) -> Result<String, Trouble> {
    feed(arguments, &[])
}

/// The same, with something on its standard input.
pub(super) fn feed(arguments: &[&str], input: &[u8]) -> Result<String, Trouble> {
    let failed = |said: String| Trouble::Failed {
        command: arguments.join(" "),
        said,
    };
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Trouble::NoCommand(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who does not read to the end says why.
        let _ = stdin.write_all(input);
    }
    let output = child
        .wait_with_output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.trim().replace('\n', "; ")))
}

/// The image that nodes run from.
fn image() -> String {
    let named = std::env::var(IMAGE_VARIABLE).unwrap_or_default();
    if named.is_empty() {
        IMAGE.to_owned()
    } else {
        named
    }
}

/// Whether worlds can be made here; the engine's version, if so.
///
/// # Errors
/// If there is no command, no engine, or no image.
pub fn ready() -> Result<String, Trouble> {
    let version = docker(&["version", "--format", "{{.Server.Version}}"]);
    let version = version.map_err(|trouble| match trouble {
        Trouble::Failed { said, .. } => Trouble::NoEngine(said),
        other => other,
    })?;
    let image = image();
    let found = docker(&["image", "inspect", "--format", "{{.Id}}", &image]);
    match found {
        Ok(_) => Ok(version),
        Err(Trouble::Failed { .. }) => Err(Trouble::NoImage(image)),
        Err(other) => Err(other),
    }
}

/// An engine, and what one world makes there.
#[derive(Debug)]
pub(super) struct Engine {
    /// The run: this process and a number.
    run: String,
    image: String,
}

impl Engine {
    /// A run of its own. What runs of processes that are gone left behind is taken away.
    pub(super) fn start() -> Result<Engine, Trouble> {
        ready()?;
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        sweep_dead(number);
        Ok(Engine {
            run: format!("{}-{number}", std::process::id()),
            image: image(),
        })
    }

    /// What something of this run is called.
    pub(super) fn name(&self, what: &str) -> String {
        format!("cuerda-{}-{what}", self.run)
    }

    /// The label that it carries.
    pub(super) fn label(&self) -> String {
        format!("{LABEL}={}", self.run)
    }

    /// What the nodes of this run know, and nobody else does: nothing else reaches their networks.
    pub(super) fn secret(&self) -> String {
        format!("{}\n", cuerda_core::ring::Id::of_key(self.run.as_bytes()))
    }

    pub(super) fn image(&self) -> &str {
        &self.image
    }
}

impl Engine {
    /// Takes away all that was made.
    pub(super) fn sweep(&self) {
        sweep(&self.label());
    }
}

/// Takes away all that carries a label. What is gone already is no failure.
fn sweep(label: &str) {
    let filter = format!("label={label}");
    let kinds: [(&[&str], &[&str]); 3] = [
        (
            &["ps", "--all", "--quiet", "--no-trunc"],
            &["rm", "--force", "--volumes"],
        ),
        (&["volume", "ls", "--quiet"], &["volume", "rm", "--force"]),
        (
            &["network", "ls", "--quiet", "--no-trunc"],
            &["network", "rm"],
        ),
    ];
    for (list, remove) in kinds {
        let found = docker(&[list, &["--filter", &filter]].concat()).unwrap_or_default();
        let found: Vec<&str> = found.split_whitespace().collect();
        if !found.is_empty() {
            let _ = docker(&[remove, &found].concat());
        }
    }
}

/// Takes away what worlds of dead processes have left, before this process makes its world of this
/// number. Before the first one, whatever has the process's number is of another that had it.
fn sweep_dead(world: u32) {
    let format = format!("{{{{.Label \"{LABEL}\"}}}}");
    let filter = format!("label={LABEL}");
    let lists: [&[&str]; 3] = [&["ps", "--all"], &["volume", "ls"], &["network", "ls"]];
    let mut runs = std::collections::BTreeSet::new();
    for list in lists {
        let found = docker(&[list, &["--filter", &filter, "--format", &format]].concat());
        runs.extend(found.unwrap_or_default().lines().map(str::to_owned));
    }
    for run in runs {
        let mine = run.starts_with(&format!("{}-", std::process::id()));
        if !is_alive(&run) || mine && world == 0 {
            sweep(&format!("{LABEL}={run}"));
        }
    }
}

/// Whether the process of a run is still there, as far as can be told.
fn is_alive(run: &str) -> bool {
    let process = run.split('-').next().and_then(|pid| pid.parse().ok());
    process.is_none_or(|pid| {
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, None) != Err(nix::errno::Errno::ESRCH)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_this_process_is_alive() {
        assert!(is_alive(&format!("{}-0", std::process::id())));
        assert!(is_alive("no number"));
        // No process has this number where the largest is 2^22.
        assert!(!is_alive("2000000000-3"));
    }
}
