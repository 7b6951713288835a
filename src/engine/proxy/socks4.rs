//! SOCKS 4, and 4A, in which the proxy looks the name up.
//!
//! Source: `SOCKS4.protocol` and `SOCKS4A.protocol` by Ying-Da Lee.

use core::net::IpAddr;

use super::Answer;
use super::Destination;
use super::Host;
use super::Login;
use super::ProxyError;
use super::Step;

const VERSION: u8 = 4;
const CONNECT: u8 = 1;

/// In place of an address: the name follows (4A).
const BY_NAME: [u8; 4] = [0, 0, 0, 1];

/// What an answer begins with, and what many servers begin it with: their version.
const REPLY: [u8; 2] = [0, VERSION];

/// The answer's length, of which only the first two bytes mean anything.
const ANSWER: usize = 8;

#[derive(Debug)]
pub(super) struct Socks4 {
    /// What to ask, until it was asked.
    request: Option<Vec<u8>>,
    answer: Answer,
}

impl Socks4 {
    pub(super) fn new(
        destination: &Destination,
        login: Option<&Login>,
    ) -> Result<Socks4, ProxyError> {
        let user = login.map_or("", |login| &login.user);
        Ok(Socks4 {
            request: Some(request(destination, user)?),
            answer: Answer::default(),
        })
    }

    pub(super) fn step(&mut self, input: &mut &[u8]) -> Result<Step, ProxyError> {
        if let Some(request) = self.request.take() {
            return Ok(Step::Send(request));
        }
        let Some(answer) = self.answer.first(ANSWER, input) else {
            return Ok(Step::Read);
        };
        let [version, code, ..] = answer[..] else {
            return Err(ProxyError::Nonsense("it is too short"));
        };
        if !REPLY.contains(&version) {
            return Err(ProxyError::Nonsense("it is not SOCKS4"));
        }
        match code {
            90 => Ok(Step::Done),
            91 => Err(ProxyError::Refused("rejected or failed".into())),
            92 => Err(ProxyError::Refused(
                "it cannot ask identd who we are".into(),
            )),
            93 => Err(ProxyError::Refused("identd names another user".into())),
            code => Err(ProxyError::Refused(format!("unknown reason {code}"))),
        }
    }
}

fn request(destination: &Destination, user: &str) -> Result<Vec<u8>, ProxyError> {
    let (address, name) = match &destination.host {
        Host::Ip(ip) => match ip.to_canonical() {
            IpAddr::V4(ip) => (ip.octets(), None),
            IpAddr::V6(_) => return Err(ProxyError::Unsuitable("SOCKS4 has no IPv6 addresses")),
        },
        Host::Name(name) => (BY_NAME, Some(name)),
    };
    if user.contains('\0') {
        return Err(ProxyError::Unsuitable("a user name cannot contain a NUL"));
    }
    let mut request = vec![VERSION, CONNECT];
    request.extend(destination.port.to_be_bytes());
    request.extend(address);
    request.extend(user.as_bytes());
    request.push(0);
    if let Some(name) = name {
        request.extend(name.as_bytes());
        request.push(0);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(host: &str, answer: &[u8]) -> (Vec<u8>, Result<Step, ProxyError>) {
        let login = Login {
            user: "ann".into(),
            password: String::new(),
        };
        let mut socks = match Socks4::new(&Destination::new(host, 3000).unwrap(), Some(&login)) {
            Ok(socks) => socks,
            Err(refusal) => return (Vec::new(), Err(refusal)),
        };
        let sent = match socks.step(&mut &b""[..]) {
            Ok(Step::Send(sent)) => sent,
            other => return (Vec::new(), other),
        };
        let mut input = answer;
        (sent, socks.step(&mut input))
    }

    #[test]
    fn addresses_and_names() {
        let yes = [0, 90, 0, 0, 0, 0, 0, 0];
        let (sent, end) = ask("192.0.2.1", &yes);
        assert_eq!(sent, b"\x04\x01\x0b\xb8\xc0\x00\x02\x01ann\0");
        assert_eq!(end, Ok(Step::Done));
        let (sent, end) = ask("a.example", &yes);
        assert_eq!(sent, b"\x04\x01\x0b\xb8\x00\x00\x00\x01ann\0a.example\0");
        assert_eq!(end, Ok(Step::Done));
        assert_eq!(ask("::ffff:192.0.2.1", &yes).1, Ok(Step::Done));
        // With the version of the protocol where the answer has its own.
        assert_eq!(
            ask("192.0.2.1", &[4, 90, 0, 0, 0, 0, 0, 0]).1,
            Ok(Step::Done)
        );
        assert!(matches!(
            ask("2001:db8::1", &yes).1,
            Err(ProxyError::Unsuitable(_))
        ));
    }

    #[test]
    fn refusals_and_nonsense() {
        for (answer, refused) in [
            (&[0, 91, 0, 0, 0, 0, 0, 0], true),
            (&[0, 93, 0, 0, 0, 0, 0, 0], true),
            (&[0, 255, 0, 0, 0, 0, 0, 0], true),
            (b"HTTP/1.1", false),
            (&[5, 0, 0, 1, 0, 0, 0, 0], false),
            (&[4, 91, 0, 0, 0, 0, 0, 0], true),
            (&[4, 4, 0, 0, 0, 0, 0, 0], true),
        ] {
            let end = ask("192.0.2.1", answer).1.unwrap_err();
            assert_eq!(matches!(end, ProxyError::Refused(_)), refused, "{end}");
        }
        assert_eq!(ask("192.0.2.1", &[0, 90, 0, 0, 0, 0, 0]).1, Ok(Step::Read));
    }
}
