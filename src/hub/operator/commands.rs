//! What the operator's commands do, and what Tab makes of a half-typed one.
//!
//! It promises: a command about somebody who is not here does nothing and says so.

use std::fmt::Write;
use std::time::Instant;

use super::Operator;
use super::State;
use crate::engine::command::COMMANDS;
use crate::engine::command::Command;
use crate::engine::command::Whom;
use crate::engine::command::help;
use crate::engine::command::quoted;
use crate::engine::escape::push_escaped;
use crate::engine::room::Account;
use crate::engine::room::Presence;
use crate::hub::peers::Peers;
use crate::io::device::Device;
use crate::io::stream::Stream;

impl<D: Device> Operator<D> {
    /// Does what a command says.
    pub(super) fn obey<S: Stream>(
        &mut self,
        command: Command<'_>,
        peers: &mut Peers<S, D>,
        refused: u64,
        now: Instant,
    ) {
        let whom = match command {
            Command::Message { whom, .. }
            | Command::Kick { whom, .. }
            | Command::Name { whom, .. }
            | Command::Mute { whom, .. } => whom,
            Command::Who => return self.tell_who(peers, now),
            Command::Stats => return self.tell_stats(peers, refused),
            Command::Help => return self.tell_commands(),
            Command::Quit => {
                self.state = State::Quit;
                return;
            }
            Command::Relay(on) => {
                peers.room.relay(on, now);
                return self.answer(match on {
                    true => "participants hear each other now",
                    false => "participants hear only you now",
                });
            }
        };
        let key = match whom {
            Whom::Number(number) => {
                (peers.room.find(number)).ok_or_else(|| format!("has number {number}"))
            }
            Whom::Name(name) => {
                (peers.room.find_by_name(name)).ok_or_else(|| format!("is called {}", quoted(name)))
            }
        };
        let key = match key {
            Ok(key) => key,
            Err(what) => return self.answer(&format!("nobody here {what}: /who lists everybody")),
        };
        let label = |peers: &Peers<S, D>| {
            let member = peers.room.member(key);
            member.map_or(String::new(), |member| member.account.label())
        };
        match command {
            Command::Message { text, .. } => self.voice.tell(key, text, peers),
            Command::Kick { reason, .. } => {
                let mut shown = String::new();
                reason
                    .chars()
                    .for_each(|letter| push_escaped(letter, &mut shown));
                peers.kick(key, shown, now);
            }
            Command::Name { name: "", .. } => peers.room.unname(key, now),
            Command::Name { name, .. } => {
                if let Err(why) = peers.room.name(key, name, now) {
                    self.answer(&format!(
                        "{} is not called {}: {why}",
                        label(peers),
                        quoted(name)
                    ));
                }
            }
            Command::Mute { on, .. } => {
                peers.room.mute(key, on, now);
                peers.record_lines(None);
                let who = label(peers);
                self.answer(&match on {
                    true => format!("{who} is neither shown nor relayed now"),
                    false => format!("{who} is heard again"),
                });
            }
            _ => {}
        }
    }

    fn tell_who<S: Stream>(&mut self, peers: &Peers<S, D>, now: Instant) {
        let mut text = String::new();
        for (key, member) in peers.room.by_number() {
            let Some(peer) = peers.member(key) else {
                continue;
            };
            let account = &member.account;
            let name = account.name.as_deref().unwrap_or_default();
            let muted = if account.muted { ", muted" } else { "" };
            let ended = match member.presence() {
                Presence::Here => "",
                Presence::Gone => ", is gone; not all it said was heard yet",
                Presence::Listener => ", sends no more",
                Presence::Unconfirmed(_) => ", ended its side and may be gone",
            };
            let since = now.saturating_duration_since(account.since).as_secs();
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "[{}] {name}{}{} for {since}s, {} bytes in, {} out, behind by {}{muted}{ended}",
                account.number,
                if name.is_empty() { "" } else { " " },
                peer.conn.addr(),
                account.received,
                account.sent,
                peers.room.owed(key),
            );
        }
        if text.is_empty() {
            text.push_str("nobody is here");
        }
        self.answer(&text);
    }

    fn tell_stats<S: Stream>(&mut self, peers: &Peers<S, D>, refused: u64) {
        let refused = match refused {
            0 => String::new(),
            total => format!(", {total} refused"),
        };
        let text = format!(
            "{} here of {} that joined{refused}, {} bytes said to everybody, {} bytes received \
             from those here",
            peers.room.here(),
            peers.room.joined(),
            peers.room.said(),
            peers
                .room
                .members()
                .map(|(_, m)| m.account.received)
                .sum::<u64>(),
        );
        self.answer(&text);
    }

    fn tell_commands(&mut self) {
        let mut text = String::new();
        for command in COMMANDS {
            let _ = writeln!(text, "{}", help(command));
        }
        self.answer(&text);
    }

    /// Tab: completes a command, or the number or the name of a peer; in any other line it is what it is.
    pub(super) fn complete<S: Stream>(&mut self, peers: &Peers<S, D>) {
        let has_commands = self.manner.has_commands;
        let Some(console) = self.console_mut() else {
            return;
        };
        let before = console.editor().before_cursor().to_owned();
        if !has_commands || !before.starts_with('/') {
            return console.editor().insert("\t");
        }
        let candidates: Vec<String> = match before.split_once(' ') {
            None => COMMANDS
                .iter()
                .map(|(name, ..)| format!("/{name}"))
                .filter(|command| command.starts_with(&before))
                .collect(),
            Some(("/relay", word)) => ["on", "off"]
                .into_iter()
                .filter(|way| way.starts_with(word))
                .map(String::from)
                .collect(),
            Some((_, word)) => {
                let members = peers.room.by_number();
                let members = members.iter().map(|(_, member)| &member.account);
                members
                    .filter_map(|account| as_begun(account, word))
                    .collect()
            }
        };
        match &candidates[..] {
            [] => {}
            [only] => console.editor().replace_word(&format!("{only} ")),
            several => {
                let text = several.join("  ");
                self.answer(&text);
            }
        }
    }
}

/// The number or the name of a member, whichever begins with what was typed.
fn as_begun(account: &Account, word: &str) -> Option<String> {
    let number = account.number.to_string();
    if number.starts_with(word) {
        return Some(number);
    }
    let name = account.name.as_deref()?;
    let begins = name.to_lowercase().starts_with(&word.to_lowercase());
    begins.then(|| name.into())
}
