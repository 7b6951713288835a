//! What is asked of a hub that offers a file: its page, or the file itself (docs/WEB.md).
//!
//! It promises: what is not asked for exactly as it has to be is refused with a sentence that says why.

use super::answer::Refusal;
use super::answer::Status;
use super::origin::Origins;
use super::request;
use super::request::Head;
use super::request::SOCKET;

/// Where the file is.
pub const FILE: &str = "/file";

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which of the two.
    pub what: What,
    /// Only the answer's head.
    pub head_only: bool,
    /// Which part of the file: the field `Range`.
    pub range: Option<String>,
    /// That part only if it is of the same file: the field `If-Range`.
    pub if_range: Option<String>,
    /// Anything only if it is the same file: the field `If-Match`.
    pub if_match: Option<String>,
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
    let what = match head.path {
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
        return Err(request::not_allowed());
    }
    if let Some(host) = head.host {
        origins.check_host(host)?;
    }
    let field = |name| Ok(head.fields.one(name)?.map(String::from));
    Ok(Wanted {
        what,
        head_only,
        range: field("range")?,
        if_range: field("if-range")?,
        if_match: field("if-match")?,
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
            if_range: None,
            if_match: None,
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
        let fields = "Range: bytes=7-\nif-range: \"x\"\nIf-Match: *\n\n";
        let part = Wanted {
            range: Some(String::from("bytes=7-")),
            if_range: Some(String::from("\"x\"")),
            if_match: Some(String::from("*")),
            ..file
        };
        let get = get.replace("\n\n", &format!("\n{fields}"));
        assert_eq!(ask(&get), Ok(Some(part)));
        assert_eq!(ask("GET / HTTP/1.0\n\n"), Ok(Some(plain)));
    }

    #[test]
    fn everything_else_is_refused() {
        for (head, status) in [
            ("GET /socket", Status::Unavailable),
            ("GET /other", Status::NotFound),
            ("GET /file/", Status::NotFound),
            ("POST /file", Status::MethodNotAllowed),
        ] {
            let refused = ask(&format!("{head} HTTP/1.1\nHost: 192.0.2.7:8080\n\n"));
            assert_eq!(refused.expect_err(head).status, status, "{head}");
        }
        let stranger = ask("GET /file HTTP/1.1\nHost: evil.example:8080\n\n");
        assert_eq!(stranger.expect_err("refused").status, Status::Forbidden);
        let twice =
            "GET /file HTTP/1.1\nHost: 192.0.2.7:8080\nRange: bytes=0-\nRange: bytes=1-\n\n";
        assert_eq!(ask(twice).expect_err("refused").status, Status::BadRequest);
    }
}
