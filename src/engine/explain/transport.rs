//! The transport: bytes, acknowledgements, windows and ends, in words.

use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use super::Agreement;
use super::Layer;
use super::Observed;
use super::Phase;
use super::Reading;
use super::Telling;
use super::counted;

/// The first look after something was sent, and how far they come to lie apart.
const FIRST: Duration = Duration::from_millis(1);
const FARTHEST: Duration = Duration::from_secs(1);

/// A window that is closed for less is nothing to tell: a fast sender fills it again and again.
const NOTICEABLE: Duration = Duration::from_millis(200);

/// When to look at the kernel's account.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Something happened that it may tell more of.
    is_due: bool,
    at: Option<Instant>,
    pause: Duration,
}

impl Looks {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.is_due || self.at.is_some_and(|at| at <= now)
    }

    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// In this turn, and then soon again.
    fn soon(&mut self) {
        self.is_due = true;
        self.pause = FIRST;
    }

    /// One was taken; something `is_out` that is still to be acknowledged.
    fn looked(&mut self, is_out: bool, now: Instant) {
        self.is_due = false;
        self.at = is_out.then(|| now + self.pause);
        self.pause = (self.pause * 2).min(FARTHEST);
    }

    fn stop(&mut self) {
        *self = Looks::default();
    }
}

/// The window that the other side offers.
#[derive(Debug, Default)]
enum Window {
    #[default]
    Open,
    /// Since when, and whether that was told.
    Closed { since: Instant, is_told: bool },
}

/// How a direction ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// The end was said.
    Said,
    /// The other kernel has acknowledged it.
    Acknowledged,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Transport {
    pub(super) looks: Looks,
    /// It is a Unix socket, of which there is no account.
    is_local: bool,
    /// The protocol over it, if there is one.
    over: Option<Layer>,
    sent: u64,
    received: u64,
    is_path_told: bool,
    is_acknowledged: bool,
    /// The directions out and in.
    out: End,
    into: End,
    /// The other side's end came without the goodbye of the protocol over it.
    is_cut: bool,
    is_broken: bool,
    window: Window,
    /// Segments sent again that were told of.
    resent: u32,
}

impl Transport {
    /// Whether nothing more will happen.
    pub(super) fn is_over(&self) -> bool {
        self.is_broken
    }

    fn layer(&self) -> Layer {
        match self.is_local {
            true => Layer::Unix,
            false => Layer::Tcp,
        }
    }

    pub(super) fn sent(&mut self, count: usize, telling: &mut Telling) {
        if count == 0 {
            return;
        }
        if self.sent == 0 {
            let bytes = counted(count as u64, "byte");
            telling.say(
                self.layer(),
                match (self.is_local, self.over) {
                    (true, _) => format!("our first {bytes} are with the kernel"),
                    (false, None) => format!(
                        "our first {bytes}: the kernel sends them, and keeps them until an ACK \
                         comes"
                    ),
                    (false, Some(over)) => format!(
                        "our first {bytes}, as {over} wraps them: the kernel sends them, and \
                         keeps them until an ACK comes"
                    ),
                },
            );
        }
        self.sent += count as u64;
        if !self.is_local {
            self.looks.soon();
        }
    }

    pub(super) fn received(&mut self, count: usize, telling: &mut Telling) {
        if self.received == 0 {
            let bytes = counted(count as u64, "byte");
            telling.say(
                self.layer(),
                match self.is_local {
                    true => format!("the first {bytes} have come"),
                    false => {
                        format!(
                            "the first {bytes} have come: our kernel acknowledges them by itself"
                        )
                    }
                },
            );
        }
        self.received += count as u64;
    }

    pub(super) fn observe(&mut self, what: Observed<'_>, telling: &mut Telling) {
        match what {
            Observed::Accepted { local: None, .. } => {
                self.is_local = true;
                telling.say(
                    Layer::Unix,
                    "somebody on this machine connected: no IP, no TCP, no port",
                );
            }
            Observed::Local(place) => {
                self.is_local = true;
                telling.say(
                    Layer::Unix,
                    format!("connected to {place} on this machine: no IP, no TCP, no port"),
                );
            }
            Observed::Connected { .. } | Observed::Accepted { .. } => {
                // Through a proxy there may be several.
                *self = Transport::default();
                self.looks.soon();
            }
            Observed::Agreed(agreement) => {
                self.over = Some(match agreement {
                    Agreement::Tls(_) => Layer::Tls,
                    Agreement::WebSocket => Layer::WebSocket,
                });
            }
            Observed::Ended => self.ended(telling),
            Observed::Truncated => self.truncated(telling),
            Observed::Broke(error) => self.broke(error, telling),
            Observed::Vanished => self.vanished(telling),
            Observed::Shut => self.shut(telling),
            Observed::Probes(after) => telling.say(
                Layer::Tcp,
                format!(
                    "after {} s of silence the kernel will ask whether the other side is still \
                     there (keepalive)",
                    after.as_secs()
                ),
            ),
            Observed::Closing { breaks, unread } => self.closing(breaks, unread, telling),
            Observed::Looked(reading, now) => self.looked(&reading, now, telling),
            Observed::Unread => self.looks.stop(),
            // What the story tells of itself.
            _ => {}
        }
    }

    fn ended(&mut self, telling: &mut Telling) {
        if self.into != End::Open || self.is_broken {
            return;
        }
        self.into = End::Said;
        if let Some(over) = self.over {
            telling.say(
                over,
                match over {
                    Layer::WebSocket => "the other side said that it is over (a close frame)",
                    _ => "the other side said that it sends no more (close_notify)",
                },
            );
            return;
        }
        let layer = self.layer();
        telling.say(
            layer,
            match (self.is_local, self.out) {
                (true, End::Open) => "the other side sends no more; we may still send",
                (true, _) => "the other side sends no more either",
                (false, End::Open) => {
                    "the other side sends no more: its FIN came. We may still send"
                }
                (false, _) => "the other side's FIN came, too: both directions have ended",
            },
        );
        if self.out == End::Acknowledged {
            telling.say(
                Layer::Tcp,
                "we ended first, so our kernel remembers the four numbers for a while (TIME-WAIT)",
            );
        } else if !self.is_local {
            self.looks.soon();
        }
    }

    fn truncated(&mut self, telling: &mut Telling) {
        if self.into == End::Open && !self.is_broken {
            (self.into, self.is_cut) = (End::Said, true);
            let over = self.over.unwrap_or(Layer::Tls);
            let goodbye = match over {
                Layer::WebSocket => "a close frame",
                _ => "close_notify",
            };
            telling.say(
                over,
                format!(
                    "the connection ended (FIN) without {over}'s goodbye ({goodbye}): anybody on the \
                     way may have cut it"
                ),
            );
        }
    }

    fn shut(&mut self, telling: &mut Telling) {
        if self.out != End::Open || self.is_broken {
            return;
        }
        self.out = End::Said;
        if let Some(over) = self.over {
            telling.say(
                over,
                match over {
                    Layer::WebSocket => "we say that it is over (a close frame)",
                    _ => "we say that we send no more (close_notify); what comes is still read",
                },
            );
            return;
        }
        telling.say(
            self.layer(),
            match (self.is_local, self.into) {
                (true, _) => "we end our side; what comes is still read",
                (false, End::Open) => {
                    "we end our side: a FIN goes out behind our last byte. What comes is still \
                     read"
                }
                (false, _) => "we end our side, too: our FIN goes out behind our last byte",
            },
        );
        if !self.is_local {
            self.looks.soon();
        }
    }

    fn broke(&mut self, error: &io::Error, telling: &mut Telling) {
        if std::mem::replace(&mut self.is_broken, true) {
            return;
        }
        let was_out = self.looks.at().is_some();
        self.looks.stop();
        let layer = self.layer();
        match error.kind() {
            ErrorKind::ConnectionReset => telling.say(
                layer,
                match self.is_local {
                    true => "the other side broke the connection off",
                    false => {
                        "a RST came: the other side broke off; what was on its way may be lost"
                    }
                },
            ),
            ErrorKind::BrokenPipe => telling.say(
                layer,
                match self.is_local {
                    true => "nobody is at the other end any more: what we write is refused",
                    false => {
                        "a RST came: the other side had ended its side, and nobody takes what we \
                         sent since"
                    }
                },
            ),
            ErrorKind::TimedOut => telling.say(
                layer,
                match was_out {
                    true => {
                        "the kernel sent again and again, got no ACK, and gave the connection up"
                    }
                    false => {
                        "the kernel asked again and again whether anybody is there (keepalive), got no \
                         answer, and gave the connection up"
                    }
                },
            ),
            ErrorKind::InvalidData => {
                let over = self.over.unwrap_or(layer);
                telling.say(over, "what came is against the rules: the connection is given up");
            }
            kind => telling.say(layer, format!("the connection broke: {kind}")),
        }
    }

    fn vanished(&mut self, telling: &mut Telling) {
        if !std::mem::replace(&mut self.is_broken, true) {
            self.looks.stop();
            telling.say(
                self.layer(),
                "no ACK comes for what we sent, however often the kernel sends it: we give up",
            );
        }
    }

    fn closing(&mut self, breaks: bool, unread: u64, telling: &mut Telling) {
        if std::mem::replace(&mut self.is_broken, true) || self.is_local {
            return;
        }
        self.looks.stop();
        match (breaks, self.out != End::Open, self.into != End::Open) {
            (true, _, _) => telling.say(
                Layer::Tcp,
                "we break off: something is missing, so not a FIN goes out, but a RST",
            ),
            _ if unread > 0 => telling.say(
                Layer::Tcp,
                format!(
                    "we close with {} unread: the kernel then sends a RST",
                    counted(unread, "byte")
                ),
            ),
            (false, true, true) => telling.say(
                Layer::Tcp,
                match self.over {
                    Some(_) if self.is_cut => String::from(
                        "we close, too: a FIN goes out, and both directions have ended",
                    ),
                    None => String::from("both sides have said their last: the connection is closed"),
                    Some(over) => format!(
                        "both sides have said their last, in {over}: now we close, and a FIN goes out"
                    ),
                },
            ),
            (false, false, true) => telling.say(
                Layer::Tcp,
                "we close the connection: our FIN goes out, too, and both directions have ended",
            ),
            (false, _, false) => telling.say(
                Layer::Tcp,
                "we close before the other side has ended its own: a RST will answer what it \
                 still sends",
            ),
        }
    }

    fn looked(&mut self, reading: &Reading, now: Instant, telling: &mut Telling) {
        if self.is_broken {
            return self.looks.stop();
        }
        self.looks.looked(reading.is_out(), now);
        if !self.is_path_told {
            self.is_path_told = true;
            if !reading.round_trip.is_zero() {
                telling.say(
                    Layer::Tcp,
                    format!(
                        "the kernel measured a round trip of {:.1?}; a segment carries up to {} (MSS)",
                        reading.round_trip,
                        counted(reading.segment.into(), "byte")
                    ),
                );
            }
        }
        if reading.resent > self.resent.saturating_mul(2) {
            self.resent = reading.resent;
            telling.say(
                Layer::Tcp,
                format!(
                    "the kernel has sent {} again, which it took for lost: no ACK had covered them",
                    counted(reading.resent.into(), "segment")
                ),
            );
        }
        if self.sent > 0 && !self.is_acknowledged && reading.unacknowledged() == 0 {
            self.is_acknowledged = true;
            let bytes = match self.over {
                None => counted(self.sent, "byte"),
                Some(over) => format!("{} with those of {over}", counted(reading.written, "byte")),
            };
            telling.say(
                Layer::Tcp,
                format!(
                    "the ACK came, for all {bytes} so far: their kernel has them, their program \
                     may not have read them yet"
                ),
            );
        }
        self.look_at_window(reading, now, telling);
        match reading.phase {
            Phase::FinWait2 if self.out == End::Said => {
                self.out = End::Acknowledged;
                telling.say(
                    Layer::Tcp,
                    "our FIN is acknowledged: half closed; our kernel calls this state FIN-WAIT-2",
                );
            }
            Phase::CloseWait if self.into == End::Said => {
                self.into = End::Acknowledged;
                telling.say(
                    Layer::Tcp,
                    "our kernel calls this state CLOSE-WAIT: it waits for us to end our side",
                );
            }
            _ => {}
        }
    }

    fn look_at_window(&mut self, reading: &Reading, now: Instant, telling: &mut Telling) {
        let is_closed = reading.window == Some(0) && reading.unsent > 0;
        match (&mut self.window, is_closed) {
            (Window::Open, false) => {}
            (Window::Open, true) => {
                self.window = Window::Closed {
                    since: now,
                    is_told: false,
                };
            }
            (Window::Closed { since, is_told }, true) => {
                if !*is_told && now.saturating_duration_since(*since) >= NOTICEABLE {
                    *is_told = true;
                    telling.say(
                        Layer::Tcp,
                        format!(
                            "the window is closed (win 0): their program does not read. {} wait \
                             here, and so do we",
                            counted(reading.unacknowledged(), "byte")
                        ),
                    );
                }
            }
            (Window::Closed { since, is_told }, false) => {
                if *is_told {
                    let time = now.saturating_duration_since(*since);
                    telling.say(
                        Layer::Tcp,
                        format!(
                            "the window is open again after {time:.1?}: their program reads, and \
                             we go on"
                        ),
                    );
                }
                self.window = Window::Open;
            }
        }
    }
}
