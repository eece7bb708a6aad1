//! TLS 1.3 with raw public keys (RFC 7250): both ends prove the Ed25519 key that they are known
//! by, and there are no certificates.
//!
//! Any key will do here: whether its owner belongs to the cluster is decided afterwards, by
//! [`super::Admission`] and over the exporter. Nothing is resumed and nothing is sent early, so
//! that every connection has proved both keys afresh. A client that `connect` gives back may
//! still be refused by the server, in whose first bytes that shows: it proves its key last.

use std::io;
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, CommonState, DigitallySignedStruct,
    DistinguishedName, Error, PeerIncompatible, ServerConfig, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::identity::Identity;

/// What both ends say they speak inside, so that no other protocol can be passed off as it.
const PROTOCOL: &[u8] = b"cuerda/1";

/// What the exporter is for (RFC 8446, section 7.5).
const EXPORTER: &[u8] = b"EXPORTER-cuerda-admission";

/// What an Ed25519 public key begins with in DER (RFC 8410, section 4); its 32 bytes follow.
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, // a sequence of 42 bytes:
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, // the algorithm, 1.3.101.112,
    0x03, 0x21, 0x00, // and a string of 256 bits
];

/// What secures the connections of one process.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

/// Shows no key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// A secured connection.
#[derive(Debug)]
pub(super) struct Secured<S> {
    pub(super) stream: TlsStream<S>,
    /// The key that the other end proved.
    pub(super) public_key: [u8; 32],
    /// Keying material that both ends of this connection know, and nobody else.
    pub(super) exporter: [u8; 32],
}

impl Tls {
    /// Secures connections with this key and this provider's ciphers.
    ///
    /// # Errors
    /// If the provider lacks TLS 1.3 or Ed25519.
    pub(super) fn new(identity: &Identity, provider: &Arc<CryptoProvider>) -> Result<Tls, Error> {
        let provider = narrowed(provider);
        let key = provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(identity.pkcs8()))?;
        let public = CertificateDer::from(spki_of(&identity.public_key()));
        let (client, server) = configs(CertifiedKey::new(vec![public], key), provider)?;
        Ok(Tls {
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
        })
    }

    /// Secures a connection that this process opened.
    ///
    /// # Errors
    /// If the other end speaks something else or does not prove a key, or the connection fails.
    pub(super) async fn connect<S>(&self, stream: S) -> io::Result<Secured<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Nodes are told apart by their keys; a name is wanted, but neither sent nor looked at.
        let nobody = ServerName::try_from("cuerda").expect("a valid name");
        let stream = self.connector.connect(nobody, stream).await?;
        secured(TlsStream::Client(stream))
    }

    /// Secures a connection that this process accepted.
    ///
    /// # Errors
    /// As [`Tls::connect`].
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<Secured<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self.acceptor.accept(stream).await?;
        secured(TlsStream::Server(stream))
    }
}

/// The same provider with what we use of it alone, the fastest first.
fn narrowed(provider: &CryptoProvider) -> CryptoProvider {
    let mut provider = provider.clone();
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some());
    // Nearly all processors have instructions for AES, and 128 bits take fewer rounds than 256.
    // The sort is stable: the provider's order stands behind it.
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

/// How both roles use a key.
fn configs(
    key: CertifiedKey,
    provider: CryptoProvider,
) -> Result<(ClientConfig, ServerConfig), Error> {
    let (key, provider) = (Arc::new(key), Arc::new(provider));
    let verifier = Arc::new(AnyKey {
        algorithms: provider.signature_verification_algorithms,
    });
    let shown = AlwaysResolvesClientRawPublicKeys::new(Arc::clone(&key));
    let mut client = ClientConfig::builder_with_details(provider.clone(), Arc::new(NoClock))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_client_cert_resolver(Arc::new(shown));
    client.alpn_protocols = vec![PROTOCOL.to_vec()];
    client.resumption = Resumption::disabled();
    client.enable_sni = false;

    let shown = AlwaysResolvesServerRawPublicKeys::new(key);
    let mut server = ServerConfig::builder_with_details(provider, Arc::new(NoClock))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(shown));
    server.alpn_protocols = vec![PROTOCOL.to_vec()];
    server.send_tls13_tickets = 0;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    Ok((client, server))
}

/// What a finished handshake has shown.
fn secured<S>(stream: TlsStream<S>) -> io::Result<Secured<S>> {
    let refuse = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let exporter = {
        let (_, connection) = stream.get_ref();
        // A peer that names no protocol gets through the handshake itself.
        if connection.alpn_protocol() != Some(PROTOCOL) {
            return Err(refuse(Error::NoApplicationProtocol));
        }
        match &stream {
            TlsStream::Client(stream) => {
                let (_, connection) = stream.get_ref();
                connection.export_keying_material([0; 32], EXPORTER, None)
            }
            TlsStream::Server(stream) => {
                let (_, connection) = stream.get_ref();
                connection.export_keying_material([0; 32], EXPORTER, None)
            }
        }
    };
    let exporter = exporter.map_err(refuse)?;
    let public_key = proved_key(stream.get_ref().1).map_err(refuse)?;
    Ok(Secured {
        stream,
        public_key,
        exporter,
    })
}

fn proved_key(connection: &CommonState) -> Result<[u8; 32], Error> {
    match connection.peer_certificates() {
        Some([key]) => key_of(key),
        _ => Err(Error::NoCertificatesPresented),
    }
}

/// A public key in DER.
fn spki_of(key: &[u8; 32]) -> Vec<u8> {
    [&SPKI_PREFIX[..], key].concat()
}

/// The Ed25519 key that is all of this DER.
fn key_of(spki: &[u8]) -> Result<[u8; 32], Error> {
    let refused = Error::InvalidCertificate(CertificateError::BadEncoding);
    let key = spki
        .strip_prefix(&SPKI_PREFIX[..])
        .and_then(|key| <[u8; 32]>::try_from(key).ok())
        .ok_or(refused.clone())?;
    // A few points have signatures that anybody can make: who shows one of them proves nothing.
    match VerifyingKey::from_bytes(&key) {
        Ok(point) if !point.is_weak() => Ok(key),
        _ => Err(refused),
    }
}

/// Accepts whoever proves any Ed25519 key.
#[derive(Debug)]
struct AnyKey {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyKey {
    fn shown(end_entity: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), Error> {
        if !others.is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        key_of(end_entity).map(|_| ())
    }

    fn proved(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(CertificateError::BadSignature.into());
        }
        let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signed, &self.algorithms)
    }
}

/// What a verifier would say to TLS 1.2, which is never offered.
fn too_old() -> Error {
    PeerIncompatible::ServerDoesNotSupportTls12Or13.into()
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        AnyKey::shown(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proved(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        AnyKey::shown(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proved(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Keys do not expire: no clock is read, so that a simulated handshake depends on none.
#[derive(Debug)]
struct NoClock;

impl TimeProvider for NoClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }
}

#[cfg(test)]
mod tests;
