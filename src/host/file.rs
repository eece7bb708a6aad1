//! Files that are never half written.
//!
//! The bytes go into a file of another name first, and to the disk, and only then under the
//! name that readers know: after a crash there is the old file or the new one, and perhaps one
//! that ends in `.new`, which nobody reads. What is written here is its owner's alone (mode
//! 0600). For the file systems of Unix.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Writes a file that must not be there yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if it is there, whoever made it and however late; else
/// what the file system says.
pub(super) fn create(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // Two processes may do this at once: each has its own temporary file, and `hard_link`,
    // unlike `rename`, replaces nothing.
    let temporary = write_temporary(file, bytes)?;
    let linked = fs::hard_link(&temporary, file);
    fs::remove_file(&temporary)?;
    linked?;
    sync_folder(file)
}

/// Writes a file in the place of the one that may be there.
///
/// # Errors
/// What the file system says; then the old file stands.
pub(super) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(file, bytes)?;
    if let Err(error) = fs::rename(&temporary, file) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(file)
}

/// Reads a text file that is not expected to have more than so many bytes, and says by which
/// mode it is guarded.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] if it has more, [`io::ErrorKind::InvalidData`] if it is no
/// text; else what the file system says.
pub(super) fn read(file: &Path, most: u64) -> io::Result<(String, u32)> {
    let opened = File::open(file)?;
    // Of the file that is open, not of what has its name by then.
    let mode = opened.metadata()?.mode() & 0o7777;
    let mut text = String::new();
    opened.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok((text, mode))
}

/// Removes what writing this file has left behind where it was cut short. Nobody may be writing
/// it.
///
/// # Errors
/// What the file system says.
pub(super) fn remove_temporary(file: &Path) -> io::Result<()> {
    let Some(name) = file.file_name() else {
        return Ok(());
    };
    for entry in fs::read_dir(folder(file))? {
        let entry = entry?;
        if is_temporary(&entry.file_name(), name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether a file of this name is one that [`write_temporary`] has made for the other.
fn is_temporary(name: &OsStr, of: &OsStr) -> bool {
    let number = name.as_encoded_bytes().strip_prefix(of.as_encoded_bytes());
    let number = number.and_then(|rest| rest.strip_prefix(b"."));
    let number = number.and_then(|rest| rest.strip_suffix(b".new"));
    number.is_some_and(|number| number.len() == 16 && number.iter().all(u8::is_ascii_hexdigit))
}

/// A new file beside this one that holds the bytes, on the disk.
fn write_temporary(file: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    // Not the number of the process: in containers that share a folder it is 1 for all.
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{:016x}.new", getrandom::u64()?));
    let temporary = PathBuf::from(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut opened| {
            opened.write_all(bytes)?;
            opened.sync_all()
        });
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(temporary)
}

/// A name is on the disk only when its folder is.
fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder(file))?.sync_all()
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn what_is_there_is_not_created_again_but_can_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        create(&file, b"one").unwrap();
        let again = create(&file, b"two").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&file, 10).unwrap(), ("one".to_owned(), 0o600));
        replace(&file, b"three").unwrap();
        assert_eq!(read(&file, 10).unwrap(), ("three".to_owned(), 0o600));
        assert_eq!(names(folder.path()), ["a"], "temporary files are gone");
    }

    #[test]
    fn a_failed_replacement_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        // A folder that is not empty can't be replaced by a file.
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        replace(&folder.path().join("a"), b"new").unwrap_err();
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn what_was_left_of_this_file_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let stay = [
            "a",
            "a.new",
            "a.0123456789abcde.new",
            "ab.0123456789abcdef.new",
            "a.0123456789abcdef.newer",
        ];
        for name in stay
            .iter()
            .chain(&["a.0123456789abcdef.new", "a.00000000000000ff.new"])
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_temporary(&folder.path().join("a")).unwrap();
        let mut left = names(folder.path());
        left.sort();
        let mut stay = stay.map(str::to_owned);
        stay.sort();
        assert_eq!(left, stay);
    }

    #[test]
    fn a_file_longer_than_expected_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap().0, "12345");
        let error = read(&file, 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        fs::write(&file, [0xff]).unwrap();
        let error = read(&file, 5).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
