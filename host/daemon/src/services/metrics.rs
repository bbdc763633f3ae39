//! Numbers for Prometheus, counted from events, so that no other service has to count; only what makes no events, the
//! runs of checks, is counted where it happens.
//!
//! Names are the seeds' [seed 002, 003] with `_` for `.`; those of recoveries end in `_total`. What can be looked up
//! is looked up when it is asked for, so that an idle daemon has nothing to do here.
//!
//! Invariant: every label's value is one of a bounded set: a name of the config or of a plugin, a version, or a word of the
//! program.

mod numbers;

pub use numbers::{MetricsError, Numbers};

use super::feed::EventFeed;
use crate::ports::{BackupOperator, Clock, PluginView};
use mainstay_domain::{
    event::{Event, EventData, EventKind, OperationOutcome},
    name::{FailureType, PluginName},
    time::Timestamp,
};
use metrics::{Label, counter, gauge, histogram};
use semver::Version;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Between two tries to read a journal that cannot be read.
const RETRY: Duration = if cfg!(test) {
    Duration::from_millis(2)
} else {
    Duration::from_secs(1)
};

/// The numbers, and what is looked up when they are asked for.
pub struct Metrics {
    numbers: Numbers,
    backups: Arc<dyn BackupOperator>,
    plugins: Arc<dyn PluginView>,
    clock: Arc<dyn Clock>,
}

impl Metrics {
    /// These numbers, which others write into too.
    pub fn new(
        numbers: Numbers,
        backups: Arc<dyn BackupOperator>,
        plugins: Arc<dyn PluginView>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            numbers,
            backups,
            plugins,
            clock,
        }
    }

    /// Every number in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.numbers.write(|| self.look_up());
        self.numbers.render()
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

    /// A dry run is no recovery. One that begins is counted under the handler that is called first, whose version is not
    /// known then; an escalation without an operation, as where no route fits, under none.
    fn count_operation(&self, event: &Event) {
        let (Some(target), Some(name)) = (&event.target, counter_of(event.kind)) else {
            return;
        };
        if event.data.is_dry_run() {
            return;
        }
        let Some(operation) = Counted::of(&event.data) else {
            let kind = event.kind.as_str();
            tracing::error!(
                kind,
                "an operation is not counted, for its event does not say what it is; report this as a defect"
            );
            return;
        };
        let (handler, version) = (operation.handler, operation.handler_version);
        let labels = vec![
            Label::new("target", target.to_string()),
            Label::new("failure", operation.failure.to_string()),
            Label::new(
                "handler",
                handler.map_or_else(String::new, ToString::to_string),
            ),
            Label::new(
                "handler_version",
                version.map_or_else(String::new, ToString::to_string),
            ),
        ];
        let count = |name: &'static str| counter!(name, labels.clone()).increment(1);
        count(name);
        let Some(outcome) = operation.outcome else {
            return;
        };
        count("recovery_operations_completed_total");
        if outcome.rto_exceeded {
            count("recovery_operation_rto_exceeded_total");
        }
        let took = Duration::from_millis(outcome.recovery_ms.unwrap_or(0));
        histogram!("recovery_operation_duration_seconds", labels.clone())
            .record(took.as_secs_f64());
        histogram!("recovery_operation_retry_attempts", labels)
            .record(f64::from(outcome.attempts.saturating_sub(1)));
        self.numbers.sampled(2);
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
                self.numbers.sampled(1);
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
                if let EventData::BackupRestored(restored) = &event.data {
                    let took = Duration::from_millis(restored.elapsed_ms);
                    gauge!("backup_last_drill_seconds", "job" => job.clone())
                        .set(took.as_secs_f64());
                }
            }
            _ => {}
        }
    }
}

/// Counts events.
pub struct MetricsService {
    metrics: Arc<Metrics>,
    feed: EventFeed,
    begun: HashMap<String, Timestamp>,
}

impl MetricsService {
    /// A service that counts every event that the feed gives.
    pub fn new(metrics: Arc<Metrics>, feed: EventFeed) -> Self {
        Self {
            metrics,
            feed,
            begun: HashMap::new(),
        }
    }

    /// Counts until `stop`, or until the journal is closed. While the journal cannot be read nothing is counted, and all
    /// of it when it can be again.
    pub async fn run(mut self, stop: CancellationToken) {
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
                self.count(&event);
            }
        }
    }

    fn count(&mut self, event: &Event) {
        self.metrics.numbers.write(|| {
            counter!("mainstay_events_total", "kind" => event.kind.as_str()).increment(1);
            self.metrics.count_operation(event);
            self.metrics.count_backup(event, &mut self.begun);
        });
    }
}

/// What is counted of an operation, as its events say it.
struct Counted<'a> {
    failure: &'a FailureType,
    handler: Option<&'a PluginName>,
    handler_version: Option<&'a Version>,
    /// Where it ended.
    outcome: Option<&'a OperationOutcome>,
}

impl<'a> Counted<'a> {
    fn of(data: &'a EventData) -> Option<Self> {
        match data {
            EventData::OperationStarted(started) => Some(Self {
                failure: &started.about.failure,
                handler: started.handler.as_ref(),
                handler_version: None,
                outcome: None,
            }),
            EventData::OperationEscalated(escalated) => Some(Self {
                failure: &escalated.about.failure,
                handler: escalated.handler.as_ref(),
                handler_version: escalated.handler_version.as_ref(),
                outcome: None,
            }),
            EventData::OperationEnded(ended) => Some(Self {
                failure: &ended.about.failure,
                handler: ended.outcome.handler.as_ref(),
                handler_version: ended.outcome.handler_version.as_ref(),
                outcome: Some(&ended.outcome),
            }),
            _ => None,
        }
    }
}

/// The number that counts events of this kind, where one does.
fn counter_of(kind: EventKind) -> Option<&'static str> {
    Some(match kind {
        EventKind::OperationStarted => "recovery_operations_started_total",
        EventKind::OperationEscalated => "recovery_operations_escalated_total",
        EventKind::OperationSucceeded => "recovery_operations_completed_success_total",
        EventKind::OperationPartial => "recovery_operations_completed_partial_total",
        EventKind::OperationFailed => "recovery_operations_completed_failed_total",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
