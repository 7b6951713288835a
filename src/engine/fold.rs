//! Folding: a notice of ours as rows that fit a terminal of 80 columns.
//!
//! It promises: rows are broken at blanks only, so that an address or a command's name stays whole, also
//! one that is wider than a row; nothing else is lost.

use unicode_width::UnicodeWidthStr;

/// The columns of a notice behind `muxnc: `.
const COLUMNS: usize = 80 - "muxnc: ".len();

/// The rows of one line.
pub fn fold(line: &str) -> Vec<&str> {
    let mut rows = Vec::new();
    let mut rest = line;
    while rest.width() > COLUMNS {
        let blanks = rest.match_indices(' ').map(|(at, _)| at);
        // What a row begins with is no place to break it, or it would be empty.
        let mut places = blanks.filter(|&at| !rest[..at].trim_start().is_empty());
        let Some(first) = places.next() else { break };
        let fits = places.take_while(|&at| rest[..at].width() <= COLUMNS);
        let at = fits.last().unwrap_or(first);
        rows.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    rows.push(rest);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fit_and_nothing_is_lost() {
        assert_eq!(fold(""), [""]);
        let short = "x".repeat(COLUMNS);
        assert_eq!(fold(&short), [&short]);
        let words = "word ".repeat(40);
        let rows = fold(words.trim_end());
        assert!(rows.len() > 2 && rows.iter().all(|row| row.width() <= COLUMNS));
        assert_eq!(rows.join(" "), words.trim_end());
        let wide = "\u{8a9e}".repeat(COLUMNS / 2);
        assert_eq!(fold(&format!("{wide} {wide}")), [&wide, &wide]);
    }

    #[test]
    fn what_has_no_blank_stays_whole() {
        let long = "x".repeat(2 * COLUMNS);
        assert_eq!(fold(&long), [&long]);
        assert_eq!(fold(&format!("one {long} two")), ["one", &long, "two"]);
        assert_eq!(fold(&format!("  {long}")), [format!("  {long}")]);
    }
}
