//! The entry: everybody who comes is asked about here, before they cost anything.
//!
//! It promises: who is refused is told why in one line, unless the hub is quiet, and is counted; a
//! flood of them does not flood the log.

use std::time::Instant;

use super::HubConfig;
use crate::engine::admit::Admission;
use crate::engine::admit::Lists;
use crate::io::conn::Conn;
use crate::io::door::Door;
use crate::status::NOTICE;

/// Who is let in, and whether the others are told why they are not.
pub(super) struct Entry {
    pub(super) admission: Admission,
    tells: bool,
}

impl Entry {
    pub(super) fn new(config: &HubConfig, lists: Lists) -> Entry {
        Entry {
            admission: Admission::new(lists, config.max_peers, config.max_per_host),
            tells: config.tells_refused,
        }
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
        if self.admission.refusals.count(now) {
            log::info!(target: NOTICE, "{} was refused: {refusal}", conn.addr());
        }
        if self.tells {
            door.refuse(conn, &refusal.line(), now);
        }
        None
    }

    /// Tells of those who were refused and not told of one by one, when it is time.
    pub(super) fn tell_untold(&mut self, now: Instant) {
        if let Some(count) = self.admission.refusals.take_untold(now) {
            log::info!(target: NOTICE, "{count} more were refused");
        }
    }
}
