//! The way into a ring.

use crate::chord::Node;
use std::task::{Poll, ready};
use std::time::Duration;

use super::{Lookup, Oneself};
use crate::chord::ask::{Ask, AskOutcome, Question};
use crate::chord::config::Config;
use crate::chord::limits;
use crate::chord::message::{Hello, Reply, Request};
use crate::chord::variant::{Variant, Variation};
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

    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Joined> {
        loop {
            let joined = match self.stage {
                Stage::Greeting { .. } => ready!(self.poll_greeting(ask)),
                Stage::Finding { .. } => ready!(self.poll_finding(ask)),
                Stage::AskingOwner { .. } => ready!(self.poll_owner(ask)),
                Stage::AskingMember { .. } => ready!(self.poll_member(ask)),
                Stage::Waiting => Some(Joined::Later(self.pause)),
            };
            if let Some(joined) = joined {
                return Poll::Ready(joined);
            }
        }
    }

    // Each stage, when it is over, has put the next one in its place, or says how the attempt ends.

    fn poll_greeting<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Option<Joined>> {
        let Stage::Greeting { next, question } = &mut self.stage else {
            return Poll::Ready(None);
        };
        let Some(greeting) = question else {
            let Some(&contact) = self.contacts.get(*next) else {
                return Poll::Ready(Some(self.nobody_helped(ask.variation())));
            };
            *question = Some(Question::new(contact, self.attempts));
            *next += 1;
            return Poll::Ready(None);
        };
        let (to, hello) = (greeting.to, self.hello);
        let answer = ready!(greeting.poll(ask, || Request::Hello(hello)));
        *question = None;
        let refusal = self.greeted(to, answer);
        Poll::Ready(refusal.map(|refusal| Joined::Refused(to, refusal)))
    }

    fn poll_finding<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Option<Joined>> {
        let Stage::Finding { through, lookup } = &mut self.stage else {
            return Poll::Ready(None);
        };
        let through = *through;
        let outcome = ready!(lookup.poll(ask));
        match outcome.result {
            Ok(found) => {
                self.stage = Stage::AskingOwner {
                    through,
                    before: outcome.predecessor,
                    question: Question::new(found.owner, self.attempts),
                };
            }
            Err(_) => self.next_contact(through),
        }
        Poll::Ready(None)
    }

    fn poll_owner<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Option<Joined>> {
        let Stage::AskingOwner {
            through,
            before,
            question,
        } = &mut self.stage
        else {
            return Poll::Ready(None);
        };
        let (through, before) = (*through, *before);
        match ready!(question.poll(ask, || Request::Neighbours)) {
            AskOutcome::Reply(Reply::Neighbours { predecessor, .. }) => {
                self.stage = self.asking_member(through, predecessor, before);
            }
            _ => self.try_again(through),
        }
        Poll::Ready(None)
    }

    fn poll_member<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Option<Joined>> {
        let Stage::AskingMember {
            through,
            before,
            question,
        } = &mut self.stage
        else {
            return Poll::Ready(None);
        };
        let (through, member, before) = (*through, question.to, *before);
        match ready!(question.poll(ask, || Request::Neighbours)) {
            AskOutcome::Reply(Reply::Neighbours { successors, .. }) => {
                let room = self.hello.successors;
                let joined = if ask.is_variant(Variant::JoinUnbracketed) {
                    Some(Neighbours::given(self.me, member, &successors, room))
                } else if ask.is_variant(Variant::JoinTakesHeadOnly) {
                    let joined = Neighbours::join(self.me, member, &successors, room);
                    let head = |all: &Neighbours| {
                        let head = &all.successors()[..1];
                        Neighbours::given(self.me, member, head, room)
                    };
                    joined.as_ref().map(head)
                } else {
                    Neighbours::join(self.me, member, &successors, room)
                };
                if let Some(neighbours) = joined {
                    self.stage = Stage::Waiting;
                    return Poll::Ready(Some(Joined::Member(neighbours)));
                }
                self.member_moved_on(through, member, &successors);
            }
            // The owner has not noticed its death; the look-up knew another.
            _ => match before.filter(|&before| before != member) {
                Some(before) => self.stage = self.asking_member(through, before, None),
                None => self.try_again(through),
            },
        }
        Poll::Ready(None)
    }

    fn greeted(&mut self, contact: Peer, answer: AskOutcome) -> Option<Refusal> {
        match answer {
            AskOutcome::Reply(Reply::Hello(theirs)) => match self.hello.accepts(&theirs) {
                Err(refusal) => return Some(refusal),
                Ok(()) if theirs.member => self.find_place(contact),
                Ok(()) => self.outside.push(contact),
            },
            AskOutcome::Reply(Reply::Refused(refusal)) => return Some(refusal),
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

    fn nobody_helped(&mut self, variation: Variation) -> Joined {
        self.stage = Stage::Waiting;
        // Somebody else must be there: who reaches nobody may only be cut off.
        let lowest = self.outside.iter().map(|peer| peer.id).min();
        let anybody = variation.is(Variant::AnybodyFounds);
        let is_first = lowest.is_some_and(|lowest| self.me.id < lowest || anybody);
        let at_once = variation.is(Variant::FoundsAtOnce);
        if is_first && (self.waited >= self.found_after || at_once) {
            Joined::Found
        } else {
            Joined::Later(self.pause)
        }
    }
}

#[cfg(test)]
mod tests;
