//! What keeps two nodes apart.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::versions::VersionsApart;
use crate::hint::Hint;

/// Why two nodes can't belong to one ring.
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
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// They understand no version of the protocol in common.
    #[error("{0}")]
    Version(VersionsApart),
    /// They belong to clusters of different names.
    #[error("it belongs to another cluster")]
    Cluster,
    /// They keep successor lists of different lengths.
    #[error("it keeps another number of successors")]
    Successors,
    /// They hold records on different numbers of nodes.
    #[error("it keeps another number of replicas")]
    Replicas,
}

impl Refusal {
    /// The same as the refused node sees it.
    #[must_use]
    pub const fn mirrored(self) -> Refusal {
        match self {
            Refusal::Version(apart) => Refusal::Version(apart.mirrored()),
            other => other,
        }
    }
}

impl Hint for Refusal {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Refusal::Version(apart) => return apart.hint(),
            Refusal::Cluster => "check the cluster's name on both",
            Refusal::Successors => "set `successors` alike on all nodes",
            Refusal::Replicas => "set `replicas` alike on all nodes",
        }))
    }
}
