//! What a node tells of reads and writes reaches who asked, and is counted; pages are whole.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::*;
use crate::host::{Begin, Identity, NoHooks, Settings, Tcp};
use cuerda_core::chord::{Config, Event, LookupError, Node};
use cuerda_core::record::{Field, Record};
use cuerda_core::ring::test_peers::peer;
use cuerda_core::store::MemoryStore;

/// A host whose node belongs to no ring.
async fn host() -> Host<Node, Tcp, NoHooks> {
    let config = std::sync::Arc::new(Config::default());
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let identity = Identity::from_seed([7; 32]);
    let settings = Settings::new(config, identity, listen, Begin::Wait);
    let bound = Host::bind(Tcp, NoHooks, settings).await;
    bound.expect("loopback has a free port").0
}

/// The counters that are not zero.
fn counted(host: &Host<Node, Tcp, NoHooks>) -> Vec<(&'static str, u64)> {
    let all = host.counters.all().into_iter();
    let all = all.map(|(name, _, value)| (name, value));
    all.filter(|(_, value)| *value > 0).collect()
}

fn written(holders: usize) -> Written {
    Written {
        stamp: Stamp::ZERO,
        holders: vec![peer(10).id; holders],
        wanted: 3,
        majority: true,
    }
}

/// A write that the node has not ended yet.
fn open(host: &mut Host<Node, Tcp, NoHooks>) -> (u64, oneshot::Receiver<Wrote>) {
    let (returns, ended) = oneshot::channel();
    let token = host.clients.records.next_token();
    let open = (host.now, returns);
    host.clients.records.writes.insert(token, open);
    (token, ended)
}

#[tokio::test]
async fn every_write_ends_for_who_asked_and_is_counted_by_how_it_ended() {
    let mut host = host().await;
    let results = [
        Ok(written(3)),
        Ok(written(2)),
        Err(Denied::TooManyWrites.into()),
        Err(AccessError::NoOwner),
    ];
    for result in results {
        let (token, mut ended) = open(&mut host);
        let strange = token + 1;
        let event = |token| Event::Written {
            token,
            result: result.clone(),
        };
        host.on_event(0, event(strange));
        assert!(ended.try_recv().is_err(), "that was another one");
        host.on_event(0, event(token));
        assert_eq!(ended.try_recv(), Ok(result.clone()));
    }
    assert_eq!(
        counted(&host),
        [
            ("writes_partial", 1),
            ("writes_denied", 1),
            ("writes_failed", 1)
        ]
    );
    assert!(host.clients.records.writes.is_empty());
}

#[tokio::test]
async fn readings_are_told_and_uncertain_ones_counted() {
    let mut host = host().await;
    let fetched = |authoritative| Fetched {
        record: None,
        authoritative,
        from: peer(10),
        clock: Stamp::ZERO,
        now: 7,
    };
    for result in [
        Ok(fetched(true)),
        Ok(fetched(false)),
        Err(AccessError::NoOwner),
    ] {
        let (returns, mut ended) = oneshot::channel();
        let token = host.clients.records.next_token();
        let open = (host.now, returns);
        host.clients.records.reads.insert(token, open);
        let told = result.clone();
        host.on_event(
            0,
            Event::Read {
                token,
                result: told,
            },
        );
        let ended = ended.try_recv().expect("it is told");
        assert_eq!(ended, result);
    }
    assert_eq!(
        counted(&host),
        [("reads_failed", 1), ("reads_uncertain", 1)]
    );
}

#[tokio::test]
async fn a_node_outside_a_ring_says_so_and_what_is_too_long_never_reaches_it() {
    let mut host = host().await;
    let (returns, mut ended) = oneshot::channel();
    host.write(Id::ZERO, Write::put("", "value"), returns);
    host.release();
    let outside = AccessError::Lookup(LookupError::NotMember);
    assert_eq!(ended.try_recv(), Ok(Err(outside)));
    let name = "n".repeat(NAME_BYTES + 1);
    let long = [
        (
            Write::put(name, "value"),
            LimitError::NameBytes(NAME_BYTES + 1),
        ),
        (
            Write::put("", vec![0; VALUE_BYTES + 1]),
            LimitError::ValueBytes(VALUE_BYTES + 1),
        ),
    ];
    for (write, limit) in long {
        let (returns, mut ended) = oneshot::channel();
        host.write(Id::ZERO, write, returns);
        assert_eq!(ended.try_recv(), Ok(Err(Denied::Limit(limit).into())));
    }
}

#[test]
fn pages_together_have_every_key_once_and_in_order() {
    let mut store = MemoryStore::default();
    let mut keys: Vec<Id> = (0..7u8).map(|number| Id::of_key(&[number])).collect();
    keys.extend([Id::ZERO, Id::MAX]);
    keys.sort_unstable();
    for &key in &keys {
        let field = Field::new(Stamp::ZERO, None, "value", None);
        store.put(key, Record::of("", field));
    }
    for most in 1..=10 {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = following(&store, after, most);
            assert!(page.len() <= most);
            all.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(all, keys, "by {most}");
    }
}
