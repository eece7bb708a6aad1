//! Scenarios near one that reached something new: with a piece of another one, with something left
//! out or done again at another time, or the same story with other chance from a moment on.

use toml::Value;

use super::document::Document;
use super::draw::spread;
use super::hand::{Hand, MINUTE, SECOND, section, time};
use super::promise::is_promised;
use super::vocabulary::FAULTS;
use crate::scenario::quantity::parse_duration;

/// The same story, with other chance from `at` milliseconds on.
pub(super) fn forked(document: &Document, at: u64, seed: u64) -> Document {
    let mut document = document.clone();
    let seed = Value::Integer((seed & i64::MAX as u64) as i64);
    document.push("reseed", section([("at", time(at.max(1))), ("seed", seed)]));
    document
}

/// A scenario near this one, and perhaps near the other.
pub(super) fn mutated(document: &Document, other: &Document, seed: u64) -> Document {
    let mut hand = Hand::new(seed);
    let mut document = document.clone();
    document.set("seed", Value::Integer((seed & i64::MAX as u64) as i64));
    // As drawn scenarios have it; calm comes after the last fault.
    let length = |key: &str| millis(document.top().get(key));
    let end = length("duration").unwrap_or(5 * MINUTE);
    let last = last_end(&document);
    hand.nodes = nodes(&document);
    (hand.replicas, hand.successors, hand.keys) = (3, 8, 4);
    hand.calm = last.max(30 * SECOND).min(end);
    for fault in document.list("fault") {
        if let Some(at) = millis(fault.get("at")) {
            hand.happens(at);
            if let Some(lasts) = millis(fault.get("for")) {
                hand.lasts(at, at + lasts);
                hand.means(lasts);
            }
        }
    }
    for _ in 0..hand.number(1, 3) {
        let turn = hand.number(0, 5);
        let changed = match turn {
            0 => without_one(&mut hand, &document),
            1 => moved(&mut hand, &document),
            2 => with_one_more(&mut hand, &document),
            3 => with_one_of(&mut hand, &document, other),
            4 => longer(&mut hand, &document),
            _ => with_settings_of(&document, other),
        };
        // What is no scenario any more, or asks for too much, is left as it was.
        if changed
            .scenario("mutated.toml")
            .is_ok_and(|it| is_promised(&it))
        {
            document = changed;
        }
    }
    document
}

fn millis(value: Option<&Value>) -> Option<u64> {
    let duration = parse_duration(value?.as_str()?).ok()?;
    u64::try_from(duration.as_millis()).ok()
}

fn nodes(document: &Document) -> u32 {
    let ring = document.top().get("ring").and_then(Value::as_table);
    let nodes = ring.and_then(|ring| ring.get("nodes")?.as_integer());
    nodes
        .and_then(|nodes| u32::try_from(nodes).ok())
        .unwrap_or(1)
}

/// When the last fault ends.
fn last_end(document: &Document) -> u64 {
    let ends = document.list("fault").iter().map(|fault| {
        let at = millis(fault.get("at")).unwrap_or_default();
        at + millis(fault.get("for")).unwrap_or_default()
    });
    ends.max().unwrap_or_default()
}

/// One of the faults, by its place.
fn any_fault(hand: &mut Hand, document: &Document) -> Option<usize> {
    let many = document.list("fault").len() as u64;
    (many > 0).then(|| hand.number(0, many - 1) as usize)
}

fn faults(document: &mut Document) -> Option<&mut Vec<Value>> {
    document.top_mut().get_mut("fault")?.as_array_mut()
}

fn without_one(hand: &mut Hand, document: &Document) -> Document {
    let mut changed = document.clone();
    if let Some(place) = any_fault(hand, document)
        && let Some(faults) = faults(&mut changed)
    {
        faults.remove(place);
    }
    changed
}

/// One fault comes at another time.
fn moved(hand: &mut Hand, document: &Document) -> Document {
    let mut changed = document.clone();
    let at = hand.moment();
    if let Some(place) = any_fault(hand, document)
        && let Some(fault) = faults(&mut changed).and_then(|faults| faults[place].as_table_mut())
    {
        let lasts = millis(fault.get("for")).unwrap_or_default();
        let at = at.min(hand.calm.saturating_sub(lasts));
        fault.insert("at".to_owned(), time(at));
    }
    changed
}

/// One fault lasts another time.
fn longer(hand: &mut Hand, document: &Document) -> Document {
    let mut changed = document.clone();
    if let Some(place) = any_fault(hand, document)
        && let Some(fault) = faults(&mut changed).and_then(|faults| faults[place].as_table_mut())
        && fault.contains_key("for")
        && let Some(at) = millis(fault.get("at"))
    {
        let lasts = hand.length(at);
        fault.insert("for".to_owned(), time(lasts));
    }
    changed
}

fn with_one_more(hand: &mut Hand, document: &Document) -> Document {
    let mut changed = document.clone();
    let kind = hand.weighted(FAULTS.iter().map(|kind| kind.weight));
    let fault = (FAULTS[kind].draw)(hand);
    for fault in spread(hand, fault) {
        changed.push("fault", fault);
    }
    changed
}

fn with_one_of(hand: &mut Hand, document: &Document, other: &Document) -> Document {
    let mut changed = document.clone();
    if let Some(place) = any_fault(hand, other)
        && let Some(fault) = other.list("fault")[place].as_table()
    {
        changed.push("fault", fault.clone());
    }
    changed
}

fn with_settings_of(document: &Document, other: &Document) -> Document {
    let mut changed = document.clone();
    if let Some(node) = other.top().get("node") {
        changed.set("node", node.clone());
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Subject, draw};
    use crate::scenario::World;

    #[test]
    fn what_is_near_a_scenario_is_one_and_another() {
        let subject = Subject {
            world: World::Events,
            about: Vec::new(),
        };
        let mut others = 0;
        for seed in 0..500 {
            let (document, other) = (draw(&subject, seed), draw(&subject, seed + 1000));
            let near = mutated(&document, &other, seed);
            assert!(near.scenario("near.toml").is_ok(), "{}", near.text());
            others += u32::from(near.list("fault") != document.list("fault"));
            let fork = forked(&document, 7 * SECOND, seed);
            let scenario = fork.scenario("fork.toml").unwrap();
            assert_eq!(scenario.reseeds.len(), 1);
        }
        assert!(others > 250, "{others} of 500 have other faults");
    }
}
