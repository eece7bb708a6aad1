//! The checkers.

mod coverage;
pub mod direct;
pub mod excuse;
pub mod lookups;
pub mod property;
pub mod records;
pub mod ring;
