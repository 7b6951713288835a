//! The link to the bus: the hub's connection to a server of NATS, and the engine that speaks over it.
//!
//! ```text
//!   away ─► calling ─► in plain ─────────► speaking ─► away
//!              ▲           └► handshaking ─┘            │
//!              └────────────────────────────────────────┘
//! ```
//!
//! [`Bus`] decides when which server is called and what is said; here bytes go to and fro.
//!
//! It promises: nothing waits; a turn reads [`READS`] times at most; what a server does ends the link's
//! connection, and the hub only if it never was a part of the class.

use std::io::IoSlice;
use std::time::Instant;

use crate::engine::bus::Bus;
use crate::engine::bus::Event;
use crate::engine::bus::Fault;
use crate::engine::bus::Hub;
use crate::engine::bus::NotAsked;
use crate::engine::bus::Settings;
use crate::engine::bus::Speaker;
use crate::engine::bus::Url;
use crate::engine::bus::What;
use crate::engine::bus::Whom;
use crate::io::caller::Call;
use crate::io::caller::Called;
use crate::io::conn::Conn;
use crate::io::error::Error;
use crate::io::readiness;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Stream;
use crate::io::tls::ClientTls;
use crate::io::tls::Trust;

/// Reads of the connection in a turn.
const READS: usize = 4;

/// How hubs are joined.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// Where the bus is.
    pub url: Url,
    /// What this hub is called.
    pub name: String,
    /// So many bytes wait for it while it is away.
    pub buffer: usize,
    /// Lines may be lost.
    pub at_most_once: bool,
    /// Other hubs' operators may cut members off here.
    pub trusts: bool,
    /// Whom it believes, where it speaks TLS.
    pub trust: Trust,
}

impl BusConfig {
    /// What it asks of TLS.
    pub fn tls(&self) -> ClientTls {
        ClientTls {
            identity: None,
            trust: self.trust.clone(),
            name: None,
            alpn: Vec::new(),
        }
    }

    /// Whether TLS is asked for, whatever a server says.
    pub fn is_encrypted(&self) -> bool {
        self.url.tls
    }

    fn settings(&self, history: usize) -> Settings {
        Settings {
            class: self.url.class.clone(),
            hub: self.name.clone(),
            servers: self.url.servers.clone(),
            login: self.url.login.clone(),
            tls: self.url.tls,
            buffer: self.buffer,
            at_most_once: self.at_most_once,
            history: history as u64,
        }
    }
}

/// See the module's documentation.
pub(in crate::hub) struct Link<S> {
    bus: Bus,
    caller: Box<dyn Call<S>>,
    conn: Option<Conn<S>>,
    is_handshaking: bool,
    /// The hub cannot be a part of the class.
    is_over: bool,
    /// Something is to be done at once.
    is_due: bool,
    /// Lines of others wait for the room.
    waits_for_room: bool,
    name: String,
    class: String,
    trusts: bool,
}

impl<S: Stream> Link<S> {
    /// A link that is away. `seed` is by chance; so many lines that were said before are wanted.
    pub(in crate::hub) fn new(
        config: &BusConfig,
        caller: Box<dyn Call<S>>,
        seed: [u8; 32],
        history: usize,
        now: Instant,
    ) -> Link<S> {
        Link {
            bus: Bus::new(config.settings(history), seed, now),
            caller,
            conn: None,
            is_handshaking: false,
            is_over: false,
            is_due: true,
            waits_for_room: false,
            name: config.name.clone(),
            class: config.url.class.clone(),
            trusts: config.trusts,
        }
    }

    /// What this hub is called on it.
    pub(in crate::hub) fn name(&self) -> &str {
        &self.name
    }

    /// Which class it is.
    pub(in crate::hub) fn class(&self) -> &str {
        &self.class
    }

    /// Whether other hubs' operators may cut members off here.
    pub(in crate::hub) fn trusts(&self) -> bool {
        self.trusts
    }

    /// Takes note of an event.
    pub(in crate::hub) fn collect(&mut self, event: readiness::Event) {
        self.is_due = true;
        if let Some(conn) = &mut self.conn {
            conn.collect(event);
        }
    }

    /// A speaker of this hub said something: whole lines, or a piece of one.
    pub(in crate::hub) fn say(&mut self, number: u32, name: Option<&str>, said: &[u8]) {
        self.bus.say(Speaker { number, name }, said);
        self.is_due = true;
    }

    /// Asks something of another hub.
    ///
    /// # Errors
    /// It is not asked.
    pub(in crate::hub) fn ask(
        &mut self,
        hub: &str,
        whom: Whom<'_>,
        what: What<'_>,
    ) -> Result<(), NotAsked> {
        self.is_due = true;
        let ask = crate::engine::bus::Ask { hub, whom, what };
        self.bus.ask(ask)
    }

    /// Mutes a speaker of another hub here, or hears it again. Whether it was muted; None: no other
    /// hub has that name.
    pub(in crate::hub) fn mute(&mut self, hub: &str, number: u32, on: bool) -> Option<bool> {
        self.bus.mute(hub, number, on)
    }

    /// The other hubs.
    pub(in crate::hub) fn hubs(&self) -> impl Iterator<Item = Hub<'_>> {
        self.bus.hubs()
    }

    /// The words of this hub that are not known to be on the bus, in lines and bytes.
    pub(in crate::hub) fn waiting(&self) -> (u64, usize) {
        let waiting = self.bus.waiting();
        (waiting.lines + waiting.lost, waiting.bytes)
    }

    /// How many bytes of what a speaker of this hub says need not wait for the bus. None: of what is asked.
    pub(in crate::hub) fn room_for(&self, number: Option<u32>) -> usize {
        self.bus.room_for(number)
    }

    /// Reads what came: the first half of a turn. A new connection is handed to `register`.
    pub(in crate::hub) fn receive(
        &mut self,
        here: usize,
        register: impl FnOnce(&mut Conn<S>) -> std::io::Result<()>,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), Error> {
        self.is_due = false;
        if self.is_over {
            return Ok(());
        }
        self.bus.set_here(here);
        self.call(register, now);
        let received = self.shake_hands(now).and_then(|()| self.read(buffer, now));
        self.heed(received, now)
    }

    /// What happened, to be asked until there is none.
    pub(in crate::hub) fn take(&mut self, takes_lines: bool, now: Instant) -> Option<Event<'_>> {
        self.waits_for_room = !takes_lines;
        self.bus.take(takes_lines, now)
    }

    /// Says what is to be said: the second half of a turn.
    pub(in crate::hub) fn send(&mut self, now: Instant) -> Result<(), Error> {
        if self.is_over {
            return Ok(());
        }
        let turned = self.bus.turn(now);
        self.heed(turned, now)?;
        let written = self.write();
        self.heed(written, now)
    }

    /// Nothing more is said here.
    pub(in crate::hub) fn bye(&mut self) {
        self.bus.bye();
        self.is_due = true;
    }

    /// Whether the others have all there was to tell, or never will.
    pub(in crate::hub) fn is_flushed(&self) -> bool {
        self.is_over || self.bus.is_flushed() && self.bus.output().is_empty()
    }

    /// Whether there is something to do at once, if the room takes lines or not.
    pub(in crate::hub) fn is_ready(&self, takes_lines: bool) -> bool {
        let moves = |conn: &Conn<S>| {
            let writes = !self.bus.output().is_empty() || conn.has_pending_output();
            conn.is_readable() && !self.is_handshaking || conn.is_writable() && writes
        };
        self.is_due || (self.waits_for_room && takes_lines) || self.conn.as_ref().is_some_and(moves)
    }

    /// When there is something to do next, if nothing happens before.
    pub(in crate::hub) fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.bus.deadline(), self.caller.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Calls whom the engine wants to be called, and takes the connection in when it is there.
    fn call(&mut self, register: impl FnOnce(&mut Conn<S>) -> std::io::Result<()>, now: Instant) {
        if let Some(server) = self.bus.dial(now) {
            self.conn = None;
            self.caller.call(&server.host, server.port, now);
        }
        match self.caller.step() {
            Called::Pending => {}
            Called::Failed(error) => {
                let told = error.to_string();
                self.bus.lost(told.lines().next().unwrap_or_default(), now);
            }
            Called::Done(stream, addr) => {
                let mut conn = Conn::new(stream, addr);
                match register(&mut conn) {
                    Ok(()) => {
                        self.conn = Some(conn);
                        self.is_handshaking = false;
                        self.bus.connected(now);
                    }
                    Err(error) => self.bus.lost(&error.to_string(), now),
                }
            }
        }
    }

    /// Goes on with TLS, if that is wanted.
    fn shake_hands(&mut self, now: Instant) -> Result<(), Fault> {
        if !self.is_handshaking {
            return Ok(());
        }
        let Some(conn) = &mut self.conn else {
            return Ok(());
        };
        match conn.handshake() {
            Handshake::Done => {
                self.is_handshaking = false;
                self.bus.secured(now);
                self.is_due = true;
            }
            Handshake::Begun => self.is_due = true,
            Handshake::Pending | Handshake::Replied | Handshake::Silent => {}
            Handshake::Failed(error) => {
                return Err(Fault::Drop(format!("TLS with {}: {error}", conn.addr())));
            }
            Handshake::Foreign
            | Handshake::Asks
            | Handshake::Fetches
            | Handshake::Answered(_)
            | Handshake::Left => {
                return Err(Fault::Drop(format!("{} speaks no TLS", conn.addr())));
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], now: Instant) -> Result<(), Fault> {
        for _ in 0..READS {
            if self.bus.wants_tls() && !self.is_handshaking {
                return self.encrypt(now);
            }
            let Some(conn) = self.conn.as_mut().filter(|_| !self.is_handshaking) else {
                return Ok(());
            };
            if !conn.is_readable() {
                return Ok(());
            }
            match conn.read(buffer) {
                Received::Bytes(count) => self.bus.received(&buffer[..count], now)?,
                Received::Yield => self.is_due = true,
                Received::Pending => return Ok(()),
                Received::End => {
                    let why = format!("{} closed the connection", conn.addr());
                    return Err(Fault::Drop(why));
                }
                Received::Truncated(error) | Received::Failed(error) => {
                    return Err(Fault::Drop(format!("{}: {error}", conn.addr())));
                }
            }
        }
        Ok(())
    }

    /// The server wants TLS, or we do.
    fn encrypt(&mut self, now: Instant) -> Result<(), Fault> {
        let Some(conn) = self.conn.take() else {
            return Ok(());
        };
        let addr = conn.addr().clone();
        let stream = self
            .caller
            .encrypt(conn.into_stream())
            .map_err(|error| Fault::Drop(error.to_string()))?;
        self.conn = Some(Conn::new(stream, addr));
        self.is_handshaking = true;
        self.shake_hands(now)
    }

    fn write(&mut self) -> Result<(), Fault> {
        let Some(conn) = self.conn.as_mut().filter(|_| !self.is_handshaking) else {
            return Ok(());
        };
        let broke = |conn: &Conn<S>, error| Fault::Drop(format!("{}: {error}", conn.addr()));
        conn.flush().map_err(|error| broke(conn, error))?;
        while !self.bus.output().is_empty() && conn.is_writable() {
            let written = conn.write(&[IoSlice::new(self.bus.output())]);
            let count = written.map_err(|error| broke(conn, error))?;
            self.bus.written(count);
        }
        Ok(())
    }

    /// What the engine says of it.
    fn heed(&mut self, result: Result<(), Fault>, now: Instant) -> Result<(), Error> {
        match result {
            Ok(()) => Ok(()),
            Err(Fault::Drop(why)) => {
                self.conn = None;
                self.is_handshaking = false;
                self.bus.lost(&why, now);
                self.is_due = true;
                Ok(())
            }
            Err(Fault::End { why, hint }) => {
                self.is_over = true;
                Err(Error::new("join the class on the bus", why).hint(hint))
            }
        }
    }
}
