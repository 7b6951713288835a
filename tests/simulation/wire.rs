//! One connection as a kernel sees it: what is under way in both directions, what was acknowledged,
//! how either side ended, and what an event would tell of all that, once, as epoll(7) does when it is
//! edge-triggered.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fmt;
use std::fmt::Debug;
use std::fmt::Formatter;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

use muxnc::io::readiness::Event;
use muxnc::io::readiness::Watch;
use muxnc::io::stream::Handshake;
use muxnc::io::tcp_info::TcpInfo;

use super::Chance;

/// What has to be agreed on before anything is said on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shake {
    /// Nothing (any more).
    Done,
    /// The client has to say so much more, and has said nothing that was not looked at.
    Waits(u32),
    /// So much more, and the next step can be done.
    Goes(u32),
    /// It was told that it speaks another protocol.
    Foreign,
    Failed,
}

/// One connection. See the module's documentation.
pub(crate) struct Wire {
    pub(crate) shake: Shake,
    /// How the handshake will end, if the client goes on.
    pub(crate) fate: Shake,
    /// The first step was told to have begun, or nothing was said yet.
    pub(crate) has_begun: bool,
    pub(crate) ip: IpAddr,
    /// What it carries is HTTP and frames.
    pub(crate) is_web: bool,
    /// It is for a file, and not for the room.
    pub(crate) is_download: bool,
    /// It never fails by chance.
    pub(crate) is_steady: bool,
    /// Whose end or break had arrived when it connected.
    pub(crate) over_before: BTreeSet<usize>,
    /// An event of it was not told in this turn.
    pub(crate) is_untold: bool,
    /// Its key in the hub, from its acceptance on.
    pub(crate) key: Option<usize>,
    /// What the client sent and the network still has.
    pub(crate) under_way: VecDeque<u8>,
    /// What it sent last is no whole line.
    pub(crate) is_midline: bool,
    /// What has arrived and was not read.
    pub(crate) up: VecDeque<u8>,
    /// The client has ended its side: so it says, that has arrived, it was read.
    pub(crate) ended: bool,
    pub(crate) end_arrived: bool,
    pub(crate) end_read: bool,
    /// What had been written when it was read.
    pub(crate) written_before_end: u64,
    /// The last read found nothing.
    pub(crate) was_empty: bool,
    /// Bytes that the hub wrote; of those, acknowledged by the client's kernel; of those, read.
    pub(crate) written: u64,
    pub(crate) acked: u64,
    pub(crate) taken: u64,
    /// What the hub's kernel holds, and what the client's.
    pub(crate) sndbuf: u64,
    pub(crate) window: u64,
    /// Since when something that was sent is not acknowledged.
    unanswered: Option<Instant>,
    answered: Instant,
    /// The hub could not write all it wanted, and asked to be told when it can.
    pub(crate) wants_room: bool,
    pub(crate) tells_room: bool,
    /// The hub has ended its side, and that was acknowledged.
    pub(crate) shut: bool,
    shut_acked: bool,
    /// The client has closed: what is sent to it breaks the connection, when that has arrived.
    pub(crate) closed: bool,
    doomed: bool,
    pub(crate) broken: bool,
    /// What a system call is told of that, once.
    pub(crate) error: Option<ErrorKind>,
    pub(crate) write_failed: bool,
    /// It has no power or no cable any more: nothing comes from it, and nothing arrives.
    pub(crate) vanished: bool,
    /// When anything was last read or written, or it came; when anything was acknowledged.
    pub(crate) active: Instant,
    pub(crate) progressed: Instant,
    /// The hub has closed it, or it was never let in.
    pub(crate) dropped: bool,
    /// An event told that it ended; that it broke.
    pub(crate) told_end: bool,
    pub(crate) told_break: bool,
    /// How many were told of so before it.
    pub(crate) told_after: usize,
    /// It was read in this turn.
    pub(crate) was_read: bool,
    /// Something has changed that an event tells of.
    pub(crate) has_event: bool,
    /// It reads only when everybody else is through.
    pub(crate) sleeps: bool,
    /// It reads little, but that it does.
    pub(crate) is_slow: bool,
    /// When how much had been written in all.
    pub(crate) writes: Vec<(Instant, u64)>,
    /// To close it is to break it.
    pub(crate) breaks: bool,
    /// How often it was asked what was acknowledged, and how often the hub's kernel took no more.
    pub(crate) looks: Cell<u32>,
    pub(crate) filled: Cell<u32>,
}

impl Debug for Wire {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut flags = Vec::new();
        for (name, is) in [
            ("ended", self.ended),
            ("end_arrived", self.end_arrived),
            ("end_read", self.end_read),
            ("was_empty", self.was_empty),
            ("wants_room", self.wants_room),
            ("tells_room", self.tells_room),
            ("shut", self.shut),
            ("shut_acked", self.shut_acked),
            ("closed", self.closed),
            ("doomed", self.doomed),
            ("broken", self.broken),
            ("write_failed", self.write_failed),
            ("dropped", self.dropped),
            ("told_end", self.told_end),
            ("told_break", self.told_break),
            ("was_read", self.was_read),
            ("has_event", self.has_event),
            ("sleeps", self.sleeps),
            ("is_slow", self.is_slow),
            ("vanished", self.vanished),
            ("breaks", self.breaks),
        ] {
            if is {
                flags.push(name);
            }
        }
        write!(
            out,
            "key {:?}, {} bytes under way, {} arrived; {} written, {} acknowledged, {} taken, {} \
             before its end, {} of {} fit; {:?}, {flags:?}",
            self.key,
            self.under_way.len(),
            self.up.len(),
            self.written,
            self.acked,
            self.taken,
            self.written_before_end,
            self.sndbuf,
            self.window,
            self.error,
        )
    }
}

impl Wire {
    pub(crate) fn new(ip: IpAddr, capacity: u64, now: Instant, chance: &mut Chance) -> Wire {
        Wire {
            shake: Shake::Done,
            fate: Shake::Done,
            has_begun: false,
            ip,
            is_web: false,
            is_download: false,
            is_steady: false,
            over_before: BTreeSet::new(),
            is_untold: false,
            key: None,
            under_way: VecDeque::new(),
            is_midline: false,
            up: VecDeque::new(),
            ended: false,
            end_arrived: false,
            end_read: false,
            written_before_end: 0,
            was_empty: false,
            written: 0,
            acked: 0,
            taken: 0,
            sndbuf: capacity,
            window: 1 + chance.below(capacity as usize) as u64,
            unanswered: None,
            answered: now,
            wants_room: false,
            tells_room: false,
            shut: false,
            shut_acked: false,
            closed: false,
            doomed: false,
            broken: false,
            error: None,
            write_failed: false,
            vanished: false,
            active: now,
            progressed: now,
            dropped: false,
            told_end: false,
            told_break: false,
            told_after: 0,
            was_read: false,
            has_event: false,
            sleeps: chance.one_in(12),
            is_slow: chance.one_in(6),
            writes: Vec::new(),
            breaks: false,
            looks: Cell::new(0),
            filled: Cell::new(0),
        }
    }

    /// Lets some of what is under way arrive.
    pub(crate) fn arrive(&mut self, count: usize) {
        if self.broken || self.vanished {
            return;
        }
        let count = count.min(self.under_way.len());
        self.up.extend(self.under_way.drain(..count));
        let ended = self.ended && self.under_way.is_empty() && !self.end_arrived;
        self.end_arrived |= ended;
        self.has_event |= count > 0 || ended;
    }

    /// The client goes on with the handshake.
    pub(crate) fn shake(&mut self) {
        if let Shake::Waits(steps) = self.shake
            && self.sends()
        {
            self.shake = Shake::Goes(steps);
            self.has_event = true;
        }
    }

    /// A step of the handshake on our side.
    pub(crate) fn step(&mut self) -> Handshake {
        let is_over = self.broken || (self.end_arrived && matches!(self.shake, Shake::Waits(_)));
        match self.shake {
            Shake::Done => return Handshake::Done,
            Shake::Foreign => return Handshake::Foreign,
            Shake::Failed => panic!("it failed before"),
            _ if is_over => self.shake = Shake::Failed,
            Shake::Waits(_) if !self.has_begun => return Handshake::Silent,
            Shake::Waits(_) => return Handshake::Pending,
            Shake::Goes(_) if self.fate == Shake::Foreign => self.shake = Shake::Foreign,
            Shake::Goes(_) if !std::mem::replace(&mut self.has_begun, true) => {
                return Handshake::Begun;
            }
            Shake::Goes(0) => self.shake = self.fate,
            Shake::Goes(steps) => {
                self.shake = Shake::Waits(steps - 1);
                return Handshake::Pending;
            }
        }
        match self.shake {
            Shake::Failed => Handshake::Failed(ErrorKind::InvalidData.into()),
            Shake::Foreign => Handshake::Foreign,
            _ => Handshake::Done,
        }
    }

    /// The client says no more.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.arrive(0);
    }

    /// The client says no more and reads no more.
    pub(crate) fn close(&mut self) {
        self.ended = true;
        self.closed = true;
        self.arrive(usize::MAX);
        // What it had not read is answered with a reset.
        self.doomed |= self.acked > self.taken;
    }

    /// An acknowledgement of so many bytes comes, as far as the client's kernel has room for them.
    pub(crate) fn ack(&mut self, count: u64, now: Instant) {
        if self.broken || self.vanished {
            return;
        }
        if self.closed && (self.doomed || self.written > self.acked) {
            return self.reset();
        }
        let count = count.min(self.sendable() - self.acked);
        self.acked += count;
        if count > 0 {
            self.progressed = now;
        }
        self.shut_acked |= self.shut && self.acked == self.written;
        self.answered = now;
        self.unanswered = (self.sendable() > self.acked).then_some(now);
        if count > 0 && self.wants_room {
            self.wants_room = false;
            self.has_event |= self.tells_room;
        }
    }

    /// Its events are asked for, which tell of what is so already; of room, too, if that is wanted.
    pub(crate) fn register(&mut self, watch: Watch) {
        self.tells_room = watch == Watch::ArrivalsAndRoom;
        let has_room = self.tells_room && self.room() > 0;
        let is_shaking = matches!(self.shake, Shake::Goes(_));
        self.has_event |= has_room || is_shaking || !self.up.is_empty() || self.is_over();
    }

    /// What of all that was written the client's kernel has room for.
    fn sendable(&self) -> u64 {
        self.written.min(self.taken + self.window)
    }

    /// The client takes some of what was sent to it.
    pub(crate) fn take(&mut self, count: u64, now: Instant) {
        if !self.vanished && !self.closed {
            self.taken += count.min(self.acked - self.taken);
            self.wait_for_answer(now);
        }
    }

    /// The cable is cut.
    pub(crate) fn vanish(&mut self, now: Instant) {
        self.vanished = true;
        if self.written > self.acked && self.unanswered.is_none() {
            // Until now it answered probes of its window.
            self.answered = now;
        }
        self.wait_for_answer(now);
    }

    /// The hub ends its side.
    pub(crate) fn shut(&mut self, now: Instant) {
        self.shut = true;
        self.wait_for_answer(now);
    }

    fn wait_for_answer(&mut self, now: Instant) {
        if self.tcp_info(now).outstanding().unanswered {
            self.unanswered.get_or_insert(now);
        }
    }

    /// A reset has arrived. What had arrived before can still be read.
    pub(crate) fn reset(&mut self) {
        if !self.broken && !self.vanished {
            self.broken = true;
            // tcp_reset(): who has read the end is told that the pipe is broken.
            self.error = Some(match self.end_arrived {
                true => ErrorKind::BrokenPipe,
                false => ErrorKind::ConnectionReset,
            });
            self.under_way.clear();
            self.has_event = true;
        }
    }

    /// How much can be written.
    pub(crate) fn room(&self) -> u64 {
        self.sndbuf.saturating_sub(self.written - self.acked)
    }

    /// The hub has written so many bytes.
    pub(crate) fn has_written(&mut self, count: u64, now: Instant) {
        self.written += count;
        self.writes.push((now, self.written));
        self.active = now;
        self.wait_for_answer(now);
    }

    /// What the event says.
    pub(crate) fn event(&mut self) -> Event {
        self.has_event = false;
        self.told_end |= self.end_arrived;
        self.told_break |= self.broken;
        Event {
            readable: !self.up.is_empty() || self.end_arrived || self.broken,
            writable: (self.tells_room && self.room() > 0) || self.broken,
            read_closed: self.end_arrived || self.broken,
            write_closed: self.broken,
            error: self.broken,
            urgent: false,
        }
    }

    /// What the hub's kernel knows of the way to the client.
    pub(crate) fn tcp_info(&self, now: Instant) -> TcpInfo {
        // The end comes after all that is still to be sent.
        let end = self.shut && !self.shut_acked && self.sendable() == self.written;
        TcpInfo {
            written: self.written,
            acknowledged: self.acked,
            in_flight: u32::from(self.sendable() > self.acked || end),
            probes: u8::from(self.vanished && self.written > self.acked),
            last_answer: now - self.answered,
        }
    }

    /// Whether nothing that was sent has been answered for so long.
    pub(crate) fn is_silent_for(&self, limit: Duration, now: Instant) -> bool {
        self.unanswered.is_some_and(|since| now - since >= limit)
    }

    /// Whether everything that can be read was read.
    pub(crate) fn is_drained(&self) -> bool {
        if self.vanished {
            return self.up.is_empty();
        }
        self.under_way.is_empty() && self.up.is_empty() && (self.end_read || !self.ended)
    }

    /// Whether it cannot stay.
    pub(crate) fn must_leave(&self) -> bool {
        let vanished = self.vanished && self.written > self.acked;
        let over = self.shut && self.ended && self.acked == self.written;
        self.broken || self.write_failed || vanished || over
    }

    /// Whether its end or its break has arrived.
    pub(crate) fn is_over(&self) -> bool {
        self.end_arrived || self.broken
    }

    /// Whether the client can say more.
    pub(crate) fn sends(&self) -> bool {
        !self.ended && !self.broken && !self.vanished
    }

    /// Bytes written for so long.
    pub(crate) fn written_since(&self, since: Instant) -> u64 {
        let sum = |at: Option<&(Instant, u64)>| at.map_or(0, |&(_, sum)| sum);
        let before = self.writes.partition_point(|&(at, _)| at <= since);
        sum(self.writes.last()) - sum(before.checked_sub(1).map(|at| &self.writes[at]))
    }
}
