//! The page of a file, and its download.

use std::fs;
use std::fs::File;

use serde_json::json;

use crate::Hub;
use crate::driver::Browser;
use crate::has_browser;
use crate::looks::axe;
use crate::looks::expect_contrasts_of_any;
use crate::looks::look_with_axe;
use crate::support::Folder;
use crate::support::Pattern;
use crate::support::eventually;

const LEN: u64 = 3_000_000;

/// A name that is a word of its own, so that it has to be broken somewhere.
const NAME: &str =
    "Übungsblatt_07_\"Sockets & <Ports>\"_mit_Lösungen_und_Anmerkungen_zweite_Fassung.pdf";

/// A hub that offers a file of this name in that folder.
fn start(folder: &Folder) -> Hub {
    let path = folder.path(NAME);
    let mut file = File::create(&path).unwrap();
    Pattern::bytes().write(&mut file, LEN).unwrap();
    Hub::start_with(File::open(path).unwrap(), 0, &[])
}

#[test]
fn whoever_opens_the_page_has_the_file_with_one_click() {
    if !has_browser() {
        return;
    }
    for (width, is_dark) in [(320, false), (1000, true)] {
        let folder = Folder::new("browser-download");
        let hub = start(&folder);
        let browser = Browser::start(width, 568, is_dark);
        let there = folder.path("there");
        let behavior = json!({"behavior": "allow", "downloadPath": &there});
        browser.devtools("Browser.setDownloadBehavior", &behavior);
        browser.open(hub.web);
        eventually("the digest", || {
            browser.open(hub.web);
            browser.text("digest").len() == 64
        });
        assert_eq!(
            browser.value("document.querySelector('h1').textContent"),
            NAME
        );
        assert_eq!(browser.text("size"), "3,000,000 bytes (2.9 MiB)");
        // Nothing is cut off, and what a finger is to hit is large enough.
        assert_eq!(browser.value("document.documentElement.scrollWidth"), width);
        assert_eq!(
            browser.value("download.getBoundingClientRect().height >= 44"),
            true
        );
        let texts = expect_contrasts_of_any(&browser);
        assert!(texts >= 7, "{texts}");
        browser.click("download");
        hub.process.stderr.wait_for(" whole: 3000000 bytes");
        let mut path = String::new();
        eventually("the file", || {
            let names = fs::read_dir(&there).ok().into_iter().flatten();
            let names = names.map(|entry| entry.unwrap().path().display().to_string());
            path = names.last().unwrap_or_default();
            path.ends_with(".pdf")
        });
        assert!(fs::read(&path).unwrap() == fs::read(folder.path(NAME)).unwrap());
        // A name may not have everything on every system.
        assert!(path.contains("bungsblatt_07_"), "{path}");
        browser.expect_clean();
    }
}

#[test]
fn axe_finds_nothing_on_the_page_of_a_file() {
    if !has_browser() {
        return;
    }
    // That it is left out says the other test that needs it.
    let Some(axe) = axe() else {
        return;
    };
    for (width, is_dark) in [(320, false), (1000, true)] {
        let folder = Folder::new("browser-axe");
        let hub = start(&folder);
        let browser = Browser::start(width, 568, is_dark);
        browser.open(hub.web);
        browser.run(&axe, json!([]));
        let found = look_with_axe(&browser);
        assert_eq!(found[0], json!([]), "{found:#}");
        assert!(found[1].as_u64().unwrap() > 10, "{found:#}");
    }
}
