//! What went wrong with TLS, in plain words.
//!
//! It promises: "it" is the other side in every sentence; a failure that a person can do something
//! about is told without TLS's own terms, and no failure is told in a library's terms. What an alert
//! says about what the two sides have in common is only told before they agreed.

use std::fmt;

use rustls::AlertDescription;
use rustls::CertificateError;
use rustls::Error;
use rustls::ProtocolVersion;

use super::verify::Outdated;
use super::verify::Refusal;
use super::verify::SelfSigned;
use super::verify::plain;

/// Names of a certificate that are told.
const NAMES: usize = 5;

/// Characters of each: more than a host name has that a person recognises.
const NAME: usize = 100;

/// Hosts that a certificate is for, the first of them by name. They are in ASCII, and nothing in them acts on a
/// terminal.
pub(super) struct Names<'a>(pub(super) &'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0.len().min(NAMES);
        for (i, name) in self.0[..told].iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            match name.get(..NAME).filter(|start| *start != name) {
                Some(start) => write!(f, "{comma}{start}...")?,
                None => write!(f, "{comma}{name}")?,
            }
        }
        match self.0.len() - told {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What TLS found wrong, in plain words; "it" is the other side.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// On which version the two had agreed, if the handshake was over on this side. With TLS 1.3 the
    /// other side may still judge this side's certificate then.
    agreed: Option<ProtocolVersion>,
}

impl Failure {
    /// One of a handshake, or before it.
    pub(super) fn to_agree(error: Error) -> Failure {
        let agreed = None;
        Failure { error, agreed }
    }

    /// One behind a handshake.
    pub(super) fn later(error: Error, agreed: Option<ProtocolVersion>) -> Failure {
        Failure { error, agreed }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Error::InvalidMessage(_) => f.write_str("what it sent is not TLS"),
            Error::AlertReceived(description) => match self.agreed {
                Some(version) if is_of_agreeing(*description) => {
                    broke_off(*description, version, f)
                }
                _ => alert(*description, f),
            },
            Error::InvalidCertificate(error) => certificate(error, f),
            Error::NoCertificatesPresented => f.write_str("it has shown no certificate"),
            Error::NoApplicationProtocol => f.write_str(NO_PROTOCOL),
            Error::PeerIncompatible(_) => f.write_str(NOTHING_IN_COMMON),
            Error::DecryptError => {
                f.write_str("what it sent cannot be decrypted: it was damaged or forged")
            }
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord => {
                f.write_str("what it sent is not what TLS allows there: it was damaged or forged")
            }
            Error::FailedToGetRandomBytes => f.write_str("this system gives no random numbers"),
            Error::FailedToGetCurrentTime => f.write_str("this system does not know the time"),
            _ => f.write_str("TLS failed on this side"),
        }
    }
}

/// What is wrong with a certificate of a file, before a peer shows it.
#[derive(Debug)]
pub(super) struct Useless(pub(super) Error);

impl fmt::Display for Useless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::InvalidCertificate(error) => {
                f.write_str("a certificate in it ")?;
                words(error, f)
            }
            Error::InconsistentKeys(_) => {
                f.write_str("that key does not belong to that certificate")
            }
            _ => f.write_str("that is of a kind that is not used with TLS here"),
        }
    }
}

const NOTHING_IN_COMMON: &str = "there is no version and cipher of TLS that both sides speak, \
     or a certificate has a kind of key that one of them does not know";
const NO_PROTOCOL: &str = "none of the application protocols (ALPN) is spoken on both sides";

/// Whether an alert is explained by what the two sides have in common.
fn is_of_agreeing(description: AlertDescription) -> bool {
    matches!(
        description,
        AlertDescription::UnrecognisedName
            | AlertDescription::NoApplicationProtocol
            | AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity
            | AlertDescription::ExportRestriction
            | AlertDescription::InappropriateFallback
    )
}

/// The other side says such a thing later.
fn broke_off(
    description: AlertDescription,
    version: ProtocolVersion,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let code = u8::from(description);
    write!(f, "it broke off after TLS was agreed on (TLS alert {code})")?;
    match (description, version) {
        // Whoever asks for a handshake anew (RFC 5746) is told no (`no_renegotiation`).
        (AlertDescription::HandshakeFailure, ProtocolVersion::TLSv1_2) => {
            f.write_str(", perhaps since it may not agree on it anew")
        }
        _ => Ok(()),
    }
}

/// What the other side says (RFC 8446, 6).
fn alert(description: AlertDescription, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match description {
        AlertDescription::CloseNotify | AlertDescription::UserCanceled => "it said goodbye",
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "it wants to see a certificate, and there was none (--ssl-cert)"
        }
        AlertDescription::UnknownCA => "it trusts nobody who signed the certificate of this side",
        AlertDescription::CertificateExpired => {
            "the certificate of this side has expired or is not valid yet, it says"
        }
        AlertDescription::CertificateRevoked => "the certificate of this side was revoked, it says",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateUnobtainable
        | AlertDescription::BadCertificateStatusResponse
        | AlertDescription::BadCertificateHashValue => {
            "it does not believe the certificate of this side"
        }
        AlertDescription::AccessDenied => {
            "it expects another certificate than the one of this side, or lets that one not in"
        }
        AlertDescription::UnrecognisedName => {
            "it has no certificate for the name that was asked for (--ssl-servername)"
        }
        AlertDescription::NoApplicationProtocol => NO_PROTOCOL,
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity
        | AlertDescription::ExportRestriction
        | AlertDescription::InappropriateFallback => NOTHING_IN_COMMON,
        AlertDescription::InternalError => "something went wrong on its side",
        AlertDescription::BadRecordMac
        | AlertDescription::DecryptionFailed
        | AlertDescription::DecryptError
        | AlertDescription::DecodeError
        | AlertDescription::RecordOverflow
        | AlertDescription::DecompressionFailure
        | AlertDescription::IllegalParameter
        | AlertDescription::MissingExtension
        | AlertDescription::UnsupportedExtension
        | AlertDescription::UnexpectedMessage => {
            "it did not understand what it was sent: that was damaged on the way, or it is faulty"
        }
        other => return write!(f, "it refused (TLS alert {})", u8::from(other)),
    })
}

fn certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("its certificate ")?;
    words(error, f)
}

/// The rest of a sentence that begins with a certificate.
fn words(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match error {
        CertificateError::UnknownIssuer => "is signed by nobody who is trusted here",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet"
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            write!(f, "is not for {}", expected.to_str())?;
            match presented.is_empty() {
                true => f.write_str(", and names no host")?,
                false => write!(f, ", but for {}", Names(presented))?,
            }
            return Ok(());
        }
        CertificateError::NotValidForName => "is for another name",
        CertificateError::ApplicationVerificationFailure => "has another fingerprint",
        CertificateError::BadSignature => "is not signed by the one that it names",
        CertificateError::BadEncoding => "makes no sense",
        CertificateError::Revoked => "was revoked",
        CertificateError::Other(why) => {
            if let Some(refusal) = why.0.downcast_ref::<Refusal>() {
                return write!(f, "{refusal}");
            }
            if let Some(problem) = why.0.downcast_ref::<SelfSigned>() {
                return write!(f, "{problem}");
            }
            if let Some(outdated) = why.0.downcast_ref::<Outdated>() {
                return write!(f, "{outdated}");
            }
            return match why.0.downcast_ref::<webpki::Error>() {
                Some(error) => words(&plain(error.clone()), f),
                None => f.write_str("is not valid"),
            };
        }
        _ => "is not valid",
    })
}

#[cfg(test)]
mod tests {
    use rustls::InvalidMessage;
    use rustls::PeerMisbehaved;
    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn nothing_is_said_in_the_words_of_a_library() {
        let alerts = (0..=u8::MAX).map(|code| Error::AlertReceived(AlertDescription::from(code)));
        let named = |presented: usize| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("localhost").unwrap(),
            presented: (0..presented).map(|i| format!("{i}.example.org")).collect(),
        };
        let certificates = [
            CertificateError::UnknownIssuer,
            CertificateError::BadSignature,
            CertificateError::BadEncoding,
            CertificateError::InvalidPurpose,
            CertificateError::UnhandledCriticalExtension,
            Outdated::of(&[]).into(),
            SelfSigned.into(),
            Outdated::of(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04").into(),
            named(0),
            named(1),
            named(9),
        ];
        let others = [
            Error::InvalidMessage(InvalidMessage::InvalidContentType),
            Error::PeerMisbehaved(PeerMisbehaved::IllegalMiddleboxChangeCipherSpec),
            Error::EncryptError,
            Error::General(String::from("InternalState(Broken)")),
        ];
        let certificates = certificates.into_iter().map(Error::InvalidCertificate);
        let errors = alerts.chain(certificates).chain(others);
        let agreed = [None, Some(ProtocolVersion::TLSv1_2)];
        for (error, agreed) in errors.flat_map(|error| agreed.map(|agreed| (error.clone(), agreed)))
        {
            let told = Failure::later(error.clone(), agreed).to_string();
            // Names of types and their variants are one word with capitals in it.
            let is_plain = |word: &str| {
                let word = word.trim_matches(|c: char| !c.is_alphanumeric());
                let capitals = word.chars().filter(char::is_ascii_uppercase).count();
                let letters = word.chars().filter(char::is_ascii_alphabetic).count();
                capitals == 0 || capitals == letters
            };
            assert!(told.split(' ').all(is_plain), "{error:?}: {told}");
            assert!(!told.contains(['{', '"', '_']), "{error:?}: {told}");
        }
        let told =
            |presented| Failure::to_agree(Error::InvalidCertificate(named(presented))).to_string();
        assert_eq!(
            told(0),
            "its certificate is not for localhost, and names no host"
        );
        assert!(told(2).ends_with("but for 0.example.org, 1.example.org"));
        assert!(told(9).ends_with(", 4.example.org and 4 more"));
    }

    #[test]
    fn what_is_not_in_common_is_not_told_after_it_was_agreed_on() {
        let told = |description, agreed| {
            Failure::later(Error::AlertReceived(description), agreed).to_string()
        };
        for code in 0..=u8::MAX {
            let description = AlertDescription::from(code);
            let before = told(description, None);
            let after = told(description, Some(ProtocolVersion::TLSv1_3));
            let is_in_common = ["both sides", "(--ssl-servername)"]
                .iter()
                .any(|words| before.contains(words));
            match is_in_common {
                true => assert_eq!(
                    after,
                    format!("it broke off after TLS was agreed on (TLS alert {code})")
                ),
                // With TLS 1.3 a certificate is judged only then.
                false => assert_eq!(before, after),
            }
        }
        let anew = told(
            AlertDescription::HandshakeFailure,
            Some(ProtocolVersion::TLSv1_2),
        );
        assert!(anew.ends_with(", perhaps since it may not agree on it anew"));
    }
}
