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
//! Who joins may begin in the past: with [`Journal::keep_history`] the last lines stay although
//! nobody stands in them any more, and a new cursor stands before them.
//!
//! It promises: [`Journal::append`] costs one copy and nothing per peer; every other operation is
//! O(1) in peers and in bytes (but for joining with a history, which is searched for its lines); no
//! byte of a cursor's stream is lost, repeated or reordered (proved
//! against one plain buffer per peer in this file's tests).

use std::collections::VecDeque;
use std::io::IoSlice;

use memchr::memrchr_iter;

/// Size of one segment in bytes. A flush hands the kernel whole segments, so this is also the size
/// of a large slice in a gathered write.
pub const SEGMENT: usize = 64 * 1024;

/// Bytes of the past that are kept for latecomers at most. It is below the mark from which a peer
/// counts as slow, by the segment that it may be counted too much.
pub const HISTORY: u64 = 3 * SEGMENT as u64;

/// Slices in one gathered write. Sixteen segments are 1 MiB, more than a socket takes at once, and
/// far below the kernel's `IOV_MAX` of 1024.
pub const GATHER: usize = 16;

/// Freed segments kept for reuse: what one read of the hub fills (512 KiB), and the tail. Memory that
/// is new in every turn is cleared by the kernel each time.
const SPARES: usize = 9;

/// Capacity above which an emptied edit queue gives its memory back.
const EDITS_KEPT: usize = 8;

/// The shared log. See the module's documentation.
#[derive(Debug)]
pub struct Journal {
    /// Never empty: the last one holds `end`, though it may not have its memory yet.
    segments: VecDeque<Segment>,
    /// How many segments were freed before `segments[0]`.
    freed: u64,
    /// The first segment in which a cursor stands, or else the tail. What is before it is history.
    oldest: u64,
    /// Lines of the past that a new cursor is given.
    history: usize,
    /// Bytes appended since the beginning.
    end: u64,
    spares: Vec<Box<[u8]>>,
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
    /// Empty until the first byte is appended, then `SEGMENT` long.
    bytes: Box<[u8]>,
    cursors: u32,
}

#[derive(Debug, Default)]
struct Edits {
    queue: VecDeque<Edit>,
    /// Bytes still to be inserted, and still to be skipped, over the whole queue.
    inserted: u64,
    skipped: u64,
    /// Bytes of the first edit's insertion that were already taken.
    taken: usize,
}

#[derive(Debug)]
enum Edit {
    Skip { at: u64, len: u64 },
    Insert { at: u64, bytes: Box<[u8]> },
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
            segments: VecDeque::from([Segment::default()]),
            freed: 0,
            oldest: 0,
            history: 0,
            end: 0,
            spares: Vec::new(),
        }
    }

    /// Keeps the last `lines` lines for those who join from now on, as far as [`HISTORY`] goes.
    pub fn keep_history(&mut self, lines: usize) {
        self.history = lines;
    }

    /// Whether there is a history to be kept.
    pub fn keeps_history(&self) -> bool {
        self.history > 0
    }

    /// A new cursor at the present: its stream begins with the next byte appended, or with the
    /// history if one is kept.
    pub fn join(&mut self) -> Cursor {
        let at = self.past();
        self.segment_mut(at).cursors += 1;
        self.oldest = self.oldest.min(at / SEGMENT as u64);
        Cursor { at, edits: None }
    }

    /// Gives a cursor back, and with it whatever only it still needed.
    pub fn leave(&mut self, cursor: Cursor) {
        self.segment_mut(cursor.at).cursors -= 1;
        self.trim();
    }

    /// Appends `bytes` to everybody's stream.
    pub fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let start = (self.end % SEGMENT as u64) as usize;
            let tail = self.segments.back_mut().expect("never empty");
            if tail.bytes.is_empty() {
                tail.bytes = self
                    .spares
                    .pop()
                    .unwrap_or_else(|| vec![0; SEGMENT].into_boxed_slice());
            }
            let (now, later) = bytes.split_at(bytes.len().min(SEGMENT - start));
            tail.bytes[start..start + now.len()].copy_from_slice(now);
            self.end += now.len() as u64;
            if start + now.len() == SEGMENT {
                self.segments.push_back(Segment::default());
                self.trim();
            }
            bytes = later;
        }
    }

    /// Leaves the last `len` bytes appended out of this cursor's stream: they are its own.
    pub fn skip(&mut self, cursor: &mut Cursor, len: u64) {
        let start = self.end - len;
        let pending = cursor.edits.as_ref().is_some_and(|e| !e.queue.is_empty());
        if !pending && cursor.at == start {
            self.relocate(cursor, self.end);
            return;
        }
        let edits = cursor.edits.get_or_insert_default();
        edits.skipped += len;
        match edits.queue.back_mut() {
            Some(Edit::Skip { at, len: n }) if *at + *n == start => *n += len,
            _ => edits.queue.push_back(Edit::Skip { at: start, len }),
        }
    }

    /// Puts `bytes` into this cursor's stream alone, after everything appended so far.
    pub fn insert(&mut self, cursor: &mut Cursor, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let edits = cursor.edits.get_or_insert_default();
        edits.inserted += bytes.len() as u64;
        edits.queue.push_back(Edit::Insert {
            at: self.end,
            bytes: bytes.into(),
        });
    }

    /// Bytes of this cursor's stream that are still to be taken.
    pub fn owed(&self, cursor: &Cursor) -> u64 {
        let (inserted, skipped) = match &cursor.edits {
            Some(edits) => (edits.inserted, edits.skipped),
            None => (0, 0),
        };
        self.end - cursor.at + inserted - skipped
    }

    /// The next bytes of this cursor's stream, gathered into `out`. Returns how many slices there
    /// are: fewer than [`GATHER`] only if that is everything owed.
    pub fn gather<'a>(&'a self, cursor: &'a Cursor, out: &mut [IoSlice<'a>; GATHER]) -> usize {
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
                left = 0;
                break;
            }
            left -= inserted;
            edits.inserted -= inserted;
            edits.taken = 0;
            edits.queue.pop_front();
            if edits.queue.is_empty() && edits.queue.capacity() > EDITS_KEPT {
                cursor.edits = None;
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
        self.end - cursor.at / SEGMENT as u64 * SEGMENT as u64
    }

    /// Whether some cursor stands in one of the last `segments` segments, the tail included.
    pub fn reached_by_any(&self, segments: usize) -> bool {
        self.segments
            .iter()
            .rev()
            .take(segments)
            .any(|segment| segment.cursors > 0)
    }

    /// How many edits wait in this cursor's queue.
    pub fn edits(&self, cursor: &Cursor) -> usize {
        cursor.edits.as_ref().map_or(0, |edits| edits.queue.len())
    }

    fn relocate(&mut self, cursor: &mut Cursor, to: u64) -> bool {
        let crossed = cursor.at / SEGMENT as u64 != to / SEGMENT as u64;
        if crossed {
            self.segment_mut(cursor.at).cursors -= 1;
            self.segment_mut(to).cursors += 1;
            self.trim();
        }
        cursor.at = to;
        crossed
    }

    /// Frees segments from the first on, until one in which somebody stands, or the history, or the
    /// tail.
    fn trim(&mut self) {
        let tail = self.freed + self.segments.len() as u64 - 1;
        while self.oldest < tail && self.segment(self.oldest).cursors == 0 {
            self.oldest += 1;
        }
        let history = match self.keeps_history() {
            // With the byte before it, which tells whether a line begins there.
            true => self.end.saturating_sub(HISTORY + 1) / SEGMENT as u64,
            false => tail,
        };
        while self.freed < self.oldest.min(history) {
            if let Some(segment) = self.segments.pop_front()
                && self.spares.len() < SPARES
            {
                self.spares.push(segment.bytes);
            }
            self.freed += 1;
        }
    }

    /// Where a new cursor stands: before the last lines, the unfinished one not counted. A line
    /// that does not fit into [`HISTORY`] whole is left out, and all before it.
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
        while to > from {
            let start = ((to - 1) / SEGMENT as u64 * SEGMENT as u64).max(from);
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

    fn segment(&self, index: u64) -> &Segment {
        &self.segments[(index - self.freed) as usize]
    }

    /// The log from `from` to `to`, which are in one segment and not the same.
    fn slice(&self, from: u64, to: u64) -> &[u8] {
        let start = (from % SEGMENT as u64) as usize;
        let segment = self.segment(from / SEGMENT as u64);
        &segment.bytes[start..start + (to - from) as usize]
    }

    fn segment_mut(&mut self, at: u64) -> &mut Segment {
        &mut self.segments[(at / SEGMENT as u64 - self.freed) as usize]
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One step of a random life of a journal; peers are named by an index that is reduced to the
    /// peers there are.
    #[derive(Debug, Clone)]
    enum Step {
        Join,
        Leave(usize),
        Append(Vec<u8>),
        Relay(usize, Vec<u8>),
        Reply(usize, Vec<u8>),
        Take(usize, usize),
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        // Mostly lines, now and then a block that spans segments.
        let block = (1..3 * SEGMENT, any::<u8>()).prop_map(|(len, seed)| {
            (0..len)
                .map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed))
                .collect()
        });
        prop_oneof![
            20 => prop::collection::vec(any::<u8>(), 0..80),
            1 => block,
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => Just(Step::Join),
            1 => any::<usize>().prop_map(Step::Leave),
            5 => bytes().prop_map(Step::Append),
            5 => (any::<usize>(), bytes()).prop_map(|(p, b)| Step::Relay(p, b)),
            2 => (any::<usize>(), bytes()).prop_map(|(p, b)| Step::Reply(p, b)),
            8 => (any::<usize>(), 0..4 * SEGMENT).prop_map(|(p, n)| Step::Take(p, n)),
            3 => (any::<usize>(), 0..100usize).prop_map(|(p, n)| Step::Take(p, n)),
        ]
    }

    /// The last lines of a log, and what follows them, looked for byte by byte.
    fn past(log: &[u8], lines: usize) -> &[u8] {
        let kept = log.len().saturating_sub(HISTORY as usize);
        let begins = |&at: &usize| at == 0 || log[at - 1] == b'\n';
        let ended = log.last().is_none_or(|&byte| byte == b'\n');
        let starts: Vec<usize> = (kept..log.len()).filter(begins).collect();
        let wanted = starts.len().min(lines.saturating_add(usize::from(!ended)));
        match starts[starts.len() - wanted..].first() {
            Some(&start) if lines > 0 => &log[start..],
            _ => &[],
        }
    }

    /// A buffer of its own for one peer: everything that is for it, and how much of that it took.
    #[derive(Default)]
    struct Model {
        stream: Vec<u8>,
        taken: usize,
    }

    impl Model {
        fn owed(&self) -> &[u8] {
            &self.stream[self.taken..]
        }

        /// Takes what must be the next bytes.
        fn take(&mut self, bytes: &[u8]) -> bool {
            let expected = self.owed().starts_with(bytes);
            self.taken += bytes.len();
            expected
        }
    }

    fn front(journal: &Journal, cursor: &Cursor) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); GATHER];
        let count = journal.gather(cursor, &mut slices);
        assert!(slices[..count].iter().all(|slice| !slice.is_empty()));
        let bytes = slices[..count].iter().fold(Vec::new(), |mut bytes, slice| {
            bytes.extend_from_slice(slice);
            bytes
        });
        if count < GATHER {
            assert_eq!(bytes.len() as u64, journal.owed(cursor));
        }
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// The journal against the naive model: one buffer per peer, every byte copied into each.
        #[test]
        fn is_equivalent_to_a_buffer_per_peer(
            steps in prop::collection::vec(step(), 1..300),
            history in prop_oneof![Just(0), 1..5usize, Just(usize::MAX)],
        ) {
            let mut journal = Journal::new();
            journal.keep_history(history);
            let mut log = Vec::new();
            let mut peers: Vec<(Cursor, Model)> = Vec::new();
            for step in steps {
                let count = peers.len();
                match step {
                    Step::Join => {
                        let stream = past(&log, history).to_vec();
                        peers.push((journal.join(), Model { stream, taken: 0 }));
                    }
                    Step::Append(bytes) => {
                        journal.append(&bytes);
                        log.extend_from_slice(&bytes);
                        peers.iter_mut().for_each(|(_, model)| model.stream.extend_from_slice(&bytes));
                    }
                    _ if count == 0 => {}
                    Step::Leave(p) => journal.leave(peers.swap_remove(p % count).0),
                    Step::Relay(p, bytes) => {
                        journal.append(&bytes);
                        log.extend_from_slice(&bytes);
                        journal.skip(&mut peers[p % count].0, bytes.len() as u64);
                        for (i, (_, model)) in peers.iter_mut().enumerate() {
                            if i != p % count {
                                model.stream.extend_from_slice(&bytes);
                            }
                        }
                    }
                    Step::Reply(p, bytes) => {
                        let (cursor, model) = &mut peers[p % count];
                        journal.insert(cursor, &bytes);
                        model.stream.extend_from_slice(&bytes);
                    }
                    Step::Take(p, limit) => {
                        let (cursor, model) = &mut peers[p % count];
                        let mut bytes = front(&journal, cursor);
                        bytes.truncate(limit);
                        prop_assert!(model.take(&bytes), "a stream differs from its model");
                        journal.advance(cursor, bytes.len() as u64);
                    }
                }
                for (cursor, model) in &peers {
                    prop_assert_eq!(journal.owed(cursor), model.owed().len() as u64);
                    if model.owed().is_empty() {
                        // Nothing is kept for who took everything, whatever was left out for it.
                        prop_assert_eq!((cursor.at, journal.edits(cursor)), (journal.end, 0));
                    }
                }
                let slowest = peers.iter().map(|(cursor, _)| journal.end - cursor.at).max();
                let slowest = slowest.unwrap_or(0);
                prop_assert!(journal.retained() >= slowest);
                if let Some(kept) = peers.iter().map(|(cursor, _)| journal.kept_for(cursor)).max() {
                    prop_assert_eq!(journal.retained(), kept);
                    prop_assert!(kept < slowest + SEGMENT as u64);
                }
                let held = SEGMENT as u64 * journal.segments.len() as u64;
                let most = journal.retained().max(if history > 0 { HISTORY + 1 } else { 0 });
                prop_assert!(held <= most + 2 * SEGMENT as u64, "more is kept than is wanted");
                let standing: u32 = journal.segments.iter().map(|s| s.cursors).sum();
                prop_assert_eq!(standing as usize, peers.len());
            }
            for (mut cursor, mut model) in peers {
                while journal.owed(&cursor) > 0 {
                    let bytes = front(&journal, &cursor);
                    prop_assert!(model.take(&bytes), "a stream differs from its model");
                    journal.advance(&mut cursor, bytes.len() as u64);
                }
                prop_assert!(model.owed().is_empty());
                journal.leave(cursor);
            }
            if history == 0 {
                prop_assert_eq!(journal.segments.len(), 1);
            }
        }
    }

    #[test]
    fn a_newcomer_starts_at_the_present() {
        let mut journal = Journal::new();
        let early = journal.join();
        journal.append(b"before ");
        let late = journal.join();
        journal.append(b"after");
        assert_eq!(front(&journal, &early), b"before after");
        assert_eq!(front(&journal, &late), b"after");
    }

    #[test]
    fn a_newcomer_with_a_history_starts_some_lines_ago() {
        let mut journal = Journal::new();
        journal.keep_history(2);
        let first = journal.join();
        assert_eq!(journal.owed(&first), 0);
        journal.append(b"one\ntwo\nthree\nfo");
        let late = journal.join();
        journal.append(b"ur\n");
        assert_eq!(front(&journal, &first), b"one\ntwo\nthree\nfour\n");
        assert_eq!(front(&journal, &late), b"two\nthree\nfour\n");
        let later = journal.join();
        assert_eq!(front(&journal, &later), b"three\nfour\n");
    }

    #[test]
    fn a_history_is_bounded_and_of_whole_lines() {
        let mut journal = Journal::new();
        journal.keep_history(usize::MAX);
        let line = [[b'x'; 99].as_slice(), b"\n"].concat();
        for _ in 0..10_000 {
            journal.append(&line);
        }
        assert_eq!(
            journal.retained() / SEGMENT as u64,
            0,
            "nobody waits for it"
        );
        let late = journal.join();
        assert_eq!(journal.owed(&late), HISTORY / 100 * 100);
        // A line that is too long to be kept whole takes everything before it with it.
        journal.append(&[b'y'; HISTORY as usize + 1]);
        let later = journal.join();
        assert_eq!(journal.owed(&later), 0);
    }

    #[test]
    fn a_line_that_begins_where_the_history_does_is_part_of_it() {
        let mut journal = Journal::new();
        journal.keep_history(usize::MAX);
        let line = [[b'x'; SEGMENT - 1].as_slice(), b"\n"].concat();
        for _ in 0..5 {
            journal.append(&line);
        }
        let late = journal.join();
        assert_eq!(journal.owed(&late), HISTORY);
    }

    #[test]
    fn memory_is_one_log_however_many_are_behind() {
        let mut journal = Journal::new();
        let cursors: Vec<Cursor> = (0..10_000).map(|_| journal.join()).collect();
        for _ in 0..10 {
            journal.append(&[b'x'; SEGMENT]);
        }
        let held = journal
            .segments
            .iter()
            .map(|s| s.bytes.len())
            .sum::<usize>();
        assert_eq!(held, 10 * SEGMENT);
        assert_eq!(journal.retained(), 10 * SEGMENT as u64);
        for mut cursor in cursors {
            assert!(journal.advance(&mut cursor, 10 * SEGMENT as u64));
            journal.leave(cursor);
        }
        assert_eq!(journal.retained(), 0);
        assert!(journal.spares.len() <= SPARES);
    }

    #[test]
    fn nobody_there_means_nothing_kept() {
        let mut journal = Journal::new();
        for _ in 0..10 {
            journal.append(&[b'x'; SEGMENT]);
        }
        assert_eq!(journal.retained(), 0);
    }

    #[test]
    fn own_lines_of_a_caught_up_peer_leave_no_edit() {
        let mut journal = Journal::new();
        let mut author = journal.join();
        let reader = journal.join();
        for _ in 0..1000 {
            journal.append(b"mine\n");
            journal.skip(&mut author, 5);
        }
        assert_eq!(journal.edits(&author), 0);
        assert_eq!(journal.owed(&author), 0);
        assert_eq!(journal.owed(&reader), 5000);
    }

    #[test]
    fn own_lines_in_a_row_are_one_edit() {
        let mut journal = Journal::new();
        let mut author = journal.join();
        journal.append(b"theirs\n");
        for _ in 0..1000 {
            journal.append(b"mine\n");
            journal.skip(&mut author, 5);
        }
        assert_eq!(journal.edits(&author), 1);
        assert_eq!(front(&journal, &author), b"theirs\n");
    }

    #[test]
    fn reach_is_known_by_segments() {
        let mut journal = Journal::new();
        let mut fast = journal.join();
        let _dead = journal.join();
        assert!(journal.reached_by_any(1));
        for _ in 0..6 {
            journal.append(&[b'x'; SEGMENT]);
        }
        assert!(!journal.reached_by_any(4));
        journal.advance(&mut fast, 3 * SEGMENT as u64);
        assert!(journal.reached_by_any(4));
        assert!(!journal.reached_by_any(3));
    }
}
