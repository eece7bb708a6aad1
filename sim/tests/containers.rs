//! The scenarios in `scenarios/containers/`, played with the real program on real networks, and the
//! promise that nothing of it stays behind.
//!
//! Without a Docker engine these tests say loudly that they are skipped; with `CUERDA_CI=1` that is
//! a failure. They run side by side: most of their time is spent waiting.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

/// What every world labels what it makes with.
const LABEL: &str = "dht.cuerda.world";

/// No measure of speed: whoever needs so long is stuck.
const PATIENCE: Duration = Duration::from_secs(90);

/// The project's root.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent();
    root.expect("the package lies in the project's root")
        .to_owned()
}

/// Says something to whoever runs the tests, also if they hold.
fn loudly(words: &str) {
    // Not `eprint`, which the harness keeps for tests that fail.
    let _ = writeln!(std::io::stderr(), "{words}");
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// An image of the program as it is now; `None` if there is no engine, which has been told.
fn image() -> Option<&'static str> {
    static IMAGE: OnceLock<Option<String>> = OnceLock::new();
    IMAGE.get_or_init(make_image).as_deref()
}

fn make_image() -> Option<String> {
    match docker(&["version", "--format", "{{.Server.Version}}"]) {
        Ok(version) => loudly(&format!(
            "the `containers` world runs, on Docker engine {version}"
        )),
        Err(why) => {
            let must = std::env::var("CUERDA_CI").is_ok_and(|value| value == "1");
            assert!(!must, "CUERDA_CI=1, and no Docker engine answers: {why}");
            loudly(&format!(
                "SKIPPED all tests of the `containers` world, nothing was tested: no Docker engine \
                 answers: {why}"
            ));
            return None;
        }
    }
    let tag = "cuerda:world-test".to_owned();
    // What the tests of the node are run with; it is static if all that is built now is.
    let binary = Path::new(env!("CARGO_BIN_EXE_cuerda-sim")).with_file_name("cuerda");
    let script = |more: &[&str]| {
        Command::new(root().join("docker/build"))
            .args(["--tag", &tag])
            .args(more)
            .output()
            .expect("the script can be run")
    };
    let shown = binary.display();
    let refused = if is_newer_than_its_source(&binary) {
        loudly(&format!(
            "building the image {tag} from {shown}, for the containers to run what is tested"
        ));
        let output = script(&["--binary", &binary.to_string_lossy()]);
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        (!output.status.success()).then_some(said)
    } else {
        Some(format!("{shown} is older than its source"))
    };
    if let Some(why) = refused {
        loudly(&format!(
            "building the program for the image {tag}, which takes some minutes the first time: {why}"
        ));
        let output = script(&["--profile", "dev"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker/build: {said}");
    }
    Some(tag)
}

/// Whether the program beside this one was built from the source as it is now. It is not if the
/// harness alone was built.
fn is_newer_than_its_source(program: &Path) -> bool {
    fn newest(folder: &Path) -> std::io::Result<SystemTime> {
        let mut latest = SystemTime::UNIX_EPOCH;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let time = if path.is_dir() {
                newest(&path)?
            } else {
                path.metadata()?.modified()?
            };
            latest = latest.max(time);
        }
        Ok(latest)
    }
    let built = program.metadata().and_then(|found| found.modified());
    let sources = ["core/src", "src", "text/src"].map(|folder| newest(&root().join(folder)));
    let is_older = |source| matches!((&built, source), (Ok(built), Ok(source)) if *built >= source);
    sources.into_iter().all(is_older)
}

fn sim(image: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuerda-sim"));
    command
        .args(arguments)
        .env("CUERDA_IMAGE", image)
        .current_dir(root())
        .stdin(Stdio::null());
    command
}

fn run(image: &str, arguments: &[&str]) -> Output {
    let output = sim(image, arguments).output();
    output.expect("the program starts")
}

/// What a run of this process has left, of all kinds.
fn left(process: u32) -> Vec<String> {
    let filter = format!("label={LABEL}={process}-0");
    let lists: [&[&str]; 3] = [
        &["ps", "--all", "--format", "{{.Names}}"],
        &["volume", "ls", "--format", "{{.Name}}"],
        &["network", "ls", "--format", "{{.Name}}"],
    ];
    let found = lists.iter().flat_map(|list| {
        let list = [list, &["--filter", &filter][..]].concat();
        let found = docker(&list).expect("the engine answers");
        found.lines().map(str::to_owned).collect::<Vec<String>>()
    });
    found.collect()
}

/// Plays a scenario; it must pass, and leave nothing.
fn passes(name: &str) {
    let Some(image) = image() else { return };
    let file = format!("scenarios/containers/{name}.toml");
    let child = sim(image, &["run", &file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let process = child.id();
    let output = child.wait_with_output().expect("it ends");
    let (said, erred) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(0), "{said}\n{erred}");
    assert!(said.starts_with("PASS") && said.contains("world containers"));
    assert_eq!(left(process), [""; 0]);
}

#[test]
fn kill_two() {
    passes("kill-two");
}

#[test]
fn partition() {
    passes("partition");
}

#[test]
fn rolling_restart() {
    passes("rolling-restart");
}

#[test]
fn every_fault_looks_alike_in_all_worlds() {
    let Some(image) = image() else { return };
    let file = "scenarios/containers/every-fault.toml";
    let output = run(image, &["compare", "--json", file]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let reports: Vec<Value> = serde_json::from_str(&said).expect("it speaks JSON");
    let worlds: Vec<&str> = reports
        .iter()
        .filter_map(|report| report["world"].as_str())
        .collect();
    assert_eq!(worlds, ["events", "turmoil", "containers"]);
    for report in &reports {
        let world = &report["world"];
        let faults = report["faults"].as_array().expect("they fired");
        // The same script has hit the same nodes everywhere.
        assert_eq!(faults.len(), 7, "{world}");
        for (fault, other) in faults.iter().zip(reports[0]["faults"].as_array().unwrap()) {
            assert_eq!(
                (&fault["kind"], &fault["nodes"]),
                (&other["kind"], &other["nodes"])
            );
        }
        // Whoever is gone, stands still or is cut off is silent, in every world; but where nothing
        // but messages can be lost, what comes late is not.
        for fault in &faults[..4] {
            if world == "events" && fault["kind"] == "pause" {
                continue;
            }
            let seen = &fault["seen"];
            let silent = seen["timed_out"].as_u64().unwrap() + seen["hung"].as_u64().unwrap();
            assert!(silent > 0, "{world}: {fault}");
        }
        // Real links were really slow, and lossy.
        if world == "containers" {
            for fault in &faults[4..6] {
                let timed_out = fault["seen"]["timed_out"].as_u64().unwrap();
                assert!(timed_out > 0, "{fault}");
            }
        }
        // A good-bye is no silence. Who leaves is asked once or twice on the way out.
        let left = &faults[6]["seen"];
        // On real cores others may be slow just then.
        if world != "containers" {
            assert!(left["timed_out"].as_u64().unwrap() <= 8, "{world}: {left}");
        }
        assert_eq!(report["writes"]["lost"], 0);
    }
}

/// Looks until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a real program runs in real time"
    )]
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A run that is stopped if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn after_ctrl_c_nothing_is_left() {
    let Some(image) = image() else { return };
    let file = "scenarios/containers/kill-two.toml";
    // As a terminal does, which sends it to all that the program has begun too.
    let child = sim(image, &["run", "--quiet", file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the program starts");
    let process = child.id();
    let mut running = Running(child);
    until("there are nodes", || left(process).len() > 6);
    let group = nix::unistd::Pid::from_raw(i32::try_from(process).expect("a process's number"));
    nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGINT).expect("it is there");
    let mut code = None;
    until("it ends", || {
        code = running
            .0
            .try_wait()
            .expect("it is ours")
            .and_then(|status| status.code());
        code.is_some()
    });
    assert_eq!(code, Some(1));
    assert_eq!(left(process), [""; 0]);
}

#[test]
fn what_a_killed_run_left_is_taken_away_by_the_next() {
    let Some(image) = image() else { return };
    // No process has this number where the largest is 2^22.
    let label = format!("{LABEL}=2000000000-0");
    let name = format!("cuerda-dead-{}", std::process::id());
    docker(&["volume", "create", "--label", &label, &name]).expect("it can be made");
    let missing = run(
        image,
        &["run", "scenarios/containers/kill-two.toml", "--nodes", "21"],
    );
    assert_eq!(missing.status.code(), Some(2));
    let child = sim(
        image,
        &["run", "--quiet", "scenarios/containers/kill-two.toml"],
    )
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .expect("the program starts");
    let running = Running(child);
    let filter = format!("label={label}");
    let gone = || docker(&["volume", "ls", "--quiet", "--filter", &filter]) == Ok(String::new());
    until(&format!("{name} is gone"), gone);
    let process = running.0.id();
    drop(running);
    // It was killed as the other was said to have been; this test cleans up after it.
    take_away(process);
}

fn take_away(process: u32) {
    let filter = format!("label={LABEL}={process}-0");
    for (list, remove) in [
        (
            vec!["ps", "--all", "--quiet"],
            vec!["rm", "--force", "--volumes"],
        ),
        (
            vec!["volume", "ls", "--quiet"],
            vec!["volume", "rm", "--force"],
        ),
        (vec!["network", "ls", "--quiet"], vec!["network", "rm"]),
    ] {
        let found = docker(&[&list[..], &["--filter", &filter]].concat()).unwrap_or_default();
        let found: Vec<&str> = found.split_whitespace().collect();
        if !found.is_empty() {
            docker(&[&remove[..], &found].concat()).expect("it can be taken away");
        }
    }
}

#[test]
fn without_an_image_it_is_said_how_to_build_one() {
    if image().is_none() {
        return;
    }
    let output = run(
        "cuerda:there-is-none",
        &["run", "scenarios/containers/kill-two.toml"],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("build it with `docker/build`"), "{said}");
}

#[test]
fn the_scenarios_are_all_tested() {
    let files = std::fs::read_dir(root().join("scenarios/containers")).expect("it is there");
    assert_eq!(files.count(), 4, "a new scenario wants a test here");
}
