//! The checkers.

pub mod direct;
pub mod property;
