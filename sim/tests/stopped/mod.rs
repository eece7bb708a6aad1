//! Stopping the program as a person does who does not want to wait.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Starts the program, tells it after a while to end, and at once again: the first lets it finish
/// what runs, the second does not wait for that. A signal before it listens would end it without a
/// word, so there is some time before the first.
pub(crate) fn twice(folder: &Path, arguments: &[&str]) -> Output {
    let child = Command::new(env!("CARGO_BIN_EXE_cuerda-sim"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built for this test");
    let id = child.id().to_string();
    std::thread::sleep(Duration::from_secs(3));
    for _ in 0..2 {
        let status = Command::new("kill").args(["-TERM", &id]).status();
        assert!(status.is_ok_and(|status| status.success()), "it has ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.wait_with_output().expect("it ends")
}
