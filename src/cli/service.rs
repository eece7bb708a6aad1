//! A host with its control interface, as two tasks: what `node run` runs one of and `demo`
//! several.

use std::net::SocketAddr;
use std::time::Duration;

use cuerda::host::events::Reporter;
use cuerda::host::{Ended, Handle, Host, Settings, StartError, Tcp};
use cuerda::http::control::{self, Control, Reload};
use cuerda::http::{Hosts, Server};
use cuerda::node::Node;
use cuerda::ring::Id;
use cuerda::store::StoreError;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Code, Failure};

/// How long the control interface may take to close.
pub(crate) const CLOSING: Duration = Duration::from_millis(1500);

/// Where a host and its control interface listen.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Where commands are answered.
    pub(crate) control: SocketAddr,
    /// Under which names, besides addresses.
    pub(crate) control_hosts: Hosts,
    /// If the host's address is taken, a free port will do.
    pub(crate) listen_may_move: bool,
    /// The same for the control interface.
    pub(crate) control_may_move: bool,
}

/// A host that runs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) handle: Handle,
    /// Where others reach it.
    pub(crate) address: SocketAddr,
    /// Where commands are answered.
    pub(crate) control: SocketAddr,
    /// The places of its nodes.
    pub(crate) ids: Vec<Id>,
    host: JoinHandle<Result<Ended, StoreError>>,
    http: JoinHandle<()>,
    stopping: watch::Sender<bool>,
    close: oneshot::Sender<()>,
}

impl Service {
    /// Listens, and starts both tasks.
    pub(crate) async fn start(
        settings: Settings,
        places: Places,
        reload: Reload,
        reporter: Reporter,
    ) -> Result<Service, Failure> {
        let ids = (0..settings.virtual_nodes).map(|node| settings.identity.id(node));
        let ids = ids.collect();
        let replicas = settings.node.replicas;
        // First the control interface: nobody joins a node that then does not start.
        let server = bind(&places).await?;
        let control = server.address();
        let (host, handle) = host(settings, places.listen_may_move, reporter).await?;
        let address = host.address();
        let stopping = watch::Sender::new(false);
        let (close, closed) = oneshot::channel();
        let router = control::router(Control {
            handle: handle.clone(),
            replicas,
            stopping: stopping.subscribe(),
            reload,
            hosts: places.control_hosts,
        });
        Ok(Service {
            handle,
            address,
            control,
            ids,
            host: tokio::spawn(host.run()),
            http: tokio::spawn(server.run(router, async {
                // Dropped means closed.
                let _ = closed.await;
            })),
            stopping,
            close,
        })
    }

    /// How the host ended, once it has. Can be dropped and called again before that.
    pub(crate) async fn ended(&mut self) -> Result<Ended, Failure> {
        let ended = (&mut self.host).await.map_err(|error| {
            Failure::failed(
                format!("the node's own task broke: {error}"),
                "this is a bug; please report it with the log",
            )
        })?;
        ended.map_err(Failure::from)
    }

    /// Whether the process has begun to stop; follows what [`Service::stops`] says.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// From now on the node is not ready.
    pub(crate) fn stops(&self) {
        self.stopping.send_replace(true);
    }

    /// Closes the control interface once open requests are answered, and kills the host if it
    /// still runs.
    pub(crate) async fn close(self) {
        self.stops();
        self.host.abort();
        drop(self.close);
        // It has a shorter patience of its own.
        let _ = timeout(CLOSING, self.http).await;
    }
}

async fn bind(places: &Places) -> Result<Server<Tcp>, Failure> {
    let mut bound = Server::bind(Tcp, places.control).await;
    if bound.is_err() && places.control_may_move {
        bound = Server::bind(Tcp, anywhere(places.control)).await;
    }
    bound.map_err(|error| {
        Failure::failed(
            format!("can't answer commands at {}: {error}", places.control),
            "choose another port with --control, as in --control 127.0.0.1:0 for a free one",
        )
    })
}

async fn host(
    settings: Settings,
    may_move: bool,
    reporter: Reporter,
) -> Result<(Host<Node, Tcp, Reporter>, Handle), Failure> {
    let listen = settings.listen;
    let mut bound = Host::bind(Tcp, reporter.clone(), settings.clone()).await;
    if may_move && matches!(bound, Err(StartError::Listen(..))) {
        let settings = Settings {
            listen: anywhere(listen),
            ..settings
        };
        bound = Host::bind(Tcp, reporter, settings).await;
    }
    bound.map_err(Failure::from)
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        match error {
            StartError::Listen(at, error) => Failure::failed(
                format!("can't listen on {at}: {error}"),
                "choose another address with --listen, or stop who uses this one",
            ),
            StartError::Store(error) => Failure::from(error),
            error => Failure::of(Code::Configuration, &error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::of(Code::Records, &error)
    }
}

/// The same address with a free port.
fn anywhere(mut address: SocketAddr) -> SocketAddr {
    address.set_port(0);
    address
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cuerda::host::{Admission, Begin, Identity};
    use cuerda::node::Config;

    use super::*;

    async fn start(at: SocketAddr, may_move: bool) -> Result<Service, Failure> {
        let identity = Identity::from_seed([3; 32]);
        let settings = Settings::new(Arc::new(Config::default()), identity, at, Begin::Found);
        let places = Places {
            control: at,
            control_hosts: Hosts::default(),
            listen_may_move: may_move,
            control_may_move: may_move,
        };
        let reload: Reload = Arc::new(|| Ok(Admission::open()));
        Service::start(settings, places, reload, Reporter::off()).await
    }

    #[tokio::test]
    async fn a_taken_port_is_replaced_only_where_nobody_chose_it() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let at = taken.local_addr().expect("it is bound");
        let refused = start(at, false).await.expect_err("somebody else has it");
        assert_eq!(refused.exit, crate::cli::Exit::Failed);
        assert!(refused.message.contains(&at.to_string()), "{refused:?}");

        let mut service = start(at, true).await.expect("there are others");
        assert!(
            service.address != at && service.control != at,
            "{service:?}"
        );
        service
            .handle
            .leave()
            .await
            .expect("a ring of one is left at once");
        assert_eq!(service.ended().await.ok(), Some(Ended::Left));
        let control = service.control;
        service.close().await;
        let again = tokio::net::TcpStream::connect(control).await;
        assert!(again.is_err(), "nobody answers commands any more");
    }
}
