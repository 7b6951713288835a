//! The steady state allocates nothing: memory is taken when somebody joins or falls behind, not
//! when somebody speaks. And what is taken to understand one line grows with the line, whatever that
//! consists of: work that grows faster shows in it.

use std::io;
use std::io::IoSlice;
use std::time::Instant;

use muxnc::engine::chat::Chat;
use muxnc::engine::chat::Rules;
use muxnc::engine::command::begins_command;
use muxnc::engine::command::is_slip_before_message;
use muxnc::engine::command::may_become_command;
use muxnc::engine::command::understand;
use muxnc::engine::command::understand_garbled;
use muxnc::engine::escape::Escaper;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::private::is_private;
use muxnc::engine::request::has_word;
use muxnc::engine::request::request;
use muxnc::engine::request::tells_nothing;
use muxnc::engine::room::Label;
use muxnc::engine::room::Policy;
use muxnc::engine::room::Room;

const PEERS: usize = 100;

/// What the operator says in a turn: one line.
const TEACHER: [u8; 1024] = {
    let mut line = [b'x'; 1024];
    line[1023] = b'\n';
    line
};

fn room(relay: bool, chat: bool, history: usize) -> (Room, Instant) {
    let now = Instant::now();
    let mut room = Room::new(Policy {
        relay,
        label: Label::Auto,
        ..Policy::PLAIN
    });
    room.keep_history(history);
    if chat {
        room.open_chat(Chat::new(Rules::of("host"), false));
    }
    for key in 0..PEERS {
        room.join(key, now);
        room.acknowledged(key);
    }
    (room, now)
}

fn take(slices: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(slices.iter().map(|slice| slice.len()).sum())
}

/// One turn: the operator says something, every peer a line that is cut in two reads, everybody
/// is flushed and the screen is emptied.
fn turn(room: &mut Room, now: Instant) {
    room.typed(&TEACHER, now);
    for key in 0..PEERS {
        room.heard(key, b"a line of mo", now);
        room.heard(key, b"derate length\nand the next", now);
        room.heard(key, b"\n", now);
    }
    for key in 0..PEERS {
        room.flush(key, now, take).expect("taking cannot fail");
    }
    while !room.screen().is_empty() {
        let count = room.screen().front().len();
        room.screen_mut().consume(count);
    }
}

#[test]
fn a_turn_allocates_nothing() {
    for (relay, chat, history) in [
        (false, false, 0),
        (true, false, 0),
        (true, true, 0),
        (true, true, 100),
    ] {
        let (mut room, now) = room(relay, chat, history);
        // Enough turns to wrap every ring and reuse every segment.
        for _ in 0..200 {
            turn(&mut room, now);
        }
        let before = room.said();
        let counted = allocation_counter::measure(|| {
            for _ in 0..200 {
                turn(&mut room, now);
            }
        });
        assert!(room.said() > before + 100_000, "the turns said something");
        assert_eq!(
            counted.count_total, 0,
            "relay: {relay}, chat: {chat}, history: {history}: {counted:?}"
        );
    }
}

#[test]
fn the_count_counts() {
    // Without this the test above could pass because nothing is counted at all.
    let counted = allocation_counter::measure(|| drop(vec![0u8; 100]));
    assert_eq!(counted.count_total, 1);
}

/// What the rules of private lines and commands look for, and what they skip.
const PARTS: [&str; 91] = [
    "a",
    "m",
    "ms",
    "msg",
    "mgs",
    "msg ",
    "msg!",
    "msg#",
    "/",
    "//",
    "/m",
    "/msg",
    "/msg ",
    "/msg!",
    "/msg/",
    "/1",
    ".msg",
    "7msg",
    "\\",
    "\"",
    "'",
    "`",
    "(",
    "[",
    "]",
    "{",
    "<",
    "^",
    "@",
    "#",
    ".",
    ",",
    ":",
    "-",
    "!",
    " ",
    "x ",
    "x\u{ff0f}msg ",
    "/me ",
    ".nick ",
    "1",
    "0;",
    "\t",
    "ms\t",
    ".m\t",
    "\r",
    "^M",
    "\u{b}",
    "^K",
    "\u{85}",
    "<U+0085>",
    "\u{2028}",
    "<U+2028>",
    "<U+",
    "\0",
    "\u{200b}",
    "<U+200B>",
    "\u{301}",
    "\u{338}",
    "\u{fffd}",
    "\x1b",
    "\x1b[",
    "\x1bO",
    "\x1b]",
    "\x1bP",
    "\x1b[M",
    "\x1b[1;",
    "\x1b[<0",
    "\x1b[200~",
    "^[",
    "^[[",
    "^[O",
    "^[[M",
    "\u{8f}",
    "\u{9b}",
    "<U+009B>",
    "\x01",
    "x\x01",
    "\x08",
    "^?",
    "\x19",
    "x^Y",
    "m^C",
    "^^A",
    "\u{ff0f}",
    "\u{ff4d}",
    "\u{24a8}",
    "\u{24a8}\u{24ae}\u{24a2}#",
    "ьып",
    "ㅡ",
    "ทหเ",
];

/// Each byte of a line takes so many at most while the line is understood.
const TAKEN: u64 = 300;

/// One line of somebody who wants it to take long would stop the hub for everybody. Where work takes no memory, it
/// shows in the time alone: with a quadratic rule this runs for many minutes.
#[test]
fn what_a_line_takes_grows_with_it_whatever_it_consists_of() {
    let controls = ('\0'..' ').filter(|&control| control != '\n');
    let shown = |control| format!("^{}", char::from(control as u8 + b'@'));
    let shown = controls.clone().map(shown);
    let parts = PARTS.into_iter().map(String::from);
    for part in parts.chain(controls.map(String::from)).chain(shown) {
        understand_all("", &part, MAX_LINE);
        for other in ["^C", "\x1b", "/", "\t"] {
            understand_all("x", &[&part, other].concat(), MAX_LINE / 16);
        }
    }
}

/// What is done with a line that repeats a part, said by a participant of a chat and by the operator.
fn understand_all(before: &str, part: &str, length: usize) {
    let line = format!("{before}{}", part.repeat(length / part.len()));
    let mut shown = String::new();
    Escaper::default().escape(line.as_bytes(), &mut shown);
    let understood: [(&str, u64); 8] = [
        ("request", taken(|| request(&shown).is_some())),
        ("tells_nothing", taken(|| tells_nothing(&shown))),
        ("has_word", taken(|| has_word(&shown))),
        ("understand", taken(|| understand(&line) == understand(""))),
        (
            "understand_garbled",
            taken(|| understand_garbled(&line) == understand("")),
        ),
        ("is_private", taken(|| is_private(&line))),
        ("may_become_command", taken(|| may_become_command(&line))),
        ("begins_command", taken(|| begins_command(&line))),
    ];
    for (what, taken) in understood {
        let length = shown.len() as u64;
        assert!(
            taken <= TAKEN * length,
            "{what} takes {taken} for {length} of {before:?}, {part:?}"
        );
    }
}

/// A line may be typed that consists of Tabs, and each of them asks what is before it.
#[test]
fn what_a_tab_takes_does_not_grow_with_the_line() {
    for part in PARTS {
        let line = format!("{}ms", part.repeat(MAX_LINE / part.len()));
        let taken = taken(|| is_slip_before_message(&line));
        assert!(taken <= 512 * TAKEN, "{taken} for {part:?}");
    }
}

/// Bytes that are allocated meanwhile.
fn taken(act: impl FnOnce() -> bool) -> u64 {
    let counted = allocation_counter::measure(|| {
        std::hint::black_box(act());
    });
    counted.bytes_total
}
