//! The drivers of `docker/sweep`, each run for real: on several machines over ssh, in containers of
//! one engine, as a job of a swarm, and by what the manifests for Kubernetes say. Whatever plays the
//! shards, and also if one is played twice, the report is that of one process, byte by byte.
//!
//! What is missing here is said loudly; with `CUERDA_CI=1` that is a failure.

#[allow(
    dead_code,
    reason = "the tests of the node in containers use all of it"
)]
#[path = "../../../tests/containers/engine.rs"]
mod engine;
mod program;
#[allow(
    dead_code,
    reason = "the tests of the node in containers use all of it"
)]
#[path = "../../../tests/containers/tools.rs"]
mod tools;
#[path = "../../../tests/containers/validator.rs"]
mod validator;

use std::process::Command;

use engine::{Engine, engine};
use program::{
    SWEEP, binary, drive, ended, folder, play_once_more, root, run, same_as_alone, sim, skipped,
};

/// What of these programs is not here, or can't be used.
fn lacking(programs: &[&str]) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let is_there = |program: &&&str| {
        let looked = ["-c", "command -v \"$1\"", "sh", program];
        let found = run(Command::new("sh").args(looked).env("PATH", &path));
        !found.status.success()
    };
    let missing: Vec<&str> = programs.iter().filter(is_there).copied().collect();
    if !missing.is_empty() {
        return Some(format!("there is no {}", missing.join(", no ")));
    }
    let apart = ["--net", "--mount", "--pid", "--fork", "true"];
    let made = run(Command::new("unshare").args(apart));
    let why = String::from_utf8_lossy(&made.stderr).trim().to_owned();
    (!made.status.success()).then(|| format!("no network of its own can be made: {why}"))
}

#[test]
fn parallel_over_ssh_comes_to_what_one_process_does() {
    let needed = ["parallel", "rsync", "sshd", "ssh", "ip", "unshare", "awk"];
    if let Some(why) = lacking(&needed) {
        return skipped(&why);
    }
    let folder = folder("ssh");
    let network = folder.join("network");
    std::fs::create_dir(&network).expect("the folder for tests can be written");
    play_once_more(&folder);
    let (network, program) = (network.to_string_lossy(), binary().to_string_lossy());
    let driver = root().join("docker/sweep/over-ssh");
    let start = [
        "sim/tests/engines/several-addresses",
        &network,
        &driver.to_string_lossy(),
    ];
    let ssh = format!("ssh -F {network}/ssh_config");
    let hosts = "1/10.9.0.2,1/10.9.0.3,1/10.9.0.4";
    let options = ["--hosts", hosts, "--program", &program, "--ssh", &ssh];
    let driven = drive(&folder, &start, &options);
    same_as_alone(&folder, &driven, &ended(&sim(&folder, &SWEEP)));
    let log = std::fs::read_to_string(folder.join("records/joblog")).expect("it was written");
    for address in ["10.9.0.2", "10.9.0.3", "10.9.0.4"] {
        assert!(log.contains(address), "{address} had nothing to do: {log}");
    }
    // Nothing stays behind where it was played.
    let home = std::fs::read_dir(folder.join("network/home")).expect("it is there");
    let left = home.filter_map(Result::ok).map(|entry| entry.path());
    let left: Vec<_> = left
        .filter(|path| path.to_string_lossy().contains("sweep"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// One process in a container that sees what those of the driver see.
fn alone_in_a_container(engine: &Engine, folder: &std::path::Path) -> program::Ended {
    let (image, label) = (engine.image(), engine.label());
    let mount = format!("{}:/sweep:ro", folder.display());
    let start = ["run", "--rm", "--label", &label, "--volume", &mount, &image];
    ended(&engine.tried(&[&start[..], &SWEEP].concat()))
}

#[test]
fn containers_of_one_engine_come_to_what_one_process_does() {
    let Some(engine) = engine() else { return };
    let folder = folder("containers");
    play_once_more(&folder);
    let (image, label) = (engine.image(), format!("--label={}", engine.label()));
    let options = ["--at-once", "2", "--image", &image, "--docker", &label];
    let driven = drive(&folder, &["docker/sweep/in-containers"], &options);
    same_as_alone(&folder, &driven, &alone_in_a_container(&engine, &folder));
    // A shard that can't be played is named, with why.
    let scenario = folder.join("scenarios/small.toml");
    std::fs::remove_file(scenario).expect("it is ours");
    std::fs::remove_file(folder.join("records/2-of-4.jsonl")).expect("it was written");
    let driven = drive(&folder, &["docker/sweep/in-containers"], &options);
    let words = String::from_utf8_lossy(&driven.stderr);
    assert_eq!(driven.status.code(), Some(1), "{words}");
    assert!(words.contains("no record of the shards 2;"), "{words}");
    assert!(words.contains("shard 2 failed three times"), "{words}");
}

#[test]
fn a_job_of_a_swarm_comes_to_what_one_process_does() {
    let Some(engine) = engine() else { return };
    let image = engine.image();
    let swarm = engine.swarm();
    let folder = folder("swarm");
    play_once_more(&folder);
    let label = format!("--container-label={}", engine.label());
    let options = ["--at-once", "2", "--deadline", "60", "--image", &image];
    let options = [&options[..], &["--docker", &label]].concat();
    let driven = drive(&folder, &["docker/sweep/on-swarm"], &options);
    same_as_alone(&folder, &driven, &alone_in_a_container(&engine, &folder));
    // A deadline ends it, and the service does not stay.
    std::fs::remove_file(folder.join("records/0-of-4.jsonl")).expect("it was written");
    std::fs::remove_file(folder.join("scenarios/small.toml")).expect("it is ours");
    let options = [&options[..], &["--deadline", "4"]].concat();
    let driven = drive(&folder, &["docker/sweep/on-swarm"], &options);
    let words = String::from_utf8_lossy(&driven.stderr);
    assert_eq!(driven.status.code(), Some(1), "{words}");
    assert!(words.contains("no record of the shards 0;"), "{words}");
    let services = engine.docker(&["service", "ls", "--format", "{{.Name}}"]);
    assert!(!services.contains("cuerda-sweep"), "{services}");
    drop(swarm);
}

/// Without a cluster it is the program that is run as the manifests say, once for each pod.
#[test]
fn the_manifests_fit_the_schema_and_come_to_what_one_process_does() {
    let Some(python) = validator::python() else {
        return;
    };
    let mut specs = Vec::new();
    for name in ["kubernetes.yaml", "kubernetes-merge.yaml"] {
        let manifest = root().join("docker/sweep").join(name);
        let fits = validator::validated(&python, &manifest);
        let words = String::from_utf8_lossy(&[fits.stdout, fits.stderr].concat()).into_owned();
        assert!(fits.status.success(), "{words}");
        let documents = validator::documents(&python, &manifest);
        let mut jobs = documents.iter().filter(|it| it["kind"] == "Job");
        specs.push(jobs.next().expect("there is a job")["spec"].clone());
        // That the validator looks: a slip is found.
        let text = std::fs::read_to_string(&manifest).expect("it is there");
        let spoilt = folder("manifests").join("spoilt.yaml");
        std::fs::write(&spoilt, text.replace("backoffLimit", "backofLimit")).expect("it is ours");
        let found = validator::validated(&python, &spoilt);
        assert!(!found.status.success(), "a slip was taken for right");
    }
    let [job, merge] = &specs[..] else {
        panic!("there are two jobs")
    };
    assert_eq!(job["completionMode"], "Indexed");
    let container = |spec: &serde_json::Value| spec["template"]["spec"]["containers"][0].clone();
    for spec in [job, merge] {
        assert_eq!(container(spec)["image"], "cuerda-sim:dev");
    }
    let folder = folder("kubernetes");
    let small = folder.join("scenarios/small.toml");
    std::fs::rename(small, folder.join("churn.toml")).expect("it is ours");
    let args = |spec: &serde_json::Value| -> Vec<String> {
        let args = container(spec)["args"]
            .as_array()
            .expect("it has some")
            .clone();
        let args = args.iter().map(|word| word.as_str().expect("it is a word"));
        args.map(|word| word.replace("/records", "records").replace("1001", "31"))
            .collect()
    };
    let pods = job["completions"].as_u64().expect("it says how many");
    // One of them twice: Kubernetes may begin a pod again that has done its work.
    for index in (0..pods).chain([1]) {
        let played = run(Command::new(binary())
            .args(args(job))
            .env("JOB_COMPLETION_INDEX", index.to_string())
            .current_dir(&folder));
        let words = String::from_utf8_lossy(&played.stderr);
        assert_eq!(played.status.code(), Some(0), "{words}");
    }
    let merged = run(Command::new(binary())
        .args(args(merge))
        .current_dir(&folder));
    let alone = ["sweep", "churn.toml", "--seeds", "1..31"];
    assert_eq!(ended(&merged), ended(&sim(&folder, &alone)));
}
