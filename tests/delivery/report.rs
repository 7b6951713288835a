//! Running many cases beside each other, and the table of what came of them.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use crate::plan::Case;
use crate::plan::DIMENSIONS;
use crate::run;
use crate::run::Bytes;
use crate::run::Verdict;
use crate::run::Wrong;

/// Runs them all, so many at a time, and gives each its verdict, in the order of the cases. Whoever
/// watches sees what is wrong at once.
pub(crate) fn run_all(cases: &[Case], threads: usize) -> Vec<Verdict> {
    let bytes = Bytes::new();
    let next = AtomicUsize::new(0);
    let verdicts: Mutex<Vec<Option<Verdict>>> = Mutex::new(cases.iter().map(|_| None).collect());
    thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&case) = cases.get(number) else {
                        return;
                    };
                    let verdict = run::run(case, number, &bytes);
                    if let Some(told) = tell(case, &verdict) {
                        eprintln!("{told}");
                    }
                    verdicts.lock().unwrap()[number] = Some(verdict);
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().unwrap();
    verdicts.into_iter().map(Option::unwrap).collect()
}

/// Which case is wrong, how, and how to run it alone.
fn tell(case: Case, verdict: &Verdict) -> Option<String> {
    let (wrong, why) = verdict.wrong?;
    Some(format!(
        "{wrong}: MUXNC_CASE='{case}': {why}\n    expected: {}\n    came:     {}",
        verdict.expected, verdict.came
    ))
}

/// How many cases of each value went how.
pub(crate) fn table(cases: &[Case], verdicts: &[Verdict]) -> String {
    let mut text = format!("{:10} {:15} {:>6} {:>6}", "", "", "cases", "ok");
    for wrong in Wrong::ALL {
        write!(text, " {wrong:>14}").unwrap();
    }
    text.push('\n');
    let mut row = |dimension: &str, value: &str, is_in: &dyn Fn(Case) -> bool| {
        let of: Vec<Option<Wrong>> = cases
            .iter()
            .zip(verdicts)
            .filter(|(case, _)| is_in(**case))
            .map(|(_, verdict)| verdict.wrong.map(|(wrong, _)| wrong))
            .collect();
        let count = |wrong: Option<Wrong>| of.iter().filter(|&&is| is == wrong).count();
        let (all, ok) = (of.len(), count(None));
        write!(text, "{dimension:10} {value:15} {all:6} {ok:6}").unwrap();
        for wrong in Wrong::ALL {
            match count(Some(wrong)) {
                0 => write!(text, " {:>14}", "-").unwrap(),
                count => write!(text, " {count:>14}").unwrap(),
            }
        }
        text.push('\n');
    };
    for (dimension, name) in DIMENSIONS.iter().enumerate() {
        let mut seen: Vec<&str> = Vec::new();
        for case in cases {
            let value = case.value(dimension);
            if !seen.contains(&value) {
                seen.push(value);
            }
        }
        seen.sort_unstable();
        for value in seen {
            row(name, value, &|case| case.value(dimension) == value);
        }
    }
    row("all", "", &|_| true);
    text
}
