//! What participants ask for: who reads what of it, and what it costs.

use std::time::Duration;

use proptest::prelude::*;

use super::super::tests::Class;
use super::COLUMNS;
use crate::engine::chat::Rules;
use crate::engine::lines::MAX_LINE;
use crate::engine::room::ANSWERS;
use crate::engine::room::ONE_ANSWER;
use crate::engine::room::TimeOfDay;
use crate::engine::room::backpressure::MAX_ANSWERS;
use crate::engine::screen::Surface;

/// From one turn to the next.
const TURN: Duration = Duration::from_millis(1);

#[test]
fn what_is_said_to_one_alone_is_read_by_that_one() {
    let mut class = Class::by(Rules::of("host"));
    let (ana, ben, cem) = (class.join(), class.join(), class.join());
    class.heard(ana, "/nick Ana\n");
    for key in [ana, ben, cem] {
        class.reads(key);
    }
    class.shown();
    class.minutes();
    class.heard(ben, "before\n/MSG ana, psst\n /msg Ana <b>\nafter\n");
    assert_eq!(
        class.reads(ana),
        "<user2> before\n<user2, to you alone> psst\n<user2, to you alone> <b>\n<user2> after\n"
    );
    assert_eq!(
        class.reads(ben),
        "* only Ana was told\n* only Ana was told\n"
    );
    assert_eq!(class.reads(cem), "<user2> before\n<user2> after\n");
    assert_eq!(
        class.shown(),
        "<user2> before\n* user2 said something to Ana alone\n\
         * user2 said something to Ana alone\n<user2> after\n"
    );
    assert_eq!(
        class.minutes(),
        "user2 said before\n; user2 asked /msg Ana; user2 asked /msg Ana; user2 said after\n; "
    );
    let told = class.room.take_told();
    assert!(told.contains(&ana) && told.contains(&ben) && !told.contains(&cem));
    class.heard(ben, "/msg Bob psst\n/msg user2 psst\n/msg muxnc psst\n");
    let refused = class.reads(ben);
    assert_eq!(
        refused,
        "* nobody here is called Bob: /names lists everybody\n* that is you\n\
         * nobody here is called muxnc: /names lists everybody\n"
    );
    class.heard(ben, "/msg host a question\n");
    assert_eq!(class.reads(ben), "* only host was told\n");
    assert_eq!(class.shown(), "<user2, to you alone> a question\n");
    assert!(class.minutes().ends_with("asked /msg host a question; "));
    class.room.relay(false, class.now);
    class.reads(ben);
    class.heard(ben, "/msg Ana psst\n/msg host psst\n");
    assert_eq!(
        class.reads(ben),
        "* only host hears you now\n* only host was told\n"
    );
    assert!(!class.reads(ana).contains("psst"));
    // Who left is not told, though it is still in the room.
    class.room.relay(true, class.now);
    class.room.depart(ana, class.now);
    class.reads(ben);
    class.heard(ben, "/msg Ana psst\n");
    assert!(class.reads(ben).contains("nobody here is called Ana"));
}

/// A `/msg` may be typed or pasted behind what was left on the line.
#[test]
fn what_may_be_for_one_alone_is_not_in_the_minutes() {
    let asked = |line: &str, open_messages| {
        let mut class = Class::by(Rules {
            open_messages,
            ..Rules::of("host")
        });
        let (ana, ben) = (class.join(), class.join());
        class.heard(ana, "/nick Ana\n");
        class.minutes();
        class.heard(ben, format!("{line}\n"));
        (class.minutes(), class.reads(ben))
    };
    let refused = "* that may be for one alone, and was not said: /msg NAME TEXT\n";
    for left in [
        "/nick ",
        "/nick x",
        "/names ",
        "/help ",
        "/me ",
        "/msg host ",
        "/msg host x",
        "/mgs ",
    ] {
        for meant in ["/msg Ana psst", "\\msg Ana psst", "^[[A/msg Ana psst"] {
            let line = format!("{left}{meant}");
            let (minutes, answer) = asked(&line, false);
            match left.starts_with("/msg") {
                true => assert_eq!(minutes, "user2 asked /msg host; ", "{line}"),
                false => assert_eq!(minutes, "user2 asked ?; ", "{line}"),
            }
            let is_known = !left.starts_with("/m") || left == "/me ";
            assert_eq!(answer.ends_with(refused), is_known, "{line}: {answer}");
        }
    }
    assert_eq!(asked("/nick msg", false).0, "user2 asked /nick msg; ");
    let line = "/msg host /msg Ana psst";
    assert_eq!(asked(line, true).0, format!("user2 asked {line}; "));
}

#[test]
fn with_open_messages_the_operator_reads_them() {
    let mut class = Class::by(Rules {
        open_messages: true,
        ..Rules::of("Bob")
    });
    let (ana, ben) = (class.join(), class.join());
    class.reads(ana);
    class.shown();
    class.heard(ben, "/msg user1 psst\n/msg host hm\n");
    assert_eq!(class.reads(ana), "<user2, to you alone> psst\n");
    assert_eq!(
        class.shown(),
        "<user2, to user1 alone> psst\n<user2, to you alone> hm\n"
    );
    assert_eq!(
        class.minutes(),
        "user2 asked /msg user1 psst; user2 asked /msg Bob hm; "
    );
    assert!(class.reads(ben).contains("* only Bob was told"));
}

#[test]
fn requests_are_answered_and_not_said() {
    let mut class = Class::by(Rules {
        welcome: Some("say /help\u{202e}".into()),
        ..Rules::of("host")
    });
    let (ana, ben) = (class.join(), class.join());
    assert_eq!(
        class.reads(ana),
        "* say /help<U+202E>\n* user1 joined\n* user2 joined\n"
    );
    assert_eq!(
        class.reads(ben),
        "* say /help<U+202E>\n* user2 joined\n",
        "the welcome is first"
    );
    class.shown();
    for (asked, told) in [
        (
            "/help",
            "* /nick NAME: be called NAME\n* /msg NAME TEXT: say TEXT to NAME alone\n\
             * /me TEXT: say what you do\n* /names: who is here\n* /help: this list\n",
        ),
        ("/names", "* here: host, user1, user2\n"),
        (
            "/shrug it",
            "* /shrug is no command, and was not said: /help lists them\n",
        ),
        ("/me", "* that is written /me TEXT\n"),
        ("/msg Ana", "* that is written /msg NAME TEXT\n"),
        (
            "\\msg user2 psst",
            "* that may be for one alone, and was not said: /msg NAME TEXT\n",
        ),
    ] {
        class.heard(ana, format!("{asked}\n"));
        assert_eq!(class.reads(ana), told, "{asked}");
        assert_eq!(class.reads(ben), "", "{asked}");
        assert_eq!(class.shown(), "", "{asked}");
    }
    assert_eq!(
        class.minutes(),
        "user1 asked /help; user1 asked /names; user1 asked ?; user1 asked ?; user1 asked ?; \
         user1 asked ?; "
    );
    let said = "/etc/passwd\n/* code */\n//TODO\n/me *waves*\n";
    class.heard(ana, said);
    let told = "<user1> /etc/passwd\n<user1> /* code */\n<user1> //TODO\n<user1> **waves**\n";
    assert_eq!(class.reads(ben), told);
    assert_eq!(class.shown(), told);
    assert_eq!(class.minutes(), format!("user1 said {said}; "));
}

/// A line that is too long to be held is passed on in pieces: none of them is what the first is not.
#[test]
fn the_rest_of_a_request_is_not_said() {
    let mut class = Class::by(Rules::of("host"));
    let (ana, ben) = (class.join(), class.join());
    class.reads(ana);
    class.reads(ben);
    class.shown();
    class.minutes();
    let long = "x".repeat(MAX_LINE);
    class.heard(ana, format!("/msg user2 {long}"));
    class.heard(ana, format!("{long} psst\nsaid\n"));
    assert_eq!(class.reads(ben), "<user1> said\n");
    assert_eq!(
        class.reads(ana),
        "* that line is too long for one alone, and was not said\n"
    );
    assert_eq!(class.shown(), "<user1> said\n");
    assert_eq!(class.minutes(), "user1 asked /msg ?; user1 said said\n; ");
    // Nor is the rest of a line a request.
    class.heard(ana, format!("{long}/nick Eve\n"));
    assert_eq!(
        class.reads(ben),
        format!("<user1> {long}\n<user1> /nick Eve\n")
    );
    // What a muted one begins is not said when it is heard again.
    class.heard(ana, "/msg user2 ps");
    class.room.mute(ana, true, class.now);
    class.room.mute(ana, false, class.now);
    class.heard(ana, "st\nsaid\n");
    assert_eq!(class.reads(ben), "<user1> said\n");
    assert_eq!(class.reads(ana), "* you are muted: nobody was told\n");
    // But an end is one.
    class.heard(ana, "/msg user2 bye");
    class.room.leave(ana, class.now);
    assert_eq!(
        class.reads(ben),
        "<user1, to you alone> bye\n* user1 left\n"
    );
}

/// What comes before the sign and the letters may be longer than what is held.
#[test]
fn what_may_become_a_request_is_not_said() {
    let mut class = Class::by(Rules::of("host"));
    let (ana, ben) = (class.join(), class.join());
    class.reads(ben);
    for before in [" ", "-", "\u{200b}"] {
        for over in 0..5 {
            class.reads(ana);
            let before = before.repeat((MAX_LINE - over) / before.len());
            class.heard(ana, format!("{before}/msg user2 psst\n"));
            class.heard(ana, "said\n");
            let read = class.reads(ben);
            assert!(read.ends_with("<user1> said\n") && !read.contains("psst"));
            assert!(!class.reads(ana).is_empty());
        }
    }
    // What tells nothing to its end is said.
    class.heard(ana, "-".repeat(3 * MAX_LINE) + "\n");
    assert!(class.reads(ben).matches('-').count() == 3 * MAX_LINE);
}

/// A line comes in two reads, and between them the operator does something.
#[derive(Debug, Clone, Copy)]
enum Between {
    Mute,
    Unmute,
    MuteAndUnmute,
    UnmuteAndMute,
    Relay(bool),
}

proptest! {
    #[test]
    fn nobody_else_reads_anything_of_a_request_wherever_it_is_cut(
        line in prop::sample::select(vec![
            "/msg user2 psst", " /msg user2 psst", "/mgs user2 psst", "//msg user2 psst",
            "\u{200b}/msg user2 psst", "\x1b[A/msg user2 psst", "7msg 2 psst", ".msg 2 psst",
            "> /msg user2 psst", "\u{ff0f}msg user2 psst", "/ msg user2 psst", "msg 2 psst",
            "ь/msg user2 psst", "/Ana psst", "x\x1b[D\x1b[D/msg user2 psst",
        ]),
        cut in any::<prop::sample::Index>(),
        between in prop::sample::select(vec![
            Between::Mute, Between::Unmute, Between::MuteAndUnmute, Between::UnmuteAndMute,
            Between::Relay(false), Between::Relay(true),
        ]),
    ) {
        let mut class = Class::by(Rules::of("host"));
        let (ana, _ben, cem) = (class.join(), class.join(), class.join());
        let was_muted = matches!(between, Between::Unmute | Between::UnmuteAndMute);
        class.room.mute(ana, was_muted, class.now);
        if let Between::Relay(on) = between {
            class.room.relay(!on, class.now);
        }
        class.reads(cem);
        class.shown();
        let (first, second) = line.as_bytes().split_at(cut.index(line.len() + 1));
        class.heard(ana, first);
        match between {
            Between::Mute => drop(class.room.mute(ana, true, class.now)),
            Between::Unmute => drop(class.room.mute(ana, false, class.now)),
            Between::MuteAndUnmute => {
                class.room.mute(ana, true, class.now);
                class.room.mute(ana, false, class.now);
            }
            Between::UnmuteAndMute => {
                class.room.mute(ana, false, class.now);
                class.room.mute(ana, true, class.now);
            }
            Between::Relay(on) => class.room.relay(on, class.now),
        }
        class.heard(ana, second);
        class.heard(ana, "\n");
        let told = ["everybody hears each other again", "only host hears you now"];
        let read = class.reads(cem);
        let others = read.lines().filter(|line| !told.contains(&&line[2..]));
        prop_assert_eq!(others.count(), 0, "{}", read);
        let shown = class.shown();
        prop_assert!(!shown.contains("psst"), "{}", shown);
        class.room.mute(ana, false, class.now);
        class.room.relay(true, class.now);
        class.heard(ana, "said\n");
        prop_assert!(class.reads(cem).ends_with("<user1> said\n"));
    }
}

#[test]
fn who_is_told_things_and_never_reads_costs_little() {
    let mut class = Class::new(Surface::Stream, false, false);
    let (ana, ben) = (class.join(), class.join());
    let line = format!("/msg user1 {}\n", "x".repeat(300));
    for _ in 0..1000 {
        class.now += TURN;
        class.heard(ben, &line);
        class.shown();
        class.reads(ben);
    }
    assert!(class.room.owed(ana) < MAX_ANSWERS + 1000);
    class.heard(ben, &line);
    assert_eq!(
        class.reads(ben),
        "* too much waits for user1 already: not said\n"
    );
    let long = format!("/msg user1 {}\n", "x".repeat(MAX_ANSWERS as usize));
    class.reads(ana);
    class.heard(ben, &long);
    assert!(class.reads(ben).contains("too long"));
    class.heard(ben, &line);
    assert_eq!(class.reads(ben), "* only user1 was told\n");
}

#[test]
fn many_are_listed_in_part() {
    let mut class = Class::new(Surface::Stream, false, false);
    let keys: Vec<usize> = (0..600).map(|_| class.join()).collect();
    class.reads(keys[5]);
    class.heard(keys[5], "/names\n/names\n");
    let told = class.reads(keys[5]);
    assert!(told.starts_with("* here: host, user1, user2, "), "{told}");
    assert!(
        told.lines().all(|line| line.len() <= COLUMNS + 20),
        "{told}"
    );
    assert!(told.len() < 3 * 1024, "{told}");
    let last = told.lines().last().unwrap();
    let more: usize = last.split(' ').nth(2).unwrap().parse().unwrap();
    assert_eq!(told.matches("user").count(), 2 * (600 - more));
}

#[test]
fn how_much_was_not_answered_is_told_later() {
    let mut class = Class::new(Surface::Stream, false, false);
    let ana = class.join();
    class.reads(ana);
    class.heard(ana, "/help\n".repeat(1000));
    class.heard(ana, "/help\n".repeat(10));
    let answered = class.reads(ana).matches("/nick").count();
    class.now += TURN;
    class.heard(ana, "/names\n");
    let expected = format!(
        "* {} of your commands were too many at once, and not obeyed\n* here: host, user1\n",
        1010 - answered
    );
    assert_eq!(class.reads(ana), expected);
    class.heard(ana, "/names\n");
    assert_eq!(class.reads(ana), "* here: host, user1\n");
}

#[test]
fn who_asks_for_names_and_never_reads_costs_little() {
    let mut class = Class::new(Surface::Stream, false, false);
    let ana = class.join();
    for _ in 0..100 {
        class.now += TURN;
        class.heard(ana, "/nick 7\n".repeat(1000));
    }
    assert!(class.room.owed(ana) < MAX_ANSWERS + 300);
    assert!(!class.room.may_speak(ana));
    class.reads(ana);
    assert!(class.room.may_speak(ana));
}

#[test]
fn many_who_ask_for_names_and_never_read_cost_little_together() {
    const MEMBERS: usize = 2000;
    let mut class = Class::new(Surface::Stream, false, false);
    let keys: Vec<usize> = (0..MEMBERS).map(|_| class.join()).collect();
    for _ in 0..3 {
        class.now += TURN;
        for &key in &keys {
            class.heard(key, "/nick 7\n".repeat(200));
        }
    }
    let answers = class.room.journal.inserted_of_all();
    let most = ANSWERS + MAX_ANSWERS + ONE_ANSWER * MEMBERS as u64;
    assert!(answers < most, "{answers} bytes of answers");
    // Who takes its answers is heard, and answered, whatever the others do.
    let (last, all) = (keys[MEMBERS - 1], class.room.journal.inserted_of_all());
    assert!(!class.room.may_speak(last));
    class.reads(last);
    assert!(class.room.may_speak(last));
    class.now += TURN;
    class.heard(last, "/nick 7\n");
    assert!(class.reads(last).contains("you are still user2000"));
    for key in keys {
        class.room.leave(key, class.now);
    }
    assert!(all > class.room.journal.inserted_of_all());
    assert_eq!(class.room.journal.inserted_of_all(), 0);
    assert_eq!(class.room.journal.edits_of_all(), 0);
}

/// What a member asks for that never reads an answer.
const ASKED: [&str; 5] = [
    "/xyz\n",
    "/names\n",
    "/help\n",
    "/msg user1 x\n",
    "/nick 7\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Whatever the others ask for, say to one alone, and do not read.
    #[test]
    fn who_has_read_all_answers_gets_the_next_one(
        hogs in prop::sample::select(vec![1usize, 70, 400]),
        asked in prop::collection::vec(prop::sample::select(ASKED.to_vec()), 1..4),
        ours in prop::collection::vec((0..4usize, any::<bool>()), 1..8),
    ) {
        let mut class = Class::new(Surface::Stream, false, false);
        let hogs: Vec<usize> = (0..hogs).map(|_| class.join()).collect();
        let (ana, ben) = (class.join(), class.join());
        class.heard(ana, "/nick Ana\n");
        class.heard(ben, "/nick Ben\n");
        let most = ANSWERS + MAX_ANSWERS + ONE_ANSWER * (hogs.len() as u64 + 2);
        // Until none of them is heard any more, and then some.
        for turn in 0..60 {
            class.now += TURN;
            for (at, &hog) in hogs.iter().enumerate() {
                let asked = asked[(turn + at) % asked.len()];
                if class.room.may_speak(hog) {
                    class.heard(hog, asked.repeat(512 / asked.len()));
                }
            }
            class.shown();
            let held = class.room.journal.inserted_of_all();
            prop_assert!(held < most, "{held} bytes of answers, {most} at most");
            let (kind, asks_much) = ours[turn % ours.len()];
            class.reads(ana);
            class.reads(ben);
            if asks_much {
                // What has no answer then is told with the next one, which is no shorter for that.
                class.heard(ana, "/names\n".repeat(70));
                class.reads(ana);
                class.now += TURN;
            }
            let long = format!("/msg Ben {}", "x".repeat(1000));
            let (asked, answer) = [
                ("/names", "* here: host, user1"),
                ("/help", "* /help: this list\n"),
                ("/xyz", "* /xyz is no command, and was not said: /help lists them\n"),
                (&*long, "* only Ben was told\n"),
            ][kind];
            prop_assert!(class.room.may_speak(ana));
            class.heard(ana, format!("{asked}\n"));
            let got = class.reads(ana);
            prop_assert!(got.contains(answer), "{got:?} in turn {turn}, for {asked:?}");
            let heard = class.reads(ben).contains("<Ana, to you alone> xxx");
            prop_assert_eq!(heard, asked == long);
        }
        let heard = hogs.iter().filter(|&&hog| class.room.may_speak(hog)).count();
        prop_assert_eq!(heard, 0, "those who read nothing are read no further");
    }
}

/// Names that make the list as long as it may be: each is alone in its line.
#[test]
fn the_longest_answer_is_one() {
    let mut class = Class::new(Surface::Stream, false, true);
    let (hour, minute, second) = (23, 59, 59);
    class.room.set_time(TimeOfDay {
        hour,
        minute,
        second,
    });
    let keys: Vec<usize> = (0..100).map(|_| class.join()).collect();
    for (at, &key) in (0..).zip(&keys) {
        let letter = char::from_u32(0x4e00 + at).unwrap();
        let name: String = std::iter::repeat_n(letter, 13).collect();
        class.heard(key, format!("/nick {name}\n"));
    }
    let ana = keys[0];
    class.reads(ana);
    class.heard(ana, "/names\n".repeat(1000));
    class.reads(ana);
    class.now += TURN;
    class.heard(ana, "/names\n");
    let told = class.reads(ana);
    assert!(told.contains("too many at once"), "{told}");
    assert!(told.contains("* here: host"), "{told}");
    assert!(told.lines().count() > 20, "{told}");
    let len = told.len() as u64;
    assert!((1000..=ONE_ANSWER).contains(&len), "{len} bytes: {told}");
}

/// However cheap a request is to send, a turn does so many of one member and no more.
#[test]
fn a_turn_does_no_more_of_one_member_than_anybody_could_ask_for() {
    let mut class = Class::new(Surface::Stream, false, false);
    let (ana, ben) = (class.join(), class.join());
    class.reads(ana);
    class.heard(ana, "/nick Ana\n/nick Eva\n".repeat(1000));
    class.reads(ana);
    let renamed = class.reads(ben).matches(" is now ").count();
    assert!((100..1000).contains(&renamed), "{renamed}");
    class.now += TURN;
    class.heard(ana, "/names\n");
    let told = class.reads(ana);
    let count = 2000 - renamed;
    let untold = format!("* {count} of your commands were too many at once, and not obeyed\n");
    assert!(told.starts_with(&untold), "{told}");
}

/// Whoever asks is read in small pieces, so that all of it is done however much was sent at once.
#[test]
fn what_is_asked_for_at_once_is_done_piece_by_piece() {
    const COUNT: usize = 2000;
    let mut class = Class::new(Surface::Stream, false, false);
    let (ana, ben) = (class.join(), class.join());
    let mut sent = String::new();
    for count in 0..COUNT {
        sent += &format!("/msg user2 m{count}\n");
    }
    let (mut told, mut answered) = (0, 0);
    let mut left = &sent[..];
    while !left.is_empty() {
        class.now += TURN;
        assert!(class.room.may_speak(ana));
        let budget = class.room.read_budget(ana, class.now).unwrap();
        let (piece, rest) = left.split_at(budget.min(left.len()));
        class.heard(ana, piece);
        left = rest;
        class.shown();
        told += class.reads(ben).matches("to you alone> m").count();
        answered += class.reads(ana).matches("only user2 was told").count();
    }
    assert_eq!((told, answered), (COUNT, COUNT));
    // Who talks is soon read as before.
    for _ in 0..10 {
        class.now += TURN;
        let budget = class.room.read_budget(ana, class.now).unwrap();
        class.heard(ana, format!("{}\n", "x".repeat(budget - 1)));
        class.shown();
        class.reads(ben);
    }
    assert!(class.room.read_budget(ana, class.now).unwrap() > 4096);
}

#[test]
fn who_is_muted_is_answered_and_tells_nobody_anything() {
    let mut class = Class::new(Surface::Stream, false, false);
    let (ana, ben) = (class.join(), class.join());
    class.reads(ana);
    class.reads(ben);
    class.room.mute(ana, true, class.now);
    for line in ["/msg user2 psst\n", "/msg host psst\n", "/nick Ana\n"] {
        class.heard(ana, line);
        assert_eq!(
            class.reads(ana),
            "* you are muted: nobody was told\n",
            "{line}"
        );
    }
    class.heard(ana, "/names\n/shrug\nhi\n/me waves\n");
    assert_eq!(
        class.reads(ana),
        "* here: host, user1, user2\n* /shrug is no command, and was not said: /help lists them\n"
    );
    assert_eq!(class.reads(ben), "");
    class.room.mute(ana, false, class.now);
    class.heard(ana, "/msg user2 psst\n");
    assert_eq!(class.reads(ana), "* only user2 was told\n");
}
