//! The checkers.

mod coverage;
pub mod direct;
pub mod property;
pub mod ring;
