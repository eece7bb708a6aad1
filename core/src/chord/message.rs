//! What nodes say to each other.
//!
//! ```text
//!   asker                               asked
//!     │── Request { id, … } ──────────────▶│     every request has a timer at the asker
//!     │◀───────────────── Reply { id, … } ─│     exactly one reply settles it,
//!     │◀────────────── Reply { id, Busy } ─│     and Busy says that it will come later
//!     │── Notify ─────────────────────────▶│     "I believe to be your predecessor"
//!     │── Introduce(peer) ────────────────▶│     "this one may lie between you and your successor"
//!     │── Records(notice) ────────────────▶│     about records
//!     │── Remember(peers) ────────────────▶│     "these may be cut off"; these four are not answered
//! ```
//!
//! A node that is not a member of a ring replies `NotMember`, which counts as silence. Nothing
//! here says who sent a message: the world that delivers it has proved that and passes it along.

use serde::{Deserialize, Serialize};

use super::copies::Copies;
use super::record_message::{RecordNotice, RecordReply, RecordRequest, Stamped};
use crate::protocol::{Refusal, RequestId, Versions, Wire};
use crate::ring::{Id, Peer, SuccessorList};

/// What one node sends to another. New kinds are added at the end only: on the wire an enum is
/// its position.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Asks for a reply under the same id.
    Request {
        /// To be repeated in the reply.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// Answers a request.
    Reply {
        /// The request's id.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// "I believe to be your predecessor." Not answered; the receiver rectifies.
    Notify,
    /// "This peer may lie between you and your successor": from a newcomer to its predecessor
    /// about itself, and about a displaced successor while two rings become one. Not answered;
    /// the receiver contacts the peer before it believes it.
    Introduce(Peer),
    /// Something about records that nobody waits for an answer to. Since version 2.
    Records(Box<Stamped<RecordNotice>>),
    /// These were presumed dead, and may be in a ring that was cut off: what is remembered outlives
    /// those who remember it.
    Remember(Vec<Peer>),
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Request {
    /// First contact, and the probe of a peer once presumed dead: who am I, who are you?
    Hello(Hello),
    /// Are you alive? Answered at once, whatever else goes on.
    Ping,
    /// Who are your neighbours? Answered between two steps of maintenance, never during one.
    Neighbours,
    /// One step of a look-up: who owns this key?
    Find {
        /// The place looked for.
        key: Id,
        /// The asker takes the asked node for the owner and wants to hear yes, or who is before.
        confirm: bool,
    },
    /// The sender leaves the ring; these were its neighbours.
    Leaving {
        /// Who should become the predecessor of the sender's successor.
        predecessor: Peer,
        /// Whom the sender's predecessor should follow.
        successors: SuccessorList,
    },
    /// Anything about records.
    Records(Box<Stamped<RecordRequest>>),
    /// Are the records that you serve where they should be? Asked for an operator.
    Copies,
}

/// How a request is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Hello`]: fits; this is me.
    Hello(Hello),
    /// To [`Request::Hello`]: does not fit.
    Refused(Refusal),
    /// To [`Request::Ping`].
    Pong,
    /// The answer follows when the asked node has finished a step of its own.
    Busy,
    /// The asked node belongs to no ring now, and counts as silent.
    NotMember,
    /// To [`Request::Neighbours`].
    Neighbours {
        /// The asked node's predecessor; itself if it has none.
        predecessor: Peer,
        /// Its successors.
        successors: SuccessorList,
    },
    /// To [`Request::Find`]: the key is the asked node's own.
    Owner,
    /// To [`Request::Find`]: the key lies within the asked node's successor list, and belongs
    /// to the first live entry at or after it.
    Covered(SuccessorList),
    /// To [`Request::Find`]: these are nearer to the key, the nearest first.
    Closer(Vec<Peer>),
    /// To [`Request::Find`] with `confirm`: not mine, my predecessor is nearer to the key.
    Before(Peer),
    /// To [`Request::Leaving`].
    Noted,
    /// To [`Request::Records`].
    Records(Box<Stamped<RecordReply>>),
    /// To [`Request::Hello`]: fits, and is on its way into a ring, too.
    Joining {
        /// The asked node.
        hello: Hello,
        /// When it noted last that it was running and had records, in milliseconds since 1970; 0
        /// if it never did.
        running: u64,
        /// Whom it asks itself.
        contacts: Vec<Peer>,
    },
    /// To [`Request::Copies`].
    Copies(Copies),
}

/// What nodes must agree on before they talk, and what they tell of themselves. Never changes its
/// form: nodes of all releases must read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hello {
    /// Which versions of the protocol the sender understands.
    pub versions: Versions,
    /// The hash of the cluster's name.
    pub cluster: Id,
    /// r, the length of successor lists.
    pub successors: u8,
    /// k, the number of nodes that hold a record.
    pub replicas: u8,
    /// Counts the sender's starts.
    pub incarnation: u32,
    /// Whether the sender belongs to a ring now.
    pub member: bool,
}

impl Hello {
    /// Whether a node that says `other` fits one that says `self`.
    ///
    /// # Errors
    /// What they differ in; the gravest first.
    pub fn accepts(&self, other: &Hello) -> Result<(), Refusal> {
        if let Err(apart) = self.versions.common(other.versions) {
            Err(Refusal::Version(apart))
        } else if self.cluster != other.cluster {
            Err(Refusal::Cluster)
        } else if self.successors != other.successors {
            Err(Refusal::Successors)
        } else if self.replicas != other.replicas {
            Err(Refusal::Replicas)
        } else {
            Ok(())
        }
    }
}

/// How many bytes an unsigned number takes as a varint: seven bits each.
const fn varint(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Every peer takes the same room, so that a list need not be read to know its size.
const PEER_SIZE: usize = 20 + 16 + 2;

const fn peers_size(peers: &[Peer]) -> usize {
    varint(peers.len() as u64) + peers.len() * PEER_SIZE
}

const fn versions_size(versions: Versions) -> usize {
    varint(versions.newest as u64) + varint(versions.oldest as u64)
}

const fn refusal_size(refusal: &Refusal) -> usize {
    match refusal {
        Refusal::Version(apart) => 1 + versions_size(apart.ours) + versions_size(apart.theirs),
        Refusal::Cluster | Refusal::Successors | Refusal::Replicas => 1,
    }
}

const fn hello_size(hello: &Hello) -> usize {
    versions_size(hello.versions) + 20 + 1 + 1 + varint(hello.incarnation as u64) + 1
}

/// Messages about records are rare enough to be counted byte by byte.
fn encoded_size(part: &impl Serialize) -> usize {
    postcard::serialize_with_flavor(part, postcard::ser_flavors::Size::default())
        .expect("counting bytes has no way to fail: maps know their length")
}

impl Message {
    /// The length of the list of peers that it carries, if any. No correct node sends one longer
    /// than [`super::limits::SUCCESSORS`].
    pub(super) fn longest_list(&self) -> usize {
        match self {
            Message::Reply { reply, .. } => match reply {
                Reply::Neighbours { successors, .. } | Reply::Covered(successors) => {
                    successors.len()
                }
                Reply::Closer(peers)
                | Reply::Joining {
                    contacts: peers, ..
                } => peers.len(),
                _ => 0,
            },
            Message::Request {
                request: Request::Leaving { successors, .. },
                ..
            } => successors.len(),
            Message::Remember(peers) => peers.len(),
            _ => 0,
        }
    }
}

impl Wire for Message {
    #[inline]
    fn kind(&self) -> &'static str {
        match self {
            Message::Request { request, .. } => match request {
                Request::Hello(_) => "Hello?",
                Request::Ping => "Ping?",
                Request::Neighbours => "Neighbours?",
                Request::Find { confirm: false, .. } => "Find?",
                Request::Find { confirm: true, .. } => "Confirm?",
                Request::Leaving { .. } => "Leaving",
                Request::Records(stamped) => match &stamped.body {
                    RecordRequest::Read(_) => "Read?",
                    RecordRequest::Write { .. } => "Write?",
                    RecordRequest::Store { .. } => "Store?",
                    RecordRequest::Compare { .. } => "Compare?",
                    RecordRequest::Fetch { .. } => "Fetch?",
                    RecordRequest::Merge(_) => "Merge?",
                    RecordRequest::Claim(_) => "Claim?",
                    RecordRequest::HandOver { .. } => "HandOver?",
                    RecordRequest::Confirm { .. } => "MayDrop?",
                    RecordRequest::Leave => "MayLeave?",
                    RecordRequest::Forget(_) => "Forget?",
                    RecordRequest::Held => "Held?",
                },
                Request::Copies => "Copies?",
            },
            Message::Reply { reply, .. } => match reply {
                Reply::Hello(_) => "Hello",
                Reply::Joining { .. } => "Joining",
                Reply::Refused(_) => "Refused",
                Reply::Pong => "Pong",
                Reply::Busy => "Busy",
                Reply::NotMember => "NotMember",
                Reply::Neighbours { .. } => "Neighbours",
                Reply::Owner => "Owner",
                Reply::Covered(_) => "Covered",
                Reply::Closer(_) => "Closer",
                Reply::Before(_) => "Before",
                Reply::Noted => "Noted",
                Reply::Records(stamped) => match &stamped.body {
                    RecordReply::Record { .. } => "Record",
                    RecordReply::NotServing { .. } => "NotServing",
                    RecordReply::Written(_) => "Written",
                    RecordReply::Denied(_) => "Denied",
                    RecordReply::Stored => "Stored",
                    RecordReply::Beaten(_) => "Beaten",
                    RecordReply::Superseded(_) => "Superseded",
                    RecordReply::Compared { .. } => "Compared",
                    RecordReply::Records { .. } => "Records",
                    RecordReply::Merged => "Merged",
                    RecordReply::Claimed { .. } => "Claimed",
                    RecordReply::Taken => "Taken",
                    RecordReply::Confirmed { .. } => "Confirmed",
                    RecordReply::Stays(_) => "Stays",
                    RecordReply::Leaving => "Leaving",
                    RecordReply::Held(_) => "Held",
                    RecordReply::Ahead(_) => "Ahead",
                },
                Reply::Copies(_) => "Copies",
            },
            Message::Notify => "Notify",
            Message::Introduce(_) => "Introduce",
            Message::Remember(_) => "Remember",
            Message::Records(stamped) => match &stamped.body {
                RecordNotice::Forget(_) => "Forget",
                RecordNotice::AskClock => "AskClock",
                RecordNotice::Clock => "Clock",
            },
        }
    }

    /// As postcard writes it.
    fn wire_size(&self) -> usize {
        let id_size = |id: &RequestId| varint(id.origin.number().into()) + varint(id.number.into());
        1 + match self {
            Message::Request { id, request } => {
                id_size(id)
                    + 1
                    + match request {
                        Request::Hello(hello) => hello_size(hello),
                        Request::Ping | Request::Neighbours | Request::Copies => 0,
                        Request::Find { .. } => 20 + 1,
                        Request::Leaving { successors, .. } => PEER_SIZE + peers_size(successors),
                        Request::Records(stamped) => encoded_size(stamped),
                    }
            }
            Message::Reply { id, reply } => {
                id_size(id)
                    + 1
                    + match reply {
                        Reply::Hello(hello) => hello_size(hello),
                        Reply::Joining {
                            hello,
                            running,
                            contacts,
                        } => hello_size(hello) + varint(*running) + peers_size(contacts),
                        Reply::Refused(refusal) => refusal_size(refusal),
                        Reply::Pong
                        | Reply::Busy
                        | Reply::NotMember
                        | Reply::Owner
                        | Reply::Noted => 0,
                        Reply::Neighbours { successors, .. } => PEER_SIZE + peers_size(successors),
                        Reply::Covered(successors) => peers_size(successors),
                        Reply::Closer(peers) => peers_size(peers),
                        Reply::Before(_) => PEER_SIZE,
                        Reply::Records(stamped) => encoded_size(stamped),
                        Reply::Copies(copies) => varint(copies.lacking) + 1 + 1,
                    }
            }
            Message::Notify => 0,
            Message::Introduce(_) => PEER_SIZE,
            Message::Remember(peers) => peers_size(peers),
            Message::Records(stamped) => encoded_size(stamped),
        }
    }

    #[inline]
    fn asks(&self) -> Option<RequestId> {
        match self {
            Message::Request { id, .. } => Some(*id),
            _ => None,
        }
    }

    #[inline]
    fn answers(&self) -> Option<RequestId> {
        match self {
            Message::Reply { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// What it says of the ring never does. That all is where it should be is said of what is on
    /// the disk.
    #[inline]
    fn depends_on_store(&self) -> bool {
        matches!(
            self,
            Message::Request {
                request: Request::Records(_),
                ..
            } | Message::Reply {
                reply: Reply::Records(_) | Reply::Copies(_),
                ..
            } | Message::Records(_)
        )
    }

    #[inline]
    fn is_repair(&self) -> bool {
        match self {
            Message::Request {
                request: Request::Records(stamped),
                ..
            } => !matches!(
                stamped.body,
                RecordRequest::Read(_) | RecordRequest::Write { .. } | RecordRequest::Store { .. }
            ),
            Message::Reply {
                reply: Reply::Records(stamped),
                ..
            } => !matches!(
                stamped.body,
                RecordReply::Record { .. }
                    | RecordReply::NotServing { .. }
                    | RecordReply::Written(_)
                    | RecordReply::Denied(_)
                    | RecordReply::Stored
                    | RecordReply::Beaten(_)
                    | RecordReply::Superseded(_)
                    | RecordReply::Ahead(_)
            ),
            Message::Records(stamped) => matches!(stamped.body, RecordNotice::Forget(_)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PROTOCOL_VERSION, VERSIONS};
    use super::*;
    use crate::protocol::VersionsApart;
    use crate::ring::Address;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, SocketAddr};

    fn any_peer() -> impl Strategy<Value = Peer> {
        (any::<u64>(), any::<u32>(), any::<u16>()).prop_map(|(id, ip, port)| Peer {
            id: Id::from_high(id),
            address: Address::from(SocketAddr::from((Ipv4Addr::from(ip), port))),
        })
    }

    fn any_list() -> impl Strategy<Value = SuccessorList> {
        prop::collection::vec(any_peer(), 1..40).prop_map(|peers| {
            SuccessorList::following(Id::ZERO, peers[0], &peers[1..], peers.len())
        })
    }

    fn any_versions() -> impl Strategy<Value = Versions> {
        any::<(u16, u16)>().prop_map(|(newest, oldest)| Versions { newest, oldest })
    }

    fn any_hello() -> impl Strategy<Value = Hello> {
        (any_versions(), any::<(u64, u8, u8, u32, bool)>()).prop_map(
            |(versions, (cluster, r, k, n, member))| {
                let cluster = Id::from_high(cluster);
                Hello {
                    versions,
                    cluster,
                    successors: r,
                    replicas: k,
                    incarnation: n,
                    member,
                }
            },
        )
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let request = prop_oneof![
            any_hello().prop_map(Request::Hello),
            Just(Request::Ping),
            Just(Request::Neighbours),
            Just(Request::Copies),
            any::<(u64, bool)>().prop_map(|(key, confirm)| Request::Find {
                key: Id::from_high(key),
                confirm
            }),
            (any_peer(), any_list()).prop_map(|(predecessor, successors)| Request::Leaving {
                predecessor,
                successors
            }),
        ];
        let reply = prop_oneof![
            any_hello().prop_map(Reply::Hello),
            (
                any_hello(),
                any::<u64>(),
                prop::collection::vec(any_peer(), 0..9)
            )
                .prop_map(|(hello, running, contacts)| Reply::Joining {
                    hello,
                    running,
                    contacts
                }),
            Just(Reply::Refused(Refusal::Cluster)),
            (any_versions(), any_versions()).prop_map(|(ours, theirs)| {
                Reply::Refused(Refusal::Version(VersionsApart { ours, theirs }))
            }),
            Just(Reply::Pong),
            Just(Reply::Busy),
            Just(Reply::NotMember),
            (any_peer(), any_list()).prop_map(|(predecessor, successors)| Reply::Neighbours {
                predecessor,
                successors
            }),
            Just(Reply::Owner),
            any_list().prop_map(Reply::Covered),
            prop::collection::vec(any_peer(), 0..9).prop_map(Reply::Closer),
            any_peer().prop_map(Reply::Before),
            Just(Reply::Noted),
            any::<(u64, bool, bool)>().prop_map(|(lacking, settled, under_way)| {
                Reply::Copies(Copies {
                    lacking,
                    settled,
                    under_way,
                })
            }),
        ];
        let id = || {
            any::<(u32, u32)>()
                .prop_map(|(incarnation, number)| RequestId::of_node(incarnation, number))
        };
        prop_oneof![
            (id(), request).prop_map(|(id, request)| Message::Request { id, request }),
            (id(), reply).prop_map(|(id, reply)| Message::Reply { id, reply }),
            Just(Message::Notify),
            any_peer().prop_map(Message::Introduce),
            prop::collection::vec(any_peer(), 0..9).prop_map(Message::Remember),
        ]
    }

    proptest! {
        #[test]
        fn the_wire_carries_it_and_the_size_is_told_right(message in any_message()) {
            let bytes = postcard::to_stdvec(&message).unwrap();
            prop_assert_eq!(message.wire_size(), bytes.len());
            prop_assert_eq!(postcard::from_bytes::<Message>(&bytes).unwrap(), message);
        }
    }

    #[test]
    fn nodes_that_differ_in_what_matters_refuse_each_other() {
        let hello = Hello {
            versions: VERSIONS,
            cluster: Id::of_key(b"songs"),
            successors: 8,
            replicas: 3,
            incarnation: 1,
            member: true,
        };
        assert_eq!(
            hello.accepts(&Hello {
                incarnation: 9,
                member: false,
                ..hello
            }),
            Ok(())
        );
        let later = Versions {
            newest: 9,
            oldest: 8,
        };
        let apart = VersionsApart {
            ours: VERSIONS,
            theirs: later,
        };
        for (other, refusal) in [
            (
                Hello {
                    versions: later,
                    ..hello
                },
                Refusal::Version(apart),
            ),
            (
                Hello {
                    cluster: Id::ZERO,
                    ..hello
                },
                Refusal::Cluster,
            ),
            (
                Hello {
                    successors: 4,
                    ..hello
                },
                Refusal::Successors,
            ),
            (
                Hello {
                    replicas: 2,
                    ..hello
                },
                Refusal::Replicas,
            ),
        ] {
            assert_eq!(hello.accepts(&other), Err(refusal));
        }
    }

    #[test]
    fn this_release_talks_to_itself_and_to_those_that_know_it() {
        let ours = VERSIONS;
        assert_eq!(ours.common(ours), Ok(PROTOCOL_VERSION));
        let next = Versions {
            newest: PROTOCOL_VERSION + 1,
            oldest: PROTOCOL_VERSION,
        };
        assert_eq!(ours.common(next), Ok(PROTOCOL_VERSION));
        let later = Versions {
            newest: PROTOCOL_VERSION + 1,
            oldest: PROTOCOL_VERSION + 1,
        };
        assert!(ours.common(later).is_err());
    }
}
