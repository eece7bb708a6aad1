//! What the pages say about the program `cuerda` is true: their commands work as they stand there
//! and print what is shown, and their tables are those of the program.
//!
//! Every page of the project is read; what else they say is checked by the test of the same name
//! in the package `cuerda-sim`.

#[allow(dead_code, reason = "nodes are started as pages say, not by this")]
#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the other package's test reads other parts")]
mod markdown;
mod mask;
mod program;
mod session;
mod tables;
