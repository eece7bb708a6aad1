//! One end of a connection: bytes in order, each when it is due.
//!
//! What is written at once travels at once: it carries the time at which it is due at the other
//! end, drawn by the scenario's latency, and never overtakes what was written before. The reading
//! end keeps it until then, and longer while the way is cut, as retransmission would. Reads end
//! where a seeded generator says, so that no program can take a write for a read.
//!
//! ```text
//!   write ─▶ [due│length│bytes] ─▶ turmoil ─▶ held until due and not cut ─▶ read
//! ```
//!
//! An end of the stream is a mark of length nothing, which a program leaves that closes or drops
//! its end. A machine that lost its power leaves none: its peers read nothing, ever, and what they
//! write is swallowed; once it is back, it knows nothing of the connection and resets it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use turmoil::net::TcpStream;

use super::net::{Ends, Net, Shared, now};
use super::sockets::Plugs;
use crate::world::Time;

/// Bytes before each write: when it is due, and how long it is.
const HEAD: usize = 12;
/// The most that travels as one write.
const WRITE: usize = 64 * 1024;
/// So much waits at the reading end before the writing end has to.
const WINDOW: usize = 512 * 1024;
/// So much is swallowed of what is written to a machine that is off.
const SWALLOWED: usize = 512 * 1024;

pub(super) struct Stream {
    inner: TcpStream,
    net: Shared,
    ends: Ends,
    me: u32,
    epoch: u32,
    peer: u32,
    peer_epoch: u32,
    /// To wait with for changes of the network: one for reading, one for writing.
    tickets: [u64; 2],
    /// What turmoil has brought and is not a whole write yet.
    raw: Vec<u8>,
    held: VecDeque<Held>,
    held_bytes: usize,
    end: End,
    sleep: Pin<Box<Sleep>>,
    /// When the last thing written is due.
    last_due: Time,
    /// When the next write is due, if it could not be taken yet.
    stamp: Option<Time>,
    closed: bool,
    /// Bytes written to a machine that was off.
    swallowed: usize,
    /// When the machine that came back, and knows nothing of this, says so.
    reset_at: Option<Time>,
}

/// A write that has come in.
struct Held {
    due: Time,
    bytes: Vec<u8>,
    read: usize,
}

/// How the incoming bytes end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// The peer closed its end, which shows at this time.
    Closed(Time),
    /// The peer's socket was gone when something came in.
    Reset(Time),
    /// The peer's machine stopped without a word.
    Silent,
}

impl Stream {
    pub(super) fn new(plugs: &Plugs, inner: TcpStream, peer: u32, ends: Ends) -> Stream {
        let mut net = plugs.net.lock();
        net.connected(ends);
        let (tickets, peer_epoch) = ([net.ticket(), net.ticket()], net.epoch(peer));
        drop(net);
        Stream {
            inner,
            net: plugs.net.clone(),
            ends,
            me: plugs.number,
            epoch: plugs.epoch,
            peer,
            peer_epoch,
            tickets,
            raw: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            end: End::Open,
            sleep: Box::pin(sleep(Duration::ZERO)),
            last_due: 0,
            stamp: None,
            closed: false,
            swallowed: 0,
            reset_at: None,
        }
    }

    /// Takes in what turmoil has brought.
    fn pump(&mut self, context: &mut Context<'_>) {
        let mut bytes = [0; 4096];
        while self.end == End::Open && self.held_bytes < WINDOW {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.inner).poll_read(context, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.raw.extend_from_slice(buffer.filled());
                    self.unpack();
                }
                // No mark came before: nobody closed this.
                Poll::Ready(Ok(())) => self.end = End::Silent,
                Poll::Ready(Err(_)) => {
                    let mut net = self.net.lock();
                    self.end = if net.lives(self.peer, self.peer_epoch) {
                        End::Reset(now() + net.latency(self.peer, self.me))
                    } else {
                        End::Silent
                    };
                }
            }
        }
    }

    /// Takes whole writes out of what has come in.
    fn unpack(&mut self) {
        let mut at = 0;
        while let Some((head, rest)) = self.raw[at..].split_first_chunk::<HEAD>() {
            let (due, length) = head.split_at(8);
            let due = u64::from_be_bytes(due.try_into().expect("eight bytes"));
            let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
            if length == 0 {
                self.end = End::Closed(due);
                break;
            }
            let Some(bytes) = rest.get(..length) else {
                break;
            };
            self.held.push_back(Held {
                due,
                bytes: bytes.to_vec(),
                read: 0,
            });
            self.held_bytes += length;
            at += HEAD + length;
        }
        self.raw.drain(..at);
    }

    /// Waits until this time.
    fn rest(&mut self, time: Time, context: &mut Context<'_>) -> Poll<()> {
        let left = Duration::from_nanos(time.saturating_sub(now()));
        if left.is_zero() {
            return Poll::Ready(());
        }
        self.sleep.as_mut().reset(Instant::now() + left);
        self.sleep.as_mut().poll(context)
    }

    /// What was written to a machine that was off is resent when it is back, and refused.
    fn resent(&mut self) -> Option<Time> {
        if self.swallowed > 0 && self.reset_at.is_none() {
            let mut net = self.net.lock();
            let open = !net.network_faults.block(self.me, self.peer)
                && !net.network_faults.block(self.peer, self.me);
            if open && net.is_up(self.peer) {
                let back = net.latency(self.me, self.peer) + net.latency(self.peer, self.me);
                self.reset_at = Some(now() + back);
            }
        }
        self.reset_at
    }

    fn wait(&self, net: &mut Net, which: usize, context: &Context<'_>) {
        net.wait(self.tickets[which], context.waker());
    }

    /// Gives what is due to the reader.
    fn deliver(&mut self, buffer: &mut ReadBuf<'_>) {
        let mut net = self.net.lock();
        let now = now();
        let due = self.held.iter().take_while(|held| held.due <= now);
        let there: usize = due.map(|held| held.bytes.len() - held.read).sum();
        let most = net.split(there.min(buffer.remaining()));
        let mut left = net.let_through(&self.ends, most);
        drop(net);
        self.held_bytes -= left;
        while left > 0 {
            let first = self.held.front_mut().expect("what is due is held");
            let part = left.min(first.bytes.len() - first.read);
            buffer.put_slice(&first.bytes[first.read..first.read + part]);
            first.read += part;
            left -= part;
            if first.read == first.bytes.len() {
                self.held.pop_front();
            }
        }
    }

    /// Says that no more will come, if anybody can be told.
    fn mark_end(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let due = {
            let mut net = self.net.lock();
            if !net.lives(self.me, self.epoch) || !net.lives(self.peer, self.peer_epoch) {
                return;
            }
            (now() + net.latency(self.me, self.peer)).max(self.last_due)
        };
        let mut mark = due.to_be_bytes().to_vec();
        mark.extend_from_slice(&[0; HEAD - 8]);
        // Where the buffers are full, the peer reads nothing anyway.
        let _ = self.inner.try_write(&mark);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            this.pump(context);
            let shared = this.net.clone();
            let mut net = shared.lock();
            this.wait(&mut net, 0, context);
            if net.is_paused(this.me) {
                return Poll::Pending;
            }
            if net.is_reset(&this.ends) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let cut = net.network_faults.block(this.peer, this.me);
            let gone = !net.lives(this.peer, this.peer_epoch);
            // A sender that is asleep closes nothing before it wakes.
            let asleep = net.is_paused(this.peer);
            drop(net);
            let next = match (this.held.front(), this.end) {
                (Some(first), _) => first.due,
                (None, End::Closed(due) | End::Reset(due)) => due,
                (None, End::Open | End::Silent) => {
                    if let Some(reset) = this.resent() {
                        ready!(this.rest(reset, context));
                        return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                    }
                    return Poll::Pending;
                }
            };
            ready!(this.rest(next, context));
            if cut && gone {
                // Nobody is left who could send it again.
                this.held.clear();
                this.held_bytes = 0;
                this.end = End::Silent;
                continue;
            }
            if cut || (this.held.is_empty() && asleep && !gone) {
                return Poll::Pending;
            }
            return match (this.held.is_empty(), this.end) {
                (true, End::Reset(_)) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                (true, _) => Poll::Ready(Ok(())),
                (false, _) => {
                    let before = buffer.remaining();
                    this.deliver(buffer);
                    if buffer.remaining() == before {
                        // It was reset before another byte got through.
                        continue;
                    }
                    Poll::Ready(Ok(()))
                }
            };
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let bytes = &bytes[..bytes.len().min(WRITE)];
        let shared = this.net.clone();
        let mut net = shared.lock();
        if net.is_paused(this.me) {
            this.wait(&mut net, 1, context);
            return Poll::Pending;
        }
        if this.closed || net.is_reset(&this.ends) || this.reset_at.is_some_and(|at| at <= now()) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if !net.lives(this.peer, this.peer_epoch) {
            if this.swallowed >= SWALLOWED {
                this.wait(&mut net, 1, context);
                return Poll::Pending;
            }
            this.swallowed += bytes.len();
            net.counters.bytes += bytes.len() as u64;
            // If it is back, the reader is told.
            net.wake(this.tickets[0]);
            return Poll::Ready(Ok(bytes.len()));
        }
        let due = *this.stamp.get_or_insert_with(|| {
            let due = now() + net.latency(this.me, this.peer);
            due.max(this.last_due)
        });
        drop(net);
        let mut written = due.to_be_bytes().to_vec();
        let length = u32::try_from(bytes.len()).expect("a write is cut to fit");
        written.extend_from_slice(&length.to_be_bytes());
        written.extend_from_slice(bytes);
        let taken = ready!(Pin::new(&mut this.inner).poll_write(context, &written))?;
        debug_assert_eq!(taken, written.len(), "turmoil takes a write whole");
        this.stamp = None;
        this.last_due = due;
        this.net.lock().counters.bytes += bytes.len() as u64;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut net = this.net.lock();
        if net.is_paused(this.me) {
            this.wait(&mut net, 1, context);
            return Poll::Pending;
        }
        drop(net);
        this.mark_end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.mark_end();
        let mut net = self.net.lock();
        net.disconnected(self.ends);
        for ticket in self.tickets {
            net.forget(ticket);
        }
    }
}
