//! Why a host can't start.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;

use super::hosted::UnfitSettings;
use super::limits;
use super::protocol_name::UnfitName;
use super::sqlite::StoreError;
use cuerda_core::Hint;

/// Why a host can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be listened on.
    #[error("can't listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// Others could not reach it at this address.
    #[error("nobody can reach a node at {0}")]
    Advertise(SocketAddr),
    /// More virtual nodes than a process may host, or none.
    #[error("a process hosts 1 to {most} nodes, not {0}", most = limits::VIRTUAL_NODES)]
    VirtualNodes(u8),
    /// The nodes' own settings don't fit.
    #[error(transparent)]
    Unfit(#[from] UnfitSettings),
    /// Other processes would not read what the protocol is called.
    #[error(transparent)]
    Name(#[from] UnfitName),
    /// The key can't be used for TLS.
    #[error("the key can't be used for TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The records can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Hint for StartError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            StartError::Listen(..) => "choose another address, or stop who uses it",
            StartError::Advertise(_) => {
                "say where others reach it by `advertise`, as in `--advertise 192.0.2.7:4000`"
            }
            StartError::Unfit(error) => return error.hint(),
            StartError::Store(error) => return error.hint(),
            StartError::Name(error) => return error.hint(),
            StartError::VirtualNodes(_) | StartError::Tls(_) => return None,
        }))
    }
}
