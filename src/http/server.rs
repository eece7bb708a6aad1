//! Accepts connections and serves a router on them.
//!
//! An accept loop of its own, because a client that sends half a head must not hold a place,
//! nor the node's shutdown, for ever.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::limits;
use crate::host::Sockets;

/// An HTTP/1.1 server that listens and is about to run.
#[derive(Debug)]
pub struct Server<S: Sockets> {
    sockets: S,
    listener: S::Listener,
    address: SocketAddr,
}

impl<S: Sockets> Server<S> {
    /// Listens at this address; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address can't be listened on.
    pub async fn bind(sockets: S, at: SocketAddr) -> io::Result<Server<S>> {
        let (listener, address) = sockets.listen(at).await?;
        Ok(Server {
            sockets,
            listener,
            address,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends; then accepts nobody any more and gives open requests
    /// [`limits::GRACE`]. Dropped, it closes everything.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                let place = place.expect("nobody closes the semaphore");
                (place, self.sockets.accept(&self.listener).await)
            };
            let (place, stream) = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                (place, accepted) = next => match accepted {
                    Ok((stream, _)) => (place, stream),
                    Err(_) => {
                        sleep(limits::PAUSE).await;
                        continue;
                    }
                },
            };
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(limits::HEAD)
                .max_buf_size(limits::HEAD_BYTES);
            let service = TowerToHyperService::new(router.clone());
            let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
            connections.spawn(async move {
                // How a connection ends is its client's affair.
                let _ = timeout(limits::CONNECTION, connection).await;
                drop(place);
            });
        }
        drop(self.listener);
        let _ = timeout(limits::GRACE, graceful.shutdown()).await;
    }
}
