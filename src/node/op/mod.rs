//! The operations: each a small value with a numbered story, which asks and ends.
//!
//! An operation never touches the node. It is polled with what came in, asks through
//! [`super::ask::Ask`], and returns what it found; [`super::Node`] applies that.

mod join;
mod leave;
mod lookup;
mod rectify;
mod retreat;
mod stabilize;

pub(super) use join::{Join, Joined};
pub(super) use leave::Leave;
pub(super) use lookup::{Lookup, Oneself, Outcome};
pub(super) use rectify::{Rectified, Rectify};
pub(super) use retreat::Retreat;
pub(super) use stabilize::{Heard, Stabilize};
