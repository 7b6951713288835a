//! Handshakes under way: whose turn it is, whose time is over, and who makes way when there are too
//! many.
//!
//! A handshake costs its listener far more than the peer that begins it, so a flood of beginnings
//! must not push out a peer that is about to finish. Whether a peer goes on is all that can be
//! known of it:
//!
//! ```text
//!   begun ─► silent ─► ready (it said something) ─► awaited (it was answered) ─► ready ─► … ─► ended
//!               │                                       │
//!               └── makes way after SILENCE             └── makes way after GRACE
//! ```
//!
//! Where none can make way the hub does not accept for a while: newcomers wait in the listener's
//! backlog. They make way for a newcomer that needs a descriptor, too.
//!
//! It promises: at most [`MOST`] are under way, each for [`LIMIT`] at most; turns are taken in the order
//! in which something was said; a peer that has said something which was not looked at yet never makes
//! way, and one that was answered has [`GRACE`] to go on.

use core::net::IpAddr;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// How long a handshake may take.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Handshakes at a time. Each takes some ten KiB; with the longest messages that TLS allows, all
/// together less than 100 MiB.
pub const MOST: usize = 1024;

/// How long a peer that was answered may take to go on, though others come: one round trip. So many
/// handshakes can be begun in a second as a processor can answer, though none is ended.
pub const GRACE: Duration = Duration::from_millis(500);

/// How long a peer may be silent, though others come: its first words are sent with the last packet of
/// the connection's own handshake.
pub const SILENCE: Duration = Duration::from_millis(250);

/// How many make way at a time, so that a search among all is not needed for each newcomer.
const BATCH: usize = MOST / 16;

/// The handshakes under way, by the keys of their connections. See the module's documentation.
#[derive(Debug, Default)]
pub struct Handshakes {
    places: BTreeMap<usize, Place>,
    /// In the order of their beginnings, and so of their deadlines. Some may have ended.
    begun: VecDeque<(Instant, usize)>,
    /// Those whose turn it is. Some may have ended.
    ready: VecDeque<usize>,
}

#[derive(Debug)]
struct Place {
    ip: Option<IpAddr>,
    began: Instant,
    /// When it was last answered, or began.
    since: Instant,
    has_spoken: bool,
    is_ready: bool,
}

impl Place {
    /// Whether it need not be waited for while others want its place.
    fn may_make_way(&self, now: Instant) -> bool {
        !self.is_ready && self.until() <= now
    }

    /// Until when it is waited for though others want its place.
    fn until(&self) -> Instant {
        self.since + if self.has_spoken { GRACE } else { SILENCE }
    }
}

impl Handshakes {
    /// How many are under way.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether there is no place for another, and none that could make way now.
    pub fn is_stuck(&self, now: Instant) -> bool {
        self.len() >= MOST && !self.places.values().any(|place| place.may_make_way(now))
    }

    /// A connection from `ip`, if it has an address, begins; not to be called while it
    /// [is stuck](Handshakes::is_stuck). Returns those that make way for it, which are under way no
    /// longer.
    pub fn begin(&mut self, key: usize, ip: Option<IpAddr>, now: Instant) -> Vec<usize> {
        let made_way = match self.len() >= MOST {
            true => self.make_way(now),
            false => Vec::new(),
        };
        let place = Place {
            ip: ip.map(|ip| ip.to_canonical()),
            began: now,
            since: now,
            has_spoken: false,
            is_ready: false,
        };
        self.places.insert(key, place);
        self.begun.push_back((now, key));
        made_way
    }

    /// Something came from a peer: it has a turn.
    pub fn wake(&mut self, key: usize) {
        if let Some(place) = self.places.get_mut(&key)
            && !std::mem::replace(&mut place.is_ready, true)
        {
            self.ready.push_back(key);
        }
    }

    /// Whether any has a turn.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whose turn it is.
    pub fn next_ready(&mut self) -> Option<usize> {
        while let Some(key) = self.ready.pop_front() {
            if let Some(place) = self.places.get_mut(&key)
                && std::mem::take(&mut place.is_ready)
            {
                return Some(key);
            }
        }
        None
    }

    /// What a peer said was answered; it has to say more.
    pub fn answered(&mut self, key: usize, now: Instant) {
        if let Some(place) = self.places.get_mut(&key) {
            place.since = now;
            place.has_spoken = true;
        }
    }

    /// A handshake is over, with success or not.
    pub fn end(&mut self, key: usize) {
        self.places.remove(&key);
        self.forget_ended();
    }

    /// Takes out those for which the closure says so. Returns which they were.
    pub fn end_those(&mut self, mut ends: impl FnMut(usize) -> bool) -> Vec<usize> {
        let keys = self.places.keys().copied();
        let keys: Vec<usize> = keys.filter(|&key| ends(key)).collect();
        keys.iter().for_each(|&key| self.end(key));
        keys
    }

    /// When the time of the first of them is over, or one that is awaited may make way.
    pub fn deadline(&self) -> Option<Instant> {
        let late = self.begun.front().map(|(began, _)| *began + LIMIT);
        let awaited = self.places.values().filter(|place| !place.is_ready);
        let place = match self.len() >= MOST {
            true => awaited.map(Place::until).min(),
            false => None,
        };
        [late, place].into_iter().flatten().min()
    }

    /// Takes out one whose time is over.
    pub fn take_late(&mut self, now: Instant) -> Option<usize> {
        let &(began, key) = self.begun.front()?;
        if now < began + LIMIT {
            return None;
        }
        self.end(key);
        Some(key)
    }

    /// Takes out those that are the least likely to come to an end, at most a sixteenth of
    /// [`MOST`]: those of the address that has most under way; of these, peers that said nothing
    /// before peers that did, and those that were awaited the longest first. Returns which they
    /// were.
    pub fn make_way(&mut self, now: Instant) -> Vec<usize> {
        let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for place in self.places.values() {
            *counts.entry(place.ip).or_default() += 1;
        }
        let mut awaited: Vec<(usize, &Place)> = self
            .places
            .iter()
            .filter(|(_, place)| place.may_make_way(now))
            .map(|(key, place)| (*key, place))
            .collect();
        awaited
            .sort_by_key(|(_, place)| (Reverse(counts[&place.ip]), place.has_spoken, place.since));
        let keys: Vec<usize> = awaited
            .into_iter()
            .take(BATCH)
            .map(|(key, _)| key)
            .collect();
        for key in &keys {
            self.places.remove(key);
        }
        self.forget_ended();
        keys
    }

    /// Those that ended leave the queue of the deadlines when they come to its front, so that an end
    /// costs nothing; and all of them when they are more than those under way.
    fn forget_ended(&mut self) {
        let places = &self.places;
        let is_there =
            |&(began, key): &(Instant, usize)| places.get(&key).is_some_and(|p| p.began == began);
        while self.begun.front().is_some_and(|entry| !is_there(entry)) {
            self.begun.pop_front();
        }
        if self.begun.len() > 2 * places.len() + BATCH {
            self.begun.retain(is_there);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    /// A thousand beginnings from one address for each of an honest peer of the same that needs a
    /// second for its two answers.
    #[test]
    fn who_goes_on_is_not_pushed_out_by_who_begins() {
        let mut handshakes = Handshakes::default();
        let mut now = Instant::now();
        let (mut honest, mut fresh, mut ended) = (Vec::new(), 100, 0);
        for tick in 0..4000_usize {
            now += Duration::from_millis(1);
            let mut newcomers: Vec<usize> = (fresh..fresh + 13).collect();
            fresh += 13;
            if tick.is_multiple_of(500) {
                newcomers.insert(0, tick / 500);
            }
            for key in newcomers {
                if handshakes.is_stuck(now) {
                    // It waits in the backlog.
                    continue;
                }
                let made_way = handshakes.begin(key, ip(1), now);
                let pushed_out = honest.iter().find(|key| made_way.contains(key));
                assert_eq!(pushed_out, None, "after {tick} ms");
                handshakes.wake(key);
                if key < 100 {
                    honest.push(key);
                }
            }
            for _ in 0..2 {
                if let Some(key) = handshakes.next_ready() {
                    handshakes.answered(key, now);
                }
            }
            // The honest one answers 100 ms later, and that is its end.
            honest.retain(|&key| {
                let place = &handshakes.places[&key];
                let is_over = place.has_spoken && now >= place.since + Duration::from_millis(100);
                if is_over {
                    handshakes.end(key);
                    ended += 1;
                }
                !is_over
            });
        }
        assert!(handshakes.len() <= MOST && handshakes.begun.len() <= 3 * MOST);
        assert!(honest.len() < 3, "{honest:?} wait");
        assert!(ended >= 2, "{ended} came to their ends");
    }

    #[test]
    fn the_address_with_the_most_makes_way() {
        let mut handshakes = Handshakes::default();
        let now = Instant::now();
        for key in 0..MOST {
            let last = if key < 300 { 1 } else { 2 };
            assert!(handshakes.begin(key, ip(last), now).is_empty());
        }
        assert!(handshakes.is_stuck(now));
        assert_eq!(handshakes.deadline(), Some(now + SILENCE));
        let now = now + SILENCE;
        // Somebody else's silence is older.
        let made_way = handshakes.begin(MOST, ip(3), now);
        assert_eq!(made_way.len(), BATCH);
        assert!(made_way.iter().all(|&key| key >= 300), "{made_way:?}");
        assert!(handshakes.begin(MOST + 1, ip(3), now).is_empty());
    }

    #[test]
    fn the_silent_make_way_first_then_who_is_awaited_longest() {
        let mut handshakes = Handshakes::default();
        let start = Instant::now();
        for key in 0..MOST {
            handshakes.begin(key, ip(1), start);
            handshakes.wake(key);
            if key >= 10 {
                assert!(handshakes.next_ready().is_some());
                handshakes.answered(key, start + Duration::from_millis(key as u64));
            }
        }
        // Those of the first ten that had their turn before the last ten: nobody is silent.
        let silent = handshakes.places.values().filter(|place| !place.has_spoken);
        assert_eq!(silent.count(), 10);
        let now = start + GRACE + Duration::from_secs(2);
        assert!(!handshakes.is_stuck(now));
        let made_way = handshakes.begin(MOST, ip(1), now);
        let spoke = |key: &&usize| **key >= 10;
        let first = made_way.iter().find(spoke).unwrap();
        assert!(made_way.len() == BATCH && *first < 30, "{made_way:?}");
        assert_eq!(handshakes.len(), MOST + 1 - BATCH);
    }

    #[test]
    fn nobody_makes_way_who_has_a_turn() {
        let mut handshakes = Handshakes::default();
        let now = Instant::now();
        for key in 0..MOST {
            handshakes.begin(key, None, now);
            handshakes.wake(key);
            handshakes.wake(key);
        }
        let now = now + LIMIT;
        assert!(handshakes.is_stuck(now));
        assert_eq!(handshakes.next_ready(), Some(0));
        assert!(!handshakes.is_stuck(now));
        assert_eq!(handshakes.begin(MOST, None, now), [0]);
        let turns = std::iter::from_fn(|| handshakes.next_ready()).count();
        assert_eq!(turns, MOST - 1);
    }

    #[test]
    fn each_has_its_time() {
        let mut handshakes = Handshakes::default();
        let start = Instant::now();
        handshakes.begin(1, None, start);
        handshakes.begin(2, None, start + Duration::from_secs(1));
        handshakes.begin(3, None, start + Duration::from_secs(2));
        handshakes.end(1);
        assert_eq!(
            handshakes.deadline(),
            Some(start + Duration::from_secs(1) + LIMIT)
        );
        // A key is given again.
        handshakes.begin(1, None, start + Duration::from_secs(3));
        let now = start + Duration::from_secs(2) + LIMIT;
        assert_eq!(handshakes.take_late(now), Some(2));
        assert_eq!(handshakes.take_late(now), Some(3));
        assert_eq!(handshakes.take_late(now), None);
        handshakes.begin(2, None, now);
        assert_eq!(handshakes.end_those(|key| key == 2), [2]);
        assert_eq!(handshakes.len(), 1);
        assert_eq!(handshakes.end_those(|_| true), [1]);
        assert_eq!((handshakes.deadline(), handshakes.is_empty()), (None, true));
    }
}
