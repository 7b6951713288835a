//! The matrix: which part of it is run, and that nothing in it is wrong.
//!
//! | variable | what |
//! |---|---|
//! | `MUXNC_CASE` | only the cases that match, as `file,*,tcp,half-slow,*` |
//! | `MUXNC_MATRIX` | how many values of a case are combined with each other in every way: 2 to 4 [2], or `full` |
//! | `MUXNC_MATRIX_THREADS` | how many cases run at a time [8] |
//! | `MUXNC_SEED` | which of the equally good choices of cases is made [1] |

use crate::plan;
use crate::report;

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => default,
    }
}

#[test]
fn matrix() {
    let cases = match (std::env::var("MUXNC_CASE"), std::env::var("MUXNC_MATRIX")) {
        (Ok(pattern), _) => plan::matching(&pattern),
        (_, Ok(full)) if full == "full" => plan::covering(5, 1),
        _ => plan::covering(number("MUXNC_MATRIX", 2) as u32, number("MUXNC_SEED", 1)),
    };
    let threads = number("MUXNC_MATRIX_THREADS", 8) as usize;
    assert!(!cases.is_empty() && threads > 0, "nothing to do");
    let verdicts = report::run_all(&cases, threads);
    println!("{}", report::table(&cases, &verdicts));
    let wrong = verdicts.iter().filter(|v| v.wrong.is_some()).count();
    assert!(
        wrong == 0,
        "{wrong} of {} cases went wrong, see above",
        cases.len()
    );
}
