//! Independent tasks on all cores, with results in the order of the tasks, so that what is
//! printed does not depend on how many threads there were.
//!
//! Each task is a whole simulation, which has one thread to itself; nothing is shared.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

/// As many threads as the machine runs at once.
pub(crate) fn all_cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Runs `task` for 0, 1, … `tasks - 1` on `jobs` threads and calls `done` with each result, in
/// that order. Once `stop` is set no task is begun, but those begun are finished, so that what
/// was done is always the first so many. Returns how many.
///
/// # Panics
/// If a task does.
pub(crate) fn in_order<T: Send>(
    tasks: u64,
    jobs: NonZeroUsize,
    stop: &AtomicBool,
    task: impl Fn(u64) -> T + Sync,
    mut done: impl FnMut(u64, T),
) -> u64 {
    let next = AtomicU64::new(0);
    let (finished, results) = mpsc::channel();
    let work = |finished: mpsc::Sender<(u64, T)>| {
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= tasks || finished.send((number, task(number))).is_err() {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.get() {
            let finished = finished.clone();
            scope.spawn(|| work(finished));
        }
        drop(finished);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (number, result) in results {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&due) {
                done(due, result);
                due += 1;
            }
        }
        due
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            // Early tasks take longer, so that with several threads they finish late.
            let slow = |number: u64| (0..(40 - number) * 5000).fold(number, |sum, i| sum ^ (i % 2));
            let expected: Vec<(u64, u64)> = (0..40).map(|n| (n, slow(n))).collect();
            let never = AtomicBool::new(false);
            let done = in_order(40, jobs(threads), &never, slow, |n, result| {
                seen.push((n, result));
            });
            assert_eq!((done, &seen), (40, &expected), "{threads} threads");
        }
    }

    #[test]
    fn what_is_done_after_a_stop_is_the_first_so_many() {
        let stop = AtomicBool::new(false);
        let mut seen = Vec::new();
        let task = |number| {
            if number == 5 {
                stop.store(true, Ordering::Relaxed);
            }
            number
        };
        let done = in_order(1_000_000, jobs(3), &stop, task, |n, _| seen.push(n));
        assert!((6..1_000_000).contains(&done), "{done}");
        assert_eq!(seen, (0..done).collect::<Vec<u64>>());
    }

    #[test]
    fn no_tasks_are_done_at_once() {
        let never = AtomicBool::new(false);
        assert_eq!(in_order(0, jobs(2), &never, |n| n, |_, _| ()), 0);
    }
}
