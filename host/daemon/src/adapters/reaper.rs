//! Reaps orphans where the daemon is the init of its pid namespace, or a subreaper: nobody else would.
//!
//! Invariant: the end of what the daemon started itself is never taken from who waits for it. What was started is noted
//! right after its start, and a zombie is only reaped when it is found in two looks that lie [`BETWEEN_LOOKS`] apart.

use super::process::stat::{self, ProcessStat};
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
        let looking = tokio::task::spawn_blocking(move || look(&seen));
        seen = looking.await.map_err(io::Error::other)?;
        if seen.is_empty() {
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

/// Reaps the zombies that were there before; those that were not.
fn look(before: &Zombies) -> Zombies {
    let begun = Instant::now();
    let (mut children, mut zombies) = (HashSet::new(), Zombies::new());
    for pid in stat::all() {
        let Ok(Some(stat)) = ProcessStat::read(pid) else {
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
    zombies.difference(before).copied().collect()
}
