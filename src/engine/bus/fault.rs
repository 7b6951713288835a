//! What cannot go on, and in which words that is told.

/// What cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection: it is to be closed, and [`Bus::lost`](crate::engine::bus::Bus::lost) to be called with this.
    Drop(String),
    /// The hub, which never was a part of the class: something is wrong with what was typed, or with the class.
    End {
        /// Why.
        why: String,
        /// What can be done.
        hint: &'static str,
    },
}

impl Fault {
    /// The connection is to be closed.
    pub(super) fn cut(why: &str) -> Fault {
        Fault::Drop(why.into())
    }

    /// It cannot be so: the hub ends, if it never was a part of the class ([`Bus`](crate::engine::bus::Bus) knows).
    pub(super) fn end(why: &str, hint: &'static str) -> Fault {
        let why = why.into();
        Fault::End { why, hint }
    }
}
