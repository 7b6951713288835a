//! The program: read the command line, set up the log, run, and report how it ended.

use std::io::ErrorKind;
use std::io::IsTerminal;
use std::io::Write;
use std::process::ExitCode;

use log::LevelFilter;
use muxnc::cli;
use muxnc::cli::Mode;
use muxnc::cli::Verbosity;
use muxnc::client;
use muxnc::engine::flow::Proof;
use muxnc::hub;
use muxnc::io::error::Error;
use muxnc::io::notices::Logger;
use muxnc::io::notices::Notices;
use muxnc::io::notices::Stderr;
use muxnc::io::signals;
use muxnc::scan;
use muxnc::status::EXPLAIN;
use muxnc::status::NOTICE;
use muxnc::status::Status;
use muxnc::udp;

fn main() -> ExitCode {
    signals::end_even_the_first_process();
    signals::survive_large_files();
    let notices = Notices::default();
    let status = run(&notices).unwrap_or_else(|error| {
        notices.say(&error);
        match error.is_usage() {
            true => Status::Usage,
            false => Status::Failed,
        }
    });
    Stderr::new(notices).finish();
    if let Status::Killed(signal) = status {
        signals::die(signal);
    }
    ExitCode::from(u8::from(status))
}

fn run(notices: &Notices) -> Result<Status, Error> {
    let (mode, verbosity) = cli::parse(std::env::args_os())?;
    start_log(verbosity, notices);
    match mode {
        Mode::Hub(config) => hub::run(config, notices),
        Mode::Probe {
            target,
            tls,
            quiet,
            explain,
        } => client::probe(&target, tls.as_ref(), quiet, explain, notices),
        Mode::Scan(settings) => scan::run(settings, notices),
        Mode::Udp(settings) => udp::run(settings, notices),
        Mode::Client {
            target,
            tls,
            settings,
        } => client::run(&target, tls.as_ref(), settings, notices),
        Mode::Text(text) => print(&text),
    }
}

/// Writes a text to stdout. A reader that closes the pipe before the end of the help is no failure.
fn print(text: &str) -> Result<Status, Error> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::system("write to stdout", &error))
        }
        _ => Ok(Status::Done(Proof::nothing_was_promised())),
    }
}

/// Logs go to stderr through the notices' queue, so that they can never block a loop.
fn start_log(verbosity: Verbosity, notices: &Notices) {
    let mut builder = env_logger::Builder::new();
    match verbosity {
        Verbosity::Quiet => builder.filter_level(LevelFilter::Error),
        Verbosity::Normal => {
            builder.filter_level(LevelFilter::Warn);
            match std::io::stderr().is_terminal() {
                true => builder.filter_module(NOTICE, LevelFilter::Info),
                false => &mut builder,
            }
        }
        Verbosity::Verbose(1) => builder.filter_level(LevelFilter::Info),
        Verbosity::Verbose(2) => builder.filter_level(LevelFilter::Debug),
        Verbosity::Verbose(_) => builder.filter_level(LevelFilter::Trace),
    };
    // The sentences of `--explain` do not depend on `-v`: they have an option of their own.
    builder.filter_module(EXPLAIN, LevelFilter::Info);
    let logger = builder
        .parse_default_env()
        .format(|out, record| writeln!(out, "muxnc: {}", record.args()))
        .target(env_logger::Target::Pipe(Box::new(notices.clone())))
        .build();
    log::set_max_level(logger.filter());
    let notices = notices.clone();
    let logger = Logger {
        inner: logger,
        notices,
    };
    log::set_boxed_logger(Box::new(logger)).expect("there is no other one");
}
