//! Help, bad usage, and what is said when there is no node.

use crate::process::{cuerda, json, said};

/// A stamp as it is written.
const ZERO: &str = "0.0@0000000000000000000000000000000000000000";

const COMMANDS: &[&str] = &[
    "",
    "node",
    "node run",
    "put",
    "get",
    "delete",
    "status",
    "ring",
    "lookup",
    "who",
    "fingers",
    "keys",
    "export",
    "import",
    "set-aside",
    "set-aside list",
    "set-aside restore",
    "set-aside drop",
    "health",
    "wait",
    "reload",
    "leave",
    "demo",
    "bench",
    "bench lookup",
    "bench put",
    "bench get",
    "bootstrap",
    "bootstrap run",
    "config",
    "config show",
    "config check",
    "config reference",
    "completions",
    "version",
];

#[test]
fn help_says_what_there_is() {
    for command in COMMANDS {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let output = cuerda(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let name = format!("help {command}").trim_end().replace(' ', "_");
        insta::assert_snapshot!(name, said(&output.stdout));
    }
}

#[test]
fn bad_usage_ends_with_2_and_words_on_stderr() {
    let wrong: [&[&str]; 20] = [
        &[],
        &["walk"],
        &["lookup"],
        &["node", "run", "--sucessors", "3"],
        &["status", "--timeout", "soon"],
        &["status", "--control", "https://127.0.0.1:4080"],
        &["fingers", "--node", "300"],
        &["demo", "--nodes", "0"],
        &["status", "-q", "-v"],
        &["put", "song"],
        &["put", "song", "la", "--file", "song.ogg"],
        &["put", "song", "la", "--ttl", "long"],
        &["put", "song", "la", "--wait", "3"],
        &["put", "song", "la", "--if-stamp", "new"],
        &["put", "song", "la", "--if-absent", "--if-stamp", ZERO],
        &["wait", "--within", "5s"],
        &["set-aside", "restore", "yesterday"],
        &["set-aside", "drop", "1"],
        &["bench", "put", "--memory", "--durable"],
        &["bench", "put", "--value", "1GiB"],
    ];
    for arguments in wrong {
        let output = cuerda(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn with_json_bad_usage_is_json_too() {
    let told = json(&["lookup", "--json"], 2);
    assert_eq!(
        (&told["code"], &told["exit_code"]),
        (&"usage".into(), &2.into())
    );
    assert!(
        told["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("<KEY>")),
        "{told}"
    );
}

#[test]
fn without_a_node_every_command_says_how_to_start_one_and_ends_with_4() {
    // Bound and closed again: nobody else gets it while this test runs, most likely, and nobody
    // answers there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let control = free.local_addr().expect("it has one").to_string();
    drop(free);
    for command in [
        "status",
        "ring",
        "lookup a",
        "who a",
        "fingers",
        "health",
        "reload",
        "leave",
        "put a b",
        "get a",
        "delete a",
        "keys",
        "export backup",
        "wait --copies",
        "set-aside list",
        "set-aside restore 1",
        "set-aside drop 1 --yes",
    ] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.extend(["--control", &control]);
        let output = cuerda(&arguments);
        assert_eq!(output.status.code(), Some(4), "{command}");
        assert!(
            said(&output.stderr).contains("cuerda node run"),
            "{command}"
        );
        arguments.push("--json");
        let told = json(&arguments, 4);
        assert_eq!(told["code"], "unreachable", "{command}");
    }
}

#[test]
fn what_is_no_node_is_told_from_one_that_is_silent() {
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let control = stranger.local_addr().expect("it has one").to_string();
    // It accepts, for the system does, and never says a word.
    let told = json(
        &[
            "status",
            "--json",
            "--timeout",
            "200ms",
            "--control",
            &control,
        ],
        4,
    );
    assert!(
        told["error"]
            .as_str()
            .is_some_and(|words| words.contains("200ms")),
        "{told}"
    );
}

#[test]
fn versions_and_completions_are_printed() {
    let version = said(&cuerda(&["version"]).stdout);
    assert!(
        version.starts_with(concat!("cuerda ", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    let told = json(&["version", "--json"], 0);
    assert_eq!(told["release"], env!("CARGO_PKG_VERSION"));
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&cuerda(&["completions", shell]).stdout);
        assert!(script.contains("stabilize-every"), "{shell}");
    }
}
