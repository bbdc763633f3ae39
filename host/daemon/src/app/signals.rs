//! The signals that the daemon acts on, and those that it hears and does nothing about.
//!
//! Invariant: no signal ends the daemon but SIGTERM and SIGINT, SIGHUP of a terminal that is gone, those that tell of a fault of its own, and SIGQUIT, which
//! asks for a core.
//! Invariant: a program that the daemon starts finds every signal as the system has it by default, also where the daemon
//! was started with some of them ignored (by `nohup`, or a shell's `&`): what is ignored stays so over `exec`, and what is
//! listened to does not. The mask of blocked signals is emptied by `main`, before there is a second thread.

use super::terminal::Terminal;
use rustix::process::Signal as Number;
use std::{io, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};

/// They end a program that does not listen to them, and mean nothing here.
const MEANINGLESS: [Number; 9] = [
    Number::USR2,
    Number::ALARM,
    Number::VTALARM,
    Number::PROF,
    Number::IO,
    Number::POWER,
    Number::STKFLT,
    Number::XFSZ,
    Number::XCPU,
];

/// The real-time signals that a C library leaves to programs; the same is true of them.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// The signals that the daemon listens to.
pub(super) struct Signals {
    hang_up: Signal,
    terminal: Terminal,
    reopen: Signal,
    /// Listened to, so that they do nothing.
    _unused: Vec<Signal>,
}

impl Signals {
    /// Listens from now on. SIGTERM and SIGINT end the daemon as they do by default until [`Signals::with_stops`]: a start
    /// that takes long need not be waited for.
    pub(super) fn listen() -> io::Result<Self> {
        let meaningless = MEANINGLESS.iter().map(|number| number.as_raw());
        // Before one is listened to, which is not ignored any more then.
        let ignored = ignored();
        let terminal = Terminal::of_start(ignored.contains(&Number::HUP.as_raw()));
        let numbers = meaningless.chain(REAL_TIME).chain(ignored);
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminal,
            reopen: signal(SignalKind::user_defined1())?,
            // Of some the system or the library lets nobody dispose.
            _unused: numbers
                .filter_map(|number| signal(SignalKind::from_raw(number)).ok())
                .collect(),
        })
    }

    /// From now on SIGTERM and SIGINT ask the daemon to stop. To be called before anybody is told that it is ready: who
    /// reads that may ask at once.
    pub(super) fn with_stops(self) -> io::Result<Stops> {
        Ok(Stops {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            others: self,
        })
    }
}

/// All that the daemon listens to while it serves.
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
    others: Signals,
}

impl Stops {
    /// SIGTERM and SIGINT stop the daemon, and so does the end of the terminal that it runs in; SIGHUP asks for a reload else;
    /// SIGUSR1 has `reopen` look at the logs of targets. Why it is to stop, for people.
    pub(super) async fn until_asked(
        self,
        reload_asked: &Notify,
        reopen: impl Fn(),
    ) -> &'static str {
        let Self {
            mut terminate,
            mut interrupt,
            others: mut signals,
        } = self;
        let closed = "asked to stop: the terminal that it ran in was closed";
        loop {
            let look = signals.terminal.next_look();
            tokio::select! {
                _ = terminate.recv() => return "asked to stop by SIGTERM",
                _ = interrupt.recv() => return "asked to stop by SIGINT",
                _ = signals.hang_up.recv() => match signals.terminal.hung_up() {
                    true => return closed,
                    false => reload_asked.notify_one(),
                },
                _ = signals.reopen.recv() => reopen(),
                () = tokio::time::sleep(look.unwrap_or(Duration::MAX)), if look.is_some() => {
                    if signals.terminal.look() {
                        return closed;
                    }
                }
            }
        }
    }
}

/// The signals that the daemon was started with as ignored, but for SIGPIPE: that is every Rust program's own, and the
/// standard library gives its default back to what it starts.
fn ignored() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_ignored(&status)
}

fn parse_ignored(status: &str) -> Vec<i32> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    (1..=64)
        .filter(|&number| mask & (1_u64 << (number - 1)) != 0 && number != Number::PIPE.as_raw())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_mask_without_sigpipe() {
        // SIGHUP, SIGQUIT, SIGPIPE and the last of all.
        let status =
            "SigBlk:\tffffffffffffffff\nSigIgn:\t8000000000001005\nSigCgt:\t0000000000000002\n";
        assert_eq!(parse_ignored(status), [1, 3, 64]);
        assert_eq!(parse_ignored("SigCgt:\t00000000000000ff\n"), [0; 0]);
    }
}
