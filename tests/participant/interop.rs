//! Real peers: the other netcats, telnet, curl and nginx, on either side of muxnc.
//!
//! Each program is started so that it neither adds nor takes away bytes of its own; where it cannot
//! be (telnet says where it connects to, and sends each end of line as CRLF), the tests say so and
//! expect exactly that.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::ChildStdin;
use std::process::Command;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Nginx;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::Watched;
use crate::support::accept;
use crate::support::contains;
use crate::support::expect_bytes;
use crate::support::fingerprint_shown;
use crate::support::installed;
use crate::support::listening;
use crate::support::listening_port;
use crate::support::muxnc;
use crate::support::piped;

const HOST: &str = "127.0.0.1";

/// Those who take part in a hub as they are, byte for byte, and telnet, which does not quite.
const PEERS: [&str; 6] = [
    "muxnc",
    "nc.openbsd",
    "nc.traditional",
    "ncat",
    "socat",
    "telnet",
];

/// The other netcats, which can also listen.
const NETCATS: [&str; 4] = ["nc.openbsd", "nc.traditional", "ncat", "socat"];

/// SIGINT's number.
const SIGINT: i32 = 2;

/// The pause between two lines of somebody who types quickly.
const TYPING: Duration = Duration::from_millis(30);

/// A participant: the plain command that a student would type. Only socat needs to be told to wait
/// for the other direction when one has ended, or it leaves after half a second.
fn participant(program: &str, port: u16) -> Command {
    let port = port.to_string();
    match program {
        "muxnc" => piped(MUXNC, &[HOST, &port]),
        "socat" => piped("socat", &["-t", "60", "-", &format!("TCP:{HOST}:{port}")]),
        _ => piped(program, &[HOST, &port]),
    }
}

/// A participant that sends its input, ends the connection's sending side with it, and leaves when
/// the other side has ended too. Each netcat calls that something else, and nc.traditional cannot:
/// it can only leave some time after the end of its input.
fn sender(program: &str, port: u16) -> Command {
    let mut command = participant(program, port);
    command.args(ending_with_input(program));
    command
}

fn ending_with_input(program: &str) -> &'static [&'static str] {
    match program {
        "nc.openbsd" => &["-N"],
        "nc.traditional" => &["-q", "1"],
        _ => &[],
    }
}

/// A netcat that listens on a port of the system's choice. `-n` keeps nc.traditional from looking
/// up the name of whoever comes.
fn listener(program: &str) -> Command {
    match program {
        "nc.traditional" => piped(program, &["-l", "-n", "-s", HOST]),
        "socat" => piped(
            program,
            &["-t", "60", "-", &format!("TCP-LISTEN:0,bind={HOST}")],
        ),
        "ncat" => piped(program, &["-l", HOST, "0"]),
        _ => piped(program, &["-l", "-n", HOST, "0"]),
    }
}

/// Every byte there is, in no order that a program could know, with line ends of all kinds.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 4);
    while bytes.len() < len {
        // Knuth's linear congruential generator; its high bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes()[..4]);
    }
    bytes.truncate(len);
    bytes
}

/// Writes to its stdin beside whatever else the test does. Whether all of it was taken shows in
/// what comes out at the other end.
fn feed(process: &mut Process, bytes: Vec<u8>) -> JoinHandle<ChildStdin> {
    let mut stdin = process.stdin.take().unwrap();
    thread::spawn(move || {
        let _ = stdin.write_all(&bytes);
        stdin
    })
}

/// The same, and then the end.
fn feed_all(process: &mut Process, bytes: Vec<u8>) {
    feed(process, bytes);
}

/// Compares long byte strings without printing them.
#[track_caller]
fn assert_same(who: &str, got: &[u8], expected: &[u8]) {
    if got != expected {
        let at = got.iter().zip(expected).position(|(a, b)| a != b);
        let at = at.unwrap_or(got.len().min(expected.len()));
        let near = |bytes: &[u8]| {
            let end = bytes.len().min(at + 40);
            bytes[at.saturating_sub(40).min(end)..end]
                .escape_ascii()
                .to_string()
        };
        panic!(
            "{who}: {} bytes, expected {}; they differ at {at}: got {:?}, expected {:?}",
            got.len(),
            expected.len(),
            near(got),
            near(expected)
        );
    }
}

/// What a participant got over the network, without what telnet says itself before.
fn from_network<'a>(program: &str, bytes: &'a [u8]) -> &'a [u8] {
    if program != "telnet" {
        return bytes;
    }
    let banner = b"Escape character is '^]'.\n";
    let start = bytes.windows(banner.len()).position(|w| w == banner);
    start.map_or(&[], |start| &bytes[start + banner.len()..])
}

/// A line as it goes over the network when it is typed into this program.
fn as_sent(program: &str, line: &str) -> String {
    match program {
        "telnet" => format!("{line}\r\n"),
        _ => format!("{line}\n"),
    }
}

/// A class of one of each, all of them in the hub.
fn class(hub: &Hub, programs: &[&'static str]) -> Vec<(&'static str, Process)> {
    let peers: Vec<(&str, Process)> = programs
        .iter()
        .map(|&program| (program, Process::start(&mut participant(program, hub.port))))
        .collect();
    let everybody = format!("joined, {} here", peers.len());
    hub.process.stderr.wait_for(&everybody);
    peers
}

/// The line with this number that this participant types; unlike any other.
fn line_of(program: &str, number: usize) -> String {
    format!(
        "{program} says {number}: caf\u{e9} \u{2603} \t; {}",
        "-".repeat(number % 90)
    )
}

/// All of them type this line at the same time: first everybody the first half of it, then, in the
/// other order, everybody the rest.
fn all_type(peers: &mut [(&'static str, Process)], number: usize) {
    let line = |program: &str| line_of(program, number) + "\n";
    for (program, process) in peers.iter_mut() {
        let line = line(program);
        process.type_in(&line.as_bytes()[..line.len() / 2]);
    }
    for (program, process) in peers.iter_mut().rev() {
        let line = line(program);
        process.type_in(&line.as_bytes()[line.len() / 2..]);
    }
}

/// The lines that begin with these words: what one of them said.
fn lines_of(program: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8, as it was typed");
    let start = format!("{program} says ");
    text.split_inclusive('\n')
        .filter(|line| line.starts_with(&start))
        .collect()
}

/// Ends the input of the hub, then of everybody; telnet would leave at once if its keyboard ended
/// before. They all have left when this returns.
fn dismiss(mut hub: Hub, peers: &mut [(&'static str, Process)]) -> Vec<u8> {
    hub.process.end_input();
    for (_, process) in peers.iter_mut() {
        process.end_input();
    }
    for (program, process) in peers.iter_mut() {
        let status = process.wait();
        assert!(
            status.success() || *program == "telnet",
            "{program}: {status}"
        );
    }
    hub.process.expect_status(0);
    hub.process.stdout.wait_end()
}

#[test]
fn six_kinds_of_peers_get_every_byte_of_the_hub_and_are_heard_in_whole_lines() {
    if !installed(&PEERS[1..]) {
        return;
    }
    let mut hub = Hub::start(&["-v"]);
    let mut peers = class(&hub, &PEERS);

    let mut said = String::new();
    for round in 0..100 {
        let lines: String = (0..20)
            .map(|i| line_of("The teacher", round * 20 + i) + "\n")
            .collect();
        hub.process.type_in(&lines);
        said += &lines;
        all_type(&mut peers, round);
    }
    assert_eq!(said.lines().count(), 2000);
    for (program, process) in &peers {
        process.stdout.wait_until("all that the hub said", |bytes| {
            from_network(program, bytes).len() >= said.len()
        });
    }
    // Each of them was heard to its last line before anybody leaves.
    for (program, _) in &peers {
        hub.process
            .stdout
            .wait_for(&as_sent(program, &line_of(program, 99)));
    }
    let heard = dismiss(hub, &mut peers);

    for (program, process) in &peers {
        let got = process.stdout.wait_end();
        assert_same(program, from_network(program, &got), said.as_bytes());
        let typed: String = (0..100)
            .map(|i| as_sent(program, &line_of(program, i)))
            .collect();
        assert_same(
            program,
            lines_of(program, &heard).as_bytes(),
            typed.as_bytes(),
        );
    }
    let lines = heard.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(lines, 600, "and nobody else was heard");
}

#[test]
fn a_broker_passes_lines_of_real_peers_to_all_but_their_author() {
    if !installed(&PEERS[1..]) {
        return;
    }
    let mut hub = Hub::start(&["-v", "--broker"]);
    let mut peers = class(&hub, &PEERS);
    for round in 0..100 {
        all_type(&mut peers, round);
        hub.process.type_in(line_of("The teacher", round) + "\n");
    }
    let said: String = (0..100).map(|i| line_of("The teacher", i) + "\n").collect();
    let size = |program: &str| -> usize {
        let lines = (0..100).map(|i| as_sent(program, &line_of(program, i)).len());
        lines.sum()
    };
    let total: usize = said.len() + PEERS.iter().map(|program| size(program)).sum::<usize>();
    for (program, process) in &peers {
        process
            .stdout
            .wait_until("the lines of all the others", |bytes| {
                from_network(program, bytes).len() >= total - size(program)
            });
    }
    hub.process.stdout.wait_until("everybody's lines", |bytes| {
        bytes.len() >= total - said.len()
    });
    let heard = dismiss(hub, &mut peers);

    // The hub shows everybody's lines but the teacher's own, in the order in which they are
    // passed on, so each peer must have got just that, without its own and with the teacher's.
    for (program, process) in &peers {
        let got = process.stdout.wait_end();
        let got = from_network(program, &got);
        assert_same(
            program,
            lines_of("The teacher", got).as_bytes(),
            said.as_bytes(),
        );
        let typed: String = (0..100)
            .map(|i| as_sent(program, &line_of(program, i)))
            .collect();
        assert_same(
            program,
            lines_of(program, &heard).as_bytes(),
            typed.as_bytes(),
        );

        let without = |bytes: &[u8], author: &str| -> String {
            let start = format!("{author} says ");
            let text = String::from_utf8(bytes.to_vec()).expect("UTF-8, as it was typed");
            text.split_inclusive('\n')
                .filter(|line| !line.starts_with(&start))
                .collect()
        };
        let others = without(got, "The teacher");
        assert_same(
            program,
            others.as_bytes(),
            without(&heard, program).as_bytes(),
        );
    }
}

#[test]
fn telnet_at_a_terminal_is_a_participant_of_a_hub() {
    if !installed(&["telnet"]) {
        return;
    }
    let mut hub = Hub::start(&["-v"]);
    let mut telnet = Terminal::start("telnet", &[HOST, &hub.port.to_string()]);
    telnet.screen.wait_for("Escape character is");
    hub.process.stderr.wait_for("joined, 1 here");
    telnet.press("Hello\r");
    hub.process.stdout.wait_for("\n");
    assert_eq!(hub.process.stdout.text(), "Hello\r\n");
    hub.process.type_in("World\nand everybody\n");
    hub.process.end_input();
    telnet.process.wait();
    let screen = telnet.screen.wait_end();
    assert!(
        contains(&screen, b"Hello\r\nWorld\r\nand everybody\r\n"),
        "{:?}",
        telnet.screen.text()
    );
    hub.process.expect_status(0);
}

/// A telnet whose user presses Ctrl-C throws away what comes until its question for a mark is answered.
#[test]
fn telnet_goes_on_being_readable_after_its_ctrl_c() {
    if !installed(&["telnet"]) {
        return;
    }
    for options in [&["-vt"][..], &["-vt", "--broker"]] {
        let mut hub = Hub::start(options);
        let mut telnet = Terminal::start("telnet", &[HOST, &hub.port.to_string()]);
        telnet.screen.wait_for("Escape character is");
        hub.process.stderr.wait_for("joined, 1 here");
        telnet.press("before\r");
        hub.process.stdout.wait_for("before\r\n");
        telnet.press("\x03");
        telnet.press("after\r");
        hub.process.stdout.wait_for("after\r\n");
        hub.process.type_in("still here?\n");
        telnet.screen.wait_for("still here?");
        // Nothing of what telnet says to its peer is seen.
        assert_eq!(hub.process.stdout.text(), "before\r\nafter\r\n");
        hub.process.end_input();
        telnet.process.wait();
    }
}

/// What a server of telnet says at the beginning, and what is answered to it.
const ASKED: &[u8] = b"\xff\xfd\x18\xff\xfb\x01\xff\xfb\x03\xff\xfe\x22\xff\xfc\x05login: ";
const ANSWERED: &[u8] = b"\xff\xfc\x18\xff\xfe\x01\xff\xfe\x03";

/// nc and ncat answer the same to a server, and muxnc hides what it answers to.
#[test]
fn a_telnet_server_is_answered_as_by_nc() {
    for program in [MUXNC, "nc.openbsd", "ncat"] {
        if program != MUXNC && !installed(&[program]) {
            continue;
        }
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut alice = Process::start(&mut piped(program, &["-t", HOST, &port]));
        let mut server = accept(&listener);
        server.write_all(ASKED).unwrap();
        expect_bytes(&mut server, ANSWERED);
        alice.stdout.wait_for("login: ");
        if program == MUXNC {
            assert_eq!(alice.stdout.bytes(), b"login: ");
            // What is said is no command, though it has the byte of one.
            alice.type_in(b"\xffana\xff\n");
            expect_bytes(&mut server, b"\xff\xffana\xff\xff\n");
            server.write_all(b"\xff\xff\r\0\xff\xf9.\r\n").unwrap();
            alice
                .stdout
                .wait_until("the end", |got| got.ends_with(b"\n"));
            assert_eq!(alice.stdout.bytes(), b"login: \xff\r.\r\n");
            alice.end_input();
            drop(server);
            alice.expect_status(0);
        }
    }
}

/// A server may negotiate when we have said all that we had to say.
#[test]
fn what_is_negotiated_behind_our_end_breaks_nothing() {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut alice = Process::start(&mut piped(MUXNC, &["-t", HOST, &port]));
    let mut server = accept(&listener);
    alice.type_in("us\n");
    alice.end_input();
    let mut said = String::new();
    server.read_to_string(&mut said).unwrap();
    assert_eq!(said, "us\n");
    server.write_all(ASKED).unwrap();
    alice.stdout.wait_for("login: ");
    // An answer would break this connection when it arrives.
    server.write_all(b"welcome\n").unwrap();
    drop(server);
    alice.expect_status(0);
    assert_eq!(alice.stdout.bytes(), b"login: welcome\n");
}

/// Whatever bytes there are, also many of those that are doubled, arrive, over TLS as well, to a peer that reads
/// slowly at the beginning.
#[test]
fn bytes_that_are_telnets_own_arrive() {
    let said: Vec<u8> = (0..3_000_000_u32)
        .map(|i| {
            if i / 100_000 % 2 == 0 {
                [0xff, b'\r', 0, 0, b'\r', 0xff, 0][i as usize % 7]
            } else {
                (i % 251) as u8 + (i % 5) as u8
            }
        })
        .collect();
    for tls in [&[][..], &["--ssl"]] {
        let hub = [&["-l", "--once", "-t", HOST, "0"], tls].concat();
        let mut bob = Process::start(&mut piped(MUXNC, &hub));
        let port = listening(&mut bob).to_string();
        let fingerprint = (!tls.is_empty()).then(|| fingerprint_shown(&bob.stderr));
        let mut args = vec!["-t", HOST, &port];
        if let Some(fingerprint) = &fingerprint {
            args.extend(["--ssl-fingerprint", fingerprint]);
        }
        let mut alice = Process::start(&mut piped(MUXNC, &args));
        alice.type_in(&said);
        alice.end_input();
        bob.end_input();
        bob.expect_status(0);
        alice.expect_status(0);
        assert!(bob.stdout.bytes() == said, "{tls:?}");
    }
}

/// An nginx that serves the files of a folder, and at `/length` the length of the request.
fn serving(folder: &Folder) -> Nginx {
    let length = "location = /length { return 200 \"length $request_length\\n\"; }";
    Nginx::start(folder, "", length)
}

/// Types these lines into a muxnc with these options, which is connected to it.
fn ask(nginx: &Nginx, options: &[&str], lines: &[&str]) -> Process {
    let port = nginx.port.to_string();
    let mut client = muxnc(&[options, &[HOST, &port]].concat());
    for line in lines {
        client.type_in(format!("{line}\n"));
        thread::sleep(TYPING);
    }
    client
}

/// The head of an HTTP answer as text, and its body.
fn head_and_body(answer: &[u8]) -> (String, &[u8]) {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no HTTP: {}", answer.escape_ascii())) + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head, &answer[end..])
}

#[test]
fn an_http_request_typed_line_by_line_is_answered_with_a_megabyte() {
    if !installed(&["nginx"]) {
        return;
    }
    let folder = Folder::new("megabyte");
    let mut nginx = serving(&folder);
    let page = noise(1, 1024 * 1024);
    fs::write(folder.0.join("page"), &page).unwrap();
    for options in [&[][..], &["-C"][..]] {
        let request = [
            "GET /page HTTP/1.1",
            "Host: 127.0.0.1",
            "Connection: close",
            "",
        ];
        let mut client = ask(&nginx, options, &request);
        // The answer is whole for whoever reads it, though stdin is still open.
        let answer = client.stdout.wait_end();
        client.end_input();
        client.expect_status(0);
        let (head, body) = head_and_body(&answer);
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n"),
            "{options:?}: {head}"
        );
        assert!(head.contains("\r\nContent-Length: 1048576\r\n"), "{head}");
        assert_same("the page", body, &page);
        assert_eq!(client.stderr.text(), "");
    }
    assert!(nginx.process.is_running());
}

#[test]
fn a_request_reaches_the_server_with_the_line_ends_that_were_asked_for() {
    if !installed(&["nginx"]) {
        return;
    }
    let folder = Folder::new("length");
    let nginx = serving(&folder);
    let request = ["GET /length HTTP/1.1", "Host: x", "Connection: close", ""];
    let length = request.iter().map(|line| line.len()).sum::<usize>();
    for (options, length) in [(&[][..], length + 4), (&["-C"][..], length + 8)] {
        let mut client = ask(&nginx, options, &request);
        let answer = client.stdout.wait_end();
        client.end_input();
        client.expect_status(0);
        let (_, body) = head_and_body(&answer);
        let body = String::from_utf8_lossy(body);
        assert_eq!(body, format!("length {length}\n"), "{options:?}");
    }
}

#[test]
fn nonsense_is_answered_with_400_and_the_end() {
    if !installed(&["nginx"]) {
        return;
    }
    let folder = Folder::new("nonsense");
    let nginx = serving(&folder);
    for options in [&[][..], &["-C", "-v"][..]] {
        let mut client = ask(&nginx, options, &["hello, is this a web server?"]);
        let answer = client.stdout.wait_end();
        client.end_input();
        client.expect_status(0);
        let (head, body) = head_and_body(&answer);
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(contains(body, b"<center>nginx"), "the whole page came");
        let told = String::from_utf8(client.stderr.wait_end()).unwrap();
        let ended = told.contains(&format!("{HOST}:{} ended its side", nginx.port));
        assert_eq!(ended, options.contains(&"-v"), "{told}");
    }
}

#[test]
fn at_a_terminal_the_answer_is_shown_and_the_prompt_is_back_when_the_server_closes() {
    if !installed(&["nginx"]) {
        return;
    }
    let folder = Folder::new("terminal");
    let mut nginx = serving(&folder);
    fs::write(folder.0.join("page"), "Hello from the web\n").unwrap();
    let mut student = Terminal::muxnc(&[HOST, &nginx.port.to_string()]);
    for line in ["GET /page HTTP/1.1", "Host: x", "Connection: close", ""] {
        student.press(format!("{line}\r"));
        thread::sleep(TYPING);
    }
    student.process.expect_status(0);
    student.screen.wait_end();
    // The server's CR LF, and the CR that the terminal puts before each LF.
    let screen = without_greeting(&student.screen.text().replace("\r\r\n", "\r\n"));
    let request = "GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\n";
    assert!(screen.starts_with(request), "{screen}");
    let end = format!(
        "\r\n\r\nHello from the web\r\nmuxnc: {HOST}:{} closed the connection\r\n",
        nginx.port
    );
    assert!(screen.ends_with(&end), "{screen}");
    assert!(nginx.process.is_running());
}

#[test]
fn what_is_piped_into_muxnc_arrives_whole_at_every_listening_netcat() {
    for program in NETCATS.into_iter().filter(|program| installed(&[program])) {
        let mut server = Process::start(&mut listener(program));
        let port = listening(&mut server);
        let mut client = muxnc(&[HOST, &port.to_string()]);
        let sent = noise(2, 3_000_000);
        feed_all(&mut client, sent.clone());
        // The netcat has a keyboard of its own, and stays at least until all of it came.
        server
            .stdout
            .wait_until("all that was sent", |got| got.len() >= sent.len());
        server.end_input();
        server.expect_status(0);
        client.expect_status(0);
        assert_same(program, &server.stdout.wait_end(), &sent);
        assert_eq!(client.stdout.text(), "");
        assert_eq!(client.stderr.text(), "");
    }
}

#[test]
fn what_a_listening_netcat_sends_arrives_whole_and_its_end_is_ours() {
    for program in NETCATS.into_iter().filter(|program| installed(&[program])) {
        let mut server = Process::start(listener(program).args(ending_with_input(program)));
        let port = listening(&mut server);
        let mut client = muxnc(&[HOST, &port.to_string()]);
        let sent = noise(3, 3_000_000);
        feed_all(&mut server, sent.clone());
        // The end of the netcat's input is the end of our stdout, although our own input stays open.
        assert_same(program, &client.stdout.wait_end(), &sent);
        client.end_input();
        client.expect_status(0);
        server.expect_status(0);
        assert_eq!(server.stdout.text(), "");
    }
}

#[test]
fn both_directions_are_whole_at_once_with_every_listening_netcat() {
    for program in NETCATS.into_iter().filter(|program| installed(&[program])) {
        let mut server = Process::start(&mut listener(program));
        let port = listening(&mut server);
        let mut client = muxnc(&[HOST, &port.to_string()]);
        let (up, down) = (noise(4, 2_000_000), noise(5, 3_000_000));
        let keyboards = [
            feed(&mut client, up.clone()),
            feed(&mut server, down.clone()),
        ];
        server
            .stdout
            .wait_until("all of it", |got| got.len() >= up.len());
        client
            .stdout
            .wait_until("all of it", |got| got.len() >= down.len());
        // Both inputs end now and not before, for the two nc leave when the other side has ended,
        // whatever they have left to send.
        drop(keyboards.map(|keyboard| keyboard.join().unwrap()));
        client.expect_status(0);
        server.expect_status(0);
        assert_same(program, &client.stdout.wait_end(), &down);
        assert_same(program, &server.stdout.wait_end(), &up);
    }
}

#[test]
fn each_direction_ends_on_its_own_with_those_who_can() {
    // The other listening netcats leave when the other side has ended.
    if !installed(&["socat", "ncat"]) {
        return;
    }
    let (short, long) = (noise(8, 300_000), noise(9, 3_000_000));
    for (ours, theirs) in [(&short, &long), (&long, &short)] {
        let mut socat = Process::start(&mut listener("socat"));
        let port = listening(&mut socat);
        let called = muxnc(&[HOST, &port.to_string()]);
        let once = Hub::start(&["--once"]);
        let ncat = Process::start(&mut participant("ncat", once.port));
        for (mut muxnc, mut peer) in [(called, socat), (once.process, ncat)] {
            feed_all(&mut muxnc, ours.clone());
            feed_all(&mut peer, theirs.clone());
            muxnc.expect_status(0);
            peer.expect_status(0);
            assert_same("the peer's bytes", &muxnc.stdout.wait_end(), theirs);
            assert_same("muxnc's bytes", &peer.stdout.wait_end(), ours);
        }
    }
}

#[test]
fn a_file_sent_by_every_netcat_is_received_whole_by_once() {
    for program in NETCATS.into_iter().filter(|program| installed(&[program])) {
        let mut server = Hub::start(&["--once"]);
        let mut client = Process::start(&mut sender(program, server.port));
        let sent = noise(6, 3_000_000);
        feed_all(&mut client, sent.clone());
        // `muxnc -l --once PORT > file` at a terminal nobody types into.
        server
            .process
            .stdout
            .wait_until("all that was sent", |got| got.len() >= sent.len());
        server.process.end_input();
        server.process.expect_status(0);
        client.expect_status(0);
        assert_same(program, &server.process.stdout.wait_end(), &sent);
        assert_eq!(client.stdout.text(), "");
    }
}

#[test]
fn a_file_sent_by_once_is_received_whole_by_every_netcat() {
    for program in NETCATS.into_iter().filter(|program| installed(&[program])) {
        let mut server = Hub::start(&["--once"]);
        let mut client = Process::start(&mut participant(program, server.port));
        let sent = noise(7, 3_000_000);
        feed_all(&mut server.process, sent.clone());
        client
            .stdout
            .wait_until("all that was sent", |got| got.len() >= sent.len());
        client.end_input();
        client.expect_status(0);
        server.process.expect_status(0);
        assert_same(program, &client.stdout.wait_end(), &sent);
        assert_eq!(server.process.stdout.text(), "");
    }
}

#[test]
fn curl_is_answered_by_hand() {
    if !installed(&["curl"]) {
        return;
    }
    let mut hub = Hub::start(&["-C"]);
    let url = format!("http://{HOST}:{}/lesson", hub.port);
    let mut curl = Process::start(&mut piped("curl", &["-q", "-sS", "--noproxy", "*", &url]));
    let request = hub.process.stdout.wait_for("\r\n\r\n");
    assert!(request.starts_with("GET /lesson HTTP/1.1\r\n"), "{request}");
    for line in ["HTTP/1.1 200 OK", "Content-Length: 15", "", "Hello, reader"] {
        hub.process.type_in(format!("{line}\n"));
        thread::sleep(TYPING);
    }
    curl.expect_status(0);
    assert_eq!(curl.stdout.wait_end(), b"Hello, reader\r\n");
    assert!(hub.process.is_running(), "a hub does not end with a peer");
    hub.process.end_input();
    hub.process.expect_status(0);
}

/// A listener at a terminal, once it listens, and its port.
fn bob(program: &str) -> (Terminal, u16) {
    if program == "muxnc" {
        let bob = Terminal::muxnc(&["-l", "0"]);
        let port = listening_port(&bob.screen);
        return (bob, port);
    }
    let mut bob = Terminal::start(program, &["-l", HOST, "0"]);
    let port = listening(&mut bob.process);
    (bob, port)
}

fn alice(program: &str, port: u16) -> Terminal {
    let program = if program == "muxnc" { MUXNC } else { program };
    Terminal::start(program, &[HOST, &port.to_string()])
}

/// The screen without what a hub tells of those who come and go.
fn conversation(screen: &Watched) -> String {
    let text = screen.text();
    text.split_inclusive('\n')
        .filter(|line| !line.starts_with("muxnc: "))
        .collect()
}

/// "Make TCP connections", as the course has it: Alice says Hello, Bob says World, and both see
/// both.
fn exercise(bob_is: &str, alice_is: &str) -> (Terminal, Terminal) {
    let (mut bob, port) = bob(bob_is);
    let mut alice = alice(alice_is, port);
    if bob_is == "muxnc" {
        bob.screen.wait_for("joined, 1 here\r\n");
    }
    alice.press("Hello\r");
    bob.screen.wait_for("Hello\r\n");
    bob.press("World\r");
    alice.screen.wait_for("World\r\n");
    bob.screen.wait_for("World\r\n");
    assert_eq!(conversation(&bob.screen), "Hello\r\nWorld\r\n");
    assert_eq!(conversation(&alice.screen), "Hello\r\nWorld\r\n");
    (bob, alice)
}

/// Ctrl-C, and death by it, with nothing but its echo left on the screen; and that only if the
/// kernel was quicker to echo than the program to die.
#[track_caller]
fn interrupt(terminal: &mut Terminal) {
    let said = conversation(&terminal.screen);
    terminal.press("\x03");
    let status = terminal.process.wait();
    assert_eq!(status.signal(), Some(SIGINT), "{status}");
    terminal.screen.wait_end();
    let left = conversation(&terminal.screen);
    assert_eq!(left.strip_suffix("^C").unwrap_or(&left), said);
}

/// What is on a participant's terminal but for whom it is connected with, which is told whenever that
/// is known.
fn without_greeting(screen: &str) -> String {
    let lines = screen.split_inclusive('\n');
    lines
        .filter(|line| !line.contains("muxnc: connected to "))
        .collect()
}

/// A hub cannot tell a peer that died from one that has only ended its own side and still listens;
/// what it says next tells.
#[track_caller]
fn miss_alice(bob: &mut Terminal) {
    assert!(bob.process.is_running(), "a hub does not end with a peer");
    bob.press("Alice?\r");
    bob.screen.wait_for(", 0 here\r\n");
    assert_eq!(conversation(&bob.screen), "Hello\r\nWorld\r\nAlice?\r\n");
}

#[test]
fn the_exercise_ends_with_ctrl_c_of_bob() {
    let (mut bob, mut alice) = exercise("muxnc", "muxnc");
    interrupt(&mut bob);
    alice.process.expect_status(0);
    alice.screen.wait_end();
    let screen = without_greeting(&alice.screen.text());
    assert!(
        screen.starts_with("Hello\r\nWorld\r\nmuxnc: 127.0.0.1:"),
        "{screen}"
    );
    assert!(screen.ends_with(" closed the connection\r\n"), "{screen}");
}

#[test]
fn the_exercise_ends_with_ctrl_c_of_alice_and_bob_serves_on() {
    let (mut bob, mut alice) = exercise("muxnc", "muxnc");
    interrupt(&mut alice);
    miss_alice(&mut bob);
    interrupt(&mut bob);
    let screen = bob.screen.text();
    let notices: Vec<&str> = screen
        .lines()
        .filter(|l| l.starts_with("muxnc: ") && !l.starts_with("muxnc: to join: "))
        .collect();
    assert!(notices[0].starts_with("muxnc: listening on "), "{screen}");
    assert!(notices[1].starts_with("muxnc: [1] 127.0.0.1:"), "{screen}");
    assert!(notices[1].ends_with(" joined, 1 here"), "{screen}");
    let left = notices.last().unwrap();
    assert!(left.starts_with("muxnc: [1] 127.0.0.1:"), "{screen}");
    assert!(left.contains(" left "), "{screen}");
    assert!(left.contains(" 6 bytes in, "), "{screen}");
}

#[test]
fn the_exercise_with_alice_at_nc() {
    if !installed(&["nc.openbsd"]) {
        return;
    }
    let (mut bob, mut alice) = exercise("muxnc", "nc.openbsd");
    interrupt(&mut alice);
    miss_alice(&mut bob);
    interrupt(&mut bob);

    let (mut bob, mut alice) = exercise("muxnc", "nc.openbsd");
    interrupt(&mut bob);
    // nc notices only when somebody types.
    alice.press("\r");
    alice.process.expect_status(0);
}

#[test]
fn the_exercise_with_bob_at_nc() {
    if !installed(&["nc.openbsd"]) {
        return;
    }
    let (mut bob, mut alice) = exercise("nc.openbsd", "muxnc");
    interrupt(&mut alice);
    // It ends with its peer, as muxnc --once does.
    bob.process.expect_status(0);

    let (mut bob, mut alice) = exercise("nc.openbsd", "muxnc");
    interrupt(&mut bob);
    alice.process.expect_status(0);
    alice.screen.wait_for(" closed the connection\r\n");
}
