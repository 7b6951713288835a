//! Bytes on their way through a participant, in one direction.
//!
//! It promises: it is filled only when it is empty, and nothing in it moves before it was written.

use super::CHUNK;
use crate::engine::aligned;
use crate::engine::aligned::ALIGNMENT;
use crate::engine::crlf::Crlf;

/// Bytes on their way: filled when empty, then written until it is empty again.
#[derive(Default)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Buffer {
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Empties it and gives out its memory; [`Buffer::fill`] says how much of that was used.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.bytes.len() < CHUNK + ALIGNMENT {
            // Fresh from the system its pages cost nothing until they are used.
            self.bytes = vec![0; CHUNK + ALIGNMENT];
        }
        let start = aligned::start_of(&self.bytes);
        (self.start, self.end) = (start, start);
        &mut self.bytes[start..start + CHUNK]
    }

    /// Takes the first `count` bytes of [`Buffer::space`] for its contents.
    pub(super) fn fill(&mut self, count: usize) {
        self.end = self.start + count;
    }

    /// Takes over the contents of `bytes`, and leaves it empty.
    pub(super) fn load(&mut self, bytes: &mut Vec<u8>) {
        std::mem::swap(&mut self.bytes, bytes);
        (self.start, self.end) = (0, self.bytes.len());
        bytes.clear();
    }

    /// Replaces its contents by what is fit for a terminal.
    pub(super) fn reveal(&mut self, show: impl FnOnce(&[u8], &mut String)) {
        let mut text = String::with_capacity(self.end);
        show(self.waiting(), &mut text);
        self.load(&mut text.into_bytes());
    }

    /// Replaces its contents by the same with every lone LF as CRLF.
    pub(super) fn convert(&mut self, crlf: &mut Crlf) {
        let mut converted = Vec::with_capacity(2 * CHUNK);
        crlf.convert(self.waiting(), &mut converted);
        self.load(&mut converted);
    }
}
