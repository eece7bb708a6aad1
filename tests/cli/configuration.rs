//! Settings: which layer wins, and what is said about mistakes.

use std::fs;

use crate::process::{Running, command, cuerda, json, said, text};

#[test]
fn a_good_file_is_said_to_be_good() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("node.toml");
    let good = "listen = \"127.0.0.1:0\"\njoin = [\"a.example:4000\"]\nsuccessors = 4\n";
    fs::write(&file, good).expect("it can be written");
    let output = cuerda(&["config", "check", text(&file)]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(said(&output.stdout), format!("ok  {}\n", file.display()));
}

#[test]
fn mistakes_end_with_2_and_point_at_their_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(
        folder.path().join("node.toml"),
        "listen = \"10.0.0.7:4000\"\nsuccesors = 4\nstabilize_every = 30\n",
    )
    .expect("it can be written");
    let mut check = command(&["config", "check", "node.toml"]);
    let output = check.current_dir(folder.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(said(&output.stderr));

    let mut run = command(&["node", "run", "--json"]);
    run.env("CUERDA_CONFIG", "node.toml")
        .current_dir(folder.path());
    let output = run.output().expect("it runs");
    assert_eq!(
        output.status.code(),
        Some(2),
        "a node does not start with them"
    );
    let told: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(told["code"], "configuration");
    let places: Vec<&serde_json::Value> = ["line", "column"]
        .map(|name| &told["problems"][0][name])
        .to_vec();
    assert_eq!(places, [2, 1]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = cuerda(&["node", "run", "--config", "/nowhere/node.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output.stderr).contains("/nowhere/node.toml"));
}

#[test]
fn origins_tell_which_layer_won() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("node.toml");
    fs::write(&file, "# mine\nattempts = 3\nreplicas = 2\n").expect("it can be written");
    let mut show = command(&["config", "show", "--origins", "--json", "--cluster", "mine"]);
    show.env("CUERDA_CONFIG", text(&file))
        .env("CUERDA_REPLICAS", "4");
    let output = show.output().expect("it runs");
    let told: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("one JSON document");
    let of = |name: &str| (told[name]["value"].clone(), told[name]["origin"].clone());
    assert_eq!(of("cluster"), ("mine".into(), "--cluster".into()));
    assert_eq!(of("replicas"), (4.into(), "CUERDA_REPLICAS".into()));
    assert_eq!(
        of("attempts"),
        (3.into(), format!("{}:2", file.display()).into())
    );
    assert_eq!(of("listen"), ("127.0.0.1:4000".into(), "default".into()));
}

#[test]
fn what_is_shown_can_be_used_as_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shown = cuerda(&[
        "config",
        "show",
        "--origins",
        "--join",
        "a:1,b:2",
        "--log",
        "debug",
    ]);
    assert_eq!(shown.status.code(), Some(0));
    let file = folder.path().join("node.toml");
    fs::write(&file, &shown.stdout).expect("it can be written");
    let again = json(&["config", "show", "--json", "--config", text(&file)], 0);
    let direct = json(
        &[
            "config", "show", "--json", "--join", "a:1,b:2", "--log", "debug",
        ],
        0,
    );
    assert_eq!(again, direct);
}

#[test]
fn the_reference_names_every_setting_that_is_shown() {
    let reference = said(&cuerda(&["config", "reference"]).stdout);
    let shown = json(&["config", "show", "--json"], 0);
    let shown = shown.as_object().expect("an object");
    assert!(shown.contains_key("successors"), "{shown:?}");
    for name in shown.keys() {
        assert!(reference.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn beyond_loopback_a_secret_is_needed() {
    let output = cuerda(&[
        "node",
        "run",
        "--dev",
        "--listen",
        "0.0.0.0:0",
        "--advertise",
        "a:1",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let words = said(&output.stderr);
    assert!(
        words.contains("--secret-file") && words.contains("--admit-keys-file"),
        "{words}"
    );
}

#[test]
fn commands_beyond_loopback_must_be_meant() {
    for control in ["0.0.0.0:0", "192.0.2.7:4080", "[::]:4080"] {
        let show = ["config", "show", "--control", control];
        let output = cuerda(&show);
        assert_eq!(output.status.code(), Some(2), "{control}");
        let words = said(&output.stderr);
        assert!(words.contains("--control-open"), "{words}");
        let meant = cuerda(&[&show[..], &["--control-open"]].concat());
        assert_eq!(meant.status.code(), Some(0), "{control}");
    }
}

#[test]
fn a_variable_that_means_nothing_is_warned_of() {
    let mut run = command(&["node", "run", "--dev", "--json", "--listen", "127.0.0.1:0"]);
    run.args(["--control", "127.0.0.1:0"])
        .env("CUERDA_SUCCESORS", "4");
    // Container engines set such ones; they mean nobody.
    run.env("CUERDA_SERVICE_HOST", "10.0.0.1")
        .env("CUERDA_PORT", "tcp://10.0.0.1:4000");
    let mut node = Running::spawn(run);
    node.signal(nix::sys::signal::Signal::SIGTERM);
    let (code, _, log) = node.end();
    assert_eq!(code, Some(0));
    assert!(log.contains("did you mean CUERDA_SUCCESSORS?"), "{log}");
    assert!(
        !log.contains("CUERDA_SERVICE_HOST") && !log.contains("CUERDA_PORT"),
        "{log}"
    );
}
