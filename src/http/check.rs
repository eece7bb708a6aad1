//! A thing that was checked about a node, as health and problems tell it.

use serde::{Deserialize, Serialize};

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// Whether the node can't do its work without.
    pub required: bool,
    /// What was found.
    pub detail: String,
}
