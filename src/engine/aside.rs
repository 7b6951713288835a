//! Asides: what a hub says to a member beside its stream, where the member's protocol has a place for that
//! (docs/WEB.md), and what a member that was lost says when it returns.
//!
//! It promises: an aside is one object of JSON (RFC 8259) on one line.

use std::fmt;
use std::fmt::Display;
use std::fmt::Write;

/// See the module's documentation.
#[derive(Debug, Clone, Copy)]
pub enum Aside<'a> {
    /// The first that a member is told.
    Hello(Hello<'a>),
    /// So many are here now, itself included.
    Here(usize),
    /// Whether members hear each other from now on.
    Relay(bool),
    /// So many bytes of what it said were taken in, over all its connections.
    Heard(u64),
    /// The operator sent it away.
    Kicked(Farewell<'a>),
    /// The hub lets it go.
    Ended(Farewell<'a>),
    /// The class is over.
    Over(Farewell<'a>),
}

/// What a member is told first.
#[derive(Debug, Clone, Copy)]
pub struct Hello<'a> {
    /// This run of the hub.
    pub epoch: &'a str,
    /// The token by which it is known when it returns.
    pub token: &'a str,
    /// How many bytes of its stream it has.
    pub at: u64,
    /// How many bytes of what it said were taken in, over all its connections.
    pub heard: u64,
    /// Its stream goes on where it wanted.
    pub resumed: bool,
    /// It does not, so that something may be missing.
    pub missing: bool,
    /// Its number.
    pub number: u32,
    /// Its name, in a chat.
    pub name: Option<&'a str>,
    /// This is a chat.
    pub is_chat: bool,
    /// Every line of its stream begins with a stamp.
    pub has_stamps: bool,
    /// Members hear each other.
    pub relays: bool,
    /// The hub is one of several that are one class, which hear each other's members.
    pub is_of_class: bool,
    /// How many are here, itself included.
    pub here: usize,
}

/// What a member is told last.
#[derive(Debug, Clone, Copy)]
pub struct Farewell<'a> {
    /// Why it has to leave, if it is more than the end of the class.
    pub reason: Option<&'a str>,
    /// How many bytes of what it said were taken in, over all its connections. None: it was not in.
    pub heard: Option<u64>,
    /// What it said before it learns of this is taken in still, as long as the hub runs: else no more is.
    pub hears: bool,
}

/// What a member that was lost says when it returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returning {
    /// The run of a hub that it was a member of.
    pub epoch: String,
    /// By which it is known there.
    pub token: String,
    /// How many bytes of its stream it has.
    pub from: u64,
}

impl Display for Aside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aside::Hello(hello) => hello.fmt(f),
            Aside::Here(count) => write!(f, r#"{{"type":"here","here":{count}}}"#),
            Aside::Relay(on) => write!(f, r#"{{"type":"relay","relay":{on}}}"#),
            Aside::Heard(count) => write!(f, r#"{{"type":"heard","heard":{count}}}"#),
            Aside::Kicked(farewell) => write!(f, r#"{{"type":"kicked"{farewell}}}"#),
            Aside::Ended(farewell) => write!(f, r#"{{"type":"ended"{farewell}}}"#),
            Aside::Over(farewell) => write!(f, r#"{{"type":"over"{farewell}}}"#),
        }
    }
}

impl Display for Hello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"{{"type":"hello","epoch":{},"token":{},"at":{},"heard":{},"resumed":{},"missing":{}"#,
            Quoted(self.epoch),
            Quoted(self.token),
            self.at,
            self.heard,
            self.resumed,
            self.missing,
        )?;
        write!(f, r#","you":{}"#, self.number)?;
        if let Some(name) = self.name {
            write!(f, r#","name":{}"#, Quoted(name))?;
        }
        let (chat, stamps) = (self.is_chat, self.has_stamps);
        let (relay, rooms, here) = (self.relays, self.is_of_class, self.here);
        write!(
            f,
            r#","chat":{chat},"stamps":{stamps},"relay":{relay},"rooms":{rooms},"here":{here}}}"#
        )
    }
}

impl Display for Farewell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = self.reason {
            write!(f, r#","reason":{}"#, Quoted(reason))?;
        }
        if let Some(heard) = self.heard {
            write!(f, r#","heard":{heard}"#)?;
        }
        match self.hears {
            true => f.write_str(r#","hears":true"#),
            false => Ok(()),
        }
    }
}

/// A string of JSON.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                '\0'..=' ' if letter != ' ' => write!(f, "\\u{:04x}", u32::from(letter))?,
                _ => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aside_is_one_line_of_json() {
        let hello = Hello {
            epoch: "e",
            token: "t",
            at: 7,
            heard: 5,
            resumed: true,
            missing: false,
            number: 3,
            name: Some("Jos\u{e9}"),
            is_chat: true,
            has_stamps: false,
            relays: true,
            is_of_class: false,
            here: 2,
        };
        assert_eq!(
            Aside::Hello(hello).to_string(),
            "{\"type\":\"hello\",\"epoch\":\"e\",\"token\":\"t\",\"at\":7,\"heard\":5,\"resumed\":true,\
             \"missing\":false,\"you\":3,\"name\":\"Jos\u{e9}\",\"chat\":true,\"stamps\":false,\
             \"relay\":true,\"rooms\":false,\"here\":2}"
        );
        assert_eq!(Aside::Here(3).to_string(), r#"{"type":"here","here":3}"#);
        assert_eq!(
            Aside::Relay(false).to_string(),
            r#"{"type":"relay","relay":false}"#
        );
        let farewell = |heard| Farewell {
            reason: Some("a \"b\" \\ \n\x1b"),
            heard,
            hears: false,
        };
        assert_eq!(Aside::Heard(9).to_string(), r#"{"type":"heard","heard":9}"#);
        assert_eq!(
            Aside::Kicked(farewell(None)).to_string(),
            r#"{"type":"kicked","reason":"a \"b\" \\ \u000a\u001b"}"#
        );
        assert_eq!(
            Aside::Ended(farewell(Some(7))).to_string(),
            r#"{"type":"ended","reason":"a \"b\" \\ \u000a\u001b","heard":7}"#
        );
        let over = |hears| {
            Aside::Over(Farewell {
                reason: None,
                heard: Some(7),
                hears,
            })
        };
        assert_eq!(over(false).to_string(), r#"{"type":"over","heard":7}"#);
        assert_eq!(
            over(true).to_string(),
            r#"{"type":"over","heard":7,"hears":true}"#
        );
    }
}
