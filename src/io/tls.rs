//! TLS (RFC 8446, RFC 5246): what is asked for, and the doors of the rooms that do it.
//!
//! ```text
//!  stdin, room ─► Conn ─► Layer::Tls(Session) ─► records ─► Socket
//! ```
//!
//! It promises: nobody is taken at their word (a participant verifies the hub's certificate unless
//! it knows the fingerprint; nobody joins the hub before the handshake is over), and nobody is
//! waited for without a limit of time and memory. Without the feature `tls` the doors are the same
//! and lead nowhere.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod config;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod verify;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(not(feature = "tls"))]
pub use self::absent::Acceptor;
#[cfg(not(feature = "tls"))]
pub use self::absent::Connector;
#[cfg(feature = "tls")]
pub use self::config::Acceptor;
#[cfg(feature = "tls")]
pub use self::config::Connector;
#[cfg(feature = "tls")]
pub use self::session::Session;

/// What a participant asks of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    /// What it shows, if the other side wants to see something.
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
    /// What it shows; without it one is made for the occasion.
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
    Fingerprint(Fingerprint),
}

/// The SHA-256 of a certificate's DER. Shown as 64 hexadecimal digits; read with or without colons
/// between the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Fingerprint, String> {
        let bad = || {
            String::from(
                "a SHA-256 fingerprint is 64 hexadecimal digits, with or without colons, as the \
                 hub shows it or: openssl x509 -noout -fingerprint -sha256 -in cert.pem",
            )
        };
        let width = match text.contains(':') {
            true => 3,
            false => 2,
        };
        if !text.is_ascii() || text.len() != 32 * width - (width - 2) {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (byte, part) in bytes.iter_mut().zip(text.as_bytes().chunks(width)) {
            let digit = |at: usize| char::from(part[at]).to_digit(16).ok_or_else(bad);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
            if part.get(2).is_some_and(|&between| between != b':') {
                return Err(bad());
            }
        }
        Ok(Fingerprint(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_as_people_copy_them() {
        let bytes: [u8; 32] = std::array::from_fn(|i| (i * 8 + 3) as u8);
        let plain = Fingerprint(bytes).to_string();
        let pairs: Vec<&str> = (0..32).map(|i| &plain[2 * i..2 * i + 2]).collect();
        let colons = pairs.join(":");
        assert_eq!(plain.len(), 64);
        for text in [
            &plain,
            &colons,
            &plain.to_uppercase(),
            &colons.to_uppercase(),
        ] {
            assert_eq!(text.parse(), Ok(Fingerprint(bytes)), "{text}");
        }
        for text in [
            String::new(),
            String::from(":"),
            plain[1..].into(),
            format!("{plain}00"),
            format!("{colons}:"),
            format!(":{colons}"),
            plain.replacen("03", "0g", 1),
            plain.replacen("03", "+3", 1),
            plain.replacen("03", "é", 1),
            colons.replacen(':', "0", 1),
            colons.replace(':', " "),
            pairs.join("::"),
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
