//! Records into pipes whose readers do not keep up: a conversation of two waits for them, and a class
//! does not, but tells what is missing.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::thread::JoinHandle;

use muxnc::io::output::LAST_WORDS;
use rustix::process::Signal;
use serde_json::Value;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::piped;
use crate::support::read_all;

/// What is said: lines of a hundred bytes, many more of them than may wait for a reader.
const LINES: usize = 40_000;

fn lines() -> Vec<u8> {
    [&[b'x'; 99][..], b"\n"].concat().repeat(LINES)
}

/// muxnc with descriptor 7 for its record, which is what the command's stdout is set to.
fn recording(args: &[&str]) -> Command {
    let script = "exec \"$0\" \"$@\" 7>&1 >/dev/null";
    piped("sh", &[&["-c", script, support::MUXNC], args].concat())
}

/// Says all lines to a connection, and reads it to its end.
fn say_all(mut stream: TcpStream) -> JoinHandle<()> {
    thread::spawn(move || {
        stream.write_all(&lines()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = read_all(&mut stream);
    })
}

/// How many lines, or bytes, of what the other side said a record holds, as the option keeps them.
fn said(option: &str, record: &[u8]) -> usize {
    let text = String::from_utf8_lossy(record);
    match option {
        "-o" => {
            assert!(record == lines(), "{} bytes", record.len());
            LINES
        }
        "-x" => {
            // "TIME from PEER 42 bytes"
            let heads = text.lines().filter_map(|line| line.split_once(" from "));
            let lens = heads.map(|(_, head)| head.rsplit(' ').nth(1).unwrap());
            let bytes: usize = lens.map(|len| len.parse::<usize>().unwrap()).sum();
            bytes / 100
        }
        "--transcript" => {
            assert!(text.trim_end().ends_with("\tclosed"), "its end is told");
            text.matches("\tfrom\t").count()
        }
        _ => {
            assert!(text.contains("\"left\""), "its end is told");
            text.matches("\"said\"").count()
        }
    }
}

/// The options of records, and their value for descriptor 7; the first two are a participant's, too.
const RECORDS: [(&str, &str); 4] = [
    ("-o", "/dev/fd/7"),
    ("-x", "/dev/fd/7"),
    ("--transcript", "/dev/fd/7"),
    ("--events", "json:fd:7"),
];

#[test]
fn a_participant_waits_for_the_reader_of_its_record() {
    for (option, file) in &RECORDS[..2] {
        let (mut reader, writer) = support::pipe();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut command = recording(&["--recv-only", option, file, "127.0.0.1", &port]);
        let mut process = Process::start(command.stdout(writer));
        drop(command);
        let server = say_all(support::accept(&listener));
        // Nothing of the record is read until the process has come to rest.
        support::wait_at_rest(&process);
        assert!(process.is_running(), "{option}");
        let mut record = Vec::new();
        reader.read_to_end(&mut record).unwrap();
        assert_eq!(said(option, &record), LINES, "{option}");
        process.expect_status(0);
        assert_eq!(process.stderr.text(), "", "{option}");
        server.join().unwrap();
    }
}

/// The last bytes of a record, which held nothing up, are waited for as well.
#[test]
fn a_participant_does_not_end_before_its_record_is_taken() {
    let (mut reader, writer) = support::pipe();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut command = recording(&["--recv-only", "-o", "/dev/fd/7", "127.0.0.1", &port]);
    let mut process = Process::start(command.stdout(writer));
    drop(command);
    // A little more than the pipe takes.
    const LEN: u64 = 1024 * 1024 + 30_000;
    let pattern = Pattern::bytes();
    let mut stream = support::accept(&listener);
    pattern.write(&mut stream, LEN).unwrap();
    drop(stream);
    support::wait_at_rest(&process);
    // The reader comes later than the end of a program waits for it.
    thread::sleep(2 * LAST_WORDS);
    assert!(process.is_running());
    assert_eq!(pattern.read(&mut reader, u64::MAX), LEN);
    process.expect_status(0);
}

/// `--once` is a conversation of two, too.
#[test]
fn a_hub_for_one_waits_for_the_reader_of_its_record() {
    for (option, file) in RECORDS {
        let (mut reader, writer) = support::pipe();
        let mut command = recording(&["-l", "0", "--once", option, file]);
        let mut hub = Hub::start_command(command.stdout(writer));
        drop(command);
        hub.process.end_input();
        let peer = say_all(hub.join());
        support::wait_at_rest(&hub.process);
        assert!(hub.process.is_running(), "{option}");
        let mut record = Vec::new();
        reader.read_to_end(&mut record).unwrap();
        assert_eq!(said(option, &record), LINES, "{option}");
        hub.process.expect_status(0);
        assert!(!hub.process.stderr.text().contains("missing"), "{option}");
        peer.join().unwrap();
    }
}

/// What is sent is recorded as well.
#[test]
fn a_participant_sends_no_faster_than_its_record_is_read() {
    let (mut reader, writer) = support::pipe();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut command = recording(&["-o", "/dev/fd/7", "127.0.0.1", &port]);
    let mut process = Process::start(command.stdout(writer));
    drop(command);
    const LEN: u64 = 10_000_000;
    let pattern = Pattern::bytes();
    let mut stdin = process.stdin.take().unwrap();
    let typed = pattern.clone();
    let typist = thread::spawn(move || typed.write(&mut stdin, LEN).unwrap());
    let mut stream = support::accept(&listener);
    let server = {
        let pattern = pattern.clone();
        thread::spawn(move || assert_eq!(pattern.read(&mut stream, u64::MAX), LEN))
    };
    support::wait_at_rest(&process);
    assert_eq!(pattern.read(&mut reader, u64::MAX), LEN);
    typist.join().unwrap();
    server.join().unwrap();
    process.expect_status(0);
}

/// The user's own limit holds for the record, too, and says what it was that took too long.
#[test]
fn a_record_that_is_not_read_in_the_time_of_q_is_named() {
    let (reader, writer) = support::pipe();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut command = recording(&["-q", "1", "-o", "/dev/fd/7", "127.0.0.1", &port]);
    let mut process = Process::start(command.stdout(writer));
    drop(command);
    process.end_input();
    let mut stream = support::accept(&listener);
    // More than a pipe holds; when the time is over the rest of it is refused.
    let server = thread::spawn(move || {
        let _ = stream.write_all(&lines());
    });
    process.expect_status(1);
    server.join().unwrap();
    let told = process.stderr.text();
    assert!(told.contains(" of the record were not taken by the reader of /dev/fd/7\n"));
    let why = "muxnc: write the record: ";
    assert!(
        told.contains(why) && told.contains(" bytes were not taken in the time that -q gives"),
        "{told}"
    );
    drop(reader);
}

/// A FIFO, and its reader, which is there before the writer and takes nothing by itself.
fn fifo(folder: &Folder) -> Option<(String, File)> {
    if !installed(&["mkfifo"]) {
        return None;
    }
    let path = folder.path("fifo");
    assert!(piped("mkfifo", &[&path]).status().unwrap().success());
    // Open for both, so that opening waits for nobody.
    let reader = File::options().read(true).write(true).open(&path).unwrap();
    Some((path, reader))
}

/// The number before those words, where they were said last.
#[track_caller]
fn last_number(text: &str, words: &str) -> usize {
    let (before, _) = text.rsplit_once(words).unwrap_or_else(|| panic!("{text}"));
    let number = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap();
    number.parse().unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn a_hub_tells_at_once_what_a_reader_misses_and_the_sum_at_the_end() {
    let folder = Folder::new("readers-hub");
    let Some((path, reader)) = fifo(&folder) else {
        return;
    };
    // Without -v.
    let mut hub = Hub::start(&["-o", &path]);
    let mut ana = hub.join();
    hub.process.type_in("go\n");
    expect_bytes(&mut ana, "go\n");
    ana.write_all(&lines()).unwrap();
    let said = hub.process.stderr.wait_for(" until now\n");
    let told = format!("muxnc: write to {path}: its reader does not keep up; ");
    assert!(said.contains(&told), "{said}");
    assert!(last_number(&said, " bytes of the record are missing until now") > 0);
    hub.process.end_input();
    drop(ana);
    hub.process.expect_status(1);
    let missing = last_number(
        &hub.process.stderr.text(),
        " bytes of the record were not taken by the reader of ",
    );
    let taken = rustix::io::ioctl_fionread(&reader).unwrap() as usize;
    let all = "go\n".len() + lines().len();
    assert_eq!(missing + taken, all, "each byte is counted");
    assert_eq!(hub.process.stdout.bytes().len(), lines().len());
}

/// A hub with a record whose reader does not keep up, and a participant of whose words much is missing there.
fn flooded(record: &[&str]) -> (Hub, TcpStream) {
    let mut hub = Hub::start(record);
    let mut ana = hub.join();
    hub.process.type_in("go\n");
    expect_bytes(&mut ana, "go\n");
    ana.write_all(&lines()).unwrap();
    let shown = |bytes: &[u8]| bytes.len() == lines().len();
    hub.process.stdout.wait_until("all of it", shown);
    let told = " lines) of the record are missing until now\n";
    hub.process.stderr.wait_for(told);
    (hub, ana)
}

/// The class said all of it, and the reader comes back: what was said is there, or counted in the
/// record where it is missing.
#[test]
fn a_transcript_and_events_tell_where_lines_are_missing() {
    for option in ["--transcript", "--events"] {
        let folder = Folder::new("readers-gap");
        let Some((path, reader)) = fifo(&folder) else {
            return;
        };
        let file = match option {
            "--events" => format!("json:{path}"),
            _ => path.clone(),
        };
        let (mut hub, mut ana) = flooded(&[option, &file]);
        let (mut said, mut lost) = (0, 0);
        for line in BufReader::new(&reader).lines() {
            let line = line.unwrap();
            let (is_said, missing, is_last) = match option {
                "--events" => {
                    let event: Value = serde_json::from_str(&line).expect("a line of JSON");
                    let is_said = event["event"] == "said" && event["by"] == "peer";
                    let missing = event["lines"].as_u64().unwrap_or(0);
                    (is_said, missing as usize, event["text"] == "after")
                }
                _ => {
                    let columns: Vec<&str> = line.split('\t').collect();
                    assert_eq!(columns.len(), 6, "{line}");
                    let missing = match columns[1] == "lost" {
                        true => last_number(&line, " lines are missing here"),
                        false => 0,
                    };
                    (columns[1] == "from", missing, columns[5] == "after")
                }
            };
            said += usize::from(is_said);
            if missing > 0 {
                assert_eq!(lost, 0, "what is missing is missing in one place: {line}");
                lost = missing;
                ana.write_all(b"after\n").unwrap();
            }
            if is_last {
                break;
            }
        }
        assert_eq!(said + lost, LINES + 1, "{option}: {said} and {lost}");
        hub.process.end_input();
        drop(ana);
        hub.process.expect_status(1);
        let text = hub.process.stderr.text();
        assert!(
            text.contains(&format!(" ({lost} lines) of the record ")),
            "{text}"
        );
    }
}

/// A pipe is not opened anew by SIGHUP; neither is the hub ended.
#[test]
fn a_hub_whose_record_goes_into_a_pipe_outlives_sighup() {
    for option in ["-o", "-x", "--transcript", "--events"] {
        let folder = Folder::new("readers-hup");
        let Some((path, reader)) = fifo(&folder) else {
            return;
        };
        let file = match option {
            "--events" => format!("json:{path}"),
            _ => path.clone(),
        };
        let mut hub = Hub::start(&["-v", option, &file]);
        hub.process.signal(Signal::HUP);
        let told = "SIGHUP: no record is a file that could be opened anew\n";
        hub.process.stderr.wait_for(told);
        let mut ana = hub.join();
        hub.process.type_in("go\n");
        ana.write_all(b"after\n").unwrap();
        hub.process.stdout.wait_for("after\n");
        hub.process.end_input();
        drop(ana);
        hub.process.expect_status(0);
        drop(reader);
    }
}

/// The same of a hex dump, whose rows are lines.
#[test]
fn a_hex_dump_tells_where_rows_are_missing() {
    let folder = Folder::new("readers-dump");
    let Some((path, reader)) = fifo(&folder) else {
        return;
    };
    let (mut hub, mut ana) = flooded(&["-x", &path]);
    let mut lost = 0;
    let mut dumped = 0;
    for line in BufReader::new(&reader).lines() {
        let line = line.unwrap();
        if let Some((_, bytes)) = line.split_once(" from [1] ").filter(|_| lost == 0) {
            dumped += last_number(bytes, " bytes");
        }
        if line.ends_with(" missing here") {
            assert_eq!(lost, 0, "what is missing is missing in one place: {line}");
            assert!(line.starts_with("# "), "{line}");
            lost = last_number(&line, " rows are missing here");
            ana.write_all(b"after\n").unwrap();
        }
        if line.ends_with("after.") {
            break;
        }
    }
    let rows = (lines().len() - dumped) / 16;
    assert!(
        lost > rows,
        "{lost} rows of {rows} and the lines before them"
    );
    hub.process.end_input();
    drop(ana);
    hub.process.expect_status(1);
    let text = hub.process.stderr.text();
    let told = format!(" ({lost} lines) of the record ");
    assert!(text.contains(&told), "{text}");
}
