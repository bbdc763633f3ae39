//! Numbers for Prometheus, counted from events, so that no other service has to count.
//!
//! Names are the seeds' [seed 002, 003] with `_` for `.`; those of recoveries end in `_total`. What can be looked up
//! is looked up when it is asked for, so that an idle daemon has nothing to do here.
//!
//! Invariant: every label's value is a name of the config or of a plugin, so that the number of series is bounded.

use super::feed::EventFeed;
use crate::ports::{BackupOperator, Clock, Journal, JournalError, PluginView, Records};
use mainstay_domain::{
    event::{Event, EventKind},
    name::{FailureType, TargetName},
    operation::Operation,
    time::Timestamp,
};
use metrics::{Label, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Upper bounds of the buckets of times to recovery, in seconds [seed 002].
const RECOVERY_SECONDS: [f64; 7] = [1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Upper bounds of the buckets of backup times, in seconds.
const BACKUP_SECONDS: [f64; 7] = [0.1, 1.0, 10.0, 60.0, 300.0, 1_800.0, 7_200.0];

/// Upper bounds of the buckets of attempts after the first.
const RETRIES: [f64; 5] = [0.0, 1.0, 2.0, 3.0, 5.0];

/// Histograms keep raw samples until upkeep, which goes through all; it is run when asked for, and after so many events.
const UPKEEP_AFTER: usize = 100;
/// Between two tries to read a journal that cannot be read.
const RETRY: Duration = Duration::from_secs(1);

/// The numbers.
pub struct Metrics {
    recorder: PrometheusRecorder,
    backups: Arc<dyn BackupOperator>,
    plugins: Arc<dyn PluginView>,
    clock: Arc<dyn Clock>,
}

/// The buckets cannot be set; a defect of the program.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the metrics")]
pub struct MetricsError(#[from] metrics_exporter_prometheus::BuildError);

impl Metrics {
    /// Numbers that all start at zero.
    ///
    /// # Errors
    /// A defect of the program.
    pub fn new(
        backups: Arc<dyn BackupOperator>,
        plugins: Arc<dyn PluginView>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MetricsError> {
        let exactly = |name: &str| Matcher::Full(name.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(
                exactly("recovery_operation_duration_seconds"),
                &RECOVERY_SECONDS,
            )?
            .set_buckets_for_metric(exactly("recovery_operation_retry_attempts"), &RETRIES)?
            .set_buckets_for_metric(
                exactly("backup_operations_duration_seconds"),
                &BACKUP_SECONDS,
            )?
            .build_recorder();
        Ok(Self {
            recorder,
            backups,
            plugins,
            clock,
        })
    }

    /// Every number in the text format of Prometheus.
    pub fn render(&self) -> String {
        with_local_recorder(&self.recorder, || self.look_up());
        let handle = self.recorder.handle();
        handle.run_upkeep();
        handle.render()
    }

    fn look_up(&self) {
        let now = self.clock.now();
        for job in self.backups.jobs() {
            if let Some(taken) = job.last_verified {
                gauge!("backup_newest_verified_age_seconds", "job" => job.name.to_string())
                    .set(now.since(taken).as_secs_f64());
            }
        }
        for row in self.plugins.rows() {
            let (Some(name), Some(version)) = (row.name, row.version) else {
                continue;
            };
            let labels = vec![
                Label::new("plugin", name.to_string()),
                Label::new("version", version.to_string()),
            ];
            counter!("plugin_calls_total", labels.clone()).absolute(row.calls);
            counter!("plugin_failures_total", labels).absolute(row.failures);
        }
    }

    fn count_operation(&self, kind: EventKind, operation: &Operation) {
        let text = |text: Option<String>| text.unwrap_or_default();
        let labels = vec![
            Label::new("target", operation.target.to_string()),
            Label::new("failure", operation.failure.to_string()),
            Label::new(
                "handler",
                text(operation.handler.as_ref().map(ToString::to_string)),
            ),
            Label::new(
                "handler_version",
                text(operation.handler_version.as_ref().map(ToString::to_string)),
            ),
        ];
        let count = |name: &'static str| counter!(name, labels.clone()).increment(1);
        match kind {
            EventKind::OperationStarted => return count("recovery_operations_started_total"),
            EventKind::OperationEscalated => return count("recovery_operations_escalated_total"),
            EventKind::OperationSucceeded => count("recovery_operations_completed_success_total"),
            EventKind::OperationPartial => count("recovery_operations_completed_partial_total"),
            EventKind::OperationFailed => count("recovery_operations_completed_failed_total"),
            _ => return,
        }
        count("recovery_operations_completed_total");
        if operation.rto_exceeded {
            count("recovery_operation_rto_exceeded_total");
        }
        let seconds = std::time::Duration::from_millis(operation.recovery_ms.unwrap_or(0));
        histogram!("recovery_operation_duration_seconds", labels.clone())
            .record(seconds.as_secs_f64());
        histogram!("recovery_operation_retry_attempts", labels)
            .record(f64::from(operation.attempts.saturating_sub(1)));
    }

    /// Backups are paired by their job: one runs at a time.
    fn count_backup(&self, event: &Event, begun: &mut HashMap<String, Timestamp>) {
        let job = event
            .job
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let count = |name: &'static str| counter!(name, "job" => job.clone()).increment(1);
        match event.kind {
            EventKind::BackupStarted => {
                count("backup_operations_created_total");
                begun.insert(job.clone(), event.at);
            }
            // A backup that nobody has begun was only read again.
            EventKind::BackupVerified | EventKind::BackupFailed => {
                let Some(start) = begun.remove(&job) else {
                    return;
                };
                if event.kind == EventKind::BackupFailed {
                    return count("backup_operations_created_failed");
                }
                count("backup_operations_created_success");
                histogram!("backup_operations_duration_seconds", "job" => job.clone())
                    .record(event.at.since(start).as_secs_f64());
                let taken = self.backups.list(event.job.clone()).into_iter();
                let stored = taken
                    .filter(|backup| Some(&backup.id) == event.backup.as_ref())
                    .map(|backup| backup.stored_bytes)
                    .sum();
                counter!("backup_operations_size_bytes_total", "job" => job.clone())
                    .increment(stored);
            }
            EventKind::BackupDeleted => {
                count("backup_retention_cleaned_total");
                count("backup_retention_cleaned_success");
                count("backup_retention_removed_count");
            }
            EventKind::RetentionFailed => {
                count("backup_retention_cleaned_total");
                count("backup_retention_cleaned_failed");
            }
            EventKind::DrillPassed => {
                if let Some(millis) = event.data.get("elapsed_ms").and_then(|v| v.as_f64()) {
                    gauge!("backup_last_drill_seconds", "job" => job.clone()).set(millis / 1_000.0);
                }
            }
            _ => {}
        }
    }
}

/// Counts events.
pub struct MetricsService {
    metrics: Arc<Metrics>,
    records: Arc<dyn Records>,
    feed: EventFeed,
    begun: HashMap<String, Timestamp>,
    recovered: std::collections::HashSet<(TargetName, FailureType)>,
}

impl MetricsService {
    /// A service that counts every event from now on.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn new(
        metrics: Arc<Metrics>,
        journal: &dyn Journal,
        records: Arc<dyn Records>,
    ) -> Result<Self, JournalError> {
        let (_, feed) = EventFeed::after_newest(0, journal, records.clone()).await?;
        Ok(Self {
            metrics,
            records,
            feed,
            begun: HashMap::new(),
            recovered: Default::default(),
        })
    }

    /// Counts until `stop`, or until the journal is closed. While the journal cannot be read nothing is counted, and all
    /// of it when it can be again.
    pub async fn run(mut self, stop: CancellationToken) {
        let handle = self.metrics.recorder.handle();
        let mut since_upkeep = 0;
        loop {
            let events = tokio::select! { biased;
                () = stop.cancelled() => return,
                events = self.feed.next() => events,
            };
            let events = match events {
                Ok(Some(events)) => events,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "events cannot be counted for now");
                    tokio::select! { biased;
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(RETRY) => continue,
                    }
                }
            };
            for event in events {
                self.count(&event).await;
                since_upkeep += 1;
            }
            if since_upkeep >= upkeep_after(self.recovered.len()) {
                handle.run_upkeep();
                since_upkeep = 0;
            }
        }
    }

    async fn count(&mut self, event: &Event) {
        let operation = match &event.operation {
            Some(id) if is_counted(event.kind) => self.records.operation(id.clone()).await,
            _ => Ok(None),
        };
        let operation = operation.unwrap_or_else(|error| {
            tracing::error!(%error, kind = event.kind.as_str(), "an operation is not counted");
            None
        });
        if let Some((operation, _)) = &operation {
            self.recovered
                .insert((operation.target.clone(), operation.failure.clone()));
        }
        with_local_recorder(&self.metrics.recorder, || {
            counter!("mainstay_events_total", "kind" => event.kind.as_str()).increment(1);
            // A dry run is no recovery.
            if let Some((operation, _)) = &operation
                && !operation.dry_run
            {
                self.metrics.count_operation(event.kind, operation);
            }
            self.metrics.count_backup(event, &mut self.begun);
        });
    }
}

/// So that an event costs the same however many series there are.
fn upkeep_after(series: usize) -> usize {
    UPKEEP_AFTER.max(series)
}

/// Whether the event changes a number about its operation.
fn is_counted(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::OperationStarted
            | EventKind::OperationSucceeded
            | EventKind::OperationPartial
            | EventKind::OperationFailed
            | EventKind::OperationEscalated
    )
}

#[cfg(test)]
mod tests;
