//! The closing table of a bench: each work that was measured in this run, with the time that it takes
//! muxnc, the time that it takes the obvious way to do the same, and the ratio.
//!
//! It reads what criterion wrote down (`benchmark.json` and `estimates.json` below `criterion/`).

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::Value;

/// The subject that all others are compared with.
const MUXNC: &str = "muxnc";

/// A measurement: who did what in how many nanoseconds.
struct Measured {
    at: SystemTime,
    what: String,
    who: String,
    nanoseconds: f64,
}

/// Prints what was measured since then, if anything was.
pub(crate) fn print_since(start: SystemTime) {
    let mut all = Vec::new();
    if let Some(home) = home() {
        collect(&home, start, &mut all);
    }
    all.sort_by_key(|measured| measured.at);
    let table = table(&all);
    if !table.is_empty() {
        println!("The time that the same work takes, less is better (medians):\n\n{table}");
    }
}

/// Where criterion writes: beside the profile's folder, in which this program is.
fn home() -> Option<PathBuf> {
    if let Some(home) = env::var_os("CRITERION_HOME") {
        return Some(home.into());
    }
    let program = env::current_exe().ok()?;
    // <target>/<profile>/deps/<program>
    Some(program.ancestors().nth(3)?.join("criterion"))
}

fn collect(folder: &Path, start: SystemTime, all: &mut Vec<Measured>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            match path.file_name().is_some_and(|name| name == "new") {
                true => all.extend(measured(&path, start)),
                false => collect(&path, start, all),
            }
        }
    }
}

fn measured(folder: &Path, start: SystemTime) -> Option<Measured> {
    let read = |name| -> Option<Value> {
        serde_json::from_str(&fs::read_to_string(folder.join(name)).ok()?).ok()
    };
    let estimates = folder.join("estimates.json");
    let at = fs::metadata(estimates).ok()?.modified().ok()?;
    if at < start {
        return None;
    }
    let (benchmark, estimates) = (read("benchmark.json")?, read("estimates.json")?);
    let group = benchmark["group_id"].as_str()?;
    let value = benchmark["value_str"].as_str()?;
    let (what, who) = match benchmark["function_id"].as_str() {
        Some(function) => (format!("{group}, {value}"), function),
        // The only parameter is who does it.
        None => (group.to_owned(), value),
    };
    Some(Measured {
        at,
        what,
        who: who.to_owned(),
        nanoseconds: estimates["median"]["point_estimate"].as_f64()?,
    })
}

/// A row for each work, in the order of `all`.
fn table(all: &[Measured]) -> String {
    let mut table = String::new();
    for ours in all.iter().filter(|measured| measured.who == MUXNC) {
        let is_other = |other: &&Measured| other.what == ours.what && other.who != MUXNC;
        let mut row = format!("{:<42} muxnc {:>9}", ours.what, time(ours.nanoseconds));
        for other in all.iter().filter(is_other) {
            let ratio = other.nanoseconds / ours.nanoseconds;
            // Writing to a String cannot fail.
            let _ = write!(
                row,
                "   {} {:>9}, {ratio:.2} times as long",
                other.who,
                time(other.nanoseconds)
            );
        }
        table.push_str(&row);
        table.push('\n');
    }
    table
}

/// A time with the unit in which it has at least one digit before the point.
fn time(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let unit = units.into_iter().find(|&(size, _)| nanoseconds >= size);
    let (size, name) = unit.unwrap_or((1.0, "ns"));
    format!("{:.2} {name}", nanoseconds / size)
}
