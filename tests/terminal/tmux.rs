//! A hub in a terminal that everybody has: tmux, with a server of its own.

use std::process::Command;
use std::process::Output;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use crate::support::MUXNC;
use crate::support::Process;
use crate::support::eventually;
use crate::support::piped;

/// See the file's documentation.
pub(crate) struct Tmux {
    server: Process,
    socket: String,
}

impl Tmux {
    /// Starts a hub with these options in a window of 100 by 40.
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Tmux {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let socket = format!("muxnc-{}-{number}", std::process::id());
        // -D: it stays our child, and so ends with us.
        let mut command = piped("tmux", &["-L", &socket, "-f", "/dev/null", "-D"]);
        command.env_remove("STY");
        let tmux = Tmux {
            server: Process::start(&mut command),
            socket,
        };
        eventually("tmux", || tmux.tell(&["start-server"]).status.success());
        // The shell stays, so that an end is seen.
        let hub = format!("{MUXNC} -l {} 0; cat", args.join(" "));
        tmux.run(&["new-session", "-d", "-x", "100", "-y", "40", &hub]);
        tmux.run(&["set", "-g", "set-clipboard", "on"]);
        tmux
    }

    fn tell(&self, words: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        // -N: while ours is not there yet, none is started that would answer in its place and end at once.
        command.args(["-N", "-L", &self.socket]).args(words);
        command.env_remove("TMUX").output().unwrap()
    }

    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) {
        let done = self.tell(words);
        assert!(done.status.success(), "{words:?}: {done:?}");
    }

    #[track_caller]
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let done = self.tell(words);
        assert!(done.status.success(), "{words:?}: {done:?}");
        String::from_utf8(done.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// What is on the screen and in its history, each line of text as one.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        self.ask(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    #[track_caller]
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.run(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let mut pane = String::new();
        eventually(text, || {
            pane = self.text();
            pane.contains(text)
        });
        pane
    }

    #[track_caller]
    pub(crate) fn hub_port(&self) -> u16 {
        let pane = self.wait_for("IPv4 and IPv6");
        let (_, rest) = pane.split_once("listening on [::]:").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.tell(&["kill-server"]);
        let _ = self.server.child.wait();
    }
}
