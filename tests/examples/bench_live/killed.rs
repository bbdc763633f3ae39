//! Many processes that are killed at once.

use super::{Figures, processes, ready, within, within_slowly};
use mainstay_domain::time::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The daemon is left alone this long before.
const REST: Duration = Duration::from_secs(5);

pub(crate) fn measure(program: &Path, count: usize) -> Option<Figures> {
    let (mut daemon, _) = ready(program, &processes(count, "10s"), true)?;
    daemon.wait_for_plugins(1);
    within(|| daemon.pids().len() == count)?;
    // What their start made is done, the first checks included.
    thread::sleep(REST);
    let before = daemon.children();
    assert_eq!(before.len(), count);
    let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let begin = Timestamp::from_millis(begin.as_millis().try_into().unwrap());
    for pid in &before {
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    }
    // Whoever asks the daemon is work for the same processors, and the more of it the more there are: it is let alone,
    // and its journal says afterwards when each was back.
    within_slowly(|| {
        let now = daemon.children();
        now.is_disjoint(&before) && now.len() == count
    })?;
    let is_after = |record: &Value, time: &str| {
        let at = record[time].as_str().map(Timestamp::parse);
        at.is_some_and(|at| at.unwrap() >= begin)
    };
    let operations = || {
        let history = daemon.json(&["history", "--limit", "100000"]);
        let mut all = history.as_array().unwrap().clone();
        all.retain(|operation| is_after(operation, "detected_at"));
        let succeeded = all
            .iter()
            .filter(|operation| operation["state"] == "succeeded");
        let targets: BTreeSet<_> = succeeded.map(|one| one["target"].to_string()).collect();
        (targets.len(), all.len())
    };
    within_slowly(|| operations().0 == count)?;
    let mut events = daemon.events();
    events.retain(|event| is_after(event, "at"));
    let last = |kind: &str| {
        let of_kind = events.iter().filter(|event| event["kind"] == kind);
        let at = of_kind.map(|event| Timestamp::parse(event["at"].as_str().unwrap()).unwrap());
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
