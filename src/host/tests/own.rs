//! A host runs any protocol: here a small one, whose nodes ask each other whether they are alive.

mod ping;

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use super::*;
use crate::host::{Basics, Bootstrap, Ended, Fate, Hooks};
use cuerda_core::protocol::{Event, Protocol as _, Wire as _, Write};
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::Batch;
use ping::{Message, Ping, Told};

/// Writes down what hooks are told of the nodes.
#[derive(Clone, Debug, Default)]
struct Ears(Arc<Mutex<Vec<String>>>);

impl Ears {
    fn write(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }

    fn heard(&self, what: &str) -> usize {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| *line == what).count()
    }
}

impl Hooks<Ping> for Ears {
    fn started(&mut self, _: &Ping) {
        self.write("started".to_owned());
    }

    fn fate(&mut self, _: &Ping, _: Peer, message: &Message) -> Fate {
        self.write(format!("sent {}", message.kind()));
        Fate::Pass
    }

    fn delivered(&mut self, _: &Ping, _: Peer, message: &Message) {
        self.write(format!("got {}", message.kind()));
    }

    fn commit(
        &mut self,
        _: &Ping,
        batch: &Batch,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> + 'static {
        self.write(format!("commits {}", batch.records.len()));
        std::future::ready(Ok(()))
    }

    fn on_event(&mut self, _: &Ping, event: &Event<Told>) {
        let line = match event {
            Event::Told(Told::Answered { timed, .. }) => format!("answered, timed: {timed}"),
            Event::Told(Told::Silent) => "silent".to_owned(),
            Event::Written { .. } => "written".to_owned(),
            other => format!("{other:?}"),
        };
        self.write(line);
    }
}

fn pinging(seed: u8, begin: Begin<Ping>) -> Settings<Ping> {
    let basics = Basics {
        found_after: Duration::from_millis(300),
        ..Basics::default()
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Settings {
        heartbeat: Duration::from_millis(200),
        seed: [seed; 32],
        ..Settings::new(
            Arc::new(basics),
            Identity::from_seed([seed; 32]),
            listen,
            begin,
        )
    }
}

async fn are_members(handle: &Handle<Ping>) -> bool {
    let status = handle.status().await;
    status.is_ok_and(|status| status.nodes.iter().all(|node| node.member))
}

#[tokio::test]
async fn two_hosts_of_an_own_protocol_talk_with_each_other() {
    logs();
    let (here, there) = (Ears::default(), Ears::default());
    // One of them hosts two nodes, which talk without a connection.
    let mut settings = pinging(1, Begin::Found);
    settings.virtual_nodes = 2;
    let (host, one) = Host::bind(Tcp, here.clone(), settings).await.unwrap();
    let begin = Begin::Join(vec![host.address().to_string()]);
    tokio::spawn(host.run());
    let bound = Host::bind(Tcp, there.clone(), pinging(2, begin)).await;
    let (host, other) = bound.unwrap();
    let ended = tokio::spawn(host.run());
    until("both are members", async || {
        are_members(&one).await && are_members(&other).await
    })
    .await;
    assert_eq!((here.heard("started"), there.heard("started")), (2, 1));
    assert_eq!((here.heard("Joined"), there.heard("Joined")), (2, 1));
    // Timers come again and again, replies are timed, and both ends see what travels.
    let timed = "answered, timed: true";
    until("they go on asking", async || {
        here.heard(timed) >= 4 && there.heard(timed) >= 4
    })
    .await;
    for ears in [&here, &there] {
        assert!(ears.heard("sent Ping") >= 2 && ears.heard("got Pong") >= 2);
    }
    // What clients ask goes the same ways.
    let me = one.look(1, Ping::me).await.unwrap().expect("two nodes");
    assert_eq!(one.look(2, Ping::me).await, Ok(None));
    let reply = other.request(me, |id| Message::Ping { id }).await.unwrap();
    assert!(matches!(reply, Message::Pong { .. }), "{reply:?}");
    let status = other.status().await.unwrap();
    assert_eq!((status.protocol, status.connections), (7, 1));
    assert_eq!(status.nodes[0].known, 2);
    let key = Id::of_key(b"key");
    let written = other.write(key, Write::put("", "value")).await.unwrap();
    assert!(written.is_complete());
    assert_eq!((there.heard("commits 1"), there.heard("written")), (1, 1));
    let held = other.keys(0, None).await.unwrap();
    assert_eq!(held.items.len(), 1);
    assert!(held.items[0].own);
    // A node that leaves is told once, and is missed by those that go on asking it.
    other.leave().await.unwrap();
    assert_eq!(ended.await.unwrap().unwrap(), Ended::Left);
    assert_eq!(there.heard("Left"), 1);
    until("it is missed", async || here.heard("silent") >= 1).await;
}

#[tokio::test]
async fn a_bootstrap_node_serves_one_protocol() {
    logs();
    let bootstrap = Bootstrap::bind(Tcp, pinging(200, Begin::Wait));
    let bootstrap = bootstrap.await.unwrap();
    let at = vec![bootstrap.address().to_string()];
    let serving = tokio::spawn(bootstrap.run());
    let mut handles = Vec::new();
    for seed in 1..=2 {
        let settings = pinging(seed, Begin::Join(at.clone()));
        let (host, handle) = Host::bind(Tcp, NoHooks, settings).await.unwrap();
        tokio::spawn(host.run());
        handles.push(handle);
    }
    until("both are members", async || {
        are_members(&handles[0]).await && are_members(&handles[1]).await
    })
    .await;
    let chord = start(settings(3, Begin::Join(at))).await.0;
    assert_eq!(waits_for(&chord).await, SPEAKS_PING);
    serving.abort();
}

const SPEAKS_PING: &str = "waiting for a member to answer: ADDRESS: it speaks the protocol `ping` \
                           and this node `chord`; check the address, or run the same program at \
                           both ends";

/// What a host says that it waits for, addresses left out.
async fn waits_for<P: crate::host::Hosted>(handle: &Handle<P>) -> String {
    let words = async || handle.status().await.unwrap().waiting_for;
    until("it says what it waits for", async || {
        words().await.is_some()
    })
    .await;
    let words = words().await.unwrap();
    let words = words.split(' ').map(|word| {
        let address = word.trim_end_matches(':').parse::<SocketAddr>();
        address.map_or(word, |_| "ADDRESS:")
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn hosts_of_different_protocols_refuse_each_other_and_say_why() {
    for security in [Security::tls(), Security::None] {
        let chord_settings = |seed, begin| Settings {
            security: security.clone(),
            ..settings(seed, begin)
        };
        let ping_settings = |seed, begin| Settings {
            security: security.clone(),
            ..pinging(seed, begin)
        };
        let (chord, chord_at) = start(chord_settings(1, Begin::Found)).await;
        let bound = Host::bind(Tcp, NoHooks, ping_settings(2, Begin::Found)).await;
        let (host, ping) = bound.unwrap();
        let ping_at = host.address().to_string();
        tokio::spawn(host.run());
        // Each is dialled by one of the other kind.
        let dialler = start(chord_settings(3, Begin::Join(vec![ping_at]))).await.0;
        assert_eq!(waits_for(&dialler).await, SPEAKS_PING);
        let begin = Begin::Join(vec![chord_at]);
        let bound = Host::bind(Tcp, NoHooks, ping_settings(4, begin)).await;
        let (host, dialler) = bound.unwrap();
        tokio::spawn(host.run());
        let swapped = SPEAKS_PING
            .replace("`ping`", "`swap`")
            .replace("`chord`", "`ping`")
            .replace("`swap`", "`chord`");
        assert_eq!(waits_for(&dialler).await, swapped);
        // Those dialled count and log it as they do when a cluster's name differs.
        until("both have refused", async || {
            let refused = |counters: &crate::host::Counters| {
                let all = counters.all();
                let found = all.iter().find(|(name, ..)| *name == "connections_refused");
                found.expect("it is counted").2
            };
            refused(chord.counters()) >= 1 && refused(ping.counters()) >= 1
        })
        .await;
        for status in [
            chord.status().await.unwrap().connections,
            ping.status().await.unwrap().connections,
        ] {
            assert_eq!(status, 0);
        }
    }
}
