//! What went wrong with TLS, in plain words.
//!
//! It promises: "it" is the other side in every sentence; what a person can act on is said without
//! TLS's own terms.

use std::fmt;

use rustls::AlertDescription;
use rustls::CertificateError;

use super::verify::Unfit;

/// What TLS found wrong, in plain words; "it" is the other side.
#[derive(Debug)]
pub(super) struct Failure(pub(super) rustls::Error);

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            rustls::Error::InvalidMessage(_) => f.write_str("what it sent is not TLS"),
            rustls::Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired => {
                    f.write_str("it wants to see a certificate, and there was none")
                }
                AlertDescription::CloseNotify => f.write_str("it said goodbye"),
                alert => write!(f, "it refused: {}", words(alert)),
            },
            rustls::Error::InvalidCertificate(error) => certificate(error, f),
            rustls::Error::NoCertificatesPresented => f.write_str("it has shown no certificate"),
            rustls::Error::NoApplicationProtocol => {
                f.write_str("none of the application protocols (ALPN) is spoken on both sides")
            }
            rustls::Error::PeerIncompatible(_) => {
                f.write_str("there is no version and cipher of TLS that both sides speak")
            }
            rustls::Error::DecryptError => {
                f.write_str("what it sent cannot be decrypted: it was damaged or forged")
            }
            other => write!(f, "{other}"),
        }
    }
}

fn certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        CertificateError::UnknownIssuer => {
            f.write_str("its certificate is signed by nobody who is trusted here")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            f.write_str("its certificate has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            f.write_str("its certificate is not valid yet")
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            match presented.is_empty() {
                true => write!(f, "its certificate is not for {expected}"),
                false => write!(
                    f,
                    "its certificate is not for {expected}, but for {}",
                    presented.join(", ")
                ),
            }
        }
        CertificateError::ApplicationVerificationFailure => {
            f.write_str("its certificate has another fingerprint")
        }
        CertificateError::Other(why) if why.0.is::<Unfit>() => {
            write!(f, "its certificate is {why}")
        }
        other => write!(f, "its certificate is not valid ({})", words(other)),
    }
}

/// `UnknownCA` as `unknown CA`.
fn words(name: &impl fmt::Debug) -> String {
    let name = format!("{name:?}");
    let mut words = String::with_capacity(name.len() + 4);
    let mut letters = name.chars().peekable();
    let mut after_lower = false;
    while let Some(letter) = letters.next() {
        let begins = letter.is_ascii_uppercase() && after_lower;
        if begins {
            words.push(' ');
        }
        let alone = letters.peek().is_some_and(char::is_ascii_lowercase);
        after_lower = letter.is_ascii_lowercase();
        match (begins || words.is_empty()) && alone {
            true => words.push(letter.to_ascii_lowercase()),
            false => words.push(letter),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(words(&AlertDescription::UnknownCA), "unknown CA");
        assert_eq!(
            words(&AlertDescription::HandshakeFailure),
            "handshake failure"
        );
        assert_eq!(words(&AlertDescription::BadCertificate), "bad certificate");
    }
}
