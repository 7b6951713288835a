//! What is said, both ways, with others beside the browser; and how it ends.

use std::cmp::Ordering;
use std::io::Write;

use rustix::process::Signal;

use crate::Hub;
use crate::driver::Browser;
use crate::driver::ENTER;
use crate::driver::SHIFT;
use crate::driver::TAB;
use crate::has_browser;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::connect;
use crate::support::contains;
use crate::support::installed;
use crate::support::listening_port;
use crate::support::muxnc;
use crate::support::pause;
use crate::support::piped;
use crate::support::stop;
use crate::support::web_port;
use crate::wire::Wire;

#[test]
fn whoever_opens_the_page_is_a_member() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let browser = Browser::join(hub.web);
    hub.process.stderr.wait_for("(web) joined, 1 here");
    assert_eq!(browser.text("you"), "you are [1]");
    assert_eq!(browser.text("state"), "connected");
    browser.wait("here.textContent === '1 here'");
    let title = browser.value("document.title");
    assert_eq!(title, format!("muxnc 127.0.0.1:{}", hub.web));
    hub.process.type_in("Hello\n");
    browser.wait_log("Hello");
    browser.say("World");
    hub.process.stdout.wait_for("World\n");
    // Its own line is there, and can be told from the others.
    browser.expect_lines(&["Hello", "you World"]);
    let mine = browser.value("document.querySelectorAll('#log .mine').length");
    assert_eq!(mine, 1);
    // No name is asked for where nobody has one.
    assert_eq!(browser.value("naming.hidden"), true);
    // Who closes the page has left.
    browser.devtools("Page.navigate", &serde_json::json!({"url": "about:blank"}));
    hub.process.stderr.wait_for("(web) left");
    browser.expect_clean();
}

#[test]
fn nc_and_the_terminal_stand_beside_it() {
    if !has_browser() || !installed(&["nc", "setsid"]) {
        return;
    }
    let own = ["-l", "127.0.0.1", "0", "-v", "--web", "127.0.0.1:0"];
    let mut bob = Terminal::muxnc(&own);
    let web = web_port(&bob.screen);
    let port = listening_port(&bob.screen).to_string();
    let mut carol = Process::start(&mut piped("nc", &["127.0.0.1", &port]));
    bob.screen.wait_for("1 here");
    let alice = Browser::phone(web);
    bob.screen.wait_for("2 here");
    alice.say("Hello");
    bob.screen.wait_for("[2] Hello");
    pause();
    bob.press("World\r");
    alice.wait_log("World");
    carol.stdout.wait_for("World\n");
    carol.type_in("from nc\n");
    bob.screen.wait_for("[1] from nc");
    pause();
    bob.press("/msg 2 you alone\r");
    alice.wait_log("you alone");
    pause();
    bob.press("the end\r");
    carol.stdout.wait_for("the end");
    alice.wait_log("the end");
    alice.expect_lines(&["you Hello", "World", "you alone", "the end"]);
    assert_eq!(carol.stdout.text(), "World\nthe end\n");
    alice.expect_clean();
}

#[test]
fn in_a_chat_one_has_a_name() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&["--chat"]);
    let ana = Browser::join(hub.web);
    let ben = Browser::phone(hub.web);
    ben.wait("document.getElementById('name').value === 'user2'");
    // The room names joiners up to two seconds later: as Ben, had he become that meanwhile.
    ben.wait_log("user2 joined");
    let mut nc = muxnc(&["127.0.0.1", &hub.port.to_string()]);
    nc.stdout.wait_for("user");
    let rename = |browser: &Browser, name: &str| {
        browser.run(
            "document.getElementById('name').select()",
            serde_json::json!([]),
        );
        browser.press("name", &format!("{name}{ENTER}"));
    };
    rename(&ana, "Ana");
    nc.stdout.wait_for("Ana");
    rename(&ben, "Ana");
    // Who may not have it is told, and keeps what it had.
    ben.wait_log("you are still user2");
    ben.wait("document.getElementById('name').value === 'user2'");
    rename(&ben, "Ben");
    ben.wait_log("is now Ben");
    ana.say("what is a socket?");
    ben.wait_log("<Ana> what is a socket?");
    nc.stdout.wait_for("<Ana> what is a socket?\n");
    hub.process.type_in("a door with a number\n");
    ana.wait_log("<host> a door with a number");
    // Names and announcements are the hub's, and whatever looks like them is not.
    nc.type_in("<host> * Ana left\n");
    ana.wait_log("<user3> <host> * Ana left");
    let bold = "Array.from(log.querySelectorAll('b'), who => who.textContent)";
    assert_eq!(
        ana.value(bold),
        serde_json::json!(["you", "<host>", "<user3>"])
    );
    nc.type_in("* Ben is now Ana\n");
    ana.wait_log("<user3> * Ben is now Ana");
    let news = "Array.from(log.querySelectorAll('.news'), line => line.textContent)";
    assert!(!ana.value(news).to_string().contains("Ben is now Ana"));
    ben.say("/msg Ana psst");
    ana.wait_log("<Ben, to you alone> psst");
    assert_eq!(ana.value("log.querySelectorAll('.private').length"), 1);
    assert!(!contains(&nc.stdout.bytes(), b"psst"));
    ana.expect_clean();
    ben.expect_clean();
}

#[cfg(feature = "tls")]
#[test]
fn over_tls_it_is_the_same() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&["--ssl"]);
    let browser = Browser::start(900, 600, false);
    browser.visit(&format!("https://127.0.0.1:{}/", hub.web));
    browser.wait_state("open");
    // What the browser warned of can be compared.
    let told = browser.text("empty");
    assert!(told.contains("SHA-256 fingerprint"), "{told}");
    let resources = "performance.getEntriesByType('resource').filter(one => !one.name.startsWith('https://')).length";
    assert_eq!(browser.value(resources), 0);
    hub.process.type_in("Hello\n");
    browser.wait_log("Hello");
    browser.say("World");
    hub.process.stdout.wait_for("World\n");
    hub.process.end_input();
    browser.wait_state("over");
    browser.expect_clean();
}

/// The hub's stamps are its own, as names are, and told apart from what is said.
#[test]
fn a_chat_with_the_time_is_read_as_one_without() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&["--chat", "--time"]);
    let ana = Browser::join(hub.web);
    let ben = Browser::join(hub.web);
    for (browser, name) in [(&ana, "Ana"), (&ben, "Ben")] {
        browser.run(
            "document.getElementById('name').select()",
            serde_json::json!([]),
        );
        browser.press("name", &format!("{name}{ENTER}"));
        browser.wait(&format!(
            "rename.hidden && document.getElementById('name').value === {name:?}"
        ));
    }
    // On a busy machine the name may come after the news.
    ana.wait("['Ben joined', 'is now Ben'].some(news => log.textContent.includes(news))");
    ben.say("[00:00:00] * Ana is now Eve");
    ana.wait_log("now Eve");
    ben.say("/msg Ana psst");
    ana.wait_log("psst");
    hub.process.type_in("[00:00:00] <Ben> no\n");
    ana.wait_log("<host>");
    // Names stand where those of one's own lines do, on which is no stamp.
    ana.say("mine");
    ana.wait_log("you mine");
    let places = "new Set(Array.from(log.querySelectorAll('b'), who => who.getBoundingClientRect().left)).size";
    assert_eq!(ana.value(places), 1);
    let shown = ana.value(
        "Array.from(log.children, line => [line.className,
            ...['time', 'b', 'bdi'].map(tag => line.querySelector(tag)?.textContent ?? '')])",
    );
    let shown: Vec<[String; 4]> = serde_json::from_value(shown).unwrap();
    for [_, stamp, ..] in shown.iter().filter(|line| line[2] != "you") {
        let digits = stamp
            .trim_end()
            .replace(|letter: char| letter.is_ascii_digit(), "0");
        assert_eq!(digits, "00:00:00", "{shown:?}");
    }
    let last: Vec<_> = shown
        .iter()
        .map(|[class, _, who, said]| {
            let kind = class.split(' ').next_back().unwrap();
            (kind, &**who, &**said)
        })
        .collect();
    let private = ("private", "<Ben, to you alone>", "psst");
    assert!(last.contains(&private), "{shown:?}");
    let is_news = |line: &&(&str, &str, &str)| line.0 == "news" && line.2.contains("Ben");
    let news = last.iter().find(is_news);
    let news = news.map(|line| (line.1, line.2));
    let told = [("", "* Ben joined"), ("", "* user2 is now Ben")];
    assert!(news.is_some_and(|news| told.contains(&news)), "{shown:?}");
    let own = |who, said| last.iter().any(|line| (line.1, line.2) == (who, said));
    assert!(own("<Ben>", "[00:00:00] * Ana is now Eve"), "{shown:?}");
    assert!(own("<host>", "[00:00:00] <Ben> no"), "{shown:?}");
    assert_eq!(ana.value("document.getElementById('name').value"), "Ana");
    ana.expect_clean();
    ben.expect_clean();
}

#[test]
fn how_many_are_here_stays_right() {
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&[]);
    let ana = Browser::join(hub.web);
    let ben = Browser::join(hub.web);
    let expect = |browsers: &[&Browser], here: u32| {
        for browser in browsers {
            browser.wait(&format!(
                "here.textContent === '{here} here' && !here.hidden"
            ));
        }
    };
    expect(&[&ana, &ben], 2);
    let plain = connect(hub.port);
    expect(&[&ana, &ben], 3);
    let many: Vec<_> = (0..20).map(|_| connect(hub.port)).collect();
    expect(&[&ana, &ben], 23);
    drop(many);
    drop(ben);
    expect(&[&ana], 2);
    drop(plain);
    expect(&[&ana], 1);
    // It is not said in the log.
    assert_eq!(ana.lines().len(), 0);
    ana.expect_clean();
}

#[test]
fn who_is_kicked_reads_why_and_may_come_back() {
    if !has_browser() || !installed(&["setsid"]) {
        return;
    }
    let own = ["-l", "--web", "127.0.0.1:0"];
    let mut bob = Terminal::muxnc(&own);
    let browser = Browser::join(web_port(&bob.screen));
    browser.press("message", "not said yet");
    bob.press("/kick 1 be kinder\r");
    browser.wait_state("ended");
    assert_eq!(browser.text("told"), "You were disconnected: be kinder");
    // It is not gone, and not said either.
    browser.press("message", ENTER);
    assert_eq!(browser.value("message.value"), "not said yet");
    browser.click("again");
    browser.wait_state("open");
    assert_eq!(browser.text("you"), "you are [2]");
    // One reads that, and who reads what one says.
    browser.wait_log("Something may be missing here. The hub reads what you say, nobody else.");
    browser.press("message", ENTER);
    bob.screen.wait_for("not said yet");
    browser.expect_clean();
}

/// What it said and the hub had not read by then is lost to the hub, and not to who wrote it.
#[test]
fn what_was_said_and_not_heard_by_a_hub_that_kicks_is_given_back() {
    if !has_browser() || !installed(&["setsid"]) {
        return;
    }
    let mut bob = Terminal::muxnc(&["-l", "--web", "127.0.0.1:0"]);
    let browser = Browser::join(web_port(&bob.screen));
    browser.say("heard");
    bob.screen.wait_for("heard");
    stop(&bob.process);
    browser.say("said too late");
    browser.press("message", "begun");
    bob.press("/kick 1 be kinder\r");
    // The kernel shows what is typed next when the hub can read that.
    bob.press("next");
    bob.screen.wait_for("be kinder\r\nnext");
    bob.process.signal(Signal::CONT);
    browser.wait_state("ended");
    assert_eq!(
        browser.text("told"),
        "You were disconnected: be kinder. What you said last was not sent. It is below again: copy it, or join again and send it."
    );
    browser.expect_lines(&["you heard", "you said too late (not sent)"]);
    let field = browser.value("message.value");
    assert_eq!(field, "said too late\nbegun");
    browser.expect_clean();
}

/// However the class ends: what the page shows as said was heard, and the rest is there to be copied.
#[test]
fn what_a_hub_that_ends_did_not_hear_is_given_back() {
    if !has_browser() {
        return;
    }
    for signal in [Signal::INT, Signal::TERM] {
        let mut hub = Hub::start(&["--rate", "500"]);
        let browser = Browser::join(hub.web);
        let lines: Vec<String> = (0..800).map(|n| format!("line {n:05}")).collect();
        let text = lines.join("\n");
        browser.run("message.value = arguments[0]", serde_json::json!([text]));
        browser.press("message", ENTER);
        hub.process.stdout.wait_for("line 00010\n");
        browser.press("message", "begun");
        hub.process.signal(signal);
        browser.wait_state("over");
        hub.process.wait();
        let heard = hub.process.stdout.text();
        let whole = heard.matches('\n').count();
        assert!((10..700).contains(&whole), "{heard}");
        let shown = browser.lines();
        let expected: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(number, line)| match number.cmp(&whole) {
                Ordering::Less => format!("you {line}"),
                Ordering::Equal if !heard.ends_with('\n') => format!("you {line} (not sent whole)"),
                _ => format!("you {line} (not sent)"),
            })
            .collect();
        assert_eq!(shown, expected);
        let field = lines[whole..].join("\n") + "\nbegun";
        assert_eq!(browser.value("message.value"), field);
        assert_eq!(
            browser.text("told"),
            "The class is over. What you said last was not sent. It is below again: copy it, or join again and send it."
        );
        browser.expect_clean();
    }
}

/// The hub hears on, but has no word for that any more.
#[test]
fn what_was_on_its_way_when_the_class_ended_is_marked() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&["--rate", "500"]);
    let browser = Browser::join(hub.web);
    hub.process.type_in("begin\n");
    browser.wait_log("begin");
    let lines: Vec<String> = (0..800).map(|n| format!("line {n:05}")).collect();
    let text = lines.join("\n");
    browser.run("message.value = arguments[0]", serde_json::json!([text]));
    browser.press("message", ENTER);
    hub.process.stdout.wait_for("line 00010\n");
    hub.process.end_input();
    browser.wait_state("over");
    let shown = browser.lines();
    let is_sure = |line: &&String| !line.ends_with(" (may not have been received)");
    let sure = shown.iter().take_while(is_sure).count();
    assert!((10..700).contains(&sure), "{shown:?}");
    assert_eq!(shown.iter().filter(is_sure).count(), sure);
    assert_eq!(browser.value("message.value"), "");
    assert_eq!(
        browser.text("told"),
        "The class is over. What you said last may not have been received."
    );
    // What is known to be heard is not marked.
    let mut hub = Hub::start(&[]);
    let browser = Browser::join(hub.web);
    browser.say("heard");
    hub.process.stdout.wait_for("heard\n");
    hub.process.type_in("the end\n");
    hub.process.end_input();
    browser.wait_state("over");
    browser.expect_lines(&["you heard", "the end"]);
    assert_eq!(browser.text("told"), "The class is over.");
    browser.expect_clean();
}

/// What it says of that has to be so, also after the operator changed it.
#[test]
fn who_reads_what_one_says_is_told_whenever_it_changes() {
    if !has_browser() || !installed(&["setsid"]) {
        return;
    }
    let own = ["-l", "--web", "127.0.0.1:0", "--web-origin", "127.0.0.1"];
    let mut bob = Terminal::muxnc(&own);
    let wire = Wire::to(web_port(&bob.screen));
    let browser = Browser::join(wire.port);
    let (hub_alone, everybody) = (
        "The hub reads what you say, nobody else.",
        "Everybody here reads what you say.",
    );
    let expect = |sentence: &str, remarks: &[&str]| {
        browser.wait(&format!("empty.textContent === {sentence:?}"));
        // What is in the log says it last.
        let is_last = browser.value("empty.checkVisibility()");
        assert_eq!(is_last, remarks.is_empty());
        let expected: Vec<String> = remarks.iter().map(|s| format!("From now on {s}")).collect();
        browser.wait(&format!("log.children.length === {}", remarks.len()));
        assert_eq!(browser.lines(), expected);
    };
    let (now_alone, now_everybody) = (
        "the hub reads what you say, nobody else.",
        "everybody here reads what you say.",
    );
    expect(hub_alone, &[]);
    pause();
    bob.press("/relay on\r");
    expect(everybody, &[now_everybody]);
    // Whoever does not see it hears it.
    assert_eq!(browser.value("log.getAttribute('aria-live')"), "polite");
    // What was changed while the connection was gone is told by the hello.
    wire.cut();
    browser.wait("document.body.dataset.state !== 'open'");
    pause();
    bob.press("/relay off\r");
    bob.screen.wait_for("participants hear only you now");
    wire.mend();
    browser.wait_state("open");
    expect(hub_alone, &[now_everybody, now_alone]);
    // And nothing where it is as before.
    wire.cut();
    browser.wait("document.body.dataset.state !== 'open'");
    wire.mend();
    browser.wait_state("open");
    expect(hub_alone, &[now_everybody, now_alone]);
    browser.expect_clean();
}

/// A chat announces it: once is enough.
#[test]
fn a_chat_tells_once_who_reads_what_one_says() {
    if !has_browser() || !installed(&["setsid"]) {
        return;
    }
    let mut bob = Terminal::muxnc(&["-l", "--chat", "--web", "127.0.0.1:0"]);
    let browser = Browser::join(web_port(&bob.screen));
    let told = browser.text("empty");
    assert_eq!(told, "Everybody here reads what you say.");
    pause();
    bob.press("/relay off\r");
    browser.wait_log("* only host hears you now");
    let told = browser.text("empty");
    assert_eq!(told, "The hub reads what you say, nobody else.");
    assert_eq!(
        browser.value("document.querySelectorAll('.remark').length"),
        0
    );
    // Whoever comes now is told how it is now.
    let late = Browser::join(web_port(&bob.screen));
    assert_eq!(late.text("empty"), told);
    browser.expect_clean();
    late.expect_clean();
}

/// Two clicks or taps in the same field do not choose again: the second one sets the cursor.
#[test]
fn whoever_comes_to_the_name_types_another_one() {
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&["--chat"]);
    let browser = Browser::join(hub.web);
    let selected = || {
        browser.value(
            "(({selectionStart, selectionEnd, value}) => value.slice(selectionStart, selectionEnd))
             (document.getElementById('name'))",
        )
    };
    let was = browser.value("document.getElementById('name').value");
    browser.click("name");
    assert_eq!(selected(), was);
    browser.click("name");
    assert_eq!(selected(), "");
    browser.press("message", "");
    browser.click("message");
    // With the keyboard.
    browser.press("message", &format!("{SHIFT}{TAB}{TAB}{SHIFT}"));
    assert_eq!(browser.value("document.activeElement.id"), "name");
    assert_eq!(selected(), was);
    browser.click("message");
    browser.click("name");
    browser.keys("Zoe");
    browser.keys(ENTER);
    browser.wait_log("Zoe");
    assert_eq!(
        browser.value("document.getElementById('name').value"),
        "Zoe"
    );
    browser.expect_clean();
}

#[test]
fn the_end_of_the_class_is_told_and_the_hub_ends() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let browser = Browser::join(hub.web);
    hub.process.type_in("good bye\n");
    hub.process.end_input();
    browser.wait_state("over");
    browser.wait_log("good bye");
    assert_eq!(browser.text("told"), "The class is over.");
    hub.process.expect_status(0);
    browser.expect_clean();
}

#[test]
fn who_does_not_get_in_reads_why() {
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&["-m", "1"]);
    let first = connect(hub.port);
    hub.process.stderr.wait_for("1 here");
    let browser = Browser::start(320, 568, false);
    browser.open(hub.web);
    browser.wait_state("full");
    assert!(
        browser.text("told").contains("full"),
        "{}",
        browser.text("told")
    );
    // When there is room it gets in.
    drop(first);
    browser.wait_state("open");
    browser.expect_clean();
    let hub = Hub::start(&["--deny", "127.0.0.1"]);
    browser.open(hub.web);
    browser.wait_state("ended");
    let told = browser.text("told");
    assert!(told.starts_with("You were not let in: "), "{told}");
}

#[test]
fn enter_says_it_and_the_field_remembers() {
    use crate::driver::DOWN;
    use crate::driver::UP;
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&[]);
    let browser = Browser::join(hub.web);
    browser.say("one");
    // SHIFT is held until it is pressed again.
    browser.press("message", &format!("two{SHIFT}{ENTER}{SHIFT}lines{ENTER}"));
    let out = hub.process.stdout.wait_for("lines\n");
    assert_eq!(out, "one\ntwo\nlines\n");
    browser.expect_lines(&["you one", "you two", "you lines"]);
    let field = |keys: &str| {
        browser.press("message", keys);
        browser.value("message.value")
    };
    assert_eq!(field(UP), "two\nlines");
    assert_eq!(field(UP), "one");
    assert_eq!(field(UP), "one");
    assert_eq!(field(DOWN), "two\nlines");
    assert_eq!(field(DOWN), "");
    // What is being written is not replaced.
    assert_eq!(field("three"), "three");
    assert_eq!(field(UP), "three");
    browser.press("message", ENTER);
    hub.process.stdout.wait_for("three\n");
    // While letters are being composed Enter chooses among them.
    browser.run(
        "message.value = 'composing';
         message.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}));",
        serde_json::json!([]),
    );
    assert_eq!(browser.value("message.value"), "composing");
    // A line of any letters, and its button.
    browser.run("message.value = 'Grüße 😀 <b>'", serde_json::json!([]));
    browser.click("send");
    hub.process.stdout.wait_for("Grüße 😀 <b>\n");
    // What the hub would not take is not sent.
    browser.run("message.value = 'x'.repeat(70000)", serde_json::json!([]));
    browser.press("message", ENTER);
    assert!(browser.text("told").starts_with("Not sent"));
    browser.expect_clean();
}

#[test]
fn many_lines_at_once_are_several_messages() {
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&[]);
    let browser = Browser::join(hub.web);
    let lines: Vec<String> = (0..4000)
        .map(|number| format!("line {number} of a long paste"))
        .collect();
    let text = lines.join("\n");
    browser.run("message.value = arguments[0]", serde_json::json!([text]));
    browser.press("message", ENTER);
    let out = hub.process.stdout.wait_for("line 3999 of a long paste\n");
    assert_eq!(out, text + "\n");
    let mut plain = connect(hub.port);
    plain.write_all(b"and others\n").unwrap();
    hub.process.stdout.wait_for("and others\n");
    browser.expect_clean();
}
