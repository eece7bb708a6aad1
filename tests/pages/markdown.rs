//! The project's pages as their checks see them: headings, blocks, links, words set as code, and
//! tables.
//!
//! The parser is that of others (`pulldown-cmark`); what a block is for is decided here, so that a
//! block of no known kind is a complaint and never a block that nobody checks. This runs nothing.

use std::ops::Range;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page of Markdown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    /// Where it is, seen from the project's root.
    pub(crate) shown: String,
    /// What stands on it, as it was written.
    pub(crate) text: String,
    /// What a link may name after `#`, as GitHub makes it from the headings.
    pub(crate) anchors: Vec<String>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) links: Vec<Link>,
    /// Words set as code within sentences and tables, each with its line.
    pub(crate) words: Vec<(usize, String)>,
    pub(crate) tables: Vec<Table>,
    /// The anchors before equal ones were numbered.
    slugs: Vec<String>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) line: usize,
    /// What stands behind the fence.
    pub(crate) language: String,
    pub(crate) text: String,
    /// Nothing stands between it and the block of commands before it.
    pub(crate) follows_commands: bool,
}

/// What a block is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Commands to copy.
    Commands,
    /// Commands behind `$`, each with what it prints.
    Session,
    /// What the commands in the block before print.
    Printed,
    /// For people; nothing to compare.
    Drawing,
    /// A scenario that passes.
    Scenario,
    /// Settings that a node can start with.
    Settings,
    /// JSON.
    Document,
    /// Lines of a file of the project.
    Code,
}

/// A link to a file or to a place in one.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
    /// What the link is set on.
    pub(crate) text: String,
    /// Whether all of that is code: the name of something that stands in the file.
    pub(crate) code: bool,
}

/// A table. Cells hold what was written, without emphasis.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) line: usize,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A command and what it prints, if that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) prints: Option<String>,
}

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_root = |folder: &&Path| folder.join("CHANGELOG.md").is_file();
    let root = package.ancestors().find(is_root);
    root.expect("the package lies in the project").to_owned()
}

/// All pages of the project, in order of their paths.
pub(crate) fn pages() -> Vec<Page> {
    let root = root();
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let read = |file: PathBuf| {
        let shown = file.strip_prefix(&root).expect("it was found there");
        let shown = shown.to_str().expect("names are UTF-8");
        let text = std::fs::read_to_string(&file);
        Page::new(
            shown,
            &text.unwrap_or_else(|error| panic!("{shown}: {error}")),
        )
    };
    files.into_iter().map(read).collect()
}

/// The page of this name.
pub(crate) fn page(shown: &str) -> Page {
    let found = pages().into_iter().find(|page| page.shown == shown);
    found.unwrap_or_else(|| panic!("there is a page {shown}"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the project's folders can be read");
    for entry in entries {
        let entry = entry.expect("a folder's entries can be read");
        let (path, name) = (entry.path(), entry.file_name());
        let hidden = name.to_string_lossy().starts_with('.');
        // What is built is not written by us.
        let built = name == "target";
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if !hidden && !built {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|ending| ending == "md") {
            files.push(path);
        }
    }
}

impl Page {
    pub(crate) fn new(shown: &str, text: &str) -> Page {
        let mut page = Page {
            shown: shown.to_owned(),
            text: text.to_owned(),
            ..Page::default()
        };
        let options = Options::ENABLE_TABLES;
        let events: Vec<_> = Parser::new_ext(text, options).into_offset_iter().collect();
        let mut at = 0;
        while at < events.len() {
            at = page.take(&events, at);
        }
        page
    }

    /// Takes in what begins with the event at `at`, and returns where to go on.
    fn take(&mut self, events: &[(Event, Range<usize>)], at: usize) -> usize {
        let (event, range) = &events[at];
        let line = self.line(range.start);
        let inner = &events[at + 1..];
        match event {
            Event::Start(Tag::Heading { .. }) => {
                let end = |end: &TagEnd| matches!(end, TagEnd::Heading(_));
                let title = words(until(inner, end));
                self.add_anchor(&title);
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                let inner = until(inner, |end| *end == TagEnd::CodeBlock);
                let before = self.text[..range.start].trim_end();
                let commands = |block: &Block| matches!(block.language.as_str(), "sh" | "console");
                let follows_commands =
                    before.ends_with("```") && self.blocks.last().is_some_and(commands);
                self.blocks.push(Block {
                    line,
                    language: language.to_string(),
                    text: words(inner).trim_end().to_owned(),
                    follows_commands,
                });
            }
            // It belongs to nobody's language, so nobody would check it.
            Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => self.blocks.push(Block {
                line,
                language: String::new(),
                text: words(until(inner, |end| *end == TagEnd::CodeBlock)),
                follows_commands: false,
            }),
            Event::Start(Tag::Link { dest_url, .. }) => {
                let inner = until(inner, |end| *end == TagEnd::Link);
                self.links.push(Link {
                    line,
                    target: dest_url.to_string(),
                    text: words(inner),
                    code: matches!(inner, [(Event::Code(_), _)]),
                });
            }
            Event::Start(Tag::Table(_)) => self.tables.push(Table {
                line,
                head: Vec::new(),
                rows: Vec::new(),
            }),
            Event::Start(Tag::TableRow) => self.table().rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => {
                let inner = until(inner, |end| *end == TagEnd::TableCell);
                let cell = written(inner);
                let table = self.table();
                match table.rows.last_mut() {
                    Some(row) => row.push(cell),
                    None => table.head.push(cell),
                }
            }
            Event::Code(word) => self.words.push((line, word.to_string())),
            _ => {}
        }
        at + 1
    }

    fn table(&mut self) -> &mut Table {
        self.tables
            .last_mut()
            .expect("cells and rows stand in tables")
    }

    fn line(&self, place: usize) -> usize {
        self.text[..place].matches('\n').count() + 1
    }

    fn add_anchor(&mut self, title: &str) {
        let kept = |c: char| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            c => c.is_alphanumeric().then_some(c),
        };
        let anchor: String = title.to_lowercase().chars().filter_map(kept).collect();
        let before = self.slugs.iter().filter(|slug| **slug == anchor).count();
        self.slugs.push(anchor.clone());
        self.anchors.push(match before {
            0 => anchor,
            before => format!("{anchor}-{before}"),
        });
    }

    /// The one table whose head begins with these words.
    pub(crate) fn table_of(&self, head: &[&str]) -> &Table {
        let fits = |table: &&Table| {
            let cells = table.head.iter().zip(head);
            table.head.len() >= head.len() && cells.clone().all(|(cell, word)| cell == word)
        };
        let found: Vec<&Table> = self.tables.iter().filter(fits).collect();
        match found[..] {
            [table] => table,
            _ => panic!("{} has {} tables of {head:?}", self.shown, found.len()),
        }
    }

    /// All commands of its blocks in their order, with what they print.
    pub(crate) fn steps(&self) -> Vec<(&Block, Vec<Step>)> {
        let mut all: Vec<(&Block, Vec<Step>)> = Vec::new();
        for block in &self.blocks {
            match block.kind() {
                Ok(Kind::Commands) => all.push((block, block.commands())),
                Ok(Kind::Session) => all.push((block, block.session())),
                Ok(Kind::Printed) => {
                    let steps = all.last_mut().map(|(_, steps)| steps);
                    let last = steps.and_then(|steps| steps.last_mut());
                    let last = last.expect("it follows commands");
                    last.prints = Some(block.text.clone());
                }
                _ => {}
            }
        }
        all
    }
}

impl Block {
    /// What it is for, or why that can't be told.
    pub(crate) fn kind(&self) -> Result<Kind, String> {
        const LINES: [char; 9] = ['│', '─', '┌', '└', '├', '▼', '▶', '→', '…'];
        match self.language.as_str() {
            "sh" => Ok(Kind::Commands),
            "console" => Ok(Kind::Session),
            "text" if self.follows_commands => Ok(Kind::Printed),
            "text" if self.text.contains(LINES) => Ok(Kind::Drawing),
            "text" => Err(
                "a text that is no drawing is what commands print: put it right behind them, or \
                 make it a block of `console`"
                    .to_owned(),
            ),
            "toml" if self.text.starts_with("# node.toml") => Ok(Kind::Settings),
            "toml" => Ok(Kind::Scenario),
            "json" => Ok(Kind::Document),
            "rust" => Ok(Kind::Code),
            other => Err(format!("no check reads blocks of the language `{other}`")),
        }
    }

    /// Each line, with what a backslash at its end carries on.
    fn commands(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut goes_on = false;
        for (number, text) in self.text.lines().enumerate() {
            let (said, more) = match text.strip_suffix('\\') {
                Some(said) => (said, true),
                None => (text, false),
            };
            match steps.last_mut().filter(|_| goes_on) {
                Some(step) => step.command.push_str(said.trim_start()),
                None if text.trim().is_empty() || text.starts_with('#') => continue,
                None => steps.push(Step {
                    line: self.line + 1 + number,
                    command: said.to_owned(),
                    prints: None,
                }),
            }
            goes_on = more;
        }
        steps
    }

    /// Each line behind `$`, with the lines that follow it.
    fn session(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (number, text) in self.text.lines().enumerate() {
            match (text.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    line: self.line + 1 + number,
                    command: command.to_owned(),
                    prints: Some(String::new()),
                }),
                (None, Some(step)) => {
                    let prints = step.prints.get_or_insert_default();
                    prints.push_str(text);
                    prints.push('\n');
                }
                (None, None) => panic!("line {}: a session begins with a command", self.line),
            }
        }
        steps
    }
}

/// The simple commands of a line, each as its words: without what joins them, what they are given
/// in the environment, and where their output goes.
pub(crate) fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_else(|| panic!("quotes are closed: {line}"));
    let mut commands = vec![Vec::new()];
    let mut to_a_file = false;
    for word in words {
        if to_a_file {
            to_a_file = false;
            continue;
        }
        let command = commands.last_mut().expect("there is always one");
        match word.as_str() {
            "&&" | "||" | "|" | ";" | "&" => commands.push(Vec::new()),
            ">" | ">>" | "2>" | "<" => to_a_file = true,
            _ if command.is_empty() && is_assignment(&word) => {}
            _ => command.push(word),
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// The events before the end of a tag.
fn until<'a>(
    events: &'a [(Event<'a>, Range<usize>)],
    is_end: impl Fn(&TagEnd) -> bool,
) -> &'a [(Event<'a>, Range<usize>)] {
    let ends = |(event, _): &(Event, _)| matches!(event, Event::End(end) if is_end(end));
    let length = events.iter().position(ends);
    &events[..length.expect("the parser ends what it begins")]
}

/// All words, code or not.
fn words(events: &[(Event, Range<usize>)]) -> String {
    let text = events.iter().filter_map(|(event, _)| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        Event::SoftBreak | Event::HardBreak => Some(" "),
        _ => None,
    });
    text.collect()
}

/// The same with code in its marks.
fn written(events: &[(Event, Range<usize>)]) -> String {
    let text = events.iter().filter_map(|(event, _)| match event {
        Event::Text(text) => Some(text.to_string()),
        Event::Code(text) => Some(format!("`{text}`")),
        _ => None,
    });
    text.collect()
}
