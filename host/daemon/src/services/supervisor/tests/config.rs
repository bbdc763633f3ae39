//! What another config does to processes that run.

use super::*;
use crate::ports::Watch;

#[tokio::test]
async fn only_what_a_process_would_notice_restarts_it_and_the_event_says_what() {
    let dir = tempfile::tempdir().unwrap();
    let web = child("web", &SLEEP);
    let mut daemon = Daemon::start(dir.path(), vec![web.clone()], PreviousRun::default());
    let pid = daemon.runs("web", None).await;

    let mut other = web.clone();
    let process = other.process.as_mut().unwrap();
    (process.log_keep, process.grace) = (9, Duration::from_secs(9));
    process.stop_signal = Signal::Int;
    other.checks = vec![check("tcp")];
    daemon.config.send_replace(spec(vec![other.clone()]));
    wait_until("the checks are there", || {
        daemon
            .supervisor
            .status(&name("web"))
            .is_some_and(|s| s.health == mainstay_domain::health::Health::Healthy)
    })
    .await;
    within(daemon.supervisor.start(name("web"))).await.unwrap();
    assert_eq!(daemon.pid("web"), Some(pid), "it did not notice");

    let process = other.process.as_mut().unwrap();
    process.env.insert("A".to_owned(), "b".to_owned());
    process.umask = Some(0o077);
    daemon.config.send_replace(spec(vec![other]));
    daemon.runs("web", Some(pid)).await;
    assert!(!lives(pid));
    let messages = daemon.messages(EventKind::ProcessStopped);
    assert!(
        messages[0].ends_with("; its config changed: `env`, `umask`"),
        "{messages:?}"
    );
    assert!(daemon.findings.try_recv().is_err(), "nothing failed");
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn targets_come_and_go_and_come_back_without_a_double() {
    let dir = tempfile::tempdir().unwrap();
    let slow_end = [
        "/bin/sh",
        "-c",
        "trap 'sleep 0.2; exit' TERM; echo ready; while :; do sleep 0.01; done",
    ];
    let web = child("web", &slow_end);
    let mut daemon = Daemon::start(dir.path(), Vec::new(), PreviousRun::default());
    daemon.config.send_replace(spec(vec![web.clone()]));
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
    assert!(lives(pid), "it ends slowly");
    daemon.config.send_replace(spec(vec![web]));
    daemon.runs("web", Some(pid)).await;
    assert!(!lives(pid), "the old one ended before the new one began");
    let messages = daemon.messages(EventKind::ProcessStopped);
    assert!(
        messages[0].contains("the config has no such target any more"),
        "{messages:?}"
    );
    assert!(daemon.findings.try_recv().is_err(), "nothing failed");
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_target_that_a_handler_stopped_stays_stopped_when_its_config_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(
        dir.path(),
        vec![child("web", &SLEEP)],
        PreviousRun::default(),
    );
    daemon.runs("web", None).await;
    within(daemon.supervisor.stop(name("web"))).await.unwrap();
    daemon.config.send_replace(spec(vec![
        child("web", &["/bin/sleep", "2000"]),
        child("db", &SLEEP),
    ]));
    daemon.runs("db", None).await;
    assert_eq!(daemon.pid("web"), None);
    within(daemon.supervisor.start(name("web"))).await.unwrap();
    let pid = daemon.runs("web", None).await;
    // The kernel shows the words a moment after the program was loaded.
    let words = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    wait_until("it runs with the config of now", || {
        words() == "/bin/sleep\x002000\0"
    })
    .await;
    daemon.shut_down().await.unwrap();
}

/// Waits until the target is looked at.
async fn is_looked_at(daemon: &Daemon, target: &str) {
    let seen = async {
        loop {
            match daemon.monitor.check_now(name(target)).await {
                Ok(seen) if !seen.is_empty() => return,
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    within(seen).await;
}

#[tokio::test]
async fn a_target_that_loses_its_run_is_ended_and_watched_as_a_foreign_service() {
    let dir = tempfile::tempdir().unwrap();
    let (web, foreign) = (child("web", &SLEEP), target("web", vec![check("tcp")]));
    let daemon = Daemon::start(dir.path(), vec![web.clone()], PreviousRun::default());
    let stops = || daemon.messages(EventKind::ProcessStopped).len();
    daemon.runs("web", None).await;
    daemon.config.send_replace(spec(vec![foreign.clone()]));
    wait_until("it has ended", || stops() == 1).await;
    let why = daemon.messages(EventKind::ProcessStopped).remove(0);
    assert!(why.contains("its config has no `run` any more"), "{why}");
    is_looked_at(&daemon, "web").await;

    daemon.config.send_replace(spec(vec![web]));
    daemon.runs("web", None).await;
    daemon.config.send_replace(spec(Vec::new()));
    wait_until("it has ended again", || stops() == 2).await;
    daemon.config.send_replace(spec(vec![foreign]));
    is_looked_at(&daemon, "web").await;
}

#[tokio::test]
async fn a_target_that_is_gone_from_the_config_is_forgotten_once_nothing_of_it_lives() {
    let dir = tempfile::tempdir().unwrap();
    let targets = vec![child("web", &SLEEP), child("api", &SLEEP)];
    let mut daemon = Daemon::start(dir.path(), targets, PreviousRun::default());
    let pid = daemon.runs("web", None).await;
    let api = daemon.runs("api", None).await;
    let core = Arc::clone(&daemon.supervisor.core);
    let known = || {
        core.forget_gone();
        core.targets.read().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(known().len(), 2);
    let rest = vec![child("api", &SLEEP)];
    daemon.config.send_replace(spec(rest.clone()));
    wait_until("it is forgotten", || known() == [name("api")]).await;
    assert!(!lives(pid));
    // It may come back.
    let both = [rest, vec![child("web", &SLEEP)]].concat();
    daemon.config.send_replace(spec(both));
    daemon.runs("web", Some(pid)).await;
    assert_eq!(daemon.pid("api"), Some(api), "it was not touched");
    daemon.shut_down().await.unwrap();
}
