//! A muxnc that was built without the web: the command line's `--web` is refused, and no value of these
//! types exists.

use crate::io::error::Error;

/// Would be what browsers are served.
#[derive(Debug)]
pub enum Site {}

impl Site {
    #[allow(missing_docs, reason = "see site.rs, which this stands for")]
    #[allow(clippy::missing_errors_doc, reason = "the same")]
    pub fn new(_: Option<&str>, _: &[String], _: bool) -> Result<Site, Error> {
        Err(Error::usage(
            "--web",
            "this muxnc was built without the web",
        ))
    }

    #[allow(missing_docs, reason = "see site.rs, which this stands for")]
    pub fn offer_file(&mut self) {}

    #[allow(missing_docs, reason = "see site.rs, which this stands for")]
    pub fn point_others_to(&mut self, _: u16) {}
}

/// Would be a file to download.
#[derive(Debug)]
pub enum Offered {}

impl Offered {
    /// There is none.
    pub fn stdin() -> Option<Offered> {
        None
    }

    #[allow(missing_docs, reason = "see offered.rs, which this stands for")]
    pub fn remaining(&self) -> u64 {
        match *self {}
    }
}

/// No code is drawn.
pub fn invitation(_: &str) -> Option<Vec<String>> {
    None
}
