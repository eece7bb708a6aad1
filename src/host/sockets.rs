//! The sockets a host runs on: tokio's, or a simulator's that look the same.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::descriptors::{Wanted, within_share};

/// Where connections come from. Nothing else in the driver knows on which network it runs.
///
/// An implementor owes the driver what TCP gives: bytes in order, or an error. Time-outs are
/// the driver's own; a `connect` may take for ever.
pub trait Sockets: Clone + Send + Sync + 'static {
    /// An open connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// What waits for connections.
    type Listener: Send + Sync + 'static;

    /// Waits for connections at this address; port 0 takes a free one.
    fn listen(
        &self,
        at: SocketAddr,
    ) -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;

    /// The next connection from outside, and where it comes from. Dropped before it is done, it
    /// loses no connection.
    fn accept(
        &self,
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Connects to this address.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// All addresses of a `host:port`.
    fn resolve(&self, name: &str) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The operating system's TCP, through tokio.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Sockets for Tcp {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen(&self, at: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(at).await?;
        let at = listener.local_addr()?;
        Ok((listener, at))
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, from) = listener.accept().await?;
        let stream = within_share(stream, Wanted::ByStranger)?;
        // That it fails, where a peer is gone already, says nothing of the next connection.
        let _ = stream.set_nodelay(true);
        Ok((stream, from))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = within_share(TcpStream::connect(to).await?, Wanted::ForPeer)?;
        // A question is smaller than a segment, and its answer is waited for.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn resolve(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host(name).await?.collect())
    }
}
