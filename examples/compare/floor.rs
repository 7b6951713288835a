//! The floor: the least that a hub on one thread can do, to measure muxnc against.
//!
//! A bounded log that everybody shares and a place in it per peer, like muxnc's, so that a slow
//! peer blocks nobody; but no segments, no lines, no policy, no notices, no errors handled. What a
//! hub costs above this is its own doing; what this costs is the kernel's.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::net::TcpListener;
use mio::net::TcpStream;
use mio::unix::SourceFd;

const CHUNK: usize = 256 * 1024;
const LOG: usize = 1024 * 1024;
const LISTENER: Token = Token(usize::MAX);
const STDIN: Token = Token(usize::MAX - 1);

struct Peer {
    stream: TcpStream,
    at: u64,
    writable: bool,
    readable: bool,
    gone: bool,
}

/// Fans stdin out to everybody who connects to `port`, until it is killed.
pub fn run(port: u16) -> std::io::Result<()> {
    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.listen(4096)?;
    let mut listener = TcpListener::from_std(socket.into());
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let stdin = rustix::stdio::stdin();
    rustix::io::ioctl_fionbio(stdin, true)?;
    let _ = rustix::pipe::fcntl_setpipe_size(stdin, 1 << 20);
    poll.registry()
        .register(&mut SourceFd(&0), STDIN, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut peers: Vec<Peer> = Vec::new();
    let mut log = vec![0; LOG + CHUNK];
    let (mut base, mut end) = (0u64, 0u64);
    let mut in_ready = true;
    let mut scratch = vec![0; 64 * 1024];
    loop {
        let held = (end - base) as usize > LOG;
        let owed = peers.iter().any(|p| p.writable && !p.gone && p.at < end);
        let busy = owed || (in_ready && !held && !peers.is_empty());
        let timeout = busy.then_some(std::time::Duration::ZERO);
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => {
                    while let Ok((mut stream, _)) = listener.accept() {
                        let both = Interest::READABLE | Interest::WRITABLE;
                        poll.registry()
                            .register(&mut stream, Token(peers.len()), both)?;
                        peers.push(Peer {
                            stream,
                            at: end,
                            writable: true,
                            readable: false,
                            gone: false,
                        });
                    }
                }
                STDIN => in_ready = true,
                Token(key) => {
                    peers[key].writable |= event.is_writable();
                    peers[key].readable |= event.is_readable();
                }
            }
        }
        if in_ready && !held && !peers.is_empty() {
            let start = (end - base) as usize;
            match rustix::io::read(rustix::stdio::stdin(), &mut log[start..start + CHUNK - 1]) {
                Ok(0) => return Ok(()),
                Ok(count) => end += count as u64,
                Err(_) => in_ready = false,
            }
        }
        let mut least = end;
        for peer in peers.iter_mut().filter(|peer| !peer.gone) {
            if peer.readable {
                peer.readable = false;
                match peer.stream.read(&mut scratch) {
                    Ok(0) => peer.gone = true,
                    Ok(count) => peer.readable = count == scratch.len(),
                    Err(_) => {}
                }
            }
            if peer.writable && peer.at < end {
                let bytes = &log[(peer.at - base) as usize..(end - base) as usize];
                match peer.stream.write(bytes) {
                    Ok(count) => {
                        peer.writable = count == bytes.len();
                        peer.at += count as u64;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => peer.writable = false,
                    Err(_) => peer.gone = true,
                }
            }
            least = least.min(peer.at);
        }
        if least == end {
            base = end;
        } else if least - base > (LOG / 2) as u64 {
            log.copy_within((least - base) as usize..(end - base) as usize, 0);
            base = least;
        }
    }
}
