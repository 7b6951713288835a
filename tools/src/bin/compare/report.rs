//! What was measured, as tables.
//!
//! What counts is the ratio to the floor in the same round: both suffered from the same machine.
//! Of several rounds the median is given, and the least and the most.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::contest::who_wins;
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
    pub fn of(mut values: Vec<f64>) -> Option<Spread> {
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

    /// With its unit.
    pub fn show(self, unit: &str) -> String {
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
pub struct Row {
    /// Of which work.
    pub work: &'static str,
    /// The case.
    pub title: String,
    /// The figure.
    pub figure: &'static str,
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

    /// Who was measured.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        self.values.keys().copied()
    }

    /// There is nothing that it could be a multiple of.
    fn is_absolute(&self) -> bool {
        let has_floor = self.values.keys().any(|subject| subject.is_floor());
        !has_floor || ABSOLUTE.contains(&self.figure)
    }

    /// What `subject` cost.
    pub fn absolute(&self, subject: Subject) -> Option<Spread> {
        Spread::of(self.values.get(&subject)?.values().copied().collect())
    }

    /// What `subject` cost for each unit that the floor did, round by round.
    pub fn ratio(&self, subject: Subject) -> Option<Spread> {
        match self.is_absolute() {
            true => None,
            false => self.multiple(subject, &self.floor()),
        }
    }

    /// The same for each unit that another one did.
    pub fn to(&self, subject: Subject, other: Subject) -> Option<Spread> {
        self.multiple(subject, self.values.get(&other)?)
    }

    fn multiple(&self, subject: Subject, unit: &BTreeMap<usize, f64>) -> Option<Spread> {
        let rounds = self.values.get(&subject)?.iter();
        let ratios = rounds.filter_map(|(round, value)| {
            let unit = unit.get(round).filter(|&&unit| unit > 0.0)?;
            Some(value / unit)
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
        text.push_str(&who_wins(self));
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

    /// The figures that count.
    pub fn counting(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.counts)
    }

    /// What a subject cost in the figures that count, the worst first.
    pub fn worst(&self, subject: Subject) -> Vec<(String, Spread)> {
        let mut all: Vec<(String, Spread)> = self
            .counting()
            .filter_map(|row| {
                let name = format!("{} {}, {}", row.work, row.title, row.figure);
                Some((name, row.ratio(subject)?))
            })
            .collect();
        all.sort_by(|a, b| b.1.median.total_cmp(&a.1.median));
        all
    }
}
