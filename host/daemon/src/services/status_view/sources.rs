//! Where the status is gathered from.

use super::ChangedTargets;
use crate::ports::{
    BackupOperator, Clock, ConditionView, HostView, JobStatus, Looked, PluginView, RecoveryControl,
    SilenceControl, StatusFacts, TargetControl, UnwellTier, Watch,
};
use mainstay_api::{
    AlerterRow, HostStatus, JobRow, NotStarted, OpenWindow, PluginRow, RecoveryPause, ReloadRow,
    Rest, Silence, Status, TargetRow, TierRow, Unseen, Unstarted,
};
use mainstay_domain::{
    health::{Health, Outcome},
    id::IncidentId,
    name::TargetName,
};
use std::{collections::BTreeMap, sync::Arc};

/// What the monitor puts before what a check saw that the start excuses; the health says that too.
const STARTING: &str = "starting: ";

/// Where the status is gathered from.
#[derive(Clone)]
#[allow(missing_docs, reason = "the traits say what each is")]
pub struct StatusSources {
    pub host: Arc<dyn HostView>,
    pub plugins: Arc<dyn PluginView>,
    pub watch: Arc<dyn Watch>,
    pub targets: Arc<dyn TargetControl>,
    pub recovery: Arc<dyn RecoveryControl>,
    pub silences: Arc<dyn SilenceControl>,
    pub backups: Arc<dyn BackupOperator>,
    pub condition: Arc<dyn ConditionView>,
    pub clock: Arc<dyn Clock>,
    pub changed: ChangedTargets,
}

impl StatusSources {
    /// Gathers the status as it is now, all of it.
    pub fn gather(&self) -> Status {
        let facts = self.host.facts();
        let targets = facts.targets.iter();
        let targets = targets.map(|(name, priority)| self.row(name, *priority));
        let targets = targets.collect();
        let around = self.around(facts);
        Status {
            host: around.host,
            targets,
            plugins: around.plugins,
            jobs: around.jobs,
            last_reload: around.last_reload,
            unhandled_routes: around.unhandled_routes,
            alerters: around.alerters,
            silences: around.silences,
            maintenance: around.maintenance,
            tiers: around.tiers,
        }
    }

    /// The row of one target as it is now.
    pub fn row(&self, name: &TargetName, priority: u8) -> TargetRow {
        let (health, circuit) = self.watch.health(name).unwrap_or_default();
        let process = self.targets.status(name);
        let active = self.recovery.active(name).unwrap_or_default();
        TargetRow {
            name: name.to_string(),
            health: health.into(),
            degraded: (health == Health::Degraded)
                .then(|| degraded_by(self.watch.last_looks(name))),
            circuit: circuit.into(),
            incident: active.incident.map(|id| id.to_string()),
            operation: active.operation.map(|id| id.to_string()),
            rests: active.rests.map(|rest| Rest {
                until: rest.until.to_string(),
                why: rest.why,
            }),
            waits: waits_of(active.waits),
            pause: active.pause.map(RecoveryPause::from),
            held: active.held,
            unseen: self.watch.unseen(name).map(|unseen| Unseen {
                since: unseen.since.to_string(),
                why: unseen.why,
            }),
            priority,
            paused: self.recovery.is_paused(Some(name)),
            paused_until: self.recovery.paused_until(Some(name)).map(String::from),
            pid: process.as_ref().and_then(|process| process.pid),
            service_pid: self.targets.service_pid(name),
            restarts: process.map_or(0, |process| process.restarts),
            not_started: self
                .targets
                .not_started(name)
                .filter(|_| health != Health::Healthy)
                .map(|not_started| NotStarted {
                    at: not_started.at.to_string(),
                    why: not_started.why,
                }),
            unstarted: self.targets.unstarted(name).map(|unstarted| Unstarted {
                since: unstarted.since.to_string(),
                why: unstarted.why,
            }),
            not_yet: (health == Health::Starting)
                .then(|| not_passed(self.watch.last_looks(name)))
                .flatten(),
            completed: self.targets.has_completed(name),
            stopped: self.targets.held(name),
        }
    }

    pub(super) fn around(&self, facts: StatusFacts) -> Around {
        let job = |job: JobStatus| JobRow {
            name: job.name.to_string(),
            last_verified: job.last_verified.map(String::from),
            last_status: job.last_status.map(Into::into),
            last_incomplete: job.last_incomplete,
            last_error: job.last_error,
            next_due: job.next_due.map(String::from),
            rpo_met: job.rpo_met,
            waits: job.waits,
            last_checkpoint: job.last_checkpoint.map(String::from),
            next_checkpoint: job.next_checkpoint.map(String::from),
            last_drill: job.last_drill.as_ref().map(Into::into),
        };
        let tier = |unwell: UnwellTier| TierRow {
            name: unwell.tier.to_string(),
            failed_at: unwell.failed_at.to_string(),
            why: unwell.why,
            left_alone_until: unwell.rests_until.map(String::from),
        };
        let plugins = self.plugins.rows();
        let silences = self.silences.silences();
        Around {
            host: HostStatus {
                name: facts.name,
                version: facts.version,
                phase: self.recovery.phase().to_string(),
                mode: Some(self.condition.mode().into()),
                charter: facts.charter,
                backup_key: facts.backup_key,
                started_at: facts.started_at.to_string(),
                contract_versions: facts.contract_versions,
                config_digest: facts.config_digest,
                paused: self.recovery.is_paused(None),
                paused_until: self.recovery.paused_until(None).map(String::from),
            },
            plugins: plugins.iter().map(PluginRow::from).collect(),
            jobs: self.backups.jobs().into_iter().map(job).collect(),
            last_reload: self.host.last_reload().map(|reload| ReloadRow {
                at: reload.at.to_string(),
                ok: reload.ok,
                error: reload.error,
            }),
            unhandled_routes: facts.unhandled_routes,
            alerters: facts.alerters.iter().map(AlerterRow::from).collect(),
            silences: silences
                .iter()
                .map(|(silence, until)| Silence::of(silence, *until))
                .collect(),
            maintenance: facts.maintenance.iter().map(OpenWindow::from).collect(),
            tiers: self.backups.unwell_tiers().into_iter().map(tier).collect(),
        }
    }
}

/// What makes a target degraded: a check that warns, or that fails and has not failed as often as it may.
pub(super) fn degraded_by(looks: Vec<Looked>) -> String {
    let seen = looks.into_iter().filter_map(|look| look.seen);
    let amiss = seen.filter(|seen| matches!(seen.outcome, Outcome::Degraded | Outcome::Failed));
    let amiss: Vec<String> = amiss
        .map(|seen| format!("{}: {}", seen.check, seen.evidence.message))
        .collect();
    match amiss.is_empty() {
        true => "a check warned or failed a moment ago".to_owned(),
        false => amiss.join("; "),
    }
}

/// What keeps a target from being healthy that starts: the checks that have not passed, and what they saw. What was seen before
/// the start says nothing of it.
pub(super) fn not_passed(looks: Vec<Looked>) -> Option<String> {
    let seen = looks.into_iter().filter_map(|look| look.seen);
    let failed = seen.filter(|seen| seen.outcome == Outcome::Failed);
    let amiss: Vec<String> = failed
        .filter_map(|seen| {
            let message = seen.evidence.message.strip_prefix(STARTING)?;
            Some(format!("{}: {message}", seen.check))
        })
        .collect();
    (!amiss.is_empty()).then(|| amiss.join("; "))
}

/// All that waits for a person, in the order of its incidents.
fn waits_of(waits: BTreeMap<IncidentId, String>) -> Option<String> {
    let waits: Vec<String> = waits.into_values().collect();
    (!waits.is_empty()).then(|| waits.join("; "))
}

/// All but the targets.
pub(super) struct Around {
    host: HostStatus,
    plugins: Vec<PluginRow>,
    jobs: Vec<JobRow>,
    last_reload: Option<ReloadRow>,
    unhandled_routes: Vec<String>,
    alerters: Vec<AlerterRow>,
    silences: Vec<Silence>,
    maintenance: Vec<OpenWindow>,
    tiers: Vec<TierRow>,
}

impl Around {
    /// What stands before the rows of the targets and what stands after them.
    pub(super) fn json(&self) -> serde_json::Result<(Vec<u8>, Vec<u8>)> {
        let mut before = br#"{"host":"#.to_vec();
        serde_json::to_writer(&mut before, &self.host)?;
        before.extend_from_slice(br#","targets":["#);
        let mut after = br#"],"plugins":"#.to_vec();
        serde_json::to_writer(&mut after, &self.plugins)?;
        after.extend_from_slice(br#","jobs":"#);
        serde_json::to_writer(&mut after, &self.jobs)?;
        after.extend_from_slice(br#","last_reload":"#);
        serde_json::to_writer(&mut after, &self.last_reload)?;
        after.extend_from_slice(br#","unhandled_routes":"#);
        serde_json::to_writer(&mut after, &self.unhandled_routes)?;
        after.extend_from_slice(br#","alerters":"#);
        serde_json::to_writer(&mut after, &self.alerters)?;
        after.extend_from_slice(br#","silences":"#);
        serde_json::to_writer(&mut after, &self.silences)?;
        after.extend_from_slice(br#","maintenance":"#);
        serde_json::to_writer(&mut after, &self.maintenance)?;
        after.extend_from_slice(br#","tiers":"#);
        serde_json::to_writer(&mut after, &self.tiers)?;
        after.push(b'}');
        Ok((before, after))
    }
}
