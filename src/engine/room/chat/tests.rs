//! A chat without sockets: who reads what, from whom, and what names may do.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::announcements::ANNOUNCED_AFTER;
use super::*;
use crate::engine::chat::Rules;
use crate::engine::journal::SEGMENT;
use crate::engine::room::CLASS;
use crate::engine::room::HIGH_WATER;
use crate::engine::room::Label;
use crate::engine::room::Minute;
use crate::engine::room::Policy;
use crate::engine::rows::LINE;
use crate::engine::screen::Surface;

/// A chat without sockets, and the time it is there.
pub(super) struct Class {
    pub(super) room: Room,
    pub(super) now: Instant,
}

impl Class {
    pub(super) fn new(surface: Surface, color: bool, crlf: bool) -> Class {
        let mut room = Room::new(Policy {
            relay: true,
            surface,
            label: Label::Auto,
            color,
            ..Policy::PLAIN
        });
        room.open_chat(Chat::new(Rules::of("host"), crlf));
        Class {
            room,
            now: Instant::now(),
        }
    }

    /// One with these rules, whose minutes are kept.
    pub(super) fn by(rules: Rules) -> Class {
        let mut class = Class::new(Surface::Stream, false, false);
        class.room.open_chat(Chat::new(rules, false));
        class.room.keep_minutes();
        class
    }

    /// What is in the minutes since the last time.
    pub(super) fn minutes(&mut self) -> String {
        let mut text = String::new();
        self.room.take_minutes(|_, _, name, minute| {
            let (what, bytes) = match minute {
                Minute::Said(bytes) | Minute::Muted(bytes) => ("said", bytes),
                Minute::Asked(bytes) => ("asked", bytes),
            };
            let name = name.unwrap_or_default();
            text += &format!("{name} {what} {}; ", String::from_utf8_lossy(bytes));
        });
        text
    }

    pub(super) fn join(&mut self) -> usize {
        let key = self.room.vacant_key();
        self.room.join(key, self.now);
        // It stays, so everybody is told.
        self.now += ANNOUNCED_AFTER;
        self.room.announce_due(self.now);
        key
    }

    pub(super) fn heard(&mut self, key: usize, bytes: impl AsRef<[u8]>) {
        self.room.heard(key, bytes.as_ref(), self.now);
    }

    pub(super) fn typed(&mut self, bytes: impl AsRef<[u8]>) {
        self.room.typed(bytes.as_ref(), self.now);
    }

    /// What a member has not read yet.
    pub(super) fn reads(&mut self, key: usize) -> String {
        let mut got = Vec::new();
        while self.room.owed(key) > 0 {
            let taken = self.room.flush(key, self.now, |slices| {
                slices.iter().for_each(|slice| got.extend_from_slice(slice));
                Ok(slices.iter().map(|slice| slice.len()).sum())
            });
            taken.expect("nothing that could fail");
        }
        String::from_utf8(got).expect("text")
    }

    pub(super) fn shown(&mut self) -> String {
        let mut shown = Vec::new();
        while !self.room.screen().is_empty() {
            let front = self.room.screen().front().to_vec();
            self.room.screen_mut().consume(front.len());
            shown.extend(front);
        }
        // Where a label ends is for those who draw rows.
        shown.retain(|&byte| byte != LINE);
        String::from_utf8(shown).expect("text")
    }
}

#[test]
fn everybody_reads_who_said_it_and_nobody_reads_itself() {
    let mut class = Class::new(Surface::Stream, false, false);
    let (ana, ben) = (class.join(), class.join());
    class.heard(ana, "one\n\nthr");
    class.heard(ana, "ee\r\n");
    class.typed("hel");
    class.typed("lo\nworld\n");
    assert_eq!(
        class.reads(ana),
        "* user1 joined\n* user2 joined\n<host> hello\n<host> world\n"
    );
    assert_eq!(
        class.reads(ben),
        "* user2 joined\n<user1> one\n<user1> \n<user1> three\n<host> hello\n<host> world\n"
    );
    assert_eq!(
        class.shown(),
        "* user1 joined\n* user2 joined\n<user1> one\n<user1> \n<user1> three\n"
    );
}

#[test]
fn a_lone_speaker_is_labelled_and_held_to_the_end_of_its_line() {
    let mut class = Class::new(Surface::Stream, false, false);
    let ana = class.join();
    class.heard(ana, "half");
    assert_eq!(class.shown(), "* user1 joined\n");
    assert!(class.room.may_speak(ana));
    class.heard(ana, " a line\n");
    assert_eq!(class.shown(), "<user1> half a line\n");
}

#[test]
fn whoever_leaves_in_the_middle_of_a_line_ends_it() {
    let mut class = Class::new(Surface::Stream, false, true);
    let (ana, ben) = (class.join(), class.join());
    class.typed("unfinished");
    class.heard(ana, "my last w");
    class.heard(ben, "held");
    class.reads(ben);
    class.room.leave(ana, class.now);
    assert_eq!(class.reads(ben), "<user1> my last w\r\n* user1 left\r\n");
    class.room.typed_end(class.now);
    assert_eq!(class.reads(ben), "<host> unfinished\r\n");
    assert!(
        class.shown().ends_with("<user1> my last w\n* user1 left\n"),
        "what the one who stays began waits for its end"
    );
}

#[test]
fn names_are_announced_to_all_and_refusals_told_to_one() {
    let mut class = Class::new(Surface::Terminal, true, false);
    let (ana, ben) = (class.join(), class.join());
    class.reads(ana);
    class.reads(ben);
    class.heard(ana, "before\n/nick Ana\nafter\n");
    assert_eq!(class.reads(ana), "* user1 is now Ana\n");
    assert_eq!(
        class.reads(ben),
        "<user1> before\n* user1 is now Ana\n<Ana> after\n"
    );
    class.heard(ben, "/nick ana\n/nick\nplain\n");
    let refused = class.reads(ben);
    let refused: Vec<&str> = refused.lines().collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused
            .iter()
            .all(|line| line.starts_with("* you are still user2: "))
    );
    assert_eq!(class.reads(ana), "<user2> plain\n");
    assert!(
        class.room.name(ben, "Ana", class.now).is_err(),
        "nor does the operator make two alike"
    );
    for _ in 0..2 {
        assert_eq!(class.room.name(ben, "Ben", class.now), Ok(()));
    }
    assert_eq!(class.reads(ana), "* user2 is now Ben\n");
    assert_eq!(
        class.shown(),
        "\x1b[1;31m<user1>\x1b[0m before\n* user1 is now Ana\n\x1b[1;31m<Ana>\x1b[0m after\n\
         \x1b[1;32m<user2>\x1b[0m plain\n* user2 is now Ben\n",
        "who came is told by the notices there"
    );
    class.room.leave(ana, class.now);
    assert!(
        class.room.name(ben, "Ana", class.now).is_ok(),
        "the name is free again"
    );
}

/// Whether what a member of three says is said to the others, of whom one is called Ben, and the last user3.
fn is_said(class: &mut Class, line: &str) -> bool {
    let (ana, cem) = (0, 2);
    class.reads(ana);
    class.reads(cem);
    class.heard(ana, format!("{line}\n"));
    let is_said = class.reads(cem).contains("<user1> ");
    let is_answered = class.reads(ana).contains("* ");
    assert_ne!(is_said, is_answered, "{line}");
    is_said
}

fn class_of_three() -> Class {
    let mut class = Class::new(Surface::Stream, false, false);
    let keys = [class.join(), class.join(), class.join()];
    assert_eq!(keys, [0, 1, 2]);
    class.heard(1, "/nick Ben\n");
    class
}

/// Wherever a request to one alone is looked for.
#[test]
fn an_address_behind_a_request_or_a_line_break_is_one() {
    let mut class = class_of_three();
    for address in ["/Ben", "/2", "/Ben&", "/2!", "//Ben", "//2"] {
        for before in [
            "",
            "/me ",
            ".me ",
            "/me /me ",
            "hello\r",
            "hello\u{2028}",
            "/me hello\r",
        ] {
            let line = format!("{before}{address} psst");
            assert!(!is_said(&mut class, &line), "{line:?}");
        }
    }
    for line in [
        "/me waves at Ben and all",
        "/me reads /usr/lib now",
        "/me is /4 of it",
        "hello\rBen and all",
        "//usr/lib is there",
        "// Ben is here",
    ] {
        assert!(is_said(&mut class, line), "{line:?}");
    }
}

/// Whatever stands behind the name or the number, unless it is a part of a longer word or of a path.
#[test]
fn behind_a_slash_the_name_of_who_is_here_makes_an_address() {
    for name in ["Ben", "BEN", "user3", "host", "2", "\u{ff12}", "[2]", "#3"] {
        // Answers are limited.
        let mut class = class_of_three();
        for sign in (' '..='~').filter(|sign| !sign.is_ascii_alphanumeric() && *sign != '/') {
            for line in [
                format!("/{name}{sign}Ana psst"),
                format!("/{name}{sign} psst"),
                format!(" ／{name}{sign}{sign}psst"),
                format!("/{name}{sign}1 psst"),
            ] {
                // With these it is the name of nobody, or a sum.
                let is_other = "-_.".contains(sign) || (sign == '+' && line.contains("+1"));
                assert!(is_other || !is_said(&mut class, &line), "{line}");
            }
        }
    }
    let mut class = class_of_three();
    for line in [
        "/&Ben psst",
        "/~Ben psst",
        "/*Ben* psst",
        "/Ben-&Ana psst",
        "/2-&3 psst",
        // By the form alone, be it anybody's or not.
        "/2nd thing",
        "/7. item",
    ] {
        assert!(!is_said(&mut class, line), "{line}");
    }
    for line in [
        "/Ben/Ana psst",
        "/Ben/&Ana psst",
        "/Benn&Ana psst",
        "/usr&x y",
        "/user4! hi",
        "/Ben!",
        "/Ben& ",
        "/* Ben& x */",
        "Ben& x",
        "x /Ben& x",
        "/1/2 of it",
        "/1/&2 of it",
        "/1+1 x",
        "/4! hi",
        "/50% of it",
        "/$1 x",
        "/1!",
    ] {
        assert!(is_said(&mut class, line), "{line}");
    }
}

/// By the form alone: who is at another hub is not asked for.
#[test]
fn signs_behind_an_address_in_another_room_make_no_text_of_it() {
    let mut class = class_of_three();
    for address in ["Ana@room2", "room2/3", "@room2", "＠room2", "<Ana@room2>"] {
        for sign in (' '..='~').filter(|sign| !sign.is_ascii_alphanumeric() && *sign != '/') {
            for line in [
                format!("/{address}{sign} psst"),
                format!("/{address}{sign}{sign}psst"),
                format!("/{address}&{sign}Ben psst"),
            ] {
                // With these it is a longer word.
                let is_longer = "-_.".contains(sign) && line.ends_with("psst");
                assert!(is_longer || !is_said(&mut class, &line), "{line}");
            }
        }
        for sign in ["-", ".", "...", "_"] {
            let line = format!("/{address}{sign} psst");
            assert!(!is_said(&mut class, &line), "{line}");
        }
    }
    for line in [
        "/Ana@room2/x psst",
        "/room2/3/4 psst",
        "/python/3.12 is out",
        "/python/3-rc is out",
        "/@types/node is new",
        "/room2/x! psst",
        "/1/3! psst",
        "/Ana@room2!",
        "/room2/3& ",
    ] {
        assert!(is_said(&mut class, line), "{line}");
    }
}

/// A line may come late: for some time the name is that of who had it.
#[test]
fn the_name_of_who_was_here_makes_an_address() {
    let renamed = |class: &mut Class| class.heard(1, "/nick Bert\n");
    let unnamed = |class: &mut Class| class.room.unname(1, class.now);
    let left = |class: &mut Class| {
        class.room.leave(1, class.now);
    };
    let lost = |class: &mut Class| {
        class.room.may_return(1);
        class.room.leave(1, class.now);
    };
    let taken = |class: &mut Class| {
        class.room.leave(1, class.now);
        class.heard(2, "/nick Ben\n/nick Cem\n");
    };
    type Way = fn(&mut Class);
    let ways: [(&str, Way); 5] = [
        ("renamed", renamed),
        ("unnamed", unnamed),
        ("left", left),
        ("lost", lost),
        ("taken", taken),
    ];
    for (way, go) in ways {
        let mut class = class_of_three();
        go(&mut class);
        for name in ["Ben", "BEN", "user2"] {
            for line in [
                format!("/{name}& psst"),
                format!("/{name}!psst"),
                format!(" /{name}&user3 psst"),
                format!("/&{name} psst"),
                format!("/{name}, psst"),
            ] {
                assert!(!is_said(&mut class, &line), "{way}: {line}");
            }
        }
        for line in ["/Ben/x psst", "/Bent& psst", "/user4& psst", "/user0& psst"] {
            assert!(is_said(&mut class, line), "{way}: {line}");
        }
        class.now += Duration::from_secs(600);
        assert!(is_said(&mut class, "/Ben& psst"), "{way}");
    }
}

proptest! {
    #[test]
    fn no_sign_behind_a_name_makes_what_is_for_one_public(
        whom in prop_oneof![
            Just("Ben"), Just("user3"), Just("2"), Just("[2]"), Just("host"),
            // Who was here.
            Just("Dan"), Just("user2"),
            Just("Ana@room2"), Just("room2/3"), Just("@room2"),
        ],
        sign in "[\\p{P}\\p{S}]{1,3}",
        line in "[A-Za-z]{0,8}",
    ) {
        use crate::engine::lookalike::is_slash;
        use crate::engine::lookalike::is_unseen;
        use crate::engine::lookalike::plain_letter;
        let begins_path = sign.trim_start_matches(is_unseen).starts_with(is_slash);
        // A letter in a circle is a symbol, and makes a longer name.
        let is_of_name = |sign| "-_.".contains(sign) || plain_letter(sign).is_alphanumeric();
        prop_assume!(!begins_path && !sign.contains(is_of_name));
        let mut class = class_of_three();
        class.heard(2, "/nick Dan\n/nick user3\n");
        prop_assert!(!is_said(&mut class, &format!("/{whom}{sign}{line} psst")), "{sign}");
    }
}

#[test]
fn without_relaying_the_host_alone_is_heard_and_names_stay() {
    let mut class = Class::new(Surface::Stream, false, false);
    let (ana, ben) = (class.join(), class.join());
    class.reads(ana);
    class.reads(ben);
    class.room.relay(false, class.now);
    class.room.relay(false, class.now);
    assert_eq!(class.reads(ben), "* only host hears you now\n");
    class.heard(ana, "psst\n/nick answer42\n");
    class.typed("quiet please\n");
    assert_eq!(class.reads(ben), "<host> quiet please\n");
    assert!(
        class
            .reads(ana)
            .contains("* you are still user1: names stay")
    );
    assert!(class.shown().ends_with("<user1> psst\n"));
    class.room.relay(true, class.now);
    class.heard(ana, "free\n");
    assert_eq!(
        class.reads(ben),
        "* everybody hears each other again\n<user1> free\n"
    );
}

#[test]
fn what_is_told_to_one_alone_is_labelled() {
    let mut class = Class::new(Surface::Stream, false, true);
    let (ana, ben) = (class.join(), class.join());
    class.reads(ana);
    class.reads(ben);
    assert!(class.room.tell(ana, b"well done\r\n"));
    assert_eq!(class.reads(ana), "<host, to you alone> well done\r\n");
    assert_eq!(class.reads(ben), "");
}

#[test]
fn who_is_muted_is_silent_and_takes_no_name() {
    let mut class = Class::by(Rules::of("host"));
    let (ana, ben) = (class.join(), class.join());
    class.reads(ana);
    class.reads(ben);
    class.shown();
    class.room.mute(ana, true, class.now);
    class.heard(
        ana,
        "noise\n/nick Noisy\n/msg user2 noise\n/me is loud\n/help\n",
    );
    assert_eq!(class.reads(ben), "");
    let told = class.reads(ana);
    let muted = "* you are muted: nobody was told\n".repeat(2);
    assert!(told.starts_with(&(muted + "* /nick NAME: ")), "{told}");
    assert_eq!(class.shown(), "");
    assert_eq!(
        class.minutes(),
        "user1 said noise\n; user1 asked /nick Noisy; user1 asked /msg ?; \
         user1 said /me is loud\n; user1 asked /help; "
    );
}

#[test]
fn who_is_sent_away_is_told_why() {
    let mut class = Class::new(Surface::Stream, false, true);
    let (ana, ben) = (class.join(), class.join());
    for (key, reason, told) in [
        (ana, "too loud", "* host disconnected you: too loud\r\n"),
        (ben, "", "* host disconnected you\r\n"),
    ] {
        class.reads(key);
        class.room.tell_kicked(key, reason);
        assert_eq!(class.reads(key), told);
    }
}

/// The notice that it came told its number only.
#[test]
fn who_takes_its_name_at_once_is_known_by_number_on_the_terminal() {
    for (surface, shown) in [
        (Surface::Terminal, "* user2 is now Ana\n<Ana> hello\n"),
        (
            Surface::Stream,
            "* user1 joined\n* Ana joined\n<Ana> hello\n",
        ),
    ] {
        let mut class = Class::new(surface, false, false);
        let stays = class.join();
        let comes = class.room.vacant_key();
        class.room.join(comes, class.now);
        class.heard(comes, "/nick Ana\nhello\n");
        assert_eq!(class.shown(), shown);
        let told = class.reads(stays);
        assert!(told.ends_with("* Ana joined\n<Ana> hello\n"), "{told}");
    }
}

/// One reads as little as it may, nobody hears the others, and others come and go all the time.
#[test]
fn who_comes_and_goes_does_not_grow_the_log() {
    let mut class = Class::new(Surface::Terminal, false, false);
    let slow = class.join();
    class.room.acknowledged(slow);
    class.room.relay(false, class.now);
    while class.room.wants_input() {
        class.typed([&[b'x'; 1000][..], b"\n"].concat());
    }
    let (mut most, mut late) = (0, Vec::new());
    for _ in 0..30 {
        for _ in 0..2500 {
            let key = class.room.vacant_key();
            class.room.join(key, class.now);
            class.heard(key, "here I am\n");
            class.room.leave(key, class.now);
            class.shown();
        }
        // In each stall timeout a segment.
        class.now += class.room.policy().stall_timeout - Duration::from_secs(1);
        let taken = class.room.owed(slow).min(SEGMENT as u64) as usize;
        let flushed = class.room.flush(slow, class.now, |_| Ok(taken));
        flushed.expect("nothing that could fail");
        class.room.overdue(class.now, &mut late);
        most = most.max(class.room.retained());
    }
    assert!(late.is_empty(), "{late:?}");
    let burst = 32 * u64::from(CLASS);
    let full = HIGH_WATER + 2 * SEGMENT as u64;
    assert!(most <= full + burst, "{most} bytes are kept");
    let told = class.reads(slow);
    assert!(told.contains(" more joined, "), "nothing was summed up");
}

#[test]
fn who_comes_and_goes_does_not_grow_a_stuck_screen() {
    let mut class = Class::new(Surface::Stream, false, false);
    for _ in 0..100_000 {
        let key = class.join();
        class.room.leave(key, class.now);
    }
    assert!(class.shown().len() < 2 * crate::engine::screen::HIGH_WATER);
}

#[derive(Debug, Clone)]
enum Step {
    Join,
    Leave(usize),
    Say(usize, Vec<u8>),
    Type(Vec<u8>),
    Relay(bool),
}

/// Everybody has a letter that nobody else can type, so whose a line is can be seen in it.
const SIGNS: [char; 6] = [
    '\u{3b1}', '\u{3b2}', '\u{3b3}', '\u{3b4}', '\u{3b5}', '\u{3b6}',
];
const SIGN_OF_HOST: char = '\u{3c9}';

/// What a forger would try, and its sign wherever there is an `@`.
fn speech() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "@", "@\n", "\n", "\r", "\r\n", "<user1> @", "\n<user2> @\n", "\r<host> @\n",
            "* user1 left @\n", "* user1 is now Eve\n@", "\u{2028}<host> @", "\x0b<host> @\n",
            "\x1b[2K\r<user1> @\n", "\u{85}* @\n", "/nick Eve\n", "/nick eve@\n", "/nick Zoe\n",
            "/nick user1\n", "/nick user2\n", "/nick host\n", "/nick Ana", "/nick Eve>\n@",
            "/me left @\n", "/me @", "/msg user1 <user2, to you alone> @\n", "/msg Eve @\n",
            "/msg user2 * user1 left\n", "/names\n", "/help\n", "/left @\n", "/MSG Zoe @",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Join),
        1 => any::<usize>().prop_map(Step::Leave),
        12 => (any::<usize>(), speech()).prop_map(|(who, bytes)| Step::Say(who, bytes)),
        3 => speech().prop_map(Step::Type),
        1 => any::<bool>().prop_map(Step::Relay),
    ]
}

/// Puts the speaker's sign into what it says, and takes everybody's out that came by chance.
fn signed(bytes: &[u8], sign: char) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in bytes {
        match byte {
            b'@' => out.extend(sign.to_string().as_bytes()),
            // The first byte of every sign.
            0xce | 0xcf => out.push(b'?'),
            byte => out.push(byte),
        }
    }
    out
}

/// What somebody who reads the announcements knows: the sign of each name's owner.
#[derive(Default)]
struct Reader {
    names: BTreeMap<String, char>,
}

impl Reader {
    /// Requires that a line is what it says it is, by `truth`: number to sign.
    fn read(&mut self, line: &str, truth: &BTreeMap<String, char>) -> Result<(), TestCaseError> {
        let signs: Vec<char> = line
            .chars()
            .filter(|&c| SIGNS.contains(&c) || c == SIGN_OF_HOST)
            .collect();
        if let Some(what) = line.strip_prefix("* ") {
            prop_assert!(signs.is_empty(), "somebody speaks in {line:?}");
            let words: Vec<&str> = what.split(' ').collect();
            match words[..] {
                [name, "joined"] => {
                    self.names.insert(name.into(), truth[name]);
                }
                [name, "left"] => prop_assert!(self.names.remove(name).is_some(), "{line:?}"),
                [old, "is", "now", new] => {
                    let sign = self.names.remove(old);
                    prop_assert!(sign.is_some() && !self.names.contains_key(new), "{line:?}");
                    self.names.insert(new.into(), sign.unwrap());
                }
                _ => {
                    let known = ["you are still ", "only host hears", "everybody hears"];
                    let is_private = what.contains(" said something to ");
                    let is_known = known.iter().any(|k| what.starts_with(k));
                    prop_assert!(is_private || is_known, "{line:?}");
                }
            }
            return Ok(());
        }
        let label = line
            .strip_prefix('<')
            .and_then(|rest| rest.split_once("> "));
        let Some((name, _)) = label else {
            return Err(TestCaseError::fail(format!(
                "a line begins otherwise: {line:?}"
            )));
        };
        let name = name.strip_suffix(", to you alone").unwrap_or(name);
        let owner = match name {
            "host" => Some(SIGN_OF_HOST),
            name => self.names.get(name).copied(),
        };
        prop_assert!(owner.is_some(), "nobody is called so: {line:?}");
        prop_assert!(signs.iter().all(|&s| Some(s) == owner), "forged: {line:?}");
        Ok(())
    }
}

#[test]
fn an_unfinished_request_for_a_name_is_carried_out_for_those_who_stay() {
    for (asked, told) in [
        ("/nick Ana", "* user2 is now Ana\n* Ana left\n"),
        ("/nick host", "* user2 left\n"),
        ("goodbye", "<user2> goodbye\n* user2 left\n"),
    ] {
        let mut class = Class::new(Surface::Stream, false, false);
        let (stays, leaves) = (class.join(), class.join());
        class.heard(leaves, asked);
        class.reads(stays);
        class.reads(leaves);
        class.room.leave(leaves, class.now);
        assert_eq!(class.reads(stays), told);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every line that anybody receives begins with the name of its true author, or is an
    /// announcement, whatever is said and however it is cut.
    #[test]
    fn nobody_can_forge_the_beginning_of_a_line(
        steps in prop::collection::vec(step(), 1..60),
        terminal in any::<bool>(),
        crlf in any::<bool>(),
    ) {
        let surface = match terminal {
            true => Surface::Terminal,
            false => Surface::Stream,
        };
        let mut class = Class::new(surface, false, crlf);
        // The first listens from the beginning and says nothing, so it knows all names.
        let listener = class.join();
        let mut speakers: Vec<(usize, char)> = Vec::new();
        let mut truth = BTreeMap::from([(String::from("user1"), '-')]);
        for step in steps {
            match step {
                Step::Join if speakers.len() < SIGNS.len() => {
                    let free = SIGNS.iter().find(|s| speakers.iter().all(|(_, t)| t != *s));
                    let key = class.join();
                    speakers.push((key, *free.unwrap()));
                    let number = class.room.joined();
                    truth.insert(format!("user{number}"), *free.unwrap());
                }
                Step::Leave(who) if !speakers.is_empty() => {
                    let (key, _) = speakers.swap_remove(who % speakers.len());
                    class.room.leave(key, class.now);
                }
                Step::Say(who, bytes) if !speakers.is_empty() => {
                    let (key, sign) = speakers[who % speakers.len()];
                    class.heard(key, signed(&bytes, sign));
                }
                Step::Type(bytes) => class.typed(signed(&bytes, SIGN_OF_HOST)),
                Step::Relay(on) => class.room.relay(on, class.now),
                _ => {}
            }
        }
        class.room.typed_end(class.now);
        for &(key, sign) in &speakers {
            let own = class.reads(key);
            for line in own.lines() {
                prop_assert!(line.starts_with("* ") || line.starts_with('<'), "{line:?}");
                // An answer may name what it asked for.
                let is_answer = line.starts_with("* ") && line.contains(" is no command");
                prop_assert!(!line.contains(sign) || is_answer, "it heard itself: {line:?}");
            }
        }
        let heard = class.reads(listener);
        let line_end = if crlf { "\r\n" } else { "\n" };
        prop_assert!(heard.is_empty() || heard.ends_with(line_end));
        let mut reader = Reader::default();
        for line in heard.split_terminator(line_end) {
            prop_assert!(!line.contains(['\r', '\n', '\x1b', '\u{2028}']), "{line:?}");
            reader.read(line, &truth)?;
        }
        if !terminal {
            let mut reader = Reader::default();
            for line in class.shown().split_terminator('\n') {
                prop_assert!(!line.contains(['\r', '\x1b', '\u{2028}']), "{line:?}");
                reader.read(line, &truth)?;
            }
        }
    }
}
