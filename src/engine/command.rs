//! The operator's commands: what a typed `/word` means.
//!
//! Only the operator has commands, and only at the keyboard; nothing that is pasted, piped or sent
//! by a peer is ever one.
//!
//! It promises: a line is either to be said, or a command, or explained; a mistyped command is
//! never said to the class.

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

/// What the operator can do. Peers are named by the numbers of their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// List everybody.
    Who,
    /// Say something to one peer alone.
    Message {
        /// To whom.
        number: u32,
        /// What.
        text: &'a str,
    },
    /// Cut a peer off.
    Kick {
        /// Whom.
        number: u32,
        /// Why, for the log.
        reason: &'a str,
    },
    /// Give a peer a name.
    Name {
        /// Whom.
        number: u32,
        /// The name.
        name: &'a str,
    },
    /// Neither show nor relay what a peer says, or do so again.
    Mute {
        /// Whom.
        number: u32,
        /// Whether to mute.
        on: bool,
    },
    /// Relay lines among the peers, or stop doing so.
    Relay(bool),
    /// Tell what was moved so far.
    Stats,
    /// Tell the commands.
    Help,
    /// End the hub.
    Quit,
}

/// The commands, as `/help` tells and Tab completes them: name, arguments, meaning.
pub const COMMANDS: [(&str, &str, &str); 10] = [
    ("who", "", "who is here, since when, and how far behind"),
    ("msg", "N TEXT", "say TEXT to peer N alone"),
    ("kick", "N [REASON]", "cut peer N off"),
    ("name", "N NAME", "call peer N NAME"),
    ("mute", "N", "neither show nor relay what peer N says"),
    ("unmute", "N", "show and relay it again"),
    ("relay", "on|off", "whether the peers hear each other"),
    ("stats", "", "what was moved so far"),
    ("help", "", "this list; //x says /x"),
    ("quit", "", "end the hub"),
];

/// The longest name, in characters.
pub const MAX_NAME: usize = 16;

/// Understands one line that was typed, without its line break.
pub fn understand(line: &str) -> Typed<'_> {
    let Some(rest) = line.strip_prefix('/') else {
        return match is_indented_command(line) {
            true => Typed::Explain(format!(
                "{} was not sent: a command has no blank before it; // says it",
                cut(line.trim_start()).0
            )),
            false => Typed::Say(line),
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
        Some((name, arguments, meaning)) => format!("/{name} {arguments}: {meaning}"),
        None => {
            format!("/{word} is no command, and was not sent: /help lists them, //{word} says it")
        }
    };
    let (first, rest) = cut(arguments);
    let number = || first.parse::<u32>().map_err(|_| usage());
    let alone = |command| match arguments.is_empty() {
        true => Ok(command),
        false => Err(usage()),
    };
    match word {
        "who" => alone(Command::Who),
        "stats" => alone(Command::Stats),
        "help" => alone(Command::Help),
        "quit" => alone(Command::Quit),
        "msg" if !rest.is_empty() => Ok(Command::Message {
            number: number()?,
            text: rest,
        }),
        "kick" => Ok(Command::Kick {
            number: number()?,
            reason: rest,
        }),
        "name" => {
            let number = number()?;
            match is_name(rest) {
                true => Ok(Command::Name { number, name: rest }),
                false => Err(format!(
                    "a name is 1 to {MAX_NAME} letters, digits or any of - _ ."
                )),
            }
        }
        "mute" | "unmute" if rest.is_empty() => Ok(Command::Mute {
            number: number()?,
            on: word == "mute",
        }),
        "relay" => match arguments {
            "on" => Ok(Command::Relay(true)),
            "off" => Ok(Command::Relay(false)),
            _ => Err(usage()),
        },
        _ => Err(usage()),
    }
}

/// Whether there are only blanks before what would be a command: nobody says that on purpose.
fn is_indented_command(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix('/') else {
        return false;
    };
    let (word, _) = cut(rest);
    COMMANDS
        .iter()
        .any(|(name, ..)| name.eq_ignore_ascii_case(word))
}

/// Whether a line would be said to one peer alone if it were typed. Pasted it is no command, but must
/// not be said to everybody, either.
pub fn is_private(line: &str) -> bool {
    matches!(
        understand(line.trim_start()),
        Typed::Do(Command::Message { .. })
    )
}

/// One line of the list of commands, for a terminal of 80 columns with `muxnc: ` before it.
pub fn help((name, arguments, meaning): (&str, &str, &str)) -> String {
    format!("{:18}{meaning}", format!("/{name} {arguments}"))
}

/// Whether this may be somebody's name: short, and nothing that could be taken for anything else.
pub fn is_name(name: &str) -> bool {
    let fits = (1..=MAX_NAME).contains(&name.chars().count());
    fits && name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
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
        assert_eq!(understand("//etc/passwd"), Typed::Say("/etc/passwd"));
        assert_eq!(understand(""), Typed::Say(""));
    }

    #[test]
    fn commands_are_understood() {
        let cases = [
            ("/who", Command::Who),
            (
                "/msg 3  well done, Ana ",
                Command::Message {
                    number: 3,
                    text: "well done, Ana",
                },
            ),
            (
                "/kick 4",
                Command::Kick {
                    number: 4,
                    reason: "",
                },
            ),
            (
                "/kick 4 too loud",
                Command::Kick {
                    number: 4,
                    reason: "too loud",
                },
            ),
            (
                "/name 2 Ana-1",
                Command::Name {
                    number: 2,
                    name: "Ana-1",
                },
            ),
            (
                "/mute 7",
                Command::Mute {
                    number: 7,
                    on: true,
                },
            ),
            (
                "/unmute 7",
                Command::Mute {
                    number: 7,
                    on: false,
                },
            ),
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
    fn nothing_mistyped_is_said() {
        for line in [
            "/",
            "/whoo",
            "/who 3",
            "/msg",
            "/msg 3",
            "/msg x hi",
            "/kick",
            "/kick x",
            "/name 2",
            "/name 2 two words",
            "/name 2 \u{202e}x",
            "/name 2 seventeen-letters",
            "/mute",
            "/mute 1 2",
            "/relay",
            "/relay maybe",
            "/quit now",
            " /who",
            "\t/msg 3 psst",
            "  /MSG 3 psst",
            "/msg3 hi",
        ] {
            assert!(matches!(understand(line), Typed::Explain(_)), "{line}");
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
        for line in ["/msg 3 psst", " /msg 3 psst"] {
            assert!(is_private(line), "{line}");
        }
        for line in ["/who", "//msg 3 x", "msg 3 x", "/msg", "/kick 3 loud"] {
            assert!(!is_private(line), "{line}");
        }
    }

    #[test]
    fn every_command_listed_is_known() {
        for (name, ..) in COMMANDS {
            if let Typed::Explain(why) = understand(&format!("/{name} ? ?")) {
                assert!(!why.contains("is no command"), "{name}: {why}");
            }
        }
    }
}
