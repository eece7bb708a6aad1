//! The candidates, from coarse to fine: whole faults, then keys, nodes, numbers and times. It knows
//! how documents are written and not what their keys mean; what is no scenario is not played.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Value;

use super::places::{Path, Step, first_key, get, last_key, leaves, remove, set};
use super::{Search, rounder};
use crate::explore::document::{Document, LISTS};
use crate::scenario::quantity::{format_duration, parse_duration};

/// What a document is not one without, or what says nothing of it.
const KEPT: &[&str] = &["title", "seed", "duration", "kind", "at", "world"];

impl Search<'_> {
    /// All passes, once. Whether anything became smaller.
    pub(super) fn all_passes(&mut self) -> bool {
        let mut smaller = false;
        while self.fewer_entries() {
            smaller = true;
        }
        smaller |= self.fewer_keys();
        smaller |= self.fewer_nodes();
        smaller |= self.other_names();
        smaller |= self.shorter_lists();
        smaller |= self.lesser_numbers();
        smaller |= self.sooner();
        smaller |= self.rounder_times();
        smaller
    }

    /// Leaves out faults, churn and workloads: many at once, then one by one.
    pub(super) fn fewer_entries(&mut self) -> bool {
        let mut smaller = false;
        for &name in LISTS.iter().rev() {
            let mut chunk = self.document.list(name).len();
            while chunk > 0 {
                let mut from = 0;
                while from < self.document.list(name).len() {
                    let gone = self.accept(|document| cut(document, name, from, chunk));
                    smaller |= gone;
                    from += if gone { 0 } else { chunk };
                }
                chunk /= 2;
            }
        }
        smaller
    }

    /// Leaves a setting of nodes at its default.
    pub(super) fn no_setting(&mut self, key: &str) -> bool {
        let path = [Step::Key("node".to_owned()), Step::Key(key.to_owned())];
        self.accept(|document| remove(document, &path))
    }

    /// Leaves out keys, and so falls back to their defaults: whole sections first.
    fn fewer_keys(&mut self) -> bool {
        let mut smaller = false;
        for section in ["network", "node", "expect", "groups", "checks"] {
            let path = [Step::Key(section.to_owned())];
            smaller |= self.accept(|document| remove(document, &path));
        }
        for path in leaves(&self.document) {
            if KEPT.contains(&last_key(&path)) {
                continue;
            }
            // A bound is left out as a whole, and so is the form of a latency.
            let whole = match first_key(&path) {
                "expect" | "network" => &path[..2.min(path.len())],
                _ => &path[..],
            };
            smaller |= self.accept(|document| {
                remove(document, whole);
                tidy(document);
            });
        }
        smaller
    }

    fn fewer_nodes(&mut self) -> bool {
        let path = [Step::Key("ring".to_owned()), Step::Key("nodes".to_owned())];
        let mut smaller = false;
        loop {
            let Some(nodes) = get(&self.document, &path).and_then(Value::as_integer) else {
                return smaller;
            };
            let fewer = [nodes / 2, nodes * 3 / 4, nodes - 1];
            let fewer: BTreeSet<i64> = fewer.into_iter().filter(|n| *n > 0).collect();
            let mut found = false;
            for fewer in fewer {
                found = self.accept(|document| set(document, &path, Value::Integer(fewer)));
                if found {
                    break;
                }
            }
            smaller |= found;
            if !found {
                return smaller;
            }
        }
    }

    /// Calls the nodes that are named n0, n1, …, so that fewer will do.
    fn other_names(&mut self) -> bool {
        let mut named = BTreeSet::new();
        each_text(&self.document, &mut |text| named.extend(number(text)));
        let order: Vec<u32> = named.into_iter().collect();
        let in_order = (0..).zip(&order).all(|(place, number)| place == *number);
        if in_order {
            return false;
        }
        let mut smaller = false;
        for first in [0, 1] {
            let place = |number: u32| order.iter().position(|known| *known == number);
            let renamed = self.accept(|document| {
                change_texts(document, &|text| {
                    let place = place(number(text)?)?;
                    Some(format!("n{}", place + first))
                });
            });
            if renamed {
                smaller = true;
                break;
            }
        }
        // Whoever is named after a rename may be beyond the ring that would do.
        smaller && self.fewer_nodes()
    }

    /// Leaves out nodes of lists.
    fn shorter_lists(&mut self) -> bool {
        let mut smaller = false;
        for path in leaves(&self.document) {
            let length = |document: &Document| match get(document, &path) {
                Some(Value::Array(list)) => list.len(),
                _ => 0,
            };
            let mut place = 0;
            while place < length(&self.document) {
                let entry: Path = [path.clone(), vec![Step::Place(place)]].concat();
                let gone = self.accept(|document| remove(document, &entry));
                smaller |= gone;
                place += usize::from(!gone);
            }
        }
        smaller
    }

    /// Makes counts, shares and rates smaller.
    fn lesser_numbers(&mut self) -> bool {
        let mut smaller = false;
        for path in leaves(&self.document) {
            if KEPT.contains(&last_key(&path)) || matches!(first_key(&path), "ring" | "expect") {
                continue;
            }
            while let Some(value) = get(&self.document, &path) {
                let lesser = lesser(value);
                let mut found = false;
                for value in lesser {
                    found = self.accept(|document| set(document, &path, value));
                    if found {
                        break;
                    }
                }
                smaller |= found;
                if !found {
                    break;
                }
            }
        }
        smaller
    }

    /// Lets everything happen sooner, and the end come sooner.
    fn sooner(&mut self) -> bool {
        let mut smaller = false;
        let first = times(&self.document, &["at"]).min().unwrap_or_default();
        for at in [10, 20, 30, 60].map(Duration::from_secs) {
            if at >= first {
                break;
            }
            let by = first - at;
            if self.accept(|document| shift(document, by)) {
                smaller = true;
                break;
            }
        }
        let path = [Step::Key("duration".to_owned())];
        while let Some(end) = get(&self.document, &path).and_then(time) {
            let mut found = false;
            for part in [2, 4, 6, 7] {
                let sooner = Duration::from_secs(end.as_secs() * part / 8 / 10 * 10);
                found = !sooner.is_zero() && self.accept(|document| end_at(document, sooner));
                if found {
                    break;
                }
            }
            smaller |= found;
            if !found {
                break;
            }
        }
        smaller
    }

    fn rounder_times(&mut self) -> bool {
        let mut smaller = false;
        for path in leaves(&self.document) {
            let Some(said) = get(&self.document, &path).and_then(time) else {
                continue;
            };
            for rounded in rounder(said) {
                let rounded = Value::String(format_duration(rounded));
                if self.accept(|document| set(document, &path, rounded)) {
                    smaller = true;
                    break;
                }
            }
        }
        smaller
    }
}

/// Leaves out some sections of a name.
fn cut(document: &mut Document, name: &str, from: usize, many: usize) {
    if let Some(Value::Array(list)) = document.top_mut().get_mut(name) {
        let to = (from + many).min(list.len());
        list.drain(from..to);
    }
    tidy(document);
}

/// Takes away what is empty.
fn tidy(document: &mut Document) {
    document.top_mut().retain(|_, value| match value {
        Value::Table(section) => !section.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    });
}

fn time(value: &Value) -> Option<Duration> {
    value.as_str().and_then(|text| parse_duration(text).ok())
}

/// The times under these keys.
fn times(document: &Document, keys: &[&str]) -> impl Iterator<Item = Duration> {
    let ways = leaves(document).into_iter();
    let ways = ways.filter(|way| keys.contains(&last_key(way)));
    ways.filter_map(|way| get(document, &way).and_then(time))
}

/// Lets all that has a time happen so much sooner.
fn shift(document: &mut Document, by: Duration) {
    for way in leaves(document) {
        let is_time = matches!(last_key(&way), "at" | "from" | "until" | "duration");
        if let Some(at) = get(document, &way).and_then(time).filter(|_| is_time) {
            let sooner = at.saturating_sub(by).max(Duration::from_secs(1));
            set(document, &way, Value::String(format_duration(sooner)));
        }
    }
}

/// Ends a run sooner. What would end with it or later has no end of its own then.
fn end_at(document: &mut Document, end: Duration) {
    document.set("duration", format_duration(end));
    for way in leaves(document) {
        let until = get(document, &way).and_then(time);
        if last_key(&way) == "until" && until.is_some_and(|until| until >= end) {
            remove(document, &way);
        }
    }
}

/// The number of a node by its name.
fn number(name: &str) -> Option<u32> {
    name.strip_prefix('n')?.parse().ok()
}

fn each_text(document: &Document, tell: &mut impl FnMut(&str)) {
    for way in leaves(document) {
        match get(document, &way) {
            Some(Value::String(text)) => tell(text),
            Some(Value::Array(list)) => {
                for text in list.iter().filter_map(Value::as_str) {
                    tell(text);
                }
            }
            _ => {}
        }
    }
}

fn change_texts(document: &mut Document, change: &impl Fn(&str) -> Option<String>) {
    for way in leaves(document) {
        let Some(mut value) = get(document, &way).cloned() else {
            continue;
        };
        let texts = match &mut value {
            Value::Array(list) => list.iter_mut().collect(),
            one => vec![one],
        };
        for text in texts {
            if let Some(changed) = text.as_str().and_then(change) {
                *text = Value::String(changed);
            }
        }
        set(document, &way, value);
    }
}

/// Lesser values of the same form, the least first.
fn lesser(value: &Value) -> Vec<Value> {
    let fewer = |number: i64| {
        let fewer: BTreeSet<i64> = [1, number / 2, number - 1].into();
        fewer.into_iter().filter(move |n| (1..number).contains(n))
    };
    match value {
        Value::Integer(number) => fewer(*number).map(Value::Integer).collect(),
        Value::Float(share) if *share != 1.0 => vec![Value::Float(1.0)],
        Value::String(text) => {
            let with_number = |before: &str, number: &str, after: &str| -> Vec<Value> {
                let Ok(number) = number.trim().parse::<i64>() else {
                    return Vec::new();
                };
                let all = fewer(number).map(|n| format!("{before}{n}{after}"));
                all.map(Value::String).collect()
            };
            if let Some((rate, unit)) = text.split_once("/s") {
                let slower = |number: &i64| number.to_string() != rate.trim();
                let few = [1, 5, 10, 20].into_iter().filter(slower);
                let below = rate.trim().parse::<f64>().unwrap_or(0.0);
                return few
                    .filter(|number| (*number as f64) < below)
                    .map(|number| Value::String(format!("{number}/s{unit}")))
                    .collect();
            }
            if let Some((before, rest)) = text.rsplit_once(", ")
                && let Some(number) = rest.strip_suffix(')')
            {
                return with_number(&format!("{before}, "), number, ")");
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::document::inline;

    #[test]
    fn lesser_values_keep_their_form() {
        let shown = |value: Value| {
            let lesser = lesser(&value);
            let shown: Vec<String> = lesser.iter().map(inline).collect();
            shown.join(" ")
        };
        assert_eq!(shown(Value::Integer(8)), "1 4 7");
        assert_eq!(shown(Value::Integer(1)), "");
        assert_eq!(shown("20/s".into()), r#""1/s" "5/s" "10/s""#);
        assert_eq!(
            shown("successors(key:k1, 4)".into()),
            r#""successors(key:k1, 1)" "successors(key:k1, 2)" "successors(key:k1, 3)""#
        );
        assert_eq!(shown("20%".into()), "");
        assert_eq!(shown(0.3.into()), "1.0");
    }

    #[test]
    fn everything_happens_sooner_together() {
        let text = "duration = \"5m\"\n[[fault]]\nat = \"2m\"\nfor = \"30s\"\n\
                    [[workload]]\nfrom = \"90s\"\nuntil = \"4m\"\n";
        let mut document = Document::read(text).unwrap();
        shift(&mut document, Duration::from_secs(100));
        end_at(&mut document, Duration::from_secs(140));
        assert_eq!(
            document.text(),
            "duration = \"2m20s\"\nworkload = [{ from = \"1s\" }]\n\
             fault = [{ at = \"20s\", for = \"30s\" }]\n"
        );
    }
}
