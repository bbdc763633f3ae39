//! `checkpoints` of a job: when they are taken, how many are kept, and what a rollback runs.

use super::{
    super::super::{
        context::EntityKind,
        reader::{Fields, ValueAt},
        values::{existing, positive_duration, whole},
    },
    DAY, when,
};
use mainstay_domain::{
    name::CommandName,
    spec::{CheckpointSpec, Schedule},
};
use std::time::Duration;

/// More of them nobody looks through.
const MOST_KEPT: u32 = 10_000;

pub(super) fn checkpoints(at: ValueAt<'_>) -> Option<CheckpointSpec> {
    at.fields("the checkpoints", |fields| {
        let quarter = Schedule::Every(Duration::from_secs(15 * 60));
        let automatic = fields.or("automatic", quarter, when);
        let daily = fields.or("daily", Schedule::Every(DAY), when);
        let keep = fields.or("keep", 50, whole(1..=MOST_KEPT));
        let max_age = fields.or("max_age", 7 * DAY, positive_duration);
        let (pause, check, resume) = (
            command(fields, "pause"),
            command(fields, "check"),
            command(fields, "resume"),
        );
        if pause.is_some() != resume.is_some() {
            fields.needs(
                "`pause` and `resume` of checkpoints belong together, and one of them is not here",
                "name the command that pauses and the one that resumes, or neither",
            );
        }
        Some(CheckpointSpec {
            automatic,
            daily,
            keep,
            max_age,
            pause,
            check,
            resume,
        })
    })
}

fn command(fields: &mut Fields<'_>, key: &'static str) -> Option<CommandName> {
    fields.optional(key, existing(EntityKind::Command, CommandName::parse))
}
