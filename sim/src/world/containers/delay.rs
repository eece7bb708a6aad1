//! Slow links: packets that arrive at a node are handed to this program, which keeps each for a
//! while.
//!
//! netfilter's queues are used, not the kernel's network emulator, which many kernels lack. A
//! packet that was let through again can't come by a second time: a queue's verdict is final.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nfq::{Message, Queue, Verdict};

use super::engine::Trouble;
use super::namespace::Namespace;
use crate::world::Time;

/// How precisely packets are kept.
const TICK: Duration = Duration::from_micros(500);
/// How many packets a queue keeps: more than nodes send within any delay that is of use.
const ROOM: u32 = 100_000;

/// The queues of one network. Dropped, they let go of everything.
pub(super) struct Delays {
    times: Vec<Time>,
    over: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Drop for Delays {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(keeper) = self.keeper.take() {
            // Then the queues are free for others.
            let _ = keeper.join();
        }
    }
}

impl Delays {
    /// How long each queue keeps what comes, in nanoseconds.
    pub(super) fn times(&self) -> &[Time] {
        &self.times
    }

    /// Begins to keep what comes into the queues 0, 1, … of a network, each for its time in
    /// nanoseconds.
    pub(super) fn start(network: Namespace, times: &[Time]) -> Result<Delays, Trouble> {
        let over = Arc::new(AtomicBool::new(false));
        let (ready, began) = channel();
        let (ended, kept) = (Arc::clone(&over), times.to_vec());
        let keeper = super::beside(move || {
            let queue = network.enter().and_then(|()| {
                let opened = open(kept.len());
                opened.map_err(|error| format!("packets can't be queued: {error}"))
            });
            match queue {
                Ok(queue) => {
                    let _ = ready.send(Ok(()));
                    keep(queue, &kept, &ended);
                }
                Err(error) => _ = ready.send(Err(error)),
            }
        });
        let began = began.recv().unwrap_or(Ok(()));
        began.map_err(Trouble::NoWalls)?;
        Ok(Delays {
            times: times.to_vec(),
            over,
            keeper: Some(keeper),
        })
    }
}

fn open(queues: usize) -> std::io::Result<Queue> {
    let mut queue = Queue::open()?;
    for number in 0..queues {
        let number = u16::try_from(number).expect("there are few different delays");
        queue.bind(number)?;
        queue.set_queue_max_len(number, ROOM)?;
        // The packets themselves are of no interest.
        queue.set_copy_range(number, 0)?;
    }
    queue.set_nonblocking(true);
    Ok(queue)
}

#[expect(
    clippy::disallowed_methods,
    reason = "packets are kept for a real time"
)]
fn keep(mut queue: Queue, times: &[Time], over: &AtomicBool) {
    let mut kept: Vec<VecDeque<(Instant, Message)>> =
        times.iter().map(|_| VecDeque::new()).collect();
    while !over.load(Ordering::Relaxed) {
        while let Ok(message) = queue.recv() {
            let number = usize::from(message.get_queue_num());
            let due = Instant::now() + Duration::from_nanos(times[number]);
            kept[number].push_back((due, message));
        }
        for packets in &mut kept {
            while packets
                .front()
                .is_some_and(|(due, _)| *due <= Instant::now())
                && let Some((_, message)) = packets.pop_front()
            {
                accept(&mut queue, message);
            }
        }
        std::thread::sleep(TICK);
    }
    for (_, message) in kept.into_iter().flatten() {
        accept(&mut queue, message);
    }
}

fn accept(queue: &mut Queue, mut message: Message) {
    message.set_verdict(Verdict::Accept);
    // A namespace that is gone takes its packets with it.
    let _ = queue.verdict(message);
}
