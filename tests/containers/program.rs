//! The program that the image of the tests is made from.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

pub(crate) use super::tools::{loudly, now, run, said, skipped, until};

/// The secret of the clusters that tests make.
const SECRET: &str = "5ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e700\n";

/// The user of the image.
const USER: u32 = 65532;

/// What builds the image.
pub(crate) const BUILD: &str = "docker/build";

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with a file `secret`, for nodes to share.
pub(crate) fn folder_with_secret() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory for tests");
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET).expect("it is writable");
    // Nodes refuse one that others may read, so it is theirs.
    let owner = std::fs::Permissions::from_mode(0o400);
    std::fs::set_permissions(&file, owner).expect("it is ours");
    chown(&file, Some(USER), Some(USER))
        .expect("tests in containers need to be root, to give the secret to the image's user");
    folder
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
