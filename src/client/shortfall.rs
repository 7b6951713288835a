//! The words in which a participant says that not everything was delivered.
//!
//! It promises: they say where it failed, why, and how many bytes were not taken.

use std::io;
use std::io::ErrorKind;
use std::time::Duration;

use crate::engine::conversation::Blame;
use crate::engine::conversation::Conversation;
use crate::io::error::Error;

/// What is missing. See the module's documentation.
pub(super) struct Shortfall {
    /// The other side.
    pub(super) addr: String,
    /// Bytes that it did not acknowledge.
    pub(super) unsent: u64,
    /// A layer holds some of them back, so that they are counted as they are on the wire.
    pub(super) is_held: bool,
    /// Bytes that the connection took: of those that the other side's kernel acknowledged, its program
    /// may not have read the last when it broke off.
    pub(super) given: u64,
    /// Bytes that stdout did not take.
    pub(super) unshown: u64,
    /// Bytes that the readers of records did not take.
    pub(super) unrecorded: u64,
    /// Bytes that came and were not read, since one of the two did not take those before. What a layer adds
    /// to them counts as well.
    pub(super) unread: u64,
    /// What `-i` says.
    pub(super) idle_timeout: Duration,
}

impl Shortfall {
    /// The same in words.
    pub(super) fn tell(&self, blame: Blame, talk: &Conversation) -> Error {
        let Shortfall {
            addr,
            unsent,
            unshown,
            unrecorded,
            unread,
            idle_timeout,
            ..
        } = self;
        let not_taken = self.not_taken();
        let late = |what| format!("{what} in the time that -q gives");
        let not_shown = |bytes| late(format!("{} bytes were not taken", bytes + unread));
        match blame {
            Blame::Broken => match talk.down.loss() {
                Some(loss) => self.cut_short("receive from", &loss.why, talk),
                None => self.cut_short("receive from", &ErrorKind::ConnectionReset.into(), talk),
            },
            Blame::Unsendable => match talk.up.loss() {
                Some(loss) => self.cut_short("send to", &loss.why, talk),
                None => self.cut_short("send to", &ErrorKind::BrokenPipe.into(), talk),
            },
            Blame::Closed => Error::new(
                format!("send to {addr}"),
                format!("it ended its side, and {not_taken}"),
            ),
            Blame::Late if *unsent > 0 => Error::new(format!("send to {addr}"), late(not_taken)),
            Blame::Late if *unshown == 0 && *unrecorded > 0 => {
                Error::new("write the record", not_shown(*unrecorded))
            }
            Blame::Late => Error::new("write to stdout", not_shown(*unshown)),
            Blame::Idle => {
                let missing = match unsent {
                    0 => String::new(),
                    _ => format!(", and {not_taken}"),
                };
                Error::new(
                    format!("wait for {addr}"),
                    format!("nothing was sent or received for {idle_timeout:?}{missing}"),
                )
                .hint("-i sets how long that may be.")
            }
        }
    }

    /// How much the other side did not acknowledge.
    fn not_taken(&self) -> String {
        let about = if self.is_held { "about " } else { "" };
        format!("{about}{} bytes were not taken", self.unsent)
    }

    fn cut_short(&self, doing: &str, error: &io::Error, talk: &Conversation) -> Error {
        let unsent = self.unsent;
        let told = Error::system(format!("{doing} {}", self.addr), error);
        if error.kind() == ErrorKind::TimedOut {
            let silent =
                "The other side has not answered for a minute and more: is the network up?";
            return told.hint(match unsent {
                0 => String::from(silent),
                _ => format!("{silent} {}.", self.not_taken()),
            });
        }
        if unsent > 0 {
            return told.hint(format!(
                "The other side closed before everything was sent: {}.",
                self.not_taken()
            ));
        }
        if self.given > 0 && error.kind() != ErrorKind::UnexpectedEof {
            let early = match talk.up.is_open() || talk.up.loss().is_some() {
                true => " before stdin had ended",
                false => "",
            };
            return told.hint(format!(
                "The other side broke off{early}: it may not have taken the last of {} bytes.",
                self.given
            ));
        }
        if talk.up.loss().is_some() {
            return told.hint("The other side closed before stdin had ended.");
        }
        if error.kind() == ErrorKind::UnexpectedEof {
            return told.hint(
                "Some programs never say it, or not to whoever ended its own side first \
                 (--no-shutdown does not); from any other, the end of what came may be missing.",
            );
        }
        if error.kind() == ErrorKind::ConnectionReset {
            return told.hint("The other side broke off: what it had sent may not all have come.");
        }
        told
    }
}
