//! `put`: stores a value under a key.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cuerda::http::control::{StampText, Stored};
use cuerda::record::LimitError;
use cuerda::record::limits::VALUE_BYTES;
use cuerda_text::duration::format_duration;

use super::client::{Target, encoded};
use super::key::{self, FieldName, Key};
use super::output::Output;
use super::stored::Wait;
use super::{Code, Exit, Failure};

/// Store a value under a key
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 when all nodes that should hold it have it on disk, and with 5 when it is stored on
fewer: it stands then, and may be lost when these fail.")]
pub(crate) struct Args {
    #[command(flatten)]
    key: Key,
    /// What to store; - reads it from stdin
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    value: Option<String>,
    /// Store what this file holds
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    #[command(flatten)]
    field: FieldName,
    /// Let it be gone after this time
    #[arg(long, value_name = "DURATION", value_parser = super::config::duration)]
    ttl: Option<Duration>,
    /// Only if nothing is there
    #[arg(long, conflicts_with = "if_stamp")]
    if_absent: bool,
    /// Only if what is there has this stamp
    #[arg(long, value_name = "STAMP", value_parser = key::stamp)]
    if_stamp: Option<StampText>,
    /// The last stamp you have seen: the write comes after it, whatever clocks say
    #[arg(long, value_name = "STAMP", value_parser = key::stamp)]
    past: Option<StampText>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    target: Target,
}

/// Asks the node, which asks the key's owner.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let value = match (&args.file, args.value.as_deref()) {
        (Some(file), _) => read_file(file)?,
        (None, Some("-")) => read_stdin()?,
        (None, value) => value.unwrap_or_default().as_bytes().to_vec(),
    };
    if value.len() > VALUE_BYTES {
        return Err(too_long(value.len()));
    }
    let path = args.key.path("records", &args.parameters());
    let answer = args.target.put::<Stored>(&path, &value)?;
    args.wait.tell(&answer, output)
}

impl Args {
    fn parameters(&self) -> Vec<String> {
        let ttl = self.ttl.map(format_duration);
        let all = [
            self.field.parameter(),
            ttl.map(|ttl| format!("ttl={}", encoded(&ttl))),
            self.if_absent.then(|| "if-absent=true".to_owned()),
            self.if_stamp.map(|stamp| format!("if-stamp={stamp}")),
            self.past.map(|stamp| format!("past={stamp}")),
        ];
        all.into_iter().flatten().collect()
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let name = file.display().to_string();
    let opened = File::open(file).map_err(|error| unreadable(&name, &error))?;
    read(opened, &name)
}

/// What comes from stdin. Where there is none, the system gives an empty one, and nobody means to
/// store that.
fn read_stdin() -> Result<Vec<u8>, Failure> {
    let stdin = std::io::stdin();
    let given = stdin.as_fd().try_clone_to_owned();
    let given = given.and_then(|given| File::from(given).metadata());
    let nothing = fs::metadata("/dev/null");
    let none = match (given, nothing) {
        (Ok(given), Ok(nothing)) => {
            given.file_type().is_char_device() && given.rdev() == nothing.rdev()
        }
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    };
    if none {
        return Err(Failure::usage(
            "there is no stdin to read the value from",
            "pipe it in, or name it: `cuerda put KEY ''` stores an empty value",
        ));
    }
    read(stdin.lock(), "stdin")
}

/// All that comes, but not more than shows that it is too much.
fn read(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    let mut from = from.take(VALUE_BYTES as u64 + 1);
    let read = from.read_to_end(&mut value);
    read.map_err(|error| unreadable(name, &error))?;
    Ok(value)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::failed(
        format!("can't read the value from {name}: {error}"),
        "name a file that is there and may be read, or pipe the value in with -",
    )
}

fn too_long(bytes: usize) -> Failure {
    let said = match bytes {
        // It was not read to its end.
        bytes if bytes == VALUE_BYTES + 1 => {
            format!("the value has more than {VALUE_BYTES} bytes, which are the most")
        }
        bytes => LimitError::ValueBytes(bytes).to_string(),
    };
    Failure::new(Code::Limit, said, "divide it among several keys")
}
