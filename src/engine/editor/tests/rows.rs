//! The row that the line is drawn on.

use unicode_width::UnicodeWidthStr;

use super::Editor;
use super::feed;
use crate::engine::editor::row::draw as draw_row;

/// What `draw` appends for the line that `keys` make.
fn row(keys: &str, prompt: &str, columns: u16) -> String {
    let mut editor = Editor::new();
    feed(&mut editor, &[keys.as_bytes()]);
    let mut out = Vec::new();
    editor.draw("", prompt, columns, &mut out);
    let out = String::from_utf8(out).unwrap();
    let row = out.strip_prefix("\x1b[?7l").expect("wrapping is off");
    let row = row.strip_suffix("\x1b[?7h").expect("it is on again");
    row.to_owned()
}

#[test]
fn the_row_has_the_prompt_the_line_and_the_cursor() {
    assert_eq!(row("", "> ", 80), "\r> \x1b[K\x1b[J");
    assert_eq!(row("hello", "> ", 80), "\r> hello\x1b[K\x1b[J");
    assert_eq!(
        row("hello\x02\x02", "> ", 80),
        "\r> hello\x1b[K\x1b[J\r> hel"
    );
    assert_eq!(row("日本\x02", "", 80), "\r日本\x1b[K\x1b[J\r日");
}

#[test]
fn the_row_leaves_the_last_column_free_and_marks_what_is_out_of_sight() {
    assert_eq!(row("123456789", "", 10), "\r123456789\x1b[K\x1b[J");
    assert_eq!(row("1234567890", "", 10), "\r<34567890\x1b[K\x1b[J");
    assert_eq!(row("1234567890\x01", "", 10), "\r12345678>\x1b[K\x1b[J\r");
    assert_eq!(
        row("abcdefghijkl\x02\x02\x02\x02\x02", "", 10),
        "\rabcdefgh>\x1b[K\x1b[J\rabcdefg"
    );
    assert_eq!(row("日本日本日", "", 10), "\r<本日本日\x1b[K\x1b[J");
    assert_eq!(row("x", "a long prompt: ", 13), "\r<rompt: x\x1b[K\x1b[J");
}

#[test]
fn the_row_follows_the_cursor_with_something_ahead_of_it_in_sight() {
    let keys = format!("abcdefghijklmnopqrstuvwxyz{}", "\x02".repeat(13));
    assert_eq!(
        row(&keys, "", 14),
        "\r<efghijklmno>\x1b[K\x1b[J\r<efghijklm"
    );
    assert_eq!(
        row(&keys, "> ", 14),
        "\r> <fghijklmn>\x1b[K\x1b[J\r> <fghijklm"
    );
}

#[test]
fn the_row_is_something_on_the_narrowest_screen() {
    for columns in 0..8 {
        for keys in ["", "hello", "hello\x01", "日本\x02"] {
            check_row("login: ", keys, keys.len().min(3), columns);
        }
    }
    assert_eq!(row("hello", "> ", 0), "\r\x1b[K\x1b[J");
    assert_eq!(row("hello", "> ", 1), "\r\x1b[K\x1b[J");
}

#[test]
fn the_row_spells_out_what_must_not_go_to_a_terminal() {
    assert_eq!(
        row("\x16\x1b]0;x\x16\x07\x16\t\x16\x7f\u{9b}a\u{202e}b", "", 80),
        "\r^[]0;x^G^I^?<U+009B>a<U+202E>b\x1b[K\x1b[J"
    );
    assert_eq!(
        row("", "\x1b[2Jlogin:\n ", 80),
        "\r^[[2Jlogin:^J \x1b[K\x1b[J"
    );
    assert_eq!(
        row("\u{301}a\u{301}", "> ", 80),
        "\r> <U+0301>a\u{301}\x1b[K\x1b[J"
    );
    assert_eq!(row("👩\u{200d}👧", "", 80), "\r👩\u{200d}👧\x1b[K\x1b[J");
    let tower = format!("a{}b", "\u{301}".repeat(1000));
    assert_eq!(row(&tower, "", 80), "\r\u{fffd}b\x1b[K\x1b[J");
}

#[test]
fn the_row_never_cuts_a_character_in_two() {
    assert_eq!(row("🇫🇷\x01🇩", "", 80), "\r🇩🇫🇷\x1b[K\x1b[J\r🇩🇫");
    assert_eq!(
        row("👦\x01👩\u{200d}", "", 80),
        "\r👩\u{200d}👦\x1b[K\x1b[J"
    );
}

/// Draws and checks what holds for every row; that it stays one row whatever the terminal believes is
/// tested where rows are.
pub(super) fn check_row(prompt: &str, text: &str, cursor: usize, columns: u16) {
    let mut out = Vec::new();
    draw_row("", prompt, text, cursor, columns, &mut out);
    let out = String::from_utf8(out).unwrap();
    let inside = out.strip_prefix("\x1b[?7l\r").unwrap();
    let inside = inside.strip_suffix("\x1b[?7h").unwrap();
    let (shown, again) = inside.split_once("\x1b[K\x1b[J").unwrap();
    // The cursor is put back by what stands before it.
    assert!(again.is_empty() || shown.starts_with(&again[1..]));
    assert!(!shown.contains(char::is_control), "{shown:?}");
    assert!(
        !shown.contains(crate::engine::escape::is_unsafe),
        "{shown:?}"
    );
    // What is joined where two parts meet is drawn as one, wider or narrower by a cell or two.
    let room = usize::from(columns).saturating_sub(1);
    assert!(
        shown.width() <= room + 3,
        "{shown:?} of {} in {room}",
        shown.width()
    );
}

#[test]
fn a_label_is_whole_or_nothing_of_its_line_is_there() {
    let draw = |columns| {
        let mut out = Vec::new();
        draw_row(
            "\x1b[1m[1]\x1b[0m ",
            "name: [Ana] ",
            "x",
            1,
            columns,
            &mut out,
        );
        String::from_utf8(out).unwrap()
    };
    assert!(draw(80).contains("\r\x1b[1m[1]\x1b[0m name: [Ana] x"));
    assert!(
        draw(15).contains("\r\x1b[1m[1]\x1b[0m <Ana] x"),
        "{:?}",
        draw(15)
    );
    assert!(draw(5).contains("\rx"));
}
