//! Until when a command works: to its end, or until somebody or the clock stops it. Whoever is
//! stopped still says what is done.
//!
//! A first Ctrl-C or SIGTERM lets finish what runs; a second one, and a deadline, end the process
//! at once. Decides nothing about what is printed then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cuerda_sim::run::worlds;
use cuerda_sim::scenario::quantity::parse_duration;

use super::{Exit, Failure};

/// What is printed when the process ends before its work is done.
type LastWords = Box<dyn FnOnce() + Send>;

/// When to stop, and what to say then.
#[derive(Clone)]
pub(crate) struct Until {
    stop: Arc<AtomicBool>,
    last_words: Arc<Mutex<Option<LastWords>>>,
}

/// What a first signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstSignal {
    /// What runs is finished.
    Finishes,
    /// The process ends at once.
    EndsAtOnce,
}

impl Until {
    /// Watches for signals and the deadline, if there is one. What is said at the end of a process
    /// that does not get to its own is `last_words`.
    ///
    /// # Errors
    /// If signals can't be watched.
    pub(crate) fn watch(
        first: FirstSignal,
        timeout: Option<Duration>,
        last_words: impl FnOnce() + Send + 'static,
    ) -> Result<Until, Failure> {
        let until = Until {
            stop: Arc::new(AtomicBool::new(false)),
            last_words: Arc::new(Mutex::new(Some(Box::new(last_words)))),
        };
        let on_signal = until.clone();
        ctrlc::set_handler(move || on_signal.signalled(first))
            .map_err(|error| Failure::Other(format!("can't watch for Ctrl-C: {error}")))?;
        if let Some(timeout) = timeout {
            let on_time = until.clone();
            on_time.end_after(timeout);
        }
        Ok(until)
    }

    fn signalled(&self, first: FirstSignal) {
        let again = self.stop.swap(true, Ordering::Relaxed);
        // Whoever has containers to take away does that first.
        if worlds::interrupt() {
            return super::tell("stopping, and taking the containers away");
        }
        if again || first == FirstSignal::EndsAtOnce {
            return self.end();
        }
        super::tell("stopping once the running ones are done; again to stop now");
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a deadline is real time, and no world's"
    )]
    fn end_after(self, timeout: Duration) {
        // It ends with the process, which does not wait for it.
        std::thread::spawn(move || {
            std::thread::sleep(timeout);
            super::tell("the time is up");
            self.end();
        });
    }

    /// Says the last words, if nobody has said the result yet, and ends the process.
    fn end(&self) {
        let mut last_words = self.lock();
        // Without them the work is done, and the process is about to end by itself.
        if let Some(say) = last_words.take() {
            say();
            std::process::exit(i32::from(Exit::Incomplete as u8));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<LastWords>> {
        self.last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing more is to be begun.
    pub(crate) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// The work is done, and its result is about to be told: nothing else is.
    pub(crate) fn done(&self) {
        self.lock().take();
    }
}

/// Reads a length of time, as scenarios write it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text);
    let time = time.map_err(|mistake| format!("{}; {}", mistake.message, mistake.help))?;
    if time.is_zero() {
        return Err("no time at all; write how long it may take, as in 10m".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_as_in_scenarios() {
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        for wrong in ["", "5", "0s", "-1s", "many"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn whoever_is_done_says_no_last_words() {
        let said = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&said);
        let until = Until {
            stop: Arc::default(),
            last_words: Arc::new(Mutex::new(Some(Box::new(move || {
                says.store(true, Ordering::Relaxed);
            })))),
        };
        until.done();
        // It would end the test's process.
        until.end();
        assert!(!said.load(Ordering::Relaxed));
    }
}
