//! What to try next, apart from what happened.
//!
//! An error's `Display` is the sentence of what happened, alone. The next thing to try stands
//! beside it, so that whoever tells an error decides how both are shown, and nobody takes a
//! sentence apart to find where the one ends and the other begins.

use std::borrow::Cow;
use std::fmt;

/// An error that can say what to try next.
pub trait Hint: fmt::Display {
    /// The next thing to try, in words that may follow a semicolon; `None` if there is nothing
    /// more to say than what happened.
    fn hint(&self) -> Option<Cow<'static, str>>;

    /// Both in a line, for people: `what happened; what to try`.
    fn with_hint(&self) -> String {
        match self.hint() {
            Some(hint) => format!("{self}; {hint}"),
            None => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_hint_only_what_happened_is_told() {
        struct Bare;
        impl fmt::Display for Bare {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("it broke")
            }
        }
        impl Hint for Bare {
            fn hint(&self) -> Option<Cow<'static, str>> {
                None
            }
        }
        assert_eq!(Bare.with_hint(), "it broke");
    }
}
