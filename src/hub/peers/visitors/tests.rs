use std::io;
use std::rc::Rc;

use super::memory::BYTES;
use super::memory::KEPT;
use super::memory::MOST;
use super::memory::OF_ONE;
use super::*;
use crate::engine::admit::Admission;
use crate::engine::admit::AdmissionError;
use crate::engine::admit::Hosts;
use crate::engine::admit::Lists;
use crate::hub::peers::Kick;
use crate::hub::peers::fake::Fake;
use crate::hub::peers::fake::Wire;
use crate::hub::peers::fake::join;
use crate::hub::peers::fake::peers;
use crate::hub::peers::fake::say;
use crate::io::stream::Unread;

#[test]
fn who_is_silent_is_asked_for_a_sign_of_life_and_nobody_else() {
    let mut now = Instant::now();
    let mut peers = peers();
    peers.expect_visitors([7; 32]);
    let ([wire], [_]) = join(&mut peers, now);
    assert_eq!(peers.looks_for_silence(), None, "it has no word for that");
    wire.is_web.set(true);
    let web = Rc::<Wire>::default();
    web.is_web.set(true);
    let key = web.join(&mut peers, now);
    let mut looks = |peers: &mut Peers<_>| {
        now = peers.looks_for_silence().expect("a time to look");
        assert!(peers.deadline().is_some_and(|at| at <= now));
        peers.ping_silent(now);
        now
    };
    let at = looks(&mut peers);
    assert_eq!(web.pings.get(), 0, "it has just come");
    say(&mut peers, b"hello\n", at);
    looks(&mut peers);
    assert_eq!(web.pings.get(), 0, "something was said");
    looks(&mut peers);
    looks(&mut peers);
    assert_eq!((web.pings.get(), wire.pings.get()), (2, 0));
    peers.queue_leave(key, DisconnectReason::Closed);
    peers.reap(at);
    let visitors = peers.visitors.as_ref().expect("some may come");
    assert!(visitors.known.is_empty() && visitors.here.is_empty());
}

#[test]
fn of_those_who_were_lost_a_bounded_number_is_kept_for_a_while() {
    let now = Instant::now();
    let mut peers = peers();
    peers.expect_visitors([7; 32]);
    let (_, key) = visit(&mut peers, now);
    // Any other is as good.
    let lost = |peers: &mut Peers<_>| {
        let other = visit(peers, now).1;
        let left = peers.room.leave(other, now).expect("it was there");
        peers.conns.remove(other);
        left.lost
    };
    let (first, second) = (lost(&mut peers), lost(&mut peers));
    let visitors = peers.visitors.as_mut().expect("some may come");
    let token = visitors.known[&key].token.clone();
    let returning = |token: &str| Returning {
        epoch: visitors.epoch.clone(),
        token: token.into(),
        from: 0,
    };
    let mine = returning(&token);
    let other = returning("other");
    let known = |token: &str| Known::new(token.into(), 1, 0);
    visitors.left(key, Some(first), 0, now);
    assert!(visitors.take(&other, now).is_none());
    assert!(visitors.take(&mine, now).is_some());
    assert!(visitors.take(&mine, now).is_none(), "it is back");
    visitors.came(key, known(&token), now);
    visitors.left(key, Some(second), 0, now);
    assert!(visitors.take(&mine, now + KEPT).is_none(), "it is too late");
    let count = |peers: &Peers<_>| peers.visitors.as_ref().map_or(0, |v| v.gone.len());
    for n in 0..MOST + 10 {
        let lost = lost(&mut peers);
        let visitors = peers.visitors.as_mut().expect("some may come");
        visitors.came(n, known(&n.to_string()), now);
        visitors.left(n, Some(lost), 0, now);
    }
    assert_eq!(peers.forgets(), Some(now + KEPT));
    peers.forget_visitors(now);
    assert_eq!(count(&peers), MOST);
    peers.forget_visitors(now + KEPT);
    assert_eq!((count(&peers), peers.forgets()), (0, None));
}

/// However often another is lost and comes back.
#[test]
fn who_was_lost_is_not_forgotten_for_one_that_is_lost_again_and_again() {
    let now = Instant::now();
    let mut peers = peers();
    peers.expect_visitors([7; 32]);
    let lose = |peers: &mut Peers<_>, token: &str| {
        let (_, key) = visit(peers, now);
        let left = peers.room.leave(key, now).expect("it was there");
        peers.conns.remove(key);
        let visitors = peers.visitors.as_mut().expect("some may come");
        visitors.came(key, Known::new(token.into(), 1, 0), now);
        visitors.left(key, Some(left.lost), 0, now);
    };
    lose(&mut peers, "ana");
    for _ in 0..MOST + 10 {
        lose(&mut peers, "mal");
        let visitors = peers.visitors.as_mut().expect("some may come");
        assert!(visitors.gone.take("mal", now).is_some());
        peers.forget_visitors(now);
    }
    let visitors = peers.visitors.as_mut().expect("some may come");
    assert!(visitors.gone.take("ana", now).is_some());
    assert!(visitors.gone.is_empty());
}

/// However much each of them was owed.
#[test]
fn what_those_who_were_lost_need_is_bounded() {
    const OWED: usize = 20_000;
    let now = Instant::now();
    let mut peers = peers();
    peers.expect_visitors([7; 32]);
    let lose = |peers: &mut Peers<_>, owed: usize| {
        let (_, key) = visit(peers, now);
        assert!(peers.room.tell(key, &vec![b'x'; owed]));
        peers.queue_leave(key, DisconnectReason::Returned);
        peers.reap(now);
        peers.forget_visitors(now);
    };
    let kept = |peers: &Peers<_>| {
        let visitors = peers.visitors.as_ref().expect("some may come");
        (visitors.gone.len(), visitors.gone.held())
    };
    lose(&mut peers, OF_ONE + 1);
    assert_eq!(kept(&peers), (1, 0), "it needs too much: its stream ends");
    for _ in 0..2 * BYTES / OWED {
        lose(&mut peers, OWED);
    }
    let (count, held) = kept(&peers);
    assert_eq!(count, BYTES / (OWED + 40));
    assert!((count * OWED..=BYTES).contains(&held), "{held}");
}

/// A visitor that joins, with its wire.
fn visit(peers: &mut Peers<Fake>, now: Instant) -> (Rc<Wire>, usize) {
    let web = Rc::<Wire>::default();
    web.is_web.set(true);
    let key = web.join(peers, now);
    (web, key)
}

/// What it was told since it was last asked.
fn told(web: &Wire) -> Vec<usize> {
    web.here.take()
}

#[test]
fn how_many_are_here_is_told_when_it_changes_and_once_in_a_while() {
    let now = Instant::now();
    let mut peers = peers();
    peers.expect_visitors([7; 32]);
    let (ana, _) = visit(&mut peers, now);
    peers.tell_here(now);
    assert_eq!(told(&ana), [1]);
    assert_eq!(peers.tells_here(), None, "an idle hub does not wake");
    // At once the first time.
    let ([plain, _], [first, second]) = join(&mut peers, now);
    peers.tell_here(now);
    assert_eq!(told(&ana), [3]);
    assert!(plain.here.take().is_empty(), "it has no word for that");
    // What changes soon after is told later, and only how it is then.
    let (ben, _) = visit(&mut peers, now);
    peers.queue_leave(first, DisconnectReason::Closed);
    peers.reap(now);
    peers.tell_here(now);
    assert_eq!((told(&ana), told(&ben)), (vec![], vec![4]));
    let later = now + TOLD_EVERY;
    assert_eq!(peers.tells_here(), Some(later));
    assert!(peers.deadline().is_some_and(|at| at <= later));
    peers.tell_here(later);
    assert_eq!((told(&ana), told(&ben)), (vec![], vec![3]), "Ana knew that");
    assert_eq!(peers.tells_here(), None);
    peers.queue_leave(second, DisconnectReason::Closed);
    peers.reap(later);
    peers.tell_here(later);
    peers.tell_here(later + TOLD_EVERY);
    assert_eq!((told(&ana), told(&ben)), (vec![2], vec![2]));
}

#[test]
fn whether_members_hear_each_other_is_told_at_once_when_it_changes() {
    let now = Instant::now();
    let mut peers = peers();
    peers.expect_visitors([7; 32]);
    let (ana, _) = visit(&mut peers, now);
    for on in [false, true, true] {
        peers.relay(on, now);
    }
    let (ben, _) = visit(&mut peers, now);
    peers.relay(false, now);
    assert_eq!(ana.relays.take(), [false, true, false]);
    assert_eq!(ben.relays.take(), [true, false]);
}

#[test]
fn who_returns_is_told_how_much_of_what_it_said_was_taken_in() {
    let now = Instant::now();
    let mut peers = peers();
    peers.expect_visitors([7; 32]);
    let (web, mut key) = visit(&mut peers, now);
    assert_eq!(web.heard.get(), 0);
    let visitors = peers.visitors.as_ref().expect("some may come");
    let returning = Returning {
        epoch: visitors.epoch.clone(),
        token: visitors.known[&key].token.clone(),
        from: 0,
    };
    // Also over a connection on which nothing was said, which the member may not have noticed.
    for (said, heard) in [(&b"one\ntw"[..], 6), (b"", 6), (b"two\n", 10)] {
        peers.room.heard(key, said, now);
        peers.queue_leave(key, io::Error::from(io::ErrorKind::ConnectionReset).into());
        peers.reap(now);
        let again = Rc::<Wire>::default();
        again.is_web.set(true);
        again.returning.set(returning.clone()).unwrap();
        key = again.join(&mut peers, now);
        assert_eq!(again.heard.get(), heard);
    }
}

/// It says that again, whether its stream goes on or not.
#[test]
fn what_was_not_heard_of_who_returns_is_not_lost() {
    for from in [0, 1] {
        let now = Instant::now();
        let mut peers = peers();
        peers.expect_visitors([7; 32]);
        let (web, key) = visit(&mut peers, now);
        web.unread.set(Some(9));
        let again = comes_back(&peers, key, from);
        again.unread.set(Some(0));
        let comes = again.arrive(&mut peers);
        let open = Admission::new(Lists::default(), None, None);
        assert_eq!(peers.ask_for_place(&open, comes, false, now), Ok(()));
        assert!(peers.member(key).is_none());
        assert_eq!(peers.room.places_taken(), 0);
        // What it was to say again and did not was not heard, either.
        peers.join(comes, now);
        let unread = |peers: &Peers<_>| peers.unread_of(&[comes]).bytes;
        assert_eq!(unread(&peers), 9);
        assert_eq!(peers.unread_words(comes), Some(Unread::all(9)));
        // Where it says them again, and is not read, they are not counted twice.
        again.unread.set(Some(9));
        assert_eq!(unread(&peers), 9);
        again.unread.set(Some(0));
        peers.room.heard(comes, b"x\n", now);
        assert_eq!(unread(&peers), 0, "it speaks");
        assert_eq!(peers.unread_words(comes), None);
    }
}

/// A connection over which a visitor that is here comes back, to which so many bytes had come.
fn comes_back(peers: &Peers<Fake>, key: usize, from: u64) -> Rc<Wire> {
    let visitors = peers.visitors.as_ref().expect("some may come");
    let returning = Returning {
        epoch: visitors.epoch.clone(),
        token: visitors.known[&key].token.clone(),
        from,
    };
    let again = Rc::<Wire>::default();
    again.is_web.set(true);
    again.returning.set(returning).unwrap();
    again
}

/// Otherwise whoever is muted could unmute itself while others are locked out. It may be lost, cut off by the hub,
/// or here still; and say something that is not so.
#[test]
fn who_comes_back_is_the_member_that_it_was_whether_its_stream_goes_on_or_not() {
    let mut locked = Admission::new(Lists::default(), None, None);
    locked.lock();
    let reasons: [fn() -> Option<DisconnectReason>; 4] = [
        || None,
        || Some(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        || Some(DisconnectReason::Behind),
        || Some(DisconnectReason::Idle),
    ];
    for why in reasons {
        for from in [0, 99_999_999] {
            let why = why();
            let now = Instant::now();
            let mut peers = peers();
            peers.expect_visitors([7; 32]);
            let (_, key) = visit(&mut peers, now);
            visit(&mut peers, now);
            peers.room.heard(key, b"four", now);
            peers.room.name(key, "Mal", now).expect("a name");
            peers.room.mute(key, true, now);
            let again = comes_back(&peers, key, from);
            let told = format!("{why:?}, from {from}");
            if let Some(why) = why {
                peers.queue_leave(key, why);
                peers.reap(now);
            }
            let comes = again.arrive(&mut peers);
            assert_eq!(peers.ask_for_place(&locked, comes, false, now), Ok(()));
            peers.join(comes, now);
            let account = &peers.room.member(comes).expect("it is in").account;
            let is_it = (account.number, account.name(), account.muted);
            assert_eq!(is_it, (1, Some("Mal"), true), "{told}");
            assert_eq!(again.heard.get(), 4);
            // So it may come once more.
            let token = &again.returning.get().expect("a token").token;
            let visitors = peers.visitors.as_ref().expect("some may come");
            assert_eq!(visitors.known[&comes].token, *token);
        }
    }
}

/// Though it may wait for being taken out, with what it said before.
#[test]
fn who_said_goodbye_is_a_newcomer_in_every_respect() {
    let now = Instant::now();
    let mut peers = peers();
    peers.expect_visitors([7; 32]);
    let mut admission = Admission::new(Lists::default(), None, None);
    let (web, key) = visit(&mut peers, now);
    let again = comes_back(&peers, key, 0);
    web.has_closed.set(true);
    let comes = again.arrive(&mut peers);
    admission.lock();
    let asked = peers.ask_for_place(&admission, comes, false, now);
    assert_eq!(asked, Err(AdmissionError::Locked));
    admission.unlock();
    let asked = peers.ask_for_place(&admission, comes, false, now);
    assert_eq!(asked, Ok(()));
    peers.join(comes, now);
    let number = |key| peers.room.member(key).map(|member| member.account.number);
    assert_eq!((number(key), number(comes)), (Some(1), Some(2)));
}

/// Whether it is here when it comes back, was taken out, or waits for that.
#[test]
fn who_was_sent_away_is_not_let_in_with_its_token() {
    let open = || Admission::new(Lists::default(), None, None);
    let mut banned = open();
    banned.ban(Hosts::prefix([192, 0, 2, 1].into(), None).expect("an address"));
    for is_reaped in [true, false] {
        let now = Instant::now();
        let mut peers = peers();
        peers.expect_visitors([7; 32]);
        let (_, key) = visit(&mut peers, now);
        let ask = |peers: &mut Peers<_>, admission: &Admission, web: &Rc<Wire>, now| {
            let comes = web.arrive(peers);
            let asked = peers.ask_for_place(admission, comes, false, now);
            (comes, asked)
        };
        let again = comes_back(&peers, key, 0);
        peers.kick(key, Kick::by_us("be quiet"), now);
        if is_reaped {
            peers.reap(now);
        }
        for _ in 0..2 {
            let (comes, asked) = ask(&mut peers, &open(), &again, now);
            assert_eq!(asked, Err(AdmissionError::SentAway));
            peers.tell_sent_away(comes, now);
            assert_eq!(again.kicked.take(), ["be quiet"]);
        }
        let (_, asked) = ask(&mut peers, &banned, &again, now);
        assert_eq!(asked, Err(AdmissionError::NotAllowed));
        // It may join as another, and with its token when that is forgotten.
        let other = Rc::<Wire>::default();
        other.is_web.set(true);
        assert_eq!(ask(&mut peers, &open(), &other, now).1, Ok(()));
        let later = now + KEPT;
        let (comes, asked) = ask(&mut peers, &open(), &again, later);
        assert_eq!(asked, Ok(()));
        peers.join(comes, later);
        let number = peers.room.member(comes).map(|member| member.account.number);
        assert_eq!(number, Some(2));
    }
}

/// Who is not let in takes no place from the one that it was; and it has that place, whoever else comes.
#[test]
fn who_comes_back_has_its_own_place_and_loses_nothing_where_it_is_refused() {
    let now = Instant::now();
    let mut locked = Admission::new(Lists::default(), Some(2), Some(1));
    locked.lock();
    let mut banned = Admission::new(Lists::default(), None, None);
    let theirs = Hosts::prefix([192, 0, 2, 1].into(), None).expect("an address");
    banned.ban(theirs);
    for (admission, is_let_in) in [(locked, true), (banned, false)] {
        let mut peers = peers();
        peers.count_hosts();
        peers.expect_visitors([7; 32]);
        let (web, key) = visit(&mut peers, now);
        web.unread.set(Some(9));
        let again = comes_back(&peers, key, 0);
        let comes = again.arrive(&mut peers);
        let other = Rc::<Wire>::default().arrive(&mut peers);
        assert!(peers.ask_for_place(&admission, other, false, now).is_err());
        let asked = peers.ask_for_place(&admission, comes, false, now);
        assert_eq!(asked.is_ok(), is_let_in);
        let stays = peers.conns.get(key).is_some_and(Peer::is_member);
        assert_eq!(
            (stays, peers.room.places_taken()),
            (!is_let_in, usize::from(!is_let_in))
        );
    }
}
