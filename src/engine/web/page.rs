//! The page: one file, and what a browser may do with it (Content Security Policy, level 3).
//!
//! It promises: nothing runs in it but its own scripts, which are known by their digests, so that
//! nothing that is said in the class can run.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;
use sha2::Sha256;

use super::answer::Answer;
use super::answer::Status;
use super::answer::answer;
use super::date::Date;

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Page {
    html: &'static str,
    policy: Policy,
}

impl Page {
    /// One whose scripts and styles are in `<script>` and `<style>` without attributes.
    pub fn new(html: &'static str) -> Page {
        let policy = Policy::of(html);
        Page { html, policy }
    }

    /// The answer to a client that called the hub `host`.
    pub fn answer(&self, host: Option<&str>, now: Date) -> Answer {
        // Not all browsers take 'self' for a WebSocket's address, too.
        let sockets = match host {
            Some(host) => format!(" ws://{host} wss://{host}"),
            None => String::new(),
        };
        let fields = self.policy.fields(&format!("'self'{sockets}"));
        answer(Status::Ok, HTML, &fields, self.html.as_bytes(), now)
    }
}

/// What a page is.
pub const HTML: &str = "text/html; charset=utf-8";

/// What a browser may do with a page.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The sources of its scripts and styles.
    scripts: String,
    styles: String,
}

impl Policy {
    /// That of a page with these scripts and styles, whatever else is in it.
    pub fn of(html: &str) -> Policy {
        Policy {
            scripts: sources(html, "script"),
            styles: sources(html, "style"),
        }
    }

    /// The fields that tell it, and to what the page may connect.
    pub fn fields(&self, connect: &str) -> String {
        format!(
            "Content-Security-Policy: default-src 'none'; script-src{}; style-src{}; \
             connect-src {connect}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\n",
            self.scripts, self.styles,
        )
    }
}

/// What may be between those tags: the digests of what is.
fn sources(html: &str, tag: &str) -> String {
    let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
    let mut sources = String::new();
    let mut rest = html;
    while let Some((_, from)) = rest.split_once(&begin)
        && let Some((inside, after)) = from.split_once(&end)
    {
        let digest = STANDARD.encode(Sha256::digest(inside));
        sources.push_str(&format!(" 'sha256-{digest}'"));
        rest = after;
    }
    match sources.is_empty() {
        true => String::from(" 'none'"),
        false => sources,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_may_run_the_pages_own_scripts_and_nothing_else() {
        let page = Page::new("<style>p{}</style><script>a</script><p>x</p><script>b\n</script>");
        let answer = String::from_utf8(page.answer(Some("h:1"), Date::EPOCH).bytes(false)).unwrap();
        // printf a | openssl dgst -sha256 -binary | base64, and so on
        assert!(
            answer.contains(
                "Content-Security-Policy: default-src 'none'; \
             script-src 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=' \
             'sha256-AmOCmYm2/ZVPcrqvL8ZLwuLwHWktTecphuqAj26ZgT8='; \
             style-src 'sha256-"
            ),
            "{answer}"
        );
        assert!(
            answer.contains("connect-src 'self' ws://h:1 wss://h:1; "),
            "{answer}"
        );
        assert!(answer.contains("frame-ancestors 'none'\r\n"), "{answer}");
        assert!(
            answer.ends_with(
                "\r\n\r\n<style>p{}</style><script>a</script><p>x</p><script>b\n</script>"
            )
        );
        let head = String::from_utf8(page.answer(None, Date::EPOCH).bytes(true)).unwrap();
        assert!(
            head.ends_with("\r\n\r\n") && head.contains("Content-Length: 63\r\n"),
            "{head}"
        );
        assert!(head.contains("connect-src 'self'; "), "{head}");
    }
}
