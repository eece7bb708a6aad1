//! How connections come about, and do not.

use super::*;
use crate::world::script::network_faults::NetworkFault;
use tokio::time::{sleep, timeout};

/// A machine that accepts whatever comes, and one that tries to connect every second, with a
/// patience of half a second, and notes how it went: its time from the attempt on.
fn attempts(listens: bool) -> (Bench, Notes<Result<Time, std::io::ErrorKind>>) {
    let mut bench = Bench::new(FIXED);
    bench.add(move |plugs| async move {
        if !listens {
            return;
        }
        let (listener, _) = plugs.listen(address_of(0).into()).await.unwrap();
        let mut streams = Vec::new();
        loop {
            streams.push(plugs.accept(&listener).await.unwrap().0);
        }
    });
    let notes = Notes::new();
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            loop {
                let begun = now();
                let attempt = plugs.connect(address_of(0).into());
                let patience = Duration::from_millis(500);
                notes.note(match timeout(patience, attempt).await {
                    Ok(Ok(_)) => Ok(now() - begun),
                    Ok(Err(error)) => Err(error.kind()),
                    Err(_) => Err(std::io::ErrorKind::TimedOut),
                });
                sleep(Duration::from_nanos(begun + SECOND - now())).await;
            }
        }
    });
    (bench, notes)
}

fn results(
    notes: &Notes<Result<Time, std::io::ErrorKind>>,
) -> Vec<Result<Time, std::io::ErrorKind>> {
    notes.all().into_iter().map(|(_, result)| result).collect()
}

const CONNECTED: Result<Time, std::io::ErrorKind> = Ok(40 * MILLISECOND);
const SILENCE: Result<Time, std::io::ErrorKind> = Err(std::io::ErrorKind::TimedOut);

#[test]
fn a_connect_takes_a_round_trip() {
    let (mut bench, notes) = attempts(true);
    bench.go_on(5 * SECOND);
    assert_eq!(results(&notes), [CONNECTED; 5]);
}

#[test]
fn where_nobody_listens_a_round_trip_ends_in_a_refusal() {
    let (mut bench, notes) = attempts(false);
    bench.go_on(3 * SECOND);
    assert_eq!(
        results(&notes),
        [Err(std::io::ErrorKind::ConnectionRefused); 3]
    );
    let first = notes.all()[0].0;
    assert_eq!(first, 40 * MILLISECOND);
}

#[test]
fn a_connect_needs_both_ways_and_hangs_without() {
    let network_faults = [
        NetworkFault::Partition(vec![0, 1]),
        NetworkFault::OneWay(vec![true, false], vec![false, true]),
        NetworkFault::OneWay(vec![false, true], vec![true, false]),
    ];
    for cut in network_faults {
        let (mut bench, notes) = attempts(true);
        bench.go_on(2 * SECOND);
        bench.change(|net| net.network_faults.begin(0, cut));
        bench.go_on(2 * SECOND);
        bench.change(|net| net.network_faults.end(0));
        bench.go_on(2 * SECOND);
        let expected = [CONNECTED, CONNECTED, SILENCE, SILENCE, CONNECTED, CONNECTED];
        assert_eq!(results(&notes), expected);
    }
}

#[test]
fn a_machine_without_power_is_silent_and_takes_connects_again_when_it_is_back() {
    let (mut bench, notes) = attempts(true);
    bench.go_on(2 * SECOND);
    bench.power_off(0);
    bench.go_on(3 * SECOND);
    bench.power_on(0);
    bench.go_on(2 * SECOND);
    let results = results(&notes);
    let expected = [CONNECTED, CONNECTED, SILENCE, SILENCE, SILENCE];
    assert_eq!(results[..5], expected);
    let later = &results[5..];
    assert!(
        !later.is_empty() && later.iter().all(Result::is_ok),
        "{results:?}"
    );
}

#[test]
fn a_sleeping_machine_answers_no_connect() {
    let (mut bench, notes) = attempts(true);
    bench.go_on(2 * SECOND);
    bench.change(|net| net.machines[0].paused = 1);
    bench.go_on(2 * SECOND);
    bench.change(|net| net.machines[0].paused = 0);
    bench.go_on(2 * SECOND);
    let expected = [CONNECTED, CONNECTED, SILENCE, SILENCE, CONNECTED, CONNECTED];
    assert_eq!(results(&notes), expected);
}

#[test]
fn a_hundred_pending_connects_are_no_trouble() {
    let mut bench = Bench::new(FIXED);
    let notes = Notes::new();
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            let (listener, _) = plugs.listen(address_of(0).into()).await.unwrap();
            let mut streams = Vec::new();
            loop {
                streams.push(plugs.accept(&listener).await.unwrap().0);
                notes.note("accepted");
            }
        }
    });
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            for _ in 0..150 {
                let (plugs, notes) = (plugs.clone(), notes.clone());
                tokio::spawn(async move {
                    let stream = plugs.connect(address_of(0).into()).await.unwrap();
                    notes.note("connected");
                    std::future::pending::<()>().await;
                    drop(stream);
                });
            }
        }
    });
    let count = |notes: &Notes<&str>, what: &str| {
        let all = notes.all();
        all.iter().filter(|(_, other)| *other == what).count()
    };
    // They pile up twice: before a machine that sleeps, and behind a cut.
    bench.change(|net| net.machines[0].paused = 1);
    bench.change(|net| {
        net.network_faults
            .begin(0, NetworkFault::Partition(vec![0, 1]));
    });
    bench.go_on(5 * SECOND);
    bench.change(|net| net.network_faults.end(0));
    bench.go_on(5 * SECOND);
    assert_eq!(notes.all().len(), 0);
    bench.change(|net| net.machines[0].paused = 0);
    bench.go_on(SECOND);
    assert_eq!(
        (count(&notes, "accepted"), count(&notes, "connected")),
        (150, 150)
    );
}
