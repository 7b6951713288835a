//! What is said, both ways, with others beside the browser.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::process::ChildStdin;
use std::process::Stdio;

use crate::BINARY;
use crate::Hub;
use crate::PING;
use crate::PONG;
use crate::TEXT;
use crate::Web;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::connect;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::muxnc;
use crate::support::pause;
use crate::support::piped;
use crate::support::stay;
use crate::support::web_port;
use crate::upgrade;

#[test]
fn a_browser_is_one_more_member() {
    let mut hub = Hub::start(&[]);
    let mut plain = hub.join_plain();
    let mut web = hub.join();
    hub.process.stderr.wait_for("(web) joined, 2 here");
    assert!(
        web.hello
            .contains(r#""at":0,"heard":0,"resumed":false,"missing":false,"you":2,"chat":false,"#)
    );
    hub.process.type_in("Hello\n");
    web.expect("Hello\n");
    expect_bytes(&mut plain, "Hello\n");
    web.say("World");
    hub.process.stdout.wait_for("World\n");
    plain.write_all(b"from nc\n").unwrap();
    hub.process.stdout.wait_for("from nc\n");
    web.say("two\nlines\n");
    hub.process.stdout.wait_for("two\nlines\n");
    assert_eq!(hub.process.stdout.text(), "World\nfrom nc\ntwo\nlines\n");
}

/// So it need not keep what it said, however long it speaks.
#[test]
fn who_says_much_is_told_what_was_heard() {
    let hub = Hub::start(&[]);
    let mut web = hub.join();
    for times in 1..=5 {
        web.say([b'x'; 16 * 1024 - 1]);
        let told = format!(r#"{{"type":"heard","heard":{}}}"#, times * 16 * 1024);
        let (first, payload) = web.frame();
        assert_eq!((first, String::from_utf8(payload).unwrap()), (TEXT, told));
    }
    // What was heard over one connection counts over the next.
    let place = web.place(0);
    web.say("more");
    hub.process.stdout.wait_for("more\n");
    drop(web);
    hub.process.stderr.wait_for("(web) left");
    let mut web = Web::join_at(hub.web, &place);
    let heard = 5 * 16 * 1024 + 5;
    assert!(
        web.hello.contains(&format!(r#""heard":{heard},"#)),
        "{}",
        web.hello
    );
    web.say([b'x'; 16 * 1024 - 1]);
    let told = format!(r#"{{"type":"heard","heard":{}}}"#, heard + 16 * 1024);
    assert_eq!(web.frame(), (TEXT, told.into_bytes()));
}

#[test]
fn in_a_broker_everybody_else_hears_a_line() {
    let hub = Hub::start(&["--broker"]);
    let mut plain = hub.join_plain();
    let (mut one, mut two) = (hub.join(), hub.join());
    assert!(two.hello.contains(r#""relay":true"#), "{}", two.hello);
    one.say("from one");
    expect_bytes(&mut plain, "from one\n");
    two.expect("from one\n");
    two.say("from two");
    one.expect("from two\n");
    plain.write_all("from nc 😀\n".as_bytes()).unwrap();
    two.expect("from nc 😀\n");
    one.expect("from nc 😀\n");
    hub.process.stdout.wait_for("from nc");
}

#[test]
fn that_members_hear_each_other_now_or_no_more_is_told_beside_the_stream() {
    let mut hub = Terminal::muxnc(&["-l", "--web", "127.0.0.1:0"]);
    let port = web_port(&hub.screen);
    let mut web = Web::join(port);
    let begin = r#""relay":false,"rooms":false,"#;
    assert!(web.hello.contains(begin), "{}", web.hello);
    hub.screen.wait_for("(web) joined");
    for (command, told) in [
        ("/relay on", r#"{"type":"relay","relay":true}"#),
        ("/relay off", r#"{"type":"relay","relay":false}"#),
    ] {
        pause();
        hub.press(format!("{command}\r"));
        assert_eq!(web.frame(), (TEXT, told.into()));
    }
    // It stands between what was said before and after, and nobody is told what is so already.
    pause();
    hub.press("/relay off\r");
    pause();
    hub.press("bye\r");
    web.expect("bye\n");
}

#[test]
fn in_a_chat_a_browser_has_a_name() {
    let mut hub = Hub::start(&["--chat"]);
    let mut web = hub.join();
    assert!(
        web.hello.contains(r#""name":"user1","chat":true,"#),
        "{}",
        web.hello
    );
    let mut plain = hub.join_plain();
    web.say("/nick Ana");
    expect_bytes(&mut plain, "* Ana joined");
    web.say("hi");
    let mut lines = BufReader::new(plain.try_clone().unwrap()).lines();
    let said = lines.find(|line| line.as_ref().unwrap().starts_with('<'));
    assert_eq!(said.unwrap().unwrap(), "<Ana> hi");
    hub.process.type_in("what is a socket?\n");
    let said = lines.next().unwrap().unwrap();
    assert_eq!(said, "<host> what is a socket?");
}

/// Also where others come and go faster than that is told; and where the hub is idle then it sleeps.
#[test]
fn how_many_are_here_is_told_beside_the_stream() {
    let mut hub = Hub::start(&["--broker"]);
    let mut web = hub.join();
    let many: Vec<_> = (0..50).map(|_| connect(hub.port)).collect();
    web.expect_here(51);
    drop(many);
    let mut other = hub.join();
    web.expect_here(2);
    other.say("hello");
    web.expect("hello\n");
    hub.process.type_in("to all\n");
    web.expect("to all\n");
    let asked = |hub: &Hub| hub.process.context_switches();
    stay();
    let before = asked(&hub);
    stay();
    assert!(asked(&hub) - before < 3, "an idle hub woke up");
    drop(other);
    web.expect_here(1);
}

#[test]
fn control_frames_and_fragments_are_as_the_rfc_has_them() {
    let hub = Hub::start(&[]);
    let mut web = hub.join();
    web.send(0x02, b"in ");
    web.send(PING, b"are you there");
    web.send(0x00, "pie".as_bytes());
    web.send(PONG, b"unasked");
    web.send(0x80, "ces".as_bytes());
    web.send(TEXT, br#"{"type":"nothing that is known"}"#);
    web.say("next");
    assert_eq!(web.frame(), (PONG, b"are you there".to_vec()));
    hub.process.stdout.wait_for("in pieces\nnext\n");
}

#[test]
fn a_long_stream_is_whole_and_as_everybodys() {
    const LEN: u64 = 12_000_000;
    let mut hub = Hub::start(&["-k"]);
    let (mut web, mut plain) = (hub.join(), hub.join_plain());
    let mut stdin = hub.process.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        Pattern::bytes().write(&mut stdin, LEN).unwrap();
        stdin
    });
    let reader = std::thread::spawn(move || Pattern::bytes().read(&mut plain, LEN));
    let mut at = 0;
    while at < LEN {
        let (first, payload) = web.frame();
        assert_eq!(first, BINARY);
        assert!(
            payload.len() <= 64 * 1024,
            "{} bytes in a frame",
            payload.len()
        );
        Pattern::bytes().expect(at, &payload);
        at += payload.len() as u64;
    }
    assert_eq!((at, reader.join().unwrap()), (LEN, LEN));
    drop::<ChildStdin>(writer.join().unwrap());
}

#[test]
fn a_browser_says_as_much_as_it_likes() {
    let hub = Hub::start(&[]);
    let mut web = hub.join();
    let line = "x".repeat(60_000);
    for _ in 0..50 {
        web.say(&line);
    }
    let said = hub
        .process
        .stdout
        .wait_until("all of it", |bytes| bytes.len() >= 50 * 60_001);
    assert!(
        said.chunks(60_001)
            .all(|chunk| chunk == format!("{line}\n").as_bytes())
    );
}

/// Over TLS, which openssl speaks for it.
struct Through {
    process: Process,
    input: ChildStdin,
    output: std::process::ChildStdout,
}

impl Read for Through {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.output.read(buffer)
    }
}

impl Write for Through {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.input.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.input.flush()
    }
}

#[cfg(feature = "tls")]
#[test]
fn with_ssl_it_is_wss() {
    if !installed(&["openssl"]) {
        return;
    }
    let mut hub = Hub::start(&["--ssl"]);
    let place = format!("127.0.0.1:{}", hub.web);
    let mut command = piped("openssl", &["s_client", "-quiet", "-connect", &place]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // Only so that it is killed in the end.
    let process = Process::of(child);
    let through = Through {
        process,
        input,
        output,
    };
    let origin = format!("https://{place}");
    let request = upgrade(hub.web, "/socket", &[("Origin", &origin)]);
    let mut web = Web::over(through, &request);
    hub.process.type_in("Hello\n");
    web.expect("Hello\n");
    web.say("World");
    hub.process.stdout.wait_for("World\n");
    let text = "0123456789".repeat(30_000) + "\n";
    hub.process.type_in(&text);
    web.expect(&text);
    assert!(web.stream.process.is_running());
    // Who comes without it is told where the page is.
    let mut plain = connect(hub.web);
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let told = format!(
        "\r\n\r\nthis hub is encrypted; this port is for browsers (https://127.0.0.1:{}/), \
         muxnc --ssl joins at port {}\n",
        hub.web, hub.port
    );
    assert!(answer.ends_with(&told), "{answer}");
}

#[test]
fn who_speaks_the_other_protocol_is_no_harm() {
    let mut hub = Hub::start(&[]);
    // A browser at the raw port, and a netcat at the other.
    let mut lost = connect(hub.port);
    lost.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    hub.process.stdout.wait_for("GET / HTTP/1.1");
    let mut nc = muxnc(&["127.0.0.1", &hub.web.to_string()]);
    nc.type_in("hello\n");
    nc.stdout
        .wait_for("this is not a request in HTTP/1.1; this port is for browsers (");
    hub.process.type_in("still here\n");
    expect_bytes(&mut lost, "still here\n");
}
