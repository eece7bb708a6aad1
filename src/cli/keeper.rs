//! Looks after a running host: keeps the peers it knows on disk, so that it finds its ring again
//! after a restart.

use std::collections::BTreeSet;
use std::time::Duration;

use cuerda::Hint as _;
use cuerda::host::{CallError, DataDirectory, Handle, Status};
use cuerda::ring::{Id, Peer};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often it looks.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// How often it saves.
const SAVES_EVERY: Duration = Duration::from_secs(30);
/// How long the last look may take, when everybody waits for the end.
const LAST_LOOK: Duration = Duration::from_millis(200);

/// Looks after one host until it stops.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) handle: Handle,
    /// Where peers are kept; a throw-away node keeps none.
    pub(crate) directory: Option<DataDirectory>,
    /// Whether the process has begun to stop.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Keeper {
    /// Ends when the host has stopped or the process begins to stop; what is known then is saved.
    pub(crate) async fn keep(mut self) {
        let mut looks = interval(LOOKS_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first ones are saved as soon as there are any.
        let mut save_at = Instant::now();
        let mut known = Vec::new();
        let mut has_stored = false;
        let mut last = false;
        while !last {
            tokio::select! {
                biased;
                _ = self.stopping.wait_for(|stopping| *stopping) => last = true,
                _ = looks.tick() => {}
            }
            let patience = if last { LAST_LOOK } else { LOOKS_EVERY };
            let status = match self.handle.with_timeout(patience).status().await {
                Ok(status) => status,
                Err(CallError::Stopped) => break,
                Err(error) => {
                    let error = error.with_hint();
                    tracing::warn!("the node does not tell how it is: {error}");
                    continue;
                }
            };
            let peers = peers(&status);
            // Who knows nobody any more needs those it knew all the more.
            if !peers.is_empty() {
                known = peers;
            }
            let stored = status.nodes.iter().any(|node| node.records > 0);
            let first_stored = stored && !has_stored;
            has_stored |= stored;
            if first_stored || !known.is_empty() && Instant::now() >= save_at {
                save_at = Instant::now() + SAVES_EVERY;
                self.save(&known, has_stored).await;
            }
        }
        self.save(&known, has_stored).await;
    }

    async fn save(&mut self, peers: &[Peer], has_stored: bool) {
        if peers.is_empty() && !has_stored {
            return;
        }
        let Some(mut directory) = self.directory.take() else {
            return;
        };
        let peers = peers.to_vec();
        let saved = spawn_blocking(move || {
            // Who knows nobody keeps those that he knew.
            let mut saved = match peers.as_slice() {
                [] => Ok(()),
                peers => directory.save_peers(peers),
            };
            if has_stored && saved.is_ok() {
                saved = directory.save_that_records_are_stored();
            }
            (directory, saved)
        });
        match saved.await {
            Ok((directory, saved)) => {
                self.directory = Some(directory);
                if let Err(error) = saved {
                    tracing::warn!("what the node knows is not saved: {}", error.with_hint());
                }
            }
            Err(error) => tracing::error!("saving peers broke: {error}"),
        }
    }
}

/// Whom the host knows beside itself: neighbours first, then those presumed dead.
fn peers(status: &Status) -> Vec<Peer> {
    let own: BTreeSet<Id> = status.nodes.iter().map(|node| node.id).collect();
    let neighbours = status
        .nodes
        .iter()
        .flat_map(|node| node.successors.iter().chain([&node.predecessor]));
    let remembered = status.nodes.iter().flat_map(|node| &node.remembered);
    let mut seen = own;
    neighbours
        .chain(remembered)
        .filter(|peer| seen.insert(peer.id))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::{peer, status};
    use super::*;
    use cuerda::node::Membership;

    #[test]
    fn everybody_else_is_kept_once_and_neighbours_first() {
        let mut known = status(Membership::Member, &[20, 30]);
        known.nodes[0].remembered = vec![peer(60), peer(20)];
        known.nodes[0].predecessor = peer(90);
        let mut second = known.nodes[0].clone();
        second.id = peer(30).id;
        second.successors = vec![peer(40), peer(10)];
        known.nodes.push(second);
        assert_eq!(peers(&known), [20, 90, 40, 60].map(peer));
    }
}
