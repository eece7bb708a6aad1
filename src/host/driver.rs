//! stub
use super::handle::Handle;
use super::{Hooks, Settings, Sockets};
use std::net::SocketAddr;
/// A host that listens and is about to run.
#[derive(Debug)]
pub struct Host<S, H> {
    sockets: S,
    hooks: H,
}
/// How a host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All its nodes left the ring.
    Left,
    /// It was told to stop without leaving.
    Stopped,
}
/// Why a host can't start.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct StartError;
impl<S: Sockets, H: Hooks> Host<S, H> {
    /// Listens, and makes the nodes.
    ///
    /// # Errors
    /// If the address can't be listened on, or the settings don't fit.
    pub async fn bind(
        sockets: S,
        hooks: H,
        _settings: Settings,
    ) -> Result<(Host<S, H>, Handle), StartError> {
        let _ = Host { sockets, hooks };
        Err(StartError)
    }
    /// Where others reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([0, 0, 0, 0], 0))
    }
    /// Runs until its nodes have left, or all is lost. Dropped, it is as if the process was
    /// killed.
    ///
    /// # Panics
    /// If one of its own tasks did.
    pub async fn run(self) -> Ended {
        Ended::Stopped
    }
}
