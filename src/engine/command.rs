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
use crate::engine::lookalike::bare;
use crate::engine::lookalike::is_backslash;
use crate::engine::lookalike::is_slash;
use crate::engine::lookalike::plain;
use crate::engine::lookalike::plain_letter;
use crate::engine::lookalike::skip_unseen;

/// What a typed line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed<'a> {
    /// To be said.
    Say(&'a str),
    /// To be done.
    Do(Command<'a>),
    /// Neither: what was wrong with it.
    Explain(String),
}

/// Whom a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom<'a> {
    /// The peer with the number of its label.
    Number(u32),
    /// The peer of that name, if there is one.
    Name(&'a str),
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
    /// Refuse whoever comes from somewhere, and cut off who came from there.
    Ban {
        /// From where.
        from: Banned<'a>,
        /// Why, for those who are cut off.
        reason: &'a str,
    },
    /// List who is refused by command, and who is allowed.
    Bans,
    /// Refuse them no more.
    Unban(Vec<Hosts>),
    /// Let nobody else in, or do so again.
    Lock(bool),
    /// Let these in, and only those who are allowed; None: take back what was allowed so.
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

/// The commands, as `/help` tells and Tab completes them: name, arguments, meaning.
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
        "cut off and refuse an address, or list who is",
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
    ("help", "", "this list; //x says /x"),
    ("quit", "", "end the hub"),
];

/// The command by which something is said to one alone.
const PRIVATE: &str = "msg";
const FIRST: char = 'm';

/// What may stand before a number.
const BEFORE_NUMBER: &str = "#([<{@\u{2116}";

/// What begins a quotation.
const QUOTES: [char; 14] = [
    '"', '\'', '`', '\u{ab}', '\u{bb}', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}', '\u{201c}',
    '\u{201d}', '\u{201e}', '\u{2039}', '\u{203a}',
];

/// Of a longer word that was typed so many characters are told.
const QUOTED: usize = 20;

/// Understands one line that was typed, without its line break.
pub fn understand(line: &str) -> Typed<'_> {
    let Some(rest) = line.strip_prefix('/') else {
        return match why_no_command(line) {
            Some(why) => Typed::Explain(why),
            None => Typed::Say(line),
        };
    };
    if rest.starts_with('/') {
        return Typed::Say(rest);
    }
    let (word, arguments) = cut(rest);
    match command(word, arguments) {
        Ok(command) => Typed::Do(command),
        Err(why) => Typed::Explain(why),
    }
}

fn command<'a>(word: &str, arguments: &'a str) -> Result<Command<'a>, String> {
    let usage = || match COMMANDS.iter().find(|(name, ..)| *name == word) {
        Some((name, "", meaning)) => format!("/{name}: {meaning}"),
        Some((name, arguments, meaning)) => format!("/{name} {arguments}: {meaning}"),
        None => {
            let word = quoted(word);
            format!("/{word} is no command, and was not sent: /help lists them, //{word} says it")
        }
    };
    let (first, rest) = cut_whom(arguments);
    let whom = || match first.trim_end_matches([',', ':']) {
        "" => Err(usage()),
        word => Ok(match word.parse() {
            Ok(number) => Whom::Number(number),
            Err(_) => Whom::Name(word),
        }),
    };
    let alone = |command| match arguments.is_empty() {
        true => Ok(command),
        false => Err(usage()),
    };
    match word {
        "who" => alone(Command::Who),
        "stats" => alone(Command::Stats),
        "qr" => alone(Command::Qr),
        "help" => alone(Command::Help),
        "quit" => alone(Command::Quit),
        "msg" if !rest.is_empty() => Ok(Command::Message {
            whom: whom()?,
            text: rest,
        }),
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
        "ban" if arguments.is_empty() => Ok(Command::Bans),
        "ban" => Ok(Command::Ban {
            from: match is_hosts(first) {
                true if first.ends_with(',') && !rest.is_empty() => {
                    return Err(String::from(
                        "a list of hosts has no blanks in it: nothing was done",
                    ));
                }
                true => Banned::Hosts(hosts(first)?),
                false => Banned::Peer(whom()?),
            },
            reason: rest,
        }),
        "unban" if !arguments.is_empty() => Ok(Command::Unban(hosts(arguments)?)),
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

/// Addresses, which are known without looking anything up, with commas between them.
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

/// Whether a word is meant for addresses, well or badly written: it is no number, and no name has such signs in it.
fn is_hosts(word: &str) -> bool {
    if let Ok(Word::Hosts(_)) = Word::parse(word) {
        return true;
    }
    let word = word.trim_end_matches([',', ':']);
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    word.contains([':', '/', '*', ',']) || !(is_number || word.contains(char::is_alphabetic))
}

/// Why a line that looks like a command and is none was not said. Nobody says such a thing on purpose.
fn why_no_command(line: &str) -> Option<String> {
    let seen = skip_unseen(line);
    let slash = seen.chars().next()?;
    let rest = &seen[slash.len_utf8()..];
    let looks: String = plain(rest).collect();
    let word = cut(&looks).0;
    let is_command = is_private(line)
        || match slash {
            '/' => is_close_to_command(word),
            // No path begins with these, so it is a mistyped command whatever it says.
            '\u{ff0f}' | '\u{2044}' | '\u{2215}' | '\u{29f8}' | '\u{ff3c}' | '\u{fe68}' => {
                word.starts_with(|letter: char| letter.is_ascii_alphabetic())
            }
            slash if is_slash(slash) => is_close_to_command(word),
            slash => is_backslash(slash) && is_close(word, PRIVATE),
        };
    let before = &line[..line.len() - seen.len()];
    let rule = match slash {
        '/' if before.chars().all(char::is_whitespace) => "has no blank before it",
        '/' => "has nothing before it, seen or not",
        _ => "begins with a plain /",
    };
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let shown = quoted(&seen[..slash.len_utf8() + end]);
    is_command.then(|| format!("{shown} was not sent: a command {rule}; // says it"))
}

/// As much of a word that was typed as is known again.
pub fn quoted(word: &str) -> Cow<'_, str> {
    match word.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}\u{2026}", &word[..end]).into(),
        None => word.into(),
    }
}

/// Whether a word is the name of a command, or almost.
fn is_close_to_command(word: &str) -> bool {
    COMMANDS.iter().any(|&(name, ..)| is_close(word, name))
}

/// Whether one meant `name` with what looks like `word`, perhaps with the number behind it: at most one
/// letter is missing, too many or another one, or two stand the wrong way round.
fn is_close(word: &str, name: &str) -> bool {
    let word = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if !word.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return false;
    }
    let (mut one, mut other) = (word, name);
    while let (Some(a), Some(b)) = (one.chars().next(), other.chars().next())
        && a == b
    {
        (one, other) = (&one[a.len_utf8()..], &other[b.len_utf8()..]);
    }
    while let (Some(a), Some(b)) = (one.chars().next_back(), other.chars().next_back())
        && a == b
    {
        one = &one[..one.len() - a.len_utf8()];
        other = &other[..other.len() - b.len_utf8()];
    }
    match (one.chars().count(), other.chars().count()) {
        (0 | 1, 0 | 1) => true,
        (2, 2) => one.chars().rev().eq(other.chars()),
        _ => false,
    }
}

/// Whether a line that begins so may become a command, be taken for one, or be for one alone: what follows
/// decides what it is. A line that begins with a letter or a digit is neither, but for the 7 that is on the key of the
/// slash.
pub fn may_become_command(beginning: &str) -> bool {
    let first = skip_unseen(beginning).chars().next();
    first.is_none_or(|first| first == '7' || !first.is_ascii_alphanumeric())
}

/// Whether a line would be said to one peer alone if it were typed, or looks so. Pasted it is no
/// command, but must not be said to everybody, either.
///
/// It does if it begins with what is taken for a slash and `msg`, or what is almost that with a number
/// and a text; or with `msg`, a number or a name, and a text directly behind a 7 or anything else that is no word:
/// signs, and one letter of another script at most. The number may stand in brackets or behind a sign, and the
/// text directly behind it; no name is behind a quotation mark. Blanks and what is not seen do not matter.
pub fn is_private(line: &str) -> bool {
    !line.starts_with("//") && looks_private(line)
}

/// The same of somebody to whom `//` means nothing, and of a line as it came or as it is shown.
///
/// In one sentence: before `msg`, a name or a number and a text there is nothing but signs, directly or with a slash
/// behind them.
pub(super) fn looks_private(line: &str) -> bool {
    let bare = bare(line);
    let seen = skip_unseen(&bare);
    let sign = |letter| is_slash(letter) || is_backslash(letter);
    // What was not seen may have stood between it and the name.
    let is_hidden = matches!(bare, Cow::Owned(_));
    let joined = |rest: &str| {
        let looks: String = plain(rest).collect();
        is_hidden && looks.strip_prefix(PRIVATE).is_some_and(has_text)
    };
    seen.strip_prefix(sign)
        .is_some_and(|rest| is_message(rest, true) || joined(rest))
        // The key of the slash without Shift, on keyboards of German and many other languages.
        || seen.strip_prefix('7').is_some_and(|rest| is_message(rest, false))
        || is_behind_a_sign(seen)
}

/// Whether something that is no word stands before a message, without a blank between.
fn is_behind_a_sign(seen: &str) -> bool {
    let mut words = 0;
    let mut after_blank = true;
    for (at, letter) in seen.char_indices() {
        let begins = !after_blank && plain_letter(letter).eq_ignore_ascii_case(&FIRST);
        if begins && seen[..at].ends_with(|sign| is_slash(sign) || is_backslash(sign)) {
            return is_behind_slash(&seen[at..], &['.', '/', '-', '_']);
        }
        if begins && is_message(&seen[at..], false) {
            let is_quoted = seen[..at].ends_with(QUOTES);
            return !is_quoted || is_to_number(&seen[at..]);
        }
        words += usize::from(letter.is_alphanumeric());
        if words > 1 || letter.is_ascii_alphanumeric() {
            return false;
        }
        after_blank = letter.is_whitespace();
    }
    false
}

/// Whether it says what is to be said to whom; behind a slash, what is almost that does.
fn is_message(text: &str, behind_slash: bool) -> bool {
    let looks: String = plain(text).collect();
    let looks = looks.trim_start();
    let private = named(looks).filter(|&(name, _)| name == PRIVATE);
    match behind_slash {
        true => {
            private.is_some() || is_almost_message(looks) || is_behind_slash(looks, &['.', '/'])
        }
        false => private.is_some_and(|(_, arguments)| {
            begins_with_number(arguments) || begins_with_name(arguments)
        }),
    }
}

/// Whether it is `msg` with anything behind it that is no letter, nor `joins` it to a path or a longer name, then a name
/// or a number, and a text.
fn is_behind_slash(text: &str, joins: &[char]) -> bool {
    let looks: String = plain(text).collect();
    let Some(arguments) = looks.strip_prefix(PRIVATE) else {
        return false;
    };
    let whom = arguments.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let is_apart = whom.len() < arguments.len() || whom.starts_with(char::is_numeric);
    is_apart && !arguments.starts_with(joins) && has_text(whom)
}

/// Whether a text follows a word.
fn has_text(arguments: &str) -> bool {
    let text = arguments.split_once([' ', ',', ':', ';']);
    text.is_some_and(|(_, text)| text.contains(char::is_alphanumeric))
}

/// Whether it is almost `msg`, a number, perhaps directly behind that, and a text.
fn is_almost_message(looks: &str) -> bool {
    let (word, arguments) = cut(looks);
    let name = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let arguments = match name.len() == word.len() {
        true => arguments,
        false => &looks[name.len()..],
    };
    is_close(name, PRIVATE) && begins_with_number(arguments)
}

/// Whether it says what is to be said to a number.
fn is_to_number(text: &str) -> bool {
    let looks: String = plain(text).collect();
    named(&looks).is_some_and(|(_, arguments)| begins_with_number(arguments))
}

/// The name of a command, and what follows it: behind a blank, or a number directly.
fn named(looks: &str) -> Option<(&str, &str)> {
    let end = looks.find(|letter: char| !letter.is_alphabetic());
    let (name, rest) = looks.split_at(end.unwrap_or(looks.len()));
    let is_number = |letter: char| letter.is_numeric() || BEFORE_NUMBER.contains(letter);
    let is_name = rest.is_empty() || rest.starts_with(' ') || rest.starts_with(is_number);
    is_name.then_some((name, rest.trim_start()))
}

/// Whether it is a number, perhaps in brackets or behind a sign, and a text, perhaps directly behind it.
fn begins_with_number(arguments: &str) -> bool {
    let from = arguments
        .trim_start_matches(|letter: char| letter == ' ' || BEFORE_NUMBER.contains(letter));
    let text = from.trim_start_matches(char::is_numeric);
    let is_number = text.len() < from.len();
    is_number
        && !text
            .trim_start_matches(|letter: char| " ,:;.)]>}".contains(letter))
            .is_empty()
}

/// Whether it is a word that may be a name, and a text.
fn begins_with_name(arguments: &str) -> bool {
    let (word, text) = cut(arguments);
    let word = word.trim_start_matches(|letter: char| BEFORE_NUMBER.contains(letter));
    word.starts_with(char::is_alphabetic) && !text.is_empty()
}

/// One line of the list of commands, for a terminal of 80 columns with `muxnc: ` before it.
pub fn help((name, arguments, meaning): (&str, &str, &str)) -> String {
    format!("{:20}{meaning}", format!("/{name} {arguments}"))
}

/// Whom a command is about, and what follows it. A label as it stands before a line, `[3 Ana]`, means its number.
fn cut_whom(text: &str) -> (&str, &str) {
    let label = text.strip_prefix('[').and_then(|text| text.split_once(']'));
    let Some((label, rest)) = label else {
        return cut(text);
    };
    let (first, _) = cut(label.trim_matches(' '));
    (first, rest.trim_start_matches([',', ':']).trim_matches(' '))
}

/// The first word and what follows it.
fn cut(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "msg 3 people",
            "# msg 3 people",
            "{ \"msg\": \"hello\" }",
            "./msg.py 3 x",
            "ask: /msg 3 psst says it",
            "你好 msg 3 人",
            " /what",
        ] {
            assert_eq!(understand(line), Typed::Say(line));
        }
        assert_eq!(understand("//etc/passwd"), Typed::Say("/etc/passwd"));
        assert_eq!(understand(""), Typed::Say(""));
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
                    from: Banned::Peer(Whom::Number(3)),
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
                    whom: Whom::Number(3),
                    text: "well done",
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
            ("/unban ,", "no address is given"),
        ] {
            assert_eq!(understand(line), Typed::Explain(told.into()), "{line}");
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
            let why =
                format!("{slash}msg was not sent: a command begins with a plain /; // says it");
            assert_eq!(understand(&line), Typed::Explain(why));
            assert!(is_private(&line), "{line}");
        }
        for unseen in
            "\u{200b}\u{feff}\u{2060}\u{ad}\u{200e}\u{115f}\u{3164}\u{2800}\u{e0020}\u{301}".chars()
        {
            let line = format!("{unseen}/msg 3 psst");
            let why = "/msg was not sent: a command has nothing before it, seen or not; // says it";
            assert_eq!(understand(&line), Typed::Explain(why.into()));
            assert!(is_private(&line), "{line}");
            let line = format!("/{unseen}msg 3 psst");
            assert!(matches!(understand(&line), Typed::Explain(_)), "{line}");
            assert!(is_private(&line), "{line}");
        }
    }

    /// What stands between the signs, `msg`, a name and a text does not matter.
    #[test]
    fn what_could_be_for_one_alone_is_not_said() {
        for line in [
            "> /msg Ben S",
            ">/msg Ben S",
            ">> * /msg Ben S",
            ":/msg Ben S",
            "\"/msg Ben S",
            "'/msg Ben S",
            "*/msg Ben S",
            "/ /msg Ben S",
            "/msg: Ben S",
            "/msg, Ben S",
            "/msg@Ben S",
            "/msg:Ben: S",
            "/msg-Ben S",
            "/msg\u{200b}Ben S",
            "/msg\0Ben S",
            "/msg\u{b}Ben S",
            "/msg\u{c}Ben S",
            "/msg\u{85}Ben S",
            "/msg\u{2028}Ben S",
            "!msg Ben S",
            "#msg Ben S",
            "-msg Ben S",
            ".msg Ben S",
            "\x1bOA/msg Ben S",
            "\x7f/msg Ben S",
            "x\x7f/msg Ben S",
        ] {
            assert!(is_private(line), "{line:?}");
            assert!(matches!(understand(line), Typed::Explain(_)), "{line:?}");
        }
        for line in ["//msg Ben S", "///msg Ben S", "//msg: Ben S"] {
            assert!(looks_private(line) && !is_private(line), "{line}");
        }
        for line in [
            "- msg me later",
            "* msg Ben about it",
            "// msg me later",
            "\"msg\" is short",
            "say /msg Ben hi to whisper",
            "2 < 3 ^ 4 /msg",
            "/msg.txt",
            "/msg/msg.txt",
            "/messages are new here",
            "./msg.py Ben x",
            "./msg-tool Ben x",
            "<b>msg Ben hi</b>",
        ] {
            assert!(!looks_private(line), "{line}");
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

    #[test]
    fn what_is_for_one_alone_is_known_wherever_it_comes_from() {
        for line in [
            "/msg 3 psst",
            " /msg 3 psst",
            "/MSG 3 psst",
            "/msg3 psst",
            "／ｍｓｇ　３　psst",
            "\\msg 3 x",
            "/msg",
            "/msg Ana psst",
            " / msg 3 psst",
            "/mgs 3 psst",
            "/ms3 psst",
            "ˊmsg 3 psst",
            "\u{fffc}/msg 3 psst",
            "\u{338}/msg 3 psst",
            "../msg 3 psst",
            "·мѕɡ 3 psst",
            "7msg 3 psst",
            "7msg Ana psst",
            ".msg 3, psst",
            ".msg 1secret",
            ".msg 1,secret",
            ".msg 1. secret",
            ".msg #1 secret",
            ".msg# 1 secret",
            ".msg [1] secret",
            ".msg[1]secret",
            ".msg (1) secret",
            ".msg N1 secret",
            ".msg Ana psst",
            "(msg Ana psst",
            "\u{201c}msg 3 psst",
            "7msg 3psst",
            "/ms 3psst",
        ] {
            assert!(is_private(line), "{line}");
        }
        for line in [
            "/who",
            "//msg 3 x",
            "msg 3 x",
            "/mgs",
            "/messages 3 x",
            "/msg.txt",
            "/kick 3 loud",
            "x/msg 3 psst",
            ".msg 3",
            ".msg Ana",
            ".msg 3.",
            ".msg",
            "$msg = 3",
            "$msg .= 'text'",
            ".msg { color: red }",
            "{\"msg\": 3, \"to\": 4}",
            "\"msg is broken\", it says",
            ".msgs 3 new ones",
            ".msg.txt 3 x",
        ] {
            assert!(!is_private(line), "{line}");
        }
    }

    /// Every character of Unicode, before and within.
    #[test]
    fn no_character_makes_a_private_line_public() {
        let is_said = |line: &str| matches!(understand(line), Typed::Say(_));
        // Where none is assigned, and where they are private, a few stand for all.
        let counts = |&c: &char| {
            let is_other = !c.is_ascii_alphanumeric() && !['\r', '\n'].contains(&c);
            let is_assigned = c < '\u{33480}' || ('\u{e0000}'..='\u{e0fff}').contains(&c);
            is_other && (is_assigned || u32::from(c).is_multiple_of(101))
        };
        for c in ('\0'..=char::MAX).filter(counts) {
            // That is how to say it.
            let is_slash = c == '/';
            let private = |line: String| {
                assert!(is_private(&line) && !is_said(&line), "{line:?}");
            };
            // Before nothing but what is not seen, it is said.
            let is_seen = !skip_unseen(c.encode_utf8(&mut [0; 4])).is_empty();
            let line = format!("{c}msg 3 psst");
            assert_eq!(is_private(&line), is_seen, "{line:?}");
            assert_eq!(is_said(&line), !is_seen, "{line:?}");
            if !is_slash {
                private(format!("{c}/msg 3 psst"));
                private(format!("/{c}msg 3 psst"));
            }
            // With a blank in it it is neither said nor known.
            match c.is_whitespace() {
                true => assert!(!is_said(&format!("/m{c}sg 3 psst"))),
                false => private(format!("/m{c}sg 3 psst")),
            }
            private(format!("/msg{c} 3 psst"));
            private(format!("/msg 3{c} psst"));
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
