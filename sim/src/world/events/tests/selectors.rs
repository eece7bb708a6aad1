//! Whom a selector names, read off the effect of a fault that does no harm.

use super::*;
use cuerda_core::ring::Id;

/// The groups that a partition into these parts makes of n0 … n19, with the world.
fn split(seed: u64, before: &str, parts: &str) -> (World, Vec<Vec<u32>>) {
    let fault = fault("partition", "2s", "1ms", &format!("split = [{parts}]"));
    let scenario = Arc::new(scenario(20, &format!("{before}{fault}")));
    let (mut world, mut log) = (World::new(&scenario, seed), Log::default());
    world.go_on(2.000_5, &mut log);
    let groups = log.effects().last().unwrap().groups.clone();
    (world, groups)
}

/// Whom one selector names.
fn chosen(seed: u64, selector: &str) -> (World, Vec<u32>) {
    let keys = format!("nodes = {selector}\nby = \"1s\"");
    let scenario = Arc::new(scenario(20, &fault("skew", "2s", "", &keys)));
    let (mut world, mut log) = (World::new(&scenario, seed), Log::default());
    world.go_on(2.000_5, &mut log);
    let group = log.effects()[0].groups[0].clone();
    (world, group)
}

fn is_set(group: &[u32]) -> bool {
    group.windows(2).all(|pair| pair[0] < pair[1])
}

#[test]
fn a_node_by_its_number() {
    assert_eq!(chosen(1, "\"n7\"").1, [7]);
}

#[test]
fn a_count_is_drawn_without_repeats_anew_for_each_seed_and_evenly() {
    let mut hit = [0_u32; 20];
    for seed in 0..200 {
        let (_, group) = chosen(seed, "5");
        assert!(group.len() == 5 && is_set(&group), "{group:?}");
        group.iter().for_each(|&number| hit[number as usize] += 1);
    }
    // 50 each; the standard deviation is 6.
    assert!(hit.iter().all(|hit| (25..=75).contains(hit)), "{hit:?}");
    assert_eq!(chosen(1, "5").1, chosen(1, "5").1);
}

#[test]
fn a_share_is_of_all_and_rounded() {
    for (share, count) in [("0%", 0), ("20%", 4), ("22%", 4), ("23%", 5), ("100%", 20)] {
        let (_, group) = chosen(1, &format!("\"{share}\""));
        assert!(group.len() == count && is_set(&group), "{share}: {group:?}");
    }
    // Of all, though half are taken: 30 % of 20, not of 10. And no more than there are.
    let gone = fault("crash", "1s", "", "nodes = 10");
    for (gone, parts, counts) in [
        ("", "10, \"30%\", \"rest\"", [10, 6, 4]),
        (&gone, "8, \"30%\", \"rest\"", [8, 2, 0]),
        (&gone, "\"30%\", 4, \"50%\"", [3, 4, 3]),
    ] {
        let (_, parts) = split(1, gone, parts);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), counts);
    }
}

#[test]
fn the_holders_of_a_key_are_counted_from_its_owner() {
    for seed in 0..20 {
        let (world, owner) = chosen(seed, "\"owner(key:song)\"");
        let (key, circle) = (Id::of_key(b"song"), world.circle());
        let at = circle
            .iter()
            .position(|&number| world.node(number).me().id >= key);
        let at = at.unwrap_or(0);
        assert_eq!(owner, [circle[at]]);
        assert!(world.node(circle[at]).neighbours().own().contains(key));
        for count in [1, 3, 20] {
            let (_, group) = chosen(seed, &format!("\"successors(key:song, {count})\""));
            let mut ahead: Vec<u32> = (0..count).map(|step| circle[(at + step) % 20]).collect();
            ahead.sort_unstable();
            assert_eq!(group, ahead);
        }
    }
}

/// The place of a node on the circle, as a fraction.
fn fraction(world: &World, number: u32) -> f64 {
    world.node(number).me().id.high() as f64 / 2_f64.powi(64)
}

#[test]
fn arcs_may_wrap_and_be_empty_and_together_miss_nobody() {
    let holds = |from: f64, to: f64, at: f64| {
        if from <= to {
            from <= at && at < to
        } else {
            at >= from || at < to
        }
    };
    for (from, to) in [(0.0, 0.5), (0.75, 0.25), (0.5, 1.0), (0.3, 0.3), (0.0, 1.0)] {
        let (world, group) = chosen(3, &format!("\"arc({from}..{to})\""));
        let inside = (0..20).filter(|&number| holds(from, to, fraction(&world, number)));
        assert_eq!(group, inside.collect::<Vec<_>>(), "{from}..{to}");
    }
    assert_eq!(chosen(3, "\"arc(0..1)\"").1.len(), 20);
    assert_eq!(chosen(3, "\"arc(0.3..0.3)\"").1, [0; 0]);
    // The point where one ends is where the next begins.
    let (world, _) = chosen(3, "1");
    let edge = fraction(&world, 4);
    let (_, parts) = split(
        3,
        "",
        &format!("\"arc(0..{edge:.17})\", \"arc({edge:.17}..1)\", \"rest\""),
    );
    assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 20);
    assert!(parts[1].contains(&4) && parts[2].is_empty(), "{parts:?}");
}

#[test]
fn nobody_is_taken_twice() {
    let list =
        "[\"n1\", \"n1\", [\"n1\", 3], \"40%\", \"successors(key:song, 5)\", \"arc(0..0.5)\"]";
    for seed in 0..20 {
        let list = list.replace("[\"n1\", 3]", "3");
        let (_, group) = chosen(seed, &list);
        assert!(is_set(&group) && group.contains(&1), "{group:?}");
        // Three and eight others besides n1, and whom of the arc and the holders those left.
        assert!(group.len() >= 12, "{group:?}");
        let (_, parts) = split(seed, "", &format!("{list}, \"owner(key:song)\", \"rest\""));
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
        assert!(parts[1].is_empty(), "the owner is among the successors");
    }
}

#[test]
fn the_rest_is_whoever_is_left() {
    let (_, parts) = split(1, "", "[\"n3\", \"n5\"], \"rest\"");
    assert_eq!(parts[0], [3, 5]);
    assert_eq!(parts[1].len(), 18);
    assert_eq!(split(1, "", "\"arc(0..1)\", \"rest\"").1[1], [0; 0]);
    let (_, parts) = split(1, "", "\"n0\", [\"n1\", \"rest\"]");
    assert_eq!(parts[1].len(), 19);
}

#[test]
fn who_is_gone_is_not_chosen() {
    let gone = fault(
        "crash",
        "1s",
        "",
        "nodes = [\"n0\", \"n1\", \"owner(key:song)\"]",
    ) + &fault("leave", "0.2s", "", "nodes = [\"n2\", \"n3\"]");
    for seed in 0..20 {
        let (world, parts) = split(
            seed,
            &gone,
            "[\"n1\", \"n3\"], \"owner(key:song)\", \"25%\", \"rest\"",
        );
        let all = parts.concat();
        assert!((15..=16).contains(&all.len()), "{parts:?}");
        assert!(
            all.iter()
                .all(|&number| world.is_member(number) && number > 3),
            "{parts:?}"
        );
        assert_eq!((parts[0].len(), parts[1].len(), parts[2].len()), (0, 1, 4));
    }
}
