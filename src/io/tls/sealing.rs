//! Sealing: how much of what is written becomes records at once, and which bytes of it.
//!
//! Sealed bytes that do not fit into the socket wait in memory, and a hub can have tens of thousands of
//! sessions.
//!
//! It promises: at most [`BATCH`] bytes of one session wait, in whole records; the more bytes of all
//! sessions of a hub wait ([`Waiting`]), the fewer of each session may, so that together they exceed
//! [`ROOM`] by at most [`LITTLE`] bytes for each session.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The longest plain text of a record (RFC 8446, 5.1).
pub(super) const LONGEST: usize = 16 * 1024;

/// Bytes that are sealed at once, when none of those before waits for the socket: four records, so that
/// one system call takes them.
const BATCH: usize = 4 * LONGEST;

/// The same while there is no room: slower, and for tens of thousands who read nothing.
const LITTLE: usize = 4 * 1024;

/// Bytes that may wait of all sessions of a hub before there is no room, and the share of what is left
/// that one may take.
const ROOM: usize = 16 * 1024 * 1024;
const SHARE: usize = 64;

/// Bytes of records that wait for their sockets, of all sessions of a hub.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// It is so much of one session, and was so much before.
    pub(super) fn count(&self, before: usize, now: usize) {
        match now > before {
            true => self.0.fetch_add(now - before, Ordering::Relaxed),
            false => self.0.fetch_sub(before - now, Ordering::Relaxed),
        };
    }

    /// How many bytes one session may seal at once, all of which may have to wait: whole records where
    /// there is room for that.
    pub(super) fn share(&self) -> usize {
        let room = ROOM.saturating_sub(self.0.load(Ordering::Relaxed));
        match room / SHARE {
            BATCH.. => BATCH,
            share @ LONGEST.. => share / LONGEST * LONGEST,
            _ => LITTLE,
        }
    }
}

/// What was not sealed yet of some slices.
pub(super) struct Rest<'s, 'b> {
    slices: &'s [IoSlice<'b>],
    /// Bytes of the first of them that were.
    at: usize,
}

impl<'s, 'b> Rest<'s, 'b> {
    /// All of them.
    pub(super) fn of(slices: &'s [IoSlice<'b>]) -> Rest<'s, 'b> {
        Rest { slices, at: 0 }
    }

    /// The next `most` bytes, or what as many slices hold as there are places.
    pub(super) fn next<'p>(
        &mut self,
        places: &'p mut [IoSlice<'s>],
        most: usize,
    ) -> &'p [IoSlice<'s>] {
        let (mut used, mut room) = (0, most);
        while let ([first, slices @ ..], 1..) = (self.slices, room)
            && let Some(place) = places.get_mut(used)
        {
            let piece = &first[self.at..];
            let piece = &piece[..piece.len().min(room)];
            self.at += piece.len();
            room -= piece.len();
            if self.at == first.len() {
                (self.slices, self.at) = (slices, 0);
            }
            if !piece.is_empty() {
                *place = IoSlice::new(piece);
                used += 1;
            }
        }
        &places[..used]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_waits_the_less_is_sealed_at_once() {
        let waiting = Waiting::default();
        assert_eq!(waiting.share(), BATCH);
        let (mut all, mut last) = (0, BATCH);
        // All of it waits each time, as of those who read nothing.
        for session in 0..20_000 {
            let share = waiting.share();
            assert!(share <= last && (share.is_multiple_of(LONGEST) || share == LITTLE));
            waiting.count(0, share);
            (all, last) = (all + share, share);
            assert!(all <= ROOM + session * LITTLE, "{all} of {session}");
        }
        assert_eq!(last, LITTLE);
        waiting.count(all, 0);
        assert_eq!(waiting.share(), BATCH);
    }
}
