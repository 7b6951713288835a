//! Folding: a line of ours as rows that fit a terminal.
//!
//! It promises: rows are broken at blanks only, so that an address or a command's name stays whole, also
//! one that is wider than a row, and so does a command line that is [`whole`]; nothing else is lost.

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
        // What a row begins with is no place to break it, or it would be empty.
        let mut places = blanks.filter(|&at| !rest[..at].trim_start().is_empty());
        let Some(first) = places.next() else { break };
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
    fn what_has_no_blank_stays_whole() {
        let long = "x".repeat(2 * COLUMNS);
        assert_eq!(fold(&long), [long.as_str()]);
        assert_eq!(fold(&format!("one {long} two")), ["one", &long, "two"]);
        assert_eq!(fold(&format!("  {long}")), [format!("  {long}")]);
        let command = "cat file ".repeat(COLUMNS);
        let rows = fold(&format!("type this: {} and Enter", whole(&command)));
        assert_eq!(rows, ["type this:", &command, "and Enter"]);
    }
}
