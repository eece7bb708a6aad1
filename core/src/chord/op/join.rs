//! The way into a ring.

use crate::chord::Node;
use std::task::{Poll, ready};
use std::time::Duration;

use super::{Lookup, Oneself};
use crate::chord::ask::{Answer, Ask, Question};
use crate::chord::config::Config;
use crate::chord::limits;
use crate::chord::message::{Hello, Reply, Request};
use crate::protocol::Network;
use crate::protocol::Refusal;
use crate::ring::{Neighbours, Peer, SuccessorList};

/// **Join** (TSE 2017, section IV), from a list of contacts.
///
/// 1. Say hello to one contact after the other until one is a member that fits.
/// 2. Look up one's own place through it: who owns it now?
/// 3. Ask the owner who is before it. It knows better than those before: newcomers notify their
///    successors first.
/// 4. Ask that one for its neighbours. If one lies between it and its successor, its list
///    becomes one's own, and one is a member. If it has heard of somebody nearer meanwhile, ask
///    that one; after a few tries start again.
/// 5. When no contact helps, wait and start again. When none of the contacts that answer has
///    been a member for `found_after`, and one's own id is the lowest, found a ring.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Join {
    me: Peer,
    hello: Hello,
    attempts: u8,
    contacts: Vec<Peer>,
    stage: Stage,
    tries: u8,
    /// Contacts that answered in this round, and were no members.
    outside: Vec<Peer>,
    /// The pause after this round, doubled from round to round.
    pause: Duration,
    pause_max: Duration,
    /// The sum of all pauses so far.
    waited: Duration,
    found_after: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Greeting {
        next: usize,
        question: Option<Question>,
    },
    Finding {
        through: Peer,
        lookup: Box<Lookup>,
    },
    /// `before` is who comes before one's place for all that the look-up heard.
    AskingOwner {
        through: Peer,
        before: Option<Peer>,
        question: Question,
    },
    AskingMember {
        through: Peer,
        before: Option<Peer>,
        question: Question,
    },
    Waiting,
}

/// How an attempt to join ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chord) enum Joined {
    /// These are the neighbours of a member now.
    Member(Neighbours),
    /// Nobody is a member: be the first.
    Found,
    /// Nobody helped; start again after about this time.
    Later(Duration),
    /// This contact does not fit; the others are still to be asked, so poll again.
    Refused(Peer, Refusal),
}

impl Join {
    pub(in crate::chord) fn new(
        me: Peer,
        hello: Hello,
        config: &Config,
        contacts: impl IntoIterator<Item = Peer>,
    ) -> Join {
        let mut join = Join {
            me,
            hello,
            attempts: config.attempts,
            contacts: Vec::new(),
            stage: Stage::Greeting {
                next: 0,
                question: None,
            },
            tries: 0,
            outside: Vec::new(),
            pause: config.request_timeout,
            pause_max: config.stabilize_every.max(config.request_timeout),
            waited: Duration::ZERO,
            found_after: config.found_after,
        };
        join.add_contacts(contacts);
        join
    }

    pub(in crate::chord) fn add_contacts(&mut self, contacts: impl IntoIterator<Item = Peer>) {
        for peer in contacts {
            let known = self
                .contacts
                .iter()
                .any(|contact| contact.address == peer.address);
            if !known && peer.id != self.me.id && self.contacts.len() < limits::CONTACTS {
                self.contacts.push(peer);
            }
        }
    }

    pub(in crate::chord) fn contacts(&self) -> &[Peer] {
        &self.contacts
    }

    /// Begins a new round after the pause.
    pub(in crate::chord) fn start_again(&mut self) {
        if matches!(self.stage, Stage::Waiting) {
            self.waited += self.pause;
            self.pause = (self.pause * 2).min(self.pause_max);
            self.outside.clear();
            self.tries = 0;
            self.stage = Stage::Greeting {
                next: 0,
                question: None,
            };
        }
    }

    pub(in crate::chord) fn awaits(&self, number: u32) -> Option<Peer> {
        match &self.stage {
            Stage::Greeting {
                question: Some(question),
                ..
            }
            | Stage::AskingOwner { question, .. }
            | Stage::AskingMember { question, .. } => {
                question.awaits(number).then_some(question.to)
            }
            Stage::Finding { lookup, .. } => lookup.awaits(number),
            Stage::Greeting { question: None, .. } | Stage::Waiting => None,
        }
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Joined> {
        loop {
            match &mut self.stage {
                Stage::Waiting => return Poll::Ready(Joined::Later(self.pause)),
                Stage::Greeting {
                    next,
                    question: None,
                } => {
                    let Some(&contact) = self.contacts.get(*next) else {
                        return Poll::Ready(self.nobody_helped());
                    };
                    let question = Some(Question::new(contact, self.attempts));
                    self.stage = Stage::Greeting {
                        next: *next + 1,
                        question,
                    };
                }
                Stage::Greeting {
                    next,
                    question: Some(question),
                } => {
                    let (next, to, hello) = (*next, question.to, self.hello);
                    let answer = ready!(question.poll(ask, || Request::Hello(hello)));
                    self.stage = Stage::Greeting {
                        next,
                        question: None,
                    };
                    if let Some(refusal) = self.greeted(to, answer) {
                        return Poll::Ready(Joined::Refused(to, refusal));
                    }
                }
                Stage::Finding { through, lookup } => {
                    let through = *through;
                    let outcome = ready!(lookup.poll(ask));
                    let Ok(found) = outcome.result else {
                        self.next_contact(through);
                        continue;
                    };
                    let question = Question::new(found.owner, self.attempts);
                    let before = outcome.predecessor;
                    self.stage = Stage::AskingOwner {
                        through,
                        before,
                        question,
                    };
                }
                Stage::AskingOwner {
                    through,
                    before,
                    question,
                } => {
                    let (through, before) = (*through, *before);
                    match ready!(question.poll(ask, || Request::Neighbours)) {
                        Answer::Reply(Reply::Neighbours { predecessor, .. }) => {
                            self.stage = self.asking_member(through, predecessor, before);
                        }
                        _ => self.try_again(through),
                    }
                }
                Stage::AskingMember {
                    through,
                    before,
                    question,
                } => {
                    let (through, member, before) = (*through, question.to, *before);
                    match ready!(question.poll(ask, || Request::Neighbours)) {
                        Answer::Reply(Reply::Neighbours { successors, .. }) => {
                            let room = self.hello.successors;
                            if let Some(neighbours) =
                                Neighbours::join(self.me, member, &successors, room)
                            {
                                self.stage = Stage::Waiting;
                                return Poll::Ready(Joined::Member(neighbours));
                            }
                            self.member_moved_on(through, member, &successors);
                        }
                        // The owner has not noticed its death; the look-up knew another.
                        _ => match before.filter(|&before| before != member) {
                            Some(before) => {
                                self.stage = self.asking_member(through, before, None);
                            }
                            None => self.try_again(through),
                        },
                    }
                }
            }
        }
    }

    fn greeted(&mut self, contact: Peer, answer: Answer) -> Option<Refusal> {
        match answer {
            Answer::Reply(Reply::Hello(theirs)) => match self.hello.accepts(&theirs) {
                Err(refusal) => return Some(refusal),
                Ok(()) if theirs.member => self.find_place(contact),
                Ok(()) => self.outside.push(contact),
            },
            Answer::Reply(Reply::Refused(refusal)) => return Some(refusal),
            _ => {}
        }
        None
    }

    fn find_place(&mut self, through: Peer) {
        let lookup =
            Lookup::new(self.me.id, self.me.id, Oneself::Silent, self.attempts).through([through]);
        self.stage = Stage::Finding {
            through,
            lookup: Box::new(lookup),
        };
    }

    fn asking_member(&self, through: Peer, member: Peer, before: Option<Peer>) -> Stage {
        // Others may still name an earlier incarnation of this node.
        let oneself = member.id == self.me.id;
        let member = if oneself {
            before.unwrap_or(through)
        } else {
            member
        };
        Stage::AskingMember {
            through,
            before,
            question: Question::new(member, self.attempts),
        }
    }

    /// The member asked does not bracket the joiner: somebody else has joined in between.
    fn member_moved_on(&mut self, through: Peer, member: Peer, successors: &SuccessorList) {
        let me = self.me.id;
        let nearer = successors
            .iter()
            .rev()
            .find(|peer| peer.id.is_between(member.id, me));
        match nearer {
            Some(&nearer) if self.tries < limits::JOIN_TRIES => {
                self.tries += 1;
                self.stage = self.asking_member(through, nearer, None);
            }
            _ => self.try_again(through),
        }
    }

    fn try_again(&mut self, through: Peer) {
        self.tries += 1;
        if self.tries < limits::JOIN_TRIES {
            self.find_place(through);
        } else {
            self.next_contact(through);
        }
    }

    fn next_contact(&mut self, through: Peer) {
        self.tries = 0;
        let at = self.contacts.iter().position(|&contact| contact == through);
        let next = at.map_or(self.contacts.len(), |at| at + 1);
        self.stage = Stage::Greeting {
            next,
            question: None,
        };
    }

    fn nobody_helped(&mut self) -> Joined {
        self.stage = Stage::Waiting;
        // Somebody else must be there: who reaches nobody may only be cut off.
        let lowest = self.outside.iter().map(|peer| peer.id).min();
        if lowest.is_some_and(|lowest| self.me.id < lowest) && self.waited >= self.found_after {
            Joined::Found
        } else {
            Joined::Later(self.pause)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chord::VERSIONS;
    use crate::chord::ask::script::drive;
    use crate::ring::Id;
    use crate::ring::test_peers::{peer, peers};
    use proptest::prelude::*;

    const HELLO: Hello = Hello {
        versions: VERSIONS,
        cluster: Id::ZERO,
        successors: 3,
        replicas: 3,
        incarnation: 1,
        member: false,
    };
    const MEMBER: Hello = Hello {
        member: true,
        ..HELLO
    };

    fn join(me: u8, contacts: &[u8]) -> Join {
        let config = Config {
            attempts: 1,
            ..Config::default()
        };
        Join::new(peer(me), HELLO, &config, peers(contacts))
    }

    fn list(me: u8, places: &[u8]) -> SuccessorList {
        SuccessorList::following(peer(me).id, peer(places[0]), &peers(&places[1..]), 9)
    }

    /// The ring 10, 20, 30, 40 as its members see it.
    fn ring(to: Peer, request: &Request) -> Option<Reply> {
        let (successors, before) = match (to.id.high() >> 56) as u8 {
            10 => (list(10, &[20, 30, 40]), peer(40)),
            20 => (list(20, &[30, 40, 10]), peer(10)),
            30 => (list(30, &[40, 10, 20]), peer(20)),
            40 => (list(40, &[10, 20, 30]), peer(30)),
            _ => return None,
        };
        let own = crate::ring::Arc::new(before.id, to.id);
        Some(match request {
            Request::Hello(_) => Reply::Hello(MEMBER),
            Request::Find { key, .. } if own.contains(*key) => Reply::Owner,
            Request::Find { confirm: true, .. } => Reply::Before(before),
            Request::Find { .. } => Reply::Covered(successors),
            _ => Reply::Neighbours {
                predecessor: before,
                successors,
            },
        })
    }

    #[test]
    fn it_takes_the_list_of_the_member_before_it() {
        for contact in [10, 20, 30, 40] {
            let mut op = join(25, &[77, contact]);
            let (joined, asked) = drive(|ask| op.poll(ask), &mut ring);
            let expected = Neighbours::given(peer(25), peer(20), &peers(&[30, 40, 10]), 3);
            assert_eq!(
                joined,
                Joined::Member(expected),
                "through {contact}: {asked:?}"
            );
        }
    }

    #[test]
    fn a_contact_that_does_not_fit_is_named_and_the_next_one_asked() {
        let mut op = join(25, &[50, 10]);
        let mut script = |to, request: &Request| {
            if to == peer(50) {
                Some(Reply::Refused(Refusal::Cluster))
            } else {
                ring(to, request)
            }
        };
        let (refused, _) = drive(|ask| op.poll(ask), &mut script);
        assert_eq!(refused, Joined::Refused(peer(50), Refusal::Cluster));
        assert!(matches!(
            drive(|ask| op.poll(ask), &mut script).0,
            Joined::Member(_)
        ));
    }

    #[test]
    fn nobody_there_means_later_and_never_a_ring_of_ones_own() {
        let mut op = join(25, &[10, 20]);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let (joined, _) = drive(|ask| op.poll(ask), &mut |_, _| None);
            let Joined::Later(pause) = joined else {
                panic!("{joined:?}")
            };
            pauses.push(pause.as_millis());
            op.start_again();
        }
        assert_eq!(
            pauses,
            [
                500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 30000
            ]
        );
    }

    #[test]
    fn of_several_outside_the_lowest_founds_after_a_while() {
        let outside = |_: Peer, _: &Request| Some(Reply::Hello(HELLO));
        let mut lowest = join(5, &[10, 20]);
        let mut other = join(15, &[10, 20]);
        let mut rounds = 0;
        while drive(|ask| lowest.poll(ask), &mut { outside }).0 != Joined::Found {
            lowest.start_again();
            rounds += 1;
        }
        // 0.5 + 1 + 2 + 4 + 8 + 16 + 30 s of pauses are the first sum past a minute.
        assert_eq!(rounds, 7);
        for _ in 0..3 * rounds {
            let (joined, _) = drive(|ask| other.poll(ask), &mut { outside });
            assert!(matches!(joined, Joined::Later(_)), "{joined:?}");
            other.start_again();
        }
    }

    #[test]
    fn somebody_who_joined_in_between_is_asked_instead() {
        // 20 has taken 22 in since the look-up; 22 brackets 25.
        let mut op = join(25, &[10]);
        let (joined, _) = drive(|ask| op.poll(ask), &mut |to, request| match request {
            Request::Neighbours if to == peer(20) => Some(Reply::Neighbours {
                predecessor: peer(10),
                successors: list(20, &[22, 30, 40]),
            }),
            Request::Neighbours if to == peer(22) => Some(Reply::Neighbours {
                predecessor: peer(20),
                successors: list(22, &[30, 40, 10]),
            }),
            _ => ring(to, request),
        });
        let expected = Neighbours::given(peer(25), peer(22), &peers(&[30, 40, 10]), 3);
        assert_eq!(joined, Joined::Member(expected));
    }

    proptest! {
        #[test]
        fn it_ends_whatever_others_say(
            replies in prop::collection::vec((0u8..9, any::<Vec<u8>>(), any::<u8>()), 1..60),
            contacts in prop::collection::vec(any::<u8>(), 0..40), me: u8,
        ) {
            let mut op = join(me, &contacts);
            let mut next = 0;
            let (joined, asked) = drive(|ask| op.poll(ask), &mut |to, request| {
                let (kind, places, place) = &replies[next % replies.len()];
                next += 1;
                if *kind == 0 { return None }
                let successors =
                    SuccessorList::following(to.id, peer(*place), &peers(places), 9);
                Some(match (kind, request) {
                    (1, _) => Reply::NotMember,
                    (2, Request::Hello(_)) => Reply::Hello(HELLO),
                    (3, Request::Hello(_)) => Reply::Refused(Refusal::Successors),
                    (_, Request::Hello(_)) => Reply::Hello(MEMBER),
                    (4, Request::Find { .. }) => Reply::Owner,
                    (_, Request::Find { confirm: true, .. }) => Reply::Before(peer(*place)),
                    (5, Request::Find { .. }) => Reply::Covered(successors),
                    (_, Request::Find { .. }) => Reply::Closer(peers(places)),
                    _ => Reply::Neighbours { predecessor: peer(*place), successors },
                })
            });
            prop_assert!(asked.iter().all(|(to, _)| *to != peer(me)), "it asked itself");
            if let Joined::Member(neighbours) = joined {
                prop_assert!(!neighbours.successors().is_empty());
            }
        }
    }
}
