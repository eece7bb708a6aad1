//! turmoil's sockets as the driver takes them, with the network of the scenario between them.
//!
//! A connect needs both ways: as long as one is cut, or the machine is off, it hangs, as a
//! connect does whose first packet nobody answers, until the driver's own patience ends. A
//! machine that runs but does not listen refuses after a round trip. turmoil itself is asked only
//! when the answer is certain: a connect that it never answers would cost a port for ever.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cuerda::host::Sockets;
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};

use super::net::{Ends, Net, Shared, now, number_of_ip};
use super::stream::Stream;
use crate::world::{Time, number_of};

/// The sockets of one start of a machine.
#[derive(Clone)]
pub(super) struct Plugs {
    pub(super) net: Shared,
    pub(super) number: u32,
    pub(super) epoch: u32,
}

impl Plugs {
    fn is_open(&self, other: u32) -> impl Fn(&Net) -> bool + use<> {
        let me = self.number;
        move |net| {
            net.is_up(other)
                && !net.is_paused(me)
                && !net.network_faults.block(me, other)
                && !net.network_faults.block(other, me)
        }
    }

    fn stream(&self, inner: TcpStream, other: u32, ends: Ends) -> Stream {
        let me = (self.number, self.epoch);
        Stream::new(self.net.clone(), me, other, inner, ends)
    }

    async fn wait_until(&self, time: Time) {
        sleep(Duration::from_nanos(time.saturating_sub(now()))).await;
    }
}

impl Sockets for Plugs {
    type Stream = Stream;
    type Listener = TcpListener;

    async fn listen(&self, at: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        // turmoil listens on all addresses of a machine, of which there is one.
        let listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], at.port()))).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, SocketAddr::new(at.ip(), port)))
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(Stream, SocketAddr)> {
        // Given up half-way, it has taken nothing out of the queue.
        let (inner, from) = self.net.awake(self.number, listener.accept()).await?;
        let other = number_of_ip(from).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let ends = (inner.peer_addr()?, inner.local_addr()?);
        Ok((self.stream(inner, other, ends), from))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Stream> {
        let Some(other) = number_of(to.into()) else {
            // Nobody's address: no packet comes back.
            return std::future::pending().await;
        };
        self.net.until(self.is_open(other)).await;
        let (arrived, answered) = {
            let mut net = self.net.lock();
            let arrived = now() + net.latency(self.number, other);
            (arrived, arrived + net.latency(other, self.number))
        };
        self.wait_until(arrived).await;
        self.net.until(self.is_open(other)).await;
        let connected = TcpStream::connect(to).await;
        let stream = connected.and_then(|inner| {
            let ends = (inner.local_addr()?, inner.peer_addr()?);
            Ok(self.stream(inner, other, ends))
        });
        self.wait_until(answered).await;
        self.net.until(self.is_open(other)).await;
        stream
    }

    async fn resolve(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        // There are no names here but the addresses themselves.
        let address = name.parse().map_err(|_| io::ErrorKind::NotFound)?;
        Ok(vec![address])
    }
}
