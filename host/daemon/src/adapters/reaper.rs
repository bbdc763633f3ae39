//! Reaps orphans where the daemon is the init of its pid namespace, or a subreaper: nobody else would.
//!
//! Invariant: the end of what the daemon started itself is never taken from who waits for it. What was started is noted
//! right after its start, and a zombie is only reaped when it is found in two looks that lie [`BETWEEN_LOOKS`] apart.
//! Invariant: a look that the daemon cannot do, for want of descriptors say, forgets nothing of that.

use super::{
    limits,
    process::stat::{self, ProcessStat},
};
use parking_lot::{Mutex, const_mutex};
use rustix::process::{Pid, WaitId, WaitIdOptions, child_subreaper, waitid};
use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::OnceLock,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Long after a program was noted that has ended at once.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// The numbers of what the daemon itself started, with when they were noted; empty where nothing is reaped here.
static OWN: Mutex<BTreeMap<u32, Instant>> = const_mutex(BTreeMap::new());

/// Zombies, by their number and start.
type Zombies = HashSet<(u32, u64)>;

/// Whether orphans become children of the daemon.
pub fn is_init() -> bool {
    static IS_INIT: OnceLock<bool> = OnceLock::new();
    *IS_INIT.get_or_init(|| {
        std::process::id() == 1 || child_subreaper().is_ok_and(|subreaper| subreaper.is_some())
    })
}

/// Who starts a program waits for its end too.
pub(super) fn leave(pid: u32) {
    if is_init() {
        OWN.lock().insert(pid, Instant::now());
    }
}

/// Reaps orphans until it is told to stop.
pub async fn run(stop: CancellationToken) -> io::Result<()> {
    let mut ended = signal(SignalKind::child())?;
    let mut seen = Zombies::new();
    loop {
        let looking = tokio::task::spawn_blocking(move || {
            let looked = look(&seen, stat::all());
            (seen, looked)
        });
        let (before, looked) = looking.await.map_err(io::Error::other)?;
        let is_done = looked.as_ref().is_ok_and(HashSet::is_empty);
        seen = looked.unwrap_or_else(|error| {
            tracing::debug!(%error, "orphans cannot be looked for yet");
            before
        });
        if is_done {
            tokio::select! { biased;
                () = stop.cancelled() => return Ok(()),
                _ = ended.recv() => {}
            }
        }
        tokio::select! { biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(BETWEEN_LOOKS) => {}
        }
    }
}

/// Reaps the zombies that were there before; those that were not. The error is that not all could be looked at.
fn look(before: &Zombies, all: io::Result<Vec<u32>>) -> io::Result<Zombies> {
    let begun = Instant::now();
    let (mut children, mut zombies) = (HashSet::new(), Zombies::new());
    for pid in all? {
        let Some(stat) = limits::seen(ProcessStat::read(pid))?.flatten() else {
            continue;
        };
        if stat.parent == std::process::id() {
            children.insert(pid);
            if stat.has_ended() {
                zombies.insert((pid, stat.start_ticks));
            }
        }
    }
    let mut own = OWN.lock();
    // One that is noted since the look began may not be in it.
    own.retain(|pid, noted| children.contains(pid) || *noted >= begun);
    zombies.retain(|(pid, _)| !own.contains_key(pid));
    drop(own);
    for (pid, _) in zombies.intersection(before) {
        if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            if let Err(error) = waitid(WaitId::Pid(pid), options) {
                tracing::debug!(pid = pid.as_raw_pid(), %error, "an orphan is not reaped");
            }
        }
    }
    Ok(zombies.difference(before).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_cannot_be_done_forgets_no_child() {
        // No process has it.
        let child = u32::MAX;
        OWN.lock().insert(child, Instant::now());
        let lack = io::Error::from(rustix::io::Errno::MFILE);
        assert!(look(&Zombies::new(), Err(lack)).is_err());
        assert!(OWN.lock().contains_key(&child));
        look(&Zombies::new(), Ok(Vec::new())).unwrap();
        assert!(!OWN.lock().contains_key(&child), "it is not there");
    }
}
