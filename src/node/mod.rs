//! The protocol.

mod config;
mod error;
pub mod limits;
mod message;
mod network;

pub use config::{Config, ConfigError};
pub use error::LookupError;
pub use message::{Hello, Message, PROTOCOL_VERSION, Refusal, Reply, Request, RequestId};
pub use network::{Event, Found, Ignored, Input, Network, Recorder, Timer};
