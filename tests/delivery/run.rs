//! One combination: the other side, muxnc, and what came of it, held against the rule.
//!
//! It promises: it ends, whatever muxnc does, and so does everything it started.

use std::fmt;
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::ends::Sink;
use crate::ends::Source;
use crate::plan::Case;
use crate::plan::Opt;
use crate::plan::Server;
use crate::plan::Stdin;
use crate::plan::Stdout;
use crate::plan::Transport;
use crate::rule;
use crate::rule::Demand;
use crate::rule::End;
use crate::rule::held;
use crate::server::Checked;
use crate::server::Heard;
use crate::server::Talk;
use crate::stream;
use crate::stream::Listener;
use crate::stream::Proxy;
use crate::support::Folder;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::listening_port;
use crate::support::piped;

/// Bytes of the close_notify with which TLS 1.3 ends: a record's header, an alert, its kind, and what
/// authenticates it (RFC 8446, 5.2).
const GOODBYE: u64 = 5 + 2 + 1 + 16;

/// In what way it was wrong: the columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Something was lost, and the status was 0.
    Lost,
    /// It should have ended.
    Hang,
    /// It ended, in another way than it should.
    Status,
    /// It failed, and did not say why or how much is missing.
    Words,
    /// Bytes that are not those that were sent, or not all of those that were there.
    Bytes,
}

impl Wrong {
    pub(crate) const ALL: [Wrong; 5] = [
        Wrong::Lost,
        Wrong::Hang,
        Wrong::Status,
        Wrong::Words,
        Wrong::Bytes,
    ];
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Wrong::Lost => "lost, status 0",
            Wrong::Hang => "hang",
            Wrong::Status => "wrong status",
            Wrong::Words => "no words",
            Wrong::Bytes => "wrong bytes",
        })
    }
}

/// What a case came to.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) wrong: Option<(Wrong, &'static str)>,
    pub(crate) expected: String,
    pub(crate) came: String,
}

/// What both sides say, made once: -C's form of the input beside it.
pub(crate) struct Bytes {
    long: Arc<Vec<u8>>,
    long_crlf: Arc<Vec<u8>>,
    typed: Arc<Vec<u8>>,
    /// Unlike the input at every place.
    output: Arc<Vec<u8>>,
}

impl Bytes {
    pub(crate) fn new() -> Bytes {
        let mut long = Vec::new();
        Pattern::bytes()
            .write(&mut long, rule::MUCH as u64)
            .unwrap();
        Bytes {
            long_crlf: Arc::new(crlf(&long)),
            output: Arc::new(long.iter().map(|byte| byte ^ 0x5a).collect()),
            long: Arc::new(long),
            typed: Arc::new(rule::typed()),
        }
    }

    /// What this stdin gives.
    fn given(&self, stdin: Stdin) -> Arc<Vec<u8>> {
        match (stdin, held(stdin)) {
            (Stdin::Typed | Stdin::Sitting, _) => self.typed.clone(),
            (_, rule::MUCH) => self.long.clone(),
            (_, count) => Arc::new(self.long[..count].to_vec()),
        }
    }

    /// What is to arrive of it.
    fn sent(&self, case: Case, given: &Arc<Vec<u8>>) -> Arc<Vec<u8>> {
        match case.opt() {
            Opt::Crlf if given.len() == rule::MUCH => self.long_crlf.clone(),
            Opt::Crlf => Arc::new(crlf(given)),
            Opt::RecvOnly => Arc::default(),
            _ => given.clone(),
        }
    }
}

/// Each LF that stands alone becomes CRLF.
fn crlf(bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes.len() + bytes.len() / 64);
    let mut before = 0;
    for &byte in bytes {
        if byte == b'\n' && before != b'\r' {
            all.push(b'\r');
        }
        all.push(byte);
        before = byte;
    }
    all
}

/// Between fork and exec a child has every descriptor there is; with this no case's pipes are in
/// another's child when it matters that they are closed.
static STARTING: Mutex<()> = Mutex::new(());

/// What was seen of muxnc.
struct Seen {
    /// None if it was still there.
    status: Option<ExitStatus>,
    took: Duration,
    /// Not acknowledged when it ended.
    unacknowledged: u64,
    stdout: Option<Checked>,
    stderr: String,
    /// None if the other side never had a connection.
    heard: Option<Heard>,
    record: Option<Vec<u8>>,
}

/// Runs a case; `number` is unlike that of any other that runs meanwhile.
pub(crate) fn run(case: Case, number: usize, bytes: &Bytes) -> Verdict {
    let folder = Folder::new(&format!("matrix-{number}"));
    let given = bytes.given(case.stdin());
    let sent = bytes.sent(case, &given);
    let demand = rule::demand(case, sent.len());
    let seen = observe(case, &demand, &folder.0, &given, &sent, bytes);
    Verdict {
        wrong: judge(case, &demand, &seen),
        expected: demand.to_string(),
        came: describe(&seen),
    }
}

fn observe(
    case: Case,
    demand: &Demand,
    folder: &Path,
    given: &Arc<Vec<u8>>,
    sent: &Arc<Vec<u8>>,
    bytes: &Bytes,
) -> Seen {
    let over = Arc::new(AtomicBool::new(false));
    let output = match case.server() {
        Server::Echoes => sent.clone(),
        _ => bytes.output.clone(),
    };
    let talk = Talk {
        input: sent.clone(),
        output: output.clone(),
        over: over.clone(),
    };
    let path = folder.join("socket");
    let once = case.opt() == Opt::Once;
    let listener = (!once).then(|| Listener::new(case.transport(), &path));
    let port = listener.as_ref().map_or(0, Listener::port);
    let proxied = matches!(case.transport(), Transport::Socks | Transport::Http);
    let proxy = proxied.then(|| Proxy::new(case.transport(), port));
    let via = proxy.as_ref().map(Proxy::port);
    let line = arguments(case, port, via, folder);

    let starting = STARTING.lock().unwrap();
    let source = Source::new(case.stdin(), given, folder);
    let mut sink = Sink::new(case.stdout(), &output, folder);
    let stdout = sink.stdout.take();
    let mut process = start(&line, source.stdin, stdout);
    drop(starting);
    let began = Instant::now();

    thread::scope(|scope| {
        if let Some(proxy) = &proxy {
            scope.spawn(|| proxy.serve(&over));
        }
        let own_port = match once && case.transport() != Transport::Unix {
            true => listening_port(&process.stderr),
            false => port,
        };
        let (listener, over, path, talk) = (&listener, &over, &path, &talk);
        let server = scope.spawn(move || {
            let stream = match listener {
                Some(listener) => listener.accept(over),
                None => stream::connect(case.transport(), own_port, path),
            };
            stream.map(|stream| talk.serve(case.server(), stream))
        });
        let limit = match demand.ends.contains(&End::Waits) {
            true => rule::WAITS,
            false => rule::ENDS,
        };
        let status = wait(&mut process, began + limit);
        let took = began.elapsed();
        let unacknowledged = || stream::unacknowledged(via.unwrap_or(own_port), once);
        let unacknowledged = match case.transport() {
            Transport::Unix => 0,
            // Nobody waits for an answer to that either.
            Transport::Tls => unacknowledged().saturating_sub(GOODBYE),
            _ => unacknowledged(),
        };
        over.store(true, Ordering::SeqCst);
        // What is still there has been seen: everybody else ends when it does.
        let _ = process.child.kill();
        let _ = process.child.wait();
        let heard = server.join().unwrap();
        let stdout = sink.finish();
        Seen {
            status,
            took,
            unacknowledged,
            stdout,
            stderr: String::from_utf8_lossy(&process.stderr.wait_end()).into_owned(),
            heard,
            record: std::fs::read(folder.join("record")).ok(),
        }
    })
}

/// muxnc's command line.
fn arguments(case: Case, port: u16, proxy: Option<u16>, folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut line: Vec<String> = Vec::new();
    let mut add = |words: &[&str]| line.extend(words.iter().copied().map(String::from));
    match case.opt() {
        Opt::None => {}
        Opt::HalfClose | Opt::NoShutdown | Opt::SendOnly | Opt::RecvOnly | Opt::Crlf => {
            add(&[case.value(4)]);
        }
        Opt::Quit => add(&["-q", &rule::QUIT.to_string()]),
        Opt::Idle => add(&["-i", &rule::IDLE.to_string()]),
        Opt::Once => add(&["-l", "--once"]),
        Opt::Record => add(&["-o", &at("record")]),
        Opt::RecordFull => add(&["-o", "/dev/full"]),
    }
    match case.transport() {
        Transport::Tcp | Transport::Unix => {}
        #[cfg(feature = "tls")]
        Transport::Tls => {
            let identity = &*stream::tls::IDENTITY;
            let (certificate, key) = (at("certificate"), at("key"));
            std::fs::write(&certificate, &identity.certificate).unwrap();
            std::fs::write(&key, &identity.key).unwrap();
            match case.opt() == Opt::Once {
                true => add(&["--ssl-cert", &certificate, "--ssl-key", &key]),
                false => add(&["--ssl-trustfile", &certificate]),
            }
        }
        #[cfg(not(feature = "tls"))]
        Transport::Tls => unreachable!("such cases do not exist"),
        Transport::Socks | Transport::Http => {
            let place = format!("{}:{}", Ipv4Addr::LOCALHOST, proxy.unwrap());
            let kind = match case.transport() {
                Transport::Socks => "socks5",
                _ => "http",
            };
            add(&["--proxy", &place, "--proxy-type", kind]);
        }
    }
    match case.transport() {
        Transport::Unix => add(&["-U", &at("socket")]),
        _ => add(&["127.0.0.1", &port.to_string()]),
    }
    line
}

/// Starts it with these two streams; one that is not there is closed, as only a shell can.
fn start(line: &[String], stdin: Option<Stdio>, stdout: Option<Stdio>) -> Process {
    let script = match (&stdin, &stdout) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some("exec \"$0\" \"$@\" <&-"),
        (Some(_), None) => Some("exec \"$0\" \"$@\" >&-"),
        (None, None) => Some("exec \"$0\" \"$@\" <&- >&-"),
    };
    let mut command: Command = match script {
        None => piped(MUXNC, &[]),
        Some(script) => piped("sh", &["-c", script, MUXNC]),
    };
    command.args(line);
    command.stdin(stdin.unwrap_or_else(Stdio::null));
    command.stdout(stdout.unwrap_or_else(Stdio::null));
    Process::start(&mut command)
}

/// Its status, if it has one by then.
fn wait(process: &mut Process, end: Instant) -> Option<ExitStatus> {
    loop {
        let status = process.child.try_wait().unwrap();
        if status.is_some() || Instant::now() >= end {
            return status;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// In which way it ended; none if in none that there should ever be.
fn end(status: Option<ExitStatus>) -> Option<End> {
    match status {
        None => Some(End::Waits),
        Some(status) => match (status.code(), status.signal()) {
            (Some(0), _) => Some(End::Done),
            (Some(1), _) => Some(End::Failed),
            // Killed, or as a shell reports it.
            (Some(141), _) | (_, Some(13)) => Some(End::Unheard),
            _ => None,
        },
    }
}

/// The first thing that was wrong, the worst first.
fn judge(case: Case, demand: &Demand, seen: &Seen) -> Option<(Wrong, &'static str)> {
    let end = end(seen.status);
    let heard = seen.heard.as_ref();
    let taken = heard.map_or(0, |heard| heard.input.count);
    let said = heard.map_or(0, |heard| heard.said);
    let shown = seen.stdout.as_ref().map(|stdout| stdout.count);

    if end == Some(End::Done) {
        if demand.input && taken < demand.given {
            return Some((Wrong::Lost, "the other side does not have all of stdin"));
        }
        if demand.input && seen.unacknowledged > 0 {
            return Some((Wrong::Lost, "it left before all was acknowledged"));
        }
        let quit = case.opt() == Opt::Quit && seen.took >= Duration::from_secs(rule::QUIT);
        if demand.output && !quit && shown.is_some_and(|shown| shown < said) {
            return Some((Wrong::Lost, "stdout does not have all that was said"));
        }
        // Where nothing of it can have arrived.
        let nowhere =
            matches!(case.stdout(), Stdout::Closed | Stdout::Full) || case.opt() == Opt::RecordFull;
        if nowhere && !demand.ends.contains(&End::Done) {
            return Some((Wrong::Lost, "an output took nothing"));
        }
    }
    match end {
        Some(end) if demand.ends.contains(&end) => {}
        Some(End::Waits) => return Some((Wrong::Hang, "it did not end")),
        _ => return Some((Wrong::Status, "it ended in another way")),
    }
    if seen
        .stdout
        .as_ref()
        .is_some_and(|stdout| stdout.wrong.is_some())
    {
        return Some((Wrong::Bytes, "stdout has other bytes than were said"));
    }
    if heard.is_some_and(|heard| heard.input.wrong.is_some()) {
        return Some((
            Wrong::Bytes,
            "the other side got other bytes than were sent",
        ));
    }
    if case.opt() == Opt::SendOnly && shown.is_some_and(|shown| shown > 0) {
        return Some((Wrong::Bytes, "--send-only shows something"));
    }
    if end == Some(End::Failed) {
        if !seen.stderr.contains("muxnc: ") {
            return Some((Wrong::Words, "it did not say why"));
        }
        if demand.counted && !seen.stderr.contains("byte") {
            return Some((Wrong::Words, "it did not say how many bytes are missing"));
        }
        if demand.shown && shown.is_some_and(|shown| shown < said) {
            return Some((Wrong::Bytes, "not all that came was shown"));
        }
    }
    if end == Some(End::Done)
        && let Some(record) = &seen.record
        && case.opt() == Opt::Record
        && (case.stdout() == Stdout::Pipe || case.stdout() == Stdout::File)
    {
        // Whoever closes without reading may have had what was sent in its TLS.
        let most = if demand.input {
            taken
        } else {
            taken.max(demand.given)
        };
        if !(taken + said..=most + said).contains(&record.len()) {
            return Some((Wrong::Bytes, "the record has not both sides"));
        }
    }
    None
}

fn describe(seen: &Seen) -> String {
    let mut text = match seen.status {
        None => format!("still there after {:.1?}", seen.took),
        Some(status) => format!("{status} after {:.1?}", seen.took),
    };
    match &seen.heard {
        None => text += "; no connection",
        Some(heard) => {
            text += &format!("; the other side took {}", heard.input.count);
            if let Some(at) = heard.input.wrong {
                text += &format!(" (wrong from {at} on)");
            }
            text += &format!(" and said {}", heard.said);
            if let Some(error) = &heard.error {
                text += &format!(" ({error})");
            }
        }
    }
    if seen.unacknowledged > 0 {
        text += &format!("; {} were not acknowledged", seen.unacknowledged);
    }
    if let Some(stdout) = &seen.stdout {
        text += &format!("; on stdout {}", stdout.count);
        if let Some(at) = stdout.wrong {
            text += &format!(" (wrong from {at} on)");
        }
    }
    if let Some(record) = &seen.record {
        text += &format!("; recorded {}", record.len());
    }
    text + &format!("; on stderr {:?}", seen.stderr)
}
