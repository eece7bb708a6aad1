//! Rings whose nodes know nobody but a bootstrap node, or each other's addresses.

use super::*;
use crate::host::Bootstrap;
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
