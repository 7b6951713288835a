//! A hub that was built without the web offers no file: no value of this type exists.

use std::time::Duration;
use std::time::Instant;

use super::Peers;
use crate::engine::admit::Admission;
use crate::engine::admit::AdmissionError;
use crate::io::device::Device;
use crate::io::stream::Stream;
use crate::io::web::Offered;

/// Would be who downloads.
#[derive(Debug)]
pub(super) enum Downloads {}

impl Downloads {
    pub(super) fn is_ready(&self) -> bool {
        match *self {}
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match *self {}
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// There is nothing to offer.
    pub fn offer(&mut self, file: Offered, _: Duration) {
        match file {}
    }

    pub(in crate::hub) fn is_for_a_file(&mut self, _: usize) -> bool {
        false
    }

    pub(in crate::hub) fn answer_at_once(&mut self, _: usize) -> bool {
        false
    }

    pub(in crate::hub) fn ask_to_download(
        &mut self,
        _: usize,
        _: &Admission,
        _: Instant,
    ) -> Result<(), AdmissionError> {
        Ok(())
    }

    pub(in crate::hub) fn serve_downloads(&mut self, _: &mut [u8], _: Instant) {}

    pub(in crate::hub) fn await_downloads(&mut self) -> Option<String> {
        None
    }

    pub(in crate::hub) fn are_downloading(&self) -> bool {
        false
    }

    pub(in crate::hub) fn end_downloads(&mut self, _: Instant) -> Vec<String> {
        Vec::new()
    }
}
