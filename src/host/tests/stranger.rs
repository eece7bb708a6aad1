//! Somebody with a key of his own, who says what he likes: the other end in tests of what a
//! host does with those that are no host.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_util::either::Either;

use super::Handle;
use crate::host::admission::{Binding, Role};
use crate::host::handshake::Channel;
use crate::host::tls::{Secured, Tls};
use crate::host::{
    Admission, Envelope, Frame, Handshake, Identity, ProtocolName, Security, Sockets, Start,
};
use cuerda_core::chord::{Message, Request, RequestId, VERSIONS};
use cuerda_core::ring::{Id, Peer};

pub(super) struct Stranger {
    tls: Option<Tls>,
    /// What he claims to be.
    pub(super) handshake: Handshake,
    /// Which start of the holder of his key he claims to be.
    pub(super) start: Start,
    /// Whose first secret he proves to know.
    pub(super) admission: Admission,
}

/// His end of a connection.
pub(super) struct Line<T> {
    pub(super) channel: Channel<T>,
    rest: BytesMut,
}

impl Stranger {
    pub(super) fn new(seed: u8, security: &Security) -> Stranger {
        let identity = Identity::from_seed([seed; 32]);
        let tls = match security {
            Security::None => None,
            Security::Tls(provider) => Some(Tls::new(&identity, provider).unwrap()),
        };
        // Nobody listens there.
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let handshake = Handshake {
            protocol: VERSIONS,
            cluster: Id::of_key(b"cuerda"),
            public_key: identity.public_key(),
            address: address.into(),
            nodes: 1,
            incarnation: 1,
            proof: None,
            name: ProtocolName::default(),
        };
        Stranger {
            tls,
            handshake,
            start: Start::default(),
            admission: Admission::open(),
        }
    }

    pub(super) fn peer(&self) -> Peer {
        Peer {
            id: self.handshake.ids()[0],
            address: self.handshake.address,
        }
    }

    /// Connects as far as TLS, and says nothing.
    pub(super) async fn connect<S: Sockets>(
        &self,
        sockets: &S,
        to: SocketAddr,
    ) -> (Line<S::Stream>, Handshake) {
        let stream = sockets.connect(to).await.unwrap();
        self.secure(stream, Role::Client).await.unwrap()
    }

    /// Connects and introduces himself. Whether he was let in shows later.
    pub(super) async fn call<S: Sockets>(&self, sockets: &S, to: SocketAddr) -> Line<S::Stream> {
        let (mut line, handshake) = self.connect(sockets, to).await;
        line.introduce(handshake, self.start).await;
        line
    }

    /// Lets somebody in, and introduces himself.
    pub(super) async fn answer<T: AsyncRead + AsyncWrite + Unpin>(&self, stream: T) -> Line<T> {
        let (mut line, handshake) = self.secure(stream, Role::Server).await.unwrap();
        line.introduce(handshake, self.start).await;
        line
    }

    /// The connection, and what an honest handshake on it would be.
    async fn secure<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: T,
        role: Role,
    ) -> io::Result<(Line<T>, Handshake)> {
        let mut handshake = self.handshake.clone();
        let channel = match &self.tls {
            None => Either::Right(stream),
            Some(tls) => {
                let Secured {
                    stream,
                    public_key,
                    exporter,
                } = match role {
                    Role::Client => tls.connect(stream).await?,
                    Role::Server => tls.accept(stream).await?,
                };
                let (client, server) = match role {
                    Role::Client => (self.handshake.public_key, public_key),
                    Role::Server => (public_key, self.handshake.public_key),
                };
                let binding = Binding {
                    exporter,
                    client,
                    server,
                };
                handshake.proof = self.admission.proof(&binding, role);
                Either::Left(stream)
            }
        };
        let rest = BytesMut::new();
        Ok((Line { channel, rest }, handshake))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Line<T> {
    /// Says all that is said before envelopes, and hears the same.
    async fn introduce(&mut self, handshake: Handshake, start: Start) {
        self.send(&Frame::Handshake(handshake)).await.unwrap();
        self.send(&Frame::Started(start)).await.unwrap();
        assert!(matches!(self.next().await, Some(Frame::Handshake(_))));
        assert!(matches!(self.next().await, Some(Frame::Started(_))));
    }

    pub(super) async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.send_bytes(&encoded(frame)).await
    }

    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.channel.write_all(bytes).await?;
        self.channel.flush().await
    }

    /// The next frame that comes; `None` if the other end has closed the connection.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.rest).unwrap() {
                return Some(frame);
            }
            match self.channel.read_buf(&mut self.rest).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next envelope's message.
    pub(super) async fn message(&mut self) -> Message {
        match self.next().await {
            Some(Frame::Envelope(envelope)) => envelope.message,
            other => panic!("an envelope was to come, not {other:?}"),
        }
    }

    /// Waits until the other end closes the connection.
    pub(super) async fn until_closed(&mut self) {
        while self.next().await.is_some() {}
    }
}

pub(super) fn encoded(frame: &Frame) -> BytesMut {
    let mut buffer = BytesMut::new();
    assert!(frame.encode(&mut buffer));
    buffer
}

/// A question under this number, from the first node to the first.
pub(super) fn question(number: u32, request: Request) -> Frame {
    let id = RequestId::of_node(1, number);
    envelope(0, 0, Message::Request { id, request })
}

pub(super) fn envelope(from: u8, to: u8, message: Message) -> Frame {
    Frame::Envelope(Envelope { from, to, message })
}

pub(super) fn count(handle: &Handle, name: &str) -> u64 {
    let all = handle.counters().all();
    let found = all.iter().find(|(known, ..)| *known == name);
    found.unwrap_or_else(|| panic!("no counter {name}")).2
}

/// Waits until something has been counted so often.
pub(super) async fn until_counted(handle: &Handle, name: &str, least: u64) {
    // Two minutes are no measure of speed.
    for _ in 0..12_000 {
        if count(handle, name) >= least {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name} is not {least}: {:#?}", handle.counters());
}

/// The first node of a host, as others know it.
pub(super) async fn first_node(handle: &Handle) -> Peer {
    let status = handle.status().await.unwrap();
    let address: SocketAddr = status.address.parse().unwrap();
    Peer {
        id: status.nodes[0].id,
        address: address.into(),
    }
}

/// A client that looks up keys of a ring that does not change, as long as it lives.
pub(super) struct Client {
    stop: Arc<AtomicBool>,
    task: JoinHandle<u32>,
}

impl Client {
    /// Begins, at a member of a ring that is ideal.
    pub(super) async fn begin(handle: &Handle) -> Client {
        let walk = handle.walk(100).await.unwrap();
        let members: Vec<Peer> = walk.members.iter().map(|visited| visited.peer).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, handle) = (
            Arc::clone(&stop),
            handle.with_timeout(Duration::from_secs(120)),
        );
        let task = tokio::spawn(async move {
            let mut answered = 0;
            while answered < 10 || !stopped.load(Relaxed) {
                let key = Id::of_key(format!("{answered}").as_bytes());
                let answer = handle.lookup(key).await.expect("look-ups are answered");
                let owner = members.iter().min_by_key(|peer| key.distance_to(peer.id));
                assert_eq!(Some(&answer.owner), owner);
                answered += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            answered
        });
        Client { stop, task }
    }

    /// Ends, and panics if any look-up was not answered rightly.
    pub(super) async fn end(self) {
        self.stop.store(true, Relaxed);
        assert!(self.task.await.unwrap() >= 10);
    }
}
