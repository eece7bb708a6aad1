//! What holds for every request, whatever it asks for.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::body;
use super::code::Code;
use super::hosts::Hosts;
use super::limits;
use super::problem::{MEDIA_TYPE, Problem};

/// The same routes, with a time-out, answering under these names only, closed to the pages of
/// strangers, and with problems for all errors that have no words of their own.
pub fn guarded(router: Router, hosts: Hosts) -> Router {
    router
        .layer(middleware::from_fn(body::in_time))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(
            hosts.clone(),
            no_strangers_page,
        ))
        .layer(middleware::from_fn(no_broken_escapes))
        .layer(middleware::from_fn_with_state(hosts, no_strangers_name))
        .layer(middleware::map_response(only_problems))
}

async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(limits::REQUEST, next.run(request)).await;
    answer.unwrap_or_else(|_| Problem::of_status(StatusCode::GATEWAY_TIMEOUT).into_response())
}

/// Whoever asks names a host, and one that is allowed: reads too, since a page whose name was made
/// to point here is served under that name, and reads what it likes.
async fn no_strangers_name(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let named = match named_hosts(&request) {
        Ok(named) => named,
        Err(what) => {
            let hint = "name the host that is asked in one header `Host`, as every browser does";
            return Problem::bad_request(what, hint).into_response();
        }
    };
    match named.iter().find(|host| !hosts.allow(host)) {
        None => next.run(request).await,
        Some(host) => {
            let problem = Problem::new(
                Code::ForeignHost,
                format!("the node is asked under the name {host:?}, which nobody has allowed"),
                "ask it by its address, or allow the name where the node is started, with \
                 --control-host",
            );
            problem.into_response()
        }
    }
}

/// What the request says it was sent to: in its header, and before the path as proxies are asked.
fn named_hosts(request: &Request) -> Result<Vec<String>, &'static str> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (headers.next(), headers.next()) else {
        return Err("the request names no host, or several");
    };
    let host = host.to_str().map_err(|_| "the host's name is no text")?;
    let mut named = vec![host.to_owned()];
    named.extend(request.uri().authority().map(ToString::to_string));
    Ok(named)
}

/// A browser on this machine reaches what listens on loopback, and so does any page it shows.
/// Such a page must not make the node leave: what changes something comes from no page, or from
/// one that this node has served under an address, or a name that is allowed.
async fn no_strangers_page(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD);
    if harmless || comes_from_here(request.headers(), &hosts) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        Code::ForeignPage,
        "the request comes from a page that this node has not served",
        "use the command line, or a client that is no browser",
    );
    problem.into_response()
}

fn comes_from_here(headers: &HeaderMap, hosts: &Hosts) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Uri>().ok());
    let origin = origin.as_ref().and_then(Uri::authority);
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let (Some(origin), Some(host)) = (origin, host) else {
        return false;
    };
    hosts.allow(origin.as_str()) && origin.as_str() == host
}

/// What can't be decoded would be taken as it stands, and so name another key than was meant.
async fn no_broken_escapes(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map(PathAndQuery::as_str);
    let mut escapes = target.unwrap_or_default().split('%').skip(1);
    let broken = escapes.find(|rest| {
        let digits = rest.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.count() < 2
    });
    let Some(rest) = broken else {
        return next.run(request).await;
    };
    let shown: String = rest.chars().take(2).collect();
    let problem = Problem::bad_request(
        format!("%{shown} stands for no byte"),
        "a percent sign is followed by two hexadecimal digits; one by itself is written %25",
    );
    problem.into_response()
}

async fn only_problems(response: Response) -> Response {
    let status = response.status();
    let media_type = response.headers().get(header::CONTENT_TYPE);
    let told = media_type.is_some_and(|kind| kind.as_bytes() == MEDIA_TYPE.as_bytes());
    if told || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let mut problem = Problem::of_status(status).into_response();
    if let Some(allowed) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    problem
}

#[cfg(test)]
mod tests;
