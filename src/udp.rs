//! UDP: datagrams to one other side (`-u HOST PORT`), or to and from whoever sends some (`-l -u PORT`).
//!
//! ```text
//!   poll ─► receive ─► show ─► read stdin ─► cut into datagrams ─► send ──┐
//!    ▲                                                                  │
//!    └── timeout: at once, the end of a time, or none ──────────────────┘
//! ```
//!
//! There is no connection: nothing ends but stdin, a time that somebody set, or by a signal, and whatever is lost on the
//! way is lost. Who is answered [`Senders`] decides, what is a datagram [`Datagrams`], and what comes goes to the
//! [`Screen`] as in a hub: with labels as soon as there are several, and each datagram on a line of its own where
//! that is a terminal.
//!
//! It promises: a stdout that is stuck stops nothing but the reading of datagrams (which the kernel throws away then,
//! once its buffer is full); nothing that comes grows memory without a bound.

use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Token;

use crate::client::Traffic;
use crate::engine::command::Typed;
use crate::engine::command::understand;
use crate::engine::crlf::Crlf;
use crate::engine::datagrams::Datagrams;
use crate::engine::editor::Event;
use crate::engine::flow::Proof;
use crate::engine::limiter;
use crate::engine::limiter::Limiter;
use crate::engine::private::is_private;
use crate::engine::room::Label;
use crate::engine::room::Policy;
use crate::engine::screen::Overflow;
use crate::engine::screen::Screen;
use crate::engine::senders::Heard;
use crate::engine::senders::Senders;
use crate::hub::display::Display;
use crate::io::addr::Addr;
use crate::io::confine::Kept;
use crate::io::confine::confine;
use crate::io::console::Console;
use crate::io::console::Keys;
use crate::io::descriptor::Descriptor;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::input::Input;
use crate::io::input::Tokens;
use crate::io::net::Bind;
use crate::io::net::Remote;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::stdin::Stdin;
use crate::io::stream::Received;
use crate::io::terminal::Terminal;
use crate::io::udp::Moved;
use crate::io::udp::Udp;
use crate::status::NOTICE;
use crate::status::Status;

const UDP: Token = Token(0);
const STDIN: Token = Token(1);
const STDOUT: Token = Token(2);
const STDERR: Token = Token(3);
const SIGNALS: Token = Token(4);
const INPUT: Tokens = Tokens {
    stdin: STDIN,
    signals: SIGNALS,
};

/// The longest datagram there can be.
const LONGEST: usize = 64 * 1024;

/// Bytes read of stdin at a time.
const CHUNK: usize = 64 * 1024;

/// Datagrams moved in a direction before the other gets its turn.
const ROUNDS: usize = 64;

/// How long whoever was heard is answered, if nobody says.
pub const REMEMBERED: Duration = Duration::from_secs(600);

/// How many of those who are new are told one by one, at once.
const BURST: u32 = 10;

/// Whom datagrams go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// One other side.
    To(Remote),
    /// Whoever sends some there.
    At(Bind),
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// See [`Place`].
    pub place: Place,
    /// A bare LF from stdin becomes CRLF.
    pub crlf: bool,
    /// Leave that long after the end of stdin.
    pub quit_after: Option<Duration>,
    /// For one other side: the longest silence. Else: how long whoever was heard is answered.
    pub idle_timeout: Option<Duration>,
    /// After each datagram nothing is sent for that long.
    pub delay: Option<Duration>,
    /// Which directions are used.
    pub traffic: Traffic,
    /// A terminal gets what comes as it is.
    pub raw_output: bool,
    /// The line being typed is ours to edit.
    pub edit: bool,
    /// When what is shown begins with who sent it.
    pub label: Label,
    /// Whether in colour.
    pub color: bool,
}

/// Sends and receives until it is over.
///
/// # Errors
/// It cannot listen or send, nobody listens there, the terminal is gone, …
pub fn run(settings: Settings, notices: &Notices) -> Result<Status, Error> {
    let (udp, others) = match &settings.place {
        Place::To(remote) => {
            let (udp, addr) = Udp::connect(remote)?;
            let told = "a line is a datagram, and nothing tells of those that are lost";
            log::info!(target: NOTICE, "sending to {addr} (UDP: {told})");
            (udp, Others::One(addr))
        }
        Place::At(bind) => {
            let (udp, told) = Udp::bind(bind)?;
            match bind.port {
                0 => notices.say(format!("listening on {told}")),
                _ => log::info!(target: NOTICE, "listening on {told}"),
            }
            let many = Many {
                senders: Senders::new(settings.idle_timeout.unwrap_or(REMEMBERED)),
                news: Limiter::new(BURST, limiter::EACH),
                unsent: Limiter::new(BURST, limiter::EACH),
            };
            (udp, Others::Many(Box::new(many)))
        }
    };
    let starting = |error: io::Error| Error::system("start the event loop", &error);
    let mut talk = Talk::open(udp, others, settings, notices).map_err(starting)?;
    if matches!(talk.others, Others::Many(_)) {
        // All is open that ever will be.
        confine(&Kept::default());
    }
    let ended = talk.turns();
    talk.finish(ended)
}

/// What an operator is told who types what a hub takes for a command, or for one alone.
const NO_COMMANDS: &str = "a hub of UDP has no commands, and that was not sent: // says it";

/// What of a line that was typed at a hub is for everybody, if it is.
fn said(line: &[u8]) -> Option<&[u8]> {
    let text = String::from_utf8_lossy(line);
    match understand(text.trim_end()) {
        Typed::Say(_) if line.starts_with(b"//") => Some(&line[1..]),
        Typed::Say(_) => Some(line),
        Typed::Do(_) | Typed::Explain(_) => None,
    }
}

/// Who is at the other ends.
enum Others {
    One(SocketAddr),
    Many(Box<Many>),
}

/// Whoever was heard.
struct Many {
    senders: Senders<SocketAddr>,
    /// Of those who are new, and of those who are forgotten.
    news: Limiter,
    /// Of what did not go to those who spoke once only.
    unsent: Limiter,
}

/// A datagram that goes out, and to whom it has not gone yet.
struct Outgoing {
    datagram: Vec<u8>,
    to: VecDeque<Option<SocketAddr>>,
}

struct Talk {
    poll: Poll,
    udp: Udp,
    others: Others,
    input: Input<Descriptor>,
    /// When stdin ended.
    ended: Option<Instant>,
    datagrams: Datagrams,
    crlf: Option<Crlf>,
    outgoing: Option<Outgoing>,
    /// Until when nothing is sent (`-d`).
    pause: Option<Instant>,
    /// When something went or came last.
    active: Instant,
    screen: Screen,
    display: Display<Descriptor>,
    policy: Policy,
    settings: Settings,
    buffer: Vec<u8>,
    chunk: Vec<u8>,
}

impl Talk {
    fn open(
        mut udp: Udp,
        others: Others,
        settings: Settings,
        notices: &Notices,
    ) -> io::Result<Talk> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        udp.register(registry, UDP)?;
        let mut stdout = Output::stdout();
        let mut stderr = Stderr::new(notices.clone());
        stdout.register(registry, STDOUT)?;
        stderr.register(registry, STDERR)?;
        let input = match settings.traffic {
            Traffic::ReceiveOnly => Input::None,
            _ => Input::open(registry, INPUT, settings.edit, false)?,
        };
        let surface = stdout.surface(settings.raw_output);
        let has_console = input.console().is_some();
        let mut display = Display::new(stdout, stderr, has_console);
        if matches!(others, Others::One(_)) {
            display.end_with_stdout();
        }
        Ok(Talk {
            poll,
            udp,
            others,
            input,
            ended: None,
            datagrams: Datagrams::default(),
            crlf: settings.crlf.then(Crlf::default),
            outgoing: None,
            pause: None,
            active: Instant::now(),
            screen: Screen::new(surface, Overflow::Backpressure),
            display,
            policy: Policy {
                surface,
                label: settings.label,
                color: settings.color,
                bold: Terminal::is_capable(),
                ..Policy::PLAIN
            },
            settings,
            buffer: vec![0; LONGEST],
            chunk: vec![0; CHUNK],
        })
    }

    fn turns(&mut self) -> Result<Status, Error> {
        let mut events = Events::with_capacity(16);
        loop {
            let now = Instant::now();
            if let Some(status) = self.turn(now)? {
                return Ok(status);
            }
            let timeout = match self.is_busy() {
                true => Some(Duration::ZERO),
                false => self
                    .deadline()
                    .map(|at| at.saturating_duration_since(Instant::now())),
            };
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                // A signal that somebody wants to know of has its own event.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::system("wait for events", &error)),
            }
            for event in &events {
                match event.token() {
                    UDP => self.udp.collect(event.into()),
                    STDIN => self.input.collect(event.into()),
                    STDOUT => self.display.collect_stdout(event.into()),
                    STDERR => self.display.collect_stderr(event.into()),
                    _ => {
                        if let Some(console) = self.input.console_mut() {
                            console.collect_signal();
                        }
                    }
                }
            }
        }
    }

    /// One turn. The status, when it is over.
    fn turn(&mut self, now: Instant) -> Result<Option<Status>, Error> {
        if let Some(console) = self.input.console_mut() {
            console.look(now);
            if let Some(signal) = console.obey_signals(self.display.stdout_mut()) {
                return Ok(Some(Status::Killed(signal)));
            }
        }
        self.receive(now)?;
        self.forget(now);
        self.read(now)?;
        self.send(now)?;
        let reads_keys = self.wants_input();
        if let Some(console) = self.input.console_mut() {
            console.expect_keys(reads_keys);
        }
        self.display
            .show(&mut self.screen, self.input.console_mut())?;
        if let Some(error) = self.display.lost_stdout() {
            return match error.kind() {
                ErrorKind::BrokenPipe => Ok(Some(Status::BrokenPipe)),
                _ => Err(Error::system("write to stdout", error)),
            };
        }
        self.end(now)
    }

    // What comes

    fn receive(&mut self, now: Instant) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            if !self.udp.is_readable() || self.screen.is_full() {
                return Ok(());
            }
            match self.udp.receive(&mut self.buffer) {
                Moved::Done((len, from)) => self.hear(len, from, now),
                Moved::Pending => return Ok(()),
                Moved::Failed(error) => self.failed(&error, None)?,
            }
        }
        Ok(())
    }

    /// The first `len` bytes of the buffer came from there.
    fn hear(&mut self, len: usize, from: SocketAddr, now: Instant) {
        self.active = now;
        let number = match &mut self.others {
            Others::One(_) => 1,
            Others::Many(many) => match many.senders.heard(from, len, now) {
                Heard::Known(number) => number,
                Heard::New(number, forgotten) => {
                    if many.news.count(1, now) {
                        let (from, here) = (Addr::from(from), many.senders.len());
                        log::info!(target: NOTICE, "[{number}] {from} is heard, {here} here");
                    }
                    if let Some((number, addr)) = forgotten {
                        log::debug!("[{number}] {} makes way", Addr::from(addr));
                    }
                    number
                }
                Heard::Crowd => 0,
            },
        };
        if self.settings.traffic == Traffic::SendOnly {
            return;
        }
        let label = self.label(number);
        let datagram = &self.buffer[..len];
        self.screen.show(number, &label, datagram);
        if len > 0 && datagram.last() != Some(&b'\n') {
            match self.policy.surface.is_stream() {
                // Another one does not go on with what is whole.
                true => self.screen.abandon(number),
                false => self.screen.show(number, &label, b"\n"),
            }
        }
    }

    /// What a line of that sender begins with.
    fn label(&self, number: u32) -> String {
        let Others::Many(many) = &self.others else {
            return String::new();
        };
        let wanted = match self.policy.label {
            Label::Auto => many.senders.ever() > 1,
            Label::Always => true,
            Label::Never => false,
        };
        if !wanted || self.policy.surface.is_stream() {
            return String::new();
        }
        let (on, off) = self.policy.mark_of(number);
        match number {
            0 => format!("{on}[?]{off} "),
            number => format!("{on}[{number}]{off} "),
        }
    }

    /// Those who were not heard for long are answered no more.
    fn forget(&mut self, now: Instant) {
        let Others::Many(many) = &mut self.others else {
            return;
        };
        while let Some((number, addr)) = many.senders.expired(now) {
            if many.news.count(1, now) {
                let (addr, here) = (Addr::from(addr), many.senders.len());
                log::info!(target: NOTICE, "[{number}] {addr} was silent for long, {here} here");
            }
        }
        if let Some(untold) = many.news.take_untold(now) {
            log::info!(target: NOTICE, "{untold} more addresses were heard or silent for long");
        }
        if let Some(untold) = many.unsent.take_untold(now) {
            log::warn!("{untold} more datagrams did not go to somebody who spoke once only");
        }
    }

    // What goes

    /// Whether more of stdin is wanted.
    fn wants_input(&self) -> bool {
        self.ended.is_none() && self.outgoing.is_none() && self.datagrams.is_empty()
    }

    fn read(&mut self, now: Instant) -> Result<(), Error> {
        if !self.wants_input() {
            return Ok(());
        }
        let mut ended = false;
        let is_hub = matches!(self.others, Others::Many(_));
        match &mut self.input {
            Input::None => {}
            Input::Plain(stdin) => {
                if stdin.has_hung_up() {
                    return Err(Error::hung_up());
                }
                if stdin.is_ready() {
                    match stdin.read(&mut self.chunk) {
                        Received::Bytes(count) => {
                            if stdin.kind() == Kind::Terminal {
                                self.display.echoed();
                            }
                            let read = &self.chunk[..count];
                            let is_typed = is_hub && stdin.kind() == Kind::Terminal;
                            match if is_typed { said(read) } else { Some(read) } {
                                Some(said) => feed(&mut self.datagrams, self.crlf.as_mut(), said),
                                None => log::warn!("{NO_COMMANDS}"),
                            }
                        }
                        Received::Yield | Received::Pending => {}
                        Received::End | Received::Truncated(_) => ended = true,
                        Received::Failed(_) if stdin.has_hung_up() => {
                            return Err(Error::hung_up());
                        }
                        Received::Failed(error) => {
                            return Err(Error::system("read from stdin", &error));
                        }
                    }
                }
                if !stdin.is_ready() {
                    self.datagrams.finish();
                }
            }
            Input::Console(console) => {
                if !console.stdin().is_ready() {
                    return Ok(());
                }
                ended = matches!(console.read(now)?, Keys::End);
                while let Some(event) = console.next_event() {
                    // What is pasted is text, unless it is for one alone.
                    let is_pasted = matches!(event, Event::Pasted(_));
                    match event {
                        Event::Line(mut line)
                        | Event::BehindEscape(mut line)
                        | Event::Pasted(mut line) => {
                            console.typed(&line);
                            let is_aside = is_pasted && is_private(&line);
                            line.push('\n');
                            let line = line.as_bytes();
                            let text = match is_hub {
                                true if is_pasted => Some(line).filter(|_| !is_aside),
                                true => said(line),
                                false => Some(line),
                            };
                            if let Some(text) = text {
                                feed(&mut self.datagrams, self.crlf.as_mut(), text);
                            } else {
                                console.notice(format!("muxnc: {NO_COMMANDS}\n").as_bytes());
                            }
                        }
                        Event::Complete => console.editor().insert("\t"),
                        Event::End => {
                            console.stdin_mut().end();
                            ended = true;
                            break;
                        }
                        Event::Redraw | Event::Full | Event::Interrupt | Event::Suspend => {}
                    }
                }
            }
        }
        if ended {
            self.ended = Some(now);
            if self.settings.quit_after.is_none() && self.settings.traffic == Traffic::Both {
                log::info!(
                    target: NOTICE,
                    "stdin has ended; what comes is shown until Ctrl-C (-q TIME leaves after that long)"
                );
            }
        }
        Ok(())
    }

    fn send(&mut self, now: Instant) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            if !self.can_send() || self.pause.is_some_and(|until| now < until) {
                return Ok(());
            }
            let Some(mut outgoing) = self.outgoing.take().or_else(|| self.next(now)) else {
                return Ok(());
            };
            while let Some(to) = outgoing.to.pop_front() {
                match self.udp.send(&outgoing.datagram, to) {
                    Moved::Done(()) => {}
                    Moved::Pending => {
                        outgoing.to.push_front(to);
                        self.outgoing = Some(outgoing);
                        return Ok(());
                    }
                    Moved::Failed(error) => self.failed(&error, to)?,
                }
            }
            self.active = now;
            self.pause = self.settings.delay.map(|delay| now + delay);
        }
        Ok(())
    }

    /// Whether there is something to send, and anybody to send it to, and the kernel takes it.
    fn can_send(&self) -> bool {
        let has_other = match &self.others {
            Others::One(_) => true,
            Others::Many(many) => !many.senders.is_empty(),
        };
        let has_more = self.outgoing.is_some() || (has_other && !self.datagrams.is_empty());
        has_more && self.udp.is_writable()
    }

    /// The next datagram, and to whom it goes.
    fn next(&mut self, now: Instant) -> Option<Outgoing> {
        let datagram = self.datagrams.take()?;
        let to = match &mut self.others {
            Others::One(_) => VecDeque::from([None]),
            Others::Many(many) => {
                let (addrs, left_out) = many.senders.address(datagram.len());
                if left_out > 0 && many.unsent.count(left_out as u64, now) {
                    let len = datagram.len();
                    log::warn!(
                        "{len} bytes did not go to {left_out} who spoke once only: more than three times \
                         what somebody said goes to nobody before that (UDP's addresses can be forged)"
                    );
                }
                addrs.into_iter().map(Some).collect()
            }
        };
        Some(Outgoing { datagram, to })
    }

    /// A call failed: for one other side that is the end, and one of many is told of.
    fn failed(&mut self, error: &io::Error, to: Option<SocketAddr>) -> Result<(), Error> {
        match &self.others {
            Others::One(addr) => Err(refused(*addr, error)),
            Others::Many(_) => {
                let to = to.map(|to| format!("send to {} by UDP: ", Addr::from(to)));
                log::info!("{}{}", to.unwrap_or_default(), why(error));
                Ok(())
            }
        }
    }

    // The end

    /// Whether it is over, and how.
    fn end(&mut self, now: Instant) -> Result<Option<Status>, Error> {
        let done = Ok(Some(Status::Done(Proof::nothing_was_promised())));
        if let Others::One(addr) = &self.others
            && let Some(limit) = self.settings.idle_timeout
            && now >= self.active + limit
        {
            return match self.ended.is_some() || self.settings.traffic == Traffic::ReceiveOnly {
                true => done,
                false => Err(Error::new(
                    format!("talk to {addr} by UDP"),
                    "nothing came or went for the time of -i",
                )),
            };
        }
        let Some(ended) = self.ended.filter(|_| self.is_all_sent()) else {
            return Ok(None);
        };
        let is_over = match self.settings.quit_after {
            Some(time) => now >= ended + time,
            None => self.settings.traffic == Traffic::SendOnly,
        };
        if !is_over {
            return Ok(None);
        }
        match (&self.others, self.udp.take_error()) {
            (Others::One(addr), Some(error)) => Err(refused(*addr, &error)),
            _ => done,
        }
    }

    fn is_all_sent(&self) -> bool {
        let nobody = matches!(&self.others, Others::Many(many) if many.senders.is_empty());
        self.outgoing.is_none() && (self.datagrams.is_empty() || nobody)
    }

    fn is_busy(&self) -> bool {
        let console = self.input.console();
        let stdin = self.input.stdin();
        let is_paused = self.pause.is_some_and(|until| Instant::now() < until);
        self.udp.is_readable() && !self.screen.is_full()
            || self.wants_input() && stdin.is_some_and(Stdin::is_ready)
            || self.can_send() && !is_paused
            || self.display.is_ready(&self.screen, console)
    }

    fn deadline(&self) -> Option<Instant> {
        let (silence, news) = match &self.others {
            Others::One(_) => {
                let limit = self.settings.idle_timeout;
                (limit.map(|limit| self.active + limit), None)
            }
            Others::Many(many) => {
                let sums = [many.news.deadline(), many.unsent.deadline()];
                (many.senders.deadline(), sums.into_iter().flatten().min())
            }
        };
        let quit = self.settings.quit_after;
        let times = [
            silence,
            news,
            self.pause.filter(|_| self.can_send()),
            self.ended.and_then(|ended| quit.map(|time| ended + time)),
            self.input.console().and_then(Console::looks_at),
        ];
        times.into_iter().flatten().min()
    }

    fn finish(mut self, mut ended: Result<Status, Error>) -> Result<Status, Error> {
        let shown = self
            .display
            .show(&mut self.screen, self.input.console_mut());
        if let Some(console) = self.input.console_mut() {
            ended = console.ending(shown.and(ended));
            console.leave(self.display.stdout_mut());
        } else if !matches!(ended, Ok(Status::BrokenPipe | Status::Killed(_))) {
            let unwritten = self.display.write_last(&mut self.screen);
            if unwritten > 0 {
                log::warn!("stdout did not take the last {unwritten} bytes");
                ended = ended.map(|_| Status::Failed);
            }
        }
        self.display.finish();
        ended
    }
}

fn feed(datagrams: &mut Datagrams, crlf: Option<&mut Crlf>, read: &[u8]) {
    match crlf {
        Some(crlf) => {
            let mut converted = Vec::with_capacity(read.len() + 64);
            crlf.convert(read, &mut converted);
            datagrams.feed(&converted);
        }
        None => datagrams.feed(read),
    }
}

/// What whoever cannot send there is told.
fn refused(addr: SocketAddr, error: &io::Error) -> Error {
    let told = Error::system(format!("talk to {addr} by UDP"), error);
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            told.hint("Nothing listens on that UDP port, as the machine there said (ICMP).")
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            told.hint("There is no way to that address from here: is the network up?")
        }
        _ => told,
    }
}
