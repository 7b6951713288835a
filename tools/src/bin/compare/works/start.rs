//! W8: from the start of the program until the first line that it was given has arrived.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::process::Process;
use crate::subjects::Subject;
use crate::subjects::Way;
use crate::subjects::free_address;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::told;

const LINE: &[u8] = b"the first line\n";
const LIMIT: Duration = Duration::from_secs(5);

/// As a participant, and as a hub.
pub fn cases(_: &Plan) -> Vec<Case> {
    use Subject::{Floor, Muxnc, NcOpenbsd, NcTraditional, Ncat, Socat};
    vec![
        Case {
            work: "W8",
            title: "participant".to_owned(),
            subjects: vec![Floor, Muxnc, Ncat, NcOpenbsd, NcTraditional, Socat],
            measure: Box::new(|subject, plan| often(plan, || participant(subject))),
        },
        Case {
            work: "W8",
            title: "hub".to_owned(),
            subjects: vec![Floor, Muxnc, Ncat, NcOpenbsd, NcTraditional],
            measure: Box::new(|subject, plan| often(plan, || hub(subject))),
        },
    ]
}

/// The median of several starts.
fn often(
    plan: &Plan,
    once: impl Fn() -> Result<(Duration, f64), String>,
) -> Result<Figures, String> {
    let starts: Result<Vec<(Duration, f64)>, String> =
        (0..plan.pick(31, 9)).map(|_| once()).collect();
    let (mut times, mut cpu): (Vec<Duration>, Vec<f64>) = starts?.into_iter().unzip();
    times.sort();
    cpu.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    Ok(Figures::new([
        ("wall µs", times[middle].as_secs_f64() * 1e6),
        ("CPU µs", cpu[middle] * 1e6),
    ]))
}

fn participant(subject: Subject) -> Result<(Duration, f64), String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(told)?;
    listener.set_nonblocking(true).map_err(told)?;
    let addr = listener.local_addr().map_err(told)?;
    let begin = Instant::now();
    let mut process = subject.participant(addr, Way::Send, Stdio::piped(), Stdio::null())?;
    let mut stdin = process.stdin().ok_or("no stdin")?;
    stdin.write_all(LINE).map_err(told)?;
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(told(error)),
            Err(_) if begin.elapsed() > LIMIT => return Err("it did not connect".to_owned()),
            Err(_) => {}
        }
    };
    let time = arrival(stream, begin)?;
    Ok((time, process.cpu()))
}

fn hub(subject: Subject) -> Result<(Duration, f64), String> {
    let addr = free_address()?;
    let begin = Instant::now();
    let mut process: Process = subject.start_listener(addr)?;
    let mut stdin = process.stdin().ok_or("no stdin")?;
    stdin.write_all(LINE).map_err(told)?;
    let stream = loop {
        match TcpStream::connect(addr) {
            Ok(stream) => break stream,
            Err(_) if begin.elapsed() > LIMIT => return Err("it did not listen".to_owned()),
            Err(_) => {}
        }
    };
    let time = arrival(stream, begin)?;
    Ok((time, process.cpu()))
}

/// Waits for the line and checks it.
fn arrival(mut stream: TcpStream, begin: Instant) -> Result<Duration, String> {
    stream.set_nonblocking(false).map_err(told)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(told)?;
    let mut line = [0; LINE.len()];
    stream.read_exact(&mut line).map_err(told)?;
    match line == LINE {
        true => Ok(begin.elapsed()),
        false => Err(format!("wrong bytes: {:?}", String::from_utf8_lossy(&line))),
    }
}
