//! The row: the prompt, and as much of the line around the cursor as a row of the screen has room
//! for.
//!
//! It promises: no character goes to the terminal that could do more than stand there; nothing ever
//! wraps, whatever the terminal thinks of the widths of characters, since wrapping is off meanwhile; by
//! our own table the last column stays free; the cursor is put back by the terminal that moved it
//! (DECSC, DECRC), so it is right even where the terminal counts cells in another way; the work grows
//! with the row, not with the line.

use std::borrow::Cow;

use unicode_segmentation::GraphemeCursor;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::engine::escape::push_letters;

/// Automatic wrapping at the end of a row off and on (DECAWM).
const NO_WRAP: &[u8] = b"\x1b[?7l";
const WRAP: &[u8] = b"\x1b[?7h";

/// Empties what is behind the cursor in its row, and the rows below. In two steps: tmux keeps in its history
/// what stood on a screen that is emptied at once from its first cell on (`scroll-on-clear`).
pub const ERASE: &[u8] = b"\x1b[K\x1b[J";

/// Cells after the cursor that are kept in sight, if the row has them.
const AHEAD: usize = 10;

/// A character of more bytes than this (a letter under a tower of accents) is not shown as it is.
const MAX_CLUSTER: usize = 128;

/// Appends what draws the row. A `<` or a `>` stands where something is out of sight; a label is seen
/// whole, or nothing of what it belongs to is. Returns in which column the cursor is, from 0 on, by our
/// own table.
pub(super) fn draw(
    label: &str,
    prompt: &str,
    text: &str,
    cursor: usize,
    columns: u16,
    out: &mut Vec<u8>,
) -> usize {
    let room = usize::from(columns).saturating_sub(1);
    // The line being typed has at least a third of the row.
    let most = room - room / 3;
    let label_cells = without_attributes(label).width();
    let (label, label_cells, prompt) = match label_cells <= most {
        true => (label, label_cells, prompt),
        false => ("", 0, ""),
    };
    let asked = Part::new(prompt.graphemes(true).rev(), prompt, most - label_cells);
    let room = room - label_cells - asked.cells;

    let (before, after) = text.split_at(end_of_cluster(text, cursor));
    let ahead = Part::new(after.graphemes(true), after, AHEAD.min(room / 4));
    let left = Part::new(before.graphemes(true).rev(), before, room - ahead.cells);
    let right = Part::new(after.graphemes(true), after, room - left.cells);

    let draw_start = |out: &mut Vec<u8>| {
        out.push(b'\r');
        out.extend_from_slice(label.as_bytes());
        asked.draw_end(prompt, out);
        left.draw_end(before, out);
    };
    out.extend_from_slice(NO_WRAP);
    draw_start(out);
    right.draw_start(after, out);
    out.extend_from_slice(ERASE);
    if right.cells > 0 {
        draw_start(out);
    }
    out.extend_from_slice(WRAP);
    label_cells + asked.cells + left.cells
}

/// A label without what makes it bold or coloured (SGR, `ESC [ ... m`).
fn without_attributes(label: &str) -> String {
    let mut parts = label.split("\x1b[");
    let mut plain = String::from(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

/// The beginning or the end of a text, as far as there is room for it.
struct Part {
    bytes: usize,
    /// Cells it takes, with the mark.
    cells: usize,
    /// Whether a mark says that there is more.
    marked: bool,
}

impl Part {
    /// `clusters` are those of `text`, from the end that is to be seen.
    fn new<'a>(clusters: impl Iterator<Item = &'a str> + Clone, text: &str, room: usize) -> Part {
        let (bytes, cells) = fit(clusters.clone(), room);
        if bytes == text.len() || room == 0 {
            return Part {
                bytes,
                cells,
                marked: false,
            };
        }
        let (bytes, cells) = fit(clusters, room - 1);
        Part {
            bytes,
            cells: cells + 1,
            marked: true,
        }
    }

    fn draw_start(&self, text: &str, out: &mut Vec<u8>) {
        show(&text[..self.bytes], out);
        if self.marked {
            out.push(b'>');
        }
    }

    fn draw_end(&self, text: &str, out: &mut Vec<u8>) {
        if self.marked {
            out.push(b'<');
        }
        show(&text[text.len() - self.bytes..], out);
    }
}

/// How many bytes of `clusters` fit into `room` cells, and how many cells they take.
fn fit<'a>(clusters: impl Iterator<Item = &'a str>, room: usize) -> (usize, usize) {
    let (mut bytes, mut cells) = (0, 0);
    for cluster in clusters {
        let more = escaped(cluster).width();
        if cells + more > room {
            break;
        }
        bytes += cluster.len();
        cells += more;
    }
    (bytes, cells)
}

fn show(text: &str, out: &mut Vec<u8>) {
    for cluster in text.graphemes(true) {
        out.extend_from_slice(escaped(cluster).as_bytes());
    }
}

/// A cluster as it may go to a terminal. Where a character of it must not, or would be invisible,
/// it is spelled out.
fn escaped(cluster: &str) -> Cow<'_, str> {
    if cluster.len() > MAX_CLUSTER {
        return "\u{FFFD}".into();
    }
    if cluster.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return cluster.into();
    }
    let mut text = String::new();
    push_letters(cluster, &mut text);
    text.into()
}

/// `at`, or the end of the cluster it is in: while a sequence is being typed in front of others,
/// the cursor can be in what has become one cluster for the moment.
fn end_of_cluster(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(true) => at,
        _ => cursor
            .next_boundary(text, 0)
            .ok()
            .flatten()
            .unwrap_or(text.len()),
    }
}
