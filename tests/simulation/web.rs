//! Members from browsers: the same core, and the real layer of HTTP and WebSocket over the wires of the model.
//!
//! Whoever comes asks for the upgrade, for something else or for nothing; says messages in frames that the network
//! cuts anywhere, with pings between them; says goodbye, or is lost and comes back with its token and the bytes it
//! has. What the hub wrote to each is decoded here (`guest.rs`, which knows nothing of the engine), and held against the same specification as what any member is handed; what it made of the frames of
//! each is what the others hear. One plain member stays all the time, so that nothing is said on trial.

pub(crate) mod guest;
mod link;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::room;
use muxnc::hub::core::Core;
use muxnc::hub::core::Turn;
use muxnc::io::web::Download;
use muxnc::io::web::Site;
use muxnc::io::web::WebSocket;
use muxnc::status::Status;

use self::guest::Guest;
use self::guest::Hello;
use self::guest::Want;
use super::Chance;
use super::Mode;
use super::answers::Answers;
use super::hub::COLLECTS;
use super::replay::VANISHED;
use super::replay::expect;
use super::spec::Acked;
use super::spec::Presence;
use super::spec::Spec;
use super::terms::Terms;
use super::terms::host;
use super::wire::Wire;
use super::world::Did;
use super::world::Fake;
use super::world::Handle;
use super::world::Model;
use super::world::Net;
use super::world::Over;

/// How long one that was lost may take to return, and how much may be said meanwhile (docs/WEB.md), less what
/// depends on where segments end.
const KEPT: Duration = Duration::from_secs(600);
const PAST: usize = 120 * 1024;
const OWN: usize = 60;
const OWN_BYTES: usize = 12 * 1024;

/// After so long a request that is not whole is given up.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// More bytes than are kept of what standard output does not take.
const STUCK: usize = 100_000;

/// The member that stays: it came over no browser.
const WITNESS: usize = 0;

/// A stream of the world: a wire as it is, or under a real layer.
pub(crate) enum Link {
    Plain(Fake),
    Web(Box<WebSocket<Fake>>),
    Download(Box<Download<Fake>>),
}

impl Over for Link {
    fn over(fake: Fake, is_web: bool) -> Link {
        static SITE: OnceLock<Arc<Site>> = OnceLock::new();
        let site = SITE.get_or_init(|| Arc::new(Site::new(None, &[], false).expect("a site")));
        let (site, local) = (Arc::clone(site), guest::HOST.parse().expect("an address"));
        let is_download = fake.net.borrow().wires[fake.id].is_download;
        match (is_web, is_download) {
            (false, _) => Link::Plain(fake),
            (true, false) => Link::Web(Box::new(WebSocket::new(fake, site, local))),
            (true, true) => Link::Download(Box::new(Download::new(fake, site, local))),
        }
    }
}

/// What a schedule came to.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) joined: usize,
    pub(crate) returned: usize,
    pub(crate) anew: usize,
    pub(crate) missed: usize,
    pub(crate) refused: usize,
    pub(crate) bytes: usize,
}

impl Ended {
    pub(crate) fn add(&mut self, other: &Ended) {
        self.joined += other.joined;
        self.returned += other.returned;
        self.anew += other.anew;
        self.missed += other.missed;
        self.refused += other.refused;
        self.bytes += other.bytes;
    }
}

pub(crate) struct Class {
    core: Core<Model<Link>>,
    net: Handle,
    spec: Spec,
    terms: Terms,
    mode: Mode,
    /// Who came from a browser, by their wires.
    guests: BTreeMap<usize, Guest>,
    /// Who has a token now, as far as the hub may know it, and since when that one is lost.
    holders: BTreeMap<String, (usize, Option<Instant>)>,
    /// How much of what each said was heard, by their tokens.
    heard: BTreeMap<String, usize>,
    /// What each said, as it is collected, in some schedules.
    answers: Option<Answers>,
    /// How much of what the operator typed was said.
    typed: Vec<u8>,
    said: u64,
    until: Option<Instant>,
    /// No descriptor was left: who had left may have been dropped unheard.
    has_run_out: bool,
    exit: Option<Status>,
    volume: usize,
    /// Standard output takes nothing until everything arrives: nobody may be heard.
    is_stuck: bool,
    lines: usize,
    asked: usize,
    ended: Ended,
}

impl Class {
    /// Runs one schedule to its end.
    pub(crate) fn run(seed: u64, mode: Mode) -> Ended {
        let mut class = Class::new(seed, mode);
        let steps = 30 + class.below(200);
        for _ in 0..steps {
            for _ in 0..class.below(6) {
                class.happen();
            }
            for _ in 0..class.below(4) {
                if class.has_work() || class.one_in(20) {
                    class.turn();
                }
            }
        }
        class.settle();
        class.finish();
        class.net.borrow_mut().is_over = true;
        class.ended
    }

    fn new(seed: u64, mode: Mode) -> Class {
        let mut chance = Chance(seed);
        let volume = *chance.pick(&[40, 40, 500, 500, 500, 20_000]);
        let mut terms = Terms::web(mode, &mut chance);
        // In a chat only what was said is kept, in the words that were made of it.
        let collects = !mode.chat && Chance(chance.0).one_in(COLLECTS);
        let answers = collects.then(Answers::new);
        terms.collect = answers.as_ref().map(|answers| answers.folder().into());
        let now = Instant::now();
        let net = Net::new(chance, now, terms.stdin, false);
        let mut class = Class {
            core: terms.open(mode, &net, now),
            net,
            spec: terms.spec(mode, now),
            terms,
            mode,
            guests: BTreeMap::new(),
            holders: BTreeMap::new(),
            heard: BTreeMap::new(),
            answers,
            typed: Vec::new(),
            said: 0,
            until: None,
            has_run_out: false,
            exit: None,
            volume,
            is_stuck: false,
            lines: 0,
            asked: 0,
            ended: Ended::default(),
        };
        class.spec.may_return = true;
        class.begin();
        if class.one_in(4) {
            class.is_stuck = true;
            let net = &mut *class.net.borrow_mut();
            net.stdout.drain(0);
            let wire = &mut net.wires[WITNESS];
            wire.under_way.extend(b"much\n".repeat(STUCK / 5));
            wire.arrive(usize::MAX);
        }
        class
    }

    /// Lets the witness in, and end the trial.
    fn begin(&mut self) {
        {
            let net = &mut *self.net.borrow_mut();
            net.is_calm = true;
            let ip = host(&mut net.chance);
            let mut wire = Wire::new(ip, 1 << 20, net.now, &mut net.chance);
            wire.window = 1 << 40;
            wire.is_steady = true;
            net.connect(wire);
            net.stdin.there.extend(b"good morning\n");
            net.stdin.event = true;
        }
        while self.core.room().is_on_trial() || self.typed.is_empty() {
            self.net.borrow_mut().now += Duration::from_millis(20);
            self.turn();
            let net = &mut *self.net.borrow_mut();
            net.wires[WITNESS].ack(u64::MAX, net.now);
            net.stdin.event = !net.stdin.there.is_empty();
        }
        self.spec.ends_trial();
        self.spec.on_trial = false;
    }

    /// One turn of the core.
    fn turn(&mut self) {
        {
            let net = &mut *self.net.borrow_mut();
            net.wires[WITNESS].ack(u64::MAX, net.now);
            // No two turns are at the same time: who comes first is announced first.
            net.now += Duration::from_micros(1);
        }
        let sources = self.net.borrow_mut().take_events();
        for (source, event) in sources {
            self.core.collect(source, event);
        }
        let now = self.now();
        let turn = self.core.turn(now).expect("a turn");
        self.replay();
        match turn {
            Turn::Wait(until) => self.until = until,
            Turn::Exit(status) => self.exit = Some(status),
            Turn::HandOver(_) => panic!("handed over"),
        }
        if !self.has_work() && self.exit.is_none() {
            self.check_goodbyes();
        }
    }

    /// Nobody whose connection ended has a place, nor who said goodbye, if no word before that was not heard:
    /// whether anybody may be heard or not.
    fn check_goodbyes(&self) {
        let net = self.net.borrow();
        for (&id, guest) in &self.guests {
            let wire = &net.wires[id];
            let is_seen = wire.under_way.is_empty() && !wire.is_over() && !wire.write_failed;
            let has_ended = wire.told_end || wire.told_break;
            if has_ended || (is_seen && guest.says_only_goodbye()) {
                let presence = self.presence(id, &net);
                let has_left = matches!(presence, None | Some(room::Presence::Gone));
                assert!(has_left, "{id} is gone, and is {presence:?}: {wire:?}");
            }
        }
    }

    /// What the core did in a turn, held against the specification in the order in which it was done.
    fn replay(&mut self) {
        let mut log = std::mem::take(&mut self.net.borrow_mut().log);
        let net = self.net.clone();
        let net = net.borrow();
        self.spec.now = net.now;
        self.has_run_out |= log.iter().any(|did| matches!(did, Did::RanOut));
        for did in &log {
            if let Did::Typed(bytes) = did {
                self.typed.extend(bytes);
            }
        }
        // Who is let in comes before what the operator typed, and that before what others say.
        let mut answered = BTreeSet::new();
        let mut is_arrival = |did: &Did| match did {
            Did::Accepted(_) | Did::RanOut | Did::Replaced(_) => true,
            Did::Handed(id, _) => {
                let is_first = |guest: &Guest| !guest.is_answered();
                self.guests.get(id).is_some_and(is_first) && answered.insert(*id)
            }
            _ => false,
        };
        let arrivals = log.iter().enumerate();
        let arrivals = arrivals.filter_map(|(at, did)| is_arrival(did).then_some(at + 1));
        let arrivals = arrivals.last().unwrap_or(0);
        let later = log.split_off(arrivals);
        for did in log {
            self.replay_one(did, &net);
        }
        self.hear_operator();
        // A layer answers a ping while it is read: to be handed something does not tell that all were.
        let is_read = |did: &Did| match did {
            Did::Heard(id, _) | Did::HeardEnd(id) => self.spec.here.contains(id),
            _ => false,
        };
        let is_exit = |did: &Did| matches!(did, Did::Dropped(_) | Did::Judged(_));
        let end = later.iter().position(is_exit).unwrap_or(later.len());
        let reads = later[..end]
            .iter()
            .rposition(is_read)
            .map_or(0, |at| at + 1);
        let mut has_reaped = false;
        for (at, did) in later.into_iter().enumerate() {
            if at == reads {
                self.judge(false, &net);
            }
            let is_exit = match &did {
                Did::Dropped(id) | Did::Judged(id) => self.spec.here.contains(id),
                _ => false,
            };
            if is_exit && !std::mem::replace(&mut has_reaped, true) {
                self.spec.announce_due();
            }
            self.replay_one(did, &net);
        }
        self.judge(true, &net);
        if !has_reaped {
            self.spec.announce_due();
        }
        for id in self.spec.here.clone() {
            if self.presence(id, &net).is_none() {
                self.leaves(id, &net);
            }
        }
        self.look(&net);
    }

    fn hear_operator(&mut self) {
        let said = self.core.said();
        let bytes = self.typed[self.said as usize..said as usize].to_vec();
        self.said = said;
        if !bytes.is_empty() {
            self.spec.typed(&bytes);
        }
        if self.core.has_said_all() {
            self.spec.typed_all();
        }
    }

    /// Who is known to be gone, or perhaps, is that for a reason.
    fn judge(&mut self, is_over: bool, net: &Net) {
        for id in self.spec.here.clone() {
            let wire = &net.wires[id];
            // It may have been handed something before.
            if wire.write_failed && !is_over {
                continue;
            }
            let before = self.spec.members[&id].presence;
            let after = match self.presence(id, net) {
                Some(room::Presence::Gone) => Presence::Gone,
                Some(room::Presence::Here) | None => continue,
                Some(room::Presence::Unconfirmed) => Presence::Unconfirmed,
                Some(room::Presence::Listener) => Presence::Listener,
            };
            if before == after {
                continue;
            }
            assert!(self.has_left(id, net), "{id} has not left: {wire:?}");
            match after {
                Presence::Gone => self.spec.departs(id, witness),
                Presence::Unconfirmed => self.spec.ends_unheard(id, witness),
                after => self.spec.member(id).presence = after,
            }
        }
    }

    fn presence(&self, id: usize, net: &Net) -> Option<room::Presence> {
        let key = net.wires[id].key.filter(|_| !net.wires[id].dropped)?;
        self.core.room().member(key).map(room::Member::presence)
    }

    /// Whether it may be gone: it said so, its wire broke or ended, or it is back over another.
    fn has_left(&self, id: usize, net: &Net) -> bool {
        let wire = &net.wires[id];
        let is_over = wire.is_over() || wire.write_failed;
        let has_closed = self.guests.get(&id).is_some_and(|guest| guest.has_closed);
        is_over || has_closed || self.is_asked_for(id) || wire.is_silent_for(VANISHED, net.now)
    }

    /// Whether one came with the token that this one has.
    fn is_asked_for(&self, id: usize) -> bool {
        let hello = self.guests.get(&id).and_then(|guest| guest.hello.as_ref());
        let mut later = self.guests.range(id + 1..);
        hello.is_some_and(|hello| {
            later.any(|(_, guest)| {
                let asked = guest.asked.as_ref();
                asked.is_some_and(|(token, _)| *token == hello.token)
            })
        })
    }

    fn replay_one(&mut self, did: Did, net: &Net) {
        match did {
            Did::Accepted(WITNESS) => self.spec.joins(WITNESS, net.now, witness),
            Did::Heard(WITNESS, bytes) => self.hears(WITNESS, &bytes),
            Did::Handed(WITNESS, bytes) => self.is_handed(WITNESS, &bytes),
            Did::Heard(id, bytes) => {
                let guest = self.guests.get_mut(&id).expect("a guest");
                let text = guest.is_heard(bytes.len());
                if !text.is_empty() && self.spec.here.contains(&id) {
                    let hello = guest.hello.as_ref().expect("it is let in");
                    *self.heard.entry(hello.token.clone()).or_default() += text.len();
                    self.hears(id, &text);
                }
            }
            Did::Handed(id, bytes) => {
                let guest = self.guests.get_mut(&id).expect("a guest");
                let was_answered = guest.is_answered();
                let text = guest.takes(&bytes);
                if !was_answered {
                    self.is_let_in(id, net);
                }
                if !text.is_empty() {
                    self.is_handed(id, &text);
                }
            }
            // Who left may linger to read why.
            Did::Judged(id) | Did::Replaced(id) | Did::Dropped(id) => {
                let wire = &net.wires[id];
                let was_in_time = |guest: &&Guest| net.now < guest.came + REQUEST_TIME;
                let guest = self.guests.get(&id).filter(was_in_time);
                let may_be = wire.is_over() || wire.write_failed || net.stdin.ended;
                assert!(
                    may_be || !guest.is_some_and(Guest::is_kept_waiting),
                    "{id} asked, and had no answer: {wire:?}"
                );
                let is_in = self.presence(id, net).is_some();
                if !is_in && self.spec.here.contains(&id) {
                    self.leaves(id, net);
                }
            }
            Did::Shown(bytes) => self.spec.expect_shown(&bytes),
            Did::Shut(id) => {
                let owed = self
                    .spec
                    .members
                    .get(&id)
                    .map_or(0, |member| member.owed.len());
                let has_closed = self.guests.get(&id).is_some_and(|guest| guest.has_closed);
                // An end without a close frame tells a browser that is lost what it knows: it comes back.
                let is_lost = self.guests.contains_key(&id) && net.wires[id].is_over();
                assert!(
                    owed == 0 || has_closed || is_lost,
                    "{id} was ended with {owed} bytes owed to it"
                );
            }
            Did::HeardEnd(_) | Did::Accepted(_) | Did::Typed(_) | Did::RanOut => {}
            Did::Failed(_) | Did::ClosedListener => {}
            Did::FoundClosed => panic!("stdout is open"),
        }
    }

    fn hears(&mut self, id: usize, bytes: &[u8]) {
        self.spec.heard(id, bytes);
        if let Some(answers) = &mut self.answers {
            answers.heard(self.spec.members[&id].number, bytes);
        }
    }

    fn is_handed(&mut self, id: usize, bytes: &[u8]) {
        let said = self.spec.said;
        let member = self.spec.member(id);
        expect(&mut member.owed, bytes, format_args!("{id} is handed"));
        if let Some(stream) = &mut member.stream {
            stream.place += bytes.len();
        }
        if member.owed.is_empty() {
            member.caught_up = said;
        }
        self.ended.bytes += bytes.len();
    }

    /// A guest has its answer.
    fn is_let_in(&mut self, id: usize, net: &Net) {
        let guest = &self.guests[&id];
        let status = guest.status().expect("an answer in HTTP");
        let Some(hello) = guest.hello.clone() else {
            self.ended.refused += 1;
            let here = self.spec.placed();
            let of_host = here
                .iter()
                .filter(|id| net.wires[**id].ip == net.wires[guest.wire].ip);
            let is_full = |most: Option<usize>, count| most.is_some_and(|most| count >= most);
            let was_full = is_full(self.terms.max, here.len())
                || is_full(self.terms.max_per_host, of_host.count());
            let is_right = match guest.want {
                Want::Join => status == 503 && was_full,
                // Who may be gone makes way for who comes in.
                Want::Probe => status == 426 || (status == 503 && was_full),
                Want::Wrong(expected) => status == expected,
                Want::Nothing => false,
            };
            return assert!(is_right, "{id} wanted {:?}: {status}", guest.want);
        };
        assert_eq!((status, guest.want), (101, Want::Join), "{id}");
        let asked = guest.asked.clone();
        let is_known = |(token, _): &(String, usize)| *token == hello.token;
        let is_back = asked.as_ref().is_some_and(is_known);
        let before = if is_back { self.heard[&hello.token] } else { 0 };
        assert_eq!(hello.heard, before, "what was heard of {id} before");
        self.heard.insert(hello.token.clone(), before);
        if let Some((token, from)) = &asked {
            let holder = self.holders.get(token).copied();
            // Whoever has that place is let go, whether the stream can go on or not.
            if let Some((former, None)) = holder {
                self.spec.leaves(former);
            }
            let is_late = |lost: Option<Instant>| lost.is_some_and(|lost| net.now - lost >= KEPT);
            match holder {
                Some((former, _)) if hello.resumed => {
                    assert_eq!(hello.at, *from, "{id} goes on");
                    self.spec.returns(id, former, *from, net.now);
                    self.ended.returned += 1;
                }
                Some((former, _)) if is_back => {
                    self.check_missing(id, former, *from);
                    self.spec.returns_anew(id, former, net.now, witness);
                    let stream = self.spec.members[&id].stream.as_ref();
                    let place = stream.map(|stream| stream.place);
                    assert_eq!(Some(hello.at), place, "{id} begins");
                    self.ended.anew += 1;
                }
                Some((former, lost)) => {
                    let has_closed = self.guests[&former].has_closed;
                    assert!(has_closed || is_late(lost), "{id} is not known any more");
                    self.spec.lost.retain(|&other| other != former);
                    self.holders.remove(token);
                }
                None => assert!(!is_back, "nobody had the token of {id}"),
            }
            assert_eq!(hello.missing, !hello.resumed, "{id} may lack something");
        }
        assert!(is_back || !hello.resumed, "{id} goes on as another");
        if !is_back {
            assert!(
                !hello.missing || asked.is_some(),
                "{id} was not here before"
            );
            assert_eq!(hello.at, 0, "{id}");
            self.ended.missed += usize::from(hello.missing);
            self.joins(id, net);
        }
        self.ended.joined += 1;
        self.holders.insert(hello.token.clone(), (id, None));
        self.check_hello(id, &hello);
    }

    fn joins(&mut self, id: usize, net: &Net) {
        self.spec.joins_to_return(id, true, net.now, witness);
    }

    fn check_hello(&self, id: usize, hello: &Hello) {
        let member = &self.spec.members[&id];
        let name = self.mode.chat.then(|| member.name.clone());
        assert_eq!((hello.you, &hello.name), (member.number, &name), "{id}");
        // Who makes way just now may be counted or not.
        assert!((1..=self.spec.here.len()).contains(&hello.here), "{id}");
    }

    /// One could not go on where it was: was too much said meanwhile, or was it never there?
    fn check_missing(&self, id: usize, former: usize, from: usize) {
        let member = &self.spec.members[&former];
        let stream = member.stream.as_ref().expect("it may return");
        let Some(from) = from.checked_sub(stream.base) else {
            return;
        };
        if from > stream.place - stream.base {
            return;
        }
        let edits = stream.edits.iter().filter(|(at, _)| *at >= from);
        let own: usize = edits.clone().map(|(_, bytes)| bytes).sum();
        let rest = stream.bytes.len() - from + own;
        assert!(
            rest > PAST || own > OWN_BYTES || edits.count() > OWN,
            "{id} lacks {rest} bytes, {own} of them its own, and cannot go on"
        );
    }

    fn leaves(&mut self, id: usize, net: &Net) {
        let wire = &net.wires[id];
        assert!(
            self.has_left(id, net) || self.core.has_said_all(),
            "{id} was cut off for nothing: {wire:?}"
        );
        self.spec.leaves(id);
        let Some(guest) = self.guests.get(&id) else {
            return;
        };
        // Whether its goodbye was read is not known here: if not, it could return, though it will not.
        if let Some(hello) = &guest.hello
            && let Some(holder) = self.holders.get_mut(&hello.token)
            && holder.0 == id
        {
            holder.1 = Some(net.now);
        }
    }

    /// What is so after a turn.
    fn look(&self, net: &Net) {
        let wires = net.wires.iter().enumerate();
        let is_in = |id: usize| self.presence(id, net).is_some();
        let inside: Vec<usize> = wires.map(|(id, _)| id).filter(|&id| is_in(id)).collect();
        let mut here = self.spec.here.clone();
        here.sort_unstable();
        assert_eq!(here, inside, "who is in the room");
        let room = self.core.room();
        assert_eq!(room.here(), self.spec.known(), "how many are here");
        let placed = self.spec.placed();
        assert_eq!(room.places_taken(), placed.len(), "how many places");
        let most = self.terms.max.unwrap_or(usize::MAX);
        assert!(placed.len() <= most, "more are here than may be");
        for id in here {
            let (account, member) = (
                &room
                    .member(net.wires[id].key.expect("a key"))
                    .expect("it is in")
                    .account,
                &self.spec.members[&id],
            );
            assert_eq!(account.number, member.number, "the number of {id}");
            if self.mode.chat {
                assert_eq!(account.name(), Some(&*member.name), "the name of {id}");
            }
        }
    }

    /// Something happens in the world.
    fn happen(&mut self) {
        let what = self.below(100);
        let live = self.live();
        if live.len() < 2 || (what < 5 && live.len() < 8) {
            return self.connect(None);
        }
        if (5..12).contains(&what) {
            return self.come_back();
        }
        let id = live[self.below(live.len())];
        if id == WITNESS && what > 87 {
            return;
        }
        let net = &mut *self.net.borrow_mut();
        let now = net.now;
        let (wire, chance) = (&mut net.wires[id], &mut net.chance);
        let guest = self.guests.get_mut(&id);
        match what {
            12..35 => {
                let Some(guest) = guest else {
                    if wire.under_way.len() < self.volume {
                        wire.under_way.extend(b"from the witness\n");
                    }
                    return;
                };
                if wire.sends()
                    && !guest.is_quiet
                    && guest.is_open(wire.acked)
                    && wire.under_way.len() < 4 * self.volume
                {
                    self.lines += 1;
                    let size = chance.up_to(self.volume);
                    let mut text = format!("{id}.{} {}", self.lines, "x".repeat(size));
                    // Who makes way for another is not answered any more, which nobody sees from outside.
                    let is_roomy = self.terms.max.is_none() && self.terms.max_per_host.is_none();
                    if self.mode.chat && is_roomy && self.asked < 100 && chance.one_in(3) {
                        self.asked += 1;
                        let here = self.spec.here.iter().map(|id| &self.spec.members[id]);
                        let is_free = |name: &str| here.clone().all(|member| member.name != name);
                        text = request(self.spec.joined, self.lines, is_free, chance);
                    }
                    guest.says(&text, wire, chance);
                }
            }
            35..50 => wire.arrive(chance.up_to(2 * self.volume + 400)),
            50..65 => {
                wire.ack(chance.up_to(2 * self.volume + 400) as u64, now);
                wire.take(u64::MAX, now);
            }
            65..75 if net.stdin.there.len() < 4 * self.volume => {
                self.lines += 1;
                let size = chance.up_to(self.volume);
                let line = format!("0.{} {}\n", self.lines, "y".repeat(size));
                net.stdin.there.extend(line.bytes());
                net.stdin.event = true;
            }
            75..80 if !self.is_stuck => {
                let room = match chance.below(3) {
                    0 => 0,
                    _ => chance.up_to(20 * self.volume),
                };
                net.stdout.drain(room);
            }
            80..87 => {
                let most = *chance.pick(&[1, 100, 4000, 11_000]);
                net.now += Duration::from_millis(chance.below(most + 1) as u64);
            }
            87 if chance.one_in(8) => {
                net.now += Duration::from_secs(chance.below(800) as u64);
            }
            88..91 => {
                if let Some(guest) = guest
                    && wire.sends()
                    && guest.is_open(wire.acked)
                {
                    guest.pings(wire, chance);
                }
            }
            91 | 92 => {
                if let Some(guest) = guest
                    && wire.sends()
                    && guest.is_open(wire.acked)
                    && chance.one_in(2)
                {
                    // A hub that may hear nobody looks at a few of them in a turn.
                    for _ in 0..*chance.pick(&[0, 0, 30]) {
                        guest.pings(wire, chance);
                    }
                    guest.closes(wire, chance);
                    // Not every client ends the connection itself (RFC 6455, 7.1.1).
                    if chance.one_in(2) {
                        wire.end();
                    }
                }
            }
            93..95 => wire.reset(),
            95 | 96 => wire.end(),
            97 => wire.close(),
            98 => {
                // What is under way from some byte on never arrives: the end may come within a frame, or a header.
                if let Some(guest) = guest
                    && wire.sends()
                {
                    guest.is_cut(wire, chance);
                }
            }
            _ => {}
        }
    }

    /// Whose wires are not dropped.
    fn live(&self) -> Vec<usize> {
        let net = self.net.borrow();
        let wires = net.wires.iter().enumerate();
        wires
            .filter(|(_, wire)| !wire.dropped)
            .map(|(id, _)| id)
            .collect()
    }

    /// One comes from a browser, perhaps with a token and so many bytes.
    fn connect(&mut self, asked: Option<(String, usize)>) {
        let net = &mut *self.net.borrow_mut();
        if !net.listens {
            return;
        }
        let ip = host(&mut net.chance);
        let capacity = 1000 + net.chance.up_to(20 * self.volume);
        let mut wire = Wire::new(ip, capacity as u64, net.now, &mut net.chance);
        wire.is_web = true;
        wire.window = wire.window.max(1000);
        let want = match net.chance.below(12) {
            _ if asked.is_some() => Want::Join,
            0 => *net
                .chance
                .pick(&[Want::Wrong(404), Want::Wrong(403), Want::Wrong(400)]),
            1 => Want::Probe,
            2 => Want::Nothing,
            _ => Want::Join,
        };
        let id = net.wires.len();
        let mut guest = Guest::new(id, want, asked, &mut wire);
        guest.is_quiet = net.chance.one_in(3);
        net.connect(wire);
        self.guests.insert(id, guest);
    }

    /// One that was lost, or believes so, comes back with what it knows.
    fn come_back(&mut self) {
        let mut known: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        {
            let net = self.net.borrow();
            for (&id, guest) in &self.guests {
                // What it knows of an earlier connection is old as soon as it knows something of a later one.
                let taken = guest.gave_up.unwrap_or(net.wires[id].taken);
                if let Some((token, from)) = guest.knows(taken) {
                    known.insert(token, (id, from));
                }
            }
        }
        let may_return = |(token, (id, from)): (String, (usize, usize))| {
            let net = self.net.borrow();
            let (guest, wire) = (&self.guests[&id], &net.wires[id]);
            let tries = |other: &Guest| {
                let asks = other
                    .asked
                    .as_ref()
                    .is_some_and(|(known, _)| *known == token);
                asks && other.wire > id && !net.wires[other.wire].dropped
            };
            let is_missed = wire.broken || wire.ended || wire.dropped;
            let may = !guest.has_closed && is_missed && !self.guests.values().any(tries);
            may.then_some((id, (token, from)))
        };
        let waiting: Vec<_> = known.into_iter().filter_map(may_return).collect();
        if !waiting.is_empty() {
            let (id, mut one) = waiting[self.below(waiting.len())].clone();
            // It may be mistaken.
            if self.one_in(8) {
                one.1 += 1_000_000;
            }
            let taken = self.net.borrow().wires[id].taken;
            let guest = self.guests.get_mut(&id).expect("a guest");
            guest.gave_up.get_or_insert(taken);
            self.connect(Some(one));
        }
    }

    fn has_work(&self) -> bool {
        let net = self.net.borrow();
        net.has_event() || self.until.is_some_and(|at| at <= net.now)
    }

    /// Turns until nothing happens any more, while the network brings everything there.
    fn run_until_quiet(&mut self) {
        for _ in 0..20_000 {
            let mut is_out = false;
            {
                let net = &mut *self.net.borrow_mut();
                net.stdout.drain(usize::MAX / 2);
                for (id, wire) in net.wires.iter_mut().enumerate() {
                    if wire.dropped {
                        continue;
                    }
                    if wire.write_failed {
                        // What made a write fail makes the next read fail.
                        wire.reset();
                    }
                    wire.arrive(usize::MAX);
                    for _ in 0..2 {
                        wire.ack(u64::MAX, net.now);
                        wire.take(u64::MAX, net.now);
                    }
                    let has_read = wire.taken == wire.written;
                    is_out |= !has_read && !wire.is_over() && !wire.vanished;
                    if let Some(guest) = self.guests.get_mut(&id)
                        && wire.sends()
                        && has_read
                        && guest.is_told_to_close()
                    {
                        guest.closes(wire, &mut net.chance);
                        wire.end();
                    }
                }
            }
            if !self.has_work() && !is_out {
                match self.until {
                    // Somebody is looked after all the time; what is to be done soon is done by then.
                    Some(until) if until < self.now() + Duration::from_secs(12) => {
                        self.net.borrow_mut().now = until;
                    }
                    _ => return,
                }
            }
            self.turn();
            if self.exit.is_some() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// Everything arrives, and whoever was lost comes back.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.run_until_quiet();
            assert!(self.exit.is_none(), "it ended");
            self.check_quiet();
            for _ in 0..4 {
                self.come_back();
            }
        }
        self.run_until_quiet();
        self.check_quiet();
    }

    fn check_quiet(&self) {
        let net = self.net.borrow();
        assert!(self.spec.screen.is_empty(), "not all was shown");
        for id in &self.spec.here {
            let (wire, member) = (&net.wires[*id], &self.spec.members[id]);
            assert!(member.owed.is_empty(), "{id} was not handed all: {wire:?}");
            assert!(wire.is_drained(), "{id} was not heard: {wire:?}");
            assert!(!wire.is_over(), "{id} stays: {wire:?}");
        }
    }

    /// The class is over: everybody is told so, has everything, and the hub ends.
    fn finish(&mut self) {
        let guests: Vec<usize> = self
            .spec
            .here
            .iter()
            .copied()
            .filter(|&id| id != WITNESS)
            .collect();
        {
            let net = &mut *self.net.borrow_mut();
            net.stdin.ended = true;
            net.stdin.event = true;
        }
        for _ in 0..2 {
            self.run_until_quiet();
            self.net.borrow_mut().wires[WITNESS].end();
        }
        let status = self.exit.unwrap_or_else(|| {
            let net = self.net.borrow();
            let here = self.spec.here.iter().map(|id| (id, &net.wires[*id]));
            panic!("it does not end: {:?}", here.collect::<Vec<_>>())
        });
        let _ = self.core.finish(Ok(status), self.now());
        if let Some(answers) = &self.answers {
            answers.check(self.spec.joined);
        }
        let net = self.net.borrow();
        let is_broken = net.wires.iter().any(|wire| wire.write_failed);
        for id in guests {
            let (guest, wire) = (&self.guests[&id], &net.wires[id]);
            let is_told = guest.is_over && guest.close == Some(1001);
            assert!(
                is_told || wire.write_failed,
                "{id} was not told the end: {wire:?}"
            );
        }
        let stderr = String::from_utf8_lossy(&net.stderr);
        assert!(
            matches!(status, Status::Done(_)) || is_broken || self.has_run_out,
            "it fails: {stderr}"
        );
    }

    fn now(&self) -> Instant {
        self.net.borrow().now
    }

    fn below(&self, bound: usize) -> usize {
        self.net.borrow_mut().chance.below(bound)
    }

    fn one_in(&self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// Only of the one that stays it matters whether it heard anything.
fn witness(id: usize) -> Acked {
    Acked {
        count: u64::from(id == WITNESS),
        is_proven: false,
        is_to_its_end: false,
    }
}

/// What somebody in a chat that so many have joined asks for. Never the name of another: whether that one is
/// gone by then, within the same turn, cannot be seen from outside.
fn request(
    joined: u32,
    line: usize,
    is_free: impl Fn(&str) -> bool,
    chance: &mut Chance,
) -> String {
    let name = *chance.pick(&["Ana", "Ben", "Cleo"]);
    // Some of them left, or have another name.
    let number = 1 + chance.below(joined as usize);
    match chance.below(8) {
        0 => format!("/msg host psst {line}"),
        1 => format!("/msg nobody psst {line}"),
        2 | 3 => format!("/msg user{number} psst {line}"),
        4..7 if is_free(name) => format!("/nick {name}"),
        _ => format!("/me does {line}"),
    }
}
