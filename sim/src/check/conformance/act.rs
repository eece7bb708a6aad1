//! One input of a node and all that came of it, as the rules read it.
//!
//! It keeps of messages what rules look at and no more, so that watching costs little.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use cuerda_core::chord::{
    Claimed, Hello, Message, Node, RecordNotice, RecordReply, RecordRequest, Reply, Request, Timer,
};
use cuerda_core::protocol::{Condition, Input, RequestId};
use cuerda_core::record::{Record, Stamp, Value};
use cuerda_core::ring::{Id, KeyRange, Peer, SuccessorList};

/// What a node handles, and what it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Act {
    /// Who; `None` while nobody handles anything.
    pub(super) number: Option<u32>,
    pub(super) input: Given,
    pub(super) sent: Vec<(Peer, Said)>,
    pub(super) told: Vec<Told>,
    /// The latest deletion that is forgotten, as the message says that came in, in milliseconds since
    /// 1970; 0 if it says nothing of that.
    pub(super) forgotten: u64,
    /// What the clock of the sender shows, as the message says that came in, in milliseconds since 1970;
    /// `None` if it says nothing of that.
    pub(super) shows: Option<u64>,
    /// Its neighbours changed.
    pub(super) changed: bool,
    /// It became a member.
    pub(super) joined: bool,
    /// It said good-bye.
    pub(super) left: bool,
    /// It lost all successors.
    pub(super) stranded: bool,
    /// It dropped what came in.
    pub(super) ignored: bool,
    /// It is gone, and its disk with it.
    pub(super) ended: bool,
}

/// What a node was handed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Given {
    #[default]
    Nothing,
    Found,
    Join,
    Leave,
    Remember(Vec<Id>),
    /// The time for the reply to the request of this number is over.
    Late(u32),
    StabilizeDue,
    FingersDue,
    RepairDue,
    JoinDue,
    /// A message from this peer.
    Heard(Peer, Said),
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Notify,
    Introduce(Peer),
    /// Whom it presumed dead.
    Remember(Vec<Id>),
    Ask(RequestId, Ask),
    Answer(RequestId, Answer),
    /// Something about records that is not answered, with the sender's clock.
    Notice(Stamp),
    /// What does the other's clock show? With the sender's stamp clock.
    AskClock(Stamp),
    /// The answer.
    Clock(Stamp),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    Hello,
    Ping,
    Neighbours,
    /// For an operator: no node asks so.
    Copies,
    Find {
        key: Id,
        confirm: bool,
    },
    Leaving {
        predecessor: Id,
        next: Option<Peer>,
    },
    /// About records, with the sender's clock.
    Records(Stamp, OfRecords),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Hello(Hello),
    /// It is on its way into a ring itself.
    Joining(Hello),
    Pong,
    Busy,
    NotMember,
    Neighbours {
        predecessor: Peer,
        successors: SuccessorList,
    },
    Owner,
    Covered(SuccessorList),
    Closer(Vec<Peer>),
    Before(Peer),
    /// About records, with the sender's clock.
    Records(Stamp, ToRecords),
    Other,
}

/// What is asked about records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum OfRecords {
    Write {
        key: Id,
        stamp: Stamp,
        condition: Condition,
        /// What tells its value from others; `None` for a deletion.
        value: Option<u64>,
    },
    Store {
        key: Id,
        stamp: Option<Stamp>,
        epoch: u64,
    },
    Read(Id),
    Compare {
        arc: KeyRange,
        /// The asker serves the arc and counts the asked node among its holders.
        assigns: bool,
    },
    /// It brings records, or fetches them.
    Brings,
    Claim(KeyRange),
    HandOver(KeyRange, u64),
    /// Which records do others hold?
    Confirm {
        leaving: bool,
    },
    /// May the asker leave?
    Leave,
    Other,
}

/// What is answered about records.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ToRecords {
    /// The record, by the stamp of its only field, and whether the sender answers for it alone.
    Record {
        alone: bool,
        stamp: Option<Stamp>,
    },
    /// Done, and held by these.
    Written {
        stamp: Stamp,
        majority: bool,
        holders: Vec<Id>,
    },
    /// The asked node does not serve the key; `gives_up` says that it had begun with the write.
    NotServing {
        gives_up: bool,
    },
    /// Of these as many as should be hold what the asker has.
    Confirmed(Vec<Id>),
    Stored,
    Superseded(u64),
    Compared(u64),
    Claimed(Claimed, u64),
    Taken,
    /// Whether the sender stays until the asker has left.
    Stays(bool),
    Other,
}

/// What a node told whoever runs it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// A client's write is done, and held by these.
    Wrote {
        conditional: bool,
        stamp: Stamp,
        majority: bool,
        holders: Vec<Id>,
    },
    Dead(Id),
    /// A look-up of this key ended with this owner.
    Owner(Id, Id),
    /// A reading of this key ended, answered by its owner.
    ReadFor(Id),
    Damaged(Id),
    SetAside,
    /// It leaves, and others may lack some of what it has.
    LeftBehind,
}

impl Act {
    /// A node begins to handle something.
    pub(super) fn begin(&mut self, number: u32, input: &Input<Node>) {
        self.clear();
        self.number = Some(number);
        let stamped = match input {
            Input::Message { message, .. } => stamped(message),
            _ => None,
        };
        self.forgotten = stamped.map_or(0, |(forgotten, _)| forgotten);
        self.shows = stamped.map(|(_, now)| now).filter(|now| *now != 0);
        self.input = match input {
            Input::Found => Given::Found,
            Input::Join(_) => Given::Join,
            Input::Leave => Given::Leave,
            Input::Remember(peers) => Given::Remember(peers.iter().map(|peer| peer.id).collect()),
            Input::Timer(Timer::Request(number)) => Given::Late(*number),
            Input::Timer(Timer::Stabilize) => Given::StabilizeDue,
            Input::Timer(Timer::Fingers) => Given::FingersDue,
            Input::Timer(Timer::Repair) => Given::RepairDue,
            Input::Timer(Timer::Join) => Given::JoinDue,
            Input::Message { from, message, .. } => Given::Heard(*from, said(message)),
            _ => Given::Nothing,
        };
    }

    pub(super) fn say(&mut self, to: Peer, message: &Message) {
        let said = match message {
            // What it names to others is of no interest.
            Message::Reply {
                id,
                reply: Reply::Closer(_),
            } => Said::Answer(*id, Answer::Closer(Vec::new())),
            message => said(message),
        };
        self.sent.push((to, said));
    }

    /// Forgets it, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.number = None;
        self.input = Given::Nothing;
        (self.forgotten, self.shows) = (0, None);
        self.sent.clear();
        self.told.clear();
        (self.joined, self.left, self.stranded) = (false, false, false);
        (self.ignored, self.ended, self.changed) = (false, false, false);
    }

    /// Whether it is no member any more.
    pub(super) const fn is_gone(&self) -> bool {
        self.left || self.stranded && !self.joined
    }

    /// The reply that came in: from whom, to which request, and what it says.
    pub(super) fn reply(&self) -> Option<(Peer, RequestId, &Answer)> {
        match &self.input {
            Given::Heard(from, Said::Answer(id, answer)) => Some((*from, *id, answer)),
            _ => None,
        }
    }

    /// The question that came in.
    pub(super) fn question(&self) -> Option<(Peer, RequestId, &Ask)> {
        match &self.input {
            Given::Heard(from, Said::Ask(id, ask)) => Some((*from, *id, ask)),
            _ => None,
        }
    }

    /// The questions that were sent.
    pub(super) fn asked(&self) -> impl Iterator<Item = (Peer, RequestId, &Ask)> {
        self.sent.iter().filter_map(|(to, said)| match said {
            Said::Ask(id, ask) => Some((*to, *id, ask)),
            _ => None,
        })
    }

    /// The answers that were sent.
    pub(super) fn answered(&self) -> impl Iterator<Item = (Peer, RequestId, &Answer)> {
        self.sent.iter().filter_map(|(to, said)| match said {
            Said::Answer(id, answer) => Some((*to, *id, answer)),
            _ => None,
        })
    }

    pub(super) fn notified(&self, peer: Id) -> bool {
        let such = |(to, said): &(Peer, Said)| to.id == peer && *said == Said::Notify;
        self.sent.iter().any(such)
    }

    pub(super) fn asked_neighbours_of(&self, peer: Id) -> bool {
        self.asked()
            .any(|(to, _, ask)| to.id == peer && *ask == Ask::Neighbours)
    }

    pub(super) fn found_damaged(&self, key: Id) -> bool {
        self.told.contains(&Told::Damaged(key))
    }
}

/// What is said beside everything about records: the latest deletion that the sender knows to be
/// forgotten, and what its clock shows.
const fn stamped(message: &Message) -> Option<(u64, u64)> {
    match message {
        Message::Request {
            request: Request::Records(said),
            ..
        } => Some((said.forgotten, said.now)),
        Message::Reply {
            reply: Reply::Records(said),
            ..
        } => Some((said.forgotten, said.now)),
        Message::Records(said) => Some((said.forgotten, said.now)),
        _ => None,
    }
}

fn said(message: &Message) -> Said {
    match message {
        Message::Notify => Said::Notify,
        Message::Introduce(peer) => Said::Introduce(*peer),
        Message::Remember(peers) => Said::Remember(peers.iter().map(|peer| peer.id).collect()),
        Message::Request { id, request } => Said::Ask(*id, ask(request)),
        Message::Reply { id, reply } => Said::Answer(*id, answer(reply)),
        Message::Records(notice) => match &notice.body {
            RecordNotice::Forget(_) => Said::Notice(notice.clock),
            RecordNotice::AskClock => Said::AskClock(notice.clock),
            RecordNotice::Clock => Said::Clock(notice.clock),
        },
    }
}

fn ask(request: &Request) -> Ask {
    match request {
        Request::Hello(_) => Ask::Hello,
        Request::Ping => Ask::Ping,
        Request::Copies => Ask::Copies,
        Request::Neighbours => Ask::Neighbours,
        Request::Find { key, confirm } => Ask::Find {
            key: *key,
            confirm: *confirm,
        },
        Request::Leaving {
            predecessor,
            successors,
        } => Ask::Leaving {
            predecessor: predecessor.id,
            next: successors.first().copied(),
        },
        Request::Records(stamped) => Ask::Records(stamped.clock, of_records(&stamped.body)),
    }
}

fn of_records(body: &RecordRequest) -> OfRecords {
    match body {
        RecordRequest::Read(key) => OfRecords::Read(*key),
        RecordRequest::Write {
            key,
            field,
            condition,
            ..
        } => OfRecords::Write {
            key: *key,
            stamp: field.stamp(),
            condition: *condition,
            value: field.value().map(of_value),
        },
        RecordRequest::Store { key, part, epoch } => OfRecords::Store {
            key: *key,
            stamp: part.latest(),
            epoch: *epoch,
        },
        RecordRequest::Compare { question, assigns } => OfRecords::Compare {
            arc: question.arc,
            assigns: *assigns,
        },
        RecordRequest::Fetch { .. } | RecordRequest::Merge(_) => OfRecords::Brings,
        RecordRequest::Claim(arc) => OfRecords::Claim(*arc),
        RecordRequest::HandOver { arc, epoch, .. } => OfRecords::HandOver(*arc, *epoch),
        RecordRequest::Confirm { leaving, .. } => OfRecords::Confirm { leaving: *leaving },
        RecordRequest::Leave => OfRecords::Leave,
        _ => OfRecords::Other,
    }
}

/// Tells values apart, the same on every machine.
fn of_value(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.as_bytes().hash(&mut hasher);
    hasher.finish()
}

/// The stamp of a record's only field; `None` if it has none, or several.
pub(super) fn only_stamp(record: &Record) -> Option<Stamp> {
    let mut fields = record.fields().map(|(_, field)| field.stamp());
    let first = fields.next();
    first.filter(|_| fields.next().is_none())
}

fn answer(reply: &Reply) -> Answer {
    match reply {
        Reply::Hello(hello) => Answer::Hello(*hello),
        Reply::Joining { hello, .. } => Answer::Joining(*hello),
        Reply::Pong => Answer::Pong,
        Reply::Busy => Answer::Busy,
        Reply::NotMember => Answer::NotMember,
        Reply::Neighbours {
            predecessor,
            successors,
        } => Answer::Neighbours {
            predecessor: *predecessor,
            successors: successors.clone(),
        },
        Reply::Owner => Answer::Owner,
        Reply::Covered(successors) => Answer::Covered(successors.clone()),
        Reply::Closer(peers) => Answer::Closer(peers.clone()),
        Reply::Before(peer) => Answer::Before(*peer),
        Reply::Records(stamped) => Answer::Records(stamped.clock, to_records(&stamped.body)),
        Reply::Refused(_) | Reply::Noted | Reply::Copies(_) => Answer::Other,
    }
}

fn to_records(body: &RecordReply) -> ToRecords {
    match body {
        RecordReply::Record { record, others, .. } => ToRecords::Record {
            alone: others.is_empty(),
            stamp: record.as_ref().and_then(only_stamp),
        },
        RecordReply::Written(written) => ToRecords::Written {
            stamp: written.stamp,
            majority: written.majority,
            holders: written.holders.clone(),
        },
        RecordReply::NotServing { holders, .. } => ToRecords::NotServing {
            gives_up: holders.is_empty(),
        },
        RecordReply::Confirmed { safe, .. } => ToRecords::Confirmed(safe.clone()),
        RecordReply::Stored => ToRecords::Stored,
        RecordReply::Superseded(epoch) => ToRecords::Superseded(*epoch),
        RecordReply::Compared { epoch, .. } => ToRecords::Compared(*epoch),
        RecordReply::Claimed { by, epoch } => ToRecords::Claimed(*by, *epoch),
        RecordReply::Taken => ToRecords::Taken,
        RecordReply::Stays(stays) => ToRecords::Stays(*stays),
        _ => ToRecords::Other,
    }
}

impl Answer {
    /// Whether it is a record that the sender alone answers for.
    pub(super) const fn is_whole_record(&self) -> bool {
        matches!(
            self,
            Answer::Records(_, ToRecords::Record { alone: true, .. })
        )
    }
}
