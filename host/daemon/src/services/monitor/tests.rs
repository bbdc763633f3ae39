//! The monitor over a probe that sees what it is told to.

use super::*;
use crate::{
    ports::{ProcessWatch, Watch},
    services::testing::{
        DEADLINE, ManualClock, MemoryJournal, ScriptedProbe,
        specs::{check, child, failure, name, spec, target},
        wait_until, within,
    },
};
use mainstay_domain::{
    breaker::{CircuitState, MOMENT},
    event::{EventData, EventKind},
    health::{Evidence, Health, Outcome},
    id::IncidentId,
    incident::Incident,
    name::CheckName,
    severity::Severity,
    spec::{CheckKind, TargetSpec},
    time::Timestamp,
};
use std::time::Duration;

mod blind;
mod config;
mod ended;
mod measurement;
mod pause;
mod reports;
mod scale;
mod start;

struct Bench {
    monitor: Monitor,
    probe: Arc<ScriptedProbe>,
    journal: Arc<MemoryJournal>,
    clock: Arc<ManualClock>,
    findings: mpsc::Receiver<Finding>,
    config: watch::Sender<Arc<Spec>>,
    stop: CancellationToken,
}

impl Bench {
    fn new(targets: Vec<TargetSpec>) -> Self {
        let (probe, journal) = (ScriptedProbe::new(), MemoryJournal::new());
        let clock = ManualClock::new();
        let (sender, findings) = mpsc::channel(16);
        let (config, receiver) = watch::channel(spec(targets));
        let shared = Shared {
            journal: journal.clone(),
            clock: clock.clone(),
            spec: receiver,
        };
        let numbers = Numbers::new().unwrap();
        let monitor = Monitor::new(shared, probe.clone(), numbers, sender);
        Self {
            monitor,
            probe,
            journal,
            clock,
            findings,
            config,
            stop: CancellationToken::new(),
        }
    }

    fn run(&self) {
        tokio::spawn(self.monitor.clone().run(self.stop.clone()));
    }

    async fn finding(&mut self) -> String {
        match within(self.findings.recv()).await.unwrap() {
            Finding::Exited { target, .. } => format!("{target} exited"),
            Finding::Raised {
                target, failure, ..
            } => format!("{target} raised {failure}"),
            Finding::Cleared {
                target, failure, ..
            } => format!("{target} cleared {failure}"),
            Finding::Unseen {
                target,
                failure,
                stopped,
            } => {
                let stopped = stopped.map(|by| format!(", {by}")).unwrap_or_default();
                format!("{target} lost sight of {failure}{stopped}")
            }
        }
    }

    fn count(&self, kind: EventKind) -> usize {
        self.journal.kinds().iter().filter(|&&k| k == kind).count()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn a_failing_check_is_told_once_and_again_when_it_opens_the_circuit() {
    let mut tcp = check("tcp");
    (tcp.fail_after, tcp.recover_after) = (3, 2);
    let mut bench = Bench::new(vec![target("db", vec![tcp])]);
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    assert_eq!(bench.finding().await, "db raised tcp-down");
    assert!(bench.monitor.is_failing(&name("db"), &failure("tcp-down")));
    assert_eq!(
        bench.monitor.health(&name("db")),
        Some((Health::Failed, CircuitState::Open))
    );
    let looks = bench.probe.looks("tcp");
    wait_until("it goes on looking", || {
        bench.probe.looks("tcp") > looks + 5
    })
    .await;
    use EventKind::{CheckFailed, CheckRecovered, CircuitClosed, CircuitHalfOpened, CircuitOpened};
    assert_eq!(
        bench.journal.kinds(),
        [CheckFailed, CheckFailed, CircuitOpened]
    );
    let counts: Vec<_> = bench
        .journal
        .events()
        .iter()
        .map(|event| match &event.data {
            EventData::CheckFailed(failed) => Some(failed.in_a_row),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [Some(1), Some(3), None]);

    bench.probe.show("tcp", Outcome::Healthy);
    bench.monitor.handler_acted(&name("db"));
    assert_eq!(bench.finding().await, "db cleared tcp-down");
    wait_until("it is closed", || bench.count(CircuitClosed) == 1).await;
    assert_eq!(
        bench.monitor.health(&name("db")),
        Some((Health::Healthy, CircuitState::Closed))
    );
    assert!(bench.count(CheckRecovered) == 1 && bench.count(CircuitHalfOpened) >= 1);
}

#[tokio::test]
async fn a_check_that_warns_is_told_once_and_so_is_that_it_does_not_any_more() {
    use EventKind::{CheckDegraded, CheckFailed, CheckRecovered};
    let bench = Bench::new(vec![target("db", vec![check("tcp")])]);
    let is = |health| bench.monitor.health(&name("db")).unwrap().0 == health;
    bench.probe.show("tcp", Outcome::Degraded);
    bench.run();
    wait_until("it is degraded", || is(Health::Degraded)).await;
    let looks = bench.probe.looks("tcp");
    wait_until("it looks on", || bench.probe.looks("tcp") > looks + 5).await;
    assert_eq!(bench.journal.kinds(), [CheckDegraded]);
    bench.probe.show("tcp", Outcome::Healthy);
    wait_until("it is healthy", || is(Health::Healthy)).await;
    assert_eq!(bench.journal.kinds(), [CheckDegraded, CheckRecovered]);
    // From a failure it passes again, and warns.
    bench.probe.show("tcp", Outcome::Failed);
    wait_until("it has failed", || is(Health::Failed)).await;
    bench.probe.show("tcp", Outcome::Degraded);
    wait_until("it warns again", || bench.count(CheckDegraded) == 2).await;
    let kinds = bench.journal.kinds();
    let of_checks = |kind: &EventKind| kind.as_str().starts_with("check.");
    let kinds: Vec<EventKind> = kinds.into_iter().filter(of_checks).collect();
    assert_eq!(
        kinds[2..],
        [CheckFailed, CheckRecovered, CheckDegraded],
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_slow_check_delays_no_other_and_does_not_overlap_itself() {
    let bench = Bench::new(vec![target("db", vec![check("slow"), check("fast")])]);
    let gate = bench.probe.hold("slow");
    bench.run();
    wait_until("the fast one goes on", || bench.probe.looks("fast") > 20).await;
    assert_eq!(bench.probe.looks("slow"), 1);
    gate.add_permits(2);
    wait_until("the slow one goes on", || bench.probe.looks("slow") > 2).await;
}

#[tokio::test]
async fn an_exit_is_a_finding_at_once_even_before_anything_runs() {
    let mut bench = Bench::new(vec![child("web", &["/bin/true"])]);
    bench
        .monitor
        .process_changed(&name("web"), ProcessUpdate::Runs(Some(7)));
    assert_eq!(
        bench.monitor.health(&name("web")).unwrap().0,
        Health::Healthy
    );
    bench.monitor.process_changed(
        &name("web"),
        ProcessUpdate::Down("process 7 exited with code 1".to_owned()),
    );
    let Ok(Finding::Raised {
        failure: kind,
        evidence,
        ..
    }) = bench.findings.try_recv()
    else {
        panic!("it should be there already");
    };
    assert_eq!(
        (kind, evidence.message.as_str()),
        (failure("crashed"), "process 7 exited with code 1")
    );
    bench
        .monitor
        .process_changed(&name("web"), ProcessUpdate::Runs(Some(8)));
    bench.monitor.handler_acted(&name("web"));
    bench.clock.advance(MOMENT);
    within(bench.monitor.check_now(name("web"))).await.unwrap();
    assert_eq!(bench.finding().await, "web cleared crashed");
}

/// An incident of `web` that an earlier daemon has opened.
fn open_incident(kind: &str) -> Incident {
    let evidence = Evidence {
        check: "tcp".to_owned(),
        observed_at: Timestamp::from_millis(0),
        message: "refused".to_owned(),
        value: None,
        output: None,
        score: None,
    };
    Incident::open(
        IncidentId::parse("inc-01K0000000000000000000000A").unwrap(),
        name("web"),
        failure(kind),
        Severity::High,
        evidence,
        Timestamp::from_millis(0),
        0,
    )
}

#[tokio::test]
async fn the_end_of_what_failed_before_the_daemon_is_told() {
    let mut bench = Bench::new(vec![target("web", vec![check("tcp")])]);
    bench.monitor.resume(&[open_incident("tcp-down")]);
    assert!(bench.monitor.is_failing(&name("web"), &failure("tcp-down")));
    bench.run();
    assert_eq!(bench.finding().await, "web cleared tcp-down");
}

#[tokio::test]
async fn a_check_that_the_daemon_before_told_of_is_told_to_be_over() {
    let bench = Bench::new(vec![target("web", vec![check("tcp")])]);
    let told = (name("web"), CheckName::parse("tcp").unwrap());
    bench.monitor.resume_told(&[told]);
    bench.run();
    let recovered = || bench.count(EventKind::CheckRecovered);
    wait_until("it is told", || recovered() == 1).await;
    let looks = bench.probe.looks("tcp");
    wait_until("it looks on", || bench.probe.looks("tcp") > looks + 5).await;
    assert_eq!(recovered(), 1, "once");
}

#[tokio::test]
async fn a_child_that_has_completed_is_well_whatever_the_daemon_before_had_left_open() {
    let mut bench = Bench::new(vec![child("web", &["/bin/true"])]);
    bench.monitor.resume(&[open_incident("crashed")]);
    assert_eq!(
        bench.monitor.health(&name("web")).unwrap().0,
        Health::Failed
    );
    bench
        .monitor
        .process_changed(&name("web"), ProcessUpdate::Completed);
    assert_eq!(
        bench.monitor.health(&name("web")),
        Some((Health::Healthy, CircuitState::Closed))
    );
    assert_eq!(bench.finding().await, "web cleared crashed");
}

#[tokio::test]
async fn nothing_is_looked_at_before_its_process_was_told_of_and_then_at_once() {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("late")];
    web.checks[0].every = DEADLINE * 10;
    let bench = Bench::new(vec![web, target("db", vec![check("tcp")])]);
    bench.run();
    wait_until("others are looked at", || bench.probe.looks("tcp") > 5).await;
    let error = bench.monitor.check_now(name("web")).await.unwrap_err();
    assert!(error.to_string().contains("being started"), "{error}");
    assert_eq!(bench.probe.looks("late"), 0);
    let news = ProcessUpdate::Down("no such program".to_owned());
    bench.monitor.process_changed(&name("web"), news);
    wait_until("it is looked at", || bench.probe.looks("late") == 1).await;
}

#[tokio::test]
async fn the_memory_of_a_child_that_has_ended_is_not_looked_at() {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("memory"), check("tcp")];
    web.checks[0].kind = CheckKind::Memory {
        pid_file: None,
        max_percent: 90.0,
        max_bytes: Some(1),
    };
    let bench = Bench::new(vec![web]);
    bench.run();
    let news = ProcessUpdate::Down("process 7 exited with code 1".to_owned());
    bench.monitor.process_changed(&name("web"), news);
    wait_until("the other is looked at", || bench.probe.looks("tcp") > 5).await;
    assert_eq!(bench.probe.looks("memory"), 0);
    let news = ProcessUpdate::Runs(Some(8));
    bench.monitor.process_changed(&name("web"), news);
    wait_until("it is looked at", || bench.probe.looks("memory") > 0).await;
}

#[tokio::test]
async fn a_look_that_is_too_soon_counts_as_nothing() {
    let mut cpu = check("cpu");
    (cpu.fail_after, cpu.recover_after) = (1, 1);
    let mut bench = Bench::new(vec![target("db", vec![cpu])]);
    bench.probe.show_nothing("cpu");
    bench.run();
    wait_until("it is looked at", || bench.probe.looks("cpu") > 5).await;
    let now = within(bench.monitor.check_now(name("db"))).await;
    assert_eq!(now, Ok(Vec::new()), "nothing is seen");
    assert_eq!(
        bench.monitor.health(&name("db")),
        Some((Health::Unknown, CircuitState::Closed))
    );

    bench.probe.show("cpu", Outcome::Failed);
    assert_eq!(bench.finding().await, "db raised cpu-down");
    bench.probe.show_nothing("cpu");
    let looks = bench.probe.looks("cpu");
    wait_until("what saw it failing has ended", || {
        bench.probe.looks("cpu") > looks + 2
    })
    .await;
    bench.monitor.handler_acted(&name("db"));
    wait_until("it is looked at", || bench.probe.looks("cpu") > looks + 5).await;
    assert!(bench.monitor.is_failing(&name("db"), &failure("cpu-down")));
    bench.probe.show("cpu", Outcome::Healthy);
    assert_eq!(bench.finding().await, "db cleared cpu-down");
}

#[tokio::test]
async fn what_is_seen_of_a_stopped_target_does_not_count_nor_what_began_before_a_restart() {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("tcp")];
    let bench = Bench::new(vec![web]);
    bench.probe.show("tcp", Outcome::Failed);
    let gate = bench.probe.hold("tcp");
    bench.run();
    bench
        .monitor
        .process_changed(&name("web"), ProcessUpdate::Runs(Some(7)));
    wait_until("a look began", || bench.probe.looks("tcp") == 1).await;
    bench
        .monitor
        .process_changed(&name("web"), ProcessUpdate::Stopped);
    gate.add_permits(1);
    let beats = || {
        bench.monitor.core.get(&name("web")).unwrap().lock().checks[0]
            .turn
            .try_lock()
            .is_ok()
    };
    wait_until("it ended", beats).await;
    assert_eq!(
        bench.monitor.check_now(name("web")).await,
        Ok(Vec::new()),
        "nothing is looked at"
    );
    assert_eq!(
        bench.monitor.health(&name("web")),
        Some((Health::Healthy, CircuitState::Closed)),
        "as it was before"
    );
    bench.probe.show("tcp", Outcome::Healthy);
    bench
        .monitor
        .process_changed(&name("web"), ProcessUpdate::Runs(Some(8)));
    gate.add_permits(1_000);
    wait_until("it is looked at again", || bench.probe.looks("tcp") > 3).await;
    assert_eq!(bench.journal.kinds(), []);
}

#[tokio::test]
async fn checking_now_answers_for_every_check_and_counts() {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("a"), check("b")];
    let mut bench = Bench::new(vec![web]); // Not running: nothing else looks.
    bench
        .monitor
        .process_changed(&name("web"), ProcessUpdate::Runs(Some(7)));
    bench.probe.show("b", Outcome::Failed);
    let seen = within(bench.monitor.check_now(name("web"))).await.unwrap();
    let seen: Vec<_> = seen
        .iter()
        .map(|s| (s.check.as_str(), &s.outcome, s.evidence.message.as_str()))
        .collect();
    let told = "as told, pid Some(7)";
    assert_eq!(
        seen,
        [
            ("a", &Outcome::Healthy, told),
            ("b", &Outcome::Failed, told),
            ("process", &Outcome::Healthy, "process 7 runs")
        ]
    );
    assert_eq!(bench.finding().await, "web raised b-down");
    let error = within(bench.monitor.check_now(name("other")))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("there is no target `other`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_check_that_is_called_as_the_process_is_answered_for_once() {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("process"), check("a")];
    let bench = Bench::new(vec![web]);
    let web = name("web");
    bench
        .monitor
        .process_changed(&web, ProcessUpdate::Runs(Some(7)));
    let seen = within(bench.monitor.check_now(web)).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|seen| seen.check.as_str()).collect();
    assert_eq!(seen, ["process", "a"]);
}

#[tokio::test]
async fn what_was_seen_before_a_stop_is_shown_no_more() {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("a")];
    let bench = Bench::new(vec![web]);
    let web = name("web");
    let shown = || {
        let looks = bench.monitor.last_looks(&web);
        looks[0].seen.is_some()
    };
    bench
        .monitor
        .process_changed(&web, ProcessUpdate::Runs(Some(7)));
    within(bench.monitor.check_now(web.clone())).await.unwrap();
    assert!(shown());
    bench.monitor.process_changed(&web, ProcessUpdate::Stopped);
    assert!(!shown());
}

#[tokio::test]
async fn an_open_circuit_is_tried_again_by_itself() {
    let mut db = target("db", vec![check("tcp")]);
    db.checks[0].every = DEADLINE * 10;
    db.breaker.open_for = Duration::from_millis(40);
    let bench = Bench::new(vec![db]);
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    wait_until("it is open", || bench.count(EventKind::CircuitOpened) == 1).await;
    bench.clock.advance(Duration::from_millis(39));
    assert_eq!(
        bench.monitor.health(&name("db")).unwrap().1,
        CircuitState::Open
    );
    bench.clock.advance(Duration::from_millis(1));
    wait_until("it is tried", || {
        bench.count(EventKind::CircuitHalfOpened) == 1
    })
    .await;
}

#[tokio::test]
async fn a_heartbeat_that_stays_away_is_a_failure_and_one_that_comes_ends_it() {
    let mut beat = check("beat");
    (beat.kind, beat.every) = (CheckKind::Heartbeat, Duration::from_secs(10));
    let mut bench = Bench::new(vec![
        target("cron", vec![beat]),
        target("other", Vec::new()),
    ]);
    assert!(bench.monitor.heartbeat(&name("cron")));
    assert!(!bench.monitor.heartbeat(&name("other")) && !bench.monitor.heartbeat(&name("unknown")));
    let healthy = |bench: &Bench| bench.monitor.health(&name("cron")).unwrap().0 == Health::Healthy;
    bench.clock.advance(Duration::from_secs(10));
    let seen = within(bench.monitor.check_now(name("cron"))).await.unwrap();
    assert_eq!(
        seen[0].evidence.message,
        "in time: 10 s have passed of the 10 s within which a heartbeat is due"
    );
    assert!(healthy(&bench));
    bench.clock.advance(Duration::from_secs(1));
    let seen = within(bench.monitor.check_now(name("cron"))).await.unwrap();
    assert_eq!(
        seen[0].evidence.message,
        "no heartbeat for 11 s, one is due every 10 s"
    );
    assert_eq!(seen[0].evidence.value, Some(11.0));
    assert_eq!(bench.finding().await, "cron raised beat-down");
    bench.monitor.heartbeat(&name("cron"));
    bench.monitor.handler_acted(&name("cron"));
    within(bench.monitor.check_now(name("cron"))).await.unwrap();
    assert_eq!(bench.finding().await, "cron cleared beat-down");
    assert!(healthy(&bench));
}

#[tokio::test]
async fn stopping_gives_up_looks_that_hang() {
    let bench = Bench::new(vec![target("db", vec![check("slow")])]);
    let _gate = bench.probe.hold("slow");
    let service = tokio::spawn(bench.monitor.clone().run(bench.stop.clone()));
    wait_until("a look hangs", || bench.probe.looks("slow") == 1).await;
    bench.stop.cancel();
    within(service).await.unwrap();
}
