//! What the pages say about the harness and the project is true: what they show comes out, what
//! they tell people to write works, and what they name is there.
//!
//! Every page of the project is read; what else they say is checked by the test of the same name
//! in the package `cuerda`.

mod commands;
mod harness;
#[allow(dead_code, reason = "the other package's test reads other parts")]
#[path = "../../../tests/pages/markdown.rs"]
mod markdown;
mod places;
mod tables;
