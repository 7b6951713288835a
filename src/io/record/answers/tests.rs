//! What is kept of answers on a disk that is full for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::engine::answers::number_of_row;

/// A folder on a disk with so much room.
#[derive(Default)]
struct Disk {
    room: usize,
    files: BTreeMap<String, Vec<u8>>,
    index: Vec<u8>,
}

impl Disk {
    fn take(&mut self, len: usize) -> Result<usize, Errno> {
        let taken = len.min(self.room);
        self.room -= taken;
        if taken > 0 {
            Ok(taken)
        } else {
            Err(Errno::NOSPC)
        }
    }
}

impl Store for Disk {
    fn path(&self) -> &Path {
        Path::new("answers")
    }

    fn append(&mut self, number: u32, is_there: bool, bytes: &[u8]) -> Result<usize, Errno> {
        let name = file_name(number, None);
        if !is_there && self.files.contains_key(&name) {
            return Err(Errno::EXIST);
        }
        let taken = self.take(bytes.len())?;
        self.files.entry(name).or_default().extend(&bytes[..taken]);
        Ok(taken)
    }

    fn name(&mut self, number: u32, name: Option<&str>) -> String {
        let (old, new) = (file_name(number, None), file_name(number, name));
        let file = self.files.remove(&old).expect("a file that is named");
        assert!(self.files.insert(new.clone(), file).is_none());
        new
    }

    fn note(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let taken = self.take(bytes.len())?;
        self.index.extend(&bytes[..taken]);
        Ok(taken)
    }
}

/// A participant, and what is to be kept of it.
#[derive(Default)]
struct Member {
    state: State,
    said: usize,
    /// What it said, but for what was refused when it said it.
    kept: Vec<u8>,
    refused: usize,
    has_row: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Here,
    MayReturn,
    Gone,
}

#[derive(Debug, Clone)]
enum Op {
    Join,
    Say(usize, usize),
    Leave(usize),
    Return(usize),
    Gone(usize),
    /// So many come, say nothing and leave for good.
    PortChecks(usize),
    /// So much can be written from now on.
    Room(usize),
    /// A turn is over, and a long time as well.
    Turn,
}

struct World {
    answers: Answers<Disk>,
    members: Vec<Member>,
    now: Instant,
}

impl World {
    fn new(room: usize) -> World {
        let disk = Disk {
            room,
            ..Disk::default()
        };
        World {
            answers: Answers::new(disk),
            members: Vec::new(),
            now: Instant::now(),
        }
    }

    fn join(&mut self) -> usize {
        self.members.push(Member::default());
        let at = self.members.len() - 1;
        self.answers.joined(World::number(at), "then");
        at
    }

    fn number(at: usize) -> u32 {
        u32::try_from(at).expect("a small number") + 1
    }

    fn say(&mut self, at: usize, len: usize) {
        let member = &mut self.members[at];
        let scrambled = |at: usize| (at.wrapping_mul(0x9e37_79b9) >> 16) as u8;
        let bytes: Vec<u8> = (member.said..member.said + len).map(scrambled).collect();
        let missing = self.answers.missing;
        self.answers.said(World::number(at), &bytes);
        let refused =
            usize::try_from(self.answers.missing - missing).expect("no more than was said");
        member.said += len;
        member.kept.extend(&bytes[..len - refused]);
        member.refused += refused;
        if refused > 0 {
            let would_be = self.answers.held.drawn() + refused + SPEAKER;
            assert!(would_be > LIMIT, "{refused} bytes would have had room");
        }
    }

    fn leave(&mut self, at: usize) {
        let who = Who {
            number: World::number(at),
            addr: &"somewhere",
            name: Some("Ana"),
        };
        self.answers.left(who, 0, "now");
        self.members[at].state = State::MayReturn;
    }

    fn gone(&mut self, at: usize) {
        let missing = self.answers.rows_missing;
        self.answers.gone(World::number(at));
        let member = &mut self.members[at];
        member.state = State::Gone;
        member.has_row = self.answers.rows_missing == missing;
        if !member.has_row {
            let file = self
                .answers
                .folder
                .files
                .get(&file_name(World::number(at), None));
            let written = file.map_or(0, Vec::len);
            assert_eq!(written, member.kept.len(), "words wait, and have no row");
        }
    }

    fn turn(&mut self) {
        self.answers.flush(self.now);
        self.now += Duration::from_secs(60);
        self.answers.flush(self.now);
    }

    /// One of them that is in this state.
    fn choose(&self, of: State, choice: usize) -> Option<usize> {
        let mut those: Vec<usize> = (0..self.members.len()).collect();
        those.retain(|at| self.members[*at].state == of);
        (!those.is_empty()).then(|| those[choice % those.len()])
    }

    fn act(&mut self, op: &Op) {
        let missing = self.answers.missing;
        match *op {
            Op::Join => drop(self.join()),
            Op::Say(choice, len) => {
                if let Some(at) = self.choose(State::Here, choice) {
                    return self.say(at, len);
                }
            }
            Op::Leave(choice) => {
                if let Some(at) = self.choose(State::Here, choice) {
                    self.leave(at);
                }
            }
            Op::Return(choice) => {
                if let Some(at) = self.choose(State::MayReturn, choice) {
                    self.answers.joined(World::number(at), "later");
                    self.members[at].state = State::Here;
                }
            }
            Op::Gone(choice) => {
                if let Some(at) = self.choose(State::MayReturn, choice) {
                    self.gone(at);
                }
            }
            Op::PortChecks(count) => {
                for _ in 0..count {
                    let at = self.join();
                    self.leave(at);
                    self.gone(at);
                }
            }
            Op::Room(room) => self.answers.folder.room = room,
            Op::Turn => self.turn(),
        }
        assert_eq!(self.answers.missing, missing, "what waited is missing");
    }

    /// What is held of those that are not here and will not be has a bound, whoever comes and goes.
    fn check_bounds(&self) {
        let Answers {
            authors,
            held,
            speakers,
            rows,
            ..
        } = &self.answers;
        let waiting: usize = authors.values().map(|author| author.waiting.len()).sum();
        held.check(waiting + SPEAKER * speakers.len());
        assert!(held.drawn() <= LIMIT, "{} bytes wait", held.drawn());
        assert!(rows.len() <= 2 * ROWS, "{} rows wait", rows.len());
        let states = self.members.iter().map(|member| member.state);
        let may_speak = states.filter(|state| *state != State::Gone).count();
        assert_eq!(authors.len(), may_speak + rows.len());
    }

    /// There is room again, and the hub ends.
    fn finish(mut self) {
        self.answers.folder.room = usize::MAX;
        for at in 0..self.members.len() {
            if self.members[at].state == State::Here {
                self.leave(at);
            }
        }
        self.turn();
        self.answers.all_gone();
        self.answers.finish();
        let refused: usize = self.members.iter().map(|member| member.refused).sum();
        assert_eq!(self.answers.missing, refused as u64);
        let index = String::from_utf8(self.answers.folder.index).expect("text");
        let mut rows: BTreeMap<u32, &str> = BTreeMap::new();
        for row in index.lines() {
            let number = number_of_row(row).expect("a number");
            assert_eq!(rows.insert(number, row), None, "two rows");
        }
        assert_eq!(
            rows.len() as u64 + self.answers.rows_missing,
            self.members.len() as u64
        );
        let mut files = self.answers.folder.files;
        for (at, member) in self.members.iter().enumerate() {
            let number = World::number(at);
            let has_row = member.has_row || member.state != State::Gone;
            let file = file_name(number, has_row.then_some("Ana"));
            let has_file = !member.kept.is_empty();
            let said = files.remove(&file).unwrap_or_default();
            assert!(said == member.kept, "{file}");
            let shown = if has_file { &*file } else { "-" };
            let end = format!("\t{}\t{}\t{shown}", said.len(), member.refused);
            let is_told = rows.get(&number).map(|row| row.ends_with(&end));
            assert_eq!(is_told, has_row.then_some(true), "{rows:?}");
        }
        assert!(files.is_empty(), "{:?}", files.keys());
    }
}

fn op() -> impl Strategy<Value = Op> {
    let choice = 0..1000usize;
    let room = prop_oneof![Just(0), 0..2000usize, 0..600_000usize, Just(usize::MAX)];
    prop_oneof![
        4 => Just(Op::Join),
        8 => (choice.clone(), 1..200usize).prop_map(|(choice, len)| Op::Say(choice, len)),
        4 => (choice.clone(), 1..400_000usize).prop_map(|(choice, len)| Op::Say(choice, len)),
        3 => choice.clone().prop_map(Op::Leave),
        1 => choice.clone().prop_map(Op::Return),
        3 => choice.prop_map(Op::Gone),
        1 => (0..ROWS).prop_map(Op::PortChecks),
        2 => room.prop_map(Op::Room),
        1 => Just(Op::Turn),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_waits_is_written_whoever_comes_and_goes_meanwhile(
        room in 0..5000usize,
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut world = World::new(room);
        for op in &ops {
            world.act(op);
            world.check_bounds();
        }
        world.finish();
    }
}

/// A class that says more than may wait, line by line, and leaves.
#[test]
fn who_leaves_a_full_disk_keeps_its_share_of_what_waits() {
    let mut world = World::new(100);
    for _ in 0..20 {
        let at = world.join();
        world.say(at, 5);
    }
    world.answers.folder.room = 0;
    for _ in 0..14 {
        for at in 0..20 {
            world.say(at, 60 * 79);
        }
    }
    for at in 0..20 {
        world.leave(at);
        world.gone(at);
    }
    world.check_bounds();
    let refused = world.answers.missing as usize;
    let said: usize = world.members.iter().map(|member| member.said).sum();
    assert!(
        said - refused > LIMIT - 32 * SPEAKER,
        "{refused} of {said} bytes are missing"
    );
    world.finish();
}

/// Also of those who come and go by thousands there are rows, but not more than have room.
#[test]
fn rows_of_port_checks_have_a_bound_and_are_at_the_cost_of_nobodys_words() {
    let mut world = World::new(0);
    let speaker = world.join();
    world.say(speaker, 1000);
    world.act(&Op::PortChecks(3 * ROWS));
    assert_eq!(world.answers.rows_missing, 2 * ROWS as u64);
    world.say(speaker, 1000);
    world.leave(speaker);
    world.gone(speaker);
    world.check_bounds();
    world.finish();
}

#[test]
fn one_is_told_as_one() {
    assert_eq!(
        lacks(1, "row", "of the index "),
        "1 row of the index is missing"
    );
    assert_eq!(
        lacks(2, "row", "of the index "),
        "2 rows of the index are missing"
    );
    assert_eq!(lacks(0, "byte", ""), "0 bytes are missing");
}
