//! What a node does about records for others, and for itself in the same way.

use super::{Asker, Ownership};
use crate::chord::Event;
use crate::chord::merging;
use crate::chord::message::{Message, Reply};
use crate::chord::record_message::{Claimed, RecordReply, RecordRequest, Stamped};
use crate::chord::{Membership, Node, limits};
use crate::protocol::RequestId;
use crate::protocol::{Condition, Denied};
use crate::protocol::{Ignored, Network};
use crate::record::{self, Field, Holdings, Record, Stamp, TooFarAhead};
use crate::ring::{Arc, Id, Peer};
use crate::store::Store;

impl Node {
    /// A request about records came in.
    pub(in crate::chord) fn handle_records(
        &mut self,
        from: Peer,
        id: RequestId,
        request: Stamped<RecordRequest>,
        net: &mut impl Network<Node>,
    ) {
        let Stamped { clock, body } = request;
        let reading = matches!(
            body,
            RecordRequest::Compare { .. } | RecordRequest::Fetch { .. }
        );
        // Who is leaving still shows what it has, until it is gone.
        let answers = self.is_member() || reading && self.standing() == Membership::Leaving;
        if self.records.is_none() || !answers {
            let reply = Reply::NotMember;
            return net.send(from, Message::Reply { id, reply });
        }
        self.heard_clock(clock, net);
        if let Some(reply) = self.answer_records(Asker::Node(from, id), body, net) {
            self.reply(from, id, reply, net);
        }
        self.arm_repair(net);
    }

    /// The answer, if it does not have to wait for others.
    pub(super) fn answer_records(
        &mut self,
        asker: Asker,
        request: RecordRequest,
        net: &mut impl Network<Node>,
    ) -> Option<RecordReply> {
        let from = match asker {
            Asker::Node(from, _) => from,
            Asker::Client(_) => self.me(),
        };
        Some(match request {
            RecordRequest::Read(key) => self.read_here(key, net),
            RecordRequest::Write {
                key,
                name,
                field,
                condition,
            } => return self.write_here(asker, (key, name, field), condition, net),
            RecordRequest::Store { key, part, number } => self.store(key, part, number, net),
            RecordRequest::Compare { question, charge } => {
                if charge {
                    self.assigned(question.arc, from);
                }
                RecordReply::Compared {
                    answer: question.answer(net.store()),
                    number: self.records.as_ref()?.number,
                }
            }
            RecordRequest::Fetch { keys, after } => {
                if keys.len() > limits::FETCHED_KEYS {
                    net.emit(Event::Ignored(from, Ignored::Full));
                    return None;
                }
                fetch(&keys, after, net)
            }
            RecordRequest::Merge(records) => {
                if records.len() > limits::MERGED_RECORDS {
                    net.emit(Event::Ignored(from, Ignored::Full));
                    return None;
                }
                for (key, record) in records {
                    self.merge_for_others(key, record, net);
                }
                RecordReply::Merged
            }
            RecordRequest::Claim(arc) => self.claimed(arc),
            RecordRequest::HandOver { arc, number } => self.take_over(arc, number, net),
            RecordRequest::Confirm { entries, leaving } => {
                if entries.len() > limits::FETCHED_KEYS {
                    net.emit(Event::Ignored(from, Ignored::Full));
                    return None;
                }
                self.confirm(from, &entries, leaving, net)
            }
            RecordRequest::Forget(tombstones) => {
                if tombstones.len() > limits::FETCHED_KEYS {
                    net.emit(Event::Ignored(from, Ignored::Full));
                    return None;
                }
                forget(&tombstones, net);
                RecordReply::Merged
            }
        })
    }

    fn read_here(&mut self, key: Id, net: &mut impl Network<Node>) -> RecordReply {
        let me = self.me().id;
        let served = self
            .records
            .as_ref()
            .and_then(|keeping| keeping.serves(me, key));
        if served.is_none() {
            return self.referral(key);
        }
        let record = merging::stored(net, key);
        if net.store().is_damaged(key) {
            return self.damaged(key, record);
        }
        let too_large = |record: &Record| record.size() > record::limits::RECORD_BYTES;
        if record.as_ref().is_some_and(too_large) {
            // Come of merging: it is fetched in pieces.
            let (record, others) = (None, vec![self.me()]);
            return RecordReply::Record { record, others };
        }
        let others = Vec::new();
        RecordReply::Record { record, others }
    }

    /// What was here is with the holders, and comes back from there.
    fn damaged(&mut self, key: Id, record: Option<Record>) -> RecordReply {
        self.repair_soon(Some(key));
        let others = self.holders();
        RecordReply::Record { record, others }
    }

    /// A write that this node should bring to all holders.
    fn write_here(
        &mut self,
        asker: Asker,
        (key, name, field): (Id, String, Field),
        condition: Condition,
        net: &mut impl Network<Node>,
    ) -> Option<RecordReply> {
        let me = self.me().id;
        let served = self.records.as_ref()?.serves(me, key);
        if served.is_none() {
            return Some(self.referral(key));
        }
        let found = merging::stored(net, key);
        if net.store().is_damaged(key) {
            // It is tried again when there is something to judge by.
            self.repair_soon(Some(key));
            self.fail_write(asker, net);
            return None;
        }
        let stamp = field.stamp();
        if self.is_open(asker, key, &name, stamp) {
            return None;
        }
        if self.open_writes() >= limits::WRITES {
            return Some(RecordReply::Denied(Denied::TooManyWrites));
        }
        let record = found.unwrap_or_default();
        match self.judge(&record, &name, &field, condition, net) {
            Err(reply) => Some(reply),
            Ok(field) => {
                self.replicate(asker, stamp, (key, name, field), condition, net);
                None
            }
        }
    }

    /// What of a write can be judged by the record as the owner has it: the field to be stored,
    /// or the answer.
    fn judge(
        &self,
        record: &Record,
        name: &str,
        field: &Field,
        condition: Condition,
        net: &mut impl Network<Node>,
    ) -> Result<Field, RecordReply> {
        let there = record.field(name);
        let stamp = field.stamp();
        let by = stamp.milliseconds.saturating_sub(net.wall_clock());
        if by > record::limits::SKEW_MAX {
            // Nobody else could write the field until then.
            let ahead = TooFarAhead { stamp, by };
            return Err(RecordReply::Denied(ahead.into()));
        }
        let replaces = match there {
            // Asked again: the same write, judged before.
            Some(there) if there.stamp() == field.stamp() => return Ok(there.clone()),
            // The same, and what has been written since found it here: it was done.
            Some(there) if there.replaces() == Some(field.stamp()) => return Ok(there.clone()),
            Some(there) if there.stamp() > field.stamp() => {
                return Err(RecordReply::Beaten(there.stamp()));
            }
            there => there.map(Field::stamp),
        };
        let found = there.filter(|there| there.read(net.wall_clock()).is_some());
        let holds = match condition {
            Condition::None => true,
            Condition::Absent => found.is_none(),
            Condition::Stamp(stamp) => found.map(Field::stamp) == Some(stamp),
        };
        let denied = |denied: Denied| Err(RecordReply::Denied(denied));
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
        let keys_max = self.config.keys_max;
        if record.is_empty() && net.store().len() >= keys_max as usize {
            // Copies for others don't count.
            let keeping = self.records.as_ref();
            let own = keeping.and_then(|keeping| keeping.ownership);
            let own = own.map_or(0, |ownership| {
                net.store().digest(ownership.arc(self.me().id)).records()
            });
            if own >= keys_max {
                return denied(Denied::Keys(own));
            }
        }
        Ok(field)
    }

    /// Holds a write for the owner of its key.
    fn store(
        &mut self,
        key: Id,
        part: Record,
        number: u64,
        net: &mut impl Network<Node>,
    ) -> RecordReply {
        let me = self.me().id;
        if let Some(keeping) = &mut self.records {
            keeping.heard_number(number);
            if keeping.serves(me, key).is_some() {
                // One of the two took over while the other was taken for dead. Whoever of them is
                // not to serve it has written what the other lacks: it goes by a hand-over.
                let number = keeping.next_number();
                if let Some(ownership) = &mut keeping.ownership {
                    ownership.number = number;
                }
                return RecordReply::Superseded(number);
            }
        }
        let merged = merging::merge(net, key, part);
        match merged.beaten.first() {
            Some(beaten) => RecordReply::Beaten(beaten.by),
            None => RecordReply::Stored,
        }
    }

    fn merge_for_others(&mut self, key: Id, record: Record, net: &mut impl Network<Node>) {
        let me = self.me().id;
        let merged = merging::merge(net, key, record);
        let keeping = self.records.as_ref();
        let serves = keeping.is_some_and(|keeping| keeping.serves(me, key).is_some());
        if serves && !merged.changed.is_empty() {
            self.repair_soon(Some(key));
        }
    }

    fn claimed(&mut self, arc: Arc) -> RecordReply {
        let me = self.me().id;
        let Some(keeping) = &self.records else {
            return RecordReply::Merged;
        };
        let by = match (keeping.ownership, &keeping.acquire) {
            (Some(ownership), _) if ownership.arc(me).contains(arc.end) => Claimed::Here,
            (None, Some(acquire)) if !acquire.is_vacant() => Claimed::Unknown,
            _ => Claimed::Elsewhere,
        };
        // If it is to be handed over, it should be on its way.
        self.unsettled |= by == Claimed::Here;
        RecordReply::Claimed {
            by,
            number: self.records.as_ref().map_or(0, |keeping| keeping.number),
        }
    }

    fn take_over(&mut self, arc: Arc, number: u64, net: &mut impl Network<Node>) -> RecordReply {
        let (me, staying) = (self.me().id, self.is_staying());
        let Some(keeping) = &mut self.records else {
            return RecordReply::Merged;
        };
        if keeping.taken == Some((arc, number)) {
            return RecordReply::Taken;
        }
        if !staying {
            // On its way out: whoever comes next takes both arcs, one after the other.
            return self.referral(arc.end);
        }
        let extended = Ownership::extended(keeping.ownership, me, arc, number);
        if number <= keeping.number || !keeping.is_likely(number) || extended.is_none() {
            return RecordReply::Superseded(keeping.number);
        }
        keeping.ownership = extended;
        keeping.number = number;
        keeping.taken = Some((arc, number));
        keeping.acquire = None;
        self.ownership_changed(net);
        RecordReply::Taken
    }
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

/// Drops tombstones, if they are still the ones that are meant.
fn forget(tombstones: &[(Id, String, Stamp)], net: &mut impl Network<Node>) {
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
}
