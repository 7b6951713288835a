//! A room as a chat: every line begins with its speaker's name, and newcomers and leavers are
//! announced.
//!
//! The rules of names and lines are [`Chat`]'s; here they meet the members, the journal and the
//! screen. The operator's stdout gets what a silent participant would get: the labelled lines of
//! all others and the announcements; and what is said to the operator alone, and who said something
//! to whom alone. At a terminal the hub's notices already tell with number and address who comes
//! and goes: there it is not said twice.

mod requests;

use std::fmt::Arguments;
use std::fmt::Write;
use std::time::Instant;

use super::Room;
use super::member::Place;
use crate::engine::chat::Chat;
use crate::engine::chat::Composed;
use crate::engine::chat::Line;
use crate::engine::chat::Speech;
use crate::engine::chat::private_label;
use crate::engine::handover::Asking;
use crate::engine::request::Request;
use crate::engine::request::has_word;
use crate::engine::request::request_among;
use crate::engine::request::tells_nothing;
use crate::engine::whom::Whom;

/// The speaker of the announcements; members are numbered from 1.
const NOBODY: u32 = 0;

impl Room {
    /// Makes the room a chat. To be called before the first member joins.
    pub fn open_chat(&mut self, chat: Chat) {
        debug_assert!(self.members.is_empty());
        self.names.call_operator(chat.host());
        self.chat = Some(Box::new(chat));
    }

    /// Whether it is a chat.
    pub fn is_chat(&self) -> bool {
        self.chat.is_some()
    }

    /// A member joined: before everything else it reads the welcome, if there is one.
    pub(super) fn welcome(&mut self, key: usize) {
        if let Some(chat) = &self.chat {
            if chat.welcome().is_empty() {
                return;
            }
            let welcome = [&self.stamp, chat.welcome()].concat();
            let cursor = &mut self.members[key].cursor;
            self.journal.insert_first(cursor, welcome.as_bytes());
        }
    }

    /// Whether the members hear each other was changed.
    pub(super) fn tell_relay(&mut self) {
        let Some(host) = self.chat.as_ref().map(|chat| String::from(chat.host())) else {
            return;
        };
        match self.policy.relay {
            true => self.announce(format_args!("everybody hears each other again"), false),
            false if self.is_of_class() => self.announce(
                format_args!(
                    "of those who are here only {host} hears you now; other rooms still do"
                ),
                false,
            ),
            false => self.announce(format_args!("only {host} hears you now"), false),
        }
    }

    /// The operator spoke. If this is no chat, nothing is said.
    #[inline(never)]
    pub(super) fn host_says(&mut self, speech: Speech<'_>) {
        let Some(chat) = &mut self.chat else {
            return;
        };
        let minutes = self.minutes.as_mut().filter(|_| self.minutes_of_operator);
        let mut composed = chat.take_composed();
        composed.keep_bytes(minutes.is_some());
        composed.take_in(&mut self.input, &mut chat.escaper, speech);
        if let Some(minutes) = minutes {
            composed
                .lines()
                .for_each(|line| minutes.push_operator(line.bytes));
        }
        self.label.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.label, "{}<{}> ", self.stamp, chat.host());
        for line in composed.lines() {
            self.line.clear();
            for part in [&self.label, without_end(line.text), chat.line_end()] {
                self.line.push_str(part);
            }
            self.journal.append(self.line.as_bytes());
            self.trial.keep(&self.journal, self.line.as_bytes());
        }
        chat.put_composed(composed);
    }

    /// The operator said whole lines to one member alone. Returns whether this is a chat.
    pub(super) fn host_tells(&mut self, key: usize, bytes: &[u8]) -> bool {
        let Some(chat) = &self.chat else {
            return false;
        };
        let mut lines = Default::default();
        let mut escaper = Default::default();
        let mut composed = Composed::default();
        for step in [Speech::Bytes(bytes), Speech::End] {
            composed.take_in(&mut lines, &mut escaper, step);
        }
        let label = [&self.stamp, &*private_label(chat.host())].concat();
        let mut told = String::new();
        for line in composed.lines() {
            for part in [&label, without_end(line.text), chat.line_end()] {
                told.push_str(part);
            }
        }
        self.journal
            .insert(&mut self.members[key].cursor, told.as_bytes());
        true
    }

    /// The last line for a member that the operator sends away.
    pub fn tell_kicked(&mut self, key: usize, reason: &str) {
        let (mut text, line_end) = match &self.chat {
            None => (String::from("muxnc: you were disconnected"), "\n"),
            Some(chat) => {
                let (stamp, host) = (&self.stamp, chat.host());
                let text = format!("{stamp}* {host} disconnected you");
                (text, chat.line_end())
            }
        };
        if !reason.is_empty() {
            text += ": ";
            text += reason;
        }
        text += line_end;
        self.journal
            .insert(&mut self.members[key].cursor, text.as_bytes());
    }

    /// A member spoke. If this is no chat, nothing is said.
    pub(super) fn member_says(&mut self, key: usize, speech: Speech<'_>, now: Instant) {
        let Some(chat) = &mut self.chat else {
            return;
        };
        let mut composed = chat.take_composed();
        composed.keep_bytes(self.minutes.is_some());
        let speaker = self.members[key].speech.get_or_insert_default();
        if let Speech::Bytes(bytes) = speech {
            speaker.talked(bytes.len());
        }
        composed.take_in(&mut speaker.lines, &mut speaker.escaper, speech);
        self.tell_unanswered(key);
        for line in composed.lines() {
            self.hear_line(key, line, now);
            if let Some(speech) = &mut self.members[key].speech {
                speech.is_hushed &= line.is_cut;
            }
        }
        if let Some(chat) = &mut self.chat {
            chat.put_composed(composed);
        }
        self.update_backpressure(now);
    }

    /// One line of a member, or a piece of one.
    fn hear_line(&mut self, key: usize, line: Line<'_>, now: Instant) {
        let text = without_end(line.text);
        let is_here = |whom: Whom<'_>| self.is_anybody(whom, Asking::Member, now);
        let speech = self.members[key].speech.as_ref();
        let asked = match speech.map(|speech| speech.place).unwrap_or_default() {
            Place::Start => request_among(text, is_here),
            Place::Nothing => has_word(text).then_some(Request::Unclear),
            Place::Words => None,
            Place::Request => {
                if let Some(speech) = &mut self.members[key].speech
                    && !line.is_cut
                {
                    speech.place = Place::Start;
                }
                return;
            }
        };
        let member = &mut self.members[key];
        let is_muted = member.is_muted();
        let speech = member.speech.get_or_insert_default();
        speech.place = match (line.is_cut, asked) {
            (false, _) => Place::Start,
            (true, None) if speech.place == Place::Nothing => Place::Nothing,
            (true, None) if speech.place == Place::Start && tells_nothing(text) => Place::Nothing,
            (true, None | Some(Request::Me(_))) => Place::Words,
            (true, Some(_)) => Place::Request,
        };
        if let None | Some(Request::Me(_)) = asked
            && let Some(minutes) = &mut self.minutes
        {
            minutes.push(key, &member.account, is_muted, line.bytes);
        }
        match asked {
            Some(Request::Me(_)) | None if is_muted => {}
            None => self.say(key, line.text, now),
            Some(Request::Me(what)) => self.say(key, &format!("*{what}*\n"), now),
            Some(asked) => self.ask(key, asked, line.is_cut, now),
        }
    }

    /// One line of a member, with its line feed.
    fn say(&mut self, key: usize, line: &str, now: Instant) {
        self.announce_join(key, now);
        let heard = self.policy.relay && self.has_hearers();
        let line_end = self.line_end();
        let member = &mut self.members[key];
        let name = member.account.name().unwrap_or_default();
        self.label.clear();
        let _ = write!(self.label, "{}<{name}> ", self.stamp);
        if heard {
            let mut said = 0;
            for part in [&self.label, without_end(line), line_end] {
                self.journal.append(part.as_bytes());
                said += part.len() as u64;
            }
            self.journal.skip(&mut member.cursor, said);
        }
        self.show_line(key, line);
    }

    /// Shows the operator a line of a member, with its line feed, whose label was just made.
    fn show_line(&mut self, key: usize, line: &str) {
        let number = self.members[key].account.number;
        self.show_line_of(number, line);
    }

    /// The same of a speaker of that number.
    pub(super) fn show_line_of(&mut self, number: u32, line: &str) {
        if self.policy.surface.is_stream() {
            self.screen.show(number, "", self.label.as_bytes());
        } else {
            let (on, off) = self.policy.mark_of(number);
            self.label.insert_str(0, on);
            self.label.insert_str(self.label.len() - 1, off);
        }
        self.screen.show(number, &self.label, line.as_bytes());
    }

    /// What ends a line for the participants.
    pub(super) fn line_end(&self) -> &'static str {
        self.chat.as_ref().map_or("\n", |chat| chat.line_end())
    }

    /// Whether the operator's stdout is told who comes and goes. Members come and go also while
    /// stdout takes nothing, and the bytes that wait for it must stay bounded.
    pub(super) fn tells_who_comes(&self) -> bool {
        self.policy.surface.is_stream() && !self.screen.is_full()
    }

    /// Announces something to everybody; to the operator if `shown`.
    pub(super) fn announce(&mut self, what: Arguments<'_>, shown: bool) {
        let Some(chat) = &self.chat else {
            return;
        };
        self.label.clear();
        let _ = write!(self.label, "{}* {what}", self.stamp);
        self.label.push_str(chat.line_end());
        self.journal.append_fleeting(self.label.as_bytes());
        if shown {
            self.show_notice(what);
        }
    }

    /// Shows something to the operator that the program says.
    pub(super) fn show_notice(&mut self, what: Arguments<'_>) {
        self.label.clear();
        match self.policy.surface.is_stream() {
            true => {
                let _ = writeln!(self.label, "{}* {what}", self.stamp);
                self.screen.show(NOBODY, "", self.label.as_bytes());
            }
            false => {
                let (on, off) = self.policy.mark();
                let _ = write!(self.label, "{on}{}* {what}{off}", self.stamp);
                self.screen.show(NOBODY, &self.label, b"\n");
            }
        }
    }
}

/// A line of a text, without the line feed that ends it.
fn without_end(line: &str) -> &str {
    line.strip_suffix('\n').unwrap_or(line)
}

#[cfg(test)]
mod tests;
