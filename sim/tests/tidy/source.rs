//! A source file as the rules see it: the paths it names, and how much of it is code.
//!
//! The lexer is the compiler's (`proc-macro2`), so comments and strings are never mistaken for
//! code, and paths within macros count. Names are resolved as far as a file alone allows:
//! `crate`, `self`, `super` and what the file imports. This judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path as it stands in a file, in full: `use std::time; time::Instant::now()` names
/// `std::time` and `std::time::Instant::now`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    /// Its segments; those of the own package begin with `crate`.
    pub(crate) path: Vec<String>,
    /// Where it stands.
    pub(crate) line: usize,
}

/// A source file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Seen from the project's root.
    pub(crate) file: String,
    /// All of it.
    pub(crate) text: String,
    /// All paths it names, tests included.
    pub(crate) named: Vec<Named>,
    /// Lines with code on them: without comments, blank lines and what only tests compile.
    pub(crate) code_lines: usize,
}

impl Source {
    /// # Panics
    /// If it is no Rust.
    pub(crate) fn new(file: &str, text: &str) -> Source {
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{file} is no Rust: {error}"));
        let mut scan = Scan::default();
        scan.paths(tokens.clone(), &module(file), &Tree::default());
        let mut lines = BTreeSet::new();
        code_lines(tokens, &mut lines);
        Source {
            file: file.to_owned(),
            text: text.to_owned(),
            named: scan.resolved(),
            code_lines: lines.len(),
        }
    }
}

/// The module that a file is: `sim/src/world/random.rs` is `crate::world::random`.
fn module(file: &str) -> Vec<String> {
    let within = file.split_once("src/").map_or(file, |(_, within)| within);
    let within = within.trim_end_matches(".rs");
    let within = within.strip_suffix("/mod").unwrap_or(within);
    let mut module = vec!["crate".to_owned()];
    if !matches!(within, "lib" | "main") {
        module.extend(within.split('/').map(str::to_owned));
    }
    module
}

/// Where a scan stands within a `use`.
#[derive(Clone, Debug, Default)]
struct Tree {
    /// Whether it is within one at all.
    import: bool,
    /// What stands before the braces.
    prefix: Vec<String>,
}

#[derive(Debug, Default)]
struct Scan {
    named: Vec<Named>,
    /// What each imported name stands for.
    imports: BTreeMap<String, Vec<String>>,
}

impl Scan {
    fn paths(&mut self, stream: TokenStream, module: &[String], tree: &Tree) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut tree = tree.clone();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    self.paths(group.stream(), module, &tree);
                    at += 1;
                }
                TokenTree::Punct(mark) if mark.as_char() == ';' => {
                    tree = Tree::default();
                    at += 1;
                }
                // All that stands before the braces: `use world::*`, or `{*}`.
                TokenTree::Punct(mark) if mark.as_char() == '*' && !tree.prefix.is_empty() => {
                    let mut path = tree.prefix.clone();
                    path.push("*".to_owned());
                    self.add(path, mark.span().start().line, module);
                    at += 1;
                }
                TokenTree::Ident(word) if *word == "use" => {
                    // `impl Trait + use<'a>` is none.
                    tree.import = !is_mark(tokens.get(at + 1), '<');
                    at += 1;
                }
                TokenTree::Ident(word) if *word == "mod" => {
                    if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                        (tokens.get(at + 1), tokens.get(at + 2))
                    {
                        let inner = [module, &[name.to_string()]].concat();
                        self.paths(body.stream(), &inner, &Tree::default());
                        at += 3;
                    } else {
                        at += 1;
                    }
                }
                TokenTree::Ident(_) => at = self.path(&tokens, at, module, &tree),
                _ => at += 1,
            }
        }
    }

    /// Reads a path that begins at a word, and returns where it ends.
    fn path(&mut self, tokens: &[TokenTree], from: usize, module: &[String], tree: &Tree) -> usize {
        let mut path = tree.prefix.clone();
        let line = tokens[from].span().start().line;
        path.push(word(&tokens[from]));
        let mut at = from + 1;
        while is_mark(tokens.get(at), ':') && is_mark(tokens.get(at + 1), ':') {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(_)) => path.push(word(&tokens[at + 2])),
                Some(TokenTree::Punct(mark)) if mark.as_char() == '*' => path.push("*".to_owned()),
                Some(TokenTree::Group(group)) if tree.import => {
                    let inner = Tree {
                        import: true,
                        prefix: path,
                    };
                    self.paths(group.stream(), module, &inner);
                    return at + 3;
                }
                _ => break,
            }
            at += 3;
        }
        if tree.import {
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let mut name = path.last().cloned().unwrap_or_default();
            if tokens.get(at).is_some_and(|next| word(next) == "as") {
                name = tokens.get(at + 1).map(word).unwrap_or_default();
                at += 2;
            }
            self.imports.insert(name, absolute(path.clone(), module));
        }
        // A word alone is a path in an import only.
        if tree.import || path.len() > 1 {
            self.add(path, line, module);
        }
        at
    }

    fn add(&mut self, path: Vec<String>, line: usize, module: &[String]) {
        let path = absolute(path, module);
        self.named.push(Named { path, line });
    }

    /// Puts what a name was imported from in its place.
    fn resolved(self) -> Vec<Named> {
        let full = |named: Named| match self.imports.get(&named.path[0]) {
            Some(import) => Named {
                path: [import, &named.path[1..]].concat(),
                line: named.line,
            },
            None => named,
        };
        self.named.into_iter().map(full).collect()
    }
}

/// Without `self` and `super` before it.
fn absolute(path: Vec<String>, module: &[String]) -> Vec<String> {
    let up = path.iter().take_while(|part| *part == "super").count();
    let here = path[0] == "self";
    if up == 0 && !here {
        return path;
    }
    let base = &module[..module.len().saturating_sub(up).max(1)];
    [base, &path[up.max(usize::from(here))..]].concat()
}

fn word(token: &TokenTree) -> String {
    token.to_string().trim_start_matches("r#").to_owned()
}

fn is_mark(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == wanted)
}

/// The attribute that begins at a token, `#[…]` or `#![…]`: its text, and where it ends.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(String, usize)> {
    if !is_mark(tokens.get(at), '#') {
        return None;
    }
    let body = at + 1 + usize::from(is_mark(tokens.get(at + 1), '!'));
    match tokens.get(body) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            let text = group.stream().to_string().replace(' ', "");
            Some((text, body + 1))
        }
        _ => None,
    }
}

fn code_lines(stream: TokenStream, lines: &mut BTreeSet<usize>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match attribute(&tokens, at) {
            Some((text, end)) if text == "cfg(test)" => at = end_of_item(&tokens, end),
            // A comment, to the lexer an attribute.
            Some((text, end)) if text.starts_with("doc=") => at = end,
            _ => {
                if let TokenTree::Group(group) = token {
                    lines.insert(group.span_open().start().line);
                    lines.insert(group.span_close().end().line);
                    code_lines(group.stream(), lines);
                } else {
                    // A string may have several.
                    lines.extend(token.span().start().line..=token.span().end().line);
                }
                at += 1;
            }
        }
    }
}

fn end_of_item(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_mark(Some(token), ';'),
    };
    let length = tokens[from..].iter().position(ends);
    length.map_or(tokens.len(), |length| from + length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        let source = Source::new("sim/src/world/events/mod.rs", text);
        let joined = |named: Named| named.path.join("::");
        source.named.into_iter().map(joined).collect()
    }

    #[test]
    fn imports_are_read_in_full() {
        assert_eq!(
            named("use std::{fmt, time::{self, Duration as Long}}; use super::random::*;"),
            [
                "std::fmt",
                "std::time",
                "std::time::Duration",
                "crate::world::random::*"
            ]
        );
        assert_eq!(
            named("pub(crate) use self::queue::{*};"),
            ["crate::world::events::queue::*"]
        );
    }

    #[test]
    fn names_stand_for_what_was_imported() {
        assert_eq!(
            named("use std::time as t; fn f() { g!(t::Instant::now()) }"),
            ["std::time", "std::time::Instant::now"]
        );
        assert_eq!(
            named("mod tests { use super::super::wire; }"),
            ["crate::world::wire"]
        );
        assert_eq!(
            named("fn f() { ::std::env::args::<u8>() }"),
            ["std::env::args"]
        );
    }

    #[test]
    fn comments_and_strings_name_nothing() {
        assert!(
            named("//! std::fs\n/// [`std::env`]\n// std::thread\nconst A: &str = \"std::net\";")
                .is_empty()
        );
    }

    #[test]
    fn lines_of_code_are_counted() {
        let text = "//! What it is.\n\n/// A doc.\n#[inline]\nfn f() {\n    // Why.\n    g(\"a\n\
                    b\");\n}\n\n#[cfg(test)]\nmod tests {\n    fn h() {}\n}\n";
        // The attribute, the head, the call on two lines, and the brace.
        assert_eq!(Source::new("src/lib.rs", text).code_lines, 5);
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module("src/lib.rs"), ["crate"]);
        assert_eq!(module("src/ring/mod.rs"), ["crate", "ring"]);
        assert_eq!(
            module("sim/src/world/random.rs"),
            ["crate", "world", "random"]
        );
    }
}
