//! What still runs of a command that a daemon before began: whatever carries the mark of its effect.

use crate::adapters::process::{
    environ, kill_exactly,
    stat::{self, ProcessStat},
};
use std::time::{Duration, Instant};

/// The variable that marks what a command starts.
pub(super) const MARK: &str = "MAINSTAY_EFFECT";
/// How long what is killed has to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const RELOOK: Duration = Duration::from_millis(20);

/// Kills what carries the mark of this key, and waits until nothing does; not for ever. Blocks.
pub(super) fn end(key: &str) {
    let given_up = Instant::now() + PATIENCE;
    loop {
        let left = carriers(key);
        if left.is_empty() {
            return;
        }
        if Instant::now() > given_up {
            tracing::warn!(key, ?left, "what is left of a command does not end");
            return;
        }
        for (pid, start_ticks) in left {
            if let Err(error) = kill_exactly(pid, start_ticks) {
                tracing::debug!(pid, %error, "what is left of a command is not killed");
            }
        }
        std::thread::sleep(RELOOK);
    }
}

/// The numbers and starts of the processes that carry it.
fn carriers(key: &str) -> Vec<(u32, u64)> {
    let mark = format!("{MARK}={key}");
    let all = stat::all().unwrap_or_default().into_iter();
    let carries = |pid: &u32| {
        let environment = environ::of(*pid).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| variable == mark.as_bytes())
    };
    let started = |pid: u32| match ProcessStat::read(pid) {
        Ok(Some(stat)) if stat.state != b'Z' => Some((pid, stat.start_ticks)),
        _ => None,
    };
    all.filter(carries).filter_map(started).collect()
}
