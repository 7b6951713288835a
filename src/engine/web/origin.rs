//! Origins: by which names a hub may be called, and whose pages may connect to it (RFC 6454).
//!
//! Any page may open a WebSocket to any address, and the browser says only whose page it is (RFC
//! 6455, section 10.2). And any owner of a name may let it lead here (DNS rebinding), so that such
//! a page seems to be ours. So the hub has to be called by a name that is its own, and the page has
//! to come from there.
//!
//! It promises: a page that is not the hub's is refused, whatever name leads here.

use core::net::IpAddr;
use core::net::Ipv6Addr;
use core::net::SocketAddr;

use super::answer::Refusal;
use super::answer::Status;

/// Names that any machine has.
const LOCAL: [&str; 1] = ["localhost"];

/// The longest name of a host (RFC 1035, section 2.3.4), with a port.
const LONGEST_NAME: usize = 255 + ":65535".len();

/// Characters that are told of one that is longer.
const SHOWN: usize = 40;

/// What is the hub's own. See the module's documentation.
#[derive(Debug, Clone, Copy)]
pub struct Origins<'a> {
    /// Where it was connected to.
    pub local: SocketAddr,
    /// It is reached by `https`.
    pub is_secure: bool,
    /// Names of this machine, and that of the address it listens on.
    pub names: &'a [String],
    /// [Names](host_of) that the operator allowed, at whatever port and with whatever scheme: those of a proxy.
    pub allowed: &'a [String],
}

/// A host as in a URL, and its port if one is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// `name`, `name:80`, `192.0.2.7:80`, `[2001:db8::7]:80`.
    fn parse(text: &'a str) -> Option<Authority<'a>> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let colon = match text.rfind(']') {
            Some(end) => text[end..].find(':').map(|at| end + at),
            None => text.find(':'),
        };
        let (host, port) = match colon {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let port = match port {
            None => None,
            Some(port) if is_digits(port) => Some(port.parse().ok()?),
            Some(_) => return None,
        };
        // A name may be written with the root's dot.
        let host = host.strip_suffix('.').unwrap_or(host);
        let called = Authority { host, port };
        // No other letters are in a name that leads to a host, and nothing but an address is in brackets.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_host = !host.is_empty() && (host.bytes().all(is_name) || called.ip().is_some());
        is_host.then_some(called)
    }

    fn ip(&self) -> Option<IpAddr> {
        let v6 = self.host.strip_prefix('[')?.strip_suffix(']');
        v6?.parse::<Ipv6Addr>().ok().map(IpAddr::from)
    }

    fn address(&self) -> Option<IpAddr> {
        self.ip().or_else(|| self.host.parse().ok())
    }

    fn is(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        match (self.address(), name.parse::<IpAddr>()) {
            (Some(address), Ok(ip)) => address.to_canonical() == ip.to_canonical(),
            _ => self.host.eq_ignore_ascii_case(name),
        }
    }
}

/// The host of a name that an operator allows, which may have a scheme of the web, a port and the path `/`, as people copy
/// it: behind a proxy the hub is told neither the scheme nor, always, the port. None: no browser calls a hub so.
pub fn host_of(text: &str) -> Option<String> {
    // An address of IPv6 in brackets is one within a URL only.
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Some(ip.to_string());
    }
    let authority = match text.split_once("://") {
        Some((scheme, rest)) if is_web(scheme) => rest.strip_suffix('/').unwrap_or(rest),
        _ => text,
    };
    let called = Authority::parse(authority)?;
    let ip = called.address().map(|ip| ip.to_string());
    Some(ip.unwrap_or_else(|| called.host.into()))
}

impl Origins<'_> {
    /// Whether the hub may be called so in `Host`.
    ///
    /// # Errors
    /// No, and what to do about it.
    pub fn check_host(&self, host: &str) -> Result<(), Refusal> {
        let Some(called) = Authority::parse(host) else {
            return Err(Refusal::new(
                Status::BadRequest,
                "Host is not the name of a host",
            ));
        };
        if self.is_allowed(&called) {
            return Ok(());
        }
        let own = match called.address() {
            Some(ip) => ip.to_canonical() == self.local.ip().to_canonical(),
            None => false,
        };
        let is_named = |names: &[String]| names.iter().any(|name| called.is(name));
        let local = LOCAL.iter().any(|name| called.is(name));
        let port = called.port.unwrap_or(self.default_port());
        let is_ours = own || local || is_named(self.names);
        if is_ours && port == self.local.port() {
            return Ok(());
        }
        let why = match host.len() <= LONGEST_NAME {
            true if is_ours => format!(
                "this hub is at port {}, and \"{host}\" is port {port}: its operator allows that with --web-origin {}",
                self.local.port(),
                called.host
            ),
            true => format!(
                "this hub is not called \"{host}\": its operator allows that with --web-origin {}",
                called.host
            ),
            false => format!(
                "this hub is not called \"{}\u{2026}\": that is longer than a name, which its operator could allow \
                 with --web-origin",
                &host[..SHOWN]
            ),
        };
        Err(Refusal::new(Status::Forbidden, why))
    }

    /// Whether a URL with that scheme may be asked for here, where the hub is called `host` (RFC 9110, section 7.4).
    ///
    /// # Errors
    /// It is another site's.
    pub(super) fn check_scheme(&self, scheme: &str, host: &str) -> Result<(), Refusal> {
        let called = Authority::parse(host);
        let is_ours = match called.is_some_and(|called| self.is_allowed(&called)) {
            true => is_web(scheme),
            false => scheme.eq_ignore_ascii_case(self.scheme()),
        };
        match is_ours {
            true => Ok(()),
            false => Err(Refusal::new(
                Status::Misdirected,
                format!("an address of this hub begins with {}://", self.scheme()),
            )),
        }
    }

    /// Whether a page of `origin` may connect, where the hub was called `host`.
    ///
    /// # Errors
    /// No.
    pub fn check_origin(&self, origin: &str, host: &str) -> Result<(), Refusal> {
        let parts = origin.split_once("://");
        let parsed = parts.and_then(|(scheme, rest)| Some((scheme, Authority::parse(rest)?)));
        let same = match (parsed, Authority::parse(host)) {
            (Some((scheme, page)), Some(called)) if self.is_allowed(&called) => {
                is_web(scheme) && page.host.eq_ignore_ascii_case(called.host)
            }
            (Some((scheme, page)), Some(called)) => {
                let port = |of: &Authority<'_>| of.port.unwrap_or(self.default_port());
                scheme.eq_ignore_ascii_case(self.scheme())
                    && page.host.eq_ignore_ascii_case(called.host)
                    && port(&page) == port(&called)
            }
            _ => false,
        };
        match same {
            true => Ok(()),
            false => Err(Refusal::new(
                Status::Forbidden,
                "the page of another site may not connect to this hub",
            )),
        }
    }

    fn is_allowed(&self, called: &Authority<'_>) -> bool {
        self.allowed.iter().any(|name| called.is(name))
    }

    fn scheme(&self) -> &'static str {
        match self.is_secure {
            true => "https",
            false => "http",
        }
    }

    fn default_port(&self) -> u16 {
        match self.is_secure {
            true => 443,
            false => 80,
        }
    }
}

/// Whether a scheme is one of the web's.
fn is_web(scheme: &str) -> bool {
    let mut known = ["http", "https"].iter();
    known.any(|known| scheme.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: [&str; 2]) -> [String; 2] {
        names.map(String::from)
    }

    fn origins<'a>(names: &'a [String], allowed: &'a [String]) -> Origins<'a> {
        Origins {
            local: "192.0.2.7:8080".parse().unwrap(),
            is_secure: false,
            names,
            allowed,
        }
    }

    #[test]
    fn a_hub_is_called_by_its_own_names_and_those_allowed() {
        let names = [
            names(["teacher", "teacher.local"]),
            names(["class.example.org", "203.0.113.5"]),
        ];
        let origins = origins(&names[0], &names[1]);
        for host in [
            "192.0.2.7:8080",
            "[::ffff:192.0.2.7]:8080",
            "localhost:8080",
            "LocalHost.:8080",
            "Teacher.local:8080",
            "class.example.org",
            "class.example.org:443",
            "203.0.113.5:80",
        ] {
            assert_eq!(origins.check_host(host), Ok(()), "{host}");
        }
        for host in [
            "192.0.2.7",
            "192.0.2.7:80",
            "192.0.2.8:8080",
            "localhost",
            "evil.example:8080",
            "teacher.local.evil.example:8080",
            "xclass.example.org",
            "[2001:db8::7]:8080",
        ] {
            let refused = origins.check_host(host).expect_err(host);
            assert_eq!(refused.status, Status::Forbidden, "{host}");
            assert!(refused.why.contains("--web-origin"), "{}", refused.why);
            // What is advised helps.
            let (_, advised) = refused.why.split_once("--web-origin ").unwrap();
            let allowed = [host_of(advised).expect(advised)];
            let advised = Origins {
                allowed: &allowed,
                ..origins
            };
            assert_eq!(advised.check_host(host), Ok(()), "{host}");
        }
        let refused = origins.check_host("192.0.2.7").unwrap_err();
        assert_eq!(
            refused.why,
            "this hub is at port 8080, and \"192.0.2.7\" is port 80: its operator allows that with \
             --web-origin 192.0.2.7"
        );
        let long = origins
            .check_host(&"x".repeat(8000))
            .expect_err("it is long");
        assert!(
            long.why.len() < 200 && long.why.contains("x\u{2026}\""),
            "{}",
            long.why
        );
        for host in [
            "",
            "é",
            "a b",
            ":8080",
            "a:b",
            "a:",
            "a:99999",
            "[::1]:x",
            "a:1:2",
            "a:+80",
            "a@192.0.2.7",
            "a/b",
            "*",
            "[a]",
            "\"a\"",
        ] {
            let refused = origins.check_host(host).expect_err(host);
            assert_eq!(refused.status, Status::BadRequest, "{host}");
        }
        let secure = Origins {
            local: "[2001:db8::7]:443".parse().unwrap(),
            is_secure: true,
            ..origins
        };
        assert_eq!(secure.check_host("[2001:DB8::7]"), Ok(()));
        assert!(secure.check_host("[2001:db8::7]:80").is_err());
    }

    #[test]
    fn a_name_is_allowed_in_whatever_way_it_is_written() {
        for text in [
            "class.example.org",
            "class.example.org.",
            "class.example.org:443",
            "class.example.org:8443",
            "https://class.example.org",
            "HTTPS://class.example.org/",
            "http://class.example.org:8080",
            "http://class.example.org:8080/",
        ] {
            let allowed = [host_of(text).expect(text)];
            let origins = origins(&[], &allowed);
            for host in ["class.example.org", "Class.example.org:443"] {
                assert_eq!(origins.check_host(host), Ok(()), "{text}: {host}");
                let page = "https://class.example.org";
                assert_eq!(origins.check_origin(page, host), Ok(()), "{text}");
            }
        }
        for text in ["2001:db8::7", "[2001:db8::7]", "http://[2001:db8::7]:80/"] {
            let allowed = [host_of(text).expect(text)];
            let called = origins(&[], &allowed).check_host("[2001:DB8:0::7]:443");
            assert_eq!(called, Ok(()), "{text}");
        }
        for text in [
            "",
            "*",
            "*.example.org",
            "a b",
            "a@host",
            "a,b",
            "\"a\"",
            "é.example",
            "host:",
            "host:https",
            "https://",
            "https:///",
            "ftp://host",
            "https://host/room",
            "//host",
            "host/",
        ] {
            assert_eq!(host_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_hub_has_one_scheme_and_a_proxy_before_it_another() {
        let names = [
            names(["teacher", "teacher.local"]),
            names(["class.example.org", "203.0.113.5"]),
        ];
        let origins = origins(&names[0], &names[1]);
        for (scheme, host) in [
            ("HTTP", "192.0.2.7:8080"),
            ("https", "class.example.org"),
            ("http", "class.example.org:8080"),
        ] {
            assert_eq!(origins.check_scheme(scheme, host), Ok(()), "{scheme}");
        }
        for (scheme, host) in [
            ("https", "192.0.2.7:8080"),
            ("ws", "192.0.2.7:8080"),
            ("ftp", "class.example.org"),
            ("", "192.0.2.7:8080"),
        ] {
            let refused = origins.check_scheme(scheme, host).expect_err(scheme);
            assert_eq!(refused.status, Status::Misdirected, "{scheme}");
        }
        let secure = Origins {
            is_secure: true,
            ..origins
        };
        assert_eq!(secure.check_scheme("https", "192.0.2.7:8080"), Ok(()));
        assert!(secure.check_scheme("http", "192.0.2.7:8080").is_err());
    }

    #[test]
    fn a_page_comes_from_where_the_hub_is_called() {
        let names = [
            names(["teacher", "teacher.local"]),
            names(["class.example.org", "203.0.113.5"]),
        ];
        let origins = origins(&names[0], &names[1]);
        for (origin, host) in [
            ("http://192.0.2.7:8080", "192.0.2.7:8080"),
            ("HTTP://LOCALHOST:8080", "localhost:8080"),
            ("https://class.example.org", "class.example.org"),
            ("https://class.example.org:444", "class.example.org:8080"),
        ] {
            assert_eq!(origins.check_origin(origin, host), Ok(()), "{origin}");
        }
        for (origin, host) in [
            ("null", "192.0.2.7:8080"),
            ("", "192.0.2.7:8080"),
            ("http://192.0.2.7", "192.0.2.7:8080"),
            ("http://192.0.2.7:8081", "192.0.2.7:8080"),
            ("https://192.0.2.7:8080", "192.0.2.7:8080"),
            ("http://localhost:8080", "192.0.2.7:8080"),
            ("http://evil.example:8080", "192.0.2.7:8080"),
            ("http://192.0.2.7:8080@evil.example", "192.0.2.7:8080"),
            ("file://", "192.0.2.7:8080"),
            ("ftp://class.example.org", "class.example.org"),
            ("https://evil.example", "class.example.org"),
        ] {
            let refused = origins.check_origin(origin, host).expect_err(origin);
            assert_eq!(refused.status, Status::Forbidden, "{origin}");
        }
    }
}
