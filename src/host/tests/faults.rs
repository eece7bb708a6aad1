//! What a host counts of the faults of others: how dials fail and connections end.

use std::io;

use nix::errno::Errno;
use tokio::net::{TcpListener, TcpStream};

use super::stranger::*;
use super::*;
use crate::host::Sockets;
use cuerda_core::chord::{Reply, Request};
use cuerda_core::ring::{Id, Peer};

/// The system's sockets, on a network that fails for some ports in the way of their number.
#[derive(Clone, Debug)]
struct Failing;

impl Sockets for Failing {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen(&self, at: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        Tcp.listen(at).await
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        Tcp.accept(listener).await
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let errno = match to.port() {
            1 => Errno::ECONNREFUSED,
            2 => Errno::EHOSTUNREACH,
            3 => Errno::ENETUNREACH,
            4 => Errno::ETIMEDOUT,
            5 => std::future::pending().await,
            6 => Errno::EMFILE,
            _ => return Tcp.connect(to).await,
        };
        Err(io::Error::from_raw_os_error(errno as i32))
    }

    async fn resolve(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Tcp.resolve(name).await
    }
}

fn somebody_at(port: u16) -> Peer {
    Peer {
        id: Id::of_key(&port.to_be_bytes()),
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(),
    }
}

/// The dials that failed, and of these those refused, unreachable and silent.
fn dials(handle: &Handle) -> [u64; 4] {
    let names = [
        "dials_failed",
        "dials_refused",
        "dials_unreachable",
        "dials_silent",
    ];
    names.map(|name| count(handle, name))
}

#[tokio::test]
async fn dials_that_fail_are_told_apart() {
    logs();
    let mut settings = settings(1, Begin::Found);
    settings.connect_timeout = Duration::from_millis(300);
    let (host, handle) = Host::bind(Failing, NoHooks, settings).await.unwrap();
    tokio::spawn(host.run());
    // Takes connections, and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Nobody is here any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = gone.local_addr().unwrap().port();
    drop(gone);
    let mut expected = [0; 4];
    for (port, kind) in [
        (1, Some(1)),
        (2, Some(2)),
        (3, Some(2)),
        (4, Some(3)),
        (5, Some(3)),
        (6, None),
        (mute.local_addr().unwrap().port(), Some(3)),
        (free, Some(1)),
    ] {
        let impatient = handle.with_timeout(Duration::from_millis(1));
        let _ = impatient.ask(somebody_at(port), Request::Ping).await;
        expected[0] += 1;
        until_counted(&handle, "dials_failed", expected[0]).await;
        if let Some(kind) = kind {
            expected[kind] += 1;
        }
        assert_eq!(dials(&handle), expected, "port {port}");
    }
}

#[tokio::test]
async fn connections_that_end_are_told_apart() {
    logs();
    let (asker, _) = start(settings(1, Begin::Found)).await;
    for (killed, counter) in [(false, "connections_ended"), (true, "connections_cut")] {
        let other = settings(2, Begin::Found);
        let (host, handle) = Host::bind(Tcp, NoHooks, other).await.unwrap();
        let running = tokio::spawn(host.run());
        let there = first_node(&handle).await;
        let mut tries = 0;
        while asker.ask(there, Request::Ping).await != Ok(Reply::Pong) {
            tries += 1;
            assert!(tries < 100, "it does not answer");
        }
        if killed {
            running.abort();
        } else {
            handle.stop().await.unwrap();
        }
        until_counted(&asker, counter, 1).await;
    }
    let names = ["connections_ended", "connections_cut", "connections_reset"];
    assert_eq!(names.map(|name| count(&asker, name)), [1, 1, 0]);
}
