//! Brings records from a backup to those who should hold them.
//!
//! As a node would: who holds a key is looked up, and each holder is asked to merge the record,
//! with the stamps that its fields have. Writing the values anew would make an old backup win
//! over what was written since.

use futures_util::StreamExt;
use futures_util::stream;

use super::handle::Handle;
use super::hooks::system_clock;
use super::limits::RESTORES;
use super::status::{CallError, Restored};
use cuerda_core::chord::{RecordReply, RecordRequest, Reply, Request, Stamped};
use cuerda_core::protocol::Denied;
use cuerda_core::record::limits::RECORD_BYTES;
use cuerda_core::record::{Record, Stamp, TooFarAhead};
use cuerda_core::ring::{Id, Peer};

impl Handle {
    /// Merges records from a backup into what their holders have, `replicas` of them for each,
    /// and says for each in turn how that ended.
    ///
    /// Fields keep the stamps that they had: what is newer in the ring stays. So importing twice
    /// changes nothing, and a deletion that the ring remembers is not undone. One that it has
    /// forgotten, because its tombstone was collected since, is. Who has merged a record has it
    /// on disk; those that did not answer get it when the owner next repairs them.
    pub async fn import(
        &self,
        records: Vec<(Id, Record)>,
        replicas: u8,
    ) -> Vec<(Id, Result<Restored, CallError>)> {
        restore(self, records, replicas).await
    }
}

/// Each record with how its return ended, in the order given.
async fn restore(
    handle: &Handle,
    records: Vec<(Id, Record)>,
    replicas: u8,
) -> Vec<(Id, Result<Restored, CallError>)> {
    let restored = records.into_iter().map(|(key, record)| async move {
        let restored = restore_one(handle, key, record, replicas).await;
        (key, restored)
    });
    stream::iter(restored).buffered(RESTORES).collect().await
}

async fn restore_one(
    handle: &Handle,
    key: Id,
    record: Record,
    replicas: u8,
) -> Result<Restored, CallError> {
    // Holders merge whatever they are given: a stamp of the far future would keep everybody from
    // writing the field until then.
    let now = system_clock();
    let stamps = record.fields().map(|(_, field)| field.stamp());
    if let Some(far) = stamps.max()
        && let Err(ahead) = TooFarAhead::judge(far, now)
    {
        return Err(CallError::Access(Denied::from(ahead).into()));
    }
    let holders = handle.holders(key, usize::from(replicas)).await?;
    let (owner, asked) = (holders[0], holders.len());
    let merging = holders
        .into_iter()
        .map(|holder| merge(handle, holder, key, record.clone()));
    let merged = futures_util::future::join_all(merging).await;
    let holders: Vec<Id> = merged.into_iter().flatten().map(|peer| peer.id).collect();
    // Repair goes out from the owner: without it nobody brings the record to the others.
    if holders.first() != Some(&owner.id) {
        return Err(CallError::Silent(owner));
    }
    Ok(Restored {
        key,
        holders,
        asked,
        wanted: replicas,
    })
}

/// The holder, if it has merged all of the record.
async fn merge(handle: &Handle, holder: Peer, key: Id, record: Record) -> Option<Peer> {
    for piece in record.pieces(RECORD_BYTES) {
        let body = RecordRequest::Merge(vec![(key, piece)]);
        // A backup has seen nothing that the holder must write after.
        let clock = Stamp::ZERO;
        let request = Request::Records(Box::new(Stamped::new(clock, body)));
        match handle.ask(holder, request).await {
            Ok(Reply::Records(reply)) if reply.body == RecordReply::Merged => {}
            _ => return None,
        }
    }
    Some(holder)
}
