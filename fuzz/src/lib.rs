//! What is fuzzed: everything that takes apart what a peer, a file or a keyboard gives. Each target
//! is a function of bytes that panics if a promise is broken, not only if the code does.
//!
//! `cargo fuzz` runs them with its own inputs, `tests/engine/corpus.rs` with those in `corpus/` and with
//! chance, without any special toolchain.

#[cfg(feature = "bus")]
mod bus;
mod events;
mod fetch;
mod moderation;
mod requests;
mod telnet;
mod udp;

use std::collections::HashMap;
use std::io::IoSlice;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::admit::Admission;
use muxnc::engine::admit::Lists;
use muxnc::engine::admit::Word;
use muxnc::engine::chat::Chat;
use muxnc::engine::chat::Composed;
use muxnc::engine::chat::Rules;
use muxnc::engine::chat::Speech;
use muxnc::engine::command::Banned;
use muxnc::engine::command::Command;
use muxnc::engine::command::Typed;
use muxnc::engine::command::understand;
use muxnc::engine::crlf::Crlf;
use muxnc::engine::editor;
use muxnc::engine::editor::Editor;
use muxnc::engine::escape::Escaper;
use muxnc::engine::escape::Letters;
use muxnc::engine::escape::is_unsafe;
use muxnc::engine::journal::Cursor;
use muxnc::engine::journal::GATHER;
use muxnc::engine::journal::Journal;
use muxnc::engine::journal::SEGMENT;
use muxnc::engine::lines::Lines;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::names::Names;
use muxnc::engine::names::Owner;
use muxnc::engine::names::is_name;
use muxnc::engine::private::is_private;
use muxnc::engine::proxy::Conversation;
use muxnc::engine::proxy::Destination;
use muxnc::engine::proxy::Kind;
use muxnc::engine::proxy::Login;
use muxnc::engine::proxy::ProxyError;
use muxnc::engine::proxy::Step;
use muxnc::engine::request::Request;
use muxnc::engine::request::request;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::Label;
use muxnc::engine::room::Member;
use muxnc::engine::room::Policy;
use muxnc::engine::room::Presence;
use muxnc::engine::room::RESERVE;
use muxnc::engine::room::Room;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::rows::Rows;
use muxnc::engine::screen;
use muxnc::engine::screen::Overflow;
use muxnc::engine::screen::Screen;
use muxnc::engine::screen::Surface;
use muxnc::engine::web::date::Date;
use muxnc::engine::web::frame;
use muxnc::engine::web::frame::Event;
use muxnc::engine::web::frame::MAX_MESSAGE;
use muxnc::engine::web::frame::Violation;
use muxnc::engine::web::origin::Origins;
use muxnc::engine::web::page::Page;
use muxnc::engine::web::request;
use muxnc::engine::web::request::Asked;
use muxnc::engine::web::request::MAX_HEAD;
use muxnc::engine::whom::Whom;

#[cfg(feature = "bus")]
pub use self::bus::bus;
pub use self::events::events;
pub use self::fetch::fetch;
pub use self::moderation::moderation;
pub use self::requests::requests;
pub use self::telnet::telnet;
pub use self::udp::udp;

/// One target.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("access", access),
    #[cfg(feature = "bus")]
    ("bus", bus),
    ("chat", chat),
    ("command", command),
    ("editor", editor),
    ("events", events),
    ("fetch", fetch),
    ("frames", frames),
    ("http", http),
    ("journal", journal),
    ("lines", lines),
    ("crlf", crlf),
    ("moderation", moderation),
    ("proxy", proxy),
    ("requests", requests),
    ("room", room),
    ("screen", screen),
    ("telnet", telnet),
    ("udp", udp),
    ("escape", escape),
];

/// Filling in one input at most: enough for the longest line and for a full log.
const FILLING: usize = 18 * 64 * 1024;

/// An input, taken apart, and how much filling it may still have.
struct Input<'a>(&'a [u8], usize);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    /// A piece of what somebody says: its length and the bytes. From 0xf0 on the length is in
    /// 4 KiB, and all is filling: what is long is reached by small inputs.
    fn piece(&mut self) -> Vec<u8> {
        match self.byte() {
            length @ 0xf0.. => {
                let filling = self.1.min(usize::from(length - 0xef) * 4096);
                self.1 -= filling;
                vec![b'x'; filling]
            }
            length => self.take(usize::from(length)).to_vec(),
        }
    }

    /// All the rest in such pieces.
    fn pieces(&mut self) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        while !self.0.is_empty() && pieces.len() < 200 {
            pieces.push(self.piece());
        }
        pieces
    }
}

/// Every reader gets every byte once and in order, and the room gets whole lines.
pub fn lines(data: &[u8]) {
    let mut input = Input(data, FILLING);
    let mode = input.byte();
    let mut lines = Lines::default();
    let (mut said, mut held) = (Vec::<u8>::new(), Vec::<u8>::new());
    let (mut screen, mut room) = (Vec::<u8>::new(), Vec::<u8>::new());
    let mut expected = Vec::new();
    for (i, piece) in input.pieces().iter().enumerate() {
        let at_once = mode >> (i % 8) & 1 == 1;
        lines.feed(piece, at_once, |b| screen.extend(b), |b| room.extend(b));
        said.extend(piece);
        held.extend(piece);
        let whole = held
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |lf| lf + 1);
        let whole = match held.len() - whole < MAX_LINE {
            true => whole,
            false => held.len(),
        };
        expected.extend(held.drain(..whole));
        assert!(room == expected, "the room gets whole lines");
        assert_eq!(lines.room(), MAX_LINE - held.len());
        assert!(!at_once || piece.is_empty() || screen == said, "at once");
        assert!(screen.len() >= room.len() && said.starts_with(&screen));
        assert_eq!(lines.is_open(), screen.len() > room.len());
    }
    lines.finish(|b| screen.extend(b), |b| room.extend(b));
    assert!(screen == said && room == said, "nothing is lost");
    assert_eq!(lines.room(), MAX_LINE);
}

/// Every lone LF becomes CRLF, however it comes, and nothing else is touched.
pub fn crlf(data: &[u8]) {
    let pieces = Input(data, FILLING).pieces();
    let all = pieces.concat();
    let mut crlf = Crlf::default();
    let mut out = Vec::new();
    for piece in &pieces {
        crlf.convert(piece, &mut out);
    }
    let mut expected = Vec::new();
    for (i, &byte) in all.iter().enumerate() {
        if byte == b'\n' && (i == 0 || all[i - 1] != b'\r') {
            expected.push(b'\r');
        }
        expected.push(byte);
    }
    assert!(out == expected, "every lone LF and nothing else");
    let mut again = Vec::new();
    Crlf::default().convert(&out, &mut again);
    assert!(again == out, "once is enough");
}

fn is_safe(text: &str) -> bool {
    text.chars()
        .all(|c| c == '\n' || c == '\t' || !is_unsafe(c))
}

/// Nothing acts on a terminal, nothing is lost, and cuts do not matter.
pub fn escape(data: &[u8]) {
    let pieces = Input(data, FILLING).pieces();
    let all = pieces.concat();
    let show = |pieces: &[Vec<u8>]| {
        let mut escaper = Escaper::default();
        let mut out = String::new();
        for piece in pieces {
            escaper.escape(piece, &mut out);
        }
        escaper.finish(&mut out);
        out
    };
    let out = show(&pieces);
    assert!(is_safe(&out), "{out:?}");
    assert_eq!(out, show(std::slice::from_ref(&all)), "cuts do not matter");
    assert!(out.len() <= 4 * all.len(), "it grows without bound");
    let lf = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(lf(out.as_bytes()), lf(&all), "lines stay lines");
    let mut expected = String::new();
    let mut letters = Letters::default();
    for letter in String::from_utf8_lossy(&all).replace("\r\n", "\n").chars() {
        match letter {
            '\n' | '\t' => {
                letters.end(&mut expected);
                expected.push(letter);
            }
            letter => letters.push(letter, &mut expected),
        }
    }
    letters.end(&mut expected);
    assert_eq!(out, expected, "character by character");
    let again = show(&[out.clone().into_bytes()]);
    assert_eq!(again, out, "what is visible stays so");
}

/// Keys of any kind: lines without line feeds, a row that cannot act, and without Esc cuts do not
/// matter.
pub fn editor(data: &[u8]) {
    let mut input = Input(data, FILLING);
    let columns = u16::from(input.byte());
    let pieces = input.pieces();
    let type_in = |pieces: &[Vec<u8>]| {
        let mut editor = Editor::new();
        editor.set_signals(Some(0x03), Some(0x1a));
        let mut events = Vec::new();
        for piece in pieces {
            let mut keys = &piece[..];
            while let Some(event) = editor.next(&mut keys) {
                match &event {
                    editor::Event::Line(line)
                    | editor::Event::BehindEscape(line)
                    | editor::Event::Pasted(line) => {
                        assert!(!line.contains('\n') && line.len() <= editor::MAX_LINE);
                    }
                    editor::Event::Complete if editor.before_cursor().ends_with('a') => {
                        editor.replace_word("ab\nc ");
                    }
                    editor::Event::Complete => editor.insert("\t"),
                    _ => {}
                }
                // How often it was full does depend on the cuts.
                if event != editor::Event::Full {
                    events.push(event);
                }
            }
            assert!(keys.is_empty(), "a key is left behind");
            let text = editor.text();
            assert!(!text.contains('\n') && text.len() <= editor::MAX_LINE);
            assert!(text.starts_with(editor.before_cursor()));
            assert_eq!(editor.is_empty(), text.is_empty());
            let mut row = Vec::new();
            editor.draw("", "> ", columns, &mut row);
            let row = String::from_utf8(row).expect("a row is text");
            let row = row.strip_prefix("\x1b[?7l\r");
            let row = row.expect("it does not wrap and begins at its start");
            let row = row.strip_suffix("\x1b[?7h").expect("the next one wraps");
            let parts = row.split_once("\x1b[K\x1b[J");
            let (row, again) = parts.expect("what is behind it is erased");
            assert!(!row.contains(is_unsafe), "{row:?}");
            let before = again.strip_prefix('\r').unwrap_or(again);
            assert!(row.starts_with(before), "{row:?} and {before:?}");
        }
        events.push(editor::Event::Line(editor.text().to_owned()));
        events
    };
    let events = type_in(&pieces);
    let all = pieces.concat();
    // Nor a CRLF, which is one end of a line if it comes at once.
    if !all.contains(&0x1b) && !all.windows(2).any(|two| two == b"\r\n") {
        assert!(events == type_in(&[all]), "cuts do not matter");
    }
}

/// A cursor, all that is for it, and how much of that was taken.
type Reader = (Cursor, Vec<u8>, usize);

/// The journal against a buffer for each peer.
pub fn journal(data: &[u8]) {
    let mut input = Input(data, FILLING);
    let mut journal = Journal::new();
    let mut readers: Vec<Reader> = Vec::new();
    let mut appended = 0;
    for _ in 0..300 {
        if input.0.is_empty() {
            break;
        }
        let what = input.byte();
        let who = input.below(readers.len());
        match what % 8 {
            0 => readers.push((journal.join(), Vec::new(), 0)),
            _ if readers.is_empty() => {}
            1 => journal.leave(readers.swap_remove(who).0),
            2 | 3 if appended < 4 * SEGMENT => {
                let bytes = input.piece();
                journal.append(&bytes);
                appended += bytes.len();
                let author = (what % 8 == 3).then_some(who);
                for (i, (cursor, all, _)) in readers.iter_mut().enumerate() {
                    match author == Some(i) {
                        true => journal.skip(cursor, bytes.len() as u64),
                        false => all.extend(&bytes),
                    }
                }
            }
            4 => {
                let bytes = input.take(3);
                journal.insert(&mut readers[who].0, bytes);
                readers[who].1.extend(bytes);
            }
            _ => {
                let limit = match input.byte() {
                    count @ 0xf0.. => usize::from(count - 0xef) * 4096,
                    count => usize::from(count),
                };
                take(&mut journal, &mut readers[who], limit);
            }
        }
        let slowest = readers.iter().map(|(cursor, ..)| journal.kept_for(cursor));
        assert_eq!(
            slowest.max().unwrap_or(journal.retained()),
            journal.retained()
        );
    }
    for mut reader in readers {
        while reader.2 < reader.1.len() {
            take(&mut journal, &mut reader, usize::MAX);
        }
        assert_eq!(journal.owed(&reader.0), 0);
        assert_eq!(journal.edits(&reader.0), 0);
        journal.leave(reader.0);
    }
    assert!(
        journal.retained() < SEGMENT as u64,
        "nobody needs it any more"
    );
}

fn take(journal: &mut Journal, (cursor, all, taken): &mut Reader, limit: usize) {
    let left = &all[*taken..];
    assert_eq!(journal.owed(cursor), left.len() as u64);
    let mut slices = [IoSlice::new(&[]); GATHER];
    let count = journal.gather(cursor, &mut slices);
    let mut bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
    assert!(
        count == GATHER || bytes.len() == left.len(),
        "not all is gathered"
    );
    bytes.truncate(limit);
    assert!(left.starts_with(&bytes), "its stream is not its own");
    *taken += bytes.len();
    journal.advance(cursor, bytes.len() as u64);
}

/// What anybody may do in a room, in any order: the rules of who may be read are kept, as the loop
/// keeps them, and then what is held is bounded, and nothing that is shown or said acts.
pub fn room(data: &[u8]) {
    let mut input = Input(data, FILLING);
    let mode = input.byte();
    let bit = |n: u8| mode >> n & 1 == 1;
    let (relay, is_chat) = (bit(0) || bit(1), bit(1));
    let surface = match bit(2) {
        true => Surface::Terminal,
        false => Surface::Stream,
    };
    let mut room: Room = Room::new(Policy {
        relay,
        slow: if bit(3) {
            SlowPeer::Disconnect
        } else {
            SlowPeer::Wait
        },
        surface,
        label: if bit(4) { Label::Always } else { Label::Auto },
        ..Policy::PLAIN
    });
    if is_chat {
        room.open_chat(Chat::new(Rules::of("host"), bit(5)));
    }
    let mut now = Instant::now();
    let mut keys: Vec<usize> = Vec::new();
    let mut streams: HashMap<usize, Vec<u8>> = HashMap::new();
    let mut shown = Vec::new();
    let mut overdue = Vec::new();
    let mut said = 0;
    for _ in 0..300 {
        if input.0.is_empty() {
            break;
        }
        let what = input.byte() % 16;
        let key = keys.get(input.below(keys.len())).copied();
        match (what, key) {
            (0, _) if keys.len() < 10 => {
                let key = room.vacant_key();
                room.join(key, now);
                streams.insert(key, Vec::new());
                keys.push(key);
            }
            (_, None) => {}
            (1, Some(key)) => {
                leave(&mut room, &mut streams, key, now, is_chat);
                keys.retain(|&other| other != key);
            }
            (2..6, Some(key)) if room.accepts_input() && room.may_speak(key) && said < 1 << 22 => {
                let bytes = input.piece();
                said += bytes.len();
                room.heard(key, &bytes, now);
            }
            (6..8, _) if room.wants_input() && said < 1 << 22 => {
                let bytes = input.piece();
                said += bytes.len();
                room.typed(&bytes, now);
            }
            (8..11, Some(key)) => {
                let limit = match input.byte() {
                    count @ 0xf0.. => usize::from(count - 0xef) * 65_536,
                    count => usize::from(count),
                };
                flush(&mut room, &mut streams, key, now, limit);
            }
            (11, _) => {
                let count = room.screen().front().len().min(input.piece().len());
                shown.extend(&room.screen().front()[..count]);
                room.screen_mut().consume(count);
            }
            (12, _) => now += Duration::from_millis(100 * u64::from(input.byte())),
            (13, Some(key)) => match input.byte() % 4 {
                which @ 0..=1 => {
                    room.mute(key, which == 0, now);
                }
                2 => room.relay(bit(6), now),
                _ => {
                    let is_gone = room.member(key).map(Member::presence) == Some(Presence::Gone);
                    let is_told = match input.byte() % 2 == 0 {
                        true => room.remote_tells(key, "room2", "a word"),
                        false => room.tell(key, b"a word\n"),
                    };
                    assert_eq!(is_told, !is_gone);
                }
            },
            (14, Some(key)) => {
                let name = String::from_utf8_lossy(input.take(4)).into_owned();
                match room.name(key, &name, now) {
                    Ok(()) => assert!(room.has_name(key, &name)),
                    Err(_) if input.byte() % 4 == 0 => room.unname(key, now),
                    Err(_) => {}
                }
            }
            (15, Some(key)) => {
                room.finish(key, now);
                room.end(key);
                if input.byte() % 2 == 0 {
                    room.acknowledged(key);
                }
            }
            _ => {}
        }
        room.overdue(now, &mut overdue);
        let held = room.deadline().is_none_or(|deadline| deadline > now);
        assert!(held || !overdue.is_empty(), "a deadline that stays");
        for (key, _) in overdue.drain(..) {
            leave(&mut room, &mut streams, key, now, is_chat);
            keys.retain(|&other| other != key);
        }
        // In a chat it is mostly labels.
        let most = HIGH_WATER + RESERVE + (SEGMENT + 10 * MAX_LINE) as u64 + 8 * 65_536;
        assert!(is_chat || room.retained() <= most, "{}", room.retained());
        assert_eq!(room.places_taken(), keys.len());
        let known = keys.iter().filter(|&&key| !room.is_unconfirmed(key));
        assert_eq!(room.here(), known.count());
    }
    for key in keys {
        leave(&mut room, &mut streams, key, now, is_chat);
    }
    assert!(room.is_empty() && !room.wants_input());
    while !room.screen().is_empty() {
        let count = room.screen().front().len();
        shown.extend(room.screen().front());
        room.screen_mut().consume(count);
    }
    if surface == Surface::Terminal {
        let mut rows = Rows::default();
        rows.show(&shown);
        let shown = String::from_utf8(rows.front().to_vec()).expect("text");
        assert!(is_safe(&shown), "it acts");
    }
}

type Streams = HashMap<usize, Vec<u8>>;

fn flush(room: &mut Room, streams: &mut Streams, key: usize, now: Instant, limit: usize) {
    let owed = room.owed(key);
    let mut taken = 0;
    let left = room.flush(key, now, |slices| {
        let stream = streams.get_mut(&key).expect("a member's stream");
        for slice in slices {
            let count = slice.len().min(limit - taken);
            stream.extend(&slice[..count]);
            taken += count;
        }
        Ok(taken)
    });
    assert_eq!(left.expect("nothing that fails"), owed - taken as u64);
    assert_eq!(room.owed(key), owed - taken as u64);
}

/// It leaves with everything it is owed, and that is what it should be.
fn leave(room: &mut Room, streams: &mut Streams, key: usize, now: Instant, is_chat: bool) {
    while room.owed(key) > 0 {
        flush(room, streams, key, now, usize::MAX);
    }
    let before = room.places_taken();
    let left = room.leave(key, now).expect("it was there");
    let stream = streams.remove(&key).expect("a member's stream");
    assert_eq!(room.places_taken(), before - 1);
    assert_eq!(left.account.sent, stream.len() as u64);
    if !is_chat {
        return;
    }
    let said = String::from_utf8(stream).expect("a chat is text");
    let said = said.replace("\r\n", "\n");
    assert!(said.is_empty() || said.ends_with('\n'), "a line is torn");
    assert!(is_safe(&said), "it acts");
    for line in said.lines() {
        let is_said = line.starts_with('<') && line.contains("> ");
        assert!(is_said || line.starts_with("* "), "{line:?}");
    }
}

/// What is said becomes the same lines however it comes, and nobody is called like somebody else.
pub fn chat(data: &[u8]) {
    let mut input = Input(data, FILLING);
    let pieces = input.pieces();
    let compose = |pieces: &[Vec<u8>]| {
        let (mut lines, mut escaper) = (Lines::default(), Escaper::default());
        let mut composed = Composed::default();
        composed.keep_bytes(true);
        let steps = pieces.iter().map(|piece| Speech::Bytes(piece));
        for step in steps.chain([Speech::End]) {
            composed.take_in(&mut lines, &mut escaper, step);
        }
        let bytes: Vec<&[u8]> = composed.lines().map(|line| line.bytes).collect();
        assert_eq!(bytes.concat(), pieces.concat(), "a byte is lost");
        composed.lines().map(|line| line.text).collect::<String>()
    };
    let text = compose(&pieces);
    assert!(is_safe(&text) && (text.is_empty() || text.ends_with('\n')));
    assert_eq!(text, compose(&[pieces.concat()]), "cuts do not matter");

    let (mut owners, now) = (Names::default(), Instant::now());
    let mut names: HashMap<u32, String> = HashMap::new();
    for number in 1..6 {
        names.insert(number, owners.join(number as usize, number).into());
    }
    for (i, line) in text.lines().enumerate() {
        let number = i as u32 % 5 + 1;
        let asked = request(line);
        let is_written = ["/nick", "/msg", "/me"].iter().any(|request| {
            let rest = line.strip_prefix(request);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        assert!(asked.is_some() || !is_written, "{line:?} is said");
        let Some(Request::Nick(new)) = asked else {
            continue;
        };
        let old = names[&number].clone();
        if let Ok(new) = owners.rename(number as usize, number, Some(&old), new, now) {
            assert!(is_name(&new), "{new:?}");
            assert_eq!(owners.owner(&new), Some(Owner::Member(number as usize)));
            let new_one = new.to_lowercase();
            let taken = names
                .iter()
                .any(|(&other, name)| other != number && name.to_lowercase() == new_one);
            assert!(!taken && new_one != "host", "{new:?} is somebody else");
            names.insert(number, new.into());
        }
    }
}

/// What was read of a client's frames.
#[derive(Debug, Default, PartialEq)]
struct Framed {
    /// The messages that ended, and whether they are binary.
    messages: Vec<(bool, Vec<u8>)>,
    controls: Vec<(Event, Vec<u8>)>,
    violation: Option<Violation>,
}

fn framed(stream: &[u8], size: usize) -> Framed {
    let mut reader = frame::Reader::new(MAX_MESSAGE);
    let (mut read, mut message) = (Framed::default(), Vec::new());
    for piece in stream.chunks(size) {
        let (mut bytes, mut at) = (piece.to_vec(), 0);
        loop {
            match reader.read(&mut bytes, &mut at) {
                Ok(None) => break,
                Ok(Some(Event::Piece {
                    at,
                    is_binary,
                    ends,
                })) => {
                    message.extend(&bytes[at]);
                    assert!(message.len() as u64 <= MAX_MESSAGE, "it is too long");
                    if ends {
                        let message = std::mem::take(&mut message);
                        let is_text = is_binary || std::str::from_utf8(&message).is_ok();
                        assert!(is_text, "{message:?} is no text");
                        read.messages.push((is_binary, message));
                    }
                }
                Ok(Some(event)) => read.controls.push((event, reader.control().to_vec())),
                Err(violation) => read.violation = Some(violation),
            }
        }
        assert_eq!(at, bytes.len(), "something was not read");
    }
    read
}

/// Frames are the same however they are cut; a message is no longer than it may be, and text is text.
pub fn frames(data: &[u8]) {
    let mut input = Input(data, 0);
    let size = 1 + usize::from(input.byte());
    let stream = input.0;
    assert_eq!(framed(stream, size), framed(stream, stream.len().max(1)));
}

/// What is asked for in HTTP does not change what an answer is: its fields are ours alone. A request is whole
/// at its end and not before. A page asked for by its URL is the one asked for by its path.
pub fn http(data: &[u8]) {
    const FIELDS: [&str; 12] = [
        "Date",
        "Content-Type",
        "Content-Length",
        "Cache-Control",
        "X-Content-Type-Options",
        "Content-Security-Policy",
        "Referrer-Policy",
        "Allow",
        "Upgrade",
        "Sec-WebSocket-Version",
        "Retry-After",
        "Connection",
    ];
    let names = [String::from("teacher.local"), String::from("192.0.2.7")];
    let origins = Origins {
        local: "192.0.2.7:8080".parse().expect("an address"),
        is_secure: false,
        names: &names,
        allowed: &names,
    };
    let asked = request::read(data, &origins);
    let answer = match &asked {
        Ok(Some(Asked::Page { host })) => Page::new("").answer(host.as_deref(), Date::EPOCH),
        Err(refusal) => refusal.answer(Date::EPOCH),
        Ok(None) => {
            assert!(data.len() < MAX_HEAD, "it is not refused for its length");
            return;
        }
        Ok(Some(Asked::Join(join))) => {
            assert_eq!(join.accept.len(), 28);
            return;
        }
        Ok(Some(Asked::Probe)) => return,
    };
    let body = body_of(&answer.bytes(false), &FIELDS);
    assert!(body.lines().count() <= 1, "{body:?}");
    if let Ok(Some(_)) = asked {
        let sooner = request::read(&data[..data.len() - 1], &origins);
        assert_eq!(sooner, Ok(None), "it was whole before its end");
    }
    if let Ok(Some(Asked::Page { host: Some(host) })) = &asked
        && let Some(at) = data.windows(2).position(|two| two == b" /")
    {
        let (before, path) = data.split_at(at + 1);
        let by_url = [before, b"http://", host.as_bytes(), path].concat();
        if by_url.len() <= MAX_HEAD && path.len() < data.len() {
            assert_eq!(request::read(&by_url, &origins), asked, "by its URL");
        }
    }
}

/// The body of an answer that has no other fields than these, of printable letters.
fn body_of(answer: &[u8], fields: &[&str]) -> String {
    let answer = str::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    for field in head.split("\r\n").skip(1) {
        let (name, value) = field.split_once(": ").expect("a field");
        assert!(fields.contains(&name), "{field:?}");
        assert!(
            value
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        );
    }
    body.into()
}

/// Who is on a list of hosts is so by the bits of the address, written out one by one.
pub fn access(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for word in text.split_whitespace() {
        let Ok(Word::Hosts(hosts)) = Word::parse(word) else {
            continue;
        };
        for ip in neighbours(word) {
            let on = is_on(word, ip);
            let list = || vec![hosts.clone()];
            let asked = |allow, deny| {
                let admission = Admission::new(Lists { allow, deny }, None, None);
                admission.ask(Some(ip), 0, 0).is_ok()
            };
            assert_eq!(asked(Some(list()), Vec::new()), on, "{ip} on {word}");
            assert_eq!(asked(None, list()), !on, "{ip} not on {word}");
            assert!(!asked(Some(list()), list()), "{ip} on both");
        }
    }
}

/// The address in a word and those a bit away from it, and some others.
fn neighbours(word: &str) -> Vec<IpAddr> {
    let host = word.split(['/', '%']).next().unwrap_or_default();
    let digits: Vec<u8> = host
        .split('.')
        .map(|byte| byte.trim_matches(|c| "-*".contains(c)))
        .map(|byte| byte.split('-').next().unwrap_or_default())
        .map(|byte| byte.parse().unwrap_or_default())
        .collect();
    let mut found = vec![
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0; 16]),
        IpAddr::from([255; 4]),
        IpAddr::from([255; 16]),
    ];
    if let Ok(bytes) = <[u8; 4]>::try_from(digits) {
        for i in 0..4 {
            for value in [bytes[i].wrapping_sub(1), bytes[i], bytes[i].wrapping_add(1)] {
                let mut near = bytes;
                near[i] = value;
                found.push(near.into());
            }
        }
    }
    if let Ok(ip) = host.parse::<Ipv6Addr>() {
        found.push(ip.into());
        let away = |bit| IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() ^ (1_u128 << bit)));
        found.extend((0..128).map(away));
    }
    found
}

/// Whether an address is on a list of one word that is addresses.
fn is_on(word: &str, ip: IpAddr) -> bool {
    let (host, bits) = word.split_once('/').unwrap_or((word, ""));
    let host = host.split('%').next().unwrap_or_default();
    let written = |ip: Ipv6Addr| format!("{:0128b}", ip.to_bits());
    let wide = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let Ok(known) = host.parse::<IpAddr>() else {
        let IpAddr::V4(ip) = ip.to_canonical() else {
            return false;
        };
        return host.split('.').zip(ip.octets()).all(|(range, byte)| {
            let (from, to) = match range {
                "*" => ("", ""),
                range => range.split_once('-').unwrap_or((range, range)),
            };
            (from.is_empty() || from.parse::<u8>().is_ok_and(|from| from <= byte))
                && (to.is_empty() || to.parse::<u8>().is_ok_and(|to| byte <= to))
        });
    };
    let bits = match (bits.parse::<usize>(), known) {
        (Ok(bits), IpAddr::V4(_)) => 96 + bits,
        (Ok(bits), IpAddr::V6(_)) => bits,
        (Err(_), _) => 128,
    };
    // A prefix of all of IPv6 is of IPv6 alone.
    let apart = bits < 96 && ip.to_canonical().is_ipv4();
    !apart && written(wide(known))[..bits] == written(wide(ip))[..bits]
}

/// A line is said as it was typed, or not at all.
pub fn command(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.split('\n') {
        match understand(line) {
            Typed::Say(said) if line.starts_with("//") => assert_eq!(said, &line[1..]),
            Typed::Say(said) => {
                assert!(!line.starts_with('/'), "{line:?} was a mistyped command");
                assert_eq!(said, line);
            }
            Typed::Explain(_) => {
                let looks_so = !line.is_ascii() || line.contains(['/', '\\']);
                assert!(looks_so || is_private(line), "{line:?} is only text");
            }
            Typed::Do(command) => {
                assert!(line.starts_with('/') && !line.starts_with("//"));
                let whom = match command {
                    Command::Message { whom, text } => {
                        assert!(!text.is_empty() && line.trim_end_matches(' ').ends_with(text));
                        whom
                    }
                    Command::Name { whom, .. }
                    | Command::Kick { whom, .. }
                    | Command::Mute { whom, .. }
                    | Command::Ban {
                        from: Banned::Peer(whom),
                        ..
                    } => whom,
                    _ => continue,
                };
                let (_, arguments) = line.split_once(' ').unwrap_or_default();
                let arguments = arguments.trim_start_matches(' ');
                let label = arguments.strip_prefix('[');
                let label = label.and_then(|label| label.split_once(']'));
                let typed = label.map_or(arguments, |(label, _)| label);
                let typed = typed.split(' ').find(|word| !word.is_empty());
                let typed = typed.unwrap_or_default();
                let typed = typed.trim_end_matches([',', ':']);
                let is_right = match whom {
                    Whom::Number(number) => typed.parse() == Ok(number),
                    Whom::Label(number, name) => {
                        let is_in = label.is_some_and(|(label, _)| label.contains(name));
                        typed.parse() == Ok(number) && is_in && !name.is_empty()
                    }
                    Whom::Name(name) => typed == name && typed.parse::<u32>().is_err(),
                };
                assert!(is_right, "{line:?} is about somebody else");
            }
        }
    }
}

/// A stream is what was said, byte by byte; on a terminal every line is somebody's, and none acts;
/// what is dropped is counted.
pub fn screen(data: &[u8]) {
    let mut input = Input(data, FILLING);
    let mode = input.byte();
    let surface = match mode % 3 {
        0 => Surface::Stream,
        1 => Surface::Terminal,
        _ => Surface::RawTerminal,
    };
    let overflow = match mode & 0x80 {
        _ if surface.is_stream() => Overflow::Backpressure,
        0 => Overflow::Backpressure,
        _ => Overflow::LeaveOut,
    };
    let most = match overflow {
        Overflow::Backpressure => screen::HIGH_WATER,
        Overflow::LeaveOut => screen::LEAVES_OUT,
    };
    let mut screen = Screen::new(surface, overflow);
    let mut now = Instant::now();
    let (mut said, mut shown) = (Vec::<u8>::new(), Vec::<u8>::new());
    let mut said_by = [const { Vec::<u8>::new() }; 4];
    let mut longest = 0;
    for _ in 0..200 {
        if input.0.is_empty() {
            break;
        }
        now += Duration::from_millis(100);
        screen.judge(now);
        match input.byte() % 4 {
            0 => {
                let count = screen.front().len().min(input.piece().len());
                shown.extend(&screen.front()[..count]);
                screen.consume(count);
            }
            who => {
                let bytes = input.piece();
                if !screen.is_full() {
                    screen.show(u32::from(who), &format!("[{who}] "), &bytes);
                    said.extend(&bytes);
                    said_by[usize::from(who)].extend(bytes.iter().filter(|&&b| b != b'\n'));
                    longest = longest.max(bytes.len());
                }
            }
        }
        let waiting = screen.front().len();
        // The shortest lines are mostly label, and what is not text grows.
        assert!(waiting < most + 6 * longest + 32, "{waiting} wait");
    }
    while !screen.is_empty() {
        let front = screen.front().to_vec();
        screen.consume(front.len());
        shown.extend(front);
    }
    let dropped = screen.take_left_out();
    if !surface.is_stream() {
        let mut rows = Rows::default();
        rows.show(&shown);
        shown = rows.front().to_vec();
    }
    match surface {
        Surface::Stream | Surface::RawStream => {
            assert!(shown == said && dropped == 0, "not what was said");
        }
        Surface::Terminal => {
            let shown = String::from_utf8(shown).expect("text");
            assert!(is_safe(&shown), "it acts: {shown:?}");
            for line in shown.lines() {
                let labelled = ["[1] ", "[2] ", "[3] "].iter().any(|l| line.starts_with(l));
                assert!(labelled, "{line:?} is nobody's");
            }
        }
        Surface::RawTerminal if dropped > 0 => {}
        Surface::RawTerminal => {
            let mut shown_by = [const { Vec::<u8>::new() }; 4];
            for line in shown.split(|&byte| byte == b'\n') {
                if let [b'[', who @ b'1'..=b'3', b']', b' ', text @ ..] = line {
                    shown_by[usize::from(who - b'0')].extend(text);
                } else {
                    assert!(line.is_empty(), "{line:?} is nobody's");
                }
            }
            assert!(shown_by == said_by, "not what each has said");
        }
    }
}

/// Whatever a proxy answers: the conversation comes to the same end however it is cut, takes nothing
/// that is the destination's, and what is quoted of it is plain text.
pub fn proxy(data: &[u8]) {
    let mut input = Input(data, FILLING);
    let mode = input.byte();
    let kind = [Kind::Http, Kind::Socks4, Kind::Socks5][usize::from(mode) % 3];
    let login = (mode & 0x10 != 0).then(|| Login {
        user: String::from("ana"),
        password: String::from(if mode & 0x20 == 0 { "" } else { "secret" }),
    });
    let host = ["www.example.org", "192.0.2.1", "2001:db8::1"][usize::from(mode >> 6) % 3];
    let pieces = input.pieces();
    let converse = |pieces: &[Vec<u8>]| {
        let destination = Destination::new(host, 80).expect("a destination");
        let mut proxy = match Conversation::new(kind, destination, login.clone(), "ab12".into()) {
            Ok(proxy) => proxy,
            Err(refusal) => return (Vec::new(), Err(refusal), Vec::new()),
        };
        let mut sent = Vec::new();
        let greeting = Vec::new();
        for (i, piece) in std::iter::once(&greeting).chain(pieces).enumerate() {
            let mut input = &piece[..];
            for steps in 0.. {
                assert!(steps < 1000, "it never comes to an end");
                match proxy.step(&mut input) {
                    Ok(Step::Send(bytes)) => sent.extend(bytes),
                    Ok(Step::Read) => break,
                    Ok(step) => {
                        let rest = [input, &pieces[i..].concat()].concat();
                        return (sent, Ok(step), rest);
                    }
                    // Which sense it does not make may depend on how much is known of it.
                    Err(ProxyError::Nonsense(_)) => {
                        return (sent, Err(ProxyError::Nonsense("")), Vec::new());
                    }
                    Err(refusal) => return (sent, Err(refusal), Vec::new()),
                }
            }
            assert!(input.is_empty(), "something is left behind");
        }
        (sent, proxy.ended(), Vec::new())
    };
    let all = pieces.concat();
    let ended = converse(&pieces);
    match &ended {
        (_, Ok(Step::Done), rest) => assert!(all.ends_with(rest), "not the destination's"),
        (_, Err(ProxyError::Refused(reason) | ProxyError::NoAnswer(reason)), _) => {
            assert!(!reason.contains(is_unsafe), "{reason:?}");
        }
        _ => {}
    }
    assert_eq!(ended, converse(&[all]), "cuts do not matter");
}
