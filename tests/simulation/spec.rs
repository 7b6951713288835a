//! What should happen, said as simply as possible: one plain buffer of what each member is still to be
//! handed, one for the screen, the unfinished line of each speaker, and what was said on trial.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::chat::Rules;
use muxnc::engine::limiter;
use muxnc::engine::limiter::Limiter;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::names::NameError;
use muxnc::engine::request::Request;
use muxnc::engine::request::request;
use muxnc::hub::peers::MOMENT;

use crate::replay::expect;

/// What whoever joins a chat that has a welcome reads first.
pub(crate) const WELCOME: &str = "say /help";

/// How long somebody stays in a chat until everybody hears of it.
const ANNOUNCED_AFTER: Duration = Duration::from_secs(2);

/// The speaker of what the operator says; members are numbered from 1.
const OPERATOR: u32 = 0;

/// What somebody acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acked {
    /// Bytes.
    pub(crate) count: u64,
    /// Any of them was written after its end was noticed.
    pub(crate) is_proven: bool,
    /// All that was written before its end was noticed, and that was something.
    pub(crate) is_to_its_end: bool,
}

/// Whether a member is known to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    Unconfirmed,
    Listener,
    /// It left, and what it said before is still to be heard.
    Gone,
}

/// What is known of one member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) number: u32,
    pub(crate) presence: Presence,
    pub(crate) since: Instant,
    /// What it is to be handed next, and all it ever was or is to be.
    pub(crate) owed: VecDeque<u8>,
    pub(crate) total: u64,
    /// What it is told before everything else: what was kept for it.
    told_first: u64,
    /// How much of all that it had been handed when its end was noticed.
    handed_at_end: Option<u64>,
    /// Where in that the operator's last word ends.
    pub(crate) last_word: u64,
    /// What it had acknowledged when it lost its place: what it acknowledges after that does not count.
    acked_here: Option<u64>,
    /// It takes no more: what others say is not for it. How much had been said to everybody until then.
    pub(crate) deaf: bool,
    pub(crate) deaf_since: u64,
    /// Where the shared stream was when this one was last owed nothing.
    pub(crate) caught_up: u64,
    announced: bool,
    /// It is no port check.
    has_said: bool,
    /// It came in the middle of a line, and so much of the rest of that it was not handed.
    late: Option<usize>,
    /// What it was handed of what others said ends in the middle of a line.
    midline: bool,
    /// Its end was read.
    silent: bool,
    line: Line,
    /// In a chat.
    pub(crate) name: String,
    /// Only of one that may return.
    pub(crate) stream: Option<Stream>,
}

/// All that a member that may return was ever to be handed, though it may be gone meanwhile.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stream {
    /// The places where it begins, and where its reader is, as far as that was handed it.
    pub(crate) base: usize,
    pub(crate) place: usize,
    pub(crate) bytes: Vec<u8>,
    /// Where in that it differs from everybody's, and by how many bytes.
    pub(crate) edits: Vec<(usize, usize)>,
}

impl Member {
    /// One that has just come, to which nothing was said yet, when so much had been said to everybody.
    fn new(number: u32, name: String, since: Instant, said: u64) -> Member {
        Member {
            number,
            presence: Presence::Here,
            since,
            owed: VecDeque::new(),
            total: 0,
            told_first: 0,
            handed_at_end: None,
            last_word: 0,
            acked_here: None,
            deaf: false,
            deaf_since: 0,
            caught_up: said,
            announced: false,
            has_said: false,
            late: None,
            midline: false,
            silent: false,
            line: Line::default(),
            name,
            stream: None,
        }
    }

    /// Whether somebody reads what it acknowledged: the kernel of a port check acknowledges, too.
    pub(crate) fn has_stayed(&self, now: Instant) -> bool {
        self.has_said || self.since + MOMENT <= now
    }

    /// How much of that is the rest of a line whose beginning it has not got.
    fn misses(&mut self, bytes: &[u8]) -> usize {
        let Some(skipped) = &mut self.late else {
            return 0;
        };
        let line = memchr::memchr(b'\n', bytes).map(|end| end + 1);
        let count = line.unwrap_or(bytes.len()).min(MAX_LINE - *skipped);
        *skipped += count;
        if line.is_some() || *skipped == MAX_LINE {
            self.late = None;
        }
        count
    }

    /// Its stream goes on with that.
    fn note_end(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.midline = *last != b'\n';
        }
    }

    /// It alone is to be handed that.
    fn is_told(&mut self, text: &[u8]) {
        if let Some(stream) = &mut self.stream {
            stream.edits.push((stream.bytes.len(), text.len()));
            stream.bytes.extend(text);
        }
        if !self.deaf {
            self.owed.extend(text);
            self.total += text.len() as u64;
        }
    }

    /// Everybody is told that, and it may be gone; or all but this one, whose own it is.
    fn hears(&mut self, bytes: &[u8], is_own: bool) {
        if !is_own {
            self.note_end(bytes);
        }
        if let Some(stream) = &mut self.stream {
            match is_own {
                true => stream.edits.push((stream.bytes.len(), bytes.len())),
                false => stream.bytes.extend(bytes),
            }
        }
        if !self.deaf && !is_own {
            self.owed.extend(bytes);
            self.total += bytes.len() as u64;
        }
    }

    /// Bytes that it acknowledged as long as it had its place, of so many in all.
    pub(crate) fn acked(&self, count: u64) -> u64 {
        self.acked_here.unwrap_or(count)
    }

    pub(crate) fn is_known(&self) -> bool {
        matches!(self.presence, Presence::Here | Presence::Listener)
    }
}

/// An unfinished line, and how much of it is on the screen.
#[derive(Debug, Default)]
struct Line {
    held: Vec<u8>,
    shown: usize,
}

/// A piece of what was said on trial, and where it begins in whose stream.
#[derive(Debug)]
struct Piece {
    text: Vec<u8>,
    starts: Vec<(usize, u64)>,
}

/// Who wrote last to a stream that several write to, and whether in the middle of a line, which it
/// will not go on with.
#[derive(Debug, Default)]
struct Speaker {
    number: u32,
    midline: bool,
    left: bool,
    /// It is back since it left.
    is_back: bool,
}

/// Who comes to a chat and leaves it is announced, but not more than so many.
#[derive(Debug)]
struct Announced {
    limiter: Limiter,
    /// Those who were not.
    joined: usize,
    left: usize,
}

/// The whole hub as it should be.
#[derive(Debug)]
pub(crate) struct Spec {
    /// When this turn is.
    pub(crate) now: Instant,
    announced: Announced,
    pub(crate) relay: bool,
    pub(crate) chat: bool,
    pub(crate) rules: Rules,
    /// It begins as one whole for so many, so that what was said on trial is everybody's.
    pub(crate) quorum: Option<usize>,
    /// Everybody who ever joined, and who is in the room, by the order of their coming.
    pub(crate) members: BTreeMap<usize, Member>,
    pub(crate) here: Vec<usize>,
    /// Who was lost and may return; what somebody says alone is kept for them, if there may be any.
    pub(crate) lost: Vec<usize>,
    pub(crate) may_return: bool,
    pub(crate) joined: u32,
    /// Bytes said to everybody.
    pub(crate) said: u64,
    log: Speaker,
    /// What is to be shown next, and by whom the last of it was said.
    pub(crate) screen: VecDeque<u8>,
    pub(crate) shows: bool,
    shown: Speaker,
    /// What the hub showed of a line of a chat that is not complete.
    unfinished: Vec<u8>,
    operator: Vec<u8>,
    /// Nobody is known to read what the operator says now.
    pub(crate) on_trial: bool,
    /// Somebody who is there acknowledged something, though the core may not know it yet.
    is_read: bool,
    kept: Vec<Piece>,
}

impl Speaker {
    /// Takes note of what somebody says. Returns whether a line feed comes before it, and who left the
    /// line that it ends.
    fn says(&mut self, number: u32, bytes: &[u8]) -> Option<u32> {
        let &last = bytes.last()?;
        let author = self.number;
        let glued = self.midline && self.left && (author != number || self.is_back);
        *self = Speaker {
            number,
            midline: last != b'\n',
            left: false,
            is_back: false,
        };
        glued.then_some(author)
    }

    fn leaves(&mut self, number: u32) {
        self.left |= self.midline && self.number == number;
    }

    /// One of that number is back: what it left is not its to go on with.
    fn parts(&mut self, number: u32) {
        self.is_back |= self.left && self.number == number;
    }
}

impl Spec {
    /// A hub at that time, which announces so many at once, and in a stall timeout 400.
    pub(crate) fn new(
        relay: bool,
        chat: bool,
        announced: u32,
        stall_timeout: Duration,
        now: Instant,
    ) -> Spec {
        let each = limiter::EACH.max(stall_timeout / 400);
        Spec {
            now,
            announced: Announced {
                limiter: Limiter::new(announced, each),
                joined: 0,
                left: 0,
            },
            relay,
            chat,
            rules: Rules::of("host"),
            quorum: None,
            members: BTreeMap::new(),
            here: Vec::new(),
            lost: Vec::new(),
            may_return: false,
            joined: 0,
            said: 0,
            log: Speaker::default(),
            screen: VecDeque::new(),
            shows: true,
            shown: Speaker::default(),
            unfinished: Vec::new(),
            operator: Vec::new(),
            on_trial: true,
            is_read: false,
            kept: Vec::new(),
        }
    }

    /// Somebody joins. It is told first what nobody is known to have heard.
    pub(crate) fn joins(&mut self, id: usize, now: Instant, acked: impl Fn(usize) -> Acked) {
        self.joins_to_return(id, false, now, acked);
    }

    /// The same; it may return when it was lost, or not.
    pub(crate) fn joins_to_return(
        &mut self,
        id: usize,
        may_return: bool,
        now: Instant,
        acked: impl Fn(usize) -> Acked,
    ) {
        self.forget_heard(acked);
        self.joined += 1;
        self.begins(id, self.joined, may_return.then(Stream::default), now);
    }

    /// A member begins as newcomers do.
    fn begins(&mut self, id: usize, number: u32, stream: Option<Stream>, now: Instant) {
        let name = format!("user{number}");
        let mut member = Member {
            late: self.is_midline().then_some(0),
            stream,
            ..Member::new(number, name, now, self.said)
        };
        if let Some(welcome) = self.rules.welcome.as_ref().filter(|_| self.chat) {
            member.is_told(format!("* {welcome}\n").as_bytes());
        }
        for piece in &mut self.kept {
            piece.starts.push((id, member.total));
            member.owed.extend(&piece.text);
            member.total += piece.text.len() as u64;
            member.note_end(&piece.text);
            member.last_word = member.total;
        }
        member.told_first = member.total;
        self.members.insert(id, member);
        self.here.push(id);
    }

    /// One that was lost is here again, over another connection: its number is the one it had, and so is its
    /// name, unless somebody else has that now; and its stream goes on after so many bytes.
    pub(crate) fn returns(&mut self, id: usize, former: usize, from: usize, now: Instant) {
        let number = self.is_back(former);
        let old = &self.members[&former];
        let mut stream = old.stream.clone().expect("it may return");
        let rest = from.checked_sub(stream.base);
        let rest = rest.and_then(|from| stream.bytes.get(from..));
        let rest = rest.expect("it was to be handed that");
        stream.place = from;
        let member = Member {
            owed: rest.iter().copied().collect(),
            total: stream.bytes.len() as u64,
            midline: old.midline,
            stream: Some(stream),
            ..Member::new(number, format!("user{number}"), now, self.said)
        };
        self.members.insert(id, member);
        self.here.push(id);
        self.takes_its_name(id, former);
    }

    /// The same where its stream cannot go on: it begins as those of newcomers do, at another place than any that it
    /// may know.
    pub(crate) fn returns_anew(
        &mut self,
        id: usize,
        former: usize,
        now: Instant,
        acked: impl Fn(usize) -> Acked,
    ) {
        let number = self.is_back(former);
        self.forget_heard(acked);
        let before = self.members[&former].stream.as_ref();
        let begins = before.expect("it may return").place + 1;
        let stream = Stream {
            base: begins,
            place: begins,
            ..Stream::default()
        };
        self.begins(id, number, Some(stream), now);
        self.takes_its_name(id, former);
    }

    /// One that was lost is here again. Returns its number.
    fn is_back(&mut self, former: usize) -> u32 {
        self.lost.retain(|&other| other != former);
        let number = self.members[&former].number;
        self.shown.parts(number);
        self.log.parts(number);
        number
    }

    fn takes_its_name(&mut self, id: usize, former: usize) {
        let name = self.members[&former].name.clone();
        let is_taken = self.here.iter().any(|id| self.members[id].name == name);
        if name != self.members[&id].name && !is_taken {
            self.member(id).name = name;
            self.announce_joined(id);
        }
    }

    pub(crate) fn leaves(&mut self, id: usize) {
        self.takes_no_more(id);
        self.ends_line(id);
        self.here.retain(|&other| other != id);
        let member = &mut self.members.get_mut(&id).expect("it joined");
        member.owed = VecDeque::new();
        let name = member.name.clone();
        if member.stream.is_some() {
            self.lost.push(id);
        }
        if member.announced {
            match self.announced.limiter.count(1, self.now) {
                true => self.announce(&format!("{name} left")),
                false => self.announced.left += 1,
            }
        }
        self.show_the_last();
    }

    /// A member's end was read: it says no more, and may be gone.
    pub(crate) fn ends(&mut self, id: usize, acked: impl Fn(usize) -> Acked) {
        self.forget_heard(&acked);
        self.ends_line(id);
        self.ends_unheard(id, acked);
        if !self.chat {
            self.member(id).silent = true;
            self.show_the_last();
        }
    }

    /// A member ended its side and may be gone, though not all that it said was heard.
    pub(crate) fn ends_unheard(&mut self, id: usize, acked: impl Fn(usize) -> Acked) {
        self.forget_heard(acked);
        if !self.chat && self.members[&id].presence == Presence::Here {
            let member = self.member(id);
            member.presence = Presence::Unconfirmed;
            member.handed_at_end = Some(member.total - member.owed.len() as u64);
        }
    }

    /// Whatever of a trial somebody has acknowledged some of is not told to a newcomer again; and all
    /// is over as soon as somebody acknowledged anything who is known to be there.
    pub(crate) fn forget_heard(&mut self, acked: impl Fn(usize) -> Acked) {
        if self.quorum.is_some() {
            self.is_read = !self.on_trial;
            return;
        }
        self.is_read = false;
        // What a member acknowledged whose connection broke was asked then.
        for id in self.placed() {
            let (acked, member) = (acked(id), &self.members[&id]);
            let is_known = acked.is_proven || member.is_known();
            if is_known && acked.count > 0 && member.has_stayed(self.now) {
                self.is_read = true;
                self.kept.clear();
            }
            // Who is gone by now heard what it was handed before its end, if it was through with what it
            // was told first.
            let end = member.handed_at_end.filter(|&end| end >= member.told_first);
            let is_heard = acked.is_to_its_end && member.has_stayed(self.now);
            if let Some(end) = end.filter(|_| is_heard) {
                let was_handed = |piece: &Piece| {
                    let length = piece.text.len() as u64;
                    let mut starts = piece.starts.iter();
                    starts.any(|&(who, start)| who == id && start + length <= end)
                };
                self.kept.retain(|piece| !was_handed(piece));
            }
        }
    }

    /// Newcomers came, so that it was asked who reads: the trial is over if somebody does, and begins if the
    /// one who did made way.
    pub(crate) fn settles_trial(&mut self) {
        if self.quorum.is_none() {
            self.on_trial = !self.is_read;
        }
    }

    /// The trial is over.
    pub(crate) fn ends_trial(&mut self) {
        self.kept.clear();
    }

    /// Bytes said on trial that nobody is known to have heard.
    pub(crate) fn unheard(&self) -> usize {
        self.kept.iter().map(|piece| piece.text.len()).sum()
    }

    /// How many are known to be there.
    pub(crate) fn known(&self) -> usize {
        let here = self.here.iter();
        here.filter(|id| self.members[id].is_known()).count()
    }

    /// Those who take a place.
    pub(crate) fn placed(&self) -> Vec<usize> {
        let here = self.here.iter().copied();
        here.filter(|id| self.members[id].presence != Presence::Gone)
            .collect()
    }

    /// A member left, and what it said before is still to be heard.
    pub(crate) fn departs(&mut self, id: usize, acked: impl Fn(usize) -> Acked) {
        self.forget_heard(&acked);
        self.takes_no_more(id);
        let member = self.member(id);
        member.acked_here.get_or_insert(acked(id).count);
        member.owed.clear();
        member.presence = Presence::Gone;
    }

    /// A member said `bytes`.
    pub(crate) fn heard(&mut self, id: usize, bytes: &[u8]) {
        self.member(id).has_said |= !bytes.is_empty();
        if self.chat {
            for &byte in bytes {
                let held = &mut self.member(id).line.held;
                if byte != b'\n' {
                    held.push(byte);
                }
                if byte == b'\n' || held.len() == MAX_LINE {
                    self.chat_line(id);
                }
            }
            return;
        }
        let line = &mut self.member(id).line;
        line.held.extend(bytes);
        let whole = whole(&line.held);
        self.pass(id, whole);
        let alone = self.here.len() == 1 || self.only_speaker() == Some(id);
        if alone {
            self.show_beginning(id);
        }
    }

    /// What a speaker has begun is passed on as it is: it will not go on with it.
    fn ends_line(&mut self, id: usize) {
        let held = self.member(id).line.held.len();
        match self.chat {
            true if held > 0 => self.chat_line(id),
            true => {}
            false => self.pass(id, held),
        }
        let number = self.member(id).number;
        self.shown.leaves(number);
        self.log.leaves(number);
    }

    /// The operator said `bytes`.
    pub(crate) fn typed(&mut self, bytes: &[u8]) {
        self.operator.extend(bytes);
        if self.chat {
            let said = std::mem::take(&mut self.operator);
            let mut rest = &said[..];
            loop {
                let start = &rest[..rest.len().min(MAX_LINE)];
                match start.iter().position(|&byte| byte == b'\n') {
                    Some(end) => {
                        self.host_line(&rest[..end]);
                        rest = &rest[end + 1..];
                    }
                    None if start.len() == MAX_LINE => {
                        self.host_line(start);
                        rest = &rest[MAX_LINE..];
                    }
                    None => break,
                }
            }
            self.operator = rest.to_vec();
            return;
        }
        let whole = match self.relay {
            true => whole(&self.operator),
            false => self.operator.len(),
        };
        let bytes: Vec<u8> = self.operator.drain(..whole).collect();
        self.operator_says(&bytes);
    }

    /// The operator will say no more.
    pub(crate) fn typed_all(&mut self) {
        let rest = std::mem::take(&mut self.operator);
        match self.chat {
            true if !rest.is_empty() => self.host_line(&rest),
            _ => self.operator_says(&rest),
        }
        self.log.leaves(OPERATOR);
    }

    fn host_line(&mut self, line: &[u8]) {
        self.operator_says(&[b"<host> ", line, b"\n"].concat());
    }

    fn operator_says(&mut self, bytes: &[u8]) {
        if !self.chat {
            self.separate(OPERATOR, bytes);
        }
        if bytes.is_empty() {
            return;
        }
        if self.on_trial {
            let here = self.here.iter().filter(|id| !self.members[id].deaf);
            self.kept.push(Piece {
                text: bytes.to_vec(),
                starts: here.map(|id| (*id, self.members[id].total)).collect(),
            });
        }
        self.say(bytes, None);
        for id in &self.here {
            let member = self.members.get_mut(id).expect("it joined");
            member.last_word = match member.deaf {
                true => u64::MAX,
                false => member.total,
            };
        }
    }

    /// So much of a member's line goes to the screen, and if they hear each other, to the others.
    fn pass(&mut self, id: usize, count: usize) {
        if count == 0 {
            return;
        }
        self.show(id, count);
        let line = &mut self.member(id).line;
        line.shown -= count;
        let bytes: Vec<u8> = line.held.drain(..count).collect();
        if self.relay && self.is_heard() {
            let number = self.member(id).number;
            self.separate(number, &bytes);
            self.say(&bytes, Some(id));
        }
    }

    /// The hub showed that: it must be what was to be shown next, and announcements.
    pub(crate) fn expect_shown(&mut self, bytes: &[u8]) {
        if !self.chat {
            return expect(&mut self.screen, bytes, format_args!("the screen shows"));
        }
        // Who comes and goes is not announced to a stdout that is stuck.
        self.unfinished.extend(bytes);
        let whole = memchr::memrchr(b'\n', &self.unfinished).map_or(0, |lf| lf + 1);
        for line in self.unfinished[..whole].split_inclusive(|&byte| byte == b'\n') {
            let is_private = memchr::memmem::find(line, b" said something to ").is_some();
            if !line.starts_with(b"* ") || is_private {
                expect(&mut self.screen, line, format_args!("the screen shows"));
            }
        }
        self.unfinished.drain(..whole);
    }

    /// So much of what a member has begun is shown, if it was not.
    fn show(&mut self, id: usize, count: usize) {
        let member = self.members.get_mut(&id).expect("it joined");
        let line = &mut member.line;
        let count = count.min(line.held.len());
        if line.shown >= count {
            return;
        }
        let bytes = &line.held[line.shown..count];
        if self.shows {
            if self.shown.says(member.number, bytes).is_some() {
                self.screen.push_back(b'\n');
            }
            self.screen.extend(bytes);
        }
        line.shown = count;
    }

    /// Alone: what it began to say need not wait for its end.
    fn show_the_last(&mut self) {
        if !self.chat
            && let Some(last) = self.only_speaker()
        {
            self.show_beginning(last);
        }
    }

    /// Shows what a member has begun to say before its end: nobody else goes on with that, whatever comes first.
    fn show_beginning(&mut self, id: usize) {
        self.show(id, usize::MAX);
        let (number, is_begun) = (self.member(id).number, self.member(id).line.shown > 0);
        if is_begun {
            self.shown.leaves(number);
        }
    }

    /// The one that is known to be there, if there is one, and of all others nothing is to be heard.
    fn only_speaker(&self) -> Option<usize> {
        let (mut known, others): (Vec<_>, Vec<_>) =
            (self.here.iter()).partition(|id| self.members[id].is_known());
        let is_only = known.len() == 1 && others.iter().all(|id| self.members[id].silent);
        known.pop().filter(|_| is_only)
    }

    /// A line of a member is passed on, or what it asks for is done.
    fn chat_line(&mut self, id: usize) {
        let held = std::mem::take(&mut self.member(id).line.held);
        let name = self.members[&id].name.clone();
        let words = String::from_utf8_lossy(&held);
        let (to, text) = match request(&words) {
            Some(Request::Nick(name)) => return self.nick(id, name),
            None => return self.chat_text(id, &held),
            Some(Request::Me(what)) => return self.chat_text(id, format!("*{what}*").as_bytes()),
            Some(Request::Message { to, text }) => (to, text),
            // Its end did not come.
            Some(Request::Incomplete(written)) => {
                return self.answer(id, &format!("that is written {written}"));
            }
            Some(Request::Unknown(word)) => {
                let text = format!("/{word} is no command, and was not said: /help lists them");
                return self.answer(id, &text);
            }
            Some(asked) => panic!("{asked:?} was not sent"),
        };
        let mut here = self.placed().into_iter();
        let other = here.find(|other| self.members[other].name == to);
        let told = format!("<{name}, to you alone> {text}\n");
        match other {
            _ if to == "host" => {
                self.announce_joined(id);
                self.show_text(&told);
            }
            None => {
                let text = format!("nobody here is called {to}: /names lists everybody");
                return self.answer(id, &text);
            }
            Some(other) if other == id => return self.answer(id, "that is you"),
            Some(_) if !self.relay => return self.answer(id, "only host hears you now"),
            Some(other) => {
                self.announce_joined(id);
                self.member(other).is_told(told.as_bytes());
                self.show_text(&match self.rules.open_messages {
                    true => format!("<{name}, to {to} alone> {text}\n"),
                    false => format!("* {name} said something to {to} alone\n"),
                });
            }
        }
        self.answer(id, &format!("only {to} was told"));
    }

    /// A member wants to be called so; who is gone does not keep its name.
    fn nick(&mut self, id: usize, name: &str) {
        let old = self.members[&id].name.clone();
        let mut others = self.here.iter().copied().filter(|&other| other != id);
        let owner = others.find(|id| self.members[id].name == name);
        let is_gone = |id: &usize| self.members[id].presence == Presence::Gone;
        let refusal = match owner {
            _ if !self.relay => NameError::Quiet,
            // It lost its way in the middle of the line.
            _ if name.is_empty() => NameError::NoName,
            _ if old == name => NameError::Same,
            Some(owner) if !is_gone(&owner) => NameError::Taken,
            owner => {
                if let Some(owner) = owner {
                    let member = self.member(owner);
                    member.name = format!("user{}", member.number);
                    let (default, was_announced) = (member.name.clone(), member.announced);
                    match was_announced {
                        true => self.announce(&format!("{name} is now {default}")),
                        false => self.announce_joined(owner),
                    }
                }
                self.member(id).name = name.into();
                return match self.members[&id].announced {
                    true => self.announce(&format!("{old} is now {name}")),
                    false => self.announce_joined(id),
                };
            }
        };
        self.answer(id, &format!("you are still {old}: {refusal}"));
    }

    /// A member is told something by the program.
    fn answer(&mut self, id: usize, text: &str) {
        self.member(id).is_told(format!("* {text}\n").as_bytes());
    }

    fn show_text(&mut self, text: &str) {
        if self.shows {
            self.screen.extend(text.as_bytes());
        }
    }

    /// A member says that to everybody.
    fn chat_text(&mut self, id: usize, words: &[u8]) {
        self.announce_joined(id);
        let mut text = format!("<{}> ", self.members[&id].name).into_bytes();
        text.extend(words);
        text.push(b'\n');
        if self.shows {
            self.screen.extend(&text);
        }
        if self.relay && self.is_heard() {
            self.say(&text, Some(id));
        }
    }

    /// Who has stayed for a while is announced, and how many were not.
    pub(crate) fn announce_due(&mut self) {
        if !self.chat {
            return;
        }
        for id in self.here.clone() {
            if self.members[&id].since + ANNOUNCED_AFTER <= self.now {
                self.announce_joined(id);
            }
        }
        if self.announced.limiter.take_untold(self.now).is_some() {
            let joined = std::mem::take(&mut self.announced.joined);
            let left = std::mem::take(&mut self.announced.left);
            match (joined, left) {
                (joined, 0) => self.announce(&format!("{joined} more joined")),
                (0, left) => self.announce(&format!("{left} more left")),
                _ => self.announce(&format!("{joined} more joined, {left} left")),
            }
        }
    }

    fn announce_joined(&mut self, id: usize) {
        let member = self.member(id);
        if !std::mem::replace(&mut member.announced, true) {
            let name = member.name.clone();
            match self.announced.limiter.count(1, self.now) {
                true => self.announce(&format!("{name} joined")),
                false => self.announced.joined += 1,
            }
        }
    }

    fn announce(&mut self, what: &str) {
        self.say(format!("* {what}\n").as_bytes(), None);
    }

    /// Where a speaker left an unfinished line, it ends before another's words; who has not got any of that
    /// line, as the speaker, or who joined behind it, is not handed its end.
    fn separate(&mut self, number: u32, bytes: &[u8]) {
        if let Some(author) = self.log.says(number, bytes) {
            let mut all = self.here.iter().chain(&self.lost);
            let author = all.find(|id| self.members[id].number == author);
            let author = author.copied();
            self.say_but_to(b"\n", |id, member| author == Some(id) || !member.midline);
        }
    }

    /// Whether the operator is in the middle of a line that somebody hears.
    fn is_midline(&self) -> bool {
        self.log.midline && !self.relay && !self.chat && self.is_read
    }

    /// Whether what a member says is for anybody but the operator.
    fn is_heard(&self) -> bool {
        self.here.len() > 1 || self.may_return
    }

    /// Everybody here is to be handed it, but not its author.
    fn say(&mut self, bytes: &[u8], author: Option<usize>) {
        self.say_but_to(bytes, |id, _| author == Some(id));
    }

    /// The same, but not who `lacks` it.
    fn say_but_to(&mut self, bytes: &[u8], lacks: impl Fn(usize, &Member) -> bool) {
        self.said += bytes.len() as u64;
        for &id in &self.here {
            let member = self.members.get_mut(&id).expect("it joined");
            if !self.is_read {
                member.late = None;
            }
            let bytes = &bytes[member.misses(bytes)..];
            let lacks = lacks(id, member);
            member.hears(bytes, lacks);
            if member.owed.is_empty() {
                member.caught_up = self.said;
            }
        }
        for id in &self.lost {
            let member = self.members.get_mut(id).expect("it joined");
            let lacks = lacks(*id, member);
            member.hears(bytes, lacks);
        }
    }

    /// What is said from now on is not for a member.
    pub(crate) fn takes_no_more(&mut self, id: usize) {
        let said = self.said;
        let member = self.member(id);
        if !std::mem::replace(&mut member.deaf, true) {
            member.deaf_since = said;
        }
    }

    pub(crate) fn member(&mut self, id: usize) -> &mut Member {
        self.members.get_mut(&id).expect("it joined")
    }
}

/// How much of what is held is to be passed on: whole lines, or all if it has become too long.
fn whole(held: &[u8]) -> usize {
    let whole = memchr::memrchr(b'\n', held).map_or(0, |end| end + 1);
    match held.len() - whole < MAX_LINE {
        true => whole,
        false => held.len(),
    }
}
