//! One connection, with a pipe in memory for the channel.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use cuerda_core::chord::Message;
use cuerda_core::ring::{Id, Peer};

/// One connection, all its ends in the hands of a test.
struct Bench {
    peer: DuplexStream,
    frames: Option<mpsc::Sender<Frame>>,
    rumours: mpsc::Receiver<(u64, Rumour)>,
    envelopes: mpsc::Receiver<(u64, Envelope)>,
    counters: Arc<Counters>,
    carried: JoinHandle<()>,
}

fn bench(pipe: usize, inbox: usize, rest: &[u8]) -> Bench {
    let (near, peer) = duplex(pipe);
    let (frames, outgoing) = mpsc::channel(limits::OUTGOING);
    let (sender, envelopes) = mpsc::channel(inbox);
    let counters = Arc::new(Counters::default());
    let (serial, envelopes_in) = (7, sender);
    let (rumours_in, rumours) = mpsc::channel(1);
    let inbox = Inbox {
        serial,
        envelopes: envelopes_in,
        rumours: rumours_in,
    };
    let rest = BytesMut::from(rest);
    let carried = tokio::spawn(carry(near, rest, outgoing, inbox, Arc::clone(&counters)));
    Bench {
        peer,
        frames: Some(frames),
        rumours,
        envelopes,
        counters,
        carried,
    }
}

fn notify(from: u8) -> Envelope {
    let message = Message::Notify;
    Envelope {
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

/// An envelope of some size.
fn long_envelope() -> Frame {
    let address = std::net::SocketAddr::from(([10, 0, 0, 1], 1)).into();
    let id = Id::ZERO;
    let reply = cuerda_core::chord::Reply::Closer(vec![Peer { id, address }; 64]);
    let id = cuerda_core::chord::RequestId::of_node(1, 1);
    let message = Message::Reply { id, reply };
    Frame::Envelope(Envelope {
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
async fn envelopes_come_in_in_order_beginning_with_what_came_after_the_handshake() {
    let mut rest = bytes_of(&Frame::Envelope(notify(0)));
    rest.extend_from_slice(&bytes_of(&Frame::Envelope(notify(1)))[..3]);
    let mut bench = bench(64, 10, &rest);
    bench
        .peer
        .write_all(&bytes_of(&Frame::Envelope(notify(1)))[3..])
        .await
        .unwrap();
    bench
        .peer
        .write_all(&bytes_of(&Frame::Envelope(notify(2))))
        .await
        .unwrap();
    for from in 0..3 {
        assert_eq!(bench.envelopes.recv().await, Some((7, notify(from))));
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
        let frame = Frame::Envelope(notify(from));
        length += bytes_of(&frame).len();
        frames.send(frame).await.unwrap();
    }
    drop(frames);
    assert_eq!(bench.read_all().await, length);
    assert_eq!(bench.count("bytes_sent"), length as u64);
    bench.carried.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_delays_the_end_no_longer_than_allowed() {
    let mut bench = bench(16, 10, &[]);
    let frames = bench.frames.take().unwrap();
    frames.send(long_envelope()).await.unwrap();
    drop(frames);
    let began = Instant::now();
    bench.carried.await.unwrap();
    assert!(began.elapsed() < limits::CLOSING + limits::STALLED);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_fills_his_queue_and_is_cut_off() {
    let mut bench = bench(1000, 10, &[]);
    let frames = bench.frames.take().unwrap();
    let (began, mut taken) = (Instant::now(), 0);
    let full = tokio::time::timeout(Duration::from_secs(1), async {
        loop {
            frames.send(long_envelope()).await.unwrap();
            taken += 1;
        }
    });
    full.await.unwrap_err();
    let size = bytes_of(&long_envelope()).len();
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
    frames.send(long_envelope()).await.unwrap();
    let length = bytes_of(&long_envelope()).len();
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
    let bytes = bytes_of(&Frame::Envelope(notify(0)));
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
        assert_eq!(bench.envelopes.recv().await, Some((7, notify(0))));
    }
    assert_eq!(bench.count("frames_malformed"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_envelope_ends_the_connection() {
    let known = Frame::Known(crate::host::Known {
        nodes: Vec::new(),
        complete: true,
    });
    for bytes in [&bytes_of(&known)[..], &[0xff; 4], &[0; 4], &[0, 0, 0, 1, 9]] {
        let mut bench = bench(64, 10, &[]);
        bench
            .peer
            .write_all(&bytes_of(&Frame::Envelope(notify(0))))
            .await
            .unwrap();
        bench.peer.write_all(bytes).await.unwrap();
        assert_eq!(bench.read_all().await, 0);
        assert_eq!(bench.count("frames_malformed"), 1);
        // What came before is handled.
        assert_eq!(bench.envelopes.recv().await, Some((7, notify(0))));
        bench.carried.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_driver_is_gone_so_is_the_connection() {
    let mut bench = bench(64, 10, &[]);
    drop(bench.envelopes);
    bench
        .peer
        .write_all(&bytes_of(&Frame::Envelope(notify(0))))
        .await
        .unwrap();
    bench.carried.await.unwrap();
}

#[tokio::test]
async fn what_is_said_of_this_process_is_passed_on_once_and_keeps_nobody_waiting() {
    let twin = SocketAddr::from(([10, 0, 0, 9], 4000)).into();
    for (frame, rumour) in [
        (Frame::Twin(twin), Rumour::Twin(twin)),
        (Frame::OutOfReach, Rumour::OutOfReach),
    ] {
        let mut bench = bench(1 << 16, 1, &[]);
        let mut bytes = BytesMut::new();
        for _ in 0..100 {
            bytes.extend_from_slice(&bytes_of(&frame));
        }
        bytes.extend_from_slice(&bytes_of(&Frame::Envelope(notify(1))));
        bench.peer.write_all(&bytes).await.unwrap();
        assert_eq!(bench.envelopes.recv().await, Some((7, notify(1))));
        assert_eq!(bench.rumours.recv().await, Some((7, rumour)));
        assert!(bench.rumours.try_recv().is_err());
    }
}

/// Carries a channel that is alone in the world to its end: the connections that ended, were
/// reset, and were cut.
async fn ends(channel: impl AsyncRead + AsyncWrite) -> [u64; 3] {
    let (_frames, outgoing) = mpsc::channel(1);
    let (envelopes, _envelopes) = mpsc::channel(1);
    let inbox: Inbox<Message> = Inbox {
        serial: 7,
        envelopes,
        rumours: mpsc::channel(1).0,
    };
    let counters = Arc::new(Counters::default());
    let rest = BytesMut::new();
    carry(channel, rest, outgoing, inbox, Arc::clone(&counters)).await;
    let Counters {
        connections_ended,
        connections_reset,
        connections_cut,
        ..
    } = &*counters;
    [connections_ended, connections_reset, connections_cut].map(|counter| counter.load(Relaxed))
}

/// A channel that the network breaks at the first reading.
struct Broken(io::ErrorKind);

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn how_a_connection_ends_is_counted() {
    let (near, peer) = duplex(16);
    drop(peer);
    assert_eq!(ends(near).await, [1, 0, 0]);
    assert_eq!(ends(Broken(io::ErrorKind::BrokenPipe)).await, [0, 1, 0]);
    // TLS: the system closed, and the process had not said good-bye.
    assert_eq!(ends(Broken(io::ErrorKind::UnexpectedEof)).await, [0, 0, 1]);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    for (abrupt, counted) in [(false, [1, 0, 0]), (true, [0, 1, 0])] {
        let (near, peer) = tokio::join!(TcpStream::connect(at), listener.accept());
        let (peer, _) = peer.unwrap();
        if abrupt {
            peer.set_zero_linger().unwrap();
        }
        drop(peer);
        assert_eq!(ends(near.unwrap()).await, counted);
    }
}

/// A channel on which nonsense comes, and what says whether it was closed with a good-bye.
struct Nonsense(Arc<std::sync::atomic::AtomicBool>);

impl AsyncRead for Nonsense {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = vec![0xff; buffer.remaining()];
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Nonsense {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.store(true, Relaxed);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn who_sends_nonsense_is_told_good_bye_and_does_not_count_a_killed_process() {
    let closed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    assert_eq!(ends(Nonsense(Arc::clone(&closed))).await, [0; 3]);
    assert!(closed.load(Relaxed));
}

#[tokio::test(start_paused = true)]
async fn what_this_end_closes_is_not_counted_as_the_peers_end() {
    let mut bench = bench(16, 10, &[]);
    drop(bench.frames.take());
    bench.read_all().await;
    bench.carried.await.unwrap();
    let counts = bench.counters.all().into_iter();
    let ends = counts.filter(|(name, ..)| {
        ["connections_ended", "connections_reset", "connections_cut"].contains(name)
    });
    let ends: Vec<u64> = ends.map(|(.., count)| count).collect();
    assert_eq!(ends, [0; 3]);
}
