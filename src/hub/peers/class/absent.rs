//! A hub that was built without the bus is a class of its own.

use std::io;
use std::time::Instant;

use super::Peers;
use crate::hub::link::Link;
use crate::io::conn::Conn;
use crate::io::device::Device;
use crate::io::error::Error;
use crate::io::readiness;
use crate::io::stream::Stream;

/// What would be asked of another hub.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "there is nobody to read it")]
pub(in crate::hub) enum Demand<'a> {
    Tell(&'a str),
    Kick(&'a str),
    Mute,
    Unmute,
}

impl<S: Stream, D: Device> Peers<S, D> {
    pub(in crate::hub) fn join_class(&mut self, link: Link<S>) {
        self.link = Some(Box::new(link));
    }

    pub(in crate::hub) fn collect_bus(&mut self, _: readiness::Event) {}

    pub(in crate::hub) fn serve_class(
        &mut self,
        _: impl FnOnce(&mut Conn<S>) -> io::Result<()>,
        _: &mut [u8],
        _: Instant,
    ) -> Result<(), Error> {
        Ok(())
    }

    pub(in crate::hub) fn ask_hub(&mut self, _: &str, _: Demand<'_>) -> Option<String> {
        None
    }

    pub(in crate::hub) fn is_other_hub(&self, _: &str) -> bool {
        false
    }

    pub(in crate::hub) fn other_hubs(&self) -> Option<usize> {
        None
    }

    pub(in crate::hub) fn hubs(&self, _: Instant) -> Vec<String> {
        Vec::new()
    }

    pub(in crate::hub) fn leave_class(&mut self) {}

    pub(in crate::hub) fn unheard_by_class(&self) -> Option<u64> {
        None
    }

    pub(super) fn class_takes_input(&self) -> usize {
        usize::MAX
    }

    pub(super) fn class_takes(&self, _: usize) -> usize {
        usize::MAX
    }

    pub(super) fn is_class_ready(&self) -> bool {
        false
    }

    pub(in crate::hub) fn class_deadline(&self) -> Option<Instant> {
        None
    }
}
