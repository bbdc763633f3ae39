//! Backups that were found wrong.

use super::{BackupError, BackupService, words};
use mainstay_domain::{
    backup::BackupStatus, event::EventKind, id::BackupId, record::Change, severity::Severity,
};

impl BackupService {
    /// Notes that a stored backup was found wrong; whether it was one that was thought right.
    pub(super) async fn mark_corrupted(
        &self,
        id: &BackupId,
        what: &str,
    ) -> Result<bool, BackupError> {
        let found = self.core.catalog.lock().get(id);
        let Some(mut record) = found.filter(|record| {
            matches!(
                record.status,
                BackupStatus::Verified | BackupStatus::Completed
            )
        }) else {
            return Ok(false);
        };
        record.status = BackupStatus::Corrupted;
        record.reason = Some(what.to_owned());
        let message = words::corrupted(id, &record.job, what);
        let event = self
            .event(EventKind::BackupCorrupted, Severity::Critical, message)
            .with_backup(&record.job, id);
        let job = record.job.clone();
        self.commit(vec![record], vec![Change::Event(event)])
            .await?;
        // The objective was met by it.
        self.job_state(&job, |state| state.objective.look_again());
        Ok(true)
    }
}
