//! One word for a host and a port: what other programs take, and muxnc wants in two words.
//!
//! `192.0.2.7:80`, `[2001:db8::1]:80`, `http://example.org/`, and the addresses of socat(1), as
//! `TCP:example.org:80` and `TCP-LISTEN:3000`.

use std::net::Ipv6Addr;

use crate::io::error::Error;

/// A word that names more than a host or a port, or a host otherwise than muxnc does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OneWord<'a> {
    /// `[::1]`
    Brackets(&'a str),
    /// `HOST:PORT`; the host may be empty.
    HostPort(&'a str, &'a str),
    /// `SCHEME://HOST/`, perhaps with a port.
    Url(&'a str, &'a str, Option<&'a str>),
    /// An address as socat takes it, and what muxnc wants for it, where it has that.
    Socat(Option<Ours>),
}

/// What muxnc wants for an address of socat.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ours {
    /// `-l` is one of them.
    listens: bool,
    /// Its options with their values, but for that.
    options: Vec<String>,
    /// The host and the port, or the path.
    place: String,
}

impl<'a> OneWord<'a> {
    /// What a word is, unless it can be a host or a port.
    pub(super) fn parse(word: &'a str) -> Option<OneWord<'a>> {
        if let Some((scheme, rest)) = word.split_once("://") {
            let place = rest.split(['/', '?', '#']).next().unwrap_or(rest);
            let place = place.rsplit('@').next().unwrap_or(place);
            let (host, port) = match host_and_port(place) {
                Some((host, port)) => (host, Some(port)),
                None => (unbracketed(place).unwrap_or(place), None),
            };
            return Some(OneWord::Url(scheme, host, port));
        }
        if let Some(address) = OneWord::socat(word) {
            return Some(address);
        }
        match (host_and_port(word), unbracketed(word)) {
            (Some((host, port)), _) => Some(OneWord::HostPort(host, port)),
            (None, Some(host)) => Some(OneWord::Brackets(host)),
            (None, None) => None,
        }
    }

    /// Whether a word names a host and its port, whatever else it may mean.
    pub(super) fn is_place(word: &str) -> bool {
        host_and_port(word).is_some() || unbracketed(word).is_some()
    }

    /// An address as socat takes it: a keyword, then parameters and options.
    pub(super) fn socat(word: &str) -> Option<OneWord<'static>> {
        let (keyword, rest) = word.split_once(':')?;
        let mut parts = rest.split(',');
        let parameters = parts.next().unwrap_or(rest);
        let further: Vec<(&str, &str)> = parts
            .map(|option| option.split_once('=').unwrap_or((option, "")))
            .collect();
        let keyword = keyword.to_ascii_lowercase();
        let (_, options) = SOCAT.iter().find(|(known, _)| *known == keyword)?;
        let ours = options.and_then(|options| match options.strip_prefix(PROXY) {
            Some(kind) => through_proxy(kind.trim(), parameters, &further),
            None => Some(Ours {
                listens: options.split(' ').any(|option| option == "-l"),
                options: options
                    .split(' ')
                    .filter(|option| !matches!(*option, "" | "-l"))
                    .map(String::from)
                    .collect(),
                place: match host_and_port(parameters) {
                    Some((host, port)) => format!("{host} {port}"),
                    None => parameters.into(),
                },
            }),
        });
        Some(OneWord::Socat(ours.map(|mut ours| {
            let meant = further
                .iter()
                .filter_map(|option| of_socat(*option, &ours.options));
            let meant: Vec<String> = meant.collect();
            ours.options.extend(meant);
            ours
        })))
    }

    /// The advice to the person who typed `word`: a hub's operator, if they `listen`, by UDP or
    /// not.
    pub(super) fn told(&self, word: &str, listen: bool, udp: bool) -> Error {
        let what = format!("'{word}'");
        let typed = match (listen, udp) {
            (true, true) => "-l -u ",
            (true, false) => "-l ",
            (false, true) => "-u ",
            (false, false) => "",
        };
        match self {
            OneWord::Brackets(host) => Error::usage(what, "an address is written without brackets")
                .hint(format!("Write: {host}")),
            OneWord::HostPort("", port) => Error::usage(what, "a port is written without a colon")
                .hint(format!("Write: {port}")),
            OneWord::HostPort(host, port) => Error::usage(what, "a host and a port are two words")
                .hint(format!("Write them apart: muxnc {typed}{host} {port}")),
            OneWord::Url("file", ..) => Error::usage(what, "a file; a host and a port are wanted")
                .hint("A file is sent with: muxnc HOST PORT < FILE"),
            OneWord::Url(scheme, host, port) => {
                let host = if host.is_empty() { "HOST" } else { host };
                let (options, known) = match *scheme {
                    "http" => ("-C ", "80"),
                    "https" => ("-C --ssl ", "443"),
                    _ => ("", "PORT"),
                };
                let port = port.unwrap_or(known);
                let hint = format!("Write them apart: muxnc {typed}{options}{host} {port}");
                let told = Error::usage(what, "a URL; a host and a port are wanted");
                told.hint(match *scheme {
                    "http" | "https" if !listen => {
                        format!("{hint}, and then type the request.")
                    }
                    _ => hint,
                })
            }
            OneWord::Socat(ours) => {
                let told = Error::usage(what, "that is how socat is told where to connect");
                match ours {
                    Some(Ours {
                        listens,
                        options,
                        place,
                    }) => {
                        let listens = listen || *listens;
                        let is_path = options.iter().any(|option| option == "-U");
                        let mut words = vec!["muxnc"];
                        words.extend(listens.then_some("-l"));
                        words.extend(options.iter().map(String::as_str));
                        let needs_host = !listens && !is_path && !place.contains(' ');
                        words.extend(needs_host.then_some("HOST"));
                        words.push(place);
                        told.hint(format!("Write: {}", words.join(" ")))
                    }
                    None => told.hint(
                        "muxnc connects its stdin and stdout with TCP, a Unix socket (-U), TLS \
                         (--ssl) or a proxy (--proxy), and runs no program. Try: muxnc --help",
                    ),
                }
            }
        }
    }
}

/// Marks those that lead through a proxy, of the type behind it.
const PROXY: &str = "--proxy";

/// `PROXY:HERE:HOST:PORT` and those of SOCKS, which may have the proxy's port as one more.
fn through_proxy(kind: &str, parameters: &str, further: &[(&str, &str)]) -> Option<Ours> {
    let words: Vec<&str> = parameters.split(':').collect();
    let own_port = |name| further.iter().find(|(option, _)| *option == name);
    let (proxy, port, host, to) = match words[..] {
        [proxy, port, host, to] if kind == "socks5" => (proxy, port, host, to),
        [proxy, host, to] => {
            let (name, usual) = match kind {
                "http" => ("proxyport", "8080"),
                _ => ("socksport", "1080"),
            };
            (
                proxy,
                own_port(name).map_or(usual, |(_, port)| *port),
                host,
                to,
            )
        }
        _ => return None,
    };
    let mut options = vec![format!("{PROXY} {proxy}:{port}")];
    if kind != "http" {
        options.push(format!("--proxy-type {kind}"));
    }
    Some(Ours {
        listens: false,
        options,
        place: format!("{host} {to}"),
    })
}

/// What an option of socat is here, beside those.
fn of_socat((name, value): (&str, &str), beside: &[String]) -> Option<String> {
    let is_tls = beside.iter().any(|option| option == "--ssl");
    let option = match name {
        "crnl" | "crlf" => return Some(String::from("-C")),
        "cert" | "certificate" if is_tls => "--ssl-cert",
        "key" if is_tls => "--ssl-key",
        "cafile" if is_tls => "--ssl-trustfile",
        _ => return None,
    };
    (!value.is_empty()).then(|| format!("{option} {value}"))
}

/// The keywords of socat's addresses, of which a netcat's user may think, with their options here.
const SOCAT: &[(&str, Option<&str>)] = &[
    ("abstract-connect", None),
    ("abstract-listen", None),
    ("exec", None),
    ("fd", None),
    ("file", None),
    ("gopen", None),
    ("open", None),
    ("openssl", Some("--ssl")),
    ("openssl-connect", Some("--ssl")),
    ("openssl-listen", Some("-l --ssl")),
    ("pipe", None),
    ("proxy", Some("--proxy http")),
    ("proxy-connect", Some("--proxy http")),
    ("sctp", None),
    ("sctp-connect", None),
    ("sctp-listen", None),
    ("shell", None),
    ("socks4", Some("--proxy socks4")),
    ("socks4a", Some("--proxy socks4")),
    ("socks5", Some("--proxy socks5")),
    ("socks5-connect", Some("--proxy socks5")),
    ("ssl", Some("--ssl")),
    ("ssl-l", Some("-l --ssl")),
    ("system", None),
    ("tcp", Some("")),
    ("tcp4", Some("-4")),
    ("tcp6", Some("-6")),
    ("tcp-connect", Some("")),
    ("tcp4-connect", Some("-4")),
    ("tcp6-connect", Some("-6")),
    ("tcp-l", Some("-l")),
    ("tcp4-l", Some("-l -4")),
    ("tcp6-l", Some("-l -6")),
    ("tcp-listen", Some("-l")),
    ("tcp4-listen", Some("-l -4")),
    ("tcp6-listen", Some("-l -6")),
    ("udp", Some("-u")),
    ("udp4", Some("-u -4")),
    ("udp6", Some("-u -6")),
    ("udp-connect", Some("-u")),
    ("udp-l", Some("-l -u")),
    ("udp-listen", Some("-l -u")),
    ("unix", Some("-U")),
    ("unix-client", Some("-U")),
    ("unix-connect", Some("-U")),
    ("unix-l", Some("-l -U")),
    ("unix-listen", Some("-l -U")),
];

/// The two of `HOST:PORT` and `[ADDRESS]:PORT`. More than one colon outside of brackets is an IPv6
/// address.
fn host_and_port(word: &str) -> Option<(&str, &str)> {
    match word.rsplit_once(':')? {
        (host, port) if host.starts_with('[') => Some((unbracketed(host)?, port)),
        (host, _) if host.contains(':') => None,
        parts => Some(parts),
    }
}

/// The address of `[ADDRESS]`, perhaps with a scope.
fn unbracketed(word: &str) -> Option<&str> {
    let host = word.strip_prefix('[')?.strip_suffix(']')?;
    let address = host.split('%').next().unwrap_or(host);
    address.parse::<Ipv6Addr>().ok().map(|_| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_in_one() {
        for (word, host, port) in [
            ("192.0.2.7:80", "192.0.2.7", "80"),
            ("example.org:http", "example.org", "http"),
            ("[::1]:80", "::1", "80"),
            ("[fe80::1%eth0]:80", "fe80::1%eth0", "80"),
            (":80", "", "80"),
        ] {
            let parsed = OneWord::parse(word);
            assert_eq!(parsed, Some(OneWord::HostPort(host, port)), "{word}");
        }
        assert_eq!(OneWord::parse("[::1]"), Some(OneWord::Brackets("::1")));
    }

    #[test]
    fn a_host_or_a_port_is_one_word() {
        for word in [
            "",
            "-",
            "80",
            "http",
            "localhost",
            "192.0.2.7",
            "::",
            "::1",
            "fe80::1%eth0",
            "1:2:3",
            "2001:db8::1:80",
            "@name",
            "[x]",
            "[::1",
            "stdio",
        ] {
            assert_eq!(OneWord::parse(word), None, "{word}");
        }
    }

    #[test]
    fn what_is_told_can_be_typed() {
        for (word, listen, hint) in [
            ("TCP:3000", true, "Write: muxnc -l 3000"),
            ("TCP:3000", false, "Write: muxnc HOST 3000"),
            ("TCP:192.0.2.7:80", false, "Write: muxnc 192.0.2.7 80"),
            ("TCP4:192.0.2.7:80", true, "Write: muxnc -l -4 192.0.2.7 80"),
            ("TCP-LISTEN:3000", true, "Write: muxnc -l 3000"),
            ("UNIX:/tmp/s", false, "Write: muxnc -U /tmp/s"),
            ("TCP:a:1,crnl", false, "Write: muxnc -C a 1"),
            (
                "OPENSSL-LISTEN:443,cert=x,verify=0",
                false,
                "Write: muxnc -l --ssl --ssl-cert x 443",
            ),
            (
                "PROXY:p:h:80,proxyport=3128",
                false,
                "Write: muxnc --proxy p:3128 h 80",
            ),
            (
                "SOCKS4A:p:h:80",
                false,
                "Write: muxnc --proxy p:1080 --proxy-type socks4 h 80",
            ),
            (
                "SOCKS5:p:1081:h:80",
                false,
                "Write: muxnc --proxy p:1081 --proxy-type socks5 h 80",
            ),
            ("PROXY:p", false, "Try: muxnc --help"),
            ("file:///etc/passwd", false, "muxnc HOST PORT < FILE"),
            ("ftp:///x", false, "Write them apart: muxnc HOST PORT"),
        ] {
            let told = OneWord::parse(word).unwrap().told(word, listen, false);
            let told = told.to_string();
            assert!(told.ends_with(hint), "{word}: {told}");
        }
    }

    #[test]
    fn urls() {
        for (word, scheme, host, port) in [
            ("http://example.org", "http", "example.org", None),
            ("http://example.org/a:b?c", "http", "example.org", None),
            (
                "https://ann:secret@example.org:8443/",
                "https",
                "example.org",
                Some("8443"),
            ),
            ("tcp://[::1]:80", "tcp", "::1", Some("80")),
            ("http://[::1]/", "http", "::1", None),
        ] {
            let parsed = OneWord::parse(word);
            assert_eq!(parsed, Some(OneWord::Url(scheme, host, port)), "{word}");
        }
    }

    #[test]
    fn addresses_of_socat() {
        for (word, ours) in [
            ("TCP:example.org:80", Some("example.org 80")),
            ("tcp4:192.0.2.7:80,crnl", Some("-4 -C 192.0.2.7 80")),
            ("TCP-LISTEN:3000,fork,reuseaddr", Some("-l 3000")),
            ("TCP6:[::1]:80", Some("-6 ::1 80")),
            ("OPENSSL:example.org:443", Some("--ssl example.org 443")),
            ("UNIX-LISTEN:/tmp/s", Some("-l -U /tmp/s")),
            ("EXEC:/bin/sh", None),
            ("UDP:192.0.2.7:53", Some("-u 192.0.2.7 53")),
            ("UDP-LISTEN:514", Some("-l -u 514")),
        ] {
            let told = OneWord::parse(word)
                .unwrap()
                .told(word, false, false)
                .to_string();
            match ours {
                Some(ours) => assert!(told.ends_with(&format!(": muxnc {ours}")), "{told}"),
                None => assert!(told.contains("runs no program"), "{told}"),
            }
        }
    }
}
