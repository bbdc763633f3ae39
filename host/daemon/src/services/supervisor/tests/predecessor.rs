//! What a daemon finds of the one before it.

use super::*;
use crate::ports::{Boxed, NamedEnd, NamedProcess, PidFileError};
use mainstay_domain::spec::{CheckKind, CheckSpec};

fn previous(daemon: &Daemon, targets: &[&str]) -> PreviousRun {
    let records = targets
        .iter()
        .filter_map(|target| Some((name(target), daemon.record(target)?)));
    PreviousRun {
        processes: records.collect(),
        ..PreviousRun::default()
    }
}

fn lasting(text: &str) -> TargetSpec {
    let mut target = child(text, &SLEEP);
    target.process.as_mut().unwrap().on_shutdown = OnShutdown::Leave;
    target
}

#[tokio::test]
async fn a_process_that_lives_is_adopted_and_not_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = Daemon::start(dir.path(), vec![lasting("web")], PreviousRun::default());
    let pid = before.runs("web", None).await;
    before.shut_down().await.unwrap();

    let mut daemon = Daemon::start(
        dir.path(),
        vec![lasting("web")],
        previous(&before, &["web"]),
    );
    within(daemon.supervisor.start(name("web"))).await.unwrap();
    assert_eq!(daemon.pid("web"), Some(pid));
    assert_eq!(
        daemon.messages(EventKind::ProcessAdopted),
        [format!("web: adopted process {pid}")]
    );
    assert_eq!(
        daemon.messages(EventKind::ProcessStarted),
        Vec::<String>::new()
    );
    daemon
        .supervisor
        .signal(name("web"), Signal::Kill)
        .await
        .unwrap();
    assert!(
        matches!(daemon.finding().await, Finding::Exited { .. }),
        "its end is seen"
    );
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_process_whose_config_changed_meanwhile_is_started_anew_but_not_while_it_is_paused() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = Daemon::start(dir.path(), vec![lasting("web")], PreviousRun::default());
    let pid = before.runs("web", None).await;
    before.shut_down().await.unwrap();

    let mut other = lasting("web");
    let process = other.process.as_mut().unwrap();
    process.env.insert("A".to_owned(), "b".to_owned());
    let previous = previous(&before, &["web"]);
    let paused = PreviousRun {
        paused_host: true,
        ..previous.clone()
    };
    let mut daemon = Daemon::start(dir.path(), vec![other.clone()], paused);
    within(daemon.supervisor.start(name("web"))).await.unwrap();
    assert_eq!(daemon.pid("web"), Some(pid));
    assert_eq!(
        daemon.messages(EventKind::ProcessAdopted),
        [format!(
            "web: adopted process {pid}, which was started with another config"
        )]
    );
    daemon.shut_down().await.unwrap();

    other.process.as_mut().unwrap().on_shutdown = OnShutdown::Stop;
    let mut daemon = Daemon::start(dir.path(), vec![other], previous);
    daemon.runs("web", Some(pid)).await;
    assert!(!lives(pid));
    let messages = daemon.messages(EventKind::ProcessStopped);
    assert!(
        messages[0].ends_with("; its config changed while no daemon was there"),
        "{messages:?}"
    );
    assert!(daemon.findings.try_recv().is_err(), "nothing failed");
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_process_that_was_never_written_down_is_adopted_by_its_mark() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = Daemon::start(dir.path(), vec![lasting("web")], PreviousRun::default());
    let pid = before.runs("web", None).await;
    before.shut_down().await.unwrap();

    let mut daemon = Daemon::start(
        dir.path(),
        vec![child("web", &SLEEP)],
        PreviousRun::default(),
    );
    within(daemon.supervisor.start(name("web"))).await.unwrap();
    assert_eq!(daemon.pid("web"), Some(pid));
    assert_eq!(
        daemon.record("web").map(|record| record.pid),
        Some(pid),
        "it is written down now"
    );
    daemon.shut_down().await.unwrap();
    assert!(!lives(pid));
}

#[tokio::test]
async fn a_process_that_died_meanwhile_is_told_and_not_started() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = Daemon::start(dir.path(), vec![lasting("web")], PreviousRun::default());
    let pid = before.runs("web", None).await;
    before.shut_down().await.unwrap();
    let previous = previous(&before, &["web"]);
    within(
        before
            .processes
            .stop(previous.processes[0].1.clone(), Signal::Term, DEADLINE),
    )
    .await;

    let mut daemon = Daemon::start(dir.path(), vec![lasting("web")], previous);
    let Finding::Exited { evidence, .. } = daemon.finding().await else {
        panic!("its exit should be told");
    };
    assert_eq!(
        evidence.message,
        format!("process {pid} ended while no daemon was there")
    );
    assert_eq!(daemon.pid("web"), None);
    within(daemon.supervisor.restart(name("web")))
        .await
        .unwrap();
    assert_eq!(daemon.supervisor.status(&name("web")).unwrap().restarts, 1);
    within(daemon.supervisor.stop(name("web"))).await.unwrap();
    daemon.shut_down().await.unwrap();
}

#[test]
fn only_what_does_its_work_and_ends_is_a_one_shot() {
    use RestartPolicy::{Always, Never, OnFailure};
    let beat = CheckSpec {
        kind: CheckKind::Heartbeat,
        ..check("beat")
    };
    for (restart, checks, forks, expected) in [
        (Always, vec![], false, false),
        (OnFailure, vec![], false, true),
        (OnFailure, vec![beat.clone()], false, false),
        (Never, vec![beat], false, true),
        (Never, vec![check("tcp")], false, false),
        (Never, vec![], true, false),
    ] {
        let mut target = child("job", &SLEEP);
        let shown = format!("{restart:?} {checks:?} {forks}");
        target.checks = checks;
        let process = target.process.as_mut().unwrap();
        process.restart = restart;
        process.pid_file = forks.then(|| "/run/job.pid".into());
        assert_eq!(target.is_one_shot(), expected, "{shown}");
    }
}

#[tokio::test]
async fn a_one_shot_that_ended_while_nobody_looked_is_done_and_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let one_shot = |text: &str| {
        let mut target = lasting(text);
        target.process.as_mut().unwrap().restart = RestartPolicy::Never;
        target
    };
    let mut before = Daemon::start(dir.path(), vec![one_shot("job")], PreviousRun::default());
    let pid = before.runs("job", None).await;
    before.shut_down().await.unwrap();
    let previous_run = previous(&before, &["job"]);
    let left = previous_run.processes[0].1.clone();
    within(before.processes.stop(left, Signal::Term, DEADLINE)).await;

    let mut first = Daemon::start(dir.path(), vec![one_shot("job")], previous_run);
    let is_done = |daemon: &Daemon| daemon.supervisor.has_completed(&name("job"));
    wait_until("it is done", || is_done(&first)).await;
    wait_until("it is told", || {
        !first.messages(EventKind::ProcessExited).is_empty()
    })
    .await;
    let told = first.messages(EventKind::ProcessExited);
    let expected = format!("job: process {pid} ended while no daemon was there, nobody knows how");
    assert!(told[0].starts_with(&expected), "{told:?}");
    first.shut_down().await.unwrap();

    let previous_run = previous(&first, &["job"]);
    let mut second = Daemon::start(dir.path(), vec![one_shot("job")], previous_run);
    wait_until("it is done still", || is_done(&second)).await;
    second.shut_down().await.unwrap();
    for daemon in [&mut first, &mut second] {
        while let Ok(finding) = daemon.findings.try_recv() {
            let is_failure = matches!(finding, Finding::Exited { .. } | Finding::Raised { .. });
            assert!(!is_failure, "{finding:?}");
        }
    }
}

#[tokio::test]
async fn an_end_is_told_once_and_with_its_cause_however_many_daemons_come_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Daemon::start(dir.path(), vec![lasting("web")], PreviousRun::default());
    let pid = seen.runs("web", None).await;
    let leader = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(leader, rustix::process::Signal::KILL).unwrap();
    let cause = ended(&mut seen).await;
    assert!(cause.contains("signal 9"), "{cause}");
    seen.shut_down().await.unwrap();
    assert_eq!(seen.messages(EventKind::ProcessExited).len(), 1);

    let mut unseen = Daemon::start(dir.path(), vec![lasting("api")], PreviousRun::default());
    unseen.runs("api", None).await;
    unseen.shut_down().await.unwrap();
    let previous_of_unseen = previous(&unseen, &["api"]);
    within(unseen.processes.stop(
        previous_of_unseen.processes[0].1.clone(),
        Signal::Term,
        DEADLINE,
    ))
    .await;
    let mut first = Daemon::start(dir.path(), vec![lasting("api")], previous_of_unseen);
    let while_away = ended(&mut first).await;
    assert_eq!(first.messages(EventKind::ProcessExited).len(), 1);
    first.shut_down().await.unwrap();

    for (before, target, cause) in [(&seen, "web", cause), (&first, "api", while_away)] {
        let previous = previous(before, &[target]);
        let mut next = Daemon::start(dir.path(), vec![lasting(target)], previous);
        assert_eq!(ended(&mut next).await, cause, "it is down still, and why");
        assert!(
            next.messages(EventKind::ProcessExited).is_empty(),
            "{target}"
        );
        next.shut_down().await.unwrap();
    }
}

/// How the next process that ended did.
async fn ended(daemon: &mut Daemon) -> String {
    match daemon.finding().await {
        Finding::Exited { evidence, .. } => evidence.message,
        other => panic!("its exit should be told: {other:?}"),
    }
}

#[tokio::test]
async fn a_process_that_the_config_no_longer_names_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let targets = vec![lasting("web"), lasting("gone"), lasting("foreign")];
    let mut before = Daemon::start(dir.path(), targets, PreviousRun::default());
    let mut pids = Vec::new();
    for target in ["web", "gone", "foreign"] {
        pids.push(before.runs(target, None).await);
    }
    before.shut_down().await.unwrap();

    let targets = vec![child("web", &SLEEP), target("foreign", Vec::new())];
    let mut daemon = Daemon::start(dir.path(), targets, previous(&before, &["web", "gone"]));
    daemon.runs("web", None).await;
    wait_until("they end", || !lives(pids[1]) && !lives(pids[2])).await;
    assert!(lives(pids[0]));
    wait_until("it is told", || {
        daemon.messages(EventKind::ProcessStopped).len() == 2
    })
    .await;
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_process_whose_target_comes_back_while_it_is_ended_is_not_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let slow_end = "trap 'sleep 0.2; exit' TERM; echo ready; while :; do sleep 0.01; done";
    let mut web = child("web", &["/bin/sh", "-c", slow_end]);
    web.process.as_mut().unwrap().on_shutdown = OnShutdown::Leave;
    let mut before = Daemon::start(dir.path(), vec![web], PreviousRun::default());
    let pid = before.runs("web", None).await;
    let log = dir.path().join("logs/web.log");
    wait_until("it is ready", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("ready"))
    })
    .await;
    before.shut_down().await.unwrap();

    let mut daemon = Daemon::start(dir.path(), Vec::new(), previous(&before, &["web"]));
    daemon.config.send_replace(spec(vec![child("web", &SLEEP)]));
    let again = daemon.runs("web", Some(pid)).await;
    assert!(!lives(pid), "the old one ended before the new one began");
    wait_until("the end is told", || {
        !daemon.messages(EventKind::ProcessStopped).is_empty()
    })
    .await;
    assert_eq!(daemon.record("web").map(|record| record.pid), Some(again));
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_paused_target_is_not_started_but_told() {
    let dir = tempfile::tempdir().unwrap();
    let previous = PreviousRun {
        paused_targets: vec![name("web")],
        ..PreviousRun::default()
    };
    let mut daemon = Daemon::start(dir.path(), vec![child("web", &SLEEP)], previous);
    let Finding::Raised { evidence, .. } = daemon.finding().await else {
        panic!("it should be raised");
    };
    assert!(evidence.message.contains("paused"), "{evidence:?}");
    assert_eq!(daemon.pid("web"), None);
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_is_new_starts_after_the_end_of_what_the_config_has_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let slow_end = "trap 'sleep 0.5; exit' TERM; echo ready; while :; do sleep 0.01; done";
    let mut web = child("web", &["/bin/sh", "-c", slow_end]);
    web.process.as_mut().unwrap().on_shutdown = OnShutdown::Leave;
    let mut before = Daemon::start(dir.path(), vec![web], PreviousRun::default());
    let pid = before.runs("web", None).await;
    let log = dir.path().join("logs/web.log");
    wait_until("it is ready", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("ready"))
    })
    .await;
    before.shut_down().await.unwrap();

    let previous = previous(&before, &["web"]);
    let mut daemon = Daemon::start(dir.path(), vec![child("db", &SLEEP)], previous);
    daemon.runs("db", None).await;
    assert!(!lives(pid), "the old one ended before the new one began");
    daemon.shut_down().await.unwrap();
}

/// Pid files that are answered once so many were asked for.
struct Together {
    asked: watch::Sender<usize>,
    all: usize,
}

impl PidFiles for Together {
    fn named(&self, _: PathBuf) -> Boxed<'static, Result<Option<NamedProcess>, PidFileError>> {
        self.asked.send_modify(|asked| *asked += 1);
        let (mut asked, all) = (self.asked.subscribe(), self.all);
        Box::pin(async move {
            asked.wait_for(|asked| *asked >= all).await.unwrap();
            Ok(None)
        })
    }
    fn ended(&self, _: NamedProcess, _: Duration) -> Boxed<'static, bool> {
        unreachable!("nothing is named")
    }
    fn end(
        &self,
        _: NamedProcess,
        _: bool,
        _: Duration,
        _: PathBuf,
    ) -> Boxed<'static, Result<NamedEnd, PidFileError>> {
        unreachable!("nothing is named")
    }
}

#[tokio::test]
async fn the_pid_files_of_all_targets_are_looked_at_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let targets = ["a", "b", "c", "d"].map(|name| {
        let mut target = child(name, &SLEEP);
        let process = target.process.as_mut().unwrap();
        process.pid_file = Some(dir.path().join(name));
        target
    });
    let pid_files = Arc::new(Together {
        asked: watch::channel(0).0,
        all: targets.len(),
    });
    let previous = PreviousRun::default();
    let mut daemon = Daemon::with(dir.path(), targets.into(), previous, pid_files);
    daemon.run();
    for target in ["a", "b", "c", "d"] {
        daemon.runs(target, None).await;
    }
    daemon.shut_down().await.unwrap();
}
