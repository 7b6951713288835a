//! Requests to a hub that offers a file: for its page, or the file itself (docs/WEB.md).
//!
//! It promises: a request that is not exactly as it has to be is refused with a sentence that says
//! why.

use super::answer::Methods;
use super::answer::Refusal;
use super::answer::Status;
use super::condition::Conditions;
use super::origin::Origins;
use super::request;
use super::request::Head;
use super::request::SOCKET;

/// Where the file is.
pub const FILE: &str = "/file";

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which of the two.
    pub what: What,
    /// Only the answer's head.
    pub head_only: bool,
    /// Which part of the file: the field `Range`.
    pub range: Option<String>,
    /// Under which conditions.
    pub conditions: Conditions,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The page that tells of the file.
    Page,
    /// The file.
    File,
}

/// Reads the head of a request. None: it is not whole.
///
/// # Errors
/// It is refused.
pub fn read(head: &[u8], origins: &Origins<'_>) -> Result<Option<Wanted>, Refusal> {
    request::understand(head, |head| wanted(head, origins))
}

fn wanted(head: &Head<'_>, origins: &Origins<'_>) -> Result<Wanted, Refusal> {
    let what = match head.target.path {
        "/" => What::Page,
        FILE => What::File,
        SOCKET => {
            let why = "this hub offers a file, and there is no room to join: see its page /";
            return Err(Refusal::new(Status::Unavailable, why));
        }
        _ => {
            let why = "there is nothing but / and /file";
            return Err(Refusal::new(Status::NotFound, why));
        }
    };
    let head_only = head.method == "HEAD";
    if !head_only && head.method != "GET" {
        return Err(request::not_allowed(Methods::GetAndHead));
    }
    head.check_host(origins)?;
    let fields = &head.fields;
    Ok(Wanted {
        what,
        head_only,
        range: fields.one("range")?.map(String::from),
        conditions: Conditions {
            if_match: fields.list("if-match"),
            if_none_match: fields.list("if-none-match"),
            // Two of them mean nothing (RFC 9110, sections 13.1.3 and 13.1.4).
            if_modified_since: fields.lone("if-modified-since"),
            if_unmodified_since: fields.lone("if-unmodified-since"),
            if_range: fields.one("if-range")?.map(String::from),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(head: &str) -> Result<Option<Wanted>, Refusal> {
        let names = [String::from("teacher.local")];
        let origins = Origins {
            local: "192.0.2.7:8080".parse().unwrap(),
            is_secure: false,
            names: &names,
            allowed: &[],
        };
        read(head.replace('\n', "\r\n").as_bytes(), &origins)
    }

    #[test]
    fn the_page_or_the_file_is_wanted() {
        let plain = Wanted {
            what: What::Page,
            head_only: false,
            range: None,
            conditions: Conditions::default(),
        };
        let get = "GET / HTTP/1.1\nHost: teacher.local:8080\n\n";
        assert_eq!(ask(get), Ok(Some(plain.clone())));
        assert_eq!(ask("GET /file HTTP/1.1\nHost: 192"), Ok(None));
        let file = Wanted {
            what: What::File,
            ..plain.clone()
        };
        let get = get.replace("GET / ", "GET /file?x=1 ");
        assert_eq!(ask(&get), Ok(Some(file.clone())));
        let head = Wanted {
            head_only: true,
            ..file.clone()
        };
        assert_eq!(ask(&get.replace("GET", "HEAD")), Ok(Some(head)));
        let fields = "Range: bytes=7-\nif-range: \"x\"\nIf-Match: *\nIf-None-Match: \"y\"\n\
                      IF-NONE-MATCH: \"z\" \nIf-Modified-Since: a\nIf-Unmodified-Since: b\n\
                      If-Unmodified-Since: c\n\n";
        let text = |text: &str| Some(String::from(text));
        let part = Wanted {
            range: text("bytes=7-"),
            conditions: Conditions {
                if_match: text("*"),
                if_none_match: text("\"y\",\"z\""),
                if_modified_since: text("a"),
                if_unmodified_since: None,
                if_range: text("\"x\""),
            },
            ..file
        };
        let get = get.replace("\n\n", &format!("\n{fields}"));
        assert_eq!(ask(&get), Ok(Some(part)));
        assert_eq!(ask("GET / HTTP/1.0\n\n"), Ok(Some(plain.clone())));
        let url = "GET http://teacher.local:8080 HTTP/1.1\nHost: evil.example\n\n";
        assert_eq!(ask(url), Ok(Some(plain)));
    }

    #[test]
    fn everything_else_is_refused() {
        for (head, status) in [
            ("GET /socket", Status::Unavailable),
            ("GET /other", Status::NotFound),
            ("GET /file/", Status::NotFound),
            ("POST /file", Status::MethodNotAllowed(Methods::GetAndHead)),
        ] {
            let refused = ask(&format!("{head} HTTP/1.1\nHost: 192.0.2.7:8080\n\n"));
            assert_eq!(refused.expect_err(head).status, status, "{head}");
        }
        for (target, host) in [
            ("/file", "evil.example:8080"),
            ("http://evil.example:8080/file", "192.0.2.7:8080"),
        ] {
            let refused = ask(&format!("GET {target} HTTP/1.1\nHost: {host}\n\n"));
            assert_eq!(refused.expect_err("refused").status, Status::Forbidden);
        }
        let twice =
            "GET /file HTTP/1.1\nHost: 192.0.2.7:8080\nRange: bytes=0-\nRange: bytes=1-\n\n";
        assert_eq!(ask(twice).expect_err("refused").status, Status::BadRequest);
    }
}
