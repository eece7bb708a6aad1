//! The whole node: several of them in a small world, or one alone that is told all it hears.
//!
//! Operations and tables have their own tests beside them; what is here shows that the node
//! puts them together rightly. Nothing here knows of the simulator.

mod away;
mod boundary;
mod clocks;
mod copies;
mod departure;
mod doubt;
mod given_up;
mod holders_known;
mod hostile;
mod join;
mod leave;
mod limits;
mod promises;
mod records;
mod restart;
mod reunion;
mod scrub;
mod steps;
mod stranded;
mod wire;
mod world;
