//! The room: who is in it, who hears whom, and how long anybody waits for a slow neighbour.
//!
//! The room owns the one slab of members and every rule about them; what a member's connection is
//! (`C`) it neither knows nor cares, and the time is an argument, so the whole policy of a hub is
//! tested without a socket. Bytes come in by [`Room::typed`] (the operator) and [`Room::heard`] (a
//! member); they go out by [`Room::flush`] (to a member) and through [`Room::screen`] (to the
//! operator).
//!
//! ```text
//!   typed ──► journal ──► flush: each member's stream
//!               ▲ relay
//!   heard ──► lines ────► screen: the operator's stdout
//! ```
//!
//! It promises: what a member is owed is delivered whole and in order, or the member is named by
//! [`Room::overdue`]; the memory held for slow members is bounded by [`HIGH_WATER`] and one turn's
//! input, and that for unfinished lines by [`HELD`] and [`SHORT`] for each member.

mod backpressure;
mod chat;
mod member;
mod policy;

use std::io;
use std::io::IoSlice;
use std::time::Instant;

use slab::Slab;

use self::backpressure::Backpressure;
pub use self::backpressure::HIGH_WATER;
pub use self::backpressure::LOW_WATER;
use self::backpressure::LineOwner;
pub use self::member::Account;
pub use self::member::Left;
pub use self::member::Member;
pub use self::policy::Label;
pub use self::policy::Policy;
pub use self::policy::SlowPeer;

use crate::engine::chat::Chat;
use crate::engine::chat::NameError;
use crate::engine::escape::Escaper;
use crate::engine::journal::GATHER;
use crate::engine::journal::Journal;
use crate::engine::lines::Lines;
use crate::engine::rate::Meter;
use crate::engine::rate::Rate;
use crate::engine::screen::Screen;

/// Bytes of memory for the unfinished lines of all members together, beyond which long ones are not
/// waited for: ten thousand members could otherwise make the room hold
/// [`MAX_LINE`](crate::engine::lines::MAX_LINE) each.
pub const HELD: usize = 16 * 1024 * 1024;

/// What an unfinished line may take even then.
pub const SHORT: usize = 1024;

/// Everybody connected to one hub.
#[derive(Debug)]
pub struct Room<C> {
    members: Slab<Member<C>>,
    journal: Journal,
    screen: Screen,
    /// The operator's own unfinished line, while relaying.
    input: Lines,
    /// Memory of the members' unfinished lines.
    held: usize,
    policy: Policy,
    /// What each member may be read in a second.
    rate: Option<Rate>,
    joined: u32,
    /// The label of whoever is speaking; here so that its memory is reused.
    label: String,
    /// The slowest member is too far behind: the sources wait.
    backpressure: Option<Backpressure>,
    /// A line is open on the screen: it is its speaker's alone.
    line_owner: Option<LineOwner>,
    /// Only where every line is labelled for everybody.
    chat: Option<Box<Chat>>,
}

impl<C> Room<C> {
    /// An empty room.
    pub fn new(policy: Policy) -> Room<C> {
        Room {
            members: Slab::new(),
            journal: Journal::new(),
            screen: Screen::new(policy.surface, policy.overflow()),
            input: Lines::default(),
            held: 0,
            policy,
            rate: None,
            joined: 0,
            label: String::new(),
            backpressure: None,
            line_owner: None,
            chat: None,
        }
    }

    /// Keeps the last `lines` lines of what was said to everybody, as far as
    /// [`HISTORY`](crate::engine::journal::HISTORY) goes: whoever joins hears them first, then what
    /// is said from then on. To be called before anybody joins.
    pub fn keep_history(&mut self, lines: usize) {
        debug_assert!(self.members.is_empty());
        self.journal.keep_history(lines);
    }

    /// The key that the next member to join will have.
    pub fn next_key(&self) -> usize {
        self.members.vacant_key()
    }

    /// Lets a member in: it hears everything from now on, after the history if one is kept. Returns
    /// its key, which is reused after
    /// it left, unlike its number.
    pub fn join(&mut self, peer: C, now: Instant) -> usize {
        self.joined = self.joined.wrapping_add(1);
        let key = self.members.insert(Member {
            peer,
            account: Account {
                number: self.joined,
                name: None,
                muted: false,
                since: now,
                received: 0,
                sent: 0,
            },
            moved: now,
            cursor: self.journal.join(),
            lines: Lines::default(),
            meter: Meter::default(),
            escaper: Escaper::default(),
        });
        self.announce_join(key);
        if let Some(owner) = &mut self.line_owner {
            owner.since.get_or_insert(now);
        }
        // Where everybody else is stuck, the newcomer is now the fastest.
        self.update_backpressure(now);
        key
    }

    /// Takes a member out, its unfinished line passed on as it is.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn leave(&mut self, key: usize, now: Instant) -> Left<C> {
        self.finish(key, now);
        let member = self.members.remove(key);
        self.held -= member.lines.memory();
        let owed = self.journal.owed(&member.cursor);
        self.journal.leave(member.cursor);
        self.announce_leave(member.account.name.as_deref());
        self.update_backpressure(now);
        // The one who stays is alone now: what it began to say need not wait for its end.
        if self.chat.is_none()
            && self.members.len() == 1
            && let Some((key, last)) = self.members.iter_mut().next()
        {
            self.policy.label(self.joined, last, &mut self.label);
            last.lines
                .show(|b| self.screen.show(last.account.number, &self.label, b));
            if last.lines.is_open() {
                self.line_owner = Some(LineOwner { key, since: None });
            }
        }
        Left {
            peer: member.peer,
            account: member.account,
            owed,
        }
    }

    /// The operator said `bytes`: everybody hears them.
    pub fn typed(&mut self, bytes: &[u8], now: Instant) {
        if self.host_says(Some(bytes)) {
            // Said, line by line.
        } else if self.policy.relay {
            let journal = &mut self.journal;
            self.input.feed(bytes, false, |_| (), |b| journal.append(b));
        } else {
            self.journal.append(bytes);
        }
        self.update_backpressure(now);
    }

    /// The operator will say no more: an unfinished line is passed on as it is.
    pub fn typed_end(&mut self, now: Instant) {
        if !self.host_says(None) {
            let journal = &mut self.journal;
            self.input.finish(|_| (), |b| journal.append(b));
        }
        self.update_backpressure(now);
    }

    /// A member said `bytes`: the operator sees them, and with relaying everybody else hears them.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn heard(&mut self, key: usize, bytes: &[u8], now: Instant) {
        let alone = self.members.len() == 1;
        let member = &mut self.members[key];
        member.account.received += bytes.len() as u64;
        if let Some(rate) = self.rate {
            member.meter.spend(rate, bytes.len() as u64, now);
        }
        if member.account.muted {
            return;
        }
        let before = member.lines.memory();
        if !self.member_says(key, Some(bytes), now) {
            self.speak(key, now, |lines, screen, room| {
                lines.feed(bytes, alone, screen, room);
            });
        }
        let after = self.members[key].lines.memory();
        self.held = self.held - before + after;
        if self.held > HELD && after > SHORT {
            self.finish(key, now);
        }
    }

    /// A member will say no more: its unfinished line is passed on as it is.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn finish(&mut self, key: usize, now: Instant) {
        let before = self.members[key].lines.memory();
        if !self.member_says(key, None, now) {
            self.speak(key, now, |lines, screen, room| lines.finish(screen, room));
        }
        self.held = self.held - before + self.members[key].lines.memory();
    }

    /// Hands a member what it is owed, as one gathered write, and takes note of how much of it
    /// `write` says it took. Returns what is still owed.
    ///
    /// # Errors
    /// What `write` fails with; the member's stream stays where it was.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn flush(
        &mut self,
        key: usize,
        now: Instant,
        write: impl FnOnce(&mut C, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<u64> {
        let member = &mut self.members[key];
        let owed = self.journal.owed(&member.cursor);
        if owed == 0 {
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); GATHER];
        let count = self.journal.gather(&member.cursor, &mut slices);
        let taken = write(&mut member.peer, &slices[..count])? as u64;
        member.account.sent += taken;
        if self.journal.advance(&mut member.cursor, taken) {
            member.moved = now;
            self.update_backpressure(now);
        }
        Ok(owed - taken)
    }

    /// Lets a member's stream go on without it, as if it had taken what it is owed: it can take no
    /// more, and nobody must wait for it.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn skip_to_end(&mut self, key: usize, now: Instant) {
        let cursor = &mut self.members[key].cursor;
        let owed = self.journal.owed(cursor);
        self.journal.advance(cursor, owed);
        self.update_backpressure(now);
    }

    /// Says `bytes` to one member alone, after everything said so far.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn tell(&mut self, key: usize, bytes: &[u8]) {
        if !self.host_tells(key, bytes) {
            self.journal.insert(&mut self.members[key].cursor, bytes);
        }
    }

    /// The key of the member with that number, if it is here.
    pub fn find(&self, number: u32) -> Option<usize> {
        self.members
            .iter()
            .find(|(_, member)| member.account.number == number)
            .map(|(key, _)| key)
    }

    /// Everybody, by key, in the order they joined.
    pub fn members(&self) -> Vec<(usize, &Member<C>)> {
        let mut members: Vec<(usize, &Member<C>)> = self.members.iter().collect();
        members.sort_unstable_by_key(|(_, member)| member.account.number);
        members
    }

    /// Calls a member by a name, unless somebody else has it or, in a chat, could be taken for it.
    /// Returns whether it has that name now.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn name(&mut self, key: usize, name: &str) -> bool {
        if let Some(renamed) = self.rename(key, name) {
            return matches!(renamed, Ok(()) | Err(NameError::Same));
        }
        // Who differs by the case of letters only would be taken for the other.
        let taken = self.members.iter().any(|(other, member)| {
            let theirs = member.account.name.as_deref();
            other != key
                && theirs.is_some_and(|theirs| theirs.to_lowercase() == name.to_lowercase())
        });
        if !taken {
            self.members[key].account.name = Some(name.into());
        }
        !taken
    }

    /// Neither shows nor relays what a member says from now on, or does so again. Of a line that
    /// it has begun, what was held is passed on.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn mute(&mut self, key: usize, on: bool, now: Instant) {
        self.finish(key, now);
        self.members[key].account.muted = on;
    }

    /// Whether members hear each other from now on.
    pub fn relay(&mut self, on: bool, now: Instant) {
        self.typed_end(now);
        if self.policy.relay != on {
            self.policy.relay = on;
            self.tell_relay();
        }
        self.screen.set_overflow(self.policy.overflow());
    }

    /// The rules it follows.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many ever joined.
    pub fn joined(&self) -> u32 {
        self.joined
    }

    /// What a member is still owed, in bytes.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn owed(&self, key: usize) -> u64 {
        self.journal.owed(&self.members[key].cursor)
    }

    /// Bytes kept for the slowest member, to within a segment: changes when it moves.
    pub fn retained(&self) -> u64 {
        self.journal.retained()
    }

    /// Who is owed most, by number, and how many bytes that is.
    pub fn slowest(&self) -> Option<(u32, u64)> {
        let members = self.members.iter();
        let owed = members.map(|(_, m)| (self.journal.owed(&m.cursor), m.account.number));
        owed.max().map(|(owed, number)| (number, owed))
    }

    /// Whether nobody is owed anything.
    pub fn has_delivered_all(&self) -> bool {
        self.members
            .iter()
            .all(|(_, member)| self.journal.owed(&member.cursor) == 0)
    }

    /// Bytes said to everybody so far: whoever keeps the last value knows whether there is news.
    pub fn said(&self) -> u64 {
        self.journal.end()
    }

    /// The operator's screen: what waits to be shown.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// The same, to take from.
    pub fn screen_mut(&mut self) -> &mut Screen {
        &mut self.screen
    }

    /// The member of that key, if there is one.
    pub fn member(&self, key: usize) -> Option<&Member<C>> {
        self.members.get(key)
    }

    /// The peer of that key, if there is one.
    pub fn peer_mut(&mut self, key: usize) -> Option<&mut C> {
        self.members.get_mut(key).map(|member| &mut member.peer)
    }

    /// Everybody, by key.
    pub fn peers_mut(&mut self) -> impl Iterator<Item = (usize, &mut C)> {
        self.members
            .iter_mut()
            .map(|(key, member)| (key, &mut member.peer))
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Lets a member's lines go where they belong, and keeps account of who owns the open one.
    fn speak(
        &mut self,
        key: usize,
        now: Instant,
        feed: impl FnOnce(&mut Lines, &mut dyn FnMut(&[u8]), &mut dyn FnMut(&[u8])),
    ) {
        let alone = self.members.len() == 1;
        // Who comes later may hear what nobody hears now.
        let relay = self.policy.relay && (!alone || self.journal.keeps_history());
        let member = &mut self.members[key];
        let (screen, journal) = (&mut self.screen, &mut self.journal);
        let label = &mut self.label;
        self.policy.label(self.joined, member, label);
        let mut relayed = 0;
        feed(
            &mut member.lines,
            &mut |bytes| screen.show(member.account.number, label, bytes),
            &mut |bytes| {
                if relay {
                    journal.append(bytes);
                    relayed += bytes.len() as u64;
                }
            },
        );
        if member.lines.is_open() {
            if alone {
                self.line_owner = Some(LineOwner { key, since: None });
            }
        } else if self
            .line_owner
            .as_ref()
            .is_some_and(|owner| owner.key == key)
        {
            self.line_owner = None;
        }
        if relayed > 0 {
            journal.skip(&mut member.cursor, relayed);
            self.update_backpressure(now);
        }
    }
}
