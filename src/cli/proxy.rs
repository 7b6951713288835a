//! Connecting through a proxy.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Display;
use std::net::IpAddr;

use clap::Args;
use clap::ValueEnum;

use super::one_word::OneWord;
use crate::engine::proxy::Kind;
use crate::engine::proxy::Login;
use crate::engine::proxy::MAX_LOGIN;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Lookup;
use crate::io::proxy::Dns;
use crate::io::proxy::Proxy;

/// ncat's variable for what is not to be on a command line, where everybody on this machine can
/// read it.
const AUTH_VARIABLE: &str = "NCAT_PROXY_AUTH";

/// Why a hub has none of these options, and what there is instead.
pub(super) const NO_PROXY: &str = "a hub listens, and connects through no proxy";
pub(super) const NO_PROXY_HINT: &str = "Who needs one to come here says so there: muxnc --proxy HOST:PORT HOST PORT\n  \
     muxnc is no proxy server either; ncat -l --proxy-type http is one.";

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Proxy")]
pub(super) struct ProxyArgs {
    /// Connect through this proxy [default ports: 3128 for http, else 1080]
    #[arg(long, value_name = "HOST[:PORT]")]
    proxy: Option<String>,

    /// What the proxy speaks
    #[arg(
        long,
        value_name = "TYPE",
        value_enum,
        default_value_t,
        ignore_case = true
    )]
    proxy_type: ProxyType,

    /// Who you are to the proxy, should it ask (or set NCAT_PROXY_AUTH)
    ///
    /// For http it is sent as a digest if the proxy takes that. Everybody on this machine can read
    /// a command line, but not a variable. socks4 has no passwords.
    #[arg(long, value_name = "USER:PASS")]
    proxy_auth: Option<String>,

    /// Who looks the destination's name up
    #[arg(
        long,
        value_name = "WHO",
        value_enum,
        default_value_t,
        ignore_case = true
    )]
    proxy_dns: ProxyDns,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ProxyType {
    /// HTTP with its method CONNECT
    #[default]
    Http,
    /// SOCKS 4 and 4A
    Socks4,
    /// SOCKS 5
    Socks5,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ProxyDns {
    /// This machine
    Local,
    /// The proxy
    #[default]
    Remote,
    /// This machine, and the proxy if that fails
    Both,
    /// Nobody: it must be an address
    None,
}

impl ProxyArgs {
    /// The proxy, if one is to be used.
    pub(super) fn proxy(&self, lookup: Lookup) -> Result<Option<Proxy>, Error> {
        let Some(place) = &self.proxy else {
            return Ok(None);
        };
        let (kind, default_port) = match self.proxy_type {
            ProxyType::Http => (Kind::Http, 3128),
            ProxyType::Socks4 => (Kind::Socks4, 1080),
            ProxyType::Socks5 => (Kind::Socks5, 1080),
        };
        let (host, port) = split(place).ok_or_else(|| bad_place(place))?;
        if net::is_port_alone(host) {
            return Err(net::port_as_host(host));
        }
        let port = match port {
            Some(port) => net::port(port, lookup)?,
            None => default_port,
        };
        if port == 0 {
            return Err(bad_place(place));
        }
        let auth = match &self.proxy_auth {
            Some(auth) => Some(auth.clone()),
            None => std::env::var(AUTH_VARIABLE).ok(),
        };
        Ok(Some(Proxy {
            kind,
            host: host.into(),
            port,
            login: auth.map(|auth| login(&auth, kind)).transpose()?,
            dns: match self.proxy_dns {
                ProxyDns::Local => Dns::Local,
                ProxyDns::Remote => Dns::Remote,
                ProxyDns::Both => Dns::Both,
                ProxyDns::None => Dns::None,
            },
        }))
    }
}

fn bad_place(place: &str) -> Error {
    let told = |place: &dyn Display| Error::usage(format!("proxy '{place}'"), "not a proxy");
    match Elsewhere::parse(place).filter(Elsewhere::is_url) {
        Some(url) => told(&url).hint(url.advice()),
        None => told(&place).hint(
            "A proxy is HOST or HOST:PORT, as 192.0.2.1:3128 or [2001:db8::1]:3128, without \
             http:// or a path.",
        ),
    }
}

/// A proxy in the words of other programs: the `HOST:PORT` of nc's `-x`, the URL of curl's. It is shown
/// without the login that a URL may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elsewhere<'a> {
    /// The scheme of a URL.
    scheme: Option<&'a str>,
    place: Cow<'a, str>,
    has_login: bool,
}

impl<'a> Elsewhere<'a> {
    /// What a text is that could be the name of a file as well.
    pub(super) fn parse(text: &'a str) -> Option<Elsewhere<'a>> {
        if let Some((scheme, rest)) = text.split_once("://") {
            let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
            if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                || !scheme.chars().all(is_scheme)
                || scheme.eq_ignore_ascii_case("file")
            {
                return None;
            }
            let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
            let (login, place) = match authority.rsplit_once('@') {
                Some((login, place)) => (Some(login), place),
                None => (None, authority),
            };
            return Some(Elsewhere {
                scheme: Some(scheme),
                place: match place {
                    "" => "HOST:PORT".into(),
                    place => place.into(),
                },
                has_login: login.is_some(),
            });
        }
        let is_address = text.parse::<IpAddr>().is_ok();
        (!text.contains('/') && (is_address || OneWord::is_place(text))).then(|| Elsewhere {
            scheme: None,
            place: text.into(),
            has_login: false,
        })
    }

    pub(super) fn is_url(&self) -> bool {
        self.scheme.is_some()
    }

    /// What to use here.
    pub(super) fn advice(&self) -> String {
        let place = &self.place;
        let scheme = self.scheme.map(str::to_ascii_lowercase);
        let kind = match scheme.as_deref() {
            Some("http") => "http",
            Some("https") => {
                return format!(
                    "TLS is not spoken with a proxy itself. If it takes HTTP without: --proxy {place}"
                );
            }
            Some("socks4" | "socks4a") => "socks4",
            Some("socks5" | "socks5h" | "socks") => "socks5",
            Some(_) | None => "socks5 (or socks4, or http: nc's -X 4 and -X connect).",
        };
        let login = match self.has_login {
            true => {
                "\n  Who you are to it: --proxy-auth USER:PASS, or NCAT_PROXY_AUTH, which others \
                 cannot read."
            }
            false => "",
        };
        format!("Use --proxy {place} --proxy-type {kind}{login}")
    }
}

impl Display for Elsewhere<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = if self.has_login { "...@" } else { "" };
        match self.scheme {
            Some(scheme) => write!(f, "{scheme}://{login}{}", self.place),
            None => f.write_str(&self.place),
        }
    }
}

/// The host and the port of `HOST`, `HOST:PORT`, `::1`, `[::1]` or `[::1]:PORT`.
fn split(place: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        match rest {
            "" => (host, None),
            rest => (host, Some(rest.strip_prefix(':')?)),
        }
    } else if place.matches(':').count() > 1 {
        (place, None)
    } else {
        match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    let is_url = host.contains('/') || port.is_some_and(|port| port.contains('/'));
    (!host.is_empty() && !is_url).then_some((host, port))
}

/// A user and, except for SOCKS4, a password. What is wrong with them is said without them.
fn login(text: &str, kind: Kind) -> Result<Login, Error> {
    let bad = |why: &str| Error::usage("--proxy-auth", why).hint("As in: --proxy-auth USER:PASS");
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    if user.is_empty() {
        return Err(bad("the user is missing"));
    }
    if text.contains(|c: char| c.is_control()) {
        return Err(bad("it cannot contain control characters"));
    }
    match kind {
        Kind::Socks4 if !password.is_empty() => Err(bad("socks4 has no passwords")),
        Kind::Socks5 if user.len().max(password.len()) > MAX_LOGIN => {
            Err(bad("socks5 takes at most 255 bytes each"))
        }
        _ => Ok(Login {
            user: user.into(),
            password: password.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_proxies() {
        for (place, host, port) in [
            ("example.org", "example.org", None),
            ("example.org:8080", "example.org", Some("8080")),
            ("192.0.2.1:8080", "192.0.2.1", Some("8080")),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:8080", "::1", Some("8080")),
        ] {
            assert_eq!(split(place), Some((host, port)), "{place}");
        }
        for place in [
            "",
            ":80",
            "[]:80",
            "[::1",
            "[::1]80",
            "http://x",
            "http://x:80",
            "x:80/",
        ] {
            assert_eq!(split(place), None, "{place}");
        }
    }

    #[test]
    fn places_of_proxies_are_no_files() {
        for place in [
            "192.0.2.1",
            "::1",
            "[::1]",
            "192.0.2.1:1080",
            "[::1]:80",
            "example.org:http",
            // Also one that socat would take for something else.
            "proxy:3128",
            "tcp:80",
            "http://proxy:3128",
            "SOCKS5H://proxy",
            "socks4://",
        ] {
            assert!(Elsewhere::parse(place).is_some(), "{place}");
        }
        for file in [
            "-",
            "dump",
            "dump.hex",
            "./192.0.2.1:1080",
            "/tmp/a:b",
            "192.0.2",
            "./http://proxy",
            "a b://c",
            "file:///tmp/dump",
        ] {
            assert_eq!(Elsewhere::parse(file), None, "{file}");
        }
    }

    #[test]
    fn what_is_advised_for_a_url_can_be_typed() {
        for (url, shown, advice) in [
            (
                "http://proxy:3128/",
                "http://proxy:3128",
                "Use --proxy proxy:3128 --proxy-type http",
            ),
            (
                "socks5h://[::1]:1080",
                "socks5h://[::1]:1080",
                "Use --proxy [::1]:1080 --proxy-type socks5",
            ),
            (
                "socks4a://proxy",
                "socks4a://proxy",
                "Use --proxy proxy --proxy-type socks4",
            ),
            (
                "http://ana:sec@ret@proxy:80",
                "http://...@proxy:80",
                "Use --proxy proxy:80 --proxy-type http\n  Who you are to it: --proxy-auth \
                 USER:PASS, or NCAT_PROXY_AUTH, which others cannot read.",
            ),
            (
                "https://proxy",
                "https://proxy",
                "TLS is not spoken with a proxy itself. If it takes HTTP without: --proxy proxy",
            ),
        ] {
            let parsed = Elsewhere::parse(url).expect(url);
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(parsed.advice(), advice);
        }
    }

    #[test]
    fn logins() {
        let ann = |password: &str| {
            Ok(Login {
                user: "ann".into(),
                password: password.into(),
            })
        };
        assert_eq!(login("ann:a:b", Kind::Http), ann("a:b"));
        assert_eq!(login("ann", Kind::Http), ann(""));
        assert_eq!(login("ann", Kind::Socks4), ann(""));
        for (text, kind) in [
            ("", Kind::Http),
            (":secret", Kind::Http),
            ("ann:sec\nret", Kind::Http),
            ("ann:secret", Kind::Socks4),
            (&format!("ann:{}secret", "x".repeat(250)), Kind::Socks5),
        ] {
            let told = login(text, kind).unwrap_err();
            assert!(
                told.is_usage() && !told.to_string().contains("secret"),
                "{told}"
            );
        }
    }
}
