//! What is asked of a hub that offers a file, and the answer.

use muxnc::engine::web::condition::Conditions;
use muxnc::engine::web::date::Date;
use muxnc::engine::web::fetch::Wanted;
use muxnc::engine::web::fetch::What;
use muxnc::engine::web::fetch::read;
use muxnc::engine::web::offer::Answer;
use muxnc::engine::web::offer::Offer;
use muxnc::engine::web::offer::Stamp;
use muxnc::engine::web::origin::Origins;
use muxnc::engine::web::request::MAX_HEAD;

use super::Input;
use super::body_of;

const FIELDS: [&str; 18] = [
    "Date",
    "Content-Type",
    "Content-Length",
    "Cache-Control",
    "X-Content-Type-Options",
    "Content-Security-Policy",
    "Referrer-Policy",
    "Content-Disposition",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
    "Repr-Digest",
    "Content-Range",
    "Allow",
    "Retry-After",
    "Upgrade",
    "Sec-WebSocket-Version",
    "Connection",
];

/// Whatever the file is called and whatever is asked for: an answer's fields are ours alone, and the bytes that
/// follow are as many as it says, of those that are offered, and those that a plain range means. Nobody is told that he
/// has it already, or that it is another one, who did not ask; a date that is understood is understood as it is told.
pub fn fetch(data: &[u8]) {
    let mut input = Input(data, 0);
    let (size, start) = (u64::from(input.byte()), u64::from(input.byte()));
    let length = usize::from(input.byte() % 32);
    let name = String::from_utf8_lossy(input.take(length)).into_owned();
    let request = input.0;
    let origins = Origins {
        local: "192.0.2.7:8080".parse().expect("an address"),
        is_secure: false,
        names: &[],
        allowed: &[],
    };
    let wanted = match read(request, &origins) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => {
            assert!(request.len() < MAX_HEAD, "it is not refused for its length");
            return;
        }
        Err(refusal) => {
            body_of(&refusal.answer(now()).bytes(false), &FIELDS);
            return;
        }
    };
    let stamp = Stamp {
        device: 1,
        inode: 2,
        size,
        modified: (784_111_777, 0),
    };
    let mut offer = Offer::new(Some(&name), start, stamp);
    if size % 2 == 0
        && let Some(unsummed) = offer.unsummed()
    {
        let bytes = vec![b'x'; (unsummed.end - unsummed.start) as usize];
        offer.add(&bytes, || Some(stamp));
    }
    let conditions = &wanted.conditions;
    let dates = [
        &conditions.if_modified_since,
        &conditions.if_unmodified_since,
    ];
    for date in dates.into_iter().flatten() {
        let understood = Date::parse(date, now());
        let told = understood.map(|date| date.to_string());
        assert_eq!(told.and_then(|told| Date::parse(&told, now())), understood);
    }
    let Answer { bytes, body } = offer.answer(&wanted, stamp, now());
    let text = body_of(&bytes, &FIELDS);
    let asks_to_have = conditions.if_none_match.is_some() || conditions.if_modified_since.is_some();
    let asks_for_same = conditions.if_match.is_some() || conditions.if_unmodified_since.is_some();
    let begins = |status: &str| bytes.starts_with(format!("HTTP/1.1 {status} ").as_bytes());
    assert!(!begins("412") || asks_for_same);
    if begins("304") {
        assert!(asks_to_have && body.is_empty() && text.is_empty());
        return;
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len() - text.len()]).into_owned();
    let length = head.split_once("\r\nContent-Length: ").expect("a length").1;
    let length: u64 = length.split_once("\r\n").unwrap().0.parse().unwrap();
    if wanted.head_only {
        assert!(body.is_empty() && text.is_empty());
        return;
    }
    let follows = text.len() as u64 + (body.end - body.start);
    assert_eq!(length, follows, "it is as long as it says");
    let offered = start..size.max(start);
    let is_offered = body.is_empty() || (offered.start <= body.start && body.end <= offered.end);
    assert!(is_offered, "{body:?} of {offered:?}");
    if let (What::File, Some((first, last))) = (wanted.what, plain(&wanted)) {
        let last = last.saturating_add(1).min(offered.end - start);
        let expected = match first < last {
            true => start + first..start + last,
            false => 0..0,
        };
        assert_eq!(body, expected, "{:?}", wanted.range);
    }
}

/// A day after the file was changed.
fn now() -> Date {
    Date::new(784_198_177).expect("a date")
}

/// The first and the last byte that are asked for in the plainest of words.
fn plain(wanted: &Wanted) -> Option<(u64, u64)> {
    if wanted.conditions != Conditions::default() {
        return None;
    }
    let (first, last) = wanted
        .range
        .as_ref()?
        .strip_prefix("bytes=")?
        .split_once('-')?;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(first) || !is_digits(last) {
        return None;
    }
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}
