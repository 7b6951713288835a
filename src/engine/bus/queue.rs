//! The queue: what waits to be told, in lanes, one for each speaker, and one for what is asked of other hubs.
//!
//! ```text
//!   Ana    ▪▪▪▪▪▪▪▪▪▪▪▪ ─┐
//!   Bob    ▪             ─┼─▶ a message: of each lane in turn, then in the order in which it was said
//!   asked  ▪             ─┘
//! ```
//!
//! What fits into one message goes as it was said. Where more waits, as many bytes of each lane go in a round
//! (deficit round robin, M. Shreedhar and G. Varghese, 1996): whoever says much makes nobody else late, and if
//! the queue is full, loses its own lines.
//!
//! It promises: each lane is in order, whatever its speaker is called meanwhile; [`Queue::waiting`] is the sum of
//! what is in it.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use crate::engine::bus::envelope::Author;
use crate::engine::bus::envelope::Piece;
use crate::engine::bus::envelope::count;

/// The most bytes of lines in a message: what is sent at once, and small enough that others are not behind it
/// for long.
pub(super) const MAX_BODY: usize = 96 * 1024;

/// Lines of one speaker are kept together up to so many bytes: so many are dropped together too.
const TOGETHER: usize = 4 * 1024;

/// What a piece takes beside its bytes, in memory and as JSON: about as much.
pub(super) const OVERHEAD: usize = 128;

/// So many bytes of each lane go in a round.
const QUANTUM: usize = TOGETHER + OVERHEAD;

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Lines.
    pub lines: u64,
    /// Their bytes, and what is kept beside them.
    pub bytes: usize,
    /// Lines that were dropped since the buffer was full, and were not told yet.
    pub lost: u64,
}

impl Waiting {
    pub(super) fn of(piece: &Piece) -> Waiting {
        let bytes = match piece {
            Piece::Said(_, bytes) => bytes.len(),
            _ => 0,
        };
        let lines = piece.lines();
        let bytes = bytes + OVERHEAD;
        Waiting {
            lines,
            bytes,
            lost: 0,
        }
    }

    pub(super) fn add(&mut self, other: Waiting) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }

    pub(super) fn remove(&mut self, other: Waiting) {
        self.lines -= other.lines;
        self.bytes -= other.bytes;
    }
}

/// A speaker's number. None: what is asked of other hubs.
pub(super) type Whose = Option<u32>;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// None is empty.
    lanes: BTreeMap<Whose, Lane>,
    /// All of them, the next first.
    turns: VecDeque<Whose>,
    /// Pieces that there were.
    pushed: u64,
    waiting: Waiting,
}

/// Pieces of one speaker, each with its place in the order of all.
#[derive(Debug)]
struct Lane {
    pieces: VecDeque<(u64, Piece)>,
    bytes: usize,
    /// So many bytes may go in this round.
    credit: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Bytes of a lane.
    pub(super) fn len(&self, whose: Whose) -> usize {
        self.lanes.get(&whose).map_or(0, |lane| lane.bytes)
    }

    /// Lanes in which something waits.
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// All of it.
    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Takes a line, or a piece of one, behind what its speaker said before.
    pub(super) fn push_line(&mut self, author: &Author, line: &[u8]) {
        // If all goes in one message, it goes as it was said.
        let is_much = self.waiting.bytes > MAX_BODY;
        let newest = self.pushed;
        if let Some(lane) = self.lanes.get_mut(&Some(author.number))
            && let Some((at, Piece::Said(last, bytes))) = lane.pieces.back_mut()
            && (is_much || *at == newest)
            && last == author
            && bytes.last() == Some(&b'\n')
            && bytes.len() + line.len() <= TOGETHER
        {
            bytes.extend_from_slice(line);
            lane.bytes += line.len();
            self.waiting.bytes += line.len();
            self.waiting.lines += count(line);
        } else {
            self.push(Piece::Said(author.clone(), line.into()));
        }
    }

    /// Takes a piece, behind those of its lane.
    pub(super) fn push(&mut self, piece: Piece) {
        let whose = match &piece {
            Piece::Said(author, _) | Piece::Lost(author, _) => Some(author.number),
            Piece::Ask { .. } | Piece::Bye => None,
        };
        let sum = Waiting::of(&piece);
        self.waiting.add(sum);
        self.pushed += 1;
        let turns = &mut self.turns;
        let lane = self.lanes.entry(whose).or_insert_with(|| {
            turns.push_back(whose);
            Lane {
                pieces: VecDeque::new(),
                bytes: 0,
                credit: QUANTUM,
            }
        });
        lane.bytes += sum.bytes;
        lane.pieces.push_back((self.pushed, piece));
    }

    /// Takes out what goes next, as long as it `fits`, which is asked of each piece once.
    pub(super) fn take(&mut self, mut fits: impl FnMut(&Piece) -> bool) -> Vec<Piece> {
        let mut taken = Vec::new();
        while let Some(&whose) = self.turns.front() {
            let lane = self.lane(whose);
            let size = lane.front();
            if size > lane.credit {
                lane.credit += QUANTUM;
                self.turns.rotate_left(1);
                continue;
            }
            if !fits(&lane.pieces[0].1) {
                break;
            }
            lane.credit -= size;
            taken.extend(self.pop(whose));
        }
        taken.sort_unstable_by_key(|(at, _)| *at);
        taken.into_iter().map(|(_, piece)| piece).collect()
    }

    /// Takes out the oldest piece of the longest lane.
    pub(super) fn drop_oldest(&mut self) -> Option<Piece> {
        let longest = self.lanes.iter().max_by_key(|(_, lane)| lane.bytes);
        let whose = *longest?.0;
        self.pop(whose).map(|(_, piece)| piece)
    }

    /// Takes out what is demanded of other hubs.
    pub(super) fn withdraw(&mut self) -> Vec<Piece> {
        let asked = self.lanes.get(&None).map_or(0, |lane| lane.pieces.len());
        let asked: Vec<Piece> = (0..asked)
            .filter_map(|_| self.pop(None))
            .map(|(_, piece)| piece)
            .collect();
        let (demands, others) = asked.into_iter().partition(Piece::is_demand);
        Vec::into_iter(others).for_each(|piece| self.push(piece));
        demands
    }

    fn lane(&mut self, whose: Whose) -> &mut Lane {
        self.lanes.get_mut(&whose).expect("it has a turn")
    }

    /// Takes out the first piece of a lane, and the lane if it was the last.
    fn pop(&mut self, whose: Whose) -> Option<(u64, Piece)> {
        let lane = self.lanes.get_mut(&whose)?;
        let (at, piece) = lane.pieces.pop_front()?;
        let sum = Waiting::of(&piece);
        lane.bytes -= sum.bytes;
        self.waiting.remove(sum);
        if lane.pieces.is_empty() {
            self.lanes.remove(&whose);
            match self.turns.front() == Some(&whose) {
                true => drop(self.turns.pop_front()),
                false => self.turns.retain(|other| *other != whose),
            }
        }
        Some((at, piece))
    }
}

impl Lane {
    /// Bytes of the first piece.
    fn front(&self) -> usize {
        self.pieces
            .front()
            .map_or(0, |(_, piece)| Waiting::of(piece).bytes)
    }
}
