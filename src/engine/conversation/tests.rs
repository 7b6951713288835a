//! The rules of the two ends, one by one.

use std::io::ErrorKind;

use super::*;

const TERMS: Terms = Terms {
    input: Input::Stream,
    is_server: false,
    half_close: true,
    send_only: false,
    quit_after: None,
    idle_timeout: None,
    closes_output: true,
};

const SECOND: Duration = Duration::from_secs(1);

/// A conversation, and its clock.
struct Talk {
    talk: Conversation,
    now: Instant,
    /// What has come and was not read.
    unread: u64,
}

impl Talk {
    fn new(terms: Terms) -> Talk {
        let now = Instant::now();
        Talk {
            talk: Conversation::new(terms, now),
            now,
            unread: 0,
        }
    }

    fn sent(&mut self, count: usize) {
        self.talk.up.moved(count, self.now);
        self.talk.carried();
    }

    fn input_ended(&mut self) {
        self.talk.up.source_ended(self.now);
    }

    fn other_ended(&mut self) {
        self.talk.down.source_ended(self.now);
    }

    fn silent(&mut self) {
        self.talk.up.source_silent(self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// What is to be done now, looks left out: `outstanding` bytes are never acknowledged.
    fn acts(&mut self, outstanding: u64) -> Vec<Act> {
        let mut acts = Vec::new();
        while let Next::Do(act) = self.talk.next(self.now) {
            match act {
                Act::Look => self.talk.looked(
                    Look::Told {
                        outstanding,
                        acknowledged: self.talk.up.given() - outstanding,
                        last_answer: Duration::ZERO,
                    },
                    self.now,
                ),
                Act::CountUnread => self.talk.has_come(self.unread),
                act => acts.push(act),
            }
        }
        acts
    }

    fn end(&mut self, outstanding: u64) -> Option<End> {
        self.acts(outstanding);
        match self.talk.next(self.now) {
            Next::End(end) => Some(end),
            _ => None,
        }
    }

    fn is_done(&mut self) -> bool {
        matches!(self.end(0), Some(End::Done(_)))
    }

    fn wakes_in(&mut self) -> Option<Duration> {
        match self.talk.next(self.now) {
            Next::Wait(until) => until.map(|at| at - self.now),
            next => panic!("{next:?}"),
        }
    }
}

#[test]
fn our_end_is_told_when_all_is_sent_and_the_other_sides_is_awaited_without_a_timer() {
    let mut talk = Talk::new(TERMS);
    talk.talk.up.took(10);
    talk.input_ended();
    assert_eq!(talk.acts(0), []);
    talk.talk.up.gave(10, talk.now);
    assert_eq!(talk.acts(0), [Act::HalfClose]);
    assert_eq!((talk.acts(0), talk.wakes_in()), (vec![], None));
    talk.other_ended();
    assert!(talk.is_done());
}

#[test]
fn without_a_shutdown_nothing_is_told() {
    let half_close = false;
    let mut talk = Talk::new(Terms {
        half_close,
        ..TERMS
    });
    talk.input_ended();
    assert_eq!(talk.acts(0), []);
}

#[test]
fn what_is_not_acknowledged_is_looked_for_at_growing_distances() {
    let mut talk = Talk::new(TERMS);
    talk.sent(10);
    talk.input_ended();
    talk.other_ended();
    let mut distances = Vec::new();
    for _ in 0..13 {
        assert_eq!(talk.end(3), None);
        let distance = talk.wakes_in().unwrap();
        distances.push(distance.as_millis());
        talk.pass(distance);
    }
    let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000];
    assert_eq!(distances, expected);
    assert!(talk.is_done());
}

#[test]
fn after_the_other_sides_end_a_stream_is_sent_to_its_end_and_5_s_of_silence_are_told_once() {
    let mut talk = Talk::new(TERMS);
    talk.silent();
    talk.pass(3 * SECOND);
    talk.other_ended();
    assert_eq!(talk.acts(0), [Act::ProbeSoon, Act::CloseOutput]);
    assert_eq!(talk.wakes_in(), Some(STILL_OPEN));
    talk.pass(3 * SECOND);
    talk.sent(5);
    talk.silent();
    talk.pass(STILL_OPEN - SECOND);
    assert_eq!((talk.acts(0), talk.wakes_in()), (vec![], Some(SECOND)));
    talk.pass(SECOND);
    assert_eq!(talk.acts(0), [Act::SayStillOpen]);
    assert_eq!((talk.acts(0), talk.wakes_in()), (vec![], None));
    talk.sent(5);
    talk.input_ended();
    assert!(talk.is_done());
}

#[test]
fn an_output_that_is_stuck_is_not_closed() {
    let mut talk = Talk::new(TERMS);
    talk.talk.down.took(5);
    talk.other_ended();
    assert_eq!(talk.acts(0), [Act::ProbeSoon]);
    talk.input_ended();
    assert!(!talk.is_done());
    talk.talk.down.gave(5, talk.now);
    assert!(talk.is_done());
}

#[test]
fn what_was_entered_at_a_terminal_is_sent_for_2_s_after_the_other_sides_end() {
    let input = Input::Terminal;
    let mut talk = Talk::new(Terms { input, ..TERMS });
    talk.sent(5);
    talk.other_ended();
    assert_eq!(talk.end(5), None);
    assert!(!talk.talk.was_closed_first(), "another line may be there");
    talk.talk.up.source_silent(talk.now);
    assert_eq!(talk.end(5), None);
    assert!(talk.talk.was_closed_first());
    talk.pass(LAST_WORDS);
    assert_eq!(talk.end(5), Some(End::Short(Blame::Closed)));
    assert!(talk.is_done() || talk.talk.up.missing() == 5);
    let mut talk = Talk::new(Terms { input, ..TERMS });
    talk.talk.up.source_silent(talk.now);
    talk.other_ended();
    assert!(talk.is_done());
    // What a stuck screen has not shown is waited for longer.
    let mut talk = Talk::new(Terms { input, ..TERMS });
    talk.talk.down.took(5);
    talk.other_ended();
    assert_eq!(talk.end(0), None);
    talk.pass(LAST_WORDS);
    assert_eq!((talk.end(0), talk.wakes_in()), (None, None));
}

#[test]
fn a_server_without_an_input_ends_with_the_other_side_and_not_with_q() {
    let (is_server, quit_after) = (true, Some(SECOND));
    let mut talk = Talk::new(Terms {
        is_server,
        quit_after,
        ..TERMS
    });
    talk.input_ended();
    assert_eq!((talk.acts(0), talk.wakes_in()), (vec![], None));
    talk.other_ended();
    assert!(talk.is_done());
}

#[test]
fn q_stands_in_for_the_other_sides_end_and_for_no_acknowledgement() {
    for (q, late) in [(Duration::ZERO, LAST_WORDS), (3 * SECOND, 3 * SECOND)] {
        let quit_after = Some(q);
        let mut talk = Talk::new(Terms {
            quit_after,
            ..TERMS
        });
        talk.sent(7);
        talk.pass(10 * SECOND);
        assert_eq!(talk.end(7), None);
        talk.input_ended();
        let ended = talk.now;
        talk.pass(q);
        if q < late {
            assert_eq!(talk.end(7), None);
            assert!(!talk.talk.down.is_open());
        }
        talk.now = ended + late;
        assert_eq!(talk.end(7), Some(End::Short(Blame::Late)));
        let mut talk = Talk::new(Terms {
            quit_after,
            ..TERMS
        });
        talk.sent(7);
        talk.input_ended();
        talk.pass(q);
        assert!(talk.is_done());
    }
}

#[test]
fn q_stands_in_for_nothing_while_the_output_holds_up_what_came() {
    for q in [Duration::ZERO, SECOND, 3 * SECOND] {
        let late = q.max(LAST_WORDS);
        let quitting = |hold: &dyn Fn(&mut Talk)| {
            let quit_after = Some(q);
            let mut talk = Talk::new(Terms {
                quit_after,
                ..TERMS
            });
            talk.input_ended();
            hold(&mut talk);
            talk
        };
        let holds: [&dyn Fn(&mut Talk); 3] = [
            // The kernel moves the bytes: nothing was taken from the connection.
            &|talk| talk.talk.down.sink_full(talk.now),
            &|talk| talk.talk.down.took(5),
            &|talk| talk.talk.record_waits(5),
        ];
        for hold in holds {
            let mut talk = quitting(hold);
            talk.pass(q);
            if q < late {
                assert_eq!((talk.end(0), talk.wakes_in()), (None, Some(late - q)));
                talk.pass(late - q);
            }
            assert_eq!(talk.end(0), Some(End::Short(Blame::Late)));
        }
        let mut talk = quitting(&|talk| talk.talk.down.sink_full(talk.now));
        talk.talk.down.moved(5, talk.now);
        talk.talk.down.source_silent(talk.now);
        talk.pass(q);
        assert!(talk.is_done(), "the output took it");
    }
}

/// More may have come than a turn takes.
#[test]
fn q_stops_behind_all_that_had_come_in_its_time() {
    let mut talk = Talk::new(Terms {
        quit_after: Some(SECOND),
        ..TERMS
    });
    talk.input_ended();
    talk.talk.down.moved(5, talk.now);
    talk.pass(SECOND);
    talk.unread = 10;
    assert_eq!((talk.end(0), talk.wakes_in()), (None, Some(SECOND)));
    talk.talk.down.moved(9, talk.now);
    assert_eq!(talk.end(0), None);
    // What comes meanwhile is not waited for, nor is what the counted bytes become less in a layer.
    talk.unread = 1000;
    let mut silent = Talk::new(Terms {
        quit_after: Some(Duration::ZERO),
        ..TERMS
    });
    silent.input_ended();
    silent.unread = 10;
    assert_eq!(silent.end(0), None);
    silent.talk.down.moved(9, silent.now);
    silent.talk.down.source_silent(silent.now);
    assert!(silent.is_done());
    talk.talk.down.moved(1, talk.now);
    assert!(talk.is_done());
}

/// Its silence may be older than what has come, of which an event is still to tell.
#[test]
fn with_q_silence_counts_behind_what_had_come() {
    let mut talk = Talk::new(Terms {
        quit_after: Some(Duration::ZERO),
        ..TERMS
    });
    talk.talk.down.source_silent(talk.now);
    talk.input_ended();
    talk.unread = 10;
    assert_eq!(talk.end(0), None);
    talk.talk.down.moved(10, talk.now);
    assert!(talk.is_done());
}

/// While nothing was read, the other side may have held back the rest, which comes a moment later.
#[test]
fn q_waits_for_what_the_output_held_up() {
    let held = |goes_on: bool| {
        let mut talk = Talk::new(Terms {
            quit_after: Some(SECOND),
            ..TERMS
        });
        talk.input_ended();
        talk.talk.down.sink_full(talk.now);
        assert_eq!((talk.end(0), talk.wakes_in()), (None, Some(SECOND)));
        talk.pass(SECOND);
        assert_eq!(talk.end(0), None);
        talk.pass(SECOND / 2);
        talk.talk.down.moved(5, talk.now);
        talk.talk.down.source_silent(talk.now);
        assert_eq!((talk.end(0), talk.wakes_in()), (None, Some(SECOND / 2)));
        talk.pass(SECOND / 2);
        if goes_on {
            talk.talk.down.moved(5, talk.now);
            talk.unread = 5;
        }
        talk.end(0)
    };
    assert!(matches!(held(false), Some(End::Done(_))));
    assert_eq!(held(true), Some(End::Short(Blame::Late)));
    // What is only sent waits for no output.
    let mut talk = Talk::new(Terms {
        send_only: true,
        ..TERMS
    });
    talk.input_ended();
    talk.talk.record_waits(5);
    assert_eq!(talk.end(0), None);
    talk.pass(LINGER);
    assert_eq!((talk.end(0), talk.wakes_in()), (None, None));
    talk.talk.record_waits(0);
    assert!(talk.is_done());
}

#[test]
fn send_only_waits_for_the_acknowledgement_and_2_s_for_the_other_side() {
    let send_only = true;
    let mut talk = Talk::new(Terms { send_only, ..TERMS });
    talk.sent(7);
    talk.input_ended();
    assert_eq!(talk.end(7), None);
    talk.pass(60 * SECOND);
    assert_eq!(talk.end(7), None);
    talk.pass(SECOND);
    assert_eq!((talk.end(0), talk.wakes_in()), (None, Some(LINGER)));
    talk.pass(LINGER);
    assert!(talk.is_done());
}

#[test]
fn what_is_acknowledged_keeps_a_connection_from_being_idle_and_so_does_a_stuck_output() {
    let idle_timeout = Some(SECOND);
    let mut talk = Talk::new(Terms {
        idle_timeout,
        ..TERMS
    });
    talk.sent(7);
    assert_eq!((talk.end(7), talk.wakes_in()), (None, Some(SECOND)));
    for left in [6, 3] {
        talk.pass(SECOND);
        assert_eq!(talk.end(left), None);
    }
    talk.talk.down.sink_full(talk.now);
    talk.pass(SECOND);
    assert_eq!(talk.end(3), None);
    talk.talk.down.source_silent(talk.now);
    talk.pass(SECOND);
    assert_eq!(talk.end(3), Some(End::Short(Blame::Idle)));
}

#[test]
fn who_reads_to_the_end_is_told_of_a_reset_after_all_that_came() {
    let mut talk = Talk::new(TERMS);
    talk.sent(7);
    talk.talk.down.took(5);
    talk.talk
        .down
        .lost(ErrorKind::ConnectionReset.into(), talk.now);
    assert_eq!(talk.end(7), None);
    talk.talk.down.gave(5, talk.now);
    assert_eq!(talk.end(7), Some(End::Short(Blame::Broken)));
}

#[test]
fn what_takes_no_more_is_read_to_its_end_first() {
    let mut talk = Talk::new(TERMS);
    talk.talk.up.lost(ErrorKind::BrokenPipe.into(), talk.now);
    assert_eq!((talk.end(0), talk.wakes_in()), (None, None));
    talk.other_ended();
    assert_eq!(talk.end(0), Some(End::Short(Blame::Unsendable)));
}

#[test]
fn a_record_that_waits_for_the_output_is_waited_for() {
    let mut talk = Talk::new(TERMS);
    talk.input_ended();
    talk.other_ended();
    talk.talk.record_waits(1);
    assert!(!talk.is_done());
    talk.talk.record_waits(0);
    assert!(talk.is_done());
}

#[test]
fn a_limit_wakes_it_though_nothing_is_looked_for() {
    // What is not even given to the connection is not looked for.
    let input = Input::Terminal;
    let mut talk = Talk::new(Terms { input, ..TERMS });
    talk.talk.up.took(5);
    talk.other_ended();
    assert_eq!((talk.acts(0), talk.wakes_in()), (vec![], Some(LAST_WORDS)));
    let quit_after = Some(SECOND);
    let mut talk = Talk::new(Terms {
        quit_after,
        ..TERMS
    });
    talk.talk.up.took(5);
    talk.input_ended();
    assert_eq!((talk.acts(0), talk.wakes_in()), (vec![], Some(SECOND)));
    talk.pass(SECOND);
    assert_eq!(
        (talk.acts(0), talk.wakes_in()),
        (vec![], Some(LAST_WORDS - SECOND))
    );
}

#[test]
fn after_a_loss_a_limit_bounds_what_is_still_received() {
    let quit_after = Some(5 * SECOND);
    let lingering = Terms {
        send_only: true,
        ..TERMS
    };
    let quitting = Terms {
        quit_after,
        ..TERMS
    };
    for (terms, limit) in [(lingering, LINGER), (quitting, 5 * SECOND)] {
        let mut talk = Talk::new(terms);
        talk.talk.up.lost(ErrorKind::BrokenPipe.into(), talk.now);
        if terms.quit_after.is_some() {
            // It counts from the end of the input, of which nothing more is known.
            assert_eq!((talk.end(0), talk.wakes_in()), (None, None));
            continue;
        }
        assert_eq!((talk.end(0), talk.wakes_in()), (None, Some(limit)));
        talk.pass(limit);
        assert_eq!(talk.end(0), Some(End::Short(Blame::Unsendable)));
    }
}
