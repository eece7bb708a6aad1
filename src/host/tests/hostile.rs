//! What anybody who can connect may do to a host, on real sockets: it closes what is no good,
//! counts it, and goes on answering the look-ups of its ring.

use std::io;
use std::sync::Mutex;

use bytes::{BufMut, BytesMut};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};

use super::stranger::*;
use super::*;
use crate::host::{FRAME_VERSION, Frame, Sockets, limits};
use cuerda_core::chord::{Message, Node, PROTOCOL_VERSION, Reply, Request, RequestId, Versions};
use cuerda_core::ring::{Fingers, Id, Neighbours, Peer};

/// Settings for a slow machine: a reply may take long, and no neighbour is given up soon.
fn patient(seed: u8, begin: Begin, security: &Security) -> Settings {
    let mut settings = settings(seed, begin);
    let config = Config {
        // Nodes that wait for each other in a circle are freed by time-outs: a step of
        // stabilization must not begin before the one before has surely ended.
        stabilize_every: Duration::from_secs(5),
        request_timeout: Duration::from_secs(1),
        attempts: 16,
        ..Config::default()
    };
    settings.node = Arc::new(config);
    settings.connect_timeout = Duration::from_secs(60);
    settings.security = security.clone();
    settings
}

/// The operating system's sockets, of which one listens already.
#[derive(Clone, Debug)]
struct Listening(Arc<Mutex<Option<TcpListener>>>);

impl Sockets for Listening {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen(&self, at: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = self.0.lock().unwrap().take().unwrap();
        Ok((listener, at))
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        Tcp.accept(listener).await
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        Tcp.connect(to).await
    }

    async fn resolve(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Tcp.resolve(name).await
    }
}

/// A complete ring of three, whose first host is the victim; and a client of it.
async fn victim(security: &Security) -> (Vec<Handle>, SocketAddr, Client) {
    logs();
    let mut listening = Vec::new();
    for seed in 1..=3 {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listener, address) = Tcp.listen(any).await.unwrap();
        let id = Identity::from_seed([seed; 32]).id(0);
        let address = address.into();
        listening.push((seed, listener, Peer { id, address }));
    }
    let peers: Vec<Peer> = listening.iter().map(|(.., peer)| *peer).collect();
    let mut handles = Vec::new();
    for (seed, listener, me) in listening {
        let mut settings = patient(seed, Begin::Wait, security);
        let mut others = peers.clone();
        others.retain(|peer| *peer != me);
        others.sort_by_key(|peer| me.id.distance_to(peer.id));
        let neighbours = Neighbours::given(me, others[1], &others, settings.node.successors);
        let config = Arc::clone(&settings.node);
        let node = Node::member(config, 1, neighbours, Fingers::new());
        settings.begin = Begin::Resume(vec![node]);
        settings.listen = me.address.into();
        let sockets = Listening(Arc::new(Mutex::new(Some(listener))));
        let (host, handle) = Host::bind(sockets, NoHooks, settings).await.unwrap();
        tokio::spawn(host.run());
        handles.push(handle);
    }
    until_ideal(&handles[0], 3).await;
    let client = Client::begin(&handles[0]).await;
    (handles, peers[0].address.into(), client)
}

/// The most connections of the victim with the other two: both ends may have dialled.
const MEMBERS: usize = 4;

fn both() -> [Security; 2] {
    [Security::tls(), Security::None]
}

/// Bytes that begin no frame, whatever comes after them.
fn bad_bytes() -> Vec<Vec<u8>> {
    let mut noise = vec![0; 5000];
    ChaCha8Rng::from_seed([9; 32]).fill_bytes(&mut noise);
    noise[0] |= 1;
    // A right length, then noise.
    let mut framed = BytesMut::new();
    framed.put_u32(1000);
    framed.put_u8(FRAME_VERSION);
    framed.put_u8(200);
    framed.put_slice(&noise[..998]);
    let mut other_version = encoded(&question(1, Request::Ping)).to_vec();
    other_version[4] = FRAME_VERSION + 1;
    let mut longer = encoded(&question(1, Request::Ping)).to_vec();
    longer[3] += 1;
    longer.push(0);
    vec![
        noise,
        framed.to_vec(),
        other_version,
        longer,
        // Four GiB less one, announced.
        vec![0xff; 4],
        (limits::FRAME as u32 + 1).to_be_bytes().to_vec(),
        // Nothing, announced.
        vec![0; 4],
    ]
}

#[tokio::test]
async fn bytes_that_are_no_frames_cost_who_sends_them_the_connection() {
    for security in both() {
        let (handles, address, client) = victim(&security).await;
        let stranger = Stranger::new(50, &security);
        let bad = bad_bytes();
        for bytes in &bad {
            // In the place of the handshake, and after it.
            let mut line = stranger.connect(&Tcp, address).await.0;
            let _ = line.send_bytes(bytes).await;
            line.until_closed().await;
            let mut line = stranger.call(&Tcp, address).await;
            let _ = line.send_bytes(bytes).await;
            line.until_closed().await;
        }
        let bad = bad.len() as u64;
        until_counted(&handles[0], "handshakes_failed", bad).await;
        until_counted(&handles[0], "frames_malformed", bad).await;
        client.end().await;
        assert_eq!(count(&handles[0], "handshakes_failed"), bad);
        assert_eq!(count(&handles[0], "frames_malformed"), bad);
    }
}

#[tokio::test]
async fn a_frame_that_breaks_off_is_forgotten() {
    for security in both() {
        let (handles, address, client) = victim(&security).await;
        let stranger = Stranger::new(50, &security);
        let whole = encoded(&question(1, Request::Ping));
        let before = count(&handles[0], "letters_received");
        for length in 1..whole.len() {
            let mut line = stranger.call(&Tcp, address).await;
            line.send_bytes(&whole[..length]).await.unwrap();
            line.channel.shutdown().await.unwrap();
            line.until_closed().await;
        }
        let accepted = whole.len() as u64 - 1;
        until_counted(&handles[0], "connections_accepted", accepted).await;
        client.end().await;
        // Only members are still connected, and nothing was made of the pieces.
        for _ in 0..1000 {
            if handles[0].status().await.unwrap().connections <= MEMBERS {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(handles[0].status().await.unwrap().connections <= MEMBERS);
        assert_eq!(count(&handles[0], "frames_malformed"), 0);
        assert_eq!(count(&handles[0], "messages_ignored"), 0);
        assert!(count(&handles[0], "letters_received") > before);
    }
}

/// The first bytes that a TLS client sends.
async fn client_hello() -> Vec<u8> {
    let (near, mut far) = duplex(64 * 1024);
    let stranger = tokio::spawn(async move {
        let key = Identity::from_seed([50; 32]);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = crate::host::tls::Tls::new(&key, &provider).unwrap();
        let _ = tls.connect(near).await;
    });
    let mut hello = vec![0; 4096];
    let length = far.read(&mut hello).await.unwrap();
    stranger.abort();
    hello.truncate(length);
    hello
}

/// As many file descriptors as the system lets this process have, at least so many.
fn need_files(least: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = soft.max(least);
    assert!(wanted <= hard, "this test needs {least} open files");
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).unwrap();
}

#[tokio::test]
async fn a_thousand_silent_connections_at_once_keep_nobody_out() {
    need_files(4096);
    let (handles, address, client) = victim(&Security::tls()).await;
    let hello = client_hello().await;
    let mut silent = Vec::new();
    for number in 0..1000_usize {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Some say nothing, some begin, and some stop before the last byte. Some are already
        // displaced.
        let said = [0, hello.len() / 2, hello.len() - 1][number % 3];
        let _ = stream.write_all(&hello[..said]).await;
        silent.push(stream);
    }
    // Only so many are held.
    let displaced = 1000 - limits::HANDSHAKES as u64;
    until_counted(&handles[0], "handshakes_displaced", displaced).await;
    client.end().await;
    let begin = Begin::Join(vec![address.to_string()]);
    let late = start(patient(4, begin, &Security::tls())).await.0;
    until_ideal(&late, 4).await;
    drop(silent);
    assert!(count(&handles[0], "handshakes_displaced") <= 1001);
}

#[tokio::test]
async fn who_connects_again_and_again_displaces_only_himself() {
    for security in both() {
        let (handles, address, client) = victim(&security).await;
        let mut stranger = Stranger::new(50, &security);
        let mut lines = Vec::new();
        for number in 0..100 {
            stranger.handshake.incarnation = number;
            lines.push(stranger.call(&Tcp, address).await);
        }
        let surplus = 100 - limits::CONNECTIONS_PER_KEY as u64;
        until_counted(&handles[0], "connections_displaced", surplus).await;
        for line in &mut lines[..surplus as usize] {
            line.until_closed().await;
        }
        let most = limits::CONNECTIONS_PER_KEY + MEMBERS;
        assert!(handles[0].status().await.unwrap().connections <= most);
        // The last one still serves.
        let last = lines.last_mut().unwrap();
        last.send(&question(1, Request::Ping)).await.unwrap();
        assert!(matches!(last.message().await, Message::Reply { .. }));
        client.end().await;
        assert_eq!(count(&handles[0], "connections_displaced"), surplus);
    }
}

#[tokio::test]
async fn envelopes_that_no_correct_node_sends_are_ignored_and_counted() {
    for security in both() {
        let (handles, address, client) = victim(&security).await;
        let mut line = Stranger::new(50, &security).call(&Tcp, address).await;
        let ignored = |least| until_counted(&handles[0], "messages_ignored", least);
        // Replies that nobody asked for: to a client of the host, to the node, to an earlier one.
        for incarnation in [0, 1, 7] {
            for number in 0..20 {
                let id = RequestId::of_node(incarnation, number);
                let reply = Reply::Pong;
                line.send(&envelope(0, 0, Message::Reply { id, reply }))
                    .await
                    .unwrap();
            }
        }
        ignored(60).await;
        // From and to nodes that don't exist.
        for (from, to) in [(1, 0), (0, 1), (255, 0), (0, 255), (64, 64)] {
            line.send(&envelope(from, to, Message::Notify))
                .await
                .unwrap();
        }
        ignored(65).await;
        client.end().await;
        assert_eq!(count(&handles[0], "messages_ignored"), 65);
        // That was rude, and no reason to close.
        line.send(&question(3, Request::Ping)).await.unwrap();
        let pong = Message::Reply {
            id: RequestId::of_node(1, 3),
            reply: Reply::Pong,
        };
        assert_eq!(line.message().await, pong);
    }
}

#[tokio::test]
async fn a_second_handshake_and_words_for_bootstrap_nodes_end_the_connection() {
    for security in both() {
        let (handles, address, client) = victim(&security).await;
        let stranger = Stranger::new(50, &security);
        let registration = crate::host::Registration {
            nodes: Vec::new(),
            every_ms: 1,
        };
        for frame in [
            Frame::Handshake(stranger.handshake.clone()),
            Frame::Register(registration),
        ] {
            let mut line = stranger.call(&Tcp, address).await;
            line.send(&frame).await.unwrap();
            line.until_closed().await;
            // Before the handshake neither.
            let mut line = stranger.connect(&Tcp, address).await.0;
            line.send(&question(1, Request::Ping)).await.unwrap();
            line.until_closed().await;
        }
        until_counted(&handles[0], "frames_malformed", 2).await;
        until_counted(&handles[0], "handshakes_failed", 2).await;
        client.end().await;
        assert_eq!(count(&handles[0], "frames_malformed"), 2);
    }
}

#[tokio::test]
async fn handshakes_that_do_not_fit_are_refused() {
    let (handles, address, client) = victim(&Security::tls()).await;
    let mends: [fn(&mut crate::host::Handshake); 3] = [
        |handshake| {
            handshake.protocol = Versions {
                newest: PROTOCOL_VERSION + 2,
                oldest: PROTOCOL_VERSION + 1,
            }
        },
        |handshake| handshake.cluster = Id::of_key(b"another"),
        |handshake| handshake.public_key = Identity::from_seed([2; 32]).public_key(),
    ];
    for mend in mends {
        let mut stranger = Stranger::new(50, &Security::tls());
        mend(&mut stranger.handshake);
        stranger.call(&Tcp, address).await.until_closed().await;
    }
    until_counted(&handles[0], "connections_refused", 3).await;
    // Who hosts no node, or the host itself, is no way to anybody.
    let mut stranger = Stranger::new(50, &Security::tls());
    stranger.handshake.nodes = 0;
    stranger.call(&Tcp, address).await.until_closed().await;
    let mut oneself = Stranger::new(1, &Security::tls());
    // Nobody is older than the host: it goes on.
    oneself.start.at_ms = u64::MAX;
    oneself.call(&Tcp, address).await.until_closed().await;
    client.end().await;
    assert_eq!(count(&handles[0], "connections_refused"), 3);
    assert_eq!(count(&handles[0], "handshakes_failed"), 0);
}

#[tokio::test]
async fn a_later_release_that_understands_this_one_is_let_in() {
    let (handles, address, client) = victim(&Security::tls()).await;
    let mut later = Stranger::new(50, &Security::tls());
    later.handshake.protocol.newest = PROTOCOL_VERSION + 1;
    let mut line = later.call(&Tcp, address).await;
    line.send(&question(1, Request::Ping)).await.unwrap();
    assert!(matches!(line.message().await, Message::Reply { .. }));
    client.end().await;
    assert_eq!(count(&handles[0], "connections_refused"), 0);
}

#[tokio::test]
async fn nobody_draws_anothers_messages_by_claiming_its_address() {
    let security = Security::tls();
    let (handles, address, client) = victim(&security).await;
    // A ring of its own, to which the victim is not connected.
    let (other, _) = start(patient(7, Begin::Found, &security)).await;
    let meant = first_node(&other).await;
    let mut claimer = Stranger::new(50, &security);
    claimer.handshake.address = meant.address;
    let mut line = claimer.call(&Tcp, address).await;
    line.send(&question(1, Request::Ping)).await.unwrap();
    assert!(matches!(line.message().await, Message::Reply { .. }));
    let asker = handles[0].with_timeout(Duration::from_secs(120));
    assert_eq!(asker.ask(meant, Request::Ping).await.unwrap(), Reply::Pong);
    assert_eq!(count(&other, "letters_received"), 1);
    // What is for the claimer himself reaches him; it is the first envelope that does.
    let himself = asker.ask(claimer.peer(), Request::Neighbours);
    let answer = async {
        let Message::Request { id, request } = line.message().await else {
            panic!("a request was to come");
        };
        assert_eq!(request, Request::Neighbours);
        let reply = Reply::NotMember;
        let _ = line
            .send(&envelope(0, 0, Message::Reply { id, reply }))
            .await;
    };
    assert_eq!(tokio::join!(himself, answer).0.unwrap(), Reply::NotMember);
    client.end().await;
    assert_eq!(count(&handles[0], "letters_misdirected"), 0);
    assert_eq!(count(&other, "letters_received"), 1);
}
