//! The participant: one connection, stdin to it and it to stdout, both at full speed.
//!
//! Two buffers and four questions (may stdin be read, the socket written, the socket read, stdout
//! written?) decide everything; a direction that cannot go on waits without holding up the other,
//! so a peer that echoes can never lock itself up with us.
//!
//! It promises: 8-bit clean; what the other side sent before it closed is printed before we leave;
//! what stdin held is sent before we say that we are done, or the exit status tells.

use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Token;

use crate::engine::delay::Delay;
use crate::engine::editor::Event;
use crate::engine::newline::Crlf;
use crate::engine::progress::Size;
use crate::engine::record::Who;
use crate::engine::vigil;
use crate::engine::visible::Visible;
use crate::io::conn::Conn;
use crate::io::conn::Heard;
use crate::io::console::Console;
use crate::io::console::KEYS;
use crate::io::console::Keys;
use crate::io::descriptor::Kind;
use crate::io::dial::Target;
use crate::io::dial::dial;
use crate::io::error::Error;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::pulse::Pulse;
use crate::io::record::Records;
use crate::io::record::Wanted;
use crate::io::shortcut;
use crate::io::shortcut::Moved;
use crate::io::stdin::Input;
use crate::io::stdin::Stdin;
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
    pub delay: Option<Duration>,
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
    Caller,
    /// Like the hub, a listener whose input was empty from the start has no keyboard, and half-
    /// closes nobody.
    Listener,
}

/// Connects to `target` and serves until either side is done.
///
/// # Errors
/// No connection, or it broke, or stdin or stdout did.
pub fn run(target: &Target, settings: Settings, notices: &Notices) -> Result<Status, Error> {
    let records = Records::open(&settings.records)?;
    let (transport, addr) = dial(target)?;
    let conn = Conn::new(transport, addr);
    Client::new(conn, settings, records, Role::Caller, notices)?.run()
}

/// Connects to `target` and leaves again: what `nc -z` does. With `-v` the connection was told.
///
/// # Errors
/// No connection.
pub fn probe(target: &Target) -> Result<Status, Error> {
    dial(target).map(|_| Status::Done)
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
    Client::new(conn, settings, records, Role::Listener, notices)?.run()
}

struct Client {
    poll: Poll,
    conn: Conn,
    /// None with `--recv-only`.
    stdin: Option<Stdin>,
    stdout: Output,
    stderr: Stderr,
    /// Only where stdin and stdout are a terminal.
    console: Option<Console>,
    /// What was typed there and has not begun to be sent.
    typed: Vec<u8>,
    /// Only where stdout is a terminal.
    visible: Option<Visible>,
    settings: Settings,
    /// Only where something is to be recorded.
    records: Option<Records>,
    role: Role,
    up: Buffer,
    down: Buffer,
    crlf: Crlf,
    delay: Option<Delay>,
    shortcuts: Shortcuts,
    progress: Progress,
    pulse: Pulse,
    /// When to look whether the other side answers, while something is on its way there.
    checkup: Option<Instant>,
}

/// Which directions nobody has to look at, so that the kernel may move them itself.
#[derive(Default)]
struct Shortcuts {
    up: bool,
    down: bool,
}

/// How far the conversation is.
#[derive(Default)]
struct Progress {
    /// Something was read from stdin.
    spoke: bool,
    /// Bytes sent and received.
    sent: u64,
    received: u64,
    /// Something was sent or received in this turn, and when that was last so.
    moved: bool,
    active: Option<Instant>,
    /// When our input ended, and when everything was sent after that.
    finished: Option<Instant>,
    all_sent: Option<Instant>,
    /// Since when stdin has been silent while only it keeps us here.
    silent: Option<Instant>,
    /// Nobody reads stdout any more.
    unheard: bool,
    /// The connection takes no more, and why.
    unsendable: Option<io::Error>,
    /// The connection broke while being read.
    broken: Option<io::Error>,
}

/// Bytes on their way: filled when empty, then written until it is empty again.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Empties it and gives out its memory; [`Buffer::fill`] says how much of that was used.
    fn space(&mut self) -> &mut [u8] {
        self.fill(0);
        if self.bytes.len() < CHUNK {
            // Fresh from the system its pages cost nothing until they are used.
            self.bytes = vec![0; CHUNK];
        }
        &mut self.bytes
    }

    fn fill(&mut self, count: usize) {
        (self.start, self.end) = (0, count);
    }

    /// Takes over the contents of `bytes`, and leaves it empty.
    fn load(&mut self, bytes: &mut Vec<u8>) {
        std::mem::swap(&mut self.bytes, bytes);
        self.fill(self.bytes.len());
        bytes.clear();
    }

    /// Replaces its contents by what is fit for a terminal.
    fn reveal(&mut self, show: impl FnOnce(&[u8], &mut String)) {
        let mut text = String::with_capacity(self.end);
        show(self.waiting(), &mut text);
        self.load(&mut text.into_bytes());
    }

    /// Replaces its contents by the same with every lone LF as CRLF.
    fn convert(&mut self, crlf: &mut Crlf) {
        let mut converted = Vec::with_capacity(2 * CHUNK);
        crlf.convert(self.waiting(), &mut converted);
        self.fill(converted.len());
        self.bytes = converted;
    }
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
            visible: None,
            settings,
            records,
            role,
            up: Buffer::default(),
            down: Buffer::default(),
            crlf: Crlf::default(),
            delay: None,
            shortcuts: Shortcuts::default(),
            progress: Progress::default(),
            pulse: Pulse::new(),
            checkup: None,
            poll,
        };
        client
            .register()
            .map_err(|e| Error::system("start the event loop", &e))?;
        client.delay = client.settings.delay.map(Delay::new);
        // Who records has to see the bytes.
        let direct = client.records.is_none();
        client.shortcuts = Shortcuts {
            up: direct
                && !client.settings.crlf
                && client.delay.is_none()
                && client.stdin.as_ref().is_some_and(shortcut::suits_input),
            down: direct
                && client.settings.traffic != Traffic::SendOnly
                && shortcut::suits_output(&client.stdout),
        };
        Ok(client)
    }

    fn register(&mut self) -> io::Result<()> {
        let registry = self.poll.registry();
        self.conn.register(registry, CONN)?;
        if self.settings.traffic != Traffic::ReceiveOnly {
            self.stdin = Some(Stdin::new(registry, STDIN)?);
        }
        self.stdout.register(registry, STDOUT)?;
        self.stderr.register(registry, STDERR)?;
        if let Some(records) = &mut self.records {
            records.register(registry, RECORDS)?;
        }
        if self.stdout.kind() == Kind::Terminal && !self.settings.raw_output {
            self.visible = Some(Visible::default());
        }
        if self.stdin.is_some() && self.settings.edit {
            self.console = Console::open(registry, SIGNALS, &self.stdout, &self.stderr)?;
        }
        Ok(())
    }

    fn run(mut self) -> Result<Status, Error> {
        self.record(Records::joined);
        let began = Instant::now();
        let mut ended = self.turns();
        self.finish_records(&ended);
        // A filter that nobody listens to any more has nothing to say either.
        if !matches!(ended, Ok(Status::Unheard)) {
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
        let Progress { sent, received, .. } = self.progress;
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
                    STDIN => self.stdin.iter_mut().for_each(|stdin| stdin.collect(event)),
                    STDOUT => self.stdout.collect(event),
                    RECORDS => self.records.iter_mut().for_each(|r| r.collect(event)),
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

    /// stdin to the connection. Returns whether there is more to do at once.
    fn send(&mut self, now: Instant) -> Result<bool, Error> {
        if self.stdin.as_ref().is_some_and(Stdin::is_gone) {
            return Err(Error::hung_up());
        }
        // Whoever types sees it, also while the other side takes nothing.
        self.read_keys(now)?;
        let busy = self.send_input(now)?;
        Ok(busy || self.has_keys())
    }

    fn send_input(&mut self, now: Instant) -> Result<bool, Error> {
        for _ in 0..ROUNDS {
            if self.records_wait() {
                return Ok(false);
            }
            if self.shortcuts.up {
                if !self.send_directly(now) {
                    return Ok(false);
                }
                continue;
            }
            if self.delay.as_mut().is_some_and(|delay| delay.pauses(now)) {
                return Ok(false);
            }
            if self.up.is_empty() && !self.read_input(now)? {
                return Ok(false);
            }
            if !self.conn.is_writable() {
                return Ok(false);
            }
            let mut portion = self.up.waiting();
            if self.delay.is_some() {
                portion = &portion[..Delay::portion(portion)];
            }
            match self.conn.write(&[IoSlice::new(portion)]) {
                Ok(count) => {
                    if let Some(delay) = &mut self.delay {
                        delay.sent(&portion[..count], now);
                    }
                    if self.records.is_some() {
                        let bytes = std::mem::take(&mut self.up.bytes);
                        let sent = &bytes[self.up.start..self.up.start + count];
                        self.record(|records, who| records.said(Some(who), sent));
                        self.up.bytes = bytes;
                    }
                    self.up.start += count;
                    self.progress.sent += count as u64;
                    self.progress.moved |= count > 0;
                }
                Err(error) => self.give_up_sending(error, now),
            }
        }
        Ok(true)
    }

    /// The same by the shortcut. Returns whether to go on at once.
    fn send_directly(&mut self, now: Instant) -> bool {
        let Some(stdin) = self.stdin.as_mut().filter(|stdin| stdin.is_ready()) else {
            return false;
        };
        if !self.conn.is_writable() {
            return false;
        }
        match shortcut::send(stdin, &mut self.conn) {
            Moved::Bytes(count) => {
                self.progress.sent += count as u64;
                self.progress.spoke = true;
                self.progress.moved |= count > 0;
                return true;
            }
            Moved::Nothing => {}
            Moved::End => self.end_input(now),
            Moved::SinkFailed(error) => self.give_up_sending(error, now),
            Moved::Refused | Moved::SourceFailed(_) => {
                self.shortcuts.up = false;
                return true;
            }
        }
        false
    }

    /// Our input is over. A listener without a keyboard has not said anything, nor that it is
    /// done.
    fn end_input(&mut self, now: Instant) {
        let typed = self.stdin.as_ref().map(Stdin::kind) == Some(Kind::Terminal);
        let silent = self.role == Role::Listener && !self.progress.spoke && !typed;
        self.progress.finished = (!silent).then_some(now);
    }

    /// The connection takes no more; what came before it broke is still to be read and printed.
    fn give_up_sending(&mut self, error: io::Error, now: Instant) {
        log::debug!("send to {}: {error}", self.conn.addr());
        self.progress.unsendable = Some(error);
        self.progress.finished.get_or_insert(now);
        self.up.fill(0);
        self.typed.clear();
        self.stdin.iter_mut().for_each(Stdin::end);
    }

    /// Fills the empty buffer. Returns whether there is something in it.
    fn read_input(&mut self, now: Instant) -> Result<bool, Error> {
        if self.console.is_some() {
            self.read_keys(now)?;
            if !self.typed.is_empty() {
                self.up.load(&mut self.typed);
                if self.settings.crlf {
                    self.up.convert(&mut self.crlf);
                }
            }
            return Ok(!self.up.is_empty());
        }
        let Some(stdin) = self.stdin.as_mut().filter(|stdin| stdin.is_ready()) else {
            return Ok(false);
        };
        match stdin.read(self.up.space()) {
            Input::Bytes(count) => {
                self.up.fill(count);
                self.progress.spoke = true;
                self.progress.silent = None;
                if self.settings.crlf {
                    self.up.convert(&mut self.crlf);
                }
            }
            Input::Nothing => {}
            Input::End => self.end_input(now),
            Input::Gone => return Err(Error::hung_up()),
            Input::Failed(error) => return Err(Error::system("read from stdin", &error)),
        }
        Ok(!self.up.is_empty())
    }

    /// Whether keys pressed at the console can be read at once.
    fn has_keys(&self) -> bool {
        let ready = self.stdin.as_ref().is_some_and(Stdin::is_ready);
        self.console.is_some() && ready && self.typed.len() < CHUNK
    }

    /// What was pressed at the console; whole lines are to be sent.
    fn read_keys(&mut self, now: Instant) -> Result<(), Error> {
        if !self.has_keys() {
            return Ok(());
        }
        let (Some(stdin), Some(console)) = (&mut self.stdin, &mut self.console) else {
            return Ok(());
        };
        let mut keys = [0; KEYS];
        let mut keys = match console.read(stdin, &mut keys)? {
            Keys::Pressed(count) => &keys[..count],
            Keys::None => return Ok(()),
            Keys::End => {
                self.end_input(now);
                return Ok(());
            }
        };
        while let Some(event) = console.next(&mut keys) {
            match event {
                Event::Line(line) | Event::Pasted(line) => {
                    console.typed(&line);
                    self.typed.extend(line.as_bytes());
                    self.typed.push(b'\n');
                    self.progress.spoke = true;
                }
                Event::Complete => console.editor().insert("\t"),
                Event::End => {
                    stdin.end();
                    self.progress.finished = Some(now);
                }
                Event::Redraw | Event::Full => {}
            }
        }
        Ok(())
    }

    /// The connection to stdout. Returns whether there is more to do at once.
    fn receive(&mut self) -> Result<bool, Error> {
        let mut waited = false;
        for _ in 0..ROUNDS {
            if self.shortcuts.down {
                if !self.receive_directly()? {
                    return Ok(false);
                }
                continue;
            }
            if self.console.as_ref().is_some_and(Console::is_busy) {
                self.show()?;
                return Ok(self.stdout.is_writable());
            }
            if self.down.is_empty() {
                waited |= self.records_wait();
                // What was held up by this may go on.
                if !self.load_record() && !self.read_conn() {
                    return Ok(waited);
                }
            }
            if let Some(console) = &mut self.console {
                console.show(self.down.waiting());
                self.down.fill(0);
                continue;
            }
            if !self.stdout.is_writable() {
                return Ok(false);
            }
            match self.stdout.write(self.down.waiting()) {
                Ok(count) => self.down.start += count,
                Err(error) => {
                    self.give_up_showing(&error)?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The same by the shortcut. Returns whether to go on at once.
    fn receive_directly(&mut self) -> Result<bool, Error> {
        if !self.conn.is_readable() || !self.stdout.is_writable() {
            return Ok(false);
        }
        match shortcut::receive(&mut self.conn, &mut self.stdout) {
            Moved::Bytes(count) => {
                self.progress.received += count as u64;
                self.progress.moved |= count > 0;
                return Ok(true);
            }
            Moved::Nothing | Moved::End => {}
            Moved::SourceFailed(error) => self.progress.broken = Some(error),
            Moved::SinkFailed(error) => self.give_up_showing(&error)?,
            Moved::Refused => {
                self.shortcuts.down = false;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn give_up_showing(&mut self, error: &io::Error) -> Result<(), Error> {
        match error.kind() {
            ErrorKind::BrokenPipe => {
                self.progress.unheard = true;
                Ok(())
            }
            _ => Err(Error::system("write to stdout", error)),
        }
    }

    /// Fills the empty buffer. Returns whether to go on.
    fn read_conn(&mut self) -> bool {
        if !self.conn.is_readable() {
            return false;
        }
        match self.conn.read(self.down.space()) {
            Heard::Bytes(count) => {
                self.progress.received += count as u64;
                if self.records.is_some() {
                    let bytes = std::mem::take(&mut self.down.bytes);
                    self.record(|records, who| records.heard(who, &bytes[..count]));
                    self.down.bytes = bytes;
                }
                if self.shows_records() {
                    return true;
                }
                self.progress.moved = true;
                if self.settings.traffic != Traffic::SendOnly {
                    self.down.fill(count);
                    if let Some(visible) = &mut self.visible {
                        self.down.reveal(|bytes, text| visible.show(bytes, text));
                    }
                }
                return true;
            }
            Heard::Nothing => return false,
            Heard::End => {}
            Heard::Failed(error) => self.progress.broken = Some(error),
        }
        self.down.fill(0);
        if let Some(visible) = &mut self.visible {
            self.down.reveal(|_, text| visible.finish(text));
        }
        !self.down.is_empty()
    }

    /// Records something about the other side, if anything is recorded.
    fn record(&mut self, record: impl FnOnce(&mut Records, Who<'_>)) {
        if let Some(records) = &mut self.records {
            let addr = self.conn.addr();
            let number = u32::from(self.role == Role::Listener);
            let who = Who {
                number,
                addr: &addr,
                name: None,
            };
            record(records, who);
        }
    }

    fn finish_records(&mut self, ended: &Result<Status, Error>) {
        let why = match ended {
            Ok(_) => String::from("closed"),
            Err(error) => error.to_string(),
        };
        self.record(|records, who| {
            records.said_all(Some(who));
            records.left(who, why.lines().next().unwrap_or_default());
            records.finish();
        });
        if self.down.is_empty() && self.load_record() && self.console.is_none() {
            // Whoever reads stdout no more does not care.
            let _ = self.stdout.write(self.down.waiting());
        }
    }

    /// Whether a record is on stdout, instead of what is received.
    fn shows_records(&self) -> bool {
        self.records.as_ref().is_some_and(Records::has_stdout)
    }

    /// Whether so much of a record waits for stdout that nothing more may happen.
    fn records_wait(&self) -> bool {
        self.records
            .as_ref()
            .is_some_and(|records| records.waiting_for_stdout() >= CHUNK)
    }

    /// Fills the empty buffer with what of a record is for stdout. Returns whether there was any.
    fn load_record(&mut self) -> bool {
        let Some(records) = &mut self.records else {
            return false;
        };
        let mut text = Vec::new();
        records.take_for_stdout(|part| text.extend_from_slice(part));
        if text.is_empty() {
            return false;
        }
        self.down.load(&mut text);
        if let Some(visible) = &mut self.visible {
            self.down.reveal(|bytes, text| visible.show(bytes, text));
        }
        true
    }

    /// Gives the other side up if it vanished: see [`vigil`].
    fn check_up(&mut self, now: Instant) {
        if self.checkup.is_some_and(|checkup| checkup <= now) {
            self.checkup = None;
            // What came before is read first.
            if self.conn.has_vanished(&mut self.pulse) && !self.conn.is_readable() {
                self.progress.broken = Some(ErrorKind::TimedOut.into());
            }
        }
        if self.conn.is_watched() {
            self.checkup.get_or_insert(now + vigil::EVERY);
        }
    }

    /// Decides whether we are done, and ends our side when stdin did.
    fn outcome(&mut self, now: Instant) -> Result<Option<Status>, Error> {
        if self.progress.unheard {
            return Ok(Some(Status::Unheard));
        }
        if self.progress.finished.is_some()
            && self.up.is_empty()
            && self.typed.is_empty()
            && self.progress.all_sent.is_none()
        {
            self.progress.all_sent = Some(now);
            if self.settings.half_close {
                self.conn.shutdown();
            }
        }
        // Whatever happened to the connection: first what the other side said.
        let written = self.console.as_ref().is_none_or(Console::is_written);
        let recorded = self.records.as_ref().map_or(0, Records::waiting_for_stdout) == 0;
        let shown = self.down.is_empty() && written && recorded;
        self.note_activity(shown, now);
        if shown {
            if let Some(error) = &self.progress.broken {
                return Err(self.cut_short("receive from", error));
            }
            if self.conn.has_ended() {
                return self.closed(now);
            }
        }
        self.timed_out(now)
    }

    /// Takes note of whether the connection was idle in this turn. Where our own output holds it up,
    /// that is no idleness.
    fn note_activity(&mut self, shown: bool, now: Instant) {
        let over = self.idles().is_none_or(|end| end <= now);
        let unread = self.conn.is_readable() && !self.stdout.is_writable();
        let first = self.progress.active.is_none();
        if std::mem::take(&mut self.progress.moved) || first || (over && (unread || !shown)) {
            self.progress.active = Some(now);
        }
    }

    /// The other side sends no more, and all it sent is printed.
    fn closed(&mut self, now: Instant) -> Result<Option<Status>, Error> {
        if let Some(error) = &self.progress.unsendable {
            return Err(self.cut_short("send to", error));
        }
        let unfinished = self.stdin.as_ref().is_some_and(|stdin| {
            let lasting = stdin.kind() != Kind::Terminal;
            lasting && !(stdin.has_ended() && self.up.is_empty())
        });
        if unfinished {
            // It may have closed only its own side: our input still goes to its end.
            let idle = self.up.is_empty() && self.pause().is_none();
            match self.progress.silent {
                Some(since) if idle && now >= since + LAST_INPUT => {}
                None if idle => {
                    self.progress.silent = Some(now);
                    return Ok(None);
                }
                _ => return self.timed_out(now),
            }
        }
        if self.stdin.as_ref().is_some_and(|stdin| !stdin.has_ended()) {
            log::info!(target: NOTICE, "{} closed the connection", self.conn.addr());
        }
        Ok(Some(Status::Done))
    }

    /// The limits of time: the user's, and the one of `--send-only`.
    fn timed_out(&self, now: Instant) -> Result<Option<Status>, Error> {
        if self.lingers().is_some_and(|end| now >= end) {
            return match &self.progress.unsendable {
                Some(error) => Err(self.cut_short("send to", error)),
                None => Ok(Some(Status::Done)),
            };
        }
        if let Some(limit) = self.settings.idle_timeout
            && self.idles().is_some_and(|end| now >= end)
        {
            return Err(Error::new(
                format!("wait for {}", self.conn.addr()),
                format!("nothing was sent or received for {limit:?}"),
            )
            .hint("-i sets how long that may be."));
        }
        if self.quits().is_none_or(|end| now < end) {
            return Ok(None);
        }
        match self.up.waiting().len() + self.typed.len() {
            0 => {
                log::info!("leaving: -q has passed since the end of stdin");
                Ok(Some(Status::Done))
            }
            left => Err(Error::new(
                format!("send to {}", self.conn.addr()),
                format!("{left} bytes were not taken in the time that -q gives"),
            )),
        }
    }

    fn cut_short(&self, doing: &str, error: &io::Error) -> Error {
        let told = Error::system(format!("{doing} {}", self.conn.addr()), error);
        if error.kind() == ErrorKind::TimedOut {
            return told
                .hint("The other side has not answered for a minute and more: is the network up?");
        }
        match &self.progress.unsendable {
            Some(_) => told.hint("The other side closed before everything was sent."),
            None => told,
        }
    }

    fn quits(&self) -> Option<Instant> {
        Some(self.progress.finished? + self.settings.quit_after?)
    }

    /// Until when nothing is sent.
    fn pause(&self) -> Option<Instant> {
        self.delay.as_ref()?.until()
    }

    /// When the connection was idle for too long. One that the other side closed has nothing more to
    /// give: then it is stdin that is waited for.
    fn idles(&self) -> Option<Instant> {
        if self.progress.silent.is_some() {
            return None;
        }
        Some(self.progress.active? + self.settings.idle_timeout?)
    }

    fn lingers(&self) -> Option<Instant> {
        match self.settings.traffic {
            Traffic::SendOnly => Some(self.progress.all_sent? + LINGER),
            _ => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let silent = self.progress.silent.map(|since| since + LAST_INPUT);
        [
            self.quits(),
            self.lingers(),
            self.idles(),
            self.pause(),
            silent,
            self.checkup,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
