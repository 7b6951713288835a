//! Where the bus is: `nats://USER:PASSWORD@HOST:PORT,HOST:PORT/CLASS`.
//!
//! It promises: a password or a token is never in what is shown of it.

use std::fmt;

use crate::engine::bus::envelope::is_word;

/// The port of NATS.
pub const PORT: u16 = 4222;

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Server {
    /// Reads `HOST`, `HOST:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT`, as servers name each other too.
    pub fn parse(text: &str) -> Option<Server> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => PORT,
            None => return None,
            Some(port) => port.parse().ok().filter(|&port| port > 0)?,
        };
        let letter = |c: char| c.is_alphanumeric() || "-._:%".contains(c);
        let is_host = (1..=255).contains(&host.len()) && host.chars().all(letter);
        let host = host.into();
        is_host.then_some(Server { host, port })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// The user, password or token that we show.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Without a login.
    None,
    /// A user.
    User {
        /// The name.
        user: String,
        /// The password.
        pass: String,
    },
    /// A token.
    Token(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login::None => "None",
            Login::User { .. } => "User",
            Login::Token(_) => "Token",
        })
    }
}

impl Login {
    /// Reads what stands before the `@` of a URL.
    ///
    /// # Errors
    /// It is none, and why, without what is secret in it.
    pub fn parse(text: &str) -> Result<Login, &'static str> {
        let decoded = |text| decoded(text).ok_or("after a % there are two hexadecimal digits");
        Ok(match text.split_once(':') {
            _ if text.is_empty() => return Err("a login is USER:PASSWORD or a token"),
            None => Login::Token(decoded(text)?),
            Some((user, pass)) => Login::User {
                user: decoded(user)?,
                pass: decoded(pass)?,
            },
        })
    }
}

/// What `--bus` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// One or more.
    pub servers: Vec<Server>,
    /// Who we are.
    pub login: Login,
    /// Never without TLS.
    pub tls: bool,
    /// Which class.
    pub class: String,
}

impl Url {
    /// Reads it.
    ///
    /// # Errors
    /// It is none, and why, without what is secret in it.
    pub fn parse(text: &str) -> Result<Url, &'static str> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("it begins with nats:// or tls://")?;
        let tls = match scheme {
            "nats" => false,
            "tls" => true,
            _ => return Err("it begins with nats:// or tls://"),
        };
        // A password may have a slash or an @ in it: the last of each counts.
        let (rest, class) = rest.rsplit_once('/').ok_or("it ends with /CLASS")?;
        if !is_word(class) {
            return Err("it ends with /CLASS: 1 to 32 of A-Z a-z 0-9 _ -");
        }
        let (login, hosts) = match rest.rsplit_once('@') {
            None => (Login::None, rest),
            Some((login, hosts)) => (Login::parse(login)?, hosts),
        };
        let servers: Option<Vec<Server>> = hosts.split(',').map(Server::parse).collect();
        Ok(Url {
            servers: servers.ok_or("a server is HOST or HOST:PORT")?,
            login,
            tls,
            class: class.into(),
        })
    }
}

/// `%40` is an @, as in every URL.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, later)) = rest.split_first() {
        rest = later;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, later) = rest.split_at_checked(2)?;
        let mut code = 0;
        for &digit in digits {
            code = code * 16 + char::from(digit).to_digit(16)?;
        }
        bytes.push(u8::try_from(code).ok()?);
        rest = later;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, port: u16) -> Server {
        Server {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn a_url_is_read() {
        let url = Url::parse("nats://bus.example.org/maths").unwrap();
        assert_eq!(url.servers, [server("bus.example.org", 4222)]);
        assert_eq!(
            (url.login, url.tls, &url.class[..]),
            (Login::None, false, "maths")
        );

        let url = Url::parse("tls://ana:a%40b/c:d@[2001:db8::1]:4333,192.0.2.7/c-1_X").unwrap();
        assert_eq!(
            url.servers,
            [server("2001:db8::1", 4333), server("192.0.2.7", 4222)]
        );
        let (user, pass) = ("ana".into(), "a@b/c:d".into());
        assert_eq!((url.login, url.tls), (Login::User { user, pass }, true));
        assert_eq!(url.servers[0].to_string(), "[2001:db8::1]:4333");

        let url = Url::parse("nats://s3cret@localhost:1/c").unwrap();
        assert_eq!(url.login, Login::Token("s3cret".into()));
        assert!(!format!("{url:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "localhost/c",
            "http://localhost/c",
            "nats://localhost",
            "nats://localhost/",
            "nats://localhost/a.b",
            "nats:///c",
            "nats://localhost:0/c",
            "nats://localhost:x/c",
            "nats://a,,b/c",
            "nats://@localhost/c",
            "nats://a%4@localhost/c",
            "nats://a%ff@localhost/c",
            "nats://[::1/c",
            "nats://[::1]4222/c",
            "nats://a b/c",
            "nats://localhost:70000/c",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
