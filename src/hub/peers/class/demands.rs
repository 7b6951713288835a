//! What hubs demand of each other: to say something to one alone, to cut it off, to mute it.
//!
//! It promises: what is demanded of a member that is not here, or by a name that was another's a moment
//! ago, is answered, so that the operator who demanded it knows; an answer is never answered.

use std::time::Instant;

pub(in crate::hub) use crate::engine::bus::What as Demand;
use crate::engine::bus::Whom;
use crate::engine::escape::push_escaped;
use crate::engine::handover::Asking;
use crate::engine::room::Called;
use crate::engine::room::OPERATOR;
use crate::hub::news::Topic;
use crate::hub::peers::Peers;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// A request of another hub.
pub(super) struct Asked {
    hub: String,
    whom: Result<u32, String>,
    what: Wanted,
}

enum Wanted {
    Told(String),
    Kicked,
    Muted(bool),
    /// It is an answer: nothing was done.
    Nothing(Why),
}

/// Why nothing was done.
#[derive(Clone, Copy)]
enum Why {
    /// There is no such member.
    Absent,
    /// The name was another's a moment ago.
    HandedOver,
}

impl Asked {
    pub(super) fn new(hub: &str, whom: Whom<'_>, what: Demand<'_>) -> Asked {
        Asked {
            hub: hub.into(),
            whom: match whom {
                Whom::Number(number) => Ok(number),
                Whom::Name(name) => Err(name.into()),
            },
            what: match what {
                Demand::Tell(text) => Wanted::Told(text.into()),
                Demand::Kick => Wanted::Kicked,
                Demand::Mute => Wanted::Muted(true),
                Demand::Unmute => Wanted::Muted(false),
                Demand::Absent => Wanted::Nothing(Why::Absent),
                Demand::HandedOver => Wanted::Nothing(Why::HandedOver),
            },
        }
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// Does what another hub asks, if it may.
    pub(super) fn answer_hub(&mut self, asked: Asked, now: Instant) {
        let Asked { hub, whom, what } = asked;
        let called = match (&whom, &what) {
            (Ok(OPERATOR), Wanted::Told(text)) => return self.tell_operator(&hub, text, now),
            (_, Wanted::Nothing(why)) => return self.tell_nothing(&hub, &whom, *why, now),
            (Ok(number), _) => self
                .room
                .find(*number)
                .map_or(Called::Nobody, Called::Member),
            // Another hub's operator does not know to whom ours gave a name.
            (Err(name), _) => self.room.called(name, Asking::Member, now),
        };
        let key = match called {
            Called::Member(key) if self.member(key).is_some() => key,
            Called::Member(_) | Called::Nobody => {
                return self.answer_nothing(&hub, &whom, Demand::Absent);
            }
            Called::HandedOver { .. } => {
                return self.answer_nothing(&hub, &whom, Demand::HandedOver);
            }
        };
        let trusts = self.link.as_ref().is_some_and(|link| link.trusts());
        let who = self.who(key);
        let told = match what {
            Wanted::Told(text) => {
                if !self.room.remote_tells(key, &hub, &text) {
                    return self.answer_nothing(&hub, &whom, Demand::Absent);
                }
                self.queue_flush(key);
                format!("hub {hub} said something to {who} alone")
            }
            Wanted::Kicked | Wanted::Muted(_) if !trusts => {
                let what = match what {
                    Wanted::Kicked => "cut off",
                    Wanted::Muted(false) => "heard again",
                    _ => "muted",
                };
                format!("hub {hub} wants {who} to be {what}, which was not done (--bus-trust)")
            }
            Wanted::Kicked => {
                self.kick(key, format!("by {hub}"), now);
                return;
            }
            Wanted::Muted(on) => {
                self.room.mute(key, on, now);
                self.record_lines(None);
                match on {
                    true => format!("{who} is neither shown nor relayed now: {hub} wants it"),
                    false => format!("{who} is heard again: {hub} wants it"),
                }
            }
            Wanted::Nothing(_) => return,
        };
        self.tell_of_bus(told, now);
    }

    /// The operator of another hub says something to ours alone.
    fn tell_operator(&mut self, hub: &str, text: &str, now: Instant) {
        if !self.room.remote_tells_operator(hub, text) {
            let mut told = format!("[{hub}, to you alone] ");
            text.chars()
                .for_each(|letter| push_escaped(letter, &mut told));
            self.tell_of_bus(told, now);
        }
    }

    /// Answers another hub that nothing was done, unless so much waits already that it may be asked
    /// for to make more wait.
    fn answer_nothing(&mut self, hub: &str, whom: &Result<u32, String>, why: Demand<'_>) {
        if let Some(link) = self.link.as_mut().filter(|link| !link.is_congested()) {
            let whom = match whom {
                Ok(number) => Whom::Number(*number),
                Err(name) => Whom::Name(name),
            };
            link.ask(hub, whom, why);
        }
    }

    /// Another hub answers that nothing was done there.
    fn tell_nothing(&mut self, hub: &str, whom: &Result<u32, String>, why: Why, now: Instant) {
        let told = match (whom, why) {
            (Ok(number), _) => {
                format!("nobody at {hub} has number {number}: nothing was done there")
            }
            (Err(name), Why::Absent) => {
                format!("nobody at {hub} is called {name}: nothing was done there")
            }
            (Err(name), Why::HandedOver) => format!(
                "{name} at {hub} was somebody else until a moment ago: nothing was done there; a \
                 number says who is meant: {hub}/NUMBER"
            ),
        };
        self.tell_of_bus(told, now);
    }

    fn tell_of_bus(&mut self, told: String, now: Instant) {
        if let Some(permit) = self.news.ask(Topic::Bus, now) {
            permit.say(told);
        }
    }

    /// Does what the operator commands about a member of another hub, by its address: `room2/3`,
    /// `Ana@room2`, or `@room2` for its operator. Returns what is to be answered; None: that is no such
    /// address.
    pub(in crate::hub) fn ask_hub(&mut self, address: &str, what: Demand<'_>) -> Option<String> {
        let link = self.link.as_mut()?;
        let (hub, whom) = match (address.split_once('/'), address.split_once('@')) {
            (Some((hub, number)), None) => (hub, Whom::Number(number.parse().ok()?)),
            (None, Some(("", hub))) => (hub, Whom::Number(OPERATOR)),
            (None, Some((name, hub))) => (hub, Whom::Name(name)),
            _ => return None,
        };
        let is_operator = whom == Whom::Number(OPERATOR);
        if is_operator && what == Demand::Kick {
            let told =
                format!("the operator of {hub} stays: /mute @{hub} hides what is said there");
            return Some(told);
        }
        if let (Whom::Number(number), Demand::Mute | Demand::Unmute) = (whom, what) {
            // Here it is obeyed, whatever is done there.
            match what {
                Demand::Mute => link.muted.insert((hub.into(), number)),
                _ => link.muted.remove(&(String::from(hub), number)),
            };
        }
        let is_there = match what {
            // There they hear whom they want.
            Demand::Mute | Demand::Unmute if is_operator => {
                link.hubs().any(|other| other.name == hub)
            }
            _ => link.ask(hub, whom, what),
        };
        if !is_there {
            return Some(format!("no other hub is called {hub}: /who lists them"));
        }
        Some(match what {
            Demand::Tell(_) => return Some(String::new()),
            Demand::Kick => {
                format!("{hub} is asked to cut {address} off (its --bus-trust decides)")
            }
            Demand::Mute if is_operator => {
                format!("the operator of {hub} is neither shown nor relayed here now")
            }
            Demand::Unmute if is_operator => format!("the operator of {hub} is heard here again"),
            Demand::Mute if matches!(whom, Whom::Number(_)) => {
                format!(
                    "{address} is neither shown nor relayed here now, and {hub} is asked the same"
                )
            }
            Demand::Unmute if matches!(whom, Whom::Number(_)) => {
                format!("{address} is heard here again, and {hub} is asked the same")
            }
            Demand::Absent | Demand::HandedOver => return None,
            Demand::Mute | Demand::Unmute => {
                format!(
                    "{hub} is asked for that (its --bus-trust decides); by number it is done here, too"
                )
            }
        })
    }

    /// Whether another hub is called that.
    pub(in crate::hub) fn is_other_hub(&self, name: &str) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.hubs().any(|hub| hub.name == name))
    }
}
