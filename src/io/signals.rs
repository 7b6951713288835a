//! Signals as events, for as long as something has to be put right before the program ends.
//!
//! It promises: a signal that was ignored when the program started (`nohup`, `trap ''`) stays
//! ignored; a signal that ends the program ends it as that signal, so that shells see it. The first
//! process of a PID namespace (a container's) cannot be ended so: there it ends with the status that
//! a shell would show.

mod faults;

use std::io;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use mio::Interest;
use mio::Registry;
use mio::Token;
use signal_hook::consts::SIGBUS;
use signal_hook::consts::SIGCHLD;
use signal_hook::consts::SIGCONT;
use signal_hook::consts::SIGFPE;
use signal_hook::consts::SIGHUP;
use signal_hook::consts::SIGILL;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGIO;
use signal_hook::consts::SIGKILL;
use signal_hook::consts::SIGPIPE;
use signal_hook::consts::SIGQUIT;
use signal_hook::consts::SIGSEGV;
use signal_hook::consts::SIGSTOP;
use signal_hook::consts::SIGTERM;
use signal_hook::consts::SIGTSTP;
use signal_hook::consts::SIGTTIN;
use signal_hook::consts::SIGTTOU;
use signal_hook::consts::SIGURG;
use signal_hook::consts::SIGWINCH;
use signal_hook::consts::SIGXFSZ;
use signal_hook::flag::register;
use signal_hook::flag::register_conditional_default;
use signal_hook::flag::register_conditional_shutdown;
use signal_hook::low_level::emulate_default_handler;
use signal_hook::low_level::signal_name;
use signal_hook_mio::v1_0::Signals as Delivery;

use faults::Faults;

use super::proc;

/// The signals that end no program, and a program with an edit line has to know of.
const TELLING: [i32; 3] = [SIGTSTP, SIGCONT, SIGWINCH];

/// The signals that end a program as a rule, and must be taken over. Of all others that would end it
/// those are, too, that the system lets a program have.
const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// The signals that end no program, and those that no handler is to catch: the system does not let it,
/// or the program could not go on after them (see [`Faults`]). (SIGPIPE is ignored by every Rust program, and
/// SIGXFSZ by this one: see [`survive_large_files`].)
const SPARED: [i32; 15] = [
    SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH, SIGKILL, SIGSTOP, SIGBUS,
    SIGFPE, SIGILL, SIGSEGV, SIGPIPE, SIGXFSZ,
];

/// The number after the last signal. Linux's real-time signals end programs, too.
const SIGNALS: i32 = if cfg!(target_os = "linux") { 65 } else { 32 };

/// Whether signals that were given back do what they do by default.
static GIVEN_BACK: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Whether the program went on after it was stopped, since that was last asked for.
static CONTINUED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// End, by this signal.
    End(i32),
    /// Ctrl-Z.
    Stop,
    /// The program goes on after it was stopped.
    Continue,
    /// The terminal has another size.
    Resize,
}

/// The source of signals. See the module's documentation.
pub struct Signals {
    /// None: only those of faults were taken over.
    delivery: Option<Delivery>,
    faults: Faults,
    /// Those that were taken over of the signals that end the program.
    ending: Vec<i32>,
    ignored: u64,
}

/// While it lives, signals of faults wait for the next handler.
pub struct HeldFaults {
    _faults: Faults,
}

impl Signals {
    /// Takes over the signals, but for those that are ignored.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Signals> {
        Signals::take_over(&TELLING, true, registry, token)
    }

    /// The same with those only that end the program.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn ending(registry: &Registry, token: Token) -> io::Result<Signals> {
        Signals::take_over(&[], true, registry, token)
    }

    /// The same with those only by which a person, a shell or a service manager ends it: each that is
    /// taken over costs some microseconds at the start.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn usual(registry: &Registry, token: Token) -> io::Result<Signals> {
        // Without handlers for the others the first process of a PID namespace could not be ended
        // by them.
        Signals::take_over(&[], is_first_process(), registry, token)
    }

    /// The same with signals of faults only, when another process sends them: the others end the
    /// program at once.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn faults(registry: &Registry, token: Token) -> io::Result<Signals> {
        Ok(Signals {
            delivery: None,
            faults: Faults::new(registry, token)?,
            ending: Vec::new(),
            ignored: 0,
        })
    }

    fn take_over(
        telling: &[i32],
        unusual: bool,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Signals> {
        if let Some(given_back) = GIVEN_BACK.get() {
            given_back.store(false, Ordering::SeqCst);
        }
        let ignored = ignored();
        let is_wanted = |signal: &i32| unusual || ENDING.contains(signal);
        let ending: Vec<i32> = ending(ignored).filter(is_wanted).collect();
        let wanted = telling.iter().chain(&ENDING);
        let mut delivery = Delivery::new(wanted.filter(|&&signal| !is_in(signal, ignored)))?;
        for &signal in ending.iter().filter(|signal| !ENDING.contains(signal)) {
            // The library of the system keeps some for itself.
            let _ = delivery.add_signal(signal);
        }
        registry.register(&mut delivery, token, Interest::READABLE)?;
        Ok(Signals {
            delivery: Some(delivery),
            faults: Faults::new(registry, token)?,
            ending,
            ignored,
        })
    }

    /// To be called before other programs can know that this one runs, if signals are taken over
    /// later: a signal of a fault that is sent in between waits then and ends the program, where it
    /// would be lost otherwise.
    pub fn hold_faults() {
        Faults::hold();
    }

    /// From here on, and until they are taken over again, the signals that end the program do so at
    /// once.
    pub fn give_back(self) {
        let _ = self.hand_over();
    }

    /// The same except those of faults: while the value returned lives, they wait for the next
    /// handler.
    pub fn hand_over(self) -> HeldFaults {
        let given_back = GIVEN_BACK.get_or_init(Arc::default);
        given_back.store(true, Ordering::SeqCst);
        self.ending
            .iter()
            .for_each(|&signal| end_by(signal, given_back));
        HeldFaults {
            _faults: self.faults,
        }
    }

    /// The signals that came since the last call and end the program, if nothing else is made of them.
    pub fn ends(&mut self) -> Vec<i32> {
        let ends = |signal| match signal {
            Signal::End(signal) => Some(signal),
            Signal::Stop | Signal::Continue | Signal::Resize => None,
        };
        self.pending().into_iter().filter_map(ends).collect()
    }

    /// Whether a terminal that hangs up ends the program by SIGHUP.
    pub fn ends_by_hangup(&self) -> bool {
        !is_in(SIGHUP, self.ignored)
    }

    /// The signals that came since the last call.
    pub fn pending(&mut self) -> Vec<Signal> {
        // Also a signal that is ignored is read here.
        let fault = self.faults.pending();
        let fault = fault.filter(|&fault| !is_in(fault, ignored()));
        let told = self.delivery.iter_mut().flat_map(Delivery::pending);
        told.chain(fault)
            .map(|signal| match signal {
                SIGTSTP => Signal::Stop,
                SIGCONT => Signal::Continue,
                SIGWINCH => Signal::Resize,
                signal => Signal::End(signal),
            })
            .collect()
    }
}

/// To be called at the start. From here on a file that would become larger than it may (setrlimit(2), RLIMIT_FSIZE) is
/// an error of the write and no end of the program, as a full disk is: SIGXFSZ has a handler that does nothing.
pub fn survive_large_files() {
    // Without it a file that is not too large is written as well.
    let _ = register(SIGXFSZ, Arc::default());
}

/// The signal of Ctrl-C.
pub const INTERRUPT: i32 = SIGINT;

/// The signal of a terminal that hangs up.
pub const HANGUP: i32 = SIGHUP;

/// How often the program was seen going on after it was stopped (SIGCONT); the first call only begins to
/// watch. For a program that takes over no signals.
pub fn continuations() -> u64 {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let continued = CONTINUED.get_or_init(|| {
        let continued = Arc::default();
        // The program goes on without it as well.
        let _ = register(SIGCONT, Arc::clone(&continued));
        continued
    });
    let since = u64::from(continued.swap(false, Ordering::SeqCst));
    SEEN.fetch_add(since, Ordering::SeqCst) + since
}

/// To be called at the start. The kernel protects the first process of a PID namespace from every
/// signal that it does nothing about (`pid_namespaces(7)`), so it does something about those that end
/// programs. Anywhere else nothing happens here.
pub fn end_even_the_first_process() {
    if !is_first_process() {
        return;
    }
    let at_once = GIVEN_BACK.get_or_init(Arc::default);
    at_once.store(true, Ordering::SeqCst);
    ending(ignored()).for_each(|signal| end_by(signal, at_once));
}

/// Ends the program by a signal, as if there were no handler: the shell sees how it ended (128 +
/// number).
pub fn die(signal: i32) -> ! {
    if !is_first_process() && has_default(signal) {
        let _ = emulate_default_handler(signal);
    }
    // It does not return for a signal that ends programs; a shell would see the same.
    std::process::exit(128 + signal)
}

/// Lets a signal end the program from its handler, while `wanted`.
fn end_by(signal: i32, wanted: &Arc<AtomicBool>) {
    // They refuse only what cannot be taken over.
    let _ = match is_first_process() || !has_default(signal) {
        true => register_conditional_shutdown(signal, 128 + signal, Arc::clone(wanted)),
        false => register_conditional_default(signal, Arc::clone(wanted)),
    };
}

/// Whether this is process 1 of its PID namespace: the kernel does not give it a signal that it has
/// no handler for and that comes from the same namespace (pid_namespaces(7)).
fn is_first_process() -> bool {
    std::process::id() == 1
}

/// Whether the signal's default can be had back. It cannot for those that few systems have: by them
/// the program ends with the status that a shell would show.
fn has_default(signal: i32) -> bool {
    signal != SIGIO && signal_name(signal).is_some()
}

/// The signals that end a program that does nothing about them, but for those that are `ignored`.
fn ending(ignored: u64) -> impl Iterator<Item = i32> {
    (1..SIGNALS).filter(move |&signal| ends(signal) && !is_in(signal, ignored))
}

/// Whether a signal ends a program that does nothing about it.
fn ends(signal: i32) -> bool {
    // Other systems do not end a process by SIGIO.
    !SPARED.contains(&signal) && (signal != SIGIO || cfg!(target_os = "linux"))
}

/// Does what the terminal does where Ctrl-C is no key of ours: each process of the job gets SIGINT, so that
/// a script that runs this program ends, too. `has_job`: the terminal is that of a job, which we belong to.
pub fn interrupt(has_job: bool) {
    signal_job(rustix::process::Signal::INT, has_job);
}

/// The same for Ctrl-Z: each gets SIGTSTP.
pub fn suspend(has_job: bool) {
    signal_job(rustix::process::Signal::TSTP, has_job);
}

fn signal_job(signal: rustix::process::Signal, has_job: bool) {
    // kill(2) on a group fails only if it could signal no process of it, and this one may always
    // signal itself.
    let _ = match has_job {
        true => rustix::process::kill_current_process_group(signal),
        false => rustix::process::kill_process(rustix::process::getpid(), signal),
    };
}

/// Stops the program as Ctrl-Z does, and returns when it goes on.
pub fn stop() {
    let _ = emulate_default_handler(SIGTSTP);
}

fn is_in(signal: i32, mask: u64) -> bool {
    mask & (1 << (signal - 1)) != 0
}

/// The signals that are ignored, a bit each from SIGHUP on (`proc(5)`, SigIgn). Where that is not
/// known, none.
fn ignored() -> u64 {
    let status = proc::read("self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
