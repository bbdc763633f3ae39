//! Many processes that are started for the first time.

use super::{Figures, processes, ready, within};
use std::{path::Path, thread, time::Duration};

/// How long incidents are waited for: some periods of the checks.
const WATCHED: Duration = Duration::from_secs(10);

pub(crate) fn measure(program: &Path, count: usize) -> Option<Figures> {
    let (mut daemon, took) = ready(program, &processes(count, "2s"), true)?;
    let up = within(|| daemon.pids().len() == count)?;
    thread::sleep(WATCHED);
    let incidents = daemon.json(&["incidents", "--limit", "100000"]);
    let figures = vec![
        (
            format!("{count} at first start, seconds to ready"),
            took.as_secs_f64(),
        ),
        (
            format!("{count} at first start, seconds until all run"),
            (took + up).as_secs_f64(),
        ),
        (
            format!("{count} at first start, incidents"),
            incidents.as_array().unwrap().len() as f64,
        ),
    ];
    daemon.stop();
    Some(figures)
}
