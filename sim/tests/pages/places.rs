//! What pages point at is there, and no block of theirs is one that nobody checks.

use super::markdown::{Kind, Link, Page, pages, root};
use std::path::{Component, Path, PathBuf};

/// Endings of files that pages name as code.
const ENDINGS: [&str; 8] = [
    ".rs", ".toml", ".md", ".yaml", ".snap", ".yml", ".lock", "/",
];

/// What is wrong with a link.
fn wrong(from: &Page, link: &Link, all: &[Page]) -> Option<String> {
    if link.target.contains("://") {
        return None;
    }
    let (file, anchor) = match link.target.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (link.target.as_str(), None),
    };
    let file = match file {
        "" => from.shown.clone(),
        file => joined(&from.shown, file),
    };
    if file != from.shown && !root().join(&file).exists() {
        return Some(format!("there is no {file}"));
    }
    if let Some(anchor) = anchor {
        let page = all.iter().find(|page| page.shown == file);
        let anchors = page.map(|page| &page.anchors);
        return match anchors {
            None => Some(format!("{file} is no page, so it has no #{anchor}")),
            Some(anchors) if anchors.iter().any(|known| known == anchor) => None,
            Some(anchors) => Some(format!("{file} has no #{anchor}, but {anchors:?}")),
        };
    }
    // A name set on a link stands in the file.
    if link.code && !file.ends_with(link.text.trim_end_matches('/')) {
        let text = std::fs::read_to_string(root().join(&file)).unwrap_or_default();
        let name = link.text.trim_end_matches("()").rsplit("::").next();
        let name = name.unwrap_or(&link.text);
        return (!text.contains(name)).then(|| format!("{file} does not have {name}"));
    }
    None
}

/// A path seen from a page, as it is seen from the root.
fn joined(page: &str, target: &str) -> String {
    let folder = Path::new(page).parent().expect("a page is a file");
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => _ = path.pop(),
            part => path.push(part),
        }
    }
    path.to_str().expect("pages are UTF-8").to_owned()
}

#[test]
fn every_link_leads_somewhere() {
    let all = pages();
    let mut complaints = Vec::new();
    for page in &all {
        for link in &page.links {
            if let Some(why) = wrong(page, link, &all) {
                complaints.push(format!("{}:{}: {why}", page.shown, link.line));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let all = pages();
    let mut reached = vec!["README.md".to_owned()];
    let mut at = 0;
    while let Some(shown) = reached.get(at).cloned() {
        at += 1;
        let Some(page) = all.iter().find(|page| page.shown == shown) else {
            continue;
        };
        for link in &page.links {
            let file = link.target.split('#').next().unwrap_or_default();
            let file = joined(&page.shown, file);
            if file.ends_with(".md") && !reached.contains(&file) {
                reached.push(file);
            }
        }
    }
    let lost: Vec<&str> = all.iter().map(|page| page.shown.as_str()).collect();
    let lost: Vec<&str> = lost
        .into_iter()
        .filter(|page| !reached.iter().any(|known| known == page))
        .collect();
    assert!(lost.is_empty(), "no page leads to {lost:?}");
}

#[test]
fn every_file_that_is_named_is_there() {
    let mut complaints = Vec::new();
    for page in pages() {
        for (line, word) in &page.words {
            let is_path = word.contains('/')
                && !word.starts_with('/')
                && !word.contains([' ', '*', '…', '{', ':'])
                && ENDINGS.iter().any(|ending| word.ends_with(ending));
            if is_path
                && !root().join(word).exists()
                && !root().join("scenarios").join(word).exists()
            {
                complaints.push(format!("{}:{line}: there is no {word}", page.shown));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_block_is_read_by_some_check() {
    let mut complaints = Vec::new();
    for page in pages() {
        for block in &page.blocks {
            let why = match block.kind() {
                // Played, parsed and compared: in `session.rs`, `program.rs` and `harness.rs`.
                Ok(Kind::Commands | Kind::Session | Kind::Printed) => None,
                Ok(Kind::Scenario | Kind::Settings | Kind::Drawing) => None,
                Ok(Kind::Document) => {
                    let read = serde_json::from_str::<serde_json::Value>(&block.text);
                    read.err().map(|error| error.to_string())
                }
                Ok(Kind::Code) => {
                    (!is_quoted(&block.text)).then(|| "no example has these lines".to_owned())
                }
                Err(why) => Some(why),
            };
            if let Some(why) = why {
                complaints.push(format!("{}:{}: {why}", page.shown, block.line));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn what_is_shown_as_printed_was_printed_by_something() {
    let mut complaints = Vec::new();
    for page in pages() {
        for (block, steps) in page.steps() {
            for step in steps.iter().filter(|step| step.prints.is_some()) {
                let tool = step.command.split(' ').next().unwrap_or_default();
                let played = step.command.starts_with("cargo sim ")
                    || matches!(tool, "cuerda" | "curl" | "cat" | "ls" | "sqlite3" | "echo");
                if !played {
                    let place = format!("{}:{}", page.shown, block.line);
                    complaints.push(format!("{place}: nobody plays `{}`", step.command));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Whether these lines stand one after the other in an example of the project. `// …` leaves some
/// out.
fn is_quoted(code: &str) -> bool {
    let folders = ["examples", "core/examples", "sim/examples"];
    let mut files = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten();
        files.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
    }
    let trimmed = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    let parts: Vec<Vec<String>> = code.split("// …\n").map(trimmed).collect();
    files.iter().any(|file| {
        let lines = trimmed(&std::fs::read_to_string(file).unwrap_or_default());
        let stands = |part: &Vec<String>| lines.windows(part.len().max(1)).any(|at| at == part);
        parts.iter().filter(|part| !part.is_empty()).all(stands)
    })
}

#[test]
fn links_and_blocks_that_are_wrong_are_noticed() {
    let text = "# A b: `c`-d!\n# A b: c-d\n[a](#a-b-c-d) [b](#a-b-c-d-1) [c](#b) [d](none.rs)\n\
                [`root`](../sim/tests/pages/markdown.rs) [`Cargo.toml`](../Cargo.toml)\n\
                [`KEYS`](../src/cli/config/keys.rs) [`NONE_SUCH`](../src/cli/config/keys.rs)\n\
                [e](README.md) [f](../README.md) [g](https://a.example/none)\n";
    let page = Page::new("docs/a.md", text);
    let all = [page.clone()];
    let wrong: Vec<&str> = page
        .links
        .iter()
        .filter(|link| wrong(&page, link, &all).is_some())
        .map(|link| link.text.as_str())
        .collect();
    assert_eq!(wrong, ["c", "d", "root", "NONE_SUCH", "e"]);

    let text = "```text\nPASS\n```\n\n```sh\na\n```\n\n```text\nPASS\n```\n\nb\n\n```text\n─\n```\n\n\
                ```python\n```\n\n    indented\n";
    let page = Page::new("a.md", text);
    let kinds: Vec<Option<Kind>> = page.blocks.iter().map(|block| block.kind().ok()).collect();
    let (commands, printed, drawing) = (Kind::Commands, Kind::Printed, Kind::Drawing);
    assert_eq!(
        kinds,
        [
            None,
            Some(commands),
            Some(printed),
            Some(drawing),
            None,
            None
        ]
    );
}
