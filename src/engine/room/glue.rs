//! Where one speaker's words end and another's begin in the stream that all members share.
//!
//! It promises: where a speaker left an unfinished line and the next bytes are another's, a line feed
//! stands between them; never within a line that its speaker goes on with, and never at the very end.

use crate::engine::journal::Journal;
use crate::engine::screen::Surface;

/// The number of the operator as a speaker, at this hub and as other hubs have it; members are numbered
/// from 1.
pub const OPERATOR: u32 = 0;

/// The last speaker. See the module's documentation.
#[derive(Debug)]
pub(super) struct Glue {
    /// The bytes are wanted as they are.
    is_raw: bool,
    /// None: one who has another stream by now.
    speaker: Option<u32>,
    midline: bool,
    /// The speaker will not go on with its line.
    abandoned: bool,
    /// The speaker that has this number now is another one.
    parted: bool,
    /// A line feed that was put in, by its place in the journal, after a line of that speaker's.
    added: Option<(u64, Option<u32>)>,
}

impl Glue {
    /// There was no speaker yet.
    pub(super) fn new(surface: Surface) -> Glue {
        Glue {
            is_raw: matches!(surface, Surface::RawStream | Surface::RawTerminal),
            speaker: Some(OPERATOR),
            midline: false,
            abandoned: false,
            parted: false,
            added: None,
        }
    }

    /// Whether the last of the stream is the beginning of a line.
    pub(super) fn is_midline(&self) -> bool {
        self.midline
    }

    /// Whether the line that the stream is in is another one's, and was left, so that it ends before what a
    /// speaker says.
    pub(super) fn is_ended_by(&self, speaker: u32) -> bool {
        let is_other = self.speaker != Some(speaker) || self.parted;
        self.midline && self.abandoned && is_other && !self.is_raw
    }

    /// Appends what a speaker says.
    pub(super) fn append(&mut self, journal: &mut Journal, speaker: u32, bytes: &[u8]) {
        let Some(&last) = bytes.last() else {
            return;
        };
        if self.is_ended_by(speaker) {
            self.added = Some((journal.end(), self.speaker));
            journal.append(b"\n");
        }
        journal.append(bytes);
        self.speaker = Some(speaker);
        self.midline = last != b'\n';
        self.abandoned = false;
        self.parted = false;
    }

    /// A speaker will not go on with a line that it began.
    pub(super) fn abandon(&mut self, speaker: u32) {
        self.abandoned |= self.midline && self.speaker == Some(speaker);
    }

    /// From now on another speaker has this number, and begins a line.
    pub(super) fn part(&mut self, speaker: u32) {
        self.parted |= self.speaker == Some(speaker);
    }

    /// From now on who has this number has another stream, in which the line that it began may be.
    pub(super) fn disown(&mut self, speaker: u32) {
        self.speaker = self.speaker.filter(|last| *last != speaker);
    }

    /// The line feed that was put in since the last call, by its place, and the speaker of the line
    /// that it ends: that line is not in the speaker's own stream.
    pub(super) fn take_added(&mut self) -> Option<(u64, Option<u32>)> {
        self.added.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(surface: Surface, pieces: &[(u32, &str, bool)]) -> String {
        let (mut journal, mut glue) = (Journal::new(), Glue::new(surface));
        let mut cursor = journal.join();
        for &(speaker, text, abandons) in pieces {
            glue.append(&mut journal, speaker, text.as_bytes());
            if abandons {
                glue.abandon(speaker);
            }
        }
        let mut slices = [std::io::IoSlice::new(&[]); crate::engine::journal::GATHER];
        let count = journal.gather(&cursor, &mut slices);
        let said: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
        journal.advance(&mut cursor, said.len() as u64);
        String::from_utf8(said).unwrap()
    }

    #[test]
    fn only_what_was_left_unfinished_is_ended() {
        let left = [(1, "42", true), (2, "43", true)];
        assert_eq!(said(Surface::Stream, &left), "42\n43");
        assert_eq!(said(Surface::RawStream, &left), "4243");
        let ended = [(1, "42\n", true), (2, "4", false), (2, "3", true)];
        assert_eq!(said(Surface::Stream, &ended), "42\n43");
        // A long line is passed on in pieces, and goes on.
        let pieces = [(1, "4", false), (2, "x", false), (1, "2", true)];
        assert_eq!(said(Surface::Stream, &pieces), "4x2");
    }
}
