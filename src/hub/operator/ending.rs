//! The end of the operator's input: when it is the end of the class, and what the operator is told of it;
//! and what an input comes to that has none, since it cannot be read on.
//!
//! It promises: one Ctrl-D at a console does not cut off members, nor give up what waits for the
//! first to join; a part of an input is not taken for the whole.

use std::time::Duration;
use std::time::Instant;

use super::Operator;
use super::State;
use crate::engine::room::Presence;
use crate::hub::peers::Peers;
use crate::hub::transfer::Transfer;
use crate::io::device::Device;
use crate::io::error::why;
use crate::io::stream::Stream;

/// So many of the members that the hub waits for are told by name.
const NAMED: usize = 10;

/// What the operator is told whose input ends where nothing ends with it.
const ON_WITHOUT_YOU: &str =
    "you say no more, and have no commands; the hub serves on (--keep-open) until Ctrl-C";

impl<D: Device> Operator<D> {
    /// Ends what is at its end.
    pub(super) fn end_if_over<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        now: Instant,
    ) {
        if self.state == State::Ended && self.is_given_up(peers, transfer) {
            self.waiting.give_up();
        }
        if self.state == State::Ended && self.waiting.is_empty() {
            peers.typed_end(now);
            self.state = State::Said;
        }
        if self.state == State::Said && self.ends(peers, transfer) {
            self.end(peers, transfer, now);
        }
    }

    /// Whether words that no member has heard, or that wait for more of them, will be lost. At a console the
    /// operator was told so at the first Ctrl-D, and pressed it again. Without a console they wait for newcomers,
    /// and always with `--keep-open`, which nothing ends.
    fn is_given_up<S: Stream>(&self, peers: &Peers<S, D>, transfer: &Transfer) -> bool {
        let waits = peers.room.is_empty() || transfer.is_waiting(peers);
        self.console().is_some() && !self.manner.keeps_open && waits
    }

    /// Whether there is something to be ended.
    pub(super) fn ends<S: Stream>(&self, peers: &Peers<S, D>, transfer: &Transfer) -> bool {
        match self.state {
            State::Ended => self.waiting.is_empty() || self.is_given_up(peers, transfer),
            State::Said => {
                let awaits = transfer.may_be_empty() && transfer.is_waiting(peers);
                self.is_given_up(peers, transfer) || !(awaits || peers.room.is_unheard())
            }
            _ => false,
        }
    }

    /// The input is over. One that was empty from the start only means that there is no keyboard, unless
    /// it is a transfer; otherwise the class ends when everything is delivered.
    fn end<S: Stream>(&mut self, peers: &mut Peers<S, D>, transfer: &Transfer, now: Instant) {
        let has_end = self.spoke || self.is_typed() || transfer.may_be_empty();
        peers.say_no_more(now);
        self.state = match !self.manner.keeps_open && has_end {
            true => State::Finished(now),
            false => State::Silent,
        };
        if let State::Finished(_) = self.state {
            self.tell_who_is_waited_for(peers);
        }
    }

    /// The input cannot be read on. Where the class was to read its end, it reads a break instead, and
    /// the hub ends; else the hub serves on without, as if there were no keyboard.
    pub(super) fn break_off<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        now: Instant,
    ) {
        let ends = !self.manner.keeps_open && (self.spoke || transfer.is_whole());
        if ends {
            self.state = State::BrokenOff;
            return peers.break_promise();
        }
        if let Some(error) = &self.failure {
            log::warn!("read from stdin: {}; serving without", why(error));
        }
        self.state = State::Silent;
        if self.spoke {
            peers.break_off();
        }
        peers.say_no_more(now);
    }

    /// Ctrl-D on an empty line: the end, if no member would be cut off by mistake.
    pub(super) fn ask_to_end<S: Stream>(&mut self, peers: &Peers<S, D>, transfer: &Transfer) {
        let here = peers.room.here();
        let is_unheard = here == 0 && peers.room.is_unheard();
        let keeps_open = self.manner.keeps_open;
        let unsaid = self.never_said();
        if !self.asked_to_end && !keeps_open && (here > 0 || unsaid.is_some() || is_unheard) {
            self.asked_to_end = true;
            let lost = match (here, unsaid) {
                (0, None) => String::from("what was said was read by nobody"),
                (0, Some(unsaid)) => unsaid,
                (_, Some(unsaid)) if transfer.is_waiting(peers) => {
                    format!("{}: {unsaid}", transfer.here(peers, &[]))
                }
                (1, _) => String::from("1 participant is here"),
                (here, _) => format!("{here} participants are here"),
            };
            return self.answer(&format!(
                "{lost}: Ctrl-D again ends the class (so does Ctrl-C)"
            ));
        }
        // It is the end when all that waits was said.
        self.state = State::Ended;
        if keeps_open {
            self.answer(ON_WITHOUT_YOU);
        }
        if let Some(console) = self.console_mut() {
            console.stdin_mut().end();
        }
    }

    /// The input of a terminal without a console ended: what happens to the lines that wait.
    pub(super) fn tell_end<S: Stream>(&mut self, peers: &Peers<S, D>, transfer: &Transfer) {
        if self.manner.keeps_open {
            return self.answer(ON_WITHOUT_YOU);
        }
        let waits = !self.waiting.is_empty() || peers.room.is_unheard();
        if transfer.is_waiting(peers) && waits {
            let here = transfer.here(peers, &[]);
            self.answer(&format!(
                "{here}: what waits is said when all are; then the class ends (Ctrl-C: now)"
            ));
        } else if peers.room.is_empty() && waits {
            self.answer("the first to join gets what waits; then the class ends (Ctrl-C: now)");
        }
    }

    fn tell_who_is_waited_for<S: Stream>(&mut self, peers: &Peers<S, D>) {
        log::info!("end of input: nobody else is let in");
        if let Some(waiting) = waiting_until(peers, self.manner.quit_after) {
            self.answer(&format!("no more is said; {waiting}"));
        }
    }
}

/// For whom the hub waits, if for any member, or for stdout; no longer than for `most`.
pub(in crate::hub) fn waiting_until<S: Stream, D: Device>(
    peers: &Peers<S, D>,
    most: Option<Duration>,
) -> Option<String> {
    let here = peers.room.here();
    if here == 0 {
        let is_stuck = peers.room.screen().waiting() > 0;
        return is_stuck
            .then(|| String::from("waiting until stdout takes the rest (Ctrl-C ends it now)"));
    }
    let members = peers.room.by_number();
    let members = members.iter().map(|(_, member)| member);
    let names: Vec<String> = members
        .filter(|member| member.presence() != Presence::Gone)
        .take(NAMED)
        .map(|member| match member.account.name() {
            Some(name) => format!("[{}] {name}", member.account.number),
            None => format!("[{}]", member.account.number),
        })
        .collect();
    let leave = match here {
        1 => "leaves",
        _ if here > names.len() => "… leave",
        _ => "leave",
    };
    let names = names.join(", ");
    let most = most.map_or_else(String::new, |most| format!(", {most:?} at most"));
    Some(format!(
        "waiting until {names} {leave}{most} (Ctrl-C ends it now)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::peers::fake;

    #[test]
    fn who_is_gone_is_not_waited_for() {
        let now = Instant::now();
        let mut peers = fake::relaying();
        let (_, keys) = fake::join::<3>(&mut peers, now);
        peers.room.depart(keys[0], now);
        let waiting = |peers: &Peers<_>| waiting_until(peers, None).unwrap_or_default();
        assert!(waiting(&peers).starts_with("waiting until [2], [3] leave ("));
        let bounded = waiting_until(&peers, Some(Duration::from_millis(1500)));
        let told = "waiting until [2], [3] leave, 1.5s at most (Ctrl-C ends it now)";
        assert_eq!(bounded.as_deref(), Some(told));
        peers.room.heard(keys[1], b"one\n", now);
        for key in keys {
            peers.room.leave(key, now);
        }
        assert!(waiting(&peers).starts_with("waiting until stdout takes the rest ("));
    }
}
