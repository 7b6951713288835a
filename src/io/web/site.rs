//! The site: what browsers are served, and by which names the hub may be called.

use std::net::SocketAddr;

use crate::engine::web::answer::Answer;
use crate::engine::web::answer::Refusal;
use crate::engine::web::answer::Status;
use crate::engine::web::origin::Origins;
use crate::engine::web::page::Page;
use crate::engine::web::qr;
use crate::io::clock;
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
    /// The port at which others than browsers join, if there is one.
    port_of_others: Option<u16>,
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
            port_of_others: None,
        })
    }

    /// There is a file to download instead of a room.
    pub fn offer_file(&mut self) {
        self.serves = Serves::File;
    }

    /// Others than browsers join at that port.
    pub fn point_others_to(&mut self, port: u16) {
        self.port_of_others = Some(port);
    }

    /// What there is.
    pub fn serves(&self) -> Serves {
        self.serves
    }

    /// The answer to a client that is refused and connected to `local`. Whoever sent no request as it has to
    /// be may have come to the wrong place, and is told what is here, in the same words whatever that was.
    pub(super) fn refuse(&self, refusal: &Refusal, local: SocketAddr) -> Answer {
        let now = clock::date();
        if refusal.status != Status::BadRequest {
            return refusal.answer(now);
        }
        let scheme = if self.is_secure { "https" } else { "http" };
        // An address as in a URL has no scope.
        let page = SocketAddr::new(local.ip().to_canonical(), local.port());
        // A port at which a file is handed out is closed when that begins.
        let port = self.port_of_others.filter(|_| self.serves == Serves::Room);
        let others = match (port, self.is_secure) {
            (None, _) => String::new(),
            (Some(port), false) => format!(", nc and muxnc join at port {port}"),
            (Some(port), true) => format!(", muxnc --ssl joins at port {port}"),
        };
        let why = &refusal.why;
        let told = format!("{why}; this port is for browsers ({scheme}://{page}/){others}");
        Refusal::new(Status::BadRequest, told).answer(now)
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
