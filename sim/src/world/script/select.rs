//! Whom the scenario's selectors name at a moment: among the members, unless they say otherwise.

use std::collections::BTreeSet;

use cuerda_core::ring::Id;

use super::Machines;
use crate::scenario::Selector;

/// The nodes that a selector names now, in the order of their numbers.
pub(super) fn select<W: Machines>(world: &mut W, selector: &Selector) -> Vec<u32> {
    let mut taken = vec![false; world.machines() as usize];
    take(world, selector, &mut taken)
}

/// Several groups, none sharing a node with an earlier one.
pub(super) fn split<W: Machines>(world: &mut W, selectors: &[Selector]) -> Vec<Vec<u32>> {
    let mut taken = vec![false; world.machines() as usize];
    selectors
        .iter()
        .map(|selector| take(world, selector, &mut taken))
        .collect()
}

fn take<W: Machines>(world: &mut W, selector: &Selector, taken: &mut [bool]) -> Vec<u32> {
    let free: Vec<u32> = {
        let mut free = crowd(world, selector);
        free.retain(|&number| !taken[number as usize]);
        free.sort_unstable();
        free
    };
    let mut chosen = match selector {
        Selector::Node(number) => free.into_iter().filter(|other| other == number).collect(),
        Selector::Range(from, to) => {
            let within = |number: &u32| (*from..=*to).contains(number);
            free.into_iter().filter(within).collect()
        }
        Selector::Machine(number) => {
            let siblings = world.script().siblings(*number);
            free.into_iter()
                .filter(|other| siblings.contains(other))
                .collect()
        }
        Selector::Outside | Selector::Down => free,
        Selector::Count(count) => draw(world, free, *count as usize),
        Selector::Share(share) => {
            let count = libm::round(world.script().members.len() as f64 * share) as usize;
            draw(world, free, count)
        }
        Selector::Owner(key) => holders(world, key, 1, taken),
        Selector::Successors(key, count) => holders(world, key, *count as usize, taken),
        Selector::Arc(from, to) => {
            let on = |number: &u32| on_arc(world.peer(*number).id, *from, *to);
            free.into_iter().filter(on).collect()
        }
        Selector::Rest => free,
        Selector::List(selectors) => {
            let mut all = Vec::new();
            for selector in selectors {
                all.extend(take(world, selector, taken));
            }
            all
        }
    };
    chosen.sort_unstable();
    for &number in &chosen {
        taken[number as usize] = true;
    }
    chosen
}

/// Among whom a selector chooses: the members, unless it says otherwise.
fn crowd<W: Machines>(world: &W, selector: &Selector) -> Vec<u32> {
    let members = &world.script().members;
    let all = 0..world.machines();
    match selector {
        Selector::Outside => all
            .filter(|&number| world.is_up(number) && !members.has(number))
            .collect(),
        Selector::Down => all.filter(|&number| !world.is_up(number)).collect(),
        _ => members.all().to_vec(),
    }
}

/// So many of these at random, none twice.
fn draw<W: Machines>(world: &mut W, mut from: Vec<u32>, count: usize) -> Vec<u32> {
    let chooser = &mut world.script_mut().chooser;
    let count = count.min(from.len());
    for place in 0..count {
        let other = place + chooser.below((from.len() - place) as u64) as usize;
        from.swap(place, other);
    }
    from.truncate(count);
    from
}

/// The first members at or after a key, each of another process, that are not taken.
fn holders<W: Machines>(world: &W, key: &str, count: usize, taken: &[bool]) -> Vec<u32> {
    let members = &world.script().members;
    let mut holders: Vec<u32> = Vec::new();
    for (_, number) in members.from(Id::of_key(key.as_bytes())) {
        if holders.len() == count {
            break;
        }
        // Each is another process.
        let siblings = world.script().siblings(number);
        if !holders.iter().any(|other| siblings.contains(other)) {
            holders.push(number);
        }
    }
    holders.retain(|&number| !taken[number as usize]);
    holders
}

/// With each node all others of its process, as far as they run if `up` is asked for. Who is in an
/// earlier group is in no later one.
pub(super) fn whole_processes<W: Machines>(world: &W, groups: &mut [Vec<u32>], up: bool) {
    if world.script().per_process() == 1 {
        return;
    }
    let mut taken = BTreeSet::new();
    for group in groups {
        let named = std::mem::take(group);
        for number in named {
            let siblings = world.script().siblings(number);
            let wanted = siblings.filter(|&other| !up || world.is_up(other));
            group.extend(wanted.filter(|&other| taken.insert(other)));
        }
        group.sort_unstable();
    }
}

/// Whether a point lies between two fractions of the circle, half-open; the arc may wrap.
fn on_arc(point: Id, from: f64, to: f64) -> bool {
    let fraction = point.high() as f64 / (u64::MAX as f64 + 1.0);
    if from <= to {
        from <= fraction && fraction < to
    } else {
        from <= fraction || fraction < to
    }
}
