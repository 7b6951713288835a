//! Who is let in: the lists of hosts, how many at a time, and what those who are refused read.

use std::fs;
use std::io::Write;
use std::net::Ipv6Addr;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread;

use rustix::fs::CWD;
use rustix::fs::Mode;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::connect;
use crate::support::connect_from;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::listening;
use crate::support::listening_port;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::read_all;

const NOT_ALLOWED: &[u8] = b"muxnc: your address is not allowed here\n";

/// What it reads until it is closed; a reset is as good as a close.
fn read_rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut bytes);
    bytes
}

/// A file of hosts, in a folder of its own.
struct Listed(Folder);

impl Listed {
    fn new(name: &str, text: &str) -> Listed {
        let listed = Listed(Folder::new(&format!("access-{name}")));
        fs::write(listed.path(), text).unwrap();
        listed
    }

    fn path(&self) -> String {
        self.0.path("hosts")
    }
}

/// Requires that a hub with these options lets in 127.0.0.`inside`, and refuses 127.0.0.`outside`
/// without counting it among those who joined.
#[track_caller]
fn expect_split(options: &[&str], inside: &[u8], outside: &[u8]) {
    let hub = Hub::start_command(piped(MUXNC, &["-l", "-v", "0"]).args(options));
    for &host in outside {
        let stream = connect_from(host, hub.port);
        let addr = stream.local_addr().unwrap();
        assert_eq!(read_rest(stream), NOT_ALLOWED, "{options:?} {host}");
        hub.process.stderr.wait_for(&format!(
            "muxnc: {addr} was refused: the address is not allowed\n"
        ));
    }
    for (i, &host) in inside.iter().enumerate() {
        let mut stream = connect_from(host, hub.port);
        let addr = stream.local_addr().unwrap();
        hub.process
            .stderr
            .wait_for(&format!("muxnc: [{}] {addr} joined", i + 1));
        writeln!(stream, "from {host}").unwrap();
        hub.process.stdout.wait_for(&format!("from {host}\n"));
    }
}

#[test]
fn only_those_on_the_list_of_who_is_allowed_come_in() {
    expect_split(&["--allow", "127.0.0.2"], &[2], &[1, 3]);
    expect_split(&["--allow", "127.0.0.2/31"], &[2, 3], &[1, 4]);
    expect_split(&["--allow", "127.0.0.2-3"], &[2, 3], &[1, 4]);
    expect_split(&["--allow", "::ffff:127.0.0.2"], &[2], &[1]);
    expect_split(&["--allow", "localhost"], &[1], &[2]);
}

#[test]
fn those_on_the_list_of_who_is_denied_do_not() {
    expect_split(&["--deny", "127.0.0.2"], &[1, 3], &[2]);
    expect_split(&["--deny", "127.0.0.0/30"], &[4], &[1, 2, 3]);
    expect_split(&["--deny", "localhost"], &[2], &[1]);
}

#[test]
fn who_is_denied_stays_out_though_it_is_allowed() {
    expect_split(
        &["--allow", "127.0.0.0/8", "--deny", "127.0.0.2"],
        &[1, 3],
        &[2],
    );
    expect_split(
        &["--deny", "127.0.0.0/8", "--allow", "127.0.0.2"],
        &[],
        &[1, 2],
    );
}

#[test]
fn lists_add_up() {
    let file = Listed::new(
        "add-up",
        "# the front row\n127.0.0.5 127.0.0.6,127.0.0.7\t# and the window\n\n  127.0.0.8\r\n#127.0.0.9\n",
    );
    let path = file.path();
    let given = ["127.0.0.2,127.0.0.3", "127.0.0.4,"];
    expect_split(
        &[
            "--allow",
            given[0],
            "--allowfile",
            &path,
            "--allow",
            given[1],
        ],
        &[2, 3, 4, 5, 6, 7, 8],
        &[1, 9],
    );
    expect_split(
        &["--deny", given[0], "--deny", given[1], "--denyfile", &path],
        &[1, 9],
        &[2, 3, 4, 5, 6, 7, 8],
    );
    let other = Listed::new("add-up-more", "127.0.0.1");
    expect_split(
        &["--allowfile", &path, "--allowfile", &other.path()],
        &[1, 5],
        &[9],
    );
}

/// Written by `<(...)` of a shell, for one: at the start its writer is waited for.
#[test]
fn a_list_may_come_through_a_pipe_and_has_to_end() {
    let folder = Folder::new("piped-list");
    let list = folder.path("list");
    rustix::fs::mkfifoat(CWD, &list, Mode::RUSR | Mode::WUSR).unwrap();
    let pipe = list.clone();
    let writer = thread::spawn(move || fs::write(pipe, "127.0.0.2\n").unwrap());
    expect_split(&["--denyfile", &list], &[1, 3], &[2]);
    writer.join().unwrap();
    for option in ["--allowfile", "--denyfile"] {
        expect_error(
            &["-l", "0", option, "/dev/zero"],
            1,
            "muxnc: read /dev/zero: it has more than 16 MiB, the most that is read of such a file\n",
        );
    }
}

/// Of a pipe there is nothing left to read for the second option.
#[test]
fn a_pipe_that_two_options_name_is_read_once() {
    let folder = Folder::new("piped-lists");
    let list = folder.path("list");
    rustix::fs::mkfifoat(CWD, &list, Mode::RUSR | Mode::WUSR).unwrap();
    let pipe = list.clone();
    let writer = thread::spawn(move || fs::write(pipe, "127.0.0.2\n").unwrap());
    let otherwise = folder.path("otherwise");
    symlink(&list, &otherwise).unwrap();
    let options = [
        "--allowfile",
        &list,
        "--allowfile",
        &otherwise,
        "--allow",
        "127.0.0.1",
    ];
    expect_split(
        &[&options[..], &["--denyfile", &list]].concat(),
        &[1],
        &[2, 3],
    );
    writer.join().unwrap();
}

#[test]
fn a_list_without_anybody_lets_nobody_in() {
    let file = Listed::new("nobody", "# nobody yet\n");
    let hub = Hub::start(&["--allowfile", &file.path()]);
    hub.process
        .stderr
        .wait_for("nobody can come in: the lists of who is allowed are empty\n");
    assert_eq!(read_rest(hub.join()), NOT_ALLOWED);
}

#[test]
fn ipv6_and_ipv4_are_told_apart_on_one_listener() {
    let six = |port: u16| TcpStream::connect((Ipv6Addr::LOCALHOST, port));
    let hub = Hub::start(&["-v", "--allow", "127.0.0.1"]);
    let Ok(stream) = six(hub.port) else {
        return support::left_out("IPv6");
    };
    assert_eq!(read_rest(stream), NOT_ALLOWED);
    hub.join_seen();
    for listed in ["::1", "::/0"] {
        let hub = Hub::start(&["-v", "--allow", listed]);
        assert_eq!(read_rest(hub.join()), NOT_ALLOWED, "{listed}");
        hub.wait_joined(&six(hub.port).unwrap());
        let hub = Hub::start(&["-v", "--deny", listed]);
        assert_eq!(read_rest(six(hub.port).unwrap()), NOT_ALLOWED, "{listed}");
        hub.join_seen();
    }
}

#[test]
fn a_quiet_hub_writes_nothing_to_whom_it_refuses() {
    let mut hub = Hub::start(&["--quiet", "--deny", "127.0.0.2", "-m", "1"]);
    let mut stream = connect_from(2, hub.port);
    assert_eq!(read_all(&mut stream), b"");
    let mut first = hub.join();
    first.write_all(b"first\n").unwrap();
    hub.process.stdout.wait_for("first\n");
    assert_eq!(read_all(&mut hub.join()), b"");
    hub.process.type_in("hello\n");
    expect_bytes(&mut first, "hello\n");
    let said = hub.process.stderr.text();
    assert!(!said.contains("refused"), "{said}");
}

#[test]
fn once_waits_for_somebody_who_may() {
    let mut hub = Hub::start(&["-v", "--once", "--deny", "127.0.0.2"]);
    for _ in 0..3 {
        let mut stream = connect_from(2, hub.port);
        stream.write_all(b"let me in\n").unwrap();
        assert_eq!(read_rest(stream), NOT_ALLOWED);
    }
    let mut stream = connect(hub.port);
    stream.write_all(b"hello\n").unwrap();
    hub.process.stdout.wait_for("hello\n");
    hub.process.end_input();
    drop(stream);
    hub.process.expect_status(0);
    assert_eq!(hub.process.stdout.text(), "hello\n");
}

/// What ncat does is what muxnc does, where its lists mean the same.
#[test]
fn ncat_lets_in_the_same() {
    if !installed(&["ncat"]) {
        return;
    }
    let file = Listed::new("ncat", "127.0.0.2 127.0.0.3\n127.0.0.4-5\n");
    let path = file.path();
    let cases: [(&[&str], &[u8], &[u8]); 11] = [
        (&["--allow", "127.0.0.2"], &[2], &[1]),
        (&["--allow", "127.0.0.2,127.0.0.3"], &[2, 3], &[1]),
        (
            &["--allow", "127.0.0.2", "--allow", "127.0.0.3"],
            &[2, 3],
            &[1],
        ),
        (&["--allowfile", &path], &[2, 3, 4, 5], &[1, 6]),
        (&["--denyfile", &path], &[1, 6], &[2, 3, 4, 5]),
        (
            &["--allowfile", &path, "--allow", "127.0.0.1"],
            &[1, 2],
            &[6],
        ),
        (&["--deny", "127.0.0.2-3"], &[1, 4], &[2, 3]),
        (&["--deny", "127.*.0.2-"], &[1], &[2, 3]),
        (&["--deny", "127.0.0.2/31"], &[1, 4], &[2, 3]),
        (
            &["--allow", "127.0.0.0/8", "--deny", "127.0.0.2"],
            &[1],
            &[2],
        ),
        (
            &["--deny", "127.0.0.0/8", "--allow", "127.0.0.2"],
            &[],
            &[1, 2],
        ),
    ];
    for (options, inside, outside) in cases {
        for (hosts, comes_in) in [(inside, true), (outside, false)] {
            for &host in hosts {
                for mut listener in [ncat(), piped(MUXNC, &["-lv", "--once", "127.0.0.1", "0"])] {
                    let who = format!("{listener:?} {options:?} {host}");
                    assert_eq!(is_let_in(listener.args(options), host), comes_in, "{who}");
                }
            }
        }
    }
}

fn ncat() -> Command {
    piped("ncat", &["-lv", "127.0.0.1", "0"])
}

/// Whether a listener passes on what somebody at 127.0.0.`host` says. Whom ncat refuses, it closes
/// without a word.
#[track_caller]
fn is_let_in(listener: &mut Command, host: u8) -> bool {
    let mut listener = Process::start(listener);
    let mut stream = connect_from(host, listening(&mut listener));
    let _ = stream.write_all(b"hello\n");
    let _ = stream.shutdown(std::net::Shutdown::Write);
    listener.end_input();
    let mut refused = false;
    eventually("it ends, or says that it refused", || {
        let said = listener.stderr.text();
        refused = said.contains("denied: not allowed") || said.contains("was refused");
        refused || !listener.is_running()
    });
    if refused {
        return false;
    }
    listener.wait();
    assert_eq!(listener.stdout.text(), "hello\n");
    true
}

#[test]
fn so_many_of_one_address_and_then_no_more_until_one_leaves() {
    let mut hub = Hub::start(&["-v", "--max-per-host", "2"]);
    let (mut first, second) = (hub.join_seen(), hub.join_seen());
    let refused = hub.join();
    let addr = refused.local_addr().unwrap();
    assert_eq!(
        read_rest(refused),
        b"muxnc: full, 2 from your address are here already\n"
    );
    hub.process.stderr.wait_for(&format!(
        "muxnc: {addr} was refused: 2 from that address are here already\n"
    ));
    let other = connect_from(2, hub.port);
    hub.wait_joined(&other);
    drop(second);
    hub.process.stderr.wait_for("ended its side");
    hub.process.type_in("hello\n");
    expect_bytes(&mut first, "hello\n");
    hub.process.stderr.wait_for("[2] ");
    hub.process.stderr.wait_for(" left ");
    hub.join_seen();
}

/// What it said is thrown away, and that is no success.
#[test]
fn who_is_refused_reads_that_nobody_took_what_it_said() {
    let hub = Hub::start(&["-v", "--deny", "127.0.0.1"]);
    let port = hub.port.to_string();
    let not_allowed = str::from_utf8(NOT_ALLOWED).unwrap();
    let cases: [(&[&str], &str, &str, i32); 3] = [
        (&["--send-only"], "answer\n", "", 1),
        (&[], "answer\n", not_allowed, 1),
        (&[], "", not_allowed, 0),
    ];
    for (options, said, read, status) in cases {
        let args = [options, &["127.0.0.1", &port]].concat();
        let mut refused = muxnc(&args);
        refused.type_in(said);
        refused.end_input();
        refused.expect_status(status);
        assert_eq!(refused.stdout.text(), read, "{args:?}");
    }
}

#[test]
fn a_flood_of_refusals_is_told_in_few_lines_and_counted() {
    let hub = Hub::start(&["-v", "--deny", "127.0.0.2"]);
    for _ in 0..200 {
        assert_eq!(read_rest(connect_from(2, hub.port)), NOT_ALLOWED);
    }
    let text = hub.process.stderr.wait_for(" more were refused\n");
    let told = text.matches(" was refused: ").count();
    assert!((1..200).contains(&told), "{text}");
    let counted = text.lines().find_map(|line| {
        let line = line.strip_prefix("muxnc: ")?;
        line.strip_suffix(" more were refused")?.parse().ok()
    });
    let counted: usize = counted.unwrap();
    // On a machine so slow that it takes longer, there is more than one such line.
    assert!(told + counted <= 200, "{text}");
    assert!(told < 50, "{text}");
    hub.join_seen();
}

#[test]
fn once_counts_a_flood_of_refusals_too() {
    let hub = Hub::start(&["-v", "--once", "--deny", "127.0.0.2"]);
    for _ in 0..50 {
        assert_eq!(read_rest(connect_from(2, hub.port)), NOT_ALLOWED);
    }
    hub.process.stderr.wait_for(" more were refused\n");
}

#[track_caller]
fn expect_error(args: &[&str], status: i32, stderr: &str) {
    let mut process = muxnc(args);
    process.expect_status(status);
    assert_eq!(process.stderr.text(), stderr);
}

const HINT: &str = "  A host is an address, a prefix as 192.0.2.0/24, a range as 192.0.2.1-99, or a \
                    name.\n";

#[test]
fn what_is_no_host_is_a_usage_error() {
    for (host, why) in [
        ("192.0.2.256", "not an address"),
        ("127.1", "not an address"),
        ("192.0.2.0/33", "an IPv4 address has 32 bits"),
        ("::/129", "an IPv6 address has 128 bits"),
        ("192.0.2.0/x", "a prefix is a number of bits"),
        ("192.0.2.*/24", "either ranges or a prefix"),
        ("192.0.2.7:80", "not an address, and not the name of a host"),
    ] {
        for option in ["--allow", "--deny"] {
            expect_error(
                &["-l", "0", option, &format!("127.0.0.1,{host}")],
                2,
                &format!("muxnc: host '{host}': {why}\n{HINT}"),
            );
        }
    }
    for nothing in ["", ",", " "] {
        let mut process = muxnc(&["-l", "0", "--allow", nothing]);
        process.expect_status(2);
    }
    for args in [
        &["localhost", "80", "--allow", "127.0.0.1"][..],
        &["localhost", "80", "--max-per-host", "1"],
        &["-l", "0", "--max-per-host", "0"],
        &["-l", "0", "--once", "--max-per-host", "1"],
    ] {
        muxnc(args).expect_status(2);
    }
}

#[test]
fn errors_in_a_file_name_the_file_and_the_line() {
    let file = Listed::new("errors", "127.0.0.1\n# one more:\n127.0.0.2, 192.0.2.300\n");
    let path = file.path();
    for option in ["--allowfile", "--denyfile"] {
        expect_error(
            &["-l", "0", option, &path],
            2,
            &format!("muxnc: {path}, line 3: host '192.0.2.300': not an address\n{HINT}"),
        );
    }
    let file = Listed::new("names", "127.0.0.1\nlocalhost\n");
    let path = file.path();
    expect_error(
        &["-l", "0", "-n", "--denyfile", &path],
        2,
        &format!(
            "muxnc: {path}, line 2: look up localhost: not a numeric address\n  \
             With -n nothing is looked up; leave it out to use a name.\n"
        ),
    );
    expect_error(
        &["-l", "0", "--denyfile", "/nonexistent/hosts"],
        1,
        "muxnc: read /nonexistent/hosts: no such file or directory\n",
    );
    let file = Listed::new("binary", "");
    fs::write(file.path(), b"127.0.0.1\n\xff\xfe\n").unwrap();
    let mut process = muxnc(&["-l", "0", "--denyfile", &file.path()]);
    process.expect_status(1);
    let told = format!("muxnc: read {}, line 2: ", file.path());
    process.stderr.wait_for(&told);
}

#[test]
fn a_name_that_nobody_knows_is_told_before_anything_listens() {
    let mut process = muxnc(&["-l", "0", "--deny", "no-such-host.invalid"]);
    process.expect_status(1);
    let text = process.stderr.text();
    assert!(
        text.starts_with("muxnc: look up no-such-host.invalid: "),
        "{text}"
    );
    assert!(!text.contains("listening"), "{text}");
}

#[test]
fn a_listener_says_where_it_listens_before_anybody_is_refused() {
    let process = muxnc(&["-l", "127.0.0.1", "0", "--once", "--deny", "127.0.0.1"]);
    let port = listening_port(&process.stderr);
    assert_eq!(read_rest(connect(port)), NOT_ALLOWED);
}
