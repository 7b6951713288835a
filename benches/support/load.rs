//! The load: whoever sends to a subject and whoever receives from it, and the check of every byte.
//!
//! One thread and one poll for all of them, on a processor of its own, so that what is measured is
//! the subject. Every sender repeats one [`Pattern`] of lines that are marked as its own; checking
//! is a comparison of memory with that pattern, fast enough not to be the bottleneck.
//!
//! It promises: a byte that is lost, added, changed or out of order is an error or, where only
//! lines were torn apart, a flaw that is reported.

use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use hdrhistogram::Histogram;
use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::net::TcpStream;
use mio::unix::pipe::Receiver;
use mio::unix::pipe::Sender;
use muxnc::engine::aligned::AlignedBuffer;

use super::frames::Frames;
use super::tls;

/// How long a piece of work may take, unless it says otherwise.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Bytes read or written at once.
const CHUNK: usize = 256 * 1024;

/// The shortest line: two digits that say whose it is, some of its number, the line break.
pub(crate) const SHORTEST_LINE: usize = 8;

/// Lines of one length, each different from its neighbours, repeated for ever.
pub(crate) struct Pattern {
    bytes: Vec<u8>,
    period: usize,
    line: usize,
}

impl Pattern {
    /// Lines of `line` bytes, the line break included, all marked as coming from `origin`.
    pub(crate) fn new(origin: usize, line: usize) -> Pattern {
        Pattern::framed(origin, line, b"", b"")
    }

    /// The same lines as messages of a protocol that puts a head before and a tail after each.
    pub(crate) fn framed(origin: usize, line: usize, head: &[u8], tail: &[u8]) -> Pattern {
        assert!(line >= SHORTEST_LINE && origin < 100);
        let message = head.len() + line + tail.len();
        // So many that what is sent and what is received repeat after the same line, whatever is
        // put around it.
        let count = (CHUNK / line).max(2) | 1;
        let mut bytes = Vec::with_capacity(2 * count * message);
        for i in 0..count {
            let number = format!("{i:09}");
            bytes.extend_from_slice(head);
            bytes.extend_from_slice(format!("{origin:02}").as_bytes());
            bytes.extend(number.bytes().rev().cycle().take(line - 3));
            bytes.push(b'\n');
            bytes.extend_from_slice(tail);
        }
        let period = bytes.len();
        bytes.extend_from_within(..);
        Pattern {
            bytes,
            period,
            line: message,
        }
    }

    /// The next bytes of the stream at `offset`: as many as are at hand, at least a period.
    pub(crate) fn at(&self, offset: u64) -> &[u8] {
        &self.bytes[(offset % self.period as u64) as usize..]
    }

    /// The length of a line and what the protocol puts around it.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    /// Writes the first `total` bytes of the stream to a file.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn write_file(&self, file: &mut File, total: u64) -> io::Result<()> {
        let mut written = 0;
        while written < total {
            let bytes = self.at(written);
            let count = bytes.len().min((total - written) as usize);
            file.write_all(&bytes[..count])?;
            written += count as u64;
        }
        Ok(())
    }
}

/// What a receiver is to get, and how much of it came.
pub(crate) struct Ledger {
    patterns: Rc<[Pattern]>,
    got: Vec<u64>,
    current: usize,
    total: u64,
    want: u64,
    /// The beginning of a line whose end has not come: it cannot be told yet whose it is.
    carry: Vec<u8>,
    /// What a server may say between two messages.
    interlude: &'static [u8],
    /// What comes is the payload of a WebSocket's messages.
    frames: Option<Frames>,
    torn: bool,
}

impl Ledger {
    /// Expects `want` bytes in all, the lines of each pattern in their order.
    pub(crate) fn new(patterns: &Rc<[Pattern]>, want: u64) -> Ledger {
        Ledger {
            patterns: Rc::clone(patterns),
            got: vec![0; patterns.len()],
            current: 0,
            total: 0,
            want,
            carry: Vec::new(),
            interlude: b"",
            frames: None,
            torn: false,
        }
    }

    /// Allows `interlude` between two messages, and does not count it.
    pub(crate) fn with_interlude(mut self, interlude: &'static [u8]) -> Ledger {
        self.interlude = interlude;
        self
    }

    /// Expects all of it in the messages of a WebSocket.
    pub(crate) fn within_frames(mut self) -> Ledger {
        self.frames = Some(Frames::default());
        self
    }

    /// Bytes that came.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Everything came.
    pub(crate) fn is_full(&self) -> bool {
        self.total >= self.want
    }

    /// Checks the next bytes of the stream.
    ///
    /// # Errors
    /// They are not what was sent.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        let Some(mut frames) = self.frames.take() else {
            return self.take_payload(bytes);
        };
        while !bytes.is_empty() {
            let payload = frames.next(&mut bytes);
            self.take_payload(payload)?;
        }
        self.frames = Some(frames);
        Ok(())
    }

    fn take_payload(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.carry.is_empty() {
            self.check(bytes)?;
        } else {
            let mut all = std::mem::take(&mut self.carry);
            all.extend_from_slice(bytes);
            self.check(&all)?;
        }
        match self.total <= self.want {
            true => Ok(()),
            false => Err(format!("{} bytes too many", self.total - self.want)),
        }
    }

    fn check(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        let line = self.patterns[0].line;
        while !bytes.is_empty() {
            if self.torn {
                self.total += bytes.len() as u64;
                return Ok(());
            }
            // Of several streams, only whole lines tell whose they are.
            let usable = match self.patterns.len() {
                1 => bytes.len(),
                _ => bytes.len() / line * line,
            };
            let expected = self.patterns[self.current].at(self.got[self.current]);
            let count = usable.min(expected.len());
            let same = match bytes[..count] == expected[..count] {
                true => count,
                false => {
                    let same = common_prefix(&bytes[..count], &expected[..count]);
                    match self.patterns.len() {
                        1 => same,
                        // The marks of two senders may begin alike.
                        _ => same / line * line,
                    }
                }
            };
            self.got[self.current] += same as u64;
            self.total += same as u64;
            bytes = &bytes[same..];
            if same == count && count > 0 {
                continue;
            }
            if usable == 0 {
                self.carry.extend_from_slice(bytes);
                return Ok(());
            }
            if self.got[self.current].is_multiple_of(line as u64) {
                let known = self.interlude.len().min(bytes.len());
                if known > 0 && bytes[..known] == self.interlude[..known] {
                    if known < self.interlude.len() {
                        self.carry.extend_from_slice(bytes);
                        return Ok(());
                    }
                    bytes = &bytes[known..];
                    continue;
                }
                if let Some(next) = self.whose(bytes) {
                    self.current = next;
                    continue;
                }
            }
            if self.patterns.len() == 1 {
                return Err(format!(
                    "wrong bytes at {}: {:?}",
                    self.total,
                    String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
                ));
            }
            self.torn = true;
        }
        Ok(())
    }

    /// The pattern whose next line this is.
    fn whose(&self, bytes: &[u8]) -> Option<usize> {
        let line = self.patterns[0].line;
        let head = bytes.get(..line)?;
        (0..self.patterns.len()).find(|&i| self.patterns[i].at(self.got[i])[..line] == *head)
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 1024;
    let mut at = 0;
    while at + BLOCK <= a.len() && a[at..at + BLOCK] == b[at..at + BLOCK] {
        at += BLOCK;
    }
    at + a[at..]
        .iter()
        .zip(&b[at..])
        .take_while(|(x, y)| x == y)
        .count()
}

/// What a sender has to send.
struct Feed {
    patterns: Rc<[Pattern]>,
    which: usize,
    sent: u64,
    total: u64,
}

/// One end of a connection or of a pipe.
pub(crate) enum Stream {
    /// A connection.
    Tcp(TcpStream),
    /// One that is encrypted, which only receives.
    Tls(Box<tls::Client>),
    /// A subject's standard input.
    In(Sender),
    /// A subject's standard output.
    Out(Receiver),
}

impl Stream {
    /// A connection.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn tcp(stream: std::net::TcpStream) -> io::Result<Stream> {
        stream.set_nonblocking(true)?;
        Ok(Stream::Tcp(TcpStream::from_std(stream)))
    }

    /// A subject's standard input. The pipe is made as large as it may be, or left as it is.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn stdin(pipe: std::process::ChildStdin, enlarge: bool) -> io::Result<Stream> {
        #[cfg(target_os = "linux")]
        if enlarge {
            let _ = rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = enlarge;
        let sender = Sender::from(pipe);
        sender.set_nonblocking(true)?;
        Ok(Stream::In(sender))
    }

    /// A subject's standard output.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn stdout(pipe: std::process::ChildStdout) -> io::Result<Stream> {
        let receiver = Receiver::from(pipe);
        receiver.set_nonblocking(true)?;
        Ok(Stream::Out(receiver))
    }

    fn register(&mut self, poll: &Poll, token: Token) -> io::Result<()> {
        let registry = poll.registry();
        match self {
            Stream::Tcp(s) => registry.register(s, token, Interest::READABLE | Interest::WRITABLE),
            Stream::Tls(s) => registry.register(&mut s.stream, token, Interest::READABLE),
            Stream::In(s) => registry.register(s, token, Interest::WRITABLE),
            Stream::Out(s) => registry.register(s, token, Interest::READABLE),
        }
    }

    /// Reads once; what is encrypted through `wire`, which is shorter by [`tls::REST`].
    fn read(&mut self, buffer: &mut [u8], wire: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.read(buffer),
            Stream::Tls(s) => s.read(wire, buffer),
            Stream::Out(s) => s.read(buffer),
            Stream::In(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.write(bytes),
            Stream::In(s) => s.write(bytes),
            Stream::Out(_) | Stream::Tls(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

/// A stream with what is to be sent into it and what is expected from it.
struct End {
    stream: Option<Stream>,
    feed: Option<Feed>,
    ledger: Option<Ledger>,
    writable: bool,
    /// Lines counted so far, by [`Load::paced`].
    lines: u64,
}

/// Microseconds from the time a line was due until it was at the first, the median and the last
/// peer.
pub(crate) struct Latency {
    /// The first peer.
    pub(crate) first: Histogram<u64>,
    /// The median peer.
    pub(crate) median: Histogram<u64>,
    /// The last peer.
    pub(crate) last: Histogram<u64>,
}

/// All senders and receivers of one piece of work.
pub(crate) struct Load {
    poll: Poll,
    events: Events,
    ends: Vec<End>,
    buffer: AlignedBuffer,
    wire: AlignedBuffer,
}

impl Load {
    /// Nobody yet.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new() -> io::Result<Load> {
        Ok(Load {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            ends: Vec::new(),
            buffer: AlignedBuffer::zeroed(CHUNK),
            wire: AlignedBuffer::zeroed(CHUNK - tls::REST),
        })
    }

    /// Adds a stream. Without a ledger, what comes from it is read and thrown away.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn add(&mut self, mut stream: Stream, ledger: Option<Ledger>) -> io::Result<usize> {
        let key = self.ends.len();
        stream.register(&self.poll, Token(key))?;
        self.ends.push(End {
            stream: Some(stream),
            feed: None,
            ledger,
            writable: true,
            lines: 0,
        });
        Ok(key)
    }

    /// Has `total` bytes of one of the patterns sent through the stream `key`, or that many more.
    pub(crate) fn feed(&mut self, key: usize, patterns: &Rc<[Pattern]>, which: usize, total: u64) {
        match &mut self.ends[key].feed {
            Some(feed) => feed.total += total,
            none => {
                *none = Some(Feed {
                    patterns: Rc::clone(patterns),
                    which,
                    sent: 0,
                    total,
                });
            }
        }
    }

    /// Lets every receiver expect `more` bytes.
    pub(crate) fn expect(&mut self, more: u64) {
        for key in 0..self.ends.len() {
            self.expect_at(key, more);
        }
    }

    /// Lets the receiver `key` expect `more` bytes.
    pub(crate) fn expect_at(&mut self, key: usize, more: u64) {
        if let Some(ledger) = &mut self.ends[key].ledger {
            ledger.want += more;
        }
    }

    /// How many receivers got torn lines.
    pub(crate) fn torn(&self) -> usize {
        let ledgers = self.ends.iter().filter_map(|end| end.ledger.as_ref());
        ledgers.filter(|ledger| ledger.torn).count()
    }

    /// Bytes received by everybody together.
    pub(crate) fn received(&self) -> u64 {
        let ledgers = self.ends.iter().filter_map(|end| end.ledger.as_ref());
        ledgers.map(Ledger::total).sum()
    }

    /// Sends and receives until everything was sent and every receiver has everything.
    ///
    /// # Errors
    /// A byte is wrong or missing, or it takes longer than `limit`.
    pub(crate) fn run(&mut self, limit: Duration) -> Result<Duration, String> {
        let begin = Instant::now();
        let mut left = self.unfinished();
        for key in 0..self.ends.len() {
            self.write(key)?;
        }
        while left > 0 {
            if begin.elapsed() > limit {
                let fed: u64 = self
                    .ends
                    .iter()
                    .filter_map(|end| end.feed.as_ref())
                    .map(|f| f.sent)
                    .sum();
                return Err(format!(
                    "stalled: {:.1} MiB fed, {:.1} MiB received, after {:.0} s",
                    fed as f64 / 1048576.0,
                    self.received() as f64 / 1048576.0,
                    limit.as_secs_f64()
                ));
            }
            self.wait(Some(Duration::from_millis(500)))?;
            let keys: Vec<(usize, bool, bool)> = self.ready();
            for (key, readable, writable) in keys {
                if writable {
                    self.ends[key].writable = true;
                    self.write(key)?;
                }
                if readable && self.read(key)? {
                    left -= 1;
                }
            }
        }
        Ok(begin.elapsed())
    }

    /// Sends one line each `interval` and measures, from the moment it was due, when it arrived.
    ///
    /// The schedule does not wait for anybody: while a hub is stalled, the lines that are due
    /// meanwhile count their whole delay. The loop never sleeps, so that waking up is not part of
    /// what is measured.
    ///
    /// # Errors
    /// A byte is wrong or missing, or it takes too long.
    pub(crate) fn paced(
        &mut self,
        sender: usize,
        line: usize,
        wire: usize,
        lines: u64,
        interval: Duration,
    ) -> Result<Latency, String> {
        let receivers = self.ends.iter().filter(|end| end.ledger.is_some()).count() as u32;
        let mut arrived = vec![0u32; lines as usize];
        // Two minutes are longer than a piece of work may take; it does not grow by itself.
        let new = || Histogram::new_with_bounds(1, 120_000_000, 3).map_err(|e| e.to_string());
        let mut latency = Latency {
            first: new()?,
            median: new()?,
            last: new()?,
        };
        let patterns = match &self.ends[sender].feed {
            Some(feed) => (Rc::clone(&feed.patterns), feed.which),
            None => return Err("nobody sends".to_owned()),
        };
        // It may not be the first time.
        let totals = self
            .ends
            .iter()
            .map(|end| end.ledger.as_ref().map_or(0, Ledger::total));
        let before: Vec<u64> = totals.collect();
        self.ends.iter_mut().for_each(|end| end.lines = 0);
        self.expect(lines * wire as u64);
        let mut left = self.unfinished();
        let begin = Instant::now() + interval;
        let due = |i: u64| begin + interval * u32::try_from(i).unwrap_or(u32::MAX);
        let mut sent = 0;
        while left > 0 {
            let now = Instant::now();
            if now > due(lines) + Duration::from_secs(30) {
                return Err(format!("stalled: {sent} lines sent, {left} peers wait"));
            }
            while sent < lines && now >= due(sent) {
                self.feed(sender, &patterns.0, patterns.1, line as u64);
                sent += 1;
                self.write(sender)?;
            }
            self.wait(Some(Duration::ZERO))?;
            for (key, readable, writable) in self.ready() {
                if writable {
                    self.ends[key].writable = true;
                    self.write(key)?;
                }
                if !readable {
                    continue;
                }
                left -= usize::from(self.read(key)?);
                let now = Instant::now();
                let end = &mut self.ends[key];
                let Some(ledger) = &end.ledger else { continue };
                let have = (ledger.total() - before[key]) / wire as u64;
                for i in end.lines..have.min(lines) {
                    let count = &mut arrived[i as usize];
                    *count += 1;
                    let micros = now.saturating_duration_since(due(i)).as_micros() as u64;
                    if *count == 1 {
                        latency.first.saturating_record(micros);
                    }
                    if *count == receivers.div_ceil(2) {
                        latency.median.saturating_record(micros);
                    }
                    if *count == receivers {
                        latency.last.saturating_record(micros);
                    }
                }
                end.lines = have;
            }
        }
        Ok(latency)
    }

    /// Sends what can be sent within `limit`, when nobody here receives it.
    ///
    /// # Errors
    /// It cannot be sent.
    pub(crate) fn push(&mut self, limit: Duration) -> Result<(), String> {
        for key in 0..self.ends.len() {
            self.write(key)?;
        }
        self.wait(Some(limit))?;
        for (key, _, writable) in self.ready() {
            self.ends[key].writable |= writable;
            self.write(key)?;
        }
        Ok(())
    }

    /// Reads a stream that nobody reads otherwise until its end, for `limit` at most. Returns
    /// whether it came to an end.
    pub(crate) fn ends_within(mut stream: std::net::TcpStream, limit: Duration) -> bool {
        let begin = Instant::now();
        let mut buffer = AlignedBuffer::zeroed(CHUNK);
        let _ = stream.set_read_timeout(Some(limit));
        while begin.elapsed() < limit {
            match stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                }
            }
        }
        false
    }

    fn unfinished(&self) -> usize {
        let ledgers = self.ends.iter().filter_map(|end| end.ledger.as_ref());
        ledgers.filter(|ledger| !ledger.is_full()).count()
    }

    fn wait(&mut self, limit: Option<Duration>) -> Result<(), String> {
        match self.poll.poll(&mut self.events, limit) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    fn ready(&self) -> Vec<(usize, bool, bool)> {
        let events = self.events.iter();
        events
            .map(|event| {
                let readable = event.is_readable() || event.is_read_closed() || event.is_error();
                (event.token().0, readable, event.is_writable())
            })
            .collect()
    }

    /// Sends what a stream has to send, as far as it goes.
    fn write(&mut self, key: usize) -> Result<(), String> {
        let end = &mut self.ends[key];
        let (Some(stream), Some(feed)) = (&mut end.stream, &mut end.feed) else {
            return Ok(());
        };
        while end.writable && feed.sent < feed.total {
            let bytes = feed.patterns[feed.which].at(feed.sent);
            let count = bytes
                .len()
                .min((feed.total - feed.sent) as usize)
                .min(CHUNK);
            match stream.write(&bytes[..count]) {
                Ok(count) => feed.sent += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => end.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("sender {key}, at {}: {error}", feed.sent)),
            }
        }
        Ok(())
    }

    /// Reads and checks what came. Returns whether that completed it.
    fn read(&mut self, key: usize) -> Result<bool, String> {
        let end = &mut self.ends[key];
        let was_full = end.ledger.as_ref().is_none_or(Ledger::is_full);
        loop {
            let Some(stream) = &mut end.stream else {
                return Ok(false);
            };
            let told = stream.read(&mut self.buffer, &mut self.wire);
            match (told, &mut end.ledger) {
                (Ok(0), Some(ledger)) if !ledger.is_full() => {
                    return Err(format!(
                        "peer {key} was closed at {} of {}",
                        ledger.total, ledger.want
                    ));
                }
                (Ok(0), _) => {
                    end.stream = None;
                    break;
                }
                (Ok(count), Some(ledger)) => {
                    let told = ledger.take(&self.buffer[..count]);
                    told.map_err(|error| format!("peer {key}: {error}"))?;
                }
                (Ok(_), None) => {}
                (Err(error), _) if error.kind() == ErrorKind::WouldBlock => break,
                (Err(error), _) if error.kind() == ErrorKind::Interrupted => {}
                (Err(error), _) => return Err(format!("peer {key}: {error}")),
            }
        }
        Ok(!was_full && end.ledger.as_ref().is_some_and(Ledger::is_full))
    }
}
