//! `drill` of a job: when its newest backup is tried, where, and what is started on it.

use super::{
    super::super::{
        context::{Context, EntityKind},
        document::Value,
        reader::{Fields, ValueAt},
        values::{existing, path, plain},
    },
    weekly, when_or_never,
};
use mainstay_domain::{
    name::{CommandName, TargetName},
    spec::{CommandSpec, RestoreDrillSpec, Schedule, Spec},
};

/// A schedule alone, or a table with all that there is to say.
pub(super) fn drill(at: ValueAt<'_>) -> Option<(Option<Schedule>, RestoreDrillSpec)> {
    let is_whole = matches!(&at.node.value, Value::Table(table) if !table.contains_key("cron"));
    if !is_whole {
        return Some((when_or_never(at)?, RestoreDrillSpec::default()));
    }
    let read = at.fields("the drill", |fields| {
        let every = fields.or("every", weekly(), when_or_never);
        let scratch = fields.optional("scratch", path);
        let start = command(fields, "start");
        let check = command(fields, "check");
        let target = existing(EntityKind::Target, TargetName::parse);
        let target = fields.optional("target", target);
        let says_healthy = ["check", "target"].map(|key| fields.get(key).is_some());
        if start.is_some() && says_healthy == [false, false] {
            fields.needs(
                "`start` of a drill needs `target` or `check`: nothing says whether what it starts is healthy",
                "name the target whose checks are to look at it, or a command that looks",
            );
        }
        let drill = RestoreDrillSpec {
            scratch,
            start,
            check,
            target,
        };
        Some((every, drill))
    })?;
    let mut facts = at.context.facts.borrow_mut();
    facts.drills.push((read.1.clone(), at.node.place));
    Some(read)
}

/// As [`drill`], of a job whose backups nothing here opens.
pub(super) fn drill_of_locked(at: ValueAt<'_>) -> Option<(Option<Schedule>, RestoreDrillSpec)> {
    match drill(at)? {
        (None, drill) => Some((None, drill)),
        (Some(_), _) => at.refuse(
            "a drill restores what is stored, and nothing here opens it",
            "add identity = { file = \"keys/drill.txt\" }, or write drill = \"never\"",
        ),
    }
}

fn command(fields: &mut Fields<'_>, key: &'static str) -> Option<CommandName> {
    fields.optional(key, existing(EntityKind::Command, CommandName::parse))
}

/// What a drill names must serve it: that is not to be found out when it runs.
pub(in super::super) fn drills(context: &Context<'_>, spec: &Spec) {
    let facts = context.facts.borrow();
    let store = plain(&spec.backups());
    for (drill, place) in &facts.drills {
        let error = |message: String, help: &str| context.error(*place, message, help);
        if let Some(scratch) = &drill.scratch {
            let scratch = plain(scratch);
            if scratch.starts_with(&store) {
                error(
                    format!(
                        "`scratch` of this drill lies in {}, where backups are stored",
                        store.display()
                    ),
                    "name another directory, or leave it out: a drill has a place of its own there",
                );
            }
            let mut sources = facts.backed_up.iter().map(|(path, _)| plain(path));
            if let Some(source) = sources.find(|source| scratch.starts_with(source)) {
                error(
                    format!(
                        "`scratch` of this drill lies in {}, which is backed up: a backup would hold what a drill writes",
                        source.display()
                    ),
                    "name a directory that no job backs up",
                );
            }
        }
        let found = |name: &Option<CommandName>| spec.commands.get(name.as_ref()?);
        let (start, check) = (found(&drill.start), found(&drill.check));
        for (key, name, command) in [
            ("start", &drill.start, start),
            ("check", &drill.check, check),
        ] {
            let (Some(name), Some(command)) = (name, command) else {
                continue;
            };
            let known = |placeholder: &&String| match placeholder.as_str() {
                RestoreDrillSpec::SCRATCH => true,
                RestoreDrillSpec::PORT => drill.start.is_some(),
                _ => false,
            };
            if let Some(other) = command.placeholders.iter().find(|it| !known(it)) {
                error(
                    format!(
                        "the command `{name}` has the placeholder `{other}`, for which a drill has no value"
                    ),
                    "a drill has `scratch`, the directory with what was restored, and, where it starts something, `port`",
                );
            }
            if !takes(command, RestoreDrillSpec::SCRATCH) && (key == "start" || start.is_none()) {
                error(
                    format!(
                        "the command `{name}` does not take `{{scratch}}`, so it would not look at what was restored"
                    ),
                    "write {scratch} among its arguments, and placeholders = [\"scratch\"]",
                );
            }
        }
        let target = drill.target.as_ref().and_then(|name| spec.target(name));
        let (Some(start), Some(name), Some(target)) = (start, &drill.target, target) else {
            continue;
        };
        // Whatever the port is.
        let looks = target.checks.iter().any(|check| check.of_copy(1).is_some());
        if looks && !takes(start, RestoreDrillSpec::PORT) {
            error(
                format!(
                    "the command that this drill starts does not take `{{port}}`, where the checks of `{name}` would look for it"
                ),
                "write {port} among its arguments, and placeholders = [\"scratch\", \"port\"]",
            );
        }
        if !looks && drill.check.is_none() {
            error(
                format!(
                    "no check of `{name}` can look at what this drill starts: none is of plain `tcp`, `http`, `redis`, `postgres`, `engine` or `s3`"
                ),
                "add check = \"NAME\", a command that says by exit code 0 that it is healthy",
            );
        }
    }
}

fn takes(command: &CommandSpec, placeholder: &str) -> bool {
    command.placeholders.iter().any(|it| it == placeholder)
}
