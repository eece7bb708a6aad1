//! Whom a node on its way into a ring may ask.

use crate::chord::limits;
use crate::ring::{Id, Peer};

/// Those that a joiner was told to ask, and those that it has met or heard of since.
///
/// A peer is its key: who has moved stands here under each address until one of them answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Contacts {
    given: Vec<Peer>,
    met: Vec<Met>,
    /// Who was asked in this round already.
    asked: Vec<Peer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Met {
    peer: Peer,
    /// Whether it did not answer when it was last asked.
    silent: bool,
}

impl Contacts {
    /// Those that the node was told to ask; as many as there is room for.
    pub(in crate::chord) fn give(&mut self, me: Id, peers: impl IntoIterator<Item = Peer>) {
        for peer in peers {
            let room = self.given.len() < limits::CONTACTS;
            if room && peer.id != me && !self.given.contains(&peer) {
                self.met.retain(|met| met.peer != peer);
                self.given.push(peer);
            }
        }
    }

    /// One that was met, or that another contact named. Where there is no room, those that were
    /// silent go first and then those with high ids: so all that wait for a ring keep the same
    /// ones, among them the one that is to found it.
    pub(in crate::chord) fn meet(&mut self, me: Id, peer: Peer) {
        let known = self.met.iter().any(|met| met.peer == peer);
        if peer.id == me || known || self.given.contains(&peer) {
            return;
        }
        if self.met.len() >= limits::CONTACTS {
            let places = 0..self.met.len();
            let last = places.max_by_key(|&at| (self.met[at].silent, self.met[at].peer.id));
            match last {
                Some(at) if self.met[at].silent || peer.id < self.met[at].peer.id => {
                    self.met.remove(at);
                }
                _ => return,
            }
        }
        let silent = false;
        self.met.push(Met { peer, silent });
    }

    /// All of them: those that answered before those that did not.
    pub(in crate::chord) fn all(&self) -> impl Iterator<Item = Peer> + '_ {
        let of = |silent| {
            let met = self.met.iter().filter(move |met| met.silent == silent);
            met.map(|met| met.peer)
        };
        self.given.iter().copied().chain(of(false)).chain(of(true))
    }

    /// The next one to ask in this round, in which not everybody can be asked whom others name.
    pub(in crate::chord) fn next(&mut self) -> Option<Peer> {
        if self.asked.len() >= limits::GREETED {
            return None;
        }
        let next = self.all().find(|peer| !self.asked.contains(peer))?;
        self.asked.push(next);
        Some(next)
    }

    /// Whether there is one to ask that came after the others of this round.
    pub(in crate::chord) fn is_one_new(&self) -> bool {
        self.asked.len() < limits::GREETED && self.all().any(|peer| !self.asked.contains(&peer))
    }

    /// It is to be asked again in this round, because its answer was not waited for.
    pub(in crate::chord) fn unasked(&mut self, peer: Peer) {
        self.asked.retain(|asked| *asked != peer);
    }

    /// It answered, or it did not. Where one answers, no other can be it.
    pub(in crate::chord) fn heard(&mut self, peer: Peer, answered: bool) {
        let same = |other: &Peer| other.id == peer.id && *other != peer;
        if answered {
            self.met.retain(|met| !same(&met.peer));
        }
        for met in self.met.iter_mut().filter(|met| met.peer == peer) {
            met.silent = !answered;
        }
    }

    /// A new round: all are to be asked again.
    pub(in crate::chord) fn start_again(&mut self) {
        self.asked.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::test_peers::{peer, peers};
    use std::net::SocketAddr;

    const ME: u8 = 9;

    fn contacts(given: &[u8], met: &[u8]) -> Contacts {
        let mut contacts = Contacts::default();
        contacts.give(peer(ME).id, peers(given));
        for peer in peers(met) {
            contacts.meet(super::tests::peer(ME).id, peer);
        }
        contacts
    }

    fn round(contacts: &mut Contacts) -> Vec<Peer> {
        std::iter::from_fn(|| contacts.next()).collect()
    }

    #[test]
    fn each_is_asked_once_a_round_those_given_first() {
        let mut contacts = contacts(&[5, ME, 3, 5], &[8, 3, ME, 1]);
        assert_eq!(round(&mut contacts), peers(&[5, 3, 8, 1]));
        contacts.meet(peer(ME).id, peer(7));
        assert_eq!(round(&mut contacts), peers(&[7]));
        contacts.unasked(peer(3));
        assert_eq!(round(&mut contacts), peers(&[3]));
        contacts.start_again();
        contacts.heard(peer(8), false);
        assert_eq!(round(&mut contacts), peers(&[5, 3, 1, 7, 8]));
    }

    #[test]
    fn the_silent_make_room_first_and_then_those_with_high_ids() {
        let all: Vec<u8> = (20..20 + limits::CONTACTS as u8).collect();
        let mut contacts = contacts(&[], &all);
        contacts.meet(peer(ME).id, peer(250));
        assert_eq!(
            round(&mut contacts),
            peers(&all),
            "no room for a higher one"
        );
        contacts.heard(peer(25), false);
        contacts.meet(peer(ME).id, peer(250));
        contacts.meet(peer(ME).id, peer(2));
        let left: Vec<Peer> = contacts.all().collect();
        assert_eq!(left.len(), limits::CONTACTS);
        assert!(left.contains(&peer(2)) && !left.contains(&peer(25)));
        assert!(!left.contains(&peer(250)), "it had the highest id");
    }

    #[test]
    fn who_has_moved_is_asked_at_both_addresses_until_one_answers() {
        let mut contacts = contacts(&[], &[5]);
        let address: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let moved = Peer {
            address: address.into(),
            ..peer(5)
        };
        contacts.meet(peer(ME).id, moved);
        assert_eq!(round(&mut contacts), [peer(5), moved]);
        contacts.heard(moved, true);
        assert_eq!(contacts.all().collect::<Vec<_>>(), [moved]);
    }
}
