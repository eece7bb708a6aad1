//! Which versions of the protocol a node understands, so that releases can be mixed.
//!
//! While a ring is upgraded node by node, old and new releases live in it together. So each side
//! says the newest version that it speaks and the oldest that it still understands, and they go on
//! if the two ranges have a version in common; the newest of those is what they speak.
//!
//! What says so, a hello and the handshake of a connection, must be read by all releases: neither
//! ever changes its form. Whatever else is new goes into new kinds of messages, and is sent only to
//! those who have the version for it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hint::Hint;

/// The versions of the protocol that somebody understands, these two included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Versions {
    /// The newest.
    pub newest: u16,
    /// The oldest.
    pub oldest: u16,
}

impl Versions {
    /// The newest version that both understand.
    ///
    /// # Errors
    /// If there is none.
    pub fn common(self, theirs: Versions) -> Result<u16, VersionsApart> {
        let newest = self.newest.min(theirs.newest);
        // A range whose ends are exchanged has nothing in it.
        if newest >= self.oldest.max(theirs.oldest) {
            Ok(newest)
        } else {
            let ours = self;
            Err(VersionsApart { ours, theirs })
        }
    }
}

/// `version 1`, `versions 1 to 3`.
impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Versions { newest, oldest } = self;
        if newest == oldest {
            write!(f, "version {newest}")
        } else {
            write!(f, "versions {oldest} to {newest}")
        }
    }
}

/// Two sides understand no version in common.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
#[error("it speaks {theirs} of the protocol and this node {ours}")]
pub struct VersionsApart {
    /// Those of the side that says so.
    pub ours: Versions,
    /// Those of the other.
    pub theirs: Versions,
}

impl VersionsApart {
    /// The same as the other side sees it.
    #[must_use]
    pub const fn mirrored(self) -> VersionsApart {
        VersionsApart {
            ours: self.theirs,
            theirs: self.ours,
        }
    }
}

impl Hint for VersionsApart {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(if self.theirs.newest < self.ours.newest {
            "upgrade the other node"
        } else {
            "upgrade this node"
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn from_to(oldest: u16, newest: u16) -> Versions {
        Versions { newest, oldest }
    }

    proptest! {
        #[test]
        fn both_sides_decide_alike_and_as_sets_would(
            [a, b, c, d] in any::<[u8; 4]>().prop_map(|all| all.map(|byte| u16::from(byte % 8))),
        ) {
            let (one, other) = (from_to(a, b), from_to(c, d));
            let common = (a..=b).filter(|version| (c..=d).contains(version)).max();
            prop_assert_eq!(one.common(other).ok(), common);
            let mirrored = other.common(one).map_err(VersionsApart::mirrored);
            prop_assert_eq!(mirrored, one.common(other));
        }
    }

    #[test]
    fn a_refusal_says_both_ranges_and_whom_to_upgrade() {
        let apart = from_to(1, 2).common(from_to(3, 5)).unwrap_err();
        let told = [apart, apart.mirrored()].map(|apart| apart.with_hint());
        insta::assert_snapshot!(told.join("\n"), @r"
        it speaks versions 3 to 5 of the protocol and this node versions 1 to 2; upgrade this node
        it speaks versions 1 to 2 of the protocol and this node versions 3 to 5; upgrade the other node
        ");
    }
}
