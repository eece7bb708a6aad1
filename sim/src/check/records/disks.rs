//! What each machine has on its disk, as far as was told.

use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::record::{Field, Record, Stamp};
use cuerda_core::ring::Id;
use cuerda_core::store::Batch;

use super::FIELD;

/// The disks of all machines.
#[derive(Clone, Debug, Default)]
pub(super) struct Disks {
    held: BTreeMap<Id, BTreeMap<u32, Record>>,
    keys: BTreeMap<u32, BTreeSet<Id>>,
    /// The machines on which the node with an id has stored anything: two, if its key runs twice.
    machines: BTreeMap<Id, BTreeSet<u32>>,
    /// The highest stamp that a machine ever had of a key.
    ever: BTreeMap<(Id, u32), Stamp>,
    /// The highest stamp of a key, and the machine that had it first: its owner, who stores a write
    /// before it brings it to others.
    first: BTreeMap<Id, (Stamp, u32)>,
    /// Copies that are taken to be there though nobody has heard of them, by key and machine.
    believed: BTreeMap<Id, BTreeMap<u32, Stamp>>,
}

fn stamp(record: &Record) -> Option<Stamp> {
    record.field(FIELD).map(Field::stamp)
}

impl Disks {
    /// Takes in a batch, and returns the keys of which there is less than before.
    pub(super) fn committed(&mut self, machine: u32, id: Id, batch: &Batch) -> Vec<Id> {
        self.belongs(id, machine);
        let mut less = Vec::new();
        if batch.set_aside {
            let (had, _) = self.gone(machine);
            less.extend(had.into_iter().map(|(key, _)| key));
        }
        for (key, record) in &batch.records {
            let before = self.stamp(*key, machine);
            match record {
                Some(record) => {
                    let now = stamp(record);
                    if let Some(now) = now {
                        let ever = self.ever.entry((*key, machine)).or_insert(now);
                        *ever = now.max(*ever);
                        let first = self.first.entry(*key).or_insert((now, machine));
                        if now > first.0 {
                            *first = (now, machine);
                        }
                    }
                    let held = self.held.entry(*key).or_default();
                    held.insert(machine, record.clone());
                    self.keys.entry(machine).or_default().insert(*key);
                }
                None => self.forget(*key, machine),
            }
            // Now it is known what is there.
            self.doubt(*key, machine);
            if self.stamp(*key, machine) < before {
                less.push(*key);
            }
        }
        less
    }

    /// The node with this id is this machine's; perhaps another's too.
    pub(super) fn belongs(&mut self, id: Id, machine: u32) {
        self.machines.entry(id).or_default().insert(machine);
    }

    /// A copy that nobody has heard of is taken to be there until something is heard of the key.
    pub(super) fn believe(&mut self, key: Id, machine: u32, stamp: Stamp) {
        let believed = self.believed.entry(key).or_default();
        let most = believed.entry(machine).or_insert(stamp);
        *most = stamp.max(*most);
        self.keys.entry(machine).or_default().insert(key);
    }

    fn doubt(&mut self, key: Id, machine: u32) -> Option<Stamp> {
        self.believed.get_mut(&key)?.remove(&machine)
    }

    /// The stamp of a copy that is taken to be there.
    pub(super) fn believed(&self, key: Id, machine: u32) -> Option<Stamp> {
        self.believed.get(&key)?.get(&machine).copied()
    }

    /// The copy is no longer what it was; false if there is none.
    pub(super) fn spoilt(&mut self, machine: u32, key: Id) -> bool {
        let had = self.stamp(key, machine).is_some();
        self.forget(key, machine);
        had
    }

    /// All that is on a disk is gone: which keys with what stamps, and how many bytes.
    pub(super) fn gone(&mut self, machine: u32) -> (Vec<(Id, Stamp)>, u64) {
        let mut had = Vec::new();
        let mut bytes = 0;
        for key in self.keys.remove(&machine).unwrap_or_default() {
            let believed = self.doubt(key, machine);
            let held = self.held.get_mut(&key);
            let record = held.and_then(|held| held.remove(&machine));
            // Its place on the circle travels with it.
            bytes += record
                .as_ref()
                .map_or(0, |record| record.size() as u64 + 20);
            let best = record.as_ref().and_then(stamp).max(believed);
            had.extend(best.map(|stamp| (key, stamp)));
        }
        (had, bytes)
    }

    fn forget(&mut self, key: Id, machine: u32) {
        self.doubt(key, machine);
        if let Some(held) = self.held.get_mut(&key) {
            held.remove(&machine);
        }
        if let Some(keys) = self.keys.get_mut(&machine) {
            keys.remove(&key);
        }
    }

    fn stamp(&self, key: Id, machine: u32) -> Option<Stamp> {
        let heard = self.record(key, machine).and_then(stamp);
        heard.max(self.believed(key, machine))
    }

    /// What a machine has of a key.
    pub(super) fn record(&self, key: Id, machine: u32) -> Option<&Record> {
        self.held.get(&key)?.get(&machine)
    }

    /// The highest stamp of a key on any disk.
    pub(super) fn best(&self, key: Id) -> Option<Stamp> {
        let held = self.held.get(&key).into_iter().flatten();
        let heard = held.filter_map(|(_, record)| stamp(record));
        let believed = self.believed.get(&key).into_iter().flatten();
        heard.chain(believed.map(|(_, stamp)| *stamp)).max()
    }

    /// The highest stamp of a key that a machine ever had.
    pub(super) fn ever(&self, key: Id, machine: u32) -> Option<Stamp> {
        self.ever.get(&(key, machine)).copied()
    }

    /// The machine that had this version of a key first; `None` if a later one has come since.
    pub(super) fn first(&self, key: Id, stamp: Stamp) -> Option<u32> {
        let first = self.first.get(&key).filter(|(of, _)| *of == stamp);
        first.map(|(_, machine)| *machine)
    }

    /// The machines on which the node with this id has stored anything.
    pub(super) fn machines_of(&self, id: Id) -> impl Iterator<Item = u32> + Clone + '_ {
        self.machines.get(&id).into_iter().flatten().copied()
    }

    /// Whether anything is on a machine's disk.
    pub(super) fn has_any(&self, machine: u32) -> bool {
        self.keys.contains_key(&machine)
    }

    /// What a node is called.
    pub(super) fn name(&self, id: Id) -> String {
        let machines = self.machines_of(id).map(|machine| format!("n{machine}"));
        let machines: Vec<String> = machines.collect();
        match machines.is_empty() {
            true => format!("{id:.8}"),
            false => machines.join(" or "),
        }
    }

    /// The machines that have anything.
    pub(super) fn machines(&self) -> Vec<u32> {
        self.keys.keys().copied().collect()
    }
}
