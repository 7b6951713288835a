//! The entry: everybody who comes is asked about here, before they cost anything.
//!
//! It promises: who is refused is told why in one line, unless the hub is quiet, and is counted; a
//! flood of them does not flood the log.

use std::time::Instant;

use mio::Registry;

use super::HubConfig;
use crate::engine::admit::Admission;
use crate::engine::admit::AdmissionError;
use crate::engine::admit::Lists;
use crate::io::addr::Addr;
use crate::io::conn::Conn;
use crate::io::door::Door;
use crate::io::tls::Acceptor;
use crate::io::tls::Handshakes;
use crate::io::tls::Step;
use crate::io::transport::Transport;
use crate::status::NOTICE;

/// Steps of TLS handshakes in a turn. Each may cost a millisecond, which everybody waits for.
pub(super) const HANDSHAKE_BATCH: usize = 16;

/// What somebody reads who does not speak TLS to a hub that does.
const PLAIN_REFUSAL: &str = "muxnc: this hub speaks TLS only: muxnc --ssl\n";

/// Who is let in, and whether the others are told why they are not.
pub(super) struct Entry {
    pub(super) admission: Admission,
    /// Those who have not agreed on TLS yet, where they have to.
    pub(super) handshakes: Option<Handshakes>,
    tells: bool,
}

impl Entry {
    pub(super) fn new(config: &HubConfig, lists: Lists, acceptor: Option<Acceptor>) -> Entry {
        Entry {
            admission: Admission::new(lists, config.max_peers, config.max_per_host),
            handshakes: acceptor.map(Handshakes::new),
            tells: config.tells_refused,
        }
    }

    /// Somebody was accepted. Returned is whoever may be asked about at once; with TLS nobody, and
    /// [`Entry::agreed`] will.
    pub(super) fn arrive(
        &mut self,
        transport: Transport,
        addr: impl Into<Addr>,
        registry: &Registry,
        now: Instant,
    ) -> Option<Conn> {
        let addr = addr.into();
        let Some(handshakes) = &mut self.handshakes else {
            return Some(Conn::new(transport, addr));
        };
        // Whoever is not wanted at all is not worth a handshake, and without one there are no words
        // for why. How many are here is asked when it is over: who only connects takes no place.
        match self.admission.ask(addr.ip(), 0, 0) {
            Ok(()) => handshakes.begin(transport, addr, registry, now),
            Err(refusal) => self.count(&addr, refusal, now),
        }
        None
    }

    /// Goes on with those who have not agreed on TLS yet, so many `steps` at most, until one has.
    pub(super) fn agreed(
        &mut self,
        steps: &mut usize,
        registry: &Registry,
        door: &mut Door,
        now: Instant,
    ) -> Option<Conn> {
        let handshakes = self.handshakes.as_mut()?;
        while *steps > 0 {
            *steps -= 1;
            match handshakes.step(registry, now)? {
                Step::Agreed(conn) => return Some(conn),
                Step::Plain(conn) => {
                    log::info!(target: NOTICE, "{} did not join: it does not speak TLS", conn.addr());
                    if self.tells {
                        door.refuse(conn, PLAIN_REFUSAL, now);
                    }
                }
                Step::GivenUp => door.someone_left(),
                Step::Waits => {}
            }
        }
        None
    }

    /// Whether [`Entry::agreed`] would get somewhere at once.
    pub(super) fn is_ready(&self) -> bool {
        self.handshakes.as_ref().is_some_and(Handshakes::is_ready)
    }

    /// When to call [`Entry::agreed`] or [`Entry::tell_untold`] although nothing happened.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let handshake = self.handshakes.as_ref().and_then(Handshakes::deadline);
        let deadlines = [self.admission.refusals.deadline(), handshake];
        deadlines.into_iter().flatten().min()
    }

    /// Returns whoever may come in while `here` are there, so many of them of the same address;
    /// anybody else is shown out.
    pub(super) fn admit(
        &mut self,
        conn: Conn,
        here: usize,
        from_there: usize,
        door: &mut Door,
        now: Instant,
    ) -> Option<Conn> {
        let refusal = match self.admission.ask(conn.addr().ip(), here, from_there) {
            Ok(()) => return Some(conn),
            Err(refusal) => refusal,
        };
        self.count(conn.addr(), refusal, now);
        if self.tells {
            door.refuse(conn, &refusal.line(), now);
        }
        None
    }

    fn count(&mut self, addr: &Addr, refusal: AdmissionError, now: Instant) {
        if self.admission.refusals.count(now) {
            log::info!(target: NOTICE, "{addr} was refused: {refusal}");
        }
    }

    /// Tells of those who were refused and not told of one by one, when it is time.
    pub(super) fn tell_untold(&mut self, now: Instant) {
        if let Some(count) = self.admission.refusals.take_untold(now) {
            log::info!(target: NOTICE, "{count} more were refused");
        }
    }
}
