//! The bus: hubs on several machines that are one class, joined by servers of NATS.
//!
//! ```text
//!   said here ─▶ outbox ─▶ one message in flight ─▶ the stream of the class ─▶ reading ─▶ intake ─▶ the room
//!                                                        │                                  └ roll: who is
//!   session: dial, INFO, TLS, CONNECT ─▶ lookup ─────────┘                                    on the bus
//! ```
//!
//! The stream is a log that all hubs read: it decides in which order messages are, who is there and to whom a
//! name belongs. Without JetStream there is no log: what is lost on the way is counted and told.
//!
//! It promises: whatever breaks and however often, each line that was said at a hub is given once
//! and in its speaker's order by each other hub that reads the stream in time, or counted as
//! missing. A hub that was a part of the class once does not end because of what is on the bus: its class goes
//! on, and its lines wait. It makes no connection and knows no clock: its driver does. No input makes it panic.

mod address;
mod claim;
pub mod codec;
pub mod envelope;
mod event;
mod fault;
mod hearing;
mod intake;
mod jetstream;
mod lookup;
mod mutes;
mod outbox;
mod queue;
mod reading;
mod roll;
mod session;
mod settings;
mod strangers;
mod wire;

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Digest;
use sha2::Sha256;

pub use self::address::Login;
pub use self::address::PORT;
pub use self::address::Server;
pub use self::address::Url;
pub use self::envelope::MAX_TEXT;
pub use self::envelope::is_word;
pub use self::event::Ask;
pub use self::event::Event;
pub use self::event::Hub;
pub use self::event::NotAsked;
pub use self::event::Remote;
pub use self::event::Speaker;
pub use self::event::What;
pub use self::event::Whom;
pub use self::fault::Fault;
pub use self::queue::Waiting;
pub use self::settings::Settings;
pub use self::strangers::printable;

use self::claim::Claim;
use self::codec::Reader;
use self::envelope::Key;
use self::envelope::Piece;
use self::envelope::Signer;
use self::event::Notice;
use self::event::asked;
use self::event::author;
use self::event::told;
use self::intake::Intake;
use self::intake::Item;
use self::lookup::Found;
use self::lookup::Lookup;
use self::mutes::Mutes;
use self::outbox::Outbox;
use self::reading::Reading;
use self::session::Session;
use self::wire::Asked;
use self::wire::Wire;

/// How often it is told that the bus is still away.
const REMINDER: Duration = Duration::from_secs(60);

/// Messages without a log are made while less than so many bytes are to be sent.
const MAX_UNSENT: usize = 256 * 1024;

/// How messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Not at all yet.
    None,
    Stream,
    Plain,
}

/// What was read of the stream before this hub began.
#[derive(Debug)]
struct Past {
    found: Found,
    begin: u64,
    /// Messages from there to the end.
    span: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Bus {
    settings: Settings,
    start: Instant,
    signer: Signer,
    reader: Reader,
    wire: Wire,
    session: Session,
    lookup: Lookup,
    way: Way,
    reading: Reading,
    /// When the stream was made that is read.
    created: Option<String>,
    past: Option<Past>,
    /// The last message that the stream had when the connection was made.
    end: u64,
    intake: Intake,
    mutes: Mutes,
    claim: Claim,
    outbox: Outbox,
    /// The room takes lines.
    is_open: bool,
    is_ending: bool,
    /// This hub was a part of the class.
    is_up: bool,
    is_plain_told: bool,
    farewell: Farewell,
    away: Option<Away>,
    /// Lines that waited when the connection was made.
    late: u64,
    /// What the stream said last against what was said.
    refusal: String,
    notices: VecDeque<Notice>,
    notice: Option<Notice>,
}

/// Without a log, whether the server has all that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    None,
    /// It was asked behind the last.
    Asked,
    Heard,
}

/// The others do not hear this hub, and that was told.
#[derive(Debug)]
struct Away {
    why: String,
    told: Instant,
    /// It was told that somebody has to do something about it.
    is_refusal_told: bool,
}

impl Bus {
    /// `seed` is by chance, and another for each process: it is secret.
    pub fn new(settings: Settings, seed: [u8; 32], now: Instant) -> Bus {
        let signer = Signer::new(&seed);
        let inbox = Sha256::new()
            .chain_update(b"inbox")
            .chain_update(seed)
            .finalize();
        let chance = inbox[24..]
            .iter()
            .fold(0, |n, &byte| n << 8 | u64::from(byte));
        let inbox = URL_SAFE_NO_PAD.encode(&inbox[..18]);
        let (class, hub) = (settings.class.clone(), settings.hub.clone());
        let subject = jetstream::subject(&class, &hub);
        Bus {
            start: now,
            reader: Reader::default(),
            wire: Wire::new(&inbox),
            session: Session::new(
                settings.servers.clone(),
                settings.login.clone(),
                settings.tls,
                format!("muxnc {subject}"),
                chance,
                now,
            ),
            lookup: Lookup::new(&class, &subject),
            way: Way::None,
            reading: Reading::new(jetstream::stream(&class), 1),
            created: None,
            past: None,
            end: 0,
            intake: Intake::new(&class, &hub, signer.key()),
            mutes: Mutes::default(),
            claim: Claim::new(signer.key()),
            outbox: Outbox::new(subject, hub, settings.buffer),
            signer,
            is_open: true,
            is_ending: false,
            is_up: false,
            is_plain_told: false,
            farewell: Farewell::None,
            away: None,
            late: 0,
            refusal: String::new(),
            notices: VecDeque::new(),
            notice: None,
            settings,
        }
    }

    /// The server that is to be dialled now, if one is: then [`Bus::connected`] or [`Bus::lost`] follows.
    pub fn dial(&mut self, now: Instant) -> Option<Server> {
        self.session.dial(now)
    }

    /// It is connected, without TLS.
    pub fn connected(&mut self, now: Instant) {
        self.reader = Reader::default();
        self.wire.clear();
        self.session.connected(now);
    }

    /// Whether the handshake of TLS is to be done, and then [`Bus::secured`] to be called.
    pub fn wants_tls(&self) -> bool {
        self.session.wants_tls()
    }

    /// The handshake is done: what comes and goes is inside of TLS from here on.
    pub fn secured(&mut self, now: Instant) {
        self.session.secured(&mut self.wire, now);
    }

    /// The connection is gone, or could not be made.
    pub fn lost(&mut self, why: &str, now: Instant) {
        self.session.lost(now);
        self.lookup.interrupted();
        self.outbox.interrupted();
        self.claim.interrupted();
        self.wire.clear();
        self.way = Way::None;
        self.farewell = Farewell::None;
        if self.away.is_some() || self.session.has_worked() || self.session.tried_all() {
            self.tell_away(why.into(), self.session.was_refused(), now);
        }
    }

    /// The others do not hear this hub. A refusal does not end by itself as the absence of a server may.
    fn tell_away(&mut self, why: String, is_refusal: bool, now: Instant) {
        match &mut self.away {
            None => {
                self.notices.push_back(Notice::Away(why.clone()));
                self.away = Some(Away {
                    why,
                    told: now,
                    is_refusal_told: is_refusal,
                });
            }
            Some(away) => {
                if is_refusal && !std::mem::replace(&mut away.is_refusal_told, true) {
                    away.told = now;
                    let waiting = self.outbox.waiting();
                    let still = Notice::StillAway(why.clone(), waiting);
                    self.notices.push_back(still);
                }
                away.why = why;
            }
        }
        self.outbox.withdraw(&self.signer);
        self.tell_withdrawn();
    }

    /// Bytes came.
    ///
    /// # Errors
    /// The connection is of no use, or the hub cannot go on.
    pub fn received(&mut self, bytes: &[u8], now: Instant) -> Result<(), Fault> {
        self.session.note_heard(now);
        self.reader.feed(bytes);
        // It is put back: what is read borrows from it.
        let mut reader = std::mem::take(&mut self.reader);
        let result = self.read(&mut reader, now);
        self.reader = reader;
        result.map_err(|fault| self.weigh(fault))?;
        self.turn(now)
    }

    /// What a fault means here. Before this hub was a part of the class something is wrong with what was typed, or
    /// with the class; later there are people in the room, who can go on without the bus until it is put right.
    fn weigh(&mut self, fault: Fault) -> Fault {
        match fault {
            Fault::End { why, hint } if self.is_up => {
                self.session.note_refusal();
                Fault::Drop(format!("{why} ({hint})"))
            }
            fault => fault,
        }
    }

    /// What is to be sent. To be looked at after everything else.
    pub fn output(&self) -> &[u8] {
        self.wire.output()
    }

    /// So much of it was sent.
    pub fn written(&mut self, bytes: usize) {
        self.wire.note_written(bytes);
    }

    /// Those that were given, and those that they named.
    pub fn servers(&self) -> &[Server] {
        self.session.servers()
    }

    /// Whether what is said goes to the others now, or will in a moment.
    pub fn is_live(&self) -> bool {
        self.way != Way::None && (self.claim.is_held() || !self.is_up)
    }

    /// A member or the operator of this hub said something: whole lines, the last perhaps a piece
    /// of one that is too long.
    pub fn say(&mut self, who: Speaker<'_>, said: &[u8]) {
        if !self.is_ending {
            self.outbox.say(&author(who), said);
            self.tell_withdrawn();
        }
    }

    fn tell_withdrawn(&mut self) {
        let count = self.outbox.take_withdrawn();
        if count > 0 {
            self.notices.push_back(Notice::Withdrawn(count));
        }
    }

    /// Asks something of another hub.
    ///
    /// # Errors
    /// It is not asked.
    pub fn ask(&mut self, ask: Ask<'_>) -> Result<(), NotAsked> {
        let is_there = self.other(ask.hub).filter(|_| !self.is_ending);
        let key = is_there.ok_or(NotAsked::NoHub)?;
        let (whom, what) = asked(&ask).ok_or(NotAsked::NoName)?;
        let piece = Piece::Ask { key, whom, what };
        if piece.is_demand() && !self.is_live() {
            return Err(NotAsked::Away);
        }
        self.outbox.ask(piece);
        Ok(())
    }

    /// So many members are here.
    pub fn set_here(&mut self, members: usize) {
        self.outbox.set_here(members as u64);
    }

    /// This hub says nothing more: the lines that wait are sent, and the word that it ends.
    pub fn bye(&mut self) {
        let is_known = self.claim.is_held() || !self.outbox.is_empty();
        if !std::mem::replace(&mut self.is_ending, true) && is_known {
            self.outbox.bye();
        }
    }

    /// Whether the others have all there was to tell.
    pub fn is_flushed(&self) -> bool {
        // What is written without a log is read by the server before it answers.
        self.outbox.is_empty() && (self.way != Way::Plain || self.farewell == Farewell::Heard)
    }

    /// Lines of this hub that are not known to be in the stream.
    pub fn waiting(&self) -> Waiting {
        self.outbox.waiting()
    }

    /// A hub that ends is told only what becomes of its words: how it stands with the class does not matter to it
    /// any more.
    fn next_notice(&mut self) -> Option<Notice> {
        while let Some(notice) = self.notices.pop_front() {
            if !self.is_ending || matches!(notice, Notice::Unsent(..) | Notice::Withdrawn(_)) {
                return Some(notice);
            }
        }
        None
    }

    /// How many bytes more of a speaker the bus takes now, while it takes anything: more would become late, or lost.
    /// None: the same of what is asked.
    pub fn room_for(&self, number: Option<u32>) -> usize {
        match self.is_live() {
            true => self.outbox.room_for(number),
            false => usize::MAX,
        }
    }

    /// The other hubs.
    pub fn hubs(&self) -> impl Iterator<Item = Hub<'_>> {
        let own = self.signer.key();
        let others = self
            .intake
            .roll()
            .present()
            .filter(move |other| other.key != own);
        others.map(|other| Hub {
            name: other.name,
            here: other.here,
            heard: other.heard,
            muted: self.mutes.of(other.key),
        })
    }

    /// Mutes a speaker of another hub, or hears it again: [`Event::Said`] tells. The operator is 0.
    /// Returns whether it was muted; None: no other hub has that name.
    pub fn mute(&mut self, hub: &str, number: u32, on: bool) -> Option<bool> {
        let key = self.other(hub)?;
        Some(self.mutes.set(key, number, on))
    }

    /// The key of the other hub that has that name.
    fn other(&self, name: &str) -> Option<Key> {
        let own = self.signer.key();
        let mut others = self.intake.roll().present();
        let other = others.find(|other| other.name == name && other.key != own)?;
        Some(other.key)
    }

    /// The next thing that happened, lines only if the room takes them. To be called until there is none.
    pub fn take(&mut self, takes_lines: bool, now: Instant) -> Option<Event<'_>> {
        self.is_open = takes_lines;
        self.notice = self.next_notice();
        if let Some(notice) = &self.notice {
            return Some(notice.event());
        }
        if self.intake.strangers.is_due(now) {
            let (text, count) = self.intake.strangers.take(now);
            return Some(Event::Stranger { text, count });
        }
        let (item, line) = self.intake.take(takes_lines)?;
        if let Item::Gone(gone) = item
            && gone.clean
        {
            self.mutes.forget(gone.key);
        }
        Some(told(item, line, &self.mutes))
    }

    /// Time goes on, or something changed. To be called once a turn.
    ///
    /// # Errors
    /// The connection is of no use, or the hub cannot go on.
    pub fn turn(&mut self, now: Instant) -> Result<(), Fault> {
        self.go_on(now).map_err(|fault| self.weigh(fault))
    }

    fn go_on(&mut self, now: Instant) -> Result<(), Fault> {
        self.session.turn(&mut self.wire, now)?;
        let outcome = self.lookup.turn(&mut self.wire, now)?;
        self.looked_up(outcome, now)?;
        if let Some(away) = &mut self.away
            && now >= away.told + REMINDER
        {
            away.told = now;
            let waiting = self.outbox.waiting();
            self.notices
                .push_back(Notice::StillAway(away.why.clone(), waiting));
        }
        if self.way == Way::None {
            return Ok(());
        }
        let step = self.claim.turn(now);
        self.step(step, now)?;
        if self.way == Way::Stream && !self.lookup.is_going_on() {
            // Until the name is ours it is read whether it is, so far as there is room.
            let wants = (self.is_open || !self.claim.is_held()) && self.intake.has_room();
            self.reading.turn(wants, &mut self.wire, now);
        }
        self.publish(now)
    }

    fn publish(&mut self, now: Instant) -> Result<(), Fault> {
        loop {
            self.make(now);
            if !self.claim.may_speak() {
                return Ok(());
            }
            let subject = jetstream::subject(&self.settings.class, &self.settings.hub);
            let Ok(sent) = self.outbox.send(now) else {
                let refusal = &self.refusal;
                let why = format!("the stream does not take what is said{refusal}");
                return Err(Fault::Drop(why));
            };
            let Some(sealed) = sent else {
                break;
            };
            if self.way == Way::Stream {
                let (headers, payload) = (&sealed.headers, &sealed.payload);
                let ticket = self.wire.ask(Asked::Publish, &subject, headers, payload);
                self.outbox.asked(ticket);
                return Ok(());
            }
            let out = self.wire.out();
            codec::push_message(&subject, "", &sealed.headers, &sealed.payload, out);
            self.outbox.taken();
        }
        if self.way == Way::Plain
            && self.is_ending
            && self.outbox.is_empty()
            && self.farewell == Farewell::None
        {
            self.farewell = Farewell::Asked;
            self.wire.out().extend_from_slice(codec::PING);
        }
        Ok(())
    }

    /// Makes a message, if there is something to tell.
    fn make(&mut self, now: Instant) {
        if !self.has_room() {
            return;
        }
        let is_ready = self.outbox.is_ready();
        if self.claim.is_due(now) {
            self.claim.made(now);
            // What is in flight claims it as well.
            if is_ready {
                self.outbox.claim(&self.signer, now);
            }
        } else if is_ready && self.claim.is_held() && self.outbox.is_due(!self.is_ending, now) {
            for (author, lines) in self.outbox.make(&self.signer, now) {
                self.notices.push_back(Notice::Unsent(author, lines));
            }
        }
    }

    fn has_room(&self) -> bool {
        self.wire.output().len() <= MAX_UNSENT
    }

    /// When [`Bus::dial`], [`Bus::take`] or [`Bus::turn`] has something to do by itself.
    pub fn deadline(&self) -> Option<Instant> {
        let mut all = vec![
            self.session.deadline(),
            self.lookup.deadline(),
            self.away.as_ref().map(|away| away.told + REMINDER),
            self.intake.strangers.deadline(),
        ];
        // What waits for something else than time has none.
        if self.way == Way::Plain || (self.way == Way::Stream && self.has_room()) {
            all.push(self.claim.deadline());
        }
        if self.way != Way::None && self.claim.may_speak() {
            all.push(self.outbox.resend());
            let can_make = self.outbox.is_ready() && self.has_room();
            if self.claim.is_held() && can_make && !self.is_ending {
                all.push(self.outbox.heartbeat());
            }
        }
        if self.way == Way::Stream && !self.lookup.is_going_on() {
            all.push(self.reading.deadline());
        }
        all.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
