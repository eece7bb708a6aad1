//! Nodes that stay for a while each, and are away for a while; and churn that stops at a floor.

use super::*;

/// Plays this churn on forty nodes, and says how many members there were each second.
fn played(seconds: u32, churn: &str) -> (World, Log, Vec<usize>) {
    let (mut world, mut log) = (world(40, &format!("[[churn]]\n{churn}\n")), Log::default());
    let members = (1..=seconds)
        .map(|second| {
            world.go_on(f64::from(second), &mut log);
            assert_eq!(world.members(), world.acting_members());
            world.members()
        })
        .collect();
    (world, log, members)
}

fn gone(log: &Log, how: Gone) -> Vec<(Time, u32)> {
    let gone = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Gone(number, other) if *other == how => Some((*time, *number)),
        _ => None,
    });
    gone.collect()
}

#[test]
fn nodes_crash_when_their_sessions_end_and_come_back_with_what_they_had() {
    let churn = "session = { exponential = \"60s\" }\nabsence = { exponential = \"30s\" }";
    let (world, log, members) = played(390, churn);
    // Two thirds of the time a node is there; joining takes a few seconds more.
    let later = &members[100..];
    let mean = later.iter().sum::<usize>() as f64 / later.len() as f64;
    assert!((21.0..31.0).contains(&mean), "{mean}");
    let crashes = gone(&log, Gone::Crashed);
    assert!(crashes.len() > 120, "{}", crashes.len());
    assert!(world.hosts.len() == 40, "nobody is new");
    let starts = world.hosts.iter().map(|host| host.incarnation);
    assert!(starts.clone().max() > Some(4) && starts.min() < Some(4));
}

#[test]
fn who_has_stayed_long_stays_on() {
    // A member of a ring that has run for long is mostly in a long session: few of them go at
    // once, and whole sessions are mostly short.
    let whole = "session = { weibull = { shape = 0.4, mean = \"400s\" } }";
    let (_, log, _) = played(390, whole);
    let crashed = gone(&log, Gone::Crashed).len();
    assert!((2..22).contains(&crashed), "{crashed} of 40");
    let newcomers = format!("{whole}\njoin = \"0.5/s\"");
    let (_, log, _) = played(390, &newcomers);
    let crashes = gone(&log, Gone::Crashed);
    let old = crashes.iter().filter(|(_, number)| *number < 40).count();
    let joined = log
        .0
        .iter()
        .filter(|(_, seen)| matches!(seen, Seen::Joined(_)));
    let joined = joined.count();
    assert!(joined > 100);
    let (old, new) = (share(old, 40), share(crashes.len() - old, joined));
    assert!(
        new > 1.5 * old,
        "{new} of those who came, {old} of those who were there"
    );
}

#[test]
fn sessions_end_by_leaving_if_asked_to() {
    let churn = "session = { pareto = { shape = 2, mean = \"60s\" } }\n\
                 absence = { exponential = \"20s\" }\nends = \"leave\"\nfrom = \"50s\"\nuntil = \"150s\"";
    let (world, log, _) = played(300, churn);
    let left = gone(&log, Gone::Left);
    assert!(left.len() > 20 && gone(&log, Gone::Crashed).len() <= 2);
    let times: Vec<Time> = left.iter().map(|(time, _)| time / SECOND).collect();
    assert!(
        times.iter().all(|second| (50..160).contains(second)),
        "{times:?}"
    );
    // Who was away then came back all the same.
    assert_eq!(world.members(), 40);
    assert!(world.is_ideal());
}

#[test]
fn nobody_goes_below_the_floor() {
    for churn in [
        "session = { exponential = \"30s\" }\nkeep = 30",
        "leave = \"1/s\"\ncrash = \"1/s\"\nkeep = 30",
    ] {
        let (_, log, members) = played(200, churn);
        let went = gone(&log, Gone::Crashed).len() + gone(&log, Gone::Left).len();
        assert_eq!(went, 10, "{churn}");
        // Some lose all their successors meanwhile, and come back.
        assert_eq!(members.last(), Some(&30), "{churn}");
    }
}

#[test]
fn look_ups_of_hot_keys_ask_for_them() {
    let load = "[[workload]]\nkind = \"lookup\"\nrate = \"20/s\"\nkeys = 5\nzipf = 1\n";
    let (mut world, mut log) = (world(12, load), Log::default());
    world.go_on(100.0, &mut log);
    let mut asked = std::collections::BTreeMap::<_, usize>::new();
    for (_, seen) in &log.0 {
        if let Seen::Issued(_, _, key) = seen {
            *asked.entry(*key).or_default() += 1;
        }
    }
    let key = |number: u32| cuerda_core::ring::Id::of_key(format!("k{number}").as_bytes());
    let counts: Vec<usize> = (0..5).map(|number| asked[&key(number)]).collect();
    assert_eq!(asked.len(), 5);
    assert!(counts.is_sorted_by(|one, other| one > other), "{counts:?}");
    // The sum of 1/i up to 5 is 2.283.
    let first = share(counts[0], counts.iter().sum());
    assert!((first - 1.0 / 2.283).abs() < 0.04, "{first}");
}
