//! A long run: peers join, speak, listen, send files, half-close, sleep, and break off at random,
//! round after round, and every stream is checked line by line.
//!
//! `scripts/soak` builds and runs this. A round ends when everybody has left: then all that was
//! said must have been heard, and the hub must have as many descriptors, and no more memory, than
//! after earlier rounds. The streams are in [`stream`], what a peer does in [`life`].

#![allow(unreachable_pub, reason = "a program, in which nothing is reachable")]

mod life;
mod stream;

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use life::Class;
use life::Random;
use stream::Checker;

/// What resident memory may grow by from the first half of the rounds to the second, in KiB: what
/// an allocator may do by itself.
const GROWTH: u64 = 1024;

/// Rounds whose memory does not count: what is allocated once and kept.
const WARM_UP: usize = 2;

/// How long everything said in a round may take to arrive after it.
const DEADLINE: Duration = Duration::from_secs(60);

struct Options {
    minutes: f64,
    peers: usize,
    round: Duration,
    seed: u64,
}

/// One quiet moment.
struct Sample {
    hub: Usage,
    witness: Usage,
}

#[derive(Clone, Copy)]
struct Usage {
    rss_kib: u64,
    descriptors: usize,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("soak: {error}");
            return ExitCode::from(2);
        }
    };
    match soak(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        minutes: 60.0,
        peers: 16,
        round: Duration::from_secs(30),
        seed: 1,
    };
    while let Some(option) = words.next() {
        let value = words.next().ok_or(format!("{option} needs a value"))?;
        let bad = |_| format!("{option} {value}: not a number");
        match option.as_str() {
            "--minutes" => {
                let minutes: f64 = value
                    .parse()
                    .map_err(|_| format!("{value}: not a number"))?;
                options.minutes = minutes.clamp(0.0, 1e6);
            }
            "--peers" => options.peers = value.parse().map_err(bad)?,
            "--round" => options.round = Duration::from_secs(value.parse().map_err(bad)?),
            "--seed" => options.seed = value.parse().map_err(bad)?,
            _ => return Err(format!("unknown option {option}")),
        }
    }
    Ok(options)
}

/// A directory that goes when this does.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that ends when this does.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn soak(options: &Options) -> Result<(), String> {
    let io = |error: std::io::Error| error.to_string();
    let scratch = std::env::temp_dir().join(format!("soak.{}", std::process::id()));
    fs::create_dir(&scratch).map_err(io)?;
    let scratch = Scratch(scratch);
    let muxnc = muxnc()?;

    // Nobody is to be cut off because the machine has other things to do.
    let notes = scratch.0.join("hub");
    let mut hub = Command::new(&muxnc)
        .args(["-l", "127.0.0.1", "0", "--broker", "--stall-timeout", "5m"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&notes).map_err(io)?)
        .spawn()
        .map(Killed)
        .map_err(|error| format!("start {}: {error}", muxnc.display()))?;
    let port = port(&notes)?;
    let mut witness = Command::new(&muxnc)
        .args(["127.0.0.1", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Killed)
        .map_err(io)?;
    let failure = Arc::new(Mutex::new(None));
    let class = Arc::new(Class::new(muxnc, port, scratch.0.clone(), failure.clone()));
    let stdout = hub.0.stdout.take().expect("a pipe");
    let operator = Ear::new(stdout, "the hub's stdout", &failure, &class.done);
    let stdout = witness.0.stdout.take().expect("a pipe");
    let listener = Ear::new(stdout, "the witness", &failure, &Arc::default());
    let teacher = Teacher::start(hub.0.stdin.take().expect("a pipe"));
    // Were anybody there before, the operator's first lines could be said without the witness.
    wait("the witness is there", &failure, || listener.lines() > 0)?;

    let start = Instant::now();
    let end = start + Duration::from_secs_f64(options.minutes * 60.0);
    let mut samples = Vec::new();
    println!(
        "soak: seed {}, {} peers at a time, rounds of {} s, {} min",
        options.seed,
        options.peers,
        options.round.as_secs(),
        options.minutes
    );
    while Instant::now() < end {
        let until = (Instant::now() + options.round).min(end);
        let round = samples.len() as u64;
        let lives: Vec<_> = (0..options.peers as u64)
            .map(|i| {
                let class = class.clone();
                let seed = options.seed ^ (round << 32) ^ (i << 16) ^ 0x9e37_79b9;
                thread::spawn(move || class.live_until(until, Random::new(seed)))
            })
            .collect();
        for life in lives {
            life.join().map_err(|_| "a peer panicked")?;
        }
        let said = || class.said.load(Ordering::SeqCst);
        let heard = || (operator.ends(), listener.ends());
        wait("everything that was said has been heard", &failure, || {
            heard() == (said(), said())
        })
        .map_err(|error| {
            let (operator, witness) = heard();
            let said = said();
            format!(
                "{error}: of {said} speakers {operator} by the operator, {witness} by the witness"
            )
        })?;
        // Only the witness is left, and whoever left has no descriptor any more.
        let ids = [hub.0.id(), witness.0.id()];
        let quiet = samples.first().map(|s: &Sample| s.hub.descriptors);
        wait("those who left are closed", &failure, || {
            quiet.is_none_or(|quiet| usage(ids[0]).is_ok_and(|u| u.descriptors == quiet))
        })?;
        if quiet.is_none() {
            thread::sleep(Duration::from_secs(2));
        }
        let sample = Sample {
            hub: usage(ids[0])?,
            witness: usage(ids[1])?,
        };
        println!(
            "soak: round {:3}, {:5.0} s: {} lives, {} lines said, {} heard; hub {} KiB, {} \
             descriptors; witness {} KiB, {} descriptors",
            samples.len() + 1,
            start.elapsed().as_secs_f64(),
            class.lives.load(Ordering::SeqCst),
            operator.lines(),
            class.heard.load(Ordering::SeqCst) + listener.lines(),
            sample.hub.rss_kib,
            sample.hub.descriptors,
            sample.witness.rss_kib,
            sample.witness.descriptors,
        );
        samples.push(sample);
    }
    let said = teacher.end();
    println!(
        "soak: the operator said {said} lines; by kind of life: {}",
        class.tally()
    );
    for (name, process) in [("the witness", &mut witness.0), ("the hub", &mut hub.0)] {
        drop(process.stdin.take());
        let mut status = None;
        wait(&format!("{name} ends"), &failure, || {
            status = process.try_wait().ok().flatten();
            status.is_some()
        })?;
        if !status.is_some_and(|status| status.success()) {
            return Err(format!("{name} ended with {status:?}"));
        }
    }
    let notes = fs::read_to_string(&notes).map_err(io)?;
    if let Some(warning) = notes.lines().find(|line| !line.contains("listening on")) {
        return Err(format!("the hub said: {warning}"));
    }
    judge(&samples)
}

/// Memory and descriptors must not grow.
fn judge(samples: &[Sample]) -> Result<(), String> {
    let counted = samples.get(WARM_UP..).unwrap_or_default();
    let (early, late) = counted.split_at(counted.len() / 2);
    for (name, usage) in [
        ("hub", (|s| s.hub) as fn(&Sample) -> Usage),
        ("witness", |s| s.witness),
    ] {
        let most = |samples: &[Sample]| samples.iter().map(|s| usage(s).rss_kib).max();
        let (Some(before), Some(after)) = (most(early), most(late)) else {
            println!("soak: too few rounds to judge memory by");
            return Ok(());
        };
        println!("soak: {name}: at most {before} KiB in the first half, {after} in the second");
        if after > before + GROWTH {
            return Err(format!("the {name}'s memory grew"));
        }
        let counts = || samples.iter().map(|s| usage(s).descriptors);
        if counts().min() != counts().max() {
            return Err(format!("the {name}'s descriptors are not always as many"));
        }
    }
    println!("soak: all is well");
    Ok(())
}

/// Somebody who listens to a stream and checks it.
struct Ear {
    ends: Arc<AtomicU64>,
    lines: Arc<AtomicU64>,
}

impl Ear {
    fn new(
        stream: impl Read + Send + 'static,
        name: &'static str,
        failure: &Arc<Mutex<Option<String>>>,
        done: &Arc<Mutex<HashSet<u64>>>,
    ) -> Ear {
        let (ends, lines) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let ear = Ear {
            ends: ends.clone(),
            lines: lines.clone(),
        };
        let (failure, done) = (failure.clone(), done.clone());
        thread::spawn(move || {
            let mut checker = Checker::from_the_start();
            let read = checker.read(stream, &lines, |speaker| {
                done.lock().unwrap().insert(speaker);
                ends.fetch_add(1, Ordering::SeqCst);
            });
            if let Err(error) = read {
                failure
                    .lock()
                    .unwrap()
                    .get_or_insert(format!("{name}: {error}"));
            }
        });
        ear
    }

    /// How many speakers said that they are done, with everything before that.
    fn ends(&self) -> u64 {
        self.ends.load(Ordering::SeqCst)
    }

    fn lines(&self) -> u64 {
        self.lines.load(Ordering::SeqCst)
    }
}

/// The hub's operator, who says a line now and then.
struct Teacher {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
}

impl Teacher {
    fn start(mut stdin: std::process::ChildStdin) -> Teacher {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut said = 0;
            while !stopped.load(Ordering::Relaxed) {
                if stdin.write_all(&stream::line(0, said)).is_err() {
                    break;
                }
                said += 1;
                thread::sleep(Duration::from_millis(50));
            }
            said
        });
        Teacher { stop, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(0)
    }
}

/// Waits for something, unless something failed meanwhile.
fn wait(
    what: &str,
    failure: &Mutex<Option<String>>,
    mut is_so: impl FnMut() -> bool,
) -> Result<(), String> {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(failure) = failure.lock().unwrap().take() {
            return Err(failure);
        }
        if is_so() {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(format!("waited in vain until {what}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The release binary beside this one.
fn muxnc() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let muxnc = here.with_file_name("muxnc");
    match muxnc.exists() {
        true => Ok(muxnc),
        false => Err(String::from("muxnc is not built: run scripts/soak")),
    }
}

fn port(notes: &Path) -> Result<u16, String> {
    let mut found = None;
    wait("the hub listens", &Mutex::new(None), || {
        let told = fs::read_to_string(notes).unwrap_or_default();
        let place = told.lines().find(|line| line.contains("listening on"));
        found = place.and_then(|line| line.rsplit(':').next()?.trim().parse().ok());
        found.is_some()
    })?;
    found.ok_or(String::from("no port"))
}

fn usage(pid: u32) -> Result<Usage, String> {
    let fail = |error: std::io::Error| format!("read /proc/{pid}: {error}");
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).map_err(fail)?;
    let line = text.lines().find(|line| line.starts_with("Rss:"));
    let rss_kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    Ok(Usage {
        rss_kib: rss_kib.ok_or("no Rss in smaps_rollup")?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd"))
            .map_err(fail)?
            .count(),
    })
}
