//! Whether the log of a file (`records.db-wal`) is what was written.
//!
//! What is committed stands in the log until SQLite moves it into the file. After a crash SQLite
//! reads the log up to the first frame that does not fit, and says nothing of those behind it:
//! most often they were never whole. Where they were, what was acknowledged is gone, and somebody
//! must be told. So the log is read here before SQLite opens it, and held against two witnesses:
//!
//! - A transaction begins when the one before is synced. Behind a frame that does not fit, a whole
//!   transaction can't be unless that frame was whole once.
//! - The index of the log (`records.db-shm`) outlives a process that is killed. It says up to which
//!   frame the log was synced, and how much of that had been moved into the file.
//!
//! The formats are SQLite's own: <https://www.sqlite.org/walformat.html>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// The heads of a log and of each frame of it, and the parts of the index that are read.
const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
const INDEX: usize = 136;
/// Where the index says how many frames have been moved.
const MOVED: usize = 96;
/// How a log begins; with the lowest bit, words are big-endian where checksums are made.
const MAGIC: u32 = 0x377f_0682;
/// The pages that a file may have, in bytes.
const PAGE_BYTES: std::ops::RangeInclusive<u32> = 512..=65536;

/// What there is to say of the log of a file, as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// Nothing is known to be missing.
    Sound,
    /// Its last transaction is not whole. That was never acknowledged, unless the disk has damaged
    /// it since.
    Unfinished,
    /// What was acknowledged can't be read any more.
    Lost,
}

/// What the index says of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Index {
    salts: [u8; 8],
    frames: u32,
    moved: u32,
}

/// What the log itself shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Frames {
    salts: [u8; 8],
    /// Those up to the last transaction that SQLite will read.
    committed: u32,
    /// Whether one does not fit that is of this log.
    broken: bool,
    /// Whether whole transactions stand behind it.
    whole_behind: bool,
}

/// Looks at the log of this file of records.
///
/// # Errors
/// If it can't be read.
pub(super) fn look(records: &Path) -> io::Result<LogState> {
    let index = match open(&beside(records, "-shm"))? {
        Some(file) => Index::read(file)?,
        None => None,
    };
    let unmoved = index.is_some_and(|index| index.moved < index.frames);
    let Some(mut log) = open(&beside(records, "-wal"))? else {
        return Ok(if unmoved {
            LogState::Lost
        } else {
            LogState::Sound
        });
    };
    let mut head = [0; HEAD];
    let filled = fill(&mut log, &mut head)?;
    if filled < HEAD {
        return Ok(if unmoved {
            LogState::Lost
        } else {
            LogState::Sound
        });
    }
    let Some(check) = Check::new(&head) else {
        // It is synced before the first frame is written.
        let frame = fill(&mut log, &mut [0; FRAME_HEAD])? == FRAME_HEAD;
        return Ok(if frame {
            LogState::Lost
        } else {
            LogState::Sound
        });
    };
    let frames = Frames::read(log, &head, check)?;
    let fewer = index.is_some_and(|index| {
        index.salts == frames.salts && frames.committed < index.frames && unmoved
    });
    Ok(if frames.whole_behind || fewer {
        LogState::Lost
    } else if frames.broken {
        LogState::Unfinished
    } else {
        LogState::Sound
    })
}

impl Frames {
    fn read(mut log: impl Read, head: &[u8; HEAD], mut check: Check) -> io::Result<Frames> {
        let mut frames = Frames::default();
        frames.salts.copy_from_slice(&head[16..24]);
        let mut frame = vec![0; FRAME_HEAD + check.page_bytes];
        let mut number = 0;
        // Whether SQLite reads no further, and whether the transaction in which it stops is over.
        let (mut stopped, mut over) = (false, false);
        while fill(&mut log, &mut frame)? == frame.len() {
            number += 1;
            // What is left from before the log began anew has other salts.
            let own = frame[8..16] == frames.salts;
            let fits = check.fits(&frame) && own;
            let commits = own && word(&frame, 4) != 0;
            match (stopped, fits) {
                (false, true) if commits => frames.committed = number,
                (false, true) => {}
                (false, false) => {
                    stopped = true;
                    frames.broken = own;
                    over = commits;
                }
                (true, _) => {
                    frames.broken |= own;
                    frames.whole_behind |= fits && commits && over;
                    over |= commits;
                }
            }
        }
        Ok(frames)
    }
}

/// The checksums of a log, each of which goes on from the one before.
#[derive(Clone, Copy, Debug)]
struct Check {
    big_endian: bool,
    page_bytes: usize,
    last: (u32, u32),
}

impl Check {
    /// `None` if the head of the log is not what was written.
    fn new(head: &[u8; HEAD]) -> Option<Check> {
        let (magic, page_bytes) = (word(head, 0), word(head, 8));
        let big_endian = magic == MAGIC | 1;
        let last = sum(big_endian, (0, 0), &head[..24]);
        let fits = last == (word(head, 24), word(head, 28))
            && (magic == MAGIC || big_endian)
            && PAGE_BYTES.contains(&page_bytes)
            && page_bytes.is_power_of_two();
        fits.then_some(Check {
            big_endian,
            page_bytes: page_bytes as usize,
            last,
        })
    }

    /// Whether a frame has the checksum that it says, going on from what the one before says.
    fn fits(&mut self, frame: &[u8]) -> bool {
        let after_head = sum(self.big_endian, self.last, &frame[..8]);
        let found = sum(self.big_endian, after_head, &frame[FRAME_HEAD..]);
        self.last = (word(frame, 16), word(frame, 20));
        found == self.last
    }
}

impl Index {
    /// `None` if it is not whole: it need not be, since SQLite makes it anew.
    fn read(mut file: impl Read) -> io::Result<Option<Index>> {
        let mut bytes = [0; INDEX];
        if fill(&mut file, &mut bytes)? < INDEX {
            return Ok(None);
        }
        let native =
            |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap_or_default());
        let whole = sum(cfg!(target_endian = "big"), (0, 0), &bytes[..40])
            == (native(40), native(44))
            && bytes[..48] == bytes[48..96]
            && bytes[12] == 1;
        let mut salts = [0; 8];
        salts.copy_from_slice(&bytes[32..40]);
        Ok(whole.then(|| Index {
            salts,
            frames: native(16),
            moved: native(MOVED),
        }))
    }
}

pub(super) fn beside(records: &Path, ending: &str) -> PathBuf {
    let mut name = records.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn open(path: &Path) -> io::Result<Option<BufReader<File>>> {
    match File::open(path) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads as much as fits, and says how much there was.
fn fill(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Numbers in a log are big-endian. 0 behind the end.
fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    word.map_or(0, u32::from_be_bytes)
}

/// The checksum of SQLite's logs, going on from another.
fn sum(big_endian: bool, from: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let (mut first, mut second) = from;
    for pair in bytes.chunks_exact(8) {
        let [one, other] = [word(pair, 0), word(pair, 4)].map(|word| match big_endian {
            true => word,
            false => word.swap_bytes(),
        });
        first = first.wrapping_add(one).wrapping_add(second);
        second = second.wrapping_add(other).wrapping_add(first);
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::sqlite::Database;
    use cuerda_core::record::{Field, Record, Stamp};
    use cuerda_core::ring::Id;
    use cuerda_core::store::Store as _;

    const PAGE: usize = 4096;

    /// A file of records as a killed process leaves it: with a log of so many transactions.
    fn killed(transactions: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running.db");
        let node = Id::of_key(b"node");
        let mut database = Database::open(&path).unwrap();
        let mut store = database.store(node).unwrap();
        for number in 0..transactions {
            let stamp = Stamp {
                milliseconds: number,
                counter: 0,
                node,
            };
            let key = Id::of_key(&number.to_be_bytes());
            let value = vec![7; 3 * PAGE];
            store.put(key, Record::of("", Field::new(stamp, None, value, None)));
            database.commit([(node, &store.seal().unwrap())]).unwrap();
        }
        for ending in ["", "-wal", "-shm"] {
            fs::copy(beside(&path, ending), beside(&file(&folder), ending)).unwrap();
        }
        folder
    }

    fn file(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("records.db")
    }

    fn change(folder: &tempfile::TempDir, change: impl FnOnce(&mut Vec<u8>)) {
        let log = beside(&file(folder), "-wal");
        let mut bytes = fs::read(&log).unwrap();
        change(&mut bytes);
        fs::write(&log, bytes).unwrap();
    }

    fn forget_index(folder: &tempfile::TempDir) {
        fs::remove_file(beside(&file(folder), "-shm")).unwrap();
    }

    #[test]
    fn a_log_that_is_what_was_written_is_sound() {
        let folder = killed(5);
        assert_eq!(look(&file(&folder)).unwrap(), LogState::Sound);
        // As on another machine; and a frame that was only half written.
        forget_index(&folder);
        assert_eq!(look(&file(&folder)).unwrap(), LogState::Sound);
        change(&folder, |log| log.extend([1; 100]));
        assert_eq!(look(&file(&folder)).unwrap(), LogState::Sound);
        let none = tempfile::tempdir().unwrap();
        assert_eq!(look(&file(&none)).unwrap(), LogState::Sound);
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let folder = killed(5);
        let length = fs::metadata(beside(&file(&folder), "-wal")).unwrap().len() as usize;
        for at in (0..length).step_by(509) {
            let flip = |log: &mut Vec<u8>| log[at] ^= 1;
            change(&folder, flip);
            assert_eq!(look(&file(&folder)).unwrap(), LogState::Lost, "{at}");
            change(&folder, flip);
        }
        assert_eq!(look(&file(&folder)).unwrap(), LogState::Sound);
    }

    #[test]
    fn without_an_index_only_the_last_transaction_is_doubtful() {
        let folder = killed(5);
        forget_index(&folder);
        let mut found = Vec::new();
        let length = fs::metadata(beside(&file(&folder), "-wal")).unwrap().len() as usize;
        for at in (0..length).step_by(509) {
            let flip = |log: &mut Vec<u8>| log[at] ^= 1;
            change(&folder, flip);
            found.push(look(&file(&folder)).unwrap());
            change(&folder, flip);
        }
        let lost = found.iter().take_while(|state| **state == LogState::Lost);
        let lost = lost.count();
        assert!(lost > found.len() / 2 && lost < found.len(), "{found:?}");
        let doubtful = [LogState::Unfinished, LogState::Sound];
        assert!(
            found[lost..].iter().all(|state| doubtful.contains(state)),
            "{found:?}"
        );
        assert!(found.contains(&LogState::Unfinished), "{found:?}");
    }

    #[test]
    fn a_log_that_was_cut_or_is_gone_is_noticed_as_long_as_its_index_is_there() {
        let folder = killed(5);
        let whole = fs::read(beside(&file(&folder), "-wal")).unwrap();
        for length in [whole.len() - 1, whole.len() / 2, HEAD, 0] {
            change(&folder, |log| log.truncate(length));
            assert_eq!(look(&file(&folder)).unwrap(), LogState::Lost, "{length}");
        }
        fs::remove_file(beside(&file(&folder), "-wal")).unwrap();
        assert_eq!(look(&file(&folder)).unwrap(), LogState::Lost);
    }

    #[test]
    fn a_log_that_began_anew_is_sound() {
        // So many that SQLite moves pages into the file and writes over the log.
        let folder = killed(400);
        assert_eq!(look(&file(&folder)).unwrap(), LogState::Sound);
        forget_index(&folder);
        assert_eq!(look(&file(&folder)).unwrap(), LogState::Sound);
    }
}
