//! The requests of a chat's participants, and the answers to them.
//!
//! Answers, and what is said to one alone, go into one member's stream and no other. So there is the one
//! account for both that there is for everything which a member can make the room hold: see
//! [`ANSWERS`](super::super::backpressure::ANSWERS).
//!
//! It promises: a private line is in its receiver's stream and no other, and its sender is told
//! whether it went there; the operator is told who said it and to whom, and the text only with
//! `--open-messages`.

use std::fmt::Display;
use std::fmt::Write;
use std::time::Instant;

use super::Room;
use crate::engine::chat::private_label;
use crate::engine::handover::Asking;
use crate::engine::handover::TIME;
use crate::engine::names::MAX_NAME;
use crate::engine::names::NameError;
use crate::engine::names::Owner;
use crate::engine::request::REQUESTS;
use crate::engine::request::Request;
use crate::engine::request::is_for_another;
use crate::engine::room::backpressure::MAX_ANSWERS;
use crate::engine::room::backpressure::ONE_ANSWER;
use crate::engine::room::backpressure::takes_answer;
use crate::engine::room::naming::Called;

/// Bytes of a list of names, at most, with what stands before and behind its lines: some hundred names.
const LIST: usize = 1280;

/// Bytes of a line of an answer, at most, if it is neither of a list of names nor [what was asked
/// for](Request) repeated: how many more names there are, or how many commands had no answer.
const SHORT_LINE: usize = 128;

// The longest answer, behind the line that tells how many had none.
const _: () = assert!(SHORT_LINE + LIST + SHORT_LINE <= ONE_ANSWER as usize);

/// Columns of a line of it, at most.
const COLUMNS: usize = 76;

/// Bytes of an answer to what something is done for, at most.
const ANSWER: usize = 128;

/// The answer to a member that is muted, and wants others to be told something.
const MUTED: &str = "you are muted: nobody was told";

/// The answer to a message that cannot be held as a whole.
const TOO_LONG: &str = "that line is too long for one alone, and was not said";

impl Room {
    /// A member asks for something. `is_cut`: its line goes on in a piece that is not known yet.
    pub(super) fn ask(&mut self, key: usize, asked: Request<'_>, is_cut: bool, now: Instant) {
        let member = &mut self.members[key];
        let speech = member.speech.get_or_insert_default();
        // A request that cannot be answered is not carried out.
        if !speech.may_ask(now) || !takes_answer(&self.journal, &member.cursor, ANSWER) {
            speech.unanswered = speech.unanswered.saturating_add(1);
            return;
        }
        let addressee = match asked {
            Request::Message { .. } if is_cut => Some(Err(String::from(TOO_LONG))),
            Request::Message { to, text } => Some(self.addressee(key, to, text, now)),
            _ => None,
        };
        let owner = addressee.as_ref().and_then(|to| to.as_ref().ok());
        self.note_asked(key, asked, owner.copied());
        match asked {
            Request::Nick(_) if self.members[key].is_muted() => self.answer(key, MUTED),
            Request::Nick(name) => self.take_name(key, name, now),
            Request::Message { text, .. } => match addressee {
                Some(Ok(to)) => self.tell_alone(key, to, text, now),
                Some(Err(why)) => self.answer(key, why),
                None => {}
            },
            Request::Names => self.list_names(key),
            Request::Help => {
                let lines = REQUESTS.map(|(written, meaning)| format!("{written}: {meaning}"));
                self.answer_lines(key, &lines);
            }
            Request::Incomplete(written) => {
                self.answer(key, format_args!("that is written {written}"));
            }
            Request::Unknown(word) => {
                let word = shortened(word);
                let text = format!("/{word} is no command, and was not said: /help lists them");
                self.answer(key, text);
            }
            Request::Unclear => self.answer(
                key,
                "that may be for one alone, and was not said: /msg NAME TEXT",
            ),
            Request::BehindKey => self.answer(
                key,
                "that was not said: a key in it moved no cursor here, and a command has nothing before it",
            ),
            // It is said.
            Request::Me(_) => {}
        }
    }

    /// The owner of a name, if it is here.
    fn owner(&self, name: &str) -> Option<Owner> {
        let owner = self.names.owner(name)?;
        let is_here = match owner {
            Owner::Program => false,
            Owner::Operator => true,
            Owner::Member(key) => self.can_hear(key),
        };
        is_here.then_some(owner)
    }

    /// The name of a member or the operator.
    fn name_of(&self, owner: Owner) -> Option<&str> {
        match owner {
            Owner::Program => None,
            Owner::Operator => self.chat.as_ref().map(|chat| chat.host()),
            Owner::Member(key) => self.members[key].account.name(),
        }
    }

    /// A member's request is in the minutes, but not a text that is, or may be, for another member alone.
    fn note_asked(&mut self, key: usize, asked: Request<'_>, owner: Option<Owner>) {
        if self.minutes.is_none() {
            return;
        }
        let is_open = self.chat.as_ref().is_some_and(|c| c.has_open_messages());
        let text = match asked {
            Request::Nick(name) => format!("/nick {name}"),
            Request::Message { text, .. } => {
                let to = owner.and_then(|owner| self.name_of(owner));
                let is_ours = owner == Some(Owner::Operator) && !is_for_another(text);
                match is_open || is_ours {
                    true => format!("/msg {} {text}", to.unwrap_or("?")),
                    false => format!("/msg {}", to.unwrap_or("?")),
                }
            }
            Request::Names => String::from("/names"),
            Request::Help => String::from("/help"),
            // It is not known what was meant.
            Request::Incomplete(_)
            | Request::Unknown(_)
            | Request::Unclear
            | Request::BehindKey
            | Request::Me(_) => String::from("?"),
        };
        if let Some(minutes) = &mut self.minutes {
            minutes.push_asked(key, &self.members[key].account, &text);
        }
    }

    /// Who is to hear what a member says to one alone.
    ///
    /// # Errors
    /// Why nobody is, as the member is told.
    fn addressee(&self, key: usize, to: &str, text: &str, now: Instant) -> Result<Owner, String> {
        if self.members[key].is_muted() {
            return Err(MUTED.into());
        }
        let owner = self.owner(to);
        let Some((owner, name)) = owner.and_then(|owner| Some((owner, self.name_of(owner)?)))
        else {
            let to = shortened(to);
            return Err(format!(
                "nobody here is called {to}: /names lists everybody"
            ));
        };
        let Owner::Member(other) = owner else {
            return Ok(owner);
        };
        if other == key {
            return Err("that is you".into());
        }
        if let Called::HandedOver { .. } = self.called(to, Asking::Member, now) {
            return Err(format!(
                "{name} was somebody else a moment ago: not said. A /msg typed again {} s later will be",
                TIME.as_secs()
            ));
        }
        if !self.policy.relay {
            let host = self.name_of(Owner::Operator).unwrap_or_default();
            return Err(format!("only {host} hears you now"));
        }
        let length = self.private_line(key, text).len();
        if length as u64 > MAX_ANSWERS {
            return Err(TOO_LONG.into());
        }
        if !takes_answer(&self.journal, &self.members[other].cursor, length) {
            return Err(format!("too much waits for {name} already: not said"));
        }
        Ok(owner)
    }

    /// What a member says to one alone, as that one reads it.
    fn private_line(&self, key: usize, text: &str) -> String {
        let name = self.name_of(Owner::Member(key)).unwrap_or_default();
        [&self.stamp, &*private_label(name), text, self.line_end()].concat()
    }

    /// A member says something to one alone, its [`addressee`](Room::addressee).
    fn tell_alone(&mut self, key: usize, to: Owner, text: &str, now: Instant) {
        self.announce_join(key, now);
        let owned = |name: Option<&str>| String::from(name.unwrap_or_default());
        let name = owned(self.name_of(Owner::Member(key)));
        let to_name = owned(self.name_of(to));
        let line = format!("{text}\n");
        match to {
            Owner::Member(other) => {
                let told = self.private_line(key, text);
                let cursor = &mut self.members[other].cursor;
                self.journal.insert(cursor, told.as_bytes());
                self.told.push(other);
                if self.chat.as_ref().is_some_and(|c| c.has_open_messages()) {
                    self.label = format!("{}<{name}, to {to_name} alone> ", self.stamp);
                    self.show_line(key, &line);
                } else {
                    self.show_notice(format_args!("{name} said something to {to_name} alone"));
                }
            }
            Owner::Operator | Owner::Program => {
                self.label = [&self.stamp, &*private_label(&name)].concat();
                self.show_line(key, &line);
            }
        }
        self.answer(key, format_args!("only {to_name} was told"));
    }

    /// A member asks for a name.
    fn take_name(&mut self, key: usize, name: &str, now: Instant) {
        let refusal = match self.policy.relay {
            true => match self.rename(key, name, now) {
                Err(refusal) => refusal,
                Ok(()) => return,
            },
            // They could speak by their names.
            false => NameError::Quiet,
        };
        let name = self
            .name_of(Owner::Member(key))
            .unwrap_or_default()
            .to_string();
        self.answer(key, format_args!("you are still {name}: {refusal}"));
    }

    /// Answers who is here: the operator, the members in no particular order, and how many more
    /// there are than fit into the answer.
    fn list_names(&mut self, key: usize) {
        let Some(chat) = &self.chat else {
            return;
        };
        let around = self.stamp.len() + "* ".len() + chat.line_end().len();
        let mut lines = vec![format!("here: {}", chat.host())];
        let mut length = around + lines[0].len();
        let mut listed = 0;
        let here = self.members.iter().filter(|(_, m)| m.presence.is_here());
        for (_, member) in here {
            let name = member.account.name().unwrap_or_default();
            let fits = |last: &&mut String| last.len() + name.len() < COLUMNS;
            let last = lines.last_mut().filter(fits);
            length += name.len() + last.as_ref().map_or(around, |_| ", ".len());
            if length > LIST {
                break;
            }
            listed += 1;
            match last {
                Some(last) => {
                    let _ = write!(last, ", {name}");
                }
                None => lines.push(String::from(name)),
            }
        }
        if listed < self.here {
            lines.push(format!("and {} more", self.here - listed));
        }
        self.answer_lines(key, &lines);
    }

    /// Answers a member in one line.
    fn answer(&mut self, key: usize, text: impl Display) {
        self.answer_lines(key, &[text.to_string()]);
    }

    /// Answers a member, if not too much waits for it already: a member that asks again and again
    /// and never reads is held, and is told when it reads how often it was not answered.
    fn answer_lines(&mut self, key: usize, lines: &[String]) {
        let line_end = self.line_end();
        let mut told = String::new();
        for line in lines {
            // Writing to a String cannot fail.
            let _ = write!(told, "{}* {line}{line_end}", self.stamp);
        }
        debug_assert!(told.len() <= LIST + SHORT_LINE, "{told}");
        let member = &mut self.members[key];
        if takes_answer(&self.journal, &member.cursor, told.len()) {
            self.journal.insert(&mut member.cursor, told.as_bytes());
            self.told.push(key);
        } else {
            let speech = member.speech.get_or_insert_default();
            speech.unanswered = speech.unanswered.saturating_add(1);
        }
    }

    /// Tells a member how often it was not answered, if it was not and can be.
    pub(super) fn tell_unanswered(&mut self, key: usize) {
        let member = &mut self.members[key];
        let Some(speech) = member.speech.as_mut().filter(|s| s.unanswered > 0) else {
            return;
        };
        let count = std::mem::take(&mut speech.unanswered);
        self.answer(
            key,
            format_args!("{count} of your commands were too many at once, and not obeyed"),
        );
        let speech = self.members[key].speech.get_or_insert_default();
        if speech.unanswered > 0 {
            speech.unanswered = count;
        }
    }

    /// Whether a member got a private line that [`Room::take_told`] has not returned yet.
    pub fn has_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// The keys of the members that got a private line since the last call, some more than once.
    pub fn take_told(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.told)
    }
}

/// A word as it is quoted in an answer.
fn shortened(word: &str) -> String {
    word.chars().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests;
