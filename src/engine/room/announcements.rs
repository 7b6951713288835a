//! Announcements: lines that tell everybody in a chat who joined and who left.
//!
//! ```text
//!   * Ana joined
//!   * Ben left
//!   * 290 more joined, 4 left
//! ```
//!
//! They are appended to the log whether there is room or not, since backpressure cannot hold back
//! who comes and goes. So they are limited by time: a class is announced one by one, a storm is
//! summed up.
//!
//! It promises: in a stall timeout less is announced than a member has to take in that time, or is cut
//! off; so that while the others wait for a slow one, announcements do not let the log grow by more than
//! a burst of them.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use super::Policy;
use super::Room;
use super::member::Account;
use super::member::Member;
use crate::engine::limiter;
use crate::engine::limiter::Limiter;

/// How long a newcomer that says nothing stays unannounced.
pub(super) const ANNOUNCED_AFTER: Duration = Duration::from_secs(2);

/// How many are announced one by one at once: a class.
pub const CLASS: u32 = 300;

/// How many are announced in a stall timeout after a class was: with their sums some 14 KiB, a fourth of
/// the segment that a slow member has to take in that time.
const IN_A_STALL: u32 = 400;

/// Newcomers that left before they were announced are forgotten when so many more are kept than are
/// here.
const FORGOTTEN: usize = 64;

/// The newcomers that are to be announced, and how many were not.
#[derive(Debug)]
pub(super) struct Announcements {
    /// Newcomers that are not announced yet: when they are to be, and their numbers.
    due: VecDeque<(Instant, usize, u32)>,
    limiter: Limiter,
    /// Members that came and went and were not announced.
    joined: u64,
    left: u64,
}

impl Announcements {
    /// None yet.
    pub(super) fn new(policy: &Policy) -> Announcements {
        let each = limiter::EACH.max(policy.stall_timeout / IN_A_STALL);
        Announcements {
            due: VecDeque::new(),
            limiter: Limiter::new(policy.announced, each),
            joined: 0,
            left: 0,
        }
    }

    /// When the next of them is to be made.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.due.front().map(|(due, ..)| *due);
        [due, self.limiter.deadline()].into_iter().flatten().min()
    }
}

impl Room {
    /// A newcomer is announced with its first line or its first name, or when it has stayed for
    /// [`ANNOUNCED_AFTER`], so that a port check is never announced.
    pub(super) fn announce_later(&mut self, key: usize) {
        let account = &self.members[key].account;
        let (at, number) = (account.since + ANNOUNCED_AFTER, account.number);
        let members = &self.members;
        let due = &mut self.announcements.due;
        if due.len() > 2 * members.len() + FORGOTTEN {
            due.retain(|&(at, key, number)| is_due(members.get(key), at, number));
        }
        due.push_back((at, key, number));
    }

    /// Announces newcomers that have stayed long enough, and how many were not announced.
    pub(super) fn announce_due(&mut self, now: Instant) {
        while let Some(&(due, key, number)) = self.announcements.due.front()
            && due <= now
        {
            self.announcements.due.pop_front();
            if is_due(self.members.get(key), due, number) {
                self.announce_join(key, now);
            }
        }
        if self.announcements.limiter.take_untold(now).is_some() {
            let joined = std::mem::take(&mut self.announcements.joined);
            let left = std::mem::take(&mut self.announcements.left);
            let told = self.tells_who_comes();
            match (joined, left) {
                (joined, 0) => self.announce(format_args!("{joined} more joined"), told),
                (0, left) => self.announce(format_args!("{left} more left"), told),
                _ => self.announce(format_args!("{joined} more joined, {left} left"), told),
            }
        }
    }

    /// Announces a member, if it was not announced yet.
    pub(super) fn announce_join(&mut self, key: usize, now: Instant) {
        let member = &mut self.members[key];
        if std::mem::replace(&mut member.is_announced, true) {
            return;
        }
        if !self.announcements.limiter.count(1, now) {
            self.announcements.joined += 1;
            return;
        }
        let name = member.account.name().unwrap_or_default().to_string();
        let told = self.tells_who_comes();
        self.announce(format_args!("{name} joined"), told);
    }

    /// A member left, which had been announced or not.
    pub(super) fn announce_leave(&mut self, account: &Account, was_announced: bool, now: Instant) {
        let Some(name) = account.name().filter(|_| was_announced) else {
            return;
        };
        if !self.announcements.limiter.count(1, now) {
            self.announcements.left += 1;
            return;
        }
        let told = self.tells_who_comes();
        self.announce(format_args!("{name} left"), told);
    }
}

/// Whether it is this member that is to be announced then: the key may be another's by now, or that of the same one
/// that was lost and is back.
fn is_due(member: Option<&Member>, at: Instant, number: u32) -> bool {
    let account = member.map(|member| &member.account);
    account.is_some_and(|account| account.number == number && account.since + ANNOUNCED_AFTER == at)
}
