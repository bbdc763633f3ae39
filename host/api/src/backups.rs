//! Backups, and what long work on them answers.

use crate::{
    backup_origin::BackupOrigin, checkpoints::Checkpoint, drilled::Drilled, errors::ErrorBody,
    words::words,
};
use mainstay_domain::backup;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// What a stored backup is.
    #[serde(rename_all = "kebab-case")]
    BackupType as backup::BackupType {
        /// Everything.
        Full,
        /// What changed since the last backup of the chain, of any kind.
        Incremental,
        /// What changed since the last full backup.
        Differential,
        /// Everything, or the job's selection of it, standing alone, asked for by an operator.
        Snapshot,
        /// Everything, or the job's selection of it, standing alone, taken before something dangerous.
        Emergency,
    }
}

words! {
    /// Where a backup stands.
    #[serde(rename_all = "kebab-case")]
    BackupStatus as backup::BackupStatus {
        /// Asked for.
        Pending,
        /// Being written.
        InProgress,
        /// Stored, not yet read back.
        Completed,
        /// Read back from its tier and found right.
        Verified,
        /// Not taken.
        Failed,
        /// Read back and found wrong, or it needs one that was.
        Corrupted,
        /// Judged expired; in the trash, to be deleted after its grace.
        Expired,
    }
}

/// That a person holds a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// Who does it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// Why, as they say; absent where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when; absent: until it is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
}

impl From<&backup::Hold> for Hold {
    fn from(hold: &backup::Hold) -> Self {
        Self {
            by: hold.by.clone(),
            reason: hold.reason.clone(),
            until: hold.until.map(String::from),
        }
    }
}

/// One backup in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// Its identifier.
    pub id: String,
    /// The job that took it.
    pub job: String,
    /// What it is.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// Where it stands.
    pub status: BackupStatus,
    /// Where its bytes really are.
    pub tier: String,
    /// When its sources were read.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// The identifier of the backup that it is the difference to.
    pub parent: Option<String>,
    /// The identifier of the full backup that its chain starts from; its own where it stands alone.
    pub base: String,
    /// Documents in this archive.
    pub documents: u64,
    /// Deletions in this archive.
    pub tombstones: u64,
    /// Bytes of its documents.
    pub size_bytes: u64,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// BLAKE3 over the whole state that restoring it gives, hexadecimal.
    pub root_hash: String,
    /// When its stored bytes were last found right.
    #[schemars(extend("format" = "date-time"))]
    pub verified_at: Option<String>,
    /// Held by the operator; it cannot expire.
    pub held: bool,
    /// When the policy expects to let it go; once expired, when it will be deleted.
    #[schemars(extend("format" = "date-time"))]
    pub expires: Option<String>,
    /// The last verdict's reason, or what went wrong.
    pub reason: Option<String>,
    /// What was left out or changed while it was read; sentences for people, the first 20 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Whether something that was there is not in it as it was: `warnings` says what. Absent where that is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Whether only its stored bytes were found right, for it is encrypted and nothing here opened it: its content was not read.
    /// Absent where that is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stored_only: bool,
    /// Whether it holds a selection alone of what its sources held, by `include` of its job. Absent where that is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub selection: bool,
    /// What makes it a checkpoint; absent where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// Who holds it, why and until when; absent where nobody does, and where a version before did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Why it is suspicious: it is much smaller than what was before it, or lacks what was mounted then, and nobody has accepted
    /// that. Absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicious: Option<String>,
    /// What the newest drill with it has measured; absent where it was the newest backup of no drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled: Option<Drilled>,
    /// How it was taken; absent where a version before did not note it, and where it was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<BackupOrigin>,
}

impl From<&backup::BackupRecord> for Backup {
    fn from(backup: &backup::BackupRecord) -> Self {
        Self {
            id: backup.id.to_string(),
            job: backup.job.to_string(),
            backup_type: backup.backup_type.into(),
            status: backup.status.into(),
            tier: backup.tier.clone(),
            created_at: backup.created_at.to_string(),
            parent: backup.parent.as_ref().map(ToString::to_string),
            base: backup.base.to_string(),
            documents: backup.documents,
            tombstones: backup.tombstones,
            size_bytes: backup.size_bytes,
            stored_bytes: backup.stored_bytes,
            root_hash: backup.root_hash.clone(),
            verified_at: backup.verified_at.map(String::from),
            held: backup.held,
            expires: backup.expires.map(String::from),
            reason: backup.reason.clone(),
            warnings: backup.warnings.clone(),
            incomplete: backup.incomplete,
            stored_only: backup.stored_only,
            selection: backup.selection,
            checkpoint: backup.checkpoint.as_ref().map(Checkpoint::from),
            hold: backup.hold.as_ref().map(Hold::from),
            suspicious: backup.suspicious.clone(),
            drilled: backup.drilled.as_ref().map(Drilled::from),
            origin: backup.origin.as_ref().map(BackupOrigin::from),
        }
    }
}

/// What a retention policy says of one backup, after the host's guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The identifier of the backup.
    pub id: String,
    /// Whether it stays.
    pub keep: bool,
    /// Why, for people.
    pub reason: String,
    /// When the policy expects to let it go.
    #[schemars(extend("format" = "date-time"))]
    pub expires: Option<String>,
}

impl From<&backup::Verdict> for Verdict {
    fn from(verdict: &backup::Verdict) -> Self {
        Self {
            id: verdict.id.clone(),
            keep: verdict.keep,
            reason: verdict.reason.clone(),
            expires: verdict.expires.map(String::from),
        }
    }
}

/// What `backup create`, `verify`, `restore`, `prune`, `hold`, `release`, `accept`, `move`, `delete`, `undelete`, `rekey` and `drill` print with `--json`, and `checkpoint take` and `rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupReport {
    /// The backups that were taken, read, composed or expired, as `backup list --json` prints them.
    pub backups: Vec<Backup>,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// Restore and drill alone: documents written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_documents: Option<u64>,
    /// Restore and drill alone: bytes written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_bytes: Option<u64>,
    /// Restore in place alone, where something has no place there: how many documents were not put back. A restore into a
    /// directory has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_put_back_documents: Option<u64>,
    /// The first 20 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_put_back: Vec<String>,
    /// Restore and drill of the newest alone: the backups that are newer than those in `backups` and corrupted, or incomplete
    /// where the restored one is not, so that their state is not in what was restored; the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Backup>,
    /// Verify, drill, restore, rekey and rebuild alone: what was wrong beside the backup and was mended, was left out, or is to be known; sentences for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Prune alone: every verdict with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<Vec<Verdict>>,
}

/// How far long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// Documents done.
    pub documents: u64,
    /// Documents in all, where known.
    pub total: Option<u64>,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Bytes in a second; absent in the first second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second_bytes: Option<u64>,
    /// How long the rest takes at that pace, milliseconds; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_ms: Option<u64>,
}

/// One line of an answer to long work: progress, then one result or one error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WorkLine {
    /// It goes on.
    Progress {
        /// How far it has come.
        progress: Progress,
    },
    /// It is done.
    Result {
        /// What was done.
        result: BackupReport,
    },
    /// It was not done.
    Error(ErrorBody),
}
