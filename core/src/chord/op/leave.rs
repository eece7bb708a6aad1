//! The way out of a ring.

use crate::chord::Node;
use std::task::Poll;

use crate::chord::ask::{Ask, Question};
use crate::chord::message::Request;
use crate::chord::variant::Variant;
use crate::protocol::Network;
use crate::ring::{Neighbours, Peer, SuccessorList};

/// Leaving gracefully (Stoica et al. 2003, section IV-E: it tells both neighbours).
///
/// 1. Tell the predecessor and the successor, side by side, who one's neighbours were.
/// 2. When both have taken note, or are silent, one has left, as soon as the look-ups of one's
///    clients have ended.
///
/// To the others it is what Zave calls a failure, only known at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Leave {
    predecessor: Peer,
    successors: SuccessorList,
    telling: Vec<Question>,
}

impl Leave {
    pub(in crate::chord) fn new(neighbours: &Neighbours, attempts: u8) -> Leave {
        let (me, predecessor) = (neighbours.me(), neighbours.predecessor());
        let mut telling = vec![neighbours.successor()];
        if predecessor != neighbours.successor() {
            telling.push(predecessor);
        }
        telling.retain(|peer| peer.id != me.id);
        Leave {
            predecessor,
            successors: neighbours.successors().clone(),
            telling: telling
                .into_iter()
                .map(|peer| Question::new(peer, attempts))
                .collect(),
        }
    }

    /// Whether both have taken note, or are silent.
    pub(in crate::chord) const fn is_done(&self) -> bool {
        self.telling.is_empty()
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<()> {
        let (predecessor, successors) = (self.predecessor, &self.successors);
        let leaving = || Request::Leaving {
            predecessor,
            successors: successors.clone(),
        };
        if ask.is_variant(Variant::LeaverTellsOne) {
            self.telling.truncate(1);
        }
        self.telling
            .retain_mut(|question| question.poll(ask, leaving).is_pending());
        if self.telling.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chord::ask::script::drive;
    use crate::chord::message::Reply;
    use crate::ring::test_peers::{peer, peers};

    fn told(neighbours: &Neighbours, answers: bool) -> Vec<Peer> {
        let mut leave = Leave::new(neighbours, 2);
        let (_, asked) = drive(|ask| leave.poll(ask), &mut |_, request| {
            assert!(matches!(request, Request::Leaving { .. }));
            answers.then_some(Reply::Noted)
        });
        asked.into_iter().map(|(to, _)| to).collect()
    }

    #[test]
    fn both_neighbours_are_told_once_if_they_answer() {
        let neighbours = Neighbours::given(peer(20), peer(10), &peers(&[30, 40]), 3);
        assert_eq!(told(&neighbours, true), peers(&[30, 10]));
    }

    #[test]
    fn silent_neighbours_hold_nobody_back() {
        let neighbours = Neighbours::given(peer(20), peer(10), &peers(&[30, 40]), 3);
        assert_eq!(told(&neighbours, false), peers(&[30, 10, 30, 10]));
    }

    #[test]
    fn in_a_ring_of_two_there_is_one_to_tell_and_alone_nobody() {
        let neighbours = Neighbours::given(peer(20), peer(10), &peers(&[10]), 3);
        assert_eq!(told(&neighbours, true), peers(&[10]));
        assert_eq!(told(&Neighbours::alone(peer(20), 3), true), peers(&[]));
    }
}
