//! The door: accepting connections, when descriptors last and when they do not.
//!
//! It promises: running out of descriptors loses nobody and spins never (who cannot be accepted
//! waits in the backlog, and is tried again when somebody left or a second has passed); who is
//! refused gets to read why, and holds a descriptor for a second at most.

use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::time::Duration;
use std::time::Instant;

use mio::Registry;
use mio::Token;

use crate::io::addr::Addr;
use crate::io::conn::Conn;
use crate::io::conn::Heard;
use crate::io::listener::Listener;
use crate::io::net::is_exhausted;
use crate::io::transport::Transport;

/// How long to wait, if nobody leaves, before trying again with whatever ran out.
const RETRY: Duration = Duration::from_secs(1);

/// How long somebody who was refused may take to read why. Closing at once, with something of
/// theirs unread, would reset the connection and the reason with it (RFC 1122, 4.2.2.13).
const LINGER: Duration = Duration::from_secs(1);

/// Lingering connections at a time; more than that are cut short.
const LINGERING: usize = 64;

/// A listener and those who wait at it. See the module's documentation.
#[derive(Debug)]
pub struct Door {
    listener: Option<Listener>,
    ready: bool,
    exhausted: Option<Exhausted>,
    lingering: VecDeque<(Instant, Conn)>,
}

#[derive(Debug)]
struct Exhausted {
    /// None: something changed, try at once.
    retry: Option<Instant>,
}

/// What an accept found.
#[derive(Debug)]
pub enum Arrival {
    /// Somebody.
    Peer(Transport, Addr),
    /// Somebody who was gone again; the next may be there.
    Failed,
    /// Nobody now; an event will tell.
    Nobody,
    /// Something ran out. Said once, until everybody who waited was let in.
    Exhausted,
}

impl Door {
    /// Registers a listener.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(mut listener: Listener, registry: &Registry, token: Token) -> io::Result<Door> {
        listener.register(registry, token)?;
        Ok(Door {
            listener: Some(listener),
            ready: false,
            exhausted: None,
            lingering: VecDeque::new(),
        })
    }

    /// Takes note of an event.
    pub fn collect(&mut self) {
        self.ready = true;
    }

    /// Whether accepting may find somebody at once.
    pub fn is_ready(&self) -> bool {
        let held = self.exhausted.as_ref().is_some_and(|e| e.retry.is_some());
        self.listener.is_some() && self.ready && !held
    }

    /// When to call [`Door::accept`] although no event came.
    pub fn deadline(&self) -> Option<Instant> {
        let retry = self.exhausted.as_ref().and_then(|e| e.retry);
        let linger = self.lingering.front().map(|(end, _)| *end);
        [retry, linger].into_iter().flatten().min()
    }

    /// Lets one in.
    pub fn accept(&mut self, now: Instant) -> Arrival {
        while self.lingering.front().is_some_and(|(end, _)| *end <= now) {
            self.end_linger();
        }
        if let Some(exhausted) = &mut self.exhausted
            && exhausted.retry.is_some_and(|retry| retry <= now)
        {
            exhausted.retry = None;
        }
        if !self.is_ready() {
            return Arrival::Nobody;
        }
        let Some(listener) = &self.listener else {
            return Arrival::Nobody;
        };
        match listener.accept() {
            Ok((stream, addr)) => Arrival::Peer(stream, addr),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.ready = false;
                self.exhausted = None;
                Arrival::Nobody
            }
            Err(error) if is_exhausted(&error) => {
                log::debug!("accept: {error}");
                self.lingering.clear();
                let told = self.exhausted.is_some();
                self.exhausted = Some(Exhausted {
                    retry: Some(now + RETRY),
                });
                match told {
                    true => Arrival::Nobody,
                    false => Arrival::Exhausted,
                }
            }
            // The error is that one connection's (accept(2): ECONNABORTED, EPROTO, …).
            Err(error) => {
                log::debug!("accept: {error}");
                Arrival::Failed
            }
        }
    }

    /// Tells `conn` why it is not let in, and closes it when it had time to read that.
    pub fn refuse(&mut self, mut conn: Conn, reason: &str, now: Instant) {
        if conn.write(&[IoSlice::new(reason.as_bytes())]).is_err() {
            return;
        }
        conn.shutdown();
        if self.lingering.len() == LINGERING {
            self.end_linger();
        }
        self.lingering.push_back((now + LINGER, conn));
    }

    /// A descriptor was freed.
    pub fn someone_left(&mut self) {
        if let Some(exhausted) = &mut self.exhausted {
            exhausted.retry = None;
        }
    }

    /// Nobody else is let in.
    pub fn close(&mut self) {
        self.listener = None;
        self.exhausted = None;
    }

    /// Closes the connection that lingers the longest, with as little unread as possible.
    fn end_linger(&mut self) {
        if let Some((_, mut conn)) = self.lingering.pop_front() {
            let mut unread = [0; 4096];
            for _ in 0..16 {
                if !matches!(conn.read(&mut unread), Heard::Bytes(_)) {
                    return;
                }
            }
        }
    }
}
