//! What the person at the hub sees: the screen on stdout, notices on stderr, and on one terminal both
//! above the line being typed.
//!
//! It promises: a stdout that is stuck stops nobody; one that is closed is told of once, and the hub
//! serves on.

use crate::engine::screen::Screen;
use crate::io::console::Console;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::readiness::Event;

/// Stdout and stderr. See the module's documentation.
pub(super) struct Display<D> {
    stdout: Output<D>,
    stderr: Stderr<D>,
}

impl<D: Device> Display<D> {
    pub(super) fn new(stdout: Output<D>, stderr: Stderr<D>) -> Display<D> {
        Display { stdout, stderr }
    }

    pub(super) fn collect_stdout(&mut self, event: Event) {
        self.stdout.collect(event);
    }

    pub(super) fn collect_stderr(&mut self, event: Event) {
        self.stderr.collect(event);
    }

    pub(super) fn stdout_mut(&mut self) -> &mut Output<D> {
        &mut self.stdout
    }

    /// Says something on stderr, whatever the verbosity.
    pub(super) fn say(&mut self, what: &str) {
        self.stderr.notices().say(what);
    }

    /// Whether what waits to be shown can be written at once.
    pub(super) fn is_ready(&self, screen: &Screen, console: Option<&Console<D>>) -> bool {
        let settled = console.is_none_or(Console::is_settled);
        !(screen.is_empty() && settled) && self.stdout.is_writable()
    }

    /// Whether everything that was to be shown is.
    pub(super) fn is_done(&self, screen: &Screen, console: Option<&Console<D>>) -> bool {
        screen.is_empty() && console.is_none_or(Console::is_written)
    }

    /// The screen to stdout, and notices to stderr.
    ///
    /// # Errors
    /// The terminal of the console is gone.
    pub(super) fn show(
        &mut self,
        screen: &mut Screen,
        console: Option<&mut Console<D>>,
    ) -> Result<(), Error> {
        match console {
            Some(console) => self.show_above(screen, console),
            None => {
                self.write(screen);
                self.tell_dropped(screen);
                self.stderr.flush();
                Ok(())
            }
        }
    }

    fn show_above(&mut self, screen: &mut Screen, console: &mut Console<D>) -> Result<(), Error> {
        while !console.is_busy() && !screen.is_empty() {
            let count = screen.front().len();
            console.show(screen.front());
            screen.consume(count);
        }
        self.tell_dropped(screen);
        let flushed = console.flush(&mut self.stdout, &mut self.stderr);
        flushed.map_err(|_| Error::hung_up())
    }

    fn write(&mut self, screen: &mut Screen) {
        // A row that is drawn on the same terminal makes way.
        if self.stdout.kind() == Kind::Terminal && !screen.is_empty() && self.stderr.erase() {
            self.stderr.flush();
        }
        while self.stdout.is_writable() && !screen.is_empty() {
            match self.stdout.write(screen.front()) {
                Ok(count) => screen.consume(count),
                Err(error) => {
                    log::warn!("write to stdout: {}; serving without", why(&error));
                    screen.close();
                }
            }
        }
    }

    fn tell_dropped(&mut self, screen: &mut Screen) {
        let dropped = screen.take_dropped();
        if dropped > 0 {
            log::warn!("{dropped} lines were not shown: stdout did not keep up");
        }
    }

    /// Draws the row that tells how far a transfer is; never over the beginning of a line of a peer.
    pub(super) fn draw(&mut self, row: &str, screen: &Screen) {
        if !screen.is_midline() || self.stdout.kind() != Kind::Terminal {
            self.stderr.draw(row);
        }
    }

    /// The end: nothing more is drawn, and notices are written as far as they can be at once.
    pub(super) fn finish(&mut self) {
        self.stderr.flush();
    }

    /// Takes the row away.
    pub(super) fn erase_row(&mut self) {
        self.stderr.erase();
    }
}
