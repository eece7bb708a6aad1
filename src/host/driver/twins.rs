//! Two processes with one key: a data directory was copied and both are started.
//!
//! Both would have one place on the circle, and each would grant what only one may. So the younger
//! one has to go. Each [start](Start) of a process is told in its connections; whoever has
//! connections with two starts of one key asks the one that was there before, by a new connection to
//! its address, whether it still is. A process that was started again, elsewhere perhaps, is no twin: its
//! former self does not answer.
//!
//! ```text
//!   younger ── connects ──▶ C        C has a connection with the older one, too
//!                           C ── connects ──▶ older      the same start as before: it is there
//!   younger ◀─ Twin ─────── C ── Twin ──────▶ older      and C closes what leads to the younger
//!   younger ── connects ─────────────────────▶ older     both see their own key
//! ```
//!
//! Anybody could say that there is a twin. So whoever is told looks for himself, and nothing but a
//! proof of his own key, and another start, makes him stop. Without TLS keys prove nothing, and
//! nobody looks.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Done, Host};
use crate::host::counters::Counters;
use crate::host::frame::Start;
use crate::host::handshake::{Proven, Refused};
use crate::host::hex;
use crate::host::hooks::Hooks;
use crate::host::hosted::Hosted;
use crate::host::limits;
use crate::host::sockets::Sockets;
use cuerda_core::Hint as _;
use cuerda_core::ring::Address;

/// What is known of processes that have one key.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// By the key.
    pairs: BTreeMap<[u8; 32], Pair>,
    /// Where a process with this one's key is, which had started before.
    older: Option<Address>,
    /// When it was last looked whether one is where somebody said.
    looked: Option<Instant>,
}

/// Two processes, or more, that have shown the same key.
#[derive(Debug)]
struct Pair {
    /// When they were last heard of.
    used: Instant,
    /// The one heard before, while it is asked whether it is there, and the one that came then.
    asked: Option<(Start, Start)>,
    /// When it last said so.
    answered: Option<(Start, Instant)>,
    /// When they were last told to the operator.
    told: Option<Instant>,
}

impl Twins {
    /// Where a process with this one's key is, which had started before: this one has to stop.
    pub(super) const fn older(&self) -> Option<Address> {
        self.older
    }

    /// What is known of the holders of this key. `None` if too many others are being asked: then
    /// they are noticed when they connect the next time.
    fn pair(&mut self, key: [u8; 32], now: Instant) -> Option<&mut Pair> {
        if self.pairs.len() >= limits::TWINS && !self.pairs.contains_key(&key) {
            let idle = self.pairs.iter().filter(|(_, pair)| pair.asked.is_none());
            let idle = idle.min_by_key(|(_, pair)| pair.used).map(|(key, _)| *key);
            self.pairs.remove(&idle?);
        }
        let pair = self.pairs.entry(key).or_insert(Pair {
            used: now,
            asked: None,
            answered: None,
            told: None,
        });
        pair.used = now;
        Some(pair)
    }
}

impl Pair {
    /// Whether this one has answered so lately that it need not be asked again.
    fn has_answered(&self, start: Start, now: Instant) -> bool {
        self.answered
            .is_some_and(|(who, at)| who == start && now < at + limits::TWIN_ANSWERED)
    }

    /// Whether it is time to tell the operator; from then on it is not.
    fn is_to_be_told(&mut self, now: Instant) -> bool {
        let due = self.told.is_none_or(|told| now >= told + limits::TWIN_TOLD);
        if due {
            self.told = Some(now);
        }
        due
    }
}

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    /// A connection with this start of the holder of a key has come about: are there others with
    /// another start?
    pub(super) fn look_for_twins(&mut self, key: [u8; 32], newcomer: Start) {
        if self.handshaker.tls.is_none() {
            return;
        }
        let links = self.links.of_key(&key);
        let others = links.iter().filter(|(_, start, _)| *start != newcomer);
        // The newcomer has just said who it is. Of the others it is the oldest that it may have to
        // make way for; if there is none, the youngest has to make way for the newcomer.
        let oldest = others.clone().min_by_key(|(_, start, _)| *start);
        let older = oldest.filter(|(_, start, _)| *start < newcomer);
        let Some(&(_, other, address)) = older.or(others.max_by_key(|(_, start, _)| *start)) else {
            return;
        };
        let now = self.now;
        let Some(pair) = self.twins.pair(key, now) else {
            return;
        };
        if pair.has_answered(other, now) {
            self.refuse_younger(key, newcomer, other);
        } else if pair.asked.is_none() {
            pair.asked = Some((other, newcomer));
            self.look(key, address);
        }
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
        proven: Result<Box<Proven<S::Stream>>, Refused>,
    ) {
        let pair = self.twins.pairs.get_mut(&key);
        let asked = pair.and_then(|pair| pair.asked.take());
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
        let (theirs, start) = (proven.handshake.public_key, proven.start);
        // What was asked for is there, or else something that says nothing of twins.
        let Some((other, newcomer)) = asked.filter(|(other, _)| theirs == key && start == *other)
        else {
            return;
        };
        let now = self.now;
        if let Some(pair) = self.twins.pair(key, now) {
            pair.answered = Some((other, now));
        }
        self.refuse_younger(key, newcomer, other);
        if other < newcomer {
            self.connected(*proven, address);
        }
    }

    /// Two processes with one key are there: the younger one is sent away, and both are told.
    fn refuse_younger(&mut self, key: [u8; 32], one: Start, other: Start) {
        let (older, younger) = (one.min(other), one.max(other));
        let links = self.links.of_key(&key);
        let place = |of| links.iter().find(|(_, start, _)| *start == of);
        // One of them may have ended meanwhile.
        let (Some(&(_, _, address)), Some(&(_, _, theirs))) = (place(older), place(younger)) else {
            return;
        };
        for &(serial, start, _) in &links {
            if start == younger {
                self.links.tell_of_twin(serial, address);
                self.links.close(serial);
            } else if start == older {
                self.links.tell_of_twin(serial, theirs);
            }
        }
        Counters::add(&self.counters.twins_found);
        let now = self.now;
        let pair = self.twins.pair(key, now);
        if pair.is_some_and(|pair| pair.is_to_be_told(now)) {
            tracing::warn!(
                key = %hex::encode(&key),
                older = %address,
                younger = %theirs,
                "two processes have the same key: the younger one is refused. Is its data directory \
                 a copy? Stop one of them, or remove the copy's `identity.pem`, and it gets a key of \
                 its own"
            );
        }
    }

    /// Somebody says that a process with this one's key is at an address.
    pub(super) fn told_of_twin(&mut self, address: Address) {
        let now = self.now;
        let lately = |looked: Instant| now < looked + limits::TWIN_LOOKS;
        if self.handshaker.tls.is_none() || self.twins.looked.is_some_and(lately) {
            return;
        }
        self.twins.looked = Some(now);
        self.look(self.handshaker.handshake.public_key, address);
    }

    /// A connection leads to no node of another process.
    pub(super) fn met_nobody(&mut self, proven: &Proven<S::Stream>) {
        let handshake = &proven.handshake;
        if handshake.nodes > 0 && handshake.public_key == self.handshaker.handshake.public_key {
            self.met_own_key(proven.start, handshake.address);
        }
    }

    /// A process that has this one's key was met; perhaps it is this one itself.
    pub(super) fn met_own_key(&mut self, theirs: Start, address: Address) {
        let (now, ours) = (self.now, self.handshaker.start);
        if self.handshaker.tls.is_none() || theirs == ours || self.twins.older.is_some() {
            return;
        }
        Counters::add(&self.counters.twins_found);
        if theirs < ours {
            self.twins.older = Some(address);
            tracing::error!(
                older = %address,
                "another process has this node's key, and had started before: this one stops. If \
                 its data directory is a copy, remove `identity.pem` there, and it gets a key of \
                 its own; or stop the other process first"
            );
            return;
        }
        let key = self.handshaker.handshake.public_key;
        let pair = self.twins.pair(key, now);
        if pair.is_some_and(|pair| pair.is_to_be_told(now)) {
            tracing::warn!(
                younger = %address,
                "another process has this node's key, and was started later: it is refused. Is its \
                 data directory a copy? Remove `identity.pem` there, and it gets a key of its own"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> [u8; 32] {
        [u8::try_from(number).unwrap(); 32]
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_is_told_once_a_minute_and_an_answer_counts_for_a_while() {
        let (mut twins, now) = (Twins::default(), Instant::now());
        let start = |instance| Start { at_ms: 1, instance };
        let pair = twins.pair(key(1), now).unwrap();
        assert!(pair.is_to_be_told(now) && !pair.is_to_be_told(now));
        pair.answered = Some((start(1), now));
        // It is the same pair afterwards.
        let pair = twins.pair(key(1), now).unwrap();
        assert!(!pair.is_to_be_told(now) && pair.is_to_be_told(now + limits::TWIN_TOLD));
        assert!(pair.has_answered(start(1), now) && !pair.has_answered(start(2), now));
        assert!(!pair.has_answered(start(1), now + limits::TWIN_ANSWERED));
    }

    #[tokio::test(start_paused = true)]
    async fn many_keys_displace_those_that_nobody_is_asked_for_and_no_others() {
        let (mut twins, now) = (Twins::default(), Instant::now());
        let later = |number: usize| now + limits::TWIN_LOOKS * u32::try_from(number).unwrap();
        for number in 0..limits::TWINS {
            let pair = twins.pair(key(number), later(number)).unwrap();
            pair.asked = (number != 7).then(Default::default);
        }
        assert!(twins.pair(key(200), later(200)).is_some());
        assert!(!twins.pairs.contains_key(&key(7)));
        twins.pairs.get_mut(&key(200)).unwrap().asked = Some(Default::default());
        assert!(twins.pair(key(201), later(201)).is_none());
        assert!(twins.pair(key(3), later(202)).is_some());
        assert_eq!(twins.pairs.len(), limits::TWINS);
    }
}
