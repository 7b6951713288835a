//! `--collect`: what each participant says has a file of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::Pattern;
use crate::support::Terminal;
use crate::support::connect;
use crate::support::disk::FullDisk;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::read_all;

/// A folder, and in it one for answers that is not there yet.
struct Place(Folder, PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let folder = Folder::new(&format!("collect-{test}"));
        let answers = folder.0.join("answers");
        Place(folder, answers)
    }

    fn path(&self) -> &str {
        self.1.to_str().unwrap()
    }

    /// What is in the files of answers, by their names.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.1)
    }

    fn rows(&self) -> Vec<Vec<String>> {
        rows(&self.1)
    }

    /// Waits until so many have left.
    fn wait_rows(&self, count: usize) -> Vec<Vec<String>> {
        eventually("the index has its rows", || self.rows().len() == count);
        self.rows()
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap_or_default())
    });
    named.filter(|(name, _)| name != "index.tsv").collect()
}

/// The rows of the index but the first, whose columns are checked.
fn rows(folder: &Path) -> Vec<Vec<String>> {
    let index = fs::read_to_string(folder.join("index.tsv")).unwrap();
    // A row that is just being written may be read in part.
    let whole = index.rfind('\n').map_or(0, |end| end + 1);
    let mut rows = index[..whole].lines();
    assert_eq!(
        rows.next(),
        Some("number\tname\taddress\tjoined\tleft\tbytes\tmissing\tfile")
    );
    let mut last = String::new();
    let columns = rows.map(|row| {
        let columns: Vec<String> = row.split('\t').map(String::from).collect();
        assert_eq!(columns.len(), 8, "{row}");
        assert_eq!(columns[3].len(), "2026-11-22T09:11:33.123Z".len(), "{row}");
        assert!(columns[3] <= columns[4], "{row}");
        assert!(last <= columns[4], "{row}");
        last.clone_from(&columns[4]);
        columns
    });
    columns.collect()
}

/// What a row says but for the times: number, name, address, bytes, missing, file.
fn told(row: &[String]) -> [&str; 6] {
    [0, 1, 2, 5, 6, 7].map(|column| row[column].as_str())
}

#[test]
fn what_each_says_is_in_a_file_of_its_own_as_it_was_sent() {
    let place = Place::new("each");
    let mut hub = Hub::start(&["-v", "--recv-only", "--collect", place.path()]);
    let mut ana = hub.join_seen();
    let silent = hub.join_seen();
    let mut ben = hub.join_seen();
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    ana.write_all(b"one\r\ntw").unwrap();
    ben.write_all(&bytes).unwrap();
    // Nothing of it waits for the end of a line.
    eventually("what was said is there", || {
        let files = place.files();
        files
            .get("0001.txt")
            .is_some_and(|file| file == b"one\r\ntw")
            && files.get("0003.txt") == Some(&bytes)
    });
    ana.write_all(b"o").unwrap();
    let addrs = [&ana, &silent, &ben].map(|peer| peer.local_addr().unwrap().to_string());
    for (peer, left) in [(ana, 1), (silent, 2), (ben, 3)] {
        drop(peer);
        hub.process.stderr.wait_for(&format!("[{left}] "));
        place.wait_rows(left);
    }
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    let rows = place.rows();
    assert_eq!(told(&rows[0]), ["1", "-", &addrs[0], "8", "0", "0001.txt"]);
    assert_eq!(told(&rows[1]), ["2", "-", &addrs[1], "0", "0", "-"]);
    assert_eq!(
        told(&rows[2]),
        ["3", "-", &addrs[2], "5000", "0", "0003.txt"]
    );
    let files = place.files();
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(files["0001.txt"], b"one\r\ntwo");
}

#[test]
fn a_name_is_added_at_the_end_and_commands_are_no_answers() {
    let place = Place::new("chat");
    let mut hub = Hub::start(&["-v", "--chat", "--collect", place.path()]);
    let (mut ana, mut ben) = (hub.join_seen(), hub.join_seen());
    ana.write_all(
        b"/nick Jos\xc3\xa9\n4\x1b2\xff\r\n/names\n/msg user2 psst\n/me waves\n/nosuch x\nun",
    )
    .unwrap();
    ben.write_all(b"43\n/nick ../../x\n").unwrap();
    hub.process.stdout.wait_for("<user2> 43\n");
    hub.process.stdout.wait_for("waves");
    eventually("it is there while they are", || {
        place.files().keys().eq(["0001.txt", "0002.txt"])
    });
    drop(ana);
    place.wait_rows(1);
    ben.write_all(b"still thin").unwrap();
    hub.process.stderr.wait_for("[1] José");
    hub.process.type_in("time is over\n");
    hub.process.end_input();
    read_all(&mut ben);
    drop(ben);
    hub.process.expect_status(0);
    let files = place.files();
    assert!(files.keys().eq(["0001-José.txt", "0002.txt"]), "{files:?}");
    assert_eq!(files["0001-José.txt"], b"4\x1b2\xff\r\n/me waves\nun");
    assert_eq!(files["0002.txt"], b"43\nstill thin");
    let rows = place.rows();
    assert_eq!(rows[0][1], "José");
    assert_eq!(rows[0][5..], ["18", "0", "0001-José.txt"]);
    assert_eq!(rows[1][1], "user2");
    assert_eq!(rows[1][5..], ["13", "0", "0002.txt"]);
}

/// Who is here when the hub ends has a name and a row, too.
#[test]
fn the_end_of_the_hub_is_the_end_of_everybody() {
    let place = Place::new("quit");
    let args = ["-l", "0", "--collect", place.path()];
    let mut bob = Terminal::of_kind("xterm", support::MUXNC, &args);
    let port = support::listening_port(&bob.screen);
    let (mut ana, mut ben) = (connect(port), connect(port));
    bob.screen.wait_for("[2]");
    ben.write_all(b"six times nine\n").unwrap();
    bob.screen.wait_for("nine");
    support::pause();
    bob.press("/name 1 Ana\r");
    support::pause();
    ana.write_all(b"forty\n-two").unwrap();
    bob.screen.wait_for("[1 Ana]");
    support::pause();
    assert_eq!(place.files().len(), 2);
    bob.press("/quit\r");
    bob.process.expect_status(0);
    let files = place.files();
    assert!(files.keys().eq(["0001-Ana.txt", "0002.txt"]), "{files:?}");
    assert_eq!(files["0001-Ana.txt"], b"forty\n-two");
    let rows = place.rows();
    let mut names: Vec<&str> = rows.iter().map(|row| row[7].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["0001-Ana.txt", "0002.txt"]);
}

/// Here for the rate, in which it may say so much more.
#[test]
fn what_was_not_read_any_more_is_missing() {
    const SAID: usize = 20_000;
    let place = Place::new("unread");
    let mut hub = Hub::start(&["--rate", "1k", "--collect", place.path()]);
    let mut ana = hub.join();
    ana.write_all(&[b'x'; SAID]).unwrap();
    hub.process.stdout.wait_for("xxx");
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    let kept = place.files()["0001.txt"].len();
    let rows = place.rows();
    let [number, _, _, bytes, missing, _] = told(&rows[0]);
    assert_eq!((number, bytes), ("1", &*kept.to_string()));
    assert_eq!(missing, (SAID - kept).to_string());
}

#[test]
fn another_hub_counts_on_and_overwrites_nothing() {
    let place = Place::new("again");
    let say = |hub: &mut Hub, words: &str| {
        let mut peer = hub.join();
        peer.write_all(words.as_bytes()).unwrap();
        hub.process.stdout.wait_for(words);
        let sent = words.as_bytes();
        eventually("it is there", || {
            place.files().values().any(|file| file == sent)
        });
        peer
    };
    let mut hub = Hub::start(&["-v", "--recv-only", "--collect", place.path()]);
    drop(say(&mut hub, "first\n"));
    place.wait_rows(1);
    drop(hub.join_seen());
    place.wait_rows(2);
    let third = say(&mut hub, "third\n");
    // Whoever kills it finds what was said, under the number.
    hub.process.signal(Signal::KILL);
    hub.process.wait();
    drop(third);
    let before = place.files();
    assert!(before.keys().eq(["0001.txt", "0003.txt"]), "{before:?}");
    assert_eq!(before["0003.txt"], b"third\n");
    // Nor is a file of somebody else's taken for one, or a last row that was not finished for a number.
    fs::write(place.1.join("9999-notes.md"), "mine").unwrap();
    let mut index = fs::File::options()
        .append(true)
        .open(place.1.join("index.tsv"))
        .unwrap();
    index.write_all(b"2\ttorn").unwrap();
    let mut hub = Hub::start(&["-v", "--recv-only", "--collect", place.path()]);
    let fourth = say(&mut hub, "fourth\n");
    hub.process.stderr.wait_for("[4] 127.0.0.1:");
    drop(fourth);
    eventually("its row is there", || {
        let index = fs::read_to_string(place.1.join("index.tsv")).unwrap();
        index.contains("\n2\ttorn\n4\t-\t127.0.0.1:")
    });
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    let after = place.files();
    for (name, was) in before {
        assert_eq!(after[&name], was, "{name}");
    }
    assert_eq!(after["0004.txt"], b"fourth\n");
    assert_eq!(after["9999-notes.md"], b"mine");
}

#[test]
fn one_hub_at_a_time_collects_in_a_folder() {
    let place = Place::new("two");
    let hub = Hub::start(&["--collect", place.path()]);
    let mut other = muxnc(&["-l", "0", "--collect", place.path()]);
    other.expect_status(1);
    let told = other.stderr.text();
    assert!(
        told.contains("another hub collects there just now"),
        "{told}"
    );
    drop(hub);
    drop(Hub::start(&["--collect", place.path()]));
}

#[test]
fn what_cannot_be_collected_is_said_before_anybody_comes() {
    let place = Place::new("refused");
    let file = place.0.0.join("file");
    fs::write(&file, "mine").unwrap();
    let deep = place.1.join("deep").join("deeper");
    for (args, status, told) in [
        (
            &["-l", "0", "--collect", file.to_str().unwrap()][..],
            1,
            "not a directory",
        ),
        (
            &["-l", "0", "--collect", deep.to_str().unwrap()],
            1,
            "not those that it is in",
        ),
        (
            &["-l", "0", "--once", "--collect", place.path()],
            2,
            "muxnc -l --once PORT > FILE",
        ),
        (
            &["-l", "0", "--send-only", "--collect", place.path()],
            2,
            "is thrown away",
        ),
        (
            &["--collect", place.path(), "127.0.0.1", "1"],
            2,
            "that is for a hub",
        ),
    ] {
        let mut process = muxnc(args);
        process.expect_status(status);
        let said = process.stderr.text();
        assert!(said.contains(told), "{args:?}: {said}");
    }
    assert!(!place.1.exists());
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

/// Somebody else made a file of that name: it stays, and what was to be in it is told and counted.
#[test]
fn a_file_that_is_there_stays_as_it_is() {
    let place = Place::new("there");
    let mut hub = Hub::start(&["-v", "--chat", "--collect", place.path()]);
    fs::write(place.1.join("0001.txt"), "mine").unwrap();
    fs::write(place.0.0.join("target"), "mine").unwrap();
    std::os::unix::fs::symlink("../target", place.1.join("0002.txt")).unwrap();
    for left in 1..=3 {
        let mut peer = hub.join_seen();
        peer.write_all(b"words\n").unwrap();
        hub.process
            .stdout
            .wait_for(&format!("<user{left}> words\n"));
        drop(peer);
        place.wait_rows(left);
    }
    let rows = place.rows();
    assert_eq!(rows[0][5..], ["0", "6", "-"]);
    assert_eq!(rows[1][5..], ["0", "6", "-"]);
    assert_eq!(rows[2][5..], ["6", "0", "0003.txt"]);
    let mut last = hub.join_seen();
    hub.process.type_in("bye\n");
    hub.process.end_input();
    read_all(&mut last);
    drop(last);
    // Not all that was to be kept is.
    hub.process.expect_status(1);
    let told = hub.process.stderr.text();
    assert!(
        told.contains("0001.txt: file exists; what is for it is missing"),
        "{told}"
    );
    assert!(
        told.contains("12 bytes of what was said are missing in "),
        "{told}"
    );
    assert_eq!(place.files()["0001.txt"], b"mine");
    assert_eq!(fs::read(place.0.0.join("target")).unwrap(), b"mine");
}

/// A file that somebody takes away has what was said until then, and another one the rest.
#[test]
fn a_file_that_was_taken_away_begins_anew() {
    let place = Place::new("away");
    let hub = Hub::start(&["-v", "--recv-only", "--collect", place.path()]);
    let mut ana = hub.join_seen();
    ana.write_all(b"one\n").unwrap();
    eventually("it is there", || place.files().contains_key("0001.txt"));
    eventually("all of it", || place.files()["0001.txt"] == b"one\n");
    let taken = place.0.0.join("taken");
    fs::rename(place.1.join("0001.txt"), &taken).unwrap();
    ana.write_all(b"two\n").unwrap();
    drop(ana);
    place.wait_rows(1);
    assert_eq!(fs::read(&taken).unwrap(), b"one\n");
    assert_eq!(place.files()["0001.txt"], b"two\n");
}

#[test]
fn a_full_disk_stops_nobody_and_what_is_missing_is_counted() {
    let Some(disk) = FullDisk::new("collect-full") else {
        return;
    };
    let args = ["-l", "0", "-v", "--collect", &disk.path("answers")];
    let mut hub = Hub::start_command(&mut disk.muxnc(&args));
    let (mut ana, mut ben) = (hub.join_seen(), hub.join_seen());
    let pattern = Pattern::bytes();
    const LEN: u64 = 5_000_000;
    pattern.write(&mut ana, LEN).unwrap();
    ana.write_all(b"\n").unwrap();
    hub.process
        .stderr
        .wait_for("no space left on device; what is said waits");
    let shown = hub
        .process
        .stdout
        .wait_until("all of it", |bytes| bytes.len() as u64 == LEN + 1);
    pattern.expect(0, &shown[..LEN as usize]);
    // What is beyond what may wait is missing, of each of them; a leaver waits with what it said.
    ben.write_all(b"and me\n").unwrap();
    drop(ben);
    hub.process.type_in("still there?\n");
    expect_bytes(&mut ana, "still there?\n");
    hub.process.stderr.wait_for("[2] ");
    let answers = &disk.seen(&hub.process, "answers");
    disk.make_room(&hub.process);
    hub.process.stderr.wait_for("it is written again, and ");
    ana.write_all(b"and on\n").unwrap();
    hub.process.stdout.wait_for("and on\n");
    drop(ana);
    eventually("both have rows", || {
        hub.process.type_in("still there?\n");
        rows(answers).len() == 2
    });
    for row in rows(answers) {
        let number = |column: usize| row[column].parse::<u64>().unwrap();
        let said = if row[0] == "1" { LEN + 8 } else { 7 };
        assert_eq!(number(5) + number(6), said, "{row:?}");
        if row[7] != "-" {
            let file = fs::read(answers.join(&row[7])).unwrap();
            assert_eq!(file.len() as u64, number(5), "{row:?}");
        }
    }
    let ana = fs::read(answers.join("0001.txt")).unwrap();
    assert!(ana.ends_with(b"and on\n"));
    pattern.expect(0, &ana[..1_000_000]);
}

/// The file is made before it is found that nothing fits into it.
#[test]
fn first_words_on_a_full_disk_wait_as_others_do() {
    let Some(disk) = FullDisk::new("collect-first") else {
        return;
    };
    let args = ["-l", "0", "-v", "--collect", &disk.path("answers")];
    let mut hub = Hub::start_command(&mut disk.muxnc(&args));
    let mut ana = hub.join_seen();
    let ballast = disk.seen(&hub.process, "ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    ana.write_all(b"hello one\n").unwrap();
    hub.process
        .stderr
        .wait_for("no space left on device; what is said waits");
    ana.write_all(b"hello two\n").unwrap();
    hub.process.stdout.wait_for("hello two\n");
    disk.make_room(&hub.process);
    let answers = disk.seen(&hub.process, "answers");
    eventually("it is written", || {
        fs::read(answers.join("0001.txt")).is_ok_and(|said| said == b"hello one\nhello two\n")
    });
    ana.write_all(b"hello three\n").unwrap();
    drop(ana);
    eventually("it has a row", || {
        hub.process.type_in("still there?\n");
        rows(&answers).len() == 1
    });
    let said = fs::read(answers.join("0001.txt")).unwrap();
    assert_eq!(said, b"hello one\nhello two\nhello three\n");
    assert_eq!(rows(&answers)[0][5..8], ["32", "0", "0001.txt"]);
}

/// A class that says more than may wait, and leaves before there is room again: each of them has what waited.
#[test]
fn who_leaves_while_the_disk_is_full_keeps_what_waits() {
    const MEMBERS: usize = 40;
    const ROUNDS: usize = 8;
    let Some(disk) = FullDisk::new("collect-leave") else {
        return;
    };
    let lines = [&[b'x'; 78], &b"\n"[..]].concat().repeat(60);
    let said = 6 + ROUNDS * lines.len();
    let answers = disk.path("answers");
    let args = [
        "-l",
        "0",
        "-v",
        "--recv-only",
        "--label",
        "never",
        "--collect",
        &answers,
    ];
    let mut hub = Hub::start_command(&mut disk.muxnc(&args));
    let answers = &disk.seen(&hub.process, "answers");
    let mut peers: Vec<_> = (0..MEMBERS).map(|_| hub.join_seen()).collect();
    for peer in &mut peers {
        peer.write_all(b"first\n").unwrap();
    }
    eventually("each has a file", || {
        let files = files(answers);
        files.len() == MEMBERS && files.values().all(|file| file == b"first\n")
    });
    let ballast = disk.seen(&hub.process, "ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[b'z'; 4096]).is_ok() {}
    for _ in 0..ROUNDS {
        for peer in &mut peers {
            peer.write_all(&lines).unwrap();
        }
    }
    let all = MEMBERS * said;
    hub.process
        .stdout
        .wait_until("all of it", |bytes| bytes.len() == all);
    drop(peers);
    hub.process.stderr.wait_for(" out, 0 here");
    disk.make_room(&hub.process);
    hub.process.stderr.wait_for("it is written again, and ");
    let told = hub.process.stderr.text();
    assert!(!told.contains("file exists"), "{told}");
    let rows = rows(answers);
    assert_eq!(rows.len(), MEMBERS);
    let mut kept = 0;
    for row in rows {
        let number = |column: usize| row[column].parse::<usize>().unwrap();
        assert_eq!(number(5) + number(6), said, "{row:?}");
        let file = fs::read(answers.join(&row[7])).unwrap();
        assert_eq!(file.len(), number(5), "{row:?}");
        kept += file.len();
    }
    assert!(kept > 1_000_000, "{kept} of {all} bytes are kept");
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    let told = hub.process.stderr.text();
    assert!(!told.contains("of the index"), "{told}");
}

/// Connections may have taken every descriptor that there is.
#[test]
fn answers_need_no_descriptor_that_a_participant_could_have() {
    let place = Place::new("descriptors");
    let limit = format!(
        "ulimit -n 40; exec '{}' -l 0 -v --collect \"$1\"",
        support::MUXNC
    );
    let hub = Hub::start_command(&mut piped("sh", &["-c", &limit, "sh", place.path()]));
    let mut peers: Vec<_> = (0..60).map(|_| hub.join()).collect();
    hub.process.stderr.wait_for("no descriptor is left");
    for (i, peer) in peers.iter_mut().enumerate().take(20) {
        peer.write_all(format!("answer {i}\n").as_bytes()).unwrap();
        hub.process.stdout.wait_for(&format!("answer {i}\n"));
    }
    eventually("each has a file", || place.files().len() == 20);
    eventually("with all of it", || {
        place.files().values().all(|file| file.ends_with(b"\n"))
    });
    let told = hub.process.stderr.text();
    assert!(!told.contains("what is said waits"), "{told}");
}

/// As many as there are seats in a large hall, at once.
#[test]
fn a_thousand_answers_at_once_are_a_thousand_files() {
    const PEERS: usize = 1000;
    let place = Place::new("thousand");
    let args = ["-l", "0", "--recv-only", "--collect", place.path()];
    let mut command = piped(support::MUXNC, &args);
    let hub = Hub::start_command(command.stdout(Stdio::null()));
    let peers: Vec<_> = (0..PEERS).map(|_| hub.join()).collect();
    let mut addrs = BTreeMap::new();
    for (i, mut peer) in peers.into_iter().enumerate() {
        addrs.insert(peer.local_addr().unwrap().to_string(), i);
        peer.write_all(format!("answer {i}").as_bytes()).unwrap();
    }
    let rows = place.wait_rows(PEERS);
    for row in &rows {
        let file = fs::read_to_string(place.1.join(&row[7])).unwrap();
        assert_eq!(file, format!("answer {}", addrs[&row[2]]));
        assert_eq!(row[7], format!("{:04}.txt", row[0].parse::<u32>().unwrap()));
    }
}
