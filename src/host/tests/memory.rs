//! A network in memory, for whole hosts on tokio's paused clock: what takes minutes is over at
//! once, and no test depends on how fast the machine is.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::{Handle, Host, NoHooks, Settings, logs};
use crate::host::Sockets;

/// What a connection holds that nobody has read.
pub(super) const PIPE: usize = 64 * 1024;

type Caller = (DuplexStream, SocketAddr);

#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<Net>>);

#[derive(Debug, Default)]
struct Net {
    listeners: BTreeMap<SocketAddr, UnboundedSender<Caller>>,
    ports: u16,
    /// Who was called when, whether or not somebody was there.
    calls: Vec<(SocketAddr, Instant)>,
    /// How long connecting takes.
    connecting: Duration,
}

impl Memory {
    /// When this address was called.
    pub(super) fn calls(&self, to: SocketAddr) -> Vec<Instant> {
        let net = self.0.lock().unwrap();
        let calls = net.calls.iter().filter(|(called, _)| *called == to);
        calls.map(|(_, at)| *at).collect()
    }

    /// From now on, connecting takes so long.
    pub(super) fn slow_down(&self, connecting: Duration) {
        self.0.lock().unwrap().connecting = connecting;
    }

    /// Starts a host in this network.
    pub(super) async fn start(&self, settings: Settings) -> (Handle, SocketAddr) {
        logs();
        let (host, handle) = Host::bind(self.clone(), NoHooks, settings).await.unwrap();
        let address = host.address();
        tokio::spawn(host.run());
        (handle, address)
    }
}

impl Sockets for Memory {
    type Stream = DuplexStream;
    type Listener = tokio::sync::Mutex<UnboundedReceiver<Caller>>;

    async fn listen(&self, mut at: SocketAddr) -> io::Result<(Self::Listener, SocketAddr)> {
        let mut net = self.0.lock().unwrap();
        net.ports += 1;
        if at.port() == 0 {
            at.set_port(net.ports);
        }
        let (sender, receiver) = unbounded_channel();
        net.listeners.insert(at, sender);
        Ok((tokio::sync::Mutex::new(receiver), at))
    }

    async fn accept(&self, listener: &Self::Listener) -> io::Result<Caller> {
        let caller = listener.lock().await.recv().await;
        caller.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<DuplexStream> {
        let connecting = {
            let mut net = self.0.lock().unwrap();
            net.calls.push((to, Instant::now()));
            net.connecting
        };
        tokio::time::sleep(connecting).await;
        let net = self.0.lock().unwrap();
        let (near, far) = duplex(PIPE);
        let sent = net.listeners.get(&to).map(|host| host.send((far, to)));
        match sent {
            Some(Ok(())) => Ok(near),
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    async fn resolve(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        name.parse()
            .map(|address| vec![address])
            .map_err(|_| io::ErrorKind::NotFound.into())
    }
}
