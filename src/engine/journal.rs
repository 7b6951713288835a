//! The journal: everything that was said, once, and where each peer stands in it.
//!
//! Everybody's stream is the same log, so a broadcast copies its bytes once whatever the number of
//! peers. A peer is a [`Cursor`]: an absolute offset, and a short queue of *edits* for the places
//! where its own stream differs from everybody's (its own relayed lines are left out, a reply to it
//! alone is put in). The log is kept in segments that never move; a segment counts the cursors
//! standing in it, and the oldest is freed as soon as that count is zero.
//!
//! ```text
//!   segment 7            segment 8            segment 9 (tail)
//!  [xxxxxxxxxxxxxxxxxx] [xxxxxxxxxxxxxxxxxx] [xxxxxxx...........]
//!         ^ slow: 1      nobody: 0                   ^ end: 29 cursors
//! ```
//!
//! A newcomer may begin in the past: with [`Journal::keep_history`] the last lines stay although no
//! cursor stands in them any more, and a new cursor stands before them.
//!
//! It promises: [`Journal::append`] costs one copy and nothing per peer; every other operation is
//! O(1) in peers and in bytes (but for joining with a history, which is searched for its lines); no
//! byte of a cursor's stream is lost, repeated or reordered (proved against one plain buffer per peer
//! in this file's tests); no segment is kept that no cursor, and no history, needs (checked by every
//! change in a debug build).

mod trail;

use std::collections::VecDeque;
use std::io::IoSlice;

use memchr::memrchr_iter;

use self::trail::Trail;
use self::trail::Trails;
use super::aligned::AlignedBuffer;

/// Size of one segment in bytes. A flush hands the kernel whole segments, so this is also the size
/// of a large slice in a gathered write.
pub const SEGMENT: usize = 64 * 1024;

/// Bytes of the past that are kept for latecomers at most. A cursor may be counted one segment too
/// much (see [`Journal::retained`]); even so a latecomer stays below the mark from which a peer counts
/// as slow.
pub const HISTORY: u64 = 3 * SEGMENT as u64;

/// Slices in one gathered write. Sixteen segments are 1 MiB, more than a socket takes at once, and
/// far below the kernel's `IOV_MAX` of 1024.
pub const GATHER: usize = 16;

/// Freed segments kept for reuse: as many as one read of the hub fills (512 KiB), and the tail. The
/// kernel clears each page that a process gets anew: memory that is freed and allocated in every
/// turn would cost that in every turn.
const SPARES: usize = 9;

/// The offset of a cursor that was [released](Journal::release): it stands nowhere in the log.
const RELEASED: u64 = u64::MAX;

/// Insertions at one place are put into one edit until it has so many bytes: each edit is a slice
/// of a gathered write, however few its bytes are.
const INSERT: usize = 4096;

/// Capacity above which an emptied edit queue gives its memory back.
const EDITS_KEPT: usize = 8;

/// The shared log. See the module's documentation.
#[derive(Debug)]
pub struct Journal {
    /// The segments that are full.
    full: VecDeque<Segment>,
    /// The segment behind the full ones, in which `end` is. It gets its memory with its first byte.
    tail: Segment,
    /// How many segments were freed before the first that is kept.
    freed: u64,
    /// The number of the first segment in which a cursor stands, or of the tail if none does. The
    /// segments before it are history.
    oldest: u64,
    /// How many lines of the past a new cursor begins with.
    history: usize,
    /// Whether the past is kept for members that return to a [`Bookmark`].
    keeps_past: bool,
    /// Parts of the history that are left out for newcomers, each as its start and end.
    fleeting: VecDeque<(u64, u64)>,
    /// Bytes appended since the beginning.
    end: u64,
    spares: Vec<AlignedBuffer>,
    /// How many edits are in the queues of all cursors, and how many bytes they still insert.
    edits: usize,
    inserted: u64,
    /// What cursors remember of those that they have passed.
    trails: Trails,
}

/// One peer's place in the journal, made by [`Journal::join`] and given back to
/// [`Journal::leave`].
#[derive(Debug)]
pub struct Cursor {
    at: u64,
    /// Allocated by the first edit, so that a peer that never speaks costs 16 bytes here.
    edits: Option<Box<Edits>>,
}

#[derive(Debug, Default)]
struct Segment {
    /// Empty until the first byte is appended, then `SEGMENT` long. Most writes begin at its start.
    bytes: AlignedBuffer,
    /// How many cursors stand in it.
    cursors: u32,
    /// How many of its bytes are of a stream, on which no person waits.
    bulk: u32,
}

#[derive(Debug, Default)]
struct Edits {
    queue: VecDeque<Edit>,
    /// How many bytes the whole queue still inserts, and how many it still skips.
    inserted: u64,
    skipped: u64,
    /// Bytes of the first edit's insertion that were already taken.
    taken: usize,
    /// The edits before the queue, of a cursor that is [remembered](Journal::remember).
    trail: Option<Box<Trail>>,
    /// Where a remembered cursor stood when it was released.
    stood: Option<Box<Bookmark>>,
}

/// Where a cursor stood, of which nothing is kept in the journal: see [`Journal::bookmark`].
#[derive(Debug, Clone)]
pub struct Bookmark {
    at: u64,
    queue: VecDeque<Edit>,
    taken: usize,
    trail: Box<Trail>,
}

#[derive(Debug, Clone)]
enum Edit {
    Skip { at: u64, len: u64 },
    Insert { at: u64, bytes: Vec<u8> },
}

impl Default for Journal {
    fn default() -> Journal {
        Journal::new()
    }
}

impl Journal {
    /// An empty journal. It takes its first segment with its first byte.
    pub fn new() -> Journal {
        Journal {
            full: VecDeque::new(),
            tail: Segment::default(),
            freed: 0,
            oldest: 0,
            history: 0,
            keeps_past: false,
            fleeting: VecDeque::new(),
            end: 0,
            spares: Vec::new(),
            edits: 0,
            inserted: 0,
            trails: Trails::default(),
        }
    }

    /// Keeps the last `lines` lines for newcomers, as far as [`HISTORY`] goes.
    pub fn keep_history(&mut self, lines: usize) {
        self.history = lines;
    }

    /// Keeps the history, as far as [`HISTORY`] goes, for members that come back to a [`Bookmark`].
    pub fn keep_past(&mut self) {
        self.keeps_past = true;
    }

    /// Remembers from now on where this cursor's stream differs from the log, so that another cursor
    /// can go back in it.
    pub fn remember(&mut self, cursor: &mut Cursor) {
        if cursor.at == RELEASED {
            return;
        }
        let from = cursor.at;
        cursor.edits.get_or_insert_default().trail = Some(Box::new(Trail::new(from)));
    }

    /// Where a [remembered](Journal::remember) cursor stands, or stood when it was released, so that
    /// another cursor can go on there. A bookmark keeps no bytes of the log: only those of the
    /// history are still there when its cursor is gone.
    pub fn bookmark(&self, cursor: &Cursor) -> Option<Bookmark> {
        let edits = cursor.edits.as_ref()?;
        if cursor.at == RELEASED {
            return edits.stood.as_deref().cloned();
        }
        Some(Bookmark {
            at: cursor.at,
            queue: edits.queue.clone(),
            taken: edits.taken,
            trail: edits.trail.clone()?,
        })
    }

    /// A new cursor, remembered in its turn, whose stream goes on `back` bytes before a bookmark. None:
    /// not all of these bytes are kept.
    pub fn go_on(&mut self, bookmark: Bookmark, back: u64) -> Option<Cursor> {
        let Bookmark {
            mut at,
            mut queue,
            mut taken,
            mut trail,
        } = bookmark;
        // The part of an insertion that was taken comes first.
        let mut left = back.saturating_sub(taken as u64);
        taken -= (back - left) as usize;
        loop {
            let plain = at - trail.end();
            if left <= plain {
                at -= left;
                break;
            }
            left -= plain;
            let edit = trail.pop_back()?;
            at = edit.start();
            let inserted = edit.inserted() as u64;
            queue.push_front(edit);
            if left < inserted {
                taken = (inserted - left) as usize;
                break;
            }
            left -= inserted;
        }
        if at < self.freed * SEGMENT as u64 {
            return None;
        }
        let all = queue.iter().map(Edit::inserted).sum::<usize>();
        let inserted = (all - taken) as u64;
        let skipped = queue.iter().map(|edit| edit.end() - edit.start()).sum();
        self.segment_mut(at).cursors += 1;
        self.oldest = self.oldest.min(at / SEGMENT as u64);
        self.edits += queue.len();
        self.inserted += inserted;
        self.trails.add(&trail);
        let cursor = Cursor {
            at,
            edits: Some(Box::new(Edits {
                queue,
                inserted,
                skipped,
                taken,
                trail: Some(trail),
                stood: None,
            })),
        };
        self.check();
        self.check_cursor(&cursor);
        Some(cursor)
    }

    /// Whether there is a history to be kept.
    pub fn keeps_history(&self) -> bool {
        self.history > 0
    }

    /// Whether appended bytes are kept although no member is here: for one that joins or returns.
    pub fn keeps_more(&self) -> bool {
        self.keeps_history() || self.keeps_past
    }

    /// Whether the history is kept for members that come back.
    pub fn keeps_past(&self) -> bool {
        self.keeps_past
    }

    /// A new cursor at the present: its stream begins with the next byte appended, or with the
    /// history if one is kept.
    pub fn join(&mut self) -> Cursor {
        let at = self.past();
        self.segment_mut(at).cursors += 1;
        self.oldest = self.oldest.min(at / SEGMENT as u64);
        self.check();
        let mut cursor = Cursor { at, edits: None };
        for &(start, end) in self.fleeting.iter().filter(|(_, end)| *end > at) {
            let start = start.max(at);
            let edits = cursor.edits.get_or_insert_default();
            let len = end - start;
            edits.skipped += len;
            edits.queue.push_back(Edit::Skip { at: start, len });
            self.edits += 1;
        }
        cursor
    }

    /// Where a cursor stands: so many bytes after the beginning.
    pub fn place(&self, cursor: &Cursor) -> u64 {
        cursor.at.min(self.end)
    }

    /// Puts `bytes` into the stream of a cursor that was just made, before everything else in it.
    pub fn insert_first(&mut self, cursor: &mut Cursor, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let edits = cursor.edits.get_or_insert_default();
        debug_assert!(edits.taken == 0, "something was taken already");
        edits.inserted += bytes.len() as u64;
        self.edits += 1;
        self.inserted += bytes.len() as u64;
        edits.queue.push_front(Edit::Insert {
            at: cursor.at,
            bytes: bytes.into(),
        });
    }

    /// Appends `bytes` to the stream of every cursor, and not to those of members that join later.
    pub fn append_fleeting(&mut self, bytes: &[u8]) {
        let start = self.end;
        self.append(bytes);
        if !self.keeps_history() || bytes.is_empty() {
            return;
        }
        match self.fleeting.back_mut() {
            Some((_, end)) if *end == start => *end = self.end,
            _ => self.fleeting.push_back((start, self.end)),
        }
        let oldest = self.end.saturating_sub(HISTORY);
        while self.fleeting.front().is_some_and(|(_, end)| *end <= oldest) {
            self.fleeting.pop_front();
        }
    }

    /// Gives a cursor back, and frees the segments that only this cursor still needed.
    pub fn leave(&mut self, mut cursor: Cursor) {
        self.release(&mut cursor);
        if let Some(stood) = cursor.edits.and_then(|edits| edits.stood) {
            self.trails.remove(&stood.trail);
        }
    }

    /// The stream of this cursor is over: nothing is owed to it any more, nothing is kept for it,
    /// and it stands nowhere. Calls with it have no effect from now on, except for the cursor that
    /// goes on where it stood.
    pub fn release(&mut self, cursor: &mut Cursor) {
        if cursor.at == RELEASED {
            return;
        }
        let stood = self.bookmark(cursor);
        if let Some(edits) = &cursor.edits {
            self.edits -= edits.queue.len();
            self.inserted -= edits.inserted;
        }
        self.segment_mut(cursor.at).cursors -= 1;
        *cursor = Cursor {
            at: RELEASED,
            edits: stood.map(|stood| {
                Box::new(Edits {
                    stood: Some(Box::new(stood)),
                    ..Edits::default()
                })
            }),
        };
        self.trim();
    }

    /// Appends `bytes` to everybody's stream.
    pub fn append(&mut self, bytes: &[u8]) {
        let start = (self.end % SEGMENT as u64) as usize;
        let end = start + bytes.len();
        match self.tail.bytes.get_mut(start..end) {
            // It does not fill the tail.
            Some(place) if end < SEGMENT => {
                place.copy_from_slice(bytes);
                self.end += bytes.len() as u64;
            }
            _ => self.append_segments(bytes),
        }
        self.check();
    }

    /// Appends `bytes` that fill the tail, or for which the tail has no memory yet.
    #[cold]
    fn append_segments(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let start = (self.end % SEGMENT as u64) as usize;
            if self.tail.bytes.is_empty() {
                self.tail.bytes = self
                    .spares
                    .pop()
                    .unwrap_or_else(|| AlignedBuffer::zeroed(SEGMENT));
            }
            let (now, later) = bytes.split_at(bytes.len().min(SEGMENT - start));
            self.tail.bytes[start..start + now.len()].copy_from_slice(now);
            self.end += now.len() as u64;
            if start + now.len() == SEGMENT {
                self.full.push_back(std::mem::take(&mut self.tail));
                self.trim();
            }
            bytes = later;
        }
    }

    /// Takes note that the bytes from offset `from` on are of a stream: no person waits for an answer
    /// to them.
    pub fn note_bulk(&mut self, from: u64) {
        let in_tail = self.end % SEGMENT as u64;
        let len = self.end - from;
        match len <= in_tail {
            true => self.tail.bulk += len as u32,
            false => self.note_bulk_segments(from),
        }
    }

    /// [`Journal::note_bulk`] where the bytes begin before the tail.
    #[cold]
    fn note_bulk_segments(&mut self, from: u64) {
        let mut at = from.max(self.freed * SEGMENT as u64);
        while at < self.end {
            let next = self.end.min((at / SEGMENT as u64 + 1) * SEGMENT as u64);
            self.segment_mut(at).bulk += (next - at) as u32;
            at = next;
        }
    }

    /// How much of what is [retained](Journal::retained) is of a stream.
    pub fn bulk(&self) -> u64 {
        let first = (self.oldest - self.freed) as usize;
        let segments = self.segments().skip(first);
        segments.map(|segment| u64::from(segment.bulk)).sum()
    }

    /// Leaves the last `len` bytes appended out of this cursor's stream: they are its own.
    pub fn skip(&mut self, cursor: &mut Cursor, len: u64) {
        self.skip_from(cursor, self.end - len, len);
    }

    /// Leaves `len` bytes from `start` on out of this cursor's stream. The cursor must not have passed
    /// `start` yet, and must have no edit behind it.
    pub fn skip_from(&mut self, cursor: &mut Cursor, start: u64, len: u64) {
        if cursor.at == RELEASED {
            return cursor.edit_later(Edit::Skip { at: start, len }, &mut self.trails);
        }
        debug_assert!(cursor.at <= start && start + len <= self.end);
        let pending = cursor.edits.as_ref().is_some_and(|e| !e.queue.is_empty());
        if !pending && cursor.at == start {
            if let Some(edits) = &mut cursor.edits
                && let Some(trail) = &mut edits.trail
            {
                trail.push(Edit::Skip { at: start, len }, &mut self.trails);
            }
            self.relocate(cursor, start + len);
            return;
        }
        let edits = cursor.edits.get_or_insert_default();
        debug_assert!(edits.queue.back().is_none_or(|edit| edit.end() <= start));
        edits.skipped += len;
        match edits.queue.back_mut() {
            Some(Edit::Skip { at, len: n }) if *at + *n == start => *n += len,
            _ => {
                edits.queue.push_back(Edit::Skip { at: start, len });
                self.edits += 1;
            }
        }
        self.check_cursor(cursor);
    }

    /// Puts `bytes` into this cursor's stream alone, after everything appended so far.
    pub fn insert(&mut self, cursor: &mut Cursor, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if cursor.at == RELEASED {
            let (at, bytes) = (self.end, bytes.into());
            return cursor.edit_later(Edit::Insert { at, bytes }, &mut self.trails);
        }
        let edits = cursor.edits.get_or_insert_default();
        edits.inserted += bytes.len() as u64;
        self.inserted += bytes.len() as u64;
        match edits.queue.back_mut() {
            // A write takes so many pieces, however small they are.
            Some(Edit::Insert { at, bytes: before })
                if *at == self.end && before.len() + bytes.len() <= INSERT =>
            {
                before.extend_from_slice(bytes);
            }
            _ => {
                edits.queue.push_back(Edit::Insert {
                    at: self.end,
                    bytes: bytes.into(),
                });
                self.edits += 1;
            }
        }
        self.check_cursor(cursor);
    }

    /// Bytes of this cursor's stream that are still to be taken.
    pub fn owed(&self, cursor: &Cursor) -> u64 {
        if cursor.at == RELEASED {
            return 0;
        }
        let (inserted, skipped) = match &cursor.edits {
            Some(edits) => (edits.inserted, edits.skipped),
            None => (0, 0),
        };
        self.end - cursor.at + inserted - skipped
    }

    /// The next bytes of this cursor's stream, gathered into `out`. Returns how many slices there
    /// are: fewer than [`GATHER`] only if that is everything owed.
    pub fn gather<'a>(&'a self, cursor: &'a Cursor, out: &mut [IoSlice<'a>; GATHER]) -> usize {
        // Nearly always it is the rest of the tail.
        if self.edits(cursor) == 0 && cursor.at / SEGMENT as u64 == self.end / SEGMENT as u64 {
            let [start, end] = [cursor.at, self.end].map(|at| (at % SEGMENT as u64) as usize);
            out[0] = IoSlice::new(&self.tail.bytes[start..end]);
            return usize::from(start < end);
        }
        let mut gathered = Gathered { out, count: 0 };
        let mut at = cursor.at;
        if let Some(edits) = &cursor.edits {
            let mut taken = edits.taken;
            for edit in &edits.queue {
                match edit {
                    Edit::Skip { at: start, len } => {
                        self.range(at, *start, &mut gathered);
                        at = start + len;
                    }
                    Edit::Insert { at: start, bytes } => {
                        self.range(at, *start, &mut gathered);
                        at = *start;
                        gathered.push(&bytes[taken..]);
                    }
                }
                taken = 0;
                if gathered.is_full() {
                    break;
                }
            }
        }
        self.range(at, self.end, &mut gathered);
        gathered.count
    }

    /// Moves the cursor past `count` bytes that were taken, at most what it is owed. Returns
    /// whether it left a segment behind: the measure of progress for a slow peer.
    pub fn advance(&mut self, cursor: &mut Cursor, count: u64) -> bool {
        debug_assert!(count <= self.owed(cursor));
        let mut to = cursor.at;
        let mut left = count;
        while let Some(edits) = &mut cursor.edits
            && let Some(edit) = edits.queue.front()
        {
            let (&start, len, inserted) = match edit {
                Edit::Skip { at, len } => (at, *len, 0),
                Edit::Insert { at, bytes } => (at, 0, (bytes.len() - edits.taken) as u64),
            };
            if left < start - to {
                break;
            }
            left -= start - to;
            to = start + len;
            edits.skipped -= len;
            if left < inserted {
                edits.taken += left as usize;
                edits.inserted -= left;
                self.inserted -= left;
                left = 0;
                break;
            }
            left -= inserted;
            edits.inserted -= inserted;
            self.inserted -= inserted;
            edits.taken = 0;
            let passed = edits.queue.pop_front();
            self.edits -= 1;
            let is_large = edits.queue.is_empty() && edits.queue.capacity() > EDITS_KEPT;
            match (&mut edits.trail, passed) {
                (Some(trail), Some(passed)) => {
                    trail.push(passed, &mut self.trails);
                    if is_large {
                        edits.queue = VecDeque::new();
                    }
                }
                _ if is_large => cursor.edits = None,
                _ => {}
            }
        }
        self.relocate(cursor, to + left)
    }

    /// Bytes appended since the beginning: where the next one goes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes kept for the slowest cursor, to within one segment: never less than it is owed of the
    /// shared log, and at most [`SEGMENT`] more. What is kept as history only is not counted.
    pub fn retained(&self) -> u64 {
        self.end - self.oldest * SEGMENT as u64
    }

    /// Bytes kept for this cursor, to within one segment as [`Journal::retained`], which is the most
    /// that is kept for any. Other than what it is owed it counts what is left out of its stream:
    /// that cannot be freed either while the cursor stands before it.
    pub fn kept_for(&self, cursor: &Cursor) -> u64 {
        if cursor.at == RELEASED {
            return 0;
        }
        self.end - cursor.at / SEGMENT as u64 * SEGMENT as u64
    }

    /// Whether some cursor stands in one of the last `segments` segments, the tail included.
    pub fn reached_by_any(&self, segments: usize) -> bool {
        self.segments()
            .rev()
            .take(segments)
            .any(|segment| segment.cursors > 0)
    }

    /// How many edits wait in this cursor's queue.
    pub fn edits(&self, cursor: &Cursor) -> usize {
        cursor.edits.as_ref().map_or(0, |edits| edits.queue.len())
    }

    /// How many edits wait in the queues of all cursors.
    pub fn edits_of_all(&self) -> usize {
        self.edits
    }

    /// Bytes that are still to be inserted into this cursor's stream.
    pub fn inserted(&self, cursor: &Cursor) -> u64 {
        cursor.edits.as_ref().map_or(0, |edits| edits.inserted)
    }

    /// Bytes that are still to be inserted into the streams of all cursors.
    pub fn inserted_of_all(&self) -> u64 {
        self.inserted
    }

    fn relocate(&mut self, cursor: &mut Cursor, to: u64) -> bool {
        let crossed = cursor.at / SEGMENT as u64 != to / SEGMENT as u64;
        if crossed {
            self.segment_mut(cursor.at).cursors -= 1;
            self.segment_mut(to).cursors += 1;
            self.trim();
        }
        cursor.at = to;
        self.check_cursor(cursor);
        crossed
    }

    /// Frees segments from the first on, until one in which a cursor stands, or the history, or the
    /// tail.
    fn trim(&mut self) {
        let tail = self.freed + self.full.len() as u64;
        while self.oldest < tail && self.segment(self.oldest).cursors == 0 {
            self.oldest += 1;
        }
        let history = match self.keeps_more() {
            // With the byte before it, which tells whether a line begins there.
            true => self.end.saturating_sub(HISTORY + 1) / SEGMENT as u64,
            false => tail,
        };
        while self.freed < self.oldest.min(history) {
            if let Some(segment) = self.full.pop_front()
                && self.spares.len() < SPARES
            {
                self.spares.push(segment.bytes);
            }
            self.freed += 1;
        }
        self.check();
    }

    /// Checks the segments, in debug builds; in time that grows with the segments, not with the
    /// cursors.
    fn check(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let tail = self.freed + self.full.len() as u64;
        assert_eq!(self.end / SEGMENT as u64, tail, "the end is in the tail");
        assert!(self.freed <= self.oldest && self.oldest <= tail);
        assert!(
            (self.freed..self.oldest).all(|index| self.segment(index).cursors == 0),
            "a cursor stands before the oldest"
        );
        let waits = self.oldest == tail || self.segment(self.oldest).cursors > 0;
        assert!(waits, "segment {} is kept for no cursor", self.oldest);
        let kept = self.end - self.freed * SEGMENT as u64;
        let most = match self.keeps_more() {
            // It is trimmed when a segment is full.
            true => self.retained().max(HISTORY + 1 + 2 * SEGMENT as u64),
            false => self.retained(),
        };
        assert!(kept <= most, "{kept} bytes are kept instead of {most}");
        assert!(
            self.full
                .iter()
                .all(|segment| segment.bytes.len() == SEGMENT),
            "a segment before the tail has no bytes"
        );
        assert!(self.spares.len() <= SPARES);
        let parts = self.fleeting.iter().zip(self.fleeting.iter().skip(1));
        assert!(
            self.fleeting
                .iter()
                .all(|(from, to)| from < to && *to <= self.end)
                && parts.into_iter().all(|(one, next)| one.1 < next.0),
            "fleeting parts overlap: {:?}",
            self.fleeting
        );
    }

    /// Checks a cursor, in debug builds; in constant time, so only the ends of its queue are looked
    /// at.
    fn check_cursor(&self, cursor: &Cursor) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert!(cursor.at <= self.end, "a cursor is past the end");
        let Some(edits) = &cursor.edits else {
            return;
        };
        let span = |edit: &Edit| match edit {
            Edit::Skip { at, len } => (*at, at + len),
            Edit::Insert { at, .. } => (*at, *at),
        };
        match (edits.queue.front().map(span), edits.queue.back().map(span)) {
            (Some((first, _)), Some((_, last))) => {
                assert!(cursor.at <= first, "an edit is behind the cursor");
                assert!(last <= self.end, "an edit is past the end");
            }
            _ => {
                let counts = (edits.inserted, edits.skipped, edits.taken);
                assert_eq!(counts, (0, 0, 0), "an empty queue edits something");
            }
        }
    }

    /// Where a new cursor stands: before the last lines, the unfinished one and what is fleeting not
    /// counted. A line that does not fit into [`HISTORY`] whole is left out, and all before it.
    fn past(&self) -> u64 {
        if !self.keeps_history() {
            return self.end;
        }
        let floor = self.end.saturating_sub(HISTORY);
        let mut past = match floor {
            0 => 0,
            _ => self.end,
        };
        // The line feeds from the last on; the first one counts for the line that it ends.
        let mut ends = 0;
        let mut to = self.end;
        let from = floor.saturating_sub(1);
        let mut fleeting = self.fleeting.iter().rev().peekable();
        while to > from {
            if let Some(&(start, _)) = fleeting.next_if(|(_, end)| *end >= to) {
                to = start.min(to);
                continue;
            }
            let before = fleeting.peek().map_or(0, |(_, end)| *end);
            let start = ((to - 1) / SEGMENT as u64 * SEGMENT as u64)
                .max(from)
                .max(before);
            for place in memrchr_iter(b'\n', self.slice(start, to)) {
                ends += 1;
                if ends > self.history {
                    return start + place as u64 + 1;
                }
                if floor > 0 {
                    past = start + place as u64 + 1;
                }
            }
            to = start;
        }
        past
    }

    /// Those that are kept, the tail being the last of them.
    fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.full.iter().chain(std::iter::once(&self.tail))
    }

    fn segment(&self, index: u64) -> &Segment {
        let place = (index - self.freed) as usize;
        debug_assert!(place <= self.full.len(), "there is no segment {index}");
        self.full.get(place).unwrap_or(&self.tail)
    }

    /// The log from `from` to `to`, which are in one segment and not the same.
    fn slice(&self, from: u64, to: u64) -> &[u8] {
        let start = (from % SEGMENT as u64) as usize;
        let segment = self.segment(from / SEGMENT as u64);
        &segment.bytes[start..start + (to - from) as usize]
    }

    fn segment_mut(&mut self, at: u64) -> &mut Segment {
        let place = (at / SEGMENT as u64 - self.freed) as usize;
        debug_assert!(place <= self.full.len(), "there is no segment at {at}");
        self.full.get_mut(place).unwrap_or(&mut self.tail)
    }

    /// Gathers the log from `from` to `to`, cut where segments end.
    fn range<'a>(&'a self, mut from: u64, to: u64, gathered: &mut Gathered<'a, '_>) {
        while from < to && !gathered.is_full() {
            let end = to.min((from / SEGMENT as u64 + 1) * SEGMENT as u64);
            gathered.push(self.slice(from, end));
            from = end;
        }
    }
}

impl Edit {
    /// The offset in the log at which the edit begins.
    fn start(&self) -> u64 {
        match self {
            Edit::Skip { at, .. } | Edit::Insert { at, .. } => *at,
        }
    }

    /// The offset in the log at which the edit ends: an insertion takes no place there.
    fn end(&self) -> u64 {
        match self {
            Edit::Skip { at, len } => at + len,
            Edit::Insert { at, .. } => *at,
        }
    }

    /// Bytes that it takes.
    fn held(&self) -> usize {
        size_of::<Edit>() + self.inserted()
    }

    /// How many bytes the edit puts into the stream.
    fn inserted(&self) -> usize {
        match self {
            Edit::Skip { .. } => 0,
            Edit::Insert { bytes, .. } => bytes.len(),
        }
    }
}

impl Bookmark {
    /// Bytes that it takes.
    pub fn held(&self) -> usize {
        self.trail.held() + self.queue.iter().map(Edit::held).sum::<usize>()
    }
}

impl Cursor {
    /// Keeps an edit of a released cursor in its bookmark, for a member that returns and goes on where
    /// the cursor stood. When there are too many, the bookmark is given up as a whole.
    fn edit_later(&mut self, edit: Edit, trails: &mut Trails) {
        let Some(edits) = &mut self.edits else {
            return;
        };
        let Some(stood) = &mut edits.stood else {
            return;
        };
        let bytes: usize = stood.queue.iter().map(Edit::inserted).sum();
        let fits = stood.queue.len() < trail::MOST && bytes + edit.inserted() <= trail::BYTES;
        if let Some(Edit::Skip { at, len }) = stood.queue.back_mut()
            && let Edit::Skip {
                at: next,
                len: more,
            } = edit
            && *at + *len == next
        {
            *len += more;
        } else if fits {
            stood.queue.push_back(edit);
        } else {
            trails.remove(&stood.trail);
            self.edits = None;
        }
    }
}

/// Slices being gathered; pushing to a full one does nothing.
struct Gathered<'a, 'o> {
    out: &'o mut [IoSlice<'a>; GATHER],
    count: usize,
}

impl<'a> Gathered<'a, '_> {
    fn push(&mut self, bytes: &'a [u8]) {
        if let Some(slot) = self.out.get_mut(self.count) {
            *slot = IoSlice::new(bytes);
            self.count += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.count == GATHER
    }
}

#[cfg(test)]
mod tests;
