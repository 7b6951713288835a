//! The trail of a cursor: the last edits that it has passed, for a peer that comes back over another
//! connection and lacks some of what it was handed.
//!
//! It promises: the trails of all cursors hold [`OF_ALL`] bytes, and beside that [`LEAST`] each at most; what a
//! trail has forgotten it does not pretend to know.

use std::collections::VecDeque;

use super::Edit;

/// How many edits are remembered at most, and how many bytes.
pub(super) const MOST: usize = 64;
pub(super) const BYTES: usize = 16 * 1024;

/// From so many bytes on that the trails of all hold, each keeps no more than that.
const OF_ALL: usize = 1024 * 1024;
const LEAST: usize = 1024;

/// Bytes that the trails of all cursors hold. (What a bookmark has is its holder's.)
#[derive(Debug, Default)]
pub(super) struct Trails {
    held: usize,
}

impl Trails {
    /// A cursor has this trail from now on.
    pub(super) fn add(&mut self, trail: &Trail) {
        self.held += trail.held;
    }

    /// It has it no more.
    pub(super) fn remove(&mut self, trail: &Trail) {
        self.held -= trail.held;
    }

    /// What they hold.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// What one may hold.
    fn share(&self) -> usize {
        match self.held > OF_ALL {
            true => LEAST,
            false => BYTES,
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    edits: VecDeque<Edit>,
    /// Bytes that they take.
    held: usize,
    /// Edits before this offset are not known any more.
    from: u64,
}

impl Trail {
    /// One that begins there.
    pub(super) fn new(from: u64) -> Trail {
        Trail {
            edits: VecDeque::new(),
            held: 0,
            from,
        }
    }

    /// Remembers an edit that its cursor has passed, and forgets the oldest beyond the bounds.
    pub(super) fn push(&mut self, mut edit: Edit, all: &mut Trails) {
        if let (
            Some(Edit::Skip { at, len }),
            Edit::Skip {
                at: next,
                len: more,
            },
        ) = (self.edits.back_mut(), &edit)
            && *at + *len == *next
        {
            *len += more;
            return;
        }
        if let Edit::Insert { bytes, .. } = &mut edit {
            bytes.shrink_to_fit();
        }
        self.held += edit.held();
        all.held += edit.held();
        self.edits.push_back(edit);
        let share = all.share();
        while self.edits.len() > MOST || self.held > share {
            let Some(first) = self.edits.pop_front() else {
                return;
            };
            self.held -= first.held();
            all.held -= first.held();
            self.from = first.end();
        }
    }

    /// The last edit of one that no cursor has yet, which goes back behind it.
    pub(super) fn pop_back(&mut self) -> Option<Edit> {
        let edit = self.edits.pop_back()?;
        self.held -= edit.held();
        Some(edit)
    }

    /// The offset from which on there is no edit.
    pub(super) fn end(&self) -> u64 {
        self.edits.back().map_or(self.from, Edit::end)
    }

    /// Bytes that it takes.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// How many edits it knows.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.edits.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(at: u64, len: usize) -> Edit {
        let bytes = vec![b'x'; len];
        Edit::Insert { at, bytes }
    }

    #[test]
    fn all_trails_together_hold_no_more_than_their_share() {
        let mut all = Trails::default();
        let mut trails: Vec<Trail> = (0..2000).map(|_| Trail::new(0)).collect();
        for round in 1..=100 {
            for trail in &mut trails {
                trail.push(answer(round, 200), &mut all);
            }
            assert!(all.held() <= OF_ALL + BYTES + trails.len() * LEAST);
        }
        assert_eq!(all.held(), trails.iter().map(Trail::held).sum::<usize>());
        assert!(trails.iter().all(|trail| trail.held() > LEAST / 2));
        trails.iter().for_each(|trail| all.remove(trail));
        assert_eq!(all.held(), 0);
        let mut one = Trail::new(0);
        for at in 1..=1000 {
            one.push(answer(at, 10), &mut all);
        }
        assert_eq!((one.len(), one.end()), (MOST, 1000));
        all.remove(&one);
        assert_eq!(one.pop_back().map(|edit| edit.end()), Some(1000));
        all.add(&one);
        assert_eq!((one.end(), all.held()), (999, one.held()));
    }
}
