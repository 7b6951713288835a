//! How it ends, for either side.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::thread;

use rustix::process::Signal;

use crate::BINARY;
use crate::CLOSE;
use crate::Hub;
use crate::OVER;
use crate::PING;
use crate::PONG;
use crate::TEXT;
use crate::Web;
use crate::ask;
use crate::masked;
use crate::support;
use crate::support::MUXNC;
use crate::support::Terminal;
use crate::support::connect;
use crate::support::expect_bytes;
use crate::support::pause;
use crate::support::piped;
use crate::support::read_all;
use crate::support::source::Source;
use crate::support::web_port;

/// It is not told that this was the end: neither by a message nor by a close.
#[test]
fn a_browser_whose_operator_breaks_off_reads_a_break() {
    let (mut source, stdin) = Source::new();
    let mut command = piped(MUXNC, &["-l", "0", "-v", "--web", "0"]);
    let mut hub = support::Hub::start_command(command.stdin(stdin));
    let mut browser = Web::join(web_port(&hub.process.stderr));
    source.say("a part\n");
    browser.expect("a part\n");
    source.break_off();
    let why = loop {
        match browser.try_frame() {
            Ok(frame) => assert!(browser.heard_here(&frame), "{frame:?}"),
            Err(why) => break why.kind(),
        }
    };
    assert_eq!(why, io::ErrorKind::ConnectionReset);
    hub.process.expect_status(1);
}

/// Nobody may be heard where stdout takes nothing: a goodbye is no word.
#[test]
fn who_says_goodbye_while_nobody_may_be_heard_makes_room_at_once() {
    for surface in [&[][..], &["--broker"], &["--chat"]] {
        let (stdout, writer) = support::pipe();
        let args = [&["-l", "0", "-v", "--web", "0", "-m", "2"], surface].concat();
        let hub = support::Hub::start_command(piped(MUXNC, &args).stdout(writer));
        leave_unheard(&hub, stdout);
    }
}

/// Also where what it said just before is answered: it told that it reads nothing any more.
#[test]
fn who_says_goodbye_behind_a_word_reads_an_end() {
    for surface in [&[][..], &["--broker"], &["--chat"]] {
        let hub = Hub::start(surface);
        for code in [1000, 1001_u16] {
            let mut web = hub.join();
            let goodbye = masked(CLOSE, &code.to_be_bytes());
            let packet = [masked(BINARY, b"a word"), goodbye].concat();
            web.stream.write_all(&packet).unwrap();
            web.expect_close(code);
            assert_eq!(web.stream.read(&mut [0]).unwrap(), 0, "{surface:?}");
        }
    }
}

/// They leave a hub that lets in two, and whose stdout nobody reads until all have left.
fn leave_unheard(hub: &support::Hub, mut stdout: impl Read + Send + 'static) {
    let web = web_port(&hub.process.stderr);
    let mut flood = hub.join_seen();
    support::fill(&mut flood, &b"x\n".repeat(32 * 1024), &hub.process);
    for pings in 0..3 {
        let mut leaver = Web::join(web);
        for _ in 0..pings {
            leaver.send(PING, b"there?");
            assert_eq!(leaver.frame(), (PONG, b"there?".to_vec()));
        }
        leaver.send(CLOSE, &1000_u16.to_be_bytes());
        leaver.expect_close(1000);
        // Its connection is open.
        let mut next = Web::join(web);
        next.send(CLOSE, &1000_u16.to_be_bytes());
        next.expect_close(1000);
    }
    // Behind more pings than are looked at at once, too.
    let mut leaver = Web::join(web);
    let many = masked(PING, &[b'x'; 125]).repeat(40);
    leaver.stream.write_all(&many).unwrap();
    leaver.send(CLOSE, &1000_u16.to_be_bytes());
    while leaver.frame().0 != CLOSE {}
    // Words may stand before the end of TCP, with a goodbye or without: there is no half-close.
    let mut kept = Web::join(web);
    for says_goodbye in [false, true] {
        kept.say("a word");
        if says_goodbye {
            kept.send(CLOSE, &1000_u16.to_be_bytes());
        }
        kept.stream.shutdown(Shutdown::Write).unwrap();
        support::wait_end_known(kept.stream.local_addr().unwrap().port());
        kept = Web::join(web);
    }
    // When all is heard, it is told who was lost.
    thread::spawn(move || io::copy(&mut stdout, &mut io::sink()));
    hub.process.stderr.wait_for("without WebSocket's goodbye");
}

#[test]
fn the_class_is_over_for_everybody_when_the_input_ends() {
    let mut hub = Hub::start(&[]);
    let (mut web, mut plain) = (hub.join(), hub.join_plain());
    hub.process.type_in("the last word");
    hub.process.end_input();
    web.expect("the last word");
    web.expect_end(OVER, 1001);
    // It is told what was heard by then.
    let mut before = Hub::start(&[]);
    let mut said = before.join();
    said.say("heard");
    before.process.stdout.wait_for("heard\n");
    before.process.type_in("the end");
    before.process.end_input();
    said.expect("the end");
    said.expect_end(r#"{"type":"over","heard":6,"hears":true}"#, 1001);
    expect_bytes(&mut plain, "the last word");
    // What is said before it closes, too, is heard.
    web.say("bye");
    web.send(CLOSE, &1001_u16.to_be_bytes());
    drop(plain);
    hub.process.expect_status(0);
    assert_eq!(hub.process.stdout.text(), "bye\n");
}

#[test]
fn what_a_browser_does_is_explained_from_its_request_to_its_close() {
    let hub = Hub::start(&["--explain"]);
    let (port, page) = (hub.web, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(
        ask(
            port,
            &page.replace("localhost", &format!("localhost:{port}"))
        )
        .contains("200 OK")
    );
    let mut web = hub.join();
    web.say("Hello");
    web.send(CLOSE, &1000_u16.to_be_bytes());
    let told = hub
        .process
        .stderr
        .wait_for("[1] TCP: both sides have said their last, in WebSocket");
    for text in [
        "[1] TCP: our kernel shook hands by itself",
        "[1] TCP: the first ",
        "[1] HTTP: the other side sends a request line: the method GET (give me), the target /socket,",
        "[1] HTTP: Upgrade: websocket (",
        "[1] HTTP: an empty line ends the request: now it is the server's turn\n",
        "[1] HTTP: we send a status line: HTTP/1.1, 101 Switching Protocols: ",
        "[1] WebSocket: from here on it is WebSocket and HTTP no more (Upgrade)",
        "[1] WebSocket: the other side said that it is over (a close frame)\n",
    ] {
        assert!(told.contains(text), "{text:?} was not told:\n{told}");
    }
    // Who only asks for the page has no number; nor has who is refused.
    assert!(ask(port, page).contains("403 Forbidden"));
    for text in [
        " TCP: our kernel shook hands by itself",
        " HTTP: the other side sends a request line: the method GET (give me), the target /, ",
        " HTTP: we send a status line: HTTP/1.1, 200 OK: ",
        " HTTP: Content-Length: ",
        " HTTP: we send a status line: HTTP/1.1, 403 Forbidden: ",
    ] {
        let is_its_own = |line: &str| line.starts_with("muxnc: 127.0.0.1:") && line.contains(text);
        hub.process.stderr.wait_until(text, |told| {
            String::from_utf8_lossy(told).lines().any(is_its_own)
        });
    }
}

/// As it happens: what comes later is told later.
#[test]
fn who_asks_for_the_page_and_stays_is_explained_before_who_comes_then() {
    let hub = Hub::start(&["--explain"]);
    let mut asks = connect(hub.web);
    write!(
        asks,
        "GET / HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        hub.web
    )
    .unwrap();
    read_all(&mut asks);
    let _web = hub.join();
    let told = hub.process.stderr.wait_for("[1] WebSocket: from here on");
    assert!(told.contains("HTTP/1.1, 200 OK"), "{told}");
}

#[test]
fn who_ends_in_the_middle_of_a_request_has_ended_its_side_first() {
    let hub = Hub::start(&["--explain"]);
    let mut leaves = connect(hub.web);
    leaves.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    leaves.shutdown(Shutdown::Write).unwrap();
    let told = hub
        .process
        .stderr
        .wait_for("and both directions have ended");
    assert!(told.contains("its FIN came"), "{told}");
}

#[test]
fn a_hub_that_is_ended_says_so() {
    let mut hub = Hub::start(&[]);
    let mut web = hub.join();
    hub.process.type_in("before\n");
    web.expect("before\n");
    web.say("heard");
    hub.process.stdout.wait_for("heard\n");
    hub.process.signal(Signal::TERM);
    web.expect_end(r#"{"type":"over","heard":6}"#, 1001);
    assert!(hub.process.wait().code().is_none());
}

/// A reset for what nobody heard might destroy what it was told before it reads that.
#[test]
fn who_talks_until_the_end_reads_it_and_no_break() {
    let how: [fn(&mut Hub); 2] = [
        |hub| hub.process.signal(Signal::TERM),
        |hub| hub.process.end_input(),
    ];
    for end in how {
        let mut hub = Hub::start(&["--rate", "500", "-q", "1"]);
        let [mut talks, mut silent] = [hub.join(), hub.join()];
        hub.process.type_in("go on\n");
        for web in [&mut talks, &mut silent] {
            web.expect("go on\n");
        }
        for _ in 0..64 {
            talks.say([b'x'; 1000]);
        }
        hub.process.stdout.wait_for("xxx");
        end(&mut hub);
        for web in [&mut talks, &mut silent] {
            let over = web.frame();
            assert_eq!(over.0, TEXT);
            web.expect_close(1001);
        }
        // It had not read that yet.
        talks.say([b'x'; 1000]);
        talks.send(CLOSE, &1001_u16.to_be_bytes());
        assert_eq!(talks.stream.read(&mut [0]).expect("no break"), 0);
        let heard = hub.process.stdout.text().len();
        assert!(heard < 64_000, "{heard}");
        hub.process.wait();
        hub.process
            .stderr
            .wait_for("of 1 participant were not heard");
    }
}

/// It is not waited for for ever.
#[test]
fn who_talks_past_the_end_and_never_closes_does_not_keep_the_hub() {
    let mut hub = Hub::start(&["--rate", "500"]);
    let mut talks = hub.join();
    for _ in 0..64 {
        talks.say([b'x'; 1000]);
    }
    hub.process.stdout.wait_for("xxx");
    hub.process.signal(Signal::TERM);
    hub.process.wait();
}

#[test]
fn who_closes_has_left_and_who_is_lost_as_well() {
    let hub = Hub::start(&[]);
    let mut web = hub.join();
    web.say("bye");
    web.send(CLOSE, &1000_u16.to_be_bytes());
    web.expect_close(1000);
    hub.process.stderr.wait_for("(web) left after");
    let mut lost = hub.join();
    lost.stream.write_all_half();
    drop(lost);
    hub.process
        .stderr
        .wait_for("(web) left (the connection was lost, without WebSocket's goodbye) after");
    hub.process.stdout.wait_for("bye\n");
}

trait Half {
    fn write_all_half(&mut self);
}

impl Half for std::net::TcpStream {
    /// Half of a frame's header.
    fn write_all_half(&mut self) {
        use std::io::Write;
        self.write_all(&[BINARY, 0xfe]).unwrap();
    }
}

#[test]
fn who_is_kicked_is_told_why() {
    let mut hub = Terminal::muxnc(&["-l", "--web", "127.0.0.1:0"]);
    let port = web_port(&hub.screen);
    let mut web = Web::join(port);
    hub.screen.wait_for("(web) joined");
    web.say("hey");
    hub.screen.wait_for("hey");
    hub.press("/who\r");
    hub.screen.wait_for("(web) for ");
    // It is told once: nothing of that is among what was said.
    pause();
    hub.press("/kick 1 be \"quiet\"\r");
    web.expect_end(
        r#"{"type":"kicked","reason":"be \"quiet\"","heard":4}"#,
        1008,
    );
    hub.screen
        .wait_for("(web) was cut off by you: be \"quiet\"");
    let mut web = Web::join(port);
    hub.screen.wait_for("[2] ");
    pause();
    hub.press("/kick 2\r");
    web.expect_end(r#"{"type":"kicked","reason":"","heard":0}"#, 1008);
    pause();
    hub.press("/qr\r");
    hub.screen.wait_for(" ▄▄▄▄▄ ");
    hub.screen
        .wait_for(&format!("to join: http://127.0.0.1:{port}/"));
}

#[test]
fn who_is_idle_for_too_long_is_told() {
    let hub = Hub::start(&["-i", "300ms"]);
    let mut web = hub.join();
    let why = r#"{"type":"ended","reason":"nothing was sent or received for too long","heard":0}"#;
    web.expect_end(why, 1008);
}
