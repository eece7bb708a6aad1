//! The key that a process is known by.
//!
//! Whoever holds the secret half *is* that process: it lies in a file that its owner alone may
//! read, and is never printed, logged or sent. Neither is it ever overwritten: a lost key means
//! another id, and so another place on the circle.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::file;
use cuerda_core::Hint;
use cuerda_core::ring::Id;

/// The longest key file that is read; an Ed25519 key takes some 200 bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// An Ed25519 key pair; the ids of a process's nodes are hashes of its public half.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
}

/// Shows the public half alone.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({:.8})", self.id(0))
    }
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The operating system gives no randomness.
    #[error("the system gives no randomness to make a key of: {0}")]
    NoRandomness(getrandom::Error),
    /// The file can't be read.
    #[error("can't read the key in {file}: {error}")]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the file system said.
        error: io::Error,
    },
    /// The file can't be written.
    #[error("can't write a new key to {file}: {error}")]
    Unwritable {
        /// Which file.
        file: PathBuf,
        /// What the file system said.
        error: io::Error,
    },
    /// Others may read the file.
    #[error("others may read the key in {file} (mode {mode:04o})")]
    Exposed {
        /// Which file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file holds nothing.
    #[error("{file} is empty and holds no key")]
    Empty {
        /// Which file.
        file: PathBuf,
    },
    /// The file holds something else.
    #[error("{file} holds no Ed25519 key in PKCS#8 PEM ({why})")]
    NoKey {
        /// Which file.
        file: PathBuf,
        /// What the decoder missed.
        why: String,
    },
}

impl Hint for IdentityError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            IdentityError::NoRandomness(_) => "try again".into(),
            IdentityError::Unreadable { .. } => "let the user that runs the node own it".into(),
            IdentityError::Unwritable { .. } => {
                "make sure that its directory exists and belongs to the user that runs the node"
                    .into()
            }
            IdentityError::Exposed { file, .. } => format!(
                "run `chmod 600 {}`; if somebody may have copied it, move the file away instead, \
                 and the node gets a new key and a new id",
                file.display()
            )
            .into(),
            IdentityError::Empty { file } | IdentityError::NoKey { file, .. } => format!(
                "restore it from a copy, or move it away with `mv {0} {0}.old`, and the node gets \
                 a new key and a new id",
                file.display()
            )
            .into(),
        })
    }
}

impl Identity {
    /// The key pair with this secret half. The same seed gives the same key, for simulations.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Identity {
        Identity {
            key: SigningKey::from_bytes(&seed),
        }
    }

    /// A new key pair from the operating system's randomness.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn generate() -> Result<Identity, IdentityError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(IdentityError::NoRandomness)?;
        Ok(Identity::from_seed(seed))
    }

    /// Reads the key from a file, or makes one and writes it there, readable by its owner alone.
    /// Says whether it is new.
    ///
    /// The file is PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// If the file can't be read or written, holds no key, or may be read by others.
    pub fn load_or_create(file: &Path) -> Result<(Identity, bool), IdentityError> {
        if let Some(identity) = Identity::load(file)? {
            return Ok((identity, false));
        }
        let unwritable = |error| IdentityError::Unwritable {
            file: file.to_owned(),
            error,
        };
        let identity = Identity::generate()?;
        match file::create(file, identity.to_pem().as_bytes()) {
            Ok(()) => Ok((identity, true)),
            // Somebody else has made one in between; then that is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let theirs = Identity::load(file)?.ok_or_else(|| unwritable(error))?;
                Ok((theirs, false))
            }
            Err(error) => Err(unwritable(error)),
        }
    }

    /// Reads the key from a file, if there is one.
    fn load(file: &Path) -> Result<Option<Identity>, IdentityError> {
        let name = || file.to_owned();
        let no_key = |why: String| IdentityError::NoKey { file: name(), why };
        let (text, mode) = match file::read(file, FILE_BYTES_MAX) {
            Ok(read) => read,
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => return Ok(None),
                io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge => {
                    return Err(no_key(error.to_string()));
                }
                _ => {
                    return Err(IdentityError::Unreadable {
                        file: name(),
                        error,
                    });
                }
            },
        };
        if mode & 0o077 != 0 {
            return Err(IdentityError::Exposed { file: name(), mode });
        }
        if text.trim().is_empty() {
            return Err(IdentityError::Empty { file: name() });
        }
        let key = SigningKey::from_pkcs8_pem(&text).map_err(|error| no_key(error.to_string()))?;
        Ok(Some(Identity { key }))
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The id of the process's node with this index.
    #[must_use]
    pub fn id(&self, node: u8) -> Id {
        Id::of_node(&self.public_key(), node)
    }

    /// The key pair as TLS takes it.
    pub(super) fn pkcs8(&self) -> PrivatePkcs8KeyDer<'static> {
        let document = self.key.to_pkcs8_der();
        let document = document.expect("a key of fixed length can be encoded");
        PrivatePkcs8KeyDer::from(document.as_bytes().to_vec())
    }

    /// The key pair as the file has it: PKCS#8 in PEM. Whoever reads it can be this process.
    ///
    /// # Panics
    /// Never: a key of fixed length can be encoded.
    pub fn to_pem(&self) -> impl std::ops::Deref<Target = String> + use<> {
        let text = self.key.to_pkcs8_pem(LineEnding::LF);
        text.expect("a key of fixed length can be encoded")
    }
}

#[cfg(test)]
mod tests;
