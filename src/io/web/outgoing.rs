//! Outgoing: bytes that are written as frames, and how many are sent.
//!
//! ```text
//!   control (whole frames) ─┐
//!                           ├─► [rest of a header] [payload …] [header] [payload …] ─► the layer below
//!   slices of the stream ───┘    pending            open frame
//! ```
//!
//! A frame says how long it is before its payload follows, so what was offered once of a stream has to
//! come: the next write begins with it. Control frames wait for the end of a frame that is open.
//!
//! It promises: nothing of the stream is copied but where that is cheaper ([`SMALL`]), none of it is kept,
//! and each of its bytes is in one frame, however little is taken at a time. Only control frames and the
//! rest of one header are [pending](Outgoing::is_pending).

use std::io;
use std::io::IoSlice;

use crate::engine::aside::Aside;
use crate::engine::explain::Observed;
use crate::engine::explain::Witness;
use crate::engine::journal::GATHER;
use crate::engine::web::answer::Answer;
use crate::engine::web::frame;
use crate::engine::web::frame::Header;
use crate::engine::web::frame::Opcode;
use crate::io::stream::Sent;
use crate::io::stream::Stream;

/// Up to so many bytes a copy costs no more than a list of slices.
const SMALL: usize = 2 * 1024;

/// The longest header.
const HEADER: usize = 10;

/// Bytes of a frame's payload: small enough that a slow reader gets a frame now and then; more only
/// if there would be more than [`FRAMES`] otherwise.
const FRAME: u64 = 64 * 1024;

/// Frames begun by one write.
const FRAMES: usize = 17;

/// Slices of one write: what is handed over at once, a header before each frame, and where a frame ends
/// within a slice both parts of that.
const SLICES: usize = GATHER + 2 * FRAMES;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Bytes to be written before anything else, and how many of them are.
    pending: Vec<u8>,
    written: usize,
    /// Bytes of payload that are to come in the open frame.
    open: u64,
    /// Whole control frames that wait for its end.
    control: Vec<u8>,
    /// The same, of which only the last is of interest.
    pong: Option<Box<[u8]>>,
    here: Option<usize>,
    relay: Option<bool>,
    heard: Option<u64>,
}

impl Outgoing {
    /// Lets these bytes, which end where a frame does, follow what is there.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.control.extend_from_slice(bytes);
    }

    /// The same with an answer in HTTP, to HEAD or not, of which a witness hears.
    pub(super) fn answer(&mut self, answer: Answer, is_head: bool, witness: &mut dyn Witness) {
        self.push_told(&answer.bytes(is_head), witness);
    }

    /// The same with other bytes, of which a witness hears.
    pub(super) fn push_told(&mut self, bytes: &[u8], witness: &mut dyn Witness) {
        self.push(bytes);
        witness.observe(Observed::Sent(&[IoSlice::new(bytes)], bytes.len()));
    }

    /// The same with a text message.
    pub(super) fn push_text(&mut self, text: &str) {
        frame::push(Opcode::Text, text.as_bytes(), &mut self.control);
    }

    /// Asks for a pong, unless something waits whose acknowledgement shows as well that the client
    /// is there.
    pub(super) fn ping(&mut self) {
        if !self.is_open() && !self.is_pending() {
            frame::push(Opcode::Ping, &[], &mut self.control);
        }
    }

    /// Answers a ping; one that was not answered yet is not answered any more (section 5.5.3).
    pub(super) fn pong(&mut self, payload: &[u8]) {
        self.pong = Some(payload.into());
    }

    /// Tells how many are here; an older number that was not sent yet is dropped.
    pub(super) fn here(&mut self, count: usize) {
        self.here = Some(count);
    }

    /// Tells whether members hear each other; what was to be told of that before is dropped.
    pub(super) fn relay(&mut self, on: bool) {
        self.relay = Some(on);
    }

    /// Tells how much was heard; an older number that was not sent yet is dropped.
    pub(super) fn heard(&mut self, count: u64) {
        self.heard = Some(count);
    }

    /// Lets this text message follow what is there, and nothing but a close after it.
    pub(super) fn push_last(&mut self, text: &str) {
        self.drop_latest();
        self.push_text(text);
    }

    /// What is of interest only while more follows is not said any more.
    fn drop_latest(&mut self) {
        (self.here, self.relay, self.heard) = (None, None, None);
    }

    /// Says that nothing follows, and why if it is told.
    pub(super) fn close(&mut self, code: Option<u16>) {
        self.drop_latest();
        frame::push_close(code, &mut self.control);
    }

    /// Whether a frame of the stream is open, so that nothing else can be said.
    pub(super) fn is_open(&self) -> bool {
        self.open > 0
    }

    /// Whether something waits that would be written now if it was taken.
    pub(super) fn is_pending(&self) -> bool {
        let is_told = self.here.is_some() || self.relay.is_some() || self.heard.is_some();
        let is_latest = self.pong.is_some() || is_told;
        let waits = !self.control.is_empty() || is_latest;
        self.written < self.pending.len() || (waits && !self.is_open())
    }

    /// How many bytes of answers and control frames are still to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.pending.len() - self.written + self.control.len()
    }

    /// Writes what is pending. `Ok(false)`: not all of it was taken.
    pub(super) fn flush(&mut self, under: &mut impl Stream) -> io::Result<bool> {
        loop {
            while self.written < self.pending.len() {
                let rest = IoSlice::new(&self.pending[self.written..]);
                match under.write(&[rest]) {
                    Sent::Bytes(0) | Sent::Full => return Ok(false),
                    Sent::Bytes(count) => self.written += count,
                    Sent::Failed(error) => return Err(error),
                }
            }
            // Memory for what is seldom said is not kept.
            self.written = 0;
            self.pending = Vec::new();
            if self.is_open() {
                return Ok(true);
            }
            self.pending = std::mem::take(&mut self.control);
            if let Some(payload) = self.pong.take() {
                frame::push(Opcode::Pong, &payload, &mut self.pending);
            }
            let relay = self.relay.take().map(Aside::Relay);
            let here = self.here.take().map(Aside::Here);
            let heard = self.heard.take().map(Aside::Heard);
            for aside in [relay, here, heard].into_iter().flatten() {
                let text = aside.to_string();
                frame::push(Opcode::Text, text.as_bytes(), &mut self.pending);
            }
            if self.pending.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Writes what is pending, and then of `slices` what is taken.
    pub(super) fn write(&mut self, under: &mut impl Stream, slices: &[IoSlice<'_>]) -> Sent {
        match self.flush(under) {
            Ok(true) => {}
            Ok(false) => return Sent::Full,
            Err(error) => return Sent::Failed(error),
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let first = self.open.min(offered as u64);
        let frames = Frames::of(first, offered as u64 - first);
        let sent = match offered + frames.count * HEADER <= SMALL {
            true => {
                let mut copy = [0; SMALL];
                let mut len = 0;
                frames.lay_out(slices, |piece| {
                    copy[len..len + piece.len()].copy_from_slice(piece);
                    len += piece.len();
                });
                under.write(&[IoSlice::new(&copy[..len])])
            }
            false => {
                let mut gathered = [IoSlice::new(&[]); SLICES];
                let mut count = 0;
                frames.lay_out(slices, |piece| {
                    if let Some(place) = gathered.get_mut(count) {
                        *place = IoSlice::new(piece);
                        count += 1;
                    }
                });
                under.write(&gathered[..count])
            }
        };
        let Sent::Bytes(written) = sent else {
            return sent;
        };
        let taken = self.took(&frames, written as u64);
        // What waited for the end of a frame.
        match self.is_pending() && taken == offered as u64 {
            true => match self.flush(under) {
                Ok(_) => Sent::Bytes(taken as usize),
                Err(error) => Sent::Failed(error),
            },
            false => Sent::Bytes(taken as usize),
        }
    }

    /// Takes note that so many bytes of those frames were written. Returns how many of them are payload.
    fn took(&mut self, frames: &Frames, written: u64) -> u64 {
        let mut left = written;
        let first = left.min(frames.first);
        self.open -= first;
        left -= first;
        let mut taken = first;
        for (header, payload) in frames.begun() {
            if left == 0 {
                break;
            }
            let bytes = header.bytes();
            let of_header = left.min(bytes.len() as u64);
            self.pending.extend_from_slice(&bytes[of_header as usize..]);
            left -= of_header;
            let of_payload = left.min(*payload);
            left -= of_payload;
            self.open = payload - of_payload;
            taken += of_payload;
        }
        taken
    }
}

/// How what is offered goes into frames.
struct Frames {
    /// Bytes that belong to the open one.
    first: u64,
    begun: [(Header, u64); FRAMES],
    count: usize,
}

impl Frames {
    /// `first` bytes belong to the open frame, and `rest` to others.
    fn of(first: u64, mut rest: u64) -> Frames {
        let size = FRAME.max(rest.div_ceil(FRAMES as u64));
        let mut begun = [(Header::new(Opcode::Binary, 0), 0); FRAMES];
        let mut count = 0;
        while rest > 0 {
            let payload = rest.min(size);
            begun[count] = (Header::new(Opcode::Binary, payload), payload);
            count += 1;
            rest -= payload;
        }
        Frames {
            first,
            begun,
            count,
        }
    }

    fn begun(&self) -> &[(Header, u64)] {
        &self.begun[..self.count]
    }

    /// Gives out everything in its order: what belongs to the open frame, and the others with their headers.
    fn lay_out<'p>(&'p self, slices: &'p [IoSlice<'_>], mut give: impl FnMut(&'p [u8])) {
        let mut rest = Rest {
            slices: slices.iter(),
            slice: &[],
        };
        rest.give(self.first, &mut give);
        for (header, payload) in self.begun() {
            give(header.bytes());
            rest.give(*payload, &mut give);
        }
    }
}

/// What was not laid out yet of some slices.
struct Rest<'p, 's> {
    slices: std::slice::Iter<'p, IoSlice<'s>>,
    slice: &'p [u8],
}

impl<'p> Rest<'p, '_> {
    fn give(&mut self, mut count: u64, give: &mut impl FnMut(&'p [u8])) {
        while count > 0 {
            if self.slice.is_empty() {
                match self.slices.next() {
                    Some(slice) => self.slice = slice,
                    None => return,
                }
                continue;
            }
            let len = usize::try_from(count).map_or(self.slice.len(), |n| n.min(self.slice.len()));
            let (now, later) = self.slice.split_at(len);
            give(now);
            self.slice = later;
            count -= len as u64;
        }
    }
}

#[cfg(test)]
mod tests;
