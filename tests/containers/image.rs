//! The image: what is in it, what it says about itself, and how a container of it lives and ends.

use std::path::Path;

use serde_json::Value;

use super::engine::{build, engine};
use super::program::{loudly, run, said, until};

/// The largest image, in bytes. A test's binary is not optimized for size; a release is smaller.
const LARGEST: u64 = 24 << 20;

#[test]
fn the_image_is_one_small_static_binary_and_says_what_it_is() {
    let Some(engine) = engine() else { return };
    let image = engine.image();
    let inspected = engine.docker(&["image", "inspect", &image]);
    let inspected: Value = serde_json::from_str(&inspected).expect("it is JSON");
    let config = &inspected[0]["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Volumes"], serde_json::json!({ "/data": {} }));
    assert_eq!(config["Entrypoint"], serde_json::json!(["/cuerda"]));
    assert_eq!(config["Cmd"], serde_json::json!(["node", "run"]));
    assert_eq!(config["StopSignal"], "SIGTERM");
    assert_eq!(
        config["Healthcheck"]["Test"],
        serde_json::json!(["CMD", "/cuerda", "health", "--quiet", "--timeout", "4s"])
    );
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].clone();
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(label("source"), env!("CARGO_PKG_REPOSITORY"));
    for name in ["title", "description", "revision"] {
        assert!(label(name).is_string(), "{name}");
    }
    let size = inspected[0]["Size"].as_u64().expect("a size");
    loudly(&format!(
        "the image of this build has {} MB",
        size / 1_000_000
    ));
    assert!(size < LARGEST, "{size}");

    // Besides what Docker puts into every container, there is the program and its folder.
    let container = engine.name("content");
    engine.docker(&[
        "create",
        "--name",
        &container,
        "--label",
        &engine.label(),
        &image,
    ]);
    let listed = run(std::process::Command::new("sh")
        .args([
            "-c",
            "docker export \"$1\" | tar --list --verbose --numeric-owner",
            "sh",
        ])
        .arg(&container));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let by_docker = [".dockerenv", "dev/", "etc/", "proc/", "sys/"];
    let ours: Vec<&str> = listed
        .lines()
        .filter(|line| {
            let name = line.split_whitespace().nth(5).expect("a name");
            !by_docker.iter().any(|theirs| name.starts_with(theirs))
        })
        .collect();
    let owner = |name: &str| {
        let line = ours.iter().find(|line| line.ends_with(name));
        line.unwrap_or_else(|| panic!("no {name} in {listed}"))
            .split_whitespace()
            .nth(1)
    };
    assert_eq!(ours.len(), 2, "{listed}");
    assert_eq!(owner(" cuerda"), Some("0/0"));
    assert_eq!(owner(" data/"), Some("65532/65532"));
}

#[test]
fn a_container_becomes_healthy_answers_and_ends_politely() {
    let Some(engine) = engine() else { return };
    let (image, name, label) = (engine.image(), engine.name("alone"), engine.label());
    let volume = engine.name("alone");
    engine.docker(&["volume", "create", "--label", &label, &volume]);
    let mount = format!("{volume}:/data");
    let mut words = vec!["run", "--detach", "--name", &name, "--label", &label];
    words.extend(["--read-only", "--cap-drop", "ALL", "--volume", &mount]);
    words.extend([
        "--health-interval",
        "1s",
        &image,
        "node",
        "run",
        "--insecure",
    ]);
    // In a ring of one, one must be enough.
    words.extend(["--replicas", "1"]);
    engine.docker(&words);
    until("it is healthy", || {
        let format = "{{.State.Health.Status}}";
        (engine.docker(&["inspect", "--format", format, &name]) == "healthy").then_some(())
    });
    let ask = |words: &[&str]| {
        let all: Vec<&str> = ["exec", &name, "/cuerda"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        engine.docker(&all)
    };
    assert!(ask(&["put", "song", "la"]).starts_with("stored on 1 of 1"));
    assert_eq!(ask(&["get", "song"]), "la");
    engine.docker(&["stop", "--time", "30", &name]);
    let code = engine.docker(&["inspect", "--format", "{{.State.ExitCode}}", &name]);
    assert_eq!(code, "0", "{}", engine.docker(&["logs", &name]));

    // Another container finds it in the volume.
    engine.docker(&["rm", &name]);
    engine.docker(&words);
    until("it is back", || {
        let read = engine.tried(&["exec", &name, "/cuerda", "get", "song"]);
        (read.stdout == b"la").then_some(())
    });
}

#[test]
fn an_image_that_nobody_told_who_may_come_in_says_so() {
    let Some(engine) = engine() else { return };
    let image = engine.image();
    let output = engine.tried(&["run", "--rm", "--label", &engine.label(), &image]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("--secret-file"), "{words}");
    let version = engine.docker(&["run", "--rm", "--label", &engine.label(), &image, "version"]);
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn no_image_is_made_from_a_binary_that_could_not_start_in_it() {
    let Some(engine) = engine() else { return };
    let image = format!("{}:never", engine.run);
    // Every system has a shell, and hardly any a static one.
    let shell = said(std::process::Command::new("sh").args(["-c", "command -v bash"]));
    let built = build(Path::new(&shell), &["--tag", &image]);
    let words = String::from_utf8_lossy(&built.stderr);
    assert_eq!(built.status.code(), Some(1), "{words}");
    assert!(words.contains("is no static binary"), "{words}");
    assert!(!engine.tried(&["image", "inspect", &image]).status.success());
}
