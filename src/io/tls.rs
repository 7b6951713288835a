//! TLS (RFC 8446, RFC 5246): what the options ask for, and the entrance to the modules that do it.
//!
//! ```text
//!  stdin, room ─► Conn ─► Layer::Tls(Session) ─► records ─► Socket
//! ```
//!
//! It promises: no peer is believed without proof (a participant verifies the hub's certificate
//! unless it knows the fingerprint; no peer joins the hub before the handshake is over), and every
//! wait has a limit of time and memory. Without the feature `tls` the functions are the same, and
//! what asks for it is refused.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod config;
#[cfg(feature = "tls")]
mod failure;
#[cfg(feature = "tls")]
mod framing;
#[cfg(feature = "tls")]
mod sealing;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod verify;
#[cfg(feature = "tls")]
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(not(feature = "tls"))]
pub use self::absent::Acceptor;
#[cfg(not(feature = "tls"))]
pub use self::absent::Connector;
#[cfg(not(feature = "tls"))]
pub use self::absent::Session;
#[cfg(feature = "tls")]
pub use self::config::Acceptor;
#[cfg(feature = "tls")]
pub use self::config::Connector;
#[cfg(feature = "tls")]
pub use self::session::Session;

/// What a participant asks of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    /// The certificate that it shows, if the other side asks for one.
    pub identity: Option<Identity>,
    /// Which certificates of the other side it believes.
    pub trust: Trust,
    /// The name that the other side's certificate must have; without it the host.
    pub name: Option<String>,
    /// Application protocols to offer, the best first (RFC 7301).
    pub alpn: Vec<String>,
}

/// What a hub asks of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubTls {
    /// The certificate that it shows; without it one is made for this run.
    pub identity: Option<Identity>,
    /// Participants must show a certificate that this file vouches for.
    pub clients: Option<PathBuf>,
    /// Application protocols that it speaks, the best first.
    pub alpn: Vec<String>,
}

/// A certificate with those that lead to its authority, and its key, both as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The file of the certificates.
    pub cert: PathBuf,
    /// The file of the key, which may be the same.
    pub key: PathBuf,
}

/// Which certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those of the authorities that the system trusts.
    System,
    /// Those in a PEM file, and those of the authorities in it.
    File(PathBuf),
    /// This one and no other, whatever it says.
    Fingerprint(Expected),
}

/// The SHA-256 of a certificate's DER. Shown as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// Hexadecimal digits in a group, as people read them from a board.
const GROUP: usize = 4;

/// So many groups at the beginning are enough: to find another certificate with the same 80 bits
/// takes 2^80 attempts.
const ENOUGH: usize = 5;

impl Fingerprint {
    /// The part of it that is enough, as one word of a command.
    pub fn short(&self) -> String {
        self.groups()[..ENOUGH].join(":")
    }

    /// All of it, to be read and copied by people, and how much of it they need.
    pub fn spelled(&self) -> String {
        let groups = self.groups().join(" ");
        format!("{groups} (the first {ENOUGH} groups are enough)")
    }

    fn groups(&self) -> Vec<String> {
        let bytes = self.0.chunks(GROUP / 2);
        bytes
            .map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The beginning of a fingerprint, or all of it: at least 20 hexadecimal digits. Read with or without
/// a blank or a colon between them here and there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(String);

impl Expected {
    /// Whether it is the beginning of that one.
    pub fn is_of(&self, fingerprint: &Fingerprint) -> bool {
        fingerprint.to_string().starts_with(&self.0)
    }
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Expected, String> {
        let mut digits = String::new();
        let groups = text.trim().split([' ', ':']);
        let good = groups.into_iter().all(|group| {
            digits.push_str(&group.to_ascii_lowercase());
            !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        match good && (ENOUGH * GROUP..=64).contains(&digits.len()) {
            true => Ok(Expected(digits)),
            false => Err(String::from(
                "a SHA-256 fingerprint is 64 hexadecimal digits, of which the first 20 are enough, \
                 with or without a colon between groups of them (in quotes with a blank), as the hub \
                 shows it or: openssl x509 -noout -fingerprint -sha256 -in cert.pem",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_as_people_copy_them() {
        let bytes: [u8; 32] = std::array::from_fn(|i| (i * 8 + 3) as u8);
        let fingerprint = Fingerprint(bytes);
        let other = Fingerprint(std::array::from_fn(|i| bytes[i] ^ u8::from(i == 9)));
        let plain = fingerprint.to_string();
        let cut = |width: usize, between: &str| {
            let groups: Vec<&str> = (0..64 / width)
                .map(|i| &plain[width * i..width * (i + 1)])
                .collect();
            groups.join(between)
        };
        let colons = cut(2, ":");
        assert_eq!(plain.len(), 64);
        assert_eq!(fingerprint.short(), "030b:131b:232b:333b:434b");
        assert!(
            fingerprint
                .spelled()
                .starts_with("030b 131b 232b 333b 434b 535b ")
        );
        for text in [
            plain.clone(),
            colons.clone(),
            plain.to_uppercase(),
            colons.to_uppercase(),
            cut(4, " "),
            cut(4, ":"),
            format!(" {} ", cut(8, " ")),
            plain[..20].into(),
            plain[..21].into(),
            plain[..63].into(),
            fingerprint.short(),
            fingerprint.short().replace(':', " "),
        ] {
            let expected: Expected = text.parse().expect(&text);
            assert!(expected.is_of(&fingerprint), "{text}");
            assert!(!expected.is_of(&other), "{text}");
        }
        for text in [
            String::new(),
            String::from(":"),
            plain[..19].into(),
            plain[1..].replacen('b', "x", 1),
            format!("{plain}00"),
            format!("{colons}:"),
            format!(":{colons}"),
            plain.replacen("03", "0g", 1),
            plain.replacen("03", "+3", 1),
            plain.replacen("03", "é", 1),
            colons.replacen(':', "0", 1),
            cut(2, "::"),
            cut(4, "-"),
            fingerprint.spelled(),
        ] {
            assert!(text.parse::<Expected>().is_err(), "{text}");
        }
        // Without its first digit it is another certificate's.
        assert!(!plain[1..].parse::<Expected>().unwrap().is_of(&fingerprint));
    }
}
