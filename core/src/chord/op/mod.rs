//! The operations: each a small value with a numbered story, which asks and ends.
//!
//! An operation never touches the node. It is polled with what came in, asks through
//! [`super::ask::Ask`], and returns what it found; [`super::Node`] applies that.

mod access;
mod acquire;
mod compare;
mod contacts;
mod hand_over;
mod join;
mod leave;
mod lookup;
mod misplaced;
mod rectify;
mod replicate;
mod retreat;
mod stabilize;

pub(super) use access::{Access, AccessKind, Step};
pub(super) use acquire::Acquire;
pub(super) use compare::{Compare, Compared, Way};
pub(super) use contacts::Contacts;
pub(super) use hand_over::{HandOver, Handed};
pub(super) use join::{Join, Joined};
pub(super) use leave::Leave;
pub(super) use lookup::{Lookup, Oneself, Outcome};
pub(super) use misplaced::Misplaced;
pub(super) use rectify::{Rectified, Rectify};
pub(super) use replicate::{Replicate, Replicated};
pub(super) use retreat::Retreat;
pub(super) use stabilize::{Heard, Stabilize};
