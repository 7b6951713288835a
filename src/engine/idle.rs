//! Idleness: which member was active the longest ago, without a timer for each.
//!
//! All members stand in one list in the order of their last activity. A member that is active moves
//! to the end of the list, so its front has the next deadline, and no search is needed, however
//! many are active.
//!
//! It promises: everything is O(1), and nothing is allocated but for a key greater than any before;
//! the list is one, in the order of activity, from either end (checked where it changes, in a debug
//! build).

use std::time::Duration;
use std::time::Instant;

/// Members that may be idle for a time, by key. The time given must never go back.
#[derive(Debug)]
pub struct Idle {
    limit: Duration,
    places: Vec<Option<Place>>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

/// A member's place in the list.
#[derive(Debug)]
struct Place {
    active: Instant,
    older: Option<usize>,
    newer: Option<usize>,
}

impl Idle {
    /// An empty list.
    pub fn new(limit: Duration) -> Idle {
        Idle {
            limit,
            places: Vec::new(),
            oldest: None,
            newest: None,
        }
    }

    /// How long a member may be idle.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// A member came, or was active.
    pub fn touch(&mut self, key: usize, now: Instant) {
        if self.newest == Some(key) {
            self.place(key).active = now;
            return;
        }
        self.remove(key);
        if self.places.len() <= key {
            self.places.resize_with(key + 1, || None);
        }
        let older = self.newest.replace(key);
        match older {
            Some(older) => self.place(older).newer = Some(key),
            None => self.oldest = Some(key),
        }
        self.places[key] = Some(Place {
            active: now,
            older,
            newer: None,
        });
        self.check(key);
    }

    /// A member left; it need not have been in the list.
    pub fn remove(&mut self, key: usize) {
        let Some(left) = self.places.get_mut(key).and_then(Option::take) else {
            return;
        };
        match left.older {
            Some(older) => self.place(older).newer = left.newer,
            None => self.oldest = left.newer,
        }
        match left.newer {
            Some(newer) => self.place(newer).older = left.older,
            None => self.newest = left.older,
        }
        if let Some(key) = left.older.or(left.newer) {
            self.check(key);
        }
    }

    /// The member that was active the longest ago.
    pub fn oldest(&self) -> Option<usize> {
        self.oldest
    }

    /// When the time of the first of them is over, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let oldest = self.places[self.oldest?].as_ref()?;
        Some(oldest.active + self.limit)
    }

    /// Takes a member whose time is over out of the list.
    pub fn expired(&mut self, now: Instant) -> Option<usize> {
        let key = self.oldest.filter(|_| self.deadline() <= Some(now))?;
        self.remove(key);
        Some(key)
    }

    /// Checks the place of `key`, in debug builds: its neighbours link back to it, in order; a
    /// member without one is at that end of the list.
    fn check(&self, key: usize) {
        if !cfg!(debug_assertions) {
            return;
        }
        let place = |key: usize| self.places[key].as_ref().expect("a neighbour is there");
        let own = place(key);
        match own.older.map(place) {
            Some(older) => {
                assert_eq!(older.newer, Some(key), "the older one does not know it");
                assert!(older.active <= own.active, "the list is out of order");
            }
            None => assert_eq!(self.oldest, Some(key), "the oldest is not the first"),
        }
        match own.newer.map(place) {
            Some(newer) => {
                assert_eq!(newer.older, Some(key), "the newer one does not know it");
                assert!(own.active <= newer.active, "the list is out of order");
            }
            None => assert_eq!(self.newest, Some(key), "the newest is not the last"),
        }
    }

    fn place(&mut self, key: usize) -> &mut Place {
        self.places[key]
            .as_mut()
            .expect("whoever is pointed to is there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn it_does_what_a_search_among_all_would() {
        for seed in 1..200_u64 {
            let mut state = seed;
            let mut random = |below: u64| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 33) % below
            };
            let mut idle = Idle::new(LIMIT);
            let mut model: Vec<(Instant, usize)> = Vec::new();
            let mut now = Instant::now();
            for _ in 0..500 {
                now += Duration::from_millis(random(900));
                let key = random(12) as usize;
                match random(5) {
                    0 => {
                        idle.remove(key);
                        model.retain(|&(_, other)| other != key);
                    }
                    _ => {
                        idle.touch(key, now);
                        model.retain(|&(_, other)| other != key);
                        model.push((now, key));
                    }
                }
                let first = model.first().map(|(active, _)| *active + LIMIT);
                assert_eq!(idle.deadline(), first, "seed {seed}");
                while let Some(&(active, key)) = model.first()
                    && active + LIMIT <= now
                {
                    assert_eq!(idle.expired(now), Some(key), "seed {seed}");
                    model.remove(0);
                }
                assert_eq!(idle.expired(now), None, "seed {seed}");
            }
        }
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_list_that_is_out_of_order_does_not_pass() {
        let start = Instant::now();
        for harm in 0..4 {
            let mut idle = Idle::new(LIMIT);
            for key in 0..4 {
                idle.touch(key, start);
            }
            match harm {
                0 => idle.place(1).newer = Some(3),
                1 => idle.place(2).older = None,
                2 => idle.place(2).active = start + LIMIT,
                _ => idle.newest = Some(2),
            }
            let found = std::panic::catch_unwind(|| (0..4).for_each(|key| idle.check(key)));
            assert!(found.is_err(), "{harm} passes");
        }
    }

    #[test]
    fn the_time_is_over_exactly_at_the_limit() {
        let start = Instant::now();
        let mut idle = Idle::new(LIMIT);
        assert_eq!((idle.deadline(), idle.expired(start)), (None, None));
        idle.touch(3, start);
        idle.touch(1, start);
        idle.touch(3, start + LIMIT / 2);
        assert_eq!(idle.deadline(), Some(start + LIMIT));
        assert_eq!(idle.expired(start + LIMIT - Duration::from_nanos(1)), None);
        assert_eq!(idle.expired(start + LIMIT), Some(1));
        assert_eq!(idle.expired(start + LIMIT), None);
        assert_eq!(idle.deadline(), Some(start + LIMIT / 2 + LIMIT));
    }
}
