//! Who owns a key?

use crate::chord::Node;
use std::task::{Poll, ready};

use crate::chord::ask::{Ask, AskOutcome, Question};
use crate::chord::limits;
use crate::chord::message::{Reply, Request};
use crate::chord::variant::Variant;
use crate::protocol::LookupError;
use crate::protocol::{Network, OwnerFound};
use crate::ring::{Id, KeyRange, Peer};

/// An iterative look-up with backtracking (SIGCOMM 2001, section 4, made safe against stale
/// tables).
///
/// 1. Ask the nearest known node before the key. It names nearer ones, or says that the key
///    lies within its successor list. Silence: ask the next nearest, and so back.
/// 2. Ask the first successor at or after the key whether the key is its own. It says yes, or
///    names its predecessor as nearer. Silence: ask the next successor.
/// 3. Go back from predecessor to predecessor while they say so; the last one that answers is
///    the owner. One that was silent before is asked again first, more patiently, because its
///    silence now decides who owns the key.
///
/// Nobody that answered is asked again, and all tables are bounded, so it ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Lookup {
    key: Id,
    me: Id,
    oneself: Oneself,
    /// Silences that make a neighbour dead; a contested owner has one more, since its successor
    /// vouches for it.
    attempts: u8,
    stage: Stage,
    /// Not yet asked, before the key; the nearest to it last.
    routes: Vec<Peer>,
    /// Not yet asked, at or after the key; the nearest to it last.
    owners: Vec<Peer>,
    /// Who answered, but is not the owner if its predecessor lives.
    claim: Option<Peer>,
    /// The last node known before the key.
    predecessor: Option<Peer>,
    asked: Vec<Asked>,
    steps_back: u8,
    hops: u32,
    hops_to_predecessor: u32,
    timeouts: u32,
    /// An earlier life of the asker was named as the owner.
    named_oneself: bool,
}

/// How the asker itself counts when others name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) enum Oneself {
    /// It is a member, and this is its predecessor.
    Before(Peer),
    /// It is no member: what others name is an earlier incarnation.
    Silent,
    /// To be named is what is looked for: it means that the way led back home.
    Owner,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Choosing,
    Routing(Question),
    Confirming(Question),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Asked {
    id: Id,
    silence: Silence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Silence {
    No,
    Once,
    Final,
}

/// What a look-up ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chord) struct Outcome {
    pub(in crate::chord) result: Result<OwnerFound, LookupError>,
    /// The last node known before the key, if the look-up learned of one.
    pub(in crate::chord) predecessor: Option<Peer>,
    /// Whether others still take an earlier life of the asker for the owner.
    pub(in crate::chord) named_oneself: bool,
    /// How many nodes were silent.
    pub(in crate::chord) timeouts: u32,
    /// Who they are.
    pub(in crate::chord) silent: Vec<Id>,
}

impl Lookup {
    /// A look-up that knows nobody yet.
    pub(in crate::chord) const fn new(key: Id, me: Id, oneself: Oneself, attempts: u8) -> Lookup {
        Lookup {
            key,
            me,
            oneself,
            attempts,
            stage: Stage::Choosing,
            routes: Vec::new(),
            owners: Vec::new(),
            claim: None,
            predecessor: None,
            asked: Vec::new(),
            steps_back: 0,
            hops: 0,
            hops_to_predecessor: 0,
            timeouts: 0,
            named_oneself: false,
        }
    }

    /// Adds nodes to start from, wherever they lie.
    pub(in crate::chord) fn through(mut self, routes: impl IntoIterator<Item = Peer>) -> Lookup {
        let routes = routes.into_iter();
        // How many there are is not known before they are looked at, but how many at most.
        let (least, most) = routes.size_hint();
        let room = most.unwrap_or(least).min(limits::LOOKUP_CANDIDATES);
        self.routes.reserve(room);
        for peer in routes {
            self.add_route(peer);
        }
        self
    }

    /// Starts with the question whether `owner` owns the key.
    pub(in crate::chord) fn suspecting(mut self, owner: Peer) -> Lookup {
        self.owners.push(owner);
        self
    }

    /// Starts with what a node's own successor list says: the key lies within it.
    pub(in crate::chord) fn covered(mut self, by: Peer, successors: &[Peer]) -> Lookup {
        self.cover(by, successors);
        self
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Outcome> {
        loop {
            let key = self.key;
            match &mut self.stage {
                Stage::Choosing => {
                    if let Some(&owner) = self.owners.last()
                        && ask.is_variant(Variant::OwnerUnconfirmed)
                    {
                        return Poll::Ready(self.found(owner));
                    }
                    if let Some(outcome) = self.choose() {
                        return Poll::Ready(outcome);
                    }
                }
                Stage::Routing(question) => {
                    let to = question.to;
                    let find = || Request::Find {
                        key,
                        confirm: false,
                    };
                    let answer = ready!(question.poll(ask, find));
                    if answer == AskOutcome::Silence && ask.is_variant(Variant::NoBacktracking) {
                        return Poll::Ready(self.outcome(Err(LookupError::NoRoute)));
                    }
                    self.stage = Stage::Choosing;
                    if let Some(outcome) = self.routed(to, answer) {
                        return Poll::Ready(outcome);
                    }
                    if self.hops == 1 && ask.is_variant(Variant::AsksTwice) {
                        self.stage = Stage::Routing(Question::new(to, 1));
                    }
                }
                Stage::Confirming(question) => {
                    let to = question.to;
                    let find = || Request::Find { key, confirm: true };
                    let answer = match ready!(question.poll(ask, find)) {
                        AskOutcome::Reply(Reply::Before(before))
                            if before.id == key
                                && ask.is_variant(Variant::StepBackRefusedAtKey) =>
                        {
                            AskOutcome::Reply(Reply::Owner)
                        }
                        answer => answer,
                    };
                    self.stage = Stage::Choosing;
                    if let Some(outcome) = self.confirmed(to, answer) {
                        return Poll::Ready(outcome);
                    }
                }
            }
        }
    }

    /// Decides whom to ask next, or that the look-up is over.
    fn choose(&mut self) -> Option<Outcome> {
        if let Some(owner) = self.owners.pop() {
            return self.ask_owner(owner);
        }
        if let Some(claim) = self.claim {
            return Some(self.found(claim));
        }
        if self.asked.len() >= limits::LOOKUP_ASKS {
            return Some(self.outcome(Err(LookupError::TooManyAsks)));
        }
        let Some(route) = self.routes.pop() else {
            return Some(self.outcome(Err(LookupError::NoRoute)));
        };
        if route.id != self.me && self.silence(route.id).is_none() {
            self.stage = Stage::Routing(Question::new(route, 1));
        }
        None
    }

    fn ask_owner(&mut self, owner: Peer) -> Option<Outcome> {
        if owner.id == self.me {
            return match self.oneself {
                Oneself::Before(predecessor) => self.step_back(owner, predecessor),
                Oneself::Silent => {
                    self.named_oneself = true;
                    None
                }
                Oneself::Owner => Some(self.found(owner)),
            };
        }
        match self.silence(owner.id) {
            None if self.asked.len() >= limits::LOOKUP_ASKS => {
                Some(self.outcome(Err(LookupError::TooManyAsks)))
            }
            None => {
                self.stage = Stage::Confirming(Question::new(owner, 1));
                None
            }
            // Contested: its successor believes it alive.
            Some(Silence::Once) if self.claim.is_some() => {
                let attempts = self.attempts.saturating_add(1);
                self.stage = Stage::Confirming(Question::new(owner, attempts));
                None
            }
            Some(_) => None,
        }
    }

    fn routed(&mut self, from: Peer, answer: AskOutcome) -> Option<Outcome> {
        match answer {
            AskOutcome::Reply(Reply::Owner) => {
                self.answered(from);
                // Asked as one before the key, it turned out to be the owner itself.
                self.hops_to_predecessor = self.hops - 1;
                return Some(self.found(from));
            }
            AskOutcome::Reply(Reply::Covered(successors)) => {
                self.answered(from);
                self.cover(from, &successors);
            }
            AskOutcome::Reply(Reply::Closer(peers)) => {
                self.answered(from);
                for peer in peers.into_iter().take(limits::LOOKUP_CANDIDATES) {
                    // What is no nearer than the node that names it can't be progress.
                    if peer.id.is_between(from.id, self.key) {
                        self.add_route(peer);
                    }
                }
            }
            _ => self.silent(from),
        }
        None
    }

    fn confirmed(&mut self, from: Peer, answer: AskOutcome) -> Option<Outcome> {
        match answer {
            AskOutcome::Reply(Reply::Owner) => {
                self.answered(from);
                Some(self.found(from))
            }
            AskOutcome::Reply(Reply::Before(predecessor)) => {
                self.answered(from);
                self.step_back(from, predecessor)
            }
            _ => {
                self.silent(from);
                None
            }
        }
    }

    /// `from` says that the key is its predecessor's, or of somebody before that.
    fn step_back(&mut self, from: Peer, predecessor: Peer) -> Option<Outcome> {
        let nearer =
            KeyRange::new(self.key, from.id).contains(predecessor.id) || predecessor.id == self.key;
        match self.silence(predecessor.id) {
            Some(Silence::No | Silence::Final) => return Some(self.found(from)),
            _ if !nearer || predecessor.id == from.id => return Some(self.found(from)),
            _ => {}
        }
        self.owners.clear();
        self.steps_back += 1;
        if self.steps_back <= limits::STEPS_BACK || self.routes.is_empty() {
            self.claim = Some(from);
            self.owners.push(predecessor);
        } else {
            // Far off: many have joined since. The way from before the key is shorter.
            self.steps_back = 0;
            self.claim = None;
        }
        None
    }

    /// The key lies within the successor list of `by`.
    fn cover(&mut self, by: Peer, successors: &[Peer]) {
        let before =
            successors.partition_point(|peer| !KeyRange::new(by.id, peer.id).contains(self.key));
        self.hops_to_predecessor = self.hops + u32::from(before > 0);
        self.predecessor = Some(*successors[..before].last().unwrap_or(&by));
        // Should all owners be silent, these know farther ones.
        for peer in &successors[..before] {
            self.add_route(*peer);
        }
        self.owners = successors[before..].iter().rev().copied().collect();
    }

    fn add_route(&mut self, peer: Peer) {
        let distance = |peer: &Peer| peer.id.distance_to(self.key);
        let far = distance(&peer);
        // They are named in order, as a rule, the nearest first: then each comes before all others.
        let at = match self.routes.first() {
            Some(farthest) if distance(farthest) > far => {
                self.routes.partition_point(|other| distance(other) > far)
            }
            _ => 0,
        };
        if self.routes.get(at).is_none_or(|other| other.id != peer.id) {
            self.routes.insert(at, peer);
        }
        if self.routes.len() > limits::LOOKUP_CANDIDATES {
            self.routes.remove(0);
        }
    }

    fn silence(&self, id: Id) -> Option<Silence> {
        self.asked
            .iter()
            .find(|asked| asked.id == id)
            .map(|asked| asked.silence)
    }

    fn answered(&mut self, peer: Peer) {
        self.hops += 1;
        self.note(peer, Silence::No);
    }

    fn silent(&mut self, peer: Peer) {
        match self.silence(peer.id) {
            None => {
                self.timeouts += 1;
                self.note(peer, Silence::Once);
            }
            Some(_) => self.note(peer, Silence::Final),
        }
    }

    fn note(&mut self, peer: Peer, silence: Silence) {
        match self.asked.iter_mut().find(|asked| asked.id == peer.id) {
            Some(asked) => asked.silence = silence,
            None => self.asked.push(Asked {
                id: peer.id,
                silence,
            }),
        }
    }

    fn found(&self, owner: Peer) -> Outcome {
        let (hops, hops_to_predecessor) = (self.hops, self.hops_to_predecessor);
        self.outcome(Ok(OwnerFound {
            owner,
            hops,
            hops_to_predecessor,
        }))
    }

    fn outcome(&self, result: Result<OwnerFound, LookupError>) -> Outcome {
        let silent = |asked: &&Asked| asked.silence != Silence::No;
        Outcome {
            result,
            predecessor: self.predecessor,
            named_oneself: self.named_oneself,
            timeouts: self.timeouts,
            silent: self
                .asked
                .iter()
                .filter(silent)
                .map(|asked| asked.id)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
