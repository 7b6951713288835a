//! Autobahn's test suite (<https://github.com/crossbario/autobahn-testsuite>), if its program `wstest` is
//! installed. It sends what has to be sent back; so what it judges whole is a server of a few lines around
//! the frames of the engine, and of a hub how each case ends.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use muxnc::engine::web::answer::upgrade;
use muxnc::engine::web::frame;
use muxnc::engine::web::frame::Event;
use muxnc::engine::web::frame::Opcode;
use muxnc::engine::web::frame::Reader;
use muxnc::engine::web::origin::Origins;
use muxnc::engine::web::request;
use muxnc::engine::web::request::Asked;
use serde_json::Value;

use crate::Hub;
use crate::support::Folder;

/// Messages of the suite have up to 16 MiB.
const MAX: u64 = 32 * 1024 * 1024;

/// Sends back every message that comes over a connection.
fn echo(mut stream: TcpStream, names: &[String]) -> std::io::Result<()> {
    let origins = Origins {
        local: stream.local_addr()?,
        is_secure: false,
        names,
        allowed: names,
    };
    let (mut head, mut byte) = (Vec::new(), [0]);
    let join = loop {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        match request::read(&head, &origins) {
            Ok(None) => {}
            Ok(Some(Asked::Join(join))) => break join,
            other => panic!("{other:?}"),
        }
    };
    stream.write_all(&upgrade(&join.accept))?;
    let (mut reader, mut message) = (Reader::new(MAX), Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let (mut at, mut out, mut is_over) = (0, Vec::new(), false);
        loop {
            match reader.read(&mut buffer[..count], &mut at) {
                Ok(None) => break,
                Ok(Some(Event::Piece {
                    at,
                    is_binary,
                    ends,
                })) => {
                    message.extend_from_slice(&buffer[at]);
                    if ends {
                        let opcode = if is_binary {
                            Opcode::Binary
                        } else {
                            Opcode::Text
                        };
                        frame::push(opcode, &std::mem::take(&mut message), &mut out);
                    }
                }
                Ok(Some(Event::Ping)) => frame::push(Opcode::Pong, reader.control(), &mut out),
                Ok(Some(Event::Pong)) => {}
                Ok(Some(Event::Close(code))) => {
                    let code = code.map(u16::to_be_bytes);
                    let payload = code.as_ref().map_or(&[][..], |code| code);
                    frame::push(Opcode::Close, payload, &mut out);
                    is_over = true;
                }
                Err(violation) => {
                    frame::push_close(Some(violation.code as u16), &mut out);
                    is_over = true;
                }
            }
        }
        stream.write_all(&out)?;
        if is_over {
            // Closed with something unread, what was written may be lost on its way (RFC 1122, 4.2.2.13).
            stream.shutdown(Shutdown::Write)?;
            while stream.read(&mut buffer)? > 0 {}
            return Ok(());
        }
    }
}

/// What a case came to: what was done, how it was closed, and the code that the fuzzer was told.
type Outcome = (String, String, Option<u64>);

/// Lets its client loose on a server at that port; `None` if it is not installed.
fn fuzz(port: u16) -> Option<Vec<(String, Outcome)>> {
    let found = std::env::var("PATH").unwrap_or_default();
    if !std::env::split_paths(&found).any(|place| place.join("wstest").exists()) {
        // It needs a Python that no Debian has any more, so that CI cannot ask for it.
        let _ = writeln!(std::io::stderr(), "left out: a test that needs wstest");
        return None;
    }
    let folder = Folder::new("autobahn");
    // Of its cases those of compression (12, 13) are of an extension, and those of speed (9) take minutes.
    let spec = format!(
        r#"{{"outdir": "reports", "servers": [{{"agent": "muxnc", "url": "ws://127.0.0.1:{port}/socket"}}],
        "cases": ["*"], "exclude-cases": ["9.*", "12.*", "13.*"], "exclude-agent-cases": {{}}}}"#
    );
    std::fs::write(folder.0.join("spec.json"), spec).unwrap();
    // It takes a minute where it waits in vain for what it sent.
    let output = Command::new("timeout")
        .args(["300", "wstest", "-m", "fuzzingclient", "-s", "spec.json"])
        .current_dir(&folder.0)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report = std::fs::read_to_string(folder.0.join("reports/index.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let cases = report["muxnc"].as_object().unwrap().iter();
    let cases = cases.map(|(id, case)| {
        let code = case["remoteCloseCode"].as_u64();
        let outcome = (text(case, "behavior"), text(case, "behaviorClose"), code);
        (id.clone(), outcome)
    });
    let cases: Vec<_> = cases.collect();
    assert!(cases.len() > 200, "only {} cases", cases.len());
    Some(cases)
}

#[test]
fn autobahns_cases_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || echo(stream.unwrap(), &[String::from("127.0.0.1")]));
        }
    });
    let Some(cases) = fuzz(port) else { return };
    for (id, (behavior, close, _)) in cases {
        assert!(
            ["OK", "INFORMATIONAL"].contains(&&*behavior),
            "{id}: {behavior}"
        );
        assert!(
            ["OK", "INFORMATIONAL"].contains(&&*close),
            "{id}: closed {close}"
        );
    }
}

/// A hub sends nothing back, and says hello first: what it is sent is judged by how that ends.
#[test]
fn autobahns_cases_end_at_a_hub_as_they_should() {
    let hub = Hub::start(&[]);
    let Some(cases) = fuzz(hub.web) else { return };
    let mut judged = 0;
    for (id, (_, close, code)) in cases {
        match (&*close, code) {
            ("OK" | "INFORMATIONAL", _) => judged += 1,
            // It waited for what it had sent, and went.
            ("WRONG CODE", Some(1001)) => {}
            other => panic!("{id}: {other:?}"),
        }
    }
    assert!(judged > 150, "only {judged}");
}
