//! Children of a daemon that was killed, and the daemon after it.

use super::*;

/// Not a test of its own: the daemon before, in a process that the tests below can kill.
#[tokio::test]
#[ignore = "the tests below run it as a process of their own"]
async fn a_daemon_that_waits_to_be_killed() {
    let dir = PathBuf::from(std::env::var("DAEMON_BEFORE_STATE").unwrap());
    let script = std::env::var("DAEMON_BEFORE_SCRIPT").unwrap();
    let identity = processes(&dir)
        .spawn(&web(), &shell(&script), 5)
        .await
        .unwrap();
    std::fs::write(dir.join("partial"), serde_json::to_vec(&identity).unwrap()).unwrap();
    std::fs::rename(dir.join("partial"), dir.join("identity")).unwrap();
    std::future::pending::<()>().await;
}

/// Starts a child from a daemon that is then killed.
fn orphan(state_dir: &Path, script: &str) -> ProcessIdentity {
    let mut daemon = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "adapters::process::tests::adoption::a_daemon_that_waits_to_be_killed",
            "--ignored",
        ])
        .env("DAEMON_BEFORE_STATE", state_dir)
        .env("DAEMON_BEFORE_SCRIPT", script)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the daemon has started its child", || {
        state_dir.join("identity").exists()
    });
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    serde_json::from_slice(&std::fs::read(state_dir.join("identity")).unwrap()).unwrap()
}

#[tokio::test]
async fn the_child_of_a_killed_daemon_lives_and_is_found_watched_and_ended_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let identity = orphan(dir.path(), "echo ready; exec sleep 1000");
    let processes = processes(dir.path());
    assert!(processes.is_alive(&identity));
    // By its mark, as if nothing had been written down. While it goes from one program to the next its mark cannot be read.
    within(async {
        while processes.find(Vec::new()).await != [(web(), identity.clone())] {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let ended = processes.wait(identity.clone());
    processes.signal(&identity, Signal::Term).unwrap();
    assert_eq!(within(ended).await, Exit::Unknown);
    assert!(!processes.is_alive(&identity));
    assert_eq!(processes.find(Vec::new()).await, []);
}

#[tokio::test]
async fn a_child_that_wrote_over_its_environment_is_found_by_its_output() {
    let dir = tempfile::tempdir().unwrap();
    let identity = orphan(dir.path(), "exec env -u MAINSTAY_TARGET sleep 1000");
    let processes = processes(dir.path());
    wait_until("the mark is gone", || {
        !std::fs::read(format!("/proc/{}/environ", identity.pid))
            .unwrap()
            .windows(17)
            .any(|w| w == b"\0MAINSTAY_TARGET=")
    });
    let found = processes.find(Vec::new()).await;
    let found: Vec<_> = found
        .iter()
        .map(|(target, found)| (target, found.pid, found.start_ticks))
        .collect();
    assert_eq!(found, [(&web(), identity.pid, identity.start_ticks)]);
    within(processes.stop(identity, Signal::Term, DEADLINE)).await;
}

#[tokio::test]
async fn what_a_leader_left_behind_ends_when_the_next_daemon_looks() {
    let dir = tempfile::tempdir().unwrap();
    let identity = orphan(dir.path(), "sleep 1000 & echo $!");
    wait_until("the leader ends", || {
        ProcessStat::read(identity.pid)
            .unwrap()
            .is_none_or(|s| s.has_ended())
    });
    let grandchild: u32 = output(dir.path()).trim().parse().unwrap();
    assert!(
        ProcessStat::read(grandchild)
            .unwrap()
            .is_some_and(|s| !s.has_ended()),
        "it was left behind"
    );
    let processes = processes(dir.path());
    assert_eq!(within(processes.wait(identity)).await, Exit::Unknown);
    wait_until("the grandchild ends", || {
        ProcessStat::read(grandchild)
            .unwrap()
            .is_none_or(|s| s.has_ended())
    });
}

#[tokio::test]
async fn a_child_in_the_making_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    // As after `fork`: the log is open, but not yet as the output, and there is no mark.
    let log = processes.logs.join("web.log");
    let script = format!("exec 9>>{}; sleep 0.1", log.display());
    let mut making = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let holds =
        || std::fs::read_link(format!("/proc/{}/fd/9", making.id())).is_ok_and(|file| file == log);
    wait_until("it holds the log", holds);
    assert_eq!(processes.find(Vec::new()).await, []);
    assert!(making.try_wait().unwrap().is_some(), "it was waited for");
}

#[tokio::test]
async fn a_process_of_another_user_is_no_child_whatever_mark_it_has() {
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        return; // Only root can start a process of another user.
    }
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let nobody = account::find("nobody").unwrap();
    let mark = processes
        .marks
        .text(&web(), Timestamp::from_millis(1_700_000_000_000), 0);
    let mut marked = std::process::Command::new("/bin/sleep")
        .arg("1000")
        .env(mark::VARIABLE, mark)
        .uid(nobody.uid.as_raw())
        .process_group(0)
        .spawn()
        .unwrap();
    assert_eq!(processes.find(Vec::new()).await, []);
    let as_nobody = vec![(web(), "nobody".to_owned())];
    let found = processes.find(as_nobody).await;
    assert_eq!(found.len(), 1, "the target itself runs as that user");
    assert_eq!(found[0].1.pid, marked.id());
    let of_another = TargetName::parse("other").unwrap();
    let found = processes.find(vec![(of_another, "nobody".to_owned())]);
    assert_eq!(found.await, []);
    marked.kill().unwrap();
    marked.wait().unwrap();
}
