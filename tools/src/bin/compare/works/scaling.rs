//! How the cost of a delivered byte grows with the number of peers, with the share of them that
//! are stalled, and with peers that are idle beside active ones. It should not grow.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use crate::load::DEADLINE;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::Room;
use crate::works::fan_out;
use crate::works::gather;
use crate::works::told;

const SUBJECTS: [Subject; 2] = [Subject::Floor, Subject::Muxnc];
const LINE: usize = 64;

/// Peers who read, of whom a share may stop.
const PEERS: usize = 300;

/// What is sent past the stalled ones, once the kernel takes no more for them: with what they are
/// owed by then, little enough that no hub has to do anything about them.
const STEPS: u64 = 128;
const STEP: u64 = 4096;

/// Peers who speak, beside the idle ones.
const ACTIVE: usize = 30;

/// The three laws.
pub fn cases(_: &Plan) -> Vec<Case> {
    let case = |title, measure| Case {
        work: "scaling",
        title,
        subjects: SUBJECTS.to_vec(),
        measure,
    };
    let peers = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000].map(|n| {
        case(
            format!("stdin to {n} peers"),
            Box::new(move |subject, plan: &Plan| {
                fan_out::measure(subject, Role::FanOut, n, LINE, plan)
            }),
        )
    });
    let stalled = [0, 10, 25, 50].map(|share| {
        case(
            format!("{share} % of {PEERS} peers stalled"),
            Box::new(move |subject, plan: &Plan| stalled(subject, share, plan)),
        )
    });
    let idle = [0, 100, 1000, 10_000].map(|n| {
        case(
            format!("{ACTIVE} peers to stdout beside {n} idle"),
            Box::new(move |subject, plan: &Plan| gather::measure(subject, ACTIVE, n, plan)),
        )
    });
    let mut all: Vec<Case> = Vec::new();
    all.extend(peers);
    all.extend(stalled);
    all.extend(idle);
    all
}

/// The stalled ones have the least receive buffer there is, so that they owe at once.
fn stalled(subject: Subject, share: usize, plan: &Plan) -> Result<Figures, String> {
    let stalled = PEERS * share / 100;
    let active = PEERS - stalled;
    let mut room = Room::fan_out(subject, Role::FanOut, active, LINE, &[], plan)?;
    let held: Result<Vec<Socket>, String> = (0..stalled)
        .map(|_| deaf(room.hub.addr).map_err(told))
        .collect();
    let held = held?;
    room.hub.wait_for_peers(PEERS)?;
    fill(&mut room, &held)?;
    let before = room.hub.process.cpu();
    let mut time = Duration::ZERO;
    for _ in 0..STEPS {
        room.send(STEP / LINE as u64);
        time += room.load.run(DEADLINE)?;
    }
    let used = room.hub.process.cpu() - before;
    let gigabytes = (STEPS * STEP) as f64 * active as f64 / 1e9;
    Ok(Figures::new([
        ("CPU s/GB", used / gigabytes),
        ("wall s/GB", time.as_secs_f64() / gigabytes),
    ]))
}

/// Sends until the kernel takes no more for the stalled ones, who only then cost nothing: its
/// buffers are some megabytes.
fn fill(room: &mut Room, stalled: &[Socket]) -> Result<(), String> {
    let mut ports = HashSet::new();
    for socket in stalled {
        let addr = socket.local_addr().map_err(told)?;
        ports.extend(addr.as_socket().map(|addr| addr.port()));
    }
    let (mut last, mut same) = (u64::MAX, 0);
    while same < 2 && !stalled.is_empty() {
        room.send(16 * STEP / LINE as u64);
        room.load.run(DEADLINE)?;
        let queued = queued(room.hub.addr.port(), &ports);
        same = if queued == last { same + 1 } else { 0 };
        last = queued;
    }
    Ok(())
}

/// Bytes that the kernel keeps for connections from `local` to `remote` ports.
fn queued(local: u16, remote: &HashSet<u16>) -> u64 {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
    let port = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
    let lines = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (from, to) = (port(fields.get(1)?)?, port(fields.get(2)?)?);
        let waiting = fields.get(4)?.split(':').next()?;
        let waiting = u64::from_str_radix(waiting, 16).ok()?;
        (from == local && remote.contains(&to)).then_some(waiting)
    });
    lines.sum()
}

fn deaf(addr: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(2048)?;
    socket.connect(&addr.into())?;
    Ok(socket)
}
