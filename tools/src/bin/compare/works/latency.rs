//! W3: lines on a schedule, and how long each takes to the first, the median and the last peer.

use std::rc::Rc;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::load::Latency;
use crate::load::Ledger;
use crate::load::Load;
use crate::load::Pattern;
use crate::load::Stream;
use crate::subjects::HUBS;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::Room;
use crate::works::told;

const LINE: usize = 64;
const INTERVAL: Duration = Duration::from_millis(5);

/// From stdin, and from one of the peers.
pub fn cases(_: &Plan) -> Vec<Case> {
    let calm = [1, 30, 300, 3000].map(|peers| Case {
        work: "W3",
        title: format!("stdin to {peers}"),
        subjects: HUBS.to_vec(),
        measure: Box::new(move |subject, plan| {
            from_stdin(subject, peers, lines(plan, INTERVAL), INTERVAL, plan)
        }),
    });
    // Where lines come faster than they can be told to everybody one by one.
    let rates = [(30, 5000), (300, 5000), (300, 20_000)];
    let busy = rates.map(|(peers, rate)| Case {
        work: "W3",
        title: format!("stdin to {peers}, {rate} lines/s"),
        subjects: vec![Subject::Floor, Subject::Muxnc, Subject::Ncat],
        measure: Box::new(move |subject, plan| {
            let interval = Duration::from_secs(1) / rate;
            from_stdin(subject, peers, lines(plan, interval), interval, plan)
        }),
    });
    let from_peer = [30, 300].map(|peers| Case {
        work: "W3",
        title: format!("a peer to {}", peers - 1),
        subjects: vec![Subject::Floor, Subject::Muxnc, Subject::Ncat],
        measure: Box::new(move |subject, plan| from_peer(subject, peers, plan)),
    });
    calm.into_iter().chain(busy).chain(from_peer).collect()
}

/// So many lines to so many peers, one in each interval.
///
/// # Errors
/// A peer did not get what was sent.
pub fn from_stdin(
    subject: Subject,
    peers: usize,
    lines: u64,
    interval: Duration,
    plan: &Plan,
) -> Result<Figures, String> {
    let mut room = Room::fan_out(subject, Role::FanOut, peers, LINE, &[], plan)?;
    room.load.feed(room.source, &room.sent, 0, 0);
    let (line, wire) = (room.sent[0].line(), room.received[0].line());
    let before = room.hub.process.cpu();
    let latency = room.load.paced(room.source, line, wire, lines, interval)?;
    let used = room.hub.process.cpu() - before;
    Ok(figures(&latency, used / lines as f64))
}

fn from_peer(subject: Subject, peers: usize, plan: &Plan) -> Result<Figures, String> {
    let mut hub = subject.hub(Role::Relay, &[], &plan.scratch)?;
    let patterns: Rc<[Pattern]> = [Pattern::new(0, LINE)].into();
    let mut load = Load::new().map_err(told)?;
    let mut sender = 0;
    for id in 0..peers {
        let stream = Stream::tcp(Dialect::Plain.connect(hub.addr, id, true)?).map_err(told)?;
        // The sender is in the middle, so that its place in the hub's order says nothing.
        let ledger = (id != peers / 2).then(|| Ledger::new(&patterns, 0));
        let sends = ledger.is_none();
        let key = load.add(stream, ledger).map_err(told)?;
        if sends {
            sender = key;
        }
    }
    hub.wait_for_peers(peers)?;
    load.feed(sender, &patterns, 0, 0);
    let before = hub.process.cpu();
    let latency = load.paced(sender, LINE, LINE, lines(plan, INTERVAL), INTERVAL)?;
    let used = hub.process.cpu() - before;
    Ok(figures(&latency, used / lines(plan, INTERVAL) as f64))
}

/// As many as are due in five seconds, or in one.
fn lines(plan: &Plan, interval: Duration) -> u64 {
    let seconds = Duration::from_secs(plan.pick(5, 1));
    seconds.div_duration_f64(interval).round() as u64
}

fn figures(latency: &Latency, cpu: f64) -> Figures {
    let [first, median, last] = [&latency.first, &latency.median, &latency.last];
    Figures::new([
        ("last peer p50 µs", last.value_at_quantile(0.5) as f64),
        ("last peer p99 µs", last.value_at_quantile(0.99) as f64),
        ("median peer p50 µs", median.value_at_quantile(0.5) as f64),
        ("median peer p99 µs", median.value_at_quantile(0.99) as f64),
        ("first peer p50 µs", first.value_at_quantile(0.5) as f64),
        ("first peer p99 µs", first.value_at_quantile(0.99) as f64),
        ("CPU µs/line", cpu * 1e6),
    ])
}
