//! A room as a chat: every line begins with who said it, and who comes and goes is announced.
//!
//! The rules of names and lines are [`Chat`]'s; here they meet the members, the journal and the
//! screen. The operator's stdout gets what a participant would get who says nothing: the labelled
//! lines of everybody else and the announcements; but at a terminal, where the hub's notices tell
//! with number and address who comes and goes, that is not said twice.

use std::fmt::Arguments;
use std::fmt::Write;
use std::time::Instant;

use super::Room;
use super::backpressure::takes_answer;
use super::member::Member;
use super::member::Presence;
use crate::engine::chat;
use crate::engine::chat::Chat;
use crate::engine::chat::NameError;

/// The speaker of the announcements; members are numbered from 1.
const NOBODY: u32 = 0;

impl Room {
    /// Makes the room a chat. To be called before anybody joins.
    pub fn open_chat(&mut self, chat: Chat) {
        debug_assert!(self.members.is_empty());
        self.chat = Some(Box::new(chat));
    }

    /// Whether it is a chat.
    pub fn is_chat(&self) -> bool {
        self.chat.is_some()
    }

    /// Somebody joined: it has a name. It learns that when it is announced, as everybody does.
    pub(super) fn name_by_number(&mut self, key: usize) {
        if self.chat.is_none() {
            return;
        }
        let account = &mut self.members[key].account;
        account.name = Some(chat::default_name(account.number).into());
        self.announce_later(key);
    }

    /// Whether the members hear each other was changed.
    pub(super) fn tell_relay(&mut self) {
        let Some(host) = self.chat.as_ref().map(|chat| String::from(chat.host())) else {
            return;
        };
        match self.policy.relay {
            true => self.announce(format_args!("everybody hears each other again"), false),
            false => self.announce(format_args!("only {host} hears you now"), false),
        }
    }

    /// The operator said `bytes`, or None: will say no more. If this is no chat, nothing is said.
    #[inline(never)]
    pub(super) fn host_says(&mut self, bytes: Option<&[u8]>) {
        let Some(chat) = &mut self.chat else {
            return;
        };
        let mut text = chat.take_text();
        chat::compose(&mut self.input, &mut chat.escaper, bytes, &mut text, |_| ());
        self.label.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.label, "<{}> ", chat.host());
        for line in text.lines() {
            self.line.clear();
            for part in [&self.label, line, chat.line_end()] {
                self.line.push_str(part);
            }
            self.journal.append(self.line.as_bytes());
            self.trial.keep(&self.journal, self.line.as_bytes());
        }
        chat.put_text(text);
    }

    /// The operator said whole lines to one member alone. Returns whether this is a chat.
    pub(super) fn host_tells(&mut self, key: usize, bytes: &[u8]) -> bool {
        let Some(chat) = &self.chat else {
            return false;
        };
        let mut lines = Default::default();
        let mut escaper = Default::default();
        let mut text = String::new();
        chat::compose(&mut lines, &mut escaper, Some(bytes), &mut text, |_| ());
        chat::compose(&mut lines, &mut escaper, None, &mut text, |_| ());
        let mut told = String::new();
        for line in text.lines() {
            let _ = write!(told, "<{}> {line}{}", chat.host(), chat.line_end());
        }
        self.journal
            .insert(&mut self.members[key].cursor, told.as_bytes());
        true
    }

    /// A member said `bytes`, or None: will say no more. If this is no chat, nothing is said.
    pub(super) fn member_says(&mut self, key: usize, bytes: Option<&[u8]>, now: Instant) {
        let Some(mut chat) = self.chat.take() else {
            return;
        };
        let mut text = chat.take_text();
        let member = &mut self.members[key];
        let (account, minutes) = (&member.account, &mut self.minutes);
        let said = |said: &[u8]| {
            if let Some(minutes) = minutes {
                minutes.push(key, account, said);
            }
        };
        let speech = member.speech.get_or_insert_default();
        let (lines, escaper) = (&mut speech.lines, &mut speech.escaper);
        chat::compose(lines, escaper, bytes, &mut text, said);
        let line_end = chat.line_end();
        self.chat = Some(chat);
        for line in text.split_inclusive('\n') {
            match chat::nick(&line[..line.len() - 1]) {
                Some(name) => self.take_name(key, name, now),
                None => self.say(key, line, line_end, now),
            }
        }
        if let Some(chat) = &mut self.chat {
            chat.put_text(text);
        }
        self.update_backpressure(now);
    }

    /// Gives a member a name and lets everybody know. None: this is no chat.
    pub(super) fn rename(
        &mut self,
        key: usize,
        new: &str,
        now: Instant,
    ) -> Option<Result<(), NameError>> {
        self.free_name(key, new, now);
        let chat = self.chat.as_mut()?;
        let member = &mut self.members[key];
        let account = &mut member.account;
        let old = account.name.take().unwrap_or_default();
        let renamed = chat.rename(account.number, &old, new);
        let name = if renamed.is_ok() { new } else { &*old };
        account.name = Some(name.into());
        match renamed.is_ok() {
            true if member.is_announced => {
                self.announce(format_args!("{old} is now {new}"), true);
            }
            true => self.announce_join(key, now),
            false => {}
        }
        Some(renamed)
    }

    /// A member that is gone does not keep a name from one that asks for it: what is still heard of it
    /// is said by its number.
    fn free_name(&mut self, asking: usize, name: &str, now: Instant) {
        if self.gone == 0 {
            return;
        }
        let is_called = |member: &Member| {
            let theirs = member.account.name.as_deref();
            member.presence == Presence::Gone && theirs.is_some_and(|t| chat::is_same(t, name))
        };
        let owner = self
            .members
            .iter()
            .find(|(key, member)| *key != asking && is_called(member))
            .map(|(key, member)| (key, member.account.number));
        if let Some((key, number)) = owner {
            self.rename(key, &chat::default_name(number), now);
        }
    }

    /// One line of a member, with its line feed.
    fn say(&mut self, key: usize, line: &str, line_end: &str, now: Instant) {
        self.announce_join(key, now);
        let somebody = self.members.len() > 1 || self.journal.keeps_history();
        let heard = self.policy.relay && somebody;
        let member = &mut self.members[key];
        let name = member.account.name.as_deref().unwrap_or_default();
        self.label.clear();
        let _ = write!(self.label, "<{name}> ");
        if heard {
            let mut said = 0;
            for part in [&self.label, &line[..line.len() - 1], line_end] {
                self.journal.append(part.as_bytes());
                said += part.len() as u64;
            }
            self.journal.skip(&mut member.cursor, said);
        }
        let number = member.account.number;
        if self.policy.surface.is_stream() {
            self.screen.show(number, "", self.label.as_bytes());
        } else {
            let (on, off) = self.policy.mark_of(number);
            self.label.clear();
            let _ = write!(self.label, "{on}<{name}>{off} ");
        }
        self.screen.show(number, &self.label, line.as_bytes());
    }

    /// A member asks for a name.
    fn take_name(&mut self, key: usize, name: &str, now: Instant) {
        let refusal = match self.policy.relay {
            true => match self.rename(key, name, now) {
                Some(Err(refusal)) => refusal,
                _ => return,
            },
            // They could speak by their names.
            false => NameError::Quiet,
        };
        let line_end = self.chat.as_ref().map_or("\n", |chat| chat.line_end());
        let member = &mut self.members[key];
        // Who asks and asks and never reads is held, and not told what it asked together with that.
        if takes_answer(&self.journal, &member.cursor) {
            let name = member.account.name.as_deref().unwrap_or_default();
            let told = format!("* you are still {name}: {refusal}{line_end}");
            self.journal.insert(&mut member.cursor, told.as_bytes());
        }
    }

    /// Whether the operator's stdout is told who comes and goes. They come and go also while it
    /// takes nothing, and what waits for it must stay bounded.
    pub(super) fn tells_who_comes(&self) -> bool {
        self.policy.surface.is_stream() && !self.screen.is_full()
    }

    /// Announces something to everybody; to the operator if `shown`.
    pub(super) fn announce(&mut self, what: Arguments<'_>, shown: bool) {
        let Some(chat) = &self.chat else {
            return;
        };
        self.label.clear();
        let _ = write!(self.label, "* {what}");
        self.label.push_str(chat.line_end());
        self.journal.append_fleeting(self.label.as_bytes());
        self.label
            .truncate(self.label.len() - chat.line_end().len());
        if !shown {
            return;
        }
        match self.policy.surface.is_stream() {
            true => {
                self.label.push('\n');
                self.screen.show(NOBODY, "", self.label.as_bytes());
            }
            false => {
                let (on, off) = self.policy.mark();
                let announcement = format!("{on}{}{off}", self.label);
                self.screen.show(NOBODY, &announcement, b"\n");
            }
        }
    }
}

#[cfg(test)]
mod tests;
