//! Connecting: from a name to the first of its addresses that answers.

use std::io;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use if_addrs::IfAddr;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::io::Errno;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use super::resolve::Family;
use super::resolve::Lookup;
use super::resolve::Patience;
use super::resolve::is_numeric;
use super::resolve::resolve;
use super::set_options;
use crate::engine::explain::Observed;
use crate::engine::explain::Witness;
use crate::engine::happy_eyeballs::HappyEyeballs;
use crate::engine::happy_eyeballs::Move;
use crate::engine::happy_eyeballs::interleave;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::tcp_info::TcpInfo;

/// A kernel asks its own network three times, a second apart, who has an address. What is less is an answer
/// of somebody, as of a firewall.
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

/// Connects to the first address that answers; they are raced, see
/// [`happy_eyeballs`](crate::engine::happy_eyeballs).
/// The socket is non-blocking.
///
/// # Errors
/// None answered. The most telling of their failures is told; with `-v`, each.
pub fn connect(
    remote: &Remote,
    witness: &mut dyn Witness,
) -> Result<(std::net::TcpStream, SocketAddr), Error> {
    let start = Instant::now();
    let end = start + remote.limit;
    let addrs = find(remote, end, witness)?;
    let mut field = Field {
        addrs: interleave(addrs, SocketAddr::is_ipv4),
        remote,
        end,
        running: Vec::new(),
        failures: Vec::new(),
        witness,
    };
    let mut attempts = HappyEyeballs::new(field.addrs.len(), start, end);
    loop {
        let now = Instant::now();
        let won = match attempts.next(now) {
            Move::Start(entrant) => field.start(entrant),
            Move::Wait(until) => field.wait(until.saturating_duration_since(now)),
            Move::GiveUp => return Err(field.give_up()),
        };
        match won {
            Some(Ok(winner)) => {
                let addr = field.finish(&winner);
                return Ok((winner.socket.into(), addr));
            }
            Some(Err(())) => attempts.failed(Instant::now()),
            None => {}
        }
    }
}

/// Finds the addresses.
fn find(
    remote: &Remote,
    end: Instant,
    witness: &mut dyn Witness,
) -> Result<Vec<SocketAddr>, Error> {
    let is_name = !is_numeric(&remote.host, remote.port);
    if is_name {
        witness.observe(Observed::Asked(&remote.host));
    }
    let start = Instant::now();
    let addrs = resolve(
        &remote.host,
        remote.port,
        remote.family,
        remote.lookup,
        Patience::Until(end),
    )?;
    match is_name {
        true => {
            let order = interleave(addrs.clone(), SocketAddr::is_ipv4);
            witness.observe(Observed::Found(&remote.host, &order, start.elapsed()));
        }
        false => witness.observe(Observed::Numeric(addrs[0].ip())),
    }
    Ok(addrs)
}

/// The addresses that are raced.
struct Field<'a> {
    remote: &'a Remote,
    /// When the time is over.
    end: Instant,
    addrs: Vec<SocketAddr>,
    running: Vec<Entrant>,
    failures: Vec<Failure>,
    witness: &'a mut dyn Witness,
}

/// An attempt that came to nothing.
struct Failure {
    addr: SocketAddr,
    error: io::Error,
    /// It was asked on our own network who has that address, and nobody has.
    nobody: bool,
}

/// An attempt.
struct Entrant {
    /// Which of the addresses.
    number: usize,
    socket: Socket,
    began: Instant,
}

/// The winner, or that one failed.
type News = Result<Entrant, ()>;

impl Field<'_> {
    fn start(&mut self, number: usize) -> Option<News> {
        let addr = self.addrs[number];
        let beside = !self.running.is_empty();
        let began = Instant::now();
        let entrant = |socket| Entrant {
            number,
            socket,
            began,
        };
        let begun = begin(addr, self.remote, self.end, Purpose::Talk);
        // A refusal is an answer; any other failure at once is the system's own, and nothing was sent.
        if begun.as_ref().err().is_none_or(is_answer) {
            self.witness.observe(Observed::Attempt { addr, beside });
        }
        match begun {
            Ok((socket, true)) => Some(self.answered(entrant(socket))),
            Ok((socket, false)) => {
                self.running.push(entrant(socket));
                None
            }
            Err(error) => Some(self.fail(addr, error, began)),
        }
    }

    /// Waits for news of those that run.
    fn wait(&mut self, limit: Duration) -> Option<News> {
        let mut fds: Vec<PollFd<'_>> = self
            .running
            .iter()
            .map(|entrant| PollFd::new(&entrant.socket, PollFlags::OUT))
            .collect();
        let limit = Timespec {
            tv_sec: limit.as_secs() as i64,
            tv_nsec: limit.subsec_nanos().into(),
        };
        // An interruption is no news, and asked again.
        let ready = match poll(&mut fds, Some(&limit)) {
            Ok(0) | Err(_) => return None,
            Ok(_) => fds.iter().position(|fd| !fd.revents().is_empty())?,
        };
        let entrant = self.running.remove(ready);
        match entrant.socket.take_error() {
            Ok(None) => Some(self.answered(entrant)),
            Ok(Some(error)) | Err(error) => {
                Some(self.fail(self.addrs[entrant.number], error, entrant.began))
            }
        }
    }

    /// It is connected, which is no answer if it is connected to itself.
    fn answered(&mut self, entrant: Entrant) -> News {
        if !is_itself(&entrant.socket) {
            return Ok(entrant);
        }
        forget(&entrant.socket);
        let addr = self.addrs[entrant.number];
        self.witness.observe(Observed::Failed {
            addr,
            kind: ErrorKind::Other,
            why: "we have called ourselves, and nobody else",
            near: false,
            slowly: false,
        });
        self.note(addr, ErrorKind::ConnectionRefused.into(), false)
    }

    fn fail(&mut self, addr: SocketAddr, error: io::Error, began: Instant) -> News {
        let near = is_of_own_network(addr);
        let slowly = began.elapsed() >= ASKED;
        self.witness.observe(Observed::Failed {
            addr,
            kind: error.kind(),
            why: &why(&error),
            near,
            slowly,
        });
        let nobody = error.kind() == ErrorKind::HostUnreachable && near && slowly;
        self.note(addr, error, nobody)
    }

    /// Takes note of a failure; whether `nobody` has that address.
    fn note(&mut self, addr: SocketAddr, error: io::Error, nobody: bool) -> News {
        if self.addrs.len() > 1 {
            log::info!("connect to {addr}: {}", why(&error));
        }
        self.failures.push(Failure {
            addr,
            error,
            nobody,
        });
        Err(())
    }

    /// The winner's address. Whoever else still runs is closed.
    fn finish(&mut self, entrant: &Entrant) -> SocketAddr {
        let winner = self.addrs[entrant.number];
        if self.witness.is_interested()
            && let Ok(Some(local)) = entrant.socket.local_addr().map(|addr| addr.as_socket())
        {
            let took = entrant.began.elapsed();
            let remote = winner;
            self.witness.observe(Observed::Connected {
                local,
                remote,
                took,
            });
        }
        for loser in &self.running {
            let loser = self.addrs[loser.number];
            self.witness.observe(Observed::Outrun { loser, winner });
            log::info!("connect to {loser}: no answer yet, and {winner} did answer");
        }
        if self.witness.is_interested()
            && let Some(reading) = TcpInfo::reading(&entrant.socket, true)
        {
            let looked = Observed::Looked(reading, Instant::now());
            self.witness.observe(looked);
        }
        winner
    }

    fn give_up(mut self) -> Error {
        for silent in std::mem::take(&mut self.running) {
            let addr = self.addrs[silent.number];
            let _ = self.fail(addr, ErrorKind::TimedOut.into(), silent.began);
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
        connect_error(telling.unwrap_or(&none), self.remote, differ)
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

/// Whether somebody said no.
fn is_answer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

/// Whether both ends are one socket. TCP allows two sides to call each other at once (RFC 9293,
/// 3.5), and so one that happens to call from the very port that it calls: as it does when `-p` says
/// so, or the system chose that port. Then nobody else has it, and nobody listens.
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

/// Closes a socket that is connected to itself without the wait for stray segments (TIME_WAIT), which would
/// keep whoever is about to listen there from its port.
pub(crate) fn forget(socket: &Socket) {
    let _ = socket.set_linger(Some(Duration::ZERO));
}

/// How much a failure tells, the most telling first: somebody said no; something else happened on
/// the way; nobody answered; there is no way; the address does not even suit us.
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
    let family = match addr {
        SocketAddr::V4(_) => Family::V4,
        SocketAddr::V6(_) => Family::V6,
    };
    match &remote.source {
        Some(host) => resolve(host, port, family, remote.lookup, Patience::Until(end))
            .map(|addrs| addrs[0])
            .map_err(|error| io::Error::new(ErrorKind::AddrNotAvailable, error.to_string())),
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
    let named = match remote.host.parse::<IpAddr>() {
        Ok(_) => format!("connect to {addr}"),
        // An address with the name of an interface, which is a number in `addr`.
        Err(_) if remote.host.contains('%') => {
            format!("connect to [{}]:{}", remote.host, remote.port)
        }
        Err(_) => format!("connect to {}:{} ({addr})", remote.host, remote.port),
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
        ErrorKind::AddrNotAvailable if remote.source.is_some() => {
            "-s must be an address of this machine, of the same family."
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
