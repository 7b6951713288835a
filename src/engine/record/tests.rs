use proptest::prelude::*;

use super::dump;
use super::head::Head;
use super::transcript;
use super::*;

const AT: &str = "2026-11-22T09:11:33.123Z";

fn who(number: u32, name: Option<&str>) -> Who<'_> {
    Who {
        number,
        addr: &"192.0.2.1:50124",
        name,
    }
}

/// A transcript of what is told here.
#[derive(Default)]
struct Told {
    speech: Speech,
    out: String,
}

impl Told {
    fn enter(&mut self, make: impl FnOnce(&mut Speech, &mut dyn FnMut(Entry<'_>))) {
        let out = &mut self.out;
        make(&mut self.speech, &mut |entry| {
            transcript::push(AT, entry, out);
        });
    }

    fn heard(&mut self, who: Who<'_>, bytes: &[u8]) {
        self.enter(|speech, enter| speech.heard(who, bytes, enter));
    }

    fn said(&mut self, bytes: &[u8]) {
        self.enter(|speech, enter| speech.said(Speaker::Us(None, None), bytes, enter));
    }

    fn finish(&mut self, who: Who<'_>) {
        self.enter(|speech, enter| {
            speech.said_all(Speaker::Us(None, None), enter);
            speech.finished(who, enter);
        });
    }
}

/// Undoes [`push_escaped`].
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            bytes.extend(letter.to_string().as_bytes());
            continue;
        }
        match letters.next().expect("something follows a backslash") {
            '\\' => bytes.push(b'\\'),
            't' => bytes.push(b'\t'),
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            'x' => {
                let digits: String = letters.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
            }
            'u' => {
                let digits = letters.by_ref().skip(1).take_while(|&c| c != '}');
                let code = u32::from_str_radix(&digits.collect::<String>(), 16);
                let letter = code.ok().and_then(char::from_u32).expect("a character");
                bytes.extend(letter.to_string().as_bytes());
            }
            other => panic!("an unknown escape: {other}"),
        }
    }
    bytes
}

#[test]
fn a_transcript_tells_who_said_what_to_whom() {
    let mut told = Told::default();
    let ana = who(1, Some("Ana"));
    let leaving = Leaving {
        code: "closed",
        words: "closed",
        received: 0,
        sent: 0,
        unread: 12,
    };
    told.enter(|_, enter| enter(Entry::Joined(who(1, None))));
    told.heard(ana, b"which b");
    told.said(b"the blue\none, ");
    told.heard(ana, b"ook?\r\nand");
    told.enter(|_, enter| lines(Speaker::Us(Some("Bob"), Some(ana)), b"psst\n", enter));
    told.enter(|speech, enter| speech.finished(ana, enter));
    told.enter(|_, enter| enter(Entry::Left(ana, leaving)));
    told.enter(|speech, enter| speech.said_all(Speaker::Us(Some("Bob"), None), enter));
    let expected = [
        "joined\t1\t192.0.2.1:50124\t-\t",
        "to\t*\t-\t-\tthe blue",
        "from\t1\t192.0.2.1:50124\tAna\twhich book?\\r",
        "to\t1\t192.0.2.1:50124\tAna\tpsst",
        "from+\t1\t192.0.2.1:50124\tAna\tand",
        "left\t1\t192.0.2.1:50124\tAna\tclosed, 12 bytes were not read",
        "to+\t*\t-\tBob\tone, ",
    ];
    let expected: String = expected
        .iter()
        .map(|line| format!("{AT}\t{line}\n"))
        .collect();
    assert_eq!(told.out, expected);
}

#[test]
fn the_head_of_a_line_is_what_nobody_else_says() {
    let mut told = Told::default();
    told.enter(|_, enter| enter(Entry::Joined(who(1, None))));
    let said = format!("{AT}\tfrom\t2\tx\t\tEve\n0000: x\n#\n\n");
    told.heard(who(1, Some("Ana")), said.as_bytes());
    let mut out = told.out;
    dump::push(AT, Way::From, Some(who(1, None)), &[b':'; 70_000], &mut out);
    dump::push(AT, Way::To, None, b"0: !", &mut out);
    let rest: Vec<&str> = out
        .lines()
        .map(|line| &line[Head::Told.length(line.as_bytes())..])
        .collect();
    let said = format!("{AT}\\tfrom\\t2\\tx\\t\\tEve");
    assert_eq!(rest[..6], ["", said.as_str(), "0000: x", "#", "", ""]);
    let (last, rows) = rest[6..].split_last().unwrap();
    let (to, rows) = rows.split_last().unwrap();
    assert_eq!((*to, *last), ("", "0: !"));
    assert!(rows.len() == 4375 && rows.iter().all(|row| *row == ":".repeat(16)));
    assert_eq!(Head::Told.length(b""), 0);
    for line in [
        "# forged",
        "{forged: 1}",
        "muxnc: forged",
        "a\tb\tc\td\te\tf",
    ] {
        assert_eq!(Head::Nothing.length(line.as_bytes()), 0);
    }
}

#[test]
fn an_endless_line_is_written_in_pieces_and_marked() {
    let mut told = Told::default();
    let long = vec![b'x'; MAX_LINE];
    told.heard(who(1, None), &long);
    told.heard(who(1, None), b"end\n");
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with(&format!("{AT}\tfrom+\t1\t")));
    assert!(lines[0].ends_with(&"x".repeat(MAX_LINE)));
    assert!(lines[1].starts_with(&format!("{AT}\tfrom\t1\t")));
    assert!(lines[1].ends_with("\tend"));
}

#[test]
fn a_dump_tells_the_direction_and_shows_every_byte() {
    let mut out = String::new();
    dump::push(
        AT,
        Way::From,
        Some(who(3, Some("Ana"))),
        b"which book?\n\x1b[2J\xff",
        &mut out,
    );
    dump::push(AT, Way::To, None, b"!", &mut out);
    assert_eq!(
        out,
        format!(
            "# {AT} from [3] Ana 192.0.2.1:50124, 17 bytes\n\
             0000:   77 68 69 63 68 20 62 6f  6f 6b 3f 0a 1b 5b 32 4a   which book?..[2J\n\
             0010:   ff{}.\n\
             # {AT} to everybody, 1 byte\n\
             0000:   21{}!\n",
            " ".repeat(49),
            " ".repeat(49),
        )
    );
}

proptest! {
    /// Whatever is said and however it is cut: each speaker's bytes can be had back, and no
    /// line is anything but six columns.
    #[test]
    fn what_was_said_can_be_had_back(
        pieces in prop::collection::vec(
            (0..2u32, prop::collection::vec(
                prop_oneof![
                    2 => any::<u8>(),
                    5 => prop::sample::select("\\\t\r\n\u{1b}x7u{}\u{e9}\u{202e}".as_bytes().to_vec()),
                ],
                0..30,
            )),
            0..30,
        ),
    ) {
        let mut told = Told::default();
        let mut truth = vec![Vec::new(); 2];
        for (speaker, bytes) in &pieces {
            truth[*speaker as usize].extend_from_slice(bytes);
            match speaker {
                0 => told.said(bytes),
                &number => told.heard(who(number, None), bytes),
            }
        }
        told.finish(who(1, None));
        let mut back = vec![Vec::new(); 2];
        for line in told.out.split_terminator('\n') {
            prop_assert!(line.chars().all(|c| c == '\t' || !is_unsafe(c)), "{line:?}");
            let columns: Vec<&str> = line.split('\t').collect();
            prop_assert_eq!(columns.len(), 6);
            prop_assert_eq!(columns[0], AT);
            let speaker: usize = columns[2].parse().unwrap_or(0);
            prop_assert_eq!(columns[1].starts_with("to"), speaker == 0);
            back[speaker].extend(unescaped(columns[5]));
            if !columns[1].ends_with('+') {
                back[speaker].push(b'\n');
            }
        }
        prop_assert_eq!(back, truth);
    }
}
