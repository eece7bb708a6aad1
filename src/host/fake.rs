//! Stands in for a host where its handle is tested: one map in the place of a whole ring.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::counters::Counters;
use super::handle::{Call, Handle};
use super::status::{Exported, HeldKey, LookupAnswer, NodeStatus, Page, Status};
use cuerda_core::chord::{
    AccessError, Condition, Denied, Fetched, Membership, Message, Node, RecordReply, RecordRequest,
    Reply, Request, RequestId, Stamped, Write, Written,
};
use cuerda_core::record::{Field, Record, Stamp};
use cuerda_core::ring::Id;
use cuerda_core::ring::test_peers::{peer, peers};

/// What a handle finds behind it. Its node is `peer(10)`, followed by 20 and 30.
#[derive(Debug)]
pub(crate) struct Fake {
    /// What all holders have.
    pub(crate) records: BTreeMap<Id, Record>,
    /// How many holders a write reaches, of three.
    pub(crate) reached: usize,
    /// Whether the owner answers readings.
    pub(crate) authoritative: bool,
    /// What all reads and writes fail with.
    pub(crate) fails: Option<AccessError>,
    /// Wall clock in milliseconds; each write is a millisecond after the one before.
    pub(crate) now: u64,
    /// Keys whose record is damaged.
    pub(crate) damaged: Vec<Id>,
}

impl Default for Fake {
    fn default() -> Fake {
        Fake {
            records: BTreeMap::new(),
            reached: 3,
            authoritative: true,
            fails: None,
            now: 1_700_000_000_000,
            damaged: Vec::new(),
        }
    }
}

impl Fake {
    /// Runs it as a task until the handle is dropped.
    pub(crate) fn handle(mut self) -> Handle {
        // Room for what an import asks side by side.
        let (sender, mut calls) = mpsc::channel(256);
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                self.called(call);
            }
        });
        Handle::new(
            sender,
            Arc::new(Counters::default()),
            Handle::<Node>::TIMEOUT,
        )
    }

    fn called(&mut self, call: Call<Node>) {
        match call {
            Call::Write(key, write, returns) => _ = returns.send(self.write(key, write)),
            Call::Read(key, _, returns) => {
                let fetched = Fetched {
                    record: self.records.get(&key).cloned(),
                    authoritative: self.authoritative,
                    from: peer(10),
                    clock: self.clock(),
                    now: self.now,
                };
                let result = self.fails.map_or(Ok(fetched), Err);
                _ = returns.send(result);
            }
            Call::Keys(_, after, returns) => {
                let keys = self.page(after, 2);
                let held = |key| HeldKey { key, own: true };
                _ = returns.send(Page {
                    items: keys.0.into_iter().map(held).collect(),
                    next: keys.1,
                });
            }
            Call::Export(_, after, returns) => {
                let keys = self.page(after, 2);
                let exported = |key| Exported {
                    key,
                    record: Some(self.records[&key].clone())
                        .filter(|_| !self.damaged.contains(&key)),
                };
                _ = returns.send(Page {
                    items: keys.0.into_iter().map(exported).collect(),
                    next: keys.1,
                });
            }
            Call::Status(returns) => _ = returns.send(status(self.records.len())),
            Call::Lookup { key, returns, .. } => {
                _ = returns.send(Ok(LookupAnswer {
                    key,
                    owner: peer(10),
                    hops: 0,
                    hops_to_predecessor: 0,
                    timeouts: 0,
                    took: std::time::Duration::ZERO,
                    trace: Vec::new(),
                }));
            }
            Call::Ask { to, make, returns } => {
                let id = RequestId::of_host(1);
                if let Message::Request {
                    request: Request::Records(asked),
                    ..
                } = make(id)
                {
                    let reply = self.asked(to.id, asked.body);
                    _ = returns.send(reply.map(|reply| Message::Reply { id, reply }));
                }
            }
            _ => {}
        }
    }

    fn clock(&self) -> Stamp {
        Stamp {
            milliseconds: self.now,
            counter: 0,
            node: peer(10).id,
        }
    }

    fn write(&mut self, key: Id, write: Write) -> Result<Written, AccessError> {
        if let Some(error) = self.fails {
            return Err(error);
        }
        let record = self.records.entry(key).or_default();
        let there = record.field(&write.name).cloned();
        let found = there
            .as_ref()
            .filter(|field| field.read(self.now).is_some());
        let found = found.map(Field::stamp);
        let holds = match write.condition {
            Condition::None => true,
            Condition::Absent => found.is_none(),
            Condition::Stamp(stamp) => found == Some(stamp),
        };
        if !holds {
            return Err(Denied::Changed(found).into());
        }
        self.now += 1;
        let (stamp, replaces) = (self.clock(), there.map(|field| field.stamp()));
        let expires = write.lives.map(|lives| self.now + lives.as_millis() as u64);
        let field = match write.value {
            Some(value) => Field::new(stamp, replaces, value.into_bytes(), expires),
            None => Field::tombstone(stamp, replaces),
        };
        let merged = self.records.entry(key).or_default().put(&write.name, field);
        assert_eq!(merged.beaten, []);
        let holders = [10, 20, 30].map(|place| peer(place).id);
        Ok(Written {
            stamp,
            holders: holders[..self.reached].to_vec(),
            wanted: 3,
            majority: true,
        })
    }

    /// The last ones of the three holders stay silent if fewer are reached.
    fn asked(&mut self, to: Id, request: RecordRequest) -> Option<Reply> {
        let RecordRequest::Merge(records) = request else {
            return None;
        };
        let place = [10, 20, 30]
            .into_iter()
            .position(|place| peer(place).id == to);
        if place.is_none_or(|place| place >= self.reached) {
            return None;
        }
        for (key, record) in records {
            let _ = self.records.entry(key).or_default().merge(record);
        }
        Some(Reply::Records(Box::new(Stamped {
            forgotten: 0,
            now: self.now,
            clock: self.clock(),
            body: RecordReply::Merged,
        })))
    }

    fn page(&self, after: Option<Id>, most: usize) -> (Vec<Id>, Option<Id>) {
        let mut keys = self.records.keys().copied();
        let mut keys = keys
            .by_ref()
            .filter(|key| after.is_none_or(|after| *key > after));
        let page: Vec<Id> = keys.by_ref().take(most).collect();
        let next = keys.next().and(page.last().copied());
        (page, next)
    }
}

fn status(records: usize) -> Status {
    Status {
        release: "0.0.0".to_owned(),
        protocol: 1,
        cluster: "cuerda".to_owned(),
        public_key: "00".repeat(32),
        address: peer(10).address.to_string(),
        incarnation: 1,
        uptime_s: 1.0,
        secure: true,
        connections: 2,
        waiting_for: None,
        out_of_reach: None,
        lines_lost: crate::host::LinesLost::default(),
        disk_bytes: Some(40_960),
        stabilized_s: Some(0.5),
        nodes: vec![NodeStatus {
            id: peer(10).id,
            standing: Membership::Member,
            predecessor: peer(30),
            successors: peers(&[20, 30]),
            successors_wanted: 8,
            fingers: 2,
            remembered: Vec::new(),
            in_doubt: 0.0,
            clock_wrong_ms: None,
            records,
            scrubbed: 0,
            copies: cuerda_core::chord::Copies::default(),
            to_hand_over: None,
        }],
    }
}
