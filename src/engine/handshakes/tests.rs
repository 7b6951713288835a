use super::*;

const MILLI: Duration = Duration::from_millis(1);
const TURN: Duration = Duration::from_millis(4);

fn ip(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

/// What one does that shakes hands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// It says a byte now and then that is never the end of a message.
    Trickles,
    /// It says nothing.
    IsSilent,
    /// It says its first message, which is answered, and bytes of the next one then.
    GoesOn,
    /// It says so many messages, the first at once and each other that long after it was answered: that is all.
    Ends(u32, Duration),
}

#[derive(Debug)]
struct Client {
    last: u8,
    way: Way,
    /// When it connected, how many messages it said, and when it says the next.
    came: Instant,
    said: u32,
    says: Instant,
}

/// A hub as far as it shakes hands, and those who come to it. Of the listener's backlog they are accepted one after
/// the other.
#[derive(Debug)]
struct World {
    handshakes: Handshakes,
    now: Instant,
    backlog: VecDeque<Client>,
    clients: BTreeMap<usize, Client>,
    next: usize,
    /// How long those took who came to the end, and the addresses of those who did not.
    ended: Vec<Duration>,
    lost: Vec<u8>,
    random: u64,
}

impl World {
    fn new() -> World {
        World {
            handshakes: Handshakes::default(),
            now: Instant::now(),
            backlog: VecDeque::new(),
            clients: BTreeMap::new(),
            next: 0,
            ended: Vec::new(),
            lost: Vec::new(),
            random: 1,
        }
    }

    fn chance(&mut self, most: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(1);
        (self.random >> 33) % most
    }

    fn connect(&mut self, last: u8, way: Way) {
        let (came, says) = (self.now, self.now);
        let client = Client {
            last,
            way,
            came,
            said: 0,
            says,
        };
        self.backlog.push_back(client);
    }

    /// These are closed. Who is no honest one connects again at once.
    fn close(&mut self, keys: Vec<usize>) {
        for key in keys {
            let client = self.clients.remove(&key).expect("it is here");
            match client.way {
                Way::Ends(..) => self.lost.push(client.last),
                way => self.connect(client.last, way),
            }
        }
    }

    /// A turn of the hub, and what happened before it.
    fn turn(&mut self) {
        self.now += TURN;
        let now = self.now;
        let due = self.clients.iter().filter(|(_, client)| client.says <= now);
        let due: Vec<usize> = due.map(|(&key, _)| key).collect();
        for key in due {
            let pause = 150 + self.chance(100);
            let client = self.clients.get_mut(&key).expect("it is here");
            client.says = match client.way {
                Way::Trickles | Way::GoesOn => now + Duration::from_millis(pause),
                Way::IsSilent | Way::Ends(..) => now + LIMIT,
            };
            if client.way != Way::IsSilent {
                self.handshakes.wake(key);
            }
        }
        for _ in 0..64 {
            if self.handshakes.is_full() {
                break;
            }
            let Some(client) = self.backlog.pop_front() else {
                break;
            };
            let (key, from) = (self.next, ip(client.last));
            self.next += 1;
            self.clients.insert(key, client);
            let made_way = self.handshakes.come(key, from, now);
            self.close(made_way);
        }
        while let Some(late) = self.handshakes.take_late(now) {
            self.close(vec![late]);
        }
        let made_way = self.handshakes.let_in(now);
        self.close(made_way);
        let deadline = self.handshakes.deadline();
        assert!(
            deadline.is_none_or(|deadline| deadline > now),
            "it would spin"
        );
        for _ in 0..64 {
            if let Some(key) = self.handshakes.next_ready() {
                self.step(key);
            }
        }
        assert!(self.handshakes.len() <= MOST && self.handshakes.waiting <= WAITING);
        assert!(self.handshakes.begun.len() <= 3 * MOST);
    }

    fn step(&mut self, key: usize) {
        let now = self.now;
        let client = self.clients.get_mut(&key).expect("it is here");
        client.said += 1;
        match client.way {
            Way::GoesOn if client.said == 1 => self.handshakes.answered(key, now),
            Way::Ends(messages, _) if client.said == messages => {
                self.handshakes.end(key);
                self.ended.push(now - client.came);
                self.clients.remove(&key);
            }
            Way::Ends(_, pause) => {
                client.says = now + pause;
                self.handshakes.answered(key, now);
            }
            _ => self.handshakes.heard(key),
        }
    }
}

/// So many from one address, in all ways, and one after the other from others, each of whom needs three seconds.
#[test]
fn one_address_keeps_nobody_of_another_out() {
    let slow = Way::Ends(3, 1500 * MILLI);
    for (most, ways) in [
        (4000, &[Way::Trickles][..]),
        (4000, &[Way::GoesOn]),
        (8000, &[Way::Trickles, Way::IsSilent, Way::GoesOn]),
    ] {
        let mut world = World::new();
        for at in 0..most {
            world.connect(1, ways[at % ways.len()]);
        }
        let (turns, mut honest) = (2500, 0);
        for turn in 0..turns {
            if turn % 25 == 0 && turn < turns / 2 {
                honest += 1;
                world.connect(2 + (honest % 200) as u8, slow);
            }
            world.turn();
        }
        assert!(world.lost.is_empty(), "{most} {ways:?}");
        assert_eq!(world.ended.len(), honest, "{most} {ways:?}");
        // More than wait for a place stay in the backlog, and whoever comes behind them.
        let limit = if most < WAITING { 3500 } else { 6000 } * MILLI;
        let longest = world.ended.iter().max();
        assert!(longest < Some(&limit), "{most} {ways:?}: {longest:?}");
    }
}

/// A class that has one address together, and few of others: those who make way are of the address that has more.
#[test]
fn who_share_an_address_get_in_beside_few_others_and_beside_a_flood() {
    let slow = Way::Ends(3, 1500 * MILLI);
    for flood in [0, 4000] {
        let mut world = World::new();
        (0..flood).for_each(|_| world.connect(1, Way::Trickles));
        for turn in 0..1500 {
            if turn == 250 {
                (0..200).for_each(|_| world.connect(2, slow));
                (3..10).for_each(|last| world.connect(last, slow));
            }
            world.turn();
        }
        assert!(world.lost.is_empty(), "{flood}");
        assert_eq!(world.ended.len(), 207, "{flood}");
    }
}

/// A flood of beginnings from one address, and a peer of the same now and then that goes on: that one comes to its
/// end.
#[test]
fn who_goes_on_is_not_pushed_out_by_who_begins() {
    let mut world = World::new();
    (0..4000).for_each(|_| world.connect(1, Way::GoesOn));
    for turn in 0..3000 {
        if turn % 100 == 0 && turn < 1500 {
            world.connect(1, Way::Ends(3, 200 * MILLI));
        }
        world.turn();
    }
    assert_eq!((world.lost.len(), world.ended.len()), (0, 15));
}

/// More of one address than there are places, who all mean it: those who came later wait for the others.
#[test]
fn who_finds_no_place_waits() {
    let mut world = World::new();
    (0..3 * MOST).for_each(|_| world.connect(1, Way::Ends(2, 100 * MILLI)));
    (0..500).for_each(|_| world.turn());
    assert!(world.lost.is_empty());
    assert_eq!(world.ended.len(), 3 * MOST);
    assert!(world.handshakes.is_empty() && world.handshakes.hosts.is_empty());
}

#[test]
fn the_address_with_the_most_makes_way() {
    let mut handshakes = Handshakes::default();
    let now = Instant::now();
    for key in 0..MOST {
        let last = if key < 300 { 1 } else { 2 };
        assert!(handshakes.come(key, ip(last), now).is_empty());
    }
    assert!(handshakes.deadline().is_none_or(|at| at == now + LIMIT));
    // Nobody waits for those who have two more; those who have most wait for one another.
    for (key, last, makes_way) in [(MOST, 3, true), (MOST + 1, 1, true), (MOST + 2, 2, false)] {
        let made_way = handshakes.come(key, ip(last), now);
        assert_eq!(made_way.len(), usize::from(makes_way));
        assert!(made_way.iter().all(|&key| key >= 300));
    }
    while handshakes.next_ready().is_some() {}
    assert_eq!(handshakes.deadline(), Some(now + SILENCE));
    let made_way = handshakes.let_in(now + SILENCE);
    assert!(made_way.len() == 1 && made_way[0] >= 300);
    assert_eq!((handshakes.waiting, handshakes.len()), (0, MOST));
}

#[test]
fn addresses_take_turns() {
    let mut handshakes = Handshakes::default();
    let now = Instant::now();
    for (key, last) in [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3)] {
        handshakes.come(key, ip(last), now);
    }
    handshakes.end(1);
    let turns = std::iter::from_fn(|| handshakes.next_ready());
    assert_eq!(turns.collect::<Vec<_>>(), [0, 3, 5, 4, 2]);
    [4, 0, 2, 4]
        .into_iter()
        .for_each(|key| handshakes.wake(key));
    let turns = std::iter::from_fn(|| handshakes.next_ready());
    assert_eq!(turns.collect::<Vec<_>>(), [4, 0, 2]);
    assert!(!handshakes.is_ready());
}

/// Where each has one, nobody has more than a newcomer would have.
#[test]
fn who_has_one_place_makes_way_when_it_does_not_go_on() {
    let mut handshakes = Handshakes::default();
    let now = Instant::now();
    let from = |key: usize| Some(IpAddr::from([10, 0, (key >> 8) as u8, key as u8]));
    for key in 0..MOST {
        handshakes.come(key, from(key), now);
    }
    assert!(handshakes.come(MOST, from(MOST), now).is_empty());
    assert!(handshakes.let_in(now + SILENCE - MILLI).is_empty());
    let now = now + SILENCE;
    assert!(handshakes.let_in(now).is_empty(), "all have a turn");
    assert_eq!(handshakes.next_ready(), Some(0));
    assert_eq!(handshakes.let_in(now), [0]);
}

#[test]
fn the_silent_make_way_first_then_who_is_awaited_longest() {
    let mut handshakes = Handshakes::default();
    let start = Instant::now();
    for key in 0..MOST {
        handshakes.come(key, ip(1), start);
        assert_eq!(handshakes.next_ready(), Some(key));
        match key {
            5..10 => {}
            0..5 => handshakes.heard(key),
            _ => handshakes.answered(key, start + key as u32 * MILLI),
        }
    }
    let now = start + GRACE + Duration::from_secs(2);
    let made_way = handshakes.make_way(now);
    assert_eq!(made_way.len(), BATCH);
    assert_eq!(made_way[..11], [5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 10]);
    assert_eq!(handshakes.len(), MOST - BATCH);
}

/// What is said in pieces is no progress, and what is answered is.
#[test]
fn who_is_answered_has_a_grace() {
    let start = Instant::now();
    for (is_answered, makes_way) in [(false, true), (true, false)] {
        let mut handshakes = Handshakes::default();
        for key in 0..=MOST {
            handshakes.come(key, ip(1), start);
        }
        let mut now = start;
        while now < start + GRACE {
            now += 100 * MILLI;
            handshakes.wake(0);
            while let Some(key) = handshakes.next_ready() {
                match is_answered {
                    true => handshakes.answered(key, now),
                    false => handshakes.heard(key),
                }
            }
        }
        assert_eq!(handshakes.let_in(start + GRACE).contains(&0), makes_way);
    }
}

#[test]
fn each_has_its_time() {
    let mut handshakes = Handshakes::default();
    let start = Instant::now();
    handshakes.come(1, None, start);
    handshakes.come(2, None, start + Duration::from_secs(1));
    handshakes.come(3, None, start + Duration::from_secs(2));
    handshakes.end(1);
    assert_eq!(
        handshakes.deadline(),
        Some(start + Duration::from_secs(1) + LIMIT)
    );
    // A key is given again.
    handshakes.come(1, None, start + Duration::from_secs(3));
    let now = start + Duration::from_secs(2) + LIMIT;
    assert_eq!(handshakes.take_late(now), Some(2));
    assert_eq!(handshakes.take_late(now), Some(3));
    assert_eq!(handshakes.take_late(now), None);
    handshakes.come(2, None, now);
    assert_eq!(handshakes.end_those(|key| key == 2), [2]);
    assert_eq!(handshakes.len(), 1);
    assert_eq!(handshakes.end_those(|_| true), [1]);
    assert_eq!((handshakes.deadline(), handshakes.is_empty()), (None, true));
    // So have those that wait no longer than others.
    (0..=MOST).for_each(|key| drop(handshakes.come(key, None, now)));
    assert_eq!(handshakes.end_those(|key| key == MOST), [MOST]);
    assert_eq!((handshakes.waiting, handshakes.len()), (0, MOST));
}
