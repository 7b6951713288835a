//! What is told, beside what tcpdump sees of the same connection.

use std::net::Ipv4Addr;

use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Process;
use crate::support::installed;
use crate::support::left_out;

const HOST: &str = "127.0.0.1";
const PORT: &str = "3000";

/// A network in which tcpdump sees everything. None where that cannot be, which was said.
#[track_caller]
fn network() -> Option<(Namespace, Process)> {
    if !installed(&["tcpdump", "nc"]) {
        return None;
    }
    let namespace = Namespace::new()?;
    let words = [
        "-l",
        "-n",
        "-i",
        "lo",
        "--immediate-mode",
        "tcp",
        "port",
        PORT,
    ];
    let mut tcpdump = Process::start(&mut namespace.piped("tcpdump", &words));
    let started = tcpdump.stderr.wait_until("tcpdump starts or ends", |told| {
        let told = String::from_utf8_lossy(told);
        told.contains("listening on") || told.contains("ermi")
    });
    if !String::from_utf8_lossy(&started).contains("listening on") {
        left_out("tcpdump, which is not permitted here");
        tcpdump.wait();
        return None;
    }
    Some((namespace, tcpdump))
}

/// One packet as tcpdump shows it.
#[derive(Debug, Clone)]
struct Packet {
    from: String,
    flags: String,
    line: String,
}

impl Packet {
    fn parse(line: &str) -> Option<Packet> {
        let rest = line.split_once(" IP ")?.1;
        let (from, rest) = rest.split_once(" > ")?;
        let flags = rest.split_once("Flags [")?.1.split_once(']')?.0;
        Some(Packet {
            from: from.into(),
            flags: flags.into(),
            line: line.into(),
        })
    }

    fn is(&self, from: &str, flags: &str, part: &str) -> bool {
        self.from == from && self.flags == flags && self.line.contains(part)
    }
}

/// Waits for these packets in this order (who sent them, their flags, and what else stands there), and
/// returns all.
#[track_caller]
fn expect_packets(tcpdump: &Process, wanted: &[(&str, &str, &str)]) -> Vec<Packet> {
    let packets = |text: &[u8]| -> Vec<Packet> {
        let text = String::from_utf8_lossy(text).into_owned();
        text.lines().filter_map(Packet::parse).collect()
    };
    let what = format!("{wanted:?}");
    let all = tcpdump.stdout.wait_until(&what, |text| {
        let mut packets = packets(text).into_iter();
        wanted
            .iter()
            .all(|(from, flags, part)| packets.any(|packet| packet.is(from, flags, part)))
    });
    packets(&all)
}

/// The port of our end, as it was told.
#[track_caller]
fn our_port(told: &str) -> u16 {
    let (_, rest) = told
        .split_once("its four numbers: 127.0.0.1 port ")
        .unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_conversation_is_told_as_it_is_on_the_wire() {
    let Some((namespace, tcpdump)) = network() else {
        return;
    };
    let mut bob = Process::start(&mut namespace.piped(MUXNC, &["-l", "--once", "-v", HOST, PORT]));
    bob.stderr.wait_for("listening on");
    let mut alice = Process::start(&mut namespace.piped(MUXNC, &["--explain", HOST, PORT]));
    let told = alice.stderr.wait_for(" there\n");
    let ours = format!("{}.{}", Ipv4Addr::LOCALHOST, our_port(&told));
    let theirs = format!("{HOST}.{PORT}");
    let handshake = [
        (&ours[..], "S", "length 0"),
        (&theirs[..], "S.", "length 0"),
        (&ours[..], ".", "length 0"),
    ];
    let packets = expect_packets(&tcpdump, &handshake);
    assert_eq!(
        packets.len(),
        3,
        "nothing was sent before anything was typed: {packets:#?}"
    );
    assert!(!told.contains("our first"), "{told}");

    alice.type_in("Hello\n");
    alice
        .stderr
        .wait_for("the ACK came, for all 6 bytes so far");
    let said = [(&ours[..], "P.", "length 6"), (&theirs[..], ".", "ack 7,")];
    expect_packets(&tcpdump, &said);
    assert!(!alice.stderr.text().contains("bytes have come"));
    bob.type_in("Hi\n");
    alice.stderr.wait_for("the first 3 bytes have come");
    expect_packets(
        &tcpdump,
        &[(&theirs, "P.", "length 3"), (&ours, ".", "ack 4,")],
    );

    alice.end_input();
    alice.stderr.wait_for("our FIN is acknowledged");
    let packets = expect_packets(&tcpdump, &[(&ours, "F.", ""), (&theirs, ".", "ack 8,")]);
    assert!(
        !packets.iter().any(|one| one.is(&theirs, "F.", "")),
        "{packets:#?}"
    );
    bob.end_input();
    alice.expect_status(0);
    let told = alice.stderr.text();
    expect_packets(
        &tcpdump,
        &[
            (&ours, "F.", ""),
            (&theirs, "F.", ""),
            (&ours, ".", "ack 5,"),
        ],
    );
    assert!(told.contains("the other side's FIN came, too"), "{told}");
    assert!(!told.contains("RST"), "{told}");
    // And that the kernel keeps the four numbers, who ended first.
    let words = [
        "-tan",
        "state",
        "time-wait",
        "sport",
        "=",
        &our_port(&told).to_string(),
    ];
    let kept = namespace.piped("ss", &words).output().unwrap();
    let kept = String::from_utf8_lossy(&kept.stdout).into_owned();
    assert!(told.contains("(TIME-WAIT)"), "{told}");
    assert!(
        kept.contains(&format!("{HOST}:{}", our_port(&told))),
        "{kept}"
    );
}

#[test]
fn a_reset_is_told_of_on_whichever_side_it_is_sent() {
    let Some((namespace, tcpdump)) = network() else {
        return;
    };
    // Nobody listens: the answer to a SYN.
    let mut alice = Process::start(&mut namespace.piped(MUXNC, &["--explain", HOST, PORT]));
    alice.expect_status(1);
    let told = alice.stderr.text();
    assert!(told.contains("refused: a RST came back"), "{told}");
    let theirs = format!("{HOST}.{PORT}");
    expect_packets(&tcpdump, &[(&theirs, "R.", "")]);

    // A hub sends somebody away while something is unread over there, or is reset itself.
    let mut hub = Process::start(&mut namespace.piped(MUXNC, &["-l", "-v", "--explain", PORT]));
    hub.stderr.wait_for("listening on");
    let mut bob = Process::start(&mut namespace.piped("nc", &[HOST, PORT]));
    hub.stderr.wait_for("[1] TCP: its four numbers");
    bob.type_in("Hello\n");
    hub.stdout.wait_for("Hello\n");
    // A process that is stopped reads nothing; killed with something unread its kernel resets.
    bob.signal(rustix::process::Signal::STOP);
    hub.type_in("are you there?\n");
    hub.stderr
        .wait_for("[1] TCP: the ACK came, for all 15 bytes so far");
    bob.signal(rustix::process::Signal::KILL);
    bob.wait();
    let told = hub.stderr.wait_for("[1] TCP: a RST came: ");
    let port = told
        .split(&format!("{HOST} port {PORT} here, {HOST} port "))
        .nth(1)
        .unwrap();
    let bobs = format!("{HOST}.{}", port.split(' ').next().unwrap());
    expect_packets(
        &tcpdump,
        &[
            (&bobs, "S", ""),
            (&theirs, "P.", "length 15"),
            (&bobs, "R.", ""),
        ],
    );
}

#[test]
fn where_there_is_no_way_no_syn_is_told_of_and_none_is_sent() {
    let Some((namespace, mut tcpdump)) = network() else {
        return;
    };
    let far = "203.0.113.1";
    let mut alice = Process::start(&mut namespace.piped(MUXNC, &["--explain", far, PORT]));
    alice.expect_status(1);
    let told = alice.stderr.text();
    let no_way = format!("muxnc: IP: there is no way to {far} from here: ");
    assert!(told.contains(&no_way) && !told.contains("SYN"), "{told}");
    tcpdump.signal(rustix::process::Signal::INT);
    tcpdump.wait();
    assert_eq!(tcpdump.stdout.text().trim(), "");
}

#[test]
fn a_closed_window_is_told_of_as_it_is_on_the_wire() {
    let Some((namespace, tcpdump)) = network() else {
        return;
    };
    let nc = Process::start(&mut namespace.piped("nc", &["-v", "-l", HOST, PORT]));
    nc.stderr.wait_for("Listening on");
    let words = format!("exec {MUXNC} --explain {HOST} {PORT} </dev/zero");
    let alice = Process::start(&mut namespace.piped("sh", &["-c", &words]));
    alice.stderr.wait_for("our first");
    nc.signal(rustix::process::Signal::STOP);
    let told = alice.stderr.wait_for("the window is closed (win 0)");
    let ours = format!("{HOST}.{}", our_port(&told));
    let theirs = format!("{HOST}.{PORT}");
    let closed = [(&ours[..], "S", ""), (&theirs[..], ".", " win 0,")];
    expect_packets(&tcpdump, &closed);
    nc.signal(rustix::process::Signal::CONT);
    alice.stderr.wait_for("the window is open again after");
}
