//! Explaining what happens on each connection of a hub (`--explain`).
//!
//! It promises: no system call for a peer of which nothing is explained; the sentences of all peers
//! together are bounded as all messages are that a peer can cause.

use std::time::Duration;
use std::time::Instant;

use super::Peer;
use super::Peers;
use crate::engine::explain::Observed;
use crate::engine::explain::Sentence;
use crate::engine::names::default_name;
use crate::engine::room::Account;
use crate::hub::news::Topic;
use crate::io::conn::Conn;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// A shorter hold is not noticed by a person.
const NOTICEABLE: Duration = Duration::from_millis(200);

/// The sentences about who waits for whom.
#[derive(Debug, Default)]
pub(super) struct Explaining {
    /// The sources wait, since then.
    held_since: Option<Instant>,
    /// For this one, as was told.
    waits_for: Option<usize>,
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// From now on it is explained what happens on each connection that comes.
    pub fn explain(&mut self) {
        self.explaining = Some(Box::default());
    }

    /// A connection was accepted.
    pub(super) fn explain_arrival(&self, conn: &mut Conn<S>) {
        if self.explaining.is_some() {
            conn.explain_accepted();
        }
    }

    /// Tells what happened since the last turn.
    pub fn tell_explained(&mut self, now: Instant) {
        if self.explaining.is_none() {
            return;
        }
        self.observe_waiting(now);
        let mut told = Vec::new();
        for (key, peer) in &mut self.conns {
            if peer.is_explained_now() {
                let sentences = peer.conn.tell(now);
                if !sentences.is_empty() {
                    told.push((key, sentences));
                }
            }
        }
        for (key, sentences) in told {
            let label = match self.room.member(key) {
                Some(member) => label(&member.account),
                None => self.conns[key].conn.addr().to_string(),
            };
            self.say_explained(&label, sentences, now);
        }
    }

    /// A peer that is called so is closed: tells the rest.
    pub(super) fn tell_last_explained(
        &mut self,
        key: usize,
        label: &str,
        peer: &mut Peer<S>,
        now: Instant,
    ) {
        if let Some(explaining) = &mut self.explaining {
            // Another one may have that key soon.
            explaining.waits_for.take_if(|waits_for| *waits_for == key);
        }
        if peer.conn.is_explained() {
            peer.conn.observe_closing();
            let sentences = peer.conn.tell(now);
            self.say_explained(label, sentences, now);
        }
    }

    fn say_explained(&mut self, label: &str, sentences: Vec<Sentence>, now: Instant) {
        for sentence in sentences {
            if let Some(permit) = self.news.ask(Topic::Explained, now) {
                permit.say(format_args!("{label} {sentence}"));
            }
        }
    }

    /// Whether all members wait for one, and for which.
    fn observe_waiting(&mut self, now: Instant) {
        let Some(explaining) = &mut self.explaining else {
            return;
        };
        if !self.room.is_held() {
            if let Some(since) = explaining.held_since.take()
                && let Some(key) = explaining.waits_for.take()
                && let Some(peer) = self.conns.get_mut(key)
            {
                let time = now.saturating_duration_since(since);
                peer.conn.observe(Observed::WaitedNoMore(time));
            }
            return;
        }
        let since = *explaining.held_since.get_or_insert(now);
        let is_noticeable = now.saturating_duration_since(since) >= NOTICEABLE;
        if !is_noticeable || explaining.waits_for.is_some() {
            return;
        }
        if let Some((account, owed)) = self.room.slowest()
            && let Some(key) = self.room.find(account.number)
            && let Some(peer) = self.conns.get_mut(key)
        {
            explaining.waits_for = Some(key);
            peer.conn.observe(Observed::WaitedFor(owed));
        }
    }

    /// When there is more to tell, if nothing happens before.
    pub(super) fn explains_at(&self) -> Option<Instant> {
        self.explaining.as_ref()?;
        let peers = self.conns.iter().map(|(_, peer)| peer);
        let explained = peers.filter(|peer| peer.is_explained_now());
        explained.filter_map(|peer| peer.conn.tells_at()).min()
    }
}

/// How a member is called before what is explained of it: `[3 Ana]`, or `[3]`.
pub(super) fn label(account: &Account) -> String {
    let number = account.number;
    match account.name() {
        // `user7` says no more than the number.
        Some(name) if *name == default_name(number) => format!("[{number}]"),
        _ => account.label(),
    }
}
