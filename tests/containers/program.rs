//! The program that the image of the tests is made from, and running programs.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// No measure of speed: whoever needs so long is stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The secret of the clusters that tests make.
const SECRET: &str = "5ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e700\n";

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

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

/// A folder with a file `secret`, for nodes to share.
pub(crate) fn folder_with_secret() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory for tests");
    std::fs::write(folder.path().join("secret"), SECRET).expect("it is writable");
    folder
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

/// A static binary of the program.
pub(crate) fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_cuerda"));
        if is_static(&built) {
            return built;
        }
        let about = said(Command::new("rustc").arg("-vV"));
        let host = about.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.expect("rustc names the machine it runs on");
        loudly(&format!(
            "building the program once more for the image, which takes some minutes the first time: \
             the image holds nothing else, so the program must be static, and {} is not",
            built.display()
        ));
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let target = target.parent().expect("it lies in the target directory");
        // The tests' own profile: in a release build more time would go by.
        said(
            Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--locked", "--package", "cuerda"])
                .args(["--bin", "cuerda", "--target", host, "--target-dir"])
                .arg(target)
                .current_dir(root())
                .env("RUSTFLAGS", "-C target-feature=+crt-static"),
        );
        let built = target.join(host).join("debug/cuerda");
        assert!(is_static(&built), "{built:?} is static");
        built
    })
}

/// Whether it needs no interpreter (`PT_INTERP`).
fn is_static(program: &PathBuf) -> bool {
    const INTERPRETER: u32 = 3;
    let bytes = fs::read(program).expect("it was built for this test");
    let number = |at: usize, length: usize| {
        let bytes = &bytes[at..at + length];
        let folded = bytes
            .iter()
            .rev()
            .fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
        usize::try_from(folded).expect("it fits the memory")
    };
    assert_eq!(&bytes[..6], b"\x7fELF\x02\x01", "64 bits, little-endian");
    let (table, each, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    (0..count).all(|index| number(table + index * each, 4) != INTERPRETER as usize)
}
