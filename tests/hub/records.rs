//! Records: what is written to the files of -o, -x and --transcript, and what happens when they
//! cannot be written.

use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;

use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::contains;
use crate::support::disk::FullDisk;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::read_all;

fn text(file: &str) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

/// Waits until a file is as it should be.
#[track_caller]
fn wait_for_file(file: &str, enough: impl Fn(&str) -> bool) -> String {
    eventually(&format!("{file} is complete"), || enough(&text(file)));
    text(file)
}

/// The lines of a transcript without their times, which must be times in order.
#[track_caller]
fn entries(transcript: &str) -> Vec<String> {
    let mut last = String::new();
    let lines = transcript.lines().map(|line| {
        let (time, rest) = line.split_once('\t').expect("columns");
        assert_eq!(time.len(), "2026-11-22T09:11:33.123Z".len(), "{line:?}");
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line:?}");
        assert!(last.as_str() <= time, "{line:?} was before {last}");
        last = time.to_owned();
        assert_eq!(rest.split('\t').count(), 5, "{line:?}");
        rest.to_owned()
    });
    lines.collect()
}

/// What its lines are about.
#[track_caller]
fn events(transcript: &str) -> Vec<String> {
    let of = |entry: &String| entry.split('\t').next().unwrap().to_owned();
    entries(transcript).iter().map(of).collect()
}

/// One conversation: what was sent first, and the answer to it.
fn converse(program: &str, args: &[&str], ours: &[u8], theirs: &[u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let args = [args, &["127.0.0.1", &port]].concat();
    let mut process = Process::start(&mut piped(program, &args));
    process.type_in(ours);
    process.end_input();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
    assert_eq!(read_all(&mut stream), ours);
    stream.write_all(theirs).unwrap();
    drop(stream);
    process.expect_status(0);
    assert_eq!(process.stdout.bytes(), theirs);
}

#[test]
fn a_raw_record_is_the_one_that_ncat_writes() {
    if !installed(&["ncat"]) {
        return;
    }
    let folder = Folder::new("records-raw");
    let (ours, theirs) = (folder.path("muxnc"), folder.path("ncat"));
    for (program, file) in [(support::MUXNC, &ours), ("ncat", &theirs)] {
        fs::write(file, "old\n").unwrap();
        converse(program, &["-o", file], b"GET\n\x00\xff", b"OK\r\n");
        converse(
            program,
            &["--append-output", "--output", file],
            b"again",
            b"yes\x1b[2J",
        );
    }
    assert_eq!(fs::read(&ours).unwrap(), fs::read(&theirs).unwrap());
    assert_eq!(
        fs::read(&ours).unwrap(),
        b"GET\n\x00\xffOK\r\nagainyes\x1b[2J"
    );
}

#[test]
fn a_dump_has_time_direction_and_peer() {
    let folder = Folder::new("records-dump");
    let file = folder.path("dump");
    converse(
        support::MUXNC,
        &["-x", &file],
        b"GET\n",
        b"OK, bye-bye\x1b[2J\xff",
    );
    let dump = text(&file);
    let lines: Vec<&str> = dump.lines().collect();
    assert_eq!(lines.len(), 4, "{dump}");
    let heads: Vec<Vec<&str>> = [lines[0], lines[2]]
        .iter()
        .map(|line| line.split(' ').collect())
        .collect();
    assert_eq!((heads[0][2], heads[1][2]), ("to", "from"));
    assert_eq!(heads[0][4..], ["4", "bytes"]);
    assert_eq!(heads[1][4..], ["16", "bytes"]);
    let peer = heads[0][3];
    assert!(
        peer.starts_with("127.0.0.1:") && heads[1][3] == peer,
        "{dump}"
    );
    assert!(lines[1].starts_with("0000:   47 45 54 0a "), "{dump}");
    assert!(lines[1].ends_with(" GET."), "{dump}");
    assert!(lines[3].ends_with("   OK, bye-bye.[2J."), "{dump}");
}

#[test]
fn what_takes_the_short_way_without_a_record_is_recorded_whole() {
    let folder = Folder::new("records-bulk");
    const LEN: u64 = 5_000_000;
    let pattern = Pattern::bytes();
    let (sent, kept) = (folder.path("sent"), folder.path("kept"));
    pattern
        .write(&mut File::create(&sent).unwrap(), LEN)
        .unwrap();
    // A file to the network, and the network to a pipe.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut process = Process::start(
        piped(support::MUXNC, &["-o", &kept, "127.0.0.1", &port]).stdin(File::open(&sent).unwrap()),
    );
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(pattern.read(&mut stream, u64::MAX), LEN);
    pattern.write(&mut stream, LEN).unwrap();
    drop(stream);
    process.expect_status(0);
    pattern.expect(0, &process.stdout.bytes());
    let kept = fs::read(&kept).unwrap();
    assert_eq!(kept.len() as u64, 2 * LEN);
    pattern.expect(0, &kept[..LEN as usize]);
    pattern.expect(0, &kept[LEN as usize..]);
}

#[test]
fn a_hub_records_what_is_said_once_whoever_hears_it() {
    let folder = Folder::new("records-hub");
    let (raw, dump) = (folder.path("raw"), folder.path("dump"));
    let mut hub = Hub::start(&["-v", "--broker", "-o", &raw, "-x", &dump]);
    let (mut ana, mut ben) = (hub.join_seen(), hub.join_seen());
    hub.process.type_in("to all\n");
    expect_bytes(&mut ana, "to all\n");
    expect_bytes(&mut ben, "to all\n");
    ana.write_all(b"from ana\n").unwrap();
    expect_bytes(&mut ben, "from ana\n");
    assert_eq!(
        wait_for_file(&raw, |text| text.ends_with("ana\n")),
        "to all\nfrom ana\n"
    );
    let addr = ana.local_addr().unwrap();
    let dump = wait_for_file(&dump, |text| text.ends_with("from ana.\n"));
    assert!(dump.contains("Z to everybody, 7 bytes\n"), "{dump}");
    assert!(
        dump.contains(&format!("Z from [1] {addr}, 9 bytes\n")),
        "{dump}"
    );
}

#[test]
fn a_transcript_tells_who_said_what_and_cannot_be_forged() {
    if !installed(&["nc", "ncat"]) {
        return;
    }
    let folder = Folder::new("records-transcript");
    let file = folder.path("class");
    let mut hub = Hub::start(&["-v", "--transcript", &file]);
    let port = hub.port.to_string();
    let mut ana = Process::start(&mut piped("nc", &["-N", "127.0.0.1", &port]));
    hub.process.stderr.wait_for("[1]");
    let mut ben = Process::start(&mut piped("ncat", &["127.0.0.1", &port]));
    hub.process.stderr.wait_for("[2]");
    hub.process.type_in("which\tpage?\n");
    ana.stdout.wait_for("page?\n");
    ana.type_in("page 12\r\n2026-11-22T09:11:33.123Z\tto\t*\t-\t-\tclass dismissed\n\x1b[2J\\x1b");
    ana.end_input();
    wait_for_file(&file, |text| text.contains("from+"));
    ben.type_in("caf\u{e9} \u{202e}\n");
    wait_for_file(&file, |text| text.contains("caf"));
    hub.process.type_in("bye");
    hub.process.end_input();
    ben.end_input();
    hub.process.expect_status(0);
    let text = text(&file);
    let of = |who: &str, event: &str, said: &str| {
        let line = entries(&text).into_iter().find(|line| {
            line.starts_with(&format!("{event}\t{who}\t127.0.0.1:")) && line.ends_with(said)
        });
        assert!(line.is_some(), "no {event} {said:?} of {who} in {text}");
    };
    of("1", "joined", "\t-\t");
    of("2", "joined", "\t-\t");
    assert!(
        entries(&text).contains(&"to\t*\t-\t-\twhich\\tpage?".to_owned()),
        "{text}"
    );
    of("1", "from", "\tpage 12\\r");
    of(
        "1",
        "from",
        "\t2026-11-22T09:11:33.123Z\\tto\\t*\\t-\\t-\\tclass dismissed",
    );
    of("1", "from+", "\t\\x1b[2J\\\\x1b");
    of("2", "from", "\tcaf\u{e9} \\u{202e}");
    assert!(
        entries(&text).contains(&"to+\t*\t-\t-\tbye".to_owned()),
        "{text}"
    );
    of("1", "left", "\tclosed");
    of("2", "left", "\tclosed");
    assert_eq!(text.lines().count(), 10, "{text}");
}

/// The minutes of a class are those of all its hours, whatever ended the one before.
#[test]
fn a_transcript_goes_on_where_it_was() {
    let folder = Folder::new("records-goes-on");
    let file = folder.path("class");
    let (older, torn) = ("older\tminutes\n", "2026-11-22T09:11:33.123Z\tfrom\t1\ttor");
    fs::write(&file, format!("{older}{torn}")).unwrap();
    for word in ["first", "second"] {
        let hub = Hub::start(&["-v", "--transcript", &file]);
        let mut ana = hub.join_seen();
        ana.write_all(format!("{word}\n").as_bytes()).unwrap();
        wait_for_file(&file, |text| text.contains(&format!("\t{word}\n")));
    }
    let kept = text(&file);
    let added = kept
        .strip_prefix(&format!("{older}{torn}\n"))
        .expect("it keeps what it had, and a line is a line");
    assert_eq!(
        events(added),
        ["joined", "from", "joined", "from"],
        "{added}"
    );
}

#[test]
fn a_chats_transcript_has_the_names_and_a_private_word_whom_it_was_for() {
    let folder = Folder::new("records-chat");
    let file = folder.path("chat");
    let args = ["-l", "0", "--chat", "--name", "Bob", "--transcript", &file];
    let mut bob = Terminal::of_kind("xterm", support::MUXNC, &args);
    let port = support::listening_port(&bob.screen);
    let mut ana = support::connect(port);
    // One read, in which the name changes.
    ana.write_all(b"hi\n/nick Ana\nit is me\n").unwrap();
    bob.screen.wait_for("it is me");
    bob.press("hello all\r");
    bob.screen.wait_for("hello all");
    support::pause();
    bob.press("/msg 1 hello Ana\r");
    let addr = ana.local_addr().unwrap();
    let text = wait_for_file(&file, |text| text.contains("hello Ana"));
    assert_eq!(
        entries(&text),
        [
            format!("joined\t1\t{addr}\tuser1\t"),
            format!("from\t1\t{addr}\tuser1\thi"),
            format!("asked\t1\t{addr}\tuser1\t/nick Ana"),
            format!("from\t1\t{addr}\tAna\tit is me"),
            String::from("to\t*\t-\tBob\thello all"),
            format!("to\t1\t{addr}\tAna\thello Ana"),
        ]
    );
}

#[test]
fn the_end_of_one_that_was_cut_off_tells_why() {
    let folder = Folder::new("records-kick");
    let file = folder.path("class");
    let mut bob = Terminal::of_kind("xterm", support::MUXNC, &["-l", "0", "--transcript", &file]);
    let port = support::listening_port(&bob.screen);
    let mut ana = support::connect(port);
    bob.screen.wait_for("joined");
    bob.press("/kick 1 too\tloud\r");
    let text = wait_for_file(&file, |text| text.contains("\tleft\t"));
    assert!(text.contains("\tcut off by the operator: too"), "{text}");
    let _ = ana.read(&mut [0; 10]);
}

#[test]
fn a_transcript_on_stdout_stands_for_what_is_said() {
    let mut hub = Hub::start(&["-v", "--transcript", "-"]);
    let mut ana = hub.join_seen();
    ana.write_all(b"hello\n").unwrap();
    hub.process.stdout.wait_for("\thello\n");
    hub.process.type_in("hi\n");
    expect_bytes(&mut ana, "hi\n");
    hub.process.end_input();
    drop(ana);
    hub.process.expect_status(0);
    let text = hub.process.stdout.text();
    assert_eq!(events(&text), ["joined", "from", "to", "left"], "{text}");
}

#[test]
fn a_stuck_stdout_holds_no_class_up_and_loses_no_word_of_a_peer() {
    let (mut reader, writer) = support::pipe();
    let mut command = piped(support::MUXNC, &["-l", "0", "-v", "--transcript", "-"]);
    let mut hub = Hub::start_command(command.stdout(writer));
    drop(command);
    let mut ana = hub.join_seen();
    // More than the pipe, the queue and the sockets take.
    let mut flood = hub.join_seen();
    let line = [[b'x'; 99].as_slice(), b"\n"].concat();
    const LINES: usize = 200_000;
    let sender = std::thread::spawn(move || {
        for _ in 0..LINES / 100 {
            flood.write_all(&line.repeat(100)).unwrap();
        }
        // To close it with something unread would take the last of it back.
        flood
    });
    hub.process.type_in("can you hear me?\n");
    expect_bytes(&mut ana, "can you hear me?\n");
    drop(hub.join_seen());
    let mut lines = BufReader::new(&mut reader).lines();
    let mut said = 0;
    while said < LINES {
        let line = lines.next().expect("it goes on");
        let line = line.unwrap_or_else(|error| {
            panic!("{error} after {said} lines: {}", hub.process.stderr.text())
        });
        said += usize::from(line.contains("\tfrom\t2\t"));
    }
    drop(sender.join());
}

#[test]
fn a_participant_can_look_at_both_directions() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut process = muxnc(&["-x", "-", "127.0.0.1", &port]);
    let (mut stream, _) = listener.accept().unwrap();
    process.type_in("ping\n");
    process.stdout.wait_for("   ping.\n");
    expect_bytes(&mut stream, "ping\n");
    stream.write_all(b"pong\n").unwrap();
    process.stdout.wait_for("   pong.\n");
    drop(stream);
    process.end_input();
    process.expect_status(0);
    let text = process.stdout.text();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(!text.contains("\npong"), "{text}");
}

#[test]
fn a_participant_whose_record_is_not_read_loses_nothing_of_it() {
    let (mut reader, writer) = support::pipe();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut command = piped(support::MUXNC, &["-o", "-", "127.0.0.1", &port]);
    let mut process = Process::start(command.stdout(writer));
    drop(command);
    const LEN: u64 = 20_000_000;
    let pattern = Pattern::bytes();
    let mut stdin = process.stdin.take().unwrap();
    let typed = pattern.clone();
    let typist = std::thread::spawn(move || typed.write(&mut stdin, LEN).unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    let server = {
        let pattern = pattern.clone();
        std::thread::spawn(move || assert_eq!(pattern.read(&mut stream, u64::MAX), LEN))
    };
    // Nothing of the record is read until the process has come to rest.
    support::wait_at_rest(&process);
    assert_eq!(pattern.read(&mut reader, u64::MAX), LEN);
    typist.join().unwrap();
    server.join().unwrap();
    process.expect_status(0);
}

#[test]
fn one_peer_has_a_transcript_too() {
    let folder = Folder::new("records-once");
    let file = folder.path("once");
    let mut hub = Hub::start(&["--once", "--transcript", &file]);
    let mut ana = hub.join();
    ana.write_all(b"hello\nwor").unwrap();
    hub.process.stdout.wait_for("hello\n");
    hub.process.type_in("hi");
    expect_bytes(&mut ana, "hi");
    let addr = ana.local_addr().unwrap();
    hub.process.end_input();
    drop(ana);
    hub.process.expect_status(0);
    assert_eq!(
        entries(&text(&file)),
        [
            format!("joined\t1\t{addr}\t-\t"),
            format!("from\t1\t{addr}\t-\thello"),
            format!("to+\t1\t{addr}\t-\thi"),
            format!("from+\t1\t{addr}\t-\twor"),
            format!("left\t1\t{addr}\t-\tclosed"),
        ]
    );
}

#[test]
fn a_full_disk_is_told_once_and_by_the_status_and_ends_nothing() {
    let mut hub = Hub::start(&["-v", "-o", "/dev/full", "--transcript", "/dev/full"]);
    let mut ana = hub.join_seen();
    for i in 0..10 {
        ana.write_all(format!("line {i}\n").as_bytes()).unwrap();
        hub.process.stdout.wait_for(&format!("line {i}\n"));
        hub.process.type_in("and?\n");
        expect_bytes(&mut ana, "and?\n");
    }
    hub.process.end_input();
    drop(ana);
    // Not all that was to be kept is.
    hub.process.expect_status(1);
    let said = hub.process.stderr.text();
    let told = "write to /dev/full: no space left on device; what is recorded waits";
    assert_eq!(said.matches(told).count(), 2, "once for each: {said}");
    let missing = said.matches(" of the record are missing in /dev/full\n");
    assert_eq!(missing.count(), 2, "{said}");
}

#[test]
fn a_disk_that_fills_up_keeps_what_it_took() {
    let Some(disk) = FullDisk::new("records-full") else {
        return;
    };
    let args = ["-l", "0", "-v", "-o", &disk.path("kept")];
    let mut hub = Hub::start_command(&mut disk.muxnc(&args));
    let mut ana = hub.join_seen();
    let pattern = Pattern::bytes();
    const LEN: u64 = 5_000_000;
    pattern.write(&mut ana, LEN).unwrap();
    let kept = disk.seen(&hub.process, "kept");
    hub.process.stderr.wait_for("no space left on device");
    let first = fs::read(&kept).unwrap();
    assert_eq!(first.len(), FullDisk::ROOM);
    pattern.expect(0, &first);
    let shown = hub
        .process
        .stdout
        .wait_until("all of it", |bytes| bytes.len() as u64 == LEN);
    pattern.expect(0, &shown);
    hub.process.type_in("still there?\n");
    expect_bytes(&mut ana, "still there?\n");
    // As soon as there is room it goes on with what waited, and tells how much did not.
    disk.make_room(&hub.process);
    let told = hub
        .process
        .stderr
        .wait_for(" bytes of the record are missing\n");
    let missing = told
        .lines()
        .find(|line| line.contains("it is written again, and "));
    let missing =
        missing.and_then(|line| line.split("and ").last()?.split(' ').next()?.parse().ok());
    let missing: u64 = missing.expect("a number");
    let said = "still there?\n".len() as u64;
    eventually("what waited is written", || {
        fs::metadata(&kept).unwrap().len() + missing == LEN + said
    });
    let all = fs::read(&kept).unwrap();
    pattern.expect(0, &all[..FullDisk::ROOM + 1]);
    assert!((LEN - 4_000_000..LEN).contains(&missing), "{missing}");
    ana.write_all(b"and on\n").unwrap();
    eventually("it goes on", || {
        fs::read(&kept).unwrap().ends_with(b"and on\n")
    });
}

/// Whoever reads a pipe may leave and come again.
#[test]
fn a_pipe_whose_reader_comes_again_is_written_again() {
    if !installed(&["mkfifo"]) {
        return;
    }
    let folder = Folder::new("records-reader");
    let fifo = folder.path("fifo");
    assert!(piped("mkfifo", &[&fifo]).status().unwrap().success());
    let open = || File::options().read(true).write(true).open(&fifo).unwrap();
    let mut reader = open();
    let mut hub = Hub::start(&["-v", "-o", &fifo]);
    let mut ana = hub.join_seen();
    ana.write_all(b"one\n").unwrap();
    let mut buffer = [0; 4];
    reader.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"one\n");
    drop(reader);
    // A process that another test starts in this moment has a copy until it executes its program.
    eventually("nobody reads it", || {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK;
        rustix::fs::open(&*fifo, flags, Mode::empty()).is_err()
    });
    ana.write_all(b"two\n").unwrap();
    hub.process
        .stderr
        .wait_for("broken pipe; what is recorded waits");
    reader = open();
    // It is tried again a second later, whatever is said or not.
    let mut got = Vec::new();
    hub.process
        .stderr
        .wait_for("it is written again, and 0 bytes");
    ana.write_all(b"last\n").unwrap();
    while !got.ends_with(b"last\n") {
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        got.push(byte[0]);
    }
    assert_eq!(got, b"two\nlast\n", "nothing is missing");
    hub.process.end_input();
    drop(ana);
}

/// As a full disk, and no end by SIGXFSZ.
#[test]
fn a_file_that_may_not_grow_stops_no_class() {
    let folder = Folder::new("large");
    let path = folder.path("transcript");
    for record in ["--transcript", "-o", "-x"] {
        let run = format!(
            "ulimit -f 8; exec '{}' -l 0 -v {record} \"$1\"",
            support::MUXNC
        );
        let mut hub = Hub::start_command(&mut piped("sh", &["-c", &run, "sh", &path]));
        let mut ana = hub.join_seen();
        for _ in 0..300 {
            ana.write_all(b"this line is one of three hundred, which are too many for it\n")
                .unwrap();
        }
        hub.process.stderr.wait_for("file too large");
        hub.process.type_in("still there?\n");
        expect_bytes(&mut ana, "still there?\n");
        assert!(hub.process.is_running(), "{record}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_pipe_that_nobody_empties_stops_no_class_and_what_is_lost_is_counted() {
    if !installed(&["mkfifo"]) {
        return;
    }
    let folder = Folder::new("records-fifo");
    let fifo = folder.path("fifo");
    assert!(piped("mkfifo", &[&fifo]).status().unwrap().success());
    // Open for both, so that opening waits for nobody.
    let mut reader = File::options().read(true).write(true).open(&fifo).unwrap();
    let mut hub = Hub::start(&["-v", "-o", &fifo]);
    let mut ana = hub.join_seen();
    let pattern = Pattern::bytes();
    const LEN: u64 = 8_000_000;
    pattern.write(&mut ana, LEN).unwrap();
    let shown = hub
        .process
        .stdout
        .wait_until("all of it", |bytes| bytes.len() as u64 == LEN);
    pattern.expect(0, &shown);
    hub.process.type_in("still there?\n");
    expect_bytes(&mut ana, "still there?\n");
    // It is told at once, and what the pipe did take is right.
    hub.process
        .stderr
        .wait_for(" bytes of the record are missing until now\n");
    let mut buffer = vec![0; 1_000_000];
    reader.read_exact(&mut buffer).unwrap();
    pattern.expect(0, &buffer);
    std::thread::spawn(move || while reader.read(&mut buffer).is_ok_and(|count| count > 0) {});
    hub.process.end_input();
    drop(ana);
    hub.process.expect_status(1);
}

#[test]
fn a_file_that_cannot_be_opened_is_told_before_anything_listens() {
    let folder = Folder::new("records-refused");
    let directory = folder.path("");
    let missing = folder.path("missing/file");
    let fifo = folder.path("fifo");
    let (_master, slave) = support::pty();
    let terminal = rustix::termios::ttyname(&slave, Vec::new()).unwrap();
    let mut cases = vec![
        (directory, "is a directory"),
        (missing, "no such file or directory"),
        (terminal.to_str().unwrap().to_owned(), "it is a terminal\n"),
    ];
    if installed(&["mkfifo"]) {
        assert!(piped("mkfifo", &[&fifo]).status().unwrap().success());
        cases.push((fifo, "nobody reads it\n"));
    }
    for (file, why) in &cases {
        for option in ["-o", "-x", "--transcript"] {
            let mut hub = muxnc(&["-l", "0", "-v", option, file]);
            hub.expect_status(1);
            let said = hub.stderr.text();
            let told = format!("muxnc: open {file}: {why}");
            assert!(said.starts_with(&told), "{said}");
            assert!(!said.contains("listening"), "{said}");
        }
        let mut participant = muxnc(&["-o", file, "127.0.0.1", "1"]);
        participant.expect_status(1);
        assert!(contains(&participant.stderr.bytes(), why.as_bytes()));
    }
}

/// Two writers in one file tear each other's lines, a record that is read again as stdin never ends, and a
/// key or a list in place of which a record was written is gone.
#[test]
fn a_file_that_is_something_else_already_is_refused_and_stays_as_it_is() {
    let folder = Folder::new("records-taken");
    let path = |name: &str| folder.path(name);
    let (file, other, link, list) = (path("file"), path("other"), path("link"), path("list"));
    let (answers, pipe) = (path("answers"), path("pipe"));
    let (index, answer) = (path("answers/index.tsv"), path("answers/0003-Ana.txt"));
    fs::create_dir(&answers).unwrap();
    for (file, text) in [
        (&file, "old\n"),
        (&other, "older\n"),
        (&list, "127.0.0.1\n"),
        (&index, "3\n"),
        (&answer, "mine\n"),
    ] {
        fs::write(file, text).unwrap();
    }
    fs::hard_link(&file, &link).unwrap();
    assert!(piped("mkfifo", &[&pipe]).status().unwrap().success());
    let _reader =
        rustix::fs::open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let events = format!("json:{file}");
    let another = "it is the file of another record\n";
    let read = "it is a file that is read, for another option\n";
    let collected = "it is a file of --collect\n";
    let stdin = "it is the file that stdin is read from\n";
    let stdout = "it is the file that stdout is written to\n";
    let cases = [
        (vec!["-o", &file, "-x", &file], another),
        (vec!["-o", &pipe, "-x", &pipe], another),
        (vec!["-x", &file, "--transcript", &link], another),
        (vec!["--events", &events, "-o", &link], another),
        (vec!["--append-output", "-o", &file, "-x", &link], another),
        (vec!["-o", &other], stdin),
        (vec!["--transcript", &other], stdin),
        (vec!["-x", "/dev/stdout"], stdout),
        (vec!["-o", "-", "-x", "/dev/fd/1"], stdout),
        (vec!["--allowfile", &list, "-o", &list], read),
        (vec!["--denyfile", &list, "--transcript", &list], read),
        (vec!["--ssl-cert", &list, "-x", &list], read),
        (
            vec!["--ssl-cert", &file, "--ssl-key", &list, "-o", &list],
            read,
        ),
        (
            vec!["--ssl-verify", "--ssl-trustfile", &list, "-o", &list],
            read,
        ),
        (vec!["--collect", &answers, "-o", &index], collected),
        (
            vec!["--collect", &answers, "--transcript", &answer],
            collected,
        ),
    ];
    let out = path("out");
    for (args, why) in &cases {
        for place in [&["-l", "0"][..], &["127.0.0.1", "1"]] {
            for stdout_is_file in [true, false] {
                let mut command = piped(support::MUXNC, &[args, place].concat());
                command.stdin(File::open(&other).unwrap());
                if stdout_is_file {
                    command.stdout(
                        File::options()
                            .create(true)
                            .append(true)
                            .open(&out)
                            .unwrap(),
                    );
                }
                let mut process = Process::start(&mut command);
                let status = process.wait().code();
                let said = process.stderr.text();
                let is_hubs = status == Some(2) && place[0] != "-l";
                assert!(
                    is_hubs
                        || status == Some(1)
                            && said.starts_with("muxnc: open ")
                            && said.contains(why),
                    "{args:?} {place:?}: {said}"
                );
                let kept = [&file, &other, &list, &index, &answer].map(|file| text(file));
                assert_eq!(
                    kept,
                    ["old\n", "older\n", "127.0.0.1\n", "3\n", "mine\n"],
                    "{args:?}"
                );
            }
        }
    }
    // Something that is no file may be everything at once.
    Hub::start(&["-o", "/dev/null", "-x", "/dev/null"]);
}

/// A second hub on the same port, a certificate that is not there: what was kept until then stays.
#[test]
fn a_record_that_does_not_begin_changes_no_file_and_leaves_none() {
    let folder = Folder::new("records-unbegun");
    let (kept, new, missing) = (
        folder.path("kept"),
        folder.path("new"),
        folder.path("no/file"),
    );
    let (bad, link) = (folder.path("bad"), folder.path("link"));
    fs::write(&bad, "no host at all!\n").unwrap();
    std::os::unix::fs::symlink(folder.path("nothing"), &link).unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let web = format!("127.0.0.1:{port}");
    let cases: &[&[&str]] = &[
        &["-x", &missing, "-l", "127.0.0.1", "0"],
        &["-l", "127.0.0.1", &port],
        &["-l", "--once", "127.0.0.1", &port],
        &["-l", "--web", &web, "127.0.0.1", "0"],
        &["-l", "192.0.2.1", "0"],
        &["-lU", &missing],
        &["-l", "--ssl-cert", &missing, "127.0.0.1", "0"],
        &["-l", "--ssl-cert", &bad, "127.0.0.1", "0"],
        &[
            "-l",
            "--ssl-verify",
            "--ssl-trustfile",
            &missing,
            "127.0.0.1",
            "0",
        ],
        &["-l", "--allowfile", &bad, "127.0.0.1", "0"],
        &["-l", "--denyfile", &missing, "127.0.0.1", "0"],
        &[
            "-l",
            "--bus",
            "nats://127.0.0.1/x",
            "--bus-trust",
            "0",
            "127.0.0.1",
            "0",
        ],
        &["--ssl", "--ssl-trustfile", &missing, "127.0.0.1", &port],
        &["127.0.0.1", "1"],
    ];
    for args in cases {
        for record in [
            &["-o", &kept][..],
            &["-x", &kept],
            &["-o", &new],
            &["-x", &new, "-o", &link],
        ] {
            // What the case makes of the other option is no matter here.
            if args[0] == record[0] {
                continue;
            }
            fs::write(&kept, "old\n").unwrap();
            let mut process = muxnc(&[record, *args].concat());
            let status = process.wait().code();
            let said = process.stderr.text();
            assert!(matches!(status, Some(1 | 2)), "{args:?}: {said}");
            assert_eq!(text(&kept), "old\n", "{args:?} {record:?}: {said}");
            assert!(!fs::exists(&new).unwrap(), "{args:?} {record:?}: {said}");
            assert!(fs::symlink_metadata(&link).is_ok(), "that is somebody's");
            let _ = fs::remove_file(folder.path("nothing"));
        }
    }
}

/// Two names that lead to one file after a rotation, and a list that became a record's.
#[test]
fn a_file_that_became_something_else_is_not_opened_anew() {
    let folder = Folder::new("records-became");
    let path = |name: &str| folder.path(name);
    let (raw, dump, list) = (path("raw"), path("dump"), path("list"));
    let out = path("out");
    fs::write(&list, "127.0.0.1\n").unwrap();
    let args = ["-l", "0", "--allowfile", &list, "-o", &raw, "-x", &dump];
    let stdout = File::create(&out).unwrap();
    let hub = Hub::start_command(piped(support::MUXNC, &args).stdout(stdout));
    for (target, why) in [
        (&out, "it is the file that stdout is written to"),
        (&dump, "it is the file of another record"),
        (&list, "it is a file that is read, for another option"),
    ] {
        let _ = fs::rename(&raw, path("old"));
        fs::hard_link(target, &raw).unwrap();
        hub.process.signal(rustix::process::Signal::HUP);
        hub.process
            .stderr
            .wait_for(&format!("open {raw}: {why}; the old file is written on"));
        fs::remove_file(&raw).unwrap();
    }
    let mut ana = hub.join();
    ana.write_all(b"127.0.0.9\n").unwrap();
    wait_for_file(&out, |text| text == "127.0.0.9\n");
    wait_for_file(&path("old"), |text| text == "127.0.0.9\n");
    assert_eq!(text(&list), "127.0.0.1\n");
}

/// What was begun in a file whose disk is full, and was renamed, does not go on in the next.
#[test]
fn a_line_that_broke_off_does_not_go_on_in_another_file() {
    let Some(disk) = FullDisk::new("records-torn") else {
        return;
    };
    let args = [
        "-l",
        "0",
        "-v",
        "--events",
        &format!("json:{}", disk.path("events")),
    ];
    let hub = Hub::start_command(&mut disk.muxnc(&args));
    let mut ana = hub.join();
    let mut ears = ana.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut ears, &mut std::io::sink()));
    let file = disk.seen(&hub.process, "events");
    fs::write(file.with_file_name("torn"), "{\"torn").unwrap();
    eventually("the disk is full", || {
        ana.write_all(&b"words\n".repeat(100)).unwrap();
        hub.process
            .stderr
            .text()
            .contains("no space left on device")
    });
    let old = file.with_file_name("old");
    fs::rename(&file, &old).unwrap();
    fs::rename(file.with_file_name("torn"), &file).unwrap();
    hub.process.signal(rustix::process::Signal::HUP);
    hub.process.stderr.wait_for("opened anew");
    disk.make_room(&hub.process);
    hub.process.stderr.wait_for("it is written again");
    ana.write_all(b"the last\n").unwrap();
    let read = |file| fs::read_to_string(file).unwrap();
    eventually("it goes on", || read(&file).contains("the last"));
    assert!(!read(&old).ends_with('\n'), "this test needs a torn line");
    let kept = read(&file);
    let added = kept.strip_prefix("{\"torn\n").expect("it is ended first");
    for line in added.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
}

#[test]
fn a_dump_goes_on_in_a_line_of_its_own() {
    let folder = Folder::new("records-torn-dump");
    let file = folder.path("dump");
    let torn = "2026-11-22T09:11:33.123Z to 127.0.0.1:80, 4 by";
    fs::write(&file, torn).unwrap();
    for word in [&b"one\n"[..], b"two\n"] {
        converse(support::MUXNC, &["--append-output", "-x", &file], word, b"");
    }
    let kept = text(&file);
    let lines: Vec<&str> = kept.lines().collect();
    assert_eq!((lines[0], lines.len()), (torn, 5), "{kept}");
    assert!(lines[1].contains("Z to 127.0.0.1:"), "{kept}");
}

#[test]
fn a_terminal_that_is_not_there_is_no_pipe_without_a_reader() {
    if !installed(&["setsid"]) {
        return;
    }
    let args = ["-w", support::MUXNC, "-l", "0", "-o", "/dev/tty"];
    let mut hub = Process::start(&mut piped("setsid", &args));
    hub.expect_status(1);
    let said = hub.stderr.text();
    assert!(
        said.starts_with("muxnc: open /dev/tty: no such device"),
        "{said}"
    );
}
