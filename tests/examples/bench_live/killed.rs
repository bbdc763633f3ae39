//! Many processes that are killed at once.

use super::{Figures, processes, ready, within};
use mainstay_domain::time::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Nobody asks the daemon for anything so long.
const REST: Duration = Duration::from_secs(5);

pub(crate) fn measure(program: &Path, count: usize) -> Option<Figures> {
    let (mut daemon, _) = ready(program, &processes(count, "10s"), true)?;
    daemon.wait_for_plugins(1);
    within(|| daemon.pids().len() == count)?;
    // What their start made is done, the first checks included.
    thread::sleep(REST);
    let before = daemon.children();
    let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let begin = Timestamp::from_millis(begin.as_millis().try_into().unwrap());
    for pid in &before {
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    }
    let operations = || {
        let history = daemon.json(&["history", "--limit", "100000"]);
        let all = history.as_array().unwrap().clone();
        let succeeded = all
            .iter()
            .filter(|operation| operation["state"] == "succeeded");
        (succeeded.count(), all.len())
    };
    // Whoever asks is work for the same processors, and the more of it the more there are: they are let alone, and the
    // journal says afterwards when each was back.
    thread::sleep(REST);
    within(|| operations().0 >= count)?;
    let after = daemon.children();
    assert!(after.is_disjoint(&before) && after.len() == count);
    let events = daemon.events();
    let last = |kind: &str| {
        let at = events.iter().filter(|event| event["kind"] == kind);
        let at = at.map(|event| Timestamp::parse(event["at"].as_str().unwrap()).unwrap());
        at.max().unwrap().since(begin).as_secs_f64()
    };
    let figures = vec![
        (
            format!("{count} killed, seconds until all are back"),
            last("process.started"),
        ),
        (
            format!("{count} killed, seconds until all have recovered"),
            last("operation.succeeded"),
        ),
        (format!("{count} killed, operations"), operations().1 as f64),
    ];
    daemon.stop();
    Some(figures)
}
