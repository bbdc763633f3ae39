//! How many files the daemon may have open: as many as the machine allows it, for each child that it waits for and each
//! check that looks needs one.
//!
//! Invariant: children get the limit that the daemon itself was started with, for some programs go through all
//! descriptors that they could have, and those that use `select` break above 1024.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use std::sync::OnceLock;

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
