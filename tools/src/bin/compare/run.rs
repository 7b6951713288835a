//! The command line, and the run.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::bars;
use crate::floor;
use crate::plot;
use crate::process;
use crate::report::Report;
use crate::subjects;
use crate::subjects::Subject;
use crate::works;
use crate::works::Case;
use crate::works::Plan;
use crate::works::WORKS;

/// Runs the same work through every netcat and server there is.
#[derive(Debug, Parser)]
struct Args {
    /// Only these works, or only the cases whose name contains a text: W1,W7:pipe
    #[arg(long, value_name = "W1,…", value_delimiter = ',')]
    only: Vec<String>,

    /// Only these subjects; the floors are always there
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    subjects: Vec<String>,

    /// How often each case is measured
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Less work and one round less: for a first look
    #[arg(long)]
    quick: bool,

    /// Write the tables to a file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Draw the plot into a file (SVG) [default: beside --output]
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// Draw nine figures, for everybody, into a file (SVG)
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

/// Runs a floor, or the comparison.
pub fn main() -> ExitCode {
    let line: Vec<String> = std::env::args().collect();
    // A floor is started often, and its start is measured: before anything else.
    let told = match line.get(1).map(String::as_str) {
        Some("--floor") => floor::run(&line[2..]).map_err(|e| e.to_string()),
        _ => compare(&Args::parse()),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A directory for files, removed at the end.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn compare(args: &Args) -> Result<(), String> {
    let name = format!("compare-{}", std::process::id());
    let parent = std::env::var_os("COMPARE_SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from);
    let scratch = Directory(parent.join(name));
    fs::create_dir(&scratch.0).map_err(|e| format!("{}: {e}", scratch.0.display()))?;
    let plan = Plan {
        quick: args.quick,
        scratch: scratch.0.clone(),
    };
    let rounds = args.rounds.unwrap_or(plan.pick(3, 2)) as usize;
    let cases = chosen(works::cases(&plan), &args.only)?;
    let subjects = present(&args.subjects)?;
    let pinned = process::pin(process::LOAD_CPU).is_ok();
    let about = about(&subjects, rounds, pinned);
    let mut report = Report::default();
    for case in &cases {
        measure(case, &subjects, rounds, &plan, &mut report);
        if args.output.is_some() {
            // A run that is ended before its end leaves what it measured.
            publish(args, &report, &about)?;
        }
    }
    publish(args, &report, &about)?;
    eprintln!("\nmuxnc to the floor, the worst first:");
    for (name, spread) in report.worst(Subject::Muxnc) {
        let (least, most) = (spread.least, spread.most);
        eprintln!("{:6.2} × ({least:.2}–{most:.2})  {name}", spread.median);
    }
    match report.condemns(Subject::Muxnc) {
        true => Err("muxnc did not do all of it: see the remarks under the tables".to_owned()),
        false => Ok(()),
    }
}

/// The cases that were asked for.
fn chosen(cases: Vec<Case>, only: &[String]) -> Result<Vec<Case>, String> {
    let wanted = |case: &Case, wish: &str| {
        let (work, text) = wish.split_once(':').unwrap_or((wish, ""));
        case.work.eq_ignore_ascii_case(work) && case.title.contains(text)
    };
    for wish in only {
        if !cases.iter().any(|case| wanted(case, wish)) {
            let works: Vec<&str> = WORKS.iter().map(|work| work.0).collect();
            return Err(format!("--only {wish}: the works are {}", works.join(", ")));
        }
    }
    let is_chosen = |case: &Case| only.is_empty() || only.iter().any(|wish| wanted(case, wish));
    Ok(cases.into_iter().filter(is_chosen).collect())
}

/// The subjects that were asked for and are here.
fn present(wishes: &[String]) -> Result<Vec<Subject>, String> {
    for wish in wishes {
        if !subjects::ALL.iter().any(|subject| subject.name() == wish) {
            let names: Vec<&str> = subjects::ALL.iter().map(|s| s.name()).collect();
            return Err(format!("--subjects {wish}: they are {}", names.join(", ")));
        }
    }
    let is_wanted = |subject: &Subject| {
        subject.is_floor() || wishes.is_empty() || wishes.iter().any(|w| w == subject.name())
    };
    let mut here = Vec::new();
    for subject in subjects::ALL.into_iter().filter(is_wanted) {
        match subject.program() {
            Some(_) => here.push(subject),
            None if subject == Subject::Before => {}
            None => eprintln!("compare: {} is not here", subject.name()),
        }
    }
    Ok(here)
}

/// One case in all its rounds.
fn measure(case: &Case, subjects: &[Subject], rounds: usize, plan: &Plan, report: &mut Report) {
    let able = subjects
        .iter()
        .filter(|subject| subject.is_among(&case.subjects));
    let mut able: Vec<Subject> = able.copied().collect();
    for round in 0..rounds {
        if able.is_empty() {
            return;
        }
        let first = round % able.len();
        let mut order = able.clone();
        order.rotate_left(first);
        for subject in order {
            let told = (case.measure)(subject, plan);
            let shown = match &told {
                Ok(figures) => {
                    let values = figures.values.iter();
                    let values: Vec<String> = values
                        .map(|(name, value)| format!("{value:.4} {name}"))
                        .collect();
                    let flaw = figures.flaw.as_deref().unwrap_or_default();
                    format!("{} {flaw}", values.join(", "))
                }
                Err(error) => {
                    // It will not do better the next time.
                    able.retain(|&other| other != subject);
                    error.clone()
                }
            };
            let name = subject.name();
            eprintln!("{} {}, {name}: {shown}", case.work, case.title);
            report.add(case.work, &case.title, subject, round, &told);
        }
    }
}

/// Where and how it was measured.
fn about(subjects: &[Subject], rounds: usize, pinned: bool) -> Vec<String> {
    let read = |path: &str| {
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .and_then(|line| line.split(": ").nth(1))
        .unwrap_or("unknown");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let count = cpus
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count()
        .max(count);
    let versions: Vec<String> = subjects
        .iter()
        .map(|subject| (subject.name(), subject.version()))
        .filter(|(_, version)| !version.is_empty())
        .map(|(name, version)| format!("{name}: {version}"))
        .collect();
    let line: Vec<String> = std::env::args().skip(1).collect();
    vec![
        format!("`scripts/compare {}`, {rounds} rounds", line.join(" ")),
        format!("{}", std::env::var("COMPARE_DATE").unwrap_or_default()),
        format!(
            "Linux {}, {count} × {model}",
            read("/proc/sys/kernel/osrelease")
        ),
        format!(
            "congestion control {}; {}; {}",
            read("/proc/sys/net/ipv4/tcp_congestion_control"),
            match std::env::var("COMPARE_NETWORK").as_deref() {
                Ok("own") => "a network namespace of its own",
                _ => "no network namespace of its own",
            },
            match pinned {
                true => "subjects on processor 0, load on processor 1",
                false => "nothing pinned",
            }
        ),
        versions.join("; "),
    ]
}

fn publish(args: &Args, report: &Report, about: &[String]) -> Result<(), String> {
    let plot = match (&args.plot, &args.output) {
        (Some(plot), _) => Some(plot.clone()),
        (None, Some(output)) => Some(output.with_extension("svg")),
        (None, None) => None,
    };
    if let Some(plot) = &plot {
        plot::plot(report, plot)?;
    }
    if let Some(picture) = &args.picture {
        bars::draw(report, picture)?;
    }
    let name = plot.as_deref().and_then(Path::file_name).map(Path::new);
    let text = report.markdown(about, name);
    match &args.output {
        Some(path) => {
            fs::write(path, text).map_err(|e| format!("write {}: {e}", path.display()))?;
        }
        None => std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|e| format!("write to stdout: {e}"))?,
    }
    Ok(())
}
