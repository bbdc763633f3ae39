//! What still runs of a command that a daemon before began: whatever carries the mark of its effect.

use crate::adapters::process::{
    environ, kill_exactly,
    stat::{self, ProcessStat},
};
use mainstay_domain::name::TargetName;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// The variable that marks what a command starts.
pub(super) const MARK: &str = "MAINSTAY_EFFECT";
/// How long what is killed has to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const RELOOK: Duration = Duration::from_millis(20);

/// What marks the commands of a foreign service, and so the service that they start.
pub(super) fn of_foreign(target: &TargetName) -> String {
    format!("commands of {target}")
}

/// Kills what carries the mark of this key, and waits until nothing does; not for ever. Blocks.
pub(super) fn end(key: &str) {
    end_those(key, |_| true);
}

/// The same of the commands alone that carry the mark and that the daemon `own` did not start: each that still runs, with its
/// group. What they started lives on where its command has ended, or where it went into a session of its own.
pub(super) fn end_commands(key: &str, own: u32) {
    let is_command = |pid: u32, stat: &ProcessStat| {
        stat.group == pid && stat.session != pid && stat.parent != own
    };
    let all = carriers(key).into_iter();
    let commands = all.filter(|(pid, stat)| is_command(*pid, stat));
    let groups: BTreeSet<u32> = commands.map(|(_, stat)| stat.group).collect();
    if !groups.is_empty() {
        end_those(key, |stat| groups.contains(&stat.group));
    }
}

/// Ends those of the carriers that are meant.
fn end_those(key: &str, is_meant: impl Fn(&ProcessStat) -> bool) {
    let given_up = Instant::now() + PATIENCE;
    loop {
        let mut left = carriers(key);
        left.retain(|(_, stat)| is_meant(stat));
        if left.is_empty() {
            return;
        }
        if Instant::now() > given_up {
            tracing::warn!(key, ?left, "what is left of a command does not end");
            return;
        }
        for (pid, stat) in left {
            if let Err(error) = kill_exactly(pid, stat.start_ticks) {
                tracing::debug!(pid, %error, "what is left of a command is not killed");
            }
        }
        std::thread::sleep(RELOOK);
    }
}

/// The processes that carry it, by their numbers.
fn carriers(key: &str) -> Vec<(u32, ProcessStat)> {
    let mark = format!("{MARK}={key}");
    let all = stat::all().unwrap_or_default().into_iter();
    let carries = |pid: &u32| {
        let environment = environ::of(*pid).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| variable == mark.as_bytes())
    };
    let alive = |pid: u32| match ProcessStat::read(pid) {
        Ok(Some(stat)) if stat.state != b'Z' => Some((pid, stat)),
        _ => None,
    };
    all.filter(carries).filter_map(alive).collect()
}
