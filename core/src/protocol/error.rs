//! What can go wrong for a client of the node.

use std::borrow::Cow;

use crate::hint::Hint;

/// Why a look-up named nobody. None of these is a bug, and none changed the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum LookupError {
    /// This node belongs to no ring, or not yet.
    #[error("this node is not a member of a ring")]
    NotMember,
    /// Every node that might know the way was silent or knew no nearer one.
    #[error("no live node on the way to the key's owner")]
    NoRoute,
    /// The bound on the number of nodes asked was reached.
    #[error(
        "asked {} nodes without reaching the owner",
        super::limits::LOOKUP_ASKS
    )]
    TooManyAsks,
    /// As many look-ups are open as this node will hold.
    #[error("{} look-ups are open here already", super::limits::LOOKUPS)]
    TooManyLookups,
    /// The node left the ring, or fell out of it, while the look-up was under way.
    #[error("this node fell out of the ring during the look-up")]
    Stopped,
}

impl Hint for LookupError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            LookupError::NotMember => "wait until it has joined, or join one",
            LookupError::NoRoute => "try again when the ring has repaired itself",
            LookupError::TooManyAsks | LookupError::Stopped => "try again",
            LookupError::TooManyLookups => "wait for some to end",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Versions;
    use crate::record::LimitError;

    #[test]
    fn what_happened_stands_alone_and_the_next_step_follows_it_for_people() {
        let [one, other] = [1, 2].map(|version| Versions {
            newest: version,
            oldest: version,
        });
        let errors: [Box<dyn Hint>; 3] = [
            Box::new(LookupError::NotMember),
            Box::new(LimitError::NameBytes(300)),
            Box::new(one.common(other).unwrap_err()),
        ];
        for error in errors {
            let hint = error.hint().expect("each has one");
            assert!(!error.to_string().contains(&*hint), "{error}");
            assert_eq!(error.with_hint(), format!("{error}; {hint}"));
        }
    }
}
