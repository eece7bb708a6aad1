//! What this process holds: its keys, and copies of its records for a backup.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::{Control, JsonOrProblem, PortableRecord, node_id};
use crate::host::{CallError, HeldKey, Restored};
use cuerda_core::Hint as _;
use cuerda_core::ring::Id;

/// Keys that a node holds a record of, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keys {
    /// Which of the process's nodes.
    pub node: u8,
    /// Its place.
    pub id: Id,
    /// As many as fit into an answer.
    pub keys: Vec<HeldKey>,
    /// What to give as `after` for the next page; absent with the last one.
    pub next: Option<Id>,
}

/// Records that a node holds, in the order of their keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// The cluster's name.
    pub cluster: String,
    /// Which of the process's nodes.
    pub node: u8,
    /// Its place.
    pub id: Id,
    /// As many as fit into an answer.
    pub records: Vec<PortableRecord>,
    /// Keys whose record is damaged on this node's disk.
    pub damaged: Vec<Id>,
    /// What to give as `after` for the next page; absent with the last one.
    pub next: Option<Id>,
}

/// What became of records that were to be merged into what the ring has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// How many all of their holders have merged.
    pub restored: usize,
    /// How many their owner has, and not all other holders: repair brings them there.
    pub partly: usize,
    /// Those that their owner does not have for sure.
    pub failed: Vec<NotRestored>,
}

impl Imported {
    /// One more record, and how its return ended.
    pub(super) fn count(&mut self, key: Id, ended: Result<Restored, CallError>) {
        match ended {
            Ok(restored) if restored.is_complete() => self.restored += 1,
            Ok(_) => self.partly += 1,
            Err(error) => self.failed.push(NotRestored {
                key,
                why: error.with_hint(),
            }),
        }
    }
}

/// A record that was not restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRestored {
    /// Its key.
    pub key: Id,
    /// Why not.
    pub why: String,
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Begin {
    node: u8,
    after: Option<Id>,
}

type From = Result<Query<Begin>, QueryRejection>;

/// `GET /v1/records`.
pub(super) async fn keys(State(control): State<Control>, from: From) -> JsonOrProblem<Keys> {
    let Query(Begin { node, after }) = from?;
    let id = node_id(&control, node).await?;
    let page = control.handle.keys(node, after).await?;
    Ok(Json(Keys {
        node,
        id,
        keys: page.items,
        next: page.next,
    }))
}

/// `GET /v1/export`.
pub(super) async fn export(State(control): State<Control>, from: From) -> JsonOrProblem<Backup> {
    let Query(Begin { node, after }) = from?;
    let id = node_id(&control, node).await?;
    let cluster = control.handle.status().await?.cluster;
    let page = control.handle.export(node, after).await?;
    let (mut records, mut damaged) = (Vec::new(), Vec::new());
    for exported in page.items {
        match exported.record {
            Some(record) => records.push(PortableRecord::new(exported.key, &record)),
            None => damaged.push(exported.key),
        }
    }
    Ok(Json(Backup {
        cluster,
        node,
        id,
        records,
        damaged,
        next: page.next,
    }))
}
