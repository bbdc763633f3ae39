//! Which checkpoint of a job is due, and which are let go.
//!
//! Invariant: a manual or an emergency checkpoint is never let go, nor one that a rollback goes back to, nor the newest
//! right one of its kind [seed 003].
//! Invariant: a checkpoint from the future, taken while the clock was wrong, neither holds the next one back nor goes.

use crate::{
    backup::{BackupRecord, BackupStatus},
    backup_schedule::{self, ScheduleError},
    checkpoint::CheckpointKind,
    id::BackupId,
    spec::CheckpointSpec,
    text::counted,
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// What an automatic checkpoint is covered by.
const AS_AUTOMATIC: [CheckpointKind; 2] = [CheckpointKind::Automatic, CheckpointKind::Daily];
/// What a daily checkpoint is covered by.
const AS_DAILY: [CheckpointKind; 1] = [CheckpointKind::Daily];
/// What one before an upgrade is covered by.
const AS_PRE_UPGRADE: [CheckpointKind; 1] = [CheckpointKind::PreUpgrade];

/// The checkpoint that is due, if any: a daily one covers an automatic one. `records` are those of the job.
///
/// # Errors
/// A schedule has no slots.
pub fn due(
    spec: &CheckpointSpec,
    records: &[BackupRecord],
    now: Timestamp,
) -> Result<Option<CheckpointKind>, ScheduleError> {
    let daily = last_taken(records, &AS_DAILY, now);
    if backup_schedule::due(&spec.daily, daily, now)?.is_some() {
        return Ok(Some(CheckpointKind::Daily));
    }
    let automatic = last_taken(records, &AS_AUTOMATIC, now);
    let automatic = backup_schedule::due(&spec.automatic, automatic, now)?;
    Ok(automatic.map(|_| CheckpointKind::Automatic))
}

/// When the next one is due: the past, or `now`, where one is.
///
/// # Errors
/// A schedule has no slots.
pub fn next_due(
    spec: &CheckpointSpec,
    records: &[BackupRecord],
    now: Timestamp,
) -> Result<Timestamp, ScheduleError> {
    let daily = last_taken(records, &AS_DAILY, now);
    let daily = backup_schedule::next_due(&spec.daily, daily, now)?;
    let automatic = last_taken(records, &AS_AUTOMATIC, now);
    let automatic = backup_schedule::next_due(&spec.automatic, automatic, now)?;
    Ok(daily.min(automatic))
}

/// Whether one is due because another version of the program than before has run since this time: none was taken for that, and
/// something was backed up by the one before [seed 003]. `records` are those of the job.
pub fn is_due_for_upgrade(records: &[BackupRecord], upgraded: Timestamp, now: Timestamp) -> bool {
    let mut stored = records
        .iter()
        .filter(|record| record.status != BackupStatus::Failed);
    let taken = last_taken(records, &AS_PRE_UPGRADE, now);
    upgraded <= now
        && stored.any(|record| record.created_at < upgraded)
        && taken.is_none_or(|taken| taken < upgraded)
}

/// When the newest one was taken that is right, of whatever kind: that is how far a rollback goes back.
pub fn last_right(records: &[BackupRecord], now: Timestamp) -> Option<Timestamp> {
    let right = records.iter().filter(|record| {
        record.checkpoint.is_some()
            && record.status == BackupStatus::Verified
            && record.created_at <= now
    });
    right.map(|record| record.created_at).max()
}

/// When the newest of these kinds was taken that is there, or was. One that failed is taken again.
fn last_taken(
    records: &[BackupRecord],
    kinds: &[CheckpointKind],
    now: Timestamp,
) -> Option<Timestamp> {
    let taken = records.iter().filter(|record| {
        let checkpoint = record.checkpoint.as_ref();
        checkpoint.is_some_and(|checkpoint| kinds.contains(&checkpoint.kind))
            && record.status != BackupStatus::Failed
            && record.created_at <= now
    });
    taken.map(|record| record.created_at).max()
}

/// A checkpoint that is let go, and why, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// Which.
    pub id: BackupId,
    /// Why.
    pub reason: String,
}

/// The checkpoints of a job that are let go, the oldest first: those that are older than `max_age`, and where more than
/// `keep` are left, the oldest of them. Those that are never let go count too, so of very many manual ones there may be
/// more than `keep`. `now` is a time that can be believed.
pub fn excess(spec: &CheckpointSpec, records: &[BackupRecord], now: Timestamp) -> Vec<Excess> {
    let mut stored: Vec<(&BackupRecord, CheckpointKind)> = records
        .iter()
        .filter(|record| {
            matches!(
                record.status,
                BackupStatus::Completed | BackupStatus::Verified | BackupStatus::Corrupted
            )
        })
        .filter_map(|record| Some((record, record.checkpoint.as_ref()?.kind)))
        .collect();
    stored.sort_by(|(a, _), (b, _)| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    let newest = newest_of_each_kind(&stored, now);
    let mut left = stored.len();
    let mut excess = Vec::new();
    let mut young = Vec::new();
    for (record, kind) in &stored {
        let is_needed = record
            .checkpoint
            .as_ref()
            .is_some_and(|it| it.is_rolled_back_to());
        if kind.is_never_pruned()
            || is_needed
            || record.is_held_at(now)
            || record.created_at > now
            || newest.contains(&record.id)
        {
            continue;
        }
        if now.since(record.created_at) > spec.max_age {
            left -= 1;
            excess.push(Excess {
                id: record.id.clone(),
                reason: format!("a checkpoint older than {:?}", spec.max_age),
            });
        } else {
            young.push(*record);
        }
    }
    let keep = usize::try_from(spec.keep.max(1)).unwrap_or(usize::MAX);
    let too_many = young.into_iter().take(left.saturating_sub(keep));
    excess.extend(too_many.map(|record| Excess {
        id: record.id.clone(),
        reason: format!(
            "the oldest of more than {}",
            counted(spec.keep.max(1), "checkpoint")
        ),
    }));
    excess
}

fn newest_of_each_kind<'a>(
    stored: &[(&'a BackupRecord, CheckpointKind)],
    now: Timestamp,
) -> BTreeSet<&'a BackupId> {
    let right = stored
        .iter()
        .filter(|(record, _)| record.status == BackupStatus::Verified && record.created_at <= now);
    // The last of each kind wins, and the oldest comes first.
    let newest: BTreeMap<CheckpointKind, &BackupId> =
        right.map(|(record, kind)| (*kind, &record.id)).collect();
    newest.into_values().collect()
}

#[cfg(test)]
mod tests;
