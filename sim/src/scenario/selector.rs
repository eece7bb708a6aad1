//! Reads selectors, and refuses those that can name nobody or more nodes than there are.
//!
//! Nothing here resolves a selector; that is done among the live nodes when a fault fires.

use cuerda_text::suggest::nearest;
use toml::de::DeValue;

use super::diagnostic::{Problems, Reported};
use super::quantity::parse_percentage;
use super::section::Entry;
use super::{MOST_NODES, Selector};

/// What is known of the nodes that a selector chooses from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    /// How many there are at t = 0; unknown if the file does not say it properly.
    pub(super) nodes: Option<u32>,
    /// Whether others join later, so that there may be more.
    pub(super) newcomers: bool,
}

impl Crowd {
    /// The most nodes that there can be at a time, if there is such a number.
    fn most(self) -> Option<u32> {
        self.nodes.filter(|_| !self.newcomers)
    }
}

/// What is wrong with a selector, and what would be right.
type Wrong = (String, String);

const FORMS: &str = "a selector is \"n7\", a count such as 5, \"20%\", \"owner(key:K)\", \
                     \"successors(key:K, 3)\", \"arc(0..0.5)\", or a list of these";

/// Reads the selector that `entry` holds.
pub(super) fn selector(
    entry: &Entry,
    crowd: Crowd,
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
    crowd: Crowd,
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
    crowd: Crowd,
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

/// Reads a selector that is no list.
fn single(entry: &Entry, crowd: Crowd, problems: &mut Problems) -> Result<Selector, Reported> {
    let read = match entry.value.get_ref() {
        DeValue::String(text) => parse(text.trim()),
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

fn count(number: u32) -> Result<Selector, Wrong> {
    if number == 0 {
        let help = "counts start at 1; without the fault nobody is hit";
        return Err(("0 names nobody".to_owned(), help.to_owned()));
    }
    Ok(Selector::Count(number))
}

/// Reads a selector's text, whoever there may be.
fn parse(text: &str) -> Result<Selector, Wrong> {
    let unknown = || {
        let words = ["rest", "owner", "successors", "arc"];
        let name = text.split('(').next().unwrap_or(text).trim();
        let help = match nearest(name, words) {
            Some(meant) => match meant {
                "owner" => "did you mean \"owner(key:K)\"?".to_owned(),
                "successors" => "did you mean \"successors(key:K, 3)\"?".to_owned(),
                "arc" => "did you mean \"arc(0..0.5)\"?".to_owned(),
                _ => format!("did you mean \"{meant}\"?"),
            },
            None => FORMS.to_owned(),
        };
        (format!("\"{text}\" is not a selector"), help)
    };
    if text == "rest" {
        return Ok(Selector::Rest);
    }
    if text.ends_with('%') {
        return parse_percentage(text)
            .map(Selector::Share)
            .map_err(|error| (error.message, error.help));
    }
    if is_digits(text) {
        return match text.parse() {
            Ok(number) => count(number),
            Err(_) => Err((
                format!("{text} is more than all nodes"),
                format!("counts run from 1 to {MOST_NODES}"),
            )),
        };
    }
    if let Some(number) = text.strip_prefix('n').filter(|number| is_digits(number)) {
        return number.parse().map(Selector::Node).map_err(|_| {
            let help = format!("the greatest is n{}", MOST_NODES - 1);
            (format!("there is no node `{text}`"), help)
        });
    }
    let Some((name, inside)) = text
        .strip_suffix(')')
        .and_then(|call| call.split_once('('))
        .map(|(name, inside)| (name.trim_end(), inside.trim()))
    else {
        return Err(unknown());
    };
    match name {
        "owner" => Ok(Selector::Owner(key(text, inside, "owner(key:K)")?)),
        "successors" => successors(text, inside),
        "arc" => arc(text, inside),
        _ => Err(unknown()),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a key, written `key:K`.
fn key(text: &str, written: &str, form: &str) -> Result<String, Wrong> {
    match written.strip_prefix("key:").map(str::trim) {
        Some(key) if !key.is_empty() => Ok(key.to_owned()),
        _ => Err((
            format!("\"{text}\" names no key"),
            format!("write \"{form}\" with the key's name for K"),
        )),
    }
}

fn successors(text: &str, inside: &str) -> Result<Selector, Wrong> {
    const FORM: &str = "successors(key:K, 3)";
    // The key's name may hold commas; the number comes after the last.
    let split = inside.rsplit_once(',');
    let Some((written, Ok(number))) =
        split.map(|(written, number)| (written.trim(), number.trim().parse::<u32>()))
    else {
        return Err((
            format!("\"{text}\" does not say how many"),
            format!("write how many after the key, as in \"{FORM}\""),
        ));
    };
    if number == 0 {
        return Err((
            format!("\"{text}\" names nobody"),
            "the owner is the first: 1 names it, 2 it and the next".to_owned(),
        ));
    }
    Ok(Selector::Successors(key(text, written, FORM)?, number))
}

fn arc(text: &str, inside: &str) -> Result<Selector, Wrong> {
    let end = |written: &str| {
        let fraction = written.trim().parse::<f64>().ok()?;
        // The file may say minus zero.
        (0.0..=1.0).contains(&fraction).then_some(fraction.abs())
    };
    match inside.split_once("..").map(|(a, b)| (end(a), end(b))) {
        Some((Some(a), Some(b))) => Ok(Selector::Arc(a, b)),
        Some(_) => Err((
            format!("\"{text}\" is not on the circle"),
            "both ends are fractions of the circle from 0 to 1, as in \"arc(0.75..0.25)\""
                .to_owned(),
        )),
        None => Err((
            format!("\"{text}\" is not an arc"),
            "write both ends as fractions of the circle, as in \"arc(0..0.5)\"".to_owned(),
        )),
    }
}

/// Refuses what the crowd can't provide.
fn possible(selector: Selector, crowd: Crowd) -> Result<Selector, Wrong> {
    let Some(nodes) = crowd.most() else {
        return Ok(selector);
    };
    let names = match nodes {
        1 => "the only node is n0".to_owned(),
        _ => format!("the nodes are n0 to n{}, and none joins", nodes - 1),
    };
    let wrong = match &selector {
        Selector::Node(number) if *number >= nodes => format!("there is no node n{number}"),
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_is_read() {
        let successors = |key: &str, number| Selector::Successors(key.to_owned(), number);
        for (text, selector) in [
            ("n7", Selector::Node(7)),
            ("5", Selector::Count(5)),
            ("20%", Selector::Share(0.2)),
            ("0%", Selector::Share(0.0)),
            ("owner(key:song)", Selector::Owner("song".to_owned())),
            ("successors(key:song, 3)", successors("song", 3)),
            ("successors(key:a, (b), 3)", successors("a, (b)", 3)),
            ("arc(0..0.5)", Selector::Arc(0.0, 0.5)),
            ("arc(.75..1)", Selector::Arc(0.75, 1.0)),
            ("arc( 0.9 .. 0.1 )", Selector::Arc(0.9, 0.1)),
            ("rest", Selector::Rest),
        ] {
            assert_eq!(parse(text), Ok(selector), "{text}");
        }
    }

    #[test]
    fn what_is_no_selector() {
        for text in [
            "",
            "n",
            "n-1",
            "n99999999999",
            "99999999999",
            "0",
            "-5",
            "120%",
            "owner()",
            "owner(song)",
            "owner(key:)",
            "owner(key:a",
            "successors(key:a)",
            "successors(key:a, 0)",
            "successors(key:a, x)",
            "successors(3)",
            "arc(0.5)",
            "arc(0..1.5)",
            "arc(-0.1..1)",
            "arc(nan..1)",
            "everybody",
            "all()",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn newcomers_make_more_possible() {
        let closed = Crowd {
            nodes: Some(10),
            newcomers: false,
        };
        let open = Crowd {
            newcomers: true,
            ..closed
        };
        for selector in [Selector::Node(10), Selector::Count(11)] {
            assert!(possible(selector.clone(), closed).is_err());
            assert!(possible(selector, open).is_ok());
        }
        assert!(possible(Selector::Node(9), closed).is_ok());
        assert!(possible(Selector::Count(10), closed).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in any::<String>(), number in any::<u64>()) {
            let _ = parse(&text);
            for name in ["owner", "successors", "arc"] {
                let _ = parse(&format!("{name}({text})"));
            }
            let _ = parse(&format!("n{number}"));
        }
    }
}
