//! The page of `--web` in a real browser: Chromium, driven by chromedriver (on Debian: chromium and
//! chromium-driver). Where they are not installed the tests are left out, and say so.

#![cfg(feature = "web")]

mod class;
mod download;
mod driver;
mod log;
mod looks;
mod network;
mod seat;
mod talk;
mod wire;

#[path = "../support/mod.rs"]
mod support;

use std::process::Stdio;

use support::MUXNC;
use support::Process;
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
        Hub::start_with(Stdio::piped(), web, args)
    }

    /// The same with another standard input than an open pipe.
    #[track_caller]
    fn start_with(stdin: impl Into<Stdio>, web: u16, args: &[&str]) -> Hub {
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
        let hub = support::Hub::start_command(piped(MUXNC, &own).args(args).stdin(stdin));
        let support::Hub { process, port } = hub;
        let web = support::web_port(&process.stderr);
        Hub { process, port, web }
    }
}
