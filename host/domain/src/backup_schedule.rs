//! When backups are due.
//!
//! A schedule has *slots*. A slot is used by one run, or by a later one that covers it: after a pause all missed
//! slots of a schedule are one run. Slots depend on nothing but the schedule, so a restart moves none of them.
//!
//! Invariant: after a run at `now`, nothing is due before the next slot after `now`.
//! Invariant: whatever the last slot is, a clock that runs on meets a slot that is due within one period and a tenth: a
//! last slot in the future was used while the clock was wrong, and counts as none.
//! Invariant: a daylight-saving change neither skips nor doubles a slot at a fixed time of day: what falls into the
//! hour that does not exist runs right after it, and what falls into the hour that comes twice runs the first time.

mod overlap;
mod slots;
mod starts;

use crate::{
    backup::BackupType,
    spec::{JobSpec, Schedule, StartSpec},
    time::Timestamp,
};
use slots::{Slots, newest_slot};
use std::{collections::BTreeMap, time::Duration};

pub use overlap::never_pauses;

/// What can be on a schedule, the one that covers the others first.
pub const SCHEDULED: [BackupType; 3] = [
    BackupType::Full,
    BackupType::Differential,
    BackupType::Incremental,
];

/// So far a clock is set back by the way, as by a time service. What is more is a clock that was wrong.
const A_LITTLE: Duration = Duration::from_secs(10);

/// Why a schedule has no slots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It is no cron expression.
    #[error(
        "`{expression}` is not a cron expression: {why}; five fields are allowed (minute hour day month weekday), or six with seconds first"
    )]
    Expression {
        /// What was given.
        expression: String,
        /// What croner says.
        why: String,
    },
    /// There is no such time zone.
    #[error(
        "there is no time zone `{0}`; allowed are `UTC` and the names of the machine's time zone database, e.g. `Europe/Berlin`"
    )]
    Zone(String),
    /// No time fits it.
    #[error("`{0}` never happens; look at its day and month")]
    Never(String),
}

/// The last slot of each type that was used.
pub type LastSlots = BTreeMap<BackupType, Timestamp>;

/// One run, and the slots that it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueBackup {
    /// What is to be taken.
    pub backup_type: BackupType,
    /// The slots that it uses, its own first.
    pub slots: Vec<(BackupType, Timestamp)>,
    /// Where it catches up: the first slot that nothing was taken at, and that was followed by others. The run covers
    /// that one, those that it uses, and all between.
    pub missed_since: Option<Timestamp>,
}

/// A slot that is due, and those that were missed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueSlot {
    /// The newest at or before the time of the look: the one that a run uses.
    pub slot: Timestamp,
    /// The first one since the last that was used; the same as `slot` where none was missed.
    pub first: Timestamp,
}

impl DueSlot {
    /// The first of those that were missed, where one was.
    pub fn missed_since(self) -> Option<Timestamp> {
        (self.first < self.slot).then_some(self.first)
    }
}

/// The schedule of a type in a job.
pub fn schedule_of(job: &JobSpec, backup_type: BackupType) -> Option<&Schedule> {
    match backup_type {
        BackupType::Full => job.full.as_ref(),
        BackupType::Differential => job.differential.as_ref(),
        BackupType::Incremental => job.incremental.as_ref(),
        BackupType::Snapshot | BackupType::Emergency => None,
    }
}

/// The first slot after a time.
///
/// # Errors
/// [`ScheduleError`]: the cron expression or the time zone is none, or no time fits it any more.
pub fn next_slot(schedule: &Schedule, after: Timestamp) -> Result<Timestamp, ScheduleError> {
    Slots::of(schedule)?.after(after)
}

/// The slot that is due: the newest one at or before `now`, where it is after the last one used. A schedule that
/// was never used is due at once.
///
/// # Errors
/// [`ScheduleError`]: the cron expression or the time zone is none, or no time fits it any more.
pub fn due(
    schedule: &Schedule,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ScheduleError> {
    Ok(due_slot(schedule, last, now)?.map(|due| due.slot))
}

/// As [`due`], with what was missed before it.
///
/// # Errors
/// [`ScheduleError`]: the cron expression or the time zone is none, or no time fits it any more.
pub fn due_slot(
    schedule: &Schedule,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<DueSlot>, ScheduleError> {
    let (first, mut slot) = match used(schedule, last, now)? {
        None => (None, newest_slot(schedule, now)?.unwrap_or(now)),
        Some(last) => {
            let first = next_slot(schedule, last)?;
            if first > now {
                return Ok(None);
            }
            let newest = newest_slot(schedule, now)?.filter(|newest| *newest > first);
            (Some(first), newest.unwrap_or(first))
        }
    };
    loop {
        match next_slot(schedule, slot) {
            Ok(next) if next <= now => slot = next,
            Ok(_) | Err(ScheduleError::Never(_)) => {
                let first = first.unwrap_or(slot);
                return Ok(Some(DueSlot { slot, first }));
            }
            Err(error) => return Err(error),
        }
    }
}

/// When a schedule is due next: the past where it is due now.
///
/// # Errors
/// [`ScheduleError`]: the cron expression or the time zone is none, or no time fits it any more.
pub fn next_due(
    schedule: &Schedule,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Result<Timestamp, ScheduleError> {
    match used(schedule, last, now)? {
        None => Ok(now),
        Some(last) => next_slot(schedule, last),
    }
}

/// The last slot that counts as used. One in the future was used while the clock was wrong: who waited for it would
/// take no backup until then. Only one that is next, and only just ahead, was used before the clock went back a
/// little; forgetting that would double it.
fn used(
    schedule: &Schedule,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ScheduleError> {
    let Some(last) = last.filter(|last| *last > now) else {
        return Ok(last);
    };
    let next = next_slot(schedule, now)?;
    if last > next {
        return Ok(None);
    }
    let little = match next_slot(schedule, next) {
        Ok(after) => (after.since(next) / 10).min(A_LITTLE),
        Err(ScheduleError::Never(_)) => A_LITTLE,
        Err(error) => return Err(error),
    };
    Ok((last.since(now) <= little).then_some(last))
}

/// Whether what is due of a job may begin now, by its window.
///
/// # Errors
/// The window has no slots.
pub fn may_begin(starts: &StartSpec, now: Timestamp) -> Result<bool, ScheduleError> {
    starts::is_open(starts, now)
}

/// The backup of a job that is due and may begin, if any: a full covers a differential, and both cover an incremental.
///
/// # Errors
/// [`ScheduleError`]: the cron expression or the time zone is none, or no time fits it any more.
pub fn due_backup(
    job: &JobSpec,
    last: &LastSlots,
    now: Timestamp,
) -> Result<Option<DueBackup>, ScheduleError> {
    if !may_begin(&job.starts, now)? {
        return Ok(None);
    }
    let mut slots = Vec::new();
    let mut missed_since: Option<Timestamp> = None;
    for backup_type in SCHEDULED {
        if let Some(schedule) = schedule_of(job, backup_type)
            && let Some(due) = due_slot(schedule, last.get(&backup_type).copied(), now)?
        {
            // What is taken now covers the others too, though they would wait.
            if slots.is_empty() && due.first + job.starts.delay > now {
                continue;
            }
            slots.push((backup_type, due.slot));
            missed_since = [missed_since, due.missed_since()]
                .into_iter()
                .flatten()
                .min();
        }
    }
    let first = slots.first().copied();
    Ok(first.map(|(backup_type, _)| DueBackup {
        backup_type,
        slots,
        missed_since,
    }))
}

/// When a job's next backup is due; none where it has no schedule.
///
/// # Errors
/// [`ScheduleError`]: the cron expression or the time zone is none, or no time fits it any more.
pub fn next_backup(
    job: &JobSpec,
    last: &LastSlots,
    now: Timestamp,
) -> Result<Option<Timestamp>, ScheduleError> {
    let mut earliest: Option<Timestamp> = None;
    for backup_type in SCHEDULED {
        if let Some(schedule) = schedule_of(job, backup_type) {
            let last = last.get(&backup_type).copied();
            let mut next = next_due(schedule, last, now)?;
            if job.starts != StartSpec::default() {
                let first = due_slot(schedule, last, now)?.map_or(next, |due| due.first);
                next = starts::open_from(&job.starts, (first + job.starts.delay).max(now))?;
            }
            earliest = Some(earliest.map_or(next, |earliest| earliest.min(next)));
        }
    }
    Ok(earliest)
}

/// The longest that a job waits between two backups in the eight days after `now`, within the first thousand slots:
/// a recovery point objective below it cannot be met. None where it has no schedule.
///
/// # Errors
/// [`ScheduleError`]: the cron expression or the time zone is none, or no time fits it any more.
pub fn longest_wait(job: &JobSpec, now: Timestamp) -> Result<Option<Duration>, ScheduleError> {
    let schedules = SCHEDULED.into_iter();
    let schedules = schedules.filter_map(|backup_type| schedule_of(job, backup_type));
    let schedules: Vec<Slots<'_>> = schedules.map(Slots::of).collect::<Result<_, _>>()?;
    let (mut at, mut longest) = (now, None);
    for step in 0..1000 {
        let mut earliest: Option<Timestamp> = None;
        for schedule in &schedules {
            let next = schedule.after(at)?;
            earliest = Some(earliest.map_or(next, |earliest| earliest.min(next)));
        }
        let Some(next) = earliest else {
            break;
        };
        let next = starts::open_from(&job.starts, next)?;
        if step > 0 {
            longest = longest.max(Some(next.since(at)));
        }
        at = next;
        if at.since(now) > Duration::from_secs(8 * 86_400) && step > 0 {
            break;
        }
    }
    Ok(longest)
}

#[cfg(test)]
mod tests;
