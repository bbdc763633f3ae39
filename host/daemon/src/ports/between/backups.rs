//! What the backup service offers to others, and asks of them.

use crate::ports::Boxed;
use mainstay_domain::{
    backup::{BackupSummary, BackupType, Verdict},
    effect::EffectError,
    name::{JobName, PluginName},
    time::Timestamp,
};
use semver::VersionReq;

/// Why a retention policy gave no verdicts; each with a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// No such policy serves.
    #[error("{0}")]
    NotServing(String),
    /// The call gave no answer.
    #[error("{0}")]
    Failed(String),
    /// The policy's own word.
    #[error("{0}")]
    Policy(String),
}

/// Asks the retention policy of a job.
pub trait RetentionJudge: Send + Sync {
    /// The policy's verdicts; any error keeps everything.
    fn judge(
        &self,
        policy: PluginName,
        version: VersionReq,
        job: JobName,
        backups: Vec<BackupSummary>,
        now: Timestamp,
    ) -> Boxed<'_, Result<Vec<Verdict>, JudgeError>>;
}

/// What the backup service offers to effects.
pub trait BackupControl: Send + Sync {
    /// The newest verified backup of a job, at or before a time. An error where it could not be restored in place, so that
    /// who would stop something for that knows before.
    fn newest(
        &self,
        job: JobName,
        before: Option<Timestamp>,
    ) -> Boxed<'_, Result<Option<BackupSummary>, EffectError>>;
    /// Takes a backup now, for the effect with this idempotency key; where that took one already, which is verified, it is
    /// that one.
    fn create(
        &self,
        job: JobName,
        backup_type: BackupType,
        key: String,
    ) -> Boxed<'_, Result<BackupSummary, EffectError>>;
    /// Restores in place, over what the job's directory sources hold, after an emergency backup. Documents and bytes.
    fn restore(&self, job: JobName, id: String) -> Boxed<'_, Result<(u64, u64), EffectError>>;
    /// How many documents and bytes a restore of this backup would write, by the catalog; zero where it is unknown.
    fn restorable(&self, id: &str) -> (u64, u64);
}
