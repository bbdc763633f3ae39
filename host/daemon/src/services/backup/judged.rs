//! What may be restored in place, for who is about to stop something for it.
//!
//! Invariant: that nothing can be put back is said before anything is stopped.

use super::{BackupError, BackupService, plan::check_whole};
use crate::ports::BackupStoreError;
use mainstay_domain::{
    backup::BackupSummary,
    backup_chain::{newest_verified, plan_restore},
    code::ErrorCode,
    name::JobName,
    time::Timestamp,
};

impl BackupService {
    /// The newest verified backup of a job from before a time. An error where it could not be restored in place: refused
    /// where that stays so.
    pub(super) async fn newest_restorable(
        &self,
        job: JobName,
        before: Option<Timestamp>,
    ) -> Result<Option<BackupSummary>, BackupError> {
        let spec = self.job(&job)?;
        if !spec.is_restorable_in_place() {
            return Err(BackupError::Refused(ErrorCode::RestoreRefused.mark(format!(
                "job {job} has no directory among its sources, and nothing else is put back in place; restore it into a directory, and from there by hand"
            ))));
        }
        let records = self.core.catalog.lock().of(Some(&job));
        let Some(newest) = newest_verified(&records, &job, before, self.now()) else {
            return Ok(None);
        };
        check_whole(&job, Some(newest))?;
        let plan = plan_restore(&records, &newest.id)?;
        let chain: Vec<_> = plan.into_iter().map(|link| link.id).collect();
        let judged = self
            .with_store(move |store| store.judge_in_place(&job, &chain, &spec.sources))
            .await;
        match self.mark_if_corrupted(judged).await {
            Ok(()) => Ok(Some(BackupSummary::from(newest))),
            // What is mounted, and who may write where, does not change by itself. A tier that is away, or does not answer, comes back.
            Err(BackupError::Store(BackupStoreError::Unavailable(why)))
                if ErrorCode::RestoreRefused.is_of(&why) =>
            {
                Err(BackupError::Refused(why))
            }
            Err(error) => Err(error),
        }
    }
}
