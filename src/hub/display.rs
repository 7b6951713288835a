//! What the person at the hub sees: the screen on stdout, notices on stderr, and on one terminal both
//! above the line being typed.
//!
//! It promises: a stdout that is stuck does not stop the class; a closed one is told once, and the
//! hub serves on.

use std::io;
use std::time::Instant;

use crate::engine::rows::BUSY;
use crate::engine::screen::Screen;
use crate::io::console::Console;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::notices::Stderr;
use crate::io::output::LAST_WORDS;
use crate::io::output::Output;
use crate::io::plain_rows::PlainRows;
use crate::io::readiness::Event;
use crate::status::NOTICE;

/// Stdout and stderr. See the module's documentation.
pub(crate) struct Display<D> {
    stdout: Output<D>,
    stderr: Stderr<D>,
    /// Those of stdout, if it is a terminal and there is no console.
    rows: Option<PlainRows>,
    /// The hub cannot go on without stdout; and the reason when it is lost.
    needs_stdout: bool,
    lost: Option<io::Error>,
}

impl Display<Descriptor> {
    /// Waits, but not long, until stdout has taken what was shown; a console was left before. Tells what was not, and
    /// how many lines had been left out. Returns whether it has taken all of it, and all before.
    pub(crate) fn write_last(
        &mut self,
        screen: &mut Screen,
        mut console: Option<&mut Console>,
    ) -> bool {
        let end = Instant::now() + LAST_WORDS;
        let unwritten = loop {
            let written = match console.as_deref_mut() {
                Some(console) => console.write(&mut self.stdout),
                None => {
                    self.flush(screen);
                    Ok(())
                }
            };
            // A terminal that is gone has nobody before it.
            if written.is_err() {
                break 0;
            }
            let unwritten = self.waiting(screen, console.as_deref());
            let left = end.saturating_duration_since(Instant::now());
            if unwritten == 0 || left.is_zero() {
                break unwritten;
            }
            self.stdout.wait(left);
        };
        tell_left_out(screen.take_all_left_out());
        if unwritten > 0 {
            self.say_not_taken(unwritten);
        }
        unwritten == 0 && self.lost.is_none()
    }
}

impl<D: Device> Display<D> {
    pub(crate) fn new(stdout: Output<D>, stderr: Stderr<D>, has_console: bool) -> Display<D> {
        let is_ours = stdout.kind() == Kind::Terminal && !has_console;
        Display {
            rows: is_ours.then(PlainRows::of_stdout),
            stdout,
            stderr,
            needs_stdout: false,
            lost: None,
        }
    }

    /// A caller that finds stdout [lost](Display::lost_stdout) tells so.
    pub(crate) fn end_with_stdout(&mut self) {
        self.needs_stdout = true;
    }

    /// Why stdout takes no more, where nothing goes on without it.
    pub(crate) fn lost_stdout(&self) -> Option<&io::Error> {
        self.lost.as_ref().filter(|_| self.needs_stdout)
    }

    pub(crate) fn collect_stdout(&mut self, event: Event) {
        self.stdout.collect(event);
    }

    pub(crate) fn collect_stderr(&mut self, event: Event) {
        self.stderr.collect(event);
    }

    pub(crate) fn stdout_mut(&mut self) -> &mut Output<D> {
        &mut self.stdout
    }

    /// The terminal has shown itself what was typed, to the end of a line or not.
    pub(crate) fn echoed(&mut self, is_ended: bool) {
        if let Some(rows) = &mut self.rows {
            rows.current().echoed(is_ended);
        }
    }

    /// Tells the operator something, whatever the verbosity: at the terminal where lines are typed, if
    /// stdout is that, else on stderr.
    pub(crate) fn answer(&mut self, lines: Vec<String>) {
        for line in lines {
            match &mut self.rows {
                Some(rows) => rows.notice(format!("muxnc: {line}\n").as_bytes()),
                None => self.say(&line),
            }
        }
    }

    /// Says something on stderr, whatever the verbosity.
    pub(crate) fn say(&mut self, what: &str) {
        self.stderr.notices().say(what);
    }

    /// Says how much stdout did not take, at the end.
    pub(crate) fn say_not_taken(&mut self, bytes: u64) {
        self.say(&format!("stdout did not take the last {bytes} bytes"));
    }

    /// Says something on stderr that only a person wants to know.
    pub(crate) fn tell(&self, what: &str) {
        log::info!(target: NOTICE, "{what}");
    }

    /// Whether what waits to be shown can be written at once.
    pub(crate) fn is_ready(&self, screen: &Screen, console: Option<&Console<D>>) -> bool {
        let settled = console.is_none_or(Console::is_settled) && self.has_written_rows();
        !(screen.is_empty() && settled) && self.stdout.is_writable()
    }

    /// Bytes that were to be shown and that stdout did not take yet.
    pub(crate) fn waiting(&self, screen: &Screen, console: Option<&Console<D>>) -> u64 {
        let above = console.map_or(0, Console::waiting);
        let rows = self.rows.as_ref().map_or(0, |rows| rows.waiting());
        (screen.waiting() + above + rows) as u64
    }

    fn has_written_rows(&self) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows.is_empty())
    }

    /// The screen to stdout, and notices to stderr.
    ///
    /// # Errors
    /// The terminal of the console is gone.
    pub(crate) fn show(
        &mut self,
        screen: &mut Screen,
        console: Option<&mut Console<D>>,
    ) -> Result<(), Error> {
        match console {
            Some(console) => self.show_above(screen, console),
            None => {
                match self.rows.is_some() {
                    true => self.show_rows(screen),
                    false => self.write(screen),
                }
                tell_left_out(screen.take_left_out());
                self.show_notices(None)
            }
        }
    }

    /// The same at a terminal where no line is edited.
    fn show_rows(&mut self, screen: &mut Screen) {
        let Some(rows) = self.rows.as_mut().map(PlainRows::current) else {
            return;
        };
        loop {
            while !rows.is_busy() && !screen.is_empty() {
                let lines = screen.front_lines(BUSY);
                let count = lines.len();
                rows.show(lines);
                screen.consume(count);
            }
            if let Err(error) = self.stdout.write_rows(rows) {
                self.rows = None;
                return self.lose_stdout(screen, error);
            }
            if screen.is_empty() || !self.stdout.is_writable() {
                return;
            }
        }
    }

    /// What was said on stderr, before anything else is shown.
    ///
    /// # Errors
    /// The terminal of the console is gone.
    pub(crate) fn show_notices(&mut self, console: Option<&mut Console<D>>) -> Result<(), Error> {
        match console {
            Some(console) => {
                let flushed = console.flush(&mut self.stdout, &mut self.stderr);
                flushed.map_err(|_| Error::hung_up())
            }
            None => {
                self.flush_stderr();
                Ok(())
            }
        }
    }

    /// What is said on stderr: among the rows, if it is the same terminal.
    fn flush_stderr(&mut self) {
        let rows = self.rows.as_mut().filter(|_| self.stderr.is_stdout());
        let Some(rows) = rows else {
            return self.stderr.flush();
        };
        if !rows.is_busy() {
            // Until then they wait where there is a limit to them.
            rows.notice(&self.stderr.take());
        }
        let rows = rows.current();
        if self.stdout.write_rows(rows).is_err() {
            // The next write will find it out, if there is one.
            rows.forget();
        }
    }

    fn lose_stdout(&mut self, screen: &mut Screen, error: io::Error) {
        screen.close();
        if !self.needs_stdout {
            log::error!("write to stdout: {}; serving without", why(&error));
        }
        self.lost = Some(error);
    }

    fn show_above(&mut self, screen: &mut Screen, console: &mut Console<D>) -> Result<(), Error> {
        loop {
            while !console.is_busy() && !screen.is_empty() {
                let lines = screen.front_lines(BUSY);
                let count = lines.len();
                console.show(lines);
                screen.consume(count);
            }
            if screen.is_empty() {
                break;
            }
            // More than a piece waits: the row of the line being typed is drawn behind the last of them.
            console
                .write(&mut self.stdout)
                .map_err(|_| Error::hung_up())?;
            if !self.stdout.is_writable() {
                break;
            }
        }
        tell_left_out(screen.take_left_out());
        self.show_notices(Some(console))
    }

    fn write(&mut self, screen: &mut Screen) {
        while self.stdout.is_writable() && !screen.is_empty() {
            match self.stdout.write(screen.front()) {
                Ok(count) => screen.consume(count),
                Err(error) => self.lose_stdout(screen, error),
            }
        }
    }

    /// Draws the row that tells how far a transfer is; never over the beginning of a line of a peer, nor
    /// while another job has the terminal.
    pub(crate) fn draw(&mut self, row: &str) {
        match &mut self.rows {
            Some(rows) if self.stderr.is_stdout() => rows.progress(row),
            _ => self.stderr.draw(row),
        }
    }

    /// The end: nothing more is drawn, and notices are written as far as they can be at once. Text
    /// that is written after that does not stand behind a line of a peer.
    pub(crate) fn finish(&mut self) {
        self.flush_stderr();
        if self.rows.as_ref().is_some_and(|rows| rows.is_midline()) && self.stderr.is_stdout() {
            self.stderr.follow_text();
        }
    }

    /// Writes what is to be shown still, as far as it can be at once.
    pub(crate) fn flush(&mut self, screen: &mut Screen) {
        match self.rows.is_some() {
            true => self.show_rows(screen),
            false => self.write(screen),
        }
    }

    /// Takes the row away.
    pub(crate) fn erase_row(&mut self) {
        match &mut self.rows {
            Some(rows) if self.stderr.is_stdout() => rows.current().erase(),
            _ => self.stderr.erase(),
        }
    }
}

/// Tells how many lines a terminal was not shown.
fn tell_left_out(lines: u64) {
    if lines > 0 {
        let lines = match lines {
            1 => String::from("1 line was"),
            _ => format!("{lines} lines were"),
        };
        log::warn!("{lines} not shown: stdout did not keep up");
    }
}
