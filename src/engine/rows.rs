//! Rows: the rows of a terminal, and who wrote what is on them.
//!
//! Everything that is written to a terminal goes through here: what others say, what the program
//! says, what was typed, the row on which a line is being typed, and the row that shows progress.
//! So there is one place that knows where a row begins, and one that knows what is on it.
//!
//! ```text
//!   [1] what is a socket?                    a label in bold, and a stranger's words
//!   muxnc: [2] 192.0.2.22:40112 joined       a notice: its beginning in bold
//!   a door with a number                     what was typed, in bold
//!   [2] name: A_                             an unfinished line, and what is being typed
//! ```
//!
//! It promises:
//! - Every row that the program begins has a label, a notice or what was typed at its beginning, in
//!   bold where the terminal can do that, colours or not; nothing that a stranger says is ever bold. A
//!   line that was interrupted goes on behind its label and `...`. No line that was typed stays behind
//!   a label.
//! - The row of the line being typed is one row whatever widths the terminal believes in: it is drawn
//!   with automatic wrapping (DECAWM) off, which is on again at the end of the same piece of output.
//!   What others say is wrapped by the terminal, so that what is copied from it is whole.
//! - Nothing is written behind a row that is to be erased, or that another program wrote.
//! - Nothing that was said is ever erased. A terminal may have made several rows of the row of the line
//!   being typed, and one row of them again, before it reads what is written here, and nothing tells
//!   when: so no row above the cursor's is erased because of a count. Where the terminal itself
//!   goes back over what it broke ([`Rows::new`]) all of that line is erased; elsewhere a copy of its
//!   beginning may be left.
//! - A notice fits the width that the terminal is known to have.

use std::mem;

use memchr::memchr;

use crate::engine::editor::ERASE;
use crate::engine::editor::Editor;
use crate::engine::escape::Letters;
use crate::engine::fold::fold;
use crate::engine::record::head::Head;

/// When so many bytes wait, no more is to be shown and no row is drawn: a person could not read it.
pub const BUSY: usize = 4 * 1024;

/// In what [`Rows::show`] takes, the end of the label that every line begins with.
pub const LINE: u8 = 0x1f;

/// The same where the line is the rest of one whose beginning was shown, or not.
pub const REST: u8 = 0x1e;

/// An unfinished line longer than this, in bytes, does not stand before what is being typed, but
/// above it.
const LONGEST_PROMPT: usize = 1024;

/// Makes what follows bold, and ends that.
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// The mark where an interrupted line goes on.
const INTERRUPTED: &str = "... ";

/// What each line of a notice begins with, as a rule.
const PROGRAM: &str = "muxnc:";

/// What a row begins with, in its place, in which a notice goes on. (It quotes strangers, and where it is
/// broken they may choose: no row of it may look like the beginning of another.)
const GOES_ON: &str = "     :";

/// Blanks before the further rows of a line that has none.
const INDENT: &str = "  ";

/// Columns that a notice may take at least, however narrow the terminal is.
const LEAST_COLUMNS: usize = 20;

/// From the beginning of a row to that of the row above, if the terminal broke one line into the two.
const BACK: &[u8] = b"\x08\r";

/// The columns of the narrowest window in which all rows of the line being typed are found.
const NARROWEST: usize = 8;

/// What is on the row that the cursor is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    /// Nothing, and the cursor is at its beginning.
    Empty,
    /// The latest of an unfinished line.
    Text,
    /// The beginning of a line that the terminal has shown as it was typed.
    Echo,
    /// What is to be erased. The terminal may have made several rows of it.
    Drawn,
    /// Perhaps something that is to be erased: another program had the terminal.
    Unknown,
}

/// A line of others that is not ended.
#[derive(Debug, Default)]
struct Open {
    label: Vec<u8>,
    /// The part before the cursor that is not on the screen.
    text: Vec<u8>,
    /// Something of it is on the screen, or was dropped.
    begun: bool,
}

/// The rows of a terminal, as bytes for it. See the module's documentation.
#[derive(Debug)]
pub struct Rows {
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// Whether the terminal can show bold.
    has_bold: bool,
    /// Whether a row is kept for the line being typed.
    edits: bool,
    row: Row,
    /// Whether Backspace goes from the beginning of a row to the row above, where the terminal broke one
    /// line into the two, and only there.
    goes_back: bool,
    /// The cells of a row that was drawn up to its cursor, by our own table.
    cursor: usize,
    open: Option<Open>,
    /// The label that is being taken in, of a line that begins.
    label: Vec<u8>,
}

impl Default for Rows {
    /// Rows of something that can show no bold, and no line being typed.
    fn default() -> Rows {
        Rows::new(false, false)
    }
}

impl Rows {
    /// An empty row. `has_bold`: the terminal can do more than show text. `goes_back`: it breaks rows anew
    /// when its width changes, and Backspace goes from the beginning of a row to the row above if it
    /// broke one line into the two, and does nothing there if not.
    pub fn new(has_bold: bool, goes_back: bool) -> Rows {
        Rows {
            out: Vec::new(),
            written: 0,
            has_bold,
            edits: false,
            row: Row::Empty,
            goes_back,
            cursor: 0,
            open: None,
            label: Vec::new(),
        }
    }

    /// Whether bold is possible.
    pub fn set_bold(&mut self, has_bold: bool) {
        self.has_bold = has_bold;
    }

    /// Whether a row is kept for a line being typed, from now on; it is drawn by [`Rows::draw`].
    pub fn set_editing(&mut self, edits: bool) {
        if !edits && self.row == Row::Unknown {
            // The program that has the terminal now takes care of its row.
            self.row = Row::Empty;
        }
        if mem::replace(&mut self.edits, edits) && !edits {
            self.lay();
        }
    }

    /// Shows what others say, as a [`Screen`](crate::engine::screen::Screen) at a terminal gives it:
    /// each line is a label, [`LINE`] or [`REST`], text and a line feed. Cut anywhere but in a
    /// character.
    pub fn show(&mut self, mut framed: &[u8]) {
        while !framed.is_empty() {
            if self.open.is_none() {
                let end = framed.iter().position(|&byte| byte == LINE || byte == REST);
                let Some(end) = end else {
                    return self.label.extend(framed);
                };
                self.label.extend(&framed[..end]);
                self.open = Some(Open {
                    label: mem::take(&mut self.label),
                    text: Vec::new(),
                    begun: framed[end] == REST,
                });
                framed = &framed[end + 1..];
            }
            framed = self.line(framed);
        }
    }

    /// Shows the words of one other without labels. They may be cut anywhere but in a character.
    pub fn say(&mut self, mut text: &[u8]) {
        while !text.is_empty() {
            self.open.get_or_insert_default();
            text = self.line(text);
        }
    }

    /// Shows whole lines of a record that begin so, in which others are quoted. What the program says of them is
    /// their label.
    pub fn record(&mut self, head: Head, lines: &[u8]) {
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let (known, said) = line.split_at(head.length(line));
            let known = String::from_utf8_lossy(known);
            self.open = Some(Open {
                label: marked(&known, self.has_bold).into_bytes(),
                ..Open::default()
            });
            self.line(said);
        }
    }

    /// Takes the open line, or as much of it as there is, off the front of `text`.
    fn line<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let end = memchr(b'\n', text);
        self.put(&text[..end.unwrap_or(text.len())]);
        match end {
            Some(end) => {
                self.end_line();
                &text[end + 1..]
            }
            None => &[],
        }
    }

    fn put(&mut self, text: &[u8]) {
        let Some(open) = self.open.as_mut().filter(|_| !text.is_empty()) else {
            return;
        };
        if !self.edits {
            if self.row != Row::Text {
                self.lay();
            }
            self.out.extend(text);
            return;
        }
        open.text.extend(text);
        if open.text.len() > LONGEST_PROMPT {
            self.lay();
            self.feed();
        }
    }

    fn end_line(&mut self) {
        let is_shown = self.open.as_ref().is_none_or(|open| open.begun);
        let is_held = self.open.as_ref().is_some_and(|open| !open.text.is_empty());
        if !is_shown || is_held {
            self.lay();
        }
        if self.row == Row::Text {
            self.feed();
        }
        self.open = None;
    }

    /// Puts the open line on a row of its own, as much of it as is not on the screen.
    fn lay(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        self.begin();
        self.out.extend(&open.label);
        if open.begun {
            self.bold(INTERRUPTED);
        }
        self.out.append(&mut open.text);
        open.begun = true;
        self.row = Row::Text;
        self.open = Some(open);
    }

    /// Shows whole lines of the program's own; an unfinished line of others is interrupted, or stays
    /// before what is being typed. Each is folded into rows of so many columns, of which the first only begins as
    /// a notice does; where these are None it is no terminal, and lines stay lines.
    pub fn notice(&mut self, lines: &[u8], columns: Option<u16>) {
        let columns = columns.map_or(usize::MAX, |columns| {
            usize::from(columns).max(LEAST_COLUMNS)
        });
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = String::from_utf8_lossy(line);
            match line.strip_prefix(PROGRAM) {
                Some(rest) => {
                    let rest = rest.strip_prefix(' ').unwrap_or(rest);
                    let mut head = PROGRAM;
                    for row in fold(rest, columns - PROGRAM.len() - 1) {
                        self.begin();
                        self.bold(mem::replace(&mut head, GOES_ON));
                        self.out.push(b' ');
                        self.out.extend(row.as_bytes());
                        self.feed();
                    }
                }
                None => {
                    let text = line.trim_start_matches(' ');
                    let (mut indent, _) = line.split_at(line.len() - text.len());
                    let further = if indent.is_empty() { INDENT } else { indent };
                    for row in fold(text, columns.saturating_sub(further.len())) {
                        self.begin();
                        self.bold(&format!("{indent}{row}"));
                        self.feed();
                        indent = further;
                    }
                }
            }
        }
    }

    /// A line was typed and ended: it stays, below others' unfinished line that has a label. After one
    /// that has none (`login: `) it stays in the same row, and what that goes on with is a line of its own.
    pub fn typed(&mut self, line: &str) {
        let has_label = |open: &Open| !open.label.is_empty() && !open.text.is_empty();
        if self.open.as_ref().is_some_and(has_label) {
            // Behind it what was typed here would seem to be the other's.
            self.lay();
        }
        self.begin();
        if let Some(open) = self.open.as_mut().filter(|open| open.label.is_empty()) {
            self.out.append(&mut open.text);
            open.begun = false;
        }
        let mut shown = String::new();
        let mut letters = Letters::default();
        for letter in line.chars() {
            match letter {
                '\t' => {
                    letters.end(&mut shown);
                    shown.push('\t');
                }
                letter => letters.push(letter, &mut shown),
            }
        }
        letters.end(&mut shown);
        self.bold(&shown);
        self.feed();
    }

    /// The terminal has shown itself what was typed, to the end of a line if it `is_ended` (in the middle of
    /// one Ctrl-D hands it over). What others go on with is a line of its own.
    pub fn echoed(&mut self, is_ended: bool) {
        self.row = if is_ended { Row::Empty } else { Row::Echo };
        if let Some(open) = &mut self.open {
            open.begun = false;
        }
    }

    /// Another program had the terminal meanwhile. Where no line is edited the cursor is at the
    /// beginning of a row, where a shell leaves it: what is on that row is not ours to erase, and
    /// an unfinished line goes on behind its label.
    pub fn lose(&mut self) {
        self.row = match self.edits {
            true => Row::Unknown,
            false => Row::Empty,
        };
    }

    /// Writes what changes a mode of the terminal and nothing that is seen.
    pub fn control(&mut self, sequence: &[u8]) {
        self.out.extend(sequence);
    }

    /// Whether something is on the row that the next thing shown would erase.
    pub fn is_drawn(&self) -> bool {
        self.row == Row::Drawn
    }

    /// Draws the row of the line being typed on a terminal of so many columns.
    pub fn draw(&mut self, editor: &Editor, columns: u16) {
        match self.row {
            Row::Text | Row::Echo => self.begin(),
            Row::Drawn => self.go_back(),
            Row::Empty | Row::Unknown => {}
        }
        let mut label = Vec::new();
        let mut text = &[][..];
        if let Some(open) = self.open.as_ref().filter(|open| !open.text.is_empty()) {
            label.extend(&open.label);
            if open.begun {
                label.extend(marked(INTERRUPTED, self.has_bold).as_bytes());
            }
            text = &open.text;
        }
        let (label, text) = (
            String::from_utf8_lossy(&label),
            String::from_utf8_lossy(text),
        );
        self.cursor = editor.draw(&label, &text, columns, &mut self.out);
        self.row = Row::Drawn;
    }

    /// Clears the whole screen.
    pub fn clear(&mut self) {
        self.out.extend(b"\x1b[H\x1b[2J");
        self.row = Row::Empty;
    }

    /// Draws a row that tells how far something is, which must fit; never behind the beginning of a
    /// line of others.
    pub fn progress(&mut self, row: &str) {
        if self.row != Row::Text {
            self.go_back();
            self.out.extend(ERASE);
            // As a notice, or what a stranger says could look like it.
            match row.strip_prefix(PROGRAM) {
                Some(rest) => {
                    self.bold(PROGRAM);
                    self.out.extend(rest.as_bytes());
                }
                None => self.out.extend(row.as_bytes()),
            }
            self.cursor = row.len();
            self.row = Row::Drawn;
        }
    }

    /// Takes what was drawn off the screen.
    pub fn erase(&mut self) {
        if self.is_drawn() || self.row == Row::Unknown {
            self.begin();
        }
    }

    /// The end: others' unfinished lines are shown, and the next row is empty.
    pub fn finish(&mut self) {
        if self.open.as_ref().is_some_and(|open| !open.text.is_empty()) {
            self.lay();
        }
        self.begin();
    }

    /// Whether an unfinished line of others is on the row.
    pub fn is_midline(&self) -> bool {
        self.row == Row::Text
    }

    /// On the row is the beginning of a line of others, which another program wrote.
    pub fn is_behind_text(&mut self) {
        self.row = Row::Text;
    }

    /// Makes the cursor stand at the beginning of a row on which there is nothing.
    fn begin(&mut self) {
        match self.row {
            Row::Empty => {}
            Row::Text | Row::Echo => self.feed(),
            Row::Drawn | Row::Unknown => {
                self.go_back();
                self.out.extend(ERASE);
            }
        }
        self.row = Row::Empty;
    }

    /// To the beginning of what was drawn, or of the cursor's row of it.
    fn go_back(&mut self) {
        self.out.push(b'\r');
        if self.goes_back && self.row == Row::Drawn {
            for _ in 0..self.cursor.div_ceil(NARROWEST / 2) {
                self.out.extend(BACK);
            }
        }
    }

    fn feed(&mut self) {
        self.out.push(b'\n');
        self.row = Row::Empty;
    }

    fn bold(&mut self, text: &str) {
        self.out.extend(marked(text, self.has_bold).as_bytes());
    }

    /// Bytes to write, all that there are.
    pub fn front(&self) -> &[u8] {
        &self.out[self.written..]
    }

    /// Takes away what was written.
    pub fn consume(&mut self, count: usize) {
        self.written = (self.written + count).min(self.out.len());
        if self.written == self.out.len() {
            self.out.clear();
            self.out.shrink_to(16 * BUSY);
            self.written = 0;
        } else if self.written >= 16 * BUSY {
            self.out.drain(..self.written);
            self.written = 0;
        }
    }

    /// How many bytes are to be written.
    pub fn waiting(&self) -> usize {
        self.front().len()
    }

    /// Whether everything was written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Whether it takes no more just now.
    pub fn is_busy(&self) -> bool {
        self.front().len() >= BUSY
    }

    /// Writes no more of what waits.
    pub fn forget(&mut self) {
        self.out.clear();
        self.written = 0;
    }
}

/// What is to be bold, if that is possible and there is any.
fn marked(text: &str, has_bold: bool) -> String {
    match has_bold && !text.is_empty() {
        true => format!("{BOLD}{text}{PLAIN}"),
        false => String::from(text),
    }
}

#[cfg(test)]
mod tests;
