//! Who does not belong to the cluster never becomes part of its ring, and who does is not
//! disturbed when keys and secrets change while it runs. On a paused clock.

use tokio::time::Instant;

use super::memory::Memory;
use super::stranger::*;
use super::*;
use crate::host::Secret;
use cuerda_core::chord::{Membership, Request};

fn knowing(secrets: &[u8]) -> Admission {
    let secret = |number: &u8| Secret::new(vec![*number; 32]).unwrap();
    let secrets = secrets.iter().map(secret).collect();
    Admission {
        secrets,
        ..Admission::open()
    }
}

fn key(seed: u8) -> [u8; 32] {
    Identity::from_seed([seed; 32]).public_key()
}

fn listing(seeds: &[u8]) -> Admission {
    let keys = Some(seeds.iter().map(|seed| key(*seed)).collect());
    Admission {
        keys,
        ..Admission::open()
    }
}

async fn start(net: &Memory, seed: u8, begin: Begin, by: &Admission) -> (Handle, SocketAddr) {
    let mut settings = settings(seed, begin);
    settings.admission = by.clone();
    net.start(settings).await
}

/// A ring of three whose members admit by the same keys and secrets.
async fn ring(net: &Memory, by: &Admission) -> (Vec<Handle>, SocketAddr) {
    let (first, address) = start(net, 1, Begin::Found, by).await;
    let mut handles = vec![first];
    for seed in 2..=3 {
        handles.push(start(net, seed, joining(address), by).await.0);
    }
    until_ideal(&handles[0], 3).await;
    (handles, address)
}

fn joining(address: SocketAddr) -> Begin {
    Begin::Join(vec![address.to_string()])
}

fn of_all(handles: &[Handle], name: &str) -> u64 {
    handles.iter().map(|handle| count(handle, name)).sum()
}

/// Asserts that it has no part in the ring after a minute of trying, and that a host that
/// `belongs` has soon.
async fn stays_out(net: &Memory, by: &Admission, intruder: (u8, Admission), late: u8) {
    let (handles, address) = ring(net, by).await;
    let client = Client::begin(&handles[0]).await;
    let (seed, admission) = intruder;
    let (outside, its_address) = start(net, seed, joining(address), &admission).await;
    let id = outside.status().await.unwrap().nodes[0].id;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let status = outside.status().await.unwrap();
        // A client learns that it was refused after it has introduced itself: it may try.
        assert!(!status.is_member());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // It may speak to others than the one it was told of.
    for handle in &handles {
        let member = first_node(handle).await;
        outside.ask(member, Request::Ping).await.unwrap_err();
    }
    // Neither does it draw anybody to itself.
    let peer = first_node(&outside).await;
    handles[0].ask(peer, Request::Ping).await.unwrap_err();
    assert!(count(&handles[0], "connections_refused") > 0);
    assert_eq!(count(&outside, "letters_received"), 0);
    assert!(!net.calls(its_address).is_empty());
    assert!(outside.status().await.unwrap().waiting_for.is_some());
    client.end().await;
    let walk = handles[0].walk(10).await.unwrap();
    assert_eq!(walk.members.len(), 3);
    assert!(walk.members.iter().all(|visited| visited.peer.id != id));
    let late = start(net, late, joining(address), by).await.0;
    until_ideal(&late, 4).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_no_secret_stays_out() {
    let net = Memory::default();
    stays_out(&net, &knowing(&[1]), (66, Admission::open()), 4).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_another_secret_stays_out() {
    let net = Memory::default();
    stays_out(&net, &knowing(&[1]), (66, knowing(&[2])), 4).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_not_on_the_list_stays_out() {
    let net = Memory::default();
    stays_out(&net, &listing(&[1, 2, 3, 4]), (66, Admission::open()), 4).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_on_the_list_and_revoked_stays_out() {
    let net = Memory::default();
    let mut by = listing(&[1, 2, 3, 4, 66]);
    by.revoked.insert(key(66));
    stays_out(&net, &by, (66, Admission::open()), 4).await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_member_is_put_out_of_a_running_ring() {
    let net = Memory::default();
    let (handles, _) = ring(&net, &listing(&[1, 2, 3])).await;
    let by = listing(&[1, 3]);
    for at in [0, 2] {
        assert!(handles[at].admit(by.clone()).await.unwrap() >= 1);
        assert!(count(&handles[at], "connections_refused") >= 1);
    }
    until_ideal(&handles[0], 2).await;
    let client = Client::begin(&handles[2]).await;
    // It tries again, for as long as it lives.
    let before = of_all(&handles, "connections_refused");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(of_all(&handles, "connections_refused") > before);
    client.end().await;
    until_ideal(&handles[2], 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_rotated_while_the_ring_runs_and_nobody_loses_his_place() {
    let net = Memory::default();
    let (handles, address) = ring(&net, &knowing(&[1])).await;
    let client = Client::begin(&handles[1]).await;
    for secrets in [&[1, 2][..], &[2, 1], &[2]] {
        for handle in &handles {
            // Nobody's place is lost, while some have the new file and others the old one.
            let closed = handle.admit(knowing(secrets)).await.unwrap();
            // Only who still goes by the old secret must connect again.
            assert!(closed == 0 || secrets == [2], "{closed} by {secrets:?}");
            for _ in 0..50 {
                for member in &handles {
                    let standing = member.status().await.unwrap().nodes[0].standing;
                    assert_eq!(standing, Membership::Member);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            until_ideal(&handles[0], 3).await;
        }
    }
    client.end().await;
    for name in ["stranded", "peers_presumed_dead", "lookups_failed"] {
        assert_eq!(of_all(&handles, name), 0, "{name}");
    }
    assert!(
        of_all(&handles, "connections_refused") > 0,
        "the old connections were closed"
    );
    // The old secret is worth nothing now.
    let old = start(&net, 66, joining(address), &knowing(&[1])).await.0;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!old.status().await.unwrap().is_member());
    let new = start(&net, 4, joining(address), &knowing(&[2])).await.0;
    until_ideal(&new, 4).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_revoked_while_he_introduces_himself_does_not_come_in() {
    let net = Memory::default();
    let by = knowing(&[1]);
    let (handle, address) = start(&net, 1, Begin::Found, &by).await;
    let mut stranger = Stranger::new(50, &Security::tls());
    stranger.admission = knowing(&[1]);
    let (mut line, handshake) = stranger.connect(&net, address).await;
    // The host has sent its handshake, and waits for the other.
    assert!(matches!(
        line.next().await,
        Some(crate::host::Frame::Handshake(_))
    ));
    let mut revoking = by.clone();
    revoking.revoked.insert(key(50));
    assert_eq!(handle.admit(revoking).await.unwrap(), 0);
    line.send(&crate::host::Frame::Handshake(handshake))
        .await
        .unwrap();
    line.send(&crate::host::Frame::Started(stranger.start))
        .await
        .unwrap();
    line.until_closed().await;
    until_counted(&handle, "connections_refused", 1).await;
    assert_eq!(handle.status().await.unwrap().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn a_proof_for_another_key_or_connection_is_of_no_use() {
    let net = Memory::default();
    let (handle, address) = start(&net, 1, Begin::Found, &knowing(&[1])).await;
    let mut member = Stranger::new(50, &Security::tls());
    member.admission = knowing(&[1]);
    let (mut first, honest) = member.connect(&net, address).await;
    // The same key on another connection, and another key.
    for seed in [50, 51] {
        let other = Stranger::new(seed, &Security::tls());
        let (mut line, mut handshake) = other.connect(&net, address).await;
        handshake.proof = honest.proof;
        line.send(&crate::host::Frame::Handshake(handshake))
            .await
            .unwrap();
        line.until_closed().await;
    }
    assert_eq!(count(&handle, "connections_refused"), 2);
    first
        .send(&crate::host::Frame::Handshake(honest))
        .await
        .unwrap();
    first
        .send(&crate::host::Frame::Started(member.start))
        .await
        .unwrap();
    until_counted(&handle, "connections_accepted", 1).await;
}
