//! Checkpoints: named backups of a job that a rollback goes back to [seed 003].
//!
//! Invariant: a checkpoint is a backup that stands alone, and its record says that it is one; there is no other store.
//! Invariant: a rollback stands in the record of the checkpoint that it goes back to, before anything of it is done.

use crate::{backup_type::BackupType, id::BackupId, name::CheckpointName, time::Timestamp};
use serde::{Deserialize, Serialize};

/// Why a checkpoint was taken [seed 003].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointKind {
    /// A person asked for it.
    Manual,
    /// It was due.
    Automatic,
    /// Something dangerous comes; each rollback takes one first.
    Emergency,
    /// An upgrade comes.
    PreUpgrade,
    /// The day's one was due.
    Daily,
}

impl CheckpointKind {
    /// Every kind.
    pub const ALL: [CheckpointKind; 5] = [
        CheckpointKind::Manual,
        CheckpointKind::Automatic,
        CheckpointKind::Emergency,
        CheckpointKind::PreUpgrade,
        CheckpointKind::Daily,
    ];

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckpointKind::Manual => "manual",
            CheckpointKind::Automatic => "automatic",
            CheckpointKind::Emergency => "emergency",
            CheckpointKind::PreUpgrade => "pre-upgrade",
            CheckpointKind::Daily => "daily",
        }
    }

    /// What kind of backup it is.
    pub fn backup_type(self) -> BackupType {
        match self {
            CheckpointKind::Emergency => BackupType::Emergency,
            CheckpointKind::Manual
            | CheckpointKind::Automatic
            | CheckpointKind::PreUpgrade
            | CheckpointKind::Daily => BackupType::Snapshot,
        }
    }

    /// Whether neither its age nor the number of others lets it go.
    pub fn is_never_pruned(self) -> bool {
        matches!(self, CheckpointKind::Manual | CheckpointKind::Emergency)
    }
}

impl std::fmt::Display for CheckpointKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What makes a backup a checkpoint. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Why it was taken.
    pub kind: CheckpointKind,
    /// What people call it; several may have one name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<CheckpointName>,
    /// The last rollback to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
}

impl Checkpoint {
    /// One that nobody went back to.
    pub fn new(kind: CheckpointKind, name: Option<CheckpointName>) -> Self {
        Self {
            kind,
            name,
            rollback: None,
        }
    }

    /// Whether a rollback to it has begun and not ended.
    pub fn is_rolled_back_to(&self) -> bool {
        let rollback = self.rollback.as_ref();
        rollback.is_some_and(|rollback| !rollback.step.is_end())
    }
}

/// How a rollback goes, or how it ended. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// When it began.
    pub begun_at: Timestamp,
    /// Who asked for it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What is done now, or how it ended.
    pub step: RollbackStep,
    /// The emergency checkpoint of what was there before; absent until it is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<BackupId>,
    /// What went wrong first; a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a rollback stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RollbackStep {
    /// The operator's command pauses what uses the state.
    Pausing,
    /// The emergency checkpoint of what is there is taken.
    Saving,
    /// The checkpoint is written beside its place, where nothing changes.
    Staging,
    /// It is put in place.
    Placing,
    /// The operator's command looks whether it is right.
    Checking,
    /// The emergency checkpoint is put back.
    PuttingBack,
    /// The operator's command resumes what was paused.
    Resuming,
    /// The state is the checkpoint's, and what was paused is resumed.
    Succeeded,
    /// The state is that of before, and what was paused stays so.
    Failed,
    /// The state is the checkpoint's, and what was paused is not known to be resumed.
    Unresumed,
    /// Neither the checkpoint nor the state of before could be put in place, and what was paused stays so.
    Stranded,
}

impl RollbackStep {
    /// Every step.
    pub const ALL: [RollbackStep; 11] = [
        RollbackStep::Pausing,
        RollbackStep::Saving,
        RollbackStep::Staging,
        RollbackStep::Placing,
        RollbackStep::Checking,
        RollbackStep::PuttingBack,
        RollbackStep::Resuming,
        RollbackStep::Succeeded,
        RollbackStep::Failed,
        RollbackStep::Unresumed,
        RollbackStep::Stranded,
    ];

    /// Whether nothing comes after it.
    pub fn is_end(self) -> bool {
        match self {
            RollbackStep::Pausing
            | RollbackStep::Saving
            | RollbackStep::Staging
            | RollbackStep::Placing
            | RollbackStep::Checking
            | RollbackStep::PuttingBack
            | RollbackStep::Resuming => false,
            RollbackStep::Succeeded
            | RollbackStep::Failed
            | RollbackStep::Unresumed
            | RollbackStep::Stranded => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_stored_as_the_word_that_operators_write() {
        for kind in CheckpointKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert!(kind.backup_type().stands_alone(), "{kind}");
        }
    }

    #[test]
    fn a_rollback_is_under_way_until_its_end_is_on_record() {
        let mut checkpoint = Checkpoint::new(CheckpointKind::Manual, None);
        assert!(!checkpoint.is_rolled_back_to());
        for step in RollbackStep::ALL {
            checkpoint.rollback = Some(Rollback {
                begun_at: Timestamp::from_millis(0),
                by: "root".to_owned(),
                note: None,
                step,
                saved: None,
                error: None,
            });
            assert_eq!(checkpoint.is_rolled_back_to(), !step.is_end(), "{step:?}");
        }
    }
}
