//! The options as rustls wants them: certificates, keys, whom to trust.
//!
//! It promises: every file that does not help is named with what is wrong with it, before anything
//! is connected or listened on.

use std::io;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::KeyPair;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::ServerConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::server::NoServerSessionStorage;

use super::ClientTls;
use super::Fingerprint;
use super::HubTls;
use super::Identity;
use super::Session;
use super::Trust;
use super::failure::Failure;
use super::failure::Useless;
use super::sealing::Waiting;
use super::verify::HubVerifier;
use super::verify::Measure;
use super::verify::ParticipantVerifier;
use super::verify::SelfSigned;
use super::verify::Vouchers;
use super::verify::fingerprint;
use crate::engine::explain::Unexplained;
use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::small_file::Files;
use crate::io::socket::Socket;
use crate::io::stream::Handshake;
use crate::io::stream::Stream;
use crate::io::wait::until_ready;

/// A chain of certificates, the owner's first, and its key.
type Credentials = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Makes sessions for those who come to a hub.
#[derive(Debug, Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
    /// What waits of all sessions that it makes.
    waiting: Waiting,
}

impl Acceptor {
    /// Reads or makes what the hub shows; what is among `files` was read.
    ///
    /// # Errors
    /// A file cannot be read or makes no sense.
    pub fn new(asked: &HubTls, files: &mut Files) -> Result<Acceptor, Error> {
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match &asked.clients {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let verifier = ParticipantVerifier::new(vouchers(file, &provider, files)?);
                builder.with_client_cert_verifier(Arc::new(verifier))
            }
        };
        let (chain, key) = match &asked.identity {
            Some(identity) => read(identity, files)?,
            None => make()?,
        };
        let fingerprint = fingerprint(&chain[0]);
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| mismatch(asked.identity.as_ref(), &error))?;
        config.alpn_protocols = protocols(&asked.alpn);
        // Who comes back brings what has to be known of it: nothing is kept here but the keys that open
        // it, which change every six hours. What is said before the handshake is over (0-RTT) somebody
        // could repeat: it is not taken, as is rustls's default.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        // Who has to show a certificate shows it each time.
        if asked.clients.is_none() {
            config.ticketer = Ticketer::new().map_err(unusable)?;
            config.send_tls13_tickets = 1;
        }
        Ok(Acceptor {
            config: Arc::new(config),
            fingerprint,
            waiting: Waiting::default(),
        })
    }

    /// Of the certificate that it shows.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// A session whose handshake has not begun.
    pub fn accept(&self, socket: Socket) -> Session {
        Session::server(socket, Arc::clone(&self.config), self.waiting.clone())
    }
}

/// Makes the session of a participant.
#[derive(Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    verifier: Arc<HubVerifier>,
    name: ServerName<'static>,
}

impl Connector {
    /// Reads what is needed to talk to `host`; what is among `files` was read.
    ///
    /// # Errors
    /// A file cannot be read or makes no sense, or the name.
    pub fn new(asked: &ClientTls, host: &str, files: &mut Files) -> Result<Connector, Error> {
        let name = name(asked.name.as_deref().unwrap_or(host))?;
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let verifier = Arc::new(HubVerifier {
            measure: measure(&asked.trust, &provider, files)?,
            algorithms,
            seen: OnceLock::new(),
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut config = match &asked.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = read(identity, files)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| mismatch(Some(identity), &error))?
            }
        };
        config.alpn_protocols = protocols(&asked.alpn);
        config.resumption = Resumption::disabled();
        Ok(Connector {
            config: Arc::new(config),
            verifier,
            name,
        })
    }

    /// A session with `host`, over a connection to it, whose handshake has not begun.
    ///
    /// # Errors
    /// There is no such name.
    pub fn begin(&self, socket: Socket, host: &str) -> Result<Session, Error> {
        let tls = ClientConnection::new(self.config.clone(), name(host)?)
            .map_err(|error| Error::new("set up TLS", Failure::to_agree(error).to_string()))?;
        Ok(Session::client(socket, tls))
    }

    /// Does the handshake over a connection to `place`, until `end` at the latest.
    ///
    /// # Errors
    /// The two could not agree, or not in time, or the connection broke.
    pub fn connect(&self, socket: Socket, place: &Addr, end: Instant) -> Result<Session, Error> {
        let doing = || format!("set up TLS with {place}");
        let tls = ClientConnection::new(self.config.clone(), self.name.clone())
            .map_err(|error| Error::new(doing(), Failure::to_agree(error).to_string()))?;
        let mut session = Session::client(socket, tls);
        loop {
            match session.handshake(&mut Unexplained) {
                Handshake::Done => return Ok(session),
                Handshake::Silent
                | Handshake::Begun
                | Handshake::Pending
                | Handshake::Replied
                | Handshake::Foreign
                | Handshake::Asks
                | Handshake::Fetches
                | Handshake::Answered(_)
                | Handshake::Left => {}
                Handshake::Failed(error) => {
                    let told = Error::new(doing(), why(&error));
                    return Err(match self.advice(&error) {
                        Some(hint) => told.hint(hint),
                        None => told,
                    });
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(doing(), "timed out").hint(
                    "It accepts connections and does not answer as TLS does: is it a port \
                     without TLS? (-w TIME sets how long to try.)",
                ));
            }
            wait(&session, left);
        }
    }

    /// What to do about a handshake that failed.
    fn advice(&self, error: &io::Error) -> Option<String> {
        if matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
        ) {
            return Some("Is it a port without TLS? Then leave out --ssl.".into());
        }
        let Failure { error, .. } = error.get_ref()?.downcast_ref()?;
        let seen = self.verifier.seen.get();
        Some(match (error, seen) {
            (rustls::Error::InvalidMessage(_), _) => {
                "It is a port without TLS: leave out --ssl.".into()
            }
            (
                rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
                Some(seen),
            ) => format!(
                "It is {}. Somebody may be in between, or it is another hub than the one you \
                 were told of: ask again for its fingerprint.",
                seen.spelled()
            ),
            // Where it is believed by its fingerprint it has that one.
            (rustls::Error::InvalidCertificate(problem), Some(seen))
                if matches!(self.verifier.measure, Measure::Vouched(_)) =>
            {
                let other = match problem {
                    CertificateError::UnknownIssuer => {
                        "\n  Or, with the certificate of its authority: --ssl-trustfile FILE".into()
                    }
                    CertificateError::Other(why) if why.0.is::<SelfSigned>() => {
                        "\n  Or, with that certificate in a file: --ssl-trustfile FILE".into()
                    }
                    CertificateError::NotValidForNameContext {
                        expected,
                        presented,
                    } if !presented.iter().any(|shown| may_be_asked_for(shown)) => {
                        let kind = match expected {
                            ServerName::IpAddress(_) => "IP",
                            _ => "DNS",
                        };
                        let name = expected.to_str();
                        format!(
                            "\n  Or, made anew with -addext subjectAltName={kind}:{name}, it has that name."
                        )
                    }
                    CertificateError::NotValidForNameContext { .. } => {
                        "\n  Or, if it has that other name: --ssl-servername NAME".into()
                    }
                    _ => String::new(),
                };
                format!(
                    "If those who run it say that this is its fingerprint, trust it so:\n  \
                     --ssl-fingerprint {}{other}",
                    seen.short()
                )
            }
            _ => return None,
        })
    }
}

/// Waits until the handshake may go on, or for `limit`.
fn wait(session: &Session, limit: Duration) {
    let socket = session.socket().as_fd();
    let wanted = match session.wants_write() {
        true => PollFlags::IN | PollFlags::OUT,
        false => PollFlags::IN,
    };
    // Whatever it says, the next read or write will say it better.
    let _ = until_ready(&mut [PollFd::new(&socket, wanted)], limit);
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(error: rustls::Error) -> Error {
    Error::new("set up TLS", Failure::to_agree(error).to_string())
}

fn protocols(alpn: &[String]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// The name that a certificate must have: of a host, without a final dot, or an address, without a
/// scope.
fn name(host: &str) -> Result<ServerName<'static>, Error> {
    let bare = host.split('%').next().unwrap_or(host);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(ServerName::from(ip));
    }
    ServerName::try_from(host.trim_end_matches('.').to_owned()).map_err(|_| {
        Error::usage(
            format!("the name '{host}'"),
            "no certificate can be for that",
        )
        .hint("--ssl-servername NAME says which name the certificate must have.")
    })
}

/// Whether --ssl-servername may be what a certificate is shown to be for, or a name below it: an address that it has
/// as a DNS name may not.
fn may_be_asked_for(shown: &str) -> bool {
    name(shown.strip_prefix("*.").unwrap_or(shown)).is_ok()
}

fn measure(trust: &Trust, provider: &CryptoProvider, files: &mut Files) -> Result<Measure, Error> {
    match trust {
        Trust::Fingerprint(expected) => Ok(Measure::Fingerprint(expected.clone())),
        Trust::File(file) => vouchers(file, provider, files).map(Measure::Vouched),
        Trust::System => system(provider).map(Measure::Vouched),
    }
}

/// The authorities that the system trusts.
fn system(provider: &CryptoProvider) -> Result<Vouchers, Error> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::debug!("the system's certificates: {error}");
    }
    let mut vouchers = Vouchers::new(provider);
    let count = found.certs.len();
    // Some of the system's certificates may be of a form that rustls does not support.
    let understood = found.certs.into_iter().map(|der| vouchers.add(der));
    let not = understood.filter(Result::is_err).count();
    log::debug!(
        "{} authorities are trusted, {not} of {count} are not understood",
        vouchers.len()
    );
    match vouchers.is_empty() {
        true => Err(
            Error::new("verify certificates", "this system trusts no authority").hint(
                "Install its package ca-certificates, or say whom to trust: --ssl-trustfile FILE \
                 or --ssl-fingerprint SHA256",
            ),
        ),
        false => Ok(vouchers),
    }
}

/// The certificates of a PEM file.
fn vouchers(file: &Path, provider: &CryptoProvider, files: &mut Files) -> Result<Vouchers, Error> {
    let mut vouchers = Vouchers::new(provider);
    for der in certificates(file, files.read(file)?)? {
        vouchers.add(der).map_err(|error| unfit(file, error))?;
    }
    Ok(vouchers)
}

fn unfit(file: &Path, error: CertificateError) -> Error {
    Error::new(
        format!("trust {}", file.display()),
        Useless(error.into()).to_string(),
    )
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let doing = || format!("read {}", file.display());
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| {
            Error::new(doing(), "it is damaged").hint(
                "It must be PEM, as text: from each -----BEGIN CERTIFICATE----- to its \
                 -----END CERTIFICATE-----",
            )
        })?;
    match found.is_empty() {
        true => Err(Error::new(doing(), "no certificate is in it")
            .hint("It must be PEM, as text that begins with -----BEGIN CERTIFICATE-----")),
        false => Ok(found),
    }
}

fn read(identity: &Identity, files: &mut Files) -> Result<Credentials, Error> {
    let chain = certificates(&identity.cert, files.read(&identity.cert)?)?;
    let key = PrivateKeyDer::from_pem_slice(files.read(&identity.key)?).map_err(|_| {
        let own = match identity.key == identity.cert {
            true => "The key may be in a file of its own: --ssl-key FILE\n  ",
            false => "",
        };
        Error::new(
            format!("read {}", identity.key.display()),
            "no private key is in it that can be used",
        )
        .hint(format!(
            "{own}It must be PEM and not encrypted; what is encrypted is opened by:\n  \
             openssl pkey -in KEY -out PLAIN"
        ))
    })?;
    Ok((chain, key))
}

/// A certificate that vouches for itself, for this run.
fn make() -> Result<Credentials, Error> {
    let failed =
        |error: rcgen::Error| Error::new("make a certificate", error.to_string().to_lowercase());
    let mut about = CertificateParams::new([String::from("localhost")]).map_err(failed)?;
    about.distinguished_name.push(DnType::CommonName, "muxnc");
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = about.self_signed(&key).map_err(failed)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((vec![certificate.der().clone()], key.into()))
}

fn mismatch(identity: Option<&Identity>, error: &rustls::Error) -> Error {
    let doing = match identity {
        Some(Identity { cert, key }) => format!("use {} with {}", cert.display(), key.display()),
        None => String::from("make a certificate"),
    };
    Error::new(doing, Useless(error.clone()).to_string())
}
