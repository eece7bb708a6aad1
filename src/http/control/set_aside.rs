//! What this process's nodes have set aside: looked at, brought back into the ring, and dropped.
//!
//! A node sets aside what it has when it was away for so long that deletions were forgotten
//! meanwhile. A *group* is what it set aside at one time, named by when it was last known to be
//! running before, in milliseconds since 1970. All goes page by page; who wants all of it asks again
//! with `next` as `after`.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::holdings::{Imported, NotRestored};
use super::{Control, JsonOrProblem, node_id};
use crate::host::CallError;
use crate::http::code::Code;
use crate::http::problem::Problem;
use cuerda_core::chord::LookupError;
use cuerda_core::ring::Id;

/// Groups that an answer names; there is one for each time that a node was away for long.
const GROUPS: usize = 1000;

/// What a node has set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetAside {
    /// Which of the process's nodes.
    pub node: u8,
    /// Its place.
    pub id: Id,
    /// The groups, in the order in which they were set aside.
    pub groups: Vec<AsideGroup>,
}

/// What a node has set aside at one time, or a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsideGroup {
    /// When the node was last known to be running before, in milliseconds since 1970; 0 if it had
    /// noted no time.
    pub group: u64,
    /// How many records it has.
    pub records: u64,
    /// How many fields they have, deleted ones among them.
    pub fields: u64,
    /// Bytes of their names and values.
    pub bytes: u64,
}

/// Keys of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AsideKeys {
    /// Which of the process's nodes.
    pub node: u8,
    /// Its place.
    pub id: Id,
    /// The group.
    pub group: u64,
    /// As many as fit into an answer; there may be none although more follow.
    pub keys: Vec<AsideKey>,
    /// What to give as `after` for the next page; absent with the last one.
    pub next: Option<i64>,
}

/// A key of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsideKey {
    /// Its place; absent if what stands there is damaged.
    pub key: Option<Id>,
    /// How many fields its record has.
    pub fields: u64,
    /// Bytes of their names and values.
    pub bytes: u64,
}

/// What became of records of a group that were to be brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsideRestored {
    /// As with an import.
    #[serde(flatten)]
    pub imported: Imported,
    /// How many are still set aside, because not all of their holders have them for sure.
    pub kept: usize,
    /// What to give as `after` for the next page; absent with the last one.
    pub next: Option<i64>,
}

/// What was dropped of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsideDropped {
    /// How much it was.
    #[serde(flatten)]
    pub dropped: AsideGroup,
    /// What to give as `after` for the next page; absent with the last one.
    pub next: Option<i64>,
}

/// At most one request at a time changes what is set aside: what one has read, another must not
/// have dropped.
#[derive(Clone, Debug)]
pub(super) struct Turn(Arc<Semaphore>);

impl Turn {
    pub(super) fn new() -> Turn {
        Turn(Arc::new(Semaphore::new(1)))
    }

    fn take(&self) -> Result<OwnedSemaphorePermit, Box<Problem>> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            Box::new(Problem::new(
                Code::Busy,
                "what is set aside is being restored or dropped by another request",
                "try again when that is done",
            ))
        })
    }
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Begin {
    node: u8,
    after: i64,
}

type Begins = Result<Query<Begin>, QueryRejection>;
type Group = Result<Path<u64>, PathRejection>;

fn group(path: Group) -> Result<u64, Box<Problem>> {
    let Path(group) = path.map_err(|rejection| {
        Problem::bad_request(
            rejection.body_text(),
            "groups are called by numbers; `cuerda set-aside list` names them",
        )
    })?;
    Ok(group)
}

/// `GET /v1/set-aside`.
pub(super) async fn groups(
    State(control): State<Control>,
    begin: Begins,
) -> JsonOrProblem<SetAside> {
    let Query(Begin { node, mut after }) = begin?;
    let id = node_id(&control, node).await?;
    let (mut groups, mut last) = (Vec::<AsideGroup>::new(), None);
    loop {
        let page = control.handle.aside_keys(node, after).await?;
        for item in page.items {
            let known = groups.iter().position(|of| of.group == item.alive);
            let at = match known {
                Some(at) => at,
                None if groups.len() >= GROUPS => continue,
                None => {
                    groups.push(AsideGroup {
                        group: item.alive,
                        ..AsideGroup::default()
                    });
                    groups.len() - 1
                }
            };
            let of = &mut groups[at];
            // A record that is longer than a page comes in pieces.
            let is_new = last.replace((item.alive, item.key)) != Some((item.alive, item.key));
            of.records += u64::from(is_new);
            of.fields += item.fields;
            of.bytes += item.bytes;
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(Json(SetAside { node, id, groups })),
        }
    }
}

/// `GET /v1/set-aside/GROUP`.
pub(super) async fn keys(
    State(control): State<Control>,
    path: Group,
    begin: Begins,
) -> JsonOrProblem<AsideKeys> {
    let (Query(Begin { node, after }), group) = (begin?, group(path)?);
    let id = node_id(&control, node).await?;
    let page = control.handle.aside_keys(node, after).await?;
    let of_group = page.items.into_iter().filter(|item| item.alive == group);
    let keys = of_group.map(|item| AsideKey {
        key: item.key,
        fields: item.fields,
        bytes: item.bytes,
    });
    Ok(Json(AsideKeys {
        node,
        id,
        group,
        keys: keys.collect(),
        next: page.next,
    }))
}

/// `POST /v1/set-aside/GROUP/restore`. What is not with all who should have it stays where it is.
pub(super) async fn restore(
    State(control): State<Control>,
    Extension(turn): Extension<Turn>,
    path: Group,
    begin: Begins,
) -> JsonOrProblem<AsideRestored> {
    let (Query(Begin { node, after }), group) = (begin?, group(path)?);
    node_id(&control, node).await?;
    let _turn = turn.take()?;
    let page = control.handle.aside_records(node, group, after).await?;
    let mut restored = AsideRestored {
        next: page.next,
        ..AsideRestored::default()
    };
    let (mut records, mut places) = (Vec::new(), Vec::new());
    for item in page.items {
        match (item.key, item.record) {
            (Some(key), Some(record)) => {
                records.push((key, record));
                places.push(item.rows);
            }
            (key, _) => {
                restored.kept += 1;
                restored.imported.failed.extend(key.map(|key| NotRestored {
                    key,
                    why: "it is damaged on this node's disk".to_owned(),
                }));
            }
        }
    }
    let ended = control.handle.import(records, control.replicas).await;
    let mut gone = Vec::new();
    for ((key, ended), rows) in ended.into_iter().zip(places) {
        match &ended {
            Ok(of) if of.is_with_all() => gone.extend(rows),
            // That is about this node and not about the record: none will fare better.
            Err(error @ (CallError::Lookup(LookupError::NotMember) | CallError::Stopped))
                if gone.is_empty() =>
            {
                return Err(error.clone().into());
            }
            _ => restored.kept += 1,
        }
        restored.imported.count(key, ended);
    }
    if !gone.is_empty() {
        control.handle.drop_aside(node, group, gone).await?;
    }
    Ok(Json(restored))
}

/// `DELETE /v1/set-aside/GROUP`.
pub(super) async fn drop(
    State(control): State<Control>,
    Extension(turn): Extension<Turn>,
    path: Group,
    begin: Begins,
) -> JsonOrProblem<AsideDropped> {
    let (Query(Begin { node, after }), group) = (begin?, group(path)?);
    node_id(&control, node).await?;
    let _turn = turn.take()?;
    let page = control.handle.drop_aside_page(node, group, after).await?;
    let dropped = AsideGroup {
        group,
        records: page.items.len() as u64,
        fields: page.items.iter().map(|item| item.fields).sum(),
        bytes: page.items.iter().map(|item| item.bytes).sum(),
    };
    let next = page.next;
    Ok(Json(AsideDropped { dropped, next }))
}
