//! What a document shows after a command, looked for where the command writes it.

use super::stage::Stage;
use crate::support::Watched;
use crate::support::has_in_order;
use crate::support::without_marks;

/// Requires that each line of the document is on the screen, digits aside: ports differ.
#[track_caller]
pub(crate) fn expect_shown(screen: &str, shown: &[String]) {
    let screen = &without_marks(screen);
    let digits = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    for line in shown.iter().filter(|line| *line != "...") {
        assert!(
            digits(screen).contains(&digits(line)),
            "'{line}' is not on the screen:\n{screen}"
        );
    }
}

/// Text in which blanks, numbers and times are as in any other run, and no row is folded: where one goes on is a
/// colon.
fn as_explained(text: &str) -> String {
    let is_time = |word: &str| {
        let number = word.trim_end_matches([',', ';', ':']);
        let number = number.trim_end_matches(['s', 'm', 'n', 'µ']);
        number.parse::<f64>().is_ok() && word.contains('s')
    };
    let words = text
        .split_whitespace()
        .filter(|word| !["muxnc:", ":"].contains(word));
    let words = words.map(|word| match is_time(word) {
        true => String::from("TIME"),
        false => {
            let mut digits = word.replace(|c: char| c.is_ascii_digit(), "0");
            while digits.contains("00") {
                digits = digits.replace("00", "0");
            }
            digits
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Waits until all of these lines were told, in this order.
#[track_caller]
pub(crate) fn expect_explained(told: &Watched, lines: &[String]) {
    let wanted: Vec<String> = lines.iter().map(|line| as_explained(line)).collect();
    told.wait_until(&lines.join("\n"), |bytes| {
        let text = as_explained(&without_marks(&String::from_utf8_lossy(bytes)));
        has_in_order(&text, &wanted)
    });
}

/// A request typed line by line, and what is told of it: all that is shown, in order.
#[track_caller]
pub(crate) fn explained_in(document: &str) {
    let Some(stage) = Stage::new(document, "explain", &[]) else {
        return;
    };
    let typed = stage.next_shown("muxnc --explain -C");
    let mut alice = stage.start("alice", &typed.command);
    let (mut told, mut is_request) = (Vec::new(), true);
    for line in typed.shown.iter().filter(|line| *line != "...") {
        if line.starts_with("muxnc: ") {
            told.push(line.clone());
            expect_explained(&alice.stderr, &told);
        } else if is_request {
            alice.type_in(format!("{line}\n"));
            is_request = !line.is_empty();
        } else {
            alice.stdout.wait_for(line);
        }
    }
}

/// Types the requests of a document, and reads the answers.
#[track_caller]
pub(crate) fn http_by_hand_in(document: &str, begins: &[&str]) {
    let Some(stage) = Stage::new(document, "http", &["nc"]) else {
        return;
    };
    for begin in begins {
        let typed = stage.next_shown(begin);
        let mut alice = stage.sit("alice", &typed.command);
        let mut lines = typed.shown.iter();
        // The request, to its empty line; then what the server answers.
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            alice.press(format!("{line}\r"));
        }
        alice.press("\r");
        for line in lines.filter(|line| *line != "...") {
            alice.screen.wait_for(line);
        }
    }
}
