//! The Docker engine: commands to it, turns at it, and the promise that nothing stays behind.
//!
//! All that a test makes is labelled with its run, which names the process. It is swept away when
//! the test ends, however it ends; and at the start, what processes left that are no more.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::program::{BUILD, binary, loudly, root, run, said, skipped};

/// What everything is labelled with that a test makes; the value is the run.
const LABEL: &str = "cuerda.test";

/// The labels by which all of a run is found: ours, and those of compose files and stacks, which
/// have its name.
const LABELS: [&str; 3] = [
    LABEL,
    "com.docker.compose.project",
    "com.docker.stack.namespace",
];

/// How the names of runs begin, before the number of the process.
const RUN: &str = "cuerda-test-";

static TURN: Mutex<()> = Mutex::new(());
/// Tests that have their turn or wait for it: the last one takes the images away.
static THERE: AtomicUsize = AtomicUsize::new(0);

/// The engine, as long as it is this test's turn.
#[derive(Debug)]
pub(crate) struct Engine {
    /// The name of this run, with which all names begin.
    pub(crate) run: String,
    _turn: MutexGuard<'static, ()>,
}

/// The engine, when it is this test's turn; `None` if there is none, which has been told.
pub(crate) fn engine() -> Option<Engine> {
    static VERSIONS: OnceLock<Option<String>> = OnceLock::new();
    THERE.fetch_add(1, SeqCst);
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let versions = VERSIONS.get_or_init(|| {
        let found = versions();
        match &found {
            Ok(versions) => loudly(&format!(
                "containers, networks and volumes are made for these tests, and taken away after \
                 each: {versions}"
            )),
            Err(why) => loudly(why),
        }
        found.ok()
    });
    if versions.is_none() {
        THERE.fetch_sub(1, SeqCst);
        drop(turn);
        skipped("no Docker engine answers: is it installed, running, and may you use it?");
        return None;
    }
    let run = format!("{RUN}{}", std::process::id());
    let engine = Engine { run, _turn: turn };
    engine.sweep_the_dead();
    Some(engine)
}

fn versions() -> Result<String, String> {
    let asked = Command::new("docker")
        .args(["version", "--format"])
        .arg("docker client {{.Client.Version}}, engine {{.Server.Version}}")
        .output();
    let asked = asked.map_err(|error| format!("docker: {error}"))?;
    if !asked.status.success() {
        return Err(String::from_utf8_lossy(&asked.stderr).into_owned());
    }
    let docker = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let compose = compose().args(["version", "--short"]).output();
    let compose = match compose {
        Ok(output) if output.status.success() => words(&output).concat(),
        _ => "is not there".to_owned(),
    };
    Ok(format!("{docker}, docker-compose {compose}"))
}

/// `docker-compose`, or where that is not there the engine's own.
pub(crate) fn compose() -> Command {
    let own = Command::new("docker-compose").arg("version").output();
    if own.is_ok_and(|output| output.status.success()) {
        return Command::new("docker-compose");
    }
    let mut command = Command::new("docker");
    command.arg("compose");
    command
}

impl Engine {
    /// `docker` with these arguments; its stdout. It must succeed.
    pub(crate) fn docker<A: AsRef<str>>(&self, arguments: &[A]) -> String {
        said(Command::new("docker").args(arguments.iter().map(AsRef::as_ref)))
    }

    /// The same, however it ends.
    pub(crate) fn tried<A: AsRef<str>>(&self, arguments: &[A]) -> Output {
        run(Command::new("docker").args(arguments.iter().map(AsRef::as_ref)))
    }

    /// What is made gets this.
    pub(crate) fn label(&self) -> String {
        format!("{LABEL}={}", self.run)
    }

    /// A name of this run's own.
    pub(crate) fn name(&self, of: &str) -> String {
        format!("{}-{of}", self.run)
    }

    /// The image of the program under test.
    pub(crate) fn image(&self) -> String {
        self.image_of("dev")
    }

    /// The same program as another image, told apart by its tag and a label.
    pub(crate) fn image_of(&self, tag: &str) -> String {
        let image = format!("{}:{tag}", self.run);
        if !self.tried(&["image", "inspect", &image]).status.success() {
            let label = format!("cuerda.test.tag={tag}");
            let binary = binary();
            loudly(&format!(
                "building the image {image} from {}, for the containers to run what is tested",
                binary.display()
            ));
            let built = build(
                binary,
                &["--tag", &image, "--label", &self.label(), "--label", &label],
            );
            let words = String::from_utf8_lossy(&built.stderr);
            assert!(built.status.success(), "{BUILD}: {words}");
        }
        image
    }

    /// A swarm with this machine in it: the one that is there, or one of this run's own.
    pub(crate) fn swarm(&self) -> Swarm<'_> {
        let state = self.docker(&["info", "--format", "{{.Swarm.LocalNodeState}}"]);
        let is_there = |network| {
            self.tried(&["network", "inspect", network])
                .status
                .success()
        };
        let swarm = Swarm {
            engine: self,
            own: state == "inactive",
            had_bridge: is_there(BRIDGE),
        };
        if swarm.own {
            self.docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
            let node = self.docker(&["info", "--format", "{{.Swarm.NodeID}}"]);
            self.docker(&["node", "update", "--label-add", &self.label(), &node]);
        }
        swarm
    }

    /// Whether this run's label is on no container, network or volume.
    pub(crate) fn is_clean(&self) -> bool {
        KINDS
            .iter()
            .all(|kind| self.labelled(kind, &self.run).is_empty())
    }

    fn labelled(&self, kind: &Kind, run: &str) -> Vec<String> {
        let mut found = Vec::new();
        for label in LABELS {
            let filter = format!("label={label}={run}");
            let mut list: Vec<&str> = kind.list.to_vec();
            list.extend(["--quiet", "--filter", &filter]);
            found.extend(words(&self.tried(&list)));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn sweep(&self, run: &str) {
        self.leave_swarm_of(run);
        for kind in &KINDS {
            let found = self.labelled(kind, run);
            if !found.is_empty() {
                let found = found.iter().map(String::as_str);
                let arguments: Vec<&str> = kind.remove.iter().copied().chain(found).collect();
                self.tried(&arguments);
            }
        }
    }

    fn sweep_images(&self, run: &str) {
        let filter = format!("label={LABEL}={run}");
        let listed = words(&self.tried(&["images", "--quiet", "--filter", &filter]));
        for image in BTreeSet::from_iter(listed) {
            self.tried(&["rmi", "--force", &image]);
        }
    }

    /// What processes left that are no more.
    fn sweep_the_dead(&self) {
        let mut runs = BTreeSet::new();
        for (kind, label) in KINDS
            .iter()
            .flat_map(|kind| LABELS.map(|label| (kind, label)))
        {
            let format = format!("{{{{.Label \"{label}\"}}}}");
            let filter = format!("label={label}");
            let mut list: Vec<&str> = kind.list.to_vec();
            list.extend(["--filter", &filter, "--format", &format]);
            runs.extend(words(&self.tried(&list)));
        }
        // Images are called like their run.
        let filter = format!("label={LABEL}");
        let format = "{{.Repository}}";
        runs.extend(words(
            &self.tried(&["images", "--filter", &filter, "--format", format]),
        ));
        runs.retain(|run| run.starts_with(RUN));
        runs.extend(self.swarm_of());
        for run in runs {
            let process = run.strip_prefix(RUN).unwrap_or_default();
            if !Path::new("/proc").join(process).exists() {
                loudly(&format!("sweeping away what {run} left"));
                self.sweep(&run);
                self.sweep_images(&run);
            }
        }
    }

    /// The run that made the swarm of this machine, if one did.
    fn swarm_of(&self) -> Option<String> {
        let format = format!("{{{{index .Spec.Labels \"{LABEL}\"}}}}");
        let asked = self.tried(&["node", "inspect", "self", "--format", &format]);
        words(&asked).pop().filter(|run| run.starts_with(RUN))
    }

    fn leave_swarm_of(&self, run: &str) {
        if self.swarm_of().as_deref() == Some(run) {
            self.tried(&["swarm", "leave", "--force"]);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.sweep(&self.run);
        if THERE.fetch_sub(1, SeqCst) == 1 {
            self.sweep_images(&self.run);
        }
    }
}

/// A swarm, left when dropped if it was made for this.
#[derive(Debug)]
pub(crate) struct Swarm<'a> {
    engine: &'a Engine,
    own: bool,
    /// Whether the bridge to the outside was there before, which stays when a swarm goes.
    had_bridge: bool,
}

const BRIDGE: &str = "docker_gwbridge";

impl Drop for Swarm<'_> {
    fn drop(&mut self) {
        if self.own {
            self.engine.tried(&["swarm", "leave", "--force"]);
            if !self.had_bridge {
                self.engine.tried(&["network", "rm", BRIDGE]);
            }
        }
    }
}

/// The words that a command printed.
fn words(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(str::to_owned).collect()
}

/// Runs what builds the image, with this binary.
pub(crate) fn build(binary: &Path, more: &[&str]) -> Output {
    run(Command::new(root().join(BUILD))
        .arg("--binary")
        .arg(binary)
        .args(more))
}

/// Something that carries labels.
struct Kind {
    list: &'static [&'static str],
    remove: &'static [&'static str],
}

/// In the order in which they can be removed.
const KINDS: [Kind; 3] = [
    Kind {
        list: &["ps", "--all"],
        remove: &["rm", "--force", "--volumes"],
    },
    Kind {
        list: &["network", "ls"],
        remove: &["network", "rm"],
    },
    Kind {
        list: &["volume", "ls"],
        remove: &["volume", "rm"],
    },
];
