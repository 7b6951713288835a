//! One schedule: what happens, the turns of the core meanwhile, and what has to be so.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::client::Settings;
use muxnc::client::Traffic;
use muxnc::client::core::Core;
use muxnc::client::core::Parts;
use muxnc::client::core::Role;
use muxnc::client::core::Source;
use muxnc::client::core::Turn;
use muxnc::io::conn::Conn;
use muxnc::io::device::Kind;
use muxnc::io::error::Error;
use muxnc::io::input::Input;
use muxnc::io::notices::Notices;
use muxnc::io::notices::Stderr;
use muxnc::io::output::Output;
use muxnc::io::readiness::Event;
use muxnc::io::record::Wanted;
use muxnc::io::stdin::Stdin;
use muxnc::status::Status;

use super::kernel::Account;
use super::kernel::Script;
use super::world::Fake;
use super::world::Fd;
use super::world::Happening;
use super::world::Net;
use super::world::due;
use crate::chance::Chance;
use crate::notices;

const SECOND: Duration = Duration::from_secs(1);

/// What the participant may take in the end: a look at the acknowledgement comes once a second.
const SOON: Duration = Duration::from_millis(1010);

/// Turns in a row in which nothing moves and no time passes.
const PATIENCE: u32 = 60;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    Short,
    /// Nobody reads stdout any more.
    Unread,
    /// It waits, as it should.
    Open,
}

/// One schedule. See the module's documentation.
pub(crate) struct Schedule {
    fake: Fake,
    core: Core<Fake>,
    settings: Settings,
    role: Role,
    /// Since when both sides are over, and nothing is left to do.
    over: Option<Instant>,
    horizon: Instant,
}

impl Schedule {
    pub(crate) fn run(seed: u64, stdin: Kind) -> Ended {
        notices::begin();
        let mut chance = Chance(seed.wrapping_mul(4).wrapping_add(stdin as u64));
        let settings = settings(&mut chance);
        let role = *chance.pick(&[Role::Client, Role::Client, Role::Server]);
        let net = net(chance, stdin, &settings);
        Schedule::new(net, settings, role).turns()
    }

    /// Runs a script whose like runs over the real world.
    pub(crate) fn follow(script: &Script, stdin: Kind) -> Account {
        notices::begin();
        let plain = Settings {
            half_close: script.half_close,
            ..plain()
        };
        let mut net = net(Chance(0), stdin, &plain);
        net.agenda.clear();
        for (i, step) in script.steps.iter().enumerate() {
            let at = net.now + Duration::from_millis(50 * (i as u64 + 1));
            net.agenda.push((at, *step));
        }
        net.in_there = script.there;
        net.in_mute = false;
        net.in_ended = script.is_file;
        (net.told, net.layered, net.taps) = (true, false, true);
        (net.sndbuf, net.window) = (1 << 20, 1 << 20);
        (net.out_kind, net.out_room, net.out_limit) = (Kind::Pipe, 1 << 20, None);
        net.delay = Duration::from_micros(100);
        let schedule = Schedule::new(net, plain, Role::Client);
        let fake = schedule.fake.clone();
        let ended = schedule.turns();
        let net = fake.0.borrow();
        Account {
            ended,
            sent: net.wrote,
            shown: net.out_taken,
            half_closed: net.shut.is_some(),
        }
    }

    /// Somebody sends so much, and no more, to a participant with `-q` whose stdout is a pipe that nobody reads.
    pub(crate) fn of_a_stuck_pipe(seed: u64, sent: u64, room: u64, digest: bool) -> Ended {
        notices::begin();
        let settings = Settings {
            quit_after: Some(3 * SECOND),
            digest,
            ..plain()
        };
        let mut net = net(Chance(seed), Kind::Pipe, &settings);
        net.agenda = vec![
            (net.now, Happening::InputEnd),
            (net.now + SECOND, Happening::Send(sent)),
            (net.now + SECOND, Happening::Fin),
        ];
        (net.told, net.layered) = (true, false);
        (net.in_there, net.in_mute, net.in_ended) = (0, false, false);
        (net.out_kind, net.out_room) = (Kind::Pipe, room);
        Schedule::new(net, settings, Role::Client).turns()
    }

    fn new(net: Net, settings: Settings, role: Role) -> Schedule {
        let start = net.now;
        let horizon = net.agenda.last().map_or(start, |(at, _)| *at) + 400 * SECOND;
        let fake = Fake(Rc::new(RefCell::new(net)));
        let addr = SocketAddr::from(([192, 0, 2, 1], 3000));
        let input = match settings.traffic {
            Traffic::ReceiveOnly => Input::None,
            _ => Input::Plain(Stdin::new(Fd::In(fake.clone()))),
        };
        let parts = Parts {
            world: fake.clone(),
            conn: Conn::new(fake.clone(), addr),
            input,
            stdout: Output::new(Fd::Out(fake.clone())),
            stderr: Stderr::over(Notices::default(), Output::new(Fd::Err)),
            records: None,
            progress: None,
        };
        let core = Core::new(parts, settings.clone(), role, start);
        Schedule {
            fake,
            core,
            settings,
            role,
            over: None,
            horizon,
        }
    }

    fn turns(mut self) -> Ended {
        let mut idle_turns = 0;
        loop {
            let (now, before) = self.deliver();
            let turn = self.core.turn(now);
            let turn = match turn {
                Ok(Turn::Wait(until)) => Ok(until),
                Ok(Turn::Exit(status)) => Err(self.core.finish(Ok(status), now)),
                Err(error) => Err(self.core.finish(Err(error), now)),
            };
            self.check_closing(turn.as_ref().err());
            let wakes_at = match turn {
                Ok(until) => until,
                Err(Ok(status)) => return self.exit(status),
                Err(Err(error)) => return self.failed(&error),
            };
            self.check();
            let mut net = self.fake.0.borrow_mut();
            let is_ready = net.conn_event || net.in_event || net.out_event;
            let next = net.agenda.first().map(|(at, _)| *at);
            let waits = wakes_at.is_none_or(|at| at > now);
            if is_ready || !waits {
                idle_turns = if net.moves == before {
                    idle_turns + 1
                } else {
                    0
                };
                assert!(idle_turns < PATIENCE, "it spins: {net:#?}");
                continue;
            }
            idle_turns = 0;
            let Some(at) = [next, wakes_at].into_iter().flatten().min() else {
                drop(net);
                return self.still_open();
            };
            if at > self.horizon {
                drop(net);
                return self.still_open();
            }
            net.now = at;
        }
    }

    /// Lets happen what is due, and hands the core the events. Returns the time, and the moves so far.
    fn deliver(&mut self) -> (Instant, u64) {
        let mut net = self.fake.0.borrow_mut();
        for happening in due(&mut net) {
            net.happen(happening);
        }
        let mut events = Vec::new();
        // What comes behind the last look for events is there, and no event has told of it yet.
        let is_late = net.chance.one_in(6);
        if !is_late && std::mem::take(&mut net.conn_event) {
            events.push((Source::Conn, net.conn_hints()));
        }
        if std::mem::take(&mut net.in_event) {
            let read_closed = net.in_ended && !net.in_mute;
            let event = Event {
                readable: true,
                read_closed,
                ..Event::default()
            };
            events.push((Source::Stdin, event));
        }
        if std::mem::take(&mut net.out_event) {
            let event = Event {
                writable: true,
                error: net.out_left,
                ..Event::default()
            };
            events.push((Source::Stdout, event));
        }
        let (now, moves) = (net.now, net.moves);
        drop(net);
        for (source, event) in events {
            self.core.collect(source, event);
        }
        (now, moves)
    }

    fn is_terminal(&self) -> bool {
        self.fake.0.borrow().in_kind == Kind::Terminal
    }

    fn sends(&self) -> bool {
        self.settings.traffic != Traffic::ReceiveOnly
    }

    /// A server whose input was empty.
    fn is_silent(&self) -> bool {
        let net = self.fake.0.borrow();
        let empty = net.in_end_read && net.in_read == 0 && net.in_kind != Kind::Terminal;
        self.role == Role::Server && empty
    }

    /// Closing the connection tells the truth, also where the participant is killed: whoever lacks some
    /// of a file reads a reset; at its own end (`ended`) whoever lacks any byte does, and whoever does not read what a
    /// participant would have sent that gave up, and nobody else.
    fn check_closing(&self, ended: Option<&Result<Status, Error>>) {
        let net = self.fake.0.borrow();
        let is_over = ended.is_some();
        if net.reset.is_some() || net.write_failed || !self.sends() {
            return;
        }
        let unread = net.in_kind == Kind::File && net.in_read < net.in_there;
        let unsent = net.wrote < net.in_read || net.held > 0;
        let is_typed = net.in_kind == Kind::Terminal;
        if unread || (is_over && unsent && !is_typed) {
            assert!(net.breaks, "a clean end after a part: {net:#?}");
        }
        // That it was the last line is not known before the pause behind it is over.
        let pauses = self.settings.line_delay.is_some() && !net.in_end_read;
        let gives_up = match ended {
            Some(Err(error)) => !error.to_string().contains("nothing was sent or received"),
            Some(Ok(status)) => *status == Status::BrokenPipe,
            None => false,
        };
        let goes_on = gives_up && !is_typed && !net.in_end_read;
        if goes_on {
            assert!(net.breaks, "a clean end where the input went on: {net:#?}");
        }
        if !unread && !unsent && !pauses && !goes_on {
            assert!(!net.breaks, "a reset after all of it: {net:#?}");
        }
    }

    /// What has to be so after every turn that did not end it.
    fn check(&mut self) {
        let (is_silent, is_terminal) = (self.is_silent(), self.is_terminal());
        let sends = self.sends();
        let net = self.fake.0.borrow();
        let now = net.now;
        let broken = net.reset.is_some();
        // Our end is told as soon as all was sent, and not otherwise.
        let all_sent = net.in_end_read && net.wrote == net.in_read && net.held == 0;
        let ends = sends && all_sent && self.settings.half_close && !is_silent && !broken;
        let is_shut = net.shut.is_some();
        assert!(is_shut || !ends, "its side is not ended: {net:#?}");
        assert!(
            !is_shut || (net.in_end_read && self.settings.half_close && !is_silent),
            "its side was ended: {net:#?}"
        );
        // Whoever reads stdout sees the end of what came.
        let discards = self.settings.traffic == Traffic::SendOnly;
        let all_shown = net.fin_read.is_some() && (discards || net.out_taken == net.read);
        let goes_on = sends && !is_terminal && !net.in_end_read && !broken;
        let is_output = net.out_kind != Kind::Terminal;
        if all_shown && goes_on && is_output {
            assert!(net.out_closed, "stdout is not closed: {net:#?}");
        }
        if net.fin_read.is_some() && goes_on {
            assert!(net.probed, "nobody asks whether it is there: {net:#?}");
        }
        // A silence is told once, after 5 s.
        let silent = net.in_there == net.in_read && net.wrote == net.in_read && net.held == 0;
        let since = net.fin_read.map(|at| at.max(net.in_last));
        if let Some(since) = since
            && goes_on
            && silent
            && now >= since + 5 * SECOND + SOON
            && net.in_kind != Kind::File
            && self.settings.line_delay.is_none()
        {
            assert_eq!(
                notices::of_an_open_stdin(),
                1,
                "a silence was not told: {net:#?}"
            );
        }
        if notices::of_an_open_stdin() > 0 {
            let at = net.fin_read.expect("the other side ended");
            assert!(notices::of_an_open_stdin() == 1 && now >= at + 5 * SECOND && !is_terminal);
        }
        // Nothing that is ready is left.
        let paused = self.settings.line_delay.is_some();
        let (is_over, is_acknowledged) = (self.settings.quit_after, net.is_acknowledged());
        let _ = (paused, is_over);
        let input_over = !sends || net.in_end_read || is_terminal && net.fin_read.is_some();
        let output_over = net.fin_read.is_some() && (discards || net.out_taken == net.read);
        let acknowledged = !sends || is_acknowledged;
        match input_over && output_over && acknowledged || broken && net.sent == net.out_taken {
            true => {
                let over = *self.over.get_or_insert(now);
                assert!(now <= over + SOON, "it does not end: {net:#?}");
            }
            false => self.over = None,
        }
    }

    /// It said that everything was delivered, or that nobody reads it.
    fn exit(self, status: Status) -> Ended {
        let (sends, is_terminal) = (self.sends(), self.is_terminal());
        let is_silent = self.is_silent();
        let net = self.fake.0.borrow();
        if status == Status::BrokenPipe {
            assert!(net.out_left, "nobody has left: {net:#?}");
            return Ended::Unread;
        }
        assert!(matches!(status, Status::Done(_)), "{status:?}");
        if sends {
            let end = net.in_end_read || is_terminal && net.fin_read.is_some();
            assert!(end, "stdin had not ended: {net:#?}");
            assert!(net.is_acknowledged(), "not all was acknowledged: {net:#?}");
        }
        if sends && !net.told && net.wrote > 0 {
            let told = net.error_told && !net.was_sound;
            assert!(!told, "nobody knows what arrived: {net:#?}");
        }
        let waived = !is_silent && self.waived(&net);
        assert!(
            net.fin_read.is_some() || waived,
            "the other side had not ended: {net:#?}"
        );
        if self.settings.traffic != Traffic::SendOnly {
            assert_eq!(net.out_taken, net.read, "not all was shown: {net:#?}");
            let waits = net.out_wants_room && net.sent > net.read;
            assert!(!waits, "what waited for stdout is lost: {net:#?}");
            let is_all = net.read >= net.came_in_time;
            assert!(is_all, "what had come in time is lost: {net:#?}");
        }
        if net.fin_read.is_some() {
            assert_eq!(net.read, net.sent, "not all was read: {net:#?}");
        }
        Ended::Done
    }

    /// Whether a limit of the user's stands in for the other side's end.
    fn waived(&self, net: &Net) -> bool {
        let quits = self.settings.quit_after.is_some();
        let lingers = self.settings.traffic == Traffic::SendOnly;
        let since_ack = net.now - net.last_ack;
        net.in_end_read && (quits || lingers && (since_ack >= 2 * SECOND || !net.told))
    }

    /// It said that not everything was delivered, in words.
    fn failed(self, error: &Error) -> Ended {
        let is_terminal = self.is_terminal();
        let net = self.fake.0.borrow();
        let text = error.to_string();
        let broken = net.reset.is_some();
        let idle = self.settings.idle_timeout.is_some_and(|limit| {
            let last = net.active.max(net.now - limit);
            text.contains("nothing was sent") && net.now - last >= limit
        });
        if idle {
            let stuck = net.out_wants_room && !net.out_left && net.sent > net.out_taken;
            let discards = self.settings.traffic == Traffic::SendOnly;
            assert!(!stuck || discards, "its own stdout is stuck: {net:#?}");
        }
        let quits = text.contains("-q gives") && self.settings.quit_after.is_some();
        if quits {
            let waits = net.out_wants_room && net.sent > net.out_taken;
            let shown = net.out_taken == net.read && !waits;
            assert!(
                !net.is_acknowledged() || !shown,
                "nothing is missing: {text}\n{net:#?}"
            );
            // At a terminal it is not known how much of a row was shown.
            if let Some((_, told)) = text.split_once("write to stdout: ")
                && net.out_kind != Kind::Terminal
            {
                let number: u64 = told.split(' ').next().unwrap().parse().expect("a number");
                assert_eq!(number, net.sent - net.out_taken, "{text}\n{net:#?}");
            }
        }
        let closed = is_terminal && text.contains("it ended its side");
        if closed {
            let at = net.fin_read.expect("it ended its side");
            assert!(net.now >= at + 2 * SECOND, "too early: {net:#?}");
            assert!(!net.is_acknowledged(), "nothing is missing: {net:#?}");
        }
        if broken && net.told && text.starts_with("send to") && net.fin_read.is_some() {
            let all = net.in_end_read && net.is_acknowledged() && net.out_taken == net.read;
            assert!(!all, "a reset after all was acknowledged: {text}\n{net:#?}");
        }
        let stdout = text.contains("write to stdout") && net.out_limit.is_some();
        assert!(
            broken || idle || quits || closed || stdout,
            "for nothing: {text}\n{net:#?}"
        );
        // The number is right.
        if let Some((before, _)) = text.split_once(" bytes were not taken")
            && !before.contains("stdout")
            && net.told
        {
            let number = before.rsplit(' ').next().unwrap_or_default();
            let file = if net.in_kind == Kind::File {
                net.in_there
            } else {
                net.in_read
            };
            let number: u64 = number.parse().expect("a number");
            let missing = file - net.acked;
            // What a layer holds back nobody counts.
            let least = (missing - net.held).max(1);
            assert!((least..=missing).contains(&number), "{text}\n{net:#?}");
            let is_exact = number == missing || before.contains("about ");
            assert!(is_exact, "{text}\n{net:#?}");
        } else if broken && net.told && !net.layered && !text.contains("stdout") && !idle {
            assert_eq!(net.in_read, net.acked, "untold: {text}\n{net:#?}");
        }
        let limited = self.settings.quit_after.is_some();
        if broken
            && !stdout
            && !idle
            && !quits
            && !limited
            && self.settings.traffic != Traffic::SendOnly
        {
            assert_eq!(
                net.out_taken, net.read,
                "what came is not shown: {text}\n{net:#?}"
            );
        }
        Ended::Short
    }

    /// Nothing happens any more: is that right?
    fn still_open(self) -> Ended {
        let (is_silent, sends) = (self.is_silent(), self.sends());
        let net = self.fake.0.borrow();
        assert!(self.settings.idle_timeout.is_none(), "idle: {net:#?}");
        let input_open = sends && !net.in_end_read && self.settings.traffic != Traffic::ReceiveOnly;
        let other_open = net.fin.is_none() && net.reset.is_none();
        assert!(input_open || other_open, "both ends are over: {net:#?}");
        if sends && net.in_end_read && !is_silent {
            let limited = self.settings.quit_after.is_some();
            assert!(!limited, "-q is over: {net:#?}");
            assert!(
                self.settings.traffic != Traffic::SendOnly,
                "it lingers: {net:#?}"
            );
        }
        if input_open && net.in_ended {
            assert!(
                net.in_kind == Kind::Terminal,
                "the end was not read: {net:#?}"
            );
        }
        Ended::Open
    }
}

/// No options.
fn plain() -> Settings {
    Settings {
        crlf: false,
        half_close: true,
        quit_after: None,
        idle_timeout: None,
        line_delay: None,
        traffic: Traffic::Both,
        records: Wanted::default(),
        telnet: false,
        raw_output: true,
        edit: false,
        explain: false,
        digest: false,
    }
}

/// The options.
fn settings(chance: &mut Chance) -> Settings {
    let time = |chance: &mut Chance| {
        let times = [0, 1, 30, 700, 1000, 2500, 8000];
        Duration::from_millis(*chance.pick(&times))
    };
    Settings {
        crlf: false,
        half_close: !chance.one_in(5),
        quit_after: chance.one_in(4).then(|| time(chance)),
        idle_timeout: chance.one_in(5).then(|| time(chance) + SECOND),
        line_delay: chance.one_in(20).then(|| Duration::from_millis(3)),
        traffic: match chance.below(8) {
            0 => Traffic::SendOnly,
            1 => Traffic::ReceiveOnly,
            _ => Traffic::Both,
        },
        records: Wanted::default(),
        telnet: false,
        raw_output: true,
        edit: false,
        // As a record, it has every byte looked at.
        explain: false,
        digest: chance.one_in(6),
    }
}

/// The world, and what will happen there.
fn net(mut chance: Chance, stdin: Kind, settings: &Settings) -> Net {
    let start = Instant::now();
    let most = if settings.line_delay.is_some() {
        2000
    } else {
        60_000
    };
    let is_file = stdin == Kind::File;
    let mut agenda = Vec::new();
    let mut at = start;
    for _ in 0..chance.below(24) {
        let gaps = [0, 0, 0, 1, 5, 40, 300, 700, 2200, 6000];
        at += Duration::from_millis(*chance.pick(&gaps));
        let happening = match chance.below(24) {
            0..6 if is_file => continue,
            0..5 => Happening::Input(chance.up_to(most) as u64),
            5 => Happening::InputEnd,
            // Often more than one turn takes.
            6 => Happening::Send(60_000 + chance.up_to(1_500_000) as u64),
            7..11 => Happening::Send(chance.up_to(60_000) as u64),
            11..16 => Happening::Take(chance.up_to(60_000) as u64),
            16..21 => Happening::Read(chance.up_to(60_000) as u64),
            21 => Happening::Fin,
            22 if chance.one_in(2) => Happening::Close,
            22 if chance.one_in(2) => Happening::Leave,
            22 => Happening::Reset,
            _ => Happening::OpenTaps,
        };
        agenda.push((at, happening));
    }
    // In the end everybody takes what there is, and most say that they are done.
    let mut rest = vec![Happening::OpenTaps];
    if !chance.one_in(12) {
        rest.push(Happening::InputEnd);
    }
    if !chance.one_in(12) {
        rest.push(Happening::Fin);
    }
    while !rest.is_empty() {
        at += Duration::from_millis(*chance.pick(&[0, 1, 90, 2500, 7000]));
        let next = rest.swap_remove(chance.below(rest.len()));
        agenda.push((at, next));
    }
    let there = match (is_file, chance.below(3)) {
        (_, 0) => 0,
        (false, 1) => 0,
        _ => chance.up_to(3 * most) as u64,
    };
    let told = !chance.one_in(6);
    let mute = stdin == Kind::Pipe && chance.one_in(6);
    let out_kind = *chance.pick(&[Kind::Pipe, Kind::Pipe, Kind::File, Kind::Terminal]);
    Net {
        now: start,
        agenda,
        moves: 0,
        in_kind: stdin,
        in_mute: mute,
        in_there: there,
        in_read: 0,
        // A file ends where it ends; a FIFO without a writer has.
        in_ended: is_file || mute,
        in_end_read: false,
        in_end_read_at: None,
        quit_after: settings.quit_after,
        came_in_time: 0,
        in_event: false,
        in_last: start,
        layered: told && chance.one_in(4),
        told,
        sndbuf: 3000 + chance.up_to(60_000) as u64,
        window: 3000 + chance.up_to(60_000) as u64,
        delay: Duration::from_micros(*chance.pick(&[100, 3000, 44_000, 300_000])),
        held: 0,
        wrote: 0,
        crossed: 0,
        acked: 0,
        last_ack: start,
        taken: 0,
        shut: None,
        wants_room: false,
        closed: false,
        reset: None,
        error: None,
        write_failed: false,
        error_told: false,
        was_sound: false,
        probed: false,
        breaks: false,
        sent: 0,
        read: 0,
        fin: None,
        fin_read: None,
        conn_event: true,
        active: start,
        out_kind,
        out_room: 4096 + chance.up_to(30_000) as u64,
        out_taken: 0,
        out_read: 0,
        out_left: false,
        out_closed: false,
        out_limit: (out_kind == Kind::File && chance.one_in(8))
            .then(|| chance.up_to(60_000) as u64),
        out_wants_room: false,
        out_event: false,
        taps: false,
        discards: settings.traffic == Traffic::SendOnly,
        chance,
    }
}
