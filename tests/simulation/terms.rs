//! What a hub is asked for, and how one is made of that over the world of a schedule.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::client::Settings;
use muxnc::client::Traffic;
use muxnc::engine::admit::Hosts;
use muxnc::engine::admit::Lists;
use muxnc::engine::chat::Rules;
use muxnc::engine::room::Label;
use muxnc::hub::BusConfig;
use muxnc::hub::HubConfig;
use muxnc::hub::core::Core;
use muxnc::hub::core::Parts;
use muxnc::hub::core::Uplink;
use muxnc::hub::core::Visits;
use muxnc::io::access::Access;
use muxnc::io::access::List;
use muxnc::io::device::Kind;
use muxnc::io::input::Input;
use muxnc::io::listener::Place;
use muxnc::io::net::Lookup;
use muxnc::io::notices::Notices;
use muxnc::io::notices::Stderr;
use muxnc::io::output::Output;
use muxnc::io::record::Records;
use muxnc::io::record::Wanted;
use muxnc::io::stdin::Stdin;
use muxnc::io::web::Offered;

use super::Chance;
use super::Mode;
use super::spec::Spec;
use super::spec::WELCOME;
use super::world::Door;
use super::world::Fd;
use super::world::Handle;
use super::world::Model;
use super::world::Over;

/// Milliseconds: less than a member that is slow takes between two reads, and more than it takes to
/// find out who has vanished.
const STALL_TIMEOUTS: [u64; 5] = [500, 3000, 10_000, 10_000, 60_000];

/// What is left to chance of what a hub is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) stdin: Kind,
    /// What is said is one whole.
    pub(crate) is_whole: bool,
    pub(crate) wait_for: Option<usize>,
    pub(crate) max: Option<usize>,
    pub(crate) max_per_host: Option<usize>,
    pub(crate) quit_after: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) keep_open: bool,
    pub(crate) half_close: bool,
    pub(crate) traffic: Traffic,
    pub(crate) stall_timeout: Duration,
    /// Somebody else serves the one who comes.
    pub(crate) once: bool,
    pub(crate) lists: Lists,
    tells_refused: bool,
    pub(crate) is_shared: bool,
    /// Where what each member says is collected, if it is.
    pub(crate) collect: Option<PathBuf>,
    announced: u32,
    chat: Rules,
    /// How browsers join, if they can.
    visits: Option<Visits>,
    /// What they can download instead, and from where on.
    offered: Option<fn(u64) -> Offered>,
    offered_from: u64,
    /// How it is joined with other hubs, if it is.
    bus: Option<Box<BusConfig>>,
}

impl Terms {
    pub(crate) fn new(mode: Mode, chance: &mut Chance) -> Terms {
        let keep_open = !mode.is_whole && chance.one_in(8);
        let kinds = match mode.is_whole {
            // After which the class goes on: nothing of it is one whole.
            false if keep_open => &[Kind::Pipe, Kind::File, Kind::Terminal][..],
            true => &[Kind::File, Kind::Pipe, Kind::Pipe][..],
            false => &[
                Kind::Pipe,
                Kind::Pipe,
                Kind::Pipe,
                Kind::Socket,
                Kind::Terminal,
            ],
        };
        let stdin = *chance.pick(kinds);
        let some = |chance: &mut Chance, one_in: usize, most: usize| {
            chance.one_in(one_in).then(|| 1 + chance.below(most))
        };
        let wait_for = match (mode.is_whole, stdin) {
            (true, Kind::File) => some(chance, 2, 3),
            (true, _) => Some(1 + chance.below(3)),
            (false, Kind::Terminal) => some(chance, 4, 3),
            (false, _) if keep_open => some(chance, 2, 3),
            (false, _) => None,
        };
        let traffic = match chance.below(12) {
            0 => Traffic::SendOnly,
            1 if !mode.is_whole && !mode.chat => Traffic::ReceiveOnly,
            _ => Traffic::Both,
        };
        let millis = chance.below(3000) as u64;
        let stall_timeout = Duration::from_millis(*chance.pick(&STALL_TIMEOUTS));
        Terms {
            stdin,
            is_whole: mode.is_whole,
            wait_for,
            max: some(chance, 3, 4).map(|max| max.max(wait_for.unwrap_or(1))),
            max_per_host: some(chance, 6, 3).map(|max| max.max(wait_for.unwrap_or(1))),
            quit_after: chance.one_in(8).then_some(Duration::from_millis(millis)),
            idle: chance.one_in(6).then_some(3 * stall_timeout),
            keep_open,
            half_close: !chance.one_in(8),
            traffic,
            stall_timeout,
            once: false,
            lists: Lists::default(),
            tells_refused: chance.one_in(2),
            is_shared: chance.one_in(10),
            collect: None,
            announced: *Chance(chance.0).pick(&[1, 3, 300]),
            chat: Rules {
                welcome: Chance(chance.0).one_in(2).then(|| WELCOME.into()),
                open_messages: Chance(chance.0).one_in(3),
                ..Rules::of("host")
            },
            visits: None,
            offered: None,
            offered_from: 0,
            bus: None,
        }
    }

    /// What a hub is asked for that is joined with others: one that goes on and on, and waits for whoever is slow.
    #[cfg(feature = "bus")]
    pub(crate) fn joined(mode: Mode, bus: BusConfig, chance: &mut Chance) -> Terms {
        Terms {
            max: None,
            max_per_host: None,
            stall_timeout: Duration::from_secs(24 * 60 * 60),
            visits: None,
            bus: Some(Box::new(bus)),
            ..Terms::web(mode, chance)
        }
    }

    /// What a hub is asked for that sends a file, and offers it from there on.
    #[cfg(feature = "web")]
    pub(crate) fn downloads(mode: Mode, from: u64, chance: &mut Chance) -> Terms {
        let terms = Terms::new(mode, chance);
        Terms {
            stdin: Kind::File,
            wait_for: None,
            idle: None,
            keep_open: false,
            half_close: true,
            traffic: Traffic::Both,
            tells_refused: true,
            is_shared: false,
            offered: Some(super::downloads::offered),
            offered_from: from,
            ..terms
        }
    }

    /// What a hub is asked for to which browsers come: one that goes on and on, and waits for nobody.
    pub(crate) fn web(mode: Mode, chance: &mut Chance) -> Terms {
        let terms = Terms::new(mode, chance);
        Terms {
            stdin: Kind::Pipe,
            wait_for: None,
            quit_after: None,
            idle: None,
            keep_open: false,
            half_close: true,
            traffic: Traffic::Both,
            stall_timeout: Duration::from_secs(60),
            tells_refused: true,
            is_shared: false,
            visits: Some(Visits {
                page: None,
                secret: [7; 32],
            }),
            ..terms
        }
    }

    /// What `--once` is asked for.
    pub(crate) fn once(mode: Mode, chance: &mut Chance) -> Terms {
        let denied = Hosts::prefix(Ipv4Addr::new(192, 0, 2, 3).into(), None).expect("an address");
        let denied = chance.one_in(2).then_some(denied);
        Terms {
            once: true,
            wait_for: None,
            lists: Lists {
                allow: None,
                deny: denied.into_iter().collect(),
            },
            ..Terms::new(mode, chance)
        }
    }

    fn config(&self, mode: Mode) -> HubConfig {
        HubConfig {
            place: Some(Place::Passed),
            web: None,
            tls: None,
            keep_open: self.keep_open,
            once: self.once,
            access: Access {
                allow: List::default(),
                deny: List::default(),
                lookup: Lookup::Numeric,
            },
            max_peers: self.max,
            max_per_host: self.max_per_host,
            tells_refused: self.tells_refused,
            relay: mode.relay,
            chat: mode.chat.then(|| self.chat.clone()),
            announced: self.announced,
            wait_for: self.wait_for,
            history: 0,
            slow: mode.slow,
            stall_timeout: self.stall_timeout,
            rate: None,
            times: false,
            label: Label::Auto,
            color: false,
            bus: self.bus.clone(),
            commands: true,
            settings: Settings {
                crlf: false,
                half_close: self.half_close,
                quit_after: self.quit_after,
                idle_timeout: self.idle,
                line_delay: None,
                traffic: self.traffic,
                records: Wanted::default(),
                telnet: false,
                raw_output: false,
                edit: false,
                explain: false,
                digest: false,
            },
        }
    }

    /// A hub of that kind.
    pub(crate) fn open<S: Over>(&self, mode: Mode, net: &Handle, now: Instant) -> Core<Model<S>> {
        self.open_joined(mode, net, None, now)
    }

    /// The same, with what the bus needs.
    pub(crate) fn open_joined<S: Over>(
        &self,
        mode: Mode,
        net: &Handle,
        bus: Option<Uplink<S>>,
        now: Instant,
    ) -> Core<Model<S>> {
        let input = match self.traffic {
            Traffic::ReceiveOnly => Input::None,
            _ if self.once => Input::None,
            Traffic::Both | Traffic::SendOnly => Input::Plain(Stdin::new(Fd::In(Rc::clone(net)))),
        };
        let collecting = |folder: &PathBuf| Records::collecting(folder).expect("a folder");
        let parts = Parts {
            world: Model::new(net),
            listeners: vec![Door(Rc::clone(net))],
            are_shared: self.is_shared,
            lists: self.lists.clone(),
            input,
            stdout: Output::new(Fd::Out(Rc::clone(net))),
            stderr: Stderr::over(Notices::default(), Output::new(Fd::Err(Rc::clone(net)))),
            records: self.collect.as_ref().map(collecting),
            can_draw: false,
            visits: self.visits.clone(),
            offered: self.offered.map(|offered| offered(self.offered_from)),
            bus,
        };
        Core::new(parts, self.config(mode), now)
    }

    /// What a hub of that kind is to do from now on.
    pub(crate) fn spec(&self, mode: Mode, now: Instant) -> Spec {
        let relays = self.relays(mode);
        let mut spec = Spec::new(relays, mode.chat, self.announced, self.stall_timeout, now);
        spec.rules = self.chat.clone();
        spec
    }

    /// Whether members hear each other: not where nothing is sent to them, or nothing heard of them.
    pub(crate) fn relays(&self, mode: Mode) -> bool {
        mode.relay && self.traffic == Traffic::Both
    }

    /// How many have to acknowledge something before it begins for good, if it is one whole.
    pub(crate) fn quorum(&self) -> Option<usize> {
        self.is_whole.then_some(self.wait_for.unwrap_or(1))
    }
}

/// One of a few machines.
pub(crate) fn host(chance: &mut Chance) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, 1 + chance.below(3) as u8).into()
}
