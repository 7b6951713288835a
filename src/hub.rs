//! The hub: one listener, any number of peers, one thread.
//!
//! A turn of the loop is the whole concurrency model:
//!
//! ```text
//!  poll ─► collect ─► stdin ─► peers ─► accept ─► flush ─► reap ─► show ───┐
//!   ▲      set bits   a chunk  a read   a batch   a write  leave  stdout   │
//!   │                          each               each                     │
//!   └──── timeout: zero if something stayed ready, else the next deadline ─┘
//! ```
//!
//! Events only set bits and queue keys; all work is bounded; only *reap* takes anything out of the
//! room. So no event can name somebody who is gone, nobody can starve another, and an idle hub
//! makes no system call.
//!
//! It promises: nothing a peer does ends the hub or stalls it.

mod arrival;
mod config;
mod entry;
mod once;
mod operator;
pub mod peers;
mod transfer;

use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Token;
use mio::event::Event;

pub use self::config::HubConfig;
use self::entry::Entry;
use self::once::First;
use self::once::endings;
use self::once::first;
use self::operator::Operator;
use self::peers::CHUNK;
use self::peers::Peers;
use self::transfer::Transfer;
use crate::client;
use crate::client::Traffic;
use crate::engine::chat::Chat;
use crate::engine::room::Room;
use crate::engine::screen::Screen;
use crate::engine::screen::Surface;
use crate::io::confine::confine;
use crate::io::console::Console;
use crate::io::descriptor::Kind;
use crate::io::door::Door;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::listener::Listener;
use crate::io::listener::Place;
use crate::io::listener::listen;
use crate::io::net;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::record::Records;
use crate::io::signals::Signals;
use crate::io::stdin::Stdin;
use crate::io::tls::Acceptor;
use crate::io::transport::Transport;
use crate::status::NOTICE;
use crate::status::Status;

// Peers' tokens are their keys in the room; these are beyond any key.
const LISTENER: Token = Token(usize::MAX);
const STDIN: Token = Token(usize::MAX - 1);
const STDOUT: Token = Token(usize::MAX - 2);
const STDERR: Token = Token(usize::MAX - 3);
const SIGNALS: Token = Token(usize::MAX - 4);
const RECORDS: Token = Token(usize::MAX - 5);

/// Events taken from the kernel in a turn.
const EVENTS: usize = 1024;

/// With `--send-only`: how long the peers may take to close after everything was sent to them.
const LINGER: Duration = Duration::from_secs(2);

/// Listens and serves until stdin has ended and the last peer has left, or for ever.
///
/// # Errors
/// It cannot listen or poll, or the terminal is gone.
pub fn run(config: HubConfig, notices: &Notices) -> Result<Status, Error> {
    let records = Records::open(&config.settings.records)?;
    let lists = config.access.load()?;
    let acceptor = config.tls.as_ref().map(Acceptor::new).transpose()?;
    net::raise_descriptor_limit();
    let (listener, place) = listen(&config.place)?;
    announce(&listener, &place, acceptor.as_ref(), &config, notices);
    let entry = Entry::new(&config, lists, acceptor);
    if config.once {
        return match first(listener, entry, notices)? {
            First::Came(conn) => client::serve(conn, config.settings, records, notices),
            First::Killed(signal) => Ok(Status::Killed(signal)),
        };
    }
    Hub::new(listener, entry, config, records, notices)
        .map_err(|e| Error::system("start the event loop", &e))?
        .run()
}

/// Says where the hub listens, by what it is known, and how to join it.
fn announce(
    listener: &Listener,
    place: &str,
    acceptor: Option<&Acceptor>,
    config: &HubConfig,
    notices: &Notices,
) {
    if matches!(&config.place, Place::Inet(bind) if bind.port == 0) {
        // Nobody could know it otherwise.
        notices.say(format_args!("listening on {place}"));
    } else {
        log::info!(target: NOTICE, "listening on {place}");
    }
    let tls = acceptor.map(|acceptor| {
        let fingerprint = acceptor.fingerprint();
        match &config.tls {
            // Nor this.
            Some(tls) if tls.identity.is_none() => {
                notices.say(format_args!("its certificate is {fingerprint}"));
            }
            _ => log::info!(target: NOTICE, "its certificate is {fingerprint}"),
        }
        format!("muxnc --ssl --ssl-fingerprint {fingerprint}")
    });
    if log::log_enabled!(target: NOTICE, log::Level::Info) {
        for command in listener.invitations(tls.as_deref()) {
            log::info!(target: NOTICE, "to join: {command}");
        }
    }
}

struct Hub {
    poll: Poll,
    door: Door,
    entry: Entry,
    /// None with `--recv-only`.
    stdin: Option<Stdin>,
    stdout: Output,
    stderr: Stderr,
    /// Only where stdin and stdout are a terminal.
    console: Option<Console>,
    /// The signals that end the hub, where there is no console that knows of them, and the file of
    /// its socket is to be removed before.
    endings: Option<Signals>,
    killed: Option<i32>,
    peers: Peers<Transport>,
    operator: Operator,
    transfer: Transfer,
    began: Instant,
    buffer: Box<[u8]>,
    config: HubConfig,
}

impl Hub {
    fn new(
        listener: Listener,
        entry: Entry,
        config: HubConfig,
        mut records: Option<Records>,
        notices: &Notices,
    ) -> io::Result<Hub> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        let has_file = listener.has_file();
        let door = Door::new(listener, registry, LISTENER)?;
        let stdin = match config.settings.traffic {
            Traffic::ReceiveOnly => None,
            _ => Some(Stdin::new(registry, STDIN)?),
        };
        let mut stdout = Output::stdout();
        stdout.register(registry, STDOUT)?;
        let mut stderr = Stderr::new(notices.clone());
        stderr.register(registry, STDERR)?;
        let surface = match (stdout.kind(), config.settings.raw_output) {
            (Kind::Terminal, false) => Surface::Terminal,
            (Kind::Terminal, true) => Surface::RawTerminal,
            _ => Surface::Stream,
        };
        let console = match stdin.is_some() && config.settings.edit {
            true => Console::open(registry, SIGNALS, &stdout, &stderr)?,
            false => None,
        };
        let endings = endings(has_file && console.is_none(), registry)?;
        let mut room = Room::new(config.policy(surface));
        room.keep_history(config.history);
        if let Some(rate) = config.rate {
            room.limit(rate);
        }
        if let Some(name) = &config.chat {
            room.open_chat(Chat::new(name, config.settings.crlf));
        }
        if records.as_ref().is_some_and(Records::has_stdout) {
            room.screen_mut().show_records();
        } else if config.settings.traffic == Traffic::SendOnly {
            room.screen_mut().close();
        }
        if let Some(records) = &mut records {
            records.register(registry, RECORDS)?;
        }
        let mut peers = Peers::new(room).recorded(records);
        if config.max_per_host.is_some() {
            peers.count_hosts();
        }
        if let Some(limit) = config.settings.idle_timeout {
            peers.limit_idle(limit);
        }
        Ok(Hub {
            poll,
            door,
            entry,
            stdin,
            stdout,
            stderr,
            console,
            endings,
            killed: None,
            peers,
            operator: Operator::new(config.settings.line_delay),
            transfer: Transfer::new(config.wait_for),
            began: Instant::now(),
            buffer: vec![0; CHUNK].into_boxed_slice(),
            config,
        })
    }

    fn run(mut self) -> Result<Status, Error> {
        // All is open that ever will be.
        confine(self.config.place.folder());
        let mut ended = self.turns();
        self.peers.close_notify();
        self.peers.record(Records::finish);
        self.sum_up(Instant::now());
        if let Some(console) = &mut self.console {
            ended = console.ending(ended);
            console.leave(&mut self.stdout);
        }
        self.stderr.flush();
        ended
    }

    fn turns(&mut self) -> Result<Status, Error> {
        let mut events = Events::with_capacity(EVENTS);
        let mut now = Instant::now();
        loop {
            self.show()?;
            // What was shown just now may have been the last that was waited for.
            if self.is_done(now) {
                return Ok(Status::Done);
            }
            match self.poll.poll(&mut events, self.timeout()) {
                Ok(()) => {}
                // A signal that somebody wants to know of has its own event.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::system("wait for events", &error)),
            }
            now = Instant::now();
            for event in &events {
                self.collect(event);
            }
            if let Some(console) = &mut self.console
                && let Some(signal) = console.obey_signals(&mut self.stdout)
            {
                return Ok(Status::Killed(signal));
            }
            if let Some(signal) = self.killed {
                return Ok(Status::Killed(signal));
            }
            self.hear_operator(now)?;
            self.hear_peers(now)?;
            self.accept(now);
            self.shake_hands(now);
            self.entry.tell_untold(now);
            self.peers.flush(now);
            self.peers.find_overdue(now);
            self.peers.find_vanished(now);
            if self.peers.reap(now) {
                self.door.someone_left();
            }
            self.peers.record(Records::flush);
            self.draw(now);
        }
    }

    fn hear_peers(&mut self, now: Instant) -> Result<(), Error> {
        let (console, stdout, stderr) = (&mut self.console, &mut self.stdout, &mut self.stderr);
        self.peers.hear(&mut self.buffer, now, |screen| {
            show(screen, console, stdout, stderr)
        })
    }

    /// Zero if something stayed ready, else until the next deadline, if there is one.
    fn timeout(&self) -> Option<Duration> {
        let peers = self.peers.is_ready();
        let settled = self.console.as_ref().is_none_or(Console::is_settled);
        let shown = self.peers.room.screen().is_empty() && settled;
        let screen = !shown && self.stdout.is_writable();
        let arrivals = self.entry.is_ready() || self.door.is_ready();
        if self.operator_is_ready() || peers || screen || arrivals {
            return Some(Duration::ZERO);
        }
        let deadlines = [
            self.peers.deadline(),
            self.door.deadline(),
            self.entry.deadline(),
            self.operator.pause(),
            self.quits(),
            self.lingers(),
            self.draws(),
        ];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn collect(&mut self, event: &Event) {
        match event.token() {
            LISTENER => self.door.collect(),
            STDIN => self.stdin.iter_mut().for_each(|stdin| stdin.collect(event)),
            STDOUT => self.stdout.collect(event),
            STDERR => self.stderr.collect(event),
            RECORDS => self.peers.record(|records| records.collect(event)),
            SIGNALS => {
                self.console.iter_mut().for_each(Console::collect_signal);
                self.killed = self.endings.as_mut().and_then(Signals::end);
            }
            Token(key) => {
                let strangers = self.entry.handshakes.as_mut();
                if !strangers.is_some_and(|strangers| strangers.collect(event.token())) {
                    self.peers.collect(key, event);
                }
            }
        }
    }

    /// See [`show`].
    fn show(&mut self) -> Result<(), Error> {
        let screen = self.peers.room.screen_mut();
        show(
            screen,
            &mut self.console,
            &mut self.stdout,
            &mut self.stderr,
        )
    }

    /// Whether the hub has nothing left to do: only ever after the end of stdin, or `/quit`.
    fn is_done(&mut self, now: Instant) -> bool {
        if self.operator.quit {
            return true;
        }
        if self.operator.finished.is_none() {
            return false;
        }
        let may_linger = self.config.settings.traffic == Traffic::SendOnly;
        if may_linger && self.operator.delivered.is_none() && self.peers.has_delivered_all() {
            self.operator.delivered = Some(now);
        }
        let written = self.console.as_ref().is_none_or(Console::is_written);
        let told = self.peers.room.is_empty() && self.peers.room.screen().is_empty() && written;
        told || [self.quits(), self.lingers()]
            .into_iter()
            .flatten()
            .any(|end| now >= end)
    }

    fn quits(&self) -> Option<Instant> {
        Some(self.operator.finished? + self.config.settings.quit_after?)
    }

    fn lingers(&self) -> Option<Instant> {
        Some(self.operator.delivered? + LINGER)
    }
}

/// The screen to stdout, and notices to stderr. A stdout that is closed is told of once, and
/// the hub serves on.
fn show(
    screen: &mut Screen,
    console: &mut Option<Console>,
    stdout: &mut Output,
    stderr: &mut Stderr,
) -> Result<(), Error> {
    match console {
        Some(console) => {
            while !console.is_busy() && !screen.is_empty() {
                let count = screen.front().len();
                console.show(screen.front());
                screen.consume(count);
            }
        }
        None => {
            if stdout.kind() == Kind::Terminal && !screen.is_empty() {
                transfer::make_way(stderr);
            }
            while stdout.is_writable() && !screen.is_empty() {
                match stdout.write(screen.front()) {
                    Ok(count) => screen.consume(count),
                    Err(error) => {
                        log::warn!("write to stdout: {}; serving without", why(&error));
                        screen.close();
                    }
                }
            }
        }
    }
    let dropped = screen.take_dropped();
    if dropped > 0 {
        log::warn!("{dropped} lines were not shown: stdout did not keep up");
    }
    let Some(console) = console else {
        stderr.flush();
        return Ok(());
    };
    console.flush(stdout, stderr).map_err(|_| Error::hung_up())
}
