//! The routes over a real host: a ring of one on loopback.

mod records;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::sync::watch;

use super::*;
use crate::host::sqlite::StoreError;
use crate::host::{Begin, Ended, Host, Identity, NoHooks, Settings, Tcp};
use cuerda_core::chord::Config;

/// A node, its routes, and what says that it stops.
struct Node {
    router: Router,
    stopping: watch::Sender<bool>,
    host: tokio::task::JoinHandle<Result<Ended, StoreError>>,
}

async fn node(begin: Begin) -> Node {
    let identity = Identity::from_seed([7; 32]);
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings::new(Arc::new(Config::default()), identity, listen, begin);
    let bound = Host::bind(Tcp, NoHooks, settings).await;
    let (host, handle) = bound.expect("loopback has a free port");
    let stopping = watch::Sender::new(false);
    let reload = || Err("secrets.txt:3: too short".to_owned());
    let router = router(Control {
        handle,
        replicas: 3,
        stopping: stopping.subscribe(),
        reload: Arc::new(reload),
        hosts: Hosts::default(),
    });
    let host = tokio::spawn(host.run());
    Node {
        router,
        stopping,
        host,
    }
}

impl Node {
    async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        let headers = request.headers_mut();
        let host = HeaderValue::from_static("127.0.0.1:4080");
        headers.entry(header::HOST).or_insert(host);
        let service = TowerToHyperService::new(self.router.clone());
        service.call(request).await.expect("routes can't fail")
    }

    async fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).expect("a request");
        let response = self.answer(request).await;
        let status = response.status();
        let media_type = response.headers()[header::CONTENT_TYPE].clone();
        let expected = match status {
            StatusCode::OK => "application/json",
            _ => "application/problem+json",
        };
        assert_eq!(media_type, expected, "{path}");
        let body = to_bytes(response.into_body(), 1 << 20)
            .await
            .expect("a body");
        let document = serde_json::from_slice(&body).expect("JSON");
        (status.as_u16(), document)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path).await
    }
}

#[tokio::test]
async fn a_ring_of_one_answers_for_itself() {
    let node = node(Begin::Found).await;
    let id = Identity::from_seed([7; 32]).id(0).to_string();
    let (status, told) = node.get("/v1/status").await;
    assert_eq!(
        (status, &told["nodes"][0]["id"]),
        (200, &Value::from(id.as_str()))
    );
    let (status, walk) = node.get("/v1/ring").await;
    assert_eq!((status, &walk["ideal"]), (200, &Value::from(true)));
    let (status, found) = node.get("/v1/lookup/a%2Fb%20c?trace=true").await;
    assert_eq!((status, &found["name"]), (200, &Value::from("a/b c")));
    assert_eq!(found["key"], Id::of_key(b"a/b c").to_string());
    assert_eq!(found["owner"]["id"], id);
    let (status, found) = node.get(&format!("/v1/who/{id}?id=true")).await;
    assert_eq!(
        (status, &found["wanted"], &found["name"]),
        (200, &3.into(), &Value::Null)
    );
    assert_eq!(found["holders"][0]["id"], id);
    let (status, table) = node.get("/v1/fingers").await;
    assert_eq!((status, &table["node"]), (200, &0.into()));
    assert_eq!(node.get("/health/live").await.0, 200);
    let (status, health) = node.get("/health/ready").await;
    assert_eq!((status, &health["status"]), (200, &"healthy".into()));
}

#[tokio::test]
async fn what_makes_no_sense_is_a_problem_with_a_hint() {
    let node = node(Begin::Found).await;
    let mut told = Vec::new();
    for (method, path) in [
        ("GET", "/v1/lookup/abc?id=true"),
        ("GET", "/v1/lookup/%ff"),
        ("GET", "/v1/lookup/a?tracing=yes"),
        ("GET", "/v1/who/a?id=perhaps"),
        ("GET", "/v1/fingers?node=7"),
        ("GET", "/v1/fingers?node=300"),
        ("GET", "/v1/lookup"),
        ("GET", "/nowhere"),
        ("DELETE", "/v1/status"),
        ("GET", "/v1/leave"),
        ("POST", "/v1/reload"),
    ] {
        let (status, problem) = node.ask(method, path).await;
        assert_eq!(problem["status"], status);
        assert!(
            problem["hint"]
                .as_str()
                .is_some_and(|hint| !hint.is_empty())
        );
        let word = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        told.push(format!(
            "{method} {path}\n  {status} {}: {}",
            word("code"),
            word("detail")
        ));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn whoever_asks_for_nothing_is_told_all_routes_and_each_is_there() {
    let node = node(Begin::Found).await;
    let (_, problem) = node.get("/nowhere").await;
    let hint = problem["hint"].as_str().expect("a hint");
    insta::assert_snapshot!(hint.replace("), ", "),\n"));
    let words: Vec<&str> = hint.split_whitespace().collect();
    let routes = words.windows(2).filter_map(|pair| match pair {
        [method @ ("GET" | "PUT" | "POST" | "DELETE"), path] => Some((*method, *path)),
        _ => None,
    });
    // Leaving would leave nobody to answer the rest.
    let (last, others): (Vec<_>, Vec<_>) = routes.partition(|(_, path)| *path == "/v1/leave");
    assert_eq!((last.len(), others.len()), (1, 20), "{hint}");
    for (method, path) in others.into_iter().chain(last) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty());
        let status = node.answer(request.expect("a request")).await.status();
        let missing = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        assert!(!missing.contains(&status), "{method} {path}: {status}");
    }
}

#[tokio::test]
async fn a_node_outside_a_ring_is_alive_and_not_ready() {
    let node = node(Begin::Wait).await;
    assert_eq!(node.get("/health/live").await.0, 200);
    let (status, problem) = node.get("/health/ready").await;
    assert_eq!((status, &problem["code"]), (503, &"not_ready".into()));
    let checks = problem["checks"].as_array().expect("named checks");
    let member = checks.iter().find(|check| check["name"] == "member");
    assert_eq!(member.expect("it is checked")["ok"], false);
    let (status, problem) = node.get("/v1/lookup/a").await;
    assert_eq!((status, &problem["code"]), (503, &"not_member".into()));
}

#[tokio::test]
async fn a_process_that_stops_is_not_ready_though_its_node_is_a_member() {
    let node = node(Begin::Found).await;
    assert_eq!(node.get("/health/ready").await.0, 200);
    node.stopping.send_replace(true);
    assert_eq!(node.get("/health/ready").await.0, 503);
    assert_eq!(node.get("/health/live").await.0, 200);
}

#[tokio::test]
async fn leaving_is_answered_and_then_nobody_is_alive() {
    let node = node(Begin::Found).await;
    assert_eq!(
        node.ask("POST", "/v1/leave").await,
        (
            200,
            serde_json::json!({"left": true, "left_behind": 0, "member": true})
        )
    );
    let Node {
        router,
        stopping,
        host,
    } = node;
    assert_eq!(host.await.expect("it does not panic"), Ok(Ended::Left));
    let host = tokio::spawn(async { Ok(Ended::Left) });
    let stopped = Node {
        router,
        stopping,
        host,
    };
    for path in ["/health/live", "/health/ready", "/v1/status", "/metrics"] {
        let (status, problem) = stopped.get(path).await;
        assert_eq!(
            (status, &problem["code"]),
            (503, &"stopped".into()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_strangers_page_can_not_make_the_node_leave() {
    let node = node(Begin::Found).await;
    let request = Request::post("/v1/leave")
        .header(header::HOST, "127.0.0.1:4080")
        .header(header::ORIGIN, "https://evil.example")
        .body(Body::empty());
    let response = node.answer(request.expect("a request")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(node.get("/health/ready").await.0, 200);
}

#[tokio::test]
async fn under_a_strangers_name_nothing_is_answered() {
    let node = node(Begin::Found).await;
    for path in ["/v1/status", "/v1/export", "/metrics", "/health/live"] {
        let request = Request::get(path)
            .header(header::HOST, "evil.example:4080")
            .body(Body::empty());
        let response = node.answer(request.expect("a request")).await;
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn metrics_are_text_for_prometheus() {
    let node = node(Begin::Found).await;
    for format in [metrics::Format::Prometheus, metrics::Format::OpenMetrics] {
        let accept = format.media_type();
        let request = Request::get("/metrics").header(header::ACCEPT, accept);
        let request = request.body(Body::empty()).expect("a request");
        let response = node.answer(request).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], accept);
        let body = to_bytes(response.into_body(), 1 << 20)
            .await
            .expect("a body");
        let page = String::from_utf8(body.to_vec()).expect("text");
        assert!(page.contains("\ncuerda_ready 1\n"), "{page}");
        let ended = page.ends_with("# EOF\n");
        assert_eq!(ended, format == metrics::Format::OpenMetrics, "{page}");
    }
}

#[tokio::test]
async fn copies_that_are_missing_are_told_to_all_who_ask() {
    let node = node(Begin::Found).await;
    let (status, told) = node.get("/v1/copies").await;
    assert_eq!((status, &told["lacking"]), (200, &0.into()));
    assert_eq!(
        (&told["members"], &told["ideal"]),
        (&1.into(), &true.into())
    );
    let put = Request::put("/v1/records/song").body(Body::from("la"));
    let put = node.answer(put.expect("a request")).await;
    assert_eq!(put.status(), StatusCode::ACCEPTED, "on one of three");
    let (_, told) = node.get("/v1/copies").await;
    assert_eq!(
        (&told["lacking"], &told["silent"]),
        (&1.into(), &Value::Array(Vec::new()))
    );
    let (_, told) = node.get("/v1/status").await;
    assert_eq!(told["nodes"][0]["copies"]["lacking"], 1);
    let (_, health) = node.get("/health/ready").await;
    assert_eq!(health["status"], "degraded");
    let page = node.answer(
        Request::get("/metrics")
            .body(Body::empty())
            .expect("a request"),
    );
    let page = to_bytes(page.await.into_body(), 1 << 20)
        .await
        .expect("a body");
    let page = String::from_utf8(page.to_vec()).expect("text");
    assert!(page.contains("\ncuerda_keys_lacking_copies 1\n"), "{page}");
}

#[tokio::test]
async fn who_belongs_to_no_ring_can_not_say_where_its_copies_are() {
    let node = node(Begin::Wait).await;
    let (status, problem) = node.get("/v1/copies").await;
    assert_eq!((status, &problem["code"]), (503, &"not_member".into()));
}

#[tokio::test]
async fn a_node_without_a_file_has_set_nothing_aside() {
    let node = node(Begin::Found).await;
    let (status, told) = node.get("/v1/set-aside").await;
    assert_eq!((status, &told["groups"]), (200, &Value::Array(Vec::new())));
    let (_, told) = node.get("/v1/set-aside/7").await;
    assert_eq!(
        (&told["keys"], &told["next"]),
        (&Value::Array(Vec::new()), &Value::Null)
    );
    let (_, told) = node.ask("POST", "/v1/set-aside/7/restore").await;
    assert_eq!((&told["restored"], &told["kept"]), (&0.into(), &0.into()));
    let (_, told) = node.ask("DELETE", "/v1/set-aside/7").await;
    assert_eq!(told["records"], 0);
    for (method, path, expected) in [
        ("GET", "/v1/set-aside/yesterday", 400),
        ("GET", "/v1/set-aside?after=nothing", 400),
        ("GET", "/v1/set-aside/7?node=3", 404),
        ("POST", "/v1/set-aside/7/restore?node=3", 404),
        ("DELETE", "/v1/set-aside/7?node=3", 404),
    ] {
        let (status, problem) = node.ask(method, path).await;
        assert_eq!(status, expected, "{method} {path}: {problem}");
    }
}
