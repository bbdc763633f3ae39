//! Whether a backup is much smaller than the one before, or lacks what was mounted then: what it reads may have been lost, and not
//! been cleared away.
//!
//! Invariant: no backup is measured against a suspicious one, so that a loss stays one until a person accepts it.
//! Invariant: of an emergency backup, which is of what happens to be there, nothing is said, and nothing is measured against it.

use crate::{
    backup::{BackupRecord, BackupStatus, BackupType},
    backup_chain::by_age,
    id::BackupId,
    measure::size,
    retention::is_judged,
    text::{counted, visible},
};

/// So many mount points are named in a reason.
const NAMED: usize = 3;

/// Why a backup is suspicious.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// The backup that it was measured against.
    pub before: BackupId,
    /// What is little of it, for people.
    pub why: String,
    /// Whether it has as many documents as it should, and only its bytes are few: of backups of two formats they are not to be
    /// compared, for since the second equal content counts once.
    pub of_bytes_alone: bool,
}

/// Whether a backup is suspicious, and why. Any is where a directory is empty at which something was mounted in the newest before
/// it; with `least_percent` one that stands alone is where it has less than that of the documents or of the bytes of the newest of
/// its kind before it, and a difference where less than that is left of the documents of the full backup, by what it deletes.
///
/// ```
/// use mainstay_domain::shrink::is_short;
///
/// assert!(is_short(49, 100, 50.0));
/// assert!(!is_short(50, 100, 50.0) && !is_short(0, 0, 50.0));
/// ```
pub fn suspicion(
    records: &[BackupRecord],
    new: &BackupRecord,
    least_percent: Option<f64>,
) -> Option<Suspicion> {
    let trusted: Vec<&BackupRecord> = records
        .iter()
        .filter(|record| record.job == new.job && is_trusted(record))
        .filter(|record| by_age(record, new).is_lt())
        .collect();
    if new.backup_type == BackupType::Emergency {
        return None;
    }
    if let Some(found) = unmounted(&trusted, new) {
        return Some(found);
    }
    // A selection is as small as it is said to be.
    let least_percent = least_percent.filter(|_| !new.selection)?;
    match new.backup_type {
        BackupType::Full | BackupType::Snapshot | BackupType::Emergency => {
            shrunk(&trusted, new, least_percent)
        }
        BackupType::Differential | BackupType::Incremental => {
            emptied(records, &trusted, new, least_percent)
        }
    }
}

/// The directories at which something has to be mounted, or nothing be there, or something be in them: else a backup that is taken
/// now is suspicious. `records` are of one job.
pub fn expected_mounts(records: &[BackupRecord]) -> Vec<String> {
    let trusted = records.iter().filter(|record| is_trusted(record));
    let before = newest_with_mounts(trusted);
    let mounts = before.into_iter().flat_map(|record| &record.mounts);
    let mounted = mounts.filter(|mount| !mount.vanished);
    mounted.map(|mount| mount.path.clone()).collect()
}

fn is_trusted(record: &BackupRecord) -> bool {
    record.status == BackupStatus::Verified && record.suspicious.is_none()
}

/// The newest of these of which all mount points are known. One that has none may have been recorded anew from what is stored.
fn newest_with_mounts<'a>(
    trusted: impl Iterator<Item = &'a BackupRecord>,
) -> Option<&'a BackupRecord> {
    let of_all = trusted.filter(|record| !record.selection);
    let known = of_all.filter(|record| record.backup_type != BackupType::Emergency);
    known
        .filter(|record| !record.mounts.is_empty())
        .max_by(|a, b| by_age(a, b))
}

fn unmounted(trusted: &[&BackupRecord], new: &BackupRecord) -> Option<Suspicion> {
    let before = newest_with_mounts(trusted.iter().copied())?;
    let was_mounted = |path: &str| {
        let mut mounts = before.mounts.iter();
        mounts.any(|mount| !mount.vanished && mount.path == path)
    };
    let vanished = new.mounts.iter().filter(|mount| mount.vanished);
    let vanished: Vec<&str> = vanished
        .map(|mount| mount.path.as_str())
        .filter(|path| was_mounted(path))
        .collect();
    let named = vanished.iter().take(NAMED).map(|path| visible(path));
    let named = named.collect::<Vec<_>>().join(", ");
    let others = match vanished.len().saturating_sub(NAMED) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    (!vanished.is_empty()).then(|| Suspicion {
        before: before.id.clone(),
        why: format!(
            "nothing is mounted any more at {named}{others}, which held something in {} and is empty",
            before.id
        ),
        of_bytes_alone: false,
    })
}

/// Whether this is less than so many percent of what was.
pub fn is_short(is: u64, was: u64, least_percent: f64) -> bool {
    (is as f64) < was as f64 * least_percent / 100.0
}

fn shrunk(trusted: &[&BackupRecord], new: &BackupRecord, least_percent: f64) -> Option<Suspicion> {
    let alike = trusted
        .iter()
        .filter(|record| matches!(record.backup_type, BackupType::Full | BackupType::Snapshot))
        .filter(|record| !record.selection);
    let before = alike.max_by(|a, b| {
        let by_completeness = b.incomplete.cmp(&a.incomplete);
        by_completeness.then_with(|| by_age(a, b))
    })?;
    let of_bytes_alone = !is_short(new.documents, before.documents, least_percent);
    let is_small = !of_bytes_alone || is_short(new.size_bytes, before.size_bytes, least_percent);
    is_small.then(|| Suspicion {
        of_bytes_alone,
        before: before.id.clone(),
        why: format!(
            "it has {} of {}, and {} before it had {} of {} (shrink_guard = {least_percent})",
            counted(new.documents, "document"),
            size(new.size_bytes),
            before.id,
            before.documents,
            size(before.size_bytes)
        ),
    })
}

fn emptied(
    records: &[BackupRecord],
    trusted: &[&BackupRecord],
    new: &BackupRecord,
    least_percent: f64,
) -> Option<Suspicion> {
    let base = records.iter().find(|record| record.id == new.base)?;
    // A differential has all that was deleted since the full one, so also what the one before it had.
    let known = match new.backup_type {
        BackupType::Differential => trusted
            .iter()
            .filter(|record| record.backup_type == new.backup_type && record.base == new.base)
            .max_by(|a, b| by_age(a, b))
            .map_or(0, |record| record.tombstones),
        _ => 0,
    };
    let had = base.documents.saturating_sub(known);
    let left = base.documents.saturating_sub(new.tombstones.max(known));
    is_short(left, had, least_percent).then(|| Suspicion {
        of_bytes_alone: false,
        before: base.id.clone(),
        why: format!(
            "it deletes {} of the {} documents of {} (shrink_guard = {least_percent})",
            new.tombstones, base.documents, base.id
        ),
    })
}

/// Why nothing of a job is let go: one of its backups is suspicious.
pub fn stands_still(records: &[BackupRecord]) -> Option<String> {
    let suspects = records.iter().filter(|record| is_judged(record.status));
    let (id, why) = suspects
        .filter_map(|record| Some((&record.id, record.suspicious.as_ref()?)))
        .next_back()?;
    Some(format!(
        "retention of the job stands still, for {id} is suspicious: {why}; where that is right, `mainstay backup accept {id}`"
    ))
}

/// What changes where a person accepts a backup of these: it, and what is suspicious and older, is so no more, and what is newer
/// only where it is so against that one.
pub fn accept(
    records: &[BackupRecord],
    id: &BackupId,
    least_percent: Option<f64>,
) -> Vec<BackupRecord> {
    let mut all = records.to_vec();
    all.sort_by(by_age);
    let mut changed = Vec::new();
    let mut is_newer = false;
    for place in 0..all.len() {
        let Some(record) = all.get(place).filter(|it| it.suspicious.is_some()) else {
            is_newer |= all.get(place).is_some_and(|it| it.id == *id);
            continue;
        };
        let suspicious = match is_newer {
            true => suspicion(&all, record, least_percent).map(|it| it.why),
            false => None,
        };
        is_newer |= record.id == *id;
        if suspicious != record.suspicious
            && let Some(record) = all.get_mut(place)
        {
            record.suspicious = suspicious;
            changed.push(record.clone());
        }
    }
    changed
}

#[cfg(test)]
mod tests;
