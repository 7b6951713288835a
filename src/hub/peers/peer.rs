//! A peer: its connection, how far it is on its way, and what is known of it.
//!
//! It promises: a peer that has done nothing takes little memory; an end or a reset at its side
//! tells whether it got everything.

use super::DisconnectReason;
use crate::engine::dialect::Dialect;
use crate::io::conn::Conn;
use crate::io::layer::Layer;
use crate::io::readiness::Watch;
use crate::io::stream::Stream;
use crate::io::stream::Unread;

/// A connection as the loop knows it.
#[derive(Debug)]
pub struct Peer<S> {
    /// Its connection.
    pub conn: Conn<S>,
    pub(super) stage: Stage,
    /// What most peers have no need of.
    extra: Option<Box<Extra>>,
    /// It is among those that the operator's words are promised to (see [`Peers::promise`](super::Peers::promise)).
    pub(super) is_promised: bool,
    /// What it is said is a part of one whole (a transfer), which it was let in for.
    is_of_whole: bool,
    /// What it is said [broke off](Peer::break_off): the operator's words did, or it gets no more of what it was promised.
    pub(super) is_broken_off: bool,
    /// Its key is in one of the queues already.
    pub(super) to_read: bool,
    pub(super) to_flush: bool,
    pub(super) to_look: bool,
    /// An event told that it ended its side or broke, and it was not read since.
    pub(super) is_closing: bool,
    pub(super) leaving: bool,
    /// What its events tell.
    pub(super) watch: Watch,
    /// The turn in which it was read last.
    pub(super) read_in: u32,
    /// What is known of its text.
    pub(super) dialect: Dialect,
}

// A hub may have thousands of them that do nothing. (In a debug build mio keeps more of a socket.)
const _: () = assert!(cfg!(debug_assertions) || size_of::<Peer<Layer>>() <= 72);

/// What most peers have no need of.
#[derive(Debug, Default)]
struct Extra {
    /// It takes no more and has no place, and why. Its last words are still to be read.
    departed: Option<DisconnectReason>,
    /// Bytes that it had said over another connection and nobody read: it says them again.
    to_repeat: u64,
    /// It is sent away.
    goodbye: Option<Goodbye>,
    ledger: Ledger,
}

/// What a peer lacks that leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lack {
    /// Bytes that it was still owed.
    pub(super) owed: u64,
    /// Bytes that it has not acknowledged of what it was promised.
    pub(super) missing: Option<u64>,
}

/// How things stood with a member when it was sent away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goodbye {
    /// Bytes on the wire before what tells it why.
    pub(super) from: u64,
    /// What it lacks of what was said before.
    pub(super) lack: Lack,
    /// Bytes that were heard of it, over all its connections.
    pub(super) heard: u64,
}

/// The state that proves that a peer is there and got what was promised. Most peers need none:
/// those without a handshake that did not end their side and did not break, while the operator goes
/// on.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Ledger {
    /// Bytes on the wire whose acknowledgement proves nothing: those of a handshake.
    pub(super) preamble: u64,
    /// From its end on: those whose acknowledgement does not prove that it is still there, since they
    /// were written before.
    pub(super) unproven: u64,
    /// How long its own stream was when the operator had said all that was promised.
    pub(super) promised_until: Option<u64>,
    /// Over a layer: bytes on the wire when its kernel had been given all of that.
    pub(super) given: Option<u64>,
    /// Bytes that it was owed when it took no more.
    pub(super) lost: u64,
    /// The same when it was queued to leave: what others say from then on is not for it.
    pub(super) owed_last: Option<u64>,
    /// Bytes on the wire that it had acknowledged when its kernel last took no more, or when its time to be idle was
    /// over, and they were not all.
    pub(super) taken: u64,
    /// The same when it was last seen to take as much as counts as progress.
    pub(super) freed: u64,
}

/// What the events of a connection tell from its acceptance on. A layer may write at any time; one
/// that is the wire itself is written to only when its peer is flushed, which asks for more when it
/// is full.
pub(in crate::hub) fn watch_first<S: Stream>(conn: &Conn<S>) -> Watch {
    match conn.is_wire() && !conn.shakes_hands() {
        true => Watch::Arrivals,
        false => Watch::ArrivalsAndRoom,
    }
}

impl<S> Peer<S> {
    /// One that was just accepted.
    pub(super) fn new(conn: Conn<S>) -> Peer<S>
    where
        S: Stream,
    {
        Peer {
            watch: watch_first(&conn),
            conn,
            stage: Stage::Arriving,
            extra: None,
            is_promised: false,
            is_of_whole: false,
            is_broken_off: false,
            to_read: false,
            to_flush: false,
            to_look: false,
            is_closing: false,
            leaving: false,
            read_in: 0,
            dialect: Dialect::default(),
        }
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.extra
            .as_ref()
            .map_or_else(Ledger::default, |extra| extra.ledger)
    }

    pub(super) fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.extra.get_or_insert_default().ledger
    }

    /// Whether it takes no more and has no place, though its last words are still to be read.
    pub(super) fn has_departed(&self) -> bool {
        let extra = self.extra.as_ref();
        extra.is_some_and(|extra| extra.departed.is_some())
    }

    /// It takes no more and has no place from now on, for that reason.
    pub(super) fn depart(&mut self, why: DisconnectReason) {
        self.extra.get_or_insert_default().departed = Some(why);
    }

    /// Why it departed, if it has; it stays one that departed.
    pub(super) fn take_reason(&mut self) -> Option<DisconnectReason> {
        let departed = self.extra.as_mut()?.departed.as_mut()?;
        Some(std::mem::replace(departed, DisconnectReason::Closed))
    }

    /// It comes back, and has so many bytes to say again.
    pub(super) fn repeats(&mut self, bytes: u64) {
        if bytes > 0 {
            self.extra.get_or_insert_default().to_repeat = bytes;
        }
    }

    /// How much of that it has not said again: nothing, if it has spoken since, nor what is `unread` of it, which may
    /// be that.
    pub(super) fn unrepeated(&self, has_spoken: bool, unread: Unread) -> Unread {
        let extra = self.extra.as_ref().filter(|_| !has_spoken);
        let to_repeat = extra.map_or(0, |extra| extra.to_repeat);
        Unread::all(to_repeat.saturating_sub(unread.bytes))
    }

    /// Bytes on the wire that its kernel was given; none if the system does not tell.
    pub(super) fn written(&self) -> u64
    where
        S: Stream,
    {
        self.conn.tcp_info().map_or(0, |info| info.written)
    }

    /// It is sent away, and is said nothing more than its goodbye.
    pub(super) fn send_away(&mut self, goodbye: Goodbye) {
        self.extra
            .get_or_insert_default()
            .goodbye
            .get_or_insert(goodbye);
    }

    /// How things stood then, if it was.
    pub(super) fn goodbye(&self) -> Option<Goodbye> {
        self.extra.as_ref()?.goodbye
    }

    pub(super) fn is_member(&self) -> bool {
        self.stage == Stage::Member
    }

    /// Whether events of its connection are told as they happen: before the peer has a number they
    /// wait.
    pub(super) fn is_explained_now(&self) -> bool
    where
        S: Stream,
    {
        self.stage != Stage::Arriving && self.conn.is_explained()
    }

    /// Whether it is handed nothing more: its stream has ended, or it departed.
    pub(super) fn takes_no_more(&self) -> bool
    where
        S: Stream,
    {
        self.conn.is_shut() || self.has_departed()
    }

    /// Whether it is to be queued to be flushed, and takes note that it is.
    pub(super) fn is_to_be_flushed(&mut self) -> bool
    where
        S: Stream,
    {
        let is_due = self.conn.is_writable() || self.takes_no_more();
        let is_new = is_due && !self.to_flush;
        self.to_flush |= is_due;
        is_new
    }

    /// Tells it that nothing follows, once; so many bytes were `heard` of it, and more may be. Returns whether it is told
    /// now.
    pub(super) fn end_our_side(&mut self, heard: u64) -> bool
    where
        S: Stream,
    {
        let is_told = !self.conn.is_shut();
        if is_told {
            self.tell_over(heard, true);
            self.conn.shutdown();
            if self.is_promised || self.is_of_whole {
                self.conn.break_on_close(false);
            }
        }
        is_told
    }

    /// What it is said breaks off here: it reads no end, also if the hub is killed.
    pub(super) fn break_off(&mut self)
    where
        S: Stream,
    {
        self.is_broken_off = true;
        self.conn.break_on_close(true);
    }

    /// It is let in for a transfer: from its first byte on it must not take a part for the whole, also if the hub is
    /// killed.
    pub(super) fn expect_whole(&mut self)
    where
        S: Stream,
    {
        self.is_of_whole = true;
        self.conn.break_on_close(true);
    }

    /// Lets what the other side reads when the connection is closed be the truth. A member that is
    /// `owed` bytes, that was promised what `more` will be said or let in for the whole of it, to which
    /// the operator's words broke off, or of whose bytes a layer holds some back, reads that the
    /// connection broke; any other that it ended. (One that was told the end was handed all before, and one that
    /// told that it reads nothing any more lacks nothing.) So many bytes were `heard` of it.
    pub(super) fn close_truthfully(&mut self, owed: u64, more: bool, heard: u64)
    where
        S: Stream,
    {
        if !self.breaks_truthfully(owed, more) {
            self.tell_end(heard);
        }
    }

    /// The same of one that is not closed yet, and reads no end before: whether it will read a break.
    pub(super) fn breaks_truthfully(&mut self, owed: u64, more: bool) -> bool
    where
        S: Stream,
    {
        let lacks = owed > 0 || (more && (self.is_promised || self.is_of_whole));
        let lacks = self.is_broken_off || (lacks && !self.conn.is_shut());
        let breaks = (lacks && !self.conn.has_hung_up()) || self.conn.has_pending_output();
        self.conn.break_on_close(breaks);
        breaks
    }
}

/// How far a peer is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Accepted; not in the room yet.
    Arriving,
    /// Refused or sent away, and it may read why.
    Lingering,
    /// In the room.
    Member,
    /// It is given a file instead.
    #[cfg(feature = "web")]
    Downloading,
}
