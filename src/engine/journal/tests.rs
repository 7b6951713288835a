//! The journal against a model that keeps a stream of its own for each peer, and what it may cost.

use proptest::prelude::*;

use super::*;

/// One step of a random life of a journal; peers are named by an index that is reduced to the
/// peers there are.
#[derive(Debug, Clone)]
enum Step {
    Join,
    Leave(usize),
    Append(Vec<u8>),
    Relay(usize, Vec<u8>),
    Reply(usize, Vec<u8>),
    Take(usize, usize),
    Lose(usize, usize),
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Mostly lines, now and then a block that spans segments.
    let block = (1..3 * SEGMENT, any::<u8>()).prop_map(|(len, seed)| {
        (0..len)
            .map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed))
            .collect()
    });
    prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..80),
        1 => block,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Join),
        1 => any::<usize>().prop_map(Step::Leave),
        5 => bytes().prop_map(Step::Append),
        5 => (any::<usize>(), bytes()).prop_map(|(p, b)| Step::Relay(p, b)),
        2 => (any::<usize>(), bytes()).prop_map(|(p, b)| Step::Reply(p, b)),
        8 => (any::<usize>(), 0..4 * SEGMENT).prop_map(|(p, n)| Step::Take(p, n)),
        3 => (any::<usize>(), 0..100usize).prop_map(|(p, n)| Step::Take(p, n)),
        3 => (any::<usize>(), prop_oneof![0..300usize, 0..2 * SEGMENT])
            .prop_map(|(p, n)| Step::Lose(p, n)),
    ]
}

/// The last lines of a log, and what follows them, looked for byte by byte.
fn past(log: &[u8], lines: usize) -> &[u8] {
    let kept = log.len().saturating_sub(HISTORY as usize);
    let begins = |&at: &usize| at == 0 || log[at - 1] == b'\n';
    let ended = log.last().is_none_or(|&byte| byte == b'\n');
    let starts: Vec<usize> = (kept..log.len()).filter(begins).collect();
    let wanted = starts.len().min(lines.saturating_add(usize::from(!ended)));
    match starts[starts.len() - wanted..].first() {
        Some(&start) if lines > 0 => &log[start..],
        _ => &[],
    }
}

/// A buffer of its own for one peer: everything that is for it, and how much of that it took.
#[derive(Default)]
struct Model {
    stream: Vec<u8>,
    taken: usize,
}

impl Model {
    fn owed(&self) -> &[u8] {
        &self.stream[self.taken..]
    }

    /// Takes what must be the next bytes.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let expected = self.owed().starts_with(bytes);
        self.taken += bytes.len();
        expected
    }
}

fn front(journal: &Journal, cursor: &Cursor) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); GATHER];
    let count = journal.gather(cursor, &mut slices);
    assert!(slices[..count].iter().all(|slice| !slice.is_empty()));
    let bytes = slices[..count].iter().fold(Vec::new(), |mut bytes, slice| {
        bytes.extend_from_slice(slice);
        bytes
    });
    if count < GATHER {
        assert_eq!(bytes.len() as u64, journal.owed(cursor));
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The journal against the naive model: one buffer per peer, every byte copied into each.
    #[test]
    fn is_equivalent_to_a_buffer_per_peer(
        steps in prop::collection::vec(step(), 1..300),
        history in prop_oneof![Just(0), 1..5usize, Just(usize::MAX)],
        keeps_past in any::<bool>(),
    ) {
        let mut journal = Journal::new();
        journal.keep_history(history);
        if keeps_past {
            journal.keep_past();
        }
        let mut log = Vec::new();
        let mut peers: Vec<(Cursor, Model)> = Vec::new();
        for step in steps {
            let count = peers.len();
            match step {
                Step::Join => {
                    let stream = past(&log, history).to_vec();
                    let mut cursor = journal.join();
                    if keeps_past {
                        journal.remember(&mut cursor);
                    }
                    peers.push((cursor, Model { stream, taken: 0 }));
                }
                Step::Append(bytes) => {
                    journal.append(&bytes);
                    log.extend_from_slice(&bytes);
                    peers.iter_mut().for_each(|(_, model)| model.stream.extend_from_slice(&bytes));
                }
                _ if count == 0 => {}
                Step::Leave(p) => journal.leave(peers.swap_remove(p % count).0),
                Step::Relay(p, bytes) => {
                    journal.append(&bytes);
                    log.extend_from_slice(&bytes);
                    journal.skip(&mut peers[p % count].0, bytes.len() as u64);
                    for (i, (_, model)) in peers.iter_mut().enumerate() {
                        if i != p % count {
                            model.stream.extend_from_slice(&bytes);
                        }
                    }
                }
                Step::Reply(p, bytes) => {
                    let (cursor, model) = &mut peers[p % count];
                    journal.insert(cursor, &bytes);
                    model.stream.extend_from_slice(&bytes);
                }
                // It is lost, and has got less than it was handed; what it said before is heard then, it is told
                // something, and something is said before it is back.
                Step::Lose(p, back) => {
                    let (mut cursor, mut model) = peers.swap_remove(p % count);
                    let few = journal.edits(&cursor) + 2 < trail::MOST;
                    // Of what it took a part of the whole is kept, so that it can go back in it.
                    let queue = cursor.edits.iter().flat_map(|edits| &edits.queue);
                    let few = few && queue.map(Edit::inserted).sum::<usize>() < trail::BYTES / 2;
                    journal.release(&mut cursor);
                    prop_assert_eq!((journal.owed(&cursor), journal.edits(&cursor)), (0, 0));
                    journal.append(b"its own\n");
                    log.extend_from_slice(b"its own\n");
                    journal.skip(&mut cursor, 8);
                    peers.iter_mut().for_each(|(_, model)| model.stream.extend(b"its own\n"));
                    journal.insert(&mut cursor, b"you alone\n");
                    model.stream.extend_from_slice(b"you alone\n");
                    let bookmark = journal.bookmark(&cursor);
                    journal.leave(cursor);
                    prop_assert!(bookmark.is_none() || keeps_past);
                    prop_assert!(bookmark.is_some() || !keeps_past || !few);
                    let Some(bookmark) = bookmark else {
                        continue;
                    };
                    journal.append(b"meanwhile\n");
                    log.extend_from_slice(b"meanwhile\n");
                    model.stream.extend_from_slice(b"meanwhile\n");
                    peers.iter_mut().for_each(|(_, model)| model.stream.extend(b"meanwhile\n"));
                    let back = back.min(model.taken);
                    let known = bookmark.trail.len() < trail::MOST && bookmark.trail.held() < trail::BYTES / 2;
                    let is_near = journal.end - bookmark.at + (back as u64) < HISTORY / 2 && known;
                    match journal.go_on(bookmark, back as u64) {
                        Some(cursor) => {
                            model.taken -= back;
                            peers.push((cursor, model));
                        }
                        // Own lines in between may make it far.
                        None => prop_assert!(!is_near || back > 0, "it is not kept"),
                    }
                }
                Step::Take(p, limit) => {
                    let (cursor, model) = &mut peers[p % count];
                    let mut bytes = front(&journal, cursor);
                    bytes.truncate(limit);
                    prop_assert!(model.take(&bytes), "a stream differs from its model");
                    journal.advance(cursor, bytes.len() as u64);
                }
            }
            for (cursor, model) in &peers {
                prop_assert_eq!(journal.owed(cursor), model.owed().len() as u64);
                if model.owed().is_empty() {
                    // Nothing is kept for who took everything, whatever was left out for it.
                    prop_assert_eq!((cursor.at, journal.edits(cursor)), (journal.end, 0));
                }
            }
            let slowest = peers.iter().map(|(cursor, _)| journal.end - cursor.at).max();
            let slowest = slowest.unwrap_or(0);
            prop_assert!(journal.retained() >= slowest);
            if let Some(kept) = peers.iter().map(|(cursor, _)| journal.kept_for(cursor)).max() {
                prop_assert_eq!(journal.retained(), kept);
                prop_assert!(kept < slowest + SEGMENT as u64);
            }
            let held = SEGMENT as u64 * journal.segments().count() as u64;
            let is_kept = history > 0 || keeps_past;
            let most = journal.retained().max(if is_kept { HISTORY + 1 } else { 0 });
            prop_assert!(held <= most + 2 * SEGMENT as u64, "more is kept than is wanted");
            let standing: u32 = journal.segments().map(|s| s.cursors).sum();
            prop_assert_eq!(standing as usize, peers.len());
            let trails = peers.iter().filter_map(|(cursor, _)| cursor.edits.as_ref()?.trail.as_ref());
            let remembered: usize = trails.map(|trail| trail.held()).sum();
            prop_assert_eq!(journal.trails.held(), remembered);
        }
        for (mut cursor, mut model) in peers {
            while journal.owed(&cursor) > 0 {
                let bytes = front(&journal, &cursor);
                prop_assert!(model.take(&bytes), "a stream differs from its model");
                journal.advance(&mut cursor, bytes.len() as u64);
            }
            prop_assert!(model.owed().is_empty());
            journal.leave(cursor);
        }
        prop_assert_eq!(journal.trails.held(), 0);
        if history == 0 && !keeps_past {
            prop_assert!(journal.full.is_empty());
        }
    }
}

#[test]
fn a_newcomer_starts_at_the_present() {
    let mut journal = Journal::new();
    let early = journal.join();
    journal.append(b"before ");
    let late = journal.join();
    journal.append(b"after");
    assert_eq!(front(&journal, &early), b"before after");
    assert_eq!(front(&journal, &late), b"after");
}

#[test]
fn a_newcomer_with_a_history_starts_some_lines_ago() {
    let mut journal = Journal::new();
    journal.keep_history(2);
    let first = journal.join();
    assert_eq!(journal.owed(&first), 0);
    journal.append(b"one\ntwo\nthree\nfo");
    let late = journal.join();
    journal.append(b"ur\n");
    assert_eq!(front(&journal, &first), b"one\ntwo\nthree\nfour\n");
    assert_eq!(front(&journal, &late), b"two\nthree\nfour\n");
    let later = journal.join();
    assert_eq!(front(&journal, &later), b"three\nfour\n");
}

#[test]
fn a_history_is_bounded_and_of_whole_lines() {
    let mut journal = Journal::new();
    journal.keep_history(usize::MAX);
    let line = [[b'x'; 99].as_slice(), b"\n"].concat();
    for _ in 0..10_000 {
        journal.append(&line);
    }
    assert_eq!(
        journal.retained() / SEGMENT as u64,
        0,
        "nobody waits for it"
    );
    let late = journal.join();
    assert_eq!(journal.owed(&late), HISTORY / 100 * 100);
    // A line that is too long to be kept whole takes everything before it with it.
    journal.append(&[b'y'; HISTORY as usize + 1]);
    let later = journal.join();
    assert_eq!(journal.owed(&later), 0);
}

#[test]
fn a_line_that_begins_where_the_history_does_is_part_of_it() {
    let mut journal = Journal::new();
    journal.keep_history(usize::MAX);
    let line = [[b'x'; SEGMENT - 1].as_slice(), b"\n"].concat();
    for _ in 0..5 {
        journal.append(&line);
    }
    let late = journal.join();
    assert_eq!(journal.owed(&late), HISTORY);
}

#[test]
fn memory_is_one_log_however_many_are_behind() {
    let mut journal = Journal::new();
    let cursors: Vec<Cursor> = (0..10_000).map(|_| journal.join()).collect();
    for _ in 0..10 {
        journal.append(&[b'x'; SEGMENT]);
    }
    let held = journal.segments().map(|s| s.bytes.len()).sum::<usize>();
    assert_eq!(held, 10 * SEGMENT);
    assert_eq!(journal.retained(), 10 * SEGMENT as u64);
    for mut cursor in cursors {
        assert!(journal.advance(&mut cursor, 10 * SEGMENT as u64));
        journal.leave(cursor);
    }
    assert_eq!(journal.retained(), 0);
    assert!(journal.spares.len() <= SPARES);
}

#[test]
fn nobody_there_means_nothing_kept() {
    let mut journal = Journal::new();
    for _ in 0..10 {
        journal.append(&[b'x'; SEGMENT]);
    }
    assert_eq!(journal.retained(), 0);
}

#[test]
fn own_lines_of_a_caught_up_peer_leave_no_edit() {
    let mut journal = Journal::new();
    let mut author = journal.join();
    let reader = journal.join();
    for _ in 0..1000 {
        journal.append(b"mine\n");
        journal.skip(&mut author, 5);
    }
    assert_eq!(journal.edits(&author), 0);
    assert_eq!(journal.owed(&author), 0);
    assert_eq!(journal.owed(&reader), 5000);
}

#[test]
fn own_lines_in_a_row_are_one_edit() {
    let mut journal = Journal::new();
    let mut author = journal.join();
    journal.append(b"theirs\n");
    for _ in 0..1000 {
        journal.append(b"mine\n");
        journal.skip(&mut author, 5);
    }
    assert_eq!(journal.edits(&author), 1);
    assert_eq!(front(&journal, &author), b"theirs\n");
}

#[test]
fn who_comes_back_goes_on_where_it_was() {
    let mut journal = Journal::new();
    journal.keep_past();
    let mut cursor = journal.join();
    journal.remember(&mut cursor);
    journal.append(b"one\n");
    journal.append(b"mine\n");
    journal.skip(&mut cursor, 5);
    journal.insert(&mut cursor, b"psst\n");
    journal.append(b"two\n");
    let mine = front(&journal, &cursor);
    assert_eq!(mine, b"one\npsst\ntwo\n");
    journal.advance(&mut cursor, mine.len() as u64);
    journal.append(b"again mine\n");
    journal.skip(&mut cursor, 11);
    journal.append(b"three\n");
    for back in 0..=mine.len() {
        let bookmark = journal.bookmark(&cursor).unwrap();
        let again = journal.go_on(bookmark, back as u64).unwrap();
        let expected = [&mine[mine.len() - back..], b"three\n"].concat();
        assert_eq!(front(&journal, &again), expected, "{back} bytes back");
        journal.leave(again);
    }
    let bookmark = journal.bookmark(&cursor).unwrap();
    assert!(journal.go_on(bookmark, mine.len() as u64 + 1).is_none());
    let bookmark = journal.bookmark(&cursor).unwrap();
    journal.append(&[b'x'; 5 * SEGMENT]);
    journal.advance(&mut cursor, 6);
    assert_eq!(journal.retained() / SEGMENT as u64, 5);
    journal.leave(cursor);
    assert!(
        journal.go_on(bookmark, 0).is_none(),
        "it is not kept any more"
    );
}

#[test]
fn reach_is_known_by_segments() {
    let mut journal = Journal::new();
    let mut fast = journal.join();
    let _dead = journal.join();
    assert!(journal.reached_by_any(1));
    for _ in 0..6 {
        journal.append(&[b'x'; SEGMENT]);
    }
    assert!(!journal.reached_by_any(4));
    journal.advance(&mut fast, 3 * SEGMENT as u64);
    assert!(journal.reached_by_any(4));
    assert!(!journal.reached_by_any(3));
}

#[test]
#[cfg(debug_assertions)]
fn a_journal_that_keeps_the_wrong_segments_does_not_pass() {
    for harm in 0..6 {
        let mut journal = Journal::new();
        let mut cursor = journal.join();
        journal.append(&[b'a'; 3 * SEGMENT + 1]);
        journal.insert(&mut cursor, b"b");
        match harm {
            0 => journal.oldest = 1,
            1 => journal.segment_mut(0).cursors = 0,
            2 => journal.end += SEGMENT as u64,
            3 => journal.fleeting = [(1, 3), (2, 4)].into(),
            4 => cursor.at = journal.end + 1,
            _ => cursor.edits.as_mut().unwrap().queue.clear(),
        }
        let found = std::panic::catch_unwind(|| {
            journal.check();
            journal.check_cursor(&cursor);
        });
        assert!(found.is_err(), "{harm} passes");
    }
}
