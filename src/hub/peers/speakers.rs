//! Speakers: the keys of peers that have something to say, in the order of their turns.
//!
//! It promises: a speaker that had nothing to say before comes before those that speak without a
//! pause, and in every other turn one of these comes first, so that they are not starved; a speaker that may
//! not be read just now keeps its place.

use std::collections::VecDeque;
use std::time::Instant;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    /// Something can be read. A speaker that was held back for the others' sake stays at its place.
    readable: VecDeque<usize>,
    /// The same of peers that had nothing to say when they were read last.
    fresh: VecDeque<usize>,
    /// Readable, but not allowed to speak just now.
    parked: Vec<usize>,
    /// Readable, but more than its rate just now; and when to look again who of them may be read.
    limited: Vec<usize>,
    release: Option<Instant>,
    /// Counts the turns, so that it is known who was read in this one.
    turn: u32,
}

impl Speakers {
    /// A turn begins: those come back to the others whose time has come, or may have.
    pub(super) fn begin_turn(&mut self, now: Instant) {
        self.turn = self.turn.wrapping_add(1);
        self.readable.extend(self.parked.drain(..));
        if self.release.is_some_and(|release| release <= now) {
            self.release_limited();
        }
    }

    fn release_limited(&mut self) {
        self.release = None;
        self.readable.extend(self.limited.drain(..));
    }

    /// The number of this turn.
    pub(super) fn turn(&self) -> u32 {
        self.turn
    }

    /// How many are to be read in this turn.
    pub(super) fn len(&self) -> usize {
        self.readable.len() + self.fresh.len()
    }

    /// The speaker to read next; `is_first`: none was read in this turn yet.
    pub(super) fn next(&mut self, is_first: bool) -> Option<usize> {
        let (first, then) = match is_first && self.turn.is_multiple_of(2) {
            true => (&mut self.readable, &mut self.fresh),
            false => (&mut self.fresh, &mut self.readable),
        };
        first.pop_front().or_else(|| then.pop_front())
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
    pub(super) fn park(&mut self, key: usize) {
        self.parked.push(key);
    }

    /// A peer spoke more than its rate, and may not go on before that time.
    pub(super) fn limit(&mut self, key: usize, until: Instant) {
        self.limited.push(key);
        self.release = Some(self.release.map_or(until, |at| at.min(until)));
    }

    /// When to look again at the peers that spoke more than their rate.
    pub(super) fn release(&self) -> Option<Instant> {
        self.release
    }

    /// Puts all of them in the order of how much they said lately, the least first.
    pub(super) fn order_by<K: Ord>(&mut self, said: impl Fn(&usize) -> K) {
        self.release_limited();
        self.readable.append(&mut self.fresh);
        let waiting = self.readable.make_contiguous();
        waiting.sort_by_cached_key(said);
    }

    /// Whether any speaker is to be read that may speak; those that spoke more than their rate
    /// count if all `was_released`.
    pub(super) fn is_due(&self, may_speak: impl Fn(usize) -> bool, was_released: bool) -> bool {
        self.len() > 0
            || self.parked.iter().any(|&key| may_speak(key))
            || (was_released && !self.limited.is_empty())
    }

    /// Forgets all but those.
    pub(super) fn retain(&mut self, stays: impl Fn(&usize) -> bool) {
        self.readable.retain(&stays);
        self.fresh.retain(&stays);
        self.parked.retain(&stays);
        self.limited.retain(&stays);
    }

    /// All of their keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &usize> {
        let asked = self.readable.iter().chain(&self.fresh);
        asked.chain(&self.parked).chain(&self.limited)
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
        std::iter::from_fn(next).collect()
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
        speakers.park(0);
        speakers.limit(1, now + second);
        speakers.limit(2, now + 2 * second);
        assert_eq!(speakers.release(), Some(now + second));
        assert_eq!(speakers.keys().count(), 3);
        assert!(speakers.is_due(|key| key == 0, false));
        assert!(!speakers.is_due(|_| false, false));
        assert!(speakers.is_due(|_| false, true));
        assert_eq!(turn(&mut speakers, now), [0]);
        assert_eq!(turn(&mut speakers, now + second), [1, 2]);
        assert_eq!(speakers.release(), None);
    }

    #[test]
    fn who_said_least_comes_first_when_all_may_speak_again() {
        let now = Instant::now();
        let mut speakers = Speakers::default();
        speakers.go_on(3);
        speakers.begin(1);
        speakers.limit(2, now + Duration::from_secs(9));
        speakers.park(0);
        speakers.begin_turn(now);
        speakers.order_by(|&key| key as u64);
        let all: Vec<usize> = std::iter::from_fn(|| speakers.next(true)).collect();
        assert_eq!(all, [0, 1, 2, 3]);
        speakers.begin(4);
        speakers.begin(5);
        speakers.retain(|&key| key == 5);
        assert_eq!(turn(&mut speakers, now), [5]);
    }
}
