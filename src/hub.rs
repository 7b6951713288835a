//! The hub: its listeners, any number of peers, one thread.
//!
//! The [core](core::Core) decides everything; this file opens what it works on, and is the only one
//! here that owns a Poll.
//!
//! ```text
//!   poll ─► collect ─► core.turn ──┐
//!    ▲                             │
//!    └── timeout: at once, at the ─┘
//!        next deadline, or none
//! ```
//!
//! It promises: all files and sockets are opened before the first turn, except the files that
//! `Reload` reads again and opens anew and those of answers (`--collect`), so the process gives up
//! the right to open others (see [`confine`]).

pub mod accept;
mod config;
pub mod core;
pub(crate) mod display;
mod farewell;
#[cfg(feature = "bus")]
mod link;
#[cfg(not(feature = "bus"))]
#[path = "hub/link/absent.rs"]
mod link;
pub mod news;
pub mod operator;
pub mod peers;
mod reload;
mod transfer;

use std::io;
use std::io::ErrorKind;
use std::io::IsTerminal;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Token;

pub use self::config::HubConfig;
pub use self::config::WebConfig;
use self::core::Core;
use self::core::Parts;
use self::core::Source;
use self::core::Turn;
use self::core::Uplink;
use self::core::Visits;
pub use self::link::BusConfig;
use self::reload::Reload;
use crate::client;
use crate::client::Traffic;
use crate::engine::admit::Lists;
use crate::engine::explain::Observed;
use crate::engine::explain::Story;
use crate::engine::explain::Witness;
use crate::engine::fold::whole;
use crate::engine::record::Entry;
use crate::io::access::Guard;
use crate::io::caller::Caller;
use crate::io::clock::LocalClock;
use crate::io::confine::Kept;
use crate::io::confine::confine;
use crate::io::conn::Conn;
use crate::io::descriptor::Descriptor;
use crate::io::descriptor::Direction;
use crate::io::device::Device;
use crate::io::error::Error;
use crate::io::input::Input;
use crate::io::input::Tokens;
use crate::io::layer::Layer;
use crate::io::listener::Listener;
use crate::io::listener::Place;
use crate::io::listener::listen;
use crate::io::net;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::random;
use crate::io::record::Prepared;
use crate::io::record::Records;
use crate::io::signals::HANGUP;
use crate::io::signals::HeldFaults;
use crate::io::signals::Signals;
use crate::io::small_file::Files;
use crate::io::terminal::Terminal;
use crate::io::tls::Acceptor;
use crate::io::web::Offered;
use crate::io::web::Site;
use crate::io::web::invitation;
use crate::io::world::Kernel;
use crate::status::EXPLAIN;
use crate::status::NOTICE;
use crate::status::Status;

// Peers' tokens are their keys; these are beyond any key.
const STDIN: Token = Token(usize::MAX - 1);
const STDOUT: Token = Token(usize::MAX - 2);
const STDERR: Token = Token(usize::MAX - 3);
const SIGNALS: Token = Token(usize::MAX - 4);
const RECORDS: Token = Token(usize::MAX - 5);
const BUS: Token = Token(core::BUS);
const INPUT: Tokens = Tokens {
    stdin: STDIN,
    signals: SIGNALS,
};

/// The listeners' tokens are this less their number.
const LISTENERS: usize = usize::MAX - 100;
const MOST_LISTENERS: usize = 100;

/// How long the hub stays at its end for browsers that talk on, at most, for all together.
const READ_END: Duration = Duration::from_millis(200);

/// Events taken from the kernel in a turn.
const EVENTS: usize = 1024;

/// Listens and serves until stdin has ended and the last peer has left, or for ever.
///
/// # Errors
/// It cannot listen or poll, or the terminal is gone.
pub fn run(config: HubConfig, notices: &Notices) -> Result<Status, Error> {
    refuse_file_on_bus(&config)?;
    let records = Prepared::open(&config.settings.records)?;
    let mut files = Files::default();
    let (guard, lists) = Guard::open(config.access.clone(), &mut files)?;
    let acceptor = config.tls.as_ref();
    let acceptor = acceptor.map(|asked| Acceptor::new(asked, &mut files));
    let acceptor = acceptor.transpose()?;
    let poll = Poll::new().map_err(starting)?;
    let bus = uplink(&poll, &config, &mut files)?;
    net::raise_descriptor_limit();
    // A script that sees the hub listen may send one.
    Signals::hold_faults();
    let mut places = Vec::new();
    let (mut listeners, mut visits) = (Vec::new(), None);
    let offered = offered(&config);
    if let Some(place) = &config.place {
        let (mut listener, told) = listen(place, acceptor.clone())?;
        if config.settings.telnet {
            listener.answer_telnet();
        }
        let chosen = matches!(place, Place::Inet(bind) if bind.port == 0);
        announce(&format!("listening on {told}"), chosen, notices);
        if config.settings.explain && matches!(place, Place::Inet(_)) {
            explain_listening(&told);
        }
        announce_certificate(acceptor.as_ref(), &config, notices);
        announce_raw(&listener, acceptor.as_ref());
        listeners.push(listener);
        places.push((told, false));
    }
    if let Some(web) = &config.web {
        let (mut listener, told) = listen(&Place::Inet(web.bind.clone()), acceptor.clone())?;
        announce(
            &format!("listening for browsers on {told}"),
            web.bind.port == 0,
            notices,
        );
        if config.settings.explain {
            explain_listening(&told);
        }
        if config.place.is_none() {
            announce_certificate(acceptor.as_ref(), &config, notices);
        }
        places.push((told, true));
        let host = web.bind.host.as_deref();
        let mut site = Site::new(host, &web.origins, acceptor.is_some())?;
        if let Some(port) = listeners.first().and_then(Listener::port) {
            site.point_others_to(port);
        }
        if offered.is_some() {
            announce_pages(&listener, "download", false);
            site.offer_file();
        } else {
            visits = Some(Visits {
                page: announce_pages(&listener, "join", takes_commands(&config)),
                secret: random::bytes().map_err(|e| Error::system("read /dev/urandom", &e))?,
            });
        }
        listener.serve(site);
        listeners.push(listener);
    }
    let settings = config.settings.clone();
    let reload = Reload::new(guard, records.as_ref()).filter(|_| !config.once);
    // Whatever keeps the hub from listening was told by now.
    let mut records = records.map(Prepared::begin).transpose()?;
    for (place, web) in &places {
        let (place, web) = (place.as_str(), *web);
        records
            .iter_mut()
            .for_each(|records| records.note(Entry::Listening { place, web }));
    }
    if config.once {
        // The loop that serves the peer begins when there is one.
        records.iter_mut().for_each(Records::write_first);
    }
    let (served, records) = match config.once {
        true => (records, None),
        false => (None, records),
    };
    let opened = Opened {
        listeners,
        lists,
        reload,
        records,
        visits,
        offered,
        bus,
    };
    let hub = Hub::open(poll, opened, config, notices).map_err(starting)?;
    match hub.run()? {
        Ended::Status(status) => Ok(status),
        Ended::HandOver(conn, _faults) => client::serve(conn, settings, served, notices),
    }
}

fn starting(error: io::Error) -> Error {
    Error::system("start the event loop", &error)
}

/// A class of several hubs has no transfer: lines go over the bus.
fn refuse_file_on_bus(config: &HubConfig) -> Result<(), Error> {
    if config.bus.is_none() {
        return Ok(());
    }
    let remaining = Descriptor::new(rustix::stdio::stdin(), Direction::In).remaining();
    match is_transfer(config, remaining) {
        true => Err(Error::usage("--bus", "a file does not go over the bus")
            .hint("Give it to each room by itself: a hub each, the file on each.")),
        false => Ok(()),
    }
}

/// Whether stdin, of which so much remains if it is a file, is given to all as a whole.
fn is_transfer(config: &HubConfig, remaining: Option<u64>) -> bool {
    let has_input = config.settings.traffic != Traffic::ReceiveOnly;
    has_input && transfer::is_whole(remaining, config.wait_for, config.keep_open)
}

/// What the hub needs to be one of several that are one class; what is among `files` was read.
fn uplink(
    poll: &Poll,
    config: &HubConfig,
    files: &mut Files,
) -> Result<Option<Uplink<Layer>>, Error> {
    let Some(bus) = &config.bus else {
        return Ok(None);
    };
    let encrypted = bus.is_encrypted();
    let caller = Caller::new(poll.registry(), BUS, bus.tls(), encrypted, files)?;
    Ok(Some(Uplink {
        caller: Box::new(caller),
        seed: random::bytes().map_err(|e| Error::system("read /dev/urandom", &e))?,
    }))
}

/// Says where the hub listens; also without `-v`, if that could not be known otherwise (`-l 0`).
fn announce(told: &str, is_chosen: bool, notices: &Notices) {
    match is_chosen {
        true => notices.say(told),
        false => log::info!(target: NOTICE, "{told}"),
    }
}

/// Explains who answers those that come.
fn explain_listening(told: &str) {
    let mut story = Story::default();
    story.observe(Observed::Listening(told));
    for sentence in story.take(Instant::now()) {
        log::info!(target: EXPLAIN, "{sentence}");
    }
}

/// Says by what the hub is known.
fn announce_certificate(acceptor: Option<&Acceptor>, config: &HubConfig, notices: &Notices) {
    let Some(acceptor) = acceptor else {
        return;
    };
    // A certificate made for this run is not known to the participants, either.
    let is_made = config
        .tls
        .as_ref()
        .is_some_and(|tls| tls.identity.is_none());
    let told = format!("its certificate is {}", acceptor.fingerprint().spelled());
    announce(&told, is_made, notices);
}

/// Says how to join it with a netcat.
fn announce_raw(listener: &Listener, acceptor: Option<&Acceptor>) {
    if !log::log_enabled!(target: NOTICE, log::Level::Info) {
        return;
    }
    let tls = acceptor.map(|acceptor| {
        let fingerprint = acceptor.fingerprint();
        format!("muxnc --ssl-fingerprint {}", fingerprint.short())
    });
    for command in listener.invitations(tls.as_deref()) {
        log::info!(target: NOTICE, "to join: {}", whole(&command));
    }
    if listener.is_out_of_reach() {
        log::info!(
            target: NOTICE,
            "this machine has no address that others could reach: only who is at it can join"
        );
    }
}

/// The file that browsers may download instead of joining: with a transfer, which is of a file. Of an empty
/// one there is nothing to download: to a transfer of nothing they come as to one of a pipe.
fn offered(config: &HubConfig) -> Option<Offered> {
    let file = config.web.as_ref().and_then(|_| Offered::stdin());
    file.filter(|file| file.remaining() > 0 && is_transfer(config, Some(file.remaining())))
}

/// Says what to open with a browser to join, or to download: where, and for a camera in a code, if that leaves
/// half of the terminal; where the operator may type commands, how it is shown otherwise. Returns the
/// address in the code.
fn announce_pages(listener: &Listener, purpose: &str, takes_commands: bool) -> Option<String> {
    let pages = listener.pages();
    let page = pages.first()?;
    let code = Terminal::size_of_stderr().zip(invitation(page));
    let (code, left_out) = match code {
        Some((size, code)) if leaves_half(&code, size) => (code, false),
        code => (Vec::new(), code.is_some()),
    };
    for (number, page) in pages.iter().enumerate() {
        let hint = match left_out && takes_commands && number == 0 {
            true => " (/qr shows it for a camera)",
            false => "",
        };
        log::info!(target: NOTICE, "to {purpose}: {}{hint}", whole(page));
    }
    for row in code {
        log::info!(target: NOTICE, "{row}");
    }
    pages.into_iter().next()
}

/// Whether rows take half of a terminal of so many columns and rows at most.
fn leaves_half(code: &[String], (columns, rows): (u16, u16)) -> bool {
    let told = "muxnc: ".len();
    let fits = |row: &String| told + row.chars().count() <= usize::from(columns);
    code.len() * 2 <= usize::from(rows) && code.iter().all(fits)
}

/// Whether somebody at the terminal may type commands.
fn takes_commands(config: &HubConfig) -> bool {
    let reads = config.settings.traffic != Traffic::ReceiveOnly;
    config.commands && reads && io::stdin().is_terminal()
}

/// The files and sockets that are opened before the first turn.
struct Opened {
    listeners: Vec<Listener>,
    lists: Lists,
    reload: Option<Reload>,
    records: Option<Records>,
    visits: Option<Visits>,
    offered: Option<Offered>,
    bus: Option<Uplink<Layer>>,
}

/// How the loop ended.
enum Ended {
    Status(Status),
    /// A peer came, and is served alone; signals of faults wait for the loop that serves it.
    HandOver(Conn, Option<HeldFaults>),
}

/// The driver of the core.
struct Hub {
    poll: Poll,
    core: Core<Kernel>,
    /// The signals that end the hub, where there is no console that handles them: peers that are
    /// owed something have to see a broken connection, and the file of a socket is removed.
    endings: Option<Signals>,
    /// What SIGHUP does, if it does not end the hub.
    reload: Option<Reload>,
    confined: Option<Place>,
    /// It connects to the bus whenever that is away.
    calls: bool,
}

impl Hub {
    fn open(poll: Poll, opened: Opened, config: HubConfig, notices: &Notices) -> io::Result<Hub> {
        let Opened {
            mut listeners,
            lists,
            reload,
            mut records,
            visits,
            offered,
            bus,
        } = opened;
        let registry = poll.registry();
        let has_file = listeners.iter().any(Listener::has_file);
        for (number, listener) in listeners.iter_mut().enumerate() {
            listener.register(registry, Token(LISTENERS - number))?;
        }
        let mut stdout = Output::stdout();
        let mut stderr = Stderr::new(notices.clone());
        stderr.register(registry, STDERR)?;
        let mut input = Input::None;
        if !config.once {
            stdout.register(registry, STDOUT)?;
            if config.settings.traffic != Traffic::ReceiveOnly {
                let edits = config.settings.edit;
                input = Input::open(registry, INPUT, edits, config.commands)?;
            }
        }
        if let Some(records) = &mut records {
            records.register(registry, RECORDS)?;
        }
        let has_console = input.console().is_some();
        let endings = match (has_console, has_file) {
            (true, _) => None,
            (false, true) => Some(Signals::ending(registry, SIGNALS)?),
            // The peer that comes is served by the loop of a participant.
            (false, false) if config.once => Some(Signals::faults(registry, SIGNALS)?),
            (false, false) => Some(Signals::usual(registry, SIGNALS)?),
        };
        let confined = config.place.clone();
        let calls = config.bus.is_some();
        let clock = config.times.then(LocalClock::open);
        let parts = Parts {
            world: Kernel::new(registry)?.with_clock(clock),
            listeners,
            are_shared: config.place == Some(Place::Passed),
            visits,
            offered,
            bus,
            lists,
            input,
            can_draw: stderr.is_capable_terminal(),
            stdout,
            stderr,
            records,
        };
        let core = Core::new(parts, config, Instant::now());
        Ok(Hub {
            poll,
            core,
            endings,
            reload,
            confined,
            calls,
        })
    }

    fn run(mut self) -> Result<Ended, Error> {
        let ended = match self.turns() {
            Ok(Ended::HandOver(mut conn, _)) => {
                conn.deregister(self.poll.registry())
                    .map_err(|e| Error::system("hand the connection over", &e))?;
                let faults = self.endings.take().map(Signals::hand_over);
                return Ok(Ended::HandOver(conn, faults));
            }
            Ok(Ended::Status(status)) => Ok(status),
            Err(error) => Err(error),
        };
        if let Some(signals) = self.endings.take() {
            // Another one need not wait for the last words.
            signals.give_back();
        }
        let ended = self.leave_class(ended);
        let mut ended = self.core.finish(ended, Instant::now());
        self.let_read_end();
        if !self.core.write_last() && matches!(ended, Ok(Status::Done(_))) {
            ended = Ok(Status::Failed);
        }
        if let Some(mut records) = self.core.take_records() {
            records.finish();
            // Why, it said when it failed.
            if records.has_failed() && matches!(ended, Ok(Status::Done(_))) {
                ended = Ok(Status::Failed);
            }
        }
        ended.map(Ended::Status)
    }

    /// Waits, but not long, until the other hubs have the lines that were said here, and know that
    /// this one ends. Returns how the hub ended then; lines that they lack are told.
    fn leave_class(&mut self, ended: Result<Status, Error>) -> Result<Status, Error> {
        if !self.calls {
            return ended;
        }
        let is_cut = matches!(&ended, Ok(Status::Killed(_)) | Err(_));
        let mut now = Instant::now();
        self.core.leave_class(is_cut, now);
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let until = match self.core.finish_class(now) {
                Ok(Some(until)) => until,
                Ok(None) => break,
                Err(error) => return ended.and(Err(error)),
            };
            // Another signal does not matter any more.
            let _ = (self.poll).poll(&mut events, Some(until.saturating_duration_since(now)));
            for event in events.iter().filter(|event| event.token() == BUS) {
                self.core.collect(Source::Bus, event.into());
            }
            now = Instant::now();
        }
        match self.core.lines_unheard() {
            0 => return ended,
            1 => log::warn!("1 line did not get to the other hubs"),
            lines => log::warn!("{lines} lines did not get to the other hubs"),
        }
        ended.map(|status| match status {
            Status::Done(_) => Status::Failed,
            status => status,
        })
    }

    /// Waits, but not long, until browsers that talked while the hub ended have read that. They read nothing if they
    /// learn of a reset first, which is what their kernels get for words that nobody took.
    fn let_read_end(&mut self) {
        let mut now = Instant::now();
        let end = now + READ_END;
        let mut events = Events::with_capacity(EVENTS);
        while let Some(until) = self.core.let_read_end(end, now) {
            // It does not matter what it tells of: there is little to look at.
            let timeout = until.saturating_duration_since(now);
            let _ = self.poll.poll(&mut events, Some(timeout));
            now = Instant::now();
        }
    }

    fn turns(&mut self) -> Result<Ended, Error> {
        if !self.core.is_once() {
            // All files and sockets are open by now, except those that SIGHUP opens anew.
            let writes = self.reload.as_ref().map(Reload::folders);
            let records = self.core.records_mut();
            confine(&Kept {
                removes: self.confined.as_ref().and_then(Place::folder),
                writes: writes.unwrap_or_default(),
                renames: records.and_then(|records| records.collects_in()),
                connects: self.calls,
            });
        }
        let mut events = Events::with_capacity(EVENTS);
        let mut now = Instant::now();
        loop {
            let wakes_at = match self.core.turn(now)? {
                Turn::Wait(until) => until,
                Turn::Exit(status) => return Ok(Ended::Status(status)),
                Turn::HandOver(conn) => return Ok(Ended::HandOver(*conn, None)),
            };
            let timeout = wakes_at.map(|at| match at <= now {
                true => Duration::ZERO,
                false => at.saturating_duration_since(Instant::now()),
            });
            // A hub that was stopped meanwhile must see the events of that time before it looks at
            // the clock. A signal that the hub handles has an event of its own.
            while let Err(error) = self.poll.poll(&mut events, timeout) {
                if error.kind() != ErrorKind::Interrupted {
                    return Err(Error::system("wait for events", &error));
                }
            }
            for event in &events {
                if event.token() == SIGNALS
                    && let Some(endings) = &mut self.endings
                {
                    for signal in endings.ends() {
                        match &self.reload {
                            Some(reload) if signal == HANGUP && reload.is_wanted() => {
                                reload.reload(&mut self.core);
                            }
                            _ => return Ok(Ended::Status(Status::Killed(signal))),
                        }
                    }
                    continue;
                }
                self.core.collect(source(event.token()), event.into());
            }
            now = Instant::now();
        }
    }
}

fn source(token: Token) -> Source {
    match token {
        STDIN => Source::Stdin,
        STDOUT => Source::Stdout,
        STDERR => Source::Stderr,
        SIGNALS => Source::Signals,
        RECORDS => Source::Records,
        BUS => Source::Bus,
        Token(token) if token > LISTENERS - MOST_LISTENERS => Source::Listener(LISTENERS - token),
        Token(key) => Source::Peer(key),
    }
}
