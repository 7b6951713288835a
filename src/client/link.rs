//! The link: the connection of a participant, and what is known of what arrived over it.
//!
//! It promises: bytes that a layer adds at the end (TLS's close_notify) are never counted as
//! missing; if we close while we owe something, the other side reads a reset, not an end.

use std::io;

use crate::engine::conversation::Look;
use crate::io::conn::Conn;
use crate::io::stream::Stream;

/// See the module's documentation.
pub(super) struct Link<S> {
    pub(super) conn: Conn<S>,
    /// Bytes on the wire when everything was said: what a layer adds after them is the end itself.
    data_end: Option<u64>,
    /// A file was not sent whole yet, or stdin broke off: also when the program is killed the other
    /// side must not read an end.
    is_promised: bool,
}

impl<S: Stream> Link<S> {
    pub(super) fn new(conn: Conn<S>) -> Link<S> {
        Link {
            conn,
            data_end: None,
            is_promised: false,
        }
    }

    /// From now on closing it is a reset: all of a file is to be sent.
    pub(super) fn promise(&mut self) {
        self.is_promised = true;
        self.conn.break_on_close(true);
    }

    /// From now on closing it is a reset: stdin broke off, and what was sent of it is a part.
    pub(super) fn break_off(&mut self) {
        self.promise();
    }

    /// All that was to be sent was given to the kernel.
    pub(super) fn keep_promise(&mut self) {
        if self.is_promised {
            self.is_promised = false;
            self.conn.break_on_close(false);
        }
    }

    /// Lets what the other side reads when this is closed be the truth: that it broke, if bytes are
    /// `owed` to it, or all of a file, or what is sent broke off.
    pub(super) fn close_truthfully(&mut self, owed: u64, broke_off: bool) {
        let lacks = (owed > 0 || self.is_promised || broke_off) && !self.conn.is_shut();
        self.conn
            .break_on_close(lacks || self.conn.has_pending_output());
    }

    /// Ends our side. All that was said must have been given to the kernel.
    pub(super) fn half_close(&mut self) {
        debug_assert!(
            !self.conn.has_pending_output(),
            "the end overtakes something"
        );
        if !self.conn.is_wire() {
            self.data_end = self.conn.tcp_info().map(|info| info.written);
        }
        self.conn.shutdown();
        self.keep_promise();
    }

    /// If a layer holds some of what was given: bytes that the kernel has and that were not acknowledged.
    pub(super) fn held(&self) -> Option<u64> {
        let info = self.conn.tcp_info()?;
        let is_held = self.conn.has_pending_output();
        is_held.then(|| info.unacknowledged().max(1))
    }

    /// Looks what was acknowledged.
    ///
    /// # Errors
    /// The system tells nothing of that, but that the connection broke.
    pub(super) fn look(&mut self) -> io::Result<Look> {
        let Some(info) = self.conn.tcp_info() else {
            return match self.conn.take_error() {
                Some(error) => Err(error),
                None => Ok(Look::Untold),
            };
        };
        let written = self.data_end.unwrap_or(info.written);
        Ok(Look::Told {
            outstanding: written.saturating_sub(info.acknowledged),
            acknowledged: info.acknowledged,
            last_answer: info.last_answer,
        })
    }
}
