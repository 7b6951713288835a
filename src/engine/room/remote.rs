//! Speakers of other hubs: what they say enters the room whole, as any speaker's.
//!
//! The class is more than this room then. So no member is alone here: a line is shown when it ends,
//! and the operator's input is cut into lines too, and is read also while no member is here.
//! Everybody hears what other hubs' operators say; what their members say the operator sees, and
//! all members where they hear each other.
//!
//! It promises: each line of another hub is told whole, under a label that no member can imitate,
//! since no name has an `@` or a `/` in it; lines of other hubs are not in the minutes, so they are
//! never sent back.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write;
use std::time::Instant;

use super::OPERATOR;
use super::Room;
use crate::engine::chat::Composed;
use crate::engine::chat::Speech;
use crate::engine::chat::private_label;
use crate::engine::request::Request;
use crate::engine::request::request;

/// Numbers from here on belong to speakers of other hubs, for code that tells speakers apart by
/// number.
const FIRST: u32 = 1 << 31;

/// What stands before the name of a hub whose operator speaks in a chat. No name of a member has it.
const SIGN: &str = "@";

/// So many of them are told apart; then all of them get new numbers.
const MOST: usize = 64 * 1024;

/// A speaker at another hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote<'a> {
    /// The hub.
    pub hub: &'a str,
    /// Its number there; the operator's is [`OPERATOR`].
    pub number: u32,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
}

impl Remote<'_> {
    /// Whether it is the operator of that hub.
    pub fn is_operator(&self) -> bool {
        self.number == OPERATOR
    }
}

/// As it stands in labels: `room2` (in a chat `@room2`), `Ana@room2` or `room2/3`.
impl fmt::Display for Remote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.number, self.name) {
            (OPERATOR, _) => f.write_str(self.hub),
            (_, Some(name)) => write!(f, "{name}@{}", self.hub),
            (number, None) => write!(f, "{}/{number}", self.hub),
        }
    }
}

/// The speakers of other hubs that were heard.
#[derive(Debug, Default)]
pub(super) struct Remotes {
    numbers: BTreeMap<String, u32>,
    given: u32,
    /// Here so that their memory is reused.
    key: String,
    composed: Composed,
}

impl Remotes {
    /// What tells this speaker from all others, here and elsewhere.
    fn number(&mut self, remote: &Remote<'_>) -> u32 {
        self.key.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.key, "{}/{}", remote.hub, remote.number);
        if let Some(number) = self.numbers.get(&self.key) {
            return *number;
        }
        if self.numbers.len() >= MOST {
            self.numbers.clear();
        }
        let number = FIRST | self.given;
        self.given = (self.given + 1) % FIRST;
        self.numbers.insert(self.key.clone(), number);
        number
    }
}

impl Room {
    /// The room is a part of a class over several hubs. To be called before the first member joins.
    pub fn join_class(&mut self) {
        debug_assert!(self.members.is_empty());
        self.remotes = Some(Box::default());
        // The room does not wait for members that are not here yet: the other hubs hear what is
        // said.
        self.trial.waive();
        self.keep_minutes();
        self.minutes_of_operator = true;
    }

    /// Whether the class is more than this room.
    pub fn is_of_class(&self) -> bool {
        self.remotes.is_some()
    }

    /// Whether what other hubs say is wanted now.
    pub fn takes_remote(&self) -> bool {
        self.backpressure.is_none() && !self.screen.is_full()
    }

    /// A speaker at another hub said a line, or a piece of one that is too long, without its end.
    pub fn remote(&mut self, remote: &Remote<'_>, line: &[u8], now: Instant) {
        let Some(mut remotes) = self.remotes.take() else {
            return;
        };
        let number = remotes.number(remote);
        let before = self.journal.end();
        match self.is_chat() {
            true => self.remote_chats(remote, number, line, &mut remotes.composed),
            false => {
                self.show_remote(remote, number, line);
                if remote.is_operator() || self.policy.relay {
                    self.glue.append(&mut self.journal, number, line);
                    self.skip_glue();
                }
            }
        }
        if remote.is_operator() {
            // It may be a file, in which everybody waits for the slowest on purpose.
            self.journal.note_bulk(before);
        }
        self.remotes = Some(remotes);
        self.update_backpressure(now);
    }

    /// The operator of another hub said a text to one member alone. False: that is gone, and is told nothing.
    ///
    /// # Panics
    /// If there is no member of that key.
    #[must_use]
    pub fn remote_tells(&mut self, key: usize, hub: &str, text: &str) -> bool {
        if !self.can_hear(key) {
            return false;
        }
        let mut composed = Composed::default();
        compose(text.as_bytes(), &mut composed);
        let label = match self.is_chat() {
            true => [&self.stamp, &*private_label(&format!("{SIGN}{hub}"))].concat(),
            false => String::new(),
        };
        let line_end = self.line_end();
        let mut told = String::new();
        for line in composed.lines() {
            let text = line.text.strip_suffix('\n').unwrap_or(line.text);
            [&label, text, line_end]
                .into_iter()
                .for_each(|part| told.push_str(part));
        }
        let cursor = &mut self.members[key].cursor;
        self.journal.insert(cursor, told.as_bytes());
        true
    }

    /// The operator of another hub said a text to ours alone. False: what is shown here is a stream of what
    /// all say, to which it does not belong.
    pub fn remote_tells_operator(&mut self, hub: &str, text: &str) -> bool {
        let Some(mut remotes) = self.remotes.take() else {
            return false;
        };
        let is_shown = self.is_chat() || !self.policy.surface.is_stream();
        if is_shown {
            let remote = Remote {
                hub,
                number: OPERATOR,
                name: None,
            };
            let number = remotes.number(&remote);
            let composed = &mut remotes.composed;
            composed.clear();
            compose(text.as_bytes(), composed);
            for said in composed.lines() {
                let text = said.text.strip_suffix('\n').unwrap_or(said.text);
                let from = match self.is_chat() {
                    true => private_label(&format!("{SIGN}{hub}")),
                    false => format!("[{hub}, to you alone] "),
                };
                self.label = [&*self.stamp, &*from].concat();
                self.show_line_of(number, &format!("{text}\n"));
            }
        }
        self.remotes = Some(remotes);
        is_shown
    }

    fn show_remote(&mut self, remote: &Remote<'_>, number: u32, line: &[u8]) {
        self.label.clear();
        if !self.policy.surface.is_stream() {
            let (on, off) = self.policy.mark_of(number);
            let stamp = &self.stamp;
            // A number is a member's label.
            let is_number = remote.hub.bytes().all(|byte| byte.is_ascii_digit());
            let sign = if remote.is_operator() && is_number {
                SIGN
            } else {
                ""
            };
            let _ = write!(self.label, "{on}{stamp}[{sign}{remote}]{off} ");
        }
        self.screen.show(number, &self.label, line);
        self.screen.end_piece(number, &self.label);
    }

    fn remote_chats(
        &mut self,
        remote: &Remote<'_>,
        number: u32,
        line: &[u8],
        composed: &mut Composed,
    ) {
        composed.clear();
        compose(line, composed);
        let heard = remote.is_operator() || self.policy.relay;
        let line_end = self.line_end();
        for said in composed.lines() {
            let text = said.text.strip_suffix('\n').unwrap_or(said.text);
            self.line.clear();
            let _ = match request(text) {
                Some(Request::Me(what)) if !remote.is_operator() => write!(self.line, "*{what}*"),
                _ => write!(self.line, "{text}"),
            };
            self.label.clear();
            // A member may have the name of a hub.
            let sign = if remote.is_operator() { SIGN } else { "" };
            let _ = write!(self.label, "{}<{sign}{remote}> ", self.stamp);
            if heard {
                for part in [&*self.label, &*self.line, line_end] {
                    self.journal.append(part.as_bytes());
                }
            }
            self.line.push('\n');
            let shown = std::mem::take(&mut self.line);
            self.show_line_of(number, &shown);
            self.line = shown;
        }
    }
}

/// Takes in a whole text, or a piece of a line.
fn compose(text: &[u8], composed: &mut Composed) {
    let (mut lines, mut escaper) = Default::default();
    for step in [Speech::Bytes(text), Speech::End] {
        composed.take_in(&mut lines, &mut escaper, step);
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;
    use crate::engine::chat::Chat;
    use crate::engine::chat::Rules;
    use crate::engine::names::is_name;
    use crate::engine::room::Label;
    use crate::engine::room::Minute;
    use crate::engine::room::Policy;
    use crate::engine::screen::Surface;

    const OTHERS: Remote<'_> = Remote {
        hub: "room2",
        number: 0,
        name: None,
    };
    const THIRD: Remote<'_> = Remote {
        number: 3,
        ..OTHERS
    };
    const ANA: Remote<'_> = Remote {
        name: Some("Ana"),
        ..THIRD
    };

    fn room(policy: Policy, is_chat: bool) -> (Room, Instant) {
        let now = Instant::now();
        let mut room = Room::new(policy);
        if is_chat {
            room.open_chat(Chat::new(Rules::of("host"), false));
        }
        room.join_class();
        room.join(0, now);
        (room, now)
    }

    fn hear(room: &mut Room, key: usize, now: Instant) -> String {
        let mut heard = Vec::new();
        while room.owed(key) > 0 {
            room.flush(key, now, |slices: &[IoSlice<'_>]| {
                heard.extend(slices.iter().flat_map(|slice| slice.to_vec()));
                Ok(slices.iter().map(|slice| slice.len()).sum())
            })
            .unwrap();
        }
        String::from_utf8(heard).unwrap()
    }

    fn shown(room: &mut Room) -> String {
        let mut shown = Vec::new();
        while !room.screen().is_empty() {
            let front = room.screen().front().to_vec();
            room.screen_mut().consume(front.len());
            shown.extend(front);
        }
        // At a terminal a mark stands where a line begins.
        shown.retain(|byte| *byte == b'\n' || *byte >= b' ');
        String::from_utf8(shown).unwrap()
    }

    fn said(room: &mut Room) -> Vec<(u32, String)> {
        let mut said = Vec::new();
        room.take_minutes(|_, number, _, minute| match minute {
            Minute::Said(bytes) => said.push((number, String::from_utf8_lossy(bytes).into())),
            Minute::Muted(_) | Minute::Asked(_) => {}
        });
        said
    }

    const SEEN: Policy = Policy {
        surface: Surface::Terminal,
        label: Label::Always,
        ..Policy::PLAIN
    };

    #[test]
    fn operators_are_heard_by_all_and_members_as_those_here() {
        for relay in [false, true] {
            let (mut room, now) = room(Policy { relay, ..SEEN }, false);
            room.remote(&OTHERS, b"welcome\n", now);
            room.remote(&THIRD, b"what?\n", now);
            room.remote(&ANA, b"yes\n", now);
            let heard = if relay {
                "welcome\nwhat?\nyes\n"
            } else {
                "welcome\n"
            };
            assert_eq!(hear(&mut room, 0, now), heard);
            let screen = "[room2] welcome\n[room2/3] what?\n[Ana@room2] yes\n";
            assert_eq!(shown(&mut room), screen);
            assert_eq!(said(&mut room), [], "it is not said to the others again");
        }
    }

    /// A hub may be called by the number of a room.
    #[test]
    fn no_hub_is_labelled_as_a_member() {
        let (mut room, now) = room(SEEN, false);
        let (second, third) = (Remote { hub: "2", ..OTHERS }, Remote { hub: "2", ..THIRD });
        room.remote(&second, b"welcome\n", now);
        room.remote(&third, b"what?\n", now);
        assert_eq!(shown(&mut room), "[@2] welcome\n[2/3] what?\n");
    }

    #[test]
    fn in_a_chat_each_line_is_under_who_said_it_and_does_nothing() {
        let (mut room, now) = room(
            Policy {
                relay: true,
                ..SEEN
            },
            true,
        );
        room.remote(&OTHERS, b"welcome\n", now);
        room.remote(&ANA, b"a\x1b[2Jb\n", now);
        room.remote(&THIRD, b"no end, and not \xff text", now);
        room.remote(&ANA, b"/me waves\n", now);
        let heard = hear(&mut room, 0, now);
        assert_eq!(
            heard.replace("\u{fffd}", "?").lines().collect::<Vec<_>>()[..2],
            ["<@room2> welcome", "<Ana@room2> a^[[2Jb"]
        );
        assert!(heard.contains("\n<room2/3> no end"), "{heard}");
        // No member can have a name that looks like one of these.
        for name in ["@room2", "Ana@room2", "room2/3"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(heard.ends_with("\n<Ana@room2> *waves*\n"), "{heard}");
        assert_eq!(shown(&mut room), heard);
    }

    #[test]
    fn what_an_operator_says_to_another_is_shown_and_said_to_nobody() {
        for is_chat in [false, true] {
            let (mut room, now) = room(
                Policy {
                    relay: true,
                    ..SEEN
                },
                is_chat,
            );
            assert!(room.remote_tells_operator("room2", "psst\x1b[2J"));
            let label = match is_chat {
                true => "<@room2, to you alone>",
                false => "[room2, to you alone]",
            };
            assert_eq!(shown(&mut room), format!("{label} psst^[[2J\n"));
            assert_eq!(hear(&mut room, 0, now), "");
        }
        let (mut room, _) = room(Policy::PLAIN, false);
        assert!(!room.remote_tells_operator("room2", "psst"));
        assert_eq!(shown(&mut room), "");
    }

    #[test]
    fn what_is_said_here_is_in_the_minutes_in_whole_lines_but_of_who_is_muted() {
        let (mut room, now) = room(SEEN, false);
        room.typed(b"to a", now);
        assert_eq!(hear(&mut room, 0, now), "");
        room.typed(b"ll\nand", now);
        room.heard(0, b"half ", now);
        assert_eq!(shown(&mut room), "", "nobody is alone in a class");
        room.heard(0, b"a line\n", now);
        room.mute(0, true, now);
        room.heard(0, b"unheard\n", now);
        room.typed_end(now);
        assert_eq!(
            said(&mut room),
            [
                (0, "to all\n".into()),
                (1, "half a line\n".into()),
                (0, "and".into())
            ]
        );
        assert_eq!(shown(&mut room), "[1] half a line\n");
    }

    #[test]
    fn a_slow_member_makes_the_others_wait_and_lines_that_are_too_long_do_not_mix() {
        let (mut room, now) = room(
            Policy {
                relay: true,
                ..Policy::PLAIN
            },
            false,
        );
        room.remote(&ANA, b"a long ", now);
        room.remote(&OTHERS, b"short\n", now);
        room.remote(&ANA, b"line\n", now);
        assert_eq!(hear(&mut room, 0, now), "a long short\nline\n");
        shown(&mut room);
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let mut count = 0;
        while room.takes_remote() {
            room.remote(&OTHERS, &line, now);
            shown(&mut room);
            count += 1;
            assert!(count <= 2048);
        }
        assert!(count >= 1024, "{count}");
        assert_eq!(hear(&mut room, 0, now).len(), count * 1024);
        assert!(room.takes_remote());
    }

    #[test]
    fn at_most_so_many_are_told_apart() {
        let mut remotes = Remotes::default();
        let mut last = 0;
        for number in 1..=MOST as u32 + 1 {
            last = remotes.number(&Remote { number, ..THIRD });
        }
        assert_eq!(remotes.numbers.len(), 1);
        assert_eq!(
            last,
            remotes.number(&Remote {
                number: MOST as u32 + 1,
                ..THIRD
            })
        );
    }
}
