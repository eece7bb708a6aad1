//! What nodes on their way into a ring wait for, as far as their host can tell.
//!
//! The seeker knows whether anybody answers at the addresses that it was given. Whoever answers may
//! still not let a node in, and why not shows in what comes in and what can't be connected to. What
//! is told is the gravest of what was seen lately; that a secret may be wrong is said only where
//! nobody has said anything.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::hosted::Outlook;
use cuerda_core::ring::{Address, Id, Peer};

/// What was seen longer ago is not told: a node tries again at least as often as it stabilizes.
const FRESH: Duration = Duration::from_secs(60);
/// Peers, and addresses, that are kept at most.
const KEPT: usize = 64;

/// What was seen of others.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// What the seeker says.
    sought: Option<Sought>,
    /// Who does not fit, and why.
    refused: Option<(Instant, Peer, String)>,
    /// What was last heard of whom.
    heard: BTreeMap<Id, (Instant, Peer, Outlook)>,
    /// Where nobody can be reached, and why.
    unreachable: BTreeMap<Address, (Instant, String)>,
}

/// What the seeker waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sought {
    /// In words.
    pub(super) words: String,
    /// Whether somebody answers, and what comes of it is not the seeker's affair.
    pub(super) answered: bool,
}

impl Waiting {
    /// What the seeker says now.
    pub(super) fn sought(&mut self, sought: Option<Sought>) {
        self.sought = sought;
    }

    /// A peer does not fit.
    pub(super) fn refused(&mut self, peer: Peer, why: String, now: Instant) {
        self.refused = Some((now, peer, why));
    }

    /// A peer has said this.
    pub(super) fn heard(&mut self, peer: Peer, outlook: Outlook, now: Instant) {
        if self.heard.len() < KEPT || self.heard.contains_key(&peer.id) {
            self.heard.insert(peer.id, (now, peer, outlook));
        }
    }

    /// There is no connection to this address.
    pub(super) fn unreachable(&mut self, address: Address, why: String, now: Instant) {
        if self.unreachable.len() < KEPT || self.unreachable.contains_key(&address) {
            self.unreachable.insert(address, (now, why));
        }
    }

    /// There is a connection to it now.
    pub(super) fn reached(&mut self, address: Address) {
        self.unreachable.remove(&address);
    }

    /// What is waited for, in words; `None` if nothing is known.
    pub(super) fn words(&mut self, now: Instant) -> Option<String> {
        let fresh = |at: Instant| now < at + FRESH;
        self.refused.take_if(|(at, ..)| !fresh(*at));
        self.heard.retain(|_, (at, ..)| fresh(*at));
        self.unreachable.retain(|_, (at, _)| fresh(*at));
        let outlook = |wanted| {
            let mut heard = self.heard.values();
            heard.find_map(|(_, peer, outlook)| (*outlook == wanted).then_some(*peer))
        };
        if let Some((_, peer, why)) = &self.refused {
            return Some(format!(
                "waiting for settings that fit those of {peer}: {why}"
            ));
        }
        if let Some(peer) = outlook(Outlook::Remembers) {
            return Some(format!(
                "returning: {peer} still counts this node among the members; it takes its place \
                 again in a moment"
            ));
        }
        let member = outlook(Outlook::Member);
        if let (Some(member), Some((address, (_, why)))) = (member, self.unreachable.iter().next())
        {
            return Some(format!(
                "waiting for {address}, which {member} may name as a neighbour and which can't be \
                 reached from here: {why}; does it say by `advertise` where others reach it, and is \
                 there a way?"
            ));
        }
        if let Some(member) = member {
            return Some(format!(
                "waiting for a place in the ring, which {member} belongs to; that takes a moment"
            ));
        }
        if outlook(Outlook::Outside).is_some() {
            let count = self.heard.len();
            return Some(format!(
                "waiting for somebody to found a ring: all that answer ({count}) belong to none \
                 themselves; after `found_after` the lowest of them founds one"
            ));
        }
        self.sought
            .as_ref()
            .map(|sought| match self.unreachable.iter().next() {
                Some((address, (_, why))) if sought.answered => {
                    format!("waiting for {address}, which can't be reached: {why}")
                }
                _ => sought.words.clone(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuerda_core::ring::test_peers::peer;

    /// Words of one who has met somebody, and then seen this.
    fn words(see: impl FnOnce(&mut Waiting, Instant)) -> String {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        assert_eq!(waiting.words(now), None);
        waiting.sought(Some(Sought {
            words: "the secret".to_owned(),
            answered: true,
        }));
        see(&mut waiting, now);
        let words = waiting.words(now).expect("something is known");
        // What is old is not told.
        assert_eq!(waiting.words(now + FRESH).as_deref(), Some("the secret"));
        words
    }

    #[test]
    fn it_is_the_secret_only_where_nobody_says_anything() {
        assert_eq!(words(|_, _| {}), "the secret");
        let outside = |waiting: &mut Waiting, now| {
            waiting.heard(peer(20), Outlook::Outside, now);
            waiting.heard(peer(30), Outlook::Outside, now);
        };
        assert!(words(outside).contains("all that answer (2) belong to none"));
        let member = words(|waiting, now| {
            outside(waiting, now);
            waiting.heard(peer(30), Outlook::Member, now);
        });
        assert!(member.starts_with("waiting for a place"), "{member}");
    }

    #[test]
    fn the_gravest_is_told() {
        let undialable = |waiting: &mut Waiting, now| {
            waiting.heard(peer(20), Outlook::Member, now);
            waiting.unreachable(peer(30).address, "refused".to_owned(), now);
        };
        let said = words(undialable);
        assert!(
            said.contains(&peer(30).address.to_string()) && said.contains("refused"),
            "{said}"
        );
        let reached = words(|waiting, now| {
            undialable(waiting, now);
            waiting.reached(peer(30).address);
        });
        assert!(reached.starts_with("waiting for a place"), "{reached}");
        let returning = |waiting: &mut Waiting, now| {
            undialable(waiting, now);
            waiting.heard(peer(40), Outlook::Remembers, now);
        };
        let said = words(returning);
        assert!(said.starts_with("returning"), "{said}");
        let refused = words(|waiting, now| {
            returning(waiting, now);
            waiting.refused(
                peer(50),
                "it keeps another number of successors".to_owned(),
                now,
            );
        });
        assert!(refused.contains("number of successors"), "{refused}");
    }
}
