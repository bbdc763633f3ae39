//! A daemon that is killed at any moment while it restarts its target: never two copies, never one that is lost.

use super::*;
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// How often a daemon is killed, each time a little later.
const KILLS: u32 = 25;

fn previous_in(state_dir: &Path) -> PreviousRun {
    let record = std::fs::read(state_dir.join("record")).ok();
    let record = record.map(|record| serde_json::from_slice(&record).unwrap());
    PreviousRun {
        processes: record
            .map(|identity| (name("web"), identity))
            .into_iter()
            .collect(),
        ..PreviousRun::default()
    }
}

/// Not a test of its own: a daemon that restarts its target until it is killed, and writes down late what runs.
#[tokio::test]
#[ignore = "the test below runs it as a process of its own"]
async fn a_daemon_that_restarts_until_it_is_killed() {
    let dir = PathBuf::from(std::env::var("KILLED_STATE").unwrap());
    let daemon = Daemon::start(&dir, vec![child("web", &SLEEP)], previous_in(&dir));
    loop {
        let _ = daemon.supervisor.restart(name("web")).await;
        if let Some(record) = daemon.record("web") {
            std::fs::write(dir.join("partial"), serde_json::to_vec(&record).unwrap()).unwrap();
            std::fs::rename(dir.join("partial"), dir.join("record")).unwrap();
        }
        std::fs::write(dir.join("works"), "").unwrap();
    }
}

#[tokio::test]
async fn a_daemon_killed_at_any_moment_leaves_at_most_one_copy_and_the_next_one_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let onlooker = Daemon::new(dir.path(), Vec::new(), PreviousRun::default());
    for kill in 0..KILLS {
        let _ = std::fs::remove_file(dir.path().join("works"));
        let helper =
            "services::supervisor::tests::killed::a_daemon_that_restarts_until_it_is_killed";
        let mut daemon = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", helper, "--ignored"])
            .env("KILLED_STATE", dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("it restarts", || dir.path().join("works").exists()).await;
        // Moments spread over more than one restart, which takes about a millisecond.
        tokio::time::sleep(Duration::from_micros(u64::from(kill) * 170)).await;
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        let copies = onlooker.processes.find(Vec::new()).await;
        assert!(copies.len() <= 1, "after kill {kill}: {copies:?}");
    }
    let copy = onlooker
        .processes
        .find(Vec::new())
        .await
        .pop()
        .map(|(_, identity)| identity.pid);
    let mut last = Daemon::start(
        dir.path(),
        vec![child("web", &SLEEP)],
        previous_in(dir.path()),
    );
    match copy {
        Some(pid) => assert_eq!(last.runs("web", None).await, pid),
        None => assert!(matches!(last.finding().await, Finding::Exited { .. })),
    }
    last.shut_down().await.unwrap();
    assert_eq!(onlooker.processes.find(Vec::new()).await, []);
}
