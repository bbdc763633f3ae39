//! One key of alerts: what it is of, and who was told that something is wrong with it.

use super::concern::{Concern, concern};
use crate::{
    backup::BackupType,
    event::{Event, EventKind},
    id::{AlertId, BackupId},
    name::{CheckName, JobName, PluginName, TargetName, TierName},
    severity::Severity,
    spec::{JobSpec, Spec},
    tier_order::tier_order,
    time::Timestamp,
};
use std::collections::BTreeMap;

/// What has a key, and who was told of it.
#[derive(Debug, Clone)]
pub(super) struct OpenKey {
    pub(super) target: Option<TargetName>,
    pub(super) check: Option<CheckName>,
    pub(super) job: Option<JobName>,
    pub(super) plugin: Option<String>,
    pub(super) tier: Option<TierName>,
    pub(super) by: BTreeMap<PluginName, Told>,
}

/// The faults with one key of which one alerter told. It is over when all of them are.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Each as it was told.
    pub(super) kinds: BTreeMap<EventKind, Fault>,
    /// The greatest of any.
    pub(super) severity: Severity,
}

/// How one alerter was told of a fault.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// It was before the start that is to come.
    pub(super) before: bool,
    /// When it was told last.
    pub(super) at: Timestamp,
    /// How bad it was then.
    pub(super) severity: Severity,
    /// The message that said so.
    pub(super) alert: AlertId,
    /// That was given up: nobody was told.
    pub(super) is_lost: bool,
    /// What was said of it then, in short.
    pub(super) said: u64,
    /// The backup that it was about then.
    pub(super) backup: Option<BackupId>,
}

impl OpenKey {
    pub(super) fn about(event: &Event) -> Self {
        Self {
            target: event.target.clone(),
            check: event.data.check().cloned(),
            job: event.job.clone(),
            plugin: event.plugin.clone(),
            tier: event.data.refused_by().cloned(),
            by: BTreeMap::new(),
        }
    }

    /// Takes away the faults that are over; for whom none is left, and how bad it was.
    pub(super) fn take(
        &mut self,
        is_over: impl Fn(EventKind, &Fault) -> bool,
    ) -> Vec<(PluginName, Severity)> {
        let mut over = Vec::new();
        self.by.retain(|alerter, told| {
            told.kinds.retain(|kind, fault| !is_over(*kind, fault));
            if told.kinds.is_empty() {
                over.push((alerter.clone(), told.severity));
            }
            !told.kinds.is_empty()
        });
        over
    }

    /// Why nothing will ever end a fault of this kind: the config does not name any more what it is of. An incident has
    /// an end of its own for that.
    pub(super) fn why_gone(&self, kind: EventKind, spec: &Spec) -> Option<String> {
        if matches!(concern(kind), Concern::Fires(ends) if ends.contains(&EventKind::IncidentClosed))
        {
            return None;
        }
        if let Some(name) = &self.job {
            let Some(job) = spec.jobs.iter().find(|job| job.name == *name) else {
                return Some(format!("the config does not name job {name} any more"));
            };
            return match kind {
                EventKind::BackupRpoMissed if job.oldest().is_none() => {
                    Some(format!("job {name} has no `rpo` any more"))
                }
                EventKind::RetentionFailed if job.retention.is_none() => {
                    Some(format!("job {name} has no `retention` any more"))
                }
                EventKind::RollbackFailed if job.checkpoints.is_none() => {
                    Some(format!("job {name} has no `checkpoints` any more"))
                }
                EventKind::BackupFellOver => {
                    let tier = self.tier.as_ref()?;
                    (!is_wanted(tier, job, spec))
                        .then(|| format!("job {name} stores nothing in the tier {tier} any more"))
                }
                _ => None,
            };
        }
        let name = self.target.as_ref()?;
        let Some(target) = spec.target(name) else {
            return Some(format!("the config does not name target {name} any more"));
        };
        let check = self.check.as_ref()?;
        // A supervised process is looked at without a check of it.
        let is_looked_at = *check == CheckName::process() && target.process.is_some();
        let is_there = is_looked_at || target.checks.iter().any(|one| one.name == *check);
        (!is_there).then(|| format!("target {name} has no check {check} any more"))
    }
}

/// Whether backups of any type of a job belong in a tier.
fn is_wanted(tier: &TierName, job: &JobSpec, spec: &Spec) -> bool {
    let archive = job.archive.as_ref();
    let mut types = BackupType::ALL.into_iter();
    archive.is_some_and(|archive| archive.tier == *tier)
        || types.any(|backup_type| tier_order(job, &spec.tiers, backup_type).contains(tier))
}
