//! Moderation: the operator's commands about who is let in.
//!
//! It promises: no name is looked up, for the hub would stand still meanwhile; members that are
//! here stay, except those that a ban is about; an answer describes the state after the command.

use std::time::Instant;

use super::Operator;
use crate::engine::admit::Admission;
use crate::engine::admit::Door;
use crate::engine::admit::Hosts;
use crate::engine::command::Banned;
use crate::hub::peers::Kick;
use crate::hub::peers::Peers;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// The reason that members cut off by a ban read, if the operator gave none.
const BANNED: &str = "banned";

impl<D: Device> Operator<D> {
    /// Refuses connections from these addresses, and cuts off the members that came from them.
    pub(super) fn ban<S: Stream>(
        &mut self,
        from: Banned<'_>,
        reason: &str,
        peers: &mut Peers<S, D>,
        admission: &mut Admission,
        now: Instant,
    ) {
        let all = match from {
            Banned::Hosts(hosts) => hosts,
            Banned::Peer(whom) => {
                let Some(key) = self.find_alone(whom, reason, peers, now) else {
                    return;
                };
                let ip = peers.member(key).and_then(|peer| peer.conn.addr().ip());
                match ip.map(|ip| Hosts::prefix(ip.to_canonical(), None)) {
                    Some(Ok(hosts)) => vec![hosts],
                    Some(Err(_)) | None => {
                        return self.answer("it has no address that could be refused: /kick");
                    }
                }
            }
        };
        let kick = Kick::by_us(if reason.is_empty() { BANNED } else { reason });
        for hosts in all {
            admission.ban(hosts.clone());
            let count = peers.kick_from(&hosts, &kick, now);
            let cut_off = match count {
                0 => String::from("nobody from there is here"),
                count => format!("{count} from there cut off"),
            };
            self.answer(&format!(
                "{hosts} is refused now, {cut_off}: /unban {hosts} takes it back"
            ));
        }
    }

    /// Lists the addresses that are refused and allowed by command.
    pub(super) fn tell_bans(&mut self, admission: &Admission) {
        let mut text = match admission.banned() {
            [] => String::from("no address is refused by /ban\n"),
            banned => format!("refused: {}\n", list(banned)),
        };
        text += &match admission.door() {
            Door::Open | Door::Invited([]) => String::new(),
            Door::Invited(allowed) => format!("allowed: {}", list(allowed)),
            Door::Locked([]) => String::from("nobody else is let in: /unlock"),
            Door::Locked(but) => format!("nobody else is let in but {}: /unlock", list(but)),
        };
        self.answer(&text);
    }

    /// Refuses them no more.
    pub(super) fn unban(&mut self, all: &[Hosts], admission: &mut Admission) {
        for hosts in all {
            let was_banned = admission.unban(hosts);
            let left = match &admission.refused(hosts)[..] {
                [] => String::new(),
                left => format!("; refused still: {}", list(left)),
            };
            self.answer(&match was_banned {
                true => format!("{hosts} is refused by /ban no more{left}"),
                false => {
                    format!("/ban does not refuse {hosts} as such: /ban lists what it does{left}")
                }
            });
        }
    }

    /// Locks the hub, or unlocks it.
    pub(super) fn lock(&mut self, on: bool, admission: &mut Admission) {
        if on {
            admission.lock();
            return self.answer(
                "nobody else is let in now, except addresses that you /allow from now on; who is here stays",
            );
        }
        admission.unlock();
        self.tell_door(admission);
    }

    /// Lets these hosts in, and only hosts that are allowed; or takes back what was allowed so.
    pub(super) fn allow(&mut self, hosts: Option<Vec<Hosts>>, admission: &mut Admission) {
        let Some(all) = hosts else {
            admission.allow_all();
            return self.tell_door(admission);
        };
        all.iter().for_each(|hosts| admission.allow(hosts.clone()));
        for hosts in &all {
            let refused = admission.refused(hosts);
            let entry = match refused.iter().find(|refused| refused.contain(hosts)) {
                Some(refused) if admission.banned().contains(refused) => {
                    format!("{hosts} stays out until /unban {refused}")
                }
                Some(refused) => format!("{hosts} stays out: --deny has {refused}"),
                None if refused.is_empty() => format!("{hosts} is let in"),
                None => format!("{hosts} is let in but for {}", list(&refused)),
            };
            let others = match admission.door() {
                Door::Locked(_) => "it is locked for all others",
                Door::Open | Door::Invited(_) => "only who is allowed comes in now",
            };
            self.answer(&format!("{entry}; {others}; who is here stays"));
        }
    }

    /// Tells whom the hub lets in.
    fn tell_door(&mut self, admission: &Admission) {
        let refused = match admission.has_refused() {
            true => ", but for who is refused",
            false => "",
        };
        self.answer(&match admission.door() {
            Door::Open => format!("others are let in again, wherever they come from{refused}"),
            Door::Invited([]) => {
                String::from("only who is on the lists of the command line is let in")
            }
            Door::Invited(allowed) => {
                format!(
                    "only who is allowed is let in; by /allow: {}",
                    list(allowed)
                )
            }
            Door::Locked(_) => String::from("nobody else is let in: it is locked until /unlock"),
        });
    }
}

fn list(hosts: &[impl ToString]) -> String {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    hosts.join(", ")
}
