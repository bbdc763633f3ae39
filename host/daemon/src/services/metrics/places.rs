//! What is counted where it happens, for it makes no events, or none that say all of it.

use super::Numbers;
use metrics::{Label, counter, gauge, histogram};
use std::time::Duration;

impl Numbers {
    /// A retention policy is about to judge the backups of a job.
    pub(crate) fn cleanup_begun(&self, job: &str) {
        self.count("backup_retention_cleaned_total", "backup_job", job);
    }

    /// That is over, and so many backups were removed; none where it failed.
    pub(crate) fn cleanup_ended(&self, job: &str, removed: Option<usize>) {
        let Some(removed) = removed else {
            return self.count("backup_retention_cleaned_failed_total", "backup_job", job);
        };
        self.count("backup_retention_cleaned_success_total", "backup_job", job);
        if removed > 0 {
            let removed = f64::from(u32::try_from(removed).unwrap_or(u32::MAX));
            self.write(|| {
                histogram!("backup_retention_removed", "backup_job" => job.to_owned())
                    .record(removed);
            });
            self.sampled(1);
        }
    }

    /// The store of backups was asked for this, and it ended so.
    pub(crate) fn asked_of_store(
        &self,
        operation: &'static str,
        outcome: &'static str,
        took: Duration,
    ) {
        self.write(|| {
            counter!("backup_store_operations_total", "operation" => operation, "outcome" => outcome)
                .increment(1);
            histogram!("backup_store_operation_seconds", "operation" => operation)
                .record(took.as_secs_f64());
        });
        self.sampled(1);
    }

    /// So many alerts wait to be delivered, and so many deliveries are under way.
    pub(crate) fn outbox(&self, waiting: usize, in_flight: usize) {
        let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        self.write(|| {
            gauge!("mainstay_alerts_waiting").set(number(waiting));
            gauge!("mainstay_alerts_in_flight").set(number(in_flight));
        });
    }

    /// A plugin was compiled, or could not be, in so much time.
    pub(crate) fn compiled(&self, outcome: &'static str, took: Duration) {
        self.count("plugin_compiles_total", "outcome", outcome);
        self.write(|| histogram!("plugin_compile_duration_seconds").record(took.as_secs_f64()));
        self.sampled(1);
    }

    fn count(&self, name: &'static str, label: &'static str, value: &str) {
        let labels = vec![Label::new(label, value.to_owned())];
        self.write(|| counter!(name, labels).increment(1));
    }
}
