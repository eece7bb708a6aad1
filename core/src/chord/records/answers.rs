//! What a node does about records for others, and for itself in the same way.

use super::{Asker, Context, Ownership, Records, repair};
use crate::chord::Event;
use crate::chord::merging;
use crate::chord::message::{Message, Reply};
use crate::chord::record_message::{
    Claimed, Doubts, RecordNotice, RecordReply, RecordRequest, Stamped,
};
use crate::chord::variant::Variant;
use crate::chord::{Membership, Node, limits};
use crate::protocol::{Condition, Denied, Ignored, Network, RequestId};
use crate::record::{self, DigestAnswer, DigestSource, Field, Record, Stamp, TooFarAhead};
use crate::ring::{Id, KeyRange, Peer};
use crate::store::Store;

impl Records {
    /// A request about records came in.
    pub(super) fn requested<N: Network<Node>>(
        &mut self,
        from: Peer,
        id: RequestId,
        request: Stamped<RecordRequest>,
        ctx: &mut Context<'_, N>,
    ) {
        let Stamped {
            clock,
            forgotten,
            now,
            body,
        } = request;
        let reading = matches!(
            body,
            RecordRequest::Compare { .. } | RecordRequest::Fetch { .. }
        );
        // A leaving node still lets others read its records, until it is gone.
        let answers = ctx.membership == Membership::Member
            || reading && self.membership(ctx) == Membership::Leaving;
        if !answers {
            let reply = Reply::NotMember;
            return ctx.net.send(from, Message::Reply { id, reply });
        }
        self.heard_clocks(from, clock, now, ctx);
        self.hears_forgotten(forgotten, ctx);
        let body = self.by_the_clock_here(body, now, ctx);
        if let Some(reply) = self.answer(Asker::Node(from, id), body, ctx) {
            ctx.reply(from, id, &self.clock, reply);
        }
        self.arm_repair(ctx);
    }

    /// A notice about records came in. One that arrives after leaving or before joining is dropped;
    /// it is no error.
    pub(super) fn noticed<N: Network<Node>>(
        &mut self,
        from: Peer,
        notice: Stamped<RecordNotice>,
        ctx: &mut Context<'_, N>,
    ) {
        if ctx.membership != Membership::Member {
            return;
        }
        let Stamped {
            clock,
            forgotten,
            now,
            body,
        } = notice;
        self.heard_clocks(from, clock, now, ctx);
        self.hears_forgotten(forgotten, ctx);
        match body {
            RecordNotice::Forget(tombstones) => {
                forget(from, &tombstones, ctx.net);
            }
            RecordNotice::AskClock => self.tell_clock(from, RecordNotice::Clock, ctx),
            RecordNotice::Clock => {}
        }
        self.arm_repair(ctx);
    }

    /// The answer, if it does not have to wait for others.
    pub(super) fn answer<N: Network<Node>>(
        &mut self,
        asker: Asker,
        request: RecordRequest,
        ctx: &mut Context<'_, N>,
    ) -> Option<RecordReply> {
        let from = match asker {
            Asker::Node(from, _) => from,
            Asker::Client(_) => ctx.me(),
        };
        Some(match request {
            RecordRequest::Read(key) => self.read_here(key, ctx),
            RecordRequest::Write {
                key,
                name,
                field,
                condition,
            } => return self.write_here(asker, (key, name, field), condition, ctx),
            RecordRequest::Store { key, part, epoch } => self.store(key, part, epoch, ctx),
            RecordRequest::Compare { assigns: true, .. } if !self.is_staying() => {
                RecordReply::Leaving
            }
            RecordRequest::Compare { question, assigns } => {
                let answer = question.answer(ctx.net.store());
                if assigns && self.assigned(question.arc, from, answer == DigestAnswer::Same) {
                    self.note_held(ctx);
                }
                let epoch = self.epoch;
                RecordReply::Compared { answer, epoch }
            }
            RecordRequest::Fetch { keys, after } => {
                if keys.len() > limits::FETCHED_KEYS {
                    ctx.net.emit(Event::Ignored(from, Ignored::Full));
                    return None;
                }
                let reply = fetch(&keys, after, ctx.net);
                self.look_for_damage(&keys, ctx);
                reply
            }
            RecordRequest::Merge(records) => {
                if records.len() > limits::MERGED_RECORDS {
                    ctx.net.emit(Event::Ignored(from, Ignored::Full));
                    return None;
                }
                for (key, record) in records {
                    self.merge_for_others(key, record, ctx);
                }
                RecordReply::Merged
            }
            RecordRequest::Claim(arc) => {
                // Whoever claims has come anew, and does not mean to leave.
                self.stays_for.take_if(|leaver| *leaver == from.id);
                let predecessor = ctx.neighbours.predecessor().id;
                self.claimed(arc, ctx.me().id, predecessor)
            }
            RecordRequest::HandOver { arc, epoch, doubts } => {
                self.take_over(arc, epoch, &doubts, ctx)
            }
            RecordRequest::Held => RecordReply::Held(self.holds(from.id, ctx)),
            RecordRequest::Confirm { entries, leaving } => {
                if entries.len() > limits::FETCHED_KEYS {
                    ctx.net.emit(Event::Ignored(from, Ignored::Full));
                    return None;
                }
                self.confirm(from, &entries, leaving, ctx)
            }
            RecordRequest::Forget(tombstones) => {
                forget(from, &tombstones, ctx.net).then_some(RecordReply::Merged)?
            }
            RecordRequest::Leave => self.stay_for(from, ctx),
        })
    }

    fn read_here<N: Network<Node>>(&mut self, key: Id, ctx: &mut Context<'_, N>) -> RecordReply {
        let me = ctx.me().id;
        let copy_will_do = ctx.config.is_variant(Variant::CopyServed);
        if self.serves(me, key).is_none() && !(copy_will_do && has(ctx.net, key)) {
            return self.referral(key, ctx);
        }
        let record = merging::stored(ctx.net, key);
        let now = self.now(ctx);
        let damaged = ctx.net.store().is_damaged(key);
        if damaged && !ctx.config.is_variant(Variant::DamagedServed) {
            // The holders have copies; repair brings the record back from them.
            self.found_damaged(key, ctx);
            let others = self.holders(ctx);
            return RecordReply::Record {
                record,
                others,
                now,
            };
        }
        if record.is_none() && self.doubt.is_about(key) {
            return RecordReply::Denied(Denied::Uncertain);
        }
        let too_large = |record: &Record| record.size() > record::limits::RECORD_BYTES;
        if record.as_ref().is_some_and(too_large) {
            // Merging made the record too large for one message; the asker fetches it in pieces.
            let (record, others) = (None, vec![ctx.me()]);
            return RecordReply::Record {
                record,
                others,
                now,
            };
        }
        let others = Vec::new();
        RecordReply::Record {
            record,
            others,
            now,
        }
    }

    /// What others were to be given may have been found damaged.
    fn look_for_damage<N: Network<Node>>(&mut self, keys: &[Id], ctx: &mut Context<'_, N>) {
        for &key in keys {
            if ctx.net.store().is_damaged(key) && repair::digest_of(ctx.net.store(), key).is_none()
            {
                self.found_damaged(key, ctx);
            }
        }
    }

    /// A client's write to a key that this node may serve: if it does, it brings it to all holders.
    fn write_here<N: Network<Node>>(
        &mut self,
        asker: Asker,
        (key, name, field): (Id, String, Field),
        condition: Condition,
        ctx: &mut Context<'_, N>,
    ) -> Option<RecordReply> {
        if self.serves_write(key, ctx).is_none() {
            return Some(self.referral(key, ctx));
        }
        let found = merging::stored(ctx.net, key);
        if ctx.net.store().is_damaged(key) {
            // The record must come back from the holders before a write to it can be judged.
            self.repair_soon(Some(key));
            self.fail_write(asker, ctx);
            return None;
        }
        let stamp = field.stamp();
        if self.is_open(asker, key, &name, stamp) {
            return None;
        }
        if self.writes.len() >= limits::WRITES {
            return Some(RecordReply::Denied(Denied::TooManyWrites));
        }
        let record = found.unwrap_or_default();
        match self.judge((key, &record), &name, &field, condition, ctx) {
            Err(reply) => Some(reply),
            Ok(field) => {
                let before = record.field(&name).cloned();
                let write = (key, name, field);
                self.replicate(asker, stamp, write, before, condition, ctx);
                None
            }
        }
    }

    /// A value that lives for a time ends by the clock of its key's owner, from the first: the asker
    /// can only say when that is by its own.
    fn by_the_clock_here<N: Network<Node>>(
        &self,
        mut request: RecordRequest,
        theirs: u64,
        ctx: &Context<'_, N>,
    ) -> RecordRequest {
        if let RecordRequest::Write { field, .. } = &mut request
            && theirs != 0
            && !ctx.config.is_variant(Variant::ExpiryOfTheAsker)
        {
            let here = self.now(ctx);
            field.shift_expiry(|expires| here.saturating_add(expires.saturating_sub(theirs)));
        }
        request
    }

    /// Judges a write by the record as the owner has it: the field to be stored, or the answer
    /// that refuses it.
    fn judge<N: Network<Node>>(
        &self,
        (key, record): (Id, &Record),
        name: &str,
        field: &Field,
        condition: Condition,
        ctx: &mut Context<'_, N>,
    ) -> Result<Field, RecordReply> {
        let there = record.field(name);
        let stamp = field.stamp();
        let now = self.now(ctx);
        if let Some(ahead) = too_far(stamp, there, now)
            && !ctx.config.is_variant(Variant::FarStampAccepted)
        {
            return Err(RecordReply::Denied(ahead.into()));
        }
        let replaces = match there {
            // The same write, sent again.
            Some(there) if there.stamp() == field.stamp() => return Ok(there.clone()),
            // A later write replaced this one, so it had been done.
            Some(there) if there.replaces() == Some(field.stamp()) => return Ok(there.clone()),
            Some(there) if there.stamp() > field.stamp() => {
                return Err(RecordReply::Beaten(there.stamp()));
            }
            there => there.map(Field::stamp),
        };
        let found = there.filter(|there| there.read(now).is_some());
        let holds = match condition {
            _ if ctx.config.is_variant(Variant::ConditionIgnored) => true,
            Condition::None => true,
            Condition::Absent => found.is_none(),
            Condition::Stamp(stamp) => found.map(Field::stamp) == Some(stamp),
        };
        let denied = |denied: Denied| Err(RecordReply::Denied(denied));
        if condition != Condition::None && found.is_none() && self.doubt.is_about(key) {
            return denied(Denied::Uncertain);
        }
        if !holds {
            return denied(Denied::Changed(found.map(Field::stamp)));
        }
        let field = match field.value() {
            Some(value) => Field::new(field.stamp(), replaces, value.clone(), field.expires()),
            None => Field::tombstone(field.stamp(), replaces),
        };
        if let Err(limit) = record::limits::check(record, name, &field) {
            return denied(limit.into());
        }
        let keys_max = ctx.config.keys_max;
        if record.is_empty() && ctx.net.store().len() >= keys_max as usize {
            // Copies for others don't count.
            let me = ctx.me().id;
            let own = self.ownership.map_or(0, |ownership| {
                ctx.net.store().digest(ownership.arc(me)).records()
            });
            if own >= keys_max {
                return denied(Denied::Keys(own));
            }
        }
        Ok(field)
    }

    /// Holds a write for the owner of its key.
    fn store<N: Network<Node>>(
        &mut self,
        key: Id,
        part: Record,
        epoch: u64,
        ctx: &mut Context<'_, N>,
    ) -> RecordReply {
        let me = ctx.me().id;
        self.heard_epoch(epoch);
        let refuses = !ctx.config.is_variant(Variant::OwnerDoesNotRefuse);
        if self.serves(me, key).is_some() && refuses {
            // Two nodes serve the key because one was wrongly presumed dead. The one that should
            // not serve it hands over what the other lacks.
            let epoch = self.next_epoch();
            if let Some(ownership) = &mut self.ownership {
                ownership.epoch = epoch;
            }
            return RecordReply::Superseded(epoch);
        }
        if !self.is_staying() {
            return RecordReply::Leaving;
        }
        if !ctx.config.is_variant(Variant::FarStampHeld) {
            // An owner with a wrong clock brings what nobody could write over by the time. What is
            // there is looked at only then.
            let now = self.now(ctx);
            let judge = |(name, field): (&str, &Field)| {
                too_far(field.stamp(), None, now)?;
                let mine = merging::stored(ctx.net, key).unwrap_or_default();
                too_far(field.stamp(), mine.field(name), now)
            };
            if let Some(ahead) = part.fields().find_map(judge) {
                return RecordReply::Ahead(ahead);
            }
        }
        let merged = merging::merge(ctx.net, key, part, ctx.config.variation());
        match merged.beaten.first() {
            Some(beaten) if !ctx.config.is_variant(Variant::BeatenAcknowledged) => {
                RecordReply::Beaten(beaten.by)
            }
            _ => RecordReply::Stored,
        }
    }

    fn merge_for_others<N: Network<Node>>(
        &mut self,
        key: Id,
        record: Record,
        ctx: &mut Context<'_, N>,
    ) {
        let me = ctx.me().id;
        let merged = merging::merge(ctx.net, key, record, ctx.config.variation());
        if self.serves(me, key).is_some() && !merged.changed.is_empty() {
            self.changed_here(&[key]);
            self.repair_soon(Some(key));
        }
    }

    pub(super) fn claimed(&mut self, arc: KeyRange, me: Id, predecessor: Id) -> RecordReply {
        let by = match (self.ownership, &self.acquire) {
            (Some(ownership), _) if ownership.arc(me).contains(arc.end) => Claimed::Here,
            // Also before what it serves there may be somebody whom neither of the two has met yet.
            (_, Some(acquire)) if !acquire.is_vacant() => Claimed::Unknown,
            // Whom the claimer does not know yet may serve it: that one comes after it, not this node.
            _ if predecessor.is_between(arc.end, me) => Claimed::Unknown,
            _ => Claimed::Elsewhere,
        };
        // A claim of what is served here may call for a hand-over: see whether one should start.
        self.unsettled |= by == Claimed::Here;
        RecordReply::Claimed {
            by,
            epoch: self.epoch,
        }
    }

    fn take_over<N: Network<Node>>(
        &mut self,
        arc: KeyRange,
        epoch: u64,
        doubts: &Doubts,
        ctx: &mut Context<'_, N>,
    ) -> RecordReply {
        if self.taken == Some((arc, epoch)) {
            return RecordReply::Taken;
        }
        if !self.is_staying() && !ctx.config.is_variant(Variant::LeaverTakesOver) {
            // A leaving node takes no arc over: the node after it takes both its arc and this one.
            return self.referral(arc.end, ctx);
        }
        let extended = Ownership::extended(self.ownership, ctx.me().id, arc, epoch);
        let numbered = !ctx.config.is_variant(Variant::HandOverUnnumbered);
        let is_late = numbered && epoch <= self.epoch;
        if is_late || !self.is_likely(epoch) || extended.is_none() {
            return RecordReply::Superseded(self.epoch);
        }
        let me = ctx.me().id;
        let served = self.ownership.map(|own| own.arc(me));
        self.ownership = extended;
        self.epoch = epoch;
        self.taken = Some((arc, epoch));
        self.stop_acquiring(ctx);
        // What it served before, it knew as well as it does: two rings have become one.
        let new = match served {
            Some(served) => arc.without(served).collect(),
            None => vec![arc],
        };
        self.doubts_taken_over(&new, doubts, ctx);
        self.ownership_changed(ctx);
        RecordReply::Taken
    }
}

/// Whether a stamp is too far ahead to be taken in from a writer, or its owner, where this is there:
/// what follows that in the same millisecond is no farther ahead.
fn too_far(stamp: Stamp, there: Option<&Field>, now: u64) -> Option<TooFarAhead> {
    let by = stamp.milliseconds.saturating_sub(now);
    let follows = there.is_some_and(|there| there.stamp().milliseconds >= stamp.milliseconds);
    (by > record::limits::SKEW_MAX && !follows).then_some(TooFarAhead { stamp, by })
}

/// Whether the node has anything under a key.
fn has(net: &mut impl Network<Node>, key: Id) -> bool {
    merging::stored(net, key).is_some()
}

/// As many records as fit into a message.
fn fetch(keys: &[Id], mut after: Option<String>, net: &mut impl Network<Node>) -> RecordReply {
    let (mut records, mut room) = (Vec::new(), limits::MERGED_BYTES);
    let mut more = None;
    for &key in keys {
        let found = merging::stored(net, key).unwrap_or_default();
        let rest: Record = match after.take() {
            None => found,
            Some(after) => found
                .fields()
                .filter(|(name, _)| *name > after.as_str())
                .map(|(name, field)| (name.to_owned(), field.clone()))
                .collect(),
        };
        let size = rest.size();
        if size > room && !records.is_empty() {
            break;
        }
        room = room.saturating_sub(size);
        if size <= limits::MERGED_BYTES {
            records.push((key, rest));
            continue;
        }
        let piece = rest.pieces(limits::MERGED_BYTES).into_iter().next();
        let piece = piece.unwrap_or_default();
        let last = piece.fields().last().map(|(name, _)| name.to_owned());
        records.push((key, piece));
        more = last;
        break;
    }
    RecordReply::Records { records, more }
}

/// Drops tombstones, if they are still the ones that are meant. False if there are more than any
/// correct node names.
fn forget(from: Peer, tombstones: &[(Id, String, Stamp)], net: &mut impl Network<Node>) -> bool {
    if tombstones.len() > limits::FETCHED_KEYS {
        net.emit(Event::Ignored(from, Ignored::Full));
        return false;
    }
    for (key, name, stamp) in tombstones {
        let Some(mut record) = merging::stored(net, *key) else {
            continue;
        };
        let gone = record.collect(u64::MAX, 0, |of, has| of == name && has == *stamp);
        if gone.is_empty() {
            continue;
        }
        if record.is_empty() {
            net.store().remove(*key);
        } else {
            net.store().put(*key, record);
        }
    }
    true
}
