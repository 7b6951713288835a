//! What hubs demand of each other: to say something to one alone, to cut it off, to mute it.
//!
//! It promises: what is demanded of a member that is not here, or by a name that was another's a moment
//! ago, is answered, so that the operator who demanded it knows; an answer is never answered.

use std::time::Instant;

use crate::engine::bus::NotAsked;
pub(in crate::hub) use crate::engine::bus::What as Demand;
use crate::engine::bus::Whom;
use crate::engine::escape::push_escaped;
use crate::engine::handover::Asking;
use crate::engine::record::Who;
use crate::engine::room::Called;
use crate::engine::room::OPERATOR;
use crate::hub::news::Topic;
use crate::hub::peers::Kick;
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
    Kicked(String),
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
                Demand::Kick(reason) => Wanted::Kicked(reason.into()),
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
            (Ok(number), _) => self.room.find(*number).into(),
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
                let line = format!("{text}\n");
                self.record_of(key, |records, who| {
                    records.remote_told(&hub, who, line.as_bytes());
                });
                format!("hub {hub} said something to {who} alone")
            }
            Wanted::Kicked(_) | Wanted::Muted(_) if !trusts => {
                let what = match what {
                    Wanted::Kicked(_) => "cut off",
                    Wanted::Muted(false) => "heard again",
                    _ => "muted",
                };
                format!("hub {hub} wants {who} to be {what}, which was not done (--bus-trust)")
            }
            Wanted::Kicked(reason) => {
                self.kick(key, Kick::by_hub(&hub, &reason), now);
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
        let own = self.link.as_ref().map(|link| link.name().to_string());
        let operator = Who {
            number: OPERATOR,
            addr: &own.unwrap_or_default(),
            name: None,
        };
        let line = format!("{text}\n");
        self.record(|records| records.remote_told(hub, operator, line.as_bytes()));
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
        if let Some(link) = self.link.as_mut().filter(|link| link.room_for(None) > 0) {
            let whom = match whom {
                Ok(number) => Whom::Number(*number),
                Err(name) => Whom::Name(name),
            };
            // It is wanted by nobody if the hub is gone.
            let _ = link.ask(hub, whom, why);
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
        let (hub, whom) = parse(address)?;
        if hub.is_empty() {
            return Some(format!("{address} names no hub: /who lists the others"));
        }
        let is_operator = whom == Whom::Number(OPERATOR);
        if is_operator && matches!(what, Demand::Kick(_)) {
            let told =
                format!("the operator of {hub} stays: /mute @{hub} hides what is said there");
            return Some(told);
        }
        let no_hub = || format!("no other hub is called {hub}: /who lists them");
        // Here it is obeyed, whatever is done there.
        let here = match (whom, what) {
            (Whom::Number(number), Demand::Mute | Demand::Unmute) => {
                let on = what == Demand::Mute;
                let Some(was_muted) = link.mute(hub, number, on) else {
                    return Some(no_hub());
                };
                let who = match is_operator {
                    true => format!("the operator of {hub}"),
                    false => address.into(),
                };
                let told = match (was_muted, on) {
                    (false, true) => format!("{who} is neither shown nor relayed here now"),
                    (true, true) => format!("{who} was muted here before"),
                    (true, false) => format!("{who} is heard here again"),
                    (false, false) => format!("{who} was not muted here"),
                };
                if is_operator {
                    // There they hear whom they want.
                    return Some(told);
                }
                Some(told)
            }
            _ => None,
        };
        Some(match (link.ask(hub, whom, what), here) {
            (Ok(()), Some(here)) => format!("{here}, and {hub} is asked the same"),
            (Err(NotAsked::Away), Some(here)) => {
                format!("{here}; the bus is away: {hub} was not asked the same")
            }
            (Err(NotAsked::Away), None) => {
                String::from("the bus is away: nothing was done, and nothing waits for it")
            }
            (Err(NotAsked::NoHub), _) => no_hub(),
            (Err(NotAsked::NoName), _) => {
                format!("{address} has no name that anybody can have: nothing was done")
            }
            (Ok(()), None) => match what {
                Demand::Tell(text) => {
                    let (number, name) = match whom {
                        Whom::Number(number) => (number, None),
                        Whom::Name(name) => (0, Some(name)),
                    };
                    let who = Who {
                        number,
                        addr: &hub,
                        name,
                    };
                    let line = format!("{text}\n");
                    self.record(|records| records.told_remote(who, line.as_bytes()));
                    String::new()
                }
                Demand::Kick(_) => {
                    format!("{hub} is asked to cut {address} off (its --bus-trust decides)")
                }
                _ => format!(
                    "{hub} is asked for that (its --bus-trust decides); by number it is done here, too"
                ),
            },
        })
    }

    /// Whether another hub is called that.
    pub(in crate::hub) fn is_other_hub(&self, name: &str) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.hubs().any(|hub| hub.name == name))
    }
}

/// The hub and the speaker that are meant by an address.
fn parse(address: &str) -> Option<(&str, Whom<'_>)> {
    match (address.split_once('/'), address.split_once('@')) {
        (Some((hub, number)), None) => Some((hub, Whom::Number(number.parse().ok()?))),
        (None, Some(("", hub))) => Some((hub, Whom::Number(OPERATOR))),
        (None, Some((name, hub))) => Some((hub, Whom::Name(name))),
        _ => None,
    }
}

/// The address of a speaker at another hub, by its number.
pub(super) fn address(hub: &str, number: u32) -> String {
    match number {
        OPERATOR => format!("@{hub}"),
        number => format!("{hub}/{number}"),
    }
}
