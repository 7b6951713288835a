//! docs/TEACHING.md: what a class does, and what it sees from the side.

use rustix::process::Signal;

use super::shown::expect_explained;
use super::shown::expect_shown;
use super::shown::explained_in;
use super::shown::http_by_hand_in;
use super::stage::Stage;
use crate::support::eventually;

const TEACHING: &str = "docs/TEACHING.md";

/// The rows below the heading of what `ss` shows.
fn rows(shown: &str) -> usize {
    shown
        .lines()
        .skip(1)
        .filter(|row| !row.trim().is_empty())
        .count()
}

/// The sentences of this lesson that begin so.
fn sentences(begin: &str) -> Vec<String> {
    let text = std::fs::read_to_string(super::blocks::path(TEACHING)).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(begin));
    lines.map(String::from).collect()
}

#[test]
fn everybody_in() {
    let Some(stage) = Stage::new(TEACHING, "join", &["nc", "ss"]) else {
        return;
    };
    let listen = stage.next_shown("muxnc -l --explain 3000");
    let bob = stage.sit("bob", &listen.command);
    expect_explained(&bob.screen, &listen.shown);
    let join = stage.next("nc 192.0.2.7 3000");
    let mut class = Vec::new();
    for i in 1..=3 {
        class.push(stage.sit("student", &join));
        bob.screen.wait_for(&format!("joined, {i} here"));
    }
    class[0].press("Hello\r");
    let told = sentences("muxnc: [1] TCP: ");
    assert!(told[3].contains("the first 6 bytes have come"), "{told:?}");
    expect_explained(&bob.screen, &told[..4]);
    let shown = stage.run("bob", &stage.next("ss -tn state established"));
    assert_eq!(rows(&shown), 3, "{shown}");
}

#[test]
fn the_wire() {
    let Some(stage) = Stage::new(TEACHING, "wire", &["tcpdump", "nc"]) else {
        return;
    };
    let bob = stage.start("bob", "muxnc -l -v 3000");
    bob.stderr.wait_for("listening on");
    for (watch, wanted) in [
        (
            stage.next("sudo tcpdump -l -n -i any"),
            &["[S]", "[S.]", "[P.]", "length 6"][..],
        ),
        (stage.next("sudo tcpdump -l -n -A"), &["[P.]", "Hello"]),
    ] {
        let mut tcpdump = stage.start("bob", &watch);
        tcpdump.stderr.wait_for("listening on any");
        let mut alice = stage.start("alice", "nc 192.0.2.7 3000");
        alice.type_in("Hello\n");
        for text in wanted {
            tcpdump.stdout.wait_for(text);
        }
        stage.signal(&tcpdump, Signal::INT);
        tcpdump.wait();
    }
}

#[test]
fn half_closed() {
    let Some(stage) = Stage::new(TEACHING, "half", &["ss"]) else {
        return;
    };
    let mut bob = stage.start("bob", "muxnc -l -v --explain 3000");
    bob.stderr.wait_for("listening on");
    let alice = stage.start("alice", &stage.next("printf 'I have said"));
    bob.stdout.wait_for("I have said what I had to say\n");
    let half = sentences("muxnc: ").into_iter().filter(|line| {
        ["stdin has ended", "FIN", "CLOSE-WAIT"]
            .iter()
            .any(|word| line.contains(word))
    });
    let (at_bob, at_alice): (Vec<String>, Vec<String>) =
        half.partition(|line| line.contains("[1]"));
    assert_eq!((at_bob.len(), at_alice.len()), (2, 3));
    expect_explained(&bob.stderr, &at_bob);
    expect_explained(&alice.stderr, &at_alice);
    for begin in ["ss -tn state close-wait", "ss -tn state fin-wait-2"] {
        let look = stage.next(begin);
        eventually("the kernel knows it", || {
            rows(&stage.run("bob", &look)) == 1
        });
    }
    bob.type_in("I still hear you\n");
    alice.stdout.wait_for("I still hear you\n");
}

#[test]
fn http_explained() {
    explained_in(TEACHING);
}

#[test]
fn http_by_hand() {
    http_by_hand_in(TEACHING, &["nc -C"]);
}

#[test]
fn being_the_server() {
    let Some(stage) = Stage::new(TEACHING, "server", &["curl"]) else {
        return;
    };
    let text = std::fs::read_to_string(super::blocks::path(TEACHING)).unwrap();
    let answer = text.split("```http\n").nth(1).unwrap();
    let answer = answer.split("```").next().unwrap();
    let mut bob = stage.sit("bob", &stage.next("muxnc -l -C --explain 3000"));
    bob.screen.wait_for("to join:");
    let mut browser = stage.start("alice", &stage.next("curl -s http://192.0.2.7:3000/"));
    bob.screen.wait_for("GET / HTTP/1.1");
    bob.screen.wait_for("Host: 192.0.2.7:3000");
    let told = "muxnc: [1] HTTP: the other side sends a request line: the method GET (give me)";
    expect_explained(&bob.screen, &[String::from(told)]);
    bob.press(answer.replace('\n', "\r"));
    browser.expect_status(0);
    assert_eq!(browser.stdout.text(), "Hello");
}

#[test]
fn a_slow_reader() {
    let Some(stage) = Stage::new(TEACHING, "slow", &["nc", "ss", "yes"]) else {
        return;
    };
    let bob = stage.start("bob", &stage.next("yes 'all work and no play"));
    bob.stderr.wait_for("listening on");
    let join = stage.next("nc 192.0.2.7 3000 > /dev/null");
    let _reader = stage.start("carol", &join);
    bob.stderr.wait_for("joined, 1 here");
    let sleeper = stage.start("dave", "nc 192.0.2.7 3000 > /dev/null");
    bob.stderr.wait_for("joined, 2 here");
    stage.signal(&sleeper, Signal::STOP);
    let look = stage.next("ss -tn state established");
    eventually("something waits to be sent", || {
        let shown = stage.run("bob", &look);
        let queued = |row: &str| row.split_whitespace().nth(1)?.parse::<u64>().ok();
        shown
            .lines()
            .skip(1)
            .filter_map(queued)
            .any(|queued| queued > 10_000)
    });
    expect_explained(&bob.stderr, &sentences("muxnc: [2] TCP: the window"));
    expect_explained(&bob.stderr, &sentences("muxnc: [2] program: "));
    bob.stderr.wait_for("was cut off: it took nothing for 5s");
}

#[test]
fn a_file_that_is_whole() {
    let Some(stage) = Stage::new(TEACHING, "file", &["sha256sum"]) else {
        return;
    };
    let shown = &sentences("muxnc: received ")[0];
    let lesson = "a lesson about TCP";
    std::fs::write(stage.home("bob").join("lesson.pdf"), lesson).unwrap();
    let listen = stage.next_shown("muxnc -l --sha256");
    let mut bob = stage.sit("bob", &listen.command);
    let screen = bob.screen.wait_for("to join:");
    expect_shown(&screen, &listen.shown);
    let join = stage.next("muxnc --sha256");
    let mut class = ["alice", "carol"].map(|who| stage.start(who, &join));
    for who in &mut class {
        who.end_input();
        who.expect_status(0);
        let told = String::from_utf8(who.stderr.wait_end()).unwrap();
        assert_eq!(told.trim_end(), shown);
    }
    bob.process.expect_status(0);
    let sum = stage.run("alice", "sha256sum lesson.pdf");
    assert!(shown.contains(sum.split(' ').next().unwrap()), "{sum}");
    let whole = format!(" has all of the {} bytes", lesson.len());
    bob.screen.wait_for(&whole);
}

#[test]
fn a_test_and_its_answers() {
    let Some(stage) = Stage::new(TEACHING, "test", &["jq", "nc"]) else {
        return;
    };
    let mut bob = stage.sit("bob", &stage.next("muxnc -l --collect"));
    bob.screen.wait_for("to join:");
    let answers = stage.home("bob").join("answers");
    let read = |file: &str| std::fs::read_to_string(answers.join(file)).unwrap_or_default();
    let mut class = Vec::new();
    for (number, answer) in [(1, "42\n"), (2, "a socket\n")] {
        let mut student = stage.start("student", "nc 192.0.2.7 3000");
        student.type_in(answer);
        eventually("the answer is kept", || {
            read(&format!("000{number}.txt")) == answer
        });
        class.push(student);
    }
    bob.press("/quit\r");
    bob.process.expect_status(0);
    let index = stage.run("bob", &stage.next("cat answers/index.tsv"));
    assert_eq!(index.lines().count(), 3, "{index}");
    assert!(index.contains("\t9\t0\t0002.txt\n"), "{index}");
    let said = stage.run("bob", &stage.next("jq -r"));
    assert_eq!(said, "1\t42\n2\ta socket\n");
}

#[test]
fn from_a_phone() {
    let Some(stage) = Stage::new(TEACHING, "phone", &["tcpdump", "nc"]) else {
        return;
    };
    let listen = stage.next_shown("muxnc -l --web 8080");
    let mut bob = stage.sit("bob", &listen.command);
    let screen = bob.screen.wait_for("to join: http://192.0.2.7:8080/");
    expect_shown(&screen, &listen.shown);
    let student = stage.start("student", &stage.next("(printf"));
    let answer = student.stdout.wait_for("\"type\":\"hello\"");
    assert!(
        answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{answer}"
    );
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    bob.screen.wait_for("(web) joined, 1 here");
    let tcpdump = stage.start("bob", &stage.next("sudo tcpdump"));
    tcpdump.stderr.wait_for("listening on any");
    bob.press("Hello\r");
    tcpdump.stdout.wait_for("8206 4865 6c6c 6f0a");
    assert_eq!(stage.run("bob", &stage.next("printf '%x")), "48\n");
    stage.signal(&tcpdump, Signal::INT);
}

#[test]
#[cfg(feature = "bus")]
fn what_a_broker_is() {
    let Some(stage) = Stage::new(TEACHING, "broker", &["nats-server"]) else {
        return;
    };
    let serve = stage.next("nats-server");
    let server = stage.start("server", &serve);
    stage.wait_listening(4222);
    let mut rooms = ["one", "two"].map(|who| stage.sit(who, &stage.next("muxnc -l")));
    rooms[0].screen.wait_for("hub room2 came");
    rooms[1].screen.wait_for("hub room1 came");
    let mut student = stage.start("student", &stage.next("muxnc -C"));
    student.stdout.wait_for("INFO {");
    student.type_in("SUB muxnc.lesson.> 1\n");
    // A sign of life, and before it what is asked until it was answered.
    let told = student.stdout.wait_for("\"pieces\":[]}");
    assert!(told.contains("PING"), "{told}");
    student.type_in("PONG\n");
    rooms[0].press("Hello\r");
    let told = student.stdout.wait_for("\nHello");
    rooms[1].screen.wait_for("Hello");
    assert!(told.contains("MSG muxnc.lesson.room1 1 "), "{told}");
    assert!(told.contains("\"kind\":\"said\",\"len\":6"), "{told}");
    student.type_in("PUB muxnc.lesson.room1 10\nNo lesson!\n");
    for room in &rooms {
        room.screen.wait_for("[a stranger on the bus] No lesson!");
    }
    stage.signal(&server, Signal::KILL);
    for (room, said) in rooms.iter_mut().zip(["from one\r", "from two\r"]) {
        room.screen.wait_for("the bus is away");
        room.press(said);
    }
    let _server = stage.start("server", &serve);
    rooms[0].screen.wait_for(" from two");
    rooms[1].screen.wait_for(" from one");
    for room in &rooms {
        room.screen.wait_for("the bus is back");
    }
}
