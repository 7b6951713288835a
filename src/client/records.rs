//! What a participant records of the conversation.
//!
//! It promises: nothing that is recorded is missing at the end, and a record that cannot be written
//! as fast as the network goes slows it down rather than grow.

use super::CHUNK;
use super::Client;
use super::Role;
use crate::engine::record::Who;
use crate::io::error::Error;
use crate::io::record::Records;
use crate::status::Status;

impl Client {
    /// Records something about the other side, if anything is recorded.
    pub(super) fn record(&mut self, record: impl FnOnce(&mut Records, Who<'_>)) {
        if let Some(records) = &mut self.records {
            let addr = self.conn.addr();
            let number = u32::from(self.role == Role::Server);
            let who = Who {
                number,
                addr: &addr,
                name: None,
            };
            record(records, who);
        }
    }

    pub(super) fn finish_records(&mut self, ended: &Result<Status, Error>) {
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
    pub(super) fn shows_records(&self) -> bool {
        self.records.as_ref().is_some_and(Records::has_stdout)
    }

    /// Whether so much of a record waits for stdout that nothing more may happen.
    pub(super) fn records_wait(&self) -> bool {
        self.records
            .as_ref()
            .is_some_and(|records| records.waiting_for_stdout() >= CHUNK)
    }

    /// Fills the empty buffer with what of a record is for stdout. Returns whether there was any.
    pub(super) fn load_record(&mut self) -> bool {
        let Some(records) = &mut self.records else {
            return false;
        };
        let mut text = Vec::new();
        records.take_for_stdout(|part| text.extend_from_slice(part));
        if text.is_empty() {
            return false;
        }
        self.down.load(&mut text);
        if let Some(escaper) = &mut self.escaper {
            self.down.reveal(|bytes, text| escaper.escape(bytes, text));
        }
        true
    }
}
