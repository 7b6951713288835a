//! Moderation: what the operator commands about who is let in.
//!
//! It promises: nothing is looked up, for the hub would stand still meanwhile; who is here stays, but for those
//! that a ban is about.

use std::time::Instant;

use super::Operator;
use crate::engine::admit::Admission;
use crate::engine::admit::Hosts;
use crate::engine::command::Banned;
use crate::hub::peers::Peers;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// What those read who are cut off by a ban without a reason.
const BANNED: &str = "banned";

impl<D: Device> Operator<D> {
    /// Refuses whoever comes from there, and cuts off who came from there.
    pub(super) fn ban<S: Stream>(
        &mut self,
        from: Banned<'_>,
        reason: &str,
        peers: &mut Peers<S, D>,
        admission: &mut Admission,
        now: Instant,
    ) {
        let hosts = match from {
            Banned::Hosts(hosts) => hosts,
            Banned::Peer(whom) => {
                let Some(key) = self.find(whom, peers) else {
                    return;
                };
                let ip = peers.member(key).and_then(|peer| peer.conn.addr().ip());
                match ip.map(|ip| Hosts::prefix(ip.to_canonical(), None)) {
                    Some(Ok(hosts)) => hosts,
                    Some(Err(_)) | None => {
                        return self.answer("it has no address that could be refused: /kick");
                    }
                }
            }
        };
        let banned = &mut admission.commanded.banned;
        if !banned.contains(&hosts) {
            banned.push(hosts.clone());
        }
        let reason = match shown(reason) {
            reason if reason.is_empty() => String::from(BANNED),
            reason => reason,
        };
        let count = peers.kick_from(&hosts, &reason, now);
        let cut_off = match count {
            0 => String::from("nobody from there is here"),
            count => format!("{count} from there cut off"),
        };
        self.answer(&format!(
            "{hosts} is refused now, {cut_off}: /unban {hosts} takes it back"
        ));
    }

    /// Lists who is refused and allowed by command.
    pub(super) fn tell_bans(&mut self, admission: &Admission) {
        let list = |hosts: &[Hosts]| {
            let hosts: Vec<String> = hosts.iter().map(Hosts::to_string).collect();
            hosts.join(", ")
        };
        let commanded = &admission.commanded;
        let mut text = match &commanded.banned[..] {
            [] => String::from("no address is refused by /ban\n"),
            banned => format!("refused: {}\n", list(banned)),
        };
        if !commanded.allowed.is_empty() {
            text += &format!("allowed: {}\n", list(&commanded.allowed));
        }
        if commanded.is_locked {
            text += "nobody else is let in: /unlock";
        }
        self.answer(&text);
    }

    /// Refuses them no more.
    pub(super) fn unban(&mut self, hosts: &Hosts, admission: &mut Admission) {
        let banned = &mut admission.commanded.banned;
        let before = banned.len();
        banned.retain(|other| other != hosts);
        let answer = match banned.len() < before {
            true => format!("{hosts} is refused by /ban no more"),
            false => format!("/ban does not refuse {hosts} as such: /ban lists what it does"),
        };
        self.answer(&answer);
    }

    /// Lets nobody else in, or does so again.
    pub(super) fn lock(&mut self, on: bool, admission: &mut Admission) {
        admission.commanded.is_locked = on;
        self.answer(match on {
            true => "nobody else is let in now; who is here stays",
            false => "others are let in again",
        });
    }

    /// Lets these in, and only those who are allowed; or takes back what was allowed so.
    pub(super) fn allow(&mut self, hosts: Option<Hosts>, admission: &mut Admission) {
        let allowed = &mut admission.commanded.allowed;
        let Some(hosts) = hosts else {
            allowed.clear();
            return self.answer(match admission.is_by_invitation() {
                true => "only who is on the lists of the command line is let in",
                false => "others are let in again, wherever they come from",
            });
        };
        if !allowed.contains(&hosts) {
            allowed.push(hosts.clone());
        }
        self.answer(&format!(
            "{hosts} is let in, and only who is allowed; who is here stays"
        ));
    }
}

/// A reason as those read it who are told.
pub(super) fn shown(reason: &str) -> String {
    let mut shown = String::new();
    reason
        .chars()
        .for_each(|letter| crate::engine::escape::push_escaped(letter, &mut shown));
    shown
}
