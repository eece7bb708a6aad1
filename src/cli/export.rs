//! `export`: writes the records of a process to a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cuerda::host::Status;
use cuerda::http::control::Backup;
use cuerda::ring::Id;
use serde_json::json;

use super::backup::{Head, Writer};
use super::client::Target;
use super::output::{Output, count, print, print_json, tell};
use super::{Exit, Failure};

/// Write the records that a node holds to a file, as a backup
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file has one record a line, as JSON, with the stamps of all fields, deleted ones included;
`cuerda import` merges it into a ring again. It appears under its name only when it is complete,
readable by its owner alone. A node holds its own keys and copies for its neighbours: for all that
a ring has, export from every node, or from every k-th one of a ring that is at rest.")]
pub(crate) struct Args {
    /// Where to write it; without it, to stdout
    file: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
struct Exported {
    records: u64,
    damaged: usize,
}

/// Asks the node, page by page.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    if args.file.is_none() && output.json {
        return Err(Failure::usage(
            "the records themselves are JSON already, one a line",
            "leave --json out, or name a file",
        ));
    }
    let status = args.target.get::<Status>("/v1/status")?.value;
    let exported = match &args.file {
        Some(file) => to_file(&args.target, &status, file)?,
        None => copy(&args.target, &status, io::stdout().lock())?.0,
    };
    let Exported { records, damaged } = exported;
    if let Some(file) = &args.file {
        let name = file.display().to_string();
        if output.json {
            print_json(&json!({ "file": name, "records": records, "damaged": damaged }))?;
        } else {
            let records = count(records as usize, "record", "records");
            print(&format!("wrote {records} to {name}\n"))?;
        }
    }
    if damaged == 0 {
        return Ok(Exit::Done);
    }
    if !output.quiet {
        let damaged = count(damaged, "record is", "records are");
        tell(&format!(
            "warning: {damaged} damaged on this node's disk, and missing here; other nodes have \
             them: export again when they have been fetched from there, and check the disk"
        ));
    }
    Ok(Exit::Partly)
}

/// Under another name first, and only when it is complete and on the disk under its own.
fn to_file(target: &Target, status: &Status, file: &Path) -> Result<Exported, Failure> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(|error| unwritable(&error))?;
    let written = copy(target, status, BufWriter::new(opened)).and_then(|(exported, to)| {
        let synced = to.into_inner().map_err(io::IntoInnerError::into_error);
        let renamed = synced
            .and_then(|opened: File| opened.sync_all())
            .and_then(|()| fs::rename(&temporary, file))
            .and_then(|()| sync_folder(file));
        renamed.map_err(|error| unwritable(&error))?;
        Ok(exported)
    });
    if written.is_err() {
        // What is not complete is no backup.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// The records of all nodes of the process. A key that two of them hold comes twice, which makes
/// no difference when it is merged.
fn copy<W: Write>(target: &Target, status: &Status, to: W) -> Result<(Exported, W), Failure> {
    let first = status.nodes.first().map_or(Id::ZERO, |node| node.id);
    let head = Head::new(&status.cluster, first);
    let mut writer = Writer::begin(to, &head).map_err(|error| unwritable(&error))?;
    let mut damaged = 0;
    for node in 0..status.nodes.len() {
        let mut path = Some(format!("/v1/export?node={node}"));
        while let Some(next) = path {
            let page = target.get::<Backup>(&next)?.value;
            for record in &page.records {
                writer.record(record).map_err(|error| unwritable(&error))?;
            }
            damaged += page.damaged.len();
            path = page
                .next
                .map(|after| format!("/v1/export?node={node}&after={after}"));
        }
    }
    let (records, to) = writer.end().map_err(|error| unwritable(&error))?;
    Ok((Exported { records, damaged }, to))
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::failed(
        format!("can't write the backup: {error}"),
        "name a file in a folder that is there and may be written, on a disk that is not full",
    )
}
