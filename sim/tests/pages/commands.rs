//! Commands of all kinds: their tools are known, the files, packages and tests that they name are
//! there, and the harness understands its own.

use std::path::Path;

use super::harness::harness;
use super::markdown::{pages, root, simple_commands};

/// What is wrong with a command.
fn wrong(command: &[String]) -> Option<String> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words[..] {
        ["cargo", "sim", ref arguments @ ..] => of_the_harness(arguments),
        ["cargo", ref arguments @ ..] => of_cargo(arguments),
        // Its commands are checked by the test of the package `cuerda`.
        ["cuerda", ..] => None,
        ["docker" | "docker-compose" | "kubectl", ref arguments @ ..] => files(arguments),
        [
            "curl" | "openssl" | "sudo" | "cat" | "echo" | "ls" | "sqlite3" | "cd",
            ..,
        ] => None,
        [tool, ref arguments @ ..] if root().join(tool).is_file() => {
            let text = std::fs::read_to_string(root().join(tool)).unwrap_or_default();
            let mut flags = arguments.iter().filter(|word| word.starts_with("--"));
            let unknown = flags.find(|flag| !text.contains(**flag));
            unknown.map(|flag| format!("{tool} has no {flag}"))
        }
        _ => Some("no check knows this tool".to_owned()),
    }
}

/// The harness reads all that stands before `--help`, and plays nothing.
fn of_the_harness(arguments: &[&str]) -> Option<String> {
    let (code, said) = harness(&root(), &[arguments, &["--help"]].concat());
    if code != Some(0) {
        return Some(said);
    }
    files(arguments)
}

/// Files in folders of the project that are not there.
fn files(arguments: &[&str]) -> Option<String> {
    let folders = ["scenarios/", "docker/", "docs/", "sim/", "src/", "core/"];
    let mut files = arguments
        .iter()
        .filter(|word| folders.iter().any(|folder| word.starts_with(folder)));
    // Secrets are made by whoever reads the page.
    let missing = files.find(|file| !root().join(file).exists() && !file.ends_with("/secret"));
    missing.map(|file| format!("there is no {file}"))
}

fn of_cargo(arguments: &[&str]) -> Option<String> {
    let after = |flags: &[&str]| {
        let place = arguments.iter().position(|word| flags.contains(word))?;
        arguments.get(place + 1).copied()
    };
    let package = after(&["-p", "--package"]);
    let folder = match package {
        None => "",
        Some("cuerda") => "",
        Some("cuerda-core") => "core/",
        Some("cuerda-sim") => "sim/",
        Some("cuerda-text") => "text/",
        Some(other) => return Some(format!("there is no package {other}")),
    };
    match arguments.first().copied() {
        Some("test") => {}
        Some("bench" | "build" | "clippy" | "doc" | "fmt" | "install" | "insta" | "run") => {
            return files(arguments);
        }
        _ => return Some("no check knows this command of cargo".to_owned()),
    }
    // Without a package, a test may be in any.
    let folders = match package {
        None => vec!["", "sim/", "core/", "text/"],
        Some(_) => vec![folder],
    };
    let target = after(&["--test"]);
    let sources: Vec<String> = match target {
        Some("NAME") => return None,
        Some(name) => folders
            .iter()
            .flat_map(|folder| {
                let tests = format!("{folder}tests");
                [format!("{tests}/{name}.rs"), format!("{tests}/{name}/")]
            })
            .filter(|source| root().join(source).exists())
            .collect(),
        None => folders
            .iter()
            .map(|folder| format!("{folder}src/"))
            .collect(),
    };
    if sources.is_empty() {
        return Some(format!("there is no test {}", target.unwrap_or_default()));
    }
    let flags = ["-p", "--package", "--test"];
    let mut names = (1..arguments.len()).filter(|place| {
        let value = flags.contains(&arguments[place - 1]);
        !arguments[*place].starts_with('-') && !value
    });
    let last = arguments.iter().position(|word| *word == "--");
    let name = names.find(|place| last.is_none_or(|last| *place < last))?;
    let filter = arguments[name];
    let all_capitals = filter.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    // The test of scenarios names its tests after files.
    let scenario = filter.strip_prefix("scenario::").unwrap_or(filter);
    let named = all_capitals
        || root().join(format!("scenarios/{scenario}.toml")).is_file()
        || sources
            .iter()
            .any(|source| names_a_test(&root().join(source), filter));
    (!named).then(|| format!("no test is called {filter}"))
}

/// Whether a test below a path has this in its name, its modules included.
fn names_a_test(path: &Path, filter: &str) -> bool {
    let module = filter.replace("::", "/");
    if path.is_dir() {
        if path.to_string_lossy().contains(&format!("/{module}")) {
            return true;
        }
        let entries = std::fs::read_dir(path).expect("the sources can be read");
        let mut entries = entries.filter_map(Result::ok);
        return entries.any(|entry| names_a_test(&entry.path(), filter));
    }
    let stem = path.with_extension("");
    if stem.to_string_lossy().ends_with(&format!("/{module}")) {
        return true;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let last = filter.rsplit("::").next().unwrap_or(filter);
    let mut functions = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("fn "));
    functions.any(|function| {
        let name = function.split('(').next().unwrap_or_default();
        name.contains(last)
    })
}

#[test]
fn every_command_names_what_is_there() {
    let mut complaints = Vec::new();
    let mut commands = 0;
    for page in pages() {
        let steps = page.steps().into_iter().flat_map(|(_, steps)| steps);
        let mut lines: Vec<(usize, String)> = steps.map(|step| (step.line, step.command)).collect();
        let is_command =
            |text: &str| text.starts_with("cargo ") || text.starts_with("docker/build");
        let words = page.words.iter().filter(|(_, text)| is_command(text));
        lines.extend(words.cloned());
        for (line, text) in lines {
            for command in simple_commands(&text) {
                commands += 1;
                if let Some(why) = wrong(&command) {
                    complaints.push(format!("{}:{line}: {text}: {why}", page.shown));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    assert!(commands > 60, "these are not all: {commands}");
}

#[test]
fn commands_that_name_nothing_are_noticed() {
    for line in [
        "cargo sim ran scenarios/churn.toml",
        "cargo sim run scenarios/none.toml",
        "cargo sim run scenarios/churn.toml --speed",
        "cargo test --test none",
        "cargo test --test zoo none",
        "cargo test -p none",
        "cargo test -p cuerda --lib no_such_test_anywhere",
        "cargo frobnicate",
        "docker stack deploy -c docker/none.yaml",
        "docker/build --none",
        "frobnicate",
    ] {
        let command = simple_commands(line).remove(0);
        assert!(wrong(&command).is_some(), "{line}");
    }
    for line in [
        "cargo sim sweep scenarios/churn.toml --seeds 1..9",
        "cargo test",
        "cargo test --test zoo corrected",
        "cargo test -p cuerda-sim --test scenarios scenario::churn -- --include-ignored",
        "cargo test -p cuerda --lib host",
        "INSTA_UPDATE=always cargo test -p cuerda-core",
        "docker/build --tag a:b",
    ] {
        let command = simple_commands(line).remove(0);
        assert_eq!(wrong(&command), None, "{line}");
    }
}
