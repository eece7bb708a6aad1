//! Who is leaving holds nothing for others any more.

use super::{Context, Records};
use crate::chord::Node;
use crate::protocol::Network;
use crate::ring::{Id, Peer};

/// Successors that have said that they are leaving. They stand in the list until the good-bye has
/// come round, or for longer if they return at once; so what they said is believed for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Leavers(Vec<(Id, u8)>);

/// Repair periods after which a leaver is asked again.
const BELIEVED: u8 = 2;

impl Leavers {
    fn contains(&self, id: Id) -> bool {
        self.0.iter().any(|(leaver, _)| *leaver == id)
    }

    /// A repair period has passed. Says whether a leaver is to be asked again.
    pub(super) fn age(&mut self) -> bool {
        for (_, age) in &mut self.0 {
            *age += 1;
        }
        let before = self.0.len();
        self.0.retain(|(_, age)| *age < BELIEVED);
        self.0.len() < before
    }

    /// Those who are no successors any more are gone.
    pub(super) fn retain_among(&mut self, successors: &[Peer]) {
        let is_there = |id: Id| successors.iter().any(|peer| peer.id == id);
        self.0.retain(|(leaver, _)| is_there(*leaver));
    }
}

impl Records {
    /// A peer has said that it is leaving.
    pub(super) fn is_leaving<N>(&mut self, peer: Id, ctx: &Context<'_, N>) {
        let successors = ctx.neighbours.successors();
        if !self.leavers.contains(peer) && successors.iter().any(|other| other.id == peer) {
            self.leavers.0.push((peer, 0));
            self.unsettled = true;
        }
    }

    /// The next nodes of other processes that mean to stay, as far as the successor list goes.
    pub(super) fn others_that_stay<N: Network<Node>>(&self, ctx: &Context<'_, N>) -> Vec<Peer> {
        let mut others = ctx.other_processes();
        others.retain(|peer| !self.leavers.contains(peer.id));
        others
    }

    /// The other nodes that should hold what this one serves.
    pub(super) fn holders<N: Network<Node>>(&self, ctx: &Context<'_, N>) -> Vec<Peer> {
        let mut holders = self.others_that_stay(ctx);
        holders.truncate(usize::from(ctx.config.replicas) - 1);
        holders
    }

    /// Whether these are as many as should hold a record besides its owner, or all that there are.
    pub(super) fn are_enough<N>(&self, holders: usize, ctx: &Context<'_, N>) -> bool {
        let room = usize::from(ctx.config.successors);
        holders + 1 >= usize::from(ctx.config.replicas) || ctx.neighbours.successors().len() < room
    }
}
