//! Frames there and back, and bytes that are none.

use proptest::prelude::*;

use super::*;
use cuerda_core::chord::{Reply, Request, RequestId, VERSIONS};
use cuerda_core::ring::SuccessorList;
use std::net::SocketAddr;

fn any_peer() -> impl Strategy<Value = Peer> {
    (any::<u64>(), any::<[u8; 4]>(), any::<u16>()).prop_map(|(id, ip, port)| Peer {
        id: Id::from_high(id),
        address: SocketAddr::from((ip, port)).into(),
    })
}

fn any_versions() -> impl Strategy<Value = Versions> {
    any::<(u16, u16)>().prop_map(|(newest, oldest)| Versions { newest, oldest })
}

/// That of the first release half of the time.
fn any_name() -> impl Strategy<Value = ProtocolName> {
    let other = prop::collection::vec(b'!'..=b'~', 1..=ProtocolName::LONGEST);
    let other = other.prop_map(|name| named(&String::from_utf8(name).unwrap()));
    prop_oneof![Just(ProtocolName::default()), other]
}

fn named(name: &str) -> ProtocolName {
    ProtocolName::try_from(name.to_owned()).unwrap()
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let handshake = (
        (any_versions(), any::<u64>(), any::<[u8; 32]>(), any_peer()),
        (
            any::<u8>(),
            any::<u32>(),
            any::<Option<[u8; 32]>>(),
            any_name(),
        ),
    )
        .prop_map(
            |((protocol, cluster, public_key, at), (nodes, incarnation, proof, name))| {
                let cluster = Id::from_high(cluster);
                Frame::Handshake(Handshake {
                    protocol,
                    cluster,
                    public_key,
                    address: at.address,
                    nodes,
                    incarnation,
                    proof,
                    name,
                })
            },
        );
    let id = any::<(u32, u32)>()
        .prop_map(|(incarnation, number)| RequestId::of_node(incarnation, number));
    let peers = || prop::collection::vec(any_peer(), 1..70);
    let message = (id, peers(), any::<bool>(), 0..5_u8).prop_map(|(id, peers, flag, kind)| {
        let following = SuccessorList::following(Id::ZERO, peers[0], &peers[1..], 64);
        let request = |request| Message::Request { id, request };
        match kind {
            0 => request(Request::Find {
                key: peers[0].id,
                confirm: flag,
            }),
            1 => request(Request::Leaving {
                predecessor: peers[0],
                successors: following,
            }),
            2 => Message::Reply {
                id,
                reply: Reply::Closer(peers),
            },
            3 => Message::Introduce(peers[0]),
            _ => Message::Notify,
        }
    });
    let envelope = (any::<u8>(), any::<u8>(), message)
        .prop_map(|(from, to, message)| Frame::Envelope(Envelope { from, to, message }));
    let registered = || {
        let one = (any_peer(), any::<bool>());
        prop::collection::vec(
            one.prop_map(|(peer, member)| Registered { peer, member }),
            0..70,
        )
    };
    let register = (registered(), any::<u32>())
        .prop_map(|(nodes, every_ms)| Frame::Register(Registration { nodes, every_ms }));
    let known = (registered(), any::<bool>())
        .prop_map(|(nodes, complete)| Frame::Known(Known { nodes, complete }));
    let started =
        any::<(u64, u64)>().prop_map(|(at_ms, instance)| Frame::Started(Start { at_ms, instance }));
    let twin = any_peer().prop_map(|peer| Frame::Twin(peer.address));
    prop_oneof![
        1 => handshake, 3 => envelope, 1 => register, 1 => known, 1 => started, 1 => twin,
        1 => Just(Frame::OutOfReach),
    ]
}

fn bytes_of(frame: &Frame) -> BytesMut {
    let mut buffer = BytesMut::new();
    assert!(frame.encode(&mut buffer));
    buffer
}

/// All frames that stand in a buffer, and how it ends.
fn decode_all(buffer: &mut BytesMut) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut frames = Vec::new();
    loop {
        match Frame::decode(buffer) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut(
        frames in prop::collection::vec(any_frame(), 1..6),
        cuts in prop::collection::vec(1..2000_usize, 1..40),
    ) {
        let mut sent = BytesMut::new();
        for frame in &frames {
            prop_assert!(frame.encode(&mut sent));
        }
        let (mut buffer, mut read) = (BytesMut::new(), Vec::new());
        let mut cuts = cuts.iter().cycle();
        while !sent.is_empty() {
            let cut = (*cuts.next().unwrap()).min(sent.len());
            buffer.extend_from_slice(&sent.split_to(cut));
            let (more, end) = decode_all(&mut buffer);
            prop_assert_eq!(end, Ok(()));
            read.extend(more);
        }
        prop_assert!(buffer.is_empty());
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn any_bytes_are_decoded_without_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut buffer = BytesMut::from(&bytes[..]);
        let (frames, _) = decode_all(&mut buffer);
        prop_assert!(frames.len() <= bytes.len() / 6);
        prop_assert!(buffer.len() <= bytes.len());
    }

    /// Noise seldom gets past the version: here it begins like a frame.
    #[test]
    fn any_body_is_decoded_without_harm_and_what_is_read_can_be_written(
        kind in 0..7_u8, body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut buffer = BytesMut::new();
        buffer.put_u32(body.len() as u32 + 2);
        buffer.put_u8(FRAME_VERSION);
        buffer.put_u8(kind);
        buffer.put_slice(&body);
        buffer.put_slice(b"rest");
        match Frame::decode(&mut buffer) {
            Ok(frame) => {
                let frame = frame.expect("it is there in whole");
                let again = Frame::decode(&mut bytes_of(&frame));
                prop_assert_eq!(again, Ok(Some(frame)));
            }
            Err(error) => prop_assert!(matches!(error, FrameError::Unreadable(_)), "{}", error),
        }
        prop_assert_eq!(&buffer[..], b"rest");
    }

    #[test]
    fn a_changed_byte_makes_another_frame_or_none(
        frame in any_frame(), at in any::<prop::sample::Index>(), by in 1..=255_u8,
    ) {
        let mut buffer = bytes_of(&frame);
        let at = at.index(buffer.len());
        buffer[at] ^= by;
        // Numbers can be written in more than one way, which is why another byte may mean the
        // same; but never more than one frame, and never a longer one.
        let length = buffer.len();
        let (frames, _) = decode_all(&mut buffer);
        prop_assert!(frames.len() <= length / 6);
        if let Some(read) = frames.first() {
            prop_assert!(bytes_of(read).len() <= length);
        }
    }

    #[test]
    fn a_frame_that_is_not_there_in_whole_is_waited_for(
        frame in any_frame(), at in any::<prop::sample::Index>(),
    ) {
        let whole = bytes_of(&frame);
        let mut part = BytesMut::from(&whole[..at.index(whole.len())]);
        let before = part.clone();
        prop_assert_eq!(Frame::<Message>::decode(&mut part), Ok(None));
        prop_assert_eq!(part, before, "nothing is taken out");
    }
}

#[test]
fn nothing_is_reserved_for_what_a_length_promises() {
    for length in [limits::FRAME as u32 + 1, 1 << 20, u32::MAX] {
        let mut buffer = BytesMut::with_capacity(16);
        buffer.put_u32(length);
        let refused = Frame::<Message>::decode(&mut buffer);
        assert_eq!(refused, Err(FrameError::TooLong(length)));
        assert!(buffer.capacity() <= 16);
    }
    // The longest that is allowed is waited for, and costs nothing until it comes.
    let mut buffer = BytesMut::with_capacity(16);
    buffer.put_u32(limits::FRAME as u32);
    assert_eq!(Frame::<Message>::decode(&mut buffer), Ok(None));
    assert!(buffer.capacity() <= 16);
}

#[test]
fn a_list_longer_than_its_frame_is_refused() {
    let id = RequestId::of_node(1, 1);
    let reply = Reply::Closer(Vec::new());
    let message = Message::Reply { id, reply };
    let whole = bytes_of(&Frame::Envelope(Envelope {
        from: 0,
        to: 0,
        message,
    }));
    // Its last byte is the length of the list; here are 2^35 less one peers in its place.
    let mut buffer = BytesMut::from(&whole[..whole.len() - 1]);
    buffer.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x7f]);
    let length = buffer.len() as u32 - 4;
    buffer[..4].copy_from_slice(&length.to_be_bytes());
    let refused = Frame::<Message>::decode(&mut buffer);
    assert!(
        matches!(refused, Err(FrameError::Unreadable(_))),
        "{refused:?}"
    );
}

#[test]
fn what_is_longer_than_a_frame_may_be_is_not_written() {
    let one = Registered {
        peer: Peer {
            id: Id::ZERO,
            address: SocketAddr::from(([10, 0, 0, 1], 1)).into(),
        },
        member: true,
    };
    let mut buffer = BytesMut::from(&b"before"[..]);
    let frame = Frame::<Message>::Known(Known {
        nodes: vec![one; limits::FRAME / 39 + 1],
        complete: true,
    });
    assert!(!frame.encode(&mut buffer));
    assert_eq!(&buffer[..], b"before");
    // One peer less fits.
    let frame = Frame::<Message>::Known(Known {
        nodes: vec![one; limits::FRAME / 39 - 1],
        complete: true,
    });
    assert!(frame.encode(&mut buffer));
    buffer.advance(6);
    assert_eq!(Frame::decode(&mut buffer), Ok(Some(frame)));
}

#[test]
fn no_process_hosts_more_nodes_than_allowed_whatever_it_says() {
    let mut handshake = Handshake {
        protocol: VERSIONS,
        cluster: Id::ZERO,
        public_key: [7; 32],
        address: SocketAddr::from(([10, 0, 0, 1], 1)).into(),
        nodes: 255,
        incarnation: 1,
        proof: None,
        name: ProtocolName::default(),
    };
    assert_eq!(handshake.ids().len(), usize::from(limits::VIRTUAL_NODES));
    handshake.nodes = 0;
    assert!(handshake.ids().is_empty());
}

#[test]
fn the_bytes_are_what_they_were_in_the_first_release() {
    let peer = Peer {
        id: Id::of_key(b"node"),
        address: SocketAddr::from(([10, 0, 0, 1], 4000)).into(),
    };
    let nodes = vec![Registered { peer, member: true }];
    let handshake = |proof| {
        Frame::Handshake(Handshake {
            protocol: Versions {
                newest: 2,
                oldest: 1,
            },
            cluster: Id::of_key(b"cuerda"),
            public_key: [7; 32],
            address: peer.address,
            nodes: 3,
            incarnation: 300,
            proof,
            name: ProtocolName::default(),
        })
    };
    let frames = [
        handshake(None),
        handshake(Some([8; 32])),
        Frame::Envelope(Envelope {
            from: 1,
            to: 2,
            message: Message::Notify,
        }),
        Frame::Register(Registration {
            nodes: nodes.clone(),
            every_ms: 10_000,
        }),
        Frame::Known(Known {
            nodes,
            complete: true,
        }),
        Frame::Started(Start {
            at_ms: 1_700_000_000_000,
            instance: 400,
        }),
        Frame::Twin(peer.address),
        Frame::OutOfReach,
    ];
    let lines = frames.map(|frame| {
        // A new kind of frame does not compile before it stands here: it needs an example above.
        let kind = match &frame {
            Frame::Handshake(_) => "handshake",
            Frame::Envelope(_) => "envelope",
            Frame::Register(_) => "register",
            Frame::Known(_) => "known",
            Frame::Started(_) => "started",
            Frame::Twin(_) => "twin",
            Frame::OutOfReach => "unreached",
        };
        let mut bytes = bytes_of(&frame);
        let line = format!("{kind:<10}{}", crate::host::hex::encode(&bytes));
        assert_eq!(Frame::decode(&mut bytes), Ok(Some(frame)));
        line
    });
    insta::assert_snapshot!(lines.join("\n"));
}

/// A handshake by a process whose protocol has this name.
fn handshake_of(name: ProtocolName) -> Frame {
    Frame::Handshake(Handshake {
        protocol: VERSIONS,
        cluster: Id::ZERO,
        public_key: [7; 32],
        address: SocketAddr::from(([10, 0, 0, 1], 1)).into(),
        nodes: 1,
        incarnation: 1,
        proof: None,
        name,
    })
}

/// A frame with this behind what stands in it.
fn extended(mut frame: BytesMut, more: &[u8]) -> BytesMut {
    frame.put_slice(more);
    let length = frame.len() as u32 - 4;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

#[test]
fn a_name_stands_behind_a_handshake_and_chord_needs_none() {
    let first = bytes_of(&handshake_of(ProtocolName::default()));
    let mesh = handshake_of(named("mesh"));
    let mut bytes = bytes_of(&mesh);
    assert_eq!(bytes, extended(first.clone(), b"\x04mesh"));
    assert_eq!(Frame::decode(&mut bytes), Ok(Some(mesh)));
    // The first release reads what it knows of, and takes no frame with something behind that.
    let body = &bytes_of(&handshake_of(named("mesh")))[5..];
    let (read, rest) = postcard::take_from_bytes::<Frame>(body).unwrap();
    assert_eq!(read, handshake_of(ProtocolName::default()));
    assert_eq!(rest, b"\x04mesh");
}

#[test]
fn what_is_no_name_behind_a_handshake_is_refused() {
    let first = bytes_of(&handshake_of(ProtocolName::default()));
    let long = [&[33][..], &[b'x'; 33]].concat();
    let rests: [&[u8]; 7] = [
        b"\x00",
        b"\x05mesh",
        b"\x04meshy",
        b"\x05chord",
        b"\x04me\nh",
        b"\x02\xff\xfe",
        &long,
    ];
    for rest in rests {
        let mut bytes = extended(first.clone(), rest);
        let refused = Frame::<Message>::decode(&mut bytes);
        assert!(
            matches!(refused, Err(FrameError::Unreadable(_))),
            "{refused:?}"
        );
    }
    // Behind nothing else may anything stand.
    let known = Frame::<Message>::Known(Known {
        nodes: Vec::new(),
        complete: true,
    });
    let mut bytes = extended(bytes_of(&known), b"\x04mesh");
    assert_eq!(
        Frame::<Message>::decode(&mut bytes),
        Err(FrameError::Unreadable(BAD))
    );
}

proptest! {
    /// Whoever is not yet introduced reads all but what envelopes say.
    #[test]
    fn before_the_handshake_envelopes_are_recognized_and_not_read(frame in any_frame()) {
        let mut bytes = bytes_of(&frame);
        let unread = Frame::decode_unread(&mut bytes).unwrap().unwrap();
        prop_assert!(bytes.is_empty());
        match (unread, frame) {
            (Frame::Envelope(read), Frame::Envelope(envelope)) => {
                prop_assert_eq!((read.from, read.to), (envelope.from, envelope.to));
            }
            (Frame::Handshake(read), Frame::Handshake(handshake)) => prop_assert_eq!(read, handshake),
            (Frame::Register(read), Frame::Register(register)) => prop_assert_eq!(read, register),
            (Frame::Known(read), Frame::Known(known)) => prop_assert_eq!(read, known),
            (Frame::Started(read), Frame::Started(start)) => prop_assert_eq!(read, start),
            (Frame::Twin(read), Frame::Twin(twin)) => prop_assert_eq!(read, twin),
            (Frame::OutOfReach, Frame::OutOfReach) => {}
            (read, frame) => panic!("{read:?} of {frame:?}"),
        }
    }
}
