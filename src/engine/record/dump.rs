//! A hex dump: the bytes that went either way, with who sent them and when.

use std::fmt::Write;

use pretty_hex::HexConfig;

use super::Way;
use super::Who;
use super::push_escaped;

/// Bytes of a dump for each byte, and what the first row and the line before it take besides that.
const DUMPED: usize = 6;
const FRAME: usize = 160;

/// The most that so many bytes of a peer become.
pub fn most(who: Who<'_>, bytes: usize) -> usize {
    FRAME + who.length() + DUMPED * bytes
}

/// Appends the line that tells how many rows are missing there.
pub fn push_gap(at: &str, rows: u64, out: &mut String) {
    let words = match rows {
        1 => "row is",
        _ => "rows are",
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# {at} {rows} {words} missing here");
}

/// Appends a hex dump of `bytes`: a line that tells when, which way, who and how many, then
/// sixteen bytes in each line.
///
/// ```text
/// # 2026-11-22T09:11:35.001Z from [1] Ana 192.0.2.11:50124, 12 bytes
/// 0000:   77 68 69 63 68 20 62 6f  6f 6b 3f 0a               which book?.
/// ```
pub fn push(at: &str, way: Way, who: Option<Who<'_>>, bytes: &[u8], out: &mut String) {
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
