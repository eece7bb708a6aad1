//! The way back when all successors are silent.

use crate::chord::Node;
use std::task::{Poll, ready};

use crate::chord::ask::{Ask, AskOutcome, Question};
use crate::chord::limits;
use crate::chord::message::{Reply, Request};
use crate::chord::variant::Variant;
use crate::protocol::Network;
use crate::ring::{Id, Peer, SuccessorList};

/// Finding a new successor among all the peers one has heard from. A node whose list ran empty
/// never takes itself for a ring of its own: that would split the ring for good.
///
/// 1. Ask the known peers for their neighbours, the nearest ahead on the circle first, until
///    one answers. The predecessor is the farthest ahead.
/// 2. Go back from predecessor to predecessor while they answer and lie ahead. The last one
///    that does is, going round, the next one ahead: the new successor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Retreat {
    me: Id,
    attempts: u8,
    /// Not yet asked; the nearest ahead last.
    known: Vec<Peer>,
    question: Option<Question>,
    best: Option<(Peer, SuccessorList)>,
    asked: Vec<Id>,
}

impl Retreat {
    pub(in crate::chord) fn new(
        me: Id,
        attempts: u8,
        known: impl IntoIterator<Item = Peer>,
    ) -> Retreat {
        let mut known: Vec<Peer> = known.into_iter().filter(|peer| peer.id != me).collect();
        known.sort_by_key(|peer| std::cmp::Reverse(me.distance_to(peer.id)));
        known.dedup_by_key(|peer| peer.id);
        Retreat {
            me,
            attempts,
            known,
            question: None,
            best: None,
            asked: Vec::new(),
        }
    }

    /// The new successor and its successors, or `None` if nobody answers.
    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Option<(Peer, SuccessorList)>> {
        loop {
            let Some(question) = &mut self.question else {
                match self.known.pop() {
                    Some(peer) if self.asked.contains(&peer.id) => continue,
                    Some(peer) if self.asked.len() < limits::RETREAT_ASKS => {
                        self.asked.push(peer.id);
                        self.question = Some(Question::new(peer, self.attempts));
                        continue;
                    }
                    _ => return Poll::Ready(self.best.take()),
                }
            };
            let from = question.to;
            let answer = ready!(question.poll(ask, || Request::Neighbours));
            self.question = None;
            match answer {
                AskOutcome::Reply(Reply::Neighbours {
                    predecessor,
                    successors,
                }) => {
                    self.best = Some((from, successors));
                    let ahead = predecessor.id.is_between(self.me, from.id)
                        && !ask.is_variant(Variant::RetreatTakesFirst);
                    self.known = if ahead { vec![predecessor] } else { Vec::new() };
                }
                // Behind the first that answered, one silence ends the walk.
                _ if self.best.is_some() => self.known.clear(),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chord::ask::script::drive;
    use crate::ring::test_peers::{peer, peers};
    use proptest::prelude::*;

    fn retreat(me: u8, known: &[u8], live: &[(u8, u8)]) -> (Option<Peer>, Vec<Peer>) {
        let mut op = Retreat::new(peer(me).id, 1, peers(known));
        let (found, asked) = drive(|ask| op.poll(ask), &mut |to, _| {
            let (_, before) = live.iter().find(|(place, _)| peer(*place) == to)?;
            let successors = SuccessorList::following(to.id, peer(me), &[], 1);
            Some(Reply::Neighbours {
                predecessor: peer(*before),
                successors,
            })
        });
        (
            found.map(|(peer, _)| peer),
            asked.into_iter().map(|(to, _)| to).collect(),
        )
    }

    #[test]
    fn it_walks_back_to_the_next_one_ahead() {
        let live = [(100, 90), (90, 80), (80, 70), (5, 250)];
        let (found, asked) = retreat(10, &[5, 100, 50], &live);
        assert_eq!(asked, peers(&[50, 100, 90, 80, 70]));
        assert_eq!(found, Some(peer(80)));
    }

    #[test]
    fn it_stops_where_the_way_back_leads_past_itself() {
        let (found, asked) = retreat(10, &[100], &[(100, 90), (90, 5)]);
        assert_eq!((found, asked), (Some(peer(90)), peers(&[100, 90])));
    }

    #[test]
    fn with_only_its_predecessor_left_that_one_is_ahead() {
        let (found, _) = retreat(10, &[5], &[(5, 10)]);
        assert_eq!(found, Some(peer(5)));
    }

    #[test]
    fn when_nobody_answers_it_finds_nobody() {
        assert_eq!(retreat(10, &[20, 30], &[]).0, None);
        assert_eq!(retreat(10, &[], &[]).0, None);
    }

    proptest! {
        #[test]
        fn it_ends_within_its_bound_and_asks_nobody_twice(
            known in prop::collection::vec(any::<u8>(), 0..20), me: u8,
            answers in prop::collection::vec(any::<Option<u8>>(), 1..30),
        ) {
            let mut next = 0;
            let mut op = Retreat::new(peer(me).id, 1, peers(&known));
            let (_, asked) = drive(|ask| op.poll(ask), &mut |to, _| {
                next += 1;
                let predecessor = peer(answers[next % answers.len()]?);
                let successors = SuccessorList::following(to.id, peer(me), &[], 1);
                Some(Reply::Neighbours { predecessor, successors })
            });
            let mut places: Vec<Peer> = asked.into_iter().map(|(to, _)| to).collect();
            prop_assert!(places.len() <= limits::RETREAT_ASKS);
            let count = places.len();
            places.sort();
            places.dedup();
            prop_assert_eq!(places.len(), count);
            prop_assert!(!places.contains(&peer(me)));
        }
    }
}
