//! Whom to believe: the checks of the other side's certificate.
//!
//! It promises: a participant believes an authority that it trusts, a certificate that it was
//! given, or a fingerprint, and nothing else; a hub that asks for certificates believes what its
//! file vouches for. A trusted certificate counts only within its dates and for its purpose; it
//! vouches for itself, and for others only as far as an authority may (RFC 5280): what
//! `openssl verify -purpose` refuses is refused. Signatures are always checked: a peer that shows a
//! certificate has its key.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::Error;
use rustls::OtherError;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::crypto::verify_tls13_signature_with_raw_key;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::TrustAnchor;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;
use sha2::Digest;
use sha2::Sha256;
use webpki::EndEntityCert;
use webpki::KeyUsage;
use webpki::RawPublicKeyEntity;
use webpki::VerifiedPath;
use webpki::anchor_from_trusted_cert;

use super::Expected;
use super::Fingerprint;
use super::certificate;
use super::certificate::Certificate;
use super::certificate::Purpose;
use super::certificate::Unfit;

/// The fingerprint of a certificate.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Fingerprint(Sha256::digest(certificate).into())
}

/// Which certificate of a chain is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The one that is shown.
    Own,
    /// A certificate between that and the trusted one.
    Between,
    /// The trusted one.
    Trusted,
}

/// Why a chain does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    whose: Whose,
    why: Unfit,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.whose {
            Whose::Own => "",
            Whose::Between => "is signed through one that ",
            Whose::Trusted => "is signed by a trusted one that ",
        })?;
        f.write_str(match self.why {
            Unfit::Expired { .. } => "has expired",
            Unfit::NotYet { .. } => "is not valid yet",
            Unfit::NoAuthority => "is no authority's (CA:FALSE)",
            Unfit::Authority => {
                "is an authority's (CA:TRUE), and such a one is believed only if it is trusted itself"
            }
            Unfit::SignsNothing => "may not sign certificates (key usage without keyCertSign)",
            Unfit::TooDeep => "allows fewer authorities below it (path length)",
            Unfit::Purpose => "is for another purpose (extended key usage)",
            Unfit::Usage => "has a key for something else (key usage)",
            Unfit::Extension => "has a critical extension that muxnc does not know",
            Unfit::Names => "may not sign for that name (name constraints)",
            Unfit::Version => {
                "is of a version of X.509 before 3 (openssl x509 -req makes it so without -extfile)"
            }
        })
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for CertificateError {
    fn from(refusal: Refusal) -> CertificateError {
        let time = UnixTime::now();
        match (refusal.whose, refusal.why) {
            (Whose::Own, Unfit::Expired { since }) => CertificateError::ExpiredContext {
                time,
                not_after: since,
            },
            (Whose::Own, Unfit::NotYet { until }) => CertificateError::NotValidYetContext {
                time,
                not_before: until,
            },
            _ => CertificateError::Other(OtherError(Arc::new(refusal))),
        }
    }
}

/// A self-signed certificate that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SelfSigned;

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is signed by nobody but itself (self-signed)")
    }
}

impl std::error::Error for SelfSigned {}

impl From<SelfSigned> for CertificateError {
    fn from(problem: SelfSigned) -> CertificateError {
        CertificateError::Other(OtherError(Arc::new(problem)))
    }
}

/// A certificate that is believed, as far as it may vouch.
#[derive(Debug)]
struct Listed {
    der: CertificateDer<'static>,
    certificate: Certificate,
}

/// The authorities that are believed: in a file, or by the system.
#[derive(Debug)]
pub(super) struct Vouchers {
    /// In the same order.
    listed: Vec<Listed>,
    anchors: Vec<TrustAnchor<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Vouchers {
    /// No certificate yet.
    pub(super) fn new(provider: &CryptoProvider) -> Vouchers {
        Vouchers {
            listed: Vec::new(),
            anchors: Vec::new(),
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// Believes this one, too.
    ///
    /// # Errors
    /// It makes no sense.
    pub(super) fn add(&mut self, der: CertificateDer<'static>) -> Result<(), CertificateError> {
        let certificate = read(&der)?;
        let anchor = anchor_from_trusted_cert(&der).map_err(plain)?.to_owned();
        self.anchors.push(anchor);
        self.listed.push(Listed { der, certificate });
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    /// Whether a certificate is believed that is shown for this purpose: it is one of them, which
    /// vouches for itself, as an authority does; or an authority among them vouches for it, if need be
    /// through others that were shown with it.
    fn check(
        &self,
        der: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        purpose: Purpose,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let own = |why| Refusal {
            whose: Whose::Own,
            why,
        };
        if let Some(listed) = self.listed.iter().find(|listed| listed.der == *der) {
            let checked = listed.certificate.check_owner(purpose, now);
            return Ok(checked.map_err(own)?);
        }
        let shown = EndEntityCert::try_from(der).map_err(plain)?;
        let certificate = read(der)?;
        certificate.check_owner(purpose, now).map_err(own)?;
        let refused = Cell::new(None);
        let check = |path: &VerifiedPath<'_>| {
            let checked = self.check_path(&certificate, path, purpose, now);
            checked.map_err(|refusal| {
                refused.set(refused.get().or(refusal));
                webpki::Error::UnknownIssuer
            })
        };
        let usage = match purpose {
            Purpose::Server => KeyUsage::server_auth(),
            Purpose::Client => KeyUsage::client_auth(),
        };
        let verified = shown.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            usage,
            None,
            Some(&check),
        );
        match (verified, refused.get()) {
            (Ok(_), _) => Ok(()),
            (Err(_), Some(refusal)) => Err(refusal.into()),
            // Whatever else was found: that it could be an authority's, as openssl makes them by default, or
            // that it is not signed by another one of its name, which is trusted.
            (Err(_), None) if certificate.is_self_signed() => Err(SelfSigned.into()),
            (Err(webpki::Error::CaUsedAsEndEntity), None) => Err(own(Unfit::Authority).into()),
            (Err(webpki::Error::UnsupportedCertVersion), None) => Err(Refusal {
                whose: Whose::Between,
                why: Unfit::Version,
            }
            .into()),
            (Err(error), None) => Err(plain(error)),
        }
    }

    /// Whether the authorities of a path, whose signatures and names are good, may vouch. None: it is no
    /// path, since one of them was not signed with what is above it.
    fn check_path(
        &self,
        shown: &Certificate,
        path: &VerifiedPath<'_>,
        purpose: Purpose,
        now: UnixTime,
    ) -> Result<(), Option<Refusal>> {
        let trusted = self
            .anchors
            .iter()
            .position(|anchor| std::ptr::eq(anchor, path.anchor()))
            .and_then(|at| self.listed.get(at))
            .ok_or(None)?;
        let between: Vec<Certificate> = path
            .intermediate_certificates()
            .map(|certificate| Certificate::read(&certificate.der()))
            .collect::<Option<_>>()
            .ok_or(None)?;
        let mut below = shown;
        let mut depth = 0;
        let above = between.iter().map(|authority| (authority, Whose::Between));
        for (authority, whose) in above.chain([(&trusted.certificate, Whose::Trusted)]) {
            if below.disowns(authority) {
                return Err(None);
            }
            let refused = |why| Some(Refusal { whose, why });
            authority
                .check_authority(purpose, depth, now)
                .map_err(refused)?;
            if authority.constrains_names() && shown.has_host_as_common_name() {
                return Err(refused(Unfit::Names));
            }
            depth += usize::from(!authority.is_self_issued());
            below = authority;
        }
        Ok(())
    }
}

fn read(der: &CertificateDer<'_>) -> Result<Certificate, CertificateError> {
    Certificate::read(der).ok_or(CertificateError::BadEncoding)
}

/// The error about a certificate for another name tells the names that it has.
fn with_names(mut error: Error, der: &CertificateDer<'_>) -> Error {
    if let Error::InvalidCertificate(CertificateError::NotValidForNameContext {
        presented, ..
    }) = &mut error
    {
        *presented = Certificate::read(der).map_or_else(Vec::new, Certificate::into_names);
    }
    error
}

/// What webpki found wrong, as it is told.
pub(super) fn plain(error: webpki::Error) -> CertificateError {
    let refused = |whose, why| CertificateError::from(Refusal { whose, why });
    match error {
        // A certificate that could be an authority's, as openssl makes them by default, is refused
        // for that reason before webpki looks for an authority that signed it; and there is none.
        webpki::Error::UnknownIssuer | webpki::Error::CaUsedAsEndEntity => {
            CertificateError::UnknownIssuer
        }
        // The one that is shown was looked at before.
        webpki::Error::CertExpired { not_after, .. } => {
            refused(Whose::Between, Unfit::Expired { since: not_after })
        }
        webpki::Error::CertNotValidYet { not_before, .. } => {
            refused(Whose::Between, Unfit::NotYet { until: not_before })
        }
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) | webpki::Error::EmptyEkuExtension => {
            refused(Whose::Own, Unfit::Purpose)
        }
        webpki::Error::UnsupportedCriticalExtension => refused(Whose::Own, Unfit::Extension),
        webpki::Error::UnsupportedCertVersion => refused(Whose::Own, Unfit::Version),
        webpki::Error::EndEntityUsedAsCa => refused(Whose::Between, Unfit::NoAuthority),
        webpki::Error::PathLenConstraintViolated => refused(Whose::Between, Unfit::TooDeep),
        webpki::Error::NameConstraintViolation => refused(Whose::Between, Unfit::Names),
        webpki::Error::UnsupportedSignatureAlgorithmContext(context) => {
            Outdated::of(&context.signature_algorithm_id).into()
        }
        // The one that has that name is trusted, and has a key of another kind.
        webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(context)
            if !is_of_one_kind(
                &context.signature_algorithm_id,
                &context.public_key_algorithm_id,
            ) =>
        {
            CertificateError::BadSignature
        }
        webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            Outdated::of(&context.signature_algorithm_id).into()
        }
        _ => CertificateError::BadEncoding,
    }
}

/// Whether a signature can be one of such a key: RSA, an elliptic curve, Edwards'. Both are
/// AlgorithmIdentifiers (RFC 5280, section 4.1.1.2), and within their first bytes the three differ.
fn is_of_one_kind(signature: &[u8], key: &[u8]) -> bool {
    const FAMILY: std::ops::Range<usize> = 2..6;
    let family = |identifier: &[u8]| identifier.get(FAMILY).map(<[u8]>::to_vec);
    family(signature) == family(key)
}

/// A signature of a kind that is too weak, or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outdated {
    /// By what it was made, if that has a name here.
    by: Option<&'static str>,
}

impl Outdated {
    /// `algorithm`: an AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
    pub(super) fn of(algorithm: &[u8]) -> Outdated {
        // RFC 3279, section 2.2, and RFC 5758, section 3.2: the object identifiers as DER has them.
        const NAMES: [(&[u8], &str); 8] = [
            (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02", "MD2"),
            (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "MD5"),
            (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "SHA-1"),
            (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", "SHA-224"),
            (b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01", "SHA-1"),
            (b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x01", "SHA-224"),
            (
                b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04",
                "ECDSA and SHA-512",
            ),
            (b"\x06\x03\x2b\x65\x71", "ED448"),
        ];
        let by = NAMES.iter().find(|(der, _)| algorithm.starts_with(der));
        Outdated {
            by: by.map(|(_, name)| *name),
        }
    }
}

impl From<Outdated> for CertificateError {
    fn from(outdated: Outdated) -> CertificateError {
        CertificateError::Other(OtherError(Arc::new(outdated)))
    }
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            Some(by) => write!(f, "is signed with {by}, which is not believed here"),
            None => f.write_str(
                "is signed in a way that is not believed here (too old, too short, or unknown)",
            ),
        }
    }
}

impl std::error::Error for Outdated {}

/// What a hub's certificate is measured by.
#[derive(Debug)]
pub(super) enum Measure {
    /// This one and no other.
    Fingerprint(Expected),
    /// It is one of these, or an authority among them vouches for it.
    Vouched(Vouchers),
}

/// Checks a hub's certificate, and remembers what it has seen.
#[derive(Debug)]
pub(super) struct HubVerifier {
    pub(super) measure: Measure,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Of the certificate that was shown, if it can be believed by that.
    pub(super) seen: OnceLock<Fingerprint>,
}

impl ServerCertVerifier for HubVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        key(certificate)?;
        let seen = *self.seen.get_or_init(|| fingerprint(certificate));
        match &self.measure {
            Measure::Fingerprint(expected) if expected.is_of(&seen) => {}
            Measure::Fingerprint(_) => {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
            Measure::Vouched(vouchers) => {
                vouchers.check(certificate, intermediates, Purpose::Server, now)?;
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)
                    .map_err(|error| with_names(error, certificate))?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    // A certificate that is known by its fingerprint may be one that webpki does not read: only its key
    // is needed.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.algorithms;
        match self.measure {
            Measure::Fingerprint(_) => verify_tls12_signature_with_raw_key(
                message,
                &key(certificate)?,
                signature,
                algorithms,
            ),
            Measure::Vouched(_) => {
                verify_tls12_signature(message, certificate, signature, algorithms)
            }
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.algorithms;
        match self.measure {
            Measure::Fingerprint(_) => verify_tls13_signature_with_raw_key(
                message,
                &key(certificate)?,
                signature,
                algorithms,
            ),
            Measure::Vouched(_) => {
                verify_tls13_signature(message, certificate, signature, algorithms)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn key<'a>(der: &'a CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'a>, CertificateError> {
    certificate::key(der).ok_or(CertificateError::BadEncoding)
}

/// What rustls has for TLS 1.3 only: checks a signature by a key alone.
fn verify_tls12_signature_with_raw_key(
    message: &[u8],
    key: &SubjectPublicKeyInfoDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = RawPublicKeyEntity::try_from(key).map_err(plain)?;
    let offered = algorithms.mapping.iter();
    // With TLS 1.2 a scheme does not say on which curve the key is.
    let mut possible = offered
        .filter(|(scheme, _)| *scheme == signature.scheme)
        .flat_map(|(_, algorithms)| *algorithms);
    let signed = signature.signature();
    match possible.any(|algorithm| key.verify_signature(*algorithm, message, signed).is_ok()) {
        true => Ok(HandshakeSignatureValid::assertion()),
        false => Err(CertificateError::BadSignature.into()),
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
    pub(super) fn new(file: Vouchers) -> ParticipantVerifier {
        let subjects = file.anchors.iter().map(|anchor| anchor.subject.as_ref());
        ParticipantVerifier {
            hints: subjects.map(DistinguishedName::in_sequence).collect(),
            file,
        }
    }

    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.file.algorithms
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
        self.file
            .check(certificate, intermediates, Purpose::Client, now)?;
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
