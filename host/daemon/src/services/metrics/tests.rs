//! Which numbers events make.

use super::{
    catalog::{CATALOG, Kind},
    events::MOST_FAILURES,
    *,
};
use crate::{
    ports::{
        Watch,
        fakes::{FakeWorld, backup_id, job},
    },
    services::{
        monitor::Monitor,
        shared::Shared,
        testing::{
            ManualClock, MemoryJournal, ScriptedProbe,
            specs::{check as check_of, failure, name, route, spec, target},
            wait_until, within,
        },
    },
};
use mainstay_domain::{
    call::Report,
    checkpoint::CheckpointKind,
    drilled::Drilled,
    event::{
        AfterEscalation, AlertDelivery, AlertHeld, AlertQueued, BackupRestored, BackupTaken,
        CheckpointTaken, EventData, EventKind, IncidentClosed, IncidentEnd, IncidentFacts,
        IncidentOpened, OperationEnded, OperationEscalated,
    },
    health::{Evidence, Outcome},
    id::{AlertId, IdSource, IncidentId, OperationId},
    name::{GroupName, PluginName},
    operation::{Mode, Operation},
    plugin::PluginIdentity,
    policy::{BudgetNumbers, Floor, GateNumbers, GateReason, Scope, WaitReason},
    record::Change,
    recovery::{
        Action, CaseKey, Command, Handled, Input, InputTime, Look, LookResult, Recovery, Ticket,
    },
    severity::Severity,
    spec::BudgetSpec,
    time::Monotonic,
};
use semver::Version;
use std::{num::NonZeroU32, sync::atomic::Ordering::SeqCst, time::Duration};
use tokio::sync::{mpsc, watch};

fn metrics(world: &Arc<FakeWorld>, numbers: &Numbers) -> Arc<Metrics> {
    let ports = MetricsPorts {
        alerters: world.clone(),
        backups: world.clone(),
        plugins: world.clone(),
        host: world.clone(),
        condition: world.clone(),
        silences: world.clone(),
        journal: Arc::new(|| JournalNumbers {
            size_bytes: 5 << 30,
            writes: 7,
            waiting: 2,
        }),
        clock: world.clone(),
    };
    let incident = crate::ports::fakes::incident();
    let open = [(incident.id, incident.severity)];
    Arc::new(Metrics::new(numbers.clone(), ports, open))
}

async fn counted(world: &Arc<FakeWorld>, story: impl FnOnce(&FakeWorld)) -> String {
    counted_into(&Numbers::new().unwrap(), world, story).await
}

/// The same, where others write into the numbers too.
async fn counted_into(
    numbers: &Numbers,
    world: &Arc<FakeWorld>,
    story: impl FnOnce(&FakeWorld),
) -> String {
    let metrics = metrics(world, numbers);
    let newest = EventFeed::of_newest(0, &**world, world.clone()).await;
    let service = MetricsService::new(metrics.clone(), newest.unwrap());
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    story(world);
    let last = "mainstay_events_total{kind=\"host.stopping\"} 1";
    world.happen(EventKind::HostStopping, |event| event);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !metrics.render(None).contains(last) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{}",
            metrics.render(None)
        );
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
    metrics.render(Some(&gate()))
}

/// A gate with a number of each kind.
fn gate() -> GateNumbers {
    let numbers = |scope, running, begun| BudgetNumbers {
        scope,
        budget: BudgetSpec {
            concurrent: NonZeroU32::new(3),
            per_hour: NonZeroU32::new(60),
            ..BudgetSpec::default()
        },
        running,
        begun,
    };
    let web = GroupName::parse("web").unwrap();
    GateNumbers {
        budgets: vec![
            numbers(Scope::Host, 2, 17),
            numbers(Scope::Group(web.clone()), 1, 4),
            numbers(Scope::Target(name("api")), 0, 1),
        ],
        floors: vec![Floor {
            group: web,
            healthy: 3,
            least: 2,
        }],
        cooling: 5,
        refusals: [(GateReason::PerHour, 9)].into(),
        waiting: [
            (WaitReason::Person, 1),
            (WaitReason::Gate(GateReason::AtOnce), 6),
        ]
        .into(),
    }
}

#[tokio::test]
async fn the_gate_is_shown_by_budget_and_group_and_what_waits_by_what_for() {
    let text = counted(&FakeWorld::new(16), |_| ()).await;
    check(
        &text,
        &[
            "recovery_gate_running{scope=\"host\",name=\"\"} 2\n",
            "recovery_gate_running_limit{scope=\"host\",name=\"\"} 3\n",
            "recovery_gate_begun{scope=\"group\",name=\"web\"} 4\n",
            "recovery_gate_begun_limit{scope=\"target\",name=\"api\"} 60\n",
            "recovery_gate_healthy{group=\"web\"} 3\n",
            "recovery_gate_floor{group=\"web\"} 2\n",
            "recovery_gate_cooldowns 5\n",
            "recovery_gate_refusals_total{reason=\"per-hour\"} 9\n",
            "recovery_gate_refusals_total{reason=\"phase\"} 0\n",
            "recovery_operations_waiting{reason=\"person\"} 1\n",
            "recovery_operations_waiting{reason=\"at-once\"} 6\n",
            "recovery_operations_waiting{reason=\"pause\"} 0\n",
        ],
    );
}

#[tokio::test]
async fn targets_are_counted_by_how_they_do_as_the_condition_of_the_host_has_them() {
    let text = counted(&FakeWorld::new(16), |_| ()).await;
    // `api` has failed, and of `redis` nothing is known.
    check(
        &text,
        &[
            "mainstay_targets{health=\"failed\"} 1\n",
            "mainstay_targets{health=\"unknown\"} 1\n",
            "mainstay_targets{health=\"starting\"} 0\n",
            "mainstay_targets{health=\"degraded\"} 0\n",
            "mainstay_targets{health=\"healthy\"} 0\n",
        ],
    );
}

/// Whether a recovery was counted: that some wait is no count of what happened.
fn counts_recoveries(text: &str) -> bool {
    let mut series = text
        .lines()
        .filter(|line| line.starts_with("recovery_operation"));
    series.any(|line| !line.starts_with("recovery_operations_waiting{"))
}

fn check(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

/// The events of a recovery of `api` that takes 2.5 s, as the machine writes them.
fn recovered(dry_run: bool) -> Vec<Event> {
    let mut spec = (*spec(vec![target("api", vec![check_of("tcp")])])).clone();
    // A person recovers only from what the config, or an incident, knows.
    let known = mainstay_domain::spec::RouteSpec {
        failure: Some(key().failure),
        ..route("restart-service")
    };
    spec.routes = vec![known];
    let mut machine = Recovery::new(Arc::new(spec), IdSource::new(7));
    let mut clock = Duration::ZERO;
    let mut events = Vec::new();
    let mut apply = |input: Input| {
        let at = InputTime {
            now: Timestamp::from_millis(1_700_000_000_000) + clock,
            monotonic: Monotonic::from_start(clock),
        };
        clock += Duration::from_millis(1_250);
        let outcome = machine.apply(input, at).unwrap();
        events.extend(
            outcome
                .writes
                .into_iter()
                .filter_map(|change| match change {
                    Change::Event(event) => Some(event),
                    _ => None,
                }),
        );
        outcome.after
    };
    let begin = match dry_run {
        true => Input::Command(
            Command::Recover {
                key: key(),
                dry_run,
                mode: Mode::Manual,
                by: "ann".into(),
            },
            Ticket(1),
        ),
        false => Input::Raised {
            key: key(),
            severity: Severity::High,
            evidence: Evidence {
                check: "tcp".to_owned(),
                observed_at: Timestamp::from_millis(1_700_000_000_000),
                message: "refused".to_owned(),
                value: None,
                output: None,
                score: None,
            },
            detected_at: Timestamp::from_millis(1_700_000_000_000),
        },
    };
    let mut after = apply(begin);
    while let Some(action) = after.pop() {
        after.extend(match action {
            Action::Call(call) => apply(Input::Called(
                call.request.operation,
                Handled {
                    by: Some(PluginIdentity {
                        name: call.handler,
                        version: Version::new(1, 0, 0),
                        digest: "ab".repeat(32),
                    }),
                    result: Ok(Report::default()),
                    effects: 1,
                    acted: true,
                },
            )),
            Action::Look {
                operation, number, ..
            } => {
                let (seen, is_present) = (LookResult::Healthy, false);
                let look = Look {
                    number,
                    seen,
                    is_present,
                    results: Vec::new(),
                };
                apply(Input::Looked(operation, look))
            }
            Action::Decide(_) | Action::Answer(..) => Vec::new(),
        });
    }
    events
}

fn key() -> CaseKey {
    CaseKey {
        target: name("api"),
        failure: failure("api-gateway-down"),
    }
}

async fn counted_of(events: Vec<Event>) -> String {
    let world = FakeWorld::new(64);
    counted(&world, |world| {
        for event in events {
            world.happen(event.kind, |_| event);
        }
    })
    .await
}

#[tokio::test]
async fn recoveries_are_counted_by_target_and_failure_and_by_who_handled_them() {
    let text = counted_of(recovered(false)).await;
    let of = "target=\"api\",failure=\"api-gateway-down\"";
    let of = format!("{of},handler=\"restart-service\",handler_version=");
    let labels = format!("{of}\"1.0.0\"");
    check(
        &text,
        &[
            &format!("recovery_operations_started_total{{{of}\"\"}} 1"),
            &format!("recovery_operations_completed_total{{{labels}}} 1"),
            &format!("recovery_operations_completed_success_total{{{labels}}} 1"),
            // 2.5 s.
            &format!("recovery_operation_duration_seconds_bucket{{{labels},le=\"1\"}} 0"),
            &format!("recovery_operation_duration_seconds_bucket{{{labels},le=\"5\"}} 1"),
            &format!("recovery_operation_duration_seconds_bucket{{{labels},le=\"300\"}} 1"),
            // The first attempt worked.
            &format!("recovery_operation_retry_attempts_bucket{{{labels},le=\"0\"}} 0"),
            &format!("recovery_operation_retry_attempts_bucket{{{labels},le=\"1\"}} 1"),
        ],
    );
    assert!(!text.contains("completed_failed"), "{text}");
}

#[tokio::test]
async fn every_end_of_an_operation_has_its_number_and_what_cannot_be_read_has_none() {
    let id = OperationId::parse("op-01K0000000000000000000000A").unwrap();
    let (down, begin) = (failure("down"), Timestamp::from_millis(0));
    let operation = Operation {
        attempts: 3,
        handler: Some(PluginName::parse("fix").unwrap()),
        handler_version: Some(Version::new(2, 1, 0)),
        recovery_ms: Some(61_000),
        rto_exceeded: true,
        ..Operation::scheduled(
            id,
            name("api"),
            down,
            Severity::High,
            Mode::Automatic,
            begin,
        )
    };
    let ended = EventData::from(OperationEnded::of(&operation, false, false));
    let to_people = OperationEscalated {
        about: IncidentFacts {
            incident: IncidentId::parse("inc-01K0000000000000000000000A").unwrap(),
            failure: failure("down"),
        },
        then: AfterEscalation::Round,
        handler: operation.handler.clone(),
        handler_version: operation.handler_version.clone(),
        output: None,
        attempts: 0,
        error: None,
        runbook: Vec::new(),
    };
    let unrouted = OperationEscalated {
        then: AfterEscalation::Route,
        handler: None,
        handler_version: None,
        ..to_people.clone()
    };
    let of = |handler: &str, version: &str| {
        format!(
            "{{target=\"api\",failure=\"down\",handler=\"{handler}\",handler_version=\"{version}\"}} 1\n"
        )
    };
    let fix = of("fix", "2.1.0");
    let failed = "recovery_operations_completed_failed_total";
    let partial = "recovery_operations_completed_partial_total";
    let escalated = "recovery_operations_escalated_total";
    let all = "recovery_operations_completed_total";
    let late = "recovery_operation_rto_exceeded_total";
    for (kind, data, lines) in [
        (
            EventKind::OperationFailed,
            ended.clone(),
            vec![(failed, &fix), (all, &fix), (late, &fix)],
        ),
        (
            EventKind::OperationPartial,
            ended,
            vec![(partial, &fix), (all, &fix)],
        ),
        (
            EventKind::OperationEscalated,
            to_people.into(),
            vec![(escalated, &fix)],
        ),
        (
            EventKind::OperationEscalated,
            unrouted.into(),
            vec![(escalated, &of("", ""))],
        ),
        (
            EventKind::OperationFailed,
            EventData::Other(serde_json::json!({ "attempts": "three" })),
            vec![],
        ),
    ] {
        let event = Event::new(kind, Severity::High, Timestamp::from_millis(1), "so")
            .with_target(&name("api"))
            .with_data(data);
        let text = counted_of(vec![event]).await;
        for (number, labels) in &lines {
            assert!(
                text.contains(&format!("{number}{labels}")),
                "{number}{labels}\n{text}"
            );
        }
        assert_eq!(counts_recoveries(&text), !lines.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn a_dry_run_is_not_counted_as_a_recovery() {
    let events = recovered(true);
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&EventKind::OperationStarted), "{kinds:?}");
    let text = counted_of(events).await;
    assert!(!counts_recoveries(&text), "{text}");
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_for_a_while_ends_no_counting() {
    let world = FakeWorld::new(64);
    let text = counted(&world, |world| {
        world.failing_reads.store(1, SeqCst);
        for event in recovered(false) {
            world.happen(event.kind, |_| event);
        }
    })
    .await;
    check(
        &text,
        &[
            "recovery_operations_started_total",
            "recovery_operations_completed_success_total",
        ],
    );
    assert_eq!(world.failing_reads.load(SeqCst), 0, "no read failed");
}

#[tokio::test]
async fn what_happened_before_the_start_is_not_counted() {
    let world = FakeWorld::new(16);
    let text = counted(&world, |_| {}).await;
    assert!(!counts_recoveries(&text), "{text}");
}

/// A backup of the job `state` that was taken: of 12345 bytes, stored in 2345.
fn taken() -> BackupTaken {
    BackupTaken {
        documents: 3,
        tombstones: 0,
        size_bytes: 12_345,
        stored_bytes: 2_345,
        elapsed_ms: 20,
        warnings: Vec::new(),
        incomplete: false,
        tiers: Vec::new(),
    }
}

/// One backup that is taken and read again, one that fails, and one that goes for good.
fn backups_happen(world: &FakeWorld) {
    let begin = || {
        world.happen(EventKind::BackupStarted, |event| {
            event.with_job(&job("state"))
        })
    };
    begin();
    world.happen(EventKind::BackupVerified, |event| {
        event
            .with_backup(&job("state"), &backup_id(1))
            .with_data(taken())
    });
    world.happen(EventKind::BackupVerified, |event| {
        event.with_backup(&job("state"), &backup_id(1))
    });
    begin();
    world.happen(EventKind::BackupFailed, |event| {
        event.with_job(&job("state"))
    });
    world.happen(EventKind::BackupDeleted, |event| {
        event.with_backup(&job("state"), &backup_id(1))
    });
}

/// A checkpoint that is taken, and a rollback of each end.
fn rollbacks_happen(world: &FakeWorld) {
    world.happen(EventKind::CheckpointTaken, |event| {
        event.with_job(&job("state")).with_data(CheckpointTaken {
            kind: CheckpointKind::PreUpgrade,
            name: None,
            by: None,
            note: None,
        })
    });
    for kind in [
        EventKind::RollbackStarted,
        EventKind::RollbackFailed,
        EventKind::RollbackSucceeded,
    ] {
        world.happen(kind, |event| event.with_job(&job("state")));
    }
}

/// The first time that something happens is else no growth, and no query over growth finds it.
#[tokio::test]
async fn what_has_not_happened_yet_is_zero_for_all_that_the_config_has() {
    let text = metrics(&FakeWorld::new(16), &Numbers::new().unwrap()).render(None);
    for alerter in ["pager", "mail"] {
        let of_alerters = |described: &&super::catalog::Described| {
            described.kind == Kind::Counter && described.labels == ["alerter"]
        };
        let mut count = 0;
        for described in CATALOG.iter().filter(of_alerters) {
            check(
                &text,
                &[&format!("{}{{alerter=\"{alerter}\"}} 0\n", described.name)],
            );
            count += 1;
        }
        assert_eq!(count, 7);
    }
    let kind = CheckpointKind::PreUpgrade.as_str();
    check(
        &text,
        &[
            "backup_operations_created_failed_total{backup_job=\"state\"} 0\n",
            &format!("backup_checkpoints_total{{backup_job=\"state\",kind=\"{kind}\"}} 0\n"),
            "backup_rollbacks_total{backup_job=\"state\",outcome=\"failed\"} 0\n",
            "plugin_compiles_total{outcome=\"failed\"} 0\n",
        ],
    );
}

#[tokio::test]
async fn checkpoints_and_rollbacks_are_counted_by_their_kind_and_end() {
    let world = FakeWorld::new(16);
    let text = counted(&world, rollbacks_happen).await;
    check(
        &text,
        &[
            "backup_checkpoints_total{backup_job=\"state\",kind=\"pre-upgrade\"} 1\n",
            "backup_rollbacks_total{backup_job=\"state\",outcome=\"failed\"} 1\n",
            "backup_rollbacks_total{backup_job=\"state\",outcome=\"succeeded\"} 1\n",
        ],
    );
}

#[tokio::test]
async fn backups_are_counted_and_a_second_verification_is_not_a_second_backup() {
    let world = FakeWorld::new(16);
    let text = counted(&world, backups_happen).await;
    let of = "{backup_job=\"state\"}";
    let of_bucket = "{backup_job=\"state\",le=";
    check(
        &text,
        &[
            &format!("backup_operations_created_total{of} 2\n"),
            &format!("backup_operations_created_success_total{of} 1\n"),
            &format!("backup_operations_created_failed_total{of} 1\n"),
            // Also of the one that failed.
            &format!("backup_operations_duration_seconds_count{of} 2\n"),
            &format!("backup_operations_size_bytes_sum{of} 12345\n"),
            &format!("backup_operations_size_bytes_bucket{of_bucket}\"10000\"}} 0\n"),
            &format!("backup_operations_size_bytes_bucket{of_bucket}\"100000\"}} 1\n"),
            &format!("backup_newest_verified_age_seconds{of} 60\n"),
            "plugin_calls_total{plugin=\"restart-service\",version=\"1.0.0\"} 5\n",
            // As the seed calls them.
            &format!("\nbackup_operations_created_success{of} 1\n"),
            &format!("\nbackup_operations_created_failed{of} 1\n"),
            &format!("\nbackup_operations_size_bytes_total_sum{of} 12345\n"),
            &format!("\nbackup_operations_size_bytes_total_count{of} 1\n"),
        ],
    );
    // What leaves the trash is no cleanup.
    let cleaned = format!("backup_retention_cleaned_total{of} 0\n");
    assert!(text.contains(&cleaned), "{text}");
}

/// A monitor of the check `tcp` of the target `db`, what it looks with, and the numbers that it writes into.
fn watching() -> (Monitor, Arc<ScriptedProbe>, Numbers) {
    let (probe, numbers) = (ScriptedProbe::new(), Numbers::new().unwrap());
    // Nobody takes up findings, or changes the config.
    let (findings, _) = mpsc::channel(16);
    let (_, config) = watch::channel(spec(vec![target("db", vec![check_of("tcp")])]));
    let shared = Shared {
        journal: MemoryJournal::new(),
        clock: ManualClock::new(),
        spec: config,
    };
    let monitor = Monitor::new(shared, probe.clone(), numbers.clone(), findings);
    (monitor, probe, numbers)
}

#[tokio::test]
async fn checks_are_counted_by_outcome_and_timed() {
    let (monitor, probe, numbers) = watching();
    let metrics = metrics(&FakeWorld::new(16), &numbers);
    for (outcome, times) in [
        (Outcome::Healthy, 2),
        (Outcome::Degraded, 1),
        (Outcome::Failed, 3),
        (Outcome::Unknown, 2),
    ] {
        probe.show("tcp", outcome);
        for _ in 0..times {
            within(monitor.check_now(name("db"))).await.unwrap();
        }
    }
    let labels = "target=\"db\",check=\"tcp\"";
    check(
        &metrics.render(None),
        &[
            &format!("checks_total{{{labels},outcome=\"healthy\"}} 2\n"),
            &format!("checks_total{{{labels},outcome=\"degraded\"}} 1\n"),
            &format!("checks_total{{{labels},outcome=\"failed\"}} 3\n"),
            &format!("checks_total{{{labels},outcome=\"unknown\"}} 2\n"),
            "check_duration_seconds_bucket{kind=\"tcp\",le=\"30\"} 8\n",
            "check_duration_seconds_count{kind=\"tcp\"} 8\n",
        ],
    );
}

#[tokio::test]
async fn runs_that_are_late_or_left_out_are_counted() {
    let (monitor, probe, numbers) = watching();
    let metrics = metrics(&FakeWorld::new(16), &numbers);
    let gate = probe.hold("tcp");
    let stop = CancellationToken::new();
    let running = tokio::spawn(monitor.run(stop.clone()));
    let skipped = "checks_skipped_total{target=\"db\",check=\"tcp\"} ";
    wait_until("runs are left out", || {
        metrics.render(None).contains(skipped)
    })
    .await;
    gate.add_permits(1);
    let ran = "checks_total{target=\"db\",check=\"tcp\",outcome=\"healthy\"} 1\n";
    wait_until("the one before ends", || metrics.render(None).contains(ran)).await;
    let late = "check_lateness_seconds_count ";
    let begun = || {
        let text = metrics.render(None);
        let count = text.lines().find_map(|line| line.strip_prefix(late));
        count.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    wait_until("more runs are due", || begun() >= 3).await;
    stop.cancel();
    within(running).await.unwrap();
}

fn incident_facts(id: &str) -> IncidentFacts {
    IncidentFacts {
        incident: IncidentId::parse(id).unwrap(),
        failure: failure("down"),
    }
}

#[tokio::test]
async fn incidents_that_are_open_are_those_of_before_and_those_that_opened_since() {
    let world = FakeWorld::new(16);
    let opened = incident_facts("inc-01K0000000000000000000000B");
    let of_before = incident_facts("inc-01K0000000000000000000000A");
    let text = counted(&world, |world| {
        world.happen(EventKind::IncidentOpened, |mut event| {
            event.severity = Severity::Critical;
            event.with_data(IncidentOpened {
                about: opened,
                recurrence: 0,
                affected: Vec::new(),
                asked_for: false,
                output: None,
            })
        });
        world.happen(EventKind::IncidentClosed, |event| {
            event.with_data(closed(of_before))
        });
    })
    .await;
    check(
        &text,
        &[
            "mainstay_incidents_total{severity=\"critical\"} 1\n",
            "mainstay_incidents_open{severity=\"critical\"} 1\n",
            // The one that was open at the start.
            "mainstay_incidents_open{severity=\"high\"} 0\n",
        ],
    );
}

fn closed(about: IncidentFacts) -> IncidentClosed {
    IncidentClosed {
        about,
        open_ms: 1,
        relapses: 0,
        attempts: 1,
        how: IncidentEnd::Recovered,
        stopped: None,
    }
}

/// One event of each kind that is counted by more than its kind.
fn everything_happens(world: &FakeWorld) {
    for event in recovered(false) {
        world.happen(event.kind, |_| event);
    }
    for kind in [EventKind::OperationPartial, EventKind::OperationFailed] {
        world.happen(kind, |event| {
            let operation = Operation {
                rto_exceeded: true,
                ..crate::ports::fakes::operation(1).0
            };
            event
                .with_target(&name("api"))
                .with_data(OperationEnded::of(&operation, false, false))
        });
    }
    world.happen(EventKind::OperationEscalated, |event| {
        event
            .with_target(&name("api"))
            .with_data(OperationEscalated {
                about: incident_facts("inc-01K0000000000000000000000A"),
                then: AfterEscalation::Round,
                handler: None,
                handler_version: None,
                output: None,
                attempts: 0,
                error: None,
                runbook: Vec::new(),
            })
    });
    backups_happen(world);
    world.happen(EventKind::DrillPassed, |event| {
        event.with_job(&job("state")).with_data(BackupRestored {
            documents: 3,
            bytes: 12_345,
            elapsed_ms: 7,
            chain: vec![backup_id(1)],
            drilled: Some(Drilled {
                at: Timestamp::from_millis(1),
                restore_ms: 5,
                healthy_ms: Some(2),
                target: Some(name("api")),
                rto_ms: Some(300_000),
                error: None,
            }),
        })
    });
    rollbacks_happen(world);
    world.happen(EventKind::ConfigApplied, |event| event);
    world.happen(EventKind::ConfigRejected, |event| event);
    alerts_happen(world);
}

fn alerts_happen(world: &FakeWorld) {
    let alert = AlertId::parse("alr-01K0000000000000000000000A").unwrap();
    let alerter = PluginName::parse("page").unwrap();
    let queued = AlertQueued {
        alert: alert.clone(),
        alerter: alerter.clone(),
        resolves: None,
    };
    world.happen(EventKind::AlertQueued, |event| event.with_data(queued));
    for kind in [
        EventKind::AlertHeld,
        EventKind::AlertLapsed,
        EventKind::AlertGrouped,
    ] {
        let held = AlertHeld {
            alert: alert.clone(),
            alerter: alerter.clone(),
            why: "silenced".to_owned(),
        };
        world.happen(kind, |event| event.with_data(held));
    }
    for kind in [
        EventKind::AlertDelivered,
        EventKind::AlertDelayed,
        EventKind::AlertAbandoned,
    ] {
        let delivery = AlertDelivery {
            alert: alert.clone(),
            alerter: alerter.clone(),
            attempt: 1,
            detail: String::new(),
            in_place_of: Vec::new(),
        };
        world.happen(kind, |event| event.with_data(delivery));
    }
}

#[tokio::test]
async fn failures_that_anybody_names_make_no_more_series_than_a_bound() {
    let world = FakeWorld::new(64);
    let text = counted(&world, |world| {
        for number in 0..MOST_FAILURES + 100 {
            let operation = Operation {
                failure: failure(&format!("f{number}")),
                ..crate::ports::fakes::operation(1).0
            };
            world.happen(EventKind::OperationFailed, |event| {
                event
                    .with_target(&name("api"))
                    .with_data(OperationEnded::of(&operation, false, false))
            });
        }
    })
    .await;
    let failed = "recovery_operations_completed_failed_total{";
    let series = text.lines().filter(|line| line.starts_with(failed));
    assert_eq!(series.count(), MOST_FAILURES + 1);
    let others = text.lines().find(|line| {
        line.starts_with(failed) && line.contains("failure=\"other\"") && line.ends_with(" 100")
    });
    assert!(others.is_some(), "{text}");
}

/// The name and the labels of a series; the label `le` of a bucket is not one.
fn parts_of(series: &str) -> (&str, Vec<&str>) {
    let Some((name, labels)) = series.split_once('{') else {
        return (series, Vec::new());
    };
    let labels = labels.trim_end_matches('}').split(',');
    let labels = labels.filter_map(|label| label.split_once('=').map(|(label, _)| label));
    (name, labels.filter(|label| *label != "le").collect())
}

#[tokio::test]
async fn every_number_is_exported_as_the_catalog_has_it_and_nothing_else_is() {
    let (monitor, probe, numbers) = watching();
    let gate = probe.hold("tcp");
    let stop = CancellationToken::new();
    let running = tokio::spawn(monitor.run(stop.clone()));
    let text = || numbers.render();
    wait_until("runs are left out", || {
        text().contains("checks_skipped_total{")
    })
    .await;
    gate.add_permits(1);
    wait_until("the one before ends", || text().contains("checks_total{")).await;
    stop.cancel();
    gate.add_permits(100);
    within(running).await.unwrap();
    for removed in [Some(3), Some(0), None] {
        numbers.cleanup_begun("state");
        numbers.cleanup_ended("state", removed);
    }
    numbers.outbox(3, 1);
    numbers.compiled("compiled", Duration::from_secs(1));
    numbers.asked_of_store("take", "done", Duration::from_secs(1));
    let world = FakeWorld::new(128);
    let opened = incident_facts("inc-01K0000000000000000000000B");
    let text = counted_into(&numbers, &world, |world| {
        everything_happens(world);
        world.happen(EventKind::IncidentOpened, |event| {
            event.with_data(IncidentOpened {
                about: opened,
                recurrence: 0,
                affected: Vec::new(),
                asked_for: false,
                output: None,
            })
        });
    })
    .await;
    for described in CATALOG {
        let (name, help) = (described.name, described.help);
        let kind = match described.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        assert_eq!(text.matches(&head).count(), 1, "{head} in\n{text}");
    }
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            assert!(seen.insert(line.to_owned()), "{line} is there twice");
            let (name, kind) = of.split_once(' ').unwrap();
            let is_known = CATALOG.iter().any(|described| described.name == name);
            assert!(is_known || kind == "untyped", "{line} is in no catalog");
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, _) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series.to_owned()), "{series} is there twice");
        let (name, labels) = parts_of(series);
        let described = CATALOG.iter().find(|described| {
            let rest = name.strip_prefix(described.name);
            match described.kind {
                Kind::Histogram(_) => {
                    rest.is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
                }
                _ => rest == Some(""),
            }
        });
        match described {
            Some(described) => assert_eq!(labels, described.labels, "{series}"),
            None => assert!(
                text.contains(&format!("# TYPE {name} untyped\n")),
                "{series} is in no catalog"
            ),
        }
    }
}

/// What `promtool check metrics` finds fault with.
#[test]
fn names_and_helps_are_as_prometheus_wants_them() {
    for described in CATALOG {
        let name = described.name;
        let is_counter = described.kind == Kind::Counter;
        assert_eq!(name.ends_with("_total"), is_counter, "{name}");
        assert!(
            !described.help.is_empty() && !described.help.contains('\n'),
            "{name}"
        );
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(is_plain), "{name}");
        let mut words = name.split('_');
        let odd = [
            "ms",
            "milliseconds",
            "minutes",
            "hours",
            "kb",
            "kilobytes",
            "mb",
            "megabytes",
            "percent",
            "counter",
            "gauge",
            "histogram",
            "summary",
        ];
        assert!(!words.any(|word| odd.contains(&word)), "{name}");
        let is_histogram = matches!(described.kind, Kind::Histogram(_));
        for end in ["_count", "_sum", "_bucket"] {
            assert!(is_histogram || !name.ends_with(end), "{name}");
        }
        // Prometheus adds them itself, and renames those that are there.
        for taken in ["job", "instance", "le", "quantile"] {
            assert!(!described.labels.contains(&taken), "{name}");
        }
    }
}

const KINDS: [&str; 3] = ["counter", "gauge", "histogram"];

#[test]
fn every_number_is_in_the_manual() {
    let manual = include_str!("../../../../../docs/metrics.md");
    for described in CATALOG {
        let labels: Vec<String> = described.labels.iter().map(|l| format!("`{l}`")).collect();
        let kind = match described.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let (name, labels) = (described.name, labels.join(", "));
        let row = format!("| `{name}` | {kind} | {labels} | {} |", described.help);
        assert!(manual.contains(&row), "docs/metrics.md lacks\n{row}");
    }
    // Other tables there have other columns.
    let is_number = |line: &&str| {
        let mut columns = line.split(" | ").skip(1);
        let kind = columns.next();
        line.starts_with("| `") && kind.is_some_and(|kind| KINDS.contains(&kind))
    };
    assert_eq!(manual.lines().filter(is_number).count(), CATALOG.len());
}
