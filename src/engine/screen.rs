//! The screen: what the operator is shown, waiting for a stdout that may be slow or stuck.
//!
//! A bounded queue between the peers and stdout. Someone who cannot see everything in time must
//! either hold the peers back (a pipe or file, which lose nothing) or miss something (a terminal
//! while lines are relayed: the class goes on, and the operator is told how many lines are gone).
//!
//! It promises: at most [`HIGH_WATER`] bytes are kept, and what the last read became, of which no more is
//! to be read than [fits](Screen::fits); on a stream not a byte is
//! added, changed or lost; on a terminal no two speakers share a line, every line begins with its
//! speaker's label if there are labels, and nothing anybody says can act on the terminal or forge
//! a label.

use std::collections::VecDeque;

use memchr::memchr;
use memchr::memchr_iter;
use memchr::memchr2;
use memchr::memrchr;

use crate::engine::budget::Budget;
use crate::engine::escape::Escaper;
use crate::engine::record::head;
use crate::engine::rows::LINE;
use crate::engine::rows::REST;

/// Bytes waiting from which on the screen is full.
pub const HIGH_WATER: usize = 64 * 1024;

/// Bytes waiting below which a full screen takes more again.
pub const LOW_WATER: usize = 16 * 1024;

/// Capacity above which an emptied queue gives its memory back: more than a read and the high-water
/// mark come to, so that a busy screen allocates nothing.
const KEPT: usize = 1024 * 1024;

/// Bytes of records waiting from which on more of them are dropped.
const MOST_RECORDED: usize = 1024 * 1024;

/// Bytes for a terminal that are made fit for it at a time.
const PIECE: usize = 4 * 1024;

/// What the label of a line and its end take besides the name in it: the marks that make it bold and
/// coloured, brackets, a blank, the frame.
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
    /// Somebody's eyes: a line belongs to one speaker, and what would act is shown instead.
    Terminal,
    /// The same for somebody who wants the bytes as they are, whatever they do.
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
    /// Report being full; whoever feeds the screen stops until it drains.
    Backpressure,
    /// Drop the oldest lines and count them.
    DropOldest,
}

/// Where in a line of a terminal something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Start,
    Label,
    Text,
}

/// The queue in front of stdout. See the module's documentation.
#[derive(Debug)]
pub struct Screen {
    queue: VecDeque<u8>,
    surface: Surface,
    overflow: Overflow,
    /// What the queue holds.
    budget: Budget,
    closed: bool,
    /// What is shown is a record of what is said, not what is said: what makes the heads of its lines
    /// bold at a terminal, and what ends that.
    recorded: Option<(&'static str, &'static str)>,
    /// Who wrote last, and whether in the middle of a line.
    speaker: Option<u32>,
    midline: bool,
    /// Whoever wrote last will not go on with that line.
    abandoned: bool,
    /// What of the speaker's bytes is not complete enough to be shown.
    escaper: Escaper,
    text: String,
    /// What the line began with that was begun last, at a terminal.
    label: String,
    /// How far the line is whose rest is at the head of the queue.
    head: Head,
    dropped: u64,
}

impl Screen {
    /// An empty screen.
    pub fn new(surface: Surface, overflow: Overflow) -> Screen {
        Screen {
            queue: VecDeque::new(),
            surface,
            overflow,
            budget: Budget::new(HIGH_WATER, LOW_WATER),
            closed: false,
            recorded: None,
            speaker: None,
            midline: false,
            abandoned: false,
            escaper: Escaper::default(),
            text: String::new(),
            label: String::new(),
            head: Head::Start,
            dropped: 0,
        }
    }

    /// Queues `bytes` of `speaker`; on a terminal each of its lines begins with `label`.
    pub fn show(&mut self, speaker: u32, label: &str, bytes: &[u8]) {
        if !self.closed && self.recorded.is_none() && !bytes.is_empty() {
            self.queue_up(speaker, label, bytes);
        }
    }

    /// A speaker will not go on with a line that it began: on a stream another one does not, either.
    pub fn abandon(&mut self, speaker: u32) {
        self.abandoned |= self.midline && self.speaker == Some(speaker);
    }

    /// Shows nothing but [`Screen::record`]s from now on, at a terminal with what no peer says between
    /// these `marks`.
    pub fn show_records(&mut self, marks: (&'static str, &'static str)) {
        self.recorded = Some(marks);
    }

    /// Queues a record of what was said, whole lines. Those who speak wait for a screen that is full, but not
    /// everything that is recorded does: what is far beyond that is dropped and counted.
    pub fn record(&mut self, text: &[u8]) {
        if self.closed || text.is_empty() {
            return;
        }
        if self.queue.len() > MOST_RECORDED {
            self.dropped += memchr_iter(b'\n', text).count() as u64;
            return;
        }
        if self.surface.is_stream() {
            return self.queue_up(RECORDER, "", text);
        }
        let (on, off) = self.recorded.unwrap_or_default();
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let (known, said) = line.split_at(head::length(line));
            let known = String::from_utf8_lossy(known);
            self.queue_up(RECORDER, &format!("{on}{known}{off}"), said);
        }
    }

    fn queue_up(&mut self, speaker: u32, label: &str, bytes: &[u8]) {
        if self.surface.is_stream() {
            let other = self.speaker.replace(speaker) != Some(speaker);
            let abandoned = std::mem::take(&mut self.abandoned);
            if self.midline && abandoned && other && self.surface == Surface::Stream {
                self.push(b"\n");
            }
            self.push(bytes);
            self.drop_excess();
        } else {
            for piece in bytes.chunks(PIECE) {
                self.show_lines(speaker, label, piece);
                self.drop_excess();
            }
        }
        self.check();
    }

    #[inline]
    fn drop_excess(&mut self) {
        if self.overflow == Overflow::DropOldest && self.queue.len() >= HIGH_WATER {
            self.drop_oldest();
        }
    }

    /// How many bytes of a speaker may be read so that what they become fits, if its name has so many:
    /// at a terminal each may be a line of its own, with a label.
    pub fn fits(&self, name: usize) -> usize {
        let each = LABEL + name;
        match (
            self.surface.is_stream() || self.closed || self.recorded.is_some(),
            self.overflow,
        ) {
            (true, _) => usize::MAX,
            (false, Overflow::Backpressure) => self.budget.fits(each),
            (false, Overflow::DropOldest) => HIGH_WATER / each,
        }
    }

    /// How much of what is shown byte by byte, or of records, still fits.
    pub fn left(&self) -> usize {
        match self.closed {
            true => usize::MAX,
            false => self.budget.left(),
        }
    }

    /// What holds of the queue, in debug builds.
    fn check(&self) {
        self.budget.check(self.queue.len());
    }

    fn show_lines(&mut self, speaker: u32, label: &str, bytes: &[u8]) {
        let mut text = std::mem::take(&mut self.text);
        if self.midline && self.speaker != Some(speaker) {
            self.escaper.finish(&mut text);
            text.push('\n');
            self.push(text.as_bytes());
            text.clear();
        }
        self.speaker = Some(speaker);
        let shown = if self.surface == Surface::Terminal {
            self.escaper.escape(bytes, &mut text);
            text.as_bytes()
        } else {
            bytes
        };
        for line in shown.split_inclusive(|&byte| byte == b'\n') {
            if !self.midline {
                self.begin_line(label);
            }
            self.push(line);
        }
        if !self.midline && bytes.last() != Some(&b'\n') {
            // What is held of the new line belongs to this speaker, though nothing of it shows.
            self.begin_line(label);
        }
        text.clear();
        self.text = text;
    }

    fn begin_line(&mut self, label: &str) {
        self.label.clear();
        self.label.push_str(label);
        self.queue.extend(label.as_bytes());
        self.queue.push_back(LINE);
        self.budget.draw(label.len() + 1);
        self.midline = true;
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.queue.extend(bytes);
            self.budget.draw(bytes.len());
            self.midline = last != b'\n';
        }
    }

    /// The bytes to write next; empty when everything is written. At a terminal they are for
    /// [`Rows::show`](crate::engine::rows::Rows::show).
    pub fn front(&self) -> &[u8] {
        self.queue.as_slices().0
    }

    /// Of what [`Screen::front`] would give, whole lines of about `most` bytes if there are any.
    pub fn front_lines(&mut self, most: usize) -> &[u8] {
        let bytes = &*self.queue.make_contiguous();
        let end = match memrchr(b'\n', &bytes[..bytes.len().min(most)]) {
            Some(lf) => lf + 1,
            None => memchr(b'\n', bytes).map_or(bytes.len(), |lf| lf + 1),
        };
        &bytes[..end]
    }

    /// Takes `count` bytes away that were written, at most what [`Screen::front`] gave.
    pub fn consume(&mut self, count: usize) {
        if !self.surface.is_stream() {
            self.head = self.head_after(count);
        }
        self.queue.drain(..count);
        self.budget.give_back(count);
        self.check();
        if self.queue.is_empty() && self.queue.capacity() > KEPT {
            self.queue.shrink_to(HIGH_WATER);
        }
    }

    /// Whether whoever feeds the screen should wait. Once full, until [`LOW_WATER`] is reached.
    pub fn is_full(&self) -> bool {
        self.overflow == Overflow::Backpressure && self.budget.is_spent()
    }

    /// Does something else from now on when stdout does not keep up.
    pub fn set_overflow(&mut self, overflow: Overflow) {
        self.overflow = overflow;
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

    /// Nobody will read any more: forgets what waits and whatever comes.
    pub fn close(&mut self) {
        self.queue = VecDeque::new();
        self.budget.clear();
        self.closed = true;
    }

    /// Lines dropped and not yet told of; zero while there still are more lines waiting than fit.
    pub fn take_dropped(&mut self) -> u64 {
        if self.queue.len() > LOW_WATER {
            return 0;
        }
        std::mem::take(&mut self.dropped)
    }

    /// Where the head of the queue is when `count` bytes more are taken.
    fn head_after(&mut self, count: usize) -> Head {
        let taken = &self.queue.make_contiguous()[..count];
        let (before, rest) = match memrchr(b'\n', taken) {
            Some(lf) => (Head::Start, &taken[lf + 1..]),
            None => (self.head, taken),
        };
        match (before, rest) {
            (Head::Text, _) | (_, []) => before,
            _ if memchr2(LINE, REST, rest).is_some() => Head::Text,
            _ => Head::Label,
        }
    }

    /// Drops the oldest lines until half of [`HIGH_WATER`] is left; the line being written keeps
    /// what it has. What is left begins with a label: also an endless line, whose latest part stands
    /// for it.
    #[cold]
    fn drop_oldest(&mut self) {
        let head = self.head;
        let bytes = self.queue.make_contiguous();
        let end_of_line = |from: usize| memchr(b'\n', &bytes[from..]).map(|lf| from + lf + 1);
        let end_of_label = |from: usize| {
            let end = memchr2(LINE, REST, &bytes[from..]);
            end.map_or(bytes.len(), |end| from + end + 1)
        };
        // Where what is being written comes to an end: after its line, or in it if that is endless.
        let start = match (head, end_of_line(0)) {
            (Head::Start, _) => 0,
            (_, Some(end)) => end,
            (Head::Label, None) => end_of_label(0),
            (Head::Text, None) => end_of_char(bytes, 0),
        };
        let least = start.max(bytes.len() - HIGH_WATER / 2);
        let end = end_of_line(least).filter(|&end| end < bytes.len());
        let end = end.map_or_else(
            || {
                let line = memrchr(b'\n', &bytes[..least]).map_or(0, |lf| lf + 1);
                let text = match line == 0 && head == Head::Text {
                    true => 0,
                    false => end_of_label(line),
                };
                Err(end_of_char(bytes, least.max(text)))
            },
            Ok,
        );
        let (Ok(cut) | Err(cut)) = end;
        let dropped = &bytes[start..cut];
        let lines = memchr_iter(b'\n', dropped).count();
        self.dropped += lines as u64 + u64::from(dropped.last().is_some_and(|&b| b != b'\n'));
        let is_midline = head == Head::Text && start == 0 || start > 0 && bytes[start - 1] != b'\n';
        let rest = self.queue.split_off(cut);
        self.queue.truncate(start);
        if end.is_err() {
            if is_midline {
                self.queue.push_back(b'\n');
            }
            self.queue.extend(self.label.as_bytes());
            self.queue.push_back(REST);
        }
        self.queue.extend(rest);
        self.budget.clear();
        self.budget.draw(self.queue.len());
    }
}

/// `at`, or the next place that is in no character.
fn end_of_char(text: &[u8], at: usize) -> usize {
    let is_inside = |&at: &usize| text.get(at).is_some_and(|&byte| byte & 0xc0 == 0x80);
    (at..text.len())
        .find(|at| !is_inside(at))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rows::Rows;

    fn drain(screen: &mut Screen) -> Vec<u8> {
        let mut written = Vec::new();
        while !screen.is_empty() {
            let front = screen.front().to_vec();
            written.extend_from_slice(&front);
            screen.consume(front.len());
        }
        written
    }

    /// What of it is on a terminal that shows no bold.
    fn shown(framed: &[u8]) -> String {
        let mut rows = Rows::default();
        rows.show(framed);
        String::from_utf8(rows.front().to_vec()).unwrap()
    }

    fn drain_rows(screen: &mut Screen) -> String {
        shown(&drain(screen))
    }

    #[test]
    fn two_answers_without_an_end_do_not_become_one() {
        for (surface, expected) in [
            (Surface::Stream, &b"42\n43"[..]),
            (Surface::RawStream, &b"4243"[..]),
        ] {
            let mut screen = Screen::new(surface, Overflow::Backpressure);
            screen.show(1, "", b"4");
            screen.show(1, "", b"2");
            screen.abandon(1);
            screen.show(2, "", b"43");
            screen.abandon(2);
            assert_eq!(drain(&mut screen), expected);
        }
        // What was ended needs no other end, and who goes on, goes on.
        let mut screen = Screen::new(Surface::Stream, Overflow::Backpressure);
        screen.show(1, "", b"one\n");
        screen.abandon(1);
        screen.show(2, "", b"tw");
        screen.show(2, "", b"o\n");
        assert_eq!(drain(&mut screen), b"one\ntwo\n");
    }

    #[test]
    fn a_stream_gets_exactly_what_was_said() {
        let mut screen = Screen::new(Surface::Stream, Overflow::Backpressure);
        screen.show(1, "", b"half");
        screen.show(2, "", b"other\n");
        assert_eq!(drain(&mut screen), b"halfother\n");
    }

    #[test]
    fn on_a_terminal_nobody_continues_anothers_line() {
        let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
        screen.show(1, "", b"ha");
        screen.show(1, "", b"lf");
        screen.show(2, "", b"other\n");
        screen.show(1, "", b"more\n");
        assert_eq!(drain_rows(&mut screen), "half\nother\nmore\n");
    }

    #[test]
    fn every_line_has_its_label_and_none_can_be_forged() {
        let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
        screen.show(1, "[1] ", b"one\ntwo\n\r[2] forged\n");
        screen.show(2, "[2] ", b"un");
        screen.show(2, "[2] ", b"finished \xe2\x98");
        screen.show(1, "[1] ", b"\x1b[2Jthree\n");
        assert_eq!(
            drain_rows(&mut screen),
            "[1] one\n[1] two\n[1] ^M[2] forged\n[2] unfinished \u{fffd}\n[1] ^[[2Jthree\n"
        );
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
        for byte in "[\u{2603}]\r\n".as_bytes() {
            screen.show(1, "", &[*byte]);
        }
        assert_eq!(drain_rows(&mut screen), "[\u{2603}]\n");
    }

    #[test]
    fn what_is_held_of_one_speaker_is_never_anothers() {
        for (held, shown) in [(&b"one\n\r"[..], "^M"), (b"one\n\xe2\x98", "\u{fffd}")] {
            let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
            screen.show(1, "[1] ", held);
            screen.show(2, "[2] ", b"\x83\ntwo\n");
            assert_eq!(
                drain_rows(&mut screen),
                format!("[1] one\n[1] {shown}\n[2] \u{fffd}\n[2] two\n")
            );
        }
    }

    #[test]
    fn a_raw_terminal_gets_the_bytes_and_whole_lines() {
        let mut screen = Screen::new(Surface::RawTerminal, Overflow::Backpressure);
        screen.show(1, "", b"\x1b[1mbold\xff");
        screen.show(2, "", b"other\n");
        let mut rows = Rows::default();
        rows.show(&drain(&mut screen));
        assert_eq!(rows.front(), b"\x1b[1mbold\xff\nother\n");
    }

    #[test]
    fn full_holds_until_low_water() {
        let mut screen = Screen::new(Surface::Stream, Overflow::Backpressure);
        screen.show(1, "", &[b'x'; HIGH_WATER]);
        assert!(screen.is_full());
        screen.consume(HIGH_WATER - LOW_WATER - 1);
        assert!(screen.is_full());
        screen.consume(1);
        assert!(!screen.is_full());
    }

    #[test]
    fn drops_whole_lines_oldest_first_and_counts_them() {
        let mut screen = Screen::new(Surface::Terminal, Overflow::DropOldest);
        let lines = 20_000;
        let mut taken = Vec::new();
        for i in 0..lines {
            screen.show(1, "", format!("line {i}\n").as_bytes());
            if i == 100 {
                // Somebody was reading, and stopped in the middle of the first line.
                taken = screen.front()[..3].to_vec();
                screen.consume(3);
            }
        }
        assert!(!screen.is_full());
        assert!(screen.queue.len() < HIGH_WATER);
        assert_eq!(screen.take_dropped(), 0, "told before the screen goes on");
        taken.extend(drain(&mut screen));
        let shown = shown(&taken);
        let shown: Vec<&str> = shown.lines().collect();
        let dropped = screen.take_dropped();
        assert_eq!(dropped + shown.len() as u64, lines);
        assert_eq!(shown[0], "line 0");
        assert_eq!(shown[1], format!("line {}", dropped + 1));
        assert_eq!(*shown.last().unwrap(), format!("line {}", lines - 1));
        assert_eq!(screen.take_dropped(), 0, "told once");
    }

    #[test]
    fn an_endless_line_does_not_grow_a_dropping_screen() {
        for start in [0, 1] {
            let mut screen = Screen::new(Surface::Terminal, Overflow::DropOldest);
            for _ in 0..100 {
                screen.show(1, "", &[b'x'; 10_000]);
                screen.consume(start);
                assert!(screen.queue.len() < HIGH_WATER);
            }
            assert!(screen.queue.len() > HIGH_WATER / 2 - 100, "its latest part");
        }
    }

    /// Wherever the cut is, also in a label or in a character, and however much of the line was taken.
    #[test]
    fn what_is_left_of_an_endless_line_begins_with_its_label() {
        for (taken, size) in [
            (0, 9_999),
            (1, 10_000),
            (3, 10_001),
            (5, 9_998),
            (9, 10_002),
        ] {
            let mut screen = Screen::new(Surface::Terminal, Overflow::DropOldest);
            screen.show(2, "[2] ", b"before\n");
            screen.consume(screen.front().len());
            let piece = "\u{65e5}".repeat(size / 3);
            screen.show(1, "[1] ", piece.as_bytes());
            let mut written = screen.front()[..taken].to_vec();
            screen.consume(taken);
            for _ in 0..20 {
                screen.show(1, "[1] ", piece.as_bytes());
            }
            screen.show(1, "[1] ", b"end\n");
            assert!(screen.dropped > 0);
            written.extend(drain(&mut screen));
            let rows = shown(&written);
            let rows: Vec<&str> = rows.lines().collect();
            assert!(
                rows.last().unwrap().starts_with("[1] ... \u{65e5}"),
                "{taken}"
            );
            assert!(rows.iter().all(|row| row.starts_with("[1] ")), "{taken}");
            assert!(rows.last().unwrap().ends_with("\u{65e5}end"));
        }
    }

    #[test]
    fn a_pipe_that_wants_the_bytes_as_they_are_loses_none() {
        let mut screen = Screen::new(Surface::RawStream, Overflow::Backpressure);
        screen.show(1, "[1] ", b"a\x1fb\x1ec");
        assert_eq!(drain(&mut screen), b"a\x1fb\x1ec");
    }

    #[test]
    fn a_closed_screen_keeps_nothing() {
        let mut screen = Screen::new(Surface::Stream, Overflow::Backpressure);
        screen.show(1, "", &[b'x'; HIGH_WATER]);
        screen.close();
        screen.show(1, "", b"more");
        assert!(screen.is_empty() && !screen.is_full());
    }
}
