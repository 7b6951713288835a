use super::*;

fn origins() -> Origins<'static> {
    Origins {
        local: "192.0.2.7:8080".parse().unwrap(),
        is_secure: false,
        names: &[],
        allowed: &[],
    }
}

fn ask(head: &str) -> Result<Option<Asked>, Refusal> {
    read(head.replace('\n', "\r\n").as_bytes(), &origins())
}

fn status(head: &str) -> Status {
    ask(head).expect_err(head).status
}

/// That of RFC 6455, section 1.3, with other fields in place of some.
fn upgrade(target: &str, changes: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("Host", "192.0.2.7:8080"),
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Origin", "http://192.0.2.7:8080"),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    format!("GET {target} HTTP/1.1\n{fields}\n")
}

#[test]
fn the_page_is_asked_for() {
    let page = || Asked::Page {
        host: Some(String::from("192.0.2.7:8080")),
    };
    let get = "GET / HTTP/1.1\nHost: 192.0.2.7:8080\n\n";
    assert_eq!(ask(get), Ok(Some(page())));
    assert_eq!(ask(&get.replace("GET / ", "GET /?x=1 ")), Ok(Some(page())));
    assert_eq!(ask(&get.replace("GET", "HEAD")), Ok(Some(page())));
    // Whoever links to it may: only a socket tells what is said.
    let linked = get.replace("\n\n", "\nOrigin: http://evil.example\n\n");
    assert_eq!(ask(&linked), Ok(Some(page())));
    let old = Asked::Page { host: None };
    assert_eq!(ask("GET / HTTP/1.0\n\n"), Ok(Some(old)));
    for end in 0..get.len() - 1 {
        assert_eq!(ask(&get[..end]), Ok(None), "{:?}", &get[..end]);
    }
    assert_eq!(status("GET / HTTP/1.1\n\n"), Status::BadRequest);
    assert_eq!(
        status(&get.replace("192.0.2.7", "evil.example")),
        Status::Forbidden
    );
    assert_eq!(
        status(&get.replace("Host", "Host: a\nHost")),
        Status::BadRequest
    );
    assert_eq!(
        status(&get.replace("GET / ", "GET /favicon.ico ")),
        Status::NotFound
    );
    for (method, target, methods) in [
        ("POST", "/", Methods::GetAndHead),
        ("POST", "/socket", Methods::Get),
        ("HEAD", "/socket", Methods::Get),
    ] {
        let asked = get.replace("GET / ", &format!("{method} {target} "));
        assert_eq!(status(&asked), Status::MethodNotAllowed(methods), "{asked}");
    }
    assert_eq!(status(&format!("{get}GET /")), Status::BadRequest);
    assert_eq!(status("what is a socket?\n\n"), Status::BadRequest);
    assert_eq!(status("\x16\x03\x01"), Status::BadRequest);
}

#[test]
fn a_whole_url_is_asked_for_and_counts_instead_of_the_host() {
    let page = |host: &str| {
        let host = Some(host.into());
        Ok(Some(Asked::Page { host }))
    };
    for (target, host) in [
        ("http://192.0.2.7:8080/", "192.0.2.7:8080"),
        ("HTTP://LOCALHOST:8080", "LOCALHOST:8080"),
        ("http://localhost:8080?x=1", "localhost:8080"),
    ] {
        // Whatever the field says, which has to be there all the same.
        for field in ["192.0.2.7:8080", "evil.example", ""] {
            let get = format!("GET {target} HTTP/1.1\nHost: {field}\n\n");
            assert_eq!(ask(&get), page(host), "{get}");
            assert_eq!(ask(&get.replace("GET", "HEAD")), page(host), "{get}");
        }
        let get = format!("GET {target} HTTP/1.0\n\n");
        assert_eq!(ask(&get), page(host));
        assert_eq!(status(&get.replace("1.0", "1.1")), Status::BadRequest);
    }
    for (target, expected) in [
        ("http://evil.example:8080/", Status::Forbidden),
        ("http://192.0.2.7/", Status::Forbidden),
        ("http://evil.example@localhost:8080/", Status::BadRequest),
        ("http://x:y@localhost:8080/", Status::BadRequest),
        ("http:///", Status::BadRequest),
        ("https://192.0.2.7:8080/", Status::Misdirected),
        ("ftp://192.0.2.7:8080/", Status::Misdirected),
        ("://192.0.2.7:8080/", Status::Misdirected),
        ("http://192.0.2.7:8080/other", Status::NotFound),
        ("http://192.0.2.7:8080#/", Status::NotFound),
        ("192.0.2.7:8080", Status::NotFound),
        ("*", Status::NotFound),
    ] {
        let get = format!("GET {target} HTTP/1.1\nHost: 192.0.2.7:8080\n\n");
        assert_eq!(status(&get), expected, "{target}");
    }
}

#[test]
fn a_socket_may_be_asked_for_by_its_url() {
    let get = upgrade("http://192.0.2.7:8080/socket?epoch=ab&token=cd&from=7", &[]);
    assert!(matches!(ask(&get), Ok(Some(Asked::Join(join))) if join.returning.is_some()));
    // The page of somebody who had a name lead here, and who names the hub's own in one place of two.
    for (target, host, origin) in [
        (
            "http://192.0.2.7:8080/socket",
            "evil.example:8080",
            "http://evil.example:8080",
        ),
        (
            "http://evil.example:8080/socket",
            "192.0.2.7:8080",
            "http://192.0.2.7:8080",
        ),
        (
            "http://localhost:8080/socket",
            "192.0.2.7:8080",
            "http://192.0.2.7:8080",
        ),
    ] {
        let get = upgrade(target, &[("Host", host), ("Origin", origin)]);
        assert_eq!(status(&get), Status::Forbidden, "{get}");
    }
}

#[test]
fn heads_have_limits() {
    let field = |n: usize| format!("a{n}: {}\n", "x".repeat(20));
    let lines = |count| (0..count).map(field).collect::<String>();
    let with = |more: &str| format!("GET / HTTP/1.1\nHost: 192.0.2.7:8080\n{more}\n");
    assert!(ask(&with(&lines(MAX_FIELDS - 1))).is_ok());
    assert_eq!(status(&with(&lines(MAX_FIELDS))), Status::TooLong);
    let long = |bytes| with(&format!("a: {}\n", "x".repeat(bytes)));
    assert!(ask(&long(MAX_HEAD - 60)).is_ok());
    assert_eq!(status(&long(MAX_HEAD)), Status::TooLong);
    assert_eq!(status(&"x".repeat(MAX_HEAD)), Status::TooLong);
}

#[test]
fn a_socket_is_asked_for() {
    let Ok(Some(Asked::Join(join))) = ask(&upgrade("/socket", &[])) else {
        panic!("{:?}", ask(&upgrade("/socket", &[])));
    };
    assert_eq!(join.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(join.returning, None);
    let target = "/socket?from=7&x=%20&epoch=ab&token=cd";
    let Ok(Some(Asked::Join(join))) = ask(&upgrade(target, &[("Origin", "")])) else {
        panic!("{:?}", ask(&upgrade(target, &[])));
    };
    let place = Returning {
        epoch: String::from("ab"),
        token: String::from("cd"),
        from: 7,
    };
    assert_eq!(join.returning, Some(place));
}

#[test]
fn what_is_no_upgrade_is_not_let_in() {
    for changes in [
        ("Upgrade", ""),
        ("Upgrade", "h2c"),
        ("Sec-WebSocket-Version", "8"),
        ("Sec-WebSocket-Version", ""),
    ] {
        let asked = ask(&upgrade("/socket", &[changes]));
        assert_eq!(asked, Ok(Some(Asked::Probe)), "{changes:?}");
    }
    for (changes, expected) in [
        (("Origin", "http://evil.example"), Status::Forbidden),
        (("Origin", "null"), Status::Forbidden),
        (("Host", "evil.example:8080"), Status::Forbidden),
        (("Host", ""), Status::BadRequest),
        (("Connection", "keep-alive"), Status::BadRequest),
        (("Sec-WebSocket-Key", ""), Status::BadRequest),
        (("Sec-WebSocket-Key", "dGhl"), Status::BadRequest),
        (
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"),
            Status::BadRequest,
        ),
        (("Content-Length", "3"), Status::BadRequest),
        (("Transfer-Encoding", "chunked"), Status::BadRequest),
    ] {
        assert_eq!(
            status(&upgrade("/socket", &[changes])),
            expected,
            "{changes:?}"
        );
    }
    for target in [
        "/socket?from=1",
        "/socket?epoch=a&token=b",
        "/socket?epoch=a&token=b&from=x",
        "/socket?epoch=a&token=b&from=1&from=2",
        "/socket?epoch=a&token=%00&from=1",
        "/socket?epoch=a&token=b&from=99999999999999999999",
    ] {
        assert_eq!(
            status(&upgrade(target, &[])),
            Status::BadRequest,
            "{target}"
        );
    }
    assert_eq!(status(&upgrade("/other", &[])), Status::NotFound);
}

#[test]
fn the_method_is_known_of_a_request_that_is_not_as_it_has_to_be() {
    for head in [
        &b"HEAD / HTTP/1.1\r\n\r\n"[..],
        b"\r\n\nHEAD nonsense",
        b"HEAD ",
    ] {
        assert!(is_head(head), "{head:?}");
    }
    for head in [
        &b"GET /HEAD HTTP/1.1\r\n\r\n"[..],
        b"HEADS / HTTP/1.1",
        b"head /",
        b"",
        b"\r\n",
    ] {
        assert!(!is_head(head), "{head:?}");
    }
}
