//! Checkpoints: what makes a backup one, and how rollbacks to it go.

use crate::words::words;
use mainstay_domain::checkpoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// Why a checkpoint was taken.
    #[serde(rename_all = "kebab-case")]
    CheckpointKind as checkpoint::CheckpointKind {
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
}

words! {
    /// Where a rollback stands.
    #[serde(rename_all = "kebab-case")]
    RollbackStep as checkpoint::RollbackStep {
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
}

/// What makes a backup a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// Why it was taken.
    pub kind: CheckpointKind,
    /// What people call it; several may have one name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The last rollback to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
}

/// How a rollback goes, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rollback {
    /// When it began.
    #[schemars(extend("format" = "date-time"))]
    pub begun_at: String,
    /// Who asked for it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What is done now, or how it ended.
    pub step: RollbackStep,
    /// The emergency checkpoint of what was there before; absent until it is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<String>,
    /// What went wrong first; a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&checkpoint::Checkpoint> for Checkpoint {
    fn from(checkpoint: &checkpoint::Checkpoint) -> Self {
        Self {
            kind: checkpoint.kind.into(),
            name: checkpoint.name.as_ref().map(ToString::to_string),
            rollback: checkpoint.rollback.as_ref().map(Rollback::from),
        }
    }
}

impl From<&checkpoint::Rollback> for Rollback {
    fn from(rollback: &checkpoint::Rollback) -> Self {
        Self {
            begun_at: rollback.begun_at.to_string(),
            by: rollback.by.clone(),
            note: rollback.note.clone(),
            step: rollback.step.into(),
            saved: rollback.saved.as_ref().map(ToString::to_string),
            error: rollback.error.clone(),
        }
    }
}

/// The body of `POST /v1/checkpoints`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointBody {
    /// The job.
    pub job: String,
    /// Why it is taken: `manual`, `pre-upgrade` or `emergency`; the others are taken when they are due.
    #[serde(default = "manual")]
    pub kind: CheckpointKind,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

fn manual() -> CheckpointKind {
    CheckpointKind::Manual
}

/// The body of `POST /v1/checkpoints/{id}/rollback`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/checkpoints/resume`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeJobBody {
    /// The job whose rollback has left something paused.
    pub job: String,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// What `checkpoint resume` prints with `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResumedJob {
    /// The job whose rollback had left something paused.
    pub job: String,
}
