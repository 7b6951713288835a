//! Whom to believe: the checks of the other side's certificate.
//!
//! It promises: a participant believes an authority that it trusts, a certificate that it was
//! given, or a fingerprint, and nothing else; a hub that asks for certificates believes what its
//! file vouches for. What a file lists counts only within its dates, vouches for itself, and for
//! others only if it is an authority's (CA:TRUE). Signatures are always checked: whoever shows a
//! certificate has its key.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::Error;
use rustls::OtherError;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;
use sha2::Digest;
use sha2::Sha256;

use super::Expected;
use super::Fingerprint;

/// The fingerprint of a certificate.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Fingerprint(Sha256::digest(certificate).into())
}

/// Whether a certificate is refused because it could be an authority's.
fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    format!("{other:?}").contains("CaUsedAsEndEntity")
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Expired,
    NotYet,
    NoAuthority,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unfit::Expired => "signed by a trusted one that has expired",
            Unfit::NotYet => "signed by a trusted one that is not valid yet",
            Unfit::NoAuthority => "signed by a trusted one that is no authority's (CA:FALSE)",
        })
    }
}

impl std::error::Error for Unfit {}

/// A certificate that a file says is to be believed.
#[derive(Debug)]
struct Listed {
    certificate: CertificateDer<'static>,
    from: UnixTime,
    until: UnixTime,
    is_authority: bool,
}

impl Listed {
    /// Whoever verifies certificates tells when this one is valid, and whose it is, by refusing it.
    fn new(
        certificate: CertificateDer<'static>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Listed, Error> {
        let verifier = hub_verifier(roots([&certificate])?, provider)?;
        let refusal = |seconds| {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            let nobody = ServerName::try_from("localhost").expect("a name");
            verifier.verify_server_cert(&certificate, &[], &nobody, &[], now)
        };
        let until = match refusal(END_OF_TIME) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => not_after,
            Err(error) => return Err(error),
            Ok(_) => UnixTime::since_unix_epoch(Duration::from_secs(END_OF_TIME)),
        };
        let from = match refusal(0) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => not_before,
            _ => UnixTime::since_unix_epoch(Duration::ZERO),
        };
        let is_authority = refusal(until.as_secs()).is_err_and(|error| is_authority(&error));
        Ok(Listed {
            certificate,
            from,
            until,
            is_authority,
        })
    }

    /// Whether it counts now.
    fn check(&self, now: UnixTime) -> Result<(), CertificateError> {
        if now < self.from {
            return Err(CertificateError::NotValidYetContext {
                time: now,
                not_before: self.from,
            });
        }
        if now > self.until {
            return Err(CertificateError::ExpiredContext {
                time: now,
                not_after: self.until,
            });
        }
        Ok(())
    }

    /// Why it cannot vouch for others now.
    fn unfit(&self, now: UnixTime) -> Option<Unfit> {
        if !self.is_authority {
            return Some(Unfit::NoAuthority);
        }
        match self.check(now) {
            Ok(()) => None,
            Err(CertificateError::NotValidYetContext { .. }) => Some(Unfit::NotYet),
            Err(_) => Some(Unfit::Expired),
        }
    }
}

/// Later than any certificate is valid: RFC 5280, 4.1.2.5, ends with the year 9999.
const END_OF_TIME: u64 = 400_000_000_000;

fn roots<'a>(
    certificates: impl IntoIterator<Item = &'a CertificateDer<'static>>,
) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone())?;
    }
    Ok(Arc::new(roots))
}

fn hub_verifier(
    roots: Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

/// What a file vouches for.
#[derive(Debug)]
pub(super) struct Vouchers {
    listed: Vec<Listed>,
    provider: Arc<CryptoProvider>,
}

impl Vouchers {
    /// Of these certificates.
    ///
    /// # Errors
    /// One of them makes no sense.
    pub(super) fn new(
        certificates: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Vouchers, Error> {
        let listed = certificates
            .into_iter()
            .map(|certificate| Listed::new(certificate, provider));
        Ok(Vouchers {
            listed: listed.collect::<Result<_, _>>()?,
            provider: provider.clone(),
        })
    }

    /// Whether `certificate` is one of them, which vouches for itself, as an authority does; so
    /// nobody need be above it.
    fn lists(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        match self.listed.iter().find(|l| l.certificate == *certificate) {
            Some(listed) => Ok(listed.check(now).map(|()| true)?),
            None => Ok(false),
        }
    }

    /// Whether an authority among them vouches, as `ask` finds out.
    fn vouch(
        &self,
        now: UnixTime,
        ask: impl Fn(Arc<RootCertStore>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let fit = self.listed.iter().filter(|l| l.unfit(now).is_none());
        let fit = roots(fit.map(|listed| &listed.certificate))?;
        let asked = match fit.is_empty() {
            true => Err(CertificateError::UnknownIssuer.into()),
            false => ask(fit),
        };
        let Err(error) = asked else {
            return Ok(());
        };
        if error != CertificateError::UnknownIssuer.into() && !is_authority(&error) {
            return Err(error);
        }
        // Somebody may wonder, who sees that one in the file.
        for listed in &self.listed {
            if let Some(unfit) = listed.unfit(now)
                && ask(roots([&listed.certificate])?).is_ok()
            {
                return Err(CertificateError::Other(OtherError(Arc::new(unfit))).into());
            }
        }
        Err(unvouched(error))
    }
}

/// A certificate that could be an authority's, as openssl makes them by default, is refused for
/// that before it is looked for who vouches for it; and nobody does.
fn unvouched(error: Error) -> Error {
    match is_authority(&error) {
        true => CertificateError::UnknownIssuer.into(),
        false => error,
    }
}

/// What a hub's certificate is measured by.
#[derive(Debug)]
pub(super) enum Measure {
    /// This one and no other.
    Fingerprint(Expected),
    /// A file lists it, or an authority in that file vouches for it.
    Vouched(Vouchers),
    /// An authority that the system trusts vouches for it.
    System(Arc<WebPkiServerVerifier>),
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
            Measure::Fingerprint(expected) if expected.is_of(&seen) => {}
            Measure::Fingerprint(_) => {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
            Measure::Vouched(file) if file.lists(certificate, now)? => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            }
            Measure::Vouched(file) => file.vouch(now, |roots| {
                hub_verifier(roots, &file.provider)?
                    .verify_server_cert(certificate, intermediates, name, ocsp, now)
                    .map(drop)
            })?,
            Measure::System(authorities) => {
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
    file: Vouchers,
    /// The names of the authorities, for participants who have several certificates.
    hints: Vec<DistinguishedName>,
}

impl ParticipantVerifier {
    /// Believes what a file vouches for.
    ///
    /// # Errors
    /// A certificate makes no sense.
    pub(super) fn new(file: Vouchers) -> Result<ParticipantVerifier, Error> {
        let all = roots(file.listed.iter().map(|listed| &listed.certificate))?;
        Ok(ParticipantVerifier {
            hints: all.subjects(),
            file,
        })
    }

    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.file.provider.signature_verification_algorithms
    }
}

impl ClientCertVerifier for ParticipantVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !self.file.lists(certificate, now)? {
            self.file.vouch(now, |roots| {
                WebPkiClientVerifier::builder_with_provider(roots, self.file.provider.clone())
                    .build()
                    .map_err(|error| Error::General(error.to_string()))?
                    .verify_client_cert(certificate, intermediates, now)
                    .map(drop)
            })?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
