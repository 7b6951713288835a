use std::rc::Rc;

use super::*;
use crate::hub::peers::fake::Wire;
use crate::hub::peers::fake::join;
use crate::hub::peers::fake::peers;
use crate::hub::peers::fake::say;

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
    let web = Rc::<Wire>::default();
    web.is_web.set(true);
    let key = web.join(&mut peers, now);
    let lost = |peers: &Peers<_>| peers.room.lost(key).expect("it may return");
    let (first, second) = (lost(&peers), lost(&peers));
    let visitors = peers.visitors.as_mut().expect("some may come");
    let token = visitors.known[&key].token.clone();
    let returning = |token: &str| Returning {
        epoch: visitors.epoch.clone(),
        token: token.into(),
        from: 0,
    };
    let mine = returning(&token);
    let other = returning("other");
    visitors.left(key, Some(first), now);
    assert!(visitors.take(&other, now).is_none());
    assert!(visitors.take(&mine, now).is_some());
    assert!(visitors.take(&mine, now).is_none(), "it is back");
    visitors.came(key, token, now);
    visitors.left(key, Some(second), now);
    assert!(visitors.take(&mine, now + KEPT).is_none(), "it is too late");
    for n in 0..MOST + 10 {
        let lost = peers.room.lost(key).expect("it may return");
        let visitors = peers.visitors.as_mut().expect("some may come");
        visitors.came(n, n.to_string(), now);
        visitors.left(n, Some(lost), now);
    }
    let visitors = peers.visitors.as_ref().expect("some may come");
    assert_eq!((visitors.lost.len(), visitors.order.len()), (MOST, MOST));
}
