//! Senders: the addresses that were heard by UDP, and may be answered.
//!
//! There is no connection, so typed lines go to every address that sent something within a time. A
//! sender can write any address on a datagram (RFC 2827 tells of networks that let it): to an
//! address that spoke once only, at most [`FACTOR`] times what came from it goes out (as RFC 9000,
//! 8.1, has it for QUIC).
//!
//! ```text
//!   unknown ─► heard once (at most three times its bytes) ─► heard twice (everything)
//!      ▲                  │                                        │
//!      └──────────────────┴──── not heard for the time ◄───────────┘
//! ```
//!
//! It promises: at most [`MOST`] are remembered; where there are so many, a sender that spoke once
//! only makes way for another one, the longest silent first, and one that spoke twice does not; a
//! number is never given again.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use slab::Slab;

use super::idle::Idle;

/// How many are remembered.
pub const MOST: usize = 1024;

/// How many times what came from an address goes to it before it spoke again.
pub const FACTOR: u64 = 3;

/// A sender was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<A> {
    /// One that is remembered, by its number.
    Known(u32),
    /// One that was not; another one was forgotten for it, perhaps.
    New(u32, Option<(u32, A)>),
    /// A sender for which there is no place: it is not answered.
    Crowd,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Senders<A> {
    keys: BTreeMap<A, usize>,
    all: Slab<Sender<A>>,
    /// All of them, and those who spoke once only.
    idle: Idle,
    once: Idle,
    numbers: u32,
}

#[derive(Debug)]
struct Sender<A> {
    addr: A,
    number: u32,
    twice: bool,
    received: u64,
    sent: u64,
}

impl<A: Copy + Ord> Senders<A> {
    /// No sender yet; one that is not heard for so long is forgotten.
    pub fn new(time: Duration) -> Senders<A> {
        Senders {
            keys: BTreeMap::new(),
            all: Slab::new(),
            idle: Idle::new(time),
            once: Idle::new(time),
            numbers: 0,
        }
    }

    /// A datagram of so many bytes came from there.
    pub fn heard(&mut self, addr: A, len: usize, now: Instant) -> Heard<A> {
        let len = len as u64;
        if let Some(&key) = self.keys.get(&addr) {
            let sender = &mut self.all[key];
            sender.twice = true;
            sender.received += len;
            self.once.remove(key);
            self.idle.touch(key, now);
            return Heard::Known(sender.number);
        }
        let mut forgotten = None;
        if self.all.len() == MOST {
            let Some(key) = self.once.oldest() else {
                return Heard::Crowd;
            };
            forgotten = Some(self.forget(key));
        }
        self.numbers += 1;
        let key = self.all.insert(Sender {
            addr,
            number: self.numbers,
            twice: false,
            received: len,
            sent: 0,
        });
        self.keys.insert(addr, key);
        self.idle.touch(key, now);
        self.once.touch(key, now);
        Heard::New(self.numbers, forgotten)
    }

    /// Forgets a sender that was not heard for the time: its number and address.
    pub fn expired(&mut self, now: Instant) -> Option<(u32, A)> {
        let key = self.idle.expired(now)?;
        Some(self.forget(key))
    }

    fn forget(&mut self, key: usize) -> (u32, A) {
        self.idle.remove(key);
        self.once.remove(key);
        let sender = self.all.remove(key);
        self.keys.remove(&sender.addr);
        (sender.number, sender.addr)
    }

    /// When to ask [`Senders::expired`].
    pub fn deadline(&self) -> Option<Instant> {
        self.idle.deadline()
    }

    /// The senders that get a datagram of so many bytes now, and how many do not, since they spoke
    /// once only.
    pub fn address(&mut self, len: usize) -> (Vec<A>, usize) {
        let mut addrs = Vec::with_capacity(self.all.len());
        for (_, sender) in &mut self.all {
            let sent = sender.sent + len as u64;
            if sender.twice || sent <= FACTOR * sender.received {
                sender.sent = sent;
                addrs.push(sender.addr);
            }
        }
        let left_out = self.all.len() - addrs.len();
        (addrs, left_out)
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many ever were.
    pub fn ever(&self) -> u32 {
        self.numbers
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIME: Duration = Duration::from_secs(600);

    #[test]
    fn whoever_spoke_once_gets_three_times_as_much() {
        let now = Instant::now();
        let mut senders = Senders::new(TIME);
        assert_eq!(senders.heard('a', 10, now), Heard::New(1, None));
        assert_eq!(senders.address(20), (vec!['a'], 0));
        assert_eq!(senders.address(11), (vec![], 1));
        assert_eq!(senders.address(10), (vec!['a'], 0));
        assert_eq!(senders.address(1), (vec![], 1));
        assert_eq!(senders.heard('a', 0, now), Heard::Known(1));
        assert_eq!(senders.address(100_000), (vec!['a'], 0));
    }

    #[test]
    fn whoever_is_silent_is_forgotten() {
        let start = Instant::now();
        let mut senders = Senders::new(TIME);
        senders.heard('a', 1, start);
        senders.heard('b', 1, start + TIME / 2);
        senders.heard('a', 1, start + TIME / 2);
        assert_eq!(senders.expired(start + TIME), None);
        assert_eq!(senders.deadline(), Some(start + TIME / 2 + TIME));
        let end = start + 2 * TIME;
        assert_eq!(senders.expired(end), Some((2, 'b')));
        assert_eq!(senders.expired(end), Some((1, 'a')));
        assert_eq!((senders.expired(end), senders.is_empty()), (None, true));
        assert_eq!(senders.heard('a', 1, end), Heard::New(3, None));
    }

    #[test]
    fn a_crowd_of_addresses_pushes_nobody_out_who_spoke_twice() {
        let start = Instant::now();
        let mut senders = Senders::new(TIME);
        senders.heard(0, 1, start);
        senders.heard(0, 1, start);
        for addr in 1..5 * MOST {
            senders.heard(addr, 1, start + Duration::from_millis(addr as u64));
            assert!(senders.len() <= MOST);
        }
        let now = start + Duration::from_secs(10);
        assert_eq!(senders.heard(0, 1, now), Heard::Known(1));
        let last = 5 * MOST - 1;
        for addr in last + 2 - MOST..=last {
            assert!(matches!(senders.heard(addr, 1, now), Heard::Known(_)));
        }
        assert_eq!(senders.heard(last + 1, 1, now), Heard::Crowd);
    }

    proptest! {
        /// Whatever comes from whom: nobody who spoke once gets more than three times its bytes.
        #[test]
        fn nobody_gets_more_than_it_may(
            steps in prop::collection::vec((any::<bool>(), 0_u8..6, 0_usize..2000), 0..200),
        ) {
            let now = Instant::now();
            let mut senders = Senders::new(TIME);
            let mut model: BTreeMap<u8, (u32, u64, u64)> = BTreeMap::new();
            for (hears, addr, len) in steps {
                if hears {
                    senders.heard(addr, len, now);
                    let (times, received, _) = model.entry(addr).or_default();
                    *times += 1;
                    *received += len as u64;
                    continue;
                }
                for addr in senders.address(len).0 {
                    let (times, received, sent) = model.get_mut(&addr).unwrap();
                    *sent += len as u64;
                    prop_assert!(*times > 1 || *sent <= 3 * *received);
                }
            }
            prop_assert_eq!(senders.len(), model.len());
        }
    }
}
