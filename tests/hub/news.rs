//! What peers can make a hub write to its stderr, with `-v`: little, however many they are and whatever
//! they do. What is not told one by one is told as a number.

#[cfg(feature = "tls")]
use std::io::Read;
use std::io::Write;
#[cfg(feature = "tls")]
use std::net::Shutdown;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Signal;
use socket2::SockRef;

use crate::support::Hub;
#[cfg(feature = "tls")]
use crate::support::connect;
use crate::support::connect_from;
use crate::support::read_all;

/// How many come, one after the other.
const STORM: usize = 2000;

/// What a line takes at most.
const LINE: usize = 250;

/// What was told of one kind of event: one by one, in sums, and in how many of those.
fn told(text: &str, one: &str, more: &str) -> (usize, usize, usize) {
    let one_by_one = text.lines().filter(|line| line.contains(one)).count();
    let counts = text.lines().filter_map(|line| {
        let (count, _) = line.strip_prefix("muxnc: ")?.split_once(more)?;
        count.parse::<usize>().ok()
    });
    (one_by_one, counts.clone().sum(), counts.count())
}

/// Waits until all of `count` events were told of, one by one or in sums, and looks at how: `burst` at
/// once, then two in a second, and a sum in five.
#[track_caller]
fn expect_few(hub: &Hub, since: Instant, count: usize, burst: usize, one: &str, more: &str) {
    let is_all = |text: &[u8]| {
        let (one_by_one, summed, _) = told(&String::from_utf8_lossy(text), one, more);
        one_by_one + summed == count
    };
    let text = hub.process.stderr.wait_until(one, is_all);
    let (one_by_one, _, sums) = told(&String::from_utf8_lossy(&text), one, more);
    let seconds = since.elapsed().as_secs() as usize + 1;
    println!("{one}: {one_by_one} and {sums} sums in {seconds} s");
    assert!(one_by_one <= burst + 2 * seconds, "{one_by_one} of {one}");
    assert!(sums <= 1 + seconds / 5, "{sums} sums of {one}");
}

#[track_caller]
fn expect_at_most(hub: &Hub, lines: usize) {
    let bytes = hub.process.stderr.text().len();
    assert!(bytes <= lines * LINE, "{bytes} bytes on stderr");
}

#[test]
fn those_who_come_and_go_are_told_of_by_name_up_to_a_thousand() {
    let start = Instant::now();
    let hub = Hub::start(&["-v"]);
    for _ in 0..STORM {
        let stream = hub.join();
        let zero = Some(Duration::ZERO);
        SockRef::from(&stream).set_linger(zero).unwrap();
    }
    expect_few(&hub, start, STORM, 1000, " joined, ", " more joined");
    expect_few(&hub, start, STORM, 1000, " left ", " more left");
    for _ in 0..STORM {
        hub.join();
    }
    let ended = "ended its side";
    expect_few(&hub, start, STORM, 1000, ended, " more ended their side");
    expect_at_most(&hub, 5000);
}

#[test]
fn few_of_those_who_are_refused_are_told_of() {
    let start = Instant::now();
    let hub = Hub::start(&["-v", "-m", "1", "--deny", "127.0.0.2"]);
    let _one = hub.join_seen();
    for host in [1, 2] {
        for _ in 0..STORM / 2 {
            drop(connect_from(host, hub.port));
        }
    }
    let more = " more were refused";
    expect_few(&hub, start, STORM, 10, " was refused: ", more);
    expect_at_most(&hub, 200);
}

/// A sum would come five seconds later.
#[test]
fn a_hub_that_ends_tells_the_sums_before() {
    let mut hub = Hub::start(&["-v", "--deny", "127.0.0.2"]);
    for _ in 0..50 {
        read_all(&mut connect_from(2, hub.port));
    }
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    let text = hub.process.stderr.text();
    let (one_by_one, summed, _) = told(&text, " was refused: ", " more were refused");
    assert_eq!(one_by_one + summed, 50, "{text}");
}

#[test]
fn few_of_those_who_cannot_be_understood_are_told_of() {
    let start = Instant::now();
    let hub = Hub::start(&["-v"]);
    let mut staying = hub.join_seen();
    for said in [&[22, 3, 1, 0, 5, 1][..], b"a line\rand another\rand more\r"] {
        for _ in 0..STORM / 2 {
            let mut stranger = hub.join();
            stranger.write_all(said).unwrap();
        }
    }
    staying.write_all(b"the end\n").unwrap();
    let text = hub.process.stderr.wait_until("all of them", |text| {
        let text = String::from_utf8_lossy(text);
        let (tls, more, _) = told(&text, "speaks TLS, which this", " more spoke TLS");
        let (returns, _, _) = told(&text, "CR alone", " no such line");
        tls + returns + more == STORM
    });
    let lines = String::from_utf8_lossy(&text);
    let seconds = start.elapsed().as_secs() as usize + 1;
    let odd = lines.matches("it has to send LF").count() + lines.matches("speaks TLS,").count();
    assert!(odd <= 10 + 2 * seconds, "{odd} in {seconds} s");
}

#[test]
fn few_of_those_who_are_cut_off_are_told_of() {
    const PEERS: usize = 60;
    let start = Instant::now();
    let mut hub = Hub::start(&["-v", "--stall-timeout", "200ms"]);
    let peers: Vec<TcpStream> = (0..PEERS).map(|_| hub.join_seen()).collect();
    let mut stdin = hub.process.stdin.take().unwrap();
    let teacher = std::thread::spawn(move || {
        // Until nobody is there any more, and it is not read.
        let piece = [b'x'; 64 * 1024];
        while stdin.write_all(&piece).is_ok() {}
    });
    let more = " more were cut off";
    expect_few(&hub, start, PEERS, 10, " was cut off: ", more);
    drop((peers, hub));
    teacher.join().unwrap();
}

#[test]
#[cfg(feature = "tls")]
fn few_of_those_who_agree_on_no_tls_are_told_of() {
    let start = Instant::now();
    let hub = Hub::start(&["-v", "--ssl"]);
    for said in [&b"GET / HTTP/1.1\r\n"[..], &[22, 3, 1, 2, 0, 1, 0]] {
        for _ in 0..STORM / 2 {
            let mut stranger = connect(hub.port);
            stranger.write_all(said).unwrap();
            stranger.shutdown(Shutdown::Write).unwrap();
            // What it is told, or a reset.
            let _ = stranger.read_to_end(&mut Vec::new());
        }
    }
    let more = " more did not join";
    expect_few(&hub, start, STORM, 10, " did not join: ", more);
    expect_at_most(&hub, 200);
}

#[test]
fn explanations_of_a_storm_are_bounded() {
    let hub = Hub::start(&["--explain"]);
    let since = Instant::now();
    for i in 0..STORM {
        let mut stream = connect_from((i % 200) as u8 + 1, hub.port);
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
    }
    let more = " more things happened than was explained";
    // Each of them causes as many sentences at least.
    let is_all = |text: &[u8]| {
        let (one_by_one, summed, _) = told(&String::from_utf8_lossy(text), ": [", more);
        one_by_one + summed >= 5 * STORM
    };
    let text = hub.process.stderr.wait_until("all were told of", is_all);
    let (one_by_one, _, _) = told(&String::from_utf8_lossy(&text), ": [", more);
    let seconds = since.elapsed().as_secs() as usize + 1;
    assert!(
        (900..=1000 + 2 * seconds).contains(&one_by_one),
        "{one_by_one}"
    );
}
