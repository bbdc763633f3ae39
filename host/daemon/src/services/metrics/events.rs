//! What is counted from events.

use super::Metrics;
use mainstay_domain::{
    event::{Event, EventData, EventKind, OperationOutcome},
    name::{FailureType, PluginName},
    time::Timestamp,
};
use metrics::{Label, counter, gauge, histogram};
use semver::Version;
use std::{collections::HashMap, time::Duration};

/// So many failures have series of their own: who reports one calls it as they like.
pub(super) const MOST_FAILURES: usize = 500;
/// What stands for the others.
const OTHER_FAILURES: &str = "other";

impl Metrics {
    /// Counts an event, once it is durable; `begun` has when the backups under way began, by their job.
    pub(super) fn count(&self, event: &Event, begun: &mut HashMap<String, Timestamp>) {
        let lag = self.ports.clock.now().since(event.at);
        self.numbers.write(|| {
            counter!("mainstay_events_total", "kind" => event.kind.as_str()).increment(1);
            histogram!("mainstay_journal_lag_seconds").record(lag.as_secs_f64());
            self.numbers.sampled(1);
            self.count_operation(event);
            self.count_backup(event, begun);
            self.count_incident(event);
            self.count_reload(event.kind);
            count_alert(event);
        });
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
            Label::new("failure", self.failure_label(operation.failure)),
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
        histogram!("recovery_operation_retry_attempts", labels).record(f64::from(outcome.attempts));
        self.numbers.sampled(2);
    }

    fn failure_label(&self, failure: &FailureType) -> String {
        let mut known = self.failures.lock();
        if known.len() < MOST_FAILURES {
            known.insert(failure.clone());
        }
        match known.contains(failure) {
            true => failure.to_string(),
            false => OTHER_FAILURES.to_owned(),
        }
    }

    /// Backups are paired by their job: one runs at a time.
    fn count_backup(&self, event: &Event, begun: &mut HashMap<String, Timestamp>) {
        let Some(job) = event.job.as_ref().map(ToString::to_string) else {
            return;
        };
        let count = |name: &'static str| counter!(name, "backup_job" => job.clone()).increment(1);
        match event.kind {
            EventKind::BackupStarted => {
                count("backup_operations_created_total");
                begun.insert(job, event.at);
            }
            // A backup that nobody has begun was only read again.
            EventKind::BackupVerified | EventKind::BackupFailed => {
                let Some(start) = begun.remove(&job) else {
                    return;
                };
                count(match event.kind {
                    EventKind::BackupFailed => "backup_operations_created_failed_total",
                    _ => "backup_operations_created_success_total",
                });
                histogram!("backup_operations_duration_seconds", "backup_job" => job.clone())
                    .record(event.at.since(start).as_secs_f64());
                self.numbers.sampled(1);
                if let EventData::BackupTaken(taken) = &event.data {
                    histogram!("backup_operations_size_bytes", "backup_job" => job.clone())
                        .record(taken.size_bytes as f64);
                    self.numbers.sampled(1);
                }
            }
            EventKind::DrillPassed => {
                if let EventData::BackupRestored(restored) = &event.data {
                    let took = Duration::from_millis(restored.elapsed_ms);
                    gauge!("backup_last_drill_seconds", "backup_job" => job.clone())
                        .set(took.as_secs_f64());
                    let measured = restored.drilled.as_ref();
                    let gauges = [
                        (
                            "backup_drill_restore_seconds",
                            measured.map(|it| it.restore_ms),
                        ),
                        (
                            "backup_drill_healthy_seconds",
                            measured.and_then(|it| it.healthy_ms),
                        ),
                        (
                            "backup_drill_rto_seconds",
                            measured.and_then(|it| it.rto_ms),
                        ),
                    ];
                    for (name, millis) in gauges {
                        if let Some(millis) = millis {
                            gauge!(name, "backup_job" => job.clone())
                                .set(Duration::from_millis(millis).as_secs_f64());
                        }
                    }
                }
            }
            EventKind::CheckpointTaken => {
                if let EventData::CheckpointTaken(taken) = &event.data {
                    let kind = taken.kind.as_str();
                    counter!("backup_checkpoints_total", "backup_job" => job, "kind" => kind)
                        .increment(1);
                }
            }
            EventKind::RollbackSucceeded | EventKind::RollbackFailed => {
                let outcome = match event.kind {
                    EventKind::RollbackFailed => "failed",
                    _ => "succeeded",
                };
                counter!("backup_rollbacks_total", "backup_job" => job, "outcome" => outcome)
                    .increment(1);
            }
            _ => {}
        }
    }

    /// Which incidents are open is known from their events.
    fn count_incident(&self, event: &Event) {
        let mut open = self.open.lock();
        match &event.data {
            EventData::IncidentOpened(opened) => {
                counter!("mainstay_incidents_total", "severity" => event.severity.as_str())
                    .increment(1);
                open.insert(opened.about.incident.clone(), event.severity);
            }
            EventData::IncidentReopened(reopened) => {
                open.insert(reopened.about.incident.clone(), event.severity);
            }
            EventData::IncidentWorsened(worsened) => {
                open.insert(worsened.about.incident.clone(), event.severity);
            }
            EventData::IncidentClosed(closed) => {
                open.remove(&closed.about.incident);
            }
            _ => {}
        }
    }

    fn count_reload(&self, kind: EventKind) {
        let outcome = match kind {
            EventKind::ConfigApplied => "applied",
            EventKind::ConfigRejected => "rejected",
            _ => return,
        };
        counter!("mainstay_config_reloads_total", "outcome" => outcome).increment(1);
    }
}

/// What becomes of alerts.
fn count_alert(event: &Event) {
    let (name, alerter) = match (event.kind, &event.data) {
        (EventKind::AlertQueued, EventData::AlertQueued(facts)) => {
            ("mainstay_alerts_queued_total", &facts.alerter)
        }
        (EventKind::AlertHeld, EventData::AlertHeld(facts)) => {
            ("mainstay_alerts_held_total", &facts.alerter)
        }
        (EventKind::AlertLapsed, EventData::AlertHeld(facts)) => {
            ("mainstay_alerts_lapsed_total", &facts.alerter)
        }
        (EventKind::AlertGrouped, EventData::AlertHeld(facts)) => {
            ("mainstay_alerts_grouped_total", &facts.alerter)
        }
        (EventKind::AlertDelivered, EventData::AlertDelivery(facts)) => {
            ("mainstay_alerts_delivered_total", &facts.alerter)
        }
        (EventKind::AlertDelayed, EventData::AlertDelivery(facts)) => {
            ("mainstay_alerts_delayed_total", &facts.alerter)
        }
        (EventKind::AlertAbandoned, EventData::AlertDelivery(facts)) => {
            ("mainstay_alerts_abandoned_total", &facts.alerter)
        }
        _ => return,
    };
    counter!(name, "alerter" => alerter.to_string()).increment(1);
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
