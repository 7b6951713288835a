//! News: everything that a peer can make the hub say on stderr, and how much of it is said.
//!
//! A peer that connects costs a few packets; a line about it, a hundred bytes of somebody's log. So
//! a message that a peer can cause needs a [`Permit`] from here, and is said through that: no other
//! module of the hub that has to do with peers can write to the log (`tests/engine/layers.rs`).
//!
//! ```text
//!   something happened ─► ask ─► Permit ─► say
//!                          │
//!                          └───► counted ─► "290 more joined"
//! ```
//!
//! It promises: of each [`Topic`] a burst is told one by one, then two in a second, and of the others how
//! many they were, once in five seconds.

use std::fmt::Display;
use std::time::Instant;

use log::Level;

use crate::engine::limiter::EACH;
use crate::engine::limiter::Limiter;
use crate::status::EXPLAIN;
use crate::status::NOTICE;

/// So many that come and go are told one by one: a whole lecture may come or leave at once.
const CLASS: u32 = 1000;

/// The same for all other events.
const FEW: u32 = 10;

/// What a peer can make the hub tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// It is in the room.
    Joined,
    /// It ended its side.
    Ended,
    /// It left.
    Left,
    /// It made the others wait for too long.
    CutOff,
    /// An operator sent it away.
    Kicked,
    /// It was not let in.
    Refused,
    /// Its handshake came to nothing.
    Stranger,
    /// It sends something that the hub and the others cannot understand.
    Odd,
    /// It was accepted, and then could not be served.
    Unserved,
    /// It could not be accepted, for a reason of its own.
    NotAccepted,
    /// There was no descriptor for it.
    Exhausted,
    /// Bytes it had said were dropped.
    Unheard,
    /// A transfer waits again, or begins, because of it.
    Transfer,
    /// What it said has a digest (`--sha256`).
    Digest,
    /// What happened on its connection (`--explain`).
    Explained,
    /// It downloaded what is offered, or a part of that.
    Downloaded,
    /// It was to download that, and was cut off.
    DownloadCut,
    /// Another hub came or went.
    Hubs,
    /// Something happened to the bus, or between hubs.
    Bus,
}

/// All of them, in order.
const TOPICS: [Topic; 19] = [
    Topic::Joined,
    Topic::Ended,
    Topic::Left,
    Topic::CutOff,
    Topic::Kicked,
    Topic::Refused,
    Topic::Stranger,
    Topic::Odd,
    Topic::Unserved,
    Topic::NotAccepted,
    Topic::Exhausted,
    Topic::Unheard,
    Topic::Transfer,
    Topic::Digest,
    Topic::Explained,
    Topic::Downloaded,
    Topic::DownloadCut,
    Topic::Hubs,
    Topic::Bus,
];

impl Topic {
    pub(in crate::hub) fn level(self) -> Level {
        match self {
            // Something is lost.
            Topic::CutOff | Topic::Unheard | Topic::DownloadCut => Level::Error,
            Topic::Kicked
            | Topic::Odd
            | Topic::Unserved
            | Topic::Exhausted
            | Topic::Bus
            // It was asked for.
            | Topic::Digest => Level::Warn,
            Topic::NotAccepted => Level::Debug,
            Topic::Joined
            | Topic::Ended
            | Topic::Left
            | Topic::Refused
            | Topic::Stranger
            | Topic::Transfer
            | Topic::Explained
            | Topic::Hubs
            | Topic::Downloaded => Level::Info,
        }
    }

    /// Messages that a person at a terminal gets without `-v` have a target of their own.
    fn target(self) -> &'static str {
        match (self, self.level()) {
            (Topic::Explained, _) => EXPLAIN,
            (_, Level::Info) => NOTICE,
            _ => module_path!(),
        }
    }

    fn is_told(self) -> bool {
        log::log_enabled!(target: self.target(), self.level())
    }

    fn burst(self) -> u32 {
        match self {
            // A class joins, says something and leaves, in some ten sentences each.
            Topic::Joined
            | Topic::Ended
            | Topic::Left
            | Topic::Digest
            | Topic::Explained
            | Topic::Downloaded => CLASS,
            _ => FEW,
        }
    }

    /// The sentence for so many events that were not told one by one.
    fn sum(self, count: u64) -> String {
        let what = match self {
            Topic::Joined => "more joined",
            Topic::Ended => "more ended their side",
            Topic::Left => "more left",
            Topic::CutOff => "more were cut off",
            Topic::Kicked => "more were cut off by an operator",
            Topic::Refused => "more were refused",
            Topic::Stranger => "more did not join",
            Topic::Odd => "more spoke TLS, or what is no text with lines in UTF-8",
            Topic::Unserved => "more could not be served",
            Topic::NotAccepted => "more could not be accepted",
            Topic::Exhausted => "more times no descriptor was left",
            Topic::Unheard => "more bytes of some who left were not heard",
            Topic::Transfer => "more times it waited again, or began",
            Topic::Digest => "more sent something, of which no digest is told",
            Topic::Downloaded => "more downloaded it, or a part of it",
            Topic::DownloadCut => "more downloads were cut off",
            Topic::Hubs => "more hubs came or went",
            Topic::Bus => "more things happened on the bus",
            Topic::Explained => "more things happened than was explained",
        };
        format!("{count} {what}")
    }
}

/// Leave to say one thing.
#[derive(Debug)]
#[must_use]
pub struct Permit(Topic);

impl Permit {
    /// Says it.
    pub fn say(self, what: impl Display) {
        let topic = self.0;
        log::log!(target: topic.target(), topic.level(), "{what}");
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct News {
    /// One for each of [`TOPICS`].
    limiters: [Limiter; TOPICS.len()],
}

impl Default for News {
    fn default() -> News {
        News {
            limiters: TOPICS.map(|topic| Limiter::new(topic.burst(), EACH)),
        }
    }
}

impl News {
    /// Something happened. None: it is not told of, or in a sum.
    pub fn ask(&mut self, topic: Topic, now: Instant) -> Option<Permit> {
        self.ask_of(topic, 1, now)
    }

    /// The same of something that counts as so many in a sum.
    pub fn ask_of(&mut self, topic: Topic, count: u64, now: Instant) -> Option<Permit> {
        let limiter = &mut self.limiters[topic as usize];
        if !topic.is_told() {
            // The hub does not wake up to tell how much was not told.
            limiter.count_silently(count);
            return None;
        }
        limiter.count(count, now).then_some(Permit(topic))
    }

    /// How often it happened.
    pub fn total(&self, topic: Topic) -> u64 {
        self.limiters[topic as usize].total()
    }

    /// When to ask [`News::sum_up`].
    pub fn deadline(&self) -> Option<Instant> {
        self.limiters.iter().filter_map(Limiter::deadline).min()
    }

    /// Says how many were not told of one by one, when it is time.
    pub fn sum_up(&mut self, now: Instant) {
        self.say_sums(|limiter| limiter.take_untold(now));
    }

    /// The same at the end, when it is time anyway.
    pub fn sum_up_last(&mut self) {
        self.say_sums(Limiter::take_last);
    }

    fn say_sums(&mut self, take: impl Fn(&mut Limiter) -> Option<u64>) {
        for (topic, limiter) in TOPICS.iter().zip(&mut self.limiters) {
            if let Some(count) = take(limiter) {
                Permit(*topic).say(topic.sum(count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_has_its_limiter() {
        for (i, topic) in TOPICS.iter().enumerate() {
            assert_eq!(i, *topic as usize, "{topic:?}");
        }
    }
}
