//! W13: where one processor ends: what a line costs a hub of up to 19,000 members, and when the last one has it.
//!
//! Two costs say all of it: that of a line which is written to each member by itself, and that of one among many
//! which are written together. There the next line, or the next thousand, is said when everybody has what was
//! said before. A thousand lines a second, which do not wait for anybody, show whether it comes out as they say.

use std::rc::Rc;
use std::time::Duration;

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
use crate::works::Room;
use crate::works::latency;
use crate::works::told;

const SUBJECTS: [Subject; 2] = [Subject::Floor, Subject::Muxnc];

/// The most is as many as 20,000 descriptors allow, a common hard limit.
const MEMBERS: [usize; 4] = [1000, 3000, 10_000, 19_000];

const LINE: usize = 64;

/// Between two lines, for each member: twice what it takes to write to it.
const PAUSE: Duration = Duration::from_micros(30);

/// Lines in a second, of those that wait for nobody.
const RATE: u32 = 1000;

/// Lines that are said together: one read of the hub, and one write to each member.
const TOGETHER: u64 = 1000;

/// Lines one by one; lines at a rate; lines that come together, from stdin and from a member.
pub fn cases(_: &Plan) -> Vec<Case> {
    let case = |title, measure| Case {
        work: "W13",
        title,
        subjects: SUBJECTS.to_vec(),
        measure,
    };
    let typed = MEMBERS.map(|n| {
        case(
            format!("{n}: one line at a time"),
            Box::new(move |subject, plan: &Plan| {
                latency::from_stdin(subject, n, plan.pick(100, 20), PAUSE * n as u32, plan)
            }),
        )
    });
    let steady = MEMBERS.map(|n| {
        case(
            format!("{n}: {RATE} lines/s"),
            Box::new(move |subject, plan: &Plan| {
                let lines = plan.pick(5, 1) * u64::from(RATE);
                latency::from_stdin(subject, n, lines, Duration::from_secs(1) / RATE, plan)
            }),
        )
    });
    let together = MEMBERS.map(|n| {
        case(
            format!("{n}: {TOGETHER} lines together"),
            Box::new(move |subject, plan: &Plan| from_stdin(subject, n, plan)),
        )
    });
    let relayed = MEMBERS.map(|n| {
        case(
            format!("{n}: {TOGETHER} lines together of a member"),
            Box::new(move |subject, plan: &Plan| from_member(subject, n, plan)),
        )
    });
    let all = typed.into_iter().chain(steady);
    all.chain(together).chain(relayed).collect()
}

fn from_stdin(subject: Subject, members: usize, plan: &Plan) -> Result<Figures, String> {
    let Room {
        hub,
        mut load,
        source,
        sent,
        ..
    } = Room::fan_out(subject, Role::FanOut, members, LINE, &[], plan)?;
    in_step(&hub, &mut load, source, &sent, members, plan)
}

fn from_member(subject: Subject, members: usize, plan: &Plan) -> Result<Figures, String> {
    let mut hub = subject.hub(Role::Relay, &[], &plan.scratch)?;
    let patterns: Rc<[Pattern]> = [Pattern::new(0, LINE)].into();
    let mut load = Load::new().map_err(told)?;
    for id in 0..=members {
        let stream = Stream::tcp(Dialect::Plain.connect(hub.addr, id, true)?).map_err(told)?;
        // The first one speaks.
        let ledger = (id > 0).then(|| Ledger::new(&patterns, 0));
        load.add(stream, ledger).map_err(told)?;
    }
    hub.wait_for_peers(members + 1)?;
    in_step(&hub, &mut load, 0, &patterns, members, plan)
}

/// Says some lines, waits until everybody has them, and says the next ones.
fn in_step(
    hub: &Hub,
    load: &mut Load,
    source: usize,
    patterns: &Rc<[Pattern]>,
    members: usize,
    plan: &Plan,
) -> Result<Figures, String> {
    let mut step = || {
        let bytes = TOGETHER * LINE as u64;
        load.feed(source, patterns, 0, bytes);
        load.expect(bytes);
        load.run(DEADLINE)
    };
    // The buffers of the connections grow at first.
    step()?;
    let steps = plan.pick(12, 4);
    let before = hub.cpu();
    let mut time = Duration::ZERO;
    for _ in 0..steps {
        time += step()?;
    }
    let used = hub.cpu() - before;
    let lines = (steps * TOGETHER) as f64;
    Ok(Figures::new([
        ("CPU ns/delivered line", used * 1e9 / lines / members as f64),
        ("CPU µs/line", used * 1e6 / lines),
        (
            "ms until all have them",
            time.as_secs_f64() * 1e3 / steps as f64,
        ),
    ]))
}
