//! What was measured, as tables and as a plot.
//!
//! What counts is the ratio to the floor in the same round: both suffered from the same machine.
//! Of several rounds the median is given, and the least and the most.

use std::collections::BTreeMap;
use std::fmt::Write;
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

use crate::subjects::Subject;
use crate::works::Figures;
use crate::works::WORKS;

/// Figures whose ratio to the floor says nothing, since the floor's may be zero.
const ABSOLUTE: [&str; 3] = ["bytes/peer", "wake-ups/s", "CPU µs/s"];

/// The median of the rounds, the least and the most.
#[derive(Clone, Copy)]
pub struct Spread {
    /// The middle one, or the mean of the two middle ones.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Some(Spread {
            median,
            least,
            most,
        })
    }

    fn show(self, unit: &str) -> String {
        let (median, least, most) = (digits(self.median), digits(self.least), digits(self.most));
        match least == most {
            true => format!("{median}{unit}"),
            false => format!("{median}{unit} ({least}–{most})"),
        }
    }
}

/// Three digits, more or less.
fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        v if v > 0.0 => format!("{value:.3}"),
        _ => "0".to_owned(),
    }
}

/// One row: a case, and one of its figures.
#[derive(Default)]
struct Row {
    work: &'static str,
    title: String,
    figure: &'static str,
    /// The first of its case, which counts.
    counts: bool,
    /// Per subject and round.
    values: BTreeMap<Subject, BTreeMap<usize, f64>>,
}

impl Row {
    /// The cheapest floor of each round.
    fn floor(&self) -> BTreeMap<usize, f64> {
        let mut least = BTreeMap::new();
        let floors = self.values.iter().filter(|(subject, _)| subject.is_floor());
        for (&round, &value) in floors.flat_map(|(_, rounds)| rounds) {
            let entry = least.entry(round).or_insert(value);
            *entry = value.min(*entry);
        }
        least
    }

    /// There is nothing that it could be a multiple of.
    fn is_absolute(&self) -> bool {
        let has_floor = self.values.keys().any(|subject| subject.is_floor());
        !has_floor || ABSOLUTE.contains(&self.figure)
    }

    fn absolute(&self, subject: Subject) -> Option<Spread> {
        Spread::of(self.values.get(&subject)?.values().copied().collect())
    }

    /// What `subject` cost for each unit that the floor did, round by round.
    fn ratio(&self, subject: Subject) -> Option<Spread> {
        if self.is_absolute() {
            return None;
        }
        let floor = self.floor();
        let rounds = self.values.get(&subject)?.iter();
        let ratios = rounds.filter_map(|(round, value)| {
            let floor = floor.get(round).filter(|&&floor| floor > 0.0)?;
            Some(value / floor)
        });
        Spread::of(ratios.collect())
    }
}

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    /// Work, case, subject, and what went wrong.
    remarks: Vec<(&'static str, String, Subject, String)>,
}

impl Report {
    /// Takes note of one measurement.
    pub fn add(
        &mut self,
        work: &'static str,
        title: &str,
        subject: Subject,
        round: usize,
        told: &Result<Figures, String>,
    ) {
        let figures = match told {
            Ok(figures) => figures,
            Err(error) => return self.remark(work, title, subject, error),
        };
        if let Some(flaw) = &figures.flaw {
            self.remark(work, title, subject, flaw);
        }
        for (index, &(figure, value)) in figures.values.iter().enumerate() {
            let is_it = |row: &Row| row.work == work && row.title == title && row.figure == figure;
            let at = self.rows.iter().position(is_it).unwrap_or_else(|| {
                self.rows.push(Row {
                    work,
                    title: title.to_owned(),
                    figure,
                    counts: index == 0,
                    values: BTreeMap::new(),
                });
                self.rows.len() - 1
            });
            let values = self.rows[at].values.entry(subject).or_default();
            values.insert(round, value);
        }
    }

    fn remark(&mut self, work: &'static str, title: &str, subject: Subject, what: &str) {
        let same = |(w, t, s, _): &(&str, String, Subject, String)| {
            *w == work && t == title && *s == subject
        };
        if !self.remarks.iter().any(same) {
            let remark = (work, title.to_owned(), subject, what.to_owned());
            self.remarks.push(remark);
        }
    }

    /// Whether what muxnc delivered was wrong, in any round of any case.
    pub fn condemns(&self, subject: Subject) -> bool {
        self.remarks.iter().any(|remark| remark.2 == subject)
    }

    /// The tables, as Markdown, under a heading and a few lines about where they come from.
    pub fn markdown(&self, about: &[String], plot: Option<&Path>) -> String {
        let mut text = String::from("# Comparison\n\n");
        for line in about {
            let _ = writeln!(text, "- {line}");
        }
        text.push_str(
            "\nLess is better everywhere. Floors are absolute; everybody else is a multiple of \
             the cheapest floor of the same round, except where no × stands. In parentheses the \
             least and the most of all rounds; † see below the table, – not measured.\n",
        );
        if let Some(plot) = plot {
            let _ = write!(text, "\n![The figures that count]({})\n", plot.display());
        }
        for (work, what) in WORKS {
            let rows: Vec<&Row> = self.rows.iter().filter(|row| row.work == work).collect();
            let remarks = self.remarks.iter().filter(|remark| remark.0 == work);
            let remarks: Vec<_> = remarks.collect();
            if rows.is_empty() && remarks.is_empty() {
                continue;
            }
            let _ = write!(text, "\n## {work}: {what}\n\n");
            self.table(&mut text, &rows, |row, subject| {
                match subject.is_floor() || row.is_absolute() {
                    true => row.absolute(subject).map(|spread| spread.show("")),
                    false => row.ratio(subject).map(|spread| spread.show(" ×")),
                }
            });
            for (_, title, subject, what) in remarks {
                let _ = write!(text, "\n† {title}, {}: {what}\n", subject.name());
            }
            text.push_str("\n<details><summary>Absolute figures</summary>\n\n");
            self.table(&mut text, &rows, |row, subject| {
                row.absolute(subject).map(|spread| spread.show(""))
            });
            text.push_str("\n</details>\n");
        }
        text
    }

    fn table(
        &self,
        text: &mut String,
        rows: &[&Row],
        cell: impl Fn(&Row, Subject) -> Option<String>,
    ) {
        let known = |subject: &Subject| rows.iter().any(|row| row.values.contains_key(subject));
        let subjects: Vec<Subject> = crate::subjects::ALL.into_iter().filter(known).collect();
        let names = subjects
            .iter()
            .map(|subject| format!(" {} |", subject.name()));
        let _ = writeln!(text, "| case | figure |{}", names.collect::<String>());
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(subjects.len()));
        for row in rows {
            let _ = write!(text, "| {} | {} |", row.title, row.figure);
            for &subject in &subjects {
                let flaw = self.remarks.iter().any(|remark| {
                    remark.0 == row.work && remark.1 == row.title && remark.2 == subject
                });
                let mark = if flaw { " †" } else { "" };
                let shown = cell(row, subject).unwrap_or_else(|| "–".to_owned());
                let _ = write!(text, " {shown}{mark} |");
            }
            text.push('\n');
        }
    }

    /// What a subject cost in the figures that count, the worst first.
    pub fn worst(&self, subject: Subject) -> Vec<(String, Spread)> {
        let rows = self.rows.iter().filter(|row| row.counts);
        let mut all: Vec<(String, Spread)> = rows
            .filter_map(|row| {
                let name = format!("{} {}, {}", row.work, row.title, row.figure);
                Some((name, row.ratio(subject)?))
            })
            .collect();
        all.sort_by(|a, b| b.1.median.total_cmp(&a.1.median));
        all
    }

    /// A dot for each subject in each case, the spread as a line, on a logarithmic scale.
    ///
    /// # Errors
    /// It cannot be drawn or written.
    pub fn plot(&self, path: &Path) -> Result<(), String> {
        const LEFT: i32 = 330;
        const WIDTH: i32 = 1000;
        const TOP: i32 = 60;
        const STEP: i32 = 22;
        let counts = |row: &&Row| row.counts && !row.floor().is_empty();
        let rows: Vec<&Row> = self.rows.iter().filter(counts).collect();
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
