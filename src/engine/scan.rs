//! A scan: which of several ports is looked at when, and what was found, told in their order.
//!
//! ```text
//!   begin ─► (at most so many run) ─┬─► found ─► told, ascending
//!     ▲                             │
//!     └────────── put off ◄─────────┘  there was no descriptor for it
//! ```
//!
//! It promises: each port is found out about once; at most [`MOST`] run at a time, and no more than there
//! were descriptors for; what is told ascends whatever order the answers come in.

use std::fmt;

use super::ports::Ports;

/// Ports that are looked at at a time. Of those that answer nothing each costs its whole time, so this is
/// by how much many of them cost less than one after the other.
pub const MOST: usize = 128;

/// What was found at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A program listens.
    Open,
    /// An answer says that none does.
    Refused,
    /// There was no answer in time.
    Silent,
    /// Something else is wrong, in words.
    Failed(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Finding::Open => "open",
            Finding::Refused => "refused",
            Finding::Silent => "did not answer",
            Finding::Failed(why) => why,
        })
    }
}

/// One of the ports, by its place among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(usize);

/// See the module's documentation.
#[derive(Debug)]
pub struct Scan {
    ports: Ports,
    findings: Vec<Option<Finding>>,
    /// Those before that one have begun, but for those that were put off.
    next: usize,
    put_off: Vec<Place>,
    running: usize,
    most: usize,
    told: usize,
}

impl Scan {
    /// A scan of these ports, of which none has begun.
    pub fn new(ports: Ports) -> Scan {
        Scan {
            findings: vec![None; ports.all().len()],
            ports,
            next: 0,
            put_off: Vec::new(),
            running: 0,
            most: MOST,
            told: 0,
        }
    }

    /// The port that begins now, if one does.
    pub fn begin(&mut self) -> Option<(Place, u16)> {
        if self.running >= self.most {
            return None;
        }
        let place = match self.put_off.pop() {
            Some(place) => place,
            None if self.next < self.findings.len() => {
                self.next += 1;
                Place(self.next - 1)
            }
            None => return None,
        };
        self.running += 1;
        Some((place, self.ports.all()[place.0]))
    }

    /// For one that had begun there was no descriptor: it begins again later, and no more run at a time from
    /// now on than do now. False: none does, so there will never be one.
    pub fn put_off(&mut self, place: Place) -> bool {
        self.running -= 1;
        self.most = self.running;
        self.put_off.push(place);
        self.running > 0
    }

    /// Takes note of what was found at one that had begun.
    pub fn found(&mut self, place: Place, finding: Finding) {
        debug_assert!(self.findings[place.0].is_none(), "it was found before");
        self.running -= 1;
        self.findings[place.0] = Some(finding);
    }

    /// The next port in their order of which something was found, and what.
    pub fn tell(&mut self) -> Option<(u16, &Finding)> {
        let finding = self.findings.get(self.told)?.as_ref()?;
        self.told += 1;
        Some((self.ports.all()[self.told - 1], finding))
    }

    /// Whether everything was found out.
    pub fn is_over(&self) -> bool {
        self.running == 0 && self.put_off.is_empty() && self.next == self.findings.len()
    }

    /// What was found, all in all.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for finding in self.findings.iter().flatten() {
            tally.all += 1;
            match finding {
                Finding::Open => tally.open += 1,
                Finding::Refused => tally.refused += 1,
                Finding::Silent => tally.silent += 1,
                Finding::Failed(why) => {
                    tally.failed += 1;
                    match &tally.why {
                        Some(first) => tally.differ |= first != why,
                        None => tally.why = Some(why.clone()),
                    }
                }
            }
        }
        tally
    }
}

/// How many of the ports are what.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Of all.
    pub all: usize,
    /// Ports at which a program listens.
    pub open: usize,
    /// Ports at which none does.
    pub refused: usize,
    /// These did not answer.
    pub silent: usize,
    failed: usize,
    /// Why the first of those failed, and whether others did otherwise.
    why: Option<String>,
    differ: bool,
}

/// As in `none of 6 ports is open: 3 refused, 2 did not answer, 1 failed (no route to host)`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.open, self.all) {
            (0, 1) => f.write_str("the one port is not open")?,
            (1, 1) => f.write_str("the one port is open")?,
            (0, all) => write!(f, "none of {all} ports is open")?,
            (1, all) => write!(f, "1 of {all} ports is open")?,
            (open, all) => write!(f, "{open} of {all} ports are open")?,
        }
        let mut sign = ": ";
        for (count, what) in [(self.refused, "refused"), (self.silent, "did not answer")] {
            if count > 0 {
                write!(f, "{sign}{count} {what}")?;
                sign = ", ";
            }
        }
        if let Some(why) = &self.why {
            let others = if self.differ { ", and others" } else { "" };
            write!(f, "{sign}{} failed ({why}{others})", self.failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(ports: &str) -> Scan {
        Scan::new(Ports::parse(ports, str::parse::<u16>).unwrap())
    }

    #[test]
    fn answers_that_come_in_any_order_are_told_ascending() {
        let mut scan = scan("20,22,80");
        let places: Vec<Place> = std::iter::from_fn(|| scan.begin().map(|(at, _)| at)).collect();
        scan.found(places[2], Finding::Open);
        assert_eq!(scan.tell(), None);
        scan.found(places[0], Finding::Refused);
        assert_eq!(scan.tell(), Some((20, &Finding::Refused)));
        assert_eq!(scan.tell(), None);
        assert!(!scan.is_over());
        scan.found(places[1], Finding::Silent);
        assert_eq!(scan.tell(), Some((22, &Finding::Silent)));
        assert_eq!(scan.tell(), Some((80, &Finding::Open)));
        assert_eq!(scan.tell(), None);
        assert!(scan.is_over());
        assert_eq!(
            scan.tally().to_string(),
            "1 of 3 ports is open: 1 refused, 1 did not answer"
        );
    }

    #[test]
    fn no_more_run_than_there_are_descriptors_for() {
        let mut scan = scan("1-9");
        let (first, _) = scan.begin().unwrap();
        let (second, port) = scan.begin().unwrap();
        assert!(scan.put_off(second));
        assert_eq!(scan.begin(), None);
        scan.found(first, Finding::Open);
        assert_eq!(scan.begin(), Some((second, port)));
        assert_eq!(scan.begin(), None);
        assert!(!scan.put_off(second), "there is nobody to wait for");
    }

    #[test]
    fn why_some_failed_is_told() {
        let mut scan = scan("1-3");
        let why = ["no route to host", "no route to host", "the proxy refused"];
        for why in why {
            let (place, _) = scan.begin().unwrap();
            scan.found(place, Finding::Failed(why.into()));
        }
        assert_eq!(
            scan.tally().to_string(),
            "none of 3 ports is open: 3 failed (no route to host, and others)"
        );
    }

    #[test]
    fn a_list_of_one_port_is_told_of_as_one() {
        for (found, told) in [
            (Finding::Open, "the one port is open"),
            (Finding::Refused, "the one port is not open: 1 refused"),
        ] {
            let mut scan = scan("80-80");
            let (place, _) = scan.begin().unwrap();
            scan.found(place, found);
            assert_eq!(scan.tally().to_string(), told);
        }
    }

    proptest! {
        /// Whatever is answered when, and whenever descriptors run out: each is found once, told ascending,
        /// and no more run than may.
        #[test]
        fn every_port_is_found_once(
            count in 1_u16..400,
            choices in prop::collection::vec(any::<(u8, prop::sample::Index)>(), 2000),
        ) {
            let mut scan = scan(&format!("1-{count}"));
            let mut running: Vec<Place> = Vec::new();
            let mut told = Vec::new();
            for (choice, index) in choices {
                if choice < 128 {
                    running.extend(scan.begin().map(|(place, _)| place));
                } else if !running.is_empty() {
                    let place = running.swap_remove(index.index(running.len()));
                    if choice < 140 && !running.is_empty() {
                        prop_assert!(scan.put_off(place));
                    } else {
                        scan.found(place, Finding::Refused);
                    }
                }
                prop_assert!(running.len() <= MOST);
                while let Some((port, _)) = scan.tell() {
                    told.push(port);
                }
            }
            while !scan.is_over() {
                running.extend(scan.begin().map(|(place, _)| place));
                if let Some(place) = running.pop() {
                    scan.found(place, Finding::Open);
                }
            }
            while let Some((port, _)) = scan.tell() {
                told.push(port);
            }
            prop_assert_eq!(told, (1..=count).collect::<Vec<u16>>());
            prop_assert_eq!(scan.tally().all, usize::from(count));
        }
    }
}
