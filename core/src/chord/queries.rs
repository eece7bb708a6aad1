//! What a node looks up: for clients, for its finger table, and to make two rings one.
//!
//! Nothing here writes the neighbours. What a query finds out about the ring is handed to
//! maintenance, which contacts the peer before it believes anything.

use std::task::Poll;

use super::ask::{AskOutcome, Question, Settled};
use super::message::{Message, Reply, Request};
use super::op::{Lookup, Oneself, Outcome};
use super::open_requests::Waiter;
use super::records::{ClientAccess, Input};
use super::slots::Slots;
use super::variant::Variant;
use super::{Node, limits};
use crate::chord::Event;
use crate::protocol::LookupError;
use crate::protocol::{Network, OwnerFound};
use crate::ring::{BITS, Id, Peer};

/// The queries under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Queries {
    open: Slots<Query>,
    /// The exponent of the finger to refresh next.
    next_finger: u8,
    /// The table is being filled for the first time: don't wait between two fingers.
    filling: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Query {
    Lookup(QueryPurpose, Box<Lookup>),
    Probe(Question),
}

/// What a look-up is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum QueryPurpose {
    Client {
        token: u64,
        traced: bool,
    },
    /// A client's reading or write.
    Access(ClientAccess),
    /// Records that this node should not hold.
    Misplaced {
        first: Id,
    },
    Finger {
        exponent: u8,
    },
    /// Reunion: who comes after this node, in the ring of that peer?
    Home {
        through: Peer,
    },
    /// Reunion: who comes before the displaced successor, in the ring of the new one?
    HandOn {
        displaced: Peer,
    },
}

impl Queries {
    /// See [`Protocol::prefetch_tables`](crate::protocol::Protocol::prefetch_tables).
    pub(super) fn prefetch(&self) -> u64 {
        let first = self.open.get(0);
        first.map_or(0, |query| u64::from(matches!(query, Query::Probe(_))))
    }

    fn clients(&self) -> impl Iterator<Item = u64> + '_ {
        self.open.iter().filter_map(|(_, query)| match query {
            Query::Lookup(QueryPurpose::Client { token, .. }, _) => Some(*token),
            _ => None,
        })
    }

    /// How many look-ups its clients have made necessary.
    fn of_clients(&self) -> usize {
        let of_clients = |(_, query): &(u16, &Query)| {
            matches!(
                query,
                Query::Lookup(QueryPurpose::Client { .. } | QueryPurpose::Access(_), _)
            )
        };
        self.open.iter().filter(of_clients).count()
    }

    pub(super) fn has_clients(&self) -> bool {
        self.clients().next().is_some()
    }

    fn has_room(&self) -> bool {
        self.open.len() - self.of_clients() < limits::QUERIES
    }

    fn is_fixing(&self) -> bool {
        let fixing = |query: &Query| matches!(query, Query::Lookup(QueryPurpose::Finger { .. }, _));
        self.open.iter().any(|(_, query)| fixing(query))
    }
}

impl Node {
    pub(super) fn look_up(
        &mut self,
        token: u64,
        key: Id,
        traced: bool,
        net: &mut impl Network<Node>,
    ) {
        let refused = if !self.is_member() {
            Some(LookupError::NotMember)
        } else if self.queries.clients().count() >= limits::LOOKUPS {
            Some(LookupError::TooManyLookups)
        } else {
            None
        };
        match refused {
            Some(error) => net.emit(Event::Lookup {
                token,
                result: Err(error),
                timeouts: 0,
            }),
            None => self.start_lookup(QueryPurpose::Client { token, traced }, key, None, net),
        }
    }

    /// Looks up who owns the key of a client's reading or write.
    pub(super) fn seek_owner(
        &mut self,
        access: ClientAccess,
        key: Id,
        net: &mut impl Network<Node>,
    ) {
        self.start_lookup(QueryPurpose::Access(access), key, None, net);
    }

    /// Looks up who owns a record that this node should not hold, or will not.
    pub(super) fn seek_misplaced(&mut self, key: Id, net: &mut impl Network<Node>) {
        if self.is_member() {
            return self.start_lookup(QueryPurpose::Misplaced { first: key }, key, None, net);
        }
        // It has left: what others may still say of it is history.
        let (me, attempts) = (self.me().id, self.config.attempts);
        // The successor knows best; but it may leave itself, and then nobody says who comes next.
        let mut known: Vec<Peer> = self.neighbours.successors().to_vec();
        known.insert(known.len().min(1), self.neighbours.predecessor());
        let lookup = Lookup::new(key, me, Oneself::Silent, attempts).through(known);
        let purpose = QueryPurpose::Misplaced { first: key };
        self.start_query(Query::Lookup(purpose, Box::new(lookup)), net);
    }

    /// Looks up with what this node knows, and first asks the one it takes for the owner.
    fn start_lookup(
        &mut self,
        purpose: QueryPurpose,
        key: Id,
        suspect: Option<Peer>,
        net: &mut impl Network<Node>,
    ) {
        let me = self.me();
        let oneself = Oneself::Before(self.neighbours.predecessor());
        let lookup = Lookup::new(key, me.id, oneself, self.config.attempts);
        if self.neighbours.own().contains(key) {
            let found = OwnerFound {
                owner: me,
                hops: 0,
                hops_to_predecessor: 0,
            };
            let outcome = Outcome {
                result: Ok(found),
                predecessor: None,
                named_oneself: false,
                timeouts: 0,
                silent: Vec::new(),
            };
            return self.found_out(purpose, outcome, net);
        }
        let lookup = if let Some(suspect) = suspect {
            lookup
                .through(self.routes(key).take(limits::CLOSER))
                .suspecting(suspect)
        } else if self.covers(key) {
            lookup.covered(me, self.neighbours.successors())
        } else {
            lookup.through(self.routes(key).take(limits::LOOKUP_CANDIDATES / 2))
        };
        self.start_query(Query::Lookup(purpose, Box::new(lookup)), net);
    }

    fn start_query(&mut self, query: Query, net: &mut impl Network<Node>) {
        let at = self.queries.open.put(query);
        self.poll_query(at, None, net);
    }

    /// Polls the query in this place.
    pub(super) fn poll_query(
        &mut self,
        at: u16,
        settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        let hello = self.hello_for(at);
        let waiter = Waiter::Query(at);
        let mut ask = self.requests.ask(net, &self.config, waiter, settled);
        match self.queries.open.get_mut(at) {
            Some(Query::Lookup(purpose, lookup)) => {
                let purpose = *purpose;
                if let QueryPurpose::Client {
                    token,
                    traced: true,
                } = purpose
                {
                    ask = ask.traced(token);
                }
                if let Poll::Ready(outcome) = lookup.poll(&mut ask) {
                    self.queries.open.take(at);
                    self.found_out(purpose, outcome, net);
                    self.leave_when_idle(net);
                }
            }
            Some(Query::Probe(question)) => {
                let peer = question.to;
                let request = || hello.clone().expect("made for every probe");
                if let Poll::Ready(answer) = question.poll(&mut ask, request) {
                    self.queries.open.take(at);
                    self.probed(peer, answer, net);
                }
            }
            None => {}
        }
    }

    fn hello_for(&self, at: u16) -> Option<Request> {
        let probes = matches!(self.queries.open.get(at), Some(Query::Probe(_)));
        probes.then(|| Request::Hello(self.hello()))
    }

    fn found_out(&mut self, purpose: QueryPurpose, outcome: Outcome, net: &mut impl Network<Node>) {
        match purpose {
            QueryPurpose::Client { token, .. } => {
                let Outcome {
                    result, timeouts, ..
                } = outcome;
                net.emit(Event::Lookup {
                    token,
                    result,
                    timeouts,
                });
            }
            QueryPurpose::Access(access) => {
                self.tell_records(Input::OwnerSought(access, outcome), net);
            }
            QueryPurpose::Misplaced { first } => {
                self.tell_records(Input::MisplacedSought(first, outcome), net);
            }
            QueryPurpose::Finger { exponent } => self.finger_found(exponent, &outcome, net),
            QueryPurpose::Home { through } => {
                let Ok(found) = outcome.result else { return };
                if found.owner.id == self.me().id {
                    // The way through it leads back here: one and the same ring.
                    self.remembered.forget(through.id);
                } else if self.is_member() && !self.config.is_variant(Variant::HomeUnintroduced) {
                    self.introduced(found.owner);
                }
            }
            QueryPurpose::HandOn { displaced } => {
                let (Ok(found), Some(before)) = (outcome.result, outcome.predecessor) else {
                    return;
                };
                if found.owner.id == displaced.id || !self.is_member() {
                    // It is known there: one and the same ring.
                } else if before.id == self.me().id {
                    self.introduced(displaced);
                } else {
                    net.send(before, Message::Introduce(displaced));
                }
            }
        }
    }

    // ---- fingers ----

    /// Fills the table from its first entry on, one look-up after the other.
    pub(super) fn fill_fingers(&mut self, net: &mut impl Network<Node>) {
        self.queries.filling = true;
        self.queries.next_finger = 0;
        self.refresh_finger(net);
    }

    /// The first exponent whose point lies beyond the successor list.
    fn first_finger(&self) -> u8 {
        let last = self.neighbours.successors().last();
        let reach = last.and_then(|last| self.me().id.distance_to(last.id).log2());
        reach.map_or(BITS, |exponent| exponent + 1)
    }

    /// Looks the next finger up. The one known for it is simply asked: as a rule it is still
    /// the first at or after its point, and says so.
    pub(super) fn refresh_finger(&mut self, net: &mut impl Network<Node>) {
        if self.queries.is_fixing() || !self.queries.has_room() {
            return;
        }
        let me = self.me().id;
        let first = self.first_finger();
        if self.queries.next_finger >= BITS {
            self.queries.next_finger = first;
            self.queries.filling = false;
        }
        let exponent = self.queries.next_finger.max(first);
        self.fingers.forget_below(me, first);
        if exponent < BITS {
            let known = self.fingers.get(me, exponent);
            self.start_lookup(
                QueryPurpose::Finger { exponent },
                me.plus_power(exponent),
                known,
                net,
            );
        }
    }

    fn finger_found(&mut self, exponent: u8, outcome: &Outcome, net: &mut impl Network<Node>) {
        let me = self.me().id;
        let owner = outcome.result.map(|found| found.owner);
        for id in &outcome.silent {
            let entry = self
                .fingers
                .entries()
                .iter()
                .find(|entry| entry.peer.id == *id);
            if let Some(entry) = entry
                && owner != Ok(entry.peer)
                && !self.config.is_variant(Variant::DeadFingerKept)
            {
                self.presume_dead(entry.peer, net);
            }
        }
        match owner {
            Ok(owner) => {
                self.queries.next_finger = self.fingers.set(me, exponent, owner);
                if self.queries.filling {
                    self.refresh_unless_done(net);
                }
            }
            Err(_) => {
                self.queries.next_finger = exponent + 1;
                self.queries.filling = false;
            }
        }
    }

    fn refresh_unless_done(&mut self, net: &mut impl Network<Node>) {
        if self.queries.next_finger < BITS {
            self.refresh_finger(net);
        } else {
            self.queries.filling = false;
        }
    }

    // ---- reunion (T. M. Shafaat, A. Ghodsi and S. Haridi, *Dealing with network partitions in
    //      structured overlay networks*, Peer-to-Peer Networking and Applications 2(4), 2009) ----

    /// Asks a few of those presumed dead whether they are back.
    pub(super) fn probe_remembered(&mut self, net: &mut impl Network<Node>) {
        let periods_max = match self.config.is_variant(Variant::ProbesNeverBackOff) {
            true => 1,
            false => self.config.probe_periods_max(),
        };
        for peer in self.remembered.due(periods_max) {
            if self.config.is_variant(Variant::ProbedOnce) {
                self.remembered.forget(peer.id);
            }
            if self.queries.has_room() {
                self.start_query(Query::Probe(Question::new(peer, 1)), net);
            }
        }
    }

    fn probed(&mut self, peer: Peer, answer: AskOutcome, net: &mut impl Network<Node>) {
        let AskOutcome::Reply(reply) = answer else {
            return;
        };
        let accepted = match reply {
            Reply::Hello(theirs) | Reply::Joining { hello: theirs, .. } => {
                self.hello().accepts(&theirs).map(|()| theirs.member)
            }
            Reply::Refused(refusal) => Err(refusal),
            _ => return,
        };
        match accepted {
            Err(refusal) => {
                net.emit(Event::Refused(peer, refusal));
                self.remembered.forget(peer.id);
            }
            Ok(true) => {
                self.remembered.revive(peer.id);
                if self.config.is_variant(Variant::ReunionNotSought) {
                    return;
                }
                let me = self.me().id;
                let home =
                    Lookup::new(me, me, Oneself::Owner, self.config.attempts).through([peer]);
                self.start_query(
                    Query::Lookup(QueryPurpose::Home { through: peer }, Box::new(home)),
                    net,
                );
            }
            // It is joining by itself.
            Ok(false) => {}
        }
    }

    /// `displaced` was the successor until `new` took its place. If the new one's list does not
    /// name it, they may belong to two rings: whoever precedes the displaced one in the new
    /// one's ring should hear of it.
    pub(super) fn hand_on(&mut self, displaced: Peer, new: Peer, net: &mut impl Network<Node>) {
        let known = self.neighbours.successors().contains(&displaced);
        let forgets = self.config.is_variant(Variant::DisplacedForgotten);
        if known || displaced == self.me() || !self.queries.has_room() || forgets {
            return;
        }
        let oneself = Oneself::Before(self.neighbours.predecessor());
        let lookup =
            Lookup::new(displaced.id, self.me().id, oneself, self.config.attempts).through([new]);
        self.start_query(
            Query::Lookup(QueryPurpose::HandOn { displaced }, Box::new(lookup)),
            net,
        );
    }

    /// The node stops: every client hears of it.
    pub(super) fn stop_queries(&mut self, net: &mut impl Network<Node>) {
        for token in self.queries.clients() {
            let result = Err(LookupError::Stopped);
            net.emit(Event::Lookup {
                token,
                result,
                timeouts: 0,
            });
        }
        self.queries = Queries::default();
        self.requests
            .forget(|waiter| matches!(waiter, Waiter::Query(_)));
    }
}
