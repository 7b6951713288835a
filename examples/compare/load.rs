//! The load: peers that read everything and check every byte, and a source that feeds a hub.
//!
//! One thread and one poll for all of them, on a processor of its own, so that what is measured
//! is the hub. Every stream is a repetition of one pattern, which makes checking it a comparison
//! of memory and not the bottleneck.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ChildStdin;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::net::TcpStream;
use mio::unix::pipe::Sender;

/// How long any piece of work may take.
pub const DEADLINE: Duration = Duration::from_secs(120);

const CHUNK: usize = 256 * 1024;
const SOURCE: Token = Token(usize::MAX);

/// Lines of one length, each different from its neighbours, repeated for ever.
pub struct Pattern {
    bytes: Vec<u8>,
    period: usize,
}

impl Pattern {
    /// Lines of `line` bytes, the line break included.
    pub fn new(line: usize) -> Pattern {
        let lines = (CHUNK * 2 / line).max(2) | 1;
        let mut bytes = Vec::with_capacity(lines * line * 2 + CHUNK);
        for i in 0..lines {
            let number = format!("{i:09}");
            let body = number.bytes().cycle().skip(i % 7).take(line - 1);
            bytes.extend(body);
            bytes.push(b'\n');
        }
        let period = bytes.len();
        let all = bytes.clone();
        bytes.extend_from_slice(&all);
        Pattern { bytes, period }
    }

    /// The next bytes of the stream at `offset`: at least a chunk of them.
    pub fn at(&self, offset: u64) -> &[u8] {
        &self.bytes[(offset % self.period as u64) as usize..]
    }
}

/// A reading peer.
struct Reader {
    stream: TcpStream,
    got: u64,
}

/// Peers that read, and one source.
pub struct Load {
    poll: Poll,
    events: Events,
    readers: Vec<Reader>,
    buffer: Vec<u8>,
}

impl Load {
    /// `peers` connections to `addr`.
    pub fn connect(addr: SocketAddr, peers: usize) -> std::io::Result<Load> {
        let poll = Poll::new()?;
        let mut readers = Vec::with_capacity(peers);
        for i in 0..peers {
            let stream = std::net::TcpStream::connect(addr)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(i), Interest::READABLE)?;
            readers.push(Reader { stream, got: 0 });
        }
        Ok(Load {
            poll,
            events: Events::with_capacity(1024),
            readers,
            buffer: vec![0; CHUNK],
        })
    }

    /// Feeds `total` bytes of the pattern into `source` and waits until every peer has read them.
    ///
    /// # Errors
    /// A byte is wrong or missing, or it takes too long.
    pub fn fan_out(
        &mut self,
        source: ChildStdin,
        pattern: &Pattern,
        total: u64,
    ) -> Result<(Duration, ChildStdin), String> {
        let fail = |error: std::io::Error| error.to_string();
        let _ = rustix::pipe::fcntl_setpipe_size(&source, 1 << 20);
        let mut source = Sender::from(source);
        source.set_nonblocking(true).map_err(fail)?;
        self.poll
            .registry()
            .register(&mut source, SOURCE, Interest::WRITABLE)
            .map_err(fail)?;
        let begin = Instant::now();
        let mut fed = 0;
        let mut done = 0;
        while done < self.readers.len() {
            if begin.elapsed() > DEADLINE {
                let got: u64 = self.readers.iter().map(|reader| reader.got).sum();
                return Err(format!("too slow: {fed} bytes fed, {got} received"));
            }
            self.poll
                .poll(&mut self.events, Some(Duration::from_secs(1)))
                .or_else(|e| (e.kind() == ErrorKind::Interrupted).then_some(()).ok_or(e))
                .map_err(fail)?;
            let keys: Vec<Token> = self.events.iter().map(|event| event.token()).collect();
            for token in keys {
                if token == SOURCE {
                    while fed < total {
                        let bytes = pattern.at(fed);
                        let count = bytes.len().min((total - fed) as usize).min(CHUNK);
                        match source.write(&bytes[..count]) {
                            Ok(count) => fed += count as u64,
                            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                            Err(error) => return Err(format!("feed: {error}")),
                        }
                    }
                } else if self.read(token.0, pattern, total)? {
                    done += 1;
                }
            }
        }
        let time = begin.elapsed();
        self.poll.registry().deregister(&mut source).map_err(fail)?;
        source.set_nonblocking(false).map_err(fail)?;
        let source = std::os::fd::OwnedFd::from(source);
        Ok((time, ChildStdin::from(source)))
    }

    /// Reads and checks what one peer got. Returns whether that was the last of it.
    fn read(&mut self, key: usize, pattern: &Pattern, total: u64) -> Result<bool, String> {
        let reader = &mut self.readers[key];
        loop {
            match reader.stream.read(&mut self.buffer) {
                Ok(0) => return Err(format!("peer {key} was closed at {}", reader.got)),
                Ok(count) => {
                    let expected = pattern.at(reader.got);
                    if self.buffer[..count] != expected[..count] {
                        return Err(format!("peer {key}: wrong bytes at {}", reader.got));
                    }
                    reader.got += count as u64;
                    if reader.got == total {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("peer {key}: {error}")),
            }
        }
    }
}
