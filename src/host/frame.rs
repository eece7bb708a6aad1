//! What travels on a connection: frames.
//!
//! ```text
//!   ┌────────────────┬─────────┬──────────────────────┐
//!   │ length, 4 bytes│ version │ postcard of a Frame  │   length counts what follows it,
//!   │ big-endian     │ 1 byte  │                      │   at most limits::FRAME
//!   └────────────────┴─────────┴──────────────────────┘
//! ```
//!
//! Inside TLS, both ends first send one [`Frame::Handshake`] and one [`Frame::Started`], at the same
//! time. Then come envelopes both ways, many questions under way at once, until one end closes the
//! connection.
//!
//! ```text
//!   A ── Handshake ─▶ B      who I am, where I listen, which cluster; the proof of the secret
//!   A ◀─ Handshake ── B
//!   A ── Started ───▶ B      which of the starts with this key I am
//!   A ◀─ Started ──── B
//!   A ── Envelope ──▶ B      a message from one of my nodes to one of yours
//!   A ◀─ Envelope ─── B
//! ```
//!
//! A handshake never changes its form, for processes of all releases must read it. The first
//! release spoke one protocol and did not name it. So the [name](ProtocolName) of any other stands
//! behind the postcard of the handshake, in the same frame: the first release refuses such a
//! handshake as one that it can't read, and a handshake without a name is of `chord`.

use std::borrow::Cow;

use bytes::{Buf, BufMut, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::limits;
use super::protocol_name::ProtocolName;
use cuerda_core::Hint;
use cuerda_core::chord::Message;
use cuerda_core::protocol::Versions;
pub use cuerda_core::protocol::twins::Start;
use cuerda_core::ring::{Address, Id, Peer};

/// What is said of bytes that postcard would not have written.
const BAD: postcard::Error = postcard::Error::DeserializeBadEncoding;

/// The version of the framing and of what stands in a [`Handshake`]. All else goes by the versions
/// of the protocol, which the handshakes tell: this one never has to change with them.
pub const FRAME_VERSION: u8 = 1;

/// Everything that is sent, by nodes whose messages are of type `M`. Variants are numbered by their
/// place: new ones go to the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame<M = Message> {
    /// The first frame in each direction.
    Handshake(Handshake),
    /// A message between two nodes.
    Envelope(Envelope<M>),
    /// To a bootstrap node. Answered by [`Frame::Known`].
    Register(Registration),
    /// From a bootstrap node.
    Known(Known),
    /// Behind the handshake, in each direction.
    Started(Start),
    /// To a process: another one has the same key, and is reached here. Anybody can say so: who is
    /// told looks for himself.
    Twin(Address),
    /// To a process that has connected: nobody can connect to it where it says that it is. Anybody
    /// can say so: it is only told to the operator.
    OutOfReach,
}

/// A process tells a bootstrap node that it is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Its nodes.
    pub nodes: Vec<Registered>,
    /// How often it says so, in milliseconds: after three times as long it may be forgotten.
    pub every_ms: u32,
}

/// What a bootstrap node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// A few nodes that are alive, the asking process's own left out.
    pub nodes: Vec<Registered>,
    /// Whether it has run for long enough to have heard of all that are alive. Before that,
    /// naming nobody means nothing.
    pub complete: bool,
}

/// Who opens a connection. Never changes its form: processes of all releases must read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    /// Which versions of the protocol it understands.
    pub protocol: Versions,
    /// The hash of the cluster's name.
    pub cluster: Id,
    /// The Ed25519 public key, which TLS has proved; without TLS it is just claimed.
    pub public_key: [u8; 32],
    /// Where this process listens.
    pub address: Address,
    /// How many nodes it hosts: their ids are made of the public key and 0, 1, …
    /// 0 means a bootstrap node.
    pub nodes: u8,
    /// Counts its starts.
    pub incarnation: u32,
    /// Where the cluster has a secret: the proof of knowing it, bound to this connection.
    pub proof: Option<[u8; 32]>,
    /// Which protocol its nodes speak.
    #[serde(skip)]
    pub name: ProtocolName,
}

impl Handshake {
    /// The ids of the nodes behind this connection, by their index.
    #[must_use]
    pub fn ids(&self) -> Vec<Id> {
        (0..self.nodes.min(limits::VIRTUAL_NODES))
            .map(|index| Id::of_node(&self.public_key, index))
            .collect()
    }
}

/// A message with the indices of the nodes it goes between.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Envelope<M = Message> {
    /// Which of the sender's nodes sent it.
    pub from: u8,
    /// Which of the receiver's nodes it is for.
    pub to: u8,
    /// What it says.
    pub message: M,
}

/// What a bootstrap node knows of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Which.
    pub peer: Peer,
    /// Whether it belongs to a ring.
    pub member: bool,
}

/// In the place of a message that is not read: before two processes have introduced themselves, and
/// between one and a bootstrap node, no envelope may come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unread;

/// Why bytes are no frame. The connection they came on can't be used any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length prefix asks for more than any frame may have.
    #[error("a frame of {0} bytes, more than the {most} allowed", most = limits::FRAME)]
    TooLong(u32),
    /// Too short to hold anything.
    #[error("an empty frame")]
    Empty,
    /// Another version of the framing.
    #[error("a frame of version {0}, not {FRAME_VERSION}")]
    Version(u8),
    /// Not what postcard would have written.
    #[error("a frame that can't be read: {0}")]
    Unreadable(postcard::Error),
}

impl Hint for FrameError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            FrameError::Version(_) => Some("run the same release on all nodes".into()),
            FrameError::TooLong(_) | FrameError::Empty | FrameError::Unreadable(_) => None,
        }
    }
}

impl<M: Serialize> Frame<M> {
    /// Appends the frame to a buffer. False, and nothing appended, if it is longer than
    /// [`limits::FRAME`].
    pub fn encode(&self, buffer: &mut BytesMut) -> bool {
        let start = buffer.len();
        buffer.put_u32(0);
        buffer.put_u8(FRAME_VERSION);
        let mut written = postcard::to_io(self, (&mut *buffer).writer()).is_ok();
        if let Frame::Handshake(Handshake { name, .. }) = self
            && !name.is_first()
        {
            written &= postcard::to_io(name, (&mut *buffer).writer()).is_ok();
        }
        let length = buffer.len() - start - 4;
        if !written || length > limits::FRAME {
            buffer.truncate(start);
            return false;
        }
        let length = u32::try_from(length).expect("a frame's limit fits 32 bits");
        buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        true
    }
}

impl<M: DeserializeOwned> Frame<M> {
    /// Takes the first frame out of a buffer; `None` if it has not come in whole yet.
    ///
    /// Nothing is reserved for a frame before it is there, whatever its prefix promises.
    ///
    /// # Errors
    /// If what stands there can't become a frame.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Frame<M>>, FrameError> {
        match Frame::split(buffer)? {
            Some((_, false)) => Err(FrameError::Unreadable(BAD)),
            Some((frame, true)) => Ok(Some(frame)),
            None => Ok(None),
        }
    }

    /// The same, and whether it was read to its end.
    fn split(buffer: &mut BytesMut) -> Result<Option<(Frame<M>, bool)>, FrameError> {
        let Some(prefix) = buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix);
        if length as usize > limits::FRAME {
            return Err(FrameError::TooLong(length));
        }
        if buffer.len() - 4 < length as usize {
            return Ok(None);
        }
        buffer.advance(4);
        let body = buffer.split_to(length as usize);
        let (&version, body) = body.split_first().ok_or(FrameError::Empty)?;
        if version != FRAME_VERSION {
            return Err(FrameError::Version(version));
        }
        let read = postcard::take_from_bytes(body).map_err(FrameError::Unreadable)?;
        let (mut frame, mut rest) = read;
        if let Frame::Handshake(handshake) = &mut frame
            && !rest.is_empty()
        {
            let read = postcard::take_from_bytes(rest).map_err(FrameError::Unreadable)?;
            (handshake.name, rest) = read;
            // It is written in one way only.
            if handshake.name.is_first() {
                return Err(FrameError::Unreadable(BAD));
            }
        }
        Ok(Some((frame, rest.is_empty())))
    }
}

impl Frame<Unread> {
    /// The same of a frame that should be no envelope. If it is one, what it says is not read.
    ///
    /// # Errors
    /// As [`Frame::decode`].
    pub(super) fn decode_unread(buffer: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        match Frame::split(buffer)? {
            Some((frame, whole)) if whole || matches!(frame, Frame::Envelope(_)) => Ok(Some(frame)),
            Some(_) => Err(FrameError::Unreadable(BAD)),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
