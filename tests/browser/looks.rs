//! What the page is like for an eye, an ear and a keyboard.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::Hub;
use crate::PAGE;
use crate::driver::Browser;
use crate::driver::SHIFT;
use crate::driver::TAB;
use crate::has_browser;
use crate::support::Folder;

#[test]
fn the_page_is_one_small_file_that_needs_nothing_else() {
    assert!(PAGE.len() < 40 * 1024, "{}", PAGE.len());
    for tag in ["<style>", "<script>", "</style>", "</script>"] {
        assert_eq!(PAGE.matches(tag).count(), 1, "{tag}");
    }
    for alien in [
        " style=",
        " onclick=",
        " onload=",
        " src=",
        " href=",
        "data:",
        "url(",
        "@import",
        "innerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "localStorage",
        "sessionStorage",
        "document.cookie",
    ] {
        assert!(!PAGE.contains(alien), "{alien}");
    }
}

/// A page with everything in it: a chat, its own lines, news, what is for one alone, a remark, a notice.
fn fill(browser: &Browser, hub: &mut Hub) {
    browser.say("what is a socket?");
    hub.process.stdout.wait_for("what is a socket?");
    browser.say("/msg host psst");
    browser.wait_log("only host was told");
    hub.process.type_in("a door with a number\n");
    browser.wait_log("a door with a number");
    let lines: String = (0..40)
        .map(|number| format!("line {number} is long enough to go on in another row\n"))
        .collect();
    hub.process.type_in(lines);
    browser.wait_log("line 39");
}

/// In the browser: each text that can be seen, with the contrast of its colour to what is behind it.
const CONTRASTS: &str = "
    const light = colour => {
        const part = c => (c /= 255, c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = colour.match(/[0-9.]+/g).map(Number);
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (!/rgba\\(.*, 0\\)/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const all = [];
    for (const element of document.body.querySelectorAll('*')) {
        const own = Array.from(element.childNodes).some(node => node.nodeType === 3 && node.data.trim());
        const field = element.matches('input, textarea');
        if (!own && !field || !element.getClientRects().length || element.matches('script, style, noscript *')) continue;
        const [front, back] = [light(getComputedStyle(element).color), light(behind(element))];
        const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
        all.push([element.tagName + '.' + element.className + '#' + element.id, contrast]);
        if (!field) continue;
        const edge = light(getComputedStyle(element).borderTopColor);
        all.push([element.id + '\\'s edge', 1.5 * (Math.max(edge, back) + 0.05) / (Math.min(edge, back) + 0.05)]);
        const hint = light(getComputedStyle(element, '::placeholder').color);
        all.push([element.id + '\\'s hint', (Math.max(hint, back) + 0.05) / (Math.min(hint, back) + 0.05)]);
    }
    return all;";

/// WCAG 2.2, AA: 4.5 for text, 3 for the edge of what can be used.
#[track_caller]
fn expect_contrasts(browser: &Browser) {
    let texts = expect_contrasts_of_any(browser);
    assert!(texts > 20, "hardly any text: {texts}");
}

/// The same, however few texts there are. Returns how many.
#[track_caller]
pub(crate) fn expect_contrasts_of_any(browser: &Browser) -> usize {
    let all = browser.run(CONTRASTS, json!([]));
    let all: Vec<(String, f64)> = serde_json::from_value(all).unwrap();
    let low: Vec<_> = all.iter().filter(|(_, contrast)| *contrast < 4.5).collect();
    assert!(low.is_empty(), "{low:?}");
    all.len()
}

#[test]
fn it_can_be_read_in_any_light_and_on_a_narrow_phone() {
    if !has_browser() {
        return;
    }
    for (width, is_dark) in [(320, false), (390, true), (1000, false), (1000, true)] {
        let mut hub = Hub::start(&["--chat", "--time"]);
        let browser = Browser::start(width, 568, is_dark);
        browser.open(hub.web);
        browser.wait_state("open");
        fill(&browser, &mut hub);
        // Nothing is cut off, and what a finger is to hit is large enough.
        assert_eq!(browser.value("document.documentElement.scrollWidth"), width);
        assert_eq!(
            browser.value("scroller.scrollWidth === scroller.clientWidth"),
            true
        );
        let small = browser.value(
            "Array.from(document.querySelectorAll('button, input, textarea')).filter(element => {
                const { width, height } = element.getBoundingClientRect();
                return width && (width < 36 || height < 36);
            }).length",
        );
        assert_eq!(small, 0);
        let field = browser.value("message.getBoundingClientRect().width / innerWidth");
        assert!(field.as_f64().unwrap() > 0.5, "{field}");
        expect_contrasts(&browser);
        hub.process.end_input();
        browser.wait_state("over");
        expect_contrasts(&browser);
        browser.expect_clean();
    }
}

/// While a name is typed there is one button more.
#[test]
fn the_row_of_the_name_fits_a_narrow_phone() {
    if !has_browser() {
        return;
    }
    let hub = Hub::start(&["--chat"]);
    for width in [320, 360, 390, 480, 500] {
        let browser = Browser::start(width, 568, false);
        browser.open(hub.web);
        browser.wait_state("open");
        browser.press("name", "Z");
        assert_eq!(browser.value("rename.hidden"), false);
        assert_eq!(browser.value("document.documentElement.scrollWidth"), width);
        let end = browser.value("rename.getBoundingClientRect().right");
        assert!(
            end.as_f64().unwrap() <= f64::from(width),
            "{end} of {width}"
        );
        let field = browser.value("document.getElementById('name').getBoundingClientRect().width");
        assert!(field.as_f64().unwrap() > 100.0, "{field} of {width}");
    }
}

#[test]
fn whoever_does_not_see_it_hears_what_everything_is() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&["--chat"]);
    let browser = Browser::join(hub.web);
    fill(&browser, &mut hub);
    let tree = browser.devtools("Accessibility.getFullAXTree", &json!({}));
    let nodes: Vec<(String, String)> = tree["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["ignored"] == false)
        .map(|node| {
            let of = |what: &str| node[what]["value"].as_str().unwrap_or_default().to_owned();
            (of("role"), of("name"))
        })
        .collect();
    for (role, name) in [
        ("heading", "muxnc"),
        ("textbox", "Name"),
        ("region", "Conversation"),
        ("log", "What is said"),
        ("textbox", "Message"),
        ("button", "Send"),
        ("main", ""),
    ] {
        let found = nodes
            .iter()
            .filter(|node| node.0 == role && node.1.starts_with(name))
            .count();
        assert_eq!(found, 1, "{role} {name:?} in {nodes:?}");
    }
    assert!(
        nodes
            .iter()
            .all(|(role, name)| role != "button" || !name.is_empty())
    );
    assert_eq!(browser.value("document.documentElement.lang"), "en");
    // A few lines are read aloud, a flood is not.
    assert_eq!(browser.value("log.getAttribute('aria-live')"), "off");
    hub.process.type_in("one more\n");
    browser.wait_log("one more");
    assert_eq!(browser.value("log.getAttribute('aria-live')"), "polite");
    browser.expect_clean();
}

#[test]
fn a_keyboard_is_enough() {
    if !has_browser() {
        return;
    }
    let mut hub = Hub::start(&["--chat"]);
    let browser = Browser::join(hub.web);
    fill(&browser, &mut hub);
    let focused = || browser.value("document.activeElement.id");
    // Whoever opens the page may type at once.
    assert_eq!(focused(), "message");
    browser.press("message", TAB);
    assert_eq!(focused(), "send");
    // It is seen where one is.
    let ring = "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth";
    assert_eq!(browser.value(ring), "solid3px");
    browser.press("send", &format!("{SHIFT}{TAB}{TAB}{SHIFT}"));
    assert_eq!(focused(), "scroller");
    assert_eq!(browser.value(ring), "solid3px");
    browser.press("scroller", &format!("{SHIFT}{TAB}{SHIFT}"));
    assert_eq!(focused(), "name");
    // Reading back, from where one types.
    let before = browser.value("scroller.scrollTop");
    browser.press("message", "\u{e00e}");
    browser.wait(&format!("scroller.scrollTop < {before}"));
    browser.press("message", "\u{e00f}\u{e00f}");
    browser.wait(&format!("scroller.scrollTop >= {before}"));
    browser.expect_clean();
}

/// axe-core, as npm has it; not kept here. None where there is no npm, or no network.
pub(crate) fn axe() -> Option<String> {
    let folder = Folder::new("axe");
    let packed = Command::new("sh")
        .args([
            "-c",
            "npm pack --silent axe-core@4 && tar xzf axe-core-*.tgz package/axe.min.js",
        ])
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let path: PathBuf = folder.0.join("package/axe.min.js");
    packed.ok()?.status.success().then_some(())?;
    std::fs::read_to_string(path).ok()
}

/// What axe-core, which runs in the page, finds wrong, and how much it finds right.
#[track_caller]
pub(crate) fn look_with_axe(browser: &Browser) -> Value {
    let script = "const done = arguments[0];
        axe.run().then(found => done([found.violations.map(one => [one.id, one.nodes.map(node => node.html)]),
            found.passes.length]), error => done([String(error), 0]));";
    browser.run_async(script, json!([]))
}

/// Where npm is installed axe-core looks as well; what has to hold anywhere is in the tests above.
#[test]
fn axe_finds_nothing() {
    if !has_browser() {
        return;
    }
    let Some(axe) = axe() else {
        // It is not kept here and npm may be absent, so that CI cannot ask for it.
        let _ = writeln!(
            std::io::stderr(),
            "left out: a test that needs axe-core from npm"
        );
        return;
    };
    for (width, is_dark) in [(320, false), (1000, true)] {
        let mut hub = Hub::start(&["--chat"]);
        let browser = Browser::start(width, 640, is_dark);
        browser.open(hub.web);
        browser.wait_state("open");
        browser.run(&axe, json!([]));
        let violations = || look_with_axe(&browser);
        let expect_none = |found: Value| {
            assert_eq!(found[0], json!([]), "{found:#}");
            assert!(found[1].as_u64().unwrap() > 15, "{found:#}");
        };
        expect_none(violations());
        fill(&browser, &mut hub);
        expect_none(violations());
        hub.process.end_input();
        browser.wait_state("over");
        expect_none(violations());
    }
}
