//! W2: some of 30 peers send, all the others receive; every line must arrive whole.
//!
//! Of a netcat's peers the senders are among the 30, and nobody is sent what they said. Publishers
//! are beside the 30 subscribers instead, since a subscriber of these servers says nothing else.

use std::rc::Rc;

use crate::dialect::Dialect;
use crate::load::DEADLINE;
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
use crate::works::told;
use crate::works::volume;

const LINE: usize = 64;

/// How many senders among how many peers.
pub fn cases(_: &Plan) -> Vec<Case> {
    let cases = [(1, 30), (3, 30), (29, 30), (10, 300)];
    cases
        .map(|(senders, peers)| Case {
            work: "W2",
            title: format!("{senders} of {peers} send"),
            subjects: HUBS.to_vec(),
            measure: Box::new(move |subject, plan| measure(subject, senders, peers, plan)),
        })
        .into()
}

fn measure(subject: Subject, senders: usize, peers: usize, plan: &Plan) -> Result<Figures, String> {
    let mut hub = subject.hub(Role::Relay, &[], &plan.scratch)?;
    let dialect = hub.dialect;
    let patterns = |of: fn(Dialect, usize, usize) -> Pattern| -> Rc<[Pattern]> {
        (0..senders).map(|i| of(dialect, i, LINE)).collect()
    };
    let (sent, received) = (patterns(Dialect::sent), patterns(Dialect::received));
    let among = dialect == Dialect::Plain;
    let others = if among { peers - 1 } else { peers };

    let deliveries = (volume(plan) / LINE as u64).min(subject.deliveries());
    let lines = (deliveries / (senders * others) as u64).max(16);
    let want = lines * received[0].line() as u64;
    let mut load = Load::new().map_err(told)?;
    for id in 0..peers {
        let heard = senders - usize::from(among && id < senders);
        let ledger = Ledger::new(&received, want * heard as u64);
        let ledger = ledger.with_interlude(dialect.interlude());
        let stream = Stream::tcp(dialect.connect(hub.addr, id, true)?).map_err(told)?;
        load.add(stream, Some(ledger)).map_err(told)?;
    }
    hub.wait_for_peers(peers)?;
    for i in 0..senders {
        let key = match among {
            true => i,
            false => {
                let stream = dialect.connect(hub.addr, peers + i, false)?;
                load.add(Stream::tcp(stream).map_err(told)?, None)
                    .map_err(told)?
            }
        };
        load.feed(key, &sent, i, lines * sent[0].line() as u64);
    }
    let before = hub.process.cpu();
    let time = load.run(DEADLINE)?;
    let used = hub.process.cpu() - before;
    let gigabytes = (lines * (senders * others * LINE) as u64) as f64 / 1e9;
    let figures = Figures::new([
        ("CPU s/GB", used / gigabytes),
        ("wall s/GB", time.as_secs_f64() / gigabytes),
    ]);
    Ok(figures.flawed(load.torn() > 0, "lines torn"))
}
