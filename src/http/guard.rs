//! What holds for every request, whatever it asks for.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::code::Code;
use super::limits;
use super::problem::{MEDIA_TYPE, Problem};

/// The same routes, with a time-out, closed to the pages of strangers, and with problems for
/// all errors that have no words of their own.
pub fn guarded(router: Router) -> Router {
    router
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn(no_strangers_page))
        .layer(middleware::map_response(only_problems))
}

async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(limits::REQUEST, next.run(request)).await;
    answer.unwrap_or_else(|_| Problem::of_status(StatusCode::GATEWAY_TIMEOUT).into_response())
}

/// A browser on this machine reaches what listens on loopback, and so does any page it shows.
/// Such a page must not make the node leave: what changes something comes from no page, or from
/// one that this node has served under an address. A name could be made to point here.
async fn no_strangers_page(request: Request, next: Next) -> Response {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD);
    if harmless || comes_from_here(request.headers()) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        Code::ForeignPage,
        "the request comes from a page that this node has not served",
        "use the command line, or a client that is no browser",
    );
    problem.into_response()
}

fn comes_from_here(headers: &HeaderMap) -> bool {
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
    let name = origin.host().trim_start_matches('[').trim_end_matches(']');
    let address = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok();
    address && origin.as_str() == host
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
mod tests {
    use super::*;

    fn here(origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        comes_from_here(&headers)
    }

    #[test]
    fn only_pages_served_here_may_change_something() {
        let host = "127.0.0.1:4080";
        assert!(here(None, host));
        assert!(here(Some("http://127.0.0.1:4080"), host));
        assert!(here(Some("http://localhost:4080"), "localhost:4080"));
        assert!(here(Some("http://[::1]:4080"), "[::1]:4080"));
        assert!(!here(Some("http://evil.example"), host));
        assert!(!here(Some("http://127.0.0.1:8000"), host));
        assert!(!here(Some("null"), host));
        // A name that its owner lets point to loopback.
        assert!(!here(Some("http://evil.example:4080"), "evil.example:4080"));
    }
}
