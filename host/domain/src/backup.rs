//! Backups: what is stored, and how one depends on another.

pub use crate::backup_type::BackupType;

use crate::{
    backup_origin::BackupOrigin, checkpoint::Checkpoint, drilled::Drilled, id::BackupId,
    name::JobName, source_mount::SourceMount, time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Where a backup stands [seed 003].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupStatus {
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
    /// Read back and found wrong.
    Corrupted,
    /// Judged expired; in the trash, to be deleted after its grace.
    Expired,
}

/// That a person holds a backup. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who does it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// Why, as they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when; none: until it is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl BackupStatus {
    /// Whether it is no good: a list has it first, for programs as for people.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Corrupted)
    }

    /// Whether what stands like this was stored whole: in its place or in the trash, right or found wrong since.
    pub fn is_stored(self) -> bool {
        match self {
            Self::Completed | Self::Verified | Self::Corrupted | Self::Expired => true,
            Self::Pending | Self::InProgress | Self::Failed => false,
        }
    }
}

/// One backup in the catalog. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRecord {
    /// Its identifier.
    pub id: BackupId,
    /// The job that took it.
    pub job: JobName,
    /// What it is.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// Where it stands.
    pub status: BackupStatus,
    /// Where its bytes really are.
    pub tier: String,
    /// When its sources were read.
    pub created_at: Timestamp,
    /// The backup that it is the difference to.
    pub parent: Option<BackupId>,
    /// The full backup that its chain starts from; itself where it stands alone.
    pub base: BackupId,
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
    pub verified_at: Option<Timestamp>,
    /// Held by the operator; it cannot expire.
    pub held: bool,
    /// When the policy expects to let it go; once expired, when it will be deleted.
    pub expires: Option<Timestamp>,
    /// The last verdict's reason, or what went wrong.
    pub reason: Option<String>,
    /// What was left out or changed while it was read; sentences for people, the first of them. Of a record of before, and
    /// of one that was made anew from what is stored, it is not known, and none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Whether something that was there is not in it as it was: unreadable, gone while it was read, or changed under the
    /// reader's hands. Of a record of before it is not known, and no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Whether only its stored bytes were found right, for it is encrypted and nothing here opened it: its content was not read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stored_only: bool,
    /// The idempotency key of the effect that asked for it: by it the same call finds it again after an end of the daemon.
    /// Absent where no effect did, and in records of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What makes it a checkpoint; absent where it is none. Of one that was recorded anew from what is stored it is not
    /// known, and absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// Who holds it, why and until when. Absent where it is not held, and where one of before is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Why it is suspicious: it is much smaller than what was before it, or what was mounted in a source is not any more. Absent
    /// where it is not, and where a person has accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicious: Option<String>,
    /// What the newest drill with it has measured. Absent where it was the newest backup of no drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled: Option<Drilled>,
    /// Mount points among what it read, and those of before at which nothing is any more. Of a record of before, and of one that
    /// was made anew from what is stored, they are not known, and none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<SourceMount>,
    /// Whether it holds a selection alone of what its sources hold, by `include` of its job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub selection: bool,
    /// How it was taken. Absent of a record of before, and where it was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<BackupOrigin>,
}

impl BackupRecord {
    /// One that stands alone, in the tier `local`, of which nothing is known but who takes it, and when.
    pub fn begun(
        id: BackupId,
        job: JobName,
        backup_type: BackupType,
        created_at: Timestamp,
    ) -> Self {
        Self {
            base: id.clone(),
            id,
            job,
            backup_type,
            status: BackupStatus::InProgress,
            tier: "local".to_owned(),
            created_at,
            parent: None,
            documents: 0,
            tombstones: 0,
            size_bytes: 0,
            stored_bytes: 0,
            root_hash: String::new(),
            verified_at: None,
            held: false,
            expires: None,
            reason: None,
            warnings: Vec::new(),
            incomplete: false,
            stored_only: false,
            key: None,
            checkpoint: None,
            hold: None,
            suspicious: None,
            drilled: None,
            mounts: Vec::new(),
            selection: false,
            origin: None,
        }
    }

    /// Whether all is in it that its sources held, as it was.
    pub fn is_whole(&self) -> bool {
        !self.incomplete && !self.selection
    }

    /// Whether the operator holds it at a time: a hold that has an end holds until then.
    pub fn is_held_at(&self, now: Timestamp) -> bool {
        let until = self.hold.as_ref().and_then(|hold| hold.until);
        self.held && until.is_none_or(|until| until > now)
    }

    /// The same, without a hold that is over by then.
    #[must_use]
    pub fn without_hold_that_is_over(mut self, now: Timestamp) -> Self {
        if self.held && !self.is_held_at(now) {
            self.held = false;
            self.hold = None;
        }
        self
    }
}

/// What plugins see of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSummary {
    /// Its identifier.
    pub id: String,
    /// The job that took it.
    pub job: String,
    /// What it is.
    pub backup_type: BackupType,
    /// When its sources were read.
    pub created_at: Timestamp,
    /// When its stored bytes were last found right.
    pub verified_at: Option<Timestamp>,
    /// Where its bytes are.
    pub tier: String,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// The backup that it is the difference to.
    pub parent: Option<String>,
    /// The full backup that its chain starts from.
    pub base: String,
    /// It cannot expire.
    pub held: bool,
}

impl From<&BackupRecord> for BackupSummary {
    fn from(record: &BackupRecord) -> Self {
        Self {
            id: record.id.to_string(),
            job: record.job.to_string(),
            backup_type: record.backup_type,
            created_at: record.created_at,
            verified_at: record.verified_at,
            tier: record.tier.clone(),
            stored_bytes: record.stored_bytes,
            parent: record.parent.as_ref().map(ToString::to_string),
            base: record.base.to_string(),
            held: record.held,
        }
    }
}

/// What a retention policy says of one backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The backup.
    pub id: String,
    /// Whether it stays.
    pub keep: bool,
    /// Why, for people.
    pub reason: String,
    /// When the policy expects to let it go.
    pub expires: Option<Timestamp>,
}
