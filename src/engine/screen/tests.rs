use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::engine::rows::Rows;

fn drain(screen: &mut Screen) -> Vec<u8> {
    let mut written = Vec::new();
    while !screen.is_empty() {
        let front = screen.front().to_vec();
        written.extend_from_slice(&front);
        screen.consume(front.len());
    }
    written
}

/// What of it is on a terminal that shows no bold.
fn shown(framed: &[u8]) -> String {
    let mut rows = Rows::default();
    rows.show(framed);
    String::from_utf8(rows.front().to_vec()).unwrap()
}

fn drain_rows(screen: &mut Screen) -> String {
    shown(&drain(screen))
}

#[test]
fn two_answers_without_an_end_do_not_become_one() {
    for (surface, expected) in [
        (Surface::Stream, &b"42\n43"[..]),
        (Surface::RawStream, &b"4243"[..]),
    ] {
        let mut screen = Screen::new(surface, Overflow::Backpressure);
        screen.show(1, "", b"4");
        screen.show(1, "", b"2");
        screen.abandon(1);
        screen.show(2, "", b"43");
        screen.abandon(2);
        assert_eq!(drain(&mut screen), expected);
    }
    // What was ended needs no other end, and who goes on, goes on.
    let mut screen = Screen::new(Surface::Stream, Overflow::Backpressure);
    screen.show(1, "", b"one\n");
    screen.abandon(1);
    screen.show(2, "", b"tw");
    screen.show(2, "", b"o\n");
    assert_eq!(drain(&mut screen), b"one\ntwo\n");
}

#[test]
fn a_stream_gets_exactly_what_was_said() {
    let mut screen = Screen::new(Surface::Stream, Overflow::Backpressure);
    screen.show(1, "", b"half");
    screen.show(2, "", b"other\n");
    assert_eq!(drain(&mut screen), b"halfother\n");
}

#[test]
fn on_a_terminal_nobody_continues_anothers_line() {
    let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
    screen.show(1, "", b"ha");
    screen.show(1, "", b"lf");
    screen.show(2, "", b"other\n");
    screen.show(1, "", b"more\n");
    assert_eq!(drain_rows(&mut screen), "half\nother\nmore\n");
}

#[test]
fn on_a_terminal_a_row_ends_with_its_speaker() {
    let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
    screen.show(1, "[1] ", b"42 \xe2");
    screen.abandon(2);
    screen.abandon(1);
    screen.abandon(1);
    assert!(!screen.is_midline());
    assert_eq!(drain_rows(&mut screen), "[1] 42 \u{fffd}\n");
}

#[test]
fn where_the_terminal_echoes_no_row_with_a_label_waits_for_its_end() {
    let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
    assert!(screen.shows_beginnings("[1] "));
    screen.expect_echo();
    assert!(!screen.shows_beginnings("[1] "));
    assert!(screen.shows_beginnings(""));
    screen.show(1, "[1] ", b"a piece");
    screen.show(1, "[1] ", b" of a long line");
    screen.end_piece(1, "[1] ");
    assert!(!screen.is_midline());
    screen.show(1, "[1] ", b" and its end\n");
    screen.show(2, "", b"name: ");
    screen.end_piece(2, "");
    let rows = "[1] a piece of a long line\n[1]  and its end\nname: ";
    assert_eq!(drain_rows(&mut screen), rows);
    // A pipe shows nothing of itself.
    let mut stream = Screen::new(Surface::Stream, Overflow::Backpressure);
    stream.expect_echo();
    stream.show(1, "", b"name: ");
    assert_eq!(drain(&mut stream), b"name: ");
}

#[test]
fn every_line_has_its_label_and_none_can_be_forged() {
    let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
    screen.show(1, "[1] ", b"one\ntwo\n\r[2] forged\n");
    screen.show(2, "[2] ", b"un");
    screen.show(2, "[2] ", b"finished \xe2\x98");
    screen.show(1, "[1] ", b"\x1b[2Jthree\n");
    assert_eq!(
        drain_rows(&mut screen),
        "[1] one\n[1] two\n[1] ^M[2] forged\n[2] unfinished \u{fffd}\n[1] ^[[2Jthree\n"
    );
}

#[test]
fn a_character_may_come_in_pieces() {
    let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
    for byte in "[\u{2603}]\r\n".as_bytes() {
        screen.show(1, "", &[*byte]);
    }
    assert_eq!(drain_rows(&mut screen), "[\u{2603}]\n");
}

#[test]
fn what_is_held_of_one_speaker_is_never_anothers() {
    for (held, shown) in [(&b"one\n\r"[..], "^M"), (b"one\n\xe2\x98", "\u{fffd}")] {
        let mut screen = Screen::new(Surface::Terminal, Overflow::Backpressure);
        screen.show(1, "[1] ", held);
        screen.show(2, "[2] ", b"\x83\ntwo\n");
        assert_eq!(
            drain_rows(&mut screen),
            format!("[1] one\n[1] {shown}\n[2] \u{fffd}\n[2] two\n")
        );
    }
}

#[test]
fn a_raw_terminal_gets_the_bytes_and_whole_lines() {
    let mut screen = Screen::new(Surface::RawTerminal, Overflow::Backpressure);
    screen.show(1, "", b"\x1b[1mbold\xff");
    screen.show(2, "", b"other\n");
    let mut rows = Rows::default();
    rows.show(&drain(&mut screen));
    assert_eq!(rows.front(), b"\x1b[1mbold\xff\nother\n");
}

#[test]
fn full_holds_until_low_water() {
    let mut screen = Screen::new(Surface::Stream, Overflow::Backpressure);
    screen.show(1, "", &[b'x'; HIGH_WATER]);
    assert!(screen.is_full());
    screen.consume(HIGH_WATER - LOW_WATER - 1);
    assert!(screen.is_full());
    screen.consume(1);
    assert!(!screen.is_full());
}

/// A screen that leaves lines out, and for which nobody waits any more.
fn given_up() -> Screen {
    let mut screen = Screen::new(Surface::Terminal, Overflow::LeaveOut);
    let start = Instant::now();
    screen.show(9, "", &b"before\n".repeat(LEAVES_OUT / 8));
    screen.judge(start);
    screen.show(9, "", &b"\n".repeat(1024));
    for after in [Duration::ZERO, PATIENCE] {
        screen.judge(start + after);
    }
    assert!(screen.deadline().is_none());
    while screen.queue.len() > GOES_ON + 1 {
        screen.consume(screen.queue.len() - GOES_ON - 1);
    }
    screen
}

#[test]
fn leaves_out_whole_lines_oldest_first_and_counts_them() {
    let mut screen = given_up();
    let lines = 40_000;
    for i in 0..lines {
        screen.show(1, "", format!("line {i}\n").as_bytes());
    }
    assert!(!screen.is_full());
    assert!(screen.queue.held() < LEAVES_OUT);
    assert_eq!(screen.take_left_out(), 0, "told before the screen goes on");
    let shown = drain_rows(&mut screen);
    let shown: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("line"))
        .collect();
    assert!(screen.left_out > 0);
    let first = lines - shown.len();
    for (i, line) in shown.iter().enumerate() {
        assert_eq!(*line, format!("line {}", first + i));
    }
    let told = screen.take_left_out();
    let before = (LEAVES_OUT / 8 + 1024) as u64;
    assert!(
        told > first as u64 && told < first as u64 + before,
        "{told}"
    );
    assert_eq!(screen.take_left_out(), 0, "told once");
}

/// Who is waited for loses nothing; who said little loses nothing to who floods, before and behind it.
#[test]
fn who_said_little_loses_nothing_to_who_floods() {
    let mut screen = given_up();
    let flood = b"flood flood flood\n".repeat(100);
    for i in 0..500 {
        screen.show(1, "[1] ", &flood);
        if i % 25 == 0 {
            screen.show(2, "[2] ", format!("question {i}\n").as_bytes());
            screen.show(3, "[3] ", b"an answer\n");
        }
    }
    assert!(screen.queue.held() < LEAVES_OUT);
    let shown = drain_rows(&mut screen);
    let asked: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("[2]"))
        .collect();
    let expected: Vec<String> = (0..20)
        .map(|i| format!("[2] question {}", 25 * i))
        .collect();
    assert_eq!(asked, expected);
    assert_eq!(shown.matches("[3] an answer\n").count(), 20);
    let floods = shown.matches("[1] flood flood flood\n").count();
    assert!(floods > 1000, "{floods} lines are left");
}

#[test]
fn a_terminal_is_waited_for_before_lines_are_left_out() {
    let mut screen = Screen::new(Surface::Terminal, Overflow::LeaveOut);
    let line = [b'x'; 4096];
    let mut now = Instant::now();
    screen.judge(now);
    let mut said = 0;
    while !screen.is_full() {
        screen.show(1, "", &line);
        said += 1;
    }
    assert!(said * line.len() + line.len() >= LEAVES_OUT);
    // It takes what it is given, a little later, again and again.
    for _ in 0..20 {
        screen.judge(now);
        now += Duration::from_millis(20);
        assert!(screen.deadline().is_some_and(|at| at > now));
        while screen.is_full() {
            screen.consume(LEAVES_OUT / 16);
        }
        screen.judge(now);
        while !screen.is_full() {
            screen.show(1, "", &line);
        }
    }
    assert_eq!(screen.left_out, 0);
    // Now it takes nothing.
    screen.judge(now);
    screen.judge(now + STUCK);
    assert!(!screen.is_full());
    for _ in 0..100 {
        screen.show(1, "", &line);
        assert!(screen.queue.held() < LEAVES_OUT + 2 * line.len());
    }
    assert!(screen.left_out > 0);
    drain(&mut screen);
    screen.judge(now + 2 * STUCK);
    assert!(!screen.is_full() && screen.patience.waits());
}

/// While it is waited for, what comes unasked has a bound, too.
#[test]
fn what_nobody_waits_with_is_bounded() {
    let mut screen = Screen::new(Surface::Terminal, Overflow::LeaveOut);
    for who in 0..10_000 {
        screen.show(who, "", &[b'x'; 200]);
    }
    assert!(screen.queue.held() < 2 * LEAVES_OUT + PIECE);
}

#[test]
fn an_endless_line_does_not_grow_a_screen_that_leaves_out() {
    for taken in [0, 1] {
        let mut screen = given_up();
        for _ in 0..100 {
            screen.show(1, "", &[b'x'; 10_000]);
            screen.consume(taken);
            assert!(screen.queue.held() < LEAVES_OUT);
        }
        let least = LEAVES_OUT / 2 - 2 * PIECE;
        assert!(screen.queue.len() > least, "its latest part");
    }
}

/// Wherever the cut is, also in a label or in a character, and however much of the line was taken.
#[test]
fn what_is_left_of_an_endless_line_begins_with_its_label() {
    for (taken, size) in [
        (0, 9_999),
        (1, 10_000),
        (3, 10_001),
        (5, 9_998),
        (9, 10_002),
    ] {
        let mut screen = given_up();
        drain(&mut screen);
        screen.left_out = 0;
        let piece = "\u{65e5}".repeat(size / 3);
        screen.show(1, "[1] ", piece.as_bytes());
        let mut written = screen.front()[..taken].to_vec();
        screen.consume(taken);
        for _ in 0..40 {
            screen.show(1, "[1] ", piece.as_bytes());
        }
        screen.show(1, "[1] ", b"end\n");
        assert!(screen.left_out > 0);
        written.extend(drain(&mut screen));
        let rows = shown(&written);
        let rows: Vec<&str> = rows.lines().collect();
        assert!(
            rows.last().unwrap().starts_with("[1] ... \u{65e5}"),
            "{taken}"
        );
        assert!(rows.iter().all(|row| row.starts_with("[1] ")), "{taken}");
        assert!(rows.last().unwrap().ends_with("\u{65e5}end"));
    }
}

/// What is said, who says it, and how much of what waits is taken then, in hundredths.
fn step() -> impl Strategy<Value = (u32, Vec<usize>, u8)> {
    let lengths = prop::collection::vec(prop_oneof![4 => 0..80_usize, 1 => 0..60_000_usize], 1..6);
    (1..6_u32, lengths, 0..100_u8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whoever says what, and however little is taken: each row is somebody's, each speaker's lines stay in
    /// order, the latest of each is there, and what lacks is counted.
    #[test]
    fn what_is_left_is_the_latest_of_each(steps in prop::collection::vec(step(), 1..120)) {
        let mut screen = given_up();
        drain(&mut screen);
        screen.left_out = 0;
        let (mut said, mut shown, mut last) = (0, Vec::new(), [0; 6]);
        for (who, lengths, taken) in steps {
            for length in lengths {
                said += 1;
                last[who as usize] = said;
                let line = format!("{said} {}.\n", "x".repeat(length));
                screen.show(who, &format!("[{who}] "), line.as_bytes());
                prop_assert!(screen.queue.held() < LEAVES_OUT + PIECE);
            }
            let count = screen.front().len() * usize::from(taken) / 3000;
            shown.extend(&screen.front()[..count]);
            screen.consume(count);
        }
        shown.extend(drain(&mut screen));
        let rows = self::shown(&shown);
        let (mut seen, mut latest, mut whole) = ([0; 6], [0; 6], 0);
        for row in rows.lines() {
            let who = row.strip_prefix('[').and_then(|row| row.split_once("] "));
            let Some((who, text)) = who else {
                return Err(TestCaseError::fail(format!("{row:?} is nobody's")));
            };
            let who: usize = who.parse().unwrap();
            let number = text.split(' ').next().and_then(|word| word.parse().ok());
            let is_whole = text.ends_with('.') && !text.starts_with("...");
            if let Some(number) = number.filter(|_| is_whole) {
                prop_assert!(number > seen[who], "{number} of {who} after {}", seen[who]);
                seen[who] = number;
                whole += 1;
            }
            // Of the rest of a line it does not show which it is.
            latest[who] = match text.strip_prefix("...") {
                Some(rest) if rest.ends_with('.') => last[who],
                _ => seen[who],
            };
        }
        prop_assert_eq!(latest, last, "the latest of each");
        prop_assert_eq!(whole + screen.left_out, said);
    }
}

#[test]
fn a_pipe_that_wants_the_bytes_as_they_are_loses_none() {
    let mut screen = Screen::new(Surface::RawStream, Overflow::Backpressure);
    screen.show(1, "[1] ", b"a\x1fb\x1ec");
    assert_eq!(drain(&mut screen), b"a\x1fb\x1ec");
}

#[test]
fn a_closed_screen_keeps_nothing() {
    let mut screen = Screen::new(Surface::Stream, Overflow::Backpressure);
    screen.show(1, "", &[b'x'; HIGH_WATER]);
    screen.close();
    screen.show(1, "", b"more");
    assert!(screen.is_empty() && !screen.is_full());
}
