//! Many processes that are killed at once.

use super::{Figures, processes, ready, within};
use rustix::process::{Pid, Signal, kill_process};
use std::{path::Path, time::Instant};

pub(crate) fn measure(program: &Path, count: usize) -> Option<Figures> {
    let (mut daemon, _) = ready(program, &processes(count, "10s"), true)?;
    daemon.wait_for_plugins(1);
    within(|| daemon.pids().len() == count)?;
    let before = daemon.children();
    let begin = Instant::now();
    for pid in &before {
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    }
    // To ask the daemon would be work for the same processors, and the more of it the more targets there are.
    within(|| daemon.children().difference(&before).count() == count)?;
    let back = begin.elapsed();
    let after = daemon.children();
    assert!(after.is_disjoint(&before) && after.len() == count);
    let operations = || {
        let history = daemon.json(&["history", "--limit", "100000"]);
        let all = history.as_array().unwrap().clone();
        let succeeded = all
            .iter()
            .filter(|operation| operation["state"] == "succeeded");
        (succeeded.count(), all.len())
    };
    within(|| operations().0 >= count)?;
    let recovered = begin.elapsed();
    let figures = vec![
        (
            format!("{count} killed, seconds until all are back"),
            back.as_secs_f64(),
        ),
        (
            format!("{count} killed, seconds until all have recovered"),
            recovered.as_secs_f64(),
        ),
        (format!("{count} killed, operations"), operations().1 as f64),
    ];
    daemon.stop();
    Some(figures)
}
