//! The edit line: keys in, lines out, and the row that shows what is being typed.
//!
//! It knows no terminal: the caller reads bytes and hands them in ([`Editor::next`]), and writes out
//! what [`Editor::draw`] gives it. The terminal is expected to send bytes as
//! keys come (no ICANON, no ECHO, no IEXTEN), with bracketed paste on, and Ctrl-C as the
//! [byte](Editor::set_signals) that it is, and Ctrl-Z: so it acts on what was typed before it, and on nothing else.
//!
//! It promises:
//! - Cut anywhere, the same bytes give the same lines, but for Esc (below) and what
//!   [`Editor::arrive`] says of the cuts. Half a character or half a sequence waits here, and nothing
//!   waits for it; no key is lost to it.
//! - No line it gives has a line feed in it. Except for that the text is what was typed: what must
//!   not go to a terminal is spelled out in the row only. Bytes that are not UTF-8 become U+FFFD.
//! - Pasted lines can be told from typed ones. In pasted text a newline, a vertical tab and a form feed end
//!   a line and a tab stays, other C0 control characters are dropped. What comes behind the end of a paste in the
//!   same read is pasted, too: the pasted text may have held that end.
//! - A line has at most [`MAX_LINE`] bytes, and everything else that is kept is bounded too.
//!
//! Esc has no timer. What follows it [soon](Arrival::is_late) is a sequence with it, or makes the next
//! key an Alt-key if there is such (`b f d` Backspace Ctrl-H; any other key is the key itself). What
//! comes later is text: Esc was pressed alone then, and means nothing. A line that begins so is told from others
//! ([`Event::BehindEscape`]), since it may have been a key that the transport held up all the same.

mod beginning;
mod history;
mod key;
mod keys;
mod line;
mod origin;
mod row;
mod sequence;
#[cfg(test)]
mod tests;

use beginning::Beginning;
use history::History;
use key::Key;
use keys::Keys;
use line::Line;
use origin::Origin;
pub use row::ERASE;

use crate::engine::brackets::PASTE_BEGINS;
use crate::engine::command::begins_command;
use crate::engine::lookalike::is_slash;
use crate::engine::lookalike::skip_unseen;
use crate::engine::private::is_private;
use crate::engine::private::is_seen;
use crate::engine::typing::Arrival;

/// The longest line, in bytes.
pub const MAX_LINE: usize = 1024 * 1024;

/// What the keys came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A line was typed and ended by Enter.
    Line(String),
    /// A line that a paste ended, or the last one of a paste of several, ended by Enter. What was
    /// pasted is text and no command, whatever it looks like.
    Pasted(String),
    /// The same of a line of a paste that began with a line for one alone, or came directly behind one: it may be
    /// for that one, too.
    Aside(String),
    /// A line that begins with what came late behind an Esc: most of it, or all, was typed.
    BehindEscape(String),
    /// Ctrl-D with nothing typed.
    End,
    /// Tab: the caller may use [`Editor::before_cursor`] and [`Editor::replace_word`], or
    /// [`Editor::insert`] a tab.
    Complete,
    /// Ctrl-L.
    Redraw,
    /// Ctrl-C with nothing typed. The bytes behind it are for the program that has the terminal
    /// then.
    Interrupt,
    /// Ctrl-Z: the bytes behind it were typed for the time after `fg`.
    Suspend,
    /// The line has [`MAX_LINE`] bytes already: not all that came found room. Told once of a line.
    Full,
}

/// The line being typed, and the lines typed before. See the module's documentation.
#[derive(Debug, Default)]
pub struct Editor {
    keys: Keys,
    line: Line,
    history: History,
    /// Whether the line is what a paste left that had ended lines before.
    of_paste: bool,
    /// How much of the line was pasted.
    origin: Origin,
    /// What the paste brought of its first line.
    beginning: Beginning,
    /// Whether a line may be a command.
    has_commands: bool,
    /// What comes was not typed key by key, so that it is a paste without brackets, or the rest of one
    /// with them.
    in_bulk: bool,
    /// It was told that the line is full.
    told_full: bool,
    /// The line begins with what came late behind an Esc.
    behind_escape: bool,
    /// A paste is going on, or something like it; in brackets; and it began in what may be a command.
    pasting: bool,
    in_brackets: bool,
    into_command: bool,
    aside: Aside,
    /// What that becomes if whoever takes the last line knows that it was for one alone.
    if_for_one: Option<Aside>,
    /// What was read last came directly behind what was read before.
    follows: bool,
}

/// What was taken off the row for a while. See [`Editor::take_draft`].
#[derive(Debug)]
pub struct Draft {
    text: String,
    cursor: usize,
    is_aside: bool,
    /// What a paste left of which it was no more than the rest.
    rest: Option<Origin>,
    behind_escape: bool,
}

/// Whether the lines of a paste belong to one for one alone.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Aside {
    #[default]
    No,
    /// The paste has ended no line yet.
    Unknown,
    /// A line was typed that is for one alone, or such a paste is over, or its last row was ended, and a paste
    /// directly behind it is an aside.
    Behind,
    Yes,
}

impl Editor {
    /// An editor with nothing typed.
    pub fn new() -> Editor {
        Editor::default()
    }

    /// An editor of lines of which those that begin with `/` are commands. They, and what [looks like
    /// one](begins_command), are ended by a key and never by a paste, in which the end of a line is a blank there.
    pub fn with_commands() -> Editor {
        Editor {
            has_commands: true,
            ..Editor::default()
        }
    }

    /// What Ctrl-C and Ctrl-Z send from now on, control characters; None where one is a signal of the terminal's.
    pub fn set_signals(&mut self, interrupt: Option<u8>, suspend: Option<u8>) {
        self.keys.set_signals(interrupt, suspend);
    }

    /// The kernel edited what comes from now on, or it did not.
    pub fn edited_by_kernel(&mut self, is_edited: bool) {
        self.keys.edited(is_edited);
    }

    /// What comes from now on arrived so. Without it, it goes on as what came before.
    pub fn arrive(&mut self, arrival: Arrival) {
        self.follows = arrival.follows;
        if !arrival.follows {
            self.keys.pause();
            self.begin_anew();
        }
        if arrival.is_late {
            self.keys.late();
        }
        self.in_bulk = arrival.in_bulk;
        self.note_paste();
    }

    /// What comes in bulk now is another paste than what came before, unless brackets say that it goes on.
    fn begin_anew(&mut self) {
        if self.aside == Aside::Behind {
            self.aside = Aside::No;
        }
        if !self.keys.is_pasting() {
            self.pasting = false;
            if self.line.text().is_empty() {
                self.end_paste();
            }
        }
    }

    /// Whether a paste in brackets is going on.
    pub fn is_bracketed(&self) -> bool {
        self.keys.is_pasting()
    }

    fn note_paste(&mut self) {
        let in_brackets = self.keys.is_pasting();
        let was_in_brackets = std::mem::replace(&mut self.in_brackets, in_brackets);
        let begins = in_brackets && !was_in_brackets;
        if begins && self.pasting && matches!(self.aside, Aside::No | Aside::Unknown) {
            // What was read before it in the same bulk is another text, but for the row that it goes on with.
            self.aside = Aside::Unknown;
            self.beginning = Beginning::default();
        }
        let is_pasting = self.keys.is_pasting() || self.in_bulk;
        if is_pasting && !self.pasting {
            let line = self.line.text();
            self.into_command = self.has_commands && begins_command(line) && !self.is_of_paste();
            self.beginning = Beginning::default();
            self.aside = match self.aside {
                // Its last line, which has no end, goes on.
                Aside::Yes if self.of_paste => Aside::Yes,
                Aside::Behind => Aside::Yes,
                _ => Aside::Unknown,
            };
            // In the bulk that is being read, a line was ended before; and what has no end belongs to that, too.
            let is_behind = self.in_bulk || self.aside == Aside::Yes;
            self.of_paste |= is_behind && line.is_empty();
        }
        if self.pasting && !is_pasting && self.line.text().is_empty() {
            let was_aside = self.aside == Aside::Yes;
            self.end_paste();
            if was_aside && self.follows {
                self.aside = Aside::Behind;
            }
        }
        self.pasting = is_pasting;
    }

    /// Takes keys off the front of `keys` until something is to be done; `None` when all are taken.
    /// What the event is about (the text to complete) is as it was at that key: the keys behind it
    /// are still in `keys`. All that was read should be handed in as one piece, because its end
    /// decides what an Esc at its end means.
    pub fn next(&mut self, keys: &mut &[u8]) -> Option<Event> {
        loop {
            let key = self.keys.next(keys);
            self.in_bulk |= matches!(key, Some(Key::PasteEnd | Key::BreakPaste));
            // Also where a paste begins without a key.
            self.note_paste();
            let key = key?;
            let is_first = self.line.text().is_empty();
            self.behind_escape |= self.keys.take_broke_late() && is_first;
            let event = self.press(key);
            if self.line.text().is_empty() {
                self.behind_escape = false;
                self.told_full = false;
                self.of_paste &= self.pasting;
                self.origin = Origin::default();
            }
            if event.is_some() {
                return event;
            }
        }
    }

    fn press(&mut self, key: Key<'_>) -> Option<Event> {
        // The row is read for that, which no other key has to wait for.
        let is_forgotten = key.kills() && self.is_forgotten();
        match &key {
            Key::Text(text) if self.pasting => {
                self.origin.came_at_once(text, self.keys.is_pasting());
                self.beginning.add(text);
            }
            // A Tab is no letter of the line: alone it makes no command of what was pasted.
            Key::Text(_) => self.origin.was_typed(),
            Key::Tab if self.pasting => self.beginning.add("\t"),
            _ => {}
        }
        let event = self.act(key);
        if is_forgotten {
            self.line.forget_killed();
        }
        event
    }

    /// Whether what is taken from the row is not to come back where it would be said, or obeyed.
    fn is_forgotten(&self) -> bool {
        let is_command = || self.has_commands && begins_command(self.line.text());
        self.is_aside() || (self.is_of_paste() && is_command())
    }

    /// Whether the line counts as pasted, whatever ends it: a paste left it, or more of it than keys that came together.
    fn is_of_paste(&self) -> bool {
        self.is_aside() || (self.of_paste && !self.origin.is_typed())
    }

    /// Whether what stands on the row belongs to a line for one alone.
    fn is_aside(&self) -> bool {
        self.of_paste && self.aside == Aside::Yes
    }

    /// What is there again when one comes back from the history.
    fn draft(&self) -> String {
        match self.is_forgotten() {
            true => String::new(),
            false => self.line.text().into(),
        }
    }

    fn act(&mut self, key: Key<'_>) -> Option<Event> {
        let line = &mut self.line;
        if !key.kills() {
            line.stop_killing();
        }
        match key {
            Key::Text(text) => return self.fill(|line| line.insert(&text)),
            Key::Yank => return self.fill(Line::yank),
            Key::Enter if self.pasting && self.into_command => {
                return self.fill(|line| line.insert(" "));
            }
            Key::Enter => return Some(self.enter()),
            Key::Tab if self.pasting => return self.fill(|line| line.insert("\t")),
            Key::Tab => return Some(Event::Complete),
            Key::Redraw => return Some(Event::Redraw),
            Key::Interrupt if line.text().is_empty() => return Some(Event::Interrupt),
            Key::Interrupt | Key::BreakPaste => self.interrupt(),
            Key::DeleteOrEnd if line.text().is_empty() => return Some(Event::End),
            Key::DeleteOrEnd | Key::Delete => line.delete(),
            Key::Backspace => line.backspace(),
            Key::Left => line.left(),
            Key::Right => line.right(),
            Key::WordLeft => line.word_left(),
            Key::WordRight => line.word_right(),
            Key::Home => line.home(),
            Key::End => line.end(),
            Key::KillStart => line.kill_to_start(),
            Key::KillEnd => line.kill_to_end(),
            Key::KillField => line.kill_field(),
            Key::KillWordLeft => line.kill_word_left(),
            Key::KillWordRight => line.kill_word_right(),
            Key::Transpose => line.transpose(),
            Key::Up => {
                let older = self.history.older(&self.draft());
                self.recall(older);
            }
            Key::Down => {
                let newer = self.history.newer(&self.draft());
                self.recall(newer);
            }
            Key::Suspend => return Some(Event::Suspend),
            Key::PasteEnd => {}
        }
        None
    }

    /// Adds to the line. If there was no room for all of it, that is told once.
    fn fill(&mut self, add: impl FnOnce(&mut Line) -> bool) -> Option<Event> {
        let lacks_room = !add(&mut self.line) && !self.told_full;
        self.told_full |= lacks_room;
        lacks_room.then_some(Event::Full)
    }

    fn enter(&mut self) -> Event {
        let is_of_paste = self.pasting || self.is_of_paste();
        let text = self.line.take();
        let pasted = self.beginning.take();
        self.if_for_one = None;
        if is_of_paste {
            self.history.reset();
            self.of_paste = self.pasting;
            if self.aside == Aside::Yes {
                if !self.pasting {
                    self.aside = Aside::Behind;
                }
                return Event::Aside(text);
            }
            if self.aside == Aside::Unknown {
                let is_message = self.is_message(&text);
                // What stood on the row is no part of the paste.
                let begins_message = self.is_message(&pasted);
                if is_message || begins_message {
                    self.aside = Aside::Yes;
                } else if is_seen(&pasted) {
                    self.aside = Aside::No;
                    self.if_for_one = Some(match self.pasting {
                        true => Aside::Yes,
                        false => Aside::Behind,
                    });
                }
                if begins_message && !is_message {
                    return Event::Aside(text);
                }
            }
            return Event::Pasted(text);
        }
        self.aside = match self.is_message(&text) {
            true => Aside::Behind,
            false => Aside::No,
        };
        self.if_for_one = Some(Aside::Behind);
        self.history.add(&text);
        match self.behind_escape {
            true => Event::BehindEscape(text),
            false => Event::Line(text),
        }
    }

    /// The line of the last event was for one alone, as only its reader can know (`/2 text`, if somebody is number 2).
    /// What was pasted with it, or directly behind it, may be for that one, too.
    pub fn was_for_one(&mut self) {
        if let Some(aside) = self.if_for_one.take() {
            self.aside = aside;
        }
    }

    /// Whether a line is for one alone, if lines may be commands.
    fn is_message(&self, line: &str) -> bool {
        self.has_commands && is_private(line)
    }

    /// What is typed now is of no paste.
    fn end_paste(&mut self) {
        self.of_paste = false;
        self.origin = Origin::default();
        self.aside = Aside::No;
    }

    fn recall(&mut self, text: Option<String>) {
        if let Some(text) = text {
            self.line.set(text);
            self.told_full = false;
            if !self.pasting {
                self.end_paste();
            }
            self.behind_escape = false;
        }
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.line.text().is_empty()
    }

    /// Forgets the line, and that a paste had begun.
    fn interrupt(&mut self) {
        let (in_bulk, aside) = (self.in_bulk, self.aside);
        self.clear();
        if in_bulk {
            // The paste goes on.
            (self.in_bulk, self.pasting, self.of_paste) = (true, true, true);
            self.aside = aside;
        }
    }

    /// Forgets what is typed, a key that is half there, and that a paste had begun. (A terminal
    /// that dies in the middle of a paste never ends it; Ctrl-C is the way out.)
    pub fn clear(&mut self) {
        self.keys = self.keys.fresh();
        self.line.take();
        self.beginning = Beginning::default();
        self.line.stop_killing();
        self.history.reset();
        self.told_full = false;
        self.end_paste();
        self.behind_escape = false;
        self.in_bulk = false;
        self.pasting = false;
        self.into_command = false;
    }

    /// Keys came where the row was not seen: they go on behind it. But a line that is a command, or the beginning of
    /// one, was meant alone, so that what stands on the row is taken away before it. None: it stays.
    pub fn take_draft(&mut self, keys: &[u8]) -> Option<Draft> {
        let pasted = keys.strip_prefix(PASTE_BEGINS);
        let keys = pasted.unwrap_or(keys);
        let end = memchr::memchr2(b'\r', b'\n', keys);
        let row = String::from_utf8_lossy(&keys[..end.unwrap_or(keys.len())]);
        let has_slash = skip_unseen(&row).starts_with(is_slash);
        let is_alone = match begins_command(self.line.text()) {
            // What goes on with a command is not to be said without it: only what is never said is alone. A paste is
            // none, with brackets or with several lines.
            true => {
                let is_paste = pasted.is_some() || end.is_some_and(|end| end + 1 < keys.len());
                row.starts_with('/') && !row.starts_with("//") && !is_paste
            }
            false => has_slash || begins_command(&row),
        };
        if !is_alone || self.is_empty() {
            if !keys.is_empty() {
                self.line.end();
            }
            return None;
        }
        let draft = Draft {
            is_aside: self.is_aside(),
            rest: self.of_paste.then_some(self.origin),
            behind_escape: self.behind_escape,
            cursor: self.line.cursor(),
            text: self.line.take(),
        };
        self.clear();
        Some(draft)
    }

    /// Puts it back on the empty row.
    pub fn put_draft(&mut self, draft: Draft) {
        self.line.restore(draft.text, draft.cursor);
        self.behind_escape = draft.behind_escape;
        if draft.is_aside {
            (self.of_paste, self.aside) = (true, Aside::Yes);
            return;
        }
        // No paste goes on with the row, but more of one that was before it may come.
        (self.of_paste, self.pasting) = (draft.rest.is_some(), false);
        self.origin = draft.rest.unwrap_or_default();
        if self.aside == Aside::Yes {
            self.aside = Aside::Behind;
        }
    }

    /// What is typed.
    pub fn text(&self) -> &str {
        self.line.text()
    }

    /// What is typed, up to the cursor.
    pub fn before_cursor(&self) -> &str {
        self.line.before()
    }

    /// Inserts `text` at the cursor, without its line feeds and as far as there is room.
    pub fn insert(&mut self, text: &str) {
        self.line.stop_killing();
        self.line.insert(&text.replace('\n', ""));
    }

    /// Replaces what is between the last blank and the cursor.
    pub fn replace_word(&mut self, text: &str) {
        self.line.stop_killing();
        self.line.replace_word(&text.replace('\n', ""));
    }

    /// Appends what draws the row, after `label` (which may be bold or coloured) and `prompt` (plain
    /// text), on a screen of so many columns. Wherever in its row the cursor was, it is then where the
    /// next character goes. Returns in which column that is, from 0 on, by our own table of widths.
    pub fn draw(&self, label: &str, prompt: &str, columns: u16, out: &mut Vec<u8>) -> usize {
        let (text, cursor) = (self.line.text(), self.line.cursor());
        row::draw(label, prompt, text, cursor, columns, out)
    }
}
