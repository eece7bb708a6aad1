//! What a host counts, so that what goes wrong can be told.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::latencies::Latencies;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Numbers that only grow. Whoever holds a [`super::Handle`] can read them.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: AtomicU64,)+
            /// How long things took.
            pub latencies: Latencies,
        }

        impl Counters {
            /// Each counter's name, what it counts, and its value.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((
                    stringify!($name),
                    concat!($($doc),+).trim_ascii(),
                    self.$name.load(Relaxed),
                ),)+]
            }
        }
    };
}

counters! {
    /// Envelopes, each with a message between two nodes, given to connections.
    letters_sent,
    /// Envelopes that came in.
    letters_received,
    /// Bytes of frames written.
    bytes_sent,
    /// Bytes of frames read.
    bytes_received,
    /// Envelopes lost here: a queue was full, or nobody could be reached.
    letters_dropped,
    /// Envelopes to a peer whose address turned out to be somebody else's.
    letters_misdirected,
    /// Connections opened to others.
    connections_opened,
    /// Connections accepted that proved who they are.
    connections_accepted,
    /// Connections from outside that did not prove in time who they are.
    handshakes_failed,
    /// Connections from outside closed before they proved anything, to make room for others.
    handshakes_displaced,
    /// Connections refused: another cluster or version, or a key or secret that is not admitted.
    connections_refused,
    /// Times that two processes with one key, this process's own or another, were found to run at once.
    twins_found,
    /// Connections that could not be opened, for whatever reason.
    dials_failed,
    /// Of these, those to an address where nobody listens: the system there refused.
    dials_refused,
    /// Of these, those that the network had no way for: host or network unreachable.
    dials_unreachable,
    /// Of these, those on which nothing was heard in time, by the network or in the handshake.
    dials_silent,
    /// Connections that the peer ended in an orderly way.
    connections_ended,
    /// Connections that were reset: the peer's system no longer knew of them.
    connections_reset,
    /// Connections that broke off otherwise: the peer's process was killed, or the network gave up.
    connections_cut,
    /// Connections closed because a frame could not be read.
    frames_malformed,
    /// Connections closed because the peer did not read.
    connections_stalled,
    /// Connections closed because a reply did not come.
    connections_distrusted,
    /// Connections closed because nobody used them.
    connections_idle,
    /// Connections closed to make room for others.
    connections_displaced,
    /// Requests whose reply did not come in time.
    requests_timed_out,
    /// Messages that no correct node would send now.
    messages_ignored,
    /// Peers that did not fit, or for which this node did not fit.
    peers_refused,
    /// Peers presumed dead.
    peers_presumed_dead,
    /// Times that all successors fell silent.
    stranded,
    /// Look-ups that clients asked for.
    lookups,
    /// Look-ups that named nobody.
    lookups_failed,
    /// Reads that clients asked for.
    reads,
    /// Reads that nobody answered.
    reads_failed,
    /// Reads that the key's owner did not answer, but other holders.
    reads_uncertain,
    /// Writes and deletions that clients asked for.
    writes,
    /// Writes that fewer nodes hold than should.
    writes_partial,
    /// Writes that the key's owner denied: a condition did not hold, or a limit was reached.
    writes_denied,
    /// Writes that nobody answered for; they may have been done in part.
    writes_failed,
    /// Writes found here to have been made without knowledge of each other.
    conflicts,
    /// Records found to be damaged on the disk.
    records_damaged,
}

impl Counters {
    /// Adds one.
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// Adds many.
    pub(crate) fn add_many(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Relaxed);
    }
}
