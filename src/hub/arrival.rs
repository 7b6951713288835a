//! Who comes to the hub: accepted, asked about, and let in.
//!
//! It promises: however many come, a turn lets in a bounded number of them; nobody costs a place before
//! the entry was asked.

use std::time::Instant;

use mio::Token;

use super::Hub;
use super::entry;
use crate::io::conn::Conn;
use crate::io::door::Arrival;
use crate::io::error::why;
use crate::status::NOTICE;

/// Connections accepted in a turn.
const ACCEPT_BATCH: usize = 64;

impl Hub {
    pub(super) fn accept(&mut self, now: Instant) {
        self.entry.admission.begun = self.is_too_late();
        for _ in 0..ACCEPT_BATCH {
            match self.door.accept(now) {
                Arrival::Nobody => return,
                Arrival::Exhausted => {
                    log::warn!(
                        "no descriptor is left after {} peers: whoever else comes waits until \
                         one leaves (ulimit -n sets the limit)",
                        self.peers.room.len()
                    );
                    return;
                }
                Arrival::Peer(transport, addr) => {
                    let registry = self.poll.registry();
                    if let Some(conn) = self.entry.arrive(transport, addr, registry, now) {
                        self.admit(conn, now);
                    }
                }
                Arrival::Failed => {}
            }
        }
    }

    /// A few steps with those who have not agreed on TLS yet.
    pub(super) fn shake_hands(&mut self, now: Instant) {
        let mut steps = entry::HANDSHAKE_BATCH;
        while let Some(conn) =
            self.entry
                .agreed(&mut steps, self.poll.registry(), &mut self.door, now)
        {
            self.admit(conn, now);
        }
    }

    fn admit(&mut self, conn: Conn, now: Instant) {
        let here = self.peers.room.len();
        let from_there = self.peers.count_from(conn.addr().ip());
        let admitted = self
            .entry
            .admit(conn, here, from_there, &mut self.door, now);
        let Some(mut conn) = admitted else { return };
        let token = Token(self.peers.room.next_key());
        if let Err(error) = conn.register(self.poll.registry(), token) {
            log::warn!("serve {}: {}", conn.addr(), why(&error));
            return;
        }
        let key = self.peers.admit(conn, now);
        if let Some(member) = self.peers.room.member(key) {
            let (number, here) = (member.account.number, self.here());
            let addr = member.peer.conn.addr();
            log::info!(target: NOTICE, "[{number}] {addr} joined, {here}");
        }
        self.begin_if_complete(now);
    }
}
