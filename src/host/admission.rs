//! Who may come in: keys and secrets.

use std::collections::BTreeSet;

/// Which processes belong to the cluster.
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

/// A secret that the processes of a cluster share, of at least 128 bits.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Why somebody is not let in, or a list of keys or secrets can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stub")]
pub struct AdmissionError;

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

/// By what somebody was let in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Admitted;

/// Which end of a connection proves something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

impl Role {
    pub(super) const fn other(self) -> Role {
        match self {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }
}

impl Admission {
    /// What this process sends to prove that it knows the secret; `None` without one.
    pub(super) fn proof(&self, _binding: &Binding, _role: Role) -> Option<[u8; 32]> {
        None
    }

    /// Whether the end of this role may come in.
    pub(super) fn check(
        &self,
        _binding: &Binding,
        _role: Role,
        _proof: Option<&[u8; 32]>,
    ) -> Result<Admitted, AdmissionError> {
        Ok(Admitted::default())
    }

    pub(super) fn still_admits(&self, _key: &[u8; 32], _admitted: &Admitted) -> bool {
        true
    }
}
