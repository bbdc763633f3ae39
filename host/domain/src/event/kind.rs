//! The kinds of events, as they are named wherever one is printed or stored.

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
    /// The journal was found damaged while the daemon runs; it goes on.
    JournalDamaged = "journal.damaged",
    /// A record of the journal that this version cannot read was set aside.
    RecordSetAside = "record.set-aside",
    /// Checks could not look for long, for reasons of the host's own.
    MonitorBlind = "monitor.blind",
    /// No check is blind any more.
    MonitorSees = "monitor.sees",
    /// An operator, or a maintenance window, paused the host or a target.
    HostPaused = "host.paused",
    /// An operator resumed the host or a target, or the time of its pause is over.
    HostResumed = "host.resumed",
    /// An operator changed the phase of the host, and with it what is recovered automatically.
    PhaseChanged = "phase.changed",
    /// An operator set what holds over the routes of a target.
    PolicyChanged = "policy.changed",
    /// The host works in another mode, by how its targets and recoveries do.
    ModeChanged = "mode.changed",
    /// The charter is not what the config is pinned to: nothing is begun.
    CharterBroken = "charter.broken",
    /// It is again what the config is pinned to.
    CharterWhole = "charter.whole",
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
    /// The host could not do with a target what its config says; what it did instead.
    TargetWarned = "target.warned",
    /// A target has another name in the config now, and its process goes on.
    TargetRenamed = "target.renamed",
    /// A person had a target started that was stopped; its data say what came of it.
    TargetStarted = "target.started",
    /// A person had a target stopped, to be kept so; its data say what came of it.
    TargetStopped = "target.stopped",
    /// A person had a target stopped and started; its data say what came of it.
    TargetRestarted = "target.restarted",
    /// A person had a target read its config anew; its data say what came of it.
    TargetReloaded = "target.reloaded",
    /// A person has a target broken on purpose, for a drill.
    TargetBroken = "target.broken",
    /// The drill of a target is over; its data say how its recovery was.
    TargetDrilled = "target.drilled",
    /// A check failed.
    CheckFailed = "check.failed",
    /// A check passes and warns: the target works, but not as it should.
    CheckDegraded = "check.degraded",
    /// A check passes again, or does not warn any more.
    CheckRecovered = "check.recovered",
    /// A target failed often enough.
    CircuitOpened = "circuit.opened",
    /// A target is tried again.
    CircuitHalfOpened = "circuit.half-opened",
    /// A target is healthy again.
    CircuitClosed = "circuit.closed",
    /// A target opens its circuit again and again; its recoveries wait longer.
    CircuitFlapping = "circuit.flapping",
    /// A target that flapped has been calm for a while.
    CircuitSteady = "circuit.steady",
    /// A person or another program says that a target has a failure.
    FailureReported = "failure.reported",
    /// They say that it is over, or the time of their report is.
    FailureCleared = "failure.cleared",
    /// An incident was opened.
    IncidentOpened = "incident.opened",
    /// The failure came back right after its recovery: it is the same incident.
    IncidentReopened = "incident.reopened",
    /// It is worse than it was known to be.
    IncidentWorsened = "incident.worsened",
    /// It lasts, or attempts do not help, for so long that people are told, while its recovery goes on.
    IncidentOverdue = "incident.overdue",
    /// A person takes it on.
    IncidentAcknowledged = "incident.acknowledged",
    /// Nobody has taken it on in time after people were told.
    IncidentUnacknowledged = "incident.unacknowledged",
    /// The failure is over.
    IncidentClosed = "incident.closed",
    /// An incident has lasted longer than the recovery time objective of its target.
    RtoExceeded = "rto.exceeded",
    /// A recovery is in the queue.
    OperationScheduled = "operation.scheduled",
    /// A recovery waits for an operator.
    OperationAwaitingManual = "operation.awaiting-manual",
    /// An operator approved.
    OperationApproved = "operation.approved",
    /// A recovery began.
    OperationStarted = "operation.started",
    /// The daemon ended during a call of a recovery, and another resumes it.
    OperationResumed = "operation.resumed",
    /// A handler sleeps for long, or waits for a signal, and is not held meanwhile.
    OperationSuspended = "operation.suspended",
    /// A person signalled to the handler of a recovery.
    OperationSignalled = "operation.signalled",
    /// A handler that is gone on with does something else than before the daemon ended: nothing acts.
    OperationDiverged = "operation.diverged",
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
    /// An operator asked to end it while a handler of it is called; it ends after that call.
    OperationCancelling = "operation.cancelling",
    /// An operator or the end of the failure ended it.
    OperationCancelled = "operation.cancelled",
    /// People have to act.
    OperationEscalated = "operation.escalated",
    /// An effect was performed, refused or planned.
    EffectPerformed = "effect.performed",
    /// Nobody knows whether an effect happened: the daemon ended before it had a result.
    EffectInDoubt = "effect.in-doubt",
    /// A person said whether it happened.
    EffectResolved = "effect.resolved",
    /// An alert is in the outbox.
    AlertQueued = "alert.queued",
    /// It is held back: it is silenced, or what its target depends on is failing.
    AlertHeld = "alert.held",
    /// It was over while it was held back, and nobody is told of it.
    AlertLapsed = "alert.lapsed",
    /// It is told in the alert of a group, which stands in its place.
    AlertGrouped = "alert.grouped",
    /// An alerter delivered it.
    AlertDelivered = "alert.delivered",
    /// An alerter could not deliver it; it is tried again.
    AlertDelayed = "alert.delayed",
    /// It will not be delivered.
    AlertAbandoned = "alert.abandoned",
    /// An operator silenced alerts for a while.
    SilenceBegan = "silence.began",
    /// A silence is over.
    SilenceEnded = "silence.ended",
    /// A person wrote something down about an incident or an operation.
    NoteAdded = "note.added",
    /// A plugin gets calls.
    PluginServing = "plugin.serving",
    /// A plugin file was refused.
    PluginRejected = "plugin.rejected",
    /// A plugin file that was refused is gone, or holds again what serves.
    PluginWithdrawn = "plugin.withdrawn",
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
    /// Routes are left without any handler that serves.
    RouteUnhandled = "route.unhandled",
    /// They have a handler again, or are gone.
    RouteHandled = "route.handled",
    /// An alerter that a route names does not serve, or its deliveries fail.
    AlerterFailing = "alerter.failing",
    /// It serves and delivers, or no route names it any more.
    AlerterRecovered = "alerter.recovered",
    /// A backup began.
    BackupStarted = "backup.started",
    /// A backup was read back and found right.
    BackupVerified = "backup.verified",
    /// A backup could not be taken.
    BackupFailed = "backup.failed",
    /// The newest verified backup of a job is older than its recovery point objective.
    BackupRpoMissed = "backup.rpo-missed",
    /// A backup that is due waits until the targets that its job names are healthy.
    BackupWaiting = "backup.waiting",
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
    /// A person holds a backup: nothing lets it go.
    BackupHeld = "backup.held",
    /// A person holds a backup no more.
    BackupReleased = "backup.released",
    /// A backup is much smaller than the one before, or lacks what was mounted then.
    BackupSuspicious = "backup.suspicious",
    /// A person says that a backup is rightly so small.
    BackupAccepted = "backup.accepted",
    /// A backup is not in the tier that is wanted first, but in the next that took it.
    BackupFellOver = "backup.fell-over",
    /// A stored backup was moved from one tier to another.
    BackupMoved = "backup.moved",
    /// A person deleted a backup: it went to the trash.
    BackupTrashed = "backup.trashed",
    /// A person took a backup out of the trash again.
    BackupUndeleted = "backup.undeleted",
    /// A retention policy failed; everything is kept.
    RetentionFailed = "retention.failed",
    /// A retention policy judged the backups of a job.
    RetentionJudged = "retention.judged",
    /// A checkpoint of a job was taken.
    CheckpointTaken = "checkpoint.taken",
    /// A rollback of a job to a checkpoint began.
    RollbackStarted = "rollback.started",
    /// The job's state is the checkpoint's, and what was paused is resumed.
    RollbackSucceeded = "rollback.succeeded",
    /// It is not, or what was paused is not known to be resumed.
    RollbackFailed = "rollback.failed",
    /// A person had resumed what a rollback had paused.
    RollbackResumed = "rollback.resumed",
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
