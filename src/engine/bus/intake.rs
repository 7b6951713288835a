//! What the others tell: taken apart, counted, and kept until the room takes it.
//!
//! ```text
//!   a message ─▶ open ─▶ the roll ─▶ items ─▶ one line after the other
//!                 │         └ in a name of another
//!                 └─▶ strangers
//! ```
//!
//! It promises: each line is given once, whole, in its speaker's order, and a line counts as a
//! hub's only if the holder of the name signed it; our own lines are never given; what is kept is
//! bounded.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use memchr::memchr;

use crate::engine::bus::claim::News;
use crate::engine::bus::codec::Message;
use crate::engine::bus::envelope;
use crate::engine::bus::envelope::Author;
use crate::engine::bus::envelope::Envelope;
use crate::engine::bus::envelope::Key;
use crate::engine::bus::envelope::Piece;
use crate::engine::bus::envelope::What;
use crate::engine::bus::envelope::Whom;
use crate::engine::bus::envelope::count;
use crate::engine::bus::jetstream::Stamp;
use crate::engine::bus::roll::Gone;
use crate::engine::bus::roll::Roll;
use crate::engine::bus::roll::Verdict;
use crate::engine::bus::strangers::Strangers;

/// While so many bytes are kept nothing more is asked for.
const ENOUGH: usize = 256 * 1024;

/// While the room does not take lines, no more than so many bytes are kept; those that are dropped
/// are counted.
const MOST: usize = 8 * 1024 * 1024;

/// What an item takes beside its bytes.
const OVERHEAD: usize = 128;

/// Something that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Lines of a speaker, of which those up to `at` were given.
    Said {
        /// Whose hub it is.
        hub: String,
        /// Which process that is.
        key: Key,
        /// Who.
        author: Author,
        /// The lines.
        bytes: Vec<u8>,
        /// How much of them was given.
        at: usize,
    },
    /// A hub asks something of this one.
    Asked(String, Whom, What),
    /// A hub came, and so many are there.
    Came(String, u64),
    /// A hub is gone.
    Gone(Gone),
    /// Lines did not come: of a hub, of whom if that is known, how many.
    Missing(String, Option<Author>, u64),
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Item::Said { bytes, .. } => OVERHEAD + bytes.len(),
            _ => OVERHEAD,
        }
    }

    fn lines(&self) -> u64 {
        match self {
            Item::Said { bytes, at, .. } => count(&bytes[*at..]),
            _ => 0,
        }
    }

    /// Passes over a line, and says where it is. None: there is none.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        let Item::Said { bytes, at, .. } = self else {
            return None;
        };
        let (start, rest) = (*at, &bytes[*at..]);
        *at += memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        (start < *at).then_some((start, *at))
    }
}

/// What is read of the time before this hub began.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    /// So many lines of it are wanted, the last.
    wanted: u64,
    lines: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Intake {
    class: String,
    hub: String,
    own: Key,
    has_log: bool,
    roll: Roll,
    items: VecDeque<Item>,
    kept: usize,
    backlog: Option<Backlog>,
    current: Option<Item>,
    /// What is neither a hub's nor a hub.
    pub(super) strangers: Strangers,
}

/// An item, and of lines where the next is in it.
pub(super) type Given<'a> = (&'a Item, &'a [u8]);

impl Intake {
    /// For the hub of that name and key.
    pub(super) fn new(class: &str, hub: &str, own: Key) -> Intake {
        Intake {
            class: class.into(),
            hub: hub.into(),
            own,
            has_log: true,
            roll: Roll::default(),
            items: VecDeque::new(),
            kept: 0,
            backlog: None,
            current: None,
            strangers: Strangers::default(),
        }
    }

    /// Who is here.
    pub(super) fn roll(&self) -> &Roll {
        &self.roll
    }

    /// For how long another holds our name, if one does.
    pub(super) fn rival(&self) -> Option<Duration> {
        let (key, left) = self.roll.holder(&self.hub)?;
        (key != self.own).then_some(left)
    }

    /// Whether messages are those of a log, or come as they are published.
    pub(super) fn set_log(&mut self, has_log: bool) {
        self.has_log = has_log;
    }

    /// What comes now is older than this hub: of it the last lines are wanted, and who is there. Forgets what
    /// came before.
    pub(super) fn begin_backlog(&mut self, wanted: u64) {
        self.roll = Roll::default();
        self.items.clear();
        self.kept = 0;
        self.backlog = Some(Backlog { wanted, lines: 0 });
    }

    /// How many lines of those that are wanted did not come.
    pub(super) fn wanting(&self) -> u64 {
        self.backlog
            .map_or(0, |backlog| backlog.wanted - backlog.lines)
    }

    /// All that is older was read. Returns the hub that spoke last in our name, if it was one.
    pub(super) fn end_backlog(&mut self, spoke: Option<(Key, Stamp)>, now: Instant) {
        self.backlog = None;
        if let Some((key, stamp)) = spoke.filter(|(key, _)| *key != self.own) {
            self.roll.note_holder(&self.hub, key, stamp, now);
        }
        let others = self
            .roll
            .present()
            .filter(|present| present.name != self.hub);
        let mut came: Vec<(String, u64)> = others
            .map(|other| (other.name.to_string(), other.here))
            .collect();
        came.sort();
        for (hub, here) in came.into_iter().rev() {
            self.kept += OVERHEAD;
            self.items.push_front(Item::Came(hub, here));
        }
    }

    /// Whether more may be asked for.
    pub(super) fn has_room(&self) -> bool {
        self.backlog.is_some() || self.kept < ENOUGH
    }

    /// How many bytes are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// A message came that was taken then.
    pub(super) fn hear(
        &mut self,
        message: &Message<'_>,
        stamp: Stamp,
        now: Instant,
    ) -> Option<News> {
        if !self.has_log && self.kept > MOST {
            return None;
        }
        for gone in self.roll.expire(stamp) {
            self.push_gone(gone);
        }
        let opened = match message.is_cut {
            true => None,
            false => envelope::open(
                &self.class,
                message.subject,
                message.header(envelope::SIGNATURE),
                message.payload,
            ),
        };
        let Some(envelope) = opened else {
            self.stranger(message.payload);
            return None;
        };
        let (key, claims) = (envelope.key, envelope.claims);
        let (is_ours, is_our_name) = (key == self.own, envelope.hub == self.hub);
        if claims && !self.has_log {
            // It has nothing to say yet, and nothing to be counted.
            let is_rival = is_our_name && !is_ours;
            return is_rival.then_some(News::Another { key, claims });
        }
        match self.roll.hear(&envelope, now) {
            Verdict::Repeat => None,
            Verdict::Foreign if is_ours => {
                let (_, left) = self.roll.holder(&self.hub)?;
                Some(News::NotOurs(left))
            }
            Verdict::Foreign => {
                self.foreign(&envelope);
                None
            }
            Verdict::Heard { .. } if is_ours => Some(News::Ours),
            Verdict::Heard { came, missing } => {
                let is_bye = self.heard(envelope, came, missing);
                let news = match is_bye {
                    true => News::Free,
                    false => News::Another { key, claims },
                };
                (is_our_name && self.backlog.is_none()).then_some(news)
            }
        }
    }

    fn heard(&mut self, envelope: Envelope, came: bool, missing: u64) -> bool {
        let (hub, speaks) = (envelope.hub, envelope.key);
        if came && hub != self.hub {
            self.push(Item::Came(hub.clone(), envelope.here));
        }
        if missing > 0 {
            self.push(Item::Missing(hub.clone(), None, missing));
        }
        let mut is_bye = false;
        for piece in envelope.pieces {
            let hub = hub.clone();
            match piece {
                Piece::Said(author, bytes) => self.push(Item::Said {
                    hub,
                    key: speaks,
                    author,
                    bytes,
                    at: 0,
                }),
                Piece::Lost(_, 0) => {}
                Piece::Lost(author, lines) => self.push(Item::Missing(hub, Some(author), lines)),
                Piece::Ask { key, whom, what } if key == self.own => {
                    self.push(Item::Asked(hub, whom, what));
                }
                Piece::Ask { .. } => {}
                Piece::Bye => is_bye = true,
            }
        }
        if is_bye && let Some(gone) = self.roll.leave(&hub) {
            self.push_gone(gone);
        }
        is_bye
    }

    fn push_gone(&mut self, gone: Gone) {
        // The former holder of our name was not here together with us.
        if gone.hub != self.hub {
            self.push(Item::Gone(gone));
        }
    }

    fn push(&mut self, item: Item) {
        let Some(backlog) = &mut self.backlog else {
            self.kept += item.len();
            self.items.push_back(item);
            return;
        };
        // Of what is past only lines are told.
        if !matches!(item, Item::Said { .. }) {
            return;
        }
        self.kept += item.len();
        backlog.lines += item.lines();
        self.items.push_back(item);
        while let Some(oldest) = self.items.front_mut()
            && (backlog.lines > backlog.wanted || self.kept > MOST)
        {
            oldest.next_line();
            backlog.lines -= 1;
            // Of lines that are too long no more are wanted than can be kept.
            backlog.wanted = backlog.wanted.min(backlog.lines);
            if oldest.lines() == 0 {
                self.kept -= oldest.len();
                self.items.pop_front();
            }
        }
    }

    fn stranger(&mut self, bytes: &[u8]) {
        if self.backlog.is_none() {
            self.strangers.heard(bytes);
        }
    }

    /// What a key says in a name that it does not hold. A claim says nothing.
    fn foreign(&mut self, envelope: &Envelope) {
        let said = envelope.pieces.iter().find_map(|piece| match piece {
            Piece::Said(_, bytes) => Some(&bytes[..]),
            _ => None,
        });
        if let Some(said) = said {
            self.stranger(said);
        }
    }

    /// The next that was told; lines only if they are taken.
    pub(super) fn take(&mut self, takes_lines: bool) -> Option<Given<'_>> {
        if self.current.as_ref().is_some_and(|item| item.lines() == 0) {
            self.current = None;
        }
        if self.backlog.is_some() {
            return None;
        }
        let next = self.current.as_ref().or(self.items.front())?;
        if matches!(next, Item::Said { .. }) && !takes_lines {
            return None;
        }
        if self.current.is_none() {
            self.current = self.items.pop_front();
            self.kept -= self.current.as_ref().map_or(0, Item::len);
        }
        let item = self.current.as_mut()?;
        let line = item.next_line();
        let item = self.current.as_ref()?;
        let line = match (item, line) {
            (Item::Said { bytes, .. }, Some((start, end))) => &bytes[start..end],
            _ => &[],
        };
        Some((item, line))
    }
}
