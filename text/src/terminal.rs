//! Stdout and stderr: results and all else. Colours where the reader sees them.
//!
//! Only writes, and decides nothing about what is written.

use std::io::{self, ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};

/// Whether stdout is left alone.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Whether stderr is left alone.
static TELLING_NOTHING: AtomicBool = AtomicBool::new(false);

/// From now on nothing is written to stderr.
pub fn tell_no_more() {
    TELLING_NOTHING.store(true, Relaxed);
}

/// From now on nothing is written to stdout.
pub fn print_no_more() {
    SILENT.store(true, Relaxed);
}

/// Writes bytes to stdout, as they are. A reader that went away (`| head`) is no failure.
///
/// # Errors
/// If stdout can't be written to, as when the disk is full.
pub fn print(bytes: &[u8]) -> io::Result<()> {
    if SILENT.load(Relaxed) {
        return Ok(());
    }
    written(&mut io::stdout().lock(), bytes)
}

fn written(stream: &mut impl io::Write, bytes: &[u8]) -> io::Result<()> {
    match stream.write_all(bytes).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line to stderr, without its colours if the reader does not see them. If stderr is
/// gone, nobody is left to tell, so that is no failure.
pub fn tell(line: &str) {
    if TELLING_NOTHING.load(Relaxed) {
        return;
    }
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Whether the reader of this stream sees colours: on a terminal that has them, unless told
/// otherwise (<https://no-color.org>, <https://bixense.com/clicolors>).
#[must_use]
pub fn colours(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// A coloured text without its colours.
#[must_use]
pub fn without_colours(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl io::Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one() {
        assert!(written(&mut Failing(ErrorKind::BrokenPipe), b"x").is_ok());
        let full = written(&mut Failing(ErrorKind::StorageFull), b"x");
        assert_eq!(
            full.map_err(|error| error.kind()),
            Err(ErrorKind::StorageFull)
        );
        let mut all = Vec::new();
        written(&mut all, b"\x1b[1mx").expect("memory can be written to");
        assert_eq!(all, b"\x1b[1mx", "bytes stay as they are");
    }

    #[test]
    fn colours_can_be_taken_away() {
        assert_eq!(without_colours("\u{1b}[1;31mred\u{1b}[0m é\n"), "red é\n");
    }
}
