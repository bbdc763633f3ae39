//! The clean end of the daemon.

use super::{
    fake::{Behaviour, supervise},
    *,
};
use crate::ports::{Boxed, Exit};

#[tokio::test]
async fn a_clean_shutdown_kills_the_stubborn_in_time_and_leaves_what_is_to_be_left() {
    let dir = tempfile::tempdir().unwrap();
    let deaf = [
        "/bin/sh",
        "-c",
        "trap '' TERM; echo ready; while :; do sleep 1; done",
    ];
    let (mut stubborn, mut left) = (child("deaf", &deaf), child("left", &SLEEP));
    stubborn.process.as_mut().unwrap().grace = DEADLINE * 10;
    left.process.as_mut().unwrap().on_shutdown = OnShutdown::Leave;
    let mut config = (*spec(vec![stubborn, left, child("web", &SLEEP)])).clone();
    config.host.shutdown_deadline = Duration::from_secs(3);
    let mut daemon = Daemon::start(dir.path(), config.targets.to_vec(), PreviousRun::default());
    daemon.config.send_replace(Arc::new(config));
    let mut pids = Vec::new();
    for target in ["deaf", "web", "left"] {
        pids.push(daemon.runs(target, None).await);
    }
    let log = dir.path().join("logs/deaf.log");
    wait_until("it is deaf", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("ready"))
    })
    .await;
    daemon.shut_down().await.unwrap();
    assert_eq!(
        pids.iter().map(|&pid| lives(pid)).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!((daemon.record("deaf"), daemon.record("web")), (None, None));
    let record = daemon.record("left").unwrap();
    let refused = within(daemon.supervisor.start(name("web")))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("the daemon is stopping"),
        "{refused}"
    );
    within(daemon.processes.stop(record, Signal::Term, DEADLINE)).await;
}

#[tokio::test]
async fn a_shutdown_cuts_short_a_restart_that_waits_for_the_old_process_and_starts_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let deaf = [
        "/bin/sh",
        "-c",
        "trap '' TERM; echo ready; while :; do sleep 1; done",
    ];
    let mut stubborn = child("deaf", &deaf);
    stubborn.process.as_mut().unwrap().grace = DEADLINE * 10;
    let mut daemon = Daemon::start(dir.path(), vec![stubborn.clone()], PreviousRun::default());
    let mut config = (*spec(vec![stubborn])).clone();
    config.host.shutdown_deadline = Duration::from_millis(500);
    daemon.config.send_replace(Arc::new(config));
    let pid = daemon.runs("deaf", None).await;
    let log = dir.path().join("logs/deaf.log");
    wait_until("it is deaf", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("ready"))
    })
    .await;
    let supervisor = daemon.supervisor.clone();
    let restart = tokio::spawn(async move { supervisor.restart(name("deaf")).await });
    let supervised = daemon.supervisor.core.get(&name("deaf")).unwrap();
    let has_turn = || supervised.turn.try_lock().is_err();
    wait_until("the restart has its turn", has_turn).await;
    daemon.shut_down().await.unwrap();
    assert!(!lives(pid));
    let refused = within(restart).await.unwrap().unwrap_err();
    assert!(
        refused.to_string().contains("the daemon is stopping"),
        "{refused}"
    );
    assert_eq!(daemon.messages(EventKind::ProcessStarted).len(), 1);
    assert!(daemon.findings.try_recv().is_err(), "nothing failed");
}

/// Processes that neither SIGTERM nor SIGKILL ends, as those that hang in the kernel.
#[derive(Default)]
struct Unkillable {
    /// How long each that was to be stopped had.
    stops: Mutex<Vec<(Signal, Duration)>>,
}

impl Behaviour for Unkillable {
    fn stop(&self, signal: Signal, grace: Duration) -> Boxed<'static, Exit> {
        self.stops.lock().push((signal, grace));
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_shutdown_names_what_does_not_stop() {
    let mut config = (*spec(vec![child("web", &SLEEP), child("db", &SLEEP)])).clone();
    config.host.shutdown_deadline = Duration::from_millis(50);
    let mut faked = supervise(Unkillable::default(), Arc::new(config));
    let runs = |target| faked.pid(target).is_some();
    wait_until("they run", || runs("web") && runs("db")).await;
    faked.stop.cancel();
    let stragglers = within(&mut faked.service).await.unwrap().unwrap_err();
    assert!(
        stragglers
            .to_string()
            .starts_with("db, web did not stop within 50ms"),
        "{stragglers}"
    );
}

#[tokio::test]
async fn a_target_that_leaves_the_config_is_stopped_as_it_was_to_be_there() {
    let mut web = child("web", &SLEEP);
    let process = web.process.as_mut().unwrap();
    (process.stop_signal, process.grace) = (Signal::Int, Duration::from_secs(77));
    let faked = supervise(Unkillable::default(), spec(vec![web]));
    wait_until("it runs", || faked.pid("web").is_some()).await;
    faked.config.send_replace(spec(Vec::new()));
    let stops = || faked.processes.behaviour.stops.lock().clone();
    wait_until("it is stopped", || !stops().is_empty()).await;
    assert_eq!(stops(), [(Signal::Int, Duration::from_secs(77))]);
}
