//! How a connection begins: TLS, the two messages of each end, and the decision whether to go on.
//!
//! Nothing that has not passed here reaches the driver.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsStream;
use tokio_util::either::Either;

use super::admission::{Admission, AdmissionError, Admitted, Binding, Role};
use super::frame::{Frame, FrameError, Handshake, Start, Unread};
use super::protocol_name::ProtocolName;
use super::sockets::Sockets;
use super::tls::Tls;
use cuerda_core::Hint;
use cuerda_core::protocol::VersionsApart;

/// The bytes of a connection, secured or not.
pub(super) type Channel<S> = Either<TlsStream<S>, S>;

/// A connection whose other end has proved who it is.
#[derive(Debug)]
pub(super) struct Proven<S> {
    pub(super) channel: Channel<S>,
    /// What came in after the handshake.
    pub(super) rest: BytesMut,
    pub(super) handshake: Handshake,
    /// Which start of the process with this key it is.
    pub(super) start: Start,
    /// By what the other end was let in.
    pub(super) admitted: Admitted,
}

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    Unreachable(io::Error),
    #[error("it did not answer within {0:?}")]
    TooSlow(Duration),
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    #[error("it closed the connection without introducing itself")]
    Mute,
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("it sent something else in the place of its handshake")]
    Unopened,
    #[error("it claims another public key than it proved")]
    AnotherKey,
    #[error("it speaks the protocol `{theirs}` and this node `{ours}`")]
    Protocol {
        theirs: ProtocolName,
        ours: ProtocolName,
    },
    #[error("{0}")]
    Version(#[from] VersionsApart),
    #[error("it belongs to another cluster")]
    Cluster,
    #[error("{0}")]
    Admission(#[from] AdmissionError),
}

impl Hint for Refused {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Refused::Tls(_) => "is it a node of this cluster, with TLS switched on?",
            Refused::Mute => {
                "perhaps it does not admit this node's key or secret: its log says why"
            }
            Refused::Protocol { .. } => "check the address, or run the same program at both ends",
            Refused::Cluster => "check the cluster's name on both",
            Refused::Frame(error) => return error.hint(),
            Refused::Version(error) => return error.hint(),
            Refused::Admission(error) => return error.hint(),
            Refused::Unreachable(_)
            | Refused::TooSlow(_)
            | Refused::Unopened
            | Refused::AnotherKey => return None,
        }))
    }
}

/// How the network kept a connection from coming about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nobody listens there.
    NobodyThere,
    /// There is no way to that address.
    NoWay,
    /// Nothing was heard in time.
    Silence,
}

impl Refused {
    /// Which of the network's reasons it was, if it was one.
    pub(super) fn cause(&self) -> Option<Cause> {
        match self {
            Refused::TooSlow(_) => Some(Cause::Silence),
            Refused::Unreachable(error) | Refused::Tls(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => Some(Cause::NobodyThere),
                io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown => Some(Cause::NoWay),
                io::ErrorKind::TimedOut => Some(Cause::Silence),
                _ => None,
            },
            _ => None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Proven<S> {
    /// Sends a frame that is no envelope: what a process and a bootstrap node say to each other.
    pub(super) async fn send(&mut self, frame: Frame<Unread>) -> Result<(), Refused> {
        send(&mut self.channel, &[frame]).await
    }

    /// The next frame; `None` once the other end has closed the connection.
    pub(super) async fn receive(&mut self) -> Result<Option<Frame<Unread>>, Refused> {
        receive(&mut self.channel, &mut self.rest).await
    }
}

async fn send<T: AsyncWrite + Unpin>(
    channel: &mut T,
    frames: &[Frame<Unread>],
) -> Result<(), Refused> {
    let mut buffer = BytesMut::new();
    for frame in frames {
        frame.encode(&mut buffer);
    }
    let sent = async {
        channel.write_all(&buffer).await?;
        channel.flush().await
    };
    sent.await.map_err(Refused::Unreachable)
}

async fn receive<T: AsyncRead + Unpin>(
    channel: &mut T,
    rest: &mut BytesMut,
) -> Result<Option<Frame<Unread>>, Refused> {
    loop {
        if let Some(frame) = Frame::decode_unread(rest)? {
            return Ok(Some(frame));
        }
        let read = channel.read_buf(rest).await;
        if read.map_err(Refused::Unreachable)? == 0 {
            return Ok(None);
        }
    }
}

/// What a process shows, and asks of others, in every handshake.
#[derive(Clone, Debug)]
pub(super) struct Handshaker {
    pub(super) tls: Option<Tls>,
    /// Its own handshake, but for the proof.
    pub(super) handshake: Handshake,
    /// This start of it.
    pub(super) start: Start,
    admission: Arc<Mutex<Arc<Admission>>>,
}

impl Handshaker {
    pub(super) fn new(
        tls: Option<Tls>,
        handshake: Handshake,
        start: Start,
        admission: Admission,
    ) -> Handshaker {
        Handshaker {
            tls,
            handshake,
            start,
            admission: Arc::new(Mutex::new(Arc::new(admission))),
        }
    }

    /// The keys and secrets in force.
    pub(super) fn admission(&self) -> Arc<Admission> {
        let admission = self.admission.lock();
        Arc::clone(&admission.unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the keys and secrets.
    pub(super) fn admit_by(&self, admission: Admission) {
        let place = self.admission.lock();
        *place.unwrap_or_else(PoisonError::into_inner) = Arc::new(admission);
    }

    /// Connects to an address and finds out who is there.
    pub(super) async fn dial<S: Sockets>(
        &self,
        sockets: &S,
        to: SocketAddr,
        patience: Duration,
    ) -> Result<Proven<S::Stream>, Refused> {
        let dialled = async {
            let stream = sockets.connect(to).await.map_err(Refused::Unreachable)?;
            self.enter(stream, Role::Client).await
        };
        let dialled = tokio::time::timeout(patience, dialled).await;
        dialled.unwrap_or(Err(Refused::TooSlow(patience)))
    }

    /// Finds out who has connected.
    pub(super) async fn accept<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: T,
        patience: Duration,
    ) -> Result<Proven<T>, Refused> {
        let accepted = tokio::time::timeout(patience, self.enter(stream, Role::Server)).await;
        accepted.unwrap_or(Err(Refused::TooSlow(patience)))
    }

    async fn enter<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: T,
        role: Role,
    ) -> Result<Proven<T>, Refused> {
        let (mut channel, proved) = match &self.tls {
            None => (Either::Right(stream), None),
            Some(tls) => {
                let secured = match role {
                    Role::Client => tls.connect(stream).await,
                    Role::Server => tls.accept(stream).await,
                };
                let secured = secured.map_err(Refused::Tls)?;
                let mine = self.handshake.public_key;
                let (client, server) = match role {
                    Role::Client => (mine, secured.public_key),
                    Role::Server => (secured.public_key, mine),
                };
                let binding = Binding {
                    exporter: secured.exporter,
                    client,
                    server,
                };
                (
                    Either::Left(secured.stream),
                    Some((secured.public_key, binding)),
                )
            }
        };
        let admission = self.admission();
        let mut handshake = self.handshake.clone();
        if let Some((_, binding)) = &proved {
            handshake.proof = admission.proof(binding, role);
        }
        // Both at once: nobody waits longer for the second.
        let mine = [Frame::Handshake(handshake), Frame::Started(self.start)];
        send(&mut channel, &mine).await?;
        let mut rest = BytesMut::with_capacity(512);
        let theirs = match receive(&mut channel, &mut rest).await {
            Ok(Some(Frame::Handshake(theirs))) => theirs,
            Ok(Some(_)) => return Err(Refused::Unopened),
            // A reset here is how most systems tell that the other end did not like us.
            Ok(None) | Err(Refused::Unreachable(_)) => return Err(Refused::Mute),
            Err(error) => return Err(error),
        };
        let admitted = self.judge(&admission, &theirs, proved, role.other())?;
        let start = match receive(&mut channel, &mut rest).await {
            Ok(Some(Frame::Started(start))) => start,
            Ok(Some(_)) => return Err(Refused::Unopened),
            Ok(None) | Err(Refused::Unreachable(_)) => return Err(Refused::Mute),
            Err(error) => return Err(error),
        };
        Ok(Proven {
            channel,
            rest,
            handshake: theirs,
            start,
            admitted,
        })
    }

    /// Whether the other end may come in.
    fn judge(
        &self,
        admission: &Admission,
        theirs: &Handshake,
        proved: Option<([u8; 32], Binding)>,
        role: Role,
    ) -> Result<Admitted, Refused> {
        if theirs.name != self.handshake.name {
            return Err(Refused::Protocol {
                theirs: theirs.name.clone(),
                ours: self.handshake.name.clone(),
            });
        }
        self.handshake.protocol.common(theirs.protocol)?;
        if theirs.cluster != self.handshake.cluster {
            return Err(Refused::Cluster);
        }
        let Some((public_key, binding)) = proved else {
            return Ok(Admitted::default());
        };
        if theirs.public_key != public_key {
            return Err(Refused::AnotherKey);
        }
        Ok(admission.check(&binding, role, theirs.proof.as_ref())?)
    }
}

#[cfg(test)]
mod tests;
