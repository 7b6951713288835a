//! Asking a proxy for a connection: what comes from it in, what goes to it out.
//!
//! It promises: from what it is given it takes not a byte beyond the end of the proxy's answer, so
//! that whatever follows belongs to the destination; nothing the proxy says makes it grow beyond a
//! bound, go round for ever or panic; no password goes out before the proxy asked for one.

mod http;
mod socks4;
mod socks5;

use core::net::IpAddr;
use std::fmt;

use self::http::Http;
use self::socks4::Socks4;
use self::socks5::Socks5;

/// Bytes a name may have (RFC 1928, section 5; no name of the DNS is longer).
const MAX_NAME: usize = 255;

/// Bytes a user name or a password may have for SOCKS5 (RFC 1929, section 2).
pub const MAX_LOGIN: usize = 255;

/// The language that a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HTTP with its method CONNECT (RFC 9110, section 9.3.6).
    Http,
    /// SOCKS 4, and 4A for names.
    Socks4,
    /// SOCKS 5 (RFC 1928).
    Socks5,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Http => "HTTP",
            Kind::Socks4 => "SOCKS4",
            Kind::Socks5 => "SOCKS5",
        })
    }
}

/// Whom the proxy is to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Destination {
    /// A port of a host, which is an address or a name that the proxy is to look up. None for a
    /// text that can be no name: then it must not be sent to the proxy.
    pub fn new(host: &str, port: u16) -> Option<Destination> {
        let host = match host.parse() {
            Ok(ip) => Host::Ip(ip),
            Err(_) => {
                let fits = (1..=MAX_NAME).contains(&host.len());
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
                if !fits || !host.bytes().all(plain) {
                    return None;
                }
                Host::Name(host.into())
            }
        };
        Some(Destination { host, port })
    }

    /// Another port of the same host.
    pub fn at(&self, port: u16) -> Destination {
        Destination {
            host: self.host.clone(),
            port,
        }
    }
}

/// As in a URL: an IPv6 address is in brackets.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(ip) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Who we are to the proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password; SOCKS4 has none.
    pub password: String,
}

impl fmt::Debug for Login {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:…", self.user)
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this, and go on.
    Send(Vec<u8>),
    /// More has to come from the proxy.
    Read,
    /// Connect to the proxy anew, and go on there.
    Reconnect,
    /// The connection is the destination's from here on.
    Done,
}

/// Why there will be no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyError {
    /// It hung up in the middle.
    Closed,
    /// What it said makes no sense.
    Nonsense(&'static str),
    /// It said no, with this reason: plain text, whatever it sent.
    Refused(String),
    /// It says that nobody listens there.
    NobodyListens,
    /// It says, with these words, that the destination did not answer it in time.
    NoAnswer(String),
    /// It wants to know who we are.
    LoginWanted,
    /// It does not know us, or the password is wrong.
    LoginRefused,
    /// It wants us to say who we are in a way that we do not know.
    LoginUnknown,
    /// That cannot be asked of this kind of proxy.
    Unsuitable(&'static str),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyError::Closed => f.write_str("the proxy closed the connection before it answered"),
            ProxyError::Nonsense(what) => write!(f, "the proxy's answer makes no sense: {what}"),
            ProxyError::Refused(reason) | ProxyError::NoAnswer(reason) => {
                write!(f, "the proxy refused: {reason}")
            }
            ProxyError::NobodyListens => f.write_str("the proxy refused: connection refused"),
            ProxyError::LoginWanted => f.write_str("the proxy wants a user name and a password"),
            ProxyError::LoginRefused => {
                f.write_str("the proxy does not accept this user name and password")
            }
            ProxyError::LoginUnknown => {
                f.write_str("the proxy wants to be logged in to in no way that muxnc knows")
            }
            ProxyError::Unsuitable(what) => f.write_str(what),
        }
    }
}

/// A conversation with a proxy. See the module's documentation.
#[derive(Debug)]
pub struct Conversation(Speech);

#[derive(Debug)]
enum Speech {
    Http(Http),
    Socks4(Socks4),
    Socks5(Socks5),
}

impl Conversation {
    /// Asks for `destination`. `chance` is an unpredictable text of letters and digits.
    ///
    /// # Errors
    /// That cannot be asked of this kind of proxy.
    pub fn new(
        kind: Kind,
        destination: Destination,
        login: Option<Login>,
        chance: String,
    ) -> Result<Conversation, ProxyError> {
        Ok(Conversation(match kind {
            Kind::Http => Speech::Http(Http::new(&destination, login, chance)),
            Kind::Socks4 => Speech::Socks4(Socks4::new(&destination, login.as_ref())?),
            Kind::Socks5 => Speech::Socks5(Socks5::new(destination, login)?),
        }))
    }

    /// Goes on with what came from the proxy, which may be nothing: what it takes of that it
    /// removes from `input`. It takes everything before it says [`Step::Read`].
    ///
    /// # Errors
    /// There will be no connection.
    pub fn step(&mut self, input: &mut &[u8]) -> Result<Step, ProxyError> {
        match &mut self.0 {
            Speech::Http(http) => http.step(input),
            Speech::Socks4(socks) => socks.step(input),
            Speech::Socks5(socks) => socks.step(input),
        }
    }

    /// Goes on after the proxy ended the connection.
    ///
    /// # Errors
    /// There will be no connection.
    pub fn ended(&mut self) -> Result<Step, ProxyError> {
        match &mut self.0 {
            Speech::Http(http) => http.ended(),
            Speech::Socks4(_) | Speech::Socks5(_) => Err(ProxyError::Closed),
        }
    }
}

/// An answer of which it is known how long it is.
#[derive(Debug, Default)]
struct Answer(Vec<u8>);

impl Answer {
    /// Its first `len` bytes, as soon as they are all there; not one more is taken.
    fn first(&mut self, len: usize, input: &mut &[u8]) -> Option<&[u8]> {
        let missing = len.saturating_sub(self.0.len()).min(input.len());
        let (now, later) = input.split_at(missing);
        self.0.extend_from_slice(now);
        *input = later;
        self.0.get(..len)
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conversation(kind: Kind, host: &str, login: bool) -> Conversation {
        let login = login.then(|| Login {
            user: "ann".into(),
            password: "secret".into(),
        });
        let destination = Destination::new(host, 80).unwrap();
        Conversation::new(kind, destination, login, "0123456789".into()).unwrap()
    }

    #[test]
    fn only_what_can_be_a_host_is_sent() {
        for (host, shown) in [
            ("example.org", "example.org:80"),
            ("192.0.2.1", "192.0.2.1:80"),
            ("2001:db8::1", "[2001:db8::1]:80"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example:80"),
        ] {
            assert_eq!(Destination::new(host, 80).unwrap().to_string(), shown);
        }
        for host in [
            "",
            "a b",
            "a\r\nX: y",
            "b\u{fc}cher",
            "a:1",
            "a/b",
            &"a".repeat(256),
        ] {
            assert_eq!(Destination::new(host, 80), None, "{host:?}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let talk = conversation(Kind::Http, "example.org", true);
        assert!(!format!("{talk:?}").contains("secret"));
    }

    /// Feeds everything in pieces, as the network would, until there is an end; returns it and
    /// what was left. `None`: it waits for more.
    fn feed(
        talk: &mut Conversation,
        mut pieces: Vec<&[u8]>,
    ) -> (Option<Result<Step, ProxyError>>, usize) {
        pieces.reverse();
        let mut input = pieces.pop().unwrap_or(b"");
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 10_000, "it goes round for ever");
            let before = input.len();
            let step = talk.step(&mut input);
            assert!(input.len() <= before);
            match step {
                Ok(Step::Send(bytes)) => assert!(!bytes.is_empty() && bytes.len() < 100_000),
                Ok(Step::Read) => {
                    assert!(input.is_empty(), "it waits although there is more");
                    match pieces.pop() {
                        Some(piece) => input = piece,
                        None => return (None, 0),
                    }
                }
                Ok(Step::Reconnect) => input = pieces.pop().unwrap_or(b""),
                end => {
                    let left = input.len() + pieces.iter().map(|piece| piece.len()).sum::<usize>();
                    return (Some(end), left);
                }
            }
        }
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        prop_oneof![Just(Kind::Http), Just(Kind::Socks4), Just(Kind::Socks5)]
    }

    fn cut(bytes: &[u8], at: &[prop::sample::Index]) -> Vec<Vec<u8>> {
        let mut places: Vec<usize> = at.iter().map(|at| at.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        places
            .windows(2)
            .map(|two| bytes[two[0]..two[1]].to_vec())
            .collect()
    }

    proptest! {
        /// Whatever a proxy says, in whatever pieces: an end or a wait, and no panic.
        #[test]
        fn nothing_a_proxy_says_breaks_it(
            kind in kinds(),
            login: bool,
            said in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..20),
                    Just(b"HTTP/1.1 407 No\r\n".to_vec()),
                    Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
                    Just(b"HTTP/1.1 100 Go on\r\n\r\n".to_vec()),
                    Just(b"Proxy-Authenticate: Digest realm=\"a\\\"b\", nonce=\"c\", qop=\"auth\"\r\n".to_vec()),
                    Just(b"Proxy-Authenticate: Digest stale=true, nonce=x, Basic realm=\"".to_vec()),
                    Just(b"Proxy-Authenticate: Basic realm=x\r\n".to_vec()),
                    Just(b"Content-Length: 5\r\n".to_vec()),
                    Just(b"Content-Length: 99999999999999999999\r\n".to_vec()),
                    Just(b"\r\n".to_vec()),
                    Just(vec![5, 0]), Just(vec![5, 2]), Just(vec![1, 0]), Just(vec![0, 90]),
                    Just(vec![5, 0, 0, 3, 255]), Just(vec![5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
                ],
                0..12,
            ),
        ) {
            let mut talk = conversation(kind, "example.org", login);
            feed(&mut talk, said.iter().map(Vec::as_slice).collect());
            let _ = talk.ended();
        }

        /// However the answer is cut, and whatever follows it: what follows is left alone.
        #[test]
        fn what_follows_the_answer_is_the_destinations(
            kind in kinds(),
            login: bool,
            name: bool,
            rest in prop::collection::vec(any::<u8>(), 0..40),
            at in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let answer: Vec<u8> = match (kind, login, name) {
                (Kind::Http, false, _) => b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n".to_vec(),
                (Kind::Http, true, _) => b"HTTP/1.1 407 No\r\nContent-Length: 3\r\n\
                    Proxy-Authenticate: Basic realm=\"x\"\r\n\r\nabcHTTP/1.0 200 OK\n\n".to_vec(),
                (Kind::Socks4, ..) => vec![0, 90, 1, 2, 3, 4, 5, 6],
                (Kind::Socks5, false, true) => vec![5, 0, 5, 0, 0, 3, 2, b'a', b'b', 0, 80],
                (Kind::Socks5, false, false) => vec![5, 0, 5, 0, 0, 1, 1, 2, 3, 4, 0, 80],
                (Kind::Socks5, true, _) => {
                    let mut answer = vec![5, 2, 1, 0, 5, 0, 0, 4];
                    answer.extend([0; 18]);
                    answer
                }
            };
            let mut talk = conversation(kind, "example.org", login);
            let all = [answer, rest.clone()].concat();
            let pieces = cut(&all, &at);
            let (end, left) = feed(&mut talk, pieces.iter().map(Vec::as_slice).collect());
            prop_assert_eq!(end, Some(Ok(Step::Done)));
            prop_assert_eq!(left, rest.len());
        }
    }
}
