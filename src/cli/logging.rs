//! Where the log goes: to stderr, for people on a terminal and as JSON elsewhere.
//!
//! ```text
//!   tracing ──▶ Queue ── as many lines as fit ──▶ a thread ──▶ stderr
//! ```
//!
//! A reader who stops reading, a closed pipe or a full volume must neither end a node nor keep it
//! waiting. So lines are written by a thread of their own, those for which there is no room or
//! that can't be written are counted, and the next ones are tried again. (The writer of
//! `tracing-appender` counts only the former, and prints to stdout when it can't end.)

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use cuerda::host::LostLines;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::Failure;
use super::config::{self, Config, LogFormat};
use super::output::{self, Output, colours};

/// Lines that wait to be written; some hundred bytes each.
const WAITING: usize = 1024;
/// How often, and with what pause, the end tries to find room in a full queue, ...
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);
/// ... and how long it waits for what is in the queue to be written.
const WRITING: Duration = Duration::from_millis(500);

/// The log of this process. Dropped, it waits a moment for its last lines, so that what is told
/// next comes after them.
#[derive(Debug)]
pub(crate) struct Log(Queue);

/// Where lines go, from any thread.
#[derive(Clone, Debug)]
struct Queue {
    entries: SyncSender<Entry>,
    lost: LostLines,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// All before this is written: say so.
    End(SyncSender<()>),
}

/// Starts logging for this process, with what is doubtful about its configuration.
pub(crate) fn start(config: &Config, output: Output) -> Result<Log, Failure> {
    let filter = match (output.quiet, output.verbose) {
        (true, _) => "warn",
        (_, 0) => &config.log,
        (_, 1) => "info,cuerda=debug",
        _ => "info,cuerda=trace",
    };
    let stderr = io::stderr();
    let terminal = io::IsTerminal::is_terminal(&stderr);
    let json = match config.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let failed = |error: io::Error| {
        Failure::failed(
            format!("can't write a log: {error}"),
            "raise the limits of open files and of threads (`ulimit -n`, `ulimit -u`)",
        )
    };
    // Not by the lock that others who write to stderr take: they must not wait for the reader.
    let to = stderr.as_fd().try_clone_to_owned().map_err(failed)?;
    let queue = Queue::to(File::from(to), WAITING).map_err(failed)?;
    let log = tracing_subscriber::fmt()
        // What the check of the configuration has read, it reads again.
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(queue.clone())
        // They would go to stderr, and end the process if that can't be written.
        .log_internal_errors(false)
        .with_ansi(colours(&stderr));
    // An error means that somebody else has started a log: then that one is it.
    let _ = if json {
        log.json().flatten_event(true).try_init()
    } else {
        log.try_init()
    };
    for warning in config::doubtful_variables() {
        tracing::warn!("{warning}");
    }
    Ok(Log(queue))
}

impl Log {
    /// What counts the lines that are lost.
    pub(crate) fn lost_lines(&self) -> LostLines {
        self.0.lost.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if !self.0.end() {
            output::tell_no_more();
        }
    }
}

impl Queue {
    /// One for so many lines, whose thread writes to this.
    fn to(out: impl Write + Send + 'static, room: usize) -> io::Result<Queue> {
        let (entries, waiting) = sync_channel(room);
        let lost = LostLines::default();
        let queue = Queue {
            entries,
            lost: lost.clone(),
        };
        let writer = thread::Builder::new().name("log".to_owned());
        writer.spawn(move || write(&waiting, out, &lost))?;
        Ok(queue)
    }

    /// Whether all that was told has been written, or tried, within a moment.
    fn end(&self) -> bool {
        let (written, end) = sync_channel(1);
        let mut entry = Entry::End(written);
        for _ in 0..ATTEMPTS {
            match self.entries.try_send(entry) {
                Ok(()) => return end.recv_timeout(WRITING).is_ok(),
                Err(TrySendError::Full(back)) => entry = back,
                Err(TrySendError::Disconnected(_)) => return false,
            }
            thread::sleep(PAUSE);
        }
        false
    }
}

fn write(waiting: &Receiver<Entry>, mut out: impl Write, lost: &LostLines) {
    while let Ok(entry) = waiting.recv() {
        match entry {
            Entry::Line(line) => {
                if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                    lost.add_log(1);
                }
            }
            // Whoever asked may have lost patience.
            Entry::End(written) => _ = written.send(()),
        }
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Queue;

    fn make_writer(&self) -> Queue {
        self.clone()
    }
}

impl Write for Queue {
    /// A whole line at a time, as it is called by the subscriber.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.entries.try_send(Entry::Line(line.to_vec())).is_err() {
            self.lost.add_log(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_before_the_end_is_written_and_what_could_not_be_is_counted() {
        let (mut reader, writer) = io::pipe().expect("there are files left");
        let queue = Queue::to(writer, 4).expect("there are threads left");
        let mut log = queue.clone();
        log.write_all(b"one\n").expect("it never fails");
        assert!(queue.end());
        let mut read = [0; 4];
        io::Read::read_exact(&mut reader, &mut read).expect("it was written");
        assert_eq!(&read, b"one\n");
        drop(reader);
        log.write_all(b"two\n").expect("it never fails");
        assert!(queue.end());
        assert_eq!(queue.lost.count().log, 1);
    }

    #[test]
    fn a_reader_who_stands_still_holds_nobody_up() {
        let (_reader, writer) = io::pipe().expect("there are files left");
        let queue = Queue::to(writer, 4).expect("there are threads left");
        let mut log = queue.clone();
        let line = [b'x'; 1 << 16];
        for _ in 0..20 {
            log.write_all(&line).expect("it never fails");
        }
        assert!(queue.lost.count().log >= 14, "{:?}", queue.lost);
        assert!(!queue.end());
    }
}
