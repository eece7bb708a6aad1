//! The way that a look-up took, written down for those who ask.
//!
//! The node tells each step; here it gets the time at which it was told.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::status::Hop;
use cuerda_core::protocol::Step;
use cuerda_core::ring::Peer;

/// The look-ups being traced.
#[derive(Debug, Default)]
pub(super) struct Traces {
    open: BTreeMap<u64, Trace>,
}

#[derive(Debug)]
struct Trace {
    began: Instant,
    hops: Vec<Hop>,
    /// When each hop was asked.
    asked: Vec<Instant>,
}

impl Traces {
    pub(super) fn begin(&mut self, token: u64, now: Instant) {
        let trace = Trace {
            began: now,
            hops: Vec::new(),
            asked: Vec::new(),
        };
        self.open.insert(token, trace);
    }

    /// The look-up has asked, or heard.
    pub(super) fn step(&mut self, token: u64, peer: Peer, step: Step, now: Instant) {
        let Some(trace) = self.open.get_mut(&token) else {
            return;
        };
        match step {
            Step::Asked => {
                trace.hops.push(Hop {
                    peer,
                    asked_after: now - trace.began,
                    took: None,
                    reply: "silence".to_owned(),
                });
                trace.asked.push(now);
            }
            Step::Answered(word) => {
                if let Some(at) = trace.hops.iter().rposition(|hop| hop.peer.id == peer.id) {
                    trace.hops[at].took = Some(now - trace.asked[at]);
                    trace.hops[at].reply = word.to_owned();
                }
            }
            // What is said of a hop until it answers.
            Step::Silent => {}
        }
    }

    /// The look-up has ended.
    pub(super) fn end(&mut self, token: u64) -> Vec<Hop> {
        self.open
            .remove(&token)
            .map(|trace| trace.hops)
            .unwrap_or_default()
    }
}
