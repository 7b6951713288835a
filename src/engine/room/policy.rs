//! The rules of a room, and what a line of its screen begins with by them.
//!
//! It promises: what a room does differs from another one's by its [`Policy`] and nothing else.

use std::time::Duration;

use super::CLASS;
use super::Member;
use crate::engine::screen::Overflow;
use crate::engine::screen::Surface;

/// The colours of labels, by number: red to cyan, readable on light and dark. All are bold, as nothing
/// that a member says is.
const COLORS: [&str; 6] = [
    "\x1b[1;36m",
    "\x1b[1;31m",
    "\x1b[1;32m",
    "\x1b[1;33m",
    "\x1b[1;34m",
    "\x1b[1;35m",
];

/// Bold without a colour, and the end of both.
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// What to do about a member that does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowPeer {
    /// Wait for it, for as long as it makes progress: nothing is lost.
    Wait,
    /// Cut it off: the room follows its fastest member, as a live stream should, and waits for that one.
    Disconnect,
}

/// The rules of a room.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether members hear each other.
    pub relay: bool,
    /// What to do about a member that does not keep up.
    pub slow: SlowPeer,
    /// How long a member may hold the others up without progress.
    pub stall_timeout: Duration,
    /// What the operator's stdout is.
    pub surface: Surface,
    /// When a line on a terminal begins with its speaker's label.
    pub label: Label,
    /// Whether labels are coloured.
    pub color: bool,
    /// Whether they are bold: the terminal can do more than show text.
    pub bold: bool,
    /// In a chat: how many who come and go are announced one by one at once.
    pub announced: u32,
}

/// When a line on the operator's terminal begins with its speaker's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// As soon as a second member has joined.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Policy {
    /// The policy for members that do not hear each other, and whose words go to a pipe as they
    /// are.
    pub const PLAIN: Policy = Policy {
        relay: false,
        slow: SlowPeer::Wait,
        stall_timeout: Duration::from_secs(10),
        surface: Surface::Stream,
        label: Label::Never,
        color: false,
        bold: false,
        announced: CLASS,
    };

    /// A terminal is waited for a moment; then the class goes on, and the person at it is told how
    /// much was left out. No other kind of output may lose a byte.
    pub(super) fn overflow(&self) -> Overflow {
        match self.relay && !self.surface.is_stream() {
            true => Overflow::LeaveOut,
            false => Overflow::Backpressure,
        }
    }

    /// What makes the label of that member bold and coloured, and what ends it.
    pub fn mark_of(&self, number: u32) -> (&'static str, &'static str) {
        match self.color {
            true => (COLORS[number as usize % COLORS.len()], PLAIN),
            false => self.mark(),
        }
    }

    /// What makes a text bold that is not a member's, and what ends it.
    pub(super) fn mark(&self) -> (&'static str, &'static str) {
        match self.bold {
            true => (BOLD, PLAIN),
            false => ("", ""),
        }
    }

    /// Puts into `label` what a line of `member` begins with on the operator's screen, with that stamp if
    /// it is not empty.
    pub(super) fn label(&self, joined: u32, member: &Member, stamp: &str, label: &mut String) {
        label.clear();
        let wanted = match self.label {
            Label::Auto => joined > 1,
            Label::Always => true,
            Label::Never => false,
        };
        let is_empty = !wanted && stamp.is_empty();
        if is_empty || self.surface.is_stream() {
            return;
        }
        let (on, off) = match wanted {
            true => self.mark_of(member.account.number),
            false => self.mark(),
        };
        label.push_str(on);
        match wanted {
            true => {
                label.push_str(stamp);
                member.account.push_label(label);
            }
            false => label.push_str(stamp.trim_end()),
        }
        label.push_str(off);
        label.push(' ');
    }
}
