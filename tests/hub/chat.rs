//! The chat: everybody reads who said it, names are unmistakable, and nobody's line does harm.

use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;
use std::time::Duration;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::Watched;
use crate::support::connect;
use crate::support::contains;
use crate::support::installed;
use crate::support::muxnc;
use crate::support::piped;

/// A participant whose terminal is this test.
struct Peer {
    stream: TcpStream,
    got: Watched,
}

impl Peer {
    fn connect(port: u16) -> Peer {
        let stream = connect(port);
        // It waits for others longer than any of them may take.
        stream.set_read_timeout(None).unwrap();
        let got = Watched::new(stream.try_clone().unwrap());
        Peer { stream, got }
    }

    /// Joins as the `number`-th, and waits until it was told so.
    #[track_caller]
    fn join(port: u16, number: u32) -> Peer {
        let peer = Peer::connect(port);
        peer.hears(&format!("* user{number} joined\n"));
        peer
    }

    #[track_caller]
    fn says(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("say it");
    }

    #[track_caller]
    fn hears(&self, text: &str) {
        self.got.wait_for(text);
    }

    /// Leaves, with everything it said on its way.
    fn leaves(self) {
        self.stream.shutdown(Shutdown::Both).unwrap();
    }

    /// Leaves as a machine that crashed does.
    fn resets(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        // The thread that collects has the socket as well, and gives it up at the end of input.
        socket.shutdown(Shutdown::Read).unwrap();
        self.got.wait_end();
    }
}

/// A chat with two participants who heard of each other.
fn pair(args: &[&str]) -> (Hub, Peer, Peer) {
    let hub = Hub::start(&[&["--chat"], args].concat());
    let one = Peer::join(hub.port, 1);
    let two = Peer::join(hub.port, 2);
    one.hears("* user2 joined\n");
    (hub, one, two)
}

#[test]
fn every_line_begins_with_who_said_it() {
    let (mut hub, mut one, two) = pair(&[]);
    one.says("one\ntwo\r\n\nthree\n");
    two.hears("<user1> three\n");
    hub.process.type_in("and I\nam Bob\n");
    two.hears("<host> am Bob\n");
    assert_eq!(
        two.got.text(),
        "* user2 joined\n<user1> one\n<user1> two\n<user1> \n<user1> three\n<host> and I\n\
         <host> am Bob\n"
    );
    one.hears("<host> am Bob\n");
    assert_eq!(
        one.got.text(),
        "* user1 joined\n* user2 joined\n<host> and I\n<host> am Bob\n",
        "nobody gets its own lines"
    );
    let shown = hub.process.stdout.wait_for("<user1> three\n");
    assert_eq!(
        shown,
        "* user1 joined\n* user2 joined\n<user1> one\n<user1> two\n<user1> \n<user1> three\n",
        "a transcript is what others say and what is announced"
    );
}

#[test]
fn the_operator_has_a_name_and_lines_may_end_in_crlf() {
    let mut hub = Hub::start(&["--chat", "--name", "Mrs.B", "-C"]);
    let mut one = connect(hub.port);
    support::expect_bytes(&mut one, "* user1 joined\r\n");
    let mut two = connect(hub.port);
    support::expect_bytes(&mut two, "* user2 joined\r\n");
    support::expect_bytes(&mut one, "* user2 joined\r\n");
    hub.process.type_in("hello\r\nworld\n");
    support::expect_bytes(&mut two, "<Mrs.B> hello\r\n<Mrs.B> world\r\n");
    one.write_all(b"a\nb\r\n/nick mrs_b\n").unwrap();
    support::expect_bytes(&mut two, "<user1> a\r\n<user1> b\r\n");
    support::expect_bytes(
        &mut one,
        "<Mrs.B> hello\r\n<Mrs.B> world\r\n* you are still user1: ",
    );
    hub.process.stdout.wait_for("<user1> a\n<user1> b\n");
    hub.process.type_in("without an end");
    hub.process.end_input();
    support::expect_bytes(&mut two, "<Mrs.B> without an end\r\n");
    assert_eq!(support::read_all(&mut two), b"", "the class is over");
    support::read_all(&mut one);
    drop((one, two));
    hub.process.expect_status(0);
}

#[test]
fn a_line_is_held_to_its_end() {
    let (hub, mut one, mut two) = pair(&[]);
    one.says("what is");
    two.says("hello\n");
    one.hears("<user2> hello\n");
    one.says(" a socket?\n");
    two.hears("<user1> what is a socket?\n");
    hub.process
        .stdout
        .wait_for("<user2> hello\n<user1> what is a socket?\n");
}

#[test]
fn an_endless_line_is_cut_into_labelled_ones() {
    let (hub, mut one, two) = pair(&[]);
    one.says("x".repeat(64 * 1024 * 3 + 5));
    one.says("\n");
    let part = format!("<user1> {}\n", "x".repeat(64 * 1024));
    let expected = part.repeat(3) + "<user1> xxxxx\n";
    let got = two.got.wait_for("<user1> xxxxx\n");
    assert_eq!(got.len(), "* user2 joined\n".len() + expected.len());
    assert!(got.ends_with(&expected));
    assert!(
        hub.process
            .stdout
            .wait_for("<user1> xxxxx\n")
            .ends_with(&expected)
    );
}

#[test]
fn whoever_leaves_is_announced_and_ends_its_line() {
    let (hub, mut one, two) = pair(&[]);
    let three = Peer::join(hub.port, 3);
    one.says("/nick Ana\nmy last w");
    two.hears("* user1 is now Ana\n");
    one.leaves();
    two.hears("<Ana> my last w\n* Ana left\n");
    three.resets();
    two.hears("* user3 left\n");
    let four = Peer::join(hub.port, 4);
    two.hears("* user4 joined\n");
    four.leaves();
    two.hears("* user4 left\n");
    let all = "* user1 joined\n* user2 joined\n* user3 joined\n* user1 is now Ana\n\
               <Ana> my last w\n* Ana left\n* user3 left\n* user4 joined\n* user4 left\n";
    assert_eq!(hub.process.stdout.wait_for("* user4 left\n"), all);
}

#[test]
fn who_ends_its_side_has_left() {
    let (mut hub, mut one, two) = pair(&[]);
    one.says("bye");
    one.stream.shutdown(Shutdown::Write).unwrap();
    two.hears("<user1> bye\n* user1 left\n");
    assert!(one.got.wait_end().ends_with(b"* user2 joined\n"));
    hub.process.type_in("still here?\n");
    two.hears("<host> still here?\n");
}

/// It left by itself, with everything that is for it: a program that reads on is not told of a failure.
#[test]
fn who_ends_its_side_behind_half_a_line_reads_to_the_end() {
    let hub = Hub::start(&["--chat"]);
    let port = hub.port.to_string();
    for (said, heard) in [
        ("hi", "* user1 joined\n"),
        ("/names", "* here: host, user2\n"),
        ("/nick Zoe", "Zoe"),
        ("/nick Max\nhi\n/names", "* here: host, Max\n"),
    ] {
        let mut peer = Process::start(&mut piped(MUXNC, &["127.0.0.1", &port]));
        peer.type_in(said);
        peer.end_input();
        peer.expect_status(0);
        let got = peer.stdout.text();
        assert!(got.contains(heard), "{said}: {got}");
    }
}

#[test]
fn names_are_taken_by_nick_and_unmistakable() {
    let (hub, mut one, mut two) = pair(&[]);
    one.says("/nick Ana\n");
    one.hears("* user1 is now Ana\n");
    two.hears("* user1 is now Ana\n");
    let refused = [
        "",
        "two words",
        "seventeen-letters",
        "\u{410}na",
        "\u{391}\u{39d}\u{391}",
        "\u{5d3}\u{5e0}\u{5d4}",
        "A\u{200b}na",
        "Ana\x1b[2J",
        "<Ana>",
        "*",
        "12",
        "ana",
        "ANA",
        "A_n_a",
        "host",
        "H0ST",
        "user1",
        "user7",
        "USER-7",
        "userl",
        "muxnc",
        "user2",
    ];
    for name in refused {
        two.says(format!("/nick {name}\n"));
    }
    two.says("done\n");
    one.hears("<user2> done\n");
    assert_eq!(
        one.got.text(),
        "* user1 joined\n* user2 joined\n* user1 is now Ana\n<user2> done\n",
        "refusals are nobody else's business"
    );
    let told = two.got.wait_until("every refusal", |got| {
        got.iter().filter(|&&byte| byte == b'\n').count() == 2 + refused.len()
    });
    let told = String::from_utf8(told).unwrap();
    for line in told.lines().skip(2) {
        let why = line.strip_prefix("* you are still user2: ");
        assert!(why.is_some_and(|why| !why.is_empty()), "{line:?}");
    }
    one.leaves();
    two.hears("* Ana left\n");
    two.says("/nick ana\n");
    two.hears("* user2 is now ana\n");
    hub.process.stdout.wait_for("* user2 is now ana\n");
    two.says("/nick Jose\u{301}\n/nick 漢字\n/nick user2\n");
    two.hears("* ana is now José\n* José is now 漢字\n* 漢字 is now user2\n");
}

#[test]
fn what_a_participant_asks_for_is_answered_to_it_alone() {
    let (hub, mut one, two) = pair(&[]);
    for (asked, told) in [
        (
            "/help",
            "* /nick NAME: be called NAME\n* /msg NAME TEXT: say TEXT to NAME alone\n\
             * /me TEXT: say what you do\n* /names: who is here\n* /help: this list\n",
        ),
        (" /NAMES", "* here: host, user1, user2\n"),
        (
            "/quit",
            "* /quit is no command, and was not said: /help lists them\n",
        ),
        (
            " /user2 psst",
            "* /user2 is no command, and was not said: /help lists them\n",
        ),
        (
            "/nickname",
            "* /nickname is no command, and was not said: /help lists them\n",
        ),
        ("/msg user2", "* that is written /msg NAME TEXT\n"),
        (
            "/msg Eve psst",
            "* nobody here is called Eve: /names lists everybody\n",
        ),
    ] {
        one.says(format!("{asked}\n"));
        one.hears(told);
    }
    one.says("/etc/passwd\n/* code */\n//nick x\n/me waves\n");
    let said = "<user1> /etc/passwd\n<user1> /* code */\n<user1> //nick x\n<user1> *waves*\n";
    two.hears(said);
    assert_eq!(two.got.text(), format!("* user2 joined\n{said}"));
    let shown = hub.process.stdout.wait_for(said);
    assert_eq!(shown, format!("* user1 joined\n* user2 joined\n{said}"));
    one.says(" /NICK Ana\n");
    two.hears("* user1 is now Ana\n");
}

#[test]
fn what_is_said_to_one_alone_is_marked_at_both_ends_and_read_nowhere_else() {
    let folder = Folder::new("private");
    let transcript = folder.0.join("transcript");
    let records = ["--transcript", transcript.to_str().unwrap()];
    let (mut hub, mut one, two) = pair(&records);
    let three = Peer::join(hub.port, 3);
    one.says("/nick Ana\nfirst\n/msg user2 secret one\n /MSG USER2: secret two\nlast\n");
    two.hears(
        "<Ana> first\n<Ana, to you alone> secret one\n<Ana, to you alone> secret two\n<Ana> last\n",
    );
    three.hears("<Ana> first\n<Ana> last\n");
    one.hears("* only user2 was told\n* only user2 was told\n");
    let shown = hub.process.stdout.wait_for("<Ana> last\n");
    assert!(
        shown.ends_with(
            "<Ana> first\n* Ana said something to user2 alone\n\
             * Ana said something to user2 alone\n<Ana> last\n"
        ),
        "{shown}"
    );
    one.says("/msg host a question\n");
    one.hears("* only host was told\n");
    hub.process
        .stdout
        .wait_for("<Ana, to you alone> a question\n");
    // Also one that leaves in the middle of its line has said it.
    one.says("/msg user3 bye");
    one.leaves();
    three.hears("<Ana, to you alone> bye\n* Ana left\n");
    hub.process.type_in("that is all\n");
    two.hears("that is all\n");
    hub.process.end_input();
    two.leaves();
    three.leaves();
    hub.process.expect_status(0);
    let minutes = std::fs::read_to_string(&transcript).unwrap();
    let asked: Vec<&str> = minutes
        .lines()
        .filter(|line| line.contains("\tasked\t1\t"))
        .filter_map(|line| line.rsplit('\t').next())
        .collect();
    assert_eq!(
        asked,
        [
            "/nick Ana",
            "/msg user2",
            "/msg user2",
            "/msg host a question",
            "/msg user3"
        ]
    );
    assert!(!minutes.contains("secret"), "{minutes}");
}

/// Whoever was typing when the name changed hands meant the one who had it.
#[test]
fn what_was_for_one_who_left_is_not_told_to_who_took_the_name() {
    let (_hub, mut ana, mut ben) = pair(&[]);
    ana.says("/nick Ana\n");
    ben.hears("* user1 is now Ana\n");
    ben.says("/msg Ana first\n");
    ana.hears("<user2, to you alone> first\n");
    // One renames itself, and another is called so.
    ana.says("/nick Anna2\n");
    ben.hears("* Ana is now Anna2\n");
    let mut eve = Peer::join(_hub.port, 3);
    eve.says("/nick ana\n");
    ben.hears("* user3 is now ana\n");
    ben.says("/msg Ana my pin\n/msg Anna2 second\n");
    let answer =
        "* ana was somebody else a moment ago: not said. A /msg typed again 15 s later will be\n";
    ben.hears(answer);
    ana.hears("<user2, to you alone> second\n");
    eve.says("and now?\n");
    ben.hears("<ana> and now?\n");
    assert!(!eve.got.text().contains("pin"), "{}", eve.got.text());
}

#[test]
fn the_operator_as_well_is_told_that_a_name_is_anothers_now() {
    if !installed(&["setsid"]) {
        return;
    }
    let mut bob = Terminal::muxnc(&["-l", "0", "--chat"]);
    let port = support::listening_port(&bob.screen);
    let ana = Peer::join(port, 1);
    let mut eve = Peer::join(port, 2);
    ana.hears("* user2 joined\n");
    bob.press("/name 1 Ana\r");
    eve.hears("* user1 is now Ana\n");
    // Who gives a name away knows whose it is.
    support::pause();
    bob.press("/name 1\r");
    eve.hears("* Ana is now user1\n");
    support::pause();
    bob.press("/name 2 Ana\r");
    ana.hears("* user2 is now Ana\n");
    support::pause();
    bob.press("/msg Ana for you\r");
    eve.hears("<host, to you alone> for you\n");
    // Who just takes it is not who was meant.
    eve.says("/nick Eve\n");
    ana.hears("* Ana is now Eve\n");
    let mut ana = ana;
    ana.says("/nick Ana\n");
    eve.hears("* user1 is now Ana\n");
    // The participants do not know to whom the operator gave it.
    support::pause();
    bob.press("/name 2 Kim\r");
    ana.hears("* Eve is now Kim\n");
    for command in ["/msg Ana my pin", "/kick Ana", "/mute Ana"] {
        support::pause();
        let before = bob.screen.text().len();
        bob.press(format!("{command}\r"));
        bob.screen.wait_until("the answer", |shown| {
            let shown = String::from_utf8_lossy(shown);
            shown[before..].contains("was [2] until a moment ago, and is [1] now")
        });
    }
    support::pause();
    bob.press("/msg 1 at last\r");
    ana.hears("<host, to you alone> at last\n");
    assert!(!ana.got.text().contains("pin"));
}

/// A key, a byte order mark or a quotation before it, and what autocorrection makes of it: nobody else reads it.
#[test]
fn what_could_be_for_one_alone_is_answered_and_said_to_nobody() {
    let (hub, mut ana, ben) = pair(&[]);
    let eve = Peer::join(hub.port, 3);
    let lines: [&[u8]; 24] = [
        b"\x1b[A/msg user2 secret",
        b"\x1b[D\x1b[D/msg user2 secret",
        b"\x1bOA/msg user2 secret",
        b"\xef\xbb\xbf/msg user2 secret",
        b"\xe2\x80\x8b/msg user2 secret",
        b"\xc2\xad/msg user2 secret",
        b"\0/msg user2 secret",
        b"\x08/msg user2 secret",
        b"x\x7f/msg user2 secret",
        b"\xff/msg user2 secret",
        b"\"/msg user2 secret",
        b"> /msg user2 secret",
        b"*/msg user2 secret",
        b"//msg user2 secret",
        b"/ /msg user2 secret",
        b"/msg: user2 secret",
        b"/msg, user2 secret",
        b"/msg@user2 secret",
        b"/msg\x0buser2 secret",
        b"/msg\xe2\x80\xa8user2 secret",
        b"/m\xe2\x80\x8bsg user2 secret",
        b".msg user2 secret",
        b"!msg user2 secret",
        b"-msg user2 secret",
    ];
    for line in lines {
        ana.says([line, b"\n"].concat());
    }
    ana.says("it is over\n");
    for peer in [&eve, &ben] {
        peer.hears("<user1> it is over\n");
        let got = peer.got.text();
        assert!(!got.contains("secret"), "{got}");
    }
    let held = "* that may be for one alone, and was not said: /msg NAME TEXT\n";
    ana.got.wait_until("all are answered", |got| {
        String::from_utf8_lossy(got).matches(held).count() == lines.len()
    });
    // Other text is said.
    for text in [
        "/etc/passwd",
        "/* code */",
        "\"msg\" is short",
        "- msg me later",
        "say /msg Ben hi to whisper",
        "2^10 > 1",
    ] {
        ana.says(format!("{text}\n"));
        eve.hears(&format!("<user1> {text}\n"));
    }
}

/// Plain nc, Home pressed behind what was typed: the command that was to stand in front stands behind it.
#[test]
fn a_command_behind_a_key_that_moved_no_cursor_is_answered_and_said_to_nobody() {
    let (hub, mut ana, ben) = pair(&[]);
    let eve = Peer::join(hub.port, 3);
    let keys = [
        "\x1b[H",
        "\x1bOH",
        "\x1b[1~",
        "\x01",
        "\x1b[D\x1b[D\x1b[D",
        "\x1b[1;5D",
    ];
    let lines = [
        "a secret|/msg user2 ",
        "user2 a secret|/msg ",
        "msg user2 a secret|/",
        "sg user2 a secret|/m",
        "user2 a secret|.msg ",
        "a secret|/msg user2 |",
        "/me has a secret|/msg user2 ",
    ];
    for key in keys {
        for line in lines {
            ana.says(format!("{}\n", line.replace('|', key)));
        }
    }
    let held = "* that was not said: a key in it moved no cursor here, and a command has nothing before it\n";
    ana.got.wait_until("all are answered", |got| {
        String::from_utf8_lossy(got).matches(held).count() == keys.len() * lines.len()
    });
    ana.says("it is\x1b[D over\n");
    for peer in [&eve, &ben] {
        peer.hears("<user1> it is^[[D over\n");
        let got = peer.got.text();
        assert!(!got.contains("secret"), "{got}");
    }
}

/// Whoever sends more of them at once than anybody types loses none: it is read as they are done.
#[test]
fn many_lines_for_one_alone_all_arrive_and_are_answered() {
    const COUNT: usize = 3000;
    let (_hub, mut ana, ben) = pair(&[]);
    let lines: Vec<String> = (0..COUNT).map(|n| format!("/msg user2 m{n}\n")).collect();
    ana.says(lines.concat());
    let told: String = (0..COUNT)
        .map(|n| format!("<user1, to you alone> m{n}\n"))
        .collect();
    ben.hears(&told);
    let answers = "* only user2 was told\n".repeat(COUNT);
    ana.hears(&answers);
}

#[test]
fn the_operator_reads_what_is_said_to_one_alone_where_that_was_asked_for() {
    let (hub, mut one, two) = pair(&["--open-messages"]);
    one.says("/msg user2 not secret\n");
    two.hears("<user1, to you alone> not secret\n");
    hub.process
        .stdout
        .wait_for("<user1, to user2 alone> not secret\n");
}

#[test]
fn whoever_joins_is_welcomed_only_where_that_was_asked_for() {
    if !installed(&["nc"]) {
        return;
    }
    let hub = Hub::start(&["--chat", "--welcome", "Say /help\u{7}", "--history", "5"]);
    let mut one = Peer::connect(hub.port);
    one.hears("* Say /help^G\n");
    one.says("hello\n");
    one.hears("* user1 joined\n");
    let port = hub.port.to_string();
    let mut nc = Process::start(&mut piped("nc", &["127.0.0.1", &port]));
    nc.stdout
        .wait_for("* Say /help^G\n<user1> hello\n* user2 joined\n");
    nc.type_in("/names\r\n/msg user1 psst\r\n");
    nc.stdout
        .wait_for("* here: host, user1, user2\n* only user1 was told\n");
    one.hears("<user2, to you alone> psst\n");
}

#[test]
fn who_is_sent_away_reads_why() {
    if !installed(&["nc"]) {
        return;
    }
    for chat in [true, false] {
        let args = match chat {
            true => &["-l", "0", "--chat"][..],
            false => &["-l", "0"],
        };
        let mut bob = Terminal::of_kind("xterm-256color", MUXNC, args);
        let port = support::listening_port(&bob.screen);
        let mut nc = Process::start(&mut piped("nc", &["127.0.0.1", &port.to_string()]));
        bob.screen.wait_for("joined, 1 here");
        // Something of it is under way when it is cut off.
        nc.type_in("and another thing\n".repeat(50));
        bob.screen.wait_for("and another thing");
        support::pause();
        bob.press("/kick 1 too \u{202e}loud\r");
        nc.stdout.wait_for(match chat {
            true => "* host disconnected you: too <U+202E>loud\n",
            false => "muxnc: you were disconnected: too <U+202E>loud\n",
        });
        nc.stdout.wait_end();
        bob.screen.wait_for("was cut off by you: too");
    }
}

/// What a terminal would obey, and what everybody reads instead.
const VECTORS: [(&[u8], &str); 12] = [
    (b"\x1b]0;pwned\x07x", "^[]0;pwned^Gx"),
    (b"\x1b[c\x1b[6n\x05", "^[[c^[[6n^E"),
    (b"\x1b]52;c;ZXZpbA==\x07", "^[]52;c;ZXZpbA==^G"),
    (b"secret\r<host> FAKE", "secret^M<host> FAKE"),
    (b"\r* user2 left", "^M* user2 left"),
    (b"\x1b[2J\x1b[H<host> hi", "^[[2J^[[H<host> hi"),
    (b"\x00\x7f\x9b2J\x08\x0b\x0c", "^@^?\u{fffd}2J^H^K^L"),
    (b"\xc2\x9b2J\xc2\x85", "<U+009B>2J<U+0085>"),
    (
        "evil \u{202e}txt\u{2028}".as_bytes(),
        "evil <U+202E>txt<U+2028>",
    ),
    (
        "\u{200b}\u{feff}\u{2066}".as_bytes(),
        "<U+200B><U+FEFF><U+2066>",
    ),
    (b"\xff\xc0\xaf\xe6\x97", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
    (
        "caf\u{e9}\t\u{65e5}\u{672c} \u{1f468}\u{200d}\u{1f469}".as_bytes(),
        "caf\u{e9}\t\u{65e5}\u{672c} \u{1f468}\u{200d}\u{1f469}",
    ),
];

#[test]
fn what_would_act_on_a_terminal_is_shown_to_everybody() {
    if !installed(&["nc"]) {
        return;
    }
    let (mut hub, mut one, two) = pair(&[]);
    let port = hub.port.to_string();
    let nc = Process::start(&mut piped("nc", &["127.0.0.1", &port]));
    nc.stdout.wait_for("* user3 joined\n");
    let mut expected = String::new();
    for (bytes, shown) in VECTORS {
        one.says(bytes);
        one.says("\n");
        expected.push_str(&format!("<user1> {shown}\n"));
    }
    for watched in [&nc.stdout, &two.got, &hub.process.stdout] {
        watched.wait_for(&expected);
    }
    // The operator's bytes come to the same terminals.
    hub.process.type_in("\x1b[2J\rb\n");
    nc.stdout.wait_for("<host> ^[[2J^Mb\n");
    // And byte by byte it is the same.
    for (bytes, _) in VECTORS {
        for byte in bytes {
            one.says([*byte]);
        }
        one.says("\n");
    }
    let twice = nc.stdout.wait_until("the vectors again", |got| {
        String::from_utf8_lossy(got).matches(&expected).count() == 2
    });
    assert!(!contains(&twice, b"\x1b") && !contains(&twice, b"\r"));
}

#[test]
fn thirty_hear_each_other_and_every_line_is_its_authors() {
    let plain_nc = installed(&["nc"]);
    let hub = Hub::start(&["--chat", "-v"]);
    let port = hub.port.to_string();
    let mut peers = Vec::new();
    let mut ncs = Vec::new();
    // Every fifth has nothing but nc.
    for number in 1..=30 {
        if plain_nc && number % 5 == 0 {
            let nc = Process::start(&mut piped("nc", &["127.0.0.1", &port]));
            ncs.push((number, nc));
        } else {
            peers.push((number, Peer::connect(hub.port)));
        }
        hub.process.stderr.wait_for(&format!("[{number}] "));
    }
    // All are there before anybody is announced, so everybody hears of everybody.
    for (_, peer) in &peers {
        peer.got.wait_for("* user30 joined\n");
    }
    for (_, nc) in &ncs {
        nc.stdout.wait_for("* user30 joined\n");
    }
    const LINES: usize = 20;
    for line in 0..LINES {
        // Each forges its neighbour's, in one write.
        let speech = |n: u32| format!("{line} by {n}\n\r<user{}> {line} by {n}\n", n % 30 + 1);
        for (number, peer) in &mut peers {
            peer.says(speech(*number));
        }
        for (number, nc) in &mut ncs {
            nc.type_in(speech(*number));
        }
    }
    let check = |number: u32, watched: &Watched| {
        let others = peers.len() + ncs.len() - usize::from(number > 0);
        let joins = match number {
            0 => others,
            _ => others + 1,
        };
        let got = watched.wait_until("everybody's lines", |got| {
            got.iter().filter(|&&b| b == b'\n').count() == others * LINES * 2 + joins
        });
        let got = String::from_utf8(got).unwrap();
        for line in got.lines() {
            if line.starts_with("* ") {
                assert!(line.ends_with(" joined"), "{line:?}");
                continue;
            }
            let (label, text) = line.split_once("> ").unwrap();
            let author = label.strip_prefix("<user").unwrap();
            assert!(text.ends_with(&format!(" by {author}")), "forged: {line:?}");
            assert_ne!(author, number.to_string(), "its own: {line:?}");
        }
    };
    check(0, &hub.process.stdout);
    for (number, peer) in &peers {
        check(*number, &peer.got);
    }
    for (number, nc) in &ncs {
        check(*number, &nc.stdout);
    }
}

#[test]
fn at_a_terminal_bob_reads_names_and_his_own_lines_once() {
    let args = ["-l", "0", "--chat", "--color", "never"];
    let mut bob = Terminal::of_kind("xterm-256color", MUXNC, &args);
    let port = support::listening_port(&bob.screen);
    let mut one = Peer::join(port, 1);
    let two = Peer::join(port, 2);
    one.says("hello\n\x1b[2J\n");
    bob.screen.wait_for("<user1>\x1b[0m hello");
    bob.screen.wait_for("<user1>\x1b[0m ^[[2J");
    bob.press("good morning\r");
    two.hears("<host> good morning\n");
    support::pause();
    bob.press("/name 1 Ana\r");
    two.hears("* user1 is now Ana\n");
    bob.screen.wait_for("* user1 is now Ana");
    support::pause();
    bob.press("/name 2 ana\r");
    bob.screen
        .wait_for("[2 user2] is not called ana: that is taken");
    support::pause();
    bob.press("/name 2 7\r");
    bob.screen
        .wait_for("[2 user2] is not called 7: 1 to 16 letters");
    support::pause();
    bob.press("/msg Ana well done\r");
    one.hears("<host, to you alone> well done\n");
    support::pause();
    bob.press("/relay off\r");
    two.hears("* only host hears you now\n");
    one.says("psst\n/nick Eve\n");
    one.hears("* you are still Ana: ");
    bob.screen.wait_for("<Ana>\x1b[0m psst");
    support::pause();
    bob.press("/relay on\r");
    two.hears("* everybody hears each other again\n");
    one.says("over\n");
    two.hears("<Ana> over\n");
    support::pause();
    bob.press("/kick ana loud\r");
    one.hears("* host disconnected you: loud\n");
    one.got.wait_end();
    two.hears("* Ana left\n");
    assert_eq!(
        two.got.text(),
        "* user2 joined\n<user1> hello\n<user1> ^[[2J\n<host> good morning\n\
         * user1 is now Ana\n* only host hears you now\n* everybody hears each other again\n\
         <Ana> over\n* Ana left\n"
    );
    let screen = bob.screen.text();
    assert!(
        !screen.contains("<host>"),
        "his own lines are on it as he typed them"
    );
    assert!(
        !screen.contains("* user2 joined"),
        "the notice says it: {screen}"
    );
    assert!(
        screen.contains("[2] 127.0.0.1:"),
        "with the address: {screen}"
    );
}

#[test]
fn without_an_edit_line_bobs_screen_is_the_same() {
    let mut bob = Terminal::muxnc(&["-l", "0", "--chat", "--color", "never"]);
    let port = support::listening_port(&bob.screen);
    let mut one = Peer::join(port, 1);
    one.says("hel");
    one.says("lo\n/nick Ana\n\rx\n");
    bob.screen
        .wait_for("<user1> hello\r\n* user1 is now Ana\r\n<Ana> ^Mx\r\n");
    bob.press("good morning\r");
    one.hears("<host> good morning\n");
    assert!(!bob.screen.text().contains("<host>"));
}

#[test]
fn what_makes_no_sense_in_a_chat_is_refused() {
    for args in [
        &["-l", "0", "--chat", "--once"][..],
        &["-l", "0", "--chat", "--raw-output"],
        &["-l", "0", "--chat", "--label", "never"],
        &["-l", "0", "--name", "Bob"],
        &["-l", "0", "--welcome", "hello"],
        &["-l", "0", "--open-messages"],
        &["-l", "0", "--chat", "--welcome", ""],
        &["-l", "0", "--chat", "--welcome", "two\nlines"],
        &["-l", "0", "--chat", "--name", "user1"],
        &["-l", "0", "--chat", "--name", "\u{5d3}\u{5e0}\u{5d4}"],
        &["-l", "0", "--chat", "--name", ""],
        &["--chat", "localhost", "80"],
    ] {
        let mut refused = muxnc(args);
        refused.expect_status(2);
        assert!(!contains(&refused.stderr.bytes(), b"listening"), "{args:?}");
    }
}
