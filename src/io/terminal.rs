//! The terminal's modes: key by key while a line is being edited, and as it was found at every
//! kind of end.
//!
//! It promises: only the kernel's line editing, echo, literal-next and what it makes of carriage
//! returns are switched off, so Ctrl-S and Ctrl-\\ mean what they always do; and, while keys are read, what it
//! makes of Ctrl-C and Ctrl-Z, which throws away what was typed before it (termios(3), ISIG without NOFLSH) and does
//! not tell where between the keys it was: so they are keys. Nothing is touched while another job has the
//! terminal; no call waits for a terminal that is stopped.

use std::os::fd::BorrowedFd;
use std::sync::Mutex;
use std::sync::PoisonError;

use rustix::event::PollFlags;
use rustix::termios::InputModes;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::QueueSelector;
use rustix::termios::SpecialCodeIndex;
use rustix::termios::Termios;
use rustix::termios::isatty;
use rustix::termios::tcflush;
use rustix::termios::tcgetattr;
use rustix::termios::tcgetwinsize;
use rustix::termios::tcsetattr;

use crate::io::descriptor::gate;
use crate::io::job;

/// Columns of a terminal that does not say.
const COLUMNS: u16 = 80;

/// Pasted text comes in brackets, and no longer (and a row that was being drawn wraps again).
const PASTE_ON: &[u8] = b"\x1b[?2004h";
const PASTE_OFF: &[u8] = b"\x1b[?7h\x1b[?2004l";

/// What a special character is where there is none.
const NO_CHARACTER: u8 = if cfg!(any(target_os = "linux", target_os = "android")) {
    0
} else {
    0xff
};

/// The modes the terminal was found with, for the panic hook and the end of the program.
static FOUND: Mutex<Option<Termios>> = Mutex::new(None);

/// A terminal on stdin and stdout. See the module's documentation.
#[derive(Debug)]
pub struct Terminal {
    found: Termios,
    editing: bool,
    /// Keys are read, of which Ctrl-C is one.
    reads_keys: bool,
}

impl Terminal {
    /// The terminal, if stdin and stdout are one that can be edited on.
    pub fn open() -> Option<Terminal> {
        let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
        if !Terminal::is_capable() || !isatty(stdin) || !isatty(stdout) {
            return None;
        }
        let found = tcgetattr(stdin).ok()?;
        restore_on_panic();
        Some(Terminal {
            found,
            editing: false,
            reads_keys: true,
        })
    }

    /// Whether this process may read it and change its modes: another job may have it.
    pub fn is_ours() -> bool {
        !job::is_elsewhere(rustix::stdio::stdin())
    }

    /// Whether something was typed that was not read.
    pub fn has_input() -> bool {
        gate(rustix::stdio::stdin(), PollFlags::IN).is_ok()
    }

    /// Whether the kernel shows what is typed, so that nobody reads key by key.
    pub fn is_echoing() -> bool {
        let modes = tcgetattr(rustix::stdio::stdin());
        modes.is_ok_and(|modes| modes.local_modes.contains(LocalModes::ECHO))
    }

    /// Whether keys come one by one.
    pub fn is_editing(&self) -> bool {
        self.editing
    }

    /// What Ctrl-C sends where it is a key: a control character. None where it is none, or is
    /// none of the terminal's signals.
    pub fn interrupt(&self) -> Option<u8> {
        self.signal_key(SpecialCodeIndex::VINTR)
    }

    /// The same of Ctrl-Z.
    pub fn suspend(&self) -> Option<u8> {
        self.signal_key(SpecialCodeIndex::VSUSP)
    }

    fn signal_key(&self, which: SpecialCodeIndex) -> Option<u8> {
        let character = self.found.special_codes[which];
        let is_possible = character != NO_CHARACTER && character.is_ascii_control();
        let is_signal = self.found.local_modes.contains(LocalModes::ISIG);
        (is_possible && is_signal && self.reads_keys).then_some(character)
    }

    /// Keys are read, or are not: then Ctrl-C and Ctrl-Z are the terminal's signals, from the next
    /// [`Terminal::enter`] on. Returns whether that changed.
    pub fn expect_keys(&mut self, reads_keys: bool) -> bool {
        std::mem::replace(&mut self.reads_keys, reads_keys) != reads_keys
    }

    /// Switches to key by key, if the terminal is ours; if not, the job that has it took care of
    /// the modes. Returns what has to be written to it, if it was switched. May be called again, as
    /// after another program changed the modes.
    pub fn enter(&mut self) -> Option<&'static [u8]> {
        if !Terminal::is_ours() {
            self.editing = false;
            return None;
        }
        let mut modes = self.found.clone();
        // CR and LF are told apart (no ICRNL, termios(3)): a pasted CRLF is one end of a line, not
        // two.
        modes.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR;
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        for key in [SpecialCodeIndex::VINTR, SpecialCodeIndex::VSUSP] {
            if self.signal_key(key).is_some() {
                modes.special_codes[key] = NO_CHARACTER;
            }
        }
        // A read returns as soon as there is one byte, and no timer of the kernel's runs
        // (termios(3), MIN > 0, TIME == 0).
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Now, not after the output or without what was typed ahead: neither is ours to wait for
        // or to throw away.
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &modes).ok()?;
        *FOUND.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.found.clone());
        self.editing = true;
        Some(PASTE_ON)
    }

    /// Switches back. Returns what has to be written to it.
    pub fn leave(&mut self) -> Option<&'static [u8]> {
        if !self.editing {
            return None;
        }
        self.editing = false;
        restore();
        Some(PASTE_OFF)
    }

    /// Throws away what was typed and not read, if the terminal is ours: it is for nobody.
    pub fn discard_input() {
        if Terminal::is_ours() {
            // If it fails, it is gone.
            let _ = tcflush(rustix::stdio::stdin(), QueueSelector::IFlush);
        }
    }

    /// Its width in columns.
    pub fn columns() -> u16 {
        columns(rustix::stdio::stdout())
    }

    /// The width of the terminal on stderr.
    pub fn columns_of_stderr() -> u16 {
        columns(rustix::stdio::stderr())
    }

    /// The columns and rows of the terminal on stderr, if it is one and says so.
    pub fn size_of_stderr() -> Option<(u16, u16)> {
        let size = tcgetwinsize(rustix::stdio::stderr()).ok()?;
        (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
    }

    /// Whether Backspace is known to go from the beginning of a row back to the row above, where the
    /// terminal broke one line into the two when its width changed, and only there: as in tmux
    /// (`screen_write_backspace()`). Within GNU screen, where it goes back anywhere, TMUX can be that of the
    /// terminal around it.
    pub fn goes_back() -> bool {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        is_set("TMUX") && !is_set("STY")
    }

    /// Whether terminals of this kind can do more than show text, as TERM tells.
    pub fn is_capable() -> bool {
        std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.editing {
            restore();
        }
    }
}

fn columns(fd: BorrowedFd<'_>) -> u16 {
    match tcgetwinsize(fd) {
        Ok(size) if size.ws_col > 0 => size.ws_col,
        _ => COLUMNS,
    }
}

/// Sets the modes back. Returns whether they had been changed.
fn restore() -> bool {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner).take();
    // While another job has the terminal, setting its modes would stop us (SIGTTOU).
    let Some(found) = found.filter(|_| Terminal::is_ours()) else {
        return false;
    };
    tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &found).is_ok()
}

/// A panic's message belongs on a terminal that shows it properly.
fn restore_on_panic() {
    let next = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if restore() {
            // If it fails, there is no one left to tell.
            let _ = rustix::io::write(rustix::stdio::stdout(), b"\r\x1b[K");
            let _ = rustix::io::write(rustix::stdio::stdout(), PASTE_OFF);
        }
        next(panic);
    }));
}
