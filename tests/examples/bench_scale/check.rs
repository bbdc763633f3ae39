//! `mainstay check`, from its start to its end.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

pub(crate) fn check(program: &Path, directory: &Path) -> Duration {
    let mut command = Command::new(program);
    command
        .args(["check", "--config"])
        .arg(directory.join("mainstay.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let begin = Instant::now();
    let status = command.status().unwrap();
    let elapsed = begin.elapsed();
    assert!(status.success(), "{program:?} check ended with {status}");
    elapsed
}
