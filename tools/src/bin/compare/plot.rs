//! What was measured, as a picture: a dot for each subject in each case.

use std::path::Path;

use plotters::backend::SVGBackend;
use plotters::drawing::IntoDrawingArea;
use plotters::element::Circle;
use plotters::element::PathElement;
use plotters::element::Text;
use plotters::style::Color;
use plotters::style::IntoFont;
use plotters::style::RGBColor;
use plotters::style::ShapeStyle;
use plotters::style::TextStyle;

use crate::report::Report;
use crate::report::Row;
use crate::subjects::Subject;

/// A dot for each subject in each case, the spread as a line, on a logarithmic scale.
///
/// # Errors
/// It cannot be drawn or written.
pub fn plot(report: &Report, path: &Path) -> Result<(), String> {
    const LEFT: i32 = 330;
    const WIDTH: i32 = 1000;
    const TOP: i32 = 60;
    const STEP: i32 = 22;
    let has_floor = |row: &&Row| row.subjects().any(Subject::is_floor);
    let rows: Vec<&Row> = report.counting().filter(has_floor).collect();
    let subjects: Vec<Subject> = crate::subjects::ALL
        .into_iter()
        .filter(|subject| !subject.is_floor())
        .filter(|&subject| rows.iter().any(|row| row.ratio(subject).is_some()))
        .collect();
    let spreads = rows
        .iter()
        .flat_map(|row| subjects.iter().filter_map(|&subject| row.ratio(subject)));
    let (least, most) = spreads.fold((0.8_f64, 2.0_f64), |(least, most), spread| {
        (least.min(spread.least), most.max(spread.most))
    });
    let (low, high) = (least.log10() - 0.03, most.log10() + 0.03);
    let x = |ratio: f64| {
        let share = (ratio.log10() - low) / (high - low);
        LEFT + (share * f64::from(WIDTH - LEFT - 30)) as i32
    };
    let bottom = TOP + STEP * rows.len() as i32;
    let size = (WIDTH as u32, (bottom + 40) as u32);
    let fail = |error: String| format!("draw {}: {error}", path.display());
    let area = SVGBackend::new(path, size).into_drawing_area();
    let white = RGBColor(255, 255, 255);
    let grey = RGBColor(200, 200, 200);
    let black = RGBColor(30, 30, 30);
    let font = |size: i32| TextStyle::from(("sans-serif", size).into_font()).color(&black);
    let line = |from: (i32, i32), to: (i32, i32), colour: RGBColor, width: u32| {
        PathElement::new(
            vec![from, to],
            ShapeStyle::from(&colour).stroke_width(width),
        )
    };
    area.fill(&white).map_err(|e| fail(e.to_string()))?;
    let ticks = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3,
    ];
    for tick in ticks
        .into_iter()
        .filter(|t: &f64| (low..high).contains(&t.log10()))
    {
        let colour = if tick == 1.0 { black } else { grey };
        let rule = line((x(tick), TOP - 10), (x(tick), bottom), colour, 1);
        area.draw(&rule).map_err(|e| fail(e.to_string()))?;
        let label = Text::new(format!("{tick} ×"), (x(tick) - 10, bottom + 10), font(13));
        area.draw(&label).map_err(|e| fail(e.to_string()))?;
    }
    for (i, subject) in subjects.iter().enumerate() {
        let at = (LEFT + 95 * i as i32, 22);
        let dot = Circle::new(at, 5, colour(*subject).filled());
        area.draw(&dot).map_err(|e| fail(e.to_string()))?;
        let label = Text::new(subject.name(), (at.0 + 9, at.1 - 7), font(13));
        area.draw(&label).map_err(|e| fail(e.to_string()))?;
    }
    for (i, row) in rows.iter().enumerate() {
        let y = TOP + STEP * i as i32 + STEP / 2;
        let name = format!("{} {} ({})", row.work, row.title, row.figure);
        let label = Text::new(name, (8, y - 7), font(13));
        area.draw(&label).map_err(|e| fail(e.to_string()))?;
        for &subject in subjects.iter().rev() {
            let Some(spread) = row.ratio(subject) else {
                continue;
            };
            let whisker = line(
                (x(spread.least), y),
                (x(spread.most), y),
                colour(subject),
                2,
            );
            area.draw(&whisker).map_err(|e| fail(e.to_string()))?;
            let dot = Circle::new((x(spread.median), y), 5, colour(subject).filled());
            area.draw(&dot).map_err(|e| fail(e.to_string()))?;
        }
    }
    area.present().map_err(|e| fail(e.to_string()))
}

fn colour(subject: Subject) -> RGBColor {
    match subject {
        Subject::Floor | Subject::FloorSplice => RGBColor(90, 90, 90),
        Subject::Muxnc => RGBColor(213, 43, 30),
        Subject::Before => RGBColor(240, 150, 140),
        Subject::Ncat => RGBColor(0, 90, 181),
        Subject::NcOpenbsd => RGBColor(0, 140, 105),
        Subject::NcTraditional => RGBColor(120, 180, 60),
        Subject::Socat => RGBColor(220, 150, 0),
        Subject::Redis => RGBColor(140, 60, 160),
        Subject::Nats => RGBColor(70, 180, 220),
        Subject::Mosquitto => RGBColor(130, 90, 60),
        Subject::Ws => RGBColor(60, 160, 60),
        Subject::Websocat => RGBColor(200, 110, 180),
        Subject::Stunnel => RGBColor(110, 110, 200),
    }
}
