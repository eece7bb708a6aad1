//! Is the predecessor still there?

use crate::chord::Node;
use std::task::{Poll, ready};

use crate::chord::ask::{Ask, AskOutcome, Question};
use crate::chord::message::Request;
use crate::protocol::Network;
use crate::ring::Peer;

/// **Rectify** (TSE 2017, section IV), the part that asks: somebody farther away than the
/// predecessor believes to be the predecessor.
///
/// 1. Ping the predecessor.
/// 2. Only if it is silent does the notifier take its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Rectify {
    notifier: Peer,
    ping: Question,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chord) enum Rectified {
    /// The predecessor lives.
    Kept,
    /// The first is silent; the second takes its place.
    Replaced(Peer, Peer),
}

impl Rectify {
    pub(in crate::chord) const fn new(predecessor: Peer, notifier: Peer, attempts: u8) -> Rectify {
        Rectify {
            notifier,
            ping: Question::new(predecessor, attempts),
        }
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Rectified> {
        Poll::Ready(match ready!(self.ping.poll(ask, || Request::Ping)) {
            AskOutcome::Silence => Rectified::Replaced(self.ping.to, self.notifier),
            AskOutcome::Reply(_) | AskOutcome::Undecided => Rectified::Kept,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chord::ask::script::drive;
    use crate::chord::message::Reply;
    use crate::ring::test_peers::peer;

    #[test]
    fn only_silence_replaces_the_predecessor() {
        for (replies, rectified) in [
            (vec![Some(Reply::Pong)], Rectified::Kept),
            (vec![None, Some(Reply::Pong)], Rectified::Kept),
            (vec![None, None], Rectified::Replaced(peer(10), peer(5))),
            (
                vec![Some(Reply::NotMember)],
                Rectified::Replaced(peer(10), peer(5)),
            ),
        ] {
            let mut op = Rectify::new(peer(10), peer(5), 2);
            let count = replies.len();
            let mut replies = replies.into_iter();
            let (outcome, asked) = drive(|ask| op.poll(ask), &mut |_, _| {
                replies.next().expect("asked once more")
            });
            assert_eq!(outcome, rectified);
            assert_eq!(asked, vec![(peer(10), Request::Ping); count]);
        }
    }
}
