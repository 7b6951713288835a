//! UDP: datagrams to one other side (`-u HOST PORT`), or to and from all that send some
//! (`-l -u PORT`).
//!
//! ```text
//!   poll ─► receive ─► show ─► read stdin ─► cut into datagrams ─► send ──┐
//!    ▲                                                                  │
//!    └── timeout: at once, the end of a time, or none ──────────────────┘
//! ```
//!
//! There is no connection: only the end of stdin, a time limit of the user or a signal ends it, and
//! what is lost on the way is lost. An [`Exchange`] decides who is answered, what a datagram is,
//! what is told and when it is over; this file owns the Poll, the socket, stdin and what is shown.
//! Datagrams that come go to the [`Screen`] as in a hub: with labels as soon as there are several,
//! and each datagram on a line of its own where that is a terminal.
//!
//! It promises: a stdout that is stuck stops nothing but the reading of datagrams (which the kernel throws away then,
//! once its buffer is full); nothing that comes grows memory without a bound.

use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Token;

use crate::client::Traffic;
use crate::engine::editor::Event;
use crate::engine::flow::Proof;
use crate::engine::room::Label;
use crate::engine::room::Policy;
use crate::engine::screen::Overflow;
use crate::engine::screen::Screen;
use crate::engine::udp::Ending;
use crate::engine::udp::Exchange;
use crate::engine::udp::NO_COMMANDS;
use crate::engine::udp::Rules;
use crate::engine::udp::Weight;
use crate::engine::udp::for_everybody;
use crate::hub::display::Display;
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
use crate::io::net;
use crate::io::net::Bind;
use crate::io::net::Remote;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::stdin::Stdin;
use crate::io::stream::Received;
use crate::io::terminal::Terminal;
use crate::io::udp::Moved;
use crate::io::udp::Peer;
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

/// Whom datagrams go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// One other side.
    To(Remote),
    /// All that send some there.
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
    /// For one other side: the longest silence (`-i` or `-w`). Else: how long a sender is answered.
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
/// It cannot listen or send, no program listens there, the terminal is gone, …
pub fn run(settings: Settings, notices: &Notices) -> Result<Status, Error> {
    let rules = Rules {
        silence: settings.idle_timeout,
        quit_after: settings.quit_after,
        delay: settings.delay,
        crlf: settings.crlf,
        sends_only: settings.traffic == Traffic::SendOnly,
        receives_only: settings.traffic == Traffic::ReceiveOnly,
    };
    let now = Instant::now();
    let (udp, other, exchange) = match &settings.place {
        Place::To(remote) => {
            let (udp, addr) = Udp::connect(remote)?;
            let told = "a line is a datagram, and nothing tells of those that are lost";
            let other = net::shown(addr);
            log::info!(target: NOTICE, "sending to {other} (UDP: {told})");
            (udp, Some(other), Exchange::with_one(rules, now))
        }
        Place::At(bind) => {
            let (udp, told) = Udp::bind(bind)?;
            match bind.port {
                0 => notices.say(format!("listening on {told}")),
                _ => log::info!(target: NOTICE, "listening on {told}"),
            }
            (udp, None, Exchange::with_many(rules, now))
        }
    };
    let starting = |error: io::Error| Error::system("start the event loop", &error);
    let mut talk = Talk::open(udp, other, exchange, settings, notices).map_err(starting)?;
    if talk.other.is_none() {
        // All is open that ever will be.
        confine(&Kept::default());
    }
    let ended = talk.turns();
    talk.finish(ended)
}

const ASIDE: &str = "a paste that begins with a /msg is not sent: none of its lines was";

struct Talk {
    poll: Poll,
    udp: Udp,
    /// The one other side, as messages have it, if there is one only.
    other: Option<String>,
    exchange: Exchange<Peer>,
    input: Input<Descriptor>,
    screen: Screen,
    display: Display<Descriptor>,
    policy: Policy,
    settings: Settings,
    buffer: Vec<u8>,
    chunk: Vec<u8>,
    /// The line that is being typed is not sent, of which there was a part.
    refuses_rest: bool,
}

impl Talk {
    fn open(
        mut udp: Udp,
        other: Option<String>,
        exchange: Exchange<Peer>,
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
            _ => Input::open(registry, INPUT, settings.edit, other.is_none())?,
        };
        let surface = stdout.surface(settings.raw_output);
        let has_console = input.console().is_some();
        let mut display = Display::new(stdout, stderr, has_console);
        if other.is_some() {
            display.end_with_stdout();
        }
        Ok(Talk {
            poll,
            udp,
            other,
            exchange,
            input,
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
            refuses_rest: false,
        })
    }

    fn turns(&mut self) -> Result<Status, Error> {
        let mut events = Events::with_capacity(16);
        loop {
            let now = Instant::now();
            if let Some(status) = self.turn(now)? {
                return Ok(status);
            }
            let now = Instant::now();
            let timeout = match self.is_busy(now) {
                true => Some(Duration::ZERO),
                false => self.deadline().map(|at| at.saturating_duration_since(now)),
            };
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                // A signal that the program handles has an event of its own.
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
        if let Some(console) = self.input.console_mut()
            && let Some(signal) = console.attend(self.display.stdout_mut(), now)
        {
            return Ok(Some(Status::Killed(signal)));
        }
        self.receive(now)?;
        if self.screen.is_full() && self.udp.has_unread() {
            self.exchange.excuse(now);
        }
        if self.tell() {
            // Who is heard is told before what it says is shown.
            self.display.show_notices(self.input.console_mut())?;
        }
        self.read(now)?;
        self.exchange.look(now);
        self.send(now)?;
        self.tell();
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
                Moved::Failed(error) => match &self.other {
                    Some(addr) => return Err(refused(addr, &error)),
                    None => log::debug!("receive by UDP: {}", why(&error)),
                },
            }
        }
        Ok(())
    }

    /// The first `len` bytes of the buffer came from there.
    fn hear(&mut self, len: usize, from: Peer, now: Instant) {
        let number = self.exchange.heard(from, len, now);
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

    /// The label of that sender's lines.
    fn label(&self, number: u32) -> String {
        if self.other.is_some() || self.policy.surface.is_stream() {
            return String::new();
        }
        let wanted = match self.policy.label {
            Label::Auto => self.exchange.has_several(),
            Label::Always => true,
            Label::Never => false,
        };
        if !wanted {
            return String::new();
        }
        let (on, off) = self.policy.mark_of(number);
        match number {
            0 => format!("{on}[?]{off} "),
            number => format!("{on}[{number}]{off} "),
        }
    }

    // What goes

    /// Whether stdin is read now, or will be when there is something.
    fn wants_input(&self) -> bool {
        match &self.input {
            Input::Console(_) => self.exchange.wants_keys(),
            Input::None | Input::Plain(_) => self.exchange.wants_input(),
        }
    }

    fn read(&mut self, now: Instant) -> Result<(), Error> {
        if !self.wants_input() {
            return Ok(());
        }
        let mut ended = false;
        let is_hub = self.other.is_none();
        match &mut self.input {
            Input::None => {}
            Input::Plain(stdin) => {
                if stdin.has_hung_up() {
                    return Err(Error::hung_up());
                }
                if stdin.is_ready() {
                    match stdin.read(&mut self.chunk) {
                        Received::Bytes(count) => {
                            let is_typed = stdin.kind() == Kind::Terminal;
                            let read = &self.chunk[..count];
                            if is_typed {
                                self.display.echoed(read.ends_with(b"\n"));
                            }
                            let text = match is_hub && is_typed {
                                // Ctrl-D handed over the beginning of a line that is not sent.
                                true if self.refuses_rest => Err(NO_COMMANDS.into()),
                                true => for_everybody(read, false),
                                false => Ok(read),
                            };
                            match &text {
                                Ok(text) => self.exchange.feed(text, now),
                                Err(why) => log::warn!("{why}"),
                            }
                            self.refuses_rest = text.is_err() && !read.ends_with(b"\n");
                            if is_typed {
                                // A line, or a piece of one that Ctrl-D sent off.
                                self.exchange.finish();
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
            }
            Input::Console(console) => {
                if !console.stdin().is_ready() {
                    return Ok(());
                }
                ended = matches!(console.read(now)?, Keys::End);
                let mut told_aside = false;
                let waited = self.exchange.waiting_for_somebody();
                while let Some(event) = console.next_event() {
                    // Pasted lines are text, unless they look private.
                    let is_pasted = matches!(event, Event::Pasted(_) | Event::Aside(_));
                    match event {
                        Event::Aside(line) if is_hub => {
                            console.typed(&line);
                            if !std::mem::replace(&mut told_aside, true) {
                                console.notice(format!("muxnc: {ASIDE}\n").as_bytes());
                            }
                        }
                        Event::Line(mut line)
                        | Event::BehindEscape(mut line)
                        | Event::Pasted(mut line)
                        | Event::Aside(mut line) => {
                            console.typed(&line);
                            line.push('\n');
                            let line = line.as_bytes();
                            let text = match is_hub {
                                true => for_everybody(line, is_pasted),
                                false => Ok(line),
                            };
                            match text {
                                Ok(text) => self.exchange.feed(text, now),
                                Err(why) => console.notice(format!("muxnc: {why}\n").as_bytes()),
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
                match self.exchange.waiting_for_somebody() {
                    waits if waits == waited => {}
                    1 => console.notice(b"muxnc: nobody is here: 1 datagram waits\n"),
                    waits => {
                        let told = format!("muxnc: nobody is here: {waits} datagrams wait\n");
                        console.notice(told.as_bytes());
                    }
                }
            }
        }
        if ended {
            self.exchange.end(now);
            let stays = self
                .settings
                .quit_after
                .or(self.settings.idle_timeout)
                .is_none();
            if stays && self.settings.traffic == Traffic::Both {
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
            if !self.udp.is_writable() || !self.exchange.begin(now) {
                return Ok(());
            }
            while let Some((datagram, to)) = self.exchange.due() {
                match (self.udp.send(datagram, to), &self.other) {
                    (Moved::Done(()), _) => self.exchange.went(now),
                    (Moved::Pending, _) => return Ok(()),
                    (Moved::Failed(error), Some(addr)) => return Err(refused(addr, &error)),
                    (Moved::Failed(error), None) => self.exchange.failed(why(&error), now),
                }
            }
        }
        Ok(())
    }

    /// Says what is worth telling. Whether there was something.
    fn tell(&mut self) -> bool {
        let mut told = false;
        while let Some(news) = self.exchange.take_news() {
            told = true;
            match news.weight() {
                Weight::Warning => log::warn!("{news}"),
                Weight::Notice => log::info!(target: NOTICE, "{news}"),
                Weight::Detail => log::debug!("{news}"),
            }
        }
        told
    }

    // The end

    /// Whether it is over, and how.
    fn end(&mut self, now: Instant) -> Result<Option<Status>, Error> {
        match (self.exchange.ending(now), &self.other) {
            (None, _) => return Ok(None),
            (Some(Ending::Silence), Some(addr)) => {
                let doing = format!("talk to {addr} by UDP");
                return Err(Error::new(
                    doing,
                    "nothing came or went for the time of -i or -w",
                ));
            }
            (Some(_), other) => {
                if let (Some(addr), Some(error)) = (other, self.udp.take_error()) {
                    return Err(refused(addr, &error));
                }
            }
        }
        Ok(Some(Status::Done(Proof::nothing_was_promised())))
    }

    fn is_busy(&self, now: Instant) -> bool {
        let console = self.input.console();
        let stdin = self.input.stdin();
        self.udp.is_readable() && !self.screen.is_full()
            || self.wants_input() && stdin.is_some_and(Stdin::is_ready)
            || self.exchange.can_send(now) && self.udp.is_writable()
            || self.display.is_ready(&self.screen, console)
    }

    fn deadline(&self) -> Option<Instant> {
        let looks_at = self.input.console().and_then(Console::looks_at);
        [self.exchange.deadline(), looks_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn finish(mut self, mut ended: Result<Status, Error>) -> Result<Status, Error> {
        let shown = self
            .display
            .show(&mut self.screen, self.input.console_mut());
        if let Some(console) = self.input.console_mut() {
            ended = console.ending(shown.and(ended));
            console.leave(self.display.stdout_mut());
        }
        if !matches!(ended, Ok(Status::BrokenPipe))
            && !self
                .display
                .write_last(&mut self.screen, self.input.console_mut())
            && matches!(ended, Ok(Status::Done(_)))
        {
            ended = Ok(Status::Failed);
        }
        self.display.finish();
        ended
    }
}

/// The error about a datagram that cannot be sent.
fn refused(addr: &str, error: &io::Error) -> Error {
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
