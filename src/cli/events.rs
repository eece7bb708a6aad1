//! The stream of events on stdout, beside what a command itself prints.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use cuerda::host::events::Lines;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::{Failure, output};

/// Writes the stream, if there is one.
#[derive(Debug)]
pub(crate) struct Writer(Option<JoinHandle<io::Result<()>>>);

impl Writer {
    /// Begins; what the command prints when it starts comes before.
    pub(crate) fn start(lines: Option<Lines>) -> Result<Writer, Failure> {
        let Some(lines) = lines else {
            return Ok(Writer(None));
        };
        // Not by the lock that printing takes: a reader who stops reading must not hold up more
        // than the stream.
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout.map_err(|error| {
            Failure::failed(
                format!("can't write events: {error}"),
                "is stdout closed? `events` needs it",
            )
        })?;
        let mut stdout = File::from(stdout);
        Ok(Writer(Some(spawn_blocking(move || {
            let written = lines.write(&mut stdout);
            if let Err(error) = &written {
                tracing::warn!("events are no longer written: {error}");
            }
            written
        }))))
    }

    /// Waits until all is written, but no longer than this. Whoever tells events must be gone.
    pub(crate) async fn finish(&mut self, within: Duration) {
        if let Some(writing) = self.0.take()
            && timeout(within, writing).await.is_err()
        {
            tracing::warn!("the last events were not written: nobody reads them");
        }
    }
}

/// Prints nothing more if whoever reads stdout has stopped reading: the end of the process must
/// not wait for him.
pub(crate) fn leave_a_full_stdout() {
    let stdout = io::stdout();
    let mut stdout = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
    // What can't be polled, as a closed one, does not make anybody wait.
    if poll(&mut stdout, PollTimeout::ZERO) == Ok(0) {
        tracing::warn!("nothing more is printed: nobody reads it");
        output::print_no_more();
    }
}
