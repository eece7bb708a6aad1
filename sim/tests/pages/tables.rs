//! Tables that the harness could have written are compared with it, row by row and both ways.

use std::collections::{BTreeMap, BTreeSet};

use cuerda_sim::report::metric_paths;
use toml::de::{DeTable, DeValue};

use super::harness::harness;
use super::markdown::{Table, page, root};

/// Shows every key; a test beside it holds it against what is read.
const EVERY_KEY: &str = include_str!("../../src/scenario/every_key.toml");

/// The rows below a head of the help, as `name  meaning`; long meanings go on in the next lines.
fn help(head: &str) -> Vec<Vec<String>> {
    let (_, help) = harness(&root(), &["--help"]);
    let lines = help.lines().skip_while(|line| *line != head).skip(1);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        match (line.starts_with("   "), line.trim().split_once("  ")) {
            (false, Some((name, meaning))) => {
                rows.push(vec![name.to_owned(), meaning.trim().to_owned()]);
            }
            _ => {
                let meaning = &mut rows.last_mut().expect("a line goes on")[1];
                *meaning = format!("{meaning} {}", line.trim());
            }
        }
    }
    assert!(!rows.is_empty(), "the help has {head}");
    rows
}

fn pairs(table: &Table) -> Vec<Vec<String>> {
    let bare = |cell: &String| cell.trim_matches('`').to_owned();
    let rows = table.rows.iter();
    rows.map(|row| vec![bare(&row[0]), row[1].clone()])
        .collect()
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let page = page("docs/scenarios.md");
    let table = page.table_of(&["exit code", "meaning"]);
    assert_eq!(pairs(table), help("Exit codes:"));
}

#[test]
fn commands_are_those_of_the_help() {
    let page = page("docs/scenarios.md");
    let table = pairs(page.table_of(&["command", "what it does"]));
    let table = table.into_iter().map(|row| {
        let name = row[0]
            .split(' ')
            .nth(2)
            .expect("`cargo sim NAME`")
            .to_owned();
        vec![name, row[1].clone()]
    });
    let mut commands = help("Commands:");
    commands.retain(|row| row[0] != "help");
    assert_eq!(table.collect::<Vec<_>>(), commands);
}

/// The keys of each section of the file that shows all, those of inline tables left out.
fn keys() -> BTreeMap<String, BTreeSet<String>> {
    let document = DeTable::parse(EVERY_KEY).expect("it is TOML");
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in document.get_ref() {
        let name = name.get_ref();
        let tables: Vec<&DeTable> = match value.get_ref() {
            DeValue::Table(table) => vec![table],
            DeValue::Array(items) => {
                let tables = items.iter().filter_map(|item| item.get_ref().as_table());
                tables.collect()
            }
            _ => Vec::new(),
        };
        if tables.is_empty() {
            keys.entry(String::new())
                .or_default()
                .insert(name.to_string());
        }
        let section = keys.entry(name.to_string()).or_default();
        section.extend(
            tables
                .into_iter()
                .flat_map(DeTable::keys)
                .map(|key| key.get_ref().to_string()),
        );
    }
    // What a run expects are paths of its report, which have a table of their own.
    keys.remove("expect");
    keys.retain(|_, keys| !keys.is_empty());
    // A file makes up the names of its groups.
    keys.insert("groups".to_owned(), BTreeSet::new());
    keys
}

#[test]
fn keys_of_scenarios_are_those_that_are_read() {
    let page = page("docs/scenarios.md");
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in &page.table_of(&["section", "key", "meaning"]).rows {
        let section = row[0].trim_matches(['`', '[', ']']).to_owned();
        let names = row[1].split('`').skip(1).step_by(2).map(str::to_owned);
        // Those before the first section.
        let section = if section == "top" {
            String::new()
        } else {
            section
        };
        shown.entry(section).or_default().extend(names);
    }
    assert_eq!(shown, keys());
}

#[test]
fn numbers_of_the_report_are_those_that_can_be_expected() {
    let page = page("docs/scenarios.md");
    let shown = pairs(page.table_of(&["number", "meaning"]));
    let names: Vec<&str> = shown.iter().flat_map(|row| row[0].split("`, `")).collect();
    let fits = |name: &str, path: &str| match name.strip_suffix(".*") {
        Some(start) => path
            .strip_prefix(start)
            .is_some_and(|rest| rest.starts_with('.')),
        None => name == path,
    };
    let paths = metric_paths();
    for path in &paths {
        assert!(
            names.iter().any(|name| fits(name, path)),
            "the page lacks {path}"
        );
    }
    for name in names {
        assert!(
            paths.iter().any(|path| fits(name, path)),
            "no report has {name}"
        );
    }
}
