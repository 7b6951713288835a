//! The hub's core: every decision of a turn, without a Poll.
//!
//! ```text
//!  collect ─► listen ─► accept ─► say ─► peers ─► class ─► flush ─► look ─► overdue ─► reap ─► show ─► wait
//!  set bits   a chunk   a batch   it     a read   other    a write  who is  who holds  leave   stdout   or exit
//!             of stdin                   each     hubs     each     there   others up
//! ```
//!
//! Events only set bits and queue keys; all work is bounded; only *reap* takes a peer out. So no
//! event can name a peer that is gone, no peer can starve another, and an idle hub makes no system
//! call. Between reading what was typed and saying it the core lets in a batch of waiting
//! connections, with or without events of them: they hear what was typed after they connected.
//!
//! It promises: nothing a peer does ends the hub or stalls it; [`Status::Done`] is said only if all
//! that was promised to a peer was acknowledged, running downloads included, or if the operator
//! commanded the end and was told what was not.

use std::time::Duration;
use std::time::Instant;

use super::HubConfig;
use super::accept::Accept;
use super::display::Display;
use super::farewell::Farewell;
use super::link::Link;
use super::news::Topic;
use super::operator::Heard;
use super::operator::Manner;
use super::operator::Operator;
use super::operator::waiting_until;
use super::peers::CHUNK;
use super::peers::Peers;
use super::peers::Unsaid;
use super::transfer::Transfer;
use crate::client::Traffic;
use crate::engine::admit::Admission;
use crate::engine::admit::Lists;
use crate::engine::aligned::AlignedBuffer;
use crate::engine::chat::Chat;
use crate::engine::conversation::FIRST_LOOK;
use crate::engine::conversation::LAST_WORDS;
use crate::engine::flow::Proof;
use crate::engine::room::Room;
use crate::io::caller::Call;
use crate::io::conn::Conn;
use crate::io::console::Console;
use crate::io::descriptor::Descriptor;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::input::Input;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::readiness::Event;
use crate::io::readiness::Watch;
use crate::io::record::Records;
use crate::io::terminal::Terminal;
use crate::io::web::Offered;
use crate::io::world::World;
use crate::status::NOTICE;
use crate::status::Status;

/// With `--send-only`: how long the peers may take to close after everything was delivered to them.
const LINGER: Duration = Duration::from_secs(2);

/// The descriptor, or the group of descriptors, that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The listener with this index.
    Listener(usize),
    /// The connection with this key.
    Peer(usize),
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file of records.
    Records,
    /// A signal that the console wants to know of.
    Signals,
    /// The bus.
    Bus,
}

/// The key of the connection to the bus, which no peer has: peers' keys begin at 0.
pub const BUS: usize = usize::MAX - 6;

/// What a turn came to.
pub enum Turn<S> {
    /// Wait for an event, until then at the latest if a time is given.
    Wait(Option<Instant>),
    /// The hub is done.
    Exit(Status),
    /// With `--once`: the peer that came is served by the loop of a participant.
    HandOver(Box<Conn<S>>),
}

/// What the hub works on.
pub struct Parts<W: World> {
    /// Where connections come from and copies are made.
    pub world: W,
    /// The listeners.
    pub listeners: Vec<W::Listener>,
    /// Whether another process has the listeners open, too.
    pub are_shared: bool,
    /// The lists of hosts that are let in or refused.
    pub lists: Lists,
    /// Standard input, or nothing (with `--recv-only` and `--once`).
    pub input: Input<W::Device>,
    /// Standard output.
    pub stdout: Output<W::Device>,
    /// Standard error.
    pub stderr: Stderr<W::Device>,
    /// The files that record what is said, if there are any.
    pub records: Option<Records<W::Device>>,
    /// Whether the row that shows how far a transfer is can be drawn on stderr.
    pub can_draw: bool,
    /// How browsers join, if they can.
    pub visits: Option<Visits>,
    /// The file that browsers download in place of joining, if one is offered. They come by the last
    /// of the listeners.
    pub offered: Option<Offered>,
    /// What the bus needs, if this hub is joined with others.
    pub bus: Option<Uplink<W::Stream>>,
}

/// What the bus needs.
pub struct Uplink<S> {
    /// What makes the connections to the bus's servers.
    pub caller: Box<dyn Call<S>>,
    /// A secret of this hub.
    pub seed: [u8; 32],
}

/// How browsers join.
#[derive(Debug, Clone)]
pub struct Visits {
    /// Where they find the page, if that is known.
    pub page: Option<String>,
    /// A secret of this hub.
    pub secret: [u8; 32],
}

/// See the module's documentation.
pub struct Core<W: World> {
    world: W,
    accept: Accept<W::Listener>,
    peers: Peers<W::Stream, W::Device>,
    operator: Operator<W::Device>,
    display: Display<W::Device>,
    transfer: Transfer,
    config: HubConfig,
    can_draw: bool,
    began: Instant,
    /// With `--send-only`: when everything was delivered after the end of the input.
    delivered: Option<Instant>,
    /// When the hub looks again whether the last was acknowledged, which it waits for, and how long after it looked
    /// before.
    last_look: Option<(Instant, Duration)>,
    /// How the hub ended for the room, while downloads still run.
    ended: Option<Status>,
    /// Of a hub that leaves its class.
    farewell: Option<Farewell>,
    buffer: AlignedBuffer,
}

impl<W: World> Core<W> {
    /// A hub that begins now.
    pub fn new(parts: Parts<W>, config: HubConfig, now: Instant) -> Core<W> {
        let surface = parts.stdout.surface(config.settings.raw_output);
        let operator = Operator::new(
            parts.input,
            Manner {
                crlf: config.settings.crlf,
                line_delay: config.settings.line_delay,
                has_commands: config.commands,
                keeps_open: config.keep_open,
                page: parts.visits.as_ref().and_then(|visits| visits.page.clone()),
                quit_after: config.settings.quit_after,
            },
        );
        let has_console = operator.console().is_some();
        let transfer = Transfer::new(config.wait_for, operator.stdin(), config.keep_open);
        let mut room = Room::new(config.policy(surface));
        if let Some(quorum) = transfer.quorum() {
            room.expect_receivers(quorum);
        }
        room.keep_history(config.history);
        if let Some(records) = &parts.records {
            room.count_on_from(records.last_number());
        }
        if let Some(rate) = config.rate {
            room.limit(rate);
        }
        if operator.is_typed() {
            room.expect_typing();
            if !has_console {
                room.screen_mut().expect_echo();
            }
        }
        if let Some(rules) = &config.chat {
            room.open_chat(Chat::new(rules.clone(), config.settings.crlf));
        }
        if let Some(head) = parts.records.as_ref().and_then(Records::head_on_stdout) {
            room.show_records(head);
        } else if config.settings.traffic == Traffic::SendOnly {
            room.screen_mut().close();
        }
        let mut records = parts.records;
        if transfer.is_whole() {
            records.iter_mut().for_each(Records::leave_out_file);
        }
        let mut peers = Peers::new(room).recorded(records);
        if let (Some(bus), Some(uplink)) = (&config.bus, parts.bus) {
            let Uplink { caller, seed } = uplink;
            peers.join_class(Link::new(bus, caller, seed, config.history, now));
        }
        if let Some(visits) = &parts.visits {
            peers.expect_visitors(visits.secret);
        }
        if config.max_per_host.is_some() {
            peers.count_hosts();
        }
        if let Some(limit) = config.settings.idle_timeout {
            peers.limit_idle(limit);
        }
        if operator.is_silent() {
            peers.say_no_more(now);
        }
        if config.settings.traffic == Traffic::SendOnly {
            peers.linger();
        }
        if config.settings.digest {
            peers.digest();
        }
        if config.settings.explain {
            peers.explain();
        }
        let max = match config.once {
            true => Some(1),
            false => config.max_peers,
        };
        let admission = Admission::new(parts.lists, max, config.max_per_host);
        let tells = config.tells_refused;
        let last = parts.listeners.len().checked_sub(1);
        let downloads = last.filter(|_| parts.offered.is_some());
        let accept = Accept::new(
            parts.listeners,
            parts.are_shared,
            downloads,
            admission,
            tells,
        );
        if let Some(file) = parts.offered {
            peers.offer(file, config.stall_timeout);
        }
        Core {
            world: parts.world,
            accept,
            peers,
            operator,
            display: Display::new(parts.stdout, parts.stderr, has_console),
            transfer,
            can_draw: parts.can_draw,
            began: now,
            delivered: None,
            last_look: None,
            ended: None,
            farewell: None,
            buffer: AlignedBuffer::zeroed(CHUNK),
            config,
        }
    }

    /// Takes note of an event.
    pub fn collect(&mut self, source: Source, event: Event) {
        match source {
            Source::Listener(number) => self.accept.collect(number, event),
            Source::Peer(key) => {
                if self.peers.collect(key, event) {
                    self.accept.collect_handshake(key);
                }
            }
            Source::Stdin => self.operator.collect(event),
            Source::Stdout => self.display.collect_stdout(event),
            Source::Stderr => self.display.collect_stderr(event),
            Source::Records => self.peers.record(|records| records.collect(event)),
            Source::Bus => self.peers.collect_bus(event),
            Source::Signals => {
                if let Some(console) = self.operator.console_mut() {
                    console.collect_signal();
                }
            }
        }
    }

    /// One turn, after the events were collected.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn turn(&mut self, now: Instant) -> Result<Turn<W::Stream>, Error> {
        if let Some(time) = self.world.time_of_day() {
            self.peers.room.set_time(time);
        }
        if let Some(console) = self.operator.console_mut()
            && let Some(signal) = console.attend(self.display.stdout_mut(), now)
        {
            return Ok(Turn::Exit(Status::Killed(signal)));
        }
        let heard = self.listen(now)?;
        if let Some(conn) = self.accept(now) {
            return Ok(Turn::HandOver(Box::new(conn)));
        }
        self.hear_operator(heard, now);
        self.read_peers(now)?;
        self.peers.look_for_ends(now);
        self.serve_class(now)?;
        self.begin_transfer(now);
        self.flush(now);
        self.peers.serve_downloads(&mut self.buffer, now);
        self.peers.look(now);
        self.begin_transfer(now);
        self.withhold(now);
        self.peers.find_overdue(now);
        self.peers.find_vanished(now);
        self.peers.tell_explained(now);
        self.peers.ping_silent(now);
        if self.peers.reap(now) {
            self.accept.freed();
        }
        self.peers.forget_visitors(now);
        // Another peer may come in the next turn before the core looks for idle members.
        self.withhold(now);
        self.peers.tell_here(now);
        self.peers.news.sum_up(now);
        self.peers.record(|records| records.flush(now));
        self.draw(now);
        let reads_keys = self.operator.reads_keys();
        if let Some(console) = self.operator.console_mut() {
            console.expect_keys(reads_keys);
        }
        self.tell_who_lingers(now);
        self.show()?;
        // The bytes that were shown just now may have been the last that the end waited for.
        match self.outcome(now) {
            Some(status) => Ok(Turn::Exit(status)),
            None => Ok(Turn::Wait(self.wakes_at(now))),
        }
    }

    /// Holds back what is said as long as a transfer waits for more receivers.
    fn withhold(&mut self, now: Instant) {
        let withholds = !self.has_said_all() && self.transfer.is_waiting(&self.peers);
        self.peers.withhold(withholds, now);
    }

    /// If the input ended in this turn: lets no other peer in, and tells all that nothing follows.
    fn close_if_finished(&mut self, now: Instant) {
        if self.operator.finished() != Some(now) {
            return;
        }
        self.peers.promise();
        self.accept.close(&mut self.peers, now);
        if self.config.settings.half_close {
            self.peers.half_close_all();
        }
    }

    /// Reads what the operator typed.
    fn listen(&mut self, now: Instant) -> Result<Heard, Error> {
        if self.ended.is_some() {
            return Ok(Heard::Nothing);
        }
        let (peers, transfer) = (&self.peers, &self.transfer);
        let heard = (self.operator).listen(peers, transfer, &mut self.buffer, now)?;
        if heard != Heard::Nothing {
            self.accept.expect();
        }
        Ok(heard)
    }

    fn hear_operator(&mut self, heard: Heard, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        let admission = self.accept.admission_mut();
        let (peers, buffer) = (&mut self.peers, &self.buffer);
        self.operator
            .turn(heard, buffer, peers, &self.transfer, admission, now);
        if let Some(is_ended) = self.operator.take_echoed() {
            self.display.echoed(is_ended);
        }
        self.close_if_finished(now);
    }

    fn read_peers(&mut self, now: Instant) -> Result<(), Error> {
        let (display, operator) = (&mut self.display, &mut self.operator);
        self.peers.read(&mut self.buffer, now, |screen| {
            display.show(screen, operator.console_mut())
        })?;
        self.peers.judge_unread(now);
        Ok(())
    }

    /// Lets in the newcomers that may come in. Returns the one that came, where only one is served.
    fn accept(&mut self, now: Instant) -> Option<Conn<W::Stream>> {
        // A peer that comes after the beginning would get a part only.
        self.begin_transfer(now);
        let admitted = self.accept.turn(&mut self.world, &mut self.peers, now);
        for (at, &key) in admitted.iter().enumerate() {
            if self.config.once {
                self.accept.turn_away_waiting(&mut self.peers, now);
                return self.peers.hand_over(key, now);
            }
            if let Some(permit) = self.peers.news.ask(Topic::Joined, now) {
                // Of those that came in this turn some may have left already, and made way for others.
                let here = self.transfer.here(&self.peers, &admitted[at + 1..]);
                permit.say(format_args!("{} joined, {here}", self.peers.who(key)));
            }
        }
        self.begin_transfer(now);
        None
    }

    /// Hears the other hubs, and is heard by them.
    fn serve_class(&mut self, now: Instant) -> Result<(), Error> {
        let world = &mut self.world;
        let register =
            |conn: &mut Conn<W::Stream>| world.register(conn, BUS, Watch::ArrivalsAndRoom);
        self.peers.serve_class(register, &mut self.buffer, now)
    }

    /// Writes to the peers, and asks of each that is full now to be told when it is not.
    fn flush(&mut self, now: Instant) {
        self.peers.flush(now);
        let world = &mut self.world;
        let ask = |conn: &mut Conn<W::Stream>, key| world.await_room(conn, key);
        self.peers.await_room(ask, now);
    }

    fn begin_transfer(&mut self, now: Instant) {
        let is_over = self.operator.finished().is_some();
        let (transfer, peers) = (&mut self.transfer, &mut self.peers);
        let begins = transfer.begin_if_complete(peers, is_over, now);
        if self.transfer.is_closed() && !self.accept.is_closed() {
            self.accept.close(&mut self.peers, now);
        }
        if !begins {
            return;
        }
        let is_wanted = log::log_enabled!(target: NOTICE, log::Level::Info);
        if let Some(stdin) = self.operator.stdin()
            && is_wanted
            && self.can_draw
            && stdin.kind() != Kind::Terminal
        {
            let size = self.operator.remaining().map(|left| left + self.peers.said);
            self.transfer.draw_from(size, now);
        }
    }

    fn draw(&mut self, now: Instant) {
        let columns = Terminal::columns_of_stderr;
        if self.transfer.draws(&self.peers).is_some_and(|at| at <= now)
            && let Some(row) = self.transfer.row(&self.peers, columns(), now)
        {
            self.display.draw(&row);
        }
    }

    /// Of a transfer whose progress is drawn: the members that are still here, though they have
    /// everything.
    fn tell_who_lingers(&mut self, now: Instant) {
        if self.operator.finished().is_some()
            && self.peers.is_acknowledged()
            && self.transfer.lingers(now)
            && let Some(waiting) = waiting_until(&self.peers, self.config.settings.quit_after)
        {
            self.display.erase_row();
            log::info!(target: NOTICE, "everybody has all of it; {waiting}");
        }
    }

    fn show(&mut self) -> Result<(), Error> {
        self.display.answer(self.operator.take_answers());
        let screen = self.peers.room.screen_mut();
        self.display.show(screen, self.operator.console_mut())
    }

    /// When the next turn is, if no event comes: at once if something stayed ready, else at the next
    /// deadline, if there is one.
    fn wakes_at(&self, now: Instant) -> Option<Instant> {
        let screen = self.peers.room.screen();
        let is_over = self.ended.is_some();
        if (!is_over && self.operator.is_ready(&self.peers, &self.transfer))
            || self.peers.is_ready()
            || self.display.is_ready(screen, self.operator.console())
            || self.accept.is_ready()
        {
            return Some(now);
        }
        let deadlines = [
            self.peers.deadline(),
            self.accept.deadline(),
            self.operator.pause(),
            self.operator.console().and_then(Console::looks_at),
            self.quits_at().filter(|at| now < *at),
            self.last_look.map(|(at, _)| at),
            self.lingers_until().filter(|_| !is_over),
            self.transfer.draws(&self.peers),
            self.transfer.tells_wait(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// How the hub ends, if it has nothing left to do for the room and the downloads.
    fn outcome(&mut self, now: Instant) -> Option<Status> {
        if self.ended.is_none() {
            self.ended = Some(self.room_outcome(now)?);
            self.accept.close_downloads(&mut self.peers);
            let waits_for = self.peers.await_downloads();
            let waits = self.operator.broken_off().is_none() && !self.has_quit(now);
            if let Some(line) = waits_for.filter(|_| waits) {
                self.display.tell(&line);
            }
        }
        // What cannot be read on cannot be downloaded either.
        let is_over = self.has_quit(now) || self.operator.broken_off().is_some();
        if self.peers.are_downloading() && !is_over {
            return None;
        }
        let is_cut = self.end_downloads(now);
        let status = self.ended.take();
        match is_cut {
            false => status,
            true => Some(Status::Failed),
        }
    }

    /// How the hub ends for the room alone: only ever after the end of the input, a command, the loss of
    /// all receivers that a transfer began with, or an input that breaks off.
    fn room_outcome(&mut self, now: Instant) -> Option<Status> {
        if self.operator.has_quit() {
            self.peers.promise();
            self.settle(Unsaid::Nothing);
            return Some(Status::Done(Proof::waived_by_the_operator()));
        }
        if let Some(error) = self.operator.broken_off() {
            let line = format!("read from stdin: {}", why(error));
            self.display.say(&line);
            self.settle(self.operator.unsaid());
            return Some(Status::Failed);
        }
        if self.operator.finished().is_none() {
            if !self.transfer.has_failed(&self.peers) {
                return None;
            }
            self.settle(self.operator.unsaid());
            self.display
                .say("everybody left before the end of the input");
            return Some(Status::Failed);
        }
        if !self.hears() && self.delivered.is_none() && self.peers.is_acknowledged() {
            self.delivered = Some(now);
        }
        let screen = self.peers.room.screen();
        let unshown = self.display.waiting(screen, self.operator.console());
        let is_over = self.peers.room.is_over() && unshown == 0;
        let limits = [self.quits_at(), self.lingers_until()];
        if !is_over && !limits.into_iter().flatten().any(|end| now >= end) {
            return None;
        }
        if !is_over && self.awaits_acknowledgement(now) {
            return None;
        }
        let missing = self.settle(Unsaid::Nothing);
        let missing = missing.into_iter().chain([unshown]);
        Some(Proof::settle(missing).map_or(Status::Failed, Status::Done))
    }

    /// Whether what members say is for anybody.
    fn hears(&self) -> bool {
        self.config.settings.traffic != Traffic::SendOnly
    }

    /// Closes the account of what was promised, once: names each member that did not get all of it.
    /// Returns how many bytes each of these lacks.
    fn settle(&mut self, unsaid: Unsaid) -> Vec<u64> {
        let short = self.peers.settle(unsaid);
        for line in &short.lines {
            self.display.say(line);
        }
        let missing = short.missing.clone();
        self.transfer.settled(short, &mut self.peers);
        missing
    }

    /// Ends the downloads that run, and names those that did not get all. Returns whether there are any.
    fn end_downloads(&mut self, now: Instant) -> bool {
        let cut = self.peers.end_downloads(now);
        for line in &cut {
            self.display.say(line);
        }
        !cut.is_empty()
    }

    /// `-q`, so soon after the end of the input that the last of it could not be acknowledged: whether that is still
    /// waited for, as by a [participant](crate::engine::conversation::LAST_WORDS). Nothing tells of it, so it is looked
    /// for, at growing distances.
    fn awaits_acknowledgement(&mut self, now: Instant) -> bool {
        let finished = self.operator.finished();
        let Some(late) = finished.map(|at| at + LAST_WORDS).filter(|at| now < *at) else {
            return false;
        };
        let awaits = self.peers.awaits_acknowledgement();
        if awaits && self.last_look.is_none_or(|(at, _)| at <= now) {
            let distance = self.last_look.map_or(FIRST_LOOK, |(_, last)| 2 * last);
            self.last_look = Some(((now + distance).min(late), distance));
        }
        awaits
    }

    /// Whether the time of `-q` is over.
    fn has_quit(&self, now: Instant) -> bool {
        self.quits_at().is_some_and(|end| now >= end)
    }

    fn quits_at(&self) -> Option<Instant> {
        Some(self.operator.finished()? + self.config.settings.quit_after?)
    }

    fn lingers_until(&self) -> Option<Instant> {
        Some(self.delivered? + LINGER)
    }

    /// Ends the hub, however it came to that: closes all connections, tells what is to be told, and
    /// gives the terminal back.
    ///
    /// # Errors
    /// The error that the hub ended with.
    pub fn finish(
        &mut self,
        mut ended: Result<Status, Error>,
        now: Instant,
    ) -> Result<Status, Error> {
        self.display.erase_row();
        if self.transfer.is_whole() && !self.transfer.is_settled() {
            // It was ended before its end, perhaps before it began for good.
            self.peers.promise_last();
            self.settle(self.operator.unsaid());
        }
        self.end_downloads(now);
        let digest = self.peers.tell_digests(now);
        self.peers.close_all(now);
        let unread = self.peers.hang_up(now);
        let unheard = self.peers.never_heard(unread).filter(|_| self.hears());
        let lacks = unheard.is_some() || (self.hears() && self.peers.has_dropped());
        if lacks && !self.operator.has_quit() && matches!(ended, Ok(Status::Done(_))) {
            ended = Ok(Status::Failed);
        }
        self.peers.news.sum_up_last();
        for line in self.operator.never_said().into_iter().chain(unheard) {
            self.display.say(&line);
        }
        self.transfer.sum_up(&self.peers, self.began, now);
        if let Some(line) = digest {
            self.display.say(&line);
        }
        // Records of the members that were still here may go to stdout.
        let shown = self.show();
        if let Some(console) = self.operator.console_mut() {
            ended = console.ending(shown.and(ended));
            console.leave(self.display.stdout_mut());
        }
        self.display.finish();
        ended
    }

    /// After the end: lets browsers that talked until then read it. Returns until when to wait for an event, and not
    /// beyond `end`; None: all are closed.
    pub fn let_read_end(&mut self, end: Instant, now: Instant) -> Option<Instant> {
        self.peers.let_read_end(end, now)
    }

    /// Says no more to the other hubs of a class: this hub ends, and perhaps is cut short.
    pub fn leave_class(&mut self, is_cut: bool, now: Instant) {
        self.peers.leave_class();
        self.farewell = Some(match is_cut || self.operator.has_quit() {
            true => Farewell::short(now),
            false => Farewell::long(self.quits_at(), now),
        });
    }

    /// Goes on delivering to the other hubs what they lack. Returns until when to wait for an event of
    /// [`Source::Bus`]; None: they have all, or have to do without.
    ///
    /// # Errors
    /// The hub cannot be a part of the class.
    pub fn finish_class(&mut self, now: Instant) -> Result<Option<Instant>, Error> {
        self.serve_class(now)?;
        let (Some(farewell), Some(lines)) = (&mut self.farewell, self.peers.unheard_by_class())
        else {
            return Ok(None);
        };
        let end = farewell.until(lines, now);
        let until = self.peers.class_deadline().map_or(end, |at| at.min(end));
        Ok((now < end).then_some(until))
    }

    /// How many lines the other hubs may lack.
    pub fn lines_unheard(&self) -> u64 {
        self.peers.unheard_by_class().unwrap_or(0)
    }

    /// The room: its members, and what each is owed. The simulation compares it with its model.
    pub fn room(&self) -> &Room {
        &self.peers.room
    }

    /// Bytes that the operator said to everybody. The simulation compares it with its model.
    pub fn said(&self) -> u64 {
        self.peers.said
    }

    /// Whether the operator will say nothing more. The simulation compares it with its model.
    pub fn has_said_all(&self) -> bool {
        self.operator.is_silent() || self.operator.finished().is_some()
    }

    /// Whether a single peer is served, by the loop of a participant.
    pub fn is_once(&self) -> bool {
        self.config.once
    }

    /// The records, for `Reload`, which opens them anew.
    pub fn records_mut(&mut self) -> Option<&mut Records<W::Device>> {
        self.peers.records_mut()
    }

    /// Takes over the lists of hosts, which were read again. The members that are here stay.
    pub fn set_lists(&mut self, lists: Lists) {
        self.accept.admission_mut().set_lists(lists);
    }

    /// The records, to be finished by the caller, which may wait for them.
    pub fn take_records(&mut self) -> Option<Records<W::Device>> {
        self.peers.take_records()
    }
}

impl<W: World<Device = Descriptor>> Core<W> {
    /// Waits, but not long, until stdout has taken what was shown at the end. Returns whether it has; if not, it is
    /// told.
    pub fn write_last(&mut self) -> bool {
        let screen = self.peers.room.screen_mut();
        self.display.write_last(screen, self.operator.console_mut())
    }
}
