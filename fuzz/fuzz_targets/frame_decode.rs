//! Any bytes, decoded as frames: no panic, no frame out of nothing, nothing reserved for what a
//! length promises, and what was read can be written and read again.
#![no_main]

use bytes::BytesMut;
use cuerda::host::{Frame, limits};
use cuerda::node::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = BytesMut::from(bytes);
    loop {
        let before = buffer.len();
        match Frame::<Message>::decode(&mut buffer) {
            Ok(Some(frame)) => {
                assert!(buffer.len() + 6 <= before);
                let mut again = BytesMut::new();
                assert!(frame.encode(&mut again));
                assert!(again.len() <= before - buffer.len());
                assert_eq!(Frame::decode(&mut again), Ok(Some(frame)));
                assert!(again.is_empty());
            }
            Ok(None) => {
                assert_eq!(buffer.len(), before);
                assert!(buffer.len() < 4 + limits::FRAME);
                break;
            }
            Err(_) => break,
        }
    }
    assert!(buffer.capacity() <= bytes.len());
});
