//! What a participant records of the conversation.
//!
//! It promises: no record is missing at the end, or the exit status tells; a record that cannot be
//! written as fast as the network goes slows the network down instead of growing or losing anything,
//! on stdout as in a pipe; bytes of a turn are counted by what they become in a record, as at a hub.

use std::time::Instant;

use super::CHUNK;
use crate::engine::digest::Digest;
use crate::engine::record::Leaving;
use crate::engine::record::Who;
use crate::engine::record::head::Head;
use crate::io::addr::Addr;
use crate::io::device::Device;
use crate::io::readiness::Event;
use crate::io::record::Records;

/// The records of one connection. See the module's documentation.
pub(super) struct Recorder<D> {
    /// Only where something is to be recorded.
    records: Option<Records<D>>,
    addr: Addr,
    /// The other side's number, where it came to us.
    number: u32,
    /// The end is recorded.
    has_left: bool,
    /// The digests of what is sent and of what is received (`--sha256`).
    digests: Option<[Digest; 2]>,
}

impl<D: Device> Recorder<D> {
    pub(super) fn new(mut records: Option<Records<D>>, addr: Addr, number: u32) -> Recorder<D> {
        records.iter_mut().for_each(Records::wait_for_readers);
        Recorder {
            records,
            addr,
            number,
            has_left: false,
            digests: None,
        }
    }

    /// From now on there is a digest of either direction.
    pub(super) fn digest(&mut self) {
        self.digests = Some(Default::default());
    }

    /// Whether a record or a digest needs the bytes.
    pub(super) fn is_wanted(&self) -> bool {
        self.records.is_some() || self.digests.is_some()
    }

    /// Whether there is a digest of either direction.
    pub(super) fn has_digests(&self) -> bool {
        self.digests.is_some()
    }

    /// The lines about the digests: of the directions in which something went, or of both. So many
    /// of the sent bytes were not acknowledged.
    pub(super) fn digests(&self, unacknowledged: u64) -> Vec<String> {
        let Some([said, heard]) = &self.digests else {
            return Vec::new();
        };
        let both = said.is_empty() && heard.is_empty();
        [("sent", said, unacknowledged), ("received", heard, 0)]
            .into_iter()
            .filter(|(_, digest, _)| both || !digest.is_empty())
            .map(|(what, digest, lacks)| format!("{what} {}", digest.with_unacknowledged(lacks)))
            .collect()
    }

    /// The two were connected.
    pub(super) fn joined(&mut self) {
        self.record(Records::joined);
    }

    /// The other side said `bytes`.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        if let Some([_, heard]) = &mut self.digests {
            heard.add(bytes);
        }
        self.record(|records, who| records.heard(who, bytes));
    }

    /// `bytes` were said to it.
    pub(super) fn said(&mut self, bytes: &[u8]) {
        if let Some([said, _]) = &mut self.digests {
            said.add(bytes);
        }
        self.record(|records, who| records.said(Some(who), bytes));
    }

    /// It is over, and how. That is recorded once.
    pub(super) fn left(&mut self, leaving: Leaving<'_>, now: Instant) {
        if std::mem::replace(&mut self.has_left, true) {
            return;
        }
        self.record(|records, who| {
            records.said_all(Some(who));
            records.left(who, leaving);
        });
        self.flush(now);
    }

    /// The turn is over.
    pub(super) fn flush(&mut self, now: Instant) {
        self.records.iter_mut().for_each(|r| r.flush(now));
    }

    /// When a record that could not be written is to be tried again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.records.as_ref().and_then(Records::deadline)
    }

    /// Takes note of an event.
    pub(super) fn collect(&mut self, event: Event) {
        self.records.iter_mut().for_each(|r| r.collect(event));
    }

    /// Whether a record is on stdout, instead of what is received.
    pub(super) fn has_stdout(&self) -> bool {
        self.head().is_some()
    }

    /// What its lines begin with.
    pub(super) fn head(&self) -> Option<Head> {
        self.records.as_ref().and_then(Records::head_on_stdout)
    }

    /// How many bytes may be heard so that their records fit into this turn.
    pub(super) fn fits(&self) -> usize {
        let records = self.records.as_ref();
        let fits = |records: &Records<D>| records.fits(Some(self.who()), usize::MAX);
        records.map_or(usize::MAX, fits)
    }

    /// How many may be said, for which half of a turn is.
    pub(super) fn fits_said(&self) -> usize {
        self.fits().div_ceil(2)
    }

    /// Whether no more is to be recorded in this turn.
    pub(super) fn is_spent(&self) -> bool {
        self.records.as_ref().is_some_and(Records::is_spent)
    }

    fn who(&self) -> Who<'_> {
        Who {
            number: self.number,
            addr: &self.addr,
            name: None,
        }
    }

    /// Bytes of a record that wait for stdout.
    pub(super) fn waiting(&self) -> usize {
        self.records.as_ref().map_or(0, Records::waiting_for_stdout)
    }

    /// Bytes of records that wait for readers of pipes.
    pub(super) fn unread(&self) -> usize {
        self.records.as_ref().map_or(0, Records::unread)
    }

    /// Whether so much of a record waits for stdout that nothing more may happen.
    pub(super) fn stdout_is_behind(&self) -> bool {
        self.waiting() >= CHUNK
    }

    /// Whether so much of a record waits for the reader of a pipe that nothing more may happen.
    pub(super) fn reader_is_behind(&self) -> bool {
        self.records.as_ref().is_some_and(Records::is_behind)
    }

    /// What of a record is for stdout, all of it.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Some(records) = &mut self.records {
            records.take_for_stdout(|part| text.extend_from_slice(part));
        }
        text
    }

    /// The records, to be finished by the caller, which may wait for them.
    pub(super) fn take_records(&mut self) -> Option<Records<D>> {
        self.records.take()
    }

    fn record(&mut self, record: impl FnOnce(&mut Records<D>, Who<'_>)) {
        if let Some(records) = &mut self.records {
            let who = Who {
                number: self.number,
                addr: &self.addr,
                name: None,
            };
            record(records, who);
        }
    }
}
