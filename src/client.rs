//! The participant: one connection, stdin to it and it to stdout, both at full speed.
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
//! It promises: nothing is decided here.

mod buffer;
pub mod core;
mod explaining;
mod link;
mod receiver;
mod recorder;
mod sender;
mod shortfall;

use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use log::Level;
use mio::Events;
use mio::Poll;
use mio::Registry;
use mio::Token;

use self::core::Core;
use self::core::Parts;
use self::core::Role;
use self::core::Source;
use self::core::Turn;
use self::explaining::Teller;
use crate::engine::explain::Unexplained;
use crate::engine::flow::Proof;
use crate::engine::own_progress::Beside;
use crate::io::conn::Conn;
use crate::io::device::Kind;
use crate::io::dial::Target;
use crate::io::dial::dial;
use crate::io::error::Error;
use crate::io::input::Input;
use crate::io::input::Tokens;
use crate::io::layer::Layer;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::readiness::Watch;
use crate::io::record::Prepared;
use crate::io::record::Records;
use crate::io::record::Wanted;
use crate::io::signals::Signals;
use crate::io::tls::ClientTls;
use crate::io::world::Kernel;
use crate::status::NOTICE;
use crate::status::Status;

const CONN: Token = Token(0);
const STDIN: Token = Token(1);
const STDOUT: Token = Token(2);
const STDERR: Token = Token(3);
const SIGNALS: Token = Token(4);
const RECORDS: Token = Token(5);
const INPUT: Tokens = Tokens {
    stdin: STDIN,
    signals: SIGNALS,
};

/// Bytes read at a time in either direction. Into a file, four times 64 KiB cost a third less.
const CHUNK: usize = 256 * 1024;

/// Chunks moved in one direction before the other gets its turn.
const ROUNDS: usize = 16;

/// The policy of a participant for its two directions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A bare LF from stdin becomes CRLF.
    pub crlf: bool,
    /// Telnet's negotiation is hidden and answered.
    pub telnet: bool,
    /// The end of stdin ends our side of the connection.
    pub half_close: bool,
    /// Leave that long after the end of stdin at the latest.
    pub quit_after: Option<Duration>,
    /// A connection over which nothing goes for that long is ended.
    pub idle_timeout: Option<Duration>,
    /// After each line sent nothing is sent for that long.
    pub line_delay: Option<Duration>,
    /// Which directions are used.
    pub traffic: Traffic,
    /// Which records are kept.
    pub records: Wanted,
    /// A terminal gets the other side's bytes as they are.
    pub raw_output: bool,
    /// The line being typed is ours to edit, if stdin and stdout are a terminal.
    pub edit: bool,
    /// It is told step by step what happens on the connection.
    pub explain: bool,
    /// At the end the digest of what was sent and received is told. So every byte is looked at, and the
    /// kernel does not move them by itself.
    pub digest: bool,
}

/// Which directions are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Both.
    Both,
    /// Input from the connection is thrown away.
    SendOnly,
    /// stdin is not read.
    ReceiveOnly,
}

/// Connects to `target` and serves until either side is done.
///
/// # Errors
/// No connection, or it broke, or stdin or stdout did.
pub fn run(
    target: &Target,
    tls: Option<&ClientTls>,
    settings: Settings,
    notices: &Notices,
) -> Result<Status, Error> {
    let records = Prepared::open(&settings.records)?;
    let cover = |layer: Layer| match settings.telnet {
        true => layer.for_telnet(Level::Warn),
        false => layer,
    };
    let conn = connect(target, tls, cover, settings.explain, notices)?;
    let records = records.map(Prepared::begin).transpose()?;
    converse(conn, settings, records, Role::Client, notices)
}

/// Connects; `cover` says which layers are put over the connection.
fn connect(
    target: &Target,
    tls: Option<&ClientTls>,
    cover: impl FnOnce(Layer) -> Layer,
    explain: bool,
    notices: &Notices,
) -> Result<Conn, Error> {
    if !explain {
        let (transport, addr) = dial(target, tls, &mut Unexplained)?;
        return Ok(Conn::new(cover(transport), addr));
    }
    let mut teller = Teller::new(notices);
    let (transport, addr) = dial(target, tls, &mut teller)?;
    let mut conn = Conn::new(cover(transport), addr);
    conn.explain(teller.into_story());
    Ok(conn)
}

/// Connects to `target` and leaves again: what `nc -z` does. With `-v` the connection was told. If
/// it is `quiet`, only the exit status says that there is none. `explain` tells step by step what
/// happens.
///
/// # Errors
/// No connection.
pub fn probe(
    target: &Target,
    tls: Option<&ClientTls>,
    quiet: bool,
    explain: bool,
    notices: &Notices,
) -> Result<Status, Error> {
    match connect(target, tls, |layer| layer, explain, notices) {
        Ok(mut conn) => {
            conn.close_notify();
            conn.observe_closing();
            explaining::tell(&mut conn, Instant::now());
            Ok(Status::Done(Proof::nothing_was_promised()))
        }
        Err(error) if quiet && !error.is_usage() => Ok(Status::Failed),
        Err(error) => Err(error),
    }
}

/// Serves one connection that was accepted: what `nc -l` does.
///
/// # Errors
/// The connection, stdin or stdout broke.
pub fn serve(
    conn: Conn,
    settings: Settings,
    records: Option<Records>,
    notices: &Notices,
) -> Result<Status, Error> {
    log::info!(target: NOTICE, "{} joined", conn.addr());
    converse(conn, settings, records, Role::Server, notices)
}

/// The driver of the core.
fn converse(
    conn: Conn,
    settings: Settings,
    records: Option<Records>,
    role: Role,
    notices: &Notices,
) -> Result<Status, Error> {
    let starting = |error: io::Error| Error::system("start the event loop", &error);
    let mut poll = Poll::new().map_err(starting)?;
    let parts = open(poll.registry(), conn, records, &settings, notices).map_err(starting)?;
    // A console knows of all signals. Else who ends it before its end is told what was moved until then, as the
    // records are that it was ended; and the other side must not take what it has for the whole.
    let signals = match parts.input.console() {
        Some(_) => None,
        None => Some(Signals::usual(poll.registry(), SIGNALS)),
    };
    let mut signals = signals.transpose().map_err(starting)?;
    let mut core = Core::new(parts, settings, role, Instant::now());
    let ended = turns(&mut poll, &mut core, signals.as_mut());
    // Another one need not wait for the last words.
    let _faults = signals.map(Signals::hand_over);
    let ended = core.finish(ended, Instant::now());
    let Some(mut records) = core.take_records() else {
        return ended;
    };
    records.finish();
    match ended {
        Ok(Status::Done(_)) if records.has_failed() => Ok(Status::Failed),
        ended => ended,
    }
}

fn turns(
    poll: &mut Poll,
    core: &mut Core<Kernel>,
    mut signals: Option<&mut Signals>,
) -> Result<Status, Error> {
    let mut events = Events::with_capacity(16);
    loop {
        let now = Instant::now();
        let wakes_at = match core.turn(now)? {
            Turn::Wait(until) => until,
            Turn::Exit(status) => return Ok(status),
        };
        let timeout = wakes_at.map(|at| match at <= now {
            true => Duration::ZERO,
            false => at.saturating_duration_since(Instant::now()),
        });
        match poll.poll(&mut events, timeout) {
            Ok(()) => {}
            // A signal that the program handles has an event of its own.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::system("wait for events", &error)),
        }
        for event in &events {
            if event.token() == SIGNALS
                && let Some(signal) = signals.as_mut().and_then(|signals| signals.ends().pop())
            {
                return Ok(Status::Killed(signal));
            }
            core.collect(source(event.token()), event.into());
        }
    }
}

fn open(
    registry: &Registry,
    mut conn: Conn,
    mut records: Option<Records>,
    settings: &Settings,
    notices: &Notices,
) -> io::Result<Parts<Kernel>> {
    conn.register(registry, CONN, Watch::ArrivalsAndRoom)?;
    let mut stdout = Output::stdout();
    let mut stderr = Stderr::new(notices.clone());
    stdout.register(registry, STDOUT)?;
    stderr.register(registry, STDERR)?;
    if let Some(records) = &mut records {
        records.register(registry, RECORDS)?;
    }
    let input = match settings.traffic {
        Traffic::ReceiveOnly => Input::None,
        Traffic::Both | Traffic::SendOnly => Input::open(registry, INPUT, settings.edit, false)?,
    };
    let is_typed = input
        .stdin()
        .is_some_and(|stdin| stdin.kind() == Kind::Terminal);
    let progress = match (stdout.kind(), is_typed) {
        (Kind::Terminal, _) => None,
        (Kind::Pipe | Kind::Socket | Kind::Waiting | Kind::File, false) => Some(Beside::Nothing),
        // What comes through it may be shown at the terminal, where a person types lines between.
        (Kind::Pipe | Kind::Socket | Kind::Waiting, true) => None,
        (Kind::File, true) => Some(Beside::Keyboard),
    };
    let draws = log::log_enabled!(target: NOTICE, Level::Info) && stderr.is_capable_terminal();
    Ok(Parts {
        world: Kernel::new(registry)?,
        conn,
        input,
        progress: progress.filter(|_| draws),
        stdout,
        stderr,
        records,
    })
}

fn source(token: Token) -> Source {
    match token {
        CONN => Source::Conn,
        STDIN => Source::Stdin,
        STDOUT => Source::Stdout,
        RECORDS => Source::Records,
        SIGNALS => Source::Signals,
        _ => Source::Stderr,
    }
}
