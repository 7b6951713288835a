//! Whether and how the connection is encrypted.

use std::path::PathBuf;

use clap::Args;

use crate::io::error::Error;
use crate::io::tls::ClientTls;
use crate::io::tls::Expected;
use crate::io::tls::HubTls;
use crate::io::tls::Identity;
use crate::io::tls::Trust;

/// The options of this group. Each of them asks for TLS.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "TLS")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch that was typed or not"
)]
pub(super) struct TlsArgs {
    /// Encrypt with TLS, and verify whom we talk to
    ///
    /// A hub without --ssl-cert makes a certificate for this run and shows its fingerprint, by
    /// which participants know it: see --ssl-fingerprint.
    #[arg(long, visible_alias = "tls")]
    ssl: bool,

    /// The certificate to show, a PEM file
    #[arg(long, value_name = "FILE")]
    ssl_cert: Option<PathBuf>,

    /// The key of that certificate, a PEM file [default: the file of --ssl-cert]
    #[arg(long, value_name = "FILE")]
    ssl_key: Option<PathBuf>,

    /// Verify the other side: the default, but for a hub
    ///
    /// With -l participants must show a certificate that --ssl-trustfile vouches for.
    #[arg(long)]
    ssl_verify: bool,

    /// Believe the certificates in this PEM file and those signed by them, instead of the system's
    ///
    /// Each counts only within its dates, and signs for others only if it is an authority's (CA:TRUE).
    /// Stricter than openssl: whoever shows an authority's is believed only if that is listed itself, and
    /// ECDSA counts with SHA-256 and SHA-384, not with SHA-512.
    #[arg(long, value_name = "FILE", conflicts_with = "ssl_fingerprint")]
    ssl_trustfile: Option<PathBuf>,

    /// Believe the certificate with this SHA-256, and no other
    ///
    /// Its first 20 hexadecimal digits are enough, with or without colons, or in quotes blanks, between
    /// groups.
    #[arg(long, value_name = "SHA256", conflicts_with = "listen")]
    ssl_fingerprint: Option<Expected>,

    /// The name that the certificate must have [default: the host]
    #[arg(long, value_name = "NAME", conflicts_with = "listen")]
    ssl_servername: Option<String>,

    /// Application protocols to agree on, the best first: as h2,http/1.1
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = protocol)]
    ssl_alpn: Vec<String>,
}

/// Refuses an option that needs TLS where this program was built without it.
pub(super) fn require(option: &str) -> Result<(), Error> {
    match cfg!(feature = "tls") {
        true => Ok(()),
        false => Err(
            Error::usage(option, "this muxnc was built without TLS").hint(
                "Build it with its default features: cargo install without --no-default-features",
            ),
        ),
    }
}

impl TlsArgs {
    /// The files that are read.
    pub(super) fn reads(&self) -> impl Iterator<Item = &PathBuf> {
        let files = [&self.ssl_cert, &self.ssl_key, &self.ssl_trustfile];
        files.into_iter().flatten()
    }

    fn is_asked(&self) -> Result<bool, Error> {
        let asked = self.ssl
            || self.ssl_cert.is_some()
            || self.ssl_verify
            || self.ssl_trustfile.is_some()
            || self.ssl_fingerprint.is_some()
            || self.ssl_servername.is_some()
            || !self.ssl_alpn.is_empty();
        if asked {
            require("--ssl")?;
        }
        Ok(asked)
    }

    /// What a participant asks of TLS, if it does.
    pub(super) fn client(&self) -> Result<Option<ClientTls>, Error> {
        let asked = self.is_asked()?;
        let trust = match (&self.ssl_fingerprint, &self.ssl_trustfile) {
            (Some(expected), _) => Trust::Fingerprint(expected.clone()),
            (None, Some(file)) => Trust::File(file.clone()),
            (None, None) => Trust::System,
        };
        Ok(asked.then(|| ClientTls {
            identity: self.identity(),
            trust,
            name: self.ssl_servername.clone(),
            alpn: self.ssl_alpn.clone(),
        }))
    }

    /// What a hub asks of TLS, if it does.
    pub(super) fn hub(&self) -> Result<Option<HubTls>, Error> {
        let asked = self.is_asked()?;
        match (self.ssl_verify, &self.ssl_trustfile) {
            (true, None) => {
                return Err(
                    Error::usage("--ssl-verify", "whom to believe is missing").hint(
                        "With -l participants must show a certificate. Which are good: --ssl-verify \
                         --ssl-trustfile FILE",
                    ),
                );
            }
            (false, Some(_)) => {
                return Err(
                    Error::usage("--ssl-trustfile", "nobody is to be verified").hint(
                        "With -l participants show a certificate only if they must: --ssl-verify \
                         --ssl-trustfile FILE",
                    ),
                );
            }
            _ => {}
        }
        Ok(asked.then(|| HubTls {
            identity: self.identity(),
            clients: self.ssl_trustfile.clone(),
            alpn: self.ssl_alpn.clone(),
        }))
    }

    fn identity(&self) -> Option<Identity> {
        let cert = self.ssl_cert.clone()?;
        let key = self.ssl_key.clone().unwrap_or_else(|| cert.clone());
        Some(Identity { cert, key })
    }
}

/// The name of an application protocol: RFC 7301, 3.1.
fn protocol(text: &str) -> Result<String, String> {
    match text.len() {
        1..=255 => Ok(text.into()),
        _ => Err(String::from("a protocol's name has 1 to 255 bytes")),
    }
}
