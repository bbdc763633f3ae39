//! `[[maintenance]]`.

use super::{
    super::{
        context::EntityKind,
        reader::ValueAt,
        values::{existing, one_of, positive_duration, text},
    },
    job::{SOME_DAY, cron},
};
use mainstay_domain::{
    backup_schedule::never_pauses,
    name::TargetName,
    pause::LONGEST_PAUSE,
    spec::{MaintenanceBegin, MaintenanceSpec},
    time::Timestamp,
};
use std::time::Duration;

/// A shorter one would be over before anybody has seen it.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a window does: whether it holds alerts back, and whether it pauses recovery.
const MODES: [(&str, (bool, bool)); 3] = [
    ("both", (true, true)),
    ("alerts", (true, false)),
    ("recovery", (false, true)),
];

pub(super) fn maintenance(at: ValueAt<'_>) -> Option<MaintenanceSpec> {
    at.fields("this maintenance window", |fields| {
        let target = existing(EntityKind::Target, TargetName::parse);
        let example = "targets = [\"api\"]";
        let targets = fields.some_of("targets", example, "the whole host", target);
        let zone = fields.get("zone");
        let (once, again) = (fields.get("at"), fields.get("cron"));
        let length = fields.required("duration", "duration = \"2h\"", length);
        let mode = |at| one_of("what a window does", &MODES, at);
        let (holds_alerts, pauses_recovery) = fields.or("mode", (true, true), mode);
        if once.is_some() && zone.is_some() {
            let message = "`zone` is for `cron`, and `at` says its own";
            fields.needs(message, "leave `zone` out, or write the offset in `at`");
        }
        let begins = match (once, again) {
            (Some(at), None) => time(at).map(MaintenanceBegin::At),
            (None, Some(at)) => cron(at, zone).map(MaintenanceBegin::Every),
            _ => {
                fields.needs(
                    "this maintenance window needs one of `at` and `cron`",
                    "write at = \"2026-12-01T03:00:00Z\" for one that comes once, or cron = \"0 3 * * 0\"",
                );
                None
            }
        };
        if let (Some(MaintenanceBegin::Every(schedule)), Some(length)) = (&begins, length)
            && never_pauses(schedule, length, SOME_DAY)
        {
            fields.context.warn(
                fields.place,
                "this maintenance window is never closed: each time begins before the one before it has ended",
                "write a shorter `duration`, or a `cron` that comes round less often; `mainstay pause` and `mainstay silence` \
                 hold without a window",
            );
        }
        Some(MaintenanceSpec {
            targets,
            begins: begins?,
            length: length?,
            holds_alerts,
            pauses_recovery,
        })
    })
}

fn time(at: ValueAt<'_>) -> Option<Timestamp> {
    match Timestamp::parse(&text(at)?) {
        Ok(time) => Some(time),
        Err(error) => at.refuse(
            error.to_string(),
            "write e.g. at = \"2026-12-01T03:00:00Z\"",
        ),
    }
}

fn length(at: ValueAt<'_>) -> Option<Duration> {
    let length = positive_duration(at)?;
    match (SHORTEST..=LONGEST_PAUSE).contains(&length) {
        true => Some(length),
        false => at.not("the length of a window", "write from \"1s\" to \"30d\""),
    }
}
