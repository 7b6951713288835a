//! A race of the addresses of one host: the first that answers wins.
//!
//! [`happy_eyeballs`](crate::engine::happy_eyeballs) decides which starts when; here are their
//! sockets. The caller waits for [them](Race::sockets) until [`Step::Wait`] says: a participant
//! blocks meanwhile ([`Race::wait`]), a loop has other things to do.
//!
//! It promises: [`Race::step`] does not wait; a socket that lost is closed.

use std::io;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use if_addrs::IfAddr;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::io::Errno;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use super::resolve;
use super::resolve::Family;
use super::resolve::Lookup;
use super::resolve::Patience;
use super::resolve::SOURCE;
use super::resolve::is_numeric;
use super::resolve::shown;
use super::set_options;
use crate::engine::explain::Observed;
use crate::engine::explain::Witness;
use crate::engine::happy_eyeballs::HappyEyeballs;
use crate::engine::happy_eyeballs::Move;
use crate::engine::happy_eyeballs::interleave;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::tcp_info::TcpInfo;
use crate::io::wait::until_ready;

/// A kernel asks its own network three times, a second apart, for the owner of an address (arp(7)).
/// A failure in less time is an answer, as of a firewall.
const ASKED: Duration = Duration::from_millis(500);

/// Where a participant connects to, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Name or address.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// Which of its addresses.
    pub family: Family,
    /// Whether the host may be a name.
    pub lookup: Lookup,
    /// The address to come from, if it matters.
    pub source: Option<String>,
    /// The port to come from, if it matters.
    pub source_port: Option<u16>,
    /// How long to try, over all addresses together.
    pub limit: Duration,
}

/// How far a race is.
#[derive(Debug)]
pub(super) enum Step {
    /// This one is connected to that address.
    Won(Socket, SocketAddr),
    /// There is nothing to do before there is news of one of the sockets, or until then.
    Wait(Instant),
    /// None answered: the most telling of their failures.
    Lost(Error),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Race {
    remote: Remote,
    attempts: HappyEyeballs,
    /// When the time is over.
    end: Instant,
    addrs: Vec<SocketAddr>,
    running: Vec<Entrant>,
    failures: Vec<Failure>,
}

/// An attempt that came to nothing.
#[derive(Debug)]
struct Failure {
    addr: SocketAddr,
    error: io::Error,
    /// The kernel asked our own network for that address (arp(7)), and no machine has it.
    nobody: bool,
}

/// An attempt.
#[derive(Debug)]
struct Entrant {
    /// Which of the addresses.
    number: usize,
    socket: Socket,
    began: Instant,
}

/// The winner, or that one failed.
type News = Result<Entrant, ()>;

impl Race {
    /// No attempt has started. The time began at `start`, when the addresses were looked up, and is
    /// over at `end`.
    pub(super) fn new(
        remote: Remote,
        addrs: Vec<SocketAddr>,
        start: Instant,
        end: Instant,
    ) -> Race {
        let addrs = interleave(addrs, SocketAddr::is_ipv4);
        Race {
            remote,
            attempts: HappyEyeballs::new(addrs.len(), start, end),
            end,
            addrs,
            running: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Does what is to be done now. With `-v`, each failure is told.
    pub(super) fn step(&mut self, witness: &mut dyn Witness) -> Step {
        loop {
            let news = match self.attempts.next(Instant::now()) {
                Move::Start(entrant) => self.start(entrant, witness),
                Move::Wait(until) => match self.look(witness) {
                    None => return Step::Wait(until),
                    news => news,
                },
                Move::GiveUp => return Step::Lost(self.give_up(witness)),
            };
            match news {
                Some(Ok(winner)) => {
                    let addr = self.finish(&winner, witness);
                    return Step::Won(winner.socket, addr);
                }
                Some(Err(())) => self.attempts.failed(Instant::now()),
                None => {}
            }
        }
    }

    /// Waits for news, until then at most.
    pub(super) fn wait(&self, until: Instant) {
        let _ = self.ready(until.saturating_duration_since(Instant::now()));
    }

    /// Those that run.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.running.iter().map(|entrant| &entrant.socket)
    }

    fn start(&mut self, number: usize, witness: &mut dyn Witness) -> Option<News> {
        let addr = self.addrs[number];
        let beside = !self.running.is_empty();
        let began = Instant::now();
        let entrant = |socket| Entrant {
            number,
            socket,
            began,
        };
        let begun = begin(addr, &self.remote, self.end, Purpose::Talk);
        // A refusal is an answer; any other failure at once is the system's own, and nothing was sent.
        if begun.as_ref().err().is_none_or(is_answer) {
            witness.observe(Observed::Attempt { addr, beside });
        }
        match begun {
            Ok((socket, true)) => Some(self.answered(entrant(socket), witness)),
            Ok((socket, false)) => {
                self.running.push(entrant(socket));
                None
            }
            Err(error) => Some(self.fail(addr, error, began, witness)),
        }
    }

    /// Whether there is news of one of those that run.
    fn look(&mut self, witness: &mut dyn Witness) -> Option<News> {
        let ready = self.ready(Duration::ZERO)?;
        let entrant = self.running.remove(ready);
        match entrant.socket.take_error() {
            Ok(None) => Some(self.answered(entrant, witness)),
            Ok(Some(error)) | Err(error) => {
                let addr = self.addrs[entrant.number];
                Some(self.fail(addr, error, entrant.began, witness))
            }
        }
    }

    /// One of those that run of which there is news, waited for so long.
    fn ready(&self, limit: Duration) -> Option<usize> {
        let mut fds: Vec<PollFd<'_>> = self
            .running
            .iter()
            .map(|entrant| PollFd::new(&entrant.socket, PollFlags::OUT))
            .collect();
        // A call that a signal interrupted is repeated.
        match until_ready(&mut fds, limit) {
            Ok(0) | Err(_) => None,
            Ok(_) => fds.iter().position(|fd| !fd.revents().is_empty()),
        }
    }

    /// It is connected, which is no answer if it is connected to itself.
    fn answered(&mut self, entrant: Entrant, witness: &mut dyn Witness) -> News {
        if !is_itself(&entrant.socket) {
            return Ok(entrant);
        }
        forget(&entrant.socket);
        let addr = self.addrs[entrant.number];
        witness.observe(Observed::Failed {
            addr,
            kind: ErrorKind::Other,
            why: "we have called ourselves, and nobody else",
            near: false,
            slowly: false,
        });
        self.note(addr, ErrorKind::ConnectionRefused.into(), false)
    }

    fn fail(
        &mut self,
        addr: SocketAddr,
        error: io::Error,
        began: Instant,
        witness: &mut dyn Witness,
    ) -> News {
        let near = is_of_own_network(addr);
        let slowly = began.elapsed() >= ASKED;
        witness.observe(Observed::Failed {
            addr,
            kind: error.kind(),
            why: &why(&error),
            near,
            slowly,
        });
        let nobody = error.kind() == ErrorKind::HostUnreachable && near && slowly;
        self.note(addr, error, nobody)
    }

    /// Takes note of a failure; `nobody`: no machine has that address.
    fn note(&mut self, addr: SocketAddr, error: io::Error, nobody: bool) -> News {
        if self.addrs.len() > 1 {
            log::info!("connect to {}: {}", shown(addr), why(&error));
        }
        self.failures.push(Failure {
            addr,
            error,
            nobody,
        });
        Err(())
    }

    /// The winner's address. The other attempts are closed.
    fn finish(&mut self, entrant: &Entrant, witness: &mut dyn Witness) -> SocketAddr {
        let winner = self.addrs[entrant.number];
        if witness.is_interested()
            && let Ok(Some(local)) = entrant.socket.local_addr().map(|addr| addr.as_socket())
        {
            let took = entrant.began.elapsed();
            let remote = winner;
            witness.observe(Observed::Connected {
                local,
                remote,
                took,
            });
        }
        for loser in self.running.drain(..) {
            let loser = self.addrs[loser.number];
            witness.observe(Observed::Outrun { loser, winner });
            log::info!("connect to {loser}: no answer yet, and {winner} did answer");
        }
        if witness.is_interested()
            && let Some(reading) = TcpInfo::reading(&entrant.socket, true)
        {
            let looked = Observed::Looked(reading, Instant::now());
            witness.observe(looked);
        }
        winner
    }

    fn give_up(&mut self, witness: &mut dyn Witness) -> Error {
        for silent in std::mem::take(&mut self.running) {
            let addr = self.addrs[silent.number];
            let _ = self.fail(addr, ErrorKind::TimedOut.into(), silent.began, witness);
        }
        let differ = self
            .failures
            .windows(2)
            .any(|two| two[0].error.kind() != two[1].error.kind());
        // Looking it up took nearly all the time there was.
        let none = Failure {
            addr: self.addrs[0],
            error: ErrorKind::TimedOut.into(),
            nobody: false,
        };
        let failures = self.failures.iter();
        let telling = failures.min_by_key(|failure| rank(&failure.error));
        connect_error(telling.unwrap_or(&none), &self.remote, differ)
    }
}

/// What a connection is begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Something is to be said over it.
    Talk,
    /// It is only looked whether it can be had.
    Look,
}

/// Begins to connect, and says whether that is done already.
pub(crate) fn begin(
    addr: SocketAddr,
    remote: &Remote,
    end: Instant,
    purpose: Purpose,
) -> io::Result<(Socket, bool)> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if purpose == Purpose::Talk {
        set_options(&socket)?;
    }
    if remote.source.is_some() || remote.source_port.is_some() {
        let source = source(addr, remote, end)?;
        socket.set_reuse_address(true)?;
        socket.bind(&source.into())?;
    }
    socket.set_nonblocking(true)?;
    match socket.connect(&addr.into()) {
        Ok(()) => Ok((socket, true)),
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {
            Ok((socket, false))
        }
        Err(error) => Err(error),
    }
}

/// Whether an address is of a network that this machine is in, so that no router leads there.
fn is_of_own_network(addr: SocketAddr) -> bool {
    let within = |ours: &[u8], mask: &[u8], theirs: &[u8]| {
        let mut bytes = ours.iter().zip(mask).zip(theirs);
        mask.iter().any(|byte| *byte != u8::MAX)
            && bytes.all(|((ours, mask), theirs)| ours & mask == theirs & mask)
    };
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().any(|one| match (&one.addr, addr) {
        _ if one.is_loopback() => false,
        (IfAddr::V4(ours), SocketAddr::V4(theirs)) => within(
            &ours.ip.octets(),
            &ours.netmask.octets(),
            &theirs.ip().octets(),
        ),
        (IfAddr::V6(ours), SocketAddr::V6(theirs)) => {
            let is_there = theirs.scope_id() == 0 || one.index == Some(theirs.scope_id());
            is_there
                && within(
                    &ours.ip.octets(),
                    &ours.netmask.octets(),
                    &theirs.ip().octets(),
                )
        }
        _ => false,
    })
}

/// Whether the other machine refused.
fn is_answer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

/// Whether both ends are one socket. TCP allows two sides to call each other at once (RFC 9293,
/// 3.5), and so one that happens to call from the very port that it calls: as it does when `-p`
/// says so, or the system chose that port. Then no other program has that port, and none listens.
pub(crate) fn is_itself(socket: &Socket) -> bool {
    let ours = socket.local_addr().map(|addr| addr.as_socket());
    let theirs = socket.peer_addr().map(|addr| addr.as_socket());
    match (ours, theirs) {
        (Ok(Some(ours)), Ok(Some(theirs))) => {
            (ours.ip(), ours.port()) == (theirs.ip(), theirs.port())
        }
        _ => false,
    }
}

/// Closes a socket that is connected to itself without the wait for stray segments (TIME_WAIT),
/// which would keep a program that is about to listen there from its port.
pub(crate) fn forget(socket: &Socket) {
    let _ = socket.set_linger(Some(Duration::ZERO));
}

/// How much a failure tells, the most telling first: the other machine refused; something else
/// happened on the way; there was no answer; there is no route; the address is of no use here.
pub(crate) fn rank(error: &io::Error) -> u8 {
    match error.kind() {
        ErrorKind::ConnectionRefused => 0,
        ErrorKind::TimedOut => 2,
        ErrorKind::HostUnreachable => 3,
        ErrorKind::NetworkUnreachable => 4,
        ErrorKind::AddrNotAvailable => 5,
        _ if error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => 6,
        _ => 1,
    }
}

fn source(addr: SocketAddr, remote: &Remote, end: Instant) -> io::Result<SocketAddr> {
    let port = remote.source_port.unwrap_or(0);
    match &remote.source {
        Some(host) => resolve::source(host, port, addr, remote.lookup, Patience::Until(end))
            .map_err(|error| io::Error::new(ErrorKind::AddrNotAvailable, error)),
        None if addr.is_ipv4() => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        None => Ok((Ipv6Addr::UNSPECIFIED, port).into()),
    }
}

fn connect_error(failure: &Failure, remote: &Remote, differ: bool) -> Error {
    let Failure {
        addr,
        error,
        nobody,
    } = failure;
    let shown = shown(*addr);
    let named = match is_numeric(&remote.host, remote.port) {
        true => format!("connect to {shown}"),
        false => format!("connect to {}:{} ({shown})", remote.host, remote.port),
    };
    let told = match error.kind() {
        ErrorKind::TimedOut => Error::new(named, "timed out"),
        _ => Error::system(named, error),
    };
    let hint = match error.kind() {
        ErrorKind::ConnectionRefused => {
            "Nothing listens on that port: is the other side started, is the port right?"
        }
        ErrorKind::TimedOut => {
            "Nobody answered: is the address right, is a firewall in between? \
             (-w TIME sets how long to try.)"
        }
        ErrorKind::HostUnreachable if *nobody => {
            "Nobody on this network has that address: is it right, is the machine on?"
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "There is no way to that address from here: is the network up?"
        }
        // What was looked up in vain says itself what is to be done.
        ErrorKind::AddrNotAvailable if remote.source.is_some() => {
            let looked_up = Error::within(error).and_then(Error::advice);
            looked_up.unwrap_or(SOURCE)
        }
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied if remote.source_port.is_some() => {
            "-p must be a port that is free and allowed here."
        }
        _ if differ => "",
        _ => return told,
    };
    let others = match differ {
        true => "Its other addresses failed otherwise: -v tells how.",
        false => "",
    };
    told.hint(format!("{hint} {others}").trim())
}
