//! Speakers: the keys of peers that have something to say, in the order of their turns.
//!
//! It promises: a speaker that had nothing to say before comes before those that speak without a
//! pause, and in every other turn one of these comes first, so that they are not starved; a speaker that may
//! not be read just now goes back to those it came from.

use std::collections::VecDeque;
use std::time::Instant;

/// A peer whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Speaker {
    pub(super) key: usize,
    /// It had nothing to say when it was read last.
    pub(super) is_fresh: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    /// Something can be read. A speaker that was held back for the others' sake stays at its place.
    readable: VecDeque<usize>,
    /// The same of peers that had nothing to say when they were read last.
    fresh: VecDeque<usize>,
    /// Readable, but not allowed to speak just now.
    parked: Vec<Speaker>,
    /// Readable, but more than its rate just now; and when to look again who of them may be read.
    limited: Vec<Speaker>,
    release: Option<Instant>,
    /// Counts the turns, so that it is known who was read in this one.
    turn: u32,
}

impl Speakers {
    /// A turn begins: those come back to the others whose time has come, or may have.
    pub(super) fn begin_turn(&mut self, now: Instant) {
        self.turn = self.turn.wrapping_add(1);
        put_back(&mut self.parked, &mut self.fresh, &mut self.readable);
        if self.release.is_some_and(|release| release <= now) {
            self.release_limited();
        }
    }

    fn release_limited(&mut self) {
        self.release = None;
        put_back(&mut self.limited, &mut self.fresh, &mut self.readable);
    }

    /// The number of this turn.
    pub(super) fn turn(&self) -> u32 {
        self.turn
    }

    /// How many are to be read in this turn.
    pub(super) fn len(&self) -> usize {
        self.readable.len() + self.fresh.len()
    }

    /// How many of them had nothing to say before.
    pub(super) fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// The speaker to read next; `is_first`: none was read in this turn yet.
    pub(super) fn next(&mut self, is_first: bool) -> Option<Speaker> {
        let is_fresh = match is_first && self.turn.is_multiple_of(2) {
            true => self.readable.is_empty(),
            false => !self.fresh.is_empty(),
        };
        let key = match is_fresh {
            true => self.fresh.pop_front(),
            false => self.readable.pop_front(),
        };
        key.map(|key| Speaker { key, is_fresh })
    }

    /// A peer had nothing to say, and has now.
    pub(super) fn begin(&mut self, key: usize) {
        self.fresh.push_back(key);
    }

    /// A peer was read, and may have more to say.
    pub(super) fn go_on(&mut self, key: usize) {
        self.readable.push_back(key);
    }

    /// A peer may not speak just now.
    pub(super) fn park(&mut self, speaker: Speaker) {
        self.parked.push(speaker);
    }

    /// A peer spoke more than its rate, and may not go on before that time.
    pub(super) fn limit(&mut self, speaker: Speaker, until: Instant) {
        self.limited.push(speaker);
        self.release = Some(self.release.map_or(until, |at| at.min(until)));
    }

    /// When to look again at the peers that spoke more than their rate.
    pub(super) fn release(&self) -> Option<Instant> {
        self.release
    }

    /// Puts those that had nothing to say before in the order of how much they said lately, the least first, and so
    /// the others.
    pub(super) fn order_by<K: Ord>(&mut self, said: impl Fn(&usize) -> K) {
        self.release_limited();
        for waiting in [&mut self.fresh, &mut self.readable] {
            waiting.make_contiguous().sort_by_cached_key(&said);
        }
    }

    /// Whether any speaker is to be read that may speak; those that spoke more than their rate
    /// count if all `was_released`.
    pub(super) fn is_due(&self, may_speak: impl Fn(usize) -> bool, was_released: bool) -> bool {
        self.len() > 0
            || self.parked.iter().any(|speaker| may_speak(speaker.key))
            || (was_released && !self.limited.is_empty())
    }

    /// Forgets all but those.
    pub(super) fn retain(&mut self, stays: impl Fn(&usize) -> bool) {
        self.readable.retain(&stays);
        self.fresh.retain(&stays);
        self.parked.retain(|speaker| stays(&speaker.key));
        self.limited.retain(|speaker| stays(&speaker.key));
    }

    /// All of their keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &usize> {
        let asked = self.readable.iter().chain(&self.fresh);
        let held_back = self.parked.iter().chain(&self.limited);
        asked.chain(held_back.map(|speaker| &speaker.key))
    }
}

/// Speakers go back to those they came from.
fn put_back(
    held_back: &mut Vec<Speaker>,
    fresh: &mut VecDeque<usize>,
    readable: &mut VecDeque<usize>,
) {
    for Speaker { key, is_fresh } in held_back.drain(..) {
        match is_fresh {
            true => fresh.push_back(key),
            false => readable.push_back(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// All that are read in a turn, in order.
    fn turn(speakers: &mut Speakers, now: Instant) -> Vec<usize> {
        speakers.begin_turn(now);
        let mut is_first = true;
        let next = || speakers.next(std::mem::take(&mut is_first));
        std::iter::from_fn(next)
            .map(|speaker| speaker.key)
            .collect()
    }

    fn speaker(key: usize, is_fresh: bool) -> Speaker {
        Speaker { key, is_fresh }
    }

    #[test]
    fn who_goes_on_comes_last_but_first_in_every_other_turn() {
        let now = Instant::now();
        let mut speakers = Speakers::default();
        for expected in [[2, 3, 0, 1], [0, 2, 3, 1]] {
            [0, 1].iter().for_each(|&key| speakers.go_on(key));
            [2, 3].iter().for_each(|&key| speakers.begin(key));
            assert_eq!(turn(&mut speakers, now), expected);
        }
    }

    #[test]
    fn who_is_not_read_is_found_again() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut speakers = Speakers::default();
        speakers.park(speaker(0, false));
        speakers.limit(speaker(1, false), now + second);
        speakers.limit(speaker(2, true), now + 2 * second);
        assert_eq!(speakers.release(), Some(now + second));
        assert_eq!(speakers.keys().count(), 3);
        assert!(speakers.is_due(|key| key == 0, false));
        assert!(!speakers.is_due(|_| false, false));
        assert!(speakers.is_due(|_| false, true));
        assert_eq!(turn(&mut speakers, now), [0]);
        assert_eq!(turn(&mut speakers, now + second), [1, 2]);
        speakers.go_on(3);
        speakers.limit(speaker(2, true), now);
        assert_eq!(turn(&mut speakers, now), [2, 3]);
        assert_eq!(speakers.release(), None);
    }

    #[test]
    fn who_said_least_comes_first_when_all_may_speak_again() {
        let now = Instant::now();
        let mut speakers = Speakers::default();
        speakers.go_on(3);
        speakers.go_on(0);
        speakers.begin(2);
        speakers.limit(speaker(4, true), now + Duration::from_secs(9));
        speakers.park(speaker(1, false));
        speakers.begin_turn(now);
        speakers.order_by(|&key| key as u64);
        let next = || speakers.next(false).map(|speaker| speaker.key);
        let all: Vec<usize> = std::iter::from_fn(next).collect();
        assert_eq!(all, [2, 4, 0, 1, 3]);
        speakers.begin(4);
        speakers.begin(5);
        speakers.retain(|&key| key == 5);
        assert_eq!(turn(&mut speakers, now), [5]);
    }
}
