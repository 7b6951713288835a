//! The file of a transfer, downloaded in HTTP beside it or instead of it.

use std::fs;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::SystemTime;

use rustix::process::Signal;

use crate::CLOSE;
use crate::Hub;
use crate::OVER;
use crate::ask;
use crate::support::Folder;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::connect;
use crate::support::contains;
use crate::support::eventually;
use crate::support::installed;
use crate::support::listening;
use crate::support::piped;
use crate::support::read_all;
use crate::support::wait_at_rest;
use crate::support::web_port;
use crate::upgrade;

/// More than the kernel keeps for one who does not read.
const LEN: u64 = 16 * 1024 * 1024;

/// A folder with a file of bytes that tell where they stand.
struct Lesson {
    folder: Folder,
    path: String,
}

impl Lesson {
    fn new(name: &str, len: u64) -> Lesson {
        let folder = Folder::new(&format!("download-{name}"));
        let path = folder.path("lesson.pdf");
        let mut file = File::create(&path).unwrap();
        Pattern::bytes().write(&mut file, len).unwrap();
        Lesson { folder, path }
    }

    fn open(&self) -> File {
        File::open(&self.path).unwrap()
    }

    /// A hub that sends it.
    #[track_caller]
    fn start(&self, args: &[&str]) -> Hub {
        Hub::start_with(self.open(), args)
    }

    /// A hub that only offers it.
    #[track_caller]
    fn offer(&self, args: &[&str]) -> (Process, u16) {
        let all = [&["-l", "-v", "--web", "127.0.0.1:0"], args].concat();
        let hub = Process::start(piped(MUXNC, &all).stdin(self.open()));
        let port = web_port(&hub.stderr);
        (hub, port)
    }

    #[track_caller]
    fn expect_same(&self, path: impl AsRef<Path>) {
        assert!(fs::read(&self.path).unwrap() == fs::read(path).unwrap());
    }
}

fn request(method: &str, target: &str, port: u16, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n")
}

/// Asks for the file, or a part of it. Returns the head of the answer and the connection, from which the rest is
/// still to be read.
#[track_caller]
fn fetch(port: u16, fields: &str) -> (String, TcpStream) {
    let mut stream = connect(port);
    let asked = request("GET", "/file", port, fields);
    stream.write_all(asked.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    (String::from_utf8(head).unwrap(), stream)
}

#[track_caller]
fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let (_, value) = head.split_once(&format!("\r\n{name}: ")).expect(name);
    value.split_once("\r\n").expect("a line").0
}

/// Waits until the page has the digest, and returns it.
#[track_caller]
fn digest(port: u16) -> String {
    let mut page = String::new();
    eventually("a digest on the page", || {
        page = ask(port, &request("GET", "/", port, ""));
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        !page.contains("is being computed")
    });
    let (_, digest) = page.split_once("<code id=\"digest\">").expect("a digest");
    digest.split_once('<').unwrap().0.to_owned()
}

/// Runs a program, which has to succeed, in that folder.
#[track_caller]
fn run(folder: &Folder, program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn curl_and_wget_download_it_and_go_on_after_a_cut() {
    if !installed(&["curl", "wget", "sha256sum"]) {
        return;
    }
    let lesson = Lesson::new("curl", 5_000_000);
    let (mut hub, port) = lesson.offer(&[]);
    let url = format!("http://127.0.0.1:{port}/file");
    let place = &lesson.folder;
    let here = |name: &str| place.path(name);
    run(place, "curl", &["-sSfO", &url]);
    lesson.expect_same(here("file"));
    let sum = run(place, "sha256sum", &["file"]);
    assert_eq!(sum.split(' ').next(), Some(&*digest(port)));
    // A name that the program takes from the answer.
    fs::create_dir(here("there")).unwrap();
    run(place, "curl", &["-sSfOJ", "--output-dir", "there", &url]);
    lesson.expect_same(here("there/lesson.pdf"));
    for (part, program, args) in [
        ("a", "curl", &["-sSf", "-C", "-", "-o", "a", &url]),
        ("b", "wget", &["-q", "-c", "-O", "b", &*url, "--no-proxy"]),
    ] {
        let mut begun = File::create(here(part)).unwrap();
        Pattern::bytes().write(&mut begun, 1_234_567).unwrap();
        run(place, program, args);
        lesson.expect_same(here(part));
    }
    hub.stderr
        .wait_for("(web) downloaded lesson.pdf whole: 5000000 bytes after ");
    hub.stderr
        .wait_for("(web) downloaded bytes 1234567-4999999 of lesson.pdf whole: 3765433 bytes");
    assert!(!hub.stderr.text().contains(" joined"));
    hub.signal(Signal::TERM);
    assert!(hub.wait().code().is_none(), "it ended by itself");
}

#[test]
fn curl_has_it_already_and_is_sent_nothing() {
    if !installed(&["curl", "wget"]) {
        return;
    }
    let lesson = Lesson::new("has-it", 5_000_000);
    let (_hub, port) = lesson.offer(&[]);
    let url = format!("http://127.0.0.1:{port}/file");
    let place = &lesson.folder;
    let curl = |args: &[&str]| {
        let told = ["-sS", "-w", "%{http_code} %{size_download}", &url];
        run(place, "curl", &[&told, args].concat())
    };
    let by_tag = ["--etag-save", "tag", "--etag-compare", "tag", "-o", "copy"];
    assert_eq!(curl(&by_tag), "200 5000000");
    assert_eq!(curl(&by_tag), "304 0");
    let by_date = ["-z", "copy", "-o", "copy"];
    assert_eq!(curl(&by_date), "304 0");
    lesson.expect_same(place.path("copy"));
    // Only if it was not changed after that.
    let unless_changed = ["-z", "-1 Jan 2000", "-o", "other"];
    assert!(curl(&unless_changed).starts_with("412 "));
    run(place, "wget", &["-q", "-N", "--no-proxy", &url]);
    lesson.expect_same(place.path("file"));
    let again = ["-S", "-N", "--no-proxy", "-o", "log", &url];
    run(place, "wget", &again);
    let log = fs::read_to_string(place.path("log")).unwrap();
    assert!(log.contains("304 Not Modified"), "{log}");
    // It is another one.
    let mut file = File::options().append(true).open(&lesson.path).unwrap();
    file.write_all(b"more").unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(5))
        .unwrap();
    assert_eq!(curl(&by_tag), "200 5000000");
}

#[test]
fn whoever_takes_the_hub_for_a_proxy_gets_it_as_well() {
    if !installed(&["curl"]) {
        return;
    }
    let lesson = Lesson::new("url", 5_000_000);
    let (hub, port) = lesson.offer(&["--explain"]);
    let place = &lesson.folder;
    let proxy = format!("http://127.0.0.1:{port}");
    let curl = |url: &str| {
        let args = ["-sS", "--noproxy", "", "-x", &proxy, "-o", "copy"];
        let told = ["-w", "%{http_code}", url];
        run(place, "curl", &[&args[..], &told].concat())
    };
    assert_eq!(curl(&format!("http://localhost:{port}/file")), "200");
    lesson.expect_same(place.path("copy"));
    assert_eq!(curl(&format!("http://example.org:{port}/file")), "403");
    // It is told in the words of each layer, the bytes of the file among them.
    let told = hub.stderr.wait_until("the end of both", |told| {
        let told = String::from_utf8_lossy(told);
        let over = told.matches("both sides have said their last").count();
        told.contains("downloaded lesson.pdf whole") && over == 2
    });
    let told = String::from_utf8_lossy(&told).into_owned();
    let target = format!("(give me), the target http://localhost:{port}/file, the version");
    for text in [
        &*target,
        " HTTP: we send a status line: HTTP/1.1, 200 OK: ",
        " HTTP: Content-Length: 5000000 (",
        " HTTP: an empty line ends the head; a body of 5000000 bytes follows\n",
        " TCP: both sides have said their last: the connection is closed\n",
    ] {
        assert!(told.contains(text), "{text:?} was not told:\n{told}");
    }
}

#[test]
fn for_whom_a_download_waits_is_explained_as_for_a_member() {
    let lesson = Lesson::new("explained", LEN);
    let (hub, port) = lesson.offer(&["--explain"]);
    let (_, mut slow) = fetch(port, "");
    hub.stderr
        .wait_for(" TCP: the window is closed (win 0): their program does not read. ");
    assert_eq!(read_all(&mut slow).len() as u64, LEN);
    hub.stderr.wait_for_all(&[
        " TCP: the window is open again after ",
        "(web) downloaded lesson.pdf whole: 16777216 bytes",
    ]);
}

#[test]
fn a_part_of_it_or_its_head_is_enough() {
    let folder = Folder::new("download-parts");
    let path = folder.path("digits");
    fs::write(&path, "0123456789").unwrap();
    let hub = Hub::start_with(File::open(&path).unwrap(), &[]);
    let port = hub.web;
    let whole = ask(port, &request("GET", "/file", port, ""));
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "0123456789");
    for told in [
        "HTTP/1.1 200 OK\r\n",
        "\r\nContent-Type: application/octet-stream\r\n",
        "\r\nContent-Length: 10\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nAccept-Ranges: bytes\r\n",
        "\r\nConnection: close",
    ] {
        assert!(head.contains(told), "{told}: {head}");
    }
    digest(port);
    let only_head = ask(port, &request("HEAD", "/file", port, "Range: bytes=3-\r\n"));
    assert!(only_head.starts_with("HTTP/1.1 200 OK\r\n"), "{only_head}");
    assert!(only_head.contains("\r\nContent-Length: 10\r\n"));
    assert_eq!(
        field(&only_head, "Repr-Digest"),
        "sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:"
    );
    assert!(only_head.ends_with("\r\n\r\n"), "{only_head}");
    let (tag, modified) = (field(head, "ETag"), field(head, "Last-Modified"));
    assert_eq!(
        tag,
        field(&only_head, "ETag"),
        "the digest is no part of it"
    );
    for (fields, status, range, body) in [
        ("Range: bytes=3-", 206, "bytes 3-9/10", "3456789"),
        ("Range: bytes=3-4", 206, "bytes 3-4/10", "34"),
        ("Range: bytes=-3", 206, "bytes 7-9/10", "789"),
        ("Range: bytes=0-1,4-5", 200, "", "0123456789"),
        ("Range: bytes=x", 200, "", "0123456789"),
        (
            "Range: bytes=10-",
            416,
            "bytes */10",
            "the file has 10 bytes\n",
        ),
        (
            &format!("Range: bytes=3-\r\nIf-Range: {tag}"),
            206,
            "bytes 3-9/10",
            "3456789",
        ),
        (
            &format!("Range: bytes=3-\r\nIf-Range: {modified}"),
            200,
            "",
            "0123456789",
        ),
        (
            "Range: bytes=3-\r\nIf-Range: \"other\"",
            200,
            "",
            "0123456789",
        ),
        (
            "If-Match: \"other\"",
            412,
            "",
            "the file is another one now\n",
        ),
        (
            "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT",
            412,
            "",
            "the file is another one now\n",
        ),
        (&format!("If-None-Match: \"x\", W/{tag}"), 304, "", ""),
        (
            &format!("If-Modified-Since: {modified}\r\nRange: bytes=10-"),
            304,
            "",
            "",
        ),
        (
            "If-None-Match: \"x\"\r\nIf-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT",
            200,
            "",
            "0123456789",
        ),
    ] {
        let answer = ask(
            port,
            &request("GET", "/file", port, &format!("{fields}\r\n")),
        );
        let (head, got) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert_eq!(got, body, "{fields}");
        match range {
            "" => assert!(!head.contains("Content-Range"), "{head}"),
            range => assert_eq!(field(head, "Content-Range"), range),
        }
    }
}

#[test]
fn there_is_no_room_beside_a_file_and_no_file_beside_a_room() {
    let lesson = Lesson::new("no-room", 1000);
    let hub = lesson.start(&[]);
    let port = hub.web;
    for (asked, status) in [
        (upgrade(port, "/socket", &[]), "503 Service Unavailable"),
        (request("GET", "/other", port, ""), "404 Not Found"),
        (request("PUT", "/file", port, ""), "405 Method Not Allowed"),
        (
            request("GET", "/file", port, "").replace("127.0.0.1", "evil.example"),
            "403 Forbidden",
        ),
        (String::from("hello\r\n"), "400 Bad Request"),
    ] {
        let answer = ask(port, &asked);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{answer}"
        );
    }
    let answer = ask(port, &upgrade(port, "/socket", &[]));
    assert!(
        answer.ends_with("no room to join: see its page /\n"),
        "{answer}"
    );
    // A pipe, `-k`, and nothing that is sent.
    for (hub, why) in [
        (Hub::start(&[]), "a pipe"),
        (lesson.start(&["-k"]), "-k"),
        (lesson.start(&["--recv-only"]), "--recv-only"),
    ] {
        let answer = ask(hub.web, &request("GET", "/file", hub.web, ""));
        assert!(answer.starts_with("HTTP/1.1 404 "), "{why}: {answer}");
        assert!(hub.join().hello.contains(r#""you":1,"#), "{why}");
    }
}

#[test]
fn who_downloads_is_no_receiver_of_the_transfer_and_all_get_the_same() {
    if !installed(&["nc", "curl"]) {
        return;
    }
    let lesson = Lesson::new("beside", LEN);
    let mut hub = lesson.start(&["--wait-for", "2"]);
    let url = format!("http://127.0.0.1:{}/file", hub.web);
    let script = |run: &str, file: &str| {
        let file = lesson.folder.path(file);
        let script = format!("exec {run} > '{file}'");
        Process::start(piped("sh", &["-c", &script]).stdin(Stdio::null()))
    };
    let curl = format!("curl -sSf --limit-rate 20M {url}");
    let mut downloads = [script(&curl, "a"), script(&curl, "b")];
    let nc = format!("nc 127.0.0.1 {}", hub.port);
    let mut first = script(&nc, "c");
    hub.process.stderr.wait_for(" joined, 1 of 2 here");
    assert!(!hub.process.stderr.text().contains("it begins"));
    let mut second = script(&nc, "d");
    for process in downloads.iter_mut().chain([&mut first, &mut second]) {
        process.expect_status(0);
    }
    hub.process.expect_status(0);
    for name in ["a", "b", "c", "d"] {
        lesson.expect_same(lesson.folder.path(name));
    }
    let told = hub.process.stderr.text();
    let whole = "(web) downloaded lesson.pdf whole: 16777216 bytes";
    assert_eq!(told.matches(whole).count(), 2, "{told}");
    assert!(told.contains("all 2 are here: it begins"), "{told}");
}

/// It is a transfer with `--wait-for` only, and of nothing: there is nothing to download.
#[test]
fn of_an_empty_file_there_is_a_room() {
    let lesson = Lesson::new("empty", 0);
    let mut hub = lesson.start(&["--wait-for", "2"]);
    let mut web = hub.join();
    let mut plain = hub.join_plain();
    web.expect_end(OVER, 1001);
    web.send(CLOSE, &1001_u16.to_be_bytes());
    assert_eq!(read_all(&mut plain), b"");
    drop(plain);
    hub.process.expect_status(0);
    let serving = lesson.start(&[]);
    serving.join();
}

/// The transfer itself, to one who takes all of it.
#[track_caller]
fn transfer(hub: &Hub) {
    let mut receiver = connect(hub.port);
    let mut taken = 0;
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = receiver.read(&mut buffer) {
        taken += count as u64;
    }
    assert_eq!(taken, LEN);
}

#[test]
fn a_transfer_that_has_begun_refuses_receivers_and_no_downloads() {
    let lesson = Lesson::new("begun", LEN);
    let mut hub = lesson.start(&[]);
    let mut receiver = connect(hub.port);
    let pattern = Pattern::bytes();
    assert_eq!(pattern.read(&mut receiver, 5000), 5000);
    eventually("a raw port that is closed", || {
        TcpStream::connect(("127.0.0.1", hub.port)).is_err()
    });
    let (_, mut whole) = fetch(hub.web, "");
    assert_eq!(pattern.read(&mut whole, LEN), LEN);
    assert!(!hub.process.stderr.text().contains("waiting until"));
    assert_eq!(read_all(&mut receiver).len() as u64, LEN - 5000);
    drop(receiver);
    hub.process.expect_status(0);
}

#[test]
fn a_download_that_runs_when_the_transfer_is_over_is_finished_first() {
    let lesson = Lesson::new("last", LEN);
    let mut hub = lesson.start(&[]);
    let (head, mut slow) = fetch(hub.web, "");
    let port = hub.web;
    let early = connect(port);
    transfer(&hub);
    let addr = slow.local_addr().unwrap();
    let told = hub.process.stderr.wait_for("(Ctrl-C ends it now)");
    let waiting = format!("waiting until lesson.pdf is downloaded by {addr} (web) (");
    assert!(told.contains(&waiting), "{told}");
    // Nobody else is let in, nor who came before and asked for nothing.
    eventually("a listener that is closed", || {
        TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    let mut early = early;
    let read = early.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(read, Err(ErrorKind::ConnectionReset));
    assert!(hub.process.is_running());
    assert_eq!(field(&head, "Content-Length"), LEN.to_string());
    let pattern = Pattern::bytes();
    assert_eq!(pattern.read(&mut slow, LEN), LEN);
    hub.process.expect_status(0);
}

#[test]
fn a_download_that_was_waited_for_and_is_cut_is_named_and_the_status_is_1() {
    let lesson = Lesson::new("cut", LEN);
    let mut hub = lesson.start(&[]);
    // That one was cut before is no matter.
    let (_, before) = fetch(hub.web, "");
    drop(before);
    hub.process
        .stderr
        .wait_for(" of 16777216 bytes of lesson.pdf");
    let (_, slow) = fetch(hub.web, "");
    let addr = slow.local_addr().unwrap();
    transfer(&hub);
    hub.process.stderr.wait_for("waiting until lesson.pdf");
    drop(slow);
    hub.process.expect_status(1);
    let told = hub.process.stderr.text();
    let named = format!("muxnc: {addr} (web) did not get the last ");
    let (_, rest) = told.split_once(&named).expect(&told);
    assert!(
        rest.contains(" of 16777216 bytes of lesson.pdf\n"),
        "{told}"
    );
    assert_eq!(told.matches("did not get").count(), 1, "{told}");
}

/// The kernel has some of what is told of as missing, which must not come when the hub has gone.
#[test]
fn a_download_gets_no_more_than_is_told_when_the_hub_ends() {
    let lesson = Lesson::new("ended", LEN);
    let mut hub = lesson.start(&["-q", "1"]);
    let (_, mut slow) = fetch(hub.web, "");
    transfer(&hub);
    hub.process.expect_status(1);
    let told = hub.process.stderr.text();
    let (_, lacks) = told.split_once("did not get the last ").expect(&told);
    let (lacks, _) = lacks.split_once(" of 16777216 bytes").expect(&told);
    let mut got = Vec::new();
    let why = slow.read_to_end(&mut got).map_err(|error| error.kind());
    let all = got.len() as u64 + lacks.parse::<u64>().unwrap();
    assert_eq!(all, LEN, "{told}");
    assert_eq!(why, Err(ErrorKind::ConnectionReset));
}

#[test]
fn who_takes_nothing_for_too_long_is_cut_off() {
    let lesson = Lesson::new("stuck", LEN);
    let (hub, port) = lesson.offer(&["--stall-timeout", "500ms"]);
    let (_, stuck) = fetch(port, "");
    let addr = stuck.local_addr().unwrap();
    let cut = format!("{addr} (web) took ");
    hub.stderr.wait_for_all(&[
        &cut,
        " of 16777216 bytes of lesson.pdf and was cut off: it took nothing for 500ms",
    ]);
    // The transfer is over before its time is.
    let mut hub = lesson.start(&["--stall-timeout", "4s"]);
    let (_, stuck) = fetch(hub.web, "");
    let addr = stuck.local_addr().unwrap();
    transfer(&hub);
    hub.process.expect_status(1);
    let told = hub.process.stderr.text();
    assert!(told.contains(&format!("{addr} (web) did not get the last ")));
}

#[test]
fn with_ssl_it_is_https() {
    if cfg!(not(feature = "tls")) || !installed(&["curl"]) {
        return;
    }
    let lesson = Lesson::new("tls", 5_000_000);
    let mut hub = lesson.start(&["--ssl"]);
    let place = &lesson.folder;
    let url = format!("https://127.0.0.1:{}/file", hub.web);
    run(place, "curl", &["-sSfk", "-o", "whole", &url]);
    lesson.expect_same(place.path("whole"));
    let part = run(
        place,
        "curl",
        &[
            "-sSfk",
            "-r",
            "4999990-",
            "-w",
            "%{http_code} %{size_download}",
            "-o",
            "part",
            &url,
        ],
    );
    assert_eq!(part, "206 10");
    hub.process
        .stderr
        .wait_for("(web) downloaded bytes 4999990-4999999 of lesson.pdf whole");
    assert!(hub.process.is_running());
}

#[test]
fn a_name_can_do_nothing_but_be_read() {
    let folder = Folder::new("download-name");
    let path = folder.path("a \"<b>\"\n\u{202e}é;.pdf");
    fs::write(&path, "xy").unwrap();
    let hub = Hub::start_with(File::open(&path).unwrap(), &[]);
    let answer = ask(hub.web, &request("GET", "/file", hub.web, ""));
    assert_eq!(
        field(&answer, "Content-Disposition"),
        "attachment; filename=\"a _<b>____;.pdf\"; \
         filename*=UTF-8''a%20%22%3Cb%3E%22__%C3%A9%3B.pdf"
    );
    let page = ask(hub.web, &request("GET", "/", hub.web, ""));
    assert!(page.contains("a &quot;&lt;b&gt;&quot;__é;.pdf"), "{page}");
    assert!(!page.contains(folder.0.to_str().unwrap()));
    hub.process
        .stderr
        .wait_for("(web) downloaded a \"<b>\"__é;.pdf whole: 2 bytes ");
    let told = hub.process.stderr.text();
    assert!(!told.contains("0.0ns"), "no clock can say that: {told}");
    // One that is gone has no name.
    let open = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let hub = Hub::start_with(open, &[]);
    let answer = ask(hub.web, &request("GET", "/file", hub.web, ""));
    assert!(field(&answer, "Content-Disposition").contains("filename=\"muxnc-file\""));
}

#[test]
fn it_begins_where_stdin_stands_and_reading_stdin_is_no_matter() {
    let folder = Folder::new("download-middle");
    let path = folder.path("middle");
    fs::write(&path, "0123456789ABCDEF").unwrap();
    let mut file = File::open(&path).unwrap();
    file.read_exact(&mut [0; 10]).unwrap();
    let mut hub = Hub::start_with(file, &[]);
    let asked = request("GET", "/file", hub.web, "Range: bytes=1-2\r\n");
    let whole = |hub: &Hub| ask(hub.web, &request("GET", "/file", hub.web, ""));
    assert!(whole(&hub).ends_with("\r\n\r\nABCDEF"));
    assert!(ask(hub.web, &asked).ends_with("\r\n\r\nBC"));
    // Its beginning was read by now, for whoever joins.
    assert!(whole(&hub).ends_with("\r\n\r\nABCDEF"));
    let received = read_all(&mut connect(hub.port));
    assert_eq!(received, b"ABCDEF");
    hub.process.expect_status(0);
}

#[test]
fn of_a_file_that_becomes_shorter_no_more_is_sent_than_there_is() {
    let lesson = Lesson::new("shorter", LEN);
    let (hub, port) = lesson.offer(&[]);
    digest(port);
    let (head, mut slow) = fetch(port, "");
    let tag = field(&head, "ETag").to_owned();
    File::options()
        .write(true)
        .open(&lesson.path)
        .unwrap()
        .set_len(LEN / 2)
        .unwrap();
    let mut got = Vec::new();
    // How it ends, a reset or not, does not matter.
    let _ = slow.read_to_end(&mut got);
    assert!(got.len() as u64 <= LEN / 2, "{}", got.len());
    Pattern::bytes().expect(0, &got);
    // What came last counts, too.
    let took = format!(" took {} of {LEN} bytes", got.len());
    let why = "of lesson.pdf and was cut off: the file is shorter than it was";
    let told = hub.stderr.wait_for(why);
    assert!(told.contains(&took), "{told} and not {took}");
    // It is another file now, of which no digest is known.
    let head = ask(port, &request("HEAD", "/file", port, ""));
    assert_ne!(field(&head, "ETag"), tag);
    assert!(!head.contains("Repr-Digest"), "{head}");
    let page = ask(port, &request("GET", "/", port, ""));
    assert!(page.contains("the file was changed"), "{page}");
}

/// Whatever the answer is, also to a request that is not as it has to be (RFC 9110, section 9.3.2).
#[test]
fn no_answer_to_head_has_a_body() {
    let lesson = Lesson::new("head", LEN);
    let (_hub, of_file) = lesson.offer(&[]);
    let room = Hub::start(&[]);
    let mut told = Vec::new();
    for (what, port) in [("a room", room.web), ("a file", of_file)] {
        let own = format!("Host: 127.0.0.1:{port}\r\n");
        let other_scheme = format!("ftp://127.0.0.1:{port}/");
        for target in ["/", "/file", "/socket", "/other", &*other_scheme, "*"] {
            for fields in [
                &*own,
                "Host: evil.example\r\n",
                "Host: a b\r\n",
                "",
                &own.repeat(2),
                &format!("{own}Range: bytes=x\r\nIf-Match: x\r\n"),
                &format!("{own}{}", "X: y\r\n".repeat(70)),
            ] {
                let asked = format!("HEAD {target} HTTP/1.1\r\n{fields}\r\n");
                let answer = ask(port, &asked);
                let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
                assert_eq!(body, "", "{what}: {asked}");
                let (status, _) = head.split_once("\r\n").expect(head);
                told.push(status.to_owned());
            }
        }
    }
    told.sort();
    told.dedup();
    let statuses: Vec<&str> = told.iter().map(|status| &status[9..12]).collect();
    let all = [
        "200", "400", "403", "404", "405", "412", "421", "431", "503",
    ];
    assert_eq!(statuses, all);
}

#[test]
fn who_is_not_let_in_downloads_nothing() {
    let lesson = Lesson::new("denied", LEN);
    let (hub, port) = lesson.offer(&["--deny", "127.0.0.1"]);
    for target in ["/", "/file"] {
        let answer = ask(port, &request("GET", target, port, ""));
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
        assert!(answer.ends_with("your address is not allowed here\n"));
        let head = ask(port, &request("HEAD", target, port, ""));
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
    }
    hub.stderr
        .wait_for("was refused: the address is not allowed");
    for limit in ["-m", "--max-per-host"] {
        let (hub, port) = lesson.offer(&[limit, "1"]);
        let (_, first) = fetch(port, "");
        let answer = ask(port, &request("GET", "/file", port, ""));
        assert!(answer.starts_with("HTTP/1.1 503 "), "{limit}: {answer}");
        assert!(answer.contains("\r\nRetry-After: "), "{answer}");
        // The page and the head are for everybody.
        for (method, target) in [("GET", "/"), ("HEAD", "/file")] {
            let answer = ask(port, &request(method, target, port, ""));
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        drop(first);
        hub.stderr.wait_for(" bytes of lesson.pdf");
        let (_, mut second) = fetch(port, "Range: bytes=-3\r\n");
        assert_eq!(read_all(&mut second).len(), 3);
        let (_, mut third) = fetch(port, "Range: bytes=-3\r\n");
        assert_eq!(read_all(&mut third).len(), 3);
    }
}

#[test]
fn what_is_downloaded_is_an_event() {
    let lesson = Lesson::new("event", LEN);
    let events = lesson.folder.path("events");
    let (mut hub, port) = lesson.offer(&["--events", &format!("json:{events}")]);
    let (_, mut part) = fetch(port, "Range: bytes=5-9\r\n");
    let addr = part.local_addr().unwrap();
    assert_eq!(read_all(&mut part).len(), 5);
    hub.stderr.wait_for("downloaded bytes 5-9 of lesson.pdf");
    let (_, cut) = fetch(port, "");
    hub.signal(Signal::TERM);
    hub.wait();
    drop(cut);
    let told = fs::read_to_string(events).unwrap();
    let whole = format!(
        "\"event\":\"download\",\"address\":\"{addr} (web)\",\"file\":\"lesson.pdf\",\"from\":5,\
         \"bytes\":5,\"taken\":5,\"reason\":\"whole\",\"words\":\"whole\"}}"
    );
    assert!(told.contains(&whole), "{told}");
    assert!(
        told.contains("\"reason\":\"ended\",\"words\":\"the hub ended\"}"),
        "{told}"
    );
}

/// Where a hub ends before they have all, in a script too, and with `--quiet`: something is lost.
#[test]
fn what_a_signal_cuts_off_is_named() {
    let lesson = Lesson::new("signal", 4 * LEN);
    for own in [&[][..], &["--quiet"], &["-v"]] {
        let all = [&["-l", "--web", "127.0.0.1:0"], own].concat();
        let mut hub = Process::start(piped(MUXNC, &all).stdin(lesson.open()));
        let port = listening(&mut hub);
        let (_, first) = fetch(port, "");
        let (_, second) = fetch(port, "");
        hub.signal(Signal::TERM);
        hub.wait();
        let told = hub.stderr.text();
        for cut in [&first, &second] {
            let addr = cut.local_addr().unwrap();
            let named = format!("muxnc: {addr} (web) did not get the last ");
            assert_eq!(told.matches(&named).count(), 1, "{own:?}: {told}");
        }
    }
}

/// Nothing is computed, and nobody woken, when there is nothing to do.
#[test]
fn a_hub_whose_file_nobody_wants_sleeps() {
    let lesson = Lesson::new("idle", LEN);
    let (hub, port) = lesson.offer(&[]);
    digest(port);
    let (_, mut one) = fetch(port, "");
    assert_eq!(Pattern::bytes().read(&mut one, LEN), LEN);
    drop(one);
    hub.stderr.wait_for("downloaded lesson.pdf whole");
    wait_at_rest(&hub);
    assert!(contains(
        hub.stderr.text().as_bytes(),
        b"to download: http://127.0.0.1:"
    ));
}
