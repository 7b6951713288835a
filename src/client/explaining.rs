//! Explaining to a participant what happens on its connection (`--explain`).
//!
//! It promises: events before the loop runs are told as they happen, too.

use std::time::Instant;

use crate::engine::explain::Observed;
use crate::engine::explain::Sentence;
use crate::engine::explain::Story;
use crate::engine::explain::Witness;
use crate::io::conn::Conn;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::stream::Stream;
use crate::status::EXPLAIN;

/// Tells of a connection that is being made.
pub(super) struct Teller {
    story: Story,
    stderr: Stderr,
}

impl Teller {
    pub(super) fn new(notices: &Notices) -> Teller {
        Teller {
            story: Story::default(),
            stderr: Stderr::new(notices.clone()),
        }
    }

    /// The part that stays with the connection.
    pub(super) fn into_story(self) -> Story {
        self.story
    }
}

impl Witness for Teller {
    fn observe(&mut self, what: Observed<'_>) {
        self.story.observe(what);
        say(self.story.take(Instant::now()));
        self.stderr.flush();
    }

    fn is_interested(&self) -> bool {
        true
    }
}

/// Tells what there is to tell of a connection. Returns whether there was anything.
pub(super) fn tell<S: Stream>(conn: &mut Conn<S>, now: Instant) -> bool {
    conn.is_explained() && say(conn.tell(now))
}

fn say(sentences: Vec<Sentence>) -> bool {
    let is_something = !sentences.is_empty();
    for sentence in sentences {
        log::info!(target: EXPLAIN, "{sentence}");
    }
    is_something
}
