//! A whole scenario from a seed: which settings, which faults, what clients do, how much of each.
//!
//! Leaving things out is half of it: most scenarios have few kinds of faults, and each of these
//! kinds often. First comes a part in which things go wrong, then one in which nothing does, so that
//! clients must be served again by its end. The quiet phase that follows every run looks at the rest.

use toml::{Table, Value};

use super::document::Document;
use super::hand::{Hand, MINUTE, SECOND, section, time, whole};
use super::promise::is_promised;
use super::vocabulary::{CHURN, FAULTS, Kind, SETTINGS};
use super::workloads::WORKLOADS;
use crate::scenario::World;
use crate::scenario::quantity::parse_duration;

/// As many machines there are at most; this keeps runs short, and fits the `turmoil` world.
const MACHINES: u32 = 48;

/// What scenarios are to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The world to play them in.
    pub world: World,
    /// What each must have at least one of, by the names of [`super::topics`]; anything if empty.
    pub about: Vec<String>,
}

impl Subject {
    fn wants(&self, name: &str) -> bool {
        self.about.iter().any(|wanted| wanted == name)
    }
}

/// The scenario of a seed. The same seed has the same scenario, on every machine.
///
/// # Panics
/// Never: what is drawn is a scenario, which a test holds true of many thousand seeds.
#[must_use]
pub fn draw(subject: &Subject, seed: u64) -> Document {
    let mut hand = Hand::new(seed);
    let mut document = Document::new();
    if subject.world != World::Events {
        document.set("world", subject.world.name());
    }
    // A file says seeds of 63 bits.
    document.set("seed", Value::Integer((seed & i64::MAX as u64) as i64));
    ring(subject, &mut hand, &mut document);
    let phase = hand.magnitude(MINUTE, 6 * MINUTE);
    hand.calm = whole(phase.max(20 * hand.period));
    let settling = settings(&mut hand, &mut document);
    network(&mut hand, &mut document);
    let mut names = clients(subject, &mut hand, &mut document);
    names.extend(faults(subject, &mut hand, &mut document));
    let end = hand.calm + settling;
    document.set("duration", time(end));
    scrubs(&mut document, settling);
    if hand.percent(25) {
        // More disks may go then than there are copies.
        document.set(
            "checks",
            Value::Array(vec!["ring".into(), "lookups".into()]),
        );
    }
    keep_promises(&mut document);
    names.dedup();
    document.set("title", format!("Drawn: {}", names.join(", ")));
    document
}

/// Where copies rot, all is read before the run ends: in a day, as by default, nothing would be found.
fn scrubs(document: &mut Document, settling: u64) {
    let flips = |fault: &Value| fault.get("what").and_then(Value::as_str) == Some("flip");
    if document.list("fault").iter().any(flips)
        && let Some(Value::Table(node)) = document.top_mut().get_mut("node")
    {
        node.insert("scrub_every".to_owned(), time(settling / 4));
    }
}

/// Leaves out faults, the last ones first, until nothing is asked for that nobody promised.
fn keep_promises(document: &mut Document) {
    let kept = |document: &Document| {
        let scenario = document.scenario("drawn.toml");
        scenario.is_ok_and(|scenario| is_promised(&scenario))
    };
    for name in ["churn", "fault"] {
        while !kept(document) && !document.list(name).is_empty() {
            if let Some(Value::Array(list)) = document.top_mut().get_mut(name) {
                list.pop();
            }
        }
    }
    document
        .top_mut()
        .retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
}

/// How many nodes, and how many of them matter to a record and to a neighbour.
fn ring(subject: &Subject, hand: &mut Hand, document: &mut Document) {
    let successors = hand.pick(&[2_u32, 3, 4, 4, 6, 8, 8, 12, 16]);
    let replicas = hand.pick(&[1_u32, 2, 3, 3, 3, 3, 5]).min(successors);
    let (k, r) = (replicas, successors);
    let nodes = if hand.percent(50) {
        hand.pick(&[1, 2, 3, k, k + 1, r, r + 1, r + 2, 5, 8, 12])
    } else {
        hand.magnitude(3, 28) as u32
    };
    (hand.nodes, hand.replicas, hand.successors) = (nodes.clamp(1, 28), replicas, successors);
    hand.period = hand.pick(&[1, 1, 2, 2, 3, 5, 5]) * SECOND;
    if subject.world == World::Events && hand.percent(8) {
        let most = (hand.successors / (hand.replicas - 1).max(1)).min(4);
        hand.virtual_nodes = hand.number(1, u64::from(most)) as u32;
        hand.nodes = hand.nodes.next_multiple_of(hand.virtual_nodes);
    }
    let mut ring = section([("nodes", i64::from(hand.nodes).into())]);
    if hand.percent(10) {
        ring.insert("start".to_owned(), "join".into());
    }
    if hand.virtual_nodes > 1 {
        let each = i64::from(hand.virtual_nodes);
        ring.insert("virtual_nodes".to_owned(), each.into());
    }
    document.set("ring", Value::Table(ring));
}

/// Draws the settings, and returns how long a ring may need to settle with them.
fn settings(hand: &mut Hand, document: &mut Document) -> u64 {
    let mut node = Table::new();
    // The defaults are drawn too: they are what most rings have.
    if hand.successors != 8 {
        node.insert("successors".to_owned(), i64::from(hand.successors).into());
    }
    if hand.replicas != 3.min(hand.successors) {
        node.insert("replicas".to_owned(), i64::from(hand.replicas).into());
    }
    if hand.nodes < hand.replicas && hand.percent(80) {
        node.insert("acks".to_owned(), i64::from(hand.nodes).into());
    } else if hand.replicas > 1 && hand.percent(15) {
        let acks = hand.number(1, u64::from(hand.replicas));
        node.insert("acks".to_owned(), (acks as i64).into());
    }
    node.insert("stabilize_every".to_owned(), time(hand.period));
    for length in [hand.period, 5 * SECOND, 20 * hand.period] {
        hand.means(length);
    }
    for setting in SETTINGS {
        if hand.percent(setting.named) {
            let value = (setting.draw)(hand);
            node.insert(setting.key.to_owned(), value);
        }
    }
    let lasts = |key: &str, default: u64| node.get(key).map_or(default, milliseconds);
    let found = lasts("found_after", MINUTE);
    let hand_over = lasts("hand_over_within", MINUTE);
    let probes = lasts("probe_every_max", 2 * hand.period);
    let repair = lasts("repair_every", 2 * hand.period);
    let settling = (25 * hand.period).max(4 * probes).max(5 * repair);
    let settling = settling.max(hand_over) + 2 * found;
    document.set("node", Value::Table(node));
    whole(settling)
}

/// A length of time in a file, in milliseconds; nothing if it is none.
fn milliseconds(value: &Value) -> u64 {
    let said = value.as_str().map(parse_duration);
    said.and_then(Result::ok)
        .map_or(0, |said| said.as_millis() as u64)
}

fn network(hand: &mut Hand, document: &mut Document) {
    let latency = match hand.number(0, 13) {
        0..4 => None,
        4 => Some(("plane", time(whole(hand.magnitude(20, 400)).max(10)))),
        5 => Some(("regions", regions(hand))),
        6..8 => Some(("fixed", time(whole(hand.magnitude(2, 200)).max(10)))),
        8..11 => Some(("exponential", time(whole(hand.magnitude(5, 150)).max(10)))),
        _ => {
            let least = whole(hand.magnitude(2, 50));
            let most = least + whole(hand.magnitude(10, 200));
            Some(("uniform", Value::Array(vec![time(least), time(most)])))
        }
    };
    let mut network = Table::new();
    if let Some((form, value)) = latency {
        network.insert("latency".to_owned(), Value::Table(section([(form, value)])));
    }
    for (key, shares) in [("loss", [0.001, 0.01]), ("duplicate", [0.01, 0.1])] {
        if hand.percent(6) {
            let share = hand.pick(&shares);
            network.insert(key.to_owned(), share.into());
        }
    }
    if !network.is_empty() {
        document.set("network", Value::Table(network));
    }
}

/// Two or three places that are near to each other or far.
fn regions(hand: &mut Hand) -> Value {
    let many = hand.number(2, 3);
    let row = |hand: &mut Hand, from: u64| {
        let to = |to: u64| match to == from {
            true => time(10),
            false => time(whole(hand.magnitude(20, 400)).max(10)),
        };
        Value::Array((0..many).map(to).collect())
    };
    Value::Array((0..many).map(|from| row(hand, from)).collect())
}

/// Draws what clients do; returns what it is called.
fn clients(subject: &Subject, hand: &mut Hand, document: &mut Document) -> Vec<&'static str> {
    hand.keys = hand.pick(&[1, 5, 20, 40, 40, 100]);
    let is_about = WORKLOADS.iter().any(|kind| subject.wants(kind.name));
    let weights = WORKLOADS
        .iter()
        .map(|kind| match is_about && !subject.wants(kind.name) {
            true => 0,
            false => kind.weight,
        });
    let kind = &WORKLOADS[hand.weighted(weights)];
    for workload in (kind.draw)(hand) {
        document.push("workload", workload);
    }
    vec![kind.name]
}

/// Draws what goes wrong; returns what it is called.
fn faults(subject: &Subject, hand: &mut Hand, document: &mut Document) -> Vec<&'static str> {
    let kinds = kinds(subject, hand);
    let mut names: Vec<&str> = kinds.iter().map(|&kind| FAULTS[kind].name).collect();
    let mut room = MACHINES.saturating_sub(hand.nodes);
    let many = hand.magnitude(kinds.len().max(1) as u64, 6);
    for turn in 0..many as usize {
        let Some(&kind) = kinds.get(turn).or_else(|| kinds.first()) else {
            break;
        };
        let kind = match turn < kinds.len() {
            true => kind,
            false => hand.pick(&kinds),
        };
        let fault = (FAULTS[kind].draw)(hand);
        for mut fault in spread(hand, fault) {
            let joins = fault.get("kind").and_then(Value::as_str) == Some("join");
            if let Some(count) = fault.get("count").and_then(Value::as_integer)
                && joins
            {
                let each = i64::from(hand.virtual_nodes);
                let count = count.min(i64::from(room) / each);
                room -= (count * each) as u32;
                hand.newcomers += (count * each) as u32;
                fault.insert("count".to_owned(), count.into());
                if count == 0 {
                    continue;
                }
            }
            document.push("fault", fault);
        }
    }
    let wants_churn = subject.wants(CHURN);
    if wants_churn || (subject.about.is_empty() && hand.percent(15)) {
        churn(hand, document, room);
        names.push(CHURN);
    }
    names
}

/// Which kinds go wrong: few, and each perhaps several times.
fn kinds(subject: &Subject, hand: &mut Hand) -> Vec<usize> {
    let can = |kind: &Kind<Table>| subject.world == World::Events || !kind.only_events;
    let wanted = |place: &usize| can(&FAULTS[*place]) && subject.wants(FAULTS[*place].name);
    let about: Vec<usize> = (0..FAULTS.len()).filter(wanted).collect();
    let weight = |kind: &Kind<Table>| if can(kind) { kind.weight } else { 0 };
    let only_others = !subject.about.is_empty() && about.is_empty();
    let many = match hand.number(0, 99) {
        _ if only_others && hand.percent(50) => 0,
        0..4 => 0,
        4..40 => 1,
        40..72 => 2,
        72..90 => 3,
        _ => 4,
    };
    let mut kinds = Vec::new();
    if !about.is_empty() {
        kinds.push(hand.pick(&about));
    }
    while kinds.len() < many {
        let kind = match !about.is_empty() && hand.percent(50) {
            true => hand.pick(&about),
            false => hand.weighted(FAULTS.iter().map(weight)),
        };
        if kinds.contains(&kind) && hand.percent(50) {
            break;
        }
        kinds.push(kind);
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Gives a fault its beginning and its length. Now and then it comes to one node after the other
/// instead of to all at once, or twice.
pub(super) fn spread(hand: &mut Hand, fault: Table) -> Vec<Table> {
    let at = hand.moment();
    if fault.contains_key("apart") {
        return vec![in_turn(hand, fault, at)];
    }
    let one_by_one = fault.contains_key("nodes") && hand.nodes > 1 && hand.percent(18);
    let twice = hand.percent(10);
    let lasts = fault.contains_key("for").then(|| hand.length(at));
    let mut all = Vec::new();
    if one_by_one {
        let crowd = hand.crowd().min(8);
        let names = match hand.named(crowd) {
            Value::Array(names) => names,
            one => vec![one],
        };
        let step = hand.magnitude(100, 40 * SECOND);
        let apart = hand.pick(&[100, SECOND, 5 * SECOND, 15 * SECOND, step]);
        let lasts = lasts.map(|lasts| match hand.percent(50) {
            // Whoever was away is back before the next one goes.
            true => lasts.min(whole(apart / 3).max(10)),
            false => lasts,
        });
        for (turn, name) in (0..).zip(names) {
            let mut one = fault.clone();
            one.insert("nodes".to_owned(), name);
            all.push(timed(hand, one, at + turn * apart, lasts));
        }
    } else {
        all.push(timed(hand, fault.clone(), at, lasts));
        if twice {
            let again = hand.moment();
            all.push(timed(hand, fault, again, lasts));
        }
    }
    all
}

/// A fault that hits one node after the other: all of them before the calm.
fn in_turn(hand: &mut Hand, mut fault: Table, at: u64) -> Table {
    let turns = match fault.get("nodes") {
        Some(Value::Array(names)) => names.len() as u64,
        // Newcomers may be among them, by chance more than there is room for on average.
        _ => u64::from(MACHINES + MACHINES / 2),
    };
    let at = at.min(hand.calm / 2);
    let step = hand.magnitude(100, 40 * SECOND);
    let apart = hand.pick(&[SECOND, 5 * SECOND, 15 * SECOND, step, step]);
    let apart = apart.min((hand.calm - at) / (turns + 1)).max(10);
    let lasts = fault.contains_key("for").then(|| {
        let drawn = hand.length(at);
        match hand.percent(60) {
            // Whoever was away is back before the next one goes.
            true => drawn.min(whole(apart / 3).max(10)),
            false => drawn,
        }
    });
    let room = hand.calm.saturating_sub(at + apart * turns).max(10);
    fault.insert("apart".to_owned(), time(apart));
    hand.happens(at + apart * turns.saturating_sub(1));
    timed(hand, fault, at, lasts.map(|lasts| lasts.min(room)))
}

fn timed(hand: &mut Hand, mut fault: Table, at: u64, lasts: Option<u64>) -> Table {
    let at = at.min(hand.calm.saturating_sub(SECOND));
    fault.insert("at".to_owned(), time(at));
    if let Some(age) = fault.get("age").cloned() {
        // No disk is older than the run.
        let age = milliseconds(&age).min(at.max(10));
        fault.insert("age".to_owned(), time(age));
    }
    if let Some(lasts) = lasts {
        let lasts = lasts.min(hand.calm - at).max(10);
        hand.lasts(at, at + lasts);
        fault.insert("for".to_owned(), time(lasts));
    } else {
        hand.happens(at);
    }
    // Those whom it would hit may have gone.
    fault.insert("may_miss".to_owned(), true.into());
    fault
}

/// Nodes come and go for a while, about as many as there are.
fn churn(hand: &mut Hand, document: &mut Document, room: u32) {
    let from = hand.moment().min(hand.calm / 2);
    let until = hand.calm - whole(hand.number(0, hand.calm / 4));
    let window = until.saturating_sub(from).max(SECOND);
    let mut churn = section([("from", time(from)), ("until", time(until))]);
    let mut said = false;
    for (key, share) in [("join", 80), ("leave", 60), ("crash", 40)] {
        if !hand.percent(share) && (said || key != "crash") {
            continue;
        }
        // Room for twice as many nodes as come on average, each process with all of its own.
        let room = match key {
            "join" => room / 3 / hand.virtual_nodes,
            _ => room / 3,
        };
        if key == "join" && room < hand.virtual_nodes.min(2) {
            continue;
        }
        said = true;
        let many = hand.magnitude(2, u64::from(room.clamp(2, 16)));
        let each = (window / many).max(10);
        let Value::String(each) = time(each) else {
            continue;
        };
        churn.insert(key.to_owned(), format!("1/{each}").into());
    }
    document.push("churn", churn);
}

#[cfg(test)]
mod tests {
    use super::super::topics;
    use super::*;
    use crate::scenario::{FaultKind, Scenario};
    use proptest::prelude::*;

    fn scenario(subject: &Subject, seed: u64) -> Scenario {
        let document = draw(subject, seed);
        let read = document.scenario("drawn.toml");
        read.unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}\n{}", document.text()))
    }

    fn anything(world: World) -> Subject {
        let about = Vec::new();
        Subject { world, about }
    }

    #[test]
    fn thousands_of_seeds_draw_scenarios() {
        for seed in 0..4000 {
            scenario(&anything(World::Events), seed);
            scenario(&anything(World::Turmoil), seed);
        }
    }

    proptest! {
        #[test]
        fn every_seed_draws_a_scenario_about_what_was_asked(
            seed: u64, about in prop::sample::subsequence(topics(), 0..4)
        ) {
            let about = about.into_iter().map(str::to_owned).collect();
            let subject = Subject { world: World::Events, about };
            let drawn = scenario(&subject, seed);
            let title = &drawn.title;
            let has = |name: &String| title.contains(name.as_str());
            prop_assert!(subject.about.is_empty() || subject.about.iter().any(has), "{title}");
            prop_assert!(drawn.machines() <= 64);
        }
    }

    /// Where visitors leave no room, nobody comes by churn.
    #[test]
    fn churn_brings_no_more_nodes_than_there_is_room_for() {
        let drawn = scenario(&anything(World::Events), 2_065_611_891_329_600_956);
        assert!(drawn.machines() <= 64, "{drawn:#?}");
    }

    /// What many scenarios are like that nobody wrote down.
    #[test]
    fn edges_and_overlaps_are_drawn() {
        let drawn: Vec<Scenario> = (0..2000)
            .map(|seed| scenario(&anything(World::Events), seed))
            .collect();
        let share = |holds: &dyn Fn(&Scenario) -> bool| {
            drawn.iter().filter(|scenario| holds(scenario)).count() * 100 / drawn.len()
        };
        assert!(share(&|it| it.nodes == 1) >= 1);
        assert!(share(&|it| it.nodes <= 4) >= 20);
        assert!(share(&|it| it.faults.len() > 1) >= 40);
        let at_once = |it: &Scenario| {
            let times = |at| it.faults.iter().filter(|fault| fault.at == at).count() > 1;
            it.faults.iter().any(|fault| times(fault.at))
        };
        assert!(share(&at_once) >= 10);
        let leaves = |it: &Scenario| {
            let kinds = it.faults.iter().map(|fault| &fault.kind);
            kinds
                .into_iter()
                .any(|kind| matches!(kind, FaultKind::Leave { .. }))
        };
        let leaves = share(&leaves);
        assert!((10..60).contains(&leaves), "{leaves}");
    }

    #[test]
    fn what_a_seed_draws_stays_the_same() {
        insta::assert_snapshot!(draw(&anything(World::Events), 4).text());
    }
}
