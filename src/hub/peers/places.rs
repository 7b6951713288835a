//! Places: how many are taken, and which member makes way for a newcomer.
//!
//! It promises: no member that is known to be there loses its place to another.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use super::visitors::WasHere;
use crate::engine::admit::Admission;
use crate::engine::admit::AdmissionError;
use crate::engine::room::Presence;
use crate::io::device::Device;
use crate::io::stream::Stream;

impl<S: Stream, D: Device> Peers<S, D> {
    /// Whether there is a place in the room for a peer that has arrived. A member that ended its
    /// side and is not known to be there makes way, the one that ended first; if this is asked
    /// `once_more`, also one whose rest is still being read. One that comes back over another connection
    /// has the place that it has: its old connection is closed then.
    ///
    /// # Errors
    /// There is none, and why. Nothing was changed.
    pub fn ask_for_place(
        &mut self,
        admission: &Admission,
        key: usize,
        once_more: bool,
        now: Instant,
    ) -> Result<(), AdmissionError> {
        let ip = self.conns.get(key).and_then(|peer| peer.conn.addr().ip());
        let was_here = self.was_here(key, now);
        let former = match was_here {
            WasHere::Still(former) => Some(former),
            WasHere::Lost | WasHere::SentAway | WasHere::No => None,
        };
        loop {
            let members = self.staying_without(former.as_slice());
            let of_host = self.staying_from(ip, former);
            let asked = match was_here {
                WasHere::No => admission.ask(ip, members, of_host),
                WasHere::Still(_) | WasHere::Lost => admission.ask_back(ip, members, of_host),
                WasHere::SentAway => admission.ask_sent_away(ip),
            };
            let refusal = match asked {
                Ok(()) => break,
                Err(refusal) => refusal,
            };
            let whose = match refusal {
                AdmissionError::Full(_) => None,
                AdmissionError::FullOfHost(_) => ip,
                AdmissionError::NotAllowed | AdmissionError::Locked | AdmissionError::SentAway => {
                    return Err(refusal);
                }
            };
            let unconfirmed = self.first_unconfirmed(whose);
            let unread = || self.first_unread(whose).filter(|_| once_more);
            let makes_way = unconfirmed.or_else(unread).ok_or(refusal)?;
            self.give_up(makes_way, DisconnectReason::Closed, now);
        }
        if let Some(former) = former {
            self.replace_former(former, key, now);
        }
        Ok(())
    }

    /// Whether the lists and the operator let in who comes from there, or somebody who comes back.
    ///
    /// # Errors
    /// No, and why.
    pub(in crate::hub) fn ask_lists(
        &self,
        admission: &Admission,
        ip: Option<IpAddr>,
    ) -> Result<(), AdmissionError> {
        match self.may_come_back() {
            true => admission.ask_refused(ip),
            false => admission.ask_lists(ip),
        }
    }

    /// Whether there would be a place, or a member that may be gone would make way. Changes
    /// nothing.
    ///
    /// # Errors
    /// There is none, and why.
    pub(in crate::hub) fn has_place_for(
        &self,
        admission: &Admission,
        ip: Option<IpAddr>,
    ) -> Result<(), AdmissionError> {
        match admission.ask(ip, self.staying(), self.staying_from(ip, None)) {
            Err(AdmissionError::Full(_)) if self.first_unconfirmed(None).is_some() => Ok(()),
            Err(AdmissionError::FullOfHost(_)) if self.first_unconfirmed(ip).is_some() => Ok(()),
            asked => asked,
        }
    }

    /// How many places are taken by members that are not leaving already.
    pub(in crate::hub) fn staying(&self) -> usize {
        self.staying_without(&[])
    }

    /// The same without these. Some of them may be leaving.
    pub(in crate::hub) fn staying_without(&self, keys: &[usize]) -> usize {
        let leaving = self.exits.leaving().chain(keys.iter().copied());
        let members: BTreeSet<usize> = leaving.filter(|&key| self.has_place(key)).collect();
        self.room.places_taken() - members.len()
    }

    /// How many are known to be here, without these. Some of them may have left.
    pub(in crate::hub) fn here_without(&self, keys: &[usize]) -> usize {
        let is_here = |key: &&usize| {
            let member = self.room.member(**key);
            member.is_some_and(|member| member.presence().is_here())
        };
        self.room.here() - keys.iter().filter(is_here).count()
    }

    /// Whether a member takes a place.
    pub(super) fn has_place(&self, key: usize) -> bool {
        let member = self.room.member(key);
        member.is_some_and(|member| member.presence() != Presence::Gone)
    }

    /// How many of them there are of one address, if that is counted, without one that may be leaving.
    fn staying_from(&self, ip: Option<IpAddr>, without: Option<usize>) -> usize {
        let Some((headcount, ip)) = self.headcount.as_ref().zip(ip) else {
            return 0;
        };
        let is_of = |peer: &Peer<S>| {
            let theirs = peer.conn.addr().ip();
            theirs.is_some_and(|theirs| theirs.to_canonical() == ip.to_canonical())
        };
        let leaving = self.exits.leaving().chain(without);
        let leaving = leaving.filter(|&key| self.has_place(key));
        let leaving: BTreeSet<usize> = leaving
            .filter(|&key| self.member(key).is_some_and(is_of))
            .collect();
        headcount.of(ip) - leaving.len()
    }
}
