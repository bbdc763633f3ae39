//! Events: everything that happened, in order. They are what `mainstay events` shows and what alerts are made of.

use crate::{
    id::{BackupId, OperationId},
    name::{JobName, TargetName},
    severity::Severity,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        /// What happened: `noun.verb`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$variant),*];

            /// The name that is printed, `noun.verb`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(EventKind::$variant => $text,)*
                }
            }
        }
    };
}

event_kinds! {
    /// The daemon is ready.
    HostStarted = "host.started",
    /// The daemon was asked to stop.
    HostStopping = "host.stopping",
    /// The disk of the journal was found full, or fails; what cannot be written is held.
    JournalFull = "journal.full",
    /// Everything that was held is written, and the reserve is whole again.
    JournalWritable = "journal.writable",
    /// An operator paused the host or a target.
    HostPaused = "host.paused",
    /// An operator resumed the host or a target.
    HostResumed = "host.resumed",
    /// A config was applied.
    ConfigApplied = "config.applied",
    /// A config was refused; the one before stays.
    ConfigRejected = "config.rejected",
    /// A supervised process was started.
    ProcessStarted = "process.started",
    /// A supervised process that an earlier daemon started was found again.
    ProcessAdopted = "process.adopted",
    /// A supervised process ended by itself.
    ProcessExited = "process.exited",
    /// A supervised process was stopped by the host.
    ProcessStopped = "process.stopped",
    /// A check failed.
    CheckFailed = "check.failed",
    /// A check passes again.
    CheckRecovered = "check.recovered",
    /// A target failed often enough.
    CircuitOpened = "circuit.opened",
    /// A target is tried again.
    CircuitHalfOpened = "circuit.half-opened",
    /// A target is healthy again.
    CircuitClosed = "circuit.closed",
    /// A target opens its circuit again and again; its recoveries wait longer.
    CircuitFlapping = "circuit.flapping",
    /// A failure was taken up.
    IncidentOpened = "incident.opened",
    /// The failure came back right after its recovery: it is the same incident.
    IncidentReopened = "incident.reopened",
    /// The failure is over.
    IncidentClosed = "incident.closed",
    /// A recovery is in the queue.
    OperationScheduled = "operation.scheduled",
    /// A recovery waits for an operator.
    OperationAwaitingManual = "operation.awaiting-manual",
    /// An operator approved.
    OperationApproved = "operation.approved",
    /// A recovery began.
    OperationStarted = "operation.started",
    /// The daemon ended during a call of a recovery, and another goes on with it.
    OperationResumed = "operation.resumed",
    /// An attempt failed and another follows.
    OperationRetrying = "operation.retrying",
    /// The handler is done, the checks decide.
    OperationValidating = "operation.validating",
    /// Verified healthy.
    OperationSucceeded = "operation.succeeded",
    /// The handler was done, the checks still fail.
    OperationPartial = "operation.partial",
    /// No attempt worked.
    OperationFailed = "operation.failed",
    /// An operator or the end of the failure ended it.
    OperationCancelled = "operation.cancelled",
    /// People have to act.
    OperationEscalated = "operation.escalated",
    /// An effect was performed, refused or planned.
    EffectPerformed = "effect.performed",
    /// An alert is in the outbox.
    AlertQueued = "alert.queued",
    /// An alerter delivered it.
    AlertDelivered = "alert.delivered",
    /// An alerter could not deliver it; it is tried again.
    AlertDelayed = "alert.delayed",
    /// It will not be delivered.
    AlertAbandoned = "alert.abandoned",
    /// A plugin gets calls.
    PluginServing = "plugin.serving",
    /// A plugin file was refused.
    PluginRejected = "plugin.rejected",
    /// A plugin gets no new calls.
    PluginDraining = "plugin.draining",
    /// A plugin was freed.
    PluginRetired = "plugin.retired",
    /// A plugin failed too often and rests.
    PluginQuarantined = "plugin.quarantined",
    /// A plugin's rest is over.
    PluginReleased = "plugin.released",
    /// A line that a plugin logged at warn or above.
    PluginLogged = "plugin.logged",
    /// A backup began.
    BackupStarted = "backup.started",
    /// A backup was read back and found right.
    BackupVerified = "backup.verified",
    /// A backup could not be taken.
    BackupFailed = "backup.failed",
    /// A stored backup was found wrong.
    BackupCorrupted = "backup.corrupted",
    /// A backup went to the trash.
    BackupExpired = "backup.expired",
    /// A backup in the trash was deleted.
    BackupDeleted = "backup.deleted",
    /// A stored backup that was not in the catalog was recorded.
    BackupRecorded = "backup.recorded",
    /// A backup was restored.
    BackupRestored = "backup.restored",
    /// A retention policy failed; everything is kept.
    RetentionFailed = "retention.failed",
    /// A restore into a scratch directory gave the right state.
    DrillPassed = "drill.passed",
    /// A restore into a scratch directory did not.
    DrillFailed = "drill.failed",
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One event. Serialised as `events --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// For programs; an object, `{}` where there is nothing more.
    pub data: serde_json::Value,
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
            data: serde_json::Value::Object(serde_json::Map::new()),
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

    /// With these facts for programs; a JSON object.
    #[must_use]
    pub fn with_data(mut self, data: serde_json::Value) -> Self {
        self.data = data;
        self
    }
}
