//! What a look-up costs on real sockets: sixteen nodes on loopback, one client, with and without
//! TLS; and what a frame costs.
//!
//! ```sh
//! cargo bench --bench host
//! ```
//!
//! `cuerda bench lookup` measures the same ring with many clients, and its CPU time.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use cuerda::host::{
    Begin, Envelope, Frame, Handle, Host, Identity, NoHooks, Security, Settings, Tcp,
};
use cuerda_core::chord::{Config, Message, Reply, RequestId};
use cuerda_core::ring::{Id, Peer, SuccessorList};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NODES: u8 = 16;

fn settings(number: u8, begin: Begin, security: Security) -> Settings {
    let second = Duration::from_secs(1);
    let config = Config {
        stabilize_every: second,
        fix_fingers_every: second,
        ..Config::default()
    };
    let identity = Identity::from_seed([number; 32]);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Settings {
        security,
        seed: [number; 32],
        ..Settings::new(Arc::new(config), identity, listen, begin)
    }
}

/// An ideal ring, whose first node is the client's.
async fn ring(security: &Security) -> Handle {
    let mut first: Option<(Handle, SocketAddr)> = None;
    for number in 0..NODES {
        let begin = match &first {
            None => Begin::Found,
            Some((_, address)) => Begin::Join(vec![address.to_string()]),
        };
        let settings = settings(number, begin, security.clone());
        let bound = Host::bind(Tcp, NoHooks, settings).await;
        let (host, handle) = bound.expect("loopback has a free port");
        first.get_or_insert((handle, host.address()));
        tokio::spawn(host.run());
    }
    let (handle, _) = first.expect("the ring has a first node");
    loop {
        let walk = handle.walk(usize::from(NODES) + 1).await;
        if walk.is_ok_and(|walk| walk.ideal && walk.members.len() == usize::from(NODES)) {
            return handle;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn lookups(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime: Runtime = runtime.expect("a runtime starts");
    for (name, security) in [("tls", Security::tls()), ("plain", Security::None)] {
        let handle = runtime.block_on(ring(&security));
        let mut number = 0_u64;
        criterion.bench_function(&format!("host/look-up/16 nodes/{name}"), |bencher| {
            bencher.iter(|| {
                number += 1;
                let key = Id::of_key(&number.to_le_bytes());
                let found = runtime.block_on(handle.lookup(key));
                found.expect("the ring is whole")
            });
        });
    }
}

fn frames(criterion: &mut Criterion) {
    let peer = |number: u8| Peer {
        id: Id::of_node(&[number; 32], 0),
        address: SocketAddr::from(([10, 0, 0, number], 4000)).into(),
    };
    let peers: Vec<Peer> = (1..=8).map(peer).collect();
    let frame = Frame::Envelope(Envelope {
        from: 0,
        to: 0,
        message: Message::Reply {
            id: RequestId::of_node(1, 1000),
            reply: Reply::Neighbours {
                predecessor: peer(9),
                successors: SuccessorList::following(Id::ZERO, peers[0], &peers[1..], 8),
            },
        },
    });
    let mut buffer = BytesMut::new();
    criterion.bench_function("host/frame of eight successors/there and back", |bencher| {
        bencher.iter(|| {
            black_box(&frame).encode(&mut buffer);
            Frame::<Message>::decode(&mut buffer).expect("it was encoded")
        });
    });
}

criterion_group!(benches, frames, lookups);
criterion_main!(benches);
