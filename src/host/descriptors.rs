//! File descriptors: how many the process may have, and for what the last ones are kept.
//!
//! ```text
//!   0 ─────────────────────────────────▶ limit − (PEERS + DISK) ──▶ limit − DISK ──▶ limit
//!     connections of strangers and clients                 dialled peers       files
//! ```
//!
//! A descriptor that is missing for a file looks like a broken disk, and one that is missing for a
//! neighbour like a broken network; one that is missing for a stranger is his affair. The system
//! gives the lowest number that is free, so the number of a new descriptor says how many there are
//! at least: who gets one beyond his mark gives it back.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::Mutex;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::time::Instant;

use super::limits;

/// Kept for files: those of the records, the state, keys and names that are looked up.
const DISK: u64 = 32;
/// Kept for connections to peers besides, of a limit that has room for all.
const PEERS: u64 = 256;
/// What a process has open that serves one node and waits: stdio, listeners, tokio's own.
const OWN: u64 = 16;
/// How often it is said that there are no more.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// How many descriptors a process may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// So many now.
    pub limit: u64,
    /// So many are of use to a busy node.
    pub useful: u64,
}

/// Raises the limit of this process as far as it may by itself, and says what it is then. `None`
/// if the system does not say.
#[must_use]
pub fn raise_descriptor_limit(clients: usize) -> Option<DescriptorLimit> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    // Some systems take no more than they can have; then it stays as it is.
    let raised = soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    let most = limits::CONNECTIONS + limits::HANDSHAKES + limits::DIALS + clients;
    Some(DescriptorLimit {
        limit: if raised { hard } else { soft },
        useful: OWN + DISK + PEERS + most as u64,
    })
}

impl DescriptorLimit {
    /// Whether a node can't do its work with so few.
    #[must_use]
    pub const fn is_too_low(self) -> bool {
        self.limit < OWN + 2 * DISK
    }
}

/// How many descriptors the process has open, where the system tells.
#[must_use]
pub fn open_descriptors() -> Option<u64> {
    let entries = std::fs::read_dir("/dev/fd").ok()?;
    // The one that is open to read them is not counted.
    Some((entries.count() as u64).saturating_sub(1))
}

/// The present limit; `None` if the system does not say.
#[must_use]
pub fn descriptor_limit() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE)
        .ok()
        .map(|(soft, _)| soft)
}

/// Who wants a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// For a connection from outside, of whoever.
    ByStranger,
    /// For a connection to a peer.
    ForPeer,
}

/// Gives a descriptor back that would be missing for what matters more.
pub(super) fn within_share<T: AsFd>(opened: T, wanted: Wanted) -> io::Result<T> {
    let number = u64::try_from(opened.as_fd().as_raw_fd()).unwrap_or_default();
    match descriptor_limit() {
        Some(limit) if number >= mark(limit, wanted) => Err(Errno::EMFILE.into()),
        _ => Ok(opened),
    }
}

/// The first number that is not for this.
fn mark(limit: u64, wanted: Wanted) -> u64 {
    let kept = match wanted {
        // A low limit is shared.
        Wanted::ByStranger => DISK + PEERS.min(limit / 4),
        Wanted::ForPeer => DISK,
    };
    limit.saturating_sub(kept)
}

/// Whether an error says that the process, or the system, has no more descriptors.
pub(super) fn are_used_up(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(number, Some(Errno::EMFILE | Errno::ENFILE))
}

/// Whether no file can be opened now for want of a descriptor. SQLite does not say why it could
/// not open one.
pub(super) fn are_missing() -> bool {
    std::fs::File::open("/dev/null").is_err_and(|error| are_used_up(&error))
}

/// Says that a connection could not be accepted: for want of descriptors once a minute, since it
/// will be so for a while. Else each time.
pub(crate) fn tell_not_accepted(error: &io::Error) {
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    if !are_used_up(error) {
        tracing::warn!(%error, "can't accept a connection");
        return;
    }
    let mut said = SAID
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = Instant::now();
    if said.is_none_or(|said| now >= said + SAID_EVERY) {
        *said = Some(now);
        let limit = descriptor_limit().unwrap_or_default();
        tracing::warn!(
            %error,
            limit,
            "file descriptors run out: connections from outside are refused, and the rest is kept \
             for the disk and for peers. Raise the limit of open files (`ulimit -n`, \
             `LimitNOFILE=`), or look for a client that opens many connections"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_refused_before_peers_and_peers_before_files() {
        for limit in [80, 256, 1024, 1 << 20] {
            let [strangers, peers] =
                [Wanted::ByStranger, Wanted::ForPeer].map(|wanted| mark(limit, wanted));
            assert!(
                OWN < strangers && strangers < peers && peers < limit,
                "{limit}"
            );
        }
        assert_eq!(mark(1 << 20, Wanted::ByStranger), (1 << 20) - DISK - PEERS);
    }

    #[test]
    fn a_limit_that_leaves_nothing_for_connections_is_too_low() {
        let too_low = |limit| DescriptorLimit { limit, useful: 0 }.is_too_low();
        assert!(too_low(64) && !too_low(80));
    }

    #[test]
    fn only_the_system_s_word_for_it_counts() {
        for (errno, used_up) in [
            (Errno::EMFILE, true),
            (Errno::ENFILE, true),
            (Errno::EIO, false),
        ] {
            assert_eq!(are_used_up(&errno.into()), used_up);
        }
        assert!(!are_missing());
    }
}
