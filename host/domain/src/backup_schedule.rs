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

use crate::{
    backup::BackupType,
    spec::JobSpec,
    spec::Schedule,
    text::excerpt,
    time::{Timestamp, millis},
};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Zoned, tz::TimeZone};
use std::{collections::BTreeMap, time::Duration};

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
pub fn next_slot(schedule: &Schedule, after: Timestamp) -> Result<Timestamp, ScheduleError> {
    match schedule {
        Schedule::Every(every) => {
            let every = millis(*every).max(1);
            let past = after.as_millis() / every;
            Ok(Timestamp::from_millis(
                past.saturating_add(1).saturating_mul(every),
            ))
        }
        Schedule::Cron { expression, zone } => {
            let (cron, start) = at(expression, zone, after)?;
            let found = cron.find_next_occurrence(&start, false);
            found
                .map(|slot| timestamp(&slot))
                .map_err(|_| ScheduleError::Never(expression.clone()))
        }
    }
}

/// The slot that is due: the newest one at or before `now`, where it is after the last one used. A schedule that
/// was never used is due at once.
pub fn due(
    schedule: &Schedule,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ScheduleError> {
    let Some(last) = used(schedule, last, now)? else {
        return Ok(Some(newest_slot(schedule, now)?.unwrap_or(now)));
    };
    let first = next_slot(schedule, last)?;
    if first > now {
        return Ok(None);
    }
    let mut slot = newest_slot(schedule, now)?
        .filter(|newest| *newest > first)
        .unwrap_or(first);
    loop {
        match next_slot(schedule, slot) {
            Ok(next) if next <= now => slot = next,
            Ok(_) | Err(ScheduleError::Never(_)) => return Ok(Some(slot)),
            Err(error) => return Err(error),
        }
    }
}

/// When a schedule is due next: the past where it is due now.
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

/// The backup of a job that is due, if any: a full covers a differential, and both cover an incremental.
pub fn due_backup(
    job: &JobSpec,
    last: &LastSlots,
    now: Timestamp,
) -> Result<Option<DueBackup>, ScheduleError> {
    let mut slots = Vec::new();
    for backup_type in SCHEDULED {
        if let Some(schedule) = schedule_of(job, backup_type)
            && let Some(slot) = due(schedule, last.get(&backup_type).copied(), now)?
        {
            slots.push((backup_type, slot));
        }
    }
    Ok(slots
        .first()
        .copied()
        .map(|(backup_type, _)| DueBackup { backup_type, slots }))
}

/// When a job's next backup is due; none where it has no schedule.
pub fn next_backup(
    job: &JobSpec,
    last: &LastSlots,
    now: Timestamp,
) -> Result<Option<Timestamp>, ScheduleError> {
    let mut earliest: Option<Timestamp> = None;
    for backup_type in SCHEDULED {
        if let Some(schedule) = schedule_of(job, backup_type) {
            let next = next_due(schedule, last.get(&backup_type).copied(), now)?;
            earliest = Some(earliest.map_or(next, |earliest| earliest.min(next)));
        }
    }
    Ok(earliest)
}

/// The longest that a job waits between two backups in the eight days after `now`, within the first thousand slots:
/// a recovery point objective below it cannot be met. None where it has no schedule.
pub fn longest_wait(job: &JobSpec, now: Timestamp) -> Result<Option<Duration>, ScheduleError> {
    let mut last: LastSlots = SCHEDULED
        .into_iter()
        .map(|backup_type| (backup_type, now))
        .collect();
    let (mut at, mut longest) = (now, None);
    for step in 0..1000 {
        let Some(next) = next_backup(job, &last, at)? else {
            break;
        };
        if step > 0 {
            longest = longest.max(Some(next.since(at)));
        }
        last.values_mut().for_each(|slot| *slot = next);
        at = next;
        if at.since(now) > Duration::from_secs(8 * 86_400) && step > 0 {
            break;
        }
    }
    Ok(longest)
}

/// The newest slot at or before `now`; none where the search finds none.
fn newest_slot(schedule: &Schedule, now: Timestamp) -> Result<Option<Timestamp>, ScheduleError> {
    match schedule {
        Schedule::Every(every) => {
            let every = millis(*every).max(1);
            Ok(Some(Timestamp::from_millis(
                now.as_millis() / every * every,
            )))
        }
        Schedule::Cron { expression, zone } => {
            let (cron, start) = at(expression, zone, now)?;
            let found = cron.find_previous_occurrence(&start, true).ok();
            Ok(found
                .map(|slot| timestamp(&slot))
                .filter(|slot| *slot <= now))
        }
    }
}

/// The longest expression that is read, in bytes: all values of all fields, one by one, are less.
const LONGEST_EXPRESSION: usize = 1024;

/// A cron expression. One with a field that names nothing is refused, for a time that fits it is looked for second by
/// second through a year.
fn cron_of(expression: &str) -> Result<Cron, ScheduleError> {
    let refused = |why: String| ScheduleError::Expression {
        expression: excerpt(expression),
        why,
    };
    if expression.len() > LONGEST_EXPRESSION {
        return Err(refused(format!(
            "it has more than {LONGEST_EXPRESSION} bytes"
        )));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    let cron = parser
        .parse(expression)
        .map_err(|error| refused(error.to_string()))?;
    let fields = expression.split_whitespace();
    if fields.flat_map(|field| field.split(',')).any(str::is_empty) {
        return Err(refused("a comma stands between two values".to_owned()));
    }
    let pattern = &cron.pattern;
    let times = [
        (&pattern.seconds, "second"),
        (&pattern.minutes, "minute"),
        (&pattern.hours, "hour"),
        (&pattern.months, "month"),
    ];
    let never = times.iter().find(|(field, _)| field.values().is_empty());
    if let Some((_, name)) = never {
        return Err(refused(format!("its {name} is none")));
    }
    let days = [&pattern.days, &pattern.days_of_week];
    if days
        .iter()
        .any(|field| field.values().is_empty() && !field.has_modifiers())
    {
        return Err(refused("its day is none".to_owned()));
    }
    Ok(cron)
}

fn at(expression: &str, zone: &str, time: Timestamp) -> Result<(Cron, Zoned), ScheduleError> {
    let cron = cron_of(expression)?;
    let zone = match zone {
        "UTC" => TimeZone::UTC,
        name => TimeZone::get(name).map_err(|_| ScheduleError::Zone(zone.to_owned()))?,
    };
    let seconds = i64::try_from(time.as_millis() / 1000).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    Ok((cron, time.to_zoned(zone)))
}

fn timestamp(time: &Zoned) -> Timestamp {
    Timestamp::from_millis(u64::try_from(time.timestamp().as_millisecond()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
