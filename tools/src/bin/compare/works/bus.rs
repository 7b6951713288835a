//! W11: one class over several hubs that a server of NATS joins, beside one hub that has all of it.
//!
//! All hubs and the server share the subjects' processor: what counts is how much of it a line costs, not how
//! fast it goes.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use crate::dialect::Dialect;
use crate::load::DEADLINE;
use crate::load::Ledger;
use crate::load::Load;
use crate::load::Pattern;
use crate::load::Stream;
use crate::subjects::Hub;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::fan_out;
use crate::works::told;
use crate::works::volume;

/// Members of all hubs together.
const MEMBERS: usize = 10_000;

const LINE: usize = 64;
/// A line to ten thousand takes a tenth of a second: that is how late it is, and not what came before it.
const INTERVAL: Duration = Duration::from_millis(400);

/// Of fewer lines the cost would be that of beginning.
const FEWEST: u64 = 200;

/// Whose latency is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// The members of the hub that speaks.
    Here,
    /// Those of all others.
    There,
}

/// One hub, and four; and what the server costs that has nothing but subscribers.
pub fn cases(_: &Plan) -> Vec<Case> {
    let fan_out = [1, 4]
        .into_iter()
        .flat_map(|hubs| [64, 1024].map(|line| (hubs, line)));
    let fan_out = fan_out.map(|(hubs, line)| Case {
        work: "W11",
        title: format!("{} × {line} B", arrangement(hubs)),
        subjects: vec![Subject::Muxnc],
        measure: Box::new(move |_, plan| throughput(hubs, line, plan)),
    });
    let latency = [(1, Where::Here), (4, Where::Here), (4, Where::There)];
    let latency = latency.map(|(hubs, place)| Case {
        work: "W11",
        title: format!(
            "latency of {}, {}",
            arrangement(hubs),
            match place {
                Where::Here => "local",
                Where::There => "across",
            }
        ),
        subjects: vec![Subject::Muxnc],
        measure: Box::new(move |_, plan| paced(hubs, place, plan)),
    });
    let server = [10, 100, 1000]
        .into_iter()
        .flat_map(|n| [1024, 16 * 1024].map(|line| (n, line)));
    let server = server.map(|(subscribers, line)| Case {
        work: "W11",
        title: format!("server to {subscribers} subscribers × {line} B"),
        subjects: vec![Subject::Nats],
        measure: Box::new(move |subject, plan| {
            fan_out::measure(subject, Role::FanOut, subscribers, line, plan)
        }),
    });
    fan_out.chain(latency).chain(server).collect()
}

fn arrangement(hubs: usize) -> String {
    match hubs {
        1 => format!("1 hub of {MEMBERS}"),
        hubs => format!("{hubs} hubs of {}", MEMBERS / hubs),
    }
}

/// Hubs with members, of which the first is fed.
struct Class {
    server: Option<Hub>,
    hubs: Vec<Hub>,
    load: Load,
    source: usize,
    patterns: Rc<[Pattern]>,
}

impl Class {
    /// Of so many hubs; of the members that `counts` says what comes is checked.
    fn new(
        count: usize,
        line: usize,
        plan: &Plan,
        counts: impl Fn(usize) -> bool,
    ) -> Result<Class, String> {
        let server = match count {
            1 => None,
            _ => Some(Subject::Nats.hub(Role::Bus, &[], &plan.scratch)?),
        };
        let mut hubs = Vec::new();
        for at in 0..count {
            let name = format!("room{at}");
            let url = server
                .as_ref()
                .map(|server| format!("nats://{}/bench", server.addr));
            let args: Vec<&str> = match &url {
                Some(url) => vec!["--bus", url, "--bus-name", &name],
                None => Vec::new(),
            };
            hubs.push(Subject::Muxnc.hub(Role::FanOut, &args, &plan.scratch)?);
        }
        if let Some(server) = &server {
            wait_for_readers(server, count)?;
            // Each has a connection to the server now.
            hubs.iter_mut().for_each(Hub::count_anew);
        }
        let patterns: Rc<[Pattern]> = [Pattern::new(0, line)].into();
        let mut load = Load::new().map_err(told)?;
        for (at, hub) in hubs.iter_mut().enumerate() {
            for id in 0..MEMBERS / count {
                let stream = Stream::tcp(Dialect::Plain.connect(hub.addr, id, true)?);
                let ledger = counts(at).then(|| Ledger::new(&patterns, 0));
                load.add(stream.map_err(told)?, ledger).map_err(told)?;
            }
            hub.wait_for_peers(MEMBERS / count)?;
        }
        let (source, _) = hubs[0].source(0)?;
        let source = load.add(source, None).map_err(told)?;
        load.feed(source, &patterns, 0, 0);
        Ok(Class {
            server,
            hubs,
            load,
            source,
            patterns,
        })
    }

    /// Processor time of the hubs, and of the server.
    fn cpu(&self) -> (f64, f64) {
        let hubs = self.hubs.iter().map(|hub| hub.process.cpu()).sum();
        let server = self.server.as_ref();
        (hubs, server.map_or(0.0, |server| server.process.cpu()))
    }
}

fn throughput(hubs: usize, line: usize, plan: &Plan) -> Result<Figures, String> {
    let mut class = Class::new(hubs, line, plan, |_| true)?;
    let lines = (volume(plan) / (MEMBERS * line) as u64).max(FEWEST);
    let bytes = lines * line as u64;
    class.load.feed(class.source, &class.patterns, 0, bytes);
    class.load.expect(bytes);
    let before = class.cpu();
    let time = class.load.run(DEADLINE)?;
    let after = class.cpu();
    let delivered = (lines * MEMBERS as u64) as f64;
    let each = |seconds: f64| seconds * 1e9 / delivered;
    let (used, served) = (after.0 - before.0, after.1 - before.1);
    Ok(Figures::new([
        ("CPU ns/delivered line", each(used + served)),
        ("of that hubs", each(used)),
        ("of that server", each(served)),
        ("wall ns/delivered line", each(time.as_secs_f64())),
    ]))
}

fn paced(hubs: usize, place: Where, plan: &Plan) -> Result<Figures, String> {
    let mut class = Class::new(hubs, LINE, plan, |at| (at == 0) == (place == Where::Here))?;
    let lines = plan.pick(60, 25);
    let latency = (class.load).paced(class.source, LINE, LINE, lines, INTERVAL)?;
    let [first, median, last] = [&latency.first, &latency.median, &latency.last];
    Ok(Figures::new([
        ("last peer p50 µs", last.value_at_quantile(0.5) as f64),
        ("last peer p99 µs", last.value_at_quantile(0.99) as f64),
        ("median peer p50 µs", median.value_at_quantile(0.5) as f64),
        ("first peer p50 µs", first.value_at_quantile(0.5) as f64),
    ]))
}

/// Waits until so many hubs read the stream: whoever does so hears all that is said from then on.
fn wait_for_readers(server: &Hub, count: usize) -> Result<(), String> {
    let mut stream = TcpStream::connect(server.addr).map_err(told)?;
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .map_err(told)?;
    stream
        .write_all(b"CONNECT {\"verbose\":false}\r\nSUB _ask 1\r\n")
        .map_err(told)?;
    let wanted = format!("\"consumer_count\":{count}");
    let begin = Instant::now();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains(&wanted) {
        if begin.elapsed() > Duration::from_secs(10) {
            return Err("the hubs do not read the stream".to_owned());
        }
        stream
            .write_all(b"PUB $JS.API.STREAM.INFO.MUXNC_bench _ask 0\r\n\r\n")
            .map_err(told)?;
        let mut bytes = [0; 4096];
        // Where nothing comes it is asked again.
        if let Ok(read) = stream.read(&mut bytes) {
            answer.extend_from_slice(&bytes[..read]);
        }
    }
    Ok(())
}
