//! Who is answered, under which name, and what is refused before it is looked at.

use axum::body::{Body, to_bytes};
use axum::routing::any;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use super::*;

fn here(origin: Option<&str>, host: &str) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, host.parse().unwrap());
    if let Some(origin) = origin {
        headers.insert(header::ORIGIN, origin.parse().unwrap());
    }
    comes_from_here(&headers, &Hosts::new(["node1"]))
}

#[test]
fn only_pages_served_here_may_change_something() {
    let host = "127.0.0.1:4080";
    assert!(here(None, host));
    assert!(here(Some("http://127.0.0.1:4080"), host));
    assert!(here(Some("http://localhost:4080"), "localhost:4080"));
    assert!(here(Some("http://[::1]:4080"), "[::1]:4080"));
    assert!(here(Some("http://node1:4080"), "node1:4080"));
    assert!(!here(Some("http://evil.example"), host));
    assert!(!here(Some("http://127.0.0.1:8000"), host));
    assert!(!here(Some("null"), host));
    // A name that its owner lets point to loopback.
    assert!(!here(Some("http://evil.example:4080"), "evil.example:4080"));
}

/// What a request is answered with: the status, and the code of the problem if it is one.
async fn answered(request: Request) -> (u16, String) {
    let router = Router::new().route("/{*path}", any(async || "here"));
    let router = guarded(router, Hosts::new(["node1"]));
    let answer = TowerToHyperService::new(router).call(request).await;
    let answer = answer.expect("routes can't fail");
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1 << 16).await.expect("a body");
    let problem = serde_json::from_slice::<Problem>(&body);
    (
        status,
        problem.map(|problem| problem.code).unwrap_or_default(),
    )
}

/// A request of this method, sent to these hosts.
fn to(method: &str, uri: &str, hosts: &[&str]) -> Request {
    let mut request = axum::http::Request::builder().method(method).uri(uri);
    for host in hosts {
        request = request.header(header::HOST, *host);
    }
    request.body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn reads_and_writes_are_answered_under_the_nodes_own_names_only() {
    for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"] {
        for host in ["127.0.0.1:4080", "localhost", "[::1]:4080", "node1:4080"] {
            assert_eq!(answered(to(method, "/v1", &[host])).await.0, 200, "{host}");
        }
        let (status, code) = answered(to(method, "/v1", &["evil.example:4080"])).await;
        // An answer to HEAD has no body to say why.
        let said = if method == "HEAD" { "" } else { "foreign_host" };
        assert_eq!((status, code.as_str()), (421, said), "{method}");
    }
    // What a proxy is asked with names a host before the path.
    let whole = to("GET", "http://evil.example/v1", &["127.0.0.1"]);
    assert_eq!(answered(whole).await.0, 421);
    let whole = to("GET", "http://127.0.0.1/v1", &["127.0.0.1"]);
    assert_eq!(answered(whole).await.0, 200);
}

#[tokio::test]
async fn who_names_no_host_or_two_is_refused() {
    for hosts in [&[][..], &["127.0.0.1", "evil.example"]] {
        let (status, code) = answered(to("GET", "/v1", hosts)).await;
        assert_eq!((status, code.as_str()), (400, "bad_request"), "{hosts:?}");
    }
}

#[tokio::test]
async fn what_stands_for_no_byte_is_refused_wherever_it_stands() {
    for path in [
        "/%zz",
        "/a%2",
        "/a%",
        "/a%%20",
        "/a?field=%zz",
        "/a?field=la%2",
    ] {
        let (status, code) = answered(to("GET", path, &["127.0.0.1"])).await;
        assert_eq!((status, code.as_str()), (400, "bad_request"), "{path}");
    }
    for path in ["/a%20b", "/%25zz", "/%C3%A4?field=%c3%a4", "/a?field=zz"] {
        let (status, _) = answered(to("GET", path, &["127.0.0.1"])).await;
        assert_eq!(status, 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let read = async |_: axum::body::Bytes| "here";
    let router = guarded(Router::new().route("/", any(read)), Hosts::default());
    let never = futures_util::stream::pending::<Result<axum::body::Bytes, axum::Error>>();
    let mut request = to("PUT", "/", &["127.0.0.1"]);
    *request.body_mut() = Body::from_stream(never);
    let began = tokio::time::Instant::now();
    let answer = TowerToHyperService::new(router).call(request).await;
    let answer = answer.expect("routes can't fail");
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(began.elapsed() <= limits::BODY + std::time::Duration::from_secs(1));
}
