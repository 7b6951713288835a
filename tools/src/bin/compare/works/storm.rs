//! W5: everybody connects at once; how long until each was served.
//!
//! Served means, of a netcat: the line that the peer sent as its first came out of the hub's
//! stdout. Of a server: it confirmed the subscription.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::net::TcpStream;
use mio::unix::pipe::Receiver;

use crate::dialect::Dialect;
use crate::subjects::HUBS;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::told;

const STDOUT: Token = Token(usize::MAX);
const LINE: usize = 8;
const DEADLINE: Duration = Duration::from_secs(20);

/// How many come at once.
pub fn cases(_: &Plan) -> Vec<Case> {
    [300, 3000, 10_000]
        .map(|peers| Case {
            work: "W5",
            title: format!("{peers} at once"),
            subjects: HUBS.to_vec(),
            measure: Box::new(move |subject, plan| measure(subject, peers, plan)),
        })
        .into()
}

struct Arriving {
    stream: TcpStream,
    greeted: bool,
    served: bool,
    answer: Vec<u8>,
}

fn measure(subject: Subject, peers: usize, plan: &Plan) -> Result<Figures, String> {
    let mut hub = subject.hub(Role::Gather, &[], &plan.scratch)?;
    let dialect = hub.dialect;
    let mut poll = Poll::new().map_err(told)?;
    let mut events = Events::with_capacity(1024);
    let mut stdout = hub.process.stdout().map(Receiver::from);
    if let Some(stdout) = &mut stdout {
        stdout.set_nonblocking(true).map_err(told)?;
        let registry = poll.registry();
        registry
            .register(stdout, STDOUT, Interest::READABLE)
            .map_err(told)?;
    }
    let before = hub.process.cpu();
    let begin = Instant::now();
    let mut all = Vec::with_capacity(peers);
    for id in 0..peers {
        let mut stream = TcpStream::connect(hub.addr).map_err(told)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(id), both)
            .map_err(told)?;
        all.push(Arriving {
            stream,
            greeted: false,
            served: false,
            answer: Vec::new(),
        });
    }
    let mut served = 0;
    let mut printed = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while served < peers {
        if begin.elapsed() > DEADLINE {
            return Err(format!(
                "served {served} of {peers} in {} s",
                DEADLINE.as_secs()
            ));
        }
        poll.poll(&mut events, Some(Duration::from_millis(500)))
            .or_else(|e| (e.kind() == ErrorKind::Interrupted).then_some(()).ok_or(e))
            .map_err(told)?;
        for event in &events {
            if event.token() == STDOUT {
                let Some(stdout) = &mut stdout else { continue };
                while let Ok(count) = stdout.read(&mut buffer) {
                    if count == 0 {
                        return Err(format!("it ended after it served {served} of {peers}"));
                    }
                    printed.extend_from_slice(&buffer[..count]);
                }
                let whole = printed.len() / LINE * LINE;
                for line in printed[..whole].chunks(LINE) {
                    let id = std::str::from_utf8(line)
                        .ok()
                        .and_then(|l| l.trim().parse().ok());
                    let Some(one) = id.and_then(|id: usize| all.get_mut(id)) else {
                        return Err(format!("nobody sent {:?}", String::from_utf8_lossy(line)));
                    };
                    if std::mem::replace(&mut one.served, true) {
                        return Err("a line was printed twice".to_owned());
                    }
                    served += 1;
                }
                printed.drain(..whole);
                continue;
            }
            let id = event.token().0;
            let one = &mut all[id];
            if event.is_writable() && !one.greeted {
                let hello = match dialect {
                    Dialect::Plain => format!("{id:07}\n").into_bytes(),
                    _ => dialect.subscribe(id),
                };
                match one.stream.write(&hello) {
                    Ok(_) => one.greeted = true,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => {
                        return Err(format!("served {served} of {peers}: {error}"));
                    }
                }
            }
            if event.is_readable() && dialect != Dialect::Plain && !one.served {
                while let Ok(count) = one.stream.read(&mut buffer) {
                    if count == 0 {
                        return Err(format!("peer {id} was closed on"));
                    }
                    one.answer.extend_from_slice(&buffer[..count]);
                }
                if one.greeted && dialect.is_welcome(&one.answer, true) {
                    one.served = true;
                    served += 1;
                }
            }
        }
    }
    let time = begin.elapsed().as_secs_f64();
    let used = hub.process.cpu() - before;
    Ok(Figures::new([
        ("CPU µs/peer", used * 1e6 / peers as f64),
        ("wall µs/peer", time * 1e6 / peers as f64),
    ]))
}
