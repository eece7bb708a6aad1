//! Running programs, waiting for what they do, and saying what is skipped. Nothing here knows what
//! is tested; the harness's tests in containers use it too.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// No measure of speed: whoever needs so long is stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a real program runs in real time"
    )]
    Instant::now()
}

/// Looks until it sees something, and says how long that took.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> (T, Duration) {
    let began = now();
    loop {
        if let Some(seen) = look() {
            return (seen, began.elapsed());
        }
        assert!(
            began.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Says something to whoever runs the tests, also if they hold.
pub(crate) fn loudly(words: &str) {
    let mut words = words.to_owned();
    words.push('\n');
    // Not `eprint`, which the harness keeps for tests that fail.
    let _ = std::io::stderr().write_all(words.as_bytes());
}

/// This test can't run here. Where all must be there, that is a failure.
pub(crate) fn skipped(why: &str) {
    let all_must_run = std::env::var("CUERDA_CI").is_ok_and(|value| value == "1");
    assert!(!all_must_run, "CUERDA_CI=1, and {why}");
    // The harness gives each test a thread of its name.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    loudly(&format!("SKIPPED {test}, nothing was tested: {why}"));
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    output.unwrap_or_else(|error| panic!("can't run {command:?}: {error}"))
}

/// What it printed on stdout; it must succeed.
pub(crate) fn said(command: &mut Command) -> String {
    let output = run(command);
    let stdout = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}\n{stderr}",
        output.status
    );
    stdout
}
