//! Answers: what each participant says in a file of its own (`--collect`), and what these files are called.
//!
//! ```text
//!   0003.txt        while participant 3 is here, or may come back
//!   0003-Ana.txt    when it has left for good, and was called Ana
//!   index.tsv       a row for each of them, as soon as it has
//! ```
//!
//! It promises: a name chooses no folder and no other file: of it only letters and digits of any script, `-`, `_`
//! and `.` are left, and no more than [`MAX_NAME`] of them, behind the number.

use std::fmt::Write;

use unicode_normalization::char::is_combining_mark;

use crate::engine::names::MAX_NAME;
use crate::engine::names::default_name;
use crate::engine::record::push_escaped;

/// What every file of an answer ends in.
const END: &str = ".txt";

/// Digits of a number in the name of a file, at least: so lists of files are in the order of the numbers.
const DIGITS: usize = 4;

/// Numbers from here on are not ours: so many participants no hub has, and those to come need numbers.
const MOST: u32 = u32::MAX / 2;

/// What the file of the index is called.
pub const INDEX: &str = "index.tsv";

/// What the columns of the index are called, as its first row.
pub const COLUMNS: &str = "number\tname\taddress\tjoined\tleft\tbytes\tmissing\tfile\n";

/// What the file of a participant is called.
pub fn file_name(number: u32, name: Option<&str>) -> String {
    let is_safe = |c: &char| c.is_alphanumeric() || is_combining_mark(*c) || "-_.".contains(*c);
    // `user7` says no more than the number.
    let name = name.filter(|name| *name != default_name(number));
    let name = name.map(|name| name.chars().filter(is_safe).take(MAX_NAME));
    let name: String = name.into_iter().flatten().collect();
    let mut file = format!("{number:0DIGITS$}");
    if !name.is_empty() {
        file.push('-');
        file.push_str(&name);
    }
    file + END
}

/// The number of the participant whose file this is, if [`file_name`] can have made the name.
pub fn number_of_file(file: &str) -> Option<u32> {
    let digits = file.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = file.split_at(digits);
    let name = rest.strip_suffix(END)?;
    if digits < DIGITS || !(name.is_empty() || name.starts_with('-')) {
        return None;
    }
    number.parse().ok().filter(|number| *number < MOST)
}

/// Whom a row of an index is about.
pub fn number_of_row(row: &str) -> Option<u32> {
    let (number, _) = row.split_once('\t')?;
    number.parse().ok().filter(|number| *number < MOST)
}

/// A row of the index: who said how much, from where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As everywhere else.
    pub number: u32,
    /// The name it had when it left.
    pub name: Option<String>,
    /// Where it was.
    pub addr: String,
    /// When it came first, as RFC 3339 has it.
    pub joined: String,
    /// When it left last, or the hub ended.
    pub left: String,
}

impl Row {
    /// Appends it to `out`: so many bytes are in that file, if there is one, and so many are not.
    pub fn push(&self, bytes: u64, missing: u64, file: Option<&str>, out: &mut String) {
        let name = self.name.as_deref().unwrap_or("-");
        // Writing to a String cannot fail.
        let _ = write!(out, "{}\t", self.number);
        for text in [name, &self.addr] {
            push_escaped(text.as_bytes(), out);
            out.push('\t');
        }
        let (joined, left) = (&self.joined, &self.left);
        let file = file.unwrap_or("-");
        let _ = writeln!(out, "{joined}\t{left}\t{bytes}\t{missing}\t{file}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_has_the_number_and_what_is_safe_of_the_name() {
        for (number, name, file) in [
            (3, None, "0003.txt"),
            (3, Some("Ana"), "0003-Ana.txt"),
            (3, Some("user3"), "0003.txt"),
            (3, Some("user4"), "0003-user4.txt"),
            (12_345, Some("José"), "12345-José.txt"),
            (7, Some("漢字"), "0007-漢字.txt"),
            (8, Some("../../etc/passwd"), "0008-....etcpasswd.txt"),
            (9, Some(".."), "0009-...txt"),
            (9, Some("/\0\n\\\u{202e}"), "0009.txt"),
            (9, Some(""), "0009.txt"),
        ] {
            assert_eq!(file_name(number, name), file, "{name:?}");
            assert_eq!(number_of_file(file), Some(number));
        }
    }

    #[test]
    fn other_files_are_nobodys() {
        for file in [
            "",
            "index.tsv",
            "3.txt",
            "003.txt",
            "0003",
            "0003.tsv",
            "0003Ana.txt",
            "0003.Ana.txt",
            "x0003.txt",
            "+0003.txt",
            "99999999999.txt",
            "4294967295.txt",
        ] {
            assert_eq!(number_of_file(file), None, "{file}");
        }
        assert_eq!(number_of_row("31\tAna\t…"), Some(31));
        for row in ["number\tname", "", "31", "-1\t", "4294967295\t"] {
            assert_eq!(number_of_row(row), None, "{row}");
        }
    }

    #[test]
    fn a_row_tells_who_from_where_when_and_how_much() {
        let row = Row {
            number: 3,
            name: Some("Ana".into()),
            addr: "192.0.2.11:50124".into(),
            joined: "2026-11-22T09:11:33.123Z".into(),
            left: "2026-11-22T09:12:02.007Z".into(),
        };
        let mut out = String::from(COLUMNS);
        row.push(42, 0, Some("0003-Ana.txt"), &mut out);
        let silent = Row {
            name: None,
            addr: "a\tb\n".into(),
            ..row
        };
        silent.push(0, 7, None, &mut out);
        let rows: Vec<Vec<&str>> = out.lines().map(|row| row.split('\t').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == 8), "{out}");
        assert_eq!(rows[1][1..3], ["Ana", "192.0.2.11:50124"]);
        assert_eq!(rows[1][5..], ["42", "0", "0003-Ana.txt"]);
        assert_eq!(rows[2][1..3], ["-", "a\\tb\\n"]);
        assert_eq!(rows[2][5..], ["0", "7", "-"]);
        assert_eq!(number_of_row(out.lines().nth(1).unwrap()), Some(3));
    }

    proptest! {
        #[test]
        fn a_name_chooses_nothing_but_a_few_letters(number in 0..MOST, name in any::<String>()) {
            let file = file_name(number, Some(&name));
            prop_assert!(!file.contains(['/', '\0', '\n', '\t']), "{file:?}");
            prop_assert!(!file.chars().any(|c| c.is_control() || c.is_whitespace()), "{file:?}");
            prop_assert!(file.starts_with(|c: char| c.is_ascii_digit()), "{file:?}");
            prop_assert!(file.len() <= 10 + 1 + 4 * MAX_NAME + END.len(), "{file:?}");
            prop_assert_eq!(number_of_file(&file), Some(number));
        }
    }
}
