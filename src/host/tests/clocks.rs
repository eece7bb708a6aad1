//! A machine whose clock is wrong, among others on real connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::host::{CallError, Hooks};
use cuerda_core::chord::Node;
use cuerda_core::protocol::{AccessError, Denied, Write};
use cuerda_core::record::Stamp;
use cuerda_core::ring::Id;

/// A clock that can be set, by so many milliseconds ahead.
struct Clock(Arc<AtomicI64>);

impl Hooks<Node> for Clock {
    fn wall_clock(&self) -> u64 {
        let right = Hooks::<Node>::wall_clock(&NoHooks);
        right.saturating_add_signed(self.0.load(Ordering::Relaxed))
    }
}

const THREE_HOURS: i64 = 3 * 60 * 60 * 1000;

async fn until_clock_wrong(handle: &Handle, wrong: bool) {
    until("it says whether its clock is wrong", async || {
        let status = handle.status().await.expect("it runs");
        status.clock_wrong().is_some() == wrong
    })
    .await;
}

#[tokio::test]
async fn a_wrong_clock_is_told_and_costs_only_what_is_asked_of_its_node() {
    let handles = ring(3).await;
    let address = handles[0].status().await.expect("it runs").address;
    let by = Arc::new(AtomicI64::new(0));
    let begin = Begin::Join(vec![address]);
    let (host, fourth) = Host::bind(Tcp, Clock(Arc::clone(&by)), settings(4, begin))
        .await
        .expect("it starts");
    tokio::spawn(host.run());
    until_ideal(&fourth, 4).await;
    let keys = || (0..20).map(|key| Id::of_key(format!("{key}").as_bytes()));
    let put = |value: &'static str| Write::put("", value);
    for key in keys() {
        handles[0].write(key, put("a")).await.expect("written");
    }
    by.store(THREE_HOURS, Ordering::Relaxed);
    until_clock_wrong(&fourth, true).await;
    let refused = fourth.write(Id::of_key(b"0"), put("b")).await;
    assert!(
        matches!(refused, Err(CallError::Access(AccessError::Denied(Denied::ClockWrong(ms))))
            if ms.abs_diff(THREE_HOURS) < 60_000),
        "{refused:?}"
    );
    for key in keys() {
        let written = handles[1].write(key, put("c")).await.expect("written");
        assert!(written.is_complete(), "{written:?}");
        let read = fourth.read(key, Stamp::ZERO).await.expect("read");
        let value = read
            .record
            .and_then(|record| record.read("", read.now).cloned());
        assert_eq!(value.expect("there").as_bytes(), b"c");
    }
    for handle in &handles {
        let status = handle.status().await.expect("it runs");
        assert_eq!(status.clock_wrong(), None, "theirs are right");
    }
    by.store(0, Ordering::Relaxed);
    until_clock_wrong(&fourth, false).await;
    let written = fourth.write(Id::of_key(b"0"), put("d")).await;
    assert!(written.is_ok_and(|it| it.is_complete()));
}
