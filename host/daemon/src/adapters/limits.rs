//! How many files the daemon may have open: as many as the machine allows it, for each child that it waits for and each
//! check that looks needs one. And how it is known that the daemon lacks something itself.
//!
//! Invariant: children get the limit that the daemon itself was started with, for some programs go through all
//! descriptors that they could have, and those that use `select` break above 1024.

use mainstay_runtime::lack;
use rustix::{
    io::Errno,
    process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit},
};
use std::{io, sync::OnceLock};

/// What the daemon was started with, where it is another one now.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Raises the soft limit of open files to the hard one. How many there may be now; none: without limit.
pub fn raise_open_files() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        ..before
    };
    if before == raised {
        return before.current;
    }
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => {
            let _ = BEFORE.set(before);
            raised.current
        }
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            before.current
        }
    }
}

/// What a child is to have in place of the daemon's own limit.
pub(crate) fn of_children() -> Option<Rlimit> {
    BEFORE.get().copied()
}

/// Gives a child that was just started the limit that it is to have. One that has ended already needs none.
pub(crate) fn restore_limit(child: u32) {
    let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
    if let (Some(limit), Some(pid)) = (of_children(), pid) {
        let _ = prlimit(Some(pid), Resource::Nofile, limit);
    }
}

/// Whether the system refused this for want of something that the daemon itself lacks: descriptors, memory, processes, a
/// port or an address of its own to connect from. It says nothing about what was asked for.
pub(crate) fn is_own_lack(error: &io::Error) -> bool {
    lack::is_own(error) || is_lack_of_port(error)
}

/// Whether it lacks a port of its own to connect from, or an address of the kind that it is to connect to.
pub(crate) fn is_lack_of_port(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ADDRNOTAVAIL.raw_os_error())
}

/// What the system answered; none where that is an error about what was asked for. The error that is left tells that the
/// daemon lacks something itself, so that nothing was seen.
pub(crate) fn seen<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_own_lack(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Why the daemon can open nothing now, where it cannot: what fails meanwhile may fail for that.
pub(crate) fn lack() -> Option<io::Error> {
    lack::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_daemon_lacks_is_told_from_what_is_not_there() {
        for (code, expected) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::NOMEM, true),
            (Errno::AGAIN, true),
            (Errno::ADDRNOTAVAIL, true),
            (Errno::NOENT, false),
            (Errno::ACCESS, false),
            (Errno::CONNREFUSED, false),
            (Errno::TIMEDOUT, false),
        ] {
            let error = io::Error::from(code);
            assert_eq!(is_own_lack(&error), expected, "{error}");
            let expected = code == Errno::ADDRNOTAVAIL;
            assert_eq!(is_lack_of_port(&error), expected, "{error}");
        }
        assert!(!is_own_lack(&io::Error::other("too many open files")));
        assert_eq!(seen(Ok(7)).unwrap(), Some(7));
        let answer = |code: Errno| seen(Err::<u8, _>(io::Error::from(code)));
        assert_eq!(answer(Errno::NOENT).unwrap(), None);
        assert!(is_own_lack(&answer(Errno::MFILE).unwrap_err()));
        assert!(lack().is_none());
    }
}
