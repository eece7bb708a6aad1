//! One connection: frames in, frames out, until one end has enough.
//!
//! It knows nobody but the driver. It stops reading while the driver has too much to do, and
//! stops taking frames while the peer does not read; what it can't take is lost before it gets
//! here.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::counters::Counters;
use super::frame::{Envelope, Frame};
use super::limits;
use cuerda_core::Hint as _;
use cuerda_core::protocol::Wire;
use cuerda_core::ring::Address;

/// The least room to read into.
const READ: usize = 4096;

/// Where what comes in goes: envelopes with the number of the connection they came by.
#[derive(Clone, Debug)]
pub(super) struct Inbox<M> {
    pub(super) serial: u64,
    pub(super) envelopes: mpsc::Sender<(u64, Envelope<M>)>,
    /// What is said of this process, with the number likewise.
    pub(super) rumours: mpsc::Sender<(u64, Rumour)>,
}

/// What a process says of the one that it is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rumour {
    /// Another process, which is reached here, has its key.
    Twin(Address),
    /// Nobody can connect to it where it says that it is.
    OutOfReach,
}

/// One connection's buffers and halves.
struct Connection<T> {
    reader: ReadHalf<T>,
    writer: WriteHalf<T>,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// Something is written that may still be in a buffer of the channel.
    unflushed: bool,
    /// By when the peer must have read something.
    deadline: Option<Instant>,
    counters: Arc<Counters>,
}

/// Carries frames until the connection ends. Dropping the sender of `frames` closes it, after
/// what is in it has been written.
pub(super) async fn carry<T, M>(
    channel: T,
    rest: BytesMut,
    mut frames: mpsc::Receiver<Frame<M>>,
    inbox: Inbox<M>,
    counters: Arc<Counters>,
) where
    T: AsyncRead + AsyncWrite,
    M: Wire + Serialize + DeserializeOwned,
{
    let (reader, writer) = tokio::io::split(channel);
    let mut connection = Connection {
        reader,
        writer,
        incoming: rest,
        outgoing: BytesMut::new(),
        unflushed: false,
        deadline: None,
        counters,
    };
    let mut batch = Vec::new();
    if !connection.pass_on(&inbox).await {
        return connection.finish_writing().await;
    }
    loop {
        let writing = connection.is_writing();
        if writing && connection.deadline.is_none() {
            connection.deadline = Some(Instant::now() + limits::STALLED);
        }
        let deadline = connection.deadline.unwrap_or_else(Instant::now);
        let room = connection.outgoing.len() < limits::UNWRITTEN;
        let Connection {
            reader,
            writer,
            incoming,
            outgoing,
            unflushed,
            counters,
            ..
        } = &mut connection;
        let step = tokio::select! {
            biased;
            taken = frames.recv_many(&mut batch, 64), if room => Step::Taken(taken),
            written = tokio::time::timeout_at(deadline, write(writer, outgoing, unflushed)),
                if writing => match written {
                    Ok(Ok(())) => Step::Written,
                    Ok(Err(error)) => return broke_off(&error, counters),
                    Err(_) => {
                        Counters::add(&counters.connections_stalled);
                        return;
                    }
                },
            read = read(reader, incoming, &counters.bytes_received) => match read {
                Ok(0) => return Counters::add(&counters.connections_ended),
                Ok(_) => Step::Read,
                Err(error) => return broke_off(&error, counters),
            },
        };
        match step {
            Step::Taken(0) => {
                return connection.finish_writing().await;
            }
            Step::Taken(_) => {
                let before = connection.outgoing.len();
                for frame in batch.drain(..) {
                    if !frame.encode(&mut connection.outgoing) {
                        Counters::add(&connection.counters.letters_dropped);
                    }
                }
                let encoded = connection.outgoing.len() - before;
                Counters::add_many(&connection.counters.bytes_sent, encoded as u64);
            }
            Step::Written => connection.deadline = None,
            Step::Read => {
                if !connection.pass_on(&inbox).await {
                    // Without a good-bye the peer would believe that this process was killed.
                    return connection.finish_writing().await;
                }
            }
        }
    }
}

enum Step {
    Taken(usize),
    Written,
    Read,
}

/// Writes as much as the channel takes now. Cut off, nothing is lost: the buffer says what is
/// left.
async fn write<T: AsyncWrite>(
    writer: &mut WriteHalf<T>,
    outgoing: &mut BytesMut,
    unflushed: &mut bool,
) -> io::Result<()> {
    if !outgoing.is_empty() {
        *unflushed = true;
        writer.write_buf(outgoing).await?;
    }
    if outgoing.is_empty() {
        writer.flush().await?;
        *unflushed = false;
    }
    Ok(())
}

async fn read<T: AsyncRead>(
    reader: &mut ReadHalf<T>,
    incoming: &mut BytesMut,
    count: &AtomicU64,
) -> io::Result<usize> {
    incoming.reserve(READ);
    let read = reader.read_buf(incoming).await?;
    Counters::add_many(count, read as u64);
    Ok(read)
}

/// The network, or TLS, has ended the connection.
fn broke_off(error: &io::Error, counters: &Counters) {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    tracing::debug!(%error, "a connection broke off");
    match error.kind() {
        ConnectionReset | ConnectionAborted | BrokenPipe => {
            Counters::add(&counters.connections_reset);
        }
        _ => Counters::add(&counters.connections_cut),
    }
}

impl<T: AsyncRead + AsyncWrite> Connection<T> {
    fn is_writing(&self) -> bool {
        self.unflushed || !self.outgoing.is_empty()
    }

    /// Gives the envelopes that have come in to the driver. False if the connection has ended.
    async fn pass_on<M: Wire + DeserializeOwned>(&mut self, inbox: &Inbox<M>) -> bool {
        loop {
            match Frame::decode(&mut self.incoming) {
                Ok(None) => return true,
                Ok(Some(Frame::Envelope(envelope))) => {
                    let Inbox {
                        serial, envelopes, ..
                    } = inbox;
                    if envelopes.send((*serial, envelope)).await.is_err() {
                        return false;
                    }
                }
                // Whoever says such things often is heard once.
                Ok(Some(Frame::Twin(address))) => {
                    let _ = inbox
                        .rumours
                        .try_send((inbox.serial, Rumour::Twin(address)));
                }
                Ok(Some(Frame::OutOfReach)) => {
                    let _ = inbox.rumours.try_send((inbox.serial, Rumour::OutOfReach));
                }
                Ok(Some(other)) => {
                    tracing::debug!(?other, "closed a connection: an unexpected frame");
                    Counters::add(&self.counters.frames_malformed);
                    return false;
                }
                Err(error) => {
                    tracing::debug!(error = error.with_hint(), "closed a connection");
                    Counters::add(&self.counters.frames_malformed);
                    return false;
                }
            }
        }
    }

    async fn finish_writing(&mut self) {
        let written = async {
            while self.is_writing() {
                let (writer, outgoing) = (&mut self.writer, &mut self.outgoing);
                if write(writer, outgoing, &mut self.unflushed).await.is_err() {
                    return;
                }
            }
            let _ = self.writer.shutdown().await;
        };
        let _ = tokio::time::timeout(limits::CLOSING, written).await;
    }
}

#[cfg(test)]
mod tests;
