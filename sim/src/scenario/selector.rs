//! Reads selectors, and refuses those that can name nobody or more nodes than there are.
//!
//! Nothing here resolves a selector; that is done among the live nodes when a fault fires.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::diagnostic::{Problems, Reported};
use super::section::{Entry, Section};
use super::selector_text::{FORMS, Wrong, count, parse};
use super::{MOST_NODES, Selector};

/// Groups by their names: each stands for what its selector takes.
pub(super) type Groups = BTreeMap<String, Selector>;

/// What is known of the nodes that a selector chooses from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd<'a> {
    /// How many there are at t = 0; unknown if the file does not say it properly.
    pub(super) nodes: Option<u32>,
    /// How many of them each process has.
    pub(super) virtual_nodes: u8,
    /// Whether others join later, so that there may be more.
    pub(super) newcomers: bool,
    /// What can be called by a name.
    pub(super) groups: &'a Groups,
}

impl Crowd<'_> {
    /// The most nodes that there can be at a time, if there is such a number.
    fn most(self) -> Option<u32> {
        self.nodes.filter(|_| !self.newcomers)
    }
}

/// Reads `[groups]`: names for some nodes.
pub(super) fn groups(
    section: &Section,
    nodes: Option<u32>,
    problems: &mut Problems,
) -> Result<Groups, Reported> {
    let none = Groups::new();
    // A group may name who joins later.
    let crowd = Crowd {
        nodes,
        virtual_nodes: 1,
        newcomers: true,
        groups: &none,
    };
    let mut groups = Groups::new();
    let mut all = Ok(());
    for entry in section.entries() {
        let read = group_name(&entry, problems).and(selector(&entry, crowd, problems));
        match read {
            Ok(named) if is_fixed(&named) => {
                groups.insert(entry.key.to_owned(), named);
            }
            Ok(_) => {
                all = Err(entry.wrong(
                    problems,
                    "a group has the same nodes in the whole run",
                    "name them, as in \"n0..n9\", or as a list such as [\"n1\", \"n4\"]",
                ));
            }
            Err(reported) => all = Err(reported),
        }
    }
    all.map(|()| groups)
}

/// Refuses a name that a selector could be taken for.
fn group_name(entry: &Entry, problems: &mut Problems) -> Result<(), Reported> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_word = entry.key.bytes().all(is_part) && entry.key.starts_with(char::is_alphabetic);
    if is_word && parse(entry.key, []).is_err() {
        return Ok(());
    }
    Err(problems.report(
        entry.key_span.clone(),
        format!("`{}` can't be the name of a group", entry.key),
        "a name is a word that is no selector itself, such as `rack1`",
    ))
}

/// Whether a selector takes the same nodes whenever it is asked, as far as they are there.
fn is_fixed(selector: &Selector) -> bool {
    match selector {
        Selector::Node(_) | Selector::Range(..) | Selector::Machine(_) => true,
        Selector::List(entries) => entries.iter().all(is_fixed),
        _ => false,
    }
}

/// Reads the selector that `entry` holds.
pub(super) fn selector(
    entry: &Entry,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<Selector, Reported> {
    if !matches!(entry.value.get_ref(), DeValue::Array(_)) {
        let selector = single(entry, crowd, problems)?;
        return match selector {
            Selector::Rest => Err(entry.wrong(
                problems,
                "`rest` has a meaning only in a list",
                "it means all nodes that no earlier entry of the list took; \"100%\" means all",
            )),
            selector => Ok(selector),
        };
    }
    Ok(Selector::List(entries(
        entry,
        crowd,
        problems,
        |entry, _| {
            Err((
                format!("a list within the list `{}`", entry.key),
                "write its entries into the outer list".to_owned(),
            ))
        },
    )?))
}

/// Reads the parts of a partition: a list of at least two selectors, which may be lists
/// themselves.
pub(super) fn parts(
    entry: &Entry,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<Vec<Selector>, Reported> {
    const HELP: &str = "name at least two parts, as in [\"arc(0..0.5)\", \"rest\"]";
    if entry.list(problems, HELP)?.len() < 2 {
        return Err(entry.wrong(problems, "a partition has at least two parts", HELP));
    }
    entries(entry, crowd, problems, |entry, problems| {
        Ok(selector(entry, crowd, problems))
    })
}

/// Reads the entries of a list; `nested` reads those that are lists themselves.
fn entries(
    entry: &Entry,
    crowd: Crowd<'_>,
    problems: &mut Problems,
    nested: impl Fn(&Entry, &mut Problems) -> Result<Result<Selector, Reported>, Wrong>,
) -> Result<Vec<Selector>, Reported> {
    let items = entry.list(problems, FORMS)?;
    if items.is_empty() {
        return Err(entry.wrong(problems, format!("`{}` names nobody", entry.key), FORMS));
    }
    let mut read = Vec::new();
    let mut rest_seen = false;
    for (index, item) in items.iter().enumerate() {
        let entry = entry.with_value(item);
        let selector = match item.get_ref() {
            DeValue::Array(_) => nested(&entry, problems)
                .unwrap_or_else(|(message, help)| Err(entry.wrong(problems, message, help))),
            _ => single(&entry, crowd, problems),
        };
        let misplaced = if rest_seen {
            Some("`rest` has taken all nodes, none is left for this")
        } else if index == 0 && selector == Ok(Selector::Rest) {
            Some("nothing precedes `rest`")
        } else {
            None
        };
        if let Some(message) = misplaced {
            let help = "`rest` means all nodes that no earlier entry of the list took; write it \
                        last, after at least one other";
            read.push(Err(entry.wrong(problems, message, help)));
            continue;
        }
        rest_seen = selector == Ok(Selector::Rest);
        read.push(selector);
    }
    let read = read
        .into_iter()
        .collect::<Result<Vec<Selector>, Reported>>()?;
    if let Some(most) = crowd.most() {
        let wanted: f64 = read
            .iter()
            .map(|selector| at_least(selector, most))
            .sum::<f64>()
            .floor();
        if wanted > f64::from(most) {
            return Err(entry.wrong(
                problems,
                format!("together these are {wanted} of {most} nodes"),
                "none is taken twice: name fewer, or make the last one \"rest\"",
            ));
        }
    }
    Ok(read)
}

/// How many of `nodes` a selector surely takes.
fn at_least(selector: &Selector, nodes: u32) -> f64 {
    match selector {
        Selector::Count(count) => f64::from(*count),
        Selector::Share(share) => share * f64::from(nodes),
        Selector::List(entries) => entries.iter().map(|entry| at_least(entry, nodes)).sum(),
        // These may name nodes that another entry took already.
        _ => 0.0,
    }
}

/// How many of `nodes` a selector takes at most.
pub(super) fn at_most(selector: &Selector, nodes: u32) -> u32 {
    let most = match selector {
        Selector::Node(_) | Selector::Owner(_) => 1,
        Selector::Count(count) | Selector::Successors(_, count) => *count,
        Selector::Share(share) => libm::round(f64::from(nodes) * share) as u32,
        Selector::Range(from, to) => to - from + 1,
        Selector::List(entries) => entries
            .iter()
            .map(|entry| at_most(entry, nodes))
            .fold(0, u32::saturating_add),
        _ => nodes,
    };
    most.min(nodes)
}

/// Whether a selector names nodes that don't run.
pub(super) fn names_down(selector: &Selector) -> bool {
    match selector {
        Selector::Down => true,
        Selector::List(entries) => entries.iter().any(names_down),
        _ => false,
    }
}

/// Reads a selector that is no list.
fn single(entry: &Entry, crowd: Crowd<'_>, problems: &mut Problems) -> Result<Selector, Reported> {
    let read = match entry.value.get_ref() {
        DeValue::String(text) => match crowd.groups.get(text.trim()) {
            Some(group) => Ok(group.clone()),
            None => parse(text.trim(), crowd.groups.keys().map(String::as_str)),
        },
        DeValue::Integer(number) => match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => count(number),
            Err(_) => Err((
                format!("{number} is no count of nodes"),
                format!("counts run from 1 to {MOST_NODES}"),
            )),
        },
        DeValue::Float(number) => {
            let percent = number.as_str().parse::<f64>().map(|share| share * 100.0);
            let help = match percent {
                Ok(percent) if (0.0..=100.0).contains(&percent) => {
                    format!("a share is text with a percent sign: \"{percent}%\"")
                }
                _ => FORMS.to_owned(),
            };
            return Err(entry.wrong_type(problems, "a selector", &help));
        }
        _ => return Err(entry.wrong_type(problems, "a selector", FORMS)),
    };
    read.and_then(|selector| possible(selector, crowd))
        .map_err(|(message, help)| entry.wrong(problems, message, help))
}

/// Refuses what the crowd can't provide.
fn possible(selector: Selector, crowd: Crowd<'_>) -> Result<Selector, Wrong> {
    let Some(nodes) = crowd.most() else {
        return Ok(selector);
    };
    let names = match nodes {
        1 => "the only node is n0".to_owned(),
        _ => format!("the nodes are n0 to n{}, and none joins", nodes - 1),
    };
    let wrong = match &selector {
        Selector::Node(number) | Selector::Machine(number) | Selector::Range(_, number)
            if *number >= nodes =>
        {
            format!("there is no node n{number}")
        }
        Selector::Count(count) if *count > nodes => {
            format!("{count} nodes of {nodes} are too many")
        }
        Selector::Successors(_, number) if *number > nodes => {
            format!("{number} successors of {nodes} nodes are too many")
        }
        _ => return Ok(selector),
    };
    Err((wrong, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcomers_make_more_possible() {
        let groups = Groups::new();
        let closed = Crowd {
            nodes: Some(10),
            virtual_nodes: 1,
            newcomers: false,
            groups: &groups,
        };
        let open = Crowd {
            newcomers: true,
            ..closed
        };
        for selector in [
            Selector::Node(10),
            Selector::Count(11),
            Selector::Range(8, 10),
            Selector::Machine(10),
        ] {
            assert!(possible(selector.clone(), closed).is_err());
            assert!(possible(selector, open).is_ok());
        }
        assert!(possible(Selector::Node(9), closed).is_ok());
        assert!(possible(Selector::Count(10), closed).is_ok());
    }
}
