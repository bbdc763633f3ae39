//! What a policy is asked, and what it wishes.
//!
//! Invariant: a backup that cannot be restored takes no place from one that can: what is kept is judged as if it were not
//! there. It stays itself for as long as the policy would keep it if it were right, for what it needs may be put back.
//! Invariant: nor does a checkpoint, of which no policy is asked: it goes by the job's `checkpoints`.

use super::BackupService;
use crate::ports::JudgeError;
use mainstay_domain::{
    backup::{BackupRecord, BackupStatus, BackupSummary, Verdict},
    backup_chain::standing,
    name::JobName,
    retention::{RetentionLimits, is_judged},
    shrink::stands_still,
    spec::RetentionSpec,
    time::Timestamp,
};
use std::collections::BTreeSet;

/// What the policy of a job cannot undercut.
pub(super) fn limits_of(retention: &RetentionSpec) -> RetentionLimits {
    RetentionLimits {
        min_redundancy: retention.min_redundancy,
        immutable_for: retention.immutable_for,
    }
}

impl BackupService {
    /// The policy's verdicts on the backups of a job, before the host's guard.
    pub(super) async fn wishes(
        &self,
        retention: &RetentionSpec,
        job: &JobName,
        records: &[BackupRecord],
        now: Timestamp,
    ) -> Result<Vec<Verdict>, JudgeError> {
        let judged: Vec<BackupRecord> = standing(records.to_vec())
            .into_iter()
            .filter(|record| is_judged(record.status))
            .collect();
        if let Some(why) = stands_still(&judged) {
            let keep = |record: &BackupRecord| Verdict {
                id: record.id.to_string(),
                keep: true,
                reason: why.clone(),
                expires: None,
            };
            return Ok(judged.iter().map(keep).collect());
        }
        let useless: BTreeSet<String> = judged
            .iter()
            .filter(|record| record.status == BackupStatus::Corrupted)
            .map(|record| record.id.to_string())
            .collect();
        // What is stored was verified, also where all that said when is gone with its manifest.
        let summary = |record: &BackupRecord| {
            let mut summary = BackupSummary::from(record);
            if record.status == BackupStatus::Corrupted {
                summary.verified_at.get_or_insert(record.created_at);
            }
            summary
        };
        let of_policy = judged.iter().filter(|record| record.checkpoint.is_none());
        let all: Vec<BackupSummary> = of_policy.map(summary).collect();
        if useless.is_empty() {
            return self.ask_policy(retention, job, all, now).await;
        }
        let mut usable = all.clone();
        usable.retain(|backup| !useless.contains(&backup.id));
        let mut wishes = match usable.is_empty() {
            true => Vec::new(),
            false => self.ask_policy(retention, job, usable, now).await?,
        };
        wishes.retain(|verdict| !useless.contains(&verdict.id));
        let of_all = self.ask_policy(retention, job, all, now).await?;
        let of_useless = of_all
            .into_iter()
            .filter(|verdict| useless.contains(&verdict.id));
        wishes.extend(of_useless.map(|verdict| Verdict {
            reason: format!(
                "it cannot be restored, and takes no place from another; were it right: {}",
                verdict.reason
            ),
            ..verdict
        }));
        Ok(wishes)
    }

    async fn ask_policy(
        &self,
        retention: &RetentionSpec,
        job: &JobName,
        backups: Vec<BackupSummary>,
        now: Timestamp,
    ) -> Result<Vec<Verdict>, JudgeError> {
        let (policy, version) = (retention.policy.clone(), retention.version.clone());
        let judge = &self.core.judge;
        judge
            .judge(policy, version, job.clone(), backups, now)
            .await
    }
}
