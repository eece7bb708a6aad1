//! What a host does with those that are slow, silent or gone: on a paused clock, where minutes
//! pass in no time.

use tokio::time::{Instant, advance};

use super::memory::{Memory, PIPE};
use super::stranger::*;
use super::*;
use crate::host::{Frame, Sockets, limits};
use cuerda_core::chord::{Message, Reply, Request};
use cuerda_core::ring::Peer;

fn secured(seed: u8, begin: Begin, security: &Security) -> Settings {
    let mut settings = settings(seed, begin);
    settings.security = security.clone();
    settings
}

/// A ring of three in memory, and a client of its first host.
async fn victim(net: &Memory, security: &Security) -> (Vec<Handle>, SocketAddr, Client) {
    let (first, address) = net.start(secured(1, Begin::Found, security)).await;
    let mut handles = vec![first];
    for seed in 2..=3 {
        let begin = Begin::Join(vec![address.to_string()]);
        handles.push(net.start(secured(seed, begin, security)).await.0);
    }
    until_ideal(&handles[0], 3).await;
    let client = Client::begin(&handles[0]).await;
    (handles, address, client)
}

fn both() -> [Security; 2] {
    [Security::tls(), Security::None]
}

/// A stranger who listens.
async fn listening(net: &Memory, security: &Security) -> (Stranger, <Memory as Sockets>::Listener) {
    let (listener, address) = net.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut stranger = Stranger::new(50, security);
    stranger.handshake.address = address.into();
    (stranger, listener)
}

async fn ask(handle: &Handle, to: Peer) -> Option<Reply> {
    let handle = handle.with_timeout(Duration::from_secs(60));
    handle.ask(to, Request::Ping).await.ok()
}

#[tokio::test(start_paused = true)]
async fn who_does_not_introduce_himself_in_time_is_sent_away() {
    for security in both() {
        let net = Memory::default();
        let (handles, address, client) = victim(&net, &security).await;
        let stranger = Stranger::new(50, &security);
        let began = Instant::now();
        // One says nothing at all, one nothing inside, and one a byte each second.
        let silent = net.connect(address).await.unwrap();
        let (mut mute, _) = stranger.connect(&net, address).await;
        let (mut slow, handshake) = stranger.connect(&net, address).await;
        let bytes = encoded(&Frame::Handshake(handshake));
        let mut said = 0;
        for byte in &bytes {
            if slow.send_bytes(&[*byte]).await.is_err() {
                break;
            }
            said += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(said <= limits::HANDSHAKE.as_secs() + 1, "{said}");
        mute.until_closed().await;
        until_counted(&handles[0], "handshakes_failed", 3).await;
        assert!(began.elapsed() < limits::HANDSHAKE * 2);
        drop(silent);
        client.end().await;
        assert_eq!(count(&handles[0], "handshakes_failed"), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_comes_in_byte_by_byte_is_read_and_keeps_nothing_waiting() {
    for security in both() {
        let net = Memory::default();
        let (handles, address, client) = victim(&net, &security).await;
        let mut line = Stranger::new(50, &security).call(&net, address).await;
        for byte in encoded(&question(1, Request::Ping)) {
            line.send_bytes(&[byte]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(matches!(line.message().await, Message::Reply { .. }));
        client.end().await;
        assert_eq!(count(&handles[0], "frames_malformed"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_is_cut_off_and_costs_no_more_than_his_queue() {
    for security in both() {
        let net = Memory::default();
        let (handles, address, client) = victim(&net, &security).await;
        let mut line = Stranger::new(50, &security).call(&net, address).await;
        let before = count(&handles[0], "bytes_sent");
        // The replies are longer than the questions.
        let batch: Vec<u8> = (0..100)
            .flat_map(|number| {
                let key = cuerda_core::ring::Id::of_key(&[number as u8]);
                let confirm = false;
                encoded(&question(number, Request::Find { key, confirm })).to_vec()
            })
            .collect();
        let began = Instant::now();
        let mut asked = 0;
        while count(&handles[0], "letters_dropped") < 1000 {
            line.send_bytes(&batch).await.unwrap();
            asked += 100;
            assert!(asked < 1_000_000, "nothing is ever dropped");
            // The driver has its turn, and no time passes.
            tokio::task::yield_now().await;
        }
        // What he was told fills the pipe, what TLS holds, and the buffers; no more was kept.
        let told = count(&handles[0], "bytes_sent") - before;
        let most = PIPE * 2 + 64 * 1024 + limits::UNWRITTEN + 64 * 1024;
        assert!(told < most as u64, "{told} bytes");
        until_counted(&handles[0], "connections_stalled", 1).await;
        let took = began.elapsed();
        assert!(
            took >= limits::STALLED && took < limits::STALLED * 2,
            "{took:?}"
        );
        client.end().await;
        assert_eq!(count(&handles[0], "connections_stalled"), 1);
        // Only members are left.
        assert!(handles[0].status().await.unwrap().connections <= 4);
    }
}

#[tokio::test(start_paused = true)]
async fn who_never_stops_writing_keeps_nobody_from_coming_in() {
    let net = Memory::default();
    let (handles, address, client) = victim(&net, &Security::None).await;
    client.end().await;
    let mut line = Stranger::new(50, &Security::None).call(&net, address).await;
    let flood: Vec<u8> = (0..1000)
        .flat_map(|number| {
            encoded(&envelope(0, 9, Message::Introduce(stranger_at(number)))).to_vec()
        })
        .collect();
    let flooding = tokio::spawn(async move { while line.send_bytes(&flood).await.is_ok() {} });
    let begin = Begin::Join(vec![address.to_string()]);
    let late = net.start(secured(4, begin, &Security::None)).await.0;
    // Time stands still while the flood is on: only turns count.
    let mut turns = 0;
    while !late.status().await.unwrap().is_member() {
        turns += 1;
        assert!(turns < 1_000_000, "the newcomer never gets in");
        tokio::task::yield_now().await;
    }
    assert!(!flooding.is_finished());
    flooding.abort();
    until_ideal(&late, 4).await;
    assert!(count(&handles[0], "messages_ignored") > 1000);
}

/// A peer at an address where nobody is.
fn stranger_at(port: u16) -> Peer {
    Peer {
        id: cuerda_core::ring::Id::of_key(&port.to_be_bytes()),
        address: SocketAddr::from(([10, 0, 0, 1], port)).into(),
    }
}

#[tokio::test(start_paused = true)]
async fn made_up_addresses_do_not_keep_real_ones_from_being_dialled() {
    let net = Memory::default();
    let (handles, _, client) = victim(&net, &Security::None).await;
    let other = net.start(secured(7, Begin::Found, &Security::None)).await.0;
    let many = limits::DIALS as u16 + 100;
    for port in 1..=many {
        let patient = handles[0].with_timeout(Duration::from_millis(1));
        let _ = patient.ask(stranger_at(port), Request::Ping).await;
    }
    assert_eq!(count(&handles[0], "dials_failed"), u64::from(many));
    let there = first_node(&other).await;
    assert_eq!(ask(&handles[0], there).await, Some(Reply::Pong));
    client.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_swallows_a_question_is_replaced() {
    for security in both() {
        let net = Memory::default();
        let (handles, _, client) = victim(&net, &security).await;
        let (stranger, listener) = listening(&net, &security).await;
        let peer = stranger.peer();
        let other_end = async {
            let (stream, _) = net.accept(&listener).await.unwrap();
            let mut line = stranger.answer(stream).await;
            line.until_closed().await;
            let (stream, _) = net.accept(&listener).await.unwrap();
            let mut line = stranger.answer(stream).await;
            let Message::Request { id, .. } = line.message().await else {
                panic!("a request was to come");
            };
            let reply = Reply::Pong;
            line.send(&envelope(0, 0, Message::Reply { id, reply }))
                .await
                .unwrap();
            line
        };
        let asker = async {
            assert_eq!(ask(&handles[0], peer).await, None);
            ask(&handles[0], peer).await
        };
        let (_line, answer) = tokio::join!(other_end, asker);
        assert_eq!(answer, Some(Reply::Pong));
        assert_eq!(count(&handles[0], "connections_distrusted"), 1);
        assert_eq!(count(&handles[0], "requests_timed_out"), 1);
        client.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_by_somebody_who_was_not_asked_does_not_save_who_was() {
    let net = Memory::default();
    let (asker, address) = net.start(secured(1, Begin::Found, &Security::tls())).await;
    let (silent, listener) = listening(&net, &Security::tls()).await;
    let other = Stranger::new(51, &Security::tls());
    let mut line = other.call(&net, address).await;
    let peer = silent.peer();
    let asked = tokio::spawn({
        let asker = asker.clone();
        async move { ask(&asker, peer).await }
    });
    let (stream, _) = net.accept(&listener).await.unwrap();
    let mut swallowing = silent.answer(stream).await;
    let Message::Request { id, .. } = swallowing.message().await else {
        panic!("a request was to come");
    };
    let reply = Reply::Pong;
    line.send(&envelope(0, 0, Message::Reply { id, reply }))
        .await
        .unwrap();
    assert_eq!(asked.await.unwrap(), None);
    assert_eq!(count(&asker, "connections_distrusted"), 1);
    assert_eq!(count(&asker, "messages_ignored"), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_that_nobody_uses_are_closed() {
    for security in both() {
        let net = Memory::default();
        let mut settings = secured(1, Begin::Found, &security);
        settings.idle_after = Duration::from_secs(30);
        let (asker, address) = net.start(settings).await;
        let other = net.start(secured(7, Begin::Found, &security)).await.0;
        let mut line = Stranger::new(50, &security).call(&net, address).await;
        assert_eq!(
            ask(&asker, first_node(&other).await).await,
            Some(Reply::Pong)
        );
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(asker.status().await.unwrap().connections, 2);
        // One of them is used.
        line.send(&question(1, Request::Ping)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(asker.status().await.unwrap().connections, 1);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(asker.status().await.unwrap().connections, 0);
        assert_eq!(count(&asker, "connections_idle"), 2);
        line.until_closed().await;
        assert_eq!(
            ask(&asker, first_node(&other).await).await,
            Some(Reply::Pong)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_dials_at_the_same_time_ends_with_one_connection() {
    for security in both() {
        let net = Memory::default();
        let mut handles = Vec::new();
        for seed in 1..=2 {
            let mut settings = secured(seed, Begin::Found, &security);
            settings.idle_after = Duration::from_secs(5);
            handles.push(net.start(settings).await.0);
        }
        let peers = [first_node(&handles[0]).await, first_node(&handles[1]).await];
        for _ in 0..60 {
            let there = ask(&handles[0], peers[1]);
            let back = ask(&handles[1], peers[0]);
            let pong = Some(Reply::Pong);
            assert_eq!(tokio::join!(there, back), (pong.clone(), pong));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let counted = |name| count(&handles[0], name) + count(&handles[1], name);
        // Each dialled once. All questions went by the same connection, and the other is gone.
        assert_eq!(counted("connections_opened"), 2);
        assert_eq!(counted("connections_accepted"), 2);
        for handle in &handles {
            assert_eq!(handle.status().await.unwrap().connections, 1);
        }
        assert_eq!(counted("connections_distrusted"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_where_nobody_is_is_tried_less_and_less_often() {
    let net = Memory::default();
    let (asker, _) = net.start(secured(1, Begin::Found, &Security::None)).await;
    let nobody = stranger_at(1);
    let impatient = asker.with_timeout(Duration::from_millis(1));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let _ = impatient.ask(nobody, Request::Ping).await;
        advance(Duration::from_millis(9)).await;
    }
    let calls = net.calls(nobody.address.into());
    let pauses: Vec<Duration> = calls.windows(2).map(|two| two[1] - two[0]).collect();
    // How much later than allowed an attempt may come: the next question, and the clock's tick.
    let slack = Duration::from_millis(20);
    let mut most = limits::BACK_OFF;
    for pause in &pauses {
        assert!(*pause >= most / 2 && *pause <= most + slack, "{pauses:?}");
        most = (most * 2).min(limits::BACK_OFF_MAX);
    }
    let last = &pauses[8..];
    let spread = *last.iter().max().unwrap() - *last.iter().min().unwrap();
    assert!(spread > limits::BACK_OFF_MAX / 8, "no jitter: {pauses:?}");
    assert_eq!(count(&asker, "dials_failed"), calls.len() as u64);
    // What waited is lost, and counted.
    assert!(count(&asker, "letters_dropped") >= calls.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_leads_to_oneself_or_to_no_node_is_left_alone_for_a_while() {
    for security in both() {
        let net = Memory::default();
        let (asker, oneself) = net.start(secured(1, Begin::Found, &security)).await;
        let (mut nobody, listener) = listening(&net, &security).await;
        nobody.handshake.nodes = 0;
        let address = nobody.handshake.address.into();
        let net_there = net.clone();
        let answering = tokio::spawn(async move {
            loop {
                let (stream, _) = net_there.accept(&listener).await.unwrap();
                nobody.answer(stream).await;
            }
        });
        for at in [oneself, address] {
            let made_up = Peer {
                address: at.into(),
                ..stranger_at(1)
            };
            let impatient = asker.with_timeout(Duration::from_millis(10));
            for _ in 0..1000 {
                let _ = impatient.ask(made_up, Request::Ping).await;
            }
            let calls = net.calls(at).len();
            assert!((5..=20).contains(&calls), "{calls} times in ten seconds");
        }
        assert!(count(&asker, "letters_misdirected") > 0);
        assert_eq!(count(&asker, "connections_opened"), 0);
        answering.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn members_do_not_connect_again_and_again_to_those_they_joined_through() {
    let net = Memory::default();
    let (handles, address, client) = victim(&net, &Security::None).await;
    // Settings for tests tell a bootstrap node every fifth of a second.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = net.calls(address).len();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(net.calls(address).len(), before);
    assert!(handles[0].status().await.unwrap().connections <= 4);
    client.end().await;
}

#[tokio::test(start_paused = true)]
async fn envelopes_to_an_address_where_another_key_answers_are_not_sent() {
    let net = Memory::default();
    let (asker, _) = net.start(settings(1, Begin::Found)).await;
    let (other, _) = net.start(settings(7, Begin::Found)).await;
    let there = first_node(&other).await;
    let made_up = Peer {
        id: cuerda_core::ring::Id::of_key(b"nobody"),
        ..there
    };
    for _ in 0..3 {
        let asker = asker.with_timeout(Duration::from_secs(120));
        asker.ask(made_up, Request::Ping).await.unwrap_err();
    }
    until_counted(&asker, "letters_misdirected", 3).await;
    assert_eq!(count(&other, "letters_received"), 0);
    // It was dialled once, and who does live there is reached by the same connection.
    assert_eq!(asker.ask(there, Request::Ping).await.unwrap(), Reply::Pong);
    assert_eq!(count(&asker, "connections_opened"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_waits_for_a_connection_is_not_late_for_that() {
    let net = Memory::default();
    let seldom = |seed, begin| {
        let mut settings = settings(seed, begin);
        let mut config = (*settings.node).clone();
        config.stabilize_every = Duration::from_secs(600);
        config.fix_fingers_every = Duration::from_secs(600);
        settings.node = Arc::new(config);
        settings.idle_after = Duration::from_secs(10);
        settings
    };
    let (asker, address) = net.start(seldom(1, Begin::Found)).await;
    let begin = Begin::Join(vec![address.to_string()]);
    let (owner, _) = net.start(seldom(2, begin)).await;
    until_ideal(&asker, 2).await;
    while asker.status().await.unwrap().connections > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // Longer than a reply may take, shorter than connecting may.
    net.slow_down(Duration::from_millis(800));
    let owner = first_node(&owner).await;
    let answer = asker.lookup(owner.id).await.unwrap();
    assert_eq!((answer.owner, answer.timeouts), (owner, 0));
}
