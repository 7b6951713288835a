//! Folding: a line of ours as rows that fit a terminal.
//!
//! It promises: rows are broken at blanks, so that an address or a command's name stays whole; a word that is wider
//! than a row is broken where the row is full, but not a command line that is [`whole`], which is to be copied; nothing
//! else is lost.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A blank at which no row is broken.
const NO_BREAK: &str = "\u{a0}";

/// What is to be copied as it is, with its blanks, which [`fold`] does not break.
pub fn whole(command: &str) -> String {
    command.replace(' ', NO_BREAK)
}

/// The rows of one line, in so many columns.
pub fn fold(line: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut rest = line;
    while rest.width() > columns {
        let blanks = rest.match_indices(' ').map(|(at, _)| at);
        // A row is not broken at its beginning, or it would be empty.
        let mut places = blanks.filter(|&at| !rest[..at].trim_start().is_empty());
        let first = places.next().unwrap_or(rest.len());
        let at = match rest[..first].width() > columns && !rest[..first].contains(NO_BREAK) {
            true => full(rest, columns),
            false => first,
        };
        if at == rest.len() {
            break;
        }
        if at < first {
            rows.push(&rest[..at]);
            rest = &rest[at..];
            continue;
        }
        let fits = places.take_while(|&at| rest[..at].width() <= columns);
        let at = fits.last().unwrap_or(first);
        rows.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    rows.push(rest);
    rows.into_iter()
        .map(|row| row.replace(NO_BREAK, " "))
        .collect()
}

/// Where a row of so many columns is full: behind one character at least.
fn full(text: &str, columns: usize) -> usize {
    let ends = text
        .grapheme_indices(true)
        .map(|(at, letter)| at + letter.len());
    let mut ends = ends.enumerate();
    let first = ends.next().map_or(text.len(), |(_, end)| end);
    let fit = ends.take_while(|&(_, end)| text[..end].width() <= columns);
    fit.last().map_or(first, |(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: usize = 74;

    fn fold(line: &str) -> Vec<String> {
        super::fold(line, COLUMNS)
    }

    #[test]
    fn rows_fit_and_nothing_is_lost() {
        assert_eq!(fold(""), [""]);
        let short = "x".repeat(COLUMNS);
        assert_eq!(fold(&short), [short.as_str()]);
        let words = "word ".repeat(40);
        let rows = fold(words.trim_end());
        assert!(rows.len() > 2 && rows.iter().all(|row| row.width() <= COLUMNS));
        assert_eq!(rows.join(" "), words.trim_end());
        let wide = "\u{8a9e}".repeat(COLUMNS / 2);
        assert_eq!(fold(&format!("{wide} {wide}")), [wide.as_str(), &wide]);
    }

    #[test]
    fn a_word_that_is_wider_than_a_row_is_broken_where_that_is_full() {
        let long = "x".repeat(2 * COLUMNS + 3);
        let full = "x".repeat(COLUMNS);
        assert_eq!(fold(&long), [full.as_str(), &full, "xxx"]);
        let text = format!("one {long} two");
        assert_eq!(fold(&text), ["one", &full, &full, "xxx two"]);
        let wide = "\u{8a9e}".repeat(COLUMNS);
        let half = "\u{8a9e}".repeat(COLUMNS / 2);
        assert_eq!(fold(&wide), [half.as_str(), &half]);
        assert_eq!(super::fold("\u{8a9e}\u{8a9e}", 1), ["\u{8a9e}", "\u{8a9e}"]);
        let indented = fold(&format!("  {long}"));
        assert!(indented.iter().all(|row| row.width() <= COLUMNS));
        assert_eq!(indented.concat(), format!("  {long}"));
    }

    #[test]
    fn a_command_to_be_copied_stays_whole() {
        let command = "cat file ".repeat(COLUMNS);
        let rows = fold(&format!("type this: {} and Enter", whole(&command)));
        assert_eq!(rows, ["type this:", &command, "and Enter"]);
    }
}
