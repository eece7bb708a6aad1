//! The reader's end of the stream: what was told, as text.

use std::io::{self, Write};
use std::iter;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc;

use super::line::{Line, What};
use super::queue::{Backlog, Queued, now};

/// Lines written before the next look at the queue.
const BATCH: usize = 1024;

/// What a [`Reporter`](super::Reporter) told and nobody has read.
#[derive(Debug)]
pub struct Lines {
    queue: mpsc::Receiver<Queued>,
    backlog: Arc<Backlog>,
}

impl Lines {
    pub(super) fn new(queue: mpsc::Receiver<Queued>, backlog: Arc<Backlog>) -> Lines {
        Lines { queue, backlog }
    }

    /// Writes all that is told until the reporter is gone, as soon as it is told. Waits for both
    /// ends, so it needs a thread of its own.
    ///
    /// # Errors
    /// If it can't be written; what is told from then on is lost.
    ///
    /// # Panics
    /// If called by a task that a runtime drives.
    pub fn write(mut self, out: &mut impl Write) -> io::Result<()> {
        let mut batch = Vec::new();
        let mut text = Vec::new();
        loop {
            if self.queue.is_empty() {
                // There may be no next line for a long time.
                let count = self.backlog.missed.swap(0, Relaxed);
                missed(now(), count, &mut text)?;
                if let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
                    self.lose(0);
                    return Err(error);
                }
                text.clear();
            }
            let count = self.queue.blocking_recv_many(&mut batch, BATCH);
            if count == 0 {
                return Ok(());
            }
            let mut weight = 0;
            for queued in batch.drain(..) {
                weight += queued.weight;
                missed(queued.line.at_us, queued.missed, &mut text)?;
                append(&queued.line, &mut text)?;
            }
            if let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
                self.lose(count);
                return Err(error);
            }
            text.clear();
            self.backlog.weight.fetch_sub(weight, Relaxed);
        }
    }

    /// So many lines could not be written, and what waits will not be.
    fn lose(&mut self, lines: usize) {
        self.queue.close();
        let waiting = iter::from_fn(|| self.queue.try_recv().ok()).count();
        self.backlog.lost.add_stdout((lines + waiting) as u64);
    }
}

fn missed(at_us: u64, count: u64, text: &mut Vec<u8>) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let line = Line {
        at_us,
        by: None,
        what: What::Missed { count },
    };
    append(&line, text)
}

fn append(line: &Line, text: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}
