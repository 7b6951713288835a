//! The page of `--web` in a real browser: Chromium, driven by chromedriver (on Debian: chromium and
//! chromium-driver). Where they are not installed the tests are left out, and say so.

#![cfg(feature = "web")]

mod driver;
mod log;
mod looks;
mod network;
mod talk;
mod wire;

#[path = "../support/mod.rs"]
mod support;

use support::MUXNC;
use support::Process;
use support::Watched;
use support::installed;
use support::piped;

/// The page as it is embedded.
const PAGE: &str = include_str!("../../web/index.html");

/// Whether there is a browser.
#[track_caller]
fn has_browser() -> bool {
    installed(&["chromium", "chromedriver", "setpriv"])
}

/// A hub for browsers and others.
struct Hub {
    process: Process,
    /// Of nc and the others.
    port: u16,
    web: u16,
}

impl Hub {
    #[track_caller]
    fn start(args: &[&str]) -> Hub {
        Hub::start_at(0, args)
    }

    /// The same with this port for browsers.
    #[track_caller]
    fn start_at(web: u16, args: &[&str]) -> Hub {
        let web = format!("127.0.0.1:{web}");
        // The tests' wire leads here from another port.
        let own = [
            "-l",
            "127.0.0.1",
            "0",
            "-v",
            "--web",
            &web,
            "--web-origin",
            "127.0.0.1",
        ];
        let process = Process::start(piped(MUXNC, &own).args(args));
        let web = web_port(&process.stderr);
        let port = support::listening_port(&process.stderr);
        Hub { process, port, web }
    }
}

/// The port in `muxnc: listening for browsers on …`, which it waits for.
#[track_caller]
fn web_port(told: &Watched) -> u16 {
    port_after(told, "listening for browsers on ")
}

/// The port at the end of the address behind this, which it waits for.
#[track_caller]
fn port_after(told: &Watched, before: &str) -> u16 {
    let text = told.wait_until(before, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.split_once(before)
            .is_some_and(|(_, after)| after.contains('\n'))
    });
    let text = String::from_utf8_lossy(&text).into_owned();
    let place = text.split(before).nth(1).unwrap();
    let place = place.split([' ', '\r', '\n']).next().unwrap();
    place.rsplit(':').next().unwrap().parse().expect(place)
}
