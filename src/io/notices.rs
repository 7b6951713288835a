//! Everything said on stderr, through a queue that never blocks the loop.
//!
//! A plain `eprintln!` to a terminal that was stopped with Ctrl-S stops the whole program until
//! Ctrl-Q (termios(3), IXON). So notices and log lines are queued here, and the loop writes them
//! when stderr takes them.
//!
//! One row can be drawn there again and again ([`Stderr::draw`]); a notice takes its place. Where
//! stdout is the same terminal, the owner of its rows ([`PlainRows`], or a console) shows the notices.
//!
//! It promises: at most [`LIMIT`] bytes wait; a notice that does not fit is dropped whole and
//! counted, and the count is told as soon as there is room.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use log::Log;
use log::Metadata;
use log::Record;
use mio::Registry;
use mio::Token;

use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::output::LAST_WORDS;
use crate::io::output::Output;
use crate::io::plain_rows::PlainRows;
use crate::io::readiness::Event;
use crate::io::terminal::Terminal;

/// Bytes that may wait for stderr.
pub const LIMIT: usize = 64 * 1024;

/// Bytes of it that are on their way at a time, if no record is longer.
const PORTION: usize = 4 * 1024;

/// A handle for saying things; clones share one queue. As a [`Write`] it is a logger's target that
/// takes whole records.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    bytes: VecDeque<u8>,
    dropped: u64,
    /// Notices on their way to stderr, where nothing else is said on the same terminal.
    rows: PlainRows,
}

impl Notices {
    /// Says `muxnc: ` and `what`.
    pub fn say(&self, what: impl fmt::Display) {
        self.queue().push(format!("muxnc: {what}\n").as_bytes());
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A panic while the lock was held left the queue as good as it was.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, record: &[u8]) {
        if self.bytes.len() + record.len() > LIMIT {
            self.dropped += 1;
            return;
        }
        if self.bytes.len() < LIMIT / 2 {
            self.tell_dropped();
        }
        self.bytes.extend(record);
    }

    /// Takes whole records off the front, about `most` bytes.
    fn take(&mut self, most: usize) -> Vec<u8> {
        let bytes = self.bytes.make_contiguous();
        // Not by `memchr`, which at its first use asks the processor what it can: on a virtual machine
        // that is some 5 % of all that a hub does until it listens, and notices are short.
        let is_end = |&byte: &u8| byte == b'\n';
        let end = match bytes.iter().take(most).rposition(is_end) {
            Some(lf) => lf + 1,
            None => bytes
                .iter()
                .position(is_end)
                .map_or(bytes.len(), |lf| lf + 1),
        };
        self.bytes.drain(..end).collect()
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.rows.is_empty()
    }

    fn tell_dropped(&mut self) {
        if self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            self.bytes
                .extend(format!("muxnc: {dropped} messages were lost here\n").as_bytes());
        }
    }
}

impl Write for Notices {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.queue().push(record);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A logger whose records wait in the queue, from where [`Log::flush`] writes them as far as stderr takes
/// them: for what is said where no loop is there yet to do so.
#[derive(Debug)]
pub struct Logger<L> {
    /// Makes text of log records, and has `notices` take it.
    pub inner: L,
    /// The queue.
    pub notices: Notices,
}

impl<L: Log> Log for Logger<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.inner.log(record);
    }

    fn flush(&self) {
        Stderr::new(self.notices.clone()).flush();
    }
}

/// The way from the queue to stderr.
#[derive(Debug)]
pub struct Stderr<D = Descriptor> {
    notices: Notices,
    output: Output<D>,
    /// It is the terminal that stdout is.
    is_stdout: bool,
    /// The width of the terminal that it is.
    columns: Option<fn() -> u16>,
}

impl Stderr {
    /// Stderr for what is said through `notices`.
    pub fn new(notices: Notices) -> Stderr {
        let output = Output::stderr();
        let is_terminal = output.kind() == Kind::Terminal;
        if is_terminal && Terminal::is_capable() {
            notices.queue().rows.current().set_bold(true);
        }
        Stderr {
            is_stdout: output.is_same_terminal_as_stdout(),
            columns: is_terminal.then_some(Terminal::columns_of_stderr),
            notices,
            output,
        }
    }

    /// Registers it for the news that it takes bytes again.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.output.register(registry, token)
    }

    /// Whether it is a terminal that a row can be drawn on.
    pub fn is_capable_terminal(&self) -> bool {
        self.output.kind() == Kind::Terminal && Terminal::is_capable()
    }

    /// Writes everything, but does not wait long for a stderr that is stuck. For the end of the
    /// program; a loop calls [`Stderr::flush`].
    pub fn finish(&mut self) {
        let end = Instant::now() + LAST_WORDS;
        loop {
            self.flush();
            let left = end.saturating_duration_since(Instant::now());
            if self.notices.queue().is_empty() || left.is_zero() {
                return;
            }
            self.output.wait(left);
        }
    }
}

impl<D: Device> Stderr<D> {
    /// The descriptor that `notices` go to.
    pub fn over(notices: Notices, output: Output<D>) -> Stderr<D> {
        Stderr {
            notices,
            output,
            is_stdout: false,
            columns: None,
        }
    }

    /// What is said.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Whether it is the terminal that stdout is, so that the owner of that terminal's rows has to
    /// show the notices: [`Stderr::take`].
    pub fn is_stdout(&self) -> bool {
        self.is_stdout
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: impl Into<Event>) {
        self.output.collect(event);
    }

    /// Writes as much as stderr takes. Without a reader nothing is kept.
    pub fn flush(&mut self) {
        let mut queue = self.notices.queue();
        loop {
            if queue.rows.is_empty() {
                if queue.bytes.is_empty() {
                    queue.tell_dropped();
                }
                let lines = queue.take(PORTION);
                let columns = self.columns.filter(|_| !lines.is_empty());
                let columns = columns.map(|columns| columns());
                queue.rows.current().notice(&lines, columns);
            }
            if queue.rows.is_empty() {
                return;
            }
            match self.output.write(queue.rows.front()) {
                Ok(0) => return,
                Ok(count) => queue.rows.current().consume(count),
                Err(_) => {
                    queue.bytes.clear();
                    queue.rows.current().forget();
                }
            }
        }
    }

    /// Takes everything that waits, to be shown by the owner of the same terminal's rows.
    pub fn take(&mut self) -> Vec<u8> {
        let mut queue = self.notices.queue();
        queue.tell_dropped();
        queue.bytes.drain(..).collect()
    }

    /// The owner of the same terminal's rows left the cursor behind the beginning of a line.
    pub fn follow_text(&mut self) {
        self.notices.queue().rows.current().is_behind_text();
    }

    /// Draws a row in place of the one that was drawn before, unless stderr is stuck or is the terminal of
    /// another job. It must fit.
    pub fn draw(&mut self, row: &str) {
        let mut queue = self.notices.queue();
        if queue.is_empty() {
            queue.rows.progress(row);
        }
    }

    /// Erases the row that was drawn.
    pub fn erase(&mut self) {
        self.notices.queue().rows.current().erase();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_bounded_amount_and_counts_the_rest() {
        let notices = Notices::default();
        for i in 0..10_000 {
            notices.say(format_args!("notice {i}"));
        }
        let waiting = notices.queue().bytes.len();
        assert!(waiting <= LIMIT);
        notices.queue().bytes.clear();
        notices.say("again");
        let queue = notices.queue();
        let text = String::from_utf8(queue.bytes.iter().copied().collect()).unwrap();
        let lost: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
        let kept = 10_000 - lost;
        assert!(kept > 0 && lost > 0);
        assert_eq!(
            text,
            format!("muxnc: {lost} messages were lost here\nmuxnc: again\n")
        );
    }
}
