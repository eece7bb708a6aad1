//! Records: not built yet.

use super::Node;
use super::access::{AccessError, Write};
use super::error::LookupError;
use super::network::{Event, Network};
use crate::record::Stamp;
use crate::ring::Id;

impl Node {
    pub(super) fn write(&mut self, token: u64, _: Id, _: Write, net: &mut impl Network) {
        let result = Err(AccessError::Lookup(LookupError::NotMember));
        net.emit(Event::Written { token, result });
    }

    pub(super) fn read(&mut self, token: u64, _: Id, _: Stamp, net: &mut impl Network) {
        let result = Err(AccessError::Lookup(LookupError::NotMember));
        net.emit(Event::Read { token, result });
    }
}
