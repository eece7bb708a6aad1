//! The two halves of stabilization.

use crate::chord::Node;
use std::task::{Poll, ready};

use crate::chord::ask::{Ask, AskOutcome, Question};
use crate::chord::message::{Reply, Request};
use crate::chord::variant::Variant;
use crate::protocol::Network;
use crate::ring::{Peer, SuccessorList};

/// **Stabilize from successor** and **from predecessor** (TSE 2017, section IV): one question,
/// asked of the successor or of the candidate that it named.
///
/// 1. Ask for the other's neighbours.
/// 2. Say what it answered, or that it is silent. What follows from that are the functions of
///    [`crate::ring::Neighbours`].
///
/// From the question to the answer's use the node's own state is undefined, and it answers no
/// question about it: in the proof asking and updating are one step, which happens at the instant
/// the other answers (TSE 2017, section IV).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Stabilize {
    from: From,
    question: Question,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum From {
    Successor,
    Predecessor,
}

/// What stabilization heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chord) enum Heard {
    /// The successor's predecessor and successors, or its silence.
    Successor(Peer, Option<(Peer, SuccessorList)>),
    /// The candidate's successors, or its silence.
    Candidate(Peer, Option<SuccessorList>),
    /// It is alive but busy for too long: the step is given up, and nobody is presumed dead.
    Undecided,
}

impl Stabilize {
    pub(in crate::chord) const fn from_successor(successor: Peer, attempts: u8) -> Stabilize {
        Stabilize {
            from: From::Successor,
            question: Question::new(successor, attempts),
        }
    }

    pub(in crate::chord) const fn from_predecessor(candidate: Peer, attempts: u8) -> Stabilize {
        Stabilize {
            from: From::Predecessor,
            question: Question::new(candidate, attempts),
        }
    }

    /// Who lets this step wait, in the middle of a step of its own.
    pub(in crate::chord) fn put_off_by(&self) -> Option<Peer> {
        self.question.is_put_off().then_some(self.question.to)
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Heard> {
        let to = self.question.to;
        let heard = match ready!(self.question.poll(ask, || Request::Neighbours)) {
            AskOutcome::Reply(Reply::Neighbours {
                predecessor,
                successors,
            }) => Some((predecessor, successors)),
            AskOutcome::Undecided if !ask.is_variant(Variant::BusyMeansDead) => {
                return Poll::Ready(Heard::Undecided);
            }
            AskOutcome::Reply(_) | AskOutcome::Silence | AskOutcome::Undecided => None,
        };
        Poll::Ready(match self.from {
            From::Successor => Heard::Successor(to, heard),
            From::Predecessor => Heard::Candidate(to, heard.map(|(_, successors)| successors)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chord::ask::script::drive;
    use crate::ring::test_peers::peer;

    fn neighbours() -> (Peer, SuccessorList) {
        (
            peer(15),
            SuccessorList::following(peer(20).id, peer(30), &[peer(40)], 3),
        )
    }

    fn heard(mut op: Stabilize, replies: &mut Vec<Option<Reply>>) -> (Heard, usize) {
        let (heard, asked) = drive(|ask| op.poll(ask), &mut |to, request| {
            assert_eq!((to, request), (peer(20), &Request::Neighbours));
            replies.remove(0)
        });
        (heard, asked.len())
    }

    fn reply() -> Option<Reply> {
        let (predecessor, successors) = neighbours();
        Some(Reply::Neighbours {
            predecessor,
            successors,
        })
    }

    #[test]
    fn it_hears_the_successors_neighbours_or_its_silence() {
        let op = || Stabilize::from_successor(peer(20), 2);
        let answered = Heard::Successor(peer(20), Some(neighbours()));
        assert_eq!(heard(op(), &mut vec![reply()]), (answered.clone(), 1));
        assert_eq!(heard(op(), &mut vec![None, reply()]), (answered, 2));
        let silent = Heard::Successor(peer(20), None);
        assert_eq!(heard(op(), &mut vec![None, None]), (silent.clone(), 2));
        assert_eq!(heard(op(), &mut vec![Some(Reply::NotMember)]), (silent, 1));
    }

    #[test]
    fn it_hears_the_candidates_successors_or_its_silence() {
        let op = || Stabilize::from_predecessor(peer(20), 1);
        let answered = Heard::Candidate(peer(20), Some(neighbours().1));
        assert_eq!(heard(op(), &mut vec![reply()]), (answered, 1));
        assert_eq!(
            heard(op(), &mut vec![None]),
            (Heard::Candidate(peer(20), None), 1)
        );
    }
}
