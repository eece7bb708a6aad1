//! Why a text is not what it should be. Does not know where the text stands.

use std::fmt;

/// Why a text is no value of its kind, and what would be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl Mistake {
    /// Says both.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Mistake {
        Mistake {
            message: message.into(),
            help: help.into(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}
