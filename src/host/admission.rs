//! Who may come in: keys and secrets.
//!
//! A connection has proved by TLS which key each end holds. Here is decided whether that key
//! belongs to the cluster: it is not revoked, it is on the list if there is a list, and its
//! owner knows a secret if there are secrets. Both ends decide, each about the other.
//!
//! That it knows the secret, an end shows by a MAC over what TLS has agreed for this connection
//! alone, both keys, and its own role in it. So the secret itself is never sent, and a proof is
//! of no use on another connection, in the other direction, or for another key. A proof can't
//! be used to guess the secret either, if that was drawn at random: 128 bits are the least.
//!
//! **A secret admits whoever holds it, under as many keys as he likes to make, and so to places
//! on the circle of his choice.** It keeps strangers out, and protects nobody from an insider;
//! and as there is no telling who leaked it, it is the weaker of the two. A list of keys admits
//! those keys only.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{file, hex};
use cuerda_core::Hint;

/// The least length of a secret.
const SECRET_BYTES_MIN: usize = 16;

/// The longest list that is read: some 60 000 keys.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a proof is a proof of; another version of this text makes another proof.
const PROOF: &[u8] = b"cuerda admission 1";

/// What a fingerprint is made of; never the beginning of what a proof is made of.
const FINGERPRINT: &[u8] = b"cuerda fingerprint 1";

/// Which processes belong to the cluster.
///
/// The default admits everybody: fit for a network that nobody else can reach, and for nothing
/// else. Whoever holds one of the secrets can make as many keys, and so ids, as he likes; only
/// a list of keys prevents that.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Only these public keys; `None` means any.
    pub keys: Option<BTreeSet<[u8; 32]>>,
    /// Never these.
    pub revoked: BTreeSet<[u8; 32]>,
    /// Only who knows one of these, if there are any. The first is the one that this process
    /// proves to know; all are accepted, so that a secret can be rotated.
    pub secrets: Vec<Secret>,
}

/// A secret that the processes of a cluster share, of at least 128 bits. It is never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Why somebody is not let in, or a list of keys or secrets can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// The key is revoked.
    #[error("the key {0} is revoked")]
    Revoked(String),
    /// There is a list of keys, without this one.
    #[error("the key {0} is not on the list of keys")]
    NotListed(String),
    /// There are secrets, and the peer has shown nothing.
    #[error("the holder of the key {0} shows no secret")]
    NoProof(String),
    /// There are secrets, and the peer's is none of them.
    #[error(
        "the holder of the key {0} has another secret, or repeats what somebody else has shown"
    )]
    WrongProof(String),
    /// A secret that could be guessed.
    #[error("a secret of {0} bytes, fewer than {SECRET_BYTES_MIN}")]
    Weak(usize),
    /// The file can't be read.
    #[error("can't read {file}: {error}")]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the file system said.
        error: String,
    },
    /// Others may read the file of secrets.
    #[error("others may read the secrets in {file} (mode {mode:04o})")]
    Exposed {
        /// Which file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line of the file is something else.
    #[error("{file}:{line}: {expected}")]
    Line {
        /// Which file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What should stand there. What does is left out: it may be a secret.
        expected: String,
    },
    /// Nothing but comments.
    #[error("{file} holds no {what}")]
    Empty {
        /// Which file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
}

impl Hint for AdmissionError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            AdmissionError::Exposed { file, .. } => {
                let hint = format!(
                    "run `chmod o= {}`, and let the user that runs the node own it; if somebody \
                     may have copied it, change the secret",
                    file.display()
                );
                return Some(hint.into());
            }
            AdmissionError::Revoked(_) => {
                "remove it from the list of revoked keys to let it in again"
            }
            AdmissionError::NotListed(_) => "add it there if it belongs to this cluster",
            AdmissionError::NoProof(_) => "start it with this cluster's secret if it belongs here",
            AdmissionError::WrongProof(_) => "give it this cluster's secret if it belongs here",
            AdmissionError::Weak(_) => "make one with `openssl rand -hex 32`",
            AdmissionError::Unreadable { .. } => {
                "check that it exists and that this user may read it"
            }
            AdmissionError::Line { .. } => "a line that begins with `#` is a comment",
            AdmissionError::Empty { .. } => "add one, or leave the file out of the configuration",
        }))
    }
}

/// What a proof is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    /// Keying material that TLS exports, the same at both ends and at no other connection.
    pub(super) exporter: [u8; 32],
    /// The public key of the end that dialled.
    pub(super) client: [u8; 32],
    /// The public key of the end that accepted.
    pub(super) server: [u8; 32],
}

impl Binding {
    /// The key of the end of this role.
    fn key(&self, role: Role) -> &[u8; 32] {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

/// Which end of a connection proves something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

impl Role {
    /// The role of the other end.
    pub(super) const fn other(self) -> Role {
        match self {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }
}

/// By what a peer was let in: enough to tell later whether it would be again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Admitted {
    /// The secret that it knows, without giving it away.
    secret: Option<[u8; 32]>,
}

impl Secret {
    /// A secret of these bytes, drawn at random: a password that somebody thought of can be
    /// guessed by whoever is shown a proof.
    ///
    /// # Errors
    /// If there are fewer than 16.
    pub fn new(bytes: Vec<u8>) -> Result<Secret, AdmissionError> {
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(AdmissionError::Weak(bytes.len()));
        }
        Ok(Secret(bytes))
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }

    /// All that goes in has a fixed length, so that no two bindings make the same text.
    fn proof(&self, binding: &Binding, role: Role) -> Hmac<Sha256> {
        let role = match role {
            Role::Client => 1,
            Role::Server => 2,
        };
        self.mac()
            .chain_update(PROOF)
            .chain_update([role])
            .chain_update(binding.exporter)
            .chain_update(binding.client)
            .chain_update(binding.server)
    }

    fn fingerprint(&self) -> [u8; 32] {
        let mac = self.mac().chain_update(FINGERPRINT);
        mac.finalize().into_bytes().into()
    }
}

impl Admission {
    /// Admits everybody.
    #[must_use]
    pub fn open() -> Admission {
        Admission::default()
    }

    /// Admits the keys in this file alone: 64 hexadecimal digits to a line, as `cuerda status`
    /// shows them. Empty lines and those that begin with `#` are left out.
    ///
    /// # Errors
    /// If the file can't be read, or holds something else, or no key.
    pub fn with_keys_from(mut self, file: &Path) -> Result<Admission, AdmissionError> {
        let keys = read_keys(file)?;
        if keys.is_empty() {
            let (file, what) = (file.to_owned(), "key");
            return Err(AdmissionError::Empty { file, what });
        }
        self.keys = Some(keys);
        Ok(self)
    }

    /// Admits none of the keys in this file, which is written as [`Admission::with_keys_from`]
    /// says and may be empty.
    ///
    /// # Errors
    /// If the file can't be read, or holds something else.
    pub fn with_revoked_from(mut self, file: &Path) -> Result<Admission, AdmissionError> {
        self.revoked = read_keys(file)?;
        Ok(self)
    }

    /// Admits those who know one of the secrets in this file alone, and proves to know the
    /// first: 32 or more hexadecimal digits to a line, as `openssl rand -hex 32` gives them.
    /// Empty lines and those that begin with `#` are left out.
    ///
    /// To rotate a secret while the cluster runs, add the new one as the second line of all
    /// files; then make it the first of all; then remove the old one.
    ///
    /// # Errors
    /// If the file can't be read, may be read by others, or holds something else, or no secret.
    pub fn with_secrets_from(mut self, file: &Path) -> Result<Admission, AdmissionError> {
        let expected = "expected a secret of 32 or more hexadecimal digits, two to a byte; \
                        `openssl rand -hex 32` makes one";
        // The group may: engines of containers hand secrets to a group that is the node's alone.
        let guard = |mode| match mode & 0o007 {
            0 => Ok(()),
            _ => Err(AdmissionError::Exposed {
                file: file.to_owned(),
                mode,
            }),
        };
        let parse = |line: &str| Secret::new(hex::decode(line)?).ok();
        let secrets: Vec<Secret> = read_lines(file, expected, guard, parse)?;
        if secrets.is_empty() {
            // As if there were no file, everybody would be admitted.
            let (file, what) = (file.to_owned(), "secret");
            return Err(AdmissionError::Empty { file, what });
        }
        self.secrets = secrets;
        Ok(self)
    }

    /// Whether strangers are admitted: there is neither a list of keys nor a secret.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.keys.is_none() && self.secrets.is_empty()
    }

    /// What this process sends to prove that it knows the secret; `None` without one.
    pub(super) fn proof(&self, binding: &Binding, role: Role) -> Option<[u8; 32]> {
        let secret = self.secrets.first()?;
        let mac = secret.proof(binding, role).finalize();
        Some(mac.into_bytes().into())
    }

    /// Whether the end of this role may come in.
    ///
    /// # Errors
    /// If not; says why, for our own log: a stranger is better told nothing.
    pub(super) fn check(
        &self,
        binding: &Binding,
        role: Role,
        proof: Option<&[u8; 32]>,
    ) -> Result<Admitted, AdmissionError> {
        let key = binding.key(role);
        let shown = || hex::encode(key);
        if self.revoked.contains(key) {
            return Err(AdmissionError::Revoked(shown()));
        }
        if !self.lists(key) {
            return Err(AdmissionError::NotListed(shown()));
        }
        if self.secrets.is_empty() {
            return Ok(Admitted { secret: None });
        }
        let proof = proof.ok_or_else(|| AdmissionError::NoProof(shown()))?;
        // Each is compared in constant time. Which of them fits is no secret.
        let known = self
            .secrets
            .iter()
            .find(|secret| secret.proof(binding, role).verify_slice(proof).is_ok())
            .ok_or_else(|| AdmissionError::WrongProof(shown()))?;
        Ok(Admitted {
            secret: Some(known.fingerprint()),
        })
    }

    /// Whether who was let in with this key, by other lists and secrets perhaps, still may stay.
    pub(super) fn still_admits(&self, key: &[u8; 32], admitted: &Admitted) -> bool {
        let knows = |secret: &Secret| admitted.secret == Some(secret.fingerprint());
        !self.revoked.contains(key)
            && self.lists(key)
            && (self.secrets.is_empty() || self.secrets.iter().any(knows))
    }

    fn lists(&self, key: &[u8; 32]) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(key))
    }
}

fn read_keys(file: &Path) -> Result<BTreeSet<[u8; 32]>, AdmissionError> {
    let expected = "expected a public key of 64 hexadecimal digits, as `cuerda status` shows it";
    let parse = |line: &str| hex::decode(line)?.try_into().ok();
    // Public keys are no secret.
    read_lines(file, expected, |_| Ok(()), parse)
}

/// What stands on the lines of a file that are neither empty nor comments; `guard` is asked whether
/// its mode will do.
fn read_lines<T, C: FromIterator<T>>(
    file: &Path,
    expected: &str,
    guard: impl Fn(u32) -> Result<(), AdmissionError>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<C, AdmissionError> {
    let (text, mode) = file::read(file, FILE_BYTES_MAX).map_err(|error: io::Error| {
        AdmissionError::Unreadable {
            file: file.to_owned(),
            error: error.to_string(),
        }
    })?;
    guard(mode)?;
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| {
            parse(line).ok_or_else(|| AdmissionError::Line {
                file: file.to_owned(),
                line: index + 1,
                expected: expected.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
