//! Events: everything that happened, in order. They are what `mainstay events` shows and what alerts are made of.
//!
//! Invariant: the data of an event are the same JSON when they are read and written again, whichever version wrote them.

mod alert;
mod backup;
mod call;
mod data;
mod facts;
mod host;
mod incident;
mod kind;
mod log_level;
mod note;
mod operation;
mod parse;
mod plugin;
mod silence;
mod target;

pub use alert::{AlertDelivery, AlertHeld, AlertQueued};
pub use backup::{
    BackupAccepted, BackupDeleted, BackupFellOver, BackupHeld, BackupMoved, BackupReleased,
    BackupRestored, BackupSuspected, BackupTaken, BackupTrashed, BackupUndeleted, CheckpointTaken,
    RollbackFacts,
};
pub use call::{
    EffectInDoubt, EffectResolved, OperationDiverged, OperationSignalled, OperationSuspended,
};
pub use data::EventData;
pub use host::{
    CharterBroken, ConfigApplied, ConfigRejected, JournalDamaged, ModeChanged, MonitorBlind,
    PausedBy, PausedFor, PhaseChanged, PolicyChanged, RecordSetAside,
};
pub use incident::{
    AfterEscalation, IncidentAcknowledged, IncidentClosed, IncidentEnd, IncidentFacts,
    IncidentOpened, IncidentOverdue, IncidentReopened, IncidentUnacknowledged, IncidentWorsened,
    OperationEscalated, RtoExceeded,
};
pub use kind::EventKind;
pub use log_level::EventLogLevel;
pub use note::NoteAdded;
pub use operation::{
    EffectPerformed, OperationApproved, OperationAskedFor, OperationAwaitingManual,
    OperationCancelled, OperationEnded, OperationFacts, OperationOutcome, OperationResumed,
    OperationRetrying, OperationScheduled, OperationStarted, OperationValidating,
};
pub use plugin::{PluginRejected, PluginServing, PluginWithdrawn};
pub use silence::{SilenceBegan, SilenceEnded};
pub use target::{
    CheckDegraded, CheckFailed, CheckRecovered, CircuitOpened, FailureCleared, FailureReported,
    ProcessFacts, TargetBroken, TargetCommanded, TargetDrilled, TargetRenamed,
};

use crate::{
    id::{BackupId, OperationId},
    name::{JobName, TargetName},
    severity::Severity,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// One event. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredEvent")]
pub struct Event {
    /// Its place in the order; the journal gives it, 0 until then.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// How bad it is; alerts are routed by it.
    pub severity: Severity,
    /// The target that it is about.
    pub target: Option<TargetName>,
    /// The plugin that it is about, `name@version`.
    pub plugin: Option<String>,
    /// The operation that it is about.
    pub operation: Option<OperationId>,
    /// The backup that it is about.
    pub backup: Option<BackupId>,
    /// The job that it is about.
    pub job: Option<JobName>,
    /// For people, one line.
    pub message: String,
    /// For programs.
    pub data: EventData,
}

impl Event {
    /// An event that is about nothing yet; add to it with the `with_…` functions.
    pub fn new(
        kind: EventKind,
        severity: Severity,
        at: Timestamp,
        message: impl Into<String>,
    ) -> Self {
        Self {
            seq: 0,
            at,
            kind,
            severity,
            target: None,
            plugin: None,
            operation: None,
            backup: None,
            job: None,
            message: message.into(),
            data: EventData::Nothing,
        }
    }

    /// About this target.
    #[must_use]
    pub fn with_target(mut self, target: &TargetName) -> Self {
        self.target = Some(target.clone());
        self
    }

    /// About this plugin; `name@version`.
    #[must_use]
    pub fn with_plugin(mut self, plugin: impl std::fmt::Display) -> Self {
        self.plugin = Some(plugin.to_string());
        self
    }

    /// About this operation.
    #[must_use]
    pub fn with_operation(mut self, operation: &OperationId) -> Self {
        self.operation = Some(operation.clone());
        self
    }

    /// About this backup, and so about its job.
    #[must_use]
    pub fn with_backup(mut self, job: &JobName, backup: &BackupId) -> Self {
        self.backup = Some(backup.clone());
        self.with_job(job)
    }

    /// About this job.
    #[must_use]
    pub fn with_job(mut self, job: &JobName) -> Self {
        self.job = Some(job.clone());
        self
    }

    /// With these facts for programs; they are those of its kind, see [`EventData`].
    #[must_use]
    pub fn with_data(mut self, data: impl Into<EventData>) -> Self {
        self.data = data.into();
        self
    }
}

/// An event as it is stored: its data are read by its kind. A kind that this version does not know is an error.
#[derive(Deserialize)]
struct StoredEvent {
    seq: u64,
    at: Timestamp,
    kind: EventKind,
    severity: Severity,
    target: Option<TargetName>,
    plugin: Option<String>,
    operation: Option<OperationId>,
    backup: Option<BackupId>,
    job: Option<JobName>,
    message: String,
    data: serde_json::Value,
}

impl From<StoredEvent> for Event {
    fn from(stored: StoredEvent) -> Self {
        Self {
            seq: stored.seq,
            at: stored.at,
            kind: stored.kind,
            severity: stored.severity,
            target: stored.target,
            plugin: stored.plugin,
            operation: stored.operation,
            backup: stored.backup,
            job: stored.job,
            message: stored.message,
            data: EventData::parse(stored.kind, stored.data),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
