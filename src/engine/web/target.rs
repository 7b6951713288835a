//! The target of a request (RFC 9112, section 3.2): a path, as a browser asks an origin for it, or
//! a whole URL, as it asks a proxy and may ask any server.
//!
//! It promises: a URL means what its path means on its own, for the host that it names.

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// What stands before the path of a URL.
    pub(super) site: Option<Site<'a>>,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
}

/// Whose a URL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Site<'a> {
    /// As `http`.
    pub(super) scheme: &'a str,
    /// What the field `Host` would say.
    pub(super) authority: &'a str,
}

impl<'a> Target<'a> {
    /// Takes one apart. A text that is neither a path nor a URL is taken for a path that does not
    /// exist.
    pub(super) fn of(text: &'a str) -> Target<'a> {
        let url = match text.starts_with('/') {
            true => None,
            false => text.split_once("://"),
        };
        let (site, rest) = match url {
            None => (None, text),
            Some((scheme, rest)) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (authority, rest) = rest.split_at(end);
                (Some(Site { scheme, authority }), rest)
            }
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Target {
            // The path of a URL may be left out (RFC 9110, section 4.2.3).
            path: match path {
                "" if site.is_some() => "/",
                path => path,
            },
            site,
            query,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_with_or_without_a_query() {
        for (text, path, query) in [
            ("/", "/", ""),
            ("/?", "/", ""),
            ("/socket?a=b?c", "/socket", "a=b?c"),
            ("//host/file", "//host/file", ""),
            ("/?u=http://host/", "/", "u=http://host/"),
            ("*", "*", ""),
            ("host:80", "host:80", ""),
            ("", "", ""),
        ] {
            let site = None;
            assert_eq!(Target::of(text), Target { site, path, query }, "{text}");
        }
    }

    #[test]
    fn a_url_names_a_host_and_means_what_its_path_means() {
        for (text, scheme, authority, path, query) in [
            ("http://host:80/file", "http", "host:80", "/file", ""),
            ("HTTPS://[::1]", "HTTPS", "[::1]", "/", ""),
            ("http://host?x=/y", "http", "host", "/", "x=/y"),
            ("http://host#x/y", "http", "host", "#x/y", ""),
            ("http:///file", "http", "", "/file", ""),
            ("http://a@host/", "http", "a@host", "/", ""),
            ("://host/", "", "host", "/", ""),
        ] {
            let site = Some(Site { scheme, authority });
            assert_eq!(Target::of(text), Target { site, path, query }, "{text}");
        }
    }
}
