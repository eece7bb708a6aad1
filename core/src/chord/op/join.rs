//! The way into a ring.

use crate::chord::Node;
use std::task::{Poll, ready};
use std::time::Duration;

use super::{Contacts, Lookup, Oneself};
use crate::chord::Event;
use crate::chord::ask::{Ask, AskOutcome, Question};
use crate::chord::config::Config;
use crate::chord::limits;
use crate::chord::message::{Hello, Reply, Request};
use crate::chord::variant::{Variant, Variation};
use crate::marks::{Mark, reached};
use crate::protocol::Network;
use crate::protocol::Refusal;
use crate::ring::{Neighbours, Peer, SuccessorList};

/// **Join** (TSE 2017, section IV), from a list of contacts.
///
/// 1. Say hello to the contacts, a few side by side, until one is a member that fits. One that is
///    on its way in itself names its own contacts: they are asked as well, so that all that reach
///    each other soon know the same ones.
/// 2. Look up one's own place through it: who owns it now?
/// 3. Ask the owner who is before it. It knows better than those before: newcomers notify their
///    successors first. Nobody asks it where one's own earlier life is still named, which it would
///    name as well.
/// 4. Ask that one for its neighbours. If one lies between it and its successor, its list
///    becomes one's own, and one is a member. If it has heard of somebody nearer meanwhile, ask
///    that one; after a few tries start again.
/// 5. When no contact helps, wait and start again. When nobody has been a member for `found_after`,
///    found a ring, if one's own id is the lowest of all that answer and are on their way in; the
///    others wait for that one, and much longer for each that is before them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Join {
    me: Peer,
    hello: Hello,
    attempts: u8,
    contacts: Contacts,
    stage: Stage,
    tries: u8,
    /// Contacts that answered in this round, and were on their way in themselves.
    outside: Vec<Peer>,
    /// Somebody answered in this round, be it by refusing.
    answered: bool,
    /// Only who has come since the round ended was asked: others may have become members meanwhile.
    woken: bool,
    /// The latest of the times at which they noted last that they were running.
    running: u64,
    /// The pause after this round, doubled from round to round.
    pause: Duration,
    pause_max: Duration,
    /// The sum of all pauses so far.
    waited: Duration,
    /// For how long it waited for answers besides, in rounds in which nobody gave one.
    unanswered: Duration,
    /// Whom it asked in this round.
    greeted: u32,
    found_after: Duration,
    /// It was a member, until all its successors fell silent or it was stopped.
    pub(in crate::chord) was_member: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Greeting(Vec<Question>),
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
    /// Nobody is a member: be the first. Those that are waiting noted last at this time that they
    /// were running, in milliseconds since 1970.
    Found(u64),
    /// Nobody answers for long, and it was a member: go on alone.
    Alone,
    /// Nobody helped; start again after about this time.
    Later(Duration),
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
            contacts: Contacts::default(),
            stage: Stage::Greeting(Vec::new()),
            tries: 0,
            outside: Vec::new(),
            answered: false,
            woken: false,
            running: 0,
            pause: config.request_timeout,
            pause_max: config.stabilize_every.max(config.request_timeout),
            waited: Duration::ZERO,
            unanswered: Duration::ZERO,
            greeted: 0,
            found_after: config.found_after,
            was_member: false,
        };
        join.add_contacts(contacts);
        join
    }

    /// It was a member. Should nobody answer, it goes on alone: as a part of a ring that is cut off
    /// does, however small. Who is refused is not alone.
    pub(in crate::chord) const fn of_member(mut self) -> Join {
        self.was_member = true;
        self
    }

    pub(in crate::chord) fn add_contacts(&mut self, contacts: impl IntoIterator<Item = Peer>) {
        self.contacts.give(self.me.id, contacts);
    }

    /// These were met, or may be there: they are asked, too.
    pub(in crate::chord) fn meet(&mut self, peers: impl IntoIterator<Item = Peer>) {
        for peer in peers {
            self.contacts.meet(self.me.id, peer);
        }
    }

    /// All whom it asks, those that it was told to ask first.
    pub(in crate::chord) fn contacts(&self) -> impl Iterator<Item = Peer> + '_ {
        self.contacts.all()
    }

    /// Asks who has come since the round ended, and does not wait for the next. Says whether there is
    /// anybody.
    pub(in crate::chord) fn wake(&mut self) -> bool {
        let wakes = matches!(self.stage, Stage::Waiting) && self.contacts.is_one_new();
        if wakes {
            self.woken = true;
            self.stage = Stage::Greeting(Vec::new());
        }
        wakes
    }

    /// Begins a new round after the pause.
    pub(in crate::chord) fn start_again(&mut self) {
        if matches!(self.stage, Stage::Waiting) {
            self.waited += self.pause;
            self.pause = (self.pause * 2).min(self.pause_max);
            self.outside.clear();
            self.answered = false;
            self.woken = false;
            self.greeted = 0;
            self.contacts.start_again();
            self.tries = 0;
            self.stage = Stage::Greeting(Vec::new());
        }
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Joined> {
        loop {
            let joined = match self.stage {
                Stage::Greeting(_) => ready!(self.poll_greeting(ask)),
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
        let Stage::Greeting(questions) = &mut self.stage else {
            return Poll::Ready(None);
        };
        let hello = self.hello;
        let mut answers = Vec::new();
        questions.retain_mut(|question| {
            match question.poll(ask, || Request::Hello(hello)) {
                Poll::Ready(answer) => answers.push((question.to, answer)),
                Poll::Pending => return true,
            }
            false
        });
        for (to, answer) in answers {
            if let Err(refusal) = self.greeted(to, answer, ask) {
                reached(Mark::JoinRefused);
                ask.net().emit(Event::Refused(to, refusal));
            }
        }
        let Stage::Greeting(questions) = &mut self.stage else {
            return Poll::Ready(None);
        };
        let free = limits::GREETINGS.saturating_sub(questions.len());
        let next = std::iter::from_fn(|| self.contacts.next()).take(free);
        for contact in next {
            let mut question = Question::new(contact, self.attempts);
            // It is asked now, and answers later.
            let _ = question.poll(ask, || Request::Hello(hello));
            questions.push(question);
            self.greeted += 1;
        }
        if questions.is_empty() {
            self.count_silence(ask.timeout());
            return Poll::Ready(Some(self.nobody_helped(ask.variation())));
        }
        Poll::Pending
    }

    fn poll_finding<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Option<Joined>> {
        let Stage::Finding { through, lookup } = &mut self.stage else {
            return Poll::Ready(None);
        };
        let through = *through;
        let outcome = ready!(lookup.poll(ask));
        match outcome.result {
            Ok(found) => {
                let before = outcome.predecessor;
                self.stage = match before.filter(|_| outcome.named_oneself) {
                    // The owner would name it, too; whoever named it is asked without delay.
                    Some(before) => self.asking_member(through, before, None),
                    None => Stage::AskingOwner {
                        through,
                        before,
                        question: Question::new(found.owner, self.attempts),
                    },
                };
            }
            Err(_) => self.next_contact(),
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

    fn greeted<N: Network<Node>>(
        &mut self,
        contact: Peer,
        answer: AskOutcome,
        ask: &mut Ask<'_, N>,
    ) -> Result<(), Refusal> {
        let answered = matches!(answer, AskOutcome::Reply(_));
        self.contacts.heard(contact, answered);
        self.answered |= answered;
        let (theirs, named) = match answer {
            AskOutcome::Reply(Reply::Hello(theirs)) => (theirs, None),
            AskOutcome::Reply(Reply::Joining {
                hello,
                running,
                contacts,
            }) => (hello, Some((running, contacts))),
            AskOutcome::Reply(Reply::Refused(refusal)) => return Err(refusal),
            _ => return Ok(()),
        };
        self.hello.accepts(&theirs)?;
        match named {
            Some((running, named)) => {
                self.outside.push(contact);
                self.running = self.running.max(running);
                self.meet(named);
            }
            None if theirs.member => {
                self.stop_greeting(ask);
                self.find_place(contact);
            }
            // It neither is a member nor means to become one.
            None => {}
        }
        Ok(())
    }

    /// The other answers are not waited for; if this way leads nowhere, they are asked again.
    fn stop_greeting<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) {
        if let Stage::Greeting(questions) = &mut self.stage {
            for question in questions.drain(..) {
                question.give_up(ask);
                self.contacts.unasked(question.to);
            }
        }
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
            self.next_contact();
        }
    }

    fn next_contact(&mut self) {
        self.tries = 0;
        self.stage = Stage::Greeting(Vec::new());
    }

    /// The round is over. Where nobody answered it took as long as all those silences, of which so
    /// many at a time go by side by side.
    fn count_silence(&mut self, timeout: Duration) {
        if !self.answered {
            let turns = self.greeted.div_ceil(limits::GREETINGS as u32);
            self.unanswered += timeout * u32::from(self.attempts) * turns;
        }
        self.greeted = 0;
    }

    fn nobody_helped(&mut self, variation: Variation) -> Joined {
        self.stage = Stage::Waiting;
        let me = self.me.id;
        let before = self.outside.iter().filter(|peer| peer.id < me).count();
        let before = match variation.is(Variant::AnybodyFounds) {
            true => 0,
            false => u32::try_from(before).unwrap_or(u32::MAX),
        };
        // Who is before may be heard without hearing anybody.
        let patience = self
            .found_after
            .saturating_mul(1 + before.saturating_mul(PATIENCE));
        let at_once = before == 0 && variation.is(Variant::FoundsAtOnce);
        // Somebody else must be there: who reaches nobody may only be cut off.
        if !self.outside.is_empty() && !self.woken && (self.waited >= patience || at_once) {
            Joined::Found(self.running)
        } else if self.was_member
            && !self.answered
            && self.waited + self.unanswered >= self.found_after.saturating_mul(limits::ALONE_AFTER)
        {
            Joined::Alone
        } else {
            Joined::Later(self.pause)
        }
    }
}

/// How many times `found_after` a node waits longer for each that should found before it.
const PATIENCE: u32 = 4;

#[cfg(test)]
mod tests;
