//! W7: one stream through the participant, in each direction, from and to each kind of thing.
//!
//! The figure is all the processor time since the process was started. Two floors stand beside:
//! `read` and `write`, and `splice` or `sendfile`; what counts is the ratio to the cheaper one.

use std::fs::File;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::aligned::AlignedBuffer;

use crate::load::DEADLINE;
use crate::load::Ledger;
use crate::load::Load;
use crate::load::Pattern;
use crate::load::Stream;
use crate::process::Process;
use crate::subjects::Scratch;
use crate::subjects::Subject;
use crate::subjects::Way;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::told;

const SUBJECTS: [Subject; 7] = [
    Subject::Floor,
    Subject::FloorSplice,
    Subject::Muxnc,
    Subject::Ncat,
    Subject::NcOpenbsd,
    Subject::NcTraditional,
    Subject::Socat,
];

/// Every way that bytes go.
pub fn cases(_: &Plan) -> Vec<Case> {
    let case = |title: &str, measure| Case {
        work: "W7",
        title: title.to_owned(),
        subjects: SUBJECTS.to_vec(),
        measure,
    };
    vec![
        case("file → socket", Box::new(file_to_socket)),
        case("64 KiB pipe → socket", Box::new(pipe_to_socket)),
        case("socket → pipe", Box::new(socket_to_pipe)),
        case("socket → file", Box::new(socket_to_file)),
        case(
            "file → client → listener (--once) → pipe",
            Box::new(|subject, plan| pair(subject, &["--once"], plan)),
        ),
        Case {
            subjects: vec![Subject::Floor, Subject::FloorSplice, Subject::Muxnc],
            ..case(
                "file → client → listener (hub) → pipe",
                Box::new(|subject, plan| pair(subject, &[], plan)),
            )
        },
    ]
}

fn size(plan: &Plan) -> u64 {
    plan.pick(1 << 30, 128 << 20)
}

fn figures(cpu: f64, time: Duration, plan: &Plan) -> Figures {
    let gigabytes = size(plan) as f64 / 1e9;
    Figures::new([
        ("CPU s/GB", cpu / gigabytes),
        ("wall s/GB", time.as_secs_f64() / gigabytes),
    ])
}

fn pattern() -> Rc<[Pattern]> {
    [Pattern::new(0, 64)].into()
}

/// A file with the whole stream in it, in the page cache.
fn source(plan: &Plan) -> Result<(Scratch, File), String> {
    let scratch = Scratch::new(&plan.scratch, "source");
    pattern()[0]
        .write_file(&mut scratch.create()?, size(plan))
        .map_err(told)?;
    let file = scratch.open()?;
    Ok((scratch, file))
}

/// Starts a participant and takes its connection.
fn connected(
    subject: Subject,
    way: Way,
    stdin: Stdio,
    stdout: Stdio,
) -> Result<(Process, std::net::TcpStream), String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(told)?;
    let addr = listener.local_addr().map_err(told)?;
    listener.set_nonblocking(true).map_err(told)?;
    let mut process = subject.participant(addr, way, stdin, stdout)?;
    let mut stream = None;
    process.wait_until("it connected", Duration::from_secs(10), |_| {
        stream = stream.take().or_else(|| listener.accept().ok());
        stream.is_some()
    })?;
    let (stream, _) = stream.ok_or("nobody connected")?;
    Ok((process, stream))
}

fn file_to_socket(subject: Subject, plan: &Plan) -> Result<Figures, String> {
    let (_scratch, file) = source(plan)?;
    let begin = Instant::now();
    let (process, stream) = connected(subject, Way::Send, file.into(), Stdio::null())?;
    let mut load = Load::new().map_err(told)?;
    let ledger = Ledger::new(&pattern(), size(plan));
    load.add(Stream::tcp(stream).map_err(told)?, Some(ledger))
        .map_err(told)?;
    load.run(DEADLINE)?;
    Ok(figures(process.cpu(), begin.elapsed(), plan))
}

fn pipe_to_socket(subject: Subject, plan: &Plan) -> Result<Figures, String> {
    let (mut process, stream) = connected(subject, Way::Send, Stdio::piped(), Stdio::null())?;
    let patterns = pattern();
    let mut load = Load::new().map_err(told)?;
    let stdin = process.stdin().ok_or("no stdin")?;
    let key = load
        .add(Stream::stdin(stdin, false).map_err(told)?, None)
        .map_err(told)?;
    load.feed(key, &patterns, 0, size(plan));
    let ledger = Ledger::new(&patterns, size(plan));
    load.add(Stream::tcp(stream).map_err(told)?, Some(ledger))
        .map_err(told)?;
    let time = load.run(DEADLINE)?;
    Ok(figures(process.cpu(), time, plan))
}

fn socket_to_pipe(subject: Subject, plan: &Plan) -> Result<Figures, String> {
    let (mut process, stream) = connected(subject, Way::Receive, Stdio::piped(), Stdio::piped())?;
    let patterns = pattern();
    let mut load = Load::new().map_err(told)?;
    let _stdin = process.stdin();
    let key = load
        .add(Stream::tcp(stream).map_err(told)?, None)
        .map_err(told)?;
    load.feed(key, &patterns, 0, size(plan));
    let stdout = process.stdout().ok_or("no stdout")?;
    let ledger = Ledger::new(&patterns, size(plan));
    load.add(Stream::stdout(stdout).map_err(told)?, Some(ledger))
        .map_err(told)?;
    let time = load.run(DEADLINE)?;
    Ok(figures(process.cpu(), time, plan))
}

fn socket_to_file(subject: Subject, plan: &Plan) -> Result<Figures, String> {
    let scratch = Scratch::new(&plan.scratch, "sink");
    let stdout = scratch.create()?.into();
    let (mut process, stream) = connected(subject, Way::Receive, Stdio::piped(), stdout)?;
    let patterns = pattern();
    let mut load = Load::new().map_err(told)?;
    let _stdin = process.stdin();
    let key = load
        .add(Stream::tcp(stream).map_err(told)?, None)
        .map_err(told)?;
    load.feed(key, &patterns, 0, size(plan));
    let begin = Instant::now();
    let file = scratch.open()?;
    let written = || file.metadata().map_or(0, |file| file.len());
    while written() < size(plan) {
        if begin.elapsed() > DEADLINE {
            return Err(format!("stalled: {} bytes written", written()));
        }
        load.push(Duration::from_millis(1))?;
    }
    let (time, cpu) = (begin.elapsed(), process.cpu());
    check(&file, &patterns, size(plan))?;
    Ok(figures(cpu, time, plan))
}

/// Reads a file and checks every byte of it.
fn check(mut file: &File, patterns: &Rc<[Pattern]>, size: u64) -> Result<(), String> {
    use std::io::Read;
    let mut ledger = Ledger::new(patterns, size);
    let mut buffer = AlignedBuffer::zeroed(256 * 1024);
    loop {
        match file.read(&mut buffer).map_err(told)? {
            0 if ledger.is_full() => return Ok(()),
            0 => return Err(format!("{} bytes of {size}", ledger.total())),
            count => ledger.take(&buffer[..count])?,
        }
    }
}

fn pair(subject: Subject, extra: &[&str], plan: &Plan) -> Result<Figures, String> {
    let (_scratch, file) = source(plan)?;
    let mut listener = subject.listener(extra)?;
    let _stdin = listener.process.stdin();
    let stdout = listener.process.stdout().ok_or("no stdout")?;
    let mut load = Load::new().map_err(told)?;
    let ledger = Ledger::new(&pattern(), size(plan));
    load.add(Stream::stdout(stdout).map_err(told)?, Some(ledger))
        .map_err(told)?;
    let begin = Instant::now();
    let client = subject.participant(listener.addr, Way::Send, file.into(), Stdio::null())?;
    load.run(DEADLINE)?;
    let cpu = client.cpu() + listener.process.cpu();
    Ok(figures(cpu, begin.elapsed(), plan))
}
