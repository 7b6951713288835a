//! The room: its members, who hears whom, and how long the others wait for a slow member.
//!
//! The room owns the one slab of members and every rule about them. It does not know what a
//! member's connection (`C`) is, and the time is an argument, so the whole policy of a hub is
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
//! [`Room::overdue`]; what is [held](Room::holdings) for slow members is bounded by [`HIGH_WATER`], one
//! turn's input and [`RESERVE`], by [`EDITS`], by [`ANSWERS`] and [`ONE_ANSWER`] for each member, and
//! unfinished lines by [`HELD`] and [`SHORT`] for each member.

mod announcements;
mod backpressure;
mod chat;
mod check;
mod fairness;
mod glue;
mod holdings;
mod latecomers;
mod member;
mod minutes;
mod naming;
mod pace;
mod policy;
mod presence;
mod remote;
mod returning;
mod stamp;

use std::io;
use std::io::IoSlice;
use std::time::Instant;

use self::announcements::Announcements;
pub use self::announcements::CLASS;
pub use self::backpressure::ANSWERS;
use self::backpressure::Backpressure;
pub use self::backpressure::EDITS;
pub use self::backpressure::HIGH_WATER;
pub use self::backpressure::LOW_WATER;
use self::backpressure::LineOwner;
pub use self::backpressure::ONE_ANSWER;
pub use self::backpressure::Overdue;
pub use self::backpressure::RESERVE;
use self::glue::Glue;
pub use self::glue::OPERATOR;
pub use self::holdings::Holdings;
use self::latecomers::Latecomers;
pub use self::member::Account;
pub use self::member::Left;
pub use self::member::Member;
use self::member::Members;
pub use self::member::PLACES;
pub use self::member::Presence;
pub use self::minutes::Minute;
use self::minutes::Minutes;
pub use self::naming::Called;
pub use self::policy::Label;
pub use self::policy::Policy;
pub use self::policy::SlowPeer;
pub use self::presence::TRIAL;
use self::presence::Trial;
use self::presence::Unconfirmed;
pub use self::remote::Remote;
use self::remote::Remotes;
use self::returning::LineEnds;
pub use self::returning::Lost;
pub use self::stamp::TimeOfDay;

use crate::engine::budget::Budget;
use crate::engine::chat::Chat;
use crate::engine::chat::Speech;
use crate::engine::journal::Cursor;
use crate::engine::journal::GATHER;
use crate::engine::journal::Journal;
use crate::engine::lines::Lines;
use crate::engine::names::Names;
use crate::engine::rate::Rate;
use crate::engine::record::head::Head;
use crate::engine::screen::Screen;

/// Bytes of memory for the unfinished lines of all members together, beyond which long ones are not
/// waited for: ten thousand members could otherwise make the room hold
/// [`MAX_LINE`](crate::engine::lines::MAX_LINE) each.
pub const HELD: usize = 16 * 1024 * 1024;

/// The bytes that each member's unfinished line may take even when [`HELD`] is spent.
pub const SHORT: usize = 1024;

/// All members of one hub.
#[derive(Debug)]
pub struct Room {
    members: Members,
    /// How many members are known to be here (see [`Presence`]).
    here: usize,
    /// How many members are known to read what they are sent.
    readers: usize,
    /// How many members may still say something: the end of their sending was not read.
    speakers: usize,
    /// How many members have left while bytes of theirs are still to be read.
    gone: usize,
    /// The members whose presence is unconfirmed.
    unconfirmed: Unconfirmed,
    trial: Trial,
    /// The last speaker in the journal, and whether its line is unfinished.
    glue: Glue,
    /// The members that joined in the middle of a line of the journal.
    latecomers: Latecomers,
    /// The line feeds that the journal has behind unfinished lines of members that are lost.
    line_ends: LineEnds,
    journal: Journal,
    screen: Screen,
    /// The operator's own unfinished line, while relaying.
    input: Lines,
    /// Memory of the members' unfinished lines.
    held: Budget,
    /// What the members say, for the records, if there are any.
    minutes: Option<Box<Minutes>>,
    /// Whether the minutes have the operator's lines, too.
    minutes_of_operator: bool,
    /// The speakers of other hubs, where a bus joins this room with theirs.
    remotes: Option<Box<Remotes>>,
    policy: Policy,
    /// How many bytes of each member may be read in a second (`--rate`).
    rate: Option<Rate>,
    /// How many members joined so far.
    joined: u32,
    /// The number before that of the first member: another hub may have given numbers before.
    last_number: u32,
    /// The time with which every line begins; empty without `--time`.
    stamp: String,
    /// The label of the current speaker; here so that its memory is reused.
    label: String,
    /// Since when the sources wait for the slowest member, if they do.
    backpressure: Option<Backpressure>,
    /// Whether the sources have waited and were let go on since.
    was_released: bool,
    /// Whether the operator types: what it says is no stream from a file or a pipe.
    is_typed: bool,
    /// The member whose unfinished line is on the screen: no other speaker may write behind it.
    line_owner: Option<LineOwner>,
    /// What makes this room a chat; None: it is no chat.
    chat: Option<Box<Chat>>,
    /// The members' names.
    names: Names,
    /// The members of a chat whose joining or leaving is to be announced.
    announcements: Announcements,
    /// One line of the operator's; here so that its memory is reused.
    line: String,
    /// In a chat: the members that got a private line since [`Room::take_told`].
    told: Vec<usize>,
}

impl Room {
    /// An empty room.
    pub fn new(policy: Policy) -> Room {
        let announcements = Announcements::new(&policy);
        Room {
            members: Members::default(),
            here: 0,
            readers: 0,
            speakers: 0,
            gone: 0,
            unconfirmed: Unconfirmed::default(),
            trial: Trial::default(),
            glue: Glue::new(policy.surface),
            latecomers: Latecomers::default(),
            line_ends: LineEnds::default(),
            journal: Journal::new(),
            screen: Screen::new(policy.surface, policy.overflow()),
            input: Lines::default(),
            held: Budget::new(HELD, HELD),
            minutes: None,
            minutes_of_operator: false,
            remotes: None,
            policy,
            rate: None,
            joined: 0,
            last_number: 0,
            stamp: String::new(),
            label: String::new(),
            backpressure: None,
            was_released: false,
            is_typed: false,
            line_owner: None,
            chat: None,
            names: Names::default(),
            announcements,
            line: String::new(),
            told: Vec::new(),
        }
    }

    /// Keeps the last `lines` lines of what was said to everybody, as far as
    /// [`HISTORY`](crate::engine::journal::HISTORY) goes: a newcomer hears them first, then what is
    /// said from then on. To be called before the first member joins.
    pub fn keep_history(&mut self, lines: usize) {
        debug_assert!(self.members.is_empty());
        self.journal.keep_history(lines);
    }

    /// Numbers up to that one were given before, in another room: newcomers get the next ones. To
    /// be called before the first member joins.
    pub fn count_on_from(&mut self, last: u32) {
        debug_assert!(self.members.is_empty());
        self.last_number = last;
    }

    /// The lowest key that no member has, for a caller that has no slab of connections.
    pub fn vacant_key(&self) -> usize {
        self.members.vacant_key()
    }

    /// Lets a member in at the key of its connection: it hears what was said on
    /// [trial](Room::is_on_trial) and the history, if one is kept, and everything from now on.
    pub fn join(&mut self, key: usize, now: Instant) {
        self.joined = self.joined.wrapping_add(1);
        let number = self.last_number.wrapping_add(self.joined);
        self.begin(key, number, now);
        self.let_in(key, now);
        // Where everybody else is stuck, the newcomer is now the fastest.
        self.update_backpressure(now);
        self.check();
    }

    /// Puts a member into the slab, whose stream begins as a newcomer's does.
    fn begin(&mut self, key: usize, number: u32, now: Instant) {
        let mut cursor = self.journal.join();
        for text in self.trial.kept_before(self.journal.place(&cursor)) {
            self.journal.insert_first(&mut cursor, text);
        }
        self.enter(key, number, cursor, now);
        self.welcome(key);
        self.note_latecomer(key);
    }

    /// Puts a member into the slab; `cursor` is where its stream begins.
    fn enter(&mut self, key: usize, number: u32, cursor: Cursor, now: Instant) {
        self.members.insert(
            key,
            Member {
                account: Account::new(number, now),
                presence: Presence::Here,
                is_silent: false,
                has_acknowledged: false,
                is_announced: false,
                cursor,
                speech: None,
            },
        );
    }

    /// Counts a member that was put into the slab, and gives it the name that newcomers have.
    fn let_in(&mut self, key: usize, now: Instant) {
        self.here += 1;
        self.note_newcomer(key, now);
        self.speakers += 1;
        self.name_by_number(key);
        if let Some(owner) = &mut self.line_owner {
            owner.since.get_or_insert(now);
        }
    }

    /// Takes a member out, and passes its unfinished line on as it is. None: no member has that key.
    pub fn leave(&mut self, key: usize, now: Instant) -> Option<Left> {
        self.members.get(key)?;
        self.finish(key, now);
        let lost = self.lost(key);
        let member = self.members.remove(key)?;
        self.held.give_back(member.held());
        let goes_on = lost.goes_on().then_some(member.account.number);
        self.latecomers.forget(key, goes_on);
        self.discount(key, &member);
        if member.presence != Presence::Gone {
            self.note_leaver(member.pace(), now);
        }
        self.journal.leave(member.cursor);
        if let Some(name) = member.account.name() {
            self.names.release(name, member.account.number, now);
        }
        self.announce_leave(&member.account, member.is_announced, now);
        self.update_backpressure(now);
        self.show_the_last();
        Some(Left {
            account: member.account,
            presence: member.presence,
            lost,
        })
    }

    /// Shows the unfinished line of a member that is alone now: without other speakers it need not
    /// wait for its end.
    pub(super) fn show_the_last(&mut self) {
        if self.chat.is_none()
            && !self.is_of_class()
            && self.here == 1
            && let Some((key, last)) = self
                .members
                .iter_mut()
                .find(|(_, member)| member.presence.is_here())
            && self.speakers == usize::from(!last.is_silent)
        {
            let label = &mut self.label;
            self.policy.label(self.joined, last, &self.stamp, label);
            let Some(speech) = &mut last.speech else {
                return;
            };
            let number = last.account.number;
            if !self.screen.shows_beginnings(&self.label) {
                return;
            }
            let lines = &mut speech.lines;
            lines.show(|b| self.screen.show(number, &self.label, b));
            if lines.is_open() {
                self.line_owner = Some(LineOwner { key, since: None });
            }
        }
    }

    /// The operator said `bytes`: everybody hears them.
    pub fn typed(&mut self, bytes: &[u8], now: Instant) {
        let before = self.journal.end();
        if self.is_chat() {
            self.host_says(Speech::Bytes(bytes));
        } else if self.policy.relay || self.is_of_class() {
            self.operator_says(|input, room| input.feed(bytes, false, |_| (), room));
            self.skip_glue();
        } else {
            self.glue.append(&mut self.journal, OPERATOR, bytes);
            self.trial.keep(&self.journal, bytes);
            self.skip_glue();
            if !self.latecomers.is_empty() {
                self.skip_begun(bytes);
            }
        }
        self.note_typed(before);
        self.update_backpressure(now);
    }

    /// Lets the operator's lines go to everybody.
    #[inline(never)]
    fn operator_says(&mut self, feed: impl FnOnce(&mut Lines, &mut dyn FnMut(&[u8]))) {
        let (journal, trial) = (&mut self.journal, &mut self.trial);
        let glue = &mut self.glue;
        let mut minutes = self.minutes.as_mut().filter(|_| self.minutes_of_operator);
        let mut goes_on = false;
        feed(&mut self.input, &mut |bytes| {
            if let Some(minutes) = &mut minutes {
                minutes.push_operator(bytes);
            }
            glue.append(journal, OPERATOR, bytes);
            match goes_on {
                true => trial.keep_on(bytes),
                false => trial.keep(journal, bytes),
            }
            goes_on |= !bytes.is_empty();
        });
    }

    /// Marks what the operator said from offset `from` on as a stream, unless the operator types.
    fn note_typed(&mut self, from: u64) {
        if !self.is_typed {
            self.journal.note_bulk(from);
        }
    }

    /// The operator will say no more: an unfinished line is passed on as it is.
    pub fn typed_end(&mut self, now: Instant) {
        let before = self.journal.end();
        if self.is_chat() {
            self.host_says(Speech::End);
        } else {
            self.operator_says(|input, room| input.finish(|_| (), room));
            self.glue.abandon(OPERATOR);
        }
        self.note_typed(before);
        self.skip_glue();
        self.update_backpressure(now);
    }

    /// A member said `bytes`: the operator sees them, and with relaying everybody else hears them.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn heard(&mut self, key: usize, bytes: &[u8], now: Instant) {
        let member = &mut self.members[key];
        member.account.receive(bytes.len());
        let speech = member.speech.get_or_insert_default();
        if let Some(rate) = self.rate {
            speech.meter.spend(rate, bytes.len() as u64, now);
        }
        let before = speech.lines.memory();
        let counted = self.journal.end() + speech.lines.held() as u64;
        let is_counted = self.policy.relay && !member.account.muted;
        if is_counted {
            self.note_said(key, bytes.len() as u64, now);
        }
        if self.is_chat() {
            self.member_says(key, Speech::Bytes(bytes), now);
        } else if self.members[key].account.muted {
            self.note_muted(key, Some(bytes));
        } else {
            self.speak(key, now, |lines, at_once, screen, room| {
                lines.feed(bytes, at_once, screen, room);
            });
        }
        if is_counted {
            self.note_growth(key, counted + bytes.len() as u64, now);
        }
        self.hold(key, before);
        if self.held.is_spent() && self.members[key].held() > SHORT {
            self.pass_on(key, Speech::Pause, now);
        }
    }

    /// A member's bytes are `counted` in the log and in its unfinished line. If they became more
    /// than that (a label for each line, a number for a control character), the rest counts as said
    /// by the member, too.
    fn note_growth(&mut self, key: usize, counted: u64, now: Instant) {
        let member = &self.members[key];
        let now_there = self.journal.end() + member.unfinished() as u64;
        let more = now_there.saturating_sub(counted);
        if more > 0 {
            self.note_said(key, more, now);
        }
    }

    /// Corrects the sum of what unfinished lines take by this member's, which took `before` bytes.
    fn hold(&mut self, key: usize, before: usize) {
        let now = self.members[key].held();
        if now != before {
            self.held.draw(now);
            self.held.give_back(before);
        }
    }

    /// Whether the unfinished line of this member, if it is here, is so long that passing it on takes
    /// room in the journal.
    pub fn holds_much(&self, key: usize) -> bool {
        self.held(key) > SHORT
    }

    /// Bytes that hold a member's unfinished line.
    pub fn held(&self, key: usize) -> usize {
        self.members.get(key).map_or(0, Member::held)
    }

    /// Bytes of a member's unfinished line that are held, if they are for anybody.
    pub fn unfinished(&self, key: usize) -> usize {
        let member = self.members.get(key);
        let member = member.filter(|member| !member.is_muted());
        member.map_or(0, Member::unfinished)
    }

    /// A member will say no more: its unfinished line is passed on as it is.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn finish(&mut self, key: usize, now: Instant) {
        self.abandon_line(key, Speech::End, now);
    }

    /// Passes on what is held of a member's unfinished line, with which it will not go on where it was.
    fn abandon_line(&mut self, key: usize, step: Speech<'_>, now: Instant) {
        self.pass_on(key, step, now);
        let number = self.members[key].account.number;
        self.screen.abandon(number);
        self.glue.abandon(number);
    }

    /// Passes on what is held of a member's unfinished line, which it may go on with or not.
    fn pass_on(&mut self, key: usize, step: Speech<'_>, now: Instant) {
        let member = &self.members[key];
        let Some(speech) = &member.speech else {
            return;
        };
        let before = speech.lines.memory();
        if self.is_chat() {
            self.member_says(key, step, now);
        } else if member.account.muted {
            self.note_muted(key, None);
        } else {
            self.speak(key, now, |lines, _, screen, room| {
                lines.finish(screen, room);
            });
        }
        self.hold(key, before);
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
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<u64> {
        let member = &mut self.members[key];
        let owed = self.journal.owed(&member.cursor);
        if owed == 0 {
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); GATHER];
        let count = self.journal.gather(&member.cursor, &mut slices);
        let taken = write(&slices[..count])? as u64;
        member.account.sent += taken;
        if self.journal.advance(&mut member.cursor, taken) {
            self.note_move(key, now);
            self.note_progress(key, now);
            self.update_backpressure(now);
        }
        Ok(owed - taken)
    }

    /// A member that was named as stalled takes something all the same: bytes that were handed to
    /// it before are under way to it.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn progressed(&mut self, key: usize, now: Instant) {
        self.note_move(key, now);
    }

    /// A member's stream is over: it can take no more, so that the others do not wait for it, and
    /// it sets no pace.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn owe_no_more(&mut self, key: usize, now: Instant) {
        self.journal.release(&mut self.members[key].cursor);
        self.note_progress(key, now);
        self.update_backpressure(now);
    }

    /// Says `bytes` to one member alone, after everything said so far. False: it is gone, and is told nothing.
    ///
    /// # Panics
    /// If there is no member of that key.
    #[must_use]
    pub fn tell(&mut self, key: usize, bytes: &[u8]) -> bool {
        let can_hear = self.can_hear(key);
        if can_hear && !self.host_tells(key, bytes) {
            self.journal.insert(&mut self.members[key].cursor, bytes);
        }
        can_hear
    }

    /// Whether a member may read what is said to it alone: it is not known to be gone.
    fn can_hear(&self, key: usize) -> bool {
        self.members[key].presence != Presence::Gone
    }

    /// The key of the member with that number, if it is here.
    pub fn find(&self, number: u32) -> Option<usize> {
        self.members
            .iter()
            .find(|(_, member)| member.account.number == number)
            .map(|(key, _)| key)
    }

    /// Everybody, by key.
    pub fn members(&self) -> impl Iterator<Item = (usize, &Member)> {
        self.members.iter()
    }

    /// Everybody, in the order they joined.
    pub fn by_number(&self) -> Vec<(usize, &Member)> {
        let mut members: Vec<(usize, &Member)> = self.members.iter().collect();
        members.sort_unstable_by_key(|(_, member)| member.account.number);
        members
    }

    /// Neither shows nor relays what a member says from now on, or does so again. Of a line that
    /// it has begun, what was held is passed on; in a chat nothing of that line is said, since it may become one
    /// that is for one alone. Returns whether it was muted before.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn mute(&mut self, key: usize, on: bool, now: Instant) -> bool {
        let was_muted = self.members[key].account.muted;
        if was_muted != on {
            match self.is_chat() {
                true => self.members[key].hush_line(),
                false => self.abandon_line(key, Speech::Pause, now),
            }
            self.members[key].account.muted = on;
        }
        was_muted
    }

    /// Lets members hear each other from now on, or not.
    pub fn relay(&mut self, on: bool, now: Instant) {
        self.typed_end(now);
        self.latecomers.clear();
        if self.policy.relay != on {
            self.policy.relay = on;
            self.tell_relay();
        }
        self.screen.set_overflow(self.policy.overflow());
    }

    /// The rules that the room follows.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether what the operator says is typed, not a stream.
    pub fn is_typed(&self) -> bool {
        self.is_typed
    }

    /// How many members joined so far.
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

    /// The member that is owed most, and how many bytes.
    pub fn slowest(&self) -> Option<(&Account, u64)> {
        let members = self.members.iter();
        let owed = members.map(|(_, member)| (&member.account, self.journal.owed(&member.cursor)));
        owed.max_by_key(|(account, owed)| (*owed, account.number))
    }

    /// Whether no member is owed anything.
    pub fn has_delivered_all(&self) -> bool {
        self.members
            .iter()
            .all(|(_, member)| self.journal.owed(&member.cursor) == 0)
    }

    /// Bytes said to all so far: a caller that keeps the last value knows whether there is news.
    pub fn said(&self) -> u64 {
        self.journal.end()
    }

    /// The operator's screen: what waits to be shown.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Shows the operator records of what is said, and nothing else.
    pub fn show_records(&mut self, head: Head) {
        self.screen.show_records(head, self.policy.mark());
    }

    /// The operator's screen, for a caller that takes bytes from it or changes how it shows them.
    pub fn screen_mut(&mut self) -> &mut Screen {
        &mut self.screen
    }

    /// The member of that key, if there is one.
    pub fn member(&self, key: usize) -> Option<&Member> {
        self.members.get(key)
    }

    /// Whether a member is the only one that can say or hear anything: then its bytes need not wait
    /// for the end of a line.
    fn is_alone(&self, key: usize) -> bool {
        if self.is_of_class() {
            return false;
        }
        let member = &self.members[key];
        let is_unheard = !member.is_silent;
        let is_last = self.here == 1 && member.presence.is_here();
        self.members.len() == 1 || (is_last && self.speakers == usize::from(is_unheard))
    }

    /// Whether what a member says is kept for other members: those that are here, join later or return.
    fn has_hearers(&self) -> bool {
        self.members.len() > 1 || self.journal.keeps_more()
    }

    /// Lets a member's lines go where they belong, and keeps account of who owns the open one. `feed` is
    /// told whether the beginning of a line is shown at once.
    fn speak(
        &mut self,
        key: usize,
        now: Instant,
        feed: impl FnOnce(&mut Lines, bool, &mut dyn FnMut(&[u8]), &mut dyn FnMut(&[u8])),
    ) {
        let alone = self.is_alone(key);
        let relay = self.policy.relay && self.has_hearers();
        let (screen, journal) = (&mut self.screen, &mut self.journal);
        let member = &mut self.members[key];
        let (label, glue) = (&mut self.label, &mut self.glue);
        let minutes = &mut self.minutes;
        self.policy.label(self.joined, member, &self.stamp, label);
        let at_once = alone && screen.shows_beginnings(label);
        let lines = &mut member.speech.get_or_insert_default().lines;
        let mut is_shown = false;
        let mut relayed = 0;
        feed(
            lines,
            at_once,
            &mut |bytes| {
                screen.show(member.account.number, label, bytes);
                is_shown = true;
            },
            &mut |bytes| {
                if let Some(minutes) = minutes {
                    minutes.push(key, &member.account, false, bytes);
                }
                if relay {
                    glue.append(journal, member.account.number, bytes);
                    relayed += bytes.len() as u64;
                }
            },
        );
        if is_shown {
            screen.end_piece(member.account.number, label);
        }
        if lines.is_open() {
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
            // The line feed that glue added may end a line of this very speaker, and it stands
            // before what the speaker said now: edits of a cursor come in the order of the log.
            self.skip_glue();
            let cursor = &mut self.members[key].cursor;
            self.journal.skip(cursor, relayed);
            self.update_backpressure(now);
        }
    }

    /// Leaves a line feed that was added behind a speaker's unfinished line out of the streams to
    /// which that line was not sent: the speaker's own, and those of members that joined behind it.
    fn skip_glue(&mut self) {
        if let Some((at, number)) = self.glue.take_added() {
            self.skip_added(at, number);
        }
    }

    #[cold]
    fn skip_added(&mut self, at: u64, number: Option<u32>) {
        if let Some(key) = number.and_then(|number| self.find(number)) {
            let cursor = &mut self.members[key].cursor;
            self.journal.skip_from(cursor, at, 1);
        } else if let Some(number) = number.filter(|_| self.journal.keeps_past()) {
            self.line_ends.push(number, at);
        }
        self.skip_end(at);
    }
}
