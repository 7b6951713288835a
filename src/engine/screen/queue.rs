//! The queue: bytes that wait to be shown, and their speakers.
//!
//! At a terminal it is lines, each a label, [`LINE`] or [`REST`], text and a line feed. Where it
//! becomes too much, the oldest lines of the speakers that have more waiting than their share are
//! left out; a flood does not cost a speaker anything that said little.
//!
//! ```text
//!   runs:   1        2  1              3  1
//!   bytes:  ────────·──·──────────────·──·────────►   front: to the terminal
//!           left out: the oldest of 1, until 1 has no more than what 2 and 3 leave
//! ```
//!
//! It promises: the lines that are left of a speaker are its latest, in order; a row that was begun
//! is ended, and every other begins with its label; to leave something out costs about what there
//! is to look at, and so, if half of it goes, no more than to put it in.

use std::collections::HashMap;
use std::collections::VecDeque;

use memchr::memchr;
use memchr::memchr2;
use memchr::memrchr;

use crate::engine::rows::LINE;
use crate::engine::rows::REST;

/// Capacity above which an emptied queue gives its memory back: more than a read and what makes a screen
/// full come to, so that a busy one allocates nothing; and what is left of it then.
const KEPT: usize = 1024 * 1024;
const SHRUNK: usize = 64 * 1024;

/// So many bytes of one speaker in a row, whole lines but for the first and the last.
#[derive(Debug, Clone, Copy)]
struct Run {
    speaker: u32,
    len: usize,
}

/// Bytes of memory that a run takes.
const RUN: usize = size_of::<Run>();

/// The line of which a part was taken already, and the rest is at the front.
#[derive(Debug, Default)]
struct Begun {
    label: Vec<u8>,
    /// All of its label was taken.
    is_text: bool,
    /// It is the rest of a line.
    is_rest: bool,
}

/// What is to be left out of a speaker's lines.
#[derive(Debug, Default, Clone, Copy)]
struct Share {
    /// Its bytes that were not looked at yet.
    bytes: usize,
    /// How much of it is too much, with its runs.
    excess: usize,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: VecDeque<u8>,
    /// Of lines at a terminal; a stream has none.
    runs: VecDeque<Run>,
    begun: Option<Begun>,
}

impl Queue {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of memory that what waits takes.
    pub(super) fn held(&self) -> usize {
        self.bytes.len() + self.runs.len() * RUN
    }

    /// Adds bytes for a stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Adds bytes of a speaker for a terminal, in lines.
    pub(super) fn push_of(&mut self, speaker: u32, bytes: &[u8]) {
        self.bytes.extend(bytes);
        match self.runs.back_mut() {
            Some(run) if run.speaker == speaker => run.len += bytes.len(),
            _ => self.runs.push_back(Run {
                speaker,
                len: bytes.len(),
            }),
        }
    }

    /// What is first, not always all of it.
    pub(super) fn front(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    /// The first whole lines, of about `most` bytes, if there are any.
    pub(super) fn front_lines(&mut self, most: usize) -> &[u8] {
        let bytes = &*self.bytes.make_contiguous();
        let end = match memrchr(b'\n', &bytes[..bytes.len().min(most)]) {
            Some(lf) => lf + 1,
            None => memchr(b'\n', bytes).map_or(bytes.len(), |lf| lf + 1),
        };
        &bytes[..end]
    }

    /// Takes `count` bytes off the front.
    pub(super) fn consume(&mut self, count: usize) {
        if !self.runs.is_empty() {
            self.note_taken(count);
        }
        self.bytes.drain(..count);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes.shrink_to(SHRUNK);
            self.runs.shrink_to(0);
        }
    }

    /// The first `count` bytes of lines are taken.
    fn note_taken(&mut self, count: usize) {
        let taken = &self.bytes.make_contiguous()[..count];
        let rest = match memrchr(b'\n', taken) {
            Some(lf) => {
                self.begun = None;
                &taken[lf + 1..]
            }
            None => taken,
        };
        if !rest.is_empty() {
            let begun = self.begun.get_or_insert_default();
            if !begun.is_text {
                let end = end_of_label(rest);
                begun.label.extend(&rest[..end.unwrap_or(rest.len())]);
                begun.is_text = end.is_some();
                begun.is_rest = end.is_some_and(|end| rest[end] == REST);
            }
        }
        let mut left = count;
        while let Some(run) = self.runs.front_mut().filter(|_| left > 0) {
            let of_run = run.len.min(left);
            run.len -= of_run;
            left -= of_run;
            if run.len == 0 {
                self.runs.pop_front();
            }
        }
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        *self = Queue::default();
    }

    /// Leaves lines out until about `keep` bytes are held, and returns of how many: the oldest of those
    /// speakers that have more than their share. Of what a speaker said last the latest part is kept, also of a line
    /// without an end.
    #[cold]
    pub(super) fn leave_out(&mut self, keep: usize) -> u64 {
        let mut shares = self.shares(keep);
        let mut kept = Kept::default();
        let mut begun = self.begun.as_ref();
        let mut rest = &*self.bytes.make_contiguous();
        for run in &self.runs {
            let (mut lines, after) = rest.split_at(run.len);
            rest = after;
            let share = shares.entry(run.speaker).or_default();
            let before = kept.bytes.len();
            while share.excess > 0 && !lines.is_empty() {
                let end = memchr(b'\n', lines).map_or(lines.len(), |lf| lf + 1);
                let (line, after) = lines.split_at(end);
                lines = after;
                share.bytes -= line.len();
                kept.shorten(line, begun.take(), share);
            }
            if !lines.is_empty() {
                begun = None;
                share.bytes -= lines.len();
                kept.bytes.extend(lines);
            }
            let len = kept.bytes.len() - before;
            match len {
                0 => share.excess = share.excess.saturating_sub(RUN),
                _ => kept.runs.push_back(Run { len, ..*run }),
            }
        }
        self.bytes = kept.bytes.into();
        self.runs = kept.runs;
        kept.left_out
    }

    /// What is too much of each speaker, if `keep` bytes are to be held of all.
    fn shares(&self, keep: usize) -> HashMap<u32, Share> {
        let mut shares: HashMap<u32, Share> = HashMap::new();
        for run in &self.runs {
            let share = shares.entry(run.speaker).or_default();
            share.bytes += run.len;
            share.excess += run.len + RUN;
        }
        let mut sizes: Vec<usize> = shares.values().map(|share| share.excess).collect();
        sizes.sort_unstable();
        // A speaker that has less than an equal share leaves the rest of it to the others.
        let (mut left, mut others) = (keep, sizes.len());
        let mut fair = usize::MAX;
        for size in sizes {
            if size > left / others {
                fair = left / others;
                break;
            }
            left -= size;
            others -= 1;
        }
        for share in shares.values_mut() {
            share.excess = share.excess.saturating_sub(fair);
        }
        shares
    }
}

/// What is kept when lines are left out.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    runs: VecDeque<Run>,
    /// Lines of which something was left out.
    left_out: u64,
}

impl Kept {
    /// Keeps of a line its latest part if it is the last of a speaker, and nothing if it is not.
    fn shorten(&mut self, line: &[u8], begun: Option<&Begun>, share: &mut Share) {
        let is_text = begun.is_some_and(|begun| begun.is_text);
        // Not yet taken of the label, or of the character that the terminal has a part of.
        let (head, text) = line.split_at(match is_text {
            true => end_of_char(line, 0),
            false => end_of_label(line).map_or(line.len(), |end| end + 1),
        });
        // The missing rest of a line was counted before; and a line of which only the end was left
        // lacks nothing.
        let is_rest =
            begun.is_some_and(|begun| begun.is_rest) || (!is_text && head.ends_with(&[REST]));
        let is_whole = begun.is_some() && text == b"\n";
        self.left_out += u64::from(!is_rest && !is_whole);
        if begun.is_some() {
            // The row that was begun is ended.
            self.bytes.extend(head);
            self.bytes.push(b'\n');
        }
        let is_ended = text.last() == Some(&b'\n');
        let most = text.len() - usize::from(is_ended);
        let is_last = share.bytes == 0;
        if is_ended && !(is_last && share.excess < most) {
            share.excess = share.excess.saturating_sub(line.len());
            return;
        }
        if let Some(begun) = begun {
            self.bytes.extend(&begun.label);
        }
        if let [label @ .., _] = head
            && !is_text
        {
            self.bytes.extend(label);
        }
        self.bytes.push(REST);
        self.bytes
            .extend(&text[end_of_char(text, share.excess.min(most))..]);
        share.excess = 0;
    }
}

/// Where in a line its label ends.
fn end_of_label(line: &[u8]) -> Option<usize> {
    memchr2(LINE, REST, line)
}

/// `at`, or the next place that is in no character.
fn end_of_char(text: &[u8], at: usize) -> usize {
    let is_inside = |&at: &usize| text.get(at).is_some_and(|&byte| byte & 0xc0 == 0x80);
    (at..text.len())
        .find(|at| !is_inside(at))
        .unwrap_or(text.len())
}
