//! What a node's clients read and write, wherever the record is.

use std::task::Poll;

use super::{Asker, Context, Effect, Records};
use crate::chord::ask::Settled;
use crate::chord::op::{Access, AccessKind, Outcome, Step};
use crate::chord::record_message::RecordReply;
use crate::chord::{Event, Membership, Node, limits};
use crate::protocol::{AccessError, Denied, Fetched, LookupError, Network, Write};
use crate::record::{Field, Stamp};
use crate::ring::{Id, Peer};

impl Records {
    /// A client writes.
    pub(super) fn write<N: Network<Node>>(
        &mut self,
        token: u64,
        key: Id,
        write: Write,
        ctx: &mut Context<'_, N>,
    ) {
        let result = match self.may_access(ctx) {
            Err(error) => Err(error),
            Ok(()) => self.stamp(write.past, ctx).map_err(AccessError::from),
        };
        match result {
            Err(error) => ctx.net.emit(Event::Written {
                token,
                result: Err(error),
            }),
            Ok(stamp) => {
                let lives = write.lives.map(|lives| {
                    let lives = u64::try_from(lives.as_millis()).unwrap_or(u64::MAX);
                    ctx.net.wall_clock().saturating_add(lives)
                });
                let field = match write.value {
                    Some(value) => Field::new(stamp, None, value, lives),
                    None => Field::tombstone(stamp, None),
                };
                let purpose = AccessKind::Write {
                    name: write.name,
                    field,
                    condition: write.condition,
                };
                let access = Access::new(token, key, ctx.me(), purpose);
                self.run_access(access, Some(Step::Seek), None, ctx);
            }
        }
    }

    /// A client reads.
    pub(super) fn read<N: Network<Node>>(
        &mut self,
        token: u64,
        key: Id,
        past: Stamp,
        ctx: &mut Context<'_, N>,
    ) {
        if let Err(error) = self.may_access(ctx) {
            let result = Err(error);
            return ctx.net.emit(Event::Read { token, result });
        }
        self.heard_clock(past, ctx);
        let access = Access::new(token, key, ctx.me(), AccessKind::Read);
        self.run_access(access, Some(Step::Seek), None, ctx);
    }

    fn may_access<N>(&self, ctx: &Context<'_, N>) -> Result<(), AccessError> {
        if ctx.membership != Membership::Member {
            return Err(LookupError::NotMember.into());
        }
        if self.accesses.len() >= limits::ACCESSES {
            return Err(AccessError::TooManyAccesses);
        }
        Ok(())
    }

    /// A stamp for a write that comes after `past`. Its mark goes to the disk before it leaves.
    fn stamp<N: Network<Node>>(
        &mut self,
        past: Stamp,
        ctx: &mut Context<'_, N>,
    ) -> Result<Stamp, Denied> {
        let now = ctx.net.wall_clock();
        let stamp = self.clock.issue_above(now, past)?;
        if let Some(mark) = self.clock.must_commit() {
            self.clock.committed(mark);
            ctx.note(|notes| notes.mark = mark);
        }
        Ok(stamp)
    }

    pub(super) fn poll_access<N: Network<Node>>(
        &mut self,
        at: usize,
        settled: (u32, Settled),
        ctx: &mut Context<'_, N>,
    ) {
        let access = self.accesses.swap_remove(at);
        self.run_access(access, None, Some(settled), ctx);
    }

    fn take_access(&mut self, token: u64) -> Option<Access> {
        let accesses = &mut self.accesses;
        let at = accesses.iter().position(|access| access.token == token)?;
        Some(accesses.swap_remove(at))
    }

    /// The owner of the key of a client's operation was looked up.
    pub(super) fn access_sought<N: Network<Node>>(
        &mut self,
        token: u64,
        outcome: &Outcome,
        ctx: &mut Context<'_, N>,
    ) {
        if let Some(mut access) = self.take_access(token) {
            let step = access.sought(outcome.result, outcome.predecessor);
            self.run_access(access, step, None, ctx);
        }
    }

    /// This node itself has answered.
    fn access_answered<N: Network<Node>>(
        &mut self,
        token: u64,
        reply: RecordReply,
        ctx: &mut Context<'_, N>,
    ) {
        if let Some(mut access) = self.take_access(token) {
            let step = access.heard(ctx.me(), Some(reply));
            self.run_access(access, step, None, ctx);
        }
    }

    /// Does what an operation says, until it waits or ends.
    fn run_access<N: Network<Node>>(
        &mut self,
        mut access: Access,
        mut step: Option<Step>,
        mut settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        let token = access.token;
        loop {
            match step.take() {
                None => {
                    let clock = self.clock.latest();
                    let mut ask = ctx.ask(&mut self.next_request, clock, settled.take());
                    match access.poll(&mut ask) {
                        Poll::Ready(next) => step = Some(next),
                        Poll::Pending => return self.accesses.push(access),
                    }
                }
                Some(Step::Seek) => match self.membership(ctx) {
                    Membership::Member => {
                        let key = access.key;
                        self.accesses.push(access);
                        return ctx.effects.push(Effect::SeekOwner { token, key });
                    }
                    Membership::Leaving => step = Some(access.fail(LookupError::Stopped.into())),
                    _ => step = access.sought(Err(LookupError::NotMember), None),
                },
                Some(Step::Here(request)) => {
                    self.accesses.push(access);
                    let Some(reply) = self.answer(Asker::Client(token), request, ctx) else {
                        return;
                    };
                    let Some(again) = self.take_access(token) else {
                        return;
                    };
                    access = again;
                    step = access.heard(ctx.me(), Some(reply));
                }
                Some(Step::Restamp(above)) => {
                    step = match self.stamp(above, ctx) {
                        Ok(stamp) => access.stamped(stamp),
                        Err(denied) => Some(access.fail(denied.into())),
                    };
                }
                Some(Step::Read(result)) => {
                    let clock = self.clock.latest();
                    let result = result.map(|fetched| Fetched { clock, ..fetched });
                    ctx.net.emit(Event::Read { token, result });
                    return ctx.effects.push(Effect::LeaveWhenIdle);
                }
                Some(Step::Wrote(result)) => {
                    ctx.net.emit(Event::Written { token, result });
                    return ctx.effects.push(Effect::LeaveWhenIdle);
                }
            }
        }
    }

    /// The node stops: every client hears of it.
    pub(super) fn stop_accesses<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        for access in std::mem::take(&mut self.accesses) {
            let token = access.token;
            match access.fail(LookupError::Stopped.into()) {
                Step::Read(result) => ctx.net.emit(Event::Read { token, result }),
                Step::Wrote(result) => ctx.net.emit(Event::Written { token, result }),
                _ => {}
            }
        }
    }

    /// Tells who asked.
    pub(super) fn respond<N: Network<Node>>(
        &mut self,
        asker: Asker,
        reply: RecordReply,
        ctx: &mut Context<'_, N>,
    ) {
        match asker {
            Asker::Node(peer, id) => ctx.reply(peer, id, self.clock.latest(), reply),
            Asker::Client(token) => self.access_answered(token, reply, ctx),
        }
    }

    /// Who may serve a key that this node does not serve.
    pub(super) fn referral<N: Network<Node>>(&self, key: Id, ctx: &Context<'_, N>) -> RecordReply {
        let me = ctx.me();
        let acquire = self.acquire.as_ref();
        let ask = if !ctx.neighbours.own().contains(key) {
            ctx.neighbours.predecessor()
        } else if acquire.is_some_and(|acquire| !acquire.is_vacant()) {
            ctx.neighbours.successor()
        } else {
            me
        };
        let mut holders = ctx.holders();
        holders.insert(0, me);
        RecordReply::NotServing { ask, holders }
    }

    /// A write that can't go on here is tried again elsewhere.
    pub(super) fn fail_write<N: Network<Node>>(&mut self, asker: Asker, ctx: &mut Context<'_, N>) {
        let reply = RecordReply::NotServing {
            ask: ctx.me(),
            holders: Vec::<Peer>::new(),
        };
        self.respond(asker, reply, ctx);
    }
}
