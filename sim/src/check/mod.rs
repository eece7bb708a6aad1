//! The checkers.

mod coverage;
pub mod direct;
pub mod excuse;
pub mod property;
pub mod ring;
