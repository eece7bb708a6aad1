//! Merging records into what the ring has, as they come: a line each, and never all in memory.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::{Extension, Json};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use super::holdings::{Imported, NotRestored};
use super::{Control, JsonOrProblem, PortableRecord};
use crate::http::code::Code;
use crate::http::limits::{IMPORT_BYTES, IMPORT_RECORDS, IMPORTS, LINE_BYTES};
use crate::http::problem::Problem;
use cuerda_core::record::Record;
use cuerda_core::ring::Id;

/// How many imports may go on at a time.
#[derive(Clone, Debug)]
pub(super) struct Imports(Arc<Semaphore>);

impl Imports {
    pub(super) fn new() -> Imports {
        Imports(Arc::new(Semaphore::new(IMPORTS)))
    }
}

/// `POST /v1/import`.
pub(super) async fn import(
    State(control): State<Control>,
    Extension(imports): Extension<Imports>,
    body: Body,
) -> JsonOrProblem<Imported> {
    let Ok(_place) = imports.0.try_acquire() else {
        return Err(Problem::new(
            Code::Busy,
            format!("{IMPORTS} imports are going on, which are the most"),
            "try again when one of them is done",
        ));
    };
    let body = body.into_data_stream().map_err(io::Error::other);
    let codec = LinesCodec::new_with_max_length(LINE_BYTES);
    let mut lines = FramedRead::new(StreamReader::new(body), codec);
    let mut import = Import {
        control,
        pending: Vec::new(),
        imported: Imported::default(),
    };
    let (mut number, mut bytes) = (0u64, 0);
    while let Some(line) = lines.next().await {
        number += 1;
        let line = line.map_err(|error| import.broken(number, unread(&error)))?;
        bytes += line.len();
        let record = serde_json::from_str::<PortableRecord>(&line);
        let record = record.map_err(|error| {
            import.broken(number, (Code::BadRequest, format!("is no record: {error}")))
        })?;
        import.take(record);
        if import.pending.len() == IMPORT_RECORDS || bytes >= IMPORT_BYTES {
            import.bring().await?;
            bytes = 0;
        }
    }
    import.bring().await?;
    Ok(Json(import.imported))
}

/// What is wrong with a line that could not be read.
fn unread(error: &LinesCodecError) -> (Code, String) {
    match error {
        LinesCodecError::MaxLineLengthExceeded => (
            Code::Limit,
            format!("has more than {LINE_BYTES} bytes, which are the most"),
        ),
        LinesCodecError::Io(error) => (Code::BadRequest, format!("can't be read: {error}")),
    }
}

/// An import that goes on.
struct Import {
    control: Control,
    /// What has come and was not yet brought to its holders.
    pending: Vec<(Id, Record)>,
    imported: Imported,
}

impl Import {
    /// A record that has come. One that no node would have taken is not restored; the others are.
    fn take(&mut self, record: PortableRecord) {
        let key = record.key;
        match record.taken_in() {
            Ok(record) => self.pending.push(record),
            Err(error) => self.imported.failed.push(NotRestored {
                key,
                why: error.to_string(),
            }),
        }
    }

    /// Brings what has come to its holders.
    async fn bring(&mut self) -> Result<(), Problem> {
        let records = std::mem::take(&mut self.pending);
        let restored = self.control.handle.import(records, self.control.replicas);
        let restored = restored.await;
        // One reason for all of them is one about this node.
        if let Some((_, Err(first))) = restored.first()
            && self.restored() == 0
            && restored
                .iter()
                .all(|(_, result)| result.as_ref().is_err_and(|error| error == first))
        {
            return Err(first.clone().into());
        }
        for (key, restored) in restored {
            self.imported.count(key, restored);
        }
        Ok(())
    }

    fn restored(&self) -> usize {
        self.imported.restored + self.imported.partly
    }

    /// The end of an import by a line that makes no sense.
    fn broken(&self, line: u64, (code, what): (Code, String)) -> Problem {
        Problem::new(
            code,
            format!(
                "line {line} {what}; {} records before it were restored",
                self.restored()
            ),
            "each line is a record, as a backup and an export have it; importing again does no harm",
        )
    }
}
