//! The console: a terminal whose last row is the line being typed, whatever else appears.
//!
//! What others say goes above that row; an unfinished line of theirs ("login: ") stands before
//! what is being typed, as it would on a plain terminal. What is on the rows [`Rows`] knows; the row
//! of the line being typed is drawn at most once a turn.
//!
//! ```text
//!   [1] what is a socket?
//!   muxnc: [2] 192.0.2.22:40112 joined, 2 here
//!   Good question, A_                  <- the row: never above, never torn
//! ```
//!
//! It promises: the line being typed is never mixed with anything; a terminal that is stopped does
//! not stop the class; the terminal is left as it was found.

use std::io;
use std::mem;
use std::time::Duration;
use std::time::Instant;

use mio::Registry;
use mio::Token;

use crate::engine::editor::Draft;
use crate::engine::editor::Editor;
use crate::engine::editor::Event;
use crate::engine::record::head::Head;
use crate::engine::rows::Rows;
use crate::engine::typing::Typing;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::error::Error;
use crate::io::job;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::signals;
use crate::io::signals::Signal;
use crate::io::signals::Signals;
use crate::io::stdin::Stdin;
use crate::io::stream::Received;
use crate::io::terminal::Terminal;
use crate::status::Status;

/// How often it is looked whether a terminal is ours again that another job has.
const LOOK: Duration = Duration::from_millis(500);

/// Bytes of keys read at a time.
pub const KEYS: usize = 4 * 1024;

/// What the kernel keeps for the Ctrl-D of a line that it edits, and what that is as a key.
const NO_KEY: u8 = 0;
const CTRL_D: u8 = 0x04;

/// The keys that end a line.
const ENTER: &[u8] = b"\r\n";

/// What a read of keys found.
#[derive(Debug)]
pub enum Keys {
    /// Some keys, for [`Console::next_event`] to understand.
    Pressed,
    /// None now; an event will tell.
    None,
    /// There will be no more.
    End,
}

/// A terminal with an edit row. See the module's documentation.
pub struct Console<D = Descriptor> {
    stdin: Stdin<D>,
    /// Keys that were read, and how far they are understood.
    keys: Box<[u8]>,
    next_key: usize,
    last_key: usize,
    terminal: Terminal,
    signals: Signals,
    signalled: bool,
    editor: Editor,
    rows: Rows,
    columns: u16,
    /// What is being read was shown by the kernel as it was typed: the terminal was not ours.
    echoed: bool,
    /// The terminal was another's until now, or the kernel's: what is read next was typed at its row.
    was_away: bool,
    /// It was taken back in this turn: a Ctrl-C from before may still be on its way, as a signal.
    took_back: bool,
    /// What stood on the row when a command was typed that has the row for itself.
    drafts: Vec<Draft>,
    typing: Typing,
    /// When to look whether the terminal is ours again.
    looks_at: Option<Instant>,
    /// The row is on the screen as it should be.
    drawn: bool,
}

impl Console {
    /// A console at a terminal that stdin and stdout are.
    ///
    /// # Errors
    /// What the system says about the signals.
    pub fn open(
        registry: &Registry,
        signals: Token,
        terminal: Terminal,
        stdin: Stdin,
        has_commands: bool,
    ) -> io::Result<Console> {
        let mut console = Console {
            stdin,
            keys: vec![0; KEYS].into_boxed_slice(),
            next_key: 0,
            last_key: 0,
            terminal,
            signals: Signals::new(registry, signals)?,
            signalled: false,
            editor: match has_commands {
                true => Editor::with_commands(),
                false => Editor::new(),
            },
            rows: Rows::new(true, Terminal::goes_back()),
            columns: Terminal::columns(),
            echoed: false,
            was_away: false,
            took_back: false,
            drafts: Vec::new(),
            typing: Typing::default(),
            looks_at: None,
            drawn: false,
        };
        console.begin(false);
        Ok(console)
    }
}

impl<D: Device> Console<D> {
    /// The input that it reads keys from.
    pub fn stdin(&self) -> &Stdin<D> {
        &self.stdin
    }

    /// The same, for its events and its end.
    pub fn stdin_mut(&mut self) -> &mut Stdin<D> {
        &mut self.stdin
    }

    /// Takes note of the event that signals came.
    pub fn collect_signal(&mut self) {
        self.signalled = true;
    }

    /// Acts on the signals that came, and then looks whether the terminal is ours: what came before
    /// that was for the row that another job had. Returns the signal that ends the program, if any.
    pub fn attend(&mut self, output: &mut Output<D>, now: Instant) -> Option<i32> {
        let ends = self.obey_signals(output);
        if ends.is_none() {
            self.look(now);
            self.discard();
        }
        ends
    }

    /// Throws away what is typed behind the end of the input: nothing shows it, and the shell would obey it after
    /// us. Who ended a line there is told.
    fn discard(&mut self) {
        let is_mine = || self.terminal.is_editing() && Terminal::is_ours();
        if !self.stdin.has_ended() || !is_mine() {
            return;
        }
        let mut ends_line = self.keys().iter().any(|key| ENTER.contains(key));
        self.next_key = self.last_key;
        while let Some(count) = self.stdin.discard(&mut self.keys) {
            ends_line |= self.keys[..count].iter().any(|key| ENTER.contains(key));
        }
        if ends_line {
            self.notice(b"muxnc: that went nowhere: your input has ended (Ctrl-C ends it now)\n");
        }
    }

    fn obey_signals(&mut self, output: &mut Output<D>) -> Option<i32> {
        let was_away = mem::take(&mut self.took_back);
        if !mem::take(&mut self.signalled) {
            return None;
        }
        for signal in self.signals.pending() {
            match signal {
                Signal::End(signals::INTERRUPT) if self.interrupts_line(was_away) => {}
                Signal::End(signal) => return Some(signal),
                Signal::Stop => self.suspend(output),
                Signal::Continue => self.resume(job::has_shell()),
                Signal::Resize => self.resize(),
            }
        }
        None
    }

    /// Reads keys, for [`Console::next_event`] to understand.
    ///
    /// # Errors
    /// The terminal is gone, or cannot be read.
    pub fn read(&mut self, now: Instant) -> Result<Keys, Error> {
        if !self.stdin.is_ready() {
            return Ok(Keys::None);
        }
        if self.next_key < self.last_key {
            self.pressed(now);
            return Ok(Keys::Pressed);
        }
        if !self.terminal.is_editing() && Terminal::is_ours() {
            // The kernel hands over one line that it has edited at a time, but all of them as keys: only so it is
            // known what came behind each.
            self.take_back();
        }
        match self.stdin.read(&mut self.keys) {
            Received::Bytes(count) => {
                (self.next_key, self.last_key) = (0, count);
                self.editor.edited_by_kernel(self.was_away);
                match mem::take(&mut self.was_away) {
                    true => self.echoed(),
                    false => self.echoed = false,
                }
                self.pressed(now);
                Ok(Keys::Pressed)
            }
            Received::Yield => Ok(Keys::None),
            Received::Pending => {
                self.was_away = false;
                self.typing.settle();
                Ok(Keys::None)
            }
            Received::End | Received::Truncated(_) => Ok(Keys::End),
            Received::Failed(_) if self.stdin.has_hung_up() => Err(Error::hung_up()),
            Received::Failed(error) => Err(Error::system("read from the terminal", &error)),
        }
    }

    /// The keys that were read and are not understood yet.
    pub fn keys(&self) -> &[u8] {
        &self.keys[self.next_key..self.last_key]
    }

    /// Whether a Ctrl-C that the kernel made a signal was for what was typed, as it is where that is a key: the
    /// terminal is ours, and was not taken back yet, or `was_away` in the turn before. The kernel has thrown away what it
    /// had of a line, if anything.
    fn interrupts_line(&mut self, was_away: bool) -> bool {
        if !self.terminal.is_editing() && Terminal::is_ours() {
            self.take_back();
            return true;
        }
        if was_away {
            // It was shown behind the row.
            self.rows.lose();
            self.drawn = false;
        }
        was_away
    }

    /// Takes the terminal back from another job that had it. What is read next was typed before.
    fn take_back(&mut self) {
        self.rows.lose();
        self.enter();
        self.took_back = true;
        self.expect_echoed();
    }

    /// What is read next was typed while the terminal was not ours.
    fn expect_echoed(&mut self) {
        // What the kernel showed of an unfinished line is drawn again as ours.
        self.rows.lose();
        self.was_away = true;
        // The kernel's unfinished line can be read as keys now (without ICANON, termios(3)), and no event
        // tells of that.
        self.stdin.expect();
    }

    /// What was read was shown by the kernel as it was typed, and edited, on a row where nothing else was seen.
    fn echoed(&mut self) {
        let last = self.keys[..self.last_key].last();
        match last {
            Some(b'\n') => self.rows.echoed(true),
            Some(&NO_KEY) => self.rows.echoed(false),
            _ => self.rows.lose(),
        }
        // Where a shell read keys, Enter was not made a line feed, and nothing was shown.
        let is_shown = last != Some(&b'\r');
        // As a key, the end of what the kernel had edited to there is none (`n_tty`).
        for key in &mut self.keys[..self.last_key] {
            if *key == NO_KEY {
                *key = CTRL_D;
            }
        }
        let draft = self.editor.take_draft(&self.keys[..self.last_key]);
        self.drafts.extend(draft);
        // With what is kept in front the kernel did not show it.
        self.echoed = is_shown && self.editor.is_empty();
    }

    /// Takes note of how the keys came that are to be understood next.
    fn pressed(&mut self, now: Instant) {
        let is_bracketed = self.editor.is_bracketed();
        let keys = &self.keys[self.next_key..self.last_key];
        self.editor
            .arrive(self.typing.read(keys, is_bracketed, now));
        self.drawn = false;
    }

    /// Takes keys off the front of those that were read until something is to be done.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let mut keys = &self.keys[self.next_key..self.last_key];
            let event = self.editor.next(&mut keys);
            self.next_key = self.last_key - keys.len();
            let Some(event) = event else {
                self.end_of_keys();
                return None;
            };
            match event {
                Event::Redraw => self.redraw(),
                Event::Interrupt => self.interrupt(),
                Event::Suspend => {
                    // Obeyed in the next turn; the keys behind it are read when we go on.
                    let draft = (self.editor).take_draft(&self.keys[self.next_key..self.last_key]);
                    self.drafts.extend(draft);
                    signals::suspend(job::is_ours(rustix::stdio::stdin()));
                    return None;
                }
                Event::Full => self.notice(b"muxnc: that line is full\n"),
                event => return Some(event),
            }
        }
    }

    /// Ctrl-C with nothing typed: the signal of that is obeyed in the next turn. The keys behind it
    /// are not for us.
    fn interrupt(&mut self) {
        self.next_key = self.last_key;
        signals::interrupt(job::is_ours(rustix::stdio::stdin()));
    }

    /// Whether keys are read from now on, when some are pressed; if not, Ctrl-C ends the program whatever is
    /// typed.
    pub fn expect_keys(&mut self, reads_keys: bool) {
        if self.terminal.expect_keys(reads_keys) && self.terminal.is_editing() {
            self.enter();
        }
    }

    /// All that was read is understood: what was put away is there again, if it has the row for itself.
    fn end_of_keys(&mut self) {
        if self.editor.is_empty()
            && let Some(draft) = self.drafts.pop()
        {
            self.editor.put_draft(draft);
        }
    }

    /// Whether what was read last was pasted.
    pub fn is_pasting(&self) -> bool {
        self.typing.is_pasting()
    }

    /// Looks whether the terminal is ours again, now and then while it is not: a shell that brings a
    /// job to the foreground that runs already tells it nothing.
    fn look(&mut self, now: Instant) {
        if self.terminal.is_editing() {
            self.looks_at = None;
        } else if self.looks_at.is_none_or(|at| at <= now) {
            self.looks_at = Some(now + LOOK);
            if !self.stdin.is_ready() && Terminal::is_ours() {
                self.take_back();
            }
        }
    }

    /// When to [`Console::attend`] next, if it has to.
    pub fn looks_at(&self) -> Option<Instant> {
        self.looks_at.filter(|_| !self.terminal.is_editing())
    }

    /// The line being typed.
    pub fn editor(&mut self) -> &mut Editor {
        self.drawn = false;
        &mut self.editor
    }

    /// A line was typed and ended: it stays on the screen, after the others' unfinished line if
    /// there is one.
    pub fn typed(&mut self, line: &str) {
        if !self.echoed {
            self.rows.typed(line);
        }
        self.drawn = false;
    }

    /// Shows what others say, as a screen gives it; see [`Rows::show`].
    pub fn show(&mut self, framed: &[u8]) {
        self.rows.show(framed);
        self.drawn &= self.rows.is_drawn() && framed.is_empty();
    }

    /// Shows what one other says, which must be fit for a terminal.
    pub fn say(&mut self, text: &[u8]) {
        self.rows.say(text);
        self.drawn &= text.is_empty();
    }

    /// Shows whole lines of a record; see [`Rows::record`].
    pub fn record(&mut self, head: Head, lines: &[u8]) {
        self.rows.record(head, lines);
        self.drawn &= lines.is_empty();
    }

    /// Shows whole lines of our own; an unfinished line of others stays where it is.
    pub fn notice(&mut self, lines: &[u8]) {
        self.rows.notice(lines, Some(self.columns));
        self.drawn &= lines.is_empty();
    }

    /// Whether it takes more to show just now.
    pub fn is_busy(&self) -> bool {
        self.rows.is_busy()
    }

    /// Whether everything is on the screen.
    pub fn is_settled(&self) -> bool {
        self.rows.is_empty() && (self.drawn || !self.terminal.is_editing())
    }

    /// Whether everything shown is on the screen, but for the row.
    pub fn is_written(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes that are to be shown and that the terminal did not take yet.
    pub fn waiting(&self) -> usize {
        self.rows.waiting()
    }

    /// Writes what the terminal takes of what is to be shown, without the row.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn write(&mut self, output: &mut Output<D>) -> io::Result<()> {
        output.write_rows(&mut self.rows)
    }

    /// Shows what is said on stderr (or writes it there, if that is elsewhere), draws the row if it
    /// has to be, and writes what the terminal takes.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn flush(&mut self, output: &mut Output<D>, stderr: &mut Stderr<D>) -> io::Result<()> {
        if self.is_busy() {
            output.write_rows(&mut self.rows)?;
        }
        if !stderr.is_stdout() {
            stderr.flush();
        } else if !self.is_busy() {
            // Until then they wait where there is a limit to them.
            self.notice(&stderr.take());
        }
        output.write_rows(&mut self.rows)?;
        // Alone, so that it is written in one piece.
        if !self.drawn && self.terminal.is_editing() && self.rows.is_empty() {
            self.rows.draw(&self.editor, self.columns);
            self.drawn = true;
        }
        output.write_rows(&mut self.rows)
    }

    /// How the program ends. A terminal that hung up ends it as the signal of that does, which may
    /// still be on its way; but not where that signal is ignored.
    ///
    /// # Errors
    /// What it ended with, if it was anything else.
    pub fn ending(&self, ended: Result<Status, Error>) -> Result<Status, Error> {
        match ended {
            Err(error) if error == Error::hung_up() && self.signals.ends_by_hangup() => {
                Ok(Status::Killed(signals::HANGUP))
            }
            ended => ended,
        }
    }

    /// Draws the row on a clean screen, as Ctrl-L asks for.
    fn redraw(&mut self) {
        self.rows.clear();
        self.drawn = false;
    }

    /// The terminal has another size.
    fn resize(&mut self) {
        self.columns = Terminal::columns();
        self.drawn = false;
    }

    /// Gives the terminal back and stops, as Ctrl-Z asks for; returns when the program goes on.
    /// Where there is no shell to make it go on, Ctrl-Z does nothing.
    fn suspend(&mut self, output: &mut Output<D>) {
        if !job::has_shell() {
            return;
        }
        self.rows.erase();
        self.give_back(output);
        signals::stop();
        self.resume(true);
    }

    /// The program goes on after it was stopped: a shell had the terminal, or another program may have had it and
    /// changed it; or none had it, and the row is still there.
    fn resume(&mut self, had_shell: bool) {
        self.rows.lose();
        self.begin(had_shell);
        self.resize();
    }

    /// Takes the terminal, at the beginning or after a stop. What waits there was typed while another program had it, or
    /// nobody; only where the modes are still ours, and no shell can have set them back, it was not shown, and comes to
    /// the row that still stands there.
    fn begin(&mut self, had_shell: bool) {
        let was_away = had_shell || Terminal::is_echoing();
        self.enter();
        if was_away && self.terminal.is_editing() && Terminal::has_input() {
            self.expect_echoed();
        }
    }

    /// Gives the terminal back, for good. Does not wait for a terminal that does not take the rest
    /// at once.
    pub fn leave(&mut self, output: &mut Output<D>) {
        if self.terminal.is_editing() {
            self.rows.finish();
        }
        if self.stdin.has_ended() {
            Terminal::discard_input();
        }
        self.give_back(output);
    }

    fn give_back(&mut self, output: &mut Output<D>) {
        if let Some(text) = self.terminal.leave() {
            self.rows.control(text);
        }
        // Gone or stopped, there is nothing left to do for it.
        let _ = output.write_rows(&mut self.rows);
        self.drawn = false;
    }

    fn enter(&mut self) {
        if let Some(text) = self.terminal.enter() {
            self.rows.control(text);
        }
        self.rows.set_editing(self.terminal.is_editing());
        let (interrupt, suspend) = (self.terminal.interrupt(), self.terminal.suspend());
        self.editor.set_signals(interrupt, suspend);
        self.drawn = false;
    }
}
