//! Names: which participant has which, and that no two of them can be taken for each other.
//!
//! A name is letters and digits of one script (Latin ones beside Chinese, Japanese or Korean, as people
//! there write them), of those that Unicode allows in identifiers (Unicode Technical Standard 39, section 3), in
//! the form that it calls NFKC. Two names look alike if they share a *mark*. A name has three marks at most: its
//! skeleton (the same, section 4), and that of the name in small letters, both with the pairs made one letter
//! that look like it (`rn` and `m`); and the first without that (`CI` is like `cl`, but not like `d`). From all,
//! what a reader overlooks is left out (`-_.`, and letters that are drawn as these where they are no part of a
//! word), and letters are made one that look alike though their skeletons differ.
//!
//! It promises: at any time every name has one owner, and no two names look alike; a name stands in a line
//! where it was put, and is found in the same time however many there are.

use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::GeneralSecurityProfile;
use unicode_security::MixedScript;
use unicode_security::RestrictionLevel;
use unicode_security::RestrictionLevelDetection;

use crate::engine::confusables::skeleton;
use crate::engine::escape::push_letters;
use crate::engine::handover::Asking;
use crate::engine::handover::Former;
use crate::engine::handover::Handovers;

/// The operator's name, if `--name` gives no other.
pub const HOST: &str = "host";

/// Names that no participant may have, whatever the operator is called.
const RESERVED: [(&str, Owner); 7] = [
    (HOST, Owner::Operator),
    ("operator", Owner::Operator),
    ("muxnc", Owner::Program),
    ("server", Owner::Program),
    ("system", Owner::Program),
    ("everybody", Owner::Program),
    ("you", Owner::Program),
];

/// One more reserved name. Only its skeleton is compared: by marks, in which `i` is `l`, the name `Ali`
/// would look like it.
const ALL: &str = "all";

/// A participant of a chat is called this, with its number behind it, until it has a name.
const DEFAULT: &str = "user";

/// The longest name, in characters.
pub const MAX_NAME: usize = 16;

/// The most marks (accents, vowel signs) that follow one letter.
const MAX_ACCENTS: usize = 3;

/// The owner of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Nobody has the name, and nobody can get it: it is reserved.
    Program,
    /// The operator's.
    Operator,
    /// The member with this key.
    Member(usize),
}

/// The participants' names. See the module's documentation.
#[derive(Debug)]
pub struct Names {
    /// The owner of each name, by each of its [`marks`].
    owners: HashMap<String, Owner>,
    /// The members that had a name before its owner.
    handovers: Handovers,
}

/// Why a participant cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// It is too long, or has characters that no name has, or no letter.
    NoName,
    /// Its letters are of scripts that are not written together.
    Mixed,
    /// A label that begins from the right would not stand at the beginning of its line.
    RightToLeft,
    /// It is another participant's, or looks like it.
    Taken,
    /// The participant has this name already.
    Same,
    /// Names cannot be taken while participants do not hear each other.
    Quiet,
}

impl fmt::Display for NameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::NoName => {
                write!(out, "1 to {MAX_NAME} letters, digits, - _ . with a letter")
            }
            NameError::Mixed => out.write_str("letters of two scripts may look alike"),
            NameError::RightToLeft => out.write_str("a label has to be read from left to right"),
            NameError::Taken => out.write_str("that is taken, or looks like another's name"),
            NameError::Same => out.write_str("that is the name already"),
            NameError::Quiet => out.write_str("names stay while nobody hears the others"),
        }
    }
}

impl Default for Names {
    /// The names of a new room: only the reserved ones have owners.
    fn default() -> Names {
        let mut names = Names {
            owners: HashMap::new(),
            handovers: Handovers::default(),
        };
        for (name, owner) in RESERVED {
            names.give(name, owner);
        }
        names
    }
}

impl Names {
    /// Makes the operator the owner of this name, too, which [must be free](is_free_for_host).
    pub fn call_operator(&mut self, name: &str) {
        self.give(name, Owner::Operator);
    }

    /// Gives a newcomer of a chat the name that it has until it gets another, and returns it.
    pub fn join(&mut self, key: usize, number: u32) -> Box<str> {
        let name = default_name(number);
        self.give(&name, Owner::Member(key));
        name.into()
    }

    /// Gives the member with that key and number, which was called `old`, the name `new` in place of
    /// it. Returns the name as it is written from now on (in NFKC).
    ///
    /// # Errors
    /// Why it may not.
    pub fn rename(
        &mut self,
        key: usize,
        number: u32,
        old: Option<&str>,
        new: &str,
        now: Instant,
    ) -> Result<Box<str>, NameError> {
        let new = normal(new)?;
        if old == Some(&*new) {
            return Err(NameError::Same);
        }
        let own = Owner::Member(key);
        let is_others = |mark| self.owners.get(&mark).is_some_and(|&owner| owner != own);
        if marks(&new).any(is_others) {
            return Err(NameError::Taken);
        }
        let is_all = |looks: &str| skeleton(looks).flat_map(char::to_lowercase).eq(ALL.chars());
        if is_all(&new.to_lowercase()) || is_all(&new) {
            return Err(NameError::Taken);
        }
        // A default name that is free now belongs to the participant that will get its number.
        if marks(&new).any(|mark| is_default(&mark)) && *new != *default_name(number) {
            return Err(NameError::Taken);
        }
        if let Some(old) = old {
            self.release(old, number, now);
        }
        for mark in marks(&new) {
            self.handovers.take(&mark, number, now);
        }
        self.give(&new, own);
        Ok(new)
    }

    /// Takes a name from its owner, the member with that number: another participant may have it now.
    pub fn release(&mut self, name: &str, number: u32, now: Instant) {
        for mark in marks(name) {
            self.owners.remove(&mark);
            // No participant with another number can ever have a default name, so nobody can be
            // taken for its former owner.
            if !is_default(&mark) {
                self.handovers.free(mark, number, now);
            }
        }
    }

    /// Takes note that the operator gave this name, so that the operator's commands with it mean its
    /// new owner at once: who gave it knows whose it is.
    pub fn note_given(&mut self, name: &str) {
        for mark in marks(name) {
            self.handovers.give(&mark);
        }
    }

    /// Who had the name a moment ago, if that is another than the member with that number: a line that is typed
    /// now may mean the former owner. See [`TIME`](crate::engine::handover::TIME).
    pub fn former(&self, name: &str, number: u32, asking: Asking, now: Instant) -> Option<Former> {
        let name = normal(name).ok()?;
        marks(&name).find_map(|mark| self.handovers.former(&mark, number, asking, now))
    }

    /// Whether a name that nobody has, or one that looks like it, is remembered as somebody's.
    pub fn is_kept(&self, name: &str, now: Instant) -> bool {
        normal(name).is_ok_and(|name| marks(&name).any(|mark| self.handovers.keep(&mark, now)))
    }

    /// The owner of a name, or of one that looks like it.
    pub fn owner(&self, name: &str) -> Option<Owner> {
        let name = normal(name).ok()?;
        marks(&name).find_map(|mark| self.owners.get(&mark).copied())
    }

    fn give(&mut self, name: &str, owner: Owner) {
        for mark in marks(name) {
            self.owners.insert(mark, owner);
        }
    }
}

/// What a participant of a chat is called until it has a name.
pub fn default_name(number: u32) -> String {
    format!("{DEFAULT}{number}")
}

/// The number of the participant whose default name this is, in upper or lower case.
pub(super) fn default_number(name: &str) -> Option<u32> {
    name.to_lowercase().strip_prefix(DEFAULT)?.parse().ok()
}

/// Whether the operator may have this name: it is written as a name is, and no participant will get it
/// as its default.
pub fn is_free_for_host(name: &str) -> bool {
    let is_plain = normal(name).is_ok_and(|normal| *normal == *name);
    is_plain && !marks(name).any(|mark| is_default(&mark))
}

/// Whether `name` is written as a name has to be (in NFKC).
pub fn is_name(name: &str) -> bool {
    normal(name).is_ok_and(|normal| *normal == *name)
}

/// A name as it is written: short, and nothing that could be taken for anything else. Numbers mean
/// participants to the operator, so there is a letter in it.
///
/// # Errors
/// It cannot be a name.
fn normal(name: &str) -> Result<Box<str>, NameError> {
    // NFKC makes one letter of a decomposed one, so a name may be longer before it, but not much.
    if name.chars().count() > 4 * MAX_NAME {
        return Err(NameError::NoName);
    }
    let name: String = name.nfkc().collect();
    let mut accents = 0;
    let is_part = |letter: char| {
        accents = match is_combining_mark(letter) {
            true => accents + 1,
            false => 0,
        };
        let is_known = letter.is_alphanumeric() || accents > 0 || SIGNS.contains(letter);
        is_known && letter.identifier_allowed() && accents <= MAX_ACCENTS
    };
    let has_letter = seen(&name).any(char::is_alphabetic);
    let fits = (1..=MAX_NAME).contains(&name.chars().count());
    if !fits || !has_letter || !name.chars().all(is_part) || !is_shown_as_it_is(&name) {
        return Err(NameError::NoName);
    }
    if name.contains(runs_from_the_right) {
        return Err(NameError::RightToLeft);
    }
    let is_usual = || name.check_restriction_level(RestrictionLevel::HighlyRestrictive);
    if !name.is_single_script() && !is_usual() {
        return Err(NameError::Mixed);
    }
    Ok(name.into())
}

/// Whether a terminal is shown each letter of the name as it is, and none escaped.
fn is_shown_as_it_is(name: &str) -> bool {
    let mut shown = String::new();
    push_letters(name, &mut shown);
    shown == name
}

/// Whether a letter is of a script that is written from right to left (Unicode Standard Annex 9, the
/// classes R and AL, by the blocks that are kept for them).
fn runs_from_the_right(letter: char) -> bool {
    matches!(letter,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// What a reader overlooks.
const SIGNS: &str = "-_.\u{2bb}\u{2bc}";

/// Letters of Chinese and Japanese that are drawn as dashes, strokes and specks. Beside other letters of these scripts
/// they are read as what they are: ユーザー, 一郎.
const STROKES: &str = "一ー丶丨丿乀乁ヽノ";

/// The characters of a name that a reader does not overlook.
fn seen(name: &str) -> impl Iterator<Item = char> {
    let is_word = |letter: char| is_eastern(letter) && !STROKES.contains(letter);
    name.char_indices().filter_map(move |(at, letter)| {
        let before = name[..at].chars().next_back();
        let after = name[at + letter.len_utf8()..].chars().next();
        let is_read = || [before, after].into_iter().flatten().any(is_word);
        let is_seen = !SIGNS.contains(letter) && (!STROKES.contains(letter) || is_read());
        is_seen.then_some(letter)
    })
}

/// Whether it is a letter of Chinese, Japanese or Korean, by the blocks that are kept for them.
fn is_eastern(letter: char) -> bool {
    matches!(letter,
        '\u{3041}'..='\u{312f}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3fffd}')
}

/// Whether a mark is that of a default name (`user3`), or looks like it.
fn is_default(mark: &str) -> bool {
    let number = |letter| DIGITS.contains(&letter);
    mark.strip_prefix(DEFAULT)
        .is_some_and(|rest| rest.chars().all(number))
}

/// The letter for which each digit is taken, in the order of the digits. No two have the same: `Ana6` and
/// `Ana8` are two names.
const DIGITS: [char; 10] = ['o', 'l', 'z', 'e', 'a', 's', 'g', 't', 'b', 'q'];

/// Pairs of small letters that look like one letter. Skeletons know of the first pair only, and make `rn`
/// of an `m`.
const PAIRS: [(&str, &str); 3] = [("rn", "m"), ("vv", "w"), ("cl", "d")];

/// The marks of a name, one to three: readers take two names for each other that share one.
fn marks(name: &str) -> impl Iterator<Item = String> {
    let small: String = name.to_lowercase().nfkc().collect();
    let (seen, small, apart) = (mark(name, true), mark(&small, true), mark(name, false));
    let apart = (apart != seen && apart != small).then_some(apart);
    let small = (small != seen).then_some(small);
    std::iter::once(seen).chain(small).chain(apart)
}

/// The skeleton of a letter or digit of ASCII. (That of `m` would be `rn`, of which [`PAIRS`] makes an `m`
/// again: it is left as it is.)
fn of_ascii(letter: char) -> char {
    match letter {
        '0' => 'O',
        '1' | 'I' => 'l',
        letter => letter,
    }
}

/// What a name looks like, with its pairs as one letter or not: see [the module's documentation](self).
fn mark(name: &str, has_pairs: bool) -> String {
    let mut looks: String = match name.is_ascii() {
        true => seen(name).map(of_ascii).collect(),
        false => {
            let is_seen = |letter: &char| !SIGNS.contains(*letter);
            let letters: String = seen(name).collect();
            skeleton(&letters).filter(is_seen).collect()
        }
    };
    if has_pairs {
        for (pair, one) in PAIRS {
            looks = looks.replace(pair, one);
        }
    }
    let mut mark = String::new();
    for letter in looks.chars().flat_map(char::to_lowercase) {
        match letter {
            'i' => mark.push('l'),
            'ß' => mark.push_str("ss"),
            // The skeleton of кот begins with ĸ, a letter of Greenlandic.
            'к' | 'ĸ' => mark.push('k'),
            letter => mark.push(letter.to_digit(10).map_or(letter, |d| DIGITS[d as usize])),
        }
    }
    mark
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The names of a chat whose operator is called so.
    fn chat(host: &str) -> Names {
        let mut names = Names::default();
        names.call_operator(host);
        names
    }

    /// Whether a participant may have this name while `taken` is another's.
    fn beside(taken: &str, name: &str) -> Result<Box<str>, NameError> {
        let mut names = chat("Bob");
        let given = names.rename(1, 1, Some("user1"), taken, Instant::now());
        assert_eq!(given.as_deref(), Ok(taken));
        names.rename(2, 2, Some("user2"), name, Instant::now())
    }

    #[test]
    fn a_refusal_fits_a_terminal() {
        let name = "x".repeat(MAX_NAME);
        for refusal in [
            NameError::NoName,
            NameError::Mixed,
            NameError::RightToLeft,
            NameError::Taken,
            NameError::Same,
            NameError::Quiet,
        ] {
            let line = format!("* you are still {name}: {refusal}");
            assert!(line.len() <= 80, "{line}");
        }
    }

    #[test]
    fn nobody_can_look_like_somebody_else() {
        for taken in [
            "Ana",
            "ana",
            "ANA",
            "A-n-a",
            "Ana_",
            ".Ana", // the same but for what is overlooked
            "Ａｎａ",
            "\u{391}\u{39d}\u{391}", // in other letters
            "Bob",
            "bob",
            "B0b",
            "B.o.b",
            "host",
            "Host",
            "h0st",
            "muxnc", // not a participant
            "operator",
            "0perator",
            "Server",
            "system",
            "everybody",
            "you",
            "all",
            "ALL",
            "aII",
            "user",
            "user1",
            "user3",
            "User3",
            "user03",
            "user-3",
            "userl",
            "useriO",
            "user.10",
            "userz",
            "u5er8",
            "us3r4",
            "ｕｓｅｒ５",
        ] {
            assert_eq!(beside("Ana", taken), Err(NameError::Taken), "{taken}");
        }
        for (wrong, why) in [
            ("", NameError::NoName),
            (" ", NameError::NoName),
            ("two words", NameError::NoName),
            ("seventeen-letters", NameError::NoName),
            ("A<b>", NameError::NoName),
            ("* x", NameError::NoName),
            ("a\tb", NameError::NoName),
            ("a:b", NameError::NoName),
            ("7", NameError::NoName),
            ("\u{663}", NameError::NoName),
            ("1.2", NameError::NoName),
            ("ᴀɴᴀ", NameError::NoName), // in small capitals
            ("ʙob", NameError::NoName),
            ("ʜᴏꜱᴛ", NameError::NoName),
            ("-_.", NameError::NoName),
            ("Ana<U+202E>", NameError::NoName),
            ("An\u{202e}a", NameError::NoName),
            ("An\u{200b}a", NameError::NoName),
            ("\u{3164}x", NameError::NoName),
            ("\u{301}x", NameError::NoName),
            ("x\u{301}\u{302}\u{303}\u{304}\u{305}", NameError::NoName),
            ("^[[2J", NameError::NoName),
            ("\u{1f600}", NameError::NoName),
            ("\u{410}na", NameError::Mixed),
            ("p\u{430}ul", NameError::Mixed),
            ("\u{5d3}\u{5e0}\u{5d4}", NameError::RightToLeft),
            ("\u{639}\u{644}\u{64a}", NameError::RightToLeft),
        ] {
            assert_eq!(beside("Ana", wrong), Err(why), "{wrong:?}");
        }
        for fine in [
            "Bea",
            "user2x",
            "x",
            "sixteen-letters_",
            "7of9",
            "joined",
            "Ali",
            "Ally",
            "Al",
        ] {
            assert_eq!(beside("Ana", fine).as_deref(), Ok(fine), "{fine}");
        }
    }

    #[test]
    fn letters_of_any_script_that_is_read_from_the_left_are_names() {
        for name in [
            "José",
            "Müller",
            "漢字",
            "さくら",
            "タロー",
            "Ana漢",
            "김민수",
            "Ольга",
            "Ελένη",
            "Łukasz",
            "Nguyễn",
            "अनीता",
            "สมชาย",
            "Αχιλλέας",
        ] {
            assert_eq!(beside("Ana", name).as_deref(), Ok(name), "{name}");
            let mut names = chat(HOST);
            names
                .rename(7, 7, None, name, Instant::now())
                .expect("a name");
            assert_eq!(names.owner(name), Some(Owner::Member(7)));
            assert_eq!(names.owner(&name.to_uppercase()), Some(Owner::Member(7)));
            names.release(name, 7, Instant::now());
            assert_eq!(names.owner(name), None);
            let reserved = names.owners.len();
            assert_eq!(reserved, Names::default().owners.len(), "{name}");
        }
        // As it is written in one piece.
        let written = beside("Ana", "Jose\u{301}");
        assert_eq!(written.as_deref(), Ok("José"));
        assert_eq!(beside("Jose", "José").as_deref(), Ok("José"));
    }

    #[test]
    fn look_alike_letters_are_the_same() {
        for (name, other) in [
            ("Olli", "0LL1"),
            ("corn", "com"),
            ("modern", "modem"),
            ("swing", "svving"),
            ("daudia", "claudia"),
            ("Claudia", "cIaudia"),
            ("Strauß", "strauss"),
            ("око", "OKO"),
            ("Bob2", "8ob2"),
            ("Ana", "4na"),
            ("Eva", "3va"),
            ("Tess", "7e55"),
            ("Liz", "Li2"),
            ("Gus", "6us"),
            ("сосо", "coco"),
            ("Ольга", "ольга"),
            ("ΑΒΓ", "αβγ"),
            ("José", "JOSÉ"),
            ("Ⅷ", "viii"),
        ] {
            let name: String = name.nfkc().collect();
            assert_eq!(beside(&name, other), Err(NameError::Taken), "{other}");
            let lower = other.to_lowercase();
            let own = beside(&lower.nfkc().collect::<String>(), &name);
            assert_eq!(own, Err(NameError::Taken), "{name}");
        }
        // What only begins with the same letters is another name.
        for (name, other) in [("Lucia", "Luda"), ("Cindy", "Dndy"), ("Ana", "Anna")] {
            assert_eq!(beside(name, other).as_deref(), Ok(other));
        }
        // Numbers tell apart.
        let mut names = chat(HOST);
        for digit in 0..10 {
            let old = names.join(digit as usize + 1, digit + 1);
            let name = format!("student{digit}");
            let given = names.rename(
                digit as usize + 1,
                digit + 1,
                Some(&old),
                &name,
                Instant::now(),
            );
            assert_eq!(given.as_deref(), Ok(&*name));
        }
    }

    /// Beside the table of Unicode.
    /// Each letter small or capital, and an `l` as what looks like one.
    #[test]
    fn no_spelling_of_a_name_in_use_is_another_name() {
        let spellings = |name: &str| {
            let mut all = vec![String::new()];
            for letter in name.chars() {
                let others = if letter == 'l' { "I1" } else { "" };
                let letters = [letter, letter.to_ascii_uppercase()].into_iter();
                let letters: Vec<char> = letters.chain(others.chars()).collect();
                let longer = |begun: String| letters.iter().map(move |&l| format!("{begun}{l}"));
                all = all.into_iter().flat_map(longer).collect();
            }
            all
        };
        for name in spellings("all") {
            assert!(beside("Ana", &name).is_err(), "{name}");
        }
        for name in ["clara", "clive", "paul", "ciara", "vivian", "burnil"] {
            for owner in spellings(name).into_iter().step_by(7) {
                for other in spellings(name).iter().filter(|other| **other != owner) {
                    let found = beside(&owner, other);
                    assert!(found.is_err(), "{other} beside {owner}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn the_short_cut_for_ascii_is_the_skeleton() {
        let letters: Vec<char> = ('0'..='z').filter(char::is_ascii_alphanumeric).collect();
        for &one in &letters {
            for &other in &letters {
                let name = format!("{one}{other}");
                let (mut short, mut long) = (String::new(), String::new());
                short.extend(name.chars().map(of_ascii));
                long.extend(skeleton(&name));
                for (pair, one) in PAIRS {
                    short = short.replace(pair, one);
                    long = long.replace(pair, one);
                }
                assert_eq!(short, long, "{name}");
            }
        }
    }

    /// Of all that Unicode has: whatever looks like `-_.`, a dash, a stroke or a speck.
    #[test]
    fn no_letter_that_is_drawn_as_a_sign_makes_another_name() {
        let signs = "-_.~^`'\",:;*/\\\u{b7}\u{2b9}\u{2c8}\u{2ca}\u{2cc}\u{2cd}\u{2d0}\u{2d1}\u{2e2f}\u{a78f}";
        let looks = |letter: char| skeleton(&letter.to_string()).collect::<String>();
        let all = signs.chars().chain(STROKES.chars());
        let drawn: Vec<String> = all.map(looks).collect();
        let mut names = chat(HOST);
        let taken = names.rename(1, 1, None, "Ana", Instant::now());
        assert_eq!(taken.as_deref(), Ok("Ana"));
        let mut found = 0;
        for letter in '\u{1}'..=char::MAX {
            let looks = looks(letter);
            let is_drawn = |sign: &String| looks.replace(&**sign, "").is_empty();
            if !drawn.iter().any(is_drawn) {
                continue;
            }
            found += 1;
            for name in [
                format!("Ana{letter}"),
                format!("{letter}Ana"),
                format!("A{letter}na"),
                format!("Ana{letter}{letter}"),
                format!("host{letter}"),
                format!("{letter}host"),
            ] {
                let given = names.rename(2, 2, None, &name, Instant::now());
                assert!(given.is_err(), "{letter:?}: {name}");
            }
        }
        assert!(found > 100, "{found}");
    }

    #[test]
    fn strokes_are_letters_in_words() {
        for (one, other) in [
            ("郎", "一郎"),
            ("ユザ", "ユーザー"),
            ("リコ", "ノリコ"),
            ("李", "李一"),
            ("山", "丶山"),
        ] {
            assert_eq!(beside(one, other).as_deref(), Ok(other));
        }
        for name in ["一", "ー", "一ー", "丶", "-一", "\u{2bc}"] {
            assert_eq!(beside("Ana", name), Err(NameError::NoName), "{name}");
        }
        assert_eq!(beside("漢ー", "漢ーー"), Err(NameError::Taken));
    }

    #[test]
    fn names_by_number_are_all_different() {
        let mut names = chat(HOST);
        for number in 1..2000 {
            names.join(number as usize, number);
        }
        for number in 1..2000 {
            let owner = Some(Owner::Member(number as usize));
            assert_eq!(names.owner(&default_name(number)), owner);
        }
    }

    #[test]
    fn a_name_that_is_given_up_is_free() {
        let mut names = chat(HOST);
        for key in 1..=4 {
            names.join(key, key as u32);
        }
        let mut rename = |key: usize, old: &str, new: &str| {
            let renamed = names.rename(key, key as u32, Some(old), new, Instant::now());
            renamed.map(|name| assert_eq!(*name, *new))
        };
        assert_eq!(rename(1, "user1", "Ana"), Ok(()));
        assert_eq!(rename(1, "Ana", "Ana"), Err(NameError::Same));
        assert_eq!(
            rename(1, "Ana", "ANA"),
            Ok(()),
            "one's own, written otherwise"
        );
        assert_eq!(rename(2, "user2", "Ana"), Err(NameError::Taken));
        assert_eq!(
            rename(1, "ANA", "user1"),
            Ok(()),
            "back to one's own default"
        );
        assert_eq!(rename(2, "user2", "Ana"), Ok(()));
        assert_eq!(rename(3, "user3", "user2"), Err(NameError::Taken));
        assert_eq!(rename(4, "user4", "user4"), Err(NameError::Same));
        names.release("Ana", 3, Instant::now());
        let given = names.rename(3, 3, Some("user3"), "Ana", Instant::now());
        assert_eq!(given.as_deref(), Ok("Ana"), "it left");
        assert_eq!(names.owner("aNA"), Some(Owner::Member(3)));
        assert_eq!(names.owner("HOST"), Some(Owner::Operator));
        assert_eq!(names.owner("muxnc"), Some(Owner::Program));
        assert_eq!(names.owner("user3"), None);
    }

    #[test]
    fn the_operator_is_no_participant() {
        for name in ["host", "Bob", "mr.teacher", "user-x", "B\u{f6}b", "先生"] {
            assert!(is_free_for_host(name), "{name}");
        }
        for name in ["", "user1", "USER", "user-7", "two words", "12", "Ｂｏｂ"] {
            assert!(!is_free_for_host(name), "{name}");
        }
    }

    #[test]
    fn whose_a_name_was_is_known_for_as_long_as_it_takes_to_type() {
        let (mut names, start) = (chat("Bob"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let former = |names: &Names, number, seconds| {
            names.former("Ana", number, Asking::Member, at(seconds))
        };
        let take = |names: &mut Names, number: u32, name: &str, seconds| {
            let old = default_name(number);
            let taken = names.rename(number as usize, number, Some(&old), name, at(seconds));
            taken.expect("a name");
        };
        take(&mut names, 1, "Ana", 0);
        assert_eq!(former(&names, 1, 0), None);
        names.release("Ana", 1, at(10));
        // Another takes it, however long after, by a name that looks like it, and gives it to a third.
        take(&mut names, 2, "ana", 100);
        assert_eq!(former(&names, 2, 114), Some(Former::Number(1)));
        names.release("ana", 2, at(114));
        take(&mut names, 3, "Ana", 120);
        assert_eq!(former(&names, 3, 134), Some(Former::Number(1)));
        assert_eq!(former(&names, 3, 135), None);
        // Who has it again had it before.
        names.release("Ana", 3, at(140));
        take(&mut names, 3, "Ana", 140);
        assert_eq!(former(&names, 3, 140), None);
        // Who gave it away knows whose it is, and nobody else does.
        names.release("Ana", 3, at(150));
        take(&mut names, 4, "Ana", 150);
        names.note_given("Ana");
        assert_eq!(names.former("Ana", 4, Asking::Operator, at(151)), None);
        assert_eq!(former(&names, 4, 151), Some(Former::Number(3)));
        // This holds for this name only.
        names.release("Ana", 4, at(152));
        take(&mut names, 5, "Ana", 153);
        assert_eq!(
            names.former("Ana", 5, Asking::Operator, at(153)),
            Some(Former::Number(4))
        );
        // Reserved names are not kept, and only a bounded number of the others.
        for number in 10..20_000 {
            let name = names.join(number as usize, number);
            names.release(&name, number, at(160));
            take(&mut names, number, &format!("Ben.{number}"), 160);
            names.release(&format!("Ben.{number}"), number, at(160));
        }
        assert!(names.handovers.len() <= 4096);
        // Whatever is taken now may have been another's, also by who takes one name after the other.
        take(&mut names, 7, "Cem", 160);
        names.release("Cem", 7, at(161));
        take(&mut names, 8, "Cem", 162);
        assert_eq!(
            names.former("Cem", 8, Asking::Member, at(176)),
            Some(Former::Forgotten)
        );
        assert_eq!(names.former("Cem", 8, Asking::Member, at(177)), None);
        names.note_given("Cem");
        assert_eq!(names.former("Cem", 8, Asking::Operator, at(163)), None);
        for number in 0..100 {
            take(&mut names, 9, &format!("Cat.{number}"), 170);
            names.release(&format!("Cat.{number}"), 9, at(170));
        }
        assert!(names.handovers.len() <= 4096 + 2);
        names.release("Ana", 5, at(1000));
        take(&mut names, 6, "Ana", 1000);
        assert_eq!(former(&names, 6, 1000), Some(Former::Number(5)));
        // When the owner is back, the one that had the name meanwhile may be meant.
        names.release("Ana", 6, at(1014));
        take(&mut names, 5, "Ana", 1014);
        assert_eq!(former(&names, 5, 1014), Some(Former::Number(6)));
        assert_eq!(former(&names, 5, 1029), None);
        names.release("Ana", 5, at(1030));
        take(&mut names, 5, "Ana", 1031);
        assert_eq!(former(&names, 5, 1031), None);
    }
}
