//! The floor: the least that a program on one thread can do, to measure muxnc against.
//!
//! For a hub: a bounded log that everybody shares and a place in it per peer, like muxnc's, so
//! that a slow peer blocks nobody for long; but no segments, no policy, no notices, no errors
//! handled. For a participant: blocking calls in one direction, either `read` and `write` or
//! `splice` and `sendfile`, which never bring the bytes into the program.
//!
//! What muxnc costs above this is its own doing; what this costs is the kernel's.

mod sealed;

use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::net::TcpListener;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use muxnc::engine::aligned::AlignedBuffer;
use rustix::pipe::SpliceFlags;
use rustls::ServerConfig;

use self::sealed::Sealed;
use crate::frames;
use crate::frames::Head;

const CHUNK: usize = 256 * 1024;
const LOG: usize = 1024 * 1024;
const LISTENER: Token = Token(usize::MAX);
const STDIN: Token = Token(usize::MAX - 1);

/// Whoever holds everybody up this long is cut off.
const STALL: Duration = Duration::from_millis(500);

/// The answer to an upgrade, which nobody here checks.
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// Ranges written at once to a peer that is not sent its own lines.
const GATHER: usize = 64;

/// Runs one of the floors, named by `args`: `hub`, `relay`, `gather`, `web`, `tls` and a port; `send`,
/// `receive` or `listen`, `copy` or `splice`, and a port.
///
/// # Errors
/// What the system says.
pub fn run(args: &[String]) -> io::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let port = |port: &str| {
        let port: u16 = port.parse().map_err(|_| ErrorKind::InvalidInput)?;
        Ok::<_, io::Error>(SocketAddr::from(([127, 0, 0, 1], port)))
    };
    match args[..] {
        ["hub", p] => Hub::new(port(p)?, Peers::Ignored)?.run(),
        ["relay", p] => Hub::new(port(p)?, Peers::Relayed)?.run(),
        ["web", p] => Hub::new(port(p)?, Peers::Framed)?.run(),
        ["tls", p] => Hub::new(port(p)?, Peers::Sealed)?.run(),
        ["gather", p] => Hub::new(port(p)?, Peers::Printed)?.run(),
        ["send", "copy", p] => copy(rustix::stdio::stdin(), connect(port(p)?)?),
        ["send", "splice", p] => send(&connect(port(p)?)?),
        ["receive", "copy", p] => copy(connect(port(p)?)?, rustix::stdio::stdout()),
        ["receive", "splice", p] => receive(&connect(port(p)?)?),
        ["listen", "copy", p] => copy(accept(port(p)?)?, rustix::stdio::stdout()),
        ["listen", "splice", p] => receive(&accept(port(p)?)?),
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}

fn connect(addr: SocketAddr) -> io::Result<std::net::TcpStream> {
    std::net::TcpStream::connect(addr)
}

fn listen(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.set_tcp_nodelay(true)?;
    socket.listen(4096)?;
    Ok(socket.into())
}

fn accept(addr: SocketAddr) -> io::Result<std::net::TcpStream> {
    Ok(listen(addr)?.accept()?.0)
}

/// `read` and `write` until the end.
fn copy(from: impl AsFd, to: impl AsFd) -> io::Result<()> {
    let mut buffer = AlignedBuffer::zeroed(CHUNK);
    loop {
        let count = rustix::io::read(&from, &mut *buffer)?;
        let mut left = &buffer[..count];
        if left.is_empty() {
            return Ok(());
        }
        while !left.is_empty() {
            left = &left[rustix::io::write(&to, left)?..];
        }
    }
}

/// stdin into a connection, past the program: `sendfile` for a file, `splice` for a pipe.
///
/// The connection does not block: a `splice` that waits for it keeps the pipe locked meanwhile,
/// and a load that feeds the pipe and reads the connection in one thread would wait for ever.
fn send(to: &std::net::TcpStream) -> io::Result<()> {
    use rustix::event::PollFd;
    use rustix::event::PollFlags;
    let stdin = rustix::stdio::stdin();
    let file = rustix::fs::fstat(stdin)?;
    let is_file = rustix::fs::FileType::from_raw_mode(file.st_mode).is_file();
    to.set_nonblocking(true)?;
    loop {
        let sent = match is_file {
            true => rustix::fs::sendfile(to, stdin, None, 1 << 30),
            false => rustix::pipe::splice(stdin, None, to, None, CHUNK, SpliceFlags::MOVE),
        };
        match sent {
            Ok(0) => return Ok(()),
            Err(rustix::io::Errno::AGAIN) => {
                rustix::event::poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?;
            }
            told => drop(told?),
        }
    }
}

/// A connection into stdout, past the program: through a pipe of our own if stdout is none.
///
/// The connection does not block, since a `splice` that waits for a connection keeps the pipe
/// locked meanwhile, and whoever reads the pipe waits as well.
fn receive(from: &std::net::TcpStream) -> io::Result<()> {
    from.set_nonblocking(true)?;
    let stdout = rustix::stdio::stdout();
    let flags = SpliceFlags::MOVE;
    let mode = rustix::fs::fstat(stdout)?.st_mode;
    if rustix::fs::FileType::from_raw_mode(mode).is_fifo() {
        while take(from, stdout)? > 0 {}
        return Ok(());
    }
    let (inner, outer) = rustix::pipe::pipe()?;
    let _ = rustix::pipe::fcntl_setpipe_size(&outer, 1 << 20);
    loop {
        let mut left = take(from, &outer)?;
        if left == 0 {
            return Ok(());
        }
        while left > 0 {
            left -= rustix::pipe::splice(&inner, None, stdout, None, left, flags)?;
        }
    }
}

/// What the connection has, into a pipe.
fn take(from: &std::net::TcpStream, pipe: impl AsFd) -> io::Result<usize> {
    use rustix::event::PollFd;
    use rustix::event::PollFlags;
    loop {
        match rustix::pipe::splice(from, None, &pipe, None, CHUNK, SpliceFlags::MOVE) {
            Err(rustix::io::Errno::AGAIN) => {
                rustix::event::poll(&mut [PollFd::new(from, PollFlags::IN)], None)?;
            }
            told => return Ok(told?),
        }
    }
}

/// Blocking: whoever prints waits for who reads.
fn print(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[rustix::io::write(rustix::stdio::stdout(), bytes)?..];
    }
    Ok(())
}

/// What becomes of what peers send.
#[derive(Clone, Copy, PartialEq)]
enum Peers {
    Ignored,
    /// To all the others, in whole lines.
    Relayed,
    /// To stdout, in whole lines.
    Printed,
    /// They ask for an upgrade, and are sent everything in frames.
    Framed,
    /// They are sent everything encrypted, and what they send goes to stdout in whole lines.
    Sealed,
}

struct Peer {
    stream: TcpStream,
    at: u64,
    writable: bool,
    gone: bool,
    /// It sent something, so that not all of the log is for it.
    spoke: bool,
    /// The beginning of a line whose end has not come.
    tail: Vec<u8>,
    /// What of the head of its frame was not sent, and bytes of its payload that were not.
    head: Head,
    left: u64,
    sealed: Option<Sealed>,
}

/// A range of the log that one peer sent; what lies between them came from stdin.
struct Run {
    start: u64,
    end: u64,
    origin: usize,
}

struct Hub {
    poll: Poll,
    listener: TcpListener,
    mode: Peers,
    secret: Option<Arc<ServerConfig>>,
    peers: Vec<Peer>,
    readable: VecDeque<usize>,
    log: AlignedBuffer,
    runs: VecDeque<Run>,
    /// Where the log begins and ends in the stream.
    base: u64,
    end: u64,
    scratch: AlignedBuffer,
    /// Since when nothing could be read for a slow peer's sake.
    held: Option<(Instant, u64)>,
}

impl Hub {
    fn new(addr: SocketAddr, mode: Peers) -> io::Result<Hub> {
        let socket = listen(addr)?;
        socket.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(socket);
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        let stdin = rustix::stdio::stdin();
        rustix::io::ioctl_fionbio(stdin, true)?;
        let _ = rustix::pipe::fcntl_setpipe_size(stdin, 1 << 20);
        registry.register(&mut SourceFd(&0), STDIN, Interest::READABLE)?;
        Ok(Hub {
            poll,
            listener,
            mode,
            secret: match mode {
                Peers::Sealed => Some(sealed::config()?),
                _ => None,
            },
            peers: Vec::new(),
            readable: VecDeque::new(),
            log: AlignedBuffer::zeroed(LOG + 2 * CHUNK),
            runs: VecDeque::new(),
            base: 0,
            end: 0,
            scratch: AlignedBuffer::zeroed(64 * 1024),
            held: None,
        })
    }

    /// Serves until stdin ends or it is killed.
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut stdin_ready = true;
        let mut sweep = false;
        loop {
            let full = (self.end - self.base) as usize > LOG;
            let hear = stdin_ready && !self.peers.is_empty() || !self.readable.is_empty();
            let timeout = match (full, hear || sweep) {
                (false, true) => Some(Duration::ZERO),
                (false, false) => None,
                (true, _) => Some(STALL / 5),
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    STDIN => stdin_ready = true,
                    Token(key) => {
                        let peer = &mut self.peers[key];
                        peer.writable |= event.is_writable();
                        sweep |= event.is_writable() && (peer.at < self.end || peer.waits());
                        if event.is_readable() {
                            self.readable.push_back(key);
                        }
                    }
                }
            }
            let before = self.end;
            if stdin_ready && !full && !self.peers.is_empty() {
                let start = (self.end - self.base) as usize;
                match rustix::io::read(rustix::stdio::stdin(), &mut self.log[start..start + CHUNK])
                {
                    Ok(0) => return Ok(()),
                    Ok(count) => self.end += count as u64,
                    Err(_) => stdin_ready = false,
                }
            }
            self.hear()?;
            if sweep || self.end > before || full {
                self.sweep();
                sweep = false;
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let token = Token(self.peers.len());
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, token, both)?;
            self.peers.push(Peer {
                stream,
                at: self.end,
                writable: true,
                gone: false,
                spoke: false,
                tail: Vec::new(),
                head: Head::default(),
                left: 0,
                sealed: self.secret.as_ref().map(Sealed::new).transpose()?,
            });
        }
        Ok(())
    }

    /// One read from each peer that has something to say, while there is room.
    fn hear(&mut self) -> io::Result<()> {
        for _ in 0..self.readable.len() {
            if (self.end - self.base) as usize > LOG {
                return Ok(());
            }
            let Some(key) = self.readable.pop_front() else {
                return Ok(());
            };
            let peer = &mut self.peers[key];
            if let Some(sealed) = &mut peer.sealed {
                let heard = sealed.hear(&mut peer.stream, &mut peer.tail);
                peer.gone = heard.is_err();
                if !peer.spoke && sealed.is_open() {
                    peer.spoke = true;
                    peer.at = self.end;
                }
                if peer.tail.ends_with(b"\n") {
                    print(&std::mem::take(&mut peer.tail))?;
                }
                continue;
            }
            let count = match peer.stream.read(&mut self.scratch) {
                Ok(0) => {
                    peer.gone = true;
                    continue;
                }
                Ok(count) => count,
                Err(_) => continue,
            };
            if count == self.scratch.len() {
                self.readable.push_back(key);
            }
            let bytes = &self.scratch[..count];
            let whole = bytes
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1);
            match self.mode {
                Peers::Ignored | Peers::Sealed => continue,
                Peers::Framed => {
                    peer.tail.extend_from_slice(bytes);
                    if peer.tail.ends_with(b"\r\n\r\n") {
                        peer.stream.write_all(SWITCHING)?;
                        peer.at = self.end;
                        peer.spoke = true;
                    }
                    continue;
                }
                Peers::Printed => {
                    for part in [&std::mem::take(&mut peer.tail)[..], &bytes[..whole]] {
                        print(part)?;
                    }
                }
                Peers::Relayed => {
                    let start = self.end;
                    for part in [&std::mem::take(&mut peer.tail)[..], &bytes[..whole]] {
                        let at = (self.end - self.base) as usize;
                        self.log[at..at + part.len()].copy_from_slice(part);
                        self.end += part.len() as u64;
                    }
                    peer.spoke = true;
                    self.runs.push_back(Run {
                        start,
                        end: self.end,
                        origin: key,
                    });
                }
            }
            peer.tail.extend_from_slice(&bytes[whole..]);
        }
        Ok(())
    }

    /// Sends everybody what they are owed, and frees what nobody is owed any more.
    fn sweep(&mut self) {
        let mut least = self.end;
        for (key, peer) in self.peers.iter_mut().enumerate() {
            if peer.gone {
                continue;
            }
            if peer.writable && (peer.at < self.end || peer.waits()) {
                let log = &self.log[..(self.end - self.base) as usize];
                match (self.mode, peer.spoke) {
                    (Peers::Framed | Peers::Sealed, false) => peer.at = self.end,
                    (Peers::Framed, true) => {
                        peer.write_framed(&log[(peer.at - self.base) as usize..]);
                    }
                    (Peers::Sealed, true) => {
                        peer.write_sealed(&log[(peer.at - self.base) as usize..]);
                    }
                    (_, false) => {
                        let bytes = &log[(peer.at - self.base) as usize..];
                        match peer.stream.write(bytes) {
                            Ok(count) => {
                                peer.writable = count == bytes.len();
                                peer.at += count as u64;
                            }
                            Err(error) => peer.failed(&error),
                        }
                    }
                    (_, true) => peer.write_but_own(key, log, self.base, self.end, &self.runs),
                }
            }
            least = least.min(peer.at);
        }
        self.free(least);
    }

    fn free(&mut self, least: u64) {
        if least == self.end {
            self.base = self.end;
            self.runs.clear();
        } else if least - self.base > (LOG / 2) as u64 {
            let from = (least - self.base) as usize;
            self.log
                .copy_within(from..(self.end - self.base) as usize, 0);
            self.base = least;
            while self.runs.front().is_some_and(|run| run.end <= least) {
                self.runs.pop_front();
            }
        }
        if (self.end - self.base) as usize <= LOG {
            self.held = None;
            return;
        }
        match self.held {
            Some((_, at)) if at != least => self.held = Some((Instant::now(), least)),
            Some((since, _)) if since.elapsed() > STALL => {
                for peer in self.peers.iter_mut().filter(|peer| peer.at == least) {
                    peer.gone = true;
                    let _ = peer.stream.shutdown(std::net::Shutdown::Both);
                }
                self.held = None;
            }
            Some(_) => {}
            None => self.held = Some((Instant::now(), least)),
        }
    }
}

impl Peer {
    fn failed(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => self.writable = false,
            _ => self.gone = true,
        }
    }

    fn waits(&self) -> bool {
        self.sealed.as_ref().is_some_and(Sealed::waits)
    }

    /// Writes what it is owed in records.
    fn write_sealed(&mut self, owed: &[u8]) {
        let Some(sealed) = &mut self.sealed else {
            return;
        };
        match sealed.write(&mut self.stream, owed) {
            Ok((count, is_full)) => {
                self.writable = !is_full;
                self.at += count as u64;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Writes what it is owed as one frame after the other.
    fn write_framed(&mut self, owed: &[u8]) {
        if self.left == 0 {
            self.head = frames::head(owed.len() as u64);
            self.left = owed.len() as u64;
        }
        let owed = &owed[..self.left as usize];
        let head = self.head.as_bytes().len();
        let slices = [IoSlice::new(self.head.as_bytes()), IoSlice::new(owed)];
        match self.stream.write_vectored(&slices) {
            Ok(count) => {
                self.writable = count == head + owed.len();
                self.head.sent(count);
                let count = count.saturating_sub(head) as u64;
                self.left -= count;
                self.at += count;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Writes everything but what this peer sent itself.
    fn write_but_own(&mut self, key: usize, log: &[u8], base: u64, end: u64, runs: &VecDeque<Run>) {
        let mut at = self.at;
        let mut ranges: Vec<(u64, u64)> = Vec::with_capacity(GATHER);
        let first = runs.partition_point(|run| run.end <= at);
        let own = runs.iter().skip(first).filter(|run| run.origin == key);
        for run in own {
            if run.start > at && ranges.len() < GATHER {
                ranges.push((at, run.start));
            }
            if ranges.len() == GATHER {
                break;
            }
            at = run.end;
        }
        if at < end && ranges.len() < GATHER {
            ranges.push((at, end));
        }
        let Some(&(_, last)) = ranges.last() else {
            self.at = at;
            return;
        };
        let place = |at: u64| (at - base) as usize;
        let slices = ranges
            .iter()
            .map(|&(from, to)| IoSlice::new(&log[place(from)..place(to)]));
        let slices: Vec<IoSlice<'_>> = slices.collect();
        match self.stream.write_vectored(&slices) {
            Ok(mut count) => {
                for (from, to) in ranges {
                    let length = (to - from) as usize;
                    self.at = from + length.min(count) as u64;
                    if count < length {
                        self.writable = false;
                        return;
                    }
                    count -= length;
                }
                // Its own lines behind the last range need no writing.
                self.at = last.max(at);
            }
            Err(error) => self.failed(&error),
        }
    }
}
