//! The head of a line of a record: what the program says of it, before what others said.
//!
//! It promises: nothing that a peer says is in it, whatever that looks like.

/// Columns of a transcript before the one with what was said.
const COLUMNS: usize = 5;

/// What a row of a hex dump has between the colon and the letters.
const DUMPED_ROW: usize = 3 + 16 * 3 + 3;

/// The key of an event before what was said.
const TEXT: &[u8] = b"\"text\":";

/// What each line of a record begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// What the program says of it: a line of a transcript, a hex dump or of events.
    Told,
    /// What was said: these are the bytes as they came.
    Nothing,
}

impl Head {
    /// How much of a line says who, when and where: the part that no peer can influence.
    pub fn length(self, line: &[u8]) -> usize {
        match self {
            Head::Told => told(line),
            Head::Nothing => 0,
        }
    }
}

fn told(line: &[u8]) -> usize {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    if text.starts_with(b"#") {
        return text.len();
    }
    if text.starts_with(b"{") {
        // What is before it has no quote that is not ours.
        let said = memchr::memmem::find(text, TEXT);
        return said.map_or(text.len(), |at| at + TEXT.len());
    }
    match (
        memchr::memchr_iter(b'\t', text).nth(COLUMNS - 1),
        memchr::memchr(b':', text),
    ) {
        (Some(tab), _) => tab + 1,
        (None, Some(colon)) => text.len().min(colon + 1 + DUMPED_ROW),
        (None, None) => 0,
    }
}
