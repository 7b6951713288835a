//! The participant: one connection, stdin to it and it to stdout, both at full speed.
//!
//! Two buffers and four questions (may stdin be read, the socket written, the socket read, stdout
//! written?) decide everything; a direction that cannot go on waits without holding up the other,
//! so a peer that echoes can never lock itself up with us.
//!
//! It promises: 8-bit clean; what the other side sent before it closed is printed before we leave;
//! what stdin held is sent before we say that we are done, or the exit status tells.

mod buffer;
mod ending;
mod receiving;
mod records;
mod sending;

use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Token;

use self::buffer::Buffer;
use self::ending::ClientState;
use crate::engine::crlf::Crlf;
use crate::engine::escape::Escaper;
use crate::engine::line_delay::LineDelay;
use crate::engine::progress::Size;
use crate::io::conn::Conn;
use crate::io::console::Console;
use crate::io::console::Opened;
use crate::io::device::Kind;
use crate::io::dial::Target;
use crate::io::dial::dial;
use crate::io::error::Error;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::record::Records;
use crate::io::record::Wanted;
use crate::io::stdin::Stdin;
use crate::io::tls::ClientTls;
use crate::io::zero_copy;
use crate::status::NOTICE;
use crate::status::Status;

const CONN: Token = Token(0);
const STDIN: Token = Token(1);
const STDOUT: Token = Token(2);
const STDERR: Token = Token(3);
const SIGNALS: Token = Token(4);
const RECORDS: Token = Token(5);

/// Bytes read at a time in either direction. Into a file, four times 64 KiB cost a third less.
const CHUNK: usize = 256 * 1024;

/// Chunks moved in one direction before the other gets its turn.
const ROUNDS: usize = 16;

/// How long a pipe may stay silent, after the other side closed, before nothing more is expected
/// from it. A producer that is merely slower than the network loses nothing; one that waits for
/// something that will not come does not keep us.
const LAST_INPUT: Duration = Duration::from_millis(500);

/// With `--send-only`: how long to wait, when everything was sent, for the other side to close.
/// Leaving at once would reset the connection if it was just sending something, and could take
/// the end of our own bytes with it.
const LINGER: Duration = Duration::from_secs(2);

/// What a participant does with its two directions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A bare LF from stdin becomes CRLF.
    pub crlf: bool,
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
}

/// Which directions are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Both.
    Both,
    /// What comes in is thrown away.
    SendOnly,
    /// stdin is not read.
    ReceiveOnly,
}

/// Who we are to the other side: decides what an empty stdin means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    /// Like the hub, a listener whose input was empty from the start has no keyboard, and half-
    /// closes nobody.
    Server,
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
    let records = Records::open(&settings.records)?;
    let (transport, addr) = dial(target, tls)?;
    let conn = Conn::new(transport, addr);
    Client::new(conn, settings, records, Role::Client, notices)?.run()
}

/// Connects to `target` and leaves again: what `nc -z` does. With `-v` the connection was told.
///
/// # Errors
/// No connection.
pub fn probe(target: &Target, tls: Option<&ClientTls>) -> Result<Status, Error> {
    let (transport, addr) = dial(target, tls)?;
    Conn::new(transport, addr).close_notify();
    Ok(Status::Done)
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
    Client::new(conn, settings, records, Role::Server, notices)?.run()
}

struct Client {
    poll: Poll,
    conn: Conn,
    /// None with `--recv-only`, and where the console has it.
    stdin: Option<Stdin>,
    stdout: Output,
    stderr: Stderr,
    /// Only where stdin and stdout are a terminal.
    console: Option<Console>,
    /// What was typed there and has not begun to be sent.
    typed: Vec<u8>,
    /// Only where stdout is a terminal.
    escaper: Option<Escaper>,
    settings: Settings,
    /// Only where something is to be recorded.
    records: Option<Records>,
    role: Role,
    up: Buffer,
    down: Buffer,
    crlf: Crlf,
    line_delay: Option<LineDelay>,
    zero_copy: ZeroCopy,
    state: ClientState,
    /// When to look whether the other side answers, while something is on its way there.
    checkup: Option<Instant>,
}

/// Which directions nobody has to look at, so that the kernel may move them itself.
#[derive(Default)]
struct ZeroCopy {
    up: bool,
    down: bool,
}

impl Client {
    fn new(
        conn: Conn,
        settings: Settings,
        records: Option<Records>,
        role: Role,
        notices: &Notices,
    ) -> Result<Client, Error> {
        let poll = Poll::new().map_err(|e| Error::system("start the event loop", &e))?;
        let mut client = Client {
            conn,
            stdin: None,
            stdout: Output::stdout(),
            stderr: Stderr::new(notices.clone()),
            console: None,
            typed: Vec::new(),
            escaper: None,
            settings,
            records,
            role,
            up: Buffer::default(),
            down: Buffer::default(),
            crlf: Crlf::default(),
            line_delay: None,
            zero_copy: ZeroCopy::default(),
            state: ClientState::default(),
            checkup: None,
            poll,
        };
        client
            .register()
            .map_err(|e| Error::system("start the event loop", &e))?;
        client.line_delay = client.settings.line_delay.map(LineDelay::new);
        // Who records has to see the bytes, and TLS changes them.
        let direct = client.conn.is_wire() && client.records.is_none();
        let changed = client.settings.crlf || client.line_delay.is_some();
        let file = client.stdin().is_some_and(zero_copy::suits_input);
        client.zero_copy = ZeroCopy {
            up: direct && !changed && file,
            down: direct
                && client.settings.traffic != Traffic::SendOnly
                && zero_copy::suits_output(&client.stdout),
        };
        Ok(client)
    }

    /// Where the bytes to send come from, edited or not.
    fn stdin(&self) -> Option<&Stdin> {
        match &self.console {
            Some(console) => Some(console.stdin()),
            None => self.stdin.as_ref(),
        }
    }

    fn stdin_mut(&mut self) -> Option<&mut Stdin> {
        match &mut self.console {
            Some(console) => Some(console.stdin_mut()),
            None => self.stdin.as_mut(),
        }
    }

    fn register(&mut self) -> io::Result<()> {
        let registry = self.poll.registry();
        self.conn.register(registry, CONN)?;
        if self.settings.traffic != Traffic::ReceiveOnly {
            self.stdin = Some(Stdin::open(registry, STDIN)?);
        }
        self.stdout.register(registry, STDOUT)?;
        self.stderr.register(registry, STDERR)?;
        if let Some(records) = &mut self.records {
            records.register(registry, RECORDS)?;
        }
        if self.stdout.kind() == Kind::Terminal && !self.settings.raw_output {
            self.escaper = Some(Escaper::default());
        }
        if self.settings.edit
            && let Some(stdin) = self.stdin.take()
        {
            match Console::open(registry, SIGNALS, stdin, &self.stdout, &self.stderr)? {
                Opened::Console(console) => self.console = Some(console),
                Opened::Plain(stdin) => self.stdin = Some(stdin),
            }
        }
        Ok(())
    }

    fn run(mut self) -> Result<Status, Error> {
        self.record(Records::joined);
        let began = Instant::now();
        let mut ended = self.turns();
        if ended.is_ok() && self.is_complete() {
            self.conn.close_notify();
        }
        self.finish_records(&ended);
        // A filter that nobody listens to any more has nothing to say either.
        if !matches!(ended, Ok(Status::BrokenPipe)) {
            self.sum_up(began);
        }
        if let Some(console) = &mut self.console {
            ended = console.ending(ended);
            console.leave(&mut self.stdout);
        }
        self.stderr.flush();
        ended
    }

    /// Says what was moved, all in all.
    fn sum_up(&self, began: Instant) {
        let ClientState { sent, received, .. } = self.state;
        let time = began.elapsed();
        let rate = Size(((sent + received) as f64 / time.as_secs_f64().max(0.001)) as u64);
        log::info!("sent {sent} bytes, received {received} in {time:.1?}: {rate}/s");
    }

    fn turns(&mut self) -> Result<Status, Error> {
        let mut events = Events::with_capacity(16);
        loop {
            let now = Instant::now();
            let busy_up = self.send(now)?;
            let busy_down = self.receive()?;
            self.records.iter_mut().for_each(Records::flush);
            self.show()?;
            self.check_up(now);
            if let Some(status) = self.outcome(now)? {
                return Ok(status);
            }
            let timeout = match busy_up || busy_down {
                true => Some(Duration::ZERO),
                false => self.deadline().map(|at| at.saturating_duration_since(now)),
            };
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                // A signal that somebody wants to know of has its own event.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::system("wait for events", &error)),
            }
            for event in &events {
                match event.token() {
                    CONN => self.conn.collect(event),
                    STDIN => {
                        if let Some(stdin) = self.stdin_mut() {
                            stdin.collect(event);
                        }
                    }
                    STDOUT => self.stdout.collect(event),
                    RECORDS => self
                        .records
                        .iter_mut()
                        .for_each(|r| r.collect(event.into())),
                    SIGNALS => self.console.iter_mut().for_each(Console::collect_signal),
                    _ => self.stderr.collect(event),
                }
            }
            if let Some(console) = &mut self.console
                && let Some(signal) = console.obey_signals(&mut self.stdout)
            {
                return Ok(Status::Killed(signal));
            }
        }
    }

    /// What there is to say to whoever sits here.
    fn show(&mut self) -> Result<(), Error> {
        let Some(console) = &mut self.console else {
            self.stderr.flush();
            return Ok(());
        };
        console
            .flush(&mut self.stdout, &mut self.stderr)
            .map_err(|_| Error::hung_up())
    }
}
