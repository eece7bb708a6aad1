//! Two handshakers at the ends of a pipe.

use tokio::io::duplex;

use super::*;
use crate::host::frame::Envelope;
use crate::host::{Identity, Security};
use cuerda_core::chord::{Message, VERSIONS};
use cuerda_core::protocol::Versions;
use cuerda_core::ring::Id;

/// The handshaker of a process that speaks this protocol.
fn handshaker(seed: u8, name: &str, security: &Security) -> Handshaker {
    let identity = Identity::from_seed([seed; 32]);
    let tls = match security {
        Security::None => None,
        Security::Tls(provider) => Some(Tls::new(&identity, provider).unwrap()),
    };
    let address = SocketAddr::from(([10, 0, 0, seed], 4000));
    let handshake = Handshake {
        protocol: VERSIONS,
        cluster: Id::of_key(b"cuerda"),
        public_key: identity.public_key(),
        address: address.into(),
        nodes: 1,
        incarnation: 1,
        proof: None,
        name: ProtocolName::try_from(name.to_owned()).unwrap(),
    };
    let start = Start {
        at_ms: 1,
        instance: seed.into(),
    };
    Handshaker::new(tls, handshake, start, Admission::open())
}

/// What both say of each other: the one that dials and the one that is dialled.
async fn meet(client: &Handshaker, server: &Handshaker) -> [Result<Id, String>; 2] {
    let (near, far) = duplex(1 << 16);
    let (client, server) = tokio::join!(
        client.enter(near, Role::Client),
        server.enter(far, Role::Server)
    );
    [client, server].map(|met| match met {
        Ok(proven) => Ok(proven.handshake.ids()[0]),
        Err(refused) => Err(refused.with_hint()),
    })
}

#[tokio::test]
async fn processes_of_one_protocol_let_each_other_in() {
    for security in [Security::tls(), Security::None] {
        for name in ["chord", "mesh"] {
            let [one, other] = [1, 2].map(|seed| handshaker(seed, name, &security));
            let met = meet(&one, &other).await;
            let ids = [other, one].map(|handshaker| Ok(handshaker.handshake.ids()[0]));
            assert_eq!(met, ids);
        }
    }
}

#[tokio::test]
async fn processes_of_different_protocols_refuse_each_other_at_both_ends() {
    for security in [Security::tls(), Security::None] {
        let chord = handshaker(1, "chord", &security);
        let mut mesh = handshaker(2, "mesh", &security);
        // What else differs does not matter then: versions of different protocols mean nothing
        // to each other.
        mesh.handshake.protocol = Versions {
            newest: 900,
            oldest: 900,
        };
        mesh.handshake.cluster = Id::of_key(b"another");
        let told = meet(&chord, &mesh).await.map(Result::unwrap_err);
        insta::allow_duplicates! {
            insta::assert_snapshot!(told.join("\n"), @r"
            it speaks the protocol `mesh` and this node `chord`; check the address, or run the same program at both ends
            it speaks the protocol `chord` and this node `mesh`; check the address, or run the same program at both ends
            ");
        }
        let mut swapped = meet(&mesh, &chord).await.map(Result::unwrap_err);
        swapped.reverse();
        assert_eq!(swapped, told);
    }
}

#[tokio::test]
async fn an_envelope_before_the_handshake_is_told_as_such() {
    let (near, mut far) = duplex(1 << 16);
    let mut bytes = BytesMut::new();
    let (from, to, message) = (0, 0, Message::Notify);
    assert!(Frame::Envelope(Envelope { from, to, message }).encode(&mut bytes));
    far.write_all(&bytes).await.unwrap();
    let chord = handshaker(1, "chord", &Security::None);
    let refused = chord.enter(near, Role::Server).await.unwrap_err();
    assert!(matches!(refused, Refused::Unopened), "{refused}");
}
