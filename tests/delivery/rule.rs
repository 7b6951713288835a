//! What the rules demand of each combination: DESIGN.md's table of how the two directions end,
//! written a second time, and without looking at how muxnc does it.
//!
//! Where the rules leave something open, more than one end is allowed here, and a comment says so.

use std::fmt;
use std::time::Duration;

use crate::plan::Case;
use crate::plan::Opt;
use crate::plan::Server;
use crate::plan::Stdin;
use crate::plan::Stdout;
use crate::plan::Transport;

/// Bytes of a long stream: more than the kernel ever holds between two programs here.
pub(crate) const MUCH: usize = 8_000_000;

/// Bytes in a FIFO whose writer has left: no more than it holds.
pub(crate) const LEFT: usize = 40_000;

/// Lines that were typed: fewer than a terminal holds.
pub(crate) const TYPED: usize = 40;

/// What a server says that does not say much.
pub(crate) const ANSWER: usize = 5_000;

/// So much is read by a server that soon breaks off, and of a stdout that is soon closed.
pub(crate) const A_LITTLE: usize = 1_000;

/// What a pipe holds, and every connection: so much was acknowledged although nobody reads.
const ROOM: usize = 64 * 1024;

/// `-q` and `-i`, in seconds.
pub(crate) const QUIT: u64 = 2;
pub(crate) const IDLE: u64 = 3;

/// Within that time it must have ended, where it must end: longer than -i, and the two seconds
/// after --send-only, and the time that everything takes on a slow machine.
pub(crate) const ENDS: Duration = Duration::from_secs(20);

/// Whoever must not end is looked at again after that: longer than -q, -i, and those two seconds.
pub(crate) const WAITS: Duration = Duration::from_millis(3500);

/// The ways in which it may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Status 0.
    Done,
    /// Status 1, with words.
    Failed,
    /// SIGPIPE, as `cat` dies.
    Unheard,
    /// Not yet: it waits for somebody who may yet do something.
    Waits,
}

use End::Done;
use End::Failed;
use End::Unheard;
use End::Waits;

/// What is demanded.
#[derive(Debug, Clone)]
pub(crate) struct Demand {
    /// One of these ends.
    pub(crate) ends: Vec<End>,
    /// So many bytes are given to muxnc to be sent.
    pub(crate) given: usize,
    /// Status 0 says that the other side has them all.
    pub(crate) input: bool,
    /// Status 0 says that stdout has all that the other side said.
    pub(crate) output: bool,
    /// Also with status 1 stdout has all that the other side said.
    pub(crate) shown: bool,
    /// Status 1 comes with a number of bytes.
    pub(crate) counted: bool,
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, end) in self.ends.iter().enumerate() {
            if i > 0 {
                f.write_str(" or ")?;
            }
            match end {
                Done => {
                    f.write_str("status 0")?;
                    if self.input {
                        write!(f, ", all {} bytes of stdin with the other side", self.given)?;
                    }
                    if self.output {
                        f.write_str(", all it said on stdout")?;
                    }
                }
                Failed => {
                    f.write_str("status 1 with words")?;
                    if self.counted {
                        f.write_str(" and how many bytes were not taken")?;
                    }
                    if self.shown {
                        f.write_str(", all that came on stdout")?;
                    }
                }
                Unheard => f.write_str("SIGPIPE")?,
                Waits => f.write_str("still there")?,
            }
        }
        Ok(())
    }
}

/// Whether the other side is told that we send no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Yes,
    No,
    /// The rules do not say.
    Either,
}

/// What becomes of the conversation if nothing but its two sides ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// Both sides end, and everything is taken.
    Ends,
    /// It is broken off, with something of ours not taken.
    Breaks,
    /// It is reset when everything was taken.
    Resets,
    /// It goes on as it is; what we have said is with the other side's kernel.
    Lasts,
    /// It goes on as it is; we cannot even say all we have to say.
    Stuck,
}

/// Bytes that stdin holds, before -C.
pub(crate) fn held(stdin: Stdin) -> usize {
    match stdin {
        Stdin::File | Stdin::Pipe | Stdin::Pausing | Stdin::Fifo | Stdin::Socket => MUCH,
        Stdin::FifoLeft => LEFT,
        Stdin::Typed | Stdin::Sitting => typed().len(),
        Stdin::Null | Stdin::Closed | Stdin::Empty => 0,
    }
}

/// The lines that are typed.
pub(crate) fn typed() -> Vec<u8> {
    let lines =
        (0..TYPED).map(|i| format!("line {i}, typed before anybody was there to hear it\n"));
    lines.collect::<String>().into_bytes()
}

fn told(case: Case, given: usize) -> Told {
    match case.opt() {
        Opt::NoShutdown => Told::No,
        // ncat keeps its side open, and rule 14 has no line for it.
        Opt::RecvOnly => Told::Either,
        _ if case.stdin() == Stdin::Sitting => Told::No,
        // "There is no keyboard" of rule 8 against "as nc" of rule 14.
        Opt::Once if given == 0 => Told::Either,
        _ => Told::Yes,
    }
}

fn course(case: Case, given: usize, told: Told) -> Course {
    let reads_on = match told {
        Told::Yes => Course::Ends,
        _ => Course::Lasts,
    };
    match case.server() {
        Server::ReadsAll | Server::Echoes => reads_on,
        Server::HalfSlow | Server::HalfLate | Server::HalfStays => Course::Ends,
        Server::Resets | Server::ClosesUnread if given > A_LITTLE => Course::Breaks,
        // A Unix socket has no reset.
        Server::Resets if told == Told::Yes && case.transport() != Transport::Unix => {
            Course::Resets
        }
        Server::Resets | Server::ClosesUnread => reads_on,
        Server::NeverReads if given > ROOM => Course::Stuck,
        Server::NeverReads => Course::Lasts,
        Server::SaysMuch if given > 0 => Course::Breaks,
        Server::SaysMuch => Course::Ends,
    }
}

/// How much the other side says.
fn says(case: Case, given: usize, told: Told) -> usize {
    match case.server() {
        Server::ReadsAll if told == Told::No => 0,
        Server::ReadsAll | Server::HalfSlow | Server::HalfLate | Server::HalfStays => ANSWER,
        Server::ClosesUnread => ANSWER,
        Server::Echoes => given,
        Server::SaysMuch => MUCH,
        Server::Resets | Server::NeverReads => 0,
    }
}

/// What is demanded of this combination, in which so many bytes are to be sent (after -C).
pub(crate) fn demand(case: Case, given: usize) -> Demand {
    let opt = case.opt();
    let given = if opt == Opt::RecvOnly { 0 } else { given };
    let told = told(case, given);
    let course = course(case, given, told);
    let said = says(case, given, told);
    let stdin_ends = case.stdin() != Stdin::Sitting && opt != Opt::RecvOnly;

    let tls = case.transport() == Transport::Tls;
    let small = given <= ROOM;
    let closes = matches!(case.server(), Server::ClosesUnread | Server::SaysMuch);
    let hidden = tls && small && closes;

    let mut ends = match (course, opt) {
        // It has the time that -q gives to take everything, and it takes its time.
        (Course::Ends, Opt::Quit) if is_slow(case) => vec![Done, Failed],
        // That TLS ends is unread, too: it may become a reset.
        (Course::Ends, _) if tls && case.server() == Server::SaysMuch => vec![Done, Failed],
        (Course::Ends, _) => vec![Done],
        // Everything is with its kernel when -q is over, which may be before the reset.
        (Course::Breaks, Opt::Quit) if small && case.server() == Server::SaysMuch => {
            vec![Failed, Done]
        }
        // It may all be in its TLS when it closes, which then looks like any other end.
        (Course::Breaks, _) if hidden => vec![Failed, Done],
        (Course::Breaks, _) => vec![Failed],
        // Row 4 says 1; --send-only says 0 if everything was acknowledged.
        (Course::Resets, Opt::SendOnly) => vec![Failed, Done],
        (Course::Resets, _) => vec![Failed],
        (Course::Lasts | Course::Stuck, Opt::Idle) => vec![Failed],
        (Course::Lasts, Opt::Quit | Opt::SendOnly) if stdin_ends => vec![Done],
        (Course::Lasts, _) if told == Told::Either && case.server() != Server::NeverReads => {
            vec![Waits, Done, Failed]
        }
        (Course::Lasts | Course::Stuck, _) => vec![Waits],
    };

    // stdout fails, and with it everything; `cat` notices only when it writes.
    let mut heard = true;
    if opt != Opt::SendOnly {
        let certain = !(case.server() == Server::ReadsAll && told == Told::Either);
        match case.stdout() {
            Stdout::Full if said > 0 && certain => ends = vec![Failed],
            // Rust's start-up puts /dev/null in the place of a closed descriptor, as daemon(3) and many
            // parents do on purpose: the two cannot be told apart without unsafe code before main.
            Stdout::Closed | Stdout::Full => ends.push(Failed),
            Stdout::Gone if said > 0 && certain => ends = vec![Unheard, Failed],
            Stdout::Early if said > ROOM + A_LITTLE => ends = vec![Unheard, Failed],
            Stdout::Gone | Stdout::Early => ends.extend([Unheard]),
            Stdout::Pipe | Stdout::File | Stdout::Null | Stdout::Slow => {}
        }
        heard = matches!(case.stdout(), Stdout::Pipe | Stdout::File | Stdout::Slow);
    }
    if opt == Opt::RecordFull && given + said > 0 {
        // A record that cannot be kept is an output that failed; when, the rules do not say.
        ends.retain(|end| matches!(end, Unheard | Waits));
        ends.push(Failed);
    }
    let breaks = course == Course::Breaks && opt != Opt::RecordFull;
    let unhindered =
        matches!(case.stdout(), Stdout::Pipe | Stdout::File | Stdout::Null) || opt == Opt::SendOnly;
    // A relay that is cut off itself need not pass on the last of what it got.
    let direct = !matches!(case.transport(), Transport::Socks | Transport::Http);
    let all_shown = breaks && heard && direct && opt != Opt::SendOnly;
    Demand {
        given,
        input: !(course == Course::Breaks && small && ends.contains(&Done)),
        ends,
        output: heard && opt != Opt::SendOnly,
        shown: all_shown && case.server() == Server::ClosesUnread,
        counted: breaks && unhindered && !small && opt != Opt::Idle,
    }
}

/// Whether the other side, or our own stdout, makes it last.
fn is_slow(case: Case) -> bool {
    let slow = matches!(case.server(), Server::HalfSlow | Server::HalfLate);
    let loud = matches!(case.server(), Server::Echoes | Server::SaysMuch);
    slow || (loud && case.stdout() == Stdout::Slow)
}
