//! A folder of its own for the records of a ring that is measured on disk.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::cli::Failure;

/// A temporary folder, removed when dropped. It stands where the system has such folders
/// (`TMPDIR`), and the disk under that is the one that is measured.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make() -> Result<Folder, Failure> {
        let failed = |error: std::io::Error| {
            Failure::failed(
                format!("can't make a temporary folder: {error}"),
                "name a folder that may be written by the variable TMPDIR",
            )
        };
        let number = getrandom::u64().map_err(|error| failed(error.into()))?;
        let path = std::env::temp_dir().join(format!("cuerda-bench-{number:016x}"));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(failed)?;
        Ok(Folder(path))
    }

    /// Where a node keeps its records.
    pub(super) fn file(&self, node: u8) -> PathBuf {
        self.0.join(format!("{node}.sqlite"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is temporary all the same.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
