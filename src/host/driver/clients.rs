//! What clients of the host have asked, and not yet been told.

mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Host;
use crate::host::counters::Counters;
use crate::host::handle::{Call, Make, Returns, Steps};
use crate::host::hex;
use crate::host::hooks::Hooks;
use crate::host::hosted::Hosted;
use crate::host::sockets::Sockets;
use crate::host::status::{Hop, LookupAnswer, Status};
use crate::host::timers::Due;
use cuerda_core::protocol::{Input, LookupError, OwnerFound, RequestId};
use cuerda_core::ring::{Id, Peer};
use records::Records;

/// Tokens from here on are the host's own; those below are for harnesses.
const FIRST_TOKEN: u64 = 1 << 63;

/// Open calls of clients.
#[derive(Debug)]
pub(super) struct Clients<M> {
    lookups: BTreeMap<u64, OpenLookup>,
    next_lookup: u64,
    asks: BTreeMap<u32, (Peer, Returns<Option<M>>)>,
    next_ask: u32,
    /// Who waits for the host to leave.
    leaving: Option<Vec<Returns<u64>>>,
    /// So many records may be nowhere but on this host's disk, though it left.
    pub(super) left_behind: u64,
    /// The nodes that are on the way out, or gone.
    pub(super) told_to_leave: BTreeSet<u8>,
    /// Those of them that have reported that they left.
    pub(super) left: BTreeSet<u8>,
    stopping: Option<Returns<()>>,
    records: Records,
}

#[derive(Debug)]
struct OpenLookup {
    key: Id,
    began: Instant,
    returns: Returns<Result<LookupAnswer, LookupError>>,
}

impl<M> Default for Clients<M> {
    fn default() -> Clients<M> {
        Clients {
            lookups: BTreeMap::new(),
            next_lookup: 0,
            asks: BTreeMap::new(),
            next_ask: 0,
            leaving: None,
            left_behind: 0,
            told_to_leave: BTreeSet::new(),
            left: BTreeSet::new(),
            stopping: None,
            records: Records::default(),
        }
    }
}

impl<M> Clients<M> {
    pub(super) const fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    pub(super) const fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Tells all who waited for the host to end that it has.
    pub(super) fn has_ended(&mut self) {
        let leaving = self.leaving.take().unwrap_or_default();
        // Whoever asked may be gone.
        for returns in leaving {
            let _ = returns.send(self.left_behind);
        }
        if let Some(returns) = self.stopping.take() {
            let _ = returns.send(());
        }
    }

    /// When a look-up of a client began.
    pub(super) fn lookup_began(&self, token: u64) -> Option<Instant> {
        self.lookups.get(&token).map(|open| open.began)
    }

    pub(super) fn looked_up(
        &mut self,
        token: u64,
        result: Result<OwnerFound, LookupError>,
        timeouts: u32,
        trace: Vec<Hop>,
        now: Instant,
    ) {
        let Some(open) = self.lookups.remove(&token) else {
            return;
        };
        let answer = result.map(|found| LookupAnswer {
            key: open.key,
            owner: found.owner,
            hops: found.hops,
            hops_to_predecessor: found.hops_to_predecessor,
            timeouts,
            took: now - open.began,
            trace,
        });
        let _ = open.returns.send(answer);
    }

    /// A reply to a client's question; false if nobody asked this peer. A reply that only defers
    /// does not end the question: the real one follows.
    pub(super) fn replied<P: Hosted<Message = M>>(
        &mut self,
        number: u32,
        from: Peer,
        reply: M,
    ) -> bool {
        let asked = |(to, _): &(Peer, _)| to.id == from.id;
        if !self.asks.get(&number).is_some_and(asked) {
            return false;
        }
        if !P::defers(&reply)
            && let Some((_, returns)) = self.asks.remove(&number)
        {
            let _ = returns.send(Some(reply));
        }
        true
    }

    /// The time for a reply is over.
    pub(super) fn give_up(&mut self, number: u32) {
        if let Some((_, returns)) = self.asks.remove(&number) {
            let _ = returns.send(None);
        }
    }
}

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    pub(super) fn called(&mut self, call: Call<P>) {
        match call {
            Call::Order(node, input) => {
                if usize::from(node) < self.nodes.len() {
                    self.hand(node, input);
                }
            }
            Call::Lookup {
                key,
                steps,
                returns,
            } => self.look_up(key, steps, returns),
            Call::Ask { to, make, returns } => self.ask(to, make, returns),
            Call::Status(returns) => {
                let _ = returns.send(self.status());
            }
            Call::Look(node, look) => look(self.nodes.get(usize::from(node))),
            Call::Leave(returns) => {
                self.clients.leaving.get_or_insert_default().push(returns);
                self.leave_next();
            }
            Call::Stop(returns) => self.clients.stopping = Some(returns),
            Call::Write(key, write, returns) => self.write(key, write, returns),
            Call::Read(key, past, returns) => self.read(key, past, returns),
            Call::Keys(node, after, returns) => {
                let _ = returns.send(self.keys(node, after));
            }
            Call::Export(node, after, returns) => {
                let _ = returns.send(self.export(node, after));
            }
            Call::OnFile(node, work) => self.disk.on_file(node, work),
            Call::Admit(admission, returns) => {
                let closed = self.admit_by(admission);
                let _ = returns.send(closed);
            }
        }
    }

    /// Whether a node may be dropped without harm to others: it has left, or belongs to no ring.
    pub(super) fn is_out(&self, node: u8) -> bool {
        self.clients.left.contains(&node) || self.nodes[usize::from(node)].is_outside()
    }

    /// Lets the nodes leave one at a time; otherwise a neighbour may adopt a successor that is
    /// leaving too.
    pub(super) fn leave_next(&mut self) {
        let inside = |node: &u8| !self.is_out(*node);
        if !self.clients.is_leaving() || self.clients.told_to_leave.iter().any(inside) {
            return;
        }
        if let Some(next) = self.indices().find(inside) {
            self.hand(next, Input::Leave);
        }
    }

    fn look_up(
        &mut self,
        key: Id,
        steps: Steps,
        returns: Returns<Result<LookupAnswer, LookupError>>,
    ) {
        Counters::add(&self.counters.lookups);
        let clients = &mut self.clients;
        clients.next_lookup += 1;
        let token = FIRST_TOKEN | clients.next_lookup;
        let open = OpenLookup {
            key,
            began: self.now,
            returns,
        };
        clients.lookups.insert(token, open);
        let traced = steps == Steps::Traced;
        if traced {
            self.traces.begin(token, self.now);
        }
        self.hand(self.nearest(key), Input::Lookup { token, key, traced });
    }

    /// The node of this host that has the shortest way to a key: the last member before it.
    fn nearest(&self, key: Id) -> u8 {
        let members = self.indices();
        let members = members.filter(|&node| self.nodes[usize::from(node)].is_member());
        let nearest =
            members.min_by_key(|&node| self.nodes[usize::from(node)].me().id.distance_to(key));
        nearest.unwrap_or(0)
    }

    fn ask(&mut self, to: Peer, make: Make<P::Message>, returns: Returns<Option<P::Message>>) {
        let clients = &mut self.clients;
        clients.next_ask = clients.next_ask.wrapping_add(1);
        let number = clients.next_ask;
        clients.asks.insert(number, (to, returns));
        // A reply that follows a `Busy` takes longer than others.
        let basics = &self.basics;
        let patience = (basics.request_timeout * 2).min(basics.request_timeout_max);
        self.timers.set(self.now + patience, Due::Ask(number));
        let id = RequestId::of_host(number);
        self.outbox.sent.push((0, to, make(id)));
    }

    fn status(&mut self) -> Status<P::Status> {
        let nodes = self.indices().map(|node| self.node_status(node)).collect();
        let settings = &self.settings;
        Status {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: P::VERSIONS.newest,
            cluster: self.basics.cluster.clone(),
            public_key: hex::encode(&settings.identity.public_key()),
            address: self.address.to_string(),
            incarnation: settings.incarnation,
            uptime_s: (self.now - self.started).as_secs_f64(),
            secure: self.handshaker.tls.is_some(),
            connections: self.links.len(),
            waiting_for: self.waiting.words(self.now),
            out_of_reach: self.reach.wrong(self.address.into(), self.now),
            lines_lost: settings.lost_lines.count(),
            disk_bytes: self.disk.bytes(),
            stabilized_s: self.stabilized_ago().map(|ago| ago.as_secs_f64()),
            nodes,
        }
    }

    /// How long ago all members last stabilized with their successors. `None` where that does not
    /// happen: nobody is a member, or there is no other node.
    fn stabilized_ago(&self) -> Option<Duration> {
        let members = self.indices();
        let members = members.filter(|&node| self.nodes[usize::from(node)].is_member());
        let last = members.filter_map(|node| self.stabilized.get(&node)).min();
        last.map(|last| self.now - *last)
    }

    fn node_status(&mut self, node: u8) -> P::Status {
        let store = self.disk.store(node);
        self.nodes[usize::from(node)].status(store)
    }
}
