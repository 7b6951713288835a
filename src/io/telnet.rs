//! Telnet's negotiation as a layer (`-t`): over a socket, or over TLS.
//!
//! [The engine](crate::engine::telnet) decides what is hidden, answered and doubled; here it is
//! done to a stream.
//!
//! It promises: at most a few answers and half of a doubled byte wait here, and no memory is kept for more; they
//! go out before anything else does, and never within a doubled byte; nothing is answered once this side has ended.

use std::io;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use log::Level;

use crate::engine::explain::Agreement;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
use crate::engine::telnet::Answers;
use crate::engine::telnet::Reader;
use crate::engine::telnet::Writer;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// Reads that find nothing but negotiation, after which it is another's turn.
const IDLE_READS: usize = 4;

/// Bytes in which some are doubled that are handed on in one go.
const PIECE: usize = 16 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub struct Telnet<S> {
    under: S,
    reader: Reader,
    answers: Answers,
    writer: Writer,
    /// What goes out before anything else, and how much of it has gone.
    pending: Vec<u8>,
    written: usize,
    /// Nothing can be said any more.
    is_shut: bool,
    /// A read would find something though no event tells of it.
    has_more: bool,
    /// How loud it is told that details did not end, which is told once.
    loudness: Option<Level>,
}

impl<S: Stream + AsFd> Telnet<S> {
    /// Over this stream, of which nothing was read. A violation of the rules is logged at that level.
    pub fn new(under: S, loudness: Level) -> Telnet<S> {
        // The mark that a telnet sends for Ctrl-C is urgent, and without this a part of IAC DM is
        // missing in the stream (tcp(7)). Other sockets than TCP have no urgent bytes.
        let _ = socket2::SockRef::from(&under).set_out_of_band_inline(true);
        Telnet {
            under,
            reader: Reader::default(),
            answers: Answers::default(),
            writer: Writer::default(),
            pending: Vec::new(),
            written: 0,
            is_shut: false,
            has_more: false,
            loudness: Some(loudness),
        }
    }
}

impl<S: Stream> Telnet<S> {
    /// What it runs over.
    pub fn under(&self) -> &S {
        &self.under
    }

    /// The same, to register it.
    pub fn under_mut(&mut self) -> &mut S {
        &mut self.under
    }

    /// Hands on what goes out before anything else. False: not all of it was taken.
    fn clear(&mut self) -> io::Result<bool> {
        loop {
            if self.written == self.pending.len() {
                self.written = 0;
                // Memory for what is seldom said is not kept.
                self.pending = self.answers.take();
                if self.pending.is_empty() {
                    return Ok(true);
                }
            }
            let rest = IoSlice::new(&self.pending[self.written..]);
            match self.under.write(&[rest]) {
                Sent::Bytes(0) | Sent::Full => return Ok(false),
                Sent::Bytes(count) => self.written += count,
                Sent::Failed(error) => return Err(error),
            }
        }
    }

    fn tell(&mut self, and: &str) {
        if let Some(level) = self.loudness.take() {
            log::log!(
                level,
                "telnet: the other side began to negotiate (IAC SB) and did not end, {and}"
            );
        }
    }

    fn is_pending(&self) -> bool {
        self.written < self.pending.len() || !self.answers.is_empty()
    }

    /// Writes what has to be doubled in part, until it is all gone or nothing is taken any more.
    fn write_doubled(&mut self, said: &[u8]) -> Sent {
        let mut sent = 0;
        // The bytes as they are on the wire: what is seldom said is room of this write, not of the connection.
        let mut wire = Vec::new();
        for piece in said.chunks(PIECE) {
            wire.clear();
            self.writer.double(piece, &mut wire);
            match self.under.write(&[IoSlice::new(&wire)]) {
                Sent::Bytes(taken) => {
                    let (count, half) = self.writer.gone(piece, taken);
                    self.went(&[IoSlice::new(piece)], count);
                    sent += count;
                    if let Some(half) = half {
                        self.pending = vec![half];
                        self.written = 0;
                    }
                    if taken < wire.len() {
                        break;
                    }
                }
                Sent::Full | Sent::Failed(_) if sent > 0 => break,
                other => return other,
            }
        }
        Sent::Bytes(sent)
    }

    /// How many of the slices, from the first on, are on the wire what they are here.
    fn count_plain(&self, slices: &[IoSlice<'_>]) -> usize {
        let mut writer = self.writer;
        let is_plain = |slice: &&IoSlice<'_>| {
            let is_plain = writer.is_plain(slice);
            slice.last().iter().for_each(|&&last| writer.went(last));
            is_plain
        };
        slices.iter().take_while(is_plain).count()
    }

    /// The first `count` bytes of the slices have gone.
    fn went(&mut self, slices: &[IoSlice<'_>], mut count: usize) {
        for slice in slices {
            let taken = count.min(slice.len());
            if let Some(&last) = slice[..taken].last() {
                self.writer.went(last);
            }
            count -= taken;
        }
    }
}

impl<S: Stream> Stream for Telnet<S> {
    fn shakes_hands(&self) -> bool {
        self.under.shakes_hands()
    }

    fn handshake(&mut self, witness: &mut dyn Witness) -> Handshake {
        self.under.handshake(witness)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        self.has_more = true;
        for _ in 0..IDLE_READS {
            let count = match self.under.read(buffer) {
                Received::Bytes(count) => count,
                other => {
                    if matches!(other, Received::End | Received::Truncated(_))
                        && self.reader.is_in_details()
                    {
                        self.tell("and its last bytes are not shown");
                    }
                    self.has_more = self.under.has_buffered_input();
                    return other;
                }
            };
            let said = self.reader.read(&mut buffer[..count], &mut self.answers);
            if self.reader.take_cut() {
                self.tell("and what comes is text from here on");
            }
            if self.is_shut {
                // To answer behind our end would break the connection.
                self.answers.take();
            }
            if self.is_pending() {
                // A failure to write is ignored: the next write or read reports it.
                let _ = self.clear();
            }
            if said > 0 {
                self.has_more = count == buffer.len() || self.under.has_buffered_input();
                return Received::Bytes(said);
            }
        }
        Received::Yield
    }

    /// What is negotiated stands among the words.
    fn peek(&mut self, _: &mut [u8]) -> Ahead {
        match self.under.peek(&mut []) {
            Ahead::Bytes(_) => Ahead::Bytes(0),
            other => other,
        }
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        match self.clear() {
            Ok(true) => {}
            Ok(false) => return Sent::Full,
            Err(error) => return Sent::Failed(error),
        }
        let mut sent = 0;
        let mut rest = slices;
        while !rest.is_empty() {
            let plain = self.count_plain(rest);
            let (now, later) = rest.split_at(plain.max(1));
            let taken = match plain {
                0 => self.write_doubled(&now[0]),
                _ => self.under.write(now),
            };
            let count = match taken {
                Sent::Bytes(count) => count,
                // The next call finds the same error.
                Sent::Full | Sent::Failed(_) if sent > 0 => break,
                other => return other,
            };
            if plain > 0 {
                self.went(now, count);
            }
            sent += count;
            if count < now.iter().map(|slice| slice.len()).sum() {
                break;
            }
            rest = later;
        }
        Sent::Bytes(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.clear()?;
        self.under.flush()
    }

    fn shutdown(&mut self) -> io::Result<()> {
        // An answer that was not taken is of no use to the peer then.
        let _ = self.clear();
        self.answers.take();
        self.is_shut = true;
        self.under.shutdown()
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.under.hang_up()
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.under.take_error()
    }

    fn has_buffered_input(&self) -> bool {
        self.has_more
    }

    fn unread(&self) -> Unread {
        self.under.unread()
    }

    fn has_pending_output(&self) -> bool {
        self.is_pending() || self.under.has_pending_output()
    }

    fn authenticates_eof(&self) -> bool {
        self.under.authenticates_eof()
    }

    fn is_wire(&self) -> bool {
        false
    }

    fn tells_hang_up(&self) -> bool {
        self.under.tells_hang_up()
    }

    fn has_closed(&self) -> bool {
        self.under.has_closed()
    }

    fn can_half_close(&self) -> bool {
        self.under.can_half_close()
    }

    fn probe_soon(&mut self) {
        self.under.probe_soon();
    }

    fn break_on_close(&mut self, breaks: bool) {
        self.under.break_on_close(breaks);
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        self.under.tcp_info()
    }

    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()> {
        self.under.refuse(refusal, witness)
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        self.under.beside()
    }

    fn reading(&self) -> Option<Reading> {
        self.under.reading()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.under.local_addr()
    }

    fn agreements(&self) -> Vec<Agreement> {
        self.under.agreements()
    }
}
