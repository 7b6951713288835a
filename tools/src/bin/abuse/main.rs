//! What a class notices of peers that want too much: how late lines come beside them, and what the
//! hub takes meanwhile. `scripts/abuse` builds and runs this, and prints what it measured.

#[path = "../../../../tests/support/forgery.rs"]
mod forgery;
mod hub;
mod terminals;

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use hub::Hub;
use hub::Latencies;
use hub::muxnc;
use hub::pester;
use hub::reset;
use hub::wait;

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

const TRANSCRIPT: &[&str] = &["--transcript", "/dev/null"];

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Options {
    lines: usize,
    peers: usize,
    stop: u64,
    slow: u64,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("abuse: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Outcome<Options> {
    let mut options = Options {
        lines: 200,
        peers: 5000,
        stop: 60,
        slow: 60,
    };
    while let Some(option) = words.next() {
        let value = words.next().ok_or(format!("{option} needs a value"))?;
        match option.as_str() {
            "--lines" => options.lines = value.parse()?,
            "--peers" => options.peers = value.parse()?,
            "--slow" => options.slow = value.parse()?,
            "--stop" => options.stop = value.parse()?,
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Outcome<()> {
    println!(
        "Lines while others want too much, ms (median, 99 %, most), and the hub's peak memory:\n"
    );
    println!("| beside | from the teacher | to the teacher | MiB |");
    println!("|---|---|---|---|");
    let feeds: &[u8] = &[b'\n'; 64_000];
    let flood: &[u8] = &[[b'!'; 79].as_slice(), b"\n"].concat().repeat(800);
    for (name, args, count, bytes) in [
        ("nobody", &[][..], 0, flood),
        ("1 that floods", &[], 1, flood),
        ("100 that flood", &[], 100, flood),
        ("100 that spell, a byte at a time", &[], 100, b"."),
        (
            "100 that flood, `--rate 100k`",
            &["--rate", "100k"],
            100,
            flood,
        ),
        ("nobody, `--broker`", &["--broker"], 0, flood),
        ("1 that floods, `--broker`", &["--broker"], 1, flood),
        ("10 that flood, `--broker`", &["--broker"], 10, flood),
        ("20 that flood, `--transcript`", TRANSCRIPT, 20, flood),
        ("100 that flood, `--transcript`", TRANSCRIPT, 100, flood),
        (
            "1 that sends line feeds, `--transcript`",
            TRANSCRIPT,
            1,
            feeds,
        ),
        (
            "1 that sends line feeds, `-x`",
            &["-x", "/dev/null"],
            1,
            feeds,
        ),
        ("1 that sends line feeds, `--chat`", &["--chat"], 1, feeds),
    ] {
        let hub = Hub::start(args)?;
        let (from, to) = hub.converse(options.lines, count, bytes)?;
        println!("| {name} | {from} | {to} | {:.1} |", hub.peak_mib()?);
    }
    println!(
        "\nFrom one to another, for {} s beside one that reads 12 kB in a second:\n",
        options.slow
    );
    println!("| beside | ms | of lines | the slow one is cut off after |");
    println!("|---|---|---|---|");
    slow_reader(
        options.slow,
        "2 that flood, `--broker`",
        &["--broker"],
        2,
        flood,
    )?;
    slow_reader(
        options.slow,
        "8 that flood, `--broker`",
        &["--broker"],
        8,
        flood,
    )?;
    slow_reader(
        options.slow,
        "3 that send line feeds, `--chat`",
        &["--chat"],
        3,
        feeds,
    )?;
    slow_reader(
        options.slow,
        "8 that send line feeds, `--chat`",
        &["--chat"],
        8,
        feeds,
    )?;
    println!("\nMany at once:\n");
    println!("| what | took | the hub then |");
    println!("|---|---|---|");
    storm(options.peers)?;
    unfinished(options.peers, &[])?;
    unfinished(options.peers, TRANSCRIPT)?;
    unfinished(options.peers, &["--broker"])?;
    stuck_pager()?;
    hellos(options.peers)?;
    stopped(options.stop)?;
    terminals::stopped_terminals()?;
    terminals::forge()
}

/// A conversation in which some flood and one reads 12 kB in a second: how late one's line is at another.
fn slow_reader(seconds: u64, name: &str, args: &[&str], count: usize, noise: &[u8]) -> Outcome<()> {
    const RATE: usize = 12_000;
    let hub = Hub::start(args)?;
    let mut ana = hub.join()?;
    let ear = ana.try_clone()?;
    thread::spawn(move || std::io::copy(&mut { ear }, &mut std::io::sink()));
    let bob = hub.join()?;
    let slow = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    slow.set_recv_buffer_size(4096)?;
    slow.connect(&SocketAddr::from(([127, 0, 0, 1], hub.port)).into())?;
    let mut slow = TcpStream::from(slow);
    let start = Instant::now();
    let slow = thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok(count @ 1..) = slow.read(&mut buffer) {
            thread::sleep(Duration::from_secs_f64(count as f64 / RATE as f64));
        }
        start.elapsed()
    });
    let stop = Arc::new(AtomicBool::new(false));
    let noise = pester(&hub, count, noise.to_vec(), stop.clone())?;
    let (sender, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut bob = BufReader::with_capacity(1 << 20, bob);
        let mut line = Vec::new();
        while bob.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if line.ends_with(b"ana\n") {
                let _ = sender.send(Instant::now());
            }
            line.clear();
        }
    });
    let mut late = Latencies::default();
    while start.elapsed() < Duration::from_secs(seconds) {
        let said = Instant::now();
        ana.write_all(b"ana\n")?;
        late.0
            .push(heard.recv_timeout(DEADLINE)?.duration_since(said));
        thread::sleep(Duration::from_millis(500));
    }
    stop.store(true, Ordering::Relaxed);
    noise.join().map_err(|_| "a pest panicked")?;
    let end = match slow.is_finished() {
        true => {
            let end = slow.join().map_err(|_| "the slow one panicked")?;
            format!("{:.1} s", end.as_secs_f64())
        }
        false => "-".into(),
    };
    println!("| {name} | {late} | {} | {end} |", late.0.len());
    Ok(())
}

/// Connections as fast as they come, all served; and then gone.
fn storm(peers: usize) -> Outcome<()> {
    let mut hub = Hub::start(&[])?;
    let mut witness = hub.join()?;
    hub.expect_from(&mut witness)?;
    let (before, descriptors) = (hub.own_kib()?, hub.descriptors()?);
    let start = Instant::now();
    let mut all = Vec::new();
    for _ in 0..peers {
        all.push(hub.join()?);
    }
    let connected = start.elapsed();
    // The backlog is a queue: when the last is heard all are in.
    hub.expect_from(all.last_mut().ok_or("no peers")?)?;
    let served = start.elapsed();
    let each = (hub.own_kib()? - before) as f64 * 1024.0 / peers as f64;
    println!(
        "| {peers} connect | {:.2} s, {:.2} s until all were let in | {each:.0} bytes more for each |",
        connected.as_secs_f64(),
        served.as_secs_f64()
    );
    let start = Instant::now();
    for stream in all.drain(..) {
        reset(stream);
    }
    wait(|| Ok(hub.descriptors()? == descriptors))?;
    hub.expect_from(&mut witness)?;
    println!(
        "| all of them vanish | {:.2} s | {} descriptors, as before |",
        start.elapsed().as_secs_f64(),
        hub.descriptors()?
    );
    let start = Instant::now();
    for _ in 0..peers {
        reset(hub.join()?);
    }
    wait(|| Ok(hub.descriptors()? == descriptors))?;
    hub.expect_from(&mut witness)?;
    println!(
        "| {peers} connect and vanish at once | {:.2} s | {} KiB more than at first |",
        start.elapsed().as_secs_f64(),
        hub.own_kib()?.saturating_sub(before)
    );
    Ok(())
}

/// Everybody begins a line and does not end it, and then all of them are gone.
fn unfinished(peers: usize, args: &[&str]) -> Outcome<()> {
    const LEN: usize = 60_000;
    let mut hub = Hub::start(args)?;
    let before = hub.own_kib()?;
    let witness = hub.join()?;
    let mut speaker = witness.try_clone()?;
    thread::spawn(move || std::io::copy(&mut { witness }, &mut std::io::sink()));
    let mut all = Vec::new();
    for _ in 0..peers {
        all.push(hub.join()?);
    }
    let start = Instant::now();
    for peer in &mut all {
        // With --broker nobody takes what the others say in pieces: who is not read is told so here.
        peer.set_write_timeout(Some(Duration::from_millis(20)))?;
        let _ = peer.write(&[b'x'; LEN]);
    }
    hub.expect_from(&mut speaker)?;
    let args = args.first().map(|arg| format!(", `{arg}`"));
    let args = args.unwrap_or_default();
    println!(
        "| {peers} begin a line of {LEN} bytes{args} | {:.2} s | {:.1} MiB more, for {:.1} MiB |",
        start.elapsed().as_secs_f64(),
        (hub.own_kib()? - before) as f64 / 1024.0,
        (peers * LEN) as f64 / 1024.0 / 1024.0
    );
    let start = Instant::now();
    all.into_iter().for_each(reset);
    let late = hub.expect_from(&mut speaker)?;
    wait(|| Ok(hub.descriptors()? < 50))?;
    println!(
        "| all of them vanish together{args} | {:.2} s | a line of another {:.1} ms late; {:.1} MiB at most |",
        start.elapsed().as_secs_f64(),
        late.as_secs_f64() * 1000.0,
        hub.peak_mib()?
    );
    Ok(())
}

/// Nobody reads the hub's stdout; others come and are gone.
fn stuck_pager() -> Outcome<()> {
    const STORM: usize = 1500;
    let hub = Hub::start_unread(&[])?;
    let mut talker = hub.join()?;
    talker.set_write_timeout(Some(Duration::from_millis(300)))?;
    let line = [[b'z'; 1023].as_slice(), b"\n"].concat().repeat(64);
    while talker.write(&line).is_ok() {}
    let before = hub.descriptors()?;
    let start = Instant::now();
    for _ in 0..STORM {
        reset(hub.join()?);
    }
    wait(|| Ok(hub.descriptors()? <= before))?;
    let took = start.elapsed();
    let mut newcomer = hub.join()?;
    let start = Instant::now();
    let mut stdin = hub.process.stdin.as_ref().ok_or("no stdin")?;
    // The first may be read before the newcomer is let in.
    let mut heard = [0; 1];
    newcomer.set_read_timeout(Some(Duration::from_millis(50)))?;
    while newcomer.read(&mut heard).is_err() {
        if start.elapsed() > DEADLINE {
            return Err("a newcomer hears nothing".into());
        }
        stdin.write_all(b"page 12\n")?;
    }
    println!(
        "| {STORM} connect and vanish while nobody reads stdout | {:.2} s | {} descriptors ({before} before); \
         a newcomer hears the teacher after {:.1} ms |",
        took.as_secs_f64(),
        hub.descriptors()?,
        start.elapsed().as_secs_f64() * 1000.0
    );
    Ok(())
}

/// Hellos of TLS as fast as they come, of which none goes on, while honest participants join.
fn hellos(most: usize) -> Outcome<()> {
    const HONEST: usize = 24;
    const HELD: usize = 1500;
    let hub = Hub::start(&["--ssl"])?;
    let network = TcpListener::bind(("127.0.0.1", 0))?;
    let participant = |port: u16| {
        let mut command = Command::new(muxnc()?);
        command.args(["--ssl-fingerprint", &hub.fingerprint]);
        command.args(["127.0.0.1", &port.to_string()]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::null());
        Ok::<Child, Box<dyn std::error::Error>>(piped.stderr(Stdio::null()).spawn()?)
    };
    let mut first = participant(network.local_addr()?.port())?;
    let mut words = vec![0; 4096];
    let count = network.accept()?.0.read(&mut words)?;
    words.truncate(count);
    first.kill()?;
    first.wait()?;
    let stop = Arc::new(AtomicBool::new(false));
    let (port, over) = (hub.port, stop.clone());
    let flood = thread::spawn(move || {
        let mut held = std::collections::VecDeque::new();
        let (start, mut sent) = (Instant::now(), 0);
        while !over.load(Ordering::Relaxed) {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                sent += usize::from(stream.write_all(&words).is_ok());
                held.push_back(stream);
            }
            if held.len() > HELD {
                held.pop_front();
            }
        }
        sent as f64 / start.elapsed().as_secs_f64()
    });
    // When many wait already.
    wait(|| Ok(hub.descriptors()? > most.min(200)))?;
    let mut joined = 0;
    let mut late = Latencies::default();
    for _ in 0..HONEST {
        let start = Instant::now();
        let mut child = participant(hub.port)?;
        let mut stdin = child.stdin.take().ok_or("no stdin")?;
        stdin.write_all(b"witness\n")?;
        if hub.shown.recv_timeout(Duration::from_secs(20)).is_ok() {
            joined += 1;
            late.0.push(start.elapsed());
        }
        child.kill()?;
        child.wait()?;
    }
    stop.store(true, Ordering::Relaxed);
    let rate = flood.join().map_err(|_| "the flood panicked")?;
    println!(
        "| {rate:.0} hellos of TLS in a second, `--ssl` | {late} ms until an honest one is heard | {joined} of \
         {HONEST} honest ones joined, {:.1} MiB at most |",
        hub.peak_mib()?
    );
    match joined {
        HONEST => Ok(()),
        _ => Err("an honest participant was not let in".into()),
    }
}

/// The hub is stopped for a while and goes on.
fn stopped(seconds: u64) -> Outcome<()> {
    const LEN: usize = 50_000_000;
    let mut hub = Hub::start(&[])?;
    let ears: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = hub.join()?;
            hub.expect_from(&mut stream)?;
            Ok(thread::spawn(move || {
                let mut heard = Vec::new();
                stream.read_to_end(&mut heard).map(|_| heard)
            }))
        })
        .collect::<Outcome<_>>()?;
    let text: Vec<u8> = (0..LEN as u64).map(|i| ((i * i) >> 7) as u8).collect();
    let mut stdin = hub.process.stdin.take().ok_or("no stdin")?;
    let said = text.clone();
    let teacher = thread::spawn(move || stdin.write_all(&said));
    thread::sleep(Duration::from_millis(5));
    let pid = rustix::process::Pid::from_child(&hub.process);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP)?;
    thread::sleep(Duration::from_secs(seconds));
    rustix::process::kill_process(pid, rustix::process::Signal::CONT)?;
    let start = Instant::now();
    teacher.join().map_err(|_| "the teacher panicked")??;
    for ear in ears {
        if ear.join().map_err(|_| "an ear panicked")?? != text {
            return Err("after a stop the streams differ".into());
        }
    }
    println!(
        "| it is stopped for {seconds} s while it sends {} MB to 3 | {:.2} s after that | nobody cut \
         off, nothing lost |",
        LEN / 1_000_000,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
