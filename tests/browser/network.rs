//! A connection that is lost, and what comes back.

use serde_json::json;

use crate::Hub;
use crate::driver::Browser;
use crate::driver::ENTER;
use crate::has_browser;
use crate::support::reserved_port;
use crate::wire::Wire;

#[test]
fn a_cut_loses_nothing_and_says_nothing_twice() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let wire = Wire::to(hub.web);
    let browser = Browser::join(wire.port);
    let mut next = 0;
    let mut write = |hub: &mut Hub, count| {
        for number in next..next + count {
            hub.process
                .type_in(format!("line {number} of the hub, Grüße 😀\n"));
        }
        next += count;
        next - 1
    };
    for round in 0..4 {
        let last = write(&mut hub, 50);
        browser.wait_log(&format!("line {last} of"));
        browser.say(&format!("round {round}"));
        // It is cut while lines are on their way.
        write(&mut hub, 50);
        wire.cut();
        browser.wait("document.body.dataset.state !== 'open'");
        assert!(browser.text("told").contains("What you type stays here"));
        // What is typed meanwhile stays, and is said by whoever wrote it.
        browser.press("message", &format!("kept {round}{ENTER}"));
        assert_eq!(browser.value("message.value"), format!("kept {round}"));
        let last = write(&mut hub, 50);
        wire.mend();
        browser.wait_state("open");
        browser.wait_log(&format!("line {last} of"));
        browser.press("message", ENTER);
        hub.process.stdout.wait_for(&format!("kept {round}\n"));
    }
    let from_hub: Vec<String> = browser
        .lines()
        .into_iter()
        .filter(|line| !line.starts_with("you "))
        .collect();
    let expected: Vec<String> = (0..next)
        .map(|number| format!("line {number} of the hub, Grüße 😀"))
        .collect();
    assert_eq!(from_hub, expected);
    let said: Vec<String> = (0..4)
        .map(|round| format!("round {round}\nkept {round}\n"))
        .collect();
    assert_eq!(hub.process.stdout.text(), said.concat());
    assert_eq!(browser.text("you"), "you are [1]");
    browser.expect_clean();
}

/// What was said into a network that is gone, the hub may have got or not: that is said, and what it did not get
/// when that is known. Nothing is lost, and nothing said twice.
#[test]
fn what_was_not_received_is_marked_and_can_be_sent_again() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let wire = Wire::to(hub.web);
    let browser = Browser::join(wire.port);
    browser.say("heard");
    hub.process.stdout.wait_for("heard\n");
    hub.process.type_in("go on\n");
    browser.wait_log("go on");
    // Nobody is told that the network is gone.
    wire.silence();
    browser.say("lost on the way");
    browser.say("this as well");
    wire.cut();
    browser.wait_state("lost");
    // What the hub says does not tell what it has heard.
    let lines = [
        "you heard (may not have been received)",
        "go on",
        "you lost on the way (may not have been received)",
        "you this as well (may not have been received)",
    ];
    browser.expect_lines(&lines);
    browser.press("message", "and on");
    wire.mend();
    browser.wait_state("open");
    let told = browser.text("told");
    assert!(
        told.starts_with("What you said last was not sent."),
        "{told}"
    );
    let field = browser.value("message.value");
    assert_eq!(field, "lost on the way\nthis as well\nand on");
    browser.press("message", ENTER);
    hub.process.stdout.wait_for("and on\n");
    let out = hub.process.stdout.text();
    assert_eq!(out, "heard\nlost on the way\nthis as well\nand on\n");
    let lines = [
        "you heard",
        "go on",
        "you lost on the way (not sent)",
        "you this as well (not sent)",
        "you lost on the way",
        "you this as well",
        "you and on",
    ];
    browser.expect_lines(&lines);
    assert_eq!(browser.text("told"), "");
    browser.expect_clean();
}

/// However much it was: what nobody heard is not forgotten, also where there is no more room for it in the log.
#[test]
fn all_that_was_not_received_is_given_back_however_many_lines_it_was() {
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&[]);
    let wire = Wire::to(hub.web);
    let browser = Browser::join(wire.port);
    browser.say("heard");
    hub.process.stdout.wait_for("heard\n");
    wire.silence();
    let lines: Vec<String> = (0..12_000).map(|n| format!("line {n:05}")).collect();
    for part in lines.chunks(4000) {
        let part = part.join("\n");
        browser.run("message.value = arguments[0]", json!([part]));
        browser.press("message", ENTER);
        assert_eq!(browser.value("message.value"), "");
    }
    wire.cut();
    browser.wait_state("lost");
    wire.mend();
    browser.wait_state("open");
    let told = browser.text("told");
    assert!(told.contains("It is below again"), "{told}");
    assert!(browser.value("message.value") == lines.join("\n"));
    assert_eq!(hub.process.stdout.text(), "heard\n");
    browser.expect_clean();
}

/// The page keeps all of it: so there is an end to what it takes, and what is said now counts.
#[test]
fn no_more_is_taken_than_can_be_kept_until_it_is_heard() {
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&[]);
    let wire = Wire::to(hub.web);
    let browser = Browser::join(wire.port);
    browser.say("heard");
    hub.process.stdout.wait_for("heard\n");
    let say = |text: &str| {
        browser.run("message.value = arguments[0]", json!([text]));
        browser.press("message", ENTER);
        let told = browser.text("told");
        let is_kept = browser.value("message.value").as_str() == Some(text);
        assert_eq!(told.starts_with("Not sent: "), is_kept, "{told}");
        told
    };
    let line = "x".repeat(65_535);
    let most = [&*line; 16].join("\n");
    wire.silence();
    let alone = "Not sent: at most 1,048,575 bytes can be sent at once. Send this in parts.";
    assert_eq!(say(&(most.clone() + "\n")), alone);
    // The hub does not tell of the first line before it has heard more, and that line does not count against this.
    assert_eq!(say(&most), "");
    let more = "y".repeat(16 * 1024);
    let at_most = "Not sent: the hub has not heard yet what you sent before, and at most 16,377 bytes can be sent now. \
                   Try again in a moment.";
    assert_eq!(say(&more), at_most);
    assert_eq!(say(&more[..16_377]), "");
    assert!(say("").starts_with("Not sent: the hub has not heard"));
    wire.cut();
    browser.wait_state("lost");
    wire.mend();
    browser.wait_state("open");
    let all = most + "\n" + &more[..16_377];
    assert!(browser.value("message.value").as_str() == Some(&all));
    assert_eq!(say(&all), alone);
    // What was not heard before is not waited for any more.
    assert_eq!(say("heard as well"), "");
    hub.process.stdout.wait_for("heard as well\n");
    browser.expect_clean();
}

/// Nothing has to be kept of what the hub is known to have heard, and nothing of it is in doubt.
#[test]
fn what_is_known_to_be_heard_is_not_in_doubt() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let wire = Wire::to(hub.web);
    let browser = Browser::join(wire.port);
    let line = "x".repeat(4000);
    let paste = [&*line; 12].join("\n");
    browser.run("message.value = arguments[0]", json!([paste]));
    browser.press("message", ENTER);
    hub.process.stdout.wait_for(&(paste + "\n"));
    hub.process.type_in("go on\n");
    browser.wait_log("go on");
    wire.silence_one_way();
    browser.say("never heard");
    wire.cut();
    browser.wait_state("lost");
    let lines = browser.lines();
    // It is told of all but less than 16 KiB.
    for known in &lines[..7] {
        assert!(known.ends_with('x'), "{known}");
    }
    assert_eq!(
        lines.last().unwrap(),
        "you never heard (may not have been received)"
    );
    browser.expect_clean();
}

/// Each line is known to have arrived, or not, wherever the connection was cut, also with letters of several
/// bytes; and again when it is cut once more.
#[test]
fn exactly_what_the_hub_took_in_counts_as_sent() {
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&[]);
    let wire = Wire::to(hub.web);
    let browser = Browser::join(wire.port);
    browser.say("é");
    hub.process.stdout.wait_for("é\n");
    let mut heard = String::from("é\n");
    for (whole, part) in [
        ("", ""),
        ("ü\n", ""),
        ("ü\ntwo\n", "t"),
        ("ü\ntwo\nthree\n", ""),
    ] {
        browser.run("message.value = 'ü\\ntwo\\nthree'", json!([]));
        // A frame has six bytes before its payload.
        wire.silence_after(6 + whole.len() + part.len());
        browser.press("message", ENTER);
        heard += &(String::from(whole) + part);
        hub.process.stdout.wait_for(&heard);
        wire.cut();
        browser.wait_state("lost");
        wire.mend();
        browser.wait_state("open");
        let mut lines = vec!["you ü", "you two", "you three"];
        let mut unsent = lines.split_off(whole.matches('\n').count());
        let sent = lines.join("\n").replace("you ", "");
        assert!(whole.starts_with(&sent), "{whole:?}");
        let all = browser.value("message.value");
        assert_eq!(all, unsent.join("\n").replace("you ", ""));
        let marked: Vec<String> = unsent
            .drain(..)
            .enumerate()
            .map(|(number, line)| match number == 0 && !part.is_empty() {
                true => format!("{line} (not sent whole)"),
                false => format!("{line} (not sent)"),
            })
            .collect();
        let shown = browser.lines();
        let expected: Vec<String> = lines.into_iter().map(String::from).chain(marked).collect();
        assert_eq!(shown[shown.len() - 3..], expected);
        if !part.is_empty() {
            heard.push('\n');
        }
    }
    browser.expect_clean();
}

#[test]
fn in_another_network_it_does_not_wait() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let wire = Wire::to(hub.web);
    let browser = Browser::join(wire.port);
    hub.process.type_in("before\n");
    browser.wait_log("before");
    wire.silence();
    browser.say("into the void");
    hub.process.type_in("unheard\n");
    // The page believes that the hub was silent for long.
    browser.run(
        "const now = Date.now; Date.now = () => now() + 10000; window.dispatchEvent(new Event('online'));",
        json!([]),
    );
    browser.wait_log("unheard");
    assert_eq!(browser.text("you"), "you are [1]");
    browser.expect_lines(&["before", "you into the void (not sent)", "unheard"]);
    assert_eq!(browser.value("message.value"), "into the void");
    browser.expect_clean();
}

#[test]
fn a_hub_that_is_started_again_has_the_page_back() {
    if !has_browser() {
        return;
    }
    let (reserved, port) = reserved_port();
    let hub = Hub::start_at(port, &["--chat"]);
    let browser = Browser::join(hub.web);
    browser.run("document.getElementById('name').select()", json!([]));
    browser.press("name", &format!("Ana{ENTER}"));
    browser.wait("['Ana joined', 'is now Ana'].some(news => log.textContent.includes(news))");
    // It is killed, and can say nothing.
    drop(hub);
    browser.wait_state("lost");
    browser.press("message", &format!("still here{ENTER}"));
    let hub = Hub::start_at(port, &["--chat"]);
    browser.wait_state("open");
    browser.wait_log("The hub was started again: something may be missing here.");
    // With its name.
    hub.process.stdout.wait_for("Ana joined");
    browser.press("message", ENTER);
    hub.process.stdout.wait_for("<Ana> still here\n");
    browser.expect_clean();
    drop(reserved);
}

/// A hub that was started again cannot tell what the one before had heard: the mark stays on what was said shortly
/// before it was lost, whatever it had said meanwhile.
#[test]
fn what_a_hub_that_is_gone_may_not_have_heard_stays_marked() {
    if !has_browser() {
        return;
    }
    let (reserved, port) = reserved_port();
    let mut hub = Hub::start_at(port, &[]);
    let wire = Wire::to(hub.web);
    let browser = Browser::join(wire.port);
    browser.run(
        "const now = Date.now; window.aged = 0; Date.now = () => now() + aged",
        json!([]),
    );
    browser.say("long ago");
    hub.process.stdout.wait_for("long ago\n");
    browser.run("aged = 61000", json!([]));
    wire.silence_one_way();
    browser.say("never heard");
    hub.process.type_in("go on\n");
    browser.wait_log("go on");
    // It is killed, and can say nothing.
    let heard = hub.process.stdout.text();
    assert_eq!(heard, "long ago\n");
    drop(hub);
    browser.wait_state("lost");
    let lines = [
        "you long ago",
        "you never heard (may not have been received)",
        "go on",
    ];
    browser.expect_lines(&lines);
    let _hub = Hub::start_at(port, &[]);
    browser.wait_state("open");
    browser.wait_log("The hub was started again: something may be missing here.");
    assert_eq!(browser.lines()[..3], lines);
    browser.expect_clean();
    drop(reserved);
}
