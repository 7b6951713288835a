//! Chromium, driven over WebDriver (<https://www.w3.org/TR/webdriver2/>): the protocol is small, and so is
//! what the tests need of it, so that a request is written by hand.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::seat::Seat;
use crate::support::DEADLINE;
use crate::support::connect;

/// Enter, as WebDriver names keys that are no letters.
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const SHIFT: &str = "\u{e008}";
pub(crate) const UP: &str = "\u{e013}";
pub(crate) const DOWN: &str = "\u{e015}";
pub(crate) const TAB: &str = "\u{e004}";

/// A browser of its own, with one page.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _seat: Rc<Seat>,
}

/// Starts chromedriver, which ends with the test, whatever happens to that. Returns it and its port.
#[track_caller]
fn start_driver() -> (Child, u16) {
    let mut told = Vec::new();
    // It chooses a port for IPv4, wants the same one for IPv6, and ends if another program has that.
    for _ in 0..10 {
        let mut driver = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "chromedriver", "--port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start chromedriver");
        for line in BufReader::new(driver.stdout.take().unwrap()).lines() {
            let Ok(line) = line else { break };
            let port = line.split("successfully on port ").nth(1);
            if let Some(port) = port.and_then(|port| port.trim_end_matches('.').parse().ok()) {
                return (driver, port);
            }
            told.push(line);
        }
        driver.wait().expect("wait for chromedriver");
    }
    panic!("chromedriver has no port: {told:#?}");
}

impl Browser {
    /// A browser with a window of so many pixels, in a dark room or not.
    #[track_caller]
    pub(crate) fn start(width: u32, height: u32, is_dark: bool) -> Browser {
        let seat = Seat::take();
        let (driver, port) = start_driver();
        let mut browser = Browser {
            driver,
            port,
            session: String::new(),
            _seat: seat,
        };
        // In a container there is neither a sandbox nor much shared memory; and no page but ours.
        let options = json!({
            "args": [
                "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                "--no-proxy-server", "--remote-debugging-pipe",
            ],
        });
        let capabilities = json!({"alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }});
        let made = browser.send("POST", "/session", &json!({"capabilities": capabilities}));
        let id = made["sessionId"].as_str().expect("a session");
        browser.session = format!("/session/{id}");
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.devtools("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if is_dark { "dark" } else { "light" };
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.devtools("Emulation.setEmulatedMedia", &scheme);
        browser
    }

    /// The browser of a laptop whose page is on this port, and connected.
    #[track_caller]
    pub(crate) fn join(port: u16) -> Browser {
        let browser = Browser::start(900, 600, false);
        browser.open(port);
        browser.wait_state("open");
        browser
    }

    /// The same of a phone.
    #[track_caller]
    pub(crate) fn phone(port: u16) -> Browser {
        let browser = Browser::start(320, 568, true);
        browser.open(port);
        browser.wait_state("open");
        browser
    }

    /// Goes to the page on this port.
    #[track_caller]
    pub(crate) fn open(&self, port: u16) {
        self.visit(&format!("http://127.0.0.1:{port}/"));
    }

    /// Goes to a page; that nobody signed its certificate is no matter.
    #[track_caller]
    pub(crate) fn visit(&self, url: &str) {
        self.call("POST", "/url", &json!({"url": url}));
    }

    /// What a function's body returns in the page.
    #[track_caller]
    pub(crate) fn run(&self, script: &str, args: Value) -> Value {
        let call = json!({"script": script, "args": args});
        self.call("POST", "/execute/sync", &call)
    }

    /// The same of one whose last argument is a function to be called with the result.
    #[track_caller]
    pub(crate) fn run_async(&self, script: &str, args: Value) -> Value {
        let call = json!({"script": script, "args": args});
        self.call("POST", "/execute/async", &call)
    }

    /// An expression's value, in a page whose elements with an `id` are known by it.
    #[track_caller]
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}"), json!([]))
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn wait(&self, expression: &str) {
        let end = Instant::now() + DEADLINE;
        let script = format!("return Boolean({expression})");
        while self.run(&script, json!([])) != json!(true) {
            assert!(
                Instant::now() < end,
                "waited in vain for {expression}; the page:\n{}\nthe console: {:#}",
                self.value("document.body.innerText.slice(-2000)"),
                self.console()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the page is connected ("open"), or not ("lost", "over", …).
    #[track_caller]
    pub(crate) fn wait_state(&self, state: &str) {
        self.wait(&format!("document.body.dataset.state === {state:?}"));
    }

    /// Waits until a text is in the log.
    #[track_caller]
    pub(crate) fn wait_log(&self, text: &str) {
        self.wait(&format!("log.textContent.includes({})", json!(text)));
    }

    /// Waits until these lines are in the log, and no others. One's own line comes when the hub has it, which
    /// may be after others heard it.
    #[track_caller]
    pub(crate) fn expect_lines(&self, expected: &[&str]) {
        let end = Instant::now() + DEADLINE;
        let mut lines = self.lines();
        while lines != expected && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
            lines = self.lines();
        }
        assert_eq!(lines, expected);
    }

    /// What is in the log, line by line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.value("Array.from(log.children, line => line.textContent)");
        serde_json::from_value(lines).unwrap()
    }

    /// The text of the element with this `id`.
    #[track_caller]
    pub(crate) fn text(&self, id: &str) -> String {
        let text = self.value(&format!("document.getElementById({id:?}).textContent"));
        text.as_str().unwrap().to_owned()
    }

    /// Presses keys, letters and others, in the element with this `id`.
    #[track_caller]
    pub(crate) fn press(&self, id: &str, keys: &str) {
        let element = self.element(id);
        self.call(
            "POST",
            &format!("/element/{element}/value"),
            &json!({"text": keys}),
        );
    }

    /// Presses keys where the focus is.
    #[track_caller]
    pub(crate) fn keys(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]});
        self.call("POST", "/actions", &actions);
    }

    /// Clicks it.
    #[track_caller]
    pub(crate) fn click(&self, id: &str) {
        let element = self.element(id);
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types a line into the field "Message", and Enter.
    #[track_caller]
    pub(crate) fn say(&self, line: &str) {
        self.press("message", &format!("{line}{ENTER}"));
    }

    #[track_caller]
    fn element(&self, id: &str) -> String {
        let by = json!({"using": "css selector", "value": format!("#{id}")});
        let found = self.call("POST", "/element", &by);
        let (_, element) = found.as_object().unwrap().iter().next().unwrap();
        element.as_str().unwrap().to_owned()
    }

    /// Tells it something in the DevTools protocol.
    #[track_caller]
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let command = json!({"cmd": command, "params": parameters});
        self.call("POST", "/goog/cdp/execute", &command)
    }

    /// What the page's console got since it was last asked.
    #[track_caller]
    pub(crate) fn console(&self) -> Value {
        self.call("POST", "/se/log", &json!({"type": "browser"}))
    }

    /// Requires that nothing failed in the page, and that it tried nothing that it may not do.
    #[track_caller]
    pub(crate) fn expect_clean(&self) {
        let console = self.console();
        for entry in console.as_array().unwrap() {
            let told = entry["message"].as_str().unwrap();
            // That there is no connection, the page knows itself.
            let is_network = told.contains("WebSocket connection to")
                || told.contains("Failed to load resource");
            assert!(is_network, "{console:#}");
        }
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.send(method, &format!("{}{path}", self.session), body)
    }

    /// One request, and the value that it is answered with.
    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self
            .exchange(method, path, body)
            .expect("an answer of chromedriver");
        assert_eq!(status, 200, "{method} {path} {body}: {answer:#}");
        answer["value"].clone()
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
        let body = body.to_string();
        let mut stream = connect(self.port);
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let mut len = 0;
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                len = value.trim().parse().unwrap_or(0);
            }
        }
        let mut answer = vec![0; len];
        stream.read_exact(&mut answer)?;
        Ok((status.unwrap_or(0), serde_json::from_slice(&answer)?))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.exchange("DELETE", &self.session, &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
