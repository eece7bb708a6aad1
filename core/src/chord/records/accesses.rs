//! What a node's clients read and write, wherever the record is.

use std::task::Poll;

use super::{Asker, ClientAccess, Context, Effect, Records, RecordsWaiter};
use crate::chord::ask::Settled;
use crate::chord::op::{Access, AccessKind, Outcome, Step};
use crate::chord::record_message::RecordReply;
use crate::chord::variant::Variant;
use crate::chord::{Event, Membership, Node, limits};
use crate::protocol::{AccessError, Denied, Fetched, LookupError, Network, Write};
use crate::record::limits::SKEW_MAX;
use crate::record::{Field, Stamp, TooFarAhead};
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
            Ok(()) => TooFarAhead::judge(write.past, self.now(ctx))
                .map_err(Denied::from)
                .and_then(|()| self.stamp(write.past, ctx))
                .map_err(AccessError::from),
        };
        match result {
            Err(error) => ctx.net.emit(Event::Written {
                token,
                result: Err(error),
            }),
            Ok(stamp) => {
                let lives = write.lives.map(|lives| {
                    let lives = u64::try_from(lives.as_millis()).unwrap_or(u64::MAX);
                    if ctx.config.is_variant(Variant::LivesTooLong) {
                        lives.saturating_mul(1000)
                    } else if ctx.config.is_variant(Variant::LivesTooShort) {
                        lives / 1000
                    } else {
                        lives
                    }
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
                self.begin_access(Access::new(token, key, ctx.me(), purpose), ctx);
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
        let _ = self.clock.heard(past, ctx.net.wall_clock());
        self.begin_access(Access::new(token, key, ctx.me(), AccessKind::Read), ctx);
    }

    fn begin_access<N: Network<Node>>(&mut self, access: Access, ctx: &mut Context<'_, N>) {
        let at = self.accesses.put(access);
        self.run_access(at, Some(Step::Seek), None, ctx);
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
        self.may_stamp(ctx)?;
        let now = ctx.net.wall_clock();
        let past = match ctx.config.is_variant(Variant::PastIgnored) {
            true => Stamp::ZERO,
            false => past,
        };
        let stamp = self.clock.issue_above(now, past)?;
        if let Some(mark) = self.clock.must_commit() {
            self.clock.committed(mark);
            if !ctx.config.is_variant(Variant::MarkNotKept) {
                ctx.note(|notes| notes.mark = mark);
            }
        }
        Ok(stamp)
    }

    pub(super) fn poll_access<N: Network<Node>>(
        &mut self,
        at: u16,
        settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        self.run_access(at, None, settled, ctx);
    }

    /// This very operation of a client's, if it has not ended.
    fn access_mut(&mut self, access: ClientAccess) -> Option<&mut Access> {
        let found = self.accesses.get_mut(access.at);
        found.filter(|found| found.token == access.token)
    }

    /// The owner of the key of a client's operation was looked up.
    pub(super) fn access_sought<N: Network<Node>>(
        &mut self,
        access: ClientAccess,
        outcome: &Outcome,
        ctx: &mut Context<'_, N>,
    ) {
        if let Some(sought) = self.access_mut(access) {
            let step = sought.sought(outcome.result, outcome.predecessor);
            self.run_access(access.at, step, None, ctx);
        }
    }

    /// This node itself has answered.
    fn access_answered<N: Network<Node>>(
        &mut self,
        access: ClientAccess,
        reply: RecordReply,
        ctx: &mut Context<'_, N>,
    ) {
        if let Some(answered) = self.access_mut(access) {
            let step = answered.heard(ctx.me(), Some(reply));
            self.run_access(access.at, step, None, ctx);
        }
    }

    /// Does what the operation in this place says, until it waits or ends.
    fn run_access<N: Network<Node>>(
        &mut self,
        at: u16,
        mut step: Option<Step>,
        mut settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        loop {
            let membership = self.membership(ctx);
            let Some(access) = self.accesses.get_mut(at) else {
                return;
            };
            let (token, key) = (access.token, access.key);
            let this = ClientAccess { at, token };
            match step.take() {
                None => {
                    let waiter = RecordsWaiter::Access(at);
                    let mut ask = ctx.ask(waiter, &mut self.clock, settled.take());
                    match access.poll(&mut ask) {
                        Poll::Ready(next) => step = Some(next),
                        Poll::Pending => return,
                    }
                }
                Some(Step::Seek) => match membership {
                    Membership::Member => {
                        return ctx.effects.push(Effect::SeekOwner { access: this, key });
                    }
                    Membership::Leaving => step = Some(access.fail(LookupError::Stopped.into())),
                    _ => step = access.sought(Err(LookupError::NotMember), None),
                },
                Some(Step::Here(request)) => {
                    let request = request.lives_from(self.now(ctx));
                    let Some(reply) = self.answer(Asker::Client(this), request, ctx) else {
                        return;
                    };
                    let Some(access) = self.access_mut(this) else {
                        return;
                    };
                    step = access.heard(ctx.me(), Some(reply));
                }
                Some(Step::Restamp(above)) => {
                    let now = self.now(ctx);
                    let far = above.milliseconds.saturating_sub(now) >= SKEW_MAX;
                    let stamp = match far {
                        // What is there is from a wrong clock, and must not stay for its sake.
                        true if !ctx.config.is_variant(Variant::FarStampStays) => self
                            .may_stamp(ctx)
                            .and_then(|()| Ok(self.clock.follow(above, now)?)),
                        _ => self.stamp(above, ctx),
                    };
                    let Some(access) = self.accesses.get_mut(at) else {
                        return;
                    };
                    step = match stamp {
                        Ok(stamp) => access.stamped(stamp),
                        Err(denied) => Some(access.fail(denied.into())),
                    };
                }
                Some(Step::Read(result)) => {
                    self.accesses.take(at);
                    let clock = self.clock.told(ctx.net.wall_clock());
                    // Where nobody answers for the key, nobody's clock counts but this one.
                    let here = self.now(ctx);
                    let result = result.map(|fetched| Fetched {
                        clock,
                        now: if fetched.now == 0 { here } else { fetched.now },
                        ..fetched
                    });
                    ctx.net.emit(Event::Read { token, result });
                    return ctx.effects.push(Effect::LeaveWhenIdle);
                }
                Some(Step::Wrote(result)) => {
                    self.accesses.take(at);
                    ctx.net.emit(Event::Written { token, result });
                    return ctx.effects.push(Effect::LeaveWhenIdle);
                }
            }
        }
    }

    /// The node stops: every client hears of it.
    pub(super) fn stop_accesses<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        for (_, access) in std::mem::take(&mut self.accesses).iter() {
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
            Asker::Node(peer, id) => ctx.reply(peer, id, &self.clock, reply),
            Asker::Client(access) => self.access_answered(access, reply, ctx),
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
        // If the owner is dead, what it acknowledged is on some of those that come next: on the
        // nearest, unless they have only just come. So all are named whom a node would fetch from
        // that takes the arc over.
        let successors = ctx.neighbours.successors().iter().copied();
        let holders = std::iter::once(me).chain(successors).collect();
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
