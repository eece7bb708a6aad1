//! `import`: merges a backup into a ring.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use cuerda::host::Status;
use cuerda::http::control::Imported;

use super::backup::{Broken, Head, Reader};
use super::client::Target;
use super::key;
use super::output::{self, Output, count, harmless};
use super::{Exit, Failure};

/// Records handed over at a time, which is also how often `--timeout` begins anew.
const RECORDS: usize = 64;

/// Merge a backup into the ring
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each record goes to all nodes that should hold it, with the stamps that its fields had. What is
newer in the ring stays as it is, and importing twice changes nothing. What was deleted since comes
back only if the ring has forgotten the deletion. The file is read to its end before anything is
sent. Ends with 5 if some records are not yet, or not, where they should be.")]
pub(crate) struct Args {
    /// What `cuerda export` has written
    file: PathBuf,
    /// Take records of a cluster of another name
    #[arg(long)]
    any_cluster: bool,
    #[command(flatten)]
    target: Target,
}

/// Checks the file, then hands it over piece by piece.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let (head, mut reader) = open(&args.file)?;
    let broken = |error| not_a_backup(&args.file, &error);
    while reader.record().map_err(broken)?.is_some() {}
    let status = args.target.get::<Status>("/v1/status")?.value;
    if head.cluster != status.cluster && !args.any_cluster {
        return Err(Failure::usage(
            format!(
                "the backup is of the cluster {:?}, and the node belongs to {:?}",
                head.cluster, status.cluster
            ),
            "name another node with --control, or say --any-cluster if that is meant",
        ));
    }
    let (_, mut reader) = open(&args.file)?;
    let mut all = Imported::default();
    loop {
        let mut lines = Vec::new();
        for _ in 0..RECORDS {
            let Some(record) = reader.record().map_err(broken)? else {
                break;
            };
            serde_json::to_writer(&mut lines, &record)
                .map_err(|error| Broken::Unreadable(error.into()))
                .map_err(broken)?;
            lines.push(b'\n');
        }
        if lines.is_empty() {
            break;
        }
        let told = args.target.post_lines::<Imported>("/v1/import", &lines);
        let told = told.map_err(|failure| after(failure, &all))?.value;
        all.restored += told.restored;
        all.partly += told.partly;
        all.failed.extend(told.failed);
    }
    if output.json {
        output::print_json(&all)?;
    } else {
        output::print(&shown(&all))?;
    }
    Ok(exit(&all))
}

/// A failure, and what was done before it.
fn after(mut failure: Failure, done: &Imported) -> Failure {
    let done = done.restored + done.partly;
    if done > 0 {
        let done = count(done, "record was", "records were");
        failure.message = format!("{} ({done} restored before)", failure.message);
        failure.hint = format!("{}; then import all of it again", failure.hint);
    }
    failure
}

fn open(file: &Path) -> Result<(Head, Reader<BufReader<File>>), Failure> {
    let opened = File::open(file).map_err(Broken::from);
    let begun = opened.and_then(|opened| Reader::begin(BufReader::new(opened)));
    begun.map_err(|error| not_a_backup(file, &error))
}

fn not_a_backup(file: &Path, error: &Broken) -> Failure {
    Failure::failed(
        format!("{} can't be restored: {error}", file.display()),
        "nothing of it was sent; name a whole file that `cuerda export` has written",
    )
}

fn exit(all: &Imported) -> Exit {
    match (all.restored + all.partly, all.partly + all.failed.len()) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Failed,
        _ => Exit::Partly,
    }
}

fn shown(all: &Imported) -> String {
    let mut words = format!("restored {}\n", count(all.restored, "record", "records"));
    if all.partly > 0 {
        words.push_str(&format!(
            "{} with their owner, but not yet with all other holders: the nodes go on to spread \
             them\n",
            count(all.partly, "more is", "more are")
        ));
    }
    if let Some(first) = all.failed.first() {
        words.push_str(&format!(
            "{} not restored, the first of them {}: {}\nnext: import the file again when \
             `cuerda ring` shows that all members answer\n",
            count(all.failed.len(), "record was", "records were"),
            key::words(None, first.key),
            harmless(&first.why)
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;
    use cuerda::http::control::NotRestored;

    #[test]
    fn what_is_not_where_it_should_be_is_told() {
        let whole = Imported {
            restored: 3,
            ..Imported::default()
        };
        let failed = NotRestored {
            key: peer(5).id,
            why: "nobody answered".to_owned(),
        };
        let mixed = Imported {
            partly: 1,
            failed: vec![failed.clone()],
            ..whole.clone()
        };
        let none = Imported {
            failed: vec![failed],
            ..Imported::default()
        };
        assert_eq!(
            [&whole, &mixed, &none].map(exit),
            [Exit::Done, Exit::Partly, Exit::Failed]
        );
        insta::assert_snapshot!([shown(&whole), shown(&mixed)].join("\n"));
    }
}
