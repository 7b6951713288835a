//! Recording what the peers do and say, where that is wanted.
//!
//! It promises: records that go to stdout are in order with everything else there.

use std::fmt::Display;
use std::time::Instant;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use crate::engine::record::Leaving;
use crate::engine::record::Who;
use crate::engine::room::Minute;
use crate::engine::room::OPERATOR;
use crate::io::addr::Addr;
use crate::io::device::Device;
use crate::io::record::Records;
use crate::io::stream::Stream;

impl<S: Stream, D: Device> Peers<S, D> {
    /// The same, and what happens is recorded.
    pub fn recorded(mut self, records: Option<Records<D>>) -> Peers<S, D> {
        self.records = records.map(Box::new);
        if self.records.as_ref().is_some_and(|r| r.wants_lines()) {
            self.room.keep_minutes();
        }
        self
    }

    /// Records something, if anything is recorded.
    pub fn record(&mut self, record: impl FnOnce(&mut Records<D>)) {
        if let Some(records) = &mut self.records {
            record(records);
            let screen = self.room.screen_mut();
            records.take_for_stdout(|text| screen.record(text));
        }
    }

    /// The records, if anything is recorded.
    pub fn records_mut(&mut self) -> Option<&mut Records<D>> {
        self.records.as_deref_mut()
    }

    /// Takes the records out, to be finished.
    pub fn take_records(&mut self) -> Option<Records<D>> {
        self.records.take().map(|records| *records)
    }

    /// The same about a member.
    pub(super) fn record_of(&mut self, key: usize, record: impl FnOnce(&mut Records<D>, Who<'_>)) {
        if let (Some(records), Some(member), Some(peer)) = (
            &mut self.records,
            self.room.member(key),
            self.conns.get(key),
        ) {
            let addr = peer.conn.addr();
            record(records, Who::of(&member.account, &addr));
            let screen = self.room.screen_mut();
            records.take_for_stdout(|text| screen.record(text));
        }
    }

    /// The hub ends: members that are still here will not be heard any more. What each said of a line
    /// without an end is shown, as far as stdout takes it, and recorded.
    pub(super) fn finish_members(&mut self, now: Instant) {
        let records = self.records.as_ref();
        let wants_ends = records.is_some_and(|records| records.wants_ends());
        let members = self.room.by_number();
        let keys: Vec<usize> = members.into_iter().map(|(key, _)| key).collect();
        for key in keys {
            if self.records.is_none() && self.room.screen().is_full() {
                break;
            }
            self.room.finish(key, now);
            self.record_lines(None);
            // One that had left was not read to its end.
            let why = self.conns.get_mut(key).and_then(Peer::take_reason);
            if why.is_none() && !wants_ends {
                continue;
            }
            let traffic = self.room.member(key);
            let traffic = traffic.map(|member| (member.account.received(), member.account.sent));
            let (received, sent) = traffic.unwrap_or_default();
            let words = why.as_ref().map(ToString::to_string);
            let leaving = Leaving {
                code: why.as_ref().map_or("ended", DisconnectReason::code),
                words: words.as_deref().unwrap_or("the hub ended"),
                received,
                sent,
                unread: self.unread_of(&[key]).bytes,
            };
            self.record_of(key, |records, who| match why {
                Some(_) => records.left(who, leaving),
                None => records.ended(who, leaving),
            });
        }
        self.record(Records::all_gone);
    }

    /// Records what the members said since the last time, and tells the other hubs. `gone`: where the one was that is just taken
    /// out.
    pub(in crate::hub) fn record_lines(&mut self, gone: Option<&Addr>) {
        if !self.room.has_minutes() {
            return;
        }
        let (conns, link) = (&self.conns, &mut self.link);
        let mut records = self
            .records
            .as_mut()
            .filter(|records| records.wants_lines());
        self.room.take_minutes(|key, number, name, minute| {
            if let (Some(link), Minute::Said(lines)) = (&mut *link, minute) {
                link.say(number, name, lines);
            }
            if number == OPERATOR {
                // The operator's line was recorded when it was typed.
                return;
            }
            let Some(records) = &mut records else {
                return;
            };
            let addr = match (gone, conns.get(key)) {
                (Some(gone), _) => gone,
                (None, Some(peer)) => peer.conn.addr(),
                (None, None) => return,
            };
            let addr: &dyn Display = &addr;
            let who = Who { number, addr, name };
            match minute {
                Minute::Said(lines) | Minute::Muted(lines) => records.lines(who, lines),
                Minute::Asked(words) => records.asked(who, words),
            }
        });
        if let Some(records) = &mut self.records {
            let screen = self.room.screen_mut();
            records.take_for_stdout(|text| screen.record(text));
        }
    }
}
