//! Two processes with one key, as this process hears them by its connections.
//!
//! Who of them is asked, and who has to go, is decided by [`twins`](cuerda_core::protocol::twins),
//! which the simulated worlds use as well. Here it is done: connections are opened to look who is
//! there, both are told, what leads to the younger one is closed, and the operator hears of it.
//! Nothing is decided here. Without TLS keys prove nothing, and nobody looks.

use std::time::Duration;

use super::{Done, Host};
use crate::host::counters::Counters;
use crate::host::frame::Start;
use crate::host::handshake::{Proven, Refused as Failed};
use crate::host::hex;
use crate::host::hooks::Hooks;
use crate::host::hosted::Hosted;
use crate::host::sockets::Sockets;
use cuerda_core::Hint as _;
use cuerda_core::protocol::twins::{Heard, Met, Refused, Step};
use cuerda_core::ring::Address;

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    /// A connection with this start of the holder of a key has come about: are there others with
    /// another start?
    pub(super) fn look_for_twins(&mut self, key: [u8; 32], newcomer: Start) {
        if self.handshaker.tls.is_none() {
            return;
        }
        let (known, now) = (self.heard_of(&key), self.running_for());
        match self.twins.heard(key, newcomer, &known, now) {
            Some(Step::Look(address)) => self.look(key, address),
            Some(Step::Refuse(refused)) => self.refuse_younger(key, refused),
            None => {}
        }
    }

    /// Something came by a connection with this start of the holder of a key: if it was asked whether
    /// it is there, and did not answer, it is asked again.
    pub(super) fn look_again_for_twins(&mut self, key: [u8; 32], start: Start) {
        if let Some(newcomer) = self.twins.not_gone(key, start) {
            self.look_for_twins(key, newcomer);
        }
    }

    /// The starts of the holder of a key that there are connections with.
    fn heard_of(&self, key: &[u8; 32]) -> Vec<Heard> {
        let links = self.links.of_key(key).into_iter();
        links
            .map(|(_, start, address)| Heard { start, address })
            .collect()
    }

    /// How long this process has been running.
    fn running_for(&self) -> Duration {
        self.now.saturating_duration_since(self.started)
    }

    /// Looks who is at an address; that it may be the holder of this key is what is asked.
    fn look(&mut self, key: [u8; 32], address: Address) {
        let (sockets, handshaker) = (self.sockets.clone(), self.handshaker.clone());
        let patience = self.settings.connect_timeout;
        self.tasks.spawn(async move {
            let proven = handshaker.dial(&sockets, address.into(), patience).await;
            Done::Looked(key, address, proven.map(Box::new))
        });
    }

    /// It has been looked who is at an address.
    pub(super) fn looked(
        &mut self,
        key: [u8; 32],
        address: Address,
        proven: Result<Box<Proven<S::Stream>>, Failed>,
    ) {
        let holds = |proven: &Proven<S::Stream>| proven.handshake.public_key == key;
        let found = proven.as_ref().ok().filter(|proven| holds(proven));
        let found = found.map(|proven| proven.start);
        let (known, now) = (self.heard_of(&key), self.running_for());
        let found = self.twins.looked(key, found, &known, now);
        let proven = match proven {
            Ok(proven) => proven,
            Err(error) => {
                let why = error.with_hint();
                tracing::debug!(%address, "nobody there whose key another process might have: {why}");
                return;
            }
        };
        if self.leads_nowhere(&proven) {
            return self.met_nobody(&proven);
        }
        let Some(found) = found else {
            return;
        };
        if let Some(refused) = found.refused {
            self.refuse_younger(key, refused);
        }
        if found.is_older {
            self.connected(*proven, address);
        }
    }

    /// Two processes with one key are there: the younger one is sent away, and both are told.
    fn refuse_younger(&mut self, key: [u8; 32], refused: Refused) {
        let Refused {
            older,
            younger,
            is_told,
        } = refused;
        for (serial, start, _) in self.links.of_key(&key) {
            if start == younger.start {
                self.links.tell_of_twin(serial, older.address);
                self.links.close(serial);
            } else if start == older.start {
                self.links.tell_of_twin(serial, younger.address);
            }
        }
        Counters::add(&self.counters.twins_found);
        if is_told {
            tracing::warn!(
                key = %hex::encode(&key),
                older = %older.address,
                younger = %younger.address,
                "two processes have the same key: the younger one is refused. Is its data directory \
                 a copy? Stop one of them, or remove the copy's `identity.pem`, and it gets a key of \
                 its own"
            );
        }
    }

    /// Somebody says that a process with this one's key is at an address.
    pub(super) fn told_of_twin(&mut self, address: Address) {
        let now = self.running_for();
        if self.handshaker.tls.is_some() && self.twins.is_to_look(now) {
            self.look(self.handshaker.handshake.public_key, address);
        }
    }

    /// A connection leads to no node of another process.
    pub(super) fn met_nobody(&mut self, proven: &Proven<S::Stream>) {
        let handshake = &proven.handshake;
        if handshake.nodes > 0 && handshake.public_key == self.handshaker.handshake.public_key {
            self.met_own_key(proven.start, handshake.address);
        }
    }

    /// A process that has this one's key was met; perhaps it is this one itself.
    pub(super) fn met_own_key(&mut self, start: Start, address: Address) {
        if self.handshaker.tls.is_none() {
            return;
        }
        let (key, ours) = (self.handshaker.handshake.public_key, self.handshaker.start);
        let now = self.running_for();
        let met = self.twins.met(key, ours, Heard { start, address }, now);
        match met {
            Met::Nothing => return,
            Met::Older => tracing::error!(
                older = %address,
                "another process has this node's key, and had started before: this one stops. If \
                 its data directory is a copy, remove `identity.pem` there, and it gets a key of \
                 its own; or stop the other process first"
            ),
            Met::Younger { is_told: true } => tracing::warn!(
                younger = %address,
                "another process has this node's key, and was started later: it is refused. Is its \
                 data directory a copy? Remove `identity.pem` there, and it gets a key of its own"
            ),
            Met::Younger { is_told: false } => {}
        }
        Counters::add(&self.counters.twins_found);
    }
}
