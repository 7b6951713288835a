//! Draws terminals as an SVG: what was captured from them, escape sequences and all.
//!
//! ```sh
//! cargo run --package muxnc-tools --bin picture -- COLUMNS ROWS TITLE FILE … > picture.svg
//! ```
//!
//! The first terminal stands at the left, the others at the right, one below the other. Nothing is
//! drawn but what is in the files (`tmux capture-pane -e -p` writes such). See
//! `scripts/class-picture`.

use std::fmt::Write;
use std::num::NonZero;
use std::process::ExitCode;

use vt100::Color;
use vt100::Parser;

/// Of a character, in pixels.
const WIDTH: f64 = 7.8;
const HEIGHT: f64 = 17.0;

/// Around the text of a window, and between windows.
const PADDING: f64 = 10.0;
const GAP: f64 = 14.0;

/// Above the text of a window.
const TITLE: f64 = 26.0;

/// The sixteen colours of a terminal, on a dark ground.
const PALETTE: [&str; 16] = [
    "#45475a", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#f5c2e7", "#94e2d5", "#bac2de",
    "#585b70", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#f5c2e7", "#94e2d5", "#ffffff",
];
const GROUND: &str = "#1e1e2e";
const TEXT: &str = "#e4e8f7";

struct Window {
    columns: u16,
    rows: u16,
    title: String,
    screen: Parser,
}

impl Window {
    fn width(&self) -> f64 {
        f64::from(self.columns) * WIDTH + 2.0 * PADDING
    }

    fn height(&self) -> f64 {
        TITLE + f64::from(self.rows) * HEIGHT + PADDING
    }

    fn draw(&self, svg: &mut String, x: f64, y: f64) {
        let (width, height) = (self.width(), self.height());
        let _ = writeln!(
            svg,
            r##"<rect x="{x}" y="{y}" width="{width:.1}" height="{height:.1}" rx="8" fill="{GROUND}" stroke="#6c7086"/>"##
        );
        let _ = writeln!(
            svg,
            r##"<text x="{}" y="{}" fill="#a6adc8" font-weight="bold">{}</text>"##,
            x + PADDING,
            y + 18.0,
            escaped(&self.title)
        );
        for row in 0..self.rows {
            self.draw_row(svg, row, x + PADDING, y + TITLE + f64::from(row) * HEIGHT);
        }
        let screen = self.screen.screen();
        let (row, column) = screen.cursor_position();
        if !screen.hide_cursor() && row < self.rows {
            let _ = writeln!(
                svg,
                r##"<rect x="{:.1}" y="{:.1}" width="{WIDTH}" height="{HEIGHT}" fill="{TEXT}" opacity="0.7"/>"##,
                x + PADDING + f64::from(column) * WIDTH,
                y + TITLE + f64::from(row) * HEIGHT,
            );
        }
    }

    /// Each stretch of a colour at its own place, so that no font can move the next.
    fn draw_row(&self, svg: &mut String, row: u16, x: f64, y: f64) {
        let mut column = 0;
        while column < self.columns {
            let start = column;
            let color = self.color(row, start);
            let mut text = String::new();
            while column < self.columns && self.color(row, column) == color {
                text += self.contents(row, column);
                column += 1;
            }
            if text.trim().is_empty() {
                continue;
            }
            let kept = text.trim_end();
            let _ = writeln!(
                svg,
                r##"<text x="{:.1}" y="{:.1}" fill="{color}" textLength="{:.1}" xml:space="preserve">{}</text>"##,
                x + f64::from(start) * WIDTH,
                y + 13.0,
                kept.chars().count() as f64 * WIDTH,
                escaped(kept)
            );
        }
    }

    fn contents(&self, row: u16, column: u16) -> &str {
        match self.screen.screen().cell(row, column) {
            Some(cell) if cell.has_contents() => cell.contents(),
            _ => " ",
        }
    }

    fn color(&self, row: u16, column: u16) -> &'static str {
        match self
            .screen
            .screen()
            .cell(row, column)
            .map(vt100::Cell::fgcolor)
        {
            Some(Color::Idx(index)) => PALETTE.get(usize::from(index)).copied().unwrap_or(TEXT),
            _ => TEXT,
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn window(words: &[String]) -> Option<Window> {
    let [columns, rows, title, file] = words else {
        return None;
    };
    let (columns, rows): (NonZero<u16>, NonZero<u16>) = (columns.parse().ok()?, rows.parse().ok()?);
    let captured = std::fs::read(file)
        .inspect_err(|error| eprintln!("picture: read {file}: {error}"))
        .ok()?;
    let mut screen = Parser::new(rows, columns, 0);
    for (i, line) in captured.split(|&byte| byte == b'\n').enumerate() {
        if i > 0 {
            screen.process(b"\r\n");
        }
        screen.process(line);
    }
    Some(Window {
        columns: columns.get(),
        rows: rows.get(),
        title: title.clone(),
        screen,
    })
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let windows: Option<Vec<Window>> = words.chunks(4).map(window).collect();
    let Some([first, others @ ..]) = windows.as_deref() else {
        eprintln!("Usage: picture COLUMNS ROWS TITLE FILE … > picture.svg");
        return ExitCode::from(2);
    };
    let right = GAP + first.width() + GAP;
    let mut svg = String::new();
    first.draw(&mut svg, GAP, GAP);
    let mut y = GAP;
    for other in others {
        other.draw(&mut svg, right, y);
        y += other.height() + GAP;
    }
    let widest = others.iter().map(Window::width).fold(0.0, f64::max);
    let width = right + widest + GAP;
    let height = y.max(first.height() + 2.0 * GAP);
    println!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13">"#
    );
    println!("{svg}</svg>");
    ExitCode::SUCCESS
}
