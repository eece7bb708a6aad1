//! The way that a look-up took, written down for those who ask.
//!
//! A look-up asks one node after the other, so its requests form a chain: the first is sent
//! while the look-up begins, each next one while the reply to the one before, or its silence,
//! is handled. Nothing in the node knows of this.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::status::Hop;
use cuerda_core::chord::{Message, Reply, Request, RequestId};
use cuerda_core::ring::{Id, Peer};

/// The look-ups being traced.
#[derive(Debug, Default)]
pub(super) struct Traces {
    open: BTreeMap<u64, Trace>,
    /// Which look-up asked the request with this number of the node with this index.
    requests: BTreeMap<(u8, u32), u64>,
}

#[derive(Debug)]
struct Trace {
    key: Id,
    began: Instant,
    hops: Vec<Hop>,
    /// When each hop was asked.
    asked: Vec<Instant>,
}

impl Traces {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn begin(&mut self, token: u64, key: Id, now: Instant) {
        let trace = Trace {
            key,
            began: now,
            hops: Vec::new(),
            asked: Vec::new(),
        };
        self.open.insert(token, trace);
    }

    /// Which traced look-up this request belongs to.
    pub(super) fn of_request(&self, node: u8, number: u32) -> Option<u64> {
        self.requests.get(&(node, number)).copied()
    }

    /// The node sent this while it handled what belongs to a look-up.
    pub(super) fn sent(&mut self, token: u64, node: u8, to: Peer, message: &Message, now: Instant) {
        let (Some(trace), Message::Request { id, request }) = (self.open.get_mut(&token), message)
        else {
            return;
        };
        if !matches!(request, Request::Find { key, .. } if *key == trace.key) {
            return;
        }
        trace.hops.push(Hop {
            peer: to,
            asked_after: now - trace.began,
            took: None,
            reply: "silence".to_owned(),
        });
        trace.asked.push(now);
        self.requests.insert((node, id.number), token);
    }

    /// A reply to one of its questions came.
    pub(super) fn replied(
        &mut self,
        node: u8,
        id: RequestId,
        from: Peer,
        reply: &Reply,
        now: Instant,
    ) {
        let token = self.of_request(node, id.number);
        let trace = token.and_then(|token| self.open.get_mut(&token));
        let Some(trace) = trace else { return };
        let at = trace.hops.iter().rposition(|hop| hop.peer.id == from.id);
        if let Some(at) = at {
            trace.hops[at].took = Some(now - trace.asked[at]);
            trace.hops[at].reply = word(reply).to_owned();
        }
    }

    /// The look-up has ended.
    pub(super) fn end(&mut self, token: u64) -> Vec<Hop> {
        self.requests.retain(|_, other| *other != token);
        self.open
            .remove(&token)
            .map(|trace| trace.hops)
            .unwrap_or_default()
    }
}

const fn word(reply: &Reply) -> &'static str {
    match reply {
        Reply::Owner => "owner",
        Reply::Covered(_) => "covered",
        Reply::Closer(_) => "closer",
        Reply::Before(_) => "before",
        Reply::Records(_) => "about records",
        Reply::NotMember => "not a member",
        Reply::Busy => "busy",
        _ => "unfit",
    }
}
