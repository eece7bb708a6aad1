use super::*;
use crate::ring::{Id, Peer};

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
    for handle in &handles {
        let answer = handle.lookup_traced(key).await.unwrap();
        assert_eq!(answer.trace.len(), answer.hops as usize, "{answer:#?}");
        assert!(answer.trace.iter().all(|hop| hop.took.is_some()));
        if let Some(last) = answer.trace.last() {
            assert_eq!((last.peer, &*last.reply), (answer.owner, "owner"));
        }
    }
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

#[tokio::test]
async fn virtual_nodes_are_nodes_of_the_ring() {
    let mut first = settings(1, Begin::Found);
    first.virtual_nodes = 8;
    let (handle, address) = start(first).await;
    let mut second = settings(2, Begin::Join(vec![address]));
    second.virtual_nodes = 4;
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
    let (stays, address) = start(settings(1, Begin::Found)).await;
    start(settings(3, Begin::Join(vec![address.clone()]))).await;
    let mut second = settings(2, Begin::Join(vec![address]));
    second.virtual_nodes = 5;
    let (leaves, _) = start(second).await;
    until_ideal(&stays, 7).await;
    leaves.leave().await.unwrap();
    until_ideal(&stays, 2).await;
}
