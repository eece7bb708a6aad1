//! A process of a node whose clock can be set, without setting the machine's: this program of tests,
//! started once more, hosts a node as the real program does, with a clock that a file says how far
//! ahead it is.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cuerda::host::{Begin, Hooks, Host, Identity, NoHooks, Settings, Tcp};
use cuerda::http::control::{self, Control};
use cuerda::http::{Hosts, Server};
use cuerda::node::{Config, Node};

use crate::common::{Process, started};

/// Tells the process where its clock is set.
const CLOCK: &str = "CUERDA_TEST_CLOCK";
/// Tells it whom to join.
const JOIN: &str = "CUERDA_TEST_JOIN";

/// The clock of a process.
pub(super) struct Clock(PathBuf);

impl Clock {
    pub(super) fn new(folder: &Path) -> Clock {
        let clock = Clock(folder.join("clock"));
        clock.set(0);
        clock
    }

    /// Sets it this many milliseconds ahead, at once.
    pub(super) fn set(&self, ahead: i64) {
        let new = self.0.with_extension("new");
        fs::write(&new, ahead.to_string()).expect("there is room");
        fs::rename(new, &self.0).expect("there is room");
    }

    fn ahead(&self) -> i64 {
        let text = fs::read_to_string(&self.0).expect("it is set");
        text.parse().expect("it was set to a number")
    }
}

impl Hooks<Node> for Clock {
    fn wall_clock(&self) -> u64 {
        Hooks::<Node>::wall_clock(&NoHooks).saturating_add_signed(self.ahead())
    }
}

/// Starts a process whose node goes by this clock and joins the one on this port.
pub(super) fn start(clock: &Clock, join: u16) -> Process {
    let program = std::env::current_exe().expect("it runs");
    let mut command = Command::new(program);
    command
        .args(["--exact", "clock::machine", "--ignored", "--nocapture"])
        .env_clear()
        .env(CLOCK, &clock.0)
        .env(JOIN, format!("127.0.0.1:{join}"));
    started(command)
}

/// Hosts the node until it has left or is killed.
#[tokio::test]
#[ignore = "it is a process of the test that starts it"]
async fn machine() {
    let (Some(clock), Ok(join)) = (std::env::var_os(CLOCK), std::env::var(JOIN)) else {
        return;
    };
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let identity = Identity::generate().expect("randomness");
    let config = Arc::new(Config::default());
    let replicas = config.replicas;
    let settings = Settings::new(config, identity, loopback, Begin::Join(vec![join]));
    let id = settings.identity.id(0);
    let (host, handle) = Host::bind(Tcp, Clock(clock.into()), settings)
        .await
        .expect("it starts");
    let server = Server::bind(Tcp, loopback).await.expect("it listens");
    let control = server.address();
    let (_stopping, stopping) = tokio::sync::watch::channel(false);
    let router = control::router(Control {
        handle,
        replicas,
        stopping,
        reload: Arc::new(|| Err("it has no keys".to_owned())),
        hosts: Hosts::default(),
    });
    let served = tokio::spawn(server.run(router, std::future::pending()));
    // The program of tests may have begun a line.
    println!("\n{{ \"control\": \"{control}\", \"ids\": [\"{id}\"] }}");
    host.run().await.expect("its memory does not fail");
    served.abort();
}
