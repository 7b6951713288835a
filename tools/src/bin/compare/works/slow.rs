//! W6: 29 peers read, one never does. The 29 must get everything, and the hub must not keep it all.

use std::time::Duration;

use crate::load::Load;
use crate::subjects::HUBS;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::Room;

const READERS: usize = 29;
const LINE: usize = 64;
const TOTAL: u64 = 64 << 20;

/// Longer than any hub takes to decide about the peer that does not read.
const LIMIT: Duration = Duration::from_secs(30);

/// muxnc's two policies; the others have one.
pub fn cases(_: &Plan) -> Vec<Case> {
    let cut = "--slow-peer=disconnect";
    vec![
        Case {
            work: "W6",
            title: "as it is".to_owned(),
            subjects: HUBS.to_vec(),
            measure: Box::new(|subject, plan| measure(subject, &[], plan)),
        },
        Case {
            work: "W6",
            title: cut.to_owned(),
            subjects: vec![Subject::Floor, Subject::Muxnc],
            measure: Box::new(move |subject, plan| measure(subject, &[cut], plan)),
        },
    ]
}

fn measure(subject: Subject, extra: &[&str], plan: &Plan) -> Result<Figures, String> {
    let mut room = Room::fan_out(subject, Role::FanOut, READERS, LINE, extra, plan)?;
    let dead = room.hub.dialect.connect(room.hub.addr, 1000, true)?;
    room.hub.wait_for_peers(READERS + 1)?;
    let lines = (TOTAL / LINE as u64).min(subject.deliveries() / READERS as u64);
    room.send(lines);
    let before = room.hub.process.cpu();
    let time = room.load.run(LIMIT)?;
    let used = room.hub.process.cpu() - before;
    let peak = room.hub.process.memory("VmHWM:");
    let gigabytes = lines as f64 * (READERS * LINE) as f64 / 1e9;
    let figures = Figures::new([
        ("CPU s/GB", used / gigabytes),
        ("peak MiB", peak / 1048576.0),
        ("wall s", time.as_secs_f64()),
    ]);
    let told = matches!(subject, Subject::Muxnc | Subject::Before | Subject::Floor);
    let kept = told && !Load::ends_within(dead, Duration::from_secs(2));
    Ok(figures.flawed(kept, "the dead peer was not cut off"))
}
