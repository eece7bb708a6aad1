//! A client's reading or write, as the node that the client asked sees it.

use crate::chord::Node;
use std::task::{Poll, ready};
use std::time::Duration;

use crate::chord::ask::{Ask, Pause, Question};
use crate::chord::limits;
use crate::chord::message::Message;
use crate::chord::record_message::{RecordReply, RecordRequest};
use crate::chord::variant::Variant;
use crate::protocol::{AccessError, Condition, Denied, Fetched, Written};
use crate::protocol::{Network, OwnerFound};
use crate::record::{Field, Record, Stamp};
use crate::ring::{Id, Peer};

/// **Access** to a record, wherever it is.
///
/// 1. Look up who owns the key, and ask that one.
/// 2. If it does not serve the key now, ask the one it names.
/// 3. If that is silent, its successor may not know yet that it is dead: make its predecessor
///    notify the successor, who then finds out (and takes over).
/// 4. A reading of what nobody serves, because its owner is silent or the one that should serve it
///    knows that it is dead, takes the newest of what any of those has that come next, and gives it
///    back to the one that should serve it.
/// 5. Where one waits for another that doesn't serve the key either, somebody farther on serves it
///    still: newcomers stand before him, and what they have may have been deleted since. A reading
///    begins again at 1.
/// 6. A write waits and begins again at 1, under the same stamp: tried at two nodes, or arriving
///    late, it stays one write. Only when another write won over it does it get a new stamp, with
///    which the same node is asked again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Access {
    pub(in crate::chord) token: u64,
    pub(in crate::chord) key: Id,
    me: Peer,
    purpose: AccessKind,
    stage: Stage,
    rounds: u8,
    restamps: u8,
    /// A try got no answer: it may have been done, and overtaken since.
    maybe_applied: bool,
    /// Asked since the last look-up.
    asked: Vec<Id>,
    /// Who precedes the owner, as far as the look-up knows.
    before: Option<Peer>,
    /// The last node that did not serve the key since the last look-up, and the holders that it
    /// named.
    fallback: Option<(Peer, Vec<Peer>)>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) enum AccessKind {
    /// Read the record.
    Read,
    /// Write this field.
    Write {
        /// Its name.
        name: String,
        /// With its stamp. If its value lives for a time only, it ends so many milliseconds after the
        /// owner has it ([`RecordRequest::lives_from`]).
        field: Field,
        /// What must be there.
        condition: Condition,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// A look-up, or this node itself, is about to answer.
    Elsewhere,
    Asking(Question),
    Pausing(Pause),
    Gathering(Box<Gathering>),
    Mending(Question, Record, Fetched),
}

/// Reading from several holders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Gathering {
    /// Whom to ask yet; the next last.
    todo: Vec<Peer>,
    question: Option<Question>,
    /// Of the one that is asked, the fields behind this one are missing.
    after: Option<String>,
    found: Record,
    last: Option<Peer>,
    /// Who should serve the key, and what it has.
    first: Option<(Peer, Record)>,
    /// What time it is for who should serve the key; 0 if it did not say.
    now: u64,
}

/// What the node has to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chord) enum Step {
    /// Look up who owns the key.
    Seek,
    /// Answer this itself: it is the owner, or was named. What it writes lives from now on.
    Here(RecordRequest),
    /// Stamp the write anew, above this.
    Restamp(Stamp),
    /// Tell the client.
    Read(Result<Fetched, AccessError>),
    /// Tell the client.
    Wrote(Result<Written, AccessError>),
}

impl Access {
    pub(in crate::chord) const fn new(
        token: u64,
        key: Id,
        me: Peer,
        purpose: AccessKind,
    ) -> Access {
        Access {
            token,
            key,
            me,
            purpose,
            stage: Stage::Elsewhere,
            rounds: 0,
            restamps: 0,
            maybe_applied: false,
            asked: Vec::new(),
            before: None,
            fallback: None,
        }
    }

    fn request(&self) -> RecordRequest {
        match &self.purpose {
            AccessKind::Read => RecordRequest::Read(self.key),
            AccessKind::Write {
                name,
                field,
                condition,
            } => RecordRequest::Write {
                key: self.key,
                name: name.clone(),
                field: field.clone(),
                condition: *condition,
            },
        }
    }

    /// The look-up has ended.
    pub(in crate::chord) fn sought(
        &mut self,
        found: Result<OwnerFound, crate::chord::LookupError>,
        before: Option<Peer>,
    ) -> Option<Step> {
        match found {
            Ok(found) => {
                self.before = before;
                self.asked.clear();
                self.fallback = None;
                self.ask(found.owner)
            }
            Err(error) => self.pause().map(|_| self.fail(error.into())),
        }
    }

    fn ask(&mut self, peer: Peer) -> Option<Step> {
        self.asked.push(peer.id);
        if peer.id == self.me.id {
            self.stage = Stage::Elsewhere;
            return Some(Step::Here(self.request()));
        }
        let question = match self.purpose {
            AccessKind::Read => Question::new(peer, 1),
            // The owner asks the holders before it answers, and the next ones if some are silent.
            AccessKind::Write { .. } => Question::new(peer, 1).patiently(4),
        };
        self.stage = Stage::Asking(question);
        None
    }

    /// The write has another stamp now. Who found it beaten is there and serves the key, so it is asked
    /// again at once: where many write one key, and this machine's clock is behind theirs, the stamp is
    /// soon too low again.
    pub(in crate::chord) fn stamped(&mut self, stamp: Stamp) -> Option<Step> {
        if let AccessKind::Write { field, .. } = &mut self.purpose {
            *field = match field.value() {
                Some(value) => Field::new(stamp, None, value.clone(), field.expires()),
                None => Field::tombstone(stamp, None),
            };
        }
        let asked = match &self.stage {
            Stage::Asking(question) => question.to,
            _ => self.me,
        };
        self.asked.clear();
        self.ask(asked)
    }

    /// Waits, then begins again; the end, if it has waited often enough.
    fn pause(&mut self) -> Option<Step> {
        self.pause_before(AccessError::NoOwner)
    }

    /// The same, with what is said if this was tried often enough.
    fn pause_before(&mut self, error: AccessError) -> Option<Step> {
        self.rounds += 1;
        if self.rounds >= limits::ACCESS_ROUNDS {
            return Some(self.fail(error));
        }
        self.stage = Stage::Pausing(Pause::default());
        None
    }

    /// The end, without success.
    pub(in crate::chord) fn fail(&self, error: AccessError) -> Step {
        match self.purpose {
            AccessKind::Read => Step::Read(Err(error)),
            AccessKind::Write { .. } => Step::Wrote(Err(error)),
        }
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Step> {
        loop {
            let step = match &mut self.stage {
                Stage::Elsewhere => return Poll::Pending,
                Stage::Pausing(pause) => {
                    let longer = u32::from(self.rounds.min(4));
                    ready!(pause.poll(ask, pause_time(ask.timeout(), longer)));
                    self.stage = Stage::Elsewhere;
                    Some(Step::Seek)
                }
                Stage::Asking(_) => {
                    let request = self.request();
                    let Stage::Asking(question) = &mut self.stage else {
                        continue;
                    };
                    let from = question.to;
                    // The clock may have been set since the client asked: what counts is what it
                    // shows beside the request.
                    let sent = |net: &mut N| request.clone().lives_from(net.wall_clock());
                    let reply = ready!(question.poll_records(ask, sent));
                    if reply.is_none() {
                        self.maybe_applied = !ask.is_variant(Variant::RestampedInDoubt);
                        self.wake_successor(ask.net());
                    }
                    self.heard(from, reply)
                }
                Stage::Gathering(_) => ready!(self.gather(ask)),
                Stage::Mending(question, record, fetched) => {
                    let key = self.key;
                    let mend = |_: &mut N| RecordRequest::Merge(vec![(key, record.clone())]);
                    // Whatever it says: the reading is done.
                    let _ = ready!(question.poll_records(ask, mend));
                    Some(Step::Read(Ok(fetched.clone())))
                }
            };
            if let Some(step) = step {
                return Poll::Ready(step);
            }
        }
    }

    /// The owner is silent and its successor may not know. Make its predecessor notify the
    /// successor, which then pings the owner and takes over.
    fn wake_successor(&self, net: &mut impl Network<Node>) {
        if let (Some((successor, _)), Some(before)) = (&self.fallback, self.before)
            && before.id != successor.id
        {
            net.send(before, Message::Introduce(*successor));
        }
    }

    /// A reply came, from another node or from this one; or silence.
    pub(in crate::chord) fn heard(
        &mut self,
        from: Peer,
        reply: Option<RecordReply>,
    ) -> Option<Step> {
        let reading = matches!(self.purpose, AccessKind::Read);
        match reply {
            Some(RecordReply::Record {
                record,
                others,
                now,
            }) if reading => {
                if others.is_empty() {
                    return Some(Step::Read(Ok(Fetched {
                        record,
                        authoritative: true,
                        from,
                        clock: Stamp::ZERO,
                        now,
                    })));
                }
                self.gather_from(others, Some((from, record.unwrap_or_default())), now);
                None
            }
            Some(RecordReply::NotServing { ask, holders }) => {
                // No holders named: the owner could not finish the write, so it may have been
                // applied.
                self.maybe_applied |= holders.is_empty();
                self.fallback = Some((from, holders));
                if ask.id == from.id {
                    // It should serve the key, and knows of nobody else who does.
                    self.nobody_serves()
                } else if self.asked.contains(&ask.id) || self.asked.len() >= limits::REFERRALS {
                    self.pause()
                } else {
                    self.ask(ask)
                }
            }
            Some(RecordReply::Written(written)) if !reading => Some(Step::Wrote(Ok(written))),
            Some(RecordReply::Denied(denied)) => Some(self.fail(denied.into())),
            Some(RecordReply::Beaten(stamp)) if !reading => {
                self.restamps += 1;
                // Stamped anew, a write that was done and overtaken would undo what overtook it.
                if self.maybe_applied || self.restamps > limits::RESTAMPS {
                    return Some(self.fail(Denied::Beaten.into()));
                }
                Some(Step::Restamp(stamp))
            }
            _ => self.nobody_serves(),
        }
    }

    fn nobody_serves(&mut self) -> Option<Step> {
        let reading = matches!(self.purpose, AccessKind::Read);
        match self.fallback.take() {
            Some((from, holders)) if reading => {
                let mut todo = holders;
                todo.retain(|peer| peer.id != from.id);
                todo.insert(0, from);
                self.gather_from(todo, None, 0);
                None
            }
            _ => self.pause(),
        }
    }

    // ---- reading from the holders ----

    fn gather_from(&mut self, mut todo: Vec<Peer>, first: Option<(Peer, Record)>, now: u64) {
        todo.truncate(usize::from(limits::SUCCESSORS));
        todo.reverse();
        let found = first.as_ref().map(|(_, record)| record.clone());
        self.stage = Stage::Gathering(Box::new(Gathering {
            todo,
            question: None,
            after: None,
            found: found.unwrap_or_default(),
            last: first.as_ref().map(|(peer, _)| *peer),
            first,
            now,
        }));
    }

    fn gather<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Option<Step>> {
        let key = self.key;
        let Stage::Gathering(gathering) = &mut self.stage else {
            return Poll::Ready(None);
        };
        if let Some(question) = &mut gathering.question {
            let after = &gathering.after;
            let fetch = |_: &mut N| RecordRequest::Fetch {
                keys: vec![key],
                after: after.clone(),
            };
            let reply = ready!(question.poll_records(ask, fetch));
            let from = question.to;
            gathering.question = None;
            let after = gathering.after.take();
            if let Some(RecordReply::Records { records, more }) = reply
                && let Some((_, record)) = records.into_iter().find(|(of, _)| *of == key)
            {
                gathering.heard(from, record);
                if more > after {
                    gathering.after = more;
                    gathering.question = Some(Question::new(from, 1));
                }
            }
            return Poll::Ready(None);
        }
        match gathering.todo.pop() {
            Some(next) if next.id == self.me.id => {
                let own = crate::chord::merging::stored(ask.net(), key).unwrap_or_default();
                gathering.heard(next, own);
                Poll::Ready(None)
            }
            Some(next) => {
                gathering.question = Some(Question::new(next, 1));
                Poll::Ready(None)
            }
            None => Poll::Ready(self.gathered()),
        }
    }

    fn gathered(&mut self) -> Option<Step> {
        let Stage::Gathering(gathering) = std::mem::replace(&mut self.stage, Stage::Elsewhere)
        else {
            return None;
        };
        let Gathering {
            found,
            last,
            first,
            now,
            ..
        } = *gathering;
        let Some(from) = last else {
            return self.pause();
        };
        if found.is_empty() {
            // Who serves the key may know better, as soon as somebody does.
            return self.pause_before(AccessError::Uncertain);
        }
        let fetched = Fetched {
            record: Some(found.clone()),
            authoritative: false,
            from,
            clock: Stamp::ZERO,
            now,
        };
        match first {
            Some((owner, had)) if had != found && owner.id != self.me.id => {
                self.stage = Stage::Mending(Question::new(owner, 1), found, fetched);
                None
            }
            _ => Some(Step::Read(Ok(fetched))),
        }
    }
}

impl Gathering {
    fn heard(&mut self, from: Peer, record: Record) {
        self.last = Some(from);
        if self.first.is_none() {
            self.first = Some((from, record.clone()));
        }
        // Told where it is merged for good, if it is one.
        let _ = self.found.merge(record);
    }
}

/// Waits grow with each round, up to twice the time-out.
fn pause_time(timeout: Duration, rounds: u32) -> Duration {
    timeout / 2 * rounds
}

#[cfg(test)]
mod tests;
