//! What the provider draws follows from its seed, and connections over it work.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
    UnixTime,
};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, ServerConnection,
    SignatureScheme,
};

use super::*;

/// Takes any raw key whose owner signs.
#[derive(Debug)]
struct AnyKey(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

fn client(provider: Arc<CryptoProvider>) -> ClientConnection {
    let verifier = AnyKey(provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from("simulated").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

fn server(provider: Arc<CryptoProvider>) -> ServerConnection {
    // An Ed25519 key in PKCS#8 (RFC 8410, section 7), its secret half all ones.
    let mut key = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    key.extend([1; 32]);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    let key = provider.key_provider.load_private_key(key).unwrap();
    let public = CertificateDer::from(key.public_key().unwrap().as_ref().to_vec());
    let key =
        AlwaysResolvesServerRawPublicKeys::new(Arc::new(CertifiedKey::new(vec![public], key)));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(key));
    config.send_tls13_tickets = 0;
    ServerConnection::new(Arc::new(config)).unwrap()
}

/// All that each end sends, up to and with one line each way.
fn talk(client: Arc<CryptoProvider>, server: Arc<CryptoProvider>) -> (Vec<u8>, Vec<u8>) {
    use std::io::{Read as _, Write as _};
    let (mut client, mut server) = (self::client(client), self::server(server));
    client.writer().write_all(b"there").unwrap();
    server.writer().write_all(b"back!").unwrap();
    let (mut there, mut back) = (Vec::new(), Vec::new());
    while client.wants_write() || server.wants_write() {
        let (from_client, from_server) = (there.len(), back.len());
        while client.wants_write() {
            client.write_tls(&mut there).unwrap();
        }
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        let mut new = &there[from_client..];
        while !new.is_empty() {
            server.read_tls(&mut new).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut new = &back[from_server..];
        while !new.is_empty() {
            client.read_tls(&mut new).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    let mut read = [0; 5];
    server.reader().read_exact(&mut read).unwrap();
    assert_eq!(&read, b"there");
    client.reader().read_exact(&mut read).unwrap();
    assert_eq!(&read, b"back!");
    (there, back)
}

#[test]
fn the_same_seeds_make_the_same_bytes() {
    let talk = || talk(provider([1; 32]), provider([2; 32]));
    assert_eq!(talk(), talk());
}

#[test]
fn either_seed_alone_changes_what_both_send() {
    let one = talk(provider([1; 32]), provider([2; 32]));
    for (client, server) in [(3, 2), (1, 3)] {
        let other = talk(provider([client; 32]), provider([server; 32]));
        // What is encrypted depends on both.
        assert_ne!(other.0, one.0);
        assert_ne!(other.1, one.1);
    }
}

#[test]
fn the_next_connection_of_the_same_hosts_is_another() {
    let (client, server) = (provider([1; 32]), provider([2; 32]));
    let first = talk(client.clone(), server.clone());
    let second = talk(client.clone(), server.clone());
    assert_ne!(first.0, second.0);
    assert_ne!(first.1, second.1);
    // And so it is when all is played again.
    let (client, server) = (provider([1; 32]), provider([2; 32]));
    let again = [talk(client.clone(), server.clone()), talk(client, server)];
    assert_eq!(again, [first, second]);
}

#[test]
fn it_agrees_with_ring_on_the_curve() {
    let ring = || Arc::new(rustls::crypto::ring::default_provider());
    talk(provider([1; 32]), ring());
    talk(ring(), provider([1; 32]));
}

#[test]
fn a_share_that_decides_the_secret_alone_is_refused() {
    let group = provider([1; 32]).kx_groups[0];
    for share in [&[0; 32][..], &[0; 31], &[9; 33]] {
        let exchange = group.start().unwrap();
        assert!(exchange.complete(share).is_err());
    }
}
