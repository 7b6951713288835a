//! Senders: the addresses that were heard by UDP, and how many bytes may go there.
//!
//! There is no connection, so typed lines go to every address that sent something within a time. A sender can write
//! any address on a datagram (RFC 2827 tells of networks that let it). So to an address that has not shown that it
//! receives, at most [`FACTOR`] times the bytes that came from it go out (as RFC 9000, 8.1, has it for QUIC), with the
//! headers, in both directions: an empty line is 29 bytes on the wire. An address shows that it receives by saying
//! something after a datagram went there; the second of two datagrams in a burst shows nothing.
//!
//! ```text
//!   unknown ─► heard (three times its bytes) ─► something went there ─► it says something: everything goes there
//!      ▲                  │                               │                                  │
//!      └──────────────────┴────── not heard for the time ─┴──────────────────────────────────┘
//! ```
//!
//! It promises: at most [`MOST`] are remembered. Where there are so many, a new sender takes the place of one that
//! spoke once only, else of one that has not shown that it receives, the longest silent first; one that has shown it
//! stays. A number is never given again.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use slab::Slab;

use crate::engine::idle::Idle;

/// How many are remembered.
pub const MOST: usize = 1024;

/// How many times what came from an address goes to it before it has shown that it receives.
pub const FACTOR: u64 = 3;

/// Where datagrams come from, and go to.
pub trait Address: Copy + Ord {
    /// Bytes of the headers in front of what is said: 28 with IPv4, 48 with IPv6.
    fn headers(&self) -> usize;
}

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

/// The senders that get a datagram.
#[derive(Debug, PartialEq, Eq)]
pub struct Reach<A> {
    /// These.
    pub to: VecDeque<A>,
    /// The first of those that do not get it and were never left out before, and how many more there are.
    pub left_out: Option<(u32, A, usize)>,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Senders<A> {
    keys: BTreeMap<A, usize>,
    all: Slab<Sender<A>>,
    /// All of them, those who spoke once only, and those who spoke again but have not shown that they receive.
    idle: Idle,
    once: Idle,
    unproven: Idle,
    numbers: u32,
}

#[derive(Debug)]
struct Sender<A> {
    addr: A,
    number: u32,
    receives: bool,
    /// On the wire.
    received: u64,
    sent: u64,
    /// Something went there.
    answered: bool,
    /// That it was left out is known.
    told: bool,
}

impl<A: Address> Senders<A> {
    /// No sender yet; one that is not heard for so long is forgotten.
    pub fn new(time: Duration) -> Senders<A> {
        Senders {
            keys: BTreeMap::new(),
            all: Slab::new(),
            idle: Idle::new(time),
            once: Idle::new(time),
            unproven: Idle::new(time),
            numbers: 0,
        }
    }

    /// A datagram of so many bytes came from there.
    pub fn heard(&mut self, addr: A, len: usize, now: Instant) -> Heard<A> {
        let wire = wire(&addr, len);
        if let Some(&key) = self.keys.get(&addr) {
            let sender = &mut self.all[key];
            sender.received += wire;
            sender.receives |= sender.answered && len > 0;
            self.once.remove(key);
            match sender.receives {
                true => self.unproven.remove(key),
                false => self.unproven.touch(key, now),
            }
            self.idle.touch(key, now);
            return Heard::Known(sender.number);
        }
        let mut forgotten = None;
        if self.all.len() == MOST {
            let Some(key) = self.once.oldest().or(self.unproven.oldest()) else {
                return Heard::Crowd;
            };
            forgotten = Some(self.forget(key));
        }
        self.numbers += 1;
        let key = self.all.insert(Sender {
            addr,
            number: self.numbers,
            receives: false,
            received: wire,
            sent: 0,
            answered: false,
            told: false,
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
        for list in [&mut self.idle, &mut self.once, &mut self.unproven] {
            list.remove(key);
        }
        let sender = self.all.remove(key);
        self.keys.remove(&sender.addr);
        (sender.number, sender.addr)
    }

    /// Lets nobody expire now: it is not known who is silent.
    pub fn excuse(&mut self, now: Instant) {
        while let Some(key) = self.idle.expired(now) {
            self.idle.touch(key, now);
        }
    }

    /// When to ask [`Senders::expired`].
    pub fn deadline(&self) -> Option<Instant> {
        self.idle.deadline()
    }

    /// The senders that get a datagram of so many bytes now: it counts as sent.
    pub fn reach(&mut self, len: usize) -> Reach<A> {
        let mut to = VecDeque::with_capacity(self.all.len());
        let mut left_out = None;
        for (_, sender) in &mut self.all {
            let sent = sender.sent + wire(&sender.addr, len);
            if sender.receives || sent <= FACTOR * sender.received {
                sender.sent = sent;
                to.push_back(sender.addr);
            } else if !std::mem::replace(&mut sender.told, true) {
                let first = (sender.number, sender.addr, 0);
                left_out.get_or_insert(first).2 += 1;
            }
        }
        let left_out = left_out.map(|(number, addr, all)| (number, addr, all - 1));
        Reach { to, left_out }
    }

    /// It was sent there.
    pub fn went(&mut self, addr: &A) {
        if let Some(&key) = self.keys.get(addr) {
            self.all[key].answered = true;
        }
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

/// Bytes of a datagram as it goes over the wire.
fn wire<A: Address>(addr: &A, len: usize) -> u64 {
    (addr.headers() + len) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIME: Duration = Duration::from_secs(600);

    /// Odd ones have IPv6.
    impl Address for usize {
        fn headers(&self) -> usize {
            if self.is_multiple_of(2) { 28 } else { 48 }
        }
    }

    /// The senders that get a datagram of so many bytes.
    fn sent(senders: &mut Senders<usize>, len: usize) -> Vec<usize> {
        let to = senders.reach(len).to;
        to.iter().for_each(|addr| senders.went(addr));
        to.into()
    }

    #[test]
    fn three_times_as_much_goes_there_with_the_headers() {
        let now = Instant::now();
        let mut senders = Senders::new(TIME);
        assert_eq!(senders.heard(2, 10, now), Heard::New(1, None));
        // 114 bytes: two blank lines are 58.
        assert_eq!(sent(&mut senders, 1), [2]);
        assert_eq!(sent(&mut senders, 1), [2]);
        assert!(sent(&mut senders, 29).is_empty());
        assert_eq!(sent(&mut senders, 28), [2]);
        assert!(sent(&mut senders, 0).is_empty());
        assert_eq!(senders.heard(3, 10, now), Heard::New(2, None));
        // 174 bytes.
        assert!(sent(&mut senders, 127).is_empty());
        assert_eq!(sent(&mut senders, 126), [3]);
    }

    #[test]
    fn whoever_speaks_after_something_went_there_receives() {
        let now = Instant::now();
        let mut senders = Senders::new(TIME);
        // A burst shows nothing, nor what is empty, nor what was not sent after all.
        senders.heard(2, 10, now);
        senders.heard(2, 10, now);
        assert!(sent(&mut senders, 1000).is_empty());
        assert_eq!(senders.reach(10).to, [2]);
        senders.heard(2, 10, now);
        assert!(sent(&mut senders, 1000).is_empty());
        assert_eq!(sent(&mut senders, 10), [2]);
        senders.heard(2, 0, now);
        assert!(sent(&mut senders, 1000).is_empty());
        senders.heard(2, 1, now);
        assert_eq!(sent(&mut senders, 100_000), [2]);
    }

    #[test]
    fn whoever_is_left_out_is_told_of_once() {
        let now = Instant::now();
        let mut senders = Senders::new(TIME);
        for addr in 1..4 {
            senders.heard(addr, 1, now);
        }
        assert_eq!(senders.reach(1000).left_out, Some((1, 1, 2)));
        assert_eq!(senders.reach(1000).left_out, None);
        senders.heard(4, 1, now);
        assert_eq!(senders.reach(1000).left_out, Some((4, 4, 0)));
    }

    #[test]
    fn whoever_is_silent_is_forgotten() {
        let start = Instant::now();
        let mut senders = Senders::new(TIME);
        senders.heard(1, 1, start);
        senders.heard(2, 1, start + TIME / 2);
        senders.heard(1, 1, start + TIME / 2);
        assert_eq!(senders.expired(start + TIME), None);
        assert_eq!(senders.deadline(), Some(start + TIME / 2 + TIME));
        let end = start + 2 * TIME;
        assert_eq!(senders.expired(end), Some((2, 2)));
        assert_eq!(senders.expired(end), Some((1, 1)));
        assert_eq!((senders.expired(end), senders.is_empty()), (None, true));
        assert_eq!(senders.heard(1, 1, end), Heard::New(3, None));
    }

    /// Made-up addresses neither push out a sender that has shown that it receives, nor keep one
    /// out.
    #[test]
    fn a_crowd_of_addresses() {
        let start = Instant::now();
        let mut senders = Senders::new(TIME);
        senders.heard(0, 1, start);
        assert_eq!(sent(&mut senders, 1), [0]);
        senders.heard(0, 1, start);
        senders.heard(1, 1, start);
        senders.heard(1, 1, start);
        for addr in 2..5 * MOST {
            senders.heard(addr, 1, start + Duration::from_millis(addr as u64));
            assert!(senders.len() <= MOST);
        }
        let now = start + Duration::from_secs(10);
        assert_eq!(senders.heard(0, 1, now), Heard::Known(1));
        assert_eq!(senders.heard(1, 1, now), Heard::Known(2));
        // Those that are made up speak twice.
        let last = 5 * MOST - 1;
        for addr in last + 3 - MOST..=last {
            assert!(matches!(senders.heard(addr, 1, now), Heard::Known(_)));
        }
        let now = now + Duration::from_secs(1);
        assert_eq!(
            senders.heard(last + 1, 1, now),
            Heard::New(5 * MOST as u32 + 1, Some((2, 1)))
        );
        assert_eq!(senders.heard(0, 1, now), Heard::Known(1));
        assert_eq!(sent(&mut senders, 1).len(), MOST);
        for addr in last + 3 - MOST..=last + 1 {
            assert!(matches!(senders.heard(addr, 1, now), Heard::Known(_)));
        }
        assert_eq!(senders.heard(last + 2, 1, now), Heard::Crowd);
    }

    proptest! {
        /// Whatever comes: a sender that has not said anything after it was sent something gets no
        /// more than three times its bytes.
        #[test]
        fn nobody_gets_more_than_it_may(
            steps in prop::collection::vec((any::<bool>(), 0_usize..6, 0_usize..2000), 0..200),
        ) {
            let now = Instant::now();
            let mut senders = Senders::new(TIME);
            let mut model: BTreeMap<usize, (bool, usize, usize)> = BTreeMap::new();
            for (hears, addr, len) in steps {
                if hears {
                    senders.heard(addr, len, now);
                    let (receives, received, sent) = model.entry(addr).or_default();
                    *receives |= *sent > 0 && len > 0;
                    *received += addr.headers() + len;
                    continue;
                }
                for addr in sent(&mut senders, len) {
                    let (receives, received, sent) = model.get_mut(&addr).unwrap();
                    *sent += addr.headers() + len;
                    prop_assert!(*receives || *sent <= 3 * *received);
                }
            }
            prop_assert_eq!(senders.len(), model.len());
        }
    }
}
