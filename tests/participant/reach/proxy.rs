//! Through proxies: scripted ones that do as they should, as they should not, and real ones.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::DEADLINE;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::accept;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::left_out;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::read_all;
use crate::support::reserved_port;

/// What a scripted proxy does next.
#[derive(Debug, Clone)]
enum Act {
    /// Reads exactly this; nothing else may come before the next act.
    Hear(Vec<u8>),
    /// Reads to an empty line, in which this must be and that must not.
    HearHead(&'static str, &'static str),
    /// Sends this in one piece.
    Say(Vec<u8>),
    /// Sends this in pieces of one byte.
    Drip(Vec<u8>),
    /// Sends this for ever, until the other side has enough.
    Flood(Vec<u8>),
    /// Closes, and takes the next connection.
    Hang,
    /// Says nothing until the other side closes.
    Wait,
    /// Is the destination: reads `hello` and its end.
    Hello,
}

use Act::Drip;
use Act::Flood;
use Act::Hang;
use Act::Hear;
use Act::HearHead;
use Act::Hello;
use Act::Say;
use Act::Wait;

fn hear(bytes: impl AsRef<[u8]>) -> Act {
    Hear(bytes.as_ref().to_vec())
}

fn say(bytes: impl AsRef<[u8]>) -> Act {
    Say(bytes.as_ref().to_vec())
}

/// A proxy that follows a script, in a thread.
struct Scripted {
    addr: SocketAddr,
    thread: JoinHandle<()>,
}

impl Scripted {
    fn new(acts: Vec<Act>) -> Scripted {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Scripted::at(listener, acts)
    }

    fn at(listener: TcpListener, acts: Vec<Act>) -> Scripted {
        let addr = listener.local_addr().unwrap();
        socket2::SockRef::from(&listener)
            .set_read_timeout(Some(DEADLINE))
            .unwrap();
        let thread = thread::spawn(move || follow(&listener, acts));
        Scripted { addr, thread }
    }

    /// The script must have been followed to its end.
    #[track_caller]
    fn finish(self) {
        eventually("the proxy's script ends", || self.thread.is_finished());
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

fn follow(listener: &TcpListener, acts: Vec<Act>) {
    let mut stream = accept(listener);
    for act in acts {
        match act {
            Hear(bytes) => {
                expect_bytes(&mut stream, bytes);
                expect_silence(&stream);
            }
            HearHead(with, without) => {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).expect("a head");
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                assert!(head.contains(with), "{head}");
                assert!(without.is_empty() || !head.contains(without), "{head}");
                expect_silence(&stream);
            }
            Say(bytes) => stream.write_all(&bytes).unwrap(),
            Drip(bytes) => {
                for byte in bytes {
                    stream.write_all(&[byte]).unwrap();
                    thread::sleep(Duration::from_millis(1));
                }
            }
            Flood(bytes) => while stream.write_all(&bytes).is_ok() {},
            Hang => {
                drop(stream);
                stream = accept(listener);
            }
            Wait => drop(stream.read_to_end(&mut Vec::new())),
            Hello => assert_eq!(read_all(&mut stream), b"hello\n"),
        }
    }
}

/// Nothing of what is to go to the destination may come before the proxy has answered. What would
/// come later than this is not found, but never is there a false alarm.
fn expect_silence(stream: &TcpStream) {
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    match stream.peek(&mut [0]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        other => panic!("something came too early: {other:?}"),
    }
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
}

/// Says `hello` through this proxy, and what comes must be this.
#[track_caller]
fn expect_talk(proxy: Scripted, args: &[&str], expected: &[u8]) {
    let place = proxy.addr.to_string();
    let mut all = vec!["--proxy", &place];
    all.extend(args);
    let mut alice = muxnc(&all);
    alice.type_in("hello\n");
    alice.end_input();
    proxy.finish();
    alice.expect_status(0);
    assert_eq!(alice.stdout.wait_end(), expected, "{args:?}");
    assert_eq!(alice.stderr.text(), "", "{args:?}");
}

/// It must fail with this reason, in which `PROXY` is the proxy, and say nothing on stdout.
#[track_caller]
fn expect_failure(proxy: Scripted, args: &[&str], expected: &str) {
    let place = proxy.addr.to_string();
    let mut all = vec!["--proxy", &place];
    all.extend(args);
    let mut alice = Process::start(piped(MUXNC, &all).stdin(Stdio::null()));
    alice.expect_status(1);
    let told = alice.stderr.text().replace(&place, "PROXY");
    assert!(
        told.starts_with(&format!("muxnc: {expected}")),
        "{told:?}, not {expected:?}"
    );
    assert_eq!(alice.stdout.wait_end(), b"");
    proxy.finish();
}

const CONNECT: &str = "CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n";
const YES: &str = "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n";

#[test]
fn what_the_destination_sends_at_once_is_not_lost() {
    // All 256 bytes, as they are, in the segment of the answer.
    let all: Vec<u8> = (0..=255).collect();
    for (kind, host, acts) in [
        (
            "http",
            "example.org",
            vec![hear(CONNECT), say([YES.as_bytes(), &all].concat())],
        ),
        (
            "socks4",
            "192.0.2.1",
            vec![
                hear(b"\x04\x01\x00\x50\xc0\x00\x02\x01\0"),
                say([&[0, 90, 0, 0, 0, 0, 0, 0], &all[..]].concat()),
            ],
        ),
        (
            "SOCKS4",
            "example.org",
            vec![
                hear(b"\x04\x01\x00\x50\0\0\0\x01\0example.org\0"),
                say([&[0, 90, 0, 0, 0, 0, 0, 0], &all[..]].concat()),
            ],
        ),
        (
            "socks5",
            "example.org",
            vec![
                hear(b"\x05\x01\x00"),
                say([5, 0]),
                hear(b"\x05\x01\x00\x03\x0bexample.org\x00\x50"),
                say([&[5, 0, 0, 3, 1, b'x', 0, 80], &all[..]].concat()),
            ],
        ),
        (
            "socks5",
            "2001:db8::1",
            vec![
                hear(b"\x05\x01\x00"),
                say([5, 0]),
                hear(b"\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50"),
                say([&[5, 0, 0, 4][..], &[0; 18], &all].concat()),
            ],
        ),
    ] {
        let acts = [acts, vec![Hello]].concat();
        expect_talk(
            Scripted::new(acts),
            &["--proxy-type", kind, host, "80"],
            &all,
        );
    }
}

#[test]
fn an_answer_may_come_byte_by_byte() {
    let http = vec![hear(CONNECT), Drip(YES.into()), say("hi\n"), Hello];
    expect_talk(Scripted::new(http), &["example.org", "80"], b"hi\n");
    let socks = vec![
        hear(b"\x05\x01\x00"),
        Drip(vec![5, 0]),
        hear(b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
        Drip(vec![5, 0, 0, 1, 1, 2, 3, 4, 0, 80, b'h', b'i', b'\n']),
        Hello,
    ];
    let args = ["--proxy-type", "socks5", "192.0.2.1", "80"];
    expect_talk(Scripted::new(socks), &args, b"hi\n");
}

#[test]
fn what_older_proxies_say_is_understood() {
    // A field that goes on in the next line (RFC 9112, 5.2), wherever it is cut.
    let folded = "HTTP/1.1 200 Connection established\r\nVia: one,\r\n two\r\n\r\n";
    let http = vec![hear(CONNECT), Drip(folded.into()), say("hi\n"), Hello];
    expect_talk(Scripted::new(http), &["example.org", "80"], b"hi\n");
    // An answer with the version of the protocol in place of its own.
    let socks = vec![
        hear(b"\x04\x01\x00\x50\xc0\x00\x02\x01\0"),
        Drip(vec![4, 90, 0, 0, 0, 0, 0, 0, b'h', b'i', b'\n']),
        Hello,
    ];
    let args = ["--proxy-type", "socks4", "192.0.2.1", "80"];
    expect_talk(Scripted::new(socks), &args, b"hi\n");
}

#[test]
fn a_login_goes_out_only_when_it_is_wanted() {
    let basic = "Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n";
    let no = "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"x\"\r\n";
    let login = ["--proxy-auth", "ann:secret", "example.org", "80"];
    let unasked = vec![hear(CONNECT), say(YES), Hello];
    expect_talk(Scripted::new(unasked), &login, b"");
    let same = vec![
        hear(CONNECT),
        say(format!("{no}Content-Length: 4\r\n\r\npage")),
        HearHead(basic, ""),
        say(YES),
        Hello,
    ];
    expect_talk(Scripted::new(same), &login, b"");
    let anew = vec![
        hear(CONNECT),
        say(format!("{no}Connection: close\r\n\r\npage")),
        Hang,
        HearHead(basic, ""),
        say(YES),
        Hello,
    ];
    expect_talk(Scripted::new(anew.clone()), &login, b"");
    let proxy = Scripted::new(anew);
    let place = proxy.addr.to_string();
    let mut explained = muxnc(&[&["--explain", "--proxy", &place], &login[..]].concat());
    explained.type_in("hello\n");
    explained.end_input();
    proxy.finish();
    explained.stderr.wait_for("who we are (407)");
    // It said that it goes on, and yet it does not.
    let fickle = vec![
        hear(CONNECT),
        say(format!("{no}Content-Length: 0\r\n\r\n")),
        Hang,
        HearHead(basic, ""),
        say(YES),
        Hello,
    ];
    expect_talk(Scripted::new(fickle), &login, b"");
    let digest = vec![
        hear(CONNECT),
        say(
            "HTTP/1.1 407 Who?\r\nContent-Length: 0\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
             Proxy-Authenticate: Digest realm=\"x\", nonce=\"one\", qop=\"auth\", \
             algorithm=SHA-256\r\n\r\n",
        ),
        HearHead(
            "Digest username=\"ann\", realm=\"x\", nonce=\"one\", uri=\"example.org:80\"",
            "Basic",
        ),
        say("HTTP/1.1 407 Late\r\nContent-Length: 0\r\n\
             Proxy-Authenticate: Digest realm=\"x\", nonce=\"two\", stale=true\r\n\r\n"),
        HearHead("nonce=\"two\"", "secret"),
        say(YES),
        Hello,
    ];
    expect_talk(Scripted::new(digest), &login, b"");
    let socks = vec![
        hear(b"\x05\x02\x00\x02"),
        say([5, 2]),
        hear(b"\x01\x03ann\x06secret"),
        say([1, 0]),
        hear(b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
        say([5, 0, 0, 1, 1, 2, 3, 4, 0, 80]),
        Hello,
    ];
    let login = [
        "--proxy-auth",
        "ann:secret",
        "--proxy-type",
        "socks5",
        "192.0.2.1",
        "80",
    ];
    expect_talk(Scripted::new(socks), &login, b"");
}

#[test]
fn a_login_can_be_kept_off_the_command_line() {
    let proxy = Scripted::new(vec![
        hear(b"\x04\x01\x00\x50\xc0\x00\x02\x01ann\0"),
        say([0, 90, 0, 0, 0, 0, 0, 0]),
        Hello,
    ]);
    let place = proxy.addr.to_string();
    let args = [
        "--proxy",
        &place,
        "--proxy-type",
        "socks4",
        "192.0.2.1",
        "80",
    ];
    let mut alice = Process::start(piped(MUXNC, &args).env("NCAT_PROXY_AUTH", "ann"));
    alice.type_in("hello\n");
    alice.end_input();
    proxy.finish();
    alice.expect_status(0);
}

#[test]
fn who_looks_the_name_up_can_be_chosen() {
    let talk = |name: &str| {
        let asked = format!("CONNECT {name}:80 HTTP/1.1\r\nHost: {name}:80\r\n\r\n");
        Scripted::new(vec![hear(asked), say(YES), Hello])
    };
    for (dns, host, asked) in [
        ("local", "localhost", "127.0.0.1"),
        ("remote", "localhost", "localhost"),
        ("both", "localhost", "127.0.0.1"),
        ("both", "a.invalid", "a.invalid"),
        ("none", "192.0.2.1", "192.0.2.1"),
    ] {
        let args = ["-4", "--proxy-dns", dns, host, "80"];
        expect_talk(talk(asked), &args, b"");
    }
    for (args, told) in [
        (
            &["--proxy-dns", "none", "localhost", "80"][..],
            "muxnc: host 'localhost': it is not an address\n  \
             With --proxy-dns none nothing is looked up.\n",
        ),
        (
            &["-n", "--proxy-dns", "local", "localhost", "80"],
            "muxnc: look up localhost: not a numeric address\n  \
             With -n nothing is looked up; leave it out to use a name.\n",
        ),
        (
            &["--proxy-type", "socks4", "::1", "80"],
            "muxnc: connect to [::1]:80 through proxy 127.0.0.1:1: SOCKS4 has no IPv6 addresses\n",
        ),
        (
            &["a b", "80"],
            "muxnc: host 'a b': it can be no name\n  \
             A name is of letters, digits, dots and hyphens.\n",
        ),
    ] {
        let mut all = vec!["--proxy", "127.0.0.1:1"];
        all.extend(args);
        let mut alice = muxnc(&all);
        alice.expect_status(2);
        assert_eq!(alice.stderr.text(), told);
    }
}

#[test]
fn a_proxy_can_have_an_ipv6_address() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        left_out("IPv6");
        return;
    };
    let proxy = Scripted::at(listener, vec![hear(CONNECT), say(YES), Hello]);
    assert!(proxy.addr.to_string().starts_with("[::1]:"));
    expect_talk(proxy, &["example.org", "80"], b"");
}

#[test]
fn the_listener_knows_no_proxy() {
    let mut bob = muxnc(&["-l", "--proxy", "127.0.0.1", "0"]);
    bob.expect_status(2);
    assert!(
        bob.stderr.text().contains("--proxy"),
        "{}",
        bob.stderr.text()
    );
}

#[test]
fn what_a_proxy_does_wrong_is_told() {
    let to = "connect to example.org:80 through proxy PROXY: ";
    let type_hint = |kind| format!("\n  Is that a proxy of type {kind} (--proxy-type)?\n");
    let not_http = format!(
        "the proxy's answer makes no sense: it is not HTTP{}",
        type_hint("HTTP")
    );
    let closed = "the proxy closed the connection before it answered";
    let any = HearHead("CONNECT", "");
    for (kind, login, acts, told) in [
        ("http", None, vec![any.clone(), say("HTTP/1.0 403 Filtered\r\n\r\npage")], "the proxy refused: 403 Filtered\n".into()),
        ("http", None, vec![any.clone(), say("HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n")],
            "the proxy wants a user name and a password\n  --proxy-auth USER:PASS says who you are.\n".into()),
        ("http", Some("ann:x"), vec![any.clone(), say("HTTP/1.1 407 Who?\r\nProxy-Authenticate: NTLM\r\n\r\n")],
            "the proxy wants to be logged in to in no way that muxnc knows\n".into()),
        ("http", Some("ann:x"), vec![any.clone(), say("HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n"), Hang,
            any.clone(), say("HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n")],
            "the proxy does not accept this user name and password\n".into()),
        ("http", None, vec![any.clone(), say(b"\x05\xff\0\0\x1b[2J")], not_http.clone()),
        ("http", None, vec![any.clone(), say(b"HTTP/1.1 403 \x1b[2J\r\n\r\n")], not_http.clone()),
        ("http", None, vec![any.clone()], closed.into()),
        ("http", None, vec![any.clone(), say("HTTP/1.1 200 OK\r\nVia:")], closed.into()),
        ("http", None, vec![any.clone(), say("HTTP/1.1 200 OK\r\n"), Flood(b"A: b\r\n".to_vec())],
            "the proxy's answer makes no sense: it has too many fields".into()),
        ("http", None, vec![any.clone(), say("HTTP/1.1 200 OK\r\nA: "), Flood(vec![b'a'; 1000])],
            "the proxy's answer makes no sense: it has no end".into()),
        ("http", None, vec![Flood(vec![0; 1000])], not_http.clone()),
        ("socks4", None, vec![say([0, 91, 0, 0, 0, 0, 0, 0]), Wait], "the proxy refused: rejected or failed\n".into()),
        ("socks4", None, vec![say("HTTP/1.1 400 Bad\r\n\r\n"), Wait],
            format!("the proxy's answer makes no sense: it is not SOCKS4{}", type_hint("SOCKS4"))),
        ("socks4", None, vec![hear(b"\x04\x01\x00\x50\0\0\0\x01\0example.org\0"), say([0, 90, 0])], closed.into()),
        ("socks5", None, vec![say([5, 0xff]), Wait],
            "the proxy wants a user name and a password\n  --proxy-auth USER:PASS says who you are.\n".into()),
        ("socks5", Some("ann:x"), vec![say([5, 2, 1, 1]), Wait], "the proxy does not accept this user name and password\n".into()),
        ("socks5", None, vec![say([5, 0, 5, 5, 0, 1]), Wait], "the proxy refused: connection refused\n".into()),
        ("socks5", None, vec![say([5, 0, 5, 0, 0, 9]), Wait],
            "the proxy's answer makes no sense: an unknown kind of address".into()),
        ("socks5", None, vec![hear(b"\x05\x01\x00"), say([5, 0]),
            hear(b"\x05\x01\x00\x03\x0bexample.org\x00\x50"), say([5, 0, 0, 3, 255, 1])], closed.into()),
        ("socks5", None, vec![hear(b"\x05\x01\x00"), say("5")], closed.into()),
        ("socks5", None, vec![Flood(b"garbage".to_vec())],
            format!("the proxy's answer makes no sense: it is not SOCKS5{}", type_hint("SOCKS5"))),
    ] {
        let mut args = vec!["-w", "1h", "--proxy-type", kind, "example.org", "80"];
        args.extend(login.iter().flat_map(|login| ["--proxy-auth", login]));
        expect_failure(Scripted::new(acts), &args, &format!("{to}{told}"));
    }
}

#[test]
fn the_limit_is_for_all_that_a_proxy_needs() {
    let slow = |said: &str| format!("connect to example.org:80 through proxy PROXY: {said}");
    let in_time = slow("the proxy did not answer in time\n");
    for (kind, acts) in [
        ("http", vec![Wait]),
        ("http", vec![say("HTTP/1.1 200 OK\r\n"), Wait]),
        ("http", vec![Flood(b"HTTP/1.1 100 Soon\r\n\r\n".to_vec())]),
        ("socks4", vec![Wait]),
        ("socks5", vec![Wait]),
        ("socks5", vec![say([5, 0, 5, 0, 0]), Wait]),
    ] {
        let args = ["-w", "300ms", "--proxy-type", kind, "example.org", "80"];
        expect_failure(Scripted::new(acts), &args, &in_time);
    }
}

#[test]
fn a_proxy_that_is_not_there_is_not_taken_for_the_destination() {
    let (_reserved, port) = reserved_port();
    let place = format!("127.0.0.1:{port}");
    let mut alice = muxnc(&["--proxy", &place, "example.org", "80"]);
    alice.expect_status(1);
    assert_eq!(
        alice.stderr.text(),
        format!(
            "muxnc: connect to proxy {place}: connection refused\n  \
             Nothing listens on that port: is the other side started, is the port right? \
             (That is the proxy; example.org:80 was not tried.)\n"
        )
    );
}

// Real proxies.

/// A destination on this machine that says `welcome` at once and then whatever it heard.
struct Destination {
    port: u16,
}

impl Destination {
    fn new() -> Destination {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let _ = stream.write_all(b"welcome\n");
                    let mut reader = stream.try_clone().unwrap();
                    let _ = std::io::copy(&mut reader, &mut stream);
                });
            }
        });
        Destination { port }
    }
}

/// A proxy on a port that it was told, which it takes a moment to listen on.
fn started(port: u16, program: &str, args: &[&str]) -> Process {
    let mut proxy = Process::start(&mut piped(program, args));
    eventually("the proxy listens", || {
        assert!(proxy.is_running(), "{}", proxy.stderr.text());
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    drop(connect(port));
    proxy
}

/// The same command line, given to muxnc and to ncat, works with both.
#[track_caller]
fn expect_both_work(proxy: u16, args: &[&str]) {
    let destination = Destination::new();
    let port = destination.port.to_string();
    let place = format!("127.0.0.1:{proxy}");
    for program in [MUXNC, "ncat"] {
        let mut all = vec!["--proxy", &place];
        all.extend(args);
        all.extend(["127.0.0.1", &port]);
        let mut alice = Process::start(&mut piped(program, &all));
        alice.stdout.wait_for("welcome\n");
        alice.type_in("through and back\n");
        alice.stdout.wait_for("welcome\nthrough and back\n");
        if program == MUXNC {
            alice.end_input();
            alice.expect_status(0);
        }
    }
}

/// These proxies end both directions when one is ended, so that an answer comes only with `--no-shutdown`, as
/// docs/GUIDE.md says.
#[track_caller]
fn expect_late_answer(proxy: u16, kind: &str) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let place = format!("127.0.0.1:{proxy}");
    let args = ["--no-shutdown", "--proxy", &place, "--proxy-type", kind];
    let mut alice = muxnc(&[&args[..], &["127.0.0.1", &port]].concat());
    alice.type_in("ask\n");
    alice.end_input();
    let mut server = accept(&listener);
    expect_bytes(&mut server, "ask\n");
    // Long after the end of stdin.
    thread::sleep(Duration::from_millis(300));
    server.write_all(b"answer\n").unwrap();
    drop(server);
    alice.expect_status(0);
    assert_eq!(alice.stdout.text(), "answer\n");
}

/// With the wrong password nobody gets through.
#[track_caller]
fn expect_refused(proxy: u16, args: &[&str], told: &str) {
    let place = format!("127.0.0.1:{proxy}");
    let mut all = vec!["--proxy", &place];
    all.extend(args);
    all.extend(["127.0.0.1", "9"]);
    let mut alice = muxnc(&all);
    alice.expect_status(1);
    assert!(
        alice.stderr.text().contains(told),
        "{}",
        alice.stderr.text()
    );
}

#[test]
fn through_ncat_as_a_proxy() {
    if !installed(&["ncat"]) {
        return;
    }
    let (_reserved, port) = reserved_port();
    let listen = port.to_string();
    let args = ["-lk", "--proxy-type", "http", "127.0.0.1", &listen];
    let proxy = started(port, "ncat", &args);
    expect_both_work(port, &[]);
    drop(proxy);
    let (_reserved, port) = reserved_port();
    let listen = port.to_string();
    let args = [
        "-lk",
        "--proxy-type",
        "http",
        "--proxy-auth",
        "ann:secret",
        "127.0.0.1",
        &listen,
    ];
    let _proxy = started(port, "ncat", &args);
    expect_both_work(port, &["--proxy-auth", "ann:secret"]);
    expect_both_work(
        port,
        &["--proxy-type", "http", "--proxy-auth", "ann:secret"],
    );
    expect_refused(port, &["--proxy-auth", "ann:wrong"], "does not accept");
    expect_refused(port, &[], "wants a user name and a password");
}

#[test]
fn through_tinyproxy() {
    if !installed(&["tinyproxy", "ncat"]) {
        return;
    }
    for login in [None, Some("ann:secret")] {
        let (_reserved, port) = reserved_port();
        let file = std::env::temp_dir().join(format!("muxnc-tinyproxy-{port}.conf"));
        let auth = login.map_or("", |_| "BasicAuth ann secret\n");
        let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\n{auth}");
        std::fs::write(&file, text).unwrap();
        let args = ["-d", "-c", file.to_str().unwrap()];
        let _proxy = started(port, "tinyproxy", &args);
        std::fs::remove_file(&file).unwrap();
        match login {
            None => {
                expect_both_work(port, &["--proxy-type", "http"]);
                expect_late_answer(port, "http");
            }
            Some(login) => {
                expect_both_work(port, &["--proxy-auth", login]);
                expect_refused(port, &["--proxy-auth", "ann:wrong"], "through proxy");
            }
        }
    }
}

#[test]
fn through_microsocks() {
    if !installed(&["microsocks", "ncat"]) {
        return;
    }
    let (_reserved, port) = reserved_port();
    let listen = port.to_string();
    let proxy = started(port, "microsocks", &["-i", "127.0.0.1", "-p", &listen]);
    expect_both_work(port, &["--proxy-type", "socks5"]);
    expect_late_answer(port, "socks5");
    expect_refused(
        port,
        &["--proxy-type", "socks5"],
        "the proxy refused: connection refused",
    );
    drop(proxy);
    let (_reserved, port) = reserved_port();
    let listen = port.to_string();
    let args = [
        "-i",
        "127.0.0.1",
        "-p",
        &listen,
        "-u",
        "ann",
        "-P",
        "secret",
    ];
    let _proxy = started(port, "microsocks", &args);
    expect_both_work(
        port,
        &["--proxy-type", "socks5", "--proxy-auth", "ann:secret"],
    );
    let wrong = ["--proxy-type", "socks5", "--proxy-auth", "ann:wrong"];
    expect_refused(port, &wrong, "does not accept");
    expect_refused(
        port,
        &["--proxy-type", "socks5"],
        "wants a user name and a password",
    );
}
