//! What a node's clients read and write, wherever the record is.

use super::{Asker, asking};
use crate::chord::Event;
use crate::chord::ask::Settled;
use crate::chord::limits;
use crate::chord::op::{Access, Outcome, Purpose, Step};
use crate::chord::record_message::RecordReply;
use crate::chord::{Membership, Node};
use crate::protocol::LookupError;
use crate::protocol::Network;
use crate::protocol::{AccessError, Denied, Fetched, Write};
use crate::record::{Field, Stamp};
use crate::ring::{Id, Peer};
use std::task::Poll;

impl Node {
    /// A client writes.
    pub(in crate::chord) fn write(
        &mut self,
        token: u64,
        key: Id,
        write: Write,
        net: &mut impl Network<Node>,
    ) {
        let result = match self.may_access() {
            Err(error) => Err(error),
            Ok(()) => self.stamp(write.past, net).map_err(AccessError::from),
        };
        match result {
            Err(error) => net.emit(Event::Written {
                token,
                result: Err(error),
            }),
            Ok(stamp) => {
                let lives = write.lives.map(|lives| {
                    let lives = u64::try_from(lives.as_millis()).unwrap_or(u64::MAX);
                    net.wall_clock().saturating_add(lives)
                });
                let field = match write.value {
                    Some(value) => Field::new(stamp, None, value, lives),
                    None => Field::tombstone(stamp, None),
                };
                let purpose = Purpose::Write {
                    name: write.name,
                    field,
                    condition: write.condition,
                };
                let access = Access::new(token, key, self.me(), purpose);
                self.run_access(access, Some(Step::Seek), None, net);
            }
        }
    }

    /// A client reads.
    pub(in crate::chord) fn read(
        &mut self,
        token: u64,
        key: Id,
        past: Stamp,
        net: &mut impl Network<Node>,
    ) {
        if let Err(error) = self.may_access() {
            let result = Err(error);
            return net.emit(Event::Read { token, result });
        }
        self.heard_clock(past, net);
        let access = Access::new(token, key, self.me(), Purpose::Read);
        self.run_access(access, Some(Step::Seek), None, net);
    }

    fn may_access(&self) -> Result<(), AccessError> {
        match &self.records {
            Some(keeping) if self.is_member() => {
                if keeping.accesses.len() >= limits::ACCESSES {
                    return Err(AccessError::TooManyAccesses);
                }
                Ok(())
            }
            _ => Err(LookupError::NotMember.into()),
        }
    }

    /// A stamp for a write that comes after `past`. Its mark goes to the disk before it leaves.
    fn stamp(&mut self, past: Stamp, net: &mut impl Network<Node>) -> Result<Stamp, Denied> {
        let now = net.wall_clock();
        let keeping = self.records.as_mut().ok_or(Denied::Beaten)?;
        let stamp = keeping.clock.issue_above(now, past)?;
        if let Some(mark) = keeping.clock.must_commit() {
            keeping.clock.committed(mark);
            self.note(net, |notes| notes.mark = mark);
        }
        Ok(stamp)
    }

    pub(super) fn poll_access(
        &mut self,
        at: usize,
        settled: (u32, Settled),
        net: &mut impl Network<Node>,
    ) {
        if let Some(keeping) = &mut self.records {
            let access = keeping.accesses.swap_remove(at);
            self.run_access(access, None, Some(settled), net);
        }
    }

    fn take_access(&mut self, token: u64) -> Option<Access> {
        let accesses = &mut self.records.as_mut()?.accesses;
        let at = accesses.iter().position(|access| access.token == token)?;
        Some(accesses.swap_remove(at))
    }

    /// The owner of the key of a client's operation was looked up.
    pub(in crate::chord) fn access_sought(
        &mut self,
        token: u64,
        outcome: &Outcome,
        net: &mut impl Network<Node>,
    ) {
        if let Some(mut access) = self.take_access(token) {
            let step = access.sought(outcome.result, outcome.predecessor);
            self.run_access(access, step, None, net);
        }
    }

    /// This node itself has answered.
    pub(super) fn access_answered(
        &mut self,
        token: u64,
        reply: RecordReply,
        net: &mut impl Network<Node>,
    ) {
        if let Some(mut access) = self.take_access(token) {
            let step = access.heard(self.me(), Some(reply));
            self.run_access(access, step, None, net);
        }
    }

    /// Does what an operation says, until it waits or ends.
    fn run_access(
        &mut self,
        mut access: Access,
        mut step: Option<Step>,
        mut settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        let token = access.token;
        loop {
            let standing = self.standing();
            let Some(keeping) = &mut self.records else {
                return;
            };
            match step.take() {
                None => {
                    let mut ask = asking!(self, keeping, net, settled.take());
                    match access.poll(&mut ask) {
                        Poll::Ready(next) => step = Some(next),
                        Poll::Pending => return keeping.accesses.push(access),
                    }
                }
                Some(Step::Seek) if standing == Membership::Member => {
                    let key = access.key;
                    keeping.accesses.push(access);
                    return self.seek_owner(token, key, net);
                }
                Some(Step::Seek) if standing == Membership::Leaving => {
                    step = Some(access.fail(LookupError::Stopped.into()));
                }
                Some(Step::Seek) => step = access.sought(Err(LookupError::NotMember), None),
                Some(Step::Here(request)) => {
                    keeping.accesses.push(access);
                    let answer = self.answer_records(Asker::Client(token), request, net);
                    let Some(reply) = answer else {
                        return;
                    };
                    let me = self.me();
                    let Some(again) = self.take_access(token) else {
                        return;
                    };
                    access = again;
                    step = access.heard(me, Some(reply));
                }
                Some(Step::Restamp(above)) => {
                    step = match self.stamp(above, net) {
                        Ok(stamp) => access.stamped(stamp),
                        Err(denied) => Some(access.fail(denied.into())),
                    };
                }
                Some(Step::Read(result)) => {
                    let clock = keeping.clock.latest();
                    let result = result.map(|fetched| Fetched { clock, ..fetched });
                    net.emit(Event::Read { token, result });
                    return self.leave_when_idle(net);
                }
                Some(Step::Wrote(result)) => {
                    net.emit(Event::Written { token, result });
                    return self.leave_when_idle(net);
                }
            }
        }
    }

    /// Whether clients wait for the end of what they asked.
    pub(in crate::chord) fn has_accesses(&self) -> bool {
        let keeping = self.records.as_ref();
        keeping.is_some_and(|keeping| !keeping.accesses.is_empty())
    }

    /// The node stops: every client hears of it.
    pub(in crate::chord) fn stop_accesses(&mut self, net: &mut impl Network<Node>) {
        let Some(keeping) = &mut self.records else {
            return;
        };
        for access in std::mem::take(&mut keeping.accesses) {
            let token = access.token;
            match access.fail(LookupError::Stopped.into()) {
                Step::Read(result) => net.emit(Event::Read { token, result }),
                Step::Wrote(result) => net.emit(Event::Written { token, result }),
                _ => {}
            }
        }
    }

    /// Tells who asked.
    pub(super) fn respond(
        &mut self,
        asker: Asker,
        reply: RecordReply,
        net: &mut impl Network<Node>,
    ) {
        match asker {
            Asker::Node(peer, id) => self.reply(peer, id, reply, net),
            Asker::Client(token) => self.access_answered(token, reply, net),
        }
    }

    /// Who may serve a key that this node does not serve.
    pub(super) fn referral(&self, key: Id) -> RecordReply {
        let me = self.me();
        let keeping = self.records.as_ref();
        let acquire = keeping.and_then(|keeping| keeping.acquire.as_ref());
        let ask = if !self.neighbours.own().contains(key) {
            self.neighbours.predecessor()
        } else if acquire.is_some_and(|acquire| !acquire.is_vacant()) {
            self.neighbours.successor()
        } else {
            me
        };
        let mut holders = self.holders();
        holders.insert(0, me);
        RecordReply::NotServing { ask, holders }
    }

    /// A write that can't go on here is tried again elsewhere.
    pub(super) fn fail_write(&mut self, asker: Asker, net: &mut impl Network<Node>) {
        let reply = RecordReply::NotServing {
            ask: self.me(),
            holders: Vec::<Peer>::new(),
        };
        self.respond(asker, reply, net);
    }
}
