//! What only holds of a whole world.

use super::*;
use crate::scenario::Overrides;
use crate::world::Nobody;
use cuerda::node::Recorder;

/// A small ring under loss, churn and a pause, so that requests end in every way.
fn unruly() -> Arc<Scenario> {
    let text = r#"
        title = "unruly"
        duration = "20s"
        [ring]
        nodes = 30
        [node]
        successors = 4
        stabilize_every = "1s"
        fix_fingers_every = "5s"
        [network]
        latency = { exponential = "50ms" }
        loss = 0.05
        duplicate = 0.05
        [[workload]]
        kind = "lookup"
        rate = "20/s"
        [[churn]]
        join = "0.5/s"
        leave = "0.25/s"
        crash = "0.25/s"
        [[fault]]
        at = "5s"
        kind = "pause"
        nodes = "3"
        for = "2s"
    "#;
    Arc::new(Scenario::parse("unruly.toml", text, &[], &Overrides::default()).unwrap())
}

#[test]
fn a_timer_that_nobody_expects_changes_nothing() {
    let mut world = World::new(&unruly(), 1);
    let end = world.origin() + 20 * SECOND;
    let (mut unexpected, mut expected) = (0, 0);
    while let Some(entry) = world.wire.queue.pop_before(end) {
        world.wire.now = entry.time;
        if entry.kind == kind::REQUEST {
            let host = &world.hosts[entry.node as usize];
            if host.expects(&entry) {
                expected += 1;
            } else if host.up && host.epoch == entry.epoch {
                unexpected += 1;
                let (mut node, mut net) = (host.node.clone(), Recorder::default());
                node.handle(Input::Timer(wire::timer(&entry)), &mut net);
                assert_eq!(node, host.node);
                assert_eq!(net, Recorder::default());
            }
        }
        world.step(entry, &mut Nobody);
    }
    assert!(
        unexpected > 1000 && expected > 10,
        "{unexpected} {expected}"
    );
}
