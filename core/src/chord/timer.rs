//! What a Chord node wants to be woken for.

use crate::protocol;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// The next stabilization.
    Stabilize,
    /// The next finger to refresh.
    Fingers,
    /// The reply to this request is late. Comes for answered requests too, and is ignored then.
    Request(u32),
    /// The next look at what other holders have.
    Repair,
    /// The next few records to read, to see whether they have rotted, where there are many.
    Scrub,
    /// The next attempt to join, or to get back into the ring.
    Join,
}

impl protocol::Timer for Timer {
    #[inline]
    fn pack(self) -> (u8, u32) {
        match self {
            Timer::Stabilize => (1, 0),
            Timer::Fingers => (2, 0),
            Timer::Request(number) => (3, number),
            Timer::Join => (4, 0),
            Timer::Repair => (6, 0),
            Timer::Scrub => (7, 0),
        }
    }

    #[inline]
    fn unpack(kind: u8, value: u32) -> Timer {
        match kind {
            1 => Timer::Stabilize,
            2 => Timer::Fingers,
            4 => Timer::Join,
            6 => Timer::Repair,
            7 => Timer::Scrub,
            _ => Timer::Request(value),
        }
    }

    #[inline]
    fn kind(self) -> &'static str {
        match self {
            Timer::Stabilize => "Stabilize",
            Timer::Fingers => "Fingers",
            Timer::Request(_) => "Request",
            Timer::Join => "Join",
            Timer::Repair => "Repair",
            Timer::Scrub => "Scrub",
        }
    }

    #[inline]
    fn request(self) -> Option<u32> {
        match self {
            Timer::Request(number) => Some(number),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Timer as _;

    #[test]
    fn what_is_packed_is_unpacked() {
        for timer in [
            Timer::Stabilize,
            Timer::Fingers,
            Timer::Request(7),
            Timer::Repair,
            Timer::Scrub,
            Timer::Join,
        ] {
            let (kind, value) = timer.pack();
            assert_eq!(Timer::unpack(kind, value), timer);
        }
    }
}
