//! Who is the cheapest, case by case: in the figure that counts, of those that do the case at all.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::report::Report;
use crate::report::Row;
use crate::report::Spread;
use crate::subjects::Subject;
use crate::works::WORKS;

/// One case as muxnc and the cheapest of the others did it.
pub struct Contest {
    /// What muxnc took for each unit of the floor, if the case has a floor.
    pub muxnc: Option<f64>,
    /// The cheapest of the others, and what it took for each unit of muxnc's. Nobody else may have done it.
    pub rival: Option<(Subject, f64)>,
}

impl Contest {
    /// Of one case, if muxnc did it.
    pub fn of(row: &Row) -> Option<Contest> {
        row.absolute(Subject::Muxnc)?;
        let others = row.subjects().filter(|subject| subject.is_rival());
        let rivals =
            others.filter_map(|other| Some((other, row.to(other, Subject::Muxnc)?.median)));
        Some(Contest {
            muxnc: row.ratio(Subject::Muxnc).map(|spread| spread.median),
            rival: rivals.min_by(|a, b| a.1.total_cmp(&b.1)),
        })
    }

    /// Whether nobody else is cheaper.
    pub fn is_won(&self) -> bool {
        self.rival.is_none_or(|(_, times)| times >= 1.0)
    }
}

/// A section with a table: a row for each work.
pub fn who_wins(report: &Report) -> String {
    let mut table = String::new();
    for (work, what) in WORKS {
        let rows = report.counting().filter(|row| row.work == work);
        let contests: Vec<Contest> = rows.filter_map(Contest::of).collect();
        if !contests.iter().any(|contest| contest.rival.is_some()) {
            continue;
        }
        let shown =
            |values: Vec<f64>| Spread::of(values).map_or("–".to_owned(), |s| s.show(" ×"));
        let to_floor = contests
            .iter()
            .filter_map(|contest| contest.muxnc)
            .collect();
        let rivals = || contests.iter().filter_map(|contest| contest.rival);
        let mut names = BTreeMap::<Subject, usize>::new();
        rivals().for_each(|(rival, _)| *names.entry(rival).or_default() += 1);
        let mut names: Vec<(Subject, usize)> = names.into_iter().collect();
        names.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let names: Vec<&str> = names.iter().map(|(name, _)| name.name()).collect();
        let won = contests.iter().filter(|contest| contest.is_won()).count();
        let alone = contests.iter().filter(|contest| contest.rival.is_none());
        let alone = match alone.count() {
            0 => String::new(),
            count => format!(", {count} alone"),
        };
        let _ = writeln!(
            table,
            "| {work}: {what} | {won} of {}{alone} | {} | {} | {} |",
            contests.len(),
            shown(to_floor),
            names.join(", "),
            shown(rivals().map(|(_, times)| times).collect()),
        );
    }
    if table.is_empty() {
        return table;
    }
    format!(
        "\n## Who wins\n\nIn the first figure of each case: in how many cases of a work nobody is \
         cheaper than muxnc (alone: nobody else did the case), how much muxnc takes for each unit of \
         the floor, and how much the cheapest of the others takes for each unit of muxnc. Of several \
         cases the median, and the least and the most.\n\n\
         | work | muxnc is the cheapest in | muxnc to the floor | the cheapest other | that to muxnc |\n\
         |---|---|---|---|---|\n{table}"
    )
}
