//! The input of a participant: nothing, stdin as it is, or the line being typed at a terminal.
//!
//! It promises: no policy; what is read is for the sender.

use crate::engine::conversation;
use crate::io::console::Console;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::stdin::Stdin;

/// Where the bytes to send come from.
pub enum Input<D> {
    /// Nowhere: `--recv-only`.
    None,
    /// Standard input as it is.
    Plain(Stdin<D>),
    /// The line being typed at a terminal.
    Console(Box<Console<D>>),
}

impl<D: Device> Input<D> {
    /// What it means for the end of a conversation.
    pub(super) fn kind(&self) -> conversation::Input {
        match self.stdin().map(Stdin::kind) {
            None => conversation::Input::None,
            Some(Kind::Terminal) => conversation::Input::Terminal,
            Some(Kind::Pipe | Kind::Socket | Kind::File) => conversation::Input::Stream,
        }
    }

    /// What is read, edited or not.
    pub(super) fn stdin(&self) -> Option<&Stdin<D>> {
        match self {
            Input::None => None,
            Input::Plain(stdin) => Some(stdin),
            Input::Console(console) => Some(console.stdin()),
        }
    }

    pub(super) fn stdin_mut(&mut self) -> Option<&mut Stdin<D>> {
        match self {
            Input::None => None,
            Input::Plain(stdin) => Some(stdin),
            Input::Console(console) => Some(console.stdin_mut()),
        }
    }

    /// Stdin, where nobody edits it.
    pub(super) fn plain(&self) -> Option<&Stdin<D>> {
        match self {
            Input::Plain(stdin) => Some(stdin),
            Input::None | Input::Console(_) => None,
        }
    }

    pub(super) fn plain_mut(&mut self) -> Option<&mut Stdin<D>> {
        match self {
            Input::Plain(stdin) => Some(stdin),
            Input::None | Input::Console(_) => None,
        }
    }

    pub(super) fn console(&self) -> Option<&Console<D>> {
        match self {
            Input::Console(console) => Some(console),
            Input::None | Input::Plain(_) => None,
        }
    }

    pub(super) fn console_mut(&mut self) -> Option<&mut Console<D>> {
        match self {
            Input::Console(console) => Some(console),
            Input::None | Input::Plain(_) => None,
        }
    }
}
