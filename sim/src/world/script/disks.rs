//! Disks that go wrong: which records are spoilt, and what the end of a node means whose disk
//! broke.

use cuerda_core::record::DigestSource;
use cuerda_core::ring::{Id, KeyRange};

use super::coming::tell_gone;
use super::machines::Broken;
use super::{Machines, take_down};
use crate::scenario::DiskFault;
use crate::world::{Cause, DiskGone, Gone, Moment, Watcher, nanoseconds};

pub(super) fn begin<W: Machines>(
    world: &mut W,
    numbers: Vec<u32>,
    what: DiskFault,
    cause: Cause,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    for number in numbers {
        match what {
            DiskFault::Fails => world.break_disk(number, Some(Broken::Fails), watcher),
            DiskFault::Torn => world.break_disk(number, Some(Broken::Torn), watcher),
            DiskFault::Flip(count) => flip(world, number, count, cause, watcher),
            DiskFault::Slow(extra) => world.slow_disk(number, signed(nanoseconds(extra))),
        }
    }
}

pub(super) fn end<W: Machines>(
    world: &mut W,
    number: u32,
    what: DiskFault,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    match what {
        DiskFault::Fails | DiskFault::Torn => world.break_disk(number, None, watcher),
        DiskFault::Flip(_) => {}
        DiskFault::Slow(extra) => world.slow_disk(number, -signed(nanoseconds(extra))),
    }
}

fn signed(time: crate::world::Time) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// A bit flips in some of the records on a disk.
fn flip<W: Machines>(
    world: &mut W,
    number: u32,
    count: u32,
    cause: Cause,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let whole = KeyRange::new(Id::ZERO, Id::ZERO);
    let keys = world.with_store(number, |store| {
        let entries = store.entries(whole);
        entries.map(|entry| entry.key).collect::<Vec<Id>>()
    });
    let mut keys = keys.unwrap_or_default();
    let at = world.moment(cause);
    for _ in 0..count {
        if keys.is_empty() {
            break;
        }
        let place = world.script_mut().chooser.below(keys.len() as u64) as usize;
        let key = keys.swap_remove(place);
        if world.with_store(number, |store| store.damage(key)) == Some(true) {
            watcher.spoilt(at, number, key);
        }
    }
}

/// A disk broke under a node, which is the end of that node.
pub(in crate::world) fn broke<W: Machines>(
    world: &mut W,
    number: u32,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let id = world.peer(number).id;
    let member = world.script_mut().members.remove(id, number);
    take_down(world, number, at, watcher);
    if member {
        watcher.gone(at, number, Gone::Crashed);
    }
    tell_gone(world, &[number], DiskGone::Away, at, watcher);
}
