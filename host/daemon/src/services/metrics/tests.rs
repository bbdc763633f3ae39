//! Which numbers events make.

use super::*;
use crate::{
    ports::{
        Watch,
        fakes::{FakeWorld, backup_id, job, operation_id},
    },
    services::{
        monitor::Monitor,
        testing::{
            ManualClock, MemoryJournal, ScriptedProbe,
            specs::{check as check_of, name, spec, target},
            wait_until, within,
        },
    },
};
use mainstay_domain::health::Outcome;
use std::{sync::atomic::Ordering::SeqCst, time::Duration};
use tokio::sync::{mpsc, watch};

fn metrics(world: &Arc<FakeWorld>, numbers: &Numbers) -> Arc<Metrics> {
    let (backups, plugins, clock) = (world.clone(), world.clone(), world.clone());
    Arc::new(Metrics::new(numbers.clone(), backups, plugins, clock))
}

async fn counted(world: &Arc<FakeWorld>, story: impl FnOnce(&FakeWorld)) -> String {
    let metrics = metrics(world, &Numbers::new().unwrap());
    let service = MetricsService::new(metrics.clone(), &**world, world.clone())
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    story(world);
    let last = "mainstay_events_total{kind=\"host.stopping\"} 1";
    world.happen(EventKind::HostStopping, |event| event);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !metrics.render().contains(last) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{}",
            metrics.render()
        );
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
    metrics.render()
}

fn check(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn recoveries_are_counted_by_target_failure_and_handler() {
    let world = FakeWorld::new(16);
    let text = counted(&world, |world| {
        for kind in [EventKind::OperationStarted, EventKind::OperationSucceeded] {
            world.happen(kind, |event| event.with_operation(&operation_id(1)));
        }
    })
    .await;
    let labels = "target=\"api\",failure=\"api-gateway-down\",handler=\"restart-service\",handler_version=\"1.0.0\"";
    check(
        &text,
        &[
            &format!("recovery_operations_started_total{{{labels}}} 1"),
            &format!("recovery_operations_completed_total{{{labels}}} 1"),
            &format!("recovery_operations_completed_success_total{{{labels}}} 1"),
            // 2.5 s.
            &format!("recovery_operation_duration_seconds_bucket{{{labels},le=\"1\"}} 0"),
            &format!("recovery_operation_duration_seconds_bucket{{{labels},le=\"5\"}} 1"),
            &format!("recovery_operation_duration_seconds_bucket{{{labels},le=\"300\"}} 1"),
        ],
    );
    assert!(!text.contains("completed_failed"), "{text}");
}

#[tokio::test]
async fn a_dry_run_is_not_counted_as_a_recovery() {
    let world = FakeWorld::new(16);
    world.operations.lock().unwrap()[0].0.dry_run = true;
    let text = counted(&world, |world| {
        for kind in [EventKind::OperationStarted, EventKind::OperationSucceeded] {
            world.happen(kind, |event| event.with_operation(&operation_id(1)));
        }
    })
    .await;
    assert!(!text.contains("recovery_operation"), "{text}");
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_for_a_while_ends_no_counting() {
    let world = FakeWorld::new(16);
    let text = counted(&world, |world| {
        world.failing_reads.store(1, SeqCst);
        for kind in [EventKind::OperationStarted, EventKind::OperationSucceeded] {
            world.happen(kind, |event| event.with_operation(&operation_id(1)));
        }
    })
    .await;
    check(&text, &["recovery_operations_completed_success_total"]);
    assert!(!text.contains("operations_started_total"), "{text}");
}

#[tokio::test]
async fn what_happened_before_the_start_is_not_counted() {
    let world = FakeWorld::new(16);
    let text = counted(&world, |_| {}).await;
    assert!(!text.contains("recovery_operations"), "{text}");
}

#[tokio::test]
async fn backups_are_counted_and_a_second_verification_is_not_a_second_backup() {
    let world = FakeWorld::new(16);
    let text = counted(&world, |world| {
        world.happen(EventKind::BackupStarted, |event| {
            event.with_job(&job("state"))
        });
        for _ in 0..2 {
            world.happen(EventKind::BackupVerified, |event| {
                event.with_backup(&job("state"), &backup_id(1))
            });
        }
        world.happen(EventKind::BackupStarted, |event| {
            event.with_job(&job("state"))
        });
        world.happen(EventKind::BackupFailed, |event| {
            event.with_job(&job("state"))
        });
        world.happen(EventKind::BackupDeleted, |event| {
            event.with_backup(&job("state"), &backup_id(1))
        });
    })
    .await;
    check(
        &text,
        &[
            "backup_operations_created_total{job=\"state\"} 2",
            "backup_operations_created_success{job=\"state\"} 1",
            "backup_operations_created_failed{job=\"state\"} 1",
            "backup_operations_size_bytes_total{job=\"state\"} 2345",
            "backup_retention_removed_count{job=\"state\"} 1",
            "backup_newest_verified_age_seconds{job=\"state\"} 60",
            "plugin_calls_total{plugin=\"restart-service\",version=\"1.0.0\"} 5",
        ],
    );
}

/// A monitor of the check `tcp` of the target `db`, what it looks with, and the numbers that it writes into.
fn watching() -> (Monitor, Arc<ScriptedProbe>, Numbers) {
    let (probe, numbers) = (ScriptedProbe::new(), Numbers::new().unwrap());
    // Nobody takes up findings, or changes the config.
    let (findings, _) = mpsc::channel(16);
    let (_, config) = watch::channel(spec(vec![target("db", vec![check_of("tcp")])]));
    let monitor = Monitor::new(
        probe.clone(),
        MemoryJournal::new(),
        ManualClock::new(),
        numbers.clone(),
        findings,
        config,
    );
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
    ] {
        probe.show("tcp", outcome);
        for _ in 0..times {
            within(monitor.check_now(name("db"))).await.unwrap();
        }
    }
    let labels = "target=\"db\",check=\"tcp\"";
    check(
        &metrics.render(),
        &[
            &format!("checks_total{{{labels},outcome=\"healthy\"}} 2\n"),
            &format!("checks_total{{{labels},outcome=\"degraded\"}} 1\n"),
            &format!("checks_total{{{labels},outcome=\"failed\"}} 3\n"),
            "check_duration_seconds_bucket{kind=\"tcp\",le=\"30\"} 6\n",
            "check_duration_seconds_count{kind=\"tcp\"} 6\n",
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
    wait_until("runs are left out", || metrics.render().contains(skipped)).await;
    gate.add_permits(1);
    let ran = "checks_total{target=\"db\",check=\"tcp\",outcome=\"healthy\"} 1\n";
    wait_until("the one before ends", || metrics.render().contains(ran)).await;
    let late = "check_lateness_seconds_count ";
    let begun = || {
        let text = metrics.render();
        let count = text.lines().find_map(|line| line.strip_prefix(late));
        count.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    wait_until("more runs are due", || begun() >= 3).await;
    stop.cancel();
    within(running).await.unwrap();
}
