//! Rings whose nodes know nobody but a bootstrap node, or each other's addresses.

use super::memory::Memory;
use super::*;
use crate::host::{Bootstrap, limits};
use cuerda_core::chord::Membership;
use std::future::Future;

async fn bootstrap(listen: SocketAddr) -> (SocketAddr, impl Future<Output = ()>) {
    let mut settings = settings(200, Begin::Wait);
    settings.listen = listen;
    let bootstrap = Bootstrap::bind(Tcp, settings).await.unwrap();
    (bootstrap.address(), bootstrap.run())
}

fn newcomer(seed: u8, bootstrap: SocketAddr) -> Settings {
    let mut settings = settings(seed, Begin::Join(vec![bootstrap.to_string()]));
    let mut config = (*settings.node).clone();
    config.found_after = Duration::from_millis(300);
    settings.node = Arc::new(config);
    settings
}

#[tokio::test]
async fn nodes_that_know_only_the_bootstrap_node_form_one_ring_and_outlive_it() {
    let (address, serving) = bootstrap(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
    let serving = tokio::spawn(serving);
    let mut handles = Vec::new();
    for seed in 1..=5 {
        handles.push(start(newcomer(seed, address)).await.0);
    }
    until_ideal(&handles[0], 5).await;
    serving.abort();
    let _ = serving.await;
    // Without it the ring goes on, and a newcomer waits and says for what.
    let late = start(newcomer(6, address)).await.0;
    let waiting = loop {
        if let Some(waiting) = late.status().await.unwrap().waiting_for {
            break waiting;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(waiting.contains(&address.to_string()), "{waiting}");
    assert_ne!(
        late.status().await.unwrap().nodes[0].standing,
        Membership::Member
    );
    until_ideal(&handles[0], 5).await;
    // Another one at the same address serves as well, as soon as members have registered.
    let (_, serving) = bootstrap(address).await;
    let serving = tokio::spawn(serving);
    until_ideal(&handles[0], 6).await;
    serving.abort();
}

#[tokio::test]
async fn a_single_node_founds_a_ring_after_a_while() {
    let (address, serving) = bootstrap(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
    let serving = tokio::spawn(serving);
    let alone = start(newcomer(1, address)).await.0;
    until_ideal(&alone, 1).await;
    serving.abort();
}

#[tokio::test]
async fn seeds_that_all_start_at_once_form_one_ring() {
    // Each knows the addresses of all, itself included, as one configuration for all would say.
    let ports: Vec<std::net::TcpListener> = (0..4)
        .map(|_| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
        .collect();
    let addresses: Vec<SocketAddr> = ports
        .iter()
        .map(|port| port.local_addr().unwrap())
        .collect();
    drop(ports);
    let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let mut handles = Vec::new();
    for (seed, &listen) in (1..).zip(&addresses) {
        let mut settings = settings(seed, Begin::Join(names.clone()));
        let mut config = (*settings.node).clone();
        config.found_after = Duration::from_millis(300);
        settings.node = Arc::new(config);
        settings.listen = listen;
        handles.push(start(settings).await.0);
    }
    until_ideal(&handles[0], 4).await;
}

/// Founds a ring of its own at an address.
async fn found(net: &Memory, seed: u8, listen: SocketAddr) -> Handle {
    let mut settings = settings(seed, Begin::Found);
    settings.listen = listen;
    net.start(settings).await.0
}

#[tokio::test(start_paused = true)]
async fn a_member_asks_whom_it_was_configured_with_for_good_and_so_finds_other_rings() {
    let net = Memory::default();
    let [one, other] = [7001, 7002].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let first = found(&net, 1, one).await;
    let names = vec![other.to_string(), one.to_string()];
    net.start(settings(2, Begin::Join(names))).await;
    until_ideal(&first, 2).await;
    // Nobody of this ring has ever heard of that one.
    let another = found(&net, 3, other).await;
    until_ideal(&first, 3).await;
    // Once it is known to be of the ring, it costs little.
    let (known, minutes) = (net.calls(other).len(), 20);
    tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    let calls = (net.calls(other).len() - known) as u64;
    assert!((1..=minutes / 2).contains(&calls), "{calls}");
    // Nor of who is there when it is gone: another node, with a ring of its own.
    another.stop().await.unwrap();
    until_ideal(&first, 2).await;
    let known = net.calls(other).len();
    found(&net, 4, other).await;
    tokio::time::sleep(limits::CONFIGURED_AGAIN).await;
    until_ideal(&first, 3).await;
    assert!(net.calls(other).len() > known);
}
