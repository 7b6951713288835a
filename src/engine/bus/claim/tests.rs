use super::*;

/// Both heard the other's claim, and nothing else.
#[test]
fn without_a_log_the_two_decide_alike() {
    let now = Instant::now();
    let (a, b) = (Key::from_number(1), Key::from_number(2));
    let step = |own, other| {
        let mut claim = Claim::new(own);
        claim.begin_without_log(now);
        assert!(claim.is_due(now));
        claim.made(now);
        assert!(!claim.is_due(now));
        let claims = true;
        let step = claim.heard(News::Another { key: other, claims }, now);
        (step, claim.turn(now + LISTEN), claim.is_held())
    };
    assert_eq!(step(a, b), (Step::None, Step::Held, true));
    assert_eq!(step(b, a).0, Step::Taken);
}
