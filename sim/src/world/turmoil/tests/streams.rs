//! Bytes on a connection.

use super::*;
use crate::world::script::network_faults::NetworkFault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

/// A machine that writes its time again and again, and one that notes how long each was under
/// way.
fn delays(network: &str, gap: Duration, count: u64) -> Vec<Time> {
    let mut bench = Bench::new(network);
    let notes = Notes::new();
    bench.add(move |plugs| async move {
        let mut stream = accepted(&plugs).await;
        for _ in 0..count {
            stream.write_u64(now()).await.unwrap();
            sleep(gap).await;
        }
    });
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            let mut stream = connected(&plugs, 0).await;
            for _ in 0..count {
                let sent = stream.read_u64().await.unwrap();
                notes.note(now() - sent);
            }
        }
    });
    bench.go_on((gap * count as u32).as_nanos() as Time + 30 * SECOND);
    let delays: Vec<Time> = notes.all().into_iter().map(|(_, delay)| delay).collect();
    assert_eq!(delays.len() as u64, count);
    delays
}

fn mean(delays: &[Time]) -> f64 {
    delays.iter().sum::<Time>() as f64 / delays.len() as f64 / MILLISECOND as f64
}

const RARELY: Duration = Duration::from_millis(400);

#[test]
fn a_fixed_latency_is_exact() {
    let delays = delays(FIXED, RARELY, 100);
    assert!(
        delays.iter().all(|&delay| delay == 20 * MILLISECOND),
        "{delays:?}"
    );
}

#[test]
fn a_uniform_latency_has_its_bounds_and_its_mean() {
    let delays = delays(
        "latency = { uniform = [\"10ms\", \"90ms\"] }\n",
        RARELY,
        2000,
    );
    // The standard deviation of the mean is 0.5 ms; clocks round up to milliseconds.
    assert!((mean(&delays) - 50.5).abs() < 2.0, "{}", mean(&delays));
    let bounds = 10 * MILLISECOND..=91 * MILLISECOND;
    assert!(delays.iter().all(|delay| bounds.contains(delay)));
    let low = delays
        .iter()
        .filter(|&&delay| delay <= 30 * MILLISECOND)
        .count();
    assert!((420..580).contains(&low), "a quarter of 2000: {low}");
}

#[test]
fn an_exponential_latency_has_its_mean_and_its_tail() {
    let delays = delays("latency = { exponential = \"50ms\" }\n", RARELY, 2000);
    // The standard deviation of the mean is 1.1 ms. What is faster than a tick takes one, which
    // adds a quarter of a millisecond; the clocks' rounding adds half of one.
    assert!((mean(&delays) - 50.7).abs() < 4.0, "{}", mean(&delays));
    let share = |from: Time| {
        let such = delays.iter().filter(|&&delay| delay > from * MILLISECOND);
        such.count() as f64 / delays.len() as f64
    };
    for after in [25, 50, 100, 150] {
        let expected = (-(after as f64) / 50.0).exp();
        assert!(
            (share(after) - expected).abs() < 0.04,
            "{after} ms: {}",
            share(after)
        );
    }
}

#[test]
fn nothing_overtakes_on_a_connection() {
    // In order, else the times would not fit: each later one is due no earlier.
    let delays = delays(
        "latency = { exponential = \"50ms\" }\n",
        Duration::from_millis(1),
        2000,
    );
    let arrivals = delays
        .iter()
        .enumerate()
        .map(|(at, delay)| at as Time * MILLISECOND + delay);
    assert!(arrivals.is_sorted());
    assert!(mean(&delays) > 100.0, "who is late holds up those behind");
}

#[test]
fn reads_end_where_no_write_did() {
    let (count, size) = (300, 100);
    let mut bench = Bench::new(FIXED);
    bench.add(move |plugs| async move {
        let mut stream = accepted(&plugs).await;
        for number in 0..count {
            stream.write_all(&[number as u8; 100]).await.unwrap();
            // Some two at once.
            sleep(Duration::from_millis(number % 2 * 30)).await;
        }
    });
    let notes = Notes::new();
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            let mut stream = connected(&plugs, 0).await;
            let (mut all, mut bytes) = (Vec::new(), [0; 1000]);
            while all.len() < count as usize * size {
                let read = stream.read(&mut bytes).await.unwrap();
                notes.note(read);
                all.extend_from_slice(&bytes[..read]);
            }
            let right = all.chunks(size).zip(0..count);
            for (chunk, number) in right {
                assert!(chunk.iter().all(|&byte| byte == number as u8));
            }
        }
    });
    bench.go_on(20 * SECOND);
    let reads: Vec<usize> = notes.all().into_iter().map(|(_, read)| read).collect();
    assert_eq!(reads.iter().sum::<usize>(), count as usize * size);
    assert!(
        reads.iter().any(|read| read % size != 0),
        "some writes are split"
    );
    assert!(
        reads.iter().any(|&read| read > size),
        "and some read together"
    );
}

/// A machine that writes one byte every 100 ms and notes each answer, which is the same byte;
/// nothing is noted but the byte and when it was.
fn echo(network: &str) -> (Bench, Notes<u8>) {
    let mut bench = Bench::new(network);
    bench.add(|plugs| async move {
        let mut stream = accepted(&plugs).await;
        while let Ok(byte) = stream.read_u8().await {
            if stream.write_u8(byte).await.is_err() {
                return;
            }
        }
    });
    let notes = Notes::new();
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            let stream = connected(&plugs, 0).await;
            let (mut reader, mut writer) = tokio::io::split(stream);
            tokio::spawn(async move {
                for byte in 0..=255 {
                    if writer.write_u8(byte).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            });
            while let Ok(byte) = reader.read_u8().await {
                notes.note(byte);
            }
            notes.note(255);
        }
    });
    (bench, notes)
}

fn within(notes: &Notes<u8>, from: Time, until: Time) -> Vec<u8> {
    let range = from * SECOND..until * SECOND;
    let such = notes
        .all()
        .into_iter()
        .filter(|(time, _)| range.contains(time));
    such.map(|(_, byte)| byte).collect()
}

#[test]
fn a_cut_holds_bytes_back_and_loses_none() {
    for one_way in [false, true] {
        let (mut bench, notes) = echo(FIXED);
        bench.go_on(5 * SECOND);
        let before = notes.all().len();
        assert!(before > 40);
        let cut = if one_way {
            NetworkFault::OneWay(vec![true, false], vec![false, true])
        } else {
            NetworkFault::Partition(vec![0, 1])
        };
        bench.change(|net| net.network_faults.begin(0, cut));
        bench.go_on(5 * SECOND);
        assert_eq!(notes.all().len(), before, "silence");
        bench.change(|net| net.network_faults.end(0));
        bench.go_on(5 * SECOND);
        let bytes: Vec<u8> = notes.all().into_iter().map(|(_, byte)| byte).collect();
        assert!(bytes.len() > 140);
        assert!(bytes.iter().copied().eq(0..bytes.len() as u8), "{bytes:?}");
        // All that was held up comes at once: first to where it was cut, then back.
        assert!(within(&notes, 10, 11).len() > 50);
    }
}

#[test]
fn the_other_way_stays_open() {
    let (mut bench, notes) = echo(FIXED);
    let noted = notes.clone();
    bench.go_on(SECOND);
    // From machine 1 to machine 0 nothing passes: what is answered already still comes.
    bench.change(|net| {
        net.network_faults.begin(
            0,
            NetworkFault::OneWay(vec![false, true], vec![true, false]),
        );
    });
    let before = noted.all().len();
    bench.go_on(SECOND);
    let after = notes.all().len();
    assert!((before..=before + 1).contains(&after), "{before}, {after}");
}

#[test]
fn a_slow_machine_is_slow_both_ways() {
    let (mut bench, notes) = echo(FIXED);
    bench.go_on(2 * SECOND);
    bench.change(|net| {
        net.network_faults
            .begin(0, NetworkFault::Slow(vec![true, false], 200 * MILLISECOND));
    });
    bench.go_on(5 * SECOND);
    let (mut quick, mut slow) = (0, 0);
    for (time, byte) in notes.all() {
        // The first byte is written when the connection is there, 40 ms after the beginning.
        let took = time - (40 + u64::from(byte) * 100) * MILLISECOND;
        let expected = if time < 2 * SECOND { 40 } else { 440 };
        let near = took.abs_diff(expected * MILLISECOND) <= 12 * MILLISECOND;
        let between = (1_900..2_500).contains(&(time / MILLISECOND));
        assert!(near || between, "{byte} took {took}");
        if !between {
            *if time < 2 * SECOND {
                &mut quick
            } else {
                &mut slow
            } += 1;
        }
    }
    assert!(quick > 10 && slow > 10, "{quick} and {slow}");
}

#[test]
fn a_machine_without_power_says_nothing_and_resets_when_it_is_back() {
    let (mut bench, notes) = echo(FIXED);
    bench.go_on(3 * SECOND);
    bench.power_off(0);
    bench.go_on(5 * SECOND);
    let last = notes.all().last().unwrap().0;
    assert!(
        last < 3 * SECOND + 100 * MILLISECOND,
        "not even an end: {last}"
    );
    bench.power_on(0);
    bench.go_on(SECOND);
    let (time, what) = *notes.all().last().unwrap();
    assert_eq!(
        what, 255,
        "what is written meets nobody who knows the connection"
    );
    assert!(
        (8 * SECOND..8 * SECOND + 60 * MILLISECOND).contains(&time),
        "{time}"
    );
}

#[test]
fn who_only_listens_never_hears_of_a_loss_of_power() {
    let mut bench = Bench::new(FIXED);
    bench.add(|plugs| async move {
        let _stream = accepted(&plugs).await;
        std::future::pending::<()>().await;
    });
    let notes = Notes::new();
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            let mut stream = connected(&plugs, 0).await;
            notes.note("connected");
            let _ = stream.read_u8().await;
            notes.note("heard");
        }
    });
    bench.go_on(SECOND);
    bench.power_off(0);
    bench.go_on(60 * SECOND);
    bench.power_on(0);
    bench.go_on(60 * SECOND);
    assert_eq!(notes.all().len(), 1);
}

#[test]
fn a_polite_end_comes_after_all_that_was_written() {
    for shut_down in [false, true] {
        let mut bench = Bench::new(FIXED);
        bench.add(move |plugs| async move {
            let mut stream = accepted(&plugs).await;
            stream.write_all(&[7; 1000]).await.unwrap();
            if shut_down {
                stream.shutdown().await.unwrap();
                std::future::pending::<()>().await;
            }
        });
        let notes = Notes::new();
        let noted = notes.clone();
        bench.add(move |plugs| {
            let notes = noted.clone();
            async move {
                let mut stream = connected(&plugs, 0).await;
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                notes.note(all.len());
            }
        });
        bench.go_on(SECOND);
        let ends: Vec<usize> = notes.all().into_iter().map(|(_, length)| length).collect();
        assert_eq!(ends, [1000]);
    }
}

#[test]
fn who_sleeps_reads_and_writes_nothing_and_loses_nothing() {
    for number in [0, 1] {
        let (mut bench, notes) = echo(FIXED);
        bench.go_on(3 * SECOND);
        bench.change(|net| net.machines[number].paused = 1);
        bench.go_on(3 * SECOND);
        let asleep = within(&notes, 3, 6).len();
        assert!(asleep <= 1, "what was under way may come: {asleep}");
        bench.change(|net| net.machines[number].paused = 0);
        bench.go_on(3 * SECOND);
        let bytes: Vec<u8> = notes.all().into_iter().map(|(_, byte)| byte).collect();
        assert!(bytes.len() > 50, "{bytes:?}");
        assert!(bytes.iter().copied().eq(0..bytes.len() as u8), "{bytes:?}");
    }
}

#[test]
fn a_doomed_connection_breaks_in_the_middle() {
    let mut bench = Bench::new(FIXED);
    let notes = Notes::new();
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            let mut stream = accepted(&plugs).await;
            for _ in 0..50 {
                if stream.write_all(&[1; 100]).await.is_err() {
                    return notes.note(0);
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            let mut stream = connected(&plugs, 0).await;
            let mut all = Vec::new();
            let end = stream.read_to_end(&mut all).await;
            assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
            notes.note(all.len());
        }
    });
    bench.change(|net| {
        net.network_faults
            .begin(0, NetworkFault::Reset(vec![false, true], 250));
    });
    bench.go_on(5 * SECOND);
    let told: Vec<usize> = notes.all().into_iter().map(|(_, what)| what).collect();
    assert!(told.contains(&250), "the reader got so much: {told:?}");
    assert!(told.contains(&0), "and the writer failed: {told:?}");
}

#[test]
fn a_reader_that_does_not_read_stops_the_writer_and_costs_no_memory() {
    let mut bench = Bench::new(FIXED);
    let notes = Notes::new();
    let noted = notes.clone();
    bench.add(move |plugs| {
        let notes = noted.clone();
        async move {
            let mut stream = accepted(&plugs).await;
            loop {
                stream.write_all(&[1; 60_000]).await.unwrap();
                notes.note(60_000_usize);
            }
        }
    });
    bench.add(|plugs| async move {
        let mut stream = connected(&plugs, 0).await;
        stream.read_u8().await.unwrap();
        std::future::pending::<()>().await;
    });
    bench.go_on(SECOND);
    let early: usize = notes.all().iter().map(|(_, bytes)| bytes).sum();
    bench.go_on(10 * SECOND);
    let late: usize = notes.all().iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(early, late, "it waits");
}
