//! A cron expression, and the zone that it is in.

use super::{
    super::super::{
        reader::ValueAt,
        values::{as_written, text},
    },
    FEW_EVERY, SOME_DAY,
};
use mainstay_domain::{
    backup_schedule::{self, ScheduleError},
    spec::Schedule,
};

/// Whether there is a zone of this name, which is an error where not.
fn is_zone(name: &str, at: ValueAt<'_>) -> bool {
    let noon = Schedule::Cron {
        expression: "0 12 * * *".to_owned(),
        zone: name.to_owned(),
    };
    let judged = backup_schedule::next_slot(&noon, SOME_DAY);
    if let Err(error @ ScheduleError::Zone(_)) = judged {
        at.refuse::<()>(
            error.to_string(),
            "write zone = \"UTC\" or e.g. zone = \"Europe/Berlin\"",
        );
        return false;
    }
    true
}

/// A cron expression, in a zone that may be written beside it.
pub(in super::super) fn cron<'a>(at: ValueAt<'a>, zone: Option<ValueAt<'a>>) -> Option<Schedule> {
    let named = zone.and_then(text);
    let is_zone = match (zone, &named) {
        (Some(zone), Some(named)) => is_zone(named, zone),
        (zone, _) => zone.is_none(),
    };
    // Each is judged, whether or not the other is wrong.
    let utc = || "UTC".to_owned();
    let schedule = Schedule::Cron {
        expression: text(at)?,
        zone: named.filter(|_| is_zone).unwrap_or_else(utc),
    };
    match backup_schedule::next_slot(&schedule, SOME_DAY) {
        Ok(_) => is_zone.then_some(schedule),
        Err(error @ ScheduleError::Never(_)) => {
            at.refuse(error.to_string(), "name a day that exists in some month")
        }
        Err(error) => at.refuse(
            error.to_string(),
            "write e.g. \"0 3 * * *\" for three o'clock each day",
        ),
    }
}

/// Warns where a cron expression comes round very often.
pub(super) fn judge_rhythm(schedule: &Schedule, at: ValueAt<'_>) {
    let next = |after| backup_schedule::next_slot(schedule, after).ok();
    let Some(slot) = next(SOME_DAY) else { return };
    let wait = next(slot).map(|after| after.since(slot));
    if let Some(wait) = wait.filter(|wait| *wait < FEW_EVERY) {
        at.context.warn(
            at.node.place,
            format!(
                "`{}` comes round every {}, which is very often: each run costs, and is written down",
                at.key,
                as_written(wait)
            ),
            "write five fields for once in a minute at most, unless it is meant",
        );
    }
}
