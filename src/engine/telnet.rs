//! Telnet (RFC 854, RFC 855): what is negotiated inside the stream is hidden, and answered with no.
//!
//! ```text
//!   from the other side                         is                     and is answered by
//!   IAC IAC                                     the byte 0xFF
//!   CR NUL                                      CR
//!   IAC DO x  / IAC WILL x                      hidden                 IAC WONT x / IAC DONT x
//!   IAC DONT x / IAC WONT x                     hidden                 nothing: it is so already
//!   IAC SB … IAC SE, and any other IAC x        hidden                 nothing
//! ```
//!
//! Our bytes are changed only where they would be taken for something else: 0xFF is doubled, and so
//! is a NUL behind a CR. Ends of lines are what `-C` says. A telnet whose user pressed Ctrl-C sends
//! `IAC DO TIMING-MARK` (RFC 860), and throws away what comes until that is answered. WONT is an answer,
//! too, so its user reads on.
//!
//! It promises: only what asks for something new is answered (RFC 1143), so no two sides can answer each other for
//! ever; no answer waits twice, so at most [`MOST`] bytes of answers wait; whatever comes, in whatever pieces, what
//! is read never gets longer. A subnegotiation that does not end hides no more than [`DETAILS`] bytes: what comes
//! behind those is taken for text, and [`Reader::take_cut`] tells that it was cut off.

const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// Bytes of answers that can wait: a no of each kind to each option.
pub const MOST: usize = 2 * 256 * 3;

/// Bytes that what is negotiated in detail may have: the longest list of an environment or of characters has less.
pub const DETAILS: usize = 4096;

/// What is read of a stream with telnet's negotiation in it. See the module's documentation.
#[derive(Debug, Default)]
pub struct Reader {
    state: State,
    /// The last byte was a CR, so that a NUL behind it means nothing.
    after_cr: bool,
    /// Bytes of the details so far.
    details: usize,
    /// Details were cut off, which nobody was told of.
    cut: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    /// Behind IAC.
    Command,
    /// Behind one of the four that name an option.
    Option(u8),
    /// Inside of what is negotiated in detail.
    Details,
    /// Behind an IAC in there.
    DetailsCommand,
}

impl Reader {
    /// Leaves of `bytes` what was said, at their beginning, and returns how much that is. Answers that are to be
    /// sent are put behind those in `answers`, unless the same one waits there.
    pub fn read(&mut self, bytes: &mut [u8], answers: &mut Answers) -> usize {
        let mut said = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            match self.state {
                State::Data => match byte {
                    IAC => self.state = State::Command,
                    0 if self.after_cr => self.after_cr = false,
                    byte => {
                        self.after_cr = byte == b'\r';
                        bytes[said] = byte;
                        said += 1;
                    }
                },
                State::Command => {
                    self.state = State::Data;
                    match byte {
                        IAC => {
                            self.after_cr = false;
                            bytes[said] = IAC;
                            said += 1;
                        }
                        byte => self.command(byte),
                    }
                }
                State::Option(verb) => {
                    self.state = State::Data;
                    match verb {
                        DO => answers.push(WONT, byte),
                        WILL => answers.push(DONT, byte),
                        _ => {}
                    }
                }
                State::Details if byte == IAC => self.state = State::DetailsCommand,
                // The sender forgot the end of the details, and begins something else.
                State::DetailsCommand if byte != IAC => self.command(byte),
                State::Details | State::DetailsCommand => {
                    self.details += 1;
                    self.state = State::Details;
                    if self.details > DETAILS {
                        self.state = State::Data;
                        self.cut = true;
                        self.after_cr = byte == b'\r';
                        bytes[said] = byte;
                        said += 1;
                    }
                }
            }
        }
        said
    }

    /// Whether details that did not end were cut off since this was asked last: what followed is what was said.
    pub fn take_cut(&mut self) -> bool {
        std::mem::take(&mut self.cut)
    }

    /// Whether details have begun that did not end yet.
    pub fn is_in_details(&self) -> bool {
        matches!(self.state, State::Details | State::DetailsCommand)
    }

    fn command(&mut self, byte: u8) {
        self.details = 0;
        self.state = match byte {
            SB => State::Details,
            WILL | WONT | DO | DONT => State::Option(byte),
            // The end of details among them.
            _ => State::Data,
        };
    }
}

/// Answers that wait to be sent, each once.
#[derive(Debug, Default)]
pub struct Answers(Vec<[u8; 3]>);

impl Answers {
    fn push(&mut self, verb: u8, option: u8) {
        let answer = [IAC, verb, option];
        if !self.0.contains(&answer) {
            self.0.push(answer);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes them out, to be sent.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).concat()
    }
}

/// What is said over a stream with telnet's negotiation in it: see the module's documentation.
#[derive(Debug, Default, Clone, Copy)]
pub struct Writer {
    /// The last byte that went was a CR.
    after_cr: bool,
}

impl Writer {
    /// Whether a byte is two on the wire.
    fn doubles(self, byte: u8) -> bool {
        byte == IAC || (byte == 0 && self.after_cr)
    }

    /// Whether bytes are on the wire what they are here.
    pub fn is_plain(self, said: &[u8]) -> bool {
        let begins_plain = said.first().is_none_or(|&first| !self.doubles(first));
        begins_plain
            && memchr::memchr(IAC, said).is_none()
            && memchr::memmem::find(said, b"\r\0").is_none()
    }

    /// Appends `said` to `out` as it is on the wire.
    pub fn double(mut self, said: &[u8], out: &mut Vec<u8>) {
        for &byte in said {
            out.push(byte);
            if self.doubles(byte) {
                out.push(byte);
            }
            self.went(byte);
        }
    }

    /// How many of the bytes that were said have gone, if so many of what [`Writer::double`] made of them were taken; one
    /// of which the first half went counts, and its other half is still to be sent before anything else.
    pub fn gone(mut self, said: &[u8], taken: usize) -> (usize, Option<u8>) {
        let mut wire = 0;
        for (at, &byte) in said.iter().enumerate() {
            if wire >= taken {
                return (at, None);
            }
            wire += if self.doubles(byte) { 2 } else { 1 };
            if wire > taken {
                return (at + 1, Some(byte));
            }
            self.went(byte);
        }
        (said.len(), None)
    }

    /// This byte of what was said has gone last.
    pub fn went(&mut self, last: u8) {
        self.after_cr = last == b'\r';
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is read of bytes that come in these pieces, and what is answered.
    fn read(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut reader, mut answers) = (Reader::default(), Answers::default());
        let mut said = Vec::new();
        for piece in pieces {
            let mut bytes = piece.to_vec();
            let count = reader.read(&mut bytes, &mut answers);
            said.extend(&bytes[..count]);
        }
        (said, answers.take())
    }

    fn doubled(said: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::default().double(said, &mut out);
        out
    }

    #[test]
    fn negotiation_is_hidden_and_refused() {
        let (said, answers) = read(&[b"a\xff\xfb\x01b\xff\xfd\x18c\xff\xfc\x03\xff\xfe\x03d"]);
        assert_eq!(said, b"abcd");
        assert_eq!(answers, b"\xff\xfe\x01\xff\xfc\x18");
    }

    #[test]
    fn what_is_no_negotiation_is_what_was_said() {
        let (said, answers) = read(&[b"\xff\xff, \r\0\r\n\0 \xff\xf4\xff\xf9."]);
        assert_eq!(
            (&said[..], &answers[..]),
            (&b"\xff, \r\r\n\0 ."[..], &b""[..])
        );
    }

    #[test]
    fn details_are_hidden_however_they_end() {
        let (said, answers) =
            read(&[b"a\xff\xfa\x18\x00x\xff\xffy\xff\xf0b\xff\xfa\x18\xff\xfd\x06c"]);
        assert_eq!(said, b"abc");
        assert_eq!(answers, b"\xff\xfc\x06");
    }

    #[test]
    fn details_without_an_end_hide_little() {
        let (mut reader, mut answers) = (Reader::default(), Answers::default());
        let mut bytes = [&b"a\xff\xfa\x18"[..], &[b'x'; DETAILS]].concat();
        assert_eq!(reader.read(&mut bytes, &mut answers), 2);
        assert_eq!(&bytes[..2], b"ax");
        assert!(reader.take_cut() && !reader.take_cut() && !reader.is_in_details());
        let mut bytes = *b"text\xff\xfb\x01";
        assert_eq!(reader.read(&mut bytes, &mut answers), 4);
        assert_eq!(answers.take(), b"\xff\xfe\x01");
        // The next ones have as much.
        let mut bytes = [&b"\xff\xfa"[..], &[b'x'; DETAILS], b"\xff\xf0b"].concat();
        assert_eq!(reader.read(&mut bytes, &mut answers), 1);
        assert!(!reader.take_cut());
        let mut bytes = [&b"\xff\xfa"[..], &[IAC; 2 * DETAILS + 2]].concat();
        assert_eq!(reader.read(&mut bytes, &mut answers), 1);
        assert!(reader.take_cut());
        let mut bytes = *b"\xff\xfax";
        assert_eq!(reader.read(&mut bytes, &mut answers), 0);
        assert!(reader.is_in_details());
    }

    /// What telnet sends for Ctrl-C: interrupt, mark, and a question of which the answer ends its throwing away.
    #[test]
    fn a_timing_mark_is_answered() {
        let (said, answers) = read(&[b"\xff\xf4\xff\xf2\xff\xfd\x06more\r\n"]);
        assert_eq!(
            (&said[..], &answers[..]),
            (&b"more\r\n"[..], &b"\xff\xfc\x06"[..])
        );
    }

    #[test]
    fn whoever_asks_for_ever_is_answered_once_at_a_time() {
        let (mut reader, mut answers) = (Reader::default(), Answers::default());
        for verb in [WILL, DO] {
            for option in 0..=255 {
                for _ in 0..3 {
                    assert_eq!(reader.read(&mut [IAC, verb, option], &mut answers), 0);
                }
            }
        }
        assert_eq!(answers.take().len(), MOST);
        assert!(answers.is_empty());
    }

    fn telling() -> impl Strategy<Value = u8> {
        prop_oneof![
            Just(IAC),
            Just(IAC),
            Just(IAC),
            240_u8..=254,
            Just(b'\r'),
            Just(0),
            any::<u8>()
        ]
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            bytes in prop::collection::vec(telling(), 0..100),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|two| &bytes[two[0]..two[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[&bytes]));
        }

        #[test]
        fn what_is_doubled_is_read_as_it_was(
            said in prop::collection::vec(telling(), 0..100),
        ) {
            let wire = doubled(&said);
            prop_assert_eq!(Writer::default().is_plain(&said), wire == said);
            prop_assert_eq!(read(&[&wire]), (said, Vec::new()));
        }

        #[test]
        fn however_little_is_taken_nothing_is_lost_or_sent_twice(
            said in prop::collection::vec(telling(), 0..60),
            takes in prop::collection::vec(1_usize..7, 200),
        ) {
            let (mut rest, mut sent, mut half) = (&said[..], Vec::new(), None);
            let mut writer = Writer::default();
            for take in takes {
                sent.extend(half.take());
                let mut wire = Vec::new();
                writer.double(rest, &mut wire);
                let taken = take.min(wire.len());
                sent.extend(&wire[..taken]);
                let (count, other_half) = writer.gone(rest, taken);
                prop_assert!(taken == 0 || count > 0);
                if let Some(&last) = rest[..count].last() {
                    writer.went(last);
                }
                rest = &rest[count..];
                half = other_half;
            }
            prop_assert!(rest.is_empty() && half.is_none());
            prop_assert_eq!(sent, doubled(&said));
        }

        /// Two that refuse everything have nothing more to say to each other.
        #[test]
        fn answers_are_not_answered(bytes in prop::collection::vec(telling(), 0..100)) {
            let (said, answers) = read(&[&bytes]);
            prop_assert!(said.len() <= bytes.len() && answers.len() <= bytes.len());
            prop_assert_eq!(read(&[&answers]), (Vec::new(), Vec::new()));
        }
    }
}
