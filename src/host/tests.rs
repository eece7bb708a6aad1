//! Whole hosts on loopback sockets.

mod bootstrap;
mod clocks;
mod disk;
mod faults;
mod hostile;
mod intruder;
mod memory;
mod own;
mod patience;
mod reach;
mod ring;
mod stranger;
mod twins;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{Admission, Begin, Handle, Host, Identity, NoHooks, Security, Settings, Tcp};
use cuerda_core::chord::Config;

/// Settings for a test: short periods, a key made of `seed`, any free port of loopback.
pub(super) fn settings(seed: u8, begin: Begin) -> Settings {
    let config = Config {
        stabilize_every: Duration::from_millis(100),
        fix_fingers_every: Duration::from_millis(100),
        ..Config::default()
    };
    let identity = Identity::from_seed([seed; 32]);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Settings {
        connect_timeout: Duration::from_secs(2),
        heartbeat: Duration::from_millis(200),
        seed: [seed; 32],
        ..Settings::new(Arc::new(config), identity, listen, begin)
    }
}

fn logs() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
}

/// Starts a host as a task of its own.
pub(super) async fn start(settings: Settings) -> (Handle, String) {
    logs();
    let (host, handle) = Host::bind(Tcp, NoHooks, settings).await.unwrap();
    let address = host.address().to_string();
    tokio::spawn(host.run());
    (handle, address)
}

/// A ring of so many hosts, which has become ideal.
pub(super) async fn ring(hosts: u8) -> Vec<Handle> {
    let (first, address) = start(settings(1, Begin::Found)).await;
    let mut handles = vec![first];
    for seed in 2..=hosts {
        let begin = Begin::Join(vec![address.clone()]);
        handles.push(start(settings(seed, begin)).await.0);
    }
    until_ideal(&handles[0], usize::from(hosts)).await;
    handles
}

/// Waits until something holds. Two minutes are no measure of speed: whoever needs them is stuck.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..6000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not come about: {what}");
}

/// Waits until a walk finds an ideal ring of so many members.
pub(super) async fn until_ideal(handle: &Handle, members: usize) {
    let mut last = None;
    // Two minutes are no measure of speed: whoever needs them is stuck.
    for _ in 0..1200 {
        let walk = handle.walk(1000).await;
        if let Ok(walk) = &walk
            && walk.ideal
            && walk.members.len() == members
        {
            return;
        }
        last = Some(walk);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the ring has not become ideal: {last:#?}");
}
