//! What is said, and whether it was heard: every line tells who says it and which of theirs it is,
//! and the rest of it follows from that.

use std::collections::HashMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// What is said by those who break off in the middle of a line; nobody says it otherwise.
pub const FRAGMENT: u8 = b'~';

/// The line of that number of a speaker, 10 to 1000 bytes long.
pub fn line(speaker: u64, number: u64) -> Vec<u8> {
    let mut line = format!("{speaker} {number} ").into_bytes();
    let mixed = (speaker << 20 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Most are short, as what people type.
    let len = match mixed >> 60 {
        0 => (mixed >> 40) % 1000,
        _ => (mixed >> 40) % 60,
    };
    line.extend((0..len).map(|i| b'a' + ((mixed >> (i % 32)) % 26) as u8));
    line.push(b'\n');
    line
}

/// What a speaker says last, after so many lines.
pub fn end(speaker: u64, lines: u64) -> Vec<u8> {
    format!("{speaker} end {lines}\n").into_bytes()
}

/// One listener's account: nobody's line may be missing, repeated, changed, torn or out of order.
pub struct Checker {
    /// What each speaker says next.
    next: HashMap<u64, u64>,
    /// Whether a speaker may be heard in the middle of what it says.
    late: bool,
}

impl Checker {
    /// For one who hears everything.
    pub fn from_the_start() -> Checker {
        Checker {
            next: HashMap::new(),
            late: false,
        }
    }

    /// For one who came later.
    pub fn from_now_on() -> Checker {
        Checker {
            late: true,
            ..Checker::from_the_start()
        }
    }

    /// Reads to the end, or until the stream breaks; counts lines, and tells who is done.
    ///
    /// # Errors
    /// A line is not what it must be.
    pub fn read(
        &mut self,
        stream: impl Read,
        lines: &AtomicU64,
        mut done: impl FnMut(u64),
    ) -> Result<(), String> {
        let mut stream = BufReader::with_capacity(64 * 1024, stream);
        let mut line = Vec::new();
        loop {
            line.clear();
            match stream.read_until(b'\n', &mut line) {
                Ok(count) if count > 0 && line.ends_with(b"\n") => {}
                _ => return Ok(()),
            }
            // Who broke off left the beginning of a line; what follows is somebody else's.
            let start = line.iter().rposition(|&byte| byte == FRAGMENT);
            let line = &line[start.map_or(0, |at| at + 1)..];
            if let Some(speaker) = self.check(line)? {
                done(speaker);
            }
            lines.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Returns the speaker, if it was its last.
    fn check(&mut self, heard: &[u8]) -> Result<Option<u64>, String> {
        let text = String::from_utf8_lossy(heard);
        let mut words = text.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let wrong = |why: &str| format!("{why}: {text:?}");
        let speaker = number().ok_or_else(|| wrong("nobody says that"))?;
        if let Some(number) = number() {
            let next = self.next.entry(speaker);
            let next = next.or_insert(if self.late { number } else { 0 });
            if number != *next {
                return Err(wrong(&format!("line {next} of {speaker} expected")));
            }
            *next += 1;
            return match heard == line(speaker, number) {
                true => Ok(None),
                false => Err(wrong("changed or torn")),
            };
        }
        let said = self.next.remove(&speaker);
        let lines = text
            .trim_end()
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok());
        let complete = said.map_or(self.late || lines == Some(0), |said| Some(said) == lines);
        match complete && heard == end(speaker, lines.unwrap_or(0)) {
            true => Ok(Some(speaker)),
            false => Err(wrong(&format!("{said:?} lines of {speaker} were heard"))),
        }
    }
}
