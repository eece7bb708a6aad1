//! Errors as `application/problem+json` (RFC 9457): one form for all of them.

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::code::Code;
use crate::host::CallError;
use cuerda_core::Hint as _;
use cuerda_core::chord::{AccessError, Denied, LookupError};
use cuerda_core::record::StampText;
use cuerda_core::record::limits::VALUE_BYTES;

/// The media type of problems.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request failed, and what to try next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:cuerda:problem:` and the code: the same for all problems of this kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// What all problems of this kind have in common, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The kind in one word, for programs.
    pub code: String,
    /// The next thing to try.
    pub hint: String,
    /// For a node that is not ready: what was checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// For a condition that does not hold: the stamp that the field has, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<StampText>,
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>, hint: impl Into<String>) -> Problem {
        // What only commands find out is no business of a node; one that says so is at fault.
        let internal = (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The node could not answer",
        );
        let (status, title) = code.answer().unwrap_or(internal);
        Problem {
            kind: format!("urn:cuerda:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.name().to_owned(),
            hint: hint.into(),
            checks: Vec::new(),
            stamp: None,
        }
    }

    /// Its code, unless it is one of a later release.
    #[must_use]
    pub fn known_code(&self) -> Option<Code> {
        Code::named(&self.code)
    }

    /// A request that makes no sense here.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem::new(Code::BadRequest, detail, hint)
    }

    /// What an error response without words of its own means.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Problem {
        let (code, hint) = match status {
            StatusCode::NOT_FOUND => (
                Code::NoSuchPath,
                "compare it with the documentation of the interface",
            ),
            StatusCode::METHOD_NOT_ALLOWED => (
                Code::MethodNotAllowed,
                "the header `Allow` says which it takes",
            ),
            StatusCode::GATEWAY_TIMEOUT => (
                Code::TimedOut,
                "try again; `cuerda status` says what the node waits for",
            ),
            _ if status.is_client_error() => (
                Code::BadRequest,
                "compare it with the documentation of the interface",
            ),
            _ => (Code::Internal, "its log says more; try again"),
        };
        let phrase = status.canonical_reason().unwrap_or("error");
        Problem {
            status: status.as_u16(),
            ..Problem::new(code, phrase, hint)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        response
    }
}

/// Where only few fail, errors are carried boxed.
impl From<Box<Problem>> for Problem {
    fn from(problem: Box<Problem>) -> Problem {
        *problem
    }
}

impl From<&LookupError> for Code {
    fn from(error: &LookupError) -> Code {
        match error {
            LookupError::NotMember => Code::NotMember,
            LookupError::NoRoute | LookupError::TooManyAsks => Code::NoRoute,
            LookupError::Stopped => Code::FellOut,
            LookupError::TooManyLookups => Code::Busy,
        }
    }
}

impl From<&AccessError> for Code {
    fn from(error: &AccessError) -> Code {
        match error {
            AccessError::Lookup(error) => error.into(),
            AccessError::Denied(Denied::Changed(_)) => Code::Changed,
            AccessError::Denied(Denied::Limit(_)) => Code::Limit,
            AccessError::Denied(Denied::Ahead(_) | Denied::ClockWrong(_)) => Code::Clock,
            AccessError::Denied(Denied::Keys(_)) => Code::Full,
            AccessError::Denied(Denied::Beaten) => Code::Beaten,
            AccessError::Denied(Denied::Uncertain) | AccessError::Uncertain => Code::Uncertain,
            AccessError::Denied(Denied::TooManyWrites) | AccessError::TooManyAccesses => Code::Busy,
            AccessError::NoOwner => Code::NoOwner,
        }
    }
}

impl From<&CallError> for Code {
    fn from(error: &CallError) -> Code {
        match error {
            CallError::Lookup(error) => error.into(),
            CallError::Access(error) => error.into(),
            CallError::Busy => Code::Busy,
            CallError::TimedOut(_) => Code::TimedOut,
            CallError::Stopped => Code::Stopped,
            CallError::Silent(_) => Code::PeerSilent,
            CallError::Admission(_) => Code::Admission,
            CallError::Records(_) => Code::Records,
        }
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Problem {
        let stamp = match error {
            CallError::Access(AccessError::Denied(Denied::Changed(stamp))) => stamp.map(StampText),
            _ => None,
        };
        let hint = error.hint().unwrap_or_default();
        Problem {
            stamp,
            ..Problem::new(Code::from(&error), error.to_string(), hint)
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        Problem::bad_request(
            rejection.body_text(),
            "look-ups take `trace` and `id`, fingers and listings `node`; records take `field`, `id`, \
             `past`, and to be written `ttl`, `if-absent` and `if-stamp`, as in ?ttl=1h",
        )
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Problem {
        too_large(rejection.status()).unwrap_or_else(|| {
            Problem::bad_request(rejection.body_text(), "send the value as the body")
        })
    }
}

/// A body that was not read to its end.
fn too_large(status: StatusCode) -> Option<Problem> {
    (status == StatusCode::PAYLOAD_TOO_LARGE).then(|| {
        Problem::new(
            Code::Limit,
            format!("the body is too long; a value has {VALUE_BYTES} bytes at most"),
            "divide it among several keys",
        )
    })
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Problem {
        Problem::bad_request(
            rejection.body_text(),
            "names are percent-encoded UTF-8; for other keys give the place, with ?id=true",
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::sqlite::StoreError;
    use cuerda_core::record::{LimitError, Stamp, TooFarAhead};
    use cuerda_core::ring::test_peers::peer;

    #[test]
    fn every_error_of_a_call_is_a_problem_with_a_next_step() {
        let stamp = Stamp {
            milliseconds: 1_700_000_000_000,
            counter: 3,
            node: peer(7).id,
        };
        let errors = [
            CallError::Lookup(LookupError::NotMember),
            CallError::Lookup(LookupError::NoRoute),
            CallError::Lookup(LookupError::TooManyAsks),
            CallError::Lookup(LookupError::TooManyLookups),
            CallError::Lookup(LookupError::Stopped),
            CallError::TimedOut(Duration::from_secs(10)),
            CallError::Stopped,
            CallError::Busy,
            CallError::Silent(peer(7)),
            CallError::Admission("secrets.txt, line 3: too short".to_owned()),
            CallError::Records(StoreError::Full {
                path: "one/records.db".into(),
            }),
            AccessError::NoOwner.into(),
            AccessError::TooManyAccesses.into(),
            AccessError::Denied(Denied::Changed(Some(stamp))).into(),
            AccessError::Denied(Denied::Changed(None)).into(),
            AccessError::Denied(Denied::Limit(LimitError::ValueBytes(100_000))).into(),
            AccessError::Denied(Denied::Ahead(TooFarAhead {
                stamp,
                by: 4_000_000,
            }))
            .into(),
            AccessError::Denied(Denied::Keys(1_000_000)).into(),
            AccessError::Denied(Denied::TooManyWrites).into(),
            AccessError::Denied(Denied::Beaten).into(),
        ];
        let problems: Vec<Problem> = errors.into_iter().map(Problem::from).collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&problems).unwrap());
    }

    #[test]
    fn what_the_server_refuses_by_itself_is_a_problem_too() {
        let problems: Vec<Problem> = [400, 403, 404, 405, 413, 431, 500, 504]
            .map(|status| Problem::of_status(StatusCode::from_u16(status).unwrap()))
            .into();
        insta::assert_snapshot!(serde_json::to_string_pretty(&problems).unwrap());
    }
}
