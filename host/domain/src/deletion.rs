//! What a person may delete of the backups of a job, and take out of the trash again.
//!
//! A person lets go what a policy could: the guard over both is the same, but that a person may let go of a checkpoint, and of what
//! is suspicious, which is much smaller than what was before it.
//!
//! Invariant: what stays needs nothing that went, and a job keeps its newest verified chain.
//! Invariant: what comes back comes back with all that it needs.

use crate::{
    backup::{BackupRecord, BackupStatus, BackupType},
    backup_chain::{BackupChainError, plan_restore, suspects},
    id::BackupId,
    retention::{RetentionLimits, why_kept},
    shrink::stands_still,
    time::Timestamp,
};

/// Why a backup is not deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeletionError {
    /// It is not in the catalog.
    #[error(transparent)]
    Unknown(#[from] BackupChainError),
    /// It was deleted, or expired, before.
    #[error(
        "backup {0} lies in the trash already, and is deleted after its grace; `mainstay backup undelete {0}` takes it out again"
    )]
    InTrash(BackupId),
    /// There is nothing of it.
    #[error("backup {0} was not taken, so there is nothing to delete; its record goes by itself")]
    NotTaken(BackupId),
    /// It has to stay.
    #[error(
        "backup {id} stays: {why}; `mainstay backup show {id}` shows what it belongs to, and `mainstay backup list` which others \
         can go"
    )]
    Stays {
        /// Which one.
        id: BackupId,
        /// Why; a sentence for people.
        why: String,
    },
}

/// Why a backup is not taken out of the trash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndeleteError {
    /// It is not in the catalog, or something that it needs is gone.
    #[error(transparent)]
    Chain(#[from] BackupChainError),
    /// It does not lie there.
    #[error(
        "backup {0} is not in the trash; `mainstay backup list` shows those that are, as expired"
    )]
    NotInTrash(BackupId),
}

/// Whether a person may delete one of the backups of a job.
///
/// # Errors
/// [`DeletionError`]: why not.
pub fn check(
    records: &[BackupRecord],
    id: &BackupId,
    limits: RetentionLimits,
    now: Timestamp,
) -> Result<(), DeletionError> {
    let record = records.iter().find(|record| record.id == *id);
    let record = record.ok_or_else(|| BackupChainError::Unknown(id.clone()))?;
    match record.status {
        BackupStatus::Expired => return Err(DeletionError::InTrash(id.clone())),
        BackupStatus::Failed => return Err(DeletionError::NotTaken(id.clone())),
        BackupStatus::Pending
        | BackupStatus::InProgress
        | BackupStatus::Completed
        | BackupStatus::Verified
        | BackupStatus::Corrupted => {}
    }
    let stays = |why: String| {
        Err(DeletionError::Stays {
            id: id.clone(),
            why,
        })
    };
    let suspects = suspects(records);
    if let Some(why) = stands_still(records).filter(|_| !suspects.contains(id)) {
        return stays(why);
    }
    // An emergency backup is of what happened to be there, and a selection of a part: they take the place of none.
    let is_trusted = |record: &BackupRecord| {
        let is_base = matches!(record.backup_type, BackupType::Full | BackupType::Snapshot);
        is_base
            && !record.selection
            && record.status == BackupStatus::Verified
            && !suspects.contains(&record.id)
    };
    let has_trusted = records.iter().any(is_trusted);
    let mut judged_as = records.to_vec();
    for record in &mut judged_as {
        if record.id == *id {
            record.checkpoint = None;
        }
        // What is much too small is no newest chain as long as there is another.
        if has_trusted && suspects.contains(&record.id) && record.status == BackupStatus::Verified {
            record.status = BackupStatus::Completed;
        }
    }
    match why_kept(&judged_as, id, limits, now) {
        Some(why) => stays(why),
        None => Ok(()),
    }
}

/// What has to come out of the trash so that a backup that lies there can be restored for as long as one likes: of what it needs, and
/// itself, what lies there, in the order in which each needs those before it.
///
/// # Errors
/// [`UndeleteError`]: why it stays there.
pub fn plan_undelete(
    records: &[BackupRecord],
    id: &BackupId,
) -> Result<Vec<BackupRecord>, UndeleteError> {
    let mut usable = records.to_vec();
    // What is found wrong can be mended while it is there.
    for record in &mut usable {
        if record.status == BackupStatus::Corrupted {
            record.status = BackupStatus::Completed;
        }
    }
    let mut plan = plan_restore(&usable, id)?;
    plan.retain(|record| record.status == BackupStatus::Expired);
    match plan.iter().any(|record| record.id == *id) {
        true => Ok(plan),
        false => Err(UndeleteError::NotInTrash(id.clone())),
    }
}

#[cfg(test)]
mod tests;
