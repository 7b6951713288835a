//! News of a conversation of datagrams: the operator's messages, and how often they come.
//!
//! It promises: an address is told of when it is heard first, when it is left out first and when it was silent for
//! long; of more than a few at once only how many there are.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use super::senders::FACTOR;
use crate::engine::limiter;
use crate::engine::limiter::Limiter;

/// How many of a kind are told one by one, at once.
const BURST: u32 = 10;

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News<A> {
    /// A sender is heard for the first time.
    Came {
        /// Its number.
        number: u32,
        /// Where it is.
        addr: A,
        /// How many are remembered.
        here: usize,
    },
    /// A sender is forgotten, as another one needed the place.
    MadeWay(u32, A),
    /// A sender is forgotten, as it said nothing for long.
    FellSilent {
        /// Its number.
        number: u32,
        /// Where it is.
        addr: A,
        /// How many are remembered.
        here: usize,
    },
    /// So many more were heard for the first time, or forgotten.
    More(u64),
    /// A sender does not get all that is said.
    LeftOut {
        /// Bytes that were said.
        len: usize,
        /// Its number.
        number: u32,
        /// Where it is.
        addr: A,
        /// How many others do not, either.
        others: usize,
    },
    /// So many more do not get all that is said.
    MoreLeftOut(u64),
    /// A datagram could not be sent, and why.
    Failed(A, String),
    /// So many more could not.
    MoreFailed(u64),
}

/// How much weight something has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Something did not go out, though the operator may think so.
    Warning,
    /// A sender came or went.
    Notice,
    /// For `-vv`.
    Detail,
}

impl<A> News<A> {
    /// Its weight.
    pub fn weight(&self) -> Weight {
        match self {
            News::LeftOut { .. } | News::MoreLeftOut(_) => Weight::Warning,
            News::Failed(..) | News::MoreFailed(_) => Weight::Warning,
            News::Came { .. } | News::FellSilent { .. } | News::More(_) => Weight::Notice,
            News::MadeWay(..) => Weight::Detail,
        }
    }
}

impl<A: fmt::Display> fmt::Display for News<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            News::Came { number, addr, here } => {
                write!(f, "[{number}] {addr} is heard, {here} here")
            }
            News::MadeWay(number, addr) => write!(f, "[{number}] {addr} makes way"),
            News::FellSilent { number, addr, here } => {
                write!(f, "[{number}] {addr} was silent for long, {here} here")
            }
            News::More(1) => f.write_str("1 more address was heard or silent for long"),
            News::More(count) => {
                write!(f, "{count} more addresses were heard or silent for long")
            }
            News::LeftOut {
                len,
                number,
                addr,
                others,
            } => {
                let bytes = if *len == 1 { "byte" } else { "bytes" };
                write!(f, "{len} {bytes} did not go to [{number}] {addr}")?;
                match others {
                    0 => {}
                    1 => f.write_str(" and 1 other")?,
                    others => write!(f, " and {others} others")?,
                }
                write!(
                    f,
                    ": who has not answered yet gets at most {FACTOR} times what it sent, headers counted (UDP's \
                     addresses can be forged)"
                )
            }
            News::MoreLeftOut(1) => f.write_str("something did not go to 1 more address"),
            News::MoreLeftOut(count) => {
                write!(f, "something did not go to {count} more addresses")
            }
            News::Failed(addr, why) => write!(f, "send to {addr} by UDP: {why}"),
            News::MoreFailed(1) => f.write_str("1 more datagram could not be sent"),
            News::MoreFailed(count) => write!(f, "{count} more datagrams could not be sent"),
        }
    }
}

/// Where news is kept until it is told.
#[derive(Debug)]
pub(super) struct Newsroom<A> {
    told: VecDeque<News<A>>,
    /// Of those who are new, and of those who are forgotten.
    comings: Limiter,
    left_out: Limiter,
    failures: Limiter,
}

impl<A> Default for Newsroom<A> {
    fn default() -> Newsroom<A> {
        let limiter = || Limiter::new(BURST, limiter::EACH);
        Newsroom {
            told: VecDeque::new(),
            comings: limiter(),
            left_out: limiter(),
            failures: limiter(),
        }
    }
}

impl<A> Newsroom<A> {
    /// A sender is heard for the first time, and another one is forgotten for it, perhaps.
    pub(super) fn came(
        &mut self,
        number: u32,
        addr: A,
        here: usize,
        forgotten: Option<(u32, A)>,
        now: Instant,
    ) {
        if self.comings.count(1, now) {
            self.told.push_back(News::Came { number, addr, here });
            let made_way = forgotten.map(|(number, addr)| News::MadeWay(number, addr));
            self.told.extend(made_way);
        }
    }

    /// A sender was silent for long.
    pub(super) fn fell_silent(&mut self, number: u32, addr: A, here: usize, now: Instant) {
        if self.comings.count(1, now) {
            let news = News::FellSilent { number, addr, here };
            self.told.push_back(news);
        }
    }

    /// Of something of that length the first of these was left out, and so many others.
    pub(super) fn left_out(
        &mut self,
        len: usize,
        (number, addr, others): (u32, A, usize),
        now: Instant,
    ) {
        if self.left_out.count(1 + others as u64, now) {
            self.told.push_back(News::LeftOut {
                len,
                number,
                addr,
                others,
            });
        }
    }

    /// Something could not be sent there.
    pub(super) fn failed(&mut self, addr: A, why: String, now: Instant) {
        if self.failures.count(1, now) {
            self.told.push_back(News::Failed(addr, why));
        }
    }

    /// Sums up what was not told, when it is time.
    pub(super) fn look(&mut self, now: Instant) {
        let sums = [
            self.comings.take_untold(now).map(News::More),
            self.left_out.take_untold(now).map(News::MoreLeftOut),
            self.failures.take_untold(now).map(News::MoreFailed),
        ];
        self.told.extend(sums.into_iter().flatten());
    }

    /// When to look.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let all = [&self.comings, &self.left_out, &self.failures];
        all.into_iter().filter_map(Limiter::deadline).min()
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self) -> Option<News<A>> {
        self.told.pop_front()
    }
}
