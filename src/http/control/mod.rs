//! The control interface of a node: for its operator, its probes and its monitoring.
//!
//! What it answers stands in the table of routes below; a request for any other path is told all
//! of it.
//!
//! KEY is a name; with `?id=true` it is a place on the circle in 40 hexadecimal digits. Whoever
//! reaches this interface may use all of it, which is why it listens on loopback by default.
//!
//! A write that all holders have is answered with 200, one that only some have with 202. Stamps
//! are told in the header `Cuerda-Stamp`, and with a reading the clock to hand back as `past` in
//! `Cuerda-Clock`.

mod health;
mod holdings;
mod import;
mod metrics;
mod records;
mod set_aside;
mod view;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use tokio::sync::watch;

pub use super::check::Check;
pub use crate::host::{Hop, LookupAnswer};
pub use health::{Health, Wellbeing};
pub use holdings::{Backup, Imported, Keys, NotRestored};
pub use records::{FoundField, FoundRecord, Stored};
pub use set_aside::{AsideDropped, AsideGroup, AsideKey, AsideKeys, AsideRestored, SetAside};
pub use view::{Fingers, Holders, Left, Lookup, Reloaded};

use super::code::Code;
use super::hosts::Hosts;
use super::limits::BODY_BYTES;
use super::problem::Problem;
use super::routes::Route;
use crate::host::limits::WALK;
use crate::host::{Admission, CallError, Handle, Status};
use cuerda_core::chord::Membership;
pub use cuerda_core::record::{PortableField, PortableRecord, StampText, Unfit, ValueText};
use cuerda_core::ring::Id;

/// How long the node's task may take to show that it is alive.
const ALIVE: Duration = Duration::from_secs(2);

/// Reads keys and secrets from where they are kept, or says why it can't.
pub type Reload = Arc<dyn Fn() -> Result<Admission, String> + Send + Sync>;

/// What the control interface controls.
#[derive(Clone)]
pub struct Control {
    /// The node.
    pub handle: Handle,
    /// k: how many processes hold a key.
    pub replicas: u8,
    /// Whether the process has begun to stop.
    pub stopping: watch::Receiver<bool>,
    /// Where `/v1/reload` gets keys and secrets from.
    pub reload: Reload,
    /// Under which names it may be asked, besides addresses.
    pub hosts: Hosts,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// The routes of the control interface, [guarded](super::guarded).
pub fn router(control: Control) -> Router {
    let router = super::routes::router("the control interface", routes());
    let hosts = control.hosts.clone();
    let router = router.layer(Extension(import::Imports::new()));
    let router = router.layer(Extension(set_aside::Turn::new()));
    super::guarded(router.with_state(control), hosts)
}

/// What it answers.
fn routes() -> Vec<Route<Control>> {
    use Method as M;
    vec![
        Route::new(
            M::GET,
            "/v1/status",
            status,
            "what the node tells about itself",
        ),
        Route::new(M::GET, "/v1/ring", ring, "a walk round the ring"),
        Route::new(
            M::GET,
            "/v1/copies",
            copies,
            "whether all records of the ring have their copies: every member is asked",
        ),
        Route::new(
            M::GET,
            "/v1/lookup/{key}",
            lookup,
            "the key's owner, and with ?trace=true the way there",
        ),
        Route::new(
            M::GET,
            "/v1/who/{key}",
            who,
            "the processes that hold the key",
        ),
        Route::new(M::GET, "/v1/fingers", fingers, "a finger table; ?node=0"),
        Route::new(
            M::PUT,
            "/v1/records/{key}",
            records::write,
            "write the body; ?field=, ?ttl=1h, ?if-absent=true, ?if-stamp=, and ?past=, the last \
             stamp that the client has seen",
        )
        .body_max(BODY_BYTES),
        Route::new(
            M::GET,
            "/v1/records/{key}",
            records::read,
            "read a field as bytes, or with Accept: application/json all; ?field=, ?past=",
        ),
        Route::new(
            M::DELETE,
            "/v1/records/{key}",
            records::delete,
            "delete a field; ?field=, ?if-stamp=, ?past=",
        ),
        Route::new(
            M::GET,
            "/v1/records",
            holdings::keys,
            "keys that this process holds; ?node=0, and ?after=, the last one of a page",
        ),
        Route::new(
            M::GET,
            "/v1/export",
            holdings::export,
            "records that this process holds; ?node=0, ?after=",
        ),
        Route::new(
            M::POST,
            "/v1/import",
            import::import,
            "merge such records, one a line, into what their holders have",
        ),
        Route::new(
            M::GET,
            "/v1/set-aside",
            set_aside::groups,
            "what a node has set aside, in groups; ?node=0",
        ),
        Route::new(
            M::GET,
            "/v1/set-aside/{group}",
            set_aside::keys,
            "keys of a group; ?node=0, and ?after=, what a page calls `next`",
        ),
        Route::new(
            M::POST,
            "/v1/set-aside/{group}/restore",
            set_aside::restore,
            "merge its records into what their holders have; ?node=0, ?after=",
        ),
        Route::new(
            M::DELETE,
            "/v1/set-aside/{group}",
            set_aside::drop,
            "delete them for good; ?node=0, ?after=",
        ),
        Route::new(M::POST, "/v1/reload", reload, "read keys and secrets again"),
        Route::new(M::POST, "/v1/leave", leave, "leave the ring and stop"),
        Route::new(
            M::GET,
            "/health/live",
            live,
            "whether the node's task answers",
        ),
        Route::new(
            M::GET,
            "/health/ready",
            ready,
            "whether it belongs to a ring and can do its work",
        ),
        Route::new(M::GET, "/metrics", metrics, "numbers for Prometheus"),
    ]
}

/// What most handlers return.
type JsonOrProblem<T> = Result<Json<T>, Problem>;

async fn status(State(control): State<Control>) -> JsonOrProblem<Status> {
    Ok(Json(control.handle.status().await?))
}

async fn ring(State(control): State<Control>) -> JsonOrProblem<crate::host::Walk> {
    Ok(Json(control.handle.walk(WALK).await?))
}

async fn copies(State(control): State<Control>) -> JsonOrProblem<crate::host::RingCopies> {
    Ok(Json(control.handle.copies(WALK).await?))
}

/// What a question about a key may say besides the key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct About {
    /// The key is a place, not a name.
    id: bool,
    /// Tell the way too.
    trace: bool,
}

/// The place that is asked about, and its name if it has one.
fn place(
    key: Result<Path<String>, PathRejection>,
    id: bool,
) -> Result<(Id, Option<String>), Box<Problem>> {
    let Path(key) = key.map_err(Problem::from)?;
    if !id {
        return Ok((Id::of_key(key.as_bytes()), Some(key)));
    }
    let place = key.parse().map_err(|error| {
        Problem::bad_request(
            format!("{key:?} is no place on the circle: {error}"),
            "leave `id` out if it is a name",
        )
    })?;
    Ok((place, None))
}

async fn lookup(
    State(control): State<Control>,
    key: Result<Path<String>, PathRejection>,
    about: Result<Query<About>, QueryRejection>,
) -> JsonOrProblem<Lookup> {
    let Query(about) = about?;
    let (place, name) = place(key, about.id)?;
    let answer = if about.trace {
        control.handle.lookup_traced(place).await?
    } else {
        control.handle.lookup(place).await?
    };
    Ok(Json(Lookup { name, answer }))
}

async fn who(
    State(control): State<Control>,
    key: Result<Path<String>, PathRejection>,
    about: Result<Query<About>, QueryRejection>,
) -> JsonOrProblem<Holders> {
    let Query(about) = about?;
    let (key, name) = place(key, about.id)?;
    let wanted = usize::from(control.replicas);
    let holders = control.handle.holders(key, wanted).await?;
    Ok(Json(Holders {
        name,
        key,
        wanted,
        holders,
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Whose {
    node: u8,
}

async fn fingers(
    State(control): State<Control>,
    whose: Result<Query<Whose>, QueryRejection>,
) -> JsonOrProblem<Fingers> {
    let Query(Whose { node }) = whose?;
    let id = node_id(&control, node).await?;
    let fingers = control.handle.fingers(node).await?;
    Ok(Json(Fingers { node, id, fingers }))
}

/// The place of one of the process's nodes.
async fn node_id(control: &Control, node: u8) -> Result<Id, Problem> {
    let status = control.handle.status().await?;
    match status.nodes.get(usize::from(node)) {
        Some(own) => Ok(own.id),
        None => Err(Problem::new(
            Code::NoSuchNode,
            format!("there is no node {node}: it hosts {}", status.nodes.len()),
            "count from 0",
        )),
    }
}

async fn leave(State(control): State<Control>) -> JsonOrProblem<Left> {
    let nodes = control.handle.status().await?.nodes;
    let member = nodes
        .iter()
        .any(|node| !matches!(node.standing, Membership::Outside | Membership::Joining));
    match control.handle.leave().await {
        // It goes on by itself.
        Err(CallError::TimedOut(_)) => Ok(Json(Left {
            left: false,
            left_behind: 0,
            member,
        })),
        ended => Ok(ended.map(|left_behind| {
            Json(Left {
                left: true,
                left_behind,
                member,
            })
        })?),
    }
}

async fn reload(State(control): State<Control>) -> JsonOrProblem<Reloaded> {
    let admission = (control.reload)().map_err(CallError::Admission)?;
    let closed = control.handle.admit(admission).await?;
    Ok(Json(Reloaded { closed }))
}

async fn live(State(control): State<Control>) -> Response {
    match control.handle.with_timeout(ALIVE).status().await {
        Ok(_) => Json(serde_json::json!({ "status": "live" })).into_response(),
        Err(error) => {
            let mut problem = Problem::from(error);
            problem.status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
            problem.into_response()
        }
    }
}

async fn ready(State(control): State<Control>) -> JsonOrProblem<Health> {
    let stopping = *control.stopping.borrow();
    let health = Health::of(&control.handle.status().await?, stopping);
    if health.status == Wellbeing::Unhealthy {
        return Err(health.problem());
    }
    Ok(Json(health))
}

async fn metrics(State(control): State<Control>, headers: HeaderMap) -> Result<Response, Problem> {
    let accept = headers.get(header::ACCEPT);
    let format = metrics::Format::accepted(accept.and_then(|accept| accept.to_str().ok()));
    let stopping = *control.stopping.borrow();
    let status = control.handle.status().await?;
    let descriptors = metrics::Descriptors::now();
    let counters = control.handle.counters();
    let page = metrics::page(&status, counters, descriptors, stopping, format);
    let media_type = HeaderValue::from_static(format.media_type());
    Ok(([(header::CONTENT_TYPE, media_type)], page).into_response())
}

#[cfg(test)]
mod tests;
