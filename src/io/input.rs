//! The input of a hub or a participant: nothing, stdin as it is, or the line being typed at a terminal.
//!
//! It promises: no policy; the caller decides what the bytes mean.

use std::io;

use mio::Registry;
use mio::Token;

use crate::io::console::Console;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::readiness::Event;
use crate::io::stdin::Stdin;
use crate::io::terminal::Terminal;

/// Where the bytes to say come from.
pub enum Input<D> {
    /// Nowhere: `--recv-only`.
    None,
    /// Standard input as it is.
    Plain(Stdin<D>),
    /// The line being typed at a terminal.
    Console(Box<Console<D>>),
}

/// The tokens of what an input has to be told of.
#[derive(Debug, Clone, Copy)]
pub struct Tokens {
    /// Of stdin.
    pub stdin: Token,
    /// Of the signals that a console wants to know of.
    pub signals: Token,
}

impl Input<Descriptor> {
    /// Standard input; with an edit line, if that is wanted and there is a terminal that can do it.
    /// `has_commands`: a line that begins with `/` there is a command.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn open(
        registry: &Registry,
        tokens: Tokens,
        edits: bool,
        has_commands: bool,
    ) -> io::Result<Input<Descriptor>> {
        let stdin = Stdin::open(registry, tokens.stdin)?;
        let Some(terminal) = edits.then(Terminal::open).flatten() else {
            return Ok(Input::Plain(stdin));
        };
        let console = Console::open(registry, tokens.signals, terminal, stdin, has_commands)?;
        Ok(Input::Console(Box::new(console)))
    }
}

impl<D: Device> Input<D> {
    /// Takes note of an event of stdin.
    pub fn collect(&mut self, event: Event) {
        if let Some(stdin) = self.stdin_mut() {
            stdin.collect(event);
        }
    }

    /// What is read, edited or not.
    pub fn stdin(&self) -> Option<&Stdin<D>> {
        match self {
            Input::None => None,
            Input::Plain(stdin) => Some(stdin),
            Input::Console(console) => Some(console.stdin()),
        }
    }

    /// The same, for its end.
    pub fn stdin_mut(&mut self) -> Option<&mut Stdin<D>> {
        match self {
            Input::None => None,
            Input::Plain(stdin) => Some(stdin),
            Input::Console(console) => Some(console.stdin_mut()),
        }
    }

    /// Stdin without an edit line.
    pub fn plain(&self) -> Option<&Stdin<D>> {
        match self {
            Input::Plain(stdin) => Some(stdin),
            Input::None | Input::Console(_) => None,
        }
    }

    /// The same, to read.
    pub fn plain_mut(&mut self) -> Option<&mut Stdin<D>> {
        match self {
            Input::Plain(stdin) => Some(stdin),
            Input::None | Input::Console(_) => None,
        }
    }

    /// The console, if there is one.
    pub fn console(&self) -> Option<&Console<D>> {
        match self {
            Input::Console(console) => Some(console),
            Input::None | Input::Plain(_) => None,
        }
    }

    /// The same, to read keys and show something.
    pub fn console_mut(&mut self) -> Option<&mut Console<D>> {
        match self {
            Input::Console(console) => Some(console),
            Input::None | Input::Plain(_) => None,
        }
    }
}
