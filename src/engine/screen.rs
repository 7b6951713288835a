//! The screen: what the operator is shown, waiting for a stdout that may be slow or stuck.
//!
//! A bounded queue between the peers and stdout. A stdout that does not take everything in time
//! either holds the peers back (a pipe or file, which lose nothing) or misses something (a terminal
//! while lines are relayed: the members that speak wait for it for a [moment](patience::PATIENCE),
//! then the class goes on, the oldest lines of those that said most are left out, and the operator
//! is told how many).
//!
//! It promises: at most [`HIGH_WATER`] bytes are kept ([`LEAVES_OUT`] where lines may be left out,
//! and twice that in the moment in which it is waited), and what the last read became, of which no
//! more is to be read than [fits](Screen::fits); on a stream not a byte is added, changed or lost;
//! on a terminal no two speakers share a line, every line begins with its speaker's label if there
//! are labels, no row with a label waits for its end where the terminal [echoes](Screen::expect_echo),
//! and nothing a member says can act on the terminal or forge a label.

mod patience;
mod queue;

use std::time::Instant;

use memchr::memchr_iter;

pub use self::patience::PATIENCE;
use self::patience::Patience;
pub use self::patience::STUCK;
use self::queue::Queue;
use crate::engine::budget::Budget;
use crate::engine::escape::Escaper;
use crate::engine::record::head::Head;
use crate::engine::rows::LINE;

/// Bytes waiting from which on the screen is full.
pub const HIGH_WATER: usize = 64 * 1024;

/// Bytes waiting below which a full screen takes more again.
pub const LOW_WATER: usize = 16 * 1024;

/// The same of a screen that leaves lines out: as much as a terminal shows in a moment, and a
/// quarter of it.
pub const LEAVES_OUT: usize = 256 * 1024;
const GOES_ON: usize = 64 * 1024;

/// Bytes of records waiting from which on more of them are dropped.
const MOST_RECORDED: usize = 1024 * 1024;

/// Bytes for a terminal that are made fit for it at a time.
const PIECE: usize = 4 * 1024;

/// The length of a line's label and end beside the name: the marks that make it bold and coloured,
/// brackets, a blank, the frame.
const LABEL: usize = 20;

/// The speaker of the records; peers are numbered from 1.
const RECORDER: u32 = 0;

/// What stdout is, as far as the screen cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// A pipe, a file, a socket: bytes are sacred, but for a line feed where a speaker left an
    /// unfinished line and another one goes on.
    Stream,
    /// The same without that line feed.
    RawStream,
    /// A terminal: a line belongs to one speaker, and characters that would act are shown instead.
    Terminal,
    /// A terminal with `--raw-output`: the bytes go there as they are, whatever they do.
    RawTerminal,
}

impl Surface {
    /// Whether it gets the bytes as they were said.
    pub fn is_stream(self) -> bool {
        matches!(self, Surface::Stream | Surface::RawStream)
    }
}

/// What to do when stdout does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Report being full; the room stops feeding the screen until it drains.
    Backpressure,
    /// The same for a moment; then leave out the oldest lines of the members that said most, and
    /// count them.
    LeaveOut,
}

/// The queue in front of stdout. See the module's documentation.
#[derive(Debug)]
pub struct Screen {
    queue: Queue,
    surface: Surface,
    overflow: Overflow,
    /// What the queue holds.
    budget: Budget,
    /// Where lines may be left out.
    patience: Patience,
    closed: bool,
    /// What is shown is a record of what is said, not what is said: what makes the heads of its lines
    /// bold at a terminal, and what ends that.
    recorded: Option<(Head, (&'static str, &'static str))>,
    /// The last speaker, and whether it is in the middle of a line.
    speaker: Option<u32>,
    midline: bool,
    /// The last speaker will not go on with that line.
    abandoned: bool,
    /// The terminal shows what is typed behind what is on its last row.
    is_echoing: bool,
    /// The rest of the speaker's bytes that is no complete character yet.
    escaper: Escaper,
    text: String,
    left_out: u64,
}

impl Screen {
    /// An empty screen. A stream has nothing left out.
    pub fn new(surface: Surface, overflow: Overflow) -> Screen {
        let overflow = possible(surface, overflow);
        Screen {
            queue: Queue::default(),
            surface,
            overflow,
            budget: budget(overflow),
            patience: Patience::default(),
            closed: false,
            recorded: None,
            speaker: None,
            midline: false,
            abandoned: false,
            is_echoing: false,
            escaper: Escaper::default(),
            text: String::new(),
            left_out: 0,
        }
    }

    /// Queues `bytes` of `speaker`; on a terminal each of its lines begins with `label`.
    pub fn show(&mut self, speaker: u32, label: &str, bytes: &[u8]) {
        if !self.closed && self.recorded.is_none() && !bytes.is_empty() {
            self.queue_up(speaker, label, bytes);
        }
    }

    /// The terminal itself shows what the operator types, behind whatever its last row holds: no row
    /// with a label is left unfinished from now on, for the operator's words would stand behind it.
    pub fn expect_echo(&mut self) {
        self.is_echoing = !self.surface.is_stream();
    }

    /// Whether the beginning of a line with that label may be shown before the line's end is there.
    pub fn shows_beginnings(&self, label: &str) -> bool {
        label.is_empty() || !self.is_echoing
    }

    /// A speaker's line, or what of it could not wait for its end, was shown with that label.
    pub fn end_piece(&mut self, speaker: u32, label: &str) {
        if !self.shows_beginnings(label) {
            self.abandon(speaker);
        }
    }

    /// A speaker will not go on with a line that it began: at a terminal its row ends, and on a stream
    /// another one does not go on with it, either.
    pub fn abandon(&mut self, speaker: u32) {
        if !self.midline || self.speaker != Some(speaker) || self.closed {
            return;
        }
        match self.surface.is_stream() {
            true => self.abandoned = true,
            false => {
                self.end_row(speaker);
                self.budget.hold(self.queue.held());
            }
        }
    }

    /// From now on another speaker has this number, and begins a line.
    pub fn part(&mut self, speaker: u32) {
        self.speaker = self.speaker.filter(|last| *last != speaker);
    }

    /// Shows nothing but [`Screen::record`]s from now on, whose lines begin so; at a terminal with what no peer
    /// says between these `marks`.
    pub fn show_records(&mut self, head: Head, marks: (&'static str, &'static str)) {
        self.recorded = Some((head, marks));
    }

    /// Queues a record of what was said, whole lines. Members that speak wait for a full screen,
    /// but not all that is recorded can wait: what is far beyond the limit is left out and counted.
    pub fn record(&mut self, text: &[u8]) {
        if self.closed || text.is_empty() {
            return;
        }
        if self.queue.len() > MOST_RECORDED {
            self.left_out += memchr_iter(b'\n', text).count() as u64;
            return;
        }
        if self.surface.is_stream() {
            return self.queue_up(RECORDER, "", text);
        }
        let (head, (on, off)) = self.recorded.unwrap_or((Head::Nothing, ("", "")));
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let (known, said) = line.split_at(head.length(line));
            let label = match String::from_utf8_lossy(known) {
                known if known.is_empty() => String::new(),
                known => format!("{on}{known}{off}"),
            };
            self.queue_up(RECORDER, &label, said);
        }
    }

    fn queue_up(&mut self, speaker: u32, label: &str, bytes: &[u8]) {
        if self.surface.is_stream() {
            let other = self.speaker.replace(speaker) != Some(speaker);
            let abandoned = std::mem::take(&mut self.abandoned);
            if self.midline && abandoned && other && self.surface == Surface::Stream {
                self.queue.push(b"\n");
            }
            self.queue.push(bytes);
            self.midline = bytes.last() != Some(&b'\n');
            self.budget.hold(self.queue.held());
        } else {
            for piece in bytes.chunks(PIECE) {
                self.show_lines(speaker, label, piece);
                self.budget.hold(self.queue.held());
                if self.overflow == Overflow::LeaveOut && self.budget.left() == 0 {
                    self.leave_out();
                }
            }
        }
    }

    /// It is full and may leave lines out, if the members that speak have waited for long enough.
    #[cold]
    fn leave_out(&mut self) {
        if !self.patience.waits() || self.queue.held() >= 2 * LEAVES_OUT {
            self.left_out += self.queue.leave_out(LEAVES_OUT / 2);
            self.budget.hold(self.queue.held());
        }
    }

    /// How many bytes of a speaker may be read so that what they become fits, if its name has so many:
    /// at a terminal each may be a line of its own, with a label.
    pub fn fits(&self, name: usize) -> usize {
        let each = LABEL + name;
        let is_stream = self.surface.is_stream() || self.closed || self.recorded.is_some();
        match self.overflow == Overflow::LeaveOut && !self.patience.waits() {
            _ if is_stream => usize::MAX,
            true => LEAVES_OUT / 2 / each,
            false => self.budget.fits(each),
        }
    }

    /// How much of what is shown byte by byte, or of records, still fits.
    pub fn left(&self) -> usize {
        match self.closed {
            true => usize::MAX,
            false => self.budget.left(),
        }
    }

    fn show_lines(&mut self, speaker: u32, label: &str, bytes: &[u8]) {
        if self.midline && self.speaker != Some(speaker) {
            self.end_row(self.speaker.unwrap_or(speaker));
        }
        let mut text = std::mem::take(&mut self.text);
        self.speaker = Some(speaker);
        let shown = if self.surface == Surface::Terminal {
            self.escaper.escape(bytes, &mut text);
            text.as_bytes()
        } else {
            bytes
        };
        for line in shown.split_inclusive(|&byte| byte == b'\n') {
            if !self.midline {
                self.begin_line(speaker, label);
            }
            self.queue.push_of(speaker, line);
            self.midline = line.last() != Some(&b'\n');
        }
        if !self.midline && bytes.last() != Some(&b'\n') {
            // The held bytes of the new line belong to this speaker, though none of them is shown
            // yet.
            self.begin_line(speaker, label);
        }
        text.clear();
        self.text = text;
    }

    /// Ends the row of a speaker who did not.
    fn end_row(&mut self, speaker: u32) {
        let mut text = std::mem::take(&mut self.text);
        self.escaper.finish(&mut text);
        text.push('\n');
        self.queue.push_of(speaker, text.as_bytes());
        self.midline = false;
        text.clear();
        self.text = text;
    }

    fn begin_line(&mut self, speaker: u32, label: &str) {
        self.queue.push_of(speaker, label.as_bytes());
        self.queue.push_of(speaker, &[LINE]);
        self.midline = true;
    }

    /// The bytes to write next; empty when everything is written. At a terminal they are for
    /// [`Rows::show`](crate::engine::rows::Rows::show).
    pub fn front(&self) -> &[u8] {
        self.queue.front()
    }

    /// Like [`Screen::front`], but whole lines of about `most` bytes if there are any.
    pub fn front_lines(&mut self, most: usize) -> &[u8] {
        self.queue.front_lines(most)
    }

    /// Takes `count` bytes away that were written, at most what [`Screen::front`] gave.
    pub fn consume(&mut self, count: usize) {
        self.queue.consume(count);
        self.budget.hold(self.queue.held());
        if count > 0 {
            self.patience.took();
        }
    }

    /// Finds out whether the members that speak still wait for a screen that may leave lines out.
    /// To be called in each turn, and at the [`Screen::deadline`].
    pub fn judge(&mut self, now: Instant) {
        if self.overflow == Overflow::LeaveOut {
            self.patience.judge(self.budget.is_spent(), now);
        }
    }

    /// When to [`Screen::judge`] next, if nothing changes before.
    pub fn deadline(&self) -> Option<Instant> {
        let waits = self.overflow == Overflow::LeaveOut && self.budget.is_spent();
        self.patience.deadline().filter(|_| waits)
    }

    /// Whether the members that speak should wait. Once full, until there is room for most of what
    /// it may keep; but not for long where lines may be left out.
    pub fn is_full(&self) -> bool {
        let waits = self.overflow == Overflow::Backpressure || self.patience.waits();
        waits && self.budget.is_spent()
    }

    /// Does something else from now on when stdout does not keep up.
    pub fn set_overflow(&mut self, overflow: Overflow) {
        let overflow = possible(self.surface, overflow);
        if self.overflow != overflow {
            self.overflow = overflow;
            self.budget = budget(overflow);
            self.budget.hold(self.queue.held());
            self.patience = Patience::default();
        }
    }

    /// Bytes that were not written yet.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether everything was written.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether what was shown last is the beginning of a line.
    pub fn is_midline(&self) -> bool {
        self.midline
    }

    /// The output has no reader any more: forgets what waits and all that comes.
    pub fn close(&mut self) {
        self.queue.clear();
        self.budget.hold(0);
        self.closed = true;
    }

    /// Lines left out and not yet told of; zero while there still are more lines waiting than fit.
    pub fn take_left_out(&mut self) -> u64 {
        match self.budget.is_spent() {
            true => 0,
            false => self.take_all_left_out(),
        }
    }

    /// The same at the end, however many wait.
    pub fn take_all_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

/// What can be done when stdout does not keep up.
fn possible(surface: Surface, wanted: Overflow) -> Overflow {
    match surface.is_stream() {
        true => Overflow::Backpressure,
        false => wanted,
    }
}

/// How much may wait.
fn budget(overflow: Overflow) -> Budget {
    match overflow {
        Overflow::Backpressure => Budget::new(HIGH_WATER, LOW_WATER),
        Overflow::LeaveOut => Budget::new(LEAVES_OUT, GOES_ON),
    }
}

#[cfg(test)]
mod tests;
