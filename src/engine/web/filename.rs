//! The name of a file for a client that downloads it (RFC 6266).
//!
//! It promises: it names no folder, can do nothing to a terminal or a field of HTTP, and is never
//! empty.

use std::fmt;
use std::fmt::Write;

use crate::engine::escape::is_unsafe;

/// What a file is called whose name is not known.
const NAMELESS: &str = "muxnc-file";

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// A name like the one that the file has, if that is known.
    pub fn like(name: Option<&str>) -> FileName {
        let plain = |letter: char| match letter {
            // Folders, here and elsewhere, and what stands for another letter or for none.
            '/' | '\\' | char::REPLACEMENT_CHARACTER => '_',
            letter if is_unsafe(letter) => '_',
            letter => letter,
        };
        let name: String = name.unwrap_or_default().chars().map(plain).collect();
        match name.trim_matches(['.', ' ']) {
            "" => FileName(NAMELESS.into()),
            _ => FileName(name),
        }
    }

    /// The field that gives it to a browser, for those that know the whole of Unicode and others.
    pub fn disposition(&self) -> String {
        let mut field = String::from("Content-Disposition: attachment; filename=\"");
        for letter in self.0.chars() {
            // Some take a percent sign for the beginning of another letter (RFC 6266, appendix D).
            let is_plain = letter == ' ' || letter.is_ascii_graphic();
            field.push(match letter {
                '"' | '%' => '_',
                letter if is_plain => letter,
                _ => '_',
            });
        }
        field.push_str("\"; filename*=UTF-8''");
        for byte in self.0.bytes() {
            // Those of `attr-char` in RFC 8187, section 3.2.1.
            match byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                true => field.push(char::from(byte)),
                // Writing to a String cannot fail.
                false => drop(write!(field, "%{byte:02X}")),
            }
        }
        field.push_str("\r\n");
        field
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_it_was_but_for_what_could_do_something() {
        for (name, expected) in [
            ("exam.pdf", "exam.pdf"),
            ("Prüfung 漢字 (1).pdf", "Prüfung 漢字 (1).pdf"),
            ("a\"b'<c>&%41;d", "a\"b'<c>&%41;d"),
            ("a\r\nSet-Cookie: b\0\u{1b}[m", "a__Set-Cookie: b__[m"),
            ("fdp.\u{202e}exe", "fdp._exe"),
            ("..\\..\\a/b", ".._.._a_b"),
            ("\u{fffd}.txt", "_.txt"),
            ("..", NAMELESS),
            (" ", NAMELESS),
            ("", NAMELESS),
            (".profile", ".profile"),
        ] {
            assert_eq!(FileName::like(Some(name)).to_string(), expected);
        }
        assert_eq!(FileName::like(None).to_string(), NAMELESS);
    }

    #[test]
    fn old_and_new_browsers_are_told() {
        let told = FileName::like(Some("50% \"é\"\n.pdf")).disposition();
        assert_eq!(
            told,
            "Content-Disposition: attachment; filename=\"50_ ____.pdf\"; \
             filename*=UTF-8''50%25%20%22%C3%A9%22_.pdf\r\n"
        );
    }
}
