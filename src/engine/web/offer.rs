//! An offer: a file that a browser, curl or wget can download, as a whole or in parts, with its
//! SHA-256 (docs/WEB.md).
//!
//! ```text
//!   computing ─┬─► known: told with the file and on the page
//!              └─► none: the file was changed meanwhile
//! ```
//!
//! It promises: what is answered is of the bytes that the file had between where stdin stood and
//! its end when it was offered, and has another tag as soon as the file is changed, so that no
//! client puts parts of two files together; a digest is told only of the file that it is of. A tag
//! does not change because the digest becomes known, nor with another run.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer;
use super::answer::Status;
use super::answer::TEXT;
use super::answer::answer;
use super::answer::bare;
use super::answer::head;
use super::condition::Known;
use super::condition::Verdict;
use super::date::Date;
use super::fetch::Wanted;
use super::fetch::What;
use super::filename::FileName;
use super::page::HTML;
use super::page::Policy;
use super::range::Part;
use super::range::part;
use crate::engine::digest::Digest;
use crate::engine::digest::hexadecimal;
use crate::engine::progress::Size;

/// The page that tells of a file, with a `{word}` where something of the file stands.
const PAGE: &str = include_str!("../../../web/file.html");

/// By what the system knows whether a file is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Where it is.
    pub device: u64,
    /// Which it is there.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// When it was last written to: seconds since 1970, and the nanoseconds.
    pub modified: (i64, u32),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Offer {
    name: FileName,
    /// Where in the file it begins.
    start: u64,
    /// What the file was when it was offered.
    stamp: Stamp,
    sum: Sum,
    policy: Policy,
}

/// What is known of the digest.
#[derive(Debug)]
enum Sum {
    Computing(Digest),
    Known([u8; 32]),
    None,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What comes first.
    pub bytes: Vec<u8>,
    /// The bytes of the file that follow.
    pub body: Range<u64>,
}

impl Offer {
    /// That of a file with this name, from there on.
    pub fn new(name: Option<&str>, start: u64, stamp: Stamp) -> Offer {
        let mut offer = Offer {
            name: FileName::like(name),
            start,
            stamp,
            sum: Sum::Computing(Digest::default()),
            policy: Policy::of(PAGE),
        };
        offer.end_sum(Some(stamp));
        offer
    }

    /// What the file is called.
    pub fn name(&self) -> &FileName {
        &self.name
    }

    /// How many bytes are offered.
    pub fn size(&self) -> u64 {
        self.stamp.size.saturating_sub(self.start)
    }

    /// Which bytes of the file are still to be [added](Offer::add) to the digest.
    pub fn unsummed(&self) -> Option<Range<u64>> {
        match &self.sum {
            Sum::Computing(digest) => Some(self.start + digest.count()..self.stamp.size),
            Sum::Known(_) | Sum::None => None,
        }
    }

    /// The next of these; none are there if it is shorter now. Behind the last of them it matters what the
    /// file is `now`.
    pub fn add(&mut self, bytes: &[u8], now: impl FnOnce() -> Option<Stamp>) {
        if bytes.is_empty() {
            self.sum = Sum::None;
        }
        if let Sum::Computing(digest) = &mut self.sum {
            digest.add(bytes);
            if digest.count() >= self.size() {
                self.end_sum(now());
            }
        }
    }

    /// Ends the digest if all is in it.
    fn end_sum(&mut self, now: Option<Stamp>) {
        if let Sum::Computing(digest) = &self.sum
            && digest.count() >= self.size()
        {
            self.sum = match now == Some(self.stamp) {
                true => Sum::Known(digest.hash()),
                false => Sum::None,
            };
        }
    }

    /// The answer at that time to a client that wants this, of the file as it is now.
    pub fn answer(&self, wanted: &Wanted, now: Stamp, time: Date) -> Answer {
        match wanted.what {
            What::Page => Answer {
                bytes: self.page(now, time).bytes(wanted.head_only),
                body: 0..0,
            },
            What::File => self.file(wanted, now, time),
        }
    }

    fn file(&self, wanted: &Wanted, now: Stamp, time: Date) -> Answer {
        let tag = self.tag(now);
        let size = self.size();
        let refused = |status, fields: &str, why: &str| {
            let body = why.as_bytes().to_vec();
            Answer {
                bytes: answer(status, TEXT, fields, body, time).bytes(wanted.head_only),
                body: 0..0,
            }
        };
        // Of a clock that is not ours a file may have a date that is to come (RFC 9110, section 8.8.2.1).
        let modified = Date::new(now.modified.0).map(|modified| modified.min(time));
        let known = Known {
            tag: &tag,
            modified,
            now: time,
        };
        let tag_field = format!("ETag: {tag}\r\n");
        match wanted.conditions.judge(&known) {
            Verdict::Send => {}
            Verdict::NotModified => {
                return Answer {
                    bytes: bare(Status::NotModified, &tag_field, time).into_bytes(),
                    body: 0..0,
                };
            }
            Verdict::Failed => {
                let why = "the file is another one now\n";
                return refused(Status::PreconditionFailed, "", why);
            }
        }
        let range = wanted.range.as_deref();
        // A range is one of what is sent (RFC 9110, section 14.2).
        let range = range.filter(|_| !wanted.head_only && wanted.conditions.allow_part(&known));
        let mut fields = self.name.disposition();
        fields.push_str("Accept-Ranges: bytes\r\n");
        fields.push_str(&tag_field);
        if let Some(modified) = modified {
            fields.push_str(&format!("Last-Modified: {modified}\r\n"));
        }
        if let Some(hash) = self.known(now) {
            let hash = STANDARD.encode(hash);
            fields.push_str(&format!("Repr-Digest: sha-256=:{hash}:\r\n"));
        }
        let (status, body) = match range.map_or(Part::Whole, |range| part(range, size)) {
            Part::Whole => (Status::Ok, 0..size),
            Part::Bytes(bytes) => {
                let (first, last) = (bytes.start, bytes.end - 1);
                fields.push_str(&format!("Content-Range: bytes {first}-{last}/{size}\r\n"));
                (Status::PartialContent, bytes)
            }
            Part::Nothing => {
                let fields = format!("Accept-Ranges: bytes\r\nContent-Range: bytes */{size}\r\n");
                let why = format!("the file has {size} bytes\n");
                return refused(Status::RangeNotSatisfiable, &fields, &why);
            }
        };
        let length = body.end - body.start;
        let head = head(status, "application/octet-stream", &fields, length, time);
        Answer {
            bytes: head.into_bytes(),
            body: match wanted.head_only {
                true => 0..0,
                false => self.start + body.start..self.start + body.end,
            },
        }
    }

    fn page(&self, now: Stamp, time: Date) -> answer::Answer {
        let digest = match (&self.sum, self.known(now)) {
            (_, Some(hash)) => format!("<code id=\"digest\">{}</code>", hexadecimal(&hash)),
            (Sum::Computing(_), _) => String::from(
                "<span id=\"digest\">is being computed:</span> <a href=\"/\">look again</a>",
            ),
            _ => String::from(
                "<span id=\"digest\">is not known, since the file was changed after it was \
                 offered</span>",
            ),
        };
        let size = self.size();
        let told = match size {
            0..1024 => Size(size).to_string(),
            _ => format!("{} bytes ({})", grouped(size), Size(size)),
        };
        // In an order in which nothing that is put in is looked at again.
        let html = PAGE
            .replace("{digest}", &digest)
            .replace("{size}", &told)
            .replace("{name}", &in_html(&self.name.to_string()));
        let fields = self.policy.fields("'none'");
        answer(Status::Ok, HTML, &fields, html.into_bytes(), time)
    }

    /// The SHA-256, if it is known and is that of the file as it is now.
    fn known(&self, now: Stamp) -> Option<[u8; 32]> {
        match self.sum {
            Sum::Known(hash) => (now == self.stamp).then_some(hash),
            Sum::Computing(_) | Sum::None => None,
        }
    }

    /// The tag by which a client that has a part of the file knows it (RFC 9110, section 8.8.3). It
    /// is a digest, so that it says nothing about the disk.
    fn tag(&self, now: Stamp) -> String {
        let (seconds, nanoseconds) = now.modified;
        let numbers = [now.device, now.inode, now.size, self.start, self.size()];
        let mut digest = Digest::default();
        for number in numbers {
            digest.add(&number.to_be_bytes());
        }
        digest.add(&seconds.to_be_bytes());
        digest.add(&nanoseconds.to_be_bytes());
        format!("\"{}\"", hexadecimal(&digest.hash()[..16]))
    }
}

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A text as it stands in a page.
fn in_html(text: &str) -> String {
    let mut html = String::new();
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

#[cfg(test)]
mod tests;
