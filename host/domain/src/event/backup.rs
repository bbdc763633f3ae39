//! What events of backups say.

use crate::{
    checkpoint::CheckpointKind,
    drilled::Drilled,
    id::BackupId,
    name::{CheckpointName, TierName},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A backup was taken, read back and found right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupTaken {
    /// Documents in its archive.
    pub documents: u64,
    /// Deletions in its archive.
    pub tombstones: u64,
    /// Bytes of its documents.
    pub size_bytes: u64,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// What was left out or changed while it was read; sentences for people, the first of them.
    pub warnings: Vec<String>,
    /// Whether something that was there is not in it as it was, as of a selection of it; written only where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// The tier that it is in, and those that it would have been tried in after that one, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierName>,
}

/// A backup in the trash was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupDeleted {
    /// How many were.
    pub removed: u64,
}

/// A backup was restored, in place, into a directory or in a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRestored {
    /// Documents written.
    pub documents: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// The backups that it was composed from, the full one first.
    pub chain: Vec<BackupId>,
    /// What a drill has measured; absent of what is no drill, and in events of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled: Option<Drilled>,
}

/// A person holds a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeld {
    /// Who does it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they say.
    pub reason: Option<String>,
    /// Until when; none: until it is released.
    pub until: Option<Timestamp>,
}

/// A person holds a backup no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReleased {
    /// Who did it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// A backup is much smaller than the one before, or lacks what was mounted then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSuspected {
    /// The backup that it was measured against.
    pub before: BackupId,
}

/// A backup is in another tier than it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFellOver {
    /// The tier that did not take it.
    pub tier: TierName,
    /// Whether it is stored already, and was to be moved there; written only where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moving: bool,
}

/// A stored backup was moved from one tier to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupMoved {
    /// The tier that it was in.
    pub from: TierName,
    /// The tier that it is in now.
    pub tier: TierName,
    /// Who wanted it: the user of the socket's peer, or the name of the token's secret; none: it had the age for it.
    pub by: Option<String>,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// A person says that a backup is rightly so small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupAccepted {
    /// Who does: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// A person deleted a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupTrashed {
    /// Who did: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Until when it can be taken out of the trash again.
    pub until: Timestamp,
}

/// A person took a backup out of the trash again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupUndeleted {
    /// Who did: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// A checkpoint was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointTaken {
    /// Why it was.
    pub kind: CheckpointKind,
    /// What people call it.
    pub name: Option<CheckpointName>,
    /// Who asked for it: the user of the socket's peer, or the name of the token's secret; none: it was due.
    pub by: Option<String>,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// How a rollback goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackFacts {
    /// Who asked for it, or had resumed what it paused: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// The emergency checkpoint of what was there before; none where there is none.
    pub saved: Option<BackupId>,
    /// Why it failed, for people.
    pub error: Option<String>,
}
