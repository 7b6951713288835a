//! What is told: every notice is put into words, at every level, so that no number in one is forgotten.

use std::cell::Cell;
use std::sync::Once;

use log::Level;
use log::LevelFilter;
use log::Log;
use log::Metadata;
use log::Record;

thread_local! {
    /// How often the participant on this thread said that stdin is still open.
    static OF_AN_OPEN_STDIN: Cell<u32> = const { Cell::new(0) };
}

struct Notices;

impl Log for Notices {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        let is_warning = record.level() <= Level::Warn;
        if is_warning && record.target().starts_with("muxnc::client") {
            assert!(text.contains("stdin is still open"), "{text}");
            OF_AN_OPEN_STDIN.set(OF_AN_OPEN_STDIN.get() + 1);
        }
    }

    fn flush(&self) {}
}

/// A schedule begins on this thread.
pub(crate) fn begin() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Notices).expect("the only logger");
        log::set_max_level(LevelFilter::Trace);
    });
    OF_AN_OPEN_STDIN.set(0);
}

/// How often the participant on this thread said that stdin is still open.
pub(crate) fn of_an_open_stdin() -> u32 {
    OF_AN_OPEN_STDIN.get()
}
