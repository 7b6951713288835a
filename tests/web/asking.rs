//! What is asked for in HTTP, and who is let in.

use crate::Hub;
use crate::Web;
use crate::ask;
use crate::support::Folder;
use crate::support::muxnc;
use crate::support::web_port;
use crate::upgrade;

fn page(port: u16) -> String {
    format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")
}

/// An answer but for its date, which it has.
fn undated(answer: &str) -> String {
    let (before, date) = answer.split_once("\r\nDate: ").expect("a date");
    let (date, after) = date.split_once("\r\n").expect("a line");
    assert!(date.ends_with(" GMT"), "{date}");
    format!("{before}\r\n{after}")
}

#[test]
fn the_page_is_served_and_runs_only_its_own_script() {
    let hub = Hub::start(&[]);
    let answer = ask(hub.web, &page(hub.web));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(body.starts_with("<!doctype html>"), "{body}");
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
        "{head}"
    );
    for field in [
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        "Content-Security-Policy: default-src 'none'; script-src 'sha256-",
    ] {
        assert!(head.contains(&format!("\r\n{field}")), "{head}");
    }
    assert!(
        !head.contains("Cookie") && !head.contains("unsafe"),
        "{head}"
    );
    let only_head = ask(hub.web, &page(hub.web).replace("GET", "HEAD"));
    assert_eq!(undated(&only_head), undated(&format!("{head}\r\n\r\n")));
}

#[test]
fn refusals_are_answers() {
    let hub = Hub::start(&[]);
    let port = hub.web;
    let other = page(port).replace("127.0.0.1", "evil.example");
    for (request, status) in [
        (
            page(port).replace("/ HTTP", "/etc/passwd HTTP"),
            "404 Not Found",
        ),
        (
            page(port).replace("GET", "DELETE"),
            "405 Method Not Allowed",
        ),
        (other, "403 Forbidden"),
        (
            upgrade(port, "/socket", &[("Origin", "http://evil.example")]),
            "403 Forbidden",
        ),
        (
            upgrade(port, "/socket", &[("Upgrade", "")]),
            "426 Upgrade Required",
        ),
        (
            upgrade(port, "/socket", &[("Sec-WebSocket-Key", "x")]),
            "400 Bad Request",
        ),
        (String::from("hello\r\n"), "400 Bad Request"),
        (
            page(port).replace(" / ", &format!(" http://evil.example:{port}/ ")),
            "403 Forbidden",
        ),
        (
            page(port).replace(" / ", &format!(" https://127.0.0.1:{port}/ ")),
            "421 Misdirected Request",
        ),
    ] {
        let answer = ask(port, &request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{answer}"
        );
    }
    for (method, target, allowed, why) in [
        ("DELETE", "/", "GET, HEAD", "only GET and HEAD are"),
        ("DELETE", "/socket", "GET", "only GET is"),
        ("HEAD", "/socket", "GET", ""),
    ] {
        let asked = page(port).replace("GET / ", &format!("{method} {target} "));
        let answer = ask(port, &asked);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("405 Method Not Allowed"), "{answer}");
        assert!(
            head.contains(&format!("\r\nAllow: {allowed}\r\n")),
            "{answer}"
        );
        let told = match why {
            "" => String::new(),
            why => format!("{why} understood here\n"),
        };
        assert_eq!(body, told);
    }
    hub.process
        .stderr
        .wait_for("(web) did not join: this hub is not called \"evil.example:");
    hub.process
        .stderr
        .wait_for("(web) did not join: the page of another site");
    // Nobody joined, and everybody may.
    assert!(!hub.process.stderr.text().contains(" joined"));
    assert!(hub.join().hello.contains(r#""you":1,"#));
}

/// As with nc, from a handout where the port is another's.
#[test]
fn who_is_in_the_wrong_place_is_told_where_to_go_and_nothing_that_it_said() {
    let hub = Hub::start(&[]);
    let alone = muxnc(&["-v", "-l", "--web", "127.0.0.1:0"]);
    let alone_web = web_port(&alone.stderr);
    let file = Folder::new("asking");
    std::fs::write(file.path("a.txt"), "a file").unwrap();
    let input = std::fs::File::open(file.path("a.txt")).unwrap();
    let handing_out = Hub::start_with(input, &["--wait-for", "2"]);
    for (port, others) in [
        (hub.web, format!(", nc and muxnc join at port {}", hub.port)),
        (alone_web, String::new()),
        (handing_out.web, String::new()),
    ] {
        let place = format!("; this port is for browsers (http://127.0.0.1:{port}/){others}\n");
        for request in [
            "hello\n",
            "hello, this is <b>Ana</b>\r\n",
            "\x16\x03\x01\x02\0\x01\0",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ] {
            let answer = ask(port, request);
            assert!(
                answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
                "{answer}"
            );
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            for field in [
                &format!("Content-Length: {}", body.len()),
                "Content-Type: text/plain; charset=utf-8",
                "Cache-Control: no-store",
                "X-Content-Type-Options: nosniff",
                "Connection: close",
            ] {
                assert!(head.contains(&format!("\r\n{field}")), "{head}");
            }
            assert!(body.ends_with(&place), "{body}");
            assert_eq!(body.matches('\n').count(), 1, "{body}");
            assert!(!body.contains("Ana") && !body.contains("hello"), "{body}");
        }
    }
}

#[test]
fn a_name_that_was_allowed_is_one_of_the_hubs() {
    let hub = Hub::start(&["--web-origin", "https://class.example.org/"]);
    let fields = [
        ("Host", "class.example.org"),
        ("Origin", "https://class.example.org"),
    ];
    let request = upgrade(hub.web, "/socket", &fields);
    Web::over(crate::connect(hub.web), &request);
}

#[test]
fn a_page_and_its_socket_are_found_by_their_urls() {
    let hub = Hub::start(&[]);
    let port = hub.web;
    let url = format!("http://localhost:{port}");
    // What the field says does not count, nor does it help.
    let by_url = page(port).replace(" / ", &format!(" {url}/ "));
    let answer = ask(port, &by_url.replace("127.0.0.1", "evil.example"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains(&format!(" ws://localhost:{port} ")),
        "{answer}"
    );
    let socket = format!("{url}/socket");
    let foreign = upgrade(port, &socket, &[("Origin", "http://evil.example")]);
    assert!(ask(port, &foreign).starts_with("HTTP/1.1 403 "));
    let own = upgrade(port, &socket, &[("Host", "evil.example"), ("Origin", &url)]);
    Web::over(crate::connect(port), &own);
}

#[test]
fn who_is_not_let_in_reads_why() {
    let hub = Hub::start(&["-m", "1"]);
    let probe = upgrade(hub.web, "/socket", &[("Upgrade", ""), ("Connection", "")]);
    assert!(ask(hub.web, &probe).starts_with("HTTP/1.1 426 "));
    let first = hub.join();
    for request in [&upgrade(hub.web, "/socket", &[]), &probe] {
        let answer = ask(hub.web, request);
        assert!(
            answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\r\nRetry-After: "), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\nfull, 1 are here already\n"),
            "{answer}"
        );
    }
    // The page is for everybody.
    assert!(ask(hub.web, &page(hub.web)).starts_with("HTTP/1.1 200 "));
    drop(first);
    hub.process.stderr.wait_for("(web) left");
    hub.join();
    let closed = Hub::start(&["--deny", "127.0.0.1"]);
    let answer = ask(closed.web, &upgrade(closed.web, "/socket", &[]));
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nyour address is not allowed here\n"),
        "{answer}"
    );
}

#[test]
fn browsers_alone_are_a_class_and_find_out_where_it_is() {
    let mut hub = muxnc(&["-v", "-l", "--web", "127.0.0.1:0"]);
    let port = web_port(&hub.stderr);
    hub.stderr
        .wait_for(&format!("to join: http://127.0.0.1:{port}/\n"));
    let mut web = Web::join(port);
    hub.type_in("hello\n");
    web.expect("hello\n");
}

#[test]
fn a_port_that_browsers_refuse_is_no_place_for_the_page() {
    for port in ["6667", "10080", "127.0.0.1:2049"] {
        let mut hub = muxnc(&["-l", "--web", port]);
        hub.expect_status(2);
        let told = hub.stderr.text();
        assert!(
            told.contains("browsers refuse to connect to that port"),
            "{told}"
        );
    }
    for (line, why) in [
        (
            &["-l", "--once", "--web", "8080"][..],
            "it serves one peer, and ends with it",
        ),
        (&["--web", "8080"], "that is for a hub, which listens"),
        (&["-l", "--web", ":8080"], "neither a port nor an address"),
        (
            &["-l", "--web", "::1:8080"],
            "neither a port nor an address",
        ),
        (
            &["-l", "3000", "--web-origin", "a.example"],
            "--web-origin: that means nothing without --web",
        ),
        (
            &["-l", "--web", "0", "--web-origin", "*"],
            "--web-origin '*': no browser calls a host so",
        ),
    ] {
        let mut hub = muxnc(line);
        hub.expect_status(2);
        let told = hub.stderr.text();
        assert!(told.contains(why), "{line:?}: {told}");
    }
}
