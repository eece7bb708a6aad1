use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::SigningKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

type Outcome = io::Result<Secured<DuplexStream>>;

fn identity(number: u8) -> Identity {
    Identity::from_seed([number; 32])
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn tls(number: u8) -> Tls {
    Tls::new(&identity(number), &Arc::new(provider())).unwrap()
}

fn signing_key(identity: &Identity) -> Arc<dyn SigningKey> {
    rustls::crypto::ring::sign::any_eddsa_type(&identity.pkcs8()).unwrap()
}

/// A process whose configurations are not what they should be.
fn odd(key: CertifiedKey, mend: impl FnOnce(&mut ClientConfig, &mut ServerConfig)) -> Tls {
    let (mut client, mut server) = configs(key, narrowed(&provider())).unwrap();
    mend(&mut client, &mut server);
    Tls {
        connector: TlsConnector::from(Arc::new(client)),
        acceptor: TlsAcceptor::from(Arc::new(server)),
    }
}

/// A process that shows one key and signs with another.
fn showing(public: Vec<u8>, signs: Arc<dyn SigningKey>) -> Tls {
    odd(
        CertifiedKey::new(vec![CertificateDer::from(public)], signs),
        |_, _| {},
    )
}

fn honest_key(number: u8) -> CertifiedKey {
    let public = spki_of(&identity(number).public_key());
    let key = signing_key(&identity(number));
    CertifiedKey::new(vec![CertificateDer::from(public)], key)
}

/// Both ends of one connection. The clock is paused: if both wait, time jumps and this fails.
async fn meet(client: &Tls, server: &Tls) -> (Outcome, Outcome) {
    let (near, far) = duplex(64 * 1024);
    let both = async { tokio::join!(client.connect(near), server.accept(far)) };
    let both = tokio::time::timeout(Duration::from_secs(60), both).await;
    both.expect("a handshake ends")
}

#[tokio::test(start_paused = true)]
async fn both_ends_learn_the_other_key_and_one_secret_of_the_connection() {
    let (client, server) = (tls(1), tls(2));
    let (near, far) = meet(&client, &server).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    assert_eq!(near.public_key, identity(2).public_key());
    assert_eq!(far.public_key, identity(1).public_key());
    assert_eq!(near.exporter, far.exporter);
    assert_ne!(near.exporter, [0; 32]);

    near.stream.write_all(b"there").await.unwrap();
    near.stream.flush().await.unwrap();
    let mut read = [0; 5];
    far.stream.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"there");
    far.stream.write_all(b"back!").await.unwrap();
    far.stream.flush().await.unwrap();
    near.stream.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"back!");
}

#[tokio::test(start_paused = true)]
async fn every_connection_has_its_own_secret_and_a_handshake_of_its_own() {
    let (client, server) = (tls(1), tls(2));
    let (first, _other_end) = meet(&client, &server).await;
    let (second, _other_end) = meet(&client, &server).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.exporter, second.exporter);
    for secured in [first, second] {
        let connection = secured.stream.get_ref().1;
        assert_eq!(
            connection.handshake_kind(),
            Some(rustls::HandshakeKind::Full)
        );
        assert_eq!(
            connection.protocol_version(),
            Some(rustls::ProtocolVersion::TLSv1_3)
        );
        let suite = connection.negotiated_cipher_suite().unwrap();
        assert_eq!(suite.suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_can_meet_itself() {
    let one = tls(1);
    let (near, far) = meet(&one, &one).await;
    assert_eq!(near.unwrap().public_key, far.unwrap().public_key);
}

/// Whoever shows a key of this kind is refused as a client and as a server.
async fn assert_refused(stranger: &Tls) {
    let honest = tls(1);
    let (_, accepted) = meet(stranger, &honest).await;
    accepted.expect_err("the server refuses the client");
    let (connected, _) = meet(&honest, stranger).await;
    connected.expect_err("the client refuses the server");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_hold_the_key_it_shows_is_refused() {
    let stolen = spki_of(&identity(2).public_key());
    assert_refused(&showing(stolen, signing_key(&identity(3)))).await;
}

#[tokio::test(start_paused = true)]
async fn keys_of_other_kinds_are_refused() {
    // PKCS#8 of the least of secret keys, whose public key is the base point of P-256.
    let document = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420\
                    0000000000000000000000000000000000000000000000000000000000000001\
                    a14403420004\
                    6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                    4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let document: Vec<u8> = (0..document.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&document[at..at + 2], 16).unwrap())
        .collect();
    let document = PrivatePkcs8KeyDer::from(document);
    let key = rustls::crypto::ring::sign::any_ecdsa_type(&document.into()).unwrap();
    let public = key.public_key().unwrap().as_ref().to_vec();
    assert_refused(&showing(public, key)).await;
}

#[tokio::test(start_paused = true)]
async fn keys_whose_signatures_anybody_can_make_are_refused() {
    /// Signs for the neutral point: R = B and s = 1 satisfy sB = R + hA whatever was signed.
    #[derive(Debug)]
    struct Anybody;
    impl rustls::sign::Signer for Anybody {
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
            let mut signature = vec![0x66; 64];
            signature[0] = 0x58;
            signature[32..].fill(0);
            signature[32] = 1;
            Ok(signature)
        }
        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::ED25519
        }
    }
    impl SigningKey for Anybody {
        fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
            Some(Box::new(Anybody))
        }
        fn algorithm(&self) -> rustls::SignatureAlgorithm {
            rustls::SignatureAlgorithm::ED25519
        }
    }
    let mut neutral = [0; 32];
    neutral[0] = 1;
    // The forgery is good: without the check it would get in.
    let forged = rustls::sign::Signer::sign(&Anybody, b"").unwrap();
    let forged = ed25519_dalek::Signature::from_slice(&forged).unwrap();
    let point = VerifyingKey::from_bytes(&neutral).unwrap();
    ed25519_dalek::Verifier::verify(&point, b"anything", &forged).unwrap();

    assert_refused(&showing(spki_of(&neutral), Arc::new(Anybody))).await;
}

#[test]
fn a_key_is_read_from_der_and_nothing_else_is() {
    let key = identity(1).public_key();
    let whole = spki_of(&key);
    assert_eq!(
        signing_key(&identity(1)).public_key().unwrap().as_ref(),
        whole
    );
    assert_eq!(key_of(&whole), Ok(key));
    for length in 0..whole.len() {
        assert!(key_of(&whole[..length]).is_err());
    }
    assert!(key_of(&[&whole[..], &[0]].concat()).is_err());
    for place in 0..SPKI_PREFIX.len() {
        let mut other = whole.clone();
        other[place] ^= 1;
        assert!(key_of(&other).is_err());
    }
    // 2 is no y of any point.
    let mut nowhere = [0; 32];
    nowhere[0] = 2;
    assert!(key_of(&spki_of(&nowhere)).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_key_is_refused() {
    /// Promises a key and shows none.
    #[derive(Debug)]
    struct Empty;
    impl ResolvesClientCert for Empty {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            None
        }
        fn only_raw_public_keys(&self) -> bool {
            true
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    /// Speaks of no raw keys at all.
    #[derive(Debug)]
    struct Ordinary;
    impl ResolvesClientCert for Ordinary {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            None
        }
        fn has_certs(&self) -> bool {
            false
        }
    }
    let resolvers: [Arc<dyn ResolvesClientCert>; 2] = [Arc::new(Empty), Arc::new(Ordinary)];
    for resolver in resolvers {
        let keyless = odd(honest_key(3), |client, _| {
            client.client_auth_cert_resolver = resolver;
        });
        let (connected, accepted) = meet(&keyless, &tls(1)).await;
        accepted.expect_err("no key");
        // The client may think that it is connected, until it reads.
        if let Ok(mut connected) = connected {
            connected.stream.read_u8().await.expect_err("an alert");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_another_protocol_inside_is_refused() {
    for protocols in [vec![b"cuerda/2".to_vec()], vec![b"h2".to_vec()], vec![]] {
        assert_refused(&odd(honest_key(3), |client, server| {
            client.alpn_protocols.clone_from(&protocols);
            server.alpn_protocols = protocols;
        }))
        .await;
    }
}

/// What a server says to these bytes, which it must refuse.
async fn refusal_of(bytes: &[u8]) -> (io::Error, Vec<u8>) {
    let (mut near, far) = duplex(64 * 1024);
    near.write_all(bytes).await.unwrap();
    let server = tls(1);
    let accepted = tokio::time::timeout(Duration::from_secs(60), server.accept(far)).await;
    let error = accepted
        .expect("it need not wait for more")
        .expect_err("refused");
    let mut said = Vec::new();
    near.read_to_end(&mut said).await.unwrap();
    (error, said)
}

#[tokio::test(start_paused = true)]
async fn plain_bytes_are_refused() {
    refusal_of(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    refusal_of(&[0; 100]).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hangs_up_is_an_error() {
    let (near, far) = duplex(1024);
    drop(near);
    let error = tls(1).accept(far).await.expect_err("nobody there");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let (near, far) = duplex(64 * 1024);
    drop(far);
    tls(1).connect(near).await.expect_err("nobody there");
}

#[tokio::test(start_paused = true)]
async fn tls_1_2_is_refused() {
    let mut hello = vec![3, 3];
    hello.extend([7; 32]); // random
    hello.push(0); // no session
    hello.extend([0, 2, 0xc0, 0x2b]); // ECDHE-ECDSA with AES-128-GCM
    hello.extend([1, 0]); // no compression
    let extensions: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 29, // groups: X25519
        0, 11, 0, 2, 1, 0, // points: uncompressed
        0, 13, 0, 4, 0, 2, 8, 7, // signatures: Ed25519
    ];
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    let length = u16::try_from(hello.len()).unwrap();
    let mut bytes = vec![22, 3, 1];
    bytes.extend((length + 4).to_be_bytes());
    bytes.extend([1, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(hello);
    let (error, said) = refusal_of(&bytes).await;
    let error = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert!(matches!(error, Error::PeerIncompatible(_)), "{error:?}");
    // A fatal alert: protocol_version.
    assert_eq!(said, [21, 3, 3, 0, 2, 2, 70]);
}

#[test]
fn nothing_secret_is_shown() {
    let (key, shown) = (
        identity(0xab),
        format!("{:?} {:?}", tls(0xab), identity(0xab)),
    );
    assert!(
        !shown.contains("171, 171") && !shown.contains("abab"),
        "{shown}"
    );
    assert!(!format!("{key:?}").contains("171"));
}
