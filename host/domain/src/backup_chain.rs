//! How backups depend on each other: what becomes of a document by the links of a chain, which chain a new backup joins,
//! and which backups a restore needs.
//!
//! Invariant: composing a chain gives exactly the state whose last difference ends it, deletions included.
//! Invariant: a plan to restore holds every link from the backup back to one that stands alone, or is an error.
//!
//! Length: composing, joining and planning are one subject, each with its typed errors; apart they would share all
//! imports.

mod place;

pub use place::Place;

use crate::{
    archive::{DocumentKey, Entry},
    backup::{BackupRecord, BackupStatus, BackupType},
    code::ErrorCode,
    id::BackupId,
    name::JobName,
    time::Timestamp,
};
use std::collections::{HashMap, HashSet};

/// Why the links of a chain do not give a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A document says that its content is its parent's, or stored already, and nothing before holds it.
    #[error(
        "the content of `{0}` is in none of the chain's archives; a link was replaced or damaged"
    )]
    NoContent(DocumentKey),
    /// One archive names a document twice.
    #[error("the archive names `{0}` twice; it was not written by mainstay")]
    Twice(DocumentKey),
}

/// What becomes of a document by the links of a chain that were told so far, newest first, so that each document is decided
/// where it is first seen and its content is written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is gone.
    Gone,
    /// It belongs to the state; its content is to come from an older link.
    Wanted(Entry),
    /// It belongs to the state, and its content was there.
    Complete(Entry),
}

impl Fate {
    /// What a link says that has this document; `inherited`: without its content.
    pub fn of(entry: Entry, inherited: bool) -> Self {
        match inherited {
            true => Self::Wanted(entry),
            false => Self::Complete(entry),
        }
    }

    /// Whether its content is to come from an older link.
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::Wanted(_))
    }

    /// What becomes of it where an older link says this.
    ///
    /// # Errors
    /// [`ComposeError::NoContent`] where its content is to come from an older link, and this one has it otherwise, as another
    /// document, or says that it is gone.
    pub fn over(self, key: &DocumentKey, older: &Self) -> Result<Self, ComposeError> {
        let Self::Wanted(entry) = self else {
            return Ok(self);
        };
        match older {
            Self::Wanted(_) => Ok(Self::Wanted(entry)),
            Self::Complete(older) if older.link().is_none() && entry.same_content(older) => {
                Ok(Self::Complete(entry))
            }
            Self::Gone | Self::Complete(_) => Err(ComposeError::NoContent(key.clone())),
        }
    }

    /// The document in the state, after the oldest link; none where it is gone.
    ///
    /// # Errors
    /// [`ComposeError::NoContent`] where its content came from no link.
    pub fn finish(self, key: &DocumentKey) -> Result<Option<Entry>, ComposeError> {
        match self {
            Self::Gone => Ok(None),
            Self::Complete(entry) => Ok(Some(entry)),
            Self::Wanted(_) => Err(ComposeError::NoContent(key.clone())),
        }
    }
}

/// Why a backup cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupChainError {
    /// It is not in the catalog.
    #[error("there is no backup {0}; `mainstay backup list` shows those that there are")]
    Unknown(BackupId),
    /// Something that it needs is not in the catalog.
    #[error(
        "backup {needed_by} needs {missing}, which is not there; restore an older one, or rebuild the catalog [{code}]",
        code = ErrorCode::BackupUnusable
    )]
    Missing {
        /// What is missing.
        missing: BackupId,
        /// What needs it.
        needed_by: BackupId,
    },
    /// It holds nothing to restore from.
    #[error(
        "backup {id} is {status}; restore one that does not need it [{code}]",
        code = ErrorCode::BackupUnusable
    )]
    UnusableItself {
        /// The backup that was asked for.
        id: BackupId,
        /// How it stands.
        status: &'static str,
    },
    /// Something that it needs holds nothing to restore from.
    #[error(
        "backup {needed_by} needs {unusable}, which is {status}; restore one that does not need it [{code}]",
        code = ErrorCode::BackupUnusable
    )]
    Unusable {
        /// What is unusable.
        unusable: BackupId,
        /// How it stands.
        status: &'static str,
        /// What needs it.
        needed_by: BackupId,
    },
    /// The parents lead in a circle, or to a parent that cannot be one.
    #[error(
        "the parents of backup {0} do not lead to a full backup; rebuild the catalog [{code}]",
        code = ErrorCode::BackupUnusable
    )]
    Tangled(BackupId),
}

fn unusable(status: BackupStatus) -> Option<&'static str> {
    match status {
        BackupStatus::Completed | BackupStatus::Verified | BackupStatus::Expired => None,
        BackupStatus::Pending => Some("pending"),
        BackupStatus::InProgress => Some("in progress"),
        BackupStatus::Failed => Some("failed"),
        BackupStatus::Corrupted => Some("corrupted"),
    }
}

/// The backups that restoring `id` needs, the one that stands alone first and `id` last.
///
/// # Errors
/// [`BackupChainError`]: `id` is not among the records; it, or one that it needs, is not there or cannot be used; or the chain leads
/// in a circle, or to another job.
pub fn plan_restore(
    records: &[BackupRecord],
    id: &BackupId,
) -> Result<Vec<BackupRecord>, BackupChainError> {
    let by_id: HashMap<&BackupId, &BackupRecord> =
        records.iter().map(|record| (&record.id, record)).collect();
    let mut next = *by_id
        .get(id)
        .ok_or_else(|| BackupChainError::Unknown(id.clone()))?;
    let mut plan = vec![next.clone()];
    loop {
        if let Some(status) = unusable(next.status) {
            let (unusable, needed_by) = (next.id.clone(), id.clone());
            if unusable == needed_by {
                return Err(BackupChainError::UnusableItself {
                    id: unusable,
                    status,
                });
            }
            return Err(BackupChainError::Unusable {
                unusable,
                status,
                needed_by,
            });
        }
        let Some(parent) = &next.parent else { break };
        let missing = || BackupChainError::Missing {
            missing: parent.clone(),
            needed_by: next.id.clone(),
        };
        let above = *by_id.get(parent).ok_or_else(missing)?;
        if plan.len() > records.len() || above.job != next.job {
            return Err(BackupChainError::Tangled(id.clone()));
        }
        plan.push(above.clone());
        next = above;
    }
    if !next.backup_type.stands_alone() {
        return Err(BackupChainError::Tangled(id.clone()));
    }
    plan.reverse();
    Ok(plan)
}

/// How records stand with all that they need: one that was found right, and needs another that is corrupted, was not
/// taken or is gone, is corrupted too, and its reason says what it needs. What the records themselves say is not
/// changed by that: where the other is mended, it is right again.
pub fn standing(mut records: Vec<BackupRecord>) -> Vec<BackupRecord> {
    let why: Vec<Option<String>> = {
        let by_id: HashMap<&BackupId, &BackupRecord> =
            records.iter().map(|record| (&record.id, record)).collect();
        let why = |record: &BackupRecord| match record.status {
            BackupStatus::Completed | BackupStatus::Verified => broken_link(&by_id, record),
            _ => None,
        };
        records.iter().map(why).collect()
    };
    for (record, why) in records.iter_mut().zip(why) {
        if let Some(why) = why {
            record.status = BackupStatus::Corrupted;
            record.reason = Some(why);
        }
    }
    records
}

/// What keeps a backup from being restored that is right itself, for people.
fn broken_link(by_id: &HashMap<&BackupId, &BackupRecord>, record: &BackupRecord) -> Option<String> {
    let mut next = record;
    for _ in 0..=by_id.len() {
        let Some(parent) = &next.parent else {
            return None;
        };
        let Some(above) = by_id.get(parent) else {
            return Some(format!("it needs {parent}, which is not there"));
        };
        if let Some(status) = unusable(above.status) {
            return Some(format!("it needs {parent}, which is {status}"));
        }
        next = above;
    }
    Some("what it needs leads in a circle".to_owned())
}

/// The backups of a job that are newer than the one that was chosen, and corrupted, or incomplete or suspicious where that one
/// is not: their state is not in what it gives. Never an emergency backup, which is not chosen either. The newest first, each
/// with how it stands.
pub fn skipped(
    records: Vec<BackupRecord>,
    chosen: &BackupRecord,
    now: Timestamp,
) -> Vec<BackupRecord> {
    let mut newer = standing(records);
    let suspects: HashSet<BackupId> = suspects(&newer).into_iter().cloned().collect();
    let is_passed_over = |record: &BackupRecord| match record.status {
        BackupStatus::Corrupted => true,
        BackupStatus::Verified => {
            let is_suspect = |record: &BackupRecord| suspects.contains(&record.id);
            (record.incomplete && !chosen.incomplete) || (is_suspect(record) && !is_suspect(chosen))
        }
        _ => false,
    };
    newer.retain(|record| {
        record.job == chosen.job
            && is_passed_over(record)
            && record.backup_type != BackupType::Emergency
            && by_age_at(now, record, chosen).is_gt()
    });
    newer.sort_by(|a, b| by_age_at(now, b, a));
    newer
}

/// Older before newer: by the time that the sources were read, then by the identifiers' random parts.
pub fn by_age(a: &BackupRecord, b: &BackupRecord) -> std::cmp::Ordering {
    let ulid = |record: &BackupRecord| {
        record
            .id
            .as_str()
            .split_once('-')
            .map(|(_, ulid)| ulid.to_owned())
    };
    a.created_at
        .cmp(&b.created_at)
        .then_with(|| ulid(a).cmp(&ulid(b)))
}

/// Older before newer, with those that lie in the future before all others: they were taken while the clock was wrong,
/// and would be the newest ones until it is that late.
pub fn by_age_at(now: Timestamp, a: &BackupRecord, b: &BackupRecord) -> std::cmp::Ordering {
    let is_past = |record: &BackupRecord| record.created_at <= now;
    is_past(a).cmp(&is_past(b)).then_with(|| by_age(a, b))
}

/// The backups that are suspicious, or need one that is.
pub fn suspects(records: &[BackupRecord]) -> HashSet<&BackupId> {
    let by_id: HashMap<&BackupId, &BackupRecord> =
        records.iter().map(|record| (&record.id, record)).collect();
    let is_suspect = |record: &&BackupRecord| {
        let mut next = *record;
        for _ in 0..=records.len() {
            if next.suspicious.is_some() {
                return true;
            }
            let above = next.parent.as_ref().and_then(|parent| by_id.get(parent));
            let Some(above) = above else {
                return false;
            };
            next = *above;
        }
        false
    };
    let suspects = records.iter().filter(is_suspect);
    suspects.map(|record| &record.id).collect()
}

/// The backups that are verified with all that they need.
pub fn verified(records: &[BackupRecord]) -> HashSet<&BackupId> {
    let by_id: HashMap<&BackupId, &BackupRecord> =
        records.iter().map(|record| (&record.id, record)).collect();
    let is_verified = |record: &&BackupRecord| {
        let mut next = *record;
        for _ in 0..=records.len() {
            if next.status != BackupStatus::Verified {
                return false;
            }
            let Some(parent) = &next.parent else {
                return next.backup_type.stands_alone();
            };
            let Some(above) = by_id.get(parent) else {
                return false;
            };
            next = above;
        }
        false
    };
    records
        .iter()
        .filter(is_verified)
        .map(|record| &record.id)
        .collect()
}

/// The newest backup of a job that is verified with all that it needs, at or before a time. Never an emergency backup:
/// it holds what was there before a restore, and so what the restore was to get rid of; it can be asked for by its
/// name. One that is incomplete only where there is no other, and of those one from the future; one that holds a selection
/// alone where there is nothing else.
pub fn newest_verified<'a>(
    records: &'a [BackupRecord],
    job: &JobName,
    before: Option<Timestamp>,
    now: Timestamp,
) -> Option<&'a BackupRecord> {
    let is_wanted = |record: &BackupRecord| record.backup_type != BackupType::Emergency;
    let of_all = |record: &BackupRecord| is_wanted(record) && !record.selection;
    newest_where(records, job, before, now, of_all)
        .or_else(|| newest_where(records, job, before, now, is_wanted))
}

/// As [`newest_verified`], of one type: an emergency backup too, where that is the type.
pub fn newest_verified_of<'a>(
    records: &'a [BackupRecord],
    job: &JobName,
    (of_type, before): (BackupType, Option<Timestamp>),
    now: Timestamp,
) -> Option<&'a BackupRecord> {
    newest_where(records, job, before, now, |record| {
        record.backup_type == of_type
    })
}

fn newest_where<'a>(
    records: &'a [BackupRecord],
    job: &JobName,
    before: Option<Timestamp>,
    now: Timestamp,
    is_wanted: impl Fn(&BackupRecord) -> bool,
) -> Option<&'a BackupRecord> {
    let verified = verified(records);
    let suspects = suspects(records);
    let of_job = records
        .iter()
        .filter(|record| &record.job == job && verified.contains(&record.id))
        .filter(|record| is_wanted(record));
    let in_time = of_job.filter(|record| before.is_none_or(|before| record.created_at <= before));
    in_time.max_by(|a, b| {
        let by_trust = suspects.contains(&b.id).cmp(&suspects.contains(&a.id));
        let by_completeness = b.incomplete.cmp(&a.incomplete);
        by_trust
            .then(by_completeness)
            .then_with(|| by_age_at(now, a, b))
    })
}

/// As [`newest_verified`], and complete: what an objective is met by.
pub fn newest_complete<'a>(
    records: &'a [BackupRecord],
    job: &JobName,
    now: Timestamp,
) -> Option<&'a BackupRecord> {
    newest_verified(records, job, None, now).filter(|record| record.is_whole())
}

/// What a new backup of this type is the difference to: the chain of its parent, the full one first. Empty where it
/// stands alone; none where it needs a verified full backup and there is none.
///
/// A differential joins the newest verified full; an incremental joins the newest verified backup of any kind in the
/// chain of that full. What lies in the future is older than all else here.
pub fn join(
    records: &[BackupRecord],
    job: &JobName,
    backup_type: BackupType,
    now: Timestamp,
) -> Option<Vec<BackupRecord>> {
    if backup_type.stands_alone() {
        return Some(Vec::new());
    }
    let verified = verified(records);
    let usable = || {
        records
            .iter()
            .filter(|record| &record.job == job && verified.contains(&record.id))
    };
    let fulls = usable().filter(|record| record.backup_type == BackupType::Full);
    let base = fulls.max_by(|a, b| by_age_at(now, a, b))?;
    let parent = match backup_type {
        BackupType::Differential => base,
        _ => usable()
            .filter(|record| record.base == base.id)
            .max_by(|a, b| by_age_at(now, a, b))?,
    };
    plan_restore(records, &parent.id).ok()
}

#[cfg(test)]
mod tests;
