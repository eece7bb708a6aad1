//! What rots where nobody reads is found, and fetched again from who has it.

use super::world::*;
use crate::chord::{Config, Event, Input, Node, Timer, limits};
use crate::record::{Field, Record, Stamp};
use crate::ring::test_peers::{peer, peers};
use crate::ring::{Fingers, Id};
use crate::store::{MemoryStore, Store};

const FIVE: [u8; 5] = [10, 60, 110, 160, 210];

fn settings() -> Config {
    Config {
        replicas: 3,
        repair_every: Some(SECOND * 2),
        scrub_every: SECOND * 10,
        ..config(4)
    }
}

/// Five nodes, and `keys` after the place 60: 110 serves them, 160 and 210 hold them.
fn stored(settings: Config, keys: u8) -> World {
    let mut world = World::ideal(settings, &FIVE);
    for at in 61..61 + keys {
        assert!(world.put(10, at, "a").expect("done").is_complete());
    }
    world.run(SECOND * 10);
    world
}

fn rots(world: &mut World, place: u8, keys: std::ops::Range<u8>) {
    let store = world.stores.get_mut(&place).expect("it runs");
    for at in keys {
        assert!(store.damage(peer(at).id), "{at}");
    }
}

/// Whether the disk of a node has what was written, and a reader would find that.
fn is_sound(world: &World, place: u8, at: u8) -> bool {
    let mut store: MemoryStore = world.stores[&place].clone();
    store.crash();
    matches!(store.get(peer(at).id), Ok(Some(_)))
}

fn found(world: &World, place: u8) -> usize {
    let told = world.told_by(place).into_iter();
    told.filter(|event| matches!(event, Event::Damaged(_)))
        .count()
}

#[test]
fn a_copy_that_nobody_reads_comes_back() {
    for place in [110, 160, 210] {
        let mut world = stored(settings(), 3);
        rots(&mut world, place, 61..64);
        world.run(SECOND * 20);
        assert_eq!(found(&world, place), 3, "{place}");
        for holder in [110, 160, 210] {
            assert!((61..64).all(|at| is_sound(&world, holder, at)), "{holder}");
        }
    }
}

#[test]
fn one_sound_copy_is_enough() {
    for sound in [110, 160, 210] {
        let mut world = stored(settings(), 3);
        for place in [110, 160, 210] {
            if place != sound {
                rots(&mut world, place, 61..64);
            }
        }
        world.run(SECOND * 30);
        for place in [110, 160, 210] {
            assert!((61..64).all(|at| is_sound(&world, place, at)), "{place}");
        }
        assert_eq!(world.value(10, 62).as_deref(), Some("a"));
    }
}

#[test]
fn without_reading_nobody_notices() {
    let settings = Config {
        scrub_every: NEVER,
        ..settings()
    };
    let mut world = stored(settings, 3);
    rots(&mut world, 210, 61..64);
    world.run(SECOND * 60);
    assert_eq!(found(&world, 210), 0);
}

#[test]
fn who_is_started_again_and_again_goes_on_where_it_was() {
    let settings = Config {
        scrub_every: SECOND * 60,
        ..settings()
    };
    let mut world = stored(settings, 20);
    rots(&mut world, 210, 61..81);
    // Each life is a tenth of a round.
    for life in 2..22 {
        world.kill(&[210]);
        world.run(SECOND);
        world.start(210, life, Input::Join(peers(&FIVE)));
        world.run(SECOND * 6);
    }
    assert!((61..81).all(|at| is_sound(&world, 210, at)));
    assert!(world.stores[&210].notes().scrubbed.is_some());
}

#[test]
fn what_is_missing_is_not_said_to_be_held() {
    let mut world = stored(settings(), 3);
    let held = |world: &World, place: u8| world.stores[&place].notes().held;
    let before = (held(&world, 110), held(&world, 210));
    assert!(before.0.is_some() && before.1.is_some());
    rots(&mut world, 110, 61..64);
    rots(&mut world, 210, 61..64);
    // What each says at the moment at which it finds the first.
    let mut says = [(110, None), (210, None)];
    while says.iter().any(|(_, said)| said.is_none()) {
        world.run(SECOND / 1000);
        for (place, said) in &mut says {
            if said.is_none() && found(&world, *place) > 0 {
                *said = Some(held(&world, *place));
            }
        }
    }
    let [(_, of_own), (_, of_others)] = says;
    assert_eq!(of_own, Some(None), "nobody knows what its own were");
    assert_ne!(of_others, Some(before.1), "it has its own, and no more");
    world.run(SECOND * 30);
    assert_eq!((held(&world, 110), held(&world, 210)), before);
}

/// A node that holds so many records, and reads all in each period.
fn holding(keys: usize) -> Bench {
    let mut bench = Bench::member(110, 60, &[160]);
    let config = Config {
        scrub_every: SECOND,
        repair_every: Some(SECOND),
        ..bench.node.config().clone()
    };
    let neighbours = bench.node.neighbours().clone();
    bench.node = Node::member(config.into(), 1, neighbours, Fingers::new());
    let field = Field::new(Stamp::ZERO, None, "a", None);
    for number in 0..keys {
        let record: Record = [(String::new(), field.clone())].into_iter().collect();
        let key = Id::of_key(&number.to_le_bytes());
        bench.net.store.put(key, record);
    }
    bench.handle(Input::Resume);
    bench
}

#[test]
fn it_reads_in_slices_and_nothing_where_nothing_is() {
    let mut bench = holding(limits::SCRUBBED_KEYS * 2 + 1);
    let slice = limits::SCRUBBED_KEYS as u64;
    let further = |bench: &mut Bench| {
        let timers = bench.net.take_timers().into_iter();
        timers.filter(|(timer, _)| *timer == Timer::Scrub).count()
    };
    bench.timer(Timer::Repair);
    assert_eq!((bench.node.scrubbed(), further(&mut bench)), (slice, 1));
    bench.timer(Timer::Scrub);
    assert_eq!((bench.node.scrubbed(), further(&mut bench)), (2 * slice, 1));
    bench.timer(Timer::Scrub);
    assert_eq!(
        (bench.node.scrubbed(), further(&mut bench)),
        (2 * slice + 1, 0)
    );
    let mut bench = holding(0);
    bench.timer(Timer::Repair);
    assert_eq!((bench.node.scrubbed(), further(&mut bench)), (0, 0));
}
