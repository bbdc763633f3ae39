//! Cleanups as they are counted [seed 003]: one begins where a policy is asked, and has an end in any case. One that removes
//! nothing is a success; a dry run is none.

use super::{BackupError, BackupService};
use crate::ports::Pruned;
use mainstay_domain::name::JobName;

impl BackupService {
    /// Judges one job; the caller has its turn.
    pub(super) async fn judge_job(
        self,
        job: JobName,
        dry_run: bool,
    ) -> Result<Pruned, BackupError> {
        let has_policy = self.job(&job)?.retention.is_some();
        if dry_run || !has_policy {
            return self.judge(job, dry_run).await;
        }
        let numbers = self.core.numbers.clone();
        numbers.cleanup_begun(job.as_str());
        let judged = self.judge(job.clone(), dry_run).await;
        let removed = judged.as_ref().ok().map(|pruned| pruned.expired.len());
        numbers.cleanup_ended(job.as_str(), removed);
        judged
    }
}
