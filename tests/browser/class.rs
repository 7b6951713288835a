//! A lesson: a chat with nc, muxnc and three browsers, one of them a phone and one behind a network that is
//! cut now and then. Everybody speaks in every round; at the end each has exactly what was said.
//!
//! It is a few rounds long; `MUXNC_LESSON=600` makes it a lesson of so many seconds, with a round each
//! second (CONTRIBUTING.md).

use std::time::Duration;
use std::time::Instant;

use sha2::Digest;
use sha2::Sha256;

use crate::driver::Browser;
use crate::has_browser;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::Watched;
use crate::support::connect;
use crate::support::eventually;
use crate::support::installed;
use crate::support::listening_port;
use crate::support::muxnc;
use crate::support::pause;
use crate::support::piped;
use crate::support::web_port;
use crate::wire::Wire;

const BEGIN: &str = "<host> the lesson begins";
const END: &str = "<host> the lesson ends";

/// Rounds after which the network of one of them is cut.
const CUT: u32 = 5;

/// What somebody says in a round: short, long, in letters of one to four bytes.
fn words(name: &str, round: u32) -> String {
    let text = [
        "where is it?",
        "Grüße",
        "漢字とかな",
        "😀🎉 👩‍🔬",
        "0123456789 ",
    ];
    let text = text[round as usize % text.len()].repeat(1 + round as usize % 23);
    format!("{name} {round}: {text}")
}

/// Lines between the beginning and the end of the lesson that were said by somebody other than this one.
fn said_by_others(lines: &[String], name: &str) -> Vec<String> {
    let lines = lines.iter().skip_while(|line| *line != BEGIN).skip(1);
    let lines = lines.take_while(|line| *line != END);
    let own = format!("<{name}> ");
    lines
        .filter(|line| line.starts_with('<') && !line.starts_with(&own))
        .cloned()
        .collect()
}

fn lines_of(stream: &Watched) -> Vec<String> {
    stream.text().lines().map(str::to_owned).collect()
}

/// Requires that it is all that was said, and tells so.
fn expect_all(name: &str, lines: &[String], witness: &[String]) {
    let (has, was) = (said_by_others(lines, name), said_by_others(witness, name));
    let hash = |lines: &[String]| format!("{:x?}", Sha256::digest(lines.join("\n")).as_slice());
    let first = has.iter().zip(&was).position(|(has, was)| has != was);
    assert_eq!(
        (has.len(), hash(&has)),
        (was.len(), hash(&was)),
        "{name} differs at {first:?}"
    );
    println!(
        "{name} has all {} lines of the others, by SHA-256",
        has.len()
    );
}

#[test]
fn a_class_of_all_kinds_loses_nothing_in_a_lesson() {
    if !has_browser() || !installed(&["nc", "setsid"]) {
        return;
    }
    let long = std::env::var("MUXNC_LESSON").ok();
    let long = long.map(|seconds| Duration::from_secs(seconds.parse().expect("seconds")));
    let own = [
        "-l",
        "127.0.0.1",
        "0",
        "--chat",
        "--web",
        "127.0.0.1:0",
        "--web-origin",
        "127.0.0.1",
    ];
    let mut hub = Terminal::muxnc(&own);
    let web = web_port(&hub.screen);
    let port = listening_port(&hub.screen);
    let wire = Wire::to(web);

    let witness = Watched::new(connect(port));
    let mut nc = Process::start(&mut piped("nc", &["127.0.0.1", &port.to_string()]));
    let mut max = muxnc(&["127.0.0.1", &port.to_string()]);
    let browsers = [
        ("Ana", Browser::join(wire.port)),
        ("Ben", Browser::join(web)),
        ("Cem", Browser::phone(web)),
    ];
    nc.type_in("/nick Ned\n");
    max.type_in("/nick Max\n");
    for (name, browser) in &browsers {
        browser.say(&format!("/nick {name}"));
    }
    let names = ["Ned", "Max", "Ana", "Ben", "Cem"];
    eventually("all have their names", || {
        names.iter().all(|name| witness.text().contains(name))
    });
    pause();
    hub.press("the lesson begins\r");
    witness.wait_for(BEGIN);

    let begin = Instant::now();
    let mut round = 0;
    while long.map_or(round < 2 * CUT + 2, |long| begin.elapsed() < long) {
        nc.type_in(format!("{}\n", words("Ned", round)));
        max.type_in(format!("{}\n", words("Max", round)));
        hub.press(format!("{}\r", words("host", round)));
        if round % CUT == CUT - 1 {
            wire.cut();
        }
        for (name, browser) in &browsers {
            if *name != "Ana" || round % CUT != CUT - 1 {
                browser.run(
                    "message.value = arguments[0]",
                    serde_json::json!([words(name, round)]),
                );
                browser.press("message", crate::driver::ENTER);
            }
        }
        if round % CUT == CUT - 1 {
            // It is not back before others have spoken.
            witness.wait_for(&words("Cem", round));
            wire.mend();
            browsers[0].1.wait_state("open");
        }
        round += 1;
        if long.is_some() {
            std::thread::sleep(
                (begin + Duration::from_secs(round.into()))
                    .saturating_duration_since(Instant::now()),
            );
        }
    }
    for name in ["Ned", "Max", "Ben", "Cem", "host"] {
        witness.wait_for(&words(name, round - 1));
    }
    let anas = (0..round)
        .rev()
        .find(|round| round % CUT != CUT - 1)
        .unwrap();
    witness.wait_for(&words("Ana", anas));
    pause();
    hub.press("the lesson ends\r");
    witness.wait_for(END);
    nc.stdout.wait_for(END);
    max.stdout.wait_for(END);

    let witness = lines_of(&witness);
    let all = said_by_others(&witness, "");
    let cut = (0..round).filter(|round| round % CUT == CUT - 1).count();
    assert_eq!(all.len(), 6 * round as usize - cut, "the witness itself");
    expect_all("Ned", &lines_of(&nc.stdout), &witness);
    expect_all("Max", &lines_of(&max.stdout), &witness);
    for (name, browser) in &browsers {
        browser.wait_log(END);
        expect_all(name, &browser.lines(), &witness);
        browser.expect_clean();
    }
    let screen = hub.screen.text();
    for line in all.iter().filter(|line| !line.starts_with("<host> ")) {
        let (_, said) = line.split_once("> ").unwrap();
        let (begin, _) = said.split_once(':').unwrap();
        assert!(
            screen.contains(&format!("{begin}: ")),
            "{line} is not on the screen"
        );
    }
    println!("{round} rounds in {:.0} s", begin.elapsed().as_secs_f64());
}
