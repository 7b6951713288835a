//! Departing: whose connection broke while nobody may be heard.
//!
//! A room that is held, a stdout that is stuck, a line that another has open, a rate: all of them may
//! keep a peer from being read for long, and a reset stands behind what was said before it. An event
//! tells of it at once. So a peer of which an event told that it broke, and which could not be read in
//! that turn, gives up its place, its name and its count before it is heard.
//!
//! It promises: such a peer keeps nothing but its descriptor, and that until all it said is taken in, or
//! until descriptors run out; what is dropped then is counted and told.

use std::time::Instant;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::stream::Received;
use crate::io::stream::Stream;

/// Broken peers that are dropped at a time when descriptors ran out: as many as come in a turn.
const DROPPED: usize = 64;

/// Bytes of a dropped peer that are counted.
const COUNTED: usize = 1024 * 1024;

impl<S: Stream, D: Device> Peers<S, D> {
    /// An event told that the connection of a member broke.
    pub(super) fn note_break(&mut self, key: usize) {
        if let Some(peer) = self.member_mut(key)
            && !peer.to_depart
            && !peer.conn.has_ended()
        {
            peer.to_depart = true;
            self.queues.breaking.push(key);
        }
    }

    /// Acts on the breaks that events told of, of those who could not be read in this turn.
    pub fn break_off_unread(&mut self, now: Instant) {
        let turn = self.turn;
        let mut breaking = std::mem::take(&mut self.queues.breaking);
        breaking.retain(|&key| {
            let Some(peer) = self.member_mut(key) else {
                return false;
            };
            let is_unread = peer.to_read && !peer.conn.has_ended();
            // Who was read is read on, until the break itself is read.
            let goes_on = is_unread && peer.read_in == turn;
            peer.to_depart = goes_on;
            if !goes_on
                && is_unread
                && peer.broken.is_none()
                && let Some(error) = peer.conn.take_error()
            {
                self.break_off(key, DisconnectReason::Broke(error), now);
            }
            goes_on
        });
        breaking.append(&mut self.queues.breaking);
        self.queues.breaking = breaking;
    }

    /// Descriptors ran out: closes some whose connection broke, though not all that they said was heard,
    /// and tells how much that was. Returns whether there were any.
    pub fn drop_broken(&mut self, now: Instant) -> bool {
        let is_broken = |peer: &Peer<S>| peer.broken.is_some() && !peer.leaving && peer.is_member();
        let peers = self.conns.iter().filter(|(_, peer)| is_broken(peer));
        let keys: Vec<usize> = peers.map(|(key, _)| key).take(DROPPED).collect();
        let (mut bytes, mut is_all) = (0, true);
        let mut buffer = [0; 16 * 1024];
        for &key in &keys {
            let Some(peer) = self.member_mut(key) else {
                continue;
            };
            let mut count = 0;
            while count < COUNTED
                && let Received::Bytes(more) = peer.conn.read(&mut buffer)
            {
                count += more;
            }
            is_all &= count < COUNTED;
            bytes += count;
            if let Some(why) = peer.broken.take() {
                self.queue_leave(key, *why);
            }
        }
        if bytes > 0
            && let Some(permit) = self.news.ask_of(Topic::Unheard, bytes as u64, now)
        {
            let least = if is_all { "" } else { "at least " };
            permit.say(format_args!(
                "no descriptor is left: the last {least}{bytes} bytes of {} who left were not heard",
                keys.len()
            ));
        }
        !keys.is_empty()
    }
}
