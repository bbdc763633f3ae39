//! What the daemon is doing now: the object that `status --json` prints.
//!
//! Invariant: an answer is never older than an event that was published before the question, nor than [`MAX_AGE`],
//! except that building may take at most a third of one core's time: after an answer that took `t` to build, the
//! same one is given for `2 t` whatever happens. On a host with some hundred targets that is well below 1 ms.

mod changed;

pub use changed::ChangedTargets;

use crate::ports::{
    BackupOperator, Clock, HostView, Journal, PluginView, RecoveryControl, TargetControl, Watch,
};
use mainstay_domain::{
    backup::BackupStatus,
    breaker::CircuitState,
    event::Event,
    health::Health,
    id::{IncidentId, OperationId},
    name::{JobName, TargetName},
    plugin::PluginRow,
    time::{Monotonic, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::broadcast::Receiver;

/// Counters that no event tells of are at most this old.
pub const MAX_AGE: Duration = Duration::from_millis(100);

/// What `status --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The host.
    pub host: HostStatus,
    /// Its targets, in the order of the config.
    pub targets: Vec<TargetRow>,
    /// Its plugins.
    pub plugins: Vec<PluginRow>,
    /// Its backup jobs.
    pub jobs: Vec<JobRow>,
    /// How the last reload of config or plugins ended; absent where there was none since the start.
    pub last_reload: Option<ReloadRow>,
}

/// The host, in `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostStatus {
    /// What the host calls itself.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// The operating phase.
    pub phase: String,
    /// When the daemon started.
    pub started_at: Timestamp,
    /// The contract versions that it speaks.
    pub contract_versions: Vec<String>,
    /// BLAKE3 over the config in use, hexadecimal.
    pub config_digest: String,
    /// Whether automatic recovery is paused.
    pub paused: bool,
}

/// One target, in `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetRow {
    /// Its name.
    pub name: TargetName,
    /// By its checks.
    pub health: Health,
    /// Its circuit breaker.
    pub circuit: CircuitState,
    /// Its open incident.
    pub incident: Option<IncidentId>,
    /// Its operation that has not ended.
    pub operation: Option<OperationId>,
    /// 1 is most urgent.
    pub priority: u8,
    /// Whether its automatic recovery is paused.
    pub paused: bool,
    /// Of the supervised process, where one runs.
    pub pid: Option<u32>,
    /// Of the supervised process.
    pub restarts: u32,
}

/// One backup job, in `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    /// Its name.
    pub name: JobName,
    /// When its newest verified backup was taken.
    pub last_verified: Option<Timestamp>,
    /// How its newest backup stands.
    pub last_status: Option<BackupStatus>,
    /// When the next one is due.
    pub next_due: Option<Timestamp>,
    /// Whether the newest verified backup is within the recovery point objective; absent where there is none.
    pub rpo_met: Option<bool>,
}

/// The last reload, in `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReloadRow {
    /// When.
    pub at: Timestamp,
    /// Whether it was applied.
    pub ok: bool,
    /// Why not.
    pub error: Option<String>,
}

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
}

impl StatusSources {
    /// Gathers the status as it is now.
    pub fn gather(&self) -> Status {
        let facts = self.host.facts();
        let mut active: HashMap<_, _> = self
            .recovery
            .active()
            .into_iter()
            .map(|active| (active.target, (active.incident, active.operation)))
            .collect();
        let targets = facts.targets.into_iter().map(|(name, priority)| {
            let (health, circuit) = self.watch.health(&name).unwrap_or_default();
            let (incident, operation) = active.remove(&name).unwrap_or_default();
            let process = self.targets.status(&name);
            TargetRow {
                health,
                circuit,
                incident,
                operation,
                priority,
                paused: self.recovery.is_paused(Some(&name)),
                pid: process.as_ref().and_then(|process| process.pid),
                restarts: process.map_or(0, |process| process.restarts),
                name,
            }
        });
        Status {
            targets: targets.collect(),
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
            jobs: self
                .backups
                .jobs()
                .into_iter()
                .map(|job| JobRow {
                    name: job.name,
                    last_verified: job.last_verified,
                    last_status: job.last_status,
                    next_due: job.next_due,
                    rpo_met: job.rpo_met,
                })
                .collect(),
            last_reload: self.host.last_reload().map(|reload| ReloadRow {
                at: reload.at,
                ok: reload.ok,
                error: reload.error,
            }),
        }
    }
}

/// Answers `status` from memory.
pub struct StatusCache {
    sources: StatusSources,
    cached: Mutex<Cached>,
}

struct Cached {
    json: Arc<[u8]>,
    built: Monotonic,
    cost: Duration,
    news: Receiver<Arc<Event>>,
}

impl StatusCache {
    /// A cache that builds its first answer now.
    pub fn new(sources: StatusSources, journal: &dyn Journal) -> Self {
        let mut cached = Cached {
            json: Arc::from([]),
            built: Monotonic::default(),
            cost: Duration::ZERO,
            news: journal.subscribe(),
        };
        cached.build(&sources);
        Self {
            sources,
            cached: Mutex::new(cached),
        }
    }

    /// The status as JSON.
    pub fn json(&self) -> Arc<[u8]> {
        // A poisoned lock holds a whole answer still: it is replaced in one assignment.
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let age = self.sources.clock.monotonic().since(cached.built);
        let stale = !cached.news.is_empty() || age >= MAX_AGE;
        if stale && age >= cached.cost * 2 {
            cached.build(&self.sources);
        }
        cached.json.clone()
    }
}

impl Cached {
    fn build(&mut self, sources: &StatusSources) {
        let start = sources.clock.monotonic();
        // Before it is gathered, so that an event in between makes the next question gather again.
        self.news = self.news.resubscribe();
        match serde_json::to_vec(&sources.gather()) {
            Ok(json) => self.json = json.into(),
            Err(error) => tracing::error!(%error, "cannot write the status as JSON"),
        }
        self.built = sources.clock.monotonic();
        self.cost = self.built.since(start);
    }
}

#[cfg(test)]
mod tests;
