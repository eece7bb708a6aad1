//! Reads the text of a selector: all forms but lists and names of groups.
//!
//! Nothing here knows how many nodes there are.

use cuerda_text::suggest::nearest;

use super::quantity::parse_percentage;
use super::{MOST_NODES, Selector};

/// What is wrong with a selector, and what would be right.
pub(super) type Wrong = (String, String);

pub(super) const FORMS: &str = "a selector is \"n7\", \"n10..n19\", a count such as 5, \"20%\", \
                                \"owner(key:K)\", \"successors(key:K, 3)\", \"arc(0..0.5)\", \
                                \"machine(n3)\", \"outside\", \"down\", the name of a group, or a \
                                list of these";

/// So many, at random.
pub(super) fn count(number: u32) -> Result<Selector, Wrong> {
    if number == 0 {
        let help = "counts start at 1; without the fault nobody is hit";
        return Err(("0 names nobody".to_owned(), help.to_owned()));
    }
    Ok(Selector::Count(number))
}

/// Reads a selector's text, whoever there may be. `names` are those of groups, of which this is none.
pub(super) fn parse<'a>(
    text: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Selector, Wrong> {
    let unknown = || {
        let words = [
            "rest",
            "outside",
            "down",
            "owner",
            "successors",
            "arc",
            "machine",
        ];
        let name = text.split('(').next().unwrap_or(text).trim();
        let help = match nearest(name, names.into_iter().chain(words)) {
            Some(meant) => match meant {
                "owner" => "did you mean \"owner(key:K)\"?".to_owned(),
                "successors" => "did you mean \"successors(key:K, 3)\"?".to_owned(),
                "arc" => "did you mean \"arc(0..0.5)\"?".to_owned(),
                "machine" => "did you mean \"machine(n3)\"?".to_owned(),
                _ => format!("did you mean \"{meant}\"?"),
            },
            None => FORMS.to_owned(),
        };
        (format!("\"{text}\" is not a selector"), help)
    };
    match text {
        "rest" => return Ok(Selector::Rest),
        "outside" => return Ok(Selector::Outside),
        "down" => return Ok(Selector::Down),
        _ => {}
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
    if let Some(number) = node(text) {
        return number.map(Selector::Node);
    }
    if let Some((from, to)) = text.split_once("..")
        && let (Some(from), Some(to)) = (node(from.trim_end()), node(to.trim_start()))
    {
        return range(text, from?, to?);
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
        "machine" => match node(inside) {
            Some(number) => number.map(Selector::Machine),
            None => Err((
                format!("\"{text}\" names no node"),
                "name one of its nodes, as in \"machine(n3)\"".to_owned(),
            )),
        },
        _ => Err(unknown()),
    }
}

/// The number of a node, if the text names one.
fn node(text: &str) -> Option<Result<u32, Wrong>> {
    let number = text.strip_prefix('n').filter(|number| is_digits(number))?;
    Some(number.parse().map_err(|_| {
        let help = format!("the greatest is n{}", MOST_NODES - 1);
        (format!("there is no node `{text}`"), help)
    }))
}

fn range(text: &str, from: u32, to: u32) -> Result<Selector, Wrong> {
    if from > to {
        let help = format!("write the lesser first: \"n{to}..n{from}\"");
        return Err((format!("\"{text}\" names nobody"), help));
    }
    Ok(Selector::Range(from, to))
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
            ("outside", Selector::Outside),
            ("down", Selector::Down),
            ("n10..n19", Selector::Range(10, 19)),
            ("n3 .. n3", Selector::Range(3, 3)),
            ("machine(n3)", Selector::Machine(3)),
            ("machine( n3 )", Selector::Machine(3)),
        ] {
            assert_eq!(parse(text, []), Ok(selector), "{text}");
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
            "n5..n4",
            "n1..",
            "n1..5",
            "..n3",
            "n0..n99999999999",
            "machine(3)",
            "machine()",
            "everybody",
            "all()",
        ] {
            assert!(parse(text, []).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in any::<String>(), number in any::<u64>()) {
            let _ = parse(&text, ["rack1"]);
            for name in ["owner", "successors", "arc", "machine"] {
                let _ = parse(&format!("{name}({text})"), []);
            }
            let _ = parse(&format!("n{number}"), []);
            let _ = parse(&format!("n0..n{number}"), []);
        }
    }
}
