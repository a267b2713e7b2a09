//! Who is at the other end: TLS 1.3 with raw Ed25519 public keys (RFC 7250), pinned on both sides.
//!
//! Invariants: a handshake ends well only when both ends proved the key that the cluster file names; no
//! session is ever resumed, so each connection proves it anew; nothing but TLS 1.3 is spoken.

use crate::net::{IdentitySeed, NetError};
use phalanx_types::ClusterId;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::ring::{default_provider, sign::any_eddsa_type};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::collections::BTreeSet;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The protocol and its version, before the cluster id in the ALPN.
const ALPN_PREFIX: &str = "phalanx/1/";
/// What the handshake names as the server; the keys say who it is.
pub(super) const SERVER_NAME: &str = "phalanx";

/// The DER of a SubjectPublicKeyInfo before the 32 bytes of an Ed25519 public key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The DER of a PKCS #8 key before the 32 bytes of an Ed25519 seed (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A public key as the handshake carries it.
pub(super) type Spki = [u8; 44];

/// The SubjectPublicKeyInfo of an Ed25519 public key.
pub(super) fn spki(public_key: &[u8; 32]) -> Spki {
    let mut out = [0; 44];
    out[..SPKI_PREFIX.len()].copy_from_slice(&SPKI_PREFIX);
    out[SPKI_PREFIX.len()..].copy_from_slice(public_key);
    out
}

/// Makes the TLS configurations of one operator.
pub(super) struct Identity {
    provider: Arc<CryptoProvider>,
    certified: Arc<CertifiedKey>,
    alpn: Vec<u8>,
}

impl Identity {
    pub(super) fn new(seed: &IdentitySeed, cluster: ClusterId) -> Result<Self, NetError> {
        let mut pkcs8 = Zeroizing::new([0; PKCS8_PREFIX.len() + 32]);
        pkcs8[..PKCS8_PREFIX.len()].copy_from_slice(&PKCS8_PREFIX);
        pkcs8[PKCS8_PREFIX.len()..].copy_from_slice(seed.as_bytes());
        let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))
            .map_err(|error| NetError::MisuseConfig(format!("the identity key is not an Ed25519 key: {error}")))?;
        let certificate = CertificateDer::from(spki(&seed.public_key()).to_vec());
        Ok(Self {
            provider: Arc::new(default_provider()),
            certified: Arc::new(CertifiedKey::new(vec![certificate], key)),
            alpn: format!("{ALPN_PREFIX}{}", cluster.0).into_bytes(),
        })
    }

    /// For dialling the one operator whose key is `expected`.
    pub(super) fn dialler(&self, expected: Spki) -> Result<QuicClientConfig, NetError> {
        let verifier =
            Pinned { algorithms: self.provider.signature_verification_algorithms, keys: BTreeSet::from([expected]) };
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(misconfigured)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(&self.certified))));
        config.alpn_protocols = vec![self.alpn.clone()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        QuicClientConfig::try_from(config).map_err(|error| NetError::MisuseConfig(error.to_string()))
    }

    /// For accepting any of the operators in `expected`.
    pub(super) fn acceptor(&self, expected: BTreeSet<Spki>) -> Result<QuicServerConfig, NetError> {
        let verifier = Pinned { algorithms: self.provider.signature_verification_algorithms, keys: expected };
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(misconfigured)?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&self.certified))));
        config.alpn_protocols = vec![self.alpn.clone()];
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        QuicServerConfig::try_from(config).map_err(|error| NetError::MisuseConfig(error.to_string()))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn misconfigured(error: Error) -> NetError {
    NetError::MisuseConfig(format!("TLS: {error}"))
}

/// The public key that the other end of a connection proved.
pub(super) fn proved_key(connection: &quinn::Connection) -> Option<Spki> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    identity.first().and_then(|key| Spki::try_from(key.as_ref()).ok())
}

/// Accepts the keys that it holds, and nothing else.
#[derive(Debug)]
struct Pinned {
    algorithms: WebPkiSupportedAlgorithms,
    keys: BTreeSet<Spki>,
}

impl Pinned {
    fn check(&self, key: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), Error> {
        let known = Spki::try_from(key.as_ref()).is_ok_and(|key| self.keys.contains(&key));
        if known && others.is_empty() {
            return Ok(());
        }
        Err(Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
    }

    fn check_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }
}

const TLS12: Error = Error::PeerIncompatible(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(key, others).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(key, others).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_in_rfc_8410() {
        // Section 10.1 and 10.3: the example key.
        let public_key = [
            0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67, 0xdc, 0x3b, 0x96, 0xc8, 0x50,
            0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31, 0x66, 0xe1,
        ];
        let seed = [
            0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8, 0xad, 0x3a, 0xfe,
            0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f, 0x44, 0x75, 0x58, 0x42,
        ];
        let seed = IdentitySeed::new(seed);
        assert_eq!(seed.public_key(), public_key);
        assert_eq!(spki(&public_key)[..12], [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);
        let identity = Identity::new(&seed, ClusterId::default()).unwrap();
        let proved = identity.certified.key.public_key().expect("the signer knows its public key");
        assert_eq!(proved.as_ref(), spki(&public_key), "ring derives the same key from our PKCS #8");
        assert_eq!(format!("{seed:?}"), "IdentitySeed(..)");
    }
}
