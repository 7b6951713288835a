//! Reading the peers: which are read in a turn, and how much of each.
//!
//! While a slow member makes the others wait, little is read of each, and nothing of members that
//! said much; when that is over, members that said least come first.
//!
//! It promises: each peer is read once in a turn at most; all of them together, however many they are, say
//! about as much as the room holds, unfinished lines that are passed on counted, so that a line waits for a
//! short turn; in a turn in which somebody said a line, those that are read after it say 64 KiB each at most.
//! Those that had nothing to say before come first, and are read so little each, where they are many, that 256
//! of them are heard in a turn: so a line waits for one or two, however many others send without a pause, or
//! come anew to do so.

use std::time::Instant;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use super::Speaker;
use crate::engine::rate::QUANTUM;
use crate::engine::record::Who;
use crate::engine::room::HIGH_WATER;
use crate::engine::room::Member;
use crate::engine::screen::Screen;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::stream::Received;
use crate::io::stream::Stream;

/// Bytes read from stdin, or from one peer, in a turn at most. Each read costs one large write for
/// stdout or for each peer, so larger is cheaper; twice as much no longer fits into the processor's
/// cache together with the copy in the log.
pub const CHUNK: usize = 512 * 1024;

/// The same of one peer while others have spoken not long ago: whoever has a line waits for half as long.
pub(super) const CONVERSING: usize = 256 * 1024;

/// Bytes read from all peers together in a turn, to within the last read: more would not fit into the room at
/// once, and each may cost a hundred times what reading it does (a byte that a terminal cannot show is shown as
/// four, and recorded).
pub(super) const TURN: usize = HIGH_WATER as usize;

/// Bytes read from a peer at once, however many others there are: smaller reads cost more.
pub(super) const LEAST: usize = 64 * 1024;

/// The same of a peer that had nothing to say before, where so many have something to say that not all could be
/// read otherwise: no person types more at once.
pub(super) const LITTLE: usize = 4 * 1024;

impl<S: Stream, D: Device> Peers<S, D> {
    /// One read into `buffer` from each peer that has something to say, as long as there is room
    /// for it. `show` is called when the screen is full, and may make room.
    ///
    /// # Panics
    /// If `buffer` is shorter than [`CHUNK`].
    ///
    /// # Errors
    /// What `show` fails with.
    pub fn read<E>(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        mut show: impl FnMut(&mut Screen) -> Result<(), E>,
    ) -> Result<(), E> {
        self.speakers.begin_turn(now);
        if self.room.take_release() {
            let room = &self.room;
            self.speakers.order_by(|key| room.said_lately(*key, now));
        }
        let (waiting, fresh) = (self.speakers.len(), self.speakers.fresh());
        let mut heard = 0;
        for read in 0..waiting {
            if self.room.screen().is_full() {
                // The more is read in a turn, the larger and the fewer are the writes.
                show(self.room.screen_mut())?;
            }
            let is_spent = self.records.as_ref().is_some_and(|r| r.is_spent());
            if is_spent || heard >= TURN || !self.room.accepts_input() {
                // All keep their places in the queue.
                return Ok(());
            }
            let Some(speaker) = self.speakers.next(read == 0) else {
                return Ok(());
            };
            let key = speaker.key;
            let Some(member) = self.room.member(key) else {
                continue;
            };
            // A member that was read to its end can only break: the line that another member has
            // open does not matter for that.
            if !member.is_silent() && !self.may_speak(key) {
                self.speakers.park(speaker);
                continue;
            }
            match self.room.read_budget(key, now) {
                Ok(most) => {
                    let share = match speaker.is_fresh {
                        true => (TURN / fresh.max(1)).max(LITTLE),
                        false => usize::MAX,
                    };
                    let most = most.min(share).min(self.share(waiting, now));
                    // A member that was read to its end says nothing more, but has to be read to be seen to break.
                    let most = most.min(self.class_takes(key).max(1));
                    let most = most.min(self.records_fit(key));
                    let held = self.room.held(key);
                    heard += self.read_one(key, &mut buffer[..most], now);
                    heard += held.saturating_sub(self.room.held(key));
                }
                Err(later) => {
                    // However many they are, they are looked at ten times in a second at most.
                    self.speakers.limit(speaker, later.max(now + QUANTUM));
                }
            }
        }
        Ok(())
    }

    /// How many bytes of a peer are read in a turn in which so many have something to say.
    fn share(&self, waiting: usize, now: Instant) -> usize {
        let most = match waiting {
            _ if self.company.has_line(now) => LEAST,
            1 if self.company.converses(now) => CONVERSING,
            _ => CHUNK,
        };
        (TURN / waiting.max(1)).clamp(LEAST, most)
    }

    /// How many bytes of a peer may be read so that their records fit.
    fn records_fit(&self, key: usize) -> usize {
        let Some(records) = &self.records else {
            return usize::MAX;
        };
        let (Some(member), Some(peer)) = (self.room.member(key), self.conns.get(key)) else {
            return usize::MAX;
        };
        let addr = peer.conn.addr();
        let who = Who::of(&member.account, &addr);
        records.fits(Some(who), self.room.screen().left())
    }

    /// Returns how much was read.
    fn read_one(&mut self, key: usize, buffer: &mut [u8], now: Instant) -> usize {
        let Some(peer) = self.conns.get_mut(key) else {
            return 0;
        };
        peer.to_read = false;
        if peer.leaving {
            return 0;
        }
        peer.read_in = self.speakers.turn();
        match peer.conn.read(buffer) {
            Received::Bytes(count) => {
                self.touch(key, now);
                self.company.spoke(Speaker::Peer(key), count, now);
                if let [22, 3, ..] = buffer[..count] {
                    self.look_for_tls(key, now);
                }
                self.look_for_oddity(key, &buffer[..count], now);
                self.take_in(key, &buffer[..count], now);
                self.note_heard(key, now);
                self.read_again(key);
                return count;
            }
            Received::Yield => self.read_again(key),
            Received::Pending => {
                self.leave_departed(key);
            }
            Received::End => {
                if !self.leave_departed(key) {
                    self.read_end(key, now);
                }
            }
            Received::Truncated(error) | Received::Failed(error) => {
                let departed = self.conns.get_mut(key).and_then(Peer::take_reason);
                // That it ended does not tell that it was lost.
                let departed = departed.filter(|why| !matches!(why, DisconnectReason::Closed));
                self.queue_leave(key, departed.unwrap_or_else(|| error.into()));
            }
        }
        0
    }

    /// A peer's end was read, perhaps once more: after an end the kernel reports nothing but ends, and
    /// an event may have told of something else.
    fn read_end(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.conns.get_mut(key) else {
            return;
        };
        if let Some(error) = peer.conn.take_error() {
            self.queue_leave(key, error.into());
            return;
        }
        // A stream that reports that its other end is closed needs no other proof.
        let is_gone = peer.conn.has_hung_up();
        if self.room.member(key).is_some_and(Member::is_silent) {
            if is_gone {
                self.queue_leave(key, DisconnectReason::Closed);
            }
            return;
        }
        self.tell_doubt(key, now);
        self.room.finish(key, now);
        self.record_lines(None);
        if self.room.is_chat() && !is_gone {
            // What is said of it now, and the answer to what it asked for last, it can still read.
            self.flush_one(key, now);
        }
        if self.ends_with_its_side(key) || is_gone {
            self.queue_leave(key, DisconnectReason::Closed);
            return;
        }
        self.end_presence(key, now);
        self.room.end(key);
        if !self.room.has_speakers() {
            self.close_all_over(now);
        }
        self.close_if_over(key, now);
        if self.member_mut(key).is_none() {
            return;
        }
        if let Some(permit) = self.news.ask(Topic::Ended, now) {
            permit.say(format_args!("{} ended its side", self.who(key)));
        }
    }

    /// A peer said `bytes`.
    fn take_in(&mut self, key: usize, bytes: &[u8], now: Instant) {
        if let Some(digests) = &mut self.digests {
            digests.heard(key, bytes);
        }
        if self.records.is_none() || !self.room.is_chat() {
            self.record_of(key, |records, who| records.received(who, bytes));
            self.room.heard(key, bytes, now);
            return self.record_lines(None);
        }
        // A line may change its speaker's name for the next one (`/nick`).
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.record_of(key, |records, who| records.received(who, line));
            self.room.heard(key, line, now);
        }
        self.record_lines(None);
    }

    /// A peer is read in this turn, if there may be something.
    pub(super) fn queue_read(&mut self, key: usize) {
        if self.is_to_be_read(key) {
            self.speakers.begin(key);
        }
    }

    /// One that was just read is read in the next turn, if there may be more.
    fn read_again(&mut self, key: usize) {
        if self.is_to_be_read(key) {
            self.speakers.go_on(key);
            self.note_speaking(key);
        }
    }

    /// Whether a peer is to be queued to be read, and takes note that it is.
    fn is_to_be_read(&mut self, key: usize) -> bool {
        let peer = self.member_mut(key);
        let Some(peer) = peer.filter(|peer| peer.conn.is_readable() && !peer.to_read) else {
            return false;
        };
        peer.to_read = true;
        true
    }
}
