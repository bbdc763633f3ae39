//! Starts that hang: to open a named pipe for writing waits until somebody reads it, as a file system does that does not
//! answer.

use super::*;
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt};
use tokio::task::JoinSet;

/// Whoever waits to write to it goes on.
fn reader_of(pipe: &Path) -> std::fs::File {
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(nonblock)
        .open(pipe)
        .unwrap()
}

#[tokio::test]
async fn a_start_that_hangs_is_given_up_and_no_second_copy_starts_before_what_it_makes_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut processes = processes(dir.path());
    processes.find(Vec::new()).await;
    let log = dir.path().join("logs/web.log");
    mkfifoat(CWD, &log, Mode::RUSR | Mode::WUSR).unwrap();
    let sleep = spec(&["/bin/sleep", "1000"]);

    processes.starting.patience = Duration::from_secs(1);
    let error = within(processes.spawn(&web(), &sleep, 0))
        .await
        .unwrap_err();
    processes.starting.patience = DEADLINE;
    assert!(matches!(error, ProcessError::StartHangs), "{error}");
    let error = within(processes.spawn(&web(), &sleep, 0)).await;
    assert!(matches!(error, Err(ProcessError::StartHangs)), "{error:?}");
    let error = within(processes.end_rest(&web())).await;
    assert!(matches!(error, Err(ProcessError::StartHangs)), "{error:?}");
    let other = TargetName::parse("other").unwrap();
    let beside = within(processes.spawn(&other, &sleep, 0)).await.unwrap();

    let _reader = reader_of(&log);
    within(processes.start_ended(&web())).await;
    std::fs::remove_file(&log).unwrap();
    let found = processes.find(Vec::new()).await;
    assert_eq!(found, [(other, beside.clone())], "the late one was killed");
    let second = within(processes.spawn(&web(), &sleep, 1)).await.unwrap();
    for identity in [second, beside] {
        within(processes.stop(identity, Signal::Term, DEADLINE)).await;
    }
}

#[tokio::test]
async fn starts_that_hang_give_their_places_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut processes = processes(dir.path());
    processes.starting.patience = Duration::from_secs(1);
    let sleep = spec(&["/bin/sleep", "1000"]);
    let names = (0..70).map(|number| TargetName::parse(&format!("web-{number}")).unwrap());
    let names: Vec<_> = names.collect();
    let log = |name: &TargetName| dir.path().join(format!("logs/{name}.log"));
    for name in &names {
        mkfifoat(CWD, log(name), Mode::RUSR | Mode::WUSR).unwrap();
    }
    let processes = Arc::new(processes);
    let mut starts = JoinSet::new();
    for name in names.clone() {
        let (processes, sleep) = (Arc::clone(&processes), sleep.clone());
        starts.spawn(async move { processes.spawn(&name, &sleep, 0).await });
    }
    while let Some(ended) = within(starts.join_next()).await {
        let ended = ended.unwrap();
        assert!(matches!(ended, Err(ProcessError::StartHangs)), "{ended:?}");
    }
    let last = within(processes.spawn(&web(), &sleep, 0)).await.unwrap();
    within(processes.stop(last, Signal::Term, DEADLINE)).await;
    for name in &names {
        let _reader = reader_of(&log(name));
        within(processes.start_ended(name)).await;
    }
}
