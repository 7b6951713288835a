//! The class beyond this hub: lines of other hubs enter the room, and their coming and going is
//! told.
//!
//! It promises: lines of this room go to the bus whole and once, and lines of other hubs never go
//! back; a hub that comes or vanishes is one notice, however many members it has; another hub can
//! only speak here, except with `--bus-trust`.

mod demands;

use std::io;
use std::time::Instant;

use self::demands::Asked;
pub(in crate::hub) use self::demands::Demand;
use self::demands::address;
use super::Peers;
use crate::engine::bus::Event;
use crate::engine::record::Who;
use crate::engine::room::OPERATOR;
use crate::engine::room::Remote;
use crate::engine::room::Room;
use crate::hub::link::Link;
use crate::hub::news::Topic;
use crate::io::conn::Conn;
use crate::io::device::Device;
use crate::io::error::Error;
use crate::io::readiness;
use crate::io::record::Records;
use crate::io::stream::Stream;

impl<S: Stream, D: Device> Peers<S, D> {
    /// This hub is a part of a class over several. To be called before the first member joins.
    pub(in crate::hub) fn join_class(&mut self, link: Link<S>) {
        self.room.join_class();
        self.link = Some(Box::new(link));
    }

    /// Takes note of an event of the bus.
    pub(in crate::hub) fn collect_bus(&mut self, event: readiness::Event) {
        if let Some(link) = &mut self.link {
            link.collect(event);
        }
    }

    /// Hears the other hubs and is heard by them, as far as the room takes what they say.
    ///
    /// # Errors
    /// The hub cannot be a part of the class, and never was.
    pub(in crate::hub) fn serve_class(
        &mut self,
        register: impl FnOnce(&mut Conn<S>) -> io::Result<()>,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), Error> {
        let here = self.room.here();
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        link.receive(here, register, buffer, now)?;
        let mut asked = Vec::new();
        self.hear_class(&mut asked, now);
        asked
            .into_iter()
            .for_each(|asked| self.answer_hub(asked, now));
        match &mut self.link {
            Some(link) => link.send(now),
            None => Ok(()),
        }
    }

    fn hear_class(&mut self, asked: &mut Vec<Asked>, now: Instant) {
        let Some(link) = &mut self.link else {
            return;
        };
        let (own, class) = (String::from(link.name()), String::from(link.class()));
        // Members are told that nothing follows.
        let is_over = self.half_closing;
        let (room, news, records) = (&mut self.room, &mut self.news, &mut self.records);
        loop {
            let takes_lines = !is_over && takes_lines(room, records.as_deref());
            let Some(event) = link.take(takes_lines, now) else {
                break;
            };
            let told = match event {
                Event::Said {
                    speaker,
                    line,
                    is_muted,
                } => {
                    let remote = remote(speaker);
                    if !is_muted {
                        room.remote(&remote, line, now);
                    }
                    if let Some(records) = records {
                        let who = (!remote.is_operator()).then_some(Who {
                            number: remote.number,
                            addr: &remote.hub,
                            name: remote.name,
                        });
                        records.remote(remote.hub, who, line);
                        let screen = room.screen_mut();
                        records.take_for_stdout(|text| screen.record(text));
                    }
                    continue;
                }
                Event::Asked { hub, whom, what } => {
                    asked.push(Asked::new(hub, whom, what));
                    continue;
                }
                Event::Up => (
                    Topic::Hubs,
                    format!("this hub is {own} of class {class} now"),
                ),
                Event::Came { hub, here } => {
                    (Topic::Hubs, format!("hub {hub} came ({here} there)"))
                }
                Event::Gone { hub, here, clean } => {
                    let how = if clean { "left" } else { "is heard no more" };
                    (Topic::Hubs, format!("hub {hub} {how} ({here} there)"))
                }
                Event::Unsent { number, lines } => {
                    let who = match number {
                        OPERATOR => String::from("yours"),
                        number => format!("[{number}]"),
                    };
                    let lines = counted(lines, "line");
                    let why = "more waited for the bus than it keeps (--bus-buffer)";
                    let told = format!("{lines} of {who} did not go to the other hubs: {why}");
                    (Topic::Bus, told)
                }
                Event::Withdrawn { count } => {
                    let what = counted(count, "command");
                    let told = format!(
                        "{what} for other hubs may not have got there, and will not: it would come late"
                    );
                    (Topic::Bus, told)
                }
                Event::Missing {
                    hub,
                    speaker,
                    lines,
                } => {
                    let lines = counted(lines, "line");
                    let told = match speaker {
                        Some(speaker) => {
                            format!("{lines} of {} did not come here", remote(speaker))
                        }
                        None => format!("{lines} of hub {hub} did not come here"),
                    };
                    (Topic::Bus, told)
                }
                Event::Stranger { text, count } => {
                    let more = match count {
                        1 => String::new(),
                        count => format!(" (and {} more)", count - 1),
                    };
                    (Topic::Bus, format!("[a stranger on the bus] {text}{more}"))
                }
                Event::AtMostOnce => (
                    Topic::Bus,
                    String::from(
                        "the server of the bus keeps nothing (it has no JetStream): lines between \
                         hubs may be lost, which is counted",
                    ),
                ),
                Event::OneServer => (
                    Topic::Bus,
                    String::from(
                        "the cluster of the bus keeps what is said on one server: it could not on three",
                    ),
                ),
                Event::NameHeld { left } => (
                    Topic::Bus,
                    format!(
                        "another hub is called {own}, or was until a moment ago: waiting {} s \
                         whether it is gone",
                        left.as_secs_f64().ceil()
                    ),
                ),
                Event::Away { why } => (
                    Topic::Bus,
                    format!(
                        "the bus is away: {why}; the class here goes on, and the others get it later"
                    ),
                ),
                Event::StillAway { why, waiting } => {
                    let lines = counted(waiting.lines, "line");
                    let size = waiting.bytes as f64 / f64::from(1 << 20);
                    let wait = format!("{lines} ({size:.1} MiB) wait for it");
                    (Topic::Bus, format!("the bus is still away: {why}; {wait}"))
                }
                Event::Back { late } => {
                    let late = match late {
                        0 => String::new(),
                        late => format!(": the others get {} late", counted(late, "line")),
                    };
                    (Topic::Bus, format!("the bus is back{late}"))
                }
            };
            let (topic, told) = told;
            if let Some(permit) = news.ask(topic, now) {
                permit.say(told);
            }
        }
    }

    /// How many other hubs are there. None: there can be none.
    pub(in crate::hub) fn other_hubs(&self) -> Option<usize> {
        Some(self.link.as_ref()?.hubs().count())
    }

    /// The other hubs, as `/who` lists them.
    pub(in crate::hub) fn hubs(&self, now: Instant) -> Vec<String> {
        let Some(link) = &self.link else {
            return Vec::new();
        };
        let mut told: Vec<String> = link
            .hubs()
            .map(|hub| {
                let ago = now.saturating_duration_since(hub.heard).as_secs();
                let mut told = format!("hub {}: {} there, heard {ago}s ago", hub.name, hub.here);
                for (at, number) in hub.muted.iter().enumerate() {
                    told.push_str(if at == 0 { "; muted here: " } else { ", " });
                    told.push_str(&address(hub.name, *number));
                }
                told
            })
            .collect();
        if told.is_empty() {
            told.push(String::from("no other hub is there"));
        }
        told
    }

    /// This hub says nothing more: the other hubs get the lines that wait, and the word that this
    /// hub ends.
    pub(in crate::hub) fn leave_class(&mut self) {
        if let Some(link) = &mut self.link {
            link.bye();
        }
    }

    /// Lines that the other hubs were to hear and are not known to have.
    pub(in crate::hub) fn unheard_by_class(&self) -> Option<u64> {
        let link = self.link.as_ref().filter(|link| !link.is_flushed())?;
        Some(link.waiting().0)
    }

    /// How much input from a file or a pipe need not wait for the bus. Typed lines never do.
    pub(super) fn class_takes_input(&self) -> usize {
        let link = self.link.as_ref().filter(|_| !self.room.is_typed());
        link.map_or(usize::MAX, |link| link.room_for(Some(OPERATOR)))
    }

    /// The same of a member.
    pub(super) fn class_takes(&self, key: usize) -> usize {
        let (Some(link), Some(member)) = (&self.link, self.room.member(key)) else {
            return usize::MAX;
        };
        link.room_for(Some(member.account.number))
    }

    /// Whether there is something to do at once for the bus.
    pub(super) fn is_class_ready(&self) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| {
            link.is_ready(!self.half_closing && takes_lines(&self.room, self.records.as_deref()))
        })
    }

    /// When there is something to do for the bus, if nothing happens before.
    pub(in crate::hub) fn class_deadline(&self) -> Option<Instant> {
        self.link.as_ref()?.deadline()
    }
}

/// Whether what other hubs say can be taken now.
fn takes_lines<D: Device>(room: &Room, records: Option<&Records<D>>) -> bool {
    room.takes_remote() && !records.is_some_and(Records::is_spent)
}

/// As the room calls it.
fn remote(speaker: crate::engine::bus::Remote<'_>) -> Remote<'_> {
    Remote {
        hub: speaker.hub,
        number: speaker.number,
        name: speaker.name,
    }
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
