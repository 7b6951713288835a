//! Dialling: how a connection comes about, from a name to TLS, in words.

use core::net::IpAddr;
use core::net::SocketAddr;
use std::io::ErrorKind;

use super::Agreement;
use super::Belief;
use super::Layer;
use super::Observed;
use super::Telling;
use super::TlsAgreement;
use super::shown;
use super::shown_up_to;

/// Characters of the names in a certificate that are shown.
const NAMES: usize = 120;

/// Tells of what belongs here; what does not is handed back.
pub(super) fn tell<'a>(what: Observed<'a>, telling: &mut Telling) -> Option<Observed<'a>> {
    match what {
        Observed::Numeric(ip) => {
            let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
            telling.say(
                Layer::Ip,
                format!("{ip} is an {family} address: no name has to be looked up"),
            );
        }
        Observed::Asked(host) => telling.say(
            Layer::Name,
            format!("the system is asked for the addresses of {host} (/etc/hosts, DNS)"),
        ),
        Observed::Found(host, addrs, took) => {
            let ips: Vec<String> = addrs.iter().map(|addr| addr.ip().to_string()).collect();
            telling.say(
                Layer::Name,
                match &ips[..] {
                    [ip] => format!("{host} has the address {ip}, found after {took:.1?}"),
                    _ => format!(
                        "{host} has {} addresses, found after {took:.1?}, to be tried in this \
                         order: {}",
                        ips.len(),
                        ips.join(", ")
                    ),
                },
            );
        }
        Observed::Attempt { addr, beside } => telling.say(
            Layer::Tcp,
            match beside {
                false => format!("our kernel is asked for a connection to {addr}: it sends a SYN"),
                true => format!(
                    "no answer yet: a SYN goes to {addr}, too, beside the other (Happy Eyeballs)"
                ),
            },
        ),
        Observed::Failed {
            addr,
            kind,
            near: true,
            slowly,
            ..
        } if tell_silent_neighbour(addr, kind, slowly, telling) => {}
        Observed::Failed {
            addr, kind, why, ..
        } => tell_failed(addr, kind, why, telling),
        Observed::Outrun { loser, winner } => telling.say(
            Layer::Tcp,
            format!(
                "{loser} did not answer before {winner} did: it lost the race, and is given \
             up"
            ),
        ),
        Observed::ProxyAsked {
            language,
            proxy,
            place,
        } => telling.say(
            Layer::Proxy,
            format!(
                "TCP leads to the proxy {proxy}, which is asked ({language}) to connect to {place}"
            ),
        ),
        Observed::ProxyWantsLogin => telling.say(
            Layer::Proxy,
            "it wants to know who we are (407): that is said on another connection",
        ),
        Observed::ProxyAgreed(place) => telling.say(
            Layer::Proxy,
            format!(
                "it says that it has reached {place}: our TCP ends at the proxy, which passes \
                 bytes on"
            ),
        ),
        Observed::Believed(belief) => telling.say(
            Layer::Tls,
            match belief {
                Belief::System => {
                    "we believe that it is who it says: an authority that this machine trusts \
                     vouches for it"
                }
                Belief::File => {
                    "we believe that it is who it says: what is in your file vouches for it"
                }
                Belief::Fingerprint => {
                    "we believe that it is who we want: it has the fingerprint that you gave"
                }
            },
        ),
        Observed::Agreed(agreement) => {
            match agreement {
                Agreement::Tls(agreement) => tell_tls(agreement, telling),
                Agreement::WebSocket => telling.say(
                    Layer::WebSocket,
                    "from here on it is WebSocket and HTTP no more (Upgrade): what is said goes in \
                     frames, one for a message",
                ),
            }
            return Some(what);
        }
        Observed::Connected {
            local,
            remote,
            took,
        } => {
            telling.say(
                Layer::Tcp,
                format!(
                    "SYN, SYN-ACK, ACK: the handshake with {remote} is over, {took:.1?} after our SYN"
                ),
            );
            tell_numbers(local, remote, telling);
            return Some(what);
        }
        Observed::Listening(place) => telling.say(
            Layer::Tcp,
            format!("our kernel listens on {place}: it answers each SYN by itself, and we accept"),
        ),
        Observed::Accepted {
            local: Some(local),
            remote: Some(remote),
        } => {
            telling.say(
                Layer::Tcp,
                "our kernel shook hands by itself (SYN, SYN-ACK, ACK) before we accepted the \
                 connection",
            );
            tell_numbers(local, remote, telling);
            return Some(what);
        }
        other => return Some(other),
    }
    None
}

/// The four numbers of a connection.
fn tell_numbers(local: SocketAddr, remote: SocketAddr, telling: &mut Telling) {
    let (here, there) = (local.ip().to_canonical(), remote.ip().to_canonical());
    telling.say(
        Layer::Tcp,
        format!(
            "its four numbers: {here} port {} here, {there} port {} there",
            local.port(),
            remote.port()
        ),
    );
    if is_here(here, there) {
        telling.say(
            Layer::Ip,
            "both ends are on this machine: no packet leaves it (loopback)",
        );
    }
}

/// Whether both ends are on this machine: that is known of these addresses without asking.
fn is_here(here: IpAddr, there: IpAddr) -> bool {
    there.is_loopback() || here == there
}

/// An address of our own network, which a kernel looks for with a question to all of it before it sends
/// anything there. Returns whether that told it.
fn tell_silent_neighbour(
    addr: SocketAddr,
    kind: ErrorKind,
    slowly: bool,
    telling: &mut Telling,
) -> bool {
    let (ip, question) = match addr.ip().to_canonical() {
        ip @ IpAddr::V4(_) => (ip, "ARP"),
        ip @ IpAddr::V6(_) => (ip, "neighbor discovery"),
    };
    match kind {
        ErrorKind::HostUnreachable if slowly => telling.say(
            Layer::Ip,
            format!(
                "nobody on this network said that {ip} is its own, though our kernel asked \
                 ({question}): no SYN could leave"
            ),
        ),
        ErrorKind::TimedOut => telling.say(
            Layer::Tcp,
            format!(
                "nothing came in the time there was: no answer of {addr} to a SYN, or nobody on this \
                 network said that {ip} is its own ({question}), and no SYN could leave"
            ),
        ),
        _ => return false,
    }
    true
}

fn tell_failed(addr: SocketAddr, kind: ErrorKind, why: &str, telling: &mut Telling) {
    match kind {
        ErrorKind::ConnectionRefused => telling.say(
            Layer::Tcp,
            format!(
                "{addr} refused: a RST came back. Nothing listens on that port there (or a \
                 firewall says so)"
            ),
        ),
        ErrorKind::TimedOut => telling.say(
            Layer::Tcp,
            format!("{addr} did not answer our SYN in the time there was"),
        ),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => telling.say(
            Layer::Ip,
            format!("there is no way to {} from here: {why}", addr.ip()),
        ),
        _ => telling.say(Layer::Tcp, format!("no connection to {addr}: {why}")),
    }
}

fn tell_tls(agreement: &TlsAgreement, telling: &mut Telling) {
    let TlsAgreement {
        version,
        cipher,
        protocol,
        certificate,
    } = agreement;
    telling.say(
        Layer::Tls,
        format!(
            "the two agreed on {version} and encrypt with {cipher}: nobody on the way can read it"
        ),
    );
    if let Some(protocol) = protocol {
        telling.say(
            Layer::Tls,
            format!(
                "they also agreed to speak {} (ALPN)",
                shown(protocol.as_bytes())
            ),
        );
    }
    if let Some(certificate) = certificate {
        let names = match certificate.names.is_empty() {
            true => String::new(),
            false => format!(
                " is for {} and",
                shown_up_to(NAMES, certificate.names.as_bytes())
            ),
        };
        telling.say(
            Layer::Tls,
            format!(
                "its certificate{names} has the fingerprint {}…",
                certificate.fingerprint
            ),
        );
    }
}
