//! The real program, from outside: what it says to people who hold it wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for a test, with a `scenarios/` that holds two good files, and one bad
/// file beside it.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("cli")
        .join(name);
    let scenarios = folder.join("scenarios");
    std::fs::create_dir_all(scenarios.join("paper"))
        .expect("the folder for tests can be written to");
    let good = "title = \"Look-ups in a small ring\"\nduration = \"1m\"\n[ring]\nnodes = 16\n";
    std::fs::write(scenarios.join("churn.toml"), good)
        .expect("the folder for tests can be written to");
    std::fs::write(scenarios.join("paper/path-length-4.toml"), good)
        .expect("the folder for tests can be written to");
    let bad = good.replace("duration", "duraton");
    std::fs::write(folder.join("misspelt.toml"), bad)
        .expect("the folder for tests can be written to");
    folder
}

fn cuerda(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cuerda-sim"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program was built for this test")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("all that is printed is UTF-8")
}

#[test]
fn help_says_what_there_is_and_what_exit_codes_mean() {
    let folder = folder("help");
    for command in [
        "",
        "run",
        "check",
        "list",
        "sweep",
        "explore",
        "shrink",
        "irrevocable",
        "paper",
    ] {
        let arguments = [command, "--help"];
        let arguments = if command.is_empty() {
            &arguments[1..]
        } else {
            &arguments[..]
        };
        let output = cuerda(&folder, arguments);
        assert_eq!(output.status.code(), Some(0));
        let name = format!("help_{command}");
        insta::assert_snapshot!(name.trim_end_matches('_'), said(&output.stdout));
    }
}

#[test]
fn bad_usage_ends_with_2_and_words_on_stderr() {
    let folder = folder("usage");
    let wrong: [&[&str]; 12] = [
        &[],
        &["walk"],
        &["run"],
        &["run", "scenarios/churn.toml", "--sead", "1"],
        &["run", "scenarios/churn.toml", "--seed", "one"],
        &["run", "scenarios/churn.toml", "--nodes", "0"],
        &["run", "scenarios/churn.toml", "--world", "moon"],
        &["sweep", "scenarios/churn.toml"],
        &["sweep", "scenarios/churn.toml", "--seeds", "9..3"],
        &[
            "sweep",
            "scenarios/churn.toml",
            "--seeds",
            "1..3",
            "--jobs",
            "0",
        ],
        &["trace", "scenarios/churn.toml", "--trace-from", "1"],
        &["paper", "nowhere"],
    ];
    for arguments in wrong {
        let output = cuerda(&folder, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_figure_that_cannot_be_written_is_refused_before_anything_runs() {
    let output = cuerda(&folder("figure"), &["paper", "--svg", "nowhere/figure.svg"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output.stderr).contains("nowhere/figure.svg"));
}

#[test]
fn a_missing_file_gets_a_suggestion_and_the_list() {
    let folder = folder("missing");
    let output = cuerda(&folder, &["run", "scenarios/chrun.toml"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(said(&output.stderr), @r"
    error: there is no file scenarios/chrun.toml; did you mean scenarios/churn.toml?
    scenarios/ holds
      scenarios/churn.toml
      scenarios/paper/path-length-4.toml
    ");
    let a_folder = cuerda(&folder, &["run", "scenarios/paper"]);
    assert_eq!(a_folder.status.code(), Some(2));
    assert!(said(&a_folder.stderr).contains("path-length-4.toml"));
}

#[test]
fn a_typo_in_a_path_of_ones_own_is_answered_from_there() {
    let folder = folder("own");
    let mine = folder.join("mine");
    std::fs::create_dir_all(mine.join("empty")).unwrap();
    std::fs::copy(folder.join("scenarios/churn.toml"), mine.join("heal.toml")).unwrap();
    let answer = |directory: &Path, file: &str| {
        let output = cuerda(directory, &["check", file]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        said(&output.stderr)
    };
    insta::assert_snapshot!(answer(&folder, "mine/hael.toml"), @r"
    error: there is no file mine/hael.toml; did you mean mine/heal.toml?
    mine holds
      mine/heal.toml
    ");
    insta::assert_snapshot!(answer(&mine, "hael.toml"), @r"
    error: there is no file hael.toml; did you mean heal.toml?
    this folder holds
      heal.toml
    ");
    insta::assert_snapshot!(
        answer(&mine, "empty/x.toml"),
        @"error: there is no file empty/x.toml; empty holds no scenarios"
    );
    insta::assert_snapshot!(
        answer(&mine, "nowhere/x.toml"),
        @"error: there is no file nowhere/x.toml, nor a folder nowhere"
    );
    // Only a path that the project's root would have is answered so.
    insta::assert_snapshot!(answer(&mine, "scenarios/churn.toml"), @r"
    error: there is no file scenarios/churn.toml, and no folder scenarios/ here to choose one from; run this in the project's root
    ");
    // A bare name may be one of the project's.
    insta::assert_snapshot!(answer(&folder, "churn"), @r"
    error: there is no file churn; did you mean scenarios/churn.toml?
    scenarios/ holds
      scenarios/churn.toml
      scenarios/paper/path-length-4.toml
    ");
}

#[test]
fn check_looks_at_all_files_and_points_at_mistakes() {
    let folder = folder("check");
    let output = cuerda(&folder, &["check", "misspelt.toml", "scenarios/churn.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        said(&output.stdout),
        "ok  scenarios/churn.toml: Look-ups in a small ring (events, 16 nodes, 1 min)\n"
    );
    let error = said(&output.stderr);
    assert!(
        error.contains("misspelt.toml:2:") && error.contains("duraton"),
        "{error}"
    );
    let good = cuerda(&folder, &["check", "scenarios/churn.toml"]);
    assert_eq!(good.status.code(), Some(0));
    assert!(good.stderr.is_empty());
}

#[test]
fn what_can_not_come_to_its_end_is_found_before_it_begins() {
    let folder = folder("endless");
    let endless = "duration = \"3650d\"\nring.nodes = 100000\n";
    std::fs::write(folder.join("endless.toml"), endless).unwrap();
    for command in ["check", "run"] {
        let output = cuerda(&folder, &[command, "endless.toml"]);
        assert_eq!(output.status.code(), Some(2));
        let error = said(&output.stderr);
        assert!(error.contains("days at a million a second"), "{error}");
    }
}

#[test]
fn with_json_errors_are_json_too() {
    let folder = folder("json");
    for command in ["run", "check"] {
        let output = cuerda(&folder, &[command, "misspelt.toml", "--json"]);
        assert_eq!(output.status.code(), Some(2));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(
            answer["error"].as_str().unwrap().contains("duraton"),
            "{answer}"
        );
    }
}

#[test]
fn list_shows_scenarios_below_a_folder_and_metrics() {
    let folder = folder("list");
    let output = cuerda(&folder, &["list"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("list", said(&output.stdout));
    let json = cuerda(&folder, &["list", "--json"]);
    let parsed = |line| serde_json::from_str(line).expect("each line is an object");
    let lines: Vec<serde_json::Value> = said(&json.stdout).lines().map(parsed).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["duration_s"], 60.0);
    let metrics = cuerda(&folder, &["list", "--metrics"]);
    assert!(
        said(&metrics.stdout)
            .lines()
            .any(|line| line == "lookups.hops.mean")
    );
}

#[test]
fn list_tells_of_a_mistake_and_hides_nothing_else() {
    let folder = folder("list_mistake");
    std::fs::copy(
        folder.join("misspelt.toml"),
        folder.join("scenarios/bad.toml"),
    )
    .unwrap();
    let output = cuerda(&folder, &["list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output.stdout).contains("churn.toml"));
    assert!(said(&output.stderr).contains("duraton"));
}
