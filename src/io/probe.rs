//! A probe: whether a program listens on one port, found out beside others over one Poll.
//!
//! ```text
//!   racing the addresses ─► connected ─┬─► open
//!            ▲                         └─► asking the proxy ─┬─► open
//!            └──── the proxy wants a new connection ◄────────┘
//! ```
//!
//! The host's addresses (through a proxy: the proxy's) are looked up once for all ports. Each port
//! then races them as a connection does, see [`happy_eyeballs`](crate::engine::happy_eyeballs): a
//! program that listens on one family only is found, as `-z` finds it alone. To stay at the address
//! that first answered anything would be faster where a family is dead, but would miss such ports;
//! there the time of a port bounds what it costs, and others go on beside it.
//!
//! It promises: nothing is sent to the port, and a connection that was made is closed at once; each port has its
//! own time, and an answer that has come counts also when it is looked at late.

use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Instant;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::unix::SourceFd;
use socket2::Socket;

use crate::engine::happy_eyeballs::HappyEyeballs;
use crate::engine::happy_eyeballs::Move;
use crate::engine::happy_eyeballs::interleave;
use crate::engine::proxy::Destination;
use crate::engine::proxy::ProxyError;
use crate::engine::scan::Finding;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::net;
use crate::io::net::Patience;
use crate::io::net::Purpose;
use crate::io::net::Remote;
use crate::io::proxy;
use crate::io::proxy::Failure;
use crate::io::proxy::Negotiation;
use crate::io::proxy::Progress;
use crate::io::proxy::Proxy;

/// The target of the probes: looked up once for all of them.
#[derive(Debug)]
pub struct Route {
    remote: Remote,
    /// Of the host, or of the proxy, in the order in which they are tried.
    addrs: Vec<SocketAddr>,
    /// Whom the proxy is asked for, but for the port.
    proxied: Option<(Proxy, Destination)>,
}

impl Route {
    /// The way to the host of `remote`, whose port is any of those that are looked at.
    ///
    /// # Errors
    /// It, or the proxy, has no address.
    pub fn find(remote: Remote, proxy: Option<Proxy>) -> Result<Route, Error> {
        let end = Instant::now() + remote.limit;
        let (host, port) = match &proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (&remote.host, remote.port),
        };
        let patience = Patience::Until(end);
        let found = net::resolve(host, port, remote.family, remote.lookup, patience)?;
        let proxied = match proxy {
            Some(proxy) => {
                let destination = proxy::destination(&remote, &proxy, end)?;
                Some((proxy, destination))
            }
            None => None,
        };
        Ok(Route {
            addrs: interleave(found, SocketAddr::is_ipv4),
            remote,
            proxied,
        })
    }

    fn addr(&self, number: usize, port: u16) -> SocketAddr {
        let mut addr = self.addrs[number];
        if self.proxied.is_none() {
            addr.set_port(port);
        }
        addr
    }

    fn race(&self, now: Instant, end: Instant) -> HappyEyeballs {
        HappyEyeballs::new(self.addrs.len(), now, end)
    }
}

/// What became of a probe.
#[derive(Debug)]
pub enum Step {
    /// Go on when there is an event, or then.
    Wait(Instant),
    /// It is over.
    Found(Finding),
    /// There is no descriptor for it.
    Exhausted(io::Error),
    /// What is wrong is wrong for every port.
    Hopeless(Error),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Probe {
    port: u16,
    token: Token,
    end: Instant,
    race: HappyEyeballs,
    running: Vec<(usize, Socket)>,
    /// The most telling of the failures.
    failure: Option<io::Error>,
    /// The negotiation with a proxy, once there is a connection to it.
    talk: Option<(TcpStream, Negotiation)>,
    /// The same, while there is no connection.
    waiting: Option<Negotiation>,
}

impl Probe {
    /// A probe of a port that begins now; events of its sockets are to come with this token.
    pub fn new(route: &Route, port: u16, token: Token, now: Instant) -> Probe {
        let end = now + route.remote.limit;
        Probe {
            port,
            token,
            end,
            race: route.race(now, end),
            running: Vec::new(),
            failure: None,
            talk: None,
            waiting: None,
        }
    }

    /// Goes on as far as it gets.
    pub fn advance(&mut self, route: &Route, registry: &Registry, now: Instant) -> Step {
        loop {
            if self.talk.is_some() {
                match self.negotiate(route, now) {
                    Some(step) => return step,
                    None => continue,
                }
            }
            if let Some(socket) = self.look(now) {
                match self.connected(socket, route) {
                    Some(step) => return step,
                    None => continue,
                }
            }
            match self.race.next(now) {
                Move::Start(number) => {
                    if let Err(step) = self.start(number, route, registry, now) {
                        return step;
                    }
                }
                Move::Wait(until) => return Step::Wait(until),
                Move::GiveUp => return self.give_up(route),
            }
        }
    }

    /// Takes connected attempts out of those that run, and drops those that failed.
    fn look(&mut self, now: Instant) -> Option<Socket> {
        let mut at = 0;
        while at < self.running.len() {
            let socket = &self.running[at].1;
            let state = match socket.take_error() {
                Ok(None) => socket.peer_addr().map(drop),
                Ok(Some(error)) | Err(error) => Err(error),
            };
            match state {
                Err(error) if error.kind() == ErrorKind::NotConnected => at += 1,
                Ok(()) => {
                    let (_, socket) = self.running.remove(at);
                    if !net::is_itself(&socket) {
                        return Some(socket);
                    }
                    net::forget(&socket);
                    self.fail(ErrorKind::ConnectionRefused.into(), now);
                }
                Err(error) => {
                    self.running.remove(at);
                    self.fail(error, now);
                }
            }
        }
        None
    }

    fn start(
        &mut self,
        number: usize,
        route: &Route,
        registry: &Registry,
        now: Instant,
    ) -> Result<(), Step> {
        let addr = route.addr(number, self.port);
        match net::begin(addr, &route.remote, self.end, Purpose::Look) {
            Ok((socket, is_connected)) => {
                // One that is connected is found by the next look, and a proxy is waited for by events.
                if !is_connected || route.proxied.is_some() {
                    let interests = Interest::READABLE | Interest::WRITABLE;
                    let fd = socket.as_raw_fd();
                    if let Err(error) = registry.register(&mut SourceFd(&fd), self.token, interests)
                    {
                        return Err(Step::Exhausted(error));
                    }
                }
                self.running.push((number, socket));
            }
            Err(error) if net::is_exhausted(&error) => return Err(Step::Exhausted(error)),
            Err(error) => self.fail(error, now),
        }
        Ok(())
    }

    fn fail(&mut self, error: io::Error, now: Instant) {
        self.race.failed(now);
        let tells_more = |before: &io::Error| net::rank(&error) < net::rank(before);
        if self.failure.as_ref().is_none_or(tells_more) {
            self.failure = Some(error);
        }
    }

    /// There is a connection: to the port, or to the proxy that is to be asked for it.
    fn connected(&mut self, socket: Socket, route: &Route) -> Option<Step> {
        self.running.clear();
        let Some((proxy, destination)) = &route.proxied else {
            return Some(Step::Found(Finding::Open));
        };
        let begun = match self.waiting.take() {
            Some(talk) => Ok(talk),
            None => Negotiation::new(proxy, destination.at(self.port)),
        };
        let mut talk = match begun {
            Ok(talk) => talk,
            Err(error) => return Some(Step::Hopeless(error)),
        };
        if let Err(failure) = talk.connected() {
            return Some(self.refused(failure, route));
        }
        self.talk = Some((socket.into(), talk));
        None
    }

    /// Goes on with what is said to the proxy. None: a new connection to it is wanted.
    fn negotiate(&mut self, route: &Route, now: Instant) -> Option<Step> {
        let (stream, mut talk) = self.talk.take()?;
        match talk.advance(&stream) {
            Ok(Progress::Done) => Some(Step::Found(Finding::Open)),
            Ok(Progress::Wait(_)) if now >= self.end => Some(Step::Found(Finding::Silent)),
            Ok(Progress::Wait(_)) => {
                self.talk = Some((stream, talk));
                Some(Step::Wait(self.end))
            }
            Ok(Progress::Reconnect) => {
                self.waiting = Some(talk);
                self.race = route.race(now, self.end);
                None
            }
            Err(failure) => Some(self.refused(failure, route)),
        }
    }

    /// The proxy's answer instead of a connection.
    fn refused(&self, failure: Failure, route: &Route) -> Step {
        let Some((proxy, destination)) = &route.proxied else {
            return Step::Found(Finding::Refused);
        };
        match failure {
            Failure::System(error) => Step::Found(Finding::Failed(why(&error))),
            Failure::ProxyError(ProxyError::NobodyListens) => Step::Found(Finding::Refused),
            Failure::ProxyError(ProxyError::NoAnswer(_)) => Step::Found(Finding::Silent),
            Failure::ProxyError(error @ (ProxyError::Refused(_) | ProxyError::Closed)) => {
                Step::Found(Finding::Failed(error.to_string()))
            }
            failure => {
                let destination = destination.at(self.port);
                let doing = format!("connect to {destination} through proxy {proxy}");
                Step::Hopeless(failure.told(&doing, proxy))
            }
        }
    }

    /// No address answered, or none well.
    fn give_up(&mut self, route: &Route) -> Step {
        let silent = || ErrorKind::TimedOut.into();
        let mut failure = self.failure.take().unwrap_or_else(silent);
        if !self.running.is_empty() && net::rank(&failure) > net::rank(&silent()) {
            failure = silent();
        }
        if let Some((proxy, _)) = &route.proxied {
            let error = Error::system(format!("connect to proxy {proxy}"), &failure);
            return Step::Hopeless(error.hint("No port can be looked at without it."));
        }
        Step::Found(match failure.kind() {
            ErrorKind::ConnectionRefused => Finding::Refused,
            ErrorKind::TimedOut => Finding::Silent,
            _ => Finding::Failed(why(&failure)),
        })
    }
}
