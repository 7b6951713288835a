//! Rows on a terminal emulator that has autowrap and a table of widths of its own.

mod reflow;

use proptest::prelude::*;
use unicode_width::UnicodeWidthChar;

use super::*;
use crate::engine::screen::Overflow;
use crate::engine::screen::Screen;
use crate::engine::screen::Surface;

/// How wide a terminal believes a character to be.
type Table = fn(char) -> usize;

/// Each character by itself, as the emulator's own table has it: an emoji and its skin tone are four.
fn each(letter: char) -> usize {
    letter.width().unwrap_or(0)
}

/// That of an old terminal in East Asia: what is no ASCII is wide, also what joins and marks.
fn wide(letter: char) -> usize {
    match letter.is_ascii() {
        true => 1,
        false => 2,
    }
}

/// That of one that knows nothing of wide characters.
fn narrow(letter: char) -> usize {
    usize::from(letter.width() != Some(0))
}

/// Whose a character on the screen is.
const TYPED: char = 't';
const PROGRAM: char = 'p';
const STRANGER: char = 's';

/// A terminal that wraps only where it is told to, and looks at what is written to it.
struct Terminal {
    parser: vt100::Parser,
    table: Table,
    wraps: bool,
    bold: bool,
    /// The next character is the first of a row that the program began.
    begins: bool,
}

impl Terminal {
    fn new(columns: u16, table: Table) -> Terminal {
        Terminal {
            parser: vt100::Parser::new(cells(40), cells(columns), 0),
            table,
            wraps: true,
            bold: false,
            begins: true,
        }
    }

    /// Takes what waits. Strangers say capitals and what is not ASCII, the program and its operator
    /// lower case, and what is being typed is Greek.
    fn take(&mut self, rows: &mut Rows) {
        let text = String::from_utf8(rows.front().to_vec()).expect("text");
        rows.consume(text.len());
        let mut rest = text.as_str();
        while let Some(letter) = rest.chars().next() {
            let sequence = [
                "\x1b[?7l", "\x1b[?7h", "\x1b[1m", "\x1b[0m", "\x1b[K", "\x1b[J", "\t", "\r", "\n",
            ];
            match sequence
                .iter()
                .find(|sequence| rest.starts_with(**sequence))
            {
                Some(sequence) => {
                    self.obey(sequence);
                    rest = &rest[sequence.len()..];
                }
                None => {
                    assert!(!letter.is_control(), "{rest:?}");
                    self.show(letter);
                    rest = &rest[letter.len_utf8()..];
                }
            }
        }
        assert!(self.wraps, "wrapping is on again");
        assert!(!self.bold);
    }

    fn obey(&mut self, sequence: &str) {
        match sequence {
            "\x1b[?7l" => return self.wraps = false,
            "\x1b[?7h" => return self.wraps = true,
            "\x1b[1m" => self.bold = true,
            "\x1b[0m" => self.bold = false,
            "\n" => {
                self.begins = true;
                self.parser.process(b"\r");
            }
            "\x1b[K" | "\x1b[J" => self.begins = true,
            _ => {}
        }
        self.parser.process(sequence.as_bytes());
    }

    fn show(&mut self, letter: char) {
        let is_greek = ('\u{3b1}'..='\u{3c9}').contains(&letter);
        let is_marker = "<>. ".contains(letter);
        let class = match letter {
            _ if is_greek => TYPED,
            _ if letter.is_ascii() && !letter.is_ascii_uppercase() => PROGRAM,
            _ => STRANGER,
        };
        if self.wraps {
            assert!(
                !mem::take(&mut self.begins) || self.bold,
                "a row begins with {letter:?}"
            );
            assert!(!is_greek || self.bold, "what is being typed is drawn only");
        }
        assert!(
            class != STRANGER || !self.bold,
            "bold {letter:?} of a stranger"
        );
        let width = (self.table)(letter);
        if width == 0 {
            return;
        }
        let screen = self.parser.screen();
        let (columns, at) = (screen.size().1.get(), screen.cursor_position().1);
        if !self.wraps && at + width as u16 > columns {
            let last = columns + 1 - (width as u16).min(columns);
            self.parser.process(format!("\x1b[{last}G").as_bytes());
        }
        let stand_in = match (class, width) {
            _ if is_marker => letter,
            (_, 2) => char::from_u32(u32::from(class) + 0xfee0).unwrap(),
            _ => class,
        };
        self.parser.process(stand_in.to_string().as_bytes());
    }

    fn resize(&mut self, columns: u16) {
        self.parser.screen_mut().set_size(cells(40), cells(columns));
    }

    /// What somebody else writes meanwhile.
    fn interrupt(&mut self, text: &str) {
        self.parser.process(text.as_bytes());
    }

    fn rows(&self) -> Vec<String> {
        let screen = self.parser.screen();
        screen.rows(0, screen.size().1.get()).collect()
    }

    fn row(&self) -> usize {
        self.parser.screen().cursor_position().0.into()
    }
}

fn cells(count: u16) -> std::num::NonZero<u16> {
    std::num::NonZero::new(count).unwrap()
}

fn typing(text: &str) -> Editor {
    let mut editor = Editor::new();
    let mut keys = text.as_bytes();
    assert_eq!(editor.next(&mut keys), None);
    editor
}

fn written(rows: &mut Rows) -> String {
    let text = String::from_utf8(rows.front().to_vec()).unwrap();
    rows.consume(text.len());
    text
}

fn framed(lines: &[(&str, &str)]) -> Vec<u8> {
    let lines = lines
        .iter()
        .map(|(label, text)| format!("{label}\x1f{text}"));
    lines.collect::<String>().into_bytes()
}

#[test]
fn a_notice_interrupts_a_line_and_the_rest_has_its_label() {
    let mut rows = Rows::new(true, false);
    rows.show(&framed(&[("[1] ", " ")]));
    rows.notice(b"muxnc: [2] joined\nand more\n", Some(80));
    rows.show(b"[Ana] I give up\n");
    rows.show(&framed(&[("[2] ", "hello\n")]));
    assert_eq!(
        written(&mut rows),
        "[1]  \n\x1b[1mmuxnc:\x1b[0m [2] joined\n\x1b[1mand more\x1b[0m\n\
         [1] \x1b[1m... \x1b[0m[Ana] I give up\n[2] hello\n"
    );
    // Its end alone is no row.
    rows.show(&framed(&[("[1] ", "x")]));
    rows.notice(b"muxnc: y\n", Some(80));
    rows.show(b"\n");
    rows.show(&framed(&[("[1] ", "\n")]));
    assert_eq!(written(&mut rows), "[1] x\n\x1b[1mmuxnc:\x1b[0m y\n[1] \n");
}

#[test]
fn a_long_line_goes_on_behind_its_label() {
    let mut rows = Rows::new(false, false);
    rows.set_editing(true);
    let long = "x".repeat(LONGEST_PROMPT + 1);
    rows.show(&framed(&[("[1] ", &long)]));
    rows.show(b"[2] forged\n");
    assert_eq!(
        written(&mut rows),
        format!("[1] {long}\n[1] ... [2] forged\n")
    );
}

#[test]
fn what_was_typed_ends_the_line_before_it() {
    let mut rows = Rows::new(true, false);
    rows.set_editing(true);
    rows.say(b"welcome\nlogin: ");
    rows.draw(&typing("bob"), 80);
    assert!(written(&mut rows).ends_with("\rlogin: bob\x1b[K\x1b[J\x1b[?7h"));
    rows.typed("bob");
    rows.say(b"password: ");
    rows.draw(&Editor::new(), 80);
    assert_eq!(
        written(&mut rows),
        "\r\x1b[K\x1b[Jlogin: \x1b[1mbob\x1b[0m\n\x1b[?7l\rpassword: \x1b[K\x1b[J\x1b[?7h"
    );
    // The same where the terminal shows what is typed.
    let mut rows = Rows::new(false, false);
    rows.show(&framed(&[("[1] ", "name: ")]));
    rows.echoed(true);
    rows.show(b"[2] forged\n");
    assert_eq!(written(&mut rows), "[1] name: [1] [2] forged\n");
    // And where it was handed over by Ctrl-D.
    rows.echoed(false);
    rows.show(&framed(&[("[2] ", "hello\n")]));
    rows.echoed(false);
    rows.notice(b"muxnc: told\n", None);
    assert_eq!(written(&mut rows), "\n[2] hello\n\nmuxnc: told\n");
}

#[test]
fn no_line_that_was_typed_stays_behind_a_label() {
    let mut rows = Rows::new(false, false);
    rows.set_editing(true);
    rows.show(&framed(&[("[2] ", "my answer")]));
    rows.draw(&typing("Good"), 80);
    assert!(written(&mut rows).contains("\r[2] my answerGood\x1b[K"));
    rows.typed("Good");
    assert_eq!(written(&mut rows), "\r\x1b[K\x1b[J[2] my answer\nGood\n");
    rows.draw(&typing("More"), 80);
    assert!(written(&mut rows).contains("\rMore\x1b[K"));
    rows.typed("More");
    assert!(written(&mut rows).ends_with("\r\x1b[K\x1b[JMore\n"));
    rows.show(b" is 42\n");
    assert_eq!(written(&mut rows), "[2] ...  is 42\n");
}

#[test]
fn what_may_be_there_after_a_stop_is_erased_before_anything_is_shown() {
    let mut rows = Rows::new(true, false);
    rows.set_editing(true);
    rows.draw(&typing("half"), 80);
    written(&mut rows);
    rows.lose();
    rows.say(b"said meanwhile\n");
    assert_eq!(written(&mut rows), "\r\x1b[K\x1b[Jsaid meanwhile\n");
}

#[test]
fn rows_above_the_cursors_are_the_terminals_to_find() {
    for (goes_back, erased) in [
        (true, "\r\x08\r\x08\r\x08\r\x1b[K\x1b[J"),
        (false, "\r\x1b[K\x1b[J"),
    ] {
        let mut rows = Rows::new(true, goes_back);
        rows.set_editing(true);
        rows.draw(&typing("half a line"), 80);
        written(&mut rows);
        rows.say(b"said\n");
        assert_eq!(written(&mut rows), format!("{erased}said\n"));
    }
    // Of what somebody else may have written it is none of ours.
    let mut rows = Rows::new(true, true);
    rows.set_editing(true);
    rows.draw(&typing("half a line"), 80);
    written(&mut rows);
    rows.lose();
    rows.say(b"said\n");
    assert_eq!(written(&mut rows), "\r\x1b[K\x1b[Jsaid\n");
}

#[test]
fn a_notice_fits_the_terminal() {
    let mut rows = Rows::new(true, false);
    rows.notice(
        b"muxnc: one two three four five\n  what to do about all of that\none two three four five six\n",
        Some(22),
    );
    assert_eq!(
        written(&mut rows),
        "\x1b[1mmuxnc:\x1b[0m one two three\n\x1b[1m     :\x1b[0m four five\n\
         \x1b[1m  what to do about all\x1b[0m\n\x1b[1m  of that\x1b[0m\n\
         \x1b[1mone two three four\x1b[0m\n\x1b[1m  five six\x1b[0m\n"
    );
    // What is no terminal gets whole lines, and in the narrowest no row is empty.
    let long = "word ".repeat(100);
    let line = format!("muxnc: {}\n", long.trim_end());
    rows.notice(line.as_bytes(), None);
    assert_eq!(
        written(&mut rows),
        line.replace("muxnc:", "\x1b[1mmuxnc:\x1b[0m")
    );
    rows.notice(line.as_bytes(), Some(1));
    let narrow = written(&mut rows);
    assert!(
        narrow.lines().all(|row| row.ends_with(" word word")),
        "{narrow}"
    );
}

/// Whatever a notice quotes, and wherever it is broken.
#[test]
fn no_row_but_the_first_begins_as_a_notice_does() {
    for columns in 20..100 {
        for padding in 0..100 {
            let mut rows = Rows::new(true, false);
            let quoted = "x".repeat(padding) + "_[2]_left muxnc: [2] left * Ana left";
            let lines = format!("muxnc: {quoted}\n{quoted}\n  {quoted}\n");
            rows.notice(lines.as_bytes(), Some(columns));
            let shown = written(&mut rows)
                .replace("\x1b[1m", "")
                .replace("\x1b[0m", "");
            let (_, after) = shown.split_once('\n').unwrap();
            let begins = |row: &str| row.starts_with(|c: char| !c.is_whitespace());
            let beginnings = after.lines().filter(|row| begins(row)).count();
            assert_eq!(beginnings, 1, "{columns}: {shown}");
        }
    }
}

#[test]
fn the_end_shows_what_nobody_ended_and_leaves_an_empty_row() {
    let mut rows = Rows::new(true, false);
    rows.set_editing(true);
    rows.say(b"goodbye");
    rows.draw(&typing("half"), 80);
    written(&mut rows);
    rows.finish();
    assert_eq!(written(&mut rows), "\r\x1b[K\x1b[Jgoodbye\n");
    rows.finish();
    assert_eq!(written(&mut rows), "");
}

#[test]
fn a_progress_row_is_never_behind_a_line_that_is_open() {
    let mut rows = Rows::new(true, false);
    rows.progress("10 %");
    rows.notice(b"muxnc: x\n", Some(80));
    assert_eq!(
        written(&mut rows),
        "\r\x1b[K\x1b[J10 %\r\x1b[K\x1b[J\x1b[1mmuxnc:\x1b[0m x\n"
    );
    rows.say(b"open");
    rows.progress("20 %");
    assert_eq!(written(&mut rows), "open");
}

#[test]
fn a_progress_row_is_marked_as_the_programs() {
    let mut rows = Rows::new(true, false);
    rows.progress("muxnc: 10 %");
    assert_eq!(
        written(&mut rows),
        "\r\x1b[K\x1b[J\x1b[1mmuxnc:\x1b[0m 10 %"
    );
}

/// What a skin tone does to a row that just fits: the terminal counts two cells more than we do.
#[test]
fn a_row_of_disputed_width_is_one_row() {
    for table in [each as Table, wide, narrow] {
        for columns in [10, 20, 21, 40] {
            let mut terminal = Terminal::new(columns, table);
            let mut rows = Rows::new(true, false);
            rows.set_editing(true);
            let text = format!(
                "{}\u{1f44d}\u{1f3fd}\u{2764}\u{fe0f}{}",
                "\u{3b1}".repeat(15),
                "\u{3b2}".repeat(9)
            );
            let mut typed = String::new();
            for letter in text.chars() {
                typed.push(letter);
                // No stranger's: it is drawn, and not bold.
                rows.draw(&typing(&typed), columns);
                terminal.take(&mut rows);
                assert_eq!(terminal.row(), 0, "{columns}: {:?}", terminal.rows());
                assert!(terminal.rows()[1..].iter().all(String::is_empty));
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Somebody says something.
    Hear(u32, String),
    Notice,
    Key(String),
    Enter,
    Draw,
    Resize(u16),
    /// Stopped and brought back, with or without a shell between.
    Stop(bool),
    /// In the background, so that no line is edited, and back again.
    Edit(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let letters = prop::sample::select(vec![
        "A",
        "HELLO WORLD ",
        "\n",
        "\n",
        "\r",
        "\u{65e5}\u{672c}",
        "E\u{301}",
        "\u{200d}",
        "\u{1f44d}\u{1f3fd}",
        "\u{2764}\u{fe0f}",
        "\u{fe0f}",
        "\u{202e}",
        "\u{3164}",
        "\x1b[2J",
        "\u{5d0}",
        "\u{ad}",
        "\u{301}",
        "\u{1f468}\u{200d}\u{1f469}",
        "\t",
    ]);
    let said = prop_oneof![
        9 => prop::collection::vec(letters, 1..30).prop_map(|text| text.concat()),
        1 => (900..1200_usize).prop_map(|count| "\u{65e5}X".repeat(count / 2)),
        1 => Just("LONG ".repeat(15_000)),
    ];
    let typed = prop::sample::select(vec![
        "\u{3b1}",
        "\u{3b2}\u{3b3}\u{3b4}",
        "\x7f",
        "\x01",
        "\x05",
        "\x02",
        "\x1b[C",
        "\u{3b1}\u{301}",
        "\u{3b1}\u{3b2}\u{3b3}\u{3b4}\u{3b5}\u{3b6}\u{3b7}\u{3b8}\u{3b9}\u{3ba}\u{3bb}\u{3bc}",
    ]);
    prop_oneof![
        6 => (1..4_u32, said).prop_map(|(who, text)| Step::Hear(who, text)),
        2 => Just(Step::Notice),
        6 => typed.prop_map(|key| Step::Key(String::from(key))),
        1 => Just(Step::Enter),
        4 => Just(Step::Draw),
        2 => (8..60_u16).prop_map(Step::Resize),
        2 => any::<bool>().prop_map(Step::Stop),
        2 => any::<bool>().prop_map(Step::Edit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is said, typed, told and done to the terminal: each row that the program begins has
    /// its mark, no stranger has it, and what is being typed is on the cursor's row alone.
    #[test]
    fn no_row_is_forged_glued_or_left_behind(
        steps in prop::collection::vec(step(), 1..60),
        columns in 8..60_u16,
        table in prop::sample::select(vec![each as Table, wide, narrow]),
        overflow in prop::sample::select(vec![Overflow::Backpressure, Overflow::LeaveOut]),
    ) {
        let mut terminal = Terminal::new(columns, table);
        let (mut rows, mut editor) = (Rows::new(true, false), Editor::new());
        let mut screen = Screen::new(Surface::Terminal, overflow);
        let (mut columns, mut edits) = (columns, true);
        rows.set_editing(true);
        for step in steps {
            match step {
                Step::Hear(who, text) => {
                    screen.show(who, &format!("\x1b[1m[{who}]\x1b[0m "), text.as_bytes());
                    // Some of it now, and some of it later.
                    let lines = screen.front_lines(3 * BUSY + 1);
                    let count = lines.len();
                    rows.show(lines);
                    screen.consume(count);
                }
                Step::Notice => rows.notice(b"muxnc: told\nand why\n", Some(80)),
                Step::Key(key) => {
                    let mut keys = key.as_bytes();
                    while editor.next(&mut keys).is_some() {}
                }
                Step::Enter if edits => {
                    rows.typed("typed");
                    editor.clear();
                }
                Step::Enter => {
                    terminal.interrupt("\r\n");
                    rows.echoed(true);
                }
                Step::Draw if edits => rows.draw(&editor, columns),
                Step::Draw => {}
                Step::Resize(to) => {
                    terminal.take(&mut rows);
                    columns = to;
                    terminal.resize(columns);
                }
                Step::Stop(has_shell) if edits => {
                    if has_shell {
                        rows.erase();
                    }
                    terminal.take(&mut rows);
                    if has_shell {
                        terminal.interrupt("sh$ fg\r\n");
                    }
                    rows.lose();
                }
                Step::Stop(_) => {}
                Step::Edit(on) => {
                    edits = on;
                    rows.erase();
                    rows.set_editing(on);
                }
            }
            terminal.take(&mut rows);
            let (screen, at) = (terminal.rows(), terminal.row());
            for (number, row) in screen.iter().enumerate() {
                let is_typed = row.contains([TYPED, '\u{ff54}']);
                prop_assert!(!is_typed || number == at, "{at}: {screen:#?}");
                let is_glued = row.contains("typed") && row.contains('[');
                prop_assert!(!is_glued, "behind a label: {screen:#?}");
            }
        }
        if edits {
            rows.draw(&editor, columns);
            terminal.take(&mut rows);
            let (screen, at) = (terminal.rows(), terminal.row());
            prop_assert!(screen[at + 1..].iter().all(String::is_empty), "{at}: {screen:#?}");
        }
    }
}
