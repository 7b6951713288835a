//! Autobahn's test suite (<https://github.com/crossbario/autobahn-testsuite>) against the frames of the engine, if
//! its program `wstest` is installed. It sends what has to be sent back; so what is tested is a server
//! of a few lines around them.

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

use crate::support::Folder;
use crate::support::Process;
use crate::support::piped;

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

#[test]
fn autobahns_cases_pass() {
    let found = std::env::var("PATH").unwrap_or_default();
    if !std::env::split_paths(&found).any(|place| place.join("wstest").exists()) {
        // It needs a Python that no Debian has any more, so that CI cannot ask for it.
        let _ = writeln!(std::io::stderr(), "left out: a test that needs wstest");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || echo(stream.unwrap(), &[String::from("127.0.0.1")]));
        }
    });
    let folder = Folder::new("autobahn");
    // Of its cases those of compression (12, 13) are of an extension, and those of speed (9) take minutes.
    let spec = format!(
        r#"{{"outdir": "reports", "servers": [{{"agent": "muxnc", "url": "ws://127.0.0.1:{port}/socket"}}],
        "cases": ["*"], "exclude-cases": ["9.*", "12.*", "13.*"], "exclude-agent-cases": {{}}}}"#
    );
    std::fs::write(folder.0.join("spec.json"), spec).unwrap();
    let mut command = piped("wstest", &["-m", "fuzzingclient", "-s", "spec.json"]);
    let mut tested = Process::start(Command::current_dir(&mut command, &folder.0));
    tested.expect_status(0);
    let report = std::fs::read_to_string(folder.0.join("reports/index.json")).unwrap();
    let count = |behavior: &str, how: &str| {
        report
            .matches(&format!("\"{behavior}\": \"{how}\""))
            .count()
    };
    let cases = report.matches("\"behavior\": ").count();
    let good = ["OK", "NON-STRICT", "INFORMATIONAL"].map(|how| count("behavior", how));
    let closed = ["OK", "INFORMATIONAL"].map(|how| count("behaviorClose", how));
    assert!(cases > 200, "only {cases} cases");
    assert_eq!(
        (good.iter().sum::<usize>(), closed.iter().sum::<usize>()),
        (cases, cases),
        "{report}"
    );
    assert_eq!(good[1], 0, "what is not strict: {report}");
}
