//! How the harness names what the nodes know: machines by their numbers, messages by a word.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cuerda_core::chord::{Message, RecordReply, RecordRequest, Reply, Request};
use cuerda_core::ring::Address;

/// The wall clock at the world's beginning: 2026-01-01 in milliseconds.
pub(super) const EPOCH_MS: u64 = 1_767_225_600_000;

/// The address of node `number`: 10.x.y.z:4000, room for 2^24 nodes.
pub(super) fn address_of(number: u32) -> Address {
    let [_, x, y, z] = number.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, x, y, z), 4000)).into()
}

/// The node at this address, if it is one that [`address_of`] gives.
pub(super) fn number_of(address: Address) -> Option<u32> {
    match address.ip() {
        IpAddr::V4(ip) if address.port() == 4000 && ip.octets()[0] == 10 => {
            let [_, x, y, z] = ip.octets();
            Some(u32::from_be_bytes([0, x, y, z]))
        }
        _ => None,
    }
}

/// What a message is called in a report.
pub(super) fn name_of(message: &Message) -> &'static str {
    match message {
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
                RecordRequest::Forget(_) => "Forget?",
            },
        },
        Message::Reply { reply, .. } => match reply {
            Reply::Hello(_) => "Hello",
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
            },
        },
        Message::Notify => "Notify",
        Message::Introduce(_) => "Introduce",
    }
}

/// Whether a message is about bringing records to where they belong, and not one that a client's
/// reading or writing causes.
pub(super) fn is_repair(message: &Message) -> bool {
    match message {
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
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_belong_together() {
        for node in [0, 1, 255, 256, 65_536, (1 << 24) - 1] {
            assert_eq!(number_of(address_of(node)), Some(node));
        }
        for elsewhere in ["127.0.0.1:4000", "10.0.0.1:4001", "[fd00::1]:4000"] {
            let elsewhere = elsewhere.parse::<SocketAddr>().unwrap().into();
            assert_eq!(number_of(elsewhere), None);
        }
    }
}
