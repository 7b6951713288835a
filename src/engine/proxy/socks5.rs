//! SOCKS 5 (RFC 1928), with a user name and a password if it wants them (RFC 1929).

use core::net::IpAddr;

use super::Answer;
use super::Destination;
use super::Host;
use super::Login;
use super::MAX_LOGIN;
use super::ProxyError;
use super::Step;

const VERSION: u8 = 5;
const CONNECT: u8 = 1;

/// RFC 1929 counts for itself.
const LOGIN_VERSION: u8 = 1;

// Ways to say who we are.
const NOBODY: u8 = 0;
const PASSWORD: u8 = 2;
const NONE_OF_THEM: u8 = 0xff;

// Kinds of addresses.
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

#[derive(Debug)]
pub(super) struct Socks5 {
    destination: Destination,
    login: Option<Login>,
    state: State,
    answer: Answer,
}

/// What is to come from the proxy.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing: we begin.
    Start,
    /// The way in which it wants to know who we are.
    Method,
    /// Whether it knows us.
    Login,
    /// Whether it connected.
    Answer,
}

impl Socks5 {
    pub(super) fn new(
        destination: Destination,
        login: Option<Login>,
    ) -> Result<Socks5, ProxyError> {
        let fits = |text: &String| text.len() <= MAX_LOGIN;
        if !login
            .iter()
            .all(|login| fits(&login.user) && fits(&login.password))
        {
            return Err(ProxyError::Unsuitable(
                "SOCKS5 takes at most 255 bytes of each",
            ));
        }
        Ok(Socks5 {
            destination,
            login,
            state: State::Start,
            answer: Answer::default(),
        })
    }

    pub(super) fn step(&mut self, input: &mut &[u8]) -> Result<Step, ProxyError> {
        match self.state {
            State::Start => {
                self.state = State::Method;
                Ok(Step::Send(match self.login {
                    Some(_) => vec![VERSION, 2, NOBODY, PASSWORD],
                    None => vec![VERSION, 1, NOBODY],
                }))
            }
            State::Method => {
                let Some(answer) = self.answer.first(2, input) else {
                    return Ok(Step::Read);
                };
                let method = match *answer {
                    [VERSION, method] => method,
                    _ => return Err(ProxyError::Nonsense("it is not SOCKS5")),
                };
                self.answer.clear();
                match (method, &self.login) {
                    (NOBODY, _) => Ok(self.ask()),
                    (PASSWORD, Some(login)) => {
                        self.state = State::Login;
                        Ok(Step::Send(login_message(login)))
                    }
                    (NONE_OF_THEM, None) => Err(ProxyError::LoginWanted),
                    (NONE_OF_THEM, Some(_)) => Err(ProxyError::LoginUnknown),
                    _ => Err(ProxyError::Nonsense(
                        "it chose a way to log in that was not offered",
                    )),
                }
            }
            State::Login => {
                let Some(answer) = self.answer.first(2, input) else {
                    return Ok(Step::Read);
                };
                match *answer {
                    [LOGIN_VERSION, 0] => {
                        self.answer.clear();
                        Ok(self.ask())
                    }
                    [LOGIN_VERSION, _] => Err(ProxyError::LoginRefused),
                    _ => Err(ProxyError::Nonsense("it is not SOCKS5")),
                }
            }
            State::Answer => self.answered(input),
        }
    }

    fn ask(&mut self) -> Step {
        self.state = State::Answer;
        let mut request = vec![VERSION, CONNECT, 0];
        match &self.destination.host {
            Host::Ip(IpAddr::V4(ip)) => {
                request.push(IPV4);
                request.extend(ip.octets());
            }
            Host::Ip(IpAddr::V6(ip)) => {
                request.push(IPV6);
                request.extend(ip.octets());
            }
            Host::Name(name) => {
                // A destination's name is no longer than a byte can say.
                request.extend([NAME, name.len() as u8]);
                request.extend(name.as_bytes());
            }
        }
        request.extend(self.destination.port.to_be_bytes());
        Step::Send(request)
    }

    fn answered(&mut self, input: &mut &[u8]) -> Result<Step, ProxyError> {
        let Some(answer) = self.answer.first(4, input) else {
            return Ok(Step::Read);
        };
        let kind = match *answer {
            [VERSION, 0, _, kind] => kind,
            [VERSION, code, ..] => return Err(refusal(code)),
            _ => return Err(ProxyError::Nonsense("it is not SOCKS5")),
        };
        // The address from which it connected, which is of no interest, and its port.
        let address = match kind {
            IPV4 => 4,
            IPV6 => 16,
            NAME => match self.answer.first(5, input) {
                Some(answer) => 1 + usize::from(answer[4]),
                None => return Ok(Step::Read),
            },
            _ => return Err(ProxyError::Nonsense("an unknown kind of address")),
        };
        Ok(match self.answer.first(4 + address + 2, input) {
            Some(_) => Step::Done,
            None => Step::Read,
        })
    }
}

fn login_message(login: &Login) -> Vec<u8> {
    let mut message = vec![LOGIN_VERSION];
    for text in [&login.user, &login.password] {
        // It was checked that a byte can say it.
        message.push(text.len() as u8);
        message.extend(text.as_bytes());
    }
    message
}

/// RFC 1928, section 6.
fn refusal(code: u8) -> ProxyError {
    ProxyError::Refused(match code {
        1 => "it failed".into(),
        2 => "it is not allowed".into(),
        3 => "network is unreachable".into(),
        4 => "host is unreachable".into(),
        5 => return ProxyError::NobodyListens,
        6 => return ProxyError::NoAnswer("it took too long".into()),
        7 => "it cannot connect for others".into(),
        8 => "it does not know that kind of address".into(),
        code => format!("unknown reason {code}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent, and how it ends, if the proxy says all this.
    fn ask(host: &str, login: bool, mut input: &[u8]) -> (Vec<Vec<u8>>, Result<Step, ProxyError>) {
        let login = login.then(|| Login {
            user: "ann".into(),
            password: "secret".into(),
        });
        let mut socks = Socks5::new(Destination::new(host, 3000).unwrap(), login).unwrap();
        let mut sent = Vec::new();
        loop {
            match socks.step(&mut input) {
                Ok(Step::Send(bytes)) => sent.push(bytes),
                end => return (sent, end),
            }
        }
    }

    #[test]
    fn addresses_and_names_without_a_login() {
        for (host, address) in [
            ("192.0.2.1", &b"\x01\xc0\x00\x02\x01"[..]),
            ("a.example", b"\x03\x09a.example"),
            ("::1", b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),
        ] {
            let said = b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38";
            let (sent, end) = ask(host, false, said);
            assert_eq!(end, Ok(Step::Done));
            assert_eq!(sent[0], b"\x05\x01\x00");
            assert_eq!(sent[1], [b"\x05\x01\x00", address, b"\x0b\xb8"].concat());
        }
    }

    #[test]
    fn a_login_is_sent_if_it_is_wanted() {
        let (sent, end) = ask("192.0.2.1", true, b"\x05\x02\x01\x00");
        assert_eq!(end, Ok(Step::Read));
        assert_eq!(sent[0], b"\x05\x02\x00\x02");
        assert_eq!(sent[1], b"\x01\x03ann\x06secret");
        let (sent, _) = ask("192.0.2.1", true, b"\x05\x00");
        assert!(sent[1].starts_with(b"\x05\x01\x00"), "it was not wanted");
        for (login, said, end) in [
            (true, &b"\x05\x02\x01\x01"[..], ProxyError::LoginRefused),
            (true, b"\x05\xff", ProxyError::LoginUnknown),
            (false, b"\x05\xff", ProxyError::LoginWanted),
        ] {
            assert_eq!(ask("192.0.2.1", login, said).1, Err(end));
        }
    }

    #[test]
    fn refusals_and_nonsense() {
        for (said, reason) in [
            (
                &b"\x05\x00\x05\x05\x00\x01"[..],
                "the proxy refused: connection refused",
            ),
            (
                b"\x05\x00\x05\x63\x00\x01",
                "the proxy refused: unknown reason 99",
            ),
            (
                b"\x05\x00\x05\x00\x00\x02",
                "makes no sense: an unknown kind of address",
            ),
            (
                b"\x05\x00\x04\x00\x00\x01",
                "makes no sense: it is not SOCKS5",
            ),
            (b"HTTP", "makes no sense: it is not SOCKS5"),
            (b"\x05\x02", "a way to log in that was not offered"),
        ] {
            let end = ask("192.0.2.1", false, said).1.unwrap_err().to_string();
            assert!(end.contains(reason), "{end}");
        }
    }
}
