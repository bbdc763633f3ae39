//! `checkpoints` of a job: when they are taken, how many are kept, and what a rollback runs.

use super::{
    super::super::{
        context::{Context, EntityKind},
        reader::{Fields, ValueAt},
        values::{existing, positive_duration, whole},
    },
    DAY, when,
};
use mainstay_domain::{
    name::CommandName,
    spec::{CheckpointSpec, CommandSpec, Schedule},
};
use std::{collections::BTreeMap, time::Duration};

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
        if fields.get("pause").is_some() != fields.get("resume").is_some() {
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

/// A command that runs without anybody who would have values for it.
pub(super) fn command(fields: &mut Fields<'_>, key: &'static str) -> Option<CommandName> {
    fields.optional(key, |at| {
        let name = existing(EntityKind::Command, CommandName::parse)(at)?;
        let mut facts = at.context.facts.borrow_mut();
        facts.hooks.push((name.clone(), at.node.place));
        Some(name)
    })
}

/// Nobody has values for their placeholders: that is not to be found out when they run.
pub(in super::super) fn hooks(
    context: &Context<'_>,
    commands: &BTreeMap<CommandName, CommandSpec>,
) {
    let facts = context.facts.borrow();
    for (name, place) in &facts.hooks {
        let command = commands.get(name);
        if command.is_some_and(|command| !command.placeholders.is_empty()) {
            context.error(
                *place,
                format!(
                    "the command `{name}` has placeholders, and nobody has values for them here"
                ),
                "name a command without `placeholders`",
            );
        }
    }
}
