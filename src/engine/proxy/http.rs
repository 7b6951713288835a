//! HTTP: the method CONNECT (RFC 9110, section 9.3.6), and logging in to a proxy (section 11.7).

mod challenge;

use std::borrow::Cow;

use self::challenge::Challenge;
use super::Destination;
use super::Login;
use super::ProxyError;
use super::Step;

/// Bytes that the head of an answer may have.
const MAX_HEAD: usize = 16 * 1024;

/// Fields that it may have.
const MAX_FIELDS: usize = 128;

/// A proxy's error page of at most so many bytes is read and thrown away, so that the connection
/// can be used again; for a longer one it is better to connect anew.
const MAX_PAGE: u64 = 64 * 1024;

/// How often to ask: without a login, with it, and again if the proxy's nonce was stale, or it hung
/// up meanwhile.
const MAX_REQUESTS: u32 = 5;

const METHOD: &str = "CONNECT";

#[derive(Debug)]
pub(super) struct Http {
    destination: String,
    login: Option<Login>,
    chance: String,
    /// How the proxy wants us to log in, once it said so.
    challenge: Option<Challenge>,
    requests: u32,
    state: State,
    /// What came of the answer's head.
    head: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing was asked on this connection.
    Start,
    /// The answer is to come. The connection may be `used`, so that the proxy may be about to
    /// close it.
    Head { used: bool },
    /// So many bytes of a page are to be passed over before asking again.
    Page(u64),
}

impl Http {
    pub(super) fn new(destination: &Destination, login: Option<Login>, chance: String) -> Http {
        Http {
            destination: destination.to_string(),
            login,
            chance,
            challenge: None,
            requests: 0,
            state: State::Start,
            head: Vec::new(),
        }
    }

    pub(super) fn step(&mut self, input: &mut &[u8]) -> Result<Step, ProxyError> {
        loop {
            match self.state {
                State::Start => return self.ask(false),
                State::Page(0) => return self.ask(true),
                State::Page(_) if input.is_empty() => return Ok(Step::Read),
                State::Page(left) => {
                    let count = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    *input = &input[count..];
                    self.state = State::Page(left - count as u64);
                }
                State::Head { .. } if input.is_empty() => return Ok(Step::Read),
                State::Head { .. } => {
                    if let Some(step) = self.hear(input)? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    pub(super) fn ended(&mut self) -> Result<Step, ProxyError> {
        match self.state {
            State::Page(_) => Ok(self.reconnect()),
            State::Head { used: true } if self.head.is_empty() => Ok(self.reconnect()),
            _ => Err(ProxyError::Closed),
        }
    }

    fn reconnect(&mut self) -> Step {
        self.state = State::Start;
        Step::Reconnect
    }

    fn ask(&mut self, used: bool) -> Result<Step, ProxyError> {
        if self.requests == MAX_REQUESTS {
            return Err(ProxyError::LoginRefused);
        }
        self.requests += 1;
        self.state = State::Head { used };
        self.head.clear();
        let to = &self.destination;
        let mut request = format!("{METHOD} {to} HTTP/1.1\r\nHost: {to}\r\n");
        if let (Some(challenge), Some(login)) = (&mut self.challenge, &self.login) {
            let answer = challenge.answer(login, METHOD, to, &self.chance);
            request.push_str(&format!("Proxy-Authorization: {answer}\r\n"));
        }
        request.push_str("\r\n");
        Ok(Step::Send(request.into_bytes()))
    }

    /// Takes what belongs to the head. `None`: there is more to come, or to go on with.
    fn hear(&mut self, input: &mut &[u8]) -> Result<Option<Step>, ProxyError> {
        let before = self.head.len();
        self.head.extend_from_slice(input);
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut answer = httparse::Response::new(&mut fields);
        let mut parser = httparse::ParserConfig::default();
        parser.allow_obsolete_multiline_headers_in_responses(true);
        let end = match parser.parse_response(&mut answer, &self.head) {
            // Also if all of it came at once: what it means must not depend on the cuts.
            Ok(httparse::Status::Complete(end)) if end <= MAX_HEAD => end,
            Ok(httparse::Status::Partial) if self.head.len() <= MAX_HEAD => {
                *input = &[];
                return Ok(None);
            }
            Ok(_) => return Err(ProxyError::Nonsense("it has no end")),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(ProxyError::Nonsense("it has too many fields"));
            }
            Err(_) => return Err(ProxyError::Nonsense("it is not HTTP")),
        };
        let result = match answer.code.unwrap_or(0) {
            100..200 => Ok(None),
            // Whatever it says of a length: behind the head is the destination (RFC 9110, 9.3.6).
            200..300 => Ok(Some(Step::Done)),
            407 => challenged(&answer).and_then(|(challenge, page)| {
                if self.login.is_none() {
                    return Err(ProxyError::LoginWanted);
                }
                let challenge = challenge.ok_or(ProxyError::LoginUnknown)?;
                if self.challenge.is_some() && !challenge.is_stale() {
                    return Err(ProxyError::LoginRefused);
                }
                self.challenge = Some(challenge);
                Ok(match page {
                    Some(len) => {
                        self.state = State::Page(len);
                        None
                    }
                    None => {
                        self.state = State::Start;
                        Some(Step::Reconnect)
                    }
                })
            }),
            code => {
                let reason = answer.reason.unwrap_or_default();
                let reason: String = reason.chars().take(100).collect();
                let reason = format!("{code} {reason}").trim().into();
                // That the destination was asked and did not answer one code alone says (RFC 9110, 15.6.5): 502 and
                // 503 may mean anything that went wrong.
                Err(match code {
                    504 => ProxyError::NoAnswer(reason),
                    _ => ProxyError::Refused(reason),
                })
            }
        };
        *input = &input[end - before..];
        self.head.clear();
        result
    }
}

/// A value that went on in further lines, each with a blank before it, as one line (RFC 9112, 5.2).
fn unfolded(value: Cow<'_, str>) -> Cow<'_, str> {
    if !value.contains(['\r', '\n']) {
        return value;
    }
    let lines = value.split(['\r', '\n']).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.join(" ").into()
}

/// How a proxy wants us to log in, as far as we know how; and how long the page is that follows,
/// if the connection can be used again behind it.
fn challenged(
    answer: &httparse::Response<'_, '_>,
) -> Result<(Option<Challenge>, Option<u64>), ProxyError> {
    let values = |name: &'static str| {
        answer
            .headers
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| unfolded(String::from_utf8_lossy(field.value)))
    };
    let challenge = Challenge::choose(values("Proxy-Authenticate"));
    let says = |word: &str| {
        values("Connection")
            .chain(values("Proxy-Connection"))
            .any(|value| {
                value
                    .split(',')
                    .any(|one| one.trim().eq_ignore_ascii_case(word))
            })
    };
    let lasts = match answer.version {
        Some(1) => !says("close"),
        _ => says("keep-alive"),
    };
    let encoded = values("Transfer-Encoding").next().is_some();
    let mut lengths = values("Content-Length").map(|value| value.trim().parse::<u64>());
    let page = match (lengths.next(), lengths.next()) {
        (Some(Ok(len)), None) if lasts && !encoded && len <= MAX_PAGE => Some(len),
        _ => None,
    };
    Ok((challenge, page))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASIC: &str = "Proxy-Authenticate: Basic realm=\"x\"\r\n";

    struct Talk {
        http: Http,
        sent: Vec<String>,
        anew: usize,
    }

    impl Talk {
        fn new(login: bool) -> Talk {
            let login = login.then(|| Login {
                user: "ann".into(),
                password: "secret".into(),
            });
            let destination = Destination::new("example.org", 80).unwrap();
            Talk {
                http: Http::new(&destination, login, "chance".into()),
                sent: Vec::new(),
                anew: 0,
            }
        }

        /// Goes on until it waits for more or ends; returns how.
        fn say(&mut self, said: &str) -> Result<Step, ProxyError> {
            let mut input = said.as_bytes();
            loop {
                match self.http.step(&mut input)? {
                    Step::Send(bytes) => self.sent.push(String::from_utf8(bytes).unwrap()),
                    Step::Reconnect => self.anew += 1,
                    end => return Ok(end),
                }
            }
        }
    }

    #[test]
    fn asks_without_a_login_first() {
        let mut talk = Talk::new(true);
        assert_eq!(talk.say(""), Ok(Step::Read));
        assert_eq!(
            talk.sent,
            ["CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n"]
        );
        assert_eq!(
            talk.say("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 Fine\r\n\r\n"),
            Ok(Step::Done)
        );
    }

    #[test]
    fn a_field_may_go_on_in_the_next_line() {
        let mut talk = Talk::new(true);
        assert_eq!(talk.say(""), Ok(Step::Read));
        let challenge = "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Digest realm=\"a b\",\r\n\
                         \tnonce=\"42\",\r\n   qop=\"auth\"\r\nContent-Length:\r\n 0\r\n\r\n";
        assert_eq!(talk.say(challenge), Ok(Step::Read));
        let answer = &talk.sent[1];
        assert!(
            answer.contains("realm=\"a b\"") && answer.contains("nonce=\"42\""),
            "{answer}"
        );
        assert!(answer.contains("qop=auth"), "{answer}");
        // The length was understood, too: the same connection goes on.
        assert_eq!(talk.anew, 0);
        assert_eq!(
            talk.say("HTTP/1.1 200 Fine\r\nVia: a\r\n b\r\n\r\n"),
            Ok(Step::Done)
        );
    }

    #[test]
    fn logs_in_on_the_same_connection_if_it_lasts() {
        let login = "Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n";
        for (head, page, anew) in [
            ("HTTP/1.1 407 No\r\nContent-Length: 4\r\n", "page", 0),
            (
                "HTTP/1.0 407 No\r\nContent-Length: 4\r\nProxy-Connection: Keep-Alive\r\n",
                "page",
                0,
            ),
            ("HTTP/1.1 407 No\r\nContent-Length: 0\r\n", "", 0),
            ("HTTP/1.0 407 No\r\nContent-Length: 4\r\n", "", 1),
            (
                "HTTP/1.1 407 No\r\nContent-Length: 4\r\nConnection: x, close\r\n",
                "",
                1,
            ),
            ("HTTP/1.1 407 No\r\n", "", 1),
            (
                "HTTP/1.1 407 No\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                "",
                1,
            ),
            ("HTTP/1.1 407 No\r\nContent-Length: 9999999\r\n", "", 1),
        ] {
            let mut talk = Talk::new(true);
            assert_eq!(talk.say(""), Ok(Step::Read));
            assert_eq!(
                talk.say(&format!("{head}{BASIC}\r\n{page}")),
                Ok(Step::Read),
                "{head}"
            );
            assert_eq!(talk.anew, anew, "{head}");
            assert!(talk.sent[1].contains(login), "{:?}", talk.sent);
            assert_eq!(talk.say("HTTP/1.1 200 OK\r\n\r\n"), Ok(Step::Done));
        }
    }

    #[test]
    fn a_login_is_wanted_unknown_or_refused() {
        let no = format!("HTTP/1.1 407 No\r\nContent-Length: 0\r\n{BASIC}\r\n");
        assert_eq!(Talk::new(false).say(&no), Err(ProxyError::LoginWanted));
        let mut talk = Talk::new(true);
        assert_eq!(talk.say(&no), Ok(Step::Read));
        assert_eq!(talk.say(&no), Err(ProxyError::LoginRefused));
        for unknown in [
            "",
            "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate abc==\r\n",
            "Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=WHIRLPOOL\r\n",
            "Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"\r\n",
            "Proxy-Authenticate: Digest realm=\"x\"\r\n",
        ] {
            let no = format!("HTTP/1.1 407 No\r\n{unknown}\r\n");
            assert_eq!(
                Talk::new(true).say(&no),
                Err(ProxyError::LoginUnknown),
                "{unknown}"
            );
        }
    }

    #[test]
    fn a_stale_nonce_is_replaced_but_not_for_ever() {
        let no = |nonce, stale| {
            format!(
                "HTTP/1.1 407 No\r\nContent-Length: 0\r\nProxy-Authenticate: Digest realm=\"x\", \
                 nonce=\"{nonce}\", qop=\"auth\", stale={stale}\r\n\r\n"
            )
        };
        let mut talk = Talk::new(true);
        assert_eq!(talk.say(&no("one", false)), Ok(Step::Read));
        assert!(talk.sent[1].contains("nonce=\"one\"") && talk.sent[1].contains("nc=00000001"));
        assert_eq!(talk.say(&no("two", true)), Ok(Step::Read));
        assert!(talk.sent[2].contains("nonce=\"two\"") && talk.sent[2].contains("nc=00000001"));
        assert_eq!(talk.say(&no("three", true)), Ok(Step::Read));
        assert_eq!(talk.say(&no("four", true)), Ok(Step::Read));
        assert_eq!(talk.say(&no("five", true)), Err(ProxyError::LoginRefused));
    }

    #[test]
    fn a_proxy_that_hangs_up_is_asked_again_only_if_it_had_answered() {
        let mut talk = Talk::new(true);
        assert_eq!(talk.say(""), Ok(Step::Read));
        assert_eq!(talk.http.ended(), Err(ProxyError::Closed));
        let no = format!("HTTP/1.1 407 No\r\nContent-Length: 9\r\n{BASIC}\r\n");
        let mut talk = Talk::new(true);
        assert_eq!(talk.say(&no), Ok(Step::Read));
        assert_eq!(talk.http.ended(), Ok(Step::Reconnect));
        assert_eq!(talk.say(""), Ok(Step::Read));
        assert!(talk.sent[1].contains("Basic"));
        assert_eq!(talk.http.ended(), Err(ProxyError::Closed));
        let mut talk = Talk::new(true);
        assert_eq!(talk.say(&format!("{no}123456789")), Ok(Step::Read));
        assert_eq!(talk.sent.len(), 2);
        assert_eq!(talk.http.ended(), Ok(Step::Reconnect));
        assert_eq!(talk.say("HTTP/1.1 200 OK\r\n"), Ok(Step::Read));
        assert_eq!(talk.http.ended(), Err(ProxyError::Closed));
    }

    #[test]
    fn refusals_and_nonsense() {
        for (said, told) in [
            (
                "HTTP/1.1 403 Filtered\r\n\r\n",
                "the proxy refused: 403 Filtered",
            ),
            ("HTTP/1.1 502\r\n\r\n", "the proxy refused: 502"),
            ("HTTP/1.1 504 Late\r\n\r\n", "the proxy refused: 504 Late"),
            (
                "HTTP/1.1 301 Moved\r\nLocation: x\r\n\r\n",
                "the proxy refused: 301 Moved",
            ),
            (
                "SSH-2.0-OpenSSH_9\r\n",
                "the proxy's answer makes no sense: it is not HTTP",
            ),
            (
                "HTTP/1.1 2x0 OK\r\n\r\n",
                "the proxy's answer makes no sense: it is not HTTP",
            ),
        ] {
            assert_eq!(Talk::new(false).say(said).unwrap_err().to_string(), told);
        }
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(MAX_HEAD));
        assert_eq!(
            Talk::new(false).say(&endless),
            Err(ProxyError::Nonsense("it has no end"))
        );
        assert_eq!(
            Talk::new(false).say(&format!("{endless}\r\n\r\n")),
            Err(ProxyError::Nonsense("it has no end"))
        );
        let many = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "a: b\r\n".repeat(MAX_FIELDS + 1)
        );
        let too_many = ProxyError::Nonsense("it has too many fields");
        assert_eq!(Talk::new(false).say(&many), Err(too_many));
        let long = format!("HTTP/1.1 500 {}\r\n\r\n", "a".repeat(5000));
        assert!(Talk::new(false).say(&long).unwrap_err().to_string().len() < 200);
    }
}
