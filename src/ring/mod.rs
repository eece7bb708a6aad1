//! The circle and what a node knows of it: identifiers, arcs, peers, neighbours and fingers.
//!
//! Everything here is a plain value and every function a pure one. Nothing here sends, waits,
//! draws a random number or knows that messages exist; [`crate::node`] does that with what it
//! finds here.

mod arc;
mod fingers;
mod id;
mod neighbours;
mod peer;

pub use arc::Arc;
pub use fingers::{Finger, Fingers};
pub use id::{BITS, Id, ParseIdError};
pub use neighbours::{AfterSuccessor, Neighbours, Rectify, SuccessorList};
pub use peer::{Address, Peer};
