//! What the bus is told and tells: who speaks, and what happened.
//!
//! It promises: a name of a member is one that a member can have, whichever hub gave it.

use std::time::Duration;
use std::time::Instant;

use crate::engine::bus::envelope;
use crate::engine::bus::envelope::Author;
use crate::engine::bus::envelope::MAX_TEXT;
use crate::engine::bus::intake::Item;
use crate::engine::bus::mutes::Mutes;
use crate::engine::bus::queue::Waiting;
use crate::engine::names::is_name;

/// A speaker of this hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaker<'a> {
    /// Its number. The operator is 0.
    pub number: u32,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
}

/// A speaker of another hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote<'a> {
    /// The hub.
    pub hub: &'a str,
    /// Its number there. The operator is 0.
    pub number: u32,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
}

/// Whom something is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom<'a> {
    /// The member with that number. The operator is 0.
    Number(u32),
    /// That of that name.
    Name(&'a str),
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What<'a> {
    /// To say this to it alone.
    Tell(&'a str),
    /// To cut it off, and why.
    Kick(&'a str),
    /// Neither to show nor to relay what it says.
    Mute,
    /// To do so again.
    Unmute,
    /// Nothing: the answer to one of these, that there is no such member.
    Absent,
    /// Nothing: the answer to one of these, that the name was another's a moment ago.
    HandedOver,
}

/// Something that is asked of another hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Which.
    pub hub: &'a str,
    /// About whom.
    pub whom: Whom<'a>,
    /// What.
    pub what: What<'a>,
}

/// Why something is not asked of another hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAsked {
    /// No other hub has that name.
    NoHub,
    /// No member can have that name.
    NoName,
    /// The others do not hear this hub now. It would come late, when another may have the name.
    Away,
}

/// Another hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hub<'a> {
    /// What it is called.
    pub name: &'a str,
    /// How many members it has.
    pub here: u64,
    /// When it was heard last.
    pub heard: Instant,
    /// Its speakers that are muted here.
    pub muted: &'a [u32],
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A speaker said something: a whole line, or a piece of one that is too long, without its end.
    Said {
        /// Who.
        speaker: Remote<'a>,
        /// What.
        line: &'a [u8],
        /// It is muted here.
        is_muted: bool,
    },
    /// Another hub asks something.
    Asked {
        /// Which.
        hub: &'a str,
        /// About whom.
        whom: Whom<'a>,
        /// What.
        what: What<'a>,
    },
    /// A hub came.
    Came {
        /// Which.
        hub: &'a str,
        /// With so many members.
        here: u64,
    },
    /// A hub is gone.
    Gone {
        /// Which.
        hub: &'a str,
        /// With so many members.
        here: u64,
        /// It said so.
        clean: bool,
    },
    /// Lines did not come here.
    Missing {
        /// Of which hub.
        hub: &'a str,
        /// Of whom, if that is known.
        speaker: Option<Remote<'a>>,
        /// How many.
        lines: u64,
    },
    /// Lines that were said here do not go to the others.
    Unsent {
        /// The number of who said them. The operator is 0.
        number: u32,
        /// How many.
        lines: u64,
    },
    /// Of what was asked of other hubs so much may not be done, and will not be: it would come late.
    Withdrawn {
        /// How much.
        count: u64,
    },
    /// Something was published to the class that is not a hub's.
    Stranger {
        /// The beginning of the first, which does nothing but being shown.
        text: &'a str,
        /// How many there were since the last.
        count: u64,
    },
    /// There is no JetStream, so lines may be lost.
    AtMostOnce,
    /// The cluster keeps the lines of the class on one of its servers only.
    OneServer,
    /// Our name is held by a hub that may be gone: it is waited so long whether it is.
    NameHeld {
        /// How long.
        left: Duration,
    },
    /// This hub is on the bus, for the first time.
    Up,
    /// The others do not hear this hub any more.
    Away {
        /// Why.
        why: &'a str,
    },
    /// They did not for a minute more, or there is another reason now.
    StillAway {
        /// Why they do not.
        why: &'a str,
        /// What waits for it.
        waiting: Waiting,
    },
    /// They do again.
    Back {
        /// So many lines come late.
        late: u64,
    },
}

/// What happened to the connection, or here.
#[derive(Debug)]
pub(super) enum Notice {
    /// [`Event::AtMostOnce`].
    AtMostOnce,
    /// [`Event::OneServer`].
    OneServer,
    /// [`Event::NameHeld`].
    NameHeld(Duration),
    /// [`Event::Up`].
    Up,
    /// [`Event::Away`].
    Away(String),
    /// [`Event::StillAway`].
    StillAway(String, Waiting),
    /// [`Event::Back`].
    Back(u64),
    /// [`Event::Unsent`].
    Unsent(Author, u64),
    /// [`Event::Withdrawn`].
    Withdrawn(u64),
}

/// Whom the others read it of.
pub(super) fn author(who: Speaker<'_>) -> Author {
    // Another hub would take no message with it.
    let name = who.name.filter(|name| is_name(name)).map(Into::into);
    let number = who.number;
    Author { number, name }
}

/// As another hub reads it. None: no member can have such a name.
pub(super) fn asked(ask: &Ask<'_>) -> Option<(envelope::Whom, envelope::What)> {
    let whom = match ask.whom {
        Whom::Number(number) => envelope::Whom::Number(number),
        Whom::Name(name) if !is_name(name) => return None,
        Whom::Name(name) => envelope::Whom::Name(name.into()),
    };
    let what = match ask.what {
        What::Tell(text) => envelope::What::Tell(cut(text)),
        What::Kick(reason) => envelope::What::Kick(cut(reason)),
        What::Mute => envelope::What::Mute,
        What::Unmute => envelope::What::Unmute,
        What::Absent => envelope::What::Absent,
        What::HandedOver => envelope::What::HandedOver,
    };
    Some((whom, what))
}

/// As much of a text as a message may have.
fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

fn remote<'a>(hub: &'a str, author: &'a Author) -> Remote<'a> {
    Remote {
        hub,
        number: author.number,
        name: author.name.as_deref(),
    }
}

impl Notice {
    /// As it is told.
    pub(super) fn event(&self) -> Event<'_> {
        match self {
            Notice::AtMostOnce => Event::AtMostOnce,
            Notice::OneServer => Event::OneServer,
            Notice::NameHeld(left) => Event::NameHeld { left: *left },
            Notice::Up => Event::Up,
            Notice::Away(why) => Event::Away { why },
            Notice::StillAway(why, waiting) => Event::StillAway {
                why,
                waiting: *waiting,
            },
            Notice::Back(late) => Event::Back { late: *late },
            Notice::Unsent(author, lines) => Event::Unsent {
                number: author.number,
                lines: *lines,
            },
            Notice::Withdrawn(count) => Event::Withdrawn { count: *count },
        }
    }
}

/// As it is told.
pub(super) fn told<'a>(item: &'a Item, line: &'a [u8], mutes: &Mutes) -> Event<'a> {
    match item {
        Item::Said {
            hub, key, author, ..
        } => Event::Said {
            speaker: remote(hub, author),
            line,
            is_muted: mutes.has(*key, author.number),
        },
        Item::Asked(hub, whom, what) => Event::Asked {
            hub,
            whom: match whom {
                envelope::Whom::Number(number) => Whom::Number(*number),
                envelope::Whom::Name(name) => Whom::Name(name),
            },
            what: match what {
                envelope::What::Tell(text) => What::Tell(text),
                envelope::What::Kick(reason) => What::Kick(reason),
                envelope::What::Mute => What::Mute,
                envelope::What::Unmute => What::Unmute,
                envelope::What::Absent => What::Absent,
                envelope::What::HandedOver => What::HandedOver,
            },
        },
        Item::Came(hub, here) => Event::Came { hub, here: *here },
        Item::Gone(gone) => Event::Gone {
            hub: &gone.hub,
            here: gone.here,
            clean: gone.clean,
        },
        Item::Missing(hub, author, lines) => Event::Missing {
            hub,
            speaker: author.as_ref().map(|author| remote(hub, author)),
            lines: *lines,
        },
    }
}
