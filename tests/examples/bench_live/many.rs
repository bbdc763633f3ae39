//! A daemon with many targets that are looked at and never fail.

use super::{Figures, HOST, ready};
use mainstay_tests::resident_kb;
use std::{
    path::Path,
    time::{Duration, Instant},
};

pub(crate) fn measure(program: &Path, count: usize) -> Option<Figures> {
    let mut config = HOST.to_owned();
    for number in 0..count {
        config.push_str(&format!(
            "\n[[target]]\nname = \"t-{number}\"\n[[target.check]]\nkind = \"file\"\npath = \"/etc/passwd\"\nevery = \"60s\"\nfailure = \"file-gone\"\n"
        ));
    }
    let (mut daemon, took) = ready(program, &config, false)?;
    let status = || {
        let begin = Instant::now();
        let output = daemon.cli(&["status", "--json"]);
        assert!(output.status.success());
        begin.elapsed()
    };
    let mut times: Vec<Duration> = (0..7).map(|_| status()).collect();
    times.sort();
    let resident = resident_kb(daemon.pid());
    let figures = vec![
        (
            format!("{count} targets, seconds to ready"),
            took.as_secs_f64(),
        ),
        (
            format!("{count} targets, seconds for a status"),
            times[3].as_secs_f64(),
        ),
        (
            format!("{count} targets, resident MB"),
            resident as f64 / 1e3,
        ),
    ];
    daemon.stop();
    Some(figures)
}
