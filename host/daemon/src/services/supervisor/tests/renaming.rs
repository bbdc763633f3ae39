//! Targets that another config calls otherwise.

use super::*;

#[tokio::test]
async fn of_several_that_run_the_same_each_goes_on_under_the_next_name_and_one_that_changes_does_not()
 {
    let dir = tempfile::tempdir().unwrap();
    let other = ["/bin/sleep", "2000"];
    let before = vec![
        child("a", &SLEEP),
        child("b", &SLEEP),
        child("c", &other),
        child("d", &SLEEP),
    ];
    let mut daemon = Daemon::start(dir.path(), before, PreviousRun::default());
    let mut pids = Vec::new();
    for target in ["a", "b", "c", "d"] {
        pids.push(daemon.runs(target, None).await);
    }
    // What had the name before is not lost.
    let log = |name: &str| dir.path().join(format!("logs/{name}.log"));
    std::fs::write(log("m"), "of another").unwrap();
    let mut changed = child("o", &other);
    changed.process.as_mut().unwrap().umask = Some(0o077);
    let after = vec![
        child("n", &SLEEP),
        child("m", &SLEEP),
        changed,
        child("d", &SLEEP),
    ];
    daemon.config.send_replace(spec(after));
    assert_eq!(daemon.runs("m", None).await, pids[0]);
    assert_eq!(daemon.runs("n", None).await, pids[1]);
    assert_ne!(daemon.runs("o", None).await, pids[2]);
    assert_eq!(daemon.pid("d"), Some(pids[3]));
    assert!(!lives(pids[2]), "it ended before the other one began");
    let record = daemon.record("m").unwrap();
    assert_eq!((record.pid, record.marked_as), (pids[0], Some(name("a"))));
    assert_eq!(daemon.record("a"), None);
    assert_eq!(std::fs::read_to_string(log("a")).unwrap(), "of another");
    assert_eq!(std::fs::read_to_string(log("m")).unwrap(), "");
    assert!(daemon.findings.try_recv().is_err(), "nothing failed");

    // Of three that are gone the first has a name again that was free.
    daemon.config.send_replace(spec(vec![child("a", &SLEEP)]));
    assert_eq!(daemon.runs("a", None).await, pids[3]);
    assert_eq!(daemon.record("a").unwrap().marked_as, Some(name("d")));
    wait_until("the others are gone", || {
        pids[..3].iter().all(|&pid| !lives(pid))
    })
    .await;

    // Its end is one of the new name.
    daemon
        .supervisor
        .signal(name("a"), Signal::Kill)
        .await
        .unwrap();
    let Finding::Exited { target, .. } = daemon.finding().await else {
        panic!("its exit should be told");
    };
    assert_eq!(target, name("a"));
    within(daemon.supervisor.start(name("a"))).await.unwrap();
    assert_eq!(daemon.record("a").unwrap().marked_as, None);
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_a_config_brings_starts_after_the_end_of_what_the_one_before_took_out() {
    let dir = tempfile::tempdir().unwrap();
    let slow_end = [
        "/bin/sh",
        "-c",
        "trap 'sleep 0.5; exit' TERM; echo ready; while :; do sleep 0.01; done",
    ];
    let web = child("web", &slow_end);
    let mut daemon = Daemon::start(dir.path(), vec![web], PreviousRun::default());
    let pid = daemon.runs("web", None).await;
    let log = dir.path().join("logs/web.log");
    wait_until("it is ready", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("ready"))
    })
    .await;
    daemon.config.send_replace(spec(Vec::new()));
    wait_until("it is not known", || {
        daemon.supervisor.status(&name("web")).is_none()
    })
    .await;
    daemon.config.send_replace(spec(vec![child("db", &SLEEP)]));
    daemon.runs("db", None).await;
    assert!(!lives(pid), "the old one ended before the new one began");
    daemon.shut_down().await.unwrap();
}
