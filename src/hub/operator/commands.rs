//! The operator's commands: what they do, and how Tab completes them.
//!
//! It promises: a command about a participant that is not here does nothing and says so.

use std::fmt::Write;
use std::time::Instant;

use super::Operator;
use super::State;
use crate::engine::admit::Admission;
use crate::engine::command::COMMANDS;
use crate::engine::command::Command;
use crate::engine::command::Offer;
use crate::engine::command::help;
use crate::engine::command::is_slip_before_message;
use crate::engine::command::offers;
use crate::engine::command::quoted;
use crate::engine::handover::Asking;
use crate::engine::handover::Former;
use crate::engine::room::Account;
use crate::engine::room::Called;
use crate::engine::room::Presence;
use crate::engine::whom::Whom;
use crate::hub::news::Topic;
use crate::hub::peers::Demand;
use crate::hub::peers::Kick;
use crate::hub::peers::Peers;
use crate::io::device::Device;
use crate::io::stream::Stream;
use crate::io::web::invitation;

impl<D: Device> Operator<D> {
    /// Does what a command says.
    pub(super) fn obey<S: Stream>(
        &mut self,
        command: Command<'_>,
        peers: &mut Peers<S, D>,
        admission: &mut Admission,
        now: Instant,
    ) {
        if let Some(told) = elsewhere(&command, peers) {
            return self.answer(&told);
        }
        match command {
            Command::Who => self.tell_who(peers, now),
            Command::Stats => self.tell_stats(peers),
            Command::Qr => self.show_page(),
            Command::Help => self.tell_commands(),
            Command::Quit => {
                // The part of a line that Ctrl-D handed over is said as what it is, if its rest does not wait.
                if self.waiting.is_empty() {
                    peers.typed_end(now);
                }
                self.state = State::Quit;
            }
            Command::Relay(on) => {
                peers.relay(on, now);
                self.answer(match on {
                    true => "participants hear each other now",
                    false if peers.room.is_of_class() => {
                        "participants hear none of this room but you now; other rooms still hear them"
                    }
                    false => "participants hear only you now",
                });
            }
            Command::Ban { from, reason } => self.ban(from, reason, peers, admission, now),
            Command::Bans => self.tell_bans(admission),
            Command::Unban(hosts) => self.unban(&hosts, admission),
            Command::Lock(on) => self.lock(on, admission),
            Command::Allow(hosts) => self.allow(hosts, admission),
            Command::Message { whom, text } => {
                if let Some(key) = self.find(whom, peers, now)
                    && !self.voice.tell(key, text, peers)
                {
                    self.answer(&format!("{} is gone", label(key, peers)));
                }
            }
            Command::Kick { whom, reason } => {
                if let Some(key) = self.find_alone(whom, reason, peers, now) {
                    peers.kick(key, Kick::by_us(reason), now);
                }
            }
            Command::Name { whom, name } => {
                if let Some(key) = self.find(whom, peers, now) {
                    self.name(key, name, peers, now);
                }
            }
            Command::Mute { whom, on } => {
                if let Some(key) = self.find(whom, peers, now) {
                    let was_muted = peers.room.mute(key, on, now);
                    peers.record_lines(None);
                    let who = label(key, peers);
                    self.answer(&match (was_muted, on) {
                        (false, true) => format!("{who} is neither shown nor relayed now"),
                        (true, true) => format!("{who} was muted before"),
                        (true, false) => format!("{who} is heard again"),
                        (false, false) => format!("{who} was not muted"),
                    });
                }
            }
        }
    }

    /// The key of the member that a command is about, if it is here; and if its name was not another's
    /// while that was typed.
    pub(super) fn find<S: Stream>(
        &mut self,
        whom: Whom<'_>,
        peers: &Peers<S, D>,
        now: Instant,
    ) -> Option<usize> {
        let told = match (meant(whom, peers, now), whom) {
            (Called::Member(key), Whom::Label(_, name)) if !peers.room.has_name(key, name) => {
                let (who, name) = (label(key, peers), quoted(name));
                format!("that is {who}, and not {name}: nothing was done")
            }
            (Called::Member(key), _) => return Some(key),
            (Called::HandedOver { former, number }, Whom::Name(name)) => {
                let (name, was) = match former {
                    Former::Number(former) => (quoted(name), format!("was [{former}]")),
                    Former::Forgotten => (quoted(name), "may have been another".into()),
                };
                format!(
                    "{name} {was} until a moment ago, and is [{number}] now: nothing was done; the \
                     number says who is meant"
                )
            }
            (_, Whom::Name(name)) if peers.is_other_hub(name) => {
                let called = quoted(name);
                format!(
                    "nobody here is called {called}, and a hub is: /msg @{name} TEXT is for its operator"
                )
            }
            (_, Whom::Name(name)) => {
                let called = quoted(name);
                format!("nobody here is called {called}: /who lists everybody")
            }
            (_, Whom::Number(number) | Whom::Label(number, _)) => {
                format!("nobody here has number {number}: /who lists everybody")
            }
        };
        self.answer(&told);
        None
    }

    /// The same of a command that a reason may follow. If that is nothing but other members, one command was
    /// meant for several, and nobody is found.
    pub(super) fn find_alone<S: Stream>(
        &mut self,
        whom: Whom<'_>,
        reason: &str,
        peers: &Peers<S, D>,
        now: Instant,
    ) -> Option<usize> {
        if are_members(reason, peers, now) {
            self.answer("one at a time: that is no reason, but who is here: nothing was done");
            return None;
        }
        self.find(whom, peers, now)
    }

    /// Calls a member so, or by its number only.
    fn name<S: Stream>(&mut self, key: usize, name: &str, peers: &mut Peers<S, D>, now: Instant) {
        if name.is_empty() {
            peers.room.unname(key, now);
        } else if let Err(why) = peers.room.name(key, name, now) {
            let (who, name) = (label(key, peers), quoted(name));
            self.answer(&format!("{who} is not called {name}: {why}"));
        }
    }

    fn tell_who<S: Stream>(&mut self, peers: &Peers<S, D>, now: Instant) {
        let mut text = String::new();
        for (key, member) in peers.room.by_number() {
            let Some(peer) = peers.member(key) else {
                continue;
            };
            let account = &member.account;
            let name = account.name().unwrap_or_default();
            let muted = if account.muted { ", muted" } else { "" };
            let ended = match member.presence() {
                Presence::Here => "",
                Presence::Gone => ", is gone; not all it said was heard yet",
                Presence::Listener => ", sends no more",
                Presence::Unconfirmed => ", ended its side and may be gone",
            };
            let since = now.saturating_duration_since(account.since).as_secs();
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "[{}] {name}{}{} for {since}s, {} bytes in, {} out, behind by {}{muted}{ended}",
                account.number,
                if name.is_empty() { "" } else { " " },
                peer.conn.addr(),
                account.received(),
                account.sent,
                peers.room.owed(key),
            );
        }
        if text.is_empty() {
            text.push_str("nobody is here\n");
        }
        for hub in peers.hubs(now) {
            let _ = writeln!(text, "{hub}");
        }
        self.answer(&text);
    }

    fn tell_stats<S: Stream>(&mut self, peers: &Peers<S, D>) {
        let refused = match peers.news.total(Topic::Refused) {
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
                .map(|(_, m)| m.account.received())
                .sum::<u64>(),
        );
        self.answer(&text);
    }

    fn show_page(&mut self) {
        let text = match &self.manner.page {
            None => String::from("no browser can join: that takes --web PORT"),
            Some(page) => {
                let code = invitation(page).unwrap_or_default();
                format!("{}\nto join: {page}", code.join("\n"))
            }
        };
        self.answer(&text);
    }

    fn tell_commands(&mut self) {
        let mut text = String::new();
        for command in COMMANDS {
            let _ = writeln!(text, "{}", help(command));
        }
        self.answer(&text);
    }

    /// Tab: completes a command, or what it takes; in any other line it is what it is. Half a
    /// `/msg` behind a slip is completed, too, so that it is known as that and not said.
    pub(super) fn complete<S: Stream>(&mut self, peers: &Peers<S, D>) {
        let has_commands = self.manner.has_commands;
        let Some(console) = self.console_mut() else {
            return;
        };
        let before = console.editor().before_cursor().to_owned();
        let offers = match has_commands {
            true => offers(&before),
            false => Vec::new(),
        };
        let members = peers.room.by_number();
        let members = members.iter().map(|(_, member)| &member.account);
        let candidates: Vec<String> = offers
            .into_iter()
            .flat_map(|offer| match offer {
                Offer::Word(word) => vec![word],
                Offer::Member(begun) => {
                    let members = members.clone();
                    members
                        .filter_map(|account| as_begun(account, &begun))
                        .collect()
                }
            })
            .collect();
        match &candidates[..] {
            [only] => console.editor().replace_word(&format!("{only} ")),
            [] if has_commands && is_slip_before_message(&before) => console.editor().insert("g "),
            [] if has_commands && before.starts_with('/') => {}
            [] => console.editor().insert("\t"),
            several => {
                let text = several.join("  ");
                self.answer(&text);
            }
        }
    }
}

/// Has done what a command says about a member of another hub. Returns the answer; none: it is
/// about a member of this hub.
fn elsewhere<S: Stream, D: Device>(
    command: &Command<'_>,
    peers: &mut Peers<S, D>,
) -> Option<String> {
    let (whom, what) = match command {
        Command::Message { whom, text } => (whom, Demand::Tell(text)),
        Command::Kick { whom, reason } => (whom, Demand::Kick(reason)),
        Command::Mute { whom, on: true } => (whom, Demand::Mute),
        Command::Mute { whom, on: false } => (whom, Demand::Unmute),
        _ => return None,
    };
    match whom {
        Whom::Name(address) => peers.ask_hub(address, what),
        Whom::Number(_) | Whom::Label(..) => None,
    }
}

/// Whether a text is nothing but the names, numbers or labels of members, perhaps with `and` between them.
fn are_members<S: Stream, D: Device>(text: &str, peers: &Peers<S, D>, now: Instant) -> bool {
    let words = text.split(|letter: char| " ,:;&+[]<>".contains(letter));
    let mut names = words
        .filter(|word| !word.is_empty() && *word != "and")
        .peekable();
    let is_here = |name| meant(Whom::of(name), peers, now) != Called::Nobody;
    names.peek().is_some() && names.all(is_here)
}

/// The member that the operator means, if it is here. Of a label the number counts.
fn meant<S: Stream, D: Device>(whom: Whom<'_>, peers: &Peers<S, D>, now: Instant) -> Called {
    match whom {
        Whom::Number(number) | Whom::Label(number, _) => peers.room.find(number).into(),
        Whom::Name(name) => peers.room.called(name, Asking::Operator, now),
    }
}

/// How a member is called to the operator.
fn label<S: Stream, D: Device>(key: usize, peers: &Peers<S, D>) -> String {
    let member = peers.room.member(key);
    member.map_or(String::new(), |member| member.account.label())
}

/// The number or the name of a member, whichever begins with what was typed.
fn as_begun(account: &Account, word: &str) -> Option<String> {
    let number = account.number.to_string();
    if number.starts_with(word) {
        return Some(number);
    }
    let name = account.name()?;
    let begins = name.to_lowercase().starts_with(&word.to_lowercase());
    begins.then(|| name.into())
}
