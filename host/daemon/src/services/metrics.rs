//! Numbers for Prometheus, counted from events, so that no other service has to count; only what makes no events, the
//! runs of checks say, is counted where it happens.
//!
//! What can be looked up is looked up when it is asked for, so that an idle daemon has nothing to do here. All numbers
//! and their names stand in `catalog`.
//!
//! Invariant: every label's value is one of a bounded set: a name of the config or of a plugin, a version, or a word of the
//! program. What people and programs may call as they like, failures, has so many names and then one for the rest.
//! Invariant: what is a state is of the moment in which it is asked for: what is gone has no number.

mod catalog;
mod events;
mod gate;
mod numbers;
mod places;
mod seed_names;
mod statsd;

pub use numbers::{MetricsError, Numbers, Sample};
pub use statsd::StatsdService;

use super::feed::EventFeed;
use crate::ports::{
    AlertTests, BackupOperator, Clock, ConditionView, HostView, JournalNumbers, PluginView,
    SilenceControl,
};
use mainstay_domain::{
    checkpoint::CheckpointKind, event::Event, fallback_mode::FallbackMode, id::IncidentId,
    name::FailureType, policy::GateNumbers, severity::Severity, time::Timestamp,
};
use metrics::{Label, counter, gauge, histogram};
use parking_lot::Mutex;
use seed_names::add_seed_names;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Between two tries to read a journal that cannot be read.
const RETRY: Duration = if cfg!(test) {
    Duration::from_millis(2)
} else {
    Duration::from_secs(1)
};

/// What is looked up when the numbers are asked for.
pub struct MetricsPorts {
    /// The alerters of the config.
    pub alerters: Arc<dyn AlertTests>,
    /// The jobs and their backups.
    pub backups: Arc<dyn BackupOperator>,
    /// The plugins and their calls.
    pub plugins: Arc<dyn PluginView>,
    /// The program.
    pub host: Arc<dyn HostView>,
    /// How the host as a whole does, and its targets.
    pub condition: Arc<dyn ConditionView>,
    /// The silences that hold.
    pub silences: Arc<dyn SilenceControl>,
    /// How the journal does.
    pub journal: Arc<dyn Fn() -> JournalNumbers + Send + Sync>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// The numbers, and what is looked up when they are asked for.
pub struct Metrics {
    numbers: Numbers,
    ports: MetricsPorts,
    /// How bad each incident is that is open.
    open: Mutex<HashMap<IncidentId, Severity>>,
    /// The failures that have series of their own.
    failures: Mutex<HashSet<FailureType>>,
}

impl Metrics {
    /// These numbers, which others write into too; `open` are the incidents that the daemons before left open.
    pub fn new(
        numbers: Numbers,
        ports: MetricsPorts,
        open: impl IntoIterator<Item = (IncidentId, Severity)>,
    ) -> Self {
        Self {
            numbers,
            ports,
            open: Mutex::new(open.into_iter().collect()),
            failures: Mutex::default(),
        }
    }

    /// Every number in the text format of Prometheus, also those of the gate where it is known how that is.
    pub fn render(&self, gate: Option<&GateNumbers>) -> String {
        let journal = (self.ports.journal)();
        self.numbers.write(|| {
            self.look_up_counts(&journal);
            gate::look_up_refusals(gate);
        });
        let mut text = self.numbers.render();
        match Numbers::new() {
            Ok(now) => {
                now.write(|| {
                    self.look_up_states(&journal);
                    if let Some(gate) = gate {
                        gate::look_up_gate(gate);
                    }
                });
                text.push_str(&now.render());
            }
            Err(error) => tracing::error!(%error, "the metrics lack what is a state"),
        }
        add_seed_names(&mut text);
        text
    }

    fn look_up_counts(&self, journal: &JournalNumbers) {
        self.begin_at_zero();
        counter!("mainstay_journal_writes_total").absolute(journal.writes);
        for row in self.ports.plugins.rows() {
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

    /// What has not happened yet is zero, where it is known what may: a query over it finds something, and the first time
    /// that it happens is a growth.
    fn begin_at_zero(&self) {
        for severity in Severity::ALL {
            counter!("mainstay_incidents_total", "severity" => severity.as_str()).increment(0);
        }
        for outcome in ["applied", "rejected"] {
            counter!("mainstay_config_reloads_total", "outcome" => outcome).increment(0);
        }
        for outcome in ["compiled", "failed"] {
            counter!("plugin_compiles_total", "outcome" => outcome).increment(0);
        }
        for alerter in self.ports.alerters.alerters() {
            for name in [
                "mainstay_alerts_queued_total",
                "mainstay_alerts_held_total",
                "mainstay_alerts_lapsed_total",
                "mainstay_alerts_grouped_total",
                "mainstay_alerts_delivered_total",
                "mainstay_alerts_delayed_total",
                "mainstay_alerts_abandoned_total",
            ] {
                counter!(name, "alerter" => alerter.to_string()).increment(0);
            }
        }
        for status in self.ports.backups.jobs() {
            let job = || vec![Label::new("backup_job", status.name.to_string())];
            let with = |label: &'static str, value: &'static str| {
                let mut labels = job();
                labels.push(Label::new(label, value));
                labels
            };
            // Where it keeps any.
            if status.next_checkpoint.is_some() {
                for kind in CheckpointKind::ALL {
                    counter!("backup_checkpoints_total", with("kind", kind.as_str())).increment(0);
                }
                for outcome in ["failed", "succeeded"] {
                    counter!("backup_rollbacks_total", with("outcome", outcome)).increment(0);
                }
            }
            for name in [
                "backup_operations_created_total",
                "backup_operations_created_success_total",
                "backup_operations_created_failed_total",
                "backup_retention_cleaned_total",
                "backup_retention_cleaned_success_total",
                "backup_retention_cleaned_failed_total",
            ] {
                counter!(name, job()).increment(0);
            }
            for name in [
                "backup_operations_duration_seconds",
                "backup_operations_size_bytes",
                "backup_retention_removed",
            ] {
                // To be there it has to be made, and no more.
                let _ = histogram!(name, job());
            }
        }
    }

    fn look_up_states(&self, journal: &JournalNumbers) {
        let (now, facts) = (self.ports.clock.now(), self.ports.host.facts());
        gauge!("mainstay_build_info", "version" => facts.version).set(1.0);
        let started_at = facts.started_at.since(Timestamp::from_millis(0));
        gauge!("mainstay_start_time_seconds").set(started_at.as_secs_f64());
        // It has counted every target, which is not done again.
        let condition = self.ports.condition.condition();
        let of_all = condition.health;
        for (word, count) in [
            ("unknown", of_all.unknown),
            ("starting", of_all.starting),
            ("healthy", of_all.healthy),
            ("degraded", of_all.degraded),
            ("failed", of_all.failed),
        ] {
            gauge!("mainstay_targets", "health" => word).set(count as f64);
        }
        gauge!("mainstay_fallback_mode").set(match condition.mode {
            FallbackMode::Primary => 0.0,
            FallbackMode::Heuristic => 1.0,
            FallbackMode::Safe => 2.0,
        });
        gauge!("mainstay_health_score").set(of_all.score());
        let open: Vec<Severity> = self.open.lock().values().copied().collect();
        for severity in Severity::ALL {
            let count = open.iter().filter(|one| **one == severity).count();
            gauge!("mainstay_incidents_open", "severity" => severity.as_str()).set(count as f64);
        }
        gauge!("mainstay_silences").set(self.ports.silences.silences().len() as f64);
        gauge!("mainstay_journal_size_bytes").set(journal.size_bytes as f64);
        gauge!("mainstay_journal_waiting_changes").set(journal.waiting as f64);
        for job in self.ports.backups.jobs() {
            if let Some(taken) = job.last_verified {
                gauge!("backup_newest_verified_age_seconds", "backup_job" => job.name.to_string())
                    .set(now.since(taken).as_secs_f64());
            }
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
        self.metrics.count(event, &mut self.begun);
    }
}

#[cfg(test)]
mod tests;
