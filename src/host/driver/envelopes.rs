//! Messages that come in and go out.

use std::time::Duration;

use tokio::time::Instant;

use super::{Host, Sent};
use crate::host::counters::Counters;
use crate::host::disk::Said;
use crate::host::frame::Envelope;
use crate::host::hooks::{Fate, Hooks};
use crate::host::hosted::Hosted;
use crate::host::latencies::Latencies;
use crate::host::links::{Wait, Waiting};
use crate::host::sockets::Sockets;
use crate::host::timers::Due;
use cuerda_core::protocol::{Input, Origin, RequestId, Wire as _};
use cuerda_core::ring::Peer;

/// Who asks the request with this id: one of the nodes, or a client of the host.
fn asker(node: u8, id: RequestId) -> Option<u8> {
    (id.origin != Origin::HOST).then_some(node)
}

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    /// An envelope came in by a connection.
    pub(super) fn envelope_came(&mut self, by: u64, envelope: Envelope<P::Message>) {
        // The connection is closed by now: the envelope counts as lost.
        let Some(link) = self.links.used(by, self.now) else {
            return;
        };
        Counters::add(&self.counters.letters_received);
        let sender = link.ids.get(usize::from(envelope.from));
        let (Some(&id), true) = (sender, usize::from(envelope.to) < self.nodes.len()) else {
            return Counters::add(&self.counters.messages_ignored);
        };
        let from = Peer {
            id,
            address: link.handshake.address,
        };
        let (key, start) = (link.handshake.public_key, link.start);
        self.look_again_for_twins(key, start);
        self.message_came(from, envelope.to, envelope.message);
    }

    /// A message came in, from outside or from another node of this host.
    pub(super) fn message_came(&mut self, from: Peer, to: u8, message: P::Message) {
        self.hooks
            .delivered(&self.nodes[usize::from(to)], from, &message);
        let node = &self.nodes[usize::from(to)];
        if !node.is_member()
            && from.address != self.address.into()
            && let Some(outlook) = node.outlook(&message)
        {
            self.waiting.heard(from, outlook, self.now);
        }
        if node.is_stabilized_by(from, &message) {
            self.stabilized.insert(to, self.now);
        }
        let mut took = None;
        if let Some(id) = message.answers() {
            let asker = asker(to, id);
            let request = (asker, id.number);
            // A stranger can guess a number, but cannot pretend to be the peer that was asked.
            let asked = |sent: &Sent| sent.to == from.id;
            if self.requests.get(&request).is_some_and(asked)
                && let Some(sent) = self.requests.remove(&request)
            {
                took = (!sent.again).then(|| self.now - sent.at);
            }
            if asker.is_none() {
                if !self.clients.replied::<P>(id.number, from, message) {
                    Counters::add(&self.counters.messages_ignored);
                }
                return;
            }
        }
        let input = Input::Message {
            from,
            message,
            took,
        };
        self.hand(to, input);
    }

    /// Until when a reply that is due now may still come. The time that a request spent waiting for
    /// a connection does not count: its patience starts when it is sent, and while the connection
    /// is being made it gets that patience once more.
    pub(super) fn more_time(
        &self,
        node: u8,
        number: u32,
        patience: Duration,
        extended: bool,
    ) -> Option<Instant> {
        let sent = self.requests.get(&(Some(node), number));
        match sent.filter(|sent| sent.by.is_some()) {
            Some(sent) => Some(sent.at + patience).filter(|until| *until > self.now),
            // The request still waits for this node's own disk: its peer is not silent.
            None if self.disk.keeps_request(node, number) => Some(self.now + patience),
            None if extended || !self.nodes[usize::from(node)].awaits(number) => None,
            None => {
                let dialling = self.links.is_dialling_for(node, number);
                dialling.then(|| self.now + patience)
            }
        }
    }

    /// The time for a reply is over. If none came, the connection that carried the request may be
    /// one that swallows everything: it is not used again.
    pub(super) fn no_reply(&mut self, asker: Option<u8>, number: u32) {
        // The request stays in the table: when it is sent again under the same number, a reply
        // can't be told to be for the first or the second.
        let Some(by) = self
            .requests
            .get_mut(&(asker, number))
            .and_then(|sent| sent.by.take())
        else {
            return;
        };
        Counters::add(&self.counters.requests_timed_out);
        if let Some(link) = self.links.close(by) {
            Counters::add(&self.counters.connections_distrusted);
            tracing::debug!(peer = %link.handshake.address, "closed a connection: no reply in time");
        }
    }

    /// Sends and tells what the nodes have handed over in this batch, but for what depends on
    /// records that are not on the disk yet; and what was kept for that and need not be any more.
    pub(super) fn release(&mut self) {
        self.commit();
        self.tell_committed();
        for (node, said) in self.disk.released() {
            match said {
                Said::Message(to, message) => self.send(node, to, message),
                Said::Event(event) => self.tell(node, event),
            }
        }
        for (node, event) in std::mem::take(&mut self.outbox.answers) {
            if !self.disk.keeps(node) {
                self.tell(node, event);
            } else {
                // There is room for every answer.
                let _ = self.disk.keep(node, Said::Event(event));
            }
        }
        for (from, to, message) in std::mem::take(&mut self.outbox.sent) {
            if !message.depends_on_store() || !self.disk.keeps(from) {
                self.send(from, to, message);
            } else if !self.disk.keep(from, Said::Message(to, message)) {
                Counters::add(&self.counters.letters_dropped);
            }
        }
    }

    /// Closes the batches of what the nodes have staged, and sends them on their way.
    fn commit(&mut self) {
        for node in self.indices() {
            if let Some(batch) = self.disk.seal(node) {
                let until = self.hooks.commit(&self.nodes[usize::from(node)], &batch);
                self.disk.bring(node, batch, until);
            }
        }
        self.disk.start();
    }

    /// Tells which batches have reached the disk.
    pub(super) fn tell_committed(&mut self) {
        for (node, number) in self.disk.take_committed() {
            self.hooks.committed(&self.nodes[usize::from(node)], number);
        }
        for took in self.disk.take_times() {
            Latencies::observe(&self.counters.latencies.commits, took);
        }
    }

    fn send(&mut self, from: u8, to: Peer, message: P::Message) {
        let same = self.nodes.iter().position(|node| node.me().id == to.id);
        if let Some(index) = same {
            self.local.push_back((from, index as u8, message));
            return;
        }
        match self
            .hooks
            .fate(&self.nodes[usize::from(from)], to, &message)
        {
            Fate::Drop => Counters::add(&self.counters.letters_dropped),
            Fate::Pass => self.post(Waiting { from, to, message }),
            Fate::Double => {
                let again = message.clone();
                self.post(Waiting { from, to, message });
                self.post(Waiting {
                    from,
                    to,
                    message: again,
                });
            }
        }
    }

    /// Gives a message to the connection that leads to its receiver, or lets it wait for one.
    pub(super) fn post(&mut self, waiting: Waiting<P::Message>) {
        let Some((by, index)) = self.links.find(waiting.to.id) else {
            return self.post_later(waiting);
        };
        let Waiting { from, to, message } = waiting;
        let request = message.asks().map(|id| (asker(from, id), id.number));
        let envelope = Envelope {
            from,
            to: index,
            message,
        };
        if !self.links.send(by, envelope, self.now) {
            return Counters::add(&self.counters.letters_dropped);
        }
        Counters::add(&self.counters.letters_sent);
        if let Some(request) = request {
            let again = self.requests.contains_key(&request);
            let (to, at) = (to.id, self.now);
            let by = Some(by);
            self.requests.insert(request, Sent { to, by, at, again });
        }
    }

    fn post_later(&mut self, waiting: Waiting<P::Message>) {
        match self.links.wait(waiting, self.now) {
            Wait::Dial(address) => self.dial(address),
            Wait::DialAt(address, at) => self.timers.set(at, Due::Dial(address)),
            Wait::More => {}
            Wait::Misdirected => Counters::add(&self.counters.letters_misdirected),
            Wait::Full => Counters::add(&self.counters.letters_dropped),
        }
    }
}
