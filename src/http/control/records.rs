//! Reading and writing records.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Control, StampText, ValueText, place};
use crate::http::code::Code;
use crate::http::problem::Problem;
use cuerda_core::Hint as _;
use cuerda_core::chord::{Condition, Fetched, Write, Written};
use cuerda_core::record::{Record, Stamp};
use cuerda_core::ring::{Id, Peer};

/// The stamp of what was written or read.
const STAMP: HeaderName = HeaderName::from_static("cuerda-stamp");
/// The highest stamp clock of those that answered a reading.
const CLOCK: HeaderName = HeaderName::from_static("cuerda-clock");
/// Whether the key's owner answered a reading.
const CERTAIN: HeaderName = HeaderName::from_static("cuerda-certain");
/// When the value ceases to be there, in milliseconds since 1970.
const EXPIRES: HeaderName = HeaderName::from_static("cuerda-expires");

/// A write or a deletion, done in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The key's name; absent if the place was given.
    pub name: Option<String>,
    /// The key's place.
    pub key: Id,
    /// The field; empty for the plain value.
    pub field: String,
    /// The stamp that the write got.
    pub stamp: StampText,
    /// How many nodes have it on disk.
    pub stored: usize,
    /// How many were to have it.
    pub wanted: u8,
    /// Whether it is done; else it stands, and may be lost when these few nodes fail.
    pub complete: bool,
    /// The same in words: `stored on 2 of 3`.
    pub said: String,
    /// The nodes that have it, the owner first.
    pub holders: Vec<Id>,
}

/// What a key holds for a reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundRecord {
    /// The key's name; absent if the place was given.
    pub name: Option<String>,
    /// The key's place.
    pub key: Id,
    /// What is there, by the names of fields; the plain value has the empty name.
    pub fields: BTreeMap<String, FoundField>,
    /// The highest stamp clock of those that answered: to be handed back with the next write.
    pub clock: StampText,
    /// Whether the key's owner answered; else it is the newest that other holders have.
    #[serde(rename = "certain")]
    pub authoritative: bool,
    /// Who answered.
    pub from: Peer,
}

/// A field that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundField {
    /// The write that left it.
    pub stamp: StampText,
    /// The value, in base64.
    pub value: ValueText,
    /// The same as text, if it is some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When it ceases to be there, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

/// What a reading may say besides the key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reading {
    /// The key is a place, not a name.
    id: bool,
    /// As bytes: this field. As JSON: only this field.
    field: Option<String>,
    past: Option<String>,
}

/// What a write may say besides the key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct Writing {
    id: bool,
    field: String,
    ttl: Option<String>,
    if_absent: bool,
    if_stamp: Option<String>,
    past: Option<String>,
}

type Key = Result<Path<String>, PathRejection>;

fn stamp(text: Option<&str>) -> Result<Option<Stamp>, Box<Problem>> {
    let parsed = text.map(str::parse::<StampText>).transpose();
    let parsed = parsed.map_err(|error| {
        Problem::bad_request(error.to_string(), error.hint().unwrap_or_default())
    })?;
    Ok(parsed.map(|stamp| stamp.0))
}

impl Writing {
    /// The write that is meant, of a value or (`None`) of a deletion.
    fn write(&self, value: Option<Bytes>) -> Result<Write, Box<Problem>> {
        let condition = match (self.if_absent, stamp(self.if_stamp.as_deref())?) {
            (false, None) => Condition::None,
            (true, None) => Condition::Absent,
            (false, Some(stamp)) => Condition::Stamp(stamp),
            (true, Some(_)) => {
                return Err(Problem::bad_request(
                    "a field can't be absent and have a stamp",
                    "leave out `if-absent` or `if-stamp`",
                )
                .into());
            }
        };
        if value.is_none() && (self.if_absent || self.ttl.is_some()) {
            return Err(Problem::bad_request(
                "what is deleted is there before and not after",
                "leave out `if-absent` and `ttl`",
            )
            .into());
        }
        Ok(Write {
            name: self.field.clone(),
            value: value.map(Into::into),
            lives: self.ttl.as_deref().map(time_to_live).transpose()?,
            condition,
            past: stamp(self.past.as_deref())?.unwrap_or(Stamp::ZERO),
        })
    }
}

fn time_to_live(text: &str) -> Result<Duration, Box<Problem>> {
    let hint = "write it with a unit, as in ttl=90s or ttl=1h";
    let parsed = humantime::parse_duration(text).map_err(|error| {
        Problem::bad_request(format!("{text:?} is no time to live: {error}"), hint)
    })?;
    if parsed.as_millis() == 0 {
        let what = format!("nothing can be stored for {text:?}");
        return Err(Problem::bad_request(what, hint).into());
    }
    Ok(parsed)
}

/// `PUT /v1/records/{key}`.
pub(super) async fn write(
    State(control): State<Control>,
    key: Key,
    writing: Result<Query<Writing>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Query(writing) = writing?;
    let (key, name) = place(key, writing.id)?;
    let write = writing.write(Some(body?))?;
    let written = control.handle.write(key, write).await?;
    Ok(stored("stored", name, key, writing.field, written))
}

/// `DELETE /v1/records/{key}`.
pub(super) async fn delete(
    State(control): State<Control>,
    key: Key,
    writing: Result<Query<Writing>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(writing) = writing?;
    let (key, name) = place(key, writing.id)?;
    let mut write = writing.write(None)?;
    // Who deletes what is not there should hear it, and leave no tombstone behind.
    let found = control.handle.read(key, write.past).await?;
    let now = found.now;
    let there = found
        .record
        .as_ref()
        .is_some_and(|record| record.read(&write.name, now).is_some());
    if !there && found.authoritative {
        return Err(absent(name, key, Some(&writing.field), &found, now));
    }
    write.past = write.past.max(found.clock);
    let written = control.handle.write(key, write).await?;
    Ok(stored("deleted", name, key, writing.field, written))
}

fn stored(done: &str, name: Option<String>, key: Id, field: String, written: Written) -> Response {
    let stamp = StampText(written.stamp);
    let complete = written.is_complete();
    let mut said = format!("{done} on {} of {}", written.holders.len(), written.wanted);
    if !written.majority {
        said.push_str(", but not on most of those that had it before");
    }
    let stored = Stored {
        name,
        key,
        field,
        stamp,
        stored: written.holders.len(),
        wanted: written.wanted,
        complete,
        said,
        holders: written.holders,
    };
    let status = match complete {
        true => StatusCode::OK,
        false => StatusCode::ACCEPTED,
    };
    let mut response = (status, Json(stored)).into_response();
    insert(response.headers_mut(), STAMP, &stamp);
    response
}

/// `GET /v1/records/{key}`.
pub(super) async fn read(
    State(control): State<Control>,
    key: Key,
    reading: Result<Query<Reading>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(reading) = reading?;
    let (key, name) = place(key, reading.id)?;
    let past = stamp(reading.past.as_deref())?.unwrap_or(Stamp::ZERO);
    let found = control.handle.read(key, past).await?;
    let now = found.now;
    let wants_json = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|kinds| kinds.to_str().is_ok_and(|kinds| kinds.contains("/json")));
    let mut response = if wants_json {
        let fields = readable(found.record.as_ref(), now, reading.field.as_deref());
        if fields.is_empty() {
            return Err(absent(name, key, reading.field.as_deref(), &found, now));
        }
        Json(FoundRecord {
            name,
            key,
            fields,
            clock: StampText(found.clock),
            authoritative: found.authoritative,
            from: found.from,
        })
        .into_response()
    } else {
        let field = reading.field.unwrap_or_default();
        let fields = readable(found.record.as_ref(), now, Some(&field));
        let Some(value) = fields.into_values().next() else {
            return Err(absent(name, key, Some(&field), &found, now));
        };
        let media_type = HeaderValue::from_static("application/octet-stream");
        let mut response = ([(header::CONTENT_TYPE, media_type)], value.value.0).into_response();
        insert(response.headers_mut(), STAMP, &value.stamp);
        if let Some(expires) = value.expires_ms {
            insert(response.headers_mut(), EXPIRES, &expires);
        }
        response
    };
    insert(response.headers_mut(), CLOCK, &StampText(found.clock));
    insert(response.headers_mut(), CERTAIN, &found.authoritative);
    Ok(response)
}

/// The fields that a reader finds, or the one of this name.
fn readable(record: Option<&Record>, now: u64, only: Option<&str>) -> BTreeMap<String, FoundField> {
    let fields = record.into_iter().flat_map(Record::fields);
    let fields = fields.filter(|(name, _)| only.is_none_or(|only| only == *name));
    let fields = fields.filter_map(|(name, field)| {
        let value = field.read(now)?.clone().into_bytes();
        let text = str::from_utf8(&value).ok().map(str::to_owned);
        let field = FoundField {
            stamp: StampText(field.stamp()),
            value: ValueText(value),
            text,
            expires_ms: field.expires(),
        };
        Some((name.to_owned(), field))
    });
    fields.collect()
}

/// Nothing is there, as far as those know that were asked.
fn absent(
    name: Option<String>,
    key: Id,
    field: Option<&str>,
    found: &Fetched,
    now: u64,
) -> Problem {
    let said = name.map_or_else(|| key.to_string(), |name| format!("{name:?}"));
    let others = readable(found.record.as_ref(), now, None);
    if !found.authoritative {
        return Problem::new(
            Code::Uncertain,
            format!("those that answered have nothing for {said}, but its owner did not answer"),
            "try again when the ring has repaired itself",
        );
    }
    if let (Some(field), false) = (field, others.is_empty()) {
        let names: Vec<String> = others.keys().map(|name| format!("{name:?}")).collect();
        let what = match field {
            "" => "no plain value".to_owned(),
            field => format!("no field {field:?}"),
        };
        return Problem::new(
            Code::NoSuchField,
            format!("{said} has {what}"),
            format!("it has the fields {}", names.join(", ")),
        );
    }
    Problem::new(
        Code::NoSuchKey,
        format!("nothing is stored under {said}"),
        "`cuerda who KEY` names the nodes that would hold it; is the key spelt as it was written?",
    )
}

/// Stamps, numbers and truths are plain ASCII.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &impl ToString) {
    let value = HeaderValue::try_from(value.to_string());
    headers.insert(
        name,
        value.expect("digits, letters, dots and @ may stand there"),
    );
}
