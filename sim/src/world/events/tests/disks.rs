//! Disks that are slow or break, and what waits for them or goes down with them.

use cuerda_core::chord::{Input, Stamped};
use cuerda_core::record::{Field, Record, Stamp};
use cuerda_core::ring::Id;
use cuerda_core::store::Store as _;

use super::*;
use crate::world::Cause;
use crate::world::script::{Faults as _, Lifecycle as _, Orders as _};

const KEYS: [&[u8]; 3] = [b"a", b"b", b"c"];

/// As a node would that has got a record and answers for it: stages it, and sends a message that
/// tells of it and one that does not.
fn store(world: &mut World, number: u32, key: &[u8], log: &mut Log) {
    let holds = world.hosts[number as usize]
        .disk
        .as_ref()
        .is_some_and(|disk| disk.holds());
    let to = world.node((number + 1) % world.air.nodes).me();
    let host = &mut world.hosts[number as usize];
    // A tombstone of that time would be forgotten at once.
    let field = Field::new(Stamp::ZERO, None, "kept", None);
    let id = RequestId::of_node(99, 1);
    let body = cuerda_core::chord::RecordRequest::Read(Id::of_key(key));
    let clock = Stamp::ZERO;
    let request = Request::Records(Box::new(Stamped::new(clock, body)));
    let mut context: NodeContext<'_, Node> = NodeContext {
        me: host.node.me(),
        number,
        epoch: host.epoch,
        ahead_ms: 0,
        asked: None,
        air: &mut world.air,
        emitted: &mut world.emitted,
        store: &mut host.store,
        kept: holds.then_some(&mut world.kept),
    };
    context.store().put(Id::of_key(key), Record::of("", field));
    context.send(to, Message::Request { id, request });
    let request = Request::Ping;
    context.send(to, Message::Request { id, request });
    // What the node itself would do last.
    world.hand_over(number, holds, log);
}

impl World {
    /// The end of handling an input.
    fn hand_over(&mut self, number: u32, holds: bool, log: &mut Log) {
        let batch = self.hosts[number as usize]
            .store
            .as_mut()
            .and_then(|store| store.seal());
        let cause = Cause::Start;
        let at = Moment {
            now: self.air.now,
            cause,
        };
        match (holds, batch) {
            (true, batch) => self.hold(number, batch.as_ref(), at, log),
            (false, Some(batch)) => self.committed(number, &batch, at, log),
            (false, None) => {}
        }
    }

    /// What a restart would find.
    fn on_disk(&mut self, number: u32) -> Vec<bool> {
        let store = self.with_store(number, |store| store.clone());
        let mut store = store.expect("something was stored");
        store.crash();
        let found = |key: &&[u8]| store.peek(Id::of_key(key)).is_some();
        KEYS.iter().map(found).collect()
    }
}

fn commits(log: &Log) -> Vec<(Time, u64)> {
    let commits = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Committed(_, batch) => Some((*time, *batch)),
        _ => None,
    });
    commits.collect()
}

#[test]
fn a_sound_disk_has_everything_at_once() {
    let (mut world, mut log) = (world(5, ""), Log::default());
    store(&mut world, 0, KEYS[0], &mut log);
    assert_eq!(commits(&log), [(world.now(), 1)]);
    assert_eq!(world.on_disk(0), [true, false, false]);
}

#[test]
fn what_depends_on_a_slow_disk_waits_for_it_in_order() {
    let slow = fault(
        "disk",
        "1s",
        "10s",
        "nodes = \"n0\"\nwhat = \"slow\"\nextra = \"100ms\"",
    );
    let (mut world, mut log) = (world(5, &slow), Log::default());
    world.go_on(2.0, &mut log);
    let began = world.now();
    store(&mut world, 0, KEYS[0], &mut log);
    store(&mut world, 0, KEYS[1], &mut log);
    assert_eq!(world.on_disk(0), [false; 3]);
    world.go_on(3.0, &mut log);
    let late = [1, 2].map(|times| (began + times * 100 * MILLISECOND, times));
    assert_eq!(commits(&log), late);
    let arrived = |what: &str| -> Vec<Time> {
        let lines = log.lines().filter(|(_, line)| {
            line.starts_with("n0 -> n1: Request") && line.contains("99") && line.contains(what)
        });
        lines.map(|(time, _)| time - LATENCY - began).collect()
    };
    assert_eq!(arrived("Ping"), [0, 0]);
    assert_eq!(arrived("Read"), [100, 200].map(|ms| ms * MILLISECOND));
    // It ends, and nothing waits any more.
    world.go_on(12.0, &mut log);
    store(&mut world, 0, KEYS[2], &mut log);
    assert_eq!(world.on_disk(0), [true; 3]);
}

#[test]
fn a_disk_that_fails_takes_the_node_and_the_batch_with_it() {
    let fails = fault("disk", "1s", "10s", "nodes = \"n0\"\nwhat = \"fails\"");
    let (mut world, mut log) = (world(5, &fails), Log::default());
    store(&mut world, 0, KEYS[0], &mut log);
    world.go_on(2.0, &mut log);
    assert!(world.is_up(0), "nothing was to be written yet");
    store(&mut world, 0, KEYS[1], &mut log);
    assert!(!world.is_up(0) && !world.is_member(0));
    assert_eq!(world.on_disk(0), [true, false, false]);
    world.go_on(30.0, &mut log);
    assert!(world.is_member(0), "it has come back");
    store(&mut world, 0, KEYS[1], &mut log);
    assert_eq!(world.on_disk(0), [true, true, false]);
    let gone = |(_, seen): &(Time, Seen)| matches!(seen, Seen::DisksGone(..));
    assert!(!log.0.iter().any(gone), "it was to return");
}

#[test]
fn a_torn_write_loses_the_last_batch_alone() {
    let faults = fault(
        "disk",
        "1s",
        "",
        "nodes = \"n0\"\nwhat = \"slow\"\nextra = \"1s\"",
    ) + &fault("disk", "3s", "", "nodes = \"n0\"\nwhat = \"torn\"");
    let (mut world, mut log) = (world(5, &faults), Log::default());
    world.go_on(2.5, &mut log);
    store(&mut world, 0, KEYS[0], &mut log);
    store(&mut world, 0, KEYS[1], &mut log);
    world.go_on(4.0, &mut log);
    assert!(!world.is_up(0));
    assert_eq!(world.on_disk(0), [true, false, false]);
    let away = Seen::DisksGone(vec![0], DiskGone::Away);
    assert!(log.0.iter().any(|(_, seen)| *seen == away));
}

#[test]
fn only_what_stops_a_node_starts_it_again() {
    for (what, more, returns) in [
        ("slow", "extra = \"1ms\"", false),
        ("fails", "", true),
        ("torn", "", true),
    ] {
        // It leaves for good meanwhile.
        let keys = format!("nodes = \"n0\"\nwhat = \"{what}\"\n{more}");
        let faults =
            fault("leave", "2s", "", "nodes = \"n0\"") + &fault("disk", "1s", "20s", &keys);
        let (mut world, mut log) = (world(5, &faults), Log::default());
        world.go_on(40.0, &mut log);
        assert_eq!(world.is_up(0), returns, "{what}");
        let left = Seen::DisksGone(vec![0], DiskGone::Left);
        let told = log.0.iter().any(|(_, seen)| *seen == left);
        assert_eq!(told, !returns, "{what}: its disk counts if it comes back");
    }
}

#[test]
fn bits_flip_in_as_many_records_as_said() {
    let flip = fault(
        "disk",
        "1s",
        "",
        "nodes = \"n0\"\nwhat = \"flip\"\ncount = 2",
    );
    let (mut world, mut log) = (world(5, &flip), Log::default());
    for key in KEYS {
        store(&mut world, 0, key, &mut log);
    }
    world.go_on(2.0, &mut log);
    let spoilt = |(_, seen): &&(Time, Seen)| matches!(seen, Seen::Spoilt(0, _));
    assert_eq!(log.0.iter().filter(spoilt).count(), 2);
    let found = world.with_store(0, |store| {
        KEYS.map(|key| store.get(Id::of_key(key)).is_ok())
    });
    let found = found.expect("it has a store");
    assert_eq!(found.iter().filter(|sound| !**sound).count(), 2);
}

#[test]
fn a_crash_loses_the_disk_or_keeps_it() {
    for (disk, kept) in [("kept", true), ("lost", false)] {
        let keys = format!("nodes = \"n0\"\ndisk = \"{disk}\"");
        let crash = fault("crash", "1s", "10s", &keys);
        let (mut world, mut log) = (world(5, &crash), Log::default());
        store(&mut world, 0, KEYS[0], &mut log);
        world.go_on(30.0, &mut log);
        assert!(world.is_member(0));
        let found = world.with_store(0, |store| store.peek(Id::of_key(KEYS[0])).is_some());
        assert_eq!(found.unwrap_or(false), kept);
        let lost = Seen::DisksGone(vec![0], DiskGone::Lost);
        assert_eq!(log.0.iter().any(|(_, seen)| *seen == lost), !kept);
    }
}

#[test]
fn orders_to_read_and_write_are_answered() {
    let load = "[[workload]]\nkind = \"mixed\"\nrate = \"20/s\"\nkeys = 10\n";
    let (mut world, mut log) = (world(5, load), Answers::default());
    world.run_until(world.origin() + 30 * SECOND, &mut log);
    assert!(log.issued > 400, "{log:?}");
    assert!(log.issued - log.ended < 20, "{log:?}");
    let order = Input::Leave;
    world.order(0, order, "leave", &mut log);
}

#[derive(Debug, Default)]
struct Answers {
    issued: u64,
    ended: u64,
}

impl Watcher<Node> for Answers {
    fn write_issued(&mut self, _: Moment, _: &crate::world::WriteIssue) {
        self.issued += 1;
    }
    fn write_ended(&mut self, _: Moment, _: &crate::world::WriteEnd) {
        self.ended += 1;
    }
    fn read_issued(&mut self, _: Moment, _: u64, _: u32, _: Id) {
        self.issued += 1;
    }
    fn read_ended(&mut self, _: Moment, _: &crate::world::ReadEnd) {
        self.ended += 1;
    }
}
