//! The operator's commands: what a typed `/word` means.
//!
//! Only the operator has commands, and only at the keyboard; nothing that is pasted, piped or sent
//! by a peer is ever one.
//!
//! It promises: a line is either to be said, or a command, or explained; a mistyped command, and what
//! only looks like one, is never said to the class.

use std::borrow::Cow;

use crate::engine::admit::Hosts;
use crate::engine::admit::Word;
use crate::engine::lookalike::PRIVATE;
use crate::engine::lookalike::is_backslash;
use crate::engine::lookalike::is_close;
use crate::engine::lookalike::is_slash;
use crate::engine::lookalike::plain;
use crate::engine::lookalike::skip_garbled;
use crate::engine::lookalike::skip_unseen;
use crate::engine::private::Form;
use crate::engine::private::command_behind_key;
use crate::engine::private::first_word;
use crate::engine::private::is_private;
use crate::engine::private::lacks_its_slash;
use crate::engine::private::may_be_private;
use crate::engine::whom::Whom;
use crate::engine::whom::cut;
use crate::engine::whom::cut_whom;
use crate::engine::whom::is_command_or_for_somebody;

/// Characters before the cursor among which a slip and `ms` are looked for.
const SLIP: usize = 64;

/// What a line means that the operator typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed<'a> {
    /// To be said.
    Say(&'a str),
    /// To be done.
    Do(Command<'a>),
    /// Neither said nor done: this sentence tells the operator why.
    Explain(String),
}

/// What a ban is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Banned<'a> {
    /// The address of a peer.
    Peer(Whom<'a>),
    /// These addresses.
    Hosts(Vec<Hosts>),
}

/// What the operator can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// List everybody.
    Who,
    /// Say something to one peer alone.
    Message {
        /// To whom.
        whom: Whom<'a>,
        /// What.
        text: &'a str,
    },
    /// Cut a peer off.
    Kick {
        /// Whom.
        whom: Whom<'a>,
        /// Why, for the log.
        reason: &'a str,
    },
    /// Give a peer a name, or take it away.
    Name {
        /// Whom.
        whom: Whom<'a>,
        /// The name, or nothing.
        name: &'a str,
    },
    /// Neither show nor relay what a peer says, or do so again.
    Mute {
        /// Whom.
        whom: Whom<'a>,
        /// Whether to mute.
        on: bool,
    },
    /// Refuse connections from some addresses, and cut off the participants that came from them.
    Ban {
        /// From where.
        from: Banned<'a>,
        /// Why, for those who are cut off.
        reason: &'a str,
    },
    /// List the addresses that are refused by command, and those that are allowed.
    Bans,
    /// Refuse connections from these addresses no more.
    Unban(Vec<Hosts>),
    /// Let no more participants in, or let them in again.
    Lock(bool),
    /// Let these hosts in, and only hosts that are allowed; None: take back what was allowed so.
    Allow(Option<Vec<Hosts>>),
    /// Relay lines among the peers, or stop doing so.
    Relay(bool),
    /// Tell what was moved so far.
    Stats,
    /// Show where a browser joins.
    Qr,
    /// Tell the commands.
    Help,
    /// End the hub.
    Quit,
}

/// What Tab may write in a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// This word.
    Word(String),
    /// The number or the name of a participant that begins with this.
    Member(String),
}

/// The commands, as `/help` tells and Tab completes them: name, arguments, meaning. Of the arguments a word in
/// small letters is written so.
pub const COMMANDS: [(&str, &str, &str); 16] = [
    ("who", "", "who is here, since when, and how far behind"),
    (
        "msg",
        "WHO TEXT",
        "say TEXT to WHO (a number or a name) alone",
    ),
    ("kick", "WHO [REASON]", "cut WHO off, telling REASON"),
    ("name", "WHO [NAME]", "call WHO NAME, or by number only"),
    ("mute", "WHO", "neither show nor relay what WHO says"),
    ("unmute", "WHO", "show and relay it again"),
    (
        "ban",
        "[WHO|HOSTS]",
        "cut off, refuse (telling a REASON), or list who is",
    ),
    ("unban", "HOSTS", "refuse HOSTS no more"),
    ("lock", "", "let nobody else in"),
    ("unlock", "", "let others in again"),
    (
        "allow",
        "HOSTS|all",
        "let in only HOSTS and who is allowed; or all again",
    ),
    ("relay", "on|off", "whether the peers hear each other"),
    ("stats", "", "what was moved so far"),
    ("qr", "", "where a browser joins (--web), for a camera"),
    (
        "help",
        "[COMMAND]",
        "this list, or how COMMAND is used; //x says /x",
    ),
    ("quit", "", "end the hub"),
];

/// How many characters of a typed word a message repeats at most.
const QUOTED: usize = 20;

/// Understands one line that was typed, without its line break.
pub fn understand(line: &str) -> Typed<'_> {
    let is_command = line.starts_with('/') && !line.starts_with("//");
    if !is_command && let Some(word) = command_behind_key(line, Form::Raw) {
        return Typed::Explain(format!(
            "{} was not sent: the key before it moved no cursor here, and a command has nothing before it",
            quoted(&word)
        ));
    }
    let Some(rest) = line.strip_prefix('/') else {
        return match why_no_command(line) {
            Some(why) => Typed::Explain(why),
            None => Typed::Say(line),
        };
    };
    if rest.starts_with('/') {
        return match is_private(line) {
            // Perhaps the key bounced, and `/msg 3 text` was meant.
            true => Typed::Explain(format!(
                "{} was not sent: it may be meant for one alone{}",
                quoted(cut(line).0),
                how_said(line)
            )),
            false => Typed::Say(rest),
        };
    }
    let (word, arguments) = cut(rest);
    match command(line, word, arguments) {
        Ok(command) => Typed::Do(command),
        Err(why) => Typed::Explain(why),
    }
}

/// Understands a line in which U+FFFD stands for bytes that are no UTF-8. Where such bytes begin the
/// line, the text behind them is understood as well: it may be a command behind half a letter.
pub fn understand_garbled(line: &str) -> Typed<'_> {
    match understand(line) {
        Typed::Say(_) => understand(skip_garbled(line)),
        other => other,
    }
}

fn command<'a>(line: &str, word: &str, arguments: &'a str) -> Result<Command<'a>, String> {
    let usage = || match COMMANDS.iter().find(|(name, ..)| *name == word) {
        Some((name, "", meaning)) => {
            format!("nothing was done: /{name} takes nothing behind it ({meaning})")
        }
        Some(command) => format!("nothing was done: {}", usage_of(command)),
        None => no_command(line, word),
    };
    let (first, labelled, rest) = cut_whom(arguments);
    let whom = || match first.trim_end_matches([',', ':']) {
        "" => Err(usage()),
        word => Ok(match word.parse() {
            Ok(number) if labelled.is_empty() => Whom::Number(number),
            Ok(number) => Whom::Label(number, labelled),
            Err(_) => Whom::Name(word),
        }),
    };
    let one_at_a_time = || format!("one at a time, so {}", usage());
    let about = arguments.strip_prefix('/').unwrap_or(arguments);
    let alone = |command| match arguments.is_empty() {
        true => Ok(command),
        false => Err(usage()),
    };
    match word {
        "who" => alone(Command::Who),
        "stats" => alone(Command::Stats),
        "qr" => alone(Command::Qr),
        "help" => match COMMANDS.iter().find(|(name, ..)| *name == about) {
            Some(command) => Err(usage_of(command)),
            None => Ok(Command::Help),
        },
        "quit" => alone(Command::Quit),
        "msg" if !rest.is_empty() => Ok(Command::Message {
            whom: whom()?,
            text: rest,
        }),
        // Numbers are no reason.
        "kick" if is_list(rest) => Err(one_at_a_time()),
        "kick" => Ok(Command::Kick {
            whom: whom()?,
            reason: rest,
        }),
        "name" => Ok(Command::Name {
            whom: whom()?,
            name: rest,
        }),
        "mute" | "unmute" if rest.is_empty() => Ok(Command::Mute {
            whom: whom()?,
            on: word == "mute",
        }),
        "mute" | "unmute" if is_list(rest) => Err(one_at_a_time()),
        "ban" if arguments.is_empty() => Ok(Command::Bans),
        "ban" => Ok(Command::Ban {
            from: match is_hosts(first) {
                true if first.ends_with(',') && !rest.is_empty() => {
                    return Err(String::from(
                        "a list of hosts has no blanks in it: nothing was done",
                    ));
                }
                true => Banned::Hosts(hosts(first)?),
                false if is_list(rest) => return Err(one_at_a_time()),
                false => Banned::Peer(whom()?),
            },
            reason: rest,
        }),
        "unban" if !arguments.is_empty() => match hosts(arguments) {
            Ok(hosts) => Ok(Command::Unban(hosts)),
            Err(why) => Err(format!("{why}; /ban lists what can be taken back")),
        },
        "allow" if arguments == "all" => Ok(Command::Allow(None)),
        "allow" if !arguments.is_empty() => Ok(Command::Allow(Some(hosts(arguments)?))),
        "lock" => alone(Command::Lock(true)),
        "unlock" => alone(Command::Lock(false)),
        "relay" => match arguments {
            "on" => Ok(Command::Relay(true)),
            "off" => Ok(Command::Relay(false)),
            _ => Err(usage()),
        },
        _ => Err(usage()),
    }
}

/// What stands before a line that was not sent, so that it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    /// Two slashes, in place of the one that it begins with.
    Slashes,
    /// A word, since the line may be for one alone.
    Word,
}

/// With what before it a line is said that was not sent, if there is anything.
fn said_with(line: &str) -> Option<Prefix> {
    let seen = skip_garbled(line);
    let rest = seen.strip_prefix(|slash| is_slash(slash) || is_backslash(slash));
    let rest = rest.unwrap_or(seen);
    // Of a line with two slashes nobody knows which of them to replace.
    if !rest.starts_with('/') && !is_private(&format!("//{rest}")) {
        return Some(Prefix::Slashes);
    }
    (!is_private(&format!("word {line}"))).then_some(Prefix::Word)
}

/// The same as it is told behind why the line was not sent; nothing if there is nothing.
pub fn how_said(line: &str) -> &'static str {
    match said_with(line) {
        Some(Prefix::Slashes) => "; // says it",
        Some(Prefix::Word) => "; a word before it says it",
        None => "",
    }
}

/// Why a line is not said that is written as a command and is none.
fn no_command(line: &str, word: &str) -> String {
    let (shown, how) = (quoted(word), how_said(line));
    format!("/{shown} is no command, and was not sent: /help lists them{how}")
}

/// The addresses of a list with commas. A name is refused: the loop would stand still while the
/// resolver is asked (getaddrinfo(3) blocks).
fn hosts(list: &str) -> Result<Vec<Hosts>, String> {
    let words = list.split(',').map(str::trim);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(String::from("no address is given"));
    }
    let host = |word: &str| match Word::parse(word) {
        Ok(Word::Hosts(hosts)) => Ok(hosts),
        Ok(Word::Name(..)) => Err(format!(
            "{} is not looked up while the hub runs: give an address, or a prefix as 192.0.2.0/24",
            quoted(word)
        )),
        Err(why) => Err(format!("{}: {why}", quoted(word))),
    };
    words.into_iter().map(host).collect()
}

/// Whether a word was meant as addresses, even if they are written badly: it has signs that no name
/// of a participant has, and is not the number of one.
fn is_hosts(word: &str) -> bool {
    if let Ok(Word::Hosts(_)) = Word::parse(word) {
        return true;
    }
    let word = word.trim_end_matches([',', ':']);
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    word.contains([':', '/', '*', ',']) || !(is_number || word.contains(char::is_alphabetic))
}

/// Why a line is not said that looks like a command and is none; None: it may be said. Such a line
/// is taken for a mistake: the whole class would read what was meant for one, or a command.
fn why_no_command(line: &str) -> Option<String> {
    let seen = skip_garbled(line);
    let before = &line[..line.len() - seen.len()];
    let slash = seen.chars().next()?;
    let rest = &seen[slash.len_utf8()..];
    let looks: String = plain(rest).collect();
    let word = cut(&looks).0;
    let is_private = is_private(line);
    let is_behind_blanks = before.trim_matches([' ', '\t']).is_empty();
    let is_close_name = is_close_to_command(word);
    if slash == '/' && is_behind_blanks && !(is_private || is_close_name) {
        return is_command_or_for_somebody(rest).then(|| no_command(line, cut(rest).0));
    }
    let is_command = is_private
        || match slash {
            // Invisible characters before the slash make no text of it: where the kernel edits the
            // line, the bytes of an arrow key stay in it.
            '/' => true,
            // No path begins with these, so it is a mistyped command whatever it says.
            '\u{ff0f}' => looks.contains(char::is_alphanumeric),
            '\u{2044}' | '\u{2215}' | '\u{29f8}' | '\u{ff3c}' | '\u{fe68}' => {
                word.starts_with(|letter: char| letter.is_ascii_alphabetic())
            }
            slash if is_slash(slash) => is_close_name,
            slash => is_backslash(slash) && is_close(word, PRIVATE),
        };
    let rule = match slash {
        '/' if before.chars().all(char::is_whitespace) => "has no blank before it",
        '/' => "has nothing before it, seen or not",
        _ => "begins with a plain /",
    };
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let shown = quoted(&seen[..slash.len_utf8() + end]);
    if lacks_its_slash(seen) {
        return Some(why_for_one(line));
    }
    is_command.then(|| {
        let how = how_said(line);
        format!("{shown} was not sent: a command {rule}{how}")
    })
}

/// Why a line is not said that may be for one alone, and how it is said to that one.
pub fn why_for_one(line: &str) -> String {
    let seen = skip_garbled(line);
    let end = seen.find(char::is_whitespace).unwrap_or(seen.len());
    let shown = quoted(&seen[..end]);
    let why = format!("{shown} was not sent: /msg says it to one alone");
    match how_said(line) {
        "" => why,
        how => format!("{why}{how} to everybody"),
    }
}

/// How one of [`COMMANDS`] is used.
fn usage_of((name, arguments, meaning): &(&str, &str, &str)) -> String {
    match *arguments {
        "" => format!("/{name}: {meaning}"),
        arguments => format!("/{name} {arguments}: {meaning}"),
    }
}

/// Whether it is nothing but numbers, perhaps of participants.
fn is_list(text: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_digit() || letter == ' ' || letter == ',';
    !text.is_empty() && text.chars().all(is_part)
}

/// As much of a typed word as its writer needs to recognize it.
pub fn quoted(word: &str) -> Cow<'_, str> {
    match word.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}\u{2026}", &word[..end]).into(),
        None => word.into(),
    }
}

/// Whether a word is the name of a command, or differs from one by a slip of the fingers.
fn is_close_to_command(word: &str) -> bool {
    COMMANDS.iter().any(|&(name, ..)| is_close(word, name))
}

/// The name of the command with which a line begins, whether or not its arguments are complete.
pub fn command_named(line: &str) -> Option<&'static str> {
    // Typed ahead while a shell read keys, Enter is a carriage return in it.
    let word = first_word(line.strip_prefix('/')?).0;
    let mut names = COMMANDS.iter().map(|&(name, ..)| name);
    names.find(|name| *name == word)
}

/// Whether a line with this beginning may still become a command, look like one, or be a private
/// message, so that the hub must wait for its rest. A line that begins with a letter or a digit is
/// none of these, except where `msg` is there, or behind the letter or digit.
pub fn may_become_command(beginning: &str) -> bool {
    let seen = skip_unseen(beginning);
    let mut letters = seen.chars();
    let first = letters.next();
    first.is_none_or(|first| !first.is_ascii_alphanumeric())
        || may_be_private(seen)
        || may_be_private(letters.as_str())
}

/// Whether a typed line with this beginning is a command, or looks like one. Then what is pasted
/// behind it belongs to it, line ends included, and is not said to everybody. Behind two slashes a text is said.
pub fn begins_command(beginning: &str) -> bool {
    let is_text = beginning.starts_with("//");
    (beginning.starts_with('/') && !is_text) || is_explained_with_text(beginning)
}

/// Whether this beginning of a line ends with `ms` behind a slip, and the rest of `msg` would make it a
/// line that is not said. There Tab has to complete the word, too: its user types no more of it, and
/// without the `g` the line would be said to everybody.
///
/// Only what is near the cursor is looked at: each Tab of a long line asks this again.
pub fn is_slip_before_message(beginning: &str) -> bool {
    let begun = beginning.char_indices().rev().nth(SLIP - 1);
    let end = &beginning[begun.map_or(0, |(at, _)| at)..];
    let before = ["ms", "MS"].iter().find_map(|ms| end.strip_suffix(ms));
    before.is_some_and(|before| !before.ends_with(char::is_alphanumeric))
        && is_explained_with_text(&format!("{end}g"))
}

/// Whether a line with this beginning and two more words is neither said nor done.
fn is_explained_with_text(beginning: &str) -> bool {
    let line = format!("{beginning} x x");
    matches!(understand(&line), Typed::Explain(_))
}

/// What may stand for the word with which this beginning of a command ends, by [`COMMANDS`]: its name, or its first
/// argument. Nothing is known of addresses and texts.
pub fn offers(beginning: &str) -> Vec<Offer> {
    let Some(begun) = beginning.strip_prefix('/') else {
        return Vec::new();
    };
    let begins = |begun: String| {
        let names = COMMANDS.iter().map(|&(name, ..)| name);
        names.filter(move |name| name.starts_with(&begun))
    };
    let Some((command, begun)) = begun.split_once(' ') else {
        let names = begins(begun.to_lowercase());
        return names.map(|name| Offer::Word(format!("/{name}"))).collect();
    };
    let known = COMMANDS.iter().find(|(name, ..)| *name == command);
    let arguments = known.map_or("", |(_, arguments, _)| arguments);
    let first = arguments.split(' ').next().unwrap_or_default();
    let offers = |argument: &str| match argument {
        "WHO" => vec![Offer::Member(begun.into())],
        "COMMAND" => begins(begun.into())
            .map(|name| Offer::Word(name.into()))
            .collect(),
        word if word.starts_with(char::is_lowercase) && word.starts_with(begun) => {
            vec![Offer::Word(word.into())]
        }
        _ => Vec::new(),
    };
    first
        .trim_matches(['[', ']'])
        .split('|')
        .flat_map(offers)
        .collect()
}

/// One line of the list of commands, for a terminal of 80 columns with `muxnc: ` before it.
pub fn help((name, arguments, meaning): (&str, &str, &str)) -> String {
    format!("{:20}{meaning}", format!("/{name} {arguments}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_names_a_command_is_one_of_them() {
        for (line, name) in [
            ("/mute 1", Some("mute")),
            ("/who\rfin", Some("who")),
            ("/quit", Some("quit")),
            ("/name", Some("name")),
            ("/mutes 1", None),
            ("/etc/passwd", None),
            ("//who", None),
            ("who", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(command_named(line), name, "{line:?}");
        }
    }

    #[test]
    fn lines_are_said_and_slashes_can_be() {
        assert_eq!(understand("hello"), Typed::Say("hello"));
        assert_eq!(understand(" /etc/passwd"), Typed::Say(" /etc/passwd"));
        assert_eq!(understand(" //who"), Typed::Say(" //who"));
        for line in [
            "／／",
            "ノート",
            "丿 is a stroke",
            "∕ 2",
            "\\quit",
            "\u{feff}x",
            "-/msg",
            "msg me later",
            "a msg 3 people",
            "# msg 3 people",
            "{ \"msg\": \"hello\" }",
            "./msg.py 3 x",
            "ask: /msg 3 psst says it",
            "你好 msg 3 人",
            " /etc/passwd is a file",
            "  // comment",
            "\t/* x */",
            "  /usr/bin/env x",
            " /1/2 of it",
            " /2",
            " / 2 x",
        ] {
            assert_eq!(understand(line), Typed::Say(line));
        }
        for line in ["//etc/passwd", "//who", "//messages 3 x"] {
            assert_eq!(understand(line), Typed::Say(&line[1..]));
        }
        assert_eq!(understand(""), Typed::Say(""));
    }

    #[test]
    fn behind_what_is_not_seen_is_no_command_and_nothing_to_be_said() {
        for key in [
            "\x1b[A",
            "\x1bOA",
            "\x1b[1;5C",
            "\x1b[3~",
            "\x1b[3$",
            "\x1b[[E",
            "\x1bOP",
            "\x1b[A\x1b[B",
            "\x1b[200~",
            "\u{200b}",
            "\u{a0}",
            "\u{3000}",
            "\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
            "\x1b[<0;10;5M",
        ] {
            for line in [
                "/Ana psst",
                "/2 psst",
                "/tell Ana psst",
                "/who",
                "/msg 2 psst",
            ] {
                let line = format!("{key}{line}");
                for typed in [understand(&line), understand_garbled(&line)] {
                    assert!(matches!(typed, Typed::Explain(_)), "{line:?}: {typed:?}");
                }
            }
            let line = format!("{key}.msg 2 psst");
            assert!(matches!(understand(&line), Typed::Explain(_)), "{line:?}");
            let line = format!("{key}hello");
            assert_eq!(understand(&line), Typed::Say(&line));
        }
    }

    #[test]
    fn a_slip_before_half_a_message_is_known() {
        for beginning in [".ms", "//ms", "ok/ms", "well ok/ms", "-ms", "#ms", " /ms"] {
            assert!(is_slip_before_message(beginning), "{beginning}");
        }
        for beginning in [
            "5ms", "ms", "- ms", "//forms", "forms", ".forms", ".m", "say /ms", "/ms",
        ] {
            assert!(!is_slip_before_message(beginning), "{beginning}");
        }
    }

    #[test]
    fn commands_are_understood() {
        let one = |ip: &str| Hosts::prefix(ip.parse().unwrap(), None).unwrap();
        let cases = [
            ("/who", Command::Who),
            (
                "/msg 3  well done, Ana ",
                Command::Message {
                    whom: Whom::Number(3),
                    text: "well done, Ana",
                },
            ),
            (
                "/msg Ana: well done",
                Command::Message {
                    whom: Whom::Name("Ana"),
                    text: "well done",
                },
            ),
            (
                "/kick 4",
                Command::Kick {
                    whom: Whom::Number(4),
                    reason: "",
                },
            ),
            (
                "/kick 4 too loud",
                Command::Kick {
                    whom: Whom::Number(4),
                    reason: "too loud",
                },
            ),
            (
                "/name 2 Ana-1",
                Command::Name {
                    whom: Whom::Number(2),
                    name: "Ana-1",
                },
            ),
            (
                "/name 漢字",
                Command::Name {
                    whom: Whom::Name("漢字"),
                    name: "",
                },
            ),
            (
                "/mute 7",
                Command::Mute {
                    whom: Whom::Number(7),
                    on: true,
                },
            ),
            (
                "/unmute 7of9",
                Command::Mute {
                    whom: Whom::Name("7of9"),
                    on: false,
                },
            ),
            ("/ban", Command::Bans),
            (
                "/ban 7",
                Command::Ban {
                    from: Banned::Peer(Whom::Number(7)),
                    reason: "",
                },
            ),
            (
                "/ban Ana too loud",
                Command::Ban {
                    from: Banned::Peer(Whom::Name("Ana")),
                    reason: "too loud",
                },
            ),
            (
                "/ban 192.0.2.0/24",
                Command::Ban {
                    from: Banned::Hosts(hosts("192.0.2.0/24").unwrap()),
                    reason: "",
                },
            ),
            (
                "/ban 192.0.2.1,2001:db8:: too loud",
                Command::Ban {
                    from: Banned::Hosts(vec![one("192.0.2.1"), one("2001:db8::")]),
                    reason: "too loud",
                },
            ),
            (
                "/ban [3 Ana] too loud",
                Command::Ban {
                    from: Banned::Peer(Whom::Label(3, "Ana")),
                    reason: "too loud",
                },
            ),
            (
                "/kick [3]",
                Command::Kick {
                    whom: Whom::Number(3),
                    reason: "",
                },
            ),
            (
                "/msg [3 Ana]: well done",
                Command::Message {
                    whom: Whom::Label(3, "Ana"),
                    text: "well done",
                },
            ),
            (
                "/msg <Ana>: well done",
                Command::Message {
                    whom: Whom::Name("Ana"),
                    text: "well done",
                },
            ),
            (
                "/msg <Ana, to you alone> well done",
                Command::Message {
                    whom: Whom::Name("Ana"),
                    text: "well done",
                },
            ),
            (
                "/msg <@room2>well done",
                Command::Message {
                    whom: Whom::Name("@room2"),
                    text: "well done",
                },
            ),
            (
                "/kick <Ana@room2> too loud",
                Command::Kick {
                    whom: Whom::Name("Ana@room2"),
                    reason: "too loud",
                },
            ),
            (
                "/ban <Ana>",
                Command::Ban {
                    from: Banned::Peer(Whom::Name("Ana")),
                    reason: "",
                },
            ),
            (
                "/mute <Ana>",
                Command::Mute {
                    whom: Whom::Name("Ana"),
                    on: true,
                },
            ),
            (
                "/name <Ana> Bea",
                Command::Name {
                    whom: Whom::Name("Ana"),
                    name: "Bea",
                },
            ),
            ("/unban ::1", Command::Unban(vec![one("::1")])),
            (
                "/allow 192.0.2.1,, 192.0.2.2",
                Command::Allow(Some(vec![one("192.0.2.1"), one("192.0.2.2")])),
            ),
            (
                "/allow 192.0.2.*",
                Command::Allow(Some(hosts("192.0.2.*").unwrap())),
            ),
            ("/allow all", Command::Allow(None)),
            ("/lock", Command::Lock(true)),
            ("/unlock", Command::Lock(false)),
            ("/relay on", Command::Relay(true)),
            ("/relay off", Command::Relay(false)),
            ("/stats", Command::Stats),
            ("/help", Command::Help),
            ("/help me", Command::Help),
            ("/quit", Command::Quit),
        ];
        for (line, command) in cases {
            assert_eq!(understand(line), Typed::Do(command), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told() {
        for (line, told) in [
            ("/ban 192.0.2.300", "192.0.2.300: not an address"),
            (
                "/ban 127.0.0.010 loud",
                "127.0.0.010: ambiguous: a number that begins with 0 may be octal",
            ),
            (
                "/ban 192.0.2.0/33",
                "192.0.2.0/33: an IPv4 address has 32 bits",
            ),
            (
                "/ban 192.0.2.1, 192.0.2.2",
                "a list of hosts has no blanks in it: nothing was done",
            ),
            (
                "/allow 0x7f.1",
                "0x7f.1: ambiguous: an address has four decimal numbers",
            ),
            (
                "/allow 192.0.2.1,x:",
                "x:: not an address, and not the name of a host",
            ),
            (
                "/unban 2",
                "2: not an address; /ban lists what can be taken back",
            ),
        ] {
            assert_eq!(understand(line), Typed::Explain(told.into()), "{line}");
        }
    }

    /// Where it is told how a command is used, nobody takes that for what was done.
    #[test]
    fn what_is_wrong_behind_a_command_is_told() {
        let alone = |name| format!("nothing was done: /{name} takes nothing behind it (");
        let done = "nothing was done: ";
        for (line, told) in [
            ("/lock on", alone("lock")),
            ("/unlock now", alone("unlock")),
            ("/quit now", alone("quit")),
            ("/who 3", alone("who")),
            ("/mute 1 2", format!("one at a time, so {done}/mute WHO: ")),
            (
                "/unmute 1, 2",
                format!("one at a time, so {done}/unmute WHO: "),
            ),
            (
                "/kick 1 2",
                format!("one at a time, so {done}/kick WHO [REASON]: "),
            ),
            (
                "/ban 1 2",
                format!("one at a time, so {done}/ban [WHO|HOSTS]: "),
            ),
            ("/mute Ana Ben", format!("{done}/mute WHO: ")),
            ("/mute", format!("{done}/mute WHO: ")),
            ("/msg 3", format!("{done}/msg WHO TEXT: ")),
            ("/relay maybe", format!("{done}/relay on|off: ")),
            ("/help lock", String::from("/lock: let nobody else in")),
        ] {
            let Typed::Explain(why) = understand(line) else {
                panic!("{line} was understood");
            };
            assert!(why.starts_with(&told), "{line}: {why}");
        }
    }

    #[test]
    fn nothing_mistyped_is_said() {
        for line in [
            "/",
            "/whoo",
            "/who 3",
            "/msg",
            "/msg 3",
            "/msg , hi",
            "/kick",
            "/kick 1 2",
            "/kick 1 2, 3",
            "/ban 1 2",
            "/help kick",
            "/help /qr",
            "/name",
            "/mute",
            "/mute 1 2",
            "/unban",
            "/unban Ana",
            "/unban 192.0.2.7 192.0.2.8",
            "/allow",
            "/allow example.org",
            "/allow 192.0.2.0/33",
            "/lock 3",
            "/unlock now",
            "/relay",
            "/relay maybe",
            "/quit now",
            " /who",
            "\t/msg 3 psst",
            "  /MSG 3 psst",
            "/msg3 hi",
            " /msg3 hi",
            " /mgs 3 hi",
            " /what",
            " /whisper 1 hi",
            "\t/w Ben x",
            " /1 x",
            " /user3 x",
            " /[1 Ben] x",
            " /[Ben]x",
            " /Ben: x",
            " /Ben@room2 x",
            " /room2/3 x",
            "\u{a0}/quit",
            "\u{3000}/ｍｓｇ ３ hi",
            "／mgs 3 hi",
            "／msg　3 hi",
            "\u{1f67c}kick 3",
            "ノwho",
            "\\msg 3 psst",
            "＼msg 3 psst",
            "＼who",
            "\u{fe68}quit",
            "\x1b[D/msg 3 psst",
        ] {
            assert!(matches!(understand(line), Typed::Explain(_)), "{line}");
        }
        for slash in "／∕⁄⧸╱⟋\u{338}".chars() {
            let line = format!("{slash}msg 3 psst");
            let why = format!(
                "{slash}msg was not sent: a command begins with a plain /; a word before it says it"
            );
            assert_eq!(understand(&line), Typed::Explain(why));
            assert!(is_private(&line), "{line}");
        }
        for unseen in
            "\u{200b}\u{feff}\u{2060}\u{ad}\u{200e}\u{115f}\u{3164}\u{2800}\u{e0020}\u{301}".chars()
        {
            let line = format!("{unseen}/msg 3 psst");
            let why = "/msg was not sent: a command has nothing before it, seen or not";
            let why = format!("{why}{}", how_said(&line));
            assert_eq!(understand(&line), Typed::Explain(why));
            assert!(is_private(&line), "{line}");
            let line = format!("/{unseen}msg 3 psst");
            assert!(matches!(understand(&line), Typed::Explain(_)), "{line}");
            assert!(is_private(&line), "{line}");
        }
    }

    /// Where the kernel edits, Backspace takes the end of a key or of a mark, and a command is typed behind the rest.
    #[test]
    fn no_command_behind_a_part_of_a_key_is_said() {
        for key in [
            "\x1b",
            "\x1b[",
            "\x1b[3",
            "\x1b[201",
            "\x1b[1;",
            "\x1b[1;5",
            "\x1b[?",
            "\x1b[?1",
            "\x1b[?1$",
            "\x1b[<0;1",
            "\x1b[[",
            "\x1bO",
            "\x1bO2",
            "\x1bO1;5",
            "\x1b?",
            "\x1b[M",
            "\x1b[M ",
            "\x1b[M 0",
            "\u{9b}",
            "\u{9b}3",
            "\x1b[A\x1b[3",
        ] {
            for command in [
                "/msg 1 x",
                " /msg 1 x",
                "／msg 1 x",
                "⁄msg 1 x",
                "\\msg 1 x",
                ".msg 1 x",
                "-msg 1 x",
                "7msg 1 x",
                "MSG/1 x",
                "/mgs 1 x",
                "/1 x",
                "/who",
                "/whoo",
            ] {
                let line = format!("{key}{command}");
                assert!(matches!(understand(&line), Typed::Explain(_)), "{line:?}");
                assert!(is_private(&line) || !is_private(command), "{line:?}");
            }
            for text in ["hello", " hello", "msgs are sent", "人", "#1 is x"] {
                let line = format!("{key}{text}");
                assert_eq!(understand(&line), Typed::Say(&line));
            }
        }
    }

    /// Whoever does as it is told has said it.
    #[test]
    fn what_is_told_to_say_a_line_says_it() {
        for line in [
            "/mgs Ana x",
            "/MSG 1 x",
            "/msgAna x",
            "/smg 1 x",
            "/ms 1 x",
            "/whoo",
            "/shrug",
            " /shrug",
            "/2 x",
            " /2 x",
            "msg 3 x",
            " MSG #3: x",
            "//msg 3 x",
            "//mgs 3 x",
            "x/msg 3 x",
            "/whoo/msg 3 x",
            "/me /msg 3 x",
            "/\tme\x1b[Dmsg",
            "/\x1b[Dmsg/msg x",
            "//msgAna x",
            "／msg 3 x",
            "／who",
            "\x1b[D/who",
            "\x1b[D//who",
        ] {
            let Typed::Explain(why) = understand(line) else {
                panic!("{line} was understood");
            };
            check_advice(line, &why);
        }
    }

    /// Whoever does as it is told has said it.
    fn check_advice(line: &str, why: &str) {
        let why = why.replace("/msg says it to one alone", "");
        let again = if why.contains("; a word before it says it") {
            format!("she {line}")
        } else if why.contains("; // says it") {
            let from = line.find(|sign| is_slash(sign) || is_backslash(sign));
            let slash = line[from.unwrap()..].chars().next().unwrap();
            format!("//{}", &line[from.unwrap() + slash.len_utf8()..])
        } else {
            assert!(!why.contains(" says it"), "{line:?}: {why}");
            assert_eq!(said_with(line), None, "{line:?}: {why}");
            return;
        };
        let is_said = matches!(understand(&again), Typed::Say(_));
        assert!(is_said, "{line:?}: {why}: {again:?}");
    }

    proptest! {
        #[test]
        fn no_advice_is_answered_with_the_same(
            line in "[ /\t]{0,3}[/／.7]?(\x1b\\[[ADH])?(msg|mgs|me|whoo|2|Ana)[ \t]{0,2}(\x1b\\[[ADH])?[/ ]?(msg|3|Ana)?( x)?",
        ) {
            if let Typed::Explain(why) = understand(&line) && why.contains(" was not sent") && !why.contains("moved no cursor") {
                check_advice(&line, &why);
            }
        }
    }

    #[test]
    fn of_a_long_word_the_beginning_is_told() {
        let word = "\u{e9}".repeat(1000);
        for line in [format!("/{word}"), format!("\u{2044}a{word}")] {
            let Typed::Explain(why) = understand(&line) else {
                panic!("{line} was understood");
            };
            assert!(
                why.contains('\u{2026}') && why.chars().count() < 130,
                "{why}"
            );
        }
    }

    #[test]
    fn the_list_of_commands_fits_a_terminal() {
        for command in COMMANDS {
            let line = format!("muxnc: {}", help(command));
            assert!(line.len() <= 80, "{line}");
            assert!(line.contains("  "), "{line}");
        }
    }

    /// What is offered is done, or told of, as it is written then; and a participant is offered where a command is
    /// about one.
    #[test]
    fn what_tab_offers_is_what_a_command_takes() {
        for (name, arguments, _) in COMMANDS {
            let text = match arguments.split_once(' ') {
                Some((_, "TEXT")) => " psst",
                _ => "",
            };
            let offered = offers(&format!("/{name} "));
            for offer in &offered {
                let word = match offer {
                    Offer::Word(word) => word,
                    Offer::Member(_) => "3",
                };
                let is_taken = match understand(&format!("/{name} {word}{text}")) {
                    Typed::Do(_) => true,
                    Typed::Explain(why) => why.starts_with(&format!("/{word}")),
                    Typed::Say(_) => false,
                };
                assert!(is_taken, "/{name} {word}");
                let begun: String = word.chars().take(1).collect();
                assert!(
                    offers(&format!("/{name} {begun}"))
                        .iter()
                        .any(|offer| match offer {
                            Offer::Word(offered) => offered == word,
                            Offer::Member(offered) => *offered == begun,
                        })
                );
            }
            let is_about_one = match understand(&format!("/{name} 3{text}")) {
                Typed::Do(command) => format!("{command:?}").contains("Number(3)"),
                _ => false,
            };
            let is_offered = offered.contains(&Offer::Member(String::new()));
            assert_eq!(is_offered, is_about_one, "{name}");
            assert!(!arguments.is_empty() || offered.is_empty(), "{name}");
            for end in 0..=name.len() {
                for begun in [name[..end].to_owned(), name[..end].to_uppercase()] {
                    let offered = offers(&format!("/{begun}"));
                    assert!(offered.contains(&Offer::Word(format!("/{name}"))));
                    assert!(begun.is_empty() || offered.len() < COMMANDS.len());
                }
            }
        }
        let words = |beginning| match &offers(beginning)[..] {
            [Offer::Word(word)] => word.clone(),
            other => panic!("{beginning}: {other:?}"),
        };
        assert_eq!(words("/MS"), "/msg");
        assert_eq!(words("/allow "), "all");
        assert_eq!(words("/help ki"), "kick");
        for beginning in [
            "/allow 1", "/unban ", "/help 1", "/who ", "/MSG ", "/nosuch ", "//w", " /w", "w", "",
        ] {
            assert_eq!(offers(beginning), [], "{beginning}");
        }
    }

    #[test]
    fn every_command_listed_is_known() {
        for (name, ..) in COMMANDS {
            if let Typed::Explain(why) = understand(&format!("/{name} ? ?")) {
                assert!(!why.contains("is no command"), "{name}: {why}");
                assert!(!why.contains(" :"), "{why}");
            }
        }
    }
}
