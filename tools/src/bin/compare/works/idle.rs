//! W4: what peers cost that do nothing: the hub's own memory, and how often it wakes.

use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use crate::subjects::HUBS;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::works::Case;
use crate::works::Figures;
use crate::works::PATIENCE;
use crate::works::Plan;

/// How many peers.
pub fn cases(plan: &Plan) -> Vec<Case> {
    vec![case("W4", &HUBS, Role::FanOut, plan.pick(10_000, 3000))]
}

/// So many peers in that role.
pub fn case(work: &'static str, subjects: &[Subject], role: Role, peers: usize) -> Case {
    Case {
        work,
        title: format!("{peers} idle peers"),
        subjects: subjects.to_vec(),
        measure: Box::new(move |subject, plan| measure(subject, role, peers, plan)),
    }
}

/// Memory of each, and what is done while they do nothing.
///
/// # Errors
/// The hub does not let everybody in.
fn measure(subject: Subject, role: Role, peers: usize, plan: &Plan) -> Result<Figures, String> {
    let mut hub = subject.hub(role, &[], &plan.scratch)?;
    let dialect = hub.dialect;
    // One comes and goes first, so that what is allocated once does not count.
    drop(dialect.join(hub.addr, 0)?);
    sleep(Duration::from_millis(300));
    let before = hub.memory();
    let mut held = Vec::with_capacity(peers);
    let begin = Instant::now();
    for id in 0..peers {
        if begin.elapsed() > PATIENCE {
            return Err(format!("let {id} of {peers} in, in {PATIENCE:?}"));
        }
        held.push(dialect.join(hub.addr, id)?);
    }
    hub.wait_for_peers(peers)?;
    // What it still had to do for them, it has done.
    sleep(Duration::from_millis(1500));
    let bytes = (hub.memory() - before) / peers as f64;
    let window = plan.pick(Duration::from_secs(5), Duration::from_secs(1));
    let (sleeps, cpu) = (hub.process.sleeps(), hub.process.cpu());
    sleep(window);
    let seconds = window.as_secs_f64();
    let wakes = (hub.process.sleeps() - sleeps) / seconds;
    let cpu = (hub.process.cpu() - cpu) / seconds;
    Ok(Figures::new([
        ("bytes/peer", bytes),
        ("wake-ups/s", wakes),
        ("CPU µs/s", cpu * 1e6),
    ]))
}
