//! Where members hear each other, and say more than the operator's terminal shows at once.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::thread;

use crate::Seat;
use crate::ends::stop;
use crate::support::contains;

/// Reads all that a member is told, until somebody says that it is over.
fn read_all(member: &TcpStream) -> thread::JoinHandle<Vec<u8>> {
    let mut member = member.try_clone().unwrap();
    thread::spawn(move || {
        let (mut told, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while !contains(&told[told.len().saturating_sub(100)..], b"it is over") {
            let count = member.read(&mut buffer).unwrap();
            assert!(count > 0, "it was cut off");
            told.extend(&buffer[..count]);
        }
        told
    })
}

#[test]
fn a_burst_is_shown_whole_at_a_terminal_that_is_read() {
    const LINES: usize = 2000;
    for mode in ["--broker", "--chat"] {
        let (seat, port) = Seat::hub(&[mode]);
        let (mut ana, bob) = (seat.join(port), seat.join(port));
        let bob = read_all(&bob);
        let burst: String = (0..LINES)
            .map(|i| format!("line {i:04} {}\n", "x".repeat(60)))
            .collect();
        ana.write_all(burst.as_bytes()).unwrap();
        ana.write_all(b"it is over\n").unwrap();
        bob.join().unwrap();
        let shown = seat.wait_for("it is over\r\n");
        let lines = shown.matches(" line ").count();
        assert_eq!(lines, LINES, "{mode}");
        let told = seat.process.stderr.text();
        assert!(!told.contains("not shown"), "{told}");
    }
}

/// The terminal is stopped meanwhile, so that most of the flood is left out.
#[test]
fn who_says_little_is_shown_beside_who_floods() {
    const QUESTIONS: usize = 20;
    for args in [&["--broker"][..], &["--chat"], &["--broker", "--no-edit"]] {
        let (mut seat, port) = Seat::hub(args);
        let (ana, mut bob) = (seat.join(port), seat.join(port));
        stop(&mut seat);
        let flood = format!("{}\n", "f".repeat(79)).repeat(3000);
        let label = if args == ["--chat"] { "<user1> " } else { "" };
        let told = flood.len() + label.len() * 3000;
        let mut sender = ana.try_clone().unwrap();
        let rounds = thread::spawn(move || {
            for _ in 0..=QUESTIONS {
                sender.write_all(flood.as_bytes()).unwrap();
            }
        });
        // What is left out of the flood, bob has heard before he asks.
        for i in 0..QUESTIONS {
            bob.read_exact(&mut vec![0; told]).unwrap();
            bob.write_all(format!("question {i}?\n").as_bytes())
                .unwrap();
        }
        bob.read_exact(&mut vec![0; told]).unwrap();
        rounds.join().unwrap();
        bob.write_all(b"it is over\n").unwrap();
        read_all(&ana).join().unwrap();
        seat.press("\x11");
        let shown = seat.wait_for("it is over\r\n");
        for i in 0..QUESTIONS {
            let question = format!("question {i}?\r\n");
            assert_eq!(shown.matches(&question).count(), 1, "{question} {args:?}");
        }
        seat.process.stderr.wait_for(" lines were not shown");
        // The flood has what the others leave.
        let floods = shown.matches(&"f".repeat(79)).count();
        assert!(floods > 1000, "{floods} lines of the flood");
    }
}
