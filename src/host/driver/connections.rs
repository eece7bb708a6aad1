//! Connections that come about and end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::{Done, Host};
use crate::host::admission::Admission;
use crate::host::connection::{self, Inbox, Rumour};
use crate::host::counters::Counters;
use crate::host::descriptors::tell_not_accepted;
use crate::host::handshake::{Cause, Proven, Refused};
use crate::host::hooks::Hooks;
use crate::host::hosted::Hosted;
use crate::host::limits;
use crate::host::links::Link;
use crate::host::node_context::fraction;
use crate::host::seeds::News;
use crate::host::sockets::Sockets;
use cuerda_core::Hint as _;
use cuerda_core::protocol::Input;
use cuerda_core::ring::{Address, Peer};

/// How long no connection is accepted after accepting one has failed: most often the process
/// has no file descriptor left, and trying at once would fail again.
const ACCEPT_AFTER: Duration = Duration::from_millis(100);

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    pub(super) fn accepted(&mut self, accepted: io::Result<(S::Stream, SocketAddr)>) {
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tell_not_accepted(&error);
                self.accept_after = Some(self.now + ACCEPT_AFTER);
                return;
            }
        };
        if self.handshakes.len() >= limits::HANDSHAKES
            && let Some((_, oldest)) = self.handshakes.pop_front()
        {
            oldest.abort();
            Counters::add(&self.counters.handshakes_displaced);
        }
        let (handshaker, serial) = (self.handshaker.clone(), self.links.next_serial());
        let task = self.tasks.spawn(async move {
            let proven = handshaker.accept(stream, limits::HANDSHAKE).await;
            Done::Accepted(serial, from, proven.map(Box::new))
        });
        self.handshakes.push_back((serial, task));
    }

    /// Whether connections are accepted now. Those that are closed may take a while to go.
    pub(super) fn is_accepting(&self) -> bool {
        self.accept_after.is_none() && self.carried < limits::CONNECTIONS * 2
    }

    pub(super) fn dial(&mut self, address: Address) {
        let (sockets, handshaker) = (self.sockets.clone(), self.handshaker.clone());
        let patience = self.settings.connect_timeout;
        self.tasks.spawn(async move {
            let proven = handshaker.dial(&sockets, address.into(), patience).await;
            Done::Dialled(address, proven.map(Box::new))
        });
    }

    /// One of the driver's own tasks has ended. If it panicked, so does the driver: a panic is a
    /// bug, and should not be hidden in a log.
    pub(super) fn done(&mut self, done: Result<Done<S::Stream>, JoinError>) {
        match done {
            Ok(Done::Carried(serial)) => {
                self.carried -= 1;
                self.links.close(serial);
            }
            Ok(Done::Dialled(address, proven)) => self.dialled(address, proven),
            Ok(Done::Accepted(serial, from, proven)) => {
                self.handshakes.retain(|(other, _)| *other != serial);
                match proven {
                    Ok(proven) => {
                        Counters::add(&self.counters.connections_accepted);
                        self.open(*proven, None);
                    }
                    Err(error) => self.refused(from, &error),
                }
            }
            Ok(Done::Looked(key, address, proven)) => self.looked(key, address, proven),
            Ok(Done::DialledBack(peer, proven)) => self.dialled_back(peer, proven),
            Ok(Done::Sought) => {}
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }

    fn refused(&self, from: SocketAddr, error: &Refused) {
        match error {
            Refused::Admission(_)
            | Refused::Protocol { .. }
            | Refused::Version(_)
            | Refused::Cluster
            | Refused::AnotherKey => {
                Counters::add(&self.counters.connections_refused);
                tracing::warn!(%from, "refused a connection: {}", error.with_hint());
            }
            _ => {
                Counters::add(&self.counters.handshakes_failed);
                tracing::debug!(%from, "a connection came to nothing: {}", error.with_hint());
            }
        }
    }

    fn dialled(&mut self, address: Address, proven: Result<Box<Proven<S::Stream>>, Refused>) {
        match proven {
            Ok(proven) if self.leads_nowhere(&proven) => {
                self.met_nobody(&proven);
                tracing::debug!(%address, "no node of another process is there");
                let jitter = fraction(&mut self.random);
                let lost = self.links.dial_failed(address, self.now, jitter);
                Counters::add_many(&self.counters.letters_misdirected, lost as u64);
            }
            Ok(proven) => self.connected(*proven, address),
            Err(error) => {
                Counters::add(&self.counters.dials_failed);
                match error.cause() {
                    Some(Cause::NobodyThere) => Counters::add(&self.counters.dials_refused),
                    Some(Cause::NoWay) => Counters::add(&self.counters.dials_unreachable),
                    Some(Cause::Silence) => Counters::add(&self.counters.dials_silent),
                    None => {}
                }
                let why = error.with_hint();
                tracing::debug!(%address, "can't connect: {why}");
                // Of members nobody asks.
                if !self.nodes.iter().all(P::is_member) {
                    self.waiting.unreachable(address, why, self.now);
                }
                let jitter = fraction(&mut self.random);
                let lost = self.links.dial_failed(address, self.now, jitter);
                Counters::add_many(&self.counters.letters_dropped, lost as u64);
            }
        }
    }

    /// This process has connected to an address.
    pub(super) fn connected(&mut self, proven: Proven<S::Stream>, address: Address) {
        self.waiting.reached(address);
        let waiting = self.links.dial_succeeded(address);
        self.open(proven, Some(address));
        for message in waiting {
            // Another node than the intended one may have answered at that address.
            if self.links.find(message.to.id).is_some() {
                self.post(message);
            } else {
                Counters::add(&self.counters.letters_misdirected);
            }
        }
    }

    /// Whether the connection leads to this process itself, or to one that hosts no node.
    pub(super) fn leads_nowhere(&self, proven: &Proven<S::Stream>) -> bool {
        let handshake = &proven.handshake;
        handshake.public_key == self.handshaker.handshake.public_key || handshake.nodes == 0
    }

    /// Begins to use a connection whose other end has proved who it is.
    fn open(&mut self, proven: Proven<S::Stream>, dialled: Option<Address>) {
        if self.leads_nowhere(&proven) {
            return self.met_nobody(&proven);
        }
        let Proven {
            channel,
            rest,
            handshake,
            start,
            admitted,
        } = proven;
        let mine = self.handshaker.handshake.public_key;
        // Keys and secrets may have changed while it was opened.
        let admission = self.handshaker.admission();
        if self.handshaker.tls.is_some()
            && !admission.still_admits(&handshake.public_key, &admitted)
        {
            return Counters::add(&self.counters.connections_refused);
        }
        if dialled.is_some() {
            Counters::add(&self.counters.connections_opened);
        }
        if let Some(surplus) = self.links.surplus(&handshake.public_key) {
            self.links.close(surplus);
            Counters::add(&self.counters.connections_displaced);
        }
        let serial = self.links.next_serial();
        let (frames, receiver) = mpsc::channel(limits::OUTGOING);
        let key = handshake.public_key;
        let link = Link::new(handshake, start, admitted, dialled, frames, self.now);
        self.links.open(serial, link, &mine);
        let counters = Arc::clone(&self.counters);
        let inbox = Inbox {
            serial,
            envelopes: self.inbox.sender.clone(),
            rumours: self.rumours.sender.clone(),
        };
        self.carried += 1;
        self.tasks.spawn(async move {
            connection::carry(channel, rest, receiver, inbox, counters).await;
            Done::Carried(serial)
        });
        self.look_for_twins(key, start);
    }

    /// The seeker has found something out.
    pub(super) fn heard(&mut self, news: News<S::Stream>) {
        match news {
            // A leaving host founds nothing, but may still be on its way into a ring, to hand over
            // there what it has.
            News::Alone if self.clients.is_leaving() => {}
            News::Met(address, proven) => {
                let handshake = proven.handshake.clone();
                self.connected(*proven, address.into());
                let ids = handshake.ids().into_iter();
                let address = handshake.address;
                self.join(ids.map(|id| Peer { id, address }).collect());
            }
            News::Own(start, address) => self.met_own_key(start, address),
            News::Contacts(peers) => self.join(peers),
            News::Alive(peer) => {
                for node in self.indices() {
                    self.hand(node, Input::Remember(vec![peer]));
                }
            }
            News::Alone => self.found(),
            News::WaitingFor(what) => {
                self.waiting.sought(what);
                if let Some(words) = self.waiting.words(self.now) {
                    tracing::info!("{words}");
                }
            }
        }
    }

    fn join(&mut self, peers: Vec<Peer>) {
        let leaving = self.clients.is_leaving();
        for node in self.indices() {
            // Who has left does not join again.
            if leaving && self.is_out(node) {
                continue;
            }
            self.hand(node, Input::Join(peers.clone()));
        }
    }

    /// Somebody says something of this process.
    pub(super) fn rumoured(&mut self, by: u64, rumour: Rumour) {
        match rumour {
            Rumour::Twin(address) => self.told_of_twin(address),
            Rumour::OutOfReach => {
                if let Some(by) = self.links.address_of(by) {
                    self.told_out_of_reach(by);
                }
            }
        }
    }

    /// Closes idle connections, and forgets requests that were sent only after their asker had
    /// given up, for which no timer comes.
    pub(super) fn sweep(&mut self) {
        let patience = self.basics.request_timeout_max;
        self.requests
            .retain(|_, sent| self.now - sent.at <= patience);
        for serial in self.links.sweep(self.now, self.settings.idle_after) {
            self.links.close(serial);
            Counters::add(&self.counters.connections_idle);
        }
    }

    /// Closes the connections that these keys and secrets would not have let in.
    pub(super) fn admit_by(&mut self, admission: Admission) -> usize {
        let stays = |link: &Link<P::Message>| {
            admission.still_admits(&link.handshake.public_key, &link.admitted)
        };
        let gone: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, link)| !stays(link))
            .map(|(serial, _)| serial)
            .collect();
        for &serial in &gone {
            self.links.close(serial);
            Counters::add(&self.counters.connections_refused);
        }
        self.handshaker.admit_by(admission);
        gone.len()
    }
}
