//! Names and numbers: hosts to addresses, services to ports.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::SocketAddrV6;
use std::time::Duration;
use std::time::Instant;

use dns_lookup::AddrInfoHints;
use dns_lookup::SockType;

use super::question;
use super::question::Answer;
use super::question::Question;
use crate::io::error::Error;
use crate::io::error::why;

/// Which addresses of a name are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// All of them.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    fn has(self, addr: &SocketAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => addr.is_ipv4(),
            Family::V6 => addr.is_ipv6(),
        }
    }
}

/// Whether names may be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Names and numbers.
    Names,
    /// Numbers only.
    Numeric,
}

/// How long the answer to a name is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until then, as `-w` says.
    Until(Instant),
    /// The usual time: none was given.
    Usual,
}

/// How long it is waited without a word.
const UNTOLD: Duration = Duration::from_secs(1);

/// How long it is usual to wait for an answer, or for a connection: as long as ncat does.
pub const USUAL: Duration = Duration::from_secs(10);

impl Patience {
    fn until(self) -> Instant {
        match self {
            Patience::Until(until) => until,
            Patience::Usual => Instant::now() + USUAL,
        }
    }

    /// The question got no answer: `why`.
    fn unanswered(self, doing: String, why: &str) -> Error {
        let set = match self {
            Patience::Until(_) => " (-w TIME sets how long to try.)",
            Patience::Usual => "",
        };
        Error::new(doing, why).hint(format!(
            "Is the network up, and its name server? A numeric address needs none.{set}"
        ))
    }
}

/// A port from what was typed: 1 to 65535, or the name of a service. 0 is taken too: for
/// listening it means any.
///
/// # Errors
/// Anything else, as a usage error.
pub fn port(text: &str, lookup: Lookup) -> Result<u16, Error> {
    let bad = |why: &str| {
        Error::usage(format!("port '{text}'"), why)
            .hint("A port is a number from 1 to 65535, or the name of a service, as http.")
    };
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| bad("out of range"));
    }
    let named = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if named && lookup == Lookup::Numeric {
        return Err(Error::usage(format!("port '{text}'"), "not a number").hint(
            "With -n nothing is looked up, the name of a service neither; leave it out to use one.",
        ));
    }
    if !named {
        return Err(bad("not a port"));
    }
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    dns_lookup::getaddrinfo(None, Some(text), Some(hints))
        .ok()
        .and_then(|mut found| found.next()?.ok())
        .map(|found| found.sockaddr.port())
        .ok_or_else(|| bad("no such service"))
}

/// A getnameinfo(3) that looks no host up (`NI_NUMERICHOST`).
const NUMERIC_HOST: i32 = if cfg!(target_os = "linux") { 1 } else { 2 };

/// The name of the service whose port that is, if it has one and may be looked up.
pub fn service(port: u16, lookup: Lookup) -> Option<String> {
    if lookup == Lookup::Numeric {
        return None;
    }
    let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let (_, name) = dns_lookup::getnameinfo(&at, NUMERIC_HOST).ok()?;
    // Where there is no name, the number stands for it.
    (name != port.to_string()).then_some(name)
}

/// Whether a host is a number that a port may have. As an address it would be one of 0.0.0.0/16,
/// which no machine can have (RFC 1122, 3.2.1.3).
pub fn is_port_alone(host: &str) -> bool {
    host.bytes().all(|b| b.is_ascii_digit()) && host.parse::<u16>().is_ok()
}

/// The error about such a number as a host.
pub fn port_as_host(host: &str) -> Error {
    Error::usage(format!("host '{host}'"), "a number alone is a port").hint(port_as_address(host))
}

/// How such a number is written if it is to be an address.
pub fn port_as_address(host: &str) -> String {
    let number = host.parse().unwrap_or(0);
    format!(
        "If the IPv4 address is meant, write {}.",
        Ipv4Addr::from_bits(number)
    )
}

/// The addresses of `host`, in the order the system prefers.
///
/// # Errors
/// None were found.
pub fn resolve(
    host: &str,
    port: u16,
    family: Family,
    lookup: Lookup,
    patience: Patience,
) -> Result<Vec<SocketAddr>, Error> {
    if let Some(known) = known(host, port, family, lookup) {
        return known;
    }
    let answer = match Question::ask(host, port) {
        Ok(question) => {
            let answer = wait(&question, host, patience.until());
            answer.ok_or_else(|| patience.unanswered(doing(host), NO_ANSWER))?
        }
        // Where there can be no thread there is no limit either.
        Err(_) => question::answer_now(host, port),
    };
    sift(answer, host, family)
}

/// The address to come from, which `host` has: of the family of the one to go to.
///
/// # Errors
/// It has none.
pub fn source(
    host: &str,
    port: u16,
    to: SocketAddr,
    lookup: Lookup,
    patience: Patience,
) -> Result<SocketAddr, Error> {
    let found = resolve(host, port, Family::Any, lookup, patience)?;
    let fits = |addr: &SocketAddr| addr.is_ipv4() == to.is_ipv4();
    found
        .into_iter()
        .find(fits)
        .ok_or_else(|| Error::usage(doing(host), "not an address of that family").hint(SOURCE))
}

/// What is to be done about an address to come from that is of no use.
pub(super) const SOURCE: &str = "-s must be an address of this machine, of the same family.";

/// There was no answer in time.
pub(super) const NO_ANSWER: &str = "no answer in time";

/// What is being done, for the error if it fails.
pub(super) fn doing(host: &str) -> String {
    format!("look up {host}")
}

/// What is known of `host` without asking a server: an address, or why it may be none. None: it is
/// a name.
pub(super) fn known(
    host: &str,
    port: u16,
    family: Family,
    lookup: Lookup,
) -> Option<Result<Vec<SocketAddr>, Error>> {
    if is_port_alone(host) {
        return Some(Err(port_as_host(host)));
    }
    if let Some(addr) = numeric(host, port) {
        return Some(match addr {
            Ok(addr) if family.has(&addr) => Ok(vec![addr]),
            Ok(_) => Err(Error::usage(doing(host), "not an address of that family")
                .hint("-4 and -6 must fit the address.")),
            Err(error) => Err(error),
        });
    }
    (lookup == Lookup::Numeric).then(|| {
        Err(Error::usage(doing(host), "not a numeric address")
            .hint("With -n nothing is looked up; leave it out to use a name."))
    })
}

/// What an answer is good for.
pub(super) fn sift(answer: Answer, host: &str, family: Family) -> Result<Vec<SocketAddr>, Error> {
    let mut found = answer.map_err(|error| {
        let why = why(&error);
        let why = why.rsplit(": ").next().unwrap_or(&why).to_lowercase();
        match is_passing(&why) {
            true => Patience::Usual.unanswered(doing(host), &why),
            false => {
                Error::new(doing(host), why).hint("Check the spelling, or use the numeric address.")
            }
        }
    })?;
    found.retain(|addr| family.has(addr));
    match found.is_empty() {
        true => Err(Error::new(doing(host), "it has no address of that family")
            .hint("Leave out -4 or -6 to use those it has.")),
        false => Ok(found),
    }
}

/// Whether the resolver could reach no server (EAI_AGAIN, getaddrinfo(3)): that says nothing about
/// the name.
fn is_passing(why: &str) -> bool {
    why.starts_with("temporary failure") || why.starts_with("try again")
}

/// Waits for the answer, and says so if that takes long: the user would not know what for
/// otherwise.
fn wait(question: &Question, host: &str, until: Instant) -> Option<Answer> {
    let answer = question.wait(until.min(Instant::now() + UNTOLD));
    let left = until.saturating_duration_since(Instant::now());
    if answer.is_some() || left.is_zero() {
        return answer;
    }
    let left = left.as_secs_f64().ceil();
    log::warn!("look up {host}: no answer yet; {left} s more at most are waited for it");
    // There is no loop yet that would write it.
    log::logger().flush();
    question.wait(until)
}

/// Whether a host is an address, well written or not, so that no name is looked up.
pub(super) fn is_numeric(host: &str, port: u16) -> bool {
    numeric(host, port).is_some()
}

/// An address written in numbers, perhaps with a scope: `fe80::1%2` or `fe80::1%eth0` (RFC 4007,
/// 11). None if it is none. An address that many links can have says nothing without one.
fn numeric(host: &str, port: u16) -> Option<Result<SocketAddr, Error>> {
    let (ip, scope) = match host.split_once('%') {
        Some((ip, scope)) => (IpAddr::V6(ip.parse().ok()?), Some(scope)),
        None => (host.parse().ok()?, None),
    };
    Some(match (ip, scope) {
        (IpAddr::V6(ip), None) if ip.is_unicast_link_local() => Err(without_scope(ip)),
        (ip, None) => Ok(SocketAddr::new(ip, port)),
        (IpAddr::V6(ip), Some(scope)) => {
            self::scope(scope, host).map(|scope| SocketAddrV6::new(ip, port, 0, scope).into())
        }
        (IpAddr::V4(_), Some(_)) => return None,
    })
}

/// The number of a scope: itself, or that of an interface.
fn scope(text: &str, host: &str) -> Result<u32, Error> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let named = interfaces.iter().find(|interface| interface.name == text);
    named.and_then(|interface| interface.index).ok_or_else(|| {
        let mut names: Vec<&str> = interfaces.iter().map(|one| &*one.name).collect();
        names.sort_unstable();
        names.dedup();
        Error::new(
            format!("look up {host}"),
            format!("there is no interface '{text}'"),
        )
        .hint(format!(
            "The interfaces of this machine: {}.",
            names.join(", ")
        ))
    })
}

/// An address as messages have it: with the name of its interface, which is a number in it, as people type it.
pub fn shown(addr: SocketAddr) -> String {
    let SocketAddr::V6(scoped) = addr else {
        return addr.to_string();
    };
    let index = Some(scoped.scope_id()).filter(|&index| index > 0);
    let interfaces = index.map_or_else(Vec::new, |_| if_addrs::get_if_addrs().unwrap_or_default());
    match interfaces.iter().find(|one| one.index == index) {
        Some(one) => format!("[{}%{}]:{}", scoped.ip(), one.name, scoped.port()),
        None => addr.to_string(),
    }
}

fn without_scope(ip: Ipv6Addr) -> Error {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let linked = interfaces
        .iter()
        .find(|interface| matches!(interface.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local()));
    let name = linked.map_or("eth0", |interface| &interface.name);
    Error::usage(
        format!("address {ip}"),
        "every link has such addresses: which is meant is missing",
    )
    .hint(format!(
        "Add the interface that leads there, as in: {ip}%{name}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_strict() {
        assert_eq!(port("1", Lookup::Names), Ok(1));
        assert_eq!(port("65535", Lookup::Numeric), Ok(65535));
        for text in [
            "", "65536", "99999", "-5", "+5", "80x", "0x50", " 80", "8.0",
        ] {
            let error = port(text, Lookup::Names).expect_err(text);
            assert!(error.is_usage() && error.to_string().contains(&format!("'{text}'")));
        }
        assert!(port("http", Lookup::Numeric).is_err());
    }

    #[test]
    fn numbers_need_no_lookup() {
        let resolve = |host, family| resolve(host, 7, family, Lookup::Numeric, Patience::Usual);
        let v4 = SocketAddr::from(([127, 0, 0, 1], 7));
        assert_eq!(resolve("127.0.0.1", Family::Any), Ok(vec![v4]));
        assert!(resolve("127.0.0.1", Family::V6).is_err());
        assert!(resolve("localhost", Family::Any).is_err());
        let scoped = resolve("fe80::1%2", Family::V6).unwrap()[0];
        assert_eq!(scoped.to_string(), "[fe80::1%2]:7");
        // The interface that every machine has is the first.
        let named = resolve("fe80::1%lo", Family::Any).unwrap()[0];
        assert_eq!(named.to_string(), "[fe80::1%1]:7");
        let unscoped = resolve("fe80::1", Family::Any).unwrap_err();
        assert!(unscoped.is_usage() && unscoped.to_string().contains("fe80::1%"));
        let unknown = resolve("fe80::1%nowhere", Family::Any).unwrap_err();
        assert!(
            unknown.to_string().contains("no interface 'nowhere'"),
            "{unknown}"
        );
        assert!(resolve("127.0.0.1%lo", Family::Any).is_err());
    }
}
