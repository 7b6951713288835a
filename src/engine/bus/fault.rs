//! What cannot go on, and in which words that is told.

/// What cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection: it is to be closed, and [`Bus::lost`](crate::engine::bus::Bus::lost) to be called with this.
    Drop(String),
    /// The hub.
    End {
        /// Why.
        why: String,
        /// What can be done.
        hint: Option<&'static str>,
    },
}

impl Fault {
    /// The connection is to be closed.
    pub(super) fn cut(why: &str) -> Fault {
        Fault::Drop(why.into())
    }

    /// The hub ends.
    pub(super) fn end(why: &str, hint: Option<&'static str>) -> Fault {
        let why = why.into();
        Fault::End { why, hint }
    }
}
