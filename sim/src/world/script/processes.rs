//! What operators do to processes, their disks and their clocks: processes move, old disks come
//! back, the same key runs twice, clocks are set and go wrong.

use cuerda_core::protocol::Input;
use cuerda_core::record::DigestSource as _;
use cuerda_core::ring::{Id, KeyRange};
use cuerda_core::store::{Batch, MemoryStore};

use super::Machines;
use super::coming::enter;
use super::select::{select, whole_processes};
use crate::scenario::FaultKind;
use crate::world::{Cause, Effect, Watcher};

/// A machine that is down is elsewhere when it starts again, and remembers whom it knew.
pub(super) fn relocate<W: Machines>(world: &mut W, number: u32) {
    let remembered = world.remembered(number);
    let on_disk = &mut world.script_mut().remembered;
    on_disk.entry(number).or_insert(remembered);
    world.relocate(number);
}

/// The disks are copied that an occurrence will bring back.
pub(super) fn copy<W: Machines>(world: &mut W, occurrence: usize) {
    let fault = world.script().occurrences.fault(occurrence);
    let kind = world.script().scenario.faults[fault].kind.clone();
    let FaultKind::Snapshot { nodes, .. } = kind else {
        return;
    };
    let mut chosen = [select(world, &nodes)];
    whole_processes(world, &mut chosen, false);
    let [chosen] = chosen;
    let copies = chosen
        .into_iter()
        .map(|number| (number, world.copy_disk(number)))
        .collect();
    world.script_mut().copies.insert(occurrence, copies);
}

/// Whose disks were copied for an occurrence.
pub(super) fn copied<W: Machines>(world: &W, occurrence: usize) -> Vec<u32> {
    let copies = world.script().copies.get(&occurrence);
    let copies = copies.into_iter().flatten();
    copies.map(|&(number, _)| number).collect()
}

/// The disks of machines that are down are as they were when they were copied.
pub(super) fn bring_back<W: Machines>(
    world: &mut W,
    effect: &Effect,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let script = world.script_mut();
    let copies = script.copies.remove(&effect.occurrence).unwrap_or_default();
    let mut told = Vec::new();
    for (number, copy) in copies {
        told.push((
            number,
            world.peer(number).id,
            contents(copy.store.as_deref()),
        ));
        let remembered = copy.remembered.clone();
        world.script_mut().remembered.insert(number, remembered);
        world.put_disk(number, copy);
        // It may have been a member when that was copied.
        world.script_mut().blank.remove(&number);
    }
    let at = world.moment(Cause::FaultBegan(effect.index));
    watcher.disks_replaced(at, &told);
}

/// Second processes start beside the first, each with a copy of the other's disk.
pub(super) fn start_twins<W: Machines>(
    world: &mut W,
    effect: &Effect,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let mut told = Vec::new();
    let mut remembered = Vec::new();
    for (&of, &twin) in effect.groups[0].iter().zip(&effect.groups[1]) {
        let copy = world.copy_disk(of);
        told.push((twin, world.peer(twin).id, contents(copy.store.as_deref())));
        remembered.push(copy.remembered.clone());
        world.put_disk(twin, copy);
    }
    let at = world.moment(Cause::FaultBegan(effect.index));
    watcher.disks_replaced(at, &told);
    for (&twin, remembered) in effect.groups[1].iter().zip(remembered) {
        enter(world, twin, watcher);
        world.order(twin, Input::Remember(remembered), "remember", watcher);
    }
}

/// All that is on a disk, as if it were written in place of what was there.
fn contents(store: Option<&MemoryStore>) -> Batch {
    let whole = KeyRange::new(Id::ZERO, Id::ZERO);
    let records = store.into_iter().flat_map(|store| {
        let entries = store.entries(whole);
        entries.map(|entry| (entry.key, store.peek(entry.key).cloned()))
    });
    Batch {
        number: 0,
        records: records.collect(),
        notes: None,
        set_aside: true,
    }
}

/// Wall clocks are set by so many milliseconds, and gain so many millionths of the time from now on.
pub(super) fn set_clocks<W: Machines>(world: &mut W, effect: &Effect, (jump, drift): (i64, i64)) {
    let now = world.now();
    let since = &mut world.script_mut().wrong_since;
    since.insert(effect.occurrence, now);
    for &number in &effect.groups[0] {
        world.skew(number, jump);
        if drift != 0 {
            world.drift(number, drift);
        }
    }
}

/// The same wall clocks are right again.
pub(super) fn right_clocks<W: Machines>(world: &mut W, effect: &Effect, (jump, drift): (i64, i64)) {
    let now = world.now();
    let since = world.script_mut().wrong_since.remove(&effect.occurrence);
    let lasted = now.saturating_sub(since.unwrap_or(now));
    let gained = i128::from(lasted) * i128::from(drift) / 1_000_000_000_000;
    let gained = i64::try_from(gained).unwrap_or(i64::MAX);
    for &number in &effect.groups[0] {
        if drift != 0 {
            world.drift(number, -drift);
        }
        world.skew(number, jump.saturating_add(gained).saturating_neg());
    }
}
