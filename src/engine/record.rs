//! What was said, as text for a file: a transcript for people and programs, and a hex dump.
//!
//! A transcript has a line for each line that was said, and for who came and went, in six columns
//! with a tab between them:
//!
//! ```text
//! 2026-11-22T09:11:33.123Z  joined  1  192.0.2.11:50124  -    -
//! 2026-11-22T09:11:35.001Z  from    1  192.0.2.11:50124  Ana  which book?
//! 2026-11-22T09:11:41.740Z  to      *  -                 -    the \x1b[1mblue\x1b[0m one
//! 2026-11-22T09:11:52.310Z  to      1  192.0.2.11:50124  Ana  for you alone
//! 2026-11-22T09:11:58.142Z  asked   1  192.0.2.11:50124  Ana  /msg Ben
//! 2026-11-22T09:12:02.007Z  left    1  192.0.2.11:50124  Ana  closed
//! ```
//!
//! `asked` is what a participant of a chat asked for; what it said to another one alone is there only if
//! that was wanted.
//!
//! `from+` and `to+` are said in the middle of a line: no line feed followed. That was too long to
//! be held, or nothing followed at all.
//!
//! It promises: nothing that anybody sends can look like another line or column, or act on a
//! terminal; what was said to everybody can be had back from it byte by byte, by undoing [`push_escaped`]; at
//! most [`MAX_LINE`] bytes of either direction are held, and nothing of a room's members, whose lines
//! [the room](crate::engine::room::Room::take_minutes) holds.

pub mod head;

use std::fmt::Display;
use std::fmt::Write;

use pretty_hex::HexConfig;

use crate::engine::escape::is_unsafe;
use crate::engine::lines::MAX_LINE;
use crate::engine::room::Account;

/// Capacity above which an emptied buffer gives its memory back.
const KEPT: usize = 256;

/// Who said something, or to whom it was said.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    /// As the hub counts them, from 1; 0 is for whoever is not counted.
    pub number: u32,
    /// Where it is.
    pub addr: &'a dyn Display,
    /// What it is called.
    pub name: Option<&'a str>,
}

/// What a line of a transcript takes besides where somebody is and what it is called.
const FRAME: usize = 64;

/// Bytes of a hex dump for each byte, and what the first row and the line before it take besides that.
const DUMPED: usize = 6;
const DUMP_FRAME: usize = 160;

impl<'a> Who<'a> {
    /// The most that a byte becomes in a transcript: a line of its own.
    pub fn transcribed(self) -> usize {
        FRAME + self.length()
    }

    /// The most that so many bytes become in a hex dump.
    pub fn dumped(self, bytes: usize) -> usize {
        DUMP_FRAME + self.length() + DUMPED * bytes
    }

    /// Bytes that tell where it is and what it is called.
    fn length(self) -> usize {
        let mut length = Length(self.name.map_or(1, str::len));
        // Counting cannot fail.
        let _ = write!(length, "{}", self.addr);
        length.0
    }

    /// The member of that account, which is at `addr`.
    pub fn of(account: &'a Account, addr: &'a dyn Display) -> Who<'a> {
        Who {
            number: account.number,
            addr,
            name: account.name.as_deref(),
        }
    }
}

/// How long a text is in a transcript.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        // What would act is escaped, a byte as four.
        let plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'\\';
        self.0 += text
            .bytes()
            .map(|b| if plain(&b) { 1 } else { 4 })
            .sum::<usize>();
        Ok(())
    }
}

/// Which way something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It was received.
    From,
    /// It was sent.
    To,
}

/// The unfinished lines of a transcript. See the module's documentation.
#[derive(Debug, Default)]
pub struct Transcript {
    /// What is said to everybody.
    said: Unfinished,
    /// What the other side of one connection says.
    heard: Unfinished,
}

/// The beginning of a line.
#[derive(Debug, Default)]
struct Unfinished(Vec<u8>);

impl Unfinished {
    /// Takes in `bytes` and passes on every line that is whole, or too long.
    fn feed(&mut self, bytes: &[u8], mut say: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let whole = piece.ends_with(b"\n");
            if whole && self.0.is_empty() {
                say(piece);
                continue;
            }
            self.0.extend_from_slice(piece);
            if whole || self.0.len() >= MAX_LINE {
                self.finish(&mut say);
            }
        }
    }

    /// Passes on what is held, if anything.
    fn finish(&mut self, say: impl FnOnce(&[u8])) {
        if !self.0.is_empty() {
            say(&self.0);
            self.0.clear();
            self.0.shrink_to(KEPT);
        }
    }
}

impl Transcript {
    /// Somebody joined.
    pub fn joined(&self, at: &str, who: Who<'_>, out: &mut String) {
        entry(at, "joined", Some(who), None, b"", out);
    }

    /// Somebody left, and why. What the other side of a connection did not finish is written first.
    pub fn left(&mut self, at: &str, who: Who<'_>, why: &str, out: &mut String) {
        self.finished(at, who, out);
        entry(at, "left", Some(who), None, why.as_bytes(), out);
    }

    /// The other side of the connection said `bytes`.
    pub fn heard(&mut self, at: &str, who: Who<'_>, bytes: &[u8], out: &mut String) {
        self.heard.feed(bytes, |line| {
            said(at, Way::From, Some(who), None, line, out);
        });
    }

    /// One of many said whole lines, or a piece of a line of its own.
    pub fn lines(&self, at: &str, who: Who<'_>, lines: &[u8], out: &mut String) {
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            said(at, Way::From, Some(who), None, line, out);
        }
    }

    /// One of many asked for something in a chat, in these words.
    pub fn asked(&self, at: &str, who: Who<'_>, words: &[u8], out: &mut String) {
        entry(at, "asked", Some(who), None, words, out);
    }

    /// The other side will say no more: what it did not finish is written as it is.
    pub fn finished(&mut self, at: &str, who: Who<'_>, out: &mut String) {
        self.heard
            .finish(|rest| said(at, Way::From, Some(who), None, rest, out));
    }

    /// `bytes` were said by somebody of that name to everybody, or to `who` if there is nobody else.
    pub fn said(
        &mut self,
        at: &str,
        name: Option<&str>,
        who: Option<Who<'_>>,
        bytes: &[u8],
        out: &mut String,
    ) {
        self.said
            .feed(bytes, |line| said(at, Way::To, who, name, line, out));
    }

    /// Nothing more will be said to them.
    pub fn said_all(
        &mut self,
        at: &str,
        name: Option<&str>,
        who: Option<Who<'_>>,
        out: &mut String,
    ) {
        self.said
            .finish(|rest| said(at, Way::To, who, name, rest, out));
    }

    /// Whole lines were said to one alone.
    pub fn told(&mut self, at: &str, who: Who<'_>, lines: &[u8], out: &mut String) {
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            said(at, Way::To, Some(who), None, line, out);
        }
    }
}

/// Writes a line that was said, or a piece of one.
fn said(
    at: &str,
    way: Way,
    who: Option<Who<'_>>,
    name: Option<&str>,
    line: &[u8],
    out: &mut String,
) {
    let (text, event) = match (line.strip_suffix(b"\n"), way) {
        (Some(text), Way::From) => (text, "from"),
        (Some(text), Way::To) => (text, "to"),
        (None, Way::From) => (line, "from+"),
        (None, Way::To) => (line, "to+"),
    };
    entry(at, event, who, name, text, out);
}

fn entry(
    at: &str,
    event: &str,
    who: Option<Who<'_>>,
    name: Option<&str>,
    text: &[u8],
    out: &mut String,
) {
    // Writing to a String cannot fail.
    let _ = match who {
        Some(who) => write!(out, "{at}\t{event}\t{}\t", who.number),
        None => write!(out, "{at}\t{event}\t*\t"),
    };
    let addr = who.map_or(String::from("-"), |who| who.addr.to_string());
    push_escaped(addr.as_bytes(), out);
    out.push('\t');
    let name = who.map_or(name, |who| who.name);
    push_escaped(name.unwrap_or("-").as_bytes(), out);
    out.push('\t');
    push_escaped(text, out);
    out.push('\n');
}

/// Appends `bytes` as printable text without a tab or a line's end, so that they can be had back:
/// `\\` is a backslash, `\t` a tab, `\r` a carriage return, `\n` a line feed, `\x1b` the byte of
/// that value, and `\u{202e}` the character of that number. Everything else stands for itself.
pub fn push_escaped(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            // Writing to a String cannot fail.
            let _ = match letter {
                '\\' => out.write_str("\\\\"),
                '\t' => out.write_str("\\t"),
                '\r' => out.write_str("\\r"),
                '\n' => out.write_str("\\n"),
                '\0'..='\x7f' if is_unsafe(letter) => write!(out, "\\x{:02x}", letter as u8),
                letter if is_unsafe(letter) => write!(out, "\\u{{{:x}}}", letter as u32),
                letter => out.write_char(letter),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// Appends a hex dump of `bytes`: a line that tells when, which way, who and how many, then
/// sixteen bytes in each line.
///
/// ```text
/// # 2026-11-22T09:11:35.001Z from [1] Ana 192.0.2.11:50124, 12 bytes
/// 0000:   77 68 69 63 68 20 62 6f  6f 6b 3f 0a               which book?.
/// ```
pub fn push_dump(at: &str, way: Way, who: Option<Who<'_>>, bytes: &[u8], out: &mut String) {
    let config = HexConfig {
        title: false,
        group: 8,
        ..HexConfig::default()
    };
    let way = match way {
        Way::From => "from",
        Way::To => "to",
    };
    // Writing to a String cannot fail.
    let _ = write!(out, "# {at} {way} ");
    match who {
        Some(who) => {
            if who.number > 0 {
                let _ = write!(out, "[{}] ", who.number);
            }
            if let Some(name) = who.name {
                push_escaped(name.as_bytes(), out);
                out.push(' ');
            }
            push_escaped(who.addr.to_string().as_bytes(), out);
        }
        None => out.push_str("everybody"),
    }
    let bytes_word = if bytes.len() == 1 { "byte" } else { "bytes" };
    let _ = writeln!(out, ", {} {bytes_word}", bytes.len());
    let _ = pretty_hex::hex_write(out, bytes, config);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: &str = "2026-11-22T09:11:33.123Z";

    fn who(number: u32, name: Option<&str>) -> Who<'_> {
        Who {
            number,
            addr: &"192.0.2.1:50124",
            name,
        }
    }

    /// Undoes [`push_escaped`].
    fn unescaped(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '\\' {
                bytes.extend(letter.to_string().as_bytes());
                continue;
            }
            match letters.next().expect("something follows a backslash") {
                '\\' => bytes.push(b'\\'),
                't' => bytes.push(b'\t'),
                'r' => bytes.push(b'\r'),
                'n' => bytes.push(b'\n'),
                'x' => {
                    let digits: String = letters.by_ref().take(2).collect();
                    bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
                }
                'u' => {
                    let digits = letters.by_ref().skip(1).take_while(|&c| c != '}');
                    let code = u32::from_str_radix(&digits.collect::<String>(), 16);
                    let letter = code.ok().and_then(char::from_u32).expect("a character");
                    bytes.extend(letter.to_string().as_bytes());
                }
                other => panic!("an unknown escape: {other}"),
            }
        }
        bytes
    }

    #[test]
    fn a_transcript_tells_who_said_what_to_whom() {
        let mut transcript = Transcript::default();
        let mut out = String::new();
        transcript.joined(AT, who(1, None), &mut out);
        transcript.heard(AT, who(1, Some("Ana")), b"which b", &mut out);
        transcript.said(AT, None, None, b"the blue\none, ", &mut out);
        transcript.heard(AT, who(1, Some("Ana")), b"ook?\r\nand", &mut out);
        transcript.told(AT, who(1, Some("Ana")), b"psst\n", &mut out);
        transcript.left(AT, who(1, Some("Ana")), "closed", &mut out);
        transcript.said_all(AT, Some("Bob"), None, &mut out);
        let expected = [
            "joined\t1\t192.0.2.1:50124\t-\t",
            "to\t*\t-\t-\tthe blue",
            "from\t1\t192.0.2.1:50124\tAna\twhich book?\\r",
            "to\t1\t192.0.2.1:50124\tAna\tpsst",
            "from+\t1\t192.0.2.1:50124\tAna\tand",
            "left\t1\t192.0.2.1:50124\tAna\tclosed",
            "to+\t*\t-\tBob\tone, ",
        ];
        let expected: String = expected
            .iter()
            .map(|line| format!("{AT}\t{line}\n"))
            .collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn the_head_of_a_line_is_what_nobody_else_says() {
        let mut transcript = Transcript::default();
        let mut out = String::new();
        transcript.joined(AT, who(1, None), &mut out);
        let said = format!("{AT}\tfrom\t2\tx\t\tEve\n0000: x\n#\n\n");
        transcript.heard(AT, who(1, Some("Ana")), said.as_bytes(), &mut out);
        push_dump(AT, Way::From, Some(who(1, None)), &[b':'; 70_000], &mut out);
        push_dump(AT, Way::To, None, b"0: !", &mut out);
        let rest: Vec<&str> = out
            .lines()
            .map(|line| &line[head::length(line.as_bytes())..])
            .collect();
        let said = format!("{AT}\\tfrom\\t2\\tx\\t\\tEve");
        assert_eq!(rest[..6], ["", said.as_str(), "0000: x", "#", "", ""]);
        let (last, rows) = rest[6..].split_last().unwrap();
        let (to, rows) = rows.split_last().unwrap();
        assert_eq!((*to, *last), ("", "0: !"));
        assert!(rows.len() == 4375 && rows.iter().all(|row| *row == ":".repeat(16)));
        assert_eq!(head::length(b""), 0);
    }

    #[test]
    fn an_endless_line_is_written_in_pieces_and_marked() {
        let mut transcript = Transcript::default();
        let mut out = String::new();
        let long = vec![b'x'; MAX_LINE];
        transcript.heard(AT, who(1, None), &long, &mut out);
        transcript.heard(AT, who(1, None), b"end\n", &mut out);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with(&format!("{AT}\tfrom+\t1\t")));
        assert!(lines[0].ends_with(&"x".repeat(MAX_LINE)));
        assert!(lines[1].starts_with(&format!("{AT}\tfrom\t1\t")));
        assert!(lines[1].ends_with("\tend"));
    }

    #[test]
    fn a_dump_tells_the_direction_and_shows_every_byte() {
        let mut out = String::new();
        push_dump(
            AT,
            Way::From,
            Some(who(3, Some("Ana"))),
            b"which book?\n\x1b[2J\xff",
            &mut out,
        );
        push_dump(AT, Way::To, None, b"!", &mut out);
        assert_eq!(
            out,
            format!(
                "# {AT} from [3] Ana 192.0.2.1:50124, 17 bytes\n\
                 0000:   77 68 69 63 68 20 62 6f  6f 6b 3f 0a 1b 5b 32 4a   which book?..[2J\n\
                 0010:   ff{}.\n\
                 # {AT} to everybody, 1 byte\n\
                 0000:   21{}!\n",
                " ".repeat(49),
                " ".repeat(49),
            )
        );
    }

    proptest! {
        /// Whatever is said and however it is cut: each speaker's bytes can be had back, and no
        /// line is anything but six columns.
        #[test]
        fn what_was_said_can_be_had_back(
            pieces in prop::collection::vec(
                (0..2u32, prop::collection::vec(
                    prop_oneof![
                        2 => any::<u8>(),
                        5 => prop::sample::select("\\\t\r\n\u{1b}x7u{}\u{e9}\u{202e}".as_bytes().to_vec()),
                    ],
                    0..30,
                )),
                0..30,
            ),
        ) {
            let mut transcript = Transcript::default();
            let mut out = String::new();
            let mut truth = vec![Vec::new(); 2];
            for (speaker, bytes) in &pieces {
                truth[*speaker as usize].extend_from_slice(bytes);
                match speaker {
                    0 => transcript.said(AT, None, None, bytes, &mut out),
                    &number => transcript.heard(AT, who(number, None), bytes, &mut out),
                }
            }
            transcript.said_all(AT, None, None, &mut out);
            transcript.finished(AT, who(1, None), &mut out);
            let mut back = vec![Vec::new(); 2];
            for line in out.split_terminator('\n') {
                prop_assert!(line.chars().all(|c| c == '\t' || !is_unsafe(c)), "{line:?}");
                let columns: Vec<&str> = line.split('\t').collect();
                prop_assert_eq!(columns.len(), 6);
                prop_assert_eq!(columns[0], AT);
                let speaker: usize = columns[2].parse().unwrap_or(0);
                prop_assert_eq!(columns[1].starts_with("to"), speaker == 0);
                back[speaker].extend(unescaped(columns[5]));
                if !columns[1].ends_with('+') {
                    back[speaker].push(b'\n');
                }
            }
            prop_assert_eq!(back, truth);
        }
    }
}
