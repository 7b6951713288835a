//! Connecting through a proxy.
//!
//! Floor 0 decides what is said ([`Conversation`]); here it is sent, and the answer is looked at
//! before it is taken.
//!
//! It promises: when the connection is handed over, nothing of ours was sent to the destination,
//! and nothing that came from it was taken; all of it together ends at the limit.

use std::fmt;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;

use crate::engine::explain::Observed;
use crate::engine::explain::Witness;
use crate::engine::proxy::Conversation;
use crate::engine::proxy::Destination;
use crate::engine::proxy::Kind;
use crate::engine::proxy::Login;
use crate::engine::proxy::ProxyError;
use crate::engine::proxy::Step;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Family;
use crate::io::net::Lookup;
use crate::io::net::Patience;
use crate::io::net::Remote;
use crate::io::random;
use crate::io::wait::until_ready;

/// Bytes looked at in one go.
const CHUNK: usize = 4096;

/// A proxy, and how to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its language.
    pub kind: Kind,
    /// Its name or address.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// The user and password, should it ask.
    pub login: Option<Login>,
    /// Which side looks the destination's name up.
    pub dns: Dns,
}

/// Which side looks the destination's name up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dns {
    /// We do.
    Local,
    /// The proxy does.
    Remote,
    /// The proxy does if we cannot.
    Both,
    /// None: it has to be an address.
    None,
}

/// As in a URL: an IPv6 address is in brackets.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Connects to `remote` through `proxy`, and returns with the stream what the proxy was asked for.
/// The stream is non-blocking.
///
/// # Errors
/// The proxy cannot be reached, or does not do it.
pub fn connect(
    remote: &Remote,
    proxy: &Proxy,
    witness: &mut dyn Witness,
) -> Result<(TcpStream, String), Error> {
    let end = Instant::now() + remote.limit;
    let destination = destination(remote, proxy, end)?;
    let place = destination.to_string();
    let doing = format!("connect to {place} through proxy {proxy}");
    let mut talk = Negotiation::new(proxy, destination)?;
    loop {
        let to_proxy = Remote {
            host: proxy.host.clone(),
            port: proxy.port,
            limit: end.saturating_duration_since(Instant::now()),
            ..remote.clone()
        };
        let (stream, addr) =
            net::connect(&to_proxy, witness).map_err(|error| unreachable(error, proxy, &place))?;
        log::debug!("connected to proxy {addr}");
        witness.observe(Observed::ProxyAsked {
            language: &proxy.kind.to_string(),
            proxy: &addr.to_string(),
            place: &place,
        });
        match talk.finish(&stream, end) {
            Ok(End::Done) => {
                witness.observe(Observed::ProxyAgreed(&place));
                return Ok((stream, place));
            }
            Ok(End::Reconnect) => {
                log::debug!("the proxy is to be asked on a new connection");
                witness.observe(Observed::ProxyWantsLogin);
            }
            Err(failure) => return Err(failure.told(&doing, proxy)),
        }
    }
}

/// The proxy itself cannot be reached: nothing is known of the destination.
fn unreachable(error: Error, proxy: &Proxy, place: &str) -> Error {
    let advice = error.advice().map(|advice| format!("{advice} "));
    let advice = advice.unwrap_or_default();
    let told = error.while_doing(format!("connect to proxy {proxy}"));
    told.hint(format!(
        "{advice}(That is the proxy; {place} was not tried.)"
    ))
}

/// Why a negotiation came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The proxy's answer, or that it has none.
    ProxyError(ProxyError),
    /// The connection to it.
    System(io::Error),
}

impl From<ProxyError> for Failure {
    fn from(refusal: ProxyError) -> Failure {
        Failure::ProxyError(refusal)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::System(error)
    }
}

impl Failure {
    pub(super) fn told(self, doing: &str, proxy: &Proxy) -> Error {
        let refusal = match self {
            Failure::System(error) if error.kind() == ErrorKind::TimedOut => {
                return Error::new(doing, "the proxy did not answer in time").hint(
                    "Is that a proxy of this type (--proxy-type), and does the destination \
                     answer? (-w TIME sets how long to try.)",
                );
            }
            Failure::System(error) => return Error::system(doing, &error),
            Failure::ProxyError(refusal) => refusal,
        };
        let told = Error::new(doing, refusal.to_string());
        match refusal {
            ProxyError::Closed | ProxyError::Nonsense(_) => told.hint(format!(
                "Is that a proxy of type {} (--proxy-type)?",
                proxy.kind
            )),
            ProxyError::LoginWanted => told.hint("--proxy-auth USER:PASS says who you are."),
            ProxyError::Unsuitable(what) => Error::usage(doing, what),
            ProxyError::Refused(_)
            | ProxyError::NobodyListens
            | ProxyError::NoAnswer(_)
            | ProxyError::LoginRefused
            | ProxyError::LoginUnknown => told,
        }
    }
}

/// The negotiation with a proxy until it connects, as far as it has come.
#[derive(Debug)]
pub(super) struct Negotiation {
    talk: Conversation,
    step: Step,
}

/// What the negotiation needs to go on, or how it ended.
#[derive(Debug)]
pub(super) enum Progress {
    /// The connection has to be ready for this.
    Wait(PollFlags),
    /// It goes on over a new connection to the proxy.
    Reconnect,
    /// The connection is the destination's.
    Done,
}

impl Negotiation {
    /// Asks `proxy` for `destination`.
    pub(super) fn new(proxy: &Proxy, destination: Destination) -> Result<Negotiation, Error> {
        let doing = || format!("connect to {destination} through proxy {proxy}");
        let chance = chance().map_err(|error| Error::system("read /dev/urandom", &error))?;
        let login = proxy.login.clone();
        let talk = Conversation::new(proxy.kind, destination.clone(), login, chance)
            .map_err(|refusal| Failure::ProxyError(refusal).told(&doing(), proxy))?;
        Ok(Negotiation {
            talk,
            step: Step::Reconnect,
        })
    }

    /// Begins, or goes on, over a connection that is new.
    pub(super) fn connected(&mut self) -> Result<(), Failure> {
        self.step = self.talk.step(&mut &[][..])?;
        Ok(())
    }

    /// Goes on as far as the connection, which must be non-blocking, allows.
    pub(super) fn advance(&mut self, mut stream: &TcpStream) -> Result<Progress, Failure> {
        let mut buffer = [0; CHUNK];
        loop {
            match &mut self.step {
                Step::Done => return Ok(Progress::Done),
                Step::Reconnect => return Ok(Progress::Reconnect),
                Step::Send(bytes) if bytes.is_empty() => {
                    self.step = self.talk.step(&mut &[][..])?;
                }
                Step::Send(bytes) => match stream.write(bytes) {
                    Ok(count) => drop(bytes.drain(..count)),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Ok(Progress::Wait(PollFlags::OUT));
                    }
                    Err(error) => self.step = broken(&mut self.talk, error)?,
                },
                Step::Read => match stream.peek(&mut buffer) {
                    Ok(0) => self.step = self.talk.ended()?,
                    Ok(count) => {
                        let mut input = &buffer[..count];
                        let step = self.talk.step(&mut input);
                        let taken = count - input.len();
                        stream.read_exact(&mut buffer[..taken])?;
                        self.step = step?;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Ok(Progress::Wait(PollFlags::IN));
                    }
                    Err(error) => self.step = broken(&mut self.talk, error)?,
                },
            }
        }
    }

    /// Goes on until it is over, or the time is.
    fn finish(&mut self, stream: &TcpStream, end: Instant) -> Result<End, Failure> {
        self.connected()?;
        loop {
            match self.advance(stream)? {
                Progress::Done => return Ok(End::Done),
                Progress::Reconnect => return Ok(End::Reconnect),
                Progress::Wait(wanted) => wait(stream, wanted, end)?,
            }
        }
    }
}

/// How a negotiation with a proxy ended.
enum End {
    Done,
    Reconnect,
}

/// A connection that broke is one that ended, unless the error is all there is to tell.
fn broken(talk: &mut Conversation, error: io::Error) -> Result<Step, Failure> {
    match error.kind() {
        ErrorKind::TimedOut => Err(error.into()),
        _ => talk.ended().map_err(|_| error.into()),
    }
}

/// Waits until there is something to do, or the time is up.
fn wait(stream: &TcpStream, wanted: PollFlags, end: Instant) -> io::Result<()> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Err(ErrorKind::TimedOut.into());
        }
        match until_ready(&mut [PollFd::new(stream, wanted)], left) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What to ask the proxy for.
pub(super) fn destination(
    remote: &Remote,
    proxy: &Proxy,
    end: Instant,
) -> Result<Destination, Error> {
    let host = &remote.host;
    let as_it_is = || {
        Destination::new(host, remote.port).ok_or_else(|| {
            Error::usage(format!("host '{host}'"), "it can be no name")
                .hint("A name is of letters, digits, dots and hyphens.")
        })
    };
    let looked_up = |lookup| {
        let family = match proxy.kind {
            Kind::Socks4 => Family::V4,
            Kind::Http | Kind::Socks5 => remote.family,
        };
        let found = net::resolve(host, remote.port, family, lookup, Patience::Until(end))?;
        let ip = found[0].ip().to_string();
        Destination::new(&ip, remote.port)
            .ok_or_else(|| Error::new(format!("look up {host}"), "it has no address"))
    };
    if host.parse::<IpAddr>().is_ok() {
        return as_it_is();
    }
    match proxy.dns {
        Dns::Remote => as_it_is(),
        Dns::Local => looked_up(remote.lookup),
        Dns::Both => looked_up(remote.lookup).or_else(|_| as_it_is()),
        Dns::None => looked_up(Lookup::Numeric).map_err(|_| {
            Error::usage(format!("host '{host}'"), "it is not an address")
                .hint("With --proxy-dns none nothing is looked up.")
        }),
    }
}

/// An unpredictable text of letters and digits.
fn chance() -> io::Result<String> {
    let bytes: [u8; 16] = random::bytes()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
