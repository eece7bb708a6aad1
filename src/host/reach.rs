//! Whether the members beside a host's nodes can be reached where they say that they are.
//!
//! A process behind an address translator, or with a wrong `advertise`, connects to others, and
//! nobody can connect to it. Its successor hears it and takes it for its predecessor; nobody else ever
//! reaches it, no node lists it, and newcomers beside it wait for it for ever. So a host dials back
//! whoever its nodes name beside them and has come in by a connection of his own: once, as long as he
//! stands there, and if that fails again and again. Both ends tell it to their operators.
//!
//! A table without I/O. It keeps nobody out: what is heard of a peer is true all the same, and a way
//! that is broken in one direction may be mended.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::status::{OutOfReach, Unreached};
use cuerda_core::ring::{Address, Id, Peer};

/// After this time it is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// What others say is believed for so long: they say it again each time that they try.
const BELIEVED: Duration = Duration::from_secs(90);

/// Who can't be reached.
#[derive(Debug, Default)]
pub(super) struct Reach {
    beside: BTreeMap<Id, Beside>,
    /// Who could not connect to this process, and when it said so.
    told_by: Option<(Address, Instant)>,
}

/// How there is a connection with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Connected {
    /// There is none now.
    Not,
    /// Only he has connected.
    ByHim,
    /// This process has.
    ByUs,
}

#[derive(Debug)]
struct Beside {
    address: Address,
    /// When it may be dialled next; `None` while it is, and once it was reached.
    next: Option<Instant>,
    /// Why it could not be reached when it was dialled last.
    why: Option<String>,
}

impl Reach {
    /// These are beside the host's nodes now. Says who is to be dialled.
    pub(super) fn next_to_dial(&mut self, beside: &[(Peer, Connected)], now: Instant) -> Vec<Peer> {
        self.beside.retain(|id, known| {
            let is = |peer: &Peer| peer.id == *id && peer.address == known.address;
            beside.iter().any(|(peer, _)| is(peer))
        });
        let due = beside.iter().filter(|(peer, connected)| {
            let known = self.beside.entry(peer.id).or_insert(Beside {
                address: peer.address,
                next: Some(now),
                why: None,
            });
            match connected {
                Connected::Not => false,
                Connected::ByHim => known.next.take_if(|next| *next <= now).is_some(),
                Connected::ByUs => {
                    (known.next, known.why) = (None, None);
                    false
                }
            }
        });
        due.map(|(peer, _)| *peer).collect()
    }

    /// It was dialled. Says whether that is news: it could not be reached and could before, or the
    /// other way round.
    pub(super) fn dialled(&mut self, peer: Peer, result: Result<(), String>, now: Instant) -> bool {
        let known = self.beside.get_mut(&peer.id);
        // Meanwhile it may be gone, or elsewhere.
        let Some(known) = known.filter(|known| known.address == peer.address) else {
            return false;
        };
        let before = std::mem::replace(&mut known.why, result.err());
        known.next = known.why.is_some().then_some(now + AGAIN);
        before.is_some() != known.why.is_some()
    }

    /// Somebody could not connect to this process. Says whether that is news.
    pub(super) fn told(&mut self, by: Address, now: Instant) -> bool {
        let before = self.told_by.replace((by, now));
        before.is_none_or(|(_, at)| now >= at + BELIEVED)
    }

    /// What is known, if anything is wrong; `address` is where this process says that it is.
    pub(super) fn wrong(&self, address: Address, now: Instant) -> Option<OutOfReach> {
        let others = self.beside.iter().filter_map(|(&id, known)| {
            let peer = Peer {
                id,
                address: known.address,
            };
            let why = known.why.clone()?;
            Some(Unreached { peer, why })
        });
        let told_by = self.told_by.filter(|(_, at)| now < *at + BELIEVED);
        let wrong = OutOfReach {
            others: others.collect(),
            at: told_by.map(|_| address),
            told_by: told_by.map(|(by, _)| by),
        };
        (!wrong.others.is_empty() || wrong.told_by.is_some()).then_some(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuerda_core::ring::test_peers::peer;

    const REFUSED: fn() -> Result<(), String> = || Err("refused".to_owned());

    fn others(reach: &Reach, now: Instant) -> Vec<Peer> {
        let wrong = reach.wrong(peer(1).address, now);
        let others = wrong.into_iter().flat_map(|wrong| wrong.others);
        others.map(|unreached| unreached.peer).collect()
    }

    /// Who of these, who have connected, is to be dialled.
    fn dials(reach: &mut Reach, beside: &[Peer], now: Instant) -> Vec<Peer> {
        let beside: Vec<_> = beside
            .iter()
            .map(|&peer| (peer, Connected::ByHim))
            .collect();
        reach.next_to_dial(&beside, now)
    }

    #[test]
    fn who_was_reached_is_not_dialled_again_as_long_as_it_stays_there() {
        let (mut reach, now) = (Reach::default(), Instant::now());
        assert_eq!(dials(&mut reach, &[peer(20)], now), [peer(20)]);
        assert_eq!(dials(&mut reach, &[peer(20)], now), [], "it is dialled");
        assert!(!reach.dialled(peer(20), Ok(()), now));
        // The connection that was made may end; that it could be made is known.
        for connected in [Connected::ByUs, Connected::Not, Connected::ByHim] {
            let later = now + AGAIN * 9;
            assert_eq!(reach.next_to_dial(&[(peer(20), connected)], later), []);
        }
        // Elsewhere it is another matter.
        let moved = Peer {
            address: peer(30).address,
            ..peer(20)
        };
        assert_eq!(dials(&mut reach, &[moved], now), [moved]);
        assert!(
            !reach.dialled(peer(20), REFUSED(), now),
            "it was dialled before"
        );
        assert_eq!(others(&reach, now), []);
    }

    #[test]
    fn who_has_not_connected_or_was_connected_to_is_not_dialled() {
        let (mut reach, now) = (Reach::default(), Instant::now());
        for connected in [Connected::Not, Connected::ByUs, Connected::ByHim] {
            assert_eq!(reach.next_to_dial(&[(peer(20), connected)], now), []);
        }
    }

    #[test]
    fn who_was_not_is_named_and_tried_again_until_it_is_or_is_gone() {
        let (mut reach, now) = (Reach::default(), Instant::now());
        dials(&mut reach, &[peer(20)], now);
        assert!(reach.dialled(peer(20), REFUSED(), now));
        assert_eq!(others(&reach, now), [peer(20)]);
        let later = now + AGAIN;
        assert_eq!(dials(&mut reach, &[peer(20)], later - AGAIN / 2), []);
        assert_eq!(dials(&mut reach, &[peer(20)], later), [peer(20)]);
        assert_eq!(
            others(&reach, later),
            [peer(20)],
            "as long as it is dialled"
        );
        assert!(!reach.dialled(peer(20), REFUSED(), later));
        dials(&mut reach, &[peer(20)], later + AGAIN);
        assert!(reach.dialled(peer(20), Ok(()), later + AGAIN));
        assert_eq!(others(&reach, later + AGAIN), []);

        dials(&mut reach, &[peer(20), peer(30)], now);
        reach.dialled(peer(30), REFUSED(), now);
        reach.next_to_dial(
            &[(peer(20), Connected::ByHim), (peer(30), Connected::Not)],
            now,
        );
        assert_eq!(others(&reach, now), [peer(30)], "it still stands there");
        dials(&mut reach, &[peer(20)], now);
        assert_eq!(others(&reach, now), [], "it is beside this node no more");
        assert!(!reach.dialled(peer(30), REFUSED(), now));
    }

    #[test]
    fn what_others_say_is_believed_for_a_while() {
        let (mut reach, now) = (Reach::default(), Instant::now());
        let said = |reach: &Reach, now| reach.wrong(peer(1).address, now);
        assert!(reach.told(peer(20).address, now));
        assert!(!reach.told(peer(20).address, now + AGAIN));
        let wrong = said(&reach, now + AGAIN).expect("it was told");
        assert_eq!(wrong.told_by, Some(peer(20).address));
        assert_eq!(said(&reach, now + AGAIN + BELIEVED), None);
        assert!(reach.told(peer(20).address, now + AGAIN + BELIEVED));
    }
}
