//! The real program, from outside: runs, sweeps and tables.

#[cfg(unix)]
mod stopped;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const SCENARIO: &str = r#"
title = "Look-ups in a small ring"
duration = "1m"

[ring]
nodes = 16

[[workload]]
kind = "lookup"
rate = "5/s"
"#;

/// A folder of its own for a test, with a scenario that passes and one that can't.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("cli_run")
        .join(name);
    std::fs::create_dir_all(&folder).expect("the folder for tests can be written to");
    std::fs::write(folder.join("passes.toml"), SCENARIO)
        .expect("the folder for tests can be written to");
    let fails = format!("{SCENARIO}\n[expect]\n\"lookups.issued\" = {{ max = 0 }}\n");
    std::fs::write(folder.join("fails.toml"), fails)
        .expect("the folder for tests can be written to");
    folder
}

/// As `cargo sim` would run it.
fn cuerda(folder: &Path, arguments: &[&str]) -> Output {
    let here = Path::new(env!("CARGO_TARGET_TMPDIR"));
    Command::new(env!("CARGO_BIN_EXE_cuerda-sim"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_PKG_NAME", env!("CARGO_PKG_NAME"))
        // The target directory may be elsewhere.
        .env("CARGO_MANIFEST_DIR", here.join("sim"))
        .output()
        .expect("the program was built for this test")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("all that is printed is UTF-8")
}

fn lines(output: &Output) -> Vec<Value> {
    let parsed = |line| serde_json::from_str(line).expect("each line is an object");
    said(&output.stdout).lines().map(parsed).collect()
}

#[test]
fn json_is_one_object_with_the_documented_keys() {
    let output = cuerda(&folder("json"), &["run", "passes.toml", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", said(&output.stderr));
    let [report] = &lines(&output)[..] else {
        panic!("one line")
    };
    let keys: BTreeSet<&str> = report
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let documented = [
        "scenario",
        "world",
        "seed",
        "nodes",
        "verdict",
        "digest",
        "simulated_s",
        "lookups",
        "ring",
        "traffic",
        "events",
        "faults",
        "violations",
        "unmet",
        "program",
        "cost",
    ];
    assert_eq!(keys, BTreeSet::from(documented));
    assert_eq!(
        (&report["scenario"], &report["verdict"]),
        (&"passes".into(), &"pass".into())
    );
    assert!(report["lookups"]["hops"]["p99"].is_u64());
}

#[test]
fn several_files_give_a_line_each_and_the_worst_exit_code() {
    let output = cuerda(
        &folder("several"),
        &["run", "fails.toml", "passes.toml", "--json"],
    );
    assert_eq!(output.status.code(), Some(1));
    let verdicts: Vec<Value> = lines(&output)
        .iter()
        .map(|line| line["verdict"].clone())
        .collect();
    assert_eq!(verdicts, ["fail", "pass"]);
}

#[test]
fn a_failing_run_prints_the_command_that_replays_it() {
    let folder = folder("replay");
    let arguments = ["run", "fails.toml", "--seed", "7", "--nodes", "12"];
    let output = cuerda(&folder, &arguments);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output.stdout);
    assert!(text.starts_with("FAIL  fails: "), "{text}");
    assert!(text.contains("lookups.issued is "), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
    let replay = text.lines().last().unwrap().trim();
    let replay = shlex::split(replay).expect("a shell reads it");
    let replay: Vec<&str> = replay.iter().map(String::as_str).collect();
    assert_eq!(replay[..3], ["cargo", "sim", "run"]);
    let again = said(&cuerda(&folder, &replay[2..]).stdout);
    let digest = |text: &str| {
        text.lines()
            .find(|line| line.contains("digest"))
            .map(str::to_owned)
    };
    assert!(digest(&text).is_some());
    assert_eq!(digest(&text), digest(&again));
    let other = said(&cuerda(&folder, &["run", "fails.toml", "--seed", "8"]).stdout);
    assert_ne!(digest(&text), digest(&other), "another seed is another run");
}

#[test]
fn a_program_without_cargo_prints_itself_in_what_replays_a_run() {
    let folder = folder("installed");
    let program = Path::new(env!("CARGO_BIN_EXE_cuerda-sim"));
    let replay = |mut command: Command| {
        let output = command
            .args(["run", "fails.toml"])
            .current_dir(&folder)
            .output()
            .expect("the program was built for this test");
        assert_eq!(output.status.code(), Some(1));
        let text = said(&output.stdout);
        text.lines().last().expect("it said why").trim().to_owned()
    };
    let mut installed = Command::new(program);
    installed.env_remove("CARGO_PKG_NAME");
    let line = replay(installed);
    let words = shlex::split(&line).expect("a shell reads it");
    assert_eq!(words[1..], ["run", "fails.toml", "--seed", "1"]);
    assert_eq!(Path::new(&words[0]), program);
    let (command, arguments) = words.split_first().expect("there are words");
    let mut again = Command::new(command);
    again.args(arguments).current_dir(&folder);
    let again = again.output().expect("what is printed can be run");
    assert_eq!(again.status.code(), Some(1));
    // Found by the shell, it is called by its name alone.
    let mut found = Command::new("cuerda-sim");
    found
        .env("PATH", program.parent().expect("it lies in a folder"))
        .env_remove("CARGO_PKG_NAME");
    assert_eq!(replay(found), "cuerda-sim run fails.toml --seed 1");
}

#[cfg(target_os = "linux")]
#[test]
fn peak_memory_is_that_of_the_run_and_not_of_whoever_started_it() {
    const MIB: u64 = 1 << 20;
    // As large as a compiler. The kernel hands on how much a parent has used.
    let used = vec![1_u8; 400 << 20];
    assert_eq!(std::hint::black_box(&used).last(), Some(&1));
    let output = cuerda(&folder("memory"), &["run", "passes.toml", "--json"]);
    drop(used);
    let peak = lines(&output)[0]["cost"]["peak_rss_bytes"].as_u64();
    let peak = peak.expect("a number");
    assert!((MIB..200 * MIB).contains(&peak), "{} MiB", peak / MIB);
}

#[test]
fn quiet_says_the_verdict_and_no_more() {
    for arguments in [
        &["run", "passes.toml", "--quiet"][..],
        &["run", "passes.toml", "-q", "--twice"],
    ] {
        let output = cuerda(&folder("quiet"), arguments);
        assert_eq!(said(&output.stdout), "PASS  passes\n");
    }
}

#[test]
fn two_processes_agree() {
    let folder = folder("twice");
    let output = cuerda(&folder, &["run", "passes.toml", "--twice"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    assert!(said(&output.stdout).contains("A second process agreed in all of "));
    let output = cuerda(&folder, &["run", "passes.toml", "--twice", "--json"]);
    let [report] = &lines(&output)[..] else {
        panic!("one line")
    };
    assert_eq!(report["twice"]["same"], true);
    assert!(report["twice"]["events"].as_u64().unwrap() > 0);
}

#[test]
fn the_trace_of_a_second_holds_its_events_only() {
    let window = [
        "trace",
        "passes.toml",
        "--trace-from",
        "5",
        "--trace-to",
        "6",
    ];
    let output = cuerda(&folder("trace"), &window);
    let text = said(&output.stdout);
    assert!(text.lines().count() > 0);
    for line in text.lines() {
        assert!(line.contains(" at 5."), "{line}");
    }
}

#[test]
fn a_sweep_does_not_depend_on_the_number_of_threads() {
    let folder = folder("sweep");
    let sweep = |file: &str, jobs: &str, more: &[&str]| {
        let arguments = [&["sweep", file, "--seeds", "3..9", "--jobs", jobs], more].concat();
        let output = cuerda(&folder, &arguments);
        (output.status.code(), said(&output.stdout))
    };
    for more in [&[][..], &["--json"]] {
        let alone = sweep("fails.toml", "1", more);
        assert_eq!(alone.0, Some(1));
        assert_eq!(alone, sweep("fails.toml", "4", more));
    }
    let (_, text) = sweep("fails.toml", "2", &[]);
    let failing: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("seed "))
        .collect();
    assert_eq!(failing.len(), 6);
    assert!(
        failing[0].ends_with("cargo sim run fails.toml --seed 3"),
        "{}",
        failing[0]
    );
    let (code, text) = sweep("passes.toml", "2", &[]);
    assert_eq!(code, Some(0));
    assert!(
        text.ends_with("PASS  6 seeds from 3: 6 passed, 0 failed\n"),
        "{text}"
    );
}

/// A fresh folder: what a test writes must not be there from an earlier time.
fn fresh(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("cli_run")
        .join(name);
    let _ = std::fs::remove_dir_all(place);
    folder(name)
}

/// One process, three, and one of them twice: the report is the same, byte by byte.
#[test]
fn the_parts_of_a_sweep_come_to_what_it_comes_to_in_one_process() {
    let folder = fresh("shards");
    let said_by = |arguments: &[&str]| {
        let output = cuerda(&folder, arguments);
        (output.status.code(), said(&output.stdout))
    };
    for (file, more) in [("fails.toml", &[][..]), ("passes.toml", &["--json"])] {
        let whole = [&["sweep", file, "--seeds", "3..10"], more].concat();
        let whole = said_by(&whole);
        let part = |index: u32, name: &str| {
            let shard = format!("{index}/3");
            let record = format!("{file}-{name}.jsonl");
            let arguments = ["sweep", file, "--seeds", "3..10", "--shard", &shard];
            let output = cuerda(&folder, &[&arguments[..], &["--record", &record]].concat());
            assert!(
                matches!(output.status.code(), Some(0 | 1)),
                "{}",
                said(&output.stderr)
            );
            record
        };
        let parts = [part(2, "c"), part(0, "a"), part(0, "again"), part(1, "b")];
        let merge = |files: &[&str]| said_by(&[&["merge"], files, more].concat());
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        assert_eq!(merge(&parts), whole, "{file}");
        let (code, text) = merge(&parts[..3]);
        assert_eq!(code, Some(4), "{text}");
    }
    let (code, text) = said_by(&["merge", "fails.toml-a.jsonl", "passes.toml-b.jsonl"]);
    assert_eq!((code, text.as_str()), (Some(2), ""));
}

#[test]
fn a_sweep_goes_on_from_its_record() {
    let folder = fresh("resume");
    let sweep = |more: &[&str]| {
        let arguments = ["sweep", "fails.toml", "--seeds", "3..60", "--jobs", "1"];
        let output = cuerda(&folder, &[&arguments[..], more].concat());
        (output.status.code(), said(&output.stdout))
    };
    let (code, text) = sweep(&["--record", "a.jsonl", "--fail-fast"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("INCOMPLETE  "), "{text}");
    assert!(!folder.join("a.jsonl").exists(), "it is not whole");
    assert_eq!(
        sweep(&["--record", "a.jsonl"]).0,
        Some(2),
        "it is there already"
    );
    let (code, json) = sweep(&["--record", "a.jsonl", "--resume", "--json"]);
    assert_eq!(
        (code, json.as_str()),
        (Some(1), sweep(&["--json"]).1.as_str())
    );
    assert!(folder.join("a.jsonl").exists());
}

#[test]
fn build_servers_get_test_cases() {
    let folder = fresh("junit");
    let run = ["run", "passes.toml", "fails.toml", "passes.toml", "--quiet"];
    let output = cuerda(
        &folder,
        &[&run[..], &["--fail-fast", "--junit", "a.xml"]].concat(),
    );
    assert_eq!(output.status.code(), Some(1));
    let xml = std::fs::read_to_string(folder.join("a.xml")).expect("it was written");
    assert!(
        xml.contains("tests=\"2\"") && xml.contains("failures=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("lookups.issued is"), "{xml}");
}

#[test]
fn whoever_runs_out_of_time_says_how_far_it_came() {
    let folder = fresh("timeout");
    let sweep = ["sweep", "passes.toml", "--seeds", "0..1000000000"];
    let output = cuerda(&folder, &[&sweep[..], &["--timeout", "1s"]].concat());
    assert_eq!(output.status.code(), Some(4));
    assert!(
        said(&output.stdout).contains("INCOMPLETE  "),
        "{}",
        said(&output.stdout)
    );
    assert!(said(&output.stderr).contains("the time is up"));
}

#[cfg(unix)]
#[test]
fn whoever_is_terminated_twice_says_how_far_it_came() {
    let folder = fresh("terminated");
    let sweep = ["sweep", "passes.toml", "--seeds", "0..1000000000", "--json"];
    let output = stopped::twice(&folder, &sweep);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output.stderr));
    let summary = &lines(&output)[0];
    assert!(summary["seeds"]["finished"].as_u64() > Some(0), "{summary}");
    assert_eq!(summary["failed"], 0);
}

#[test]
fn a_series_has_a_line_for_each_hundredth_of_the_run() {
    let folder = fresh("series");
    let output = cuerda(
        &folder,
        &["run", "passes.toml", "--quiet", "--series", "a.csv"],
    );
    assert_eq!(output.status.code(), Some(0));
    let text = std::fs::read_to_string(folder.join("a.csv")).expect("it was written");
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(
        (rows.len(), rows[0]),
        (101, "at_s,members,violations,failures,bytes")
    );
    assert!(rows[1].starts_with("0.6,16,0,0,"), "{}", rows[1]);
    let bytes = rows[1..]
        .iter()
        .map(|row| row.split(',').next_back().unwrap());
    assert!(bytes.filter(|bytes| *bytes != "0").count() > 50);
}

#[test]
fn a_history_has_the_events_around_a_violation() {
    let folder = fresh("history");
    let fault = "\n[[fault]]\nat = \"20s\"\nkind = \"crash\"\nnodes = \"100%\"\n";
    std::fs::write(folder.join("dead.toml"), format!("{SCENARIO}{fault}")).expect("it is ours");
    let output = cuerda(&folder, &["run", "dead.toml", "--history", "6"]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output.stdout);
    let (_, history) = text.split_once("\naround ").expect("there is a history");
    assert!(
        history
            .lines()
            .filter(|line| line.starts_with("  event "))
            .count()
            >= 3,
        "{text}"
    );
}

#[test]
fn a_mistake_is_told_to_programs_with_its_line_and_column() {
    let folder = fresh("check");
    std::fs::write(
        folder.join("wrong.toml"),
        "duration = \"1m\"\n[ring]\nnodes = 0\n",
    )
    .expect("it is ours");
    let output = cuerda(&folder, &["check", "wrong.toml", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let problem = &lines(&output)[0]["problems"][0];
    assert_eq!(
        (&problem["line"], &problem["column"]),
        (&3.into(), &9.into())
    );
    assert!(problem["message"].is_string() && problem["hint"].is_string());
}

#[test]
fn the_papers_tables_come_with_a_figure() {
    let folder = folder("paper");
    for name in ["path-length-03", "path-length-04", "failures-00"] {
        std::fs::write(folder.join(format!("{name}.toml")), SCENARIO).unwrap();
    }
    let output = cuerda(&folder, &["paper", ".", "--svg", "figure.svg"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    let text = said(&output.stdout);
    assert_eq!(
        text.matches("not run").count(),
        (12 - 2) + 3 * (6 - 1) + 3 * 8,
        "{text}"
    );
    let svg = std::fs::read_to_string(folder.join("figure.svg")).unwrap();
    assert_eq!(
        svg.matches("<circle").count(),
        2 + 1,
        "two rings and the legend"
    );
    let json = cuerda(&folder, &["paper", ".", "--json"]);
    assert_eq!(lines(&json)[0]["tables"].as_array().unwrap().len(), 7);
}
