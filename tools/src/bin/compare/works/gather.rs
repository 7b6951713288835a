//! W9: what peers send comes out of the hub's stdout, in whole lines.

use std::rc::Rc;

use crate::dialect::Dialect;
use crate::load::DEADLINE;
use crate::load::Ledger;
use crate::load::Load;
use crate::load::Pattern;
use crate::load::Stream;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::told;

const LINE: usize = 64;
const SENDERS: usize = 30;

/// 30 senders; and one, for those that can serve no more.
pub fn cases(_: &Plan) -> Vec<Case> {
    use Subject::{Floor, FloorSplice, Muxnc, NcOpenbsd, NcTraditional, Ncat, Socat};
    let many = vec![Floor, Muxnc, Ncat];
    let one = vec![
        Floor,
        FloorSplice,
        Muxnc,
        Ncat,
        NcOpenbsd,
        NcTraditional,
        Socat,
    ];
    [(SENDERS, many), (1, one)]
        .map(|(senders, subjects)| Case {
            work: "W9",
            title: format!("{senders} send"),
            subjects,
            measure: Box::new(move |subject, plan| measure(subject, senders, 0, plan)),
        })
        .into()
}

/// Processor time of the hub per gigabyte of lines printed, with `idle` peers who say nothing.
///
/// # Errors
/// What was sent did not come out.
pub fn measure(
    subject: Subject,
    senders: usize,
    idle: usize,
    plan: &Plan,
) -> Result<Figures, String> {
    let mut hub = match subject {
        Subject::FloorSplice => subject.listener(&[])?,
        _ => subject.hub(Role::Gather, &[], &plan.scratch)?,
    };
    let patterns: Rc<[Pattern]> = (0..senders).map(|i| Pattern::new(i, LINE)).collect();
    let volume: u64 = plan.pick(1_000_000_000, 200_000_000);
    let each = volume / (senders * LINE) as u64 * LINE as u64;
    let total = each * senders as u64;
    let mut load = Load::new().map_err(told)?;
    let stdout = hub.process.stdout().ok_or("no stdout")?;
    let ledger = Ledger::new(&patterns, total);
    load.add(Stream::stdout(stdout).map_err(told)?, Some(ledger))
        .map_err(told)?;
    let mut held = Vec::with_capacity(idle);
    for id in 0..idle {
        held.push(Dialect::Plain.connect(hub.addr, id, true)?);
    }
    for i in 0..senders {
        let stream = Dialect::Plain.connect(hub.addr, i, true)?;
        let key = load
            .add(Stream::tcp(stream).map_err(told)?, None)
            .map_err(told)?;
        load.feed(key, &patterns, i, each);
    }
    if senders > 1 {
        hub.wait_for_peers(senders + idle)?;
    }
    let before = hub.process.cpu();
    let time = load.run(DEADLINE)?;
    let used = hub.process.cpu() - before;
    let gigabytes = total as f64 / 1e9;
    let figures = Figures::new([
        ("CPU s/GB", used / gigabytes),
        ("wall s/GB", time.as_secs_f64() / gigabytes),
    ]);
    Ok(figures.flawed(load.torn() > 0, "lines torn"))
}
