//! Accepts connections and serves a router on them.
//!
//! An accept loop of its own, because a client that sends half a head must not hold a place,
//! nor the node's shutdown, for ever.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::limits;
use super::places::Places;
use super::refusals::Refusals;
use crate::host::{Sockets, tell_not_accepted};

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
        let places = Places::new();
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let next = async {
                let place = places.open().await;
                (place, self.sockets.accept(&self.listener).await)
            };
            let (place, stream) = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                (place, accepted) = next => match accepted {
                    Ok((stream, _)) => (place, stream),
                    Err(error) => {
                        tell_not_accepted(&error);
                        sleep(limits::PAUSE).await;
                        continue;
                    }
                },
            };
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(limits::HEAD)
                .max_buf_size(limits::HEAD_BYTES);
            let routes = TowerToHyperService::new(router.clone());
            let service = service_fn(move |request| {
                let (place, routes) = (place.clone(), routes.clone());
                async move {
                    Ok::<_, Infallible>(match place.take(&request).await {
                        Ok(ends) => routes.call(request).await.map(|answer| ends.said(answer))?,
                        Err(busy) => *busy,
                    })
                }
            });
            let stream = TokioIo::new(Refusals::new(stream));
            let connection = graceful.watch(http.serve_connection(stream, service));
            connections.spawn(async move {
                // How a connection ends is its client's affair.
                let _ = timeout(limits::CONNECTION, connection).await;
            });
        }
        drop(self.listener);
        let _ = timeout(limits::GRACE, graceful.shutdown()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::Bytes;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, advance, pause};

    use super::*;
    use crate::host::Tcp;

    /// A server with one path that is quick and one that never answers.
    async fn server() -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
        let (address, stop, running, _) = watched_server().await;
        (address, stop, running)
    }

    /// The same, with what says that a request has reached the path that never answers.
    async fn watched_server() -> (
        SocketAddr,
        oneshot::Sender<()>,
        JoinHandle<()>,
        Arc<tokio::sync::Notify>,
    ) {
        let at = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(Tcp, at)
            .await
            .expect("loopback has a free port");
        let address = server.address();
        let reached = Arc::new(tokio::sync::Notify::new());
        let notify = Arc::clone(&reached);
        let never = async move || {
            notify.notify_one();
            std::future::pending::<()>().await;
        };
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/read", post(async |_: Bytes| "read"))
            .route("/health/live", get(|| async { "alive" }))
            .route("/never", get(never));
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(router, async {
            let _ = stopped.await;
        }));
        (address, stop, running, reached)
    }

    async fn say(to: SocketAddr, words: &str) -> TcpStream {
        let mut stream = TcpStream::connect(to).await.expect("it listens");
        stream.write_all(words.as_bytes()).await.expect("it reads");
        stream
    }

    /// All that comes until the server closes.
    async fn rest(mut stream: TcpStream) -> String {
        let mut heard = Vec::new();
        // Whether it ends in order or not is not asked here.
        let _ = stream.read_to_end(&mut heard).await;
        String::from_utf8_lossy(&heard).into_owned()
    }

    #[tokio::test]
    async fn half_a_head_is_not_waited_for_longer_than_the_limit() {
        let (address, _stop, _running) = server().await;
        let stream = say(address, "GET / HTTP/1.1\r\nHost: a\r\nX-Half: ").await;
        let started = Instant::now();
        let heard = rest(stream).await;
        assert!(!heard.contains("200"), "{heard}");
        assert!(started.elapsed() >= limits::HEAD - Duration::from_millis(100));
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let (address, _stop, _running) = server().await;
        let head = format!(
            "GET / HTTP/1.1\r\nX: {}\r\n\r\n",
            "y".repeat(2 * limits::HEAD_BYTES)
        );
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        // The server may close before it has read all.
        let _ = stream.write_all(head.as_bytes()).await;
        let heard = rest(stream).await;
        assert!(!heard.contains("200 OK"), "{heard}");
    }

    #[tokio::test]
    async fn what_the_parser_refuses_is_a_problem() {
        let (address, _stop, _running) = server().await;
        let long = "y".repeat(2 * limits::HEAD_BYTES);
        let fields = "X: y\r\n".repeat(200);
        for (head, status) in [
            ("nonsense\r\n\r\n".to_owned(), "400 "),
            ("GET / HTTP/1.1\r\nHost a\r\n\r\n".to_owned(), "400 "),
            (format!("GET / HTTP/1.1\r\n{fields}\r\n"), "431 "),
            (format!("GET / HTTP/1.1\r\nX: {long}"), "431 "),
        ] {
            // The second time, after a request that was understood.
            for before in ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
                let mut stream = say(address, before).await;
                if !before.is_empty() {
                    let mut answer = [0; 1024];
                    let read = stream.read(&mut answer).await.expect("it answers");
                    assert!(answer[..read].ends_with(b"here"));
                }
                // The server may close before it has read all.
                let _ = stream.write_all(head.as_bytes()).await;
                let heard = rest(stream).await;
                let (words, body) = heard.split_once("\r\n\r\n").unwrap_or_default();
                assert!(words.starts_with(&format!("HTTP/1.1 {status}")), "{heard}");
                assert!(words.contains("application/problem+json"), "{heard}");
                assert!(body.contains("\"code\":\"bad_request\""), "{heard}");
            }
        }
    }

    #[tokio::test]
    async fn it_stops_though_a_request_is_never_answered() {
        let (address, stop, running) = server().await;
        let never = say(address, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let idle = say(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut first = [0; 4];
        idle.peek(&mut first).await.expect("it answers");
        stop.send(()).expect("it runs");
        running.await.expect("it ends by itself");
        drop(never);
        assert!(rest(idle).await.ends_with("here"));
        assert!(
            TcpStream::connect(address).await.is_err(),
            "nobody listens any more"
        );
    }

    /// Clients that hold all places by a request that is never answered.
    async fn holders(address: SocketAddr) -> Vec<TcpStream> {
        let mut holders = Vec::new();
        for _ in 0..limits::CONNECTIONS {
            holders.push(say(address, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await);
        }
        holders
    }

    const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn more_requests_than_places_wait_a_moment_and_are_served_when_others_go() {
        let (address, _stop, _running) = server().await;
        let holders = holders(address).await;
        let late = say(address, LAST).await;
        let answer = tokio::spawn(rest(late));
        drop(holders);
        assert!(answer.await.expect("it does not panic").ends_with("here"));
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_and_health_checks_always_find_one() {
        let (address, _stop, _running) = server().await;
        let _holders = holders(address).await;
        // More than there are places of all kinds, with bodies that never come.
        let body = "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
        let mut slow = Vec::new();
        for _ in 0..limits::OPENING + limits::HEALTH {
            slow.push(say(address, body).await);
        }
        let check = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
        let began = Instant::now();
        for _ in 0..2 * limits::HEALTH {
            let answer = rest(say(address, check).await).await;
            assert!(answer.ends_with("alive"), "{answer}");
        }
        assert!(began.elapsed() < 4 * limits::PLACE, "{:?}", began.elapsed());
        for stream in slow {
            let told = rest(stream).await;
            assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
            assert!(told.contains("\"code\":\"busy\""), "{told}");
        }
    }

    #[tokio::test]
    async fn a_connection_does_not_live_for_ever() {
        let (address, _stop, _running, reached) = watched_server().await;
        let stream = say(address, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
        reached.notified().await;
        pause();
        let answer = tokio::spawn(rest(stream));
        advance(limits::CONNECTION).await;
        assert_eq!(answer.await.expect("it does not panic"), "");
    }
}
