//! Everything said on stderr, through a queue that never blocks the loop.
//!
//! A plain `eprintln!` to a terminal that somebody stopped with Ctrl-S stops the whole program
//! until Ctrl-Q. So notices and log lines are queued here, and the loop writes them when stderr
//! takes them.
//!
//! One row can be drawn there again and again ([`Stderr::draw`]); what is said takes its place, so
//! that the two are never mixed.
//!
//! It promises: at most [`LIMIT`] bytes wait; what does not fit is dropped whole and counted, and
//! the count is told as soon as there is room.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use mio::Registry;
use mio::Token;

use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::output::Output;
use crate::io::readiness::Event;
use crate::io::terminal::Terminal;

/// Bytes that may wait for stderr.
pub const LIMIT: usize = 64 * 1024;

/// How long the end of the program waits for a stderr that is stuck.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Makes a terminal begin its row anew.
const ERASE: &[u8] = b"\r\x1b[K";

/// A handle for saying things; clones share one queue. As a [`Write`] it is a logger's target that
/// takes whole records.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    bytes: VecDeque<u8>,
    dropped: u64,
    /// A row is drawn, after everything in the queue.
    row: bool,
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
        self.erase();
        self.bytes.extend(record);
    }

    /// Erases the row. Returns whether there was one.
    fn erase(&mut self) -> bool {
        let erased = std::mem::take(&mut self.row);
        if erased {
            self.bytes.extend(ERASE);
        }
        erased
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

/// The way from the queue to stderr.
#[derive(Debug)]
pub struct Stderr<D = Descriptor> {
    notices: Notices,
    output: Output<D>,
}

impl Stderr {
    /// Stderr for what is said through `notices`.
    pub fn new(notices: Notices) -> Stderr {
        Stderr {
            notices,
            output: Output::stderr(),
        }
    }

    /// Registers it for the news that it takes bytes again.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.output.register(registry, token)
    }

    /// Whether it is a terminal that a row can be drawn on.
    pub fn is_capable_terminal(&self) -> bool {
        self.output.kind() == Kind::Terminal && Terminal::is_capable()
    }

    /// Whether stderr is the same terminal as `stdout`.
    pub fn shares_terminal(&self, stdout: &Output) -> bool {
        self.output.is_same_terminal(stdout)
    }

    /// Writes everything, but does not wait long for a stderr that is stuck. For the end of the
    /// program; a loop calls [`Stderr::flush`].
    pub fn finish(&mut self) {
        let end = Instant::now() + LAST_WORDS;
        loop {
            self.flush();
            let left = end.saturating_duration_since(Instant::now());
            if self.notices.queue().bytes.is_empty() || left.is_zero() {
                return;
            }
            self.output.wait(left);
        }
    }
}

impl<D: Device> Stderr<D> {
    /// What is said through `notices` goes there.
    pub fn over(notices: Notices, output: Output<D>) -> Stderr<D> {
        Stderr { notices, output }
    }

    /// What is said.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: impl Into<Event>) {
        self.output.collect(event);
    }

    /// Writes what stderr takes. Without a reader nothing is kept: there is nobody to tell.
    pub fn flush(&mut self) {
        let mut queue = self.notices.queue();
        while !queue.bytes.is_empty() {
            match self.output.write(queue.bytes.as_slices().0) {
                Ok(0) => return,
                Ok(count) => drop(queue.bytes.drain(..count)),
                Err(_) => queue.bytes.clear(),
            }
            if queue.bytes.is_empty() {
                queue.tell_dropped();
            }
        }
    }

    /// Takes everything that waits, for a console on the same terminal to show.
    pub fn take(&mut self) -> Vec<u8> {
        let mut queue = self.notices.queue();
        queue.tell_dropped();
        queue.bytes.drain(..).collect()
    }

    /// Draws a row in place of the one that was drawn before, unless stderr is stuck. It must fit.
    pub fn draw(&mut self, row: &str) {
        let mut queue = self.notices.queue();
        if queue.bytes.is_empty() {
            queue.bytes.extend(ERASE);
            queue.bytes.extend(row.as_bytes());
            queue.row = true;
        }
    }

    /// Erases the row that was drawn. Returns whether there was one.
    pub fn erase(&mut self) -> bool {
        self.notices.queue().erase()
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
