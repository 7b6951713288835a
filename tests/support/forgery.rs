//! Forged rows: what a peer says so that it looks on the operator's screen as if another had said it, or the
//! hub; and how a screen is searched for it. The test of the same name counts with this, too.

use std::num::NonZero;

/// How large the terminal is.
pub(crate) const ROWS: u16 = 24;
pub(crate) const COLUMNS: u16 = 80;

/// Rows that are kept of one attack, above those of the screen.
const SCROLLBACK: usize = 8192;

/// What nobody says but the forger.
const FORGED: &str = "FORGED";

/// What is imitated: another peer's label and name in a chat, a notice and an announcement of the hub.
const HEADS: [&str; 4] = ["[Ana] ", "<Ana> ", "muxnc: ", "* "];

/// What comes before the forged rows, as people call it, and the bytes.
pub(crate) fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    // As much as is passed on of a line that does not end, and a little more.
    let much = |text: &str| text.repeat(64 * 1024 / text.len() + 2).into_bytes();
    let columns = usize::from(COLUMNS);
    let mut wrapped = Vec::new();
    for width in columns..2 * columns {
        wrapped.extend("x".repeat(width).bytes());
        wrapped.extend(rows());
    }
    vec![
        ("64 KiB of zero width joiners", much("\u{200d}")),
        ("64 KiB of letters", much("x")),
        ("64 KiB of wide letters", much("\u{6f22}")),
        ("64 KiB of wide letters, one column later", {
            let mut text = b"x".to_vec();
            text.extend(much("\u{6f22}"));
            text
        }),
        ("64 KiB of marks on one letter", {
            let mut text = b"e".to_vec();
            text.extend(much("\u{301}"));
            text
        }),
        ("64 KiB of blanks", much(" ")),
        ("2000 line feeds", b"\n".repeat(2000)),
        (
            "2000 carriage returns and backspaces",
            b"\r\x08".repeat(2000),
        ),
        (
            "escape sequences",
            b"\x1b[2J\x1b[1;1H\x1bc\x9b1m\x1b[1m".to_vec(),
        ),
        ("80 widths at which it wraps", wrapped),
    ]
}

/// The forged rows themselves.
pub(crate) fn rows() -> Vec<u8> {
    let row = |head: &&str| format!("{head}{FORGED}\n").into_bytes();
    HEADS.iter().flat_map(row).collect()
}

/// What a screen shows of an attack.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Rows in all.
    pub(crate) rows: usize,
    /// Rows with what the forger said.
    pub(crate) said: usize,
    /// Of these, those at whose beginning another's label, a notice or an announcement stands as the hub
    /// writes it: in bold.
    pub(crate) forged: usize,
    /// Those where it stands there as plain text, which nothing of the hub's is.
    pub(crate) plain: usize,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Seen) {
        self.rows += other.rows;
        self.said += other.said;
        self.forged += other.forged;
        self.plain += other.plain;
    }
}

/// What a terminal shows that got these bytes, from the beginning of a row on.
pub(crate) fn look(bytes: &[u8]) -> Seen {
    let cells = |count| NonZero::new(count).expect("a size");
    let mut parser = vt100::Parser::new(cells(ROWS), cells(COLUMNS), SCROLLBACK);
    parser.process(bytes);
    let screen = parser.screen_mut();
    screen.set_scrollback(usize::MAX);
    let mut seen = Seen::default();
    loop {
        let above = screen.scrollback();
        // Of the last page some were on the one before.
        let fresh = if above == 0 {
            ROWS
        } else {
            ROWS.min(above as u16)
        };
        for row in 0..fresh {
            look_at(screen, row, &mut seen);
        }
        if above == 0 {
            return seen;
        }
        screen.set_scrollback(above - usize::from(fresh));
    }
}

fn look_at(screen: &vt100::Screen, row: u16, seen: &mut Seen) {
    let cells = || (0..COLUMNS).filter_map(|column| screen.cell(row, column));
    let text: String = cells().map(vt100::Cell::contents).collect();
    seen.rows += usize::from(!text.is_empty());
    if !text.contains(FORGED) {
        return;
    }
    seen.said += 1;
    let bold: String = cells()
        .take_while(|cell| cell.bold())
        .map(vt100::Cell::contents)
        .collect();
    // A blank behind a head is not in bold.
    let is_head = |text: &str| HEADS.iter().any(|head| text.starts_with(head.trim_end()));
    let rest: String = cells()
        .filter(|cell| cell.bold())
        .map(vt100::Cell::contents)
        .collect();
    seen.forged += usize::from(is_head(&bold) || rest.contains(FORGED));
    seen.plain += usize::from(bold.is_empty() && is_head(&text));
}
