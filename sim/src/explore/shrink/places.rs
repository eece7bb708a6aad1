//! Where something stands in a document: the way to it from the top.

use toml::{Table, Value};

use crate::explore::document::{Document, LISTS};

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Place(usize),
}

/// The way from the top.
pub(super) type Path = Vec<Step>;

/// All values that are neither tables nor sections, and the ways to them, in the order of the file.
pub(super) fn leaves(document: &Document) -> Vec<Path> {
    let mut found = Vec::new();
    walk_table(document.top(), &mut Vec::new(), &mut found);
    found
}

fn walk_table(table: &Table, path: &mut Path, found: &mut Vec<Path>) {
    for (key, value) in table {
        path.push(Step::Key(key.clone()));
        match value {
            Value::Table(inner) => walk_table(inner, path, found),
            Value::Array(sections) if path.len() == 1 && LISTS.contains(&key.as_str()) => {
                for (place, section) in sections.iter().enumerate() {
                    path.push(Step::Place(place));
                    if let Value::Table(inner) = section {
                        walk_table(inner, path, found);
                    }
                    path.pop();
                }
            }
            _ => found.push(path.clone()),
        }
        path.pop();
    }
}

/// The key at the end of a way.
pub(super) fn last_key(path: &[Step]) -> &str {
    match path.last() {
        Some(Step::Key(key)) => key,
        _ => "",
    }
}

/// The section that a way begins in.
pub(super) fn first_key(path: &[Step]) -> &str {
    match path.first() {
        Some(Step::Key(key)) => key,
        _ => "",
    }
}

/// What stands there.
pub(super) fn get<'a>(document: &'a Document, path: &[Step]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let Step::Key(key) = first else {
        return None;
    };
    let mut value = document.top().get(key)?;
    for step in rest {
        value = match step {
            Step::Key(key) => value.get(key.as_str())?,
            Step::Place(place) => value.get(*place)?,
        };
    }
    Some(value)
}

/// Puts something else there.
pub(super) fn set(document: &mut Document, path: &[Step], new: Value) {
    if let Some(value) = get_mut(document, path) {
        *value = new;
    }
}

/// Takes it away.
pub(super) fn remove(document: &mut Document, path: &[Step]) {
    let Some((last, before)) = path.split_last() else {
        return;
    };
    if before.is_empty() {
        if let Step::Key(key) = last {
            document.top_mut().remove(key);
        }
        return;
    }
    match (get_mut(document, before), last) {
        (Some(Value::Table(table)), Step::Key(key)) => {
            table.remove(key);
        }
        (Some(Value::Array(list)), Step::Place(place)) if *place < list.len() => {
            list.remove(*place);
        }
        _ => {}
    }
}

fn get_mut<'a>(document: &'a mut Document, path: &[Step]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    let Step::Key(key) = first else {
        return None;
    };
    let mut value = document.top_mut().get_mut(key)?;
    for step in rest {
        value = match step {
            Step::Key(key) => value.get_mut(key.as_str())?,
            Step::Place(place) => value.get_mut(*place)?,
        };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_lead_to_what_stands_there() {
        let text = "duration = \"1m\"\n[ring]\nnodes = 3\n[[fault]]\nnodes = [\"n1\", \"n2\"]\n";
        let mut document = Document::read(text).unwrap();
        let ways = leaves(&document);
        let shown: Vec<_> = ways
            .iter()
            .map(|way| format!("{} {}", first_key(way), last_key(way)))
            .collect();
        assert_eq!(shown, ["duration duration", "fault nodes", "ring nodes"]);
        set(&mut document, &ways[2], Value::Integer(4));
        assert_eq!(get(&document, &ways[2]), Some(&Value::Integer(4)));
        let second = [ways[1].clone(), vec![Step::Place(1)]].concat();
        remove(&mut document, &second);
        remove(&mut document, &ways[0]);
        assert_eq!(
            document.text(),
            "ring = { nodes = 4 }\nfault = [{ nodes = [\"n1\"] }]\n"
        );
    }
}
