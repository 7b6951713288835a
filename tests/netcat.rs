//! What whoever knows nc and ncat relies on, from their manuals: each of the cases below is tried
//! with them, too, where they are installed, and they agree but where it says why not.

mod support;

use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use support::DEADLINE;
use support::MUXNC;
use support::Process;
use support::installed;
use support::muxnc;
use support::piped;
use support::read_all;
use support::reserved_port;

const HOST: &str = "127.0.0.1";

/// The netcats that are installed, and muxnc: whatever is said of all is said of these.
fn netcats() -> Vec<&'static str> {
    let mut all = vec![MUXNC];
    all.extend(["nc.openbsd", "ncat"].iter().filter(|nc| installed(&[nc])));
    all
}

/// Somebody who listens, and where.
fn server() -> (TcpListener, String) {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

/// The next to come, with deadlines.
#[track_caller]
fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

// -z

#[test]
fn z_connects_sends_nothing_and_leaves() {
    for nc in netcats() {
        let (listener, port) = server();
        let mut probe = Process::start(&mut piped(nc, &["-z", HOST, &port]));
        // It may be gone already.
        let _ = probe.stdin.as_mut().unwrap().write_all(b"never sent\n");
        assert_eq!(read_all(&mut accept(&listener)), b"", "{nc}");
        probe.expect_status(0);
        assert_eq!(probe.stdout.bytes(), b"", "{nc}");
        assert_eq!(probe.stderr.text(), "", "{nc}");
    }
}

#[test]
fn z_fails_where_nothing_listens() {
    let (_held, port) = reserved_port();
    for nc in netcats() {
        let mut probe = Process::start(&mut piped(nc, &["-z", HOST, &port.to_string()]));
        probe.expect_status(1);
        assert_eq!(probe.stdout.bytes(), b"", "{nc}");
        if nc == MUXNC {
            let text = probe.stderr.text();
            let said = format!("muxnc: connect to 127.0.0.1:{port}: connection refused\n");
            assert!(text.starts_with(&said), "{text}");
        }
    }
}

#[test]
fn z_says_with_v_that_something_listens() {
    let (_listener, port) = server();
    let mut probe = muxnc(&["-zv", HOST, &port]);
    probe.expect_status(0);
    assert_eq!(
        probe.stderr.text(),
        format!("muxnc: connected to 127.0.0.1:{port}\n")
    );
}

#[test]
fn z_respects_where_from_and_which_family() {
    let (listener, port) = server();
    let (held, from) = reserved_port();
    drop(held);
    let from = from.to_string();
    muxnc(&["-z", "-s", HOST, "-p", &from, HOST, &port]).expect_status(0);
    assert_eq!(
        accept(&listener).peer_addr().unwrap().port().to_string(),
        from
    );
    muxnc(&["-z", "-4", "localhost", &port]).expect_status(0);
    muxnc(&["-z", "-6", "localhost", &port]).expect_status(1);
    muxnc(&["-z", "-6", HOST, &port]).expect_status(2);
    muxnc(&["-z", "-n", "localhost", &port]).expect_status(2);
    if let Ok(six) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        let port = six.local_addr().unwrap().port().to_string();
        muxnc(&["-z", "-6", "::1", &port]).expect_status(0);
        muxnc(&["-z", "-4", "::1", &port]).expect_status(2);
    }
}

#[test]
fn z_gives_up_when_w_has_passed() {
    // Nobody accepts, and what the kernel would accept by itself is used up.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    let port = addr.port().to_string();
    let start = Instant::now();
    let mut probe = muxnc(&["-z", "-w", "300ms", HOST, &port]);
    probe.expect_status(1);
    assert!(start.elapsed() >= Duration::from_millis(300));
    let text = probe.stderr.text();
    assert!(text.contains(": timed out\n"), "{text}");
}

#[test]
fn z_is_for_one_port_and_not_for_listening() {
    let mut range = muxnc(&["-z", HOST, "20-25"]);
    range.expect_status(2);
    assert_eq!(
        range.stderr.text(),
        "muxnc: port '20-25': muxnc tests one port\n  For many, call it for each, or use nmap.\n"
    );
    for args in [
        &["-z", "-l", "0"][..],
        &["-z", HOST],
        &["-z", HOST, "20", "25"],
        &["-z", HOST, "-20"],
        &["-z", HOST, "0"],
        &["-z", "--send-only", HOST, "20"],
    ] {
        muxnc(args).expect_status(2);
    }
}
