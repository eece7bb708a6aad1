//! A process that connects to others, and that nobody can connect to.

use super::*;
use std::net::TcpListener;

#[tokio::test]
async fn who_can_not_be_connected_to_is_named_at_both_ends() {
    let handles = ring(3).await;
    let address = handles[0].status().await.expect("it runs").address;
    // A place where nobody listens, as behind an address translator.
    let nowhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    let nowhere = nowhere.local_addr().expect("it has one");
    let hidden = Settings {
        advertise: Some(nowhere),
        ..settings(4, Begin::Join(vec![address]))
    };
    let (hidden, _) = start(hidden).await;
    let at = async || {
        let status = hidden.status().await.expect("it runs");
        status.out_of_reach.and_then(|wrong| wrong.at)
    };
    until("it is told", async || at().await == Some(nowhere.into())).await;
    let id = hidden.status().await.expect("it runs").nodes[0].id;
    let mut naming = 0;
    for handle in &handles {
        let wrong = handle.status().await.expect("it runs").out_of_reach;
        let others = wrong.into_iter().flat_map(|wrong| wrong.others);
        naming += others.filter(|other| other.peer.id == id).count();
    }
    assert_eq!(naming, 1, "whoever has it for a predecessor names it");
    // Once it is gone nothing is wrong.
    drop(hidden.stop().await);
    until_ideal(&handles[0], 3).await;
    until("nobody is out of reach", async || {
        for handle in &handles {
            if handle
                .status()
                .await
                .expect("it runs")
                .out_of_reach
                .is_some()
            {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test]
async fn whoever_can_be_connected_to_is_not_named() {
    let handles = ring(4).await;
    // As long as it takes to look.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for handle in &handles {
        assert_eq!(handle.status().await.expect("it runs").out_of_reach, None);
    }
}
