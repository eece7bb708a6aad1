//! The key that a process is known by.

use std::path::Path;

use crate::ring::Id;

/// An Ed25519 key pair; the ids of a process's nodes are hashes of its public half.
#[derive(Clone)]
pub struct Identity {
    seed: [u8; 32],
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct IdentityError;

impl Identity {
    /// The key pair with this secret half. The same seed gives the same key, for simulations.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Identity {
        Identity { seed }
    }

    /// A new key pair from the operating system's randomness.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn generate() -> Result<Identity, IdentityError> {
        Err(IdentityError)
    }

    /// Reads the key from a file, or makes one and writes it there, readable by its owner alone.
    /// Says whether it is new.
    ///
    /// # Errors
    /// If the file can't be read or written, holds no key, or may be read by others.
    pub fn load_or_create(_file: &Path) -> Result<(Identity, bool), IdentityError> {
        Err(IdentityError)
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.seed
    }

    /// The id of the process's node with this index.
    #[must_use]
    pub fn id(&self, node: u8) -> Id {
        Id::of_node(&self.public_key(), node)
    }
}
