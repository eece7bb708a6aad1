use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::*;
use crate::node::Message;
use crate::ring::{Id, Peer};

/// One connection, all its ends in the hands of a test.
struct Bench {
    peer: DuplexStream,
    frames: Option<mpsc::Sender<Frame>>,
    letters: mpsc::Receiver<(u64, Letter)>,
    counters: Arc<Counters>,
    carried: JoinHandle<()>,
}

fn bench(pipe: usize, inbox: usize, rest: &[u8]) -> Bench {
    let (near, peer) = duplex(pipe);
    let (frames, outgoing) = mpsc::channel(limits::OUTGOING);
    let (sender, letters) = mpsc::channel(inbox);
    let counters = Arc::new(Counters::default());
    let (serial, letters_in) = (7, sender);
    let inbox = Inbox {
        serial,
        letters: letters_in,
    };
    let rest = BytesMut::from(rest);
    let carried = tokio::spawn(carry(near, rest, outgoing, inbox, Arc::clone(&counters)));
    Bench {
        peer,
        frames: Some(frames),
        letters,
        counters,
        carried,
    }
}

fn notify(from: u8) -> Letter {
    let message = Message::Notify;
    Letter {
        from,
        to: 0,
        message,
    }
}

fn bytes_of(frame: &Frame) -> BytesMut {
    let mut buffer = BytesMut::new();
    assert!(frame.encode(&mut buffer));
    buffer
}

/// A letter of some size.
fn long_letter() -> Frame {
    let address = std::net::SocketAddr::from(([10, 0, 0, 1], 1)).into();
    let id = Id::ZERO;
    let reply = crate::node::Reply::Closer(vec![Peer { id, address }; 64]);
    let id = crate::node::RequestId {
        incarnation: 1,
        number: 1,
    };
    let message = Message::Reply { id, reply };
    Frame::Letter(Letter {
        from: 0,
        to: 0,
        message,
    })
}

impl Bench {
    fn count(&self, name: &str) -> u64 {
        let all = self.counters.all();
        all.iter().find(|(known, ..)| *known == name).unwrap().2
    }

    /// What the peer reads until the connection is closed.
    async fn read_all(&mut self) -> usize {
        let mut read = Vec::new();
        self.peer.read_to_end(&mut read).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn letters_come_in_in_order_beginning_with_what_came_after_the_opening() {
    let mut rest = bytes_of(&Frame::Letter(notify(0)));
    rest.extend_from_slice(&bytes_of(&Frame::Letter(notify(1)))[..3]);
    let mut bench = bench(64, 10, &rest);
    bench
        .peer
        .write_all(&bytes_of(&Frame::Letter(notify(1)))[3..])
        .await
        .unwrap();
    bench
        .peer
        .write_all(&bytes_of(&Frame::Letter(notify(2))))
        .await
        .unwrap();
    for from in 0..3 {
        assert_eq!(bench.letters.recv().await, Some((7, notify(from))));
    }
    drop(bench.peer);
    bench.carried.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_given_before_the_end_is_written() {
    // A pipe that takes less than one frame at a time.
    let mut bench = bench(16, 10, &[]);
    let frames = bench.frames.take().unwrap();
    let mut length = 0;
    for from in 0..100 {
        let frame = Frame::Letter(notify(from));
        length += bytes_of(&frame).len();
        frames.send(frame).await.unwrap();
    }
    drop(frames);
    assert_eq!(bench.read_all().await, length);
    assert_eq!(bench.count("bytes_sent"), length as u64);
    bench.carried.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_farewell_delays_the_end_no_longer_than_allowed() {
    let mut bench = bench(16, 10, &[]);
    let frames = bench.frames.take().unwrap();
    frames.send(long_letter()).await.unwrap();
    drop(frames);
    let began = Instant::now();
    bench.carried.await.unwrap();
    assert!(began.elapsed() < limits::FAREWELL + limits::STALLED);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_fills_his_queue_and_is_cut_off() {
    let mut bench = bench(1000, 10, &[]);
    let frames = bench.frames.take().unwrap();
    let (began, mut taken) = (Instant::now(), 0);
    let full = tokio::time::timeout(Duration::from_secs(1), async {
        loop {
            frames.send(long_letter()).await.unwrap();
            taken += 1;
        }
    });
    full.await.unwrap_err();
    let size = bytes_of(&long_letter()).len();
    // What is written or about to be, one more batch, and the queue.
    let most = (1000 + limits::UNWRITTEN) / size + 64 + limits::OUTGOING + 1;
    assert!(taken <= most, "{taken} of {most}");
    assert!(bench.count("bytes_sent") <= (limits::UNWRITTEN + 1000 + 64 * size) as u64);
    bench.carried.await.unwrap();
    assert!(began.elapsed() >= limits::STALLED);
    assert!(began.elapsed() < limits::STALLED * 2);
    assert_eq!(bench.counters.connections_stalled.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_stays() {
    let mut bench = bench(16, 10, &[]);
    let frames = bench.frames.clone().unwrap();
    frames.send(long_letter()).await.unwrap();
    let length = bytes_of(&long_letter()).len();
    let mut read = [0; 16];
    let mut have = 0;
    while have < length {
        tokio::time::sleep(limits::STALLED * 9 / 10).await;
        have += bench.peer.read(&mut read).await.unwrap();
    }
    // Nothing to write: no time runs.
    tokio::time::sleep(limits::STALLED * 10).await;
    assert_eq!(bench.count("connections_stalled"), 0);
    assert!(!bench.carried.is_finished());
}

#[tokio::test(start_paused = true)]
async fn while_the_driver_is_busy_nothing_more_is_read() {
    let mut bench = bench(64, 1, &[]);
    let bytes = bytes_of(&Frame::Letter(notify(0)));
    let written = tokio::time::timeout(Duration::from_secs(60), async {
        for _ in 0..100_000 {
            bench.peer.write_all(&bytes).await.unwrap();
        }
    });
    written.await.unwrap_err();
    let read = bench.count("bytes_received");
    assert!(read < 64 * 1024, "{read} bytes");
    // It goes on where it was.
    for _ in 0..read / bytes.len() as u64 {
        assert_eq!(bench.letters.recv().await, Some((7, notify(0))));
    }
    assert_eq!(bench.count("frames_malformed"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_letter_ends_the_connection() {
    let known = Frame::Known(crate::host::Known {
        nodes: Vec::new(),
        complete: true,
    });
    for bytes in [&bytes_of(&known)[..], &[0xff; 4], &[0; 4], &[0, 0, 0, 1, 9]] {
        let mut bench = bench(64, 10, &[]);
        bench
            .peer
            .write_all(&bytes_of(&Frame::Letter(notify(0))))
            .await
            .unwrap();
        bench.peer.write_all(bytes).await.unwrap();
        assert_eq!(bench.read_all().await, 0);
        assert_eq!(bench.count("frames_malformed"), 1);
        // What came before is handled.
        assert_eq!(bench.letters.recv().await, Some((7, notify(0))));
        bench.carried.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_driver_is_gone_so_is_the_connection() {
    let mut bench = bench(64, 10, &[]);
    drop(bench.letters);
    bench
        .peer
        .write_all(&bytes_of(&Frame::Letter(notify(0))))
        .await
        .unwrap();
    bench.carried.await.unwrap();
}
