//! What command lines mean, and which of them make no sense.

mod advice;

use super::*;
use crate::io::net::Family;

fn mode(line: &str) -> Result<Mode, Error> {
    let words = std::iter::once("muxnc").chain(line.split_whitespace());
    parse(words.collect::<Vec<_>>()).map(|(mode, _)| mode)
}

fn hub(line: &str) -> HubConfig {
    match mode(line) {
        Ok(Mode::Hub(config)) => config,
        other => panic!("{line}: {other:?}"),
    }
}

fn bind(line: &str) -> Bind {
    match hub(line).place {
        Some(Place::Inet(bind)) => bind,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn every_spelling_of_listening() {
    for line in [
        "-l 3000",
        "-l -p 3000",
        "-lp 3000",
        "-lvnp 3000",
        "3000 -l",
        "-p 3000 -l",
    ] {
        let bind = bind(line);
        assert_eq!((bind.host, bind.port), (None, 3000), "{line}");
    }
    for line in [
        "-l 127.0.0.1 3000",
        "127.0.0.1 3000 -l",
        "-l 127.0.0.1 -p 3000",
        "-l -s 127.0.0.1 3000",
        "--listen --source 127.0.0.1 --source-port 3000",
    ] {
        let bind = bind(line);
        assert_eq!(
            (bind.host.as_deref(), bind.port),
            (Some("127.0.0.1"), 3000),
            "{line}"
        );
    }
    assert_eq!(bind("-l 0").port, 0);
}

#[test]
fn what_needs_another_option_names_both() {
    for (line, told) in [
        (
            "-l --name Bob 3000",
            "--name: that means nothing without --chat\nAdd --chat.",
        ),
        (
            "-l --open-messages --broker 3000",
            "--open-messages: that means nothing without --chat",
        ),
        (
            "-l --ssl-key key 3000",
            "--ssl-key: that means nothing without --ssl-cert\nAdd --ssl-cert FILE.",
        ),
        (
            "--ssl-key key host 3000",
            "--ssl-key: that means nothing without --ssl-cert",
        ),
        (
            "--proxy-auth ana:secret host 3000",
            "--proxy-auth: that means nothing without --proxy",
        ),
        ("-l --proxy-auth ana:secret 3000", "--proxy-auth with -l"),
        ("--name Bob host 3000", "muxnc -l --chat --name NAME PORT"),
        ("-lu --name Bob 3000", "-u with --name"),
    ] {
        let error = mode(line).expect_err(line).to_string();
        let error = error.replace("\n  ", "\n");
        assert!(error.contains(told), "{line}: {error}");
    }
}

#[test]
fn a_chat_relays_and_its_operator_has_a_name() {
    let chat = hub("-l --chat 3000");
    assert!(chat.relay);
    let rules = chat.chat.expect("a chat");
    assert_eq!((&*rules.host, rules.welcome), ("host", None));
    assert!(!rules.open_messages);
    let named = hub("-l 3000 --chat --broker --name Bob");
    assert_eq!(named.chat.expect("a chat").host, "Bob");
    let open = hub("-l 3000 --chat --open-messages --welcome /help");
    let rules = open.chat.expect("a chat");
    assert_eq!(
        (rules.open_messages, rules.welcome.as_deref()),
        (true, Some("/help"))
    );
    assert_eq!(hub("-l 3000 --broker").chat, None);
}

#[test]
fn options_may_follow_the_positionals() {
    let Ok(Mode::Client {
        target: Target::Direct(remote),
        settings,
        ..
    }) = mode("localhost 80 -w 1.5m -C -q 2 -4")
    else {
        panic!("not a client");
    };
    assert_eq!(remote.limit, Duration::from_secs(90));
    assert_eq!(remote.family, Family::V4);
    assert_eq!(settings.quit_after, Some(Duration::from_secs(2)));
    assert!(settings.crlf && settings.half_close);
}

#[test]
fn nonsense_is_a_usage_error() {
    for line in [
        "",
        "localhost",
        "localhost 0",
        "localhost 0x",
        "localhost 99999",
        "localhost -5",
        "localhost -- -5",
        "localhost 80x",
        "localhost 80 81",
        "-l",
        "-l 80 -p 81 82",
        "-l 127.0.0.1 -s 127.0.0.1 80",
        "-l 80 -w 3",
        "-k localhost 80",
        "localhost:80",
        "-u -z localhost 80",
        "-u --ssl localhost 80",
        "-l -u --chat 80",
        "-x localhost:1080 localhost 80",
        "-l --once --broker 80",
        "-l --once --history 3 80",
        "-l --wait-for 0 80",
        "-l --wait-for 3 -m 2 80",
        "-l --wait-for 3 --once 80",
        "--wait-for 3 localhost 80",
        "-l --history 0 80",
        "--history 3 localhost 80",
        "-l --once --rate 10k 80",
        "-l --rate 0 80",
        "-l --rate 10x 80",
        "--rate 10k localhost 80",
        "-l -m 0 80",
        "-4 -6 localhost 80",
        "-w 0 localhost 80",
        "-w 5x localhost 80",
        "-l --stall-timeout 0 80",
        "--send-only --recv-only localhost 80",
        "-l 80 --proxy localhost",
        "localhost 80 --proxy-type socks5",
        "localhost 80 --proxy-auth a:b",
        "localhost 80 --proxy http://localhost",
        "localhost 80 --proxy localhost:0",
        "localhost 80 --proxy localhost --proxy-type socks6",
        "localhost 80 --proxy localhost --proxy-auth :b",
        "localhost 80 --proxy localhost --proxy-dns never",
        "--nonsense",
        "--transcript x localhost 80",
        "-l -o - -x - 80",
        "-U",
        "-lU",
        "-U @",
        "-U path 80",
        "-lU path 80",
        "-U -4 path",
        "-lU -6 path",
        "-U -s 127.0.0.1 path",
        "-lU -p 80 path",
        "-U path --proxy localhost",
        "-lU path --allow 192.0.2.1",
        "-lU path --max-per-host 1",
        "-e /bin/sh -l 80",
        "-l 80 -c sh",
        "-l 80 --sh-exec sh",
    ] {
        let error = mode(line).expect_err(line);
        assert!(error.is_usage(), "{line}: {error}");
    }
}

#[test]
fn programs_are_refused_with_a_reason() {
    for line in [
        "-l 80 -e /bin/sh",
        "-l 80 -c sh",
        "localhost 80 --lua-exec x",
    ] {
        let error = mode(line).expect_err(line).to_string();
        assert!(error.contains("must not become a shell"), "{error}");
    }
}

/// What was typed, what it is told, and what follows that. The second line is the one that advises.
#[test]
fn what_makes_no_sense_is_told_with_a_reason_and_a_way() {
    for (line, what, advice) in [
        // A port where a host is wanted.
        (
            "3000 3001",
            "two ports and no host",
            "muxnc HOST 3001. If the IPv4 address is meant, write 0.0.11.184.",
        ),
        (
            "-l 3000 3001",
            "two ports to listen on",
            "write 0.0.11.184.",
        ),
        (
            "-l -p 3000 3001",
            "two ports to listen on",
            "write 0.0.11.185.",
        ),
        (
            "-l -s 3000 3001",
            "a number alone is a port",
            "write 0.0.11.184.",
        ),
        (
            "--proxy 3128:80 -s 3000 192.0.2.7 80",
            "a number alone is a port",
            "write ",
        ),
        ("80 example.org", "host '80'", "muxnc example.org 80"),
        (
            "-l 3000 127.0.0.1",
            "host '3000'",
            "muxnc -l 127.0.0.1 3000",
        ),
        (
            "-l 127.0.0.1",
            "which port to listen on at 127.0.0.1 is missing",
            "muxnc -l 127.0.0.1 3000",
        ),
        // A port that an option took.
        (
            "-l -d 3999",
            "which port",
            "3999 was taken by -d, as its TIME. With a port behind that: muxnc -l -d 3999 PORT\n  nc's -d,",
        ),
        ("-ld 3999", "which port", "3999 was taken by -d,"),
        (
            "-l -m 3999",
            "which port",
            "3999 was taken by -m, as its N.",
        ),
        ("-l -i 3999", "which port", "nc's -i, a time between lines"),
        ("-l -q 3999", "which port", "3999 was taken by -q,"),
        (
            "-l -x 3999",
            "which port",
            "3999 was taken by -x, as its FILE.",
        ),
        (
            "-l --wait-for 30",
            "which port",
            "muxnc -l --wait-for 30 PORT",
        ),
        (
            "-l --wait-for 30 127.0.0.1",
            "which port",
            "30 was taken by --wait-for,",
        ),
        (
            "example.org -d 80",
            "host or port are missing",
            "muxnc -d 80 HOST PORT",
        ),
        (
            "-l",
            "which port to listen on is missing",
            "As in: muxnc -l 3000",
        ),
        // What cannot be typed together.
        (
            "-l --once -k 3000",
            "--once with -k: it serves one peer",
            "nc.traditional's -k",
        ),
        (
            "-l --once --web 8080 3000",
            "--once with --web",
            "Without --once",
        ),
        (
            "--explain --quiet 192.0.2.7 80",
            "--quiet with --explain: it says nothing",
            "Leave out",
        ),
        (
            "--recv-only --send-only 192.0.2.7 80",
            "move nothing",
            "-z looks",
        ),
        (
            "-l --ssl-servername x 3000",
            "--ssl-servername with -l",
            "--ssl-fingerprint SHA256 HOST PORT",
        ),
        ("-U -4 path", "-U with -4: a Unix socket", "Leave out"),
        // What is no value.
        ("-l --history x 3000", "a whole number from 1 on", "--help"),
        ("-l --wait-for 0 3000", "a whole number from 1 on", "--help"),
        (
            "-l --wait-for -3 3000",
            "a whole number from 1 on",
            "--help",
        ),
        ("-w -1 192.0.2.7 80", "a time is a number", "--help"),
        ("-l --events xml:f 3000", "write json:f,", "--help"),
        (
            "-n 127.0.0.1 http",
            "not a number",
            "With -n nothing is looked up",
        ),
        // What there is not.
        ("-A 192.0.2.7 80", "-A: there is no such option", "--help"),
        ("--http-proxy 192.0.2.7 80", "no such option", "--help"),
        (
            "-l --wiat-for 3 3000",
            "--wiat-for: there is no such option",
            "There is --wait-for.",
        ),
        ("-G 4 192.0.2.7 80", "Mac's", "-w TIME"),
    ] {
        let told = mode(line).expect_err(line);
        assert!(told.is_usage(), "{line}: {told}");
        let told = told.to_string();
        let (first, hint) = told.split_once("\n  ").unwrap_or((&told, ""));
        assert!(
            first.contains(what) && hint.contains(advice),
            "{line}: {told}"
        );
    }
    // What nc takes as an address, and no port can be.
    for host in ["2130706433", "0.0.11.184", "70000"] {
        assert!(mode(&format!("{host} 80")).is_ok(), "{host}");
    }
}

#[test]
#[cfg(feature = "web")]
fn browsers_need_a_port_of_their_own() {
    for line in ["-l --web 3000 3000", "-l --web 3000 127.0.0.1 3000"] {
        let told = mode(line).expect_err(line).to_string();
        assert!(told.contains("this hub listens on that port"), "{told}");
    }
    for line in [
        "-l --web 0 0",
        "-l --web 8080 3000",
        "-l --web 127.0.0.2:3000 127.0.0.1 3000",
    ] {
        assert!(mode(line).is_ok(), "{line}");
    }
}
