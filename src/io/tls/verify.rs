//! Whom to believe: the checks of the other side's certificate.
//!
//! It promises: a participant believes an authority that it trusts, a certificate that it was
//! given, or a fingerprint, and nothing else; a hub that asks for certificates believes what its
//! file vouches for. Signatures are always checked: whoever shows a certificate has its key.

use std::sync::Arc;
use std::sync::OnceLock;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::Error;
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;
use sha2::Digest;
use sha2::Sha256;

use super::Fingerprint;

/// The fingerprint of a certificate.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Fingerprint(Sha256::digest(certificate).into())
}

/// A certificate that could be an authority's, as openssl makes them by default, is refused for
/// that before it is looked for who vouches for it; and nobody does.
fn unvouched(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(CertificateError::Other(other))
            if format!("{other:?}").contains("CaUsedAsEndEntity") =>
        {
            CertificateError::UnknownIssuer.into()
        }
        error => error,
    }
}

/// What a hub's certificate is measured by.
#[derive(Debug)]
pub(super) enum Measure {
    /// This one and no other.
    Fingerprint(Fingerprint),
    /// It is one of these, or an authority vouches for it.
    Vouched {
        listed: Vec<CertificateDer<'static>>,
        authorities: Arc<WebPkiServerVerifier>,
    },
}

/// Checks a hub's certificate, and remembers what it has seen.
#[derive(Debug)]
pub(super) struct HubVerifier {
    pub(super) measure: Measure,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) seen: OnceLock<Fingerprint>,
}

impl ServerCertVerifier for HubVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = *self.seen.get_or_init(|| fingerprint(certificate));
        match &self.measure {
            Measure::Fingerprint(expected) if *expected == seen => {}
            Measure::Fingerprint(_) => {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
            // It vouches for itself, as an authority does; so nobody need be above it.
            Measure::Vouched { listed, .. } if listed.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            }
            Measure::Vouched { authorities, .. } => {
                authorities
                    .verify_server_cert(certificate, intermediates, name, ocsp, now)
                    .map_err(unvouched)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Checks a participant's certificate.
#[derive(Debug)]
pub(super) struct ParticipantVerifier {
    pub(super) listed: Vec<CertificateDer<'static>>,
    pub(super) authorities: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for ParticipantVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authorities.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.listed.contains(certificate) {
            return Ok(ClientCertVerified::assertion());
        }
        self.authorities
            .verify_client_cert(certificate, intermediates, now)
            .map_err(unvouched)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
