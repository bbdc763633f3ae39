//! `[[job]]`.

mod archive;
mod checkpoints;
mod drill;
mod expression;
mod reading;
mod sealing;
mod source;
mod tiers;
mod verify;

pub(super) use checkpoints::hooks;
pub(super) use drill::drills;
pub(super) use expression::cron;
pub(super) use sealing::identities;

use super::super::{
    context::EntityKind,
    document::Value,
    reader::ValueAt,
    values::{
        as_written, count, defined, duration, existing, interval, name, one_of, percent,
        positive_duration, version, whole,
    },
};
use expression::judge_rhythm;
use mainstay_domain::{
    backup_schedule::{self, SCHEDULED},
    jitter::part,
    name::{JobName, PluginName, TargetName},
    spec::{
        HookSpec, JobSpec, ProofSchedules, RestoreDrillSpec, RetentionSpec, Schedule, SealingSpec,
        StartSpec, WindowSpec,
    },
    time::Timestamp,
};
use semver::VersionReq;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
const QUARTER_OF_AN_HOUR: Duration = Duration::from_secs(900);
/// What is younger is not stale, however often it is taken: nobody wrote that it matters.
const LEAST_STALE: Duration = Duration::from_secs(3_600);

/// A job of the host with this name.
pub(super) fn job(at: ValueAt<'_>, host: &str) -> Option<JobSpec> {
    at.fields("this job", |fields| {
        let job_name = defined(EntityKind::Job, JobName::parse);
        let job_name = fields.required("name", "name = \"state\"", job_name);
        let example = "source = [ { kind = \"directory\", path = \"data\" } ]";
        let sources = fields.required("source", example, |at| {
            let sources = source::sources(at, &format!("write {example}"))?;
            let found_none = matches!(&at.node.value, Value::Array(items) if items.is_empty());
            if found_none {
                return at.refuse(
                    "`source` names nothing to back up",
                    format!("write {example}"),
                );
            }
            Some(sources)
        });
        let reading = reading::reading(fields);
        let target = existing(EntityKind::Target, TargetName::parse);
        let after = fields.list("after", "after = [\"postgres\"]", target);
        let is_of_seed = fields.optional("schedule", of_seed).is_some();
        let seeds = |every| is_of_seed.then_some(Schedule::Every(every));
        let full = fields.or("full", Schedule::Every(DAY), when);
        let differential = fields.optional("differential", when);
        let differential = differential.or_else(|| seeds(DAY / 4));
        let incremental = fields.optional("incremental", when);
        let incremental = incremental.or_else(|| seeds(QUARTER_OF_AN_HOUR));
        let rpo = fields.get("rpo");
        let sealing = sealing::sealing(fields);
        let compression = fields.or("compression", 3, whole(1..=19));
        let shrink_guard = fields.optional("shrink_guard", percent);
        let hooks = HookSpec {
            before: checkpoints::command(fields, "before"),
            after_success: checkpoints::command(fields, "after_success"),
            after_failure: checkpoints::command(fields, "after_failure"),
        };
        let retention = fields.optional("retention", retention);
        let checkpoints = fields.optional("checkpoints", checkpoints::checkpoints);
        let (verify, sample) = fields.or("verify", (weekly(), None), verify::verify);
        // Where nothing here opens what is stored, nothing is restored to nowhere.
        let is_locked = sealing.as_ref().is_some_and(SealingSpec::is_locked);
        let plain = match is_locked {
            false => (weekly(), RestoreDrillSpec::default()),
            true => Default::default(),
        };
        let drilled = match is_locked {
            false => drill::drill,
            true => drill::drill_of_locked,
        };
        let (drilled, drill) = fields.or("drill", plain, drilled);
        let proofs = ProofSchedules {
            verify,
            sample,
            drill: drilled,
        };
        let jitter = fields.get("jitter");
        let window = fields.optional("window", window);
        let tiers = fields.or("tiers", Default::default(), tiers::tiers);
        let archive = fields.optional("archive", archive::archive);
        let job_name = job_name?;
        let longest = jitter.and_then(duration);
        let mut spec = JobSpec {
            sources: sources?,
            reading,
            starts: StartSpec {
                delay: part(
                    longest.unwrap_or_default(),
                    format_args!("{host}/{job_name}"),
                ),
                window,
            },
            after,
            full: Some(full),
            differential,
            incremental,
            rpo: rpo.and_then(positive_duration),
            stale_after: None,
            compression,
            shrink_guard,
            hooks,
            retention,
            checkpoints,
            proofs,
            drill,
            tiers,
            archive,
            sealing: sealing?,
            name: job_name,
        };
        if let (Some(at), Some(longest)) = (jitter, longest) {
            judge_jitter(&spec, longest, at);
        }
        let wait = backup_schedule::longest_wait(&spec, SOME_DAY)
            .ok()
            .flatten();
        match rpo {
            Some(rpo) => judge_rpo(&spec, wait, rpo),
            None => spec.stale_after = wait.map(|wait| (2 * wait).max(LEAST_STALE)),
        }
        Some(spec)
    })
}

/// What is not written of the schedules is as in seed 003.
fn of_seed(at: ValueAt<'_>) -> Option<()> {
    one_of("a set of schedules", &[("seed", ())], at)
}

/// What a config is warned about does not change with the day on which it is read: 1 January 2025.
pub(super) const SOME_DAY: Timestamp = Timestamp::from_millis(1_735_689_600_000);

/// A backup that begins after its next slot would be one for both.
fn judge_jitter(job: &JobSpec, longest: Duration, at: ValueAt<'_>) {
    let gaps = SCHEDULED.into_iter().filter_map(|backup_type| {
        let schedule = backup_schedule::schedule_of(job, backup_type)?;
        let slot = backup_schedule::next_slot(schedule, SOME_DAY).ok()?;
        let next = backup_schedule::next_slot(schedule, slot).ok()?;
        Some((next.since(slot), backup_type))
    });
    let shortest = gaps.min().filter(|(gap, _)| longest >= *gap);
    if let Some((gap, backup_type)) = shortest {
        at.refuse::<()>(
            format!(
                "`jitter` is {}, and {} pass from one {backup_type} backup to the next",
                as_written(longest),
                as_written(gap)
            ),
            "write less than the time between two backups",
        );
    }
}

/// An objective shorter than the time between two backups is a promise that nobody keeps.
fn judge_rpo(job: &JobSpec, wait: Option<Duration>, at: ValueAt<'_>) {
    let (Some(rpo), Some(wait)) = (job.rpo, wait) else {
        return;
    };
    if wait > rpo {
        let (rpo, wait) = (as_written(rpo), as_written(wait));
        at.context.warn(
            at.node.place,
            format!(
                "the schedules cannot meet an `rpo` of {rpo}: up to {wait} pass between two backups"
            ),
            format!("add incremental = \"{rpo}\" or a shorter one, or allow a longer `rpo`"),
        );
    }
}

/// What is taken more often is the whole work of a machine, and a journal that is full of it.
const LEAST_EVERY: Duration = Duration::from_millis(100);
/// What is taken more often is hardly meant.
const FEW_EVERY: Duration = Duration::from_secs(10);

fn when(at: ValueAt<'_>) -> Option<Schedule> {
    const HELP: &str =
        "write an interval, e.g. \"24h\", or { cron = \"0 3 * * *\", zone = \"Europe/Berlin\" }";
    match &at.node.value {
        Value::Text(text) if is_meant_as_cron(text) => at.not("an interval", HELP),
        Value::Text(_) => interval(LEAST_EVERY, FEW_EVERY, at).map(Schedule::Every),
        Value::Table(_) => at.fields("the schedule", |fields| {
            let zone = fields.get("zone");
            fields.required("cron", "cron = \"0 3 * * *\"", |at| {
                let schedule = cron(at, zone)?;
                judge_rhythm(&schedule, at);
                Some(schedule)
            })
        }),
        _ => at.not("a schedule", HELP),
    }
}

/// Several words, or one as `@daily`: no interval is meant.
fn is_meant_as_cron(text: &str) -> bool {
    text.split_whitespace().count() > 2 || text.starts_with('@')
}

fn window(at: ValueAt<'_>) -> Option<WindowSpec> {
    at.fields("the window", |fields| {
        let zone = fields.get("zone");
        let opens = fields.required("cron", "cron = \"0 22 * * *\"", |at| cron(at, zone));
        let length = fields.required("duration", "duration = \"8h\"", positive_duration);
        Some(WindowSpec {
            opens: opens?,
            length: length?,
        })
    })
}

fn weekly() -> Option<Schedule> {
    Some(Schedule::Every(7 * DAY))
}

/// As [`when`]; what is proven by default can be left to who asks.
fn when_or_never(at: ValueAt<'_>) -> Option<Option<Schedule>> {
    match at.as_text() {
        Some("never") => Some(None),
        _ => when(at).map(Some),
    }
}

fn retention(at: ValueAt<'_>) -> Option<RetentionSpec> {
    at.fields("the retention", |fields| {
        let policy = name(PluginName::parse);
        let policy = fields.required("policy", "policy = \"gfs-retention\"", policy);
        Some(RetentionSpec {
            version: fields.or("version", VersionReq::STAR, version),
            every: fields.or("every", DAY, |at| interval(LEAST_EVERY, LEAST_EVERY, at)),
            min_redundancy: fields.or("min_redundancy", 1, count),
            immutable_for: fields.or("immutable_for", Duration::ZERO, duration),
            trash_for: fields.or("trash_for", DAY, duration),
            policy: policy?,
        })
    })
}
