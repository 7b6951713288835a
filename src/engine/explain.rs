//! Explaining: what happens on a connection as plain sentences, each with the layer that it belongs to
//! (`--explain`).
//!
//! ```text
//!   dialling ─┐                                       ┌─► Sentence, Sentence, …
//!   Conn ─────┼─► Observed ─► Story ─► Telling ─► take┤
//!   TCP_INFO ─┘                 │                     └─► how many were left out
//!                               └─► when to look at TCP_INFO next
//! ```
//!
//! The code that does something hands it to a [`Witness`] as a value ([`Observed`]), without words;
//! what is said of it, and whether, is decided here.
//!
//! It promises: a sentence says what a system call or the kernel's account told, or says that it
//! concludes; what strangers sent is shown, never obeyed; of a connection [`BURST`] sentences are told at
//! once and then two in a second, and of the others how many they were; at most [`WAITING`] wait; a look at
//! the account is timed only while something is not acknowledged.

mod dialling;
mod http;
#[cfg(test)]
mod tests;
mod transport;

use core::net::IpAddr;
use core::net::SocketAddr;
use std::fmt;
use std::io;
use std::io::IoSlice;
use std::time::Duration;
use std::time::Instant;

use self::http::Http;
use self::http::Way;
use self::transport::Transport;
use crate::engine::escape::Escaper;
use crate::engine::limiter::EACH;
use crate::engine::limiter::Limiter;

/// Sentences of a connection that are told at once.
pub const BURST: u32 = 40;

/// Sentences of a connection that may wait to be taken.
pub const WAITING: usize = 100;

/// Characters of what a stranger sent that stand in a sentence.
const SHOWN: usize = 40;

/// What a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// From a name to addresses.
    Name,
    /// From machine to machine.
    Ip,
    /// From program to program, bytes in order.
    Tcp,
    /// The same on one machine.
    Unix,
    /// Encryption.
    Tls,
    /// What browsers speak.
    WebSocket,
    /// A proxy in between.
    Proxy,
    /// A protocol of text over all of that.
    Http,
    /// muxnc itself.
    Program,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Name => "name",
            Layer::Ip => "IP",
            Layer::Tcp => "TCP",
            Layer::Unix => "Unix socket",
            Layer::Tls => "TLS",
            Layer::WebSocket => "WebSocket",
            Layer::Proxy => "proxy",
            Layer::Http => "HTTP",
            Layer::Program => "program",
        })
    }
}

/// One thing that happened, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// What it is about.
    pub layer: Layer,
    text: String,
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.text)
    }
}

/// What can be seen of a connection.
#[derive(Debug)]
pub enum Observed<'a> {
    /// What was given as a host is an address.
    Numeric(IpAddr),
    /// The system is asked for the addresses of this name.
    Asked(&'a str),
    /// It has these, in the order in which they are tried, and they were found after so long.
    Found(&'a str, &'a [SocketAddr], Duration),
    /// connect(2) was called for this address; `beside` another one that has not answered yet.
    Attempt {
        /// Where to.
        addr: SocketAddr,
        /// Others run.
        beside: bool,
    },
    /// An attempt failed.
    Failed {
        /// Where to.
        addr: SocketAddr,
        /// How.
        kind: io::ErrorKind,
        /// The error of the system call.
        why: &'a str,
        /// It is an address of a network that this machine is in.
        near: bool,
        /// It took as long as ARP or neighbour discovery waits for an answer: no machine has that
        /// address.
        slowly: bool,
    },
    /// An attempt was given up, since another one won.
    Outrun {
        /// Where to.
        loser: SocketAddr,
        /// The address that answered first.
        winner: SocketAddr,
    },
    /// TCP's handshake is over, so long after connect(2).
    Connected {
        /// Our end.
        local: SocketAddr,
        /// Theirs.
        remote: SocketAddr,
        /// How long it took.
        took: Duration,
    },
    /// listen(2) was called, there.
    Listening(&'a str),
    /// accept(2) gave a connection.
    Accepted {
        /// Our end, if it is TCP.
        local: Option<SocketAddr>,
        /// Theirs, if it is TCP.
        remote: Option<SocketAddr>,
    },
    /// A Unix socket is connected.
    Local(&'a str),
    /// A proxy is asked.
    ProxyAsked {
        /// Its language.
        language: &'a str,
        /// Where it is.
        proxy: &'a str,
        /// What it is asked to connect to.
        place: &'a str,
    },
    /// The proxy asked who we are, and has to be asked on another connection.
    ProxyWantsLogin,
    /// The proxy does it.
    ProxyAgreed(&'a str),
    /// The two agreed on a protocol over TCP.
    Agreed(&'a Agreement),
    /// Why its certificate is believed.
    Believed(Belief),
    /// The kernel, or a protocol over it, took the first so many bytes of these slices.
    Sent(&'a [IoSlice<'a>], usize),
    /// So many bytes were read.
    Received(&'a [u8]),
    /// An end was read.
    Ended,
    /// The same, without the word that its protocol ends with.
    Truncated,
    /// A system call failed.
    Broke(&'a io::Error),
    /// What was sent was not answered for so long that the connection is given up.
    Vanished,
    /// Our side was ended.
    Shut,
    /// The kernel was told to ask after so much silence whether the other side is there.
    Probes(Duration),
    /// There is nothing more to send.
    InputEnded,
    /// The output does not take what came.
    OutputFull,
    /// The others wait for this one, which is owed so many bytes.
    WaitedFor(u64),
    /// They do not any more, after so long.
    WaitedNoMore(Duration),
    /// The connection is closed now.
    Closing {
        /// It is closed by a reset.
        breaks: bool,
        /// So many bytes that came were not read.
        unread: u64,
    },
    /// The kernel's account of the connection, at that time.
    Looked(Reading, Instant),
    /// There is no such account.
    Unread,
}

/// What the kernel's account says: `struct tcp_info` of `linux/tcp.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// How far the connection is.
    pub phase: Phase,
    /// The smoothed round trip; zero where none was measured.
    pub round_trip: Duration,
    /// Bytes of a segment at most.
    pub segment: u32,
    /// Bytes that the other side has room for, if the system tells that (Linux 5.4).
    pub window: Option<u32>,
    /// Bytes on the wire that the kernel was given, and of those, acknowledged.
    pub written: u64,
    /// See `written`.
    pub acknowledged: u64,
    /// Bytes of them that were not sent yet.
    pub unsent: u32,
    /// Segments that were not acknowledged, a FIN included.
    pub in_flight: u32,
    /// Segments that were sent again.
    pub resent: u32,
    /// Probes that were not answered.
    pub probes: u8,
}

impl Reading {
    fn unacknowledged(&self) -> u64 {
        self.written.saturating_sub(self.acknowledged)
    }

    /// Whether anything is still to be acknowledged.
    fn is_out(&self) -> bool {
        self.unacknowledged() > 0 || self.in_flight > 0
    }
}

/// The states of a connection (RFC 9293, 3.3.2) that are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// ESTABLISHED.
    Established,
    /// FIN-WAIT-2: our FIN was acknowledged, theirs has not come.
    FinWait2,
    /// CLOSE-WAIT: theirs has come, and ours was not sent.
    CloseWait,
    /// Any other.
    Other,
}

/// What two agreed on to speak over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// TLS.
    Tls(TlsAgreement),
    /// WebSocket.
    WebSocket,
}

/// What two agreed on with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsAgreement {
    /// As `TLS 1.3`.
    pub version: String,
    /// What is encrypted with.
    pub cipher: String,
    /// The application protocol, if they chose one (ALPN).
    pub protocol: Option<String>,
    /// The other side's certificate, if it showed one.
    pub certificate: Option<CertificateShown>,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateShown {
    /// The names that it is for, in words; empty if it has none.
    pub names: String,
    /// Its fingerprint.
    pub fingerprint: String,
}

/// Why a certificate is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// An authority that the system trusts vouches for it.
    System,
    /// A file of certificates vouches for it.
    File,
    /// Its fingerprint was given.
    Fingerprint,
}

/// What is observed is handed to it.
pub trait Witness {
    /// Something happened.
    fn observe(&mut self, what: Observed<'_>);

    /// Whether it does anything with it, so that it is worth a system call.
    fn is_interested(&self) -> bool;
}

/// Nothing is explained.
#[derive(Debug)]
pub struct Unexplained;

impl Witness for Unexplained {
    fn observe(&mut self, _: Observed<'_>) {}

    fn is_interested(&self) -> bool {
        false
    }
}

/// What is to be told and was not taken yet.
#[derive(Debug, Default)]
struct Telling {
    sentences: Vec<Sentence>,
    left_out: u64,
}

impl Telling {
    fn say(&mut self, layer: Layer, text: impl Into<String>) {
        match self.sentences.len() < WAITING {
            true => self.sentences.push(Sentence {
                layer,
                text: text.into(),
            }),
            false => self.left_out += 1,
        }
    }
}

/// The story of one connection. See the module's documentation.
#[derive(Debug)]
pub struct Story {
    transport: Transport,
    http: Http,
    telling: Telling,
    limiter: Limiter,
    /// What is told once.
    has_ended_input: bool,
    has_full_output: bool,
}

impl Default for Story {
    fn default() -> Story {
        Story {
            transport: Transport::default(),
            http: Http::default(),
            telling: Telling::default(),
            limiter: Limiter::new(BURST, EACH),
            has_ended_input: false,
            has_full_output: false,
        }
    }
}

impl Witness for Story {
    fn is_interested(&self) -> bool {
        true
    }

    fn observe(&mut self, what: Observed<'_>) {
        let telling = &mut self.telling;
        match what {
            Observed::Sent(slices, mut count) => {
                self.transport.sent(count, telling);
                for slice in slices {
                    let taken = count.min(slice.len());
                    self.http.follow(Way::Out, &slice[..taken], telling);
                    count -= taken;
                }
            }
            Observed::Received(bytes) => {
                self.transport.received(bytes.len(), telling);
                self.http.follow(Way::In, bytes, telling);
            }
            Observed::InputEnded => {
                if !std::mem::replace(&mut self.has_ended_input, true) {
                    telling.say(Layer::Program, "stdin has ended: nothing more will be sent");
                }
            }
            Observed::OutputFull => {
                if !std::mem::replace(&mut self.has_full_output, true) {
                    telling.say(
                        Layer::Program,
                        "stdout takes nothing now, so we do not read: if that lasts, our window \
                         closes (win 0), and the other side has to wait",
                    );
                }
            }
            Observed::WaitedFor(owed) => telling.say(
                Layer::Program,
                format!(
                    "everybody waits for it: {} are kept for it here, and until it takes most of \
                     them, nothing more is read",
                    counted(owed, "byte")
                ),
            ),
            Observed::WaitedNoMore(time) => telling.say(
                Layer::Program,
                format!("nobody waits for it any more, after {time:.1?}"),
            ),
            other => {
                if let Some(other) = dialling::tell(other, telling) {
                    self.transport.observe(other, telling);
                }
            }
        }
    }
}

impl Story {
    /// Whether a look at the kernel's account is wanted now.
    pub fn wants_look(&self, now: Instant) -> bool {
        self.transport.looks.is_due(now)
    }

    /// When there is something to do next, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        [self.transport.looks.at(), self.limiter.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What is to be told now, in order.
    pub fn take(&mut self, now: Instant) -> Vec<Sentence> {
        let mut sentences = std::mem::take(&mut self.telling.sentences);
        sentences.retain(|_| self.limiter.count(1, now));
        let left_out = std::mem::take(&mut self.telling.left_out);
        self.limiter.count_for_sum(left_out, now);
        let untold = match self.transport.is_over() {
            true => self.limiter.take_last(),
            false => self.limiter.take_untold(now),
        };
        if let Some(untold) = untold {
            sentences.push(Sentence {
                layer: Layer::Program,
                text: format!(
                    "{} more happened than was explained",
                    counted(untold, "thing")
                ),
            });
        }
        sentences
    }
}

/// `1 byte`, `2 bytes`.
fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// What a stranger sent, on one line: made visible, and cut if it is long.
fn shown(bytes: &[u8]) -> String {
    shown_up_to(SHOWN, bytes)
}

/// The same, cut behind so many characters.
fn shown_up_to(most: usize, bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut escaper = Escaper::default();
    // No letter takes more than four bytes.
    escaper.escape(&bytes[..bytes.len().min(4 * most)], &mut text);
    escaper.finish(&mut text);
    let text = text.replace(['\n', '\t'], " ");
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
