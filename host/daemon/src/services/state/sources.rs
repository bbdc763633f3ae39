//! Where the status is gathered from.

use super::{ChangedTargets, HostStatus, JobRow, ReloadRow, Status, TargetRow};
use crate::ports::{
    BackupOperator, Clock, HostView, JobStatus, PluginView, RecoveryControl, StatusFacts,
    TargetControl, Watch,
};
use mainstay_domain::{name::TargetName, plugin::PluginRow};
use std::sync::Arc;

/// Where the status is gathered from.
#[derive(Clone)]
#[allow(missing_docs, reason = "the traits say what each is")]
pub struct StatusSources {
    pub host: Arc<dyn HostView>,
    pub plugins: Arc<dyn PluginView>,
    pub watch: Arc<dyn Watch>,
    pub targets: Arc<dyn TargetControl>,
    pub recovery: Arc<dyn RecoveryControl>,
    pub backups: Arc<dyn BackupOperator>,
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
        let rest = self.rest(facts);
        Status {
            host: rest.host,
            targets,
            plugins: rest.plugins,
            jobs: rest.jobs,
            last_reload: rest.last_reload,
        }
    }

    pub(super) fn row(&self, name: &TargetName, priority: u8) -> TargetRow {
        let (health, circuit) = self.watch.health(name).unwrap_or_default();
        let process = self.targets.status(name);
        let active = self.recovery.active(name).unwrap_or_default();
        TargetRow {
            name: name.clone(),
            health,
            circuit,
            incident: active.incident,
            operation: active.operation,
            rests: active.rests,
            priority,
            paused: self.recovery.is_paused(Some(name)),
            pid: process.as_ref().and_then(|process| process.pid),
            restarts: process.map_or(0, |process| process.restarts),
        }
    }

    pub(super) fn rest(&self, facts: StatusFacts) -> Rest {
        let job = |job: JobStatus| JobRow {
            name: job.name,
            last_verified: job.last_verified,
            last_status: job.last_status,
            next_due: job.next_due,
            rpo_met: job.rpo_met,
        };
        Rest {
            host: HostStatus {
                name: facts.name,
                version: facts.version,
                phase: facts.phase,
                started_at: facts.started_at,
                contract_versions: facts.contract_versions,
                config_digest: facts.config_digest,
                paused: self.recovery.is_paused(None),
            },
            plugins: self.plugins.rows(),
            jobs: self.backups.jobs().into_iter().map(job).collect(),
            last_reload: self.host.last_reload().map(|reload| ReloadRow {
                at: reload.at,
                ok: reload.ok,
                error: reload.error,
            }),
        }
    }
}

/// All but the targets.
pub(super) struct Rest {
    host: HostStatus,
    plugins: Vec<PluginRow>,
    jobs: Vec<JobRow>,
    last_reload: Option<ReloadRow>,
}

impl Rest {
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
        after.push(b'}');
        Ok((before, after))
    }
}
