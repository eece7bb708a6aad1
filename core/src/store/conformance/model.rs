//! Any history, held against a model that is too simple to be wrong: a list of maps.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::{DigestSource, RangeDigest};
use crate::ring::KeyRange;

#[derive(Clone, Debug)]
enum Step {
    Put(u8, Record),
    Remove(u8),
    Note(u64),
    SetAside,
    Seal,
    /// So many of the batches on their way reach the disk.
    Write(usize),
    /// All that did is told to the store.
    Tell,
    Damage(u8),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let keys = 0..4_u8;
    let fields = prop::collection::vec((0..5_u8, "[ab]{0,2}", 0..3_u64), 1..4);
    let record = fields.prop_map(|fields| {
        let mut record = Record::default();
        for (name, value, milliseconds) in fields {
            let _ = record.merge(field(&name.to_string(), &value, milliseconds));
        }
        record
    });
    prop_oneof![
        6 => (keys.clone(), record).prop_map(|(key, record)| Step::Put(key, record)),
        2 => keys.clone().prop_map(Step::Remove),
        1 => (0..3_u64).prop_map(Step::Note),
        1 => Just(Step::SetAside),
        5 => Just(Step::Seal),
        4 => (1..3_usize).prop_map(Step::Write),
        4 => Just(Step::Tell),
        1 => keys.prop_map(Step::Damage),
        2 => Just(Step::Crash),
    ]
}

/// What a reader finds: what each key has, and the notes.
#[derive(Clone, Debug, Default)]
struct State {
    records: BTreeMap<Id, Record>,
    notes: Notes,
}

#[derive(Default)]
struct Model {
    /// As the node sees it.
    now: State,
    /// As it was when each of the batches on their way was sealed.
    sealed: Vec<(Batch, State)>,
    disk: State,
    /// Which records on the disk are damaged.
    damaged: Vec<Id>,
    /// The last batch on the disk that the store has not been told of.
    untold: Option<u64>,
}

pub fn any_history_ends_as_the_model_says<L: Lab>() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let histories = prop::collection::vec(step(), 0..40);
    let outcome = runner.run(&histories, |steps| {
        play::<L>(steps);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn play<L: Lab>(steps: Vec<Step>) {
    let mut lab = L::new();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Put(number, record) => {
                lab.store().put(key(number), record.clone());
                model.now.records.insert(key(number), record);
            }
            Step::Remove(number) => {
                lab.store().remove(key(number));
                model.now.records.remove(&key(number));
            }
            Step::Note(mark) => {
                let notes = Notes {
                    mark,
                    alive: 1,
                    forgotten: 0,
                    held: None,
                    scrubbed: None,
                };
                lab.store().note(notes);
                model.now.notes = notes;
            }
            Step::SetAside => {
                lab.store().set_aside();
                model.now.records.clear();
            }
            Step::Seal => {
                if let Some(batch) = lab.store().seal() {
                    model.sealed.push((batch, model.now.clone()));
                }
            }
            Step::Write(count) => {
                for _ in 0..count.min(model.sealed.len()) {
                    let (batch, state) = model.sealed.remove(0);
                    lab.write(&batch);
                    let gone = |key: &Id| batch.records.iter().any(|(of, _)| of == key);
                    model.damaged.retain(|key| !gone(key) && !batch.set_aside);
                    model.disk = state;
                    model.untold = Some(batch.number);
                }
            }
            Step::Tell => tell(&mut lab, &mut model),
            Step::Damage(number) => {
                // While the store believes a record to be on its way, it does not look there.
                tell(&mut lab, &mut model);
                let sound = !model.damaged.contains(&key(number));
                if sound && model.disk.records.contains_key(&key(number)) {
                    lab.damage(key(number));
                    model.damaged.push(key(number));
                }
            }
            Step::Crash => {
                lab.crash();
                model.sealed.clear();
                model.untold = None;
                model.now = model.disk.clone();
            }
        }
        check(&mut lab, &mut model);
    }
}

fn tell<L: Lab>(lab: &mut L, model: &mut Model) {
    if let Some(number) = model.untold.take() {
        lab.store().committed(number);
    }
}

fn check<L: Lab>(lab: &mut L, model: &mut Model) {
    for number in 0..4 {
        let key = key(number);
        let expected = model.now.records.get(&key).cloned();
        match lab.store().get(key) {
            Ok(found) => assert_eq!(found, expected, "key {number}"),
            Err(Damaged(of)) => {
                assert!(of == key && model.damaged.contains(&key), "key {number}");
                model.now.records.remove(&key);
            }
        }
    }
    assert_eq!(lab.store().notes(), model.now.notes);
    assert_eq!(lab.store().len(), model.now.records.len());
    let arc = KeyRange::new(Id::ZERO, Id::ZERO);
    let entries = model.now.records.iter();
    let entries = entries.map(|(&key, record)| crate::record::Entry {
        key,
        digest: record.digest(),
    });
    let digest: RangeDigest = entries.clone().collect();
    assert_eq!(lab.store().digest(arc), digest);
    let listed: Vec<_> = lab.store().entries(arc).collect();
    assert_eq!(listed, entries.collect::<Vec<_>>());
}
