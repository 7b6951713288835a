//! W1: one source, any number of peers, as fast as it goes.

use crate::load::DEADLINE;
use crate::subjects::HUBS;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::Room;
use crate::works::volume;

/// How many peers, and lines of how many bytes.
pub fn cases(_: &Plan) -> Vec<Case> {
    let peers = [1, 30, 300, 3000, 10_000];
    let lines = [16, 64, 1024];
    let cases = peers.into_iter().flat_map(|n| lines.map(|line| (n, line)));
    cases
        .map(|(n, line)| case("W1", &HUBS, Role::FanOut, n, line))
        .collect()
}

/// So many peers in that role, and lines of so many bytes.
pub fn case(
    work: &'static str,
    subjects: &[Subject],
    role: Role,
    peers: usize,
    line: usize,
) -> Case {
    Case {
        work,
        title: format!("{peers} × {line} B"),
        subjects: subjects.to_vec(),
        measure: Box::new(move |subject, plan| measure(subject, role, peers, line, plan)),
    }
}

/// Processor time of the hub per gigabyte of lines delivered.
///
/// # Errors
/// A peer did not get what was sent.
pub fn measure(
    subject: Subject,
    role: Role,
    peers: usize,
    line: usize,
    plan: &Plan,
) -> Result<Figures, String> {
    let mut room = Room::fan_out(subject, role, peers, line, &[], plan)?;
    let lines = volume(plan) / (peers * line) as u64;
    let lines = lines.min(subject.deliveries() / peers as u64).max(16);
    room.send(lines);
    let before = room.hub.cpu();
    let time = room.load.run(DEADLINE)?;
    let used = room.hub.cpu() - before;
    let gigabytes = lines as f64 * (peers * line) as f64 / 1e9;
    Ok(Figures::new([
        ("CPU s/GB", used / gigabytes),
        ("wall s/GB", time.as_secs_f64() / gigabytes),
    ]))
}
