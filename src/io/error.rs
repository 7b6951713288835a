//! What went wrong, told so that the reader can act.
//!
//! Every error that ends the program is an [`Error`]: what was being done (with the address in
//! it), why it failed, and where there is something to do about it, a second line that says so.

use std::fmt;
use std::io;

/// A failure that ends the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    doing: String,
    why: String,
    hint: Option<String>,
    usage: bool,
}

impl Error {
    /// Failing at `doing` because of `why`.
    pub fn new(doing: impl Into<String>, why: impl Into<String>) -> Error {
        Error {
            doing: doing.into(),
            why: why.into(),
            hint: None,
            usage: false,
        }
    }

    /// Failing at `doing` because the system said so.
    pub fn system(doing: impl Into<String>, error: &io::Error) -> Error {
        Error::new(doing, why(error))
    }

    /// The terminal hung up.
    pub fn hung_up() -> Error {
        Error::new("read from the terminal", "it was closed")
    }

    /// A command line that makes no sense: `what` is wrong with it, `why`.
    pub fn usage(what: impl Into<String>, why: impl Into<String>) -> Error {
        Error {
            usage: true,
            ..Error::new(what, why)
        }
    }

    /// The same with a second line: what the user can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with the place that is to blame.
    pub fn at(self, place: impl fmt::Display) -> Error {
        Error {
            doing: format!("{place}: {}", self.doing),
            ..self
        }
    }

    /// The same failure of something larger: what was being done was only a part of `doing`.
    pub fn while_doing(self, doing: impl Into<String>) -> Error {
        Error {
            doing: doing.into(),
            ..self
        }
    }

    /// Why it failed, without what was being done and without a hint.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What the user can do.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The error of ours that one of the system's is about.
    pub fn within(error: &io::Error) -> Option<&Error> {
        error.get_ref()?.downcast_ref()
    }

    /// Whether the command line is to blame, not the network.
    pub fn is_usage(&self) -> bool {
        self.usage
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.why)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The system's reason in plain words: lower case, without the number. Of an error of ours within it, what failed and
/// why.
pub fn why(error: &io::Error) -> String {
    if let Some(Error { doing, why, .. }) = Error::within(error) {
        return format!("{doing}: {why}");
    }
    let text = error.to_string();
    let text = match text.find(" (os error ") {
        Some(end) => &text[..end],
        None => &text,
    };
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::from("unknown error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_why_and_what_to_do() {
        let refused = io::Error::from_raw_os_error(rustix::io::Errno::CONNREFUSED.raw_os_error());
        let error = Error::system("connect to 127.0.0.1:1", &refused).hint("nothing listens there");
        assert_eq!(
            error.to_string(),
            "connect to 127.0.0.1:1: connection refused\n  nothing listens there"
        );
        assert!(!error.is_usage());
    }
}
