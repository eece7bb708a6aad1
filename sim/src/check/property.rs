//! What must hold of a ring's members together, by name.
//!
//! Names only: [`super::direct`] evaluates them from their formulas. Nothing here looks at a
//! ring.

use std::fmt;

/// A property of all members of a ring together (P. Zave, TSE 2017, section IV).
///
/// M is the set of members; `b` is the best successor, the first *live* entry of a member's
/// successor list, and `b⁺` one or more steps of it; Ring = {m ∈ M : m ∈ b⁺(m)}; `ESL(m)`, the
/// extended successor list, is m followed by its successors; r is the number of successors that
/// a node has room for.
///
/// Only the last two form the inductive invariant, and all the others follow from them; the
/// others are checked all the same, because a bug shows up as one of them long before anybody
/// understands it, and because below r+1 members nothing implies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Property {
    /// Ring ≠ ∅.
    AtLeastOneRing,
    /// ∀ m₁ ≠ m₂ ∈ Ring: m₁ ∈ b⁺(m₂).
    AtMostOneRing,
    /// ∀ distinct m₁, m₂, x ∈ Ring: m₂ = b(m₁) ⇒ ¬between(m₁, x, m₂).
    OrderedRing,
    /// ∀ a ∈ M∖Ring ∃ q ∈ Ring: q ∈ b⁺(a).
    ConnectedAppendages,
    /// ∀ m: m is not in its own successor list, whose entries are distinct.
    NoDuplicates,
    /// ∀ m, i < j < k: between(ESL(m)ᵢ, ESL(m)ⱼ, ESL(m)ₖ).
    OrderedSuccessorLists,
    /// ∀ m: b(m) exists.
    OneLiveSuccessor,
    /// At least r+1 members p are principal, that is, no extended successor list skips them:
    /// ∀ m, i: ¬between(ESL(m)ᵢ, p, ESL(m)ᵢ₊₁).
    SufficientPrincipals,
}

impl Property {
    /// All of them, in the order in which reports list them.
    pub const ALL: [Property; 8] = [
        Property::AtLeastOneRing,
        Property::AtMostOneRing,
        Property::OrderedRing,
        Property::ConnectedAppendages,
        Property::NoDuplicates,
        Property::OrderedSuccessorLists,
        Property::OneLiveSuccessor,
        Property::SufficientPrincipals,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Property::AtLeastOneRing => "at-least-one-ring",
            Property::AtMostOneRing => "at-most-one-ring",
            Property::OrderedRing => "ordered-ring",
            Property::ConnectedAppendages => "connected-appendages",
            Property::NoDuplicates => "no-duplicates",
            Property::OrderedSuccessorLists => "ordered-successor-lists",
            Property::OneLiveSuccessor => "one-live-successor",
            Property::SufficientPrincipals => "sufficient-principals",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete_ordered_and_named_after_the_variants() {
        assert!(Property::ALL.is_sorted());
        for (index, property) in Property::ALL.into_iter().enumerate() {
            assert_eq!(property as usize, index);
            let camel: String = property
                .to_string()
                .split('-')
                .map(|word| word[..1].to_uppercase() + &word[1..])
                .collect();
            assert_eq!(camel, format!("{property:?}"));
        }
        assert_eq!(
            Property::ALL.len(),
            Property::SufficientPrincipals as usize + 1
        );
    }
}
