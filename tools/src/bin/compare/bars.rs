//! What was measured, as a picture for everybody: nine rows, muxnc and the cheapest other program.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::contest::Contest;
use crate::report::Report;

/// The cases that have a row, and what is done in words.
const ROWS: [(&str, &str, &str); 9] = [
    ("W1", "30 × 64 B", "a stream of lines to 30 participants"),
    ("W1", "300 × 64 B", "… to 300"),
    ("W12", "30 × 64 B", "… to 30, encrypted"),
    ("W10", "300 × 64 B", "… to 300 browsers"),
    ("W2", "3 of 30 send", "3 of 30 speak, all hear them"),
    ("W9", "30 send", "30 speak, the hub prints it"),
    ("W5", "300 at once", "300 join at once"),
    ("W7", "file → socket", "sending a file"),
    ("W7", "socket → file", "receiving a file"),
];

/// In pixels: the picture, where the bars begin, and one row.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 270.0;
const TOP: f64 = 84.0;
const ROW: f64 = 40.0;
const BAR: f64 = 14.0;

/// A longer bar is cut there; its figure stands beside it.
const MOST: f64 = 8.0;

/// A multiple of the floor as a length.
fn length(times: f64) -> f64 {
    times.min(MOST) * (WIDTH - LEFT - 150.0) / MOST
}

/// Draws the rows that were measured.
///
/// # Errors
/// It cannot be written.
pub fn draw(report: &Report, path: &Path) -> Result<(), String> {
    let mut rows = String::new();
    let mut y = TOP;
    for (work, title, words) in ROWS {
        let mut all = report.counting();
        let row = all.find(|row| row.work == work && row.title == title);
        let Some(contest) = row.and_then(Contest::of) else {
            continue;
        };
        let Some(muxnc) = contest.muxnc else {
            continue;
        };
        let end = LEFT - 12.0;
        let _ = writeln!(
            rows,
            r##"<text x="{end}" y="{:.0}" text-anchor="end">{words}</text>"##,
            y + BAR + 4.0
        );
        bar(&mut rows, y, muxnc, "#c22b1e", &format!("muxnc {muxnc:.2}"));
        match contest.rival {
            Some((rival, times)) => {
                let times = times * muxnc;
                let told = format!("{} {times:.2}", rival.name());
                bar(&mut rows, y + BAR + 2.0, times, "#7a8aa0", &told);
            }
            None => {
                let _ = writeln!(
                    rows,
                    r##"<text class="small" x="{LEFT}" y="{:.0}">no other program did it</text>"##,
                    y + 2.0 * BAR
                );
            }
        }
        y += ROW;
    }
    let floor = LEFT + length(1.0);
    let picture = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Processor time of muxnc and of the cheapest other program, in multiples of the least that is possible">
<style>text {{ font: 14px sans-serif; fill: #1f2328 }} .small {{ font-size: 12px }} .title {{ font-size: 17px; font-weight: bold }}</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text class="title" x="16" y="28">Processor time: muxnc, and the cheapest of the other programs</text>
<text class="small" x="16" y="50">As a multiple of a program that makes the same system calls and does nothing else (1). Shorter is better.</text>
<line x1="{floor:.1}" y1="{top}" x2="{floor:.1}" y2="{bottom}" stroke="#1f2328" stroke-dasharray="3 3"/>
<text class="small" x="{floor:.1}" y="{label}" text-anchor="middle">1</text>
{rows}</svg>
"##,
        height = y + 12.0,
        top = TOP - 8.0,
        bottom = y,
        label = TOP - 12.0,
    );
    fs::write(path, picture).map_err(|error| format!("write {}: {error}", path.display()))
}

fn bar(rows: &mut String, y: f64, times: f64, colour: &str, told: &str) {
    let width = length(times);
    let _ = writeln!(
        rows,
        r##"<rect x="{LEFT}" y="{y:.0}" width="{width:.1}" height="{BAR}" fill="{colour}"/>"##
    );
    if times > MOST {
        // The end of a bar that was cut.
        let x = LEFT + width;
        let _ = writeln!(
            rows,
            r##"<path d="M{:.1} {y:.0} l6 {BAR} m4 -{BAR} l6 {BAR}" stroke="#ffffff" stroke-width="2"/>"##,
            x - 24.0
        );
    }
    let _ = writeln!(
        rows,
        r##"<text class="small" x="{:.1}" y="{:.0}">{told}</text>"##,
        LEFT + width.max(length(1.0)) + 6.0,
        y + BAR - 2.5
    );
}
