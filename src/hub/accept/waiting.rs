//! Waiting: newcomers that found no place, for which the room is asked again for a moment.
//!
//! A member that left before the newcomer connected may not have been read to its end yet, the
//! event of its end may come after those of this turn, and the end itself after a SYN that was sent
//! later (the kernel hands over packets of several processors in any order).
//!
//! It promises: the room is asked for them in the order in which they came, and for each at least once
//! more after the last that was let in before it; none waits longer than [`PATIENCE`] for that one to leave; none is
//! refused before the hub acted on what events had told by then; no more than [`MOST`] wait.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::engine::admit::AdmissionError;

/// How long a newcomer that found no place is asked again.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// Newcomers that are asked again, at a time; more than that are refused, the first first.
const MOST: usize = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The first first.
    queue: VecDeque<Newcomer>,
    /// A place may have been freed since they were asked.
    asks_again: bool,
}

/// One that found no place.
#[derive(Debug)]
struct Newcomer {
    key: usize,
    /// Until when it is asked for.
    until: Instant,
    /// That is over, and it is asked for the last time.
    is_late: bool,
}

/// What came of asking again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) admitted: Vec<usize>,
    pub(super) refused: Vec<(usize, AdmissionError)>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether they are to be asked at once.
    pub(super) fn asks_again(&self) -> bool {
        self.asks_again
    }

    /// When the first of them was asked for long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.queue.front().map(|newcomer| newcomer.until)
    }

    /// A place may have been freed.
    pub(super) fn freed(&mut self) {
        self.asks_again = !self.queue.is_empty();
    }

    /// A newcomer found no place. Returns the one that is refused, if too many wait.
    pub(super) fn push(&mut self, key: usize, now: Instant) -> Option<usize> {
        let first = match self.queue.len() {
            MOST.. => self.queue.pop_front(),
            _ => None,
        };
        self.queue.push_back(Newcomer {
            key,
            until: now + PATIENCE,
            is_late: false,
        });
        // What the events of this turn bring is known in the next.
        self.asks_again = true;
        first.map(|newcomer| newcomer.key)
    }

    /// Looks for a place for all of them; for those that have waited long enough, for the last
    /// time in the next turn, since an event of this one may have told that a member left: this process may have stood
    /// still since. Whoever is let in may have left before the next connected, which no event has told yet: so the
    /// others wait on.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        mut ask: impl FnMut(usize) -> Result<(), AdmissionError>,
    ) -> Asked {
        let mut asked = Asked::default();
        self.queue.retain_mut(|newcomer| {
            match ask(newcomer.key) {
                Ok(()) => asked.admitted.push(newcomer.key),
                Err(_) if !asked.admitted.is_empty() => {
                    newcomer.until = now + PATIENCE;
                    newcomer.is_late = false;
                    return true;
                }
                Err(refusal) if newcomer.is_late => asked.refused.push((newcomer.key, refusal)),
                Err(_) => {
                    newcomer.is_late = newcomer.until <= now;
                    return true;
                }
            }
            false
        });
        self.asks_again = self.queue.iter().any(|newcomer| newcomer.is_late);
        asked
    }

    /// Takes out those for which the closure says so.
    pub(super) fn take_those(&mut self, mut ends: impl FnMut(usize) -> bool) -> Vec<usize> {
        let mut ended = Vec::new();
        self.queue.retain(|newcomer| {
            let stays = !ends(newcomer.key);
            if !stays {
                ended.push(newcomer.key);
            }
            stays
        });
        ended
    }

    /// All of them, who wait no more.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = usize> {
        self.asks_again = false;
        self.queue.drain(..).map(|newcomer| newcomer.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: AdmissionError = AdmissionError::Full(1);

    #[test]
    fn they_are_asked_in_order_until_their_time_is_over() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        let millisecond = Duration::from_millis(1);
        assert_eq!(waiting.push(3, now), None);
        assert_eq!(waiting.push(1, now + millisecond), None);
        assert!(waiting.asks_again());
        assert_eq!(waiting.deadline(), Some(now + PATIENCE));
        let nobody = waiting.ask(now + millisecond, |_| Err(FULL));
        assert_eq!(nobody, Asked::default());
        assert!(!waiting.asks_again());
        waiting.freed();
        assert!(waiting.asks_again());
        // The one place is the first's, and then the other's, if the first has left: which is not known yet, even if
        // this process stood still.
        let mut places = 1;
        let late = now + 2 * PATIENCE;
        let one = waiting.ask(late, |_| match places {
            0 => Err(FULL),
            _ => {
                places -= 1;
                Ok(())
            }
        });
        assert_eq!((one.admitted, one.refused), (vec![3], vec![]));
        let nobody = waiting.ask(late + millisecond, |_| Err(FULL));
        assert_eq!(nobody, Asked::default());
        assert!(!waiting.asks_again());
        let nobody = waiting.ask(late + PATIENCE, |_| Err(FULL));
        assert_eq!(nobody, Asked::default());
        assert!(waiting.asks_again());
        let last = waiting.ask(late + PATIENCE, |_| Err(FULL));
        assert_eq!((last.admitted, last.refused), (vec![], vec![(1, FULL)]));
        waiting.freed();
        assert!(waiting.is_empty() && !waiting.asks_again());
    }

    /// An event told of a place at the moment at which the time was over.
    #[test]
    fn what_was_told_in_time_is_acted_on_first() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        waiting.push(3, now);
        assert_eq!(waiting.ask(now + PATIENCE, |_| Err(FULL)), Asked::default());
        assert!(waiting.asks_again());
        let asked = waiting.ask(now + PATIENCE, |_| Ok(()));
        assert_eq!((asked.admitted, asked.refused), (vec![3], vec![]));
        assert!(waiting.is_empty() && !waiting.asks_again());
    }

    #[test]
    fn of_too_many_the_first_is_refused() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        assert!((0..MOST).all(|key| waiting.push(key, now).is_none()));
        assert_eq!(waiting.push(MOST, now), Some(0));
        assert_eq!(waiting.take_those(|key| key < 3), [1, 2]);
        let keys: Vec<usize> = waiting.take_all().collect();
        assert_eq!(keys, (3..=MOST).collect::<Vec<_>>());
        assert!(waiting.deadline().is_none() && !waiting.asks_again());
    }
}
