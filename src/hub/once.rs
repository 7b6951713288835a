//! Waiting for one to come, as `nc -l` does (`--once`).
//!
//! It promises: the first who may come in is served, and after that nobody listens; whoever may not is
//! refused as by any hub, and waited on.

use std::io;
use std::io::ErrorKind;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::Registry;

use super::LISTENER;
use super::SIGNALS;
use super::STDERR;
use super::entry::Entry;
use crate::io::conn::Conn;
use crate::io::door::Arrival;
use crate::io::door::Door;
use crate::io::error::Error;
use crate::io::listener::Listener;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::signals::Signals;

/// Whom one waited for.
pub(super) enum First {
    Came(Conn),
    /// A signal came first.
    Killed(i32),
}

/// The first to come who may, as `nc -l` serves one. After that nobody listens.
pub(super) fn first(
    listener: Listener,
    mut entry: Entry,
    notices: &Notices,
) -> Result<First, Error> {
    let has_file = listener.has_file();
    let failed = |error: &io::Error| Error::system("wait for a connection", error);
    let mut poll = Poll::new().map_err(|e| failed(&e))?;
    let mut door = Door::new(listener, poll.registry(), LISTENER).map_err(|e| failed(&e))?;
    let mut endings = endings(has_file, poll.registry()).map_err(|e| failed(&e))?;
    let mut stderr = Stderr::new(notices.clone());
    stderr
        .register(poll.registry(), STDERR)
        .map_err(|e| failed(&e))?;
    let mut events = Events::with_capacity(4);
    let conn = 'waiting: loop {
        stderr.flush();
        let deadline = [door.deadline(), entry.deadline()];
        let deadline = deadline.into_iter().flatten().min();
        let timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(&error)),
        }
        for event in &events {
            match event.token() {
                LISTENER => door.collect(),
                SIGNALS => {
                    if let Some(signal) = endings.as_mut().and_then(Signals::end) {
                        return Ok(First::Killed(signal));
                    }
                }
                STDERR => stderr.collect(event),
                token => {
                    if let Some(strangers) = &mut entry.handshakes {
                        strangers.collect(token);
                    }
                }
            }
        }
        let now = Instant::now();
        loop {
            match door.accept(now) {
                Arrival::Peer(transport, addr) => {
                    if let Some(conn) = entry.arrive(transport, addr, poll.registry(), now)
                        && let Some(conn) = entry.admit(conn, 0, 0, &mut door, now)
                    {
                        break 'waiting conn;
                    }
                }
                Arrival::Exhausted => {
                    return Err(Error::new("wait for a connection", "no descriptor is left"));
                }
                // accept(2): that one was gone before it was served.
                Arrival::Failed => {}
                Arrival::Nobody => break,
            }
        }
        let mut steps = usize::MAX;
        while let Some(conn) = entry.agreed(&mut steps, poll.registry(), &mut door, now) {
            if let Some(conn) = entry.admit(conn, 0, 0, &mut door, now) {
                break 'waiting conn;
            }
        }
        entry.tell_untold(now);
    };
    door.close();
    if let Some(signals) = endings {
        signals.give_back();
    }
    Ok(First::Came(conn))
}

/// The signals that end the program, where a file is to be removed before.
pub(super) fn endings(has_file: bool, registry: &Registry) -> io::Result<Option<Signals>> {
    match has_file {
        true => Signals::ending(registry, SIGNALS).map(Some),
        false => Ok(None),
    }
}
