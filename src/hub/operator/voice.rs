//! The voice: how the operator's words go out, with CRLF (`-C`) and line by line (`--delay`) if that is
//! wanted.
//!
//! It promises: private lines and lines for all end alike; with a delay one line is said at a time,
//! and nothing while it lasts.

use std::time::Duration;
use std::time::Instant;

use crate::engine::crlf::Crlf;
use crate::engine::line_delay::LineDelay;
use crate::hub::peers::Peers;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// See the module's documentation.
pub(super) struct Voice {
    crlf: Option<Crlf>,
    converted: Vec<u8>,
    line_delay: Option<LineDelay>,
}

impl Voice {
    pub(super) fn new(crlf: bool, line_delay: Option<Duration>) -> Voice {
        Voice {
            crlf: crlf.then(Crlf::default),
            converted: Vec::new(),
            line_delay: line_delay.map(LineDelay::new),
        }
    }

    /// Until when nothing is said, as far as [`Voice::pauses`] knows.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.line_delay.as_ref()?.until()
    }

    /// Ends the pause if it is over. Returns whether one goes on.
    pub(super) fn pauses(&mut self, now: Instant) -> bool {
        let delay = self.line_delay.as_mut();
        delay.is_some_and(|delay| delay.pauses(now))
    }

    /// Says to everybody what comes first of `bytes`: all, or with a delay a line. Returns how many of them
    /// that were.
    pub(super) fn say<S: Stream, D: Device>(
        &mut self,
        mut bytes: &[u8],
        peers: &mut Peers<S, D>,
        now: Instant,
    ) -> usize {
        if let Some(delay) = &mut self.line_delay {
            bytes = &bytes[..LineDelay::portion(bytes)];
            delay.sent(bytes, now);
        }
        match &mut self.crlf {
            None => peers.typed(bytes, now),
            Some(crlf) => {
                self.converted.clear();
                crlf.convert(bytes, &mut self.converted);
                peers.typed(&self.converted, now);
            }
        }
        bytes.len()
    }

    /// Says a line to one alone. False: it is gone.
    #[must_use]
    pub(super) fn tell<S: Stream, D: Device>(
        &self,
        key: usize,
        text: &str,
        peers: &mut Peers<S, D>,
    ) -> bool {
        let line = format!("{text}\n");
        let mut converted = Vec::new();
        let line = match self.crlf {
            None => line.as_bytes(),
            Some(_) => {
                Crlf::default().convert(line.as_bytes(), &mut converted);
                &converted
            }
        };
        peers.tell(key, line)
    }
}
