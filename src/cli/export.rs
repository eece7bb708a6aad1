//! `export`: writes the records of a process to a file.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileTypeExt as _;
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
readable by its owner alone, or with the mode of the file that it replaces. What goes into a pipe or
a terminal goes there as it comes; links are left alone. A node holds its own keys and copies for its neighbours: for all that
a ring has, export from every node, or from every k-th one of a ring that is at rest.")]
pub(crate) struct Args {
    /// Where to write it; without it, or as -, to stdout
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
pub(crate) fn run(mut args: Args, output: Output) -> Result<Exit, Failure> {
    args.file.take_if(|file| file.as_os_str() == "-");
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

/// Where a backup goes, by what is there now.
enum Place {
    /// A file of another name first, which then takes this one, with these permissions.
    New(Option<Permissions>),
    /// What is there takes it as it comes: a pipe, or a device such as a terminal.
    Through,
}

/// What to do with a file of this name. What can't be replaced without loss is left alone.
fn place(file: &Path) -> Result<Place, Failure> {
    let refused = |what: &str, hint: &str| {
        let name = file.display();
        Err(Failure::usage(format!("{name} is {what}"), hint))
    };
    let there = match fs::symlink_metadata(file) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::New(None)),
        Err(error) => return Err(unwritable(&error)),
    };
    let is_link = there.file_type().is_symlink();
    // A link that leads nowhere is a link all the same.
    let leads_to = fs::metadata(file).unwrap_or(there);
    let kind = leads_to.file_type();
    if kind.is_fifo() || kind.is_char_device() {
        Ok(Place::Through)
    } else if is_link {
        refused(
            "a link, and neither it nor what it leads to is replaced",
            "name a file, or the one that the link leads to",
        )
    } else if kind.is_file() {
        Ok(Place::New(Some(leads_to.permissions())))
    } else {
        refused("no file", "name a file, or - for stdout")
    }
}

fn to_file(target: &Target, status: &Status, file: &Path) -> Result<Exported, Failure> {
    match place(file)? {
        Place::New(permissions) => to_new_file(target, status, file, permissions),
        Place::Through => {
            let opened = OpenOptions::new().write(true).open(file);
            let opened = opened.map_err(|error| unwritable(&error))?;
            Ok(copy(target, status, BufWriter::new(opened))?.0)
        }
    }
}

/// Under a name that nobody knows first, and only when it is complete and on the disk under its
/// own. What is not complete is no backup, and goes.
fn to_new_file(
    target: &Target,
    status: &Status,
    file: &Path,
    permissions: Option<Permissions>,
) -> Result<Exported, Failure> {
    let unwritable = |error: io::Error| unwritable(&error);
    let folder = folder(file);
    // Readable by its owner alone.
    let temporary = tempfile::Builder::new()
        .prefix(".cuerda-export-")
        .suffix(".new")
        .tempfile_in(folder)
        .map_err(unwritable)?;
    let (exported, to) = copy(target, status, BufWriter::new(temporary))?;
    let temporary = to
        .into_inner()
        .map_err(|error| unwritable(error.into_error()))?;
    if let Some(permissions) = permissions {
        let kept = temporary.as_file().set_permissions(permissions);
        kept.map_err(unwritable)?;
    }
    temporary.as_file().sync_all().map_err(unwritable)?;
    temporary
        .persist(file)
        .map_err(|error| unwritable(error.error))?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(unwritable)?;
    Ok(exported)
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
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
