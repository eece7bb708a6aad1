//! Records by way of the routes, over a map in the place of a ring.

use super::*;
use crate::host::fake::Fake;
use crate::http::limits;
use cuerda_core::chord::AccessError;

use cuerda_core::record::{Field, Record, Stamp};

struct Ring(Router);

fn ring(fake: Fake) -> Ring {
    let (_, stopping) = watch::channel(false);
    let reload = || Err("there is nothing to read".to_owned());
    Ring(router(Control {
        handle: fake.handle(),
        replicas: 3,
        stopping,
        reload: Arc::new(reload),
        hosts: Hosts::default(),
    }))
}

/// An answer: the status, the headers of our own, and the body.
struct Told {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Ring {
    async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> Told {
        self.ask_as(method, path, "*/*", body).await
    }

    async fn ask_as(&self, method: &str, path: &str, kind: &str, body: impl Into<Body>) -> Told {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:4080")
            .header(header::ACCEPT, kind)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.into());
        let service = TowerToHyperService::new(self.0.clone());
        let response = service.call(request.expect("a request")).await;
        let response = response.expect("routes can't fail");
        let own = response.headers().iter().filter_map(|(name, value)| {
            let value = value.to_str().ok()?.to_owned();
            let ours = name.as_str().starts_with("cuerda-");
            ours.then(|| (name.to_string(), value))
        });
        let headers = own.collect();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 64 << 20).await;
        let body = body.expect("a body").to_vec();
        Told {
            status,
            headers,
            body,
        }
    }
}

#[tokio::test]
async fn what_is_put_is_got_as_bytes_and_as_json_and_then_deleted() {
    let ring = ring(Fake::default());
    let put = ring.ask("PUT", "/v1/records/a%2Fb", "value").await;
    assert_eq!(put.status, 200);
    assert_eq!(put.json()["said"], "stored on 3 of 3");
    assert_eq!(put.json()["stamp"], put.header("cuerda-stamp"));

    let got = ring.ask("GET", "/v1/records/a%2Fb", "").await;
    assert_eq!((got.status, got.body.as_slice()), (200, &b"value"[..]));
    assert_eq!(got.header("cuerda-stamp"), put.header("cuerda-stamp"));
    assert_eq!(got.header("cuerda-certain"), "true");
    assert!(!got.header("cuerda-clock").is_empty());

    let json = "application/json";
    let named = ring.ask_as("GET", "/v1/records/a%2Fb", json, "").await;
    let place = Id::of_key(b"a/b");
    assert_eq!(named.json()["key"], place.to_string());
    assert_eq!(named.json()["fields"][""]["text"], "value");
    assert_eq!(named.json()["fields"][""]["value"], "dmFsdWU=");
    let by_place = format!("/v1/records/{place}?id=true");
    let placed = ring.ask_as("GET", &by_place, json, "").await;
    assert_eq!(placed.json()["fields"], named.json()["fields"]);

    let deleted = ring.ask("DELETE", "/v1/records/a%2Fb", "").await;
    assert_eq!(deleted.json()["said"], "deleted on 3 of 3");
    for method in ["GET", "DELETE"] {
        let gone = ring.ask(method, "/v1/records/a%2Fb", "").await;
        assert_eq!(
            (gone.status, &gone.json()["code"]),
            (404, &"no_such_key".into())
        );
    }
}

#[tokio::test]
async fn a_partial_write_is_accepted_and_says_where_it_is() {
    let fake = Fake {
        reached: 2,
        ..Fake::default()
    };
    let put = ring(fake).ask("PUT", "/v1/records/song?ttl=1h", "la").await;
    assert_eq!(put.status, 202);
    let mut told = put.json();
    told["stamp"] = "a stamp".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap());
}

#[tokio::test]
async fn conditions_hold_or_the_stamp_that_is_there_is_told() {
    let ring = ring(Fake::default());
    let put = |query: &str| {
        let path = format!("/v1/records/lock?{query}");
        let ring = &ring;
        async move { ring.ask("PUT", &path, "me").await }
    };
    let first = put("field=holder&if-absent=true").await;
    assert_eq!(first.status, 200);
    let stamp = first.header("cuerda-stamp");
    let second = put("field=holder&if-absent=true").await;
    assert_eq!(
        (second.status, &second.json()["stamp"]),
        (412, &stamp.into())
    );
    let third = put(&format!("field=holder&if-stamp={stamp}")).await;
    assert_eq!(third.status, 200);
    let fourth = put(&format!("field=holder&if-stamp={stamp}&past={stamp}")).await;
    assert_eq!(
        (fourth.status, &fourth.json()["code"]),
        (412, &"changed".into())
    );
    let other = ring.ask("GET", "/v1/records/lock", "").await;
    assert_eq!(
        (other.status, &other.json()["code"]),
        (404, &"no_such_field".into())
    );
}

#[tokio::test]
async fn what_makes_no_sense_and_what_can_not_be_is_told_apart() {
    let known = ring(Fake::default());
    let lost = ring(Fake {
        fails: Some(AccessError::NoOwner),
        ..Fake::default()
    });
    let uncertain = ring(Fake {
        authoritative: false,
        ..Fake::default()
    });
    let mut told = Vec::new();
    for (ring, method, path) in [
        (&known, "PUT", "/v1/records/a?ttl=soon"),
        (&known, "PUT", "/v1/records/a?ttl=0s"),
        (&known, "PUT", "/v1/records/a?if-stamp=new"),
        (
            &known,
            "PUT",
            "/v1/records/a?if-absent=true&if-stamp=1.0@0000000000000000000000000000000000000000",
        ),
        (&known, "DELETE", "/v1/records/a?ttl=1h"),
        (&known, "GET", "/v1/records/a?ttl=1h"),
        (&known, "GET", "/v1/records/a?id=true"),
        (&known, "GET", "/v1/records/nothing"),
        (&known, "GET", "/v1/records?node=9"),
        (&known, "GET", "/v1/export?after=here"),
        (&lost, "GET", "/v1/records/a"),
        (&lost, "PUT", "/v1/records/a"),
        (&uncertain, "GET", "/v1/records/a"),
    ] {
        let answer = ring.ask(method, path, "").await;
        let problem = answer.json();
        assert_eq!(problem["status"], answer.status, "{path}");
        let word = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        assert!(!word("hint").is_empty(), "{path}");
        told.push(format!(
            "{method} {path}\n  {} {}: {}",
            answer.status,
            word("code"),
            word("detail")
        ));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn a_value_without_end_is_not_read_to_its_end() {
    let ring = ring(Fake::default());
    let body = vec![0; super::super::BODY_BYTES + 1];
    let told = ring.ask("PUT", "/v1/records/a", body).await;
    assert_eq!((told.status, &told.json()["code"]), (413, &"limit".into()));
}

#[tokio::test]
async fn a_backup_restores_what_is_gone_and_leaves_what_is_newer() {
    let field = |milliseconds, value: &'static str| {
        let stamp = Stamp {
            milliseconds,
            ..Stamp::ZERO
        };
        Record::of("", Field::new(stamp, None, value, None))
    };
    let keys: Vec<Id> = (0..5u8).map(|number| Id::of_key(&[number])).collect();
    let old = Fake {
        records: keys.iter().map(|&key| (key, field(1, "old"))).collect(),
        damaged: vec![keys[4]],
        ..Fake::default()
    };
    let old = ring(old);
    let (mut records, mut damaged, mut after) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = old
            .ask("GET", &format!("/v1/export?node=0{after}"), "")
            .await;
        let page: Backup = serde_json::from_slice(&page.body).expect("a page");
        records.extend(page.records);
        damaged.extend(page.damaged);
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!((records.len(), damaged), (4, vec![keys[4]]));

    let new = ring(Fake {
        records: [(keys[0], field(2, "new"))].into_iter().collect(),
        ..Fake::default()
    });
    let body = lines(&records);
    for _ in 0..2 {
        let told = new.ask("POST", "/v1/import", body.clone()).await;
        assert_eq!((told.status, &told.json()["restored"]), (200, &4.into()));
    }
    for (key, value) in [(keys[0], "new"), (keys[1], "old")] {
        let got = new
            .ask("GET", &format!("/v1/records/{key}?id=true"), "")
            .await;
        assert_eq!(got.body, value.as_bytes());
    }
    let listed = new.ask("GET", "/v1/records", "").await;
    assert_eq!(
        listed.json()["keys"].as_array().map(Vec::len),
        Some(2),
        "a page"
    );

    for (reached, expected) in [(1, "partly"), (0, "peer_silent")] {
        let fewer = ring(Fake {
            reached,
            ..Fake::default()
        });
        let told = fewer.ask("POST", "/v1/import", body.clone()).await.json();
        assert!(told[expected] == 4 || told["code"] == expected, "{told}");
    }
}

/// Records as an import takes them.
fn lines(records: &[PortableRecord]) -> Vec<u8> {
    let line = |record| serde_json::to_string(record).expect("JSON") + "\n";
    records.iter().map(line).collect::<String>().into_bytes()
}

/// A record of so many fields.
fn with_fields(key: &[u8], fields: usize) -> PortableRecord {
    let field = Field::new(Stamp::ZERO, None, "la", None);
    let fields = (0..fields).map(|number| (number.to_string(), field.clone()));
    PortableRecord::new(Id::of_key(key), &fields.collect())
}

#[tokio::test]
async fn an_import_obeys_the_limits_of_records_and_takes_what_fits() {
    let ring = ring(Fake::default());
    let all = [
        with_fields(b"before", 1),
        with_fields(b"large", 10_000),
        with_fields(b"after", 1),
    ];
    let told = ring.ask("POST", "/v1/import", lines(&all)).await.json();
    assert_eq!(told["restored"], 2, "{told}");
    assert_eq!(told["failed"][0]["key"], all[1].key.to_string());
    let why = told["failed"][0]["why"].as_str().expect("a reason");
    assert!(why.contains("10000 fields"), "{why}");
    assert_eq!(ring.ask("GET", "/v1/records/large", "").await.status, 404);
    assert_eq!(
        ring.ask("GET", "/v1/records/after?field=0", "").await.body,
        b"la"
    );
}

#[tokio::test]
async fn an_import_takes_no_stamp_of_the_far_future() {
    let ring = ring(Fake::default());
    let mut far = with_fields(b"far", 2);
    let (_, last) = far.fields.iter_mut().next_back().expect("it has two");
    last.stamp.0.milliseconds = 4_000_000_000_000;
    let all = [far, with_fields(b"near", 1)];
    let told = ring.ask("POST", "/v1/import", lines(&all)).await.json();
    assert_eq!(told["restored"], 1, "{told}");
    let why = told["failed"][0]["why"].as_str().expect("a reason");
    assert!(why.contains("too far to be followed"), "{why}");
    assert_eq!(ring.ask("GET", "/v1/records/far", "").await.status, 404);
}

#[tokio::test]
async fn a_line_that_makes_no_sense_is_named_with_what_came_before() {
    let ring = ring(Fake::default());
    let before: Vec<PortableRecord> = (0..70u8).map(|key| with_fields(&[key], 1)).collect();
    for (wrong, status) in [
        (b"la\n".to_vec(), 400),
        (b"\n".to_vec(), 400),
        (vec![b'x'; limits::LINE_BYTES + 1], 413),
    ] {
        let body = [lines(&before), wrong, lines(&before)].concat();
        let told = ring.ask("POST", "/v1/import", body).await;
        assert_eq!(told.status, status);
        let problem = told.json();
        let detail = problem["detail"].as_str().expect("words");
        assert!(detail.starts_with("line 71 "), "{detail}");
        assert!(detail.contains("64 records"), "{detail}");
    }
}

#[tokio::test]
async fn imports_are_limited_in_number_and_merge_before_their_end() {
    let ring = ring(Fake::default());
    let mut open = Vec::new();
    for import in 0..limits::IMPORTS {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        let body = Body::from_stream(futures_util::stream::unfold(receiver, async |mut parts| {
            parts.recv().await.map(|part| (part, parts))
        }));
        let request = Request::post("/v1/import")
            .header(header::HOST, "127.0.0.1:4080")
            .body(body)
            .expect("a request");
        let service = TowerToHyperService::new(ring.0.clone());
        let answer = tokio::spawn(async move { service.call(request).await });
        let part: Vec<PortableRecord> = (0..64)
            .map(|number| with_fields(format!("{import} {number}").as_bytes(), 1))
            .collect();
        sender.send(Ok(lines(&part))).await.expect("it is read");
        open.push((sender, answer));
    }
    // What has come is there before the rest comes.
    for import in 0..open.len() {
        let path = format!("/v1/records/{import}%2063?field=0");
        let there = async {
            while ring.ask("GET", &path, "").await.status != 200 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let there = tokio::time::timeout(Duration::from_secs(20), there).await;
        there.expect("it is merged before the end of the body");
    }
    let told = ring.ask("POST", "/v1/import", "").await;
    assert_eq!((told.status, &told.json()["code"]), (503, &"busy".into()));
    for (sender, answer) in open {
        drop(sender);
        let answer = answer.await.expect("it does not panic");
        assert_eq!(answer.expect("routes can't fail").status(), 200);
    }
    assert_eq!(ring.ask("POST", "/v1/import", "").await.status, 200);
}
