//! Looking at several ports: what `nc -z HOST 20-25` does, all of them in one loop.
//!
//! A [`scan::Scan`] decides which port is looked at when, a [`Probe`] finds out whether a program
//! listens there; this file owns the Poll, and says what was found: the open ones on stdout with
//! `-v`, ascending, and the rest in one sentence.
//!
//! ```text
//!   poll ─► probes that have an event, or whose time has come ─► found ─► begin others ─► tell ──┐
//!    ▲                                                                                         │
//!    └───────────────────────── timeout: the next that a probe waits for ─────────────────────┘
//! ```
//!
//! It promises: a stdout that is stuck does not hold up the ports; the status is 0 if any port is open.

use std::io::ErrorKind;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Token;
use slab::Slab;

use crate::engine::flow::Proof;
use crate::engine::ports::Ports;
use crate::engine::scan;
use crate::engine::scan::Finding;
use crate::engine::scan::Place;
use crate::engine::scan::Tally;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Lookup;
use crate::io::net::Remote;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::probe::Probe;
use crate::io::probe::Route;
use crate::io::probe::Step;
use crate::io::proxy::Proxy;
use crate::status::Status;

// Probes' tokens are their keys; these are beyond any key.
const STDOUT: Token = Token(usize::MAX - 1);
const STDERR: Token = Token(usize::MAX - 2);

const EVENTS: usize = 256;

/// What to look at, and what to say of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The host; its port does not matter.
    pub remote: Remote,
    /// The proxy to go through.
    pub proxy: Option<Proxy>,
    /// The ports.
    pub ports: Ports,
    /// Only the exit status says that no port is open (`--quiet`).
    pub quiet: bool,
    /// Open ports are listed (`-v`).
    pub tells: bool,
}

/// Looks at all of the ports.
///
/// # Errors
/// None is open, or none can be looked at.
pub fn run(settings: Settings, notices: &Notices) -> Result<Status, Error> {
    let quiet = settings.quiet;
    match look(settings, notices) {
        Err(error) if quiet && !error.is_usage() => Ok(Status::Failed),
        ended => ended,
    }
}

fn look(settings: Settings, notices: &Notices) -> Result<Status, Error> {
    let host = settings.remote.host.clone();
    let route = Route::find(settings.remote.clone(), settings.proxy.clone())?;
    net::raise_descriptor_limit();
    let mut looker = Looker::open(route, settings, notices)?;
    let tally = match looker.turns()? {
        Ended::Found(tally) => tally,
        Ended::Unread => return Ok(Status::BrokenPipe),
    };
    if tally.open > 0 {
        log::info!("{host}: {tally}");
        return Ok(Status::Done(Proof::nothing_was_promised()));
    }
    let error = Error::new(format!("look for open ports of {host}"), tally.to_string());
    Err(match tally.silent {
        0 => error,
        _ => error.hint("-w TIME sets how long each of them is waited for."),
    })
}

/// How it ended.
enum Ended {
    Found(Tally),
    /// stdout has no reader any more.
    Unread,
}

/// A port that is being looked at.
struct Running {
    place: Place,
    port: u16,
    probe: Probe,
    until: Instant,
}

struct Looker {
    poll: Poll,
    route: Route,
    plan: scan::Scan,
    running: Slab<Running>,
    stdout: Output,
    stderr: Stderr,
    /// An error that seems to concern every port: no other port is begun before those that run have
    /// ended, since an open one among them shows that the error concerns some ports only.
    hopeless: Option<Error>,
    /// For stdout.
    text: Vec<u8>,
    tells: bool,
    lookup: Lookup,
}

impl Looker {
    fn open(route: Route, settings: Settings, notices: &Notices) -> Result<Looker, Error> {
        let starting = |error| Error::system("start the event loop", &error);
        let poll = Poll::new().map_err(starting)?;
        let mut stdout = Output::stdout();
        let mut stderr = Stderr::new(notices.clone());
        stdout.register(poll.registry(), STDOUT).map_err(starting)?;
        stderr.register(poll.registry(), STDERR).map_err(starting)?;
        Ok(Looker {
            poll,
            route,
            plan: scan::Scan::new(settings.ports),
            running: Slab::new(),
            stdout,
            stderr,
            hopeless: None,
            text: Vec::new(),
            tells: settings.tells,
            lookup: settings.remote.lookup,
        })
    }

    fn turns(&mut self) -> Result<Ended, Error> {
        let mut events = Events::with_capacity(EVENTS);
        // Which of those that run may go on.
        let mut woken = Vec::new();
        loop {
            for key in woken.drain(..) {
                self.advance(key, Instant::now())?;
            }
            self.begin()?;
            while self.running.is_empty()
                && let Some(error) = self.hopeless.take()
            {
                if self.plan.tally().open == 0 {
                    return Err(error);
                }
                self.begin()?;
            }
            if !self.tell()? {
                return Ok(Ended::Unread);
            }
            if self.plan.is_over() && self.text.is_empty() {
                return Ok(Ended::Found(self.plan.tally()));
            }
            let until = self.running.iter().map(|(_, running)| running.until).min();
            let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::system("wait for events", &error)),
            }
            for event in &events {
                match event.token() {
                    STDOUT => self.stdout.collect(event),
                    STDERR => self.stderr.collect(event),
                    Token(key) => woken.push(key),
                }
            }
            let now = Instant::now();
            let due = self.running.iter().filter(|(_, one)| one.until <= now);
            woken.extend(due.map(|(key, _)| key));
        }
    }

    /// Begins with as many ports as may be looked at, unless that seems to be hopeless.
    fn begin(&mut self) -> Result<(), Error> {
        if self.hopeless.is_some() {
            return Ok(());
        }
        while let Some((place, port)) = self.plan.begin() {
            let now = Instant::now();
            let entry = self.running.vacant_entry();
            let key = entry.key();
            entry.insert(Running {
                place,
                port,
                probe: Probe::new(&self.route, port, Token(key), now),
                until: now,
            });
            self.advance(key, now)?;
        }
        Ok(())
    }

    /// Goes on with one that runs, if it still does.
    fn advance(&mut self, key: usize, now: Instant) -> Result<(), Error> {
        let Some(running) = self.running.get_mut(key) else {
            return Ok(());
        };
        let place = running.place;
        let step = running
            .probe
            .advance(&self.route, self.poll.registry(), now);
        match step {
            Step::Wait(until) => running.until = until,
            Step::Found(finding) => {
                log::debug!("port {}: {finding}", running.port);
                self.running.remove(key);
                self.plan.found(place, finding);
            }
            Step::Exhausted(error) => {
                self.running.remove(key);
                if !self.plan.put_off(place) {
                    return Err(Error::system("open a socket", &error));
                }
            }
            Step::Hopeless(error) => {
                self.running.remove(key);
                let finding = Finding::Failed(String::from(error.why()));
                self.plan.found(place, finding);
                self.hopeless.get_or_insert(error);
            }
        }
        Ok(())
    }

    /// Says what was found, as far as its turn has come. False: stdout has no reader any more.
    fn tell(&mut self) -> Result<bool, Error> {
        while let Some((port, finding)) = self.plan.tell() {
            if self.tells && *finding == Finding::Open {
                let line = match net::service(port, self.lookup) {
                    Some(name) => format!("{port} {name} open\n"),
                    None => format!("{port} open\n"),
                };
                self.text.extend(line.as_bytes());
            }
        }
        self.stderr.flush();
        if self.text.is_empty() {
            return Ok(true);
        }
        match self.stdout.write(&self.text) {
            Ok(count) => {
                self.text.drain(..count);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::system("write to stdout", &error)),
        }
    }
}
