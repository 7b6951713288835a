//! The participant's core: every decision of a turn, without a Poll.
//!
//! ```text
//!   collect ─► send ─► receive ─► show ─► check up ─► what follows ─► wait
//!   set bits   16 chunks each,            who         of the ends     or exit
//!              or copies                  vanished
//! ```
//!
//! A direction that cannot go on waits without holding up the other, so a peer that echoes can
//! never lock itself up with us. A [`Conversation`] decides what ends it; here that is carried out,
//! and put into words.
//!
//! It promises: [`Status::Done`] is said only with the proof that both directions were delivered; any
//! other end is an error that says what is missing, or the status of a signal.

use std::io::ErrorKind;
use std::time::Instant;

use super::Settings;
use super::Traffic;
use super::explaining;
use super::link::Link;
use super::receiver::Receiver;
use super::recorder::Recorder;
use super::sender::Sender;
use super::sender::Way;
use super::shortfall::Shortfall;
use crate::engine::conversation;
use crate::engine::conversation::Act;
use crate::engine::conversation::Blame;
use crate::engine::conversation::Conversation;
use crate::engine::conversation::End;
use crate::engine::conversation::Next;
use crate::engine::conversation::Terms;
use crate::engine::dead_peer;
use crate::engine::explain::Observed;
use crate::engine::own_progress;
use crate::engine::own_progress::Beside;
use crate::engine::own_progress::OwnProgress;
use crate::engine::record::Leaving;
use crate::io::conn::Conn;
use crate::io::console::Console;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::input::Input;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::readiness::Event;
use crate::io::record::Records;
use crate::io::stdin::Stdin;
use crate::io::terminal::Terminal;
use crate::io::world::World;
use crate::status::NOTICE;
use crate::status::Status;

/// Whether we connected or listened: decides what an empty stdin means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We connected.
    Client,
    /// We listened. Like the hub, a listener whose input was empty from the start has no keyboard,
    /// and does not half-close.
    Server,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The connection.
    Conn,
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file of records.
    Records,
    /// A signal that the console wants to know of.
    Signals,
}

/// What a turn came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Wait for an event, until then at the latest if a time is given.
    Wait(Option<Instant>),
    /// It is over.
    Exit(Status),
}

/// What a participant works on.
pub struct Parts<W: World> {
    /// Where copies are made.
    pub world: W,
    /// The connection.
    pub conn: Conn<W::Stream>,
    /// Where the bytes to send come from.
    pub input: Input<W::Device>,
    /// Standard output.
    pub stdout: Output<W::Device>,
    /// Standard error.
    pub stderr: Stderr<W::Device>,
    /// Files of what is said.
    pub records: Option<Records<W::Device>>,
    /// How far it is is drawn on stderr, beside that.
    pub progress: Option<Beside>,
}

/// See the module's documentation.
pub struct Core<W: World> {
    world: W,
    link: Link<W::Stream>,
    sender: Sender<W::Device>,
    receiver: Receiver<W::Device>,
    recorder: Recorder<W::Device>,
    talk: Conversation,
    /// An event told of an error of the connection.
    has_error: bool,
    /// Why it ended before its end.
    blame: Option<Blame>,
    /// When to look whether the other side answers, while something is on its way there.
    checkup: Option<Instant>,
    settings: Settings,
    began: Instant,
    /// Only where it is drawn.
    progress: Option<OwnProgress>,
}

impl<W: World> Core<W> {
    /// A participant that begins now.
    pub fn new(parts: Parts<W>, settings: Settings, role: Role, now: Instant) -> Core<W> {
        let number = u32::from(role == Role::Server);
        let size = parts.input.stdin().and_then(Stdin::remaining);
        let mut records = parts.records;
        if size.is_some_and(|left| left > 0) {
            records.iter_mut().for_each(Records::leave_out_file);
        }
        let mut recorder = Recorder::new(records, parts.conn.addr().clone(), number);
        if settings.digest {
            recorder.digest();
        }
        let input = kind_of(&parts.input);
        let progress = parts
            .progress
            .map(|beside| OwnProgress::new(size, beside, now));
        let send_only = settings.traffic == Traffic::SendOnly;
        let is_terminal = parts.stdout.kind() == Kind::Terminal;
        let talk = Conversation::new(
            Terms {
                input,
                is_server: role == Role::Server,
                half_close: settings.half_close,
                send_only,
                quit_after: settings.quit_after,
                idle_timeout: settings.idle_timeout,
                closes_output: !is_terminal && !recorder.has_stdout(),
            },
            now,
        );
        // Records and `--explain` have to see the bytes, and a layer changes them.
        let is_wire = parts.conn.is_wire() && !recorder.is_wanted() && !parts.conn.is_explained();
        let crlf = settings.crlf;
        let raw = settings.raw_output;
        let has_console = parts.input.console().is_some();
        let mut core = Core {
            world: parts.world,
            link: Link::new(parts.conn),
            sender: Sender::new(parts.input, crlf, settings.line_delay, is_wire),
            receiver: Receiver::new(
                parts.stdout,
                parts.stderr,
                raw,
                send_only,
                is_wire,
                has_console,
            ),
            recorder,
            talk,
            has_error: false,
            blame: None,
            checkup: None,
            settings,
            began: now,
            progress,
        };
        core.recorder.joined();
        let stdin = core.sender.input.stdin();
        if stdin
            .and_then(Stdin::remaining)
            .is_some_and(|left| left > 0)
        {
            core.link.promise();
        }
        let is_typed = kind_of(&core.sender.input) == conversation::Input::Terminal;
        if role == Role::Client && is_typed {
            tell_keys(&core.addr());
        }
        core
    }

    /// Takes note of an event.
    pub fn collect(&mut self, source: Source, event: Event) {
        match source {
            Source::Conn => {
                self.has_error |= event.error;
                self.link.conn.collect(event);
            }
            Source::Stdin => {
                if let Some(stdin) = self.sender.input.stdin_mut() {
                    stdin.collect(event);
                }
            }
            Source::Stdout => self.receiver.stdout.collect(event),
            Source::Stderr => self.receiver.stderr.collect(event),
            Source::Records => self.recorder.collect(event),
            Source::Signals => {
                if let Some(console) = self.sender.input.console_mut() {
                    console.collect_signal();
                }
            }
        }
    }

    /// One turn, after the events were collected.
    ///
    /// # Errors
    /// Not everything was delivered, stdin or stdout failed, or the terminal is gone.
    pub fn turn(&mut self, now: Instant) -> Result<Turn, Error> {
        if let Some(console) = self.sender.input.console_mut()
            && let Some(signal) = console.attend(&mut self.receiver.stdout, now)
        {
            return Ok(Turn::Exit(Status::Killed(signal)));
        }
        let mut is_busy = self.move_bytes(now)?;
        if self.receiver.is_unread {
            return Ok(Turn::Exit(Status::BrokenPipe));
        }
        self.find_reset(now);
        self.check_up(now);
        let on_stdout = self
            .receiver
            .record_waits(&self.recorder, self.sender.input.console());
        self.talk.record_waits(on_stdout + self.recorder.unread());
        self.observe_flows();
        loop {
            let next = self.talk.next(now);
            if !matches!(next, Next::Do(_)) {
                self.explain(now)?;
            }
            match next {
                Next::Do(act) => {
                    // What was counted is to be read.
                    is_busy |= act == Act::CountUnread;
                    self.act(act, now)?;
                }
                Next::End(End::Done(proof)) => {
                    if self.record_end(now) {
                        return Ok(Turn::Wait(Some(now)));
                    }
                    if self.talk.was_closed_first() {
                        log::info!(target: NOTICE, "{} closed the connection", self.addr());
                    }
                    return Ok(Turn::Exit(Status::Done(proof)));
                }
                Next::End(End::Short(blame)) => {
                    self.blame = Some(blame);
                    return Err(self.short(blame));
                }
                Next::Wait(_) if is_busy => return Ok(Turn::Wait(Some(now))),
                Next::Wait(until) => {
                    let console = self.sender.input.console();
                    let looks_at = console.and_then(Console::looks_at);
                    let times = [
                        until,
                        self.sender.pause(),
                        self.checkup,
                        looks_at,
                        self.draws(),
                        self.recorder.deadline(),
                        self.link.conn.tells_at(),
                    ];
                    return Ok(Turn::Wait(times.into_iter().flatten().min()));
                }
            }
        }
    }

    /// Everything was delivered: records that. Returns whether the reader of a record has to take that first.
    fn record_end(&mut self, now: Instant) -> bool {
        let (sent, received) = self.moved();
        let leaving = Leaving {
            code: "closed",
            words: "closed",
            received,
            sent,
            unread: 0,
        };
        self.recorder.left(leaving, now);
        self.recorder.unread() > 0
    }

    /// Both directions, and what there is to see. Returns whether there is more to do at once.
    fn move_bytes(&mut self, now: Instant) -> Result<bool, Error> {
        let mut way = Way {
            world: &mut self.world,
            link: &mut self.link,
            talk: &mut self.talk,
            recorder: &mut self.recorder,
            now,
        };
        let busy_up = self.sender.turn(&mut way)?;
        if self.sender.take_echoed() {
            self.receiver.echoed();
        }
        let console = self.sender.input.console_mut();
        let busy_down = self.receiver.turn(&mut way, console)?;
        let was_behind = way.recorder.reader_is_behind();
        way.recorder.flush(now);
        // Both directions were held up by this, and no event tells that they may go on.
        let goes_on = was_behind && !way.recorder.reader_is_behind();
        self.note_all_sent();
        let reads_keys = self.sender.reads_keys(&self.talk);
        if let Some(console) = self.sender.input.console_mut() {
            console.expect_keys(reads_keys);
        }
        self.draw(now);
        self.show(now)?;
        Ok(busy_up || busy_down || goes_on)
    }

    /// The state of stdin and stdout, for `--explain`.
    fn observe_flows(&mut self) {
        let conn = &mut self.link.conn;
        if !conn.is_explained() {
            return;
        }
        let has_input = self.sender.input.stdin().is_some();
        if has_input && !self.talk.up.is_open() && self.talk.up.loss().is_none() {
            conn.observe(Observed::InputEnded);
        }
        if self.talk.down.owed() > 0 && !self.receiver.stdout.is_writable() {
            conn.observe(Observed::OutputFull);
        }
    }

    /// Tells what happened on the connection, where that is wanted.
    fn explain(&mut self, now: Instant) -> Result<(), Error> {
        match explaining::tell(&mut self.link.conn, now) {
            true => self.show(now),
            false => Ok(()),
        }
    }

    fn note_all_sent(&mut self) {
        if !self.talk.up.is_open() && self.talk.up.owed() == 0 {
            self.link.keep_promise();
        }
    }

    /// When the row that tells how far it is is to be drawn next, if something moved.
    fn draws(&self) -> Option<Instant> {
        let (sent, received) = self.moved();
        self.progress.as_ref()?.due(sent, received)
    }

    /// Draws that row, if it is time.
    fn draw(&mut self, now: Instant) {
        let (sent, received) = self.moved();
        let is_due = self.draws().is_some_and(|at| at <= now);
        if let Some(progress) = self.progress.as_mut().filter(|_| is_due) {
            let columns = Terminal::columns_of_stderr();
            let row = progress.line(sent, received, columns, now);
            self.receiver.stderr.draw(&row);
        }
    }

    /// Bytes sent and received.
    fn moved(&self) -> (u64, u64) {
        (self.talk.up.given(), self.receiver.count)
    }

    /// After the other side's end nothing is read any more, and it is the system's error that tells of a
    /// reset.
    fn find_reset(&mut self, now: Instant) {
        if !self.has_error || self.talk.down.is_open() {
            return;
        }
        self.has_error = false;
        let Some(error) = self.link.conn.take_error() else {
            return;
        };
        // Where it is known what was acknowledged before, that counts.
        if self.link.conn.tcp_info().is_some() {
            self.look(now);
        }
        self.talk.up.lost(error, now);
    }

    /// Gives the other side up if it vanished: see [`dead_peer`].
    fn check_up(&mut self, now: Instant) {
        let conn = &mut self.link.conn;
        if self.checkup.is_some_and(|checkup| checkup <= now) {
            self.checkup = None;
            // What came before is read first.
            let is_unread = self.talk.down.is_open() && conn.is_readable();
            if conn.has_vanished() && !is_unread {
                match self.talk.down.is_open() {
                    true => self.talk.down.lost(ErrorKind::TimedOut.into(), now),
                    false => self.talk.up.lost(ErrorKind::TimedOut.into(), now),
                }
            }
        }
        if conn.is_watched() {
            self.checkup.get_or_insert(now + dead_peer::EVERY);
        }
    }

    fn act(&mut self, act: Act, now: Instant) -> Result<(), Error> {
        match act {
            Act::HalfClose => self.link.half_close(),
            Act::CloseOutput => self.receiver.stdout.close(),
            Act::ProbeSoon => {
                log::info!("{} ended its side", self.addr());
                self.link.conn.probe_soon();
                self.show(now)?;
            }
            Act::SayStillOpen => {
                log::warn!(
                    "{} ended its side; stdin is still open (--recv-only or </dev/null where \
                     nothing is to be sent)",
                    self.addr()
                );
                self.show(now)?;
            }
            Act::Look => self.look(now),
            Act::CountUnread => {
                self.talk.has_come(self.link.conn.unread().bytes);
                self.link.conn.expect_bytes();
            }
        }
        Ok(())
    }

    /// The messages for the person here.
    fn show(&mut self, now: Instant) -> Result<(), Error> {
        let has_stdout = self.recorder.has_stdout();
        let console = self.sender.input.console_mut();
        self.receiver.show(&mut self.talk, has_stdout, console, now)
    }

    fn look(&mut self, now: Instant) {
        match self.link.look() {
            Ok(found) => self.talk.looked(found, now),
            Err(error) => self.talk.up.lost(error, now),
        }
    }

    fn addr(&self) -> String {
        self.link.conn.addr().to_string()
    }

    /// Why not everything was delivered, and how much was not.
    fn short(&self, blame: Blame) -> Error {
        let shortfall = Shortfall {
            addr: self.addr(),
            unsent: self.missing(),
            is_held: self.link.conn.has_pending_output(),
            given: self.talk.up.given(),
            unshown: self.unshown(),
            unrecorded: self.recorder.unread() as u64,
            unread: match self.talk.is_held_up() {
                true => self.link.conn.unread().bytes,
                false => 0,
            },
            idle_timeout: self.settings.idle_timeout.unwrap_or_default(),
        };
        shortfall.tell(blame, &self.talk)
    }

    /// Bytes that the other side did not acknowledge: those that were read, and those that a file
    /// still holds.
    fn missing(&self) -> u64 {
        let unread = match self.talk.up.is_open() || self.talk.up.loss().is_some() {
            true => self.sender.input.stdin().and_then(Stdin::remaining),
            false => None,
        };
        self.talk.up.owed() + self.unacknowledged() + unread.unwrap_or(0)
    }

    /// Bytes that the connection took and the other side did not acknowledge.
    fn unacknowledged(&self) -> u64 {
        let given = self.talk.up.missing() - self.talk.up.owed();
        // While a layer holds bytes back, the flow cannot know how much of the rest was
        // acknowledged.
        self.link
            .held()
            .map_or(given, |outstanding| outstanding.min(given))
    }

    /// Bytes that came and that stdout did not take.
    fn unshown(&self) -> u64 {
        let console = self.sender.input.console();
        let record = self.receiver.record_waits(&self.recorder, console);
        self.talk.down.owed() + record as u64
    }

    /// Whether the other side has everything that it will ever get.
    fn is_complete(&self) -> bool {
        let stdin = self.sender.input.stdin();
        let is_terminal = stdin.is_some_and(|stdin| stdin.kind() == Kind::Terminal);
        (is_terminal || !self.talk.up.is_open()) && self.talk.up.owed() == 0
    }

    /// The end, however it came to it: tells what is to be told, and gives the terminal back.
    ///
    /// # Errors
    /// What it ended with.
    pub fn finish(
        &mut self,
        mut ended: Result<Status, Error>,
        now: Instant,
    ) -> Result<Status, Error> {
        // An error of stdout ends a turn before it comes to that.
        self.note_all_sent();
        // So does a signal, and what is told of the digests is to be true of now.
        if self.recorder.has_digests() {
            self.look(now);
        }
        let unacknowledged = self.unacknowledged();
        // Who gives up does not know what else its stdin had. (Who is ended by a signal may be a person who does; and
        // where nothing came for long, there was nothing.)
        let gives_up = matches!(ended, Err(_) | Ok(Status::BrokenPipe));
        let gives_up = gives_up && !matches!(self.blame, Some(Blame::Idle));
        let broke_off = gives_up && !self.is_complete();
        self.link.close_truthfully(self.talk.up.owed(), broke_off);
        if ended.is_ok() && self.is_complete() {
            self.link.conn.close_notify();
        }
        self.link.conn.observe_closing();
        explaining::tell(&mut self.link.conn, now);
        let why = match &ended {
            Ok(Status::Killed(_)) => String::from("we ended"),
            Ok(_) => String::from("closed"),
            Err(error) => error.to_string(),
        };
        let code = match (&ended, self.blame) {
            (Ok(Status::Killed(_)), _) | (Err(_), Some(Blame::Late)) => "ended",
            (Ok(_), _) => "closed",
            (Err(_), Some(Blame::Idle)) => "idle",
            (Err(_), _) => "broke",
        };
        let (sent, received) = self.moved();
        let leaving = Leaving {
            code,
            words: why.lines().next().unwrap_or_default(),
            received,
            sent,
            unread: self.link.conn.unread().bytes,
        };
        self.recorder.left(leaving, now);
        let console = self.sender.input.console_mut();
        if !self.receiver.finish_record(&mut self.recorder, console)
            && matches!(ended, Ok(Status::Done(_)))
        {
            ended = Ok(Status::Failed);
        }
        self.receiver.stderr.erase();
        // A filter whose output has no reader any more does not write a message either.
        if !matches!(ended, Ok(Status::BrokenPipe)) {
            self.sum_up(now);
        }
        for line in self.recorder.digests(unacknowledged) {
            self.receiver.stderr.notices().say(line);
        }
        if let Some(console) = self.sender.input.console_mut() {
            ended = console.ending(ended);
            console.leave(&mut self.receiver.stdout);
        }
        self.receiver.finish();
        ended
    }

    /// The records, to be finished by the caller, which may wait for them.
    pub fn take_records(&mut self) -> Option<Records<W::Device>> {
        self.recorder.take_records()
    }

    /// Says what was moved, all in all.
    fn sum_up(&self, now: Instant) {
        let (sent, received) = self.moved();
        let sum = own_progress::sum(sent, received, now - self.began);
        // A person who saw the progress sees the sum, too.
        let target = match &self.progress {
            Some(progress) if progress.is_drawn() => NOTICE,
            _ => module_path!(),
        };
        log::info!(target: target, "{sum}");
    }
}

/// A person at a terminal is told the address of the other side, and how to end.
fn tell_keys(addr: &str) {
    const KEYS: &str = "Ctrl-D: you send no more, Ctrl-C leaves";
    match log::log_enabled!(log::Level::Info) {
        // That it is connected was told.
        true => log::info!(target: NOTICE, "{KEYS}"),
        false => log::info!(target: NOTICE, "connected to {addr} ({KEYS})"),
    }
}

/// What an input means for the end of a conversation.
fn kind_of<D: Device>(input: &Input<D>) -> conversation::Input {
    match input.stdin().map(Stdin::kind) {
        None => conversation::Input::None,
        Some(Kind::Terminal) => conversation::Input::Terminal,
        Some(Kind::Pipe | Kind::Socket | Kind::Waiting | Kind::File) => conversation::Input::Stream,
    }
}
