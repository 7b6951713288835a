//! What the log shows of bytes that strangers send: everything, and nothing but text.

use std::io::Write;

use muxnc::engine::escape::Escaper;
use serde_json::json;

use crate::Hub;
use crate::driver::Browser;
use crate::has_browser;
use crate::support::connect;
use crate::support::expect_bytes;

#[test]
fn what_looks_like_a_page_or_a_command_is_text() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&["--broker"]);
    let browser = Browser::join(hub.web);
    let mut stranger = connect(hub.port);
    hub.process.stderr.wait_for("2 here");
    let lines = [
        "<script>document.title = 'pwned'</script>",
        "<img src=x onerror=\"document.title='pwned'\">",
        "&lt;b&gt; </div></main><style>*{display:none}</style>",
        "\x1b]0;pwned\x07\x1b[2J",
        "evil \u{202e}txt.exe",
        "end\r",
        "\u{feff}tab\there",
    ];
    for line in lines {
        stranger.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    stranger
        .write_all(b"\xff\xfe\xc0\xaf\xed\xa0\x80\xe6\x97\nlast\n")
        .unwrap();
    browser.wait_log("last");
    let shown = [
        lines[0],
        lines[1],
        lines[2],
        "^[]0;pwned^G^[[2J",
        "evil <U+202E>txt.exe",
        "end",
        "<U+FEFF>tab\there",
        "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
        "last",
    ];
    assert_eq!(browser.lines(), shown);
    let alien = "log.querySelectorAll(':not(div, bdi)').length + document.querySelectorAll('script').length";
    assert_eq!(browser.value(alien), 1);
    // It is so for what one says oneself.
    browser.run("message.value = 'a\\u202eb<i>\\u001b'", json!([]));
    browser.press("message", crate::driver::ENTER);
    browser.wait_log("you a<U+202E>b<i>^[");
    hub.process.type_in("and the hub says \x08\n");
    browser.wait_log("and the hub says ^H");
    browser.expect_clean();
}

/// Every letter there is, behind a letter, a joiner or another of its kind, looks as at the hub's terminal.
#[test]
fn letters_are_shown_as_at_the_terminal() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let browser = Browser::join(hub.web);
    // Letters of which whole blocks are alike are left out.
    let letters = ('\0'..'\u{3400}')
        .chain('\u{a000}'..'\u{ac10}')
        .chain('\u{d790}'..'\u{20000}')
        .chain('\u{e0000}'..'\u{e1000}')
        .filter(|&letter| letter != '\n' && letter != '|');
    let letters: Vec<char> = letters.collect();
    // Between them, so that a line can be taken apart again.
    const BETWEEN: &str = " | ";
    let text_of = |&letter: &char| -> String {
        [
            'a', letter, letter, '\u{e9}', '\u{200d}', letter, ' ', letter,
        ]
        .iter()
        .collect()
    };
    let mut seen = 0;
    let (mut hidden, mut coded) = (Vec::new(), Vec::new());
    for part in letters.chunks(20_000) {
        let rows: Vec<&[char]> = part.chunks(50).collect();
        for row in &rows {
            let all: Vec<String> = row.iter().map(text_of).collect();
            hub.process.type_in(all.join(BETWEEN) + "\n");
        }
        seen += rows.len() + 1;
        hub.process.type_in(format!("those were {seen}\n"));
        browser.wait_log(&format!("those were {seen}"));
        let lines = browser.lines();
        assert_eq!(lines.len(), seen);
        for (line, row) in lines[seen - rows.len() - 1..].iter().zip(&rows) {
            for (shown, letter) in line.split(BETWEEN).zip(*row) {
                let mut expected = String::new();
                let mut escaper = Escaper::default();
                escaper.escape(text_of(letter).as_bytes(), &mut expected);
                escaper.finish(&mut expected);
                if shown != expected {
                    let more = expected.len() > shown.len();
                    let list = if more { &mut hidden } else { &mut coded };
                    list.push((u32::from(*letter), shown.to_owned()));
                }
            }
        }
    }
    // What is none yet to the browser may be a mark to us, and the other way round.
    hidden.retain(|(code, _)| {
        let script = "return /\\p{Assigned}/u.test(String.fromCodePoint(arguments[0]))";
        browser.run(script, json!([code])) == true
    });
    assert!(hidden.is_empty(), "{hidden:x?}");
    assert!(coded.len() < 60, "{coded:x?}");
    browser.expect_clean();
}

#[test]
fn a_letter_may_be_cut_anywhere() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let browser = Browser::join(hub.web);
    let mut plain = connect(hub.port);
    hub.process.stderr.wait_for("2 here");
    let text = "a😀é\n";
    let mut sent = String::new();
    for cut in 2..=7 {
        let (left, right) = text.as_bytes().split_at(cut);
        hub.process.type_in(left);
        // It went out as it is.
        expect_bytes(&mut plain, left);
        browser.wait(&format!("log.children.length === {}", cut - 1));
        hub.process.type_in(right);
        expect_bytes(&mut plain, right);
        sent += text;
        browser.wait(&format!(
            "log.children.length === {} && log.lastChild.textContent === 'a😀é'",
            cut - 1
        ));
    }
    let lines: Vec<&str> = sent.lines().collect();
    assert_eq!(browser.lines(), lines);
    browser.expect_clean();
}

#[test]
fn a_flood_is_bounded_and_says_so() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let browser = Browser::join(hub.web);
    // How long a frame ever takes.
    browser.run(
        "window.longest = 0; let last = performance.now();
         const look = now => { longest = Math.max(longest, now - last); last = now; requestAnimationFrame(look); };
         requestAnimationFrame(look);",
        json!([]),
    );
    let line = "all work and no play makes a dull class";
    let count = 1_000_000 / line.len();
    let flood: String = (0..count)
        .map(|number| format!("{number} {line}\n"))
        .collect();
    hub.process.type_in(flood);
    browser.wait_log(&format!("{} {line}", count - 1));
    let lines = browser.lines();
    assert_eq!(lines.len(), 5000);
    let first = count - 5000;
    for (number, shown) in (first..).zip(&lines) {
        assert_eq!(*shown, format!("{number} {line}"));
    }
    let told = format!(
        "Older lines ({},{:03}) are no longer on this page.",
        first / 1000,
        first % 1000
    );
    browser.wait(&format!(
        "dropped.textContent === {told:?} && !dropped.hidden"
    ));
    // It is still of use.
    browser.say("I am here");
    hub.process.stdout.wait_for("I am here\n");
    println!("the longest frame: {} ms", browser.value("longest"));
    // A line without an end is one, and takes no more room than others.
    let endless = "x".repeat(3_000_000);
    hub.process.type_in(&endless);
    hub.process.type_in("the end\n");
    browser.wait_log("xthe end");
    let longest =
        browser.value("Math.max(...Array.from(log.children, line => line.textContent.length))");
    assert!(longest.as_u64().unwrap() <= 4000, "{longest}");
    let all = browser.value("log.textContent.length").as_u64().unwrap();
    assert!(all >= 3_000_007, "{all}");
    hub.process.type_in(&endless);
    hub.process.type_in("of it all\n");
    browser.wait_log("xof it all");
    let all = browser.value("log.textContent.length").as_u64().unwrap();
    assert!(all <= 4_004_000, "{all}");
    browser.expect_clean();
}

#[test]
fn who_reads_back_is_left_where_it_is() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&[]);
    let browser = Browser::phone(hub.web);
    let lines = |range: std::ops::Range<u32>| {
        range
            .map(|number| format!("line {number}\n"))
            .collect::<String>()
    };
    hub.process.type_in(lines(0..4990));
    browser.wait_log("line 4989");
    let at_end = "scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 24";
    browser.wait(at_end);
    // As far back as the line of that number.
    browser.run(
        "window.read = log.children[4800]; read.scrollIntoView();
         window.place = () => Math.round(read.getBoundingClientRect().top)",
        json!([]),
    );
    browser.wait(&format!("!({at_end})"));
    let place = browser.value("place()");
    hub.process.type_in(lines(4990..4991));
    browser.wait("below.textContent === '1 new line below ↓' && !below.hidden");
    // Old lines go meanwhile.
    hub.process.type_in(lines(4991..5100));
    browser.wait("below.textContent === '110 new lines below ↓'");
    browser.wait("dropped.textContent.includes('100')");
    assert_eq!(browser.value("place()"), place);
    browser.click("below");
    browser.wait(at_end);
    browser.wait("below.hidden");
    assert_eq!(browser.value("document.activeElement.id"), "message");
    hub.process.type_in(lines(5100..5110));
    browser.wait_log("line 5109");
    browser.wait(at_end);
    assert_eq!(browser.value("below.hidden"), true);
    browser.expect_clean();
}
