//! Which numbers events make.

use super::*;
use crate::ports::fakes::{FakeWorld, backup_id, job, operation_id};
use std::{sync::atomic::Ordering::SeqCst, time::Duration};

async fn counted(world: &Arc<FakeWorld>, story: impl FnOnce(&FakeWorld)) -> String {
    let metrics = Metrics::new(world.clone(), world.clone(), world.clone()).unwrap();
    let metrics = Arc::new(metrics);
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

#[test]
fn upkeep_costs_an_event_the_same_however_many_targets_there_are() {
    for targets in [10_usize, 1_000, 100_000] {
        let (events, mut since, mut gone_through) = (targets * 10, 0, 0);
        for event in 0..events {
            let series = event / 10 + 1;
            since += 1;
            if since >= upkeep_after(series) {
                (since, gone_through) = (0, gone_through + series);
            }
        }
        assert!(gone_through <= events, "{gone_through} for {events} events");
    }
}
