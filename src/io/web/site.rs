//! The site: what browsers are served, and by which names the hub may be called.

use std::net::SocketAddr;

use crate::engine::web::origin::Origins;
use crate::engine::web::page::Page;
use crate::engine::web::qr;
use crate::io::error::Error;

/// What a browser loads first.
const PAGE: &str = include_str!("../../../web/index.html");

/// See the module's documentation.
#[derive(Debug)]
pub struct Site {
    pub(super) page: Page,
    serves: Serves,
    names: Vec<String>,
    allowed: Vec<String>,
    is_secure: bool,
}

/// What there is for a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// The room, and the page by which it is joined.
    Room,
    /// A file.
    File,
}

impl Site {
    /// That of a hub which listens on `host`, if that is one; also called as the operator `allowed`.
    ///
    /// # Errors
    /// Only in a build without the feature `web`.
    pub fn new(host: Option<&str>, allowed: &[String], is_secure: bool) -> Result<Site, Error> {
        let mut names: Vec<String> = host.map(String::from).into_iter().collect();
        if let Ok(name) = rustix::system::uname().nodename().to_str() {
            // As other machines on the link know it (RFC 6762).
            let first = name.split('.').next().unwrap_or(name);
            names.push(format!("{first}.local"));
            names.push(name.into());
        }
        Ok(Site {
            page: Page::new(PAGE),
            serves: Serves::Room,
            names,
            allowed: allowed.to_vec(),
            is_secure,
        })
    }

    /// There is a file to download instead of a room.
    pub fn offer_file(&mut self) {
        self.serves = Serves::File;
    }

    /// What there is.
    pub fn serves(&self) -> Serves {
        self.serves
    }

    /// The names by which a client that connected to `local` may call it.
    pub(super) fn origins(&self, local: SocketAddr) -> Origins<'_> {
        Origins {
            local,
            is_secure: self.is_secure,
            names: &self.names,
            allowed: &self.allowed,
        }
    }
}

/// A QR code of an address, as rows for a terminal; none if it is too long for that.
pub fn invitation(address: &str) -> Option<Vec<String>> {
    qr::rows(address)
}
