//! Rows on terminals whose width changes, also more than once before the program is told, and while what
//! it wrote is on its way.

use super::*;

/// The width that a stranger's row and its label need, so that no terminal cuts them.
const LEAST: u16 = 12;

/// What a terminal does with rows when its width changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing, as xterm.
    Keeps,
    /// It breaks them anew, as most do.
    Reflows,
    /// The same, and Backspace goes back over such a break, as in tmux.
    GoesBack,
}

#[derive(Debug, Default, Clone)]
struct Line {
    cells: Vec<char>,
    /// It goes on in the next row.
    continues: bool,
}

/// A terminal with all that was on it, whose cells are as wide as characters.
struct Paper {
    kind: Kind,
    lines: Vec<Line>,
    columns: usize,
    /// The rows in sight.
    height: usize,
    row: usize,
    column: usize,
    wraps: bool,
}

impl Paper {
    fn new(kind: Kind, columns: u16, height: usize) -> Paper {
        Paper {
            kind,
            lines: vec![Line::default()],
            columns: columns.into(),
            height,
            row: 0,
            column: 0,
            wraps: true,
        }
    }

    /// The first row in sight.
    fn top(&self) -> usize {
        self.lines.len().saturating_sub(self.height)
    }

    /// Takes what waits. `resize`: after so many parts of it the terminal gets another width.
    fn take(&mut self, rows: &mut Rows, resize: Option<(usize, u16)>) {
        let text = written(rows);
        let mut rest = text.as_str();
        let mut parts = 0;
        while let Some(letter) = rest.chars().next() {
            if let Some((_, columns)) = resize.filter(|(at, _)| *at == parts) {
                self.resize(columns);
            }
            parts += 1;
            let sequences = [
                "\x1b[?7l", "\x1b[?7h", "\x1b[1m", "\x1b[0m", "\x1b[K", "\x1b[J",
            ];
            let known = sequences.iter().find(|known| rest.starts_with(**known));
            match known {
                Some(known) => {
                    self.obey(known);
                    rest = &rest[known.len()..];
                }
                None => {
                    self.show(letter);
                    rest = &rest[letter.len_utf8()..];
                }
            }
        }
    }

    fn obey(&mut self, sequence: &str) {
        match sequence {
            "\x1b[?7l" => self.wraps = false,
            "\x1b[?7h" => self.wraps = true,
            "\x1b[K" => self.empty_row(),
            "\x1b[J" => {
                self.empty_row();
                if self.lines.len() > self.row + 1 {
                    self.lines[self.row].continues = false;
                    for line in &mut self.lines[self.row + 1..] {
                        *line = Line::default();
                    }
                }
            }
            _ => {}
        }
    }

    /// As tmux has it, breaks before and behind a row that is emptied are forgotten; of other terminals
    /// that is not believed.
    fn empty_row(&mut self) {
        self.lines[self.row].cells.truncate(self.column);
        if self.column == 0 && self.kind == Kind::GoesBack {
            self.lines[self.row].continues = false;
            if let Some(above) = self.row.checked_sub(1) {
                self.lines[above].continues = false;
            }
        }
    }

    fn show(&mut self, letter: char) {
        match letter {
            '\r' => self.column = 0,
            '\n' => {
                self.column = 0;
                self.feed();
            }
            '\x08' if self.column > 0 => self.column -= 1,
            '\x08' => {
                let goes_back = self.kind == Kind::GoesBack && self.row > self.top();
                if goes_back && self.lines[self.row - 1].continues {
                    self.row -= 1;
                    self.column = self.columns - 1;
                }
            }
            letter => {
                assert!(!letter.is_control(), "{letter:?}");
                if self.column >= self.columns {
                    if self.wraps {
                        self.lines[self.row].continues = true;
                        self.column = 0;
                        self.feed();
                    } else {
                        self.column = self.columns - 1;
                    }
                }
                let cells = &mut self.lines[self.row].cells;
                let least = cells.len().max(self.column + 1);
                cells.resize(least, ' ');
                cells[self.column] = letter;
                self.column += 1;
            }
        }
    }

    fn feed(&mut self) {
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push(Line::default());
        }
    }

    fn resize(&mut self, columns: u16) {
        self.columns = columns.into();
        if self.kind == Kind::Keeps {
            self.column = self.column.min(self.columns - 1);
            return;
        }
        let mut lines = Vec::new();
        let mut whole = Vec::new();
        let (mut row, mut at) = (0, None);
        for (number, line) in self.lines.iter().enumerate() {
            if number == self.row {
                at = Some(whole.len() + self.column.min(line.cells.len()));
            }
            whole.extend(&line.cells);
            if line.continues && number + 1 < self.lines.len() {
                continue;
            }
            let first = lines.len();
            let parts = whole.len().div_ceil(self.columns).max(1);
            for part in 0..parts {
                let end = whole.len().min((part + 1) * self.columns);
                lines.push(Line {
                    cells: whole[part * self.columns..end].to_vec(),
                    continues: part + 1 < parts,
                });
            }
            if let Some(at) = at.take() {
                let part = (at / self.columns).min(parts - 1);
                row = first + part;
                self.column = at - part * self.columns;
            }
            whole.clear();
        }
        self.lines = lines;
        self.row = row;
        // The cursor is always in sight.
        if self.row < self.top() {
            (self.row, self.column) = (self.top(), 0);
        }
    }

    /// What is on it, each line of text as one.
    fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.extend(&line.cells);
            if !line.continues {
                text.push('\n');
            }
        }
        text
    }

    /// The first and the last row of the line that the cursor is in.
    fn cursor_line(&self) -> (usize, usize) {
        let mut first = self.row;
        while first > 0 && self.lines[first - 1].continues {
            first -= 1;
        }
        let mut last = self.row;
        while self.lines[last].continues && last + 1 < self.lines.len() {
            last += 1;
        }
        (first, last)
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Somebody says a line, of so many characters more.
    Hear(usize),
    Notice,
    Key(String),
    Enter,
    Draw,
    /// The terminal gets another width.
    Resize(u16),
    /// The program is told of the width.
    Tell,
    /// The terminal gets another width when it has read so many parts of what is written to it next.
    ResizeAmid(usize, u16),
    /// Stopped and brought back, with or without a shell between.
    Stop(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let typed = prop::sample::select(vec![
        "\u{3b1}\u{3b2}\u{3b3}\u{3b4}\u{3b5}\u{3b6}\u{3b7}\u{3b8}\u{3b9}\u{3ba}\u{3bb}\u{3bc}",
        "\u{3b1}\u{3b2}\u{3b3}\u{3b4}\u{3b5}\u{3b6}\u{3b7}\u{3b8}\u{3b9}\u{3ba}\u{3bb}\u{3bc}",
        "\u{3b1}",
        "\x01",
        "\x05",
        "\x02",
    ]);
    let columns = || LEAST..130_u16;
    prop_oneof![
        5 => prop_oneof![Just(0), 1..150_usize].prop_map(Step::Hear),
        1 => Just(Step::Notice),
        5 => typed.prop_map(|key| Step::Key(String::from(key))),
        1 => Just(Step::Enter),
        5 => Just(Step::Draw),
        5 => columns().prop_map(Step::Resize),
        3 => Just(Step::Tell),
        2 => (0..200_usize, columns()).prop_map(|(at, columns)| Step::ResizeAmid(at, columns)),
        1 => any::<bool>().prop_map(Step::Stop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever the terminal does with its rows, and however late the program hears of it: each line of a
    /// stranger is there once. In tmux nothing is left of what was being typed, either, unless the
    /// terminal was taken from it or changed in the middle of what it wrote.
    #[test]
    fn no_line_is_lost_when_the_width_changes(
        steps in prop::collection::vec(step(), 1..80),
        columns in LEAST..130_u16,
        height in prop::sample::select(vec![3, 6, 1000_usize]),
        kind in prop::sample::select(vec![Kind::Keeps, Kind::Reflows, Kind::GoesBack]),
    ) {
        let mut paper = Paper::new(kind, columns, height);
        let (mut rows, mut editor) = (Rows::new(true, kind == Kind::GoesBack), Editor::new());
        rows.set_editing(true);
        let mut columns = columns;
        let mut count = 0;
        let mut leaves_none = kind == Kind::GoesBack && height == 1000;
        let mut amid = None;
        for step in steps {
            match step {
                Step::Hear(more) => {
                    rows.show(&framed(&[("[1] ", &format!("<{count}>{}\n", "X".repeat(more)))]));
                    count += 1;
                }
                Step::Notice => rows.notice(b"muxnc: told\nand why\n", Some(columns)),
                Step::Key(key) => {
                    let mut keys = key.as_bytes();
                    while editor.next(&mut keys).is_some() {}
                }
                Step::Enter => {
                    rows.typed("typed");
                    editor.clear();
                }
                Step::Draw => rows.draw(&editor, columns),
                Step::Resize(columns) => paper.resize(columns),
                Step::Tell => {
                    columns = u16::try_from(paper.columns).unwrap();
                    rows.draw(&editor, columns);
                }
                Step::ResizeAmid(at, columns) => {
                    amid = Some((at, columns));
                    leaves_none = false;
                }
                Step::Stop(has_shell) => {
                    if has_shell {
                        rows.erase();
                        paper.take(&mut rows, amid.take());
                        "sh$ fg\n".chars().for_each(|letter| paper.show(letter));
                    }
                    leaves_none &= has_shell;
                    rows.lose();
                }
            }
            if rows.waiting() > 0 {
                paper.take(&mut rows, amid.take());
            }
            let text = paper.text();
            for number in 0..count {
                let said = text.matches(&format!("<{number}>")).count();
                prop_assert_eq!(said, 1, "line {} in\n{}", number, text);
            }
            let (first, last) = paper.cursor_line();
            for (number, line) in paper.lines.iter().enumerate().filter(|_| leaves_none) {
                let is_typed = line.cells.iter().any(|letter| ('\u{3b1}'..='\u{3c9}').contains(letter));
                prop_assert!(
                    !is_typed || (first..=last).contains(&number),
                    "row {} at {}\n{}", number, paper.row, text
                );
            }
        }
    }
}
