//! The real program, from outside: what it prints, how it ends, and that nodes it starts do what
//! the commands say.
//!
//! Everything listens on free ports of loopback. Waiting is bounded and polls for what is waited
//! for, so that a slow machine makes a test slow and not wrong.

mod bench;
mod bootstrap;
mod configuration;
mod control;
mod damage;
mod demo;
mod descriptors;
mod events;
mod logs;
mod metrics;
mod node;
mod process;
mod records;
mod set_aside;
mod twins;
mod usage;
mod waiting;
