//! The harness: scenarios, worlds, checkers, reports.

pub mod check;
pub mod report;
pub mod scenario;
pub mod world;
