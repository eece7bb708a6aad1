//! What one node costs: a routing answer, a round of stabilization, a look-up of a client.
//!
//! ```sh
//! cargo bench --bench node
//! ```

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use cuerda_core::chord::{
    Event, Input, Message, Network, Node, Protocol, Reply, Request, RequestId, Timer,
};
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::MemoryStore;
use cuerda_sim::report::metrics;
use cuerda_sim::scenario::{Overrides, Scenario};
use cuerda_sim::world::events::World;
use cuerda_sim::world::{Nobody, SECOND, World as _};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps the last message and drops all else.
#[derive(Default)]
struct Last(Option<(Peer, Message)>, MemoryStore);

impl Network<Node> for Last {
    type Store = MemoryStore;

    fn send(&mut self, to: Peer, message: Message) {
        self.0 = Some((to, message));
    }

    fn set_timer(&mut self, timer: Timer, after: Range<Duration>) {
        black_box((timer, after));
    }

    fn emit(&mut self, event: Event) {
        black_box(event);
    }

    fn wall_clock(&self) -> u64 {
        0
    }

    fn store(&mut self) -> &mut MemoryStore {
        &mut self.1
    }
}

impl Last {
    fn take(&mut self) -> (Peer, Message) {
        self.0.take().expect("a message was sent")
    }
}

/// An ideal ring of ten thousand nodes, in which nothing happens but the look-ups of clients,
/// a thousand in a second.
fn quiet_world() -> World {
    let text = include_str!("../scenarios/speed/10k.toml");
    let mut scenario = Scenario::parse("10k.toml", text, &metrics(), &Overrides::default())
        .expect("scenarios that are shipped are right");
    scenario.node.stabilize_every = Duration::from_secs(100 * 3600);
    scenario.node.fix_fingers_every = Duration::from_secs(1000 * 3600);
    scenario.workloads[0].rate = 1000.0;
    scenario.workloads[0].until = Duration::MAX;
    World::new(&Arc::new(scenario), 1)
}

fn message(from: Peer, message: Message) -> Input {
    Input::Message {
        from,
        message,
        took: Some(Duration::from_millis(100)),
    }
}

/// `Request::Find` to one node: whom it names as the next to ask.
fn next_hop(criterion: &mut Criterion) {
    let world = quiet_world();
    let mut nodes = world
        .each_member()
        .map(|member| world.node(member.number).clone());
    let (mut node, asker) = (nodes.next().expect("10,000 nodes"), nodes.next());
    let asker = asker.expect("10,000 nodes").me();
    let me = node.me().id;
    let beyond = node.neighbours().successors().last().expect("8 successors");
    let mut group = criterion.benchmark_group("next_hop");
    for (name, key) in [
        ("far", me.plus_power(159)),
        ("near", beyond.id.next()),
        ("covered", node.neighbours().successor().id),
    ] {
        let id = RequestId::of_node(1, 1);
        let request = Request::Find {
            key,
            confirm: false,
        };
        let find = message(asker, Message::Request { id, request });
        let mut net = Last::default();
        node.handle(find.clone(), &mut net);
        let (_, Message::Reply { reply, .. }) = net.take() else {
            panic!("a question is answered");
        };
        let covered = matches!(reply, Reply::Covered(_));
        assert_eq!(covered, name == "covered", "{name}: {reply:?}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                node.handle(find.clone(), &mut net);
                net.0.take()
            });
        });
    }
}

/// A node asks its successor, is answered, and notifies it: three messages.
fn stabilize(criterion: &mut Criterion) {
    let world = quiet_world();
    let nodes: Vec<&Node> = world
        .each_member()
        .map(|member| world.node(member.number))
        .collect();
    let mut node = nodes[0].clone();
    let next = node.neighbours().successor();
    let mut successor = (*nodes
        .iter()
        .find(|node| node.me() == next)
        .expect("all are members"))
    .clone();
    let mut net = Last::default();
    criterion.bench_function("stabilize", |bencher| {
        bencher.iter(|| {
            node.handle(Input::Timer(Timer::Stabilize), &mut net);
            let (_, question) = net.take();
            successor.handle(message(node.me(), question), &mut net);
            let (_, answer) = net.take();
            node.handle(message(next, answer), &mut net);
            let (to, notice) = net.take();
            assert!(to == next && notice == Message::Notify);
            successor.handle(message(node.me(), notice), &mut net);
        });
    });
}

/// A millisecond of the quiet world, in which one look-up begins and one ends, on average:
/// with all its messages and timers, but while other look-ups use the cache too.
fn lookup(criterion: &mut Criterion) {
    let mut world = quiet_world();
    world.run_until(world.origin() + 2 * SECOND, &mut Nobody);
    criterion.bench_function("lookup in a ring of 10,000", |bencher| {
        bencher.iter(|| world.run_until(world.now() + SECOND / 1000, &mut Nobody));
    });
}

/// What every comparison of identifiers rests on.
fn is_between(criterion: &mut Criterion) {
    let [a, b, x] = [b"a", b"b", b"x"].map(|name| Id::of_key(name));
    criterion.bench_function("is_between", |bencher| {
        bencher.iter(|| black_box(x).is_between(black_box(a), black_box(b)));
    });
}

criterion_group!(benches, next_hop, stabilize, lookup, is_between);
criterion_main!(benches);
