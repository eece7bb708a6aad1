//! Rings that form, are asked, and are left.

use super::*;
use crate::host::StartError;
use cuerda_core::Hint as _;
use cuerda_core::ring::{Id, Peer};

/// The first of these at or after a key.
fn owner(peers: &[Peer], key: Id) -> Peer {
    *peers
        .iter()
        .min_by_key(|peer| key.distance_to(peer.id))
        .unwrap()
}

async fn peers(handle: &Handle) -> Vec<Peer> {
    let walk = handle.walk(1000).await.unwrap();
    walk.members.iter().map(|visited| visited.peer).collect()
}

#[tokio::test]
async fn hosts_form_a_ring_and_every_one_finds_every_keys_owner() {
    let handles = ring(8).await;
    let peers = peers(&handles[0]).await;
    for (number, handle) in handles.iter().enumerate() {
        for key in 0..20 {
            let key = Id::of_key(format!("{number} {key}").as_bytes());
            assert_eq!(handle.lookup(key).await.unwrap().owner, owner(&peers, key));
        }
    }
}

#[tokio::test]
async fn a_trace_tells_every_node_that_was_asked() {
    let handles = ring(12).await;
    let key = Id::of_key(b"song");
    let mut asked_nobody = 0;
    for handle in &handles {
        let answer = handle.lookup_traced(key).await.unwrap();
        assert_eq!(answer.trace.len(), answer.hops as usize, "{answer:#?}");
        assert!(answer.trace.iter().all(|hop| hop.took.is_some()));
        match answer.trace.last() {
            Some(last) => assert_eq!((last.peer, &*last.reply), (answer.owner, "owner")),
            None => asked_nobody += 1,
        }
    }
    assert_eq!(asked_nobody, 1, "only the owner itself");
}

#[tokio::test]
async fn a_host_that_leaves_is_missed_by_nobody() {
    let handles = ring(6).await;
    handles[3].leave().await.unwrap();
    until_ideal(&handles[0], 5).await;
    let counts: u64 = handles
        .iter()
        .map(|handle| {
            let all = handle.counters().all();
            let dead = all.iter().find(|(name, ..)| *name == "peers_presumed_dead");
            dead.unwrap().2
        })
        .sum();
    assert_eq!(counts, 0);
}

/// Settings for a process with so many nodes, in a ring with lists long enough for eight.
fn several(seed: u8, virtual_nodes: u8, begin: Begin) -> Settings {
    let settings = settings(seed, begin);
    let node = Config {
        successors: 16,
        ..(*settings.node).clone()
    };
    Settings {
        node: node.into(),
        virtual_nodes,
        ..settings
    }
}

#[tokio::test]
async fn virtual_nodes_are_nodes_of_the_ring() {
    let (handle, address) = start(several(1, 8, Begin::Found)).await;
    let second = several(2, 4, Begin::Join(vec![address]));
    let (other, _) = start(second).await;
    until_ideal(&handle, 12).await;
    let peers = peers(&other).await;
    for key in 0..50 {
        let key = Id::of_key(format!("{key}").as_bytes());
        assert_eq!(other.lookup(key).await.unwrap().owner, owner(&peers, key));
        let holders = other.holders(key, 3).await.unwrap();
        assert_eq!(holders.len(), 2, "a process holds one copy: {holders:?}");
        assert_eq!(holders[0], owner(&peers, key));
    }
}

#[tokio::test]
async fn virtual_nodes_leave_one_after_the_other() {
    let (stays, address) = start(several(1, 1, Begin::Found)).await;
    start(several(3, 1, Begin::Join(vec![address.clone()]))).await;
    let second = several(2, 5, Begin::Join(vec![address]));
    let (leaves, _) = start(second).await;
    until_ideal(&stays, 7).await;
    leaves.leave().await.unwrap();
    until_ideal(&stays, 2).await;
}

#[tokio::test]
async fn lists_too_short_for_the_holders_of_a_record_are_refused() {
    let begin = || Begin::Wait;
    let error = Host::bind(Tcp, NoHooks, several(1, 9, begin())).await;
    let error = error.unwrap_err();
    assert!(matches!(error, StartError::Unfit(_)), "{error}");
    assert!(error.to_string().contains("18 long"), "{error}");
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("`successors`"))
    );
    assert!(
        Host::bind(Tcp, NoHooks, several(1, 8, begin()))
            .await
            .is_ok()
    );
}
