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

/// What was said into a network that is gone, the hub may have got or not: that is said, and nothing is said
/// twice.
#[test]
fn what_may_not_have_been_received_is_marked() {
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
    wire.mend();
    browser.wait_state("open");
    browser.say("and on");
    hub.process.stdout.wait_for("and on\n");
    assert_eq!(hub.process.stdout.text(), "heard\nand on\n");
    let lines = [
        "you heard",
        "go on",
        "you lost on the way (may not have been received)",
        "you this as well (may not have been received)",
        "you and on",
    ];
    assert_eq!(browser.lines(), lines);
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
    assert_eq!(
        browser.lines(),
        [
            "before",
            "you into the void (may not have been received)",
            "unheard"
        ]
    );
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
    browser.wait_log("Ana joined");
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
