//! Tables that the program could have written are compared with it, row by row and both ways: what
//! a page leaves out is as wrong as what it invents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use cuerda::host::events::Line;
use serde_json::Value;
use ureq::Agent;

use super::markdown::{Table, page, root};
use super::program::printed;

/// The rows below a head of the help, as `name  meaning`.
fn help(words: &[&str], head: &str) -> Vec<Vec<String>> {
    let help = printed(words);
    let lines = help.lines().skip_while(|line| *line != head).skip(1);
    let rows = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, meaning) = line.trim().split_once("  ")?;
            Some(vec![name.to_owned(), meaning.trim().to_owned()])
        });
    let rows: Vec<Vec<String>> = rows.collect();
    assert!(!rows.is_empty(), "the help has {head}");
    rows
}

/// The first two cells of each row, names without the marks of code.
fn pairs(table: &Table) -> Vec<Vec<String>> {
    let bare = |cell: &String| cell.trim_matches('`').to_owned();
    let rows = table.rows.iter();
    rows.map(|row| vec![bare(&row[0]), row[1].clone()])
        .collect()
}

#[test]
fn settings_are_those_of_the_reference() {
    assert!(
        page("docs/settings.md")
            .text
            .contains(&printed(&["config", "reference"])),
        "put the output of `cuerda config reference` into docs/settings.md"
    );
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let page = page("docs/operating.md");
    let table = page.table_of(&["exit code", "meaning"]);
    assert_eq!(pairs(table), help(&["--help"], "Exit codes:"));
}

#[test]
fn commands_are_those_of_the_help() {
    let page = page("docs/operating.md");
    let table = pairs(page.table_of(&["command", "what it does"]));
    let table = table.into_iter().map(|row| {
        let name = row[0].split(' ').nth(1).expect("`cuerda NAME`").to_owned();
        vec![name, row[1].clone()]
    });
    let mut commands = help(&["--help"], "Commands:");
    commands.retain(|row| row[0] != "help");
    assert_eq!(table.collect::<Vec<_>>(), commands);
}

/// A ring of one, with its control interface.
struct Node {
    _folder: tempfile::TempDir,
    child: std::process::Child,
    control: String,
    agent: Agent,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    fn start() -> Node {
        use std::io::BufRead as _;
        let folder = tempfile::tempdir().expect("a directory for tests");
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_cuerda"))
            .args(["--json", "node", "run", "--acks", "1"])
            .args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"])
            .arg("--data")
            .arg(folder.path())
            .env_clear()
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        let read = std::io::BufReader::new(stdout).read_line(&mut line);
        read.expect("it says where it listens");
        let said: Value = serde_json::from_str(&line).expect("it says it as JSON");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(30)));
        Node {
            _folder: folder,
            child,
            control: said["control"].as_str().expect("an address").to_owned(),
            agent: agent.build().into(),
        }
    }

    /// The status, what the header `Allow` says, and the body.
    fn ask(&self, method: &str, path: &str) -> (u16, BTreeSet<String>, String) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.control))
            .body(())
            .expect("a page names a path");
        let mut response = self.agent.run(request).expect("the node answers");
        let allow = response.headers().get("allow");
        let allow = allow.map_or("", |value| value.to_str().expect("it is ASCII"));
        let allowed = allow.split(',').filter(|method| !method.is_empty());
        let allowed = allowed.map(|method| method.trim().to_owned()).collect();
        let body = response.body_mut().read_to_string();
        (
            response.status().as_u16(),
            allowed,
            body.expect("it answers with text"),
        )
    }
}

#[test]
fn routes_are_those_that_a_node_answers() {
    let page = page("docs/http.md");
    let node = Node::start();
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in &page.table_of(&["method", "path", "parameters"]).rows {
        let (method, path) = (row[0].trim_matches('`'), row[1].trim_matches('`'));
        methods
            .entry(path.to_owned())
            .or_default()
            .insert(method.to_owned());
        // A parameter that is unknown makes a request one that can't be understood.
        for parameter in row[2].split('`').filter(|part| part.contains('=')) {
            if method != "POST" {
                let asked = format!("{}?{parameter}", path.replace("KEY", "song"));
                let (_, _, body) = node.ask(method, &asked);
                assert!(!body.contains("unknown field"), "{asked}: {body}");
            }
        }
    }
    for (path, mut documented) in methods.clone() {
        // No path takes it, so the answer says what it takes instead.
        let (status, allowed, body) = node.ask("PATCH", &path);
        assert_eq!(status, 405, "{path}: {body}");
        if documented.contains("GET") {
            documented.insert("HEAD".to_owned());
        }
        assert_eq!(allowed, documented, "{path}");
    }
    // And the other way: what the node itself names is on the page.
    let (_, _, body) = node.ask("GET", "/no/such/path");
    let problem: Value = serde_json::from_str(&body).expect("a problem");
    let hint = problem["hint"].as_str().expect("it has a hint");
    let named = hint.split([' ', ',']).filter(|word| word.starts_with('/'));
    let unknown: Vec<&str> = named.filter(|path| !methods.contains_key(*path)).collect();
    assert!(unknown.is_empty(), "docs/http.md does not have {unknown:?}");
}

#[test]
fn metrics_are_those_of_a_node() {
    let (_, _, text) = Node::start().ask("GET", "/metrics");
    let mut kinds = BTreeMap::new();
    let mut metrics = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ').skip(1);
        let (Some(what), Some(name), Some(rest)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        match what {
            "HELP" => metrics.push((name.to_owned(), rest.to_owned())),
            "TYPE" => _ = kinds.insert(name.to_owned(), rest.to_owned()),
            _ => {}
        }
    }
    let metrics = metrics.into_iter().map(|(name, help)| {
        let kind = kinds.remove(&name).expect("each has a type");
        vec![format!("`{name}`"), kind, help]
    });
    let page = page("docs/http.md");
    let table = page.table_of(&["metric", "type", "meaning"]);
    assert_eq!(table.rows, metrics.collect::<Vec<_>>());
}

/// The codes of problems in the snapshots of errors, each with its statuses.
fn codes(folder: &Path, found: &mut BTreeMap<String, BTreeSet<u64>>) {
    for entry in std::fs::read_dir(folder).expect("the sources can be read") {
        let path = entry.expect("a folder's entries can be read").path();
        if path.is_dir() {
            codes(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "snap") {
            let text = std::fs::read_to_string(&path).expect("it can be read");
            let Some(start) = text.find("\n[") else {
                continue;
            };
            let problems: Vec<Value> = serde_json::from_str(&text[start..]).unwrap_or_default();
            for problem in problems {
                if let (Some(code), Some(status)) =
                    (problem["code"].as_str(), problem["status"].as_u64())
                {
                    found.entry(code.to_owned()).or_default().insert(status);
                }
            }
        }
    }
}

#[test]
fn problems_are_those_of_the_snapshots() {
    let mut found = BTreeMap::new();
    codes(&root().join("src/http"), &mut found);
    assert!(found.len() > 15, "these are not all: {found:?}");
    let page = page("docs/http.md");
    let table = page.table_of(&["code", "status"]);
    let shown: BTreeMap<String, BTreeSet<u64>> = pairs(table)
        .into_iter()
        .map(|row| {
            let statuses = row[1].split(", ").filter_map(|status| status.parse().ok());
            (row[0].clone(), statuses.collect())
        })
        .collect();
    for (code, statuses) in &found {
        let told = shown
            .get(code)
            .unwrap_or_else(|| panic!("docs/http.md lacks `{code}`"));
        assert!(
            told.is_superset(statuses),
            "{code}: {told:?}, but {statuses:?}"
        );
    }
}

#[test]
fn events_are_those_that_a_node_tells() {
    let line = r#"{"at_us":1,"event":"unheard of"}"#;
    let error = serde_json::from_str::<Line>(line).expect_err("there is no such event");
    // It names those that there are.
    let error = error.to_string();
    let known: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
    assert!(known.len() > 10, "{error}");
    let page = page("docs/operating.md");
    let table = pairs(page.table_of(&["event", "told when"]));
    let shown: BTreeSet<&str> = table.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(shown, known);
}
